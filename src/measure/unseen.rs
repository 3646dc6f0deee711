//! Which nodes were alive behind a cut while nobody inside them saw what they did.

use super::gathered::Gathered;
use super::timeline::node_in_name;
use crate::event::slots::{ErrorClass, Outcome};
use crate::event::{ActKind, Stamp};

/// Nodes that may have taken writes while they were cut off, and whose own probes had no answer from the cut to
/// its end: what such a node acknowledged there, and until when, nobody knows. A node that is killed or frozen
/// acknowledges nothing meanwhile, so that nothing is missed of it.
#[must_use]
pub fn unseen_behind_a_cut(run: &Gathered) -> Vec<String> {
    let mut unseen = Vec::new();
    let cuts = run
        .acts
        .faults()
        .filter(|fault| fault.name == "cut" && fault.role != "standby");
    for cut in cuts {
        let from = cut.struck_by();
        let ends = [ActKind::Undo, ActKind::Release];
        let ends = ends
            .into_iter()
            .filter_map(|kind| run.acts.of_fault(kind, cut.number));
        let until = ends.map(|end| end.requested).min();
        let until = until.unwrap_or_else(|| run.measured_until());
        if !unseen.contains(&cut.node) && !answered(run, &cut.node, from, until) {
            unseen.push(cut.node.clone());
        }
    }
    unseen
}

/// Whether a node answered its own probes a question that was asked between two moments.
fn answered(run: &Gathered, node: &str, from: Stamp, until: Stamp) -> bool {
    let own = run.channels.values();
    let mut own = own.filter(|channel| node_in_name(channel.name()) == Some(node));
    own.any(|channel| {
        let fresh = channel.name().ends_with("/fresh");
        let parts = channel.parts();
        let parts = parts.filter(|part| !part.is_skipped(|summary| summary.last_sent < from));
        parts.flat_map(|part| part.attempts()).any(|attempt| {
            let slot = &attempt.slot;
            slot.sent >= from && slot.sent <= until && is_answer(slot.outcome, fresh)
        })
    })
}

/// Whether an outcome is the server's own word; `fresh` where each attempt opens a session of its own.
fn is_answer(outcome: Outcome, fresh: bool) -> bool {
    match outcome {
        // It let somebody in, and then confirmed nothing: so does one that waits for a synchronous standby.
        Outcome::InDoubt(ErrorClass::StatementDeadline) => fresh,
        Outcome::Acknowledged
        | Outcome::AcknowledgedLate
        | Outcome::InRecovery
        | Outcome::Stale => true,
        Outcome::Failed(class) | Outcome::InDoubt(class) => matches!(
            class,
            ErrorClass::Auth
                | ErrorClass::ReadOnly
                | ErrorClass::Terminated
                | ErrorClass::NotAccepting
                | ErrorClass::TooManyConnections
                | ErrorClass::ReplicationWarning
                | ErrorClass::Sql(_)
        ),
        Outcome::NotSent => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lets_somebody_in_and_confirms_nothing_has_answered() {
        let waits = Outcome::InDoubt(ErrorClass::StatementDeadline);
        assert!(is_answer(waits, true));
        // A session that was open before proves nothing: the server may stand still, or be gone.
        assert!(!is_answer(waits, false));
        assert!(!is_answer(
            Outcome::Failed(ErrorClass::StartupDeadline),
            true
        ));
        assert!(!is_answer(Outcome::Failed(ErrorClass::Refused), true));
        assert!(is_answer(Outcome::Failed(ErrorClass::ReadOnly), false));
    }
}
