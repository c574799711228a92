//! A program under load: started, found to be ready, and ended with all that it started.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use sockeye_proto::printable;

use crate::account;

/// How long a program may take until it is ready.
const START: Duration = Duration::from_secs(10);
/// How long a killed process may take to be gone.
const END: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };
/// How much of what a program said is looked at, and how much of that is told where it failed.
const SAID: usize = 64 << 10;
const TOLD: usize = 300;

/// By what a program's port is known.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Port {
    /// Nobody had this one a moment ago, and the program was told to take it. The kernel's table of sockets tells when it
    /// has.
    Given(u16, Transport),
    /// The kernel chooses it, and the program's ready line tells it.
    Told,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Transport {
    Tcp,
    Udp,
}

/// A running program. Dropping it ends it.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
}

impl Server {
    /// Starts a program and waits until it is ready.
    ///
    /// # Errors
    /// It cannot be started, ends, or is not ready in time: with the end of what it said.
    pub(crate) fn start(words: &[OsString], port: Port) -> io::Result<Self> {
        let log = File::from(memfd_create("said", MemfdFlags::CLOEXEC)?);
        let mut command = command(words);
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log.try_clone()?).spawn()?;
        let mut server = Self { child, port: 0 };
        let began = Instant::now();
        while began.elapsed() < START {
            let ready = match port {
                Port::Given(port, transport) => is_bound(port, transport)?.then_some(port),
                Port::Told => told(&said(&log)?),
            };
            if let Some(port) = ready {
                server.port = port;
                return Ok(server);
            }
            if let Some(status) = server.child.try_wait()? {
                return Err(io::Error::other(format!(
                    "it ended with {status}: {}",
                    last_words(&said(&log)?)
                )));
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "it looks again, and waits for nothing by sleeping"
            )]
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(io::Error::other(format!("it is not ready after {START:?}: {}", last_words(&said(&log)?))))
    }

    /// What it and all that it started have used of the processors' time.
    pub(crate) fn cpu(&self) -> Duration {
        account::cpu(self.child.id())
    }

    /// The bytes of its own memory, and that of all that it started.
    pub(crate) fn memory(&self) -> u64 {
        account::memory(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let members = account::members(self.child.id());
        let pids = members.into_iter().filter_map(|id| Pid::from_raw(id.cast_signed()));
        // One that has ended meanwhile is as well.
        let all: Vec<OwnedFd> = pids.filter_map(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()).collect();
        for process in &all {
            pidfd_send_signal(process, Signal::KILL).ok();
        }
        // What ends late would disturb who is measured next.
        for process in &all {
            poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&END)).ok();
        }
        self.child.wait().ok();
    }
}

/// A command that finds what only root's path has, and ends when we do, whatever becomes of us.
pub(crate) fn command(words: &[OsString]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "--"]).args(words);
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    command.env("PATH", path);
    command
}

/// A program and its arguments, which stand in a text with a space between.
pub(crate) fn words(text: &str) -> Vec<OsString> {
    text.split(' ').map(OsString::from).collect()
}

/// A port that nobody has at the moment.
pub(crate) fn free_port(transport: Transport) -> io::Result<u16> {
    let at = (Ipv4Addr::LOCALHOST, 0);
    let address = match transport {
        Transport::Tcp => TcpListener::bind(at)?.local_addr()?,
        Transport::Udp => UdpSocket::bind(at)?.local_addr()?,
    };
    Ok(address.port())
}

/// The port in the first line of that text, if it is whole: `sockeye: echo on tcp:127.0.0.1:40123`.
fn told(text: &str) -> Option<u16> {
    let (line, _) = text.split_once('\n')?;
    line.split_once(" on ")?.1.rsplit_once(':')?.1.parse().ok()
}

/// Whether a socket listens on that port, or has it where datagrams are concerned: see proc_net_tcp in the kernel's
/// documentation.
fn is_bound(port: u16, transport: Transport) -> io::Result<bool> {
    let (table, state) = match transport {
        Transport::Tcp => ("/proc/net/tcp", "0A"),
        Transport::Udp => ("/proc/net/udp", "07"),
    };
    let own = format!(":{port:04X}");
    Ok(fs::read_to_string(table)?.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().take(4).collect();
        matches!(fields.as_slice(), [_, local, _, at] if local.ends_with(&own) && *at == state)
    }))
}

/// What a program said so far.
fn said(log: &File) -> io::Result<String> {
    let mut text = vec![0; SAID];
    let length = log.read_at(&mut text, 0)?;
    text.truncate(length);
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The end of that, in one line.
fn last_words(said: &str) -> String {
    let begin = said.len().saturating_sub(TOLD);
    let end = said.as_bytes().get(begin..).unwrap_or_default();
    let lines: Vec<String> = end.split(|byte| *byte == b'\n').map(printable::line).collect();
    lines.join("; ").trim_end_matches("; ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ready_line_tells_the_port_once_it_is_whole() {
        assert_eq!(told("sockeye: echo on tcp:127.0.0.1:401"), None);
        assert_eq!(told("sockeye: echo on tcp:127.0.0.1:401\n"), Some(401));
        assert_eq!(told("sockeye: warning\nsockeye: echo on tcp:127.0.0.1:401\n"), None);
    }

    #[test]
    fn a_server_is_ready_when_its_port_is_bound_and_ends_with_all_it_started() {
        let port = free_port(Transport::Tcp).unwrap();
        let script = format!("ncat -lk 127.0.0.1 {port} & sleep 60");
        let server =
            Server::start(&["sh".into(), "-c".into(), script.into()], Port::Given(port, Transport::Tcp))
                .unwrap();
        let members = account::members(server.child.id());
        assert_eq!(members.len(), 3, "a shell, ncat and sleep");
        drop(server);
        assert!(!is_bound(port, Transport::Tcp).unwrap());
    }

    #[test]
    fn a_server_that_ends_before_it_is_ready_is_told_of_with_what_it_said() {
        let script = ["sh", "-c", "echo no such port >&2; exit 3"].map(OsString::from);
        let error = Server::start(&script, Port::Told).err().unwrap();
        assert_eq!(error.to_string(), "it ended with exit status: 3: no such port");
    }
}
