//! The network inside a process, for `mem:` and `mem-seq:`: names, and links between those who dial and who listen.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio_util::sync::PollSender;

use sockeye_proto::shape::Shape;

/// How many bytes may be under way on a link of bytes, each way.
const BYTES_UNDER_WAY: usize = 64 << 10;
/// How many messages may be under way on a link of messages, each way; a sender waits for room.
const MESSAGES_UNDER_WAY: usize = 16;
/// How many links may wait for a listener to accept them; who dials waits for room.
const BACKLOG: usize = 128;

/// The names that are listened on. Clones share them; two networks know nothing of each other.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Mutex<Names>>);

/// The way to each listener.
type Names = HashMap<(Shape, String), mpsc::Sender<Link>>;

/// One end of a link.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) carrier: Carrier,
    /// Set by the end that broke off, so that the other sees a reset and not an orderly end.
    pub(crate) broken: Arc<AtomicBool>,
}

#[derive(Debug)]
pub(crate) enum Carrier {
    Bytes(DuplexStream),
    Messages { sending: PollSender<Vec<u8>>, receiving: mpsc::Receiver<Vec<u8>> },
}

/// A name that is listened on, until it is dropped.
#[derive(Debug)]
pub(crate) struct Name {
    network: Memory,
    key: (Shape, String),
    pub(crate) links: mpsc::Receiver<Link>,
}

impl Memory {
    /// Listens on a name; `None` where somebody does already.
    pub(crate) fn listen(&self, shape: Shape, name: &str) -> Option<Name> {
        let key = (shape, name.to_owned());
        let (sender, links) = mpsc::channel(BACKLOG);
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if names.contains_key(&key) {
            return None;
        }
        names.insert(key.clone(), sender);
        Some(Name { network: self.clone(), key, links })
    }

    /// Dials a name; `None` where nobody listens. Waits for room in the listener's backlog. Cancel safe.
    pub(crate) async fn dial(&self, shape: Shape, name: &str) -> Option<Link> {
        let listener = {
            let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            names.get(&(shape, name.to_owned()))?.clone()
        };
        let (ours, theirs) = Link::pair(shape);
        listener.send(theirs).await.ok()?;
        Some(ours)
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        self.network.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

impl Link {
    fn pair(shape: Shape) -> (Self, Self) {
        let broken = Arc::new(AtomicBool::new(false));
        let (one, other) = match shape {
            Shape::Bytes => {
                let (one, other) = tokio::io::duplex(BYTES_UNDER_WAY);
                (Carrier::Bytes(one), Carrier::Bytes(other))
            }
            Shape::Messages => {
                let (to_other, from_one) = mpsc::channel(MESSAGES_UNDER_WAY);
                let (to_one, from_other) = mpsc::channel(MESSAGES_UNDER_WAY);
                (
                    Carrier::Messages { sending: PollSender::new(to_other), receiving: from_other },
                    Carrier::Messages { sending: PollSender::new(to_one), receiving: from_one },
                )
            }
        };
        (Self { carrier: one, broken: broken.clone() }, Self { carrier: other, broken })
    }
}
