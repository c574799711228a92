//! A connection of bytes as a stream of tokio.

use std::io::ErrorKind;

use sockeye::{Ctx, Error, Kind};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, copy, split};

use crate::lab::{assert_same, numbered, soon};

#[tokio::test]
async fn lines_are_read_through_a_buffer_of_tokio() {
    let ctx = Ctx::default();
    for word in ["tcp:127.0.0.1:0", "mem:x"] {
        let mut listening = sockeye::listen(word, &ctx).await.unwrap();
        let to = listening.listener.locals()[0].to_string();
        let mut near = sockeye::dial(&to, &ctx).await.unwrap();
        let far = listening.accept().await.unwrap();
        near.write_all(b"one\ntwo\nrest").await.unwrap();
        near.shutdown().await.unwrap();
        let mut lines = BufReader::new(far).lines();
        for line in [Some("one"), Some("two"), Some("rest"), None] {
            assert_eq!(soon("a line", lines.next_line()).await.unwrap().as_deref(), line, "{word}");
        }
    }
}

#[tokio::test]
async fn what_tokio_copies_arrives_whole_and_so_does_its_end() {
    let ctx = Ctx::default();
    let mut listening = sockeye::listen("tcp:127.0.0.1:0", &ctx).await.unwrap();
    let to = listening.listener.locals()[0].to_string();
    let (mut reading, mut writing) = split(sockeye::dial(&to, &ctx).await.unwrap());
    let far = listening.accept().await.unwrap();
    let sent = numbered(3 << 20);
    let echo = async {
        let (mut from, mut to) = split(far);
        copy(&mut from, &mut to).await.unwrap();
        to.shutdown().await.unwrap();
    };
    let send = async {
        writing.write_all(&sent).await.unwrap();
        writing.shutdown().await.unwrap();
    };
    let mut back = Vec::new();
    let (_, _, read) =
        soon("an echo", async { tokio::join!(echo, send, reading.read_to_end(&mut back)) }).await;
    assert_eq!(read.unwrap(), sent.len());
    assert_same(&back, &sent);
}

#[tokio::test]
async fn messages_are_no_stream() {
    let ctx = Ctx::default();
    let mut conn = sockeye::dial("udp:127.0.0.1:9", &ctx).await.unwrap();
    let error = conn.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let inside = error.get_ref().unwrap().downcast_ref::<Error>().unwrap();
    assert_eq!(inside.kind(), Kind::Usage);
    assert_eq!(conn.write_u8(1).await.unwrap_err().kind(), ErrorKind::InvalidInput);
}
