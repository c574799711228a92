//! `chargen`: a pattern of characters for as long as somebody reads (RFC 864).

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::Poll;

use sockeye::proto::shape::Shape;
use sockeye::{
    BoxFuture, Carries, Conn, Ctx, Datagrams, May, Message, Protocol, Replies, Result, Service, ServiceRow,
    Transit,
};

use crate::session;

pub(crate) static CHARGEN: ServiceRow = ServiceRow {
    name: "chargen",
    help: "a pattern without end (RFC 864)",
    flags: &[],
    carries: Carries::Either,
    speaks: &[Protocol::Text],
    may: May::Answer,
    port: 7702,
    example: "sockeye dial tcp:localhost:PORT | head",
    build: |_, _| Ok(Arc::new(Chargen)),
};

/// The printable characters of ASCII, from the space on.
const CHARACTERS: usize = 95;
/// Of a line, without its CR and LF.
const WIDTH: usize = 72;
const LINE: usize = WIDTH + 2;

/// The pattern of RFC 864, once round: each line begins one character later than the one before.
static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let character = |at: usize| b' ' + u8::try_from(at % CHARACTERS).unwrap_or_default();
    let line = |first: usize| (first..first + WIDTH).map(character).chain(*b"\r\n");
    (0..CHARACTERS).flat_map(line).collect()
});

struct Chargen;

impl Service for Chargen {
    fn serve<'a>(&'a self, conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, Result<()>> {
        match conn.shape() {
            Shape::Bytes => Box::pin(generate(conn, ctx)),
            Shape::Messages => Box::pin(session::answer(conn, ctx, self)),
        }
    }

    fn as_datagrams(&self) -> Option<&dyn Datagrams> {
        Some(self)
    }
}

/// Writes until the peer reads no more, which is how this service ends; what the peer sends is dropped, and its end of
/// file means nothing.
async fn generate(mut conn: Conn, ctx: &Ctx) -> Result<()> {
    let mut dropped = Transit::new(&ctx.buffers);
    let mut reads = true;
    let mut at = 0;
    let mut hurried = pin!(ctx.stop.hurried());
    let ended = poll_fn(|cx| {
        while reads && let Poll::Ready(read) = dropped.poll_fill(&mut conn, cx) {
            dropped.discard();
            reads = matches!(read, Ok(1..));
        }
        if hurried.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        while let Poll::Ready(written) = conn.poll_write(cx, PATTERN.get(at..).unwrap_or_default()) {
            match written {
                Ok(written) => at = (at + written) % PATTERN.len(),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Pending
    });
    match ended.await {
        // A peer that has read enough leaves like this.
        Err(error) if error.kind() == sockeye::Kind::Reset => Ok(()),
        ended => ended,
    }
}

/// One line for each message: the RFC lets the length be anything up to 512 bytes.
impl Datagrams for Chargen {
    fn answer(&self, _: &Message, replies: &mut Replies, _: &Ctx) {
        replies.add().extend_from_slice(PATTERN.get(..LINE).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_is_that_of_the_rfc() {
        let lines: Vec<&[u8]> = PATTERN.chunks(LINE).collect();
        assert_eq!(lines.len(), CHARACTERS);
        assert!(lines[0].starts_with(b" !\"#$%&'()*+") && lines[0].ends_with(b"defg\r\n"));
        assert!(lines[1].starts_with(b"!\"#") && lines[94].starts_with(b"~ !"));
    }
}
