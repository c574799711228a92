//! `tls`: who is trusted, what is said of who is not, and that bytes go through whole.

use sockeye::{Cause, CertificateFault, Conn, Ctx, Error, Result, TlsFault};
use testkit::{Authority, Issued};

use crate::lab::{assert_same, listen, local, numbered, soon};

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
