//! `tls`: who is trusted, what is said of who is not, and that bytes go through whole.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use sockeye::{
    Alert, Cause, CertificateFault, Clock, Conn, Ctx, Error, Event, FileFault, Kind, Limit, Op, Result, Size,
    TlsFault, Wants,
};
use testkit::{Authority, Issued, Scratch};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::lab::{Server, address, assert_same, dial, echo, event, get, listen, local, numbered, rest, soon};

/// An authority, and a certificate of it for `localhost` and 127.0.0.1.
fn certified() -> (Authority, Issued) {
    let authority = Authority::new();
    let issued = authority.issue("DNS:localhost,IP:127.0.0.1");
    (authority, issued)
}

/// What a listener shows.
fn shows(issued: &Issued) -> String {
    format!("cert={},key={}", issued.certificate, issued.key)
}

/// Both ends, of a listener with these options and who dials it with those.
async fn ends(listened: &str, dialled: &str, ctx: &Ctx) -> (Result<Conn>, Result<Conn>) {
    let mut listening = listen(&format!("tls-l:127.0.0.1:0,{listened}"), ctx).await;
    let there = format!("tls+{},{dialled}", local(&listening));
    soon("a handshake", async { tokio::join!(sockeye::dial(&there, ctx), listening.accept()) }).await
}

/// The two ends of a connection between those who trust each other.
async fn joined(options: &str, ctx: &Ctx) -> (Conn, Conn) {
    let (authority, issued) = certified();
    let ca = format!("ca={}", authority.certificate());
    let (near, far) = ends(&format!("{}{options}", shows(&issued)), &ca, ctx).await;
    (near.unwrap(), far.unwrap())
}

/// Why whoever dials with these options does not talk to whoever shows that.
async fn refused(issued: &Issued, options: &str, ctx: &Ctx) -> TlsFault {
    let (near, _) = ends(&shows(issued), options, ctx).await;
    fault(&near.expect_err("it talks"))
}

fn fault(error: &Error) -> TlsFault {
    let Cause::Tls(fault) = error.cause() else { panic!("{error:?}") };
    fault.clone()
}

#[tokio::test]
async fn bytes_go_both_ways_at_once_and_come_out_as_they_went_in() {
    for min in ["1.2", "1.3"] {
        let ctx = Ctx::default();
        let (near, far) = joined(&format!(",min={min}"), &ctx).await;
        let (one, other) = (numbered(3_000_000), numbered(5_000_001));
        let (mut near_reads, mut near_writes) = near.split();
        let (mut far_reads, mut far_writes) = far.split();
        let send = async |half: &mut sockeye::WriteHalf, bytes: &[u8]| {
            half.write_all(bytes).await.unwrap();
            half.shutdown_write().await.unwrap();
        };
        let all = async |half: &mut sockeye::ReadHalf| {
            let (mut all, mut buffer) = (Vec::new(), vec![0; 100_000]);
            loop {
                match half.read(&mut buffer).await.unwrap() {
                    0 => return all,
                    read => all.extend_from_slice(&buffer[..read]),
                }
            }
        };
        let ((), (), got_near, got_far) = soon("both ways", async {
            tokio::join!(
                send(&mut near_writes, &one),
                send(&mut far_writes, &other),
                all(&mut near_reads),
                all(&mut far_reads),
            )
        })
        .await;
        assert_same(&got_near, &other);
        assert_same(&got_far, &one);
    }
}

/// Keys are changed often where much goes through: by the peer, which asks for another one of ours each time.
#[tokio::test]
async fn bytes_go_on_when_the_peer_changes_its_key_and_asks_for_ours() {
    let (authority, issued) = certified();
    let ctx = Ctx::default();
    let listening = listen(&format!("tls-l:127.0.0.1:0,{}", shows(&issued)), &ctx).await;
    let port = local(&listening).rsplit(':').next().unwrap().to_owned();
    let _server = Server::start(listening, echo(), &ctx);
    let ca = authority.certificate();
    let talked = tokio::task::spawn_blocking(move || {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
        let config =
            ClientConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let socket = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut peer = StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), socket);
        let said = numbered(40_000);
        for _ in 0..4 {
            let mut heard = vec![0; said.len()];
            peer.write_all(&said).unwrap();
            peer.read_exact(&mut heard).unwrap();
            assert_same(&heard, &said);
            peer.conn.refresh_traffic_keys().unwrap();
        }
    });
    talked.await.unwrap();
}

#[tokio::test]
async fn only_who_is_vouched_for_by_name_is_talked_to() {
    let (authority, issued) = certified();
    let (ctx, ca) = (Ctx::default(), format!("ca={}", authority.certificate()));
    let (near, far) = ends(&shows(&issued), &ca, &ctx).await;
    let (near, far) = (near.unwrap(), far.unwrap());
    let told = near.peer().tls.clone().unwrap();
    assert_eq!((told.version, told.chain.len()), ("1.3", 1));
    assert_eq!(told.names, ["localhost", "127.0.0.1"]);
    assert_eq!(near.peer().through, ["tls"]);
    assert!(far.peer().tls.as_ref().is_some_and(|told| told.chain.is_empty() && told.server_name.is_none()));

    let stranger = refused(&issued, "sni=localhost", &ctx).await;
    let TlsFault::Certificate(CertificateFault::Untrusted { issuer, is_self_issued: false, pin: Some(pin) }) =
        stranger
    else {
        panic!("{stranger:?}")
    };
    assert_eq!(issuer, "CN=Test Authority, O=Sockeye");
    assert_eq!(pin.to_string(), authority.pin(&issued.certificate));
    let other = refused(&issued, &format!("{ca},sni=other.example"), &ctx).await;
    assert_eq!(other.to_string(), "the certificate is for localhost, 127.0.0.1, and not for other.example");
}

#[tokio::test]
async fn a_pin_takes_the_place_of_names_and_issuers_but_not_of_the_key() {
    let (authority, issued) = certified();
    let ctx = Ctx::default();
    let pin = authority.pin(&issued.certificate);
    let other = "pin=sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let (near, _far) = ends(&shows(&issued), &format!("{other},pin={pin},sni=other.example"), &ctx).await;
    let near = near.unwrap();
    let told = near.peer().tls.clone().unwrap();
    assert!(told.chain.len() == 1 && told.names.is_empty(), "nobody vouches for names: {told:?}");
    let fault = refused(&issued, other, &ctx).await;
    assert_eq!(fault.to_string(), format!("the certificate does not have the pinned key, but {pin}"));

    // Without a host there is nothing to check but the key.
    let folder = Scratch::new();
    let path = folder.path("s").display().to_string();
    let mut listening = listen(&format!("tls+unix-l:{path},{}", shows(&issued)), &ctx).await;
    let there = format!("tls+unix:{path}");
    let unnamed = sockeye::dial(&there, &ctx).await.unwrap_err();
    assert_eq!((self::fault(&unnamed), unnamed.kind()), (TlsFault::NoName, Kind::Usage));
    for options in [format!("pin={pin}"), format!("sni=localhost,ca={}", authority.certificate())] {
        let word = format!("{there},{options}");
        let (near, far) = tokio::join!(sockeye::dial(&word, &ctx), listening.accept());
        assert_eq!(
            far.unwrap().peer().tls.as_ref().unwrap().server_name.is_some(),
            options.starts_with("sni")
        );
        near.unwrap();
    }
}

#[tokio::test]
async fn whoever_turns_verification_off_is_told_so_each_time() {
    let (_authority, issued) = certified();
    let mut ctx = Ctx::default();
    let mut events = ctx.events.subscribe(9, Wants::Trouble);
    for _ in 0..2 {
        let (near, _far) = ends(&shows(&issued), "verify=no", &ctx).await;
        assert!(near.unwrap().peer().tls.as_ref().unwrap().names.is_empty());
        let told = event(&mut events, |event| match event {
            Event::Unverified { address } => Some(address),
            _ => None,
        });
        assert!(told.await.starts_with("tls+tcp:127.0.0.1:"));
    }
}

/// Far from now, by our clock.
fn at(year: u64) -> Clock {
    match year {
        2020 => Clock::new(|| UNIX_EPOCH + Duration::from_secs(1_577_880_000)),
        _ => Clock::new(|| SystemTime::UNIX_EPOCH + Duration::from_secs(4_102_444_800)),
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_valid_yet_or_no_longer_is_refused_with_its_day() {
    let (authority, issued) = certified();
    let ca = format!("ca={}", authority.certificate());
    let says = async |year| refused(&issued, &ca, &Ctx { clock: at(year), ..Ctx::default() }).await;
    let early = says(2020).await;
    assert!(
        matches!(&early, TlsFault::Certificate(CertificateFault::NotYet(day)) if day.starts_with("20")),
        "{early:?}"
    );
    let late = says(2100).await;
    let TlsFault::Certificate(CertificateFault::Expired(day)) = &late else { panic!("{late:?}") };
    let digits = day.split('-').map(str::len).collect::<Vec<_>>();
    assert_eq!((digits, late.to_string()), (vec![4, 2, 2], format!("the certificate expired on {day}")));
}

/// As `openssl req -x509` makes it: it might vouch for others, and is shown itself.
#[tokio::test]
async fn who_is_trusted_by_its_own_certificate_may_show_it_for_its_names_and_days_alone() {
    let (authority, ctx) = (Authority::new(), Ctx::default());
    let (server, client) = (authority.self_signed("DNS:localhost"), authority.self_signed("DNS:client"));
    let ca = format!("ca={}", server.certificate);
    let listened = format!("{},client-ca={}", shows(&server), client.certificate);
    let (near, far) = ends(&listened, &format!("{ca},sni=localhost,{}", shows(&client)), &ctx).await;
    assert_eq!(near.unwrap().peer().tls.as_ref().unwrap().names, ["localhost"]);
    assert_eq!(far.unwrap().peer().tls.as_ref().unwrap().names, ["client"]);

    let other = refused(&server, &format!("{ca},sni=other.example"), &ctx).await;
    assert!(matches!(other, TlsFault::Certificate(CertificateFault::WrongName { .. })), "{other:?}");
    let late = Ctx { clock: at(2100), ..Ctx::default() };
    let late = refused(&server, &format!("{ca},sni=localhost"), &late).await;
    assert!(matches!(late, TlsFault::Certificate(CertificateFault::Expired(_))), "{late:?}");
    let stranger = authority.self_signed("DNS:localhost");
    let stranger = refused(&stranger, &format!("{ca},sni=localhost"), &ctx).await;
    assert!(matches!(stranger, TlsFault::Certificate(CertificateFault::Untrusted { .. })), "{stranger:?}");
    let (near, far) = ends(&listened, &format!("{ca},sni=localhost,{}", shows(&server)), &ctx).await;
    assert!(matches!(fault(&far.unwrap_err()), TlsFault::Certificate(_)), "{near:?}");
}

#[tokio::test]
async fn who_vouches_for_itself_is_told_from_who_is_vouched_for_by_a_stranger() {
    let authority = Authority::new();
    let ca = format!("ca={}", authority.certificate());
    let fault =
        refused(&authority.self_signed("DNS:localhost"), &format!("{ca},sni=localhost"), &Ctx::default())
            .await;
    assert!(
        matches!(&fault, TlsFault::Certificate(CertificateFault::Untrusted { is_self_issued: true, .. })),
        "{fault:?}"
    );
    assert_eq!(fault.to_string(), "the certificate is issued by itself, CN=alone");
}

#[tokio::test]
async fn a_client_must_show_a_certificate_where_that_is_asked_for_and_learns_why_it_may_not_come_in() {
    let (authority, issued) = certified();
    let (stranger, ctx) = (Authority::new(), Ctx::default());
    let foreign = stranger.self_signed("DNS:me.example");
    let listened = format!("{},client-ca={}", shows(&issued), authority.certificate());
    let ca = format!("ca={}", authority.certificate());
    for min in ["1.2", "1.3"] {
        for (shown, at_server, alerts) in [
            (String::new(), "the peer has shown no certificate", [116, 40]),
            (format!(",{}", shows(&foreign)), "the certificate is issued by itself, CN=alone", [48, 46]),
        ] {
            let versions = if min == "1.3" { ",min=1.3" } else { "" };
            let (near, far) = ends(&listened, &format!("{ca}{versions}{shown}"), &ctx).await;
            assert_eq!(fault(&far.unwrap_err()).to_string(), at_server);
            // With TLS 1.3 the client is done before it is refused.
            let mut near = near.unwrap();
            let refused = soon("an alert", near.read(&mut [0; 9])).await.unwrap_err();
            let TlsFault::Alert(Alert(alert)) = fault(&refused) else { panic!("{refused:?}") };
            assert!(alerts.contains(&alert), "{alert}");
        }
    }
    let own = authority.issue("DNS:me.example");
    let (near, far) = ends(&listened, &format!("{ca},{}", shows(&own)), &ctx).await;
    near.unwrap();
    assert_eq!(far.unwrap().peer().tls.as_ref().unwrap().names, ["me.example"]);
}

#[tokio::test]
async fn the_first_protocol_of_the_listener_that_the_other_side_has_too_is_agreed_on() {
    let (authority, issued) = certified();
    let ctx = Ctx::default();
    let ca = format!("ca={}", authority.certificate());
    let listened = format!("{},alpn=h2,alpn=http/1.1", shows(&issued));
    for (asked, agreed) in
        [("alpn=http/1.1,alpn=h2", Some("h2")), ("alpn=http/1.1", Some("http/1.1")), ("min=1.2", None)]
    {
        let (near, far) = ends(&listened, &format!("{ca},sni=localhost,{asked}"), &ctx).await;
        for conn in [near.unwrap(), far.unwrap()] {
            let told = conn.peer().tls.clone().unwrap();
            assert_eq!(told.alpn.as_deref(), agreed.map(str::as_bytes), "{asked}");
            let asked_for = told.server_name.as_ref().is_none_or(|name| name == "localhost");
            assert!(asked_for);
        }
    }
    let (near, far) = ends(&listened, &format!("{ca},alpn=other"), &ctx).await;
    assert_eq!(fault(&near.unwrap_err()), TlsFault::Alert(Alert(120)));
    assert_eq!(fault(&far.unwrap_err()), TlsFault::NoCommonProtocol);
}

#[tokio::test]
async fn a_peer_without_tls_is_named_as_such_on_either_side() {
    let (authority, issued) = certified();
    let ctx = Ctx::default();
    let mut listening = listen(&format!("tls-l:127.0.0.1:0,{}", shows(&issued)), &ctx).await;
    let mut plain = dial(&local(&listening), &ctx).await;
    plain.write_all(b"GET / HTTP/1.1\r\n\x1b[2J").await.unwrap();
    let refused = soon("a refusal", listening.accept()).await.unwrap_err();
    assert_eq!(
        fault(&refused).to_string(),
        "the peer speaks no TLS: it begins with \"GET / HTTP/1.1\\r\\n\\x1b[2J\""
    );
    assert_eq!(rest(&mut plain).await.unwrap().first(), Some(&21), "an alert");

    let mut listening = listen("tcp-l:127.0.0.1:0", &ctx).await;
    let there = format!("tls+{},ca={}", local(&listening), authority.certificate());
    for (answer, says) in
        [(&b"SSH-2.0-x\r\n"[..], TlsFault::PlainText(b"SSH-2.0-x\r\n".to_vec())), (b"", TlsFault::Echoed)]
    {
        let answering = Box::pin(async {
            let mut conn = listening.accept().await.unwrap();
            if answer.is_empty() {
                let mut hello = [0; 9999];
                let read = conn.read(&mut hello).await.unwrap();
                conn.write_all(&hello[..read]).await.unwrap();
            } else {
                conn.write_all(answer).await.unwrap();
            }
            while !matches!(conn.read(&mut [0; 999]).await, Ok(0) | Err(_)) {}
        });
        let dialling = Box::pin(sockeye::dial(&there, &ctx));
        let (refused, ()) = soon("a refusal", async { tokio::join!(dialling, answering) }).await;
        assert_eq!(fault(&refused.unwrap_err()), says);
    }
}

#[tokio::test]
async fn an_end_that_tls_was_not_told_of_is_no_end() {
    for (is_told, version) in [(false, "1.2"), (false, "1.3"), (true, "1.3")] {
        let ctx = Ctx::default();
        let (authority, issued) = certified();
        let mut relay = listen("tcp-l:127.0.0.1:0", &ctx).await;
        let mut listening =
            listen(&format!("tls-l:127.0.0.1:0,{},min={version}", shows(&issued)), &ctx).await;
        let (between, there) =
            (format!("tls+{},ca={}", local(&relay), authority.certificate()), local(&listening));
        // Somebody between, who makes an end of it.
        let cut = Notify::new();
        let passing = async {
            let (mut here, mut far) = (relay.accept().await.unwrap(), dial(&there, &ctx).await);
            let (mut hello, mut answer) = (vec![0; 1 << 16], vec![0; 1 << 16]);
            loop {
                tokio::select! {
                    () = cut.notified() => break,
                    read = here.read(&mut hello) => far.write_all(&hello[..read.unwrap()]).await.unwrap(),
                    read = far.read(&mut answer) => match read.unwrap() {
                        0 => break,
                        read => here.write_all(&answer[..read]).await.unwrap(),
                    },
                }
            }
            here.shutdown_write().await.unwrap();
            (here, far)
        };
        let ending = async {
            let mut far = listening.accept().await.unwrap();
            far.write_all(b"not all").await.unwrap();
            if is_told {
                far.shutdown_write().await.unwrap();
            }
            far
        };
        let reading = async {
            let mut near = dial(&between, &ctx).await;
            assert_eq!(get(&mut near, 7).await, b"not all");
            if !is_told {
                cut.notify_one();
            }
            near.read(&mut [0; 9]).await
        };
        let (_between, _far, end) =
            soon("an end", async { tokio::join!(passing, ending, Box::pin(reading)) }).await;
        match end {
            Ok(read) => assert_eq!((read, is_told), (0, true)),
            Err(error) => {
                assert_eq!((fault(&error), error.kind(), is_told), (TlsFault::Cut, Kind::Reset, false));
            }
        }
    }
}

#[tokio::test]
async fn who_has_ended_still_gets_the_answer_and_an_idle_connection_holds_no_buffer() {
    let ctx = Ctx::default();
    let (mut near, mut far) = joined("", &ctx).await;
    near.write_all(b"a question").await.unwrap();
    assert_eq!(get(&mut far, 10).await, b"a question");
    assert!(timeout(Duration::from_millis(20), far.read(&mut [0; 9])).await.is_err());
    assert!(timeout(Duration::from_millis(20), near.read(&mut [0; 9])).await.is_err());
    let lent = [(); 3].map(|()| ctx.buffers.lend(Size::Medium));
    assert!(
        lent.iter().filter(|buffer| buffer.iter().any(|byte| *byte != 0)).count() >= 2,
        "they were not given back"
    );

    near.shutdown_write().await.unwrap();
    assert_eq!(rest(&mut far).await.unwrap(), b"");
    far.write_all(b"an answer").await.unwrap();
    far.shutdown_write().await.unwrap();
    assert_eq!(rest(&mut near).await.unwrap(), b"an answer");
    assert!(near.write(b"more").await.is_err(), "nothing may come after the end");
}

#[tokio::test]
async fn small_writes_share_a_write_until_they_are_flushed() {
    let ctx = Ctx::default();
    let (mut near, mut far) = joined("", &ctx).await;
    for byte in 0..100_u8 {
        assert_eq!(near.write(&[byte]).await.unwrap(), 1);
    }
    assert!(
        timeout(Duration::from_millis(20), far.read(&mut [0; 9])).await.is_err(),
        "nothing was held back"
    );
    near.flush().await.unwrap();
    let mut buffer = [0; 200];
    let read = soon("a read", far.read(&mut buffer)).await.unwrap();
    assert_eq!(buffer[..read], (0..100).collect::<Vec<u8>>());
}

#[tokio::test]
async fn a_stalled_handshake_is_ended_and_gives_its_place_back() {
    let (authority, issued) = certified();
    let mut ctx = Ctx::default();
    let mut events = ctx.events.subscribe(9, Wants::Connections);
    let word = format!("tls-l:127.0.0.1:0,max-conns=1,handshake=300ms,{}", shows(&issued));
    let listening = listen(&word, &ctx).await;
    let there = local(&listening);
    let _server = Server::start(listening, echo(), &ctx);
    let mut stalled = dial(&there, &ctx).await;
    stalled.write_all(&[22, 3, 1, 2, 0]).await.unwrap();
    let mut near = dial(&format!("tls+{there},ca={}", authority.certificate()), &ctx).await;
    near.write_all(b"hello").await.unwrap();
    assert_eq!(get(&mut near, 5).await, b"hello");
    let ended = event(&mut events, |event| match event {
        Event::Closed { ended: sockeye::Ended::Failed(error), .. } => Some(error),
        _ => None,
    });
    let error = ended.await;
    assert!(
        matches!(error.cause(), Cause::Limit(Limit::Handshake, _)) && error.op() == Op::Handshake,
        "{error:?}"
    );
}

#[tokio::test]
async fn a_file_that_is_no_certificate_or_no_key_is_named() {
    let (authority, issued) = certified();
    let (ctx, other) = (Ctx::default(), authority.self_signed("DNS:other"));
    let missing = authority.certificate().replace("ca.pem", "none.pem");
    for (options, path, what) in [
        (format!("cert={missing}"), &missing, FileFault::Unreadable("no such file or directory".into())),
        (format!("cert={}", issued.certificate), &issued.certificate, FileFault::NoKey),
        (format!("cert={}", issued.key), &issued.key, FileFault::NoCertificate),
        (format!("key={}", issued.key), &issued.key, FileFault::KeyAlone),
        (format!("cert={},key={}", issued.certificate, other.key), &other.key, FileFault::Mismatch),
    ] {
        let dialled = sockeye::dial(&address(&format!("tls:localhost:1,{options}")), &ctx).await;
        assert_eq!(fault(&dialled.unwrap_err()), TlsFault::File(path.clone(), what), "{options}");
    }
}
