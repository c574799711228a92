//! From the text of an address to an [`Address`].

use std::ops::Range;

use super::error::ParseError;
use super::escape::unescape;
use super::target::{self, Form, Target};
use super::value::{Kind, Value};
use super::vocabulary::{
    LayerGrammar, OptionGrammar, Role, SchemeGrammar, StackGrammar, Vocabulary, Written, find,
};
use super::{Address, Layer, Settings};
use crate::fault::{self, FAULTS, Fault};
use crate::frame::FRAMINGS;
use crate::shape::Shape;
use crate::suggest::nearest;

/// Reads an address: the word, and the options beside it (`-o key=value`, each without the `-o`).
///
/// # Errors
/// What is wrong, where, and the nearest name that was perhaps meant.
pub fn parse(word: &str, beside: &[String], vocabulary: &Vocabulary) -> Result<Address, ParseError> {
    read(word, beside, vocabulary, Role::Dial)
}

/// Reads an address that is to be listened on, whether or not it says so: `tcp:8080` for `tcp-l:8080`.
///
/// # Errors
/// As [`parse`], and where the scheme cannot be listened on.
pub fn parse_listener(word: &str, beside: &[String], vocabulary: &Vocabulary) -> Result<Address, ParseError> {
    read(word, beside, vocabulary, Role::Listen)
}

fn read(
    word: &str,
    beside: &[String],
    vocabulary: &Vocabulary,
    implied: Role,
) -> Result<Address, ParseError> {
    let head_end = word.find([':', ',']).unwrap_or(word.len());
    let (head, tail) = word.split_at_checked(head_end).unwrap_or((word, ""));
    let Head { layers, scheme, role, url } = Head::read(word, head, tail, vocabulary, implied)?;

    let colon = tail.starts_with(':');
    if !colon && scheme.target != Form::Nothing {
        return Err(ParseError::new(word, head_end..head_end, "expected a colon and a target"));
    }
    let start = head_end + usize::from(colon);
    let rest = word.get(start..).unwrap_or("");
    let as_url = url.filter(|_| rest.starts_with("//"));
    let end = if as_url.is_some() || scheme.target.runs_to_the_end() { None } else { rest.find(',') };
    let (target_text, pieces_text) = rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or((rest, ""));
    let span = start..start + target_text.len();
    let fault = |target::Fault { reason, hint, end }: target::Fault| {
        let end = end.filter(|end| target_text.ends_with(end.as_str()));
        let from = end.map_or(span.start, |end| span.end - end.len());
        ParseError { hint, ..ParseError::new(word, from..span.end, reason) }
    };

    let mut draft = Address { layers, scheme, role, target: Target::Nothing, options: Settings::default() };
    let mut path = None;
    if let Some(url) = as_url {
        if role == Role::Listen {
            return Err(ParseError::new(word, span, "a URL is dialled").hint("to listen, write a port"));
        }
        let (target, rest) = target::url(target_text, url.port).map_err(fault)?;
        draft.target = target;
        path = Some((url.path, rest));
    } else if scheme.target.runs_to_the_end() {
        draft.target = scheme.target.read(target_text, role).map_err(fault)?;
    } else {
        draft.target = scheme.target.read(&unescape(target_text), role).map_err(fault)?;
    }

    let mut pieces = Piece::in_word(word, span.end, pieces_text);
    pieces.extend(beside.iter().map(|text| Piece::beside(text)));
    draft.take(&pieces, vocabulary)?;
    if let Some((option, value)) = path {
        let piece = Piece { text: word, span, key: option, value: Some(value) };
        draft.assign(&piece, vocabulary)?;
    }
    Ok(draft)
}

/// What stands before the colon.
struct Head {
    layers: Vec<Layer>,
    scheme: &'static SchemeGrammar,
    role: Role,
    url: Option<&'static super::vocabulary::Url>,
}

impl Head {
    fn read(
        word: &str,
        head: &str,
        tail: &str,
        vocabulary: &Vocabulary,
        implied: Role,
    ) -> Result<Self, ParseError> {
        let lower = head.to_ascii_lowercase();
        let (front, last) = lower.rsplit_once('+').unwrap_or(("", &lower));
        let last_at = head.len() - last.len();
        let known = |name: &str| vocabulary.scheme(name).is_some() || vocabulary.stack(name).is_some();
        let (name, mut role) = match last.strip_suffix("-listen").or_else(|| last.strip_suffix("-l")) {
            Some(name) if !known(last) => (name, Role::Listen),
            _ => (last, Role::Dial),
        };
        let span = last_at..last_at + name.len();

        let mut layers = Vec::new();
        let mut at = 0;
        for piece in front.split('+').filter(|_| !front.is_empty()) {
            let layer = Self::layer(word, at..at + piece.len(), piece, vocabulary)?;
            layers.push((layer, at..at + piece.len()));
            at += piece.len() + 1;
        }
        let stack = vocabulary.stack(name);
        let scheme = match stack {
            Some(stack) => {
                let beneath = stack.layers.iter().filter_map(|layer| vocabulary.layer(layer));
                layers.extend(beneath.map(|layer| (layer, span.clone())));
                vocabulary.scheme(stack.scheme)
            }
            None => vocabulary.scheme(name),
        };
        let Some(scheme) = scheme else {
            return Err(Self::unknown_scheme(word, span, name, tail, vocabulary));
        };
        check_stack(word, &layers, scheme)?;

        if implied == Role::Listen {
            role = Role::Listen;
        }
        if role == Role::Listen && !scheme.listens {
            return Err(ParseError::new(word, span, format!("{} cannot be listened on", scheme.name)));
        }
        if role == Role::Dial && !scheme.dials {
            return Err(ParseError::new(word, span, format!("{} can only be listened on", scheme.name)));
        }
        let layers = layers.into_iter().map(|(grammar, _)| Layer { grammar, options: Settings::default() });
        Ok(Self {
            layers: layers.collect(),
            scheme,
            role,
            url: stack.and_then(|s: &StackGrammar| s.url.as_ref()),
        })
    }

    fn layer(
        word: &str,
        span: Range<usize>,
        name: &str,
        vocabulary: &Vocabulary,
    ) -> Result<&'static LayerGrammar, ParseError> {
        match vocabulary.layer(name) {
            Some(layer) if layer.written == Written::AsOption => {
                let reason = format!("{name} is written as an option, behind the target");
                Err(ParseError::new(word, span, reason).hint(format!("write ,{}=…", layer.name)))
            }
            Some(layer) => Ok(layer),
            None if vocabulary.scheme(name).is_some() => {
                let reason = format!("{name} is a scheme: it stands last, and alone");
                Err(ParseError::new(word, span, reason))
            }
            None => {
                let error = ParseError::new(word, span, format!("there is no layer {name:?}"));
                Err(error.nearest(name, vocabulary.heads()))
            }
        }
    }

    fn unknown_scheme(
        word: &str,
        span: Range<usize>,
        name: &str,
        tail: &str,
        vocabulary: &Vocabulary,
    ) -> ParseError {
        if let Some(layer) = vocabulary.layer(name).filter(|layer| layer.written == Written::InFront) {
            let error =
                ParseError::new(word, span, format!("{} is a layer, and a scheme must follow", layer.name));
            return error.hint(format!("write {}+tcp:…", layer.name));
        }
        if name.is_empty() {
            return ParseError::new(word, span, "expected a scheme")
                .hint("an address is SCHEME:TARGET, such as tcp:localhost:80");
        }
        let error = ParseError::new(word, span, format!("there is no scheme {name:?}"));
        let port = tail.strip_prefix(':').unwrap_or("");
        let is_near = nearest(name, vocabulary.heads()).is_some();
        if word.starts_with(['/', '.', '@']) {
            return error.hint(format!("for a Unix socket write unix:{word}"));
        }
        if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) && !is_near {
            return error.hint(format!("for TCP write tcp:{word}"));
        }
        if tail.is_empty() && !is_near {
            return error.hint("an address is SCHEME:TARGET, such as tcp:localhost:80");
        }
        error.nearest(name, vocabulary.heads())
    }
}

/// Refuses a stack that cannot work: ranks fall from the outermost inwards, and each layer has the shape it needs.
fn check_stack(
    text: &str,
    layers: &[(&'static LayerGrammar, Range<usize>)],
    scheme: &'static SchemeGrammar,
) -> Result<(), ParseError> {
    let (mut shape, mut below, mut rank) = (scheme.shape, scheme.name, 0);
    for (layer, span) in layers.iter().rev() {
        if layer.rank == rank {
            return Err(ParseError::new(
                text,
                span.clone(),
                format!("{} is on this address twice", layer.name),
            ));
        }
        if layer.rank < rank {
            let error =
                ParseError::new(text, span.clone(), format!("{} cannot stand on {below}", layer.name));
            return Err(error.hint(format!("{below} belongs on {}, not beneath it", layer.name)));
        }
        if let Some(over) = layer.over.filter(|over| *over != shape) {
            let why = match over {
                Shape::Bytes => {
                    format!("{} needs bytes beneath it, and {below} carries messages", layer.name)
                }
                Shape::Messages => {
                    format!("{} needs messages beneath it, and {below} carries bytes", layer.name)
                }
            };
            let error = ParseError::new(text, span.clone(), why);
            return Err(match over {
                Shape::Bytes => error,
                Shape::Messages => error.hint("a frame=… turns bytes into messages"),
            });
        }
        (shape, below, rank) = (layer.gives.unwrap_or(shape), layer.name, layer.rank);
    }
    Ok(())
}

/// One `key=value`, and where it stands.
struct Piece<'a> {
    /// The text that an error shows: the word, or the option beside it.
    text: &'a str,
    /// Where the piece stands in that text.
    span: Range<usize>,
    key: &'a str,
    value: Option<String>,
}

impl<'a> Piece<'a> {
    /// The pieces behind the target, which are separated by commas; `start` is where `text` begins in the word.
    fn in_word(word: &'a str, start: usize, text: &'a str) -> Vec<Self> {
        let mut at = start;
        let mut pieces = Vec::new();
        for piece in text.split(',') {
            let span = at..at + piece.len();
            at = span.end + 1;
            if span.start > start || !piece.is_empty() {
                let (key, value) = split(piece);
                pieces.push(Self { text: word, span, key, value: value.map(unescape) });
            }
        }
        pieces
    }

    fn beside(text: &'a str) -> Self {
        let (key, value) = split(text);
        Self { text, span: 0..text.len(), key, value: value.map(str::to_owned) }
    }

    fn error(&self, reason: impl Into<String>) -> ParseError {
        ParseError::new(self.text, self.span.clone(), reason)
    }
}

fn split(piece: &str) -> (&str, Option<&str>) {
    piece.split_once('=').map_or((piece, None), |(key, value)| (key, Some(value)))
}

/// Puts a layer that is written as an option on an address that is parsed already.
pub(super) fn insert(address: &mut Address, option: &str, vocabulary: &Vocabulary) -> Result<(), ParseError> {
    let mut changed = address.clone();
    changed.take(&[Piece::beside(option)], vocabulary)?;
    *address = changed;
    Ok(())
}

impl Address {
    /// Takes options: first those that put a layer on, so that the others find their owner wherever they stand.
    fn take(&mut self, pieces: &[Piece<'_>], vocabulary: &Vocabulary) -> Result<(), ParseError> {
        for piece in pieces {
            let Some(grammar) = vocabulary.layer(piece.key).filter(|row| row.written == Written::AsOption)
            else {
                continue;
            };
            let above = self.layers.iter().position(|layer| layer.grammar.rank < grammar.rank);
            let at = above.unwrap_or(self.layers.len());
            if self.layers.iter().any(|layer| layer.grammar.name == grammar.name) {
                if grammar.options.first().is_some_and(|row| row.kind.repeats()) {
                    continue;
                }
                return Err(piece.error(format!("{} is set twice", grammar.name)));
            }
            self.layers.insert(at, Layer { grammar, options: Settings::default() });
            let stack: Vec<_> = self.layers.iter().map(|layer| (layer.grammar, piece.span.clone())).collect();
            check_stack(piece.text, &stack, self.scheme)?;
        }
        pieces.iter().try_for_each(|piece| self.assign(piece, vocabulary))?;
        self.check_faults(pieces)
    }

    /// Refuses faults that cannot happen to what is beneath them; a layer that was put there later counts too.
    fn check_faults(&self, pieces: &[Piece<'_>]) -> Result<(), ParseError> {
        let Some(last) = pieces.last() else { return Ok(()) };
        for (at, layer) in self.layers.iter().enumerate() {
            let beneath = self.layers.iter().skip(at + 1).find_map(|layer| layer.grammar.gives);
            let shape = beneath.unwrap_or(self.scheme.shape);
            for (_, value) in layer.options.iter() {
                let Value::Fault(fault) = value else { continue };
                if let Some(why) = fault.refusal(shape, self.scheme.name) {
                    let written = |piece: &&Piece<'_>| {
                        let typed = piece.value.as_deref().map(Fault::read);
                        typed.is_some_and(|typed| typed.as_ref() == Ok(fault))
                    };
                    let piece = pieces.iter().find(written).unwrap_or(last);
                    return Err(piece.error(format!("{}: {why}", fault.name())));
                }
            }
        }
        Ok(())
    }

    /// Gives an option to the outermost element that knows it, or to the one that it names: `tls.min=1.3`.
    fn assign(&mut self, piece: &Piece<'_>, vocabulary: &Vocabulary) -> Result<(), ParseError> {
        let (element, key) = match piece.key.split_once('.') {
            Some((element, key)) => (Some(element), key),
            None => (None, piece.key),
        };
        let role = self.role;
        let mut elements: Vec<(&'static str, Vec<&'static OptionGrammar>, &mut Settings)> = Vec::new();
        for layer in &mut self.layers {
            elements.push((layer.grammar.name, layer.grammar.options.iter().collect(), &mut layer.options));
        }
        elements.push((self.scheme.name, vocabulary.options_of(self.scheme).collect(), &mut self.options));
        let names: Vec<&'static str> =
            elements.iter().flat_map(|(_, rows, _)| rows.iter().map(|row| row.name)).collect();
        let all: Vec<&'static str> = elements.iter().map(|(name, _, _)| *name).collect();
        if let Some(element) = element.filter(|element| !all.contains(element)) {
            let error = piece.error(format!("there is no {element:?} on this address to set {key:?} of"));
            return Err(error.nearest(element, all.into_iter()));
        }

        let mut named =
            elements.into_iter().filter(|(name, _, _)| element.is_none_or(|element| element == *name));
        let found = named.find_map(|(_, rows, settings)| Some((find(rows.into_iter(), key)?, settings)));
        let Some((row, settings)) = found else {
            if piece.key.is_empty() {
                return Err(piece.error("expected an option between the commas"));
            }
            let insertable = vocabulary.layers.iter().filter(|row| row.written == Written::AsOption);
            let names = names.into_iter().chain(insertable.map(|row| row.name));
            let reason = format!("{} has no option {key:?}", element.unwrap_or(self.scheme.name));
            return Err(piece.error(reason).nearest(key, names));
        };
        if !row.side.includes(role) {
            let other = if role == Role::Dial { "listened on" } else { "dialled" };
            return Err(piece.error(format!("{} is for addresses that are {other}", row.name)));
        }
        let value: Value = match row.kind.read(piece.value.as_deref()) {
            Ok(value) => value,
            Err(expected) => {
                let error = piece.error(format!("{}: {expected}", row.name));
                let typed = piece.value.as_deref().unwrap_or_default();
                let (name, names): (_, Vec<&str>) = match row.kind {
                    Kind::Fault => (fault::name_in(typed), FAULTS.iter().map(|row| row.name).collect()),
                    Kind::Frame => (
                        typed.split('=').next().unwrap_or_default(),
                        FRAMINGS.iter().map(|row| row.name).collect(),
                    ),
                    _ => return Err(error),
                };
                return Err(error.nearest(name, names.into_iter().filter(|known| *known != name)));
            }
        };
        let twice = match &value {
            Value::SocketOption(option) => format!("{}={}", row.name, option.place_text()),
            Value::Variable(name, _) => format!("{}={name}", row.name),
            Value::Fault(fault) => format!("{}={}", row.name, fault.name()),
            _ => row.name.to_owned(),
        };
        if settings.set(row, value) { Ok(()) } else { Err(piece.error(format!("{twice} is set twice"))) }
    }
}
