//! Standard input and output as one side of a conversation with people or programs.

use std::io;
use std::task::{Context, Poll, ready};

use rustix::termios::isatty;
use serde_json::json;
use sockeye::proto::address::Address;
use sockeye::proto::newline::ToCrlf;
use sockeye::proto::printable::Printable;
use sockeye::{Bytes, Conn, Ctx, End, Flow, Io, Kind, Moved, Plan, Side};

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
            Io::Bytes(beneath) => Io::Bytes(Box::new(Crlf { beneath, newlines: ToCrlf::default() })),
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

/// Standard output that outlives its peers.
struct Kept(Box<dyn Bytes>);

impl Bytes for Kept {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx, buffer)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, bytes)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx)
    }

    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }

    fn abort(&mut self) {}
}

/// What is typed, with the line ends that old protocols want.
struct Crlf {
    beneath: Box<dyn Bytes>,
    newlines: ToCrlf,
}

impl Bytes for Crlf {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        // Every byte may become two.
        let half = (buffer.len() / 2).max(1);
        let read = ready!(self.beneath.poll_read(cx, buffer.get_mut(..half).unwrap_or_default()))?;
        Poll::Ready(Ok(self.newlines.expand(buffer, read)))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.beneath.poll_write(cx, bytes)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.beneath.poll_flush(cx)
    }

    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.beneath.poll_shutdown_write(cx)
    }

    fn abort(&mut self) {
        self.beneath.abort();
    }
}

/// What comes, made safe for a terminal: a peer could otherwise move the cursor, rewrite what stands there, or have
/// the terminal type an answer into the shell.
struct Safe {
    beneath: Box<dyn Bytes>,
    printable: Printable,
    /// Made safe and not yet written: at most four times what one write brought.
    waiting: Vec<u8>,
    written: usize,
}

impl Safe {
    fn over(beneath: Box<dyn Bytes>) -> Self {
        Self { beneath, printable: Printable::default(), waiting: Vec::new(), written: 0 }
    }

    fn poll_empty(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.waiting.get(self.written..).filter(|rest| !rest.is_empty()) {
            self.written += ready!(self.beneath.poll_write(cx, rest))?;
        }
        self.waiting.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }
}

impl Bytes for Safe {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.beneath.poll_read(cx, buffer)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_empty(cx))?;
        self.printable.push(bytes, &mut self.waiting);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_empty(cx))?;
        self.beneath.poll_flush(cx)
    }

    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_empty(cx))?;
        self.printable.finish(&mut self.waiting);
        ready!(self.poll_empty(cx))?;
        self.beneath.poll_shutdown_write(cx)
    }

    fn abort(&mut self) {
        self.beneath.abort();
    }
}
