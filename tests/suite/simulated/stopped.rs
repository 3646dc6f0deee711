//! A signal in the middle of a rehearsal: it ends as a run on a real cluster does.

use crate::interrupted::send;
use crate::support::Firedrill;
use nix::sys::signal::Signal;
use serde_json::Value;

/// Longer than any test waits, also where time is virtual: only the signal ends it.
pub const DRILL: &str = "version: 1\nname: stopped\nsummary: the primary is frozen for long\n\
    objectives:\n  - lost_commits: { at_most: 0 }\nsteps:\n  - baseline: { for: 3s }\n  \
    - freeze: { node: primary, id: frozen }\n  - hold: { for: 10h }\n  - undo: { of: frozen }\n";

#[test]
fn a_signal_is_said_everything_is_undone_and_nothing_is_left() {
    let sandbox = Firedrill::new();
    let drill = sandbox.file("drill.yaml", DRILL);
    let target = sandbox.file("our.target.yaml", "version: 1\nsimulated: {}\n");
    let mut child = sandbox.start(&["run", &drill, "--yes", "--seed", "7", "--target", &target]);
    let mut running = || child.try_wait().expect("an own child").is_none();
    let held = sandbox.lines_reached("events.jsonl", "\"step_began\"", 3, &mut running);
    assert!(held.is_some(), "it ended before the hold");
    send(&child, Signal::SIGINT);
    let finished = sandbox.wait(child);
    assert_eq!(finished.code, Some(130), "{}", finished.stderr);
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
    sandbox.nothing_left();

    let report = sandbox.run(&["report", "latest", "-o", "json=-"]);
    let result: Value = serde_json::from_str(&report.stdout).expect("a result");
    let undo = &result["undo"];
    assert_eq!(undo["interrupted"], "SIGINT", "{undo}");
    assert_eq!(undo["complete"], true, "{undo}");
    assert_eq!(undo["writable_nodes_after"], 1, "{undo}");
    assert_eq!(result["faults"][0]["undo"]["verified"], true);
    let again = sandbox.run(&["undo"]);
    assert!(again.stderr.contains("nothing to undo"), "{}", again.stderr);
}
