//! A switch-over that loses nothing: the old primary is stopped cleanly, which ends only when its standbys
//! have everything, the standby is promoted, the old primary comes back as its standby.

use super::cluster::{ASK, Cluster, streams};
use super::node::Node;
use super::server::{STOP_LIMIT, Shutdown};
use crate::event::cluster::{ClusterSeen, Standing};
use crate::sql::parse_lsn;
use crate::target::TargetError;
use std::time::Duration;

const CHECKPOINT: Duration = Duration::from_secs(60);
const TOOL: Duration = Duration::from_secs(10);
const CATCH_UP: Duration = Duration::from_secs(10);
const STREAM: Duration = Duration::from_secs(30);

/// Switches over to `to`, or to the most advanced standby; returns the new primary. The failover agent must
/// hold still meanwhile.
///
/// # Errors
/// When it could not be carried out; the text says which state was left.
pub async fn switch_over(cluster: &Cluster, to: Option<&str>) -> Result<String, TargetError> {
    let seen = cluster.see().await;
    let what = "switch over";
    let old = match seen.primaries().collect::<Vec<_>>()[..] {
        [(name, _)] => cluster.node(name)?,
        [] => return Err(TargetError::new(what, "no node takes writes")),
        _ => return Err(TargetError::new(what, "several nodes take writes")),
    };
    let new = match to {
        Some(name) if name == old.name() => return Ok(name.to_owned()),
        Some(name) => cluster.node(name)?,
        None => cluster
            .node(&most_advanced(&seen).ok_or_else(|| {
                TargetError::new(what, "no standby answers; nothing was changed")
            })?)?,
    };
    if !streams(&seen, new.name()) {
        return Err(TargetError::new(
            what,
            format!(
                "{} does not stream from {}; nothing was changed",
                new.name(),
                old.name()
            ),
        ));
    }
    // In declared order, so that two callers cannot hold one each.
    let mut held = Vec::new();
    for node in &cluster.nodes {
        if node.name() == old.name() || node.name() == new.name() {
            held.push(node.operation.lock().await);
        }
    }
    // Most of the work of the shutdown's own checkpoint, done while clients are still served.
    cluster.ask(old, "CHECKPOINT", CHECKPOINT).await?;
    old.server.stop(Shutdown::Fast, STOP_LIMIT).await?;
    if let Err(error) = handed_over(cluster, old, new).await {
        let back = match old.server.start().await {
            Ok(()) => format!("{} leads again", old.name()),
            Err(failed) => format!("{failed}; no node takes writes"),
        };
        return Err(TargetError::new(what, format!("{error}; {back}")));
    }
    for node in &cluster.nodes {
        if node.name() != new.name() {
            node.stream_from(new);
        }
    }
    cluster.configure(old, true)?;
    old.server
        .start()
        .await
        .map_err(|error| TargetError::new(what, format!("{} leads, but {error}", new.name())))?;
    cluster.wait_streaming(old, STREAM).await?;
    Ok(new.name().to_owned())
}

/// Makes sure that the standby has the shutdown's own record, the last of the old primary, then promotes it.
async fn handed_over(cluster: &Cluster, old: &Node, new: &Node) -> Result<(), TargetError> {
    let what = format!("hand over from {} to {}", old.name(), new.name());
    let data = old.server.data().as_os_str();
    let control = cluster
        .tools
        .run(&what, "pg_controldata", &["-D".as_ref(), data], TOOL)
        .await?;
    let last = last_checkpoint(&control).ok_or_else(|| {
        TargetError::new(&what, "pg_controldata names no clean shutdown's checkpoint")
    })?;
    let sql = format!(
        "SELECT pg_last_wal_receive_lsn() > '{:X}/{:X}'::pg_lsn",
        last >> 32,
        last & 0xffff_ffff
    );
    let catching_up = async {
        loop {
            let answer = cluster.ask(new, &sql, ASK).await;
            let has = answer
                .ok()
                .and_then(|answer| answer.rows.first()?.first()?.clone());
            if has.as_deref() == Some("t") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(CATCH_UP, catching_up)
        .await
        .map_err(|_| {
            TargetError::new(
                &what,
                format!(
                    "the standby did not receive everything within {} s",
                    CATCH_UP.as_secs()
                ),
            )
        })?;
    cluster.promote(new).await
}

/// The position of the shutdown checkpoint in the words of pg_controldata.
fn last_checkpoint(control: &str) -> Option<u64> {
    let value = |name: &str| {
        control
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .map(str::trim)
    };
    if value("Database cluster state:")? != "shut down" {
        return None;
    }
    parse_lsn(value("Latest checkpoint location:")?)
}

/// The standby that has received or replayed most, of those that answer; the first declared among equals.
#[must_use]
pub fn most_advanced(seen: &ClusterSeen) -> Option<String> {
    let mut best: Option<(u64, &str)> = None;
    for node in &seen.nodes {
        if let Standing::Standby {
            received, replayed, ..
        } = node.standing
        {
            let position = received.max(replayed).unwrap_or(0);
            if best.is_none_or(|(most, _)| position > most) {
                best = Some((position, &node.name));
            }
        }
    }
    best.map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Stamp;
    use crate::event::cluster::NodeSeen;

    #[test]
    fn only_a_clean_shutdown_has_a_last_checkpoint() {
        let down = "Database cluster state:               shut down\n\
                    Latest checkpoint location:           0/3000060\n";
        assert_eq!(last_checkpoint(down), Some(0x300_0060));
        let crashed = down.replace("shut down", "in production");
        assert_eq!(last_checkpoint(&crashed), None);
    }

    #[test]
    fn what_was_received_counts_not_what_was_replayed() {
        let standby = |name: &str, received, replayed| NodeSeen {
            name: name.to_owned(),
            standing: Standing::Standby {
                timeline: Some(1),
                received,
                replayed,
                streaming: false,
                paused: true,
            },
        };
        let mut seen = ClusterSeen {
            asked: Stamp(0),
            nodes: vec![
                standby("node-2", Some(50), Some(50)),
                standby("node-3", Some(80), Some(10)),
                standby("node-4", None, Some(80)),
            ],
            declared: 4,
        };
        assert_eq!(most_advanced(&seen).as_deref(), Some("node-3"));
        seen.nodes.clear();
        assert_eq!(most_advanced(&seen), None);
    }
}
