//! The predicate that most undos share: a node runs and streams the newest timeline, or leads it.
//!
//! It only reads; [`super::no_second_primary`] acts.

use super::Standing;
use crate::clock::Clock;
use crate::event::cluster::{ClusterSeen, Standing as NodeStanding};
use crate::target::{Target, TargetError, see_cluster};
use std::time::Duration;

/// How long one node may take to answer one look.
pub(crate) const LOOK: Duration = Duration::from_secs(1);

/// Asks all nodes once. The stamps of the answer are of no run: only its order in time is used.
pub(crate) async fn look(target: &dyn Target) -> ClusterSeen {
    see_cluster(target, Clock::start(), LOOK).await
}

/// Whether a node is in place, and everything of its own is as it was found.
///
/// # Errors
/// When the latter cannot be told.
pub(crate) async fn as_before(target: &dyn Target, node: &str) -> Result<Standing, TargetError> {
    let standing = in_place(&look(target).await, node);
    Ok(match standing {
        Standing::Back(proof) => match target.altered(node).await? {
            Some(what) => Standing::Missing(what),
            None => Standing::Back(proof),
        },
        missing => missing,
    })
}

/// Whether a node leads the newest timeline that can be seen, or streams it by its own word and by the
/// leader's.
#[must_use]
pub fn in_place(seen: &ClusterSeen, node: &str) -> Standing {
    let missing = |text: String| Standing::Missing(text);
    let Some(of_node) = seen.node(node) else {
        return missing(format!("{node} is no node of this target"));
    };
    if let NodeStanding::Silent { why } = of_node {
        return missing(format!("{node} does not answer: {why}"));
    }
    let Some((_, newest)) = seen.leader() else {
        return missing(format!("{node} is up, and no node takes writes"));
    };
    let leaders: Vec<_> = seen
        .primaries()
        .filter(|(_, timeline)| *timeline == newest)
        .map(|(name, _)| name)
        .collect();
    let [leader] = leaders[..] else {
        let names = leaders.join(" and ");
        return missing(format!("{names} both take writes on timeline {newest}"));
    };
    match of_node {
        NodeStanding::Primary { .. } if leader == node => {
            Standing::Back(format!("{node} leads timeline {newest}"))
        }
        NodeStanding::Primary { timeline, .. } => missing(format!(
            "{node} takes writes on timeline {timeline}, and {leader} leads timeline {newest}"
        )),
        NodeStanding::Standby {
            timeline,
            streaming,
            ..
        } => {
            let listed = match seen.node(leader) {
                Some(NodeStanding::Primary { standbys, .. }) => standbys
                    .iter()
                    .any(|row| row.name == node && row.state == "streaming"),
                _ => false,
            };
            if !streaming {
                missing(format!("{node} is a standby that streams from nobody"))
            } else if *timeline != Some(newest) {
                missing(format!(
                    "{node} does not stream the newest timeline {newest}"
                ))
            } else if !listed {
                missing(format!("{leader} does not list {node} as streaming"))
            } else {
                Standing::Back(format!("{node} streams timeline {newest} from {leader}"))
            }
        }
        NodeStanding::Silent { why } => missing(format!("{node} does not answer: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Stamp;
    use crate::event::cluster::{NodeSeen, StandbySeen};

    fn primary(timeline: u32, standbys: &[&str]) -> NodeStanding {
        let row = |name: &&str| StandbySeen {
            name: (*name).to_owned(),
            state: String::from("streaming"),
            sync: String::from("async"),
            flushed: None,
            replayed: None,
        };
        NodeStanding::Primary {
            timeline,
            lsn: 0,
            standbys: standbys.iter().map(row).collect(),
        }
    }

    fn standby(timeline: u32, streaming: bool) -> NodeStanding {
        NodeStanding::Standby {
            timeline: Some(timeline),
            received: None,
            replayed: None,
            streaming,
            paused: false,
        }
    }

    fn silent() -> NodeStanding {
        NodeStanding::Silent {
            why: String::from("refused"),
        }
    }

    fn say(nodes: [NodeStanding; 2]) -> String {
        let nodes = nodes.into_iter().zip(["node-1", "node-2"]);
        let seen = ClusterSeen {
            asked: Stamp(0),
            nodes: nodes
                .map(|(standing, name)| NodeSeen {
                    name: name.to_owned(),
                    standing,
                })
                .collect(),
            declared: 2,
        };
        match in_place(&seen, "node-2") {
            Standing::Back(proof) => format!("back: {proof}"),
            Standing::Missing(what) => format!("missing: {what}"),
        }
    }

    #[test]
    fn every_answer_is_judged() {
        let cases = [
            [primary(2, &["node-2"]), standby(2, true)],
            [primary(2, &[]), standby(2, true)],
            [primary(2, &["node-2"]), standby(2, false)],
            [primary(2, &["node-2"]), standby(1, true)],
            [primary(2, &[]), primary(1, &[])],
            [primary(1, &[]), primary(2, &[])],
            [primary(1, &[]), primary(1, &[])],
            [standby(1, false), standby(1, false)],
            [silent(), primary(1, &[])],
            [primary(1, &[]), silent()],
        ];
        insta::assert_snapshot!(cases.map(say).join("\n"), @"
        back: node-2 streams timeline 2 from node-1
        missing: node-1 does not list node-2 as streaming
        missing: node-2 is a standby that streams from nobody
        missing: node-2 does not stream the newest timeline 2
        missing: node-2 takes writes on timeline 1, and node-1 leads timeline 2
        back: node-2 leads timeline 2
        missing: node-1 and node-2 both take writes on timeline 1
        missing: node-2 is up, and no node takes writes
        back: node-2 leads timeline 1
        missing: node-2 does not answer: refused
        ");
    }
}
