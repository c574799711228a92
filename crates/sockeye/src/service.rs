//! What is done with a connection once it is there.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use sockeye_proto::address::Address;
use sockeye_proto::sniff::Protocol;

use crate::conn::Conn;
use crate::ctx::{Ctx, Newcomers};
use crate::error::Result;
use crate::message::{Message, Replies};

/// A boxed future, as traits that are used behind a pointer need.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Something that is done with each connection of a listener.
pub trait Service: Send + Sync {
    /// Serves a connection to its end.
    ///
    /// A service ends on its own when the peer does. When [`crate::Stop::hurried`] comes it ends as soon as what it
    /// has in hand is done; a little later it is dropped at any await.
    ///
    /// # Errors
    /// Why the connection came to a bad end.
    fn serve<'a>(&'a self, conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, Result<()>>;

    /// The service as an answerer of datagrams, if it needs no session. A listener of messages without layers then
    /// hands it each datagram, and no connection is ever made.
    fn as_datagrams(&self) -> Option<&dyn Datagrams> {
        None
    }

    /// Whose connections it takes at that address: [`Newcomers::Anyone`] unless a service says otherwise. It is asked before
    /// anything listens there.
    ///
    /// # Errors
    /// A sentence for people: why it is not to be served there at all, and what would mend that.
    fn newcomers(&self, address: &Address) -> std::result::Result<Newcomers, String> {
        let _ = address;
        Ok(Newcomers::Anyone)
    }
}

/// A service that answers each datagram for itself.
pub trait Datagrams: Send + Sync {
    /// Answers one datagram with any number of replies to its sender. Must not block.
    fn answer(&self, datagram: &Message, replies: &mut Replies, ctx: &Ctx);

    /// Whether it wants to know when the kernel took each datagram ([`Message::at`]): asking for that costs something.
    fn asks_when(&self) -> bool {
        false
    }

    /// Whether such services could answer each other's answers for ever. Where that is so, datagrams from beyond this
    /// machine and private networks are not heard that come from a port whose service would answer back.
    fn may_loop(&self) -> bool {
        true
    }
}

/// What a service may do to this machine. What may do more than answer is served only where somebody asks for it by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum May {
    /// Only answer.
    Answer,
    /// Write files.
    Write,
    /// Run programs.
    Run,
}

/// What a service wants its connections to carry.
#[derive(Debug, Clone, Copy)]
pub enum Carries {
    /// Whatever the address gives.
    Either,
    /// Messages, as its clients send datagrams; where the address gives bytes, this option puts the frame on that makes
    /// messages of them.
    Datagrams {
        /// Such as `frame=len32`.
        frame: &'static str,
    },
    /// As its flags say.
    Given(fn(&Given) -> Self),
    /// Messages; where the address gives bytes, this option puts the frame on that makes messages of them.
    Messages {
        /// Such as `frame=burst`.
        frame: &'static str,
    },
}

impl Carries {
    /// The option that puts the frame on which it wants where the address gives bytes, if it wants one, with its flags
    /// so set.
    pub fn frame(self, given: &Given) -> Option<&'static str> {
        match self {
            Self::Either => None,
            Self::Given(carries) => carries(given).frame(given),
            Self::Datagrams { frame } | Self::Messages { frame } => Some(frame),
        }
    }
}

/// A service that can be named on a command line.
#[derive(Debug)]
pub struct ServiceRow {
    /// Its name, lower case.
    pub name: &'static str,
    /// What it does, in one line of at most 60 columns.
    pub help: &'static str,
    /// Its own flags.
    pub flags: &'static [ServiceFlag],
    /// What its connections are to carry.
    pub carries: Carries,
    /// Which protocols it takes where it shares an address with others ([`crate::Member::speaks`]).
    pub speaks: &'static [Protocol],
    /// What it may do.
    pub may: May,
    /// The loopback port that `serve` without arguments puts it on: of UDP where it carries datagrams, else of TCP.
    pub port: u16,
    /// A command that shows it at work, with `PORT` for its port.
    pub example: &'static str,
    /// Makes it, from what its flags are set to, in the context that it will be served in; or says what is wrong with a flag.
    pub build: fn(&Given, &Ctx) -> Built,
}

/// A service, or what is wrong with the value of one of its flags.
pub type Built = std::result::Result<Arc<dyn Service>, String>;

/// A flag of a service.
#[derive(Debug)]
pub struct ServiceFlag {
    /// Its name, without the dashes.
    pub name: &'static str,
    /// What stands for its value in help; `None` where it takes none.
    pub value: Option<&'static str>,
    /// Whether it may be given again, and each value counts; else the last one does.
    pub repeats: bool,
    /// What it does, in one line, with its default.
    pub help: &'static str,
}

/// What the flags of a service are set to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given(Vec<(&'static str, String)>);

impl Given {
    /// Sets a flag; a value that it had before is kept where the flag repeats. One without a value is set to nothing.
    pub fn set(&mut self, flag: &ServiceFlag, value: impl Into<String>) {
        if !flag.repeats {
            self.0.retain(|(name, _)| *name != flag.name);
        }
        self.0.push((flag.name, value.into()));
    }

    /// Whether a flag was given.
    pub fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// What a flag is set to.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values(name).last()
    }

    /// All that a flag is set to, in the order in which it was.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(given, _)| *given == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_has_its_last_value_and_one_that_repeats_has_all() {
        let flag = |name, repeats| ServiceFlag { name, value: Some("TEXT"), repeats, help: "" };
        let (once, often) = (flag("once", false), flag("often", true));
        let mut given = Given::default();
        for (flag, value) in [(&once, "a"), (&often, "b"), (&once, "c"), (&often, "d")] {
            given.set(flag, value);
        }
        assert_eq!(given.values("once").collect::<Vec<_>>(), ["c"]);
        assert_eq!(given.values("often").collect::<Vec<_>>(), ["b", "d"]);
        assert_eq!((given.value("often"), given.has("never")), (Some("d"), false));
    }
}
