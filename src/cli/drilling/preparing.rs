//! From a checked drill to an execution: planned on paper, cluster up, preflight, planned on what is there,
//! shown, and agreed to.

use super::extras;
use super::kind::Settings;
use super::looking::look;
use super::session::Session;
use super::watching::SharedView;
use super::{Request, asking};
use crate::cli::exit_code::Exit;
use crate::cli::failure::Failure;
use crate::cli::files;
use crate::cli::terminal::Terminal;
use crate::drill::Diagnostic;
use crate::event::{Emitter, RunBegan, SCHEMA};
use crate::executor::answers::Answers;
use crate::executor::execution::Execution;
use crate::executor::preflight::{Unfit, preflight};
use crate::executor::requirement::Requirements;
use crate::executor::signals::Stops;
use crate::executor::undoing::Undoing;
use crate::load::durability::Durability;
use crate::load::retention::Retention;
use crate::load::{LoadPlan, NodeAccess};
use crate::measure::Measures;
use crate::plan::step::Action;
use crate::plan::{Refusal, TargetFacts, clients_on_nodes, compile, preview, workload};
use crate::target::Target;
use crate::target::local::Progress;

/// What planning on paper came to.
pub enum Ahead {
    /// It can be done on such a target.
    Planned(Box<Request>, Settings),
    /// It cannot, and the reports say "skipped"; or nobody wants it. Nothing was touched.
    Over(Exit),
}

/// Plans on paper and, where the cluster runs already, with who is who there; shows it and asks, so that what a target
/// cannot do and what nobody wants is said before anything is started. (A throw-away cluster begins with the roles that
/// are on paper.)
///
/// # Errors
/// When a report of the refusal cannot be written.
pub fn plan_ahead(request: Request, terminal: &Terminal) -> Result<Ahead, Failure> {
    let facts = TargetFacts::of_file(&request.target.target);
    match compile(&request.drill, &facts, request.seed) {
        Ok(plan) => {
            asking::answerable(&plan.steps, &request.answers, request.no_input)?;
            // A password that is nowhere is said before anybody is asked.
            let settings = Settings::of(&request.target)?;
            let facts = look(facts, &settings, Some(&request.registry))?;
            let planned = match facts.live {
                true => compile(&request.drill, &facts, request.seed),
                false => Ok(plan),
            };
            let plan = match planned {
                Ok(plan) => plan,
                Err(refusals) => {
                    return refuse(request, &facts, &refusals, terminal).map(Ahead::Over);
                }
            };
            terminal.say(preview(&plan.record, &facts, request.seed).trim_end());
            if !request.agreed && !agreed(terminal, request.no_input)? {
                terminal.say("called off; nothing was touched");
                return Ok(Ahead::Over(Exit::Interrupted));
            }
            Ok(Ahead::Planned(Box::new(request), settings))
        }
        Err(refusals) => refuse(request, &facts, &refusals, terminal).map(Ahead::Over),
    }
}

/// Asks before anything is broken.
fn agreed(terminal: &Terminal, no_input: bool) -> Result<bool, Failure> {
    if no_input {
        return Err(Failure::usage("nobody is asked with --no-input")
            .hint("add --yes to run without the question"));
    }
    match terminal.ask("\nBreak it now? [y/N]") {
        Some(answer) => Ok(matches!(answer.to_lowercase().as_str(), "y" | "yes")),
        None => Err(
            Failure::usage("nobody can be asked here: this is no terminal")
                .hint("add --yes to run without the question"),
        ),
    }
}

fn refuse(
    request: Request,
    facts: &TargetFacts,
    refusals: &[Refusal],
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let drill = request.drill.drill.name.clone();
    let reasons: Vec<_> = refusals
        .iter()
        .map(|refusal| refusal.diagnostic.message.clone())
        .collect();
    let mut errors = Vec::new();
    terminal.answer_by(|out| {
        errors = request
            .outputs
            .write_refused(&drill, &facts.kind, &reasons, out);
        Ok(())
    })?;
    files::refused(&drill, refusals, terminal).say(terminal);
    match errors.into_iter().next() {
        Some(error) => Err(error.into()),
        None => Ok(Exit::Target),
    }
}

/// Starts the cluster, looks at it, plans the drill on it, shows the plan and has it agreed to.
///
/// # Errors
/// When any of it fails or somebody says no; the caller abandons the session then.
pub async fn prepare(
    session: &mut Session,
    request: &Request,
    settings: &Settings,
    view: &SharedView,
    stops: &Stops,
) -> Result<Execution, Failure> {
    let progress = {
        let view = view.clone();
        move |progress| match progress {
            Progress::Doing(line) => view.say(&line),
            Progress::Downloading { done, total } => {
                view.download("fetching PostgreSQL", done, total);
            }
        }
    };
    let target = session.start_cluster(settings, progress).await?;
    let clock = session.clock();
    let facts = TargetFacts::of_file(&request.target.target);
    let mut load = load_plan(session, request, target.as_ref(), &facts)?;
    let clients = clients_on_nodes(&request.drill, &facts);
    let fit = preflight(target.as_ref(), &load, clients, clock).await?;
    let facts = TargetFacts {
        max_connections: Some(fit.room.max_connections),
        ..facts.seen(target.as_ref(), &fit.seen)
    };
    let plan = compile(&request.drill, &facts, request.seed)
        .map_err(|refusals| Failure::target(refused_now(&refusals)))?;
    if let Some(why) = Requirements::of(&plan.record.require).unmet(&fit.seen) {
        return Err(Failure::target(why)
            .hint("wait until it holds, or change `require` in the drill if it asks too much"));
    }
    for step in &plan.steps {
        if let Action::Fault(fault) = &step.action {
            let fits = fault.fits(target.as_ref()).await;
            fits.map_err(|error| Failure::target(error.to_string()))?;
        }
    }
    load.workload = plan.record.workload.clone();
    let mut seen = target.record();
    if let (Some(role), Some(durability)) = (load.durability_of.clone(), fit.durability) {
        match durability {
            Durability::Known { value, set } => {
                load.synchronous_commit = set.then(|| value.clone());
                let line = format!("the probes commit as {role}, with synchronous_commit");
                seen.durability.push((line, value));
            }
            Durability::Unknown(why) => {
                let line = format!("the probes do not commit as {role}, whose synchronous_commit");
                seen.durability.push((line, format!("is not known: {why}")));
                load.loss_unjudged = Some(format!(
                    "{role} may commit less durably than the probes: its synchronous_commit is not known: {why}"
                ));
            }
        }
    }
    let events = Emitter::channel();
    let (journal, made) = session
        .hand_over()
        .ok_or_else(|| Failure::target("the journal is in use already"))?;
    let began = RunBegan {
        schema: SCHEMA.to_owned(),
        run: session.run().to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: session.started_at(),
        seed: request.seed,
        plan: plan.record,
        target: seen,
        selftest: "never run here".to_owned(),
        series: request.place.as_ref().map(|place| place.of(session.run())),
    };
    let undoing = Undoing::new(
        journal,
        Some(made),
        session.folder().evidence(),
        target.clone(),
        clock,
        events.0.clone(),
    );
    Ok(Execution {
        began,
        steps: plan.steps,
        target,
        load,
        background: request
            .drill
            .drill
            .workload
            .background
            .as_ref()
            .map(|background| background.run.clone()),
        undoing,
        folder: session.folder().path.clone(),
        clock,
        stops: stops.clone(),
        answers: Answers {
            given: request.answers.iter().cloned().collect(),
            lines: request.lines.clone(),
        },
        observers: vec![Box::new(Measures::new()), Box::new(view.clone())],
        events,
    })
}

fn load_plan(
    session: &Session,
    request: &Request,
    target: &dyn Target,
    facts: &TargetFacts,
) -> Result<LoadPlan, Failure> {
    let endpoints = target.endpoints();
    let find = |name| {
        let found = endpoints.iter().find(|endpoint| endpoint.name == name);
        found.map(|endpoint| endpoint.address.clone())
    };
    let writer =
        find("writer").ok_or_else(|| Failure::target("the target has no writer endpoint"))?;
    let (extras, watches) = extras::of_file(&request.target, &writer)?;
    let file = &request.target.target;
    let keeping = file.ledger.clone().unwrap_or_default();
    Ok(LoadPlan {
        extras,
        watches,
        durability_of: file.durability_of.clone(),
        synchronous_commit: None,
        loss_unjudged: None,
        retention: Retention {
            keep_s: keeping.keep.as_secs(),
            at_most_bytes: keeping.at_most.as_bytes(),
        },
        run: session.run().to_owned(),
        clock: session.clock(),
        workload: workload(&request.drill.drill.workload, facts),
        writers_every: None,
        writer,
        reader: find("reader"),
        nodes: target
            .nodes()
            .into_iter()
            .map(|name| NodeAccess {
                probe: target.probe_access(&name),
                observe: target.observe_access(&name),
                act: target.act_access(&name),
                name,
            })
            .collect(),
        limits: facts.limits,
        folder: session.folder().path.clone(),
    })
}

fn refused_now(refusals: &[Refusal]) -> String {
    let said: Vec<_> = refusals
        .iter()
        .map(|refusal| {
            let Diagnostic { message, help, .. } = &refusal.diagnostic;
            match help {
                Some(help) => format!("{message} ({help})"),
                None => message.clone(),
            }
        })
        .collect();
    said.join("; ")
}

impl From<Unfit> for Failure {
    fn from(unfit: Unfit) -> Self {
        Self::target(unfit.what).hint(unfit.next)
    }
}
