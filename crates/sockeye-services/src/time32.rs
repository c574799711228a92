//! `time32`: the seconds since 1900 began, as 32 bits (RFC 868, where it is called the time protocol).

use std::sync::Arc;
use std::time::SystemTime;

use sockeye::proto::time32;
use sockeye::{Carries, May, Protocol, ServiceRow};

use crate::teller::Teller;

pub(crate) static TIME32: ServiceRow = ServiceRow {
    name: "time32",
    help: "the seconds since 1900 in 32 bits (RFC 868)",
    flags: &[],
    carries: Carries::Either,
    speaks: &[Protocol::Text],
    may: May::Answer,
    port: 7707,
    example: "sockeye time time32:localhost:PORT",
    build: |_| Ok(Arc::new(Teller(seconds))),
};

fn seconds(now: SystemTime) -> Vec<u8> {
    time32::encode(now).to_vec()
}
