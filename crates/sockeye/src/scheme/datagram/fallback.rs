//! The other addresses of a name, for as long as nobody has answered at the first.
//!
//! UDP has no handshake that could tell where somebody is: `localhost` is two addresses, and most servers are on one of
//! them. So where an address refuses before anybody has answered, what was sent there is sent to the next.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::task::Waker;

use sockeye_sys::datagram::{self, Departure, Name, Trains};
use sockeye_sys::readiness::Watched;

/// The most that is kept to be sent again, or one message that is longer; who has sent more without an answer stays
/// where it is.
const KEPT: usize = 4 << 10;
/// What a message costs beside its bytes.
const EACH: usize = 64;

/// Opens a socket to an address.
pub(in crate::scheme) type Open = Box<dyn Fn(SocketAddr) -> io::Result<Watched> + Send>;

/// The addresses that are left.
pub(in crate::scheme) struct Fallback {
    rest: std::vec::IntoIter<SocketAddr>,
    open: Open,
    sent: Vec<Vec<u8>>,
    held: usize,
    /// Who waits to read from the socket that is given up.
    pub(super) receiver: Option<Waker>,
    /// Who waits to write to it.
    pub(super) sender: Option<Waker>,
}

impl Fallback {
    /// `None` where there is nothing to fall back to.
    pub(in crate::scheme) fn new(rest: Vec<SocketAddr>, open: Open) -> Option<Self> {
        let is_some = !rest.is_empty();
        is_some.then(|| Self {
            rest: rest.into_iter(),
            open,
            sent: Vec::new(),
            held: 0,
            receiver: None,
            sender: None,
        })
    }

    /// Whether there is no other address left.
    pub(super) fn is_exhausted(&self) -> bool {
        self.rest.len() == 0
    }

    /// Keeps what was sent; `false` where that is too much by now.
    pub(super) fn keep(&mut self, payload: &[u8]) -> bool {
        self.held += payload.len() + EACH;
        self.sent.push(payload.to_vec());
        self.held <= KEPT
    }

    /// The next address to which there is a way, with all that was sent so far sent there again.
    pub(super) fn next(&mut self) -> Option<(Watched, SocketAddr)> {
        let (socket, to) = self.rest.find_map(|to| Some(((self.open)(to).ok()?, to)))?;
        for payload in &self.sent {
            let again = Departure { payload, to: Name::Unnamed, source: None };
            #[expect(
                clippy::let_underscore_must_use,
                reason = "what does not go is lost, as any datagram may be"
            )]
            let _: io::Result<usize> = datagram::send_all(&socket, std::iter::once(again), &Trains::none());
        }
        self.receiver.take().into_iter().chain(self.sender.take()).for_each(Waker::wake);
        Some((socket, to))
    }
}

impl fmt::Debug for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback").field("rest", &self.rest).finish_non_exhaustive()
    }
}
