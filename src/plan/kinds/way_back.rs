//! `release` and `undo`: the two ways back from a fault.

use super::{Planned, Planning};
use crate::drill::step::{Release, Undo};
use crate::plan::step::Action;
use std::time::Duration;

/// How long a release may take.
const RELEASE_LIMIT: Duration = Duration::from_secs(30);

pub(super) fn release(body: &Release, planning: &Planning<'_, '_>) -> Planned {
    let node = planning.outlook.words_of(&body.of);
    let what = format!("let {node} come back as in life, unfenced");
    let of = body.of.clone();
    Planned::within(RELEASE_LIMIT, Action::Release { of }, what)
}

pub(super) fn undo(body: &Undo, planning: &mut Planning<'_, '_>) -> Planned {
    // How stands with the fault itself.
    let node = planning.outlook.words_of(&body.of);
    let what = format!("put {node} back safely: undo {}", body.of);
    planning.outlook.back(&body.of);
    let of = body.of.clone();
    Planned::within(body.within.get(), Action::Undo { of }, what)
}
