//! Whether several servers tell the same time, and which do not (RFC 5905, section 11.2.1).

use std::time::Duration;

/// What most servers agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// Which of them do, in the order in which they were given. The others tell a wrong time, or think better of
    /// themselves than they are.
    pub agrees: Vec<bool>,
    /// The offset that those come to, each counted by how sure it is, in nanoseconds.
    pub offset_ns: i64,
    /// How far that may be wrong at most.
    pub distance: Duration,
}

/// What the servers agree on that have these offsets, in nanoseconds, each wrong by at most the distance beside it. `None`
/// where more than half of them do not.
///
/// It looks for the range that those of as many as possible share. That the middle of each be in it, as the RFC has it, is not
/// asked, as ntpd does not: one that is sure would make one that is less so a liar.
pub fn agreement(servers: &[(i64, Duration)]) -> Option<Agreement> {
    let ranges: Vec<_> = servers.iter().map(|&(offset, distance)| (offset, nanos(distance))).collect();
    let (low, high) = (0..ranges.len().div_ceil(2)).find_map(|wrong| intersection(&ranges, wrong))?;
    let shares = |&(offset, distance): &(i64, i64)| {
        offset.saturating_sub(distance) <= high && offset.saturating_add(distance) >= low
    };
    let agrees: Vec<bool> = ranges.iter().map(shares).collect();
    let (mut sum, mut weights) = (0.0, 0.0);
    #[expect(clippy::cast_precision_loss, reason = "it is far less exact than that")]
    for (offset, distance) in ranges.iter().filter(|range| shares(range)) {
        let weight = 1.0 / (*distance).max(1) as f64;
        sum += weight * (offset.saturating_sub(low)) as f64;
        weights += weight;
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is between the others")]
    let offset_ns = low.saturating_add((sum / weights) as i64);
    let most = offset_ns.abs_diff(low).max(offset_ns.abs_diff(high));
    Some(Agreement { agrees, offset_ns, distance: Duration::from_nanos(most) })
}

/// The range that all but so many share.
fn intersection(ranges: &[(i64, i64)], wrong: usize) -> Option<(i64, i64)> {
    let most = ranges.len().checked_sub(wrong)?;
    let edge = |sign: i64| {
        let begins = ranges.iter().map(move |&(offset, distance)| offset.saturating_sub(sign * distance));
        let mut begins: Vec<i64> = begins.collect();
        begins.sort_by_key(|at| at.saturating_mul(sign));
        // The first place, seen from that side, that is inside enough of them.
        begins.into_iter().find(|at| {
            let is_in = |&&(offset, distance): &&(i64, i64)| offset.abs_diff(*at) <= distance.unsigned_abs();
            ranges.iter().filter(is_in).count() >= most
        })
    };
    let (low, high) = (edge(1)?, edge(-1)?);
    (low <= high).then_some((low, high))
}

/// At most a quarter of what there is room for, so that sums of them fit: some 73 years.
fn nanos(distance: Duration) -> i64 {
    i64::try_from(distance.as_nanos()).unwrap_or(i64::MAX).min(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn agree(servers: &[(i64, u64)]) -> Option<Agreement> {
        let servers: Vec<_> = servers.iter().map(|&(at, off)| (at, Duration::from_nanos(off))).collect();
        agreement(&servers)
    }

    #[test]
    fn whoever_is_outside_of_what_most_share_is_wrong() {
        for (servers, want) in [
            (&[(0, 10)][..], Some(&[true][..])),
            (&[(0, 10), (5, 10)], Some(&[true, true])),
            (&[(0, 10), (50, 10)], None),
            (&[(0, 10), (5, 10), (50, 10)], Some(&[true, true, false])),
            (&[(-900, 5), (0, 10), (5, 10), (3, 10), (7, 10)], Some(&[false, true, true, true, true])),
            (&[(0, 10), (5, 10), (500, 10), (505, 10)], None),
            (&[(0, 1000), (5, 10), (2, 10)], Some(&[true, true, true])),
        ] {
            assert_eq!(agree(servers).map(|it| it.agrees).as_deref(), want, "{servers:?}");
        }
        assert_eq!(agree(&[]), None);
    }

    #[test]
    fn who_is_surer_counts_for_more() {
        let agreed = agree(&[(0, 100), (90, 10)]).unwrap();
        assert!((75..90).contains(&agreed.offset_ns), "{agreed:?}");
        assert!(agreed.distance <= Duration::from_nanos(20), "{agreed:?}");
    }

    proptest! {
        #[test]
        fn a_minority_of_liars_changes_nothing(
            honest in prop::collection::vec((-1_000_i64..1_000, 1_000_u64..2_000), 3..9),
            lies in prop::collection::vec(1_000_000_i64..i64::MAX / 2, 0..2),
        ) {
            let servers: Vec<_> = honest.iter().copied().chain(lies.iter().map(|at| (*at, 500))).collect();
            let agreed = agree(&servers).unwrap();
            prop_assert_eq!(agreed.agrees.iter().filter(|agrees| !**agrees).count(), lies.len());
            prop_assert!(agreed.offset_ns.abs() <= 3_000, "{:?}", agreed);
        }

        #[test]
        fn no_numbers_panic(servers in prop::collection::vec((any::<i64>(), any::<u64>()), 0..6)) {
            agree(&servers);
        }
    }
}
