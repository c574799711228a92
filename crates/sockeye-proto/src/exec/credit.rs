//! How much may be sent before the other side has asked for more.
//!
//! A command whose output nobody reads stops when its credit is used up, and holds up no other on its connection: nothing waits
//! for it there. Credit counts bytes of data, those of output and errors together.

use super::ExecError;

/// What we may still send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credit(u32);

impl Credit {
    /// The credit that a command begins with.
    pub fn new(bytes: u32) -> Self {
        Self(bytes)
    }

    /// How many bytes may be sent now.
    pub fn left(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    /// So many more bytes may be sent.
    ///
    /// # Errors
    /// It would be 4 GiB or more.
    pub fn grant(&mut self, bytes: u32) -> Result<(), ExecError> {
        self.0 = self.0.checked_add(bytes).ok_or(ExecError::Credit)?;
        Ok(())
    }

    /// So many bytes are sent: at most [`Credit::left`].
    pub fn spend(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.left(), "{bytes} of {}", self.0);
        self.0 = self.0.saturating_sub(u32::try_from(bytes).unwrap_or(u32::MAX));
    }
}

/// What the other side may still send, and when it is told that it may send more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// What it may have under way at most.
    room: u32,
    /// What it may still send.
    left: u32,
    /// What was taken and is not granted again.
    taken: u32,
}

impl Allowance {
    /// One that was told that it may send `room` bytes.
    pub fn new(room: u32) -> Self {
        Self { room, left: room, taken: 0 }
    }

    /// So many bytes have come.
    ///
    /// # Errors
    /// It had not so much credit.
    pub fn receive(&mut self, bytes: usize) -> Result<(), ExecError> {
        let left = u32::try_from(bytes).ok().and_then(|bytes| self.left.checked_sub(bytes));
        self.left = left.ok_or(ExecError::Credit)?;
        Ok(())
    }

    /// So many bytes, which had come, are passed on. `Some` is the credit to be sent now: half of the room is free again, since
    /// a message for each read would cost more than it tells.
    #[must_use = "the other side waits for this credit"]
    pub fn take(&mut self, bytes: usize) -> Option<u32> {
        self.taken = self.taken.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        if self.taken == 0 || self.taken < self.room.div_ceil(2) {
            return None;
        }
        self.left = self.left.saturating_add(self.taken);
        Some(std::mem::take(&mut self.taken))
    }
}
