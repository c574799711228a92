//! `exec:` and `sh:`: a command with pipes as its standard input and output.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustix::io::Errno;
use sockeye_proto::address::{Address, Form, SchemeGrammar, Value};
use sockeye_proto::shape::Shape;

use super::Scheme;
use crate::conn::{Bytes, Conn};
use crate::ctx::Ctx;
use crate::error::{Cause, Error, Op, Result};
use crate::exit::Exit;
use crate::lent::{Direction, Lent};
use crate::peer::Peer;
use crate::process::{Input, Job, Output, Program, Running, tell_lines};
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
    let (input, stdin) = Input::pipe()?;
    let (output, stdout) = Output::pipe()?;
    let (stderr, log) = errors(address, &stdout)?;
    let name: Arc<str> = address.bare_word().into();
    let job = Job::new(Program::of(address), [stdin, stdout, stderr], false);
    let command = job.start(name.clone(), ctx).await?;
    if let Some(log) = log {
        ctx.tasks.spawn(tell_lines(log, name, ctx.caller.clone(), ctx.events.clone()));
    }
    let running = Running { input: Some(input), output, errors: None, command };
    Ok(Conn::bytes(running, Peer::new(address.scheme().name)))
}

/// Where the command's standard error goes, and where that is read if it is.
fn errors(address: &Address, output: &OwnedFd) -> io::Result<(OwnedFd, Option<Output>)> {
    match address.options().value("stderr") {
        Some(Value::Choice("merge")) => Ok((output.try_clone()?, None)),
        Some(Value::Choice("log")) => {
            let (log, errors) = Output::pipe()?;
            Ok((errors, Some(log)))
        }
        _ => match rustix::stdio::stderr().try_clone_to_owned() {
            Ok(ours) => Ok((ours, None)),
            // Closed by whoever started us.
            Err(_) => Ok((std::fs::File::options().write(true).open("/dev/null")?.into(), None)),
        },
    }
}

/// Both ways of a command. Reading goes on where nobody reads what is written: a command may read no more, and still have
/// something to say.
impl Bytes for Running {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.output.poll_read(cx, buffer)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.input {
            Some(input) => input.poll_write(cx, bytes),
            None => Poll::Ready(Err(Errno::BADF.into())),
        }
    }

    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.input.as_mut().map_or(Poll::Ready(Ok(())), |input| input.poll_shutdown(cx))
    }

    fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<Option<Exit>> {
        self.command.poll_exit(cx).map(Some)
    }

    fn abort(&mut self) {
        self.command.end();
    }

    fn lend(&self, direction: Direction) -> Option<Lent<'_>> {
        match direction {
            Direction::Read => Some(self.output.lend()),
            Direction::Write => self.input.as_ref()?.lend(),
        }
    }
}
