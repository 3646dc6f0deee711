//! Cutting a node off and joining it: its container taken off networks, and put on them again with the names and
//! the address that it had there.

use super::addresses::Addresses;
use super::client::{Attachment, Container};
use super::docker_target::{DockerTarget, Node};
use super::facts::NodeFacts;
use super::shell;
use crate::target::{CutFrom, Network, TargetError};
use async_trait::async_trait;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a connection to a container's address may take before nobody is taken to be there.
const REACH: Duration = Duration::from_millis(500);
/// How long a container may take to read or write its names.
const NAMES: Duration = Duration::from_secs(5);

#[async_trait]
impl Network for DockerTarget {
    async fn cut(&self, node: &str, from: CutFrom) -> Result<(), TargetError> {
        let node = self.node(node)?;
        let _alone = node.operation.lock().await;
        let now = self.look_at(node).await?;
        for network in self.facts.networks_of(&node.facts, from) {
            if !now.networks.contains_key(&network) {
                continue;
            }
            let cut = self.engine.disconnect(&node.facts.id, &network).await;
            cut.map_err(|error| {
                TargetError::new(
                    format!("take {} off the network {network}", node.facts.name),
                    error,
                )
            })?;
        }
        self.look_at(node).await.map(|_| ())
    }

    async fn join(&self, node: &str) -> Result<(), TargetError> {
        let node = self.node(node)?;
        let _alone = node.operation.lock().await;
        let now = self.look_at(node).await?;
        for (network, before) in &node.facts.networks {
            if now
                .networks
                .get(network)
                .is_some_and(|now| is_as_before(before, now))
            {
                continue;
            }
            self.put_on(node, network, before, now.networks.contains_key(network))
                .await?;
        }
        let now = self.look_at(node).await?;
        self.put_names_back(node, &now).await?;
        match missing(&node.facts, &now) {
            Some(what) => Err(TargetError::new(format!("join {}", node.facts.name), what)),
            None => self.rearm_if_up(node, &now).await,
        }
    }

    async fn reaches(&self, node: &str, from: CutFrom) -> Result<bool, TargetError> {
        let node = self.node(node)?;
        let now = self.look_at(node).await?;
        for network in self.facts.networks_of(&node.facts, from) {
            let there = now.networks.get(&network).map(|each| each.address.clone());
            if let Some(address) = there.filter(|address| !address.is_empty())
                && self.answers(&address).await
            {
                return Ok(true);
            }
            // Off the network, its old address must be dead too; a node that has it by now is another one.
            let before = node
                .facts
                .networks
                .get(&network)
                .map(|each| each.address.as_str());
            let taken = |addresses: &Addresses| addresses.on(&network).as_deref() == before;
            if let Some(before) = before.filter(|address| !address.is_empty())
                && !now.networks.contains_key(&network)
                && !self.nodes.iter().any(|each| taken(&each.addresses))
                && self.answers(before).await
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn lives(&self, node: &str) -> Result<Option<bool>, TargetError> {
        let node = self.node(node)?;
        let now = self.look_at(node).await?;
        if !now.running || now.paused {
            return Ok(Some(false));
        }
        // More than the first process, where the engine counts them.
        let living = self.engine.living(&node.facts.id).await;
        Ok(Some(living.map_or(true, |living| living > 1)))
    }
}

impl DockerTarget {
    /// Whether anybody accepts connections at an address: PostgreSQL or Patroni.
    async fn answers(&self, address: &str) -> bool {
        for port in [self.facts.port, self.facts.patroni_port] {
            let connected = timeout(REACH, TcpStream::connect((address, port))).await;
            match connected {
                Ok(Ok(_)) => return true,
                // A refusal came from a machine that was reached.
                Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                    return true;
                }
                _ => {}
            }
        }
        false
    }

    /// The names of `extra_hosts` that a container that runs does not know any more: the engine forgets them when it
    /// is taken off its last network, and writes them anew only at its next start (seen with Docker 20.10).
    pub(super) async fn forgotten(&self, node: &Node, now: &Container) -> Vec<String> {
        if !now.running || now.paused || now.extra_hosts.is_empty() {
            return Vec::new();
        }
        let asked = self
            .engine
            .exec(&node.facts.id, &["cat", "/etc/hosts"], NAMES)
            .await;
        match asked {
            Ok((text, 0)) => forgotten(&now.extra_hosts, &text),
            // What cannot be read there was not changed by name either.
            _ => Vec::new(),
        }
    }

    /// Writes forgotten names down again.
    async fn put_names_back(&self, node: &Node, now: &Container) -> Result<(), TargetError> {
        let lines = self.forgotten(node, now).await;
        if lines.is_empty() {
            return Ok(());
        }
        let what = format!("give {} the names in its /etc/hosts back", node.facts.name);
        let mut command = vec!["sh", "-c", "printf '%s\\n' \"$@\" >> /etc/hosts", "sh"];
        command.extend(lines.iter().map(String::as_str));
        let answer = self.engine.exec(&node.facts.id, &command, NAMES).await;
        shell::said(what, answer).map(|_| ())
    }

    /// Puts a node on a network as it was on it; `there` where it is on it otherwise.
    async fn put_on(
        &self,
        node: &Node,
        network: &str,
        before: &Attachment,
        there: bool,
    ) -> Result<(), TargetError> {
        let (name, id) = (&node.facts.name, &node.facts.id);
        let what = || format!("put {name} on the network {network} again");
        if there {
            let off = self.engine.disconnect(id, network).await;
            off.map_err(|error| TargetError::new(what(), error))?;
        }
        let connected = self.engine.connect_again(id, network, before).await;
        connected.map_err(|error| TargetError::new(what(), error))
    }
}

/// The lines that `/etc/hosts` lacks of these names.
fn forgotten(extra_hosts: &[String], text: &str) -> Vec<String> {
    let known = |address: &str, name: &str| {
        text.lines().any(|line| {
            let mut words = line.split_ascii_whitespace();
            words.next() == Some(address) && words.any(|word| word == name)
        })
    };
    let entries = extra_hosts.iter().filter_map(|entry| entry.split_once(':'));
    // What the engine itself stands for has another address in the file than here.
    let entries = entries.filter(|(_, address)| *address != "host-gateway");
    entries
        .filter(|(name, address)| !known(address, name))
        .map(|(name, address)| format!("{address}\t{name}"))
        .collect()
}

/// Whether a node is on a network under the names, and at the chosen address, that it had there.
fn is_as_before(before: &Attachment, now: &Attachment) -> bool {
    let named = before
        .aliases
        .iter()
        .all(|alias| now.aliases.contains(alias));
    let placed = match &before.fixed {
        // Before it runs it has no address yet, and one that is written for it.
        Some(fixed) => now.fixed.as_ref() == Some(fixed) || now.address == *fixed,
        None => true,
    };
    named && placed
}

/// What a node's networks lack of what they had, in words.
pub(super) fn missing(before: &NodeFacts, now: &Container) -> Option<String> {
    before.networks.iter().find_map(|(network, before_there)| {
        let name = &before.name;
        match now.networks.get(network) {
            None => Some(format!("{name} is not on the network {network}")),
            Some(there) if is_as_before(before_there, there) => None,
            Some(there) => Some(format!(
                "on the network {network} {name} has not the names and the address that it had ({} at {}, and now {} at {})",
                before_there.aliases.join(", "),
                before_there.fixed.as_deref().unwrap_or("any"),
                there.aliases.join(", "),
                there.address
            )),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::docker::client::Policy;
    use std::collections::BTreeMap;

    fn attached(aliases: &[&str], address: &str, fixed: Option<&str>) -> Attachment {
        Attachment {
            aliases: aliases.iter().map(|&alias| alias.to_owned()).collect(),
            address: address.to_owned(),
            fixed: fixed.map(str::to_owned),
            ..Attachment::default()
        }
    }

    fn said(before: Attachment, now: Option<Attachment>) -> Option<String> {
        let facts = NodeFacts {
            name: "postgres-1".to_owned(),
            id: "1f".to_owned(),
            container: "demo-postgres-1".to_owned(),
            member: "pg1".to_owned(),
            policy: Policy::none(),
            networks: BTreeMap::from([("back".to_owned(), before)]),
        };
        let container = Container {
            networks: now
                .into_iter()
                .map(|now| ("back".to_owned(), now))
                .collect(),
            ..Container::default()
        };
        missing(&facts, &container)
    }

    #[test]
    fn names_that_the_engine_forgot_are_found_and_its_own_are_left_to_it() {
        let wanted = [
            "etcd-1:10.0.0.21",
            "pg-2:10.0.0.12",
            "gateway:host-gateway",
            "six:fd00::1",
        ];
        let wanted = wanted.map(str::to_owned);
        let whole = "127.0.0.1 localhost\n10.0.0.21\tetcd-1\n10.0.0.12 other pg-2\nfd00::1 six\n";
        assert_eq!(forgotten(&wanted, whole), [""; 0]);
        let lost = forgotten(&wanted, "127.0.0.1 localhost\n10.0.0.9 pg-2\n");
        assert_eq!(
            lost,
            ["10.0.0.21\tetcd-1", "10.0.0.12\tpg-2", "fd00::1\tsix"]
        );
    }

    #[test]
    fn names_and_a_chosen_address_must_be_back_and_any_other_address_need_not() {
        let chosen = || attached(&["pg1", "postgres-1"], "10.0.0.2", Some("10.0.0.2"));
        let any = || attached(&["pg1"], "10.0.0.2", None);
        assert_eq!(said(chosen(), Some(chosen())), None);
        assert_eq!(
            said(any(), Some(attached(&["more", "pg1"], "10.0.0.9", None))),
            None
        );
        assert!(
            said(any(), None)
                .unwrap()
                .contains("is not on the network back")
        );
        let nameless = said(
            chosen(),
            Some(attached(&["pg1"], "10.0.0.2", Some("10.0.0.2"))),
        );
        assert!(nameless.unwrap().contains("has not the names"));
        let moved = said(
            chosen(),
            Some(attached(&["pg1", "postgres-1"], "10.0.0.9", None)),
        );
        assert!(moved.unwrap().contains("now pg1, postgres-1 at 10.0.0.9"));
    }
}
