//! Whether the load beside the probes names a program, and what is there to be filled in.

use super::Findings;
use crate::drill::diagnostic::Diagnostic;
use crate::drill::file::DrillFile;
use crate::drill::nearest::nearest;
use crate::drill::places::At;

/// What is filled in when the drill begins.
pub(super) const NAMES: [&str; 4] = [
    "writer.host",
    "writer.port",
    "writer.user",
    "writer.database",
];

/// Checks `workload.background`.
pub(super) fn background(drill: &DrillFile, findings: &mut Findings<'_>) {
    let Some(background) = &drill.workload.background else {
        return;
    };
    let run = [At::Key("workload"), At::Key("background"), At::Key("run")];
    if background.run.first().is_none_or(|word| word.is_empty()) {
        findings.add(
            &run,
            Diagnostic::error("background", "there is no program to run")
                .help("such as `run: [pgbench, --client=4, --time=600]`; no shell reads it"),
        );
    }
    for (index, word) in background.run.iter().enumerate() {
        for name in named(word) {
            if NAMES.contains(&name) {
                continue;
            }
            let unknown = Diagnostic::error(
                "background",
                format!("nothing is known that could stand for {{{{{name}}}}}"),
            );
            let unknown = match nearest(name, NAMES) {
                Some(near) => unknown.label(format!("did you mean {{{{{near}}}}}?")),
                None => unknown,
            };
            let [a, b, c] = run;
            findings.add(
                &[a, b, c, At::Item(index)],
                unknown.help(
                    "known are {{writer.host}}, {{writer.port}}, {{writer.user}} and {{writer.database}}; the password is in PGPASSWORD, never in arguments",
                ),
            );
        }
    }
}

/// What stands between double braces.
fn named(word: &str) -> Vec<&str> {
    let parts = word.split("{{").skip(1);
    parts
        .filter_map(|part| part.split_once("}}").map(|(name, _)| name))
        .collect()
}
