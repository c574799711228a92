//! `reconnect=`: dialling again where nobody answers, and going on over a new connection where one was lost.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::Duration;

use sockeye_proto::address::{Address, Value};
use sockeye_proto::retry::Retry;
use sockeye_proto::shape::Shape;
use sockeye_proto::websocket::Close;
use tokio::time::{Instant, sleep};

use super::Way;
use crate::conn::{Bytes, Conn, Io, Messages};
use crate::ctx::Ctx;
use crate::error::{Error, Op, Result};
use crate::event::{Event, Wants};
use crate::lent::Direction;
use crate::message::{Message, Payload};
use crate::service::BoxFuture;

/// For how long `reconnect=` of an address has it tried again; `None` where it is not.
pub(super) fn limit(address: &Address) -> Option<Duration> {
    match address.options().value("reconnect") {
        Some(Value::Time(limit)) => *limit,
        _ => None,
    }
}

/// Dials until somebody answers, and for as long as what keeps them from it may pass. Cancel safe.
pub(super) async fn dial(way: &Arc<Way>, limit: Duration, ctx: &Ctx) -> Result<Conn> {
    let epoch = Instant::now();
    let mut tries = Box::new(Tries {
        way: way.clone(),
        ctx: ctx.clone(),
        retry: Retry::new(limit, Duration::ZERO),
        epoch,
    });
    let conn = match way.dial(ctx).await {
        Err(error) if error.may_pass() => tries.dial_again(error).await?,
        dialled => dialled?,
    };
    let shape = conn.shape();
    Ok(conn.replaced(|conn| {
        let lasting = Lasting { state: State::open(conn, tries), is_ended: false, waiting: Arc::default() };
        match shape {
            Shape::Bytes => Io::Bytes(Box::new(lasting)),
            Shape::Messages => Io::Messages(Box::new(lasting)),
        }
    }))
}

/// What it takes to dial again.
struct Tries {
    way: Arc<Way>,
    ctx: Ctx,
    retry: Retry,
    /// What the time of `retry` counts from.
    epoch: Instant,
}

impl Tries {
    /// Dials after each wait, until somebody answers; fails with the last reason once the limit has run out, a stop is
    /// asked for, or for a reason that will not pass.
    async fn dial_again(&mut self, mut error: Error) -> Result<Conn> {
        loop {
            let Some(wait) = self.retry.wait(self.epoch.elapsed(), chance()) else { return Err(error) };
            self.ctx.events.tell(Wants::Trouble, || Event::Retrying {
                address: self.way.address.bare_word().into(),
                attempt: self.retry.waits(),
                wait,
                error: error.clone(),
            });
            let attempt = async {
                sleep(wait).await;
                self.way.dial(&self.ctx).await
            };
            let dialled = tokio::select! {
                dialled = attempt => dialled,
                () = self.ctx.stop.draining() => return Err(error),
            };
            match dialled {
                Ok(conn) => {
                    self.ctx.events.tell(Wants::Trouble, || Event::Reached {
                        address: self.way.address.bare_word().into(),
                        attempts: self.retry.waits(),
                        after: self.retry.lasted(self.epoch.elapsed()),
                    });
                    return Ok(conn);
                }
                Err(next) if next.may_pass() => error = next,
                Err(next) => return Err(next),
            }
        }
    }
}

fn chance() -> u32 {
    let [a, b, c, d, ..] = RandomState::new().hash_one(()).to_ne_bytes();
    u32::from_ne_bytes([a, b, c, d])
}

/// A connection that outlasts those beneath it.
///
/// It is never bare, and never hung up: what moves bytes past it would not notice that one was lost.
struct Lasting {
    state: State,
    /// We have told the other side that no more will come: its end is then an end.
    is_ended: bool,
    waiting: Arc<Waiting>,
}

enum State {
    Open {
        conn: Conn,
        tries: Box<Tries>,
        /// When, since the epoch of `tries`.
        since: Duration,
    },
    Dialling(BoxFuture<'static, (Result<Conn>, Box<Tries>)>),
    /// Not to be had any more; why is told once.
    Over(Option<Error>),
}

impl State {
    fn open(conn: Conn, tries: Box<Tries>) -> Self {
        let since = tries.epoch.elapsed();
        Self::Open { conn, tries, since }
    }
}

impl Lasting {
    /// Makes a call on the connection that is there, and where that finds it lost, on the next. `is_end` says whether
    /// what the call gave is the end of the other side.
    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut call: impl FnMut(&mut Conn, &mut Context<'_>) -> Poll<Result<T>>,
        is_end: impl Fn(&T) -> bool,
    ) -> Poll<io::Result<T>> {
        let is_ended = self.is_ended;
        loop {
            self.waiting.note(direction, cx.waker());
            let conn = ready!(self.poll_open())?;
            let error = match ready!(call(conn, cx)) {
                Ok(given) if is_ended || !is_end(&given) => return Poll::Ready(Ok(given)),
                Ok(_) => ended(conn),
                Err(error) if is_ended || !error.may_pass() => return Poll::Ready(Err(error.into())),
                Err(error) => error,
            };
            self.lose(error);
        }
    }

    /// The connection that is there, as soon as there is one.
    fn poll_open(&mut self) -> Poll<io::Result<&mut Conn>> {
        if let State::Dialling(dialling) = &mut self.state {
            let waker = Waker::from(self.waiting.clone());
            let (dialled, tries) = ready!(dialling.as_mut().poll(&mut Context::from_waker(&waker)));
            self.state = match dialled {
                Ok(conn) => State::open(conn, tries),
                Err(error) => State::Over(Some(error)),
            };
            waker.wake();
        }
        Poll::Ready(match &mut self.state {
            State::Open { conn, .. } => Ok(conn),
            State::Over(why) => {
                Err(why.take().map_or_else(|| io::ErrorKind::NotConnected.into(), io::Error::from))
            }
            State::Dialling(_) => return Poll::Pending,
        })
    }

    fn lose(&mut self, error: Error) {
        let State::Open { conn, mut tries, since } = std::mem::replace(&mut self.state, State::Over(None))
        else {
            return;
        };
        drop(conn);
        tries.retry.lose(since, tries.epoch.elapsed());
        self.state = State::Dialling(Box::pin(async move {
            let dialled = tries.dial_again(error).await;
            (dialled, tries)
        }));
        self.waiting.clone().wake();
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.waiting.note(Direction::Write, cx.waker());
        let conn = ready!(self.poll_open())?;
        ready!(conn.poll_shutdown_write(cx))?;
        self.is_ended = true;
        Poll::Ready(Ok(()))
    }

    fn end(&mut self) {
        match &mut self.state {
            State::Open { conn, .. } => conn.abort(),
            State::Dialling(_) | State::Over(_) => self.state = State::Over(None),
        }
    }
}

/// What an end that comes before ours is told as.
fn ended(conn: &Conn) -> Error {
    conn.failed(Op::Read, io::Error::new(io::ErrorKind::UnexpectedEof, "it has ended"))
}

impl Bytes for Lasting {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll(cx, Direction::Read, |conn, cx| conn.poll_read(cx, buffer), |read| *read == 0)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll(cx, Direction::Write, |conn, cx| conn.poll_write(cx, bytes), |_| false)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, Direction::Write, Conn::poll_flush, |()| false)
    }

    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_end(cx)
    }

    fn abort(&mut self) {
        self.end();
    }
}

/// Nothing is held back ([`Messages::poll_feed`]): it would be lost with the connection, and could not be sent again.
impl Messages for Lasting {
    fn poll_receive(&mut self, cx: &mut Context<'_>, message: &mut Message) -> Poll<io::Result<bool>> {
        self.poll(cx, Direction::Read, |conn, cx| conn.poll_receive(cx, message), |more| !more)
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, message: Payload<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, Direction::Write, |conn, cx| conn.poll_send(cx, message), |()| false)
    }

    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_end(cx)
    }

    fn closing(&self) -> Option<Close> {
        match &self.state {
            State::Open { conn, .. } => conn.closing(),
            State::Dialling(_) | State::Over(_) => None,
        }
    }

    fn set_closing(&mut self, close: &Close) {
        if let State::Open { conn, .. } = &mut self.state {
            conn.set_closing(close);
        }
    }

    fn abort(&mut self) {
        self.end();
    }
}

/// Who waits for the connection, at most one each way: all of them must hear that it is lost, and that it is there again,
/// whichever of them found out.
#[derive(Default)]
struct Waiting(Mutex<[Option<Waker>; 2]>);

impl Waiting {
    fn note(&self, direction: Direction, waker: &Waker) {
        let [reader, writer] = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = match direction {
            Direction::Read => reader,
            Direction::Write => writer,
        };
        match place {
            Some(noted) => noted.clone_from(waker),
            None => *place = Some(waker.clone()),
        }
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        let waiting = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.into_iter().flatten().for_each(Waker::wake);
    }
}
