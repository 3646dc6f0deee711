//! What the failover agent decides from what it sees, apart from how it sees and acts.
//!
//! [`decide`] reads no clock, asks nobody and touches nothing: the same view, state and moment give the
//! same decisions. The rules:
//!
//! 1. The leader is the writable node of the newest timeline. One that is seen writable on a newer
//!    timeline leads at once, whoever promoted it.
//! 2. A leader that has not answered as primary for `detection` is lost. If it answers as primary before
//!    anything was promoted, it leads on.
//! 3. In place of a lost leader the most advanced standby that answers is promoted: newest timeline
//!    first, then received WAL. One on an older timeline than was ever seen leading is never promoted:
//!    it would begin a second timeline of the same number. One promotion at a time.
//! 4. While two nodes are writable, those of the older timelines are demoted. On the same timeline
//!    nobody is: nothing tells whose commits are to be kept.
//! 5. Standbys are pointed at the leader.
//!
//! With `automatic` off only rules 1 and 5 hold. Time in which the agent itself was asleep (its process
//! stopped, its machine overloaded) does not count as silence of the leader.

use super::agent::AgentSettings;
use super::view::{Follower, Fresh, NodeView};
use crate::event::Stamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A gap between two rounds above so many periods is sleep of the agent itself.
const ASLEEP_ROUNDS: u32 = 4;
/// How long a standby may be on its way to the leader before it is told again.
const FOLLOW_AGAIN: Duration = Duration::from_secs(1);

/// Something to say or to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// To say: the leader is lost since now.
    LeaderLost {
        /// The leader.
        node: String,
        /// The last round in which it still led.
        last_negative: Stamp,
    },
    /// To do: promote this standby; it is the leader to be.
    Promote {
        /// The standby.
        node: String,
        /// The last round in which it was not named.
        last_negative: Stamp,
    },
    /// To do: point a standby at a primary.
    Follow {
        /// The standby.
        standby: String,
        /// The primary.
        primary: String,
    },
    /// To do: take a writable node of an older timeline out of service.
    Demote {
        /// The node.
        node: String,
    },
    /// To say to people, once.
    Note(String),
}

/// What was done about a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// [`Decision::Promote`].
    Promote,
    /// [`Decision::Follow`].
    Follow,
    /// [`Decision::Demote`].
    Demote,
}

impl Deed {
    /// Its name in messages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Follow => "follow",
            Self::Demote => "demote",
        }
    }
}

/// What the agent remembers between two rounds.
#[derive(Clone, Debug, Default)]
pub struct State {
    leader: Option<Leader>,
    /// The newest timeline that was ever seen writable, or must be after our own promotion.
    newest: u32,
    promotion: Option<Promotion>,
    /// Nodes that nothing may be done to before a moment; far in the future while a deed is under way.
    busy: BTreeMap<String, Stamp>,
    /// Which leader each standby goes by, as far as is known, and since when.
    told: BTreeMap<String, (String, Stamp)>,
    previous: Option<Stamp>,
    noted: BTreeSet<Matter>,
}

#[derive(Clone, Debug)]
struct Leader {
    name: String,
    /// When it last answered as primary, later by the time that the agent slept.
    silent_since: Stamp,
    lost: bool,
}

/// A promotion that is under way.
#[derive(Clone, Debug)]
struct Promotion {
    node: String,
    /// The newest timeline when it began; the node's own will be a newer one.
    from: u32,
}

/// Something that is said once for as long as it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Matter {
    NoCandidate,
    Tie,
}

impl State {
    /// The leader's name, lost or not.
    #[must_use]
    pub fn leader(&self) -> Option<&str> {
        self.leader.as_ref().map(|leader| leader.name.as_str())
    }

    /// A deed that [`decide`] asked for is over.
    pub fn done(&mut self, deed: Deed, node: &str, ok: bool, settings: &AgentSettings, now: Stamp) {
        match ok {
            true => self.busy.remove(node),
            // Not at once again: what failed a moment ago most likely fails once more.
            false => self
                .busy
                .insert(node.to_owned(), now.plus(settings.detection)),
        };
        if deed == Deed::Promote
            && let Some(Promotion { from, .. }) = self.promotion.take()
            && ok
        {
            // It may not have shown its timeline yet. Any promotion makes a newer one, and without this
            // an old leader that wakes just now would be taken for the leader again.
            self.newest = self.newest.max(from + 1);
            self.lead(node, now);
        }
    }

    /// Whoever held the agent still may have changed everything: the leader's silence counts from now.
    pub fn resume(&mut self, now: Stamp) {
        self.previous = None;
        if let Some(leader) = &mut self.leader {
            leader.silent_since = now;
            leader.lost = false;
        }
    }

    fn lead(&mut self, name: &str, now: Stamp) {
        self.noted.clear();
        self.leader = Some(Leader {
            name: name.to_owned(),
            silent_since: now,
            lost: false,
        });
    }

    fn may_act_on(&self, node: &str, now: Stamp) -> bool {
        self.busy.get(node).is_none_or(|until| *until <= now)
    }

    fn begin(&mut self, node: &str) {
        self.busy.insert(node.to_owned(), Stamp(u64::MAX));
    }

    fn note(&mut self, matter: Matter, text: impl FnOnce() -> String) -> Option<Decision> {
        self.noted.insert(matter).then(|| Decision::Note(text()))
    }
}

/// One round: what follows from `view` at `now`. Remembers in `state` what it asks for; the caller
/// reports each deed back by [`State::done`].
pub fn decide(
    view: &[NodeView],
    state: &mut State,
    settings: &AgentSettings,
    now: Stamp,
) -> Vec<Decision> {
    let previous = state.previous.replace(now).unwrap_or(now);
    discount_own_sleep(state, settings, previous, now);
    let fresh = Fresh::of(view, settings, now);
    let mut decisions = Vec::new();
    acknowledge_leader(&fresh, state, settings, now, &mut decisions);
    if settings.automatic {
        demote_older(&fresh, state, now, &mut decisions);
        replace_lost(
            view,
            &fresh,
            state,
            settings,
            (previous, now),
            &mut decisions,
        );
    }
    follow(&fresh, state, now, &mut decisions);
    decisions
}

fn discount_own_sleep(state: &mut State, settings: &AgentSettings, previous: Stamp, now: Stamp) {
    let gap = now.since(previous);
    if gap > settings.every * ASLEEP_ROUNDS
        && let Some(leader) = &mut state.leader
    {
        leader.silent_since = leader.silent_since.plus(gap - settings.every).min(now);
    }
}

/// Rules 1 and 2, the good half: who leads, and that it still does.
fn acknowledge_leader(
    fresh: &Fresh<'_>,
    state: &mut State,
    settings: &AgentSettings,
    now: Stamp,
    decisions: &mut Vec<Decision>,
) {
    let agent = settings.name;
    let Some(newest) = fresh.newest().filter(|newest| *newest >= state.newest) else {
        return;
    };
    state.newest = newest;
    let on_newest = || {
        fresh
            .primaries
            .iter()
            .filter(|(_, timeline, _)| *timeline == newest)
    };
    let known = on_newest().find(|(name, ..)| state.leader() == Some(*name));
    if let (Some(_), Some(leader)) = (known, &mut state.leader) {
        // Of two on the same timeline either one's answer counts: nothing is promoted beside a node
        // that may take writes.
        let last = on_newest().map(|(_, _, at)| *at).max();
        leader.silent_since = leader.silent_since.max(last.unwrap_or_default());
        // Once a promotion is under way there is no way back.
        if state.promotion.is_none() && std::mem::take(&mut leader.lost) {
            let text = format!("{agent}: {} answers again and leads on", leader.name);
            decisions.push(Decision::Note(text));
            state.noted.remove(&Matter::NoCandidate);
        }
    } else if let Some((name, ..)) = on_newest().next() {
        let own = state
            .promotion
            .as_ref()
            .is_some_and(|promotion| promotion.node == *name);
        if state.leader.is_some() && !own {
            let text = format!("{agent}: {name} leads now, on timeline {newest}");
            decisions.push(Decision::Note(text));
        }
        state.lead(name, now);
    }
    let tied: Vec<&str> = on_newest().map(|(name, ..)| *name).collect();
    match tied.len() {
        0 | 1 => drop(state.noted.remove(&Matter::Tie)),
        _ => decisions.extend(state.note(Matter::Tie, || {
            format!(
                "{agent}: {} are writable on the same timeline {newest}: nobody is demoted, since \
                 nothing tells whose commits are to be kept",
                tied.join(" and ")
            )
        })),
    }
}

/// Rule 4.
fn demote_older(fresh: &Fresh<'_>, state: &mut State, now: Stamp, decisions: &mut Vec<Decision>) {
    let Some(newest) = fresh.newest() else {
        return;
    };
    for (name, timeline, _) in &fresh.primaries {
        if *timeline < newest && state.may_act_on(name, now) {
            state.begin(name);
            let node = (*name).to_owned();
            decisions.push(Decision::Demote { node });
        }
    }
}

/// Rules 2 and 3: a leader that is lost, and who comes after it.
fn replace_lost(
    view: &[NodeView],
    fresh: &Fresh<'_>,
    state: &mut State,
    settings: &AgentSettings,
    (previous, now): (Stamp, Stamp),
    decisions: &mut Vec<Decision>,
) {
    if state.promotion.is_some() {
        return;
    }
    let Some(leader) = &mut state.leader else {
        return;
    };
    if now.since(leader.silent_since) < settings.detection {
        return;
    }
    let lost = leader.name.clone();
    if !std::mem::replace(&mut leader.lost, true) {
        let node = lost.clone();
        decisions.push(Decision::LeaderLost {
            node,
            last_negative: previous,
        });
    }
    let (newest, agent) = (state.newest, settings.name);
    let able = |standby: &&Follower<'_>| standby.timeline.is_none_or(|timeline| timeline >= newest);
    // Reversed, so that of equals the one that was declared first is the last and is taken.
    let best = fresh
        .standbys
        .iter()
        .filter(able)
        .rev()
        .max_by_key(|standby| (standby.timeline, standby.position));
    match best {
        Some(Follower { name, .. }) if state.may_act_on(name, now) => {
            let node = (*name).to_owned();
            state.begin(name);
            state.promotion = Some(Promotion {
                node: node.clone(),
                from: newest,
            });
            decisions.push(Decision::Promote {
                node,
                last_negative: previous,
            });
        }
        // Its promotion failed a moment ago: it is tried again, not passed over for one with less.
        Some(_) => {}
        None => {
            let why = || {
                let others = view.iter().filter(|node| node.name != lost);
                let each: Vec<String> = others.map(|node| why_not(node, fresh, newest)).collect();
                format!(
                    "{agent}: {lost} is lost and nothing can be promoted: {}",
                    each.join(", ")
                )
            };
            decisions.extend(state.note(Matter::NoCandidate, why));
        }
    }
}

/// Why a node is no candidate.
fn why_not(node: &NodeView, fresh: &Fresh<'_>, newest: u32) -> String {
    let name = &node.name;
    match fresh.standbys.iter().find(|standby| standby.name == name) {
        Some(Follower {
            timeline: Some(timeline),
            ..
        }) => {
            format!("{name} is on timeline {timeline}, older than {newest}")
        }
        _ => format!("{name} does not answer as a standby"),
    }
}

/// Rule 5.
fn follow(fresh: &Fresh<'_>, state: &mut State, now: Stamp, decisions: &mut Vec<Decision>) {
    let Some(leader) = state
        .leader()
        .map(str::to_owned)
        .filter(|_| state.promotion.is_none())
    else {
        return;
    };
    let Some((_, newest, _)) = fresh.primaries.iter().find(|(name, ..)| *name == leader) else {
        return;
    };
    for standby in fresh
        .standbys
        .iter()
        .filter(|standby| standby.name != leader)
    {
        let settled = standby.streaming && standby.timeline == Some(*newest);
        let due = !settled
            && match state.told.get(standby.name) {
                Some((told, at)) => *told != leader || now.since(*at) >= FOLLOW_AGAIN,
                // Whoever started it pointed it at somebody; it has its time to get there.
                None => false,
            };
        if due && !state.may_act_on(standby.name, now) {
            continue;
        }
        if due || settled || !state.told.contains_key(standby.name) {
            state
                .told
                .insert(standby.name.to_owned(), (leader.clone(), now));
        }
        if due {
            state.begin(standby.name);
            decisions.push(Decision::Follow {
                standby: standby.name.to_owned(),
                primary: leader.clone(),
            });
        }
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
