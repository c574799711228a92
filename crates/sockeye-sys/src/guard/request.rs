//! What a guard is asked to do while its command runs.

use rustix::process::{Pid, Signal};

/// What a guard is asked to do while its command runs. Once the command has ended, nothing is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// The signal that is sent.
    pub signal: Signal,
    /// The process group that is to hear it, if one that the command has started is in it; else that of the command. A
    /// command that leads no group of its own hears it alone.
    pub group: Option<Pid>,
}

impl Request {
    /// The bytes of a request on its way.
    pub const SIZE: usize = 8;

    /// The message that asks for it.
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let group = self.group.map_or(0, Pid::as_raw_pid);
        let [s0, s1, s2, s3] = self.signal.as_raw().to_ne_bytes();
        let [g0, g1, g2, g3] = group.to_ne_bytes();
        [s0, s1, s2, s3, g0, g1, g2, g3]
    }

    /// Reads a request; `None` where it is none.
    pub(super) fn from_bytes(bytes: [u8; Self::SIZE]) -> Option<Self> {
        let [s0, s1, s2, s3, g0, g1, g2, g3] = bytes;
        let (signal, group) = (i32::from_ne_bytes([s0, s1, s2, s3]), i32::from_ne_bytes([g0, g1, g2, g3]));
        let group = if group > 0 { Pid::from_raw(group) } else { None };
        Signal::from_named_raw(signal).map(|signal| Self { signal, group })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_arrives_as_it_was_made_and_nonsense_as_none() {
        for group in [None, Pid::from_raw(7)] {
            let request = Request { signal: Signal::INT, group };
            assert_eq!(Request::from_bytes(request.to_bytes()), Some(request));
        }
        assert_eq!(Request::from_bytes([0; Request::SIZE]), None);
        assert_eq!(Request::from_bytes([255; Request::SIZE]), None);
    }
}
