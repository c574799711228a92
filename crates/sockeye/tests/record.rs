//! `tee=`, `tee-out=` and `pcap=`: what is in the file, and what becomes of a connection whose file fails.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use sockeye::{Cause, Ctx, Event, Kind, Wants};
use testkit::Scratch;

use crate::lab::{
    abstract_name, accept, address, assert_same, block_on, dial, event, get, listen, local, numbered, put,
    rest, soon,
};

/// Waits until what was recorded is on the disk.
async fn written(ctx: &Ctx) {
    ctx.tasks.close();
    soon("the tasks to end", ctx.tasks.wait()).await;
}

#[test]
fn copies_of_both_ways_are_appended_and_are_their_owners_alone() {
    block_on(async {
        let (ctx, scratch) = (Ctx::default(), Scratch::new());
        let [came, went] = ["came", "went"].map(|name| scratch.path(name));
        let much = numbered(3 << 20);
        let mut listening = listen("tcp-l:127.0.0.1:0", &ctx).await;
        let word = format!("{},tee={},tee-out={}", local(&listening), came.display(), went.display());
        for _ in 0..2 {
            let mut near = dial(&word, &ctx).await;
            let mut far = accept(&mut listening).await;
            let (sent, got) = tokio::join!(
                async {
                    put(&mut near, &much).await.unwrap();
                    near.shutdown_write().await
                },
                rest(&mut far)
            );
            sent.unwrap();
            assert_same(&got.unwrap(), &much);
            put(&mut far, b"answer").await.unwrap();
            drop(far);
            assert_eq!(rest(&mut near).await.unwrap(), b"answer");
        }
        written(&ctx).await;
        assert_eq!(fs::read(&came).unwrap(), b"answeranswer");
        assert_same(&fs::read(&went).unwrap(), &[&much[..], &much].concat());
        assert_eq!(fs::metadata(&went).unwrap().permissions().mode() & 0o777, 0o600);
    });
}

#[test]
fn a_full_disk_is_told_once_and_the_connection_goes_on() {
    block_on(async {
        let mut ctx = Ctx::default();
        let mut events = ctx.events.subscribe(99, Wants::Trouble);
        let mut listening = listen("tcp-l:127.0.0.1:0", &ctx).await;
        let mut near = dial(&format!("{},tee=/dev/full", local(&listening)), &ctx).await;
        let mut far = accept(&mut listening).await;
        put(&mut far, b"hello").await.unwrap();
        assert_eq!(get(&mut near, 5).await, b"hello");
        let told = event(&mut events, |event| match event {
            Event::Unrecorded { error } => Some(format!("{error:?}")),
            _ => None,
        });
        assert_eq!(told.await, "cannot write to /dev/full: no space left on device");
        // More than waits for a disk that is there.
        let much = numbered(16 << 20);
        let (sent, got) = tokio::join!(put(&mut far, &much), get(&mut near, much.len()));
        sent.unwrap();
        assert_same(&got, &much);
        drop(near);
        assert!(events.try_recv().is_err());
        written(&ctx).await;
    });
}

#[test]
fn a_disk_that_hangs_is_waited_for() {
    block_on(async {
        let (ctx, scratch) = (Ctx::default(), Scratch::new());
        let pipe = scratch.path("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
            .unwrap();
        let word = |listening| format!("{},tee-out={}", local(listening), pipe.display());
        let mut listening = listen("tcp-l:127.0.0.1:0", &ctx).await;
        let refused = soon("a refusal", sockeye::dial(&address(&word(&listening)), &ctx)).await.unwrap_err();
        assert!(matches!(refused.cause(), Cause::Option(_)), "nobody reads it: {refused:?}");

        let reader = fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
        let mut near = dial(&word(&listening), &ctx).await;
        let mut far = accept(&mut listening).await;
        let much = numbered(4 << 20);
        let sending = async {
            for piece in much.chunks(64 << 10) {
                put(&mut near, piece).await.unwrap();
            }
        };
        let half = tokio::time::timeout(Duration::from_millis(300), async {
            tokio::join!(sending, get(&mut far, much.len()))
        });
        assert!(half.await.is_err());
        let sent = near.counts().sent();
        assert!((1 << 20..2 << 20).contains(&sent), "{sent} bytes wait");
        drop((near, far, listening));
        drop(reader);
        written(&ctx).await;
    });
}

#[test]
fn what_cannot_be_opened_is_named_before_anybody_is_dialled() {
    block_on(async {
        let (ctx, scratch) = (Ctx::default(), Scratch::new());
        let text = scratch.path("notes.txt");
        fs::write(&text, "my notes").unwrap();
        for (option, told, kind) in [
            (
                format!("pcap={}", text.display()),
                "it is there already, and no capture in pcapng",
                Kind::Other,
            ),
            ("tee=-".to_owned(), "it takes the name of a file", Kind::Other),
            ("pcap=/nowhere/x".to_owned(), "/nowhere/x: no such file or directory", Kind::NotFound),
        ] {
            let error = sockeye::dial(&address(&format!("unix:/nobody,{option}")), &ctx).await.unwrap_err();
            let cause = error.cause().to_string();
            assert!(cause.starts_with(option.split('=').next().unwrap()) && cause.ends_with(told), "{cause}");
            assert_eq!((error.kind(), error.to_string().as_str()), (kind, "cannot connect to unix:/nobody"));
        }
        assert_eq!(fs::read(&text).unwrap(), b"my notes");
    });
}

#[test]
fn a_capture_gets_a_section_each_time_and_a_conversation_for_each_connection() {
    block_on(async {
        let (ctx, scratch) = (Ctx::default(), Scratch::new());
        let file = scratch.path("x.pcapng");
        for _ in 0..2 {
            let word = format!("unix-l:{},pcap={}", abstract_name("pcap"), file.display());
            let mut listening = listen(&word, &ctx).await;
            for _ in 0..3 {
                let mut near = dial(&format!("unix:{}", abstract_name("pcap")), &ctx).await;
                let mut far = listening.accept().await.unwrap();
                put(&mut near, b"hello").await.unwrap();
                assert_eq!(get(&mut far, 5).await, b"hello");
            }
        }
        written(&ctx).await;
        let bytes = fs::read(&file).unwrap();
        let count = |what: &[u8]| bytes.windows(what.len()).filter(|window| *window == what).count();
        assert_eq!(count(&[0x0a, 0x0d, 0x0d, 0x0a]), 2);
        assert_eq!(count(b"hello"), 6);
        // The handshake of the second connection of each section: from 127.0.0.1 to 127.0.0.2.
        assert_eq!(count(&[127, 0, 0, 1, 127, 0, 0, 2, 0xc3, 0x51, 0xc3, 0x50, 0, 0, 0, 0]), 2);
    });
}
