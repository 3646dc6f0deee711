//! Time in which the drill waited for a person, and that is no recovery time.
//!
//! Where `counts` is not set, a recovery is told on a clock that stands still while somebody is asked: with
//! W(t) the time waited before t, it reads g(t) = t − W(t). g never runs backward and never faster than
//! time, so that bounds stay bounds, and parts that sum to a total still do. What clients saw (outages,
//! downtime, latency) is never told on this clock.

use super::gathered::Gathered;
use crate::event::Stamp;

/// The clock that stands still while a person is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Begin and end of each wait, in order and apart.
    spans: Vec<(i128, i128)>,
}

impl Waiting {
    /// All waits of a run that do not count as recovery.
    #[must_use]
    pub fn of(run: &Gathered) -> Self {
        let mut spans: Vec<(i128, i128)> = run
            .asks
            .iter()
            .filter(|ask| !ask.asked.counts)
            .map(|ask| (i128::from(ask.at.0), i128::from(ask.until(run.now).0)))
            .collect();
        spans.sort_unstable();
        let mut apart: Vec<(i128, i128)> = Vec::new();
        for (from, to) in spans {
            match apart.last_mut() {
                Some((_, last)) if from <= *last => *last = (*last).max(to),
                _ => apart.push((from, to)),
            }
        }
        Self { spans: apart }
    }

    /// What this clock reads at a moment in microseconds.
    #[must_use]
    pub fn read(&self, at: i128) -> i128 {
        let waited: i128 = self
            .spans
            .iter()
            .map(|(from, to)| (at.min(*to) - from).max(0))
            .sum();
        at - waited
    }

    /// What this clock reads at a stamp.
    #[must_use]
    pub fn at(&self, stamp: Stamp) -> Stamp {
        let read = self.read(i128::from(stamp.0)).max(0);
        Stamp(u64::try_from(read).unwrap_or(stamp.0))
    }

    /// How long was waited between two moments, in milliseconds.
    #[must_use]
    pub fn between_ms(&self, from: i128, to: i128) -> f64 {
        let all = (to - from).max(0);
        let counted = (self.read(to) - self.read(from)).max(0);
        (all - counted).max(0) as f64 / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn waiting(spans: &[(i128, i128)]) -> Waiting {
        Waiting {
            spans: spans.to_vec(),
        }
    }

    #[test]
    fn it_stands_still_while_somebody_is_asked() {
        let clock = waiting(&[(10, 20), (50, 60)]);
        let read: Vec<i128> = [0, 10, 15, 20, 30, 55, 70]
            .map(|at| clock.read(at))
            .to_vec();
        assert_eq!(read, [0, 10, 10, 10, 20, 40, 50]);
        assert_eq!(clock.between_ms(15_000, 30_000), 0.0);
        assert_eq!(waiting(&[(0, 5000)]).between_ms(1000, 9000), 4.0);
    }

    proptest! {
        #[test]
        fn it_never_runs_backward_and_never_faster_than_time(
            spans in prop::collection::vec((0i128..1000, 1i128..200), 0..4),
            from in 0i128..2000,
            more in 0i128..2000,
        ) {
            let mut apart: Vec<(i128, i128)> = Vec::new();
            for (gap, length) in spans {
                let begin = apart.last().map_or(0, |(_, end)| *end) + gap + 1;
                apart.push((begin, begin + length));
            }
            let clock = waiting(&apart);
            let passed = clock.read(from + more) - clock.read(from);
            prop_assert!((0..=more).contains(&passed));
        }
    }
}
