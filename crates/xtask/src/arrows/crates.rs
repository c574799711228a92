//! Which crate of the workspace may depend on which.
//!
//! A manifest is read line by line, on these terms: a crate's folder bears its name, a table's
//! header and a dependency's name each stand on one line, and the workspace renames no crate of its
//! own. `cargo` itself sees to the rest.

use super::Wrong;

/// The crates that are shipped, and what each may depend on, for its tests too.
const SHIPPED: &[(&str, &[&str])] = &[
    ("sockeye", &["sockeye-proto", "sockeye-sys"]),
    ("sockeye-cli", &["sockeye", "sockeye-proto", "sockeye-services"]),
    ("sockeye-proto", &[]),
    ("sockeye-services", &["sockeye", "sockeye-proto"]),
    ("sockeye-sys", &[]),
];

/// The crates that are not shipped. Tests may use them; they may use anything.
const TOOLS: &[&str] = &["compare", "testkit", "xtask"];

/// The findings in the manifest of the crate in the folder `name`.
pub(super) fn check(name: &str, manifest: &str) -> Vec<Wrong> {
    if TOOLS.contains(&name) {
        return Vec::new();
    }
    let Some((_, allowed)) = SHIPPED.iter().find(|(shipped, _)| *shipped == name) else {
        return vec![(1, format!("no arrow is drawn for `{name}`: add it to SHIPPED or TOOLS"))];
    };
    let is_ours = |it: &str| TOOLS.contains(&it) || is_shipped(it);
    dependencies(manifest)
        .into_iter()
        .filter(|it| {
            is_ours(it.name) && !allowed.contains(&it.name) && !(it.only_tests && TOOLS.contains(&it.name))
        })
        .map(|it| (it.line, format!("`{name}` may not depend on `{}`", it.name)))
        .collect()
}

/// Whether people get the crate `name`.
pub(super) fn is_shipped(name: &str) -> bool {
    SHIPPED.iter().any(|(shipped, _)| *shipped == name)
}

struct Dependency<'a> {
    line: usize,
    name: &'a str,
    only_tests: bool,
}

/// What the lines below a header of the manifest say.
#[derive(Clone, Copy)]
enum Table {
    /// Each line is a dependency.
    Dependencies {
        only_tests: bool,
    },
    /// The header named the dependency; a line may name the package behind it.
    OneDependency {
        only_tests: bool,
    },
    Other,
}

fn dependencies(manifest: &str) -> Vec<Dependency<'_>> {
    let mut found = Vec::new();
    let mut table = Table::Other;
    for (line, text) in (1..).zip(manifest.lines()) {
        let text = text.trim();
        if let Some(header) = text.strip_prefix('[') {
            let (entered, name) = header.split_once(']').map_or((Table::Other, None), |(it, _)| enter(it));
            table = entered;
            if let (Table::OneDependency { only_tests }, Some(name)) = (table, name) {
                found.push(Dependency { line, name, only_tests });
            }
            continue;
        }
        let Some((key, value)) = text.split_once('=').filter(|_| !text.starts_with('#')) else {
            continue;
        };
        let key = unquoted(key.split('.').next().unwrap_or(key));
        match table {
            Table::Dependencies { only_tests } => {
                let name = package(value).unwrap_or(key);
                found.push(Dependency { line, name, only_tests });
            }
            Table::OneDependency { only_tests } if key == "package" => {
                let name = value.split('"').nth(1).unwrap_or_default();
                found.push(Dependency { line, name, only_tests });
            }
            Table::OneDependency { .. } | Table::Other => {}
        }
    }
    found
}

/// What the header `[header]` opens, and the dependency that it names.
fn enter(header: &str) -> (Table, Option<&str>) {
    let mut parts = header.rsplit('.').map(unquoted);
    let (last, before) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    match (kind(last), kind(before)) {
        (Some(only_tests), _) => (Table::Dependencies { only_tests }, None),
        (None, Some(only_tests)) => (Table::OneDependency { only_tests }, Some(last)),
        (None, None) => (Table::Other, None),
    }
}

/// Whether the table of this name lists what only tests use. `None`: it lists no dependencies.
fn kind(name: &str) -> Option<bool> {
    match name {
        "dependencies" | "build-dependencies" => Some(false),
        "dev-dependencies" => Some(true),
        _ => None,
    }
}

/// The package behind another name: `package = "…"` within `{ … }`.
fn package(value: &str) -> Option<&str> {
    let (_, after) = value.split_once("package")?;
    after.trim_start().strip_prefix('=')?.split('"').nth(1)
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches(['"', '\''])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(name: &str, manifest: &str) -> Vec<usize> {
        check(name, manifest).iter().map(|(line, _)| *line).collect()
    }

    #[test]
    fn an_arrow_that_is_drawn_is_no_finding() {
        let manifest =
            "[package]\nname = \"sockeye\"\n[dependencies]\ntokio = \"1\"\nsockeye-proto.workspace = true\n";
        assert_eq!(check("sockeye", manifest), []);
    }

    #[test]
    fn an_arrow_that_is_not_drawn_is_a_finding() {
        let manifest = "[dependencies]\ntokio = \"1\"\nsockeye-services.workspace = true\n";
        let what = "`sockeye` may not depend on `sockeye-services`".to_owned();
        assert_eq!(check("sockeye", manifest), [(3, what)]);
    }

    #[test]
    fn each_crate_has_its_arrows() {
        for (name, other, finds) in [
            ("sockeye", "sockeye-sys", false),
            ("sockeye-cli", "sockeye-services", false),
            ("sockeye-cli", "sockeye-sys", true),
            ("sockeye-proto", "sockeye-sys", true),
            ("sockeye-services", "sockeye-sys", true),
            ("sockeye-sys", "sockeye-proto", true),
            ("xtask", "sockeye", false),
        ] {
            let manifest = format!("[dependencies]\n{other}.workspace = true\n");
            assert_eq!(!check(name, &manifest).is_empty(), finds, "{name} to {other}");
        }
    }

    #[test]
    fn every_way_to_write_a_dependency_is_seen() {
        for manifest in [
            "[build-dependencies]\nsockeye = { path = \"..\" }",
            "[dependencies]\n\"sockeye\" = \"1\"",
            "[dependencies]\nother = { version = \"1\", package = \"sockeye\" }",
            "[dependencies] # more\nsockeye.path = \"..\"",
            "[dev-dependencies]\nsockeye.workspace = true",
            "[target.'cfg(a = \"b.c\")'.dependencies]\nsockeye.workspace = true",
        ] {
            assert_eq!(lines("sockeye-sys", manifest), [2], "{manifest}");
        }
        assert_eq!(lines("sockeye-sys", "[dependencies.sockeye]\nworkspace = true"), [1]);
        assert_eq!(lines("sockeye-sys", "[dependencies.other]\npackage = \"sockeye\""), [2]);
    }

    #[test]
    fn other_tables_and_comments_are_no_dependencies() {
        let manifest = "[dependencies]\n# sockeye = \"1\"\n# a = { package = \"sockeye\" }\n[features]\nsockeye = []\n[[bin]]\nname = \"sockeye\"\n";
        assert_eq!(check("sockeye-sys", manifest), []);
    }

    #[test]
    fn only_tests_use_what_is_not_shipped() {
        assert_eq!(check("sockeye", "[dev-dependencies]\ntestkit.workspace = true\n"), []);
        for table in ["dependencies", "build-dependencies"] {
            assert_eq!(lines("sockeye", &format!("[{table}]\ntestkit.workspace = true\n")), [2], "{table}");
        }
    }

    #[test]
    fn a_crate_without_arrows_is_a_finding() {
        assert_eq!(lines("newcomer", ""), [1]);
    }
}
