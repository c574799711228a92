//! `pty:`: a program at a terminal of its own.

use std::io;
use std::path::Path;
use std::task::{Context, Poll, ready};

use sockeye_proto::address::{Address, Form, Kind, OptionGrammar, SchemeGrammar, Side, Value};
use sockeye_proto::shape::Shape;

use super::Scheme;
use super::descriptor::{Descriptors, Way};
use crate::conn::{Bytes, Conn};
use crate::ctx::Ctx;
use crate::error::{Cause, Error, Op, Result};
use crate::exit::Exit;
use crate::lent::Direction;
use crate::peer::Peer;
use crate::process::{Child, Command, Link, Terminal};
use crate::service::BoxFuture;

const fn option(name: &'static str, kind: Kind, help: &'static str) -> OptionGrammar {
    OptionGrammar { name, aliases: &[], schemes: &[], side: Side::Dial, kind, help }
}

pub(super) static PTY: Scheme = Scheme {
    grammar: SchemeGrammar {
        name: "pty",
        aliases: &[],
        target: Form::Words,
        shape: Shape::Bytes,
        dials: true,
        listens: false,
        options: &[
            option(
                "link",
                Kind::Text("a path"),
                "make a symbolic link to the terminal, for as long as it is there",
            ),
            option("raw", Kind::Switch, "no editing, no echo, no meaning of any byte"),
            option("size", Kind::Window, "the size of the terminal; 80x24 unless set"),
        ],
    },
    help: "a program at a terminal of its own",
    example: "pty:bash",
    max_message: None,
    half_close: true,
    idle: None,
    // A second would take the link from the first.
    dials_once: |address| address.options().value("link").is_some(),
    runs: true,
    dial,
    listen: super::no_listener,
};

fn dial<'a>(address: &'a Address, ctx: &'a Ctx) -> BoxFuture<'a, Result<Conn>> {
    Box::pin(async move { open(address, ctx).await.map_err(|cause| Error::new(Op::Dial, cause)) })
}

async fn open(address: &Address, ctx: &Ctx) -> std::result::Result<Conn, Cause> {
    let size = match address.options().value("size") {
        Some(Value::Window(columns, rows)) => (*columns, *rows),
        _ => (80, 24),
    };
    let raw = address.options().value("raw") == Some(&Value::Switch(true));
    let Terminal { ours, theirs, path, end } = Terminal::open(size, raw)?;
    let link = match address.options().value("link") {
        Some(Value::Text(link)) => Some(Link::make(Path::new(link), &path)?),
        _ => None,
    };
    let streams = [theirs.try_clone()?, theirs.try_clone()?, theirs];
    let child = Command { address, streams, terminal: true }.start(ctx).await?;
    let reading = Way::new(ours.try_clone()?, Direction::Read)?;
    let writing = Way::new(ours, Direction::Write)?;
    let terminal = AtTerminal {
        terminal: Descriptors::of_command(reading, writing),
        child,
        end,
        is_mid_line: false,
        _link: link,
    };
    let conn = Conn::bytes(terminal, Peer::new(PTY.grammar.name));
    Ok(if raw { conn.without_half_close() } else { conn })
}

/// A program, and our side of its terminal.
struct AtTerminal {
    terminal: Descriptors,
    child: Child,
    /// What stands for the end of the input, unless the terminal is raw: then there is no way to tell it.
    end: Option<u8>,
    /// Whether a line was begun and not ended: then the first mark of the end only passes that on, and a second is
    /// needed (termios(3), VEOF).
    is_mid_line: bool,
    /// Removed with the terminal.
    _link: Option<Link>,
}

impl Bytes for AtTerminal {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.terminal.poll_read(cx, buffer)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(self.terminal.poll_write(cx, bytes))?;
        if let Some(last) = bytes.get(..written).and_then(<[u8]>::last) {
            self.is_mid_line = !matches!(last, b'\n' | b'\r');
        }
        Poll::Ready(Ok(written))
    }

    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(end) = self.end {
            ready!(self.terminal.poll_write(cx, &[end]))?;
            if self.is_mid_line {
                self.is_mid_line = false;
            } else {
                self.end = None;
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<Option<Exit>> {
        self.child.poll_exit(cx).map(Some)
    }

    fn abort(&mut self) {
        self.child.end();
    }
}
