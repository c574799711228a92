//! Clients of those who say the time as text or in seconds.

use std::time::{Duration, SystemTime};

use sockeye::proto::address::Address;
use sockeye::proto::ntp::Timestamp;
use sockeye::proto::shape::Shape;
use sockeye::proto::tries::{Next, Tries};
use sockeye::{Conn, Ctx, Message};
use tokio::time::{Instant, timeout, timeout_at};

use super::Fault;

/// The most that is taken of what somebody says who says it unasked.
const MOST: usize = 1024;

/// The time in a format of strftime(3), from who answers those: `sockeye serve time`. The address carries messages; where
/// it carries bytes, with a `frame=`. Over datagrams what is lost is asked for again. Cancel safe.
///
/// # Errors
/// It could not be reached, or said nothing within `limit`.
pub async fn format(address: &Address, format: &str, limit: Duration, ctx: &Ctx) -> Result<Vec<u8>, Fault> {
    within(limit, async {
        let mut conn = sockeye::dial(address, ctx).await?;
        message(&mut conn, format.as_bytes(), limit).await
    })
    .await
}

/// What somebody says unasked: the line of daytime (RFC 867), of at most 1,024 bytes. Over messages it is asked for by an
/// empty one, and where they may be lost, again. Cancel safe.
///
/// # Errors
/// As [`format()`].
pub async fn text(address: &Address, limit: Duration, ctx: &Ctx) -> Result<Vec<u8>, Fault> {
    within(limit, async {
        let mut conn = sockeye::dial(address, ctx).await?;
        match conn.shape() {
            Shape::Bytes => bytes(&mut conn, MOST).await,
            Shape::Messages => message(&mut conn, b"", limit).await,
        }
    })
    .await
}

/// The moment that a server of the time protocol tells (RFC 868): of all that its 32 bits may mean, the nearest to ours.
/// Cancel safe.
///
/// # Errors
/// As [`format()`], or what it said is no such time.
pub async fn seconds(address: &Address, limit: Duration, ctx: &Ctx) -> Result<SystemTime, Fault> {
    let said = within(limit, async {
        let mut conn = sockeye::dial(address, ctx).await?;
        match conn.shape() {
            Shape::Bytes => bytes(&mut conn, 4).await,
            Shape::Messages => message(&mut conn, b"", limit).await,
        }
    })
    .await?;
    let malformed = Fault::Malformed { came: said.len(), wanted: 4 };
    let Ok(sent) = <[u8; 4]>::try_from(&*said) else { return Err(malformed) };
    // Not all zeros, which would be no moment at all; so little is none in seconds.
    let moment = Timestamp::from_bits(u64::from(u32::from_be_bytes(sent)) << 32 | 1);
    moment.near(ctx.clock.wall()).ok_or(malformed)
}

fn silent(after: Duration) -> Fault {
    Fault::Silent { after, doubts: 0 }
}

async fn within<T>(limit: Duration, asking: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    timeout(limit, asking).await.unwrap_or(Err(silent(limit)))
}

/// Reads to the end, or until there are so many bytes.
async fn bytes(conn: &mut Conn, most: usize) -> Result<Vec<u8>, Fault> {
    let mut said = vec![0; most];
    let mut came = 0;
    while let Some(room) = said.get_mut(came..).filter(|room| !room.is_empty()) {
        match conn.read(room).await? {
            0 => break,
            more => came += more,
        }
    }
    said.truncate(came);
    if said.is_empty() { Err(Fault::Ended) } else { Ok(said) }
}

/// Asks with one message, and again where it may be lost; the first that comes is the answer.
async fn message(conn: &mut Conn, question: &[u8], limit: Duration) -> Result<Vec<u8>, Fault> {
    let (mut tries, mut answer, began) = (Tries::default(), Message::default(), Instant::now());
    let may_be_lost = !conn.half_close() && !conn.closes_whole();
    loop {
        let until = match tries.next(began.elapsed()) {
            Next::Ask => {
                tries.ask(began.elapsed());
                conn.send(question).await?;
                continue;
            }
            Next::GiveUp => return Err(silent(began.elapsed())),
            Next::Wait(until) if may_be_lost => until,
            Next::Wait(_) => limit,
        };
        match timeout_at(began + until, conn.receive(&mut answer)).await {
            Ok(received) => {
                return if received? { Ok(answer.payload) } else { Err(Fault::Ended) };
            }
            Err(_elapsed) if may_be_lost => {}
            Err(_elapsed) => return Err(silent(limit)),
        }
    }
}
