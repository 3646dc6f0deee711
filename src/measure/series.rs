//! Several runs of one drill, side by side: smallest, median and largest, each with bounds.
//!
//! An order statistic grows with each of its samples. So with every truth within its own bounds, the k-th
//! smallest truth lies between the k-th smallest lower bound and the k-th smallest upper bound, and the mean
//! of two such likewise. Nothing here guesses at a distribution: "95 % within X" at 95 % confidence needs 59
//! passing runs (0.95^59 < 0.05).

use crate::event::result::{Bounds, Known, RunResult, Verdict};
use crate::event::series::{CountSpread, SCHEMA, SeriesHead, SeriesResult, Spread, Summary};
use std::collections::BTreeMap;

/// A run, and whether another was drawn in its place.
pub type Drawn = (RunResult, bool);

/// Puts runs together that were asked for as one series.
#[must_use]
pub fn series_of(
    asked: u32,
    seed: u64,
    drawn: Vec<Drawn>,
    ended_early: Option<String>,
) -> SeriesResult {
    let kept = || drawn.iter().filter(|(_, again)| !again).map(|(run, _)| run);
    let ids = |runs: &mut dyn Iterator<Item = &RunResult>| {
        runs.map(|run| run.run.id.clone()).collect::<Vec<_>>()
    };
    let counting: Vec<&RunResult> = kept().filter(|run| counts(run)).collect();
    let mut verdicts = BTreeMap::new();
    for run in kept() {
        *verdicts.entry(word(run).to_owned()).or_default() += 1;
    }
    let series = SeriesHead {
        asked,
        seed,
        counted: ids(&mut counting.iter().copied()),
        drawn_again: ids(&mut drawn.iter().filter(|(_, again)| *again).map(|(run, _)| run)),
        verdicts,
        ended_early,
    };
    let summary = Summary {
        downtime_ms: spread(&counting, "no run had both writers probed", downtime),
        recovery_ms: spread(&counting, "no run had an outage after its fault", |run| {
            run.recovery.total.observed().copied()
        }),
        redundancy_ms: spread(&counting, "no run observed it", |run| {
            run.recovery.redundancy.observed().copied()
        }),
        lost_commits: count_spread(&counting, "no run judged its ledger", |run| {
            run.ledger.lost.count
        }),
        at_risk_commits: count_spread(&counting, "no run observed it", |run| {
            run.ledger.at_risk.observed().copied()
        }),
    };
    SeriesResult {
        schema: SCHEMA.to_owned(),
        series,
        runs: drawn.into_iter().map(|(run, _)| run).collect(),
        summary,
    }
}

/// Whether a run's figures count: it was neither stopped nor invalid, and its observer was undisturbed. (A
/// run with proven facts fails although its timings may be void.)
fn counts(run: &RunResult) -> bool {
    run.verdict != Verdict::Invalid && run.undo.interrupted.is_none() && run.observer.valid
}

fn word(run: &RunResult) -> &'static str {
    match run.verdict {
        _ if run.undo.interrupted.is_some() => "stopped",
        _ if run.called_off.is_some() => "called off",
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Unknown => "unknown",
        Verdict::Invalid => "invalid",
    }
}

/// The longest outage of the writer channels, as the objective downtime has it.
fn downtime(run: &RunResult) -> Option<Bounds> {
    let fresh = run.channels.get("writer_fresh")?;
    let pinned = run.channels.get("writer_pinned")?;
    let none = Bounds {
        lower_ms: 0.0,
        upper_ms: Some(0.0),
    };
    let outages = fresh.outages.iter().chain(&pinned.outages);
    Some(outages.fold(none, |longest, outage| Bounds {
        lower_ms: longest.lower_ms.max(outage.lower_ms),
        upper_ms: longest.upper_ms.zip(outage.upper_ms).map(|(a, b)| a.max(b)),
    }))
}

fn spread(
    runs: &[&RunResult],
    missing: &str,
    figure: impl Fn(&RunResult) -> Option<Bounds>,
) -> Known<Spread> {
    let all: Vec<Bounds> = runs.iter().filter_map(|run| figure(run)).collect();
    let sorted = |end: fn(&Bounds) -> f64| {
        let mut ends: Vec<f64> = all.iter().map(end).collect();
        ends.sort_by(f64::total_cmp);
        ends
    };
    let lower = sorted(|bounds| bounds.lower_ms);
    // One that did not end is longer than any that did.
    let upper = sorted(|bounds| bounds.upper_ms.unwrap_or(f64::INFINITY));
    let bounds = |of: fn(&[f64]) -> Option<f64>| {
        Some(Bounds {
            lower_ms: of(&lower)?,
            upper_ms: of(&upper).filter(|upper| upper.is_finite()),
        })
    };
    let spread = || {
        Some(Spread {
            min: bounds(|ends| ends.first().copied())?,
            median: bounds(median)?,
            max: bounds(|ends| ends.last().copied())?,
            runs: number(all.len()),
        })
    };
    spread().map_or_else(|| Known::missing(why(runs, missing)), Known::Observed)
}

fn count_spread(
    runs: &[&RunResult],
    missing: &str,
    figure: impl Fn(&RunResult) -> Option<u64>,
) -> Known<CountSpread> {
    let mut all: Vec<u64> = runs.iter().filter_map(|run| figure(run)).collect();
    all.sort_unstable();
    let ends: Vec<f64> = all.iter().map(|count| *count as f64).collect();
    match (all.first(), median(&ends), all.last()) {
        (Some(min), Some(median), Some(max)) => Known::Observed(CountSpread {
            min: *min,
            median,
            max: *max,
            runs: number(all.len()),
        }),
        _ => Known::missing(why(runs, missing)),
    }
}

fn why(runs: &[&RunResult], missing: &str) -> String {
    match runs {
        [] => "no run counts".to_owned(),
        _ => missing.to_owned(),
    }
}

/// The middle of sorted numbers; of an even number of them the mean of the two in the middle.
fn median(sorted: &[f64]) -> Option<f64> {
    let middle = sorted.len() / 2;
    let high = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        return Some(high);
    }
    let low = *sorted.get(middle.checked_sub(1)?)?;
    Some(low / 2.0 + high / 2.0)
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use proptest::prelude::*;

    fn with_total(lower_ms: f64, upper_ms: Option<f64>) -> RunResult {
        let mut run = sample::pass();
        run.recovery.total = Known::Observed(Bounds { lower_ms, upper_ms });
        run
    }

    fn recovery(totals: &[(f64, Option<f64>)]) -> Spread {
        let runs = totals
            .iter()
            .map(|(lower, upper)| (with_total(*lower, *upper), false));
        let series = series_of(totals.len() as u32, 7, runs.collect(), None);
        *series.summary.recovery_ms.observed().unwrap()
    }

    #[test]
    fn what_did_not_end_is_the_longest_and_has_no_upper_bound() {
        let spread = recovery(&[(100.0, Some(120.0)), (90.0, None), (50.0, Some(130.0))]);
        assert_eq!(
            (spread.min.lower_ms, spread.min.upper_ms),
            (50.0, Some(120.0))
        );
        assert_eq!(
            (spread.median.lower_ms, spread.median.upper_ms),
            (90.0, Some(130.0))
        );
        assert_eq!((spread.max.lower_ms, spread.max.upper_ms), (100.0, None));
    }

    #[test]
    fn invalid_and_stopped_runs_are_shown_and_do_not_count() {
        let mut ids = 0;
        let mut named = |mut run: RunResult| {
            ids += 1;
            run.run.id = format!("run-{ids}");
            run
        };
        let drawn = vec![
            (named(sample::invalid()), true),
            (named(sample::pass()), false),
            (named(sample::invalid()), false),
            (named(sample::interrupted()), false),
        ];
        let series = series_of(4, 7, drawn, Some("stopped by SIGINT".to_owned()));
        assert_eq!(series.runs.len(), 4);
        assert_eq!(series.series.counted, ["run-2"]);
        assert_eq!(series.series.drawn_again, ["run-1"]);
        let verdicts: Vec<String> = series
            .series
            .verdicts
            .iter()
            .map(|(word, count)| format!("{count} {word}"))
            .collect();
        assert_eq!(verdicts, ["1 invalid", "1 pass", "1 stopped"]);
        assert_eq!(series.summary.lost_commits.observed().unwrap().runs, 1);
    }

    #[test]
    fn without_a_run_that_counts_nothing_is_known() {
        let series = series_of(1, 7, vec![(sample::invalid(), false)], None);
        assert_eq!(series.summary.downtime_ms.why(), Some("no run counts"));
    }

    proptest! {
        /// Whatever the truths are within their bounds, their smallest, median and largest are within the
        /// bounds of the spread.
        #[test]
        fn the_truth_is_inside(
            runs in prop::collection::vec((0.0f64..1e6, 0.0f64..1e5, 0.0f64..=1.0), 1..12)
        ) {
            let bounds: Vec<(f64, Option<f64>)> = runs
                .iter()
                .map(|(lower, width, _)| (*lower, Some(lower + width)))
                .collect();
            let mut truths: Vec<f64> = runs
                .iter()
                .map(|(lower, width, part)| lower + width * part)
                .collect();
            truths.sort_by(f64::total_cmp);
            let spread = recovery(&bounds);
            let holds = |bounds: Bounds, truth: f64| {
                bounds.lower_ms <= truth + 1e-6 && truth <= bounds.upper_ms.unwrap() + 1e-6
            };
            prop_assert!(holds(spread.min, truths[0]));
            prop_assert!(holds(spread.median, median(&truths).unwrap()));
            prop_assert!(holds(spread.max, truths[truths.len() - 1]));
        }
    }
}
