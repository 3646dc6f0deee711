//! Watches whom Patroni names as leader, and tells when that changes.
//!
//! Every node is asked for the members of the cluster, each by a task of its own, because whoever is asked may
//! be the one that dies. The answer is what the store of the leader key holds at that moment, so that any node's
//! will do; an answer to a question that is older than the last change is of a time that is over.

use super::addresses::Addresses;
use super::docker_target::DockerTarget;
use crate::clock::Clock;
use crate::event::{Event, StackSaw, StackView, Stamp};
use crate::role::patroni::{self, Member};
use crate::target::local::emitter_slot::EmitterSlot;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

/// Between two questions to one node.
const EVERY: Duration = Duration::from_millis(100);
/// How long an answer may take.
const DEADLINE: Duration = Duration::from_secs(1);

/// The running watch; dropping it ends it.
#[derive(Debug)]
pub(super) struct Watcher {
    _asking: JoinSet<()>,
}

impl Watcher {
    /// Begins to watch. Events go to the target's emitter once it is set.
    pub(super) fn start(target: &DockerTarget, port: u16, clock: Clock) -> Self {
        let names = target.nodes.iter();
        let names = names.map(|node| (node.facts.member.clone(), node.facts.name.clone()));
        let watch = Arc::new(Mutex::new(Watch {
            names: names.collect(),
            ..Watch::default()
        }));
        let mut asking = JoinSet::new();
        let first = target.clients_network().map(str::to_owned);
        for node in &target.nodes {
            asking.spawn(ask(
                Arc::clone(&node.addresses),
                first.clone(),
                port,
                Arc::clone(&watch),
                target.emitter.clone(),
                clock,
            ));
        }
        Self { _asking: asking }
    }
}

/// Asks one node for ever.
async fn ask(
    node: Arc<Addresses>,
    first: Option<String>,
    port: u16,
    watch: Arc<Mutex<Watch>>,
    emitter: EmitterSlot,
    clock: Clock,
) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let Some(address) = node.all(first.as_deref()).into_iter().next() else {
            continue;
        };
        let asked = clock.now();
        let Ok(members) = patroni::cluster(&address, port, DEADLINE).await else {
            continue;
        };
        let answered = clock.now();
        let changes = {
            let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
            watch.hear(&members, asked, answered)
        };
        for saw in changes {
            emitter.emit(saw.first_positive, Event::StackSaw(saw));
        }
    }
}

/// What is known of the leader key.
#[derive(Debug, Default)]
struct Watch {
    /// Members and the nodes that they are.
    names: Vec<(String, String)>,
    /// Who holds it, by the last answer, and when that was asked for.
    last: Option<(Option<String>, Stamp)>,
    /// When the last change was heard of.
    changed: Option<Stamp>,
}

impl Watch {
    /// Takes an answer in, and says what changed by it.
    fn hear(&mut self, members: &[Member], asked: Stamp, answered: Stamp) -> Vec<StackSaw> {
        if self.changed.is_some_and(|changed| asked < changed) {
            return Vec::new();
        }
        let leader = members.iter().find(|member| member.leads);
        let leader = leader.map(|member| member.name.clone());
        let Some((before, last_asked)) = self.last.take() else {
            self.last = Some((leader, asked));
            return Vec::new();
        };
        if before == leader {
            self.last = Some((leader, last_asked.max(asked)));
            return Vec::new();
        }
        self.changed = Some(answered);
        let saw = |what, member: &String| StackSaw {
            source: "Patroni".to_owned(),
            what,
            node: self.node_of(member),
            last_negative: last_asked,
            first_positive: answered,
        };
        let lost = before.iter().map(|old| saw(StackView::LeaderLost, old));
        let named = leader.iter().map(|new| saw(StackView::LeaderNamed, new));
        let changes = lost.chain(named).collect();
        self.last = Some((leader, asked));
        changes
    }

    fn node_of(&self, member: &str) -> String {
        let found = self.names.iter().find(|(name, _)| name == member);
        found.map_or_else(|| member.to_owned(), |(_, node)| node.clone())
    }
}

#[cfg(test)]
#[path = "watcher_tests.rs"]
mod tests;
