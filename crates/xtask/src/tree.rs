//! The files of the project, read once.
//!
//! Which files they are is git's answer: what it knows, and what it would add.

use std::io;
use std::path::Path;
use std::process::Command;

/// One file: its path from the root of the project, with `/` between the parts, and its text.
///
/// Bytes that are not UTF-8 are replaced. No rule asks for them.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Reads every file of the project below `root`, sorted by path.
pub(crate) fn read(root: &Path) -> io::Result<Vec<File>> {
    let root = root.canonicalize()?;
    let mut files = Vec::new();
    for path in names(&root)? {
        let whole = root.join(&path);
        // Git still knows a file that was removed a moment ago, and a link may lead anywhere.
        if whole.symlink_metadata().is_ok_and(|it| it.is_file()) {
            let text = String::from_utf8_lossy(&std::fs::read(&whole)?).into_owned();
            files.push(File { path, text });
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

fn names(root: &Path) -> io::Result<Vec<String>> {
    let output = Command::new("git")
        // A checkout that belongs to another user, as a container's often does, is read all the same.
        .arg("-c")
        .arg(format!("safe.directory={}", root.display()))
        .args(["ls-files", "-z", "-co", "--exclude-standard"])
        .current_dir(root)
        .output()
        .map_err(|error| io::Error::new(error.kind(), format!("cannot start git: {error}")))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!("git ls-files: {}", why.trim())));
    }
    let names = String::from_utf8_lossy(&output.stdout);
    Ok(names.split_terminator('\0').map(str::to_owned).collect())
}
