//! One command over datagrams: the client's side of [`sockeye::proto::exec::parts`].

use std::task::{Context, Poll, Waker};

use rustix::rand::{GetRandomFlags, getrandom};
use sockeye::proto::exec::parts::{Id, Requester};
use sockeye::proto::exec::{ExecError, FromServer, HEAD, Request};
use sockeye::{Conn, Message, Op};
use tokio::time::{Instant, sleep_until};

use super::fault::Fault;
use super::slot::{End, Event};

/// How often a server is told that a command is not wanted any more: nobody is here to hear whether it knows.
const FAREWELLS: usize = 3;

/// A command that is asked for by datagrams, with all its input at once. Dropping it before its end ends it.
#[derive(Debug)]
pub struct Parts {
    conn: Conn,
    requester: Requester,
    since: Instant,
    message: Message,
    /// Data that came and were not taken yet, and where what is left of them begins.
    held: Option<(Vec<u8>, usize)>,
    end: Option<End>,
}

impl Parts {
    /// Asks for a command with this input. It is sent when somebody waits for what it says, and again until the server has
    /// answered; it runs once. An empty token is none.
    ///
    /// # Errors
    /// All that does not fit into one datagram of `conn`.
    pub fn new(conn: Conn, token: &[u8], request: &Request, input: &[u8]) -> Result<Self, Fault> {
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
        Ok(Self { conn, requester, since, message: Message::default(), held: None, end: None })
    }

    /// What happens next; bytes are put into `buffer`, which is not empty. The command waits while nobody asks. After the
    /// end, the end is told again. Cancel safe.
    ///
    /// # Errors
    /// The server says nothing any more, or knows nothing of the command, or the connection failed.
    pub async fn next(&mut self, buffer: &mut [u8]) -> Result<Event, Fault> {
        loop {
            if let Some(event) = self.take(buffer)? {
                if self.end.is_some() {
                    // The server need not keep the answer any longer. Whether it hears that changes nothing here.
                    let (Ok(()) | Err(_)) = self.send().await;
                }
                return Ok(event);
            }
            self.send().await?;
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
        }
    }

    /// What has come already.
    fn take(&mut self, buffer: &mut [u8]) -> Result<Option<Event>, Fault> {
        if let Some(end) = &self.end {
            return Ok(Some(Event::Ended(end.clone())));
        }
        let (message, at) = match self.held.take() {
            Some(held) => held,
            None => match self.requester.take(self.since.elapsed()) {
                Some(message) => (message, HEAD),
                None => return self.refused(),
            },
        };
        let (_, said) = FromServer::decode(&message)?;
        let (data, event): (_, fn(usize) -> Event) = match said {
            FromServer::Output(data) => (data, Event::Output),
            FromServer::Errors(data) => (data, Event::Errors),
            FromServer::Exit(ended) => return Ok(Some(self.finish(ended.into()))),
            FromServer::Refused { why, text } => {
                return Ok(Some(self.finish(End::Refused(why, text.into()))));
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

    /// That the server did not run it, where it said so.
    fn refused(&mut self) -> Result<Option<Event>, Fault> {
        let Some(message) = self.requester.refusal() else { return Ok(None) };
        let (_, FromServer::Refused { why, text }) = FromServer::decode(message)? else {
            return Err(ExecError::Command.into());
        };
        let end = End::Refused(why, text.into());
        self.end = Some(end.clone());
        Ok(Some(Event::Ended(end)))
    }

    fn finish(&mut self, end: End) -> Event {
        self.requester.finish();
        self.end = Some(end.clone());
        Event::Ended(end)
    }

    /// Sends what is due. What is lost by being dropped here is lost as on any network.
    async fn send(&mut self) -> Result<(), Fault> {
        while let Some(datagram) = self.requester.transmit(self.since.elapsed())? {
            self.conn.send(datagram).await?;
        }
        Ok(())
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        if self.end.is_some() {
            return;
        }
        let datagram = self.requester.drop_it();
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..FAREWELLS {
            let (Poll::Ready(Ok(()) | Err(_)) | Poll::Pending) = self.conn.poll_send(&mut cx, &datagram);
        }
    }
}
