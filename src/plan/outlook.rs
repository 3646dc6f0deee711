//! Which node a step will hit, as far as can be said before anything has happened.
//!
//! Roles are resolved when a step begins. A plan follows what the steps before should have done to them,
//! and says so where that is not certain.

use super::facts::TargetFacts;
use crate::role::NodeRef;
use std::collections::{BTreeMap, BTreeSet};

/// The roles as they should be before the next step.
#[derive(Debug)]
pub(super) struct Outlook<'a> {
    facts: &'a TargetFacts,
    primary: Option<&'a str>,
    standbys: Vec<&'a str>,
    moved: bool,
    hits: BTreeMap<String, Aim<'a>>,
    /// The group that is being planned: its number, whether roles had moved before it, and what it hits.
    group: Option<(u32, bool, Vec<&'a str>)>,
}

/// What a step will hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Aim<'a> {
    /// One of these; all of them where `all` is set; empty where nobody can say yet.
    pub(super) candidates: Vec<&'a str>,
    /// Every one of them.
    pub(super) all: bool,
    /// In words, such as "node-1 (primary now)".
    pub(super) words: String,
}

impl Aim<'_> {
    /// What a refused step would have hit.
    pub(super) fn unknown(id: &str) -> Self {
        open(&format!("the node of {id}"))
    }
}

impl<'a> Outlook<'a> {
    pub(super) fn new(facts: &'a TargetFacts) -> Self {
        Self {
            facts,
            primary: facts.in_role("primary").next(),
            standbys: facts.in_role("standby").collect(),
            moved: facts.unseen,
            hits: BTreeMap::new(),
            group: None,
        }
    }

    /// The next step belongs to this group of faults that strike at one moment: none of them has happened
    /// when the nodes of the others are resolved.
    pub(super) fn group(&mut self, number: Option<u32>) {
        match (number, &self.group) {
            (Some(number), Some((same, ..))) if number == *same => {}
            (Some(number), _) => self.group = Some((number, self.moved, Vec::new())),
            (None, _) => self.group = None,
        }
    }

    /// What a node's name in a drill will mean.
    ///
    /// # Errors
    /// When nothing can ever match.
    pub(super) fn aim(&self, node: &NodeRef) -> Result<Aim<'a>, String> {
        let aim = self.aim_at(node)?;
        if let (Some((_, _, taken)), [one]) = (&self.group, aim.candidates.as_slice())
            && taken.contains(one)
        {
            return Err(format!("{one} is hit twice at one moment"));
        }
        Ok(aim)
    }

    fn aim_at(&self, node: &NodeRef) -> Result<Aim<'a>, String> {
        match node {
            NodeRef::Primary => match self.primary {
                Some(name) => Ok(self.one(name, "primary")),
                None if self.moved => Ok(open("the primary by then")),
                None => Err("no node is primary".to_owned()),
            },
            NodeRef::Standby | NodeRef::MostLaggingStandby | NodeRef::SyncStandby => {
                let unseen = self.facts.unseen;
                if *node == NodeRef::SyncStandby && !self.facts.synchronous && !unseen {
                    return Err("no standby is synchronous on this target".to_owned());
                }
                self.standby(node)
            }
            NodeRef::All => Ok(Aim {
                candidates: self
                    .facts
                    .nodes
                    .iter()
                    .map(|node| node.name.as_str())
                    .collect(),
                all: true,
                words: format!("all {} nodes", self.facts.nodes.len()),
            }),
            NodeRef::AllStandbys => match self.standbys.as_slice() {
                [one] => Ok(self.one(one, "standby")),
                // What was hit may be back as a standby, where it is not the only node.
                [] if self.moved && self.facts.nodes.len() > 1 => Ok(open("all standbys by then")),
                [] => Err("there is no standby".to_owned()),
                many => Ok(Aim {
                    candidates: many.to_vec(),
                    all: true,
                    words: format!("{} (all standbys)", many.join(", ")),
                }),
            },
            NodeRef::AllAnswering => match self.answering() {
                found if found.is_empty() => Ok(open("every node that answers by then")),
                found => Ok(Aim {
                    words: match self.moved {
                        true => format!("every node that answers by then ({})", found.join(", ")),
                        false => format!("every node that answers ({})", found.join(", ")),
                    },
                    all: true,
                    candidates: found,
                }),
            },
            NodeRef::Named(name) => self.named(name),
            // No node is hit by it.
            NodeRef::Part(part) => Ok(Aim {
                candidates: Vec::new(),
                all: true,
                words: format!("the {part}"),
            }),
            NodeRef::Of(id) => match self.hits.get(id) {
                // Its role may be another one by then, so that only its name is said.
                Some(aim) => Ok(Aim {
                    words: self.words_of(id),
                    ..aim.clone()
                }),
                None => Err(format!("no step {id} hit anything before")),
            },
        }
    }

    /// Everybody who should be up, the primary last where it is known which of them leads.
    fn answering(&self) -> Vec<&'a str> {
        let standbys = self.standbys.iter().copied();
        standbys.chain(self.primary).collect()
    }

    /// Remembers what a step hits, and that the node is out of the game from here.
    pub(super) fn hit(&mut self, id: &str, aim: Aim<'a>) {
        let gone: BTreeSet<&str> = match aim.candidates.as_slice() {
            many if aim.all => many.iter().copied().collect(),
            [one] => BTreeSet::from([*one]),
            // Which one it will be is drawn later, so that nothing is certain about any of them.
            _ => BTreeSet::new(),
        };
        if let (Some((_, _, taken)), [one]) = (&mut self.group, aim.candidates.as_slice()) {
            taken.push(one);
        }
        let drawn = aim.candidates.len() > 1 && !aim.all;
        if drawn || self.primary.is_some_and(|name| gone.contains(name)) {
            self.moved = true;
        }
        self.standbys.retain(|name| !gone.contains(name));
        self.hits.insert(id.to_owned(), aim);
    }

    /// Remembers what a step hits that leaves the node at work.
    pub(super) fn touch(&mut self, id: &str, aim: Aim<'a>) {
        self.hits.insert(id.to_owned(), aim);
    }

    /// Follows a fail-over or a switch-over: the only standby left must be the next primary.
    pub(super) fn lead_moves(&mut self, to: Option<&Aim<'a>>) {
        self.moved = true;
        let next = match to.map(|aim| aim.candidates.as_slice()) {
            Some([one]) => Some(*one),
            Some(_) => None,
            None => match self.standbys.as_slice() {
                [one] => Some(*one),
                _ => None,
            },
        };
        self.primary = next;
        self.standbys.retain(|name| Some(*name) != next);
    }

    /// Follows an undo: what was hit comes back as a standby, if it comes back at all.
    pub(super) fn back(&mut self, id: &str) {
        let Some(aim) = self.hits.get(id) else { return };
        let there: BTreeSet<&str> = self.standbys.iter().copied().collect();
        let back = aim.candidates.iter();
        let back = back.filter(|name| Some(**name) != self.primary && !there.contains(**name));
        self.standbys.extend(back);
    }

    /// The node that a step hit, in words.
    pub(super) fn words_of(&self, id: &str) -> String {
        match self.hits.get(id) {
            Some(aim) if aim.candidates.len() == 1 => aim
                .candidates
                .first()
                .copied()
                .unwrap_or_default()
                .to_owned(),
            // What is no node.
            Some(aim) if aim.all && aim.candidates.is_empty() => aim.words.clone(),
            _ => format!("the node that {id} hit"),
        }
    }

    /// Nodes that some step surely hits: all certain ones, and one more for each draw.
    pub(super) fn hit_count(&self) -> usize {
        let mut certain = BTreeSet::new();
        let mut drawn = 0;
        for aim in self.hits.values() {
            match aim.candidates.as_slice() {
                many if aim.all => certain.extend(many.iter().copied()),
                [one] => {
                    certain.insert(*one);
                }
                _ => drawn += 1,
            }
        }
        (certain.len() + drawn).min(self.facts.nodes.len())
    }

    fn one(&self, name: &'a str, role: &str) -> Aim<'a> {
        let moved = match &self.group {
            Some((_, before, _)) => *before,
            None => self.moved,
        };
        let when = match (moved, self.facts.live) {
            (true, _) => " by then",
            (false, true) => " now",
            (false, false) => "",
        };
        Aim {
            candidates: vec![name],
            all: false,
            words: format!("{name} ({role}{when})"),
        }
    }

    fn standby(&self, node: &NodeRef) -> Result<Aim<'a>, String> {
        let how = match node {
            NodeRef::SyncStandby => "a synchronous standby",
            NodeRef::MostLaggingStandby => "the standby furthest behind",
            _ => "a standby, drawn",
        };
        match self.standbys.as_slice() {
            // What was hit may be back as a standby, where it is not the only node.
            [] if self.moved && self.facts.nodes.len() > 1 => Ok(open("a standby by then")),
            [] => Err("there is no standby".to_owned()),
            [one] => Ok(self.one(one, "standby")),
            many => Ok(Aim {
                candidates: many.to_vec(),
                all: false,
                words: format!("one of {} ({how} when it begins)", many.join(", ")),
            }),
        }
    }

    fn named(&self, name: &str) -> Result<Aim<'a>, String> {
        let facts = self.facts;
        match facts.nodes.iter().find(|node| node.name == name) {
            Some(node) if self.moved => Ok(Aim {
                candidates: vec![node.name.as_str()],
                all: false,
                words: node.name.clone(),
            }),
            Some(node) => Ok(self.one(&node.name, &node.role)),
            None if facts.unseen => Ok(open(name)),
            None => Err(format!("there is no node and no role {name}")),
        }
    }
}

fn open<'a>(words: &str) -> Aim<'a> {
    Aim {
        candidates: Vec::new(),
        all: false,
        words: words.to_owned(),
    }
}
