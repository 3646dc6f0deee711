//! Losing packets between a node and others: an entry for the address of whoever is to receive, in the network of
//! whoever sends, with a hardware address that nobody has. The sender's kernel sends, and no machine on that network
//! takes it: nothing is refused, nothing is reset.
//!
//! An entry lasts until it is dropped, or its container has a new network, which is as good. It is told from
//! anybody else's by that hardware address, and nobody else's is touched. Whether packets pass is found out by sending
//! some, each way by itself: by UDP, because TCP needs both ways for a single answer.

use super::client::{Attachment, Rights};
use super::docker_target::DockerTarget;
use super::found::DRILLABLE;
use super::sounding::passing;
use crate::target::{Direction, End, Losses, Others, Packets, TargetError, Way};
use async_trait::async_trait;
use std::collections::BTreeMap;

/// A container at the other side.
struct Other {
    name: String,
    id: String,
    /// It says that it may be broken.
    drillable: bool,
    networks: BTreeMap<String, Attachment>,
}

#[async_trait]
impl Packets for DockerTarget {
    async fn between(
        &self,
        node: &str,
        others: Others,
        direction: Direction,
    ) -> Result<Losses, TargetError> {
        let found = self.node(node)?;
        let now = self.look_at(found).await?;
        let others = self.others(node, others).await?;
        let mut losses = Losses::default();
        for other in &others {
            let what = || format!("lose packets between {node} and {}", other.name);
            let pairs = both_on(&now.networks, &other.networks);
            if pairs.is_empty() {
                return Err(TargetError::new(
                    what(),
                    "no network has both, and only packets that nobody passes on can be lost: put both on one, or \
                     take the node off its networks (from: peers or all, direction: both)",
                ));
            }
            if direction != Direction::Out && !other.drillable {
                return Err(TargetError::new(
                    what(),
                    format!(
                        "{} sends there, and does not say that it may be broken: add the label `{DRILLABLE}: \
                         \"true\"` to it, or lose only what the node itself sends (direction: out)",
                        other.name
                    ),
                ));
            }
            for (own, its) in pairs {
                let own = end(node, &found.facts.id, own);
                let its = end(&other.name, &other.id, its);
                let out = Way {
                    from: own.clone(),
                    to: its.clone(),
                };
                let back = Way { from: its, to: own };
                match direction {
                    Direction::Both => losses.lost.extend([out, back]),
                    Direction::Out => {
                        losses.lost.push(out);
                        losses.open.push(back);
                    }
                    Direction::In => {
                        losses.lost.push(back);
                        losses.open.push(out);
                    }
                }
            }
        }
        self.can_be_lost(&losses).await?;
        let ways: Vec<Way> = losses.lost.iter().chain(&losses.open).cloned().collect();
        let passing = self.passing(&ways).await?;
        match ways.iter().find(|way| !passing.contains(way)) {
            Some(way) => Err(TargetError::new(
                format!("cut {node}"),
                format!("packets do not pass from {way} as it is"),
            )),
            None => Ok(losses),
        }
    }

    async fn lose(&self, losses: &Losses) -> Result<(), TargetError> {
        let places = places(&losses.lost, Rights::Network, Rights::Nobody);
        let mut hands = self.hands_in(&places).await?;
        for way in &losses.lost {
            let failed = |why: String| TargetError::new(format!("lose packets from {way}"), why);
            let gone = || failed(format!("{} does not run", way.from.name));
            let hand = hands.get_mut(&way.from.place).ok_or_else(gone)?;
            let asked = hand.ask(&format!("lose {}", way.to.address)).await;
            asked.map_err(failed)?;
        }
        self.keep(hands);
        Ok(())
    }

    async fn pass(&self, losses: &Losses) -> Result<(), TargetError> {
        let mut senders = places(&losses.lost, Rights::Network, Rights::Nobody);
        senders.retain(|_, (_, rights)| *rights == Rights::Network);
        let mut hands = self.hands_in(&senders).await?;
        for way in &losses.lost {
            if let Some(hand) = hands.get_mut(&way.from.place) {
                let asked = hand.ask(&format!("pass {}", way.to.address)).await;
                asked
                    .map_err(|why| TargetError::new(format!("let packets pass from {way}"), why))?;
            }
        }
        self.keep(hands);
        Ok(())
    }

    async fn passing(&self, ways: &[Way]) -> Result<Vec<Way>, TargetError> {
        let places = places(ways, Rights::Nobody, Rights::Nobody);
        let mut hands = self.hands_in(&places).await?;
        let passing = passing(&mut hands, ways).await;
        let passing =
            passing.map_err(|why| TargetError::new("find out whether packets pass", why))?;
        self.keep(hands);
        Ok(passing)
    }

    async fn left(&self, losses: &Losses) -> Result<Option<String>, TargetError> {
        let places = places(&losses.lost, Rights::Nobody, Rights::Nobody);
        let mut hands = self.hands_in(&places).await?;
        let mut left = None;
        for way in &losses.lost {
            if let Some(hand) = hands.get_mut(&way.from.place) {
                // Where no way leads there any more, none is cut off by us.
                let how = hand.ask(&format!("look {}", way.to.address)).await;
                if how.is_ok_and(|how| how == "lost") {
                    left = Some(format!("packets are still lost from {way}"));
                }
            }
        }
        self.keep(hands);
        if left.is_some() {
            return Ok(left);
        }
        let mut there = Vec::new();
        for way in losses.lost.iter().chain(&losses.open) {
            if self.is_at(&way.from).await? && self.is_at(&way.to).await? {
                there.push(way.clone());
            }
        }
        let passing = self.passing(&there).await?;
        let missing = there.iter().find(|way| !passing.contains(way));
        Ok(missing.map(|way| format!("packets do not pass from {way}")))
    }

    async fn lost(&self, node: &str) -> Result<Losses, TargetError> {
        self.all_lost(node).await
    }
}

impl DockerTarget {
    /// Whether packets may be lost here at all, found out by a request that changes nothing.
    ///
    /// # Errors
    /// Why not, and what to do.
    pub(super) async fn may_lose_packets(&self) -> Result<(), TargetError> {
        let Some(node) = self.nodes.first() else {
            return Ok(());
        };
        let name = node.facts.name.clone();
        let place = (node.facts.id.clone(), (name.clone(), Rights::Network));
        let mut hands = self.hands_in(&BTreeMap::from([place])).await?;
        let failed = |why: String| TargetError::new(format!("change the network of {name}"), why);
        for hand in hands.values_mut() {
            let answer = hand.ask("may").await.map_err(failed)?;
            if answer != "yes" {
                return Err(failed(format!(
                    "{answer}; the engine must let a container have the capability NET_ADMIN"
                )));
            }
        }
        self.keep(hands);
        Ok(())
    }

    async fn others(&self, node: &str, others: Others) -> Result<Vec<Other>, TargetError> {
        let mut found = Vec::new();
        match others {
            Others::Nodes => {
                for other in self.nodes.iter().filter(|other| other.facts.name != node) {
                    let now = self.look_at(other).await?;
                    found.push(Other {
                        name: other.facts.name.clone(),
                        id: other.facts.id.clone(),
                        drillable: true,
                        networks: now.networks,
                    });
                }
            }
            Others::Dcs => {
                for member in self.dcs_members().await? {
                    let label = member.container.labels.get(DRILLABLE);
                    found.push(Other {
                        name: member.name,
                        drillable: label.is_some_and(|label| label == "true"),
                        id: member.container.id,
                        networks: member.container.networks,
                    });
                }
            }
        }
        Ok(found)
    }

    /// Refuses what could not be cut, or not wholly, before anything is touched.
    async fn can_be_lost(&self, losses: &Losses) -> Result<(), TargetError> {
        let all = losses.lost.iter().chain(&losses.open);
        let mut places_of_all = places(all, Rights::Nobody, Rights::Nobody);
        places_of_all.extend(
            places(&losses.lost, Rights::Network, Rights::Nobody)
                .into_iter()
                .filter(|(_, (_, rights))| *rights == Rights::Network),
        );
        let mut hands = self.hands_in(&places_of_all).await?;
        for way in &losses.lost {
            let failed = |why: String| TargetError::new(format!("lose packets from {way}"), why);
            let gone = || failed(format!("{} does not run", way.from.name));
            let hand = hands.get_mut(&way.from.place).ok_or_else(gone)?;
            let six = hand.ask("six").await.map_err(failed)?;
            if six == "yes" {
                return Err(failed(format!(
                    "{} has addresses of IPv6 as well, by which packets would go on passing; only a whole network \
                     can be taken off there (from: peers or all, direction: both)",
                    way.from.name
                )));
            }
            let question = format!("look {}", way.to.address);
            match hand.ask(&question).await.map_err(failed)?.as_str() {
                "direct" => {}
                "lost" => return Err(failed("they are lost already".to_owned())),
                "held" => {
                    return Err(failed(
                        "somebody has set by hand who has that address, and firedrill replaces nobody's entry"
                            .to_owned(),
                    ));
                }
                other => {
                    return Err(failed(format!(
                        "it is not reached directly but {other}, and only packets on a network that both are on can \
                         be lost"
                    )));
                }
            }
        }
        self.keep(hands);
        Ok(())
    }

    /// Whether an end runs and has its address still.
    async fn is_at(&self, end: &End) -> Result<bool, TargetError> {
        match self.engine.inspect(&end.place).await {
            Ok(now) => Ok(now.running
                && now
                    .networks
                    .values()
                    .any(|network| network.address == end.address)),
            Err(error) if error.is_missing() => Ok(false),
            Err(error) => Err(TargetError::new(format!("look at {}", end.name), error)),
        }
    }
}

fn end(name: &str, place: &str, address: &str) -> End {
    End {
        name: name.to_owned(),
        place: place.to_owned(),
        address: address.to_owned(),
    }
}

/// The addresses of two containers on each network that both are on.
fn both_on<'a>(
    one: &'a BTreeMap<String, Attachment>,
    other: &'a BTreeMap<String, Attachment>,
) -> Vec<(&'a str, &'a str)> {
    let pairs = one.iter().filter_map(|(network, at)| {
        let there = other.get(network)?;
        let known = !at.address.is_empty() && !there.address.is_empty();
        known.then_some((at.address.as_str(), there.address.as_str()))
    });
    pairs.collect()
}

/// The containers at both ends of ways, with what those must be allowed that send, and those that receive.
fn places<'a>(
    ways: impl IntoIterator<Item = &'a Way>,
    sending: Rights,
    receiving: Rights,
) -> BTreeMap<String, (String, Rights)> {
    let mut places: BTreeMap<String, (String, Rights)> = BTreeMap::new();
    for way in ways {
        for (end, rights) in [(&way.from, sending), (&way.to, receiving)] {
            let place = places
                .entry(end.place.clone())
                .or_insert_with(|| (end.name.clone(), rights));
            if rights == Rights::Network {
                place.1 = Rights::Network;
            }
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(networks: &[(&str, &str)]) -> BTreeMap<String, Attachment> {
        let networks = networks.iter().map(|&(name, address)| {
            let attachment = Attachment {
                address: address.to_owned(),
                ..Attachment::default()
            };
            (name.to_owned(), attachment)
        });
        networks.collect()
    }

    #[test]
    fn only_networks_that_have_both_with_an_address_count() {
        let node = at(&[("back", "10.0.1.1"), ("front", "10.0.0.1"), ("third", "")]);
        let etcd = at(&[
            ("back", "10.0.1.21"),
            ("other", "10.0.2.21"),
            ("third", "10.0.3.21"),
        ]);
        assert_eq!(both_on(&node, &etcd), [("10.0.1.1", "10.0.1.21")]);
        assert_eq!(both_on(&node, &at(&[])), []);
    }

    #[test]
    fn whoever_sends_once_has_the_rights_of_a_sender() {
        let (one, two) = (end("a", "id-a", "10.0.0.1"), end("b", "id-b", "10.0.0.2"));
        let out = Way {
            from: one.clone(),
            to: two.clone(),
        };
        let back = Way { from: two, to: one };
        let rights = |ways: &[Way]| -> Vec<Rights> {
            let places = places(ways, Rights::Network, Rights::Nobody);
            places.into_values().map(|(_, rights)| rights).collect()
        };
        assert_eq!(
            rights(std::slice::from_ref(&out)),
            [Rights::Network, Rights::Nobody]
        );
        assert_eq!(rights(&[out, back]), [Rights::Network, Rights::Network]);
    }
}
