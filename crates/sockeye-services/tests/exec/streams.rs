use super::*;
use sockeye::proto::exec::Window;

/// Addresses of every kind that carries commands.
const EVERYWHERE: [&str; 4] = ["mem-l:x", "mem-seq-l:x", "tcp-l:127.0.0.1:0", "ws-l:127.0.0.1:0"];

#[tokio::test]
async fn both_streams_come_whole_and_in_order_and_then_the_exit_code() {
    for word in EVERYWHERE {
        let server = Server::start(word, &["shell"]).await;
        let mut client = server.client().await;
        let script = "i=0; while [ $i -lt 20000 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done; exit 7";
        let number = client.start(line(script), CREDIT).await;
        let came = client.end(number).await;
        let lines =
            |word: &str| (0..20_000).map(|i| format!("{word} {i}\n")).collect::<String>().into_bytes();
        assert!(came.output == lines("out") && came.errors == lines("err"), "{word}");
        assert_eq!(came.end, Some(Told::Exited(7)), "{word}");
        drop(client);
        server.serving.stop().await;
    }
}

#[tokio::test]
async fn input_goes_as_it_is_to_its_end_and_more_than_its_credit_ends_the_connection() {
    for word in EVERYWHERE {
        let server = Server::start(word, &["program=cat"]).await;
        let mut client = server.client().await;
        let number = client.start(program(&["cat"]), CREDIT).await;
        let mut credit = client.started(number).await as usize;
        let content: Vec<u8> =
            (0..5_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let (mut sent, mut came) = (0, Vec::new());
        while came.len() < content.len() {
            let now = credit.min(50_000).min(content.len() - sent);
            if now > 0 {
                client.say(number, FromClient::Input(&content[sent..sent + now])).await;
                (sent, credit) = (sent + now, credit - now);
                continue;
            }
            match client.next().await.unwrap().1 {
                Told::Output(data) => came.extend(data),
                Told::Credit(more) => credit += more as usize,
                other => panic!("{other:?}"),
            }
        }
        assert!(came == content, "{word}");
        client.say(number, FromClient::InputEnd).await;
        assert_eq!(client.end(number).await.end, Some(Told::Exited(0)), "{word}");
        let number = client.start(program(&["cat"]), CREDIT).await;
        client.started(number).await;
        client.say(number, FromClient::InputEnd).await;
        client.say(number, FromClient::Input(b"x")).await;
        let mut message = Message::default();
        while soon("the end", client.conn.receive(&mut message)).await.is_ok_and(|more| more) {}
    }
}

#[tokio::test]
async fn a_command_without_input_reads_none_and_one_that_is_joined_says_all_in_one_stream() {
    let server = Server::start("mem-l:x", &["shell"]).await;
    let mut client = server.client().await;
    let number = client.run(&["cat"]).await;
    assert_eq!(client.end(number).await, Came { end: Some(Told::Exited(0)), ..Came::default() });
    let joined = Request { is_joined: true, ..line("echo one; echo two >&2; echo three") };
    let number = client.start(joined, CREDIT).await;
    let came = client.end(number).await;
    assert_eq!((&came.output[..], &came.errors[..]), (&b"one\ntwo\nthree\n"[..], &b""[..]));
}

#[tokio::test]
async fn a_stalled_command_stops_no_other_and_goes_on_once_it_has_credit() {
    let server = Server::start("tcp-l:127.0.0.1:0", &["shell"]).await;
    let mut client = server.client().await;
    let stalled = client.start(Request { has_input: false, ..program(&["yes"]) }, 1000).await;
    for _ in 0..50 {
        let number = client.run(&["echo", "hi"]).await;
        loop {
            match client.next().await.unwrap() {
                (of, Told::Exited(code)) if of == number => break assert_eq!(code, 0),
                (of, Told::Output(data)) if of == number => assert_eq!(data, b"hi\n"),
                (_, Told::Started(_)) => {}
                (of, Told::Output(data)) if of == stalled => assert!(data.len() <= 1000),
                other => panic!("{other:?}"),
            }
        }
    }
    client.say(stalled, FromClient::Credit(70_000)).await;
    let mut came = 0;
    while came < 70_000 {
        match client.next().await.unwrap() {
            (of, Told::Output(data)) if of == stalled => came += data.len(),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(came, 70_000);
    client.say(stalled, FromClient::Drop).await;
    let number = client.run(&["true"]).await;
    client.started(number).await;
    assert_eq!(client.end(number).await.end, Some(Told::Exited(0)));
}

#[tokio::test]
async fn a_thousand_commands_run_at_once_on_one_connection() {
    let before = left();
    let server = Server::start("tcp-l:127.0.0.1:0", &["shell", "commands-per-peer=1000"]).await;
    let mut client = server.client().await;
    for _ in 0..1000 {
        client.start(program(&["cat"]), CREDIT).await;
    }
    let mut running = 0;
    while running < 1000 {
        match client.next().await.unwrap().1 {
            Told::Started(_) => running += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(left().0 - before.0, 1000);
    for number in 1..=1000 {
        client.say(number, FromClient::Input(number.to_string().as_bytes())).await;
        client.say(number, FromClient::InputEnd).await;
    }
    let came = client.ends(1000).await;
    for number in 1..=1000_u32 {
        assert_eq!(came[&number].output, number.to_string().as_bytes());
        assert_eq!(came[&number].end, Some(Told::Exited(0)));
    }
    drop(client);
    server.serving.stop().await;
    all_gone(before).await;
}

#[tokio::test]
async fn a_terminal_has_the_size_that_was_asked_for_and_then_another() {
    let server = Server::start("mem-l:x", &["shell"]).await;
    let mut client = server.client().await;
    let terminal = Some(Window { columns: 77, rows: 22 });
    let script = "trap 'stty size; exit' WINCH; tty; stty size; echo ready; while :; do sleep 0.1; done";
    let number = client.start(Request { terminal, ..line(script) }, CREDIT).await;
    let mut said = String::new();
    while !said.contains("ready") {
        if let Some((_, Told::Output(data))) = client.next().await {
            said.push_str(std::str::from_utf8(&data).unwrap());
        }
    }
    assert!(said.contains("/dev/pts/") && said.contains("22 77"), "{said}");
    client.say(number, FromClient::Window(Window { columns: 99, rows: 33 })).await;
    let came = client.end(number).await;
    assert!(came.output.starts_with(b"33 99"), "{came:?}");
    assert_eq!(came.end, Some(Told::Exited(0)));
}
