//! Which hosts: from the line and from a file, with ranges of numbers in them.

use std::io::Read as _;

use sockeye::proto::address::{Address, Role};
use sockeye::proto::ranges;

use super::raw;
use crate::args::{Request, Word};
use crate::failure::{Failure, one_line};
use crate::flag;

/// Somewhere to run a command.
#[derive(Debug, Clone)]
pub(super) struct Host {
    pub(super) address: Address,
    /// What it is called beside the others: its address without what is the same in all of them.
    pub(super) label: String,
}

/// The largest list that is read from a file.
const LARGEST: u64 = 16 << 20;

/// Every host that was named, in that order.
pub(super) fn of(request: &Request) -> Result<Vec<Host>, Failure> {
    let listed = request.value(&flag::HOSTS).map_or(Ok(Vec::new()), read)?;
    let rsh = request.value(&flag::RSH).map(|text| Word { text: text.to_owned(), beside: Vec::new() });
    let words = request.words().iter().cloned().chain(rsh).chain(listed);
    let is_raw = request.value(&flag::WIRE) == Some("raw");
    let framed = |address| if is_raw { raw::framed(address) } else { Ok(address) };
    let mut addresses = Vec::new();
    for word in words {
        let texts = if runs_something(&word.text) {
            vec![word.text.clone()]
        } else {
            let wrong = |error: ranges::RangeError| {
                Failure::usage(format!("{}: {error}", word.text), "a range is written [1-20], or [01-20,30]")
            };
            ranges::expand(&word.text).map_err(wrong)?
        };
        for text in texts {
            addresses.push(address(&text, &word.beside).and_then(framed)?);
        }
        if addresses.len() > ranges::MOST {
            return Err(Failure::usage(format!("more than {} hosts", ranges::MOST), "name fewer at once"));
        }
    }
    if addresses.is_empty() {
        return Err(Failure::usage(
            "there is no host to run it on",
            "name an address before --, such as tcp:localhost:7709",
        ));
    }
    if request.has(&flag::RSH) && addresses.len() > 1 {
        return Err(Failure::usage("--rsh is for one host", "leave the other addresses out"));
    }
    Ok(label(addresses))
}

/// Whether an address is a command, in which brackets mean something to others.
fn runs_something(text: &str) -> bool {
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme.rsplit('+').next().unwrap_or(scheme));
    sockeye::SCHEMES.iter().any(|row| row.runs && row.grammar.name == scheme)
}

fn address(text: &str, beside: &[String]) -> Result<Address, Failure> {
    if !text.contains([':', '+']) && text != "-" {
        let reason = format!("{text}: an address begins with how to reach it");
        return Err(Failure::usage(
            reason,
            format!("write tcp:{text}:PORT, or put -- before the command if that is its name"),
        ));
    }
    let address = sockeye::parse(text, beside)?;
    if address.role() == Role::Listen {
        return Err(Failure::usage(format!("{address} is listened on"), "name an address to connect to"));
    }
    if text == "-" || text.starts_with("-,") {
        return Err(Failure::usage(
            "standard input and output are the command's",
            "name an address to connect to",
        ));
    }
    Ok(address)
}

/// The addresses of a file, one a line; empty lines, and those that begin with `#`, are none.
fn read(path: &str) -> Result<Vec<Word>, Failure> {
    let mut text = String::new();
    let mut read = || {
        let file: Box<dyn std::io::Read> =
            if path == "-" { Box::new(std::io::stdin()) } else { Box::new(std::fs::File::open(path)?) };
        file.take(LARGEST).read_to_string(&mut text)
    };
    if let Err(error) = read() {
        let failed = sockeye::Error::new(sockeye::Op::Read, error).on(path);
        return Err(Failure::usage(one_line(&failed), "name a file with an address on each line"));
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(|line| Word { text: line.to_owned(), beside: Vec::new() }).collect())
}

/// Names each by what tells it from the others: the scheme in front and the port behind go where all have the same.
fn label(addresses: Vec<Address>) -> Vec<Host> {
    let words: Vec<String> = addresses.iter().map(Address::bare_word).collect();
    let labels = short(&words);
    addresses.into_iter().zip(labels).map(|(address, label)| Host { address, label }).collect()
}

fn short(words: &[String]) -> Vec<String> {
    let first = words.first().map_or("", String::as_str);
    let scheme = first.split_once(':').map_or(0, |(scheme, _)| scheme.len() + 1);
    let port = first.rsplit_once(':').map_or(0, |(_, port)| port.len() + 1);
    let shared = |from: usize, to: usize, word: &str| {
        word.get(..from) == first.get(..from)
            && word.len().checked_sub(to).and_then(|at| word.get(at..)) == first.get(first.len() - to..)
    };
    let scheme = if words.iter().all(|word| shared(scheme, 0, word)) { scheme } else { 0 };
    let has_room = |port: usize| words.iter().all(|word| word.len() > scheme + port && shared(0, port, word));
    let port = if words.len() > 1 && has_room(port) { port } else { 0 };
    words.iter().map(|word| word.get(scheme..word.len() - port).unwrap_or(word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_what_tells_a_host_from_the_others() {
        for (words, labels) in [
            (&["tcp:web1:22", "tcp:web2:22"][..], &["web1", "web2"][..]),
            (&["tcp:web1:22", "tcp:web2:23"], &["web1:22", "web2:23"]),
            (&["tcp:[::1]:22", "tcp:[::2]:22"], &["[::1]", "[::2]"]),
            (&["tcp:a:1", "unix:/x"], &["tcp:a:1", "unix:/x"]),
            (&["unix:/a", "unix:/b"], &["/a", "/b"]),
            (&["tcp:a:1"], &["a:1"]),
            (&["unix:/a", "unix:/a"], &["/a", "/a"]),
            (&["ws://a/x", "ws://b/x"], &["//a/x", "//b/x"]),
        ] {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(short(&words), labels);
        }
    }
}
