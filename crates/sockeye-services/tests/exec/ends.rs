use std::time::Duration;

use super::*;
use tokio::time::{Instant, sleep};

/// A command that leaves what a shell cannot find again: a session of its own, which ignores all that can be ignored.
const HIDES: &str =
    "trap '' TERM HUP INT; (setsid sh -c 'trap \"\" TERM HUP INT; echo hidden; sleep 1000') & sleep 1000";

#[tokio::test]
async fn an_end_is_told_as_it_was() {
    let mut server = Server::start("mem-l:x", &["shell"]).await;
    let mut client = server.client().await;
    for (request, end) in [
        (line("exit 255"), Told::Exited(255)),
        (line("kill -KILL $$"), Told::Signalled(9)),
        (line("kill -TERM $$"), Told::Signalled(15)),
    ] {
        let number = client.start(request, CREDIT).await;
        assert_eq!(client.end(number).await.end, Some(end));
    }
    let number = client.run(&["no-such-program", "x y"]).await;
    let Some(Told::Refused(Refusal::Missing, text)) = client.end(number).await.end else { panic!("it ran") };
    assert!(text.contains("no-such-program"), "{text}");
    let elsewhere = Request { folder: b"/no/such".to_vec(), ..program(&["true"]) };
    let number = client.start(elsewhere, CREDIT).await;
    assert!(matches!(client.end(number).await.end, Some(Told::Refused(Refusal::Failed, _))));
    for (command, told) in [("exit 255", "Exited(Code(255))"), ("kill -KILL $$", "Exited(Signal(9))")] {
        let (line, outcome) = server.ran().await;
        assert_eq!((&*line, format!("{outcome:?}")), (command, told.to_owned()));
    }
    server.ran().await;
    let (line, outcome) = server.ran().await;
    assert!(line == "no-such-program 'x y'" && matches!(outcome, Outcome::Refused(_)), "{line} {outcome:?}");
}

#[tokio::test]
async fn signals_reach_the_command_and_what_it_started() {
    let server = Server::start("mem-l:x", &["shell"]).await;
    let mut client = server.client().await;
    let script = "trap 'echo got it; exit 3' USR1; echo ready; while :; do sleep 0.05; done";
    let number = client.start(line(script), CREDIT).await;
    client.started(number).await;
    assert_eq!(client.next().await, Some((number, Told::Output(b"ready\n".to_vec()))));
    client.say(number, FromClient::Signal(10)).await;
    let came = client.end(number).await;
    assert_eq!((&came.output[..], came.end), (&b"got it\n"[..], Some(Told::Exited(3))));
    let number = client.start(line("sleep 1000 | sleep 1000"), CREDIT).await;
    client.say(number, FromClient::Signal(15)).await;
    assert_eq!(client.end(number).await.end, Some(Told::Signalled(15)));
}

#[tokio::test]
async fn a_client_that_is_gone_has_its_commands_ended_and_nothing_is_left() {
    for (word, aborts) in [
        ("tcp-l:127.0.0.1:0", true),
        ("tcp-l:127.0.0.1:0", false),
        ("ws-l:127.0.0.1:0", true),
        ("mem-l:x", true),
    ] {
        let before = left();
        let mut server = Server::start(word, &["shell"]).await;
        let mut client = server.client().await;
        for _ in 0..3 {
            let number = client.start(line(HIDES), CREDIT).await;
            client.started(number).await;
            assert_eq!(client.next().await, Some((number, Told::Output(b"hidden\n".to_vec()))));
        }
        if aborts {
            client.conn.abort();
        }
        drop(client);
        for _ in 0..3 {
            let (_, outcome) = server.ran().await;
            assert!(
                matches!(&outcome, Outcome::Ended(why) if &**why == "the client is gone"),
                "{word} {outcome:?}"
            );
        }
        server.serving.ctx.stop.drain();
        soon("the end", server.serving.ended()).await;
        drop(server);
        all_gone(before).await;
    }
}

#[tokio::test]
async fn a_client_that_says_no_more_gets_what_its_commands_still_say() {
    let server = Server::start("tcp-l:127.0.0.1:0", &["shell"]).await;
    let mut client = server.client().await;
    let number = client.start(Request { has_input: true, ..line("cat; sleep 3; echo done") }, CREDIT).await;
    client.started(number).await;
    client.say(number, FromClient::Input(b"begun\n")).await;
    client.conn.shutdown_write().await.unwrap();
    let came = client.end(number).await;
    assert_eq!((&came.output[..], came.end), (&b"begun\ndone\n"[..], Some(Told::Exited(0))));
    assert_eq!(client.next().await, None);
    server.serving.stop().await;
}

#[tokio::test]
async fn a_command_that_is_dropped_is_ended_and_says_no_more() {
    let before = left();
    let mut server = Server::start("mem-l:x", &["shell"]).await;
    let mut client = server.client().await;
    let number = client.start(line(HIDES), CREDIT).await;
    client.started(number).await;
    client.next().await;
    client.say(number, FromClient::Drop).await;
    let (_, outcome) = server.ran().await;
    assert!(matches!(&outcome, Outcome::Ended(why) if why.contains("wanted no more")), "{outcome:?}");
    // What is said about one that is over is about nothing.
    client.say(number, FromClient::Signal(15)).await;
    client.say(number, FromClient::Credit(5)).await;
    let number = client.run(&["true"]).await;
    client.started(number).await;
    assert_eq!(client.end(number).await.end, Some(Told::Exited(0)));
    drop(client);
    server.serving.stop().await;
    drop(server.events);
    all_gone(before).await;
}

#[tokio::test]
async fn a_drain_lets_commands_finish_and_a_hurry_ends_them() {
    let mut server = Server::start("mem-l:x", &["shell"]).await;
    let (mut idle, mut busy) = (server.client().await, server.client().await);
    let number = busy.start(line("sleep 1; echo done"), CREDIT).await;
    busy.started(number).await;
    server.serving.ctx.stop.drain();
    assert_eq!(idle.next().await, None);
    let late = busy.run(&["true"]).await;
    let came = busy.ends(2).await;
    assert_eq!((&came[&number].output[..], &came[&number].end), (&b"done\n"[..], &Some(Told::Exited(0))));
    assert!(matches!(&came[&late].end, Some(Told::Refused(Refusal::Failed, why)) if why.contains("stop")));
    assert_eq!(busy.next().await, None);
    drop((idle, busy));
    let served = soon("the end", server.serving.ended()).await;
    assert_eq!((served.failed, served.aborted), (0, 0), "{:?}", served.last_failure);

    let server = Server::start("mem-l:x", &["shell"]).await;
    let mut client = server.client().await;
    let number = client.run(&["sleep", "1000"]).await;
    client.started(number).await;
    server.serving.ctx.stop.hurry();
    assert!(matches!(client.end(number).await.end, Some(Told::Limit(why)) if why.contains("stopped")));
    let asked = Instant::now();
    drop(client);
    server.serving.stop().await;
    assert!(asked.elapsed() < Duration::from_secs(2));
    sleep(Duration::ZERO).await;
}
