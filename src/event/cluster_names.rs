//! The names that a drill's `require` may use: what all nodes say of themselves at one moment.
//!
//! `check` tests conditions against this list, and the executor fills it in before each fault. What a node
//! did not say is null.

use super::cluster::{ClusterSeen, Standing};
use crate::condition::{Condition, nearest};
use serde_json::{Map, Value, json};

/// All names, each with what it is.
pub const NAMES: [(&str, &str); 9] = [
    ("nodes.declared", "declared nodes"),
    ("nodes.writable", "nodes that take writes"),
    ("nodes.silent", "nodes that do not answer"),
    ("nodes.primary.name", "the writable node"),
    ("nodes.primary.timeline", "its timeline"),
    ("nodes.standbys.declared", "declared standbys"),
    ("nodes.standbys.streaming", "standbys that stream from it"),
    (
        "nodes.standbys.synchronous",
        "standbys that commits wait for",
    ),
    (
        "nodes.standbys.max_lag_bytes",
        "WAL that the furthest behind has not replayed; not known while one of them does not stream",
    ),
];

/// Finds the first name of a condition that is not in the list: the name, and the one nearest to it.
#[must_use]
pub fn unknown(condition: &Condition) -> Option<(String, Option<String>)> {
    condition.names().iter().find_map(|path| {
        let name = path.join(".");
        let known = NAMES.iter().any(|(known, _)| *known == name);
        let near = || nearest(&name, NAMES.iter().map(|(known, _)| (*known).to_owned()));
        (!known).then(|| (name.clone(), near()))
    })
}

/// The values of all names.
#[must_use]
pub fn values(seen: &ClusterSeen) -> Map<String, Value> {
    let leader = seen.leader();
    let standing = leader.and_then(|(name, _)| seen.node(name));
    let silent = seen
        .nodes
        .iter()
        .filter(|node| matches!(node.standing, Standing::Silent { .. }))
        .count();
    let mut synchronous = None;
    let mut max_lag = None;
    if let Some(Standing::Primary { lsn, standbys, .. }) = standing {
        let waited_for = |sync: &str| matches!(sync, "sync" | "quorum");
        synchronous = Some(standbys.iter().filter(|row| waited_for(&row.sync)).count());
        let others = seen
            .nodes
            .iter()
            .filter(|node| leader.map(|(name, _)| name) != Some(node.name.as_str()));
        let lag = |name: &str| {
            let row = standbys.iter().find(|row| row.name == name)?;
            Some(lsn.saturating_sub(row.replayed?))
        };
        // One whose lag is not known may be the furthest behind.
        max_lag = others
            .map(|node| lag(&node.name))
            .try_fold(None, |most: Option<u64>, lag| Some(most.max(Some(lag?))))
            .flatten();
    }
    let nodes = json!({
        "declared": seen.declared,
        "writable": seen.primaries().count(),
        "silent": silent,
        "primary": {
            "name": leader.map(|(name, _)| name),
            "timeline": leader.map(|(_, timeline)| timeline),
        },
        "standbys": {
            "declared": seen.declared.saturating_sub(1),
            "streaming": seen.streaming(),
            "synchronous": synchronous,
            "max_lag_bytes": max_lag,
        },
    });
    Map::from_iter([("nodes".to_owned(), nodes)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Stamp;
    use crate::event::cluster::{NodeSeen, StandbySeen};

    fn row(name: &str, replayed: Option<u64>) -> StandbySeen {
        StandbySeen {
            name: name.to_owned(),
            state: "streaming".to_owned(),
            sync: "async".to_owned(),
            flushed: replayed,
            replayed,
        }
    }

    fn seen(rows: Vec<StandbySeen>) -> ClusterSeen {
        let standby = |name: &str| NodeSeen {
            name: name.to_owned(),
            standing: Standing::Standby {
                timeline: Some(1),
                received: None,
                replayed: None,
                streaming: true,
                paused: false,
            },
        };
        let primary = NodeSeen {
            name: "node-1".to_owned(),
            standing: Standing::Primary {
                timeline: 1,
                lsn: 1000,
                standbys: rows,
            },
        };
        ClusterSeen {
            asked: Stamp(0),
            declared: 3,
            nodes: vec![primary, standby("node-2"), standby("node-3")],
        }
    }

    #[test]
    fn the_furthest_behind_counts_and_one_that_says_nothing_hides_it() {
        let both = seen(vec![row("node-2", Some(900)), row("node-3", Some(400))]);
        let lag = Condition::compile("nodes.standbys.max_lag_bytes == 600").unwrap();
        assert_eq!(lag.holds(&values(&both)), Ok(true));
        for rows in [
            vec![row("node-2", Some(900))],
            vec![row("node-2", Some(900)), row("node-3", None)],
        ] {
            assert!(lag.holds(&values(&seen(rows))).is_err());
        }
    }

    #[test]
    fn every_name_has_a_value_in_a_healthy_cluster() {
        let both = values(&seen(vec![
            row("node-2", Some(900)),
            row("node-3", Some(400)),
        ]));
        for (name, _) in NAMES {
            let known = Condition::compile(&format!("{name} != 'x'")).unwrap();
            assert_eq!(unknown(&known), None);
            assert_eq!(known.holds(&both), Ok(true), "{name}");
        }
        let wrong = Condition::compile("nodes.standby.max_lag_bytes < 5").unwrap();
        let near = "nodes.standbys.max_lag_bytes".to_owned();
        assert_eq!(
            unknown(&wrong),
            Some(("nodes.standby.max_lag_bytes".to_owned(), Some(near)))
        );
    }
}
