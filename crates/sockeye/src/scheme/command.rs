//! `exec:` and `sh:`: a command with pipes as its standard input and output.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::task::{Context, Poll};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};
use sockeye_proto::address::{Address, Form, SchemeGrammar, Value};
use sockeye_proto::shape::Shape;

use super::Scheme;
use super::descriptor::{Descriptors, Way};
use crate::conn::{Bytes, Conn};
use crate::ctx::Ctx;
use crate::error::{Cause, Error, Op, Result};
use crate::exit::Exit;
use crate::lent::Direction;
use crate::peer::Peer;
use crate::process::{Child, Command, tell_lines};
use crate::service::BoxFuture;

pub(super) static EXEC: Scheme = Scheme {
    grammar: SchemeGrammar { target: Form::Words, ..grammar("exec") },
    help: "a program and its arguments, without a shell",
    example: "exec:'grep -i fish'",
    ..SH
};

pub(super) static SH: Scheme = Scheme {
    grammar: grammar("sh"),
    help: "a command for /bin/sh",
    example: "sh:'sort | uniq -c'",
    max_message: None,
    half_close: true,
    idle: None,
    dials_once: |_| false,
    runs: true,
    dial,
    listen: super::no_listener,
};

const fn grammar(name: &'static str) -> SchemeGrammar {
    SchemeGrammar {
        name,
        aliases: &[],
        target: Form::Word,
        shape: Shape::Bytes,
        dials: true,
        listens: false,
        options: &[],
    }
}

fn dial<'a>(address: &'a Address, ctx: &'a Ctx) -> BoxFuture<'a, Result<Conn>> {
    Box::pin(async move { open(address, ctx).await.map_err(|cause| Error::new(Op::Dial, cause)) })
}

async fn open(address: &Address, ctx: &Ctx) -> std::result::Result<Conn, Cause> {
    let (input, to_command) = pipe_with(PipeFlags::CLOEXEC)?;
    let (from_command, output) = pipe_with(PipeFlags::CLOEXEC)?;
    let (errors, log) = errors(address, &output)?;
    [Some(&to_command), Some(&from_command), log.as_ref()].into_iter().flatten().try_for_each(no_waiting)?;
    let command = Command { address, streams: [input, output, errors], terminal: false };
    let child = command.start(ctx).await?;
    if let Some(log) = log {
        let name = address.bare_word().into();
        ctx.tasks.spawn(tell_lines(log, name, ctx.caller.clone(), ctx.events.clone()));
    }
    let reading = Way::new(from_command, Direction::Read)?;
    let writing = Way::new(to_command, Direction::Write)?;
    let pipes = Descriptors::of_command(reading, writing);
    Ok(Conn::bytes(Running { pipes, child }, Peer::new(address.scheme().name)))
}

/// Where the command's standard error goes, and where that is read if it is.
fn errors(address: &Address, output: &OwnedFd) -> io::Result<(OwnedFd, Option<OwnedFd>)> {
    match address.options().value("stderr") {
        Some(Value::Choice("merge")) => Ok((output.try_clone()?, None)),
        Some(Value::Choice("log")) => {
            let (log, errors) = pipe_with(PipeFlags::CLOEXEC)?;
            Ok((errors, Some(log)))
        }
        _ => match rustix::stdio::stderr().try_clone_to_owned() {
            Ok(ours) => Ok((ours, None)),
            // Closed by whoever started us.
            Err(_) => Ok((std::fs::File::options().write(true).open("/dev/null")?.into(), None)),
        },
    }
}

/// An end of a pipe that is ours: the flag is not shared with the other end.
fn no_waiting(end: &OwnedFd) -> io::Result<()> {
    Ok(fcntl_setfl(end, fcntl_getfl(end.as_fd())? | OFlags::NONBLOCK)?)
}

/// A command, and our ends of its pipes.
struct Running {
    pipes: Descriptors,
    child: Child,
}

impl Bytes for Running {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.pipes.poll_read(cx, buffer)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.pipes.poll_write(cx, bytes)
    }

    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pipes.poll_shutdown_write(cx)
    }

    fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<Option<Exit>> {
        self.child.poll_exit(cx).map(Some)
    }

    fn abort(&mut self) {
        self.child.end();
    }
}
