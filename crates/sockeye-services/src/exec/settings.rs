//! What the flags of `exec` are set to.

use std::time::Duration;

use rustix::process::geteuid;
use sockeye::process;
use sockeye::proto::unit;
use sockeye::{Ctx, Given};

use super::policy::{Named, Policy, Programs};
use super::raw::Raw;
use crate::access::Access;

/// Everything that a server of commands was told.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) access: Access,
    pub(crate) policy: Policy,
    /// Commands at once, in all and of one peer.
    pub(crate) most: u32,
    pub(crate) most_per_peer: u32,
    /// How long a command may run.
    pub(crate) time: Option<Duration>,
    /// How many bytes a command may say.
    pub(crate) output: Option<u64>,
    /// The wire of tutorials, where that is spoken.
    pub(super) raw: Option<Raw>,
}

/// Commands at once, unless set.
const COMMANDS: u32 = 1000;
const COMMANDS_PER_PEER: u32 = 100;

impl Settings {
    /// # Errors
    /// A sentence: a flag is wrong, or nothing may be run, or we are root and nobody said that this is meant.
    pub(crate) fn read(given: &Given, ctx: &Ctx) -> Result<Self, String> {
        if geteuid().is_root() && !given.has("as-root") {
            return Err("as root, whoever may run commands may do everything; start it as another user, or say --as-root"
                .to_owned());
        }
        let named: Vec<&str> = given.values("program").collect();
        let programs = match (given.has("shell"), named.is_empty()) {
            (true, true) => Programs::All,
            (true, false) => {
                return Err("--shell is for every program; leave it out, or --program".to_owned());
            }
            (false, true) => {
                return Err(
                    "say what may be run: --program PROG for each program, or --shell for everything"
                        .to_owned(),
                );
            }
            (false, false) => {
                let path = std::env::var("PATH").unwrap_or_default();
                Programs::Named(
                    named.into_iter().map(|word| Named::find(word, &path)).collect::<Result<_, _>>()?,
                )
            }
        };
        let raw = Raw::read(given)?;
        let policy = Policy {
            programs,
            variables: given.values("env").map(str::to_owned).collect(),
            folder: given.value("cwd").map(Into::into),
            limits: process::Limits {
                memory: read(given, "memory", "a size such as 512M", unit::size)?,
                processes: number(given, "processes")?,
                open_files: read(given, "open-files", "a number", unit::count)?.or(ctx.limits.open_files),
                ..process::Limits::default()
            },
        };
        Ok(Self {
            access: match given.value("tokens") {
                Some(place) => Access::with_tokens_from(place, ctx)?,
                None => Access::ours(),
            },
            policy,
            most: number(given, "commands")?.unwrap_or(COMMANDS),
            most_per_peer: number(given, "commands-per-peer")?.unwrap_or(COMMANDS_PER_PEER),
            time: read(given, "time", "a time such as 30s or 1h", unit::duration)?,
            output: read(given, "output", "a size such as 10M", unit::size)?,
            raw,
        })
    }
}

/// The value of a flag; `None` where it was not given.
fn read<T>(
    given: &Given,
    flag: &str,
    what: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, String> {
    let wrong = |text: &str| format!("--{flag} {text}: expected {what}");
    given.value(flag).map(|text| read(text).ok_or_else(|| wrong(text))).transpose()
}

/// A number of things, 1 at least.
fn number(given: &Given, flag: &str) -> Result<Option<u32>, String> {
    let positive = |text: &str| unit::count(text).and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0);
    read(given, flag, "a number from 1 on", positive)
}
