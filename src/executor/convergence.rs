//! When the ledger may be judged: exactly one writable node, every declared node streaming its timeline
//! with replay past a barrier, and all of it held for a while.
//!
//! Loss that is judged earlier is judged too early: a promoted node may still lose to a primary that
//! returns, together with everything it acknowledged in between.

use super::cluster_watch::DEADLINE;
use crate::clock::Clock;
use crate::event::cluster::{ClusterSeen, Standing};
use crate::event::{Convergence, Stamp};
use crate::load::audit;
use crate::role::history::timeline_history;
use crate::role::sql::ClusterEye;
use crate::target::Target;
use std::time::Duration;

/// The longest wait for convergence.
pub const LIMIT: Duration = Duration::from_secs(300);
/// The shortest time for which it must hold.
const HOLD: Duration = Duration::from_secs(5);
/// Time between two looks.
const EVERY: Duration = Duration::from_millis(100);

/// How long convergence must hold on this target: the longer of two control periods and 5 s.
#[must_use]
pub fn hold(target: &dyn Target) -> Duration {
    HOLD.max(2 * target.control_period())
}

/// Waits for convergence, for at most `limit`; the barrier is a row of `run`.
pub async fn converge(
    target: &dyn Target,
    run: &str,
    clock: Clock,
    limit: Duration,
) -> Convergence {
    let hold = hold(target);
    let end = clock.now().plus(limit);
    let mut eye = ClusterEye::new(target, clock, DEADLINE);
    let mut barrier = None;
    let mut since: Option<Stamp> = None;
    let mut seen = eye.look().await;
    loop {
        let mut missing = what_is_missing(&seen, barrier.as_ref());
        if missing.is_none() && barrier.is_none() {
            // The barrier is written by the node that leads now; if another one leads later, it is
            // written again there.
            match leader(&seen) {
                Some((node, timeline)) => {
                    match audit::barrier(run, &target.probe_access(&node)).await {
                        Ok(lsn) => {
                            barrier = Some(Barrier { timeline, lsn });
                            missing = Some("the barrier was only just written".to_owned());
                        }
                        Err(error) => missing = Some(format!("barrier on {node}: {error}")),
                    }
                }
                None => missing = Some("no writable node".to_owned()),
            }
        }
        let now = clock.now();
        match &missing {
            None => {
                let began = *since.get_or_insert(now);
                if now.since(began) >= hold {
                    return outcome(target, &seen, Some(began), None).await;
                }
            }
            Some(_) => {
                since = None;
                if barrier
                    .as_ref()
                    .is_some_and(|barrier| leader(&seen).is_some_and(|l| l.1 != barrier.timeline))
                {
                    barrier = None;
                }
            }
        }
        if now >= end {
            let why = missing.unwrap_or_else(|| format!("held for less than {hold:?}"));
            return outcome(target, &seen, None, Some(why)).await;
        }
        clock.sleep_until(now.plus(EVERY)).await;
        seen = eye.look().await;
    }
}

/// A committed row that every node must have replayed.
struct Barrier {
    timeline: u32,
    lsn: u64,
}

fn leader(seen: &ClusterSeen) -> Option<(String, u32)> {
    seen.leader()
        .map(|(node, timeline)| (node.to_owned(), timeline))
}

/// What is missing for convergence, in one line; `None` when nothing is.
fn what_is_missing(seen: &ClusterSeen, barrier: Option<&Barrier>) -> Option<String> {
    let writable: Vec<_> = seen.primaries().map(|(node, _)| node).collect();
    match writable.as_slice() {
        [] => return Some("no writable node".to_owned()),
        [_] => {}
        many => return Some(format!("several writable nodes: {}", many.join(", "))),
    }
    let (leader, timeline) = seen.leader()?;
    for node in seen.nodes.iter().filter(|node| node.name != leader) {
        let name = &node.name;
        match &node.standing {
            Standing::Silent { why } => return Some(format!("{name} does not answer ({why})")),
            Standing::Primary { .. } => {}
            Standing::Standby {
                timeline: own,
                streaming,
                replayed,
                ..
            } => {
                if !streaming || *own != Some(timeline) {
                    return Some(format!("{name} does not stream timeline {timeline}"));
                }
                if let Some(barrier) = barrier
                    && replayed.is_none_or(|replayed| replayed < barrier.lsn)
                {
                    return Some(format!("{name} has not replayed the barrier"));
                }
            }
        }
    }
    if barrier.is_some_and(|barrier| barrier.timeline != timeline) {
        return Some("another node leads than the one that wrote the barrier".to_owned());
    }
    (!seen.is_whole()).then(|| {
        format!(
            "{} of {} declared standbys stream",
            seen.streaming(),
            seen.declared.saturating_sub(1)
        )
    })
}

async fn outcome(
    target: &dyn Target,
    seen: &ClusterSeen,
    since: Option<Stamp>,
    missing: Option<String>,
) -> Convergence {
    let history = match seen.leader() {
        // Without the history file the timeline itself is all that is known of it.
        Some((node, timeline)) => match target.history(node, timeline).await {
            Some(history) => history,
            None => timeline_history(&target.act_access(node), timeline)
                .await
                .unwrap_or_else(|_| vec![timeline]),
        },
        None => Vec::new(),
    };
    Convergence {
        since,
        missing,
        writable: seen
            .primaries()
            .map(|(node, timeline)| (node.to_owned(), timeline))
            .collect(),
        history,
        streaming: seen.streaming(),
        declared: seen.declared.saturating_sub(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::cluster::{NodeSeen, StandbySeen};

    fn primary(name: &str, timeline: u32, standbys: &[&str]) -> NodeSeen {
        let standbys = standbys
            .iter()
            .map(|name| StandbySeen {
                name: (*name).to_owned(),
                state: "streaming".into(),
                sync: "async".into(),
                flushed: Some(100),
                replayed: Some(100),
            })
            .collect();
        NodeSeen {
            name: name.into(),
            standing: Standing::Primary {
                timeline,
                lsn: 100,
                standbys,
            },
        }
    }

    fn standby(name: &str, timeline: u32, replayed: u64) -> NodeSeen {
        NodeSeen {
            name: name.into(),
            standing: Standing::Standby {
                timeline: Some(timeline),
                received: Some(100),
                replayed: Some(replayed),
                streaming: true,
                paused: false,
            },
        }
    }

    fn missing(nodes: Vec<NodeSeen>, barrier: Option<(u32, u64)>) -> Option<String> {
        let seen = ClusterSeen {
            asked: Stamp(0),
            declared: nodes.len(),
            nodes,
        };
        let barrier = barrier.map(|(timeline, lsn)| Barrier { timeline, lsn });
        what_is_missing(&seen, barrier.as_ref())
    }

    #[test]
    fn names_what_is_missing() {
        let whole = || vec![primary("a", 2, &["b"]), standby("b", 2, 100)];
        assert_eq!(missing(whole(), None), None);
        assert_eq!(missing(whole(), Some((2, 100))), None);
        let cases = [
            (whole(), Some((2, 101)), "b has not replayed the barrier"),
            (
                whole(),
                Some((1, 50)),
                "another node leads than the one that wrote the barrier",
            ),
            (
                vec![primary("a", 2, &["b"]), standby("b", 1, 100)],
                None,
                "b does not stream timeline 2",
            ),
            (
                vec![primary("a", 2, &[]), standby("b", 2, 100)],
                None,
                "0 of 1 declared standbys stream",
            ),
            (
                vec![primary("a", 2, &[]), primary("b", 1, &[])],
                None,
                "several writable nodes: a, b",
            ),
            (vec![standby("a", 1, 1)], None, "no writable node"),
        ];
        for (nodes, barrier, why) in cases {
            assert_eq!(missing(nodes, barrier).as_deref(), Some(why));
        }
    }
}
