//! Terms that change while a listener is served: newcomers get the new ones, and nobody who is inside notices.

use std::sync::Arc;
use std::time::Duration;

use sockeye::{
    BoxFuture, Conn, Ctx, Datagrams, Event, Limits, Message, Replies, Result, Served, Service, Terms, Wants,
};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::lab::{address, dial, event, get, listen, local, put, receive, rest, send_back, service, soon};

/// `serve_on` in a task of its own.
struct Server {
    terms: watch::Sender<Terms>,
    tasks: JoinSet<Served>,
    local: String,
}

impl Server {
    async fn start(word: &str, service: Arc<dyn Service>, ctx: &Ctx) -> Self {
        let listening = listen(word, ctx).await;
        let local = local(&listening);
        let (terms, changes) = watch::channel(Terms::of(&listening, service, "test", ctx));
        let (mut tasks, ctx) = (JoinSet::new(), ctx.clone());
        tasks.spawn(async move { sockeye::serve_on(listening, changes, &ctx).await });
        Self { terms, tasks, local }
    }

    /// As another address at the same place, and another service, say.
    fn follow(&self, word: &str, service: Arc<dyn Service>, name: &str, ctx: &Ctx) {
        let next = self.terms.borrow().after(&address(word), service, name, ctx).unwrap();
        self.terms.send_replace(next);
    }

    fn change(&self, change: impl FnOnce(&mut Terms)) {
        self.terms.send_modify(change);
    }

    async fn served(&mut self) -> Served {
        soon("serve to return", self.tasks.join_next()).await.unwrap().unwrap()
    }
}

/// A service that says `name`, and then sends back what comes.
fn saying(name: &'static str) -> Arc<dyn Service> {
    service(move |mut conn, _| async move {
        put(&mut conn, name.as_bytes()).await?;
        send_back(&mut conn).await
    })
}

/// Answers each datagram with its own name, without sessions.
struct Answers(&'static str);

impl Service for Answers {
    fn serve<'a>(&'a self, mut conn: Conn, _: &'a Ctx) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let mut message = Message::default();
            while conn.receive(&mut message).await? {
                conn.send(format!("{} in a session", self.0).as_bytes()).await?;
            }
            Ok(())
        })
    }

    fn as_datagrams(&self) -> Option<&dyn Datagrams> {
        Some(self)
    }
}

impl Datagrams for Answers {
    fn answer(&self, _: &Message, replies: &mut Replies, _: &Ctx) {
        replies.add().extend_from_slice(self.0.as_bytes());
    }
}

#[tokio::test(start_paused = true)]
async fn who_comes_after_a_change_gets_the_new_service_and_who_came_before_keeps_the_old() {
    let ctx = Ctx::default();
    let mut server = Server::start("mem-l:x", saying("old"), &ctx).await;
    let mut before = dial("mem:x", &ctx).await;
    assert_eq!(get(&mut before, 3).await, b"old");
    server.follow("mem-l:x", saying("new"), "other", &ctx);
    let mut after = dial("mem:x", &ctx).await;
    assert_eq!(get(&mut after, 3).await, b"new");
    put(&mut before, b"still here").await.unwrap();
    assert_eq!(get(&mut before, 10).await, b"still here");

    let listed = ctx.tallies.list();
    let open: Vec<_> = listed.iter().map(|listed| (&*listed.service, listed.totals().open)).collect();
    assert_eq!(open, [("test", 1), ("other", 1)]);
    drop((before, after));
    ctx.stop.drain();
    assert_eq!(server.served().await.accepted, 2);
}

#[tokio::test(start_paused = true)]
async fn with_less_room_nobody_has_to_leave_and_newcomers_wait_until_enough_have() {
    let ctx = Ctx::default();
    let mut server = Server::start("mem-l:x,max-conns=3", saying("."), &ctx).await;
    let mut inside = Vec::new();
    for _ in 0..3 {
        inside.push(dial("mem:x", &ctx).await);
        assert_eq!(get(inside.last_mut().unwrap(), 1).await, b".");
    }
    server.change(|terms| terms.limits.max_conns = 2);
    let mut newcomer = dial("mem:x", &ctx).await;
    let hour = Duration::from_secs(3600);
    inside.pop();
    assert!(timeout(hour, newcomer.read(&mut [0])).await.is_err(), "three are inside");
    for conn in &mut inside {
        put(conn, b"hi").await.unwrap();
        assert_eq!(get(conn, 2).await, b"hi");
    }
    inside.pop();
    assert_eq!(get(&mut newcomer, 1).await, b".");
    let idle = Some(Duration::from_secs(5));
    server.change(|terms| terms.limits = Limits { max_conns: 9, idle, ..terms.limits });
    let mut more = dial("mem:x", &ctx).await;
    assert_eq!(get(&mut more, 1).await, b".");
    assert_eq!(rest(&mut more).await.unwrap(), b"", "it is ended for being idle");
    sleep(hour).await;
    put(&mut newcomer, b"no limit when I came").await.unwrap();
    assert_eq!(get(&mut newcomer, 20).await, b"no limit when I came");
    drop((inside, newcomer));
    ctx.stop.drain();
    server.served().await;
}

#[tokio::test(start_paused = true)]
async fn once_nobody_can_change_the_terms_nobody_new_comes_in_and_those_inside_have_all_the_time_they_want() {
    let ctx = Ctx::default();
    let Server { terms, mut tasks, .. } = Server::start("mem-l:x,drain=1s", saying("."), &ctx).await;
    let mut inside = dial("mem:x", &ctx).await;
    assert_eq!(get(&mut inside, 1).await, b".");
    drop(terms);
    assert!(timeout(Duration::from_secs(86_400), tasks.join_next()).await.is_err(), "somebody was cut off");
    let refused = sockeye::dial(&address("mem:x"), &ctx).await;
    assert_eq!(refused.unwrap_err().kind(), sockeye::Kind::Refused);
    put(&mut inside, b"hi").await.unwrap();
    assert_eq!(get(&mut inside, 2).await, b"hi");
    drop(inside);
    let served = soon("serve to return", tasks.join_next()).await.unwrap().unwrap();
    assert_eq!((served.accepted, served.failed, served.outstayed), (1, 0, 0));
}

#[tokio::test]
async fn a_service_without_sessions_gives_way_to_another_and_to_one_with_sessions() {
    for word in ["udp-l:127.0.0.1:0", "mem-seq-l:answers"] {
        let ctx = Ctx::default();
        let mut server = Server::start(word, Arc::new(Answers("one")), &ctx).await;
        let mut peer = dial(&server.local, &ctx).await;
        let mut said = async |text: &[u8]| {
            peer.send(text).await.unwrap();
            String::from_utf8(receive(&mut peer).await.payload).unwrap()
        };
        assert_eq!(said(b"?").await, "one", "{word}");
        server.change(|terms| terms.service = Arc::new(Answers("two")));
        assert_eq!(said(b"?").await, "two", "{word}");
        server
            .change(|terms| terms.service = service(|mut conn, _| async move { send_back(&mut conn).await }));
        assert_eq!(said(b"a session").await, "a session", "{word}");
        // There is no way back: this one came when there were sessions.
        server.change(|terms| terms.service = Arc::new(Answers("three")));
        assert_eq!(said(b"still").await, "still", "{word}");
        let mut other = dial(&server.local, &ctx).await;
        other.send(b"?").await.unwrap();
        assert_eq!(receive(&mut other).await.payload, b"three in a session", "{word}");
        drop((peer, other));
        ctx.stop.hurry();
        server.served().await;
    }
}

#[tokio::test]
async fn datagram_peers_keep_the_limits_that_they_came_with() {
    let ctx = Ctx::default();
    let echo = service(|mut conn, _| async move { send_back(&mut conn).await });
    let mut server = Server::start("udp-l:127.0.0.1:0,idle=1h", echo, &ctx).await;
    let (mut patient, mut hasty) = (dial(&server.local, &ctx).await, dial(&server.local, &ctx).await);
    patient.send(b"hi").await.unwrap();
    assert_eq!(receive(&mut patient).await.payload, b"hi");
    server.change(|terms| terms.limits.idle = Some(Duration::from_millis(50)));
    hasty.send(b"hi").await.unwrap();
    assert_eq!(receive(&mut hasty).await.payload, b"hi");
    let open = || ctx.tallies.list()[0].totals().open;
    let one_left = async {
        while open() != 1 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    soon("the one with little patience to be taken for gone", one_left).await;
    patient.send(b"still").await.unwrap();
    assert_eq!(receive(&mut patient).await.payload, b"still");
    assert_eq!(ctx.tallies.list()[0].totals().accepted, 2);
    ctx.stop.hurry();
    server.served().await;
}

#[tokio::test]
async fn rules_hold_for_newcomers_alone_and_count_those_inside() {
    let ctx = Ctx::default();
    let mut server = Server::start("tcp-l:127.0.0.1:0,max-per-peer=5", saying("."), &ctx).await;
    let mut inside = dial(&server.local, &ctx).await;
    assert_eq!(get(&mut inside, 1).await, b".");
    let refused = async || dial(&server.local, &ctx).await.read(&mut [0]).await.is_err();
    server.follow("tcp-l:127.0.0.1:0,max-per-peer=1", saying("."), "test", &ctx);
    assert!(refused().await, "one is inside");
    server.follow("tcp-l:127.0.0.1:0,deny=127.0.0.1", saying("."), "test", &ctx);
    assert!(refused().await, "it is denied");
    server.follow("tcp-l:127.0.0.1:0", saying("."), "test", &ctx);
    assert!(!refused().await, "there are no rules");
    put(&mut inside, b"still here").await.unwrap();
    assert_eq!(get(&mut inside, 10).await, b"still here");
    let wrong = address("tcp-l:127.0.0.1:0,allow=nobody-of-this-name");
    let failed = server.terms.borrow().after(&wrong, saying("."), "test", &ctx).unwrap_err();
    assert_eq!(failed.kind(), sockeye::Kind::Usage, "{}", failed.cause());
    let totals = ctx.tallies.list()[0].totals();
    assert_eq!((totals.accepted, totals.refused.values().sum::<u64>()), (2, 2), "{totals:?}");
    drop(inside);
    ctx.stop.hurry();
    server.served().await;
}

#[tokio::test]
async fn those_whom_the_rules_before_refused_are_told_when_others_follow() {
    let mut ctx = Ctx::default();
    let mut events = ctx.events.subscribe(64, Wants::Trouble);
    let mut server = Server::start("tcp-l:127.0.0.1:0,deny=127.0.0.1", saying("."), &ctx).await;
    for _ in 0..3 {
        // The reset may be there before the connection is used.
        if let Ok(mut refused) = sockeye::dial(&address(&server.local), &ctx).await {
            refused.read(&mut [0]).await.unwrap_err();
        }
    }
    server.follow("tcp-l:127.0.0.1:0", saying("."), "test", &ctx);
    let mut told = 0;
    while told < 3 {
        told += event(&mut events, |event| match event {
            Event::Refused { newcomers, .. } => Some(newcomers),
            _ => None,
        })
        .await;
    }
    assert_eq!(told, 3);
    ctx.stop.hurry();
    server.served().await;
}
