//! The client of the framed wire of `exec`: many commands over one connection, each with its streams and its end.
//!
//! There is no task between: whoever waits for something reads what comes for everybody, and leaves what is another
//! command's where that one finds it. What waits there is bounded by the credit that the server was given, [`ROOM`] for
//! each command.
//!
//! ```
//! # use sockeye::proto::exec::{Request, What};
//! # use sockeye_services::exec_client::{Client, Event, Fault};
//! # async fn uptime(conn: sockeye::Conn, ctx: &sockeye::Ctx) -> Result<(), Fault> {
//! let client = Client::new(conn, b"", ctx)?;
//! let command = client.start(&Request::of(What::Words(vec![b"uptime".to_vec()])))?;
//! let mut buffer = vec![0; 64 << 10];
//! loop {
//!     match command.next(&mut buffer).await? {
//!         Event::Output(bytes) => println!("{}", String::from_utf8_lossy(&buffer[..bytes])),
//!         Event::Errors(_) | Event::Started => {}
//!         Event::Ended(end) => break println!("{end:?}"),
//!     }
//! }
//! # Ok(()) }
//! ```

mod command;
mod fault;
mod incoming;
mod link;
mod outgoing;
mod parts;
pub mod raw;
mod slot;
mod wakers;

use std::future::poll_fn;
use std::sync::Arc;

use sockeye::proto::exec::{FromClient, Request, VERSION};
use sockeye::{Conn, Ctx};

pub use command::Command;
pub use fault::Fault;
pub use parts::Parts;
pub use slot::{End, Event};

use link::Link;

/// How many bytes of output and errors of one command may be on their way, or wait here, before somebody takes them: 1 MiB.
pub const ROOM: u32 = 1 << 20;

/// A connection to a server of commands. Clones share it; it is closed with the last of them and of its commands, and the
/// server ends what still runs then.
#[derive(Debug, Clone)]
pub struct Client(Arc<Link>);

impl Client {
    /// Greets the server at the other end of `conn`, which carries bytes, or messages of any size, and is reliable. An empty
    /// token is none. Commands can be started at once: the greeting goes before them, and [`Client::welcomed`] tells its
    /// answer.
    ///
    /// # Errors
    /// The token is longer than a message may be.
    pub fn new(conn: Conn, token: &[u8], ctx: &Ctx) -> Result<Self, Fault> {
        let link = Link::new(conn, ctx.buffers.clone());
        link.post(|state| state.post(0, &FromClient::Hello { version: VERSION, token }))?;
        Ok(Self(Arc::new(link)))
    }

    /// Waits for the server's answer to the greeting: how many commands it lets run at once on this connection. It waits as
    /// long as the server takes. Cancel safe.
    ///
    /// # Errors
    /// The server refuses us, or the connection fails.
    pub async fn welcomed(&self) -> Result<u32, Fault> {
        poll_fn(|cx| self.0.poll_until(cx, |state| state.most())).await
    }

    /// Starts a command.
    ///
    /// # Errors
    /// The connection has failed, or the request is longer than a message may be (64 KiB).
    pub fn start(&self, request: &Request) -> Result<Command, Fault> {
        let number = self.0.post(|state| state.start(request))?;
        Ok(Command::new(self.0.clone(), number))
    }
}
