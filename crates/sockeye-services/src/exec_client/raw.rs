//! A command as the programs of tutorials send it: its text in, a text back, and nothing that says where that ends.

use std::time::Duration;

use sockeye::proto::encoding::Encoding;
use sockeye::{Conn, Message};
use tokio::time::timeout;

use super::fault::Fault;

/// The silence after which nothing more is taken to come. Where bytes are read in bursts, their own is shorter.
const SILENCE: Duration = Duration::from_millis(200);
/// The most bytes of an answer.
const MOST: usize = 16 << 20;
/// What the programs of tutorials read, or send, at once.
const CUSTOMARY: usize = 1024;

/// What a server said to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its words.
    pub text: String,
    /// Whether it has the length of what is cut: a multiple of 1,024 bytes, and no end came behind it.
    pub may_be_cut: bool,
}

/// Sends a command to a server at the other end of `conn`, which carries messages, and waits for its answer, as long as the
/// command takes. Where the server says no end, what came before 200 ms of silence is taken for all of it.
///
/// Not cancel safe: the command may have been sent.
///
/// # Errors
/// The connection fails, or ends without an answer.
pub async fn ask(mut conn: Conn, line: &str, encoding: Encoding) -> Result<Answer, Fault> {
    conn.send(line.as_bytes()).await?;
    let mut message = Message::default();
    if !conn.receive(&mut message).await? {
        return Err(Fault::Ended);
    }
    let mut bytes = message.payload.clone();
    let mut has_end = false;
    if !conn.is_lossy() {
        // A server that sees our end says its own, and what is left before that.
        conn.shutdown_write().await?;
        while !has_end && bytes.len() < MOST {
            match timeout(SILENCE, conn.receive(&mut message)).await {
                Ok(more) => {
                    has_end = !more?;
                    bytes.extend_from_slice(&message.payload);
                }
                Err(_) => break,
            }
        }
    }
    let may_be_cut = !has_end && !bytes.is_empty() && bytes.len().is_multiple_of(CUSTOMARY);
    Ok(Answer { text: encoding.decode(&bytes), may_be_cut })
}
