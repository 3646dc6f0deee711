//! Every shipped drill on simulated clusters, good and bad ones: the verdict that each must get, the same
//! bytes for the same seed, and what reports say of a run in which nothing was measured.

mod rehearsal;
mod series;
mod stacks;
mod stopped;

use crate::support::Firedrill;
use serde_json::Value;

/// A run on a simulated cluster that came to a result.
struct Ran {
    sandbox: Firedrill,
    code: i32,
    stderr: String,
    result: Value,
    /// The result and the event log as bytes.
    result_text: String,
    events: String,
}

/// Runs a shipped drill on a cluster of these settings.
fn run(drill: &str, settings: &str, seed: u64) -> Ran {
    let sandbox = Firedrill::new();
    let target = format!("version: 1\nsimulated: {settings}\n");
    let target = sandbox.file("our.target.yaml", &target);
    let runs = sandbox.home().join("runs");
    let runs = runs.to_str().expect("a plain path").to_owned();
    let seed = seed.to_string();
    let words = ["run", drill, "--yes", "--target", &target, "--seed", &seed];
    let finished = sandbox.run(&[&words[..], &["--runs-dir", &runs, "-o", "json=-"]].concat());
    let result_text = finished.stdout;
    let result: Value = serde_json::from_str(&result_text)
        .unwrap_or_else(|error| panic!("{error} in {result_text:?}\n{}", finished.stderr));
    let id = result["run"]["id"].as_str().expect("an id");
    let folder = sandbox.home().join("runs").join(id);
    let events = std::fs::read_to_string(folder.join("events.jsonl")).expect("an event log");
    Ran {
        code: finished.code.expect("an exit code"),
        stderr: finished.stderr,
        sandbox,
        result,
        result_text,
        events,
    }
}
