//! The variables that a command is started with.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::fmt::Write as _;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use super::account::Account;
use crate::peer::{Endpoint, Peer};

/// Who is at the other end of the connection for which the command runs.
const PEER: &str = "SOCKEYE_PEER";
/// Where that connection was accepted.
const LOCAL: &str = "SOCKEYE_LOCAL";
/// The number of the user at the other end.
const USER: &str = "SOCKEYE_UID";

/// Where programs are looked for without a `PATH`.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Those of ours that a command has that is to have no others.
const LOGIN: [&str; 7] = ["HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TZ", "USER"];

/// The variables of a command.
pub(super) struct Environment(BTreeMap<OsString, OsString>);

/// Ours, of which a `clean` one keeps but a few; what is known of the peer for whom the command runs; what is known of its
/// user; and what is `set`, which therefore holds.
pub(super) fn of(
    caller: Option<&Peer>,
    account: Option<&Account>,
    set: &[(OsString, OsString)],
    clean: bool,
) -> Environment {
    let is_kept = |name: &OsStr| !clean || LOGIN.iter().any(|kept| name == *kept);
    let mut variables: BTreeMap<OsString, OsString> =
        std::env::vars_os().filter(|(name, _)| is_kept(name)).collect();
    if let Some(peer) = caller {
        // What somebody else was told of another peer would be a lie here.
        [PEER, LOCAL, USER].iter().for_each(|name| drop(variables.remove(OsStr::new(name))));
        variables.extend(told(peer).map(|(name, value)| (name.into(), value.into())));
    }
    if let Some(login) = account.and_then(|account| account.login.as_ref()) {
        variables.insert("HOME".into(), login.home.clone().into());
        variables.insert("SHELL".into(), login.shell.clone().into());
        ["LOGNAME", "USER"]
            .iter()
            .for_each(|name| drop(variables.insert(name.into(), login.name.clone().into())));
    }
    variables.extend(set.iter().cloned());
    Environment(variables)
}

impl Environment {
    /// Where a program may be: its own path where it has a slash, else in each folder of `PATH`. A place in `PATH` that
    /// is empty is left out, and not the working folder.
    pub(super) fn paths_of(&self, program: &OsStr) -> Vec<CString> {
        let program = program.as_bytes();
        if program.contains(&b'/') {
            return CString::new(program).into_iter().collect();
        }
        let path = self.0.get(OsStr::new("PATH")).map_or(PATH.as_bytes(), |path| path.as_bytes());
        let folders = path.split(|byte| *byte == b':').filter(|folder| !folder.is_empty());
        folders.filter_map(|folder| CString::new([folder, b"/", program].concat()).ok()).collect()
    }

    /// `NAME=VALUE` each.
    ///
    /// # Errors
    /// There is a zero byte in one, or its name is none: it would be another one there.
    pub(super) fn into_variables(self) -> io::Result<Vec<CString>> {
        let joined = self.0.into_iter().map(|(name, value)| {
            let mut joined = name.into_vec();
            // Ours may begin with `=`, as some shells have them.
            let is_name = !joined.is_empty() && !joined.iter().skip(1).any(|byte| *byte == b'=');
            joined.push(b'=');
            joined.extend_from_slice(value.as_bytes());
            CString::new(joined).ok().filter(|_| is_name).ok_or_else(no_variable)
        });
        joined.collect()
    }
}

fn no_variable() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is given a variable without a name, or with a zero byte")
}

/// What a command is told of its peer.
fn told(peer: &Peer) -> impl Iterator<Item = (&'static str, String)> {
    let local = (peer.local != Endpoint::Unnamed).then(|| format!("{}:{}", peer.scheme, peer.local));
    let user = peer.user.map(|user| user.to_string());
    [(PEER, Some(escape(&peer.to_string()))), (LOCAL, local.map(|local| escape(&local))), (USER, user)]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
}

/// A text in which a shell, or what else reads it, finds nothing but a word: all but letters, digits and `.:/@_-[]` as
/// `%` and two hexadecimal digits. Peers choose what their sockets are called.
fn escape(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut word, byte| {
        if byte.is_ascii_alphanumeric() || b".:/@_-[]".contains(&byte) {
            word.push(byte.into());
        } else {
            let (Ok(()) | Err(_)) = write!(word, "%{byte:02X}");
        }
        word
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::UnixName;

    fn value(environment: &Environment, name: &str) -> Option<String> {
        environment.0.get(OsStr::new(name)).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn nothing_that_a_peer_calls_itself_is_more_than_a_word() {
        let mut peer = Peer::new("unix");
        peer.remote = Endpoint::Unix(UnixName::new(b"\0() { :; }; $(id)\n`id` %\xff'\"").unwrap());
        peer.user = Some(1000);
        let environment = of(Some(&peer), None, &[], false);
        let told = value(&environment, PEER).unwrap();
        assert!(told.starts_with("unix:@%28%29%20%7B"), "{told}");
        assert!(
            told.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:/@_-[]%".contains(&byte)),
            "{told}"
        );
        assert_eq!(value(&environment, USER).as_deref(), Some("1000"));
        assert_eq!(value(&environment, LOCAL), None);
    }

    #[test]
    fn an_address_is_told_as_it_is_written() {
        let mut peer = Peer::new("tcp");
        peer.remote = Endpoint::Inet("[::1]:4000".parse().unwrap());
        peer.local = Endpoint::Inet("127.0.0.1:80".parse().unwrap());
        let environment = of(Some(&peer), None, &[], false);
        assert_eq!(value(&environment, PEER).as_deref(), Some("tcp:[::1]:4000"));
        assert_eq!(value(&environment, LOCAL).as_deref(), Some("tcp:127.0.0.1:80"));
        assert_eq!(value(&environment, USER), None);
    }

    #[test]
    fn a_clean_environment_has_what_every_login_has_and_what_is_set() {
        let set = [("ONE".into(), "1".into())];
        let clean = of(Some(&Peer::new("tcp")), None, &set, true);
        assert!(value(&clean, "PATH").is_some());
        assert_eq!(value(&clean, "ONE").as_deref(), Some("1"));
        let strangers = clean
            .0
            .keys()
            .filter(|name| !LOGIN.iter().any(|kept| *name == *kept) && *name != "ONE" && *name != PEER);
        assert_eq!(strangers.count(), 0, "{:?}", clean.0);
        assert!(of(None, None, &set, false).0.len() > clean.0.len());
    }

    #[test]
    fn what_would_be_another_variable_is_refused() {
        for name in ["", "A=B", "A\0B"] {
            let set = [(name.into(), "value".into())];
            assert!(of(None, None, &set, false).into_variables().is_err(), "{name:?}");
        }
    }

    #[test]
    fn what_is_set_holds_and_is_looked_in() {
        let set = [("PATH".into(), ":/a::/b".into()), (PEER.into(), "mine".into())];
        let environment = of(Some(&Peer::new("tcp")), None, &set, false);
        assert_eq!(value(&environment, PEER).as_deref(), Some("mine"));
        assert_eq!(environment.paths_of(OsStr::new("prog")), [c"/a/prog".to_owned(), c"/b/prog".to_owned()]);
        assert_eq!(environment.paths_of(OsStr::new("./prog")), [c"./prog".to_owned()]);
        assert!(environment.into_variables().unwrap().contains(&c"SOCKEYE_PEER=mine".to_owned()));
    }
}
