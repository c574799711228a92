//! What runs a program for each peer: ours in each way, and socat and ncat.

use std::any::Any;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use rustix::process::{Pid, kill_process};
use testkit::{LIMIT, Process, Scratch, Signal, require, wait_until};

use crate::peers::BINARY;
use crate::peers::port::Port;

/// A way to run a program for each peer.
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// How it is typed. `PROGRAM` is the program with its arguments, `PORT` a port that it cannot choose itself, `PATH`
    /// a path for a socket, and `OPTIONS` stands for those of an address.
    typed: &'static str,
}

/// One that does.
pub(super) struct Serving {
    pub(super) process: Process,
    /// As `sockeye dial` takes it.
    pub(super) address: String,
    scratch: Scratch,
    /// Of the others.
    port: Option<Port>,
}

/// A program in a file of its own: what runs it, and its text.
#[derive(Clone, Copy)]
pub(super) enum Program {
    Shell(&'static str),
    Python(&'static str),
}

pub(super) static OURS: [Kind; 4] = [
    Kind { name: "listen --exec, TCP", typed: "sockeye listen -v --exec PROGRAM tcp:127.0.0.1:0OPTIONS" },
    Kind { name: "listen --exec, Unix", typed: "sockeye listen -v --exec PROGRAM unix:PATHOPTIONS" },
    Kind { name: "relay exec:, TCP", typed: "sockeye relay -v tcp-l:127.0.0.1:0OPTIONS exec:PROGRAM" },
    Kind { name: "relay exec:, Unix", typed: "sockeye relay -v unix-l:PATHOPTIONS exec:PROGRAM" },
];

pub(super) const SOCAT_WAITING: &str = "socat -t 10 EXEC:";

static RIVALS: [Kind; 3] = [
    Kind {
        name: "socat EXEC:",
        typed: "socat TCP4-LISTEN:PORT,bind=127.0.0.1,reuseaddr,fork,backlog=300 EXEC:PROGRAM",
    },
    Kind {
        name: SOCAT_WAITING,
        typed: "socat -t 10 TCP4-LISTEN:PORT,bind=127.0.0.1,reuseaddr,fork,backlog=300 EXEC:PROGRAM",
    },
    Kind { name: "ncat -e", typed: "ncat -l -k --max-conns 300 -e PROGRAM 127.0.0.1 PORT" },
];

impl Kind {
    /// Returns once it listens. `options` begin with a comma, and are for ours alone.
    pub(super) fn start(&self, program: Program, options: &str) -> Serving {
        let scratch = Scratch::new();
        let path = scratch.path("program");
        let (runs, text) = match program {
            Program::Shell(text) => ("sh", text),
            Program::Python(text) => ("python3", text),
        };
        // ncat looks for no program.
        let runs = require(runs);
        // Run by name: a file that is executed must not be open for writing, and who forks meanwhile may have it open.
        fs::write(&path, text).unwrap();
        let program = format!("{} {}", runs.display(), path.display());
        let socket = scratch.path("socket").display().to_string();
        let port = self.typed.contains("PORT").then(Port::reserve);
        let number = port.as_ref().map_or(0, |port| port.number).to_string();
        let fill = |word: &str| {
            let word = word.replace("PROGRAM", &program).replace("OPTIONS", options);
            word.replace("PORT", &number).replace("PATH", &socket)
        };
        let mut words = self.typed.split(' ').map(fill);
        let tool = words.next().unwrap();
        let tool = if tool == "sockeye" { PathBuf::from(BINARY) } else { require(&tool) };
        let process = Process::spawn(Command::new(tool).args(words));
        let address = match &port {
            Some(port) => {
                wait_until(LIMIT, self.name, || port.is_listened_on());
                format!("tcp:127.0.0.1:{number}")
            }
            None => {
                let ready = process.wait_stderr_line(LIMIT, |line| line.contains(" on "));
                ready.rsplit(' ').next().unwrap().to_owned()
            }
        };
        Serving { process, address, scratch, port }
    }
}

impl Serving {
    /// A file beside the program, which finds it at `$0.NAME`.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.scratch.path(format!("program.{name}"))
    }

    /// Whether the program is in the command line of this process. The number of one that has ended may be somebody
    /// else's by now.
    pub(super) fn is_run_by(&self, process: Pid) -> bool {
        let words = fs::read(format!("/proc/{}/cmdline", process.as_raw_pid())).unwrap_or_default();
        String::from_utf8_lossy(&words).contains(&self.scratch.path("program").display().to_string())
    }
}

/// What the others leave behind is ended here; what ours would leave is not, since other tests look for it.
impl Drop for Serving {
    fn drop(&mut self) {
        if self.port.is_none() {
            return;
        }
        self.process.signal(Signal::KILL);
        let entries =
            fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
        let processes = entries.filter_map(|name| Pid::from_raw(name.parse().ok()?));
        for process in processes.filter(|process| self.is_run_by(*process)) {
            kill_process(process, Signal::KILL).ok();
        }
    }
}

/// Does the same to each of ours, at the same time. Fails with the first that failed.
pub(super) fn each_of_ours(check: impl Fn(&Kind) + Sync) {
    let outcomes = outcomes(OURS.iter(), check);
    let wrong = wrong(&outcomes);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Does the same to ours and to the others, and prints how each fared. Ours must be right, and so must be those of the
/// others that are named: that they are shows that the check is fair.
#[expect(clippy::print_stdout, reason = "seen by whoever runs the test with --nocapture")]
pub(super) fn each(fair: &[&str], check: impl Fn(&Kind) + Sync) {
    let outcomes = outcomes(OURS.iter().chain(&RIVALS), check);
    let current = thread::current();
    println!("{}", current.name().and_then(|name| name.rsplit(':').next()).unwrap_or_default());
    for (kind, outcome) in &outcomes {
        let outcome = outcome.as_ref().map_or_else(|why| first_line(why), |()| "right");
        println!("    {:20} {outcome}", kind.name);
    }
    let is_asked = |kind: &Kind| fair.contains(&kind.name) || OURS.iter().any(|ours| ours.name == kind.name);
    let asked: Vec<_> = outcomes.into_iter().filter(|(kind, _)| is_asked(kind)).collect();
    let wrong = wrong(&asked);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

type Outcome = Result<(), String>;

fn outcomes(
    kinds: impl Iterator<Item = &'static Kind>,
    check: impl Fn(&Kind) + Sync,
) -> Vec<(&'static Kind, Outcome)> {
    let check = &check;
    thread::scope(|scope| {
        let running: Vec<_> = kinds.map(|kind| (kind, scope.spawn(move || check(kind)))).collect();
        let ended =
            running.into_iter().map(|(kind, thread)| (kind, thread.join().map_err(|panic| text(&*panic))));
        ended.collect()
    })
}

fn wrong(outcomes: &[(&Kind, Outcome)]) -> Vec<String> {
    let wrong = outcomes.iter().filter_map(|(kind, outcome)| Some((kind, outcome.as_ref().err()?)));
    wrong.map(|(kind, why)| format!("{}: {why}", kind.name)).collect()
}

/// What a panic said.
fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
