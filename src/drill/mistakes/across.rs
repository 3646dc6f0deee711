//! What is wrong only together with another place of the file.

use super::*;
use std::fmt::Write as _;

#[test]
fn references() {
    insta::assert_snapshot!(steps(
        "  - baseline: { for: 5s, id: quiet }\n  - undo: { of: crash }\n  - kill: { node: { of: quiet }, id: crash }\n  - release: { of: crsh }\n  - kill: { node: standby, id: crash }\n"
    ), @r#"
     × crash comes later, as step 3
      ╭─[drill.yaml:8:17]
    7 │   - baseline: { for: 5s, id: quiet }
    8 │   - undo: { of: crash }
      ·                 ──┬──
      ·                   ╰── expected the id of an earlier fault
    9 │   - kill: { node: { of: quiet }, id: crash }
      ╰────
     help: no fault comes before this step

     × quiet is no fault or switch-over
       ╭─[drill.yaml:9:25]
     8 │   - undo: { of: crash }
     9 │   - kill: { node: { of: quiet }, id: crash }
       ·                         ──┬──
       ·                           ╰── expected the id of an earlier fault or switch-over
    10 │   - release: { of: crsh }
       ╰────
     help: no fault or switch-over comes before this step

     × there is no step crsh
       ╭─[drill.yaml:10:20]
     9 │   - kill: { node: { of: quiet }, id: crash }
    10 │   - release: { of: crsh }
       ·                    ──┬─
       ·                      ╰── did you mean crash?
    11 │   - kill: { node: standby, id: crash }
       ╰────
     help: earlier ones are: crash

     × step 3 has the id crash too
       ╭─[drill.yaml:11:32]
    10 │   - release: { of: crsh }
    11 │   - kill: { node: standby, id: crash }
       ·                                ──┬──
       ·                                  ╰── an id names one step
       ╰────
    "#);
}

#[test]
fn order_of_steps() {
    insta::assert_snapshot!(steps(
        "  - fail_over: {}\n  - kill: { node: primary, id: crash }\n  - baseline: { for: 5s }\n  - restore_redundancy: {}\n  - undo: { of: crash }\n  - undo: { of: crash }\n  - release: { of: crash }\n"
    ), @"
     × nothing was broken before, so nothing fails over
      ╭─[drill.yaml:7:5]
    6 │ steps:
    7 │   - fail_over: {}
      ·     ─────────
    8 │   - kill: { node: primary, id: crash }
      ╰────

     × there is no baseline before this
      ╭─[drill.yaml:8:5]
    7 │   - fail_over: {}
    8 │   - kill: { node: primary, id: crash }
      ·     ──┬─
      ·       ╰── what is normal must be known before something disturbs it
    9 │   - baseline: { for: 5s }
      ╰────
     help: begin with `- baseline: { for: 5s }`

     × a baseline after a fault or a load measures that
       ╭─[drill.yaml:9:5]
     8 │   - kill: { node: primary, id: crash }
     9 │   - baseline: { for: 5s }
       ·     ────────
    10 │   - restore_redundancy: {}
       ╰────

     × crash is undone already
       ╭─[drill.yaml:13:5]
    12 │   - undo: { of: crash }
    13 │   - release: { of: crash }
       ·     ───────
       ╰────

     ⚠ the fault crash is still open here
       ╭─[drill.yaml:10:5]
     9 │   - baseline: { for: 5s }
    10 │   - restore_redundancy: {}
       ·     ─────────┬────────
       ·              ╰── this rejoins what runs; it undoes nothing
    11 │   - undo: { of: crash }
       ╰────
     help: put `- undo: { of: crash }` before it

     ⚠ crash is undone already
       ╭─[drill.yaml:12:5]
    11 │   - undo: { of: crash }
    12 │   - undo: { of: crash }
       ·     ────
    13 │   - release: { of: crash }
       ╰────
    ");
}

#[test]
fn warnings_alone_do_not_refuse() {
    let text = format!(
        "{HEAD}{DEMAND}steps:\n  - baseline: {{ for: 5s }}\n  - kill: {{ node: standby }}\n  - restore_redundancy: {{}}\n"
    );
    let checked = check_text(&Source::new("drill.yaml", text), &Given::default()).unwrap();
    insta::assert_snapshot!(render(&checked.warnings, false, 100), @r#"
     ⚠ the fault kill-1 is still open here
      ╭─[drill.yaml:9:5]
    8 │   - kill: { node: standby }
    9 │   - restore_redundancy: {}
      ·     ─────────┬────────
      ·              ╰── this rejoins what runs; it undoes nothing
      ╰────
     help: put `- undo: { of: kill-1 }` before it
    "#);
}

#[test]
fn baselines() {
    let mut all = steps("  - baseline: { for: 1s }\n");
    let _ = write!(all, "{}", steps("  - hold: { for: 1s }\n"));
    let slow = "workload: { writers: { every: 1s }, fresh: { every: 1s } }\n";
    let _ = write!(all, "{}", said(&format!("{HEAD}{DEMAND}{slow}{STEPS}")));
    insta::assert_snapshot!(all, @r#"
     × a baseline of less than 2s says too little
      ╭─[drill.yaml:7:22]
    6 │ steps:
    7 │   - baseline: { for: 1s }
      ·                      ─┬
      ·                       ╰── expected at least 2s
      ╰────
     × a drill needs a baseline
      ╭─[drill.yaml:6:1]
    5 │   - downtime: { at_most: 30s }
    6 │ steps:
      · ─────
    7 │   - hold: { for: 1s }
      ╰────
     help: begin with `- baseline: { for: 5s }`
     × about 10 commits in the baseline are too few
      ╭─[drill.yaml:8:22]
    7 │ steps:
    8 │   - baseline: { for: 5s }
      ·                      ─┬
      ·                       ╰── loss is judged from 100 commits on
    9 │   - kill: { node: primary, id: crash }
      ╰────
     help: make the baseline longer, or the writers quicker
    "#);
}

#[test]
fn objectives() {
    insta::assert_snapshot!(said(&format!(
        "{HEAD}objectives:\n  - downtime: {{ at_most: 1s }}\n  - downtime: {{ at_most: 2s }}\n  - latency: {{ channel: writer, phase: baseline, percentile: p95, at_most: 20ms }}\nexpect: {{ fail: redundancy }}\n{STEPS}"
    )), @r#"
     × downtime is demanded twice
      ╭─[drill.yaml:6:5]
    5 │   - downtime: { at_most: 1s }
    6 │   - downtime: { at_most: 2s }
      ·     ────┬───
      ·         ╰── which one counts?
    7 │   - latency: { channel: writer, phase: baseline, percentile: p95, at_most: 20ms }
      ╰────

     × there is no channel writer
      ╭─[drill.yaml:7:25]
    6 │   - downtime: { at_most: 2s }
    7 │   - latency: { channel: writer, phase: baseline, percentile: p95, at_most: 20ms }
      ·                         ───┬──
      ·                            ╰── did you mean writer_fresh?
    8 │ expect: { fail: redundancy }
      ╰────
     help: channels are writer_fresh, writer_pinned, reader, node/NAME/fresh and node/NAME/pinned

     × redundancy is not demanded, so it cannot fail
      ╭─[drill.yaml:8:17]
    7 │   - latency: { channel: writer, phase: baseline, percentile: p95, at_most: 20ms }
    8 │ expect: { fail: redundancy }
      ·                 ──────────
    9 │ steps:
      ╰────
     help: add it to the objectives, such as `- redundancy: { … }`
    "#);
}

#[test]
fn no_objectives_and_no_steps() {
    insta::assert_snapshot!(said(&format!("{HEAD}objectives: []\nsteps: []\n")), @r#"
     × a drill without objectives cannot pass or fail
      ╭─[drill.yaml:4:1]
    3 │ summary: a drill
    4 │ objectives: []
      · ──────────
    5 │ steps: []
      ╰────
     help: add one, such as `- downtime: { at_most: 30s }`

     × a drill without steps does nothing
      ╭─[drill.yaml:5:1]
    4 │ objectives: []
    5 │ steps: []
      · ─────
      ╰────
     help: begin with `- baseline: { for: 5s }`
    "#);
}

#[test]
fn expectation_of_another_word() {
    insta::assert_snapshot!(said(&format!("{HEAD}{DEMAND}expect: {{ fail: lost }}\n{STEPS}")), @"
     × lost is not known here
      ╭─[drill.yaml:6:17]
    5 │   - downtime: { at_most: 30s }
    6 │ expect: { fail: lost }
      ·                 ──┬─
      ·                   ╰── did you mean lost_commits?
    7 │ steps:
      ╰────
     help: here can be: downtime, read_downtime, lost_commits, isolated_commits, two_writers,
           redundancy, latency, phantom, divergence, condition
    ");
}

#[test]
fn condition_that_is_none() {
    insta::assert_snapshot!(steps("  - baseline: { for: 5s }\n  - wait: { until: \"channels. >\", within: 5s }\n"), @r#"
     × this is no condition
      ╭─[drill.yaml:8:20]
    7 │   - baseline: { for: 5s }
    8 │   - wait: { until: "channels. >", within: 5s }
      ·                    ──────┬──────
      ·                          ╰── no viable alternative at input '. >'
      ╰────
     help: a condition is CEL, such as `channels.writer_fresh.unavailable_ms > 1000`
    "#);
}

#[test]
fn workload_of_nothing() {
    insta::assert_snapshot!(said(&format!(
        "{HEAD}{DEMAND}workload: {{ writers: {{ sessions: 0, stall: 2s }}, fresh: {{ every: 0s }} }}\n{STEPS}"
    )), @r#"
     × at least one session must write
      ╭─[drill.yaml:6:34]
    5 │   - downtime: { at_most: 30s }
    6 │ workload: { writers: { sessions: 0, stall: 2s }, fresh: { every: 0s } }
      ·                                  ─
    7 │ steps:
      ╰────

     × an answer cannot stall for longer than its deadline, nor for nothing
      ╭─[drill.yaml:6:44]
    5 │   - downtime: { at_most: 30s }
    6 │ workload: { writers: { sessions: 0, stall: 2s }, fresh: { every: 0s } }
      ·                                            ─┬
      ·                                             ╰── expected at most 500ms
    7 │ steps:
      ╰────

     × every must be more than nothing
      ╭─[drill.yaml:6:66]
    5 │   - downtime: { at_most: 30s }
    6 │ workload: { writers: { sessions: 0, stall: 2s }, fresh: { every: 0s } }
      ·                                                                  ──
    7 │ steps:
      ╰────
    "#);
}

#[test]
fn name_that_fits_nowhere() {
    insta::assert_snapshot!(said(&format!("version: 1\nname: My Drill\nsummary: \" \"\n{DEMAND}{STEPS}")), @r#"
     × this is no name for a drill
      ╭─[drill.yaml:2:7]
    1 │ version: 1
    2 │ name: My Drill
      ·       ────┬───
      ·           ╰── expected lower-case letters, digits and hyphens, at most 60
    3 │ summary: " "
      ╰────

     × the summary is empty
      ╭─[drill.yaml:3:10]
    2 │ name: My Drill
    3 │ summary: " "
      ·          ───
    4 │ objectives:
      ╰────
     help: say in one line what happens
    "#);
}

#[test]
fn target_across_its_fields() {
    insta::assert_snapshot!(target(
        "version: 1\nlimits: { sessions: 0 }\nlocal:\n  standbys: 0\n  synchronous: true\n  agent: { loop: 1s }\n  router: { rise: 0 }\n  ports: { writer: 5000, reader: 5000 }\n  max_connections: 10\n"
    ), @r#"
     × sessions must be at least 1
      ╭─[my.target.yaml:2:21]
    1 │ version: 1
    2 │ limits: { sessions: 0 }
      ·                     ─
    3 │ local:
      ╰────

     × without a standby, every commit would wait for ever
      ╭─[my.target.yaml:5:16]
    4 │   standbys: 0
    5 │   synchronous: true
      ·                ────
    6 │   agent: { loop: 1s }
      ╰────

     × detection is shorter than the loop that would notice
      ╭─[my.target.yaml:6:3]
    5 │   synchronous: true
    6 │   agent: { loop: 1s }
      ·   ──┬──
      ·     ╰── expected at least 1s
    7 │   router: { rise: 0 }
      ╰────

     × rise must be more than nothing
      ╭─[my.target.yaml:7:19]
    6 │   agent: { loop: 1s }
    7 │   router: { rise: 0 }
      ·                   ─
    8 │   ports: { writer: 5000, reader: 5000 }
      ╰────

     × both endpoints cannot have one port
      ╭─[my.target.yaml:8:34]
    7 │   router: { rise: 0 }
    8 │   ports: { writer: 5000, reader: 5000 }
      ·                                  ────
    9 │   max_connections: 10
      ╰────

     × 10 connections are too few
      ╭─[my.target.yaml:9:20]
    8 │   ports: { writer: 5000, reader: 5000 }
    9 │   max_connections: 10
      ·                    ─┬
      ·                     ╰── expected at least 15: the probes' limit and 15
      ╰────
    "#);
}

#[test]
fn conditions_that_are_none_and_names_that_nobody_says() {
    let text = format!(
        "{HEAD}objectives:\n  - condition: \"ledger.phantom =\"\nrequire:\n  - nodes.standby.max_lag_bytes < 5\n  - \"1 < 2\"\nstop_if: [ \"channels.writer_fresh.failed >\" ]\n{STEPS}"
    );
    insta::assert_snapshot!(said(&text), @r#"
     × this is no condition
      ╭─[drill.yaml:5:16]
    4 │ objectives:
    5 │   - condition: "ledger.phantom ="
      ·                ─────────┬────────
      ·                         ╰── token recognition error at: '='
    6 │ require:
      ╰────
     help: a condition is CEL, such as `channels.writer_fresh.unavailable_ms > 1000`

     × nodes.standby.max_lag_bytes is nothing that nodes say before a drill
      ╭─[drill.yaml:7:5]
    6 │ require:
    7 │   - nodes.standby.max_lag_bytes < 5
      ·     ───────────────┬───────────────
      ·                    ╰── did you mean nodes.standbys.max_lag_bytes?
    8 │   - "1 < 2"
      ╰────
     help: names are: nodes.declared, nodes.writable, nodes.silent, nodes.primary.name,
           nodes.primary.timeline, nodes.standbys.declared, nodes.standbys.streaming,
           nodes.standbys.synchronous, nodes.standbys.max_lag_bytes

     × this requires nothing: it names no value
      ╭─[drill.yaml:8:5]
    7 │   - nodes.standby.max_lag_bytes < 5
    8 │   - "1 < 2"
      ·     ───────
    9 │ stop_if: [ "channels.writer_fresh.failed >" ]
      ╰────

     × this is no condition
       ╭─[drill.yaml:9:12]
     8 │   - "1 < 2"
     9 │ stop_if: [ "channels.writer_fresh.failed >" ]
       ·            ────────────────┬───────────────
       ·                            ╰── it ends too early
    10 │ steps:
       ╰────
     help: a condition is CEL, such as `channels.writer_fresh.unavailable_ms > 1000`
    "#);
}

#[test]
fn a_condition_is_an_objective_of_one_word_and_may_not_be_demanded_twice() {
    let text = format!(
        "{HEAD}objectives:\n  - condition: \"ledger.phantom == 0\"\n  - condition: \"ledger.duplicated == 0\"\n{STEPS}"
    );
    insta::assert_snapshot!(said(&text), @"nothing");
    let text = format!(
        "{HEAD}objectives:\n  - condition: \"ledger.phantom == 0\"\n  - condition: \"ledger.phantom == 0\"\n{STEPS}"
    );
    insta::assert_snapshot!(said(&text), @r#"
     × condition is demanded twice
      ╭─[drill.yaml:6:16]
    5 │   - condition: "ledger.phantom == 0"
    6 │   - condition: "ledger.phantom == 0"
      ·                ──────────┬──────────
      ·                          ╰── which one counts?
    7 │ steps:
      ╰────
    "#);
}

#[test]
fn groups_hold_what_they_can_and_a_mistake_in_rounds_is_said_once() {
    insta::assert_snapshot!(steps("  - baseline: { for: 5s }\n  - together: [ kill: { node: primary } ]\n  - together:\n      - kill: { node: standby }\n      - hold: { for: 1s }\n      - together: [ kill: { node: primary }, kill: { node: standby } ]\n"), @"
     × together is for two faults or more
      ╭─[drill.yaml:8:5]
    7 │   - baseline: { for: 5s }
    8 │   - together: [ kill: { node: primary } ]
      ·     ────┬───
      ·         ╰── here are 1
    9 │   - together:
      ╰────
     help: a fault alone needs no together

     × only faults can strike together
       ╭─[drill.yaml:11:9]
    10 │       - kill: { node: standby }
    11 │       - hold: { for: 1s }
       ·         ──┬─
       ·           ╰── this is no fault
    12 │       - together: [ kill: { node: primary }, kill: { node: standby } ]
       ╰────
     help: put it before or after the together

     × a together cannot stand in here
       ╭─[drill.yaml:12:9]
    11 │       - hold: { for: 1s }
    12 │       - together: [ kill: { node: primary }, kill: { node: standby } ]
       ·         ────┬───
       ·             ╰── expected plain steps
       ╰────
     help: together holds faults; repeat holds steps and together
    ");
    insta::assert_snapshot!(steps("  - baseline: { for: 5s }\n  - repeat:\n      times: 3\n      steps:\n        - kill: { node: primary, id: crash }\n        - undo: { of: crsh }\n        - repeat: { times: 2, steps: [ hold: { for: 1s } ] }\n  - undo: { of: crash }\n"), @"
     × there is no step crsh
       ╭─[drill.yaml:12:23]
    11 │         - kill: { node: primary, id: crash }
    12 │         - undo: { of: crsh }
       ·                       ──┬─
       ·                         ╰── expected the id of an earlier fault
    13 │         - repeat: { times: 2, steps: [ hold: { for: 1s } ] }
       ╰────
     help: earlier ones are: crash#1

     × a repeat cannot stand in here
       ╭─[drill.yaml:13:11]
    12 │         - undo: { of: crsh }
    13 │         - repeat: { times: 2, steps: [ hold: { for: 1s } ] }
       ·           ───┬──
       ·              ╰── expected plain steps
    14 │   - undo: { of: crash }
       ╰────
     help: together holds faults; repeat holds steps and together

     × there is no step crash
       ╭─[drill.yaml:14:17]
    13 │         - repeat: { times: 2, steps: [ hold: { for: 1s } ] }
    14 │   - undo: { of: crash }
       ·                 ──┬──
       ·                   ╰── did you mean crash#1?
       ╰────
     help: earlier ones are: crash#1, crash#2, crash#3
    ");
    insta::assert_snapshot!(steps("  - baseline: { for: 5s }\n  - repeat: { times: 0, steps: [] }\n  - repeat: { times: 101, steps: [ hold: { for: 1s } ] }\n"), @"
     × a repeat without steps does nothing
      ╭─[drill.yaml:8:5]
    7 │   - baseline: { for: 5s }
    8 │   - repeat: { times: 0, steps: [] }
      ·     ──────
    9 │   - repeat: { times: 101, steps: [ hold: { for: 1s } ] }
      ╰────

     × 0 rounds are none to plan
      ╭─[drill.yaml:8:22]
    7 │   - baseline: { for: 5s }
    8 │   - repeat: { times: 0, steps: [] }
      ·                      ┬
      ·                      ╰── expected 1 to 100
    9 │   - repeat: { times: 101, steps: [ hold: { for: 1s } ] }
      ╰────

     × 101 rounds are none to plan
      ╭─[drill.yaml:9:22]
    8 │   - repeat: { times: 0, steps: [] }
    9 │   - repeat: { times: 101, steps: [ hold: { for: 1s } ] }
      ·                      ─┬─
      ·                       ╰── expected 1 to 100
      ╰────
    ");
    let many = "hold: { for: 1s }, ".repeat(11);
    insta::assert_snapshot!(steps(&format!("  - baseline: {{ for: 5s }}\n  - repeat: {{ times: 100, steps: [ {many} ] }}\n")).replace(&many, "(11 holds) "), @"
     × with all rounds counted these are 1101 steps
      ╭─[drill.yaml:6:1]
    5 │   - downtime: { at_most: 30s }
    6 │ steps:
      · ──┬──
      ·   ╰── expected at most 1000
    7 │   - baseline: { for: 5s }
      ╰────
     help: repeat less often
    ");
}

#[test]
fn bare_words_in_groups_and_nodes_that_never_go_down() {
    insta::assert_snapshot!(steps("  - baseline: { for: 5s }\n  - repeat:\n      times: 2\n      steps:\n        - settle\n        - together: [ kill ]\n"), @"
     × an entry is one word and its fields
       ╭─[drill.yaml:11:11]
    10 │       steps:
    11 │         - settle
       ·           ───┬──
       ·              ╰── its fields are missing
    12 │         - together: [ kill ]
       ╰────
     help: write `- settle: { … }`, with nothing between the braces if the defaults will do

     × an entry is one word and its fields
       ╭─[drill.yaml:12:23]
    11 │         - settle
    12 │         - together: [ kill ]
       ·                       ──┬─
       ·                         ╰── its fields are missing
       ╰────
     help: write `- kill: { … }`, with nothing between the braces if the defaults will do
    ");
    insta::assert_snapshot!(steps("  - baseline: { for: 5s }\n  - kill: { node: primary, returns: { after: 0s } }\n"), @"
     × a node that comes back at once was never down
      ╭─[drill.yaml:8:46]
    7 │   - baseline: { for: 5s }
    8 │   - kill: { node: primary, returns: { after: 0s } }
      ·                                              ─┬
      ·                                               ╰── expected more than nothing
      ╰────
    ");
    insta::assert_snapshot!(steps("  - baseline: { for: 5s }\n  - kill: { node: primary, returns: on_und }\n"), @"
     × on_und is not known here
      ╭─[drill.yaml:8:37]
    7 │   - baseline: { for: 5s }
    8 │   - kill: { node: primary, returns: on_und }
      ·                                     ───┬──
      ·                                        ╰── did you mean on_undo?
      ╰────
     help: here can be: on_undo, by_itself, in_turn, after
    ");
    insta::assert_snapshot!(steps("  - baseline: { for: 5s }\n  - kill: { node: primary, id: crash, returns: { after: 5s } }\n  - restore_redundancy: {}\n"), @"nothing");
}

#[test]
fn one_way_alone_is_cut_from_those_who_are_all_known() {
    insta::assert_snapshot!(steps("  - baseline: { for: 5s }\n  - cut: { node: primary, from: dcs, direction: out }\n  - cut: { node: standby, from: clients, direction: in }\n  - cut: { node: standby, direction: out }\n"), @"
     × from clients no single direction can be cut
       ╭─[drill.yaml:9:53]
     8 │   - cut: { node: primary, from: dcs, direction: out }
     9 │   - cut: { node: standby, from: clients, direction: in }
       ·                                                     ─┬
       ·                                                      ╰── expected both
    10 │   - cut: { node: standby, direction: out }
       ╰────
     help: nobody knows all who send: only a whole network can be taken off. One way is for from:
           peers and from: dcs

     × from clients no single direction can be cut
       ╭─[drill.yaml:10:38]
     9 │   - cut: { node: standby, from: clients, direction: in }
    10 │   - cut: { node: standby, direction: out }
       ·                                      ─┬─
       ·                                       ╰── expected both
       ╰────
     help: nobody knows all who send: only a whole network can be taken off. One way is for from:
           peers and from: dcs
    ");
}
