//! How disturbed the observer itself was: what widens an edge, and what makes timings void.
//!
//! Probes and faults may share one processor. A probe that is late all the same says the truth about
//! itself, because bounds rest on actual stamps; only lateness near an edge is added to it.

use super::outage::{Interruption, Limits};
use crate::event::result::Bounds;
use crate::event::{ObserverLate, Stamp};

/// A stall of the observer longer than this voids the timings wherever it falls.
const LONGEST_STALL_US: u64 = 1_000_000;

/// The edges of an interruption after the observer's own lateness was added to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edges {
    /// Start, as early and as late as it can have been, in microseconds since the origin.
    pub start: (i128, i128),
    /// End; the late bound is `None` when it did not end.
    pub end: (i128, Option<i128>),
    /// By how much both edges together were widened, in microseconds.
    pub widened_us: u64,
}

impl Edges {
    /// The bounds of its length.
    #[must_use]
    pub fn length(&self) -> Bounds {
        Bounds {
            lower_ms: ms((self.end.0 - self.start.1).max(0)),
            upper_ms: self.end.1.map(|end| ms(end - self.start.0)),
        }
    }
}

fn ms(us: i128) -> f64 {
    us as f64 / 1000.0
}

/// Widens each edge by the longest spell of lateness that overlaps it or lies within B of it.
#[must_use]
pub fn widen(found: &Interruption, limits: &Limits, late: &[ObserverLate]) -> Edges {
    let start_by = longest_near(late, found.began_after, found.began_by, limits.stall);
    let last = found.ended_by.unwrap_or(found.lasted_until);
    let end_by = longest_near(late, found.lasted_until, last, limits.stall);
    let at = |stamp: Stamp| i128::from(stamp.0);
    Edges {
        start: (
            at(found.began_after) - i128::from(start_by),
            at(found.began_by) + i128::from(start_by),
        ),
        end: (
            at(found.lasted_until) - i128::from(end_by),
            found.ended_by.map(|end| at(end) + i128::from(end_by)),
        ),
        widened_us: start_by.saturating_add(end_by).saturating_mul(2),
    }
}

/// The longest spell that overlaps `[from - margin, to + margin]`, in microseconds.
fn longest_near(late: &[ObserverLate], from: Stamp, to: Stamp, margin: u64) -> u64 {
    let from = from.0.saturating_sub(margin);
    let to = to.0.saturating_add(margin);
    let near = late
        .iter()
        .filter(|spell| spell.due.0 <= to && spell.woke.0 >= from);
    near.map(length).max().unwrap_or(0)
}

fn length(spell: &ObserverLate) -> u64 {
    spell.woke.0.saturating_sub(spell.due.0)
}

/// Why the observer voids the timings of one channel's outage, if it does.
#[must_use]
pub fn disturbs(
    channel: &str,
    outage: &Interruption,
    limits: &Limits,
    late: &[ObserverLate],
) -> Option<String> {
    let last = outage.ended_by.unwrap_or(outage.lasted_until);
    let at_edge = longest_near(late, outage.began_after, outage.began_by, 0).max(longest_near(
        late,
        outage.lasted_until,
        last,
        0,
    ));
    if at_edge > limits.period.saturating_mul(5).max(limits.stall) {
        return Some(format!(
            "observer stalled for {} ms at an edge of the outage of {channel}",
            at_edge / 1000
        ));
    }
    let within = late
        .iter()
        .map(|spell| {
            let from = spell.due.max(outage.began_after);
            let to = spell.woke.min(last);
            to.0.saturating_sub(from.0)
        })
        .fold(0, u64::saturating_add);
    let lasted = last.0.saturating_sub(outage.began_after.0);
    // Less than B in sum is already inside the resolution of the edges, and a short outage on a busy
    // machine would else be void for a few late ticks.
    if within > limits.stall && within.saturating_mul(10) > lasted {
        return Some(format!(
            "the observer itself was late for {} of {} ms of the outage of {channel}: is the machine busy?",
            within / 1000,
            lasted / 1000
        ));
    }
    None
}

/// Why the observer voids all timings, whatever else happened.
#[must_use]
pub fn stalled(late: &[ObserverLate], slept_us: u64, own_limit: &[String]) -> Vec<String> {
    let mut why = Vec::new();
    if let Some(longest) = late.iter().map(length).max()
        && longest > LONGEST_STALL_US
    {
        why.push(format!(
            "observer stalled for {:.1} s",
            longest as f64 / 1e6
        ));
    }
    if slept_us > 0 {
        why.push(format!(
            "the machine slept for {:.1} s",
            slept_us as f64 / 1e6
        ));
    }
    for channel in own_limit {
        why.push(format!(
            "firedrill's own connections on {channel} reached the target's limit"
        ));
    }
    why
}

/// The largest lateness in milliseconds.
#[must_use]
pub fn largest_ms(late: &[ObserverLate]) -> f64 {
    late.iter().map(length).max().unwrap_or(0) as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        period: 20_000,
        deadline: 500_000,
        stall: 100_000,
        latency: 10_000,
        slowest: 10_000,
        join: 250_000,
    };

    fn outage() -> Interruption {
        Interruption {
            began_after: Stamp(10_000_000),
            began_by: Stamp(10_020_000),
            lasted_until: Stamp(13_000_000),
            ended_by: Some(Stamp(13_030_000)),
            known_bad: Stamp(10_030_000),
            failed: true,
        }
    }

    fn late(due: u64, woke: u64) -> ObserverLate {
        ObserverLate {
            due: Stamp(due),
            woke: Stamp(woke),
        }
    }

    #[test]
    fn lateness_near_an_edge_widens_that_edge_by_as_much() {
        let quiet = widen(&outage(), &LIMITS, &[]).length();
        assert_eq!((quiet.lower_ms, quiet.upper_ms), (2980.0, Some(3030.0)));
        let near = widen(&outage(), &LIMITS, &[late(10_090_000, 10_105_000)]);
        assert_eq!(near.widened_us, 30_000);
        let near = near.length();
        assert_eq!((near.lower_ms, near.upper_ms), (2965.0, Some(3045.0)));
        let far = widen(&outage(), &LIMITS, &[late(10_130_000, 10_145_000)]);
        assert_eq!(far.widened_us, 0);
    }

    #[test]
    fn a_long_stall_at_an_edge_voids_and_one_in_the_middle_does_not() {
        let edge = disturbs(
            "writer_fresh",
            &outage(),
            &LIMITS,
            &[late(9_990_000, 10_091_000)],
        );
        assert_eq!(
            edge.as_deref(),
            Some("observer stalled for 101 ms at an edge of the outage of writer_fresh")
        );
        let middle = [late(11_000_000, 11_250_000)];
        assert_eq!(disturbs("writer_fresh", &outage(), &LIMITS, &middle), None);
        let tenth = [late(11_000_000, 11_250_000), late(12_000_000, 12_060_000)];
        assert!(disturbs("writer_fresh", &outage(), &LIMITS, &tenth).is_some());
    }

    #[test]
    fn two_seconds_anywhere_void_the_run() {
        assert_eq!(
            stalled(&[late(0, 2_000_000)], 0, &[]),
            ["observer stalled for 2.0 s"]
        );
        assert!(stalled(&[late(0, 900_000)], 0, &[]).is_empty());
        assert_eq!(stalled(&[], 1, &[]).len(), 1);
    }
}
