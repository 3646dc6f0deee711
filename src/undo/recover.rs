//! Undoing a run whose runner died: what the watchdog and `firedrill undo` do, under the journal's lock.
//!
//! It goes by the journal alone: no drill file, no memory of the run, no password that the journal held.
//! How a kind of target is reached again is told by its [`Reopen`]; the undoing itself is the guard's.

use super::guard::{Guard, Limits, Urgency, WayBack};
use super::journal::{How, Journal, OpenEntry, Opened};
use super::open_runs::{Lock, OpenRun, Registry, open_runs_everywhere};
use super::{JournalError, JournalOwner, outside};
use crate::event::log::LogWriter;
use crate::event::{Emitter, Entry, Event, RunEnded, Stamp};
use crate::fault::undo_from_journal;
use crate::target::{Target, TargetError};
use async_trait::async_trait;
use std::path::Path;
use tokio::sync::mpsc::UnboundedReceiver;

/// How one kind of target is reached again without the process that used it.
#[async_trait]
pub trait Reopen: Send + Sync {
    /// The kind, as the journal names it.
    fn kind(&self) -> &'static str;
    /// Reaches it, or removes it where it lives no longer than its run.
    ///
    /// # Errors
    /// When neither is possible; the text says what a person has to do.
    async fn reopen(&self, opened: &Opened) -> Result<Reopened, TargetError>;
}

/// A target that was reached again.
pub enum Reopened {
    /// It was thrown away with everything that was open on it; the text says what was removed.
    Swept(String),
    /// It is there, and is undone newest first.
    Attached(Box<dyn Target>),
}

/// Why a run was not undone.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The journal cannot be used, or somebody else has the right to undo.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// This firedrill does not know the kind of target.
    #[error("the run's target is of the kind {0}, which this firedrill cannot undo")]
    UnknownKind(String),
    /// This firedrill does not know a fault, or the facts of one.
    #[error(
        "entry {n} ({what}) cannot be undone by this firedrill; only the one that wrote it can"
    )]
    UnknownFault {
        /// Number of the entry.
        n: u32,
        /// What it is.
        what: String,
    },
    /// The target cannot be reached.
    #[error("{0}")]
    Target(TargetError),
}

/// What came of undoing a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoverReport {
    /// Id of the run.
    pub run: String,
    /// It was closed before: nothing was done.
    pub was_closed: bool,
    /// What was undone, one line each.
    pub undone: Vec<String>,
    /// What is not, one line each. Not empty means exit code 6.
    pub failures: Vec<String>,
    /// Nodes that take writes afterwards, where the target is still there.
    pub writable: Option<u32>,
}

impl RecoverReport {
    /// Whether everything is put back.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failures.is_empty()
    }
}

/// Takes the right to undo a run and undoes it. Harmless when it was undone before.
///
/// # Errors
/// When it could not be begun; [`JournalError::Held`] names who has the right. What was begun and failed
/// is in the report.
pub async fn recover(
    run_folder: &Path,
    kinds: &[&dyn Reopen],
    registry: Option<&Registry>,
) -> Result<RecoverReport, RecoverError> {
    let (mut owner, journal) = JournalOwner::take(run_folder)?;
    let mut report = RecoverReport {
        run: journal.opened.run.clone(),
        ..RecoverReport::default()
    };
    if journal.is_closed() {
        report.was_closed = true;
    } else {
        undo_run(run_folder, &mut owner, &journal, kinds, &mut report).await?;
    }
    if let (true, Some(registry)) = (report.is_complete(), registry) {
        registry.forget(&journal.opened);
    }
    Ok(report)
}

async fn undo_run(
    run_folder: &Path,
    owner: &mut JournalOwner,
    journal: &Journal,
    kinds: &[&dyn Reopen],
    report: &mut RecoverReport,
) -> Result<(), RecoverError> {
    let opened = &journal.opened;
    let kind = kinds
        .iter()
        .find(|kind| kind.kind() == opened.target_kind)
        .ok_or_else(|| RecoverError::UnknownKind(opened.target_kind.clone()))?;
    let open = journal.open_entries();
    let mut acts = Vec::new();
    let mut outside = outside::put_back(&open).await;
    match kind.reopen(opened).await.map_err(RecoverError::Target)? {
        Reopened::Swept(proof) => {
            for entry in &open {
                let number = entry.number();
                let came = match outside.remove(&number) {
                    Some(Err(_)) => outside::one(entry).await,
                    came => came,
                };
                let (how, proof) = match came {
                    None => (How::Moot, proof.clone()),
                    Some(Ok(proof)) => (How::Undone, proof),
                    Some(Err(error)) => {
                        let why = error.to_string();
                        owner.failed(number, &why)?;
                        let name = entry.describe();
                        report.failures.push(format!("{name}: {why}"));
                        continue;
                    }
                };
                owner.done(number, how, &proof)?;
                report.undone.push(format!("{}: {proof}", entry.describe()));
            }
            if open.is_empty() {
                report.undone.push(proof);
            }
        }
        Reopened::Attached(target) => {
            let (emitter, events) = Emitter::channel();
            undo_attached(
                run_folder,
                owner,
                journal,
                target.as_ref(),
                &emitter,
                report,
            )
            .await?;
            drop(emitter);
            acts = drain(events);
        }
    }
    if report.is_complete() {
        owner.close()?;
    }
    end_log(run_folder, journal, report, acts);
    Ok(())
}

async fn undo_attached(
    run_folder: &Path,
    owner: &mut JournalOwner,
    journal: &Journal,
    target: &dyn Target,
    emitter: &Emitter,
    report: &mut RecoverReport,
) -> Result<(), RecoverError> {
    let open = journal.open_entries();
    let mut guard = Guard::new();
    // The guard takes them oldest first, as they were struck.
    for entry in open.iter().rev() {
        if let OpenEntry::Intent {
            n,
            step,
            hit,
            fault,
            facts,
            released,
        } = entry
        {
            let undo =
                undo_from_journal(fault, facts).ok_or_else(|| RecoverError::UnknownFault {
                    n: *n,
                    what: entry.describe(),
                })?;
            guard.adopt(*n, step, hit.clone(), undo, *released);
        }
    }
    let mut way = WayBack {
        target,
        clock: journal.opened.clock(),
        emitter,
        journal: owner,
        evidence: &run_folder.join("evidence"),
        limits: Limits::default(),
        urgency: Urgency::Patient,
    };
    let undone = guard.undo_all(&mut way).await;
    report.writable = undone.writable;
    report.failures.extend(undone.failures);
    for entry in &open {
        if matches!(entry, OpenEntry::Intent { step, .. } if !guard.is_open(step)) {
            report.undone.push(entry.describe());
        }
    }
    if !report.is_complete() {
        return Ok(());
    }
    match target.close().await {
        Ok(proof) => {
            for entry in &open {
                if let OpenEntry::Made { n, .. } = entry {
                    owner.done(*n, How::Undone, &proof)?;
                    report.undone.push(entry.describe());
                }
            }
        }
        Err(error) => report.failures.push(error.to_string()),
    }
    Ok(())
}

fn drain(mut events: UnboundedReceiver<(Stamp, Event)>) -> Vec<(Stamp, Event)> {
    let mut all = Vec::new();
    while let Ok(event) = events.try_recv() {
        all.push(event);
    }
    all
}

/// Completes the event log, so that the run can be reported. A log that cannot be written keeps nothing
/// from being undone; the journal is what counts.
fn end_log(
    run_folder: &Path,
    journal: &Journal,
    report: &RecoverReport,
    acts: Vec<(Stamp, Event)>,
) {
    let Ok((mut writer, last)) = LogWriter::append_to(run_folder) else {
        return;
    };
    if matches!(last.event, Event::RunEnded(_)) {
        return;
    }
    let now = journal.opened.clock().now().max(last.at);
    // What is not complete may be completed by a later attempt, and a log has one end.
    let ended = report.is_complete().then(|| {
        Event::RunEnded(RunEnded {
            interrupted: None,
            not_undone: Vec::new(),
            undone: report.undone.len() as u32,
            writable_nodes: report.writable,
            cut_short: Some(String::from("the runner died; undone from the journal")),
            called_off: None,
        })
    });
    let entries = acts.into_iter().chain(ended.map(|ended| (now, ended)));
    for (seq, (at, event)) in (last.seq + 1..).zip(entries) {
        if writer.append(&Entry { seq, at, event }).is_err() {
            return;
        }
    }
}

/// What came of one dead run.
#[derive(Debug)]
pub struct Swept {
    /// Id of the run.
    pub run: String,
    /// What was done about it.
    pub outcome: Result<RecoverReport, RecoverError>,
}

/// Undoes all runs, of a folder and of the registry, whose target dies with its run and whose runner is
/// dead: what `run` does first. Runs that somebody else is undoing are left to them.
///
/// # Errors
/// When folder or registry exists and cannot be listed.
pub async fn sweep_dead_local_runs(
    runs_dir: &Path,
    kinds: &[&dyn Reopen],
    registry: Option<&Registry>,
) -> std::io::Result<Vec<Swept>> {
    let mut swept = Vec::new();
    for OpenRun { run, folder, .. } in open_runs_everywhere(runs_dir, registry)?
        .into_iter()
        .filter(|open| open.is_throw_away() && open.lock == Lock::Free)
    {
        let outcome = recover(&folder, kinds, registry).await;
        if !matches!(
            &outcome,
            Err(RecoverError::Journal(JournalError::Held { .. }))
        ) {
            swept.push(Swept { run, outcome });
        }
    }
    Ok(swept)
}
