//! What packets of IP carry, and which go where: ip(7), ipv6(7). One name serves both versions.

use rustix::net::sockopt;
use sockeye_proto::address::{Kind, OptionGrammar, Role, Side, Value};

use super::kernel::{Form, Kernel, ip, ipv6, is_v6};
use super::{Effect, INET, OptionRow, row, switch};

pub(super) static ROWS: &[OptionRow] = &[
    OptionRow {
        grammar: OptionGrammar {
            help: "the class of traffic, the upper six bits of tos=",
            ..row("dscp", INET, Side::Both, Kind::CodePoint)
        },
        default: "cs0",
        effect: Effect::Kernel(Kernel::per_family(
            ip(libc::IP_TOS),
            ipv6(libc::IPV6_TCLASS),
            Form::CodePoint,
        )),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["ip-freebind"],
            help: "bind to an address that is not, or not yet, ours",
            ..row("freebind", INET, Side::Both, Kind::Switch)
        },
        default: "no, or net.ipv4.ip_nonlocal_bind",
        effect: Effect::Kernel(Kernel::per_family(
            ip(libc::IP_FREEBIND),
            ipv6(libc::IPV6_FREEBIND),
            Form::Switch,
        )),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["ipv6only", "v6only", "ipv6-v6only", "bindv6only"],
            help: "a listener on IPv6 does not hear IPv4; no: any: hears both",
            ..row("ipv6-only", INET, Side::Listen, Kind::Switch)
        },
        default: "yes",
        effect: Effect::Kernel(
            Kernel::own(
                |socket, value| match is_v6(socket)? {
                    true => Ok(sockopt::set_ipv6_v6only(socket, switch(value))?),
                    false => Ok(()),
                },
                |socket| match is_v6(socket)? {
                    true => Ok(Some(Value::Switch(sockopt::ipv6_v6only(socket)?))),
                    false => Ok(None),
                },
            )
            .ours(|address| (address.role() == Role::Listen).then_some(Value::Switch(true))),
        ),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["ip-multicast-loop", "multicastloop"],
            help: "whether this machine hears what we send to a group",
            ..row("multicast-loop", &["udp", "raw"], Side::Both, Kind::Switch)
        },
        default: "yes",
        effect: Effect::Kernel(Kernel::per_family(
            ip(libc::IP_MULTICAST_LOOP),
            ipv6(libc::IPV6_MULTICAST_LOOP),
            Form::Switch,
        )),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["ip-multicast-ttl", "multicastttl", "multicast-hops"],
            help: "how many networks away what we send to a group is heard",
            ..row("multicast-ttl", &["udp", "raw"], Side::Both, Kind::Count { least: 0, most: 255 })
        },
        default: "1: this network alone",
        effect: Effect::Kernel(Kernel::per_family(
            ip(libc::IP_MULTICAST_TTL),
            ipv6(libc::IPV6_MULTICAST_HOPS),
            Form::Count,
        )),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["ip-tos", "tclass", "ipv6-tclass"],
            help: "the byte of traffic class; see dscp= for its names",
            ..row("tos", INET, Side::Both, Kind::Count { least: 0, most: 255 })
        },
        default: "0",
        effect: Effect::Kernel(Kernel::per_family(ip(libc::IP_TOS), ipv6(libc::IPV6_TCLASS), Form::Count)),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["ip-transparent"],
            help: "speak for any address, and accept what is for any",
            ..row("transparent", INET, Side::Both, Kind::Switch)
        },
        default: "no; yes takes cap_net_admin",
        effect: Effect::Kernel(Kernel::per_family(
            ip(libc::IP_TRANSPARENT),
            ipv6(libc::IPV6_TRANSPARENT),
            Form::Switch,
        )),
    },
    OptionRow {
        grammar: OptionGrammar {
            aliases: &["ip-ttl", "hop-limit", "hops", "ipv6-unicast-hops"],
            help: "how many routers a packet may pass",
            ..row("ttl", INET, Side::Both, Kind::Count { least: 1, most: 255 })
        },
        default: "64, or net.ipv4.ip_default_ttl",
        effect: Effect::Kernel(Kernel::per_family(
            ip(libc::IP_TTL),
            ipv6(libc::IPV6_UNICAST_HOPS),
            Form::Count,
        )),
    },
];
