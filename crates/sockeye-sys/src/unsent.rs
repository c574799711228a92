//! How much of what was written has not arrived.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _};

/// The bytes that were written to a socket and that the peer's kernel has not taken, an end of file counting as one
/// (tcp(7), unix(7): SIOCOUTQ).
///
/// # Errors
/// What is asked is no socket, or of a kind that does not know.
pub fn unsent(socket: &impl AsFd) -> io::Result<usize> {
    let mut count: libc::c_int = 0;
    // SAFETY: SIOCOUTQ, which is TIOCOUTQ by another name, writes one int, and `count` is one that outlives the call.
    // The descriptor is open for as long as `socket` is borrowed.
    let done = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut count) };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(usize::try_from(count).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;

    #[test]
    fn what_is_not_read_yet_is_counted() {
        let (mut here, mut there) = UnixStream::pair().unwrap();
        assert_eq!(unsent(&here).unwrap(), 0);
        here.write_all(b"hello").unwrap();
        assert!(unsent(&here).unwrap() > 0);
        there.read_exact(&mut [0; 5]).unwrap();
        assert_eq!(unsent(&here).unwrap(), 0);
        assert!(unsent(&std::fs::File::open("/dev/null").unwrap()).is_err());
    }
}
