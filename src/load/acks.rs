//! What the ledger file knows of single acknowledgements: when, by whom and where in the WAL. Read only for
//! the audit, so that a run need not keep it in memory.

use super::ledger::Ledger;
use super::ledger_file::{self, FileError, Record, Stretch};
use crate::event::slots::Outcome;
use crate::event::{LostCommit, Stamp};
use roaring::RoaringTreemap;
use std::collections::BTreeMap;
use std::path::Path;

/// Which commits are lost if the primary never comes back: those that no standby was known to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtRisk {
    /// The highest flush position of any standby, as it was last seen before the fault.
    pub above: u64,
    /// The primary's timeline then.
    pub timeline: u32,
    /// When the fault had struck: what was sent later is not at risk by it.
    pub until: Stamp,
}

/// What was asked of the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    /// Lost keys by writer.
    pub(super) lost: BTreeMap<u32, RoaringTreemap>,
    /// Which commits were at risk.
    pub(super) at_risk: Option<AtRisk>,
    /// Writers of the endpoint channels: only their commits are at risk.
    pub(super) endpoint: Vec<u32>,
    /// The newest timeline of the converged history.
    pub(super) newest: Option<u32>,
}

/// What the file answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Acks {
    /// The lost commits of each writer, in order of keys.
    pub(super) lost: BTreeMap<u32, Vec<LostCommit>>,
    /// Writers whose lost commits are no suffix of what their timeline acknowledged.
    pub(super) holes: Vec<u32>,
    /// Acknowledged before the fault and above that position.
    pub(super) at_risk: Option<u64>,
}

/// Positions of one writer's acknowledgements on one timeline.
#[derive(Debug, Default)]
struct Line {
    lowest_lost: Option<u64>,
    highest_kept: Option<u64>,
}

/// Finds what was asked in the ledger's file.
pub(super) fn find_in(ledger: &Ledger, asked: &Asked) -> Result<Acks, FileError> {
    find(ledger.folder(), asked, ledger.stretches())
}

/// Whether keys of a stretch may have been at risk.
fn may_be_at_risk(stretch: &Stretch, risk: &AtRisk) -> bool {
    stretch.highest_lsn >= risk.above && stretch.first_sent <= risk.until
}

/// Reads the ledger file of a run's folder once, or only what must be read of it where it is known what
/// lies where: with nothing lost, the few stretches that were written just before the fault.
fn find(folder: &Path, asked: &Asked, stretches: Option<&[Stretch]>) -> Result<Acks, FileError> {
    let mut nodes: BTreeMap<u32, String> = BTreeMap::new();
    let mut lost: BTreeMap<u32, Vec<(LostCommit, u32)>> = BTreeMap::new();
    let mut lines: BTreeMap<(u32, u32), Line> = BTreeMap::new();
    let mut at_risk = asked.at_risk.map(|_| 0u64);
    let each = |entry| match entry {
        Record::Node { server, node } => {
            nodes.insert(server, node);
        }
        Record::Settled(key) if key.outcome == Outcome::Acknowledged => {
            let told = key.told;
            if let (Some(risk), Some(count)) = (asked.at_risk, at_risk.as_mut()) {
                // The position that tick() returns lies before the commit record, so a standby that has
                // flushed exactly to it does not have the commit.
                let over = told.timeline == risk.timeline && told.lsn >= risk.above;
                let before = key.sent <= risk.until;
                *count += u64::from(over && before && asked.endpoint.contains(&key.writer));
            }
            let Some(gone) = asked.lost.get(&key.writer) else {
                return;
            };
            let line = lines.entry((key.writer, told.timeline)).or_default();
            if gone.contains(key.seq) {
                line.lowest_lost = Some(line.lowest_lost.map_or(told.lsn, |l| l.min(told.lsn)));
                let commit = LostCommit {
                    seq: key.seq,
                    acknowledged: key.settled,
                    node: None,
                    timeline: told.timeline,
                };
                lost.entry(key.writer)
                    .or_default()
                    .push((commit, told.server));
            } else {
                line.highest_kept = line.highest_kept.max(Some(told.lsn));
            }
        }
        _ => {}
    };
    match (asked.lost.is_empty(), asked.at_risk, stretches) {
        (true, None, _) => {}
        (true, Some(risk), Some(stretches)) => {
            let near = stretches.iter().copied();
            let near = near.filter(|stretch| may_be_at_risk(stretch, &risk));
            ledger_file::read_stretches(folder, near, each)?;
        }
        _ => {
            ledger_file::read(folder, each)?;
        }
    }
    let mut holes: Vec<u32> = lines
        .iter()
        .filter(
            |((_, timeline), line)| match (line.lowest_lost, line.highest_kept) {
                (None, _) => false,
                // A commit of the surviving timeline was lost: no failover explains that.
                _ if Some(*timeline) == asked.newest => true,
                (Some(lost), Some(kept)) => kept > lost,
                (Some(_), None) => false,
            },
        )
        .map(|((writer, _), _)| *writer)
        .collect();
    holes.dedup();
    let named = lost.into_iter().map(|(writer, commits)| {
        let mut commits: Vec<LostCommit> = commits
            .into_iter()
            .map(|(commit, server)| LostCommit {
                node: nodes.get(&server).cloned(),
                ..commit
            })
            .collect();
        commits.sort_by_key(|commit| commit.seq);
        (writer, commits)
    });
    Ok(Acks {
        lost: named.collect(),
        holes,
        at_risk,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::ledger::{KeyRecord, Ledger, Told};
    use crate::load::ledger_file::Writing;

    /// Acknowledges keys 1.. of one writer with these (timeline, position), 10 µs apart.
    fn written(acks: impl IntoIterator<Item = (u32, u64)>) -> (tempfile::TempDir, Ledger) {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::create(folder.path(), "r", Writing::Behind).unwrap();
        let writer = ledger.add_writer("writer_pinned");
        ledger.add_server(1, "127.0.0.1:1".into());
        for (seq, (timeline, lsn)) in (1..).zip(acks) {
            ledger.settle(KeyRecord {
                writer,
                seq,
                sent: Stamp(seq * 10),
                settled: Stamp(seq * 10 + 2),
                outcome: Outcome::Acknowledged,
                told: Told {
                    server: 1,
                    timeline,
                    lsn,
                },
            });
        }
        ledger.name_server(1, "node-1");
        ledger.finish().unwrap();
        (folder, ledger)
    }

    fn asked(lost: &[u64]) -> Asked {
        Asked {
            lost: BTreeMap::from([(1, lost.iter().collect())]),
            at_risk: Some(AtRisk {
                above: 300,
                timeline: 1,
                until: Stamp(60),
            }),
            endpoint: vec![1],
            newest: Some(2),
        }
    }

    #[test]
    fn the_end_of_a_timeline_is_a_suffix_and_a_gap_is_a_hole() {
        let (folder, _) = written([(1, 100), (1, 200), (1, 300), (1, 400), (2, 250), (2, 500)]);
        let acks = find(folder.path(), &asked(&[3, 4]), None).unwrap();
        assert!(acks.holes.is_empty());
        assert_eq!(acks.at_risk, Some(2), "the last one is the new timeline's");
        let first = &acks.lost[&1][0];
        assert_eq!(
            (first.seq, first.acknowledged, first.timeline),
            (3, Stamp(32), 1)
        );
        assert_eq!(first.node.as_deref(), Some("node-1"));
        assert_eq!(
            find(folder.path(), &asked(&[2, 4]), None).unwrap().holes,
            [1]
        );
        let newest = find(folder.path(), &asked(&[6]), None).unwrap();
        assert_eq!(newest.holes, [1], "the surviving timeline lost its own");
    }

    #[test]
    fn where_it_is_known_what_lies_where_little_is_read_and_the_answer_is_the_same() {
        let (folder, ledger) = written((1..=20_000).map(|seq| (1, seq * 100)));
        let risk = AtRisk {
            above: 1_000_000,
            timeline: 1,
            until: Stamp(150_000),
        };
        let asked = Asked {
            lost: BTreeMap::new(),
            at_risk: Some(risk),
            ..asked(&[])
        };
        let stretches = ledger.stretches().unwrap();
        let near = stretches.iter().filter(|each| may_be_at_risk(each, &risk));
        assert!(near.count() < stretches.len());
        let quick = find_in(&ledger, &asked).unwrap();
        assert_eq!(quick.at_risk, Some(5001), "keys 10000 to 15000");
        assert_eq!(quick, find(folder.path(), &asked, None).unwrap());
    }

    #[test]
    fn without_a_sampled_position_nothing_is_said_about_risk() {
        let (folder, _) = written([(1, 100)]);
        let nothing = Asked {
            at_risk: None,
            ..asked(&[])
        };
        assert_eq!(find(folder.path(), &nothing, None).unwrap().at_risk, None);
    }
}
