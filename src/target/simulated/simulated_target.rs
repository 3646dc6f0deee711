//! The simulated cluster as a target: begun, described, closed.

use super::server::{EndpointDoor, NodeDoor, Path};
use super::settings::SimulatedSettings;
use super::simulation::Simulation;
use super::stack::Hands;
use crate::clock::Clock;
use crate::event::{Emitter, TargetRecord};
use crate::role::Held;
use crate::sql::{Address, SimulatedHost};
use crate::target::local::agent::{Agent, AgentActions, AgentNode, AgentSettings};
use crate::target::local::emitter_slot::EmitterSlot;
use crate::target::local::health::Health;
use crate::target::local::router::{self, RouterSettings};
use crate::target::local::routes::{Routes, Side};
use crate::target::{
    Capability, Endpoint, Failover, Network, Power, Processes, Recovery, Storage, Target,
    TargetError,
};
use async_trait::async_trait;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// What faults may ask of it; a plan knows it before there is a cluster.
pub const CAPABILITIES: &[Capability] = &[
    Capability::Power,
    Capability::Processes,
    Capability::CutAll,
    Capability::CutClients,
    Capability::CutPeers,
    Capability::Act,
    Capability::SwitchOver,
    Capability::Statements,
    Capability::Storage,
];

/// How long the router may take to have checked every node.
const ROUTE: Duration = Duration::from_secs(10);

/// What a node had alone before it was rejoined: bytes of WAL, and rows as (writer, key).
pub(super) type Alone = (u64, Vec<(u32, u64)>);

/// A running simulated cluster. It ends with this value.
#[derive(Debug)]
pub struct SimulatedTarget {
    pub(super) settings: SimulatedSettings,
    pub(super) simulation: Arc<Simulation>,
    pub(super) hands: Hands,
    pub(super) agent: Agent,
    /// What rejoins found on nodes: bytes and rows that these had alone.
    pub(super) evidence: Mutex<Option<Alone>>,
    run: String,
    seed: u64,
    emitter: EmitterSlot,
    checks: Mutex<JoinSet<()>>,
}

impl SimulatedTarget {
    /// Begins a cluster on the present runtime, whose clock `clock` must be, and returns when the router
    /// has found its primary. The same settings and seed give the same run.
    ///
    /// # Errors
    /// When the router finds nobody.
    pub async fn start(
        settings: &SimulatedSettings,
        run: &str,
        seed: u64,
        clock: Clock,
    ) -> Result<Self, TargetError> {
        let settings = settings.clone();
        let simulation = Simulation::new(settings.clone(), seed, clock);
        let emitter = EmitterSlot::default();
        let at_least_one = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        let unchecked = Health::new(
            at_least_one(settings.router_fall),
            at_least_one(settings.router_rise),
        );
        let ways = settings.nodes.iter().cloned();
        let ways = ways.map(|name| (name.clone(), (name, 0)));
        let router = "simulated router";
        let routes = Arc::new(Routes::new(ways, unchecked, clock, emitter.clone(), router));
        let hands = Hands {
            simulation: Arc::clone(&simulation),
            routes: Arc::clone(&routes),
            behaviour: settings.behaviour,
        };
        let mut checks = JoinSet::new();
        let checking = RouterSettings {
            check: settings.router_check,
            timeout: settings.router_timeout,
            ..RouterSettings::default()
        };
        let mut watched = Vec::new();
        for (n, name) in settings.nodes.iter().enumerate() {
            let via = |path| address(door(&simulation, n, name, path), "stack", "simulated-stack");
            let held = Held::new(via(Path::Clients));
            checks.spawn(router::check(Arc::clone(&routes), n, held, checking));
            watched.push(AgentNode {
                name: name.clone(),
                via: via(Path::Peers),
            });
        }
        let actions: Arc<dyn AgentActions> = Arc::new(hands.clone());
        let watching = AgentSettings {
            every: settings.agent_loop,
            detection: settings.agent_detection,
            automatic: settings.failover == Failover::Automatic,
            name: "simulated agent",
        };
        let handle = Handle::current();
        let agent = Agent::start(&handle, watching, watched, actions, clock, emitter.clone());
        let served = async {
            while routes.open(Side::Writer).is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(ROUTE, served).await.map_err(|_| {
            TargetError::new("start the simulated cluster", "its router found no primary")
        })?;
        Ok(Self {
            settings,
            simulation,
            hands,
            agent,
            evidence: Mutex::new(None),
            run: run.to_owned(),
            seed,
            emitter,
            checks: Mutex::new(checks),
        })
    }

    /// A node as this user, over a path.
    pub(super) fn access(&self, node: &str, user: &str, path: Path) -> Address {
        // A name that no node has leads to a node that is not there, which refuses.
        let n = self.simulation.node(node).unwrap_or(usize::MAX);
        let application = format!("firedrill-{}", self.run);
        address(door(&self.simulation, n, node, path), user, &application)
    }

    fn endpoint(&self, name: &'static str, side: Side) -> Endpoint {
        let door = EndpointDoor {
            simulation: Arc::clone(&self.simulation),
            routes: Arc::clone(&self.hands.routes),
            side,
        };
        let application = format!("firedrill-{}", self.run);
        let host = SimulatedHost::new(door);
        Endpoint {
            name,
            address: named(name, host, "firedrill_probe", &application),
        }
    }
}

fn door(simulation: &Arc<Simulation>, node: usize, name: &str, path: Path) -> NodeDoor {
    NodeDoor {
        simulation: Arc::clone(simulation),
        node,
        name: name.to_owned(),
        path,
    }
}

fn address(door: NodeDoor, user: &str, application: &str) -> Address {
    let name = door.name.clone();
    named(&name, SimulatedHost::new(door), user, application)
}

fn named(host: &str, simulated: SimulatedHost, user: &str, application: &str) -> Address {
    Address {
        host: host.to_owned(),
        port: super::statements::PORT,
        user: user.to_owned(),
        password: None,
        database: "simulated".to_owned(),
        application: application.to_owned(),
        way: None,
        simulated: Some(simulated),
    }
}

#[async_trait]
impl Target for SimulatedTarget {
    fn record(&self) -> TargetRecord {
        let settings = &self.settings;
        let millis = |time: Duration| format!("{} ms", time.as_millis());
        let pair = |name: &str, value: String| (name.to_owned(), value);
        TargetRecord {
            kind: "simulated".to_owned(),
            identity: format!("simulated:{}", self.seed),
            versions: vec![pair("PostgreSQL", "none: simulated".to_owned())],
            timers: vec![
                pair("router check interval", millis(settings.router_check)),
                pair("router fall", settings.router_fall.to_string()),
                pair("router rise", settings.router_rise.to_string()),
                pair("agent detection", millis(settings.agent_detection)),
                pair("agent loop", millis(settings.agent_loop)),
                pair("simulated latency", millis(settings.latency)),
                pair("simulated lag", millis(settings.lag)),
                pair("simulated behaviour", settings.behaviour.words()),
            ],
            durability: vec![pair(
                "synchronous_standby_names",
                match settings.synchronous {
                    true => "ANY 1 of the other nodes (simulated)".to_owned(),
                    false => "empty (asynchronous, simulated)".to_owned(),
                },
            )],
            stand_ins: vec![
                "everything: servers, network, router and failover agent are simulated, and no figure \
                 of this run was measured on a database"
                    .to_owned(),
            ],
            path: "simulated: no server, no network, virtual time".to_owned(),
            control_period_ms: self.control_period().as_millis() as u64,
        }
    }

    fn nodes(&self) -> Vec<String> {
        self.settings.nodes.clone()
    }

    fn capabilities(&self) -> &[Capability] {
        CAPABILITIES
    }

    fn failover(&self) -> Failover {
        self.settings.failover
    }

    fn control_period(&self) -> Duration {
        self.settings.control_period()
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        vec![
            self.endpoint("writer", Side::Writer),
            self.endpoint("reader", Side::Reader),
        ]
    }

    fn probe_access(&self, node: &str) -> Address {
        self.access(node, "firedrill_probe", Path::Inside)
    }

    fn act_access(&self, node: &str) -> Address {
        self.access(node, "firedrill_act", Path::Inside)
    }

    fn tell(&self, events: Emitter) {
        self.emitter.set(events);
    }

    fn power(&self) -> Option<&dyn Power> {
        Some(self)
    }

    fn processes(&self) -> Option<&dyn Processes> {
        Some(self)
    }

    fn network(&self) -> Option<&dyn Network> {
        Some(self)
    }

    fn storage(&self) -> Option<&dyn Storage> {
        Some(self)
    }

    fn recovery(&self) -> &dyn Recovery {
        self
    }

    async fn close(&self) -> Result<String, TargetError> {
        self.agent.stop();
        if let Ok(mut checks) = self.checks.lock() {
            checks.abort_all();
        }
        self.simulation.change(|state, _| {
            for n in 0..state.nodes.len() {
                state.kill(n);
            }
        });
        Ok("the simulated cluster is over; nothing was made".to_owned())
    }
}
