//! Packets that are lost by entries of firedrill's, found by these alone: for an undo that no journal tells what was cut.

use super::client::{Container, Rights};
use super::docker_target::DockerTarget;
use crate::target::{End, Losses, TargetError, Way};
use std::collections::BTreeMap;

impl DockerTarget {
    /// Every way from or to a node on which packets are lost.
    ///
    /// # Errors
    /// When it cannot be told.
    pub(super) async fn all_lost(&self, node: &str) -> Result<Losses, TargetError> {
        let ends = self.known_ends().await?;
        let places = ends.iter().map(|(end, _)| {
            let place = (end.name.clone(), Rights::Nobody);
            (end.place.clone(), place)
        });
        let mut hands = self.hands_in(&places.collect()).await?;
        let mut lost = Vec::new();
        for (place, hand) in &mut hands {
            let said = hand.ask("lost").await;
            let said =
                said.map_err(|why| TargetError::new("find out which packets are lost", why))?;
            let sender = ends.iter().find(|(end, _)| end.place == *place);
            let Some((sender, own)) = sender else {
                continue;
            };
            for address in said.split_ascii_whitespace().skip(1) {
                lost.push(way(sender, own, address, &ends));
            }
        }
        self.keep(hands);
        lost.retain(|way| way.from.name == node || way.to.name == node);
        Ok(Losses {
            lost,
            open: Vec::new(),
        })
    }

    /// The nodes and everything beside them that is known, with their addresses. The addresses in the ends are empty.
    async fn known_ends(&self) -> Result<Vec<(End, Vec<String>)>, TargetError> {
        let mut ends: BTreeMap<String, (End, Vec<String>)> = BTreeMap::new();
        let beside = self.parts.iter().map(|(_, part)| part);
        for found in self.nodes.iter().chain(beside) {
            match self.inspect(found).await {
                Ok(now) => {
                    ends.insert(now.id.clone(), known(&found.facts.name, &now));
                }
                // With its network went what was set there.
                Err(error) if error.is_missing() => {}
                Err(error) => {
                    let what = format!("look at {}", found.facts.name);
                    return Err(TargetError::new(what, error));
                }
            }
        }
        // Where the target file names no store, whoever holds the leader key was found by asking the nodes.
        for member in self.dcs_members().await.unwrap_or_default() {
            let now = member.container;
            let id = now.id.clone();
            ends.entry(id).or_insert_with(|| known(&member.name, &now));
        }
        Ok(ends.into_values().collect())
    }
}

fn known(name: &str, container: &Container) -> (End, Vec<String>) {
    let end = End {
        name: name.to_owned(),
        place: container.id.clone(),
        address: String::new(),
    };
    let addresses = container.networks.values().map(|at| at.address.clone());
    (end, addresses.filter(|at| !at.is_empty()).collect())
}

/// From a sender to whoever has an address; an address that nobody known has stands for itself.
fn way(sender: &End, own: &[String], address: &str, ends: &[(End, Vec<String>)]) -> Way {
    let has = |all: &&(End, Vec<String>)| all.1.iter().any(|at| at == address);
    let receiver = ends.iter().find(has).map(|(end, _)| end);
    let receiver = receiver.cloned().unwrap_or_else(|| End {
        name: address.to_owned(),
        place: String::new(),
        address: String::new(),
    });
    Way {
        from: End {
            address: own.first().cloned().unwrap_or_default(),
            ..sender.clone()
        },
        to: End {
            address: address.to_owned(),
            ..receiver
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_leads_to_whoever_has_the_address() {
        let end = |name: &str, at: &str| {
            let end = End {
                name: name.to_owned(),
                place: format!("id of {name}"),
                address: String::new(),
            };
            (end, vec![at.to_owned()])
        };
        let ends = [end("pg-1", "10.0.0.1"), end("etcd-1", "10.0.0.21")];
        let (sender, own) = &ends[1];
        let found = way(sender, own, "10.0.0.1", &ends);
        assert_eq!(found.to_string(), "etcd-1 to pg-1 at 10.0.0.1");
        assert_eq!(found.from.address, "10.0.0.21");
        let unknown = way(sender, own, "10.0.0.9", &ends);
        assert_eq!(unknown.to_string(), "etcd-1 to 10.0.0.9 at 10.0.0.9");
    }
}
