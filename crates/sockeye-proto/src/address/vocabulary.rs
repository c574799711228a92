//! The rows that addresses are parsed against: what schemes, layers and options there are, and how each is written.

use super::target::Form;
use super::value::Kind;
use crate::shape::Shape;
use crate::sniff::Protocol;

/// Whether an address is dialled or listened on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// We connect to it.
    Dial,
    /// Others connect to it: `-l`.
    Listen,
}

/// On which addresses an option means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// On both.
    Both,
    /// Only where we connect.
    Dial,
    /// Only where we listen.
    Listen,
}

impl Side {
    /// Whether an option of this side stands on an address of that role.
    pub fn includes(self, role: Role) -> bool {
        match self {
            Self::Both => true,
            Self::Dial => role == Role::Dial,
            Self::Listen => role == Role::Listen,
        }
    }
}

/// How the addresses of a scheme are written.
#[derive(Debug, PartialEq, Eq)]
pub struct SchemeGrammar {
    /// The name before the colon, lower case.
    pub name: &'static str,
    /// Other names for the same.
    pub aliases: &'static [&'static str],
    /// What stands behind the colon.
    pub target: Form,
    /// What its connections carry.
    pub shape: Shape,
    /// Whether it can be dialled.
    pub dials: bool,
    /// Whether it can be listened on.
    pub listens: bool,
    /// The options that it alone has.
    pub options: &'static [OptionGrammar],
}

/// How a layer is put on an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Written {
    /// By its name in front of the scheme: `tls+tcp:`.
    InFront,
    /// As an option of the layer's own name, which is the first of its options: `frame=burst`.
    AsOption,
}

/// How a layer is written, and where it fits.
#[derive(Debug, PartialEq, Eq)]
pub struct LayerGrammar {
    /// Its name, lower case.
    pub name: &'static str,
    /// Other names for the same.
    pub aliases: &'static [&'static str],
    /// Where it is written.
    pub written: Written,
    /// Its height in a stack: each layer stands on layers of a lower rank only.
    pub rank: u8,
    /// What it needs beneath it; `None` where either will do.
    pub over: Option<Shape>,
    /// What it carries; `None` where that is what is beneath it.
    pub gives: Option<Shape>,
    /// What its clients speak first, by which they are told apart on a shared port; `None` where they are told by what is
    /// above it.
    pub speaks: Option<Protocol>,
    /// Its options. For a layer that is written as an option the first has the layer's name.
    pub options: &'static [OptionGrammar],
}

/// A short name for a whole stack: `wss:` for `ws+tls+tcp:`.
#[derive(Debug, PartialEq, Eq)]
pub struct StackGrammar {
    /// The short name.
    pub name: &'static str,
    /// The layers that it stands for, outermost first.
    pub layers: &'static [&'static str],
    /// The scheme beneath them.
    pub scheme: &'static str,
    /// Set where the target is written as a URL.
    pub url: Option<Url>,
}

/// How the parts of a URL become a target and an option.
#[derive(Debug, PartialEq, Eq)]
pub struct Url {
    /// The port where the URL names none.
    pub port: u16,
    /// The option that takes the path and the query.
    pub path: &'static str,
}

/// How an option is written.
#[derive(Debug, PartialEq, Eq)]
pub struct OptionGrammar {
    /// Its name, lower case.
    pub name: &'static str,
    /// Other names for the same.
    pub aliases: &'static [&'static str],
    /// In a vocabulary's own options: the schemes that know it, or none where every address does.
    pub schemes: &'static [&'static str],
    /// Where it means something.
    pub side: Side,
    /// What it takes.
    pub kind: Kind,
    /// What it does, in one line of at most 60 columns.
    pub help: &'static str,
}

/// All rows.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    /// The schemes.
    pub schemes: Vec<&'static SchemeGrammar>,
    /// The layers.
    pub layers: Vec<&'static LayerGrammar>,
    /// The short names for stacks.
    pub stacks: Vec<&'static StackGrammar>,
    /// The options that several schemes, or all addresses, know.
    pub options: Vec<&'static OptionGrammar>,
}

impl LayerGrammar {
    /// Whether it stands on what carries that.
    pub fn fits_on(&self, shape: Shape) -> bool {
        self.over.is_none_or(|over| over == shape)
    }
}

impl Vocabulary {
    /// The scheme of that name or alias.
    pub fn scheme(&self, name: &str) -> Option<&'static SchemeGrammar> {
        self.schemes.iter().find(|row| row.name == name || row.aliases.contains(&name)).copied()
    }

    /// The layer of that name or alias.
    pub fn layer(&self, name: &str) -> Option<&'static LayerGrammar> {
        self.layers.iter().find(|row| row.name == name || row.aliases.contains(&name)).copied()
    }

    /// Every option that an address of this scheme knows: its own, and the vocabulary's.
    pub fn options_of(&self, scheme: &'static SchemeGrammar) -> impl Iterator<Item = &'static OptionGrammar> {
        let shared = self.options.iter().copied();
        let shared = shared.filter(|row| row.schemes.is_empty() || row.schemes.contains(&scheme.name));
        scheme.options.iter().chain(shared)
    }

    pub(super) fn stack(&self, name: &str) -> Option<&'static StackGrammar> {
        self.stacks.iter().find(|row| row.name == name).copied()
    }

    /// Every name that can stand before the colon.
    pub(super) fn heads(&self) -> impl Iterator<Item = &'static str> {
        let in_front = self.layers.iter().filter(|row| row.written == Written::InFront);
        let layers = in_front.flat_map(|row| std::iter::once(row.name).chain(row.aliases.iter().copied()));
        let schemes =
            self.schemes.iter().flat_map(|row| std::iter::once(row.name).chain(row.aliases.iter().copied()));
        schemes.chain(layers).chain(self.stacks.iter().map(|row| row.name))
    }
}

/// The option of that name or alias among `rows`.
pub(super) fn find<'a>(
    mut rows: impl Iterator<Item = &'a OptionGrammar>,
    name: &str,
) -> Option<&'a OptionGrammar> {
    rows.find(|row| row.name == name || row.aliases.contains(&name))
}
