//! Help, from the rows of verbs, flags, services, schemes, layers and options; no line is wider than 79 columns.

use sockeye::proto::address::{OptionGrammar, Side};
use sockeye::proto::frame::FRAMINGS;
use sockeye_services::ALL as SERVICES;
use unicode_width::UnicodeWidthStr as _;

use crate::exit;
use crate::failure::Failure;
use crate::flag::{self, Flag};
use crate::verb::{self, Takes, Verb, r#gen};

/// The widest line, as terminals are 80 columns wide and some programs indent by one.
const COLUMNS: usize = 79;

/// What `sockeye` alone says.
pub(crate) fn overview() -> String {
    let mut text = "sockeye: dial, listen, relay and serve any socket\n\nverbs:\n".to_owned();
    rows(&mut text, verb::ALL.iter().map(|verb| (verb.name.to_owned(), verb.summary.to_owned())));
    text.push_str("\nstart here:\n  sockeye serve\n  sockeye VERB --help\n  sockeye help address\n");
    text
}

/// A page by name: of a verb, of `address`, or the overview.
pub(crate) fn page(name: Option<&str>) -> Result<String, Failure> {
    match name {
        None => Ok(overview()),
        Some("address" | "addresses") => Ok(address()),
        Some(name) => Ok(verb(verb::find(name)?)),
    }
}

/// The page of a verb.
pub(crate) fn verb(verb: &Verb) -> String {
    let mut text = format!("sockeye {}: {}\n\nusage: {}\n\n", verb.name, verb.summary, verb.usage);
    verb.about.lines().for_each(|paragraph| wrap(&mut text, String::new(), 0, paragraph));
    text.push_str("\nflags:\n");
    rows(
        &mut text,
        verb.flags.iter().chain(flag::COMMON).map(|flag| (flag_usage(flag), flag.help.to_owned())),
    );
    if verb.takes == Takes::Outputs {
        text.push_str("\nwhat can be printed:\n");
        rows(&mut text, r#gen::ALL.iter().map(|row| (row.usage.to_owned(), row.help.to_owned())));
    }
    if verb.takes == Takes::Groups {
        text.push_str("\nservices:\n");
        let flags = SERVICES.iter().flat_map(|row| {
            let own = row
                .flags
                .iter()
                .map(|flag| (format!("  --{} {}", flag.name, flag.value), flag.help.to_owned()));
            std::iter::once((row.name.to_owned(), row.help.to_owned())).chain(own)
        });
        rows(&mut text, flags);
    }
    if verb.takes != Takes::Outputs {
        text.push_str("\naddresses (sockeye help address says more):\n");
        let schemes = sockeye::SCHEMES.iter();
        rows(&mut text, schemes.map(|scheme| (scheme.example.to_owned(), scheme.help.to_owned())));
    }
    text.push_str("\nexamples:\n");
    for (command, what) in verb.examples {
        line(&mut text, format_args!("  {command}\n      {what}"));
    }
    text.push_str("\nexit codes:\n");
    rows(
        &mut text,
        exit::MEANINGS.iter().map(|(exit, meaning)| ((*exit as u8).to_string(), (*meaning).to_owned())),
    );
    text
}

/// How addresses are written, and every option.
fn address() -> String {
    let mut text = "an address: [LAYER+]*SCHEME[-l]:TARGET[,KEY[=VALUE]]*\n\n\
        -l listens: tcp-l:8080. A port alone is this machine's own, any:8080 every\n\
        address, port 0 the kernel's choice. IPv6: tcp:[::1]:80. In a word, %2C is a\n\
        comma and %25 a percent sign; -o KEY=VALUE behind an address needs neither.\n\
        \nschemes:\n"
        .to_owned();
    for scheme in sockeye::SCHEMES {
        rows(&mut text, [(scheme.example.to_owned(), scheme.help.to_owned())].into_iter());
        let of_scheme = scheme.grammar.options.iter();
        rows(
            &mut text,
            of_scheme.map(|option| (format!("  ,{}", option_usage(option)), option.help.to_owned())),
        );
    }
    text.push_str("\noptions that put a layer on:\n");
    for layer in sockeye::LAYERS {
        let options = layer.grammar.options.iter();
        rows(&mut text, options.map(|option| (option_usage(option), option.help.to_owned())));
    }
    text.push_str("\nframes; a message:\n");
    rows(&mut text, FRAMINGS.iter().map(|row| (row.usage(), row.help.to_owned())));
    text.push_str("\noptions (d: to dial, l: to listen; then the schemes, if not all):\n");
    for row in sockeye::options() {
        let side = match row.grammar.side {
            Side::Both => "dl",
            Side::Dial => "d",
            Side::Listen => "l",
        };
        let schemes = row.grammar.schemes.join(" ");
        let marks = if schemes.is_empty() { side.to_owned() } else { format!("{side} {schemes}") };
        let help = format!("{} ({marks})", row.grammar.help);
        let default = (String::new(), format!("unless set: {}", row.default));
        rows(&mut text, [(option_usage(&row.grammar), help), default].into_iter());
    }
    text
}

/// What `serve` without arguments shows: where each service is, and a line to type.
pub(crate) fn what_to_try(own_name: &str) -> String {
    let mut text =
        "\nevery service, for this machine alone; a line to type for each, elsewhere:\n\n".to_owned();
    for row in SERVICES {
        let example = row.example.replace("PORT", &row.port.to_string()).replace("sockeye", own_name);
        line(&mut text, format_args!("  {:8} {}  {}", row.name, row.port, example));
    }
    text.push_str("\nCtrl-C ends. serve --help says how to put them on other addresses.\n");
    text
}

fn flag_usage(flag: &Flag) -> String {
    let short = flag.short.map_or_else(|| "    ".to_owned(), |letter| format!("-{letter}, "));
    let value = flag.value.map_or_else(String::new, |value| format!(" {value}"));
    format!("{short}--{}{value}", flag.long)
}

fn option_usage(option: &OptionGrammar) -> String {
    let placeholder = option.kind.placeholder();
    if placeholder.is_empty() { option.name.to_owned() } else { format!("{}={placeholder}", option.name) }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.push_str(&line.to_string());
    text.push('\n');
}

/// Two columns, the second at column 26 or below the first where that is wider, broken at spaces.
fn rows(text: &mut String, rows: impl Iterator<Item = (String, String)>) {
    const SECOND: usize = 26;
    for (first, second) in rows {
        let mut current = format!("  {first}");
        if current.len() + 2 > SECOND {
            line(text, format_args!("{current}"));
            current.clear();
        }
        wrap(text, current, SECOND, &second);
    }
}

/// Adds words to a line that was begun, and to further ones, all from `indent` on and none wider than [`COLUMNS`].
fn wrap(text: &mut String, mut current: String, indent: usize, words: &str) {
    let mut is_first = true;
    for word in words.split(' ') {
        if !is_first && current.width() + 1 + word.width() > COLUMNS {
            line(text, format_args!("{current}"));
            current.clear();
            is_first = true;
        }
        if is_first {
            current = format!("{current:indent$}{word}");
        } else {
            current.push(' ');
            current.push_str(word);
        }
        is_first = false;
    }
    line(text, format_args!("{current}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages() -> Vec<String> {
        let verbs = verb::ALL.iter().map(|row| verb(row));
        verbs.chain([overview(), address(), what_to_try("sockeye")]).collect()
    }

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        for page in pages() {
            for line in page.lines() {
                assert!(line.width() <= COLUMNS, "{} columns: {line}", line.width());
            }
        }
    }

    #[test]
    fn every_row_of_every_table_is_in_help() {
        let all = pages().concat();
        let flags = verb::ALL.iter().flat_map(|verb| verb.flags.iter()).chain(flag::COMMON);
        let flags = flags.map(|flag| format!("--{}", flag.long));
        let services = SERVICES.iter().map(|row| format!("  {} ", row.name));
        let options = sockeye::options().iter().map(|row| format!("  {}", row.grammar.name));
        let framings = FRAMINGS.iter().map(|row| format!("  {} ", row.usage()));
        for name in flags.chain(services).chain(options).chain(framings) {
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
