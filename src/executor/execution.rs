//! One execution of a plan, from the first event to the last.

use super::answers::Answers;
use super::background::Background;
use super::cluster_watch::ClusterWatch;
use super::conclusions::Conclusions;
use super::dispatcher::Dispatcher;
use super::ending::{self, Ending};
use super::fault_step::Flushed;
use super::loads::Loads;
use super::requirement::Requirements;
use super::returning::Returning;
use super::signals::{Stop, Stops};
use super::step_runner::{StepRunner, StepsEnded};
use super::undoing::Undoing;
use crate::clock::Clock;
use crate::event::log::LogWriter;
use crate::event::{Emitter, Event, Observer, RunBegan, RunEnded};
use crate::load::LoadPlan;
use crate::load::prober::Prober;
use crate::plan::step::Step;
use crate::target::Target;
use futures_util::FutureExt as _;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Everything that an execution takes over.
pub struct Execution {
    /// The first event.
    pub began: RunBegan,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The cluster.
    pub target: Arc<dyn Target>,
    /// What to probe.
    pub load: LoadPlan,
    /// The program that makes load beside the probes, and its arguments.
    pub background: Option<Vec<String>>,
    /// The way back, with its journal.
    pub undoing: Undoing,
    /// The run's folder.
    pub folder: PathBuf,
    /// The run's clock.
    pub clock: Clock,
    /// Requests to stop.
    pub stops: Stops,
    /// From where people answer.
    pub answers: Answers,
    /// Who reads along: the measures first.
    pub observers: Vec<Box<dyn Observer>>,
    /// The events' two ends, made early so that the guard and the target can hold the first.
    pub events: (
        Emitter,
        tokio::sync::mpsc::UnboundedReceiver<(crate::event::Stamp, Event)>,
    ),
}

/// How an execution ended.
#[derive(Debug)]
pub enum Executed {
    /// By itself or undone after a request to stop; the last event says how.
    Ended {
        /// The last event.
        ended: RunEnded,
        /// Why the event log is not complete, where it is not.
        log_broken: Option<String>,
    },
    /// A third request to stop: nothing was waited for; the watchdog goes on.
    Left,
}

/// The event log cannot be made.
pub type ExecutionError = crate::event::log::LogError;

/// Executes a plan. Whatever happens in a step, the ending is reached: nothing is left undone but by a
/// third request to stop.
///
/// # Errors
/// When the event log cannot be made; nothing was touched then.
pub async fn execute(execution: Execution) -> Result<Executed, ExecutionError> {
    let log = LogWriter::create(&execution.folder)?;
    let stops = execution.stops.clone();
    tokio::select! {
        biased;
        executed = go_through(execution, log) => Ok(executed),
        () = stops.reached(3) => Ok(Executed::Left),
    }
}

async fn go_through(execution: Execution, log: LogWriter) -> Executed {
    let Execution {
        began,
        steps,
        target,
        load,
        background,
        undoing,
        folder,
        clock,
        stops,
        answers,
        observers,
        events: (emitter, events),
    } = execution;
    let (conclusions, awaiting) = Conclusions::channel();
    let dispatcher = Dispatcher {
        log,
        observers,
        conclusions,
        stops: stops.clone(),
        clock,
    };
    let dispatching = tokio::spawn(dispatcher.run(events));
    let seed = began.seed;
    let longest = Duration::from_millis(began.plan.longest_ms);
    let required = Requirements::of(&began.plan.require);
    emitter.emit(clock.now(), Event::RunBegan(Box::new(began)));
    target.tell(emitter.clone());
    let watch = ClusterWatch::start(target.clone(), clock, emitter.clone());

    let mut runner = StepRunner {
        target,
        clock,
        loads: Loads::new(load.clone(), emitter.clone()),
        emitter,
        awaiting,
        stops: stops.clone(),
        evidence: undoing.evidence().to_owned(),
        folder,
        undoing: Arc::new(tokio::sync::Mutex::new(undoing)),
        returning: Returning::default(),
        seed,
        longest,
        required,
        hits: BTreeMap::new(),
        flushed: Flushed::default(),
        at_risk: None,
        proven: false,
        baselines: 0,
        load_gone: None,
        answers,
        asked_to_end: None,
        called_off: None,
    };
    let load_plan = load.clone();
    let mut background_load = None;
    let (prober, cut_short) = match Prober::start(load, runner.emitter.clone()).await {
        Ok(prober) => {
            let started = background
                .map(|run| Background::start(&run, &load_plan, clock, runner.emitter.clone()))
                .transpose();
            let no_load = match started {
                Ok(started) => {
                    runner.load_gone = started.as_ref().map(Background::gone);
                    background_load = started;
                    None
                }
                Err(why) => Some(format!("the load beside the probes did not start: {why}")),
            };
            let steps = if no_load.is_some() { &[] } else { &*steps };
            let steps = AssertUnwindSafe(runner.run(steps)).catch_unwind();
            // A second request does not wait for the present step, not even for an injection.
            let ended = tokio::select! {
                biased;
                ended = steps => Some(ended),
                () = stops.reached(2) => None,
            };
            let cut_short = match ended {
                Some(Ok(StepsEnded::All)) => None,
                Some(Ok(StepsEnded::CutShort(why))) => Some(why),
                Some(Err(panic)) => Some(format!("firedrill panicked: {}", panic_text(&*panic))),
                None => Some("stopped twice".to_owned()),
            };
            (Some(prober), no_load.or(cut_short))
        }
        Err(error) => (None, Some(format!("the probes did not start: {error}"))),
    };
    let ended = ending::end(Ending {
        runner: &mut runner,
        prober,
        background: background_load,
        load: &load_plan,
        cut_short,
        watch,
    })
    .await;
    runner.emit(Event::RunEnded(ended.clone()));
    drop(runner);
    let log_broken = match dispatching.await {
        Ok(dispatched) => dispatched.log_broken,
        Err(error) => Some(format!("the dispatcher panicked: {error}")),
    };
    Executed::Ended { ended, log_broken }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

impl Stop {
    /// Whether the ledger is still to be judged: not after any request to stop.
    #[must_use]
    pub fn is_no(&self) -> bool {
        matches!(self, Self::No)
    }
}
