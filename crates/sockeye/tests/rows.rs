//! Schemes and layers that a program adds to ours.

use std::io;
use std::sync::Arc;

use sockeye::proto::address::{self, Form, LayerGrammar, SchemeGrammar, Written};
use sockeye::proto::shape::Shape;
use sockeye::{
    BoxFuture, Cause, Conn, Ctx, Error, Kind, Layer, Limit, Op, Result, Rows, Scheme, Terms, Wrap,
};
use tokio::time::{Duration, timeout};

use crate::lab::{Server, echo, get, put, soon};

const IDLE: Duration = Duration::from_secs(77);

/// `near:name` is what `mem:name` is.
static NEAR: Scheme = Scheme {
    grammar: SchemeGrammar {
        name: "near",
        aliases: &[],
        target: Form::Name,
        shape: Shape::Bytes,
        dials: true,
        listens: true,
        options: &[],
    },
    help: "the same as mem",
    example: "near:name",
    max_message: None,
    half_close: true,
    idle: Some(IDLE),
    dials_once: |_| false,
    runs: false,
    dial: |address, ctx| {
        Box::pin(async move { sockeye::dial(&format!("mem:{}", address.target()), ctx).await })
    },
    listen: |address, ctx| {
        Box::pin(
            async move { Ok(sockeye::listen(&format!("mem:{}", address.target()), ctx).await?.listener) },
        )
    },
};

/// `open+` asks whoever comes for a first byte, which must be a `k`; whoever dials sends none by itself.
static OPEN: Layer = Layer {
    grammar: LayerGrammar {
        name: "open",
        aliases: &[],
        written: Written::InFront,
        rank: 10,
        over: Some(Shape::Bytes),
        gives: Some(Shape::Bytes),
        speaks: None,
        options: &[],
    },
    help: "a byte that lets in",
    prepare: |address, _, _| Ok(Arc::new(Door(address.role() == address::Role::Listen))),
};

struct Door(bool);

impl Wrap for Door {
    fn wrap<'a>(&'a self, mut conn: Conn, _: &'a Ctx) -> BoxFuture<'a, Result<Conn>> {
        Box::pin(async move {
            let mut key = [0];
            if self.0 && (conn.read(&mut key).await? != 1 || key != *b"k") {
                return Err(Error::new(Op::Handshake, io::Error::from(io::ErrorKind::PermissionDenied)));
            }
            Ok(conn.layered("open", None, |io| io))
        })
    }
}

fn rows() -> Rows {
    Rows::default().with_scheme(&NEAR).with_layer(&OPEN)
}

#[tokio::test]
async fn a_scheme_and_a_layer_of_a_program_are_served_as_ours_are() {
    let (rows, ctx) = (rows(), Ctx::default());
    let listening = rows.listen("open+near:x,max-conns=3", &ctx).await.unwrap();
    assert_eq!((listening.limits.max_conns, listening.limits.idle), (3, Some(IDLE)));
    let read = address::parse_listener("open+near:x,max-conns=4", &[], rows.vocabulary()).unwrap();
    let changed = Terms::of(&listening, echo(), "test", &ctx).after(&read, echo(), "test", &ctx);
    assert_eq!(changed.unwrap().limits.max_conns, 4);

    let mut server = Server::start(listening, echo(), &ctx);
    let mut near = rows.dial("open+near:x", &ctx).await.unwrap();
    assert_eq!(near.peer().through, ["open"]);
    put(&mut near, b"k").await.unwrap();
    put(&mut near, b"hello").await.unwrap();
    assert_eq!(get(&mut near, 5).await, b"hello");
    drop(near);
    ctx.stop.drain();
    assert_eq!(server.served().await.failed, 0);
}

#[tokio::test]
async fn an_address_of_other_rows_is_refused() {
    let (rows, ctx) = (rows(), Ctx::default());
    for (word, name) in [("near:x", "near"), ("open+mem:x", "open")] {
        let foreign = address::parse(word, &[], rows.vocabulary()).unwrap();
        let error = sockeye::dial(&foreign, &ctx).await.unwrap_err();
        assert!(matches!(error.cause(), Cause::NoRow(missing) if *missing == name), "{error:?}");
        assert_eq!((error.kind(), error.op()), (Kind::Usage, Op::Dial));
        let foreign = address::parse_listener(word, &[], rows.vocabulary()).unwrap();
        assert_eq!(sockeye::listen(&foreign, &ctx).await.unwrap_err().op(), Op::Listen);
    }
}

#[tokio::test]
async fn a_row_takes_the_place_of_one_that_has_its_name() {
    static MEM: Scheme = Scheme {
        grammar: SchemeGrammar { name: "mem", ..NEAR_GRAMMAR },
        listen: sockeye::no_listener,
        dial: |_, _| Box::pin(async { Err(Error::new(Op::Dial, io::Error::from(io::ErrorKind::AddrInUse))) }),
        help: "nothing",
        example: "mem:name",
        max_message: None,
        half_close: true,
        idle: None,
        dials_once: |_| false,
        runs: false,
    };
    const NEAR_GRAMMAR: SchemeGrammar = SchemeGrammar {
        name: "near",
        aliases: &[],
        target: Form::Name,
        shape: Shape::Bytes,
        dials: true,
        listens: false,
        options: &[],
    };
    let error = Rows::default().with_scheme(&MEM).dial("mem:x", &Ctx::default()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::InUse);
}

#[tokio::test(start_paused = true)]
async fn who_hangs_in_a_handshake_holds_up_nobody_and_has_a_limit() {
    let (rows, ctx) = (rows(), Ctx::default());
    let mut listening = rows.listen("open+mem:x,handshake=5s", &ctx).await.unwrap();
    let _silent = sockeye::dial("mem:x", &ctx).await.unwrap();
    let mut knows = sockeye::dial("mem:x", &ctx).await.unwrap();
    let mut wrong = sockeye::dial("mem:x", &ctx).await.unwrap();
    // An accept that is given up loses nobody.
    for _ in 0..3 {
        timeout(Duration::from_millis(1), listening.accept()).await.unwrap_err();
    }
    put(&mut knows, b"k").await.unwrap();
    let conn = soon("who knows", listening.accept()).await.unwrap();
    assert_eq!(conn.peer().through, ["open"]);
    put(&mut wrong, b"?").await.unwrap();
    assert_eq!(soon("a refusal", listening.accept()).await.unwrap_err().kind(), Kind::NoRight);
    let late = soon("the limit", listening.accept()).await.unwrap_err();
    assert!(matches!(late.cause(), Cause::Limit(Limit::Handshake, _)), "{late:?}");
}
