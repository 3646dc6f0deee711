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
