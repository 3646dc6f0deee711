//! The embedded cluster against a real PostgreSQL: start, loss, links, clean-up. Skipped, with the reason
//! printed, where none is installed.

use super::account::Account;
use super::binaries::{Search, search};
use super::test_cluster::*;
use super::*;
use crate::clock::Clock;
use crate::sql::Session;
use crate::target::{CutFrom, PowerOff, ProcessScope, ProcessSignal, ProcessState, Target};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

#[tokio::test]
async fn it_starts_serves_and_leaves_nothing() {
    if !installed() {
        return;
    }
    let clock = Clock::start();
    let began = clock.now();
    let mut steps = Vec::new();
    let settings = LocalSettings::default();
    let target = LocalTarget::start(&settings, &run("start"), clock, |step| {
        steps.push((clock.now().0 / 1000, step))
    })
    .await
    .unwrap();
    let took = clock.now().since(began);
    #[expect(clippy::print_stderr, reason = "the figure that is reported")]
    {
        eprintln!(
            "ready in {} ms: {steps:?} {:?}",
            took.as_millis(),
            target.notices()
        );
    }
    assert!(took < Duration::from_secs(20), "{took:?}");
    let seen = target.cluster.see().await;
    assert!(seen.is_whole(), "{seen:?}");
    assert!(target.power().unwrap().running("node-2").await.unwrap() >= 4);
    for endpoint in target.endpoints() {
        let session = Session::connect(&endpoint.address, SHORT).await.unwrap();
        let answer = session
            .query("SELECT pg_is_in_recovery()", SHORT)
            .await
            .unwrap();
        let expected = if endpoint.name == "reader" { "t" } else { "f" };
        assert_eq!(
            answer.rows[0][0].as_deref(),
            Some(expected),
            "{}",
            endpoint.name
        );
    }
    // The probes' role is no superuser and owns nothing.
    let probe = Session::connect(&target.probe_access("node-1"), SHORT)
        .await
        .unwrap();
    assert!(probe.query("SELECT pg_switch_wal()", SHORT).await.is_err());
    let folder = target.cluster.folder.path().to_path_buf();
    assert_eq!(folder, LocalTarget::plan_folder(&target.cluster.run));
    for secret in [
        &target.cluster.passwords.act,
        &target.cluster.passwords.probe,
    ] {
        for log in ["node-1.log", "node-2.log"] {
            let text = std::fs::read_to_string(folder.join(log)).unwrap();
            assert!(!text.contains(secret.reveal()), "a password is in {log}");
        }
    }
    let line = target.close().await.unwrap();
    assert!(line.ends_with("removed"), "{line}");
    assert!(!folder.exists());
    assert_eq!(target.power().unwrap().running("node-1").await.unwrap(), 0);
}

#[tokio::test]
async fn a_killed_primary_leaves_no_process_and_comes_back_as_it_was() {
    if !installed() {
        return;
    }
    let target = start("kill", by_hand()).await;
    make_ledger(&target).await;
    write_rows(&target, "node-1", 1, 100).await;
    let power = target.power().unwrap();
    power.power_off("node-1", PowerOff::Kill).await.unwrap();
    assert_eq!(power.running("node-1").await.unwrap(), 0);
    assert!(power.running("node-2").await.unwrap() > 0);
    power.power_off("node-1", PowerOff::Kill).await.unwrap();
    power.start("node-1").await.unwrap();
    power.start("node-1").await.unwrap();
    assert_eq!(count_rows(&target, "node-1").await, "100");
    for how in [PowerOff::StopFast, PowerOff::StopImmediate] {
        power.power_off("node-1", how).await.unwrap();
        assert_eq!(power.running("node-1").await.unwrap(), 0);
        power.start("node-1").await.unwrap();
    }
    let node = target.cluster.node("node-2").unwrap();
    target
        .cluster
        .wait_streaming(node, SHORT * 5)
        .await
        .unwrap();
    target.close().await.unwrap();
}

#[tokio::test]
async fn a_frozen_tree_is_frozen_as_a_whole_and_thaws() {
    if !installed() {
        return;
    }
    let target = start("freeze", by_hand()).await;
    let processes = target.processes().unwrap();
    let session = Session::connect(&target.probe_access("node-1"), SHORT)
        .await
        .unwrap();
    let backend = processes
        .find("node-1", ProcessScope::OneBackend)
        .await
        .unwrap();
    assert_eq!(backend.len(), 1);
    assert_eq!(backend[0].pid, session.backend());
    let all = processes.find("node-1", ProcessScope::All).await.unwrap();
    let postmaster = processes
        .find("node-1", ProcessScope::Postmaster)
        .await
        .unwrap();
    assert_eq!(postmaster, all[..1], "the postmaster is frozen first");
    let receiver = processes
        .find("node-2", ProcessScope::WalReceiver)
        .await
        .unwrap();
    assert_eq!(receiver.len(), 1);
    assert_eq!(
        processes
            .find("node-1", ProcessScope::WalReceiver)
            .await
            .unwrap(),
        []
    );
    processes
        .signal("node-1", &all, ProcessSignal::Freeze)
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let states = processes.states("node-1", &all).await.unwrap();
    assert!(
        states.iter().all(|state| *state == ProcessState::Frozen),
        "{states:?}"
    );
    let asked = session.query("SELECT 1", Duration::from_millis(300)).await;
    assert!(asked.is_err());
    processes
        .signal("node-1", &all, ProcessSignal::Thaw)
        .await
        .unwrap();
    let node = target.cluster.node("node-2").unwrap();
    target
        .cluster
        .wait_streaming(node, SHORT * 5)
        .await
        .unwrap();
    processes
        .signal("node-2", &receiver, ProcessSignal::Kill)
        .await
        .unwrap();
    wait_until("the walreceiver is gone", async || {
        processes.states("node-2", &receiver).await.unwrap() == [ProcessState::Gone]
    })
    .await;
    target
        .cluster
        .wait_streaming(node, SHORT * 5)
        .await
        .unwrap();
    // A frozen node dies by a kill as well.
    let all = processes.find("node-1", ProcessScope::All).await.unwrap();
    processes
        .signal("node-1", &all, ProcessSignal::Freeze)
        .await
        .unwrap();
    target
        .power()
        .unwrap()
        .power_off("node-1", PowerOff::Kill)
        .await
        .unwrap();
    assert_eq!(target.power().unwrap().running("node-1").await.unwrap(), 0);
    target.close().await.unwrap();
}

#[tokio::test]
async fn a_cut_node_is_reached_by_nobody_and_its_stream_stands_still() {
    if !installed() {
        return;
    }
    let target = start("cut", by_hand()).await;
    make_ledger(&target).await;
    let network = target.network().unwrap();
    assert!(network.reaches("node-2", CutFrom::All).await.unwrap());
    network.cut("node-2", CutFrom::Peers).await.unwrap();
    assert!(!network.reaches("node-2", CutFrom::Peers).await.unwrap());
    assert!(network.reaches("node-2", CutFrom::Clients).await.unwrap());
    // What a standby receives is its own way out: it is cut as well.
    write_rows(&target, "node-1", 1, 10).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(count_rows(&target, "node-2").await, "0");
    network.cut("node-2", CutFrom::Clients).await.unwrap();
    assert!(!network.reaches("node-2", CutFrom::Clients).await.unwrap());
    // A fence is another reason: joining does not lift it.
    let node = target.cluster.node("node-2").unwrap();
    node.fence();
    network.join("node-2").await.unwrap();
    assert!(network.reaches("node-2", CutFrom::Peers).await.unwrap());
    assert!(!network.reaches("node-2", CutFrom::Clients).await.unwrap());
    node.unfence();
    assert!(network.reaches("node-2", CutFrom::Clients).await.unwrap());
    wait_until("the standby has caught up", async || {
        count_rows(&target, "node-2").await == "10"
    })
    .await;
    target.close().await.unwrap();
}

#[tokio::test]
async fn a_cluster_whose_runner_died_is_swept_frozen_nodes_too() {
    if !installed() {
        return;
    }
    let mut target = start("sweep", by_hand()).await;
    let folder = target.cluster.folder.path().to_path_buf();
    let run = target.cluster.run.clone();
    let refused = sweep(&folder, &run).await.unwrap_err();
    assert!(refused.cause.contains("still lives"), "{refused}");
    let all = target
        .processes()
        .unwrap()
        .find("node-1", ProcessScope::All)
        .await
        .unwrap();
    target
        .processes()
        .unwrap()
        .signal("node-1", &all, ProcessSignal::Freeze)
        .await
        .unwrap();
    // What SIGKILL leaves: no handle, no clean-up, the lock let go by the kernel.
    target.abandon();
    assert!(!all.is_empty());
    let line = sweep(&folder, &run).await.unwrap();
    assert!(line.ends_with("removed"), "{line}");
    assert!(!folder.exists());
    assert_eq!(target.power().unwrap().running("node-2").await.unwrap(), 0);
}

/// SIGKILL lets no server tidy up after itself, neither in a drill nor when the cluster is thrown away.
#[tokio::test]
async fn nothing_of_a_killed_server_stays_in_shared_memory() {
    if !installed() {
        return;
    }
    let target = start("memory", by_hand()).await;
    let shown = ask(&target, "node-1", "SHOW dynamic_shared_memory_type").await;
    assert_eq!(shown.rows[0][0].as_deref(), Some("mmap"));
    let folder = target.cluster.folder.path().to_path_buf();
    // Key and number of the segment, in the seventh line of the server's own file.
    let held = |node: &str| -> Vec<String> {
        let text = std::fs::read_to_string(folder.join(node).join("postmaster.pid")).unwrap();
        let line = text.lines().nth(6).unwrap();
        line.split_ascii_whitespace().map(str::to_owned).collect()
    };
    let segments: Vec<Vec<String>> = ["node-1", "node-2"].into_iter().map(held).collect();
    let listed = |segment: &Vec<String>| {
        let all = std::fs::read_to_string("/proc/sysvipc/shm").unwrap();
        all.lines()
            .any(|line| line.split_ascii_whitespace().take(2).eq(segment))
    };
    assert!(segments.iter().all(listed), "{segments:?}");
    let power = target.power().unwrap();
    power.power_off("node-2", PowerOff::Kill).await.unwrap();
    target.close().await.unwrap();
    assert!(!segments.iter().any(listed), "{segments:?}");
}

#[tokio::test]
async fn a_dropped_target_cleans_up_after_itself() {
    if !installed() {
        return;
    }
    let target = start("drop", by_hand()).await;
    let folder = target.cluster.folder.path().to_path_buf();
    drop(target);
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_port_that_somebody_took_is_named_and_nothing_is_broken_by_it() {
    if !installed() {
        return;
    }
    let target = start("port", by_hand()).await;
    let power = target.power().unwrap();
    power.power_off("node-2", PowerOff::StopFast).await.unwrap();
    let port = target.cluster.node("node-2").unwrap().server.port();
    let stranger = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let refused = power.start("node-2").await.unwrap_err();
    assert!(
        refused.cause.contains("Address already in use"),
        "{refused}"
    );
    drop(stranger);
    power.start("node-2").await.unwrap();
    target.close().await.unwrap();
}

#[tokio::test]
async fn a_failing_initdb_is_quoted_and_leaves_nothing() {
    if !installed() {
        return;
    }
    let account = Account::choose().unwrap();
    let Ok(Search::Found(real)) = search(None, &|name| std::env::var_os(name), &account) else {
        return;
    };
    let bin = tempfile::tempdir().unwrap();
    std::fs::set_permissions(bin.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    for program in binaries::TOOL_SET {
        std::os::unix::fs::symlink(real.bin.join(program), bin.path().join(program)).unwrap();
    }
    let initdb = bin.path().join("initdb");
    std::fs::remove_file(&initdb).unwrap();
    let script = "#!/bin/sh\necho 'initdb: error: no space left on device' >&2; exit 1\n";
    std::fs::write(&initdb, script).unwrap();
    std::fs::set_permissions(&initdb, std::fs::Permissions::from_mode(0o755)).unwrap();
    let settings = LocalSettings {
        bin: Some(bin.path().to_path_buf()),
        ..LocalSettings::default()
    };
    let run = run("initdb");
    let failed = LocalTarget::start(&settings, &run, Clock::start(), |_| {})
        .await
        .unwrap_err();
    insta::assert_snapshot!(failed, @"make the database cluster of node-1: initdb ended with exit status: 1: initdb: error: no space left on device");
    assert!(!plan_folder(&run).exists());
}
