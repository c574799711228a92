//! The client of commands against a server that says what each test wants, on bytes and on messages.

use sockeye::proto::exec::{Ended, ExecError, FromClient, FromServer, Refusal, Request, What};
use sockeye::{Conn, Ctx, Message};
use sockeye_services::exec_client::{Client, Command, End, Event, Fault, ROOM};

use super::lab::soon;

/// The other end of a client's connection, which decodes what comes.
struct Server {
    conn: Conn,
    message: Message,
}

impl Server {
    /// A server and its client, which has greeted and is welcome.
    async fn with_client(scheme: &str) -> (Self, Client) {
        let (mut server, client) = Self::unwelcoming(scheme).await;
        let (number, hello) = server.hears().await;
        assert_eq!((number, hello.as_str()), (0, "Hello { version: 1, token: [116, 111] }"));
        server.says(0, FromServer::Welcome { version: 1, most: 7 }).await;
        assert_eq!(soon("a welcome", client.welcomed()).await.unwrap(), 7);
        (server, client)
    }

    async fn unwelcoming(scheme: &str) -> (Self, Client) {
        let ctx = Ctx::default();
        let framed = if scheme == "mem" { ",frame=len32" } else { "" };
        let mut listening = sockeye::listen(&format!("{scheme}-l:x{framed}"), &ctx).await.unwrap();
        let conn = sockeye::dial(&format!("{scheme}:x"), &ctx).await.unwrap();
        let client = Client::new(conn, b"to", &ctx).unwrap();
        let conn = soon("a connection", listening.accept()).await.unwrap();
        (Self { conn, message: Message::default() }, client)
    }

    async fn says(&mut self, number: u32, said: FromServer<'_>) {
        let mut message = Vec::new();
        said.encode(number, &mut message).unwrap();
        soon("room", self.conn.send(&message)).await.unwrap();
    }

    /// The next message, as it is printed.
    async fn hears(&mut self) -> (u32, String) {
        assert!(soon("a message", self.conn.receive(&mut self.message)).await.unwrap(), "the end");
        let (number, said) = FromClient::decode(&self.message.payload).unwrap();
        (number, format!("{said:?}"))
    }
}

fn asked() -> Request {
    Request::of(What::Words(vec![b"prog".to_vec()]))
}

async fn next(command: &Command, buffer: &mut [u8]) -> Result<Event, Fault> {
    soon("an event", command.next(buffer)).await
}

/// All of a command's output and errors, and its end.
async fn all(command: &Command) -> (Vec<u8>, Vec<u8>, End) {
    let (mut output, mut errors, mut buffer) = (Vec::new(), Vec::new(), [0; 1000]);
    loop {
        match next(command, &mut buffer).await.unwrap() {
            Event::Started => {}
            Event::Output(bytes) => output.extend(&buffer[..bytes]),
            Event::Errors(bytes) => errors.extend(&buffer[..bytes]),
            Event::Ended(end) => return (output, errors, end),
        }
    }
}

#[tokio::test]
async fn many_commands_on_one_connection_each_have_their_own_streams_and_end() {
    for scheme in ["mem", "mem-seq"] {
        let (mut server, client) = Server::with_client(scheme).await;
        let commands: Vec<Command> = (0..50).map(|_| client.start(&asked()).unwrap()).collect();
        let serves = async {
            for number in 1..=50 {
                assert_eq!(server.hears().await.0, number);
                server.says(number, FromServer::Started { credit: 10 }).await;
            }
            for round in 0..20 {
                for number in 1..=50 {
                    let text = format!("{number}.{round} ").repeat(100);
                    server.says(number, FromServer::Output(text.as_bytes())).await;
                    server.says(number, FromServer::Errors(format!("e{number} ").as_bytes())).await;
                }
            }
            for number in 1..=50 {
                let end = Ended::Exited(i32::try_from(number).unwrap());
                server.says(number, FromServer::Exit(end)).await;
            }
        };
        let mut tasks = tokio::task::JoinSet::new();
        for (number, command) in (1..).zip(commands) {
            tasks.spawn(async move {
                let (output, errors, end) = all(&command).await;
                let text: String = (0..20).map(|round| format!("{number}.{round} ").repeat(100)).collect();
                assert_eq!(String::from_utf8(output).unwrap(), text);
                assert_eq!(String::from_utf8(errors).unwrap(), format!("e{number} ").repeat(20));
                assert_eq!(end, End::Exited(number));
            });
        }
        serves.await;
        while let Some(ended) = soon("every command", tasks.join_next()).await {
            ended.unwrap();
        }
    }
}

#[tokio::test]
async fn a_command_that_nobody_reads_holds_up_no_other_and_gets_no_more_credit() {
    let (mut server, client) = Server::with_client("mem").await;
    let (stalled, read) = (client.start(&asked()).unwrap(), client.start(&asked()).unwrap());
    let piece = vec![b'x'; 1 << 15];
    let serves = async {
        for _ in 0..ROOM / (1 << 15) {
            server.says(1, FromServer::Output(&piece)).await;
        }
        for _ in 0..100 {
            server.says(2, FromServer::Output(&piece)).await;
        }
        server.says(2, FromServer::Exit(Ended::Exited(0))).await;
        let mut heard = Vec::new();
        while heard.len() < 8 {
            heard.push(server.hears().await);
        }
        heard
    };
    let (heard, (output, _, end)) = tokio::join!(serves, all(&read));
    assert_eq!((output.len(), end), (100 << 15, End::Exited(0)));
    let credit: Vec<&(u32, String)> = heard.iter().filter(|(_, said)| said.starts_with("Credit")).collect();
    assert!(credit.len() == 6 && credit.iter().all(|(number, _)| *number == 2), "{heard:?}");
    // It is all there still.
    let mut buffer = vec![0; 2 << 20];
    assert_eq!(next(&stalled, &mut buffer).await.unwrap(), Event::Output(1 << 20));
    assert_eq!(ROOM, 1 << 20);
}

#[tokio::test]
async fn input_waits_for_credit_and_its_end_and_signals_follow() {
    let (mut server, client) = Server::with_client("mem").await;
    let command = client.start(&asked()).unwrap();
    let writes = async {
        assert_eq!(soon("credit", command.write(b"12345")).await.unwrap(), 3);
        assert_eq!(soon("credit", command.write(b"45")).await.unwrap(), 2);
        command.signal(15).await.unwrap();
        command.end_input().await.unwrap();
    };
    let serves = async {
        assert!(server.hears().await.1.starts_with("Start"));
        server.says(1, FromServer::Started { credit: 3 }).await;
        assert_eq!(server.hears().await.1, "Input([49, 50, 51])");
        server.says(1, FromServer::Credit(10)).await;
        assert_eq!(server.hears().await.1, "Input([52, 53])");
        assert_eq!(server.hears().await.1, "Signal(15)");
        assert_eq!(server.hears().await.1, "InputEnd");
        server.says(1, FromServer::Exit(Ended::Signalled(15))).await;
    };
    tokio::join!(writes, serves);
    assert_eq!(next(&command, &mut [0]).await.unwrap(), Event::Started);
    assert_eq!(next(&command, &mut [0]).await.unwrap(), Event::Ended(End::Signalled(15)));
    assert_eq!(soon("no credit", command.write(b"x")).await.unwrap(), 0, "it has ended");
}

#[tokio::test]
async fn who_is_refused_hears_why_in_every_command() {
    let (mut server, client) = Server::unwelcoming("mem").await;
    let command = client.start(&asked()).unwrap();
    server.says(0, FromServer::Refused { why: Refusal::NotPermitted, text: "wrong token" }).await;
    drop(server);
    for refused in
        [soon("it", client.welcomed()).await.unwrap_err(), next(&command, &mut [0]).await.unwrap_err()]
    {
        assert_eq!(refused.to_string(), "the server refuses us: wrong token");
    }
}

#[tokio::test]
async fn a_connection_that_ends_early_is_a_fault_and_what_came_before_is_told() {
    let (mut server, client) = Server::with_client("mem").await;
    let command = client.start(&asked()).unwrap();
    server.says(1, FromServer::Errors(b"said")).await;
    drop(server);
    let mut buffer = [0; 100];
    assert_eq!(next(&command, &mut buffer).await.unwrap(), Event::Errors(4));
    assert!(matches!(next(&command, &mut buffer).await, Err(Fault::Ended)));
    assert!(matches!(client.start(&asked()), Err(Fault::Ended)));
}

#[tokio::test]
async fn what_no_server_may_say_is_a_fault_of_every_command() {
    let credit = (1, FromServer::Started { credit: u32::MAX }, ExecError::Credit);
    let output = (1, FromServer::Output(&[b'x'; 1 << 15]), ExecError::Credit);
    let unknown = (9, FromServer::Output(b"x"), ExecError::Command);
    for (scheme, (number, said, wanted)) in [("mem", credit), ("mem-seq", output), ("mem", unknown)] {
        let (mut server, client) = Server::with_client(scheme).await;
        let (command, other) = (client.start(&asked()).unwrap(), client.start(&asked()).unwrap());
        let serves = async {
            loop {
                server.says(number, said).await;
            }
        };
        let mut buffer = [0; 100];
        // Whoever waits for the other command reads all that comes.
        let fault = tokio::select! {
            () = serves => unreachable!(),
            event = next(&other, &mut buffer) => event.unwrap_err(),
        };
        assert!(matches!(fault, Fault::Wire(error) if error == wanted), "{fault:?}");
        assert!(
            matches!(soon("a fault", command.write(b"x")).await, Err(Fault::Wire(error)) if error == wanted)
        );
    }
}

#[tokio::test]
async fn a_request_that_the_connection_does_not_carry_is_a_fault_and_input_is_cut_to_what_it_does() {
    let (mut server, client) = Server::with_client("mem-seq").await;
    let command = client.start(&asked()).unwrap();
    server.says(1, FromServer::Started { credit: ROOM }).await;
    assert_eq!(soon("credit", command.write(&[b'x'; 1 << 16])).await.unwrap(), 65_507 - 5);
    let longer = Request::of(What::Words(vec![vec![b'x'; 1 << 16]]));
    assert!(matches!(client.start(&longer), Err(Fault::TooLong)));
    let large = Request::of(What::Words(vec![vec![b'x'; 65_510]]));
    let large = client.start(&large).unwrap();
    let told = next(&large, &mut [0]).await.unwrap_err().to_string();
    assert!(told.contains("where 65507 is the most"), "{told}");
}

#[tokio::test]
async fn a_command_that_is_dropped_is_ended_and_what_still_comes_is_forgotten() {
    let (mut server, client) = Server::with_client("mem").await;
    let (dropped, kept) = (client.start(&asked()).unwrap(), client.start(&asked()).unwrap());
    drop(dropped);
    let serves = async {
        assert!(server.hears().await.1.starts_with("Start"));
        assert!(server.hears().await.1.starts_with("Start"));
        assert_eq!(server.hears().await, (1, "Drop".to_owned()));
        server.says(1, FromServer::Output(b"late")).await;
        server.says(1, FromServer::Exit(Ended::Signalled(9))).await;
        server.says(2, FromServer::Exit(Ended::Exited(0))).await;
    };
    let ((), (output, errors, end)) = tokio::join!(serves, all(&kept));
    assert_eq!((output, errors, end), (vec![], vec![], End::Exited(0)));
}
