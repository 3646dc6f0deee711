//! `slow_network`: what a node sends is late, is lost in part, or comes slowly; what is sent to it arrives as before.

use super::{Fault, Hit, facts_of, lacks};
use crate::drill::amount::{Rate, Share};
use crate::drill::duration::Duration;
use crate::event::cluster::ClusterSeen;
use crate::role::NodeRef;
use crate::target::{
    Capability, CutFrom, Outlet, Pace, Slowing, Slowness, Target, TargetError, Way,
};
use crate::undo::in_place;
use crate::undo::no_second_primary::{Lift, come_back, end};
use crate::undo::{Around, Standing, Undo};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is missing where a drill names nothing that would be slow, and what to do.
pub const NOTHING: &str = "write at least one of delay, loss and rate, such as rate: 1mbit";
/// The longest delay that can still be proven in the time there is.
pub const LONGEST_DELAY: Duration = Duration::from_secs(1);
/// A way must carry so much more than the rate, in tenths, for the rate to be what limits it.
const CLEARLY_MORE: u64 = 15;
/// What is measured may exceed the rate by so much, in tenths: a burst passes at once.
const AS_GOOD_AS: u64 = 12;

/// What a node sends is late, is lost in part, or comes slowly; what is sent to it arrives as before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlowNetwork {
    /// Name of the step, by which others refer to it.
    #[serde(default)]
    pub id: Option<String>,
    /// The node that is hit.
    pub node: NodeRef,
    /// To whom it sends slowly: clients, peers (the other nodes and whoever decides about failover) or all (the
    /// default).
    #[serde(default = "all")]
    pub to: CutFrom,
    /// How long each packet waits before it is sent, up to 1s. The kernel needs netem for it.
    #[serde(default)]
    pub delay: Option<Duration>,
    /// By how much longer or shorter at random, at most as much as `delay`; packets may overtake each other.
    #[serde(default)]
    pub jitter: Option<Duration>,
    /// Which share of the packets is lost at random, such as 5%. The kernel needs netem for it.
    #[serde(default)]
    pub loss: Option<Share>,
    /// How much is sent in a second at most, such as 1mbit.
    #[serde(default)]
    pub rate: Option<Rate>,
}

fn all() -> CutFrom {
    CutFrom::All
}

impl SlowNetwork {
    /// The field that cannot be as it is, what is wrong with it, and what to do; `None` where all is well.
    #[must_use]
    pub fn wrong(&self) -> Option<(&'static str, &'static str, &'static str)> {
        let given = |time: Option<Duration>| time.map_or(0, Duration::as_ms);
        let (delay, jitter) = (given(self.delay), given(self.jitter));
        if self.jitter.is_some() && jitter > delay {
            let wrong = "jitter is more than the delay that it varies";
            return Some(("jitter", wrong, "write a delay that is at least as long"));
        }
        if delay > LONGEST_DELAY.as_ms() {
            return Some((
                "delay",
                "nobody could prove so long a delay in time",
                "write up to 1s",
            ));
        }
        if self.how() == Slowness::default() {
            let field = if self.delay.is_some() { "delay" } else { "" };
            return Some((field, "this slows nothing down", NOTHING));
        }
        None
    }

    /// As a target is told.
    fn how(&self) -> Slowness {
        Slowness {
            bytes_per_second: self.rate.map_or(0, Rate::bytes_per_second),
            delay_ms: self.delay.map_or(0, Duration::as_ms),
            jitter_ms: self.jitter.map_or(0, Duration::as_ms),
            lost_per_million: self.loss.map_or(0, Share::per_million),
        }
    }

    /// How slow, in words.
    fn in_words(&self) -> String {
        let mut words = Vec::new();
        if let Some(delay) = self.delay {
            let jitter = self.jitter.map(|jitter| format!(" give or take {jitter}"));
            words.push(format!("{delay} late{}", jitter.unwrap_or_default()));
        }
        words.extend(self.loss.map(|loss| format!("{loss} of it lost")));
        words.extend(self.rate.map(|rate| format!("at most {rate} a second")));
        words.join(", ")
    }
}

fn whom(to: CutFrom) -> &'static str {
    match to {
        CutFrom::Clients => "clients",
        CutFrom::Peers => "the other nodes and whoever decides about failover",
        CutFrom::All => "everybody",
    }
}

fn slowing(target: &dyn Target) -> Result<&dyn Slowing, TargetError> {
    target
        .slowing()
        .ok_or_else(|| lacks("slow down what a node sends"))
}

#[async_trait]
impl Fault for SlowNetwork {
    fn name(&self) -> &'static str {
        "slow_network"
    }
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn needs(&self) -> Vec<Capability> {
        let mut needs = vec![match self.how().is_more_than_a_rate() {
            true => Capability::SlowDelay,
            false => Capability::SlowRate,
        }];
        if self.to != CutFrom::All {
            needs.push(Capability::SlowOneSide);
        }
        needs
    }
    fn describe(&self, node: &str) -> String {
        let (to, how) = (whom(self.to), self.in_words());
        let netem = match self.how().is_more_than_a_rate() {
            true => "; the kernel is asked for netem before anything is touched",
            false => "",
        };
        format!("slow down what {node} sends to {to}: {how}; nothing is refused{netem}")
    }
    fn describe_undo(&self, node: &str) -> String {
        format!(
            "let {node} send as before; where another node leads by then, take it down first and rejoin it"
        )
    }
    fn takes_node(&self) -> bool {
        false
    }
    fn limit(&self) -> std::time::Duration {
        // Each way is measured by itself, for some seconds, and what waits in a queue may have to drain first.
        std::time::Duration::from_secs(45)
    }
    async fn prepare(
        &self,
        target: &dyn Target,
        hit: &Hit,
        _seen: &ClusterSeen,
    ) -> Result<Box<dyn Undo>, TargetError> {
        let what = || format!("slow down what {} sends", hit.node);
        if let Some((_, wrong, help)) = self.wrong() {
            return Err(TargetError::new(what(), format!("{wrong}: {help}")));
        }
        let how = self.how();
        let outlets = slowing(target)?.outlets(&hit.node, self.to, &how).await?;
        for outlet in &outlets {
            if let Err(why) = can_show(&how, &outlet.before) {
                return Err(TargetError::new(
                    what(),
                    format!("from {}: {why}", outlet.way),
                ));
            }
        }
        Ok(Box::new(Slowed {
            hit: hit.clone(),
            how,
            outlets,
        }))
    }
    async fn inject(
        &self,
        target: &dyn Target,
        _hit: &Hit,
        undo: &dyn Undo,
    ) -> Result<(), TargetError> {
        let slowed = of(undo)?;
        slowing(target)?.slow(&slowed.ways(), &slowed.how).await
    }
    async fn effect(
        &self,
        target: &dyn Target,
        _hit: &Hit,
        undo: &dyn Undo,
    ) -> Result<Option<String>, TargetError> {
        let slowed = of(undo)?;
        let now = slowing(target)?.pace(&slowed.ways(), &slowed.how).await?;
        let mut proofs = Vec::new();
        for (outlet, now) in slowed.outlets.iter().zip(&now) {
            match shows(&slowed.how, &outlet.before, now) {
                Some(proof) => proofs.push(format!("from {} {proof}", outlet.way)),
                None => return Ok(None),
            }
        }
        Ok((!proofs.is_empty()).then(|| format!("{}; found out by UDP", proofs.join("; "))))
    }
}

/// Whether a way is good enough as it is, for a slowness to show.
fn can_show(how: &Slowness, before: &Pace) -> Result<(), String> {
    if before.answered < before.said {
        let (answered, said) = (before.answered, before.said);
        return Err(format!(
            "{answered} of {said} packets pass as it is; a network that is ill already proves nothing"
        ));
    }
    if how.delay_ms > 0 && before.round_trip_us > how.delay_ms * 500 {
        return Err(format!(
            "answers take {} us as it is, so that nobody could tell a delay of {} ms from it: write a longer one",
            before.round_trip_us, how.delay_ms
        ));
    }
    if how.bytes_per_second > 0 {
        let carried = before.bytes_per_second.unwrap_or_default();
        if carried < how.bytes_per_second * CLEARLY_MORE / 10 {
            return Err(format!(
                "it carries {} as it is, so that nobody could tell {} from it: write a lower rate",
                in_bits(carried),
                in_bits(how.bytes_per_second)
            ));
        }
    }
    Ok(())
}

/// The proof that a way is slow as it should be; `None` where its pace does not show it.
fn shows(how: &Slowness, before: &Pace, now: &Pace) -> Option<String> {
    let mut proofs = Vec::new();
    if how.delay_ms > 0 {
        // The median of the delays is the delay; half of the jitter, and a tenth, are left to chance.
        let least = (how.delay_ms * 1000).saturating_sub(how.jitter_ms * 500) * 9 / 10;
        let longer = now.round_trip_us.saturating_sub(before.round_trip_us);
        if now.answered == 0 || longer < least {
            return None;
        }
        let ms = |us: u64| format!("{}.{} ms", us / 1000, us % 1000 / 100);
        proofs.push(format!(
            "an answer takes {} and took {}",
            ms(now.round_trip_us),
            ms(before.round_trip_us)
        ));
    }
    if how.lost_per_million > 0 {
        // Nothing was lost before.
        if now.answered >= now.said {
            return None;
        }
        proofs.push(format!(
            "{} of {} packets are lost and none was",
            now.said - now.answered,
            now.said
        ));
    }
    if how.bytes_per_second > 0 {
        let carried = now.bytes_per_second?;
        if carried > how.bytes_per_second * AS_GOOD_AS / 10 {
            return None;
        }
        let carried_before = before.bytes_per_second.unwrap_or_default();
        proofs.push(format!(
            "{} pass a second and {} did",
            in_bits(carried),
            in_bits(carried_before)
        ));
    }
    Some(proofs.join(", "))
}

/// Bytes a second as networks are told.
fn in_bits(bytes_per_second: u64) -> String {
    let bits = bytes_per_second.saturating_mul(8);
    let (unit, worth) = match bits {
        1_000_000_000.. => ("Gbit", 1_000_000_000),
        1_000_000.. => ("Mbit", 1_000_000),
        _ => ("kbit", 1000),
    };
    format!("{}.{:02} {unit}", bits / worth, bits % worth * 100 / worth)
}

/// A node that sends slowly.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Slowed {
    hit: Hit,
    how: Slowness,
    outlets: Vec<Outlet>,
}

pub(super) fn from_facts(facts: &serde_json::Value) -> Option<Box<dyn Undo>> {
    let undo = Slowed::deserialize(facts).ok()?;
    Some(Box::new(undo))
}

/// The facts of an undo that this file made.
fn of(undo: &dyn Undo) -> Result<Slowed, TargetError> {
    Slowed::deserialize(undo.facts())
        .map_err(|error| TargetError::new("read what is to be slowed down", error))
}

impl Slowed {
    fn ways(&self) -> Vec<Way> {
        let ways = self.outlets.iter().map(|outlet| outlet.way.clone());
        ways.collect()
    }

    /// The node's own addresses.
    fn addresses(&self) -> Vec<String> {
        let ways = self.outlets.iter();
        ways.map(|outlet| outlet.way.from.address.clone()).collect()
    }

    /// What of it is still slow.
    async fn left(&self, target: &dyn Target) -> Result<Option<String>, TargetError> {
        let node = &self.hit.node;
        let mut slowed = slowing(target)?.slowed(node).await?;
        let addresses = self.addresses();
        slowed.retain(|address| addresses.contains(address));
        Ok((!slowed.is_empty())
            .then(|| format!("{node} still sends slowly from {}", slowed.join(", "))))
    }
}

#[async_trait]
impl Undo for Slowed {
    fn fault(&self) -> &'static str {
        "slow_network"
    }
    fn facts(&self) -> serde_json::Value {
        facts_of(self)
    }
    fn holds_node(&self) -> bool {
        false
    }
    async fn standing(&self, target: &dyn Target) -> Result<Standing, TargetError> {
        match self.left(target).await? {
            Some(what) => Ok(Standing::Missing(what)),
            None => in_place::as_before(target, &self.hit.node).await,
        }
    }
    async fn put_back(&self, target: &dyn Target, around: &Around<'_>) -> Result<(), TargetError> {
        come_back(target, &self.hit, Lift::Free(&self.addresses()), around).await
    }
    async fn release(&self, target: &dyn Target) -> Result<(), TargetError> {
        end(target, &self.hit.node, Lift::Free(&self.addresses())).await
    }
    async fn released(&self, target: &dyn Target) -> Result<Standing, TargetError> {
        Ok(match self.left(target).await? {
            Some(what) => Standing::Missing(what),
            None => Standing::Back(format!("{} sends as before", self.hit.node)),
        })
    }
}

#[cfg(test)]
#[path = "slow_network_tests.rs"]
mod tests;
