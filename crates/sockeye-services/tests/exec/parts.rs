//! Commands over datagrams, also where these are lost, doubled and overtaken.

use std::path::PathBuf;

use sockeye::proto::exec::parts::{Ack, Datagram};
use sockeye_services::exec_client::{End, Event as Happened, Fault, Parts};
use tokio::task::JoinSet;

use super::*;

/// One datagram in five is lost, one comes twice, and one is overtaken.
const BAD: &str = "fault=loss:20%,fault=duplicate:20%,fault=reorder:20%,seed=5";

async fn dial(word: &str, ctx: &Ctx) -> Conn {
    soon("a connection", sockeye::dial(&sockeye::parse(word, &[]).unwrap(), ctx)).await.unwrap()
}

/// All that a command says, and its end.
async fn whole(parts: &mut Parts) -> Result<(Vec<u8>, Vec<u8>, End), Fault> {
    let (mut output, mut errors, mut buffer) = (Vec::new(), Vec::new(), vec![0; 1000]);
    loop {
        match soon("what happens", parts.next(&mut buffer)).await? {
            Happened::Output(bytes) => output.extend(&buffer[..bytes]),
            Happened::Errors(bytes) => errors.extend(&buffer[..bytes]),
            Happened::Started => {}
            Happened::Ended(end) => return Ok((output, errors, end)),
        }
    }
}

/// A folder of a test's own, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sockeye-parts-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let (Ok(()) | Err(_)) = std::fs::remove_dir_all(&self.0);
    }
}

/// The datagram that comes next.
async fn datagram(conn: &mut Conn) -> Vec<u8> {
    let mut message = Message::default();
    assert!(soon("a datagram", conn.receive(&mut message)).await.unwrap());
    message.payload
}

#[tokio::test]
async fn two_hundred_commands_on_a_bad_network_are_answered_right_and_run_once() {
    let folder = Folder::new("bad");
    let runs = folder.0.join("runs");
    let server =
        Server::start(&format!("udp-l:127.0.0.1:0,{BAD}"), &["shell", "commands-per-peer=1000"]).await;
    let mut clients = JoinSet::new();
    for client in 0..20 {
        let (word, ctx) = (server.serving.word().to_owned(), server.serving.ctx.clone());
        let runs = runs.display().to_string();
        clients.spawn(async move {
            for command in (client * 10)..(client * 10 + 10) {
                let lines = (command % 10) * 500;
                let asked = format!("echo {command} >> {runs}; cat >&2; seq {lines}; exit {}", command % 3);
                let request = Request { has_input: true, ..line(&asked) };
                let input = vec![b'x'; command * 10];
                let conn = dial(&word, &ctx).await;
                let mut parts = Parts::new(conn, b"", &request, &input, &ctx).unwrap();
                let (output, errors, end) = whole(&mut parts).await.unwrap();
                let wanted: String = (1..=lines).map(|line| format!("{line}\n")).collect();
                assert!(output == wanted.as_bytes(), "command {command}: {} bytes", output.len());
                assert_eq!(
                    (errors.len(), end),
                    (input.len(), End::Exited(i32::try_from(command % 3).unwrap()))
                );
            }
        });
    }
    while let Some(done) = clients.join_next().await {
        done.unwrap();
    }
    let mut ran: Vec<usize> =
        std::fs::read_to_string(&runs).unwrap().lines().map(|line| line.parse().unwrap()).collect();
    ran.sort_unstable();
    assert_eq!(ran, (0..200).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_request_that_comes_again_runs_nothing_and_hears_that_its_answer_is_gone() {
    let folder = Folder::new("again");
    let runs = folder.0.join("runs");
    let mut server = Server::start("udp-l:127.0.0.1:0", &["shell"]).await;
    let mut conn = dial(server.serving.word(), &server.serving.ctx).await;
    let mut command = Vec::new();
    line(&format!("echo ran >> {}", runs.display())).encode(&mut command);
    let id = [7; 16];
    let request = Datagram::Request { token: b"", command: &command }.bytes(&id);
    soon("room", conn.send(&request)).await.unwrap();
    let part = datagram(&mut conn).await;
    assert!(matches!(Datagram::read(&part), Ok((_, Datagram::Part { number: 0, .. }))));
    let ack = |next| Datagram::Ack(Ack { next, got: 0, asks: true }).bytes(&id);
    // Until it is acknowledged, the answer is said again to who asks.
    soon("room", conn.send(&ack(0))).await.unwrap();
    assert_eq!(datagram(&mut conn).await, part);
    soon("room", conn.send(&ack(1))).await.unwrap();
    for _ in 0..3 {
        while Datagram::read(&datagram(&mut conn).await).unwrap().1 != Datagram::Gone {}
        soon("room", conn.send(&request)).await.unwrap();
    }
    assert!(matches!(server.ran().await.1, Outcome::Exited(exit) if exit.is_success()));
    assert_eq!(std::fs::read_to_string(&runs).unwrap(), "ran\n");
}

#[tokio::test]
async fn a_command_that_is_not_wanted_any_more_is_ended() {
    let mut server = Server::start("udp-l:127.0.0.1:0", &["shell"]).await;
    let conn = dial(server.serving.word(), &server.serving.ctx).await;
    let request = line("echo begun; sleep 1000");
    let mut parts = Parts::new(conn, b"", &request, b"", &server.serving.ctx).unwrap();
    let mut buffer = [0; 100];
    assert_eq!(soon("output", parts.next(&mut buffer)).await.unwrap(), Happened::Output(6));
    drop(parts);
    let (_, outcome) = server.ran().await;
    assert!(matches!(&outcome, Outcome::Ended(why) if why.contains("no more of it")), "{outcome:?}");
}

#[tokio::test]
async fn who_takes_nothing_holds_up_the_command_and_nobody_else() {
    let folder = Folder::new("slow");
    let path = folder.0.join("unix");
    let server = Server::start(&format!("unix-dgram-l:{}", path.display()), &["shell"]).await;
    let ctx = &server.serving.ctx;
    let slow = dial(server.serving.word(), ctx).await;
    let mut slow = Parts::new(slow, b"", &line("seq 1000000"), b"", ctx).unwrap();
    let mut buffer = vec![0; 100];
    assert_eq!(soon("output", slow.next(&mut buffer)).await.unwrap(), Happened::Output(100));
    for _ in 0..3 {
        let conn = dial(server.serving.word(), ctx).await;
        let mut quick = Parts::new(conn, b"", &line("echo hi"), b"", ctx).unwrap();
        assert_eq!(whole(&mut quick).await.unwrap().0, b"hi\n");
    }
    let held = tokio::time::timeout(std::time::Duration::from_millis(100), slow.hold()).await;
    assert!(held.is_err(), "{held:?}");
    let (rest, _, end) = whole(&mut slow).await.unwrap();
    assert_eq!((rest.len() + 100, end), (6_888_896, End::Exited(0)));
}

#[tokio::test]
async fn what_may_not_run_or_not_so_is_refused_with_a_sentence() {
    let server = Server::start("udp-l:127.0.0.1:0", &["program=echo", "output=100"]).await;
    let ctx = &server.serving.ctx;
    let at_terminal = Request { terminal: Some(Default::default()), ..program(&["echo"]) };
    for (request, why) in [
        (line("echo"), "lines for a shell"),
        (program(&["cat"]), "cat is not run here"),
        (at_terminal, "a terminal needs a connection"),
    ] {
        let conn = dial(server.serving.word(), ctx).await;
        let mut parts = Parts::new(conn, b"", &request, b"", ctx).unwrap();
        let (_, _, end) = whole(&mut parts).await.unwrap();
        assert!(matches!(&end, End::Refused(Refusal::NotPermitted, text) if text.contains(why)), "{end:?}");
    }
    let conn = dial(server.serving.word(), ctx).await;
    let mut parts = Parts::new(conn, b"", &program(&["echo", &"x".repeat(200)]), b"", ctx).unwrap();
    let (output, _, end) = whole(&mut parts).await.unwrap();
    assert!(matches!(end, End::Limit(why) if why.contains("--output")) && output.len() == 100);
    let conn = dial(server.serving.word(), ctx).await;
    let long = Parts::new(conn, b"", &program(&["echo"]), &vec![0; 70_000], ctx);
    assert!(matches!(long, Err(Fault::TooLarge { most: 65_507, .. })));
}

#[tokio::test]
async fn another_version_is_told_and_what_is_no_datagram_of_this_wire_is_not_answered() {
    let server = Server::start("udp-l:127.0.0.1:0", &["shell"]).await;
    let mut conn = dial(server.serving.word(), &server.serving.ctx).await;
    let mut other = Datagram::Drop.bytes(&[7; 16]);
    other[4] = 9;
    for datagram in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"", b"skyx", &other] {
        soon("room", conn.send(datagram)).await.unwrap();
    }
    let answer = datagram(&mut conn).await;
    let Ok((_, Datagram::Refused { message })) = Datagram::read(&answer) else { panic!("{answer:?}") };
    let (_, said) = FromServer::decode(message).unwrap();
    assert!(
        matches!(said, FromServer::Refused { why: Refusal::Malformed, text } if text.contains("version 9"))
    );
}
