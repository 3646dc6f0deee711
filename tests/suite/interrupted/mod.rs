//! Signals, closed terminals and dead runners.

mod both_dead;
mod closed_terminal;
mod dead_runs;
mod killed_runner;
mod signals;
mod stopped_runner;

use crate::support::Firedrill;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::Read as _;
use std::process::Child;
use std::time::Duration;

/// As drills/primary-crash.yaml and drills/primary-freeze.yaml, with shorter waits.
pub const CRASH: &str = include_str!("primary-crash.yaml");
pub const FREEZE: &str = include_str!("primary-freeze.yaml");
/// A cluster on which a slow machine does not look like a lost primary.
pub const BUSY: &str = include_str!("busy.target.yaml");

/// The program in a home of its own, with the time that a whole drill takes on a busy machine.
fn fresh() -> Firedrill {
    Firedrill::new().limit(Duration::from_secs(200))
}

/// Starts a drill.
fn start(firedrill: &Firedrill, drill: &str) -> Child {
    let file = firedrill.file("drill.yaml", drill);
    let target = firedrill.file("busy.target.yaml", BUSY);
    firedrill.start(&["run", &file, "--yes", "--seed", "7", "--target", &target])
}

/// Waits until a file of the only run holds `lines` lines with `text`; panics with what the program said
/// when it ended before.
fn reached(firedrill: &Firedrill, child: &mut Child, file: &str, text: &str, lines: usize) {
    let mut running = || child.try_wait().expect("an own child").is_none();
    if firedrill
        .lines_reached(file, text, lines, &mut running)
        .is_some()
    {
        return;
    }
    let mut said = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        let _ = stderr.read_to_string(&mut said);
    }
    panic!("ended before line {lines} of {file} with {text:?}:\n{said}");
}

/// Waits until the step with this number (from 1) began.
fn step_began(firedrill: &Firedrill, child: &mut Child, step: usize) {
    reached(firedrill, child, "events.jsonl", "\"step_began\"", step);
}

pub fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id() as i32), signal).expect("an own child");
}
