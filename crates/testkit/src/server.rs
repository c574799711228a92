//! A running `sockeye` that serves, and the addresses it serves on.
//!
//! A test lets the kernel choose the port and reads it from the ready line. A number that was free a moment
//! ago may be taken by now.

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::process::Command;

use crate::process::Process;
use crate::wait::LIMIT;

/// A `sockeye` that has said that it is ready. It is a `Process` in all else.
#[derive(Debug)]
pub struct Server {
    process: Process,
}

impl Server {
    /// Starts `binary` with `args` and waits for its first ready line on stderr.
    ///
    /// `binary` is `env!("CARGO_BIN_EXE_sockeye")`, which only the crate of the binary knows. Panics if the
    /// process ends first, or after `LIMIT`.
    #[track_caller]
    pub fn start(binary: impl AsRef<Path>, args: &[&str]) -> Self {
        let server = Self { process: Process::spawn(Command::new(binary.as_ref()).args(args)) };
        server.address(0);
        server
    }

    /// The address in the ready line number `n`, counted from 0, as the server printed it. Panics after
    /// `LIMIT`.
    #[track_caller]
    pub fn address(&self, n: usize) -> String {
        self.process.find_in_stderr(LIMIT, &format!("ready line {n} on stderr"), |text| {
            text.lines().filter_map(ready_address).nth(n).map(str::to_owned)
        })
    }

    /// The port in the address number `n`. Panics after `LIMIT`, or if the address has none.
    #[track_caller]
    pub fn port(&self, n: usize) -> u16 {
        let address = self.address(n);
        match address.rsplit_once(':').map(|(_, port)| port.parse()) {
            Some(Ok(port)) => port,
            Some(Err(_)) | None => panic!("no port in the address {address}"),
        }
    }
}

impl Deref for Server {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl DerefMut for Server {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}

/// The address in a line such as `sockeye: echo on tcp:127.0.0.1:40123`; nothing for any other line.
///
/// The words before ` on ` are letters and digits only, so `sockeye: warning: ...` is none, and neither is `sockeye:
/// cannot listen on ...`.
fn ready_address(line: &str) -> Option<&str> {
    let (words, address) = line.strip_prefix("sockeye: ")?.split_once(" on ")?;
    let is_word = |word: &str| {
        word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    let is_ready = words.split(' ').all(is_word) && !words.starts_with("cannot ") && address.contains(':');
    is_ready.then_some(address)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::*;
    use crate::Scratch;

    #[test]
    fn only_ready_lines_have_an_address() {
        let table = [
            ("sockeye: echo on tcp:127.0.0.1:40123", Some("tcp:127.0.0.1:40123")),
            ("sockeye: listening on unix:/tmp/this on that", Some("unix:/tmp/this on that")),
            ("sockeye: port-forward relay on tcp:[::1]:1", Some("tcp:[::1]:1")),
            ("sockeye: cannot listen on tcp:127.0.0.1:80: permission denied", None),
            ("sockeye: warning: relay on tcp:0.0.0.0:1 is open to all", None),
            ("sockeye: waiting on standard input", None),
            ("echo on tcp:127.0.0.1:40123", None),
            ("", None),
        ];
        for (line, address) in table {
            assert_eq!(ready_address(line), address, "line {line:?}");
        }
    }

    #[test]
    fn addresses_and_ports_are_read_from_the_ready_lines() {
        let scratch = Scratch::new();
        let lines = "echo 'sockeye: hello'; echo 'sockeye: echo on tcp:127.0.0.1:7'; read go
            echo \"sockeye: relay on unix:$1\"; echo 'sockeye: relay on tcp:[::1]:65535'; read go";
        let server = Server::start(program(&scratch, lines), &["/tmp/with space"]);
        assert_eq!((server.address(0).as_str(), server.port(0)), ("tcp:127.0.0.1:7", 7));
        server.write(b"go\n");
        assert_eq!(server.port(2), 65535);
        assert_eq!(server.address(1), "unix:/tmp/with space");
    }

    #[test]
    #[should_panic(expected = "the stream ended without ready line 0 on stderr")]
    fn a_server_that_ends_before_it_is_ready_fails_at_once() {
        let scratch = Scratch::new();
        Server::start(program(&scratch, "echo 'sockeye: cannot listen on tcp:a:1: no such host'"), &[]);
    }

    /// A program that writes to stderr what `script` prints.
    fn program(scratch: &Scratch, script: &str) -> PathBuf {
        let path = scratch.path("sockeye");
        fs::write(&path, format!("#!/bin/sh\nexec >&2\n{script}\n")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
        path
    }
}
