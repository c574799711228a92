//! The wire of tutorials: a text in, a text back.

use sockeye::proto::encoding::Encoding;
use sockeye_services::exec_client::raw;

use super::*;

async fn dial(server: &Server, options: &str) -> Conn {
    let word = format!("{}{options}", server.serving.word());
    let address = sockeye::parse(&word, &[]).unwrap();
    soon("a connection", sockeye::dial(&address, &server.serving.ctx)).await.unwrap()
}

async fn ask(conn: &mut Conn, command: &[u8]) -> Vec<u8> {
    let mut message = Message::default();
    soon("room", conn.send(command)).await.unwrap();
    assert!(soon("an answer", conn.receive(&mut message)).await.unwrap());
    message.payload
}

const GBK: &[&str] = &["shell", "wire=raw", "encoding=gbk"];

#[tokio::test]
async fn errors_go_before_output_and_a_text_stands_for_neither_over_streams_and_datagrams() {
    for (word, options) in
        [("tcp-l:127.0.0.1:0", ",frame=burst=50"), ("udp-l:127.0.0.1:0", ""), ("mem-seq-l:x", "")]
    {
        let server = Server::start(word, GBK).await;
        let mut conn = dial(&server, options).await;
        let gbk = Encoding::named("gbk").unwrap();
        for (command, answer) in [
            ("echo 套接字", "套接字\n"),
            ("echo out; echo 错 >&2", "错\n"),
            ("true\n", "执行成功"),
            ("cat", "执行成功"),
            ("echo 😀", "?\n"),
        ] {
            let got = ask(&mut conn, command.as_bytes()).await;
            assert_eq!(gbk.decode(&got), answer, "{command} at {word}");
        }
        let got = gbk.decode(&ask(&mut conn, b"\xff").await);
        assert_eq!(got, "a command is text in UTF-8\n");
    }
}

#[tokio::test]
async fn without_a_shell_only_what_was_named_runs_and_its_words_are_split() {
    let server =
        Server::start("mem-seq-l:x", &["program=echo", "wire=raw", "empty-text=nothing", "time=300ms"]).await;
    let mut conn = dial(&server, "").await;
    assert_eq!(ask(&mut conn, b"echo 'a  b' | $HOME\n").await, b"a  b | $HOME\n");
    assert_eq!(ask(&mut conn, b"echo -n").await, b"nothing");
    assert!(ask(&mut conn, b"cat /etc/passwd").await.starts_with(b"cat is not run here"));
    assert_eq!(ask(&mut conn, b"echo 'open").await, b"a quote ' is not closed\n");
}

#[tokio::test]
async fn a_large_answer_is_whole_over_a_stream_and_cut_with_a_word_over_datagrams() {
    let server = Server::start("tcp-l:127.0.0.1:0", &["shell", "wire=raw"]).await;
    let wanted: String = (1..=300_000).map(|line| format!("{line}\n")).collect();
    let conn = dial(&server, ",frame=burst=50").await;
    let answer = soon("it", raw::ask(conn, "seq 300000", Encoding::default())).await.unwrap();
    assert!(answer.text == wanted && !answer.may_be_cut, "{} bytes", answer.text.len());

    let server = Server::start("udp-l:127.0.0.1:0", GBK).await;
    let mut conn = dial(&server, "").await;
    let got = ask(&mut conn, "yes 行 | head -100000".as_bytes()).await;
    let text = Encoding::named("gbk").unwrap().decode(&got);
    assert!(got.len() <= 65_507 && got.len() > 65_500, "{}", got.len());
    assert!(text.ends_with("\n[cut: there were 400000 bytes]\n") && !text.contains('\u{fffd}'));
}

#[tokio::test]
async fn a_limit_is_told_behind_what_was_said() {
    let server = Server::start("mem-seq-l:x", &["shell", "wire=raw", "time=300ms"]).await;
    let mut conn = dial(&server, "").await;
    let got = ask(&mut conn, b"echo begun; sleep 1000").await;
    assert_eq!(String::from_utf8(got).unwrap(), "begun\n\n[ended: it ran for 300ms (the server's --time)]\n");
}

#[tokio::test]
async fn a_client_that_ends_its_side_gets_its_answer_and_one_that_leaves_ends_its_command() {
    let mut server = Server::start("tcp-l:127.0.0.1:0", &["shell", "wire=raw"]).await;
    let mut conn = dial(&server, ",frame=burst=50").await;
    soon("room", conn.send(b"sleep 0.2; echo late")).await.unwrap();
    soon("the end", conn.shutdown_write()).await.unwrap();
    let mut message = Message::default();
    assert!(soon("an answer", conn.receive(&mut message)).await.unwrap());
    assert_eq!(message.payload, b"late\n");
    assert!(!soon("the end", conn.receive(&mut message)).await.unwrap());
    assert!(matches!(server.ran().await.1, Outcome::Exited(_)));

    for is_reset in [true, false] {
        let mut conn = dial(&server, ",frame=burst=50").await;
        let begun = std::env::temp_dir().join(format!("sockeye-raw-{}", std::process::id()));
        let command = format!("touch {}; sleep 1000", begun.display());
        soon("room", conn.send(command.as_bytes())).await.unwrap();
        soon("its begin", async {
            while std::fs::remove_file(&begun).is_err() {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        })
        .await;
        if is_reset {
            conn.abort();
        }
        drop(conn);
        let (told, outcome) = server.ran().await;
        assert!(told == command && matches!(&outcome, Outcome::Ended(_)), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_request_of_a_browser_runs_nothing() {
    let mut server = Server::start("tcp-l:127.0.0.1:0", &["shell", "wire=raw"]).await;
    for request in ["GET /;id HTTP/1.1\r\n\r\n", "POST / HTTP/1.1\r\n\r\nid", "OPTIONS * HTTP/1.1\r\n\r\n"] {
        let mut conn = dial(&server, ",frame=burst=50").await;
        soon("room", conn.send(request.as_bytes())).await.unwrap();
        let mut message = Message::default();
        assert!(!matches!(soon("the end", conn.receive(&mut message)).await, Ok(true)), "{request}");
        let (command, outcome) = server.ran().await;
        assert!(command.is_empty() && matches!(&outcome, Outcome::Refused(why) if why.contains("HTTP")));
    }
}

#[test]
fn flags_of_this_wire_make_sense_or_are_refused() {
    for (flags, why) in [
        (&["shell", "wire=cooked"][..], "expected framed or raw"),
        (&["shell", "encoding=gbk"], "--encoding is for --wire raw"),
        (&["shell", "wire=raw", "encoding=klingon"], "there is no such encoding"),
        (&["shell", "wire=raw", "tokens=/dev/null"], "no token can be sent"),
    ] {
        let told = (row("exec").build)(&given(flags), &Ctx::default()).err().unwrap();
        assert!(told.contains(why), "{told}");
    }
}
