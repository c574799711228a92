//! The programs that sockeye must get along with: netcats, socat, telnet and the like.

use std::env;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The path of the program `tool` on `PATH`. Panics if it is missing.
///
/// A missing peer fails the test instead of skipping it, because a skipped test looks like a passed one.
#[track_caller]
pub fn require(tool: &str) -> PathBuf {
    let folders = env::var_os("PATH").unwrap_or_default();
    match env::split_paths(&folders).map(|folder| folder.join(tool)).find(|path| is_program(path)) {
        Some(path) => path,
        None => panic!("{tool} is not installed; ./test installs it"),
    }
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|entry| entry.is_file() && entry.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installed_program_is_found() {
        assert!(require("sh").ends_with("sh"));
    }

    #[test]
    #[should_panic(expected = "no-such-peer is not installed; ./test installs it")]
    fn a_missing_program_is_named() {
        require("no-such-peer");
    }
}
