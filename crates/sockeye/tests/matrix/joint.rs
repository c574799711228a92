//! The pairs of the matrix, and a relay between the ends of one.

use std::os::fd::{IntoRawFd as _, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use sockeye::proto::shape::Shape;
use sockeye::{Conn, Ctx, Event, Forward, Kind, Limits, Listening, Plan, SCHEMES, Scheme, Served, Wants};
use testkit::{Authority, Issued, Scratch};
use tokio::sync::mpsc;

use crate::lab::{Server, accept, address, assert_same, dial, event, listen, local, own_loopback, soon};

/// Schemes that have no row and no column here, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    ("-", "standard input and output belong to the process: the tests of the command line start one for it"),
    (
        "pty",
        "a terminal has no end of its own that could be told, and some bytes mean something: see `process`",
    ),
    ("vsock", "most machines have no way to themselves: `vsock` compares with what the kernel says"),
];

/// One relay of the matrix.
#[derive(Clone, Copy)]
pub(super) struct Pair {
    pub(super) near: &'static Scheme,
    pub(super) far: &'static Scheme,
    pub(super) end: End,
    /// What is on each side that carries bytes, and makes messages of them.
    pub(super) over: Over,
    /// Whether layers stand on both sides that change nothing: they look, and keep a pace that nobody reaches.
    pub(super) is_looked_at: bool,
    /// Whether TLS is on what can be dialled and listened on, and carries bytes.
    pub(super) is_secret: bool,
    /// Whether bytes come one by one, at each end.
    pub(super) is_sliced: bool,
    /// After how long the relay takes a silent client to have left; `None` is what the scheme says.
    pub(super) idle: Option<Duration>,
}

/// A layer that makes messages of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    Nothing,
    Frame,
    WebSocket,
}

/// One of each layer that looks, and of those that slow down.
const LOOKS: &[&str] = &["rate=100GB/s", "tee=/dev/null", "tee-out=/dev/null", "pcap=/dev/null", "log=hex"];

/// What stands at a far end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// A peer, which is the test.
    Peer,
    /// A file that is read.
    Source,
    /// A file that is written.
    Sink,
}

impl Pair {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let is_here = |row: &&&'static Scheme| ELSEWHERE.iter().all(|(name, _)| *name != row.grammar.name);
        let here = move || SCHEMES.iter().filter(is_here);
        here().filter(|row| row.grammar.listens).flat_map(move |near| {
            let far = here().filter(|row| row.grammar.dials);
            far.flat_map(move |far| {
                let ends = ends(far.grammar.name, far.grammar.listens);
                ends.iter().map(move |end| Self {
                    near,
                    far,
                    end: *end,
                    over: Over::Nothing,
                    is_looked_at: false,
                    is_secret: false,
                    is_sliced: false,
                    idle: None,
                })
            })
        })
    }

    /// The address with the options that this pair and `room` ask for.
    fn word(self, bare: &str, scheme: &Scheme, room: Room) -> String {
        let is_bytes = scheme.grammar.shape == Shape::Bytes;
        let front = if self.over == Over::WebSocket && is_bytes { "ws+" } else { "" };
        let layers = self.layers(scheme).map(|layer| format!(",{layer}"));
        let (secrecy, secret) =
            if self.is_secret && can_be_secret(scheme) { tls(bare) } else { Default::default() };
        let word = room.on(bare, scheme);
        format!("{front}{secrecy}{word}{secret}{}", layers.collect::<String>())
    }

    /// The options that put layers on.
    fn layers(self, scheme: &Scheme) -> impl Iterator<Item = &'static str> {
        let has_bytes = scheme.grammar.shape == Shape::Bytes;
        let frame = (self.over == Over::Frame && has_bytes).then_some("frame=len32");
        let slice = (self.is_sliced && has_bytes).then_some("fault=slice:1");
        let looks = LOOKS.iter().filter(move |_| self.is_looked_at).copied();
        frame.into_iter().chain(slice).chain(looks)
    }

    pub(super) fn half_close(self) -> bool {
        self.near.half_close && self.far.half_close
    }
}

/// The schemes that TLS is put on: of each kind of socket that carries bytes one.
pub(super) fn can_be_secret(scheme: &Scheme) -> bool {
    ["mem", "tcp", "unix"].contains(&scheme.grammar.name)
}

/// What stands in front of an address and behind it, so that those who dial know those who listen.
fn tls(bare: &str) -> (&'static str, String) {
    static SHOWN: LazyLock<(Authority, Issued, String)> = LazyLock::new(|| {
        let authority = Authority::new();
        let issued = authority.self_signed("DNS:matrix");
        let pin = authority.pin(&issued.certificate);
        (authority, issued, pin)
    });
    let (_, Issued { certificate, key }, pin) = &*SHOWN;
    let options =
        if bare.contains("-l:") { format!(",cert={certificate},key={key}") } else { format!(",pin={pin}") };
    ("tls+", options)
}

/// Whether connections of this scheme are peers that a socket tells apart by their names: they have no end, come to a
/// listener with their first message, and lose what finds no room.
pub(super) fn is_datagram(scheme: &Scheme) -> bool {
    scheme.grammar.shape == Shape::Messages && !scheme.half_close
}

/// What can stand at the far end of a relay to this scheme.
fn ends(scheme: &str, listens: bool) -> &'static [End] {
    match scheme {
        _ if listens => &[End::Peer],
        "exec" | "sh" => &[End::Peer],
        "file" => &[End::Source, End::Sink],
        other => panic!("no far end for scheme {other}"),
    }
}

/// Whether it is a command that stands at the far end, through which the test speaks and hears.
fn is_command(scheme: &Scheme) -> bool {
    ["exec", "sh"].contains(&scheme.grammar.name)
}

/// Joins standard input and output to a Unix socket, and passes on the end of each way.
const JOIN: &str = "
import os, socket, sys, threading
peer = socket.socket(socket.AF_UNIX)
peer.connect(sys.argv[1])
def back():
    while data := memoryview(peer.recv(65536)):
        while data:
            data = data[os.write(1, data):]
    os.close(1)
thread = threading.Thread(target=back)
thread.start()
while data := os.read(0, 65536):
    peer.sendall(data)
peer.shutdown(socket.SHUT_WR)
thread.join()
";

/// Where to listen, `name` being one of the two sides.
fn listening_word(scheme: &str, scratch: &Scratch, name: &str) -> String {
    match scheme {
        "raw" => format!("raw-l:253:{}", own_loopback()),
        "tcp" | "udp" => format!("{scheme}-l:127.0.0.1:0"),
        "unix" | "unix-dgram" | "unix-seq" => format!("{scheme}-l:{}", scratch.path(name).display()),
        "mem" | "mem-seq" => format!("{scheme}-l:{name}"),
        "fd" => {
            let listener = UnixListener::bind(scratch.path(name)).unwrap();
            format!("fd-l:{}", leave(listener.into()))
        }
        other => panic!("no far end for scheme {other}"),
    }
}

/// Where to dial, `word` being the address of a listener: a peer on IP alone is known by its address.
fn dialling_word(word: &str, scheme: &Scheme) -> String {
    let bind = (scheme.grammar.name == "raw").then(|| format!(",bind={}", own_loopback()));
    word.to_owned() + &bind.unwrap_or_default()
}

/// How much the kernel holds on the way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    Usual,
    Small,
}

impl Room {
    /// The address with the options for it, where its scheme knows them.
    fn on(self, word: &str, scheme: &Scheme) -> String {
        let knows = |name: &&&str| {
            let mut rows = sockeye::options();
            rows.any(|row| row.grammar.name == **name && row.grammar.schemes.contains(&scheme.grammar.name))
        };
        let names = ["sndbuf", "rcvbuf"];
        let options =
            names.iter().filter(|_| self == Self::Small).filter(knows).map(|name| format!(",{name}=64k"));
        std::iter::once(word.to_owned()).chain(options).collect()
    }
}

/// What the test holds of a far end.
pub(super) enum Far {
    Peer(Conn),
    Source,
    Sink,
}

/// A relay between two ends that the test holds.
pub(super) struct Relay {
    pub(super) ctx: Ctx,
    pub(super) server: Server,
    pub(super) events: mpsc::Receiver<Event>,
    pair: Pair,
    /// Where clients dial it.
    near: String,
    /// What is read, or written.
    file: PathBuf,
    /// The scheme of the command through which the test holds the far end, where it does.
    pub(super) command: Option<&'static str>,
    _scratch: Scratch,
}

/// Makes a relay and one connection through it. `content` is what a file has that is read.
pub(super) async fn join(pair: Pair, room: Room, content: &[u8]) -> (Relay, Conn, Far) {
    let (mut relay, waiting) = start(pair, room, content).await;
    let near = relay.client().await;
    relay.opened().await;
    (relay, near, waiting.far().await)
}

/// Makes a relay that nobody has dialled yet.
pub(super) async fn start(pair: Pair, room: Room, content: &[u8]) -> (Relay, Waiting) {
    let mut ctx = Ctx::default();
    ctx.limits.hurry = Duration::from_millis(100);
    let events = ctx.events.subscribe(64, Wants::Connections);
    let scratch = Scratch::new();
    let file = scratch.path("file");

    let (to, waiting) = match pair.end {
        End::Peer if pair.far.grammar.listens && pair.far.grammar.name != "fd" => {
            let (listening, word) = listen_on(pair, pair.far, &scratch, "far", room, &ctx).await;
            (dialling_word(&word, pair.far), Waiting::Listening(Box::new(listening)))
        }
        End::Peer if is_command(pair.far) => {
            let unix = SCHEMES.iter().find(|row| row.grammar.name == "unix").expect("a row");
            // The script joins what the command carries, which has no TLS.
            let pair = Pair { is_secret: false, ..pair };
            let (listening, _) = listen_on(pair, unix, &scratch, "far", room, &ctx).await;
            let script = scratch.path("join.py");
            std::fs::write(&script, JOIN).unwrap();
            // A shell that waited for it would hold its streams open.
            let shell = if pair.far.grammar.name == "sh" { "exec " } else { "" };
            let words = format!("{shell}python3 {} {}", script.display(), scratch.path("far").display());
            (format!("{}:{words}", pair.far.grammar.name), Waiting::Listening(Box::new(listening)))
        }
        End::Peer => {
            let (relays, ours) = inherited_pair();
            let ours = pair.word(&format!("fd:{ours}"), pair.far, Room::Usual);
            (format!("fd:{relays}"), Waiting::Conn(dial(&ours, &ctx).await))
        }
        End::Source => {
            std::fs::write(&file, content).unwrap();
            (format!("file:{}", file.display()), Waiting::Nobody(Far::Source))
        }
        End::Sink => (format!("file:{},write", file.display()), Waiting::Nobody(Far::Sink)),
    };
    let to = if is_command(pair.far) {
        let front = if pair.over == Over::WebSocket { "ws+" } else { "" };
        let beside: Vec<String> = pair.layers(pair.far).map(str::to_owned).collect();
        sockeye::parse(&format!("{front}{to}"), &beside).unwrap()
    } else {
        address(&pair.word(&to, pair.far, room))
    };
    let forward = Forward { to: sockeye::dialler(&to, &ctx).unwrap(), plan: Plan::default() };
    let limits = Limits { idle: pair.idle, ..ctx.limits };
    let relays = Ctx { limits, ..ctx.clone() };
    let (listening, near) = listen_on(pair, pair.near, &scratch, "near", room, &relays).await;
    let near = pair.word(&near, pair.near, room);
    let server = Server::start(listening, Arc::new(forward), &relays);
    let command = is_command(pair.far).then_some(pair.far.grammar.name);
    (Relay { ctx, server, events, pair, near, file, command, _scratch: scratch }, waiting)
}

/// A far end that the relay has not dialled yet.
pub(super) enum Waiting {
    Listening(Box<Listening>),
    Conn(Conn),
    Nobody(Far),
}

impl Waiting {
    /// What the relay has reached.
    pub(super) async fn far(self) -> Far {
        match self {
            Self::Listening(mut listening) => {
                let mut conn = accept(&mut listening).await;
                for wrap in &listening.wraps {
                    conn = wrap.wrap(conn, &Ctx::default()).await.unwrap();
                }
                Far::Peer(conn)
            }
            Self::Conn(conn) => Far::Peer(conn),
            Self::Nobody(far) => far,
        }
    }
}

/// A listener of this scheme, and the address that leads to it, without options.
async fn listen_on(
    pair: Pair,
    scheme: &Scheme,
    scratch: &Scratch,
    name: &str,
    room: Room,
    ctx: &Ctx,
) -> (Listening, String) {
    let word = listening_word(scheme.grammar.name, scratch, name);
    let listening = listen(&pair.word(&word, scheme, room), ctx).await;
    // A port is the kernel's choice, and so is where a descriptor leads; a name inside this process is not told.
    let word = if word.ends_with(":0") || word.starts_with("fd-l:") {
        local(&listening)
    } else {
        word.replacen("-l:", ":", 1)
    };
    (listening, word)
}

/// The numbers of two connected descriptors that look as if our parent had left them to us. Each is taken once.
fn inherited_pair() -> (i32, i32) {
    let (one, other) =
        socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
    (leave(one), leave(other))
}

/// Gives a descriptor away, as a parent does who leaves it open for us.
fn leave(end: OwnedFd) -> i32 {
    fcntl_setfd(&end, FdFlags::empty()).unwrap();
    end.into_raw_fd()
}

impl Relay {
    /// Dials it.
    pub(super) async fn client(&self) -> Conn {
        dial(&dialling_word(&self.near, self.pair.near), &self.ctx).await
    }

    /// Waits until it has taken a connection.
    pub(super) async fn opened(&mut self) {
        event(&mut self.events, |event| matches!(event, Event::Opened { .. }).then_some(())).await;
    }

    /// Asks to drain, and sees that nobody else gets in.
    pub(super) async fn refuses_newcomers(&mut self) {
        self.ctx.stop.drain();
        let open = event(&mut self.events, |event| match event {
            Event::Stopping { open, .. } => Some(open),
            _ => None,
        });
        assert_eq!(open.await, 1);
        let refused = soon("a refusal", sockeye::dial(&address(&self.near), &self.ctx)).await.unwrap_err();
        assert!(matches!(refused.kind(), Kind::Refused | Kind::NotFound), "{refused:?}");
    }

    /// Stops, and waits for the end of everything.
    pub(super) async fn ended(&mut self) -> Served {
        self.ctx.stop.drain();
        let served = self.server.served().await;
        assert_eq!((served.accepted, served.aborted), (1, 0));
        served
    }

    /// As `ended`, and looks what is in the file that was written.
    pub(super) async fn end(mut self, content: &[u8]) -> Served {
        let served = self.ended().await;
        if matches!(self.pair.end, End::Sink) {
            assert_same(&std::fs::read(&self.file).unwrap(), content);
        }
        served
    }
}

#[test]
#[should_panic(expected = "no far end for scheme pigeon")]
fn a_row_that_has_no_ends_here_is_a_failure() {
    ends("pigeon", false);
}

#[test]
#[should_panic(expected = "no far end for scheme pigeon")]
fn a_row_that_listens_and_has_no_ends_here_is_a_failure() {
    listening_word("pigeon", &Scratch::new(), "near");
}
