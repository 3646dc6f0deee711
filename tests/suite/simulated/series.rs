//! The report of a series, rebuilt from the folders of its runs: byte for byte what the series itself wrote.

use super::stopped::DRILL as STOPPED;
use crate::interrupted::send;
use crate::support::{Finished, Firedrill};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::path::Path;

/// It waits for what never comes, before anything is broken: every run of it is invalid.
const IMPATIENT: &str = "version: 1\nname: impatient\nsummary: nothing happens\n\
    objectives:\n  - lost_commits: { at_most: 0 }\nsteps:\n  - baseline: { for: 3s }\n  \
    - wait: { until: \"downtime_ms > 1\", within: 1s }\n  - kill: { node: primary }\n";

const FORMATS: [&str; 4] = ["json", "junit", "markdown", "terminal"];

/// `-o FORMAT=FILE` for each format, into a folder.
fn outputs(folder: &Path) -> Vec<String> {
    std::fs::create_dir(folder).expect("a fresh folder");
    let each = FORMATS.iter().flat_map(|format| {
        let file = folder.join(format);
        ["-o".to_owned(), format!("{format}={}", file.display())]
    });
    each.collect()
}

fn read(folder: &Path, format: &str) -> String {
    std::fs::read_to_string(folder.join(format)).expect("a report")
}

/// A sandbox with a simulated cluster, and the arguments of a series on it.
fn series(drill: &str, runs: &str) -> (Firedrill, Vec<String>) {
    let sandbox = Firedrill::new();
    let target = sandbox.file("our.target.yaml", "version: 1\nsimulated: {}\n");
    let words = ["run", drill, "--yes", "--seed", "7", "--repeat", runs];
    let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    words.extend(["--target".to_owned(), target]);
    words.extend(outputs(&sandbox.home().join("run")));
    (sandbox, words)
}

/// Rebuilds the reports of the series from each of its runs, and holds them against those of the series
/// itself, which are returned.
fn assert_rebuilt(sandbox: &Firedrill, finished: &Finished) -> Value {
    let own = sandbox.home().join("run");
    let results: Value = serde_json::from_str(&read(&own, "json")).expect("JSON");
    let runs = results["runs"].as_array().expect("runs");
    assert!(!runs.is_empty(), "{}", finished.stderr);
    for run in runs {
        let id = run["run"]["id"].as_str().expect("an id");
        let folder = sandbox.home().join(format!("of {id}"));
        let words = ["report", id, "--series"].map(str::to_owned);
        let report = sandbox.run(&[&words[..], &outputs(&folder)].concat());
        assert_eq!(report.code, Some(0), "{}", report.stderr);
        for format in FORMATS {
            assert_eq!(read(&folder, format), read(&own, format), "{format}");
        }
    }
    let screen = sandbox.run(&["report", "latest", "--series"]);
    assert_eq!(screen.stdout, read(&own, "terminal"));
    results
}

#[test]
fn a_series_that_came_to_its_end() {
    let (sandbox, words) = series("primary-crash", "3");
    let finished = sandbox.run(&words);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let results = assert_rebuilt(&sandbox, &finished);
    assert_eq!(
        results["series"]["counted"].as_array().map(Vec::len),
        Some(3)
    );
    assert_eq!(results["series"]["seed"], 7);
    let last = results["runs"][2]["run"]["id"].as_str().expect("an id");
    let single = sandbox.run(&["report", last, "-o", "json=-"]);
    let single: Value = serde_json::from_str(&single.stdout).expect("JSON");
    assert_eq!(single, results["runs"][2], "one of them alone is one run");
}

#[test]
fn runs_that_were_drawn_again() {
    let (sandbox, mut words) = series("", "2");
    words[1] = sandbox.file("drill.yaml", IMPATIENT);
    let finished = sandbox.run(&words);
    assert_eq!(finished.code, Some(4), "{}", finished.stderr);
    let results = assert_rebuilt(&sandbox, &finished);
    let again = results["series"]["drawn_again"].as_array().map(Vec::len);
    let runs = results["runs"].as_array().map(Vec::len);
    assert_eq!((again, runs), (Some(2), Some(4)), "{}", finished.stderr);
}

#[test]
fn a_series_that_was_stopped() {
    let (sandbox, mut words) = series("", "3");
    words[1] = sandbox.file("drill.yaml", STOPPED);
    let mut child = sandbox.start(&words);
    let mut running = || child.try_wait().expect("an own child").is_none();
    let held = sandbox.lines_reached("events.jsonl", "\"step_began\"", 3, &mut running);
    assert!(held.is_some(), "it ended before the hold");
    send(&child, Signal::SIGINT);
    let finished = sandbox.wait(child);
    assert_eq!(finished.code, Some(130), "{}", finished.stderr);
    let results = assert_rebuilt(&sandbox, &finished);
    assert_eq!(results["series"]["ended_early"], "the run was stopped");
}

#[test]
fn a_run_that_stands_alone_has_no_series() {
    let ran = super::run("no-fault", "{}", 7);
    let id = ran.result["run"]["id"].as_str().expect("an id");
    let runs = ran.sandbox.home().join("runs");
    let runs = runs.to_str().expect("a plain path");
    let report = ran
        .sandbox
        .run(&["report", id, "--series", "--runs-dir", runs]);
    assert_eq!(report.code, Some(2));
    assert!(
        report
            .stderr
            .contains(&format!("run {id} belongs to no series")),
        "{}",
        report.stderr
    );
}
