//! What is told of a command.

/// What is told of a command: why it could not be run, or how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// It could not be run: what failed, and its errno(3).
    Failed(Step, i32),
    /// It ended with this code.
    Exited(i32),
    /// This signal ended it.
    Killed(i32),
    /// It has more processes than it may have, and is about to be ended for that.
    Crowded,
}

/// What has to be done before a command runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Making its processes, streams and session.
    Process,
    /// Setting its limits.
    Limits,
    /// Making its standard input its terminal.
    Terminal,
    /// Becoming its user and group.
    Identity,
    /// Going to its working folder.
    Folder,
    /// Executing its program.
    Program,
}

/// Every step, each with the number that stands for it in a report.
const STEPS: [(i32, Step); 6] = [
    (0, Step::Process),
    (1, Step::Limits),
    (2, Step::Terminal),
    (3, Step::Identity),
    (4, Step::Folder),
    (5, Step::Program),
];

const EXITED: i32 = -1;
const KILLED: i32 = -2;
const CROWDED: i32 = -3;

impl Report {
    /// The bytes of a report on its way. Each comes whole.
    pub const SIZE: usize = 8;

    /// Reads a report; `None` where it is none.
    pub fn from_bytes(bytes: [u8; Self::SIZE]) -> Option<Self> {
        let [k0, k1, k2, k3, v0, v1, v2, v3] = bytes;
        let (kind, value) = (i32::from_ne_bytes([k0, k1, k2, k3]), i32::from_ne_bytes([v0, v1, v2, v3]));
        Some(match kind {
            EXITED => Self::Exited(value),
            KILLED => Self::Killed(value),
            CROWDED => Self::Crowded,
            number => Self::Failed(STEPS.iter().find(|(known, _)| *known == number)?.1, value),
        })
    }

    pub(super) fn to_bytes(self) -> [u8; Self::SIZE] {
        let (kind, value) = match self {
            Self::Exited(code) => (EXITED, code),
            Self::Killed(signal) => (KILLED, signal),
            Self::Crowded => (CROWDED, 0),
            Self::Failed(step, errno) => {
                let number = STEPS.iter().find(|(_, known)| *known == step);
                (number.map_or(0, |(number, _)| *number), errno)
            }
        };
        let ([k0, k1, k2, k3], [v0, v1, v2, v3]) = (kind.to_ne_bytes(), value.to_ne_bytes());
        [k0, k1, k2, k3, v0, v1, v2, v3]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_report_comes_through() {
        let failed = STEPS.map(|(_, step)| Report::Failed(step, libc::ENOENT));
        let ends = [Report::Exited(0), Report::Exited(255), Report::Killed(9), Report::Crowded];
        for report in failed.into_iter().chain(ends) {
            assert_eq!(Report::from_bytes(report.to_bytes()), Some(report));
        }
        assert_eq!(Report::from_bytes([7; 8]), None);
    }
}
