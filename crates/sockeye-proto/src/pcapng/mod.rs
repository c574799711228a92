//! What went over a connection as a capture that Wireshark and tshark read: pcapng (draft-ietf-opsawg-pcapng).
//!
//! Nothing was captured: what is known is bytes, messages and ends. So packets are made up that would have carried them,
//! with sound headers and checksums: [`Flow`] makes segments of TCP, and [`datagram`] a packet of UDP or of another
//! protocol. What TCP did on the real network, such as sending again, cannot be seen in it.

mod flow;
mod packet;

use std::time::Duration;

pub use flow::Flow;
pub use packet::{Carrier, Ends, datagram};

/// Which way a packet went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the peer to us.
    In,
    /// From us to the peer.
    Out,
}

/// What such a file begins with, whatever the machine that wrote it.
pub const MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// What a section begins with, and a file: one that is there already may get another. `program` is who writes it.
///
/// The section has one interface, of packets that begin with their IP header, and its times are in nanoseconds.
pub fn section(program: &str, out: &mut Vec<u8>) {
    block(u32::from_le_bytes(MAGIC), out, |body| {
        body.extend(0x1a2b_3c4d_u32.to_le_bytes());
        // Version 1.0, of a length that is not known yet.
        body.extend([1, 0, 0, 0]);
        body.extend([0xff; 8]);
        option(USER_APPLICATION, program.as_bytes(), body);
        option(END_OF_OPTIONS, b"", body);
    });
    block(INTERFACE, out, |body| {
        body.extend(RAW_IP.to_le_bytes());
        // Reserved, and no limit of a packet's length.
        body.extend([0; 6]);
        option(TIME_RESOLUTION, &[9], body);
        option(END_OF_OPTIONS, b"", body);
    });
}

/// When a packet went, and what is said of it beside its bytes.
struct Stamp<'a> {
    /// Since 1970.
    at: Duration,
    direction: Direction,
    comment: Option<&'a str>,
}

/// An Enhanced Packet Block (section 4.3) with what `packet` appends; `missing` bytes of it are left out.
fn enhanced(stamp: &Stamp<'_>, missing: usize, out: &mut Vec<u8>, packet: impl FnOnce(&mut Vec<u8>)) {
    let nanos = u64::try_from(stamp.at.as_nanos()).unwrap_or(u64::MAX);
    let [low @ .., _, _, _, _] = nanos.to_le_bytes();
    let [_, _, _, _, high @ ..] = nanos.to_le_bytes();
    block(PACKET, out, |body| {
        // The first and only interface.
        body.extend([0; 4]);
        body.extend(high);
        body.extend(low);
        let lengths = body.len();
        body.extend([0; 8]);
        let begin = body.len();
        packet(body);
        let length = body.len() - begin;
        put_u32(body, lengths, length);
        put_u32(body, lengths + 4, length + missing);
        pad(body, begin);
        if let Some(comment) = stamp.comment {
            option(COMMENT, comment.as_bytes(), body);
        }
        let flags: u32 = if stamp.direction == Direction::In { 1 } else { 2 };
        option(FLAGS, &flags.to_le_bytes(), body);
        option(END_OF_OPTIONS, b"", body);
    });
}

/// Appends a block: its type, its length, what `body` appends, and its length again.
fn block(kind: u32, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let begin = out.len();
    out.extend(kind.to_le_bytes());
    out.extend([0; 4]);
    body(out);
    let length = out.len() - begin + 4;
    out.extend([0; 4]);
    put_u32(out, begin + 4, length);
    put_u32(out, begin + length - 4, length);
}

/// Appends an option (section 3.5); of a value that is longer than one can be, the beginning.
fn option(code: u16, value: &[u8], out: &mut Vec<u8>) {
    let value = value.get(..LONGEST_OPTION).unwrap_or(value);
    out.extend(code.to_le_bytes());
    out.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    let begin = out.len();
    out.extend_from_slice(value);
    pad(out, begin);
}

/// Fills what began at `begin` up to 32 bits.
fn pad(out: &mut Vec<u8>, begin: usize) {
    let length = (out.len() - begin).next_multiple_of(4);
    out.resize(begin + length, 0);
}

fn put_u32(out: &mut [u8], at: usize, value: usize) {
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes());
    }
}

/// Types of blocks, codes of options and the link type, as the draft's registries number them.
const INTERFACE: u32 = 1;
const PACKET: u32 = 6;
const END_OF_OPTIONS: u16 = 0;
const COMMENT: u16 = 1;
const FLAGS: u16 = 2;
const USER_APPLICATION: u16 = 4;
const TIME_RESOLUTION: u16 = 9;
const RAW_IP: u16 = 101;

/// The most bytes of an option that is a multiple of four.
const LONGEST_OPTION: usize = 65_532;

#[cfg(test)]
mod tests;
