//! What was done to the cluster, and when: faults, undos, releases and recovery actions with their stamps.

use crate::event::{Act, ActKind, Stage, Stamp};

/// One act with its stamps.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// What it is.
    pub kind: ActKind,
    /// Its number; an undo or release carries the number of its fault.
    pub number: u32,
    /// The step.
    pub step: String,
    /// Its name.
    pub name: String,
    /// The node.
    pub node: String,
    /// The node's role when it was hit.
    pub role: String,
    /// Just before the call (f0).
    pub requested: Stamp,
    /// The call returned (f1).
    pub returned: Option<Stamp>,
    /// Its effect was proven (fe), and by what.
    pub effect: Option<(Stamp, String)>,
    /// Why its effect was not seen or the call failed.
    pub failed: Option<String>,
    /// The node that led before it, and its timeline.
    pub before: Option<(String, u32)>,
    /// Sequence number of the entry that requested it.
    pub seq: u64,
}

impl Done {
    /// The latest moment at which it can have struck: f1, or the proof where the call never returned.
    #[must_use]
    pub fn struck_by(&self) -> Stamp {
        let proven = self.effect.as_ref().map(|(at, _)| *at);
        self.returned.or(proven).unwrap_or(self.requested)
    }

    /// Whether an outage may be counted from it: a fault, or a planned switch-over.
    #[must_use]
    pub fn may_interrupt(&self) -> bool {
        match self.kind {
            ActKind::Fault => true,
            ActKind::RecoveryAction => self.name.starts_with("switch"),
            ActKind::Undo | ActKind::Release => false,
        }
    }
}

/// All acts of a run, in the order in which they were requested.
#[derive(Clone, Debug, Default)]
pub struct Acts {
    all: Vec<Done>,
}

impl Acts {
    /// Takes one stage of an act; `before` is who leads at this moment.
    pub fn take(&mut self, act: &Act, at: Stamp, seq: u64, before: Option<(String, u32)>) {
        // One action may touch several nodes under its number, and one that leaves the choice of the node
        // to the stack learns its name only later.
        let same = |done: &&mut Done| {
            done.number == act.number
                && done.kind == act.kind
                && (done.node == act.node || done.node.is_empty())
        };
        // The newest one: an undo may be tried again after it failed.
        let known = self.all.iter_mut().rev().find(same);
        let done = match known {
            Some(done) if act.stage != Stage::Requested => done,
            _ => {
                self.all.push(Done {
                    kind: act.kind,
                    number: act.number,
                    step: act.step.clone(),
                    name: act.name.clone(),
                    node: act.node.clone(),
                    role: act.role.clone(),
                    requested: at,
                    returned: None,
                    effect: None,
                    failed: None,
                    before,
                    seq,
                });
                let Some(pushed) = self.all.last_mut() else {
                    return;
                };
                pushed
            }
        };
        if done.node.is_empty() {
            done.node.clone_from(&act.node);
        }
        match &act.stage {
            Stage::Requested => {}
            Stage::Returned => done.returned = Some(at),
            Stage::Effect { proof } => {
                done.effect = Some((at, proof.clone()));
                done.failed = None;
            }
            Stage::NotSeen { why } | Stage::Failed { why } => done.failed = Some(why.clone()),
        }
    }

    /// All acts.
    #[must_use]
    pub fn all(&self) -> &[Done] {
        &self.all
    }

    /// The faults.
    pub fn faults(&self) -> impl Iterator<Item = &Done> {
        self.all.iter().filter(|act| act.kind == ActKind::Fault)
    }

    /// The acts from which an outage may be counted.
    pub fn origins(&self) -> impl Iterator<Item = &Done> {
        self.all.iter().filter(|act| act.may_interrupt())
    }

    /// When the first fault or switch-over was requested.
    #[must_use]
    pub fn first_f0(&self) -> Option<Stamp> {
        self.origins().map(|act| act.requested).min()
    }

    /// The latest fault or switch-over that was requested at or before `moment`.
    #[must_use]
    pub fn cause_of(&self, moment: Stamp) -> Option<&Done> {
        self.origins()
            .filter(|act| act.requested <= moment)
            .max_by_key(|act| act.requested)
    }

    /// The last act of a kind for a fault's number.
    #[must_use]
    pub fn of_fault(&self, kind: ActKind, number: u32) -> Option<&Done> {
        let mut newest_first = self.all.iter().rev();
        newest_first.find(|act| act.kind == kind && act.number == number)
    }
}
