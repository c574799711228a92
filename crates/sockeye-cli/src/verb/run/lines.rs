//! The output of one host of many: whole lines, each with the host before it.

use std::sync::Arc;

use sockeye::Result;
use sockeye::proto::exec::Stream;

use super::screen::Screen;

/// The longest line: what is longer is shown in pieces.
const LONGEST: usize = 64 << 10;

/// Lines of one host that are still to be ended.
pub(super) struct Lines {
    lead: Vec<u8>,
    output: Vec<u8>,
    errors: Vec<u8>,
    screen: Arc<Screen>,
}

impl Lines {
    pub(super) fn of(label: &str, screen: Arc<Screen>) -> Self {
        let lead = format!("{label}: ").into_bytes();
        Self { lead, output: Vec::new(), errors: Vec::new(), screen }
    }

    /// Shows the lines that these bytes end. Not cancel safe.
    pub(super) async fn write(&mut self, stream: Stream, bytes: &[u8]) -> Result<()> {
        let Self { lead, output, errors, screen } = self;
        let begun = if stream == Stream::Errors { errors } else { output };
        let mut text = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            begun.extend(piece);
            if begun.ends_with(b"\n") || begun.len() >= LONGEST {
                put_line(lead, begun, &mut text);
            }
        }
        if text.is_empty() { Ok(()) } else { screen.write(stream, &text).await }
    }

    /// Shows what is begun.
    pub(super) async fn finish(&mut self) -> Result<()> {
        for (stream, begun) in [(Stream::Output, &mut self.output), (Stream::Errors, &mut self.errors)] {
            let mut text = Vec::new();
            if !begun.is_empty() {
                put_line(&self.lead, begun, &mut text);
                self.screen.write(stream, &text).await?;
            }
        }
        Ok(())
    }
}

fn put_line(lead: &[u8], line: &mut Vec<u8>, text: &mut Vec<u8>) {
    text.extend(lead);
    text.append(line);
    if !text.ends_with(b"\n") {
        text.push(b'\n');
    }
}
