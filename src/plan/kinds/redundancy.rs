//! `restore_redundancy`: all declared standbys stream again.

use super::{Planned, Planning};
use crate::drill::step::RestoreRedundancy;
use crate::plan::step::Action;

pub(super) fn plan(body: &RestoreRedundancy, planning: &Planning<'_, '_>) -> Planned {
    let declared = planning.facts.nodes.len().saturating_sub(1);
    let stream = if declared == 1 {
        "standby streams"
    } else {
        "standbys stream"
    };
    let what = format!("rejoin what does not stream, wait until {declared} of {declared} {stream}");
    Planned::within(body.within.get(), Action::RestoreRedundancy, what)
}
