//! What happens, as typed events: the log, `-v`, `--json`, metrics and tests all read these.
//!
//! Telling never waits: a subscriber that falls behind loses events, is told how many, and nobody else is slower.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use sockeye_proto::admission::Refusal;
use sockeye_proto::fault::Deeds;
use tokio::sync::mpsc;

use crate::backlog::Waiting;
use crate::error::{Error, Kind, Op};
use crate::exit::Exit;
use crate::message::Content;
use crate::peer::Peer;

pub use sockeye_proto::way::Way;

/// Something that happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A listener could not take a connection, and pauses. Told when it begins, not at every try.
    AcceptFailed {
        /// Which service, and where.
        listener: Arc<str>,
        /// Why.
        error: Error,
    },
    /// A listener takes connections again.
    AcceptResumed {
        /// Which service, and where.
        listener: Arc<str>,
        /// How often it failed meanwhile.
        failures: u64,
    },
    /// A service that tells the time has its clients know that they are not to set a clock by it. Told when that
    /// begins, or the first of them asks.
    ClockDoubted {
        /// The server that was asked how the clock is doing; `None` where the kernel was.
        keeper: Option<Arc<str>>,
        /// Why.
        why: Doubt,
    },
    /// Clients may set their clocks by a service again.
    ClockTrusted {
        /// As in [`Event::ClockDoubted`].
        keeper: Option<Arc<str>>,
    },
    /// A connection is over.
    Closed {
        /// Its number in this process.
        id: u64,
        /// The other end.
        peer: Arc<Peer>,
        /// Bytes that came from it, above all layers.
        received: u64,
        /// Bytes that went to it, above all layers.
        sent: u64,
        /// How long it was open.
        lasted: Duration,
        /// How it ended.
        ended: Ended,
    },
    /// Datagrams were lost on a socket. Told at once, and then at most once a second.
    Dropped {
        /// The socket: where it listens, or to whom it leads.
        socket: Arc<str>,
        /// How many, since this was last told of it.
        dropped: Dropped,
    },
    /// A command has ended, by itself or because it was asked to.
    Exited {
        /// The address that started it.
        command: Arc<str>,
        /// The peer for whose connection it was started, where there is one.
        caller: Option<Arc<Peer>>,
        /// How it ended.
        exit: Exit,
    },
    /// What the faults of `fault=` did to a connection that is over; not told where that is nothing.
    Faulted {
        /// The other end.
        peer: Arc<Peer>,
        /// To what came from it.
        came: Deeds,
        /// To what went to it.
        went: Deeds,
    },
    /// Faults are put on the connections of an address, and chance decides about some: the seed was chosen here, since
    /// the address has no `seed=`.
    Faults {
        /// The address.
        address: Arc<str>,
        /// What repeats them as `seed=`.
        seed: u64,
    },
    /// The certificate that listeners without one of their own show could not be kept, and is forgotten when this process
    /// ends. Told when it is made.
    IdentityUnkept {
        /// Why.
        error: Error,
    },
    /// This subscriber was too slow, and missed so many events.
    Lost {
        /// How many.
        events: u64,
    },
    /// A message went over a connection. Told only to those who asked for messages.
    Message {
        /// The other end.
        peer: Arc<Peer>,
        /// Which way.
        way: Way,
        /// The bytes of one read or one message, but at most the first [`SHOWN`]: what waits to be told is bounded.
        payload: Arc<[u8]>,
        /// How many bytes there were.
        size: usize,
        /// Text or not.
        content: Content,
    },
    /// Messages did not reach a peer, which stays connected. Told at the first, and for all further ones together when
    /// the connection ends.
    Missed {
        /// The other end.
        peer: Arc<Peer>,
        /// How many.
        messages: u64,
        /// Why the last of them was not.
        error: Error,
    },
    /// A connection was accepted.
    Opened {
        /// Its number in this process.
        id: u64,
        /// Which service, and where.
        listener: Arc<str>,
        /// The other end.
        peer: Arc<Peer>,
    },
    /// A command that a peer asked a service for is over, or was refused: what there is to know of it, once.
    Ran {
        /// Who asked for it.
        peer: Arc<Peer>,
        /// Its words, as a shell would read them, or its line for a shell; of a long one the beginning. Empty where a peer was
        /// refused before it asked for any.
        command: Arc<str>,
        /// Bytes that came for it to read.
        received: u64,
        /// Bytes that it said and that went to the peer.
        sent: u64,
        /// How long it ran; nothing where it did not.
        lasted: Duration,
        /// How it came out.
        outcome: Outcome,
    },
    /// A connection is open that was tried more than once, or was lost: `reconnect=`.
    Reached {
        /// What was dialled.
        address: Arc<str>,
        /// How often it was tried again.
        attempts: u32,
        /// How long that took, since it was first tried, or lost.
        after: Duration,
    },
    /// A listener has refused newcomers. The first is told at once, and others at most once a second, those of one reason
    /// together.
    Refused {
        /// Where it listens.
        listener: Arc<str>,
        /// The last of them.
        peer: Arc<Peer>,
        /// Why.
        why: Refusal,
        /// How many, since this reason was last told.
        newcomers: u64,
    },
    /// A connection could not be opened, or was lost, and is tried again: `reconnect=`. Of one that was lost, which
    /// [`Error::op`] tells, the bytes that were sent last may not have arrived.
    Retrying {
        /// What is dialled.
        address: Arc<str>,
        /// Which further try it will be, from 1 on.
        attempt: u32,
        /// How long until then.
        wait: Duration,
        /// Why.
        error: Error,
    },
    /// A command with `stderr=log` said something on its standard error.
    Said {
        /// The address that started it.
        command: Arc<str>,
        /// The peer for whose connection it was started, where there is one.
        caller: Option<Arc<Peer>>,
        /// A line without its end, or a piece of at most [`SHOWN`] bytes of a longer one.
        line: Arc<[u8]>,
    },
    /// A listener refuses newcomers, and lets those inside finish.
    Stopping {
        /// Which service, and where.
        listener: Arc<str>,
        /// How many are inside.
        open: usize,
        /// Whether other listeners go on: they were not asked to stop.
        alone: bool,
    },
    /// Something was seen on a connection whose address asks for it (`log=`). It is told to every subscriber, and the
    /// connection waits while too much of it is not yet dropped.
    Traffic {
        /// The other end.
        peer: Arc<Peer>,
        /// When.
        at: SystemTime,
        /// How it is to be shown.
        style: Style,
        /// What.
        seen: Seen,
    },
    /// Messages could not be passed on, and the connection goes on without them. The first is told at once, and others
    /// of the same connection at most once a second.
    Undelivered {
        /// Who sent it.
        from: Arc<Peer>,
        /// Who was to get it.
        to: Arc<Peer>,
        /// How many, since this was last told of them.
        messages: u64,
        /// Why the last of them.
        error: Error,
    },
    /// A file that a connection is recorded in cannot be written. The connection goes on, and nothing more is written there
    /// while this program runs.
    Unrecorded {
        /// Which file, and why.
        error: Error,
    },
    /// An address says that its peer may be anybody: `verify=no`. Told when the address is made ready.
    Unverified {
        /// The address.
        address: Arc<str>,
    },
}

/// Why clients of a service are not to set a clock by it.
#[derive(Debug, Clone)]
pub enum Doubt {
    /// The server that is asked about the clock refuses to say.
    Denied,
    /// It does not answer, and why, where that is known.
    Silent(Option<Error>),
    /// Nobody keeps the clock, as far as who is asked knows.
    Unsynchronised,
}

/// How a command came out that a peer had asked for.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It was ended, for this reason: a limit ran out, or the peer is gone.
    Ended(Arc<str>),
    /// It ended by itself, or by a signal.
    Exited(Exit),
    /// It did not run, for this reason.
    Refused(Arc<str>),
}

/// What was seen on a connection.
#[derive(Debug, Clone)]
pub enum Seen {
    /// It began.
    Opened,
    /// Bytes, as one read or write moved them.
    Bytes {
        /// Which way.
        way: Way,
        /// The bytes.
        bytes: Arc<Waiting>,
        /// How many went that way before them.
        offset: u64,
    },
    /// A whole message.
    Message {
        /// Which way.
        way: Way,
        /// The message.
        bytes: Arc<Waiting>,
        /// Text or not.
        content: Content,
        /// Whether its end was cut off.
        cut: bool,
    },
    /// Nothing more will go that way: the one who sends there has said so.
    Ended(Way),
    /// It broke off, as was seen when something was to go that way.
    Failed(Way, Arc<str>),
    /// It is closed on our side.
    Closed {
        /// We broke it off, which the peer can tell from an end where the scheme has a way to tell it.
        aborted: bool,
    },
}

/// How bytes are to be shown to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Style {
    /// In hexadecimal, 16 a line, with their ASCII beside them.
    Hex,
    /// As lines of text.
    Text,
}

impl Event {
    /// What programs call it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::AcceptFailed { .. } => "accept-failed",
            Self::AcceptResumed { .. } => "accept-resumed",
            Self::ClockDoubted { .. } => "clock-doubted",
            Self::ClockTrusted { .. } => "clock-trusted",
            Self::Closed { .. } => "closed",
            Self::Dropped { .. } => "dropped",
            Self::Exited { .. } => "exited",
            Self::Faulted { .. } => "faulted",
            Self::Faults { .. } => "faults",
            Self::IdentityUnkept { .. } => "identity-unkept",
            Self::Lost { .. } => "lost",
            Self::Message { .. } => "message",
            Self::Missed { .. } => "missed",
            Self::Opened { .. } => "opened",
            Self::Ran { .. } => "ran",
            Self::Reached { .. } => "reached",
            Self::Refused { .. } => "refused",
            Self::Retrying { .. } => "retrying",
            Self::Said { .. } => "said",
            Self::Stopping { .. } => "stopping",
            Self::Traffic { .. } => "traffic",
            Self::Undelivered { .. } => "undelivered",
            Self::Unrecorded { .. } => "unrecorded",
            Self::Unverified { .. } => "unverified",
        }
    }
}

/// Datagrams that did not arrive whole where they should, by why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// The kernel had no room for them: `rcvbuf=` sets how much there is. What a peer's kernel or ours has joined to one
    /// (UDP_SEGMENT, UDP_GRO) counts as one, where sessions or who dials hear it.
    pub by_kernel: u64,
    /// Their end was cut off.
    pub cut: u64,
    /// They were not of the protocol of the service, or nothing that it answers.
    pub foreign: u64,
    /// `allow=`, `deny=`, `max-per-peer=` or `rate-conns=` keeps their sender out.
    pub kept_out: u64,
    /// Their peer is beyond this machine and private networks: it was not heard, or asked too often, or would have got
    /// more than it sent.
    pub outsiders: u64,
    /// The queue of their peer, or of all peers, was full.
    pub queue_full: u64,
    /// They came from a newcomer for whom there was no room: `max-conns=`.
    pub refused: u64,
    /// Their sender asked more often than the service allows.
    pub too_often: u64,
    /// Their connection was over before anybody read them.
    pub unread: u64,
    /// They were answers that the kernel did not take.
    pub unsent: u64,
}

impl Dropped {
    /// Adds the counts of another.
    pub(crate) fn add(&mut self, more: &Self) {
        self.by_kernel += more.by_kernel;
        self.cut += more.cut;
        self.foreign += more.foreign;
        self.kept_out += more.kept_out;
        self.outsiders += more.outsiders;
        self.queue_full += more.queue_full;
        self.refused += more.refused;
        self.too_often += more.too_often;
        self.unread += more.unread;
        self.unsent += more.unsent;
    }

    /// Every count, with the name of its field.
    pub fn counts(&self) -> [(&'static str, u64); 10] {
        let Self { by_kernel, cut, foreign, kept_out, outsiders, queue_full, refused, .. } = *self;
        let Self { too_often, unread, unsent, .. } = *self;
        [
            ("by_kernel", by_kernel),
            ("cut", cut),
            ("foreign", foreign),
            ("kept_out", kept_out),
            ("outsiders", outsiders),
            ("queue_full", queue_full),
            ("refused", refused),
            ("too_often", too_often),
            ("unread", unread),
            ("unsent", unsent),
        ]
    }
}

/// The most bytes of a message that are told.
pub const SHOWN: usize = 4096;

/// How a connection ended.
#[derive(Debug, Clone)]
pub enum Ended {
    /// The service was done with it.
    Done,
    /// It failed.
    Failed(Error),
    /// The service panicked: a fault of ours, which touched no other connection.
    Panicked,
    /// It was refused once it had shown its certificate, of which [`Event::Refused`] tells.
    Refused(Refusal),
    /// It was still open when the last limit of the stop ran out.
    Stopped,
}

impl Ended {
    /// Whether it is more than the end of one connection: a peer that breaks off is no trouble, and a server meets
    /// thousands of them.
    pub(crate) fn is_trouble(&self) -> bool {
        match self {
            Self::Failed(error) => error.kind() != Kind::Reset || !matches!(error.op(), Op::Read | Op::Write),
            Self::Panicked => true,
            Self::Done | Self::Refused(_) | Self::Stopped => false,
        }
    }
}

/// What a subscriber wants to hear of; each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wants {
    /// Listeners that cannot accept, refuse somebody or are stopping, an identity that cannot be kept, peers that are not
    /// verified, messages that were lost, the seed of faults, connections that are opened anew or come to a bad end which was
    /// not their peer's breaking off, commands that peers ask for, what commands say on their standard error, and what goes over connections whose
    /// address asks for that (`log=`).
    Trouble,
    /// Every connection that begins and ends, what faults did to it, and every command that ends.
    Connections,
    /// Every message.
    Messages,
}

/// The subscribers. Cloning is cheap.
#[derive(Debug, Clone, Default)]
pub struct Events {
    subscribers: Arc<[Subscriber]>,
    /// Set where messages are told to nobody, whoever asked for them.
    no_messages: bool,
    /// How many connections were numbered.
    numbered: Arc<AtomicU64>,
    /// How many events were lost, over all subscribers.
    lost: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Subscriber {
    queue: mpsc::Sender<Event>,
    wants: Wants,
    lost: AtomicU64,
}

impl Events {
    /// Adds a subscriber whose queue holds `room` events; those that find it full are lost, and counted.
    ///
    /// Whoever holds a clone that was made before does not tell it anything: subscribe first.
    pub fn subscribe(&mut self, room: usize, wants: Wants) -> mpsc::Receiver<Event> {
        let (queue, events) = mpsc::channel(room);
        let others = self.subscribers.iter().map(|other| Subscriber {
            queue: other.queue.clone(),
            wants: other.wants,
            lost: AtomicU64::new(other.lost.load(Ordering::Relaxed)),
        });
        self.subscribers = others.chain([Subscriber { queue, wants, lost: AtomicU64::new(0) }]).collect();
        events
    }

    /// Tells those who want to hear of `what`; where there are none, `event` is not even made.
    pub fn tell(&self, what: Wants, event: impl FnOnce() -> Event) {
        if !self.wants(what) {
            return;
        }
        let event = event();
        for subscriber in self.subscribers.iter().filter(|subscriber| subscriber.wants >= what) {
            let missed = subscriber.lost.swap(0, Ordering::Relaxed);
            if missed > 0 && subscriber.queue.try_send(Event::Lost { events: missed }).is_err() {
                subscriber.lost.fetch_add(missed, Ordering::Relaxed);
            }
            if subscriber.queue.try_send(event.clone()).is_err() {
                subscriber.lost.fetch_add(1, Ordering::Relaxed);
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// How many events did not reach a subscriber that wanted them, because it was too slow.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// A number for a connection that no other has, among all who share these subscribers.
    pub(crate) fn number(&self) -> u64 {
        self.numbered.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The same subscribers, for connections whose messages are not to be shown.
    #[must_use]
    pub fn without_messages(&self) -> Self {
        Self { no_messages: true, ..self.clone() }
    }

    /// Whether anybody wants to hear of `what`.
    pub fn wants(&self, what: Wants) -> bool {
        let muted = self.no_messages && what == Wants::Messages;
        !muted && self.subscribers.iter().any(|subscriber| subscriber.wants >= what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(id: u64) -> Event {
        Event::Opened { id, listener: "echo".into(), peer: Arc::new(Peer::new("mem")) }
    }

    #[test]
    fn nobody_is_told_what_nobody_asked_for() {
        Events::default().tell(Wants::Trouble, || unreachable!("no event is made without a subscriber"));
        let mut events = Events::default();
        let mut heard = events.subscribe(4, Wants::Connections);
        events.tell(Wants::Messages, || unreachable!("nobody wants messages"));
        events.subscribe(4, Wants::Messages);
        assert!(events.wants(Wants::Messages));
        events.without_messages().tell(Wants::Messages, || unreachable!("not of these connections"));
        events.tell(Wants::Connections, || opened(1));
        assert!(matches!(heard.try_recv(), Ok(Event::Opened { id: 1, .. })));
    }

    #[test]
    fn a_slow_subscriber_learns_how_much_it_missed() {
        let mut events = Events::default();
        let mut slow = events.subscribe(1, Wants::Connections);
        let mut quick = events.subscribe(9, Wants::Messages);
        (1..=3).for_each(|id| events.tell(Wants::Connections, || opened(id)));
        assert!(matches!(slow.try_recv(), Ok(Event::Opened { id: 1, .. })));
        events.tell(Wants::Connections, || opened(4));
        assert!(matches!(slow.try_recv(), Ok(Event::Lost { events: 2 })));
        assert_eq!((quick.len(), events.lost()), (4, 3));
        assert!(quick.try_recv().is_ok());
    }
}
