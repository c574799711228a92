//! Sockets as one kind of connection: dial, listen, relay and serve any address.
//!
//! An address is text; [`parse`] reads it, [`dial`] opens a connection to it and [`listen`] a listener. A [`Conn`]
//! carries bytes or messages, whatever is beneath. [`relay()`] joins two of them, and [`serve`] gives each connection
//! of a listener to a [`Service`].
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let ctx = sockeye::Ctx::default();
//! let mut listening = sockeye::listen("tcp:127.0.0.1:0", &ctx).await?;
//! let address = listening.listener.locals()[0].to_string();
//!
//! let mut here = sockeye::dial(&address, &ctx).await?;
//! let mut there = listening.accept().await?;
//! here.write_all(b"hello").await?;
//! here.shutdown_write().await?;
//!
//! let mut buffer = [0; 16];
//! let read = there.read(&mut buffer).await?;
//! assert_eq!(&buffer[..read], b"hello");
//! assert_eq!(there.read(&mut buffer).await?, 0);
//! # Ok(()) }
//! ```
//!
//! [`blocking`] is the same for threads, without async. A program can add schemes and layers of its own ([`Rows`]), and
//! serve whatever it likes ([`Service`]). A connection that carries bytes is a stream of tokio.
//!
//! Nothing here prints, exits, or knows a service. What happens is told as [`Event`]s.
#![forbid(unsafe_code)]

mod accept;
mod aside;
mod backlog;
pub mod blocking;
mod buffer;
mod clock;
mod conn;
mod counts;
mod ctx;
mod entrance;
mod error;
mod event;
mod exit;
mod farewell;
mod fork;
mod handed;
mod idle;
mod inspect;
mod layer;
mod lent;
mod listener;
mod look;
mod memory;
mod message;
mod open;
mod option;
mod owner;
mod peer;
mod pipe;
pub mod process;
mod relay;
mod reload;
mod resolve;
mod rows;
mod scheme;
mod service;
mod show;
mod split;
mod state;
mod stop;
mod stream;
mod tally;
mod terms;
mod transit;

// The examples of that page are compiled, and run where they can be, as all in the documentation are.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/python-sockets-in-rust.md")]
struct PythonSocketsInRust;

pub use accept::{Served, serve, serve_on};
pub use backlog::Waiting;
pub use buffer::{Buffers, Size};
pub use clock::Clock;
pub use conn::{Bytes, Conn, Io, Messages};
pub use counts::{Counts, Volume};
pub use ctx::{Ctx, Limits, Newcomers};
pub use entrance::Entrance;
pub use error::{
    Alert, Cause, CertificateFault, Error, FileFault, Kind, Limit, Op, PathTaken, Refused, Result, RuleFault,
    Side, TlsFault, Unshared, Unstarted,
};
pub use event::{Doubt, Dropped, Ended, Event, Events, Outcome, SHOWN, Seen, Style, Wants, Way};
pub use exit::Exit;
pub use fork::{Fork, Member};
pub use handed::Handed;
pub use inspect::{Inspected, inspect};
pub use layer::{ALL as LAYERS, Layer, Wrap};
pub use lent::{Direction, Lent};
pub use listener::{Listener, accept};
pub use memory::Memory;
pub use message::{Content, Ignored, Message, Payload, Replies};
pub use open::{Dialler, Listening, ToAddress, dial, dialler, listen, parse, parse_listener, vocabulary};
pub use option::{
    GROUPS as OPTION_GROUPS, Held, OptionGroup, OptionRow, Phase, fixed, held, limits, options,
};
pub use owner::is_gone;
pub use peer::{Endpoint, Peer, Tls, UnixName};
pub use pipe::Pipes;
pub use relay::{End, Flow, Forward, Moved, Plan, relay};
pub use reload::{Reloaded, Reloads, Renewal};
pub use resolve::{Family, LookupErrorKind, Names, Resolver};
pub use rows::Rows;
pub use scheme::{ALL as SCHEMES, Dial, Listen, Scheme, no_listener};
pub use service::{BoxFuture, Built, Carries, Datagrams, Given, May, Service, ServiceFlag, ServiceRow};
pub use show::show;
pub use sockeye_proto as proto;
pub use sockeye_proto::admission::Refusal;
pub use sockeye_proto::reflect::Outsiders;
pub use sockeye_proto::sniff::Protocol;
pub use sockeye_sys::clock::{Keeping, LeapSecond};
pub use sockeye_sys::environment::take as take_variables;
pub use sockeye_sys::readiness::Watched;
pub use split::{ReadHalf, WriteHalf};
pub use state::{Kept, State};
pub use stop::{Hurried, Stop};
pub use tally::{Inside, Listed, Tallies, Tally, Totals};
pub use terms::Terms;
pub use transit::Transit;
