//! The two ways out: data for programs, and lines for people.

use std::io::Write as _;

use crate::exit::Exit;

/// Writes data to standard output. One that is closed is success: whoever read it had enough.
pub(crate) fn data(text: &str) -> Exit {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Exit::Done,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Done,
        Err(error) => {
            let failed = sockeye::Error::new(sockeye::Op::Write, error).on("standard output");
            line(&crate::failure::one_line(&failed));
            Exit::Failed
        }
    }
}

/// Writes text for people to standard error, whole, so that two threads do not mix their lines.
pub(crate) fn to_people(text: &str) {
    let mut text = text.to_owned();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    #[expect(
        clippy::let_underscore_must_use,
        reason = "with standard error gone there is nobody left to tell"
    )]
    let _: std::io::Result<()> = std::io::stderr().lock().write_all(text.as_bytes());
}

/// One line for people, with our name before it.
pub(crate) fn line(text: &str) {
    to_people(&format!("{NAME}: {text}"));
}

/// What stands before each line for people.
pub(crate) const NAME: &str = "sockeye";
