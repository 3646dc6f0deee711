//! The failover agent: watches all nodes through their peer links and replaces a lost primary.
//!
//! It stands in for what Patroni and its like do, and is said to be a stand-in in every report: one
//! process decides alone, so there is no election and no lease. Here is how it sees and acts; what it
//! decides is in `decide.rs`. It never starts, stops or restarts a server itself.

use super::decide::{Decision, Deed, State, decide};
use super::emitter_slot::EmitterSlot;
pub use super::stillness::Pause;
use super::stillness::{Counted, Stillness};
use super::view::{NodeView, Word};
use crate::clock::Clock;
use crate::event::cluster::Standing;
use crate::event::{Event, StackSaw, StackView, Stamp};
use crate::role::Held;
use crate::role::sql::{ask_standing, short_statement};
use crate::sql::Address;
use crate::target::TargetError;
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval};

/// A deed that takes longer has failed, so that one that never ends cannot hold the agent for ever.
const DEED_LIMIT: Duration = Duration::from_secs(30);

/// What decides how fast a lost primary is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentSettings {
    /// Time between two rounds, and between two questions to one node.
    pub every: Duration,
    /// A leader that has not answered as primary for this long is lost. It is the deadline of each
    /// question as well.
    pub detection: Duration,
    /// Whether it promotes and demotes; else it only points standbys at whoever leads.
    pub automatic: bool,
    /// How it is called in what it says.
    pub name: &'static str,
}

impl Default for AgentSettings {
    fn default() -> Self {
        Self {
            every: Duration::from_millis(50),
            detection: Duration::from_millis(300),
            automatic: true,
            name: "local agent",
        }
    }
}

/// A node that the agent watches.
#[derive(Clone, Debug)]
pub struct AgentNode {
    /// Its name.
    pub name: String,
    /// Its peer link, as the role that may observe.
    pub via: Address,
}

/// What the agent has done for it. Each call must end within a limit of its own and be harmless when
/// repeated.
#[async_trait]
pub trait AgentActions: Send + Sync {
    /// Makes a standby a primary and returns once it is out of recovery.
    ///
    /// # Errors
    /// When it did not leave recovery in time.
    async fn promote(&self, node: &str) -> Result<(), TargetError>;
    /// Points a standby at a primary.
    ///
    /// # Errors
    /// When it could not be told.
    async fn follow(&self, standby: &str, primary: &str) -> Result<(), TargetError>;
    /// Takes a writable node out of service, so that no client can write to it any more.
    ///
    /// # Errors
    /// When it may still take writes.
    async fn demote(&self, node: &str) -> Result<(), TargetError>;
}

/// The running agent. Dropping it stops it.
#[derive(Debug)]
pub struct Agent {
    stillness: watch::Sender<Stillness>,
    task: AbortHandle,
}

impl Agent {
    /// Begins to watch, on the runtime of `handle`. Events go to `emitter` once it is set.
    #[must_use]
    pub fn start(
        handle: &Handle,
        settings: AgentSettings,
        nodes: Vec<AgentNode>,
        actions: Arc<dyn AgentActions>,
        clock: Clock,
        emitter: EmitterSlot,
    ) -> Self {
        let stillness = watch::Sender::new(Stillness::default());
        let watch = Watch {
            settings,
            clock,
            actions,
            emitter,
            stillness: stillness.clone(),
            state: State::default(),
            deeds: JoinSet::new(),
            underway: HashMap::new(),
            complained: Vec::new(),
        };
        let task = handle.spawn(watch.run(nodes)).abort_handle();
        Self { stillness, task }
    }

    /// Holds it still from now on. A deed that is under way goes on: [`Pause::quiet`] waits for its end.
    pub fn pause(&self) -> Pause {
        Pause::new(&self.stillness)
    }

    /// Stops it for good; a deed that is under way is abandoned where it stands.
    pub fn stop(&self) {
        self.task.abort();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What one node said last.
#[derive(Debug, Default)]
struct Ear {
    said: Option<(Stamp, Word)>,
    /// Answers to questions asked before this are of a time that is over.
    deaf_until: Stamp,
}

/// A deed that is under way.
#[derive(Debug)]
struct Underway {
    deed: Deed,
    node: String,
    began: Stamp,
}

/// The agent's loop and everything it owns.
struct Watch {
    settings: AgentSettings,
    clock: Clock,
    actions: Arc<dyn AgentActions>,
    emitter: EmitterSlot,
    stillness: watch::Sender<Stillness>,
    state: State,
    deeds: JoinSet<Result<(), TargetError>>,
    underway: HashMap<Id, Underway>,
    /// Failures that were told to people and did not go right since.
    complained: Vec<(Deed, String)>,
}

impl Watch {
    async fn run(mut self, nodes: Vec<AgentNode>) {
        let mut listening = JoinSet::new();
        let ears: Vec<(String, Arc<Mutex<Ear>>)> = nodes
            .into_iter()
            .map(|node| {
                let ear = Arc::new(Mutex::new(Ear::default()));
                listening.spawn(listen(
                    node.via,
                    Arc::clone(&ear),
                    self.settings,
                    self.clock,
                ));
                (node.name, ear)
            })
            .collect();
        let mut rounds = interval(self.settings.every);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut held = false;
        loop {
            tokio::select! {
                biased;
                _ = rounds.tick() => held = self.round(&ears, held),
                Some(ended) = self.deeds.join_next_with_id() => self.ended(ended, &ears),
            }
        }
    }

    /// One round; says whether the agent was held still in it.
    fn round(&mut self, ears: &[(String, Arc<Mutex<Ear>>)], was_held: bool) -> bool {
        let now = self.clock.now();
        let view: Vec<NodeView> = ears
            .iter()
            .map(|(name, ear)| NodeView {
                name: name.clone(),
                said: lock(ear).said,
            })
            .collect();
        let mut decisions = Vec::new();
        let mut held = false;
        // Deciding and counting in one step: once `pause` has returned, no new deed begins.
        self.stillness.send_if_modified(|still| {
            held = still.pauses > 0;
            if held {
                return false;
            }
            if was_held {
                self.state.resume(now);
            }
            decisions = decide(&view, &mut self.state, &self.settings, now);
            let begun = decisions
                .iter()
                .filter(|decision| deed_of(decision).is_some())
                .count();
            still.deeds += begun;
            begun > 0
        });
        for decision in decisions {
            self.carry_out(decision, now);
        }
        held
    }

    fn carry_out(&mut self, decision: Decision, now: Stamp) {
        match &decision {
            Decision::LeaderLost {
                node,
                last_negative,
            } => {
                self.say(StackView::LeaderLost, node, *last_negative, now);
            }
            Decision::Promote {
                node,
                last_negative,
            } => {
                self.say(StackView::LeaderNamed, node, *last_negative, now);
            }
            Decision::Note(text) => self.note(text.clone()),
            Decision::Follow { .. } | Decision::Demote { .. } => {}
        }
        let Some((deed, node)) = deed_of(&decision) else {
            return;
        };
        let counted = Counted::new(&self.stillness);
        let actions = Arc::clone(&self.actions);
        let what = format!("{} {node}", deed.word());
        let task = async move {
            let _counted = counted;
            let acting = async {
                match &decision {
                    Decision::Promote { node, .. } => actions.promote(node).await,
                    Decision::Demote { node } => actions.demote(node).await,
                    Decision::Follow { standby, primary } => actions.follow(standby, primary).await,
                    Decision::LeaderLost { .. } | Decision::Note(_) => Ok(()),
                }
            };
            match tokio::time::timeout(DEED_LIMIT, acting).await {
                Ok(result) => result,
                Err(_) => Err(TargetError::new(
                    what,
                    format!("no end in {} s", DEED_LIMIT.as_secs()),
                )),
            }
        };
        let began = self.clock.now();
        let id = self.deeds.spawn(task).id();
        self.underway.insert(id, Underway { deed, node, began });
    }

    fn ended(
        &mut self,
        ended: Result<(Id, Result<(), TargetError>), JoinError>,
        ears: &[(String, Arc<Mutex<Ear>>)],
    ) {
        let (id, result) = match ended {
            Ok((id, result)) => (id, result.map_err(|error| error.to_string())),
            Err(error) => (error.id(), Err(error.to_string())),
        };
        let Some(Underway { deed, node, began }) = self.underway.remove(&id) else {
            return;
        };
        let now = self.clock.now();
        self.state
            .done(deed, &node, result.is_ok(), &self.settings, now);
        let matter = (deed, node);
        let told = self.complained.iter().position(|known| *known == matter);
        match (result, told) {
            (Ok(()), told) => {
                told.map(|n| self.complained.remove(n));
                let (deed, node) = matter;
                if deed != Deed::Demote {
                    return;
                }
                self.say(StackView::Demoted, &node, began, now);
                if let Some((_, ear)) = ears.iter().find(|(name, _)| *name == node) {
                    // What it said of itself before is no longer true.
                    let mut ear = lock(ear);
                    ear.said = None;
                    ear.deaf_until = now;
                }
            }
            (Err(why), None) => {
                self.note(format!("{}: {why}", self.settings.name));
                self.complained.push(matter);
            }
            // It is tried again and again; people need to hear of it once.
            (Err(_), Some(_)) => {}
        }
    }

    fn say(&self, what: StackView, node: &str, last_negative: Stamp, first_positive: Stamp) {
        let saw = StackSaw {
            source: self.settings.name.to_owned(),
            what,
            node: node.to_owned(),
            last_negative,
            first_positive,
        };
        self.emitter.emit(first_positive, Event::StackSaw(saw));
    }

    fn note(&self, text: String) {
        self.emitter.emit(self.clock.now(), Event::Noted { text });
    }
}

/// The deed that a decision asks for, and the node that it is done to.
fn deed_of(decision: &Decision) -> Option<(Deed, String)> {
    match decision {
        Decision::Promote { node, .. } => Some((Deed::Promote, node.clone())),
        Decision::Follow { standby, .. } => Some((Deed::Follow, standby.clone())),
        Decision::Demote { node } => Some((Deed::Demote, node.clone())),
        Decision::LeaderLost { .. } | Decision::Note(_) => None,
    }
}

/// Asks one node again and again for as long as it lives. Each node has its own such task, so that one
/// that hangs delays nobody's answers.
async fn listen(via: Address, ear: Arc<Mutex<Ear>>, settings: AgentSettings, clock: Clock) {
    let mut held = Held::new(via);
    let statement = short_statement();
    let mut ticks = interval(settings.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let asked = clock.now();
        let said = word(ask_standing(&mut held, &statement, settings.detection).await);
        let now = clock.now();
        let mut ear = lock(&ear);
        if asked >= ear.deaf_until {
            ear.said = said.map(|word| (now, word));
        }
    }
}

fn word(standing: Standing) -> Option<Word> {
    match standing {
        Standing::Primary { timeline, .. } => Some(Word::Primary { timeline }),
        Standing::Standby {
            timeline,
            received,
            replayed,
            streaming,
            ..
        } => Some(Word::Standby {
            timeline,
            position: received.max(replayed).unwrap_or(0),
            streaming,
        }),
        Standing::Silent { .. } => None,
    }
}

/// Nothing panics while it holds one of these locks, so a poisoned one still holds a whole value.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "agent_tests.rs"]
mod tests;
