//! Who may come in, and how often.

use sockeye_proto::address::{Kind, OptionGrammar, Side};

use super::{COUNTED, Effect, OptionRow, SOCKETS, count, row};

pub(super) static ROWS: &[OptionRow] = &[
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
            help: "these are refused, whatever an allow= says",
            ..row("deny", SOCKETS, Side::Listen, Kind::Whom)
        },
        default: "nobody",
        effect: Effect::Read,
    },
    OptionRow {
        grammar: OptionGrammar {
            help: "inside at once of one peer: address, /64, user or CID",
            ..row("max-per-peer", COUNTED, Side::Listen, Kind::Count { least: 1, most: 1 << 24 })
        },
        default: "off",
        effect: Effect::Limit(|limits, value| limits.max_per_peer = count(value)),
    },
    OptionRow {
        grammar: OptionGrammar {
            help: "newcomers a second or at once of one peer; more are refused",
            ..row("rate-conns", COUNTED, Side::Listen, Kind::Count { least: 1, most: 10_000 })
        },
        default: "off",
        effect: Effect::Limit(|limits, value| limits.rate_conns = count(value)),
    },
];
