use std::time::Duration;

use super::*;
use sockeye::Newcomers;
use tokio::time::Instant;

const TOKEN: &str = "0123456789abcdef";

/// A server that everybody may come to, and who has the token may stay.
async fn with_token(word: &str) -> Server {
    let folder = std::env::temp_dir().join(format!("sockeye-exec-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("tokens");
    std::fs::write(&path, TOKEN).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let server = Server::start(word, &["shell", &format!("tokens={}", path.display())]).await;
    std::fs::remove_dir_all(&folder).unwrap();
    server
}

#[tokio::test]
async fn who_is_not_ours_needs_a_token_and_a_wrong_one_takes_a_while() {
    // In this process nobody knows whose a connection is.
    let mut server = with_token("mem-l:x").await;
    assert_eq!(server.serving.ctx.limits.newcomers, Newcomers::Identified);
    let mut friend = server.stranger("").await;
    friend.hello(TOKEN.as_bytes()).await;
    assert_eq!(friend.next().await, Some((0, Told::Welcome)));
    for (token, why, least) in [("", "has no token", 0), ("0123456789abcdeF", "is not known", 1)] {
        let mut stranger = server.stranger("").await;
        let asked = Instant::now();
        stranger.hello(token.as_bytes()).await;
        let Some((0, Told::Refused(Refusal::NotPermitted, text))) = stranger.next().await else {
            panic!("welcome")
        };
        assert!(text.contains(why) && asked.elapsed() >= Duration::from_secs(least), "{text}");
        assert_eq!(stranger.next().await, None);
        let (command, outcome) = server.ran().await;
        assert!(command.is_empty() && matches!(outcome, Outcome::Refused(told) if *told == *text));
    }
}

#[tokio::test]
async fn what_is_not_this_wire_is_cut_off_unanswered() {
    let server = Server::start("tcp-l:127.0.0.1:0", &["shell"]).await;
    let start = |number, request| {
        let mut message = Vec::new();
        FromClient::Start { request, credit: CREDIT }.encode(number, &mut message).unwrap();
        [&u32::try_from(message.len()).unwrap().to_be_bytes()[..], &message].concat()
    };
    for bytes in [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"POST /x HTTP/1.1\r\nContent-Length: 20\r\n\r\n\0\0\0\x12\x01\0\0\0\0sockeye-exec\x01".to_vec(),
        b"OPTIONS * HTTP/1.1\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\0\x01\0".to_vec(),
        b"ls\n".to_vec(),
        [b"\0\0\0\x12\x01\0\0\0\0", &NOT_MAGIC[..], b"\x01"].concat(),
        start(1, program(&["true"])),
    ] {
        let address = sockeye::parse(server.serving.word(), &[]).unwrap();
        let mut conn = sockeye::dial(&address, &server.serving.ctx).await.unwrap();
        conn.write_all(&bytes).await.unwrap();
        let mut buffer = [0; 99];
        if bytes == b"ls\n" {
            conn.shutdown_write().await.unwrap();
        }
        let read = soon("the end", conn.read(&mut buffer)).await;
        assert!(matches!(read, Ok(0) | Err(_)), "{:?} for {bytes:?}", buffer);
    }
    let mut client = server.client().await;
    let number = client.run(&["true"]).await;
    client.started(number).await;
    client.say(number + 5, FromClient::InputEnd).await;
    let mut message = Message::default();
    while soon("the end", client.conn.receive(&mut message)).await.is_ok_and(|more| more) {}
}

#[tokio::test]
async fn another_version_is_told_which_is_spoken() {
    let server = Server::start("mem-l:x", &["shell"]).await;
    let mut client = server.stranger("").await;
    client.say(0, FromClient::Hello { version: 2, token: b"" }).await;
    let Some((0, Told::Refused(Refusal::Malformed, text))) = client.next().await else { panic!("welcome") };
    assert!(text.contains("version 1") && text.contains("not 2"), "{text}");
    assert_eq!(client.next().await, None);
}

#[tokio::test]
async fn only_what_was_named_is_run() {
    let mut server = Server::start("mem-l:x", &["program=echo", "env=NAME"]).await;
    let mut client = server.client().await;
    for (request, what) in [
        (line("echo hi"), "shell"),
        (program(&["sh", "-c", "echo hi"]), "sh is not run here"),
        (Request { folder: b"/".to_vec(), ..program(&["echo"]) }, "where commands work"),
        (
            Request { variables: vec![(b"LD_PRELOAD".to_vec(), b"x".to_vec())], ..program(&["echo"]) },
            "LD_PRELOAD",
        ),
    ] {
        let number = client.start(request, CREDIT).await;
        let Some(Told::Refused(Refusal::NotPermitted, text)) = client.end(number).await.end else {
            panic!("{what} ran")
        };
        assert!(text.contains(what), "{text}");
        assert!(matches!(server.ran().await.1, Outcome::Refused(told) if *told == *text));
    }
    let number = client.run(&["echo", "a  b", "$HOME", "*"]).await;
    client.started(number).await;
    assert_eq!(client.end(number).await.output, b"a  b $HOME *\n");
}

#[tokio::test]
async fn a_command_has_the_variables_of_a_login_those_that_tell_who_asked_and_those_that_were_sent() {
    let server = Server::start("tcp-l:127.0.0.1:0", &["program=env", "env=NAME"]).await;
    let mut client = server.client().await;
    let variables = vec![(b"NAME".to_vec(), b"a=b".to_vec()), (b"TERM".to_vec(), b"xterm".to_vec())];
    let number = client.start(Request { variables, ..program(&["env"]) }, CREDIT).await;
    client.started(number).await;
    let came = String::from_utf8(client.end(number).await.output).unwrap();
    for line in ["NAME=a=b", "TERM=xterm"] {
        assert!(came.lines().any(|other| other == line), "{came}");
    }
    assert!(came.contains("SOCKEYE_PEER=tcp:127.0.0.1:") && came.contains("\nPATH="), "{came}");
    assert!(!came.contains("CARGO"), "{came}");
}
