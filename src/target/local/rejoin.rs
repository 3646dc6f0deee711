//! Makes a node stream the newest timeline again.
//!
//! In the order of what it costs: leave it alone, point it at the leader, rewind it, clone it anew. A node
//! that runs and is no standby of the newest timeline is fenced and killed first, never thawed and never
//! left to answer clients; its evidence is saved before anything overwrites it.

use super::cluster::{Cluster, streams};
use super::evidence;
use super::node::Node;
use super::segment;
use crate::event::cluster::Standing;
use crate::target::TargetError;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// How long a standby that is only pointed elsewhere may take to stream.
const POINTED: Duration = Duration::from_secs(3);
/// How long a rewound or cloned one may take.
const STREAM: Duration = Duration::from_secs(30);
const REWIND: Duration = Duration::from_secs(120);
const CLONE: Duration = Duration::from_secs(120);
const CHECKPOINT: Duration = Duration::from_secs(30);

/// Makes a node stream the newest timeline again; returns one line on how. Harmless where it already does,
/// or leads.
///
/// # Errors
/// When nobody leads, or it could not be carried out: the node stays down and fenced then.
pub async fn rejoin(
    cluster: &Cluster,
    name: &str,
    evidence_folder: &Path,
) -> Result<String, TargetError> {
    let node = cluster.node(name)?;
    let _alone = node.operation.lock().await;
    let seen = cluster.see().await;
    let Some((leader, newest)) = seen.leader() else {
        return Err(TargetError::new(
            format!("rejoin {name}"),
            "no node takes writes, so there is nothing to stream from",
        ));
    };
    if leader == name {
        cluster.unfence(node);
        return Ok(format!("{name} leads timeline {newest}"));
    }
    if streams(&seen, name) {
        cluster.unfence(node);
        return Ok(format!("{name} streams timeline {newest} already"));
    }
    let leader = cluster.node(leader)?;
    node.stream_from(leader);
    if let Some(Standing::Standby { .. }) = seen.node(name)
        && let Ok(timeline) = cluster.wait_streaming(node, POINTED).await
    {
        cluster.unfence(node);
        return Ok(format!(
            "{name} was pointed at {} and streams timeline {timeline}",
            leader.name()
        ));
    }
    cluster.fence(node).await?;
    let saved = match evidence::save(cluster, node, leader, newest, evidence_folder).await {
        Ok(saved) => saved,
        // Redundancy is worth more than a report's detail; the missing detail is said.
        Err(error) => Some(format!("its diverged tail could not be saved ({error})")),
    };
    let how = match rewind(cluster, node, leader).await {
        Ok(timeline) => format!("was rewound and streams timeline {timeline}"),
        Err(rewinding) => {
            let timeline = clone_anew(cluster, node).await.map_err(|cloning| {
                TargetError::new(
                    format!("rejoin {name}"),
                    format!("{rewinding}; then {cloning}; it stays down and fenced"),
                )
            })?;
            format!(
                "was cloned anew, because it could not be rewound ({}), and streams timeline {timeline}",
                rewinding.cause
            )
        }
    };
    cluster.unfence(node);
    Ok(match saved {
        Some(saved) => format!("{name} {how}; {saved}"),
        None => format!("{name} {how}"),
    })
}

/// Makes a node a standby from a fresh copy of the leader, whatever it holds; returns one line on how.
/// Harmless where it streams already, or leads.
///
/// # Errors
/// When nobody leads, or it could not be carried out: the node stays down and fenced then.
pub async fn clone_from_leader(cluster: &Cluster, name: &str) -> Result<String, TargetError> {
    let node = cluster.node(name)?;
    let _alone = node.operation.lock().await;
    let seen = cluster.see().await;
    let Some((leader, newest)) = seen.leader() else {
        return Err(TargetError::new(
            format!("clone {name} anew"),
            "no node takes writes, so there is nothing to copy",
        ));
    };
    if leader == name || streams(&seen, name) {
        cluster.unfence(node);
        return Ok(format!("{name} has timeline {newest} already"));
    }
    node.stream_from(cluster.node(leader)?);
    cluster.fence(node).await?;
    let timeline = clone_anew(cluster, node).await?;
    cluster.unfence(node);
    Ok(format!(
        "{name} was cloned anew from {leader} and streams timeline {timeline}"
    ))
}

/// Kills a node and removes all its data.
///
/// # Errors
/// When a process survives or a file cannot be removed.
pub async fn lose_data(cluster: &Cluster, name: &str) -> Result<(), TargetError> {
    let node = cluster.node(name)?;
    let _alone = node.operation.lock().await;
    cluster.kill(node).await?;
    empty(cluster, node, &format!("remove the data of {name}"))
}

/// Whether a node runs or has a database cluster to start from.
///
/// # Errors
/// When its processes cannot be told.
pub fn has_data(cluster: &Cluster, name: &str) -> Result<bool, TargetError> {
    let server = &cluster.node(name)?.server;
    // The file by which PostgreSQL's own programs know a data directory.
    let there = server.data().join("PG_VERSION").exists();
    Ok(there || !server.processes()?.is_empty())
}

/// Leaves an empty data directory.
fn empty(cluster: &Cluster, node: &Node, what: &str) -> Result<(), TargetError> {
    let data = node.server.data();
    segment::release(data, &cluster.tools.account)?;
    let emptied = match data.exists() {
        true => fs::remove_dir_all(data),
        false => Ok(()),
    };
    emptied
        .and_then(|()| cluster.folder.make_folder(node.name()).map(|_| ()))
        .map_err(|error| TargetError::new(what, error))
}

/// Rewinds and starts it. pg_rewind recovers a crashed server itself first (13 and newer).
async fn rewind(cluster: &Cluster, node: &Node, leader: &Node) -> Result<u32, TargetError> {
    // Until its first checkpoint a promoted server's control file names the old timeline, and pg_rewind
    // before 16 concludes from it that there is nothing to rewind.
    cluster.ask(leader, "CHECKPOINT", CHECKPOINT).await?;
    // The single-user server that recovers a crashed one refuses to be a standby.
    cluster.configure(node, false)?;
    let source = cluster.upstream_conninfo(node);
    let args = [
        "--target-pgdata".as_ref(),
        node.server.data().as_os_str(),
        "--source-server".as_ref(),
        source.as_ref(),
        // Lost with the machine, like the whole cluster; kept through every crash of the server.
        "--no-sync".as_ref(),
    ];
    let what = format!("rewind {}", node.name());
    cluster.tools.run(&what, "pg_rewind", &args, REWIND).await?;
    start_as_standby(cluster, node).await
}

/// Takes a fresh copy of the leader.
async fn clone_anew(cluster: &Cluster, node: &Node) -> Result<u32, TargetError> {
    let what = format!("clone {} anew", node.name());
    node.server.kill().await?;
    empty(cluster, node, &what)?;
    let source = cluster.upstream_conninfo(node);
    let args = [
        "--pgdata".as_ref(),
        node.server.data().as_os_str(),
        "--dbname".as_ref(),
        source.as_ref(),
        "--wal-method=stream".as_ref(),
        "--checkpoint=fast".as_ref(),
        // Lost with the machine, like the whole cluster; kept through every crash of the server.
        "--no-sync".as_ref(),
    ];
    cluster
        .tools
        .run(&what, "pg_basebackup", &args, CLONE)
        .await?;
    start_as_standby(cluster, node).await
}

async fn start_as_standby(cluster: &Cluster, node: &Node) -> Result<u32, TargetError> {
    cluster.configure(node, true)?;
    node.server.start().await?;
    cluster.wait_streaming(node, STREAM).await
}
