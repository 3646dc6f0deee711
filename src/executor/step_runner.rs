//! Carries out one step after another.

use super::answers::Answers;
use super::background::{Gone, LOG_NAME};
use super::cluster_watch::DEADLINE;
use super::conclusions::{Awaiting, Unfit};
use super::fault_step::{Aimed, Flushed};
use super::loads::Loads;
use super::requirement::Requirements;
use super::returning::Returning;
use super::signals::Stops;
use super::steps;
use super::undoing::SharedUndoing;
use crate::clock::Clock;
use crate::event::cluster::{ClusterSeen, Standing};
use crate::event::{Answered, Emitter, Event, StepBegan, StepEnded, StepOutcome};
use crate::fault::command::Command;
use crate::fault::template::Binding;
use crate::fault::{Fault, Hit};
use crate::load::audit::AtRisk;
use crate::plan::draw::of_step;
use crate::plan::resolve;
use crate::plan::step::{Action, BASELINES, Step};
use crate::recovery_action::Acting;
use crate::role::NodeRef;
use crate::target::{Target, see_cluster};
use crate::undo::guard::Urgency;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long the observer may take to judge one.
const JUDGED: Duration = Duration::from_secs(5);

/// Carries out steps; holds what one step leaves for the next.
pub(super) struct StepRunner {
    pub(super) target: Arc<dyn Target>,
    pub(super) clock: Clock,
    pub(super) emitter: Emitter,
    pub(super) awaiting: Awaiting,
    pub(super) stops: Stops,
    pub(super) undoing: SharedUndoing,
    /// Nodes that come back after a time.
    pub(super) returning: Returning,
    /// Where diverged data is saved.
    pub(super) evidence: PathBuf,
    /// The run's folder.
    pub(super) folder: PathBuf,
    pub(super) seed: u64,
    /// The longest that the plan can take.
    pub(super) longest: Duration,
    /// What must hold before each fault.
    pub(super) required: Requirements,
    /// Which node each step hit, or was primary before the switch-over.
    pub(super) hits: BTreeMap<String, Hit>,
    /// Standby flush positions as last seen from the primary.
    pub(super) flushed: Flushed,
    /// Which commits were at risk when the fault struck that decides.
    pub(super) at_risk: Option<AtRisk>,
    /// A fault's effect was proven: from here on a step that times out is a failure of the cluster.
    pub(super) proven: bool,
    /// Baselines that were judged.
    pub(super) baselines: usize,
    /// How the load beside the probes ended by itself, where there is one.
    pub(super) load_gone: Option<Gone>,
    /// The loads that go on beside the steps.
    pub(super) loads: Loads,
    /// From where people answer.
    pub(super) answers: Answers,
    /// An answer that ends the drill, not acted on yet.
    pub(super) asked_to_end: Option<Answered>,
    /// The answer that called the drill off.
    pub(super) called_off: Option<Answered>,
}

/// Whether a step is still carried out after somebody ended the drill: everything is put back by then, and
/// service is waited for and judged.
fn leads_home(action: &Action) -> bool {
    matches!(action, Action::RestoreRedundancy | Action::Settle)
}

/// How the steps ended.
pub(super) enum StepsEnded {
    /// All were carried out.
    All,
    /// One was not, in this line.
    CutShort(String),
}

impl StepRunner {
    pub(super) fn emit(&self, event: Event) {
        self.emitter.emit(self.clock.now(), event);
    }

    /// Carries out all steps, until one fails or the run is asked to stop.
    pub(super) async fn run(&mut self, steps: &[Step]) -> StepsEnded {
        let mut cut_short: Option<String> = None;
        let mut homeward: Option<String> = None;
        let mut index = 0;
        while let Some(step) = steps.get(index) {
            let at_once = steps.get(index..).map_or(0, Step::at_once).max(1);
            let group = steps.get(index..index + at_once).unwrap_or_default();
            if cut_short.is_none()
                && let Some(why) = homeward.clone().filter(|_| !leads_home(&step.action))
            {
                for step in group {
                    self.emit(Event::StepEnded(StepEnded {
                        step: step.id.clone(),
                        outcome: StepOutcome::Skipped { why: why.clone() },
                    }));
                }
                index += at_once;
                continue;
            }
            if cut_short.is_none()
                && let Some((by, _)) = self.stops.level().asked()
            {
                cut_short = Some(format!("stopped by {by}"));
            }
            let outcomes = match &cut_short {
                Some(why) => all(group, &StepOutcome::Skipped { why: why.clone() }),
                None => self.turn(index, group).await,
            };
            for (step, outcome) in group.iter().zip(outcomes) {
                if cut_short.is_none() {
                    cut_short = match &outcome {
                        StepOutcome::Done => None,
                        StepOutcome::Failed { why } | StepOutcome::Invalid { why } => {
                            Some(format!("step {}: {why}", step.id))
                        }
                        StepOutcome::Skipped { why } => Some(why.clone()),
                    };
                }
                self.emit(Event::StepEnded(StepEnded {
                    step: step.id.clone(),
                    outcome,
                }));
            }
            if cut_short.is_none() && matches!(step.action, Action::Baseline(_)) {
                cut_short = self.fit_baseline(index, step).await;
            }
            if cut_short.is_none()
                && let Some(answered) = self.asked_to_end.take()
            {
                let Answered {
                    answer, by, step, ..
                } = &answered;
                let why = format!("{by} answered {answer} to {step}");
                if self.hits.is_empty() {
                    cut_short = Some(format!("called off: {why}"));
                    self.called_off = Some(answered);
                } else {
                    // What is not back after this is tried again at the end, and said there.
                    let _ = self.undoing.lock().await.undo_all(Urgency::Patient).await;
                    homeward = Some(why);
                }
            }
            index += at_once;
        }
        match cut_short {
            None => StepsEnded::All,
            Some(why) => StepsEnded::CutShort(why),
        }
    }

    /// One step, or the faults that strike at one moment.
    async fn turn(&mut self, index: usize, group: &[Step]) -> Vec<StepOutcome> {
        // It came true between two steps, or in the middle of a fault, which is never cut.
        if let Some(held) = self.awaiting.stopped_if() {
            return all(group, &self.over_early(held));
        }
        if let Some(why) = self.returning.failure() {
            return all(group, &self.over_early(why));
        }
        match group {
            [step] => vec![self.step(index, step).await],
            many => self.together(index, many).await,
        }
    }

    async fn judged_unfit(&mut self) -> Option<Unfit> {
        let number = self.baselines;
        self.baselines += 1;
        let judged = self.awaiting.baseline_judged(number);
        let unjudged = || Unfit {
            why: "the baseline was not judged".to_owned(),
            noise: false,
        };
        tokio::time::timeout(JUDGED, judged)
            .await
            .unwrap_or_else(|_| Some(unjudged()))
    }

    /// A baseline is judged after its end. One that was only too slow is measured again, for a busy moment
    /// of the machine is no reason to give up; one that stays unfit refuses the drill before its fault.
    async fn fit_baseline(&mut self, index: usize, step: &Step) -> Option<String> {
        for attempt in 1.. {
            let unfit = self.judged_unfit().await?;
            if !unfit.noise || attempt == BASELINES || !self.stops.level().is_no() {
                return Some(format!("refused before the fault: {}", unfit.why));
            }
            self.emit(Event::Noted {
                text: format!("the baseline is measured again ({})", unfit.why),
            });
            let outcome = self.step(index, step).await;
            let ended = StepEnded {
                step: step.id.clone(),
                outcome,
            };
            self.emit(Event::StepEnded(ended));
        }
        None
    }

    async fn step(&mut self, index: usize, step: &Step) -> StepOutcome {
        let nodes = match self.nodes_of(index, step).await {
            Ok(nodes) => nodes,
            Err(why) => return StepOutcome::Invalid { why },
        };
        self.emit(Event::StepBegan(StepBegan {
            step: step.id.clone(),
            index,
            nodes: nodes.clone(),
        }));
        if let Action::Fault(fault) = &step.action {
            return self.fault(&step.id, fault.as_ref(), &nodes).await;
        }
        let stops = self.stops.clone();
        let mut stop_if = self.awaiting.clone();
        let limit = step.limit;
        tokio::select! {
            biased;
            held = stop_if.stop_if() => self.over_early(held),
            outcome = tokio::time::timeout(limit, steps::carry_out(self, step, &nodes)) => match outcome {
                Ok(outcome) => outcome,
                Err(_) => self.over_early(format!("not over within {} s", limit.as_secs_f64())),
            },
            () = stops.reached(1) => {
                let by = stops.level().asked().map_or_else(String::new, |(by, _)| by.to_owned());
                StepOutcome::Skipped { why: format!("stopped by {by}") }
            }
        }
    }

    /// What did not come to its end is a failure of the cluster once a fault was proven; before that the
    /// drill did not happen.
    pub(super) fn over_early(&self, why: String) -> StepOutcome {
        if self.proven {
            StepOutcome::Failed { why }
        } else {
            StepOutcome::Invalid { why }
        }
    }

    /// The nodes that a step means now, frozen for it and for its undo.
    async fn nodes_of(
        &mut self,
        index: usize,
        step: &Step,
    ) -> Result<Vec<(String, String)>, String> {
        let wanted = match &step.action {
            Action::Fault(fault) => fault.node().clone(),
            Action::SwitchOver(Some(to)) => to.clone(),
            Action::SwitchOver(None) => NodeRef::Standby,
            Action::Sql(sql) => sql.node.clone(),
            Action::Command(Command {
                node: Some(node), ..
            }) => node.clone(),
            _ => return Ok(Vec::new()),
        };
        let seen = self.look().await;
        resolve(&wanted, &seen, &self.hits, &mut of_step(self.seed, index))
    }

    pub(super) async fn look(&mut self) -> ClusterSeen {
        let seen = see_cluster(self.target.as_ref(), self.clock, DEADLINE).await;
        self.flushed.take(&seen);
        seen
    }

    /// Injects into each node in turn.
    async fn fault(
        &mut self,
        step: &str,
        fault: &dyn Fault,
        nodes: &[(String, String)],
    ) -> StepOutcome {
        for (done, node) in nodes.iter().enumerate() {
            // Between two nodes nothing is half done.
            if let Some((by, _)) = self.stops.level().asked().filter(|_| done > 0) {
                let why = format!("stopped by {by} before {}", node.0);
                return StepOutcome::Skipped { why };
            }
            let node = node.clone();
            let aimed = [Aimed { step, fault, node }];
            match self.inject(&aimed).await.pop() {
                Some(StepOutcome::Done) | None => {}
                Some(other) => return other,
            }
            if fault.returns_in_turn()
                && let Err(why) = self.undoing.lock().await.undo_step(step).await
            {
                return StepOutcome::Failed { why };
            }
        }
        StepOutcome::Done
    }

    /// What the words of a step stand for now.
    pub(super) fn binding(&self, step: &str, node: Option<(&str, &str)>) -> Binding {
        let longest = self.longest;
        Binding {
            longest,
            ..Binding::of(self.target.as_ref(), step, node, &self.folder)
        }
    }

    /// Injects the faults of all these steps at one moment. All their nodes are resolved before.
    async fn together(&mut self, first: usize, group: &[Step]) -> Vec<StepOutcome> {
        let seen = self.look().await;
        let mut aimed: Vec<Aimed<'_>> = Vec::new();
        for (index, step) in (first..).zip(group) {
            let Action::Fault(fault) = &step.action else {
                let why = format!("{} is no fault", step.id);
                return all(group, &StepOutcome::Invalid { why });
            };
            // Two that draw a standby must not draw the same one.
            let taken = aimed.iter().map(|aimed| aimed.node.0.as_str());
            let rest = without_standbys(&seen, &taken.collect::<Vec<_>>());
            let mut rng = of_step(self.seed, index);
            let nodes = match resolve(fault.node(), &rest, &self.hits, &mut rng) {
                Ok(nodes) => nodes,
                Err(why) => return all(group, &StepOutcome::Invalid { why }),
            };
            self.emit(Event::StepBegan(StepBegan {
                step: step.id.clone(),
                index,
                nodes: nodes.clone(),
            }));
            for node in nodes {
                if let Some(other) = aimed.iter().find(|aimed| aimed.node.0 == node.0) {
                    let why = format!("{} and {} would hit {}", other.step, step.id, node.0);
                    return all(group, &StepOutcome::Invalid { why });
                }
                aimed.push(Aimed {
                    step: &step.id,
                    fault: fault.as_ref(),
                    node,
                });
            }
        }
        let outcomes = self.inject(&aimed).await;
        let of = |step: &Step| {
            let own = aimed.iter().zip(&outcomes);
            let own = own.filter(|(aimed, _)| aimed.step == step.id);
            let mut wrong = own.filter(|(_, outcome)| **outcome != StepOutcome::Done);
            wrong
                .next()
                .map_or(StepOutcome::Done, |(_, outcome)| outcome.clone())
        };
        group.iter().map(of).collect()
    }

    /// Why the first fault must not strike, where the load that the drill runs is not there any more. Later
    /// on clients may well lose their connections: that is said and judged by nobody.
    pub(super) fn load_missing(&self) -> Option<String> {
        let how = self.load_gone.as_ref()?.borrow().clone()?;
        (!self.proven).then(|| {
            format!("the load beside the probes is gone ({how}); {LOG_NAME} in the run's folder has its words")
        })
    }

    /// The next free number for an act.
    pub(super) async fn next_number(&self) -> u32 {
        self.undoing.lock().await.next_number()
    }

    /// The surroundings of a recovery action under this number.
    pub(super) fn acting<'a>(&'a self, step: &'a Step, number: u32) -> Acting<'a> {
        Acting {
            target: self.target.as_ref(),
            clock: self.clock,
            emitter: &self.emitter,
            number,
            step: &step.id,
            evidence: &self.evidence,
            within: step.limit,
        }
    }
}

/// The same outcome for all steps of a group.
fn all(group: &[Step], outcome: &StepOutcome) -> Vec<StepOutcome> {
    group.iter().map(|_| outcome.clone()).collect()
}

/// What all nodes said, without the standbys that are taken.
fn without_standbys(seen: &ClusterSeen, taken: &[&str]) -> ClusterSeen {
    let mut rest = seen.clone();
    rest.nodes.retain(|node| {
        let standby = matches!(node.standing, Standing::Standby { .. });
        !(standby && taken.contains(&node.name.as_str()))
    });
    rest
}
