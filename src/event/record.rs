//! The events of a run, in the order in which the dispatcher took them.
//!
//! Every number and report is rebuilt from these records with no database in sight, so a fact that a
//! report needs and that no event carries does not exist.

use super::answer::Way;
use super::cluster::ClusterSeen;
use super::loads::{LoadBegan, LoadClient};
use super::plan_record::PlanRecord;
use super::series::InSeries;
use super::slots::SlotBatch;
use super::{Signal, Stamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of this vocabulary, in the first event of each log.
pub const SCHEMA: &str = "firedrill.events/1";

/// One line of the event log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Position in the log, from 0, without gaps.
    pub seq: u64,
    /// When the dispatcher's source stamped it (not when it was written).
    pub at: Stamp,
    /// What happened.
    pub event: Event,
}

/// Something that happened in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The first event: everything that was decided before anything was touched.
    RunBegan(Box<RunBegan>),
    /// Probes begin to count. Outages are looked for from here.
    MeasuringBegan(MeasuringBegan),
    /// The writers were stopped; nothing after this is a probe's finding.
    MeasuringEnded,
    /// One round of asking all nodes. Logged when something changed, and at least once a second.
    ClusterSeen(ClusterSeen),
    /// The last round before a fault, asked for by the step runner itself.
    SeenBeforeFault(ClusterSeen),
    /// A step begins.
    StepBegan(StepBegan),
    /// A step is over.
    StepEnded(StepEnded),
    /// A fault, an undo, a release or a recovery action at one of its three stamps.
    Act(Act),
    /// The stack's own view of who leads changed, as its source told it.
    StackSaw(StackSaw),
    /// Up to 250 ms of one channel's slots.
    Slots(SlotBatch),
    /// The observer was late: its 5 ms thread overslept.
    ObserverLate(ObserverLate),
    /// The machine slept (BOOTTIME minus MONOTONIC changed).
    MachineSlept {
        /// By how much the two clocks moved apart, in microseconds.
        us: u64,
    },
    /// An acknowledgement came from a server that no node's own session explains.
    UnknownNode {
        /// The channel that saw it.
        channel: String,
        /// Address, port and start time as the server said them.
        server: String,
    },
    /// The number of a channel's own connections reached the target's limit: the observer's fault.
    OwnLimit {
        /// The channel.
        channel: String,
    },
    /// The load beside the probes began.
    BackgroundBegan {
        /// The program and its arguments.
        command: String,
    },
    /// The load beside the probes ended.
    BackgroundEnded(BackgroundEnded),
    /// Clients of a `load` step begin.
    LoadBegan(LoadBegan),
    /// One of them saw something of its session.
    LoadClient(LoadClient),
    /// They ended.
    LoadEnded {
        /// The step.
        load: String,
    },
    /// What the observer concluded from the entries before.
    Signal(Signal),
    /// A person or the system asked the run to stop.
    StopAsked {
        /// Such as "SIGINT".
        by: String,
        /// 1 for the first request, 2 for the second.
        count: u32,
    },
    /// A line for people, from a `say` step.
    Said {
        /// The step.
        step: String,
        /// The text.
        text: String,
    },
    /// What a step brought that people should know, such as the number of rows of a statement.
    StepNoted {
        /// The step.
        step: String,
        /// One line, without anything secret.
        text: String,
    },
    /// A person is asked.
    Asked(Asked),
    /// A question is answered.
    Answered(Answered),
    /// Something that people should know and that decides nothing.
    Noted {
        /// One line.
        text: String,
    },
    /// The outcome of waiting for one writable node that all others stream from.
    Convergence(Convergence),
    /// The ledger was compared with the rows.
    Audited(Box<Audited>),
    /// The last event of a run that ended by itself.
    RunEnded(RunEnded),
}

/// Everything known before anything is touched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunBegan {
    /// [`SCHEMA`] at the time of writing.
    pub schema: String,
    /// Lower-case UTC stamp and 6 hex digits.
    pub run: String,
    /// firedrill's version.
    pub version: String,
    /// Wall clock at the origin, RFC 3339, for display only.
    pub started_at: String,
    /// Seed of every draw of this run.
    pub seed: u64,
    /// What will happen and what was demanded.
    pub plan: PlanRecord,
    /// What the target is, and which settings of it decide the numbers.
    pub target: TargetRecord,
    /// The outcome of the last `selftest` on this machine, or why there is none.
    pub selftest: String,
    /// Its place among the runs of `--repeat`; none in a log of before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<InSeries>,
}

/// What the target said of itself at preflight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetRecord {
    /// local, docker, kubernetes, simulated.
    pub kind: String,
    /// By which an open journal is found again.
    pub identity: String,
    /// Name and version of everything that takes part, such as ("PostgreSQL", "18.6").
    pub versions: Vec<(String, String)>,
    /// Live settings that decide the recovery time, such as ("router check interval", "50 ms").
    pub timers: Vec<(String, String)>,
    /// fsync, synchronous_commit, synchronous_standby_names as the primary has them.
    pub durability: Vec<(String, String)>,
    /// Parts of the stack that are firedrill's own stand-ins, said in every report.
    pub stand_ins: Vec<String>,
    /// Which path clients take, and which was not measured.
    pub path: String,
    /// The stack's control period in milliseconds: the lease or the loop of whoever fails over.
    pub control_period_ms: u64,
}

/// The channels, as they are probed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasuringBegan {
    /// All channels; a slot k of a channel is due at `t0 + k * period`.
    pub channels: Vec<ChannelRecord>,
    /// What the target names beside its writer and reader endpoint; none in a log of before there were any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<EndpointRecord>,
}

/// An endpoint or a watch of the target file, with the channels that probe it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EndpointRecord {
    /// Its name in the target file.
    pub name: String,
    /// Its channels by name; their longest outage is its downtime.
    pub channels: Vec<String>,
    /// What it is, in one line for people; no password.
    pub about: String,
    /// Its sessions end at a pooler, so that what is pinned is pinned to the pooler and to no server.
    pub pooled: bool,
}

/// How one channel is probed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChannelRecord {
    /// writer_fresh, writer_pinned, reader, witness, node/NAME/pinned, node/NAME/fresh.
    pub name: String,
    /// What it does.
    pub kind: ChannelKind,
    /// Sessions that it keeps; 0 for a channel that connects anew each time.
    pub sessions: u32,
    /// When slot 0 is due.
    pub t0: Stamp,
    /// Period T in microseconds.
    pub period_us: u64,
    /// Deadline D in microseconds.
    pub deadline_us: u64,
    /// Stall limit B in microseconds where the drill sets one; else it follows from the baseline.
    pub stall_us: Option<u64>,
}

/// What a channel is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// A new connection and one write, through the writer endpoint.
    WriterFresh,
    /// Open sessions, one write each time, through the writer endpoint.
    WriterPinned,
    /// The newest visible row, through the reader endpoint.
    Reader,
    /// One open session without a client's time-outs: reports only how long it was stuck.
    Witness,
    /// An open session inside one node's own network.
    NodePinned,
    /// A new connection inside one node's own network.
    NodeFresh,
    /// A new connection and one write, through another endpoint of the target file.
    EndpointFresh,
    /// Open sessions, one write each time, through another endpoint.
    EndpointPinned,
    /// The newest visible row, through another endpoint.
    EndpointReader,
    /// The user's own service, asked by HTTP or by a command.
    Watch,
    /// The requests of a load's clients: no probe of ours.
    Load,
}

impl ChannelKind {
    /// The two channels whose outages are the drill's downtime.
    #[must_use]
    pub fn is_endpoint_writer(self) -> bool {
        matches!(self, Self::WriterFresh | Self::WriterPinned)
    }

    /// Channels that write through an endpoint as clients do: their commits are those that a loss is
    /// counted of.
    #[must_use]
    pub fn is_client_writer(self) -> bool {
        self.is_endpoint_writer() || matches!(self, Self::EndpointFresh | Self::EndpointPinned)
    }

    /// Channels that stand where clients stand: their outages are told and judged.
    #[must_use]
    pub fn is_clients(self) -> bool {
        self.is_client_writer() || matches!(self, Self::Reader | Self::EndpointReader | Self::Watch)
    }

    /// Channels whose attempts have a key in the ledger.
    #[must_use]
    pub fn writes(self) -> bool {
        !matches!(
            self,
            Self::Reader | Self::EndpointReader | Self::Watch | Self::Load
        )
    }

    /// Channels inside a node's own network: they have no downtime.
    #[must_use]
    pub fn is_node(self) -> bool {
        matches!(self, Self::NodePinned | Self::NodeFresh)
    }
}

/// A step begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepBegan {
    /// The step's id.
    pub step: String,
    /// Its position in the plan, from 0.
    pub index: usize,
    /// Nodes it was resolved to just now, with the role each had.
    pub nodes: Vec<(String, String)>,
}

/// A step is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepEnded {
    /// The step's id.
    pub step: String,
    /// How it ended.
    pub outcome: StepOutcome,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// As planned.
    Done,
    /// Its limit passed or it failed after a proven effect: the drill fails.
    Failed {
        /// Cause in one line.
        why: String,
    },
    /// It could not be carried out as planned, so that the drill did not happen: the run is invalid.
    Invalid {
        /// Cause in one line.
        why: String,
    },
    /// Not begun or cut short, because the run was stopped or an earlier step failed.
    Skipped {
        /// Cause in one line.
        why: String,
    },
}

/// A question to a person, in the middle of a drill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// The step.
    pub step: String,
    /// Who decides.
    pub who: String,
    /// The question.
    pub question: String,
    /// The words that answer it.
    pub answers: Vec<String>,
    /// How long an answer is waited for, in milliseconds.
    pub within_ms: u64,
    /// Whether the wait counts as recovery time.
    pub counts: bool,
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// The step.
    pub step: String,
    /// The word.
    pub answer: String,
    /// Who gave it, as far as that is known.
    pub by: String,
    /// By which way it came.
    pub way: Way,
    /// It ends the drill.
    pub stops: bool,
}

/// What kind of thing an [`Act`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActKind {
    /// Something broken on purpose.
    Fault,
    /// The safe way back.
    Undo,
    /// The way back as in life, unfenced.
    Release,
    /// What a person or a stack does to recover: promote, switch over, rejoin.
    RecoveryAction,
}

/// A fault, undo, release or recovery action at one of its stamps (f0, f1, fe).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Act {
    /// What it is.
    pub kind: ActKind,
    /// Number of the act, unique in the run; an undo or release carries the number of its fault.
    pub number: u32,
    /// The id of the step whose fault this is, or of the action's own step.
    pub step: String,
    /// Its name, such as "kill" (an undo carries the fault's name).
    pub name: String,
    /// The node that was hit, frozen when the step began.
    pub node: String,
    /// The node's role when it was hit; [`PART_ROLE`] for what is no node.
    pub role: String,
    /// Which stamp this is.
    pub stage: Stage,
}

/// The role of what stands beside the nodes: it leads nothing and streams from nobody.
pub const PART_ROLE: &str = "part";

/// The stamps of an act.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// f0: just before the call.
    Requested,
    /// f1: the call returned.
    Returned,
    /// fe: the effect was proven; the text says by what.
    Effect {
        /// The proof, such as "4 of 4 processes gone".
        proof: String,
    },
    /// The effect was not seen within its limit: fault not applied, or undo not verified.
    NotSeen {
        /// What was seen instead.
        why: String,
    },
    /// The call failed.
    Failed {
        /// Cause.
        why: String,
    },
}

/// A change in the stack's own view, as (last negative, first positive) observation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StackSaw {
    /// Who says so, such as "local agent".
    pub source: String,
    /// What it saw.
    pub what: StackView,
    /// The node it is about.
    pub node: String,
    /// The last time the source was seen not to say it.
    pub last_negative: Stamp,
    /// The first time it was seen to say it.
    pub first_positive: Stamp,
}

/// What a stack's control plane can be seen to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StackView {
    /// The old primary is no longer named as leader.
    LeaderLost,
    /// A new leader is named.
    LeaderNamed,
    /// A node was taken out of service because a newer timeline is writable.
    Demoted,
    /// The router sends clients of the writer endpoint to this node.
    RoutedTo,
}

/// How the load beside the probes ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackgroundEnded {
    /// Such as "exit status: 1".
    pub how: String,
    /// firedrill ended it with the measuring; otherwise it ended by itself.
    pub asked: bool,
}

/// One spell of lateness of the observer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObserverLate {
    /// When the observer should have woken.
    pub due: Stamp,
    /// When it did.
    pub woke: Stamp,
}

/// The outcome of waiting for convergence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Convergence {
    /// Since when it held; `None` when it never did for long enough.
    pub since: Option<Stamp>,
    /// What was missing, in one line, when it did not converge.
    pub missing: Option<String>,
    /// Node and timeline that were left as the writable ones.
    pub writable: Vec<(String, u32)>,
    /// Timelines in the converged history (parents of the writable node's timeline and itself).
    pub history: Vec<u32>,
    /// Declared standbys that stream, and how many are declared.
    pub streaming: usize,
    /// Declared standbys.
    pub declared: usize,
}

/// The ledger held against the rows of the converged cluster. Sets are ranges per writer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Audited {
    /// Whether it could be judged, and why not.
    pub unjudged: Option<String>,
    /// Why the application may lose what the probes do not: they may commit more durably than it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_unjudged: Option<String>,
    /// The writers (one per session or fresh channel), and what became of their keys.
    pub writers: Vec<WriterAudit>,
    /// Nodes whose rows differ from the writable node's, with one line on how.
    pub diverged: Vec<(String, String)>,
    /// Acknowledgements of endpoint writers above the last standby flush position seen before the fault;
    /// `None` where no position was sampled.
    pub at_risk: Option<u64>,
    /// The old primary's last flushed LSN minus the fork LSN, in bytes, where its data could be read.
    pub rpo_bytes: Option<u64>,
    /// How many of the endpoint writers' lost rows lie in the old primary's own data directory, where it
    /// could be read.
    pub found_in_old_data: Option<u64>,
}

/// What became of one writer's keys.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WriterAudit {
    /// Number of the writer in the ledger table.
    pub writer: u32,
    /// The channel it belongs to.
    pub channel: String,
    /// Keys that were sent.
    pub attempted: u64,
    /// Keys that were acknowledged in time.
    pub acknowledged: u64,
    /// Keys acknowledged after the deadline (in doubt for loss).
    pub acknowledged_late: u64,
    /// Keys that definitely failed.
    pub failed: u64,
    /// Keys in doubt, late ones included.
    pub in_doubt: u64,
    /// In doubt and found.
    pub recovered: u64,
    /// In doubt and not found (allowed).
    pub vanished: u64,
    /// Found twice or more.
    pub duplicated: u64,
    /// Acknowledged and not found, one entry per key, with when it was acknowledged and by whom.
    pub lost: Vec<LostCommit>,
    /// Definitely failed and yet found.
    pub phantom: Vec<u64>,
    /// Found and never attempted.
    pub unexpected: Vec<u64>,
    /// The lost ones are a suffix of what their timeline acknowledged, by WAL position.
    pub suffix: bool,
}

/// An acknowledged commit that is not there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LostCommit {
    /// Its key within the writer.
    pub seq: u64,
    /// When the acknowledgement arrived.
    pub acknowledged: Stamp,
    /// The node that gave it, where it could be mapped.
    pub node: Option<String>,
    /// The timeline it was given on.
    pub timeline: u32,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunEnded {
    /// Signal that ended it early, such as "SIGINT".
    pub interrupted: Option<String>,
    /// What must be undone and is not: one line each, empty when all was.
    pub not_undone: Vec<String>,
    /// Undo entries that were carried out and verified.
    pub undone: u32,
    /// Nodes that take writes after the last undo; `None` when they could not be counted.
    pub writable_nodes: Option<u32>,
    /// Why the run ended before its last step, if it did, in one line.
    pub cut_short: Option<String>,
    /// The answer that called the drill off before anything was broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub called_off: Option<Answered>,
}
