use std::time::Duration;

use super::*;

#[tokio::test]
async fn a_command_is_ended_once_its_time_is_over_or_it_has_said_enough() {
    let before = left();
    let mut server = Server::start("mem-l:x", &["shell", "time=300ms", "output=10k"]).await;
    let mut client = server.client().await;
    let number = client.start(line("trap '' TERM; echo begun; sleep 1000"), CREDIT).await;
    let came = client.end(number).await;
    assert_eq!(came.output, b"begun\n");
    let Some(Told::Limit(why)) = came.end else { panic!("{:?}", came.end) };
    assert!(why.contains("300ms") && why.contains("--time"), "{why}");
    let (_, outcome) = server.ran().await;
    assert!(matches!(outcome, Outcome::Ended(told) if *told == *why));

    let number = client.run(&["yes"]).await;
    let came = client.end(number).await;
    assert_eq!(came.output.len(), 10 << 10);
    assert!(matches!(came.end, Some(Told::Limit(why)) if why.contains("--output")));
    let number = client.run(&["head", "-c", "10240", "/dev/zero"]).await;
    let came = client.end(number).await;
    assert_eq!((came.output.len(), came.end), (10 << 10, Some(Told::Exited(0))));
    drop(client);
    server.serving.stop().await;
    drop(server.events);
    all_gone(before).await;
}

#[tokio::test]
async fn a_command_with_too_many_processes_is_ended_and_the_client_is_told() {
    let before = left();
    let server = Server::start("mem-l:x", &["shell", "processes=5"]).await;
    let mut client = server.client().await;
    let few = client.start(line("sleep 0.3 & sleep 0.3 & wait"), CREDIT).await;
    assert_eq!(client.end(few).await.end, Some(Told::Exited(0)));
    let many = client.start(line("for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; wait"), CREDIT).await;
    assert!(matches!(client.end(many).await.end, Some(Told::Limit(why)) if why.contains("--processes")));
    drop(client);
    server.serving.stop().await;
    drop(server.events);
    all_gone(before).await;
}

#[tokio::test]
async fn only_so_many_commands_run_at_once() {
    let server = Server::start("mem-l:x", &["shell", "commands=3", "commands-per-peer=2"]).await;
    let (mut one, mut other) = (server.client().await, server.client().await);
    for _ in 0..2 {
        let number = one.start(program(&["cat"]), CREDIT).await;
        one.started(number).await;
    }
    // Both are of one user.
    for client in [&mut one, &mut other] {
        let number = client.run(&["true"]).await;
        let end = client.end(number).await.end;
        assert!(
            matches!(end, Some(Told::Refused(Refusal::TooMany, why)) if why.contains("--commands-per-peer"))
        );
    }
    one.say(1, FromClient::InputEnd).await;
    assert_eq!(one.end(1).await.end, Some(Told::Exited(0)));
    let number = other.run(&["true"]).await;
    other.started(number).await;
    assert_eq!(other.end(number).await.end, Some(Told::Exited(0)));
}

#[tokio::test]
async fn output_without_end_that_nobody_takes_fills_no_memory() {
    let server = Server::start("tcp-l:127.0.0.1:0", &["shell"]).await;
    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut client = server.client().await;
        for _ in 0..20 {
            client.start(Request { has_input: false, ..program(&["yes"]) }, u32::MAX).await;
        }
        clients.push(client);
    }
    let memory = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap().to_owned();
        line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap()
    };
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = memory();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(memory() < before + 8192, "{} KiB, and then {} KiB", before, memory());
    assert!(memory() < 100 << 10, "{} KiB", memory());
    drop(clients);
}

#[tokio::test]
async fn the_time_of_commands_ends_also_where_the_client_takes_nothing() {
    let server = Server::start("tcp-l:127.0.0.1:0", &["shell", "time=700ms"]).await;
    let mut client = server.client().await;
    let before = left().0;
    let number = client.start(program(&["sleep", "1000"]), u32::MAX).await;
    client.started(number).await;
    client.start(Request { has_input: false, ..program(&["yes"]) }, u32::MAX).await;
    soon("both", async {
        while left().0 < before + 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        while left().0 > before {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn input_that_a_command_does_not_read_waits_with_the_client() {
    let server = Server::start("tcp-l:127.0.0.1:0", &["shell"]).await;
    let mut client = server.client().await;
    let number = client.start(program(&["sleep", "1000"]), CREDIT).await;
    let mut credit = client.started(number).await as usize;
    let data = vec![0; 50_000];
    // What the pipe takes is granted again; then there is no more.
    let mut sent = 0;
    while credit > 0 {
        let now = credit.min(data.len());
        client.say(number, FromClient::Input(&data[..now])).await;
        (sent, credit) = (sent + now, credit - now);
        while let Ok(Some((_, Told::Credit(more)))) =
            tokio::time::timeout(Duration::from_millis(50), client.next()).await
        {
            credit += more as usize;
        }
    }
    assert!(sent <= 4 << 20, "{sent}");
    let other = client.run(&["echo", "hi"]).await;
    client.started(other).await;
    assert_eq!(client.end(other).await.output, b"hi\n");
}
