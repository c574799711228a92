//! The rows.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::io::Result;
use rustix::net::{AddressFamily, sockopt};
use sockeye_proto::address::{Kind, OptionGrammar, Side, Value};

use super::{Effect, OptionRow};
use crate::ctx::Limits;

/// Every option that is not of one scheme or layer alone, by name.
pub(crate) static ALL: &[OptionRow] = &[
    OptionRow {
        grammar: OptionGrammar {
            help: "only these come in, and whom another allow= names",
            ..row("allow", SOCKETS, Side::Listen, Kind::Whom)
        },
        default: "everybody",
        effect: Effect::Read,
    },
    OptionRow {
        grammar: OptionGrammar {
            help: "connections that may wait to be accepted",
            ..row("backlog", CONNECTED, Side::Listen, Kind::Count { least: 0, most: 65_535 })
        },
        default: "4096, and at most net.core.somaxconn",
        effect: Effect::Open,
    },
    OptionRow {
        grammar: OptionGrammar {
            help: "our own address, and port if it has one",
            ..row("bind", &["tcp", "udp", "raw"], Side::Dial, Kind::Address)
        },
        default: "the kernel's choice",
        effect: Effect::Open,
    },
    OptionRow {
        grammar: OptionGrammar {
            help: "may send to broadcast addresses, and hears who answers",
            ..row("broadcast", &["udp", "raw"], Side::Both, Kind::Switch)
        },
        default: "no",
        effect: Effect::Socket(|socket, value| sockopt::set_socket_broadcast(socket, switch(value, false))),
    },
    OptionRow {
        grammar: OptionGrammar {
            help: "how long connecting may take, look-up included",
            ..row("connect", &[], Side::Dial, Kind::Time)
        },
        default: "30s",
        effect: Effect::Limit(|limits, value| set_time(&mut limits.connect, value)),
    },
    OptionRow {
        grammar: OptionGrammar {
            help: "the working folder of the command",
            ..row("cwd", COMMANDS, Side::Dial, Kind::Text("a folder"))
        },
        default: "ours",
        effect: Effect::Read,
    },
    OptionRow {
        grammar: OptionGrammar {
            help: "these are refused, whatever an allow= says",
            ..row("deny", SOCKETS, Side::Listen, Kind::Whom)
        },
        default: "nobody",
        effect: Effect::Read,
    },
    OptionRow {
        grammar: OptionGrammar {
            help: "how long connections may finish after a stop",
            ..row("drain", &[], Side::Listen, Kind::Time)
        },
        default: "30s",
        effect: Effect::Limit(|limits, value| set_time(&mut limits.drain, value)),
    },
    OptionRow {
        grammar: OptionGrammar {
            help: "set a variable of the command; may be given again",
            ..row("env", COMMANDS, Side::Dial, Kind::Variable)
        },
        default: "what we have, and SOCKEYE_PEER, SOCKEYE_LOCAL, SOCKEYE_UID of an accepted peer",
        effect: Effect::Read,
    },
    OptionRow {
        grammar: OptionGrammar {
            help: "at its end of file: tell the other side, end both, or neither",
            ..row("eof", &[], Side::Both, Kind::Choice(&["half", "close", "ignore"]))
        },
        default: "half",
        effect: Effect::Read,
    },
    OptionRow {
        grammar: OptionGrammar {
            help: "the group of the command, by name or number",
            ..row("group", COMMANDS, Side::Dial, Kind::Text("a group"))
        },
        default: "that of user=, or ours",
        effect: Effect::Read,
    },
    OptionRow {
        grammar: OptionGrammar {
            help: "how long the layers of a newcomer may take",
            ..row("handshake", &[], Side::Listen, Kind::Time)
        },
        default: "10s",
        effect: Effect::Limit(|limits, value| set_time(&mut limits.handshake, value)),
    },
    OptionRow {
        grammar: OptionGrammar {
            help: "end a connection over which nothing goes for so long",
            ..row("idle", &[], Side::Both, Kind::Time)
        },
        default: "off; 60s for the peers of udp-l, raw-l and unix-dgram-l",
        effect: Effect::Limit(|limits, value| set_time(&mut limits.idle, value)),
    },
    OptionRow {
        grammar: OptionGrammar {
            help: "ask a silent peer whether it lives, after so long",
            ..row("keepalive", &["tcp"], Side::Both, Kind::Time)
        },
        default: "60s",
        effect: Effect::Socket(set_keepalive),
    },
    OptionRow {
        grammar: OptionGrammar {
            help: "connections that are open at once; more wait",
            ..row("max-conns", &[], Side::Listen, Kind::Count { least: 1, most: 1 << 24 })
        },
        default: "10000, or half the limit of open files, an eighth for commands",
        effect: Effect::Limit(set_max_conns),
    },
    OptionRow {
        grammar: OptionGrammar {
            help: "inside at once of one peer: address, /64, user or CID",
            ..row("max-per-peer", COUNTED, Side::Listen, Kind::Count { least: 1, most: 1 << 24 })
        },
        default: "off",
        effect: Effect::Limit(|limits, value| limits.max_per_peer = count(Some(value))),
    },
    OptionRow {
        grammar: OptionGrammar {
            help: "whether this machine hears what we send to a group",
            ..row("multicast-loop", &["udp", "raw"], Side::Both, Kind::Switch)
        },
        default: "yes",
        effect: Effect::Socket(|socket, value| match (value, is_v6(socket)?) {
            (None, _) => Ok(()),
            (on, false) => sockopt::set_ip_multicast_loop(socket, switch(on, true)),
            (on, true) => sockopt::set_ipv6_multicast_loop(socket, switch(on, true)),
        }),
    },
    OptionRow {
        grammar: OptionGrammar {
            help: "how many networks away what we send to a group is heard",
            ..row("multicast-ttl", &["udp", "raw"], Side::Both, Kind::Count { least: 0, most: 255 })
        },
        default: "1: this network alone",
        effect: Effect::Socket(|socket, value| match (count(value), is_v6(socket)?) {
            (None, _) => Ok(()),
            (Some(hops), false) => sockopt::set_ip_multicast_ttl(socket, hops),
            (Some(hops), true) => sockopt::set_ipv6_multicast_hops(socket, hops),
        }),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["tcp-nodelay"],
            help: "send small writes at once",
            ..row("nodelay", &["tcp"], Side::Both, Kind::Switch)
        },
        default: "yes",
        effect: Effect::Socket(|socket, value| sockopt::set_tcp_nodelay(socket, switch(value, true))),
    },
    OptionRow {
        grammar: OptionGrammar {
            help: "end after the first connection",
            ..row("once", &[], Side::Listen, Kind::Switch)
        },
        default: "no",
        effect: Effect::Limit(|limits, value| limits.once = switch(Some(value), false)),
    },
    OptionRow {
        grammar: OptionGrammar {
            help: "newcomers a second or at once of one peer; more are refused",
            ..row("rate-conns", COUNTED, Side::Listen, Kind::Count { least: 1, most: 10_000 })
        },
        default: "off",
        effect: Effect::Limit(|limits, value| limits.rate_conns = count(Some(value))),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["so-rcvbuf"],
            help: "the kernel's buffer for what comes",
            ..row("rcvbuf", SOCKETS, Side::Both, Kind::Size)
        },
        default: "the kernel's choice; 8 MiB for udp-l and raw-l, or as much as is allowed",
        effect: Effect::Socket(|socket, value| {
            size(value).map_or(Ok(()), |s| sockopt::set_socket_recv_buffer_size(socket, s))
        }),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["so-reuseaddr"],
            help: "listen although old connections linger there",
            ..row("reuseaddr", &["tcp"], Side::Listen, Kind::Switch)
        },
        default: "yes",
        effect: Effect::Socket(|socket, value| sockopt::set_socket_reuseaddr(socket, switch(value, true))),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["so-reuseport"],
            help: "share the port with others that say so too",
            ..row("reuseport", &["tcp", "udp"], Side::Listen, Kind::Switch)
        },
        default: "no",
        effect: Effect::Socket(|socket, value| sockopt::set_socket_reuseport(socket, switch(value, false))),
    },
    OptionRow {
        grammar: OptionGrammar {
            help: "a session of its own, apart from our terminal",
            ..row("setsid", PIPED, Side::Dial, Kind::Switch)
        },
        default: "yes",
        effect: Effect::Read,
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["so-sndbuf"],
            help: "the kernel's buffer for what goes",
            ..row("sndbuf", SOCKETS, Side::Both, Kind::Size)
        },
        default: "the kernel's choice",
        effect: Effect::Socket(|socket, value| {
            size(value).map_or(Ok(()), |s| sockopt::set_socket_send_buffer_size(socket, s))
        }),
    },
    OptionRow {
        grammar: OptionGrammar {
            help: "its standard error: ours, with its output, or events",
            ..row("stderr", PIPED, Side::Dial, Kind::Choice(&["pass", "merge", "log"]))
        },
        default: "pass",
        effect: Effect::Read,
    },
    OptionRow {
        grammar: OptionGrammar {
            help: "whom the command runs as, by name or number",
            ..row("user", COMMANDS, Side::Dial, Kind::Text("a user"))
        },
        default: "us",
        effect: Effect::Read,
    },
];

/// The schemes that are sockets of the kernel.
const SOCKETS: &[&str] = &["tcp", "udp", "raw", "unix", "unix-dgram", "unix-seq"];

/// The schemes whose peers can be counted.
const COUNTED: &[&str] = &["tcp", "udp", "raw", "unix", "unix-dgram", "unix-seq", "vsock"];

/// The schemes whose sockets are connected, one for each peer.
const CONNECTED: &[&str] = &["tcp", "unix", "unix-seq", "vsock"];

/// The schemes that run a command.
const COMMANDS: &[&str] = &["exec", "sh", "pty"];

/// Those of them whose command has pipes.
const PIPED: &[&str] = &["exec", "sh"];

fn is_v6(socket: BorrowedFd<'_>) -> Result<bool> {
    Ok(sockopt::socket_domain(socket)? == AddressFamily::INET6)
}

const fn row(name: &'static str, schemes: &'static [&'static str], side: Side, kind: Kind) -> OptionGrammar {
    OptionGrammar { name, aliases: &[], schemes, side, kind, help: "" }
}

fn switch(value: Option<&Value>, default: bool) -> bool {
    match value {
        Some(Value::Switch(on)) => *on,
        _ => default,
    }
}

fn count(value: Option<&Value>) -> Option<u32> {
    match value {
        Some(Value::Count(count)) => u32::try_from(*count).ok(),
        _ => None,
    }
}

fn size(value: Option<&Value>) -> Option<usize> {
    match value {
        Some(Value::Size(size)) => usize::try_from(*size).ok(),
        _ => None,
    }
}

fn set_time(limit: &mut Option<Duration>, value: &Value) {
    if let Value::Time(time) = value {
        *limit = *time;
    }
}

fn set_max_conns(limits: &mut Limits, value: &Value) {
    if let Value::Count(most) = value {
        limits.max_conns = usize::try_from(*most).unwrap_or(usize::MAX);
    }
}

/// The kernel counts in whole seconds, from 1 to 32,767 (tcp(7)).
fn set_keepalive(socket: BorrowedFd<'_>, value: Option<&Value>) -> Result<()> {
    let after = match value {
        Some(Value::Time(after)) => *after,
        _ => Some(Duration::from_secs(60)),
    };
    let Some(after) = after else { return sockopt::set_socket_keepalive(socket, false) };
    sockopt::set_socket_keepalive(socket, true)?;
    let after = Duration::from_secs(after.as_secs().clamp(1, 32_767));
    sockopt::set_tcp_keepidle(socket, after)
}
