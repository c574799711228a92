//! Checks of this source tree that no compiler makes: `cargo run -p xtask -- arrows`.
//!
//! It reads the files that git knows or would add, and changes none.

#![forbid(unsafe_code)]

mod arrows;
mod paths;
mod tokens;
mod tree;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let outcome = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["arrows"] => run(),
        _ => Err(io::Error::other("usage: cargo run -p xtask -- arrows")),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            // A broken standard error leaves nowhere to tell of it; the exit code still does.
            let _unheard = writeln!(io::stderr(), "xtask: {error}");
            ExitCode::from(2)
        }
    }
}

/// Exit code 1 says that there are findings, one on each line of standard output.
fn run() -> io::Result<ExitCode> {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").ok_or_else(|| {
        io::Error::other("start it by `cargo run -p xtask`, which says where the sources are")
    })?;
    let files = tree::read(&Path::new(&manifest).join("../.."))?;
    let findings = arrows::check(&files);
    let mut out = io::stdout().lock();
    for finding in &findings {
        writeln!(out, "{finding}")?;
    }
    if !findings.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    writeln!(out, "arrows: {} files, no finding", files.len())?;
    Ok(ExitCode::SUCCESS)
}
