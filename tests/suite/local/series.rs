//! `run --repeat N`: several runs of one drill, side by side.

use super::{LONG, available};
use crate::interrupted::{BUSY, CRASH, send};
use crate::support::{Firedrill, Turn};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::path::Path;

fn read(path: &Path) -> Value {
    let written = std::fs::read_to_string(path).expect("a report");
    serde_json::from_str(&written).expect("JSON")
}

fn fits_the_schema(sandbox: &Firedrill, results: &Value) {
    let schema = sandbox.run(&["schema", "results"]);
    let schema = serde_json::from_str(&schema.stdout).expect("a schema");
    let validator = jsonschema::validator_for(&schema).expect("a valid schema");
    let errors: Vec<String> = validator
        .iter_errors(results)
        .map(|error| format!("{}: {error}", error.instance_path))
        .collect();
    assert_eq!(errors, Vec::<String>::new());
}

#[test]
fn two_runs_stand_side_by_side() {
    if !available() {
        return;
    }
    let _turn = Turn::take();
    let sandbox = Firedrill::new().limit(LONG * 3);
    let drill = sandbox.file("drill.yaml", CRASH);
    let target = sandbox.file("busy.target.yaml", BUSY);
    let json = sandbox.home().join("results.json");
    let xml = sandbox.home().join("results.xml");
    let finished = sandbox.run(&[
        "run",
        &drill,
        "--yes",
        "--target",
        &target,
        "--seed",
        "7",
        "--repeat",
        "2",
        "-o",
        &format!("json={}", json.display()),
        "-o",
        &format!("junit={}", xml.display()),
    ]);
    let results = read(&json);
    fits_the_schema(&sandbox, &results);
    let runs = results["runs"].as_array().expect("runs");
    let again = results["series"]["drawn_again"].as_array().expect("a list");
    assert_eq!(runs.len() - again.len(), 2, "{}", finished.stderr);
    let seeds: Vec<&Value> = runs.iter().map(|run| &run["run"]["seed"]).collect();
    assert_eq!(*seeds[0], 7);
    assert_ne!(seeds[0], seeds[1]);
    // Each run of a series can be drawn again alone: its plan has another moment of the fault.
    let moments: Vec<f64> = runs
        .iter()
        .filter_map(|run| run["faults"][0]["requested_ms"].as_f64())
        .collect();
    assert!(!moments.is_empty(), "{}", finished.stderr);
    assert!(
        finished.stderr.contains("(drawn, up to"),
        "{}",
        finished.stderr
    );
    let suites = std::fs::read_to_string(&xml).expect("a report");
    assert_eq!(suites.matches("<testsuite ").count(), runs.len());
    for text in ["2 RUNS", "smallest", "Figures", "run 2 of 2"] {
        assert!(finished.stderr.contains(text), "{}", finished.stderr);
    }
    sandbox.nothing_left();
}

#[test]
fn a_signal_ends_the_series_after_the_undo() {
    if !available() {
        return;
    }
    let _turn = Turn::take();
    let sandbox = Firedrill::new().limit(LONG);
    let drill = sandbox.file("drill.yaml", CRASH);
    let target = sandbox.file("busy.target.yaml", BUSY);
    let json = sandbox.home().join("results.json");
    let output = format!("json={}", json.display());
    let mut child = sandbox.start(&[
        "run", &drill, "--yes", "--target", &target, "--repeat", "3", "-o", &output,
    ]);
    let mut running = || child.try_wait().expect("an own child").is_none();
    let begun = sandbox.lines_reached("events.jsonl", "\"step_began\"", 2, &mut running);
    assert!(begun.is_some(), "it ended before its fault");
    send(&child, Signal::SIGINT);
    let finished = sandbox.wait(child);
    assert_eq!(finished.code, Some(130), "{}", finished.stderr);
    let results = read(&json);
    assert_eq!(results["runs"].as_array().map(Vec::len), Some(1));
    assert_eq!(results["series"]["ended_early"], "the run was stopped");
    assert_eq!(results["runs"][0]["undo"]["complete"], true);
    sandbox.nothing_left();
}
