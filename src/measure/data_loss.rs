//! What the ledger and its audit prove: lost, isolated, phantom and diverged commits.

use super::acts::Done;
use super::baseline::ENOUGH_ACKS;
use super::gathered::Gathered;
use super::timeline::node_in_name;
use super::unseen::unseen_behind_a_cut;
use crate::event::result::{
    Bounds, InDoubt, Isolated, Known, Ledger, LedgerChannel, Lost, LostRow,
};
use crate::event::slots::Outcome;
use crate::event::{Audited, LostCommit, Stamp, WriterAudit};
use std::collections::BTreeMap;

/// How many lost rows the result shows one by one.
const SHOWN: usize = 10;

/// Judges the ledger; `struck` is the fault that the main outage is counted from.
#[must_use]
pub fn measure(run: &Gathered, struck: Option<&Done>) -> Ledger {
    let Some(audited) = &run.audited else {
        return unaudited(run);
    };
    let endpoint: Vec<&WriterAudit> = audited
        .writers
        .iter()
        .filter(|writer| is_client_writer(run, &writer.channel))
        .collect();
    let sum = |of| total(endpoint.iter().copied(), of);
    let unjudged = unjudged(run, audited);
    let lost = lost(run, audited, &endpoint, struck, unjudged.is_none());
    Ledger {
        judged: unjudged.is_none(),
        unjudged,
        converged_ms: converged(run),
        attempted: sum(|writer| writer.attempted),
        acknowledged: sum(|writer| writer.acknowledged),
        failed: sum(|writer| writer.failed),
        in_doubt: InDoubt {
            count: sum(|writer| writer.in_doubt),
            recovered: sum(|writer| writer.recovered),
            vanished: sum(|writer| writer.vanished),
        },
        at_risk: audited.at_risk.map_or_else(
            || Known::missing("no standby's flush position was seen before the fault"),
            Known::Observed,
        ),
        lost,
        isolated: isolated(run, audited),
        // These three are broken promises wherever they happen, so every channel counts.
        phantom: total(&audited.writers, |writer| writer.phantom.len() as u64),
        unexpected: total(&audited.writers, |writer| writer.unexpected.len() as u64),
        duplicated: total(&audited.writers, |writer| writer.duplicated),
        diverged_nodes: audited
            .diverged
            .iter()
            .map(|(node, how)| format!("{node}: {how}"))
            .collect(),
        channels: by_channel(audited),
    }
}

/// A count over several writers. A damaged log may hold any number, and the largest says enough then.
fn total<'a>(
    writers: impl IntoIterator<Item = &'a WriterAudit>,
    of: fn(&WriterAudit) -> u64,
) -> u64 {
    let counts = writers.into_iter().map(of);
    counts.fold(0, u64::saturating_add)
}

/// Whether a channel writes through an endpoint and belongs to the objectives (the witness does not).
fn is_client_writer(run: &Gathered, channel: &str) -> bool {
    match run.channels.get(channel) {
        Some(channel) => channel.kind().is_client_writer(),
        None => false,
    }
}

fn converged(run: &Gathered) -> Known<f64> {
    match &run.convergence {
        None => Known::missing("the cluster was not watched until it converged"),
        Some(convergence) => match convergence.since {
            Some(since) => Known::Observed(since.as_ms()),
            None => Known::missing(
                convergence
                    .missing
                    .clone()
                    .unwrap_or_else(|| "the cluster did not converge".to_owned()),
            ),
        },
    }
}

fn unjudged(run: &Gathered, audited: &Audited) -> Option<String> {
    if let Some(why) = &audited.unjudged {
        return Some(why.clone());
    }
    match &run.convergence {
        None => return Some("nobody waited until the cluster had converged".to_owned()),
        Some(convergence) if convergence.since.is_none() => {
            let missing = convergence.missing.as_deref().unwrap_or("no reason given");
            return Some(format!("the cluster did not converge: {missing}"));
        }
        Some(_) => {}
    }
    let before = acknowledged_before_fault(run);
    (before < ENOUGH_ACKS).then(|| {
        format!(
            "only {before} commits were acknowledged before the fault; {ENOUGH_ACKS} are needed"
        )
    })
}

/// Acknowledgements of the endpoints' writers before the first fault; in a run without one, all.
fn acknowledged_before_fault(run: &Gathered) -> u64 {
    let before = run.acts.first_f0().unwrap_or(Stamp(u64::MAX));
    let writers = run
        .channels
        .values()
        .filter(|channel| channel.kind().is_client_writer());
    writers
        .map(|channel| channel.acknowledged_before(before))
        .fold(0, u64::saturating_add)
}

fn lost(
    run: &Gathered,
    audited: &Audited,
    endpoint: &[&WriterAudit],
    struck: Option<&Done>,
    judged: bool,
) -> Lost {
    let mut rows: Vec<(&WriterAudit, &LostCommit)> = endpoint
        .iter()
        .flat_map(|writer| writer.lost.iter().map(move |lost| (*writer, lost)))
        .collect();
    rows.sort_by_key(|(_, lost)| lost.acknowledged);
    let count = rows.len() as u64;
    let struck = struck.or_else(|| fault_on_primary(run));
    let judged = judged && audited.loss_unjudged.is_none();
    Lost {
        unjudged: audited.loss_unjudged.clone(),
        // A loss that was found is proven, also where the rest could not be judged; none found is not.
        count: (judged || count > 0).then_some(count),
        rpo: rpo(rows.first().map(|(_, lost)| *lost), run, struck, judged),
        rpo_bytes: audited.rpo_bytes,
        shape: shape(run, &rows, struck),
        found_in_old_data: audited.found_in_old_data,
        first: rows
            .iter()
            .take(SHOWN)
            .map(|(writer, lost)| LostRow {
                channel: writer.channel.clone(),
                writer: writer.writer,
                seq: lost.seq,
                acknowledged_ms: lost.acknowledged.as_ms(),
                node: lost.node.clone(),
                timeline: lost.timeline,
            })
            .collect(),
    }
}

/// The last fault that hit a primary, else the last fault.
fn fault_on_primary(run: &Gathered) -> Option<&Done> {
    let primary = run
        .acts
        .origins()
        .filter(|act| act.role == "primary")
        .last();
    primary.or_else(|| run.acts.origins().last())
}

/// How far back the loss reaches: from the fault to the acknowledgement of the earliest lost row.
fn rpo(
    earliest: Option<&LostCommit>,
    run: &Gathered,
    struck: Option<&Done>,
    judged: bool,
) -> Known<Bounds> {
    // Of several faults the one that ended the row's own timeline.
    let ended = |act: &&Done| {
        let led = act.before.as_ref().map(|(_, timeline)| *timeline);
        led.is_some() && led == earliest.map(|lost| lost.timeline)
    };
    let struck = run.acts.origins().filter(ended).last().or(struck);
    match (earliest.map(|lost| lost.acknowledged), struck) {
        (None, _) if judged => Known::Observed(Bounds {
            lower_ms: 0.0,
            upper_ms: Some(0.0),
        }),
        (None, _) => Known::missing("loss could not be judged"),
        (Some(_), None) => Known::missing("there was no fault to count from"),
        (Some(earliest), Some(fault)) if earliest > fault.struck_by() => {
            Known::missing("all that was lost was acknowledged after the fault")
        }
        (Some(earliest), Some(fault)) => {
            let before = |at: Stamp| at.0.saturating_sub(earliest.0) as f64 / 1000.0;
            Known::Observed(Bounds {
                lower_ms: before(fault.requested),
                upper_ms: Some(before(fault.struck_by())),
            })
        }
    }
}

/// suffix: what a plain failover loses, the end of what the old timeline acknowledged. Another and worse fault are
/// holes, new_timeline (rows that the timeline in service acknowledged), and abandoned_timeline (rows of one that is in
/// nobody's history: whoever led on it was taken down for a node that never had them).
fn shape(
    run: &Gathered,
    rows: &[(&WriterAudit, &LostCommit)],
    struck: Option<&Done>,
) -> Option<String> {
    if rows.is_empty() {
        return None;
    }
    let old = struck.and_then(|fault| fault.before.as_ref().map(|(_, timeline)| *timeline));
    let history = run.convergence.as_ref().map(|it| it.history.as_slice());
    let history = history.unwrap_or_default();
    let in_service = |timeline: u32| history.contains(&timeline);
    // Where only the newest timelines are known, nothing is said of older ones: the one that the run began on must be among
    // them. A row whose acknowledgement was not found has no timeline.
    let mut led = run.rounds.iter().filter_map(|round| round.leader());
    let is_known = led.next().is_some_and(|(_, first)| in_service(*first));
    let abandoned = |timeline: u32| is_known && timeline != 0 && !in_service(timeline);
    // In a drill of several failovers each loses the end of the timeline that it ended.
    let ended_later = |timeline: u32| {
        let mut led = run.acts.origins().filter_map(|act| act.before.as_ref());
        led.any(|(_, led)| *led == timeline)
    };
    let by_new = rows.iter().any(|(_, lost)| {
        let newer = old.is_some_and(|old| lost.timeline > old);
        newer && in_service(lost.timeline) && !ended_later(lost.timeline)
    });
    let shape = if by_new {
        "new_timeline"
    } else if rows.iter().any(|(_, lost)| abandoned(lost.timeline)) {
        "abandoned_timeline"
    } else if rows.iter().any(|(writer, _)| !writer.suffix) {
        "holes"
    } else {
        "suffix"
    };
    Some(shape.to_owned())
}

/// Lost commits of probes inside a node, acknowledged after that node was hit: nobody else saw them.
fn isolated(run: &Gathered, audited: &Audited) -> Known<Isolated> {
    let probed = run
        .channels
        .values()
        .any(|channel| channel.kind().is_node());
    if !probed {
        return Known::missing("no probe ran inside the nodes");
    }
    if let Some(why) = &audited.unjudged {
        return Known::missing(why.clone());
    }
    let mut count = 0;
    let mut span_us = 0;
    for writer in &audited.writers {
        let Some(node) = node_in_name(&writer.channel) else {
            continue;
        };
        let Some(hit) = run.acts.faults().find(|fault| fault.node == node) else {
            continue;
        };
        // Until the call returned the node may still have been in touch: what it acknowledged by then and
        // nobody received is the ordinary loss of its clients.
        let from = hit.struck_by();
        let alone = writer.lost.iter().filter(|lost| lost.acknowledged >= from);
        for lost in alone {
            count += 1;
            span_us = span_us.max(lost.acknowledged.0.saturating_sub(from.0));
        }
    }
    if let (0, Some(why)) = (count, &audited.loss_unjudged) {
        return Known::missing(why.clone());
    }
    let unseen = unseen_behind_a_cut(run);
    if count == 0 && !unseen.is_empty() {
        return Known::missing(format!(
            "{} answered no probe of its own while it was cut off, so that nobody saw what it acknowledged there",
            unseen.join(" and ")
        ));
    }
    Known::Observed(Isolated {
        count,
        span_ms: span_us as f64 / 1000.0,
    })
}

fn by_channel(audited: &Audited) -> BTreeMap<String, LedgerChannel> {
    let mut channels: BTreeMap<String, LedgerChannel> = BTreeMap::new();
    for writer in &audited.writers {
        let channel = channels.entry(writer.channel.clone()).or_default();
        channel.acknowledged = channel.acknowledged.saturating_add(writer.acknowledged);
        channel.in_doubt = channel.in_doubt.saturating_add(writer.in_doubt);
        channel.lost += writer.lost.len() as u64;
    }
    channels
}

/// The ledger as far as the slots tell it, when there was no audit.
fn unaudited(run: &Gathered) -> Ledger {
    let why = if run.stop_asked.is_some() {
        "the run was stopped, and nothing was audited"
    } else {
        "nothing was audited"
    };
    let mut ledger = Ledger::unjudged(why, converged(run));
    for (name, channel) in &run.channels {
        // What writes nothing has no part in the ledger.
        if !channel.kind().writes() {
            continue;
        }
        let of_channel = ledger.channels.entry(name.clone()).or_default();
        let one = u64::from(channel.kind().is_client_writer());
        let mut worth_a_look = Vec::new();
        for part in channel.parts() {
            match part.summary {
                Some(summary) if summary.acknowledged == summary.count => {
                    of_channel.acknowledged += summary.count;
                    ledger.acknowledged += summary.count * one;
                    ledger.attempted += summary.count * one;
                }
                _ => worth_a_look.push(part),
            }
        }
        for attempt in worth_a_look.iter().flat_map(|part| part.attempts()) {
            match attempt.slot.outcome {
                Outcome::Acknowledged => {
                    of_channel.acknowledged += 1;
                    ledger.acknowledged += one;
                }
                Outcome::AcknowledgedLate | Outcome::InDoubt(_) => {
                    of_channel.in_doubt += 1;
                    ledger.in_doubt.count += one;
                }
                Outcome::Failed(_) => ledger.failed += one,
                Outcome::NotSent | Outcome::InRecovery | Outcome::Stale => continue,
            }
            ledger.attempted += one;
        }
    }
    ledger
}
