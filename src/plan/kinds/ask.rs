//! `ask`: a decision of a person.

use super::{GRACE, Planned};
use crate::drill::ask::Ask;
use crate::plan::step::Action;

pub(super) fn plan(body: &Ask) -> Planned {
    let words: Vec<String> = body
        .answers
        .iter()
        .map(|word| match body.stops(word) {
            true => format!("{word} (ends the drill)"),
            false => word.clone(),
        })
        .collect();
    let otherwise = body
        .otherwise
        .as_ref()
        .map_or_else(String::new, |word| format!("; without an answer: {word}"));
    let what = format!(
        "ask {}: {} [{}]{otherwise}",
        body.who,
        body.question,
        words.join(", ")
    );
    let limit = body.within.get();
    Planned {
        limit: limit + GRACE,
        ..Planned::within(limit, Action::Ask(body.clone()), what)
    }
}
