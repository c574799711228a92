//! What options are set to: TOML has numbers and switches where an address has text alone.

use std::ops::Range;

use sockeye::proto::address::Kind;
use toml::de::DeValue;

use super::source::Source;
use super::{Entry, Fault};

/// An option, as it would stand beside an address.
pub(super) struct Setting {
    /// `key=value`.
    pub(super) written: String,
    /// Where it stands.
    pub(super) span: Range<usize>,
}

/// What an option of that name takes, whoever has it.
pub(super) fn kind(name: &str) -> Option<&'static Kind> {
    let vocabulary = sockeye::vocabulary();
    let of_schemes = vocabulary.schemes.iter().flat_map(|scheme| scheme.options);
    let of_layers = vocabulary.layers.iter().flat_map(|layer| layer.options);
    let mut all = vocabulary.options.iter().copied().chain(of_schemes).chain(of_layers);
    all.find(|row| row.name == name || row.aliases.contains(&name)).map(|row| &row.kind)
}

/// An option of an entry; a list sets it once for each of its values.
pub(super) fn option(source: &Source<'_>, (key, value): Entry<'_>) -> Result<Vec<Setting>, Fault> {
    let name = key.get_ref().as_ref();
    let values = match value.get_ref() {
        DeValue::Array(values) => values.iter().collect(),
        _ => vec![value],
    };
    let setting = |value: &toml::Spanned<DeValue<'_>>| {
        let written = written(kind(name), value.get_ref())
            .map_err(|expected| source.fault(value.span(), format!("{name}: expected {expected}")))?;
        Ok(Setting { written: format!("{name}={written}"), span: key.span().start..value.span().end })
    };
    values.into_iter().map(setting).collect()
}

/// The value as an address has it; or what is expected instead. What the option makes of it is for the address to say.
fn written(kind: Option<&Kind>, value: &DeValue<'_>) -> Result<String, String> {
    match (kind, value) {
        (Some(kind @ Kind::Count { .. }), DeValue::String(_)) => Err(kind.expects()),
        (Some(Kind::Switch), DeValue::Boolean(is_on)) => Ok(if *is_on { "yes" } else { "no" }.to_owned()),
        (Some(Kind::Switch), _) => Err("true or false".to_owned()),
        (_, DeValue::String(text)) => Ok(text.to_string()),
        (Some(kind @ (Kind::Count { .. } | Kind::Seconds(_) | Kind::Size | Kind::Time)), value) => {
            text(value).ok_or_else(|| kind.expects())
        }
        (Some(kind), _) => Err(format!("{}, in quotes", kind.expects())),
        // No address has such an option, which is what will be told.
        (None, _) => Ok(String::new()),
    }
}

/// Text, or a number in decimal digits, as it would be typed.
pub(super) fn text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        _ => None,
    }
}
