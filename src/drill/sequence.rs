//! The steps of a drill in the order in which they happen, each with its id and where it stands in the
//! file: `repeat` is unrolled, and `together` leaves its mark on its steps.
//!
//! Checks and plans look at this list and not at the file's own, so that a mistake is found and shown in
//! the same way wherever a step is written.

use super::places::At;
use super::step::{Ids, Repeat, Step};
use std::collections::BTreeSet;

/// More rounds than this are no drill that anybody waits for.
pub(super) const MOST_ROUNDS: u32 = 100;

/// More steps than this, with all rounds counted, are refused: a plan must be something that people read.
pub(super) const MOST_STEPS: usize = 1000;

/// One step of the sequence.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Its id, unique in the sequence.
    pub id: String,
    /// The step. What it refers to is of the same round.
    pub step: Step,
    /// Number of the group that strikes at one moment, where it belongs to one.
    pub together: Option<u32>,
    /// The round of the `repeat` around it, from 1.
    pub round: Option<u32>,
    /// Its id without the round.
    pub(super) base: String,
    /// The way to its entry in the file.
    path: Vec<Spot>,
}

/// One part of a path into the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spot {
    Key(&'static str),
    Item(usize),
}

impl Placed {
    /// The place of a part of its body, or of the kind itself where `rest` is empty.
    pub(super) fn at<'a>(&self, rest: &[At<'a>]) -> Vec<At<'a>> {
        let mut path: Vec<At<'a>> = self
            .path
            .iter()
            .map(|spot| match spot {
                Spot::Key(key) => At::Key(key),
                Spot::Item(item) => At::Item(*item),
            })
            .collect();
        path.push(At::Key(self.step.kind()));
        path.extend_from_slice(rest);
        path
    }

    /// Whether it is the same step as an earlier one, in a later round: what is wrong with it was said.
    pub(super) fn is_again(&self) -> bool {
        self.round.is_some_and(|round| round > 1)
    }
}

/// The steps of a drill in their order. Groups inside groups stay as they are: checks refuse them.
pub(super) fn sequence(steps: &[Step]) -> Vec<Placed> {
    let mut walk = Walk::default();
    walk.steps(steps, &[Spot::Key("steps")]);
    walk.placed
}

#[derive(Default)]
struct Walk {
    placed: Vec<Placed>,
    ids: Ids,
    groups: u32,
}

impl Walk {
    fn steps(&mut self, steps: &[Step], list: &[Spot]) {
        for (index, step) in steps.iter().enumerate() {
            let path = [list, &[Spot::Item(index)]].concat();
            match step {
                Step::Together(body) => {
                    let inner = [&path[..], &[Spot::Key("together")]].concat();
                    self.together(&body.0, &inner);
                }
                Step::Repeat(body) => {
                    let inner = [&path[..], &[Spot::Key("repeat"), Spot::Key("steps")]].concat();
                    self.repeat(body, &inner);
                }
                step => self.step(step, path, None),
            }
        }
    }

    fn step(&mut self, step: &Step, path: Vec<Spot>, together: Option<u32>) {
        let id = self.ids.of(step);
        self.placed.push(Placed {
            base: id.clone(),
            id,
            step: step.clone(),
            together,
            round: None,
            path,
        });
    }

    fn together(&mut self, steps: &[Step], list: &[Spot]) {
        self.groups += 1;
        for (index, step) in steps.iter().enumerate() {
            let path = [list, &[Spot::Item(index)]].concat();
            self.step(step, path, Some(self.groups));
        }
    }

    fn repeat(&mut self, body: &Repeat, list: &[Spot]) {
        let (first, groups_before) = (self.placed.len(), self.groups);
        for (index, step) in body.steps.iter().enumerate() {
            let path = [list, &[Spot::Item(index)]].concat();
            match step {
                Step::Together(body) => {
                    let inner = [&path[..], &[Spot::Key("together")]].concat();
                    self.together(&body.0, &inner);
                }
                step => self.step(step, path, None),
            }
        }
        let round = self.placed.split_off(first);
        let groups = self.groups - groups_before;
        let own: BTreeSet<String> = round.iter().map(|placed| placed.base.clone()).collect();
        let fits =
            body.times <= MOST_ROUNDS && first + round.len() * body.times as usize <= MOST_STEPS;
        // What is too long is refused by the checks, which need no more than one round of it.
        let rounds = if fits { body.times } else { body.times.min(1) };
        for number in 1..=rounds {
            let of_round = |id: &str| format!("{id}#{number}");
            for placed in &round {
                let mut step = placed.step.clone();
                step.refer(|id| match own.contains(id) {
                    true => of_round(id),
                    false => id.to_owned(),
                });
                self.placed.push(Placed {
                    id: of_round(&placed.base),
                    step,
                    together: placed.together.map(|group| group + (number - 1) * groups),
                    round: Some(number),
                    base: placed.base.clone(),
                    path: placed.path.clone(),
                });
            }
        }
        self.groups += rounds.saturating_sub(1) * groups;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(yaml: &str) -> String {
        let steps: Vec<Step> = serde_yaml::from_str(yaml).unwrap();
        let line = |placed: &Placed| {
            let node = placed.step.node().map(|(_, node)| format!(" {node}"));
            let of = placed.step.of().map(|of| format!(" of {of}"));
            format!(
                "{}{}{}{}",
                placed.id,
                node.unwrap_or_default(),
                of.unwrap_or_default(),
                placed
                    .together
                    .map_or_else(String::new, |group| format!(" together {group}"))
            )
        };
        let lines: Vec<String> = sequence(&steps).iter().map(line).collect();
        lines.join("\n")
    }

    #[test]
    fn rounds_have_ids_and_references_of_their_own() {
        let yaml = "
- hold: { for: 1s }
- kill: { node: primary, id: before }
- repeat:
    times: 2
    steps:
      - together:
          - kill: { node: primary, id: crash }
          - freeze: { node: standby }
      - kill: { node: { of: before } }
      - hold: { for: 1s }
      - undo: { of: crash }
- together: [ cut: { node: primary }, kill: { node: { of: crash#2 } } ]
- hold: { for: 1s }
";
        insta::assert_snapshot!(of(yaml), @"
        hold-1
        before primary
        crash#1 primary together 1
        freeze-1#1 standby together 1
        kill-1#1 the node of before
        hold-2#1
        undo-1#1 of crash#1
        crash#2 primary together 2
        freeze-1#2 standby together 2
        kill-1#2 the node of before
        hold-2#2
        undo-1#2 of crash#2
        cut-1 primary together 3
        kill-2 the node of crash#2 together 3
        hold-3
        ");
    }

    #[test]
    fn a_repeat_that_is_too_long_is_unrolled_once() {
        let long = "- repeat: { times: 4000000000, steps: [ hold: { for: 1s } ] }";
        assert_eq!(of(long), "hold-1#1");
        let never = "- repeat: { times: 0, steps: [ hold: { for: 1s } ] }";
        assert_eq!(of(never), "");
    }
}
