//! What real servers say of themselves, and how it is read.

use super::*;
use crate::sql::parse_lsn;
use crate::sql::test_server::TestServer;
use nix::sys::signal::Signal;

const DEADLINE: Duration = Duration::from_secs(2);

fn eye(servers: &[&TestServer], deadline: Duration) -> ClusterEye {
    eye_as("postgres", servers, deadline)
}

fn eye_as(user: &str, servers: &[&TestServer], deadline: Duration) -> ClusterEye {
    let nodes = servers.iter().map(|server| {
        let address = Address {
            user: user.to_owned(),
            ..server.address()
        };
        (server.name().to_owned(), address)
    });
    ClusterEye::on(nodes.collect(), Clock::start(), deadline)
}

/// Looks until `holds`, for at most ten seconds.
async fn until(eye: &mut ClusterEye, holds: impl Fn(&ClusterSeen) -> bool) -> ClusterSeen {
    let mut seen = eye.look().await;
    for _ in 0..200 {
        if holds(&seen) {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        seen = eye.look().await;
    }
    panic!("still {seen:#?}");
}

#[tokio::test]
async fn a_primary_and_its_standby_are_a_whole_cluster() {
    let Some(primary) = TestServer::primary(&[]).await else {
        return;
    };
    let standby = primary.standby("node-2").await;
    let mut eye = eye(&[&primary, &standby], DEADLINE);
    let seen = until(&mut eye, ClusterSeen::is_whole).await;
    assert_eq!(seen.leader(), Some(("node-1", 1)));
    let lsn = parse_lsn(&primary.ask("SELECT pg_current_wal_flush_lsn()").await).unwrap();
    let caught_up = until(&mut eye, |seen| {
        let Some(Standing::Primary { standbys, .. }) = seen.node("node-1") else {
            return false;
        };
        let said = standbys.iter().find(|row| row.name == "node-2");
        said.is_some_and(|row| row.flushed >= Some(lsn) && row.replayed >= Some(lsn))
    });
    let Standing::Standby {
        received,
        replayed,
        paused,
        ..
    } = caught_up.await.node("node-2").unwrap().clone()
    else {
        panic!("node-2 is no standby");
    };
    assert!(received >= Some(lsn) && replayed >= Some(lsn) && !paused);

    standby.ask("SELECT pg_wal_replay_pause()").await;
    until(&mut eye, |seen| {
        matches!(
            seen.node("node-2"),
            Some(Standing::Standby {
                paused: true,
                streaming: true,
                ..
            })
        )
    })
    .await;
}

#[tokio::test]
async fn a_promoted_standby_tells_its_new_timeline_in_the_first_answer() {
    let Some(primary) = TestServer::primary(&[]).await else {
        return;
    };
    let standby = primary.standby("node-2").await;
    let mut eye = eye(&[&primary, &standby], DEADLINE);
    until(&mut eye, ClusterSeen::is_whole).await;
    standby.ask("SELECT pg_promote(false)").await;
    let seen = until(&mut eye, |seen| seen.primaries().count() == 2).await;
    assert_eq!(seen.leader(), Some(("node-2", 2)));
}

#[tokio::test]
async fn a_standby_whose_primary_died_after_a_switch_still_knows_the_newest_timeline() {
    let Some(first) = TestServer::primary(&[]).await else {
        return;
    };
    // The rights that a target asks for, and no more.
    first
        .ask("CREATE ROLE watcher LOGIN IN ROLE pg_monitor")
        .await;
    let second = first.standby("node-2").await;
    let third = first.standby("node-3").await;
    let mut eye = eye_as("watcher", &[&first, &second, &third], DEADLINE);
    until(&mut eye, ClusterSeen::is_whole).await;
    first.signal_all(Signal::SIGKILL);
    second.ask("SELECT pg_promote()").await;
    let conninfo = format!(
        "ALTER SYSTEM SET primary_conninfo = 'host=127.0.0.1 port={} user=postgres application_name=node-3'",
        second.port
    );
    third.ask(&conninfo).await;
    third.ask("SELECT pg_reload_conf()").await;
    second.ask("CREATE TABLE t ()").await;
    until(&mut eye, |seen| seen.streaming() == 1).await;
    second.signal_all(Signal::SIGKILL);
    until(&mut eye, |seen| {
        matches!(
            seen.node("node-3"),
            Some(Standing::Standby {
                timeline: Some(2),
                streaming: false,
                ..
            })
        )
    })
    .await;
}

#[tokio::test]
async fn a_dead_node_is_refused_and_a_frozen_one_delays_nobody_beyond_the_deadline() {
    let Some(primary) = TestServer::primary(&[]).await else {
        return;
    };
    let standby = primary.standby("node-2").await;
    let deadline = Duration::from_millis(400);
    let mut eye = eye(&[&primary, &standby], deadline);
    until(&mut eye, ClusterSeen::is_whole).await;
    standby.signal_all(Signal::SIGSTOP);
    let began = Clock::start();
    let seen = eye.look().await;
    assert!(began.now().since(Default::default()) < deadline + Duration::from_millis(400));
    let silent = |why: &str| Standing::Silent {
        why: why.to_owned(),
    };
    assert_eq!(seen.node("node-2"), Some(&silent("no answer in 400 ms")));
    assert_eq!(seen.leader(), Some(("node-1", 1)));
    standby.signal_all(Signal::SIGCONT);
    primary.signal_all(Signal::SIGKILL);
    let seen = until(&mut eye, |seen| {
        matches!(seen.node("node-2"), Some(Standing::Standby { .. })) && seen.leader().is_none()
    });
    seen.await;
    let seen = eye.look().await;
    assert_eq!(seen.node("node-1"), Some(&silent("refused")));
}

fn answer(columns: &[Option<&str>]) -> Answer {
    Answer {
        rows: vec![
            columns
                .iter()
                .map(|column| column.map(str::to_owned))
                .collect(),
        ],
        notices: Vec::new(),
    }
}

#[test]
fn answers_of_another_shape_are_silence() {
    let good = [
        Some("f"),
        Some("0000000A"),
        None,
        Some("48"),
        None,
        Some("f"),
        None,
        None,
    ];
    let primary = Standing::Primary {
        timeline: 10,
        lsn: 48,
        standbys: Vec::new(),
    };
    assert_eq!(parse(&answer(&good)), Some(primary));
    assert_eq!(parse(&answer(&good[..7])), None);
    assert_eq!(parse(&Answer::default()), None);
    for (column, wrong) in [(0, None), (1, Some("xyz")), (3, None), (7, Some("{"))] {
        let mut row = good;
        row[column] = wrong;
        assert_eq!(parse(&answer(&row)), None, "column {column}");
    }
}
