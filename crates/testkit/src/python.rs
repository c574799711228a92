//! Peers in a few lines of Python, for what no ready program does.

use std::process::Command;

use crate::peer::require;

/// A command that runs the Python 3 source `program`, with `args` in `sys.argv[1:]`.
///
/// Its output is not buffered, so a test sees a line as soon as it is printed. Panics if Python is not
/// installed.
#[track_caller]
pub fn python(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(require("python3"));
    command.args(["-u", "-c", program]).args(args);
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LIMIT, Process};

    #[test]
    fn output_of_python_comes_at_once_and_arguments_arrive() {
        let program = "import sys; print(sys.argv[1:]); sys.stdin.read()";
        let process = Process::spawn(&mut python(program, &["-u", "two words"]));
        let output = process.wait_stdout(LIMIT, |bytes| bytes.ends_with(b"\n"));
        assert_eq!(output, b"['-u', 'two words']\n");
    }
}
