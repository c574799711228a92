//! The broker: who hears what, in which order, and what a peer that does not keep up costs the others.

use std::sync::Arc;
use std::time::Duration;

use sockeye::proto::queue::{Full, OVERHEAD};
use sockeye::{Cause, Conn, Ctx, Ended, Event, Kind, Message, Wants};
use sockeye_services::{Broker, ROOM};
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::lab::{Serving, get, put, soon};

/// The bytes of a long message: a few dozen of them fill what may wait.
const LONG: usize = 32 << 10;
/// More long messages than may wait for a peer, wherever they do.
const MANY: usize = 2 * ROOM / LONG;

struct Room {
    serving: Serving,
    events: Receiver<Event>,
}

impl Room {
    async fn open(full: Full) -> Self {
        let mut ctx = Ctx::default();
        let events = ctx.events.subscribe(1000, Wants::Connections);
        let address = sockeye::parse("mem-seq-l:x", &[]).unwrap();
        let serving = Serving::start_service(Arc::new(Broker::new(full)), &address, ctx).await;
        Self { serving, events }
    }

    /// One who is inside: the task that tells so goes on until it waits for what the newcomer says.
    async fn join(&mut self) -> Conn {
        let newcomer = self.serving.client().await;
        self.event(|event| matches!(event, Event::Opened { .. })).await;
        newcomer
    }

    /// Waits for an event.
    async fn event(&mut self, is_it: impl Fn(&Event) -> bool) -> Event {
        loop {
            let event = soon("an event", self.events.recv()).await.expect("somebody who tells");
            if is_it(&event) {
                return event;
            }
        }
    }
}

fn numbered(number: usize, bytes: usize) -> Vec<u8> {
    let mut message = vec![b'.'; bytes];
    message[..8].copy_from_slice(&number.to_be_bytes());
    message
}

fn number(message: &[u8]) -> usize {
    usize::from_be_bytes(message[..8].try_into().unwrap())
}

/// Everything until the end, which may be a bad one.
async fn numbers(conn: &mut Conn) -> (Vec<usize>, Option<Kind>) {
    let (mut numbers, mut message) = (Vec::new(), Message::default());
    loop {
        match soon("the end", conn.receive(&mut message)).await {
            Ok(true) => numbers.push(number(&message.payload)),
            Ok(false) => return (numbers, None),
            Err(error) => return (numbers, Some(error.kind())),
        }
    }
}

#[tokio::test]
async fn what_one_says_all_others_hear_in_order_and_not_itself() {
    let mut room = Room::open(Full::RefuseNewest).await;
    let (mut one, mut two, mut three) = (room.join().await, room.join().await, room.join().await);
    for text in ["first", "", "third, after an empty one"] {
        put(&mut one, text.as_bytes()).await;
    }
    put(&mut two, b"answer").await;
    for text in ["first", "", "third, after an empty one"] {
        assert_eq!(get(&mut two, text.len()).await, text.as_bytes());
    }
    assert_eq!(get(&mut one, 6).await, b"answer", "nobody hears itself");
    let mut heard = Vec::new();
    for _ in 0..4 {
        let mut message = Message::default();
        assert!(soon("a message", three.receive(&mut message)).await.unwrap());
        heard.push(message.payload);
    }
    heard.retain(|text| text != b"answer");
    assert_eq!(heard, [&b"first"[..], b"", b"third, after an empty one"]);
    drop((one, two, three));
    room.serving.stop().await;
}

#[tokio::test]
async fn one_who_reads_nothing_is_ended_and_told_of_while_the_others_hear_everything() {
    let mut room = Room::open(Full::RefuseNewest).await;
    let (mut one, mut two, mut slow) = (room.join().await, room.join().await, room.join().await);
    for at in 0..MANY {
        put(&mut one, &numbered(at, LONG)).await;
        assert_eq!(number(&get(&mut two, LONG).await), at);
    }
    let closed = room.event(|event| matches!(event, Event::Closed { .. })).await;
    let Event::Closed { ended: Ended::Failed(error), .. } = closed else { panic!("{closed:?}") };
    assert!(matches!(error.cause(), Cause::TooSlow), "{error:?}");
    let (heard, end) = numbers(&mut slow).await;
    assert_eq!((heard.len() < MANY, end), (true, Some(Kind::Reset)));
    assert!(heard.iter().copied().eq(0..heard.len()));
    drop((one, two));
    room.serving.ctx.stop.drain();
    assert_eq!(soon("the end", room.serving.ended()).await.failed, 1);
}

#[tokio::test]
async fn with_the_other_policy_one_who_reads_nothing_misses_the_oldest_and_is_told_of() {
    let mut room = Room::open(Full::DropOldest).await;
    let (mut one, mut two, mut slow) = (room.join().await, room.join().await, room.join().await);
    for at in 0..MANY {
        put(&mut one, &numbered(at, LONG)).await;
        assert_eq!(number(&get(&mut two, LONG).await), at);
    }
    let told = room.event(|event| matches!(event, Event::Missed { .. })).await;
    assert!(matches!(told, Event::Missed { messages: 1, .. }), "{told:?}");
    slow.shutdown_write().await.unwrap();
    let waiting = ROOM / (LONG + OVERHEAD);
    let mut heard = Vec::new();
    while heard.last() != Some(&(MANY - 1)) {
        heard.push(number(&get(&mut slow, LONG).await));
    }
    assert!(heard.is_sorted() && heard.len() < MANY);
    assert!(heard.iter().rev().take(waiting).copied().eq((0..MANY).rev().take(waiting)), "{heard:?}");
    drop(slow);
    put(&mut one, b"notices that it left").await;
    let told = room.event(|event| matches!(event, Event::Missed { .. })).await;
    let Event::Missed { messages, error, .. } = told else { unreachable!() };
    assert_eq!(usize::try_from(messages).unwrap() + 1 + heard.len(), MANY);
    assert!(matches!(error.cause(), Cause::TooSlow));
    drop((one, two));
    room.serving.stop().await;
}

#[tokio::test]
async fn a_message_too_large_for_one_costs_only_that_one_that_message() {
    let mut room = Room::open(Full::RefuseNewest).await;
    let broker: Arc<Broker> = Arc::new(Broker::new(Full::RefuseNewest));
    let open = async |word: &str, ctx| {
        let address = sockeye::parse(word, &[]).unwrap();
        Serving::start_service(broker.clone(), &address, ctx).await
    };
    let mut ctx = Ctx::default();
    room.events = ctx.events.subscribe(1000, Wants::Connections);
    let over_bytes = open("mem-l:x,frame=burst", ctx.clone()).await;
    room.serving = open("mem-seq-l:x", ctx).await;
    let mut small = room.join().await;
    let mut large = over_bytes.client().await;
    let mut other = over_bytes.client().await;
    for _ in 0..2 {
        room.event(|event| matches!(event, Event::Opened { .. })).await;
    }
    let most = small.max_message().unwrap();
    put(&mut large, &vec![b'x'; most + 1]).await;
    assert_eq!(get(&mut other, most + 1).await.len(), most + 1);
    put(&mut large, b"short").await;
    assert_eq!(get(&mut small, 5).await, b"short");
    assert_eq!(get(&mut other, 5).await, b"short");
    let told = room.event(|event| matches!(event, Event::Missed { .. })).await;
    let Event::Missed { messages: 1, error, .. } = told else { panic!("{told:?}") };
    assert_eq!(error.kind(), Kind::TooLarge);
    drop((small, large, other));
    over_bytes.stop().await;
}

#[tokio::test]
async fn who_leaves_hears_no_more_and_who_comes_back_is_as_new() {
    let mut room = Room::open(Full::RefuseNewest).await;
    let (mut one, two) = (room.join().await, room.join().await);
    drop(two);
    put(&mut one, b"to nobody").await;
    room.event(|event| matches!(event, Event::Closed { .. })).await;
    put(&mut one, b"to nobody either").await;
    let mut again = room.join().await;
    put(&mut again, b"back").await;
    assert_eq!(get(&mut one, 4).await, b"back");
    put(&mut one, b"hello again").await;
    assert_eq!(get(&mut again, 11).await, b"hello again");
    drop((one, again));
    room.serving.stop().await;
}

#[tokio::test]
async fn what_one_says_right_before_it_leaves_is_heard_although_it_is_spoken_to() {
    let mut room = Room::open(Full::RefuseNewest).await;
    let (mut one, mut two) = (room.join().await, room.join().await);
    put(&mut one, b"stay").await;
    put(&mut two, b"bye").await;
    drop(two);
    assert_eq!(get(&mut one, 3).await, b"bye");
    drop(one);
    room.serving.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_who_has_ended_its_side_hears_the_others_still_and_costs_nothing_meanwhile() {
    let mut room = Room::open(Full::RefuseNewest).await;
    let (mut one, mut two) = (room.join().await, room.join().await);
    put(&mut one, b"my last word").await;
    one.shutdown_write().await.unwrap();
    assert_eq!(get(&mut two, 12).await, b"my last word");
    // A paused clock goes on only while nobody has anything to do.
    sleep(Duration::from_secs(1)).await;
    put(&mut two, b"understood").await;
    assert_eq!(get(&mut one, 10).await, b"understood");
    drop((one, two));
    room.serving.stop().await;
}

#[tokio::test]
async fn a_stop_sends_what_waits_and_then_ends_everybody() {
    let mut room = Room::open(Full::RefuseNewest).await;
    let (mut one, mut two, mut three) = (room.join().await, room.join().await, room.join().await);
    for at in 0..MANY / 3 {
        put(&mut one, &numbered(at, LONG)).await;
        assert_eq!(number(&get(&mut two, LONG).await), at);
    }
    room.serving.ctx.stop.drain();
    let (heard, end) = numbers(&mut three).await;
    assert_eq!((heard.len(), end), (MANY / 3, None));
    drop((one, two, three));
    assert_eq!(soon("the end", room.serving.ended()).await.failed, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_speaks_without_a_pause_loses_nobody_who_reads() {
    let mut room = Room::open(Full::RefuseNewest).await;
    let (mut one, mut two) = (room.join().await, room.join().await);
    // Who is heard is inside, and so is who hears it.
    let mut message = Message::default();
    while timeout(Duration::from_millis(20), one.receive(&mut message)).await.is_err() {
        put(&mut two, b"is anybody there?").await;
    }
    let count = 4 * ROOM / (30 + OVERHEAD);
    let mut speaking = JoinSet::new();
    speaking.spawn(async move {
        for at in 0..count {
            put(&mut one, &numbered(at, 30)).await;
        }
        one
    });
    for at in 0..count {
        assert_eq!(number(&get(&mut two, 30).await), at);
    }
    drop((speaking.join_all().await, two));
    room.serving.stop().await;
}
