//! Where the output of a command goes.

use sockeye::proto::exec::Stream;
use sockeye::{Conn, Ctx, Result};

use super::answers::Answer;
use super::lines::Lines;
use crate::console;
use crate::failure::Failure;

/// Where it goes.
pub(super) enum Output {
    /// To standard output and standard error, as it comes.
    Here(Box<Streams>),
    /// There too, line by line, each with its host.
    Lines(Lines),
    /// It is kept until the command has ended.
    Kept(Answer),
}

/// Standard output and standard error.
pub(super) struct Streams {
    output: Conn,
    errors: Option<Conn>,
}

impl Streams {
    /// Opens them. What comes is made safe for a terminal, unless it is to come raw.
    pub(super) async fn open(raw: bool, ctx: &Ctx) -> std::result::Result<Self, Failure> {
        let safe = |file| !raw && rustix::termios::isatty(file);
        let output = console::outlet("-,input=no", safe(rustix::stdio::stdout()), ctx).await?;
        // One that is closed loses what is written there, and that is all.
        let errors = console::outlet("fd:2", safe(rustix::stdio::stderr()), ctx).await.ok();
        Ok(Self { output, errors })
    }

    pub(super) async fn write(&mut self, stream: Stream, bytes: &[u8]) -> Result<()> {
        match (stream, &mut self.errors) {
            (Stream::Errors, None) => Ok(()),
            (Stream::Errors, Some(errors)) => errors.write_all(bytes).await,
            (Stream::Input | Stream::Output, _) => self.output.write_all(bytes).await,
        }
    }
}

impl Output {
    /// Takes bytes that came. Not cancel safe.
    pub(super) async fn write(&mut self, stream: Stream, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Here(streams) => streams.write(stream, bytes).await,
            Self::Lines(lines) => lines.write(stream, bytes).await,
            Self::Kept(answer) => {
                answer.add(stream, bytes);
                Ok(())
            }
        }
    }

    /// Nothing more comes.
    pub(super) async fn finish(&mut self) -> Result<()> {
        match self {
            Self::Lines(lines) => lines.finish().await,
            Self::Here(_) | Self::Kept(_) => Ok(()),
        }
    }
}
