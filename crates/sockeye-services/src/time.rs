//! `time`: local time in the strftime format that each message holds.

use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sockeye::proto::strftime::{Moment, strftime};
use sockeye::{
    BoxFuture, Carries, Conn, Content, Ctx, Datagrams, May, Message, Protocol, Replies, Result, Service,
    ServiceFlag, ServiceRow,
};

use crate::session;

pub(crate) static TIME: ServiceRow = ServiceRow {
    name: "time",
    help: "local time, in the strftime format of each message",
    flags: &[ServiceFlag {
        name: "tz",
        value: Some("AREA/CITY"),
        repeats: false,
        help: "the time zone, such as Asia/Tokyo; this machine's unless set",
    }],
    carries: Carries::Messages { frame: "frame=line" },
    speaks: &[Protocol::Text],
    may: May::Answer,
    port: 7708,
    example: "sockeye time tcp:localhost:PORT --format %H:%M",
    build: |given, _| {
        let zone = given.value("tz").map_or(Ok(Zone::Here), |name| named(name).map(Zone::Named))?;
        Ok(Arc::new(Time { zone }))
    },
};

/// What an empty message asks for.
const DEFAULT: &str = "%Y-%m-%d %X";

struct Time {
    zone: Zone,
}

/// Whose clocks are read.
enum Zone {
    /// Those of this machine, wherever it is by then.
    Here,
    Named(TimeZone),
}

impl Service for Time {
    fn serve<'a>(&'a self, conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, Result<()>> {
        // A line cannot hold the lines that %n makes.
        Box::pin(session::answer_or_say(conn, ctx, self, |error| Some(error.cause().to_string())))
    }

    fn as_datagrams(&self) -> Option<&dyn Datagrams> {
        Some(self)
    }
}

impl Datagrams for Time {
    fn answer(&self, request: &Message, replies: &mut Replies, ctx: &Ctx) {
        let zone = match &self.zone {
            Zone::Here => TimeZone::system(),
            Zone::Named(zone) => zone.clone(),
        };
        let (asked, end_of_line) = split(&request.payload);
        let answer = answer(asked, ctx.clock.wall(), zone).unwrap_or_else(|fault| fault);
        let reply = replies.add_as(Content::Text);
        reply.extend_from_slice(answer.as_bytes());
        reply.extend_from_slice(end_of_line);
    }
}

/// What is asked, and the end of line behind it, if there is one: it then stands behind the answer, too.
fn split(message: &[u8]) -> (&[u8], &[u8]) {
    let asked = message.strip_suffix(b"\n").unwrap_or(message);
    let asked = asked.strip_suffix(b"\r").unwrap_or(asked);
    message.split_at_checked(asked.len()).unwrap_or((message, b""))
}

/// The time as it was asked for, or else what is wrong with that, in one line.
fn answer(asked: &[u8], now: SystemTime, zone: TimeZone) -> std::result::Result<String, String> {
    let asked = str::from_utf8(asked).map_err(|_| "this is not UTF-8")?;
    let (zone, format) = match asked.strip_prefix("TZ=") {
        Some(rest) => {
            let (name, format) = rest.split_once(' ').unwrap_or((rest, ""));
            (named(name)?, format)
        }
        None => (zone, asked),
    };
    let mut text = String::new();
    let format = if format.is_empty() { DEFAULT } else { format };
    shown(format, now, &zone, &mut text).map(|()| text)
}

fn shown(
    format: &str,
    now: SystemTime,
    zone: &TimeZone,
    text: &mut String,
) -> std::result::Result<(), String> {
    // A clock that stands outside the years -9999 to 9999 is shown as the nearest that has a name.
    let now = Timestamp::try_from(now).unwrap_or(Timestamp::MAX);
    let (there, info) = (now.to_zoned(zone.clone()), zone.to_offset_info(now));
    let moment = Moment {
        year: there.year().into(),
        month: there.month().unsigned_abs(),
        day: there.day().unsigned_abs(),
        hour: there.hour().unsigned_abs(),
        minute: there.minute().unsigned_abs(),
        second: there.second().unsigned_abs(),
        weekday: there.weekday().to_sunday_zero_offset().unsigned_abs(),
        day_of_year: there.day_of_year().unsigned_abs(),
        offset: info.offset().seconds(),
        zone: info.abbreviation(),
        unix: now.as_second(),
    };
    strftime(format, &moment, text).map_err(|fault| fault.to_string())
}

/// A zone of this machine's database, whose names are looked up in memory: a stranger who asks for others reads no files.
fn named(name: &str) -> std::result::Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| {
        let shown = sockeye::proto::printable::line(name.as_bytes());
        format!("there is no time zone {shown:?} here; write one such as Europe/Berlin")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn answered(asked: &[u8]) -> String {
        let then = SystemTime::UNIX_EPOCH + Duration::from_secs(383_276_263);
        answer(asked, then, TimeZone::UTC).unwrap_or_else(|fault| fault)
    }

    #[test]
    fn the_answer_is_the_time_in_the_format_that_was_asked_for() {
        for (asked, want) in [
            ("", "1982-02-23 01:37:43"),
            ("%Y年%m月%d日", "1982年02月23日"),
            ("TZ=America/Los_Angeles", "1982-02-22 17:37:43"),
            ("TZ=America/Los_Angeles ", "1982-02-22 17:37:43"),
            ("TZ=America/Los_Angeles %H:%M %Z %z", "17:37 PST -0800"),
            ("TZ=Asia/Kolkata %I:%M %p %z", "07:07 AM +0530"),
            ("%H %TZ=UTC", "01 01:37:43Z=UTC"),
        ] {
            assert_eq!(answered(asked.as_bytes()), want, "{asked}");
        }
    }

    #[test]
    fn what_cannot_be_answered_says_why_in_one_line() {
        for (asked, want) in [
            (&b"%Q"[..], "%Q is no conversion of strftime; %% is a percent sign"),
            (b"\xff%Y", "this is not UTF-8"),
            (
                b"TZ=../../etc/passwd %H",
                "there is no time zone \"../../etc/passwd\" here; write one such as Europe/Berlin",
            ),
            (b"TZ= %H", "there is no time zone \"\" here; write one such as Europe/Berlin"),
            (b"%1000000Y", "this format makes more than 1024 bytes"),
        ] {
            assert_eq!(answered(asked), want);
        }
    }

    #[test]
    fn the_end_of_line_is_not_part_of_the_format() {
        for (message, asked, end) in [
            (&b"%Y\r\n"[..], &b"%Y"[..], &b"\r\n"[..]),
            (b"%Y\n", b"%Y", b"\n"),
            (b"%Y\r", b"%Y", b"\r"),
            (b"\n", b"", b"\n"),
            (b"", b"", b""),
        ] {
            assert_eq!(split(message), (asked, end));
        }
    }
}
