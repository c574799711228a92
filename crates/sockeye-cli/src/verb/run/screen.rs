//! Standard output and standard error for many hosts at once, and beneath what they say how far it has come.

use rustix::termios::isatty;
use sockeye::proto::exec::Stream;
use sockeye::{Ctx, Result};
use tokio::sync::Mutex;

use super::output::Streams;
use crate::failure::Failure;
use crate::say;

/// What all hosts write to, whole lines at a time.
pub(super) struct Screen {
    inside: Mutex<Inside>,
}

struct Inside {
    streams: Streams,
    /// How far it has come, where standard error is a terminal.
    progress: Option<String>,
}

/// Moves to the beginning of the line, and clears it.
const CLEAR: &[u8] = b"\r\x1b[K";

impl Screen {
    /// Opens both; progress is shown at a terminal alone.
    pub(super) async fn open(
        raw: bool,
        shows_progress: bool,
        ctx: &Ctx,
    ) -> std::result::Result<Self, Failure> {
        let progress = (shows_progress && isatty(rustix::stdio::stderr())).then(String::new);
        Ok(Self { inside: Mutex::new(Inside { streams: Streams::open(raw, ctx).await?, progress }) })
    }

    /// Writes lines, or an answer, whole.
    pub(super) async fn write(&self, stream: Stream, lines: &[u8]) -> Result<()> {
        let mut inside = self.inside.lock().await;
        inside.hide();
        let written = inside.streams.write(stream, lines).await;
        inside.show();
        written
    }

    /// Says something to people.
    pub(super) async fn say(&self, request: &crate::args::Request, object: serde_json::Value, text: &str) {
        let inside = self.inside.lock().await;
        inside.hide();
        say::note(request, object, text);
        inside.show();
    }

    /// Shows how far it has come; empty at the end.
    pub(super) async fn progress(&self, text: String) {
        let mut inside = self.inside.lock().await;
        inside.hide();
        if let Some(progress) = &mut inside.progress {
            *progress = text;
        }
        inside.show();
    }
}

impl Inside {
    fn hide(&self) {
        if self.progress.as_ref().is_some_and(|text| !text.is_empty()) {
            say::part(CLEAR);
        }
    }

    fn show(&self) {
        if let Some(text) = &self.progress {
            say::part(text.as_bytes());
        }
    }
}
