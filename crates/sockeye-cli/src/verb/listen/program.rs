//! `listen` with a program for each peer: `--exec` and `--sh`.

use sockeye::proto::address::Address;
use sockeye::proto::shape::Shape;

use crate::args::Request;
use crate::failure::Failure;
use crate::flag::{self, Flag};
use crate::verb::dial::DIAL;

/// The flags that ask for a program, each named as the scheme that runs it.
static FLAGS: [&Flag; 2] = [&flag::EXEC, &flag::SH];

/// The address of the program that is to serve each peer, and the name of its scheme; nothing where none is asked for.
pub(super) fn chosen(request: &Request, peers: &Address) -> Result<Option<(&'static str, Address)>, Failure> {
    let Some(asked) = FLAGS.into_iter().find(|flag| request.has(flag)) else {
        let frame = request.value(&flag::FRAME);
        return match frame {
            Some(_) => {
                Err(Failure::usage("--frame is for --exec and --sh", "write frame= behind the address"))
            }
            None => Ok(None),
        };
    };
    let others = [&flag::SH, &flag::BROKER, &flag::OPERATOR, &flag::SLOW, &flag::PUBLIC];
    let rest = DIAL.flags.iter().chain(&others);
    for other in rest.filter(|flag| flag.long != asked.long && flag.long != flag::LINES.long) {
        if request.has(other) {
            let reason = format!("--{} and --{} exclude each other", asked.long, other.long);
            return Err(Failure::usage(reason, "the program has the peer to itself"));
        }
    }
    let text = format!("{}:{}", asked.long, request.value(asked).unwrap_or_default());
    let frame = frame(request, peers)?;
    Ok(Some((asked.long, sockeye::parse(&text, &frame)?)))
}

/// What makes messages of the bytes of a program, where its peers carry messages.
fn frame(request: &Request, peers: &Address) -> Result<Vec<String>, Failure> {
    let asked = match (request.has(&flag::LINES), request.value(&flag::FRAME)) {
        (true, Some(_)) => {
            return Err(Failure::usage("--lines and --frame exclude each other", "--lines is --frame line"));
        }
        (true, None) => Some("line"),
        (false, frame) => frame,
    };
    match (peers.shape(), asked) {
        (Shape::Bytes, None) => Ok(Vec::new()),
        (Shape::Messages, Some(frame)) => Ok(vec![format!("frame={frame}")]),
        (Shape::Bytes, Some(_)) => Err(Failure::usage(
            format!("{peers} carries bytes, as the program does"),
            "leave --lines and --frame out",
        )),
        (Shape::Messages, None) => Err(Failure::usage(
            format!("{peers} carries messages, and a program reads and writes bytes"),
            "--lines makes a line of each message, and a message of each line; --frame has other ways",
        )),
    }
}
