//! Each drill that is shipped, on the real local target: its verdict, its key facts, that its report is
//! rebuilt byte for byte, and that nothing is left behind.
//!
//! Two at a time, no more: clusters on one machine are each other's disturbance. A run that the machine
//! itself disturbed (an unfit baseline, a late observer) says nothing of the drill and is drawn again.

use super::{LONG, available};
use crate::support::{Firedrill, Turn, by_machine, package};
use serde_json::Value;
use std::time::Duration;

/// How often a run is drawn again that the machine disturbed.
const DRAWS: usize = 6;
/// Before the second draw, twice as long before the third, and so on.
const PAUSE: Duration = Duration::from_secs(5);

/// A run that took place as planned.
pub(super) struct Ran {
    pub(super) result: Value,
    code: i32,
    pub(super) stderr: String,
}

/// Runs a shipped drill until it took place as planned, checks what holds for every run, and gives its
/// result; `None` where no local cluster can run.
pub(super) fn run(drill: &str, arguments: &[&str]) -> Option<Ran> {
    if !available() {
        return None;
    }
    let _turn = Turn::beside_one();
    for seed in 1..=DRAWS {
        let ran = draw(drill, seed, arguments);
        if !was_disturbed(&ran) {
            assert_sound(&ran);
            return Some(ran);
        }
        println!("drawn again: {}", ran.result["reasons"]);
        // What keeps the machine busy may be over by then.
        std::thread::sleep(PAUSE * seed as u32);
    }
    panic!("{drill}: the machine disturbed {DRAWS} runs in a row");
}

fn draw(drill: &str, seed: usize, arguments: &[&str]) -> Ran {
    let sandbox = Firedrill::new().limit(LONG);
    let path = sandbox.home().join("result.json");
    let seed = seed.to_string();
    let output = format!("json={}", path.display());
    let mut words = vec!["run", drill, "--yes", "--seed", &seed, "-o", &output];
    words.extend(arguments);
    let finished = sandbox.run(&words);
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let result: Value = serde_json::from_str(&written)
        .unwrap_or_else(|error| panic!("{error} in {written:?}\n{}", finished.stderr));
    let report = sandbox.run(&["report", "latest", "-o", "json=-"]);
    assert_eq!(report.code, Some(0), "{}", report.stderr);
    assert_eq!(report.stdout, written, "the report is not the run's result");
    fits_the_schema(&sandbox, &result);
    sandbox.nothing_left();
    Ran {
        result,
        code: finished.code.expect("an exit code"),
        stderr: finished.stderr,
    }
}

fn fits_the_schema(sandbox: &Firedrill, result: &Value) {
    let schema = sandbox.run(&["schema", "result"]);
    let schema = serde_json::from_str(&schema.stdout).expect("a schema");
    let validator = jsonschema::validator_for(&schema).expect("a valid schema");
    let errors: Vec<String> = validator
        .iter_errors(result)
        .map(|error| format!("{}: {error}", error.instance_path))
        .collect();
    assert_eq!(errors, Vec::<String>::new());
}

/// Whether the run is invalid because of what the machine did to the observer, and not because of what
/// firedrill did.
fn was_disturbed(ran: &Ran) -> bool {
    ran.code == 4 && texts(&ran.result["reasons"]).any(by_machine)
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

pub(super) fn faults(result: &Value) -> impl Iterator<Item = &Value> {
    result["faults"].as_array().into_iter().flatten()
}

pub(super) fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("not a whole number: {value}"))
}

/// What holds for every run that took place as planned, whatever its verdict.
fn assert_sound(ran: &Ran) {
    let Ran { result, stderr, .. } = ran;
    assert_eq!(result["run"]["complete"], true);
    assert_eq!(result["undo"]["complete"], true, "{stderr}");
    assert_eq!(result["undo"]["writable_nodes_after"], 1, "{stderr}");
    assert_eq!(result["ledger"]["judged"], true, "{stderr}");
    let state = &result["state_left"];
    assert_eq!(state["streaming"], state["declared"], "{stderr}");
    for step in result["steps"].as_array().expect("steps") {
        assert_eq!(step["outcome"], "done", "{step}\n{stderr}");
    }
    for fault in result["faults"].as_array().expect("faults") {
        assert!(fault["effect_ms"].is_number(), "{fault}");
        assert_eq!(fault["undo"]["verified"], true, "{fault}");
    }
    for name in ["phantom", "unexpected", "duplicated"] {
        assert_eq!(result["ledger"][name], 0, "{name}");
    }
    assert_eq!(result["ledger"]["diverged_nodes"], serde_json::json!([]));
    assert_counts_agree(result);
    assert_parts_sum(&result["recovery"]);
    assert_bounds_in_order("result", result);
}

/// The ledger counts what the endpoints' channels counted, and every attempt has one outcome.
fn assert_counts_agree(result: &Value) {
    let ledger = &result["ledger"];
    let doubt = &ledger["in_doubt"];
    assert_eq!(
        number(&doubt["count"]),
        number(&doubt["recovered"]) + number(&doubt["vanished"])
    );
    assert_eq!(
        number(&ledger["attempted"]),
        number(&ledger["acknowledged"]) + number(&ledger["failed"]) + number(&doubt["count"])
    );
    let mut acknowledged = 0;
    for name in ["writer_fresh", "writer_pinned"] {
        let channel = &result["channels"][name];
        acknowledged += number(&channel["acknowledged"]);
        let outcomes = ["acknowledged", "acknowledged_late", "failed", "in_doubt"];
        let sum: u64 = outcomes.iter().map(|of| number(&channel[of])).sum();
        assert_eq!(number(&channel["attempted"]), sum, "{name}");
    }
    assert_eq!(number(&ledger["acknowledged"]), acknowledged);
}

fn assert_parts_sum(recovery: &Value) {
    let parts = recovery["parts"].as_array().expect("parts");
    let sum: u64 = parts.iter().filter_map(|part| part["us"].as_u64()).sum();
    if let Some(total) = recovery["total_us"].as_u64() {
        assert_eq!(sum, total, "{recovery}");
    }
}

fn assert_bounds_in_order(at: &str, value: &Value) {
    match value {
        Value::Object(fields) => {
            if let (Some(lower), Some(upper)) = (
                value["lower_ms"].as_f64(),
                fields.get("upper_ms").and_then(Value::as_f64),
            ) {
                assert!(lower >= 0.0 && lower <= upper, "{at}: {value}");
            }
            for (name, field) in fields {
                assert_bounds_in_order(&format!("{at}.{name}"), field);
            }
        }
        Value::Array(items) => {
            for item in items {
                assert_bounds_in_order(at, item);
            }
        }
        _ => {}
    }
}

impl Ran {
    /// Asserts verdict and exit code, and gives the result.
    pub(super) fn came_out(&self, verdict: &str, code: i32) -> &Value {
        assert_eq!(self.result["verdict"], verdict, "{}", self.stderr);
        assert_eq!(self.code, code, "{}", self.stderr);
        &self.result
    }

    /// The objectives that were not met.
    pub(super) fn not_met(&self) -> Vec<&str> {
        let objectives = self.result["objectives"].as_array().expect("objectives");
        let failed = objectives
            .iter()
            .filter(|objective| objective["verdict"] != "pass");
        failed.filter_map(|o| o["name"].as_str()).collect()
    }

    /// Asserts that nothing but `allowed` was not met, and that the verdict says so.
    pub(super) fn fails_at_most(&self, allowed: &[&str]) {
        let not_met = self.not_met();
        for name in &not_met {
            assert!(allowed.contains(name), "{name} failed\n{}", self.stderr);
        }
        match not_met.as_slice() {
            [] => self.came_out("pass", 0),
            _ => self.came_out("fail", 1),
        };
    }

    pub(super) fn outages(&self, channel: &str) -> usize {
        let outages = self.result["channels"][channel]["outages"].as_array();
        outages.expect("outages").len()
    }

    /// Asserts that node-1 was replaced, and by whom.
    fn new_primary(&self, name: &str, by: &str) {
        let recovery = &self.result["recovery"];
        assert_eq!(recovery["old_primary"], "node-1");
        assert_eq!(recovery["new_primary"], name);
        assert_eq!(recovery["promoted_by"], by);
        assert_eq!(self.result["state_left"]["primary"], name);
        assert_eq!(self.result["state_left"]["timeline"], 2);
        assert!(number(&recovery["total_us"]) > 0);
    }
}

/// The path of a target file of the examples.
pub(super) fn example(name: &str) -> String {
    let path = package().join("examples").join(name);
    path.to_str().expect("a plain path").to_owned()
}

#[test]
fn no_fault_finds_nothing() {
    let Some(ran) = run("no-fault", &[]) else {
        return;
    };
    let result = ran.came_out("pass", 0);
    for channel in ["writer_fresh", "writer_pinned", "reader"] {
        assert_eq!(ran.outages(channel), 0, "{}", ran.stderr);
    }
    assert_eq!(result["ledger"]["lost"]["count"], 0);
    assert_eq!(result["state_left"]["primary"], "node-1");
    assert_eq!(result["state_left"]["timeline"], 1);
    // Nobody took anything for lost, not even while the run was ended and audited.
    assert!(
        !ran.stderr.contains("no longer the leader"),
        "{}",
        ran.stderr
    );
}

#[test]
fn primary_crash_is_survived() {
    let Some(ran) = run("primary-crash", &[]) else {
        return;
    };
    // Asynchronous: what no standby had flushed when the primary died may be gone.
    ran.fails_at_most(&["lost_commits"]);
    ran.new_primary("node-2", "local agent");
    assert_eq!(ran.outages("writer_fresh"), 1, "{}", ran.stderr);
    let ledger = &ran.result["ledger"];
    assert!(number(&ledger["lost"]["count"]) <= number(&ledger["at_risk"]));
}

#[test]
fn primary_crash_loses_nothing_where_replication_is_synchronous() {
    let target = example("local-sync.target.yaml");
    let Some(ran) = run("primary-crash", &["--target", &target]) else {
        return;
    };
    let result = ran.came_out("pass", 0);
    let recovery = &result["recovery"];
    assert_eq!(recovery["promoted_by"], "local agent");
    assert_ne!(recovery["new_primary"], "node-1");
    assert_eq!(result["ledger"]["lost"]["count"], 0);
    // The other standby follows the new primary, and the old one came back.
    assert_eq!(result["state_left"]["streaming"], 2);
}

#[test]
fn primary_crash_is_ended_by_firedrill_where_nobody_fails_over() {
    let target = example("local-promote.target.yaml");
    let Some(ran) = run("primary-crash", &["--target", &target]) else {
        return;
    };
    ran.fails_at_most(&["lost_commits"]);
    let recovery = &ran.result["recovery"];
    assert_eq!(recovery["promoted_by"], "firedrill");
    assert_ne!(recovery["new_primary"], "node-1");
    // The other standby follows the new primary, and the old one came back.
    assert_eq!(ran.result["state_left"]["streaming"], 2);
}

#[test]
fn postmaster_crash_is_survived() {
    let Some(ran) = run("postmaster-crash", &[]) else {
        return;
    };
    ran.fails_at_most(&["lost_commits"]);
    assert_eq!(ran.result["faults"][0]["fault"], "kill_process");
    assert_eq!(ran.outages("writer_fresh"), 1, "{}", ran.stderr);
}

#[test]
fn planned_switchover_loses_nothing() {
    let Some(ran) = run("planned-switchover", &[]) else {
        return;
    };
    let result = ran.came_out("pass", 0);
    ran.new_primary("node-2", "firedrill");
    assert_eq!(result["ledger"]["lost"]["count"], 0);
    assert_eq!(result["faults"], serde_json::json!([]));
}

#[test]
fn standby_crash_costs_writers_nothing() {
    let Some(ran) = run("standby-crash", &[]) else {
        return;
    };
    let result = ran.came_out("pass", 0);
    assert_eq!(
        ran.outages("writer_fresh") + ran.outages("writer_pinned"),
        0
    );
    assert_eq!(result["state_left"]["primary"], "node-1");
    assert_eq!(result["state_left"]["timeline"], 1);
}

#[test]
fn standby_crash_stops_writers_where_it_was_the_only_synchronous_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("one-sync.target.yaml");
    let text = "version: 1\nlocal: { standbys: 1, synchronous: true }\n";
    std::fs::write(&path, text).expect("a file in an own folder");
    let target = path.to_str().expect("a plain path");
    let Some(ran) = run("standby-crash", &["--target", target]) else {
        return;
    };
    let result = ran.came_out("fail", 1);
    assert_eq!(ran.not_met(), ["downtime"], "{}", ran.stderr);
    assert_eq!(result["ledger"]["lost"]["count"], 0);
    // Only our own undo ended it, so how long it would have lasted is not known.
    let outage = &result["channels"]["writer_pinned"]["outages"][0];
    assert_eq!(outage["ended"], false, "{outage}");
    assert_eq!(outage["censored_by_undo"], true, "{outage}");
}

#[test]
fn primary_freeze_counts_what_the_old_primary_took_after_it_woke() {
    let Some(ran) = run("primary-freeze", &[]) else {
        return;
    };
    // Which of them fail is a matter of the phase in which the old primary wakes.
    ran.fails_at_most(&["two_writers", "lost_commits"]);
    ran.new_primary("node-2", "local agent");
    let two = ran.result["two_writers"]["pairs"]
        .as_array()
        .expect("pairs");
    let after: u64 = two.iter().map(|pair| number(&pair["sent_after"])).sum();
    assert_eq!(after > 0, ran.not_met().contains(&"two_writers"));
    assert!(ran.result["faults"][0]["released_ms"].is_number());
}

#[test]
fn primary_cut_off_counts_what_only_the_old_primary_acknowledged() {
    let Some(ran) = run("primary-cut-off", &[]) else {
        return;
    };
    let result = ran.came_out("fail", 1);
    ran.fails_at_most(&["isolated_commits", "two_writers", "lost_commits"]);
    assert!(
        ran.not_met().contains(&"isolated_commits"),
        "{}",
        ran.stderr
    );
    assert!(ran.not_met().contains(&"two_writers"), "{}", ran.stderr);
    ran.new_primary("node-2", "local agent");
    let isolated = &result["ledger"]["isolated"];
    // Five seconds and more of a probe that writes twenty times a second.
    assert!(number(&isolated["count"]) > 50, "{isolated}");
    assert!(isolated["span_ms"].as_f64().is_some_and(|ms| ms > 4000.0));
    let pair = &result["two_writers"]["pairs"][0];
    assert_eq!(pair["losing"], 1, "{pair}");
    assert!(number(&pair["sent_after"]) > 50, "{pair}");
}

#[test]
fn load_spike_is_served_beside_the_probes_and_survives_the_primary() {
    let Some(ran) = run("load-spike", &[]) else {
        return;
    };
    // On a machine that is busy itself a request of the spike may fail, or clients wait for long.
    ran.fails_at_most(&["lost_commits", "condition", "downtime"]);
    ran.new_primary("node-2", "local agent");
    let spike = &ran.result["loads"]["spike"];
    assert!(number(&spike["answered"]) > 100, "{spike}");
    assert_eq!(spike["refused"], 0, "{spike}");
    assert_eq!(spike["ended"], true);
    assert!(number(&spike["latency_ms"]["load"]["count"]) > 100);
    assert!(number(&spike["beside"]["during"]["count"]) > 0);
    // Their commits are rows of the ledger's table, and none of the ledger's.
    assert_eq!(ran.result["ledger"]["unexpected"], 0);
    let again = &ran.result["loads"]["again"];
    assert!(number(&again["failed"]) + number(&again["not_sent"]) > 0);
}

#[test]
fn reconnect_storm_lets_everybody_back_in() {
    let Some(ran) = run("reconnect-storm", &[]) else {
        return;
    };
    // How long it takes is the machine's: twenty clients at once are much for two processors.
    ran.fails_at_most(&["lost_commits", "condition", "downtime"]);
    ran.new_primary("node-2", "local agent");
    let storm = &ran.result["loads"]["storm"];
    assert_eq!(storm["reconnects"]["lost"], 20, "{storm}");
    assert_eq!(storm["reconnects"]["served"], 20, "{storm}");
    assert!(number(&storm["reconnects"]["tries"]) >= 20, "{storm}");
    assert!(storm["reconnects"]["all_served"]["upper_ms"].is_number());
}

#[test]
fn idle_sessions_learn_of_the_freeze_through_the_router() {
    let Some(ran) = run("idle-sessions", &[]) else {
        return;
    };
    ran.fails_at_most(&["lost_commits"]);
    ran.new_primary("node-2", "local agent");
    for load in ["idle", "listening", "querying"] {
        let sessions = &ran.result["loads"][load]["sessions"];
        assert_eq!(sessions["opened"], 4, "{sessions}");
        assert_eq!(sessions["noticed"], 4, "{sessions}");
        // Nothing told them but the router's checks, which take their time.
        assert!(
            sessions["fastest"]["lower_ms"].as_f64() > Some(50.0),
            "{sessions}"
        );
    }
}

#[test]
fn lagging_promotion_loses_exactly_what_the_old_data_holds() {
    let Some(ran) = run("lagging-promotion", &[]) else {
        return;
    };
    // The objective fails, which is what was expected, so that the run is good.
    let result = ran.came_out("fail", 0);
    assert_eq!(result["expect"]["met"], true);
    assert_eq!(ran.not_met(), ["lost_commits"], "{}", ran.stderr);
    let lost = &result["ledger"]["lost"];
    let count = number(&lost["count"]);
    // Eight seconds of sixty commits a second, some of them refused or in doubt.
    assert!(count > 300, "{lost}");
    assert_eq!(lost["found_in_old_data"], count, "{lost}");
    assert_eq!(lost["shape"], "suffix", "{lost}");
    assert!(number(&result["ledger"]["at_risk"]) >= count);
    assert!(
        lost["rpo"]["lower_ms"]
            .as_f64()
            .is_some_and(|ms| ms > 7000.0),
        "{lost}"
    );
}
