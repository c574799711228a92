//! Both sides on a network that loses, doubles and reorders, in time that only the tests know.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);

/// What a network does to each datagram, of a thousand.
#[derive(Debug, Clone, Copy)]
struct Weather {
    loss: u64,
    doubling: u64,
    /// The most milliseconds that one takes.
    longest: u64,
}

/// Datagrams under way, by when they arrive.
struct Network {
    weather: Weather,
    dice: u64,
    count: u64,
    under_way: BTreeMap<(Duration, u64), (bool, Vec<u8>)>,
}

impl Network {
    fn roll(&mut self, sides: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice % sides
    }

    fn send(&mut self, to_server: bool, datagram: &[u8], now: Duration) {
        let copies = if self.roll(1000) < self.weather.doubling { 2 } else { 1 };
        for _ in 0..copies {
            if self.roll(1000) >= self.weather.loss {
                let delay = u32::try_from(self.roll(self.weather.longest + 1)).unwrap();
                self.count += 1;
                let at = now + delay * MS + MS / 100;
                self.under_way.insert((at, self.count), (to_server, datagram.to_vec()));
            }
        }
    }
}

/// What one command said, and how.
#[derive(Debug, Clone)]
struct Script {
    parts: Vec<Vec<u8>>,
    /// How long the command thinks before each part.
    pause: Duration,
    /// How long the client needs for each part.
    appetite: Duration,
}

/// A server with one peer.
struct Server {
    scripts: HashMap<Id, Script>,
    seen: Seen,
    runs: HashMap<Id, u32>,
    jobs: HashMap<Id, Job>,
}

struct Job {
    answerer: Answerer,
    said: usize,
    next: Duration,
}

impl Server {
    fn hear(&mut self, bytes: &[u8], network: &mut Network, now: Duration) {
        let (id, datagram) = Datagram::read(bytes).unwrap();
        let job = self.jobs.get_mut(&id);
        match (datagram, job) {
            (Datagram::Request { .. }, Some(job)) => job.answerer.hear_request(now),
            (Datagram::Request { .. }, None) => {
                if self.seen.is_new(&id, now) {
                    *self.runs.entry(id).or_default() += 1;
                    let job = Job { answerer: Answerer::new(id, now), said: 0, next: now };
                    self.jobs.insert(id, job);
                } else {
                    network.send(false, &Datagram::Gone.bytes(&id), now);
                }
            }
            (Datagram::Ack(ack), Some(job)) => {
                job.answerer.hear(ack, now);
                if job.answerer.is_over() {
                    self.jobs.remove(&id);
                    network.send(false, &Datagram::Gone.bytes(&id), now);
                }
            }
            (Datagram::Ack(ack), None) if ack.asks => network.send(false, &Datagram::Gone.bytes(&id), now),
            (Datagram::Drop, _) => {
                self.jobs.remove(&id);
            }
            _ => {}
        }
    }

    /// Lets commands speak and says what is to be said. When to call it again.
    fn step(&mut self, network: &mut Network, now: Duration) -> Option<Duration> {
        for (id, job) in &mut self.jobs {
            let script = &self.scripts[id];
            while job.said <= script.parts.len() && job.next <= now && job.answerer.has_room() {
                match script.parts.get(job.said) {
                    Some(part) => job.answerer.push(part),
                    None => job.answerer.end(b"end"),
                }
                job.said += 1;
                job.next = now + script.pause;
            }
            assert!(job.answerer.parts.len() <= WINDOW + 1);
            while let Some(datagram) = job.answerer.transmit() {
                network.send(false, datagram, now);
            }
        }
        self.jobs.retain(|_, job| !job.answerer.is_over() && !job.answerer.is_deserted(now));
        let times = self.jobs.values().map(|job| {
            let speaks = (job.answerer.has_room() && job.next > now).then_some(job.next);
            speaks.map_or(job.answerer.deadline(), |next| next.min(job.answerer.deadline()))
        });
        times.min()
    }
}

struct Client {
    requester: Requester,
    got: Vec<Vec<u8>>,
    /// When it had all.
    done: Option<Duration>,
    is_over: bool,
    hungry: Duration,
}

impl Client {
    fn step(&mut self, script: &Script, network: &mut Network, now: Duration) -> Option<Duration> {
        while self.hungry <= now
            && let Some(message) = self.requester.take(now)
        {
            self.hungry = now + script.appetite;
            if message == b"end" {
                self.done = Some(now);
                self.requester.leave(now);
            } else {
                self.got.push(message);
            }
        }
        assert!(self.requester.here.len() <= WINDOW);
        while let Some(datagram) = self.requester.transmit(now).unwrap() {
            network.send(true, datagram, now);
        }
        let patience = self.done.map(|done| done + PATIENCE);
        if self.requester.has_left() || patience.is_some_and(|end| end <= now) {
            self.is_over = true;
            return None;
        }
        let deadline = self.requester.deadline();
        let deadline = patience.map_or(deadline, |end| deadline.min(end));
        Some(if self.hungry > now { deadline.min(self.hungry) } else { deadline })
    }
}

/// Runs all commands to their ends, and says when the last client had its answer.
fn converse(scripts: &[Script], weather: Weather, seed: u64) -> Duration {
    let mut network = Network { weather, dice: seed | 1, count: 0, under_way: BTreeMap::new() };
    let ids: Vec<Id> = (0..scripts.len()).map(|at| [u8::try_from(at).unwrap(); 16]).collect();
    let table = ids.iter().copied().zip(scripts.iter().cloned()).collect();
    let mut server =
        Server { scripts: table, seen: Seen::default(), runs: HashMap::new(), jobs: HashMap::new() };
    let mut now = Duration::from_secs(7);
    let mut clients: Vec<Client> = ids
        .iter()
        .map(|id| Client {
            requester: Requester::new(*id, b"token", b"command", now),
            got: Vec::new(),
            done: None,
            is_over: false,
            hungry: now,
        })
        .collect();
    loop {
        let mut next = server.step(&mut network, now);
        for (client, script) in clients.iter_mut().zip(scripts).filter(|(client, _)| !client.is_over) {
            let until = client.step(script, &mut network, now);
            next = [next, until].into_iter().flatten().min();
        }
        let arrives = network.under_way.first_key_value().map(|((at, _), _)| *at);
        let Some(later) = [next, arrives].into_iter().flatten().min() else { break };
        assert!(later > now || arrives.is_some_and(|at| at <= now), "it spins at {now:?}");
        now = later.max(now);
        while let Some(first) = network.under_way.first_entry().filter(|first| first.key().0 <= now) {
            let (to_server, datagram) = first.remove();
            if to_server {
                server.hear(&datagram, &mut network, now);
            } else {
                let (id, _) = Datagram::read(&datagram).unwrap();
                let client = &mut clients[usize::from(id[0])];
                if !client.is_over {
                    client.requester.hear(&datagram, now).unwrap();
                }
            }
        }
    }
    let done = clients.iter().filter_map(|client| client.done).max().unwrap();
    for (client, (id, script)) in clients.iter().zip(ids.iter().zip(scripts)) {
        assert!(client.is_over);
        assert_eq!(client.got, script.parts, "command {}", id[0]);
        assert_eq!(server.runs[id], 1, "command {}", id[0]);
    }
    assert!(server.jobs.is_empty());
    done - Duration::from_secs(7)
}

fn script() -> impl Strategy<Value = Script> {
    let parts = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..5), 0..60);
    let pause = prop_oneof![3 => 0_u32..3, 1 => 0_u32..700];
    let appetite = prop_oneof![3 => 0_u32..3, 1 => 0_u32..700];
    (parts, pause, appetite).prop_map(|(parts, pause, appetite)| Script {
        parts,
        pause: pause * MS,
        appetite: appetite * MS,
    })
}

fn datagram() -> impl Strategy<Value = (Id, Vec<u8>)> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..40);
    let kind = (0..7_u8, bytes(), bytes(), any::<(u64, u16, bool)>());
    (any::<Id>(), kind).prop_map(|(id, (kind, mut one, two, (next, got, asks)))| {
        let datagram = match kind {
            0 => Datagram::Ack(Ack { next, got, asks }),
            1 => Datagram::Drop,
            2 => Datagram::Gone,
            3 => Datagram::Part { number: next, message: &one },
            4 => Datagram::Refused { message: &one },
            5 => {
                // No zero byte is in a token.
                one.retain(|byte| *byte != 0);
                Datagram::Request { token: &one, command: &two }
            }
            _ => Datagram::Taken,
        };
        (id, datagram.bytes(&id))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn on_any_network_each_answer_is_whole_and_each_command_runs_once(
        scripts in prop::collection::vec(script(), 1..6),
        loss in 0_u64..250,
        doubling in 0_u64..500,
        longest in prop_oneof![Just(0_u64), 0_u64..150],
        seed: u64,
    ) {
        converse(&scripts, Weather { loss, doubling, longest }, seed);
    }

    #[test]
    fn what_is_written_is_read(pair in datagram()) {
        let (id, bytes) = pair;
        let (read_id, read) = Datagram::read(&bytes).unwrap();
        prop_assert_eq!(read_id, id);
        prop_assert_eq!(read.bytes(&id), bytes);
    }

    #[test]
    fn a_datagram_that_anybody_sent_harms_neither_side(
        pairs in prop::collection::vec(datagram(), 0..50), steps in prop::collection::vec(0_u32..900, 50),
    ) {
        let id = [7; 16];
        let (mut answerer, mut now) = (Answerer::new(id, Duration::ZERO), Duration::ZERO);
        let mut requester = Requester::new(id, b"", b"", now);
        for ((_, mut bytes), step) in pairs.into_iter().zip(steps) {
            now += step * MS;
            bytes[6..22].copy_from_slice(&id);
            if answerer.has_room() {
                answerer.push(b"part");
            }
            let (Ok(()) | Err(_)) = requester.hear(&bytes, now);
            if let Ok((_, Datagram::Ack(ack))) = Datagram::read(&bytes) {
                answerer.hear(ack, now);
            }
            requester.take(now);
            for _ in 0..100 {
                let more = answerer.transmit().is_some();
                if !more && !matches!(requester.transmit(now), Ok(Some(_))) {
                    break;
                }
            }
            prop_assert!(answerer.transmit().is_none() && !matches!(requester.transmit(now), Ok(Some(_))));
            prop_assert!(answerer.parts.len() <= WINDOW && requester.here.len() <= WINDOW);
        }
    }
}

const CALM: Weather = Weather { loss: 0, doubling: 0, longest: 0 };

fn plain(parts: usize) -> Script {
    let parts = (0..parts).map(|at| at.to_be_bytes().to_vec()).collect();
    Script { parts, pause: Duration::ZERO, appetite: Duration::ZERO }
}

#[test]
fn on_a_good_network_nothing_waits_for_a_timer() {
    assert!(converse(&[plain(1000)], CALM, 1) < FIRST_WAIT);
}

#[test]
fn a_request_that_comes_again_once_all_is_over_is_not_run_again() {
    let scripts = vec![plain(0); 100];
    converse(&scripts, Weather { loss: 0, doubling: 1000, longest: 300 }, 3);
}

#[test]
fn a_part_that_is_lost_among_others_is_sent_again_before_a_timer_runs_out() {
    let (id, now) = ([1; 16], Duration::ZERO);
    let mut answerer = Answerer::new(id, now);
    (0..5_u8).for_each(|at| answerer.push(&[at]));
    let mut sent = Vec::new();
    while let Some(datagram) = answerer.transmit() {
        sent.push(datagram.to_vec());
    }
    assert_eq!(sent.len(), 5);
    answerer.hear(Ack { next: 0, got: 0b01110, asks: false }, now + MS);
    assert_eq!(answerer.transmit(), Some(&sent[0][..]));
    assert_eq!(answerer.transmit(), None);
    answerer.hear(Ack { next: 5, got: 0, asks: false }, now + MS);
    answerer.end(b"end");
    assert!(answerer.transmit().is_some() && !answerer.is_over());
    answerer.hear(Ack { next: 6, got: 0, asks: false }, now + MS);
    assert!(answerer.is_over());
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_counts_for_nothing() {
    let (id, now) = ([1; 16], Duration::ZERO);
    let mut answerer = Answerer::new(id, now);
    answerer.push(b"one");
    answerer.hear(Ack { next: 1, got: 0, asks: false }, now);
    answerer.hear(Ack { next: 0, got: u16::MAX, asks: false }, now);
    answerer.hear(Ack { next: u64::MAX, got: u16::MAX, asks: false }, now);
    assert!(answerer.transmit().is_some());
}

#[test]
fn who_takes_nothing_is_sent_a_window_and_no_more() {
    let (id, now) = ([1; 16], Duration::ZERO);
    let (mut answerer, mut requester) = (Answerer::new(id, now), Requester::new(id, b"", b"", now));
    let mut pushed = 0;
    for _ in 0..100 {
        while answerer.has_room() {
            answerer.push(b"part");
            pushed += 1;
        }
        while let Some(datagram) = answerer.transmit() {
            requester.hear(datagram, now).unwrap();
        }
        while let Some(datagram) = requester.transmit(now).unwrap() {
            let Ok((_, Datagram::Ack(ack))) = Datagram::read(datagram) else { continue };
            answerer.hear(ack, now);
        }
    }
    assert_eq!(pushed, WINDOW);
    assert_eq!(answerer.deadline(), SILENCE, "nothing is sent again to who has it");
}

#[test]
fn who_is_silent_is_taken_to_be_gone() {
    let (id, now) = ([1; 16], Duration::ZERO);
    let (mut requester, mut answerer) = (Requester::new(id, b"", b"", now), Answerer::new(id, now));
    assert!(!answerer.is_deserted(SILENCE - MS) && answerer.is_deserted(SILENCE));
    answerer.hear_request(SILENCE - MS);
    assert!(!answerer.is_deserted(SILENCE));
    assert_eq!(requester.transmit(SILENCE), Err(RequesterError::Unanswered));
    requester.hear(&Datagram::Taken.bytes(&id), MS).unwrap();
    assert_eq!(requester.transmit(SILENCE + MS), Err(RequesterError::Silent));
    assert_eq!(requester.hear(&Datagram::Gone.bytes(&[2; 16]), MS), Ok(()));
    assert_eq!(requester.hear(&Datagram::Gone.bytes(&id), MS), Err(RequesterError::Gone));
}

#[test]
fn who_leaves_says_so_until_it_is_known() {
    let (id, now) = ([1; 16], Duration::ZERO);
    for drops in [false, true] {
        let mut requester = Requester::new(id, b"", b"", now);
        requester.hear(&Datagram::Taken.bytes(&id), now).unwrap();
        if drops {
            requester.give_up(now)
        } else {
            requester.leave(now)
        }
        for at in [now, FIRST_WAIT, FIRST_WAIT * 3] {
            let (_, said) = Datagram::read(requester.transmit(at).unwrap().unwrap()).unwrap();
            assert_eq!(matches!(said, Datagram::Ack(Ack { asks: true, .. })), !drops);
            assert_eq!(said == Datagram::Drop, drops);
            assert_eq!(requester.transmit(at), Ok(None));
        }
        requester.hear(&Datagram::Gone.bytes(&id), SILENCE - MS).unwrap();
        assert!(requester.has_left() && requester.transmit(SILENCE) == Ok(None));
    }
}

#[test]
fn a_refusal_is_told_and_one_that_comes_after_an_answer_is_not() {
    let (id, now) = ([1; 16], Duration::ZERO);
    let refusal = Datagram::Refused { message: b"why" }.bytes(&id);
    let mut requester = Requester::new(id, b"", b"", now);
    requester.hear(&refusal, now).unwrap();
    assert_eq!(requester.refusal(), Some(&b"why"[..]));
    let mut requester = Requester::new(id, b"", b"", now);
    requester.hear(&Datagram::Taken.bytes(&id), now).unwrap();
    requester.hear(&refusal, now).unwrap();
    assert_eq!(requester.refusal(), None);
}

#[test]
fn ids_are_forgotten_by_number_and_by_time() {
    let (mut seen, now) = (Seen::default(), Duration::from_secs(7));
    let id = |at: usize| u128::try_from(at).unwrap().to_be_bytes();
    assert!(seen.is_new(&id(0), now) && !seen.is_new(&id(0), now + seen::LONGEST));
    assert!(seen.is_new(&id(0), now + seen::LONGEST + MS));
    assert!((1..seen::MOST).all(|at| seen.is_new(&id(at), now + seen::LONGEST + MS)));
    assert!(!seen.is_new(&id(0), now + seen::LONGEST + MS));
    assert!(seen.is_new(&id(seen::MOST), now + seen::LONGEST + MS));
    assert!(seen.is_new(&id(0), now + seen::LONGEST + MS));
}

#[test]
fn another_version_is_told_with_the_command_and_what_is_no_datagram_is_refused() {
    let mut bytes = Datagram::Drop.bytes(&[5; 16]);
    bytes[4] = 9;
    assert_eq!(Datagram::read(&bytes), Err(DatagramError::Version { version: 9, id: [5; 16] }));
    bytes[4] = 1;
    bytes.push(0);
    assert_eq!(Datagram::read(&bytes), Err(DatagramError::Malformed));
    assert_eq!(Datagram::read(&bytes[..10]), Err(DatagramError::Malformed));
    assert_eq!(Datagram::read(b"echo hi"), Err(DatagramError::OtherProtocol));
}
