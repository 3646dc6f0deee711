//! Takes a cluster in containers for a run, or reaches it again after a run that died.

use super::access::Access;
use super::addresses::Addresses;
use super::client::Engine;
use super::docker_target::{DockerTarget, Node, Ways, addresses};
use super::facts::{Facts, NodeFacts};
use super::found::Found;
use super::hands::Hands;
use super::inside::Visitors;
use super::routing::Routing;
use super::settings::{As, DockerSettings};
use super::stack::Stack;
use super::{clock, lock, power, processes, stack};
use crate::clock::Clock;
use crate::event::TargetRecord;
use crate::sql::Session;
use crate::target::local::emitter_slot::EmitterSlot;
use crate::target::{
    Capability, Failover, Part, ProcessScope, Processes as _, Sight as _, Target as _, TargetError,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// How long a node may take to answer one question.
const ASK: Duration = Duration::from_secs(3);

impl DockerTarget {
    /// Takes the cluster for a run: its lock, and ways into its nodes. The caller has journaled the facts.
    ///
    /// # Errors
    /// When another run has it, or a node cannot be reached.
    pub async fn take(
        found: Found,
        settings: &DockerSettings,
        run: &str,
        clock: Clock,
    ) -> Result<Self, TargetError> {
        let Found {
            engine,
            facts,
            image,
            versions,
            stack,
        } = found;
        lock::take(&engine, &facts, &image, run).await?;
        let lock = facts.lock.clone();
        let mut target = Self::on(engine, facts, stack, run);
        let opened = match target.is_as_journaled().await {
            Ok(()) => target.open(settings, &image, versions, clock).await,
            changed => changed,
        };
        match opened {
            Ok(()) => Ok(target),
            Err(error) => {
                // The first error decides; a lock that stays names its run, as does what was to look from.
                if let Some(mut visitors) = target.visitors.get_mut().take() {
                    let _ = visitors.close().await;
                }
                let _ = lock::give_back(&target.engine, &lock, run).await;
                Err(error)
            }
        }
    }

    /// Reaches a cluster again by what a journal kept, with no password: enough to put back what was changed.
    ///
    /// # Errors
    /// When the engine cannot be reached, or is another one, or a container is gone.
    pub async fn again(facts: Facts, run: &str) -> Result<Self, TargetError> {
        let engine = Engine::connect(&facts.engine).await?;
        if engine.id != facts.engine_id {
            return Err(TargetError::new(
                format!("reach the engine of run {run} again"),
                format!(
                    "at {} is another engine by now ({} instead of {}): name the right one by its socket",
                    facts.engine, engine.id, facts.engine_id
                ),
            ));
        }
        let stack = stack::again(&facts);
        let target = Self::on(engine, facts, stack, run);
        for node in &target.nodes {
            // A node that is gone for good is found missing by its own undo; the others are put back.
            match target.inspect(node).await {
                Err(error) if !error.is_missing() => {
                    return Err(TargetError::new(
                        format!("look at {}", node.facts.name),
                        error,
                    ));
                }
                _ => {}
            }
        }
        Ok(target)
    }

    /// The cluster as it was found, with no way into its nodes yet.
    pub(super) fn on(engine: Engine, facts: Facts, stack: Arc<dyn Stack>, run: &str) -> Self {
        let as_found = |facts: &NodeFacts| Node {
            facts: facts.clone(),
            addresses: Arc::new(Addresses::default()),
            operation: tokio::sync::Mutex::new(()),
        };
        let nodes: Vec<Node> = facts.nodes.iter().map(as_found).collect();
        let parts = facts.parts.iter();
        let parts = parts.map(|facts| (facts.part, as_found(&facts.container)));
        let parts: Vec<(Part, Node)> = parts.collect();
        for node in &nodes {
            node.addresses.set(addresses(&node.facts.networks));
        }
        Self {
            engine,
            stack,
            facts,
            nodes,
            parts,
            emitter: EmitterSlot::default(),
            run: run.to_owned(),
            capabilities: Vec::new(),
            lacks: Vec::new(),
            hands: Hands::default(),
            record: None,
            ways: None,
            visitors: tokio::sync::Mutex::default(),
            watching: None,
            routing: None,
            marks: AtomicU32::default(),
        }
    }

    async fn open(
        &mut self,
        settings: &DockerSettings,
        image: &str,
        versions: Vec<(String, String)>,
        clock: Clock,
    ) -> Result<(), TargetError> {
        let nodes: Vec<NodeFacts> = self.nodes.iter().map(|node| node.facts.clone()).collect();
        let visitors = Visitors::open(&self.engine, image, &self.run, &nodes).await?;
        let sockets = Access::open(&self.run, self.facts.port, visitors.ways());
        *self.visitors.get_mut() = Some(visitors);
        let sockets = sockets?;
        // Whoever may do nothing else may still end sessions of its own.
        let acting = settings.act.as_ref().unwrap_or(&settings.probe);
        let mut ways = BTreeMap::new();
        for (number, node) in self.nodes.iter().enumerate() {
            let host = sockets.host(number);
            let way = |of: &As| {
                settings
                    .address(of, &node.facts.name, &host, sockets.port())
                    .map_err(|error| {
                        TargetError::new(format!("log in at {}", node.facts.name), error)
                    })
            };
            let roles = [way(&settings.probe)?, way(&settings.observe)?, way(acting)?];
            ways.insert(node.facts.name.clone(), roles);
        }
        let application = format!("firedrill-{}", self.run);
        for way in ways.values_mut().flatten() {
            way.application.clone_from(&application);
        }
        self.ways = Some(Ways {
            writer: settings.writer.clone(),
            reader: settings.reader.clone(),
            nodes: ways,
            probe: settings.probe.user.clone(),
            _sockets: sockets,
        });
        let stack = Arc::clone(&self.stack);
        stack.agrees(self, clock).await?;
        self.capabilities = self.able(settings.act.is_some()).await?;
        let durability = self.durability().await;
        self.record = Some(self.describe(versions, durability));
        self.watching = stack.watch(self, clock);
        if let Some(at) = &settings.haproxy {
            self.routing = Some(Routing::start(at, self, clock).await?);
        }
        Ok(())
    }

    /// What was looked at before the lock was taken may have been in the hands of another run, whose changes must not
    /// be taken for how things are.
    async fn is_as_journaled(&self) -> Result<(), TargetError> {
        for node in &self.nodes {
            if let Some(what) = self.altered(&node.facts.name).await? {
                return Err(TargetError::new(
                    "take the containers",
                    format!(
                        "{} has changed since it was looked at ({what}): try again",
                        node.facts.name
                    ),
                ));
            }
        }
        Ok(())
    }

    /// What it can, asked of the containers themselves.
    async fn able(&mut self, may_act: bool) -> Result<Vec<Capability>, TargetError> {
        let mut able = vec![
            Capability::Power,
            Capability::CutAll,
            Capability::SwitchOver,
            Capability::OtherClients,
            Capability::Commands,
            // A container is a machine of its own.
            Capability::Machines,
        ];
        let named = |part: &Part| self.parts.iter().any(|(of, _)| of == part);
        able.extend(Part::ALL.into_iter().filter(named).map(Part::capability));
        if self.facts.networks.is_some() {
            able.extend([Capability::CutClients, Capability::CutPeers]);
            able.push(Capability::SlowOneSide);
        }
        if may_act {
            able.extend([Capability::Act, Capability::Statements]);
        }
        let mut shells = Vec::new();
        let mut clockless = Vec::new();
        let mut restarts = true;
        let mut agents = true;
        for node in &self.nodes {
            if !processes::can_signal(&self.engine, &node.facts.id).await {
                shells.push(node.facts.name.clone());
            }
            let container = self.look_at(node).await?;
            if container.clock.is_none() {
                clockless.push(node.facts.name.clone());
            }
            restarts &= container.policy.restarts() && power::may_crash(&container);
            let agent = self.find(&node.facts.name, ProcessScope::Agent).await;
            agents &= agent.is_ok_and(|found| !found.is_empty());
        }
        let signals = shells.is_empty();
        if signals {
            able.push(Capability::Processes);
        }
        able.extend(self.pressures(&shells));
        match clockless.as_slice() {
            [] => able.push(Capability::StepClock),
            nodes => {
                let why = clock::is_the_machines(&nodes.join(" and "));
                self.lacks.push((Capability::StepClock, why));
            }
        }
        if signals && agents {
            able.push(Capability::Agents);
        }
        // Where nobody is asked before a node takes writes again, none may be revived behind whoever promotes.
        if restarts && self.failover() == Failover::Automatic {
            able.push(Capability::Restarts);
        }
        able.extend(self.finer_cuts().await);
        for (capability, may) in self.may_slow().await {
            match may {
                Ok(()) => able.push(capability),
                Err(why) => self.lacks.push((capability, why)),
            }
        }
        Ok(able)
    }

    /// How it can press on nodes, of which these have no shell; why it cannot is remembered.
    fn pressures(&mut self, without_shell: &[String]) -> Vec<Capability> {
        let all = [
            Capability::FillDisk,
            Capability::StressCpu,
            Capability::StressIo,
        ];
        let why = match (without_shell, crate::target::inside::program()) {
            ([], Some(_)) => return all.to_vec(),
            ([], None) => crate::target::inside::MISSING.to_owned(),
            (nodes, _) => format!(
                "no shell that can signal was found in the container of {}: use an image that has sh",
                nodes.join(" and ")
            ),
        };
        self.lacks
            .extend(all.map(|capability| (capability, why.clone())));
        Vec::new()
    }

    /// What it can do to single packets; why it cannot is remembered.
    async fn finer_cuts(&mut self) -> Vec<Capability> {
        if let Err(error) = self.may_lose_packets().await {
            let why = error.to_string();
            let lacks = [Capability::CutOneWay, Capability::CutDcs];
            self.lacks
                .extend(lacks.map(|capability| (capability, why.clone())));
            return Vec::new();
        }
        let members = self.dcs_members().await;
        match members {
            Ok(_) => vec![Capability::CutOneWay, Capability::CutDcs],
            Err(error) => {
                self.lacks.push((Capability::CutDcs, error.cause));
                vec![Capability::CutOneWay]
            }
        }
    }

    /// What a commit means here, as the primary has it.
    async fn durability(&self) -> Vec<(String, String)> {
        let mut said = self.stack.durability();
        let seen = self.see(Clock::start(), ASK).await;
        let Some((leader, _)) = seen.leader() else {
            return said;
        };
        let sql = "select name, setting from pg_catalog.pg_settings where name in \
                   ('fsync', 'synchronous_commit', 'synchronous_standby_names') order by name";
        let asked = async {
            let session = Session::connect(&self.observe_access(leader), ASK)
                .await
                .ok()?;
            session.query(sql, ASK).await.ok()
        };
        let rows = asked.await.map(|answer| answer.rows).unwrap_or_default();
        for row in rows {
            if let [Some(name), value] = row.as_slice() {
                let value = value.clone().filter(|value| !value.is_empty());
                said.push((
                    name.clone(),
                    value.unwrap_or_else(|| "empty (asynchronous)".to_owned()),
                ));
            }
        }
        said
    }

    fn describe(
        &self,
        versions: Vec<(String, String)>,
        durability: Vec<(String, String)>,
    ) -> TargetRecord {
        let writer = self.ways.as_ref().map(|ways| ways.writer.to_string());
        TargetRecord {
            kind: "docker".to_owned(),
            identity: self.facts.identity(),
            versions,
            timers: self.stack.timers(),
            durability,
            stand_ins: self.stack.stand_ins(),
            path: format!(
                "client on this machine, {}, node; single nodes from inside their own networks",
                writer.unwrap_or_default()
            ),
            control_period_ms: u64::try_from(self.control_period().as_millis()).unwrap_or(u64::MAX),
        }
    }
}
