//! `say`: a line for people.

use super::{GRACE, Planned};
use crate::drill::step::Say;
use crate::plan::step::Action;
use std::time::Duration;

pub(super) fn say(body: &Say) -> Planned {
    let what = format!("say: {}", body.text);
    Planned {
        longest: Duration::ZERO,
        ..Planned::within(GRACE, Action::Say(body.text.clone()), what)
    }
}
