//! The words of the command line.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use lexopt::{Arg, Parser, ValueExt};

use crate::case::{CASES, Case};
use crate::program::{PROGRAMS, Program};

/// What is to be done.
pub(crate) enum Asked {
    Compare(Options),
    Help,
    /// To be the bound, which is a process of its own.
    LimitOfDatagrams,
    LimitOfStreams,
}

/// How to compare.
pub(crate) struct Options {
    pub(crate) binary: PathBuf,
    pub(crate) cases: Vec<&'static Case>,
    pub(crate) programs: Vec<&'static Program>,
    pub(crate) rounds: usize,
    /// How long each measurement takes.
    pub(crate) lasting: Duration,
    /// How many connections are held beside the busy one.
    pub(crate) held: usize,
}

/// Reads the words that the process was started with.
///
/// # Errors
/// What is wrong with them.
pub(crate) fn read() -> Result<Asked, lexopt::Error> {
    // Beside it the same build left the other.
    let beside = std::env::current_exe().unwrap_or_default().with_file_name("sockeye");
    let asked = parse(Parser::from_env(), beside)?;
    match &asked {
        Asked::Compare(options) if !options.binary.is_file() => {
            Err(format!("there is no program {}", options.binary.display()).into())
        }
        _ => Ok(asked),
    }
}

fn parse(mut parser: Parser, binary: PathBuf) -> Result<Asked, lexopt::Error> {
    let mut options = Options {
        binary,
        cases: Vec::new(),
        programs: PROGRAMS.iter().collect(),
        rounds: 3,
        lasting: Duration::from_secs(2),
        held: 10_000,
    };
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("help") | Arg::Short('h') => return Ok(Asked::Help),
            Arg::Long("binary") => options.binary = parser.value()?.into(),
            Arg::Long("only") => options.programs = only(&parser.value()?.string()?)?,
            Arg::Long("rounds") => options.rounds = number(&mut parser, 1..=100)?,
            Arg::Long("seconds") => {
                options.lasting = Duration::from_secs_f64(number(&mut parser, 0.1..=60.0)?)
            }
            Arg::Long("held") => options.held = number(&mut parser, 1..=20_000)?,
            Arg::Value(word) if word == "limit" => return limit(&mut parser),
            Arg::Value(word) => options.cases.push(case(&word.string()?)?),
            _ => return Err(arg.unexpected()),
        }
    }
    if options.cases.is_empty() {
        options.cases = CASES.iter().collect();
    }
    Ok(Asked::Compare(options))
}

fn limit(parser: &mut Parser) -> Result<Asked, lexopt::Error> {
    match parser.value()?.string()?.as_str() {
        "datagrams" => Ok(Asked::LimitOfDatagrams),
        "streams" => Ok(Asked::LimitOfStreams),
        other => Err(format!("there is no limit of {other:?}").into()),
    }
}

fn case(name: &str) -> Result<&'static Case, lexopt::Error> {
    let found = CASES.iter().find(|case| case.name == name);
    found.ok_or_else(|| format!("there is no case {name:?}").into())
}

fn only(names: &str) -> Result<Vec<&'static Program>, lexopt::Error> {
    for name in names.split(',') {
        if !PROGRAMS.iter().any(|program| program.name == name) {
            return Err(format!("there is no program {name:?} to compare").into());
        }
    }
    Ok(PROGRAMS.iter().filter(|program| names.split(',').any(|name| name == program.name)).collect())
}

fn number<T>(parser: &mut Parser, range: RangeInclusive<T>) -> Result<T, lexopt::Error>
where
    T: FromStr<Err: Error + Send + Sync + 'static> + PartialOrd + Display,
{
    let number = parser.value()?.parse()?;
    if !range.contains(&number) {
        return Err(format!("{number} is not from {} to {}", range.start(), range.end()).into());
    }
    Ok(number)
}

/// All there is.
pub(crate) fn help(out: &mut impl Write) -> io::Result<()> {
    let programs: Vec<_> = PROGRAMS.iter().map(|program| program.name).collect();
    writeln!(
        out,
        "compare [CASE]... measures sockeye beside other programs, and prints a table in Markdown.\n\n\
         --binary PATH   the sockeye to measure; unless set, the one beside this program\n\
         --only A,B      which programs: {}\n\
         --rounds N      in each, every program has its turn; unless set, 3\n\
         --seconds S     how long each measurement takes, 0.1 to 60; unless set, 2\n\
         --held N        how many connections are held beside the busy one; unless set, 10000\n\n\
         Cases, of which all are measured unless some are named:",
        programs.join(",")
    )?;
    CASES.iter().try_for_each(|case| writeln!(out, "  {:18} {}", case.name, case.what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &str) -> Result<Options, String> {
        match parse(Parser::from_args(words.split_whitespace()), PathBuf::from("sockeye")) {
            Ok(Asked::Compare(options)) => Ok(options),
            Ok(_) => Err("something else was asked".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn all_is_compared_unless_some_is_named() {
        let options = parsed("").unwrap();
        assert_eq!((options.cases.len(), options.programs.len()), (CASES.len(), PROGRAMS.len()));
        let options = parsed("udp tcp --only ncat,sockeye --seconds 0.5").unwrap();
        assert_eq!(options.cases.iter().map(|case| case.name).collect::<Vec<_>>(), ["udp", "tcp"]);
        assert_eq!(
            options.programs.iter().map(|program| program.name).collect::<Vec<_>>(),
            ["sockeye", "ncat"]
        );
        assert_eq!(options.lasting, Duration::from_millis(500));
    }

    #[test]
    fn what_is_not_there_is_refused() {
        for (words, why) in [
            ("tpc", "there is no case \"tpc\""),
            ("--only nc", "there is no program \"nc\" to compare"),
            ("--rounds 0", "0 is not from 1 to 100"),
            ("--seconds NaN", "NaN is not from 0.1 to 60"),
            ("limit other", "there is no limit of \"other\""),
            ("--rnd 1", "invalid option '--rnd'"),
        ] {
            assert_eq!(parsed(words).err().as_deref(), Some(why), "{words}");
        }
    }
}
