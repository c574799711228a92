//! One command over datagrams: the client's side of [`sockeye::proto::exec::parts`].

use rustix::rand::{GetRandomFlags, getrandom};
use sockeye::proto::exec::parts::{Id, PATIENCE, Requester};
use sockeye::proto::exec::{ExecError, FromServer, HEAD, Request};
use sockeye::{Conn, Ctx, Message, Op};
use tokio::time::{Instant, sleep_until, timeout};

use super::fault::Fault;
use super::slot::{End, Event};

/// A command that is asked for by datagrams, with all its input at once. Dropping it before its end ends it: a task of
/// [`Ctx::tasks`] tells the server, for a second at most.
#[derive(Debug)]
pub struct Parts {
    /// `None` once it has ended.
    link: Option<Link>,
    /// Data that came and were not taken yet, and where what is left of them begins.
    held: Option<(Vec<u8>, usize)>,
    end: Option<End>,
    ctx: Ctx,
}

/// The way to the server.
#[derive(Debug)]
struct Link {
    conn: Conn,
    requester: Requester,
    since: Instant,
    message: Message,
}

impl Parts {
    /// Asks for a command with this input. It is sent when somebody waits for what it says, and again until the server has
    /// answered; it runs once. An empty token is none.
    ///
    /// # Errors
    /// All that does not fit into one datagram of `conn`.
    pub fn new(conn: Conn, token: &[u8], request: &Request, input: &[u8], ctx: &Ctx) -> Result<Self, Fault> {
        let mut command = Vec::new();
        request.encode(&mut command);
        command.extend_from_slice(input);
        let mut id = Id::default();
        getrandom(&mut id, GetRandomFlags::empty()).map_err(|error| sockeye::Error::new(Op::Dial, error))?;
        let since = Instant::now();
        let requester = Requester::new(id, token, &command, since.elapsed());
        let size = requester.request_len();
        if let Some(most) = conn.max_message().filter(|most| size > *most) {
            return Err(Fault::TooLarge { size, most });
        }
        let link = Some(Link { conn, requester, since, message: Message::default() });
        Ok(Self { link, held: None, end: None, ctx: ctx.clone() })
    }

    /// What happens next; bytes are put into `buffer`, which is not empty. The command waits while nobody asks; where that is
    /// for longer, [`Parts::hold`] is to be waited for meanwhile. After the end, the end is told again. Cancel safe.
    ///
    /// # Errors
    /// The server says nothing any more, or knows nothing of the command, or the connection failed.
    pub async fn next(&mut self, buffer: &mut [u8]) -> Result<Event, Fault> {
        loop {
            if let Some(end) = &self.end {
                if let Some(link) = &mut self.link {
                    // It need not keep the answer any longer. Whether it hears that changes nothing here.
                    link.leave().await;
                    self.link = None;
                }
                return Ok(Event::Ended(end.clone()));
            }
            let Some(link) = &mut self.link else { return Err(Fault::Ended) };
            let come = || link.requester.take(link.since.elapsed()).map(|message| (message, HEAD));
            if let Some(come) = self.held.take().or_else(come) {
                match self.hand_out(come, buffer)? {
                    Some(event) => return Ok(event),
                    None => continue,
                }
            }
            if let Some(message) = link.requester.refusal() {
                self.end = Some(end(&FromServer::decode(message)?.1)?);
                // It remembers nothing.
                self.link = None;
                continue;
            }
            link.step().await?;
        }
    }

    /// Tells the server that we are still there, for as long as it is waited for: who was not heard for
    /// [`SILENCE`](sockeye::proto::exec::parts::SILENCE) is taken to be gone, and the command is ended. Cancel safe.
    pub async fn hold(&mut self) -> Fault {
        let Some(link) = &mut self.link else { return std::future::pending().await };
        loop {
            if let Err(fault) = link.step().await {
                return fault;
            }
        }
    }

    /// What a message says from a place in it on; an end is kept, and nothing is handed out.
    fn hand_out(
        &mut self,
        (message, at): (Vec<u8>, usize),
        buffer: &mut [u8],
    ) -> Result<Option<Event>, Fault> {
        let (_, said) = FromServer::decode(&message)?;
        let (data, event): (_, fn(usize) -> Event) = match said {
            FromServer::Output(data) => (data, Event::Output),
            FromServer::Errors(data) => (data, Event::Errors),
            FromServer::Exit(_) | FromServer::Refused { .. } => {
                self.end = Some(end(&said)?);
                return Ok(None);
            }
            FromServer::Credit(_) | FromServer::Started { .. } | FromServer::Welcome { .. } => {
                return Err(ExecError::Command.into());
            }
        };
        let rest = data.get(at - HEAD..).unwrap_or_default();
        let taken = rest.len().min(buffer.len());
        buffer.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
        if taken < rest.len() {
            self.held = Some((message, at + taken));
        }
        Ok(Some(event(taken)))
    }
}

/// The end that a message tells.
fn end(said: &FromServer<'_>) -> Result<End, Fault> {
    match *said {
        FromServer::Exit(ended) => Ok(ended.into()),
        FromServer::Refused { why, text } => Ok(End::Refused(why, text.into())),
        _ => Err(ExecError::Command.into()),
    }
}

impl Link {
    /// Sends what is due, and waits for a datagram, or until something is due again. Cancel safe: what is lost by that is lost
    /// as on any network.
    async fn step(&mut self) -> Result<(), Fault> {
        while let Some(datagram) = self.requester.transmit(self.since.elapsed())? {
            self.conn.send(datagram).await?;
        }
        tokio::select! {
            biased;
            more = self.conn.receive(&mut self.message) => {
                if !more? {
                    return Err(Fault::Ended);
                }
                self.requester.hear(&self.message.payload, self.since.elapsed())?;
            }
            () = sleep_until(self.since + self.requester.deadline()) => {}
        }
        Ok(())
    }

    /// Tells the server that all was taken, until it knows.
    async fn leave(&mut self) {
        self.requester.leave(self.since.elapsed());
        self.until_left().await;
    }

    /// Tells the server that nothing more is wanted, until it knows.
    async fn give_up(mut self) {
        self.requester.give_up(self.since.elapsed());
        self.until_left().await;
    }

    async fn until_left(&mut self) {
        let left = async { while !self.requester.has_left() && self.step().await.is_ok() {} };
        // Who does not answer finds out by our silence.
        let (Ok(()) | Err(_)) = timeout(PATIENCE, left).await;
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        if let (Some(link), None) = (self.link.take(), &self.end) {
            self.ctx.tasks.spawn(link.give_up());
        }
    }
}
