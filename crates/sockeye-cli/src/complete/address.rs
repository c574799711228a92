//! What an address may become: its scheme, its target, and its options.

use sockeye::proto::address::{Form, Kind, LayerGrammar, OptionGrammar, Role, SchemeGrammar, Written};
use sockeye::proto::dscp;
use sockeye::proto::fault::{FAULTS, Fault};
use sockeye::proto::frame::FRAMINGS;
use sockeye::proto::shape::Shape;

use super::{Candidate, Known};

/// What a word that is an address in one of these roles may become.
pub(super) fn word(current: &str, roles: &[Role]) -> Vec<Candidate> {
    let Some((head, rest)) = current.find([':', ',']).and_then(|end| current.split_at_checked(end)) else {
        return schemes(current, roles);
    };
    let Some(head_of) = Head::read(head, roles) else { return Vec::new() };
    let Head { scheme, role, .. } = head_of;
    let (lead, candidates) = match current.rsplit_once(',') {
        Some((before, piece)) if !scheme.target.runs_to_the_end() => {
            (format!("{before},"), option(before, &head_of, piece))
        }
        _ => (format!("{head}:"), target(rest.strip_prefix(':').unwrap_or(rest), scheme, role)),
    };
    candidates.into_iter().map(|candidate| candidate.behind(&lead)).collect()
}

/// What `-o` behind an address may be set to.
pub(super) fn beside(address: &str, roles: &[Role], current: &str) -> Vec<Candidate> {
    let head = address.find([':', ',']).and_then(|end| address.get(..end)).unwrap_or(address);
    Head::read(head, roles).map_or_else(Vec::new, |head| option(address, &head, current))
}

/// The names of schemes, with their colon. Where everything is listened on, `-l` need not be written.
fn schemes(current: &str, roles: &[Role]) -> Vec<Candidate> {
    let implied = !roles.contains(&Role::Dial);
    let mut all = Vec::new();
    for row in sockeye::SCHEMES {
        let SchemeGrammar { name, target, dials, listens, .. } = row.grammar;
        let colon = if target == Form::Nothing { "" } else { ":" };
        let stands_alone = if implied { listens } else { dials };
        if stands_alone {
            all.push(Candidate::word(format!("{name}{colon}"), row.help));
        }
        let is_begun = current.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'));
        if listens && roles.contains(&Role::Listen) && (is_begun || !implied) {
            all.push(Candidate::word(format!("{name}-l:"), format!("listen: {}", row.help)));
        }
    }
    let stacks = sockeye::vocabulary().stacks.iter();
    all.extend(stacks.map(|row| {
        let whole = row.layers.iter().chain([&row.scheme]).copied().collect::<Vec<_>>().join("+");
        Candidate::word(format!("{}:", row.name), format!("for {whole}:"))
    }));
    all
}

/// What stands before the colon, such as `tls+tcp-l`.
struct Head {
    /// Those that are written in front.
    layers: Vec<&'static LayerGrammar>,
    scheme: &'static SchemeGrammar,
    role: Role,
}

impl Head {
    fn read(head: &str, roles: &[Role]) -> Option<Self> {
        let vocabulary = sockeye::vocabulary();
        let (front, last) = head.rsplit_once('+').unwrap_or(("", head));
        let named = |name: &str| {
            let stack = vocabulary.stacks.iter().find(|row| row.name == name);
            let (layers, scheme) = stack.map_or((&[][..], name), |row| (row.layers, row.scheme));
            Some((layers, vocabulary.scheme(scheme)?))
        };
        let ((beneath, scheme), role) = match named(last) {
            Some(named) if roles.contains(&Role::Dial) => (named, Role::Dial),
            Some(named) => (named, Role::Listen),
            None => (named(last.strip_suffix("-l")?)?, Role::Listen),
        };
        let layers = front.split('+').filter(|name| !name.is_empty()).chain(beneath.iter().copied());
        let layers = layers.map(|name| vocabulary.layer(name)).collect::<Option<_>>()?;
        let is_able = if role == Role::Dial { scheme.dials } else { scheme.listens };
        (is_able && roles.contains(&role)).then_some(Self { layers, scheme, role })
    }
}

fn target(current: &str, scheme: &SchemeGrammar, role: Role) -> Vec<Candidate> {
    match scheme.target {
        Form::HostPort { .. } if current.contains(':') => Vec::new(),
        Form::HostPort { .. } if role == Role::Dial => {
            vec![Candidate::word("localhost:", "this machine"), Candidate::Known(Known::Hosts, 0)]
        }
        Form::HostPort { .. } => vec![Candidate::word("any:", "every address of this machine")],
        Form::Machine if !current.contains(':') => machines(role),
        Form::ProtocolHost if !current.contains(':') => {
            vec![Candidate::word("icmp:", "ICMP, over IPv4"), Candidate::word("icmpv6:", "ICMP, over IPv6")]
        }
        Form::Path | Form::SocketPath if !current.starts_with('@') => {
            vec![Candidate::Known(Known::Files, 0)]
        }
        command if command.runs_to_the_end() && !current.contains(' ') => {
            vec![Candidate::Known(Known::Commands, 0)]
        }
        _ => Vec::new(),
    }
}

fn machines(role: Role) -> Vec<Candidate> {
    let other = match role {
        Role::Dial => Candidate::word("host:", "the host of this machine"),
        Role::Listen => Candidate::word("any:", "reached by other machines"),
    };
    vec![other, Candidate::word("local:", "this machine, for itself")]
}

/// What an option may become behind `address`, which holds those that are set already.
fn option(address: &str, head: &Head, current: &str) -> Vec<Candidate> {
    let Head { layers: in_front, scheme, role } = head;
    let (scheme, role) = (*scheme, *role);
    // The commas of a command are its own.
    let behind = if scheme.target.runs_to_the_end() { "" } else { address };
    let set: Vec<&str> = behind.split(',').skip(1).filter_map(|piece| piece.split('=').next()).collect();
    let is_set =
        |row: &OptionGrammar| set.contains(&row.name) || row.aliases.iter().any(|name| set.contains(name));
    let vocabulary = sockeye::vocabulary();
    let layers = vocabulary
        .layers
        .iter()
        .filter(|layer| layer.written == Written::AsOption && layer.fits_on(scheme.shape));
    let of_layers = layers.flat_map(|layer| match layer.options.split_first() {
        Some((first, others)) if is_set(first) => others,
        _ => layer.options.get(..1).unwrap_or_default(),
    });
    let of_front = in_front.iter().flat_map(|layer| layer.options);
    let mut rows = of_front.chain(vocabulary.options_of(scheme)).chain(of_layers);
    match current.split_once('=') {
        None => {
            let free = rows.filter(|row| row.side.includes(role) && (row.kind.repeats() || !is_set(row)));
            free.map(|row| {
                let equals = if row.kind == Kind::Switch { "" } else { "=" };
                Candidate::word(format!("{}{equals}", row.name), row.help)
            })
            .collect()
        }
        Some((name, _)) => {
            let row = rows.find(|row| row.name == name || row.aliases.contains(&name));
            let shape = if set.contains(&"frame") { Shape::Messages } else { scheme.shape };
            let values = row.map_or_else(Vec::new, |row| match row.kind {
                Kind::Fault => faults(shape, scheme.name),
                _ => values(&row.kind),
            });
            values.into_iter().map(|value| value.behind(&format!("{name}="))).collect()
        }
    }
}

/// The faults that can happen to such a connection.
fn faults(shape: Shape, scheme: &str) -> Vec<Candidate> {
    let happens = |text| Fault::read(text).is_ok_and(|fault| fault.refusal(shape, scheme).is_none());
    let rows = FAULTS.iter().filter(|row| happens(row.example));
    rows.map(|row| Candidate::word(row.example, row.help)).collect()
}

/// What can be said of values of that kind.
pub(super) fn values(kind: &Kind) -> Vec<Candidate> {
    let words = |words: &[&str]| words.iter().map(|word| Candidate::word(*word, "")).collect();
    match kind {
        Kind::Choice(choices) => words(choices),
        Kind::CodePoint => dscp::NAMES.iter().map(|(name, _)| Candidate::word(*name, "")).collect(),
        Kind::Switch => words(&["yes", "no"]),
        Kind::Time => words(&["off"]),
        Kind::Frame => {
            let rows = FRAMINGS.iter().map(|row| (row.usage(), row.help));
            rows.map(|(usage, help)| {
                let word = usage.split_inclusive('=').next().unwrap_or_default();
                Candidate::word(word, format!("a message {help}"))
            })
            .collect()
        }
        Kind::Text("a folder" | "a path") => vec![Candidate::Known(Known::Files, 0)],
        Kind::Text("a user") | Kind::Whom => vec![Candidate::Known(Known::Users, 0)],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every address that one Tab after another makes of the examples, in that role.
    fn made(role: Role) -> Vec<String> {
        let mut all = Vec::new();
        for row in sockeye::SCHEMES {
            let listens = format!("{}-l:", row.grammar.name);
            let address = match role {
                Role::Dial => row.example.to_owned(),
                Role::Listen => row.example.replacen(&format!("{}:", row.grammar.name), &listens, 1),
            };
            // A layer brings its options with it.
            let stems = [address.clone(), format!("{address},frame=line")];
            for stem in stems.iter().filter(|stem| sockeye::parse(stem, &[]).is_ok()) {
                for option in word(&format!("{stem},"), &[role]) {
                    let Candidate::Word(option, _) = option else { continue };
                    match option.strip_suffix('=') {
                        Some(name) => all.extend(set(name, &option, role)),
                        None => all.push(option),
                    }
                }
            }
        }
        all
    }

    /// The option with each value that completes, or where none does with its row's example.
    fn set(name: &str, option: &str, role: Role) -> Vec<String> {
        let values = word(option, &[role]).into_iter().filter_map(|value| match value {
            Candidate::Word(value, _) => {
                // A framing of a number.
                Some(if value.ends_with('=') { format!("{value}9") } else { value })
            }
            Candidate::Known(..) => None,
        });
        let values: Vec<String> = values.collect();
        let name = name.rsplit(',').next().unwrap();
        let vocabulary = sockeye::vocabulary();
        let rows = vocabulary.schemes.iter().flat_map(|scheme| vocabulary.options_of(scheme));
        let mut rows = rows.chain(vocabulary.layers.iter().flat_map(|layer| layer.options));
        let row = rows.find(|row| row.name == name).unwrap();
        if values.is_empty() { vec![format!("{option}{}", row.kind.example())] } else { values }
    }

    #[test]
    fn what_completes_is_an_address() {
        for role in [Role::Dial, Role::Listen] {
            let all = made(role);
            assert!(all.len() > 50, "{all:?}");
            for address in all {
                let parsed = sockeye::parse(&address, &[]).map(|parsed| parsed.role());
                assert_eq!(parsed.map_err(|error| error.to_string()), Ok(role), "{address}");
            }
        }
    }
}
