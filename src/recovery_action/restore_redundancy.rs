//! `restore_redundancy`: every declared standby streams again.
//!
//! It powers nothing on and lifts no fault: nodes that are down, and nodes under an open fault, stay as
//! they are, and the wait says so when it is in vain.

use super::acting::{About, Acting, ActionError};
use super::rejoin::rejoin_since;
use crate::event::Stage;
use crate::event::cluster::{ClusterSeen, Standing as NodeStanding};
use crate::undo::Standing;
use crate::undo::in_place::in_place;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a node that runs may take to stream by itself, before it is rejoined.
const BY_ITSELF: Duration = Duration::from_secs(2);

/// How long after a failed rejoin it is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// Rejoins every node that runs and does not stream, except those in `held` (nodes under open faults), and
/// waits until the cluster is whole: one writable node, every other declared one streaming from it.
/// Returns the proof.
///
/// # Errors
/// When it is not whole within the limit; the text says what is missing, and why a rejoin failed.
pub async fn restore_redundancy(
    acting: &Acting<'_>,
    held: &[String],
) -> Result<String, ActionError> {
    restore(acting, held, false).await
}

/// The same at the end of a run that was cut short, when no fault is open any more: nodes that are down
/// are rejoined too, because the steps that would have brought them back were skipped.
///
/// # Errors
/// As [`restore_redundancy`].
pub async fn bring_back(acting: &Acting<'_>) -> Result<String, ActionError> {
    restore(acting, &[], true).await
}

async fn restore(
    acting: &Acting<'_>,
    held: &[String],
    also_down: bool,
) -> Result<String, ActionError> {
    let begun = Instant::now();
    let about = About {
        name: "restore_redundancy",
        node: "",
        role: "",
    };
    acting.say(about, Stage::Requested);
    let mut tried: HashMap<String, Instant> = HashMap::new();
    let mut trouble = None;
    let by_itself = BY_ITSELF.min(acting.within / 4);
    while begun.elapsed() < acting.within {
        let seen = acting.look().await;
        if seen.is_whole() {
            break;
        }
        let mut turn = None;
        for node in astray(&seen, held) {
            let due = match tried.get(&node) {
                None => begun.elapsed() >= by_itself,
                Some(last) => last.elapsed() >= AGAIN,
            };
            if due && (also_down || !is_down(acting, &node).await) {
                turn = Some(node);
                break;
            }
        }
        let Some(node) = turn else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        trouble = rejoin_since(acting, begun, &node)
            .await
            .err()
            .map(|error| format!("{node}: {error}"));
        tried.insert(node, Instant::now());
    }
    acting.say(about, Stage::Returned);
    let met = |seen: &ClusterSeen| match (seen.is_whole(), seen.leader()) {
        (true, Some((leader, timeline))) => Ok(format!(
            "{} of {} standbys stream timeline {timeline} from {leader}",
            seen.streaming(),
            seen.declared - 1
        )),
        _ => Err(missing(seen, held, trouble.as_deref())),
    };
    acting.until(about, begun, met).await
}

async fn is_down(acting: &Acting<'_>, node: &str) -> bool {
    match acting.target.power() {
        Some(power) => power.running(node).await.is_ok_and(|count| count == 0),
        None => false,
    }
}

/// Nodes that are not where they should be and may be touched; none where nobody leads. The leader is never among them, nor is
/// anybody while two lead the same timeline.
fn astray(seen: &ClusterSeen, held: &[String]) -> Vec<String> {
    let leader = seen.leader().map(|(leader, _)| leader);
    let newest = seen.leader().map(|(_, timeline)| timeline);
    let tied = seen
        .primaries()
        .filter(|(_, timeline)| Some(*timeline) == newest)
        .count()
        > 1;
    let nodes = seen.nodes.iter().filter(|node| {
        !tied
            && leader.is_some()
            && Some(node.name.as_str()) != leader
            && !held.contains(&node.name)
            && matches!(in_place(seen, &node.name), Standing::Missing(_))
    });
    nodes.map(|node| node.name.clone()).collect()
}

/// What keeps the cluster from being whole, node by node.
fn missing(seen: &ClusterSeen, held: &[String], trouble: Option<&str>) -> String {
    let mut lines: Vec<String> = trouble.map(str::to_owned).into_iter().collect();
    for node in &seen.nodes {
        if let Standing::Missing(what) = in_place(seen, &node.name) {
            let fault = match (&node.standing, held.contains(&node.name)) {
                (_, true) => " (it is under an open fault)",
                (NodeStanding::Silent { .. }, false) => " (nothing is powered on in this step)",
                _ => "",
            };
            lines.push(format!("{what}{fault}"));
        }
    }
    match lines.is_empty() {
        true => format!(
            "{} of {} nodes are declared",
            seen.nodes.len(),
            seen.declared
        ),
        false => lines.join("; "),
    }
}
