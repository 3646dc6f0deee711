//! A run disturbs nobody: not another run on the same machine, not the other users of a primary that waits
//! for its only synchronous standby.

use super::LONG;
use crate::interrupted::{BUSY, CRASH};
use crate::support::{Firedrill, Turn};
use firedrill::clock::Clock;
use firedrill::sql::{Address, Secret, Session};
use std::path::Path;
use std::time::Duration;

#[test]
fn two_runs_at_once_do_not_meet() {
    if !super::available() {
        return;
    }
    let _turns = (Turn::take(), Turn::take());
    // The same home, so that both share the folder of runs and the registry.
    let firedrill = Firedrill::new().limit(LONG);
    // An asynchronous standby may lack the last commits, and more of them on a busy machine.
    let drill = CRASH.replace(
        "objectives:\n",
        "objectives:\n  - lost_commits: { at_most: 100 }\n",
    );
    let file = firedrill.file("drill.yaml", &drill);
    let target = firedrill.file("ours.target.yaml", BUSY);
    let arguments = ["run", &file, "--yes", "--target", &target];
    let both = [1, 2].map(|_| firedrill.start(&arguments));
    for child in both {
        let finished = firedrill.wait(child);
        // They share the processors, so that one may be late by the other's work; none may take a node, a
        // port or a folder of the other's for its own.
        let code = finished.code.expect("an exit code");
        assert!([0, 4].contains(&code), "{}", finished.stderr);
        assert!(
            finished.stderr.contains("everything undone"),
            "{}",
            finished.stderr
        );
        assert!(!finished.stderr.contains("had died"), "{}", finished.stderr);
    }
    let runs = firedrill.home().join("state/firedrill/runs");
    assert_eq!(std::fs::read_dir(runs).expect("the runs").count(), 2);
    firedrill.nothing_left();
}

/// `limits.sessions` of the target.
const LIMIT: usize = 50;

/// Every commit waits for a standby that is gone, and every session that gave up still waits in the server.
const WAITING: &str = "\
version: 1
name: standby-gone
summary: The only synchronous standby is gone.
why: Probes must not fill the primary up.
objectives:
  - downtime: { at_most: 1s }
  - redundancy: { within: 2m }
workload:
  writers: { sessions: 8, deadline: 4s }
  fresh: { every: 400ms, deadline: 4s }
  readers: { every: 400ms, deadline: 4s }
  stability: 1s
steps:
  - baseline: { for: 3s }
  - stop: { node: standby, id: gone }
  - hold: { for: 10s }
  - undo: { of: gone }
  - restore_redundancy: { within: 2m }
  - settle: { within: 60s }
";

#[test]
fn with_the_only_synchronous_standby_gone_others_still_connect() {
    if !super::available() {
        return;
    }
    let _turn = Turn::take();
    let firedrill = Firedrill::new().limit(LONG);
    let drill = firedrill.file("drill.yaml", WAITING);
    let target = BUSY
        .replace("sessions: 80", &format!("sessions: {LIMIT}"))
        .replace(
            "max_connections: 120",
            "max_connections: 70\n  synchronous: true",
        );
    let target = firedrill.file("ours.target.yaml", &target);
    let mut child = firedrill.start(&["run", &drill, "--yes", "--target", &target]);
    let mut running = || child.try_wait().expect("an own child").is_none();
    let held = firedrill.lines_reached("events.jsonl", "\"step_began\"", 3, &mut running);
    let seen = held.map(|_| {
        // Long enough for each channel to have given up many times.
        let clock = Clock::start();
        let end = clock.now().plus(Duration::from_secs(9));
        let mut most = 0;
        while clock.now() < end {
            most = most.max(sessions_of_probes(firedrill.home()));
            std::thread::sleep(Duration::from_millis(200));
        }
        most
    });
    let finished = firedrill.wait(child);
    let most = seen.unwrap_or_else(|| panic!("it never held:\n{}", finished.stderr));
    assert!((10..=LIMIT).contains(&most), "{most} sessions");
    // The commits did wait: that is an outage, and the drill says so.
    assert!(
        finished.stderr.contains("downtime failed"),
        "{}",
        finished.stderr
    );
    firedrill.nothing_left();
}

/// Connects to the primary as another user and counts our probes' sessions there.
fn sessions_of_probes(home: &Path) -> usize {
    let cluster = std::fs::read_dir(home.join("tmp"))
        .expect("own folder")
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.join("peers.pgpass").exists())
        .expect("a cluster");
    let line = std::fs::read_to_string(cluster.join("peers.pgpass")).expect("its password file");
    let [.., user, password] = line.trim().split(':').collect::<Vec<_>>()[..] else {
        panic!("no password file")
    };
    let pid = std::fs::read_to_string(cluster.join("node-1/postmaster.pid")).expect("a server");
    let port = pid.lines().nth(3).and_then(|port| port.parse().ok());
    let address = Address {
        host: "127.0.0.1".to_owned(),
        port: port.expect("its port"),
        user: user.to_owned(),
        password: Some(Secret::new(password)),
        database: "firedrill".to_owned(),
        application: "somebody else".to_owned(),
        simulated: None,
        way: None,
    };
    let asked = async {
        let limit = Duration::from_secs(5);
        let session = Session::connect(&address, limit).await?;
        let sql = "select count(*) from pg_stat_activity where application_name like '%-probe'";
        session.query(sql, limit).await
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let answer = runtime.expect("a runtime").block_on(asked);
    let answer = answer.expect("another user still connects");
    answer
        .rows
        .first()
        .and_then(|row| row.first()?.as_deref()?.parse().ok())
        .expect("a number")
}
