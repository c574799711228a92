//! `pty:`: a program at a terminal of its own.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll};

use sockeye_proto::address::{Address, Form, Kind, OptionGrammar, SchemeGrammar, Side, Value};
use sockeye_proto::shape::Shape;
use sockeye_sys::readiness::Watched;

use super::Scheme;
use crate::conn::{Bytes, Conn};
use crate::ctx::Ctx;
use crate::error::{Cause, Error, Op, Result};
use crate::exit::Exit;
use crate::peer::Peer;
use crate::process::{Handle, Input, Job, Link, Output, Program, Terminal};
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
    let stdio = [theirs.try_clone()?, theirs.try_clone()?, theirs];
    let ours = Arc::new(Watched::new(ours).map_err(|(_, error)| error)?);
    let (input, output) = (Input::terminal(ours.clone(), end), Output::terminal(ours));
    let command = Job::new(Program::of(address), stdio, true).start(address.bare_word().into(), ctx).await?;
    let terminal = AtTerminal { input, output, command, _link: link };
    let conn = Conn::bytes(terminal, Peer::new(PTY.grammar.name));
    Ok(if raw { conn.without_half_close() } else { conn })
}

/// A program, and our side of its terminal.
struct AtTerminal {
    input: Input,
    output: Output,
    command: Handle,
    /// Removed with the terminal.
    _link: Option<Link>,
}

impl Bytes for AtTerminal {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.output.poll_read(cx, buffer)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.input.poll_write(cx, bytes)
    }

    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.input.poll_shutdown(cx)
    }

    fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<Option<Exit>> {
        self.command.poll_exit(cx).map(Some)
    }

    fn abort(&mut self) {
        self.command.end();
    }
}
