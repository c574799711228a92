//! Times as text, by every conversion of C's strftime(3) with the flags of glibc, in the C locale.
//!
//! A format may come from a stranger: it is bounded, and so is what it makes, whatever widths it asks for.

use std::borrow::Cow;
use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

/// The longest format that is taken, in bytes.
pub const MAX_FORMAT: usize = 256;
/// The longest text that is made, in bytes.
pub const MAX_TEXT: usize = 1024;

/// A moment, as the clocks and calendars of a time zone show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment<'a> {
    /// In the Gregorian calendar.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60.
    pub second: u8,
    /// 0 to 6, from Sunday on.
    pub weekday: u8,
    /// 1 to 366.
    pub day_of_year: u16,
    /// Seconds east of UTC.
    pub offset: i32,
    /// How the time zone is abbreviated just then.
    pub zone: &'a str,
    /// Seconds since 1970 began in UTC.
    pub unix: i64,
}

/// Why a format makes no text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormatError {
    /// It has more than [`MAX_FORMAT`] bytes.
    TooLong,
    /// What it makes has more than [`MAX_TEXT`] bytes.
    TooMuch,
    /// This is no conversion.
    Unknown(String),
    /// It ends within a conversion.
    Unfinished,
}

/// Makes the text that a format asks for, behind what `text` holds already. What is no conversion is kept as it is.
///
/// # Errors
/// Why there is none; `text` is then as it was.
pub fn strftime(format: &str, moment: &Moment<'_>, text: &mut String) -> Result<(), FormatError> {
    if format.len() > MAX_FORMAT {
        return Err(FormatError::TooLong);
    }
    let begin = text.len();
    let made = Writer { text, most: begin.saturating_add(MAX_TEXT) }.write(format, moment);
    if made.is_err() {
        text.truncate(begin);
    }
    made
}

/// What stands between the percent sign and the end of a conversion.
#[derive(Debug, Default, Clone, Copy)]
struct Asked {
    /// One of `_ - 0`.
    pad: Option<char>,
    /// `^`
    raises: bool,
    /// `#`
    swaps: bool,
    width: usize,
    /// `E` or `O`, which change nothing in the C locale, but do not stand before everything.
    variant: Option<char>,
    letter: char,
}

/// What a conversion makes, before it is padded.
enum Made<'a> {
    /// A number with at least so many digits, and what stands before it otherwise.
    Number(i64, usize, char),
    /// The same with its sign, also where that is a plus.
    Signed(i64, usize),
    /// A name, which `#` raises.
    Name(&'a str),
    /// Text, which `#` lowers.
    Capitals(&'a str),
    /// Text that stays as it is.
    Plain(&'a str),
    /// What this format makes.
    Format(&'static str),
}

struct Writer<'a> {
    text: &'a mut String,
    /// How long it may become.
    most: usize,
}

impl Writer<'_> {
    fn write(&mut self, format: &str, moment: &Moment<'_>) -> Result<(), FormatError> {
        let mut rest = format.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '%' => self.convert(asked(&mut rest)?, moment)?,
                c => self.push(c)?,
            }
        }
        Ok(())
    }

    fn convert(&mut self, asked: Asked, moment: &Moment<'_>) -> Result<(), FormatError> {
        let Some(made) = made(asked, moment) else { return Err(FormatError::Unknown(asked.to_string())) };
        let text = match made {
            Made::Number(number, digits, pad) => {
                return self.number(number, if number < 0 { "-" } else { "" }, digits, pad, asked);
            }
            Made::Signed(number, digits) => {
                return self.number(number, if number < 0 { "-" } else { "+" }, digits, '0', asked);
            }
            Made::Name(text) if asked.swaps => Cow::Owned(text.to_ascii_uppercase()),
            Made::Capitals(text) if asked.swaps => Cow::Owned(text.to_ascii_lowercase()),
            Made::Name(text) | Made::Capitals(text) | Made::Plain(text) => Cow::Borrowed(text),
            Made::Format(format) => {
                let mut whole = String::new();
                strftime(format, moment, &mut whole)?;
                Cow::Owned(whole)
            }
        };
        let text = if asked.raises && asked.letter != 'P' { text.to_ascii_uppercase().into() } else { text };
        self.fill(asked.width.saturating_sub(text.len()), if asked.pad == Some('0') { '0' } else { ' ' })?;
        self.put(&text)
    }

    fn number(
        &mut self,
        number: i64,
        sign: &str,
        digits: usize,
        pad: char,
        asked: Asked,
    ) -> Result<(), FormatError> {
        let shown = number.unsigned_abs().to_string();
        let pad = asked.pad.unwrap_or(pad);
        let least = if pad == '-' { 0 } else { digits };
        self.put(sign)?;
        self.fill(least.max(asked.width).saturating_sub(shown.len()), if pad == '0' { '0' } else { ' ' })?;
        self.put(&shown)
    }

    fn put(&mut self, text: &str) -> Result<(), FormatError> {
        text.chars().try_for_each(|c| self.push(c))
    }

    fn fill(&mut self, count: usize, with: char) -> Result<(), FormatError> {
        (0..count).try_for_each(|_| self.push(with))
    }

    fn push(&mut self, c: char) -> Result<(), FormatError> {
        if self.text.len() + c.len_utf8() > self.most {
            return Err(FormatError::TooMuch);
        }
        self.text.push(c);
        Ok(())
    }
}

/// Reads what stands behind a percent sign.
fn asked(rest: &mut Peekable<Chars<'_>>) -> Result<Asked, FormatError> {
    let mut asked = Asked::default();
    while let Some(flag) = rest.next_if(|c| "_-0^#".contains(*c)) {
        match flag {
            '^' => asked.raises = true,
            '#' => asked.swaps = true,
            pad => asked.pad = Some(pad),
        }
    }
    while let Some(digit) = rest.peek().and_then(|c| c.to_digit(10)) {
        rest.next();
        // As wide as any number that is too wide.
        asked.width = asked.width.saturating_mul(10).saturating_add(digit as usize).min(MAX_TEXT + 1);
    }
    asked.variant = rest.next_if(|c| "EO".contains(*c));
    asked.letter = rest.next().ok_or(FormatError::Unfinished)?;
    Ok(asked)
}

/// What a conversion makes; `None` where there is no such.
fn made<'a>(asked: Asked, moment: &Moment<'a>) -> Option<Made<'a>> {
    let stands_before = match asked.variant {
        None => true,
        Some('E') => "cCxXyY".contains(asked.letter),
        Some(_) => "BbhdegGHIklmMSuUVwWyC".contains(asked.letter),
    };
    if !stands_before {
        return None;
    }
    let number = |number: i64, digits| Made::Number(number, digits, '0');
    let spaced = |number: u8| Made::Number(number.into(), 2, '_');
    let hour12 = (moment.hour + 11) % 12 + 1;
    let day_of_year = i64::from(moment.day_of_year);
    let (since_sunday, since_monday) = (i64::from(moment.weekday), i64::from((moment.weekday + 6) % 7));
    let is_morning = moment.hour < 12;
    Some(match asked.letter {
        'a' => Made::Name(WEEKDAYS.get(usize::from(moment.weekday))?.get(..3)?),
        'A' => Made::Name(WEEKDAYS.get(usize::from(moment.weekday))?),
        'b' | 'h' => Made::Name(MONTHS.get(usize::from(moment.month).checked_sub(1)?)?.get(..3)?),
        'B' => Made::Name(MONTHS.get(usize::from(moment.month).checked_sub(1)?)?),
        'c' => Made::Format("%a %b %e %H:%M:%S %Y"),
        'C' => number(moment.year.div_euclid(100).into(), 2),
        'd' => number(moment.day.into(), 2),
        'D' | 'x' => Made::Format("%m/%d/%y"),
        'e' => spaced(moment.day),
        'F' => Made::Format("%Y-%m-%d"),
        'g' => number(week(moment).0.rem_euclid(100), 2),
        'G' => number(week(moment).0, 4),
        'H' => number(moment.hour.into(), 2),
        'I' => number(hour12.into(), 2),
        'j' => number(day_of_year, 3),
        'k' => spaced(moment.hour),
        'l' => spaced(hour12),
        'm' => number(moment.month.into(), 2),
        'M' => number(moment.minute.into(), 2),
        'n' => Made::Plain("\n"),
        'p' => Made::Capitals(if is_morning { "AM" } else { "PM" }),
        'P' => Made::Plain(if is_morning { "am" } else { "pm" }),
        'r' => Made::Format("%I:%M:%S %p"),
        'R' => Made::Format("%H:%M"),
        's' => Made::Number(moment.unix, 1, '_'),
        'S' => number(moment.second.into(), 2),
        't' => Made::Plain("\t"),
        'T' | 'X' => Made::Format("%H:%M:%S"),
        'u' => number(since_monday + 1, 1),
        'U' => number((day_of_year + 6 - since_sunday) / 7, 2),
        'V' => number(week(moment).1, 2),
        'w' => number(since_sunday, 1),
        'W' => number((day_of_year + 6 - since_monday) / 7, 2),
        'y' => number(moment.year.rem_euclid(100).into(), 2),
        'Y' => number(moment.year.into(), 4),
        'z' => Made::Signed((moment.offset / 3600 * 100 + moment.offset % 3600 / 60).into(), 4),
        'Z' => Made::Capitals(moment.zone),
        '%' => Made::Plain("%"),
        _ => return None,
    })
}

const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The week of ISO 8601 and its year: the first is that of the first Thursday, and each begins on Monday.
fn week(moment: &Moment<'_>) -> (i64, i64) {
    let (year, weekday) = (i64::from(moment.year), i64::from((moment.weekday + 6) % 7));
    match (i64::from(moment.day_of_year) + 9 - weekday) / 7 {
        0 => (year - 1, weeks(year - 1)),
        53 if weeks(year) < 53 => (year + 1, 1),
        week => (year, week),
    }
}

/// How many such weeks a year has: 53 where it begins or ends on a Thursday.
fn weeks(year: i64) -> i64 {
    let last =
        |year: i64| (year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400)).rem_euclid(7);
    if last(year) == 4 || last(year - 1) == 3 { 53 } else { 52 }
}

/// Without flags and width, which are never at fault.
impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variant = self.variant.map(String::from).unwrap_or_default();
        write!(f, "%{variant}{}", self.letter)
    }
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "a format has at most {MAX_FORMAT} bytes"),
            Self::TooMuch => write!(f, "this format makes more than {MAX_TEXT} bytes"),
            Self::Unknown(what) => write!(f, "{what} is no conversion of strftime; %% is a percent sign"),
            Self::Unfinished => f.write_str("the format ends within a conversion; %% is a percent sign"),
        }
    }
}

impl std::error::Error for FormatError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Saturday, in a zone that is half an hour off.
    const THEN: Moment<'_> = Moment {
        year: 2027,
        month: 1,
        day: 2,
        hour: 15,
        minute: 4,
        second: 5,
        weekday: 6,
        day_of_year: 2,
        offset: -12_600,
        zone: "NST",
        unix: 1_798_911_245,
    };

    fn made(format: &str, moment: &Moment<'_>) -> Result<String, FormatError> {
        let mut text = String::new();
        strftime(format, moment, &mut text).map(|()| text)
    }

    #[test]
    fn every_conversion_makes_what_c_makes() {
        for (format, want) in [
            ("%a %A %b %B %h", "Sat Saturday Jan January Jan"),
            (
                "%c|%x|%X|%r|%D|%F|%R|%T",
                "Sat Jan  2 15:04:05 2027|01/02/27|15:04:05|03:04:05 PM|01/02/27|2027-01-02|15:04|15:04:05",
            ),
            ("%C %y %Y %m %d|%e|%j", "20 27 2027 01 02| 2|002"),
            ("%H %I|%k|%l|%M %S %p %P", "15 03|15| 3|04 05 PM pm"),
            ("%u %w %U %W %V %g %G", "6 6 00 00 53 26 2026"),
            ("%z %Z %s %%%n%t", "-0330 NST 1798911245 %\n\t"),
            ("%Ec|%EC %Ex %EX %Ey %EY", "Sat Jan  2 15:04:05 2027|20 01/02/27 15:04:05 27 2027"),
            ("%Od %Oe %OH %OI %Om %OM %OS %Ou %OU %OV %Ow %OW %Oy", "02  2 15 03 01 04 05 6 00 53 6 00 27"),
            (
                "%_d|%-d|%0e|%-e|%_m|%-j|%^a|%#a|%#p|%#Z|%^B|%^c",
                " 2|2|02|2| 1|2|SAT|SAT|pm|nst|JANUARY|SAT JAN  2 15:04:05 2027",
            ),
            (
                "%5d|%_5d|%-5d|%5e|%10A|%010A|%10D|%_z|%-z",
                "00002|    2|    2|    2|  Saturday|00Saturday|  01/02/27|- 330|-330",
            ),
            ("%Y年%m月%d日", "2027年01月02日"),
        ] {
            assert_eq!(made(format, &THEN).as_deref(), Ok(want), "{format}");
        }
        let night = Moment { hour: 0, offset: 20_700, ..THEN };
        assert_eq!(made("%I %l %p %z", &night).as_deref(), Ok("12 12 AM +0545"));
    }

    #[test]
    fn weeks_are_those_of_iso_8601() {
        for (year, day_of_year, weekday, want) in [
            (2020, 1, 3, "2020-W01-3"),
            (2020, 366, 4, "2020-W53-4"),
            (2021, 1, 5, "2020-W53-5"),
            (2021, 4, 1, "2021-W01-1"),
            (2024, 365, 1, "2025-W01-1"),
            (2023, 1, 0, "2022-W52-7"),
        ] {
            let moment = Moment { year, day_of_year, weekday, ..THEN };
            assert_eq!(made("%G-W%V-%u", &moment).as_deref(), Ok(want));
        }
    }

    #[test]
    fn what_cannot_be_made_says_why() {
        for (format, want) in [
            ("%Q", "%Q is no conversion"),
            ("now: %_12Ed", "%Ed is no conversion"),
            ("%年", "%年 is no conversion"),
            ("100%", "ends within"),
            ("%-10", "ends within"),
            ("%1000000Y", "more than 1024 bytes"),
            ("%99999999999999999999999A", "more than 1024 bytes"),
            ("%600d%600d", "more than 1024 bytes"),
            (&"x".repeat(257), "at most 256 bytes"),
        ] {
            let error = made(format, &THEN).unwrap_err().to_string();
            assert!(error.contains(want), "{format}: {error}");
        }
        assert_eq!(made(&"é".repeat(128), &THEN).map(|text| text.len()), Ok(256));
    }

    proptest! {
        #[test]
        fn no_format_makes_more_than_there_is_room_for(format in "(%[_0^#-]{0,2}[0-9]{0,4}[EO]?[a-zA-Z%]|\\PC){0,40}") {
            let mut text = "before".to_owned();
            match strftime(&format, &THEN, &mut text) {
                Ok(()) => prop_assert!(text.len() <= 6 + MAX_TEXT),
                Err(_) => prop_assert_eq!(&text, "before"),
            }
            prop_assert!(text.starts_with("before"));
        }
    }
}
