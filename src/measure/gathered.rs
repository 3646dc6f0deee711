//! What the entries of a run said so far, put where the measures look for it.
//!
//! Nothing is concluded here: each entry is filed, and every number is computed from the files when
//! somebody asks. The live run and a report of its log therefore cannot differ.

use super::acts::Acts;
use super::observer_validity;
use super::timeline::Timeline;
use crate::event::cluster::{ClusterSeen, Standing};
use crate::event::loads::{ClientSaw, LoadBegan, SLOTS};
use crate::event::plan_record::PlanRecord;
use crate::event::replay::SlotLine;
use crate::event::{
    Answered, Asked, Audited, ChannelKind, ChannelRecord, Convergence, EndpointRecord, Entry,
    Event, ObserverLate, RunBegan, RunEnded, StackSaw, Stamp, StepOutcome,
};
use crate::figures;
use std::collections::BTreeMap;

/// When a step ran and how it ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepTimes {
    /// When it began.
    pub began: Option<Stamp>,
    /// When it ended.
    pub ended: Option<Stamp>,
    /// How it ended.
    pub outcome: Option<StepOutcome>,
    /// What it brought.
    pub noted: Vec<String>,
}

/// One question to a person.
#[derive(Clone, Debug, PartialEq)]
pub struct AskTimes {
    /// The question.
    pub asked: Asked,
    /// When it was asked.
    pub at: Stamp,
    /// When and how it was answered.
    pub answered: Option<(Stamp, Answered)>,
    /// When its step ended.
    pub ended: Option<Stamp>,
}

impl AskTimes {
    /// The end of the wait; `now` where it goes on.
    #[must_use]
    pub fn until(&self, now: Stamp) -> Stamp {
        let answered = self.answered.as_ref().map(|(at, _)| *at);
        answered.or(self.ended).unwrap_or(now)
    }
}

/// One round of asking all nodes, without what no measure needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    /// When the round began.
    pub asked: Stamp,
    /// When its answers were in.
    pub at: Stamp,
    /// Nodes that take writes, with their timelines.
    pub primaries: Vec<(String, u32)>,
    /// Nodes that gave no answer.
    pub silent: Vec<String>,
    /// One writable node, from which all others stream.
    pub whole: bool,
    /// Standbys that stream from the leader.
    pub streaming: usize,
    /// Declared nodes.
    pub declared: usize,
}

impl Round {
    /// The writable node of the newest timeline.
    #[must_use]
    pub fn leader(&self) -> Option<&(String, u32)> {
        self.primaries.iter().max_by_key(|(_, timeline)| *timeline)
    }
}

/// One node took over from another that nobody had touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenOver {
    /// Who led.
    pub from: String,
    /// Who leads.
    pub by: String,
    /// When that was seen.
    pub seen: Stamp,
}

impl std::fmt::Display for TakenOver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { from, by, seen } = self;
        let at = seen.as_ms() / 1000.0;
        write!(f, "{by} had taken over from {from} by {at:.1} s")
    }
}

/// One load, as its clients told of it.
#[derive(Clone, Debug)]
pub struct LoadTimes {
    /// What it is.
    pub about: LoadBegan,
    /// When it began.
    pub began: Stamp,
    /// When it ended.
    pub ended: Option<Stamp>,
    /// Its requests.
    pub requests: Timeline,
    /// What its clients saw of their sessions, in order: when, which client, what.
    pub saw: Vec<(Stamp, u32, ClientSaw)>,
}

impl LoadTimes {
    fn new(about: LoadBegan, began: Stamp) -> Self {
        let requests = Timeline::new(ChannelRecord {
            name: about.slots(),
            kind: ChannelKind::Load,
            sessions: about.clients,
            t0: about.t0,
            period_us: about.period_us,
            deadline_us: about.deadline_us,
            stall_us: None,
        });
        Self {
            about,
            began,
            ended: None,
            requests,
            saw: Vec::new(),
        }
    }
}

/// Everything that the entries said.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// The first event.
    pub began: Option<Box<RunBegan>>,
    /// When measuring began, and the names of the channels in their declared order.
    pub measuring: Option<(Stamp, Vec<String>)>,
    /// When the writers were stopped.
    pub measuring_ended: Option<Stamp>,
    /// The channels by name.
    pub channels: BTreeMap<String, Timeline>,
    /// What the target names beside writer and reader.
    pub endpoints: Vec<EndpointRecord>,
    /// The steps by id.
    pub steps: BTreeMap<String, StepTimes>,
    /// The loads by the step's id.
    pub loads: BTreeMap<String, LoadTimes>,
    /// The questions to people, in order.
    pub asks: Vec<AskTimes>,
    /// What was done to the cluster.
    pub acts: Acts,
    /// What the stack said of its leader.
    pub stack: Vec<StackSaw>,
    /// The rounds of asking all nodes.
    pub rounds: Vec<Round>,
    /// Spells of lateness of the observer while it measured.
    pub late: Vec<ObserverLate>,
    /// For how long the machine slept, in microseconds.
    pub slept_us: u64,
    /// Channels whose own connections reached the target's limit.
    pub own_limit: Vec<String>,
    /// Servers that could not be mapped to a node.
    pub unknown_servers: Vec<String>,
    /// How the cluster converged.
    pub convergence: Option<Convergence>,
    /// What the audit found.
    pub audited: Option<Box<Audited>>,
    /// How the run ended.
    pub ended: Option<RunEnded>,
    /// Who asked the run to stop, first.
    pub stop_asked: Option<String>,
    /// What the baseline was found unfit for.
    pub baseline_unfit: Option<String>,
    /// When and how the load beside the probes ended by itself, where it did.
    pub background_ended: Option<(Stamp, String)>,
    /// Batches that did not decode.
    pub broken_batches: usize,
    /// The newest stamp.
    pub now: Stamp,
}

impl Gathered {
    /// Files one entry.
    pub fn take(&mut self, entry: &Entry) {
        self.now = self.now.max(entry.at);
        match &entry.event {
            Event::RunBegan(began) => self.began = Some(began.clone()),
            Event::MeasuringBegan(measuring) => {
                self.endpoints.clone_from(&measuring.endpoints);
                let names = measuring.channels.iter().map(|record| record.name.clone());
                self.measuring = Some((entry.at, names.collect()));
                for record in &measuring.channels {
                    self.channels
                        .insert(record.name.clone(), Timeline::new(record.clone()));
                }
            }
            Event::MeasuringEnded => self.measuring_ended = Some(entry.at),
            Event::ClusterSeen(seen) | Event::SeenBeforeFault(seen) => {
                self.rounds.push(round(seen, entry.at));
            }
            Event::StepBegan(step) => {
                self.steps.entry(step.step.clone()).or_default().began = Some(entry.at);
            }
            Event::StepEnded(step) => {
                let times = self.steps.entry(step.step.clone()).or_default();
                times.ended = Some(entry.at);
                times.outcome = Some(step.outcome.clone());
                for ask in &mut self.asks {
                    if ask.asked.step == step.step {
                        ask.ended.get_or_insert(entry.at);
                    }
                }
            }
            Event::Act(act) => {
                let before = self.leader();
                self.acts.take(act, entry.at, entry.seq, before);
            }
            Event::StackSaw(saw) => self.stack.push(saw.clone()),
            Event::Slots(batch) => {
                let timeline = self.timeline(&batch.channel);
                if timeline.is_some_and(|timeline| timeline.take(batch).is_err()) {
                    self.broken_batches += 1;
                }
            }
            Event::LoadBegan(began) => {
                let load = LoadTimes::new(began.clone(), entry.at);
                self.loads.insert(began.load.clone(), load);
            }
            Event::LoadClient(client) => {
                if let Some(load) = self.loads.get_mut(&client.load) {
                    load.saw.push((entry.at, client.client, client.saw.clone()));
                }
            }
            Event::LoadEnded { load } => {
                if let Some(load) = self.loads.get_mut(load) {
                    load.ended = Some(entry.at);
                }
            }
            // After the writers stopped nothing is measured that lateness could disturb.
            Event::ObserverLate(late) if self.measuring_ended.is_none() => self.late.push(*late),
            Event::ObserverLate(_) => {}
            Event::MachineSlept { us } => self.slept_us = self.slept_us.saturating_add(*us),
            Event::OwnLimit { channel } => {
                if !self.own_limit.contains(channel) {
                    self.own_limit.push(channel.clone());
                }
            }
            Event::UnknownNode { server, .. } => {
                if !self.unknown_servers.contains(server) {
                    self.unknown_servers.push(server.clone());
                }
            }
            Event::StopAsked { by, .. } => {
                self.stop_asked.get_or_insert_with(|| by.clone());
            }
            Event::Convergence(convergence) => self.convergence = Some(convergence.clone()),
            Event::Audited(audited) => self.audited = Some(audited.clone()),
            Event::RunEnded(ended) => self.ended = Some(ended.clone()),
            Event::Signal(signal) => {
                if let crate::event::observer::Conclusion::BaselineJudged { unfit, .. } =
                    &signal.what
                {
                    self.baseline_unfit.clone_from(unfit);
                }
            }
            Event::BackgroundEnded(ended) if !ended.asked => {
                self.background_ended = Some((entry.at, ended.how.clone()));
            }
            Event::BackgroundBegan { .. } | Event::BackgroundEnded(_) => {}
            Event::StepNoted { step, text } => {
                let times = self.steps.entry(step.clone()).or_default();
                times.noted.push(text.clone());
            }
            Event::Asked(asked) => self.asks.push(AskTimes {
                asked: asked.clone(),
                at: entry.at,
                answered: None,
                ended: None,
            }),
            Event::Answered(answered) => self.answered(answered, entry.at),
            Event::Said { .. } | Event::Noted { .. } => {}
        }
    }

    /// Files slots that were unpacked already.
    pub fn take_slots(&mut self, line: &SlotLine<'_>) {
        self.now = self.now.max(line.at);
        let timeline = self.timeline(line.channel);
        if timeline.is_some_and(|timeline| timeline.take_unpacked(line.slots, &[]).is_err()) {
            self.broken_batches += 1;
        }
    }

    /// Where the slots of a channel, or of a load's requests, belong.
    fn timeline(&mut self, channel: &str) -> Option<&mut Timeline> {
        match channel.strip_prefix(SLOTS) {
            Some(load) => self.loads.get_mut(load).map(|load| &mut load.requests),
            None => self.channels.get_mut(channel),
        }
    }

    fn answered(&mut self, answered: &Answered, at: Stamp) {
        let mut newest_first = self.asks.iter_mut().rev();
        let Some(ask) = newest_first.find(|ask| ask.asked.step == answered.step) else {
            return;
        };
        let waited = figures::duration(at.since(ask.at).as_secs_f64() * 1000.0);
        let times = self.steps.entry(answered.step.clone()).or_default();
        times.noted.push(format!(
            "{} after {waited}, by {} ({})",
            answered.answer,
            answered.by,
            answered.way.in_words()
        ));
        ask.answered = Some((at, answered.clone()));
    }

    /// The plan, once it is known.
    #[must_use]
    pub fn plan(&self) -> Option<&PlanRecord> {
        self.began.as_ref().map(|began| &began.plan)
    }

    /// Who leads, by the newest round that saw a leader.
    #[must_use]
    pub fn leader(&self) -> Option<(String, u32)> {
        let mut newest_first = self.rounds.iter().rev();
        newest_first.find_map(|round| round.leader().cloned())
    }

    /// Who led at first and who took over from it, where the rounds between two moments saw that.
    #[must_use]
    pub fn taken_over(&self, from: Stamp, until: Stamp) -> Option<TakenOver> {
        // In their order, so that a long run is not gone through to its end.
        let between = self.rounds.iter().take_while(|round| round.at <= until);
        let mut led: Option<&String> = None;
        for round in between.filter(|round| round.asked >= from) {
            let Some((leader, _)) = round.leader() else {
                continue;
            };
            match led {
                Some(first) if first != leader => {
                    return Some(TakenOver {
                        from: first.clone(),
                        by: leader.clone(),
                        seen: round.at,
                    });
                }
                _ => led = Some(leader),
            }
        }
        None
    }

    /// Whether outages are looked for on such a channel: node channels have none, and the witness
    /// belongs to no objective.
    #[must_use]
    pub fn is_judged(&self, kind: ChannelKind) -> bool {
        kind.is_clients()
    }

    /// Why the observer voids all timings.
    #[must_use]
    pub fn observer_stalled(&self) -> Vec<String> {
        observer_validity::stalled(&self.late, self.slept_us, &self.own_limit)
    }

    /// The end of measuring, or the newest stamp while it goes on.
    #[must_use]
    pub fn measured_until(&self) -> Stamp {
        self.measuring_ended.unwrap_or(self.now)
    }

    /// When the first load began from which others may feel something.
    #[must_use]
    pub fn first_pressed(&self) -> Option<Stamp> {
        let loads = self.loads.values();
        let pressing = loads.filter(|load| load.about.does.presses());
        pressing.map(|load| load.began).min()
    }

    /// The first channel of a kind.
    #[must_use]
    pub fn channel_of(&self, kind: ChannelKind) -> Option<&Timeline> {
        self.channels
            .values()
            .find(|channel| channel.kind() == kind)
    }
}

fn round(seen: &ClusterSeen, at: Stamp) -> Round {
    let primaries = seen
        .primaries()
        .map(|(name, timeline)| (name.to_owned(), timeline));
    let silent = seen
        .nodes
        .iter()
        .filter(|node| matches!(node.standing, Standing::Silent { .. }));
    Round {
        asked: seen.asked,
        at,
        primaries: primaries.collect(),
        silent: silent.map(|node| node.name.clone()).collect(),
        whole: seen.is_whole(),
        streaming: seen.streaming(),
        declared: seen.declared,
    }
}
