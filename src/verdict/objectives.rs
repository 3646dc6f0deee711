//! Each demand held against what was measured.
//!
//! A duration is judged by its bounds: it passes when the upper one keeps the limit, fails when the lower
//! one breaks it, and is unknown between. What was not observed is unknown and never zero.

use crate::event::plan_record::{Demand, ObjectiveRecord};
use crate::event::result::{Bounds, Channel, Known, Measured, ObjectiveResult, RunResult, Verdict};
use crate::figures;
use crate::measure::condition::Condition;
use crate::measure::latency::samples_needed;

/// What was found for one objective before it is held against its limit.
struct Judged {
    measured: Known<Measured>,
    channel: Option<String>,
    verdict: Verdict,
    note: Option<String>,
}

/// Judges one objective.
#[must_use]
pub fn judge(objective: &ObjectiveRecord, result: &RunResult) -> ObjectiveResult {
    let judged = match &objective.demand {
        Demand::AtMostMs { limit_ms, of } => {
            let channels: Vec<&str> = match (of, objective.name.as_str()) {
                (Some(of), _) => channels_of(result, of),
                (None, "read_downtime") => vec!["reader"],
                (None, _) => vec!["writer_fresh", "writer_pinned"],
            };
            downtime(result, &channels, *limit_ms)
        }
        Demand::WithinMs { limit_ms } => {
            let measured = result.recovery.redundancy.clone();
            duration(measured, None, *limit_ms)
        }
        Demand::LatencyMs {
            limit_ms,
            percentile,
            phase,
            channel,
        } => {
            let measured = latency(result, channel, phase, *percentile);
            duration(measured, Some(channel.clone()), *limit_ms)
        }
        Demand::Condition { cel } => condition(result, cel),
        Demand::AtMost {
            limit,
            at_risk_at_least,
            skip_if_unobserved,
        } => match objective.name.as_str() {
            "lost_commits" => lost_commits(result, *limit, *at_risk_at_least),
            "isolated_commits" => isolated_commits(result, *limit, *skip_if_unobserved),
            "two_writers" => two_writers(result, *limit),
            "phantom" => from_audit(result, result.ledger.phantom, *limit),
            "divergence" => {
                let diverged = &result.ledger.diverged_nodes;
                let mut judged = from_audit(result, diverged.len() as u64, *limit);
                if let Some(first) = diverged.first() {
                    judged.note = Some(first.clone());
                }
                judged
            }
            other => unknown(format!("{other} is not measured by this version")),
        },
    };
    let (limit_ms, limit) = match &objective.demand {
        Demand::AtMostMs { limit_ms, .. }
        | Demand::WithinMs { limit_ms }
        | Demand::LatencyMs { limit_ms, .. } => (Some(*limit_ms), None),
        Demand::AtMost { limit, .. } => (None, Some(*limit)),
        Demand::Condition { .. } => (None, None),
    };
    ObjectiveResult {
        name: objective.name.clone(),
        demand: figures::demand(objective),
        limit_ms,
        limit,
        measured: judged.measured,
        channel: judged.channel,
        implicit: objective.implicit,
        verdict: judged.verdict,
        note: judged.note,
    }
}

/// The channels of an endpoint or a watch; anything else names a channel itself.
fn channels_of<'a>(result: &'a RunResult, of: &'a str) -> Vec<&'a str> {
    let mut named = result.settings.endpoints.iter();
    match named.find(|endpoint| endpoint.name == of) {
        Some(endpoint) => endpoint.channels.iter().map(String::as_str).collect(),
        None => vec![of],
    }
}

fn unknown(why: String) -> Judged {
    Judged {
        measured: Known::missing(why.clone()),
        channel: None,
        verdict: Verdict::Unknown,
        note: Some(why),
    }
}

/// The longest outage of the channels, with the bounds of the longest: no shorter than the largest lower
/// bound, no longer than the largest upper one.
fn downtime(result: &RunResult, channels: &[&str], limit_ms: f64) -> Judged {
    let mut worst = Bounds {
        lower_ms: 0.0,
        upper_ms: Some(0.0),
    };
    let mut of = None;
    let mut at_least_of = None;
    for name in channels {
        let Some(channel) = result.channels.get(*name) else {
            return unknown(format!("{name} was not probed"));
        };
        if channel.attempted + channel.not_sent == 0 {
            return unknown(format!("{name} has no attempts"));
        }
        for outage in &channel.outages {
            let longer = match (outage.upper_ms, worst.upper_ms) {
                (None, Some(_)) => true,
                (None, None) => outage.lower_ms > worst.lower_ms,
                (Some(upper), Some(so_far)) => upper > so_far,
                (Some(_), None) => false,
            };
            if longer {
                of = Some((*name).to_owned());
                worst.upper_ms = outage.upper_ms;
            }
            if outage.lower_ms > worst.lower_ms {
                at_least_of = Some((*name).to_owned());
                worst.lower_ms = outage.lower_ms;
            }
        }
    }
    let mut judged = duration(Known::Observed(worst), of.clone(), limit_ms);
    if let (None, Some(at_least_of)) = (
        &judged.note,
        at_least_of.filter(|name| of.as_ref() != Some(name)),
    ) {
        judged.note = Some(format!("lower bound by {at_least_of}"));
    }
    judged
}

/// Holds a duration's bounds against a limit.
fn duration(measured: Known<Bounds>, channel: Option<String>, limit_ms: f64) -> Judged {
    let bounds = match &measured {
        Known::Missing(missing) => return unknown(missing.not_observed.clone()),
        Known::Observed(bounds) => *bounds,
    };
    let (verdict, note) = match bounds.upper_ms {
        Some(upper) if upper <= limit_ms => (Verdict::Pass, None),
        _ if bounds.lower_ms > limit_ms => (Verdict::Fail, None),
        Some(_) => (
            Verdict::Unknown,
            Some("the limit lies between the bounds".to_owned()),
        ),
        None => (
            Verdict::Unknown,
            Some("it did not end while it was watched".to_owned()),
        ),
    };
    Judged {
        measured: Known::Observed(Measured::Duration(bounds)),
        channel,
        verdict,
        note,
    }
}

fn latency(result: &RunResult, channel: &str, phase: &str, percentile: u8) -> Known<Bounds> {
    let Some(found) = result.channels.get(channel) else {
        return Known::missing(format!("{channel} was not probed"));
    };
    let Some(latency) = found.latency_ms.get(phase) else {
        return Known::missing(format!("{channel} has no answers in the phase {phase}"));
    };
    let value = match percentile {
        50 => latency.p50,
        95 => latency.p95,
        99 => latency.p99,
        other => return Known::missing(format!("the percentile {other} is not measured")),
    };
    match value {
        Some(ms) => Known::Observed(Bounds {
            lower_ms: ms,
            upper_ms: Some(ms),
        }),
        None => Known::missing(format!(
            "{} samples in the phase {phase}; p{percentile} needs {}",
            latency.count,
            samples_needed(percentile)
        )),
    }
}

/// Whether a condition holds, with the values it rests on.
fn condition(result: &RunResult, cel: &str) -> Judged {
    let condition = match Condition::compile(cel) {
        Ok(condition) => condition,
        Err(error) => return unknown(error.to_string()),
    };
    // Counts of an audit that did not come to its end are lower bounds at best.
    if condition.rests_on_audit() && !result.ledger.judged {
        return unknown(why_unjudged(result));
    }
    if condition.rests_on_loss() && result.ledger.lost.unjudged.is_some() {
        return unknown(why_loss_unjudged(result));
    }
    let holds = match condition.holds(result) {
        Ok(holds) => holds,
        Err(undecided) => return unknown(undecided.to_string()),
    };
    Judged {
        measured: Known::Observed(Measured::Holds { holds }),
        channel: None,
        verdict: if holds { Verdict::Pass } else { Verdict::Fail },
        note: Some(condition.values(result)).filter(|values| !values.is_empty()),
    }
}

/// Holds a count against a limit.
fn count(count: u64, limit: u64) -> Judged {
    Judged {
        measured: Known::Observed(Measured::Count { count }),
        channel: None,
        verdict: if count > limit {
            Verdict::Fail
        } else {
            Verdict::Pass
        },
        note: None,
    }
}

/// Holds a count of the audit against a limit; what exceeds it is proven even where the rest could not be
/// judged.
fn from_audit(result: &RunResult, found: u64, limit: u64) -> Judged {
    if found > limit || result.ledger.judged {
        return count(found, limit);
    }
    unknown(why_unjudged(result))
}

fn why_unjudged(result: &RunResult) -> String {
    let why = result.ledger.unjudged.clone();
    why.unwrap_or_else(|| "the ledger was not judged".to_owned())
}

fn why_loss_unjudged(result: &RunResult) -> String {
    let why = result.ledger.loss_unjudged();
    why.map_or_else(|| why_unjudged(result), str::to_owned)
}

fn lost_commits(result: &RunResult, limit: u64, at_risk_at_least: Option<u64>) -> Judged {
    let ledger = &result.ledger;
    let Some(lost) = ledger.lost.count else {
        return unknown(why_loss_unjudged(result));
    };
    if lost > limit {
        let mut judged = count(lost, limit);
        judged.note = match ledger.lost.shape.as_deref() {
            Some("holes") => Some("the lost commits have holes between them".to_owned()),
            Some("new_timeline") => Some("commits of the timeline in service are lost".to_owned()),
            Some("abandoned_timeline") => {
                Some("a whole timeline that had taken over is in nobody's history".to_owned())
            }
            _ => None,
        };
        return judged;
    }
    if !ledger.judged || ledger.lost.unjudged.is_some() {
        return unknown(why_loss_unjudged(result));
    }
    let mut judged = count(lost, limit);
    let at_risk = ledger.at_risk.observed().copied();
    match (at_risk_at_least, at_risk) {
        (Some(least), Some(at_risk)) if at_risk < least => {
            judged.verdict = Verdict::Unknown;
            judged.note = Some(format!("{at_risk} were at risk, at least {least} must be"));
        }
        (Some(_), None) => {
            judged.verdict = Verdict::Unknown;
            let why = ledger.at_risk.why().unwrap_or("not observed");
            judged.note = Some(format!("how many were at risk is not known: {why}"));
        }
        (None, Some(0)) => judged.note = Some("none was at risk".to_owned()),
        _ => {}
    }
    judged
}

fn isolated_commits(result: &RunResult, limit: u64, skip_if_unobserved: bool) -> Judged {
    match &result.ledger.isolated {
        Known::Observed(isolated) => {
            let judged = result.ledger.judged && result.ledger.lost.unjudged.is_none();
            if isolated.count > limit || judged {
                count(isolated.count, limit)
            } else {
                unknown(why_loss_unjudged(result))
            }
        }
        Known::Missing(missing) if skip_if_unobserved => Judged {
            measured: Known::missing(missing.not_observed.clone()),
            channel: None,
            verdict: Verdict::Pass,
            note: Some(format!("skipped: {}", missing.not_observed)),
        },
        Known::Missing(missing) => unknown(missing.not_observed.clone()),
    }
}

/// Commits that the old timeline took from statements sent when it should have been gone.
fn two_writers(result: &RunResult, limit: u64) -> Judged {
    let found = &result.two_writers;
    let sent_after = found.pairs.iter().map(|pair| pair.sent_after).sum();
    if result
        .channels
        .values()
        .all(|channel: &Channel| channel.attempted == 0)
    {
        return unknown("nothing was probed".to_owned());
    }
    let mut judged = count(sent_after, limit);
    if judged.verdict == Verdict::Pass && !found.not_observed.is_empty() {
        let nodes = found.not_observed.join(", ");
        judged.verdict = Verdict::Unknown;
        judged.note = Some(format!("not probed from inside: {nodes}"));
    } else {
        let queued: u64 = found.pairs.iter().map(|pair| pair.sent_before_thaw).sum();
        if queued > 0 {
            judged.note = Some(format!(
                "{queued} statements sent earlier ran late on the old primary"
            ));
        }
    }
    judged
}
