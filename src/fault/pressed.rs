//! What `fill_disk`, `stress_cpu`, `stress_io` and `clock_step` have in common: something that presses on a node whose server goes on,
//! or tries to, and its way back.

use super::{Hit, facts_of, lacks};
use crate::role::NodeRef;
use crate::target::{Pressed, Pressure, Target, TargetError, Wanted};
use crate::undo::in_place;
use crate::undo::no_second_primary::{Lift, come_back};
use crate::undo::{Around, Standing, Undo};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long it may take to be there and to be seen: somebody must be let in, and more than once.
pub(super) const LIMIT: Duration = Duration::from_secs(60);
/// What a process of such a fault lives at most where no plan says how long the drill can take.
pub(super) const EXPIRES: Duration = Duration::from_secs(3600);
/// How long a server that is down may take to be there again by itself once nothing presses on it any more.
const BY_ITSELF: Duration = Duration::from_secs(20);

/// Makes an `impl Fault` of a type that has `wanted`, `proof` and the words of the rest.
macro_rules! presses {
    ($type:ident, $name:literal, $needs:ident, takes_node: $takes:literal) => {
        #[async_trait::async_trait]
        impl super::Fault for $type {
            fn name(&self) -> &'static str {
                $name
            }
            fn id(&self) -> Option<&str> {
                self.id.as_deref()
            }
            fn node(&self) -> &crate::role::NodeRef {
                &self.node
            }
            fn needs(&self) -> Vec<crate::target::Capability> {
                vec![crate::target::Capability::$needs]
            }
            fn describe(&self, node: &str) -> String {
                self.in_words(node)
            }
            fn describe_undo(&self, node: &str) -> String {
                Self::undo_in_words(node)
            }
            fn takes_node(&self) -> bool {
                $takes
            }
            fn limit(&self) -> std::time::Duration {
                super::pressed::LIMIT
            }
            fn bound(
                &self,
                binding: &super::template::Binding,
            ) -> Result<Option<std::sync::Arc<dyn super::Fault>>, crate::target::TargetError> {
                Ok(self.within(binding.longest))
            }
            async fn fits(
                &self,
                target: &dyn crate::target::Target,
            ) -> Result<(), crate::target::TargetError> {
                super::pressed::fits(target, &self.node, self.wanted()).await
            }
            async fn prepare(
                &self,
                target: &dyn crate::target::Target,
                hit: &super::Hit,
                _seen: &crate::event::cluster::ClusterSeen,
            ) -> Result<Box<dyn crate::undo::Undo>, crate::target::TargetError> {
                super::pressed::prepare(target, hit, $name, self.wanted()).await
            }
            async fn inject(
                &self,
                target: &dyn crate::target::Target,
                _hit: &super::Hit,
                undo: &dyn crate::undo::Undo,
            ) -> Result<(), crate::target::TargetError> {
                super::pressed::inject(target, undo).await
            }
            async fn effect(
                &self,
                target: &dyn crate::target::Target,
                _hit: &super::Hit,
                undo: &dyn crate::undo::Undo,
            ) -> Result<Option<String>, crate::target::TargetError> {
                let pressed = super::pressed::of(undo)?;
                Self::proof(super::pressed::pressure(target)?, &pressed).await
            }
        }
    };
}
pub(super) use presses;

pub(super) fn pressure(target: &dyn Target) -> Result<&dyn Pressure, TargetError> {
    target.pressure().ok_or_else(|| lacks("press on a node"))
}

/// Refuses what could not strike a node that may be meant: whoever leads by then is not known yet.
pub(super) async fn fits(
    target: &dyn Target,
    node: &NodeRef,
    wanted: Wanted,
) -> Result<(), TargetError> {
    let nodes = match node {
        NodeRef::Named(name) => vec![name.clone()],
        _ => target.nodes(),
    };
    let pressure = pressure(target)?;
    for node in &nodes {
        pressure.resolve(node, wanted).await?;
    }
    Ok(())
}

pub(super) async fn prepare(
    target: &dyn Target,
    hit: &Hit,
    fault: &'static str,
    wanted: Wanted,
) -> Result<Box<dyn Undo>, TargetError> {
    let pressed = pressure(target)?.resolve(&hit.node, wanted).await?;
    let (hit, holds) = (hit.clone(), fault == "fill_disk");
    Ok(Box::new(UnderPressure {
        hit,
        pressed,
        fault,
        holds,
    }))
}

pub(super) async fn inject(target: &dyn Target, undo: &dyn Undo) -> Result<(), TargetError> {
    pressure(target)?.press(&of(undo)?).await
}

/// What an undo of these faults is about.
pub(super) fn of(undo: &dyn Undo) -> Result<Pressed, TargetError> {
    UnderPressure::deserialize(undo.facts())
        .map(|undo| undo.pressed)
        .map_err(|error| TargetError::new("read what is to press on a node", error))
}

/// A node under pressure.
#[derive(Debug, Serialize, Deserialize)]
struct UnderPressure {
    hit: Hit,
    pressed: Pressed,
    #[serde(skip)]
    fault: &'static str,
    /// Its server may have gone down by it.
    #[serde(skip)]
    holds: bool,
}

pub(super) fn from_facts(fault: &'static str, facts: &serde_json::Value) -> Option<Box<dyn Undo>> {
    let undo = UnderPressure::deserialize(facts).ok()?;
    let holds = fault == "fill_disk";
    Some(Box::new(UnderPressure {
        fault,
        holds,
        ..undo
    }))
}

impl UnderPressure {
    fn gone(&self) -> String {
        let node = &self.hit.node;
        match self.fault {
            "fill_disk" => format!("the file that filled the disk of {node} is gone"),
            "clock_step" => format!("the clock of {node} is set as it was"),
            _ => format!("what pressed on {node} is gone"),
        }
    }
}

#[async_trait]
impl Undo for UnderPressure {
    fn fault(&self) -> &'static str {
        self.fault
    }
    fn facts(&self) -> serde_json::Value {
        facts_of(self)
    }
    fn holds_node(&self) -> bool {
        self.holds
    }
    async fn standing(&self, target: &dyn Target) -> Result<Standing, TargetError> {
        if let Some(what) = pressure(target)?.pressing_still(&self.pressed).await? {
            return Ok(Standing::Missing(what));
        }
        Ok(match in_place::as_before(target, &self.hit.node).await? {
            Standing::Back(proof) => Standing::Back(format!("{proof}; {}", self.gone())),
            missing => missing,
        })
    }
    async fn put_back(&self, target: &dyn Target, around: &Around<'_>) -> Result<(), TargetError> {
        // First, and whatever becomes of the node: a server does not start on a full disk.
        pressure(target)?.relieve(&self.pressed).await?;
        let begun = tokio::time::Instant::now();
        while begun.elapsed() < BY_ITSELF {
            let standing = in_place::as_before(target, &self.hit.node).await?;
            if matches!(standing, Standing::Back(_)) {
                return Ok(());
            }
            if let Some(power) = target.power()
                && power.running(&self.hit.node).await? == 0
            {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        come_back(target, &self.hit, Lift::Start, around).await
    }
    async fn release(&self, target: &dyn Target) -> Result<(), TargetError> {
        pressure(target)?.relieve(&self.pressed).await
    }
    async fn released(&self, target: &dyn Target) -> Result<Standing, TargetError> {
        let left = pressure(target)?.pressing_still(&self.pressed).await?;
        Ok(match left {
            Some(what) => Standing::Missing(what),
            None => Standing::Back(self.gone()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::undo_from_journal;
    use crate::target::{Spot, Weight};

    fn under(fault: &'static str, weight: Weight, spot: Option<Spot>) -> UnderPressure {
        UnderPressure {
            hit: Hit {
                node: "node-1".to_owned(),
                role: "primary".to_owned(),
                timeline: 1,
            },
            pressed: Pressed {
                node: "node-1".to_owned(),
                mark: "firedrill-r1-1".to_owned(),
                weight,
                spot,
                before: None,
            },
            fault,
            holds: fault == "fill_disk",
        }
    }

    #[test]
    fn the_journal_brings_the_same_undo_back() {
        let spot = Some(Spot {
            stem: "/var/lib/postgresql/".to_owned(),
            user: (101, 103),
        });
        let fill = Weight::Fill {
            at_most: 2 << 30,
            leave: 0,
            free: 1 << 30,
        };
        let (workers, seconds) = (2, 3600);
        for (fault, weight, spot) in [
            ("fill_disk", fill, spot.clone()),
            ("stress_cpu", Weight::Cpu { workers, seconds }, None),
            ("stress_io", Weight::Io { workers, seconds }, spot),
            (
                "clock_step",
                Weight::Clock {
                    by_ms: -120_000,
                    set_ms: 0,
                    ahead_ms: 3,
                },
                None,
            ),
        ] {
            let undo = under(fault, weight, spot);
            let again = undo_from_journal(fault, &undo.facts()).unwrap();
            assert_eq!(again.facts(), undo.facts());
            assert_eq!(again.fault(), fault);
            // Only a full disk keeps a server from answering.
            assert_eq!(again.holds_node(), fault == "fill_disk");
            assert_eq!(of(again.as_ref()).unwrap(), undo.pressed);
        }
    }

    #[test]
    fn the_first_mark_of_a_run_is_no_part_of_the_tenth() {
        let spot = |stem: &str| Spot {
            stem: stem.to_owned(),
            user: (0, 0),
        };
        let weight = Weight::Io {
            workers: 1,
            seconds: 1,
        };
        let one = under("stress_io", weight, Some(spot("/data/")));
        assert_eq!(
            one.pressed.files().as_deref(),
            Some("/data/firedrill-r1-1.")
        );
        assert_eq!(under("stress_cpu", weight, None).pressed.files(), None);
    }
}
