//! The last screen of a series: each run in a line, then the figures side by side.

use super::{came_out, carries, place, rows};
use crate::event::result::RunResult;
use crate::event::series::SeriesResult;
use crate::figures;
use crate::report::terminal::{Page, answer};
use crate::report::{Paint, Style, wording};
use crate::screen::COLUMNS;

/// What one run of a series came to, in the lines that its own last screen begins with.
#[must_use]
pub fn run_text(run: &RunResult, style: Style) -> String {
    let mut page = Page::new(style, COLUMNS);
    answer::write(run, &mut page);
    page.text()
}

/// The last screen of a series.
#[must_use]
pub fn series_text(series: &SeriesResult, style: Style) -> String {
    let mut page = Page::new(style, COLUMNS);
    let drill = series.runs.first().map(|run| &run.run);
    let about = drill.map_or_else(String::new, |run| {
        format!(
            "{} on {}, seed {}",
            run.drill, run.target, series.series.seed
        )
    });
    let good = series
        .runs
        .iter()
        .filter(|run| !series.was_drawn_again(run))
        .all(wording::is_good)
        && series.series.ended_early.is_none();
    let paint = if good { Paint::Good } else { Paint::Bad };
    let word = match series.series.asked {
        1 => "1 RUN".to_owned(),
        many => format!("{many} RUNS"),
    };
    page.title(&word, paint, &about);
    page.below(None, &came_out(series));
    page.gap();
    let mut runs = vec![["", "verdict", "seed", "downtime", "lost", "run"].map(str::to_owned)];
    runs.extend(series.runs.iter().map(|run| line(series, run)));
    page.table("Runs", &runs);
    page.gap();
    let mut table = vec![["", "smallest", "median", "largest", "runs"].map(str::to_owned)];
    table.extend(rows(series));
    page.table("Figures", &table);
    page.line("", &carries(series));
    page.gap();
    if let Some(last) = series.runs.last() {
        page.line("Next", &format!("firedrill show {}", last.run.id));
    }
    page.text()
}

fn line(series: &SeriesResult, run: &RunResult) -> [String; 6] {
    let downtime = match wording::worst_downtime(run) {
        Some(bounds) => figures::bounds(&bounds),
        None => "not observed".to_owned(),
    };
    let lost = match run.ledger.lost.count {
        Some(lost) => figures::number(lost),
        None => "not known".to_owned(),
    };
    // What an invalid run measured does not count, so it is not shown as if it did.
    let counts = series.series.counted.contains(&run.run.id);
    let downtime = if counts { downtime } else { "–".to_owned() };
    [
        place(series, run),
        wording::headline(run).to_lowercase(),
        run.run.seed.to_string(),
        downtime,
        lost,
        run.run.id.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::result::Known;
    use crate::measure::series::series_of;
    use crate::report::sample;

    fn named(mut run: RunResult, id: &str, seed: u64) -> RunResult {
        run.run.id = id.to_owned();
        run.run.seed = seed;
        run
    }

    #[test]
    fn a_series_with_a_run_that_was_drawn_again() {
        let drawn = vec![
            (named(sample::pass(), "20261123t012233-1a2b3c", 7), false),
            (
                named(sample::invalid(), "20261123t012333-1a2b3d", 311_802),
                true,
            ),
            (
                named(sample::loss(), "20261123t012433-1a2b3e", 90_211),
                false,
            ),
        ];
        let series = series_of(2, 7, drawn, None);
        insta::assert_snapshot!(series_text(&series, Style::Plain), @r#"
        2 RUNS  primary-crash on local, seed 7
              1 fail, 1 pass of 2 runs; 1 invalid run was drawn again

          Runs                     verdict  seed    downtime     lost  run
                      1 of 2       pass     7       0.40–0.45 s  0     20261123t012233-1a2b3c
                      drawn again  invalid  311802  –            0     20261123t012333-1a2b3d
                      2 of 2       fail     90211   0.40–0.45 s  3     20261123t012433-1a2b3e

          Figures                   smallest     median       largest      runs
                      downtime      0.40–0.45 s  0.40–0.45 s  0.40–0.45 s  2
                      recovery      0.40–0.45 s  0.40–0.45 s  0.40–0.45 s  2
                      redundancy    1.21–1.29 s  1.21–1.29 s  1.21–1.29 s  2
                      lost commits  0            1.5          3            2
                      at risk       37           37           37           2
                      2 runs say nothing of rare ones: "95 % of failovers within X" would need 59 that keep
                        to it

          Next        firedrill show 20261123t012433-1a2b3e
        "#);
    }

    #[test]
    fn one_run_is_labelled_as_one() {
        let series = series_of(1, 7, vec![(sample::pass(), false)], None);
        insta::assert_snapshot!(series_text(&series, Style::Plain), @"
        1 RUN  primary-crash on local, seed 7
              1 pass of 1 run

          Runs                verdict  seed  downtime     lost  run
                      1 of 1  pass     7     0.40–0.45 s  0     20261123t012233-1a2b3c

          Figures                   smallest     median       largest      runs
                      downtime      0.40–0.45 s  0.40–0.45 s  0.40–0.45 s  1
                      recovery      0.40–0.45 s  0.40–0.45 s  0.40–0.45 s  1
                      redundancy    1.21–1.29 s  1.21–1.29 s  1.21–1.29 s  1
                      lost commits  0            0            0            1
                      at risk       37           37           37           1
                      1 run: where in the stack's cycle the fault fell decides; another run will differ

          Next        firedrill show 20261123t012233-1a2b3c
        ");
    }

    #[test]
    fn a_series_that_was_stopped() {
        let drawn = vec![(
            named(sample::interrupted(), "20261123t012233-1a2b3c", 7),
            false,
        )];
        let series = series_of(5, 7, drawn, Some("stopped by SIGINT".to_owned()));
        insta::assert_snapshot!(series_text(&series, Style::Plain), @"
        5 RUNS  primary-crash on local, seed 7
              1 stopped of 5 runs; ended early: stopped by SIGINT

          Runs                verdict  seed  downtime  lost       run
                      1 of 5  stopped  7     –         not known  20261123t012233-1a2b3c

          Figures                   smallest                     median  largest  runs
                      downtime      not observed: no run counts                   0
                      recovery      not observed: no run counts                   0
                      redundancy    not observed: no run counts                   0
                      lost commits  not observed: no run counts                   0
                      at risk       not observed: no run counts                   0
                      no run counts, so that nothing was measured

          Next        firedrill show 20261123t012233-1a2b3c
        ");
        assert_eq!(series.summary.downtime_ms, Known::missing("no run counts"));
    }
}
