//! The one way to stop: refuse newcomers, drain, hurry, and then abort.

use tokio_util::sync::CancellationToken;

/// A request to stop that grows more urgent: first *drain* (take nobody new, let those inside finish), then *hurry*
/// (end as soon as what is in hand is done). Whoever still runs after that is aborted by its owner.
///
/// Clones share one request. A [`Stop::child`] is stopped with its parent, and can be stopped alone.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    drain: CancellationToken,
    hurry: CancellationToken,
}

impl Stop {
    /// Asks to drain. Asking twice changes nothing.
    pub fn drain(&self) {
        self.drain.cancel();
    }

    /// Asks to hurry, and to drain.
    pub fn hurry(&self) {
        self.drain.cancel();
        self.hurry.cancel();
    }

    /// Waits until draining is asked for. Cancel safe.
    pub async fn draining(&self) {
        self.drain.cancelled().await;
    }

    /// Waits until hurrying is asked for. Cancel safe.
    pub async fn hurried(&self) {
        self.hurry.cancelled().await;
    }

    /// Whether draining is asked for.
    pub fn is_draining(&self) -> bool {
        self.drain.is_cancelled()
    }

    /// A stop that follows this one, and that can come earlier.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { drain: self.drain.child_token(), hurry: self.hurry.child_token() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_child_follows_its_parent_and_not_the_other_way_round() {
        let parent = Stop::default();
        let (one, other) = (parent.child(), parent.child());
        one.hurry();
        one.hurried().await;
        assert!(one.is_draining() && !parent.is_draining() && !other.is_draining());
        parent.hurry();
        other.draining().await;
        other.hurried().await;
    }
}
