//! Plans of whole drills, as text.

use super::*;
use crate::drill::target_file::{FailoverFile, TargetFile};
use crate::drill::{Checked, Given, Source, check_text, load, render};
use crate::target::Capability;
use std::time::Duration;

fn facts() -> TargetFacts {
    TargetFacts::of_file(&TargetFile::default())
}

fn with_standbys(standbys: u32) -> TargetFacts {
    let mut file = TargetFile::default();
    file.local.get_or_insert_default().standbys = standbys;
    TargetFacts::of_file(&file)
}

fn drill(steps: &str) -> Checked {
    let text = format!(
        "version: 1\nname: mine\nsummary: a drill\nobjectives:\n  - downtime: {{ at_most: 30s }}\nsteps:\n  - baseline: {{ for: 5s }}\n{steps}"
    );
    check_text(&Source::new("drill.yaml", text), &Given::default()).unwrap()
}

fn refused(checked: &Checked, facts: &TargetFacts) -> String {
    let refusals = compile(checked, facts, 7).unwrap_err();
    let found: Vec<_> = refusals.into_iter().map(|each| each.diagnostic).collect();
    render(&found, false, 100)
}

#[test]
fn primary_crash_from_the_file_alone() {
    let facts = facts();
    let given = Given {
        set: vec![("downtime_limit".to_owned(), "45s".to_owned())],
        ..Given::default()
    };
    let plan = compile(&load("primary-crash", &given).unwrap(), &facts, 7).unwrap();
    insta::assert_snapshot!(preview(&plan.record, &facts, 7), @"
    primary-crash: The primary dies without a word; a standby takes over.
    Nobody knows the recovery time of a failover that was never practised.

    target   local: node-1 (primary), node-2 (standby); asynchronous, fails over by itself
    seed     7
    with     downtime_limit = 45s (from --set)
             redundancy_limit = 2m (from drill)

    steps, each with the longest it can take
      baseline-1                15.2 s  probe undisturbed for 5s and 47 ms (drawn, up to 300 ms)
      crash                       10 s  kill node-1 (primary): all its processes at once
                                        undo: start node-1; rejoin it where another node leads by then
      fail_over-1                 60 s  wait until writers are served by a new primary
      undo-1                      60 s  put node-1 back safely: undo crash
      restore_redundancy-1       2 min  rejoin what does not stream, wait until 1 of 1 standby streams
      settle-1                    30 s  wait until all endpoints were good for 5s
                            4 min 56 s  in all, undo included

    objectives
      downtime      at most 45 s (downtime_limit from --set)
      lost_commits  at most 0
      redundancy    within 2 min
      always        two_writers, phantom, divergence at most 0

    cannot be observed here
      your own agent, router, network and names: here they are firedrill's stand-ins, on loopback

    the probes cost
      up to 20 of 100 connections of one node, 14 new connections and 82 commits a second in sum
      no other load runs, so that recovery times are a lower estimate

    1 of 2 nodes stays untouched
    ");
}

#[test]
fn primary_freeze_on_two_standbys_that_firedrill_promotes() {
    let mut file = TargetFile::default();
    let local = file.local.get_or_insert_default();
    local.standbys = 2;
    local.failover = FailoverFile::Promote;
    let facts = TargetFacts {
        live: true,
        unseen: false,
        ..TargetFacts::of_file(&file)
    };
    let plan = compile(
        &load("primary-freeze", &Given::default()).unwrap(),
        &facts,
        7,
    )
    .unwrap();
    insta::assert_snapshot!(preview(&plan.record, &facts, 7), @"
    primary-freeze: The primary freezes, is replaced, and wakes up again.
    Shows whether a primary that was replaced while it slept still takes writes.

    target   local: node-1 (primary), node-2 (standby), node-3 (standby) now; asynchronous, firedrill
             promotes
    seed     7
    with     downtime_limit = 30s (from drill)
             redundancy_limit = 2m (from drill)
             two_writers_limit = 0 (from drill)

    steps, each with the longest it can take
      baseline-1                15.2 s  probe undisturbed for 5s and 47 ms (drawn, up to 300 ms)
      stall                       10 s  freeze node-1 (primary now): all its processes stand still
                                        undo: thaw node-1; kill and rejoin it where another node leads
                                        by then
      fail_over-1                 60 s  promote the best standby, wait until writers are served by it
      hold-1                       3 s  let 3s pass
      release-1                   30 s  let node-1 come back as in life, unfenced
      hold-2                       3 s  let 3s pass
      undo-1                      60 s  put node-1 back safely: undo stall
      restore_redundancy-1       2 min  rejoin what does not stream, wait until 2 of 2 standbys stream
      settle-1                    30 s  wait until all endpoints were good for 5s
                            5 min 32 s  in all, undo included

    objectives
      downtime      at most 30 s
      lost_commits  at most 0
      two_writers   at most 0
      redundancy    within 2 min
      always        phantom, divergence at most 0

    cannot be observed here
      your own agent, router, network and names: here they are firedrill's stand-ins, on loopback

    the probes cost
      up to 20 of 100 connections of one node, 16 new connections and 82 commits a second in sum
      no other load runs, so that recovery times are a lower estimate

    2 of 3 nodes stay untouched
    ");
}

#[test]
fn lagging_promotion_is_a_calibration() {
    let facts = facts();
    let plan = compile(
        &load("lagging-promotion", &Given::default()).unwrap(),
        &facts,
        7,
    )
    .unwrap();
    insta::assert_snapshot!(preview(&plan.record, &facts, 7), @"
    lagging-promotion: A standby that fell behind is promoted; what it never received is lost.
    Proves on this machine that a loss is found, and counted right.

    target   local: node-1 (primary), node-2 (standby); asynchronous, fails over by itself
    seed     7
    with     downtime_limit = 60s (from drill)
             lag = 8s (from drill)

    steps, each with the longest it can take
      baseline-1                15.2 s  probe undisturbed for 5s and 47 ms (drawn, up to 300 ms)
      lag                         10 s  cut node-2 (standby) from the other nodes: nothing is refused,
                                        packets are lost
                                        undo: join node-2; where another node leads by then, take it
                                        down first and rejoin it
      hold-1                       8 s  let 8s pass
      crash                       10 s  kill node-1 (primary): all its processes at once
                                        undo: start node-1; rejoin it where another node leads by then
      release-1                   30 s  let node-2 come back as in life, unfenced
      fail_over-1                 60 s  wait until writers are served by a new primary
      undo-1                      60 s  put node-1 back safely: undo crash
      restore_redundancy-1       2 min  rejoin what does not stream, wait until 1 of 1 standby streams
      settle-1                    30 s  wait until all endpoints were good for 5s
                            6 min 44 s  in all, undo included

    objectives
      downtime      at most 60 s
      lost_commits  at most 0, with at least 1 at risk
      always        two_writers, phantom, divergence at most 0
      a calibration: met only if lost_commits alone fails

    cannot be observed here
      your own agent, router, network and names: here they are firedrill's stand-ins, on loopback

    the probes cost
      up to 20 of 100 connections of one node, 14 new connections and 82 commits a second in sum
      no other load runs, so that recovery times are a lower estimate

    no node stays untouched
    ");
}

#[test]
fn switch_over_and_what_follows_it() {
    let checked = drill(
        "  - switch_over: { id: over }\n  - kill: { node: primary }\n  - wait: { until: \"1 == 1\", within: 90s }\n  - stop: { node: { of: over }, mode: immediate }\n  - say: { text: done }\n",
    );
    let facts = facts();
    let plan = compile(&checked, &facts, 7).unwrap();
    insta::assert_snapshot!(preview(&plan.record, &facts, 7), @"
    mine: a drill

    target   local: node-1 (primary), node-2 (standby); asynchronous, fails over by itself
    seed     7

    steps, each with the longest it can take
      baseline-1       15 s  probe undisturbed for 5s
      over             60 s  hand the primary's role from node-1 (primary) to node-2 (standby)
      kill-1           10 s  kill node-2 (primary by then): all its processes at once
                             undo: start node-2; rejoin it where another node leads by then
      wait-1           90 s  wait until 1 == 1
      stop-1           10 s  stop node-1, immediate: no checkpoint, recovery at the next start
                             undo: start node-1; rejoin it where another node leads by then
      say-1             0 s  say: done
                  5 min 5 s  in all, undo included

    objectives
      downtime  at most 30 s
      always    lost_commits, two_writers, phantom, divergence at most 0

    cannot be observed here
      your own agent, router, network and names: here they are firedrill's stand-ins, on loopback

    the probes cost
      up to 20 of 100 connections of one node, 14 new connections and 82 commits a second in sum
      no other load runs, so that recovery times are a lower estimate

    no node stays untouched
    ");
}

#[test]
fn every_shipped_drill_can_be_planned_on_the_default_target_or_says_what_that_has_not() {
    let mut refused = Vec::new();
    for shipped in crate::drill::shipped::ALL {
        let checked = load(shipped.name, &Given::default()).unwrap();
        let plan = match compile(&checked, &facts(), 1) {
            Ok(plan) => plan,
            Err(refusals) => {
                refused.push(format!(
                    "{}: {}",
                    shipped.name, refusals[0].diagnostic.message
                ));
                continue;
            }
        };
        assert_eq!(plan.steps.len(), plan.record.steps.len());
        for (step, record) in plan.steps.iter().zip(&plan.record.steps) {
            assert_eq!(step.id, record.id);
        }
        let zeros: Vec<&str> = plan
            .record
            .objectives
            .iter()
            .filter(|objective| objective.implicit)
            .map(|objective| objective.name.as_str())
            .collect();
        assert!(
            zeros.contains(&"phantom") && zeros.contains(&"divergence"),
            "{}",
            shipped.name
        );
    }
    insta::assert_snapshot!(refused.join("\n"), @"
    primary-cut-from-dcs: cut needs what this target has not: a way to cut a node off from the store of the leader key alone
    one-way-loss: cut needs what this target has not: a way to lose packets between nodes in one direction
    slow-replication: slow_network needs what this target has not: a way to limit how much a node sends, networks of their own for clients and for nodes
    node-loss: power_off needs what this target has not: machines that can be powered off and on
    two-node-loss: power_off needs what this target has not: machines that can be powered off and on
    sync-standby-crash: no standby is synchronous on this target
    agent-crash: kill_process needs what this target has not: a failover agent on each node that can be signalled
    agent-freeze: freeze needs what this target has not: a failover agent on each node that can be signalled
    dcs-loss: lose_dcs needs what this target has not: a store of the leader key that the target file names (dcs)
    router-loss: lose_router needs what this target has not: a router that the target file names (router)
    pooler-loss: lose_router needs what this target has not: a pooler that the target file names (pooler)
    disk-full: fill_disk needs what this target has not: disks of nodes' data that can be filled
    noisy-neighbour: stress_cpu needs what this target has not: a way to run processes that take a node's CPU time
    clock-step: clock_step needs what this target has not: nodes whose clocks are their own
    ");
}

#[test]
fn the_same_seed_makes_the_same_plan() {
    let checked = load("primary-crash", &Given::default()).unwrap();
    let plan = |seed| compile(&checked, &facts(), seed).unwrap().record;
    assert_eq!(plan(7), plan(7));
    assert_ne!(plan(7).steps, plan(8).steps);
}

#[test]
fn a_baseline_is_never_longer_than_asked_for() {
    let checked = load("primary-crash", &Given::default()).unwrap();
    for seed in 0..200 {
        let plan = compile(&checked, &facts(), seed).unwrap();
        let Some(step::Action::Baseline(time)) = plan.steps.first().map(|step| &step.action) else {
            panic!("the first step is the baseline");
        };
        let least = Duration::from_secs(5);
        assert!(*time >= least && *time <= least + facts().control_period);
    }
}

#[test]
fn everything_that_a_target_has_not_is_said_at_once() {
    let checked = drill(
        "  - kill: { node: node-3 }\n  - freeze: { node: primary }\n  - cut: { node: standby }\n  - cut: { node: sync_standby }\n  - pause_replay: { node: primry }\n  - switch_over: {}\n",
    );
    let facts = TargetFacts {
        capabilities: vec![Capability::Power],
        ..facts()
    };
    insta::assert_snapshot!(refused(&checked, &facts), @r#"
     × there is no node and no role node-3
      ╭─[drill.yaml:8:19]
    7 │   - baseline: { for: 5s }
    8 │   - kill: { node: node-3 }
      ·                   ───┬──
      ·                      ╰── did you mean node-1?
    9 │   - freeze: { node: primary }
      ╰────
     help: nodes are: node-1, node-2; roles are: primary, standby, sync_standby,
           most_lagging_standby, all, all_standbys, all_answering

     × freeze needs what this target has not: signals to single processes
       ╭─[drill.yaml:9:21]
     8 │   - kill: { node: node-3 }
     9 │   - freeze: { node: primary }
       ·                     ───────
    10 │   - cut: { node: standby }
       ╰────

     × cut needs what this target has not: a way to cut a node off from everybody
       ╭─[drill.yaml:10:18]
     9 │   - freeze: { node: primary }
    10 │   - cut: { node: standby }
       ·                  ───────
    11 │   - cut: { node: sync_standby }
       ╰────

     × cut needs what this target has not: a way to cut a node off from everybody
       ╭─[drill.yaml:11:18]
    10 │   - cut: { node: standby }
    11 │   - cut: { node: sync_standby }
       ·                  ────────────
    12 │   - pause_replay: { node: primry }
       ╰────

     × no standby is synchronous on this target
       ╭─[drill.yaml:11:18]
    10 │   - cut: { node: standby }
    11 │   - cut: { node: sync_standby }
       ·                  ──────┬─────
       ·                        ╰── on this target
    12 │   - pause_replay: { node: primry }
       ╰────

     × pause_replay needs what this target has not: a database role that may pause replay and promote
       ╭─[drill.yaml:12:27]
    11 │   - cut: { node: sync_standby }
    12 │   - pause_replay: { node: primry }
       ·                           ──────
    13 │   - switch_over: {}
       ╰────

     × there is no node and no role primry
       ╭─[drill.yaml:12:27]
    11 │   - cut: { node: sync_standby }
    12 │   - pause_replay: { node: primry }
       ·                           ───┬──
       ·                              ╰── did you mean primary?
    13 │   - switch_over: {}
       ╰────
     help: nodes are: node-1, node-2; roles are: primary, standby, sync_standby,
           most_lagging_standby, all, all_standbys, all_answering

     × switch_over needs what this target has not: somebody who can switch over
       ╭─[drill.yaml:13:5]
    12 │   - pause_replay: { node: primry }
    13 │   - switch_over: {}
       ·     ───────────
       ╰────
    "#);
}

#[test]
fn nobody_to_fail_over_to() {
    let checked =
        drill("  - kill: { node: primary }\n  - fail_over: {}\n  - kill: { node: standby }\n");
    insta::assert_snapshot!(refused(&checked, &with_standbys(0)), @r#"
     × there is no standby to fail over to
       ╭─[drill.yaml:9:5]
     8 │   - kill: { node: primary }
     9 │   - fail_over: {}
       ·     ────┬────
       ·         ╰── on this target
    10 │   - kill: { node: standby }
       ╰────

     × there is no standby
       ╭─[drill.yaml:10:19]
     9 │   - fail_over: {}
    10 │   - kill: { node: standby }
       ·                   ───┬───
       ·                      ╰── on this target
       ╰────
    "#);
}

#[test]
fn a_cluster_without_a_primary() {
    let mut facts = facts();
    facts.live = true;
    for node in &mut facts.nodes {
        node.role = "silent".to_owned();
    }
    insta::assert_snapshot!(refused(&drill("  - kill: { node: primary }\n"), &facts), @r#"
     × no node is primary
      ╭─[drill.yaml:8:19]
    7 │   - baseline: { for: 5s }
    8 │   - kill: { node: primary }
      ·                   ───┬───
      ·                      ╰── on this target
      ╰────
    "#);
}

#[test]
fn targets_that_must_not_be_drilled_and_limits_that_are_too_low() {
    let mut file = TargetFile::default();
    file.local.get_or_insert_default().drillable = false;
    file.limits.sessions = 10;
    file.limits.commits_per_second = 50;
    insta::assert_snapshot!(refused(&drill(""), &TargetFacts::of_file(&file)), @r#"
    × the target must not be drilled: it says `drillable: false`
    help: set `drillable: true` in the target file if drills are meant to break it

    × the probes need up to 20 sessions on one node, and the target allows 10
    help: fewer writers, a longer fresh.every or a shorter deadline need fewer; or raise
          limits.sessions in the target file

    × the probes make up to 82 commits a second, and the target allows 50
    help: write less often, or raise limits.commits_per_second in the target file
    "#);
}

#[test]
fn what_cannot_be_observed() {
    let text = "version: 1\nname: mine\nsummary: a drill\nobjectives:\n  - read_downtime: { at_most: 1s }\n  - isolated_commits: { at_most: 0, if_unobserved: skip }\n  - redundancy: { within: 1m }\n  - latency: { channel: writer_fresh, phase: baseline, percentile: p99, at_most: 20ms }\nsteps:\n  - baseline: { for: 5s }\n";
    let checked = check_text(&Source::new("drill.yaml", text), &Given::default()).unwrap();
    let facts = TargetFacts {
        has_reader: false,
        ..with_standbys(0)
    };
    let plan = compile(&checked, &facts, 7).unwrap();
    insta::assert_snapshot!(plan.record.not_observable.join("\n"), @"
    read_downtime: the target has no reader endpoint
    isolated_commits: no step cuts a node off, so that none can be isolated
    redundancy: no standby is declared, so that there is none to wait for
    latency: the baseline brings about 50 samples of writer_fresh, and p99 needs 1000
    your own agent, router, network and names: here they are firedrill's stand-ins, on loopback
    ");
    assert_eq!(plan.record.workload.reader, None);
}

#[test]
fn a_channel_of_a_node_that_is_not_there() {
    let text = "version: 1\nname: mine\nsummary: a drill\nobjectives:\n  - latency: { channel: node/nod-2/pinned, phase: baseline, percentile: p50, at_most: 20ms }\nsteps:\n  - baseline: { for: 5s }\n";
    let checked = check_text(&Source::new("drill.yaml", text), &Given::default()).unwrap();
    insta::assert_snapshot!(refused(&checked, &facts()), @r#"
     × there is no node nod-2, so no channel node/nod-2/pinned
      ╭─[drill.yaml:5:5]
    4 │ objectives:
    5 │   - latency: { channel: node/nod-2/pinned, phase: baseline, percentile: p50, at_most: 20ms }
      ·     ───┬───
      ·        ╰── did you mean node-2?
    6 │ steps:
      ╰────
    "#);
}

#[test]
fn limits_know_where_they_came_from() {
    let given = Given {
        target: [
            ("redundancy_limit".to_owned(), "3m".to_owned()),
            ("other".to_owned(), "x".to_owned()),
        ]
        .into(),
        set: vec![("downtime_limit".to_owned(), "1s".to_owned())],
    };
    let plan = compile(&load("primary-crash", &given).unwrap(), &facts(), 7).unwrap();
    let from: Vec<Option<&str>> = plan
        .record
        .objectives
        .iter()
        .map(|each| each.limit_from.as_deref())
        .collect();
    assert_eq!(
        from,
        [
            Some("downtime_limit from --set"),
            None,
            Some("redundancy_limit from target"),
            None,
            None,
            None
        ]
    );
}

#[test]
fn groups_rounds_conditions_and_nodes_that_come_back() {
    let text = "version: 1\nname: mine\nsummary: a drill\nobjectives:\n  - condition: \"ledger.in_doubt.vanished == 0\"\nrequire: [ nodes.standbys.streaming == 2 ]\nstop_if: [ channels.writer_fresh.unavailable_ms > 300000 ]\nsteps:\n  - baseline: { for: 5s }\n  - repeat:\n      times: 2\n      steps:\n        - together:\n            - kill: { node: primary, id: crash, returns: { after: 5s } }\n            - stop: { node: standby }\n        - fail_over: {}\n        - undo: { of: crash }\n";
    let checked = check_text(&Source::new("drill.yaml", text), &Given::default()).unwrap();
    let facts = with_standbys(2);
    let plan = compile(&checked, &facts, 7).unwrap();
    insta::assert_snapshot!(preview(&plan.record, &facts, 7), @"
    mine: a drill

    target   local: node-1 (primary), node-2 (standby), node-3 (standby); asynchronous, fails over by
             itself
    seed     7

    steps, each with the longest it can take
      baseline-1           15 s  probe undisturbed for 5s
      crash#1              10 s  kill node-1 (primary): all its processes at once; started again after
                                 5s as in life, unfenced
                                 undo: start node-1; rejoin it where another node leads by then
      stop-1#1             10 s  at the same moment: stop one of node-2, node-3 (a standby, drawn when
                                 it begins), fast: open transactions are rolled back, everything is
                                 written
                                 undo: start the node that stop-1#1 hit; rejoin it where another node
                                 leads by then
      fail_over-1#1        60 s  wait until writers are served by a new primary
      undo-1#1             60 s  put node-1 back safely: undo crash#1
      crash#2              10 s  kill the primary by then: all its processes at once; started again
                                 after 5s as in life, unfenced
                                 undo: start the node that crash#2 hit; rejoin it where another node
                                 leads by then
      stop-1#2             10 s  at the same moment: stop one of node-2, node-3, node-1 (a standby,
                                 drawn when it begins), fast: open transactions are rolled back,
                                 everything is written
                                 undo: start the node that stop-1#2 hit; rejoin it where another node
                                 leads by then
      fail_over-1#2        60 s  wait until writers are served by a new primary
      undo-1#2             60 s  put the node that crash#2 hit back safely: undo crash#2
                     6 min 35 s  in all, undo included

    objectives
      condition  ledger.in_doubt.vanished == 0
      always     lost_commits, two_writers, phantom, divergence at most 0

    required at the beginning and before each fault
      nodes.standbys.streaming == 2

    ends the drill early, by its undo
      channels.writer_fresh.unavailable_ms > 300000

    cannot be observed here
      your own agent, router, network and names: here they are firedrill's stand-ins, on loopback

    the probes cost
      up to 20 of 100 connections of one node, 16 new connections and 82 commits a second in sum
      no other load runs, so that recovery times are a lower estimate

    no node stays untouched
    ");
}

#[test]
fn what_cannot_happen_at_one_moment_or_by_itself() {
    let checked = drill(
        "  - together: [ kill: { node: primary }, freeze: { node: node-1 } ]\n  - kill: { node: standby, returns: by_itself }\n",
    );
    insta::assert_snapshot!(refused(&checked, &facts()), @"
     × node-1 is hit twice at one moment
      ╭─[drill.yaml:8:58]
    7 │   - baseline: { for: 5s }
    8 │   - together: [ kill: { node: primary }, freeze: { node: node-1 } ]
      ·                                                          ───┬──
      ·                                                             ╰── did you mean node-1?
    9 │   - kill: { node: standby, returns: by_itself }
      ╰────
     help: nodes are: node-1, node-2; roles are: primary, standby, sync_standby,
           most_lagging_standby, all, all_standbys, all_answering

     × kill needs what this target has not: a supervisor that starts a dead node again
      ╭─[drill.yaml:9:19]
    8 │   - together: [ kill: { node: primary }, freeze: { node: node-1 } ]
    9 │   - kill: { node: standby, returns: by_itself }
      ·                   ───────
      ╰────
    ");
}
