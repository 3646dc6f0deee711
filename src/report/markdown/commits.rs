//! What became of the commits, and whether two nodes took writes.

use super::{cell, table};
use crate::event::result::{Ledger, RunResult, TwoWriters};
use crate::figures;
use crate::report::wording;
use std::fmt::{self, Write as _};

/// Writes the section.
pub fn write(result: &RunResult, text: &mut String) -> fmt::Result {
    let ledger = &result.ledger;
    writeln!(text, "\n## Commits\n\n{}\n", cell(&wording::lost(ledger)))?;
    if let Some(why) = &ledger.unjudged {
        writeln!(text, "- not judged: {}", cell(why))?;
    } else if let Some(why) = &ledger.lost.unjudged {
        writeln!(text, "- loss not judged: {}", cell(why))?;
    }
    let doubt = ledger.in_doubt;
    let lines = [
        (
            "at risk",
            figures::known(&ledger.at_risk, |it| figures::number(*it)),
        ),
        (
            "isolated (acknowledged only inside the node that was hit)",
            figures::known(&ledger.isolated, |it| match it.count {
                0 => "0".to_owned(),
                count => format!(
                    "{} over {}",
                    figures::number(count),
                    figures::duration(it.span_ms)
                ),
            }),
        ),
        (
            "in doubt",
            format!(
                "{}: {} found, {} not",
                doubt.count, doubt.recovered, doubt.vanished
            ),
        ),
        ("refused and yet there", figures::number(ledger.phantom)),
        (
            "never sent and yet there",
            figures::number(ledger.unexpected),
        ),
        ("there more than once", figures::number(ledger.duplicated)),
        (
            "time between the oldest lost commit and the fault",
            figures::known(&ledger.lost.rpo, figures::bounds),
        ),
    ];
    for (what, figure) in lines {
        // Nobody looked, so the zero in these fields says nothing.
        if ledger.judged || figure.starts_with("not observed") {
            writeln!(text, "- {what}: {}", cell(&figure))?;
        }
    }
    for node in &ledger.diverged_nodes {
        writeln!(text, "- different rows: {}", cell(node))?;
    }
    two_writers(&result.two_writers, text)?;
    first_lost(ledger, text)
}

fn two_writers(two: &TwoWriters, text: &mut String) -> fmt::Result {
    for pair in &two.pairs {
        writeln!(
            text,
            "- timelines {} and {} both acknowledged for {}: {} commits; {} sent before the old one came back, {} after",
            pair.old,
            pair.new,
            figures::duration(pair.overlap_ms),
            pair.acks,
            pair.sent_before_thaw,
            pair.sent_after
        )?;
    }
    for flag in &two.flags {
        writeln!(text, "- sign of two writers: {}", cell(flag))?;
    }
    Ok(())
}

fn first_lost(ledger: &Ledger, text: &mut String) -> fmt::Result {
    if !ledger.lost.first.is_empty() {
        writeln!(text, "\nThe first lost commits:\n")?;
        let rows: Vec<Vec<String>> = wording::first_lost(ledger)
            .into_iter()
            .map(Vec::from)
            .collect();
        let header = [
            "channel",
            "writer",
            "key",
            "acknowledged at",
            "by",
            "timeline",
        ];
        table(text, &header, &rows)?;
    }
    Ok(())
}
