//! `pause_replay`: a standby receives WAL and does not replay it.

use super::{Fault, Hit, facts_of};
use crate::event::cluster::{ClusterSeen, Standing as NodeStanding};
use crate::role::NodeRef;
use crate::sql::{Asks, Session, Statement};
use crate::target::{Capability, Target, TargetError};
use crate::undo::in_place::{self, in_place};
use crate::undo::no_second_primary::follow;
use crate::undo::{Around, Standing, Undo};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A standby receives WAL and does not replay it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseReplay {
    /// Name of the step, by which others refer to it.
    #[serde(default)]
    pub id: Option<String>,
    /// The node that is hit.
    pub node: NodeRef,
}

#[async_trait]
impl Fault for PauseReplay {
    fn name(&self) -> &'static str {
        "pause_replay"
    }
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn needs(&self) -> Vec<Capability> {
        vec![Capability::Act]
    }
    fn describe(&self, node: &str) -> String {
        format!("pause replay on {node}: it receives WAL and does not replay it")
    }
    fn describe_undo(&self, node: &str) -> String {
        format!("resume replay on {node}")
    }
    async fn prepare(
        &self,
        _target: &dyn Target,
        hit: &Hit,
        _seen: &ClusterSeen,
    ) -> Result<Box<dyn Undo>, TargetError> {
        if hit.was_primary() {
            let what = format!("pause replay on {}", hit.node);
            return Err(TargetError::new(
                what,
                "it is the primary and replays nothing",
            ));
        }
        Ok(Box::new(Paused { hit: hit.clone() }))
    }
    async fn inject(
        &self,
        target: &dyn Target,
        hit: &Hit,
        _undo: &dyn Undo,
    ) -> Result<(), TargetError> {
        let sql = "SELECT pg_catalog.pg_wal_replay_pause()";
        let pause = Statement::new(sql, Asks::PauseReplay);
        ask(target, &hit.node, pause).await.map(|_| ())
    }
    async fn effect(
        &self,
        target: &dyn Target,
        hit: &Hit,
        _undo: &dyn Undo,
    ) -> Result<Option<String>, TargetError> {
        // pg_is_wal_replay_paused() is true as soon as the pause is asked for; this one (since 14) tells
        // "pause requested" from "paused".
        let sql = "SELECT pg_catalog.pg_get_wal_replay_pause_state()";
        let state = Statement::new(sql, Asks::PauseState);
        let state = ask(target, &hit.node, state).await?;
        Ok((state.as_deref() == Some("paused"))
            .then(|| format!("{} says that its replay is paused", hit.node)))
    }
}

/// How long a node may take to answer.
const DEADLINE: Duration = Duration::from_secs(5);

/// The first column of the first row, asked as the role that may act.
async fn ask(
    target: &dyn Target,
    node: &str,
    statement: Statement<'_>,
) -> Result<Option<String>, TargetError> {
    let failed = |error| TargetError::new(format!("ask {node}"), error);
    let session = Session::connect(&target.act_access(node), DEADLINE)
        .await
        .map_err(failed)?;
    let answer = session.query(statement, DEADLINE).await.map_err(failed)?;
    let first = answer.rows.into_iter().next().unwrap_or_default();
    Ok(first.into_iter().next().flatten())
}

/// A standby that does not replay.
#[derive(Debug, Serialize, Deserialize)]
struct Paused {
    hit: Hit,
}

pub(super) fn from_facts(facts: &serde_json::Value) -> Option<Box<dyn Undo>> {
    let undo = Paused::deserialize(facts).ok()?;
    Some(Box::new(undo))
}

impl Paused {
    fn is_paused(&self, seen: &ClusterSeen) -> bool {
        matches!(
            seen.node(&self.hit.node),
            Some(NodeStanding::Standby { paused: true, .. })
        )
    }

    /// A node that was promoted since replays nothing, and its pause ended with its recovery.
    async fn resume(&self, target: &dyn Target) -> Result<(), TargetError> {
        if self.is_paused(&in_place::look(target).await) {
            let sql = "SELECT pg_catalog.pg_wal_replay_resume()";
            let resume = Statement::new(sql, Asks::ResumeReplay);
            ask(target, &self.hit.node, resume).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Undo for Paused {
    fn fault(&self) -> &'static str {
        "pause_replay"
    }
    fn facts(&self) -> serde_json::Value {
        facts_of(self)
    }
    async fn standing(&self, target: &dyn Target) -> Result<Standing, TargetError> {
        let seen = in_place::look(target).await;
        if self.is_paused(&seen) {
            let node = &self.hit.node;
            return Ok(Standing::Missing(format!("replay is paused on {node}")));
        }
        Ok(in_place(&seen, &self.hit.node))
    }
    async fn put_back(&self, target: &dyn Target, around: &Around<'_>) -> Result<(), TargetError> {
        self.resume(target).await?;
        match in_place::look(target).await.node(&self.hit.node) {
            Some(NodeStanding::Standby { .. }) => follow(target, &self.hit, around).await,
            _ => Ok(()),
        }
    }
    async fn release(&self, target: &dyn Target) -> Result<(), TargetError> {
        self.resume(target).await
    }
    async fn released(&self, target: &dyn Target) -> Result<Standing, TargetError> {
        let node = &self.hit.node;
        Ok(match in_place::look(target).await.node(node) {
            Some(NodeStanding::Standby { paused: true, .. }) => {
                Standing::Missing(format!("replay is paused on {node}"))
            }
            Some(NodeStanding::Silent { why }) => {
                Standing::Missing(format!("{node} does not answer: {why}"))
            }
            _ => Standing::Back(format!("replay is not paused on {node}")),
        })
    }
}
