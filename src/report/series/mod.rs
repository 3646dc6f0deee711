//! Several runs of one drill in each format. As elsewhere, nothing is computed here.

mod markdown;
mod terminal;

use super::{Format, Junit, Style};
use crate::event::result::{Known, RunResult};
use crate::event::series::{CountSpread, SeriesResult, Spread};
use crate::figures;
use std::io::{self, Write};

pub use terminal::{run_text, series_text};

/// Writes a series in a format.
///
/// # Errors
/// When `out` takes no more.
pub fn write_series(format: Format, series: &SeriesResult, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Terminal => out.write_all(series_text(series, Style::Plain).as_bytes()),
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, series)?;
            out.write_all(b"\n")
        }
        Format::Junit => Junit::write_series(series, out),
        Format::Markdown => markdown::write(series, out),
    }
}

/// The figures side by side: name, smallest, median, largest, of how many runs.
fn rows(series: &SeriesResult) -> Vec<[String; 5]> {
    let summary = &series.summary;
    let times = [
        ("downtime", &summary.downtime_ms),
        ("recovery", &summary.recovery_ms),
        ("redundancy", &summary.redundancy_ms),
    ];
    let counts = [
        ("lost commits", &summary.lost_commits),
        ("at risk", &summary.at_risk_commits),
    ];
    let times = times.into_iter().map(|(name, spread)| match spread {
        Known::Observed(spread) => of_times(name, spread),
        Known::Missing(missing) => not_observed(name, &missing.not_observed),
    });
    let counts = counts.into_iter().map(|(name, spread)| match spread {
        Known::Observed(spread) => of_counts(name, spread),
        Known::Missing(missing) => not_observed(name, &missing.not_observed),
    });
    times.chain(counts).collect()
}

fn of_times(name: &str, spread: &Spread) -> [String; 5] {
    let [min, median, max] = [spread.min, spread.median, spread.max].map(|it| figures::bounds(&it));
    [name.to_owned(), min, median, max, spread.runs.to_string()]
}

fn of_counts(name: &str, spread: &CountSpread) -> [String; 5] {
    // The mean of two whole numbers has at most one half.
    let median = if spread.median.fract() == 0.0 {
        figures::number(spread.median as u64)
    } else {
        format!("{}.5", figures::number(spread.median as u64))
    };
    [
        name.to_owned(),
        figures::number(spread.min),
        median,
        figures::number(spread.max),
        spread.runs.to_string(),
    ]
}

fn not_observed(name: &str, why: &str) -> [String; 5] {
    let rest = ["", "", "0"].map(str::to_owned);
    let [a, b, c] = rest;
    [name.to_owned(), format!("not observed: {why}"), a, b, c]
}

/// How the runs came out: `4 pass, 1 fail of 5 runs; 1 invalid run was drawn again`.
fn came_out(series: &SeriesResult) -> String {
    let head = &series.series;
    let verdicts: Vec<String> = head
        .verdicts
        .iter()
        .map(|(word, count)| format!("{count} {word}"))
        .collect();
    let mut text = match verdicts.is_empty() {
        true => "no run".to_owned(),
        false => verdicts.join(", "),
    };
    text.push_str(&format!(
        " of {}",
        figures::count(u64::from(head.asked), "run")
    ));
    match head.drawn_again.len() {
        0 => {}
        1 => text.push_str("; 1 invalid run was drawn again"),
        many => text.push_str(&format!("; {many} invalid runs were drawn again")),
    }
    if let Some(why) = &head.ended_early {
        text.push_str(&format!("; ended early: {why}"));
    }
    text
}

/// How far the figures carry.
fn carries(series: &SeriesResult) -> String {
    match series.series.counted.len() {
        0 => "no run counts, so that nothing was measured".to_owned(),
        1 => "1 run: where in the stack's cycle the fault fell decides; another run will differ"
            .to_owned(),
        many => format!(
            "{many} runs say nothing of rare ones: \"95 % of failovers within X\" would need 59 that keep to it"
        ),
    }
}

/// What a run is called in its series: `run 2 of 5`, or that another was drawn in its place.
fn place(series: &SeriesResult, run: &RunResult) -> String {
    if series.was_drawn_again(run) {
        return "drawn again".to_owned();
    }
    let kept = series.runs.iter().filter(|it| !series.was_drawn_again(it));
    let number = kept.take_while(|it| it.run.id != run.run.id).count() + 1;
    format!("{number} of {}", series.series.asked)
}
