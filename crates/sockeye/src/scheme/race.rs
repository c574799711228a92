//! Trying the addresses of a name beside each other (RFC 8305), the first that answers wins.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use sockeye_proto::race::{HEAD_START, order};

use crate::ctx::within;

/// Connects to the first of `found` that answers. The others are dropped, which ends their attempts. Cancel safe.
///
/// # Errors
/// Of all failures the most telling: the first that is not just an unreachable network.
pub(super) async fn race<T, E, F>(
    found: &[SocketAddr],
    connect: impl Fn(SocketAddr) -> F,
    is_unreachable: impl Fn(&E) -> bool,
) -> Result<T, Option<E>>
where
    F: Future<Output = Result<T, E>>,
{
    let mut waiting = order(found).into_iter();
    let mut running: Vec<Pin<Box<F>>> = Vec::new();
    let mut told: Option<E> = None;
    loop {
        match waiting.next() {
            Some(next) => running.push(Box::pin(connect(next))),
            None if running.is_empty() => return Err(told),
            None => {}
        }
        let head_start = (waiting.len() > 0).then_some(HEAD_START);
        match within(head_start, poll_fn(|cx| poll_any(&mut running, cx))).await {
            Err(_head_start_is_over) => {}
            Ok(Ok(connected)) => return Ok(connected),
            Ok(Err(error)) => {
                if told.as_ref().is_none_or(&is_unreachable) {
                    told = Some(error);
                }
            }
        }
    }
}

fn poll_any<F: Future>(running: &mut Vec<Pin<Box<F>>>, cx: &mut Context<'_>) -> Poll<F::Output> {
    let ready = running.iter_mut().enumerate().find_map(|(at, attempt)| match attempt.as_mut().poll(cx) {
        Poll::Ready(output) => Some((at, output)),
        Poll::Pending => None,
    });
    match ready {
        Some((at, output)) => {
            drop(running.remove(at));
            Poll::Ready(output)
        }
        None => Poll::Pending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::{Instant, sleep};

    /// Answers as the port says: 1 fails at once, 2 never answers, others answer after so many milliseconds.
    async fn pretend(to: SocketAddr) -> Result<SocketAddr, u16> {
        match to.port() {
            1 => Err(1),
            2 => std::future::pending().await,
            ms => {
                sleep(Duration::from_millis(ms.into())).await;
                Ok(to)
            }
        }
    }

    fn addresses(ports: &[u16]) -> Vec<SocketAddr> {
        ports.iter().map(|port| SocketAddr::from(([127, 0, 0, 1], *port))).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_starts_the_next_at_once_and_a_silence_after_its_head_start() {
        for (ports, winner, after) in
            [(&[1, 50][..], 50, 50), (&[2, 50], 50, 300), (&[400, 50], 50, 300), (&[270, 50], 270, 270)]
        {
            let begin = Instant::now();
            let won = race(&addresses(ports), pretend, |_| false).await.unwrap();
            assert_eq!((won.port(), begin.elapsed().as_millis()), (winner, after), "{ports:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_most_telling_failure_is_told() {
        let fail = |to: SocketAddr| std::future::ready(Err::<(), _>(to.port()));
        assert_eq!(race(&addresses(&[7, 8, 9]), fail, |port| *port == 7).await, Err(Some(8)));
        assert_eq!(race(&addresses(&[7]), fail, |port| *port == 7).await, Err(Some(7)));
        assert_eq!(race(&[], fail, |_| false).await, Err(None));
    }
}
