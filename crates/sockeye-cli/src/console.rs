//! Standard input and output as one side of a conversation with people or programs.

mod crlf;
mod kept;
mod safe;
mod waiting;

use rustix::termios::isatty;
use serde_json::json;
use sockeye::proto::address::Address;
use sockeye::{Conn, Ctx, End, Flow, Io, Kind, Moved, Plan, Side};

use self::crlf::Crlf;
use self::kept::Kept;
use self::safe::Safe;
use crate::args::Request;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{flag, say};

/// How the flags of `dial` and `listen` ask for a conversation with `peer`, which is the right side.
pub(crate) fn plan(request: &Request, peer: &Address) -> Result<Plan, Failure> {
    let flow = match (request.has(&flag::SEND_ONLY), request.has(&flag::RECV_ONLY)) {
        (true, true) => {
            return Err(Failure::usage(
                "--send-only and --recv-only exclude each other",
                "leave both out for both ways",
            ));
        }
        (true, false) => Flow::OneWay,
        // Standard input is not even opened then.
        (false, _) => Flow::Both,
    };
    // Who sits at a terminal sees that the peer is done, and would wait for nothing. What a program still has to send
    // is sent, for the peer may read on.
    let right_end = match peer.options().value("eof") {
        None if isatty(rustix::stdio::stdin()) => End::Close,
        _ => End::of(peer),
    };
    Ok(Plan { flow, right_end, wait: request.time(&flag::WAIT)?, ..Plan::default() })
}

/// What the end of a peer does to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// It ends too.
    Ends,
    /// It stays open for the next peer.
    Stays,
}

/// Opens standard input and output, as the flags ask for.
pub(crate) async fn open(request: &Request, output: Output, ctx: &Ctx) -> Result<Conn, Failure> {
    let word = if request.has(&flag::RECV_ONLY) { "-,input=no" } else { "-" };
    let mut conn = sockeye::dial(&sockeye::parse(word, &[])?, ctx).await?;
    if output == Output::Stays {
        conn = conn.layered("kept", None, |io| match io {
            Io::Bytes(beneath) => Io::Bytes(Box::new(Kept(beneath))),
            messages @ Io::Messages(_) => messages,
        });
    }
    if request.has(&flag::CRLF) {
        conn = conn.layered("crlf", None, |io| match io {
            Io::Bytes(beneath) => Io::Bytes(Box::new(Crlf::over(beneath))),
            messages @ Io::Messages(_) => messages,
        });
    }
    if isatty(rustix::stdio::stdout()) && !request.has(&flag::RAW) {
        conn = conn.layered("printable", None, |io| match io {
            Io::Bytes(beneath) => Io::Bytes(Box::new(Safe::over(beneath))),
            messages @ Io::Messages(_) => messages,
        });
    }
    Ok(conn)
}

/// How two joined connections ended, of which one may be standard output. A closed standard output is success:
/// whoever read it had enough.
pub(crate) fn ended(
    request: &Request,
    (moved, result): (Moved, sockeye::Result<()>),
    here: Option<Side>,
) -> Result<Exit, Failure> {
    if request.has(&flag::VERBOSE) {
        let object = json!({ "event": "moved", "to_right": moved.to_right, "to_left": moved.to_left });
        say::note(request, object, &format!("{} B there, {} B back", moved.to_right, moved.to_left));
    }
    match result {
        Ok(()) => Ok(Exit::Done),
        Err(error) if here.is_some_and(|here| is_output_closed(&error, here)) => Ok(Exit::Done),
        Err(error) => Err(error.into()),
    }
}

/// Whether nobody reads our standard output any more.
pub(crate) fn is_output_closed(error: &sockeye::Error, here: Side) -> bool {
    error.side() == Some(here) && error.kind() == Kind::Reset
}
