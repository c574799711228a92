//! The programs with which people wait for one connection, joined to their standard input and output.

use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use testkit::{LIMIT, Process, Scratch, require, wait_until};

use super::port::{self, Port};
use super::python::python_server;

/// A program that waits for one connection.
pub(super) struct Listener {
    pub(super) name: &'static str,
    start: fn() -> Waiting,
}

/// One that does. It ends with this value.
pub(super) struct Waiting {
    pub(super) process: Process,
    /// As `sockeye dial` takes it.
    pub(super) address: String,
    _port: Option<Port>,
    _scratch: Option<Scratch>,
}

impl Listener {
    /// Returns once it listens.
    pub(super) fn start(&self) -> Waiting {
        (self.start)()
    }
}

pub(super) static LISTENERS: [Listener; 11] = [
    Listener { name: "nc -l", start: || on_port("nc.openbsd -N -l 127.0.0.1 PORT") },
    Listener { name: "nc -lU", start: || on_path("nc.openbsd -N -l -U PATH") },
    Listener { name: "ncat -l", start: || on_port("ncat -l 127.0.0.1 PORT") },
    Listener { name: "ncat -lU", start: || on_path("ncat -l -U PATH") },
    Listener {
        name: "socat on a port",
        start: || on_port("socat -t 10 - TCP4-LISTEN:PORT,bind=127.0.0.1,reuseaddr"),
    },
    Listener { name: "socat on a path", start: || on_path("socat -t 10 - UNIX-LISTEN:PATH") },
    Listener { name: "socat on a name", start: || on_name("socat -t 10 - ABSTRACT-LISTEN:NAME") },
    Listener { name: "Python over IPv4", start: || in_python("tcp:127.0.0.1:0") },
    Listener { name: "Python over IPv6", start: || in_python("tcp:[::1]:0") },
    Listener {
        name: "Python on a path",
        start: || {
            let scratch = Scratch::new();
            let waiting = in_python(&format!("unix:{}", scratch.path("socket").display()));
            Waiting { _scratch: Some(scratch), ..waiting }
        },
    },
    Listener { name: "Python on a name", start: || in_python(&format!("unix:@{}", unique_name())) },
];

/// Starts a command in which `PORT` stands for the port.
pub(super) fn on_port(command: &str) -> Waiting {
    let port = Port::reserve();
    let process = spawn(&command.replace("PORT", &port.number.to_string()));
    wait_until(LIMIT, command, || port.is_listened_on());
    Waiting { process, address: format!("tcp:127.0.0.1:{}", port.number), _port: Some(port), _scratch: None }
}

fn on_path(command: &str) -> Waiting {
    let scratch = Scratch::new();
    let path = scratch.path("socket").display().to_string();
    let process = spawn(&command.replace("PATH", &path));
    wait_until(LIMIT, command, || port::is_listened_on(&path));
    Waiting { process, address: format!("unix:{path}"), _port: None, _scratch: Some(scratch) }
}

fn on_name(command: &str) -> Waiting {
    let name = unique_name();
    let process = spawn(&command.replace("NAME", &name));
    wait_until(LIMIT, command, || port::is_listened_on(&format!("@{name}")));
    Waiting { process, address: format!("unix:@{name}"), _port: None, _scratch: None }
}

fn in_python(address: &str) -> Waiting {
    let (process, address) = python_server("join(accept(sys.argv[1]))", &[address]);
    Waiting { process, address, _port: None, _scratch: None }
}

fn spawn(command: &str) -> Process {
    let mut words = command.split(' ');
    let tool = require(words.next().unwrap_or_default());
    Process::spawn(Command::new(tool).args(words))
}

/// The abstract names of this machine are open to all its programs.
fn unique_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("sockeye-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
