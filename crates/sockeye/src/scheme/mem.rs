//! `mem:name` and `mem-seq:name`: bytes and messages inside this process.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use sockeye_proto::address::{Address, Form, SchemeGrammar, Target};
use sockeye_proto::shape::Shape;
use tokio::io::{AsyncRead as _, AsyncWrite as _, DuplexStream, ReadBuf};
use tokio::sync::mpsc;
use tokio::task::coop;
use tokio_util::sync::PollSender;

use super::{Scheme, wrong_target};
use crate::conn::{Bytes, Conn, Messages};
use crate::ctx::Ctx;
use crate::entrance::Entrance;
use crate::error::{Cause, Error, Op, Result};
use crate::listener::Listener;
use crate::memory::{Carrier, Link, Name};
use crate::message::{Message, Payload, Replies};
use crate::peer::Peer;
use crate::service::{BoxFuture, Datagrams};

/// The largest message of `mem-seq:`: what a UDP datagram holds at most, so that tests meet the same bound.
const MOST: usize = 65_507;

const fn grammar(name: &'static str, shape: Shape) -> SchemeGrammar {
    SchemeGrammar { name, aliases: &[], target: Form::Name, shape, dials: true, listens: true, options: &[] }
}

pub(super) static MEM: Scheme = Scheme {
    grammar: grammar("mem", Shape::Bytes),
    help: "bytes inside this process",
    example: "mem:name",
    max_message: None,
    half_close: true,
    idle: None,
    dials_once: |_| false,
    runs: false,
    dial,
    listen,
};

pub(super) static MEM_SEQ: Scheme = Scheme {
    grammar: grammar("mem-seq", Shape::Messages),
    help: "messages inside this process",
    example: "mem-seq:name",
    max_message: Some(MOST),
    half_close: true,
    idle: None,
    dials_once: |_| false,
    runs: false,
    dial,
    listen,
};

fn name(address: &Address) -> std::result::Result<&str, Cause> {
    match address.target() {
        Target::Name(name) => Ok(name),
        _ => Err(wrong_target()),
    }
}

fn dial<'a>(address: &'a Address, ctx: &'a Ctx) -> BoxFuture<'a, Result<Conn>> {
    Box::pin(async move {
        let failed = |cause: Cause| Error::new(Op::Dial, cause).on(address.bare_word());
        let name = name(address).map_err(failed)?;
        let link = ctx.memory.dial(address.scheme().shape, name).await;
        link.map(|link| conn(link, address.scheme().name)).ok_or_else(|| failed(Errno::CONNREFUSED.into()))
    })
}

fn listen<'a>(address: &'a Address, ctx: &'a Ctx) -> BoxFuture<'a, Result<Box<dyn Listener>>> {
    let scheme = address.scheme();
    let listened = name(address).and_then(|name| {
        let taken = ctx.memory.listen(scheme.shape, name);
        taken.ok_or_else(|| Errno::ADDRINUSE.into())
    });
    let listened: Result<Box<dyn Listener>> = match listened {
        Ok(name) => {
            let called = format!("{}:{}", scheme.name, address.target());
            Ok(Box::new(MemListener {
                scheme: scheme.name,
                called: called.into(),
                name: Some(name),
                pump: Pump::default(),
            }))
        }
        Err(cause) => Err(Error::new(Op::Listen, cause).on(address.bare_word())),
    };
    Box::pin(std::future::ready(listened))
}

fn conn(link: Link, scheme: &'static str) -> Conn {
    let peer = Peer::new(scheme);
    let Link { carrier, broken } = link;
    match carrier {
        Carrier::Bytes(stream) => Conn::bytes(MemBytes { stream, broken }, peer),
        Carrier::Messages { sending, receiving } => {
            Conn::messages(MemMessages { sending, receiving, broken }, peer, Some(MOST))
        }
    }
}

struct MemListener {
    scheme: &'static str,
    called: Arc<str>,
    /// `None` once it takes nobody any more.
    name: Option<Name>,
    /// Those who were answered without a session; they are connections like the others where sessions are asked for.
    pump: Pump,
}

impl MemListener {
    fn poll_newcomer(&mut self, cx: &mut Context<'_>) -> Poll<Result<Conn>> {
        let Some(name) = &mut self.name else { return Poll::Pending };
        match ready!(name.links.poll_recv(cx)) {
            Some(link) => Poll::Ready(Ok(conn(link, self.scheme))),
            // The network holds a sender for as long as the name is listened on.
            None => Poll::Pending,
        }
    }

    fn poll_answer(&mut self, service: &dyn Datagrams, ctx: &Ctx, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            while self.pump.links.len() < ctx.limits.max_conns
                && let Poll::Ready(taken) = self.poll_newcomer(cx)
            {
                self.pump.links.push(taken?);
            }
            let Pump { links, message, replies } = &mut self.pump;
            let before = links.len();
            links.retain_mut(|link| answer_all(link, service, message, replies, ctx, cx));
            // Somebody left: there is room again, and the listener has to be asked.
            if links.len() == before {
                return Poll::Pending;
            }
        }
    }
}

impl Listener for MemListener {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<Conn>> {
        match self.pump.links.pop() {
            Some(link) => Poll::Ready(Ok(link)),
            None => self.poll_newcomer(cx),
        }
    }

    /// Who dials here is in this process: no rule can be set, and whoever may run it may come in.
    fn guard_with(&mut self, _entrance: Option<Arc<Entrance>>) {}

    fn stop_accepting(&mut self) {
        self.name = None;
    }

    fn locals(&self) -> Vec<Peer> {
        vec![Peer { name: Some(self.called.clone()), ..Peer::new(self.scheme) }]
    }

    fn answer<'a>(
        &'a mut self,
        service: &'a dyn Datagrams,
        ctx: &'a Ctx,
    ) -> Option<BoxFuture<'a, Result<()>>> {
        (self.scheme == MEM_SEQ.grammar.name).then(|| -> BoxFuture<'a, Result<()>> {
            Box::pin(poll_fn(|cx| self.poll_answer(service, ctx, cx)))
        })
    }
}

/// Everybody who dialled, without a session each: a message in, its answers out.
#[derive(Default)]
struct Pump {
    links: Vec<Conn>,
    message: Message,
    replies: Replies,
}

/// Answers what has come over a link; `false` once it has ended.
fn answer_all(
    link: &mut Conn,
    service: &dyn Datagrams,
    message: &mut Message,
    replies: &mut Replies,
    ctx: &Ctx,
    cx: &mut Context<'_>,
) -> bool {
    loop {
        // Where this task has had its turn, sending would seem to find no room: what has come waits for the next.
        if !coop::has_budget_remaining() {
            cx.waker().wake_by_ref();
            return true;
        }
        match link.poll_receive(cx, message) {
            Poll::Pending => return true,
            Poll::Ready(Ok(true)) => {}
            Poll::Ready(Ok(false) | Err(_)) => return false,
        }
        service.answer(message, replies, ctx);
        for reply in replies.iter() {
            let mut sending = pin!(coop::unconstrained(poll_fn(|cx| link.poll_send(cx, reply))));
            #[expect(clippy::let_underscore_must_use, reason = "a datagram that finds no room is lost")]
            let _: Poll<Result<()>> = sending.as_mut().poll(cx);
        }
        replies.clear();
    }
}

struct MemBytes {
    stream: DuplexStream,
    broken: Arc<AtomicBool>,
}

fn reset() -> io::Error {
    Errno::CONNRESET.into()
}

impl Bytes for MemBytes {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut into = ReadBuf::new(buffer);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut into))?;
        let read = into.filled().len();
        Poll::Ready(if read == 0 && self.broken.load(Ordering::Acquire) { Err(reset()) } else { Ok(read) })
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn abort(&mut self) {
        self.broken.store(true, Ordering::Release);
    }
}

struct MemMessages {
    sending: PollSender<Vec<u8>>,
    receiving: mpsc::Receiver<Vec<u8>>,
    broken: Arc<AtomicBool>,
}

impl Messages for MemMessages {
    fn poll_receive(&mut self, cx: &mut Context<'_>, message: &mut Message) -> Poll<io::Result<bool>> {
        match ready!(self.receiving.poll_recv(cx)) {
            Some(payload) => {
                message.payload.extend_from_slice(&payload);
                Poll::Ready(Ok(true))
            }
            None if self.broken.load(Ordering::Acquire) => Poll::Ready(Err(reset())),
            None => Poll::Ready(Ok(false)),
        }
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        Payload { bytes: payload, .. }: Payload<'_>,
    ) -> Poll<io::Result<()>> {
        let gone = |_| io::Error::from(Errno::PIPE);
        ready!(self.sending.poll_reserve(cx)).map_err(gone)?;
        Poll::Ready(self.sending.send_item(payload.to_vec()).map_err(gone))
    }

    fn poll_shutdown_write(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.sending.close();
        Poll::Ready(Ok(()))
    }

    fn abort(&mut self) {
        self.broken.store(true, Ordering::Release);
    }
}
