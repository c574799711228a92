//! `time32`: the seconds since 1900 began, as 32 bits (RFC 868, where it is called the time protocol).

use std::sync::Arc;
use std::time::SystemTime;

use sockeye::proto::ntp::Timestamp;
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
    build: |_, _| Ok(Arc::new(Teller(seconds))),
};

/// They begin anew in February 2036, and every 136 years from then on.
fn seconds(now: SystemTime) -> Vec<u8> {
    Timestamp::of(now).seconds().to_be_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn moments_of_the_rfc_are_its_numbers_and_after_2036_they_begin_anew() {
        for (unix, sent) in [
            (0, 2_208_988_800_u32),
            (189_302_400, 2_398_291_200),
            (326_764_800, 2_535_753_600),
            (2_085_978_495, u32::MAX),
            (2_085_978_496, 0),
        ] {
            assert_eq!(seconds(SystemTime::UNIX_EPOCH + Duration::from_secs(unix)), sent.to_be_bytes());
        }
    }
}
