//! `lose_dcs` and `lose_router`: members of what stands beside the nodes are lost.
//!
//! The part is hit as a whole: one entry in the journal names the members that are lost, and one undo has all of
//! them back.

use super::{Fault, Hit, facts_of, lacks};
use crate::event::cluster::ClusterSeen;
use crate::role::NodeRef;
use crate::target::{Capability, Loss, Part, Parts, Target, TargetError};
use crate::undo::{Around, Standing, Undo};
use async_trait::async_trait;
use futures_util::future::{join_all, try_join_all};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;
use std::time::Duration;

/// Members of the store that holds the leader key are lost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoseDcs {
    /// Name of the step, by which others refer to it.
    #[serde(default)]
    pub id: Option<String>,
    /// How many of them, the last ones in declared order; all without it.
    #[serde(default)]
    pub members: Option<NonZeroU32>,
    /// kill (the default) or freeze.
    #[serde(default)]
    pub how: Loss,
}

/// What leads clients to the servers is lost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoseRouter {
    /// Name of the step, by which others refer to it.
    #[serde(default)]
    pub id: Option<String>,
    /// router (the default) or pooler.
    #[serde(default)]
    pub which: Way,
    /// How many of them, the last ones in declared order; all without it.
    #[serde(default)]
    pub members: Option<NonZeroU32>,
    /// kill (the default) or freeze.
    #[serde(default)]
    pub how: Loss,
}

/// By which way clients come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// What leads to the primary, or to a standby.
    #[default]
    Router,
    /// What keeps sessions to the servers.
    Pooler,
}

/// What both say.
#[derive(Clone, Copy, Debug)]
struct Loses {
    name: &'static str,
    part: Part,
    node: &'static NodeRef,
    members: Option<NonZeroU32>,
    how: Loss,
}

impl LoseDcs {
    fn loses(&self) -> Loses {
        Loses {
            name: "lose_dcs",
            part: Part::Dcs,
            node: &NodeRef::Part(Part::Dcs),
            members: self.members,
            how: self.how,
        }
    }
}

impl LoseRouter {
    fn loses(&self) -> Loses {
        let (part, node) = match self.which {
            Way::Router => (Part::Router, &NodeRef::Part(Part::Router)),
            Way::Pooler => (Part::Pooler, &NodeRef::Part(Part::Pooler)),
        };
        Loses {
            name: "lose_router",
            part,
            node,
            members: self.members,
            how: self.how,
        }
    }
}

/// A fault of this file says the same as the other one but for its name.
macro_rules! fault {
    ($loses:ty) => {
        #[async_trait]
        impl Fault for $loses {
            fn name(&self) -> &'static str {
                self.loses().name
            }
            fn id(&self) -> Option<&str> {
                self.id.as_deref()
            }
            fn node(&self) -> &NodeRef {
                self.loses().node
            }
            fn needs(&self) -> Vec<Capability> {
                vec![self.loses().part.capability()]
            }
            fn describe(&self, _node: &str) -> String {
                self.loses().describe()
            }
            fn describe_undo(&self, _node: &str) -> String {
                self.loses().describe_undo()
            }
            fn takes_node(&self) -> bool {
                false
            }
            async fn prepare(
                &self,
                target: &dyn Target,
                hit: &Hit,
                _seen: &ClusterSeen,
            ) -> Result<Box<dyn Undo>, TargetError> {
                self.loses().prepare(target, hit).await
            }
            async fn inject(
                &self,
                target: &dyn Target,
                _hit: &Hit,
                undo: &dyn Undo,
            ) -> Result<(), TargetError> {
                self.loses().inject(target, undo).await
            }
            async fn effect(
                &self,
                target: &dyn Target,
                _hit: &Hit,
                undo: &dyn Undo,
            ) -> Result<Option<String>, TargetError> {
                self.loses().effect(target, undo).await
            }
            fn limit(&self) -> Duration {
                LIMIT
            }
        }
    };
}

fault!(LoseDcs);
fault!(LoseRouter);

/// How long all of them may take to be lost.
const LIMIT: Duration = Duration::from_secs(20);

impl Loses {
    fn describe(&self) -> String {
        let members = match self.members {
            None => "every member".to_owned(),
            Some(members) if members.get() == 1 => "one member".to_owned(),
            Some(members) => format!("{members} members"),
        };
        match self.how {
            Loss::Kill => format!("kill {members} of the {}: all processes at once", self.part),
            Loss::Freeze => format!("freeze {members} of the {}: all stand still", self.part),
        }
    }

    fn describe_undo(&self) -> String {
        let part = self.part;
        match self.how {
            Loss::Kill => format!("start what was killed of the {part}"),
            Loss::Freeze => format!("thaw what stands still of the {part}"),
        }
    }

    async fn prepare(&self, target: &dyn Target, hit: &Hit) -> Result<Box<dyn Undo>, TargetError> {
        let parts = parts(target)?;
        let what = || format!("{} of {}", self.name, self.part);
        let all = parts.members(self.part);
        let wanted = self.members.map_or(all.len(), |some| some.get() as usize);
        let Some(kept) = all.len().checked_sub(wanted).filter(|_| !all.is_empty()) else {
            let cause = format!("it has {} and {wanted} are to be lost", all.len());
            return Err(TargetError::new(what(), cause));
        };
        let members: Vec<String> = all.into_iter().skip(kept).collect();
        for member in &members {
            if let Err(why) = parts.serves(member).await? {
                let cause = format!("{member} does not serve as it is: {why}");
                return Err(TargetError::new(what(), cause));
            }
        }
        Ok(Box::new(PartLost {
            hit: hit.clone(),
            members,
            fault: self.name,
        }))
    }

    async fn inject(&self, target: &dyn Target, undo: &dyn Undo) -> Result<(), TargetError> {
        let parts = parts(target)?;
        let members = members(undo)?;
        let lost = members.iter().map(|member| parts.lose(member, self.how));
        // All at one moment; the first that fails decides, when every one was tried.
        join_all(lost).await.into_iter().collect()
    }

    async fn effect(
        &self,
        target: &dyn Target,
        undo: &dyn Undo,
    ) -> Result<Option<String>, TargetError> {
        let parts = parts(target)?;
        let members = members(undo)?;
        for member in &members {
            if !parts.is_lost(member).await? {
                return Ok(None);
            }
        }
        let how = match self.how {
            Loss::Kill => "no process lives",
            Loss::Freeze => "every process stands still",
        };
        let of = parts.members(self.part).len();
        Ok(Some(format!(
            "{how} of {} ({} of {of} of the {})",
            members.join(", "),
            members.len(),
            self.part
        )))
    }
}

fn parts(target: &dyn Target) -> Result<&dyn Parts, TargetError> {
    target
        .parts()
        .ok_or_else(|| lacks("lose what stands beside the nodes"))
}

fn members(undo: &dyn Undo) -> Result<Vec<String>, TargetError> {
    PartLost::deserialize(undo.facts())
        .map(|lost| lost.members)
        .map_err(|error| TargetError::new("read the facts of the undo", error))
}

/// Members of a part that were lost.
#[derive(Debug, Serialize, Deserialize)]
struct PartLost {
    hit: Hit,
    members: Vec<String>,
    #[serde(skip)]
    fault: &'static str,
}

pub(super) fn from_facts(fault: &'static str, facts: &serde_json::Value) -> Option<Box<dyn Undo>> {
    let undo = PartLost::deserialize(facts).ok()?;
    Some(Box::new(PartLost { fault, ..undo }))
}

#[async_trait]
impl Undo for PartLost {
    fn fault(&self) -> &'static str {
        self.fault
    }
    fn facts(&self) -> serde_json::Value {
        facts_of(self)
    }
    fn holds_node(&self) -> bool {
        false
    }
    async fn standing(&self, target: &dyn Target) -> Result<Standing, TargetError> {
        let parts = parts(target)?;
        for member in &self.members {
            if let Err(why) = parts.serves(member).await? {
                return Ok(Standing::Missing(format!("{member} does not serve: {why}")));
            }
        }
        Ok(Standing::Back(format!(
            "{} again in service",
            self.members.join(", ")
        )))
    }
    async fn put_back(&self, target: &dyn Target, _around: &Around<'_>) -> Result<(), TargetError> {
        self.release(target).await
    }
    async fn release(&self, target: &dyn Target) -> Result<(), TargetError> {
        let parts = parts(target)?;
        let back = self.members.iter().map(|member| parts.bring_back(member));
        try_join_all(back).await.map(|_| ())
    }
    async fn released(&self, target: &dyn Target) -> Result<Standing, TargetError> {
        self.standing(target).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_brings_the_same_undo_back() {
        let undo = PartLost {
            hit: Hit {
                node: "dcs".to_owned(),
                role: Part::ROLE.to_owned(),
                timeline: 1,
            },
            members: vec!["etcd-2".to_owned(), "etcd-3".to_owned()],
            fault: "lose_dcs",
        };
        let again = super::super::undo_from_journal("lose_dcs", &undo.facts()).unwrap();
        assert_eq!(again.facts(), undo.facts());
        assert_eq!(again.fault(), "lose_dcs");
        assert!(!again.holds_node());
        assert!(!undo.hit.may_lead());
    }

    #[test]
    fn what_is_lost_is_said() {
        let some = LoseDcs {
            members: NonZeroU32::new(2),
            ..LoseDcs::default()
        };
        assert_eq!(
            some.describe(""),
            "kill 2 members of the dcs: all processes at once"
        );
        let pooler = LoseRouter {
            which: Way::Pooler,
            how: Loss::Freeze,
            ..LoseRouter::default()
        };
        assert_eq!(
            pooler.describe(""),
            "freeze every member of the pooler: all stand still"
        );
        assert_eq!(pooler.needs(), [Capability::LosePooler]);
    }
}
