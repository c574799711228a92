//! Our terminal, while a command has one of its own elsewhere: each key goes there as it is.

use std::future::pending;
use std::io;

use rustix::stdio::{stderr, stdin, stdout};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};
use sockeye::proto::exec::Window;
use sockeye::{Error, Op};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The size of a terminal that does not tell its own: what programs have taken for granted since there were any.
const USUAL: Window = Window { columns: 80, rows: 24 };

/// A terminal in raw mode; it is as it was when this is dropped.
pub(super) struct Terminal {
    before: Option<Termios>,
    sizes: Option<Signal>,
}

impl Terminal {
    /// Puts standard input into raw mode, where it is a terminal.
    ///
    /// # Errors
    /// It is gone.
    pub(super) fn begin() -> sockeye::Result<Self> {
        let failed = |error: io::Error| Error::new(Op::Read, error).on("-");
        if !isatty(stdin()) {
            return Ok(Self { before: None, sizes: None });
        }
        let before = tcgetattr(stdin()).map_err(|errno| failed(errno.into()))?;
        let sizes = signal(SignalKind::window_change()).map_err(failed)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Drain, &raw).map_err(|errno| failed(errno.into()))?;
        Ok(Self { before: Some(before), sizes: Some(sizes) })
    }

    /// Waits until it has another size.
    pub(super) async fn resized(&mut self) -> Window {
        match &mut self.sizes {
            Some(sizes) => sizes.recv().await,
            None => pending().await,
        };
        window()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // One that is gone needs nothing.
            let (Ok(()) | Err(_)) = tcsetattr(stdin(), OptionalActions::Drain, before);
        }
    }
}

/// The size of our terminal.
pub(super) fn window() -> Window {
    let told = [tcgetwinsize(stdout()), tcgetwinsize(stdin()), tcgetwinsize(stderr())];
    let told = told.into_iter().flatten().find(|size| size.ws_col > 0 && size.ws_row > 0);
    told.map_or(USUAL, |size| Window { columns: size.ws_col, rows: size.ws_row })
}
