//! `--repeat N`: the same drill again and again, each time at another moment of the stack's cycle and from a
//! cluster that is whole.
//!
//! An invalid run says nothing, so another is drawn in its place, N times in all; it stays visible. A run
//! that proved something (a loss, two writers) is not invalid and is never drawn again. A stop, something
//! that is not undone, or a run that could not begin ends the series.

use super::judging::{self, Judged};
use super::kind::Settings;
use super::{Request, one_run};
use crate::cli::exit_code::Exit;
use crate::cli::failure::Failure;
use crate::cli::terminal::Terminal;
use crate::drill::Placed;
use crate::drill::step::{PlusUpTo, Step};
use crate::event::result::RunResult;
use crate::event::series::{InSeries, RECORD_SCHEMA, SeriesRecord};
use crate::executor::signals::Stops;
use crate::history;
use crate::measure::series::series_of;
use crate::plan::draw;
use crate::report::{run_text, series_text};
use std::path::Path;

/// The moment of the fault is drawn over the target's control period, also where the drill leaves it: runs
/// that always strike at the same moment of the cycle would measure one run many times.
pub fn draw_the_moment(steps: &mut [Placed]) {
    // No baseline comes after a fault, so the last one is the one before it.
    let last = steps
        .iter_mut()
        .rev()
        .find_map(|placed| match &mut placed.step {
            Step::Baseline(body) => Some(body),
            _ => None,
        });
    if let Some(baseline) = last {
        baseline.plus_up_to.get_or_insert(PlusUpTo::ControlPeriod);
    }
}

/// The place of a run that is about to begin.
pub struct Place {
    /// The first run of the series, once there is one.
    first: Option<String>,
    seed: u64,
    asked: u32,
    number: u32,
}

impl Place {
    /// The same on record, for a run of this id.
    pub fn of(&self, run: &str) -> InSeries {
        InSeries {
            series: self.first.clone().unwrap_or_else(|| run.to_owned()),
            seed: self.seed,
            asked: self.asked,
            number: self.number,
        }
    }
}

/// What the series came to so far.
struct Series {
    asked: u32,
    /// Runs that may still be drawn again.
    redraws: u32,
    drawn: Vec<(RunResult, bool)>,
    exits: Vec<Exit>,
    ended_early: Option<String>,
}

impl Series {
    fn first(&self) -> Option<&str> {
        let (first, _) = self.drawn.first()?;
        Some(&first.run.id)
    }

    /// What a report of it needs beside the logs of its runs.
    fn on_record(&self, ended: bool) -> SeriesRecord {
        let ids = |runs: &mut dyn Iterator<Item = &(RunResult, bool)>| {
            runs.map(|(run, _)| run.run.id.clone()).collect::<Vec<_>>()
        };
        SeriesRecord {
            schema: RECORD_SCHEMA.to_owned(),
            runs: ids(&mut self.drawn.iter()),
            drawn_again: ids(&mut self.drawn.iter().filter(|(_, again)| *again)),
            ended,
            ended_early: self.ended_early.clone(),
        }
    }

    /// Keeps that beside its first run. The reports of this series do not need it.
    fn keep(&self, runs_dir: &Path, ended: bool, terminal: &Terminal) {
        let Some(first) = self.first() else {
            return;
        };
        let kept = history::store_series(&runs_dir.join(first), &self.on_record(ended));
        if let Err(error) = kept {
            terminal.say(&format!(
                "how the series goes on cannot be kept, so that `firedrill report --series` will not know it: {error}"
            ));
        }
    }

    fn kept(&self) -> u32 {
        let kept = self.drawn.iter().filter(|(_, again)| !again).count();
        u32::try_from(kept).unwrap_or(u32::MAX)
    }

    /// Takes one run; says whether the series goes on.
    fn take(&mut self, judged: Judged, terminal: &Terminal) -> bool {
        let exit = match &judged.exit {
            Ok(exit) => *exit,
            Err(failure) => {
                failure.say(terminal);
                failure.exit
            }
        };
        let again = exit == Exit::Invalid && judged.exit.is_ok() && self.redraws > 0;
        let stopped = match &judged.past.result.called_off {
            Some(_) => "the run was called off",
            None => "the run was stopped",
        };
        self.drawn.push((judged.past.result, again));
        if again {
            self.redraws -= 1;
            terminal
                .say("this run is invalid and counts for nothing; another is drawn in its place");
            return true;
        }
        self.exits.push(exit);
        match (exit, judged.exit) {
            (Exit::Interrupted, _) => self.end(stopped),
            (Exit::UndoIncomplete, _) => self.end("something is not put back"),
            (_, Err(failure)) => self.end(&failure.message),
            (_, Ok(_)) => self.kept() < self.asked,
        }
    }

    fn end(&mut self, why: &str) -> bool {
        if self.kept() < self.asked {
            self.ended_early = Some(why.lines().next().unwrap_or_default().to_owned());
        }
        false
    }
}

/// Carries out a drill `asked` times.
///
/// # Errors
/// When the first run could not begin, or a report could not be written.
pub async fn carry_out(
    mut request: Request,
    settings: &Settings,
    asked: u32,
    stops: &Stops,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let seed = request.seed;
    let mut series = Series {
        asked,
        redraws: asked,
        drawn: Vec::new(),
        exits: Vec::new(),
        ended_early: None,
    };
    for number in 1.. {
        request.seed = draw::of_run(seed, number);
        request.place = Some(Place {
            first: series.first().map(str::to_owned),
            seed,
            asked,
            number,
        });
        let place = series.kept() + 1;
        let own = request.seed;
        terminal.say(&format!("\nrun {place} of {asked}, seed {own}"));
        let goes_on = match one_run(&request, settings, stops, terminal).await {
            Ok(judged) => {
                let text = run_text(&judged.past.result, terminal.error_style());
                terminal.say(&format!("\n{}", text.trim_end()));
                series.take(judged, terminal)
            }
            Err(failure) if series.drawn.is_empty() => return Err(failure),
            Err(failure) => {
                failure.say(terminal);
                series.exits.push(failure.exit);
                series.end(&failure.message)
            }
        };
        if !goes_on {
            break;
        }
        if let Some((by, _)) = stops.level().asked() {
            series.exits.push(Exit::Interrupted);
            series.end(&format!("stopped by {by}"));
            break;
        }
        series.keep(&request.runs_dir, false, terminal);
    }
    series.keep(&request.runs_dir, true, terminal);
    let result = series_of(asked, seed, series.drawn, series.ended_early);
    let text = series_text(&result, terminal.error_style());
    terminal.say(&format!("\n{}", text.trim_end()));
    let exit = Exit::worst(series.exits);
    judging::write(terminal, Ok(exit), |out| {
        request.outputs.write_series(&result, out)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::past::Past;
    use crate::report::sample;

    fn terminal() -> Terminal {
        Terminal {
            error_is_terminal: false,
            output_is_terminal: false,
            input_is_terminal: false,
            no_color: true,
            dumb: true,
        }
    }

    /// Takes runs with these exit codes as long as the series goes on; tells which were drawn again and the
    /// code of the whole.
    fn taken(asked: u32, exits: &[u8]) -> (Vec<bool>, u8, Option<String>) {
        let mut series = Series {
            asked,
            redraws: asked,
            drawn: Vec::new(),
            exits: Vec::new(),
            ended_early: None,
        };
        for number in exits {
            let exit = *Exit::ALL.iter().find(|it| it.number() == *number).unwrap();
            let past = Past {
                result: sample::pass(),
                previous: None,
            };
            let exit = Ok(exit);
            if !series.take(Judged { past, exit }, &terminal()) {
                break;
            }
        }
        let again = series.drawn.iter().map(|(_, again)| *again).collect();
        (
            again,
            Exit::worst(series.exits).number(),
            series.ended_early,
        )
    }

    #[test]
    fn an_invalid_run_is_drawn_again_and_a_failed_one_is_not() {
        let (again, code, early) = taken(2, &[4, 1, 0]);
        assert_eq!((again, code, early), (vec![true, false, false], 1, None));
    }

    #[test]
    fn runs_are_drawn_again_as_often_as_there_are_runs() {
        let (again, code, _) = taken(2, &[4, 4, 4, 0]);
        assert_eq!(again, [true, true, false, false]);
        assert_eq!(code, 4, "the third stays, and is the worst");
    }

    #[test]
    fn a_stop_and_what_is_not_undone_end_the_series() {
        let (again, code, early) = taken(5, &[0, 130, 0]);
        assert_eq!((again.len(), code), (2, 130));
        assert_eq!(early.as_deref(), Some("the run was stopped"));
        let (again, code, early) = taken(5, &[6, 0]);
        assert_eq!((again.len(), code), (1, 6));
        assert_eq!(early.as_deref(), Some("something is not put back"));
        let (_, code, early) = taken(1, &[130]);
        assert_eq!(
            (code, early),
            (130, None),
            "all that was asked for is there"
        );
    }
}
