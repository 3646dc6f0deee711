//! Runner and watchdog are both killed: `firedrill undo` finishes, and so does the next run.

use super::{BUSY, FREEZE, fresh, send, start, step_began};
use crate::support::{Firedrill, Turn, processes};
use nix::sys::signal::Signal;
use std::path::Path;

/// A run below `runs` whose primary is frozen, and that nobody is left to undo.
fn dead(firedrill: &Firedrill, runs: &Path) {
    let file = firedrill.file("drill.yaml", FREEZE);
    let target = firedrill.file("busy.target.yaml", BUSY);
    let dir = runs.to_str().expect("a plain path");
    let arguments = [
        "run",
        &file,
        "--yes",
        "--target",
        &target,
        "--runs-dir",
        dir,
    ];
    let mut child = firedrill.start(&arguments);
    let mut running = || child.try_wait().expect("an own child").is_none();
    let began = "\"step_began\"";
    let frozen = Firedrill::lines_reached_in(runs, "events.jsonl", began, 3, &mut running);
    assert!(frozen.is_some(), "it ended before the freeze");
    firedrill.kill_watchdog();
    send(&child, Signal::SIGKILL);
    assert_eq!(firedrill.wait(child).code, None);
    let alive = processes(firedrill.home());
    assert!(alive.len() > 5, "no cluster was left behind: {alive:?}");
}

#[test]
fn undo_finishes() {
    if !crate::local::available() {
        return;
    }
    let _turn = Turn::take();
    let firedrill = fresh();
    dead(&firedrill, &firedrill.home().join("state/firedrill/runs"));
    let undone = firedrill.run(&["undo"]);
    assert_eq!(undone.code, Some(0), "{}", undone.stderr);
    assert!(
        undone.stderr.contains("undone: freeze"),
        "{}",
        undone.stderr
    );
    firedrill.nothing_left();
    let again = firedrill.run(&["undo"]);
    assert!(again.stderr.contains("nothing to undo"), "{}", again.stderr);
}

#[test]
fn the_next_run_sweeps_it_and_goes_on() {
    if !crate::local::available() {
        return;
    }
    let _turn = Turn::take();
    let firedrill = fresh();
    // Its folder lies elsewhere: the registry knows of it.
    let elsewhere = firedrill.home().join("elsewhere");
    dead(&firedrill, &elsewhere);
    let mut next = start(&firedrill, FREEZE);
    step_began(&firedrill, &mut next, 1);
    let left = processes(&elsewhere);
    assert_eq!(left, Vec::<String>::new());
    send(&next, Signal::SIGINT);
    let finished = firedrill.wait(next);
    assert!(
        finished.stderr.contains("had died with its watchdog"),
        "{}",
        finished.stderr
    );
    firedrill.nothing_left();
}
