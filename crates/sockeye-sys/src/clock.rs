//! How well the clock of this machine is kept, as the kernel knows it.

use std::io;
use std::mem::zeroed;
use std::time::Duration;

/// What whoever keeps the clock has told the kernel (adjtimex(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keeping {
    /// Whether somebody keeps it who knows the time. It ends by itself where nobody has said so for hours.
    pub is_synchronised: bool,
    /// A second that the last minute of this day has more or less.
    pub leap: LeapSecond,
    /// How far the clock may be off: an upper bound, which grows until it is set again.
    pub max_error: Duration,
}

/// What becomes of the last second of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeapSecond {
    /// It is left out.
    Delete,
    /// Another one follows.
    Insert,
    /// Nothing.
    None,
}

/// Asks the kernel; changes nothing, and needs no right to.
///
/// # Errors
/// What adjtimex(2) said, such as that a sandbox does not allow it.
pub fn keeping() -> io::Result<Keeping> {
    // SAFETY: `timex` is made of numbers, for which zero is a value.
    let mut told: libc::timex = unsafe { zeroed() };
    // SAFETY: `modes` is zero, so the kernel only writes into `told`, which is one `timex` and outlives the call.
    let state = unsafe { libc::adjtimex(&raw mut told) };
    if state < 0 {
        return Err(io::Error::last_os_error());
    }
    let leap = match (told.status & libc::STA_INS != 0, told.status & libc::STA_DEL != 0) {
        (true, _) => LeapSecond::Insert,
        (false, true) => LeapSecond::Delete,
        (false, false) => LeapSecond::None,
    };
    let max_error = Duration::from_micros(u64::try_from(told.maxerror).unwrap_or_default());
    Ok(Keeping { is_synchronised: state != libc::TIME_ERROR, leap, max_error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_says_what_adjtimex_says_to_others() {
        // What python3 makes of the same call: the fourth long of the structure is `maxerror`.
        let program = "
import ctypes
libc, told = ctypes.CDLL(None), (ctypes.c_long * 26)()
state = libc.adjtimex(told)
print(state != 5, told[3] * 1000)";
        let said = std::process::Command::new("/usr/bin/python3").args(["-c", program]).output().unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        let (state, nanos) = said.trim().split_once(' ').unwrap();
        let now = keeping().unwrap();
        assert_eq!(now.is_synchronised, state == "True");
        let apart = now.max_error.as_nanos().abs_diff(nanos.parse().unwrap());
        assert!(apart < 1_000_000_000, "{now:?}, {said}");
    }
}
