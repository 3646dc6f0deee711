//! Holds what is to be put back, and lets nodes go. How faults are struck is in striking.rs, how they are
//! put back in undoing.rs.
//!
//! It never decides whether the drill passed.

use super::bounded::{poll, within};
use super::{JournalError, JournalOwner, Undo};
use crate::clock::Clock;
use crate::event::{Act, ActKind, Emitter, Event, Stage, Stamp};
use crate::fault::Hit;
use crate::target::{Target, TargetError};
use std::path::Path;
use std::time::Duration;

/// How long an undo may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// One undo's action.
    pub each: Duration,
    /// Until its predicate holds afterwards.
    pub verify: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            each: Duration::from_secs(120),
            verify: Duration::from_secs(30),
        }
    }
}

/// How much time people give the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// The run's own end, or the first signal.
    Patient,
    /// The second signal: verifications are cut to five seconds. Nothing is left out.
    Now,
}

/// Everything that a way back needs.
pub struct WayBack<'a> {
    /// The cluster.
    pub target: &'a dyn Target,
    /// The run's clock, which stamps the acts.
    pub clock: Clock,
    /// Takes the acts.
    pub emitter: &'a Emitter,
    /// The right to undo.
    pub journal: &'a mut JournalOwner,
    /// Folder where diverged data is saved before it is rewound.
    pub evidence: &'a Path,
    /// How long it may take.
    pub limits: Limits,
    /// How much time people give it.
    pub urgency: Urgency,
}

/// A fault that was, or may have been, injected and is not undone.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) number: u32,
    pub(super) step: String,
    pub(super) hit: Hit,
    pub(super) undo: Box<dyn Undo>,
    /// Until then a daemon may still carry out an inject call whose effect was not seen.
    pub(super) may_show_until: Stamp,
    pub(super) effect_seen: bool,
    pub(super) released: bool,
    /// How far its undo has come.
    pub(super) progress: Progress,
}

/// How far an undo has come.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// put_back was called: what stands afterwards is firedrill's work.
    pub acted: bool,
    /// The act's Requested was said: it is said once, however often it is tried.
    pub requested: bool,
    /// So was Returned.
    pub returned: bool,
    /// It was seen to be back.
    pub verified: bool,
}

/// What came of undoing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UndoReport {
    /// Entries that are undone and verified.
    pub undone: u32,
    /// What is not, and what else went wrong: one line each. Not empty means exit code 6.
    pub failures: Vec<String>,
    /// Nodes that take writes after the last undo; `None` where no node answered.
    pub writable: Option<u32>,
}

impl UndoReport {
    /// Whether everything was put back.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failures.is_empty()
    }
}

/// Why a fault does not count as struck.
#[derive(Debug, thiserror::Error)]
pub enum StrikeError {
    /// What its undo needs could not be found out: nothing was touched.
    #[error("not injected: {0}")]
    NotPrepared(TargetError),
    /// The intent is not on disk: nothing was touched.
    #[error("not injected: {0}")]
    NotJournaled(JournalError),
    /// The call failed. It may have happened all the same, so it is open.
    #[error("{0}")]
    NotInjected(TargetError),
    /// The effect was not seen within its limit. It is open.
    #[error("no effect seen: {0}")]
    NoEffect(String),
}

/// An undo, release or step that refers to nothing open, or went wrong.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// No fault of that step is open.
    #[error("no fault of step {0} is open")]
    NotOpen(String),
    /// It could not be carried out or not be proven.
    #[error("{0}")]
    Target(TargetError),
    /// It is not on disk: nothing was touched.
    #[error("{0}")]
    Journal(JournalError),
}

/// Holds everything that is to be put back.
#[derive(Debug, Default)]
pub struct Guard {
    pub(super) open: Vec<Open>,
}

impl Guard {
    /// A guard with nothing open.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes over an entry that another process journaled. Whether its effect was seen is not known, so
    /// it counts as seen: the call that might still have been under way died with its process.
    pub fn adopt(
        &mut self,
        number: u32,
        step: &str,
        hit: Hit,
        undo: Box<dyn Undo>,
        released: bool,
    ) {
        self.open.push(Open {
            number,
            step: step.to_owned(),
            hit,
            undo,
            may_show_until: Stamp(0),
            effect_seen: true,
            released,
            progress: Progress::default(),
        });
    }

    /// The nodes that open faults may keep out of service, oldest first.
    pub fn open_hits(&self) -> impl Iterator<Item = &Hit> {
        self.open
            .iter()
            .filter(|open| open.undo.holds_node())
            .map(|open| &open.hit)
    }

    /// Whether a fault of this step is open.
    #[must_use]
    pub fn is_open(&self, step: &str) -> bool {
        self.open.iter().any(|open| open.step == step)
    }

    /// Whether a fault of this step is open whose node was not let go yet.
    #[must_use]
    pub fn is_held(&self, step: &str) -> bool {
        let mut of_step = self.open.iter().filter(|open| open.step == step);
        of_step.any(|open| !open.released)
    }

    /// Lets the node of a step's fault come back as in life: thawed, joined, started, unfenced; the newest
    /// that was not let go yet, where it hit several. The safe way back stays to be done. Returns the proof
    /// that it took effect.
    ///
    /// # Errors
    /// When nothing of that step is open, or it could not be carried out or proven.
    pub async fn release(
        &mut self,
        step: &str,
        way: &mut WayBack<'_>,
    ) -> Result<String, ReleaseError> {
        let held = self.is_held(step);
        let wanted = |open: &&mut Open| open.step == step && (!held || !open.released);
        let found = self.open.iter_mut().rev().find(wanted);
        let open = found.ok_or_else(|| ReleaseError::NotOpen(step.to_owned()))?;
        way.journal
            .released(open.number)
            .map_err(ReleaseError::Journal)?;
        open.released = true;
        open.say_of(way, ActKind::Release, Stage::Requested);
        let release = open.undo.release(way.target);
        if let Err(error) = within(way.limits.each, "release", release).await {
            let why = error.to_string();
            open.say_of(way, ActKind::Release, Stage::Failed { why });
            return Err(ReleaseError::Target(error));
        }
        open.say_of(way, ActKind::Release, Stage::Returned);
        let asked = poll(way.limits.verify, || open.undo.released(way.target));
        match asked.await {
            Ok(proof) => {
                let stage = Stage::Effect {
                    proof: proof.clone(),
                };
                open.say_of(way, ActKind::Release, stage);
                Ok(proof)
            }
            Err(why) => {
                let stage = Stage::NotSeen { why: why.clone() };
                open.say_of(way, ActKind::Release, stage);
                let what = format!("release {}", open.hit.node);
                Err(ReleaseError::Target(TargetError::new(what, why)))
            }
        }
    }
}

impl Open {
    pub(super) fn say_of(&self, way: &WayBack<'_>, kind: ActKind, stage: Stage) {
        self.say_at(way.clock.now(), way, kind, stage);
    }

    pub(super) fn say_at(&self, at: Stamp, way: &WayBack<'_>, kind: ActKind, stage: Stage) {
        way.emitter.emit(
            at,
            Event::Act(Act {
                kind,
                number: self.number,
                step: self.step.clone(),
                name: self.undo.fault().to_owned(),
                node: self.hit.node.clone(),
                role: self.hit.role.clone(),
                stage,
            }),
        );
    }
}
