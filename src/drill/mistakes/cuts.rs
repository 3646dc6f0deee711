//! Cuts of one way that would stand in each other's way.

use super::steps;

#[test]
fn two_that_cut_one_way_between_nodes_are_not_open_at_once() {
    let two = "  - baseline: { for: 5s }\n  \
        - together:\n      \
            - cut: { node: primary, from: peers, direction: out, id: dumb }\n      \
            - cut: { node: standby, from: peers, direction: in, id: deaf }\n";
    insta::assert_snapshot!(steps(two), @"
     × dumb cuts ways between the same nodes, and is still open here
       ╭─[drill.yaml:10:55]
     9 │       - cut: { node: primary, from: peers, direction: out, id: dumb }
    10 │       - cut: { node: standby, from: peers, direction: in, id: deaf }
       ·                                                       ──
       ╰────
     help: put it after `- undo: { of: dumb }`: undoing one would undo part of the other
    ");
    let in_a_row = "  - baseline: { for: 5s }\n  \
        - cut: { node: primary, from: peers, direction: out, id: dumb }\n  \
        - hold: { for: 1s }\n  \
        - cut: { node: standby, from: peers, direction: out }\n";
    insta::assert_snapshot!(steps(in_a_row), @"
     × dumb cuts ways between the same nodes, and is still open here
       ╭─[drill.yaml:10:51]
     9 │   - hold: { for: 1s }
    10 │   - cut: { node: standby, from: peers, direction: out }
       ·                                                   ───
       ╰────
     help: put it after `- undo: { of: dumb }`: undoing one would undo part of the other
    ");
}

#[test]
fn what_is_undone_or_takes_other_ways_is_in_nobody_s_way() {
    let turns = "  - baseline: { for: 5s }\n  \
        - cut: { node: primary, from: peers, direction: out, id: dumb }\n  \
        - undo: { of: dumb }\n  \
        - cut: { node: standby, from: peers, direction: in, id: deaf }\n  \
        - release: { of: deaf }\n  \
        - repeat:\n      \
            times: 2\n      \
            steps:\n        \
              - cut: { node: standby, from: peers, direction: in, id: again }\n        \
              - undo: { of: again }\n  \
        - together:\n      \
            - cut: { node: primary, from: peers, direction: out, id: last }\n      \
            - cut: { node: standby, from: dcs, direction: in }\n  \
        - undo: { of: last }\n";
    assert_eq!(steps(turns), "nothing");
}
