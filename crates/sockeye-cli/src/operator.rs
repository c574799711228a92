//! The operator of `listen --operator`: whoever sits here sees each message of all peers with a number, and answers by
//! these numbers.

mod numbers;

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use serde_json::json;
use sockeye::proto::printable;
use sockeye::proto::queue::Full;
use sockeye::{BoxFuture, Conn, Ctx, Error, Kind, Message, Op, Peer, Result, Service};
use sockeye_services::{Mailbox, Payload, Posted, exchange};
use tokio::pin;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio_util::sync::PollSender;

use self::numbers::{Nobody, Numbers};
use crate::args::Request;
use crate::exit::Exit;
use crate::failure::{Failure, one_line};
use crate::say;

/// Standard input and output. The longest line that is read is 64 KiB: it is typed.
const HERE: &str = "-,frame=line,max-message=65536";

/// The most bytes of a message that are shown: a peer must not be able to say more than a line of output holds.
const SHOWN: usize = 4096;

/// How many peers may have said something that is not shown yet; then the others wait until it is.
const UNSHOWN: usize = 4;

/// How long, once all peers have left, the last of what they said may take to be shown.
const LAST_LINES: Duration = Duration::from_secs(1);

/// A peer, as those see it who answer.
struct Caller {
    peer: Arc<Peer>,
    mailbox: Mailbox,
}

/// What a peer said since it was last heard.
struct Said {
    by: Arc<Caller>,
    messages: Vec<Payload>,
}

/// Gives the operator what peers say, and peers what the operator says.
pub(crate) struct Callers {
    said: Sender<Said>,
}

impl Service for Callers {
    fn serve<'a>(&'a self, conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let mailbox = Mailbox::new(Full::RefuseNewest);
            let caller = Arc::new(Caller { peer: conn.peer().clone(), mailbox });
            let mut said = PollSender::new(self.said.clone());
            let gone = |_| Error::new(Op::Read, sockeye::Cause::Stopped);
            exchange(
                conn,
                &caller.mailbox,
                |cx, heard| {
                    ready!(said.poll_reserve(cx)).map_err(gone)?;
                    let messages = std::mem::take(heard);
                    said.send_item(Said { by: caller.clone(), messages }).map_err(gone)?;
                    Poll::Ready(Ok(()))
                },
                ctx,
            )
            .await
        })
    }
}

/// Whoever sits at standard input and output.
pub(crate) struct Operator<'a> {
    request: &'a Request,
    here: Conn,
    said: Receiver<Said>,
    numbers: Numbers<Arc<Caller>>,
}

/// Takes standard input and output, and makes the service that brings the operator its callers.
pub(crate) async fn open<'a>(
    request: &'a Request,
    ctx: &Ctx,
) -> std::result::Result<(Operator<'a>, Callers), Failure> {
    let here = sockeye::dial(&sockeye::parse(HERE, &[])?, ctx).await?;
    let (said, heard) = channel(UNSHOWN);
    Ok((Operator { request, here, said: heard, numbers: Numbers::default() }, Callers { said }))
}

impl Operator<'_> {
    /// Shows and answers until `served` is over: all callers have left then. A standard output that nobody reads any
    /// more ends it too.
    pub(crate) async fn attend(
        mut self,
        served: impl Future<Output = std::result::Result<Exit, Failure>>,
        ctx: &Ctx,
    ) -> std::result::Result<Exit, Failure> {
        pin!(served);
        let request = self.request;
        let shown = {
            let showing = self.converse();
            pin!(showing);
            tokio::select! {
                shown = &mut showing => shown,
                exit = &mut served => {
                    // Standard output may be stuck, and the end must not.
                    if timeout(LAST_LINES, showing).await.is_ok() {
                        return exit;
                    }
                    let why = "not all that was said last was shown: standard output is too slow";
                    say::note(request, json!({ "event": "unshown", "why": why }), why);
                    return exit.map(|_| Exit::TimeLimit);
                }
            }
        };
        ctx.stop.drain();
        let exit = served.await?;
        match shown {
            Err(error) if error.kind() != Kind::Reset => Err(error.into()),
            Ok(()) | Err(_) => Ok(exit),
        }
    }

    /// Until all callers have left for good, or standard output fails.
    async fn converse(&mut self) -> Result<()> {
        let (mut line, mut is_input_open) = (Message::default(), true);
        loop {
            tokio::select! {
                said = self.said.recv() => match said {
                    Some(said) => self.show(said).await?,
                    None => return Ok(()),
                },
                typed = self.here.receive(&mut line), if is_input_open => match typed {
                    Ok(true) => self.answer(&line.payload).await,
                    // The callers may talk on, and are shown.
                    Ok(false) => is_input_open = false,
                    Err(error) => {
                        is_input_open = false;
                        let why = match error.kind() {
                            Kind::TooLarge => "a line of more than 64 KiB".to_owned(),
                            _ => one_line(&error),
                        };
                        self.note("input-failed", &format!("{why}: no more answers are read"));
                    }
                }
            }
        }
    }

    async fn show(&mut self, said: Said) -> Result<()> {
        for message in &said.messages {
            let number = self.numbers.add(said.by.clone());
            // What a peer says is one line, also to a program: it could claim to be from another peer otherwise.
            let (start, rest) = message.split_at_checked(SHOWN).unwrap_or((message, &[]));
            let more =
                if rest.is_empty() { String::new() } else { format!(" … and {} bytes more", rest.len()) };
            let line = format!("{number} {}: {}{more}", said.by.peer, printable::line(start));
            poll_fn(|cx| self.here.poll_feed(cx, line.as_bytes())).await?;
        }
        poll_fn(|cx| self.here.poll_flush(cx)).await
    }

    async fn answer(&self, line: &[u8]) {
        let (caller, text) = match self.numbers.read(line) {
            Ok(found) => found,
            Err(Nobody::Forgotten(number)) => {
                return self.note("unanswered", &format!("message {number} is too long ago to be answered"));
            }
            Err(Nobody::Yet) => return self.note("unanswered", "nobody has said anything yet"),
        };
        let answer = [Payload::from(text)];
        let posted = loop {
            match caller.mailbox.post(&answer) {
                Posted::Busy(_) => yield_now().await,
                posted => break posted,
            }
        };
        match posted {
            Posted::All | Posted::Busy(_) => {}
            Posted::Full => {
                self.note("unanswered", &format!("{} reads too slowly, and gets no answer", caller.peer));
            }
            Posted::Gone => self.note("unanswered", &format!("{} has left", caller.peer)),
        }
    }

    fn note(&self, event: &str, text: &str) {
        say::note(self.request, json!({ "event": event, "why": text }), text);
    }
}
