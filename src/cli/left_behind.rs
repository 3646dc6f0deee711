//! `firedrill undo --target FILE` on containers: the runs that are open on them, and what is left without a journal.

use super::asynchronous::wait_for;
use super::exit_code::Exit;
use super::failure::Failure;
use super::terminal::Terminal;
use crate::drill::docker_file::Docker;
use crate::target::Target as _;
use crate::target::docker::{Candidates, DockerTarget, LeftBehind};
use crate::undo::by_label::{PutBack, put_back};
use crate::undo::open_runs::{Lock, OpenRun};
use std::path::PathBuf;

/// The containers that a target file means.
pub(super) struct Containers(Candidates);

impl Containers {
    /// Finds them; needs no password.
    ///
    /// # Errors
    /// When the engine cannot be reached, or they are not those that the file promises.
    pub(super) fn find(docker: &Docker) -> Result<Self, Failure> {
        // What stood beside them is told by the lock.
        let found = Candidates::find_by(docker.engine.as_deref(), &docker.nodes, &[]);
        Ok(Self(wait_for(found)??))
    }

    /// The folders of the runs that are open on them and that nobody undoes.
    ///
    /// # Errors
    /// When one of them still lives.
    pub(super) fn open_runs(&self, open: &[OpenRun]) -> Result<Vec<PathBuf>, Failure> {
        let identity = self.0.identity();
        let mut folders = Vec::new();
        for run in open {
            let ours =
                matches!(&run.journal, Ok(journal) if journal.opened.target_identity == identity);
            match (ours, run.lock) {
                (false, _) => {}
                (true, Lock::Free) => folders.push(run.folder.clone()),
                (true, Lock::Held(_)) => return Err(still_lives(&run.run, "here")),
            }
        }
        Ok(folders)
    }

    /// Puts back what is left by the lock's word; `None` where nobody has the lock.
    ///
    /// # Errors
    /// When its run lives, or may live elsewhere, or the lock does not say what to put back.
    pub(super) fn undo_what_is_left(
        &self,
        orphaned: bool,
        terminal: &Terminal,
    ) -> Result<Option<Exit>, Failure> {
        let Some(left) = wait_for(self.0.locked())?? else {
            return Ok(None);
        };
        let run = left.run.clone();
        match left
            .owner
            .as_ref()
            .and_then(crate::target::docker::Owner::lives)
        {
            Some(true) => return Err(still_lives(&run, "here")),
            Some(false) => {}
            None if orphaned => {}
            None => {
                return Err(
                    still_lives(&run, &format!("on {}", left.host)).hint(format!(
                        "undo it there; where {} is gone for good, add --orphaned",
                        left.host
                    )),
                );
            }
        }
        let LeftBehind { facts, .. } = left;
        let facts = facts.ok_or_else(|| {
            Failure::target(format!(
                "the lock of run {run} does not say how the containers were found, so that nothing can be put back by it"
            ))
            .hint("see to the containers by hand, then remove its container (firedrill-lock-…)")
        })?;
        terminal.say(&format!(
            "run {run}: its journal is not here; putting back by the labels on the containers"
        ));
        let evidence = std::env::temp_dir().join(format!("firedrill-{run}-evidence"));
        let (done, closed) = wait_for(async {
            let target = DockerTarget::again(facts, &run).await?;
            let done = put_back(&target, &evidence).await;
            // The lock stays as long as something is not as it was.
            let closed = match done.missing.is_empty() {
                true => Some(target.close().await),
                false => None,
            };
            Ok::<_, Failure>((done, closed))
        })??;
        Ok(Some(say(&run, &done, closed, terminal)))
    }
}

fn say(
    run: &str,
    done: &PutBack,
    closed: Option<Result<String, crate::target::TargetError>>,
    terminal: &Terminal,
) -> Exit {
    for line in &done.back {
        terminal.say(&format!("run {run}: {line}"));
    }
    for line in &done.missing {
        terminal.say(&format!("run {run}: NOT undone: {line}"));
    }
    match closed {
        Some(Ok(line)) => {
            terminal.say(&format!("run {run}: {line}"));
            terminal.say(&format!("run {run}: everything is put back"));
            Exit::Pass
        }
        Some(Err(error)) => {
            terminal.say(&format!("run {run}: NOT undone: {error}"));
            Exit::UndoIncomplete
        }
        None => {
            terminal.say("next: see to the above, then the same command again");
            Exit::UndoIncomplete
        }
    }
}

fn still_lives(run: &str, place: &str) -> Failure {
    Failure::target(format!(
        "run {run} still lives {place}, or may, and undoes its faults itself"
    ))
    .hint("stop it with Ctrl-C where it runs, or wait for its end")
}
