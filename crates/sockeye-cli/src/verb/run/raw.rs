//! The wire of tutorials: the command as a text for the server's shell, and a text back.

use sockeye::Conn;
use sockeye::proto::address::Address;
use sockeye::proto::encoding::Encoding;
use sockeye::proto::exec::{Request, Stream, What};
use sockeye::proto::shape::Shape;
use sockeye::proto::words;
use sockeye_services::exec_client::{End, raw};

use super::host::{Ends, Halt};
use crate::args;
use crate::failure::Failure;
use crate::flag;

/// What is said on this wire.
pub(super) struct Raw {
    line: String,
    encoding: Encoding,
}

impl Raw {
    /// What the flags ask for; `None` where they do not ask for this wire.
    pub(super) fn of(request: &args::Request, asked: &Request) -> Result<Option<Self>, Failure> {
        let named = request.value(&flag::ENCODING);
        if request.value(&flag::WIRE) != Some("raw") {
            return match named {
                None => Ok(None),
                Some(_) => Err(Failure::usage("--encoding is for --wire raw", "other commands say bytes")),
            };
        }
        for flag in [&flag::PTY, &flag::ENV, &flag::CWD, &flag::TOKEN] {
            if request.has(flag) {
                let reason = format!("--{}: the raw wire has only room for a command", flag.long);
                return Err(Failure::usage(reason, "leave it out, or --wire raw"));
            }
        }
        let wrong = |name: &str| {
            Failure::usage(
                format!("--encoding {name}: there is no such encoding"),
                "such as utf-8, gbk, gb18030 or latin1",
            )
        };
        let encoding = named.map(|name| Encoding::named(name).ok_or_else(|| wrong(name))).transpose()?;
        Ok(Some(Self { line: line(&asked.what)?, encoding: encoding.unwrap_or_default() }))
    }

    /// Asks, and passes on the answer. Nobody is told how the command ended.
    pub(super) async fn run(&self, conn: Conn, ends: &mut Ends) -> Result<End, Halt> {
        let answer = raw::ask(conn, &self.line, self.encoding).await?;
        let mut text = answer.text;
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        ends.output.write(Stream::Output, text.as_bytes()).await.map_err(Halt::Here)?;
        if answer.may_be_cut {
            let note = b"sockeye: the answer may have been cut: it is a multiple of 1,024 bytes\n";
            ends.output.write(Stream::Errors, note).await.map_err(Halt::Here)?;
        }
        Ok(End::Exited(0))
    }
}

/// The address with a frame on, where it gives bytes and says nothing itself: what comes without a silence of 50 ms is one
/// answer, or a piece of one.
pub(super) fn framed(mut address: Address) -> Result<Address, Failure> {
    if address.shape() == Shape::Bytes {
        address.insert("frame=burst=50", sockeye::vocabulary())?;
    }
    Ok(address)
}

/// The command as a line for a shell.
fn line(what: &What) -> Result<String, Failure> {
    let text = |bytes: &[u8]| {
        let wrong =
            |_| Failure::usage("the raw wire carries UTF-8, and the command is none", "leave out --wire raw");
        String::from_utf8(bytes.to_vec()).map_err(wrong)
    };
    match what {
        What::Line(line) => text(line),
        What::Words(words) => {
            let words = words.iter().map(|word| text(word)).collect::<Result<Vec<_>, _>>()?;
            Ok(words::quote(words.iter().map(String::as_str)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_the_shell_there_and_a_line_goes_as_it_is() {
        let words = |words: &[&[u8]]| What::Words(words.iter().map(|word| word.to_vec()).collect());
        assert_eq!(line(&words(&[b"echo", b"a b"])).unwrap(), "echo 'a b'");
        assert_eq!(line(&What::Line(b"ls | wc".to_vec())).unwrap(), "ls | wc");
        assert!(line(&words(&[b"\xff"])).is_err());
    }
}
