//! `-`: standard input and output.

use std::io;
use std::os::fd::AsFd as _;

use rustix::fs::{Mode, OFlags};
use sockeye_proto::address::{Address, Form, Kind, OptionGrammar, SchemeGrammar, Side, Value};
use sockeye_proto::shape::Shape;

use super::Scheme;
use super::descriptor::{Descriptors, Way};
use crate::conn::Conn;
use crate::ctx::Ctx;
use crate::error::{Error, Op, Result};
use crate::lent::Direction;
use crate::peer::Peer;
use crate::service::BoxFuture;

pub(super) static STDIO: Scheme = Scheme {
    grammar: SchemeGrammar {
        name: "-",
        aliases: &[],
        target: Form::Nothing,
        shape: Shape::Bytes,
        dials: true,
        listens: false,
        options: &[OptionGrammar {
            name: "input",
            aliases: &[],
            schemes: &[],
            side: Side::Dial,
            kind: Kind::Switch,
            help: "read standard input; yes unless set",
        }],
    },
    help: "standard input and output",
    example: "-",
    max_message: None,
    half_close: true,
    idle: None,
    dials_once: |_| true,
    runs: false,
    dial,
    listen: super::no_listener,
};

fn dial<'a>(address: &'a Address, _: &'a Ctx) -> BoxFuture<'a, Result<Conn>> {
    let input = address.options().value("input") != Some(&Value::Switch(false));
    let opened = open(input).map_err(|error| Error::new(Op::Dial, error).on("standard input and output"));
    Box::pin(std::future::ready(opened))
}

fn open(input: bool) -> io::Result<Conn> {
    let reading = match rustix::stdio::stdin().try_clone_to_owned() {
        Ok(file) if input => Some(Way::new(file, Direction::Read)?),
        // Closed by whoever started us: that is an end of file.
        _ => None,
    };
    let writing = match rustix::stdio::stdout().try_clone_to_owned() {
        Ok(file) => Some(Way::new(file, Direction::Write)?),
        Err(_) => None,
    };
    let mut both = Descriptors::new(reading, writing);
    both.on_shutdown = close_standard_output;
    let conn = Conn::bytes(both, Peer::new(STDIO.grammar.name));
    Ok(if input { conn } else { conn.without_reading() })
}

/// Whoever reads our standard output sees its end only when descriptor 1 is closed too. Nothing else may take that
/// number, so it leads nowhere from now on.
fn close_standard_output() -> io::Result<()> {
    let nowhere = rustix::fs::open("/dev/null", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    Ok(rustix::stdio::dup2_stdout(nowhere.as_fd())?)
}
