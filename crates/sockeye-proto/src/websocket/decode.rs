//! From a stream of bytes, cut anywhere, to whole messages.

use super::close::Close;
use super::error::WebSocketError;
use super::header::{Header, LONGEST, Opcode};
use super::mask::Key;
use super::{MAX_CONTROL, Party};

/// What comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A message of text.
    Text,
    /// A message of any bytes.
    Binary,
    /// A pong is asked for, with [`Decoder::control`] inside.
    Ping,
    /// Somebody is there.
    Pong,
    /// No more will come, and this is why. Nothing behind it is to be decoded.
    Close(Close),
}

/// Finds the messages in what the other side sends. Where the stream is cut makes no difference.
///
/// It holds what has come of one message, at most as much as one may have, and nothing between messages. What a peer
/// says of a length makes no room: that grows as the bytes come.
#[derive(Debug)]
pub struct Decoder {
    party: Party,
    most: usize,
    /// What has come of a head that is not all there.
    head: [u8; LONGEST],
    head_length: usize,
    frame: Option<Frame>,
    /// The message that is under way, if one is, and how much of its text is known to be UTF-8.
    is_text: Option<bool>,
    message: Vec<u8>,
    checked: usize,
    control: [u8; MAX_CONTROL],
    control_length: usize,
    failed: Option<WebSocketError>,
}

/// The frame whose payload is under way.
#[derive(Debug, Clone, Copy)]
struct Frame {
    opcode: Opcode,
    is_final: bool,
    /// For the next byte.
    key: Option<Key>,
    /// How many bytes are still to come.
    left: usize,
}

impl Decoder {
    /// A decoder behind the handshake, of messages of at most `most` bytes each; `party` is what we are.
    pub fn new(party: Party, most: usize) -> Self {
        Self {
            party,
            most,
            head: [0; LONGEST],
            head_length: 0,
            frame: None,
            is_text: None,
            message: Vec::new(),
            checked: 0,
            control: [0; MAX_CONTROL],
            control_length: 0,
            failed: None,
        }
    }

    /// Whether no message is under way, nor any other frame.
    pub fn is_empty(&self) -> bool {
        self.head_length == 0 && self.frame.is_none() && self.is_text.is_none()
    }

    /// How many bytes of the frame under way are still to come.
    pub fn missing(&self) -> usize {
        self.frame.map_or(0, |frame| frame.left)
    }

    /// For how many bytes it has reserved room: none between messages.
    pub fn capacity(&self) -> usize {
        self.message.capacity()
    }

    /// What the ping or pong carries that came last.
    pub fn control(&self) -> &[u8] {
        self.control.get(..self.control_length).unwrap_or_default()
    }

    /// Takes from the front of `input` what belongs to the next item. A message stands behind what `payload` held. `None`:
    /// all of the input is taken, and more is needed.
    ///
    /// # Errors
    /// What comes breaks the rules, and each further call says the same: [`WebSocketError::code`] is to be told to the
    /// peer. A message of more than the limit is refused by its head, text at the first byte that cannot be UTF-8. What
    /// stands in `payload` then has no meaning.
    pub fn decode(
        &mut self,
        input: &mut &[u8],
        payload: &mut Vec<u8>,
    ) -> Result<Option<Item>, WebSocketError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let decoded = self.next(input, payload);
        if let Err(error) = &decoded {
            self.failed = Some(error.clone());
            self.message = Vec::new();
        }
        decoded
    }

    fn next(&mut self, input: &mut &[u8], payload: &mut Vec<u8>) -> Result<Option<Item>, WebSocketError> {
        loop {
            let frame = match self.frame {
                Some(frame) => frame,
                None => match self.head(input)? {
                    Some(frame) => frame,
                    None => return Ok(None),
                },
            };
            let (part, rest) = input.split_at_checked(frame.left).unwrap_or((*input, &[]));
            *input = rest;
            let left = frame.left - part.len();
            let item = if frame.opcode.is_control() {
                self.hold_control(frame, part);
                (left == 0).then(|| self.end_control(frame.opcode)).transpose()?
            } else {
                self.take(frame, part, left, payload)?
            };
            let key = frame.key.map(|key| key.after(part.len()));
            self.frame = (left > 0).then_some(Frame { left, key, ..frame });
            if item.is_some() || left > 0 {
                return Ok(item);
            }
        }
    }

    /// Takes the head of the next frame, and refuses what must not follow.
    fn head(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, WebSocketError> {
        let header = if self.head_length == 0 {
            Header::read(input, self.party)?
        } else {
            let room = self.head.get_mut(self.head_length..).unwrap_or_default();
            room.iter_mut().zip(*input).for_each(|(to, from)| *to = *from);
            let there = (self.head_length + input.len()).min(LONGEST);
            Header::read(self.head.get(..there).unwrap_or_default(), self.party)?
        };
        let Some(header) = header else {
            if self.head_length == 0 {
                self.head.iter_mut().zip(*input).for_each(|(to, from)| *to = *from);
            }
            self.head_length += input.len();
            *input = &[];
            return Ok(None);
        };
        *input = input.get(header.length - self.head_length..).unwrap_or_default();
        self.head_length = 0;

        let Header { is_final, opcode, size, .. } = header;
        match (opcode, self.is_text) {
            (Opcode::Continuation, None) => return Err(WebSocketError::NothingToContinue),
            (Opcode::Text | Opcode::Binary, Some(_)) => return Err(WebSocketError::Unfinished),
            (Opcode::Text | Opcode::Binary, None) => self.is_text = Some(opcode == Opcode::Text),
            (Opcode::Continuation, Some(_)) | (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => {}
        }
        let left = usize::try_from(size).unwrap_or(usize::MAX);
        if opcode.is_control() {
            self.control_length = 0;
        } else if left > self.most.saturating_sub(self.message.len()) {
            return Err(WebSocketError::TooLarge { most: self.most });
        }
        let key = (self.party == Party::Server).then_some(header.key);
        Ok(Some(Frame { opcode, is_final, key, left }))
    }

    /// Takes a part of a message; what is whole at once goes past our own buffer.
    fn take(
        &mut self,
        frame: Frame,
        part: &[u8],
        left: usize,
        payload: &mut Vec<u8>,
    ) -> Result<Option<Item>, WebSocketError> {
        let is_text = self.is_text.unwrap_or_default();
        let is_last = frame.is_final && left == 0;
        let is_at_once = is_last && self.message.is_empty();
        let to = if is_at_once { &mut *payload } else { &mut self.message };
        let start = to.len();
        if !is_at_once {
            reserve(to, part.len(), left, self.most);
        }
        match frame.key {
            Some(key) => key.append(part, to),
            None => to.extend_from_slice(part),
        }
        if is_text {
            let from = if is_at_once { start } else { self.checked };
            let (valid, is_whole) = valid_text(to.get(from..).unwrap_or_default())?;
            if is_last && !is_whole {
                return Err(WebSocketError::NotText);
            }
            self.checked += valid;
        }
        if !is_last {
            return Ok(None);
        }
        if !is_at_once {
            if payload.is_empty() {
                *payload = std::mem::take(&mut self.message);
            } else {
                payload.append(&mut self.message);
                self.message = Vec::new();
            }
        }
        (self.is_text, self.checked) = (None, 0);
        Ok(Some(if is_text { Item::Text } else { Item::Binary }))
    }

    fn hold_control(&mut self, frame: Frame, part: &[u8]) {
        let room = self.control.get_mut(self.control_length..).unwrap_or_default();
        let to = room.get_mut(..part.len()).unwrap_or_default();
        match frame.key {
            Some(key) => key.copy(part, to),
            None => to.copy_from_slice(part),
        }
        self.control_length += part.len();
    }

    fn end_control(&self, opcode: Opcode) -> Result<Item, WebSocketError> {
        Ok(match opcode {
            Opcode::Ping => Item::Ping,
            Opcode::Close => Item::Close(Close::read(self.control())?),
            Opcode::Pong | Opcode::Binary | Opcode::Continuation | Opcode::Text => Item::Pong,
        })
    }
}

/// Makes room for a part of a message of which `left` bytes are still to come: for no more than twice what has come, so
/// that who only promises much costs little.
fn reserve(message: &mut Vec<u8>, part: usize, left: usize, most: usize) {
    let come = message.len() + part;
    if come > message.capacity() {
        message.reserve_exact((part + left.min(come)).min(most - message.len()));
    }
}

/// How many bytes are UTF-8 for certain, and whether those are all.
fn valid_text(bytes: &[u8]) -> Result<(usize, bool), WebSocketError> {
    match str::from_utf8(bytes) {
        Ok(text) => Ok((text.len(), true)),
        Err(error) if error.error_len().is_none() => Ok((error.valid_up_to(), false)),
        Err(_) => Err(WebSocketError::NotText),
    }
}
