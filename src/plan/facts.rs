//! What a plan must know of a target: from its file alone, which is enough where the run itself brings the cluster,
//! from a look at a cluster that runs already, or from the cluster itself, when a run is about to begin.

use crate::drill::docker_file::Docker;
use crate::drill::simulated::Simulated;
use crate::drill::target_file::{FailoverFile, Local, TargetFile, TargetKind};
use crate::event::cluster::{ClusterSeen, Standing};
use crate::load::{ExtraEndpoint, Limits};
use crate::target::{Capability, Failover, Target, local, simulated};
use std::time::Duration;

/// Capabilities whose lack a target may be able to explain.
const CAN_BE_EXPLAINED: [Capability; 8] = [
    Capability::CutDcs,
    Capability::CutOneWay,
    Capability::FillDisk,
    Capability::StressCpu,
    Capability::StressIo,
    Capability::StepClock,
    Capability::SlowRate,
    Capability::SlowDelay,
];

/// A target as a plan sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetFacts {
    /// local, docker, kubernetes, simulated.
    pub kind: String,
    /// Whether it may be drilled at all.
    pub drillable: bool,
    /// Its nodes in declared order.
    pub nodes: Vec<NodeFact>,
    /// The roles were seen just now; otherwise they are what will be there at the beginning.
    pub live: bool,
    /// Names and roles are known only once somebody has looked: until then the nodes are only counted.
    pub unseen: bool,
    /// What faults may ask of it.
    pub capabilities: Vec<Capability>,
    /// Why it lacks a capability, and what to do, where that is known.
    pub lacks: Vec<(Capability, String)>,
    /// Who fails over.
    pub failover: Failover,
    /// The lease or the loop of whoever fails over.
    pub control_period: Duration,
    /// `max_connections` of the nodes, where known.
    pub max_connections: Option<u32>,
    /// There is an endpoint for readers.
    pub has_reader: bool,
    /// What it names beside writer and reader: endpoints and watches.
    pub extras: Vec<ExtraFact>,
    /// Commits wait for a standby.
    pub synchronous: bool,
    /// What the probes may cost.
    pub limits: Limits,
    /// How many clients `load` steps may have at the same time, and what they may ask for in a second.
    pub load_limits: (u32, u32),
}

/// An endpoint beside writer and reader, or a watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraFact {
    /// Its name.
    pub name: String,
    /// Its channels.
    pub channels: Vec<String>,
    /// Writes go through it.
    pub writes: bool,
    /// Sessions there are the pooler's and no node's.
    pub pooled: bool,
    /// It is a database's; else a service that is watched.
    pub is_endpoint: bool,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFact {
    /// Its name.
    pub name: String,
    /// primary, standby, or silent where it does not answer.
    pub role: String,
}

impl TargetFacts {
    /// What a target file promises.
    #[must_use]
    pub fn of_file(file: &TargetFile) -> Self {
        let limits = Limits {
            sessions: file.limits.sessions,
            commits_per_second: file.limits.commits_per_second,
        };
        let facts = match file.kind() {
            TargetKind::Local(local) => Self {
                extras: extras(file),
                ..Self::of_local(&local, limits)
            },
            TargetKind::Docker(docker) => Self {
                extras: extras(file),
                ..Self::of_docker(&docker, file.identities.act.is_some(), limits)
            },
            TargetKind::Simulated(simulated) => Self::of_simulated(&simulated, limits),
        };
        Self {
            load_limits: (file.limits.clients, file.limits.requests_per_second),
            ..facts
        }
    }

    fn of_local(local: &Local, limits: Limits) -> Self {
        let agent = &local.agent;
        let period = agent.detection.max(agent.r#loop).max(local.router.check);
        Self {
            kind: "local".to_owned(),
            drillable: local.drillable,
            nodes: nodes(local.node_names()),
            live: false,
            unseen: false,
            capabilities: local::CAPABILITIES.to_vec(),
            lacks: Vec::new(),
            failover: failover(local.failover),
            control_period: period.get(),
            max_connections: Some(local.max_connections),
            has_reader: true,
            extras: Vec::new(),
            synchronous: local.synchronous,
            limits,
            load_limits: (0, 0),
        }
    }

    fn of_simulated(simulated: &Simulated, limits: Limits) -> Self {
        let agent = &simulated.agent;
        let period = agent.detection.max(agent.r#loop);
        Self {
            kind: "simulated".to_owned(),
            drillable: simulated.drillable,
            nodes: nodes(simulated.node_names()),
            live: false,
            unseen: false,
            capabilities: simulated::CAPABILITIES.to_vec(),
            lacks: Vec::new(),
            failover: failover(simulated.failover),
            control_period: period.max(simulated.router.check).get(),
            max_connections: Some(simulated.max_connections),
            has_reader: true,
            extras: Vec::new(),
            synchronous: simulated.synchronous,
            limits,
            load_limits: (0, 0),
        }
    }

    fn of_docker(docker: &Docker, may_act: bool, limits: Limits) -> Self {
        let mut capabilities = vec![
            Capability::Power,
            Capability::Processes,
            Capability::CutAll,
            Capability::SwitchOver,
            Capability::OtherClients,
            Capability::Commands,
            Capability::Machines,
        ];
        // Whether the containers and their kernel can is known once they were asked; of the store, the file says.
        let asked = CAN_BE_EXPLAINED.into_iter();
        capabilities.extend(asked.filter(|each| *each != Capability::CutDcs));
        let parts = docker.parts();
        capabilities.extend(parts.iter().map(|(part, _)| part.capability()));
        let mut lacks = Vec::new();
        match &docker.dcs {
            Some(_) => capabilities.push(Capability::CutDcs),
            None => lacks.push((Capability::CutDcs, Docker::NO_DCS.to_owned())),
        }
        let has_patroni = docker.patroni().is_some();
        if has_patroni {
            // Where firedrill promotes, none may be revived behind it.
            capabilities.extend([Capability::Restarts, Capability::Agents]);
        }
        if docker.networks.is_some() {
            capabilities.extend([Capability::CutClients, Capability::CutPeers]);
            capabilities.push(Capability::SlowOneSide);
        }
        if may_act {
            capabilities.extend([Capability::Act, Capability::Statements]);
        }
        Self {
            kind: "docker".to_owned(),
            drillable: docker.drillable,
            nodes: unseen(docker.node_names()),
            live: false,
            unseen: true,
            capabilities,
            lacks,
            failover: failover(docker.failover),
            // Patroni's own default, until it is asked for its lease; nothing else here goes round in a loop.
            control_period: Duration::from_secs(if has_patroni { 30 } else { 1 }),
            max_connections: None,
            has_reader: docker.endpoints.reader.is_some(),
            extras: Vec::new(),
            synchronous: false,
            limits,
            load_limits: (0, 0),
        }
    }

    /// The same, with everything that the running cluster itself can tell in its place.
    #[must_use]
    pub fn seen(self, target: &dyn Target, seen: &ClusterSeen) -> Self {
        Self {
            kind: target.record().kind,
            lacks: CAN_BE_EXPLAINED
                .into_iter()
                .filter_map(|capability| Some((capability, target.lacks(capability)?)))
                .collect(),
            capabilities: target.capabilities().to_vec(),
            has_reader: target.endpoints().iter().any(|each| each.name == "reader"),
            ..self.at_a_glance(seen, target.failover(), target.control_period())
        }
    }

    /// The same, with what is known of a cluster that was looked at and not taken: its nodes, their roles, and who
    /// fails over. What it can is still what its file promises.
    #[must_use]
    pub fn at_a_glance(
        self,
        seen: &ClusterSeen,
        failover: Failover,
        control_period: Duration,
    ) -> Self {
        let leader = seen.leader().map(|(name, _)| name);
        let nodes = seen
            .nodes
            .iter()
            .map(|node| NodeFact {
                name: node.name.clone(),
                role: match node.standing {
                    Standing::Primary { .. } if leader == Some(node.name.as_str()) => "primary",
                    Standing::Primary { .. } => "second primary",
                    Standing::Standby { .. } => "standby",
                    Standing::Silent { .. } => "silent",
                }
                .to_owned(),
            })
            .collect();
        let synchronous = seen.nodes.iter().any(|node| match &node.standing {
            Standing::Primary { standbys, .. } => standbys
                .iter()
                .any(|row| row.sync == "sync" || row.sync == "quorum"),
            _ => false,
        });
        Self {
            nodes,
            live: true,
            unseen: false,
            failover,
            control_period,
            synchronous,
            ..self
        }
    }

    /// Names of the nodes in a role.
    pub fn in_role<'a>(&'a self, role: &'a str) -> impl Iterator<Item = &'a str> {
        self.nodes
            .iter()
            .filter(move |node| node.role == role)
            .map(|node| node.name.as_str())
    }
}

fn extras(file: &TargetFile) -> Vec<ExtraFact> {
    let endpoints = file.endpoints.iter().map(|(name, endpoint)| ExtraFact {
        name: name.clone(),
        channels: ExtraEndpoint::channels_of(name, endpoint.writes),
        writes: endpoint.writes,
        pooled: endpoint.pool.is_some(),
        is_endpoint: true,
    });
    let watches = file.watch.keys().map(|name| ExtraFact {
        name: name.clone(),
        channels: vec![name.clone()],
        writes: false,
        pooled: false,
        is_endpoint: false,
    });
    endpoints.chain(watches).collect()
}

fn failover(file: FailoverFile) -> Failover {
    match file {
        FailoverFile::Automatic => Failover::Automatic,
        FailoverFile::Promote => Failover::Promote,
    }
}

/// Nodes whose roles nobody has asked for yet.
fn unseen(names: Vec<String>) -> Vec<NodeFact> {
    let role = |name| NodeFact {
        name,
        role: "not asked yet".to_owned(),
    };
    names.into_iter().map(role).collect()
}

/// The first node begins as the primary.
fn nodes(names: Vec<String>) -> Vec<NodeFact> {
    let roles = std::iter::once("primary").chain(std::iter::repeat("standby"));
    let named = names.into_iter().zip(roles);
    named
        .map(|(name, role)| NodeFact {
            name,
            role: role.to_owned(),
        })
        .collect()
}
