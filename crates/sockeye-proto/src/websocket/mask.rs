//! The mask of what a client sends (RFC 6455, section 5.3): each byte is combined with one of four.

/// Four bytes that nobody can foresee: else who chooses a message could choose what a proxy on the way sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Key(pub [u8; 4]);

/// How many bytes are masked at once.
const LANE: usize = 32;

/// How much is copied before it is masked, so that it is still near when it is.
const NEAR: usize = 4 << 10;

impl Key {
    /// The key for what stands so many bytes further on.
    #[must_use]
    pub(super) fn after(self, bytes: usize) -> Self {
        let mut key = self.0;
        key.rotate_left(bytes % 4);
        Self(key)
    }

    /// Masks, or unmasks, `bytes`, the first of which meets the first of the key.
    pub(super) fn apply(self, bytes: &mut [u8]) {
        let wide: [u8; LANE] = std::array::from_fn(|at| self.0.get(at % 4).copied().unwrap_or_default());
        let (lanes, rest) = bytes.as_chunks_mut::<LANE>();
        for lane in lanes {
            lane.iter_mut().zip(wide).for_each(|(byte, key)| *byte ^= key);
        }
        rest.iter_mut().zip(wide).for_each(|(byte, key)| *byte ^= key);
    }

    /// The same while copying to a place of the same size.
    pub(super) fn copy(self, from: &[u8], to: &mut [u8]) {
        let wide: [u8; LANE] = std::array::from_fn(|at| self.0.get(at % 4).copied().unwrap_or_default());
        let ((from, from_rest), (to, to_rest)) = (from.as_chunks::<LANE>(), to.as_chunks_mut::<LANE>());
        for (from, to) in from.iter().zip(to) {
            from.iter().zip(to).zip(wide).for_each(|((from, to), key)| *to = from ^ key);
        }
        from_rest.iter().zip(to_rest).zip(wide).for_each(|((from, to), key)| *to = from ^ key);
    }

    /// The same while appending.
    pub(super) fn append(self, from: &[u8], to: &mut Vec<u8>) {
        to.reserve(from.len());
        let mut key = self;
        for piece in from.chunks(NEAR) {
            let start = to.len();
            to.extend_from_slice(piece);
            key.apply(to.get_mut(start..).unwrap_or_default());
            key = key.after(piece.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_byte_meets_its_byte_of_the_key_wherever_a_piece_begins(
            key in any::<[u8; 4]>(),
            bytes in prop::collection::vec(any::<u8>(), 0..10_000),
            cut in any::<prop::sample::Index>(),
        ) {
            let want: Vec<u8> = bytes.iter().enumerate().map(|(at, byte)| byte ^ key[at % 4]).collect();
            let key = Key(key);
            let cut = cut.index(bytes.len() + 1);
            let (mut appended, mut copied, mut applied) = (Vec::new(), vec![0; bytes.len()], bytes.clone());
            key.append(&bytes[..cut], &mut appended);
            key.after(cut).append(&bytes[cut..], &mut appended);
            key.copy(&bytes[..cut], &mut copied[..cut]);
            key.after(cut).copy(&bytes[cut..], &mut copied[cut..]);
            key.apply(&mut applied[..cut]);
            key.after(cut).apply(&mut applied[cut..]);
            prop_assert!(appended == want && copied == want && applied == want);
        }
    }
}
