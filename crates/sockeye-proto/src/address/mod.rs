//! Addresses: the text that names one end of a connection.
//!
//! ```text
//! [LAYER+]*SCHEME[-l]:TARGET[,key[=value]]*
//! ```
//!
//! The outermost layer comes first; `-l` (listen) stands on the scheme alone; `-` is standard input and output. In a
//! word, `%2C` is a comma and `%25` a percent sign, and nothing else is escaped. Targets that are a command or a URL
//! run to the end of the word, and their options come beside it, as `-o key=value`, where nothing is escaped at all.
//!
//! The law: an address that is printed ([`Address::word`] and [`Address::options_beside`]) and parsed again is equal.
//! Parsing is pure: it looks at the text and the [`Vocabulary`] and at nothing else.

mod error;
mod escape;
mod machine;
mod parse;
mod pin;
mod print;
mod protocol;
mod rate;
mod raw;
mod request;
mod target;
mod value;
mod vocabulary;

pub use error::ParseError;
pub use escape::escape;
pub use machine::Cid;
pub use parse::{parse, parse_listener};
pub use pin::Pin;
pub use protocol::Protocol;
pub use rate::Rate;
pub use raw::{Level, RawOption, RawValue};
pub use request::Part;
pub use target::{Form, Host, Port, Target};
pub use value::{Kind, Value};
pub use vocabulary::{
    LayerGrammar, OptionGrammar, Role, SchemeGrammar, Side, StackGrammar, Url, Vocabulary, Written,
};

/// A parsed address. It is data: nothing was opened or looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The layers, outermost first.
    layers: Vec<Layer>,
    scheme: &'static SchemeGrammar,
    role: Role,
    target: Target,
    options: Settings,
}

/// A layer of an address, with the options that belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    grammar: &'static LayerGrammar,
    options: Settings,
}

/// Options that were set, by the name of their row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings(Vec<(&'static str, Value)>);

impl Address {
    /// The layers, outermost first.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The row of the scheme.
    pub fn scheme(&self) -> &'static SchemeGrammar {
        self.scheme
    }

    /// Whether this is dialled or listened on.
    pub fn role(&self) -> Role {
        self.role
    }

    /// What stands behind the colon.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The options of the scheme, and those that every address knows.
    pub fn options(&self) -> &Settings {
        &self.options
    }

    /// What a connection carries once all layers are on.
    pub fn shape(&self) -> crate::shape::Shape {
        self.layers.iter().find_map(|layer| layer.grammar.gives).unwrap_or(self.scheme.shape)
    }

    /// The same without layers.
    #[must_use]
    pub fn without_layers(&self) -> Self {
        Self { layers: Vec::new(), ..self.clone() }
    }

    /// Puts a layer that is written as an option on top of the others, set to `value`: `frame=burst`.
    ///
    /// # Errors
    /// The layer is unknown, takes no such value, or does not fit on this address.
    pub fn insert(&mut self, option: &str, vocabulary: &Vocabulary) -> Result<(), ParseError> {
        parse::insert(self, option, vocabulary)
    }
}

impl Layer {
    /// The row of the layer.
    pub fn grammar(&self) -> &'static LayerGrammar {
        self.grammar
    }

    /// The options that belong to this layer.
    pub fn options(&self) -> &Settings {
        &self.options
    }
}

impl Settings {
    /// What an option was set to, by the name of its row; `None` where it was not.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.values(name).next()
    }

    /// Everything that an option was set to, in the order of the word: one whose kind [repeats](Kind::repeats) may be set
    /// more than once.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.0.iter().filter(move |(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Every option that was set, in the order of the word.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }

    /// Whether no option was set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests;
