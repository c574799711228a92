//! Names and services into addresses: getaddrinfo(3), which `std` offers without services and without its own words.

use std::error::Error;
use std::ffi::{CStr, CString};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::{fmt, io, ptr};

/// Which addresses are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Family {
    /// Both.
    #[default]
    Any,
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
}

/// Whether names may be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Names {
    /// They may.
    #[default]
    LookedUp,
    /// Hosts are numbers alone: no name server is asked, nor hosts(5). Ports may still be names of services(5).
    NumbersOnly,
}

/// Why a name has no address.
#[derive(Debug)]
pub struct LookupError {
    kind: LookupErrorKind,
    message: String,
}

/// What a failed lookup means for the one who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupErrorKind {
    /// There is no such host, or it has no address of that family.
    NoSuchHost,
    /// The name servers did not answer; later they may.
    TryLater,
    /// The port is no service that services(5) knows.
    NoSuchService,
    /// Anything else.
    Other,
}

impl LookupError {
    /// What it means.
    pub fn kind(&self) -> LookupErrorKind {
        self.kind
    }
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for LookupError {}

/// The addresses of a host and a port, in the order of RFC 6724; each may be a number or a name.
///
/// Blocks for as long as the name servers take: resolv.conf(5) bounds it, by 5 s a try and server unless set.
///
/// # Errors
/// What the resolver said.
pub fn lookup(
    host: &str,
    service: &str,
    family: Family,
    names: Names,
) -> Result<Vec<SocketAddr>, LookupError> {
    let other = |message: &str| LookupError { kind: LookupErrorKind::Other, message: message.to_owned() };
    let (Ok(host), Ok(service)) = (CString::new(host), CString::new(service)) else {
        return Err(other("a zero byte in the name"));
    };
    // SAFETY: `addrinfo` is plain data, for which zeroes are valid: no flag, any family, null pointers.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    hints.ai_family = match family {
        Family::Any => libc::AF_UNSPEC,
        Family::V4 => libc::AF_INET,
        Family::V6 => libc::AF_INET6,
    };
    hints.ai_socktype = libc::SOCK_STREAM;
    if names == Names::NumbersOnly {
        hints.ai_flags = libc::AI_NUMERICHOST;
    }
    let mut list: *mut libc::addrinfo = ptr::null_mut();
    // SAFETY: both strings end in zero and outlive the call; `hints` and `list` are valid for it. On success the call
    // hands us `list`, which is freed below, and once.
    let code = unsafe { libc::getaddrinfo(host.as_ptr(), service.as_ptr(), &raw const hints, &raw mut list) };
    if code != 0 {
        return Err(failure(code));
    }
    let mut found = Vec::new();
    let mut node = list;
    while !node.is_null() {
        // SAFETY: `node` is `list` or an `ai_next` of it, so it points to a node of a list that is not yet freed.
        let entry = unsafe { &*node };
        // SAFETY: the call made `ai_addr` point to `ai_addrlen` bytes of a socket address.
        found.extend(unsafe { address(entry.ai_addr, entry.ai_addrlen) });
        node = entry.ai_next;
    }
    // SAFETY: `list` came from getaddrinfo, and nothing of it is used from here on: addresses were copied.
    unsafe { libc::freeaddrinfo(list) };
    Ok(found)
}

/// Copies a socket address; `None` for a family that is neither IPv4 nor IPv6.
///
/// # Safety
/// `raw` is null or points to at least `length` readable bytes, aligned as a socket address.
unsafe fn address(raw: *const libc::sockaddr, length: libc::socklen_t) -> Option<SocketAddr> {
    if raw.is_null() {
        return None;
    }
    let length = usize::try_from(length).ok()?;
    // SAFETY: every socket address begins with its family.
    match i32::from(unsafe { (*raw).sa_family }) {
        libc::AF_INET if length >= size_of::<libc::sockaddr_in>() => {
            // SAFETY: the family and the length say that it is one of these.
            let v4 = unsafe { &*raw.cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from_bits(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddr::new(IpAddr::V4(ip), u16::from_be(v4.sin_port)))
        }
        libc::AF_INET6 if length >= size_of::<libc::sockaddr_in6>() => {
            // SAFETY: the family and the length say that it is one of these.
            let v6 = unsafe { &*raw.cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            let port = u16::from_be(v6.sin6_port);
            Some(SocketAddr::V6(SocketAddrV6::new(ip, port, v6.sin6_flowinfo, v6.sin6_scope_id)))
        }
        _ => None,
    }
}

/// The host has addresses, but none of that family (getaddrinfo(3)); the libc crate does not name it.
const EAI_ADDRFAMILY: libc::c_int = -9;

fn failure(code: libc::c_int) -> LookupError {
    if code == libc::EAI_SYSTEM {
        return LookupError { kind: LookupErrorKind::Other, message: io::Error::last_os_error().to_string() };
    }
    let kind = match code {
        libc::EAI_NONAME | libc::EAI_NODATA | EAI_ADDRFAMILY => LookupErrorKind::NoSuchHost,
        libc::EAI_AGAIN => LookupErrorKind::TryLater,
        libc::EAI_SERVICE => LookupErrorKind::NoSuchService,
        _ => LookupErrorKind::Other,
    };
    if kind == LookupErrorKind::NoSuchService {
        // The library's own words speak of socket types, which nobody asked about.
        return LookupError { kind, message: "there is no service of that name".to_owned() };
    }
    // SAFETY: gai_strerror returns a static string for every code.
    let message = unsafe { CStr::from_ptr(libc::gai_strerror(code)) };
    LookupError { kind, message: message.to_string_lossy().to_lowercase() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_without_a_lookup() {
        let found = lookup("127.0.0.1", "80", Family::Any, Names::NumbersOnly).unwrap();
        assert_eq!(found, ["127.0.0.1:80".parse().unwrap()]);
        let found = lookup("::1", "80", Family::Any, Names::NumbersOnly).unwrap();
        assert_eq!(found, ["[::1]:80".parse().unwrap()]);
        assert_eq!(
            lookup("::1", "80", Family::V4, Names::NumbersOnly).unwrap_err().kind(),
            LookupErrorKind::NoSuchHost
        );
    }

    #[test]
    fn what_has_no_address_is_told_by_kind() {
        let failed =
            |host: &str, service: &str| lookup(host, service, Family::Any, Names::NumbersOnly).unwrap_err();
        assert_eq!(failed("name.invalid", "80").kind(), LookupErrorKind::NoSuchHost);
        assert_eq!(failed("127.0.0.1", "no-such-service").kind(), LookupErrorKind::NoSuchService);
        assert_eq!(failed("a\0b", "80").kind(), LookupErrorKind::Other);
    }

    #[test]
    fn a_family_can_be_asked_for() {
        let found = lookup("localhost", "http", Family::V4, Names::LookedUp).unwrap();
        assert_eq!(found, ["127.0.0.1:80".parse().unwrap()]);
    }
}
