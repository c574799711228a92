//! Every option, or those of a scheme, from the tables.

use sockeye::proto::address::{OptionGrammar, Role, SchemeGrammar, Side};
use sockeye::{LAYERS, OPTION_GROUPS, OptionRow, SCHEMES};

use super::phase;
use crate::args::Request;
use crate::exit::Exit;
use crate::help::of_option;
use crate::page::{Page, Row, Section};
use crate::{flag, say};

/// Which options are listed.
pub(super) enum Which {
    All,
    /// Those of a scheme in these roles.
    Of(&'static SchemeGrammar, &'static [Role]),
}

/// An option, and what belongs to it.
struct Listed {
    group: &'static str,
    grammar: &'static OptionGrammar,
    /// Those that have it; empty for all.
    schemes: Vec<&'static str>,
    /// What is known of the options that several schemes share.
    row: Option<&'static OptionRow>,
}

impl Which {
    /// `tcp`, or `tcp-l` for listeners alone; `None` where that is no scheme's name.
    pub(super) fn of_scheme(word: &str) -> Option<Self> {
        let vocabulary = sockeye::vocabulary();
        if let Some(scheme) = vocabulary.scheme(word) {
            let roles: &[Role] = match (scheme.dials, scheme.listens) {
                (true, false) => &[Role::Dial],
                (false, true) => &[Role::Listen],
                _ => &[Role::Dial, Role::Listen],
            };
            return Some(Self::Of(scheme, roles));
        }
        let scheme = vocabulary.scheme(word.strip_suffix("-l")?)?;
        scheme.listens.then_some(Self::Of(scheme, &[Role::Listen]))
    }

    fn includes(&self, option: &Listed) -> bool {
        match self {
            Self::All => true,
            Self::Of(scheme, roles) => {
                let is_its = option.schemes.is_empty() || option.schemes.contains(&scheme.name);
                is_its && roles.iter().any(|role| option.grammar.side.includes(*role))
            }
        }
    }
}

/// What those options are headed that are no rows of [`OPTION_GROUPS`].
const OF_ONE: &str = "options of one scheme alone";
const OF_LAYERS: &str = "options that put a layer on";

fn all() -> Vec<Listed> {
    let shared = OPTION_GROUPS.iter().flat_map(|group| group.rows.iter().map(|row| (group.title, row)));
    let shared = shared.map(|(group, row)| Listed {
        group,
        grammar: &row.grammar,
        schemes: row.grammar.schemes.to_vec(),
        row: Some(row),
    });
    let own = SCHEMES.iter().flat_map(|scheme| {
        let schemes = vec![scheme.grammar.name];
        let listed = move |grammar| Listed { group: OF_ONE, grammar, schemes: schemes.clone(), row: None };
        scheme.grammar.options.iter().map(listed)
    });
    let layers = LAYERS.iter().flat_map(|layer| {
        let beneath = SCHEMES.iter().filter(|scheme| layer.grammar.fits_on(scheme.grammar.shape));
        let schemes: Vec<_> = beneath.map(|scheme| scheme.grammar.name).collect();
        let listed = move |grammar| Listed { group: OF_LAYERS, grammar, schemes: schemes.clone(), row: None };
        layer.grammar.options.iter().map(listed)
    });
    shared.chain(own).chain(layers).collect()
}

/// Prints them, grouped.
pub(super) fn print(request: &Request, which: &Which) -> Exit {
    let options: Vec<Listed> = all().into_iter().filter(|option| which.includes(option)).collect();
    if request.has(&flag::JSON) {
        return say::data(&options.iter().map(json).collect::<String>());
    }
    let mut titles: Vec<&'static str> = options.iter().map(|option| option.group).collect();
    titles.dedup();
    let section = |title: &&'static str| {
        Section::rows(title, options.iter().filter(|option| option.group == *title).map(row))
    };
    let page = Page {
        name: "sockeye-opts".to_owned(),
        volume: 1,
        summary: "what can stand behind an address, as ,KEY=VALUE or -o KEY=VALUE",
        usage: "",
        about: "",
        sections: titles.iter().map(section).collect(),
        beyond: &[],
    };
    say::data(&page.text())
}

fn row(option: &Listed) -> Row {
    let sides = match option.grammar.side {
        Side::Both => "to dial and to listen",
        Side::Dial => "to dial",
        Side::Listen => "to listen",
    };
    let schemes =
        if option.schemes.is_empty() { "every scheme".to_owned() } else { option.schemes.join(" ") };
    let when =
        option.row.and_then(OptionRow::phase).map_or_else(String::new, |when| format!("; {}", phase(when)));
    let default = option.row.map(|row| format!("unless set: {}", row.default));
    let aliases =
        (!option.grammar.aliases.is_empty()).then(|| format!("also {}", option.grammar.aliases.join(", ")));
    let place = format!("{schemes}; {sides}{when}");
    let takes = format!("takes {}", option.grammar.kind.expects());
    Row {
        lines: [option.grammar.help.to_owned(), place, takes]
            .into_iter()
            .chain(default)
            .chain(aliases)
            .collect(),
        ..Row::new(of_option(option.grammar), "")
    }
}

fn json(option: &Listed) -> String {
    let OptionGrammar { name, aliases, side, kind, help, .. } = option.grammar;
    let object = serde_json::json!({
        "option": name, "aliases": aliases, "group": option.group, "schemes": option.schemes,
        "dial": side.includes(Role::Dial), "listen": side.includes(Role::Listen),
        "phase": option.row.and_then(OptionRow::phase).map(phase), "takes": kind.expects(),
        "default": option.row.map(|row| row.default), "help": help,
    });
    format!("{object}\n")
}
