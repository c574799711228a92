//! The name of a socket, as the kernel reads and writes it.

use std::fmt;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use super::length_of;

/// Who sent a datagram, or is to get it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Name {
    /// An IP address and a port.
    Inet(SocketAddr),
    /// The path or abstract name of a Unix socket.
    Unix(UnixName),
    /// It has no name, or one of another family.
    Unnamed,
}

/// The name of a Unix socket: its path, or a zero byte and its abstract name; 1 to 108 bytes (unix(7)).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct UnixName {
    bytes: [u8; 108],
    length: u8,
}

impl UnixName {
    /// `None` where it is empty, or longer than the kernel takes.
    pub fn new(name: &[u8]) -> Option<Self> {
        let mut bytes = [0; 108];
        bytes.get_mut(..name.len())?.copy_from_slice(name);
        Some(Self { bytes, length: u8::try_from(name.len()).ok().filter(|length| *length > 0)? })
    }

    /// The bytes of the name; an abstract one begins with zero.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or(&self.bytes)
    }
}

impl fmt::Debug for UnixName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_bytes().escape_ascii())
    }
}

impl Name {
    /// # Safety
    /// The kernel has written the first `length` bytes of `storage`, or there are fewer than its family needs.
    pub(super) unsafe fn read(
        storage: &MaybeUninit<libc::sockaddr_storage>,
        length: libc::socklen_t,
    ) -> Self {
        let start = storage.as_ptr();
        if length < length_of::<libc::sa_family_t>() {
            return Self::Unnamed;
        }
        // SAFETY: so many bytes are written; a storage is aligned for every family, and the length says that all of
        // the one that is read is there.
        unsafe {
            match libc::c_int::from((*start.cast::<libc::sockaddr>()).sa_family) {
                libc::AF_INET if length >= length_of::<libc::sockaddr_in>() => {
                    let name = &*start.cast::<libc::sockaddr_in>();
                    let ip = Ipv4Addr::from(name.sin_addr.s_addr.to_ne_bytes());
                    Self::Inet(SocketAddrV4::new(ip, u16::from_be(name.sin_port)).into())
                }
                libc::AF_INET6 if length >= length_of::<libc::sockaddr_in6>() => {
                    let name = &*start.cast::<libc::sockaddr_in6>();
                    let ip = Ipv6Addr::from(name.sin6_addr.s6_addr);
                    let port = u16::from_be(name.sin6_port);
                    Self::Inet(SocketAddrV6::new(ip, port, 0, name.sin6_scope_id).into())
                }
                libc::AF_UNIX => {
                    let path = start.cast::<u8>().add(PATH);
                    let length = (length as usize).saturating_sub(PATH).min(108);
                    Self::unix(std::slice::from_raw_parts(path, length))
                }
                _ => Self::Unnamed,
            }
        }
    }

    /// A path ends at its zero byte; an abstract name begins with one, and is as long as it is.
    fn unix(name: &[u8]) -> Self {
        let name = match name {
            [0, ..] => name,
            path => path.split(|byte| *byte == 0).next().unwrap_or_default(),
        };
        UnixName::new(name).map_or(Self::Unnamed, Self::Unix)
    }

    /// Writes the name, and says how long it is: 0 where there is none.
    pub(super) fn write(&self, storage: &mut MaybeUninit<libc::sockaddr_storage>) -> libc::socklen_t {
        let start = storage.as_mut_ptr();
        // SAFETY: a storage has room for every family, and is aligned for it. Each write stays within its family's
        // structure: a name has at most 108 bytes, which is what `sun_path` has.
        unsafe {
            match self {
                Self::Inet(SocketAddr::V4(to)) => {
                    start.cast::<libc::sockaddr_in>().write(libc::sockaddr_in {
                        sin_family: family(libc::AF_INET),
                        sin_port: to.port().to_be(),
                        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(to.ip().octets()) },
                        sin_zero: [0; 8],
                    });
                    length_of::<libc::sockaddr_in>()
                }
                Self::Inet(SocketAddr::V6(to)) => {
                    start.cast::<libc::sockaddr_in6>().write(libc::sockaddr_in6 {
                        sin6_family: family(libc::AF_INET6),
                        sin6_port: to.port().to_be(),
                        sin6_flowinfo: 0,
                        sin6_addr: libc::in6_addr { s6_addr: to.ip().octets() },
                        sin6_scope_id: to.scope_id(),
                    });
                    length_of::<libc::sockaddr_in6>()
                }
                Self::Unix(name) => {
                    let name = name.as_bytes();
                    (*start.cast::<libc::sockaddr>()).sa_family = family(libc::AF_UNIX);
                    start.cast::<u8>().add(PATH).copy_from_nonoverlapping(name.as_ptr(), name.len());
                    libc::socklen_t::try_from(PATH + name.len()).unwrap_or_default()
                }
                Self::Unnamed => 0,
            }
        }
    }
}

/// Where the path stands in a `sockaddr_un`.
const PATH: usize = std::mem::offset_of!(libc::sockaddr_un, sun_path);

fn family(family: libc::c_int) -> libc::sa_family_t {
    libc::sa_family_t::try_from(family).unwrap_or_default()
}
