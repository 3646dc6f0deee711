//! Strikes faults: the one place where "journal first" holds.

use super::bounded::{PAUSE, within};
use super::guard::{Guard, Open, Progress, StrikeError, WayBack};
use crate::event::cluster::{ClusterSeen, Standing as NodeStanding};
use crate::event::{ActKind, Stage};
use crate::fault::{Fault, Hit};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

/// One fault on one node.
#[derive(Clone, Copy, Debug)]
pub struct Strike<'a> {
    /// The fault.
    pub fault: &'a dyn Fault,
    /// The id of its step.
    pub step: &'a str,
    /// The node.
    pub hit: &'a Hit,
}

impl Guard {
    /// Injects a fault: facts resolved → intent on disk → injected → effect proven. Its acts carry the
    /// number of the journal's intent. Returns the proof. When this is cancelled, the fault stays open.
    ///
    /// # Errors
    /// When it does not count as struck; the variant says whether anything may have been touched. Panics
    /// of the target are its caller's to catch; the entry is open by then.
    pub async fn strike(
        &mut self,
        fault: &dyn Fault,
        step: &str,
        hit: &Hit,
        seen: &ClusterSeen,
        way: &mut WayBack<'_>,
    ) -> Result<String, StrikeError> {
        let strike = [Strike { fault, step, hit }];
        match self.strike_together(&strike, seen, way).await?.pop() {
            Some(struck) => struck,
            None => Err(StrikeError::NoEffect(String::from("nothing is open"))),
        }
    }

    /// Injects several faults at one moment, which is the f0 of all: the facts of all are resolved and all
    /// intents are on disk before the first is injected. Returns what came of each.
    ///
    /// # Errors
    /// When one cannot be prepared or journaled: then none is injected.
    pub async fn strike_together(
        &mut self,
        strikes: &[Strike<'_>],
        seen: &ClusterSeen,
        way: &mut WayBack<'_>,
    ) -> Result<Vec<Result<String, StrikeError>>, StrikeError> {
        let mut prepared = Vec::new();
        for strike in strikes {
            let hit = self.as_known(strike.hit, seen);
            let prepare = strike.fault.prepare(way.target, &hit, seen);
            let prepare = within(strike.fault.limit(), "prepare the fault", prepare);
            let undo = prepare.await.map_err(StrikeError::NotPrepared)?;
            prepared.push((strike, hit, undo));
        }
        let first = self.open.len();
        for (strike, hit, undo) in prepared {
            let number = way
                .journal
                .intent(strike.step, &hit, strike.fault.name(), undo.facts())
                .map_err(StrikeError::NotJournaled)?;
            self.open.push(Open {
                number,
                step: strike.step.to_owned(),
                hit,
                undo,
                may_show_until: way.clock.now().plus(strike.fault.limit()),
                effect_seen: false,
                released: false,
                progress: Progress::default(),
            });
        }
        let way = &*way;
        let opened = self.open.get_mut(first..).unwrap_or_default();
        let f0 = way.clock.now();
        for open in opened.iter() {
            open.say_at(f0, way, ActKind::Fault, Stage::Requested);
        }
        let each = opened.iter().zip(strikes);
        let struck = join_all(each.map(|(open, strike)| open.strike(strike.fault, way))).await;
        for (open, struck) in opened.iter_mut().zip(&struck) {
            open.effect_seen = struck.is_ok();
        }
        Ok(struck)
    }

    /// The hit, made exact: a leader's timeline is its own, and a node that is silent under an open fault
    /// is what it was when that one struck.
    fn as_known(&self, hit: &Hit, seen: &ClusterSeen) -> Hit {
        if let Some(NodeStanding::Primary { timeline, .. }) = seen.node(&hit.node) {
            return Hit {
                timeline: *timeline,
                ..hit.clone()
            };
        }
        let silenced = self.open.iter().rev().find(|open| {
            open.hit.node == hit.node
                && open.undo.holds_node()
                && !open.released
                && !open.progress.verified
        });
        match silenced {
            Some(earlier) if hit.role != "primary" && hit.role != "standby" => earlier.hit.clone(),
            _ => hit.clone(),
        }
    }
}

impl Open {
    /// Injects the fault, whose intent is on disk, and waits for its effect.
    async fn strike(&self, fault: &dyn Fault, way: &WayBack<'_>) -> Result<String, StrikeError> {
        let limit = fault.limit();
        let inject = fault.inject(way.target, &self.hit, self.undo.as_ref());
        if let Err(error) = within(limit, "inject the fault", inject).await {
            let why = error.to_string();
            self.say_of(way, ActKind::Fault, Stage::Failed { why });
            return Err(StrikeError::NotInjected(error));
        }
        self.say_of(way, ActKind::Fault, Stage::Returned);
        let begun = Instant::now();
        let why = loop {
            let left = limit.saturating_sub(begun.elapsed());
            let effect = fault.effect(way.target, &self.hit, self.undo.as_ref());
            let why = match within(left, "see the effect", effect).await {
                Ok(Some(proof)) => {
                    let stage = Stage::Effect {
                        proof: proof.clone(),
                    };
                    self.say_of(way, ActKind::Fault, stage);
                    return Ok(proof);
                }
                Ok(None) => format!("not within {} s", limit.as_secs_f64()),
                Err(error) => error.to_string(),
            };
            if begun.elapsed() >= limit {
                break why;
            }
            sleep(PAUSE).await;
        };
        self.say_of(way, ActKind::Fault, Stage::NotSeen { why: why.clone() });
        Err(StrikeError::NoEffect(why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::freeze::FreezeScope;
    use crate::undo::fake_target::Breakage;
    use crate::undo::guard_tests::{Bench, freeze, kill};

    /// Strikes a kill of node-1 and a freeze of another node at one moment.
    async fn both(bench: &mut Bench, other: &str) -> Result<Vec<bool>, StrikeError> {
        let (kill, freeze) = (kill("node-1"), freeze(other, FreezeScope::All));
        let hits = [bench.hit("node-1").await, bench.hit(other).await];
        let seen = bench.seen().await;
        let strikes = [
            Strike {
                fault: &kill,
                step: "a",
                hit: &hits[0],
            },
            Strike {
                fault: &freeze,
                step: "b",
                hit: &hits[1],
            },
        ];
        let (guard, mut way) = bench.way();
        let struck = guard.strike_together(&strikes, &seen, &mut way).await?;
        Ok(struck.iter().map(Result::is_ok).collect())
    }

    #[tokio::test(start_paused = true)]
    async fn all_are_requested_before_one_returns_and_undone_in_reverse() {
        let mut bench = Bench::with_nodes(3);
        assert_eq!(both(&mut bench, "node-2").await.unwrap(), [true, true]);
        let stages = bench.stages(ActKind::Fault);
        assert_eq!(stages[..2], ["1 node-1 requested", "2 node-2 requested"]);
        assert_eq!(stages.len(), 6, "{stages:?}");
        let report = bench.undo_all().await;
        assert!(report.is_complete(), "{report:?}");
        assert_eq!(report.undone, 2);
        let undone = bench.stages(ActKind::Undo);
        assert_eq!(undone[0], "2 node-2 requested", "{undone:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_touched_when_one_cannot_be_prepared() {
        let mut bench = Bench::with_nodes(3);
        // It has no process that could stand still.
        bench.strike(&kill("node-3"), "before").await.unwrap();
        bench.stages(ActKind::Fault);
        let error = both(&mut bench, "node-3").await.unwrap_err();
        assert!(matches!(error, StrikeError::NotPrepared(_)), "{error}");
        assert!(bench.guard.is_open("before"));
        assert!(!bench.guard.is_open("a") && !bench.guard.is_open("b"));
        assert_eq!(bench.stages(ActKind::Fault), Vec::<String>::new());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_fails_does_not_take_the_other_with_it() {
        let mut bench = Bench::with_nodes(3);
        bench.target.break_call("Freeze node-2", Breakage::Fails);
        assert_eq!(both(&mut bench, "node-2").await.unwrap(), [true, false]);
        assert!(bench.guard.is_open("a") && bench.guard.is_open("b"));
        let report = bench.undo_all().await;
        assert!(report.is_complete(), "{report:?}");
    }
}
