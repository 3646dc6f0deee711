//! `lose_data`: a standby loses its data as with its disk, and comes back by a fresh copy of the primary.

use super::{Fault, Hit, facts_of, lacks};
use crate::event::cluster::ClusterSeen;
use crate::role::NodeRef;
use crate::target::{Capability, Storage, Target, TargetError};
use crate::undo::in_place;
use crate::undo::{Around, Standing, Undo};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A standby loses its data as with its disk; only a fresh copy of the primary brings it back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoseData {
    /// Name of the step, by which others refer to it.
    #[serde(default)]
    pub id: Option<String>,
    /// The node that is hit, a standby: what only a primary holds is never taken away.
    pub node: NodeRef,
}

#[async_trait]
impl Fault for LoseData {
    fn name(&self) -> &'static str {
        "lose_data"
    }
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn needs(&self) -> Vec<Capability> {
        vec![Capability::Storage]
    }
    fn describe(&self, node: &str) -> String {
        format!("take {node} down, and all its data away")
    }
    fn describe_undo(&self, node: &str) -> String {
        format!("make {node} anew from a fresh copy of whoever leads")
    }
    async fn prepare(
        &self,
        target: &dyn Target,
        hit: &Hit,
        seen: &ClusterSeen,
    ) -> Result<Box<dyn Undo>, TargetError> {
        let node = &hit.node;
        let refused = |why: &str| Err(TargetError::new(format!("lose the data of {node}"), why));
        if hit.may_lead() {
            return refused("it is no standby, and may hold what nobody else does");
        }
        if seen.leader().is_none_or(|(leader, _)| leader == node) {
            return refused("no other node takes writes, so that there is nothing to copy it from");
        }
        storage(target)?;
        Ok(Box::new(DataLost { hit: hit.clone() }))
    }
    async fn inject(
        &self,
        target: &dyn Target,
        hit: &Hit,
        _undo: &dyn Undo,
    ) -> Result<(), TargetError> {
        storage(target)?.lose_data(&hit.node).await
    }
    async fn effect(
        &self,
        target: &dyn Target,
        hit: &Hit,
        _undo: &dyn Undo,
    ) -> Result<Option<String>, TargetError> {
        let node = &hit.node;
        let gone = !storage(target)?.has_data(node).await?;
        Ok(gone.then(|| format!("{node} is down and has no data to start from")))
    }
}

fn storage(target: &dyn Target) -> Result<&dyn Storage, TargetError> {
    target
        .storage()
        .ok_or_else(|| lacks("take a node's data away"))
}

/// A standby whose data are gone.
#[derive(Debug, Serialize, Deserialize)]
struct DataLost {
    hit: Hit,
}

pub(super) fn from_facts(facts: &serde_json::Value) -> Option<Box<dyn Undo>> {
    let undo = DataLost::deserialize(facts).ok()?;
    Some(Box::new(undo))
}

impl DataLost {
    /// It holds nothing, so that it can neither lead nor lose anything by the copy.
    async fn copy(&self, target: &dyn Target) -> Result<(), TargetError> {
        let copied = storage(target)?.clone_anew(&self.hit.node);
        copied.await.map(|_| ())
    }
}

#[async_trait]
impl Undo for DataLost {
    fn fault(&self) -> &'static str {
        "lose_data"
    }
    fn facts(&self) -> serde_json::Value {
        facts_of(self)
    }
    fn keeps_down(&self) -> bool {
        true
    }
    async fn standing(&self, target: &dyn Target) -> Result<Standing, TargetError> {
        in_place::as_before(target, &self.hit.node).await
    }
    async fn put_back(&self, target: &dyn Target, _around: &Around<'_>) -> Result<(), TargetError> {
        self.copy(target).await
    }
    /// In life, too, nothing else brings it back.
    async fn release(&self, target: &dyn Target) -> Result<(), TargetError> {
        self.copy(target).await
    }
    async fn released(&self, target: &dyn Target) -> Result<Standing, TargetError> {
        self.standing(target).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_brings_the_same_undo_back() {
        let undo = DataLost {
            hit: Hit {
                node: "node-2".to_owned(),
                role: "standby".to_owned(),
                timeline: 1,
            },
        };
        let again = super::super::undo_from_journal("lose_data", &undo.facts()).unwrap();
        assert_eq!(again.facts(), undo.facts());
        assert!(again.holds_node());
    }
}
