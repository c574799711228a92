//! Datagrams, many at a call: with who sent them, where they were sent to, and what the kernel had to drop.
//!
//! recvmmsg(2) and sendmmsg(2), and the control messages of ip(7), ipv6(7), socket(7) and unix(7) that no safe library reads.

mod name;
mod train;

use std::io;
use std::mem::{MaybeUninit, size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd};
use std::ptr;
use std::time::{Duration, SystemTime};

use self::train::Train;

pub use self::name::{Name, UnixName};
pub use self::train::{Trains, hear_trains};

/// The most datagrams of one call.
pub const BATCH: usize = 64;

/// What is known of a datagram that came.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// How many bytes of it there are.
    pub length: usize,
    /// Where it is several that came as one, how long each of them is but the last, which may be shorter: see
    /// [`Arrival::datagrams`]. Only after [`hear_trains`].
    pub segment: Option<usize>,
    /// Whether its end was cut off, because it is longer than the room for it.
    pub is_cut: bool,
    /// Who sent it.
    pub from: Name,
    /// Where it was sent to; only after [`tell_destinations`].
    pub destination: Option<Destination>,
    /// How many the kernel has dropped since the socket was made, modulo 2^32, where there were any; only after
    /// [`tell_drops`].
    pub dropped: Option<u32>,
    /// When the kernel took it; only after [`tell_times`].
    pub at: Option<SystemTime>,
    /// Which user sent it, on a Unix socket, as our user namespace numbers users; only after [`tell_users`]. Only root can
    /// send in another's name.
    pub user: Option<u32>,
}

/// Where a datagram was sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Destination {
    /// The address on it: one of ours, or that of a group or of a broadcast.
    pub ip: IpAddr,
    /// Where an answer comes from, so that the asker knows it again.
    pub source: Source,
}

/// Where a datagram that we send comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Source {
    /// One of our addresses; `None` leaves it to the kernel.
    pub ip: Option<IpAddr>,
    /// The interface that it leaves by; 0 leaves it to the kernel.
    pub interface: u32,
}

/// A datagram to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Departure<'a> {
    /// Its bytes.
    pub payload: &'a [u8],
    /// To whom; [`Name::Unnamed`] on a socket that is connected.
    pub to: Name,
    /// Where it comes from, where that is not the kernel's choice.
    pub source: Option<Source>,
}

/// Has each datagram tell where it was sent to (IP_PKTINFO, IPV6_RECVPKTINFO).
///
/// # Errors
/// What setsockopt(2) said.
pub fn tell_destinations(socket: &impl AsFd, is_v6: bool) -> io::Result<()> {
    if is_v6 {
        switch_on(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO)
    } else {
        switch_on(socket, libc::IPPROTO_IP, libc::IP_PKTINFO)
    }
}

/// Has datagrams tell how many others the kernel has dropped for want of room (SO_RXQ_OVFL).
///
/// # Errors
/// What setsockopt(2) said.
pub fn tell_drops(socket: &impl AsFd) -> io::Result<()> {
    switch_on(socket, libc::SOL_SOCKET, libc::SO_RXQ_OVFL)
}

/// How many the kernel has dropped for want of room since the socket was made, modulo 2^32 (SO_MEMINFO): also those after
/// which nothing came that could tell.
///
/// # Errors
/// What getsockopt(2) said.
pub fn dropped(socket: &impl AsFd) -> io::Result<u32> {
    // The last of what linux/sock_diag.h names SK_MEMINFO_VARS.
    let [.., drops] = ask::<9>(socket, libc::SOL_SOCKET, libc::SO_MEMINFO)?;
    Ok(drops)
}

/// Has an error that comes from outside, such as that nobody listens there (ICMP), wake who waits to read
/// (SO_SELECT_ERR_QUEUE): else it is told to the next call, which nobody may make.
///
/// # Errors
/// What setsockopt(2) said.
pub fn tell_errors(socket: &impl AsFd) -> io::Result<()> {
    switch_on(socket, libc::SOL_SOCKET, libc::SO_SELECT_ERR_QUEUE)
}

/// Has each datagram tell when the kernel took it (SO_TIMESTAMPNS).
///
/// # Errors
/// What setsockopt(2) said.
pub fn tell_times(socket: &impl AsFd) -> io::Result<()> {
    switch_on(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS)
}

/// Has each datagram of a Unix socket tell which user sent it (SO_PASSCRED). Those that were sent before do not.
///
/// # Errors
/// What setsockopt(2) said.
pub fn tell_users(socket: &impl AsFd) -> io::Result<()> {
    switch_on(socket, libc::SOL_SOCKET, libc::SO_PASSCRED)
}

/// Keeps groups away that others on this host have joined and this socket has not, which a socket on every address
/// hears by default (IP_MULTICAST_ALL, IPV6_MULTICAST_ALL).
///
/// # Errors
/// What setsockopt(2) said.
pub fn hear_joined_alone(socket: &impl AsFd, is_v6: bool) -> io::Result<()> {
    if is_v6 {
        set(socket, libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_ALL, 0)
    } else {
        set(socket, libc::IPPROTO_IP, libc::IP_MULTICAST_ALL, 0)
    }
}

/// Has what is sent on a raw socket begin with the header of IP (IP_HDRINCL, IPV6_HDRINCL).
///
/// # Errors
/// What setsockopt(2) said.
pub fn send_with_header(socket: &impl AsFd, is_v6: bool) -> io::Result<()> {
    if is_v6 {
        switch_on(socket, libc::IPPROTO_IPV6, libc::IPV6_HDRINCL)
    } else {
        switch_on(socket, libc::IPPROTO_IP, libc::IP_HDRINCL)
    }
}

fn switch_on(socket: &impl AsFd, level: libc::c_int, option: libc::c_int) -> io::Result<()> {
    set(socket, level, option, 1)
}

fn set(socket: &impl AsFd, level: libc::c_int, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let length = length_of::<libc::c_int>();
    // SAFETY: the kernel reads one int from `value`, which outlives the call. The descriptor is open while borrowed.
    let done = unsafe {
        libc::setsockopt(socket.as_fd().as_raw_fd(), level, option, ptr::from_ref(&value).cast(), length)
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// An option that is so many numbers.
fn ask<const N: usize>(socket: &impl AsFd, level: libc::c_int, option: libc::c_int) -> io::Result<[u32; N]> {
    let (mut value, mut length) = ([0; N], length_of::<[u32; N]>());
    // SAFETY: the kernel writes at most `length` bytes, which is what `value` has. The descriptor is open while
    // borrowed.
    let done = unsafe {
        let value = ptr::from_mut(&mut value).cast();
        libc::getsockopt(socket.as_fd().as_raw_fd(), level, option, value, &raw mut length)
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(value) }
}

/// Receives one datagram without waiting. What `buffer` has no room for is cut off.
///
/// # Errors
/// `EAGAIN` where there is none.
pub fn receive(socket: &impl AsFd, buffer: &mut [u8]) -> io::Result<Arrival> {
    let mut only = None;
    receive_all(socket, std::iter::once(buffer), |arrival| only = Some(arrival))?;
    only.ok_or_else(|| io::ErrorKind::WouldBlock.into())
}

/// Receives into each of `buffers`, at most [`BATCH`], without waiting; tells of each that came, in the order of the
/// buffers, and says how many there were. Descriptors that a Unix peer attaches are closed.
///
/// # Errors
/// `EAGAIN` where there is none.
pub fn receive_all<'a>(
    socket: &impl AsFd,
    buffers: impl Iterator<Item = &'a mut [u8]>,
    mut each: impl FnMut(Arrival),
) -> io::Result<usize> {
    let mut names = [const { MaybeUninit::<libc::sockaddr_storage>::uninit() }; BATCH];
    let mut controls = [const { MaybeUninit::<Control>::uninit() }; BATCH];
    let mut pieces = [const { MaybeUninit::<libc::iovec>::uninit() }; BATCH];
    let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; BATCH];
    let parts = names.iter_mut().zip(&mut controls).zip(&mut pieces).zip(&mut headers);
    let mut count = 0;
    for (buffer, (((name, control), piece), header)) in buffers.zip(parts) {
        let piece = piece.write(libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() });
        let header = header.write(header_of(piece, 1));
        header.msg_hdr.msg_name = name.as_mut_ptr().cast();
        header.msg_hdr.msg_namelen = length_of::<libc::sockaddr_storage>();
        header.msg_hdr.msg_control = control.as_mut_ptr().cast();
        header.msg_hdr.msg_controllen = size_of::<Control>();
        count += 1;
    }
    // SAFETY: the first `count` headers are written, and point to a name, a control buffer and a piece of their own,
    // each as long as its header says. All of them, and the buffers behind the pieces, which are borrowed for 'a,
    // outlive the call.
    let taken = unsafe {
        let headers: *mut libc::mmsghdr = headers.as_mut_ptr().cast();
        // What a peer attaches is closed at once; a child that is started meanwhile must not have it either.
        let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
        libc::recvmmsg(socket.as_fd().as_raw_fd(), headers, count, flags, ptr::null_mut())
    };
    let taken = usize::try_from(taken).map_err(|_| io::Error::last_os_error())?;
    for (header, name) in headers.iter().zip(&names).take(taken) {
        // SAFETY: `taken` is at most `count`, and so many headers are written; the kernel has filled them, and the
        // first `msg_namelen` bytes of the name, and the control messages that `msg_controllen` tells of.
        each(unsafe { arrival(header.assume_init_ref(), name) });
    }
    Ok(taken)
}

/// Room for the control messages of one datagram, aligned as they want it (cmsg(3)).
#[repr(C, align(8))]
struct Control([u8; 128]);

/// # Safety
/// The kernel has filled the header, and as much of the name and of the control buffer as the header says.
unsafe fn arrival(header: &libc::mmsghdr, name: &MaybeUninit<libc::sockaddr_storage>) -> Arrival {
    let message = &header.msg_hdr;
    let mut arrival = Arrival {
        length: header.msg_len as usize,
        segment: None,
        is_cut: message.msg_flags & libc::MSG_TRUNC != 0,
        // SAFETY: the caller's word.
        from: unsafe { Name::read(name, message.msg_namelen) },
        destination: None,
        dropped: None,
        at: None,
        user: None,
    };
    // SAFETY: the control buffer holds `msg_controllen` bytes of whole messages, and the macros stay within it.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !next.is_null() {
        // SAFETY: `next` points to a whole message; its data is read unaligned, as what its level and type say it is.
        unsafe {
            let data = libc::CMSG_DATA(next);
            match ((*next).cmsg_level, (*next).cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    arrival.destination = Some(v4(data.cast::<libc::in_pktinfo>().read_unaligned()));
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    arrival.destination = Some(v6(data.cast::<libc::in6_pktinfo>().read_unaligned()));
                }
                (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => {
                    arrival.dropped = Some(data.cast::<u32>().read_unaligned());
                }
                (libc::SOL_UDP, libc::UDP_GRO) => {
                    arrival.segment = usize::try_from(data.cast::<libc::c_int>().read_unaligned()).ok();
                }
                (libc::SOL_SOCKET, libc::SCM_RIGHTS) => close_all(data.cast(), (*next).cmsg_len),
                (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) => {
                    arrival.user = user(data.cast::<libc::ucred>().read_unaligned());
                }
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                    arrival.at = time(data.cast::<libc::timespec>().read_unaligned());
                }
                _ => {}
            }
            next = libc::CMSG_NXTHDR(message, next);
        }
    }
    arrival
}

/// The kernel has made the descriptors ours already, whether we want them or not: kept open, they would let a peer fill
/// our table of files.
///
/// # Safety
/// `first` begins the data of a control message of `length` bytes that passes descriptors, which nobody else has taken.
unsafe fn close_all(first: *const libc::c_int, length: usize) {
    // SAFETY: the macro only adds up.
    let header = unsafe { libc::CMSG_LEN(0) } as usize;
    let count = length.saturating_sub(header) / size_of::<libc::c_int>();
    for at in 0..count {
        // SAFETY: so many numbers stand there, each of an open descriptor without another owner: the caller's word.
        drop(unsafe { OwnedFd::from_raw_fd(first.add(at).read_unaligned()) });
    }
}

/// `ipi_spec_dst` is our address even where the datagram went to a group or a broadcast (ip(7)).
fn v4(info: libc::in_pktinfo) -> Destination {
    let ip = |address: libc::in_addr| Ipv4Addr::from(address.s_addr.to_ne_bytes());
    let source = Source { ip: Some(ip(info.ipi_spec_dst).into()), interface: 0 };
    Destination { ip: ip(info.ipi_addr).into(), source }
}

/// A group cannot be a source. What came over a link goes back over that link.
fn v6(info: libc::in6_pktinfo) -> Destination {
    let ip = Ipv6Addr::from(info.ipi6_addr.s6_addr);
    let interface = if ip.is_multicast() || ip.is_unicast_link_local() { info.ipi6_ifindex } else { 0 };
    let source = (!ip.is_multicast()).then_some(ip.into());
    Destination { ip: ip.into(), source: Source { ip: source, interface } }
}

fn time(since: libc::timespec) -> Option<SystemTime> {
    let since = Duration::new(u64::try_from(since.tv_sec).ok()?, u32::try_from(since.tv_nsec).ok()?);
    SystemTime::UNIX_EPOCH.checked_add(since)
}

/// Of what was sent before anybody asked, the kernel says that no process sent it.
fn user(sender: libc::ucred) -> Option<u32> {
    (sender.pid != 0).then_some(sender.uid)
}

/// A header that has so many pieces, and nothing else yet.
fn header_of(pieces: *mut libc::iovec, count: usize) -> libc::mmsghdr {
    // SAFETY: `mmsghdr` is made of numbers and pointers, for which zero is a value.
    let mut header: libc::mmsghdr = unsafe { zeroed() };
    (header.msg_hdr.msg_iov, header.msg_hdr.msg_iovlen) = (pieces, count);
    header
}

/// Sends each of `departures`, at most [`BATCH`], without waiting, and says how many went. Those in a row that go the same
/// way and are as long as each other go as a train, as far as `trains` allows.
///
/// # Errors
/// Why the first did not go. A later one that does not ends the batch: send it again as the first.
pub fn send_all<'a>(
    socket: &impl AsFd,
    departures: impl Iterator<Item = Departure<'a>> + Clone,
    trains: &Trains,
) -> io::Result<usize> {
    let sent = match try_send_all(socket, departures.clone(), trains.longest()) {
        // Now the first goes alone, whatever becomes of it.
        Err((error, Some(segment))) if trains.refuse(segment, &error) => {
            try_send_all(socket, departures, trains.longest())
        }
        sent => sent,
    };
    sent.map_err(|(error, _)| error)
}

/// As [`send_all`]; an error tells how long the datagrams of the train are that it befell.
fn try_send_all<'a>(
    socket: &impl AsFd,
    departures: impl Iterator<Item = Departure<'a>>,
    longest: usize,
) -> Result<usize, (io::Error, Option<u16>)> {
    let mut names = [const { MaybeUninit::<libc::sockaddr_storage>::uninit() }; BATCH];
    let mut controls = [const { MaybeUninit::<Control>::uninit() }; BATCH];
    let mut pieces = [const { MaybeUninit::<libc::iovec>::uninit() }; BATCH];
    let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; BATCH];
    let mut rooms = names.iter_mut().zip(&mut controls).zip(&mut headers);
    let (mut train, mut count): (Option<Train<'_, '_>>, _) = (None, 0);
    let mut departures = departures.peekable();
    let segment = departures.peek().and_then(|first| u16::try_from(first.payload.len()).ok());
    for (departure, piece) in departures.zip(&mut pieces) {
        let (start, length) = (departure.payload.as_ptr(), departure.payload.len());
        let piece = piece.write(libc::iovec { iov_base: start.cast_mut().cast(), iov_len: length });
        if !train.as_mut().is_some_and(|train| train.takes(&departure, longest)) {
            let Some(((name, control), header)) = rooms.next() else { break };
            let header = header.write(header_of(piece, 1));
            train = Some(Train::new(departure, &mut header.msg_hdr, name, control));
            count += 1;
        }
    }
    // SAFETY: the first `count` headers are written, and point to names, control messages and pieces that are as long
    // as they say and outlive the call, as do the payloads, which the kernel only reads. The pieces of a train stand in a
    // row.
    let sent = unsafe {
        let headers: *mut libc::mmsghdr = headers.as_mut_ptr().cast();
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        libc::sendmmsg(socket.as_fd().as_raw_fd(), headers, count, flags)
    };
    let mut datagrams = headers.iter().take(count as usize).map(|header| {
        // SAFETY: the first `count` headers are written.
        unsafe { header.assume_init_ref() }.msg_hdr.msg_iovlen
    });
    match usize::try_from(sent) {
        Ok(sent) => Ok(datagrams.take(sent).sum()),
        Err(_) => Err((io::Error::last_os_error(), segment.filter(|_| datagrams.next() > Some(1)))),
    }
}

/// Adds the control message that says where the datagram comes from; its family is that of the receiver.
fn name_source(header: &mut libc::msghdr, control: &mut Control, source: Source, to: Name) {
    let is_v6 = matches!(to, Name::Inet(to) if to.is_ipv6());
    if is_v6 {
        let address = match source.ip {
            Some(IpAddr::V6(ip)) => ip,
            _ => Ipv6Addr::UNSPECIFIED,
        };
        let info = libc::in6_pktinfo {
            ipi6_addr: libc::in6_addr { s6_addr: address.octets() },
            ipi6_ifindex: source.interface,
        };
        put(header, control, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info);
    } else {
        let address = match source.ip {
            Some(IpAddr::V4(ip)) => ip,
            _ => Ipv4Addr::UNSPECIFIED,
        };
        let info = libc::in_pktinfo {
            ipi_ifindex: source.interface.cast_signed(),
            ipi_spec_dst: libc::in_addr { s_addr: u32::from_ne_bytes(address.octets()) },
            ipi_addr: libc::in_addr { s_addr: 0 },
        };
        put(header, control, libc::IPPROTO_IP, libc::IP_PKTINFO, info);
    }
}

/// Adds a control message to those of a header.
fn put<T>(header: &mut libc::msghdr, control: &mut Control, level: libc::c_int, kind: libc::c_int, data: T) {
    const { assert!(size_of::<T>() <= 24, "two must fit the control buffer") };
    let length = u32::try_from(size_of::<T>()).unwrap_or(u32::MAX);
    header.msg_control = ptr::from_mut(control).cast();
    // SAFETY: the control buffer is aligned for its first message, and the length of each keeps the next one aligned.
    // There is room for two whose data has 24 bytes, and nothing sends more.
    unsafe {
        let next = header.msg_control.byte_add(header.msg_controllen).cast::<libc::cmsghdr>();
        (*next).cmsg_level = level;
        (*next).cmsg_type = kind;
        (*next).cmsg_len = libc::CMSG_LEN(length) as usize;
        libc::CMSG_DATA(next).cast::<T>().write_unaligned(data);
        header.msg_controllen += libc::CMSG_SPACE(length) as usize;
    }
}

fn length_of<T>() -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<T>()).unwrap_or(libc::socklen_t::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{SocketAddr, UdpSocket};
    use std::os::unix::net::UnixDatagram;

    fn local(socket: &UdpSocket) -> SocketAddr {
        socket.local_addr().unwrap()
    }

    #[test]
    fn a_batch_comes_whole_in_order_and_with_its_senders() {
        let (here, there) =
            (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let payloads: Vec<Vec<u8>> = (0..5).map(|n| vec![n; usize::from(n) * 100]).collect();
        let to = Name::Inet(local(&here));
        let departures = payloads.iter().map(|payload| Departure { payload, to, source: None });
        assert_eq!(send_all(&there, departures, &Trains::none()).unwrap(), 5);
        let (mut room, mut arrivals) = (vec![0; 8 * 300], Vec::new());
        assert_eq!(receive_all(&here, room.chunks_mut(300), |arrival| arrivals.push(arrival)).unwrap(), 5);
        for ((arrival, bytes), payload) in arrivals.iter().zip(room.chunks(300)).zip(&payloads) {
            assert_eq!(arrival.from, Name::Inet(local(&there)));
            assert_eq!((arrival.length, arrival.is_cut), (payload.len().min(300), payload.len() > 300));
            assert!(bytes.starts_with(&payload[..arrival.length]));
        }
        assert_eq!(receive(&here, &mut room).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn an_answer_comes_from_the_address_that_was_asked() {
        for (any, loopback) in [("0.0.0.0:0", "127.0.0.7:0"), ("[::]:0", "[::1]:0")] {
            let (server, client) = (UdpSocket::bind(any).unwrap(), UdpSocket::bind(loopback).unwrap());
            tell_destinations(&server, any.starts_with('[')).unwrap();
            let ours = SocketAddr::new(local(&client).ip(), local(&server).port());
            client.send_to(b"ask", ours).unwrap();
            let mut room = [0; 16];
            let asked = receive(&server, &mut room).unwrap();
            let destination = asked.destination.unwrap();
            assert_eq!(destination.ip, ours.ip());
            let answer = Departure { payload: b"answer", to: asked.from, source: Some(destination.source) };
            assert_eq!(send_all(&server, std::iter::once(answer), &Trains::none()).unwrap(), 1);
            assert_eq!(client.recv_from(&mut room).unwrap(), (6, ours));
        }
    }

    #[test]
    fn what_the_kernel_drops_is_told_with_the_next_that_comes() {
        let (here, there) =
            (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        tell_drops(&here).unwrap();
        rustix::net::sockopt::set_socket_recv_buffer_size(&here, 1).unwrap();
        (0..100).for_each(|_| assert_eq!(there.send_to(&[0; 500], local(&here)).unwrap(), 500));
        let mut room = [0; 500];
        let mut taken = 0;
        while receive(&here, &mut room).is_ok() {
            taken += 1;
        }
        there.send_to(b"last", local(&here)).unwrap();
        assert_eq!(dropped(&here).unwrap(), 100 - taken);
        assert_eq!(receive(&here, &mut room).unwrap().dropped, Some(100 - taken));
    }

    #[test]
    fn descriptors_that_a_peer_attaches_are_closed() {
        let (here, there) = UnixDatagram::pair().unwrap();
        let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let mut space = [MaybeUninit::uninit(); 256];
        let mut attached = rustix::net::SendAncillaryBuffer::new(&mut space);
        let files = [here.as_fd(); 20];
        assert!(attached.push(rustix::net::SendAncillaryMessage::ScmRights(&files)));
        let bytes = [io::IoSlice::new(b"and files")];
        rustix::net::sendmsg(&there, &bytes, &mut attached, rustix::net::SendFlags::empty()).unwrap();
        let before = open();
        let mut room = [0; 16];
        assert_eq!(receive(&here, &mut room).unwrap().length, 9);
        assert_eq!(open(), before);
    }

    #[test]
    fn unix_sockets_are_named_and_an_end_has_no_time() {
        let scratch = std::env::temp_dir().join(format!("sockeye-sys-{}.sock", std::process::id()));
        let (here, there) = (UnixDatagram::unbound().unwrap(), UnixDatagram::bind(&scratch).unwrap());
        let bound = rustix::net::SocketAddrUnix::new_unnamed();
        rustix::net::bind(&here, &bound).unwrap();
        here.send_to(b"ask", &scratch).unwrap();
        let mut room = [0; 16];
        let asked = receive(&there, &mut room).unwrap();
        std::fs::remove_file(&scratch).unwrap();
        assert!(matches!(asked.from, Name::Unix(name) if name.as_bytes().first() == Some(&0)));
        let answer = Departure { payload: b"", to: asked.from, source: None };
        assert_eq!(send_all(&there, std::iter::once(answer), &Trains::none()).unwrap(), 1);
        tell_times(&here).unwrap();
        assert_eq!(receive(&here, &mut room).unwrap().length, 0);

        let (one, other) = rustix::net::socketpair(
            rustix::net::AddressFamily::UNIX,
            rustix::net::SocketType::SEQPACKET,
            rustix::net::SocketFlags::CLOEXEC,
            None,
        )
        .unwrap();
        tell_times(&other).unwrap();
        let empty = Departure { payload: b"", to: Name::Unnamed, source: None };
        assert_eq!(send_all(&one, std::iter::once(empty), &Trains::none()).unwrap(), 1);
        drop(one);
        let (message, end) = (receive(&other, &mut room).unwrap(), receive(&other, &mut room).unwrap());
        assert_eq!((message.length, message.at.is_some()), (0, true));
        assert_eq!((end.length, end.at), (0, None));
    }
}
