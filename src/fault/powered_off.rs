//! What `kill` and `stop` have in common: a node without processes, and its way back.

use super::{Hit, facts_of, lacks};
use crate::target::{Target, TargetError};
use crate::undo::in_place;
use crate::undo::no_second_primary::{Lift, come_back, end};
use crate::undo::{Around, Standing, Undo};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// A node that was put out of power.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PoweredOff {
    hit: Hit,
    /// Processes that it had.
    processes: usize,
    /// Which of its lives was ended, where the target tells them apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    life: Option<String>,
    #[serde(skip)]
    fault: &'static str,
}

pub(super) fn from_facts(fault: &'static str, facts: &serde_json::Value) -> Option<Box<dyn Undo>> {
    let undo = PoweredOff::deserialize(facts).ok()?;
    Some(Box::new(PoweredOff { fault, ..undo }))
}

pub(super) fn describe_undo(node: &str) -> String {
    format!("start {node}; rejoin it where another node leads by then")
}

/// Out of power means that no process is left; a refused connection would not prove that. Whoever watches over
/// the node may have been quicker than the question: then another life of it is the proof.
pub(super) async fn effect(
    target: &dyn Target,
    node: &str,
    undo: &dyn Undo,
) -> Result<Option<String>, TargetError> {
    let power = target.power().ok_or_else(|| lacks("count processes"))?;
    if power.running(node).await? == 0 {
        return Ok(Some(format!("no process of {node} lives")));
    }
    let before = PoweredOff::deserialize(undo.facts())
        .map_err(|error| TargetError::new("read the facts of the undo", error))?
        .life;
    let now = power.life(node).await?;
    Ok((before.is_some() && now.is_some() && before != now)
        .then(|| format!("{node} was down, and was started again since")))
}

impl PoweredOff {
    pub(super) async fn prepare(
        fault: &'static str,
        target: &dyn Target,
        hit: &Hit,
    ) -> Result<Box<dyn Undo>, TargetError> {
        let power = target.power().ok_or_else(|| lacks(fault))?;
        let processes = power.running(&hit.node).await?;
        if processes == 0 {
            let what = format!("{fault} {}", hit.node);
            return Err(TargetError::new(what, "it is down already"));
        }
        Ok(Box::new(Self {
            hit: hit.clone(),
            processes,
            life: power.life(&hit.node).await?,
            fault,
        }))
    }
}

#[async_trait]
impl Undo for PoweredOff {
    fn fault(&self) -> &'static str {
        self.fault
    }
    fn facts(&self) -> serde_json::Value {
        facts_of(self)
    }
    async fn standing(&self, target: &dyn Target) -> Result<Standing, TargetError> {
        in_place::as_before(target, &self.hit.node).await
    }
    async fn put_back(&self, target: &dyn Target, around: &Around<'_>) -> Result<(), TargetError> {
        come_back(target, &self.hit, Lift::Start, around).await
    }
    async fn release(&self, target: &dyn Target) -> Result<(), TargetError> {
        end(target, &self.hit.node, Lift::Start).await
    }
    async fn released(&self, target: &dyn Target) -> Result<Standing, TargetError> {
        let power = target.power().ok_or_else(|| lacks("count processes"))?;
        Ok(match power.running(&self.hit.node).await? {
            0 => Standing::Missing(format!("{} has no process", self.hit.node)),
            _ => Standing::Back(format!("{} runs again", self.hit.node)),
        })
    }
}
