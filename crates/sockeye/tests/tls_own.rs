//! What surrounds `tls`: an identity of our own, files that are read again, and who is let in by its certificate.

use std::fs;

use sockeye::{
    Cause, Conn, Ctx, Event, FileFault, Kind, Limits, Newcomers, Op, Refusal, Result, State, TlsFault, Wants,
};
use testkit::{Authority, Credentials, Issued, Scratch};

use crate::lab::{Server, echo, event, get, listen, local, put, rest, soon};

/// A world that keeps what it makes in that folder.
fn keeping(scratch: &Scratch) -> Ctx {
    Ctx { state: State::at(scratch.path("state")), ..Ctx::default() }
}

/// Whether an echo comes back from whom is dialled with these options.
async fn talks(to: &str, options: &str, ctx: &Ctx) -> Result<Conn> {
    let mut conn = soon("a handshake", sockeye::dial(&format!("tls+{to},{options}"), ctx)).await?;
    put(&mut conn, b"hello").await?;
    let mut heard = [0; 5];
    // In TLS 1.3 a client learns only when it reads that its certificate was refused.
    soon("an echo", conn.read(&mut heard)).await?;
    if heard == *b"hello" { Ok(conn) } else { Err(sockeye::Error::new(Op::Read, Cause::Stopped)) }
}

#[tokio::test]
async fn who_is_given_no_certificate_makes_one_for_all_its_listeners_and_has_it_again_the_next_time() {
    let scratch = Scratch::new();
    let mut pins = Vec::new();
    for _ in 0..2 {
        let ctx = keeping(&scratch);
        for word in ["tls-l:127.0.0.1:0", "tls+mem-l:own"] {
            let listening = listen(word, &ctx).await;
            let (pinned, to) = (listening.pinned().unwrap(), local(&listening));
            pins.push(listening.pin().unwrap());
            let _server = Server::start(listening, echo(), &ctx);
            let conn = soon("a handshake", sockeye::dial(&pinned, &ctx)).await.unwrap();
            let names = conn.peer().tls.as_ref().map(|tls| tls.names.clone()).unwrap_or_default();
            assert!(names.is_empty() || names.contains(&"localhost".to_owned()), "{names:?}");
            let stranger = talks(&to, "sni=localhost", &ctx).await.unwrap_err();
            assert!(matches!(stranger.cause(), Cause::Tls(TlsFault::Certificate(_))), "{stranger:?}");
        }
    }
    assert!(pins.iter().all(|pin| *pin == pins[0]), "{pins:?}");
    let ctx = keeping(&scratch);
    assert_eq!(listen("tcp-l:127.0.0.1:0", &ctx).await.pin(), None);
    let listening = listen("tls-l:127.0.0.1:0", &ctx).await;
    assert!(listening.pinned().unwrap().starts_with("tls:127.0.0.1:"), "{:?}", listening.pinned());
    let authority = Authority::new();
    let issued = authority.self_signed("DNS:localhost");
    let given = listen(&format!("tls-l:127.0.0.1:0,{}", shows(&issued)), &ctx).await;
    assert_eq!(given.pin(), None, "who was given one knows whom it is for");
}

#[tokio::test]
async fn an_identity_that_cannot_be_kept_lasts_as_long_as_its_process_and_is_told() {
    let scratch = Scratch::new();
    fs::write(scratch.path("state"), "no folder").unwrap();
    let mut ctx = keeping(&scratch);
    let mut events = ctx.events.subscribe(64, Wants::Trouble);
    let pins = [
        listen("tls-l:127.0.0.1:0", &ctx).await.pin().unwrap(),
        listen("tls-l:127.0.0.1:0", &ctx).await.pin().unwrap(),
    ];
    assert_eq!(pins[0], pins[1]);
    let Ok(Event::IdentityUnkept { error }) = events.try_recv() else { panic!("it was not told") };
    assert_eq!(error.to_string(), format!("cannot write to {}", scratch.path("state").display()));
    assert!(events.try_recv().is_err(), "it was told twice");
    assert_ne!(listen("tls-l:127.0.0.1:0", &keeping(&scratch)).await.pin().unwrap(), pins[0]);
}

#[tokio::test]
async fn an_identity_that_is_damaged_is_an_error_and_stays_as_it_is() {
    let scratch = Scratch::new();
    let path = scratch.path("state/identity.pem");
    listen("tls-l:127.0.0.1:0", &keeping(&scratch)).await;
    let whole = fs::read_to_string(&path).unwrap();
    let other = {
        let scratch = Scratch::new();
        listen("tls-l:127.0.0.1:0", &keeping(&scratch)).await;
        fs::read_to_string(scratch.path("state/identity.pem")).unwrap()
    };
    let (key, certificate) = whole.split_at(whole.find("-----BEGIN CERTIFICATE").unwrap());
    let other_key = &other[..other.find("-----BEGIN CERTIFICATE").unwrap()];
    for (damaged, why) in [
        (String::new(), FileFault::NoCertificate),
        (key.to_owned(), FileFault::NoCertificate),
        (certificate.to_owned(), FileFault::NoKey),
        (whole[..whole.len() - 40].to_owned(), FileFault::NoPem),
        (other_key.to_owned() + certificate, FileFault::Mismatch),
    ] {
        fs::write(&path, &damaged).unwrap();
        let error = sockeye::listen("tls-l:127.0.0.1:0", &keeping(&scratch)).await.unwrap_err();
        let Cause::Tls(TlsFault::Identity(told, fault)) = error.cause() else { panic!("{error:?}") };
        assert_eq!((told.as_str(), fault), (path.to_str().unwrap(), &why), "{damaged}");
        assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
    }
}

/// What a listener or a client shows.
fn shows(issued: &Issued) -> String {
    format!("cert={},key={}", issued.certificate, issued.key)
}

/// Whom the other side has shown to be.
fn shown(conn: &Conn) -> Vec<String> {
    conn.peer().tls.as_ref().map(|tls| tls.names.clone()).unwrap_or_default()
}

#[tokio::test]
async fn files_that_were_exchanged_hold_for_newcomers_on_both_sides_once_they_are_read_and_those_inside_stay()
{
    let (here, there) = (Credentials::of("one"), Credentials::of("alice"));
    let ctx = Ctx::default();
    let listening =
        listen(&format!("tls-l:127.0.0.1:0,{},client-ca={}", here.shown(), there.path("ca")), &ctx).await;
    let to = format!("tls+{},{},ca={}", local(&listening), there.shown(), here.path("ca"));
    let _server = Server::start(listening, echo(), &ctx);
    let [first, second] =
        ["one", "two"].map(|name| sockeye::dialler(&format!("{to},sni={name}"), &ctx).unwrap());
    let mut before = soon("a handshake", first.dial(&ctx)).await.unwrap();
    put(&mut before, b"before").await.unwrap();
    assert_eq!(get(&mut before, 6).await, b"before");
    assert_eq!(shown(&before), ["one"]);

    here.exchange("two");
    there.exchange("bob");
    let error = soon("a handshake", second.dial(&ctx)).await.unwrap_err();
    assert!(matches!(error.cause(), Cause::Tls(_)), "it was not read again yet: {error:?}");
    assert_eq!(ctx.reloads.read().unwrap().apply().len(), 3);
    let mut after = soon("a handshake", second.dial(&ctx)).await.unwrap();
    put(&mut after, b"after").await.unwrap();
    assert_eq!(get(&mut after, 5).await, b"after");
    assert_eq!(shown(&after), ["two"]);
    put(&mut before, b"still").await.unwrap();
    assert_eq!(get(&mut before, 5).await, b"still");
}

#[tokio::test]
async fn where_one_file_is_broken_all_go_on_with_what_they_had() {
    let (one, two) = (Credentials::of("localhost"), Credentials::of("localhost"));
    let ctx = Ctx::default();
    let mut places = Vec::new();
    for files in [&one, &two] {
        fs::copy(files.path("ca"), files.path("first ca")).unwrap();
        let listening = listen(&format!("tls-l:127.0.0.1:0,{}", files.shown()), &ctx).await;
        let to = (local(&listening), format!("sni=localhost,ca={}", files.path("first ca")));
        places.push((to, Server::start(listening, echo(), &ctx)));
    }
    one.exchange("localhost");
    fs::write(two.path("key"), "no key").unwrap();
    let error = ctx.reloads.read().unwrap_err();
    let Cause::Tls(TlsFault::File(path, FileFault::NoKey)) = error.cause() else { panic!("{error:?}") };
    assert_eq!(*path, two.path("key"));
    for ((to, options), _) in &places {
        talks(to, options, &ctx).await.unwrap();
    }
    ctx.stop.drain();
    for (_, mut server) in places {
        server.served().await;
    }
    assert!(ctx.reloads.read().is_ok(), "what is gone is still read");
}

/// A listener with these rules, the certificates that its clients may show, and what becomes of these.
struct Door {
    ours: Credentials,
    clients: Authority,
}

impl Door {
    fn new() -> Self {
        Self { ours: Credentials::of("localhost"), clients: Authority::new() }
    }

    fn word(&self, rules: &str) -> String {
        let ca = self.clients.certificate();
        format!("tls-l:127.0.0.1:0,{},client-ca={ca}{rules}", self.ours.shown())
    }

    /// Whether somebody with a certificate for `name`, of its authority, is served.
    async fn lets_in(&self, to: &str, name: &str, ctx: &Ctx) -> bool {
        let issued = self.clients.issue(&format!("DNS:{name}"));
        let options = format!("sni=localhost,ca={},{}", self.ours.path("ca"), shows(&issued));
        let Ok(mut conn) = talks(to, &options, ctx).await else { return false };
        // What is dropped would look cut.
        conn.shutdown_write().await.unwrap();
        assert_eq!(rest(&mut conn).await.unwrap(), b"");
        true
    }
}

#[tokio::test]
async fn rules_let_in_and_keep_out_by_the_names_in_certificates() {
    let door = Door::new();
    for (rules, alice, bob) in [
        ("", true, true),
        (",allow=cert:alice", true, false),
        (",allow=cert:alice,allow=cert:BOB", true, true),
        (",deny=cert:bob", true, false),
        (",allow=cert:alice,deny=cert:alice", false, false),
        (",allow=cert:alice,allow=127.0.0.1", true, true),
        (",allow=cert:alice,allow=10.0.0.0/8", true, false),
        (",allow=10.0.0.0/8", false, false),
        (",allow=cert:alice,deny=127.0.0.1", false, false),
    ] {
        let ctx = Ctx::default();
        let listening = listen(&door.word(rules), &ctx).await;
        let to = local(&listening);
        let _server = Server::start(listening, echo(), &ctx);
        let let_in = [door.lets_in(&to, "alice", &ctx).await, door.lets_in(&to, "bob", &ctx).await];
        assert_eq!(let_in, [alice, bob], "{rules}");
    }
}

#[tokio::test]
async fn who_resumes_a_session_is_known_by_the_certificate_that_it_showed_at_first() {
    let (door, ctx) = (Door::new(), Ctx::default());
    for (min, name, is_let_in) in [("1.3", "alice", true), ("1.2", "alice", true), ("1.3", "bob", false)] {
        let listening = listen(&door.word(",allow=cert:alice"), &ctx).await;
        let to = local(&listening);
        let _server = Server::start(listening, echo(), &ctx);
        let issued = door.clients.issue(&format!("DNS:{name}"));
        let options = format!("sni=localhost,ca={},{},min={min}", door.ours.path("ca"), shows(&issued));
        let dialler = sockeye::dialler(&format!("tls+{to},{options}"), &ctx).unwrap();
        for _ in 0..3 {
            let mut conn = soon("a handshake", dialler.dial(&ctx)).await.unwrap();
            let heard = async {
                put(&mut conn, b"hello").await?;
                conn.shutdown_write().await?;
                rest(&mut conn).await
            };
            assert_eq!(
                soon("an echo", heard).await.is_ok_and(|heard| heard == b"hello"),
                is_let_in,
                "{name}"
            );
        }
    }
}

#[tokio::test]
async fn who_is_refused_for_its_certificate_is_reset_counted_and_told() {
    let door = Door::new();
    let mut ctx = Ctx::default();
    let mut events = ctx.events.subscribe(64, Wants::Trouble);
    let listening = listen(&door.word(",allow=cert:alice"), &ctx).await;
    let (to, tally) = (local(&listening), listening.tally.clone());
    let mut server = Server::start(listening, echo(), &ctx);
    let issued = door.clients.issue("DNS:bob");
    let options = format!("sni=localhost,ca={},{}", door.ours.path("ca"), shows(&issued));
    let refused = async {
        let mut conn = sockeye::dial(&format!("tls+{to},{options}"), &ctx).await?;
        rest(&mut conn).await
    };
    assert_eq!(soon("a reset", refused).await.unwrap_err().kind(), Kind::Reset);
    let pick = |event| match event {
        Event::Refused { why, newcomers, peer, .. } => Some((why, newcomers, peer)),
        other => panic!("{other:?}"),
    };
    let (why, newcomers, peer) = event(&mut events, pick).await;
    assert_eq!((why, newcomers), (Refusal::NotAllowed, 1));
    assert_eq!(peer.tls.as_ref().unwrap().names, ["bob"]);
    assert!(door.lets_in(&to, "alice", &ctx).await);
    ctx.stop.drain();
    let served = server.served().await;
    let totals = tally.totals();
    assert_eq!((totals.refused.get("not-allowed"), totals.failed, totals.accepted), (Some(&1), 0, 2));
    assert_eq!(served.aborted, 0);
}

#[tokio::test]
async fn the_other_way_to_accept_judges_certificates_too() {
    let door = Door::new();
    let ctx = Ctx::default();
    let mut listening = listen(&door.word(",allow=cert:alice"), &ctx).await;
    let to = local(&listening);
    for (name, is_let_in) in [("bob", false), ("alice", true)] {
        let issued = door.clients.issue(&format!("DNS:{name}"));
        let options = format!("sni=localhost,ca={},{}", door.ours.path("ca"), shows(&issued));
        let to = format!("tls+{to},{options}");
        let (_near, far) =
            soon("a handshake", async { tokio::join!(sockeye::dial(&to, &ctx), listening.accept()) }).await;
        match far {
            Ok(far) => assert!(is_let_in && shown(&far) == [name], "{name}"),
            Err(error) => {
                assert!(
                    !is_let_in && matches!(error.cause(), Cause::NotAdmitted(Refusal::NotAllowed)),
                    "{error:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn what_is_for_our_user_alone_is_open_to_other_machines_only_for_certificates_that_are_named() {
    let door = Door::new();
    let limits = Limits { newcomers: Newcomers::Ours, ..Limits::default() };
    let ctx = Ctx { limits, ..Ctx::default() };
    let anywhere = |rules: &str| door.word(rules).replacen("127.0.0.1", "any", 1);
    for rules in ["", ",allow=127.0.0.1", ",deny=cert:bob"] {
        let error = sockeye::listen(&anywhere(rules), &ctx).await.unwrap_err();
        assert!(matches!(error.cause(), Cause::OpenToOthers), "{rules}: {error:?}");
    }
    let listening = listen(&anywhere(",allow=cert:alice"), &ctx).await;
    let to = local(&listening).replace("0.0.0.0", "127.0.0.1");
    let _server = Server::start(listening, echo(), &ctx);
    // These are our own user's, who comes in without an allow; from another machine only alice would.
    assert!(door.lets_in(&to, "alice", &ctx).await);
    assert!(door.lets_in(&to, "bob", &ctx).await);
    let without = format!("sni=localhost,ca={}", door.ours.path("ca"));
    assert!(talks(&to, &without, &ctx).await.is_err(), "it has shown no certificate");
}
