//! Clients that each send one message, wait for the whole reply, and send the next: one thread for all of them.
//!
//! It does as little for a reply as it can, so that servers are measured and not it.

mod latencies;
mod time;
mod websocket;

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};

pub(crate) use latencies::Latencies;

/// What each client says, and must hear.
const MESSAGE: &[u8; 64] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-\n";
/// A datagram that was not answered for so long is lost, and sent again.
const LOST: Duration = Duration::from_millis(200);
/// How long at most until the clock is looked at.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
/// How long a server may take until it has answered each client once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// How clients talk.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Manner {
    /// With a new connection for each message.
    Connections,
    /// With datagrams, each client from a socket of its own.
    Datagrams,
    /// With one message after the other on a connection that stays.
    Exchanges,
    /// With questions for the time (NTP), each client from a socket of its own.
    Time,
    /// The same as exchanges, each message in a frame of WebSocket, after its handshake (RFC 6455).
    WebSocket,
    /// The same, so many messages at once.
    WebSocketBursts,
}

impl Manner {
    /// What each client says, and must hear.
    fn exchange(self) -> (&'static [u8], &'static [u8]) {
        match self {
            Self::WebSocket => (&websocket::ASKED, &websocket::ANSWERED),
            Self::WebSocketBursts => (websocket::BURST.0.as_slice(), websocket::BURST.1.as_slice()),
            Self::Time => (time::ASKED.as_slice(), &[]),
            Self::Connections | Self::Datagrams | Self::Exchanges => (MESSAGE, MESSAGE),
        }
    }

    fn is_datagrams(self) -> bool {
        matches!(self, Self::Datagrams | Self::Time)
    }

    /// How many replies there are to what each client says.
    fn replies(self) -> u64 {
        if self == Self::WebSocketBursts { websocket::MESSAGES.into() } else { 1 }
    }
}

/// Who asks what, and for how long.
pub(crate) struct Load {
    pub(crate) port: u16,
    pub(crate) clients: usize,
    pub(crate) manner: Manner,
    pub(crate) lasting: Duration,
    /// How much longer it goes on where some client was never answered.
    pub(crate) patience: Duration,
}

/// What came of it.
pub(crate) struct Heard {
    pub(crate) replies: u64,
    pub(crate) took: Duration,
    pub(crate) latencies: Latencies,
}

impl Heard {
    pub(crate) fn per_second(&self) -> f64 {
        self.replies as f64 / self.took.as_secs_f64()
    }
}

impl Load {
    /// Talks to a server on loopback.
    ///
    /// # Errors
    /// Some client was never answered, or more failed than were answered: why the last did.
    pub(crate) fn run(&self) -> io::Result<Heard> {
        let began = Instant::now();
        let mut crowd = Crowd {
            to: SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.port),
            manner: self.manner,
            queue: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            clients: Vec::new(),
            answered: 0,
            replies: 0,
            failures: 0,
            latencies: Latencies::default(),
            room: vec![0; 4 << 10],
        };
        for at in 0..self.clients {
            let client = crowd.enter(at)?;
            crowd.clients.push(client);
        }
        let mut events = Vec::with_capacity(512);
        let mut swept = began;
        let mut last_failure = None;
        let end = began + self.lasting;
        while Instant::now() < end || (crowd.answered < self.clients && Instant::now() < end + self.patience)
        {
            epoll::wait(&crowd.queue, spare_capacity(&mut events), Some(&TICK))?;
            for event in events.drain(..) {
                let at = usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
                if let Err(why) = crowd.hear(at) {
                    crowd.failures += 1;
                    last_failure = Some(why);
                    crowd.restart(at)?;
                }
            }
            if self.manner.is_datagrams() && swept.elapsed() > LOST / 4 {
                swept = Instant::now();
                crowd.ask_again();
            }
        }
        if crowd.answered < self.clients || crowd.failures > crowd.replies {
            let why = last_failure.map_or(String::new(), |why| format!("; one failed: {why}"));
            let Crowd { answered, .. } = crowd;
            return Err(io::Error::other(format!(
                "{answered} of {} clients were answered{why}",
                self.clients
            )));
        }
        Ok(Heard { replies: crowd.replies, took: began.elapsed(), latencies: crowd.latencies })
    }
}

/// All clients, each at its place.
struct Crowd {
    to: SocketAddrV4,
    manner: Manner,
    queue: OwnedFd,
    clients: Vec<Client>,
    /// How many clients had a reply at all.
    answered: usize,
    replies: u64,
    failures: u64,
    latencies: Latencies,
    /// For one read.
    room: Vec<u8>,
}

struct Client {
    socket: OwnedFd,
    step: Step,
    manner: Manner,
    /// What of the answer to its request has come: none but that of WebSocket.
    head: Vec<u8>,
    /// How much of the reply has come.
    got: usize,
    /// Whether it ever had a reply.
    is_answered: bool,
    /// When the message was sent; where each has its connection, when that was asked for.
    since: Instant,
}

/// How far a client is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Connecting,
    /// It has asked for WebSocket.
    Upgrading,
    Talking,
}

impl Crowd {
    /// A client that goes on its way.
    fn enter(&self, at: usize) -> io::Result<Client> {
        let is_datagram = self.manner.is_datagrams();
        let kind = if is_datagram { SocketType::DGRAM } else { SocketType::STREAM };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = net::socket_with(AddressFamily::INET, kind, flags, None)?;
        if !is_datagram {
            sockopt::set_tcp_nodelay(&socket, true)?;
            forget(&socket)?;
        }
        let mut client = Client {
            socket,
            step: if is_datagram { Step::Talking } else { Step::Connecting },
            manner: self.manner,
            head: Vec::new(),
            got: 0,
            is_answered: false,
            since: Instant::now(),
        };
        match net::connect(&client.socket, &self.to) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        let wanted = if is_datagram {
            epoll::EventFlags::IN
        } else {
            // Told once of each change, the queue need not be told when the handshake is over.
            epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET
        };
        epoll::add(&self.queue, &client.socket, epoll::EventData::new_u64(at as u64), wanted)?;
        if is_datagram {
            client.ask();
        }
        Ok(client)
    }

    /// Something is new at a client's socket.
    fn hear(&mut self, at: usize) -> io::Result<()> {
        let Some(client) = self.clients.get_mut(at) else { return Ok(()) };
        match client.step {
            Step::Connecting => {
                sockopt::socket_error(&client.socket)??;
                return client.begin(self.manner);
            }
            Step::Upgrading => return client.upgrade(),
            Step::Talking => {}
        }
        if !client.take(&mut self.room)? {
            return Ok(());
        }
        self.replies += self.manner.replies();
        self.answered += usize::from(!client.is_answered);
        client.is_answered = true;
        self.latencies.add(client.since.elapsed());
        if self.manner == Manner::Connections {
            return self.restart(at);
        }
        client.ask();
        Ok(())
    }

    /// The next connection of a client. Datagrams need none.
    fn restart(&mut self, at: usize) -> io::Result<()> {
        if self.manner.is_datagrams() {
            return Ok(());
        }
        let next = self.enter(at)?;
        if let Some(client) = self.clients.get_mut(at) {
            *client = Client { is_answered: client.is_answered, ..next };
        }
        Ok(())
    }

    fn ask_again(&mut self) {
        for client in self.clients.iter_mut().filter(|client| client.since.elapsed() > LOST) {
            client.ask();
        }
    }
}

impl Client {
    /// It is connected.
    fn begin(&mut self, manner: Manner) -> io::Result<()> {
        if matches!(manner, Manner::WebSocket | Manner::WebSocketBursts) {
            self.step = Step::Upgrading;
            net::send(&self.socket, websocket::REQUEST, SendFlags::NOSIGNAL)?;
            return Ok(());
        }
        self.step = Step::Talking;
        let asked = self.since;
        self.ask();
        if manner == Manner::Connections {
            self.since = asked;
        }
        Ok(())
    }

    /// Takes what has come of the answer to its request, and once that is whole, talks.
    fn upgrade(&mut self) -> io::Result<()> {
        let mut buffer = [0; 1024];
        let (read, _) = match net::recv(&self.socket, &mut buffer, RecvFlags::empty()) {
            Err(Errno::AGAIN) => return Ok(()),
            received => received?,
        };
        self.head.extend_from_slice(buffer.get(..read).unwrap_or_default());
        if websocket::is_agreed(&self.head)? {
            self.head = Vec::new();
            self.step = Step::Talking;
            self.ask();
        } else if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    /// Where it cannot be sent, the reply fails to come.
    fn ask(&mut self) {
        self.got = 0;
        self.since = Instant::now();
        net::send(&self.socket, self.manner.exchange().0, SendFlags::NOSIGNAL).ok();
    }

    /// Takes what has come. Whether the reply is whole.
    fn take(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let expected = self.manner.exchange().1;
        let read = match net::recv(&self.socket, &mut *buffer, RecvFlags::empty()) {
            Ok((0, _)) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok((read, _)) => read,
            Err(Errno::AGAIN) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        if self.manner == Manner::Time {
            let is_answer = buffer.get(..read).is_some_and(time::is_answer);
            return if is_answer {
                Ok(true)
            } else {
                Err(io::Error::other("the reply does not tell the time"))
            };
        }
        if expected.get(self.got..self.got + read) != buffer.get(..read) {
            return Err(io::Error::other("the reply is not what was sent"));
        }
        self.got += read;
        Ok(self.got == expected.len())
    }
}

/// Connections that are idle after one exchange each, for as long as the caller keeps them.
///
/// # Errors
/// One could not be made, or was not answered.
pub(crate) fn hold(port: u16, count: usize) -> io::Result<Vec<TcpStream>> {
    let one = |_| {
        let mut conn = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        forget(&conn)?;
        conn.set_read_timeout(Some(PATIENCE))?;
        conn.write_all(MESSAGE)?;
        conn.read_exact(&mut [0; MESSAGE.len()])?;
        Ok(conn)
    };
    (0..count).map(one).collect()
}

/// A connection that is closed leaves nothing behind: as many as are made here, each with a minute of TIME_WAIT, would
/// use up all ports.
pub(crate) fn forget(socket: &impl std::os::fd::AsFd) -> io::Result<()> {
    Ok(sockopt::set_socket_linger(socket, Some(Duration::ZERO))?)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};
    use std::thread;

    use super::*;

    /// What two clients make of a server.
    fn run(port: u16, manner: Manner) -> Result<u64, String> {
        let (lasting, patience) = (Duration::from_millis(50), Duration::from_millis(100));
        let heard = Load { port, clients: 2, manner, lasting, patience }.run();
        heard.map(|heard| heard.replies).map_err(|error| error.to_string())
    }

    /// A server that echoes, to its first client alone or to all, until nothing comes for a second.
    fn datagrams(only_first: bool) -> u16 {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        thread::spawn(move || {
            let (mut buffer, mut first) = ([0; 128], None);
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                if *first.get_or_insert(from) == from || !only_first {
                    socket.send_to(&buffer[..length], from).unwrap();
                }
            }
        });
        port
    }

    /// A server that answers a connection after the other, with `more` added to a byte of what it was sent.
    fn streams(more: u8) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for conn in listener.incoming() {
                let (mut conn, mut message) = (conn.unwrap(), [0; MESSAGE.len()]);
                conn.read_exact(&mut message).ok();
                message[5] += more;
                conn.write_all(&message).ok();
            }
        });
        port
    }

    #[test]
    fn every_client_is_answered_over_and_over() {
        assert!(run(datagrams(false), Manner::Datagrams).unwrap() > 2);
        assert!(run(streams(0), Manner::Connections).unwrap() > 2);
    }

    #[test]
    fn a_server_that_forgets_a_client_has_no_figure() {
        let why = run(datagrams(true), Manner::Datagrams).unwrap_err();
        assert_eq!(why, "1 of 2 clients were answered");
    }

    #[test]
    fn a_server_that_answers_something_else_has_no_figure() {
        let why = run(streams(1), Manner::Connections).unwrap_err();
        assert_eq!(why, "0 of 2 clients were answered; one failed: the reply is not what was sent");
    }
}
