//! Commands for clients: their streams, their ends, and who may have which.

mod ends;
mod limits;
mod newcomers;
mod parts;
mod raw;
mod streams;

use std::collections::HashMap;

use sockeye::proto::exec::{Ended, FromClient, FromServer, MAGIC, Refusal, Request, VERSION, What};
use sockeye::{Conn, Ctx, Event, Given, Message, Outcome, Wants};
use tokio::sync::mpsc;

use crate::lab::{Serving, row, soon};

/// A credit that no test uses up unless it means to.
const CREDIT: u32 = 1 << 30;

/// What the flags of the service are set to, each as `NAME` or `NAME=VALUE`. As root it serves because that is said.
fn given(flags: &[&str]) -> Given {
    let mut given = Given::default();
    for flag in flags.iter().chain(&["as-root"]) {
        let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
        let flag = row("exec").flags.iter().find(|flag| flag.name == name);
        given.set(flag.unwrap_or_else(|| panic!("exec has no --{name}")), value);
    }
    given
}

/// A server of commands, and what it tells.
struct Server {
    serving: Serving,
    /// The address that it is served at, as it was written.
    at: String,
    events: mpsc::Receiver<Event>,
}

impl Server {
    async fn start(word: &str, flags: &[&str]) -> Self {
        Self::start_in(word, flags, Ctx::default()).await
    }

    async fn start_in(word: &str, flags: &[&str], mut ctx: Ctx) -> Self {
        let events = ctx.events.subscribe(4096, Wants::Trouble);
        let serving = Serving::start_in(row("exec"), &given(flags), word, ctx).await;
        Self { serving, at: word.to_owned(), events }
    }

    /// A client that was let in.
    async fn client(&self) -> Client {
        let mut client = self.stranger("").await;
        client.hello(b"").await;
        assert!(matches!(client.next().await, Some((0, Told::Welcome))));
        client
    }

    /// One that has said nothing yet, over a connection with these options.
    async fn stranger(&self, options: &str) -> Client {
        // Its messages are those of a WebSocket, or have a length before them.
        let word = match self.at.starts_with("ws") {
            true => self.serving.word().replacen("tcp:", "ws:", 1),
            false if self.at.contains("-seq") => self.serving.word().to_owned(),
            false => format!("{},frame=len32", self.serving.word()),
        };
        let address = sockeye::parse(&format!("{word}{options}"), &[]).unwrap();
        let conn = soon("a connection", sockeye::dial(&address, &self.serving.ctx)).await.unwrap();
        Client { conn, last: 0 }
    }

    /// What is told of the next command that is over.
    async fn ran(&mut self) -> (String, Outcome) {
        loop {
            if let Event::Ran { command, outcome, .. } = soon("its end", self.events.recv()).await.unwrap() {
                return (command.to_string(), outcome);
            }
        }
    }
}

/// What a server says, kept.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    Credit(u32),
    Errors(Vec<u8>),
    Exited(i32),
    Limit(String),
    Output(Vec<u8>),
    Refused(Refusal, String),
    Signalled(i32),
    Started(u32),
    Welcome,
}

impl From<FromServer<'_>> for Told {
    fn from(said: FromServer<'_>) -> Self {
        match said {
            FromServer::Credit(bytes) => Self::Credit(bytes),
            FromServer::Errors(data) => Self::Errors(data.to_vec()),
            FromServer::Exit(Ended::Exited(code)) => Self::Exited(code),
            FromServer::Exit(Ended::Limit(text)) => Self::Limit(text.to_owned()),
            FromServer::Exit(Ended::Signalled(number)) => Self::Signalled(number),
            FromServer::Output(data) => Self::Output(data.to_vec()),
            FromServer::Refused { why, text } => Self::Refused(why, text.to_owned()),
            FromServer::Started { credit } => Self::Started(credit),
            FromServer::Welcome { .. } => Self::Welcome,
        }
    }
}

/// A client that takes what comes as it comes.
struct Client {
    conn: Conn,
    last: u32,
}

/// What a command came to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Came {
    output: Vec<u8>,
    errors: Vec<u8>,
    end: Option<Told>,
}

impl Client {
    async fn hello(&mut self, token: &[u8]) {
        self.say(0, FromClient::Hello { version: VERSION, token }).await;
    }

    async fn say(&mut self, command: u32, said: FromClient<'_>) {
        let mut message = Vec::new();
        said.encode(command, &mut message).unwrap();
        soon("room to send", self.conn.send(&message)).await.unwrap();
    }

    /// Asks for a command, and says its number.
    async fn start(&mut self, request: Request, credit: u32) -> u32 {
        self.last += 1;
        self.say(self.last, FromClient::Start { request, credit }).await;
        self.last
    }

    async fn run(&mut self, words: &[&str]) -> u32 {
        self.start(Request { has_input: false, ..program(words) }, CREDIT).await
    }

    /// The next message; `None` is the end.
    async fn next(&mut self) -> Option<(u32, Told)> {
        let mut message = Message::default();
        let more = soon("a message", self.conn.receive(&mut message)).await.unwrap();
        more.then(|| {
            let (command, said) = FromServer::decode(&message.payload).unwrap();
            (command, said.into())
        })
    }

    /// Waits until a command runs, and says how much input it may be sent.
    async fn started(&mut self, command: u32) -> u32 {
        match self.next().await {
            Some((number, Told::Started(credit))) if number == command => credit,
            other => panic!("{other:?}"),
        }
    }

    /// What so many commands come to that have begun.
    async fn ends(&mut self, commands: usize) -> HashMap<u32, Came> {
        let (mut came, mut over): (HashMap<u32, Came>, usize) = (HashMap::new(), 0);
        while over < commands {
            let (number, told) = self.next().await.expect("more");
            let one = came.entry(number).or_default();
            assert_eq!(one.end, None, "{told:?} behind the end of {number}");
            match told {
                Told::Output(data) => one.output.extend(data),
                Told::Errors(data) => one.errors.extend(data),
                Told::Exited(_) | Told::Signalled(_) | Told::Limit(_) | Told::Refused(..) => {
                    one.end = Some(told);
                    over += 1;
                }
                Told::Started(_) | Told::Credit(_) | Told::Welcome => {}
            }
        }
        came
    }

    /// What this command, the only one, comes to.
    async fn end(&mut self, command: u32) -> Came {
        self.ends(1).await.remove(&command).expect("its end")
    }
}

fn program(words: &[&str]) -> Request {
    Request::of(What::Words(words.iter().map(|word| word.as_bytes().to_vec()).collect()))
}

fn line(line: &str) -> Request {
    Request { has_input: false, ..Request::of(What::Line(line.as_bytes().to_vec())) }
}

/// Processes that this one has, and descriptors that it has open.
fn left() -> (usize, usize) {
    let children =
        |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let processes = tasks.map(|task| children(task.unwrap()).split_whitespace().count()).sum();
    (processes, std::fs::read_dir("/proc/self/fd").unwrap().count())
}

/// Waits until no process is left, and no descriptor that there was not `before`.
async fn all_gone(before: (usize, usize)) {
    soon("the end of all that was started", async {
        while left() > before || left().1 > before.1 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
}

/// The head of a first message, which is of another protocol.
const NOT_MAGIC: &[u8; 12] = b"sockeye-file";
const _: () = assert!(NOT_MAGIC.len() == MAGIC.len());
