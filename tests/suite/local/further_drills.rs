//! The shipped drills that hit more than one node, or one node for longer than a failover takes: what
//! `drills.rs` says holds here too.

use super::drills::{example, faults, number, run};

#[test]
fn each_new_primary_dies_and_is_replaced() {
    // Synchronous, so that no round may lose anything.
    let target = example("local-sync.target.yaml");
    let Some(ran) = run(
        "cascading-failovers",
        &["--target", &target, "--set", "rounds=2"],
    ) else {
        return;
    };
    let result = ran.came_out("pass", 0);
    assert_eq!(result["state_left"]["timeline"], 3);
    assert_eq!(result["ledger"]["lost"]["count"], 0);
    let hit: Vec<&str> = faults(result)
        .filter_map(|fault| fault["node"].as_str())
        .collect();
    assert_eq!(hit.len(), 2);
    assert_ne!(
        hit[0], hit[1],
        "the second round hit the first one's successor"
    );
    assert!(ran.outages("writer_fresh") >= 2, "{}", ran.stderr);
}

#[test]
fn an_old_primary_that_returns_alone_takes_writes_that_are_thrown_away() {
    let Some(ran) = run("stale-primary-returns", &["--set", "alone=3s"]) else {
        return;
    };
    ran.came_out("fail", 1);
    ran.fails_at_most(&["two_writers", "lost_commits"]);
    assert_eq!(ran.not_met(), ["two_writers", "lost_commits"]);
    let ledger = &ran.result["ledger"];
    assert!(number(&ledger["lost"]["count"]) > 20, "{ledger}");
    let pair = &ran.result["two_writers"]["pairs"][0];
    assert_eq!((&pair["old"], &pair["new"]), (&1.into(), &2.into()));
    assert_eq!(pair["losing"], 1, "{pair}");
    // The newest timeline leads in the end, and the old primary follows it.
    assert_eq!(ran.result["state_left"]["primary"], "node-2");
    assert_eq!(ran.result["state_left"]["timeline"], 2);
}

#[test]
fn an_old_primary_that_returns_alone_confirms_nothing_where_a_standby_must_have_it() {
    let target = example("local-sync.target.yaml");
    let arguments = ["--target", &target, "--set", "alone=3s"];
    let Some(ran) = run("stale-primary-returns", &arguments) else {
        return;
    };
    let result = ran.came_out("pass", 0);
    let hit: Vec<&str> = faults(result)
        .filter_map(|fault| fault["node"].as_str())
        .collect();
    assert_eq!(hit.len(), 3, "all nodes were down: {hit:?}");
    assert_eq!(hit[0], "node-1");
    assert_ne!(result["state_left"]["primary"], "node-1");
}

#[test]
fn every_node_is_restarted_in_its_turn() {
    let target = example("local-sync.target.yaml");
    let Some(ran) = run("rolling-restart", &["--target", &target]) else {
        return;
    };
    let result = ran.came_out("pass", 0);
    assert_eq!(result["ledger"]["lost"]["count"], 0);
    let hit: Vec<(&str, &str)> = faults(result)
        .filter_map(|fault| Some((fault["node"].as_str()?, fault["role"].as_str()?)))
        .collect();
    let all = ["node-2", "node-3", "node-1"].map(|node| (node, "standby"));
    assert_eq!(hit, all, "one after the other, the old primary last");
    for (fault, next) in faults(result).zip(faults(result).skip(1)) {
        let back = fault["undo"]["effect_ms"].as_f64().expect("verified");
        let struck = next["requested_ms"].as_f64().expect("a stamp");
        assert!(back <= struck, "{fault} was not back before {next}");
    }
    assert_ne!(result["state_left"]["primary"], "node-1");
}

#[test]
fn a_standby_without_data_is_made_anew() {
    // How slow a disk makes the copy and its checkpoint is not what this asks.
    let limits = ["--set", "latency_limit=10s", "--set", "downtime_limit=1m"];
    let Some(ran) = run("replica-rebuild", &limits) else {
        return;
    };
    let result = &ran.result;
    let interrupted = ran.outages("writer_fresh") + ran.outages("writer_pinned") > 0;
    // An interruption may leave too few answers for a percentile.
    let expected: &[&str] = if interrupted { &["latency"] } else { &[] };
    let not_met = ran.not_met();
    assert!(not_met.is_empty() || not_met == expected, "{}", ran.stderr);
    let fault = &result["faults"][0];
    assert_eq!(
        (&fault["fault"], &fault["node"]),
        (&"lose_data".into(), &"node-2".into())
    );
    let redundancy = &result["recovery"]["redundancy"];
    assert!(
        redundancy["lower_ms"].as_f64() > Some(4000.0),
        "{redundancy}"
    );
    assert!(redundancy["upper_ms"].is_number(), "{redundancy}");
    assert_eq!(result["state_left"]["timeline"], 1);
}

#[test]
fn a_slot_that_nobody_reads_is_given_up_at_the_limit() {
    // Slow disks may make clients wait for the log that is written: how long is not what this asks.
    let Some(ran) = run("abandoned-slot", &["--set", "downtime_limit=1m"]) else {
        return;
    };
    let result = ran.came_out("pass", 0);
    let noted = |id: &str| {
        let steps = result["steps"].as_array().expect("steps");
        let step = steps.iter().find(|step| step["id"] == id).expect("a step");
        step["noted"].to_string()
    };
    assert!(
        noted("before").contains("retained, "),
        "{}",
        noted("before")
    );
    assert!(noted("after").contains("lost"), "{}", noted("after"));
    assert_eq!(faults(result).count(), 1);
}
