//! What rsync, git and tar hand to their remote shell: options, a host, and the words of a command, which a shell would
//! put together and read again.

use sockeye::proto::words;

use crate::failure::Failure;

/// The letters of ssh(1) and rsh(1) that take a value; whoever calls us may pass some on.
const WITH_VALUE: &[u8] = b"bcDEeFIiJLlmOopQRSWw";

/// The words of the command. The host is dropped, and so are options: the address says where to go.
pub(super) fn command(words: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, Failure> {
    let mut rest = words.into_iter().peekable();
    drop_options(&mut rest);
    if rest.next().is_none() {
        return Err(Failure::usage(
            "--rsh: there is no host behind it",
            "name it to rsync, git or tar, which call sockeye",
        ));
    }
    drop_options(&mut rest);
    let rest: Vec<Vec<u8>> = rest.collect();
    // A shell's quotes are all ASCII: bytes that are none pass as the characters of their number, and come back.
    let line: String = rest.join(&b' ').into_iter().map(char::from).collect();
    let wrong = |error: words::WordsError| {
        Failure::usage(format!("--rsh: {error}"), "there is no shell at the other side")
    };
    let split = words::split(&line).map_err(wrong)?;
    let bytes = |word: String| word.chars().filter_map(|c| u8::try_from(c).ok()).collect();
    Ok(split.into_iter().map(bytes).collect())
}

fn drop_options(words: &mut std::iter::Peekable<impl Iterator<Item = Vec<u8>>>) {
    while let Some(option) = words.next_if(|word| word.len() > 1 && word.starts_with(b"-")) {
        // The letters of several may stand together, and the value of the last behind it.
        let letters = option.get(1..).unwrap_or_default();
        let with_value = letters.iter().position(|letter| WITH_VALUE.contains(letter));
        if with_value.is_some_and(|at| at + 1 == letters.len()) {
            words.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_and_the_host_are_dropped_and_the_line_is_split() {
        for (words, command) in [
            (&["host", "rsync", "--server", r"a\ b", "."][..], &["rsync", "--server", "a b", "."][..]),
            (
                &["-l", "me", "-p22", "-4o", "A=b", "host", "git-upload-pack '/a b'"],
                &["git-upload-pack", "/a b"],
            ),
            (&["host", "-l", "me", "/etc/rmt"], &["/etc/rmt"]),
            (&["host", "-n", "x", "-l"], &["x", "-l"]),
        ] {
            let words = words.iter().map(|word| word.as_bytes().to_vec()).collect();
            let command: Vec<Vec<u8>> = command.iter().map(|word| word.as_bytes().to_vec()).collect();
            assert_eq!(super::command(words).unwrap(), command);
        }
        let bytes = vec![b"h".to_vec(), b"rm".to_vec(), b"'\xff \xc3'\xbc".to_vec()];
        assert_eq!(command(bytes).unwrap(), [&b"rm"[..], b"\xff \xc3\xbc"]);
        assert!(command(vec![]).is_err() && command(vec![b"host".to_vec()]).is_err());
    }
}
