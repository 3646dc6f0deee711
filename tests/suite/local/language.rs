//! What drill files can say beyond single steps, on a real cluster: rounds, faults at one moment, nodes that
//! come back after a time, conditions that require and stop.

use super::LONG;
use crate::interrupted::{BUSY, CRASH};
use crate::support::{Finished, Firedrill, Turn};
use serde_json::Value;

/// A drill with these lines before its steps, and these steps after its baseline.
fn drill(head: &str, steps: &str) -> String {
    let (before, rest) = CRASH.split_once("steps:\n").expect("steps");
    let (baseline, _) = rest.split_once("  - kill").expect("a fault");
    format!("{before}{head}steps:\n{baseline}{steps}")
}

/// Runs a drill; its result where it has one.
fn run(drill: &str, target: &str) -> Option<(Finished, Value)> {
    if !super::available() {
        return None;
    }
    let _turn = Turn::take();
    let firedrill = Firedrill::new().limit(LONG);
    let file = firedrill.file("drill.yaml", drill);
    let target = firedrill.file("ours.target.yaml", target);
    let path = firedrill.home().join("result.json");
    let output = format!("json={}", path.display());
    let words = [
        "run", &file, "--yes", "--seed", "7", "--target", &target, "-o", &output,
    ];
    let finished = firedrill.run(&words);
    firedrill.nothing_left();
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let result = serde_json::from_str(&written).unwrap_or(Value::Null);
    Some((finished, result))
}

fn outcomes(result: &Value) -> Vec<String> {
    let steps = result["steps"].as_array().expect("steps");
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let line = |step: &Value| format!("{} {}", word(&step["id"]), word(&step["outcome"]));
    steps.iter().map(line).collect()
}

#[test]
fn rounds_of_a_primary_that_comes_back_by_itself_each_time() {
    let steps = "  - repeat:
      times: 2
      steps:
        - kill: { node: primary, id: crash, returns: { after: 4s } }
        - fail_over: { within: 60s }
        - hold: { for: 4s }
        - undo: { of: crash }
        - restore_redundancy: { within: 2m }
";
    let require = "require: [ nodes.standbys.streaming >= 1, nodes.writable == 1 ]\n";
    let Some((finished, result)) = run(&drill(require, steps), BUSY) else {
        return;
    };
    let stderr = &finished.stderr;
    assert_eq!(result["undo"]["complete"], true, "{stderr}");
    assert_eq!(
        outcomes(&result).join("\n"),
        "baseline-1 done\ncrash#1 done\nfail_over-1#1 done\nhold-1#1 done\nundo-1#1 done\n\
         restore_redundancy-1#1 done\ncrash#2 done\nfail_over-1#2 done\nhold-1#2 done\n\
         undo-1#2 done\nrestore_redundancy-1#2 done",
        "{stderr}"
    );
    let faults = result["faults"].as_array().expect("faults");
    assert_eq!(faults.len(), 2);
    for fault in faults {
        assert_eq!(fault["undo"]["verified"], true, "{fault}");
        let struck = fault["effect_ms"].as_f64().expect("a proof");
        let released = fault["released_ms"].as_f64().expect("it came back");
        assert!(released - struck >= 3_990.0, "{fault}");
    }
    assert_ne!(faults[0]["node"], faults[1]["node"]);
}

#[test]
fn faults_at_one_moment_have_one_beginning_and_both_are_undone() {
    let steps = "  - together:
      - kill: { node: primary, id: crash }
      - kill: { node: standby, id: other }
  - hold: { for: 1s }
  - undo: { of: crash }
  - undo: { of: other }
  - restore_redundancy: { within: 2m }
";
    let Some((finished, result)) = run(&drill("", steps), BUSY) else {
        return;
    };
    let stderr = &finished.stderr;
    let faults = result["faults"].as_array().expect("faults");
    assert_eq!(faults.len(), 2, "{stderr}");
    assert_eq!(faults[0]["requested_ms"], faults[1]["requested_ms"]);
    assert_ne!(faults[0]["node"], faults[1]["node"]);
    for fault in faults {
        assert_eq!(fault["undo"]["verified"], true, "{fault}\n{stderr}");
    }
    assert!(
        outcomes(&result).iter().all(|line| line.ends_with("done")),
        "{stderr}"
    );
}

/// Nobody promotes, so that without the condition the drill would wait for an hour.
#[test]
fn a_condition_ends_the_drill_and_everything_is_put_back() {
    let stop = "stop_if: [ channels.writer_fresh.unavailable_ms > 2000 ]\n";
    let steps = "  - kill: { node: primary, id: crash }\n  - hold: { for: 1h, id: long }\n";
    let target = format!("{BUSY}  failover: promote\n");
    let Some((finished, result)) = run(&drill(stop, steps), &target) else {
        return;
    };
    let stderr = &finished.stderr;
    assert_eq!(finished.code, Some(1), "{stderr}");
    assert_eq!(result["verdict"], "fail", "{stderr}");
    assert_eq!(result["undo"]["complete"], true, "{stderr}");
    assert_eq!(result["ledger"]["judged"], true, "{stderr}");
    let reasons = result["reasons"].to_string();
    for part in ["step long failed", "stop_if channels.writer_fresh", "is "] {
        assert!(reasons.contains(part), "{part}: {reasons}");
    }
}

#[test]
fn what_is_required_and_does_not_hold_is_named_before_anything_breaks() {
    let steps = "  - kill: { node: primary, id: crash }\n";
    let require = "require: [ nodes.standbys.streaming >= 3 ]\n";
    if let Some((finished, result)) = run(&drill(require, steps), BUSY) {
        assert_eq!(finished.code, Some(5), "{}", finished.stderr);
        let said = "requires nodes.standbys.streaming >= 3, and nodes.standbys.streaming is 1";
        assert!(finished.stderr.contains(said), "{}", finished.stderr);
        assert_eq!(result, Value::Null);
    }
    // At the beginning it holds, and before the second fault it does not any more.
    let steps = "  - kill: { node: standby }\n  - kill: { node: primary, id: crash }\n";
    let require = "require: [ nodes.standbys.streaming >= 1 ]\n";
    let Some((finished, result)) = run(&drill(require, steps), BUSY) else {
        return;
    };
    assert_eq!(finished.code, Some(4), "{}", finished.stderr);
    assert_eq!(result["faults"].as_array().map(Vec::len), Some(1));
    let reasons = result["reasons"].to_string();
    assert!(
        reasons.contains("nodes.standbys.streaming is 0"),
        "{reasons}"
    );
}

#[test]
fn load_beside_the_probes_knows_the_endpoint_and_ends_with_the_run() {
    let says = Firedrill::new();
    let said = says.home().join("said");
    let load = format!(
        "  background: {{ run: [ sh, -c, \"echo $PGPORT {{{{writer.port}}}} $$ > {}; exec sleep 3600\" ] }}\n",
        said.display()
    );
    let steps = "  - kill: { node: standby, id: crash }\n  - undo: { of: crash }\n";
    let text = drill("", steps).replace("workload:\n", &format!("workload:\n{load}"));
    let Some((finished, result)) = run(&text, BUSY) else {
        return;
    };
    let stderr = &finished.stderr;
    assert_eq!(result["settings"]["background"], true, "{stderr}");
    assert_eq!(result["settings"]["background_ended"], Value::Null);
    let words = std::fs::read_to_string(&said).expect("it was run");
    let words: Vec<&str> = words.split_whitespace().collect();
    let [port, filled, pid] = words.as_slice() else {
        panic!("{words:?}");
    };
    assert!(port == filled && port.parse::<u16>().is_ok(), "{words:?}");
    assert!(!std::path::Path::new("/proc").join(pid).exists(), "{pid}");
}

#[test]
fn a_fault_does_not_strike_when_the_load_is_not_there() {
    let load = "  background: { run: [ sh, -c, \"exit 3\" ] }\n";
    let steps = "  - kill: { node: standby, id: crash }\n";
    let text = drill("", steps).replace("workload:\n", &format!("workload:\n{load}"));
    let Some((finished, result)) = run(&text, BUSY) else {
        return;
    };
    assert_eq!(finished.code, Some(4), "{}", finished.stderr);
    assert_eq!(result["faults"].as_array().map(Vec::len), Some(0));
    let reasons = result["reasons"].to_string();
    assert!(reasons.contains("exit status: 3"), "{reasons}");
}
