//! What holds of every service that only answers. A row that is added is tested from that day on.

use std::time::Duration;

use sockeye::{Carries, Ctx, Event, Given, May, ServiceRow, Wants};
use sockeye_services::ALL;
use tokio::time::{Instant, sleep};

use crate::lab::{EVERY_KIND, Serving, put, rest};

/// Those that need to be told nothing. What may do more has tests of its own.
fn harmless() -> impl Iterator<Item = &'static ServiceRow> {
    ALL.iter().copied().filter(|row| row.may == May::Answer)
}

/// What may come first: a line, or a message where a length goes before each.
fn beginning(row: &ServiceRow) -> &'static [u8] {
    match row.carries {
        Carries::Datagrams { .. } => b"\0\0\0\x05begin",
        Carries::Either | Carries::Given(_) | Carries::Messages { .. } => b"begin\n",
    }
}

#[tokio::test(start_paused = true)]
async fn a_hurry_ends_whoever_is_idle_at_once() {
    for row in harmless() {
        for word in EVERY_KIND {
            let mut serving = Serving::start(row, word).await;
            let client = serving.client().await;
            // Until all it does of its own accord is done, or waits for the client; a farewell lasts 2 s.
            sleep(Duration::from_millis(500)).await;
            let asked = Instant::now();
            serving.ctx.stop.hurry();
            let served = serving.ended().await;
            assert_eq!((served.failed, served.aborted), (0, 0), "{} at {word}", row.name);
            assert_eq!(asked.elapsed(), Duration::ZERO, "{} at {word}", row.name);
            drop(client);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_lets_a_conversation_go_on_to_its_end() {
    for row in harmless() {
        for word in EVERY_KIND {
            let serving = Serving::start(row, word).await;
            let mut client = serving.client().await;
            put(&mut client, beginning(row)).await;
            sleep(Duration::from_millis(500)).await;
            serving.ctx.stop.drain();
            client.shutdown_write().await.unwrap();
            drop(client);
            serving.stop().await;
        }
    }
}

#[tokio::test]
async fn a_peer_that_breaks_off_ends_its_own_connection_and_no_other() {
    for row in harmless() {
        for word in ["mem-l:x", "mem-l:x,frame=burst", "tcp-l:127.0.0.1:0"] {
            let mut ctx = Ctx::default();
            let mut events = ctx.events.subscribe(16, Wants::Connections);
            let mut serving = Serving::start_in(row, &Given::default(), word, ctx).await;
            let (mut breaks, mut other) = (serving.client().await, serving.client().await);
            for client in [&mut breaks, &mut other] {
                put(client, beginning(row)).await;
            }
            breaks.abort();
            drop(breaks);
            while !matches!(crate::lab::soon("its end", events.recv()).await.unwrap(), Event::Closed { .. }) {
            }
            other.shutdown_write().await.unwrap();
            if row.name == "chargen" && word != "mem-l:x,frame=burst" {
                drop(other);
            } else {
                rest(&mut other).await.unwrap();
            }
            serving.ctx.stop.drain();
            let served = serving.ended().await;
            assert_eq!((served.accepted, served.aborted), (2, 0), "{} at {word}", row.name);
            assert!(served.failed <= 1, "{} at {word}: {:?}", row.name, served.last_failure);
        }
    }
}
