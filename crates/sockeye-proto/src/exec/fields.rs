//! The fields of a body: numbers, and byte strings behind their length.

use super::ExecError;

/// What of a body is still to be read.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], ExecError> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(ExecError::Short)?;
        self.0 = rest;
        Ok(*bytes)
    }

    pub(super) fn byte(&mut self) -> Result<u8, ExecError> {
        self.bytes().map(|[byte]| byte)
    }

    pub(super) fn short(&mut self) -> Result<u16, ExecError> {
        self.bytes().map(u16::from_be_bytes)
    }

    pub(super) fn long(&mut self) -> Result<u32, ExecError> {
        self.bytes().map(u32::from_be_bytes)
    }

    /// A string that is handed to a program, and so has no zero byte.
    pub(super) fn string(&mut self) -> Result<&'a [u8], ExecError> {
        let length = usize::try_from(self.long()?).unwrap_or(usize::MAX);
        let (string, rest) = self.0.split_at_checked(length).ok_or(ExecError::Short)?;
        self.0 = rest;
        if string.contains(&0) { Err(ExecError::Nul) } else { Ok(string) }
    }

    /// As many strings as a number before them says. What a list may take is bounded by its message.
    pub(super) fn strings(&mut self) -> Result<Vec<&'a [u8]>, ExecError> {
        let count = self.short()?;
        (0..count).map(|_| self.string()).collect()
    }

    /// All that is left, as a text for people.
    pub(super) fn text(self) -> Result<&'a str, ExecError> {
        str::from_utf8(self.0).map_err(|_| ExecError::Text)
    }

    pub(super) fn end(self) -> Result<(), ExecError> {
        if self.0.is_empty() { Ok(()) } else { Err(ExecError::Trailing) }
    }
}

/// Puts a string behind its length. One of 4 GiB fits into no message.
pub(super) fn put_string(string: &[u8], out: &mut Vec<u8>) {
    out.extend(u32::try_from(string.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend(string);
}

/// Puts how many strings there are; more than 65,535 fit into no message.
pub(super) fn put_count(count: usize, out: &mut Vec<u8>) {
    out.extend(u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes());
}
