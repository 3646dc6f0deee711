//! `sql` and `command` that change nothing. Those that change something are faults.

use super::{GRACE, Planned, Planning};
use crate::fault::command::Command;
use crate::fault::sql::{Sql, in_one_line};
use crate::plan::step::Action;

pub(super) fn sql(body: &Sql, planning: &Planning<'_, '_>) -> Result<Planned, String> {
    let node = planning.outlook.aim(&body.node)?.words;
    let what = format!("run on {node}: {}", in_one_line(&body.run));
    let limit = body.within.get();
    Ok(Planned {
        limit: limit + GRACE,
        ..Planned::within(limit, Action::Sql(body.clone()), what)
    })
}

pub(super) fn command(body: &Command, planning: &Planning<'_, '_>) -> Result<Planned, String> {
    let node = match &body.node {
        Some(node) => format!("for {} ", planning.outlook.aim(node)?.words),
        None => String::new(),
    };
    let what = format!("{node}run: {}", in_one_line(&body.run.join(" ")));
    let limit = body.within.get();
    Ok(Planned {
        limit: limit + GRACE,
        ..Planned::within(limit, Action::Command(body.clone()), what)
    })
}
