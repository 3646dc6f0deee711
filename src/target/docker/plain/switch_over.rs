//! A switch-over that loses nothing: the old primary is stopped in order, which ends only when its standbys have
//! everything, the standby is promoted, the old primary's container is started and follows.

use super::PlainStack;
use super::control_file::{self, shutdown_checkpoint};
use super::promotion::have_promoted;
use super::rejoin;
use crate::event::cluster::{ClusterSeen, Standing};
use crate::sql::Session;
use crate::target::docker::docker_target::{DockerTarget, Node};
use crate::target::docker::recovery::follows;
use crate::target::{
    PowerOff, ProcessScope, ProcessState, Processes as _, Target as _, TargetError,
};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long the checkpoint before the shutdown may take.
const CHECKPOINT: Duration = Duration::from_secs(60);
/// How long the shutdown may take.
const STOP: Duration = Duration::from_secs(60);
/// How long the standby may take to have received everything.
const CATCH_UP: Duration = Duration::from_secs(10);
/// How long a container may take to end by itself once its server is gone.
const ENDED: Duration = Duration::from_secs(3);
const ASK: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(20);

/// Switches over to `to`, or to the most advanced standby that streams; returns the new primary.
///
/// # Errors
/// When it could not be carried out; the text says which state was left.
pub(super) async fn switch_over(
    stack: &PlainStack,
    target: &DockerTarget,
    to: Option<&str>,
) -> Result<String, TargetError> {
    let failed = |why: String| TargetError::new("switch over", why);
    let seen = target.look().await;
    let old = target.only_primary("switch over", &seen)?;
    let (old_name, id) = (old.facts.name.as_str(), old.facts.id.as_str());
    let new =
        match to {
            Some(name) if name == old_name => return Ok(name.to_owned()),
            Some(name) => target.node(name)?,
            None => target
                .node(best(&seen, old_name).ok_or_else(|| {
                    failed("no standby streams; nothing was changed".to_owned())
                })?)?,
        };
    let new_name = new.facts.name.as_str();
    follows(&seen, new_name)
        .map_err(|why| failed(format!("{new_name}: {why}; nothing was changed")))?;
    let asked = "SELECT current_setting('data_directory')";
    let data = stack.psql.ask(&target.engine, id, asked, ASK).await;
    let data = data.ok().and_then(|mut row| row.pop().flatten());
    let data = data.ok_or_else(|| {
        failed(format!(
            "{old_name} does not say where its data lie; nothing was changed"
        ))
    })?;
    // Most of the work of the shutdown's own checkpoint, done while clients are still served. Who may not ask for it
    // waits a little longer.
    let _ = ask(target, old_name, "CHECKPOINT", CHECKPOINT).await;
    let mut handed = {
        let _alone = old.operation.lock().await;
        stack.taken_down().insert(old_name.to_owned());
        stop_in_order(target, old).await
    };
    if handed.is_ok() {
        handed = has_everything(target, old, new, &data).await;
    }
    if let Err(error) = handed {
        // The standby was not told to promote itself, so that the old primary may lead again.
        let _alone = old.operation.lock().await;
        let back = match target.run_again(old).await {
            Ok(()) => {
                stack.taken_down().remove(old_name);
                format!("{old_name} is started again")
            }
            Err(failed) => format!("{failed}; no node takes writes"),
        };
        return Err(failed(format!("{error}; {back}")));
    }
    have_promoted(stack, target, new_name)
        .await
        .map_err(|error| failed(format!("{error}; {old_name} is down")))?;
    rejoin::rejoin(stack, target, old_name)
        .await
        .map_err(|error| failed(format!("{new_name} leads, but {error}")))?;
    Ok(new_name.to_owned())
}

/// The standby that streams from the leader and has received most.
fn best<'a>(seen: &'a ClusterSeen, old: &str) -> Option<&'a str> {
    let mut best: Option<(u64, &str)> = None;
    for node in &seen.nodes {
        if let Standing::Standby { received, .. } = node.standing
            && node.name != old
            && follows(seen, &node.name).is_ok()
            && best.is_none_or(|(most, _)| received.unwrap_or_default() > most)
        {
            best = Some((received.unwrap_or_default(), &node.name));
        }
    }
    best.map(|(_, name)| name)
}

/// Has PostgreSQL shut down fast and in order, whatever the signal of a stop means to its container, then stops what
/// is left of it.
async fn stop_in_order(target: &DockerTarget, node: &Node) -> Result<(), TargetError> {
    let name = &node.facts.name;
    let what = || format!("stop {name}");
    target.disarm(node).await?;
    let found = target.find(name, ProcessScope::Postmaster).await?;
    if found.is_empty() {
        return Err(TargetError::new(what(), "it has no postmaster now"));
    }
    target.signal_by_name(node, &found, "INT").await?;
    let begun = Instant::now();
    loop {
        // Its container may end with it, and cannot be asked while it does.
        let gone = match target.states(name, &found).await {
            Ok(states) => states.iter().all(|state| *state == ProcessState::Gone),
            Err(_) => !target.look_at(node).await?.running,
        };
        if gone {
            break;
        }
        if begun.elapsed() >= STOP {
            let cause = format!("it does not end its shutdown in {} s", STOP.as_secs());
            return Err(TargetError::new(what(), cause));
        }
        sleep(PAUSE).await;
    }
    let begun = Instant::now();
    while target.look_at(node).await?.running {
        if begun.elapsed() >= ENDED {
            return target.take_down(node, PowerOff::StopFast).await;
        }
        sleep(PAUSE).await;
    }
    Ok(())
}

/// Waits until the standby has the shutdown's own record, the last that the old primary wrote.
async fn has_everything(
    target: &DockerTarget,
    old: &Node,
    new: &Node,
    data: &str,
) -> Result<(), TargetError> {
    let (old_name, new_name) = (&old.facts.name, &new.facts.name);
    let what = || format!("hand over from {old_name} to {new_name}");
    let path = format!("{}/{}", data.trim_end_matches('/'), control_file::PATH);
    let file = target.engine.read_file(&old.facts.id, &path).await;
    let file = file.map_err(|error| TargetError::new(what(), format!("read {path}: {error}")))?;
    let last = shutdown_checkpoint(&file)
        .map_err(|why| TargetError::new(what(), format!("{old_name}: {why}")))?;
    let sql = format!(
        "SELECT pg_catalog.pg_last_wal_receive_lsn() > '{:X}/{:X}'::pg_catalog.pg_lsn",
        last >> 32,
        last & 0xffff_ffff
    );
    let begun = Instant::now();
    loop {
        if ask(target, new_name, &sql, ASK).await.as_deref() == Ok("t") {
            return Ok(());
        }
        if begun.elapsed() >= CATCH_UP {
            let cause = format!(
                "{new_name} did not receive everything within {} s",
                CATCH_UP.as_secs()
            );
            return Err(TargetError::new(what(), cause));
        }
        sleep(PAUSE).await;
    }
}

/// The one value that a node answers with, as whoever acts.
async fn ask(
    target: &DockerTarget,
    node: &str,
    sql: &str,
    limit: Duration,
) -> Result<String, String> {
    let session = Session::connect(&target.act_access(node), limit.min(ASK)).await;
    let session = session.map_err(|error| error.to_string())?;
    let answer = session.query(sql, limit).await;
    let answer = answer.map_err(|error| error.to_string())?;
    let value = answer.rows.first().and_then(|row| row.first()?.clone());
    Ok(value.unwrap_or_default())
}
