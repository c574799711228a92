//! What is to be sent to the server: whole messages, one after the other.

use std::task::{Context, Poll, ready};

use sockeye::Conn;
use sockeye::proto::exec::{ExecError, FromClient};
use sockeye::proto::shape::Shape;

/// The length before each message.
const PREFIX: usize = 4;

/// Messages that are not sent yet. Whoever adds data waits until there are none, so that there is never more than one of these.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    bytes: Vec<u8>,
    sent: usize,
    is_unflushed: bool,
}

impl Outgoing {
    /// Puts a message behind the others.
    pub(super) fn post(&mut self, command: u32, message: &FromClient<'_>) -> Result<(), ExecError> {
        let begin = self.bytes.len();
        self.bytes.extend([0; PREFIX]);
        if let Err(error) = message.encode(command, &mut self.bytes) {
            self.bytes.truncate(begin);
            return Err(error);
        }
        let length = u32::try_from(self.bytes.len() - begin - PREFIX).map_err(|_| ExecError::Long)?;
        let prefix = self.bytes.get_mut(begin..).into_iter().flatten();
        prefix.zip(length.to_be_bytes()).for_each(|(place, byte)| *place = byte);
        Ok(())
    }

    /// Whether all of it is sent, and passed on by every layer.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && !self.is_unflushed
    }

    /// Forgets what is not sent: nobody reads it.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Sends everything. Cancel safe.
    pub(super) fn poll_send(&mut self, conn: &mut Conn, cx: &mut Context<'_>) -> Poll<sockeye::Result<()>> {
        while let Some(rest @ [_, ..]) = self.bytes.get(self.sent..) {
            self.is_unflushed = true;
            self.sent += match conn.shape() {
                Shape::Bytes => ready!(conn.poll_write(cx, rest))?,
                Shape::Messages => {
                    let message = first(rest);
                    ready!(conn.poll_feed(cx, message))?;
                    PREFIX + message.len()
                }
            };
        }
        self.bytes.clear();
        self.sent = 0;
        ready!(conn.poll_flush(cx))?;
        self.is_unflushed = false;
        Poll::Ready(Ok(()))
    }
}

/// The first of several messages, without its length.
fn first(bytes: &[u8]) -> &[u8] {
    let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX>() else { return &[] };
    rest.get(..usize::try_from(u32::from_be_bytes(*prefix)).unwrap_or_default()).unwrap_or_default()
}
