//! A server that turns firedrill away because of firedrill's own sessions: that is no outage of the server's,
//! and the run is invalid.

use super::{LONG, available};
use crate::support::{Firedrill, Turn, by_machine};
use serde_json::Value;

/// Three sessions more than the probes' role may hold: the control session is another role's, and two are kept
/// free for looking.
const TARGET: &str = "version: 1\nlimits: { sessions: 24, commits_per_second: 100 }\nlocal:\n  \
    agent: { loop: 100ms, detection: 1500ms }\n  router: { check: 100ms, timeout: 1s }\n";

/// No commit returns while nobody is the standby that it waits for, and so no session of the probes' ends.
const DRILL: &str = "version: 1\nname: own-limit\nsummary: the probes fill what their role may hold\n\
    objectives:\n  - downtime: { at_most: 5m }\n\
    workload:\n  writers: { sessions: 2, deadline: 3s }\n  fresh: { every: 1s, deadline: 3s }\n  \
    readers: { every: 1s, deadline: 3s }\n\
    steps:\n  - baseline: { for: 3s }\n  \
    - sql:\n      id: few\n      node: primary\n      \
        run: alter role firedrill connection limit 21\n      \
        undo: alter role firedrill connection limit -1\n      \
        check: select rolconnlimit = -1 from pg_roles where rolname = 'firedrill'\n  \
    - sql:\n      id: nobody\n      node: primary\n      \
        run: alter system set synchronous_standby_names = 'nobody'\n      \
        undo: alter system reset synchronous_standby_names\n      \
        check: >-\n        select pg_reload_conf() and not exists (select from pg_file_settings\n        \
        where name = 'synchronous_standby_names' and setting = 'nobody')\n  \
    - hold: { for: 10s }\n  - undo: { of: nobody }\n  - undo: { of: few }\n";

#[test]
fn the_servers_refusal_of_our_own_sessions_makes_the_run_invalid() {
    if !available() {
        return;
    }
    let _turn = Turn::alone();
    let mut said = Vec::new();
    for _ in 0..4 {
        let sandbox = Firedrill::new().limit(LONG);
        let drill = sandbox.file("drill.yaml", DRILL);
        let target = sandbox.file("our.target.yaml", TARGET);
        let path = sandbox.home().join("result.json");
        let output = format!("json={}", path.display());
        let finished = sandbox.run(&["run", &drill, "--yes", "--target", &target, "-o", &output]);
        sandbox.nothing_left();
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        let result: Value = serde_json::from_str(&written)
            .unwrap_or_else(|error| panic!("{error}: {}", finished.stderr));
        let reasons = result["reasons"].as_array().into_iter().flatten();
        let reasons: Vec<String> = reasons
            .filter_map(|reason| reason.as_str().map(str::to_owned))
            .collect();
        let ours = |reason: &String| reason.starts_with("firedrill's own connections on ");
        if reasons.iter().any(ours) {
            assert_eq!(finished.code, Some(4), "{}", finished.stderr);
            assert_eq!(result["verdict"], "invalid");
            assert_eq!(result["undo"]["complete"], true, "{}", finished.stderr);
            return;
        }
        // The machine may have kept the drill from its hold.
        let disturbed = reasons.iter().any(|reason| by_machine(reason));
        assert!(disturbed, "{reasons:?}\n{}", finished.stderr);
        said.push(reasons);
    }
    panic!("the machine disturbed four runs in a row: {said:?}");
}
