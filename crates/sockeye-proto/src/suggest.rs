//! The name that somebody meant who typed another.

/// The known name that was most likely meant: at most a third of its letters differ, one in a short name.
pub fn nearest<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_ascii_lowercase();
    known
        .map(|name| (strsim::damerau_levenshtein(&typed, name), name))
        .filter(|(distance, name)| *distance <= (name.len() / 3).max(1) && *distance < name.len())
        .min_by_key(|(distance, name)| (*distance, *name))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_seen_through_and_another_word_is_not() {
        let known = || ["dial", "listen", "relay", "check", "serve"].into_iter();
        for (typed, meant) in
            [("dail", "dial"), ("SERVE", "serve"), ("listne", "listen"), ("relayy", "relay")]
        {
            assert_eq!(nearest(typed, known()), Some(meant));
        }
        for typed in ["", "x", "connect", "trial", "-"] {
            assert_eq!(nearest(typed, known()), None, "{typed}");
        }
    }
}
