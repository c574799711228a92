//! What is to run, as it is asked of each host.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::time::Duration;

use sockeye::proto::exec;
use sockeye::proto::printable;

use super::raw::Raw;
use super::{rsh, terminal, token};
use crate::args::Request;
use crate::failure::Failure;
use crate::flag;

/// A command and what is known of it before any host is asked.
pub(super) struct Order {
    pub(super) request: exec::Request,
    /// What proves who we are; empty where nothing needs to.
    pub(super) token: Vec<u8>,
    /// How long each host has, from connecting to the end of the command.
    pub(super) timeout: Option<Duration>,
    /// How often a connection is tried again.
    pub(super) retries: usize,
    /// It goes over the wire of tutorials.
    pub(super) raw: Option<Raw>,
}

impl Order {
    pub(super) fn of(request: &Request) -> Result<Self, Failure> {
        let mut asked = exec::Request::of(what(request)?);
        asked.variables = request.values(&flag::ENV).map(variable).collect::<Result<_, _>>()?;
        asked.folder = request.value(&flag::CWD).unwrap_or_default().as_bytes().to_vec();
        if request.has(&flag::PTY) {
            asked.terminal = Some(terminal::window());
            // What kind of terminal it is, unless they were told something else.
            let kind = std::env::var_os("TERM").map(|kind| (b"TERM".to_vec(), kind.into_vec()));
            let is_told = asked.variables.iter().any(|(name, _)| name == b"TERM");
            asked.variables.extend(kind.filter(|_| !is_told));
        }
        asked.has_input = !request.has(&flag::RECV_ONLY);
        // The two are shown as one, in the order in which they were written.
        asked.is_joined = request.has(&flag::FOLD) && !request.has(&flag::JSON);
        let raw = Raw::of(request, &asked)?;
        Ok(Self {
            request: asked,
            raw,
            token: request.value(&flag::TOKEN).map_or(Ok(Vec::new()), token::read)?,
            timeout: request.time(&flag::TIMEOUT)?,
            retries: request.number(&flag::RETRY, 0..=1000)?.unwrap_or_default(),
        })
    }

    /// The command as people would write it.
    pub(super) fn shown(&self) -> String {
        printable::line(&match &self.request.what {
            exec::What::Line(line) => line.clone(),
            exec::What::Words(words) => words.join(&b' '),
        })
    }

    /// What runs there, in a word.
    pub(super) fn program(&self) -> String {
        match &self.request.what {
            exec::What::Line(_) => "the line".to_owned(),
            exec::What::Words(words) => printable::line(words.first().map_or(b"", Vec::as_slice)),
        }
    }
}

fn what(request: &Request) -> Result<exec::What, Failure> {
    let words = request.command.clone().map(|words| words.into_iter().map(OsString::into_vec).collect());
    match (request.value(&flag::SH_LINE), words) {
        (None, Some(words)) if request.has(&flag::RSH) => rsh::command(words).map(exec::What::Words),
        (None, Some(words)) if !words.is_empty() => Ok(exec::What::Words(words)),
        (Some(line), None) => Ok(exec::What::Line(line.as_bytes().to_vec())),
        (Some(_), Some(_)) => Err(Failure::usage(
            "--sh LINE is the command, and so is what stands behind --",
            "leave one of them out",
        )),
        (None, _) => Err(Failure::usage(
            "there is no command",
            "put -- before it, as in: sockeye run tcp:localhost:7709 -- uptime",
        )),
    }
}

fn variable(text: &str) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    let wrong = || Failure::usage(format!("--env {text}: not NAME=VALUE"), "such as --env LANG=C");
    let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(wrong)?;
    Ok((name.into(), value.into()))
}
