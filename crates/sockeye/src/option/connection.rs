//! How long things may take, how many connections there may be, and what becomes of their ends.

use std::time::Duration;

use sockeye_proto::address::{Kind, OptionGrammar, Side, Value};

use super::{Effect, NETWORKED, OptionRow, STREAMS, row, switch};
use crate::ctx::Limits;

pub(super) static ROWS: &[OptionRow] = &[
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
            help: "how long connections may finish after a stop",
            ..row("drain", &[], Side::Listen, Kind::Time)
        },
        default: "30s",
        effect: Effect::Limit(|limits, value| set_time(&mut limits.drain, value)),
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
            help: "connections that are open at once; more wait",
            ..row("max-conns", &[], Side::Listen, Kind::Count { least: 1, most: 1 << 24 })
        },
        default: "10000, or fewer where few files may be open",
        effect: Effect::Limit(set_max_conns),
    },
    OptionRow {
        grammar: OptionGrammar {
            help: "end after the first connection",
            ..row("once", &[], Side::Listen, Kind::Switch)
        },
        default: "no",
        effect: Effect::Limit(|limits, value| limits.once = switch(value)),
    },
    OptionRow {
        grammar: OptionGrammar {
            help: "how long to dial again, at first and when it is lost",
            ..row("reconnect", NETWORKED, Side::Dial, Kind::Time)
        },
        default: "off",
        effect: Effect::Read,
    },
    OptionRow {
        grammar: OptionGrammar {
            help: "where several share it: how long a newcomer may say nothing",
            ..row("sniff", STREAMS, Side::Listen, Kind::Time)
        },
        default: "1s",
        effect: Effect::Limit(|limits, value| set_time(&mut limits.sniff, value)),
    },
];

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
