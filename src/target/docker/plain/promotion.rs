//! Promotes one standby, and never beside another primary.
//!
//! Nobody here fences but whoever promotes, so that comes first: a node that takes writes in service is a reason to
//! promote nobody; any other node that is not known to be a standby or down is killed, because it might take writes
//! again (thawed, joined, gone on) after its successor did.

use super::PlainStack;
use crate::event::cluster::{ClusterSeen, Standing};
use crate::sql::Session;
use crate::target::docker::docker_target::DockerTarget;
use crate::target::{CutFrom, Network as _, Power as _, Recovery as _, Target as _, TargetError};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a promotion may take, replay of what was received included.
pub(super) const PROMOTE: Duration = Duration::from_secs(30);
/// How long a promoted node may take to say so.
const SEEN: Duration = Duration::from_secs(5);
/// How long one look may take.
const LOOK: Duration = Duration::from_secs(1);
/// How long a node that lives and does not answer is asked again before it is taken for lost.
const ASK: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

/// Which other nodes are in the way of a promotion.
#[derive(Debug, Default)]
struct Others {
    /// They take writes, and clients and peers reach them.
    in_service: Vec<(String, u32)>,
    /// They might take writes, now or later.
    to_fence: Vec<String>,
    /// They live and may only be slow to answer.
    unknown: Vec<String>,
}

/// Promotes the named standby, or the most advanced one that answers; returns its name.
///
/// # Errors
/// When none can be promoted, or another node is in service.
pub(super) async fn promote(
    stack: &PlainStack,
    target: &DockerTarget,
    wanted: Option<&str>,
) -> Result<String, TargetError> {
    let failed = |why: String| TargetError::new("promote a standby", why);
    let begun = Instant::now();
    let (seen, others) = loop {
        let seen = target.look().await;
        if let Some(name) = wanted
            && matches!(seen.node(name), Some(Standing::Primary { .. }))
        {
            return Ok(name.to_owned());
        }
        let others = others(target, &seen, wanted).await?;
        if let [(name, timeline), ..] = &others.in_service[..] {
            return Err(failed(format!(
                "{name} takes writes on timeline {timeline}; a second primary is not made"
            )));
        }
        if others.unknown.is_empty() || begun.elapsed() >= ASK {
            break (seen, others);
        }
        sleep(PAUSE).await;
    };
    // Before anything is taken down for it.
    let mut name = candidate(&seen, stack.newest(), wanted).map_err(failed)?;
    let to_fence: Vec<&String> = others.to_fence.iter().chain(&others.unknown).collect();
    for other in &to_fence {
        stack.taken_down().insert((*other).clone());
        target.fence(other).await?;
    }
    if !to_fence.is_empty() {
        // What was on its way to the standbys has arrived by now.
        name = candidate(&target.look().await, stack.newest(), wanted).map_err(failed)?;
    }
    have_promoted(stack, target, &name).await?;
    Ok(name)
}

/// What every other node is to this promotion.
async fn others(
    target: &DockerTarget,
    seen: &ClusterSeen,
    wanted: Option<&str>,
) -> Result<Others, TargetError> {
    let mut others = Others::default();
    for node in &seen.nodes {
        let name = node.name.as_str();
        if wanted == Some(name) {
            continue;
        }
        match &node.standing {
            Standing::Standby { .. } => {}
            Standing::Primary { timeline, .. } => {
                // As a person would decide: by what can be reached.
                let in_service = target.reaches(name, CutFrom::Clients).await?
                    && target.reaches(name, CutFrom::Peers).await?;
                match in_service {
                    true => others.in_service.push((name.to_owned(), *timeline)),
                    false => others.to_fence.push(name.to_owned()),
                }
            }
            Standing::Silent { .. } if target.running(name).await? == 0 => {}
            Standing::Silent { .. } => {
                let paused = target.look_at(target.node(name)?).await?.paused;
                match paused {
                    true => others.to_fence.push(name.to_owned()),
                    false => others.unknown.push(name.to_owned()),
                }
            }
        }
    }
    Ok(others)
}

/// The named standby, or the most advanced one: newest timeline first, then what it received; the first declared among
/// equals. One on an older timeline than was ever seen would begin a second timeline of the same number.
fn candidate(seen: &ClusterSeen, newest: u32, wanted: Option<&str>) -> Result<String, String> {
    let mut best: Option<(Option<u32>, u64, &str)> = None;
    let mut why_not = Vec::new();
    for node in &seen.nodes {
        let name = node.name.as_str();
        if wanted.is_some_and(|wanted| wanted != name) {
            continue;
        }
        match &node.standing {
            Standing::Standby {
                timeline: Some(timeline),
                ..
            } if *timeline < newest => {
                why_not.push(format!(
                    "{name} is on timeline {timeline}, older than {newest}"
                ));
            }
            Standing::Standby {
                timeline,
                received,
                replayed,
                ..
            } => {
                let position = (*received).max(*replayed).unwrap_or_default();
                if best.is_none_or(|(on, most, _)| (*timeline, position) > (on, most)) {
                    best = Some((*timeline, position, name));
                }
            }
            Standing::Primary { .. } => {}
            Standing::Silent { why } => why_not.push(format!("{name}: {why}")),
        }
    }
    match best {
        Some((_, _, name)) => Ok(name.to_owned()),
        None => Err(format!("no standby answers: {}", why_not.join(", "))),
    }
}

/// Has a standby promote itself, and returns when it says that it takes writes. Harmless where it does already.
///
/// # Errors
/// When it does not say so in time; it may still do it.
pub(super) async fn have_promoted(
    stack: &PlainStack,
    target: &DockerTarget,
    name: &str,
) -> Result<(), TargetError> {
    let what = || format!("promote {name}");
    let node = target.node(name)?;
    let _alone = node.operation.lock().await;
    let session = Session::connect(&target.act_access(name), LOOK * 3).await;
    let session = session.map_err(|error| TargetError::new(what(), error))?;
    *stack.told() = Some((name.to_owned(), Instant::now()));
    let sql = format!(
        "SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_promote(true, {}) ELSE true END",
        PROMOTE.as_secs()
    );
    let asked = session.query(sql.as_str(), PROMOTE + LOOK * 2).await;
    let answer = asked.map_err(|error| {
        // What the server refused it does not do.
        if error.state.is_some() {
            *stack.told() = None;
        }
        TargetError::new(what(), error)
    })?;
    let done = answer.rows.first().and_then(|row| row.first()?.as_deref());
    if done != Some("t") {
        let cause = format!("it did not leave recovery within {} s", PROMOTE.as_secs());
        return Err(TargetError::new(what(), cause));
    }
    let begun = Instant::now();
    loop {
        let said = target.standing(node, LOOK).await;
        if matches!(said, Standing::Primary { .. }) {
            return Ok(());
        }
        if begun.elapsed() >= SEEN {
            let cause = "it says that it left recovery, and is not seen to take writes";
            return Err(TargetError::new(what(), cause));
        }
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Stamp;
    use crate::event::cluster::NodeSeen;

    fn seen(nodes: Vec<(&str, Standing)>) -> ClusterSeen {
        ClusterSeen {
            asked: Stamp(0),
            declared: nodes.len(),
            nodes: nodes
                .into_iter()
                .map(|(name, standing)| NodeSeen {
                    name: name.to_owned(),
                    standing,
                })
                .collect(),
        }
    }

    fn standby(timeline: Option<u32>, received: Option<u64>, replayed: u64) -> Standing {
        Standing::Standby {
            timeline,
            received,
            replayed: Some(replayed),
            streaming: false,
            paused: false,
        }
    }

    #[test]
    fn the_most_advanced_standby_is_taken_and_none_of_a_time_that_is_over() {
        let silent = || Standing::Silent {
            why: "refused".to_owned(),
        };
        let nodes = seen(vec![
            ("a", silent()),
            ("b", standby(Some(2), Some(50), 50)),
            ("c", standby(Some(2), Some(80), 10)),
            ("d", standby(Some(1), Some(90), 90)),
            ("e", standby(Some(2), None, 80)),
        ]);
        assert_eq!(candidate(&nodes, 2, None).unwrap(), "c");
        assert_eq!(candidate(&nodes, 2, Some("b")).unwrap(), "b");
        let old = candidate(&nodes, 2, Some("d")).unwrap_err();
        assert_eq!(old, "no standby answers: d is on timeline 1, older than 2");
        let alone = candidate(&seen(vec![("a", silent())]), 0, None).unwrap_err();
        assert_eq!(alone, "no standby answers: a: refused");
        // One that does not know its timeline is no worse than that.
        let unknown = seen(vec![("a", standby(None, Some(1), 1))]);
        assert_eq!(candidate(&unknown, 7, None).unwrap(), "a");
    }
}
