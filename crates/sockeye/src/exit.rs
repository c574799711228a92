//! How a command ended.

use std::fmt;

use rustix::process::Signal;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exit {
    /// By itself, with this code; 0 is success.
    Code(i32),
    /// By the signal of this number.
    Signal(i32),
}

impl Exit {
    /// Whether the command says that it did what it was to do.
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }
}

/// As it stands behind the name of a command: `exited with code 1`, `was killed by SIGKILL`.
impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal(number) => match NAMES.iter().find(|(signal, _)| signal.as_raw() == *number) {
                Some((_, name)) => write!(f, "was killed by SIG{name}"),
                None => write!(f, "was killed by signal {number}"),
            },
        }
    }
}

/// The signals that end a process (signal(7)).
const NAMES: [(Signal, &str); 23] = [
    (Signal::ABORT, "ABRT"),
    (Signal::ALARM, "ALRM"),
    (Signal::BUS, "BUS"),
    (Signal::FPE, "FPE"),
    (Signal::HUP, "HUP"),
    (Signal::ILL, "ILL"),
    (Signal::INT, "INT"),
    (Signal::IO, "IO"),
    (Signal::KILL, "KILL"),
    (Signal::PIPE, "PIPE"),
    (Signal::POWER, "PWR"),
    (Signal::PROF, "PROF"),
    (Signal::QUIT, "QUIT"),
    (Signal::SEGV, "SEGV"),
    (Signal::STKFLT, "STKFLT"),
    (Signal::SYS, "SYS"),
    (Signal::TERM, "TERM"),
    (Signal::TRAP, "TRAP"),
    (Signal::USR1, "USR1"),
    (Signal::USR2, "USR2"),
    (Signal::VTALARM, "VTALRM"),
    (Signal::XCPU, "XCPU"),
    (Signal::XFSZ, "XFSZ"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_by_code_or_by_name() {
        for (exit, said) in [
            (Exit::Code(0), "exited with code 0"),
            (Exit::Code(255), "exited with code 255"),
            (Exit::Signal(9), "was killed by SIGKILL"),
            (Exit::Signal(40), "was killed by signal 40"),
        ] {
            assert_eq!(exit.to_string(), said);
            assert_eq!(exit.is_success(), exit == Exit::Code(0));
        }
    }
}
