//! `firedrill undo`.

use super::asynchronous::wait_for;
use super::choices::{RunsChoice, TargetChoice};
use super::exit_code::Exit;
use super::failure::Failure;
use super::kinds::KINDS;
#[cfg(feature = "docker")]
use super::left_behind::Containers;
use super::terminal::Terminal;
use super::{files, state};
use crate::drill::target_file::TargetKind;
use crate::history;
use crate::undo::open_runs::{Lock, OpenRun, Registry, has_journal, open_runs_everywhere};
use crate::undo::recover::{RecoverReport, recover};
use clap::Args;
use std::path::{Path, PathBuf};

/// Put back what a run that died left behind
///
/// A run undoes its faults itself, on every way out, and a watchdog process does it when the run was
/// killed. This command is for the day on which both died. It reads the run's journal; undoing twice is
/// harmless, and a run that still lives is left alone.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  firedrill undo                           the latest run that is not finished
  firedrill undo 20261123t101500-1a2b3c    that run
  firedrill undo --target local            everything that is left on this kind of target
  firedrill undo --target docker.yaml      everything that is left on these containers, by its labels where
                                           the journal is lost")]
pub struct UndoArgs {
    /// The run's id, or the beginning of it. Default: the latest run that is not finished
    #[arg(value_name = "RUN", conflicts_with = "target")]
    pub run: Option<String>,

    /// A target file or `local`: undo every unfinished run on it
    #[arg(long, value_name = "TARGET")]
    pub target: Option<PathBuf>,

    /// The machine that ran it is gone for good: put back what a run on another machine left on containers
    #[arg(long, requires = "target")]
    pub orphaned: bool,

    #[command(flatten)]
    pub runs: RunsChoice,
}

/// Undoes what is left.
///
/// # Errors
/// When the run still lives, its journal cannot be read, or its target cannot be reached.
pub fn undo(args: &UndoArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let dir = state::runs_dir(&args.runs)?;
    let registry = state::registry();
    let open = open_runs_everywhere(&dir, registry.as_ref()).map_err(|error| {
        Failure::usage(format!(
            "the runs in {} cannot be read: {error}",
            dir.display()
        ))
    })?;
    #[cfg(feature = "docker")]
    let mut containers = None;
    let chosen = match (&args.run, &args.target) {
        (Some(run), _) => vec![named(run, &open, &dir)?],
        (None, Some(target)) => match kind_of(target, terminal)? {
            #[cfg(feature = "docker")]
            Some(TargetKind::Docker(docker)) => {
                let found = Containers::find(&docker)?;
                let chosen = found.open_runs(&open)?;
                containers = Some(found);
                chosen
            }
            _ => thrown_away(&open),
        },
        (None, None) => latest(open)?.into_iter().collect(),
    };
    let exit = undo_each(&chosen, registry.as_ref(), terminal)?;
    #[cfg(feature = "docker")]
    if let Some(containers) = containers {
        let left = containers.undo_what_is_left(args.orphaned, terminal)?;
        if left.is_none() && chosen.is_empty() {
            terminal.say("nothing to undo: no run has these containers");
        }
        return Ok(match left {
            None | Some(Exit::Pass) => exit,
            Some(worse) => worse,
        });
    }
    if chosen.is_empty() {
        terminal.say("nothing to undo: every run put everything back");
    }
    Ok(exit)
}

/// Undoes runs by their journals.
fn undo_each(
    chosen: &[PathBuf],
    registry: Option<&Registry>,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let mut exit = Exit::Pass;
    for folder in chosen {
        match wait_for(recover(folder, KINDS, registry))? {
            Ok(report) => {
                say(&report, terminal);
                if !report.is_complete() {
                    exit = Exit::UndoIncomplete;
                }
            }
            Err(error) => {
                // The others are still undone: one run that cannot be is no reason to leave them.
                let failure = Failure::from(error);
                failure.say(terminal);
                if exit != Exit::UndoIncomplete {
                    exit = failure.exit;
                }
            }
        }
    }
    Ok(exit)
}

/// The folder of the run that a person named: among those that are open, else among all, since undoing
/// twice is harmless and is answered so.
fn named(run: &str, open: &[OpenRun], dir: &Path) -> Result<PathBuf, Failure> {
    if run.contains('/') && has_journal(Path::new(run)) {
        return Ok(PathBuf::from(run));
    }
    let fitting: Vec<&OpenRun> = open
        .iter()
        .filter(|open| open.run.starts_with(run))
        .collect();
    match fitting.as_slice() {
        [only] => Ok(only.folder.clone()),
        _ => Ok(history::find(dir, run)?),
    }
}

/// The latest open run that nobody holds.
fn latest(open: Vec<OpenRun>) -> Result<Option<PathBuf>, Failure> {
    let Some(first) = open.first().map(|open| open.run.clone()) else {
        return Ok(None);
    };
    match open.into_iter().find(|open| open.lock == Lock::Free) {
        Some(free) => Ok(Some(free.folder)),
        None => Err(Failure::target(format!(
            "run {first} still lives, and undoes its faults itself"
        ))
        .hint("stop it with Ctrl-C where it runs, or wait for its end")),
    }
}

/// The kind of target that a person named; `None` for the embedded default.
fn kind_of(target: &Path, terminal: &Terminal) -> Result<Option<TargetKind>, Failure> {
    if target == Path::new("local") {
        return Ok(None);
    }
    let choice = TargetChoice {
        target: Some(target.to_owned()),
        ..TargetChoice::default()
    };
    Ok(Some(files::target(&choice, terminal)?.target.kind()))
}

/// All open runs on targets that die with their run.
fn thrown_away(open: &[OpenRun]) -> Vec<PathBuf> {
    open.iter()
        .filter(|open| open.is_throw_away() && open.lock == Lock::Free)
        .map(|open| open.folder.clone())
        .collect()
}

fn say(report: &RecoverReport, terminal: &Terminal) {
    let run = &report.run;
    if report.was_closed {
        terminal.say(&format!(
            "run {run}: everything was put back before; nothing was done"
        ));
        return;
    }
    for line in &report.undone {
        terminal.say(&format!("run {run}: undone: {line}"));
    }
    for line in &report.failures {
        terminal.say(&format!("run {run}: NOT undone: {line}"));
    }
    if report.is_complete() {
        terminal.say(&format!("run {run}: everything is put back"));
    } else {
        terminal.say(&format!(
            "next: see to the above, then: firedrill undo {run}"
        ));
    }
}
