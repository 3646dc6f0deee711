//! The arithmetic of loss: what one writer was told, against what was found. No database, no clock.

use super::ledger::WriterKeys;
use roaring::RoaringTreemap;

/// What became of one writer's keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Judged {
    /// Acknowledged and not found.
    pub(super) lost: RoaringTreemap,
    /// Definitely failed and yet found.
    pub(super) phantom: RoaringTreemap,
    /// Found and never attempted.
    pub(super) unexpected: RoaringTreemap,
    /// In doubt and found.
    pub(super) recovered: u64,
    /// In doubt and not found, which is allowed.
    pub(super) vanished: u64,
}

/// Holds the keys against the rows that were found.
pub(super) fn judge(keys: &WriterKeys, found: &RoaringTreemap) -> Judged {
    let mut unexpected = found.clone();
    if keys.attempted > 0 {
        unexpected.remove_range(1..=keys.attempted);
    }
    let recovered = keys.in_doubt.intersection_len(found);
    Judged {
        lost: &keys.acknowledged - found,
        phantom: &keys.failed & found,
        unexpected,
        recovered,
        vanished: keys.in_doubt.len() - recovered,
    }
}

/// What the server can tell of a writer's rows without handing them out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Summary {
    /// Rows whose key is neither failed nor in doubt.
    pub(super) rest: u64,
    /// Smallest key.
    pub(super) min: u64,
    /// Largest key.
    pub(super) max: u64,
}

impl Summary {
    /// Whether every acknowledged key must be there: keys are unique, all lie within what was attempted,
    /// and what was attempted and is neither failed nor in doubt was acknowledged, so equal counts mean
    /// equal sets. A count of all rows would not do: with 1, 2, 3, 5 acknowledged and 4 in doubt, the rows
    /// 1, 2, 4, 5 have the right number, minimum and maximum, and 3 is lost. A writer without a row has no
    /// summary.
    pub(super) fn proves_all_there(of: Option<&Self>, keys: &WriterKeys) -> bool {
        let Some(of) = of else {
            return keys.acknowledged.is_empty();
        };
        of.min >= 1 && of.max <= keys.attempted && of.rest == keys.acknowledged.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn keys(attempted: u64, failed: &[u64], in_doubt: &[u64], late: &[u64]) -> WriterKeys {
        let mut keys = WriterKeys::default();
        keys.attempted = attempted;
        keys.failed = failed.iter().collect();
        keys.in_doubt = in_doubt.iter().chain(late).collect();
        keys.late = late.iter().collect();
        keys.acknowledged = (1..=attempted)
            .filter(|key| !keys.failed.contains(*key) && !keys.in_doubt.contains(*key))
            .collect();
        keys
    }

    fn proves_all_there(keys: &WriterKeys, found: &RoaringTreemap) -> bool {
        let open = keys.open_ranges();
        let is_open = |key: u64| open.iter().any(|(lo, hi)| (*lo..=*hi).contains(&key));
        let summary = found.min().zip(found.max()).map(|(min, max)| Summary {
            rest: found.iter().filter(|key| !is_open(*key)).count() as u64,
            min,
            max,
        });
        Summary::proves_all_there(summary.as_ref(), keys)
    }

    #[test]
    fn the_right_count_can_hide_a_loss() {
        let keys = keys(5, &[], &[4], &[]);
        let found: RoaringTreemap = [1, 2, 4, 5].into_iter().collect();
        assert_eq!(found.len(), keys.acknowledged.len());
        assert!(!proves_all_there(&keys, &found));
        let judged = judge(&keys, &found);
        assert_eq!(judged.lost.iter().collect::<Vec<_>>(), [3]);
        assert_eq!((judged.recovered, judged.vanished), (1, 0));
    }

    #[test]
    fn a_writer_without_any_row_proves_nothing_but_nothing_acknowledged() {
        let none = RoaringTreemap::new();
        let nothing = keys(2, &[1], &[2], &[]);
        assert!(proves_all_there(&nothing, &none));
        let something = keys(1, &[], &[], &[]);
        assert!(!proves_all_there(&something, &none));
    }

    #[test]
    fn a_key_that_was_never_sent_does_not_stand_in_for_a_lost_one() {
        let one = keys(1, &[], &[], &[]);
        for stranger in [0, 2] {
            let found: RoaringTreemap = [stranger].into_iter().collect();
            assert!(!proves_all_there(&one, &found));
        }
    }

    proptest! {
        #[test]
        fn the_summary_proves_exactly_what_the_sets_say(
            fates in prop::collection::vec(0u8..8, 0..40),
            rows in prop::collection::btree_set(0u64..44, 0..44),
            everything in any::<bool>(),
        ) {
            let of = |fate: u8| -> Vec<u64> {
                let all = fates.iter().enumerate();
                all.filter(|(_, f)| **f == fate).map(|(at, _)| at as u64 + 1).collect()
            };
            let keys = keys(fates.len() as u64, &of(0), &of(1), &of(2));
            let mut found: RoaringTreemap = rows.iter().collect();
            if everything {
                found = &(&found & &(&keys.failed | &keys.in_doubt)) | &keys.acknowledged;
            }
            let judged = judge(&keys, &found);
            let whole = judged.lost.is_empty() && judged.unexpected.is_empty();
            prop_assert_eq!(proves_all_there(&keys, &found), whole);

            // By the definition, with ordinary sets.
            let found: BTreeSet<u64> = found.iter().collect();
            let lost: Vec<u64> = keys.acknowledged.iter().filter(|k| !found.contains(k)).collect();
            prop_assert_eq!(judged.lost.iter().collect::<Vec<_>>(), lost);
            prop_assert_eq!(judged.recovered + judged.vanished, keys.in_doubt.len());
            let phantom = keys.failed.iter().filter(|key| found.contains(key)).count();
            prop_assert_eq!(judged.phantom.len(), phantom as u64);
        }
    }

    #[test]
    fn a_late_acknowledgement_is_in_doubt_for_loss() {
        let judged = judge(&keys(2, &[], &[], &[2]), &[1].into_iter().collect());
        assert_eq!((judged.vanished, judged.lost.len()), (1, 0));
    }
}
