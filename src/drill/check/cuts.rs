//! Whether a cut, or a slow network, can be what its words say together.

use super::Findings;
use crate::drill::diagnostic::Diagnostic;
use crate::drill::places::At;
use crate::drill::sequence::Placed;
use crate::drill::step::Step;

/// One way alone can be cut only from those who are all known.
pub(super) fn cuts(steps: &[Placed], findings: &mut Findings<'_>) {
    for placed in steps {
        if let Step::Cut(cut) = &placed.step
            && !cut.is_possible()
        {
            findings.add(
                &placed.at(&[At::Key("direction")]),
                Diagnostic::error("direction", "from clients no single direction can be cut")
                    .label("expected both")
                    .help(
                        "nobody knows all who send: only a whole network can be taken off. One way is for \
                         from: peers and from: dcs",
                    ),
            );
        }
    }
}

/// Of two nodes that are cut from each other one way at a time, one loses what the other loses too, whose undo would
/// end both cuts, or what the other must let pass, which then proves nothing. Between nodes there is room for one.
pub(super) fn one_way_at_a_time(steps: &[Placed], findings: &mut Findings<'_>) {
    let mut open: Option<&str> = None;
    for placed in steps {
        findings.again = placed.is_again();
        match &placed.step {
            Step::Cut(cut) if cut.is_one_way_between_nodes() => match open {
                None => open = Some(&placed.id),
                Some(other) => findings.add(
                    &placed.at(&[At::Key("direction")]),
                    Diagnostic::error(
                        "direction",
                        format!("{other} cuts ways between the same nodes, and is still open here"),
                    )
                    .help(format!(
                        "put it after `- undo: {{ of: {other} }}`: undoing one would undo part of the other"
                    )),
                ),
            },
            step if open.is_some() && step.of() == open => open = None,
            _ => {}
        }
    }
    findings.again = false;
}

/// Something must be slow, and what is must be provable.
pub(super) fn slow_networks(steps: &[Placed], findings: &mut Findings<'_>) {
    for placed in steps {
        if let Step::SlowNetwork(slow) = &placed.step
            && let Some((field, wrong, help)) = slow.wrong()
        {
            let at = match field {
                "" => placed.at(&[]),
                field => placed.at(&[At::Key(field)]),
            };
            findings.add(&at, Diagnostic::error("slow_network", wrong).help(help));
        }
    }
}
