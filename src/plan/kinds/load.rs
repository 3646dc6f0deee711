//! `load`: clients beside the probes.

use super::{GRACE, Planned, Planning};
use crate::drill::clients::{Does, Load};
use crate::plan::step::Action;
use std::time::Duration;

pub(super) fn plan(body: &Load, planning: &Planning<'_, '_>) -> Result<Planned, String> {
    let endpoint = body.endpoint.as_str();
    let mut extras = planning.facts.extras.iter();
    let takes_writes = match endpoint {
        "writer" => true,
        "reader" if planning.facts.has_reader => false,
        other => match extras.find(|extra| extra.is_endpoint && extra.name == other) {
            Some(extra) => extra.writes,
            None => return Err(format!("the target has no endpoint {other}")),
        },
    };
    if matches!(body.does, Does::Write { .. }) && !takes_writes {
        return Err(format!("the endpoint {endpoint} takes no writes"));
    }
    let clients = match body.clients {
        1 => "1 client".to_owned(),
        many => format!("{many} clients"),
    };
    let what = match &body.does {
        Does::Write { every } => format!("{clients} write every {every} each"),
        Does::Read { every } => format!("{clients} read every {every} each"),
        Does::Reconnect { again, .. } => {
            format!("{clients} hold a session each, and once it is lost connect every {again}")
        }
        Does::Idle => format!("{clients} hold an idle session each"),
        Does::Listen => format!("{clients} hold a listening session each"),
        Does::LongQuery => format!("{clients} wait for a long query each"),
    };
    let lasts = match body.r#for {
        Some(time) => format!("for {time}"),
        None => "until measuring ends".to_owned(),
    };
    let what = format!("{what} through the {endpoint} endpoint, {lasts}, beside what follows");
    // Clients that hold nothing are set going, and that is all.
    let longest = match body.does {
        Does::Write { .. } | Does::Read { .. } => Duration::ZERO,
        _ => body.within.get(),
    };
    Ok(Planned {
        longest,
        ..Planned::within(longest + GRACE, Action::Load(body.clone()), what)
    })
}
