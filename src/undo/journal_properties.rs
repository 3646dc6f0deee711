//! What is written into a journal is read again, and wherever a crash cuts it: everything before the torn
//! line counts, and nothing after it.

use super::journal::{How, Journal, Line, Opened, Record};
use crate::clock::Clock;
use crate::fault::Hit;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::PathBuf;

fn record() -> impl Strategy<Value = Record> {
    let n = 1_u32..6;
    let text = ".{0,20}";
    let how = prop::sample::select(vec![
        How::Undone,
        How::ReleasedThenVerified,
        How::Credited,
        How::Moot,
    ]);
    let hit = (
        "node-[1-3]",
        prop::sample::select(vec!["primary", "standby"]),
        1_u32..4,
    );
    let hit = hit.prop_map(|(node, role, timeline)| Hit {
        node,
        role: role.to_owned(),
        timeline,
    });
    prop_oneof![
        2 => (n.clone(), text).prop_map(|(n, what)| Record::Made {
            n,
            what,
            facts: json!({ "folder": "/somewhere" }),
        }),
        4 => (n.clone(), text, hit).prop_map(|(n, step, hit)| Record::Intent {
            n,
            step,
            facts: json!({ "hit": hit, "processes": 19 }),
            hit,
            fault: "kill".to_owned(),
        }),
        1 => n.clone().prop_map(|n| Record::Released { n }),
        3 => (n.clone(), how, text).prop_map(|(n, how, proof)| Record::Done { n, how, proof }),
        1 => (n, text).prop_map(|(n, why)| Record::Failed { n, why }),
        1 => Just(Record::Closed),
    ]
}

fn text_of(records: &[Record]) -> String {
    let opened = Opened::by_this_process("r1", "fake", "fake:1", json!({}), Clock::start());
    let mut text = String::new();
    for record in std::iter::once(&Record::Opened(Box::new(opened))).chain(records) {
        text.push_str(&serde_json::to_string(&Line::now(record.clone())).unwrap());
        text.push('\n');
    }
    text
}

/// The numbers that are open, by the definition: made or intended, and not done since.
fn open(records: &[Record]) -> BTreeSet<u32> {
    let mut open = BTreeSet::new();
    for record in records {
        match record {
            Record::Made { n, .. } | Record::Intent { n, .. } => {
                open.insert(*n);
            }
            Record::Done { n, .. } => {
                open.remove(n);
            }
            Record::Closed => open.clear(),
            _ => {}
        }
    }
    open
}

proptest! {
    #[test]
    fn what_is_written_is_read_wherever_it_is_cut(
        records in prop::collection::vec(record(), 0..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let text = text_of(&records);
        let path = || PathBuf::from("undo.journal");
        let whole = Journal::parse(path(), text.as_bytes()).unwrap();
        let read: Vec<_> = whole.lines.iter().map(|line| line.record.clone()).collect();
        prop_assert_eq!(&read, &records);
        prop_assert!(!whole.torn);

        let bytes = &text.as_bytes()[..cut.index(text.len() + 1)];
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        let torn = Journal::parse(path(), bytes);
        if lines == 0 {
            prop_assert!(torn.is_err(), "nobody knows whose it is");
            return Ok(());
        }
        let torn = torn.unwrap();
        let read: Vec<_> = torn.lines.iter().map(|line| line.record.clone()).collect();
        prop_assert_eq!(&read[..], &records[..lines - 1]);
        prop_assert_eq!(torn.torn, bytes.last() != Some(&b'\n'));
        let found: Vec<u32> = torn.open_entries().iter().map(|entry| entry.number()).collect();
        let numbers: BTreeSet<u32> = found.iter().copied().collect();
        prop_assert_eq!(numbers, open(&records[..lines - 1]));
    }

    #[test]
    fn no_line_of_a_journal_can_be_garbage_but_the_last(
        records in prop::collection::vec(record(), 1..6),
        at in any::<prop::sample::Index>(),
        garbage in "[^\\n{]{1,20}",
    ) {
        let text = text_of(&records);
        let mut lines: Vec<&str> = text.lines().collect();
        let at = at.index(lines.len() - 1);
        lines[at] = &garbage;
        let text = lines.join("\n") + "\n";
        prop_assert!(Journal::parse(PathBuf::new(), text.as_bytes()).is_err());
    }
}
