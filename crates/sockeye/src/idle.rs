//! Noticing that nothing goes over a connection any more.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::counts::Counts;

/// Into how many looks a limit is divided: a connection is ended at most an eighth of the limit late.
const LOOKS: u32 = 8;

/// Waits until none of `counts` has changed for `limit`. Cancel safe.
///
/// It looks at counters that are kept anyway, so a busy connection pays nothing for being watched.
pub(crate) async fn quiet<const N: usize>(counts: [&Counts; N], limit: Duration) {
    // An empty message has no bytes, and is one all the same.
    let total = || counts.map(Counts::volume);
    let (mut seen, mut since) = (total(), Instant::now());
    loop {
        let now = Instant::now();
        let deadline = since + limit;
        if now >= deadline {
            return;
        }
        sleep_until(deadline.min(now + limit / LOOKS)).await;
        let current = total();
        if current != seen {
            (seen, since) = (current, Instant::now());
        }
    }
}
