//! A series as Markdown: the figures side by side, then each run's own report.

use super::{came_out, carries, place, rows};
use crate::event::result::RunResult;
use crate::event::series::SeriesResult;
use crate::figures;
use crate::report::markdown::table;
use crate::report::{Markdown, Reporter as _, wording};
use std::fmt::{self, Write as _};
use std::io::{self, Write};

/// Writes it.
///
/// # Errors
/// When `out` takes no more.
pub fn write(series: &SeriesResult, out: &mut dyn Write) -> io::Result<()> {
    let mut text = String::new();
    head(series, &mut text).map_err(io::Error::other)?;
    out.write_all(text.as_bytes())?;
    for run in &series.runs {
        out.write_all(b"\n---\n\n")?;
        Markdown.write(run, out)?;
    }
    Ok(())
}

fn head(series: &SeriesResult, text: &mut String) -> fmt::Result {
    let (drill, target) = series
        .runs
        .first()
        .map_or(("", ""), |run| (&run.run.drill, &run.run.target));
    let runs = figures::count(u64::from(series.series.asked), "run");
    writeln!(text, "# {runs} of {drill} on {target}\n")?;
    writeln!(text, "**{}.**\n", came_out(series))?;
    let header = ["", "smallest", "median", "largest", "runs"];
    let figures: Vec<Vec<String>> = rows(series).into_iter().map(Vec::from).collect();
    table(text, &header, &figures)?;
    writeln!(text, "\n{}.\n", carries(series))?;
    let header = ["run", "verdict", "seed", "downtime", "id"];
    let runs: Vec<Vec<String>> = series.runs.iter().map(|run| line(series, run)).collect();
    table(text, &header, &runs)
}

fn line(series: &SeriesResult, run: &RunResult) -> Vec<String> {
    let counts = series.series.counted.contains(&run.run.id);
    let downtime = match wording::worst_downtime(run).filter(|_| counts) {
        Some(bounds) => figures::bounds(&bounds),
        None => "–".to_owned(),
    };
    vec![
        place(series, run),
        wording::headline(run).to_lowercase(),
        run.run.seed.to_string(),
        downtime,
        run.run.id.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::series::series_of;
    use crate::report::sample;

    #[test]
    fn figures_come_first_and_each_run_follows() {
        let series = series_of(1, 7, vec![(sample::pass(), false)], None);
        let mut out = Vec::new();
        write(&series, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let (head, runs) = text.split_once("\n---\n").unwrap();
        insta::assert_snapshot!(head, @"
        # 1 run of primary-crash on local

        **1 pass of 1 run.**

        |  | smallest | median | largest | runs |
        |---|---|---|---|---|
        | downtime | 0.40–0.45 s | 0.40–0.45 s | 0.40–0.45 s | 1 |
        | recovery | 0.40–0.45 s | 0.40–0.45 s | 0.40–0.45 s | 1 |
        | redundancy | 1.21–1.29 s | 1.21–1.29 s | 1.21–1.29 s | 1 |
        | lost commits | 0 | 0 | 0 | 1 |
        | at risk | 37 | 37 | 37 | 1 |

        1 run: where in the stack's cycle the fault fell decides; another run will differ.

        | run | verdict | seed | downtime | id |
        |---|---|---|---|---|
        | 1 of 1 | pass | 7 | 0.40–0.45 s | 20261123t012233-1a2b3c |
        ");
        let mut alone = Vec::new();
        Markdown.write(&sample::pass(), &mut alone).unwrap();
        assert_eq!(runs.trim_start().as_bytes(), alone);
    }
}
