//! `fd:3`: a descriptor that our parent left open for us.

use std::os::fd::{AsFd as _, RawFd};

use rustix::fs::{OFlags, fcntl_getfl};
use sockeye_proto::address::{Address, Form, SchemeGrammar, Target};
use sockeye_proto::shape::Shape;
use sockeye_sys::inherited;

use super::descriptor::{Descriptors, Direction, Way};
use super::{Scheme, wrong_target};
use crate::conn::Conn;
use crate::ctx::Ctx;
use crate::error::{Cause, Error, Op, Result};
use crate::peer::Peer;
use crate::service::BoxFuture;

pub(super) static FD: Scheme = Scheme {
    grammar: SchemeGrammar {
        name: "fd",
        aliases: &[],
        target: Form::Descriptor,
        shape: Shape::Bytes,
        dials: true,
        listens: false,
        options: &[],
    },
    help: "a descriptor that was open when we were started",
    example: "fd:3",
    max_message: None,
    half_close: true,
    idle: None,
    dials_once: |_| true,
    runs: false,
    dial,
    listen: super::no_listener,
};

fn dial<'a>(address: &'a Address, _: &'a Ctx) -> BoxFuture<'a, Result<Conn>> {
    let opened = open(address).map_err(|cause| Error::new(Op::Dial, cause).on(address.bare_word()));
    Box::pin(std::future::ready(opened))
}

fn open(address: &Address) -> std::result::Result<Conn, Cause> {
    let Target::Descriptor(number) = address.target() else { return Err(wrong_target()) };
    // The first three belong to the process for good: others write to them too.
    let file = match number {
        0 => rustix::stdio::stdin().try_clone_to_owned()?,
        1 => rustix::stdio::stdout().try_clone_to_owned()?,
        2 => rustix::stdio::stderr().try_clone_to_owned()?,
        number => inherited::take(RawFd::try_from(*number).unwrap_or(RawFd::MAX))?,
    };
    let access = fcntl_getfl(&file)? & OFlags::RWMODE;
    let both = access == OFlags::RDWR;
    let (reading, writing) = if both {
        let again = file.as_fd().try_clone_to_owned()?;
        (Some(Way::new(again, Direction::Read)?), Some(Way::new(file, Direction::Write)?))
    } else if access == OFlags::RDONLY {
        (Some(Way::new(file, Direction::Read)?), None)
    } else {
        (None, Some(Way::new(file, Direction::Write)?))
    };
    let can_read = reading.is_some();
    let conn = Conn::bytes(Descriptors::new(reading, writing), Peer::new(FD.grammar.name));
    Ok(if can_read { conn } else { conn.without_reading() })
}
