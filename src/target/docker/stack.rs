//! Who leads in a cluster and who fails over: one thing, which Patroni does ([`super::patroni_stack`]) or nobody
//! does but firedrill ([`super::plain`]).
//!
//! The containers are the same either way: what dies, freezes, is cut off and starts again is the engine's business,
//! and no file of it asks which stack there is.

use super::docker_target::{DockerTarget, Node};
use super::facts::Facts;
use super::patroni_stack::PatroniStack;
use super::plain::PlainStack;
use super::watcher::Watcher;
use crate::clock::Clock;
use crate::event::cluster::{NodeSeen, Standing};
use crate::target::{Failover, TargetError};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// Which one it is, as the journal keeps it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StackKind {
    /// Patroni leads, and fails over by itself.
    #[default]
    Patroni,
    /// PostgreSQL alone: firedrill promotes.
    Plain,
}

/// What a stack found out about the nodes before anything was taken.
#[derive(Clone, Debug)]
pub(super) struct Looked {
    /// The name under which each node streams, in the order of the nodes.
    pub(super) members: Vec<String>,
    /// Name and version of what takes part.
    pub(super) versions: Vec<(String, String)>,
    /// The stack, with what it was found to be set to.
    pub(super) stack: Arc<dyn Stack>,
}

/// Who leads and who fails over.
#[async_trait]
pub(super) trait Stack: std::fmt::Debug + Send + Sync {
    /// Who promotes a standby when the primary is lost.
    fn failover(&self) -> Failover;
    /// The longest period of its loop or lease.
    fn control_period(&self) -> Duration;
    /// Its settings that decide the figures.
    fn timers(&self) -> Vec<(String, String)>;
    /// Its settings that decide what a commit means, beside PostgreSQL's own.
    fn durability(&self) -> Vec<(String, String)>;
    /// What stands in for a part of a real stack, for people.
    fn stand_ins(&self) -> Vec<String>;

    /// What a node is whose container runs and is not paused.
    async fn standing(&self, target: &DockerTarget, node: &Node, deadline: Duration) -> Standing;
    /// What follows for single nodes from the words of all.
    fn complete(&self, _nodes: &mut [NodeSeen]) {}
    /// The timelines of a writable node's history, where the stack tells them.
    async fn history(
        &self,
        _target: &DockerTarget,
        _node: &str,
        _timeline: u32,
    ) -> Option<Vec<u32>> {
        None
    }
    /// Whether everybody agrees about who leads, before anything is broken.
    ///
    /// # Errors
    /// When they do not.
    async fn agrees(&self, target: &DockerTarget, clock: Clock) -> Result<(), TargetError>;
    /// Watches the stack's own view, where it has one.
    fn watch(&self, _target: &DockerTarget, _clock: Clock) -> Option<Watcher> {
        None
    }

    /// Promotes a standby: see [`crate::target::Recovery::promote`].
    async fn promote(
        &self,
        target: &DockerTarget,
        node: Option<&str>,
    ) -> Result<String, TargetError>;
    /// Hands the primary's role over: see [`crate::target::Recovery::switch_over`].
    async fn switch_over(
        &self,
        target: &DockerTarget,
        to: Option<&str>,
    ) -> Result<String, TargetError>;
    /// Has a node stream again: see [`crate::target::Recovery::rejoin`].
    async fn rejoin(&self, target: &DockerTarget, node: &str) -> Result<String, TargetError>;
    /// Brings back what the stack itself took down and nobody else has brought back.
    ///
    /// # Errors
    /// When a node stays down; the text says which and why.
    async fn leave(&self, _target: &DockerTarget) -> Result<(), TargetError> {
        Ok(())
    }
}

/// The stack of a cluster that a journal tells of.
pub(super) fn again(facts: &Facts) -> Arc<dyn Stack> {
    match facts.stack {
        StackKind::Patroni => Arc::new(PatroniStack::again(facts.patroni_port)),
        StackKind::Plain => Arc::new(PlainStack::again()),
    }
}
