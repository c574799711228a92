//! `daytime`: the date and time of this machine, in one line (RFC 867).

use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sockeye::{Carries, May, Protocol, ServiceRow};

use crate::teller::Teller;

pub(crate) static DAYTIME: ServiceRow = ServiceRow {
    name: "daytime",
    help: "the date and time here, in one line (RFC 867)",
    flags: &[],
    carries: Carries::Either,
    speaks: &[Protocol::Text],
    may: May::Answer,
    port: 7703,
    example: "sockeye dial tcp:localhost:PORT",
    build: |_, _| Ok(Arc::new(Teller(|now| line(now, TimeZone::system()).into_bytes()))),
};

/// As the RFC's first example: `Tuesday, February 22, 1982 17:37:43-PST`, with CR and LF.
fn line(now: SystemTime, zone: TimeZone) -> String {
    // A clock that stands outside the years -9999 to 9999 is shown as the nearest that has a name.
    let now = Timestamp::try_from(now).unwrap_or(Timestamp::MAX);
    format!("{}\r\n", now.to_zoned(zone).strftime("%A, %B %-d, %Y %H:%M:%S-%Z"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_line_is_that_of_the_rfc() {
        let then = SystemTime::UNIX_EPOCH + Duration::from_secs(383_276_263);
        assert_eq!(line(then, TimeZone::UTC), "Tuesday, February 23, 1982 01:37:43-UTC\r\n");
        assert!(line(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 50), TimeZone::UTC).contains("9999"));
    }
}
