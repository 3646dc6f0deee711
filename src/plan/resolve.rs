//! Which nodes a step hits, when it begins.

use super::draw;
use crate::event::cluster::{ClusterSeen, NodeSeen, Standing};
use crate::fault::Hit;
use crate::role::NodeRef;
use crate::target::Part;
use rand_chacha::rand_core::RngCore;
use std::collections::BTreeMap;

/// Resolves a drill's word for a node against what all nodes just said of themselves.
///
/// `hits` holds what earlier steps hit, by step id: for `{ of: ID }` (for a switch-over, the previous
/// primary), and because a node that was hit may not answer any more while its role then still counts.
/// Several candidates are drawn by `rng`. Returns names with roles ("primary" or "standby"): one, or several
/// for the words that begin with `all`.
///
/// # Errors
/// In one line, when nothing matches, or when the role of a node that matches is not known.
pub fn resolve(
    node: &NodeRef,
    seen: &ClusterSeen,
    hits: &BTreeMap<String, Hit>,
    rng: &mut impl RngCore,
) -> Result<Vec<(String, String)>, String> {
    let none = |what: &str| format!("{what}: {}", in_words(seen));
    match node {
        NodeRef::Primary => match seen.leader() {
            Some((name, _)) => Ok(vec![(name.to_owned(), "primary".to_owned())]),
            None => Err(none("no node takes writes")),
        },
        NodeRef::Standby => {
            let candidates = standbys(seen).map(|(node, _)| node.name.clone()).collect();
            drawn(candidates, rng).ok_or_else(|| none("no node is a standby"))
        }
        NodeRef::SyncStandby => {
            let is_sync = |name: &str| match seen.leader().and_then(|(leader, _)| seen.node(leader))
            {
                Some(Standing::Primary { standbys, .. }) => standbys
                    .iter()
                    .any(|row| row.name == name && matches!(row.sync.as_str(), "sync" | "quorum")),
                _ => false,
            };
            let candidates = standbys(seen)
                .filter(|(node, _)| is_sync(&node.name))
                .map(|(node, _)| node.name.clone())
                .collect();
            drawn(candidates, rng).ok_or_else(|| none("no standby is synchronous"))
        }
        NodeRef::MostLaggingStandby => {
            // One that does not know how far it replayed has replayed nothing since it started.
            let furthest = standbys(seen).map(|(_, replayed)| replayed).min();
            let candidates = standbys(seen)
                .filter(|(_, replayed)| Some(*replayed) == furthest)
                .map(|(node, _)| node.name.clone())
                .collect();
            drawn(candidates, rng).ok_or_else(|| none("no node is a standby"))
        }
        NodeRef::All => seen
            .nodes
            .iter()
            .map(|node| Ok((node.name.clone(), role(node, hits)?)))
            .collect(),
        NodeRef::AllStandbys => match all_standbys(seen) {
            none_found if none_found.is_empty() => Err(none("no node is a standby")),
            found => Ok(found),
        },
        NodeRef::AllAnswering => {
            // The primary last: while it lives, nobody is put in its place.
            let mut found = all_standbys(seen);
            let primaries = seen.primaries();
            found.extend(primaries.map(|(name, _)| (name.to_owned(), "primary".to_owned())));
            match found.is_empty() {
                true => Err(none("no node answers")),
                false => Ok(found),
            }
        }
        NodeRef::Named(name) => one(name, seen, hits),
        // Its members are the target's to find.
        NodeRef::Part(part) => Ok(vec![(part.to_string(), Part::ROLE.to_owned())]),
        NodeRef::Of(id) => match hits.get(id) {
            Some(hit) => one(&hit.node, seen, hits),
            None => Err(format!("the step {id} has hit nothing")),
        },
    }
}

fn one(
    name: &str,
    seen: &ClusterSeen,
    hits: &BTreeMap<String, Hit>,
) -> Result<Vec<(String, String)>, String> {
    match seen.nodes.iter().find(|node| node.name == name) {
        Some(node) => Ok(vec![(name.to_owned(), role(node, hits)?)]),
        None => Err(format!(
            "there is no node and no role {name}: {}",
            in_words(seen)
        )),
    }
}

/// The role of a node by its own word. One that says nothing keeps the role in which it was hit last: an
/// old primary that cannot be asked is still one that may write again.
fn role(node: &NodeSeen, hits: &BTreeMap<String, Hit>) -> Result<String, String> {
    match &node.standing {
        Standing::Primary { .. } => Ok("primary".to_owned()),
        Standing::Standby { .. } => Ok("standby".to_owned()),
        Standing::Silent { why } => hits
            .values()
            .filter(|hit| hit.node == node.name)
            .max_by_key(|hit| hit.was_primary())
            .map(|hit| hit.role.clone())
            .ok_or_else(|| {
                let name = &node.name;
                format!("{name} does not answer ({why}), so that nobody knows its role")
            }),
    }
}

fn standbys(seen: &ClusterSeen) -> impl Iterator<Item = (&NodeSeen, u64)> {
    seen.nodes.iter().filter_map(|node| match node.standing {
        Standing::Standby { replayed, .. } => Some((node, replayed.unwrap_or(0))),
        _ => None,
    })
}

fn all_standbys(seen: &ClusterSeen) -> Vec<(String, String)> {
    standbys(seen)
        .map(|(node, _)| (node.name.clone(), "standby".to_owned()))
        .collect()
}

fn drawn(candidates: Vec<String>, rng: &mut impl RngCore) -> Option<Vec<(String, String)>> {
    let name = draw::one_of(rng, candidates)?;
    Some(vec![(name, "standby".to_owned())])
}

/// What all nodes said, in one line.
fn in_words(seen: &ClusterSeen) -> String {
    let words: Vec<String> = seen
        .nodes
        .iter()
        .map(|node| match &node.standing {
            Standing::Primary { timeline, .. } => {
                format!("{} is primary on timeline {timeline}", node.name)
            }
            Standing::Standby { .. } => format!("{} is a standby", node.name),
            Standing::Silent { why } => format!("{} does not answer ({why})", node.name),
        })
        .collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Stamp;
    use crate::event::cluster::StandbySeen;

    fn primary(sync: &str) -> Standing {
        Standing::Primary {
            timeline: 3,
            lsn: 100,
            standbys: vec![StandbySeen {
                name: "c".to_owned(),
                state: "streaming".to_owned(),
                sync: sync.to_owned(),
                flushed: None,
                replayed: None,
            }],
        }
    }

    fn standby(replayed: Option<u64>) -> Standing {
        Standing::Standby {
            timeline: Some(3),
            received: replayed,
            replayed,
            streaming: true,
            paused: false,
        }
    }

    fn silent() -> Standing {
        Standing::Silent {
            why: "refused".to_owned(),
        }
    }

    fn seen(standings: Vec<Standing>) -> ClusterSeen {
        ClusterSeen {
            asked: Stamp(0),
            declared: standings.len(),
            nodes: standings
                .into_iter()
                .zip(["a", "b", "c"])
                .map(|(standing, name)| NodeSeen {
                    name: name.to_owned(),
                    standing,
                })
                .collect(),
        }
    }

    fn whole() -> ClusterSeen {
        seen(vec![primary("sync"), standby(Some(90)), standby(Some(80))])
    }

    fn resolved(
        node: &NodeRef,
        seen: &ClusterSeen,
        hits: &[(&str, &str, &str)],
    ) -> Result<String, String> {
        let hits = hits
            .iter()
            .map(|(id, node, role)| {
                let hit = Hit {
                    node: (*node).to_owned(),
                    role: (*role).to_owned(),
                    timeline: 3,
                };
                ((*id).to_owned(), hit)
            })
            .collect();
        let found = resolve(node, seen, &hits, &mut draw::of_step(1, 1))?;
        let words: Vec<String> = found
            .into_iter()
            .map(|(name, role)| format!("{name} {role}"))
            .collect();
        Ok(words.join(", "))
    }

    #[test]
    fn roles() {
        let ok = |node| resolved(&node, &whole(), &[]).unwrap();
        assert_eq!(ok(NodeRef::Primary), "a primary");
        assert!(["b standby", "c standby"].contains(&ok(NodeRef::Standby).as_str()));
        assert_eq!(ok(NodeRef::SyncStandby), "c standby");
        assert_eq!(ok(NodeRef::MostLaggingStandby), "c standby");
        assert_eq!(ok(NodeRef::All), "a primary, b standby, c standby");
        assert_eq!(ok(NodeRef::AllStandbys), "b standby, c standby");
        assert_eq!(ok(NodeRef::AllAnswering), "b standby, c standby, a primary");
        assert_eq!(ok(NodeRef::Named("b".to_owned())), "b standby");
    }

    #[test]
    fn who_does_not_answer_is_left_out_where_the_word_says_so() {
        let alone = seen(vec![silent(), primary("async"), silent()]);
        assert_eq!(
            resolved(&NodeRef::AllAnswering, &alone, &[]).unwrap(),
            "b primary"
        );
        let error = resolved(&NodeRef::AllStandbys, &alone, &[]).unwrap_err();
        assert!(error.starts_with("no node is a standby"), "{error}");
        let nobody = seen(vec![silent(), silent(), silent()]);
        let error = resolved(&NodeRef::AllAnswering, &nobody, &[]).unwrap_err();
        assert!(error.starts_with("no node answers"), "{error}");
    }

    #[test]
    fn the_newest_timeline_leads() {
        let newer = Standing::Primary {
            timeline: 4,
            lsn: 1,
            standbys: Vec::new(),
        };
        let both = seen(vec![primary("async"), newer]);
        assert_eq!(
            resolved(&NodeRef::Primary, &both, &[]).unwrap(),
            "b primary"
        );
    }

    #[test]
    fn a_standby_that_knows_nothing_lags_most() {
        let seen = seen(vec![primary("async"), standby(Some(5)), standby(None)]);
        assert_eq!(
            resolved(&NodeRef::MostLaggingStandby, &seen, &[]).unwrap(),
            "c standby"
        );
    }

    #[test]
    fn what_an_earlier_step_hit_keeps_its_role_while_it_is_silent() {
        let after = seen(vec![silent(), standby(Some(5))]);
        let hits = [("crash", "a", "primary")];
        assert_eq!(
            resolved(&NodeRef::Of("crash".to_owned()), &after, &hits).unwrap(),
            "a primary"
        );
        assert_eq!(
            resolved(&NodeRef::All, &after, &hits).unwrap(),
            "a primary, b standby"
        );
    }

    #[test]
    fn nothing_matches() {
        let dark = seen(vec![silent(), standby(None)]);
        let errors: Vec<String> = [
            NodeRef::Primary,
            NodeRef::SyncStandby,
            NodeRef::Named("a".to_owned()),
            NodeRef::Named("x".to_owned()),
            NodeRef::Of("crash".to_owned()),
        ]
        .iter()
        .map(|node| resolved(node, &dark, &[]).unwrap_err())
        .collect();
        insta::assert_snapshot!(errors.join("\n"), @r#"
    no node takes writes: a does not answer (refused), b is a standby
    no standby is synchronous: a does not answer (refused), b is a standby
    a does not answer (refused), so that nobody knows its role
    there is no node and no role x: a does not answer (refused), b is a standby
    the step crash has hit nothing
    "#);
    }

    #[test]
    fn standbys_are_drawn_evenly_and_by_seed() {
        let draw = |seed| {
            resolve(
                &NodeRef::Standby,
                &whole(),
                &BTreeMap::new(),
                &mut draw::of_step(seed, 2),
            )
            .unwrap()
        };
        assert_eq!(draw(5), draw(5));
        let b = (0..400).filter(|seed| draw(*seed)[0].0 == "b").count();
        assert!((140..260).contains(&b), "b was drawn {b} times of 400");
    }
}
