//! How long the cluster had fewer streaming standbys than were declared.

use super::acts::Done;
use super::gathered::{Gathered, Round};
use super::waiting::Waiting;
use crate::event::Stamp;
use crate::event::result::{Bounds, Known};

/// One time in which the cluster was not whole.
struct Spell<'a> {
    cause: &'a Done,
    last_broken: Stamp,
    whole_at: Option<Stamp>,
}

impl Spell<'_> {
    fn bounds(&self, waiting: &Waiting) -> Bounds {
        let since = |at: Stamp, from: Stamp| {
            let passed = waiting.at(at).0.saturating_sub(waiting.at(from).0);
            passed as f64 / 1000.0
        };
        Bounds {
            lower_ms: since(self.last_broken, self.cause.struck_by()),
            upper_ms: self.whole_at.map(|at| since(at, self.cause.requested)),
        }
    }
}

/// From the fault until all declared standbys stream the new timeline: the longest such spell. Rounds after
/// the writers stopped do not count, since what is repaired then is firedrill's clean-up.
#[must_use]
pub fn measure(run: &Gathered, waiting: &Waiting) -> Known<Bounds> {
    if run.acts.first_f0().is_none() {
        return Known::missing("there was no fault");
    }
    if rounds(run).next().is_none() {
        return Known::missing("the nodes were not asked after the fault");
    }
    let longest = spells(run)
        .into_iter()
        .map(|spell| spell.bounds(waiting))
        .max_by(|a, b| {
            let upper = |bounds: &Bounds| bounds.upper_ms.unwrap_or(f64::INFINITY);
            upper(a).total_cmp(&upper(b))
        });
    Known::Observed(longest.unwrap_or(Bounds {
        lower_ms: 0.0,
        upper_ms: Some(0.0),
    }))
}

/// When the cluster was whole for good, where it had been broken.
#[must_use]
pub fn restored_at(run: &Gathered) -> Option<Stamp> {
    let spells = spells(run);
    match spells.last() {
        Some(last) => last.whole_at,
        // It was never seen broken, so that there was nothing to wait for.
        None => run.acts.first_f0(),
    }
}

fn rounds(run: &Gathered) -> impl Iterator<Item = &Round> {
    let from = run.acts.first_f0().unwrap_or(Stamp(u64::MAX));
    let to = run.measured_until();
    run.rounds
        .iter()
        .filter(move |round| round.at > from && round.at <= to)
}

fn spells(run: &Gathered) -> Vec<Spell<'_>> {
    let mut spells: Vec<Spell<'_>> = Vec::new();
    let mut open = false;
    for round in rounds(run) {
        if round.whole {
            // A node was whole at some moment of the round, so not before it was asked.
            if let Some(spell) = spells.last_mut().filter(|_| open) {
                spell.whole_at = Some(round.at);
            }
            open = false;
        } else if open {
            if let Some(spell) = spells.last_mut() {
                spell.last_broken = round.asked;
            }
        } else if let Some(cause) = run.acts.cause_of(round.at) {
            spells.push(Spell {
                cause,
                last_broken: round.asked,
                whole_at: None,
            });
            open = true;
        }
    }
    spells
}
