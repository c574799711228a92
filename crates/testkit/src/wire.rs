//! Blocking clients over TCP and Unix sockets, for tests that speak to a server themselves.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};

use crate::show;
use crate::wait::LIMIT;

/// A connection. Each read and write fails after `LIMIT`.
#[derive(Debug)]
pub enum Stream {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over a Unix socket.
    Unix(UnixStream),
}

impl Stream {
    /// Ends the sending direction. The peer sees the end of the input and can still answer.
    #[track_caller]
    pub fn shutdown_write(&self) {
        let ended = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        };
        match ended {
            Ok(()) => {}
            // The peer has reset the connection. What it sent before is still to be read.
            Err(error) if error.kind() == ErrorKind::NotConnected => {}
            Err(error) => panic!("cannot end the sending direction: {error}"),
        }
    }

    /// A second handle of the same connection.
    #[track_caller]
    pub fn duplicate(&self) -> Self {
        match self {
            Self::Tcp(stream) => Self::Tcp(stream.try_clone().expect("a socket can be duplicated")),
            Self::Unix(stream) => Self::Unix(stream.try_clone().expect("a socket can be duplicated")),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Connects to `tcp:HOST:PORT`, `unix:PATH` or `unix:@NAME`, as a ready line shows them. Panics after
/// `LIMIT`.
#[track_caller]
pub fn connect(address: &str) -> Stream {
    let connected = match address.split_once(':') {
        Some(("tcp", host_and_port)) => connect_tcp(host_and_port).map(Stream::Tcp),
        Some(("unix", path)) => connect_unix(path).map(Stream::Unix),
        Some(_) | None => panic!("a test can connect to tcp: and unix:, not to {address}"),
    };
    match connected {
        Ok(stream) => stream,
        Err(error) => panic!("cannot connect to {address}: {error}"),
    }
}

/// Reads until the peer ends its sending direction.
///
/// Panics with what has arrived when the connection breaks, when nothing comes for `LIMIT`, after one minute
/// in all, or after 256 MiB.
#[track_caller]
pub fn read_to_end(stream: &mut Stream) -> Vec<u8> {
    let start = Instant::now();
    let mut received = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    let why = loop {
        match stream.read(&mut buffer) {
            Ok(0) => return received,
            Ok(count) => received.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break "silence".to_owned(),
            Err(error) => break error.to_string(),
        }
        if start.elapsed() > READ_LIMIT {
            break format!("no end after {READ_LIMIT:?}");
        }
        if received.len() > READ_CAP {
            break format!("no end after {READ_CAP} bytes");
        }
    };
    panic!("cannot read to the end: {why}\nreceived: {}", show::bytes(&received));
}

/// Sends `bytes`, ends the sending direction, and returns everything the peer sends.
///
/// It reads while it writes, so an echo of any size gets through. A peer that does not take all of `bytes` is
/// no failure: it may answer without. Panics as `read_to_end` does.
#[track_caller]
pub fn exchange(stream: &mut Stream, bytes: &[u8]) -> Vec<u8> {
    let mut sender = stream.duplicate();
    thread::scope(|scope| {
        scope.spawn(move || {
            // Whatever goes wrong here shows in what the peer sends back, or in that nothing comes.
            sender.write_all(bytes).ok();
            sender.shutdown_write();
        });
        read_to_end(stream)
    })
}

fn connect_tcp(host_and_port: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for address in host_and_port.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, LIMIT) {
            Ok(stream) => {
                stream.set_read_timeout(Some(LIMIT))?;
                stream.set_write_timeout(Some(LIMIT))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The standard library cannot limit this connect, which blocks while the queue of the listener is full. The
/// limit for sending does.
fn connect_unix(path: &str) -> io::Result<UnixStream> {
    let address = match path.strip_prefix('@') {
        Some(name) => SocketAddrUnix::new_abstract_name(name.as_bytes())?,
        None => SocketAddrUnix::new(path)?,
    };
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&socket, Timeout::Recv, Some(LIMIT))?;
    set_socket_timeout(&socket, Timeout::Send, Some(LIMIT))?;
    rustix::net::connect(&socket, &address)?;
    Ok(UnixStream::from(socket))
}

const READ_LIMIT: Duration = Duration::from_secs(60);
const READ_CAP: usize = 256 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener};

    use super::*;
    use crate::Scratch;

    #[test]
    fn exchange_gets_an_echo_of_any_size_over_tcp() {
        for host in ["127.0.0.1", "[::1]"] {
            let listener = TcpListener::bind(format!("{host}:0")).unwrap();
            let address = format!("tcp:{host}:{}", listener.local_addr().unwrap().port());
            let echo = thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                io::copy(&mut stream.try_clone().unwrap(), &mut stream).unwrap()
            });
            let data: Vec<u8> = (0..16 << 20).map(|n: u32| n.to_le_bytes()[1]).collect();
            assert!(exchange(&mut connect(&address), &data) == data, "the echo differs");
            assert_eq!(echo.join().unwrap(), 16 << 20);
        }
    }

    #[test]
    fn unix_sockets_are_reached_by_path_and_by_name() {
        let scratch = Scratch::new();
        let path = scratch.path("socket");
        let name = format!("sockeye-testkit-{}", std::process::id());
        let by_name = SocketAddr::from_abstract_name(&name).unwrap();
        for (listener, address) in [
            (UnixListener::bind(&path).unwrap(), format!("unix:{}", path.display())),
            (UnixListener::bind_addr(&by_name).unwrap(), format!("unix:@{name}")),
        ] {
            let server = thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = Vec::new();
                stream.read_to_end(&mut request).unwrap();
                stream.write_all(b"answer").unwrap();
                request
            });
            assert_eq!(exchange(&mut connect(&address), b"request"), b"answer");
            assert_eq!(server.join().unwrap(), b"request");
        }
    }

    #[test]
    #[should_panic(expected = "cannot read to the end: silence\nreceived: \"part\"")]
    fn silence_fails_with_what_arrived() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = connect(&format!("tcp:{}", listener.local_addr().unwrap()));
        let (mut peer, _) = listener.accept().unwrap();
        peer.write_all(b"part").unwrap();
        if let Stream::Tcp(stream) = &stream {
            stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        }
        read_to_end(&mut stream);
    }

    #[test]
    #[should_panic(expected = "cannot connect to unix:/nonexistent/socket: ")]
    fn a_connection_that_fails_names_the_address() {
        connect("unix:/nonexistent/socket");
    }
}
