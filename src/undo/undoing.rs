//! Puts everything back that the guard holds.
//!
//! Newest first, each with its own limit, all tried, failures collected, a panic of one not keeping the
//! others from their turn. What failed is tried once more at least, since it may have had to wait for
//! another: a standby cannot stream before its primary is back. When all are back, each is asked once
//! more, since undoing one may have moved another; only then does the journal call it done.

use super::bounded::{PAUSE, poll, within};
use super::guard::{Guard, Open, UndoReport, Urgency, WayBack};
use super::in_place::look;
use super::journal::How;
use super::{Around, Standing};
use crate::event::cluster::Standing as NodeStanding;
use crate::event::{ActKind, Stage};
use crate::fault::Hit;
use futures_util::FutureExt as _;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// How often everything is asked again after all of it was back.
const ROUNDS: usize = 3;

/// An undo that did not succeed yet.
struct Trouble {
    number: u32,
    why: String,
    /// The action went well, and its effect was not seen.
    unseen: bool,
}

impl Guard {
    /// Undoes the fault of one step.
    pub async fn undo_one(&mut self, step: &str, way: &mut WayBack<'_>) -> UndoReport {
        let numbers = self.open.iter().filter(|open| open.step == step);
        let numbers: Vec<u32> = numbers.map(|open| open.number).collect();
        self.undo_these(&numbers, way).await
    }

    /// Undoes everything, newest first. Harmless when called again: what failed is tried again, what is
    /// undone is not touched.
    pub async fn undo_all(&mut self, way: &mut WayBack<'_>) -> UndoReport {
        let numbers: Vec<u32> = self.open.iter().map(|open| open.number).collect();
        self.undo_these(&numbers, way).await
    }

    async fn undo_these(&mut self, numbers: &[u32], way: &mut WayBack<'_>) -> UndoReport {
        let mut report = UndoReport::default();
        let mut before = writable(way, &mut report, usize::MAX).await;
        let mut waiting: Vec<u32> = numbers.iter().copied().rev().collect();
        let mut troubles = Vec::new();
        for round in 1..=ROUNDS {
            troubles = self
                .take_turns(waiting, &mut before, way, &mut report)
                .await;
            waiting = self
                .settle(numbers, round == ROUNDS, way, &mut report)
                .await;
            if waiting.is_empty() {
                break;
            }
            // What failed in this round may have failed because of what came apart.
            waiting.extend(troubles.iter().map(|trouble| trouble.number));
            waiting.sort_unstable_by(|a, b| b.cmp(a));
        }
        if before.len() >= 2 {
            let left = writable(way, &mut report, 1).await;
            if left.len() >= 2 {
                let names = left.join(" and ");
                report.failures.push(format!("{names} take writes"));
            }
        }
        for trouble in troubles {
            self.give_up(trouble, way, &mut report);
        }
        report
    }

    /// Tries all entries in this order, and those that failed again, until none is left or two turns in
    /// a row brought nothing.
    async fn take_turns(
        &mut self,
        mut waiting: Vec<u32>,
        before: &mut Vec<String>,
        way: &mut WayBack<'_>,
        report: &mut UndoReport,
    ) -> Vec<Trouble> {
        let mut troubles: Vec<Trouble> = Vec::new();
        let mut fruitless = 0;
        while !waiting.is_empty() && fruitless < 2 {
            troubles.clear();
            fruitless += 1;
            for (turn, number) in waiting.iter().enumerate() {
                let others_wait = turn + 1 < waiting.len();
                match self.undo_entry(*number, others_wait, way).await {
                    Ok(()) => fruitless = 0,
                    Err(trouble) => troubles.push(trouble),
                }
                let after = writable(way, report, before.len().max(1)).await;
                if after.len() >= 2 && after.len() > before.len() {
                    let names = after.join(" and ");
                    let text = format!("an undo let {names} take writes");
                    report.failures.push(text);
                }
                *before = after;
            }
            waiting = troubles.iter().map(|trouble| trouble.number).collect();
        }
        troubles
    }

    /// Undoes one entry and verifies it.
    async fn undo_entry(
        &mut self,
        number: u32,
        others_wait: bool,
        way: &WayBack<'_>,
    ) -> Result<(), Trouble> {
        let trouble = |(why, unseen)| Trouble {
            number,
            why,
            unseen,
        };
        self.refuse_before_newer_leader(number)
            .map_err(|why| trouble((why, false)))?;
        let around = Around {
            evidence: way.evidence,
            held: self.held_beside(number),
            kept_down: self.kept_down_beside(number),
        };
        let Some(open) = self.open.iter_mut().find(|open| open.number == number) else {
            return Ok(());
        };
        if !open.progress.requested {
            open.progress.requested = true;
            open.say_of(way, ActKind::Undo, Stage::Requested);
        }
        let verify = match way.urgency {
            // The next turn will tell; waiting in this one only helps if nobody else has to move first.
            _ if others_wait => way.limits.verify.min(Duration::from_secs(2)),
            Urgency::Now => way.limits.verify.min(Duration::from_secs(5)),
            Urgency::Patient => way.limits.verify,
        };
        let mut proof = open
            .put_back_and_verify(way, &around, verify)
            .await
            .map_err(trouble)?;
        if !open.effect_seen {
            // The inject call may still be carried out by somebody else's daemon: look again after it.
            way.clock.sleep_until(open.may_show_until).await;
            proof = open
                .put_back_and_verify(way, &around, verify)
                .await
                .map_err(trouble)?;
        }
        open.progress.verified = true;
        if open.how() == How::Credited {
            proof = format!("{proof}; it was back before firedrill had to act");
        }
        open.say_returned(way);
        open.say_of(way, ActKind::Undo, Stage::Effect { proof });
        Ok(())
    }

    /// Asks all that were back once more, and writes down those that still are. Returns the others, which
    /// wait for another round; in the last one they count as failed.
    async fn settle(
        &mut self,
        numbers: &[u32],
        last: bool,
        way: &mut WayBack<'_>,
        report: &mut UndoReport,
    ) -> Vec<u32> {
        let mut apart = Vec::new();
        let mut done = Vec::new();
        let back = |open: &&mut Open| open.progress.verified && numbers.contains(&open.number);
        for open in self.open.iter_mut().filter(back) {
            let name = format!("{} of {}", open.undo.fault(), open.hit.node);
            let verify = way.limits.verify.min(Duration::from_secs(5));
            let why = match poll(verify, || open.undo.standing(way.target)).await {
                Ok(proof) => {
                    // What is back is back, but a journal that does not know it would keep the next run
                    // away: until it is on disk this counts as failed, and stays open.
                    match way.journal.done(open.number, open.how(), &proof) {
                        Ok(()) => done.push(open.number),
                        Err(error) => report.failures.push(format!("{name}: {error}")),
                    }
                    continue;
                }
                Err(missing) => missing,
            };
            open.progress.verified = false;
            apart.push(open.number);
            if last {
                report.failures.push(format!("{name}: {why}"));
            }
        }
        report.undone += done.len() as u32;
        self.open.retain(|open| !done.contains(&open.number));
        apart
    }

    /// Says and writes down that an entry could not be undone; it stays open.
    fn give_up(&self, trouble: Trouble, way: &mut WayBack<'_>, report: &mut UndoReport) {
        let Some(open) = self.open.iter().find(|open| open.number == trouble.number) else {
            return;
        };
        let why = trouble.why;
        let stage = if trouble.unseen {
            Stage::NotSeen { why: why.clone() }
        } else {
            Stage::Failed { why: why.clone() }
        };
        open.say_of(way, ActKind::Undo, stage);
        let name = format!("{} of {}", open.undo.fault(), open.hit.node);
        report.failures.push(format!("{name}: {why}"));
        if let Err(error) = way.journal.failed(trouble.number, &why) {
            report.failures.push(error.to_string());
        }
    }

    /// The other faults that are open still.
    fn open_beside(&self, number: u32) -> impl Iterator<Item = &Open> {
        let others = self.open.iter().filter(move |open| open.number != number);
        others.filter(|open| !open.progress.verified && !open.released)
    }

    /// Nodes that stand under other open faults.
    fn held_beside(&self, number: u32) -> Vec<Hit> {
        let holding = self
            .open_beside(number)
            .filter(|open| open.undo.holds_node());
        holding.map(|open| open.hit.clone()).collect()
    }

    /// Whether another open fault keeps the node of this one down.
    fn kept_down_beside(&self, number: u32) -> bool {
        let this = self.open.iter().find(|open| open.number == number);
        let mut keeping = self
            .open_beside(number)
            .filter(|open| open.undo.keeps_down());
        keeping.any(|open| this.is_some_and(|this| this.hit.node == open.hit.node))
    }

    /// A node must not be brought back to lead while one that led a newer timeline when it was hit still
    /// waits for its own undo: its commits came later, and nobody can ask it now.
    fn refuse_before_newer_leader(&self, number: u32) -> Result<(), String> {
        let Some(this) = self.open.iter().find(|open| open.number == number) else {
            return Ok(());
        };
        let newer = self.open.iter().find(|other| {
            !other.progress.verified
                && other.undo.holds_node()
                && other.hit.may_lead()
                && other.hit.node != this.hit.node
                && other.hit.timeline > this.hit.timeline
        });
        match newer {
            Some(newer) if this.hit.may_lead() => Err(format!(
                "{} led the newer timeline {} when it was hit (step {}); that must be undone first",
                newer.hit.node, newer.hit.timeline, newer.step
            )),
            _ => Ok(()),
        }
    }
}

impl Open {
    /// In which way it came to be back.
    fn how(&self) -> How {
        match (self.progress.acted, self.released, self.effect_seen) {
            (true, ..) => How::Undone,
            (false, true, _) => How::ReleasedThenVerified,
            (false, false, true) => How::Credited,
            (false, false, false) => How::Moot,
        }
    }

    fn say_returned(&mut self, way: &WayBack<'_>) {
        if !self.progress.returned {
            self.progress.returned = true;
            self.say_of(way, ActKind::Undo, Stage::Returned);
        }
    }

    /// Puts back what is not in place, and waits until it is. The error's flag says that the action went
    /// well and its effect was not seen.
    async fn put_back_and_verify(
        &mut self,
        way: &WayBack<'_>,
        around: &Around<'_>,
        verify: Duration,
    ) -> Result<String, (String, bool)> {
        let each = way.limits.each;
        let standing = within(each, "ask how it stands", self.undo.standing(way.target)).await;
        if let Ok(Standing::Back(proof)) = standing {
            return Ok(proof);
        }
        self.progress.acted = true;
        let put_back = self.undo.put_back(way.target, around);
        within(each, "put it back", put_back)
            .await
            .map_err(|error| (error.to_string(), false))?;
        self.say_returned(way);
        poll(verify, || self.undo.standing(way.target))
            .await
            .map_err(|missing| (missing, true))
    }
}

/// The nodes that take writes. Two for a moment is what a stack's own agent ends within a period, so that more than
/// are `expected` are counted again before it counts. Nobody is waited for before an undo has begun: the fault that is
/// open may be what keeps the agent from ending it.
async fn writable(way: &WayBack<'_>, report: &mut UndoReport, expected: usize) -> Vec<String> {
    let patience = way.target.control_period() * 2 + Duration::from_secs(1);
    let begun = Instant::now();
    loop {
        let one = Duration::from_secs(10);
        let seen = match timeout(one, AssertUnwindSafe(look(way.target)).catch_unwind()).await {
            Ok(Ok(seen)) => seen,
            Ok(Err(_)) | Err(_) => {
                report.writable = None;
                return Vec::new();
            }
        };
        let names: Vec<_> = seen
            .primaries()
            .map(|(name, timeline)| format!("{name} (timeline {timeline})"))
            .collect();
        let answered = seen
            .nodes
            .iter()
            .any(|node| !matches!(node.standing, NodeStanding::Silent { .. }));
        report.writable = answered.then_some(names.len() as u32);
        if names.len() <= expected || begun.elapsed() >= patience {
            return names;
        }
        sleep(PAUSE).await;
    }
}
