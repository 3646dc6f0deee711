//! Endpoints and watches of a target file, in a whole run: channels, downtime and objectives of their own.

use super::{LONG, available};
use crate::support::{Firedrill, Turn};
use serde_json::Value;

const DRILL: &str = "version: 1\nname: extras\nsummary: the primary dies\nobjectives:\n  \
    - downtime: { at_most: 30s }\n  - downtime: { of: again, at_most: 30s }\n  \
    - downtime: { of: disk, at_most: 1s }\n  - lost_commits: { at_most: 1000 }\nsteps:\n  \
    - baseline: { for: 3s }\n  - kill: { node: primary, id: crash }\n  - fail_over: { within: 60s }\n  \
    - undo: { of: crash }\n  - restore_redundancy: { within: 2m }\n  - settle: { within: 1m }\n";

fn target(port: u16) -> String {
    format!(
        "version: 1\nlimits: {{ sessions: 40, commits_per_second: 150 }}\nlocal: {{ ports: {{ writer: {port} }} }}\n\
         endpoints:\n  again: {{ url: \"postgresql://db.test:{port}/\", hostaddr: 127.0.0.1 }}\n\
         watch:\n  disk: {{ run: [test, -d, /], every: 200ms }}\n"
    )
}

#[test]
fn endpoints_and_watches_have_a_downtime_of_their_own() {
    if !available() {
        return;
    }
    let _turn = Turn::beside_one();
    for _ in 0..4 {
        let sandbox = Firedrill::new().limit(LONG);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("a port").port();
        drop(listener);
        let target = sandbox.file("ours.target.yaml", &target(port));
        let drill = sandbox.file("drill.yaml", DRILL);
        let path = sandbox.home().join("result.json");
        let output = format!("json={}", path.display());
        let finished = sandbox.run(&["run", &drill, "--yes", "--target", &target, "-o", &output]);
        sandbox.nothing_left();
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        let result: Value = serde_json::from_str(&written)
            .unwrap_or_else(|error| panic!("{error}: {}", finished.stderr));
        if finished.code == Some(4) {
            println!("drawn again: {}", result["reasons"]);
            continue;
        }
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        let objectives = result["objectives"].as_array().expect("objectives");
        let again = &objectives[1];
        assert!(
            again["channel"]
                .as_str()
                .expect("a channel")
                .starts_with("again_")
        );
        assert!(again["measured"]["lower_ms"].as_f64().expect("bounds") > 0.0);
        for channel in ["again_fresh", "again_pinned"] {
            let outages = result["channels"][channel]["outages"].as_array();
            assert!(outages.is_some_and(|list| !list.is_empty()), "{channel}");
            assert!(result["ledger"]["channels"][channel]["acknowledged"].is_number());
        }
        assert_eq!(
            objectives[2]["measured"]["upper_ms"], 0.0,
            "the disk is there"
        );
        assert!(result["ledger"]["channels"]["disk"].is_null());
        assert_eq!(result["settings"]["endpoints"][1]["about"], "command test");
        for line in ["again_fresh", "again_pinned", "disk"] {
            assert!(
                finished.stderr.contains(line),
                "{line}: {}",
                finished.stderr
            );
        }
        return;
    }
    panic!("the machine disturbed four runs in a row");
}

#[test]
fn a_downtime_of_what_the_target_does_not_name_is_refused() {
    let sandbox = Firedrill::new();
    let drill = sandbox.file("drill.yaml", DRILL);
    let target = sandbox.file(
        "ours.target.yaml",
        &target(5000).replace("again:", "agian:"),
    );
    let finished = sandbox.run(&["plan", &drill, "--target", &target]);
    assert_eq!(finished.code, Some(5), "{}", finished.stderr);
    assert!(
        finished.stderr.contains("did you mean agian?"),
        "{}",
        finished.stderr
    );
}
