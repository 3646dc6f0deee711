//! The runner stands still for two seconds: what it measured meanwhile is not worth anything, and it says
//! so.

use super::{CRASH, fresh, send, start, step_began};
use crate::support::Turn;
use nix::sys::signal::Signal;
use std::time::Duration;

#[test]
fn a_stopped_runner_makes_the_run_invalid() {
    if !crate::local::available() {
        return;
    }
    let _turn = Turn::alone();
    let firedrill = fresh();
    let mut child = start(&firedrill, CRASH);
    // While it waits for service to settle: the outage is over, only the observer is disturbed.
    step_began(&firedrill, &mut child, 6);
    send(&child, Signal::SIGSTOP);
    std::thread::sleep(Duration::from_secs(2));
    send(&child, Signal::SIGCONT);
    let finished = firedrill.wait(child);
    assert_eq!(finished.code, Some(4), "{}", finished.stderr);
    assert!(finished.stderr.contains("INVALID"), "{}", finished.stderr);
    assert!(finished.stderr.contains("stall"), "{}", finished.stderr);
    firedrill.nothing_left();
}
