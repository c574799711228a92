//! The wire of tutorials: a command comes as a text, and what it said goes back as one, its errors where there are any.
//!
//! Nothing says where a text ends but its message, so an answer is collected before it is sent, and is bounded.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;

use sockeye::proto::encoding::Encoding;
use sockeye::proto::exec::{Refusal, Request, Stream, What};
use sockeye::proto::{sniff, words};
use sockeye::{Conn, Ctx, Given, Message, Peer, Protocol, Result};
use tokio::time::{Instant, interval_at};

use super::Exec;
use super::job::{End, Job, Step};
use super::policy::{No, Programs};
use super::record::Record;
use super::session::{LOOK, is_away};
use crate::access::key;
use crate::session;

/// The most bytes of an answer, where a message of the connection holds as many.
const MOST: usize = 4 << 20;
/// What the first of these servers said when there was nothing to say: done.
const EMPTY: &str = "执行成功";

/// How answers are written.
#[derive(Debug)]
pub(super) struct Raw {
    encoding: Encoding,
    /// What stands for an answer without bytes.
    empty: String,
}

/// What a command said, as much of it as is kept.
#[derive(Debug, Default)]
struct Said {
    kept: Vec<u8>,
    /// How much there was.
    size: usize,
}

impl Raw {
    /// How the flags ask for this wire; `None` where they do not.
    ///
    /// # Errors
    /// A sentence: which flag is wrong.
    pub(super) fn read(given: &Given) -> std::result::Result<Option<Self>, String> {
        let flags = ["encoding", "empty-text"];
        match given.value("wire") {
            Some("raw") => {}
            None | Some("framed") => {
                let lost = flags.into_iter().find(|flag| given.has(flag));
                return lost.map_or(Ok(None), |flag| Err(format!("--{flag} is for --wire raw")));
            }
            Some(other) => return Err(format!("--wire {other}: expected framed or raw")),
        }
        if given.has("tokens") {
            return Err("--tokens: no token can be sent on the raw wire".to_owned());
        }
        let named = |name: &str| {
            Encoding::named(name).ok_or_else(|| format!("--encoding {name}: there is no such encoding"))
        };
        let encoding = given.value("encoding").map(named).transpose()?.unwrap_or_default();
        let empty = given.value("empty-text").unwrap_or(EMPTY).to_owned();
        Ok(Some(Self { encoding, empty }))
    }

    /// Answers one command after the other. A client that breaks off, or has it dropped, ends the one that runs; one that
    /// only ends its side still gets the answer.
    pub(super) async fn serve(&self, exec: &Exec, mut conn: Conn, ctx: &Ctx) -> Result<()> {
        let peer = conn.peer().clone();
        let ctx = Ctx { caller: Some(peer.clone()), ..ctx.clone() };
        let most = conn.max_message().unwrap_or(MOST).min(MOST);
        let (mut next, mut has_next, mut has_ended) = (Message::default(), false, false);
        let mut hurried = pin!(ctx.stop.hurried());
        while !has_ended {
            if !std::mem::take(&mut has_next) && !session::next(&mut conn, &mut hurried, &mut next).await? {
                break;
            }
            let command = std::mem::take(&mut next.payload);
            if sniff::sniff(&command) == Some(Protocol::Http) {
                // A page can have a browser send this, with a command in it.
                Record::new(&ctx.events, &peer, None).refuse("it speaks HTTP");
                if conn.is_lossy() {
                    continue;
                }
                conn.abort();
                return Ok(());
            }
            let mut answer = pin!(self.answer(exec, &peer, &command, most, &ctx));
            let mut looks = interval_at(Instant::now() + LOOK, LOOK);
            let answer = loop {
                tokio::select! {
                    biased;
                    () = &mut hurried => return Ok(()),
                    answer = &mut answer => break answer,
                    more = conn.receive(&mut next), if !has_next && !has_ended => {
                        (has_next, has_ended) = if more? { (true, false) } else { (false, true) };
                    }
                    // Nothing is read then that would tell.
                    _ = looks.tick(), if has_next || has_ended => {
                        if is_away(&conn) {
                            conn.abort();
                            return Ok(());
                        }
                    }
                }
            };
            conn.send(&answer).await?;
            has_ended &= !has_next;
        }
        conn.shutdown_write().await
    }

    /// Runs a command, and says what it said, in at most so many bytes.
    async fn answer(&self, exec: &Exec, peer: &Arc<Peer>, command: &[u8], most: usize, ctx: &Ctx) -> Vec<u8> {
        match self.run(exec, peer, command, ctx).await {
            Ok((said, note)) => self.written(&said, note.as_deref(), most),
            Err(no) => self.written(&Said::of(format!("{}\n", no.text).into_bytes()), None, most),
        }
    }

    async fn run(
        &self,
        exec: &Exec,
        peer: &Arc<Peer>,
        command: &[u8],
        ctx: &Ctx,
    ) -> std::result::Result<(Said, Option<String>), No> {
        let what = asked(command, &exec.settings.policy.programs)?;
        let mut record = Record::new(&ctx.events, peer, Some(&what));
        let request = Request { has_input: false, ..Request::of(what) };
        let admitted = exec.settings.access.admit(peer, None, ctx).await;
        let allowed = admitted
            .map_err(|denied| No::new(Refusal::NotPermitted, denied.to_string()))
            .and_then(|()| exec.house.admit(request, key(peer), &exec.settings.policy, ctx));
        let (program, place) = allowed.inspect_err(|no| record.refuse(&no.text))?;
        let mut job = Job::start(program, Vec::new(), (place, record), &exec.settings, ctx).await?;
        let (mut output, mut errors) = (Said::default(), Said::default());
        let end = loop {
            let take = |stream, bytes: &[u8]| match stream {
                Stream::Errors => errors.add(bytes),
                Stream::Input | Stream::Output => output.add(bytes),
            };
            if let Step::Ended(end) = job.step(usize::MAX, take).await {
                break end;
            }
        };
        let note = match end {
            End::Exited(_) => None,
            End::Limit(reason) => Some(format!("\n[ended: {reason}]\n")),
        };
        let said = [errors, output].into_iter().find(|said| said.size > 0);
        Ok((said.unwrap_or_else(|| Said::of(self.empty.clone().into_bytes())), note))
    }

    /// An answer as it goes out, with a note behind it; one that is too long is cut between two characters, and says so.
    fn written(&self, said: &Said, note: Option<&str>, most: usize) -> Vec<u8> {
        let note = note.unwrap_or_default();
        let (mut answer, taken) = self.encoding.encode(&said.kept, most.saturating_sub(note.len()));
        let mut end = note.to_owned();
        if taken < said.size {
            end = format!("\n[cut: there were {} bytes]\n{note}", said.size);
            answer = self.encoding.encode(&said.kept, most.saturating_sub(end.len())).0;
        }
        answer.extend(self.encoding.encode(end.as_bytes(), most - answer.len()).0);
        answer
    }
}

/// What a text asks for: a line for the shell where that is allowed, else a program and its words.
fn asked(command: &[u8], programs: &Programs) -> std::result::Result<What, No> {
    let malformed = |error: &dyn fmt::Display| No::new(Refusal::Malformed, error.to_string());
    let text = str::from_utf8(command).map_err(|_| malformed(&"a command is text in UTF-8"))?.trim_end();
    Ok(match programs {
        Programs::All => What::Line(text.into()),
        Programs::Named(_) => {
            let words = words::split(text).map_err(|error| malformed(&error))?;
            What::Words(words.into_iter().map(String::into_bytes).collect())
        }
    })
}

impl Said {
    fn of(kept: Vec<u8>) -> Self {
        Self { size: kept.len(), kept }
    }

    fn add(&mut self, bytes: &[u8]) {
        self.size += bytes.len();
        let room = MOST.saturating_sub(self.kept.len());
        self.kept.extend(bytes.iter().take(room));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(encoding: &str) -> Raw {
        Raw { encoding: Encoding::named(encoding).unwrap(), empty: String::new() }
    }

    #[test]
    fn an_answer_that_is_too_long_is_cut_between_characters_and_says_so() {
        let said = Said::of("行".repeat(100).into_bytes());
        let whole = raw("gbk").written(&said, None, 200);
        assert_eq!(whole.len(), 200);
        let cut = raw("gbk").written(&said, None, 199);
        let text = Encoding::named("gbk").unwrap().decode(&cut);
        assert!(cut.len() <= 199 && text.ends_with("行\n[cut: there were 300 bytes]\n"), "{text}");
        let noted = raw("utf-8").written(&Said::of(b"abc".to_vec()), Some("[why]"), 100);
        assert_eq!(noted, b"abc[why]");
        let mut much = Said::default();
        much.add(&vec![b'x'; MOST + 1]);
        let cut = raw("utf-8").written(&much, None, 2 * MOST);
        assert!(cut.ends_with(b"\n[cut: there were 4194305 bytes]\n"));
    }

    #[test]
    fn a_text_is_a_line_only_where_a_shell_may_be_run() {
        let named = Programs::Named(Vec::new());
        assert_eq!(asked(b"ls | wc\n", &Programs::All), Ok(What::Line(b"ls | wc".to_vec())));
        assert_eq!(asked(b"ls '|'\n", &named), Ok(What::Words(vec![b"ls".to_vec(), b"|".to_vec()])));
        assert_eq!(asked(b"\xff", &named).unwrap_err().why, Refusal::Malformed);
        assert_eq!(asked(b" ", &named).unwrap_err().text, "expected a program");
    }
}
