//! Makes a node stream again by its container's own start, which rewinds it or copies it anew where another node leads.
//!
//! firedrill does not trust it with more than that: a node is started only where a leader is seen and nothing keeps
//! the two apart, and one that takes writes beside the leader all the same is killed at once.

use super::PlainStack;
use crate::event::cluster::{ClusterSeen, Standing};
use crate::target::docker::docker_target::{DockerTarget, Node};
use crate::target::docker::network::missing;
use crate::target::docker::recovery::follows;
use crate::target::{CutFrom, Network as _, PowerOff, TargetError};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long it may take: the start may have to copy everything.
const REJOIN: Duration = Duration::from_secs(110);
/// How long a look at the node alone may take.
const LOOK: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(100);

/// Makes a node stream the newest timeline; returns one line on how. Harmless where it does, or leads.
///
/// # Errors
/// When nobody leads, or it does not follow; it is down then, or up and no primary.
pub(super) async fn rejoin(
    stack: &PlainStack,
    target: &DockerTarget,
    name: &str,
) -> Result<String, TargetError> {
    let how = have_follow(stack, target, name).await?;
    stack.taken_down().remove(name);
    Ok(how)
}

async fn have_follow(
    stack: &PlainStack,
    target: &DockerTarget,
    name: &str,
) -> Result<String, TargetError> {
    let node = target.node(name)?;
    let _alone = node.operation.lock().await;
    let failed = |why: String| TargetError::new(format!("rejoin {name}"), why);
    let container = target.look_at(node).await?;
    if container.paused {
        return Err(failed("its container is paused".to_owned()));
    }
    let seen = target.look().await;
    if let Ok(proof) = follows(&seen, name) {
        target.rearm(node).await?;
        return Ok(format!("{proof} already"));
    }
    let Some((leader, newest)) = seen.leader() else {
        return Err(failed(
            "no node takes writes, so there is nothing to stream from".to_owned(),
        ));
    };
    let leader = leader.to_owned();
    if let Some(Standing::Primary { timeline, .. }) = seen.node(name) {
        if *timeline >= newest {
            return Err(failed(format!(
                "it and {leader} both take writes on timeline {newest}, and nothing tells whose commits are to be kept"
            )));
        }
        target.disarm(node).await?;
        target.take_down(node, PowerOff::Kill).await?;
    }
    let started = !target.look_at(node).await?.running;
    if started {
        if stack.untrusted().contains(name) {
            return Err(failed(format!(
                "it stays down: its container has started it as a primary beside {leader} before; see what its start \
                 does where the other node takes writes, then put the run back"
            )));
        }
        nothing_between(target, node, &leader)
            .await
            .map_err(failed)?;
        target.run_again(node).await?;
    }
    let begun = Instant::now();
    loop {
        // The node first, and alone: a look at all waits for the slowest.
        if matches!(target.standing(node, LOOK).await, Standing::Primary { .. })
            && leads_elsewhere(&target.look().await, name)
        {
            stack.untrusted().insert(name.to_owned());
            target.disarm(node).await?;
            target.take_down(node, PowerOff::Kill).await?;
            return Err(failed(format!(
                "its container started it as a primary beside {leader}, and it was killed at once: its start must \
                 rewind it, or copy it anew, where the other node takes writes"
            )));
        }
        let missing = match follows(&target.look().await, name) {
            Ok(proof) if started => {
                return Ok(format!("{proof}, by its container's own start"));
            }
            Ok(proof) => {
                target.rearm(node).await?;
                return Ok(proof);
            }
            Err(missing) => missing,
        };
        if begun.elapsed() >= REJOIN {
            return Err(failed(format!(
                "its container has not brought it back in {} s: {missing}; see docker logs {}",
                REJOIN.as_secs(),
                node.facts.container
            )));
        }
        sleep(PAUSE).await;
    }
}

/// Whether another node takes writes on a timeline that is no older.
fn leads_elsewhere(seen: &ClusterSeen, name: &str) -> bool {
    seen.leader().is_some_and(|(leader, _)| leader != name)
}

/// Whether a node that is started now can find the leader: then its start knows that it is none.
async fn nothing_between(target: &DockerTarget, node: &Node, leader: &str) -> Result<(), String> {
    let cause = |error: TargetError| error.to_string();
    for each in [node, target.node(leader).map_err(cause)?] {
        let now = target.look_at(each).await.map_err(cause)?;
        if let Some(what) = missing(&each.facts, &now) {
            return Err(format!("it could not find {leader}: {what}"));
        }
    }
    match target.reaches(leader, CutFrom::Peers).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!("it could not find {leader}, which nothing reaches")),
        Err(error) => Err(error.to_string()),
    }
}
