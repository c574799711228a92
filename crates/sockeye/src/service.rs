//! What is done with a connection once it is there.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

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
}

/// A service that answers each datagram for itself.
pub trait Datagrams: Send + Sync {
    /// Answers one datagram with any number of replies to its sender. Must not block.
    fn answer(&self, datagram: &Message, replies: &mut Replies, ctx: &Ctx);
}

/// What a service may do to this machine; the more, the more is asked of its peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum May {
    /// Only answer.
    Answer,
    /// Write files.
    Write,
    /// Run programs.
    Run,
}

impl May {
    /// Whose connections such a service is for, where nothing else says who they are.
    pub fn newcomers(self) -> Newcomers {
        match self {
            Self::Answer => Newcomers::Anyone,
            Self::Write | Self::Run => Newcomers::Ours,
        }
    }
}

/// What a service wants its connections to carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Carries {
    /// Whatever the address gives.
    Either,
    /// Messages; where the address gives bytes, this option puts the frame on that makes messages of them.
    Messages {
        /// Such as `frame=burst`.
        frame: &'static str,
    },
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
    /// The loopback port that `serve` without arguments puts it on.
    pub port: u16,
    /// A command that shows it at work, with `PORT` for its port.
    pub example: &'static str,
    /// Makes it, from the values of its flags in the order of `flags`; or says what is wrong with one of them.
    pub build: fn(&[Option<String>]) -> Built,
}

/// A service, or what is wrong with the value of one of its flags.
pub type Built = std::result::Result<Arc<dyn Service>, String>;

/// A flag of a service, with a value.
#[derive(Debug)]
pub struct ServiceFlag {
    /// Its name, without the dashes.
    pub name: &'static str,
    /// What stands for its value in help.
    pub value: &'static str,
    /// What it does, in one line, with its default.
    pub help: &'static str,
}
