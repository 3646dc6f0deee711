//! What `kill`, `stop` and `power_off` have in common: a node without processes, and its way back.

use super::{Fault, Hit, Returns, facts_of, lacks};
use crate::event::cluster::ClusterSeen;
use crate::role::NodeRef;
use crate::target::{Capability, PowerOff, Target, TargetError};
use crate::undo::in_place;
use crate::undo::no_second_primary::{Lift, come_back, end};
use crate::undo::{Around, Standing, Undo};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A fault that takes a node down for good, or until somebody starts it.
pub(super) trait TakesDown: std::fmt::Debug + Send + Sync {
    /// What it says of itself.
    fn taking_down(&self) -> TakingDown<'_>;
}

/// In what such faults differ.
#[derive(Debug)]
pub(super) struct TakingDown<'a> {
    /// The name, as the drill file spells it.
    pub(super) name: &'static str,
    /// The step's id, where the drill file gives one.
    pub(super) id: Option<&'a str>,
    /// The node that it is to hit.
    pub(super) node: &'a NodeRef,
    /// What a target must have for it.
    pub(super) needs: Capability,
    /// When the node comes back.
    pub(super) returns: Returns,
    /// How it is taken down.
    pub(super) how: PowerOff,
    /// In words, such as "kill a node".
    pub(super) deed: &'static str,
    /// What it does to a node, in words.
    pub(super) describe: fn(PowerOff, &str) -> String,
    /// How that is undone, in words.
    pub(super) describe_undo: fn(&str) -> String,
}

#[async_trait]
impl<T: TakesDown> Fault for T {
    fn name(&self) -> &'static str {
        self.taking_down().name
    }
    fn id(&self) -> Option<&str> {
        self.taking_down().id
    }
    fn node(&self) -> &NodeRef {
        self.taking_down().node
    }
    fn needs(&self) -> Vec<Capability> {
        let TakingDown { needs, returns, .. } = self.taking_down();
        [needs].into_iter().chain(returns.needs()).collect()
    }
    fn describe(&self, node: &str) -> String {
        let this = self.taking_down();
        let what = (this.describe)(this.how, node);
        format!("{what}{}", this.returns.describe())
    }
    fn describe_undo(&self, node: &str) -> String {
        (self.taking_down().describe_undo)(node)
    }
    fn returns_after(&self) -> Option<Duration> {
        self.taking_down().returns.after()
    }
    fn returns_in_turn(&self) -> bool {
        self.taking_down().returns.in_turn()
    }
    async fn prepare(
        &self,
        target: &dyn Target,
        hit: &Hit,
        _seen: &ClusterSeen,
    ) -> Result<Box<dyn Undo>, TargetError> {
        PoweredOff::prepare(self.taking_down().name, target, hit).await
    }
    async fn inject(
        &self,
        target: &dyn Target,
        hit: &Hit,
        _undo: &dyn Undo,
    ) -> Result<(), TargetError> {
        let TakingDown {
            returns, how, deed, ..
        } = self.taking_down();
        let power = target.power().ok_or_else(|| lacks(deed))?;
        returns.take_down(power, &hit.node, how).await
    }
    async fn effect(
        &self,
        target: &dyn Target,
        hit: &Hit,
        undo: &dyn Undo,
    ) -> Result<Option<String>, TargetError> {
        effect(target, &hit.node, undo).await
    }
}

/// A node that was put out of power.
#[derive(Debug, Serialize, Deserialize)]
struct PoweredOff {
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
async fn effect(
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
    async fn prepare(
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
    fn keeps_down(&self) -> bool {
        true
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
