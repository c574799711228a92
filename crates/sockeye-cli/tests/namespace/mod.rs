//! A network and a `/tmp` of the test's own: loopback alone, every port free, and nobody else to meet.
//!
//! It needs no right but to make user namespaces, which every user has unless the machine forbids it.

use std::ffi::OsStr;
use std::process::Command;

use testkit::{LIMIT, Process, Scratch, require, run};

const BINARY: &str = env!("CARGO_BIN_EXE_sockeye");

/// A process that holds the namespaces, and with them whatever is mounted there. Dropping it leaves them to those
/// who are still inside.
pub(crate) struct Namespace {
    holder: Process,
    _scratch: Scratch,
}

impl Namespace {
    pub(crate) fn new() -> Self {
        let scratch = Scratch::new();
        let mut command = Command::new(require("unshare"));
        command.args(["--map-root-user", "--net", "--mount", "sh", "-c", HOLD, "sh"]);
        require("ip");
        let holder = Process::spawn(command.arg(scratch.path("")).arg(BINARY));
        holder.wait_stdout(LIMIT, |bytes| bytes == b"ready\n");
        Self { holder, _scratch: scratch }
    }

    /// A command in there, in an empty folder, with the `sockeye` under test first on the path.
    pub(crate) fn command(&self, words: &[impl AsRef<OsStr>]) -> Command {
        let mut command = enter(&self.holder, &["--user", "--net", "--mount"]);
        let path = std::env::var("PATH").unwrap_or_default();
        // What is kept for later is not to be kept where whoever runs the tests lives.
        command.args(["env", "--chdir=/tmp/work", "--unset=XDG_STATE_HOME", "HOME=/tmp/home"]);
        command.arg(format!("PATH=/tmp/bin:{path}")).args(words);
        command
    }

    /// A command that shares the network in there, and sees the files of everybody.
    pub(crate) fn command_in_network(&self, words: &[impl AsRef<OsStr>]) -> Command {
        let mut command = enter(&self.holder, &["--user", "--net"]);
        command.args(words);
        command
    }

    /// Who holds another network, without any link yet, which belongs to the same user.
    pub(crate) fn network_beside(&self) -> Process {
        let words = ["unshare", "--net", "sh", "-c", "echo ready; exec cat"];
        let holder = Process::spawn(&mut self.command_in_network(&words));
        holder.wait_stdout(LIMIT, |said| said == b"ready\n");
        holder
    }
}

/// The beginning of a command that shares namespaces with a process.
pub(crate) fn enter(holder: &Process, namespaces: &[&str]) -> Command {
    let mut command = Command::new(require("nsenter"));
    command.args(["--target", &holder.pid().to_string()]).args(namespaces);
    command.args(["--preserve-credentials", "--"]);
    command
}

/// `$1` becomes `/tmp`. The binary is mounted into it, since its own path may lie beneath the old one.
const HOLD: &str = "set -e
ip link set lo up
mkdir $1/bin $1/work
touch $1/bin/sockeye
mount --bind \"$2\" $1/bin/sockeye
mount --rbind $1 /tmp
echo ready
exec cat";

#[test]
fn a_namespace_has_loopback_and_a_folder_of_its_own() {
    let namespace = Namespace::new();
    let exit = run(&mut namespace.command(&["sh", "-c", "ls -a /tmp; pwd; which sockeye"]), b"", LIMIT);
    let seen = String::from_utf8(exit.stdout).unwrap();
    assert_eq!(seen, ".\n..\nbin\nwork\n/tmp/work\n/tmp/bin/sockeye\n", "{}", exit.stderr);
    let exit = run(&mut namespace.command(&["ip", "-oneline", "link"]), b"", LIMIT);
    let links = String::from_utf8(exit.stdout).unwrap();
    assert!(links.starts_with("1: lo: <LOOPBACK,UP"), "{links}{}", exit.stderr);
}
