//! The observer's hands: open-loop probes on their own thread, and the ledger of what they were told. Beside
//! them, and apart from both, the clients of `load` steps.

mod acks;
mod alarm;
pub mod audit;
#[cfg(test)]
mod audit_tests;
pub mod capacity;
pub mod clients;
mod connect;
mod control;
pub mod durability;
mod evidence;
mod extra;
#[cfg(test)]
mod extra_tests;
mod found_rows;
mod freshness;
mod http;
mod judge;
mod lateness;
pub mod ledger;
pub mod ledger_error;
pub mod ledger_file;
#[cfg(test)]
mod ledger_properties;
mod ledger_record;
pub mod ledger_table;
pub mod leftovers;
mod outcome;
pub mod prober;
#[cfg(test)]
mod prober_tests;
mod probes;
pub mod publications;
mod reader;
pub mod retention;
mod room;
mod schedule;
mod set_up;
mod slot_log;
mod watch;
mod writer;

pub use extra::ExtraEndpoint;
pub use http::{Asking, Page, ask_page, check_url, page};
pub use watch::{Watch, WatchedBy};

use crate::clock::Clock;
use crate::event::plan_record::WorkloadRecord;
use crate::sql::Address;
use std::path::PathBuf;
use std::time::Duration;

/// What to probe, and how.
#[derive(Clone, Debug)]
pub struct LoadPlan {
    /// The run's id.
    pub run: String,
    /// The run's clock.
    pub clock: Clock,
    /// Periods, deadlines and sessions.
    pub workload: WorkloadRecord,
    /// Period of writer_pinned, where it is finer than the workload's whole milliseconds.
    pub writers_every: Option<Duration>,
    /// The writer endpoint, as the probe's role.
    pub writer: Address,
    /// The reader endpoint.
    pub reader: Option<Address>,
    /// More endpoints, each probed by channels of its own.
    pub extras: Vec<ExtraEndpoint>,
    /// The user's own services.
    pub watches: Vec<Watch>,
    /// Each node from inside its own network: as the probe's role, and as the role that observes
    /// (for control sessions).
    pub nodes: Vec<NodeAccess>,
    /// What the probes may cost.
    pub limits: Limits,
    /// The role whose synchronous_commit the probes commit with, where the target names one.
    pub durability_of: Option<String>,
    /// That setting, where it is not the probes' own anyway.
    pub synchronous_commit: Option<String>,
    /// Why the probes do not commit as durably as that role, where they may not.
    pub loss_unjudged: Option<String>,
    /// How long rows of earlier runs are kept in a ledger that a DBA made.
    pub retention: retention::Retention,
    /// Folder for the ledger file.
    pub folder: PathBuf,
}

/// Ways to one node.
#[derive(Clone, Debug)]
pub struct NodeAccess {
    /// Its name.
    pub name: String,
    /// As the probe's role.
    pub probe: Address,
    /// As the role that observes.
    pub observe: Address,
    /// As the role that acts.
    pub act: Address,
}

/// What the probes may cost one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sessions on one node at the same time, control sessions included.
    pub sessions: u32,
    /// Commits a second in sum.
    pub commits_per_second: u32,
}

/// A way to a server, as a channel takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Route {
    /// The writer endpoint.
    Writer,
    /// The reader endpoint.
    Reader,
    /// Another endpoint, by its position in the plan.
    Extra(usize),
    /// A watched service, by its position in the plan: no server of ours.
    Watch(usize),
    /// A node inside its own network, by its position in the plan.
    Node(usize),
}

impl LoadPlan {
    /// Each node with its way for the role that owns the probes' rows.
    #[must_use]
    pub fn probed(&self) -> Vec<(String, Address)> {
        let nodes = self.nodes.iter();
        nodes
            .map(|node| (node.name.clone(), node.probe.clone()))
            .collect()
    }

    /// Each node with its way for the role that acts.
    #[must_use]
    pub fn acted_on(&self) -> Vec<(String, Address)> {
        let nodes = self.nodes.iter();
        nodes
            .map(|node| (node.name.clone(), node.act.clone()))
            .collect()
    }

    /// `application_name` of the probes' sessions, and of no others: what is left over of them is ended
    /// before the audit, while whoever watches the nodes under the run's own name goes on watching.
    #[must_use]
    pub fn application(&self) -> String {
        format!("firedrill-{}-probe", self.run)
    }

    /// Sessions that the probes hold on the primary while nothing is wrong, the control session and the
    /// seats that are kept free included: `limits.sessions` must be above it.
    #[must_use]
    pub fn sessions_needed(&self) -> u32 {
        // Control, witness, one fresh connect of the endpoint, one of the node, and the node's pinned one.
        let always = 5 + room::RESERVE as u32;
        let extras = self.extras.iter().map(|extra| match extra.writes {
            // A fresh connect and a pinned session.
            true => 2,
            false => 1,
        });
        always + self.workload.sessions + u32::from(self.reader.is_some()) + extras.sum::<u32>()
    }

    /// Whether sessions of a route end at a pooler.
    fn is_pooled(&self, route: Route) -> bool {
        match route {
            Route::Extra(extra) => self.extras.get(extra).is_some_and(|extra| extra.pooled),
            _ => false,
        }
    }

    /// Extra endpoints that take writes.
    fn writing_extras(&self) -> usize {
        self.extras.iter().filter(|extra| extra.writes).count()
    }

    /// Commits a second, in sum, while one node is writable.
    #[must_use]
    pub fn commits_per_second(&self) -> f64 {
        let (node_pinned, node_fresh) = self.workload.nodes;
        let periods = [self.workload.fresh.0, node_pinned, node_fresh];
        let rate = |period: u64| {
            if period == 0 {
                0.0
            } else {
                1000.0 / period as f64
            }
        };
        let witness = 1000.0 / set_up::WITNESS_PERIOD_MS as f64;
        let pinned = match self.writers_every() {
            Duration::ZERO => 0.0,
            every => 1.0 / every.as_secs_f64(),
        };
        let extra = rate(ExtraEndpoint::FRESH_MS) + rate(ExtraEndpoint::PINNED_MS);
        let extras = extra * self.writing_extras() as f64;
        periods.into_iter().map(rate).sum::<f64>() + pinned + witness + extras
    }

    /// Period of writer_pinned.
    #[must_use]
    pub fn writers_every(&self) -> Duration {
        let whole = Duration::from_millis(self.workload.writers.0);
        self.writers_every.unwrap_or(whole)
    }

    /// Connections that the probes open a second, in sum, while nothing is wrong.
    #[must_use]
    pub fn connects_per_second(&self) -> f64 {
        let rate = |period: u64| {
            if period == 0 {
                0.0
            } else {
                1000.0 / period as f64
            }
        };
        let extras = rate(ExtraEndpoint::FRESH_MS) * self.writing_extras() as f64;
        rate(self.workload.fresh.0) + rate(self.workload.nodes.1) * self.nodes.len() as f64 + extras
    }
}
