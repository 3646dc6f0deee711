//! A real embedded cluster for the tests of this folder.

use super::*;
use crate::clock::Clock;
use crate::sql::{Answer, Session};
use crate::target::{Failover, Target};
use std::time::Duration;

pub(super) const SHORT: Duration = Duration::from_secs(2);

/// Whether a cluster can run here.
pub(super) fn installed() -> bool {
    test_installation().is_some()
}

/// A run id that no other test uses.
pub(super) fn run(name: &str) -> String {
    format!("test-{name}-{}", std::process::id())
}

pub(super) async fn start(name: &str, settings: LocalSettings) -> LocalTarget {
    LocalTarget::start(&settings, &run(name), Clock::start(), |_| {})
        .await
        .unwrap()
}

pub(super) fn by_hand() -> LocalSettings {
    LocalSettings {
        failover: Failover::Promote,
        ..LocalSettings::default()
    }
}

pub(super) async fn ask(target: &LocalTarget, node: &str, sql: &str) -> Answer {
    let session = Session::connect(&target.act_access(node), SHORT)
        .await
        .unwrap();
    session.query(sql, SHORT * 5).await.unwrap()
}

/// The ledger in its simplest form, on every node: a primary that is killed right after it must not take it along.
pub(super) async fn make_ledger(target: &LocalTarget) {
    let sql = "CREATE SCHEMA firedrill; CREATE TABLE firedrill.ledger (run text, writer int, \
               seq bigint, PRIMARY KEY (run, writer, seq))";
    ask(target, "node-1", sql).await;
    for node in &target.cluster.nodes {
        wait_until("the node has the ledger", async || {
            let sql = "SELECT to_regclass('firedrill.ledger')";
            ask(target, node.name(), sql).await.rows[0][0].is_some()
        })
        .await;
    }
}

pub(super) async fn write_rows(target: &LocalTarget, node: &str, from: u64, to: u64) {
    let sql = format!(
        "INSERT INTO firedrill.ledger SELECT '{}', 3, n FROM generate_series({from}, {to}) AS n",
        target.cluster.run
    );
    ask(target, node, &sql).await;
}

pub(super) async fn count_rows(target: &LocalTarget, node: &str) -> String {
    let answer = ask(target, node, "SELECT count(*) FROM firedrill.ledger").await;
    answer.rows[0][0].clone().unwrap()
}

pub(super) async fn wait_until(what: &str, mut met: impl AsyncFnMut() -> bool) {
    for _ in 0..1000 {
        if met().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within 10 s: {what}");
}

pub(super) async fn leader(target: &LocalTarget) -> Option<(String, u32)> {
    let seen = target.cluster.see().await;
    seen.leader()
        .map(|(name, timeline)| (name.to_owned(), timeline))
}
