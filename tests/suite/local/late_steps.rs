//! Steps that do not come to their end: each ends at its limit, says why, and everything is put back.

use super::LONG;
use crate::interrupted::{BUSY, CRASH};
use crate::support::{Finished, Firedrill, Turn};

/// A drill with these steps after its baseline.
fn drill(steps: &str) -> String {
    let (head, _) = CRASH.split_once("  - kill").expect("a fault");
    format!("{head}{steps}")
}

fn run(steps: &str, target: &str) -> Option<Finished> {
    if !super::available() {
        return None;
    }
    let _turn = Turn::take();
    let firedrill = Firedrill::new().limit(LONG);
    let file = firedrill.file("drill.yaml", &drill(steps));
    let target = firedrill.file("ours.target.yaml", target);
    let finished = firedrill.run(&["run", &file, "--yes", "--target", &target]);
    firedrill.nothing_left();
    Some(finished)
}

fn ends_with(finished: Option<Finished>, code: i32, said: &[&str]) {
    let Some(finished) = finished else { return };
    assert_eq!(finished.code, Some(code), "{}", finished.stderr);
    for part in said {
        assert!(
            finished.stderr.contains(part),
            "{part:?} is missing:\n{}",
            finished.stderr
        );
    }
}

#[test]
fn nobody_is_left_to_promote() {
    let steps = "  - kill: { node: standby, id: other }\n  \
                   - kill: { node: primary, id: crash }\n  \
                   - fail_over: { within: 5s }\n";
    let target = format!("{BUSY}  failover: promote\n");
    ends_with(run(steps, &target), 1, &["fail_over-1", "everything"]);
}

#[test]
fn a_fail_over_that_takes_longer_than_allowed_fails() {
    let steps = "  - kill: { node: primary, id: crash }\n  - fail_over: { within: 50ms }\n";
    ends_with(
        run(steps, BUSY),
        1,
        &["fail_over-1", "not over within 0.05 s"],
    );
}

/// Before the fault nothing was proven, so that the run says nothing about the cluster; afterwards the
/// cluster did not do what was waited for.
#[test]
fn a_condition_that_never_holds_ends_at_its_limit() {
    let wait =
        "  - wait: { until: \"channels.writer_fresh.unavailable_ms > 1000000\", within: 1s }\n";
    let kill = "  - kill: { node: primary, id: crash }\n";
    ends_with(
        run(&format!("{wait}{kill}"), BUSY),
        4,
        &["wait-1", "not over within 1 s"],
    );
    ends_with(
        run(&format!("{kill}{wait}"), BUSY),
        1,
        &["wait-1", "not over within 1 s"],
    );
}
