//! Latency of a channel by phase, counted from the moment an attempt was due.
//!
//! Counting from the due time keeps a stall visible: an attempt that could only be sent late was waiting
//! from the client's point of view. A percentile is given only where at least ten samples lie above it.

use super::phases::Phases;
use super::slot_store::Summary;
use super::timeline::{Attempt, Timeline};
use crate::event::Stamp;
use crate::event::result::Latency;
use crate::event::slots::Outcome;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// Longest latency that is told apart, in microseconds: one hour.
const LONGEST_US: u64 = 3_600_000_000;

/// Samples that a percentile (such as 95) needs: ten above it.
#[must_use]
pub fn samples_needed(percentile: u8) -> u64 {
    1000_u64.div_ceil(u64::from(100 - percentile.min(99)))
}

/// Latency by phase. What was acknowledged enters with its latency, what stayed unanswered with at least
/// the time that it waited; what was refused at once enters nowhere, since a quick error is no quick
/// answer.
#[must_use]
pub fn by_phase(timeline: &Timeline, phases: &Phases) -> BTreeMap<String, Latency> {
    let mut histograms: BTreeMap<&'static str, Histogram<u64>> = BTreeMap::new();
    for part in timeline.parts() {
        let all = |summary: &Summary| {
            let (first, last) = (timeline.due(summary.first_k), timeline.due(summary.last_k));
            phases.over(first, last)
        };
        let waits = part.attempts().filter_map(|attempt| {
            let due = timeline.due(attempt.slot.k);
            Some((due, waited(&attempt, due)?))
        });
        match part.summary.and_then(all) {
            // All but a few stretches: the phase need not be looked for at each slot.
            Some(phase) => enter(&mut histograms, phase, waits.map(|(_, waited)| waited)),
            None => {
                for (due, waited) in waits {
                    enter(&mut histograms, phases.at(due), std::iter::once(waited));
                }
            }
        }
    }
    histograms
        .into_iter()
        .map(|(phase, histogram)| (phase.to_owned(), shown(&histogram)))
        .collect()
}

/// Latency of what was due in `[from, to)`, by the same rules.
#[must_use]
pub fn between(timeline: &Timeline, from: Stamp, to: Stamp) -> Latency {
    let mut histograms = BTreeMap::new();
    let due = timeline.due_between(from, to);
    let waits = due.filter_map(|attempt| waited(&attempt, timeline.due(attempt.slot.k)));
    enter(&mut histograms, "", waits);
    histograms.get("").map_or_else(Latency::default, shown)
}

/// How long an attempt waited since it was due, where that counts.
fn waited(attempt: &Attempt, due: Stamp) -> Option<u64> {
    let counted = matches!(
        attempt.slot.outcome,
        Outcome::Acknowledged | Outcome::AcknowledgedLate | Outcome::InDoubt(_) | Outcome::Stale
    );
    counted.then(|| attempt.slot.settled.0.saturating_sub(due.0).max(1))
}

fn enter(
    histograms: &mut BTreeMap<&'static str, Histogram<u64>>,
    of: &'static str,
    waits: impl Iterator<Item = u64>,
) {
    let mut waits = waits.peekable();
    if waits.peek().is_none() {
        return;
    }
    if !histograms.contains_key(of) {
        // 1 µs to 1 h with three digits is within what the crate can do; it refuses only bounds that make
        // no sense.
        let Ok(empty) = Histogram::new_with_bounds(1, LONGEST_US, 3) else {
            return;
        };
        histograms.insert(of, empty);
    }
    if let Some(histogram) = histograms.get_mut(of) {
        for waited in waits {
            histogram.saturating_record(waited);
        }
    }
}

fn shown(histogram: &Histogram<u64>) -> Latency {
    let count = histogram.len();
    let percentile = |percentile: u8| {
        (count >= samples_needed(percentile))
            .then(|| histogram.value_at_quantile(f64::from(percentile) / 100.0) as f64 / 1000.0)
    };
    Latency {
        count,
        p50: percentile(50),
        p95: percentile(95),
        p99: percentile(99),
        max: histogram.max() as f64 / 1000.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_needs_ten_samples_above_it() {
        assert_eq!(samples_needed(50), 20);
        assert_eq!(samples_needed(95), 200);
        assert_eq!(samples_needed(99), 1000);
    }
}
