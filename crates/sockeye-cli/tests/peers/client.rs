//! The programs that people connect with, and what is theirs in what they print.

use std::process::Command;

use testkit::require;

use super::python::PREAMBLE;

/// A program that connects standard input and output to an address.
pub(super) struct Client {
    pub(super) name: &'static str,
    /// Nothing for an address that it cannot reach.
    connect: fn(&To<'_>) -> Option<Command>,
    /// What it writes before anything that comes.
    greeting: fn(&To<'_>) -> String,
    /// Whether any byte goes through it as it is.
    pub(super) is_transparent: bool,
}

/// Where to, as a ready line has it.
enum To<'a> {
    Tcp { host: &'a str, port: &'a str },
    Udp { host: &'a str, port: &'a str },
    Unix(&'a str),
}

impl Client {
    /// The command that connects to `address`, and what it writes before anything that comes. Nothing for an
    /// address that it cannot reach.
    pub(super) fn connect(&self, address: &str) -> Option<(Command, String)> {
        let (scheme, rest) = address.split_once(':').expect("a scheme");
        let (host, port) = rest.rsplit_once(':').unwrap_or_default();
        let host = host.trim_matches(['[', ']']);
        let to = match scheme {
            "tcp" => To::Tcp { host, port },
            "udp" => To::Udp { host, port },
            "unix" => To::Unix(rest),
            _ => panic!("no client for {address}"),
        };
        (self.connect)(&to).map(|command| (command, (self.greeting)(&to)))
    }
}

pub(super) static NC: Client = Client {
    name: "nc",
    connect: |to| match to {
        To::Tcp { host, port } => Some(command("nc.openbsd", &["-N", host, port])),
        To::Udp { host, port } => Some(command("nc.openbsd", &["-u", host, port])),
        To::Unix(path) => Some(command("nc.openbsd", &["-N", "-U", path])),
    },
    greeting: nothing,
    is_transparent: true,
};

pub(super) static NCAT: Client = Client {
    name: "ncat",
    connect: |to| match to {
        To::Tcp { host, port } => Some(command("ncat", &[host, port])),
        To::Udp { host, port } => Some(command("ncat", &["-u", host, port])),
        To::Unix(path) => Some(command("ncat", &["-U", path])),
    },
    greeting: nothing,
    is_transparent: true,
};

/// `-t`: how long it waits for one side once the other has ended. Half a second, as it is without, is less than a
/// busy machine may need. `-b`: the longest datagram that it does not cut.
pub(super) static SOCAT: Client = Client {
    name: "socat",
    connect: |to| {
        let address = match to {
            To::Tcp { host, port } if host.contains(':') => format!("TCP6:[{host}]:{port}"),
            To::Tcp { host, port } => format!("TCP4:{host}:{port}"),
            To::Udp { host, port } if host.contains(':') => format!("UDP6:[{host}]:{port}"),
            To::Udp { host, port } => format!("UDP4:{host}:{port}"),
            To::Unix(path) => format!("UNIX-CONNECT:{path}"),
        };
        Some(command("socat", &["-t", "10", "-b", "65536", "-", &address]))
    },
    greeting: nothing,
    is_transparent: true,
};

/// It ends with its standard input, whatever may still come, sends CR LF for each line feed and writes a line feed
/// for each CR LF.
pub(super) static TELNET: Client = Client {
    name: "telnet",
    connect: |to| match to {
        To::Tcp { host, port } => Some(command("telnet", &[host, port])),
        To::Udp { .. } | To::Unix(_) => None,
    },
    greeting: |to| match to {
        To::Tcp { host, .. } => {
            format!("Trying {host}...\nConnected to {host}.\nEscape character is '^]'.\n")
        }
        To::Udp { .. } | To::Unix(_) => String::new(),
    },
    is_transparent: false,
};

pub(super) static PYTHON: Client = Client {
    name: "Python",
    connect: |to| {
        let address = match to {
            To::Tcp { host, port } if host.contains(':') => format!("tcp:[{host}]:{port}"),
            To::Tcp { host, port } => format!("tcp:{host}:{port}"),
            To::Udp { host, port } if host.contains(':') => format!("udp:[{host}]:{port}"),
            To::Udp { host, port } => format!("udp:{host}:{port}"),
            To::Unix(path) => format!("unix:{path}"),
        };
        Some(testkit::python(&format!("{PREAMBLE}\njoin(connect(sys.argv[1]))"), &[&address]))
    },
    greeting: nothing,
    is_transparent: true,
};

pub(super) static CLIENTS: [&Client; 5] = [&NC, &NCAT, &SOCAT, &TELNET, &PYTHON];

fn nothing(_: &To<'_>) -> String {
    String::new()
}

fn command(tool: &str, args: &[&str]) -> Command {
    let mut command = Command::new(require(tool));
    command.args(args);
    command
}
