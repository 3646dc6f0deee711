//! Each signal at every step: everything is undone, and the exit code says so. More of them are more
//! urgent.

use super::{CRASH, FREEZE, fresh, reached, send, start, step_began};
use crate::support::{Finished, Firedrill, Turn, each_in_turn};
use nix::sys::signal::Signal;
use std::time::Duration;

#[test]
fn sigint_at_every_step() {
    at_every_step(Signal::SIGINT);
}

#[test]
fn sigterm_at_every_step() {
    at_every_step(Signal::SIGTERM);
}

#[test]
fn sighup_at_every_step() {
    at_every_step(Signal::SIGHUP);
}

fn at_every_step(signal: Signal) {
    if !crate::local::available() {
        return;
    }
    let steps = CRASH
        .lines()
        .filter(|line| line.starts_with("  - "))
        .count()
        - 2;
    each_in_turn(1..=steps, |step| {
        let firedrill = fresh();
        let mut child = start(&firedrill, CRASH);
        step_began(&firedrill, &mut child, step);
        send(&child, signal);
        let finished = firedrill.wait(child);
        stopped_and_undone(&firedrill, &finished);
    });
}

fn stopped_and_undone(firedrill: &Firedrill, finished: &Finished) {
    assert_eq!(finished.code, Some(130), "{}", finished.stderr);
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
    firedrill.nothing_left();
}

#[test]
fn while_the_cluster_starts() {
    if !crate::local::available() {
        return;
    }
    each_in_turn(0..8_u64, |tenth| {
        let firedrill = fresh();
        let mut child = start(&firedrill, CRASH);
        reached(&firedrill, &mut child, "undo.journal", "", 2);
        std::thread::sleep(Duration::from_millis(tenth * 200));
        send(&child, Signal::SIGTERM);
        let finished = firedrill.wait(child);
        stopped_and_undone(&firedrill, &finished);
    });
}

/// Sends SIGINT so many times at the most, in quick succession, while the primary is frozen.
fn interrupted_while_frozen(times: u32) -> (Firedrill, Finished) {
    let firedrill = fresh();
    let mut child = start(&firedrill, FREEZE);
    step_began(&firedrill, &mut child, 3);
    for _ in 0..times {
        send(&child, Signal::SIGINT);
        std::thread::sleep(Duration::from_millis(20));
        if child.try_wait().expect("an own child").is_some() {
            break;
        }
    }
    let finished = firedrill.wait(child);
    (firedrill, finished)
}

#[test]
fn a_second_signal_undoes_now() {
    if !crate::local::available() {
        return;
    }
    let _turn = Turn::take();
    let (firedrill, finished) = interrupted_while_frozen(2);
    stopped_and_undone(&firedrill, &finished);
}

#[test]
fn a_third_signal_leaves_and_the_watchdog_finishes() {
    if !crate::local::available() {
        return;
    }
    let _turn = Turn::take();
    // The system makes one of two that a busy program has not taken yet, so there may have to be more than three.
    let (firedrill, finished) = interrupted_while_frozen(20);
    assert_eq!(finished.code, Some(6), "{}", finished.stderr);
    let run = firedrill.only_run();
    let run = run
        .file_name()
        .expect("an id")
        .to_string_lossy()
        .into_owned();
    let command = format!("firedrill undo {run}");
    assert!(finished.stderr.contains(&command), "{}", finished.stderr);
    assert!(finished.stderr.contains("watchdog"), "{}", finished.stderr);
    firedrill.nothing_left();
}

#[test]
fn a_closed_terminal_is_a_sighup_with_nobody_to_tell() {
    if !crate::local::available() {
        return;
    }
    let _turn = Turn::take();
    let firedrill = fresh();
    let mut child = start(&firedrill, FREEZE);
    step_began(&firedrill, &mut child, 4);
    drop(child.stderr.take());
    drop(child.stdout.take());
    send(&child, Signal::SIGHUP);
    let finished = firedrill.wait(child);
    assert_eq!(finished.code, Some(130));
    firedrill.nothing_left();
}
