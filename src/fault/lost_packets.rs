//! What a `cut` loses packet by packet, and how that is undone: from the store of the leader key alone, or one way
//! alone. The node stays on its networks.

use super::{Hit, facts_of, lacks};
use crate::target::{Losses, Packets, Target, TargetError, Way};
use crate::undo::in_place;
use crate::undo::no_second_primary::{Lift, come_back, end};
use crate::undo::{Around, Standing, Undo};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// A node between which and others packets are lost.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LostPackets {
    pub(super) hit: Hit,
    pub(super) losses: Losses,
}

pub(super) fn from_facts(facts: &serde_json::Value) -> Option<Box<dyn Undo>> {
    let undo = LostPackets::deserialize(facts).ok()?;
    Some(Box::new(undo))
}

/// The facts of an undo that this file made.
fn of(undo: &dyn Undo) -> Result<LostPackets, TargetError> {
    LostPackets::deserialize(undo.facts())
        .map_err(|error| TargetError::new("read which packets are to be lost", error))
}

fn packets(target: &dyn Target) -> Result<&dyn Packets, TargetError> {
    target.packets().ok_or_else(|| lacks("lose single packets"))
}

/// Loses them.
pub(super) async fn lose(target: &dyn Target, undo: &dyn Undo) -> Result<(), TargetError> {
    packets(target)?.lose(&of(undo)?.losses).await
}

/// The proof that they are lost, each way by itself, and that the others pass.
pub(super) async fn effect(
    target: &dyn Target,
    undo: &dyn Undo,
) -> Result<Option<String>, TargetError> {
    let LostPackets { hit, losses } = of(undo)?;
    let node = &hit.node;
    let network = target.network().ok_or_else(|| lacks("cut a node"))?;
    let lives = network.lives(node).await?;
    if lives == Some(false) {
        return Ok(None);
    }
    let ways: Vec<Way> = losses.lost.iter().chain(&losses.open).cloned().collect();
    let passing = packets(target)?.passing(&ways).await?;
    let lost = losses.lost.iter().all(|way| !passing.contains(way));
    let open = losses.open.iter().all(|way| passing.contains(way));
    if !lost || !open {
        return Ok(None);
    }
    let back = match losses.open.as_slice() {
        [] => String::new(),
        open => format!(", and packets pass from {}", in_words(open)),
    };
    Ok(Some(format!(
        "{node} lives, packets are lost from {}{back}; found out by UDP, connections that are open stay so",
        in_words(&losses.lost)
    )))
}

/// Ways in one line: who sends to whom, on whatever networks.
fn in_words(ways: &[Way]) -> String {
    let mut senders: Vec<(&str, Vec<&str>)> = Vec::new();
    for way in ways {
        let (from, to) = (way.from.name.as_str(), way.to.name.as_str());
        match senders.iter_mut().find(|(name, _)| *name == from) {
            Some((_, all)) if all.contains(&to) => {}
            Some((_, all)) => all.push(to),
            None => senders.push((from, vec![to])),
        }
    }
    let mut groups: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
    for (from, to) in senders {
        match groups.iter_mut().find(|(_, all)| *all == to) {
            Some((all, _)) => all.push(from),
            None => groups.push((vec![from], to)),
        }
    }
    let groups = groups
        .into_iter()
        .map(|(from, to)| format!("{} to {}", from.join(", "), to.join(", ")));
    groups.collect::<Vec<_>>().join("; ")
}

#[async_trait]
impl Undo for LostPackets {
    fn fault(&self) -> &'static str {
        "cut"
    }
    fn facts(&self) -> serde_json::Value {
        facts_of(self)
    }
    async fn standing(&self, target: &dyn Target) -> Result<Standing, TargetError> {
        match packets(target)?.left(&self.losses).await? {
            Some(what) => Ok(Standing::Missing(what)),
            None => in_place::as_before(target, &self.hit.node).await,
        }
    }
    async fn put_back(&self, target: &dyn Target, around: &Around<'_>) -> Result<(), TargetError> {
        come_back(target, &self.hit, Lift::Pass(&self.losses), around).await
    }
    async fn release(&self, target: &dyn Target) -> Result<(), TargetError> {
        end(target, &self.hit.node, Lift::Pass(&self.losses)).await
    }
    async fn released(&self, target: &dyn Target) -> Result<Standing, TargetError> {
        Ok(match packets(target)?.left(&self.losses).await? {
            Some(what) => Standing::Missing(what),
            None => Standing::Back(format!(
                "packets pass again from {}",
                in_words(&self.losses.lost)
            )),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::undo_from_journal;
    use crate::target::End;

    fn end(name: &str, address: &str) -> End {
        End {
            name: name.to_owned(),
            place: format!("id of {name}"),
            address: address.to_owned(),
        }
    }

    fn way(from: (&str, &str), to: (&str, &str)) -> Way {
        Way {
            from: end(from.0, from.1),
            to: end(to.0, to.1),
        }
    }

    #[test]
    fn a_journal_gives_back_which_packets_were_lost() {
        let (pg, etcd) = (("pg-1", "10.0.0.1"), ("etcd-1", "10.0.0.21"));
        let undo = LostPackets {
            hit: Hit {
                node: "pg-1".to_owned(),
                role: "primary".to_owned(),
                timeline: 3,
            },
            losses: Losses {
                lost: vec![way(pg, etcd)],
                open: vec![way(etcd, pg)],
            },
        };
        let again = undo_from_journal("cut", &undo.facts()).unwrap();
        assert_eq!(again.facts(), undo.facts());
    }

    #[test]
    fn ways_are_told_by_who_sends_to_whom() {
        let (pg, again) = (("pg-1", "10.0.0.1"), ("pg-1", "10.0.1.1"));
        let (two, three) = (("pg-2", "10.0.0.2"), ("pg-3", "10.0.0.3"));
        let ways = [
            way(pg, two),
            way(again, two),
            way(pg, three),
            way(two, pg),
            way(three, pg),
            way(three, again),
        ];
        insta::assert_snapshot!(in_words(&ways), @"pg-1 to pg-2, pg-3; pg-2, pg-3 to pg-1");
    }
}
