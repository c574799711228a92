//! What is written is read back by a reader that shares nothing with the writer.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;

use super::{Carrier, Direction, Ends, Flow, MAGIC, datagram, section};

/// A packet as the reader sees it.
#[derive(Debug)]
struct Packet {
    nanos: u64,
    original: usize,
    protocol: u8,
    source: String,
    comment: Option<String>,
    inbound: bool,
    /// Behind the IP header.
    above: Vec<u8>,
}

fn le32(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

fn be16(bytes: &[u8], at: usize) -> usize {
    usize::from(bytes[at]) << 8 | usize::from(bytes[at + 1])
}

/// The options of a block, until the end of options.
fn options(mut bytes: &[u8]) -> HashMap<u16, Vec<u8>> {
    let mut all = HashMap::new();
    loop {
        let (code, length) =
            (u16::from_le_bytes([bytes[0], bytes[1]]), usize::from(bytes[2]) | usize::from(bytes[3]) << 8);
        if code == 0 {
            assert_eq!((length, bytes.len()), (0, 4), "nothing stands behind the options");
            return all;
        }
        all.insert(code, bytes[4..4 + length].to_vec());
        bytes = &bytes[4 + length.div_ceil(4) * 4..];
    }
}

fn read(mut file: &[u8]) -> Vec<Packet> {
    let mut packets = Vec::new();
    let mut kinds = Vec::new();
    while !file.is_empty() {
        let (kind, length) = (le32(file, 0), le32(file, 4));
        assert!(length.is_multiple_of(4) && length == le32(file, length - 4), "{length}");
        let (block, rest) = file.split_at(length);
        file = rest;
        kinds.push(kind);
        match kind {
            0x0a0d_0d0a => assert_eq!((le32(block, 8), &block[12..16]), (0x1a2b_3c4d, &[1, 0, 0, 0][..])),
            1 => {
                assert_eq!((block[8], options(&block[16..length - 4])[&9][0]), (101, 9));
            }
            6 => packets.push(packet(block)),
            other => panic!("a block of type {other}"),
        }
    }
    assert_eq!(kinds[..2], [0x0a0d_0d0a, 1]);
    packets
}

fn packet(block: &[u8]) -> Packet {
    let (captured, original) = (le32(block, 20), le32(block, 24));
    let options = options(&block[28 + captured.next_multiple_of(4)..block.len() - 4]);
    let ip = &block[28..28 + captured];
    let (header, protocol, pseudo, source) = if ip[0] >> 4 == 4 {
        assert_eq!((be16(ip, 2), ones(&ip[..20])), (ip.len(), 0xffff));
        (20, ip[9], ip[12..20].to_vec(), format!("{:?}", &ip[12..16]))
    } else {
        assert_eq!((ip[0] >> 4, be16(ip, 4)), (6, ip.len() - 40));
        (40, ip[6], ip[8..40].to_vec(), format!("{:?}", &ip[8..24]))
    };
    let above = ip[header..].to_vec();
    if [6, 17].contains(&protocol) {
        let length = u32::try_from(above.len()).unwrap().to_be_bytes();
        let all = [&pseudo[..], &length, &[0, 0, 0, protocol], &above].concat();
        assert_eq!(ones(&all), 0xffff, "the checksum");
    }
    Packet {
        nanos: (le32(block, 12) as u64) << 32 | le32(block, 16) as u64,
        original: original - header,
        protocol,
        source,
        comment: options.get(&1).map(|text| String::from_utf8(text.clone()).unwrap()),
        inbound: options[&2][0] & 3 == 1,
        above,
    }
}

/// The sum of what has a sound checksum in it is all ones.
fn ones(bytes: &[u8]) -> u32 {
    let mut sum = 0;
    for (at, byte) in bytes.iter().enumerate() {
        sum += u32::from(*byte) << if at % 2 == 0 { 8 } else { 0 };
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum
}

const AT: Duration = Duration::new(1_700_000_000, 123_456_789);

fn ends(ours: &str, theirs: &str) -> Ends {
    Ends::new(ours.parse().unwrap(), theirs.parse().unwrap())
}

/// What one side said: its bytes, in the order of their numbers, which leave no gap, and its flags.
fn said(packets: &[Packet], inbound: bool) -> (Vec<u8>, Vec<u8>) {
    let (mut bytes, mut flags, mut next) = (Vec::new(), Vec::new(), None);
    for packet in packets.iter().filter(|packet| packet.inbound == inbound) {
        let number = u32::from_be_bytes(packet.above[4..8].try_into().unwrap());
        assert_eq!(number, next.unwrap_or(number), "a gap");
        let payload = &packet.above[20..];
        let counted = packet.above[13] & 3 != 0;
        next = Some(number.wrapping_add(u32::try_from(payload.len()).unwrap() + u32::from(counted)));
        bytes.extend(payload);
        flags.push(packet.above[13]);
    }
    (bytes, flags)
}

#[test]
fn a_conversation_has_a_handshake_numbers_and_an_end() {
    let mut file = Vec::new();
    section("a test", &mut file);
    assert_eq!(file[..4], MAGIC);
    let mut flow = Flow::open(ends("[::1]:5", "[::1]:6"), Direction::Out, AT, "to a peer", &mut file);
    flow.say(Direction::Out, b"hello", AT, &mut file);
    flow.end(Direction::Out, AT, &mut file);
    flow.end(Direction::Out, AT, &mut file);
    flow.say(Direction::In, &[7; 70_000], AT, &mut file);
    flow.reset(Direction::In, AT, &mut file);
    flow.say(Direction::In, b"too late", AT, &mut file);
    let packets = read(&file);
    assert!(packets.iter().all(|packet| u128::from(packet.nanos) == AT.as_nanos() && packet.protocol == 6));
    assert_eq!(packets[0].comment.as_deref(), Some("to a peer"));
    assert!(packets[1..].iter().all(|packet| packet.comment.is_none()));
    assert_eq!(said(&packets, false), (b"hello".to_vec(), vec![2, 16, 24, 17]));
    assert_eq!(said(&packets, true), (vec![7; 70_000], vec![18, 16, 24, 20]));
}

#[test]
fn what_a_packet_has_no_room_for_is_told_by_its_length() {
    let mut file = Vec::new();
    section("a test", &mut file);
    let ends = ends("127.0.0.1:5", "[::1]:6");
    datagram((ends, Carrier::Udp), Direction::In, &[7; 70_000], AT, Some("long"), &mut file);
    datagram((ends, Carrier::Ip(1)), Direction::Out, b"ping", AT, None, &mut file);
    let [long, ping] = &read(&file)[..] else { panic!() };
    assert_eq!((long.original, long.above.len()), (70_008, 65_503));
    assert_eq!((ping.protocol, &ping.above[..]), (1, &b"ping"[..]));
    assert_ne!(long.source, ping.source);
}

proptest! {
    #[test]
    fn whatever_is_said_is_read_back(
        is_v6: bool, we_open: bool,
        said_so in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..300)), 0..30),
        nanos: u64,
    ) {
        let at = Duration::from_nanos(nanos);
        let (ours, theirs) = if is_v6 { ("[fe80::1]:1", "[2001:db8::2]:65535") } else { ("10.0.0.1:0", "255.1.2.3:80") };
        let mut file = Vec::new();
        section("a test", &mut file);
        let opener = if we_open { Direction::Out } else { Direction::In };
        let mut flow = Flow::open(ends(ours, theirs), opener, at, "", &mut file);
        let mut want = [Vec::new(), Vec::new()];
        for (inbound, bytes) in &said_so {
            flow.say(if *inbound { Direction::In } else { Direction::Out }, bytes, at, &mut file);
            want[usize::from(*inbound)].extend(bytes);
        }
        let begin = file.len();
        for (inbound, bytes) in &said_so {
            let direction = if *inbound { Direction::In } else { Direction::Out };
            datagram((ends(ours, theirs), Carrier::Udp), direction, bytes, at, None, &mut file);
        }
        let stream = read(&file[..begin]);
        prop_assert_eq!(&said(&stream, false).0, &want[0]);
        prop_assert_eq!(&said(&stream, true).0, &want[1]);
        let datagrams = &read(&file)[stream.len()..];
        let back: Vec<_> = datagrams.iter().map(|packet| (packet.inbound, packet.above[8..].to_vec())).collect();
        prop_assert_eq!(back, said_so);
        prop_assert!(datagrams.iter().all(|packet| packet.nanos == nanos));
    }
}
