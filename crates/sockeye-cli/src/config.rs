//! What `serve` is told by a file instead of on its line: the same names, as TOML.

mod example;
mod fault;
mod source;
mod value;

use std::fs::File;
use std::io::{self, Read as _};

use sockeye::proto::suggest::nearest;
use sockeye::{Error, Given, Op, ServiceRow};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub(crate) use example::example;
pub(crate) use fault::Fault;

use crate::failure::Failure;
use crate::flag::{self, Flag};
use crate::verb::serve::{Order, SERVE};
use source::Source;
use value::{Setting, option, text};

/// The most bytes of a file: a hundred thousand addresses.
const LONGEST: u64 = 4 << 20;

/// What a file says.
#[derive(Debug)]
pub(crate) struct Config {
    /// The flags that it sets for all services, each with its value if it takes one.
    pub(crate) flags: Vec<(&'static str, Option<String>)>,
    /// What is served where; at least one.
    pub(crate) orders: Vec<Order>,
}

/// Flags that say how one run is to go, and have no place in a file.
const OF_ONE_RUN: &[&Flag] = &[&flag::CONFIG, &flag::HELP, &flag::OPTION, &flag::PLAN];

/// The flags that can be set for all services, at the top of a file.
pub(crate) fn top_flags() -> impl Iterator<Item = &'static Flag> {
    let all = SERVE.flags.iter().chain(flag::COMMON).copied();
    all.filter(|flag| OF_ONE_RUN.iter().all(|other| other.long != flag.long))
}

/// The keys of a service's entry.
const ENTRY: &[&str] = &["service", "listen", "show", "options", "flags"];

impl Config {
    /// Reads a file. Blocks.
    ///
    /// # Errors
    /// It cannot be read, or says something that makes no sense: the first such thing, and where it stands.
    pub(crate) fn read(path: &str) -> Result<Self, Failure> {
        let text = contents(path).map_err(|error| Error::new(Op::Read, error).on(path))?;
        Self::parse(&Source { path, text: &text })
    }

    fn parse(source: &Source<'_>) -> Result<Self, Failure> {
        let table = DeTable::parse(source.text).map_err(|error| source.syntax(&error))?;
        let mut config = Self { flags: Vec::new(), orders: Vec::new() };
        for (key, value) in in_order(table.get_ref()) {
            match key.get_ref().as_ref() {
                "serve" => {
                    let entries = value.get_ref().as_array().ok_or_else(|| {
                        source.fault(key.span(), "serve: expected a list of entries").hint("write [[serve]]")
                    })?;
                    for entry in entries.iter() {
                        config.orders.push(order(source, entry)?);
                    }
                }
                name => {
                    let Some(flag) = top_flags().find(|flag| flag.long == name) else {
                        return Err(unknown_at_top(source, key).into());
                    };
                    config.flags.extend(top_flag(source, flag, value)?);
                }
            }
        }
        if config.orders.is_empty() {
            let hint = "add [[serve]] with service and listen; sockeye gen config prints one to begin with";
            return Err(Failure::usage(format!("{}: there is nothing to serve", source.path), hint));
        }
        let shown = config.flags.iter().any(|(name, _)| *name == flag::SHOW.long);
        config.orders.iter_mut().for_each(|order| order.shown |= shown);
        Ok(config)
    }
}

fn contents(path: &str) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(LONGEST + 1).read_to_string(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|length| length > LONGEST) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it is longer than {LONGEST} bytes")));
    }
    Ok(text)
}

/// A key with its value, and where both stand.
type Entry<'a> = (&'a Spanned<std::borrow::Cow<'a, str>>, &'a Spanned<DeValue<'a>>);

/// The entries of a table as they stand in the file, so that the first fault is the one that is told.
fn in_order<'a>(table: &'a DeTable<'a>) -> Vec<Entry<'a>> {
    let mut entries: Vec<Entry<'a>> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

fn unknown_at_top(source: &Source<'_>, key: &Spanned<std::borrow::Cow<'_, str>>) -> Fault {
    let name = key.get_ref();
    let fault = source.fault(key.span(), format!("there is no key {name:?} here"));
    if ENTRY.contains(&name.as_ref()) || value::kind(name).is_some() {
        return fault.hint(format!("{name} stands in an entry: [[serve]]"));
    }
    let known = top_flags().map(|flag| flag.long).chain(["serve"]);
    match nearest(name, known) {
        Some(near) => fault.hint(format!("did you mean {near:?}?")),
        None => fault.hint("sockeye gen config shows every key"),
    }
}

/// A flag for all services, where it is set.
fn top_flag(
    source: &Source<'_>,
    flag: &'static Flag,
    value: &Spanned<DeValue<'_>>,
) -> Result<Option<(&'static str, Option<String>)>, Fault> {
    let expected = |what: &str| source.fault(value.span(), format!("{}: expected {what}", flag.long));
    match (flag.value, value.get_ref()) {
        (None, DeValue::Boolean(is_on)) => Ok(is_on.then_some((flag.long, None))),
        (None, _) => Err(expected("true or false")),
        (Some(_), DeValue::String(text)) => Ok(Some((flag.long, Some(text.to_string())))),
        (Some(_), _) => Err(expected(&format!("text such as \"{}\"", flag.example))),
    }
}

/// One entry: a service, where it listens, and what is set for it.
fn order(source: &Source<'_>, entry: &Spanned<DeValue<'_>>) -> Result<Order, Failure> {
    let Some(table) = entry.get_ref().as_table() else {
        return Err(source.fault(entry.span(), "expected an entry").hint("write [[serve]]").into());
    };
    for (key, _) in in_order(table) {
        let name = key.get_ref().as_ref();
        if !ENTRY.contains(&name) {
            let fault = source.fault(key.span(), format!("an entry has no key {name:?}"));
            let hint = match (value::kind(name), nearest(name, ENTRY.iter().copied())) {
                (Some(_), _) => format!("{name} is an option, and stands in [serve.options]"),
                (None, Some(near)) => format!("did you mean {near:?}?"),
                (None, None) => format!("it has {}", ENTRY.join(", ")),
            };
            return Err(fault.hint(hint).into());
        }
    }
    let missing = |what: &str| source.fault(source.header(entry.span()), format!("this entry has no {what}"));
    let service = table.get("service").ok_or_else(|| missing("service"))?;
    let row = service_row(source, service)?;
    let listen = table.get("listen").ok_or_else(|| missing("listen").hint(example_of(row)))?;
    let shown = match table.get("show").map(|show| (show.span(), show.get_ref())) {
        None => false,
        Some((_, DeValue::Boolean(is_on))) => *is_on,
        Some((span, _)) => return Err(source.fault(span, "show: expected true or false").into()),
    };
    let mut options = Vec::new();
    for entry in entries(source, table.get("options"), "options")? {
        options.extend(option(source, entry)?);
    }
    let given = given(source, &entries(source, table.get("flags"), "flags")?, row)?;
    let addresses = addresses(source, listen, &options, (row, &given))?;
    Ok(Order { row, addresses, given, shown })
}

fn example_of(row: &ServiceRow) -> String {
    format!("such as listen = \"tcp:{}\"", row.port)
}

fn service_row(source: &Source<'_>, service: &Spanned<DeValue<'_>>) -> Result<&'static ServiceRow, Fault> {
    let fault = |reason: String| source.fault(service.span(), reason);
    let Some(name) = service.get_ref().as_str() else {
        return Err(fault("service: expected the name of a service".to_owned()));
    };
    Order::row(name).map_err(|hint| fault(format!("there is no service {name:?}")).hint(hint))
}

/// What stands in a table of an entry, where it has that table.
fn entries<'a>(
    source: &Source<'_>,
    table: Option<&'a Spanned<DeValue<'a>>>,
    name: &str,
) -> Result<Vec<Entry<'a>>, Fault> {
    let Some(table) = table else { return Ok(Vec::new()) };
    let expected = || source.fault(table.span(), format!("{name}: expected a table"));
    let entries =
        table.get_ref().as_table().ok_or_else(|| expected().hint(format!("write [serve.{name}]")))?;
    Ok(in_order(entries))
}

/// What a service's own flags are set to.
fn given(source: &Source<'_>, set: &[Entry<'_>], row: &'static ServiceRow) -> Result<Given, Fault> {
    let mut given = Given::default();
    for (key, value) in set {
        let name = key.get_ref().as_ref();
        let Some(flag) = row.flags.iter().find(|flag| flag.name == name) else {
            let fault = source.fault(key.span(), format!("{} has no flag {name:?}", row.name));
            return Err(match nearest(name, row.flags.iter().map(|flag| flag.name)) {
                Some(near) => fault.hint(format!("did you mean {near:?}?")),
                None => fault.hint(format!("see sockeye serve --help for {}", row.name)),
            });
        };
        let expected = |what: &str| source.fault(value.span(), format!("{name}: expected {what}"));
        match (flag.value, value.get_ref()) {
            (None, DeValue::Boolean(false)) => {}
            (None, DeValue::Boolean(true)) => given.set(flag, ""),
            (None, _) => return Err(expected("true or false")),
            (Some(_), DeValue::Array(values)) if flag.repeats => {
                for value in values.iter() {
                    given.set(flag, text(value.get_ref()).ok_or_else(|| expected("a list of texts"))?);
                }
            }
            (Some(_), value) => {
                given.set(flag, text(value).ok_or_else(|| expected("text or a number"))?);
            }
        }
    }
    Ok(given)
}

/// The addresses of an entry, each with the options of the entry.
fn addresses(
    source: &Source<'_>,
    listen: &Spanned<DeValue<'_>>,
    options: &[Setting],
    (row, given): (&'static ServiceRow, &Given),
) -> Result<Vec<sockeye::proto::address::Address>, Failure> {
    let expected =
        |span| source.fault(span, "listen: expected an address, or a list of them").hint(example_of(row));
    let words = match listen.get_ref() {
        DeValue::Array(words) => words.iter().collect(),
        _ => vec![listen],
    };
    if words.is_empty() {
        return Err(expected(listen.span()).into());
    }
    let beside: Vec<String> = options.iter().map(|option| option.written.clone()).collect();
    let read = |word: &Spanned<DeValue<'_>>| {
        let text = word.get_ref().as_str().ok_or_else(|| expected(word.span()))?;
        let address = sockeye::parse_listener(text, &beside).map_err(|error| {
            match options.iter().find(|option| option.written == error.text()) {
                Some(option) => source.of_address(option.span.clone(), &error),
                None => source.of_word(word.span(), text, &error),
            }
        })?;
        Order::framed(address, row.carries.frame(given))
    };
    words.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sockeye::proto::address::{LayerGrammar, Role, Written};

    fn parse(text: &str) -> Result<Config, Failure> {
        Config::parse(&Source { path: "c.toml", text })
    }

    #[test]
    fn every_option_of_every_address_that_listens_can_be_set() {
        for scheme in sockeye::SCHEMES.iter().map(|row| &row.grammar).filter(|grammar| grammar.listens) {
            // What is written in front has its options only where it is.
            let layers = sockeye::LAYERS.iter().map(|layer| &layer.grammar);
            let fits = |row: &&LayerGrammar| row.written == Written::AsOption && row.fits_on(scheme.shape);
            let layers: Vec<&LayerGrammar> = layers.filter(fits).collect();
            let of_layers = layers.iter().flat_map(|row| row.options);
            let all = sockeye::vocabulary().options_of(scheme).chain(of_layers);
            for option in all.filter(|option| option.side.includes(Role::Listen)) {
                let set = |option| {
                    let setting = example::setting(option);
                    setting.lines().last().unwrap().strip_prefix('#').unwrap().to_owned()
                };
                let setting = set(option);
                // What belongs to a layer finds it only where the layer is on.
                let has_it =
                    |row: &&&LayerGrammar| row.options.iter().skip(1).any(|own| own.name == option.name);
                let on = layers.iter().find(has_it).and_then(|row| row.options.first());
                let layer = on.map(set).unwrap_or_default();
                let place = example::place(scheme);
                let text = format!(
                    "[[serve]]\nservice = \"echo\"\nlisten = \"{place}\"\n[serve.options]\n{layer}\n{setting}\n"
                );
                let config = parse(&text).unwrap_or_else(|failure| panic!("{text}{failure}"));
                let address = config.orders[0].addresses[0].clone();
                let layers = address.layers().iter().map(|layer| layer.options());
                let is_set = layers.chain([address.options()]).any(|set| set.value(option.name).is_some());
                assert!(is_set, "{address} has no {}", option.name);
            }
        }
    }

    #[test]
    fn every_flag_at_the_top_has_an_example_and_can_be_set() {
        for flag in top_flags() {
            assert_eq!(flag.value.is_some(), !flag.example.is_empty(), "{}", flag.long);
            let value = if flag.value.is_some() { format!("{:?}", flag.example) } else { "true".to_owned() };
            let text = format!("{} = {value}\n[[serve]]\nservice = \"echo\"\nlisten = \"tcp:0\"", flag.long);
            let config = parse(&text).unwrap_or_else(|failure| panic!("{text}\n{failure}"));
            let value = flag.value.map(|_| flag.example.to_owned());
            assert_eq!(config.flags, [(flag.long, value)]);
        }
    }
}
