//! The connection that the commands share.
//!
//! Whoever waits for one of them drives it: sends what is to be sent, and reads what comes for everybody. Its own calls
//! to the connection wake all who wait ([`Wakers`]), since the one who made them may have left since.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use sockeye::proto::exec::{ExecError, FromClient, FromServer, HEAD, MAX_BODY, Request};
use sockeye::{Buffers, Conn, Size};

use super::ROOM;
use super::fault::Fault;
use super::incoming::{Data, Incoming, Next};
use super::outgoing::Outgoing;
use super::slot::{Event, Slot};
use super::wakers::Wakers;

#[derive(Debug)]
pub(super) struct Link {
    state: Mutex<State>,
    wakers: Arc<Wakers>,
    /// Wakes all of them.
    waker: Waker,
}

#[derive(Debug)]
pub(super) struct State {
    conn: Conn,
    buffers: Buffers,
    incoming: Incoming,
    /// What is coming.
    data: Option<Data>,
    outgoing: Outgoing,
    /// Nobody reads what we send any more. What comes may still say why.
    is_unheard: bool,
    slots: HashMap<u32, Slot>,
    /// The number of the last command.
    last: u32,
    /// How many commands may run at once, once the server has said it.
    most: Option<u32>,
    fault: Option<Fault>,
    /// Something has come that others wait for.
    has_news: bool,
    /// A command has credit to grant.
    owes: bool,
}

impl Link {
    pub(super) fn new(conn: Conn, buffers: Buffers) -> Self {
        let wakers = Arc::new(Wakers::default());
        let state = State {
            conn,
            buffers,
            incoming: Incoming::default(),
            data: None,
            outgoing: Outgoing::default(),
            is_unheard: false,
            slots: HashMap::new(),
            last: 0,
            most: None,
            fault: None,
            has_news: false,
            owes: false,
        };
        Self { state: Mutex::new(state), waker: Waker::from(wakers.clone()), wakers }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the connection for a task that waits for it.
    fn poll<T>(
        &self,
        cx: &Context<'_>,
        call: impl FnOnce(&mut State, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.wakers.add(cx.waker());
        let mut state = self.lock();
        let polled = call(&mut state, &mut Context::from_waker(&self.waker));
        let has_news = std::mem::take(&mut state.has_news);
        drop(state);
        if has_news {
            self.wakers.wake_all();
        }
        polled
    }

    /// Reads on until `found` finds something.
    pub(super) fn poll_until<T>(
        &self,
        cx: &Context<'_>,
        found: impl Fn(&State) -> Option<T>,
    ) -> Poll<Result<T, Fault>> {
        self.poll(cx, |state, cx| {
            loop {
                if let Some(found) = found(state) {
                    return Poll::Ready(Ok(found));
                }
                ready!(state.poll_come(cx, None))?;
            }
        })
    }

    /// See [`super::Command::poll_next`].
    pub(super) fn poll_next(
        &self,
        cx: &Context<'_>,
        number: u32,
        buffer: &mut [u8],
    ) -> Poll<Result<Event, Fault>> {
        self.poll(cx, |state, cx| {
            loop {
                if let Some(event) = state.take(number, buffer) {
                    return Poll::Ready(Ok(event));
                }
                if let Some(event) = ready!(state.poll_come(cx, Some((number, &mut *buffer))))? {
                    return Poll::Ready(Ok(event));
                }
            }
        })
    }

    /// See [`super::Command::poll_write`].
    pub(super) fn poll_input(
        &self,
        cx: &Context<'_>,
        number: u32,
        data: &[u8],
    ) -> Poll<Result<usize, Fault>> {
        self.poll(cx, |state, cx| {
            loop {
                ready!(state.poll_send(cx));
                let most =
                    state.conn.max_message().map_or(MAX_BODY, |most| most.saturating_sub(HEAD).min(MAX_BODY));
                let Some(slot) = state.slots.get_mut(&number).filter(|slot| !slot.is_over()) else {
                    return Poll::Ready(Ok(0));
                };
                let taken = data.get(..data.len().min(slot.credit.left()).min(most)).unwrap_or_default();
                if !taken.is_empty() && state.fault.is_none() {
                    slot.credit.spend(taken.len());
                    state.post(number, &FromClient::Input(taken))?;
                    // What does not go at once goes when somebody next waits for anything.
                    let (Poll::Ready(()) | Poll::Pending) = state.poll_send(cx);
                    return Poll::Ready(Ok(taken.len()));
                }
                ready!(state.poll_come(cx, None))?;
            }
        })
    }

    /// Says something about a command that has not ended, and sends it.
    pub(super) fn poll_say(
        &self,
        cx: &Context<'_>,
        number: u32,
        message: &FromClient<'_>,
        is_said: &mut bool,
    ) -> Poll<Result<(), Fault>> {
        self.poll(cx, |state, cx| {
            ready!(state.poll_send(cx));
            if let Some(fault) = &state.fault {
                return Poll::Ready(Err(fault.clone()));
            }
            let is_over = state.slots.get(&number).is_none_or(Slot::is_over);
            if !is_over && !std::mem::replace(is_said, true) {
                state.post(number, message)?;
                ready!(state.poll_send(cx));
            }
            Poll::Ready(Ok(()))
        })
    }

    /// Makes something that is to be sent, and sends what goes at once; the rest goes when somebody waits for anything.
    pub(super) fn post<T>(&self, make: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let made = make(&mut state);
        let (Poll::Ready(()) | Poll::Pending) = state.poll_send(&mut Context::from_waker(&self.waker));
        made
    }
}

impl State {
    /// How many commands the server lets run at once, once it has said so.
    pub(super) fn most(&self) -> Option<u32> {
        self.most
    }

    /// Puts a message behind what is to be sent.
    pub(super) fn post(&mut self, command: u32, message: &FromClient<'_>) -> Result<(), Fault> {
        // Nothing else keeps a message of ours from being one.
        self.outgoing.post(command, message).map_err(|_| Fault::TooLong)
    }

    /// Asks for a command, and says its number.
    pub(super) fn start(&mut self, request: &Request) -> Result<u32, Fault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let number = self.last.checked_add(1).ok_or(ExecError::Command)?;
        self.post(number, &FromClient::Start { request: request.clone(), credit: ROOM })?;
        self.last = number;
        self.slots.insert(number, Slot::new());
        Ok(number)
    }

    /// Nobody waits for a command any more.
    pub(super) fn drop_command(&mut self, number: u32) {
        let Some(slot) = self.slots.get_mut(&number) else { return };
        if slot.is_over() {
            self.slots.remove(&number);
        } else {
            slot.give_up();
            self.owes = true;
            // It is short enough for a message.
            let (Ok(()) | Err(_)) = self.outgoing.post(number, &FromClient::Drop);
        }
    }

    /// What came for a command already.
    fn take(&mut self, number: u32, buffer: &mut [u8]) -> Option<Event> {
        let slot = self.slots.get_mut(&number)?;
        let event = slot.take(buffer);
        self.owes |= slot.owed > 0;
        event
    }

    /// Sends everything that is to be sent. Where nobody hears it any more, what comes will say why.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.is_unheard {
                self.outgoing.clear();
            } else if self.owes && self.outgoing.is_empty() {
                self.post_credit();
            }
            if self.outgoing.is_empty() {
                return Poll::Ready(());
            }
            match ready!(self.outgoing.poll_send(&mut self.conn, cx)) {
                Ok(()) => {}
                Err(error) if error.is_refusal() => {
                    self.outgoing.clear();
                    (self.fault, self.has_news) = (Some(error.into()), true);
                }
                Err(_) => self.is_unheard = true,
            }
        }
    }

    /// Grants the server what was taken since. That waits until all else is sent, so that what is to be sent stays bounded.
    fn post_credit(&mut self) {
        self.owes = false;
        for (number, slot) in &mut self.slots {
            if slot.owed > 0 {
                let credit = FromClient::Credit(std::mem::take(&mut slot.owed));
                // It is short enough for a message.
                let (Ok(()) | Err(_)) = self.outgoing.post(*number, &credit);
            }
        }
    }

    /// Reads something: for whoever waits for data of a command into the buffer, for all others to where they find it.
    fn poll_come(
        &mut self,
        cx: &mut Context<'_>,
        wanted: Option<(u32, &mut [u8])>,
    ) -> Poll<Result<Option<Event>, Fault>> {
        let (Poll::Ready(()) | Poll::Pending) = self.poll_send(cx);
        if let Some(fault) = &self.fault {
            return Poll::Ready(Err(fault.clone()));
        }
        let come = ready!(self.poll_read(cx, wanted));
        if let Err(fault) = &come {
            (self.fault, self.has_news) = (Some(fault.clone()), true);
        }
        Poll::Ready(come)
    }

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        wanted: Option<(u32, &mut [u8])>,
    ) -> Poll<Result<Option<Event>, Fault>> {
        let Some(data) = self.data else {
            match ready!(self.incoming.poll_next(&mut self.conn, cx))? {
                Next::Data(data) => {
                    self.slots.get_mut(&data.command).ok_or(ExecError::Command)?.expect(data.left)?;
                    self.data = Some(data).filter(|data| data.left > 0);
                }
                Next::End => return Poll::Ready(Err(Fault::Ended)),
                Next::Whole => self.hear()?,
            }
            return Poll::Ready(Ok(None));
        };
        let Data { stream, command, left } = data;
        let slot = self.slots.get_mut(&command).ok_or(ExecError::Command)?;
        let (read, event) = match wanted {
            Some((number, buffer)) if number == command && slot.is_empty() => {
                let read = ready!(self.incoming.poll_data(&mut self.conn, cx, left, buffer))?;
                (read, Some(slot.passed(stream, read)))
            }
            _ => {
                let mut buffer = self.buffers.lend(Size::Medium);
                let polled = self.incoming.poll_data(&mut self.conn, cx, left, &mut buffer);
                if let Poll::Ready(Ok(read)) = polled {
                    slot.keep(stream, buffer.get(..read).unwrap_or_default());
                }
                self.buffers.give_back(buffer);
                self.has_news = true;
                (ready!(polled)?, None)
            }
        };
        self.owes |= slot.owed > 0;
        self.data = Some(Data { left: left - read, ..data }).filter(|data| data.left > 0);
        Poll::Ready(Ok(event))
    }

    /// Takes the message that has come.
    fn hear(&mut self) -> Result<(), Fault> {
        let (number, said) = FromServer::decode(self.incoming.message())?;
        self.has_news = true;
        match (number, said) {
            (0, FromServer::Welcome { most, .. }) => self.most = Some(most),
            (0, FromServer::Refused { why, text }) => return Err(Fault::Refused(why, text.into())),
            (number, said) => {
                let slot = self.slots.get_mut(&number).ok_or(ExecError::Command)?;
                if let ControlFlow::Break(()) = slot.hear(&said)?
                    && slot.is_dropped
                {
                    self.slots.remove(&number);
                }
            }
        }
        Ok(())
    }
}
