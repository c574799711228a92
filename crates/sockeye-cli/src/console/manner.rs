//! How a conversation is read and written, as flags, address and terminals ask for.

use rustix::termios::isatty;
use sockeye::proto::address::Address;
use sockeye::proto::cut::Piece;
use sockeye::proto::shape::Shape;

use super::form::{Form, View};
use crate::args::Request;
use crate::failure::Failure;
use crate::flag::{self, Flag};
use crate::hint;

/// What was decided about standard input and output.
pub(crate) struct Manner {
    /// What the peer carries, and so do we.
    pub(super) shape: Shape,
    /// Whether standard input is read at all.
    pub(super) reads: bool,
    /// What of standard input is one message, where there are messages.
    pub(super) piece: Piece,
    /// Whether line ends become CR LF on their way out.
    pub(super) crlf: bool,
    /// How what comes is written.
    pub(super) form: Form,
    /// Whether what comes is made safe for the terminal that it goes to.
    pub(super) safe: bool,
}

/// Flags that contradict each other, and what to do about it.
static EXCLUSIVE: &[(&Flag, &Flag, &str)] = &[
    (&flag::SEND_ONLY, &flag::RECV_ONLY, "leave both out for both ways"),
    (&flag::SEND_ONLY, &flag::CHUNKS, "nothing that comes is shown with --send-only"),
    (&flag::SEND_ONLY, &flag::HEX, "nothing that comes is shown with --send-only"),
    (&flag::RAW, &flag::CHUNKS, "--chunks is never as it came"),
    (&flag::RAW, &flag::HEX, "--hex is never as it came"),
    (&flag::LINES, &flag::CRLF, "a line is a message without its end"),
];

impl Manner {
    /// For a conversation with that peer.
    pub(crate) fn of(request: &Request, peer: &Address) -> Result<Self, Failure> {
        for (one, other, hint) in EXCLUSIVE {
            if request.has(one) && request.has(other) {
                let reason = format!("--{} and --{} exclude each other", one.long, other.long);
                return Err(Failure::usage(reason, *hint));
            }
        }
        let shape = peer.shape();
        if shape == Shape::Bytes && request.has(&flag::LINES) {
            let reason = format!("--lines is for peers that carry messages, and {peer} carries bytes");
            return Err(Failure::usage(reason, hint::FRAME));
        }
        // Whoever wants a frame thinks in messages, and in text more often than not.
        let is_framed = peer.layers().iter().any(|layer| layer.grammar().gives == Some(Shape::Messages));
        let (input, output) = (isatty(rustix::stdio::stdin()), isatty(rustix::stdio::stdout()));
        let lines = request.has(&flag::LINES) || is_framed;
        let piece = if lines || input { Piece::Line } else { Piece::Whole };
        if shape == Shape::Messages && piece == Piece::Line && request.has(&flag::CRLF) {
            return Err(Failure::usage(
                "--crlf: each line of standard input is a message here, without its end",
                "leave it out",
            ));
        }
        let raw = request.has(&flag::RAW);
        let form = if request.has(&flag::HEX) {
            Form::Chunk(View::Hex)
        } else if request.has(&flag::CHUNKS) {
            Form::Chunk(View::Text)
        } else if shape == Shape::Messages && (request.has(&flag::LINES) || (is_framed || output) && !raw) {
            Form::Line
        } else {
            Form::AsItIs
        };
        Ok(Self {
            shape,
            reads: !request.has(&flag::RECV_ONLY),
            piece,
            crlf: request.has(&flag::CRLF),
            // Chunks are safe wherever they go.
            safe: output && !raw && !matches!(form, Form::Chunk(_)),
            form,
        })
    }

    /// Whether many peers can be heard at once: nothing is said to them, and what each says is whole.
    pub(crate) fn takes_many(&self) -> bool {
        !self.reads && self.shape == Shape::Messages
    }
}
