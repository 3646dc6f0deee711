//! How `run` and `demo` carry out a drill: plan it, open a session on a target, execute, judge, report.
//!
//! | file | what |
//! |---|---|
//! | mod.rs | the order of it all |
//! | kind.rs | what each kind of target is set to, and its runtime |
//! | containers.rs | what a target in containers is set to |
//! | looking.rs | who is who on a cluster that runs already, for the plan |
//! | session.rs | what a run holds open: folder, journal, watchdog, cluster |
//! | preparing.rs | from a whole cluster to an execution |
//! | watching.rs | lets a live view read along |
//! | asking.rs | whether every question of a drill can be answered |
//! | series.rs | the same drill several times |
//! | judging.rs | from the event log to reports and an exit code |

mod asking;
#[cfg(feature = "docker")]
mod containers;
mod extras;
mod judging;
mod kind;
mod looking;
mod preparing;
mod series;
mod session;
mod watching;

pub use asking::parse_answer;
pub use kind::Settings;
pub use looking::look;
pub use series::Place;

use super::exit_code::Exit;
use super::failure::Failure;
use super::terminal::Terminal;
use crate::drill::{Checked, CheckedTarget};
use crate::executor::answers::Lines;
use crate::executor::execution::{Executed, execute};
use crate::executor::signals::Stops;
use crate::report::Outputs;
use crate::undo::open_runs::Registry;
use judging::Judged;
use session::Session;
use std::path::PathBuf;
use tokio::task::LocalSet;
use watching::SharedView;

/// What is to be drilled, read and checked.
pub struct Request {
    /// The drill.
    pub drill: Checked,
    /// The target.
    pub target: CheckedTarget,
    /// Seed of all draws.
    pub seed: u64,
    /// Folder of the runs.
    pub runs_dir: PathBuf,
    /// Registry of open journals.
    pub registry: Registry,
    /// Reports, whose files are open already.
    pub outputs: Outputs,
    /// Nobody need be asked.
    pub agreed: bool,
    /// Lines that somebody types on the terminal, where somebody may sit at it.
    pub lines: Option<Lines>,
    /// Nobody can be asked.
    pub no_input: bool,
    /// Answers that were given before the run, by step.
    pub answers: Vec<(String, String)>,
    /// How many runs, where several were asked for.
    pub repeat: Option<u32>,
    /// The place of the next run among them.
    pub place: Option<Place>,
}

/// Carries out a drill.
///
/// # Errors
/// When it could not begin, with what to do next; nothing is left behind then.
pub fn drill(mut request: Request, terminal: &Terminal) -> Result<Exit, Failure> {
    if request.repeat.is_some() {
        series::draw_the_moment(&mut request.drill.steps);
    }
    let (request, settings) = match preparing::plan_ahead(request, terminal)? {
        preparing::Ahead::Planned(request, settings) => (*request, settings),
        preparing::Ahead::Over(exit) => return Ok(exit),
    };
    let runtime = settings.runtime()?;
    // Under a virtual clock everything, the probes too, is on this thread.
    let exit = LocalSet::new().block_on(&runtime, carry_out(request, settings, terminal));
    // A task that hangs in a call to a frozen server must not keep the process, and with it the pipe to
    // the watchdog.
    runtime.shutdown_background();
    exit
}

async fn carry_out(
    request: Request,
    settings: Settings,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    // Not before the question: Ctrl-C there simply ends a program that has touched nothing.
    let stops = Stops::listen()
        .map_err(|error| Failure::target(format!("signals cannot be listened to: {error}")))?;
    if let Some(runs) = request.repeat {
        return series::carry_out(request, &settings, runs, &stops, terminal).await;
    }
    let Judged { past, exit } = one_run(&request, &settings, &stops, terminal).await?;
    judging::show(&past, terminal);
    judging::write(terminal, exit, |out| {
        let previous = past.previous.as_ref();
        request.outputs.write_all(&past.result, previous, out)
    })
}

/// Carries out one run from a fresh cluster to its judged result.
async fn one_run(
    request: &Request,
    settings: &Settings,
    stops: &Stops,
    terminal: &Terminal,
) -> Result<Judged, Failure> {
    let view = SharedView::new(terminal);
    // Real clusters are waited for in real time; a simulated run leaves them to the next real one.
    if !settings.is_simulated() {
        for line in session::sweep_dead_runs(&request.runs_dir, Some(&request.registry)).await? {
            view.say(&line);
        }
    }
    let opening = Session::open(&request.runs_dir, &request.registry, settings, request.seed);
    let mut session = tokio::select! {
        biased;
        opened = opening => opened?,
        () = stops.reached(1) => return Err(stopped(stops)),
    };
    let run = session.run().to_owned();
    let prepared = tokio::select! {
        biased;
        prepared = preparing::prepare(&mut session, request, settings, &view, stops) => prepared,
        () = stops.reached(1) => Err(stopped(stops)),
    };
    let execution = match prepared {
        Ok(execution) => execution,
        Err(failure) => {
            view.finish();
            return match session.abandon().await {
                Ok(()) => Err(failure),
                Err(left) => Err(not_undone(&run, &[failure.message, left])),
            };
        }
    };
    let executed = execute(execution).await;
    view.finish();
    match executed {
        Ok(Executed::Ended { ended, log_broken }) => {
            let closed = session.close();
            judging::judge(&request.runs_dir, &run, &ended, log_broken, closed)
        }
        Ok(Executed::Left) => {
            session.leave();
            Err(not_undone(&run, &["left on the third signal".to_owned()])
                .hint("the watchdog goes on undoing; wait a moment and look with: firedrill list"))
        }
        Err(error) => {
            let failure = Failure::from(error);
            match session.abandon().await {
                Ok(()) => Err(failure),
                Err(left) => Err(not_undone(&run, &[failure.message, left])),
            }
        }
    }
}

fn stopped(stops: &Stops) -> Failure {
    let by = stops.level();
    let by = by.asked().map_or("a signal", |(by, _)| by);
    Failure::new(
        Exit::Interrupted,
        format!("stopped by {by} before the first step; everything was put back"),
    )
}

/// Something is left behind: the way to finish it is part of the message.
fn not_undone(run: &str, what: &[String]) -> Failure {
    Failure::new(
        Exit::UndoIncomplete,
        format!("not everything is put back: {}", what.join("; ")),
    )
    .hint(format!("firedrill undo {run}"))
}
