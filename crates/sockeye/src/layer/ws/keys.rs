//! Numbers that nobody can foresee, for what a client sends.

use std::io;

use rustix::rand::{GetRandomFlags, getrandom};
use sockeye_proto::websocket::Key;

/// How many keys are fetched at once: the kernel is asked once in so many messages.
const AT_ONCE: usize = 16;

/// The keys that mask what one connection sends, fresh from the kernel (RFC 6455, section 10.3): a generator of ours
/// would be one more thing that could be foreseen.
#[derive(Default)]
pub(super) struct Keys {
    fetched: [[u8; 4]; AT_ONCE],
    left: usize,
}

impl Keys {
    pub(super) fn next(&mut self) -> io::Result<Key> {
        if self.left == 0 {
            fill(self.fetched.as_flattened_mut())?;
            self.left = AT_ONCE;
        }
        self.left -= 1;
        Ok(Key(self.fetched.get(self.left).copied().unwrap_or_default()))
    }
}

/// Fills all of it with random bytes.
pub(super) fn fill(mut bytes: &mut [u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let filled = rustix::io::retry_on_intr(|| getrandom(&mut *bytes, GetRandomFlags::empty()))?;
        bytes = bytes.get_mut(filled..).unwrap_or_default();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_messages_have_the_same_mask() {
        let mut keys = Keys::default();
        let made: std::collections::HashSet<[u8; 4]> = (0..100).map(|_| keys.next().unwrap().0).collect();
        // Four bytes are few: once in a million runs two of a hundred are the same.
        assert!(made.len() >= 99, "{}", made.len());
    }
}
