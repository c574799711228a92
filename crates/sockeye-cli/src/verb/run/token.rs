//! What proves to a server who we are. Never a word of the line: those are for everybody to see (ps(1)).

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;

use sockeye::proto::printable;

use crate::failure::Failure;

/// The longest that is read.
const MOST: u64 = 64 << 10;

/// Permissions that a file of a token must not give: reading or changing it to others, and changing it to its group.
const TOO_OPEN: u32 = 0o027;

/// The token that `from` names: the first line of a file that is none of empty and a comment (`#`), of a descriptor
/// (`fd:3`), or a variable (`env:TOKEN`).
pub(super) fn read(from: &str) -> Result<Vec<u8>, Failure> {
    let text = match from.split_once(':') {
        Some(("env", name)) => std::env::var_os(name)
            .map(std::os::unix::ffi::OsStringExt::into_vec)
            .ok_or_else(|| io::Error::other("there is no such variable")),
        Some(("fd", number)) => of_file(File::open(format!("/dev/fd/{number}"))),
        _ => File::open(from).and_then(|file| {
            if file.metadata()?.mode() & TOO_OPEN != 0 {
                return Err(io::Error::other("others may read or change the file; chmod 600 mends it"));
            }
            of_file(Ok(file))
        }),
    };
    let wrong = |why: &str| {
        Failure::usage(
            format!("--token {}: {why}", printable::line(from.as_bytes())),
            "name a file, fd:N or env:NAME",
        )
    };
    let text = text.map_err(|error| wrong(&error.to_string()))?;
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let line = lines.find(|line| !line.is_empty() && !line.starts_with(b"#"));
    line.map(<[u8]>::to_vec).ok_or_else(|| wrong("there is no token in it"))
}

fn of_file(file: io::Result<File>) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file?.take(MOST).read_to_end(&mut text)?;
    Ok(text)
}
