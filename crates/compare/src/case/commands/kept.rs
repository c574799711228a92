//! One command after the other over one connection, by a client that does nothing but that.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Instant;

use sockeye_proto::exec::{Ended, FromClient, FromServer, MAX_MESSAGE, Request, VERSION, What};

use super::super::Figure;
use crate::load::PATIENCE;
use crate::program::{Bench, Runner, Running};

/// More than any command here says.
const CREDIT: u32 = 1 << 20;

/// The commands whose time is measured: one that does nothing, and one that does a little.
const COMMANDS: [&[&str]; 2] = [&["true"], &["ls", "-l", "/usr/bin"]];

/// How long each command takes: over the connection, or by starting it here and waiting for its end.
pub(in super::super) fn kept(running: &Running, bench: &Bench) -> io::Result<Vec<Figure>> {
    let mut client = match &running.runner {
        Some(Runner::Here) => None,
        Some(Runner::Ours(_)) => Some(Client::enter(running.port)?),
        _ => return Ok(vec![None; COMMANDS.len()]),
    };
    let mut figures = Vec::new();
    for words in COMMANDS {
        let (began, mut count) = (Instant::now(), 0_u32);
        while began.elapsed() < bench.lasting {
            match &mut client {
                Some(client) => client.run(words)?,
                None => here(words)?,
            }
            count += 1;
        }
        figures.push(Some(began.elapsed().as_secs_f64() * 1e6 / f64::from(count)));
    }
    Ok(figures)
}

fn here(words: &[&str]) -> io::Result<()> {
    let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output()?;
    if output.status.success() { Ok(()) } else { Err(io::Error::other("it failed")) }
}

struct Client {
    conn: TcpStream,
    /// Commands so far.
    commands: u32,
    message: Vec<u8>,
}

impl Client {
    fn enter(port: u16) -> io::Result<Self> {
        let conn = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        conn.set_nodelay(true)?;
        conn.set_read_timeout(Some(PATIENCE))?;
        let mut client = Self { conn, commands: 0, message: Vec::new() };
        client.say(0, &FromClient::Hello { version: VERSION, token: b"" })?;
        match client.hear()? {
            FromServer::Welcome { .. } => Ok(client),
            other => Err(unexpected(&other)),
        }
    }

    fn run(&mut self, words: &[&str]) -> io::Result<()> {
        self.commands += 1;
        let words = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        let request = Request { has_input: false, ..Request::of(What::Words(words)) };
        self.say(self.commands, &FromClient::Start { request, credit: CREDIT })?;
        loop {
            match self.hear()? {
                FromServer::Exit(Ended::Exited(0)) => return Ok(()),
                FromServer::Started { .. } | FromServer::Credit(_) | FromServer::Output(_) => {}
                other => return Err(unexpected(&other)),
            }
        }
    }

    fn say(&mut self, command: u32, what: &FromClient<'_>) -> io::Result<()> {
        let mut message = vec![0; 4];
        what.encode(command, &mut message).map_err(io::Error::other)?;
        let length = u32::try_from(message.len() - 4).map_err(io::Error::other)?;
        message.splice(..4, length.to_be_bytes());
        self.conn.write_all(&message)
    }

    fn hear(&mut self) -> io::Result<FromServer<'_>> {
        let mut length = [0; 4];
        self.conn.read_exact(&mut length)?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > MAX_MESSAGE {
            return Err(io::Error::other("a message is longer than any may be"));
        }
        self.message.resize(length, 0);
        self.conn.read_exact(&mut self.message)?;
        FromServer::decode(&self.message).map(|(_, said)| said).map_err(io::Error::other)
    }
}

fn unexpected(said: &FromServer<'_>) -> io::Error {
    io::Error::other(format!("the server says {said:?}"))
}
