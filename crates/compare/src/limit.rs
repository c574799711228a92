//! The bound: the least work that an echo server can do, on one thread. Nothing is checked, counted or limited.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, epoll, poll};
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};
use sockeye_sys::datagram::{BATCH, Departure, Name, Trains, receive_all, send_all};

/// Room for one read, and for one datagram.
const ROOM: usize = 64 << 10;
const DATAGRAM: usize = 2048;

/// Echoes what comes by TCP, for ever: one wait for many, and for each that is ready one read and one write.
pub(crate) fn streams() -> io::Result<()> {
    let listener = net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::NONBLOCK, None)?;
    net::bind(&listener, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
    net::listen(&listener, 4096)?;
    tell(&SocketAddr::try_from(net::getsockname(&listener)?)?)?;
    let queue = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    add(&queue, &listener)?;
    // Each stands at the number of its descriptor.
    let mut conns: Vec<Option<OwnedFd>> = Vec::new();
    let (mut events, mut buffer) = (Vec::with_capacity(512), vec![0; ROOM]);
    loop {
        epoll::wait(&queue, spare_capacity(&mut events), None)?;
        for event in events.drain(..) {
            let number = usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
            match conns.get_mut(number) {
                Some(conn @ Some(_)) => {
                    if !conn.as_ref().is_some_and(|conn| echo(conn, &mut buffer)) {
                        *conn = None;
                    }
                }
                _ => accept_all(&listener, &queue, &mut conns)?,
            }
        }
    }
}

/// `false` where the connection is over.
fn echo(conn: &OwnedFd, buffer: &mut [u8]) -> bool {
    match net::recv(conn, &mut *buffer, RecvFlags::empty()) {
        Ok((0, _)) => false,
        Ok((read, _)) => net::send(conn, buffer.get(..read).unwrap_or_default(), SendFlags::NOSIGNAL).is_ok(),
        Err(error) => error == rustix::io::Errno::AGAIN,
    }
}

fn accept_all(listener: &OwnedFd, queue: &OwnedFd, conns: &mut Vec<Option<OwnedFd>>) -> io::Result<()> {
    while let Ok(conn) = net::accept_with(listener, SocketFlags::NONBLOCK) {
        sockopt::set_tcp_nodelay(&conn, true)?;
        add(queue, &conn)?;
        let number = usize::try_from(conn.as_raw_fd()).unwrap_or_default();
        if conns.len() <= number {
            conns.resize_with(number + 1, || None);
        }
        if let Some(place) = conns.get_mut(number) {
            *place = Some(conn);
        }
    }
    Ok(())
}

fn add(queue: &OwnedFd, socket: &OwnedFd) -> io::Result<()> {
    let number = u64::try_from(socket.as_raw_fd()).unwrap_or_default();
    Ok(epoll::add(queue, socket, epoll::EventData::new_u64(number), epoll::EventFlags::IN)?)
}

/// Echoes datagrams, for ever: as many as there are with one call in, and one out.
pub(crate) fn datagrams() -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    sockopt::set_socket_recv_buffer_size(&socket, 8 << 20)?;
    tell(&socket.local_addr()?)?;
    let mut room = vec![0; BATCH * DATAGRAM];
    let mut came = Vec::with_capacity(BATCH);
    loop {
        came.clear();
        match receive_all(&socket, room.chunks_mut(DATAGRAM), |arrival| {
            came.push((arrival.from, arrival.length))
        }) {
            Ok(_) => send(&socket, &room, &came),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                poll(&mut [PollFd::new(&socket, PollFlags::IN)], None)?;
            }
            Err(error) => return Err(error),
        }
    }
}

/// What the kernel does not take is lost, as datagrams are.
fn send(socket: &UdpSocket, room: &[u8], came: &[(Name, usize)]) {
    let answers = room.chunks(DATAGRAM).zip(came).map(|(payload, (from, length))| Departure {
        payload: payload.get(..*length).unwrap_or_default(),
        to: *from,
        source: None,
    });
    send_all(socket, answers, &Trains::none()).ok();
}

/// The ready line, as sockeye has one.
fn tell(address: &SocketAddr) -> io::Result<()> {
    writeln!(io::stderr(), "compare: limit on {address}")
}
