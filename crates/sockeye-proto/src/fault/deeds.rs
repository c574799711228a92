//! What faults did, counted.

/// What was done to what went one way of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Deeds {
    /// Messages that were lost by chance.
    pub lost: u64,
    /// Messages that were lost because they were larger than `mtu`.
    pub too_large: u64,
    /// Messages that came twice.
    pub duplicated: u64,
    /// Messages that others overtook.
    pub reordered: u64,
    /// Messages whose end was cut off.
    pub truncated: u64,
    /// Bits that were turned.
    pub turned: u64,
    /// Times that nothing moved for a while.
    pub stalled: u64,
    /// 1 once it was cut.
    pub cut: u64,
    /// Bytes that went nowhere, because of the cut.
    pub swallowed: u64,
}

impl Deeds {
    /// Every count, with the name of its field.
    pub fn counts(&self) -> [(&'static str, u64); 9] {
        let Self { lost, too_large, duplicated, reordered, truncated, turned, stalled, cut, swallowed } =
            *self;
        [
            ("lost", lost),
            ("too_large", too_large),
            ("duplicated", duplicated),
            ("reordered", reordered),
            ("truncated", truncated),
            ("turned", turned),
            ("stalled", stalled),
            ("cut", cut),
            ("swallowed", swallowed),
        ]
    }

    /// Whether nothing was done.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Counts bytes that go nowhere.
    pub(super) fn swallow(&mut self, bytes: usize) {
        self.swallowed = self.swallowed.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
}
