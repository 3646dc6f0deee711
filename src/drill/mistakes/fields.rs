//! Words, numbers and fields that do not belong where they stand.

use super::*;

#[test]
fn unknown_field_at_the_top() {
    insta::assert_snapshot!(said(&format!("{HEAD}objectivs: []\n{DEMAND}{STEPS}")), @"
     × there is no field objectivs here
      ╭─[drill.yaml:4:1]
    3 │ summary: a drill
    4 │ objectivs: []
      · ────┬────
      ·     ╰── did you mean objectives?
    5 │ objectives:
      ╰────
     help: here can be: version, name, summary, why, variables, objectives, expect, require,
           workload, stop_if, steps
    ");
}

#[test]
fn unknown_field_of_a_step() {
    insta::assert_snapshot!(steps("  - baseline: { for: 5s }\n  - kill: { node: primary, idd: crash }\n"), @"
     × there is no field idd here
      ╭─[drill.yaml:8:28]
    7 │   - baseline: { for: 5s }
    8 │   - kill: { node: primary, idd: crash }
      ·                            ─┬─
      ·                             ╰── did you mean id?
      ╰────
     help: here can be: id, node, returns
    ");
}

#[test]
fn unknown_step() {
    insta::assert_snapshot!(steps("  - baseline: { for: 5s }\n  - kil: { node: primary }\n"), @"
     × kil is not known here
      ╭─[drill.yaml:8:5]
    7 │   - baseline: { for: 5s }
    8 │   - kil: { node: primary }
      ·     ─┬─
      ·      ╰── did you mean kill?
      ╰────
     help: here can be: baseline, kill, stop, kill_process, freeze, cut, slow_network, power_off,
           lose_dcs, lose_router, pause_replay, lose_data, fill_disk, stress_cpu, stress_io,
           clock_step, fail_over, switch_over, release, undo, restore_redundancy, settle, hold, wait,
           say, together, repeat, load, ask, sql, command
    ");
}

#[test]
fn unknown_step_in_block_style() {
    insta::assert_snapshot!(steps("  - baseline:\n      for: 5s\n  - failover:\n      within: 60s\n"), @"
     × failover is not known here
       ╭─[drill.yaml:9:5]
     8 │       for: 5s
     9 │   - failover:
       ·     ────┬───
       ·         ╰── did you mean fail_over?
    10 │       within: 60s
       ╰────
     help: here can be: baseline, kill, stop, kill_process, freeze, cut, slow_network, power_off,
           lose_dcs, lose_router, pause_replay, lose_data, fill_disk, stress_cpu, stress_io,
           clock_step, fail_over, switch_over, release, undo, restore_redundancy, settle, hold, wait,
           say, together, repeat, load, ask, sql, command
    ");
}

#[test]
fn unknown_objective() {
    insta::assert_snapshot!(said(&format!("{HEAD}objectives:\n  - lost_commit: {{ at_most: 0 }}\n{STEPS}")), @"
     × lost_commit is not known here
      ╭─[drill.yaml:5:5]
    4 │ objectives:
    5 │   - lost_commit: { at_most: 0 }
      ·     ─────┬─────
      ·          ╰── did you mean lost_commits?
    6 │ steps:
      ╰────
     help: here can be: downtime, read_downtime, lost_commits, isolated_commits, two_writers,
           redundancy, latency, phantom, divergence, condition
    ");
}

#[test]
fn word_of_a_list() {
    insta::assert_snapshot!(steps("  - baseline: { for: 5s }\n  - stop: { node: primary, mode: imediate }\n"), @r#"
     × imediate is not known here
      ╭─[drill.yaml:8:34]
    7 │   - baseline: { for: 5s }
    8 │   - stop: { node: primary, mode: imediate }
      ·                                  ────┬───
      ·                                      ╰── did you mean immediate?
      ╰────
     help: here can be: fast, immediate
    "#);
}

#[test]
fn number_that_is_none() {
    insta::assert_snapshot!(said(&format!("{HEAD}objectives:\n  - lost_commits: {{ at_most: few }}\n{STEPS}")), @r#"
     × few is not a whole number
      ╭─[drill.yaml:5:30]
    4 │ objectives:
    5 │   - lost_commits: { at_most: few }
      ·                              ─┬─
      ·                               ╰── expected a whole number
    6 │ steps:
      ╰────
    "#);
}

#[test]
fn duration_without_a_unit() {
    insta::assert_snapshot!(steps("  - baseline: { for: 10 }\n"), @r#"
     × 10 has no unit: write 10s or 10ms
      ╭─[drill.yaml:7:22]
    6 │ steps:
    7 │   - baseline: { for: 10 }
      ·                      ──
      ╰────
    "#);
}

#[test]
fn map_where_a_duration_belongs() {
    insta::assert_snapshot!(steps("  - baseline: { for: { seconds: 5 } }\n"), @r#"
     × this is something else than what belongs here
      ╭─[drill.yaml:7:22]
    6 │ steps:
    7 │   - baseline: { for: { seconds: 5 } }
      ·                      ┬
      ·                      ╰── expected one word or number
      ╰────
    "#);
}

#[test]
fn missing_field() {
    insta::assert_snapshot!(steps("  - baseline: {}\n"), @r#"
     × the field for is missing
      ╭─[drill.yaml:7:15]
    6 │ steps:
    7 │   - baseline: {}
      ·               ─┬
      ·                ╰── here, for must be given
      ╰────
    "#);
}

#[test]
fn missing_field_at_the_top() {
    insta::assert_snapshot!(said("version: 1\nname: mine\nsummary: x\n"), @r#"
     × the field objectives is missing
      ╭─[drill.yaml:3:1]
    2 │ name: mine
    3 │ summary: x
      · ───┬───
      ·    ╰── here, objectives must be given
      ╰────
    "#);
}

#[test]
fn step_without_its_fields() {
    insta::assert_snapshot!(steps("  - baseline: { for: 5s }\n  - settle\n"), @r#"
     × an entry is one word and its fields
      ╭─[drill.yaml:8:5]
    7 │   - baseline: { for: 5s }
    8 │   - settle
      ·     ───┬──
      ·        ╰── its fields are missing
      ╰────
     help: write `- settle: { … }`, with nothing between the braces if the defaults will do
    "#);
}

#[test]
fn two_kinds_in_one_step() {
    insta::assert_snapshot!(steps("  - baseline: { for: 5s }\n    kill: { node: primary }\n"), @r#"
     × one entry of a list holds one kind, and this is a second one
      ╭─[drill.yaml:8:5]
    7 │   - baseline: { for: 5s }
    8 │     kill: { node: primary }
      ·     ──┬─
      ·       ╰── begin a new entry with `- `
      ╰────
    "#);
}

#[test]
fn duplicate_key() {
    insta::assert_snapshot!(said(&format!("{HEAD}name: other\n{DEMAND}{STEPS}")), @r#"
     × name is given twice
      ╭─[drill.yaml:4:1]
    3 │ summary: a drill
    4 │ name: other
      · ──┬─
      ·   ╰── again here
    5 │ objectives:
      ╰────
    "#);
}

#[test]
fn fields_of_later_versions_are_unknown() {
    insta::assert_snapshot!(said(&format!("{HEAD}stop_if: []\n{DEMAND}{STEPS}")), @"nothing");
}

#[test]
fn target_mistakes() {
    insta::assert_snapshot!(target("version: 1\nlocal: { standbies: 2 }\n"), @r#"
     × there is no field standbies here
      ╭─[my.target.yaml:2:10]
    1 │ version: 1
    2 │ local: { standbies: 2 }
      ·          ────┬────
      ·              ╰── did you mean standbys?
      ╰────
     help: here can be: drillable, standbys, failover, synchronous, agent, router, postgres, ports,
           max_connections
    "#);
}

#[test]
fn a_background_load_without_a_program_or_with_an_unknown_place() {
    let with = |background: &str| {
        said(&format!(
            "{HEAD}{DEMAND}workload:\n  background: {background}\n{STEPS}"
        ))
    };
    insta::assert_snapshot!(with("{ run: [] }"), @"
     × there is no program to run
      ╭─[drill.yaml:7:17]
    6 │ workload:
    7 │   background: { run: [] }
      ·                 ───
    8 │ steps:
      ╰────
     help: such as `run: [pgbench, --client=4, --time=600]`; no shell reads it
    ");
    insta::assert_snapshot!(with("{ run: [pgbench, \"--port={{writer.prt}}\", \"{{writer.password}}\"] }"), @r#"
     × nothing is known that could stand for {{writer.prt}}
      ╭─[drill.yaml:7:32]
    6 │ workload:
    7 │   background: { run: [pgbench, "--port={{writer.prt}}", "{{writer.password}}"] }
      ·                                ───────────┬───────────
      ·                                           ╰── did you mean {{writer.port}}?
    8 │ steps:
      ╰────
     help: known are {{writer.host}}, {{writer.port}}, {{writer.user}} and {{writer.database}}; the
           password is in PGPASSWORD, never in arguments

     × nothing is known that could stand for {{writer.password}}
      ╭─[drill.yaml:7:57]
    6 │ workload:
    7 │   background: { run: [pgbench, "--port={{writer.prt}}", "{{writer.password}}"] }
      ·                                                         ──────────┬──────────
      ·                                                                   ╰── did you mean {{writer.port}}?
    8 │ steps:
      ╰────
     help: known are {{writer.host}}, {{writer.port}}, {{writer.user}} and {{writer.database}}; the
           password is in PGPASSWORD, never in arguments
    "#);
    insta::assert_snapshot!(with("{ run: [pgbench, \"--port={{writer.port}}\"] }"), @"nothing");
}
