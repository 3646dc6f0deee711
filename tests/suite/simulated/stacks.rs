//! The verdict that every shipped drill must get on a stack that works and on each that does not. One
//! line a drill: exit code, verdict, and which demands were not met or could not be judged.

use super::{Ran, run};
use serde_json::Value;

/// In the order of drills/README.md.
const DRILLS: [&str; 13] = [
    "no-fault",
    "primary-crash",
    "postmaster-crash",
    "planned-switchover",
    "standby-crash",
    "primary-freeze",
    "primary-cut-off",
    "lagging-promotion",
    "cascading-failovers",
    "stale-primary-returns",
    "rolling-restart",
    "replica-rebuild",
    "abandoned-slot",
];

/// Those with clients of firedrill's own beside the probes.
const LOADED: [&str; 3] = ["load-spike", "reconnect-storm", "idle-sessions"];

/// Those that make a stack put another node in the primary's place.
const FAILOVERS: [&str; 5] = [
    "primary-crash",
    "postmaster-crash",
    "primary-freeze",
    "primary-cut-off",
    "cascading-failovers",
];

/// What the drills come to on a stack.
fn verdicts(drills: &[&str], settings: &str) -> String {
    let lines = drills.iter().map(|drill| {
        let ran = run(drill, settings, 7);
        assert_sound(&ran, drill);
        let Ran { code, result, .. } = &ran;
        let verdict = result["verdict"].as_str().unwrap_or("none");
        let mut line = format!("{drill}: exit {code}, {verdict}");
        for wanted in ["fail", "unknown"] {
            let names: Vec<&str> = objectives(result)
                .filter(|objective| objective["verdict"] == wanted)
                .filter_map(|objective| objective["name"].as_str())
                .collect();
            if !names.is_empty() {
                line.push_str(&format!(", {wanted} of {}", names.join(" and ")));
            }
        }
        line
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn objectives(result: &Value) -> impl Iterator<Item = &Value> {
    result["objectives"].as_array().into_iter().flatten()
}

/// What holds whatever a stack does: the observer was not disturbed, the faults were proven, every number
/// of the ledger adds up, and the report names the simulation.
fn assert_sound(ran: &Ran, drill: &str) {
    let Ran { result, stderr, .. } = ran;
    assert_eq!(result["run"]["complete"], true, "{drill}\n{stderr}");
    assert_eq!(result["observer"]["valid"], true, "{drill}\n{stderr}");
    assert_ne!(result["verdict"], "invalid", "{drill}\n{stderr}");
    assert_eq!(result["run"]["target"], "simulated", "{drill}");
    assert_eq!(result["ledger"]["phantom"], 0, "{drill}\n{stderr}");
    assert_eq!(result["ledger"]["unexpected"], 0, "{drill}\n{stderr}");
    assert_eq!(result["ledger"]["duplicated"], 0, "{drill}\n{stderr}");
    for fault in result["faults"].as_array().expect("faults") {
        assert!(!fault["effect_ms"].is_null(), "{drill}: {fault}");
    }
}

#[test]
fn a_good_stack_passes_everything_but_the_calibration_for_which_it_is_too_good() {
    insta::assert_snapshot!(verdicts(&DRILLS, "{}"), @"
    no-fault: exit 0, pass
    primary-crash: exit 0, pass
    postmaster-crash: exit 0, pass
    planned-switchover: exit 0, pass
    standby-crash: exit 0, pass
    primary-freeze: exit 0, pass
    primary-cut-off: exit 0, pass
    lagging-promotion: exit 3, unknown, unknown of lost_commits
    cascading-failovers: exit 0, pass
    stale-primary-returns: exit 0, pass
    rolling-restart: exit 0, pass
    replica-rebuild: exit 0, pass
    abandoned-slot: exit 0, pass
    ");
}

#[test]
fn a_good_stack_stands_the_load_of_our_own_clients() {
    insta::assert_snapshot!(verdicts(&LOADED, "{}"), @"
    load-spike: exit 0, pass
    reconnect-storm: exit 0, pass
    idle-sessions: exit 0, pass
    ");
}

#[test]
fn without_synchronous_commits_an_old_primary_takes_writes_that_nobody_keeps() {
    let settings = "{ nodes: 3, synchronous: false }";
    let drills = ["primary-freeze", "primary-cut-off", "stale-primary-returns"];
    insta::assert_snapshot!(verdicts(&drills, settings), @"
    primary-freeze: exit 1, fail, fail of lost_commits and two_writers
    primary-cut-off: exit 1, fail, fail of isolated_commits and two_writers
    stale-primary-returns: exit 1, fail, fail of two_writers and lost_commits
    ");
}

#[test]
fn a_single_asynchronous_standby_that_lagged_loses_what_the_calibration_expects() {
    let ran = run("lagging-promotion", "{ nodes: 2, synchronous: false }", 7);
    assert_eq!(
        (ran.code, &ran.result["verdict"]),
        (0, &Value::from("fail")),
        "{}",
        ran.stderr
    );
    let ledger = &ran.result["ledger"];
    assert!(ledger["lost"]["count"].as_u64() > Some(100), "{ledger}");
    assert_eq!(ledger["lost"]["shape"], "suffix");
    assert!(
        ledger["at_risk"].as_u64() >= ledger["lost"]["count"].as_u64(),
        "nothing is lost that was not at risk: {ledger}"
    );
}

#[test]
fn a_stack_that_never_promotes_is_down() {
    let settings = "{ behaviour: never_promotes }";
    insta::assert_snapshot!(verdicts(&DRILLS, settings), @"
    no-fault: exit 0, pass
    primary-crash: exit 1, fail, fail of downtime, unknown of redundancy
    postmaster-crash: exit 1, fail, fail of downtime, unknown of redundancy
    planned-switchover: exit 1, fail, fail of downtime, unknown of redundancy
    standby-crash: exit 0, pass
    primary-freeze: exit 1, fail, fail of downtime, unknown of redundancy
    primary-cut-off: exit 1, fail, fail of downtime, unknown of redundancy
    lagging-promotion: exit 1, fail, unknown of downtime and lost_commits
    cascading-failovers: exit 1, fail, fail of downtime and condition, unknown of redundancy
    stale-primary-returns: exit 1, fail, unknown of redundancy
    rolling-restart: exit 1, fail, fail of downtime and condition and condition, unknown of redundancy
    replica-rebuild: exit 0, pass
    abandoned-slot: exit 0, pass
    ");
}

#[test]
fn a_stack_that_promotes_late_is_down_for_as_long() {
    let settings = "{ behaviour: { promotes_late: { after: 31s } } }";
    insta::assert_snapshot!(verdicts(&FAILOVERS, settings), @"
    primary-crash: exit 1, fail, fail of downtime
    postmaster-crash: exit 1, fail, fail of downtime
    primary-freeze: exit 1, fail, fail of downtime
    primary-cut-off: exit 1, fail, fail of downtime
    cascading-failovers: exit 1, fail, fail of downtime
    ");
    let ran = run("primary-crash", settings, 7);
    let worst = &ran.result["channels"]["writer_fresh"]["outages"][0];
    let ms = |name: &str| worst[name].as_f64().expect("a bound");
    assert!(
        ms("lower_ms") < 31_900.0 && ms("upper_ms") > 31_300.0,
        "{worst}"
    );
}

#[test]
fn a_stack_that_makes_two_primaries_is_caught_and_left_for_a_person() {
    let settings = "{ synchronous: false, behaviour: two_primaries }";
    insta::assert_snapshot!(verdicts(&["primary-crash", "primary-cut-off"], settings), @"
    primary-crash: exit 6, fail, fail of two_writers, unknown of lost_commits and redundancy and phantom and divergence
    primary-cut-off: exit 6, fail, fail of two_writers, unknown of lost_commits and isolated_commits and redundancy and phantom and divergence
    ");
}

#[test]
fn a_stack_that_loses_what_it_confirmed_is_caught() {
    let settings = "{ behaviour: { loses_last: { commits: 200 } } }";
    insta::assert_snapshot!(verdicts(&FAILOVERS, settings), @"
    primary-crash: exit 1, fail, fail of lost_commits
    postmaster-crash: exit 1, fail, fail of lost_commits
    primary-freeze: exit 1, fail, fail of lost_commits
    primary-cut-off: exit 1, fail, fail of lost_commits
    cascading-failovers: exit 1, fail, fail of lost_commits
    ");
    let ran = run("primary-crash", settings, 7);
    let lost = ran.result["ledger"]["lost"]["count"].as_u64();
    // The other channels' commits are among the last 200 too.
    assert!(lost > Some(120) && lost <= Some(200), "{lost:?}");
}

#[test]
fn a_node_that_comes_back_diverged_is_caught() {
    let settings = "{ behaviour: comes_back_diverged }";
    insta::assert_snapshot!(verdicts(&FAILOVERS, settings), @"
    primary-crash: exit 1, fail, fail of divergence
    postmaster-crash: exit 1, fail, fail of divergence
    primary-freeze: exit 1, fail, fail of divergence
    primary-cut-off: exit 1, fail, fail of divergence
    cascading-failovers: exit 1, fail, fail of lost_commits and divergence
    ");
}

#[test]
fn firedrill_promotes_where_the_stack_does_not() {
    let settings = "{ failover: promote }";
    let drills = [
        "primary-crash",
        "planned-switchover",
        "standby-crash",
        "cascading-failovers",
        "stale-primary-returns",
        "rolling-restart",
        "replica-rebuild",
    ];
    insta::assert_snapshot!(verdicts(&drills, settings), @"
    primary-crash: exit 0, pass
    planned-switchover: exit 0, pass
    standby-crash: exit 0, pass
    cascading-failovers: exit 0, pass
    stale-primary-returns: exit 0, pass
    rolling-restart: exit 0, pass
    replica-rebuild: exit 0, pass
    ");
}

#[test]
fn a_standby_that_writers_wait_for_stops_them_while_it_is_rebuilt() {
    let settings = "{ nodes: 2, synchronous: true }";
    insta::assert_snapshot!(verdicts(&["rolling-restart", "replica-rebuild"], settings), @"
    rolling-restart: exit 0, pass
    replica-rebuild: exit 1, fail, fail of downtime, unknown of latency
    ");
}

#[test]
fn the_nodes_of_one_step_are_restarted_in_turn() {
    let ran = run("rolling-restart", "{ nodes: 4 }", 7);
    let faults = ran.result["faults"].as_array().expect("faults");
    let nodes: Vec<&str> = faults
        .iter()
        .filter_map(|fault| fault["node"].as_str())
        .collect();
    assert_eq!(nodes, ["node-2", "node-3", "node-4", "node-1"]);
    for pair in faults.windows(2) {
        let back = pair[0]["undo"]["effect_ms"].as_f64().expect("verified");
        assert!(Some(back) <= pair[1]["requested_ms"].as_f64(), "{pair:?}");
    }
}

/// An old primary that is back alone confirms nothing: whoever writes to it waits, and the probes must not
/// fill it meanwhile.
#[test]
fn the_probes_do_not_fill_a_primary_that_confirms_nothing() {
    for failover in ["promote", "automatic"] {
        let settings = format!("{{ failover: {failover} }}");
        let ran = run("stale-primary-returns", &settings, 7);
        assert_eq!(ran.result["verdict"], "pass", "{}", ran.stderr);
        let channels = ran.result["channels"].as_object().expect("channels");
        for (name, channel) in channels {
            let errors = channel["errors"].to_string();
            assert!(!errors.contains("53300"), "{name}: {errors}");
        }
    }
}

#[test]
fn sessions_that_nobody_closes_hang_until_the_node_is_put_back() {
    // A router that never takes a silent node out, as an address without a health check behind it.
    let settings = "{ router: { fall: 1000 } }";
    let ran = run("idle-sessions", settings, 7);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    for (load, word) in [
        ("idle", "idle"),
        ("listening", "listen"),
        ("querying", "long_query"),
    ] {
        let load = &ran.result["loads"][load];
        assert_eq!(load["does"], word);
        assert_eq!(load["sessions"]["hung"], 4, "{load}");
        assert_eq!(load["sessions"]["noticed"], 0, "{load}");
        assert_eq!(load["sessions"]["slowest"]["upper_ms"], Value::Null);
        let lower = load["sessions"]["slowest"]["lower_ms"].as_f64();
        assert!(lower > Some(10_000.0), "{load}");
    }
    assert!(ran.stderr.contains("4 HUNG"), "{}", ran.stderr);
}

#[test]
fn a_storm_is_served_and_one_that_has_no_room_is_refused() {
    let ran = run("reconnect-storm", "{}", 7);
    let storm = &ran.result["loads"]["storm"];
    assert_eq!(storm["reconnects"]["served"], 20, "{storm}");
    assert!(storm["reconnects"]["tries"].as_u64() > Some(20), "{storm}");
    let narrow = "version: 1\nsimulated: { max_connections: 40 }\n";
    let narrow = ran.sandbox.file("narrow.target.yaml", narrow);
    let words = ["run", "reconnect-storm", "--yes", "--target", &narrow];
    let refused = ran.sandbox.run(&words);
    assert_eq!(refused.code, Some(5), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("the drill's loads 20"),
        "{}",
        refused.stderr
    );
    let few = "version: 1\nlimits: { clients: 19 }\nsimulated: {}\n";
    let few = ran.sandbox.file("few.target.yaml", few);
    let words = ["run", "reconnect-storm", "--yes", "--target", &few];
    let refused = ran.sandbox.run(&words);
    assert_eq!(refused.code, Some(5), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("limits: { clients: 20 }"),
        "{}",
        refused.stderr
    );
}
