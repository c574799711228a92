//! What every socket of the kernel has: socket(7).

use std::io;
use std::os::fd::BorrowedFd;

use rustix::net::{getsockname, sockopt};
use sockeye_proto::address::{Address, Kind, OptionGrammar, Role, Side, Value};
use sockeye_sys::socket_option;

use super::kernel::{Access, Form, Kernel, Phase, socket, tcp};
use super::{CONNECTED, Effect, INET, OptionRow, SOCKETS, row};
use crate::peer::Endpoint;

pub(super) static ROWS: &[OptionRow] = &[
    OptionRow {
        grammar: OptionGrammar {
            help: "connections that may wait to be accepted",
            ..row("backlog", CONNECTED, Side::Listen, Kind::Count { least: 0, most: 65_535 })
        },
        default: "4096, and at most net.core.somaxconn",
        effect: Effect::Kernel(Kernel::by_scheme(Phase::Listening, read_backlog)),
    },
    OptionRow {
        grammar: OptionGrammar {
            help: "our own address, and port if it has one",
            ..row("bind", &["tcp", "udp", "raw"], Side::Dial, Kind::Address)
        },
        default: "the kernel's choice",
        effect: Effect::Kernel(Kernel::by_scheme(Phase::Bound, |socket| {
            Ok(own_address(socket)?.map(Value::Address))
        })),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["so-broadcast"],
            help: "may send to broadcast addresses, and hears who answers",
            ..row("broadcast", &["udp", "raw"], Side::Both, Kind::Switch)
        },
        default: "no",
        effect: Effect::Kernel(Kernel::number(socket(libc::SO_BROADCAST), Form::Switch)),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["so-busy-poll"],
            help: "ask the network card for so long before waiting",
            ..row("busy-poll", INET, Side::Both, Kind::Time)
        },
        default: "off, or net.core.busy_read",
        effect: Effect::Kernel(Kernel::number(socket(libc::SO_BUSY_POLL), Form::Micros)),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["bindtodevice", "so-bindtodevice", "interface", "if"],
            help: "go and come by this interface alone",
            ..row("device", INET, Side::Both, Kind::Interface)
        },
        default: "every interface",
        effect: Effect::Kernel(Kernel {
            capability: "cap_net_raw",
            ..Kernel::new(Access::Text(socket(libc::SO_BINDTODEVICE)))
        }),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["so-mark", "fwmark"],
            help: "a number that ip-rule(8) and nft(8) know packets by",
            ..row("mark", INET, Side::Both, Kind::Count { least: 0, most: u32::MAX as u64 })
        },
        default: "0; another takes cap_net_admin",
        effect: Effect::Kernel(Kernel::number(socket(libc::SO_MARK), Form::Count)),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["so-passcred"],
            help: "have what comes carry the sender's process and user",
            ..row("passcred", UNIX, Side::Both, Kind::Switch)
        },
        default: "no; yes on unix-dgram-l with rules on users",
        effect: Effect::Kernel(Kernel::number(socket(libc::SO_PASSCRED), Form::Switch)),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["so-priority"],
            help: "which of the device's queues it goes through",
            ..row("priority", INET, Side::Both, Kind::Count { least: 0, most: i32::MAX as u64 })
        },
        default: "0, or as tos= asks; above 6 takes cap_net_admin",
        effect: Effect::Kernel(Kernel {
            is_inherited: false,
            ..Kernel::number(socket(libc::SO_PRIORITY), Form::Count)
        }),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["so-rcvbuf"],
            help: "the kernel's buffer for what comes; it takes twice as much",
            ..row("rcvbuf", SOCKETS, Side::Both, Kind::Size)
        },
        default: "the kernel's choice; 8 MiB for udp-l and raw-l, or as much as is allowed",
        effect: Effect::Kernel(Kernel::number(socket(libc::SO_RCVBUF), Form::Size)),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["so-reuseaddr"],
            help: "bind although old connections linger there; udp: share it",
            ..row("reuseaddr", INET, Side::Both, Kind::Switch)
        },
        default: "yes for tcp-l, else no",
        effect: Effect::Kernel(
            Kernel::number(socket(libc::SO_REUSEADDR), Form::Switch).ours(yes_for_tcp_listeners),
        ),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["so-reuseport"],
            help: "share the port with others that say so too",
            ..row("reuseport", INET, Side::Both, Kind::Switch)
        },
        default: "no",
        effect: Effect::Kernel(Kernel::number(socket(libc::SO_REUSEPORT), Form::Switch)),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["so-sndbuf"],
            help: "the kernel's buffer for what goes; it takes twice as much",
            ..row("sndbuf", SOCKETS, Side::Both, Kind::Size)
        },
        default: "the kernel's choice",
        effect: Effect::Kernel(Kernel::number(socket(libc::SO_SNDBUF), Form::Size)),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["setsockopt"],
            help: "an option that has no name here; may be given again",
            ..row("sockopt", SOCKETS, Side::Both, Kind::SocketOption)
        },
        default: "none",
        effect: Effect::Kernel(Kernel::new(Access::Raw)),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["sourceport", "sp"],
            help: "our own port",
            ..row("source-port", INET, Side::Dial, Kind::Count { least: 1, most: 65_535 })
        },
        default: "that of bind=, or the kernel's choice",
        effect: Effect::Kernel(Kernel::by_scheme(Phase::Bound, |socket| {
            Ok(own_address(socket)?.map(|own| Value::Count(own.port().into())))
        })),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["so-timestampns"],
            help: "have the kernel tell when each message came",
            ..row("timestamps", &["udp", "unix-dgram"], Side::Both, Kind::Switch)
        },
        default: "no",
        effect: Effect::Kernel(Kernel::number(socket(libc::SO_TIMESTAMPNS), Form::Switch)),
    },
];

const UNIX: &[&str] = &["unix", "unix-dgram", "unix-seq"];

fn yes_for_tcp_listeners(address: &Address) -> Option<Value> {
    let is_it = address.role() == Role::Listen && address.scheme().name == "tcp";
    is_it.then_some(Value::Switch(true))
}

fn own_address(socket: BorrowedFd<'_>) -> io::Result<Option<std::net::SocketAddr>> {
    match Endpoint::from_kernel(getsockname(socket)?) {
        Endpoint::Inet(own) => Ok(Some(own)),
        Endpoint::Raw(..) | Endpoint::Unix(_) | Endpoint::Unnamed | Endpoint::Vsock(..) => Ok(None),
    }
}

/// Of a TCP socket that listens, this field of `struct tcp_info` is how many may wait (`tcp_get_info`).
const MOST_WAITING: std::ops::Range<usize> = 28..32;

/// Unix sockets do not tell.
fn read_backlog(socket: BorrowedFd<'_>) -> io::Result<Option<Value>> {
    if !matches!(sockopt::socket_protocol(socket)?, Some(rustix::net::ipproto::TCP)) {
        return Ok(None);
    }
    let info = socket_option::bytes(&socket, tcp(libc::TCP_INFO))?;
    let most = info.get(MOST_WAITING).and_then(|bytes| bytes.try_into().ok()).map(u32::from_ne_bytes);
    Ok(most.map(|most| Value::Count(most.into())))
}
