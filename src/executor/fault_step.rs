//! Faults at one moment, and what is remembered of the moment just before.

use super::step_runner::StepRunner;
use crate::event::cluster::{ClusterSeen, Standing};
use crate::event::{Event, Stamp, StepOutcome};
use crate::fault::{Fault, Hit};
use crate::load::audit::AtRisk;
use crate::undo::Strike;
use crate::undo::guard::StrikeError;
use std::collections::BTreeMap;

/// One node that a step is to hit.
pub(super) struct Aimed<'a> {
    /// The id of the step.
    pub(super) step: &'a str,
    /// Its fault.
    pub(super) fault: &'a dyn Fault,
    /// The node, and its role.
    pub(super) node: (String, String),
}

impl StepRunner {
    /// Injects faults at one moment and proves each; the outcomes are in the same order. A fault is never
    /// cut in the middle by a request to stop: it has limits of its own, and its undo is on disk.
    pub(super) async fn inject(&mut self, aimed: &[Aimed<'_>]) -> Vec<StepOutcome> {
        let invalid = |why: &str| {
            let all = aimed.iter().map(|_| StepOutcome::Invalid {
                why: why.to_owned(),
            });
            all.collect()
        };
        let mut bound = Vec::with_capacity(aimed.len());
        for aimed in aimed {
            let (node, role) = &aimed.node;
            let binding = self.binding(aimed.step, Some((node, role)));
            match aimed.fault.bound(&binding) {
                Ok(fault) => bound.push(fault),
                Err(error) => return invalid(&error.to_string()),
            }
        }
        let seen = self.look().await;
        if let Some(why) = self.load_missing().or_else(|| self.required.unmet(&seen)) {
            return invalid(&why);
        }
        let timeline = seen.leader().map_or(0, |(_, timeline)| timeline);
        let hits = aimed.iter().map(|aimed| Hit {
            node: aimed.node.0.clone(),
            role: aimed.node.1.clone(),
            timeline,
        });
        let hits: Vec<Hit> = hits.collect();
        for (aimed, hit) in aimed.iter().zip(&hits) {
            self.hits.insert(aimed.step.to_owned(), hit.clone());
        }
        self.emit(Event::SeenBeforeFault(seen.clone()));
        // Several faults may hit: the last that takes a primary decides what was at risk, else the first.
        let of_primary = aimed
            .iter()
            .zip(&hits)
            .any(|(aimed, hit)| hit.was_primary() && aimed.fault.takes_node());
        if of_primary || self.at_risk.is_none() {
            self.at_risk = self.flushed.at_risk(self.clock.now());
        }
        let strikes = aimed.iter().zip(&bound).zip(&hits);
        let strikes = strikes.map(|((aimed, bound), hit)| Strike {
            fault: bound.as_deref().unwrap_or(aimed.fault),
            step: aimed.step,
            hit,
        });
        let strikes: Vec<Strike<'_>> = strikes.collect();
        let struck = self.undoing.lock().await.strike(&strikes, &seen).await;
        if let Some(risk) = self.at_risk.as_mut().filter(|_| of_primary) {
            // What is sent while the primary is being hit may still be acknowledged, and is then lost
            // like what came just before.
            risk.until = self.clock.now();
        }
        match struck {
            Err(error) => {
                let what = aimed
                    .iter()
                    .map(|aimed| format!("{} of {}", aimed.fault.name(), aimed.node.0));
                let what: Vec<String> = what.collect();
                invalid(&format!("{}: {error}", what.join(" and ")))
            }
            Ok(struck) => {
                let each = aimed.iter().zip(struck);
                each.map(|(aimed, struck)| self.struck(aimed, struck))
                    .collect()
            }
        }
    }

    fn struck(&mut self, aimed: &Aimed<'_>, struck: Result<String, StrikeError>) -> StepOutcome {
        if let Err(error) = struck {
            let (fault, node) = (aimed.fault.name(), &aimed.node.0);
            return StepOutcome::Invalid {
                why: format!("{fault} of {node}: {error}"),
            };
        }
        self.proven = true;
        if let Some(after) = aimed.fault.returns_after() {
            let moment = self.clock.now().plus(after);
            self.returning
                .at(moment, aimed.step, self.clock, &self.undoing);
        }
        StepOutcome::Done
    }
}

/// The flush position of each standby, as the primary last said it. A standby that was cut off keeps the
/// position it had: that is what makes later commits at risk.
#[derive(Debug, Default)]
pub(super) struct Flushed {
    /// Positions are compared within one timeline only.
    timeline: u32,
    of: BTreeMap<String, u64>,
}

impl Flushed {
    pub(super) fn take(&mut self, seen: &ClusterSeen) {
        let Some((leader, timeline)) = seen.leader() else {
            return;
        };
        if timeline < self.timeline {
            // An old primary that answers alone says nothing of the standbys of the newer one.
            return;
        }
        if timeline > self.timeline {
            self.of.clear();
            self.timeline = timeline;
        }
        if let Some(Standing::Primary { standbys, .. }) = seen.node(leader) {
            for row in standbys {
                if let Some(flushed) = row.flushed {
                    self.of.insert(row.name.clone(), flushed);
                }
            }
        }
    }

    /// What is at risk with a primary that is lost at `until`: what lies above the most advanced standby's
    /// position. `None` where no position was ever seen.
    pub(super) fn at_risk(&self, until: Stamp) -> Option<AtRisk> {
        let above = self.of.values().copied().max()?;
        Some(AtRisk {
            above,
            timeline: self.timeline,
            until,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::cluster::{NodeSeen, StandbySeen};

    fn primary(node: &str, timeline: u32, rows: &[(&str, u64)]) -> ClusterSeen {
        let standbys = rows.iter().map(|(name, flushed)| StandbySeen {
            name: (*name).to_owned(),
            state: "streaming".to_owned(),
            sync: "async".to_owned(),
            flushed: Some(*flushed),
            replayed: None,
        });
        ClusterSeen {
            asked: Stamp(0),
            declared: 3,
            nodes: vec![NodeSeen {
                name: node.to_owned(),
                standing: Standing::Primary {
                    timeline,
                    lsn: 1000,
                    standbys: standbys.collect(),
                },
            }],
        }
    }

    fn above(flushed: &Flushed) -> Option<u64> {
        flushed.at_risk(Stamp(0)).map(|risk| risk.above)
    }

    #[test]
    fn a_standby_whose_row_is_gone_keeps_its_last_position() {
        let mut flushed = Flushed::default();
        assert_eq!(above(&flushed), None);
        flushed.take(&primary("node-1", 1, &[("node-2", 300)]));
        flushed.take(&primary("node-1", 1, &[]));
        assert_eq!(above(&flushed), Some(300));
        flushed.take(&primary("node-1", 1, &[("node-3", 500)]));
        assert_eq!(above(&flushed), Some(500));
    }

    #[test]
    fn positions_of_an_older_timeline_are_forgotten_and_not_taken_again() {
        let mut flushed = Flushed::default();
        flushed.take(&primary("node-1", 1, &[("node-2", 900)]));
        flushed.take(&primary("node-2", 2, &[("node-3", 600)]));
        assert_eq!(above(&flushed), Some(600));
        flushed.take(&primary("node-1", 1, &[("node-3", 950)]));
        assert_eq!(above(&flushed), Some(600));
    }
}
