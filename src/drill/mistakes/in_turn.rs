//! What is said of faults that are undone within their own step.

use super::steps;

#[test]
fn what_is_started_again_in_its_turn_is_undone_already() {
    let text = "  - baseline: { for: 5s }\n  \
        - stop: { node: all_standbys, id: turn, returns: in_turn }\n  \
        - restore_redundancy: {}\n  \
        - undo: { of: turn }\n  \
        - release: { of: turn }\n";
    insta::assert_snapshot!(steps(text), @"
     × turn is undone already
       ╭─[drill.yaml:11:5]
    10 │   - undo: { of: turn }
    11 │   - release: { of: turn }
       ·     ───────
       ╰────

     ⚠ turn is undone already
       ╭─[drill.yaml:10:5]
     9 │   - restore_redundancy: {}
    10 │   - undo: { of: turn }
       ·     ────
    11 │   - release: { of: turn }
       ╰────
    ");
}

#[test]
fn what_strikes_at_one_moment_has_no_turns() {
    let text = "  - baseline: { for: 5s }\n  \
        - together:\n      \
            - kill: { node: primary }\n      \
            - stop: { node: standby, returns: in_turn }\n";
    insta::assert_snapshot!(steps(text), @"
     × what strikes at one moment is not put back one after the other
       ╭─[drill.yaml:10:41]
     9 │       - kill: { node: primary }
    10 │       - stop: { node: standby, returns: in_turn }
       ·                                         ───────
       ╰────
     help: take it out of `together`, or leave out `returns` and undo it later
    ");
}
