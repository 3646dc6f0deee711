//! What a drill requires of the nodes: at preflight, and again just before each fault.

use crate::condition::Condition;
use crate::event::cluster::ClusterSeen;
use crate::event::cluster_names;

/// The conditions of a drill's `require`.
#[derive(Debug, Default)]
pub struct Requirements {
    conditions: Vec<Condition>,
}

impl Requirements {
    /// The conditions as they were written; one that is none is refused when the drill is checked.
    #[must_use]
    pub fn of(sources: &[String]) -> Self {
        let compiled = sources.iter().map(|source| Condition::compile(source));
        Self {
            conditions: compiled.filter_map(Result::ok).collect(),
        }
    }

    /// The first that does not hold, in one line with the values that it names. One that is neither true
    /// nor false does not hold.
    #[must_use]
    pub fn unmet(&self, seen: &ClusterSeen) -> Option<String> {
        let values = cluster_names::values(seen);
        self.conditions.iter().find_map(|condition| {
            let source = condition.source();
            match condition.holds(&values) {
                Ok(true) => None,
                Ok(false) => Some(format!(
                    "the drill requires {source}, and {}",
                    condition.values(&values)
                )),
                Err(undecided) => Some(format!("the drill requires {source}, and {undecided}")),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Stamp;
    use crate::event::cluster::{NodeSeen, StandbySeen, Standing};

    fn seen(replayed: Option<u64>) -> ClusterSeen {
        let node = |name: &str, standing| NodeSeen {
            name: name.to_owned(),
            standing,
        };
        let row = StandbySeen {
            name: "node-2".to_owned(),
            state: "streaming".to_owned(),
            sync: "async".to_owned(),
            flushed: replayed,
            replayed,
        };
        let primary = Standing::Primary {
            timeline: 1,
            lsn: 5000,
            standbys: vec![row],
        };
        let silent = Standing::Silent {
            why: "refused".to_owned(),
        };
        ClusterSeen {
            asked: Stamp(0),
            declared: 2,
            nodes: vec![node("node-1", primary), node("node-2", silent)],
        }
    }

    #[test]
    fn a_refusal_names_the_condition_and_the_values() {
        let required = Requirements::of(&[
            "nodes.writable == 1".to_owned(),
            "nodes.standbys.max_lag_bytes < 1000 && nodes.silent < 2".to_owned(),
        ]);
        let unmet = |replayed| required.unmet(&seen(replayed)).unwrap_or_default();
        let said = [unmet(Some(4500)), unmet(Some(3000)), unmet(None)].join("\n");
        insta::assert_snapshot!(said, @"

        the drill requires nodes.standbys.max_lag_bytes < 1000 && nodes.silent < 2, and nodes.standbys.max_lag_bytes is 2000, nodes.silent is 1
        the drill requires nodes.standbys.max_lag_bytes < 1000 && nodes.silent < 2, and nodes.standbys.max_lag_bytes is not known
        ");
    }
}
