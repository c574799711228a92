//! What no file of the project says: a path that leads out of it, or the host of a package registry.
//!
//! The first works on one machine only. The second would name a way around the mirror that a user
//! has set; the tools know the hosts themselves.

use super::Wrong;

/// Each in two pieces, so that this file does not say them either.
const OUTSIDE: &[&str] = &[concat!("../", "shared")];
const REGISTRIES: &[&str] = &[
    concat!("crates", ".io"),
    concat!("deb.", "debian.org"),
    concat!("proxy.", "golang.org"),
    concat!("py", "pi.org"),
    concat!("python", "hosted.org"),
    concat!("registry.", "npmjs.org"),
    concat!("ruby", "gems.org"),
];

/// The findings in the file at `path`, of whatever kind it is.
pub(super) fn check(path: &str, text: &str) -> Vec<Wrong> {
    // Cargo writes its lock files, and names the registry on every second line.
    let is_lock = path.rsplit('/').next() == Some("Cargo.lock");
    let registries = if is_lock { &[] } else { REGISTRIES };
    let mut wrong = Vec::new();
    for (line, text) in (1..).zip(text.to_lowercase().lines()) {
        for word in OUTSIDE.iter().chain(registries).filter(|word| text.contains(**word)) {
            wrong.push((line, format!("no file says `{word}`")));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_a_finding() {
        for word in OUTSIDE.iter().chain(REGISTRIES) {
            for text in [format!("\nhttps://a.{word}/b"), format!("\n{}", word.to_uppercase())] {
                assert_eq!(check("docs/a.md", &text), [(2, format!("no file says `{word}`"))]);
            }
        }
    }

    #[test]
    fn a_lock_file_may_name_the_registry_only() {
        for word in REGISTRIES {
            assert_eq!(check("fuzz/Cargo.lock", word), []);
        }
        for word in OUTSIDE {
            assert_eq!(check("Cargo.lock", word).len(), 1);
        }
    }

    #[test]
    fn other_words_are_none() {
        assert_eq!(check("README.md", "shared ../other cargo add sockeye"), []);
    }
}
