//! Who is asked, and how: the words of this verb, which lead to addresses.

use std::net::Ipv6Addr;

use sockeye::proto::address::{Address, Role};
use sockeye::proto::ntp;
use sockeye::proto::shape::Shape;

use crate::args::Word;
use crate::failure::Failure;
use crate::hint;

/// Somebody who is asked.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// As it was typed, without options.
    pub(super) name: String,
    pub(super) way: Way,
    pub(super) address: Address,
}

/// How somebody is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    Daytime,
    /// For the time in this format of strftime(3).
    Format(String),
    Ntp,
    Time32,
}

/// The words before a host that are no scheme: what is spoken, the scheme that is meant where none is named behind a plus,
/// and the port where none is.
const PROTOCOLS: [(&str, Way, &str, u16); 3] = [
    ("ntp", Way::Ntp, "udp", ntp::PORT),
    ("daytime", Way::Daytime, "tcp", 13),
    ("time32", Way::Time32, "tcp", 37),
];

/// Reads a word.
pub(super) fn read(word: &Word, format: Option<&str>) -> Result<Asked, Failure> {
    let text = &word.text;
    let name = text.split(',').next().unwrap_or(text).to_owned();
    let (way, text) = match spoken(text)? {
        Some((way, text)) => (way, text),
        None => (Way::Format(format.unwrap_or_default().to_owned()), text.clone()),
    };
    let mut address = sockeye::parse(&text, &word.beside)?;
    if address.role() == Role::Listen {
        return Err(Failure::usage(format!("{address} is listened on"), "name somebody to ask"));
    }
    match (&way, address.shape()) {
        (Way::Ntp, Shape::Bytes) => {
            let reason = format!("{name} carries bytes, and NTP goes by messages");
            return Err(Failure::usage(reason, hint::FRAME));
        }
        (Way::Format(_), Shape::Bytes) => address.insert("frame=line", sockeye::vocabulary())?,
        _ => {}
    }
    if way == Way::Ntp && address.scheme().name == "udp" && address.options().value("timestamps").is_none() {
        // The kernel knows best when an answer came.
        let beside = [&word.beside[..], &["timestamps".to_owned()]].concat();
        address = sockeye::parse(&text, &beside)?;
    }
    Ok(Asked { name, way, address })
}

/// The protocol that a word names, and the address that it leads to; `None` where it is an address already.
fn spoken(text: &str) -> Result<Option<(Way, String)>, Failure> {
    let host = text.split(',').next().unwrap_or(text);
    if host.parse::<Ipv6Addr>().is_ok() {
        return Err(bracketed("ntp", host));
    }
    if !host.contains(':') || host.starts_with('[') {
        if host == "-" {
            return Err(Failure::usage("- has no clock that could be asked", "name a host: ntp:HOST"));
        }
        return with_port("ntp", "udp", text, ntp::PORT).map(|text| Some((Way::Ntp, text)));
    }
    for (name, way, scheme, port) in PROTOCOLS {
        let Some(rest) = text.strip_prefix(name) else { continue };
        if let Some(target) = rest.strip_prefix(':') {
            return with_port(name, scheme, target, port).map(|text| Some((way, text)));
        }
        if let Some(address) = rest.strip_prefix('+') {
            let inet = ["tcp", "udp"].into_iter().find_map(|scheme| {
                address.strip_prefix(scheme)?.strip_prefix(':').map(|target| (scheme, target))
            });
            return match inet {
                Some((scheme, target)) => {
                    with_port(&format!("{name}+{scheme}"), scheme, target, port).map(|text| Some((way, text)))
                }
                None => Ok(Some((way, address.to_owned()))),
            };
        }
    }
    let (before, after) = text.split_once(':').unwrap_or((text, ""));
    let is_port = after.parse::<u16>().is_ok();
    let is_scheme = sockeye::vocabulary().scheme(before.strip_suffix("-l").unwrap_or(before)).is_some();
    if is_port && !is_scheme && !before.contains('+') {
        let hint = format!("NTP is ntp:{text}, a strftime service udp:{text} or tcp:{text}");
        return Err(Failure::usage(format!("{text}: what is spoken there?"), hint));
    }
    Ok(None)
}

/// The address of a target that may have no port.
fn with_port(protocol: &str, scheme: &str, text: &str, port: u16) -> Result<String, Failure> {
    let (target, options) = text.find(',').and_then(|at| text.split_at_checked(at)).unwrap_or((text, ""));
    if target.is_empty() {
        return Err(Failure::usage("no host is named", format!("{protocol}:localhost is this machine")));
    }
    if target.parse::<Ipv6Addr>().is_ok() {
        return Err(bracketed(protocol, target));
    }
    let has_port = if target.starts_with('[') { !target.ends_with(']') } else { target.contains(':') };
    let port = if has_port { String::new() } else { format!(":{port}") };
    Ok(format!("{scheme}:{target}{port}{options}"))
}

fn bracketed(protocol: &str, host: &str) -> Failure {
    let reason = format!("{host}: an IPv6 address without brackets may end in a port");
    Failure::usage(reason, format!("write {protocol}:[{host}]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_as(text: &str) -> Result<(String, Way), String> {
        let asked = read(&Word { text: text.to_owned(), beside: Vec::new() }, Some("%H"));
        asked.map(|asked| (asked.address.to_string(), asked.way)).map_err(|failure| failure.to_string())
    }

    #[test]
    fn words_lead_to_addresses() {
        let format = || Way::Format("%H".to_owned());
        for (text, address, way) in [
            ("localhost", "udp:localhost:123,timestamps", Way::Ntp),
            ("[::1]", "udp:[::1]:123,timestamps", Way::Ntp),
            ("[::1]:1123", "udp:[::1]:1123,timestamps", Way::Ntp),
            ("ntp:host", "udp:host:123,timestamps", Way::Ntp),
            ("ntp:host:7", "udp:host:7,timestamps", Way::Ntp),
            ("ntp:host,ttl=3", "udp:host:123,ttl=3,timestamps", Way::Ntp),
            ("ntp:host,timestamps=no", "udp:host:123,timestamps=no", Way::Ntp),
            ("ntp+unix-dgram:/run/ntp", "unix-dgram:/run/ntp", Way::Ntp),
            ("daytime:host", "tcp:host:13", Way::Daytime),
            ("daytime+udp:[::1]", "udp:[::1]:13", Way::Daytime),
            ("time32:host:1037", "tcp:host:1037", Way::Time32),
            ("time32+unix:/run/t", "unix:/run/t", Way::Time32),
            ("udp:host:7708", "udp:host:7708", format()),
            ("tcp:host:7708", "tcp:host:7708,frame=line", format()),
            ("tcp:host:7708,frame=len16", "tcp:host:7708,frame=len16", format()),
        ] {
            assert_eq!(read_as(text), Ok((address.to_owned(), way)), "{text}");
        }
    }

    #[test]
    fn what_leads_nowhere_says_what_to_write() {
        for (text, want) in [
            ("::1", "write ntp:[::1]"),
            ("daytime:::1", "write daytime:[::1]"),
            ("localhost:1123", "NTP is ntp:localhost:1123"),
            ("ntp+tcp:host", "NTP goes by messages"),
            ("-", "name a host"),
            ("ntp:", "ntp:localhost is this machine"),
            ("udp-l:7708", "is listened on"),
            ("npt:host", "npt"),
        ] {
            let told = read_as(text).unwrap_err();
            assert!(told.contains(want), "{text}: {told}");
        }
    }
}
