//! How new a reader's newest row must be.
//!
//! It is compared with what was acknowledged on the timeline that the reader serves, not with the clock:
//! no new rows during a writer's outage is not staleness.

use crate::event::Stamp;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// What each timeline has acknowledged.
#[derive(Debug, Default)]
pub(super) struct Freshness {
    timelines: BTreeMap<u32, Acknowledged>,
}

#[derive(Debug, Default)]
struct Acknowledged {
    /// (acknowledged at, sent at), not yet old enough to be demanded; in order of the first.
    young: VecDeque<(Stamp, u64)>,
    /// The newest sending time that must be visible.
    demanded: u64,
}

impl Freshness {
    /// A row sent at `sent_us` was acknowledged at `at` on `timeline`.
    pub(super) fn acknowledged(&mut self, timeline: u32, at: Stamp, sent_us: u64) {
        let line = self.timelines.entry(timeline).or_default();
        line.young.push_back((at, sent_us));
    }

    /// A read that was sent at `asked` to a reader on `timeline` saw `newest_us` as its newest row: it is
    /// stale when a row acknowledged `allowed` before was not visible. Reads must be judged in order.
    pub(super) fn is_stale(
        &mut self,
        timeline: u32,
        asked: Stamp,
        newest_us: u64,
        allowed: Duration,
    ) -> bool {
        let Some(line) = self.timelines.get_mut(&timeline) else {
            return false;
        };
        while let Some((at, sent)) = line.young.front().copied() {
            if at.plus(allowed) > asked {
                break;
            }
            line.demanded = line.demanded.max(sent);
            line.young.pop_front();
        }
        newest_us < line.demanded
    }

    /// Forgets the single times of rows that are too old to matter to anyone, so that a run without a
    /// reader does not collect them.
    pub(super) fn forget_before(&mut self, moment: Stamp) {
        for line in self.timelines.values_mut() {
            while line.young.front().is_some_and(|(at, _)| *at < moment) {
                if let Some((_, sent)) = line.young.pop_front() {
                    line.demanded = line.demanded.max(sent);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_row_is_demanded_a_second_after_its_acknowledgement() {
        let mut rows = Freshness::default();
        rows.acknowledged(1, Stamp(100), 90);
        rows.acknowledged(1, Stamp(200), 190);
        assert!(!rows.is_stale(1, Stamp(1_000_099), 0, SECOND));
        assert!(rows.is_stale(1, Stamp(1_000_100), 89, SECOND));
        assert!(!rows.is_stale(1, Stamp(1_000_100), 90, SECOND));
        assert!(rows.is_stale(1, Stamp(1_000_200), 90, SECOND));
    }

    #[test]
    fn an_outage_makes_nothing_stale_and_another_timeline_demands_nothing() {
        let mut rows = Freshness::default();
        rows.acknowledged(1, Stamp(100), 90);
        assert!(!rows.is_stale(1, Stamp(60_000_000), 90, SECOND));
        rows.acknowledged(2, Stamp(61_000_000), 60_990_000);
        assert!(!rows.is_stale(1, Stamp(70_000_000), 90, SECOND));
        assert!(rows.is_stale(2, Stamp(70_000_000), 90, SECOND));
        rows.forget_before(Stamp(99_000_000));
        assert!(rows.is_stale(2, Stamp(70_000_000), 90, SECOND));
    }
}
