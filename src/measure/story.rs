//! Runs told in a few lines, for tests: a story becomes the entries that a real run would have logged.

use crate::event::cluster::{ClusterSeen, NodeSeen, StandbySeen, Standing};
use crate::event::plan_record::{
    CostRecord, Demand, ObjectiveRecord, PlanRecord, StepRecord, Until, WorkloadRecord,
};
use crate::event::slots::{Outcome, Serving, Slot, SlotBatch, pack};
use crate::event::{
    Act, ActKind, Audited, ChannelKind, ChannelRecord, Convergence, Entry, Event, MeasuringBegan,
    RunBegan, RunEnded, SCHEMA, Stage, Stamp, StepBegan, StepEnded, StepOutcome, TargetRecord,
    WriterAudit,
};
use std::collections::BTreeMap;

/// When probes begin to count, in milliseconds.
pub const MEASURING: u64 = 1_000;

/// A slot, with the node and timeline that answered it.
type Told = (Slot, Option<(String, u32)>);

/// A run that is being told. All times are milliseconds since the run's origin.
#[derive(Clone, Debug)]
pub struct Story {
    /// The plan, to be changed by a test.
    pub plan: PlanRecord,
    /// Live settings of the target.
    pub timers: Vec<(String, String)>,
    channels: Vec<ChannelRecord>,
    slots: BTreeMap<String, Vec<Told>>,
    events: Vec<(Stamp, Event)>,
}

/// A stamp of so many milliseconds.
#[must_use]
pub fn ms(at: u64) -> Stamp {
    Stamp(at * 1000)
}

impl Default for Story {
    fn default() -> Self {
        Self::new()
    }
}

impl Story {
    /// A run with the usual channels on two nodes, and the implicit zeros as its only objectives.
    #[must_use]
    pub fn new() -> Self {
        let channel = |name: &str, kind, sessions, period: u64| ChannelRecord {
            name: name.to_owned(),
            kind,
            sessions,
            t0: ms(MEASURING),
            period_us: period * 1000,
            deadline_us: 500_000,
            stall_us: Some(100_000),
        };
        let zero = |name: &str| ObjectiveRecord {
            name: name.to_owned(),
            implicit: true,
            demand: Demand::AtMost {
                limit: 0,
                at_risk_at_least: None,
                skip_if_unobserved: false,
            },
            limit_from: None,
        };
        Self {
            plan: PlanRecord {
                drill: "primary-crash".to_owned(),
                summary: "The primary dies without a word.".to_owned(),
                why: "Nobody knows the recovery time of a failover that was never practised."
                    .to_owned(),
                drill_sha256: "00".to_owned(),
                variables: vec![],
                objectives: ["lost_commits", "phantom", "divergence", "two_writers"]
                    .map(zero)
                    .to_vec(),
                expect_fail: None,
                require: vec![],
                stop_if: vec![],
                workload: WorkloadRecord {
                    fresh: (100, 500),
                    writers: (20, 500),
                    sessions: 4,
                    stall_ms: Some(100),
                    on_deadline: "reopen".to_owned(),
                    reader: Some((100, 500, 1000)),
                    nodes: (50, 500),
                    stability_ms: 2000,
                    background: None,
                },
                steps: vec![],
                longest_ms: 60_000,
                not_observable: vec![],
                cost: CostRecord {
                    sessions_per_node: 12,
                    max_connections: Some(100),
                    connects_per_second: 14.0,
                    commits_per_second: 102.0,
                    clients: 0,
                    requests_per_second: 0.0,
                },
                healthy_nodes: (1, 2),
            },
            timers: vec![
                ("agent detection".to_owned(), "300 ms".to_owned()),
                ("router check interval".to_owned(), "50 ms".to_owned()),
            ],
            channels: vec![
                channel("writer_fresh", ChannelKind::WriterFresh, 0, 100),
                channel("writer_pinned", ChannelKind::WriterPinned, 4, 20),
                channel("reader", ChannelKind::Reader, 1, 100),
                channel("node/node-1/pinned", ChannelKind::NodePinned, 1, 50),
                channel("node/node-2/pinned", ChannelKind::NodePinned, 1, 50),
            ],
            slots: BTreeMap::new(),
            events: vec![],
        }
    }

    /// Adds an objective, before the implicit ones.
    #[must_use]
    pub fn demands(mut self, name: &str, demand: Demand) -> Self {
        self.plan.objectives.retain(|o| o.name != name);
        self.plan.objectives.insert(
            0,
            ObjectiveRecord {
                name: name.to_owned(),
                implicit: false,
                demand,
                limit_from: None,
            },
        );
        self
    }

    /// Adds a step that ran from `began` to `ended`.
    #[must_use]
    pub fn step(
        self,
        id: &str,
        until: Option<Until>,
        (began, ended): (u64, u64),
        outcome: StepOutcome,
    ) -> Self {
        let index = self.plan.steps.len();
        let mut story = self.planned(id, until);
        let step = id.to_owned();
        story.events.push((
            ms(began),
            Event::StepBegan(StepBegan {
                step: step.clone(),
                index,
                nodes: vec![],
            }),
        ));
        story
            .events
            .push((ms(ended), Event::StepEnded(StepEnded { step, outcome })));
        story
    }

    /// Adds a step to the plan alone.
    #[must_use]
    pub fn planned(mut self, id: &str, until: Option<Until>) -> Self {
        self.plan.steps.push(StepRecord {
            id: id.to_owned(),
            kind: id.to_owned(),
            what: id.to_owned(),
            undo: None,
            longest_ms: 60_000,
            until,
            of: None,
            together: None,
        });
        self
    }

    /// Adds any event.
    #[must_use]
    pub fn at(mut self, at: u64, event: Event) -> Self {
        self.events.push((ms(at), event));
        self
    }

    /// Adds an act on a node with its three stamps.
    #[must_use]
    pub fn act(
        mut self,
        kind: ActKind,
        (number, name, node): (u32, &str, &str),
        (requested, returned, effect): (u64, u64, u64),
    ) -> Self {
        let stages = [
            (requested, Stage::Requested),
            (returned, Stage::Returned),
            (
                effect,
                Stage::Effect {
                    proof: "seen".to_owned(),
                },
            ),
        ];
        for (at, stage) in stages {
            self.events.push((
                ms(at),
                Event::Act(Act {
                    kind,
                    number,
                    step: format!("{name}-{number}"),
                    name: name.to_owned(),
                    node: node.to_owned(),
                    role: "primary".to_owned(),
                    stage,
                }),
            ));
        }
        self
    }

    /// Adds one slot.
    #[must_use]
    pub fn slot(mut self, channel: &str, slot: Slot, by: Option<(&str, u32)>) -> Self {
        let by = by.map(|(node, timeline)| (node.to_owned(), timeline));
        let slots = self.slots.entry(channel.to_owned()).or_default();
        slots.push((slot, by));
        self
    }

    /// Every slot of a channel that is due from `from` up to `to` comes out like this, `took` µs after it
    /// was sent on time.
    #[must_use]
    pub fn every(
        mut self,
        channel: &str,
        (from, to): (u64, u64),
        (outcome, took): (Outcome, u64),
        by: Option<(&str, u32)>,
    ) -> Self {
        let record = self.channels.iter().find(|record| record.name == channel);
        let record = record.expect("a channel of the story").clone();
        let mut k = (ms(from).0.saturating_sub(record.t0.0)).div_ceil(record.period_us);
        loop {
            let sent = Stamp(record.t0.0 + k * record.period_us);
            if sent >= ms(to) {
                return self;
            }
            let slot = Slot {
                k,
                sent,
                settled: Stamp(sent.0 + took),
                outcome,
            };
            self = self.slot(channel, slot, by);
            k += 1;
        }
    }

    /// Both writers and the reader are served by a node in 2 ms.
    #[must_use]
    pub fn served(mut self, span: (u64, u64), node: &str, timeline: u32) -> Self {
        for channel in ["writer_fresh", "writer_pinned", "reader"] {
            let good = (Outcome::Acknowledged, 2000);
            self = self.every(channel, span, good, Some((node, timeline)));
        }
        self
    }

    /// Both writers fail at once, while the reader is served by a standby.
    #[must_use]
    pub fn refused(mut self, span: (u64, u64)) -> Self {
        use crate::event::slots::ErrorClass;
        for channel in ["writer_fresh", "writer_pinned"] {
            let refused = (Outcome::Failed(ErrorClass::Refused), 500);
            self = self.every(channel, span, refused, None);
        }
        self.every(
            "reader",
            span,
            (Outcome::Acknowledged, 2000),
            Some(("node-2", 1)),
        )
    }

    /// A round of asking both nodes: `leader` leads, the other one streams, is out, or leads as well.
    #[must_use]
    pub fn round(self, at: u64, leaders: &[(&str, u32)], standby: Option<&str>) -> Self {
        let seen = cluster(at, leaders, standby);
        self.at(at, Event::ClusterSeen(seen))
    }

    /// The cluster converged, and the audit says this.
    #[must_use]
    pub fn audit(self, at: u64, history: &[u32], audited: Audited) -> Self {
        let newest = history.last().copied().unwrap_or(1);
        self.at(
            at,
            Event::Convergence(Convergence {
                since: Some(ms(at)),
                missing: None,
                writable: vec![("node-2".to_owned(), newest)],
                history: history.to_vec(),
                streaming: 1,
                declared: 1,
            }),
        )
        .at(at + 100, Event::Audited(Box::new(audited)))
    }

    /// The run ended by itself with everything undone.
    #[must_use]
    pub fn ended(self, at: u64) -> Self {
        self.at(at, Event::MeasuringEnded).at(
            at + 2000,
            Event::RunEnded(RunEnded {
                interrupted: None,
                not_undone: vec![],
                undone: 1,
                writable_nodes: Some(1),
                cut_short: None,
                called_off: None,
            }),
        )
    }

    /// The entries, in the order of their stamps. Slots lie in batches of 250 ms of settling, as they are
    /// logged.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        let mut events = vec![
            (ms(0), Event::RunBegan(Box::new(self.run_began()))),
            (
                ms(MEASURING),
                Event::MeasuringBegan(MeasuringBegan {
                    channels: self.channels.clone(),
                    endpoints: Vec::new(),
                }),
            ),
        ];
        events.extend(self.events.iter().cloned());
        for record in &self.channels {
            events.extend(self.batches(record));
        }
        // A stable sort: what was told first at one moment happened first.
        events.sort_by_key(|(at, _)| *at);
        let numbered = events.into_iter().zip(0..);
        numbered
            .map(|((at, event), seq)| Entry { seq, at, event })
            .collect()
    }

    fn batches(&self, record: &ChannelRecord) -> Vec<(Stamp, Event)> {
        let mut by_time: BTreeMap<u64, Vec<&Told>> = BTreeMap::new();
        for told in self.slots.get(&record.name).into_iter().flatten() {
            let batch = told.0.settled.0 / 250_000;
            by_time.entry(batch).or_default().push(told);
        }
        let mut last: Option<(String, u32)> = None;
        let mut batches = vec![];
        for (window, mut told) in by_time {
            told.sort_by_key(|(slot, _)| slot.k);
            let mut serving = vec![];
            for (slot, by) in &told {
                if by.is_some() && *by != last {
                    last.clone_from(by);
                    let (node, timeline) = by.clone().unwrap();
                    serving.push(Serving {
                        k: slot.k,
                        node: Some(node),
                        timeline,
                    });
                }
            }
            let slots: Vec<Slot> = told.iter().map(|(slot, _)| *slot).collect();
            let batch = SlotBatch {
                channel: record.name.clone(),
                packed: pack(&slots, record.t0, record.period_us),
                serving,
            };
            batches.push((Stamp((window + 1) * 250_000), Event::Slots(batch)));
        }
        batches
    }

    fn run_began(&self) -> RunBegan {
        RunBegan {
            schema: SCHEMA.to_owned(),
            run: "20261123t012233-1a2b3c".to_owned(),
            version: "0.1.0".to_owned(),
            started_at: "2026-11-23T01:22:33Z".to_owned(),
            seed: 7,
            plan: self.plan.clone(),
            target: TargetRecord {
                kind: "local".to_owned(),
                identity: "local".to_owned(),
                versions: vec![("PostgreSQL".to_owned(), "15.18".to_owned())],
                timers: self.timers.clone(),
                durability: vec![("fsync".to_owned(), "on".to_owned())],
                stand_ins: vec!["router".to_owned()],
                path: "router".to_owned(),
                control_period_ms: 500,
            },
            selftest: "never run here".to_owned(),
            series: None,
        }
    }
}

/// What two nodes say: each of `leaders` takes writes, `standby` streams from the first of them, and
/// whoever is not named is silent.
#[must_use]
pub fn cluster(at: u64, leaders: &[(&str, u32)], standby: Option<&str>) -> ClusterSeen {
    let nodes = ["node-1", "node-2"].map(|name| {
        let leads = leaders.iter().find(|(leader, _)| *leader == name);
        let standing = match leads {
            Some((_, timeline)) => Standing::Primary {
                timeline: *timeline,
                lsn: 1000,
                standbys: standby
                    .map(|standby| StandbySeen {
                        name: standby.to_owned(),
                        state: "streaming".to_owned(),
                        sync: "async".to_owned(),
                        flushed: Some(1000),
                        replayed: Some(1000),
                    })
                    .into_iter()
                    .collect(),
            },
            None if standby == Some(name) => Standing::Standby {
                timeline: leaders.first().map(|(_, timeline)| *timeline),
                received: Some(1000),
                replayed: Some(1000),
                streaming: true,
                paused: false,
            },
            None => Standing::Silent {
                why: "refused".to_owned(),
            },
        };
        NodeSeen {
            name: name.to_owned(),
            standing,
        }
    });
    ClusterSeen {
        asked: ms(at.saturating_sub(10)),
        nodes: nodes.to_vec(),
        declared: 2,
    }
}

/// The audit of a run that lost nothing; a test changes what it is about.
#[must_use]
pub fn clean_audit() -> Audited {
    let writer = |writer, channel: &str| WriterAudit {
        writer,
        channel: channel.to_owned(),
        attempted: 200,
        acknowledged: 200,
        suffix: true,
        ..WriterAudit::default()
    };
    Audited {
        writers: vec![
            writer(1, "writer_fresh"),
            writer(2, "writer_pinned"),
            writer(3, "node/node-1/pinned"),
            writer(4, "node/node-2/pinned"),
        ],
        at_risk: Some(3),
        ..Audited::default()
    }
}
