//! `settle`, `hold` and `wait`.

use super::{GRACE, Planned, Planning};
use crate::drill::step::{Hold, Settle, Wait};
use crate::event::plan_record::Until;
use crate::plan::step::Action;

pub(super) fn settle(body: &Settle, planning: &Planning<'_, '_>) -> Planned {
    let stability = planning.workload.stability;
    let what = format!("wait until all endpoints were good for {stability}");
    Planned {
        until: Some(Until::Settled),
        ..Planned::within(body.within.get(), Action::Settle, what)
    }
}

pub(super) fn hold(body: &Hold) -> Planned {
    let time = body.r#for.get();
    let what = format!("let {} pass", body.r#for);
    Planned {
        longest: time,
        ..Planned::within(time + GRACE, Action::Hold(time), what)
    }
}

pub(super) fn wait(body: &Wait) -> Planned {
    let what = format!("wait until {}", body.until);
    Planned {
        until: Some(Until::Condition {
            cel: body.until.clone(),
        }),
        ..Planned::within(body.within.get(), Action::Wait, what)
    }
}
