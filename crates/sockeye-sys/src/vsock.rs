//! The names of vsock sockets (vsock(7)), which no safe library reads or writes, and the room that such a socket has.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd as _};
use std::ptr;

use rustix::net::addr::{SocketAddrArg, SocketAddrLen, SocketAddrOpaque};
use rustix::net::{AddressFamily, SocketAddrAny};

/// Lets the kernel choose the port (VMADDR_PORT_ANY).
pub const ANY_PORT: u32 = libc::VMADDR_PORT_ANY;

/// A machine and a port of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name {
    /// The machine: its context identifier.
    pub cid: u32,
    /// The port.
    pub port: u32,
}

impl Name {
    /// What the kernel returned; `None` where it is the name of another family.
    pub fn read(name: &SocketAddrAny) -> Option<Self> {
        let is_whole = usize::try_from(name.addr_len()).is_ok_and(|length| length >= size_of::<SockAddr>());
        if name.address_family() != AddressFamily::VSOCK || !is_whole {
            return None;
        }
        // SAFETY: a `SocketAddrAny` keeps `addr_len` bytes that are written, which are all of this family's structure;
        // the structure is made of numbers, and is read unaligned.
        let name = unsafe { name.as_ptr().cast::<SockAddr>().read_unaligned() };
        Some(Self { cid: name.svm_cid, port: name.svm_port })
    }
}

type SockAddr = libc::sockaddr_vm;

// SAFETY: the closure is given a whole `sockaddr_vm`, which is a valid address, and which outlives the call.
unsafe impl SocketAddrArg for Name {
    unsafe fn with_sockaddr<R>(&self, f: impl FnOnce(*const SocketAddrOpaque, SocketAddrLen) -> R) -> R {
        let name = SockAddr {
            svm_family: libc::sa_family_t::try_from(libc::AF_VSOCK).unwrap_or_default(),
            svm_reserved1: 0,
            svm_port: self.port,
            svm_cid: self.cid,
            svm_zero: [0; 4],
        };
        f(ptr::from_ref(&name).cast(), SocketAddrLen::try_from(size_of::<SockAddr>()).unwrap_or_default())
    }
}

/// Sets how many bytes may wait for us on a socket, and on those that it accepts, from 128 on; the kernel's own is
/// 256 KiB. The options of socket(7) have no effect on these sockets.
///
/// # Errors
/// What setsockopt(2) said.
pub fn set_buffer(socket: &impl AsFd, bytes: u64) -> io::Result<()> {
    set(socket, BUFFER_MAX_SIZE, &bytes)?;
    set(socket, BUFFER_SIZE, &bytes)
}

/// Has a socket go on connecting for a day, which the kernel gives up after 2 s.
///
/// # Errors
/// What setsockopt(2) said.
pub fn connect_with_patience(socket: &impl AsFd) -> io::Result<()> {
    set(socket, CONNECT_TIMEOUT, &libc::timeval { tv_sec: 86_400, tv_usec: 0 })
}

/// SO_VM_SOCKETS_BUFFER_SIZE and others (linux/vm_sockets.h).
const BUFFER_SIZE: libc::c_int = 0;
const BUFFER_MAX_SIZE: libc::c_int = 2;
const CONNECT_TIMEOUT: libc::c_int = 6;

fn set<T>(socket: &impl AsFd, option: libc::c_int, value: &T) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<T>()).unwrap_or_default();
    // SAFETY: the kernel reads as many bytes as `value` has, which outlives the call. The descriptor is open while
    // borrowed.
    let done = unsafe {
        let value = ptr::from_ref(value).cast();
        libc::setsockopt(socket.as_fd().as_raw_fd(), libc::AF_VSOCK, option, value, length)
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    #[test]
    fn a_name_that_was_written_is_read_again_and_no_other_is() {
        let name = Name { cid: 3, port: 0x0102_0304 };
        assert_eq!(Name::read(&name.as_any()), Some(name));
        let other: SocketAddr = "[::1]:80".parse().unwrap();
        assert_eq!(Name::read(&other.as_any()), None);
    }

    #[test]
    fn the_room_of_a_socket_is_what_was_set_where_the_kernel_has_such_sockets() {
        let socket = rustix::net::socket(AddressFamily::VSOCK, rustix::net::SocketType::STREAM, None);
        let socket = match socket {
            Ok(socket) => socket,
            Err(errno) => return assert_eq!(errno, rustix::io::Errno::AFNOSUPPORT),
        };
        connect_with_patience(&socket).unwrap();
        for bytes in [1 << 20, 4096] {
            set_buffer(&socket, bytes).unwrap();
            let (mut room, mut length) = (0_u64, 8);
            // SAFETY: the kernel writes at most eight bytes, for which `room` has space.
            let done = unsafe {
                let value = ptr::from_mut(&mut room).cast();
                libc::getsockopt(socket.as_raw_fd(), libc::AF_VSOCK, BUFFER_SIZE, value, &raw mut length)
            };
            assert_eq!((done, room, length), (0, bytes, 8));
        }
    }
}
