//! Commands over datagrams: the server's side of [`sockeye::proto::exec::parts`].
//!
//! A peer's datagrams are handed to the commands that they are about. Each of these is a task, which says its own parts,
//! and all of them end with the peer's session.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sockeye::proto::exec::parts::{Ack, Answerer, Datagram, DatagramError, Id, PART, Seen};
use sockeye::proto::exec::{Ended, FromServer, HEAD, Refusal, Request, Stream};
use sockeye::{Conn, Ctx, Exit, Message, Peer, Result};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::house::House;
use super::job::{End, Job, Step};
use super::policy::No;
use super::record::Record;
use super::settings::Settings;
use crate::access::key;

/// Commands of one session, with those whose answer is not acknowledged yet. A request beyond is not heard, and comes
/// again.
const MOST: usize = 1024;
/// Datagrams that wait for one command. What finds no room is lost, as on any network.
const HEARD: usize = 16;
/// Datagrams that wait to be sent to a peer; whoever has more waits.
const SAID: usize = 64;
/// The one number of a command in the messages of this wire.
const COMMAND: u32 = 1;

/// What all sessions share.
#[derive(Debug)]
pub(super) struct Desk {
    settings: Arc<Settings>,
    house: Arc<House>,
    /// Beyond a session, since a request that was under way may begin the next one of its peer.
    seen: Mutex<Seen>,
    since: Instant,
}

/// What comes for a command.
#[derive(Debug)]
enum Heard {
    Ack(Ack),
    Drop,
    Request,
}

/// What one command needs to answer.
struct Clerk {
    id: Id,
    desk: Arc<Desk>,
    peer: Arc<Peer>,
    ctx: Ctx,
    heard: mpsc::Receiver<Heard>,
    say: mpsc::Sender<Vec<u8>>,
}

/// The commands of a peer.
struct Session {
    desk: Arc<Desk>,
    peer: Arc<Peer>,
    ctx: Ctx,
    commands: HashMap<Id, mpsc::Sender<Heard>>,
    tasks: JoinSet<Id>,
    say: mpsc::Sender<Vec<u8>>,
}

impl Desk {
    pub(super) fn new(settings: Arc<Settings>, house: Arc<House>) -> Arc<Self> {
        Arc::new(Self { settings, house, seen: Mutex::default(), since: Instant::now() })
    }

    fn now(&self) -> Duration {
        self.since.elapsed()
    }

    /// Whether a command is asked for by this id for the first time.
    fn is_new(&self, id: &Id) -> bool {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).is_new(id, self.now())
    }

    /// Serves a peer, until we are to hurry: datagrams have no end. Where it is dropped, its commands are ended.
    pub(super) async fn serve(self: &Arc<Self>, mut conn: Conn, ctx: &Ctx) -> Result<()> {
        let peer = conn.peer().clone();
        let ctx = Ctx { caller: Some(peer.clone()), ..ctx.clone() };
        let (say, mut said) = mpsc::channel(SAID);
        let (commands, tasks) = (HashMap::new(), JoinSet::new());
        let mut session = Session { desk: self.clone(), peer, ctx: ctx.clone(), commands, tasks, say };
        let mut message = Message::default();
        let mut hurried = pin!(ctx.stop.hurried());
        loop {
            tokio::select! {
                biased;
                () = &mut hurried => return Ok(()),
                Some(done) = session.tasks.join_next() => {
                    if let Ok(id) = done {
                        session.commands.remove(&id);
                    }
                }
                Some(datagram) = said.recv() => conn.send(&datagram).await?,
                more = conn.receive(&mut message) => {
                    if !more? {
                        return Ok(());
                    }
                    if let Some(answer) = session.hear(&message.payload) {
                        conn.send(&answer).await?;
                    }
                }
            }
        }
    }
}

impl Session {
    /// Takes in a datagram, and says what is to be said to it at once.
    fn hear(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (id, datagram) = match Datagram::read(bytes) {
            Ok(read) => read,
            Err(error @ DatagramError::Version { id, .. }) => {
                let no = No::new(Refusal::Malformed, error.to_string());
                return Some(Datagram::Refused { message: &refusal(&no) }.bytes(&id));
            }
            // Whoever speaks something else is not answered: that may be a page, which has others send it to us.
            Err(_) => return None,
        };
        let heard = match datagram {
            Datagram::Ack(ack) => Heard::Ack(ack),
            Datagram::Drop => Heard::Drop,
            Datagram::Request { .. } => Heard::Request,
            // These are a server's.
            Datagram::Gone | Datagram::Part { .. } | Datagram::Refused { .. } | Datagram::Taken => {
                return None;
            }
        };
        match (self.commands.get(&id), datagram) {
            (Some(command), _) => {
                // A command that has just ended, or is slow to hear: the client says it again.
                let (Ok(()) | Err(_)) = command.try_send(heard);
                None
            }
            (None, Datagram::Request { token, command }) => {
                self.begin(id, token, command);
                None
            }
            (None, Datagram::Ack(Ack { asks: true, .. })) => Some(Datagram::Gone.bytes(&id)),
            (None, Datagram::Drop) => {
                // Its request may have been overtaken: it is not to run any more.
                self.desk.is_new(&id);
                Some(Datagram::Gone.bytes(&id))
            }
            (None, _) => None,
        }
    }

    fn begin(&mut self, id: Id, token: &[u8], command: &[u8]) {
        if self.commands.len() >= MOST {
            return;
        }
        let (hear, heard) = mpsc::channel(HEARD);
        let (desk, peer, ctx) = (self.desk.clone(), self.peer.clone(), self.ctx.clone());
        let clerk = Clerk { id, desk, peer, ctx, heard, say: self.say.clone() };
        let (token, command) = (token.to_vec(), command.to_vec());
        self.commands.insert(id, hear);
        self.tasks.spawn(async move {
            clerk.attend(&token, &command).await;
            id
        });
    }
}

impl Clerk {
    /// Sees to a command from its request to the last acknowledgement of its answer.
    async fn attend(mut self, token: &[u8], command: &[u8]) {
        let request = match self.admit(token, command).await {
            Ok(request) => request,
            Err(no) => {
                return self.say(Datagram::Refused { message: &refusal(&no) }.bytes(&self.id)).await;
            }
        };
        if !self.desk.is_new(&self.id) {
            return self.say(Datagram::Gone.bytes(&self.id)).await;
        }
        let mut answerer = Answerer::new(self.id, self.desk.now());
        let job = match self.start(request).await {
            Ok(job) => Some(job),
            Err(no) => {
                answerer.end(&refusal(&no));
                None
            }
        };
        self.answer(answerer, job).await;
        self.say(Datagram::Gone.bytes(&self.id)).await;
    }

    /// Reads the request, and whether its peer may ask.
    async fn admit(&self, token: &[u8], command: &[u8]) -> std::result::Result<(Request, Vec<u8>), No> {
        let (request, input) =
            Request::decode(command).map_err(|error| No::new(Refusal::Malformed, error.to_string()))?;
        let token = Some(token).filter(|token| !token.is_empty());
        if let Err(denied) = self.desk.settings.access.admit(&self.peer, token, &self.ctx).await {
            let no = No::new(Refusal::NotPermitted, denied.to_string());
            Record::new(&self.ctx.events, &self.peer, None).refuse(&no.text);
            return Err(no);
        }
        Ok((request, input.to_vec()))
    }

    async fn start(&self, (request, input): (Request, Vec<u8>)) -> std::result::Result<Job, No> {
        let mut record = Record::new(&self.ctx.events, &self.peer, Some(&request.what));
        let Desk { house, settings, .. } = &*self.desk;
        let allowed = if request.terminal.is_some() {
            Err(No::new(Refusal::NotPermitted, "a terminal needs a connection, such as tcp: or unix:"))
        } else {
            house.admit(request, key(&self.peer), &settings.policy, &self.ctx)
        };
        let (program, place) = allowed.inspect_err(|no| record.refuse(&no.text))?;
        Job::start(program, input, (place, record), settings, &self.ctx).await
    }

    /// Gives out the answer.
    async fn answer(&mut self, mut answerer: Answerer, mut job: Option<Job>) {
        loop {
            while let Some(datagram) = answerer.transmit() {
                let datagram = datagram.to_vec();
                self.say(datagram).await;
            }
            let given_up =
                if answerer.is_deserted(self.desk.now()) { Some("the client is gone") } else { None };
            if given_up.is_some() || answerer.is_over() {
                return job.into_iter().for_each(|job| job.give_up(given_up.unwrap_or_default()));
            }
            let deadline = self.desk.since + answerer.deadline();
            let room = if answerer.has_room() { PART - HEAD } else { 0 };
            let mut part = Vec::new();
            tokio::select! {
                biased;
                heard = self.heard.recv() => match heard {
                    Some(Heard::Ack(ack)) => answerer.hear(ack, self.desk.now()),
                    Some(Heard::Request) => answerer.hear_request(self.desk.now()),
                    Some(Heard::Drop) | None => {
                        return job.into_iter().for_each(|job| job.give_up("the client wanted no more of it"));
                    }
                },
                step = step(&mut job, room, &mut part) => match step {
                    Step::Said => answerer.push(&part),
                    Step::Ended(end) => {
                        job = None;
                        if !part.is_empty() {
                            answerer.push(&part);
                        }
                        answerer.end(&ending(&end));
                    }
                },
                () = sleep_until(deadline) => {}
            }
        }
    }

    /// Has a datagram sent. Whose session is over says nothing more, and is about to be ended.
    async fn say(&self, datagram: Vec<u8>) {
        let (Ok(()) | Err(_)) = self.say.send(datagram).await;
    }
}

/// The next step of a command that runs; of none there is never one. What it says is put into `part`, as a message.
async fn step(job: &mut Option<Job>, room: usize, part: &mut Vec<u8>) -> Step {
    let Some(job) = job else { return std::future::pending().await };
    job.step(room, |stream, bytes| {
        part.extend(if stream == Stream::Errors { stream } else { Stream::Output }.head(COMMAND));
        part.extend_from_slice(bytes);
    })
    .await
}

fn refusal(no: &No) -> Vec<u8> {
    message(&FromServer::Refused { why: no.why, text: &no.text })
}

fn ending(end: &End) -> Vec<u8> {
    message(&FromServer::Exit(match end {
        End::Exited(Exit::Code(code)) => Ended::Exited(*code),
        End::Exited(Exit::Signal(signal)) => Ended::Signalled(*signal),
        End::Limit(text) => Ended::Limit(text),
    }))
}

fn message(said: &FromServer<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Sentences of ours, which are far shorter than a message may be.
    let (Ok(()) | Err(_)) = said.encode(COMMAND, &mut bytes);
    bytes
}
