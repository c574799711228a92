//! Answers that are collected: shown once where they are equal, or as an object for each host.

use std::time::Duration;

use serde_json::json;
use sockeye::proto::exec::Stream;
use sockeye_services::exec_client::End;

use super::outcome::Outcome;
use crate::args::Request;
use crate::flag;

/// How collected answers are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Fold,
    Json,
}

/// How the flags ask for them; `None` where each line is shown as it comes.
pub(super) fn form(request: &Request) -> Option<Form> {
    if request.has(&flag::JSON) { Some(Form::Json) } else { request.has(&flag::FOLD).then_some(Form::Fold) }
}

/// The most of an answer that is kept, output and errors together: hosts are many.
const MOST: usize = 1 << 20;

/// What one host said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    output: Vec<u8>,
    errors: Vec<u8>,
    pub(super) is_cut: bool,
}

impl Answer {
    pub(super) fn add(&mut self, stream: Stream, bytes: &[u8]) {
        let room = MOST - (self.output.len() + self.errors.len()).min(MOST);
        self.is_cut |= bytes.len() > room;
        let kept = bytes.get(..room).unwrap_or(bytes);
        if stream == Stream::Errors { &mut self.errors } else { &mut self.output }.extend(kept);
    }

    /// An object for programs. Bytes that are no UTF-8 are told as U+FFFD.
    pub(super) fn json(
        &self,
        label: &str,
        address: &str,
        outcome: &Outcome,
        took: Duration,
        program: &str,
    ) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut object = json!({
            "host": label, "address": address, "code": outcome.exit().code(), "seconds": took.as_secs_f64(),
            "output": text(&self.output), "errors": text(&self.errors), "cut": self.is_cut,
        });
        let (key, value) = match outcome {
            Outcome::Ended(End::Exited(code)) => ("exited", json!(code)),
            Outcome::Ended(End::Signalled(signal)) => ("signal", json!(signal)),
            other => ("failed", json!(other.in_short(program))),
        };
        if let Some(object) = object.as_object_mut() {
            object.insert(key.to_owned(), value);
        }
        format!("{object}\n")
    }
}

/// Answers and the hosts that gave them, in the order in which each was first given.
#[derive(Debug, Default)]
pub(super) struct Folded(Vec<(Answer, Vec<String>)>);

impl Folded {
    pub(super) fn add(&mut self, label: &str, answer: Answer) {
        match self.0.iter_mut().find(|(known, _)| *known == answer) {
            Some((_, labels)) => labels.push(label.to_owned()),
            None => self.0.push((answer, vec![label.to_owned()])),
        }
    }

    /// Each answer once, with its hosts above it.
    pub(super) fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for (answer, labels) in &self.0 {
            let count = if labels.len() == 1 { String::new() } else { format!(" ({} hosts)", labels.len()) };
            text.extend(format!("--- {}{count}\n", labels.join(" ")).bytes());
            text.extend(&answer.output);
            if !answer.output.is_empty() && !answer.output.ends_with(b"\n") {
                text.push(b'\n');
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_answers_are_shown_once_with_all_their_hosts() {
        let mut folded = Folded::default();
        for (label, said) in [("a", "1\n"), ("b", "2"), ("c", "1\n"), ("d", "")] {
            let mut answer = Answer::default();
            answer.add(Stream::Output, said.as_bytes());
            folded.add(label, answer);
        }
        assert_eq!(String::from_utf8(folded.text()).unwrap(), "--- a c (2 hosts)\n1\n--- b\n2\n--- d\n");
    }

    #[test]
    fn an_answer_is_kept_up_to_its_bound_and_is_known_to_be_cut() {
        let mut answer = Answer::default();
        answer.add(Stream::Errors, &[b'x'; 10]);
        answer.add(Stream::Output, &vec![b'y'; MOST - 10]);
        assert!(!answer.is_cut);
        answer.add(Stream::Output, b"z");
        assert!(answer.is_cut);
        assert_eq!((answer.errors.len(), answer.output.len()), (10, MOST - 10));
    }
}
