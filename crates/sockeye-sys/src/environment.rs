//! Variables that our parent meant for us alone.

use std::env;
use std::ffi::OsString;
use std::io;

/// Takes variables out of the environment, so that no child of ours takes them for its own, and says what they were.
///
/// To be called before any thread is started: another thread may read the environment at any time, through the C
/// library too.
///
/// # Errors
/// There is another thread, or `/proc` does not tell; nothing was changed.
pub fn take<const N: usize>(names: [&str; N]) -> io::Result<[Option<OsString>; N]> {
    let taken = names.map(env::var_os);
    if taken.iter().all(Option::is_none) {
        return Ok(taken);
    }
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("the environment can only be changed before there are threads"));
    }
    for name in names {
        // SAFETY: this is the only thread (looked up above, and only we could start another), so nobody reads the
        // environment meanwhile.
        unsafe { env::remove_var(name) };
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_changed_while_there_are_other_threads() {
        // Of tests that run one by one, each may run in the main thread.
        let beside = std::thread::spawn(|| take(["PATH"]).is_err());
        assert!(beside.join().unwrap());
        assert!(env::var_os("PATH").is_some());
        assert_eq!(take(["SOCKEYE_NO_SUCH_VARIABLE"]).unwrap(), [None]);
    }
}
