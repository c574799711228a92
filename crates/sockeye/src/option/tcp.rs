//! What TCP does with a connection: tcp(7).

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::net::{Protocol, ipproto, sockopt};
use sockeye_proto::address::{Address, Kind, OptionGrammar, Side, Value};

use super::kernel::{Access, Form, Kernel, Phase, tcp};
use super::{Effect, OptionRow, row, switch};

pub(super) static ROWS: &[OptionRow] = &[
    OptionRow {
        grammar: OptionGrammar {
            help: "closing resets it, unless both sides have ended",
            ..row("abort", TCP, Side::Both, Kind::Switch)
        },
        default: "no",
        effect: Effect::Kernel(Kernel::own(
            |socket, value| Ok(sockopt::set_socket_linger(socket, switch(value).then_some(Duration::ZERO))?),
            |socket| Ok(Some(Value::Switch(sockopt::socket_linger(socket)? == Some(Duration::ZERO)))),
        )),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["tcp-congestion"],
            help: "how it finds out how fast to send",
            ..row("congestion", TCP, Side::Both, Kind::Text("an algorithm such as cubic"))
        },
        default: "net.ipv4.tcp_congestion_control",
        effect: Effect::Kernel(Kernel::new(Access::Text(tcp(libc::TCP_CONGESTION)))),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["tcp-defer-accept"],
            help: "accept who has sent something, or after about so long",
            ..row("defer-accept", TCP, Side::Listen, Kind::Time)
        },
        default: "off",
        effect: Effect::Kernel(Kernel::number(tcp(libc::TCP_DEFER_ACCEPT), Form::Seconds)),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["tcp-fastopen"],
            help: "take bytes with the first packet, of so many at once",
            ..row("fastopen", TCP, Side::Listen, Kind::Count { least: 0, most: 65_535 })
        },
        default: "0; another takes net.ipv4.tcp_fastopen=3",
        effect: Effect::Kernel(Kernel::number(tcp(libc::TCP_FASTOPEN), Form::Count)),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["tcp-fastopen-connect"],
            help: "connect with the first bytes we send, if the server knows us",
            ..row("fastopen-connect", TCP, Side::Dial, Kind::Switch)
        },
        default: "no",
        effect: Effect::Kernel(Kernel::number(tcp(libc::TCP_FASTOPEN_CONNECT), Form::Switch)),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["keepidle", "tcp-keepidle"],
            help: "ask a silent peer whether it lives, after so long",
            ..row("keepalive", TCP, Side::Both, Kind::Time)
        },
        default: "60s",
        effect: Effect::Kernel(
            Kernel::own(set_keepalive, read_keepalive)
                .ours(|_| Some(Value::Time(Some(Duration::from_secs(60))))),
        ),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["keepcnt", "tcp-keepcnt"],
            help: "end it when so many such questions had no answer",
            ..row("keepalive-count", TCP, Side::Both, Kind::Count { least: 1, most: 127 })
        },
        default: "6",
        effect: Effect::Kernel(
            Kernel::number(tcp(libc::TCP_KEEPCNT), Form::Count).ours(|_| Some(Value::Count(6))),
        ),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["keepintvl", "tcp-keepintvl"],
            help: "how long to wait for an answer before asking again",
            ..row("keepalive-interval", TCP, Side::Both, Kind::Seconds(MOST_SECONDS))
        },
        default: "10s",
        effect: Effect::Kernel(
            Kernel::number(tcp(libc::TCP_KEEPINTVL), Form::Seconds)
                .ours(|_| Some(Value::Time(Some(Duration::from_secs(10))))),
        ),
    },
    OptionRow {
        grammar: OptionGrammar {
            help: "MPTCP: several ways at once, if the peer knows it too",
            ..row("mptcp", TCP, Side::Both, Kind::Switch)
        },
        default: "no",
        effect: Effect::Kernel(Kernel::by_scheme(Phase::Made, |socket| {
            Ok(Some(Value::Switch(sockopt::socket_protocol(socket)? == Some(ipproto::MPTCP))))
        })),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["maxseg", "tcp-maxseg"],
            help: "bytes that a packet carries at most",
            ..row("mss", TCP, Side::Both, Kind::Count { least: 88, most: 32_767 })
        },
        default: "what the interface carries",
        effect: Effect::Kernel(Kernel::number(tcp(libc::TCP_MAXSEG), Form::Count)),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["tcp-nodelay"],
            help: "send small writes at once",
            ..row("nodelay", TCP, Side::Both, Kind::Switch)
        },
        default: "yes",
        effect: Effect::Kernel(
            Kernel::number(tcp(libc::TCP_NODELAY), Form::Switch).ours(|_| Some(Value::Switch(true))),
        ),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["tcp-notsent-lowat"],
            help: "take more to send when less than this waits unsent",
            ..row("notsent-lowat", TCP, Side::Both, Kind::Size)
        },
        default: "net.ipv4.tcp_notsent_lowat",
        effect: Effect::Kernel(Kernel::number(tcp(libc::TCP_NOTSENT_LOWAT), Form::Size)),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["tcp-quickack"],
            help: "confirm what comes at once; the kernel may stop doing so",
            ..row("quickack", TCP, Side::Both, Kind::Switch)
        },
        default: "the kernel's choice",
        effect: Effect::Kernel(Kernel {
            phase: Phase::Connected,
            ..Kernel::number(tcp(libc::TCP_QUICKACK), Form::Switch)
        }),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["tcp-user-timeout"],
            help: "end it when what was sent is not confirmed for so long",
            ..row("user-timeout", TCP, Side::Both, Kind::Time)
        },
        default: "off: about a quarter of an hour",
        effect: Effect::Kernel(Kernel::number(tcp(libc::TCP_USER_TIMEOUT), Form::Millis)),
    },
];

const TCP: &[&str] = &["tcp"];

/// The most seconds that the kernel takes for keepalive (`MAX_TCP_KEEPIDLE`, `MAX_TCP_KEEPINTVL`).
const MOST_SECONDS: u32 = 32_767;

/// The protocol that an address asks for as its socket is made; `None` is that of the socket's type.
pub(crate) fn protocol(address: &Address) -> Option<Protocol> {
    let is_asked = address.options().value("mptcp").is_some_and(switch);
    (is_asked && address.scheme().name == "tcp").then_some(ipproto::MPTCP)
}

fn set_keepalive(socket: BorrowedFd<'_>, value: &Value) -> io::Result<()> {
    let Value::Time(Some(after)) = value else { return Ok(sockopt::set_socket_keepalive(socket, false)?) };
    sockopt::set_socket_keepalive(socket, true)?;
    // The kernel counts whole seconds.
    let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
    Ok(sockopt::set_tcp_keepidle(socket, Duration::from_secs(seconds.clamp(1, MOST_SECONDS.into())))?)
}

fn read_keepalive(socket: BorrowedFd<'_>) -> io::Result<Option<Value>> {
    let is_on = sockopt::socket_keepalive(socket)?;
    Ok(Some(Value::Time(if is_on { Some(sockopt::tcp_keepidle(socket)?) } else { None })))
}
