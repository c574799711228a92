//! One way of a connection under faults, with times that the test chooses.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn faults(texts: &[&str]) -> Vec<Fault> {
    texts.iter().map(|text| Fault::read(text).unwrap_or_else(|error| panic!("{text}: {error}"))).collect()
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What came out, and when; and how it ended, if it did within an hour.
#[derive(Debug, PartialEq, Eq)]
struct Came<T> {
    out: Vec<(Duration, T)>,
    last: Option<(Duration, Step)>,
    deeds: Deeds,
}

impl Came<Vec<u8>> {
    fn bytes(&self) -> Vec<u8> {
        self.out.iter().flat_map(|(_, bytes)| bytes.clone()).collect()
    }
}

/// Sends bytes at these times, none of which goes back, and then the end.
fn stream(texts: &[&str], seed: u64, sent: &[(Duration, Vec<u8>)]) -> Came<Vec<u8>> {
    let mut way = Stream::new(&faults(texts), Way::In, seed, 1);
    let (mut out, mut now, mut left) = (Vec::new(), Duration::ZERO, sent.iter().peekable());
    loop {
        while let Some((_, bytes)) = left.next_if(|(at, _)| *at <= now) {
            way.push(bytes, now);
        }
        if left.peek().is_none() {
            way.end(now);
        }
        let until = match way.step(now) {
            Step::Pass(most) => {
                let piece = way.first(most).to_vec();
                assert!(!piece.is_empty() && piece.len() <= most);
                way.passed(piece.len(), now);
                out.push((now, piece));
                continue;
            }
            Step::Wait(until) => until,
            over => return Came { out, last: Some((now, over)), deeds: way.deeds() },
        };
        let next = until.into_iter().chain(left.peek().map(|(at, _)| *at)).min();
        match next.filter(|next| *next < Duration::from_secs(3600)) {
            Some(next) => now = now.max(next),
            None => return Came { out, last: None, deeds: way.deeds() },
        }
    }
}

/// Sends messages, each a number, at these times, and then the end.
fn traffic(texts: &[&str], seed: u64, sent: &[Duration]) -> Came<Parcel<usize>> {
    let mut way = Traffic::new(&faults(texts), Way::Out, seed, 1);
    let (mut out, mut now, mut left) = (Vec::new(), Duration::ZERO, sent.iter().enumerate().peekable());
    loop {
        while let Some((number, _)) = left.next_if(|(_, at)| **at <= now) {
            way.push(number.to_be_bytes().to_vec(), number, now);
        }
        if left.peek().is_none() {
            way.end(now);
        }
        let until = match way.step(now) {
            Step::Pass(_) => {
                out.push((now, way.pop(now).unwrap()));
                continue;
            }
            Step::Wait(until) => until,
            over => return Came { out, last: Some((now, over)), deeds: way.deeds() },
        };
        let next = until.into_iter().chain(left.peek().map(|(_, at)| **at)).min();
        match next.filter(|next| *next < Duration::from_secs(3600)) {
            Some(next) => now = now.max(next),
            None => return Came { out, last: None, deeds: way.deeds() },
        }
    }
}

/// So many messages, so far apart.
fn each(count: u32, apart: Duration) -> Vec<Duration> {
    (0..count).map(|number| apart * number).collect()
}

fn numbers(came: &Came<Parcel<usize>>) -> Vec<usize> {
    came.out.iter().map(|(_, parcel)| parcel.with).collect()
}

#[test]
fn bytes_that_are_delayed_come_in_order_and_the_end_behind_them() {
    let sent = [(ms(0), b"one".to_vec()), (ms(10), b"two".to_vec())];
    let came = stream(&["delay:50ms"], 1, &sent);
    assert_eq!(came.out, [(ms(50), b"one".to_vec()), (ms(60), b"two".to_vec())]);
    assert_eq!(came.last, Some((ms(60), Step::End)));
}

#[test]
fn what_is_glued_comes_as_one_and_its_end_does_not_wait() {
    let sent = [(ms(1), b"a".to_vec()), (ms(60), b"b".to_vec()), (ms(102), b"c".to_vec())];
    let came = stream(&["glue:100ms"], 1, &sent);
    assert_eq!(came.out, [(ms(101), b"ab".to_vec()), (ms(202), b"c".to_vec())]);
    assert_eq!(came.last, Some((ms(202), Step::End)));
}

#[test]
fn slices_are_as_small_and_as_far_apart_as_was_asked() {
    let came = stream(&["slice:2:5ms"], 1, &[(ms(0), b"abcde".to_vec())]);
    assert_eq!(came.out, [(ms(0), b"ab".to_vec()), (ms(5), b"cd".to_vec()), (ms(10), b"e".to_vec())]);
}

#[test]
fn a_stall_begins_at_the_very_byte_or_time_and_loses_nothing() {
    let sent = [(ms(0), b"abcdef".to_vec()), (ms(3000), b"g".to_vec())];
    let came = stream(&["stall:2:1s", "stall:2s:5s"], 1, &sent);
    assert_eq!(came.out, [(ms(0), b"ab".to_vec()), (ms(1000), b"cdef".to_vec()), (ms(7000), b"g".to_vec())]);
    assert_eq!(came.deeds.stalled, 2);
}

#[test]
fn a_cut_comes_behind_the_very_byte_or_at_the_very_time() {
    let sent = [(ms(0), b"abc".to_vec()), (ms(500), b"def".to_vec())];
    for (how, step) in [("fin", Step::End), ("rst", Step::Reset), ("silence", Step::Silence)] {
        let came = stream(&[&format!("cut:{how}:4")], 1, &sent);
        assert_eq!((came.bytes(), came.last), (b"abcd".to_vec(), Some((ms(500), step))));
        assert_eq!((came.deeds.cut, came.deeds.swallowed), (1, 2));
        let came = stream(&[&format!("cut:{how}:200ms")], 1, &sent);
        assert_eq!((came.bytes(), came.last), (b"abc".to_vec(), Some((ms(200), step))));
    }
}

#[test]
fn what_comes_behind_a_cut_is_counted_and_goes_nowhere() {
    let mut way = Stream::new(&faults(&["cut:silence:0"]), Way::Out, 1, 1);
    assert_eq!(way.step(ms(0)), Step::Silence);
    way.push(b"abc", ms(1));
    assert_eq!((way.step(ms(1)), way.deeds().swallowed), (Step::Silence, 3));
    assert!(way.room(ms(1)) > 0);
}

#[test]
fn who_does_not_read_takes_nothing_in() {
    let mut way = Stream::new(&faults(&["no-read:2"]), Way::In, 1, 1);
    way.push(b"abc", ms(0));
    assert_eq!(way.step(ms(0)), Step::Pass(2));
    way.passed(2, ms(0));
    assert_eq!((way.step(ms(9)), way.room(ms(9))), (Step::Wait(None), 0));
    assert!(Stream::new(&faults(&["no-read"]), Way::Out, 1, 1).is_plain());
}

#[test]
fn a_rate_is_kept() {
    let came = stream(&["rate:10k/s"], 1, &[(ms(0), vec![7; 20 << 10])]);
    let (took, step) = came.last.unwrap();
    assert!(step == Step::End && (ms(1900)..ms(2100)).contains(&took), "{took:?}");
}

#[test]
fn what_is_held_is_bounded() {
    let mut way = Stream::new(&faults(&["delay:1h"]), Way::In, 1, 1);
    assert_eq!(way.room(ms(0)), HELD);
    way.push(&vec![0; HELD], ms(0));
    assert_eq!(way.room(ms(0)), 0);

    let mut way = Traffic::new(&faults(&["delay:1h"]), Way::In, 1, 1);
    let mut taken = 0;
    while way.has_room(ms(0)) {
        way.push(Vec::new(), (), ms(0));
        taken += 1;
    }
    assert!(taken <= HELD / 64, "{taken} empty messages");
}

#[test]
fn as_many_messages_are_lost_as_the_chance_says() {
    for seed in 0..5 {
        let came = traffic(&["loss:5%"], seed, &each(10_000, ms(1)));
        assert!((400..600).contains(&came.deeds.lost), "{}", came.deeds.lost);
        assert_eq!(came.out.len() + usize::try_from(came.deeds.lost).unwrap(), 10_000);
    }
}

#[test]
fn bursts_of_loss_are_as_long_and_as_many_as_the_chances_say() {
    let came = traffic(&["burst-loss:1%:25%"], 3, &each(100_000, ms(1)));
    // A good channel lasts 100 messages, a bad one 4.
    assert!((3_300..4_400).contains(&came.deeds.lost), "{}", came.deeds.lost);
    let numbers = numbers(&came);
    let bursts = numbers.windows(2).filter(|pair| pair[1] > pair[0] + 1).count();
    assert!((800..1_150).contains(&bursts), "{bursts}");
}

#[test]
fn a_message_comes_twice_truncated_or_not_at_all() {
    let came = traffic(&["duplicate:1"], 1, &each(2, ms(1)));
    assert_eq!((numbers(&came), came.deeds.duplicated), (vec![0, 0, 1, 1], 2));
    let came = traffic(&["truncate:3"], 1, &each(1, ms(1)));
    let (_, parcel) = &came.out[0];
    assert_eq!((&parcel.payload[..], parcel.cut, came.deeds.truncated), (&[0; 3][..], true, 1));
    let came = traffic(&["mtu:7"], 1, &each(3, ms(1)));
    assert_eq!((came.out.len(), came.deeds.too_large), (0, 3));
    let came = traffic(&["mtu:8"], 1, &each(3, ms(1)));
    assert_eq!((came.out.len(), came.deeds.too_large), (3, 0));
}

#[test]
fn who_waits_to_be_overtaken_goes_on_when_nothing_follows() {
    let came = traffic(&["reorder:1:3"], 1, &[ms(0), ms(5000)]);
    assert_eq!(numbers(&came), [0, 1]);
    assert_eq!(came.out[0].0, ms(100));
    // The end lets the last one go.
    assert_eq!((came.out[1].0, came.last), (ms(5000), Some((ms(5000), Step::End))));
    assert_eq!(came.deeds.reordered, 0);
}

#[test]
fn jitter_reorders_messages_and_never_bytes() {
    let came = traffic(&["delay:50ms:40ms"], 1, &each(100, ms(1)));
    let mut numbers = numbers(&came);
    assert!(!numbers.is_sorted());
    numbers.sort_unstable();
    assert_eq!(numbers, (0..100).collect::<Vec<_>>());
    for ((at, parcel), sent) in came.out.iter().map(|out| (out, ms(out.1.with as u64))) {
        assert!((sent + ms(10)..=sent + ms(90)).contains(at), "{parcel:?} at {at:?}");
    }
}

#[test]
fn each_connection_each_way_and_each_fault_has_numbers_of_its_own() {
    let lost = |way, seed, number| {
        let mut traffic = Traffic::new(&faults(&["loss:50%"]), way, seed, number);
        let lost = |_| {
            let before = traffic.deeds().lost;
            traffic.push(Vec::new(), (), ms(0));
            traffic.deeds().lost > before
        };
        (0..64).map(lost).collect::<Vec<bool>>()
    };
    assert_eq!(lost(Way::In, 1, 1), lost(Way::In, 1, 1));
    for (way, seed, number) in [(Way::Out, 1, 1), (Way::In, 2, 1), (Way::In, 1, 2)] {
        assert_ne!(lost(Way::In, 1, 1), lost(way, seed, number));
    }
}

proptest! {
    #[test]
    fn bytes_stay_as_they_are_and_in_order_whatever_holds_them_up(
        parts in prop::collection::vec((0_u64..200, prop::collection::vec(any::<u8>(), 1..50)), 1..20),
        seed: u64,
        which in prop::sample::subsequence(
            vec!["delay:50ms:50ms", "rate:10k/s", "slice:3:1ms", "glue:20ms", "stall:40:300ms", "stall:1s:1s"], 0..=6,
        ),
    ) {
        let mut now = Duration::ZERO;
        let sent: Vec<_> = parts.into_iter().map(|(pause, bytes)| { now += ms(pause); (now, bytes) }).collect();
        let came = stream(&which, seed, &sent);
        let all: Vec<u8> = sent.into_iter().flat_map(|(_, bytes)| bytes).collect();
        prop_assert_eq!(came.bytes(), all);
        prop_assert!(matches!(came.last, Some((_, Step::End))), "{:?}", came.last);
    }

    /// The n-th byte is the same whatever the reads were.
    #[test]
    fn corruption_depends_on_the_seed_and_not_on_how_bytes_come(
        bytes in prop::collection::vec(any::<u8>(), 1..300), size in 1_usize..300, seed: u64,
    ) {
        let whole = stream(&["corrupt:10%"], seed, &[(ms(0), bytes.clone())]);
        let parts: Vec<_> = bytes.chunks(size).map(|part| (ms(0), part.to_vec())).collect();
        let apart = stream(&["corrupt:10%", "delay:7ms"], seed, &parts);
        prop_assert_eq!(whole.bytes(), apart.bytes());
        let changed = bytes.iter().zip(whole.bytes()).map(|(one, other)| u64::from((one ^ other).count_ones()));
        prop_assert_eq!(changed.sum::<u64>(), whole.deeds.turned);
    }

    #[test]
    fn the_same_seed_decides_the_same(seed: u64, count in 1_u32..100) {
        let texts = ["loss:20%", "burst-loss:5%:30%", "duplicate:10%", "reorder:20%:4", "corrupt:5%"];
        let sent = each(count, ms(3));
        prop_assert_eq!(traffic(&texts, seed, &sent), traffic(&texts, seed, &sent));
    }

    #[test]
    fn nothing_is_lost_but_by_loss_and_nothing_overtaken_by_more_than_the_depth(
        seed: u64, count in 1_u32..200, depth in 1_usize..9, apart in 0_u64..60,
    ) {
        let came = traffic(&[&format!("reorder:30%:{depth}")], seed, &each(count, ms(apart)));
        let numbers = numbers(&came);
        for (at, number) in numbers.iter().enumerate() {
            let overtook = numbers[..at].iter().filter(|before| *before > number).count();
            prop_assert!(overtook <= depth, "{number} by {overtook} in {numbers:?}");
        }
        let mut sorted = numbers;
        sorted.sort_unstable();
        prop_assert_eq!(sorted, (0..count as usize).collect::<Vec<_>>());
    }

    #[test]
    fn every_message_comes_once_is_lost_or_comes_twice(seed: u64, count in 1_u32..200) {
        let texts = ["loss:20%", "burst-loss:5%:30%", "duplicate:10%", "reorder:20%:4", "delay:20ms:20ms"];
        let came = traffic(&texts, seed, &each(count, ms(2)));
        let (out, deeds) = (came.out.len() as u64, came.deeds);
        prop_assert_eq!(out, u64::from(count) - deeds.lost + deeds.duplicated);
        for (_, parcel) in came.out {
            prop_assert_eq!(parcel.payload, parcel.with.to_be_bytes());
        }
    }
}
