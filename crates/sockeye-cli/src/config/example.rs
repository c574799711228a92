//! A config file to begin with: every key with what it does, from the tables.

use sockeye::proto::address::{Form, Kind, LayerGrammar, OptionGrammar, Role, SchemeGrammar, Written};
use sockeye_services::ALL as SERVICES;

use super::top_flags;

const HEAD: &str = "\
# What sockeye serve --config FILE serves. SIGHUP has the file read again, and drops nobody.
#
# Keys are the names of flags and options: sockeye help serve and sockeye help address say more. What
# begins with # and no space behind it can be set, and is shown with its default where it has one.
";

const ENTRY: &str = "
# A service, and where it listens: one of these for each. Paths are relative to the folder in which sockeye runs.
[[serve]]
";

/// The file. What it sets as it stands is one service; without the first `#` of each line that has no space behind it,
/// every key there is.
pub(crate) fn example() -> String {
    let mut text = HEAD.to_owned();
    for flag in top_flags() {
        let value = if flag.value.is_some() { quoted(flag.example) } else { "false".to_owned() };
        text.push_str(&format!("\n# {}\n#{} = {value}\n", flag.help, flag.long));
    }
    let mut shown = Vec::new();
    for (at, scheme) in schemes().enumerate() {
        let options = options(scheme).filter(|option| !shown.contains(&option.name)).collect::<Vec<_>>();
        if options.is_empty() {
            continue;
        }
        shown.extend(options.iter().map(|option| option.name));
        text.push_str(&if at == 0 { first(scheme) } else { further(scheme) });
        text.push_str(&format!(
            "\n# For all addresses of this entry; {} has these.\n#[serve.options]\n",
            scheme.name
        ));
        options.iter().for_each(|option| text.push_str(&setting(option)));
    }
    for layer in layers(Written::InFront) {
        let listen = quoted(&format!("{}+tcp:7700", layer.name));
        text.push_str(&format!(
            "\n#[[serve]]\n#service = \"echo\"\n#listen = {listen}\n\n#[serve.options]\n"
        ));
        let options = layer.options.iter().filter(|option| option.side.includes(Role::Listen));
        options.for_each(|option| text.push_str(&setting(option)));
    }
    for row in SERVICES.iter().filter(|row| !row.flags.is_empty()) {
        text.push_str(&format!(
            "\n#[[serve]]\n#service = {}\n#listen = \"tcp:{}\"\n",
            quoted(row.name),
            row.port
        ));
        text.push_str("\n# The flags of the service itself.\n#[serve.flags]\n");
        for flag in row.flags {
            let value = match flag.value {
                None => "true".to_owned(),
                Some(value) if flag.repeats => format!("[{}]", quoted(value)),
                Some(value) => quoted(value),
            };
            text.push_str(&format!("# {}\n#{} = {value}\n", flag.help, flag.name));
        }
    }
    text
}

fn first(scheme: &SchemeGrammar) -> String {
    let names: Vec<&str> = SERVICES.iter().map(|row| row.name).collect();
    let mut text = ENTRY.to_owned();
    text.push_str(&format!("# One of {}\nservice = \"echo\"\n", names.join(", ")));
    text.push_str(&format!(
        "# One address, or [\"several\", \"of them\"]\nlisten = {}\n",
        quoted(&place(scheme))
    ));
    text.push_str("# Show each message with its sender, on standard error\n#show = false\n");
    text
}

fn further(scheme: &SchemeGrammar) -> String {
    format!("\n#[[serve]]\n#service = \"echo\"\n#listen = {}\n", quoted(&place(scheme)))
}

/// An option, commented out, beneath what it does.
pub(super) fn setting(option: &OptionGrammar) -> String {
    let row = sockeye::options().find(|row| row.grammar.name == option.name);
    let default = row.map_or_else(String::new, |row| format!("; unless set: {}", row.default));
    let value =
        row.and_then(|row| default_of(&option.kind, row.default)).unwrap_or_else(|| option.kind.example());
    format!("# {}{default}\n#{} = {}\n", option.help, option.name, written(&option.kind, &value))
}

/// The default, where what help says of it begins with something that can be set.
fn default_of(kind: &Kind, says: &str) -> Option<String> {
    let word = says.split([',', ';', ':', ' ']).next().unwrap_or_default();
    // Words of ours could be read as a name: of whom a rule means by none, or of what is the kernel's choice.
    let is_name = kind.repeats() || matches!(kind, Kind::Interface | Kind::Text(_));
    (!is_name && kind.read(Some(word)).is_ok()).then(|| word.to_owned())
}

/// A value as TOML has it.
fn written(kind: &Kind, value: &str) -> String {
    match (kind, value) {
        (Kind::Switch, "yes") => "true".to_owned(),
        (Kind::Switch, _) => "false".to_owned(),
        (Kind::Count { .. }, number) => number.to_owned(),
        (_, text) => quoted(text),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

fn schemes() -> impl Iterator<Item = &'static SchemeGrammar> {
    sockeye::SCHEMES.iter().map(|row| &row.grammar).filter(|grammar| grammar.listens)
}

fn layers(written: Written) -> impl Iterator<Item = &'static LayerGrammar> {
    sockeye::LAYERS.iter().map(|row| &row.grammar).filter(move |grammar| grammar.written == written)
}

/// The options that a listening address of the scheme can have, those that put a layer on included.
fn options(scheme: &'static SchemeGrammar) -> impl Iterator<Item = &'static OptionGrammar> {
    let layers = layers(Written::AsOption).filter(|layer| layer.fits_on(scheme.shape));
    let layers = layers.flat_map(|layer| layer.options);
    let all = sockeye::vocabulary().options_of(scheme).chain(layers);
    all.filter(|option| option.side.includes(Role::Listen))
}

/// An address to listen on.
pub(super) fn place(scheme: &SchemeGrammar) -> String {
    match scheme.target {
        Form::HostPort { .. } => format!("{}:7700", scheme.name),
        _ => {
            let row = sockeye::SCHEMES.iter().find(|row| row.grammar.name == scheme.name);
            row.map_or_else(String::new, |row| row.example.to_owned())
        }
    }
}
