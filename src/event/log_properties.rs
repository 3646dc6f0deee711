//! What is written into an event log is read again, whatever the texts in it, and wherever a crash cuts it
//! everything before the torn line is there.

use super::cluster::{ClusterSeen, NodeSeen, Standing};
use super::log::{FILE_NAME, LogWriter, parse, read};
use super::slots::{Serving, SlotBatch};
use super::{Act, ActKind, Entry, Event, Stage, Stamp};
use proptest::prelude::*;
use std::path::PathBuf;

/// The first entry of a log that was recorded.
pub(super) fn began() -> Entry {
    let log = include_str!("../../fuzz/corpus/event_log/ended-early.jsonl");
    serde_json::from_str(log.lines().next().unwrap()).unwrap()
}

pub(super) fn event() -> impl Strategy<Value = Event> {
    let text = "\\PC{0,30}|[\\n\\r\\t\"\\\\\u{2028}{}]{0,5}";
    let stage = prop_oneof![
        Just(Stage::Requested),
        Just(Stage::Returned),
        text.prop_map(|proof| Stage::Effect { proof }),
        text.prop_map(|why| Stage::NotSeen { why }),
        text.prop_map(|why| Stage::Failed { why }),
    ];
    let kind = prop::sample::select(vec![ActKind::Fault, ActKind::Undo, ActKind::Release]);
    prop_oneof![
        Just(Event::MeasuringEnded),
        text.prop_map(|text| Event::Noted { text }),
        (text, text).prop_map(|(step, text)| Event::Said { step, text }),
        any::<u64>().prop_map(|us| Event::MachineSlept { us }),
        (text, any::<u32>()).prop_map(|(by, count)| Event::StopAsked { by, count }),
        (text, "[A-Za-z0-9+/]{0,40}", any::<u64>(), any::<u32>()).prop_map(
            |(channel, packed, k, timeline)| Event::Slots(SlotBatch {
                serving: vec![Serving {
                    k,
                    node: Some(channel.clone()),
                    timeline
                }],
                channel,
                packed,
            })
        ),
        (kind, any::<u32>(), text, stage).prop_map(|(kind, number, node, stage)| {
            Event::Act(Act {
                kind,
                number,
                step: "crash".to_owned(),
                name: "kill".to_owned(),
                node,
                role: "primary".to_owned(),
                stage,
            })
        }),
        (any::<u64>(), text, any::<u32>(), any::<u64>()).prop_map(|(asked, why, timeline, lsn)| {
            let node = |name: &str, standing| NodeSeen {
                name: name.to_owned(),
                standing,
            };
            let standbys = Vec::new();
            Event::ClusterSeen(ClusterSeen {
                asked: Stamp(asked),
                nodes: vec![
                    node("node-1", Standing::Silent { why }),
                    node(
                        "node-2",
                        Standing::Primary {
                            timeline,
                            lsn,
                            standbys,
                        },
                    ),
                ],
                declared: 2,
            })
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_wherever_it_is_cut(
        events in prop::collection::vec((any::<u64>(), event()), 0..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut entries = vec![began()];
        entries.extend((1..).zip(events).map(|(seq, (at, event))| Entry {
            seq,
            at: Stamp(at),
            event,
        }));
        let folder = tempfile::tempdir().unwrap();
        let mut writer = LogWriter::create(folder.path()).unwrap();
        for entry in &entries {
            writer.append(entry).unwrap();
        }
        let whole = read(folder.path()).unwrap();
        prop_assert_eq!((whole.skipped, whole.torn), (0, false));
        prop_assert_eq!(&whole.entries, &entries);

        let bytes = std::fs::read(folder.path().join(FILE_NAME)).unwrap();
        let bytes = &bytes[..cut.index(bytes.len() + 1)];
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        let torn = parse(PathBuf::from(FILE_NAME), bytes).unwrap();
        prop_assert_eq!(&torn.entries[..], &entries[..lines]);
        prop_assert_eq!(torn.torn, bytes.last().is_some_and(|byte| *byte != b'\n'));
    }
}
