//! `switch_over`: from the primary to a standby, or to a named one.

use super::{Planned, Planning};
use crate::drill::step::SwitchOver;
use crate::plan::step::Action;
use crate::role::NodeRef;

pub(super) fn plan(body: &SwitchOver, planning: &mut Planning<'_, '_>) -> Result<Planned, String> {
    let outlook = &mut *planning.outlook;
    let from = outlook.aim(&NodeRef::Primary)?;
    let to = match &body.to {
        Some(node) => outlook.aim(node)?,
        None => outlook.aim(&NodeRef::Standby)?,
    };
    let what = format!(
        "hand the primary's role from {} to {}",
        from.words, to.words
    );
    outlook.hit(planning.id, from);
    outlook.lead_moves(body.to.is_some().then_some(&to));
    outlook.back(planning.id);
    let action = Action::SwitchOver(body.to.clone());
    Ok(Planned::within(body.within.get(), action, what))
}
