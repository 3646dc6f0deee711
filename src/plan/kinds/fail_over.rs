//! `fail_over`: who brings service back on a newer timeline.

use super::{Planned, Planning};
use crate::drill::step::FailOver;
use crate::event::plan_record::Until;
use crate::plan::step::Action;
use crate::target::Failover;

pub(super) fn plan(body: &FailOver, planning: &mut Planning<'_, '_>) -> Result<Planned, String> {
    let facts = planning.facts;
    if facts.nodes.len() < 2 && !body.or_restart {
        return Err("there is no standby to fail over to".to_owned());
    }
    planning.outlook.lead_moves(None);
    let or_restart = if body.or_restart {
        " or by the old one again"
    } else {
        ""
    };
    let what = match facts.failover {
        Failover::Automatic => {
            format!("wait until writers are served by a new primary{or_restart}")
        }
        Failover::Promote => {
            format!("promote the best standby, wait until writers are served by it{or_restart}")
        }
    };
    Ok(Planned {
        until: Some(Until::FailedOver {
            or_restart: body.or_restart,
        }),
        ..Planned::within(body.within.get(), Action::FailOver, what)
    })
}
