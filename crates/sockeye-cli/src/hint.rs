//! What to try, by what failed and how.

use std::borrow::Cow;
use std::io::ErrorKind;

use rustix::io::Errno;
use sockeye::proto::cut::TooLong;
use sockeye::proto::frame::FrameError;
use sockeye::proto::printable;
use sockeye::proto::websocket::WebSocketError;
use sockeye::{
    Cause, CertificateFault, Error, FileFault, Kind, Limit, LookupErrorKind, Op, PathTaken, Protocol,
    Refused, RuleFault, TlsFault, Unshared, Unstarted,
};

/// How bytes and messages come together.
pub(crate) const FRAME: &str = "frame=line makes messages of bytes; sockeye help address has other frames";

/// Where files can be written.
pub(crate) const FILE: &str =
    "choose a place in a folder that is there and yours to write: ls -ld shows whose it is";

/// Where what is to outlive us is kept.
pub(crate) const STATE: &str =
    "XDG_STATE_HOME, or STATE_DIRECTORY for a service, names a folder that is ours alone";

/// How clients come to follow a clock.
pub(crate) const CLOCK: &str =
    "so clients do not follow it; --local-stratum 10 has them follow it all the same";

/// The second line of a failure, where there is something to try.
pub(crate) fn of(error: &Error) -> Option<Cow<'static, str>> {
    match (error.op(), error.cause()) {
        (Op::Dial, Cause::UnknownOwner(_)) => {
            Some("user= and group= take a name; a number of no user needs group= too".into())
        }
        (_, Cause::Lacks(capability)) => Some(setcap(capability).into()),
        (_, Cause::Option(refused)) => Some(option(refused)),
        (_, Cause::Tls(fault)) => tls(fault),
        (_, cause) => of_cause(cause).or_else(|| of_operation(error)).map(Cow::Borrowed),
    }
}

/// How this very program gets a right that it lacks, as a shell takes it.
fn setcap(capability: &str) -> String {
    let path = std::env::current_exe().unwrap_or_else(|_| "sockeye".into());
    let path = printable::line(path.as_os_str().as_encoded_bytes());
    let is_plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._+-".contains(&byte));
    let path = if is_plain { path } else { format!("'{}'", path.replace('\'', r"'\''")) };
    format!("run as root, or give it the right once: sudo setcap {capability}+ep {path}")
}

fn option(refused: &Refused) -> Cow<'static, str> {
    if let Some(capability) = refused.lacks {
        return setcap(capability).into();
    }
    let hint = match (refused.option, Errno::from_io_error(&refused.error)) {
        ("congestion", Some(Errno::NOENT)) => {
            "sysctl net.ipv4.tcp_available_congestion_control lists what there is"
        }
        ("device", Some(Errno::NODEV)) => "ip link lists the interfaces",
        ("pcap", _) if refused.error.kind() == ErrorKind::AlreadyExists => {
            "name another file: nothing there is lost"
        }
        ("pcap" | "tee" | "tee-out", _) if refused.error.kind() == ErrorKind::InvalidInput => {
            "standard output is for what the peer says: name a file, or /dev/stderr"
        }
        ("pcap" | "tee" | "tee-out", _) => FILE,
        ("mptcp", _) => "leave it out, or have the kernel allow it: sysctl net.mptcp.enabled=1",
        (_, Some(Errno::NOPROTOOPT | Errno::OPNOTSUPP)) => {
            "the kernel does not have it on such a socket: leave it out"
        }
        _ => "sockeye opts says what each option takes",
    };
    hint.into()
}

/// Where the cause alone says what to try.
fn of_cause(cause: &Cause) -> Option<&'static str> {
    let hint = match cause {
        Cause::OtherFamily => "try without -4 or -6",
        Cause::NoUsers => "listen on loopback by tcp: or udp:, or on a Unix socket",
        Cause::OpenToOthers => {
            "listen on loopback or a Unix socket, or let in by certificate: tls:HOST:PORT,client-ca=FILE,allow=cert:NAME"
        }
        Cause::Rule(_, fault) => match fault {
            RuleFault::NoAddresses => "name users: allow=alice or allow=uid:1000; on TCP and UDP, addresses",
            RuleFault::NoSuchUser => {
                "it takes an IP address, a range such as 10.0.0.0/8, a user (getent passwd), uid:N or cert:NAME; no hosts"
            }
            RuleFault::NoCertificates => {
                "clients show certificates where a tls: address asks for them: client-ca=FILE"
            }
            RuleFault::NoUsers => "name addresses, such as 10.0.0.0/8",
            RuleFault::OpenToOthers => "listen on loopback, or deny addresses",
        },
        Cause::Unshared(Unshared::Alike { protocol: Protocol::Text, .. }) => {
            "give each a port of its own, or a layer that tells them apart: tls: or ws:"
        }
        Cause::Unshared(Unshared::Alike { .. } | Unshared::Messages) => "give each a port of its own",
        Cause::Unshared(Unshared::Option { .. }) => {
            "set it on the first of them, for all, or give each a port of its own"
        }
        Cause::Unstarted(what, error) => return unstarted(what, error),
        Cause::UnknownOwner(_) => "owner= takes USER, USER:GROUP or :GROUP, by name or number",
        Cause::PathTaken(taken) => match taken {
            PathTaken::Answered => "end the program that listens there, or choose another path",
            PathTaken::Locked => "end the program that listens there; the lock is PATH.lock",
            PathTaken::NotASocket => "choose another path; what is no socket is never removed",
            PathTaken::OtherOwner => "choose another path; another user's socket is never removed",
        },
        Cause::Frame(error) => frame(error),
        Cause::WebSocket(error) => return web_socket(error),
        // Standard input holds something that is no message.
        Cause::Io(error) => match error.get_ref()?.downcast_ref::<TooLong>()?.line {
            Some(_) => "send it in shorter lines",
            None => "--lines sends each line as a message; tcp: and unix: carry any number of bytes",
        },
        Cause::TooSlow => "--slow=oldest drops messages instead of the peer",
        Cause::TooLarge { .. } => {
            "send smaller messages, or over tcp: or unix: with a frame= and max-message= that fit"
        }
        Cause::Lookup(error) if error.kind() == LookupErrorKind::NoSuchService => {
            "write the port as a number; getent services lists the names"
        }
        Cause::Lookup(error) if error.kind() == LookupErrorKind::NoSuchHost => {
            "check the spelling; with -n only numbers are taken"
        }
        _ => return None,
    };
    Some(hint)
}

fn of_operation(error: &Error) -> Option<&'static str> {
    let is_on = |scheme| error.address().is_some_and(|address| address.starts_with(scheme));
    let hint = match (error.op(), error.kind(), error.cause()) {
        (Op::Relay, _, Cause::WrongShape { .. }) => FRAME,
        (Op::Relay, _, Cause::Limit(..)) => "idle= sets how long nothing may go over it",
        (Op::Dial, Kind::NotFound, Cause::Io(error)) if error.kind() == ErrorKind::AddrNotAvailable => {
            "bind= takes an address of this machine (ip addr), of the family that is dialled"
        }
        (Op::Dial | Op::Read | Op::Write, Kind::Refused, _) => {
            "nobody listens there: is the server up, and the address right?"
        }
        (Op::Write, _, Cause::Io(error)) if Errno::from_io_error(error) == Some(Errno::BADF) => {
            "it is open for reading only: add ,write or ,append, or use --one-way"
        }
        (Op::Write, _, Cause::Io(error))
            if is_on("raw:") && Errno::from_io_error(error) == Some(Errno::INVAL) =>
        {
            "with hdrincl, and on protocol 255, a message begins with a whole header of IP"
        }
        (Op::Dial, Kind::NotFound, _) if is_on("fd:") => "open it in the shell: sockeye ... 3<FILE",
        (Op::Dial | Op::Write, Kind::NotFound, _) => {
            "check what is named there, or start what listens there first"
        }
        (Op::Dial, Kind::TimeLimit, _) => "is the host up, and no firewall between? connect= sets the limit",
        (Op::Dial, Kind::Unreachable, _) => {
            "check the network, or the name server: ip route; cat /etc/resolv.conf"
        }
        (Op::Write | Op::Dial, Kind::NoRight, _) if is_on("udp:") || is_on("raw:") => {
            "to send to a broadcast address, add ,broadcast"
        }
        (Op::Dial, Kind::NoRight, _) => "check who may use it: ls -l, id",
        (Op::Listen, ..) if is_on("fd-l:") => {
            "it is for sockets that systemd or a shell hands down, by number or FileDescriptorName="
        }
        (Op::Listen, Kind::InUse, _) => {
            "choose another; ss -lxtp shows who listens, and port 0 is the kernel's choice"
        }
        (Op::Listen, Kind::NoRight, _) => "choose a port from 1024 on or a folder of yours, or run as root",
        (Op::Listen, Kind::NotFound, _) if is_on("vsock-l:") => {
            "any:PORT is reached by others, and local:PORT needs the kernel's module vsock_loopback"
        }
        (Op::Listen, Kind::NotFound, _) => {
            "listen on an address of this machine (ip addr), in a folder that exists"
        }
        (Op::Handshake, _, Cause::Limit(Limit::Sniff, _)) => {
            "sniff= sets how long a newcomer may say nothing"
        }
        (Op::Handshake, Kind::TimeLimit, _) => "handshake= sets the limit",
        (Op::Read, _, Cause::Limit(..)) => "idle= sets how long nothing may go over it",
        (Op::Read, Kind::Reset, _) => "the peer broke off: what came before may not be all",
        (Op::Write, Kind::Reset, _) => "the peer no longer reads: what was sent last may not have arrived",
        (_, Kind::Exhausted, _) => "raise the limit of open files: ulimit -n",
        _ => return None,
    };
    Some(hint)
}

fn unstarted(what: &Unstarted, error: &std::io::Error) -> Option<&'static str> {
    let hint = match (what, error.kind()) {
        (Unstarted::Folder(_), _) => "cwd= names a folder that is there and that it may enter",
        (Unstarted::Identity, _) => "only root may run commands as others: leave out user= and group=",
        (Unstarted::Link(_), _) => "link= makes a link in a folder of yours, and replaces nothing but a link",
        (Unstarted::Program(name), ErrorKind::NotFound) if name.contains(',') => {
            "the options of a command stand beside it: -o key=value"
        }
        (Unstarted::Program(_), ErrorKind::NotFound) => {
            "check the spelling, and PATH; sh: runs what only a shell knows"
        }
        (Unstarted::Program(_), ErrorKind::PermissionDenied) => "check who may execute it: ls -l, id",
        (Unstarted::Program(_), _) => "a script begins with #! and its interpreter; sh: runs it without",
        (_, _) => return None,
    };
    Some(hint)
}

fn web_socket(error: &WebSocketError) -> Option<&'static str> {
    let hint = match error {
        WebSocketError::Answered { status: 301..=308, .. } => {
            "dial what it names: sockeye follows nobody elsewhere"
        }
        WebSocketError::Answered { status: 401 | 407, .. } => {
            "say who you are: auth=env:NAME or auth=file:PATH, with user:password or a token inside"
        }
        WebSocketError::Answered { status: 403, .. } => "it may want an origin=, or an auth=",
        WebSocketError::Answered { status: 404 | 410, .. } => "check the path: ws://host/path, or path=/path",
        WebSocketError::Answered { status: 200..=299 | 400 | 405 | 426, .. } => {
            "is a WebSocket served there? check the path, and whether it wants a subprotocol="
        }
        WebSocketError::Answered { status: 500..=599, .. } => "its log says more; try again later",
        WebSocketError::NotHttp => "is it a WebSocket, and not wss: or plain tcp:?",
        WebSocketError::NoUpgrade => {
            "open it with a client of WebSockets, such as sockeye dial ws://host:port/"
        }
        WebSocketError::Origin(_) => "origin= names the pages that may come in",
        WebSocketError::Subprotocol(_) => "subprotocol= names those that are spoken here",
        WebSocketError::Path(_) => "path= is what is served",
        WebSocketError::TooLarge { .. } => "max-message= sets how much is taken",
        WebSocketError::NotText => "as=binary sends what is no text",
        WebSocketError::Silent(_) => "ping= sets how long a peer may be silent",
        WebSocketError::Gone => "the peer broke off: what came before may not be all",
        _ => return None,
    };
    Some(hint)
}

fn tls(fault: &TlsFault) -> Option<Cow<'static, str>> {
    let hint = match fault {
        TlsFault::Alert(alert) if alert.wants_certificate() => {
            "cert= and key= are what we show, which must be what the peer knows"
        }
        TlsFault::Certificate(fault) => return certificate(fault),
        TlsFault::File(_, FileFault::NoKey) => {
            "key= names the file of the key; openssl pkey takes a password away"
        }
        TlsFault::File(_, FileFault::KeyAlone) => "cert= names the file of the certificate",
        TlsFault::File(_, FileFault::Mismatch) => {
            "key= names the file of the key, where cert= has another or none"
        }
        TlsFault::File(_, FileFault::NoCertificate | FileFault::NoPem | FileFault::Unsupported) => {
            "it takes a file that begins with -----BEGIN; openssl x509 makes one of others"
        }
        TlsFault::NoCertificate => {
            "client-ca= asks for certificates: leave it out, or give clients cert= and key="
        }
        TlsFault::Identity(..) => "mend it; or remove it, and another is made, whose pin= clients then need",
        TlsFault::NoName => "sni= sets the name, and pin= does without",
        TlsFault::BadName(_) => "sni= sets another",
        TlsFault::Echoed | TlsFault::PlainText(_) => "leave out tls, or see whether it is the right port",
        TlsFault::Cut => "whether all of it came, only what it is can tell: a length, or an end of its own",
        TlsFault::NoCommonVersion => "min= sets the lowest version, on either side",
        _ => return None,
    };
    Some(hint.into())
}

fn certificate(fault: &CertificateFault) -> Option<Cow<'static, str>> {
    let hint = match fault {
        CertificateFault::Untrusted { pin: Some(pin), .. } => {
            let hint = format!("if you know that it is the right one: pin={pin}; ca=FILE trusts its issuer");
            return Some(hint.into());
        }
        CertificateFault::Untrusted { pin: None, .. } => "ca=FILE names whom to trust",
        CertificateFault::WrongName { names, .. } if names.is_empty() => {
            "it has no subjectAltName, and its common name does not count: give it one, or pin its key with pin="
        }
        CertificateFault::WrongName { .. } => "dial it by such a name, or say which to check: sni=",
        CertificateFault::WrongPin(_) => {
            "somebody is between, or the key was changed: ask whose it is before you pin the new one"
        }
        CertificateFault::NotYet(_) => "is our clock right? date",
        CertificateFault::Expired(_) => {
            "the peer needs a new one; pin= takes a key whatever its date, and date our clock"
        }
        _ => return None,
    };
    Some(hint.into())
}

fn frame(error: &FrameError) -> &'static str {
    match error {
        FrameError::DelimiterInside(_)
        | FrameError::Empty
        | FrameError::TooLarge { .. }
        | FrameError::WrongLength { .. } => {
            "frame=len32 carries any message; sockeye help address has other frames"
        }
        FrameError::TooLong { .. } => {
            "a larger max-message= takes it, if the peer means the same frame= as you do"
        }
        FrameError::Unfinished => "the peer broke off, or means another frame= than you do",
        _ => "does the peer mean the same frame= as you do? sockeye help address has others",
    }
}
