//! `kill_process`: one process of a node is killed.

use super::{Fault, Hit, facts_of, lacks, powered_off};
use crate::event::cluster::ClusterSeen;
use crate::role::NodeRef;
use crate::target::{
    Capability, PowerOff, ProcessId, ProcessScope, ProcessSignal, ProcessState, Target, TargetError,
};
use crate::undo::in_place;
use crate::undo::no_second_primary::{Lift, come_back, end};
use crate::undo::{Around, Standing, Undo};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The process that is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VictimProcess {
    /// The postmaster alone; its children notice and leave.
    Postmaster,
    /// The walreceiver of a standby.
    Walreceiver,
    /// One client backend: the postmaster restarts all of them.
    Backend,
    /// The agent that decides about failover on the node; the server goes on, where the agent is not the first
    /// process of its container.
    Agent,
}

/// One process of a node is killed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KillProcess {
    /// Name of the step, by which others refer to it.
    #[serde(default)]
    pub id: Option<String>,
    /// The node that is hit.
    pub node: NodeRef,
    /// Which one.
    pub process: VictimProcess,
}

#[async_trait]
impl Fault for KillProcess {
    fn name(&self) -> &'static str {
        "kill_process"
    }
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn needs(&self) -> Vec<Capability> {
        match self.process {
            VictimProcess::Postmaster => vec![Capability::Processes, Capability::Power],
            VictimProcess::Walreceiver | VictimProcess::Backend => vec![Capability::Processes],
            VictimProcess::Agent => vec![Capability::Processes, Capability::Agents],
        }
    }
    fn describe(&self, node: &str) -> String {
        let process = self.process.name();
        format!("kill the {process} of {node}, and nothing else")
    }
    fn describe_undo(&self, node: &str) -> String {
        match self.process {
            VictimProcess::Postmaster => powered_off::describe_undo(node),
            VictimProcess::Agent => format!(
                "who watches over it starts it again; restart {node} where it does not come back"
            ),
            _ => format!("{node} restarts it; start or rejoin {node} where it does not come back"),
        }
    }
    async fn prepare(
        &self,
        target: &dyn Target,
        hit: &Hit,
        _seen: &ClusterSeen,
    ) -> Result<Box<dyn Undo>, TargetError> {
        let processes = target.processes().ok_or_else(|| lacks("kill a process"))?;
        let victims = processes.find(&hit.node, self.process.scope()).await?;
        if victims.is_empty() {
            let what = format!("kill the {} of {}", self.process.name(), hit.node);
            return Err(TargetError::new(what, "it has none now"));
        }
        Ok(Box::new(KilledProcess {
            hit: hit.clone(),
            process: self.process,
            victims,
        }))
    }
    async fn inject(
        &self,
        target: &dyn Target,
        hit: &Hit,
        undo: &dyn Undo,
    ) -> Result<(), TargetError> {
        let processes = target.processes().ok_or_else(|| lacks("kill a process"))?;
        let victims = victims(undo)?;
        let states = processes.states(&hit.node, &victims).await?;
        if states.contains(&ProcessState::Gone) {
            // Its absence would be taken for the effect.
            let what = format!("kill the {} of {}", self.process.name(), hit.node);
            return Err(TargetError::new(what, "it ended by itself just before"));
        }
        processes
            .signal(&hit.node, &victims, ProcessSignal::Kill)
            .await
    }
    async fn effect(
        &self,
        target: &dyn Target,
        hit: &Hit,
        undo: &dyn Undo,
    ) -> Result<Option<String>, TargetError> {
        let processes = target.processes().ok_or_else(|| lacks("see a process"))?;
        let victims = victims(undo)?;
        let states = processes.states(&hit.node, &victims).await?;
        let gone = states.iter().all(|state| *state == ProcessState::Gone);
        let numbers: Vec<_> = victims.iter().map(|id| id.pid.to_string()).collect();
        let name = self.process.name();
        Ok(gone.then(|| format!("{name} {} is gone", numbers.join(", "))))
    }
}

impl VictimProcess {
    fn scope(self) -> ProcessScope {
        match self {
            Self::Postmaster => ProcessScope::Postmaster,
            Self::Walreceiver => ProcessScope::WalReceiver,
            Self::Backend => ProcessScope::OneBackend,
            Self::Agent => ProcessScope::Agent,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Postmaster => "postmaster",
            Self::Walreceiver => "walreceiver",
            Self::Backend => "backend",
            Self::Agent => "failover agent",
        }
    }
}

/// How long a server may take to come back by itself after it lost a process.
const BY_ITSELF: Duration = Duration::from_secs(10);
/// How long whoever watches over an agent may take to start it again.
const AGENT_BACK: Duration = Duration::from_secs(30);

/// A node that lost a process.
#[derive(Debug, Serialize, Deserialize)]
struct KilledProcess {
    hit: Hit,
    process: VictimProcess,
    victims: Vec<ProcessId>,
}

pub(super) fn from_facts(facts: &serde_json::Value) -> Option<Box<dyn Undo>> {
    let undo = KilledProcess::deserialize(facts).ok()?;
    Some(Box::new(undo))
}

fn victims(undo: &dyn Undo) -> Result<Vec<ProcessId>, TargetError> {
    KilledProcess::deserialize(undo.facts())
        .map(|undo| undo.victims)
        .map_err(|error| TargetError::new("read the facts of kill_process", error))
}

impl KilledProcess {
    /// Whether the node has an agent, where that is what was killed.
    async fn agent_is_back(&self, target: &dyn Target) -> Result<bool, TargetError> {
        if self.process != VictimProcess::Agent {
            return Ok(true);
        }
        let processes = target.processes().ok_or_else(|| lacks("see a process"))?;
        let found = processes.find(&self.hit.node, ProcessScope::Agent).await?;
        Ok(!found.is_empty())
    }

    /// Waits while the server recovers by itself, and clears what a postmaster left behind: a new one
    /// refuses to start beside its orphans.
    async fn settle(&self, target: &dyn Target) -> Result<(), TargetError> {
        let Some(power) = target.power() else {
            return Ok(());
        };
        let node = self.hit.node.as_str();
        let begun = Instant::now();
        if self.process == VictimProcess::Agent {
            while begun.elapsed() < AGENT_BACK {
                if self.agent_is_back(target).await? || power.running(node).await? == 0 {
                    return Ok(());
                }
                sleep(Duration::from_millis(200)).await;
            }
            // Nobody starts it again: with its node it comes back.
            return power.power_off(node, PowerOff::Kill).await;
        }
        while begun.elapsed() < BY_ITSELF {
            let seen = in_place::look(target).await;
            let silent = matches!(
                seen.node(node),
                None | Some(crate::event::cluster::Standing::Silent { .. })
            );
            if !silent || power.running(node).await? == 0 {
                return Ok(());
            }
            sleep(Duration::from_millis(100)).await;
        }
        let orphans = match target.processes() {
            Some(processes) => processes
                .find(node, ProcessScope::Postmaster)
                .await?
                .is_empty(),
            None => false,
        };
        if orphans {
            power.power_off(node, PowerOff::Kill).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Undo for KilledProcess {
    fn fault(&self) -> &'static str {
        "kill_process"
    }
    fn facts(&self) -> serde_json::Value {
        facts_of(self)
    }
    async fn standing(&self, target: &dyn Target) -> Result<Standing, TargetError> {
        if !self.agent_is_back(target).await? {
            let node = &self.hit.node;
            return Ok(Standing::Missing(format!("{node} has no failover agent")));
        }
        in_place::as_before(target, &self.hit.node).await
    }
    async fn put_back(&self, target: &dyn Target, around: &Around<'_>) -> Result<(), TargetError> {
        self.settle(target).await?;
        come_back(target, &self.hit, Lift::Start, around).await
    }
    async fn release(&self, target: &dyn Target) -> Result<(), TargetError> {
        self.settle(target).await?;
        end(target, &self.hit.node, Lift::Start).await
    }
    async fn released(&self, target: &dyn Target) -> Result<Standing, TargetError> {
        let node = &self.hit.node;
        let seen = in_place::look(target).await;
        Ok(match seen.node(node) {
            None => Standing::Missing(format!("{node} is no node of this target")),
            Some(crate::event::cluster::Standing::Silent { why }) => {
                Standing::Missing(format!("{node} does not answer: {why}"))
            }
            Some(_) => Standing::Back(format!("{node} answers again")),
        })
    }
}
