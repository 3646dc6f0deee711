//! A log that is read on several threads says what it says line by line: whatever lies in it, wherever its
//! chunks are cut, and where it ends or is broken.

use super::log::{FILE_NAME, ReadLog, parse};
use super::log_properties::{began, event};
use super::replay::{Line, in_chunks};
use super::slots::{Outcome, PackedSlot, Serving, Slot, SlotBatch, pack, unpack_into};
use super::{Entry, Event, Stamp};
use proptest::prelude::*;
use std::fs::File;
use std::path::{Path, PathBuf};

/// A line, with what is of this process alone left out: whether slots went the long way.
#[derive(Debug, PartialEq)]
enum Said {
    Entry(Entry),
    Slots(Stamp, String, Option<Vec<PackedSlot>>, Vec<Serving>),
}

impl Said {
    fn of(entry: &Entry) -> Self {
        let Event::Slots(batch) = &entry.event else {
            return Self::Entry(entry.clone());
        };
        let mut slots = Vec::new();
        let unpacked = unpack_into(&batch.packed, &mut Vec::new(), &mut slots);
        let slots = unpacked.ok().map(|()| slots);
        Self::Slots(
            entry.at,
            batch.channel.clone(),
            slots,
            batch.serving.clone(),
        )
    }

    fn of_line(line: &Line<'_>) -> Self {
        match line {
            Line::Entry(entry) => Self::of(entry),
            Line::Slots(slots) => Self::Slots(
                slots.at,
                slots.channel.to_owned(),
                Some(slots.slots.to_vec()),
                Vec::new(),
            ),
        }
    }
}

/// What is said of the log before its end or its broken line, and how it ends.
fn in_turn(bytes: &[u8]) -> (Vec<Said>, Result<(usize, bool), String>) {
    let path = PathBuf::from(FILE_NAME);
    let said = |read: &ReadLog| read.entries.iter().map(Said::of).collect();
    match parse(path.clone(), bytes) {
        Ok(read) => (said(&read), Ok((read.skipped, read.torn))),
        Err(error) => {
            // What comes before the line that cannot be read is read.
            let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
            let good = (0..lines.len()).rev().find_map(|count| {
                let whole: Vec<u8> = lines[..count].concat();
                parse(path.clone(), whole.as_slice()).ok()
            });
            (good.iter().flat_map(said).collect(), Err(error.to_string()))
        }
    }
}

fn at_once(bytes: &[u8], size: u64, threads: usize) -> (Vec<Said>, Result<(usize, bool), String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    std::fs::write(&path, bytes).unwrap();
    let file = File::open(&path).unwrap();
    let mut said = Vec::new();
    let length = bytes.len() as u64;
    let rest = in_chunks(Path::new(FILE_NAME), &file, length, size, threads, |line| {
        said.push(Said::of_line(&line));
    });
    let rest = rest.map(|rest| (rest.skipped, rest.torn));
    (said, rest.map_err(|error| error.to_string()))
}

/// A line of a log: mostly one that was written, sometimes one that no version of today writes.
fn line() -> impl Strategy<Value = String> {
    let written = (any::<u64>(), any::<u64>(), event()).prop_map(|(seq, at, event)| {
        let at = Stamp(at);
        serde_json::to_string(&Entry { seq, at, event }).unwrap()
    });
    prop_oneof![
        12 => written,
        1 => Just(r#"{"seq":1,"at":2,"event":{"of_a_newer_version":{"a":1}}}"#.to_owned()),
        1 => Just(r#"{"at":2,"event":{"slots":{"serving":[],"packed":"AAAAAA","channel":"a"}},"seq":1}"#.to_owned()),
        1 => Just(r#"{"seq":1,"at":2,"event":{"slots":{"channel":"\u0061","packed":"AAAAAA","serving":[],"new":1}}}"#.to_owned()),
        8 => (any::<u64>(), "\\PC{0,8}|[\"\\\\a]{0,3}", slots()).prop_map(|(at, channel, packed)| {
            let batch = SlotBatch { channel, packed, serving: vec![] };
            let (seq, at, event) = (at / 3, Stamp(at), Event::Slots(batch));
            serde_json::to_string(&Entry { seq, at, event }).unwrap()
        }),
    ]
}

/// Mostly slots, sometimes text that decodes to none.
fn slots() -> impl Strategy<Value = String> {
    let slot = (0u64..1 << 40, 0u64..1 << 20, any::<bool>()).prop_map(|(k, late, good)| Slot {
        k,
        sent: Stamp(k * 10 + late),
        settled: Stamp(k * 10 + 2 * late),
        outcome: if good {
            Outcome::Acknowledged
        } else {
            Outcome::NotSent
        },
    });
    prop_oneof![
        4 => prop::collection::vec(slot, 0..6).prop_map(|slots| pack(&slots, Stamp(0), 10)),
        1 => "[A-Za-z0-9+/\"=]{0,9}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn chunks_and_threads_change_nothing(
        mut lines in prop::collection::vec(line(), 0..24),
        broken in prop::option::weighted(0.3, (any::<prop::sample::Index>(), prop::sample::select(vec![
            "", "{}", "no entry", r#"{"seq":1,"at":2,"event":{"slots":{"channel":"a"}}}"#,
            r#"{"at":2,"event":{"slots":{"channel":"a","packed":"","serving":[]}}}"#,
            r#"{"seq":01,"at":2,"event":{"slots":{"channel":"a","packed":"","serving":[]}}}"#,
            r#"{"seq":1,"at":2,"event":{"slots":{"channel":"a","packed":"","packed":"","serving":[]}}}"#,
            r#"{"seq":1,"at":18446744073709551616,"event":{"slots":{"channel":"a","packed":"","serving":[]}}}"#,
            "{\"seq\":1,\"at\":2,\"event\":{\"slots\":{\"channel\":\"a\u{7}\",\"packed\":\"\",\"serving\":[]}}}",
        ]))),
        size in 1u64..3000,
        threads in 1usize..5,
        cut in any::<prop::sample::Index>(),
        whole in any::<bool>(),
    ) {
        lines.insert(0, serde_json::to_string(&began()).unwrap());
        if let Some((place, text)) = broken {
            lines.insert(place.index(lines.len() + 1), text.to_owned());
        }
        let mut bytes = lines.join("\n").into_bytes();
        bytes.push(b'\n');
        if !whole {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        prop_assert_eq!(at_once(&bytes, size, threads), in_turn(&bytes));
    }
}

#[test]
fn a_log_of_another_schema_is_refused() {
    let mut entry = began();
    if let Event::RunBegan(began) = &mut entry.event {
        began.schema = "firedrill.events/2".to_owned();
    }
    let text = serde_json::to_string(&entry).unwrap() + "\n";
    let (said, rest) = at_once(text.as_bytes(), 64, 2);
    assert_eq!((said.len(), &rest), (0, &in_turn(text.as_bytes()).1));
    assert!(rest.unwrap_err().contains("firedrill.events/2"));
}

/// Logs that were recorded, and what fuzzing made of them.
#[test]
fn logs_that_are_kept_say_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/event_log");
    let mut read = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for size in [512, 1 << 17] {
            assert!(at_once(&bytes, size, 2) == in_turn(&bytes), "{path:?}");
        }
        read += 1;
    }
    assert!(read >= 5);
}
