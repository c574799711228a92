//! What was answered, for people and for programs.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use sockeye::Kind;
use sockeye::proto::ntp::{Agreement, Kiss, Leap, Reading, Status, agreement};
use sockeye::proto::printable;
use sockeye_services::ask::Fault;
use unicode_width::UnicodeWidthStr as _;

use super::asked::Asked;
use super::length::{plain, signed};
use crate::args::Request;
use crate::exit::Exit;
use crate::failure::{Failure, one_line};
use crate::say::{INDENT, NAME};
use crate::{flag, hint, say};

/// What somebody answered, or why not.
pub(super) struct Answered {
    pub(super) asked: Asked,
    pub(super) took: Duration,
    pub(super) answer: Result<Answer, Fault>,
}

pub(super) enum Answer {
    /// In seconds, and what our clock had as it came.
    Moment { moment: SystemTime, ours: SystemTime },
    /// Of an NTP server.
    Reading(Box<Reading>),
    /// As it was said.
    Text(Vec<u8>),
}

/// Prints it all, and says how it went.
pub(super) fn print(request: &Request, all: &[Answered]) -> Exit {
    let agreement = agreed(all);
    let text = match all {
        _ if request.has(&flag::JSON) => objects(all, agreement.as_ref()),
        // Whoever asks one for the time may put the answer into a variable.
        [Answered { answer: Ok(answer), .. }] if !matches!(answer, Answer::Reading(_)) => {
            format!("{}\n", words(answer))
        }
        [Answered { asked, answer: Err(fault), .. }] => {
            let hint = hint(fault).map_or_else(String::new, |hint| format!("\n{INDENT}{hint}"));
            let text = format!("{NAME}: no time from {}: {fault}", asked.name);
            let object = json!({ "event": "failed", "error": text, "exit": exit(fault).code() });
            say::note_lines(request, object, &format!("{}{hint}", printable::line(text.as_bytes())));
            String::new()
        }
        all => table(all, agreement.as_ref()),
    };
    match say::data(&text) {
        Exit::Done => exit_of(all.iter().filter_map(|answered| answered.answer.as_ref().err())),
        unwritten => unwritten,
    }
}

/// How the program ends where these did not tell the time.
pub(super) fn exit_of<'a>(faults: impl Iterator<Item = &'a Fault>) -> Exit {
    let mut exits = faults.map(exit);
    let first = exits.next().unwrap_or(Exit::Done);
    if exits.all(|exit| exit == first) { first } else { Exit::Failed }
}

/// What to try.
fn hint(fault: &Fault) -> Option<Cow<'static, str>> {
    let hint = match fault {
        Fault::Failed(error) if error.kind() == Kind::Refused => {
            "nobody serves the time there; another port stands behind the host: ntp:HOST:PORT"
        }
        Fault::Failed(error) => return hint::of(error),
        Fault::Kiss(_) => "ask another server, or this one later",
        Fault::Silent { .. } => {
            "is it a time server? what goes there, or comes back, may be dropped on the way"
        }
        Fault::Ended | Fault::Malformed { .. } => "it may serve something else on that port",
    };
    Some(hint.into())
}

/// How a fault ends the program.
fn exit(fault: &Fault) -> Exit {
    match fault {
        Fault::Failed(error) => Failure::Run(error.clone()).exit(),
        Fault::Silent { .. } => Exit::TimeLimit,
        Fault::Ended | Fault::Kiss(_) | Fault::Malformed { .. } => Exit::Failed,
    }
}

type Agreed = (Vec<usize>, Option<Agreement>);

/// The NTP servers whose time means something, by their places, and what they agree on.
fn agreed(all: &[Answered]) -> Option<Agreed> {
    let sound = all.iter().enumerate().filter_map(|(at, answered)| match &answered.answer {
        Ok(Answer::Reading(reading)) if reading.status.is_synchronised() => {
            Some((at, (reading.offset_ns, reading.distance)))
        }
        _ => None,
    });
    let (places, ranges): (Vec<_>, Vec<_>) = sound.unzip();
    (!places.is_empty()).then(|| (places, agreement(&ranges)))
}

/// Whether the one at that place agrees with most; `None` where that cannot be said.
fn agrees(at: usize, agreed: Option<&Agreed>) -> Option<bool> {
    let (places, agreement) = agreed?;
    let place = places.iter().position(|place| *place == at)?;
    agreement.as_ref()?.agrees.get(place).copied()
}

const HEAD: [&str; 8] = ["server", "offset", "delay", "dispersion", "stratum", "leap", "reference", ""];

fn table(all: &[Answered], agreed: Option<&Agreed>) -> String {
    let mut rows: Vec<[String; 8]> = Vec::new();
    if all.iter().any(|answered| matches!(answered.answer, Ok(Answer::Reading(_)))) {
        rows.push(HEAD.map(str::to_owned));
    }
    for (at, answered) in all.iter().enumerate() {
        let name = printable::line(answered.asked.name.as_bytes());
        rows.push(match &answered.answer {
            Ok(Answer::Reading(reading)) => row(name, reading, agrees(at, agreed)),
            Ok(answer) => rest(name, words(answer)),
            Err(fault) => rest(name, format!("fails: {fault}")),
        });
    }
    let is_cell = |row: &&[String; 8]| row.iter().skip(2).any(|cell| !cell.is_empty());
    let width = |column: usize| {
        let of = |row: &[String; 8]| row.get(column).map_or(0, |cell| cell.width());
        // What is no number may be long, and moves no other column.
        rows.iter().filter(|row| column == 0 || is_cell(row)).map(of).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let gap = " ".repeat(width.saturating_sub(cell.width()));
            let is_number = (1..=4).contains(&column);
            line.push_str(&if is_number { format!("{gap}{cell}  ") } else { format!("{cell}{gap}  ") });
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text + &verdict(all, agreed)
}

/// A row without numbers.
fn rest(name: String, words: String) -> [String; 8] {
    let mut row: [String; 8] = Default::default();
    let [first, second, ..] = &mut row;
    (*first, *second) = (name, words);
    row
}

fn row(name: String, reading: &Reading, agrees: Option<bool>) -> [String; 8] {
    let Status { stratum, leap, reference_id, root_dispersion, .. } = reading.status;
    let dispersion = nanos(root_dispersion.duration() + reading.dispersion);
    let mut notes = Vec::new();
    if !reading.status.is_synchronised() {
        notes.push("not synchronised".to_owned());
    }
    if agrees == Some(false) {
        notes.push("tells another time than most".to_owned());
    }
    if reading.lost > 0 {
        notes.push(format!("lost {} of {}", reading.lost, reading.lost + reading.samples));
    }
    if reading.doubts > 0 {
        notes.push(format!("{} not believed", reading.doubts));
    }
    notes.extend(reading.kiss.map(|kiss| Fault::Kiss(kiss).to_string()));
    [
        name,
        signed(reading.offset_ns),
        plain(reading.delay_ns.unsigned_abs()),
        plain(dispersion),
        stratum.to_string(),
        leap_word(leap).to_owned(),
        reference_id.text(stratum),
        notes.join(", "),
    ]
}

fn leap_word(leap: Leap) -> &'static str {
    match leap {
        Leap::Delete => "-1 s",
        Leap::Insert => "+1 s",
        Leap::None => "none",
        Leap::Unsynchronised => "unset",
    }
}

/// What the servers come to.
fn verdict(all: &[Answered], agreed: Option<&Agreed>) -> String {
    let is_reading = |answered: &&Answered| matches!(answered.answer, Ok(Answer::Reading(_)));
    let readings = all.iter().filter(is_reading).count();
    match agreed {
        _ if readings == 0 => String::new(),
        None => "\nnothing is known of this clock: nobody who answered is synchronised\n".to_owned(),
        Some((places, None)) => {
            format!("\nnothing is known of this clock: no more than half of {} agree\n", places.len())
        }
        Some((places, Some(Agreement { agrees, offset_ns, distance }))) => {
            let agreeing = agrees.iter().filter(|agrees| **agrees).count();
            let who = if places.len() == 1 {
                String::new()
            } else {
                format!("{agreeing} of {} agree: ", places.len())
            };
            let way = if *offset_ns < 0 { "ahead" } else { "behind" };
            let off = plain(offset_ns.unsigned_abs());
            let most = plain(nanos(*distance));
            format!("\n{who}this clock is {off} {way}, give or take {most}\n")
        }
    }
}

/// What somebody said who is no NTP server, in one line.
fn words(answer: &Answer) -> String {
    match answer {
        Answer::Reading(reading) => signed(reading.offset_ns),
        Answer::Text(text) => printable::line(text.trim_ascii_end()),
        Answer::Moment { moment, .. } => {
            let moment = Timestamp::try_from(*moment).unwrap_or(Timestamp::MAX).to_zoned(TimeZone::system());
            moment.strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
        }
    }
}

fn objects(all: &[Answered], agreed: Option<&Agreed>) -> String {
    let mut text = String::new();
    for (at, answered) in all.iter().enumerate() {
        text.push_str(&format!("{}\n", object(answered, agrees(at, agreed))));
    }
    if let Some((places, agreement)) = agreed.filter(|(places, _)| places.len() > 1) {
        let agreeing = |agreed: &Agreement| agreed.agrees.iter().filter(|agrees| **agrees).count();
        let object = json!({
            "servers": places.len(), "agree": agreement.as_ref().map_or(0, agreeing),
            "offset": agreement.as_ref().map(|agreed| seconds(agreed.offset_ns)),
            "distance": agreement.as_ref().map(|agreed| agreed.distance.as_secs_f64()),
        });
        text.push_str(&format!("{object}\n"));
    }
    text
}

/// As JSON: times in seconds.
pub(super) fn object(answered: &Answered, agrees: Option<bool>) -> Value {
    let Answered { asked, took, answer } = answered;
    let mut object =
        json!({ "address": asked.name, "answers": answer.is_ok(), "seconds": took.as_secs_f64() });
    let more = match answer {
        Err(Fault::Failed(error)) => json!({ "error": one_line(error) }),
        Err(fault) => json!({ "error": fault.to_string() }),
        Ok(Answer::Text(text)) => json!({ "text": String::from_utf8_lossy(text) }),
        Ok(Answer::Moment { moment, ours }) => json!({
            "text": words(&Answer::Moment { moment: *moment, ours: *ours }),
            "offset": moment.duration_since(*ours).map_or_else(|ahead| -ahead.duration().as_secs_f64(), |behind| behind.as_secs_f64()),
        }),
        Ok(Answer::Reading(reading)) => of_reading(reading, agrees),
    };
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}

fn of_reading(reading: &Reading, agrees: Option<bool>) -> Value {
    let Status { stratum, leap, root_delay, root_dispersion, reference_id, .. } = reading.status;
    json!({
        "offset": seconds(reading.offset_ns), "delay": seconds(reading.delay_ns),
        "jitter": reading.jitter.as_secs_f64(), "dispersion": reading.dispersion.as_secs_f64(),
        "distance": reading.distance.as_secs_f64(), "agrees": agrees,
        "synchronised": reading.status.is_synchronised(), "stratum": stratum, "leap": leap_word(leap),
        "reference": reference_id.text(stratum), "root_delay": root_delay.duration().as_secs_f64(),
        "root_dispersion": root_dispersion.duration().as_secs_f64(), "samples": reading.samples,
        "lost": reading.lost, "not_believed": reading.doubts, "kiss": reading.kiss.map(code),
    })
}

fn code(kiss: Kiss) -> String {
    match kiss {
        Kiss::Deny => "DENY".to_owned(),
        Kiss::Other(id) => id.text(0),
        Kiss::Rate => "RATE".to_owned(),
    }
}

fn seconds(nanos: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a number of JSON is no more exact")]
    let nanos = nanos as f64;
    nanos / 1e9
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
