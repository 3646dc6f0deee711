//! A cluster in which Patroni leads and fails over.
//!
//! Who leads is the word of each node's Patroni, which asks PostgreSQL for every answer. It needs no password, so
//! that a run can be put back by anybody who may use the engine. Where Patroni is silent, PostgreSQL is asked itself,
//! if somebody can log in.

use super::client::Container;
use super::docker_target::{DockerTarget, Node};
use super::found::{add_version, refused, some_at_a_time, version_of};
use super::settings::PatroniAt;
use super::stack::{Looked, Stack};
use super::watcher::Watcher;
use crate::clock::Clock;
use crate::event::cluster::{ClusterSeen, NodeSeen, StandbySeen, Standing};
use crate::role::patroni;
use crate::role::sql::ClusterEye;
use crate::target::{Failover, Sight as _, TargetError};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long Patroni may take to answer one question.
const ASK: Duration = Duration::from_secs(3);
/// How long a login is waited for once Patroni has answered.
const BESIDE: Duration = Duration::from_millis(300);
/// How long Patroni may take to hand over: it waits for a shutdown and a promotion.
const HAND_OVER: Duration = Duration::from_secs(90);
/// How long it may take to have a node stream again: it may rewind it, or copy everything anew.
const REJOIN: Duration = Duration::from_secs(110);
const PAUSE: Duration = Duration::from_millis(200);

/// Patroni, as it was found.
#[derive(Debug)]
pub(super) struct PatroniStack {
    /// Port of its REST interface inside a container.
    port: u16,
    /// As whom it is asked to act.
    login: patroni::Login,
    /// The roles are compared with PostgreSQL's own word.
    compare: bool,
    /// The cluster's settings.
    settings: patroni::Settings,
    control_period: Duration,
}

impl PatroniStack {
    /// Asks every node's Patroni who it is.
    ///
    /// # Errors
    /// When one does not say it, or they cannot be drilled as they are; the text says what to do.
    pub(super) async fn look(
        at: &PatroniAt,
        nodes: &[(&Container, &str)],
    ) -> Result<Looked, TargetError> {
        let mut members = Vec::new();
        let mut versions = Vec::new();
        let mut scopes: Vec<String> = Vec::new();
        let mut settings = None;
        let answers = some_at_a_time(nodes.iter().map(|node| ask(node.0, at.port))).await;
        for ((_, name), said) in nodes.iter().zip(answers) {
            let said = said.map_err(|why| {
                refused(format!(
                    "{name} does not say who it is at Patroni's port {}: {why}; see that Patroni runs in the \
                     container and that `patroni: {{ port: … }}` is right",
                    at.port
                ))
            })?;
            let (said, address) = said;
            if said.paused {
                return Err(refused(
                    "Patroni is paused, so that nobody fails over: patronictl resume ends that"
                        .to_owned(),
                ));
            }
            add_version(
                &mut versions,
                "PostgreSQL",
                &version_of(said.server_version),
            );
            add_version(&mut versions, "Patroni", &said.version);
            scopes.push(said.scope);
            if settings.is_none() {
                settings = patroni::settings(&address, at.port, ASK).await.ok();
            }
            members.push(said.member);
        }
        scopes.sort();
        scopes.dedup();
        if scopes.len() > 1 {
            return Err(refused(format!(
                "the containers belong to several clusters: {}; name those of one",
                scopes.join(", ")
            )));
        }
        let settings =
            settings.ok_or_else(|| refused("no node tells Patroni's settings".to_owned()))?;
        let stack = Self {
            port: at.port,
            login: at.login.clone(),
            compare: at.compare,
            control_period: Duration::from_secs(settings.ttl.max(settings.loop_wait)),
            settings,
        };
        Ok(Looked {
            members,
            versions,
            stack: Arc::new(stack),
        })
    }

    /// That of a run that died: it is asked for roles and settles nothing.
    pub(super) fn again(port: u16) -> Self {
        Self {
            port,
            login: None,
            compare: false,
            settings: patroni::Settings::default(),
            // Until Patroni was asked: its own default lease.
            control_period: Duration::from_secs(30),
        }
    }

    /// What the node's Patroni says that it is.
    async fn by_patroni(&self, target: &DockerTarget, node: &Node, deadline: Duration) -> Standing {
        let until = Instant::now() + deadline;
        let left = || until.saturating_duration_since(Instant::now());
        let mut why = "it is on no network".to_owned();
        for address in node.addresses.all(target.clients_network()) {
            match patroni::node(&address, self.port, left()).await {
                Ok(said) if said.member != node.facts.member => {
                    why = format!("at its address answers {}", said.member);
                }
                Ok(said) => match target.by_nodes(said.standing) {
                    Standing::Silent { why: said } => why = said,
                    told => return told,
                },
                Err(error) => why = error,
            }
        }
        Standing::Silent { why }
    }
}

#[async_trait]
impl Stack for PatroniStack {
    fn failover(&self) -> Failover {
        Failover::Automatic
    }

    fn control_period(&self) -> Duration {
        self.control_period
    }

    fn timers(&self) -> Vec<(String, String)> {
        let config = &self.settings;
        let seconds = |name: &str, value: u64| (name.to_owned(), format!("{value} s"));
        let mut timers = vec![
            seconds("Patroni ttl", config.ttl),
            seconds("Patroni loop_wait", config.loop_wait),
            seconds("Patroni retry_timeout", config.retry_timeout),
            seconds(
                "Patroni primary_start_timeout",
                config.primary_start_timeout,
            ),
        ];
        if let Some(bytes) = config.maximum_lag_on_failover {
            timers.push((
                "Patroni maximum_lag_on_failover".to_owned(),
                format!("{bytes} bytes"),
            ));
        }
        if config.failsafe_mode {
            timers.push(("Patroni failsafe_mode".to_owned(), "on".to_owned()));
        }
        timers
    }

    fn durability(&self) -> Vec<(String, String)> {
        let mode = &self.settings.synchronous_mode;
        let said = match self.settings.synchronous_mode_strict {
            true => format!("{mode}, strict"),
            false => mode.clone(),
        };
        vec![("Patroni synchronous_mode".to_owned(), said)]
    }

    fn stand_ins(&self) -> Vec<String> {
        Vec::new()
    }

    async fn standing(&self, target: &DockerTarget, node: &Node, deadline: Duration) -> Standing {
        let until = Instant::now() + deadline;
        let left = || until.saturating_duration_since(Instant::now());
        if !target.has_ways() {
            return self.by_patroni(target, node, left()).await;
        }
        let by_sql = target.by_sql(node, left());
        tokio::pin!(by_sql);
        let mut told = None;
        let patroni = {
            let by_patroni = self.by_patroni(target, node, left());
            tokio::pin!(by_patroni);
            loop {
                tokio::select! {
                    said = &mut by_patroni => break said,
                    said = &mut by_sql, if told.is_none() => told = Some(said),
                }
            }
        };
        let postgresql = match told {
            Some(told) => told,
            // Where Patroni has answered, a login that hangs is not waited for to the end.
            None => {
                let wait = match patroni {
                    Standing::Silent { .. } => left(),
                    _ => left().min(BESIDE),
                };
                let late = || Standing::Silent {
                    why: "no answer by SQL".to_owned(),
                };
                tokio::time::timeout(wait, by_sql)
                    .await
                    .unwrap_or_else(|_| late())
            }
        };
        together(patroni, postgresql)
    }

    fn complete(&self, nodes: &mut [NodeSeen]) {
        fill_in_timelines(nodes);
    }

    async fn history(&self, target: &DockerTarget, node: &str, timeline: u32) -> Option<Vec<u32>> {
        let found = target.node(node).ok()?;
        let address = found.addresses.all(target.clients_network()).into_iter();
        let address = address.into_iter().next()?;
        let mut history = patroni::parents(&address, self.port, ASK).await.ok()?;
        history.retain(|parent| *parent < timeline);
        // The agents write it down a moment after a promotion; one that lacks the newest is of before.
        if timeline > 1 && history.last() != Some(&(timeline - 1)) {
            return None;
        }
        history.push(timeline);
        Some(history)
    }

    /// Patroni and PostgreSQL must agree about who leads before anything is broken.
    async fn agrees(&self, target: &DockerTarget, clock: Clock) -> Result<(), TargetError> {
        if !self.compare {
            return Ok(());
        }
        let by_sql = ClusterEye::new(target, clock, ASK).look().await;
        let by_patroni = target.see(clock, ASK).await;
        let names = |seen: &ClusterSeen| {
            seen.primaries()
                .map(|(name, _)| name.to_owned())
                .collect::<Vec<_>>()
        };
        let (sql, patroni) = (names(&by_sql), names(&by_patroni));
        let asked = by_sql
            .nodes
            .iter()
            .any(|node| !matches!(node.standing, Standing::Silent { .. }));
        if !asked || sql == patroni {
            // That no node lets anybody in is preflight's to say, with what each answered.
            return Ok(());
        }
        let said = |names: &[String]| match names {
            [] => "nobody".to_owned(),
            some => some.join(" and "),
        };
        Err(TargetError::new(
            "compare the roles",
            format!(
                "Patroni names {} as primary, PostgreSQL itself {}: see patronictl list, and drill when both agree",
                said(&patroni),
                said(&sql)
            ),
        ))
    }

    fn watch(&self, target: &DockerTarget, clock: Clock) -> Option<Watcher> {
        Some(Watcher::start(target, self.port, clock))
    }

    async fn promote(
        &self,
        _target: &DockerTarget,
        _node: Option<&str>,
    ) -> Result<String, TargetError> {
        Err(TargetError::new(
            "promote a standby",
            "Patroni promotes by itself; firedrill beside it would make a second primary",
        ))
    }

    async fn switch_over(
        &self,
        target: &DockerTarget,
        to: Option<&str>,
    ) -> Result<String, TargetError> {
        let failed = |why: String| TargetError::new("switch over", why);
        let seen = target.look().await;
        let old = target.only_primary("switch over", &seen)?;
        let candidate = match to {
            Some(name) if name == old.facts.name => return Ok(name.to_owned()),
            Some(name) => Some(target.node(name)?.facts.member.as_str()),
            None => None,
        };
        let mut addresses = old.addresses.all(target.clients_network()).into_iter();
        let address = addresses.next();
        let address = address.ok_or_else(|| failed("the primary is on no network".to_owned()))?;
        patroni::switch_over(
            (&address, self.port),
            &old.facts.member,
            candidate,
            &self.login,
            HAND_OVER,
        )
        .await
        .map_err(failed)?;
        let begun = Instant::now();
        loop {
            let seen = target.look().await;
            if let Some((leader, _)) = seen.leader()
                && leader != old.facts.name
            {
                return Ok(leader.to_owned());
            }
            if begun.elapsed() >= HAND_OVER {
                return Err(failed(
                    "Patroni says that it is done, and no other node leads".to_owned(),
                ));
            }
            sleep(PAUSE).await;
        }
    }

    async fn rejoin(&self, target: &DockerTarget, node: &str) -> Result<String, TargetError> {
        let found = target.node(node)?;
        let _alone = found.operation.lock().await;
        let what = || format!("rejoin {node}");
        if target.look_at(found).await?.paused {
            return Err(TargetError::new(what(), "its container is paused"));
        }
        // Patroni never lets it lead while another holds the leader key, so that starting it is safe.
        target.run_again(found).await?;
        let begun = Instant::now();
        loop {
            let seen = target.look().await;
            let missing = match super::recovery::follows(&seen, node) {
                Ok(proof) => return Ok(format!("{proof}, by Patroni")),
                Err(missing) => missing,
            };
            if begun.elapsed() >= REJOIN {
                return Err(TargetError::new(
                    what(),
                    format!(
                        "Patroni has not brought it back in {} s: {missing}; see docker logs {}",
                        REJOIN.as_secs(),
                        found.facts.container
                    ),
                ));
            }
            sleep(PAUSE).await;
        }
    }
}

/// Asks Patroni at the first of the container's addresses that answers; gives the answer and the address.
async fn ask(container: &Container, port: u16) -> Result<(patroni::Said, String), String> {
    let mut why = "it is on no network".to_owned();
    for network in container
        .networks
        .values()
        .filter(|each| !each.address.is_empty())
    {
        match patroni::node(&network.address, port, ASK).await {
            Ok(said) => return Ok((said, network.address.clone())),
            Err(error) => why = error,
        }
    }
    Err(why)
}

/// One node by both: PostgreSQL's own words have more in them, and where the two differ it takes writes if either
/// says so, because what is taken for a standby may be let go.
fn together(patroni: Standing, postgresql: Standing) -> Standing {
    match (patroni, postgresql) {
        (patroni, Standing::Silent { .. }) => patroni,
        (patroni @ Standing::Primary { .. }, Standing::Standby { .. }) => patroni,
        (_, postgresql) => postgresql,
    }
}

/// Patroni learns a standby's timeline over a replication connection to itself, which many clusters do not let in.
/// A standby that streams, and is listed as streaming by the one primary that there is, streams its timeline: a
/// primary sends an older one only up to where that ended.
fn fill_in_timelines(nodes: &mut [NodeSeen]) {
    let primaries = nodes.iter().filter_map(|node| match &node.standing {
        Standing::Primary {
            timeline, standbys, ..
        } => Some((*timeline, standbys.clone())),
        _ => None,
    });
    let [(leads, listed)] = &primaries.collect::<Vec<_>>()[..] else {
        return;
    };
    for node in nodes {
        let is_listed = |row: &StandbySeen| row.name == node.name && row.state == "streaming";
        if let Standing::Standby {
            timeline: timeline @ None,
            streaming: true,
            ..
        } = &mut node.standing
            && listed.iter().any(is_listed)
        {
            *timeline = Some(*leads);
        }
    }
}

#[cfg(test)]
#[path = "patroni_stack_tests.rs"]
mod tests;
