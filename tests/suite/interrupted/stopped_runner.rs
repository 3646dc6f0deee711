//! The runner stands still for two seconds: what it measured meanwhile is not worth anything, and it says
//! so.

use super::{fresh, send, start, step_began};
use crate::support::Turn;
use nix::sys::signal::Signal;
use std::time::Duration;

/// Nothing breaks, so that nothing but the observer is disturbed: a commit that the primary's death cost
/// would be a proven failure, which outweighs the disturbance.
const HOLD: &str = "version: 1
name: hold
summary: Nothing happens.
objectives:
  - downtime: { at_most: 30s }
workload:
  writers: { sessions: 8, deadline: 3s }
  fresh: { every: 400ms, deadline: 3s }
  readers: { every: 400ms, deadline: 3s }
  stability: 1s
steps:
  - baseline: { for: 3s }
  - hold: { for: 8s }
";

#[test]
fn a_stopped_runner_makes_the_run_invalid() {
    if !crate::local::available() {
        return;
    }
    let _turn = Turn::alone();
    let firedrill = fresh();
    let mut child = start(&firedrill, HOLD);
    step_began(&firedrill, &mut child, 2);
    send(&child, Signal::SIGSTOP);
    std::thread::sleep(Duration::from_secs(2));
    send(&child, Signal::SIGCONT);
    let finished = firedrill.wait(child);
    assert_eq!(finished.code, Some(4), "{}", finished.stderr);
    assert!(finished.stderr.contains("INVALID"), "{}", finished.stderr);
    assert!(
        finished.stderr.contains("observer stalled for"),
        "{}",
        finished.stderr
    );
    firedrill.nothing_left();
}
