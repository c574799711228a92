//! Standard input on its way to one command, or to many.

use std::sync::Arc;

use rustix::fs::{FileType, Stat, fstat, major, minor};
use rustix::termios::isatty;
use sockeye::{Conn, Ctx, Error, Op, Result};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// What was read at once, for all commands.
pub(super) type Piece = Arc<[u8]>;

/// What a command is sent.
pub(super) enum Input {
    /// A file, which each command reads for itself, from here on.
    File(u64),
    /// There is none.
    Nothing,
    /// What all commands get in step.
    Shared(Receiver<Piece>, Piece, usize),
    /// Standard input itself.
    Stream(Box<Conn>),
}

/// What standard input is, for many commands at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// It can be read again, from here on.
    File(u64),
    /// Nobody meant to write to it: there is none, it is a terminal, or leads nowhere.
    Nothing,
    /// What is read is gone.
    Stream,
}

/// What is read at once, and may wait for each command.
const PIECE: usize = 64 << 10;

impl Source {
    /// Looks at standard input.
    pub(super) fn find() -> Self {
        let stdin = rustix::stdio::stdin();
        let Ok(stat) = fstat(stdin) else { return Self::Nothing };
        if isatty(stdin) || is_nowhere(&stat) {
            return Self::Nothing;
        }
        match (FileType::from_raw_mode(stat.st_mode), rustix::fs::tell(stdin)) {
            (FileType::RegularFile, Ok(at)) => Self::File(at),
            _ => Self::Stream,
        }
    }

    /// It, for so many commands at once, and where to put what they share: see [`feed`].
    pub(super) fn inputs(self, commands: usize) -> (Vec<Input>, Vec<Sender<Piece>>) {
        let all = 0..commands;
        match self {
            Self::File(at) => (all.map(|_| Input::File(at)).collect(), Vec::new()),
            Self::Nothing => (all.map(|_| Input::Nothing).collect(), Vec::new()),
            Self::Stream => all
                .map(|_| channel(1))
                .map(|(sender, pieces)| (Input::Shared(pieces, Arc::default(), 0), sender))
                .unzip(),
        }
    }
}

/// Whether it is /dev/null.
fn is_nowhere(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice
        && (major(stat.st_rdev), minor(stat.st_rdev)) == (1, 3)
}

impl Input {
    /// Standard input, for one command.
    pub(super) async fn here(ctx: &Ctx) -> Result<Self> {
        sockeye::dial("-", ctx).await.map(|conn| Self::Stream(Box::new(conn)))
    }

    /// Reads what there is; 0 is the end. Cancel safe.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        match self {
            Self::File(at) => {
                // A file never waits for long, and neither does anybody read its position.
                let read = rustix::io::pread(rustix::stdio::stdin(), buffer, *at)
                    .map_err(|error| Error::new(Op::Read, error).on("-"))?;
                *at += u64::try_from(read).unwrap_or_default();
                Ok(read)
            }
            Self::Nothing => Ok(0),
            Self::Shared(pieces, piece, at) => {
                if *at == piece.len() {
                    let Some(next) = pieces.recv().await else { return Ok(0) };
                    (*piece, *at) = (next, 0);
                }
                let rest = piece.get(*at..).unwrap_or_default();
                let taken = rest.len().min(buffer.len());
                buffer.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
                *at += taken;
                Ok(taken)
            }
            Self::Stream(conn) => conn.read(buffer).await,
        }
    }
}

/// Reads standard input for all of them: no further than the slowest has taken, and on without those that have ended.
pub(super) async fn feed(mut to: Vec<Sender<Piece>>, ctx: &Ctx) -> Result<()> {
    let mut source = sockeye::dial("-", ctx).await?;
    let mut buffer = vec![0; PIECE];
    while !to.is_empty() {
        let read = source.read(&mut buffer).await?;
        let piece: Piece = buffer.get(..read).unwrap_or_default().into();
        if piece.is_empty() {
            return Ok(());
        }
        let mut left = Vec::with_capacity(to.len());
        for sender in to {
            if sender.send(piece.clone()).await.is_ok() {
                left.push(sender);
            }
        }
        to = left;
    }
    Ok(())
}
