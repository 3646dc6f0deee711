//! Whatever order keys are settled in, and wherever the file is cut: every key is in exactly one of the
//! ledger's sets, and a cut file never claims an acknowledgement that was not there.

use super::ledger::{KeyRecord, Ledger, Told, WriterKeys};
use super::ledger_file::{FILE_NAME, Writing};
use crate::event::Stamp;
use crate::event::slots::{ErrorClass, Outcome};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Writers, and their keys in the order in which they are settled.
fn settled() -> impl Strategy<Value = Vec<(u32, u64, Outcome)>> {
    let outcome = prop::sample::select(vec![
        Outcome::Acknowledged,
        Outcome::AcknowledgedLate,
        Outcome::Failed(ErrorClass::Refused),
        Outcome::InRecovery,
        Outcome::InDoubt(ErrorClass::Reset),
    ]);
    prop::collection::vec(prop::collection::vec(outcome, 0..30), 1..4).prop_flat_map(|writers| {
        let keys: Vec<_> = (1..)
            .zip(&writers)
            .flat_map(|(writer, outcomes)| {
                (1..)
                    .zip(outcomes)
                    .map(move |(seq, outcome)| (writer, seq, *outcome))
            })
            .collect();
        Just(keys).prop_shuffle()
    })
}

/// The sets by their definition: what each key's outcome says.
#[derive(Debug, Default, PartialEq)]
struct Naive {
    acknowledged: BTreeSet<u64>,
    late: BTreeSet<u64>,
    failed: BTreeSet<u64>,
    in_doubt: BTreeSet<u64>,
}

fn naive(keys: &[(u32, u64, Outcome)]) -> BTreeMap<u32, Naive> {
    let mut writers: BTreeMap<u32, Naive> = BTreeMap::new();
    for &(writer, seq, outcome) in keys {
        let sets = writers.entry(writer).or_default();
        match outcome {
            Outcome::Acknowledged => sets.acknowledged.insert(seq),
            Outcome::AcknowledgedLate => sets.late.insert(seq) && sets.in_doubt.insert(seq),
            Outcome::Failed(_) | Outcome::InRecovery => sets.failed.insert(seq),
            _ => sets.in_doubt.insert(seq),
        };
    }
    writers
}

fn sets(keys: &WriterKeys) -> Naive {
    Naive {
        acknowledged: keys.acknowledged.iter().collect(),
        late: keys.late.iter().collect(),
        failed: keys.failed.iter().collect(),
        in_doubt: keys.in_doubt.iter().collect(),
    }
}

fn record((writer, seq, outcome): (u32, u64, Outcome)) -> KeyRecord {
    KeyRecord {
        writer,
        seq,
        sent: Stamp(seq * 10),
        settled: Stamp(seq * 10 + 3),
        outcome,
        told: Told::default(),
    }
}

fn fill(ledger: &mut Ledger, keys: &[(u32, u64, Outcome)]) {
    let writers = keys.iter().map(|(writer, ..)| *writer).max().unwrap_or(0);
    for _ in 0..writers {
        ledger.add_writer("writer_pinned");
    }
    keys.iter().for_each(|key| ledger.settle(record(*key)));
}

proptest! {
    #[test]
    fn every_key_is_in_the_set_of_its_outcome(keys in settled()) {
        let mut ledger = Ledger::default();
        fill(&mut ledger, &keys);
        for (writer, expected) in naive(&keys) {
            let found = &ledger.writers()[&writer];
            prop_assert_eq!(&sets(found), &expected);
            let all: BTreeSet<u64> = (1..=found.attempted).collect();
            let mut parts = expected.acknowledged.clone();
            for part in [&expected.failed, &expected.in_doubt] {
                prop_assert!(parts.is_disjoint(part));
                parts.extend(part);
            }
            prop_assert_eq!(&parts, &all);
            let mut open = BTreeSet::new();
            for (from, to) in found.open_ranges() {
                prop_assert!(from <= to && !open.contains(&(from - 1)), "ranges are joined");
                open.extend(from..=to);
            }
            prop_assert_eq!(open, &expected.failed | &expected.in_doubt);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_file_says_what_was_settled_and_a_cut_one_never_more(
        keys in settled(),
        cut in any::<prop::sample::Index>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::create(folder.path(), "r", Writing::Behind).unwrap();
        fill(&mut ledger, &keys);
        ledger.finish().unwrap();
        let whole = Ledger::read(folder.path()).unwrap();
        for (writer, expected) in naive(&keys) {
            prop_assert_eq!(sets(&whole.writers()[&writer]), expected);
        }

        let path = folder.path().join(FILE_NAME);
        let bytes = std::fs::read(&path).unwrap();
        let head = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        std::fs::write(&path, &bytes[..head + cut.index(bytes.len() - head)]).unwrap();
        let torn = Ledger::read(folder.path()).unwrap();
        for (writer, keys) in torn.writers() {
            let (torn, whole) = (sets(keys), sets(&whole.writers()[writer]));
            prop_assert!(torn.acknowledged.is_subset(&whole.acknowledged));
            prop_assert!(torn.failed.is_subset(&whole.failed));
            // No key is sent before its reservation is on disk.
            if keys.attempted == 0 {
                continue;
            }
            // What the cut took away may have been sent, so it is in doubt.
            let unknown: BTreeSet<u64> = &whole.acknowledged - &torn.acknowledged;
            prop_assert!(unknown.is_subset(&torn.in_doubt), "{unknown:?} of {torn:?}");
        }
    }
}
