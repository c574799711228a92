//! Commands, run by others.

mod kept;

use std::ffi::OsString;
use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::Figure;
use crate::program::{Bench, Runner, Running, hosts};

pub(super) use kept::kept;

/// How much a command writes whose output is measured.
const OUTPUT: u64 = 1_000_000_000;

/// A command at a time, each asked for anew.
pub(super) fn new(running: &Running, bench: &Bench) -> io::Result<Vec<Figure>> {
    let each = repeated(bench.lasting, || done(running.asked(&["true"])).map(|()| 1))?;
    Ok(vec![Some(1e3 / each)])
}

/// What comes of a command that writes without a pause: through what runs it, or from the command itself, whose output is a
/// socket.
pub(super) fn output(running: &Running, _: &Bench) -> io::Result<Vec<Figure>> {
    let (count, began) = (OUTPUT.to_string(), Instant::now());
    match running.runner {
        Some(Runner::Here) => into_socket(&["head", "-c", &count, "/dev/zero"])?,
        _ => done(running.asked(&["head", "-c", &count, "/dev/zero"]))?,
    }
    Ok(vec![Some(OUTPUT as f64 / 1e6 / began.elapsed().as_secs_f64())])
}

/// A command at each of many addresses: all at once where the client does that, else one after the other.
pub(super) fn many(running: &Running, bench: &Bench) -> io::Result<Vec<Figure>> {
    let hosts: Vec<Ipv4Addr> = hosts().collect();
    let rate = match &running.runner {
        Some(Runner::Ours(client)) => repeated(bench.lasting, || {
            let addresses = hosts.iter().map(|host| format!("tcp:{host}:{}", running.port).into());
            let words: Vec<OsString> = client.iter().cloned().chain(addresses).collect();
            done(with(&words, &["--", "true"])).map(|()| hosts.len())
        })?,
        Some(Runner::Ssh(_)) => repeated(bench.lasting, || done(running.asked(&["true"])).map(|()| 1))?,
        _ => return Ok(vec![None]),
    };
    Ok(vec![Some(rate)])
}

impl Running {
    /// What has that command run.
    fn asked(&self, words: &[&str]) -> Command {
        match &self.runner {
            Some(Runner::Ours(client)) => {
                let address = format!("tcp:127.0.0.1:{}", self.port);
                with(&[client.as_slice(), &[address.into(), "--".into()]].concat(), words)
            }
            Some(Runner::Ssh(client)) => with(&[client.as_slice(), &["127.0.0.1".into()]].concat(), words),
            Some(Runner::Here) | None => with(&[], words),
        }
    }
}

fn with(words: &[OsString], further: &[&str]) -> Command {
    let words: Vec<OsString> = words.iter().cloned().chain(further.iter().map(OsString::from)).collect();
    let mut words = words.into_iter();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    command
}

/// Runs it to its good end. What it writes goes nowhere, so that nothing of it has to wait.
fn done(mut command: Command) -> io::Result<()> {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("it ended with {status}"))) }
}

/// How often a second something is done that says how much that was, over at least so long.
fn repeated(lasting: Duration, mut once: impl FnMut() -> io::Result<usize>) -> io::Result<f64> {
    let (began, mut count) = (Instant::now(), 0);
    while count == 0 || began.elapsed() < lasting {
        count += once()?;
    }
    Ok(count as f64 / began.elapsed().as_secs_f64())
}

/// Runs a command whose output is a socket that is read here.
fn into_socket(words: &[&str]) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let theirs = TcpStream::connect(listener.local_addr()?)?;
    let (mut ours, _) = listener.accept()?;
    let reads = thread::spawn(move || {
        let (mut room, mut bytes) = (vec![0; 256 << 10], 0);
        loop {
            match ours.read(&mut room)? {
                0 => return io::Result::Ok(bytes),
                read => bytes += read as u64,
            }
        }
    });
    let status = with(&[], words).stdin(Stdio::null()).stdout(OwnedFd::from(theirs)).status()?;
    let bytes = reads.join().map_err(|_| io::Error::other("who reads has panicked"))??;
    if status.success() && bytes == OUTPUT {
        return Ok(());
    }
    Err(io::Error::other(format!("{bytes} bytes came, and it ended with {status}")))
}
