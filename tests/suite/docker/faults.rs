//! Each fault on the real thing: its effect is proven, its undo verified, and everything is as it was found.

use super::Containers;

/// Objectives that every drill here has: nothing lost may go unnoticed, and downtime is not what is judged.
const DEMANDS: &str = "objectives:\n  - downtime: { at_most: 2m }\n";

fn passes(steps: &str, said: &[&str]) {
    passes_with(DEMANDS, steps, said);
}

fn passes_with(demands: &str, steps: &str, said: &[&str]) {
    let Some(containers) = Containers::take() else {
        return;
    };
    let before = containers.as_found();
    let finished = containers.drill(&format!(
        "{demands}steps:\n  - baseline: {{ for: 5s }}\n{steps}"
    ));
    let text = &finished.stderr;
    // What it does is asked here, and not whether this machine was quiet enough to measure it (exit code 4).
    assert!(matches!(finished.code, Some(0 | 4)), "{text}");
    for part in said {
        assert!(text.contains(part), "{part:?} is missing:\n{text}");
    }
    let put_back = match steps.contains("undo:") {
        true => "everything undone",
        false => "nothing was broken",
    };
    assert!(text.contains(put_back), "{text}");
    assert_eq!(containers.as_found(), before, "{text}");
}

#[test]
fn a_killed_primary_is_replaced_and_comes_back_behind_the_new_one() {
    passes(
        "  - kill: { node: primary, id: crash }\n  - fail_over: { within: 90s }\n  - undo: { of: crash }\n  \
         - restore_redundancy: { within: 2m }\n  - settle: { within: 30s }\n",
        &[
            "is proven: no process of",
            "promoted by Patroni",
            "detect ",
            "elect ",
            "promote ",
        ],
    );
}

#[test]
fn a_frozen_primary_is_replaced_and_comes_back_behind_the_new_one() {
    passes(
        "  - freeze: { node: primary, id: stall }\n  - fail_over: { within: 90s }\n  - undo: { of: stall }\n  \
         - restore_redundancy: { within: 2m }\n  - settle: { within: 30s }\n",
        &["processes stand still", "promoted by Patroni"],
    );
}

#[test]
fn a_standby_that_is_cut_off_has_its_names_and_address_back() {
    passes(
        "  - cut: { node: standby, from: all, id: alone }\n  - hold: { for: 3s }\n  - undo: { of: alone }\n  \
         - restore_redundancy: { within: 2m }\n  - settle: { within: 30s }\n",
        &["lives, and nothing reaches it from clients or peers"],
    );
}

#[test]
fn a_node_is_stopped_a_process_killed_and_a_replay_paused() {
    passes(
        "  - stop: { node: standby, id: down }\n  - undo: { of: down }\n  \
         - kill_process: { node: standby, process: postmaster, id: one }\n  - undo: { of: one }\n  \
         - freeze: { node: standby, scope: postmaster, id: half }\n  - undo: { of: half }\n  \
         - pause_replay: { node: standby, id: lag }\n  - undo: { of: lag }\n  \
         - restore_redundancy: { within: 2m }\n  - settle: { within: 30s }\n",
        &["postmaster", "its replay is paused"],
    );
}

#[test]
fn a_switch_over_by_patroni_loses_nothing() {
    passes(
        "  - switch_over: { within: 90s }\n  - restore_redundancy: { within: 2m }\n  - settle: { within: 30s }\n",
        &["switch_over", "alone takes writes"],
    );
}

#[test]
fn a_machine_without_power_is_replaced_and_comes_back() {
    passes(
        "  - power_off: { node: primary, id: outage }\n  - fail_over: { within: 90s }\n  - undo: { of: outage }\n  \
         - restore_redundancy: { within: 2m }\n  - settle: { within: 30s }\n",
        &["power off the machine of", "promoted by Patroni"],
    );
}

#[test]
fn what_stands_beside_the_nodes_is_lost_and_serves_again() {
    // Service comes back by the undo, so that its outage has no end of its own to be judged.
    passes_with(
        "objectives:\n  - lost_commits: { at_most: 0 }\n",
        "  - lose_router: { id: router }\n  - hold: { for: 2s }\n  - undo: { of: router }\n  \
         - lose_router: { which: pooler, how: freeze, id: pooler }\n  - hold: { for: 2s }\n  \
         - undo: { of: pooler }\n  - lose_dcs: { members: 1, id: one }\n  - hold: { for: 5s }\n  \
         - undo: { of: one }\n  - settle: { within: 1m }\n",
        &[
            "no process lives of haproxy (1 of 1 of the router)",
            "every process stands still of pgbouncer",
            "no process lives of etcd-3 (1 of 3 of the dcs)",
        ],
    );
}

#[test]
fn an_agent_is_killed_and_frozen_and_its_server_goes_on() {
    passes(
        "  - kill_process: { node: standby, process: agent, id: crash }\n  - undo: { of: crash }\n  \
         - freeze: { node: standby, scope: agent, id: stall }\n  - hold: { for: 3s }\n  \
         - undo: { of: stall }\n  - restore_redundancy: { within: 2m }\n  - settle: { within: 30s }\n",
        &["failover agent", "is gone", "1 of 1 processes stand still"],
    );
}
