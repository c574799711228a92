//! Descriptors that our parent left open for us.

use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::sync::{Mutex, PoisonError};

/// Takes over descriptor `number`, from 3 on, from the process that started us, and marks it close-on-exec.
///
/// All that this process opens itself is close-on-exec from the start (`std`, `rustix` and tokio see to it), so a
/// descriptor without that mark was inherited and belongs to nobody here. Taking it sets the mark under a lock, so
/// that two owners cannot come to be. Standard input, output and error have no such mark, and owners in `std`.
///
/// # Errors
/// `EBADF` where nothing is open at that number; `EACCES` where it is ours already.
pub fn take(number: RawFd) -> io::Result<OwnedFd> {
    if (0..=2).contains(&number) {
        return Err(io::Error::from_raw_os_error(libc::EACCES));
    }
    static TAKING: Mutex<()> = Mutex::new(());
    let _taking = TAKING.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: F_GETFD takes no pointer and changes nothing; a bad number is answered with EBADF.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    if flags < 0 {
        return Err(io::Error::last_os_error());
    }
    if flags & libc::FD_CLOEXEC != 0 {
        return Err(io::Error::from_raw_os_error(libc::EACCES));
    }
    // SAFETY: as above; F_SETFD takes an integer.
    if unsafe { libc::fcntl(number, libc::F_SETFD, flags | libc::FD_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the number is open (F_GETFD said so) and nobody in this process owns it: see above.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::{AsRawFd as _, IntoRawFd as _};

    #[test]
    fn only_what_was_inherited_is_taken_and_only_once() {
        let ours = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(take(ours.as_raw_fd()).unwrap_err().raw_os_error(), Some(libc::EACCES));
        assert_eq!(take(2).unwrap_err().raw_os_error(), Some(libc::EACCES));
        assert_eq!(take(1_000_000).unwrap_err().raw_os_error(), Some(libc::EBADF));

        let left = ours.into_raw_fd();
        // SAFETY: `left` has no owner since `into_raw_fd`; clearing its mark makes it look inherited.
        unsafe { libc::fcntl(left, libc::F_SETFD, 0) };
        let taken = take(left).unwrap();
        assert_eq!(take(taken.as_raw_fd()).unwrap_err().raw_os_error(), Some(libc::EACCES));
    }
}
