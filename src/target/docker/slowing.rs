//! Slowing down what a node sends: a queue before its interface on a network, set by a hand in that network. What it
//! comes to is measured from there to another node on the same network.
//!
//! A queue lasts until it is dropped, or the container has a new network. It is told from anybody else's by its handle,
//! and nobody else's is touched.

use super::client::Rights;
use super::docker_target::DockerTarget;
use super::hands::Hand;
use crate::target::{Capability, CutFrom, End, Outlet, Pace, Slowing, Slowness, TargetError, Way};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::sleep;

/// Words that show a delay.
const WORDS: u64 = 50;
/// More would take too long to be said.
const MOST_WORDS: u64 = 1000;
/// How long answers may take where nothing is slow, in milliseconds.
const ANSWERED_MS: u64 = 500;
/// What a flood sends in one packet.
const PACKET: u64 = 1400;
/// The longest packet of a network that is no loopback, with its frame: so much may pass at once at any rate.
const LONGEST: u64 = 9018;
/// More would disturb what it is to measure.
const MOST_BYTES: u64 = 8_000_000;

type Hands = BTreeMap<String, Hand>;

#[async_trait]
impl Slowing for DockerTarget {
    async fn outlets(
        &self,
        node: &str,
        to: CutFrom,
        how: &Slowness,
    ) -> Result<Vec<Outlet>, TargetError> {
        let what = || format!("slow down what {node} sends");
        let ways = self.ways_of(node, to).await?;
        let mut hands = self.hands_of(&ways, Rights::Network).await?;
        for way in &ways {
            let question = format!("queue {}", way.from.address);
            match ask(&mut hands, &way.from, &question).await?.as_str() {
                "free" => {}
                "ours" => return Err(TargetError::new(what(), "it is slowed down already")),
                held => {
                    return Err(TargetError::new(
                        what(),
                        format!(
                            "before its interface with {} stands a queue of somebody else ({held}), and firedrill \
                             replaces nobody's: take it away first (tc qdisc del dev … root), or leave this network \
                             as it is (to:)",
                            way.from.address
                        ),
                    ));
                }
            }
        }
        let mut outlets = Vec::new();
        for way in ways {
            let before = pace(&mut hands, &way, how, ANSWERED_MS).await?;
            outlets.push(Outlet { way, before });
        }
        self.keep(hands);
        Ok(outlets)
    }

    async fn slow(&self, ways: &[Way], how: &Slowness) -> Result<(), TargetError> {
        let mut hands = self.hands_of(ways, Rights::Network).await?;
        for way in ways {
            let question = format!(
                "slow {} {} {} {} {}",
                way.from.address,
                how.bytes_per_second,
                how.delay_ms * 1000,
                how.jitter_ms * 1000,
                how.lost_per_million
            );
            ask(&mut hands, &way.from, &question).await?;
        }
        self.keep(hands);
        Ok(())
    }

    async fn pace(&self, ways: &[Way], how: &Slowness) -> Result<Vec<Pace>, TargetError> {
        let mut hands = self.hands_of(ways, Rights::Nobody).await?;
        let mut paces = Vec::new();
        let wait = ANSWERED_MS + how.delay_ms + how.jitter_ms;
        for way in ways {
            paces.push(pace(&mut hands, way, how, wait).await?);
        }
        self.keep(hands);
        Ok(paces)
    }

    async fn free(&self, node: &str, addresses: &[String]) -> Result<(), TargetError> {
        let mut hands = self.hands_at(node).await?;
        for hand in hands.values_mut() {
            for address in addresses {
                let asked = hand.ask(&format!("free {address}")).await;
                asked.map_err(|why| {
                    TargetError::new(format!("let {node} send as before from {address}"), why)
                })?;
            }
        }
        self.keep(hands);
        Ok(())
    }

    async fn slowed(&self, node: &str) -> Result<Vec<String>, TargetError> {
        let mut hands = self.hands_at(node).await?;
        let mut slowed = Vec::new();
        for hand in hands.values_mut() {
            let said = hand.ask("slowed").await;
            let said =
                said.map_err(|why| TargetError::new(format!("look at how {node} sends"), why))?;
            slowed.extend(said.split_ascii_whitespace().skip(1).map(str::to_owned));
        }
        self.keep(hands);
        Ok(slowed)
    }
}

impl DockerTarget {
    /// What it can slow down, and why it cannot do the rest: each kind of queue is asked for in a way that sets none.
    pub(super) async fn may_slow(&self) -> Vec<(Capability, Result<(), String>)> {
        let Some(node) = self.nodes.first() else {
            return Vec::new();
        };
        let kinds = [
            (Capability::SlowRate, "tbf"),
            (Capability::SlowDelay, "netem"),
        ];
        let mut hands = match self.hands_at(&node.facts.name).await {
            Ok(hands) => hands,
            Err(error) => {
                let why = error.to_string();
                return kinds.map(|(of, _)| (of, Err(why.clone()))).into();
            }
        };
        let mut may = Vec::new();
        for (capability, kind) in kinds {
            let mut answer = Err("it does not run".to_owned());
            for hand in hands.values_mut() {
                answer = hand.ask(&format!("may-slow {kind}")).await;
            }
            may.push((capability, judged(kind, answer)));
        }
        self.keep(hands);
        may
    }

    /// A hand that may change the network of a node; none where it does not run.
    async fn hands_at(&self, node: &str) -> Result<Hands, TargetError> {
        let found = self.node(node)?;
        let place = (found.facts.id.clone(), (node.to_owned(), Rights::Network));
        self.hands_in(&BTreeMap::from([place])).await
    }

    /// Hands at both ends; whoever answers needs no rights.
    async fn hands_of(&self, ways: &[Way], sending: Rights) -> Result<Hands, TargetError> {
        let mut places = BTreeMap::new();
        for way in ways {
            let to = (way.to.name.clone(), Rights::Nobody);
            places.insert(way.to.place.clone(), to);
        }
        for way in ways {
            let from = (way.from.name.clone(), sending);
            places.insert(way.from.place.clone(), from);
        }
        self.hands_in(&places).await
    }

    /// From each network of a node by which it sends to a side, to another node that is on it too.
    async fn ways_of(&self, node: &str, to: CutFrom) -> Result<Vec<Way>, TargetError> {
        let found = self.node(node)?;
        let now = self.look_at(found).await?;
        let mut others = Vec::new();
        for other in self.nodes.iter().filter(|other| other.facts.name != node) {
            let there = self.look_at(other).await?;
            if there.running {
                others.push((other, there));
            }
        }
        let mut ways = Vec::new();
        for network in self.facts.networks_of(&found.facts, to) {
            let failed = |why: &str| {
                TargetError::new(format!("slow down what {node} sends on {network}"), why)
            };
            let at = |networks: &BTreeMap<String, super::client::Attachment>| {
                let address = networks.get(&network).map(|at| at.address.clone());
                address.filter(|address| !address.is_empty())
            };
            let own = at(&now.networks).ok_or_else(|| failed("it is not on it"))?;
            let other = others
                .iter()
                .find_map(|(other, there)| Some((&other.facts, at(&there.networks)?)));
            let (other, address) = other.ok_or_else(|| {
                failed(
                    "no other node is on it to measure by, so that nothing could be proven there",
                )
            })?;
            let end = |name: &str, place: &str, address: String| End {
                name: name.to_owned(),
                place: place.to_owned(),
                address,
            };
            ways.push(Way {
                from: end(node, &found.facts.id, own),
                to: end(&other.name, &other.id, address),
            });
        }
        match ways.is_empty() {
            true => Err(TargetError::new(
                format!("slow down what {node} sends"),
                "it is on no network",
            )),
            false => Ok(ways),
        }
    }
}

/// What the answer to `may-slow` means.
fn judged(kind: &str, answer: Result<String, String>) -> Result<(), String> {
    let why = match answer.as_deref() {
        Ok("yes") => return Ok(()),
        Ok("unknown") => {
            let instead = match kind {
                "netem" => "limit a rate alone (rate:), or cut",
                _ => "cut",
            };
            return Err(format!(
                "the kernel of the engine's machine has no {kind}: `modprobe sch_{kind}` there, where it was built with \
                 it, else {instead}"
            ));
        }
        Ok(why) => why.trim_start_matches("no: "),
        Err(why) => why,
    };
    Err(format!(
        "whether the kernel of the engine's machine has {kind} could not be found out: {why}; the engine must let a \
         container have the capability NET_ADMIN"
    ))
}

/// How many words and bytes show such a slowness; what comes first of the bytes is left out.
fn amounts(how: &Slowness) -> (u64, u64, u64) {
    let words = match how.lost_per_million {
        0 => WORDS,
        // So many that three are lost.
        lost => (3_000_000 / lost).clamp(WORDS, MOST_WORDS),
    };
    let rate = how.bytes_per_second;
    let skip = (rate / 100).max(LONGEST) + PACKET;
    let bytes = skip + (rate * 3 / 10).clamp(8 * PACKET, MOST_BYTES);
    (words, skip, bytes)
}

async fn pace(
    hands: &mut Hands,
    way: &Way,
    how: &Slowness,
    wait_ms: u64,
) -> Result<Pace, TargetError> {
    let (words, skip, bytes) = amounts(how);
    let (from, to) = (&way.from, &way.to);
    let port = ask(hands, to, "answer").await?;
    let port = port.trim_start_matches("port ");
    let question = format!("time {} {port} {words} {wait_ms}", to.address);
    let [answered, round_trip_us] = numbers(&ask(hands, from, &question).await?);
    let mut found = Pace {
        said: words,
        answered,
        round_trip_us,
        bytes_per_second: None,
    };
    if let Some(drained_ms) = (bytes * 1000).checked_div(how.bytes_per_second) {
        // What was counted of others before is forgotten.
        ask(hands, to, "counted 0").await?;
        let question = format!("flood {} {port} {bytes}", to.address);
        ask(hands, from, &question).await?;
        // What still waits in the queue.
        let rest = drained_ms.min(3000) + 2 * how.delay_ms + 200;
        sleep(Duration::from_millis(rest)).await;
        let [counted, took_us] = numbers(&ask(hands, to, &format!("counted {skip}")).await?);
        found.bytes_per_second = (counted >= 2 * PACKET && took_us > 0)
            .then(|| counted.saturating_mul(1_000_000) / took_us);
    }
    Ok(found)
}

/// The two numbers of an answer.
fn numbers(answer: &str) -> [u64; 2] {
    let mut words = answer.split_ascii_whitespace().skip(1);
    [(); 2].map(|()| {
        let word = words.next().and_then(|word| word.parse().ok());
        word.unwrap_or_default()
    })
}

async fn ask(hands: &mut Hands, end: &End, question: &str) -> Result<String, TargetError> {
    let failed = |why: String| TargetError::new(format!("slow down packets at {}", end.name), why);
    match hands.get_mut(&end.place) {
        Some(hand) => hand.ask(question).await.map_err(failed),
        None => Err(failed("it does not run".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_without_netem_is_refused_with_a_next_step() {
        assert_eq!(judged("netem", Ok("yes".to_owned())), Ok(()));
        let absent = |kind| judged(kind, Ok("unknown".to_owned())).unwrap_err();
        insta::assert_snapshot!(absent("netem"), @"the kernel of the engine's machine has no netem: `modprobe sch_netem` there, where it was built with it, else limit a rate alone (rate:), or cut");
        insta::assert_snapshot!(absent("tbf"), @"the kernel of the engine's machine has no tbf: `modprobe sch_tbf` there, where it was built with it, else cut");
        let silent = judged("tbf", Err("no answer in 5 s".to_owned())).unwrap_err();
        assert!(
            silent.contains("could not be found out: no answer in 5 s"),
            "{silent}"
        );
        assert!(judged("netem", Ok("no: Operation not permitted".to_owned())).is_err());
    }

    #[test]
    fn as_much_is_sent_as_shows_it_and_no_more() {
        let rate = |bytes_per_second| Slowness {
            bytes_per_second,
            ..Slowness::default()
        };
        let loss = |lost_per_million| Slowness {
            lost_per_million,
            ..Slowness::default()
        };
        assert_eq!(amounts(&rate(125_000)), (50, 10_418, 47_918));
        assert_eq!(amounts(&rate(1_250_000_000)).2, 12_501_400 + MOST_BYTES);
        assert_eq!(amounts(&loss(50_000)).0, 60);
        assert_eq!(amounts(&loss(1000)).0, 1000);
        assert_eq!(numbers("heard 50 101"), [50, 101]);
        assert_eq!(numbers("heard"), [0, 0]);
    }
}
