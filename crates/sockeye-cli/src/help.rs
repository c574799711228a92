//! The pages, from the rows of verbs, flags, services, schemes, layers, frames and options.

use sockeye::proto::address::{OptionGrammar, Side, Written};
use sockeye::proto::fault::FAULTS;
use sockeye::proto::frame::FRAMINGS;
use sockeye::{Layer, OptionRow, ServiceRow};
use sockeye_services::ALL as SERVICES;

use crate::exit;
use crate::failure::Failure;
use crate::flag::{self, Flag};
use crate::page::{Body, Page, Row, Section};
use crate::verb::{self, Takes, Verb, r#gen};

/// What `sockeye` alone says.
pub(crate) fn overview() -> Page {
    Page {
        name: "sockeye".to_owned(),
        volume: 1,
        summary: "dial, listen, relay and serve any socket",
        usage: "",
        about: "",
        sections: vec![verbs(), Section::commands("start here", START)],
        beyond: &[],
    }
}

/// The first page of the manual: the overview, and what holds for every verb.
fn program() -> Page {
    Page {
        usage: "sockeye VERB [FLAG]... [ADDR]...",
        about: "Standard output carries data alone; what is said to people goes to standard error. \
                Everything it opens is for this machine alone until an address says otherwise, and the end \
                of file of one side is passed on to the other, which may still answer.",
        sections: vec![
            verbs(),
            Section::rows("flags", flag::COMMON.iter().map(|flag| of_flag(flag)))
                .noting("of every verb; sockeye VERB --help says which others it has"),
            exit_codes(),
            Section::commands("start here", START),
        ],
        ..overview()
    }
}

/// What to type first.
const START: &[(&str, &str)] =
    &[("sockeye serve", ""), ("sockeye VERB --help", ""), ("sockeye help address", "")];

/// Every page of the manual; the first is of the program.
pub(crate) fn pages() -> Vec<Page> {
    let verbs = verb::ALL.iter().map(|row| verb(row));
    std::iter::once(program()).chain(verbs).chain([address(), services()]).collect()
}

/// What the pages are called behind `sockeye help` and `sockeye gen man`.
pub(crate) fn names() -> Vec<String> {
    pages().iter().map(|page| page.topic().to_owned()).collect()
}

/// A page by the name behind `sockeye help`, or the overview.
pub(crate) fn page(name: Option<&str>) -> Result<Page, Failure> {
    match name {
        None => Ok(overview()),
        Some("addresses") => Ok(address()),
        Some(name) => match pages().into_iter().find(|page| page.topic() == name) {
            Some(page) => Ok(page),
            None => Ok(verb(verb::find(name)?)),
        },
    }
}

/// The page of a verb.
pub(crate) fn verb(verb: &Verb) -> Page {
    let flags = verb.flags.iter().chain(flag::COMMON).map(|flag| of_flag(flag));
    let schemes = sockeye::SCHEMES.iter().map(|scheme| Row::new(scheme.example, scheme.help));
    let mut sections = vec![Section::rows("flags", flags)];
    if verb.takes == Takes::Outputs {
        let outputs = r#gen::ALL.iter().map(|row| Row::new(row.usage, row.help));
        sections.push(Section::rows("what can be printed", outputs));
    }
    if verb.takes == Takes::Groups {
        sections.push(Section::rows("services", SERVICES.iter().flat_map(|row| of_service(row))));
    }
    if verb.takes != Takes::Outputs {
        sections.push(Section::rows("addresses", schemes).noting("sockeye help address says more"));
    }
    let mut exits = exit_codes();
    if let (Takes::Command, Body::Rows(rows)) = (verb.takes, &mut exits.body) {
        rows.extend(exit::OF_COMMANDS.iter().map(|(code, meaning)| Row::new(*code, *meaning)));
    }
    sections.extend([Section::commands("examples", verb.examples), exits]);
    Page {
        name: format!("sockeye-{}", verb.name),
        volume: 1,
        summary: verb.summary,
        usage: verb.usage,
        about: verb.about,
        sections,
        beyond: &[],
    }
}

fn verbs() -> Section {
    Section::rows("verbs", verb::ALL.iter().map(|verb| Row::new(verb.name, verb.summary)))
}

fn exit_codes() -> Section {
    let rows = exit::MEANINGS.iter().map(|(exit, meaning)| Row::new(exit.code().to_string(), *meaning));
    Section::rows("exit codes", rows)
}

/// How addresses are written, and every option.
fn address() -> Page {
    let schemes = sockeye::SCHEMES.iter().flat_map(|scheme| {
        let own = scheme.grammar.options.iter();
        let own = own.map(|option| Row::inner(format!(",{}", of_option(option)), option.help));
        std::iter::once(Row::new(scheme.example, scheme.help)).chain(own)
    });
    let (in_front, behind): (Vec<&Layer>, Vec<&Layer>) =
        sockeye::LAYERS.iter().copied().partition(|layer| layer.grammar.written == Written::InFront);
    let in_front = in_front.into_iter().flat_map(|layer| {
        let own = layer.grammar.options.iter();
        let own = own.map(|option| Row::inner(format!(",{}", of_option(option)), option.help));
        std::iter::once(Row::new(format!("{}+SCHEME:TARGET", layer.grammar.name), layer.help)).chain(own)
    });
    let stacks = sockeye::vocabulary().stacks.iter();
    let stacks = stacks.map(|row| {
        let whole = row.layers.iter().chain([&row.scheme]).copied().collect::<Vec<_>>().join("+");
        Row::new(format!("{}:TARGET", row.name), format!("for {whole}:TARGET"))
    });
    let layers = behind.into_iter().flat_map(|layer| layer.grammar.options);
    let layers = layers.map(|option| Row::new(of_option(option), option.help));
    let frames = FRAMINGS.iter().map(|row| Row::new(row.usage(), row.help));
    let faults = FAULTS.iter().map(|row| Row::new(row.usage(), row.help));
    let options = sockeye::OPTION_GROUPS.iter().map(|group| {
        Section::rows(group.title, group.rows.iter().map(of_shared))
            .noting("d: dial, l: listen; then the schemes, if not all")
    });
    let first = [
        Section::rows("schemes", schemes),
        Section::rows("layers, written in front", in_front.chain(stacks)),
        Section::rows("options that put a layer on", layers),
        Section::rows("frames; a message", frames),
        Section::rows("faults; in: or out: in front is one way", faults)
            .noting("P: 5%, 0.05; AFTER: 10k, 2s"),
    ];
    Page {
        name: "sockeye-address".to_owned(),
        volume: 7,
        summary: "how addresses are written",
        usage: "[LAYER+]*SCHEME[-l]:TARGET[,KEY[=VALUE]]*",
        about: "-l listens: tcp-l:8080. A port alone is this machine's own, any:8080 every \
                address, port 0 the kernel's choice. IPv6: tcp:[::1]:80. In a word, %2C is a \
                comma and %25 a percent sign; -o KEY=VALUE behind an address needs neither. sockeye opts \
                says more of each option, and what the kernel has of it.",
        sections: first.into_iter().chain(options).collect(),
        beyond: &["ip(7)", "raw(7)", "socket(7)", "tcp(7)", "udp(7)", "unix(7)", "vsock(7)"],
    }
}

/// The services, with their flags and a line that shows each at work.
fn services() -> Page {
    let examples = SERVICES.iter().map(|row| {
        let what = format!("{}, where sockeye serve puts it", row.name);
        (row.example.replace("PORT", &row.port.to_string()), what)
    });
    Page {
        name: "sockeye-services".to_owned(),
        volume: 7,
        summary: "what sockeye serve runs",
        usage: "SERVICE [FLAG]... ADDR...",
        about: "Without --public, datagrams are answered to this machine and private networks alone.",
        sections: vec![
            Section::rows("services", SERVICES.iter().flat_map(|row| of_service(row))),
            Section { title: "examples", note: "", body: Body::Commands(examples.collect()) },
        ],
        beyond: &[],
    }
}

/// What `serve` without arguments shows: where each of its services is, and a line to type.
pub(crate) fn what_to_try(services: &[&ServiceRow], own_name: &str) -> String {
    let mut text = "\nservices for this machine alone; a line to type for each, elsewhere:\n\n".to_owned();
    for row in services {
        let example = row.example.replace("PORT", &row.port.to_string()).replace("sockeye", own_name);
        text.push_str(&format!("  {:8} {}  {example}\n", row.name, row.port));
    }
    text.push_str("\nCtrl-C ends. serve --help says how to put them on other addresses.\n");
    text
}

fn of_service(row: &ServiceRow) -> impl Iterator<Item = Row> {
    let flags = row.flags.iter().map(|flag| {
        let value = flag.value.map_or_else(String::new, |value| format!(" {value}"));
        Row::inner(format!("--{}{value}", flag.name), flag.help)
    });
    std::iter::once(Row::new(row.name, row.help)).chain(flags)
}

fn of_flag(flag: &Flag) -> Row {
    let short = flag.short.map_or_else(|| "    ".to_owned(), |letter| format!("-{letter}, "));
    let value = flag.value.map_or_else(String::new, |value| format!(" {value}"));
    Row::new(format!("{short}--{}{value}", flag.long), flag.help)
}

fn of_shared(row: &OptionRow) -> Row {
    let side = match row.grammar.side {
        Side::Both => "dl",
        Side::Dial => "d",
        Side::Listen => "l",
    };
    let schemes = row.grammar.schemes.join(" ");
    let marks = if schemes.is_empty() { side.to_owned() } else { format!("{side} {schemes}") };
    let help = format!("{} ({marks})", row.grammar.help);
    let default = format!("unless set: {}", row.default);
    Row { lines: vec![help, default], ..Row::new(of_option(&row.grammar), "") }
}

/// An option as it is typed: `rcvbuf=SIZE`.
pub(crate) fn of_option(option: &OptionGrammar) -> String {
    let placeholder = option.kind.placeholder();
    if placeholder.is_empty() { option.name.to_owned() } else { format!("{}={placeholder}", option.name) }
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr as _;

    use super::*;
    use crate::page::COLUMNS;

    fn texts() -> Vec<String> {
        let pages = pages().into_iter().chain([overview()]);
        pages.map(|page| page.text()).chain([what_to_try(SERVICES, "sockeye")]).collect()
    }

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        for page in texts() {
            for line in page.lines() {
                assert!(line.width() <= COLUMNS, "{} columns: {line}", line.width());
            }
        }
    }

    #[test]
    fn every_row_of_every_table_is_in_help() {
        let all = texts().concat();
        let flags = verb::ALL.iter().flat_map(|verb| verb.flags.iter()).chain(flag::COMMON);
        let flags = flags.map(|flag| format!("--{}", flag.long));
        let services = SERVICES.iter().map(|row| format!("  {} ", row.name));
        let options = sockeye::options().map(|row| format!("  {}", row.grammar.name));
        let framings = FRAMINGS.iter().map(|row| format!("  {} ", row.usage()));
        let faults = FAULTS.iter().map(|row| format!("  {}", row.usage()));
        for name in flags.chain(services).chain(options).chain(framings).chain(faults) {
            assert!(all.contains(&name), "{name:?} is not in help");
        }
        for scheme in sockeye::SCHEMES {
            assert!(all.contains(scheme.example), "{} is not in help", scheme.grammar.name);
        }
    }

    #[test]
    fn names_are_unique_within_their_tables() {
        for verb in verb::ALL {
            let flags: Vec<_> = verb.flags.iter().chain(flag::COMMON).collect();
            for (at, flag) in flags.iter().enumerate() {
                let rest = flags.iter().skip(at + 1);
                assert!(
                    rest.clone().all(|other| other.long != flag.long),
                    "--{} of {}",
                    flag.long,
                    verb.name
                );
                assert!(
                    flag.short.is_none() || rest.clone().all(|other| other.short != flag.short),
                    "-{:?}",
                    flag.short
                );
            }
        }
    }
}
