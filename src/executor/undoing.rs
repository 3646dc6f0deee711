//! The guard together with what it needs: journal, target, clock, and who is told.

use crate::clock::Clock;
use crate::event::Emitter;
use crate::event::cluster::ClusterSeen;
use crate::target::Target;
use crate::undo::Strike;
use crate::undo::guard::{Guard, Limits, StrikeError, UndoReport, Urgency, WayBack};
use crate::undo::journal::{How, JournalError};
use crate::undo::journal_owner::JournalOwner;
use std::path::PathBuf;
use std::sync::Arc;

/// The one right to strike and to undo, shared by the steps and by nodes that come back after a time.
pub type SharedUndoing = Arc<tokio::sync::Mutex<Undoing>>;

/// Strikes faults and puts them back, in one run.
pub struct Undoing {
    guard: Guard,
    journal: JournalOwner,
    /// The journal's entry for what firedrill made for this run (a throw-away cluster), where it did.
    made: Option<u32>,
    evidence: PathBuf,
    target: Arc<dyn Target>,
    clock: Clock,
    emitter: Emitter,
}

impl Undoing {
    /// Nothing is open yet but what was `made`.
    #[must_use]
    pub fn new(
        journal: JournalOwner,
        made: Option<u32>,
        evidence: PathBuf,
        target: Arc<dyn Target>,
        clock: Clock,
        emitter: Emitter,
    ) -> Self {
        Self {
            guard: Guard::new(),
            journal,
            made,
            evidence,
            target,
            clock,
            emitter,
        }
    }

    /// Where diverged data is saved.
    #[must_use]
    pub fn evidence(&self) -> &std::path::Path {
        &self.evidence
    }

    /// Nodes under open faults.
    #[must_use]
    pub fn open_nodes(&self) -> Vec<String> {
        self.guard.open_hits().map(|hit| hit.node.clone()).collect()
    }

    /// The next free number for an act.
    pub fn next_number(&mut self) -> u32 {
        self.journal.next_number()
    }

    fn parts(&mut self, urgency: Urgency) -> (&mut Guard, WayBack<'_>) {
        let way = WayBack {
            target: self.target.as_ref(),
            clock: self.clock,
            emitter: &self.emitter,
            journal: &mut self.journal,
            evidence: &self.evidence,
            limits: Limits::default(),
            urgency,
        };
        (&mut self.guard, way)
    }

    /// Injects faults at one moment and proves each.
    ///
    /// # Errors
    /// When one cannot be prepared or journaled: then none is injected. What of those that were injected
    /// does not count as struck is said one by one.
    pub async fn strike(
        &mut self,
        strikes: &[Strike<'_>],
        seen: &ClusterSeen,
    ) -> Result<Vec<Result<String, StrikeError>>, StrikeError> {
        let (guard, mut way) = self.parts(Urgency::Patient);
        guard.strike_together(strikes, seen, &mut way).await
    }

    /// Whether a fault of this step is open whose node was not let go yet.
    #[must_use]
    pub fn is_held(&self, step: &str) -> bool {
        self.guard.is_held(step)
    }

    /// Lets the node of a step come back as in life; all of them, where it hit several.
    ///
    /// # Errors
    /// When it could not be carried out or proven, in one line.
    pub async fn release(&mut self, step: &str) -> Result<(), String> {
        let (guard, mut way) = self.parts(Urgency::Patient);
        loop {
            let released = guard.release(step, &mut way).await;
            released.map_err(|error| error.to_string())?;
            if !guard.is_held(step) {
                return Ok(());
            }
        }
    }

    /// The safe way back from the fault of one step.
    ///
    /// # Errors
    /// What is not put back, in one line.
    pub async fn undo_step(&mut self, step: &str) -> Result<(), String> {
        let (guard, mut way) = self.parts(Urgency::Patient);
        let report = guard.undo_one(step, &mut way).await;
        if report.is_complete() {
            Ok(())
        } else {
            Err(report.failures.join("; "))
        }
    }

    /// Puts everything back.
    pub async fn undo_all(&mut self, urgency: Urgency) -> UndoReport {
        let (guard, mut way) = self.parts(urgency);
        guard.undo_all(&mut way).await
    }

    /// Writes down that what firedrill made for this run is gone.
    ///
    /// # Errors
    /// When it is not on disk.
    pub fn target_closed(&mut self, proof: &str) -> Result<(), JournalError> {
        match self.made.take() {
            Some(number) => self.journal.done(number, How::Undone, proof),
            None => Ok(()),
        }
    }

    /// Closes the journal if nothing is open any more; says whether it is closed.
    ///
    /// # Errors
    /// When it is not on disk.
    pub fn close_journal(&mut self) -> Result<bool, JournalError> {
        self.journal.close()
    }
}
