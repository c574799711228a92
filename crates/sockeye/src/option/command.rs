//! What a command is started with.

use sockeye_proto::address::{Kind, OptionGrammar, Side};

use super::{Effect, OptionRow, row};

pub(super) static ROWS: &[OptionRow] = &[
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
            help: "set a variable of the command; may be given again",
            ..row("env", COMMANDS, Side::Dial, Kind::Variable)
        },
        default: "what we have, and SOCKEYE_PEER, SOCKEYE_LOCAL, SOCKEYE_UID of an accepted peer",
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
            help: "a session of its own, apart from our terminal",
            ..row("setsid", PIPED, Side::Dial, Kind::Switch)
        },
        default: "yes",
        effect: Effect::Read,
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

/// The schemes that run a command.
const COMMANDS: &[&str] = &["exec", "sh", "pty"];

/// Those of them whose command has pipes.
const PIPED: &[&str] = &["exec", "sh"];
