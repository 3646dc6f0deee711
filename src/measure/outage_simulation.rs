//! Outages of known length on a simulated channel: the truth must lie within the bounds, always.

use super::baseline::limits;
use super::outage::{Interruption, Limits, interruptions};
use super::timeline::Timeline;
use crate::event::slots::{ErrorClass, Outcome, Slot, SlotBatch, pack};
use crate::event::{ChannelKind, ChannelRecord, Stamp};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

const PERIOD: u64 = 20_000;
const DEADLINE: u64 = 500_000;
/// Outages per kind.
const CASES: u64 = 4_000;
/// When the fault may begin: after a baseline of four seconds.
const FAULT_FROM: u64 = 4_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Break {
    /// Nobody answers, and everything that hangs runs on when it is over.
    Freeze,
    /// What is under way is reset, and everything new is refused.
    Reset,
}

/// One simulated run.
struct Case {
    how: Break,
    /// `None`: a new connection each time; else so many open sessions.
    sessions: Option<usize>,
    from: u64,
    to: u64,
    latency: (u64, u64),
    /// A session that broke costs its next attempt a connection.
    reopens: bool,
    rng: ChaCha8Rng,
}

impl Case {
    fn new(
        seed: u64,
        how: Break,
        sessions: Option<usize>,
        lasts: (u64, u64),
        reopens: bool,
    ) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let from = FAULT_FROM + below(&mut rng, 100_000);
        let to = from + lasts.0 + below(&mut rng, lasts.1 - lasts.0 + 1);
        let least = 2_000 + below(&mut rng, 20_000);
        let most = least + below(&mut rng, 40_000 - least) + 1;
        Self {
            how,
            sessions,
            from,
            to,
            latency: (least, most),
            reopens,
            rng,
        }
    }

    /// As the baseline gives them, with what a new connection costs.
    fn limits(&self, timeline: &Timeline) -> Limits {
        let reopening = self.reopens.then_some(2 * self.latency.1);
        limits(timeline, Some((Stamp(0), Stamp(self.from))), reopening)
    }

    fn latency(&mut self) -> u64 {
        self.latency.0 + below(&mut self.rng, self.latency.1 - self.latency.0)
    }

    /// When an attempt that was sent at `sent` is settled, and how.
    fn answer(&mut self, sent: u64, anew: bool) -> (u64, Outcome) {
        // A session that broke is opened again by the attempt that needs it, which costs about as much
        // as the statement.
        let connect = if anew { self.latency() } else { 0 };
        let normal = connect + self.latency();
        let inside = sent >= self.from && sent < self.to;
        let crosses = sent < self.from && sent + normal > self.from;
        if !inside && !crosses {
            return (sent + normal, Outcome::Acknowledged);
        }
        match self.how {
            Break::Freeze => {
                // What had been worked on before the freeze need not be worked on again.
                let rest = if crosses {
                    sent + normal - self.from
                } else {
                    normal
                };
                let answered = self.to + rest;
                if answered > sent + DEADLINE {
                    let class = ErrorClass::StatementDeadline;
                    (sent + DEADLINE, Outcome::InDoubt(class))
                } else {
                    (answered, Outcome::Acknowledged)
                }
            }
            Break::Reset if crosses => (
                self.from + below(&mut self.rng, 500),
                Outcome::InDoubt(ErrorClass::Reset),
            ),
            Break::Reset => (
                sent + 100 + below(&mut self.rng, 500),
                Outcome::Failed(ErrorClass::Refused),
            ),
        }
    }

    fn run(&mut self) -> Timeline {
        let phase = below(&mut self.rng, PERIOD);
        let record = ChannelRecord {
            name: "writer".to_owned(),
            kind: ChannelKind::WriterFresh,
            sessions: 0,
            t0: Stamp(phase),
            period_us: PERIOD,
            deadline_us: DEADLINE,
            stall_us: None,
        };
        let mut free_at = vec![0_u64; self.sessions.unwrap_or(0)];
        let mut broken = vec![false; free_at.len()];
        let mut slots = Vec::new();
        for k in 0..(self.to + 1_000_000) / PERIOD {
            let due = phase + k * PERIOD;
            let sent = due + below(&mut self.rng, 300);
            let session = free_at.iter().position(|&free| free <= sent);
            let (settled, outcome) = match (self.sessions, session) {
                (Some(_), None) => (due, Outcome::NotSent),
                (_, session) => self.answer(sent, session.is_some_and(|session| broken[session])),
            };
            let sent = if outcome == Outcome::NotSent {
                due
            } else {
                sent
            };
            if let (Some(session), true) = (session, outcome != Outcome::NotSent) {
                free_at[session] = settled;
                broken[session] = self.reopens && outcome != Outcome::Acknowledged;
            }
            slots.push(Slot {
                k,
                sent: Stamp(sent),
                settled: Stamp(settled),
                outcome,
            });
        }
        let mut timeline = Timeline::new(record.clone());
        // In the order in which they are settled, as a log has them.
        slots.sort_by_key(|slot| slot.settled);
        for batch in slots.chunks(13) {
            let packed = pack(batch, record.t0, PERIOD);
            timeline
                .take(&SlotBatch {
                    channel: record.name.clone(),
                    packed,
                    serving: vec![],
                })
                .unwrap();
        }
        timeline
    }
}

fn below(rng: &mut ChaCha8Rng, limit: u64) -> u64 {
    rng.next_u64() % limit.max(1)
}

/// Runs [`CASES`] outages and returns how often the truth was outside, and the largest excess of the width
/// over what is promised, in microseconds.
fn simulate(how: Break, sessions: Option<usize>, lasts: (u64, u64), reopens: bool) -> (u64, i64) {
    let (mut outside, mut excess) = (0, i64::MIN);
    for seed in 0..CASES {
        let mut case = Case::new(seed, how, sessions, lasts, reopens);
        let timeline = case.run();
        let limits = case.limits(&timeline);
        let found = interruptions(&timeline, &limits);
        let outages: Vec<&Interruption> = found.iter().filter(|found| found.failed).collect();
        let [outage] = outages.as_slice() else {
            panic!("seed {seed}: {} outages of one: {found:?}", outages.len());
        };
        let (lower, upper) = length(outage);
        let truth = case.to - case.from;
        if truth < lower || truth > upper {
            outside += 1;
        }
        // Ticks are up to 300 µs late here, and an answer of the reset may take 500 µs.
        let promised = match how {
            Break::Freeze => limits.stall + 2 * PERIOD + 2 * limits.latency,
            Break::Reset => 2 * PERIOD + 2 * limits.latency,
        } + 2_000
            // A tick without a free session says nothing while one of them is just being served.
            + sessions.map_or(0, |_| 2 * limits.latency)
            // Sessions that have to be opened again first are busy and answer later by what that costs.
            + if reopens { 4 * case.latency.1 } else { 0 };
        excess = excess.max((upper - lower) as i64 - promised as i64);
    }
    (outside, excess)
}

fn length(found: &Interruption) -> (u64, u64) {
    let lower = found.lasted_until.0.saturating_sub(found.began_by.0);
    (lower, found.ended_by.unwrap().0 - found.began_after.0)
}

#[test]
fn freeze_of_fresh_connections_holds_the_truth() {
    let found = simulate(Break::Freeze, None, (1_000_000, 3_000_000), false);
    assert!(found.0 == 0 && found.1 <= 0, "{found:?}");
}

#[test]
fn freeze_of_pinned_sessions_holds_the_truth() {
    let found = simulate(Break::Freeze, Some(4), (1_000_000, 3_000_000), false);
    assert!(found.0 == 0 && found.1 <= 0, "{found:?}");
}

#[test]
fn reset_of_fresh_connections_holds_the_truth() {
    let found = simulate(Break::Reset, None, (100_000, 2_000_000), false);
    assert!(found.0 == 0 && found.1 <= 0, "{found:?}");
}

#[test]
fn reset_of_pinned_sessions_holds_the_truth() {
    let found = simulate(Break::Reset, Some(4), (100_000, 2_000_000), false);
    assert!(found.0 == 0 && found.1 <= 0, "{found:?}");
}

#[test]
fn a_freeze_shorter_than_the_deadline_is_a_stall_with_bounds() {
    for seed in 0..1000 {
        let mut case = Case::new(seed, Break::Freeze, Some(4), (300_000, 300_000), false);
        let timeline = case.run();
        let limits = case.limits(&timeline);
        let found = interruptions(&timeline, &limits);
        let [stall] = found.as_slice() else {
            panic!("seed {seed}: {found:?}");
        };
        assert!(!stall.failed, "seed {seed}: {stall:?}");
        let (lower, upper) = length(stall);
        assert!(
            lower <= 300_000 && upper >= 300_000,
            "seed {seed}: {stall:?}"
        );
    }
}

#[test]
fn a_pause_within_normal_latency_is_neither() {
    for seed in 0..500 {
        let mut case = Case::new(seed, Break::Freeze, None, (5_000, 5_000), false);
        let timeline = case.run();
        let limits = case.limits(&timeline);
        assert_eq!(interruptions(&timeline, &limits), []);
    }
}

#[test]
fn sessions_that_are_slow_to_reopen_widen_the_bounds_and_keep_the_truth() {
    let freeze = simulate(Break::Freeze, Some(4), (1_000_000, 3_000_000), true);
    assert!(freeze.0 == 0 && freeze.1 <= 0, "{freeze:?}");
    let reset = simulate(Break::Reset, Some(4), (100_000, 2_000_000), true);
    assert!(reset.0 == 0 && reset.1 <= 0, "{reset:?}");
}
