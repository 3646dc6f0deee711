//! `baseline`: undisturbed probing, with a part drawn by the seed.

use super::{GRACE, Planned, Planning};
use crate::drill::step::{Baseline, PlusUpTo};
use crate::event::plan_record::Until;
use crate::plan::draw;
use crate::plan::step::{Action, BASELINES};
use std::time::Duration;

pub(super) fn plan(body: &Baseline, planning: &Planning<'_, '_>) -> Planned {
    let at_least = body.r#for.get();
    let most = match body.plus_up_to {
        None => Duration::ZERO,
        Some(PlusUpTo::ControlPeriod) => planning.facts.control_period,
        Some(PlusUpTo::Time(time)) => time.get(),
    };
    let mut rng = draw::of_step(planning.seed, planning.index);
    let whole = at_least + draw::time_up_to(&mut rng, most);
    let drawn = if most.is_zero() {
        String::new()
    } else {
        format!(
            " and {} ms (drawn, up to {} ms)",
            (whole - at_least).as_millis(),
            most.as_millis()
        )
    };
    Planned {
        action: Action::Baseline(whole),
        what: format!("probe undisturbed for {}{drawn}", body.r#for),
        undo: None,
        longest: BASELINES * whole,
        limit: whole + GRACE,
        until: Some(Until::BaselineOver),
    }
}
