//! `ntp`: what it says of a clock of which the test says how it is kept, and whom it answers.

use std::time::Duration;

use sockeye::proto::ntp::{Kiss, Leap, Mode, Packet, Short, Timestamp};
use sockeye::{Clock, Conn, Ctx, Doubt, Event, Given, Keeping, LeapSecond, ServiceRow, Wants};

use crate::lab::{Serving, get, put, row};

const ASKED: Timestamp = Timestamp::from_bits(0x0123_4567_89ab_cdef);

/// A clock that is kept, and that will have a leap second.
fn kept() -> Option<Keeping> {
    let max_error = Duration::from_millis(125);
    Some(Keeping { is_synchronised: true, leap: LeapSecond::Insert, max_error })
}

fn unkept() -> Option<Keeping> {
    kept().map(|keeping| Keeping { is_synchronised: false, ..keeping })
}

fn ctx(keeping: fn() -> Option<Keeping>) -> Ctx {
    Ctx { clock: Clock::default().kept(keeping), ..Ctx::default() }
}

fn given(flags: &[(&str, &str)]) -> Given {
    let ServiceRow { flags: known, .. } = row("ntp");
    let mut given = Given::default();
    for (name, value) in flags {
        given.set(known.iter().find(|flag| flag.name == *name).unwrap(), *value);
    }
    given
}

async fn ask(client: &mut Conn, request: Packet) -> Packet {
    put(client, &request.bytes()).await;
    Packet::read(&get(client, 48).await).unwrap()
}

async fn answer(keeping: fn() -> Option<Keeping>, flags: &[(&str, &str)]) -> Packet {
    let serving = Serving::start_in(row("ntp"), &given(flags), "udp-l:127.0.0.1:0", ctx(keeping)).await;
    let mut client = serving.client().await;
    let answer = ask(&mut client, Packet::request(ASKED)).await;
    serving.stop().await;
    answer
}

#[tokio::test]
async fn a_clock_is_as_good_as_the_kernel_and_the_flags_say() {
    let good = answer(kept, &[]).await;
    assert_eq!((good.leap, good.stratum, good.root_delay), (Leap::Insert, 3, Short::ZERO));
    assert_eq!(good.root_dispersion.duration(), Duration::from_millis(125));
    assert_eq!(answer(kept, &[("stratum", "2"), ("local-stratum", "10")]).await.stratum, 2);
    for keeping in [unkept, || None] {
        let bad = answer(keeping, &[("stratum", "2")]).await;
        assert_eq!((bad.leap, bad.stratum, bad.reference), (Leap::Unsynchronised, 16, Timestamp::UNKNOWN));
        let local = answer(keeping, &[("local-stratum", "10")]).await;
        assert_eq!((local.leap, local.stratum), (Leap::None, 10));
        assert_eq!(local.reference_id.text(10), "127.127.1.1");
    }
}

#[tokio::test]
async fn over_whatever_carries_messages_the_answer_has_the_time_and_the_words_of_who_asked() {
    let unix = format!("unix-seq-l:@sockeye-{}-ntp", std::process::id());
    for word in ["udp-l:127.0.0.1:0", "udp-l:[::1]:0", "mem-seq-l:x", &unix] {
        let ctx = ctx(kept);
        let clock = ctx.clock;
        let serving = Serving::start_in(row("ntp"), &Given::default(), word, ctx).await;
        let mut client = serving.client().await;
        for version in 1..=4 {
            let before = Timestamp::of(clock.wall());
            let answer = ask(&mut client, Packet { version, poll: 6, ..Packet::request(ASKED) }).await;
            let after = Timestamp::of(clock.wall());
            assert_eq!(
                (answer.version, answer.mode, answer.origin),
                (version, Mode::Server, ASKED),
                "{word}"
            );
            let times = [before, answer.receive, answer.transmit, after];
            let in_order = times.windows(2).all(|pair| pair[1].nanos_since(pair[0]) >= 0);
            assert!(in_order, "{word}: {times:?}");
        }
        drop(client);
        serving.stop().await;
    }
}

#[tokio::test]
async fn over_a_stream_a_length_stands_before_each_message() {
    let serving = Serving::start_in(row("ntp"), &Given::default(), "tcp-l:127.0.0.1:0", ctx(kept)).await;
    let mut client = serving.client().await;
    put(&mut client, &[&[0, 0, 0, 48][..], &Packet::request(ASKED).bytes()].concat()).await;
    let answer = get(&mut client, 52).await;
    assert_eq!((&answer[..4], Packet::read(&answer[4..]).unwrap().origin), (&[0, 0, 0, 48][..], ASKED));
    drop(client);
    serving.stop().await;
}

#[tokio::test]
async fn what_is_no_request_is_not_answered_and_counted() {
    let ctx = ctx(kept);
    let tallies = ctx.tallies.clone();
    let serving = Serving::start_in(row("ntp"), &Given::default(), "udp-l:127.0.0.1:0", ctx).await;
    let mut client = serving.client().await;
    let request = Packet::request(ASKED);
    let modes = [Mode::Server, Mode::Broadcast, Mode::Control, Mode::Private, Mode::SymmetricPassive];
    for mode in modes {
        put(&mut client, &Packet { mode, ..request }.bytes()).await;
    }
    for version in [0, 5, 7] {
        put(&mut client, &Packet { version, ..request }.bytes()).await;
    }
    for junk in [&b""[..], b"time?", &request.bytes()[..47]] {
        put(&mut client, junk).await;
    }
    // What stands behind a request is ignored, and the first answer is the one to it.
    put(&mut client, &[&request.bytes()[..], &[7; 20]].concat()).await;
    assert_eq!(Packet::read(&get(&mut client, 48).await).unwrap().origin, ASKED);
    serving.stop().await;
    assert_eq!(tallies.sum().dropped.foreign, 11);
}

#[tokio::test]
async fn who_asks_too_often_is_told_so_where_that_is_asked_for_and_then_ignored() {
    let ctx = ctx(kept);
    let tallies = ctx.tallies.clone();
    let flags = given(&[("interval", "1h")]);
    let serving = Serving::start_in(row("ntp"), &flags, "udp-l:127.0.0.1:0", ctx).await;
    let mut client = serving.client().await;
    for _ in 0..16 {
        assert_eq!(ask(&mut client, Packet::request(ASKED)).await.kiss(), None);
    }
    for kiss in [Some(Kiss::Rate), Some(Kiss::Rate), None, Some(Kiss::Rate)] {
        let answer = ask(&mut client, Packet::request(ASKED)).await;
        assert_eq!((answer.kiss(), answer.origin), (kiss, ASKED));
    }
    // The fifth is not answered at all, the seventh is.
    put(&mut client, &Packet::request(Timestamp::from_bits(5)).bytes()).await;
    put(&mut client, &Packet::request(Timestamp::from_bits(6)).bytes()).await;
    assert_eq!(ask(&mut client, Packet::request(ASKED)).await.origin, ASKED);
    serving.stop().await;
    assert_eq!(tallies.sum().dropped.too_often, 2);

    let serving = Serving::start(row("ntp"), "udp-l:127.0.0.1:0").await;
    let mut client = serving.client().await;
    for _ in 0..200 {
        assert_eq!(ask(&mut client, Packet::request(ASKED)).await.kiss(), None);
    }
    serving.stop().await;
}

#[tokio::test]
async fn a_mirror_says_of_our_clock_what_the_other_server_says() {
    let flags = given(&[("local-stratum", "5")]);
    let other = Serving::start_in(row("ntp"), &flags, "udp-l:127.0.0.1:0", ctx(unkept)).await;
    let at = other.address().strip_prefix("udp:").unwrap().to_owned();
    let flags = given(&[("mirror", &at)]);
    let mirror = Serving::start_in(row("ntp"), &flags, "udp-l:127.0.0.1:0", ctx(kept)).await;
    let mut client = mirror.client().await;
    loop {
        let answer = ask(&mut client, Packet::request(ASKED)).await;
        if answer.leap == Leap::None {
            assert_eq!((answer.stratum, answer.reference_id.text(5)), (5, "127.127.1.1".to_owned()));
            break;
        }
        assert_eq!(answer.stratum, 16);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    mirror.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn whom_a_clock_is_not_kept_for_is_told_once() {
    let mut ctx = ctx(unkept);
    let mut events = ctx.events.subscribe(9, Wants::Trouble);
    let serving = Serving::start_in(row("ntp"), &Given::default(), "mem-seq-l:x", ctx.clone()).await;
    let mut client = serving.client().await;
    ask(&mut client, Packet::request(ASKED)).await;
    drop(client);
    serving.stop().await;
    let told = events.try_recv().unwrap();
    assert!(matches!(told, Event::ClockDoubted { keeper: None, why: Doubt::Unsynchronised }), "{told:?}");
    assert!(events.try_recv().is_err());
}

#[test]
fn flags_that_cannot_be_meant_are_refused() {
    for (flags, why) in [
        (&[("stratum", "1")][..], "from 2 to 15"),
        (&[("local-stratum", "16")], "from 1 to 15"),
        (&[("interval", "soon")], "such as 2s"),
        (&[("mirror", "a b")], "HOST:PORT"),
        (&[("mirror", "localhost"), ("stratum", "2")], "and so does --stratum"),
    ] {
        let Err(said) = (row("ntp").build)(&given(flags), &Ctx::default()) else { panic!("{flags:?}") };
        assert!(said.contains(why), "{said}");
    }
}
