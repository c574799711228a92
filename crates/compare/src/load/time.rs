//! A question for the time, and what answers it (RFC 5905, section 7.3).

use std::sync::LazyLock;

use sockeye_proto::ntp::{Mode, Packet, SIZE, Timestamp};

/// What each client says it was when it asked. Nobody looks whether that is so.
const ORIGIN: u64 = 0x0123_4567_89ab_cdef;

/// What each client asks.
pub(super) static ASKED: LazyLock<[u8; SIZE]> =
    LazyLock::new(|| Packet::request(Timestamp::from_bits(ORIGIN)).bytes());

/// Whether that is an answer to it, by a server that knows the time.
pub(super) fn is_answer(datagram: &[u8]) -> bool {
    Packet::read(datagram).is_some_and(|packet| {
        packet.mode == Mode::Server
            && packet.origin == Timestamp::from_bits(ORIGIN)
            && packet.transmit != Timestamp::UNKNOWN
            && (1..16).contains(&packet.stratum)
    })
}
