//! A cluster of PostgreSQL and nothing that fails over: firedrill promotes, and takes out of the way before it does
//! whatever might still take writes.
//!
//! | file | what |
//! |---|---|
//! | psql.rs | PostgreSQL asked from inside its container, without a password |
//! | look.rs | what the nodes say of themselves before anything is taken |
//! | promotion.rs | one standby promoted, and never beside another primary |
//! | switch_over.rs | the primary's role handed over without a loss |
//! | control_file.rs | where a server that was shut down had come to |
//! | rejoin.rs | a node made to stream again by its container's own start |
//!
//! Who leads is what PostgreSQL itself says. A run logs in as whoever observes; whoever puts a run back that died has
//! no password, and asks the same by `psql` inside the container.

mod control_file;
mod look;
mod promotion;
mod psql;
mod rejoin;
mod switch_over;

use super::docker_target::{DockerTarget, Node};
use super::stack::Stack;
use crate::clock::Clock;
use crate::event::cluster::{ClusterSeen, Standing};
use crate::role::history_file;
use crate::target::{Failover, Power as _, TargetError};
use async_trait::async_trait;
use promotion::PROMOTE;
use psql::Psql;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Nothing here goes round in a loop that a fault could be early or late in; over this second its moment is drawn.
const NO_LOOP: Duration = Duration::from_secs(1);

/// How long a node may take to hand out a history file.
const HISTORY: Duration = Duration::from_secs(3);

/// How long a node may take to end a shutdown, or to answer, when its run died in the middle.
const SETTLED: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(200);

/// PostgreSQL alone.
#[derive(Debug)]
pub(super) struct PlainStack {
    psql: Psql,
    /// One promotion or switch-over at a time.
    turn: tokio::sync::Mutex<()>,
    /// The newest timeline that any node was ever seen on.
    newest: AtomicU32,
    /// The standby that was told to promote itself and was not seen to have done so, and since when.
    told: Mutex<Option<(String, Instant)>>,
    /// Nodes that were taken down here, by a promotion or a switch-over.
    taken_down: Mutex<BTreeSet<String>>,
    /// Nodes whose containers started them as primaries beside another one: once is enough.
    untrusted: Mutex<BTreeSet<String>>,
    /// The run died: what it had taken down is not known, and nothing was down when it began.
    again: bool,
}

impl PlainStack {
    fn new(psql: Psql, again: bool) -> Self {
        Self {
            psql,
            turn: tokio::sync::Mutex::default(),
            newest: AtomicU32::new(0),
            told: Mutex::default(),
            taken_down: Mutex::default(),
            untrusted: Mutex::default(),
            again,
        }
    }

    /// That of a run that died.
    pub(super) fn again() -> Self {
        Self::new(Psql::default(), true)
    }

    fn newest(&self) -> u32 {
        self.newest.load(Ordering::SeqCst)
    }

    fn told(&self) -> MutexGuard<'_, Option<(String, Instant)>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn taken_down(&self) -> MutexGuard<'_, BTreeSet<String>> {
        let taken_down = &self.taken_down;
        taken_down.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn untrusted(&self) -> MutexGuard<'_, BTreeSet<String>> {
        let untrusted = &self.untrusted;
        untrusted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what a node said, and takes no standby for one that may be a primary the next moment.
    fn hear(&self, node: &str, said: Standing) -> Standing {
        let timeline = match &said {
            Standing::Primary { timeline, .. } => Some(*timeline),
            Standing::Standby { timeline, .. } => *timeline,
            Standing::Silent { .. } => None,
        };
        self.newest
            .fetch_max(timeline.unwrap_or_default(), Ordering::SeqCst);
        let mut told = self.told();
        let is_told = told.as_ref().is_some_and(|(name, _)| name == node);
        match said {
            Standing::Primary { .. } if is_told => {
                *told = None;
                said
            }
            Standing::Standby { .. }
                if is_told && told.as_ref().is_some_and(|(_, at)| at.elapsed() < PROMOTE) =>
            {
                Standing::Silent {
                    why: "it was told to promote itself, and does not take writes yet".to_owned(),
                }
            }
            said => said,
        }
    }
}

#[async_trait]
impl Stack for PlainStack {
    fn failover(&self) -> Failover {
        Failover::Promote
    }

    fn control_period(&self) -> Duration {
        NO_LOOP
    }

    fn timers(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    fn durability(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    fn stand_ins(&self) -> Vec<String> {
        vec!["whoever fails over: firedrill, at once and without having to notice".to_owned()]
    }

    async fn standing(&self, target: &DockerTarget, node: &Node, deadline: Duration) -> Standing {
        let said = match target.has_ways() {
            true => target.by_sql(node, deadline).await,
            false => target.by_nodes(
                self.psql
                    .standing(&target.engine, &node.facts.id, deadline)
                    .await,
            ),
        };
        self.hear(&node.facts.name, said)
    }

    async fn history(&self, target: &DockerTarget, node: &str, timeline: u32) -> Option<Vec<u32>> {
        let mut history = Vec::new();
        if timeline > 1 {
            // Whoever observes may not read files.
            let file = history_file::file_name(timeline);
            let sql = format!("SELECT pg_read_file('pg_wal/{file}')");
            let id = &target.node(node).ok()?.facts.id;
            let said = self
                .psql
                .ask(&target.engine, id, &sql, HISTORY)
                .await
                .ok()?;
            let left = history_file::parse(said.first()?.as_deref()?);
            history.extend(left.into_iter().map(|(timeline, _)| timeline));
        }
        history.push(timeline);
        Some(history)
    }

    async fn agrees(&self, _target: &DockerTarget, _clock: Clock) -> Result<(), TargetError> {
        // There is one word only, and preflight says what is wrong with it.
        Ok(())
    }

    async fn promote(
        &self,
        target: &DockerTarget,
        node: Option<&str>,
    ) -> Result<String, TargetError> {
        let _turn = self.turn.lock().await;
        promotion::promote(self, target, node).await
    }

    async fn switch_over(
        &self,
        target: &DockerTarget,
        to: Option<&str>,
    ) -> Result<String, TargetError> {
        let _turn = self.turn.lock().await;
        switch_over::switch_over(self, target, to).await
    }

    async fn rejoin(&self, target: &DockerTarget, node: &str) -> Result<String, TargetError> {
        rejoin::rejoin(self, target, node).await
    }

    async fn leave(&self, target: &DockerTarget) -> Result<(), TargetError> {
        let names: Vec<String> = match self.again {
            true => {
                all_settled(target).await;
                let all = target.nodes.iter();
                all.map(|node| node.facts.name.clone()).collect()
            }
            false => self.taken_down().iter().cloned().collect(),
        };
        let mut down = Vec::new();
        for name in names {
            // A container that was removed meanwhile is nobody's to bring back.
            let node = target.node(&name)?;
            if target.inspect(node).await.is_ok_and(|found| !found.running) {
                down.push(name);
            }
        }
        for name in &down {
            let seen = target.look().await;
            match seen.leader() {
                Some(_) => self.rejoin(target, name).await.map(|_| ())?,
                None if down.len() == 1 && all_others_follow(&seen, name) => {
                    target.start(name).await?;
                }
                None => {
                    return Err(TargetError::new(
                        format!("{name} stays down"),
                        "no node takes writes, and which one led last cannot be told: start that one first",
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Waits until every node whose container runs answers: what was told to shut down when its run died still runs for
/// a moment, and is down then.
async fn all_settled(target: &DockerTarget) {
    let begun = Instant::now();
    while begun.elapsed() < SETTLED {
        let seen = target.look().await;
        let mut waiting = false;
        for node in &seen.nodes {
            waiting |= matches!(node.standing, Standing::Silent { .. })
                && target
                    .running(&node.name)
                    .await
                    .is_ok_and(|living| living > 0);
        }
        if !waiting {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether every node but this one says that it is a standby: then this one may lead.
fn all_others_follow(seen: &ClusterSeen, name: &str) -> bool {
    let mut others = seen.nodes.iter().filter(|node| node.name != name);
    others.all(|node| matches!(node.standing, Standing::Standby { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Stamp;
    use crate::event::cluster::NodeSeen;

    fn standby(timeline: u32) -> Standing {
        Standing::Standby {
            timeline: Some(timeline),
            received: None,
            replayed: None,
            streaming: true,
            paused: false,
        }
    }

    fn primary(timeline: u32) -> Standing {
        Standing::Primary {
            timeline,
            lsn: 0,
            standbys: Vec::new(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_standby_that_was_told_to_promote_itself_counts_as_none_until_it_did_or_will_not() {
        let stack = PlainStack::again();
        assert_eq!(stack.hear("b", standby(3)), standby(3));
        assert_eq!(stack.newest(), 3);
        *stack.told() = Some(("b".to_owned(), Instant::now()));
        assert!(matches!(
            stack.hear("b", standby(3)),
            Standing::Silent { .. }
        ));
        assert_eq!(stack.hear("a", standby(3)), standby(3));
        assert_eq!(stack.hear("b", primary(4)), primary(4));
        assert_eq!(
            stack.hear("b", standby(4)),
            standby(4),
            "somebody demoted it"
        );
        *stack.told() = Some(("b".to_owned(), Instant::now()));
        tokio::time::advance(PROMOTE).await;
        assert_eq!(stack.hear("b", standby(4)), standby(4));
        assert_eq!(stack.newest(), 4);
    }

    #[test]
    fn only_where_all_others_say_that_they_follow_may_one_lead_again() {
        let seen = |other: Standing| ClusterSeen {
            asked: Stamp(0),
            declared: 2,
            nodes: [("a", standby(1)), ("b", other)]
                .into_iter()
                .map(|(name, standing)| NodeSeen {
                    name: name.to_owned(),
                    standing,
                })
                .collect(),
        };
        let silent = Standing::Silent { why: String::new() };
        assert!(all_others_follow(&seen(standby(1)), "a"));
        assert!(!all_others_follow(&seen(silent), "a"));
        assert!(!all_others_follow(&seen(primary(2)), "a"));
    }
}
