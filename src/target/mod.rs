//! The outside world: what a drill can be pointed at.
//!
//! A target is a folder that passes the conformance suite. It offers groups of primitives ([`Power`],
//! [`Processes`], [`Network`], [`Packets`], [`Slowing`], [`Pressure`]); faults are built from these, so that a new fault needs no change here
//! and a new target needs none in `fault/`.

#[cfg(test)]
mod conformance;
#[cfg(feature = "docker")]
pub mod docker;
pub mod inside;
pub mod local;
mod packets;
mod parts;
mod pressure;
pub mod simulated;
mod slowing;

pub use packets::{Direction, End, Losses, Others, Packets, Way};
pub use parts::{Loss, Part, Parts};
pub use pressure::{Pressed, Pressure, PressureSeen, Spot, Wanted, Weight};
pub use slowing::{Outlet, Pace, Slowing, Slowness};

use crate::event::cluster::ClusterSeen;
use crate::event::{Emitter, TargetRecord};
use crate::sql::Address;
use async_trait::async_trait;
use std::path::Path;
use std::time::Duration;

/// Something that a fault needs and a target may not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// Kill or stop a node and start it again.
    Power,
    /// Freeze and thaw a node, and signal single processes of it.
    Processes,
    /// Cut a node from everybody at once.
    CutAll,
    /// Cut a node from clients alone.
    CutClients,
    /// Cut a node from its peers alone.
    CutPeers,
    /// Cut a node from the store that holds the leader key alone.
    CutDcs,
    /// Lose what a node sends to the other nodes, or what they send to it, and not both.
    CutOneWay,
    /// Limit how much a node sends in a second.
    SlowRate,
    /// Delay what a node sends, or lose a share of it.
    SlowDelay,
    /// Slow down what a node sends to clients alone, or to its peers alone.
    SlowOneSide,
    /// SQL as a role that may pause replay and promote.
    Act,
    /// A stack or firedrill itself can switch over to a named standby.
    SwitchOver,
    /// Other programs reach the writer endpoint from this machine.
    OtherClients,
    /// Any SQL statement that a drill brings along.
    Statements,
    /// Commands on this machine that do something to it.
    Commands,
    /// Take a standby's data away and make it anew from a copy of the primary.
    Storage,
    /// Somebody beside firedrill starts a dead node again: a supervisor, a restart policy.
    Restarts,
    /// Power a node's machine off and on.
    Machines,
    /// Signal the agent that decides about failover on each node.
    Agents,
    /// Lose members of the store that holds the leader key.
    LoseDcs,
    /// Lose what leads clients to the primary.
    LoseRouter,
    /// Lose what keeps sessions for clients.
    LosePooler,
    /// Fill the disk that a node's data lie on.
    FillDisk,
    /// Let processes beside a node's server take its CPU time.
    StressCpu,
    /// Let processes beside a node's server write to its disk.
    StressIo,
    /// Step the clock that a node's processes read, and nobody else's.
    StepClock,
}

/// Who promotes a standby when the primary is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failover {
    /// The target's own stack.
    Automatic,
    /// firedrill, in the step `fail_over`.
    Promote,
}

/// An address that clients use.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// writer or reader.
    pub name: &'static str,
    /// Where it is, as the probe's role.
    pub address: Address,
}

/// What went wrong in the outside world.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {cause}")]
pub struct TargetError {
    /// What was tried, such as "start node-1".
    pub what: String,
    /// Why it failed, with what to do next where that is known.
    pub cause: String,
}

impl TargetError {
    /// An error from what was tried and any cause.
    pub fn new(what: impl Into<String>, cause: impl ToString) -> Self {
        Self {
            what: what.into(),
            cause: cause.to_string(),
        }
    }
}

/// A cluster that is up and can be drilled.
#[async_trait]
pub trait Target: Send + Sync {
    /// What it is and which settings decide the numbers.
    fn record(&self) -> TargetRecord;
    /// Names of the nodes, in declared order.
    fn nodes(&self) -> Vec<String>;
    /// Everything that faults may ask of it.
    fn capabilities(&self) -> &[Capability];
    /// Why it lacks a capability that its file promises or could promise, and what to do, where it knows.
    fn lacks(&self, _capability: Capability) -> Option<String> {
        None
    }
    /// Who fails over.
    fn failover(&self) -> Failover;
    /// The longest period of the stack's own loop or lease: the fault's moment is drawn over it.
    fn control_period(&self) -> Duration;
    /// The addresses that clients use, as the probe's role.
    fn endpoints(&self) -> Vec<Endpoint>;
    /// One node from inside its own network, as the probe's role: it survives a cut.
    fn probe_access(&self, node: &str) -> Address;
    /// One node from inside its own network, as a role that may act.
    fn act_access(&self, node: &str) -> Address;
    /// The same, as a role that may observe.
    fn observe_access(&self, node: &str) -> Address {
        self.act_access(node)
    }
    /// Host and port at which a command on this machine reaches one node.
    fn reached_at(&self, node: &str) -> (String, u16) {
        let address = self.act_access(node);
        (address.host, address.port)
    }
    /// The timelines of a writable node's history, oldest first, its own last, where the target's stack tells
    /// them; else PostgreSQL's own file is read.
    async fn history(&self, _node: &str, _timeline: u32) -> Option<Vec<u32>> {
        None
    }
    /// Changes in the stack's own view (`StackSaw`, `Noted`) are sent here from now on.
    fn tell(&self, events: Emitter);

    /// Kill, stop and start.
    fn power(&self) -> Option<&dyn Power>;
    /// Signals to single processes.
    fn processes(&self) -> Option<&dyn Processes>;
    /// Cutting and joining.
    fn network(&self) -> Option<&dyn Network>;
    /// Losing packets between a node and others.
    fn packets(&self) -> Option<&dyn Packets> {
        None
    }
    /// Slowing down what a node sends.
    fn slowing(&self) -> Option<&dyn Slowing> {
        None
    }
    /// Losing data, and fresh copies.
    fn storage(&self) -> Option<&dyn Storage> {
        None
    }
    /// What stands beside the nodes.
    fn parts(&self) -> Option<&dyn Parts> {
        None
    }
    /// Pressing on a node.
    fn pressure(&self) -> Option<&dyn Pressure> {
        None
    }
    /// Promote, switch over, rejoin.
    fn recovery(&self) -> &dyn Recovery;
    /// A way of its own to tell who leads, where it is not asked by SQL: a simulated target's, or that of a
    /// stack that says it to everybody.
    fn sight(&self) -> Option<&dyn Sight> {
        None
    }
    /// The name under which a node streams from its primary (`application_name`).
    fn streams_as(&self, node: &str) -> String {
        node.to_owned()
    }
    /// What of a node's own settings firedrill found otherwise and has not put back yet, such as a restart
    /// policy; `None` where nothing is.
    ///
    /// # Errors
    /// When it cannot be told.
    async fn altered(&self, _node: &str) -> Result<Option<String>, TargetError> {
        Ok(None)
    }

    /// Removes what firedrill made for this run (a throw-away cluster); leaves anything else alone.
    /// Returns one line for people.
    ///
    /// # Errors
    /// When something could not be removed; the text names it.
    async fn close(&self) -> Result<String, TargetError>;
}

/// How a node is put out of power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerOff {
    /// All processes at once, without a word.
    Kill,
    /// PostgreSQL's fast shutdown.
    StopFast,
    /// PostgreSQL's immediate shutdown.
    StopImmediate,
}

/// Kill, stop and start a node.
#[async_trait]
pub trait Power: Send + Sync {
    /// Takes the node down and keeps it down until [`Power::start`].
    ///
    /// # Errors
    /// When it could not be carried out.
    async fn power_off(&self, node: &str, how: PowerOff) -> Result<(), TargetError>;
    /// Starts the node as it is: an old primary comes back as a primary. The caller has made sure that
    /// this makes no second one. Harmless where it already runs.
    ///
    /// # Errors
    /// When it does not accept connections within its limit.
    async fn start(&self, node: &str) -> Result<(), TargetError>;
    /// Processes of the node that live (zombies do not).
    ///
    /// # Errors
    /// When it cannot be told.
    async fn running(&self, node: &str) -> Result<usize, TargetError>;
    /// Takes the node down and leaves it to whoever watches over it: [`Capability::Restarts`].
    ///
    /// # Errors
    /// When it could not be carried out, or nobody watches over it.
    async fn crash(&self, node: &str, _how: PowerOff) -> Result<(), TargetError> {
        let what = format!("leave {node} to its supervisor");
        Err(TargetError::new(what, "this target cannot do that"))
    }
    /// What tells one life of the node from the next, where there is such a thing: whoever watches over it may
    /// have started it again before anybody saw it down.
    ///
    /// # Errors
    /// When it cannot be told.
    async fn life(&self, _node: &str) -> Result<Option<String>, TargetError> {
        Ok(None)
    }
}

/// Which processes of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessScope {
    /// All of them.
    All,
    /// The postmaster alone.
    Postmaster,
    /// The walreceiver.
    WalReceiver,
    /// One client backend, not one of the caller's own control sessions.
    OneBackend,
    /// The agent that decides about failover beside the server: [`Capability::Agents`].
    Agent,
}

/// A signal to processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessSignal {
    /// SIGSTOP.
    Freeze,
    /// SIGCONT.
    Thaw,
    /// SIGKILL.
    Kill,
}

/// A process, known beyond the reuse of its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct ProcessId {
    /// Number.
    pub pid: i32,
    /// Start time in clock ticks since boot (`/proc/PID/stat` field 22).
    pub started: u64,
}

/// State of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessState {
    /// Stopped by a signal (`T`).
    Frozen,
    /// Any other living state.
    Alive,
    /// No such process, or a zombie.
    Gone,
}

/// Processes that stand still, and processes that move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stillness {
    /// They stand still.
    pub still: usize,
    /// They live and move.
    pub moving: usize,
}

/// How often to look for new processes before giving up.
const FREEZE_ROUNDS: u32 = 200;

/// Signals to single processes of a node.
#[async_trait]
pub trait Processes: Send + Sync {
    /// Makes everything of a scope stand still.
    ///
    /// # Errors
    /// When the system refuses, or processes are made faster than they can be stopped.
    async fn freeze(&self, node: &str, scope: ProcessScope) -> Result<(), TargetError> {
        // A process may have been forked between looking and stopping its parent, so look again until
        // nothing moves; nothing can fork then.
        for _ in 0..FREEZE_ROUNDS {
            let found = self.find(node, scope).await?;
            let states = self.states(node, &found).await?;
            let moving: Vec<_> = found
                .into_iter()
                .zip(states)
                .filter(|(_, state)| *state == ProcessState::Alive)
                .map(|(id, _)| id)
                .collect();
            if moving.is_empty() {
                return Ok(());
            }
            self.signal(node, &moving, ProcessSignal::Freeze).await?;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Err(TargetError::new(
            format!("freeze {node}"),
            "it makes processes faster than they can be stopped",
        ))
    }
    /// Lets everything of the node go on.
    ///
    /// # Errors
    /// When the system refuses.
    async fn thaw(&self, node: &str) -> Result<(), TargetError> {
        // Found anew: processes may have come and gone since they were frozen.
        let found = self.find(node, ProcessScope::All).await?;
        self.signal(node, &found, ProcessSignal::Thaw).await
    }
    /// How much of a scope stands still.
    ///
    /// # Errors
    /// When it cannot be told.
    async fn stillness(&self, node: &str, scope: ProcessScope) -> Result<Stillness, TargetError> {
        let found = self.find(node, scope).await?;
        let states = self.states(node, &found).await?;
        let count = |wanted| states.iter().filter(|state| **state == wanted).count();
        Ok(Stillness {
            still: count(ProcessState::Frozen),
            moving: count(ProcessState::Alive),
        })
    }
    /// The processes of a scope that live now.
    ///
    /// # Errors
    /// When it cannot be told.
    async fn find(&self, node: &str, scope: ProcessScope) -> Result<Vec<ProcessId>, TargetError>;
    /// Signals them; one that is gone is no error.
    ///
    /// # Errors
    /// When the system refuses.
    async fn signal(
        &self,
        node: &str,
        processes: &[ProcessId],
        signal: ProcessSignal,
    ) -> Result<(), TargetError>;
    /// Their states now.
    ///
    /// # Errors
    /// When it cannot be told.
    async fn states(
        &self,
        node: &str,
        processes: &[ProcessId],
    ) -> Result<Vec<ProcessState>, TargetError>;
}

/// From whom a node is cut.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum CutFrom {
    /// Clients and the router in front of the node.
    Clients,
    /// The other nodes and whoever decides about failover.
    Peers,
    /// Both.
    All,
}

/// Cutting a node off: nothing is refused or reset, packets are simply lost.
#[async_trait]
pub trait Network: Send + Sync {
    /// Cuts the node from `from`; open connections stay open and silent.
    ///
    /// # Errors
    /// When it could not be carried out.
    async fn cut(&self, node: &str, from: CutFrom) -> Result<(), TargetError>;
    /// Joins it again, from everybody.
    ///
    /// # Errors
    /// When it could not be carried out.
    async fn join(&self, node: &str) -> Result<(), TargetError>;
    /// Whether traffic of `from` reaches the node, found out by sending some.
    ///
    /// # Errors
    /// When it cannot be told.
    async fn reaches(&self, node: &str, from: CutFrom) -> Result<bool, TargetError>;
    /// Whether the node lives, known by a way that a cut leaves open; `None` where it is to be asked as always.
    ///
    /// # Errors
    /// When it cannot be told.
    async fn lives(&self, _node: &str) -> Result<Option<bool>, TargetError> {
        Ok(None)
    }
}

/// Losing a node's data, and making the node anew.
#[async_trait]
pub trait Storage: Send + Sync {
    /// Takes the node down and all its data away, as a lost disk does. The caller has made sure that another
    /// node holds them too.
    ///
    /// # Errors
    /// When it could not be carried out.
    async fn lose_data(&self, node: &str) -> Result<(), TargetError>;
    /// Whether the node runs, or has data to start from.
    ///
    /// # Errors
    /// When it cannot be told.
    async fn has_data(&self, node: &str) -> Result<bool, TargetError>;
    /// Makes the node a standby from a fresh copy of whoever leads, whatever it holds. Harmless where it
    /// streams already. Returns one line on how.
    ///
    /// # Errors
    /// When nobody leads, or it could not be carried out; the node is down then.
    async fn clone_anew(&self, node: &str) -> Result<String, TargetError>;
}

/// What a person or a stack does to recover.
#[async_trait]
pub trait Recovery: Send + Sync {
    /// Promotes the most advanced standby that answers (where firedrill owns the failover), or the named
    /// one. Returns the promoted node.
    ///
    /// # Errors
    /// When no standby can be promoted.
    async fn promote(&self, node: Option<&str>) -> Result<String, TargetError>;
    /// Switches over to a standby without losing anything: old primary stopped cleanly, standby has
    /// everything, promoted, old primary back as a standby. Returns the new primary.
    ///
    /// # Errors
    /// When it could not be carried out; the text says which state was left.
    async fn switch_over(&self, to: Option<&str>) -> Result<String, TargetError>;
    /// Makes a node that is up or down stream the newest timeline again: it is stopped if it is not a
    /// standby of that timeline, its diverged tail is saved under `evidence`, it is rewound, else
    /// cloned anew. Returns one line on how. Harmless where it already streams.
    ///
    /// # Errors
    /// When it could not be carried out.
    async fn rejoin(&self, node: &str, evidence: &Path) -> Result<String, TargetError>;
    /// Takes the node out of reach of clients and down, before anything else may happen to it.
    ///
    /// # Errors
    /// When it could not be carried out.
    async fn fence(&self, node: &str) -> Result<(), TargetError>;
    /// Rows of the ledger's `lost` keys found in a node's own data directory, and its last flushed LSN
    /// minus the fork, where the data can be read without the node taking writes again. `None` where
    /// nothing was saved.
    ///
    /// # Errors
    /// When the saved data cannot be read.
    async fn diverged_evidence(
        &self,
        evidence: &Path,
    ) -> Result<Option<DivergedEvidence>, TargetError>;
}

/// What an old primary's saved data says about what was lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DivergedEvidence {
    /// Bytes of WAL after the fork.
    pub bytes_after_fork: Option<u64>,
    /// Ledger rows (writer, seq) that only the old data holds, where they could be read.
    pub rows: Option<Vec<(u32, u64)>>,
}

/// A target's own knowledge of who leads.
#[async_trait]
pub trait Sight: Send + Sync {
    /// One round over all nodes, each with its own deadline.
    async fn see(&self, clock: crate::clock::Clock, deadline: Duration) -> ClusterSeen;
}

/// One round of asking all nodes of a target at the same time, each with its own deadline: by SQL, unless
/// the target has a [`Sight`] of its own.
pub async fn see_cluster(
    target: &dyn Target,
    clock: crate::clock::Clock,
    deadline: Duration,
) -> ClusterSeen {
    match target.sight() {
        Some(sight) => sight.see(clock, deadline).await,
        None => crate::role::sql::see(target, clock, deadline).await,
    }
}
