//! Where this program keeps what is to outlive it.

use std::ffi::OsString;
use std::path::PathBuf;

use sockeye::State;

/// The folder that systemd has made for us (systemd.exec(5), StateDirectory=), else ours among those of the user (XDG Base
/// Directory Specification); memory for who has no home.
pub(crate) fn state() -> State {
    folder(|name| std::env::var_os(name), std::env::home_dir()).map_or_else(State::default, State::at)
}

fn folder(variable: impl Fn(&str) -> Option<OsString>, home: Option<PathBuf>) -> Option<PathBuf> {
    // One that is not absolute is to be ignored, after both.
    let path = |path: PathBuf| Some(path).filter(|path| path.is_absolute());
    // There may be several, with colons between them.
    let of_service = variable("STATE_DIRECTORY").and_then(|all| path(std::env::split_paths(&all).next()?));
    of_service.or_else(|| {
        let of_user = variable("XDG_STATE_HOME").and_then(|of_user| path(of_user.into()));
        Some(of_user.or_else(|| path(home?.join(".local/state")))?.join("sockeye"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_services_own_folder_comes_before_the_users() {
        for (service, xdg, home, want) in [
            (Some("/var/lib/a:/var/lib/b"), Some("/x"), Some("/home/me"), Some("/var/lib/a")),
            (Some("/var/lib/a"), None, None, Some("/var/lib/a")),
            (Some(""), Some("/x"), Some("/home/me"), Some("/x/sockeye")),
            (Some("a"), Some("x"), Some("/home/me"), Some("/home/me/.local/state/sockeye")),
            (None, None, Some("/home/me"), Some("/home/me/.local/state/sockeye")),
            (None, Some(""), Some(""), None),
            (None, None, None, None),
        ] {
            let variable = |name: &str| match name {
                "STATE_DIRECTORY" => service.map(OsString::from),
                "XDG_STATE_HOME" => xdg.map(OsString::from),
                other => panic!("{other}"),
            };
            let found = folder(variable, home.map(PathBuf::from));
            assert_eq!(found, want.map(PathBuf::from), "{service:?} {xdg:?} {home:?}");
        }
    }
}
