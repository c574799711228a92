//! The table of faults: how each is written, what it is for, and what cannot happen to which connection.

use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use super::random::Chance;
use super::{After, Cut, Fault, What};
use crate::shape::Shape;
use crate::unit;
use crate::way::Way;

/// A fault as it is written, and what it does.
#[derive(Debug)]
pub struct FaultRow {
    /// Its name, lower case.
    pub name: &'static str,
    /// What stands behind the name and a colon; empty where nothing must.
    pub arguments: &'static str,
    /// One that can be tried.
    pub example: &'static str,
    /// What it does, in one line of at most 48 columns.
    pub help: &'static str,
    /// What cannot have it, and why.
    pub not_on: Option<(Shape, &'static str)>,
    /// The only way that it can be on.
    pub way: Option<Way>,
    read: fn(&[&str]) -> Option<What>,
}

/// Every fault: those on both shapes, on bytes, on messages. The rows say nothing of the order in which they act: a
/// message is lost, truncated, corrupted, duplicated, overtaken and delayed, and then waits for rate, stall and cut.
pub static FAULTS: &[FaultRow] = &[
    row("delay", "TIME[:JITTER]", "delay:50ms:10ms", "all comes later; jitter reorders messages", |args| {
        let (by, jitter) = match args {
            [by] => (time(by)?, Duration::ZERO),
            [by, jitter] => (time(by)?, time(jitter)?),
            _ => return None,
        };
        Some(What::Delay { by, jitter })
    }),
    row("rate", "SPEED", "rate:64k/s", "no more bytes a second than these", |args| {
        let [rate] = args else { return None };
        Some(What::Rate(NonZeroU64::new(unit::speed(rate)?)?))
    }),
    row("stall", "AFTER:TIME", "stall:1k:5s", "nothing moves for so long; may be set again", |args| {
        let [after_, lasts] = args else { return None };
        Some(What::Stall { after: after(after_)?, lasts: time(lasts)? })
    }),
    row("cut", "fin|rst|silence:AFTER", "cut:rst:10k", "an end that way, a reset, or a hole", |args| {
        let [how, after_] = args else { return None };
        let how = [Cut::Fin, Cut::Rst, Cut::Silence].into_iter().find(|cut| cut.to_string() == *how)?;
        Some(What::Cut(how, after(after_)?))
    }),
    FaultRow {
        way: Some(Way::In),
        ..row("no-read", "[AFTER]", "no-read:1k", "we read no more: the peer's window fills", |args| {
            match args {
                [] => Some(What::NoRead(After::Bytes(0))),
                [after_] => Some(What::NoRead(after(after_)?)),
                _ => None,
            }
        })
    },
    row("corrupt", "P", "corrupt:0.01%", "one bit of a byte is turned", |args| {
        Some(What::Corrupt(only(args)?))
    }),
    on_bytes(
        "slice",
        "BYTES[:TIME]",
        "slice:1",
        "in pieces of so many bytes, so long apart",
        WHOLE,
        |args| {
            let (most, pause) = match args {
                [most] => (size(most)?, Duration::ZERO),
                [most, pause] => (size(most)?, time(pause)?),
                _ => return None,
            };
            Some(What::Slice { most, pause })
        },
    ),
    on_bytes("glue", "TIME", "glue:100ms", "what comes within this comes as one", BORDERS, |args| {
        let [within] = args else { return None };
        Some(What::Glue(time(within)?))
    }),
    on_messages("loss", "P", "loss:5%", "a message is lost", NO_LOSS, |args| Some(What::Loss(only(args)?))),
    on_messages(
        "burst-loss",
        "P:R",
        "burst-loss:1%:25%",
        "lost in a row: P begins it, R ends it",
        NO_LOSS,
        |args| {
            let [enter, leave] = args else { return None };
            Some(What::BurstLoss { enter: Chance::read(enter)?, leave: Chance::read(leave)? })
        },
    ),
    on_messages("duplicate", "P", "duplicate:5%", "a message comes twice", NO_COPIES, |args| {
        Some(What::Duplicate(only(args)?))
    }),
    on_messages(
        "reorder",
        "P[:DEPTH]",
        "reorder:5%:3",
        "up to DEPTH (3) others overtake a message",
        ORDER,
        |args| {
            let (chance, depth) = match args {
                [chance] => (chance, 3),
                [chance, depth] => {
                    (chance, u32::try_from(size(depth)?.get()).ok().filter(|depth| *depth <= 64)?)
                }
                _ => return None,
            };
            Some(What::Reorder { chance: Chance::read(chance)?, depth })
        },
    ),
    on_messages(
        "truncate",
        "BYTES",
        "truncate:512",
        "the rest of a message is cut off",
        NO_BORDERS,
        |args| {
            let [bytes] = args else { return None };
            Some(What::Truncate(usize::try_from(unit::size(bytes)?).ok()?))
        },
    ),
    on_messages("mtu", "BYTES", "mtu:1200", "a larger message is lost", NO_BORDERS, |args| {
        let [bytes] = args else { return None };
        Some(What::Mtu(size(bytes)?))
    }),
];

const WHOLE: &str = "a message is whole: try fault=truncate:… or fault=mtu:…";
const BORDERS: &str = "messages keep their borders: glue them where they are bytes still";
const NO_LOSS: &str =
    "TCP, or any stream, loses no bytes, it delays them: try fault=delay:… or fault=stall:…";
const NO_COPIES: &str = "a stream brings no byte twice: messages are for udp:, or for bytes with a frame=…";
const ORDER: &str = "a stream keeps its order: messages are for udp:, or for bytes with a frame=…";
const NO_BORDERS: &str = "a stream has no messages: try fault=slice:… or fault=cut:fin:…, or a frame=…";

const fn row(
    name: &'static str,
    arguments: &'static str,
    example: &'static str,
    help: &'static str,
    read: fn(&[&str]) -> Option<What>,
) -> FaultRow {
    FaultRow { name, arguments, example, help, not_on: None, way: None, read }
}

const fn on_bytes(
    name: &'static str,
    arguments: &'static str,
    example: &'static str,
    help: &'static str,
    why: &'static str,
    read: fn(&[&str]) -> Option<What>,
) -> FaultRow {
    FaultRow { not_on: Some((Shape::Messages, why)), ..row(name, arguments, example, help, read) }
}

const fn on_messages(
    name: &'static str,
    arguments: &'static str,
    example: &'static str,
    help: &'static str,
    why: &'static str,
    read: fn(&[&str]) -> Option<What>,
) -> FaultRow {
    FaultRow { not_on: Some((Shape::Bytes, why)), ..row(name, arguments, example, help, read) }
}

/// Schemes whose peers cannot be told that no more will come.
const ENDLESS: &[&str] = &["raw", "udp", "unix-dgram"];

/// Schemes that have no reset which a peer could see.
const WITHOUT_RESETS: &[&str] =
    &["-", "exec", "fd", "file", "pty", "raw", "sh", "udp", "unix", "unix-dgram", "unix-seq"];

/// Why a connection over that scheme cannot be cut so.
pub(super) fn uncuttable(how: Cut, scheme: &str) -> Option<String> {
    match how {
        Cut::Fin if ENDLESS.contains(&scheme) => {
            Some(format!("{scheme} has no end that a peer could be told: try fault=cut:silence:…"))
        }
        Cut::Rst if WITHOUT_RESETS.contains(&scheme) => {
            let other = if ENDLESS.contains(&scheme) { "silence" } else { "fin" };
            Some(format!("{scheme} has no resets: try fault=cut:{other}:…"))
        }
        Cut::Fin | Cut::Rst | Cut::Silence => None,
    }
}

/// The row of a fault.
pub(super) fn of(what: What) -> &'static FaultRow {
    #[expect(clippy::expect_used, reason = "a fault is made by the row of its name alone, as a test says")]
    FAULTS.iter().find(|row| row.name == what.name()).expect("a row for each fault")
}

impl FaultRow {
    /// How it is written: `loss:P`, `no-read[:AFTER]`.
    pub fn usage(&self) -> String {
        match self.arguments.strip_prefix('[') {
            Some(optional) => format!("{}[:{optional}", self.name),
            None => format!("{}:{}", self.name, self.arguments),
        }
    }
}

/// The name that stands in a fault as somebody wrote it, known or not.
pub fn name_in(text: &str) -> &str {
    let (_, rest) = way(text);
    rest.split(':').next().unwrap_or_default()
}

impl Fault {
    /// Reads a fault: `loss:5%`, `in:delay:50ms`.
    ///
    /// # Errors
    /// What was expected.
    pub fn read(text: &str) -> Result<Self, String> {
        let (way, rest) = way(text);
        let name = name_in(text);
        let Some(row) = FAULTS.iter().find(|row| row.name == name) else {
            let names: Vec<&str> = FAULTS.iter().map(|row| row.name).collect();
            return Err(format!("expected one of {}", names.join(" ")));
        };
        if row.way.is_some_and(|only| way.is_some_and(|way| way != only)) {
            return Err(format!("{name} is about what comes in: write {}", row.example));
        }
        let arguments: Vec<&str> = rest.split(':').skip(1).collect();
        match (row.read)(&arguments) {
            Some(what) => Ok(Self { way, what }),
            None => Err(format!("expected {}, such as {}", row.usage(), row.example)),
        }
    }
}

/// The direction in front, and what stands behind it.
fn way(text: &str) -> (Option<Way>, &str) {
    match text.split_once(':') {
        Some(("in", rest)) => (Some(Way::In), rest),
        Some(("out", rest)) => (Some(Way::Out), rest),
        _ => (None, text),
    }
}

/// Reads bytes or a time. A bare number is bytes.
fn after(text: &str) -> Option<After> {
    unit::size(text).map(After::Bytes).or_else(|| Some(After::Time(unit::duration(text)?)))
}

fn time(text: &str) -> Option<Duration> {
    unit::duration(text).filter(|time| !time.is_zero())
}

fn size(text: &str) -> Option<NonZeroUsize> {
    NonZeroUsize::new(usize::try_from(unit::size(text)?).ok()?)
}

fn only(arguments: &[&str]) -> Option<Chance> {
    match arguments {
        [chance] => Chance::read(chance),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_row_reads_its_example_and_what_is_read_is_of_that_row() {
        for row in FAULTS {
            let fault = Fault::read(row.example).unwrap();
            assert_eq!(of(fault.what).name, row.name);
            assert_eq!(Fault::read(&fault.to_string()), Ok(fault), "{fault}");
            assert!(row.help.len() <= 48, "{}: {}", row.name, row.help.len());
            let expected = Fault::read(&format!("{}:x", row.name)).unwrap_err();
            assert!(expected.contains(&row.usage()) && expected.contains(row.example), "{expected}");
        }
    }

    #[test]
    fn a_direction_stands_in_front() {
        let way = |text| Fault::read(text).map(|fault| fault.way);
        assert_eq!(way("delay:1s"), Ok(None));
        assert_eq!(way("in:delay:1s"), Ok(Some(Way::In)));
        assert_eq!(way("out:delay:1s"), Ok(Some(Way::Out)));
        assert!(way("in:out:delay:1s").is_err());
        let refused = way("out:no-read").unwrap_err();
        assert_eq!(refused, "no-read is about what comes in: write no-read:1k");
        let fault = Fault::read("no-read").unwrap();
        assert!(fault.concerns(Way::In) && !fault.concerns(Way::Out));
    }

    #[test]
    fn an_amount_is_bytes_or_a_time() {
        for (text, want) in [
            ("10", After::Bytes(10)),
            ("10k", After::Bytes(10_240)),
            ("5M", After::Bytes(5 << 20)),
            ("5m", After::Time(Duration::from_secs(300))),
            ("2s", After::Time(Duration::from_secs(2))),
            ("0", After::Bytes(0)),
        ] {
            assert_eq!(after(text), Some(want), "{text}");
        }
        for text in ["", "-1", "1.5k", "soon"] {
            assert_eq!(after(text), None, "{text}");
        }
    }

    #[test]
    fn what_cannot_happen_is_refused_with_the_reason() {
        let refusal = |text: &str, shape, scheme| Fault::read(text).unwrap().refusal(shape, scheme);
        let (bytes, messages) = (Shape::Bytes, Shape::Messages);
        assert!(refusal("loss:5%", bytes, "tcp").unwrap().starts_with("TCP, or any stream, loses no bytes"));
        assert!(refusal("slice:1", messages, "udp").unwrap().starts_with("a message is whole"));
        assert_eq!(
            refusal("cut:fin:1k", messages, "udp").as_deref(),
            Some("udp has no end that a peer could be told: try fault=cut:silence:…")
        );
        assert_eq!(
            refusal("cut:rst:1k", bytes, "unix").as_deref(),
            Some("unix has no resets: try fault=cut:fin:…")
        );
        for (text, shape, scheme) in [
            ("loss:5%", messages, "udp"),
            ("loss:5%", messages, "tcp"),
            ("slice:1", bytes, "unix"),
            ("cut:fin:1k", bytes, "unix"),
            ("cut:rst:1k", bytes, "tcp"),
            ("cut:silence:1s", messages, "udp"),
            ("delay:1s", messages, "udp"),
        ] {
            assert_eq!(refusal(text, shape, scheme), None, "{text} on {scheme}");
        }
    }

    #[test]
    fn the_same_fault_is_on_each_way_once_but_stalls() {
        let excludes =
            |one: &str, other: &str| Fault::read(one).unwrap().excludes(&Fault::read(other).unwrap());
        assert!(excludes("delay:1s", "delay:2s") && excludes("in:delay:1s", "delay:2s"));
        assert!(excludes("cut:fin:1s", "cut:rst:2s"));
        assert!(!excludes("in:delay:1s", "out:delay:1s") && !excludes("loss:1%", "delay:1s"));
        assert!(!excludes("stall:1k:1s", "stall:2k:1s"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(in:|out:)?[a-z-]{0,10}(:[0-9a-z.%/]{0,6}){0,4}") {
            if let Ok(fault) = Fault::read(&text) {
                prop_assert_eq!(Fault::read(&fault.to_string()), Ok(fault));
            }
        }
    }
}
