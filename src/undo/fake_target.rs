//! A target in memory for the tests of faults and undos: nodes with roles and timelines, strict about what
//! a real one would refuse, and with a count of how many could take writes at any time.

use crate::clock::Clock;
use crate::event::cluster::{ClusterSeen, NodeSeen, StandbySeen, Standing};
use crate::event::{Emitter, TargetRecord};
use crate::sql::Address;
use crate::target::{
    Capability, CutFrom, DivergedEvidence, Endpoint, Failover, Network, Power, PowerOff, Pressed,
    Pressure, ProcessId, ProcessScope, ProcessSignal, ProcessState, Processes, Recovery, Sight,
    Target, TargetError,
};
use async_trait::async_trait;
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Processes of a node: postmaster, walreceiver, backend, another.
const PROCESSES: usize = 4;

/// How a call of the fake goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breakage {
    Fails,
    Panics,
    Hangs,
    /// Says that it was carried out, and was not.
    DoesNothing,
}

#[derive(Clone, Debug)]
struct Node {
    on: bool,
    /// Counts starts of each process; a killed one gets a new number.
    started: [u64; PROCESSES],
    frozen: [bool; PROCESSES],
    primary: bool,
    timeline: u32,
    /// Whom a standby streams from.
    follows: usize,
    cut_clients: bool,
    cut_peers: bool,
    /// It lives and yet does not answer, for a reason that nobody knows.
    mute: bool,
    /// How many looks it takes until the stack has made it follow whoever leads.
    rewound_in: Option<u32>,
}

#[derive(Debug)]
struct State {
    nodes: Vec<Node>,
    calls: Vec<String>,
    broken: HashMap<String, Breakage>,
    /// Most nodes that could take writes at the same time since [`FakeTarget::watch_writers`].
    peak: usize,
    closed: bool,
}

/// The fake; clones share its nodes.
#[derive(Clone, Debug)]
pub struct FakeTarget {
    state: Arc<Mutex<State>>,
    failover: Failover,
    /// What presses on its nodes (`fake_pressure.rs`).
    pub(super) pressed: Arc<Mutex<Vec<Pressed>>>,
    /// How often that was looked at.
    pub(super) looked: Arc<AtomicU64>,
}

impl Node {
    fn all_frozen(&self) -> bool {
        self.frozen.iter().all(|frozen| *frozen)
    }
    fn writes(&self) -> bool {
        self.on && self.primary && !self.all_frozen()
    }
    fn answers(&self) -> bool {
        self.on && !self.frozen[0] && !self.mute
    }
    fn is_reached_by_peers(&self) -> bool {
        self.on && !self.all_frozen() && !self.cut_peers
    }
}

impl State {
    fn leader(&self) -> Option<usize> {
        (0..self.nodes.len())
            .filter(|at| self.nodes[*at].writes() && !self.nodes[*at].cut_peers)
            .max_by_key(|at| self.nodes[*at].timeline)
    }
    fn streams(&self, at: usize) -> bool {
        let (node, from) = (&self.nodes[at], &self.nodes[self.nodes[at].follows]);
        !node.primary
            && node.is_reached_by_peers()
            && from.writes()
            && !from.cut_peers
            && node.timeline == from.timeline
    }
    /// What the stack does by itself goes on.
    fn go_on(&mut self) {
        let Some(leader) = self.leader() else { return };
        let timeline = self.nodes[leader].timeline;
        for node in &mut self.nodes {
            match node.rewound_in {
                Some(0) => {
                    node.rewound_in = None;
                    node.mute = false;
                    node.primary = false;
                    node.follows = leader;
                    node.timeline = timeline;
                }
                Some(looks) => node.rewound_in = Some(looks - 1),
                None => {}
            }
        }
    }
    fn count(&mut self) {
        let writers = self.nodes.iter().filter(|node| node.writes()).count();
        self.peak = self.peak.max(writers);
    }
}

impl FakeTarget {
    /// node-1 leads timeline 1, all others stream it.
    pub fn with_nodes(count: usize) -> Self {
        let node = |at| Node {
            on: true,
            started: [1; PROCESSES],
            frozen: [false; PROCESSES],
            primary: at == 0,
            timeline: 1,
            follows: 0,
            cut_clients: false,
            cut_peers: false,
            mute: false,
            rewound_in: None,
        };
        Self {
            state: Arc::new(Mutex::new(State {
                nodes: (0..count).map(node).collect(),
                calls: Vec::new(),
                broken: HashMap::new(),
                peak: 0,
                closed: false,
            })),
            failover: Failover::Promote,
            pressed: Arc::default(),
            looked: Arc::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn at(node: &str) -> usize {
        node.strip_prefix("node-")
            .unwrap()
            .parse::<usize>()
            .unwrap()
            - 1
    }

    /// From now on the call of this text goes wrong.
    pub fn break_call(&self, call: &str, how: Breakage) {
        self.state().broken.insert(call.to_owned(), how);
    }

    /// From now on all calls work again.
    pub fn mend(&self) {
        self.state().broken.clear();
    }

    /// The node lives and does not answer.
    pub fn mute(&self, node: &str, mute: bool) {
        self.state().nodes[Self::at(node)].mute = mute;
    }

    /// Somebody else fails over here, and rejoins.
    pub fn fails_over(&mut self) {
        self.failover = Failover::Automatic;
    }
    /// The stack rewinds the node: it is silent, and after so many looks it streams.
    pub fn rewinds(&self, node: &str, looks: u32) {
        let mut state = self.state();
        let node = &mut state.nodes[Self::at(node)];
        node.mute = true;
        node.rewound_in = Some(looks);
    }

    /// What was called since the last time, reading calls left out.
    pub fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.state().calls)
    }

    /// Begins to count writers anew; returns how many there are now.
    pub fn watch_writers(&self) -> usize {
        let mut state = self.state();
        state.peak = 0;
        state.count();
        state.peak
    }

    /// Most writers since then.
    pub fn peak(&self) -> usize {
        self.state().peak
    }

    pub fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// What a stack does when its leader is lost: promotes the first standby that it reaches.
    pub fn stack_promotes(&self) -> Option<String> {
        let mut state = self.state();
        if state.leader().is_some() {
            return None;
        }
        let chosen = (0..state.nodes.len()).find(|at| {
            let node = &state.nodes[*at];
            node.answers() && !node.cut_peers && !node.primary
        })?;
        Self::promote_at(&mut state, chosen);
        Some(format!("node-{}", chosen + 1))
    }

    fn promote_at(state: &mut State, chosen: usize) {
        let newest = state.nodes.iter().map(|node| node.timeline).max().unwrap();
        state.nodes[chosen].primary = true;
        state.nodes[chosen].timeline = newest + 1;
        for at in 0..state.nodes.len() {
            let node = &mut state.nodes[at];
            if !node.primary && node.is_reached_by_peers() {
                node.follows = chosen;
                node.timeline = newest + 1;
            }
        }
        state.count();
    }

    /// Notes a call and lets it go wrong where that was asked for; false: do nothing.
    pub(super) async fn call(&self, text: String) -> Result<bool, TargetError> {
        let how = {
            let mut state = self.state();
            state.calls.push(text.clone());
            state.broken.get(&text).copied()
        };
        match how {
            None => Ok(true),
            Some(Breakage::DoesNothing) => Ok(false),
            Some(Breakage::Fails) => Err(TargetError::new(text, "broken for the test")),
            Some(Breakage::Panics) => panic!("broken for the test"),
            Some(Breakage::Hangs) => std::future::pending().await,
        }
    }

    fn id(at: usize, process: usize, node: &Node) -> ProcessId {
        ProcessId {
            pid: (at * 10 + process + 1) as i32,
            started: node.started[process],
        }
    }
}

#[async_trait]
impl Target for FakeTarget {
    fn record(&self) -> TargetRecord {
        TargetRecord {
            kind: String::from("fake"),
            identity: String::from("fake:1"),
            versions: Vec::new(),
            timers: Vec::new(),
            durability: Vec::new(),
            stand_ins: Vec::new(),
            path: String::new(),
            control_period_ms: 50,
        }
    }
    fn nodes(&self) -> Vec<String> {
        let count = self.state().nodes.len();
        (1..=count).map(|n| format!("node-{n}")).collect()
    }
    fn capabilities(&self) -> &[Capability] {
        &[
            Capability::Power,
            Capability::Processes,
            Capability::CutAll,
            Capability::CutClients,
            Capability::CutPeers,
        ]
    }
    fn failover(&self) -> Failover {
        self.failover
    }
    fn control_period(&self) -> Duration {
        let automatic = self.failover == Failover::Automatic;
        Duration::from_millis(if automatic { 30_000 } else { 50 })
    }
    fn endpoints(&self) -> Vec<Endpoint> {
        Vec::new()
    }
    fn probe_access(&self, node: &str) -> Address {
        self.act_access(node)
    }
    fn act_access(&self, node: &str) -> Address {
        Address {
            host: node.to_owned(),
            port: 1,
            user: String::new(),
            password: None,
            database: String::new(),
            application: String::new(),
            simulated: None,
            way: None,
        }
    }
    fn tell(&self, _events: Emitter) {}
    fn power(&self) -> Option<&dyn Power> {
        Some(self)
    }
    fn processes(&self) -> Option<&dyn Processes> {
        Some(self)
    }
    fn network(&self) -> Option<&dyn Network> {
        Some(self)
    }
    fn pressure(&self) -> Option<&dyn Pressure> {
        Some(self)
    }
    fn recovery(&self) -> &dyn Recovery {
        self
    }
    fn sight(&self) -> Option<&dyn Sight> {
        Some(self)
    }
    async fn close(&self) -> Result<String, TargetError> {
        self.state().closed = true;
        Ok(String::from("closed"))
    }
}

#[async_trait]
impl Sight for FakeTarget {
    async fn see(&self, clock: Clock, _deadline: Duration) -> ClusterSeen {
        let mut state = self.state();
        state.go_on();
        let state = state;
        let names = |at: usize| format!("node-{}", at + 1);
        let standing = |at: usize| {
            let node = &state.nodes[at];
            if !node.answers() {
                return Standing::Silent {
                    why: String::from("no answer"),
                };
            }
            if !node.primary {
                return Standing::Standby {
                    timeline: Some(node.timeline),
                    received: Some(0),
                    replayed: Some(0),
                    streaming: state.streams(at),
                    paused: false,
                };
            }
            let rows = (0..state.nodes.len())
                .filter(|standby| state.nodes[*standby].follows == at && state.streams(*standby));
            Standing::Primary {
                timeline: node.timeline,
                lsn: 0,
                standbys: rows
                    .map(|standby| StandbySeen {
                        name: names(standby),
                        state: String::from("streaming"),
                        sync: String::from("async"),
                        flushed: None,
                        replayed: None,
                    })
                    .collect(),
            }
        };
        ClusterSeen {
            asked: clock.now(),
            nodes: (0..state.nodes.len())
                .map(|at| NodeSeen {
                    name: names(at),
                    standing: standing(at),
                })
                .collect(),
            declared: state.nodes.len(),
        }
    }
}

#[async_trait]
impl Power for FakeTarget {
    async fn power_off(&self, node: &str, _how: PowerOff) -> Result<(), TargetError> {
        if self.call(format!("power_off {node}")).await? {
            let mut state = self.state();
            let node = &mut state.nodes[Self::at(node)];
            node.on = false;
            node.frozen = [false; PROCESSES];
        }
        Ok(())
    }
    async fn start(&self, node: &str) -> Result<(), TargetError> {
        if self.call(format!("start {node}")).await? {
            let mut state = self.state();
            let found = &mut state.nodes[Self::at(node)];
            if found.on && !found.answers() {
                return Err(TargetError::new(format!("start {node}"), "it hangs"));
            }
            if !found.on {
                found.on = true;
                found.started = found.started.map(|started| started + 1);
            }
            state.count();
        }
        Ok(())
    }
    async fn running(&self, node: &str) -> Result<usize, TargetError> {
        let on = self.state().nodes[Self::at(node)].on;
        Ok(if on { PROCESSES } else { 0 })
    }
}

#[async_trait]
impl Processes for FakeTarget {
    async fn find(&self, node: &str, scope: ProcessScope) -> Result<Vec<ProcessId>, TargetError> {
        let state = self.state();
        let at = Self::at(node);
        let node = &state.nodes[at];
        let wanted = match scope {
            ProcessScope::All => 0..PROCESSES,
            ProcessScope::Postmaster => 0..1,
            ProcessScope::WalReceiver if state.streams(at) => 1..2,
            ProcessScope::WalReceiver => 0..0,
            ProcessScope::OneBackend => 2..3,
            ProcessScope::Agent => 0..0,
        };
        if !node.on {
            return Ok(Vec::new());
        }
        Ok(wanted.map(|process| Self::id(at, process, node)).collect())
    }
    async fn signal(
        &self,
        node: &str,
        processes: &[ProcessId],
        signal: ProcessSignal,
    ) -> Result<(), TargetError> {
        if !self.call(format!("{signal:?} {node}")).await? {
            return Ok(());
        }
        let mut state = self.state();
        let at = Self::at(node);
        let node = &mut state.nodes[at];
        for process in 0..PROCESSES {
            if !node.on || !processes.contains(&Self::id(at, process, node)) {
                continue;
            }
            match signal {
                ProcessSignal::Freeze => node.frozen[process] = true,
                ProcessSignal::Thaw => node.frozen[process] = false,
                ProcessSignal::Kill if process == 0 => {
                    node.on = false;
                    node.frozen = [false; PROCESSES];
                }
                ProcessSignal::Kill => node.started[process] += 1,
            }
        }
        state.count();
        Ok(())
    }
    async fn states(
        &self,
        node: &str,
        processes: &[ProcessId],
    ) -> Result<Vec<ProcessState>, TargetError> {
        let state = self.state();
        let at = Self::at(node);
        let node = &state.nodes[at];
        let state_of = |wanted: &ProcessId| {
            let found = (0..PROCESSES).find(|process| Self::id(at, *process, node) == *wanted);
            match found {
                Some(process) if node.on && node.frozen[process] => ProcessState::Frozen,
                Some(_) if node.on => ProcessState::Alive,
                _ => ProcessState::Gone,
            }
        };
        Ok(processes.iter().map(state_of).collect())
    }
}

#[async_trait]
impl Network for FakeTarget {
    async fn cut(&self, node: &str, from: CutFrom) -> Result<(), TargetError> {
        if self.call(format!("cut {node}")).await? {
            let mut state = self.state();
            let node = &mut state.nodes[Self::at(node)];
            node.cut_clients |= from != CutFrom::Peers;
            node.cut_peers |= from != CutFrom::Clients;
        }
        Ok(())
    }
    async fn join(&self, node: &str) -> Result<(), TargetError> {
        if self.call(format!("join {node}")).await? {
            let mut state = self.state();
            let node = &mut state.nodes[Self::at(node)];
            node.cut_clients = false;
            node.cut_peers = false;
        }
        Ok(())
    }
    async fn reaches(&self, node: &str, from: CutFrom) -> Result<bool, TargetError> {
        let state = self.state();
        let node = &state.nodes[Self::at(node)];
        let cut = match from {
            CutFrom::Clients => node.cut_clients,
            CutFrom::Peers => node.cut_peers,
            CutFrom::All => node.cut_clients || node.cut_peers,
        };
        Ok(node.answers() && !cut)
    }
}

#[async_trait]
impl Recovery for FakeTarget {
    async fn promote(&self, node: Option<&str>) -> Result<String, TargetError> {
        self.call(format!("promote {}", node.unwrap_or("best")))
            .await?;
        let chosen = match node {
            Some(node) => {
                Self::promote_at(&mut self.state(), Self::at(node));
                Some(node.to_owned())
            }
            None => self.stack_promotes(),
        };
        chosen.ok_or_else(|| TargetError::new("promote", "no standby answers"))
    }
    async fn switch_over(&self, to: Option<&str>) -> Result<String, TargetError> {
        self.call(format!("switch_over {}", to.unwrap_or("best")))
            .await?;
        let old = {
            let mut state = self.state();
            let old = state
                .leader()
                .ok_or_else(|| TargetError::new("switch over", "nobody leads"))?;
            state.nodes[old].on = false;
            format!("node-{}", old + 1)
        };
        let new = self.promote(to).await?;
        self.rejoin(&old, Path::new("")).await?;
        Ok(new)
    }
    async fn rejoin(&self, node: &str, _evidence: &Path) -> Result<String, TargetError> {
        if !self.call(format!("rejoin {node}")).await? {
            return Ok(String::new());
        }
        let mut state = self.state();
        let refuse = |why| Err(TargetError::new(format!("rejoin {node}"), why));
        let at = Self::at(node);
        let Some(leader) = state.leader() else {
            return refuse("nobody leads");
        };
        if leader == at {
            return refuse("it leads");
        }
        let timeline = state.nodes[leader].timeline;
        let found = &mut state.nodes[at];
        if found.cut_peers {
            return refuse("it does not reach the leader");
        }
        if found.frozen.contains(&true) {
            return refuse("it stands still");
        }
        found.on = true;
        found.started = found.started.map(|started| started + 1);
        found.primary = false;
        found.timeline = timeline;
        found.follows = leader;
        Ok(String::from("rewound"))
    }
    async fn fence(&self, node: &str) -> Result<(), TargetError> {
        if self.call(format!("fence {node}")).await? {
            let mut state = self.state();
            let node = &mut state.nodes[Self::at(node)];
            node.on = false;
            node.frozen = [false; PROCESSES];
        }
        Ok(())
    }
    async fn diverged_evidence(
        &self,
        _evidence: &Path,
    ) -> Result<Option<DivergedEvidence>, TargetError> {
        Ok(None)
    }
}
