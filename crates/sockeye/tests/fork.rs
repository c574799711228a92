//! Many protocols on one port: each newcomer gets the one that it speaks, and no byte is lost in finding out.
//!
//! The layers here are named as those whose clients speak first, and do the least that those would do.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use sockeye::proto::address::{Address, LayerGrammar, Written, parse_listener};
use sockeye::proto::shape::Shape;
use sockeye::{
    BoxFuture, Cause, Conn, Ctx, Ended, Error, Event, Kind, Layer, Limit, Member, Op, Protocol, Result, Rows,
    Service, Unshared, Wants, Wrap,
};
use testkit::Scratch;
use tokio::time::sleep;

use crate::lab::{Server, address, dial, event, get, local, put, rest, send_back, service};

const HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01";
const GET: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

const fn layer(
    name: &'static str,
    rank: u8,
    speaks: Option<Protocol>,
    prepare: fn(&Address, usize, &Ctx) -> Result<Arc<dyn Wrap>>,
) -> Layer {
    let (over, gives) = (Some(Shape::Bytes), Some(Shape::Bytes));
    let written = Written::InFront;
    let grammar = LayerGrammar { name, aliases: &[], written, rank, over, gives, speaks, options: &[] };
    Layer { grammar, help: "first words", prepare }
}

static TLS: Layer = layer("tls", 10, Some(Protocol::Tls), |_, _, _| Ok(Arc::new(Heard("tls", HELLO))));
static WS: Layer = layer("ws", 20, Some(Protocol::Http), |_, _, _| Ok(Arc::new(Heard("ws", GET))));

/// Reads what its clients say first, which must be just that.
struct Heard(&'static str, &'static [u8]);

impl Wrap for Heard {
    fn wrap<'a>(&'a self, mut conn: Conn, _: &'a Ctx) -> BoxFuture<'a, Result<Conn>> {
        Box::pin(async move {
            let mut heard = vec![0; self.1.len()];
            let mut filled = 0;
            while filled < heard.len() {
                match conn.read(&mut heard[filled..]).await? {
                    0 => break,
                    read => filled += read,
                }
            }
            if heard != self.1 {
                return Err(Error::new(Op::Handshake, io::Error::from(io::ErrorKind::InvalidData)));
            }
            Ok(conn.layered(self.0, None, |io| io))
        })
    }
}

fn rows() -> Rows {
    Rows::default().with_layer(&TLS).with_layer(&WS)
}

/// Says `name`, and sends back what comes.
fn saying(name: &'static str) -> Arc<dyn Service> {
    service(move |mut conn, _| async move {
        put(&mut conn, name.as_bytes()).await?;
        send_back(&mut conn).await
    })
}

fn fork(words: &[&str], speaks: &[Protocol], ctx: &Ctx) -> Result<Arc<dyn Service>> {
    let names = ["one ", "two ", "three ", "four "];
    let rows = rows();
    let addresses: Vec<Address> =
        words.iter().map(|word| parse_listener(word, &[], rows.vocabulary()).unwrap()).collect();
    let members: Vec<Member<'_>> = addresses
        .iter()
        .zip(names)
        .map(|(address, name)| {
            let (service, events) = (saying(name), ctx.events.clone());
            Member { address, name: name.trim_end(), speaks, service, events }
        })
        .collect();
    rows.fork(&members, ctx).map(|fork| fork as Arc<dyn Service>)
}

/// A server of these members, on the address that the first of them has without its layers.
async fn serve(words: &[&str], speaks: &[Protocol], ctx: &Ctx) -> (Server, String) {
    let service = fork(words, speaks, ctx).unwrap();
    let bare = parse_listener(words[0], &[], rows().vocabulary()).unwrap().without_layers();
    let listening = sockeye::listen(&bare, ctx).await.unwrap();
    let local = local(&listening);
    (Server::start(listening, service, ctx), local)
}

#[tokio::test]
async fn each_newcomer_gets_what_it_speaks_however_its_first_bytes_come() {
    let (folder, ctx) = (Scratch::new(), Ctx::default());
    let path = folder.path("socket").display().to_string();
    for (plain, tls, ws) in [
        ("tcp:127.0.0.1:0".to_owned(), "tls+tcp:127.0.0.1:0".to_owned(), "ws+tcp:127.0.0.1:0".to_owned()),
        (format!("unix:{path}"), format!("tls+unix:{path}"), format!("ws+unix:{path}")),
        ("mem:port".to_owned(), "tls+mem:port".to_owned(), "ws+mem:port".to_owned()),
    ] {
        let plain = format!("{plain},sniff=1h");
        let (_server, there) = serve(&[&plain, &tls, &ws], &[Protocol::Text], &ctx).await;
        for (first, answer) in [
            (&b"hello"[..], "one hello"),
            (HELLO, "two "),
            (GET, "three "),
            (b"GET me", "one GET me"),
            (b"NICK me", "one NICK me"),
            (b"\x16\x03\x07", "one \x16\x03\x07"),
        ] {
            for step in [1, 3, 99] {
                let mut near = dial(&there, &ctx).await;
                for piece in first.chunks(step) {
                    put(&mut near, piece).await.unwrap();
                    tokio::task::yield_now().await;
                }
                let got = get(&mut near, answer.len()).await;
                assert_eq!(String::from_utf8_lossy(&got), answer, "{there}: {first:?} by {step}");
                put(&mut near, b"more").await.unwrap();
                assert_eq!(get(&mut near, 4).await, b"more");
            }
        }
    }
}

#[tokio::test]
async fn a_connection_stays_bare_where_a_look_was_enough_and_becomes_so_again() {
    let (ctx, rows) = (Ctx::default(), rows());
    let is_bare = service(|mut conn, _| async move {
        let before = conn.bare().is_some();
        get(&mut conn, 2).await;
        let after = conn.bare().is_some();
        put(&mut conn, format!("{before} {after}").as_bytes()).await
    });
    let plain = address("tcp-l:127.0.0.1:0,sniff=1h");
    let member = Member {
        address: &plain,
        name: "bare",
        speaks: &[Protocol::Text],
        service: is_bare,
        events: ctx.events.clone(),
    };
    let service = rows.fork(&[member], &ctx).unwrap();
    let listening = sockeye::listen(&plain, &ctx).await.unwrap();
    let there = local(&listening);
    let _server = Server::start(listening, service, &ctx);
    let mut near = dial(&there, &ctx).await;
    put(&mut near, b"hi").await.unwrap();
    assert_eq!(rest(&mut near).await.unwrap(), b"true true");
    let mut near = dial(&there, &ctx).await;
    put(&mut near, b"G").await.unwrap();
    sleep(Duration::from_millis(20)).await;
    put(&mut near, b"o").await.unwrap();
    assert_eq!(rest(&mut near).await.unwrap(), b"false true");
}

#[tokio::test]
async fn who_says_nothing_or_only_half_gets_text_after_the_limit_and_at_its_end_at_once() {
    let ctx = Ctx::default();
    for limit in ["sniff=50ms", "sniff=1h"] {
        let plain = format!("tcp:127.0.0.1:0,{limit}");
        let (_server, there) = serve(&[&plain, "ws+tcp:127.0.0.1:0"], &[Protocol::Text], &ctx).await;
        for first in ["", "GE"] {
            let mut near = dial(&there, &ctx).await;
            if !first.is_empty() {
                put(&mut near, first.as_bytes()).await.unwrap();
            }
            if limit == "sniff=1h" {
                near.shutdown_write().await.unwrap();
            }
            let answer = format!("one {first}");
            assert_eq!(get(&mut near, answer.len()).await, answer.as_bytes());
            if limit == "sniff=50ms" {
                put(&mut near, b"more").await.unwrap();
                assert_eq!(get(&mut near, 4).await, b"more");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn where_nobody_takes_text_the_limit_ends_who_is_silent_and_a_stranger_is_broken_off() {
    let mut ctx = Ctx::default();
    let mut told = ctx.events.subscribe(99, Wants::Connections);
    let (_server, there) = serve(&["tls+mem:x", "ws+mem:x"], &[Protocol::Text], &ctx).await;
    let silent = dial(&there, &ctx).await;
    let why = |event| match event {
        Event::Closed { ended: Ended::Failed(error), .. } => Some(error),
        _ => None,
    };
    let error = event(&mut told, why).await;
    assert!(matches!(error.cause(), Cause::Limit(Limit::Sniff, after) if *after == Duration::from_secs(1)));
    assert_eq!((error.op(), error.kind()), (Op::Handshake, Kind::TimeLimit));
    drop(silent);
    let mut stranger = dial(&there, &ctx).await;
    put(&mut stranger, b"SSH-2.0-x").await.unwrap();
    let error = event(&mut told, why).await;
    assert!(matches!(error.cause(), Cause::Unspoken(Protocol::Ssh)), "{error:?}");
    assert_eq!(stranger.read(&mut [0; 9]).await.unwrap_err().kind(), Kind::Reset);
}

#[tokio::test]
async fn a_layer_that_two_share_is_put_on_once_and_they_are_told_apart_beyond_it() {
    let ctx = Ctx::default();
    let words = ["tls+mem:x", "ws+tls+mem:x", "mem:x"];
    let (_server, there) = serve(&words, &[Protocol::Text], &ctx).await;
    for (first, answer) in [
        ([HELLO, b"hi"].concat(), "one hi"),
        ([HELLO, GET, b"hi"].concat(), "two hi"),
        (b"hi".to_vec(), "three hi"),
    ] {
        let mut near = dial(&there, &ctx).await;
        put(&mut near, &first).await.unwrap();
        assert_eq!(get(&mut near, answer.len()).await, answer.as_bytes());
    }
}

#[tokio::test]
async fn who_cannot_be_told_apart_or_does_not_agree_is_refused() {
    let ctx = Ctx::default();
    let why = |words: &[&str]| match fork(words, &[Protocol::Text], &ctx).err().expect("refused").cause() {
        Cause::Unshared(why) => (why.clone(), why.to_string()),
        other => panic!("{other:?}"),
    };
    let (_, said) = why(&["tcp:8080", "tcp:8080"]);
    assert_eq!(said, "one tcp-l:8080 and two tcp-l:8080 cannot be told apart by what a client says first");
    let (alike, said) = why(&["ws+tcp:8080", "tcp:8080", "ws+tcp:8080"]);
    assert!(matches!(alike, Unshared::Alike { protocol: Protocol::Text, .. }), "{said}");
    let (_, said) = why(&["tcp:8080,max-conns=3", "tls+tcp:8080", "ws+tcp:8080,max-conns=4"]);
    assert_eq!(
        said,
        "three ws+tcp-l:8080 sets max-conns= otherwise than one tcp-l:8080, whose sockets it shares"
    );
    assert_eq!(why(&["mem-seq:x", "mem-seq:x"]).0, Unshared::Messages);
    assert!(fork(&["tcp:8080,max-conns=3", "tls+tcp:8080,max-conns=3"], &[Protocol::Text], &ctx).is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_goes_over_the_layers_counts_for_idle_and_for_what_is_told() {
    let mut ctx = Ctx::default();
    let mut told = ctx.events.subscribe(99, Wants::Messages);
    let (_server, there) = serve(&["mem:x,idle=10s", "tls+mem:x"], &[Protocol::Text], &ctx).await;
    let mut near = dial(&there, &ctx).await;
    put(&mut near, HELLO).await.unwrap();
    assert_eq!(get(&mut near, 4).await, b"two ");
    for _ in 0..5 {
        sleep(Duration::from_secs(8)).await;
        put(&mut near, b"tick").await.unwrap();
        assert_eq!(get(&mut near, 4).await, b"tick");
    }
    near.shutdown_write().await.unwrap();
    assert_eq!(rest(&mut near).await.unwrap(), b"");
    let counted = event(&mut told, |event| match event {
        Event::Closed { received, sent, .. } => Some((received, sent)),
        _ => None,
    });
    assert_eq!(counted.await, (20, 24));
}

#[tokio::test]
async fn a_hurry_does_not_wait_for_who_says_nothing() {
    let ctx = Ctx::default();
    let (mut server, there) = serve(&["mem:x,sniff=off", "tls+mem:x"], &[Protocol::Text], &ctx).await;
    let mut near = dial(&there, &ctx).await;
    while ctx.tallies.sum().accepted == 0 {
        tokio::task::yield_now().await;
    }
    ctx.stop.hurry();
    assert_eq!(
        (server.served().await.aborted, near.read(&mut [0]).await.unwrap_err().kind()),
        (0, Kind::Reset)
    );
}
