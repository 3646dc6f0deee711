//! Every fault: what it hits, and how it is undone.

use super::{Planned, Planning};
use crate::fault::Fault;
use crate::plan::step::Action;
use std::sync::Arc;

pub(super) fn plan(
    fault: Arc<dyn Fault>,
    planning: &mut Planning<'_, '_>,
) -> Result<Planned, String> {
    let outlook = &mut *planning.outlook;
    let aim = outlook.aim(fault.node())?;
    let limit = fault.limit();
    let what = fault.describe(&aim.words);
    if fault.takes_node() {
        outlook.hit(planning.id, aim);
    } else {
        outlook.touch(planning.id, aim);
    }
    let undo = fault.describe_undo(&outlook.words_of(planning.id));
    Ok(Planned {
        undo: Some(undo),
        ..Planned::within(limit, Action::Fault(fault), what)
    })
}
