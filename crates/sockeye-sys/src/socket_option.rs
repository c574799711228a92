//! Options of sockets by their numbers: getsockopt(2) and setsockopt(2), for tables and for what no library names.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd as _};

use libc::{c_int, c_void, socklen_t};

/// Where the kernel has an option: at which level, and under which number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// The protocol, or `SOL_SOCKET`.
    pub level: c_int,
    /// The option's number there.
    pub number: c_int,
}

/// The longest value that [`bytes`] reads; what is longer is cut off, as the kernel does it.
pub const LONGEST: usize = 256;

/// An option that is one whole number.
///
/// # Errors
/// What getsockopt(2) said.
pub fn number(socket: &impl AsFd, place: Place) -> io::Result<c_int> {
    let mut value = [0; size_of::<c_int>()];
    match read(socket, place, &mut value)? {
        // A few options of IP answer in one byte where the value fits.
        1 => Ok(c_int::from(value[0])),
        _ => Ok(c_int::from_ne_bytes(value)),
    }
}

/// Sets an option that is one whole number.
///
/// # Errors
/// What setsockopt(2) said.
pub fn set_number(socket: &impl AsFd, place: Place, value: c_int) -> io::Result<()> {
    set_bytes(socket, place, &value.to_ne_bytes())
}

/// The bytes of an option, of which there are at most [`LONGEST`].
///
/// # Errors
/// What getsockopt(2) said.
pub fn bytes(socket: &impl AsFd, place: Place) -> io::Result<Vec<u8>> {
    let mut value = vec![0; LONGEST];
    let length = read(socket, place, &mut value)?;
    value.truncate(length);
    Ok(value)
}

/// Sets an option to these bytes.
///
/// # Errors
/// What setsockopt(2) said; `EINVAL` for more bytes than it could be told of.
pub fn set_bytes(socket: &impl AsFd, place: Place, value: &[u8]) -> io::Result<()> {
    let length = socklen_t::try_from(value.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let data = value.as_ptr().cast::<c_void>();
    // SAFETY: the kernel reads `length` bytes, which are those of `value`, and keeps none of them. The descriptor is
    // open for as long as `socket` is borrowed.
    let done =
        unsafe { libc::setsockopt(socket.as_fd().as_raw_fd(), place.level, place.number, data, length) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn read(socket: &impl AsFd, place: Place, value: &mut [u8]) -> io::Result<usize> {
    let mut length = socklen_t::try_from(value.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let data = value.as_mut_ptr().cast::<c_void>();
    // SAFETY: the kernel writes at most `length` bytes, for which `value` has room, and then how many into `length`;
    // both are borrowed for the call alone. The descriptor is open for as long as `socket` is borrowed.
    let done = unsafe {
        libc::getsockopt(socket.as_fd().as_raw_fd(), place.level, place.number, data, &raw mut length)
    };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    // More than there is room for is how long a value is that was cut off.
    Ok(usize::try_from(length).unwrap_or(usize::MAX).min(value.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    const BROADCAST: Place = Place { level: libc::SOL_SOCKET, number: libc::SO_BROADCAST };
    const LINGER: Place = Place { level: libc::SOL_SOCKET, number: libc::SO_LINGER };
    const LOOP: Place = Place { level: libc::IPPROTO_IP, number: libc::IP_MULTICAST_LOOP };

    #[test]
    fn what_is_set_is_read_back_as_a_number_or_as_bytes() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(number(&socket, BROADCAST).unwrap(), 0);
        set_number(&socket, BROADCAST, 1).unwrap();
        assert_eq!(number(&socket, BROADCAST).unwrap(), 1);
        let linger: Vec<u8> = [1_i32, 7].iter().flat_map(|part| part.to_ne_bytes()).collect();
        set_bytes(&socket, LINGER, &linger).unwrap();
        assert_eq!(bytes(&socket, LINGER).unwrap(), linger);
    }

    #[test]
    fn an_answer_of_one_byte_is_a_number_too() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        set_bytes(&socket, LOOP, &[0]).unwrap();
        assert_eq!(number(&socket, LOOP).unwrap(), 0);
        set_number(&socket, LOOP, 1).unwrap();
        assert_eq!(number(&socket, LOOP).unwrap(), 1);
    }

    #[test]
    fn what_the_kernel_does_not_know_is_refused() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let unknown = Place { level: libc::SOL_SOCKET, number: 9999 };
        assert_eq!(number(&socket, unknown).unwrap_err().raw_os_error(), Some(libc::ENOPROTOOPT));
        assert_eq!(set_number(&socket, unknown, 1).unwrap_err().raw_os_error(), Some(libc::ENOPROTOOPT));
        assert!(set_bytes(&socket, BROADCAST, &[1]).is_err());
    }
}
