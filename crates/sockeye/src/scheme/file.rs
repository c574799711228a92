//! `file:path`: read, or with `write` or `append` written.

use rustix::fs::{self, Mode, OFlags};
use sockeye_proto::address::{Address, Form, Kind, OptionGrammar, SchemeGrammar, Side, Target, Value};
use sockeye_proto::shape::Shape;

use super::descriptor::{Descriptors, Way};
use super::{Scheme, wrong_target};
use crate::conn::Conn;
use crate::ctx::Ctx;
use crate::error::{Cause, Error, Op, Result};
use crate::lent::Direction;
use crate::peer::Peer;
use crate::service::BoxFuture;

const fn switch(name: &'static str, help: &'static str) -> OptionGrammar {
    OptionGrammar { name, aliases: &[], schemes: &[], side: Side::Dial, kind: Kind::Switch, help }
}

pub(super) static FILE: Scheme = Scheme {
    grammar: SchemeGrammar {
        name: "file",
        aliases: &[],
        target: Form::Path,
        shape: Shape::Bytes,
        dials: true,
        listens: false,
        options: &[
            switch("append", "write at the end of the file, made if it is not there"),
            switch("write", "write the file, made or emptied first"),
        ],
    },
    help: "a file, read unless write or append is set",
    example: "file:notes.txt",
    max_message: None,
    half_close: true,
    idle: None,
    dials_once: |address| set(address, "write"),
    runs: false,
    dial,
    listen: super::no_listener,
};

fn set(address: &Address, option: &str) -> bool {
    address.options().value(option) == Some(&Value::Switch(true))
}

fn dial<'a>(address: &'a Address, _: &'a Ctx) -> BoxFuture<'a, Result<Conn>> {
    let opened = open(address).map_err(|cause| Error::new(Op::Dial, cause).on(address.bare_word()));
    Box::pin(std::future::ready(opened))
}

fn open(address: &Address) -> std::result::Result<Conn, Cause> {
    let Target::Path(path) = address.target() else { return Err(wrong_target()) };
    let (access, direction) = match (set(address, "write"), set(address, "append")) {
        (false, false) => (OFlags::RDONLY, Direction::Read),
        (true, false) => (OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC, Direction::Write),
        (false, true) => (OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND, Direction::Write),
        (true, true) => return Err(Cause::Exclusive("write", "append")),
    };
    // Non-blocking: a pipe that nobody has opened at the other end must not hold us here.
    let flags = access | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let way = Way::new(fs::open(path, flags, Mode::from_raw_mode(0o666))?, direction)?;
    let (reading, writing) = if direction == Direction::Read { (Some(way), None) } else { (None, Some(way)) };
    let mut both = Descriptors::new(reading, writing);
    both.awaits_writer = direction == Direction::Read;
    let conn = Conn::bytes(both, Peer::new(FILE.grammar.name));
    Ok(if direction == Direction::Read { conn } else { conn.without_reading() })
}
