//! Whatever the period, the deadline, the latencies and the lateness of ticks: the true begin and end of an
//! outage lie within their bounds, and an outage that is long enough is found. What `outage_simulation`
//! says of the width, this says of the edges, with cases that shrink.

use super::baseline::limits;
use super::outage::{Interruption, Limits, interruptions};
use super::timeline::Timeline;
use crate::event::slots::{ErrorClass, Outcome, Slot, SlotBatch, pack};
use crate::event::{ChannelKind, ChannelRecord, Stamp};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// Nobody answers, and what hangs runs on when it is over.
    Freeze,
    /// What is under way is reset, and what is new is refused.
    Reset,
}

/// A channel and one outage of it, in microseconds.
#[derive(Clone, Debug)]
struct Case {
    how: How,
    period: u64,
    deadline: u64,
    /// Slots before the outage, and from when on within the next period it lasts.
    baseline: u64,
    phase: u64,
    lasts: u64,
    /// Used in turn, slot by slot; all of them in the baseline already.
    latencies: Vec<u64>,
    lateness: Vec<u64>,
    /// `None`: a new connection each time; else open sessions, this many more than are needed.
    spare_sessions: Option<u64>,
    /// How many slots a batch holds.
    batch: usize,
}

fn case() -> impl Strategy<Value = Case> {
    let times = (5_000_u64..200_000, 100_000_u64..1_000_000);
    let shape = (
        prop_oneof![Just(How::Freeze), Just(How::Reset)],
        // Every latency is settled in it at least once, also the slowest behind the shortest period.
        80_u64..120,
        0_u64..200_000,
        1_u64..2_000_000,
        prop::option::of(0_u64..3),
        1_usize..40,
    );
    (times, shape).prop_flat_map(|((period, deadline), shape)| {
        let (how, baseline, phase, lasts, spare_sessions, batch) = shape;
        // A baseline whose latency comes near the deadline is refused before the drill.
        let latencies = prop::collection::vec(100..=deadline / 5, 1..20);
        let lateness = prop::collection::vec(0..=(period / 4).min(5_000), 1..20);
        (latencies, lateness).prop_map(move |(latencies, lateness)| Case {
            how,
            period,
            deadline,
            baseline,
            phase: phase % period,
            lasts,
            latencies,
            lateness,
            spare_sessions,
            batch,
        })
    })
}

impl Case {
    fn from(&self) -> u64 {
        self.baseline * self.period + self.phase
    }

    fn to(&self) -> u64 {
        self.from() + self.lasts
    }

    fn of(list: &[u64], k: u64) -> u64 {
        list[k as usize % list.len()]
    }

    fn answer(&self, k: u64, sent: u64) -> (u64, Outcome) {
        let normal = Self::of(&self.latencies, k);
        let (from, to) = (self.from(), self.to());
        let crosses = sent < from && sent + normal > from;
        if !crosses && !(from..to).contains(&sent) {
            return (sent + normal, Outcome::Acknowledged);
        }
        match self.how {
            How::Freeze => {
                let rest = if crosses {
                    sent + normal - from
                } else {
                    normal
                };
                if to + rest > sent + self.deadline {
                    let class = ErrorClass::StatementDeadline;
                    return (sent + self.deadline, Outcome::InDoubt(class));
                }
                (to + rest, Outcome::Acknowledged)
            }
            How::Reset if crosses => (from, Outcome::InDoubt(ErrorClass::Reset)),
            How::Reset => (sent + 50, Outcome::Failed(ErrorClass::Refused)),
        }
    }

    fn run(&self) -> (Timeline, Limits) {
        let latest = self.lateness.iter().max().copied().unwrap_or(0);
        let slowest = self.latencies.iter().max().copied().unwrap_or(0);
        let needed = (slowest + latest) / self.period + 2;
        let mut free_at = self
            .spare_sessions
            .map(|spare| vec![0_u64; (needed + spare) as usize]);
        let record = ChannelRecord {
            name: "writer".to_owned(),
            kind: ChannelKind::WriterPinned,
            sessions: 0,
            t0: Stamp(0),
            period_us: self.period,
            deadline_us: self.deadline,
            stall_us: None,
        };
        // Long enough after the outage that the join gap is over, whatever still hung then.
        let end = self.to() + 2 * self.deadline + 8 * self.period.max(50_000) + 1_000_000;
        let mut slots = Vec::new();
        for k in 0..end / self.period {
            let due = k * self.period;
            let sent = due + Self::of(&self.lateness, k);
            let (sent, settled, outcome) = match &mut free_at {
                None => {
                    let (settled, outcome) = self.answer(k, sent);
                    (sent, settled, outcome)
                }
                Some(free_at) => match free_at.iter_mut().find(|free| **free <= sent) {
                    Some(free) => {
                        let (settled, outcome) = self.answer(k, sent);
                        *free = settled;
                        (sent, settled, outcome)
                    }
                    None => (due, due, Outcome::NotSent),
                },
            };
            slots.push(Slot {
                k,
                sent: Stamp(sent),
                settled: Stamp(settled),
                outcome,
            });
        }
        slots.sort_by_key(|slot| slot.settled);
        let mut timeline = Timeline::new(record.clone());
        for batch in slots.chunks(self.batch) {
            let packed = pack(batch, record.t0, record.period_us);
            let batch = SlotBatch {
                channel: record.name.clone(),
                packed,
                serving: vec![],
            };
            timeline.take(&batch).unwrap();
        }
        let window = Some((Stamp(0), Stamp(self.from())));
        let limits = limits(&timeline, window, None);
        (timeline, limits)
    }

    /// An outage that lasts longer than this cannot hide between two ticks, or within what is normal.
    fn certainly_seen(&self, limits: &Limits) -> u64 {
        let late = self.lateness.iter().max().copied().unwrap_or(0);
        let between_ticks = self.period + late + 1;
        match self.how {
            How::Reset => between_ticks,
            How::Freeze => between_ticks + limits.stall,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_truth_lies_within_the_bounds(case in case()) {
        let (timeline, limits) = case.run();
        let found = interruptions(&timeline, &limits);
        let longest = |found: &&Interruption| (found.failed, found.lasted_until.since(found.began_by));
        let main = found.iter().max_by_key(longest);
        // While what hung is worked off, a tick may find no free session: that is said, and claims nothing.
        for other in found.iter().filter(|other| Some(*other) != main) {
            prop_assert!(!other.failed, "one outage, found as {found:?}");
            prop_assert!(other.lasted_until <= other.began_by, "one outage, found as {found:?}");
        }
        let Some(&Interruption { began_after, began_by, lasted_until, ended_by, .. }) = main else {
            let least = case.certainly_seen(&limits);
            prop_assert!(case.lasts <= least, "an outage of {} µs was not found", case.lasts);
            return Ok(());
        };
        let (from, to) = (Stamp(case.from()), Stamp(case.to()));
        // What was sent into a freeze that is hardly longer than B may all be served within B, which is
        // good by definition; only ticks without a free session are bad then, and they come later.
        let is_marginal = case.lasts <= case.certainly_seen(&limits);
        if is_marginal && lasted_until <= began_by {
            return Ok(());
        }
        prop_assert!(is_marginal || began_after <= from, "begin {from:?}: {found:?}");
        prop_assert!(from <= began_by, "begin {from:?}: {found:?}");
        let ended_by = ended_by.expect("service was good for long afterwards");
        prop_assert!(lasted_until <= to && to <= ended_by, "end {to:?}: {found:?}");
        prop_assert!(began_after <= began_by && lasted_until <= ended_by);
    }
}
