//! Every fault: what it hits, and how it is undone.

use super::{Planned, Planning};
use crate::fault::Fault;
use crate::plan::compile::UNDO_LIMIT;
use crate::plan::step::Action;
use crate::role::NodeRef;
use std::sync::Arc;

pub(super) fn plan(
    fault: Arc<dyn Fault>,
    planning: &mut Planning<'_, '_>,
) -> Result<Planned, String> {
    let outlook = &mut *planning.outlook;
    let aim = outlook.aim(fault.node())?;
    let limit = fault.limit();
    let in_turn = fault.returns_in_turn();
    let nodes = match fault.node() {
        NodeRef::All | NodeRef::AllStandbys | NodeRef::AllAnswering => {
            let all = planning.facts.nodes.len();
            Some(aim.candidates.len())
                .filter(|known| *known > 0)
                .unwrap_or(all)
        }
        _ => 1,
    };
    // The undos are a part of the step then; that of the last node is counted with all others.
    let longest = match (in_turn, u32::try_from(nodes)) {
        (true, Ok(nodes)) => limit * nodes + UNDO_LIMIT * nodes.saturating_sub(1),
        _ => limit,
    };
    let what = fault.describe(&aim.words);
    if fault.takes_node() {
        outlook.hit(planning.id, aim);
    } else {
        outlook.touch(planning.id, aim);
    }
    let undo = fault.describe_undo(&outlook.words_of(planning.id));
    if in_turn {
        outlook.back(planning.id);
    }
    Ok(Planned {
        undo: Some(undo),
        longest,
        ..Planned::within(limit, Action::Fault(fault), what)
    })
}
