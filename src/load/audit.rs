//! Holds the ledger against the rows of the converged cluster: what was acknowledged and is not there, what
//! is there and should not be, and whether every node has the same rows. It reads and never writes, except
//! for the barrier's row.

pub use super::acks::AtRisk;
use super::acks::{self, Asked};
use super::found_rows::{self, BARRIER, Rows};
use super::judge::{Judged, judge};
use super::ledger::Ledger;
use super::ledger_table::quoted;
use crate::event::slots::ErrorClass;
use crate::event::{Audited, LostCommit, Stamp, WriterAudit};
use crate::sql::{Address, Asks, Session, SqlError, Statement, parse_lsn};
use roaring::RoaringTreemap;
use std::collections::BTreeMap;
use std::time::Duration;

/// For one session and one question.
const ASK: Duration = Duration::from_secs(60);
/// How many keys a line about a diverged node names.
const NAMED: usize = 3;

/// Commits one row on the writer and returns `pg_current_wal_lsn()` read *after* that commit: a standby
/// that has replayed to it has every commit before. (A position from inside the transaction would lie
/// before its commit record.)
///
/// # Errors
/// When the writer does not answer, or is no primary.
pub async fn barrier(run: &str, writer: &Address) -> Result<u64, SqlError> {
    let session = Session::connect(writer, ASK).await?;
    let barrier = Asks::Barrier {
        run: run.to_owned(),
    };
    let run = quoted(run);
    let commit = format!(
        "select is_primary from firedrill.tick({run}, {BARRIER}, (select coalesce(max(seq), 0) + 1 \
           from firedrill.ledger where run = {run} and writer = {BARRIER}), 0)"
    );
    let commit = Statement::new(commit, barrier);
    let answer = session.query(commit, ASK).await?;
    let odd = |class, text: &str| SqlError {
        class,
        state: None,
        sent: true,
        text: text.to_owned(),
    };
    if answer.rows.first().and_then(|row| row.first()?.as_deref()) != Some("t") {
        return Err(odd(ErrorClass::ReadOnly, "the server is in recovery"));
    }
    let position = Statement::new("select pg_current_wal_lsn()", Asks::WritePosition);
    let answer = session.query(position, ASK).await?;
    let lsn = answer.rows.first().and_then(|row| row.first()?.as_deref());
    lsn.and_then(parse_lsn)
        .ok_or_else(|| odd(ErrorClass::sql("XX000"), "no WAL position"))
}

/// Holds the ledger against the rows on `writer`, and these against every node of `nodes` (the writer's own
/// may be among them). `at_risk` says which commits no standby was known to have when the fault struck. `history` names the timelines of the converged cluster.
///
/// Never fails: what could not be read is said in `unjudged`, and what was proven all the same is there.
/// `rpo_bytes` and `found_in_old_data` are left for whoever reads the old primary's data.
pub async fn audit(
    ledger: &Ledger,
    writer: &Address,
    nodes: &[(String, Address)],
    at_risk: Option<AtRisk>,
    history: &[u32],
) -> Audited {
    let mut unjudged: Vec<String> = Vec::new();
    let rows = match found_rows::read(ledger, writer).await {
        Ok(rows) => rows,
        Err(error) => {
            return Audited {
                unjudged: Some(format!("the ledger cannot be read on the writer: {error}")),
                ..Audited::default()
            };
        }
    };
    let empty = RoaringTreemap::new();
    let judged: BTreeMap<u32, Judged> = ledger
        .writers()
        .iter()
        .map(|(number, keys)| {
            (
                *number,
                judge(keys, rows.keys.get(number).unwrap_or(&empty)),
            )
        })
        .collect();
    let asked = Asked {
        lost: judged
            .iter()
            .filter(|(_, judged)| !judged.lost.is_empty())
            .map(|(writer, judged)| (*writer, judged.lost.clone()))
            .collect(),
        at_risk,
        endpoint: ledger
            .writers()
            .iter()
            .filter(|(_, keys)| is_endpoint(&keys.channel))
            .map(|(writer, _)| *writer)
            .collect(),
        newest: history.iter().max().copied(),
    };
    let acks = acks::find_in(ledger, &asked).unwrap_or_else(|error| {
        unjudged.push(format!(
            "when lost commits were acknowledged is not known: {error}"
        ));
        acks::Acks::default()
    });
    let mut writers: Vec<WriterAudit> = Vec::new();
    for (number, keys) in ledger.writers() {
        let Some(judged) = judged.get(number) else {
            continue;
        };
        let timed = acks.lost.get(number).cloned();
        let lost = timed.unwrap_or_else(|| judged.lost.iter().map(untimed).collect());
        writers.push(WriterAudit {
            writer: *number,
            channel: keys.channel.clone(),
            attempted: keys.attempted,
            acknowledged: keys.acknowledged.len(),
            acknowledged_late: keys.late.len(),
            failed: keys.failed.len(),
            in_doubt: keys.in_doubt.len(),
            recovered: judged.recovered,
            vanished: judged.vanished,
            duplicated: rows.duplicated.get(number).copied().unwrap_or(0),
            lost,
            phantom: judged.phantom.iter().collect(),
            unexpected: judged.unexpected.iter().collect(),
            suffix: !acks.holes.contains(number),
        });
    }
    for (number, found) in &rows.keys {
        if !ledger.writers().contains_key(number) {
            writers.push(WriterAudit {
                writer: *number,
                channel: String::from("unknown"),
                unexpected: found.iter().collect(),
                suffix: true,
                ..WriterAudit::default()
            });
        }
    }
    let mut diverged = Vec::new();
    for (name, address) in nodes {
        match compare(ledger, &rows, address).await {
            Ok(None) => {}
            Ok(Some(how)) => diverged.push((name.clone(), how)),
            Err(error) => unjudged.push(format!("{name} could not be compared: {error}")),
        }
    }
    Audited {
        unjudged: (!unjudged.is_empty()).then(|| unjudged.join("; ")),
        loss_unjudged: None,
        writers,
        diverged,
        at_risk: acks.at_risk,
        rpo_bytes: None,
        found_in_old_data: None,
    }
}

/// Whether a channel writes through an endpoint for its own sake: its commits are the ones that
/// `lost_commits` and `at_risk` count. (Readers and watches have no keys.)
#[must_use]
pub fn is_endpoint(channel: &str) -> bool {
    channel != "witness" && !channel.starts_with("node/")
}

/// A lost commit whose time is not known.
fn untimed(seq: u64) -> LostCommit {
    LostCommit {
        seq,
        acknowledged: Stamp(0),
        node: None,
        timeline: 0,
    }
}

/// How the rows on a node differ from the writer's, in one line; `None` where they are the same.
async fn compare(ledger: &Ledger, here: &Rows, node: &Address) -> Result<Option<String>, SqlError> {
    let there = &found_rows::read(ledger, node).await?;
    if here == there {
        return Ok(None);
    }
    let missing = differing(here, there);
    let extra = differing(there, here);
    if missing.0 == 0 && extra.0 == 0 && here.duplicated == there.duplicated {
        return Ok(None);
    }
    Ok(Some(format!(
        "{} rows missing{}, {} rows that the writer does not have{}",
        missing.0, missing.1, extra.0, extra.1
    )))
}

/// Rows of `one` that `other` does not have: how many, and the first of them in brackets.
fn differing(one: &Rows, other: &Rows) -> (u64, String) {
    let empty = RoaringTreemap::new();
    let mut count = 0;
    let mut named = Vec::new();
    for (writer, keys) in &one.keys {
        let only = keys - other.keys.get(writer).unwrap_or(&empty);
        count += only.len();
        let room = NAMED.saturating_sub(named.len());
        named.extend(only.iter().take(room).map(|seq| format!("{writer}/{seq}")));
    }
    if named.is_empty() {
        return (count, String::new());
    }
    (count, format!(" (writer/key {})", named.join(", ")))
}
