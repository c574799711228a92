//! The flags, a row each.

/// A flag.
#[derive(Debug)]
pub(crate) struct Flag {
    /// Its long name, without the dashes.
    pub(crate) long: &'static str,
    /// Its letter.
    pub(crate) short: Option<char>,
    /// What stands for its value in help; `None` where it takes none.
    pub(crate) value: Option<&'static str>,
    /// What it is where nobody sets it, or else something that it can be set to; empty where it takes no value.
    pub(crate) example: &'static str,
    /// Words that it can be set to, where there are some; one that ends with a colon goes on with a path.
    pub(crate) choices: &'static [&'static str],
    /// What it does, in one line.
    pub(crate) help: &'static str,
}

const fn flag(long: &'static str, help: &'static str) -> Flag {
    Flag { long, short: None, value: None, example: "", choices: &[], help }
}

pub(crate) static BROKER: Flag = flag("broker", "many peers at once: what one says, all others hear");
pub(crate) static CHUNKS: Flag =
    flag("chunks", "show what comes piece by piece: when, how long, whence, what");
pub(crate) static CONFIG: Flag =
    Flag { value: Some("FILE"), example: "sockeye.toml", ..flag("config", "serve what a TOML file says") };
pub(crate) static CRLF: Flag = flag("crlf", "send each line end as CR LF");
pub(crate) static CWD: Flag = Flag {
    value: Some("FOLDER"),
    example: "/tmp",
    ..flag("cwd", "the folder there that the command runs in")
};
pub(crate) static DIR: Flag = Flag {
    value: Some("DIR"),
    example: "/usr/local/share/man",
    ..flag("dir", "write to files below this folder")
};
pub(crate) static ENCODING: Flag = Flag {
    value: Some("NAME"),
    example: "gbk",
    ..flag("encoding", "with --wire raw: how the server writes text (default: utf-8)")
};
pub(crate) static ENV: Flag = Flag {
    value: Some("NAME=VALUE"),
    example: "LANG=C",
    ..flag("env", "a variable of the command's environment; as often as you like")
};
pub(crate) static EXEC: Flag = Flag {
    value: Some("COMMAND"),
    example: "cat",
    ..flag("exec", "many peers at once: this program with its arguments for each")
};
pub(crate) static FORMAT: Flag = Flag {
    value: Some("FORMAT"),
    example: "%H:%M",
    ..flag("format", "what to ask a strftime service for; its own choice unless set")
};
pub(crate) static FOLD: Flag = flag("fold", "show equal answers once, with the hosts that gave them");
pub(crate) static FRAME: Flag = Flag {
    value: Some("FRAME"),
    example: "line",
    ..flag("frame", "how the program reads and writes messages; see sockeye help address")
};
pub(crate) static HELP: Flag = Flag { short: Some('h'), ..flag("help", "this text") };
pub(crate) static HEX: Flag = flag("hex", "as --chunks, with a hex dump of each piece");
pub(crate) static INTERVAL: Flag = Flag {
    value: Some("TIME"),
    example: "200ms",
    ..flag("interval", "from one question to an NTP server to the next; 200ms, and 2s with --watch")
};
pub(crate) static HOSTS: Flag = Flag {
    value: Some("FILE"),
    example: "hosts.txt",
    ..flag("hosts", "addresses from a file too, one a line; - is standard input")
};
pub(crate) static JSON: Flag = flag("json", "one JSON object a line");
pub(crate) static KEEP: Flag = flag("keep", "serve one peer after another, not just the first");
pub(crate) static LINES: Flag =
    flag("lines", "each line is a message, and each message that comes is a line");
pub(crate) static LOG: Flag = Flag {
    value: Some("FORMAT"),
    example: "text",
    choices: &["text", "json", "file:", "json:"],
    ..flag("log", "what happens: text, json, or to a file: file:PATH, json:PATH")
};
pub(crate) static METRICS: Flag = Flag {
    value: Some("ADDR"),
    example: "tcp:9100",
    ..flag("metrics", "counts of all listeners, as OpenMetrics at http://ADDR/metrics")
};
pub(crate) static NUMERIC: Flag = Flag { short: Some('n'), ..flag("numeric", "look no names up") };
pub(crate) static ONE_WAY: Flag = flag("one-way", "left to right alone; what comes back is dropped");
pub(crate) static OPERATOR: Flag = flag("operator", "many peers at once: see who says what, and answer each");
pub(crate) static OPTION: Flag = Flag {
    short: Some('o'),
    value: Some("KEY=VALUE"),
    example: "idle=30s",
    ..flag("option", "an option of the address before it")
};
pub(crate) static PARALLEL: Flag = Flag {
    value: Some("COUNT"),
    example: "32",
    ..flag("parallel", "how many hosts run it at once (default: 32)")
};
pub(crate) static PLAN: Flag = flag("plan", "print what would be done, and do nothing");
pub(crate) static PTY: Flag =
    flag("pty", "at a terminal of its own there, with ours in raw mode; for shells and editors");
pub(crate) static PUBLIC: Flag =
    flag("public", "answer datagrams of any peer, never with more bytes than it sent");
pub(crate) static RAW: Flag = flag("raw", "write what comes as it is, also to a terminal");
pub(crate) static RECV_ONLY: Flag = flag("recv-only", "read no standard input");
pub(crate) static SAMPLES: Flag = Flag {
    value: Some("COUNT"),
    example: "8",
    ..flag("samples", "how many answers of each NTP server; 8, and with --watch without end")
};
pub(crate) static RETRY: Flag = Flag {
    value: Some("COUNT"),
    example: "3",
    ..flag("retry", "try to connect so often again where that may help (default: 0)")
};
pub(crate) static RSH: Flag = Flag {
    value: Some("SERVER"),
    example: "tcp:localhost:7709",
    ..flag("rsh", "be called as a remote shell by rsync, git and tar: HOST COMMAND... follow")
};
pub(crate) static SEND_ONLY: Flag = flag("send-only", "drop what comes, and end with standard input");
pub(crate) static SH: Flag = Flag {
    value: Some("LINE"),
    example: "cat",
    ..flag("sh", "many peers at once: this line of shell for each")
};
pub(crate) static SH_LINE: Flag =
    Flag { value: Some("LINE"), example: "ls | wc -l", ..flag("sh", "this line, for the shell there") };
pub(crate) static SHOW: Flag = flag("show", "show each message with its sender, on standard error");
pub(crate) static SLOW: Flag = Flag {
    value: Some("POLICY"),
    example: "drop",
    choices: &["drop", "oldest"],
    ..flag("slow", "when 1 MiB waits for a peer of a broker: drop ends it (default), oldest drops messages")
};
pub(crate) static THREADS: Flag = Flag {
    value: Some("COUNT"),
    example: "2",
    ..flag("threads", "how many serve connections (default: one less than there are cores, and at least one)")
};
pub(crate) static TIME_LIMIT: Flag = Flag {
    value: Some("TIME"),
    example: "5s",
    ..flag("timeout", "how long each may take, beside the intervals between questions; 5s unless set")
};
pub(crate) static TIMEOUT: Flag = Flag {
    value: Some("TIME"),
    example: "30s",
    ..flag("timeout", "end what has not ended by then, from connecting on; exit code 124")
};
pub(crate) static TOKEN: Flag = Flag {
    value: Some("FROM"),
    example: "env:TOKEN",
    choices: &["env:", "fd:"],
    ..flag("token", "prove who we are: the first line of a file, of fd:N, or env:NAME")
};
pub(crate) static V4: Flag = Flag { short: Some('4'), ..flag("ipv4", "IPv4 alone") };
pub(crate) static V6: Flag = Flag { short: Some('6'), ..flag("ipv6", "IPv6 alone") };
pub(crate) static VERBOSE: Flag = Flag { short: Some('v'), ..flag("verbose", "tell of each connection") };
pub(crate) static WAIT: Flag = Flag {
    value: Some("TIME"),
    example: "1s",
    ..flag(
        "wait",
        "after the end of input, be done when nothing came for so long; 1s where the peer cannot tell its end",
    )
};
pub(crate) static WATCH: Flag = flag("watch", "go on asking NTP servers, and draw how their offset changes");
pub(crate) static WIRE: Flag = Flag {
    value: Some("WIRE"),
    example: "raw",
    choices: &["raw"],
    ..flag("wire", "raw: a line of shell as text, and text back, as the servers of tutorials have it")
};

/// The flags that every verb has.
pub(crate) static COMMON: &[&Flag] = &[&V4, &V6, &NUMERIC, &OPTION, &PLAN, &LOG, &VERBOSE, &HELP];
