//! What the probes cost the servers, and whether that is within the target's limits.

use super::facts::{ExtraFact, TargetFacts};
use crate::drill::file::Workload;
use crate::drill::step::Step as DrillStep;
use crate::drill::{Checked, Placed};
use crate::event::plan_record::CostRecord;
use crate::load::ExtraEndpoint;

/// Sessions that are open beside the probes' own on a node: one to see whose given-up sessions are gone.
const CONTROL: u64 = 1;

/// The cost of a workload. Sessions are those of the node that clients are routed to, which has all of
/// them; commits count the node channels of one primary, since a standby is only asked.
pub(super) fn of(workload: &Workload, steps: &[Placed], facts: &TargetFacts) -> CostRecord {
    let loads = Loads::of(steps, facts);
    let per_second = |ms: u64| 1000.0 / (ms.max(1) as f64);
    // A channel without kept sessions may have two deadlines' worth of attempts in flight: one that still
    // waits, and one whose session is given up and not seen to be gone.
    let in_flight = |every: u64, deadline: u64| (2 * deadline).div_ceil(every.max(1)).max(1);
    let fresh = in_flight(
        workload.fresh.every.as_ms(),
        workload.fresh.deadline.as_ms(),
    );
    // New connections never take more than a quarter of what the server has.
    let fresh = match facts.max_connections {
        Some(most) => fresh.min(u64::from(most / 4).max(1)),
        None => fresh,
    };
    let witness = 1;
    let reader = u64::from(facts.has_reader);
    let node_pinned = 1;
    let node_fresh = in_flight(
        workload.nodes.fresh.as_ms(),
        workload.fresh.deadline.as_ms(),
    );
    let sessions = u64::from(workload.writers.sessions)
        + fresh
        + witness
        + reader
        + node_pinned
        + node_fresh
        + CONTROL;
    // Those through a pooler are the pooler's, which has a limit of its own.
    let direct = |extra: &&ExtraFact| extra.is_endpoint && !extra.pooled;
    let through_extras = facts.extras.iter().filter(direct).map(|extra| {
        let connecting = in_flight(ExtraEndpoint::FRESH_MS, workload.fresh.deadline.as_ms());
        1 + if extra.writes { connecting } else { 0 }
    });
    let sessions = sessions + through_extras.sum::<u64>();
    let writing = facts.extras.iter().filter(|extra| extra.writes).count() as f64;
    let nodes = facts.nodes.len() as f64;
    CostRecord {
        sessions_per_node: u32::try_from(sessions).unwrap_or(u32::MAX),
        max_connections: facts.max_connections,
        connects_per_second: per_second(workload.fresh.every.as_ms())
            + nodes * per_second(workload.nodes.fresh.as_ms())
            + writing * per_second(ExtraEndpoint::FRESH_MS),
        commits_per_second: per_second(workload.writers.every.as_ms())
            + per_second(workload.fresh.every.as_ms())
            + per_second(workload.nodes.pinned.as_ms())
            + per_second(workload.nodes.fresh.as_ms())
            + writing * per_second(ExtraEndpoint::FRESH_MS)
            + writing * per_second(ExtraEndpoint::PINNED_MS),
        clients: loads.on_nodes,
        requests_per_second: loads.per_second,
    }
}

/// What the `load` steps of a drill may have at the same time, if none ends before the next begins. In a
/// later round of a `repeat` a load takes the place of its own in the round before.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Loads {
    clients: u32,
    /// Those whose sessions are a node's and no pooler's.
    on_nodes: u32,
    per_second: f64,
}

impl Loads {
    pub(super) fn of(steps: &[Placed], facts: &TargetFacts) -> Self {
        let pooled = |endpoint: &str| {
            let mut extras = facts.extras.iter();
            extras.any(|extra| extra.name == endpoint && extra.pooled)
        };
        let mut all = Self::default();
        for placed in steps {
            let DrillStep::Load(load) = &placed.step else {
                continue;
            };
            if placed.round.is_some_and(|round| round > 1) {
                continue;
            }
            all.clients = all.clients.saturating_add(load.clients);
            all.per_second += load.per_second();
            if !pooled(&load.endpoint) {
                all.on_nodes = all.on_nodes.saturating_add(load.clients);
            }
        }
        all
    }

    /// What of it is over the target's limits for loads, with what to do about it.
    pub(super) fn too_much(self, facts: &TargetFacts) -> Vec<(String, String)> {
        let (clients, per_second) = facts.load_limits;
        let mut over = Vec::new();
        if self.clients > clients {
            over.push((
                format!(
                    "the drill's loads have {} clients, and the target allows {clients}",
                    self.clients
                ),
                format!(
                    "have fewer, or raise it in the target file: `limits: {{ clients: {} }}`",
                    self.clients
                ),
            ));
        }
        if self.per_second > f64::from(per_second) {
            let wanted = self.per_second.ceil();
            over.push((
                format!(
                    "the drill's loads may ask {wanted:.0} times a second, and the target allows {per_second}"
                ),
                format!(
                    "ask less often, or raise it in the target file: `limits: {{ requests_per_second: {wanted:.0} }}`"
                ),
            ));
        }
        over
    }
}

/// Sessions that the loads of a drill may have on one node at the same time.
#[must_use]
pub fn clients_on_nodes(drill: &Checked, facts: &TargetFacts) -> u32 {
    Loads::of(&drill.steps, facts).on_nodes
}

/// What of the cost is over the target's limits, with what to do about it.
pub(super) fn too_much(cost: &CostRecord, facts: &TargetFacts) -> Vec<(String, String)> {
    let limits = facts.limits;
    let mut over = Vec::new();
    if cost.sessions_per_node > limits.sessions {
        over.push((
            format!(
                "the probes need up to {} sessions on one node, and the target allows {}",
                cost.sessions_per_node, limits.sessions
            ),
            "fewer writers, a longer fresh.every or a shorter deadline need fewer; or raise limits.sessions in the target file".to_owned(),
        ));
    }
    if cost.commits_per_second > f64::from(limits.commits_per_second) {
        over.push((
            format!(
                "the probes make up to {:.0} commits a second, and the target allows {}",
                cost.commits_per_second, limits.commits_per_second
            ),
            "write less often, or raise limits.commits_per_second in the target file".to_owned(),
        ));
    }
    // PostgreSQL keeps three for superusers, and the probes must not be what others cannot get past.
    if let Some(most) = cost.max_connections
        && cost.sessions_per_node.saturating_add(cost.clients) + 3 > most
    {
        let (with, fewer) = match cost.clients {
            0 => (String::new(), "probe with fewer sessions"),
            clients => (
                format!(" and the drill's loads {clients}"),
                "have fewer clients",
            ),
        };
        over.push((
            format!(
                "the probes need up to {} sessions on one node{with}, and max_connections is {most}",
                cost.sessions_per_node
            ),
            format!("raise max_connections, or {fewer}"),
        ));
    }
    over
}
