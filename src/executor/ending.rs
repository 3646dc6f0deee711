//! How every run ends, in the order that makes its facts true: loads and writers stop, and with them the
//! program beside them, everything is undone, left-over sessions are ended, the cluster converges, the ledger
//! is audited, what firedrill made is removed.

use super::background::Background;
use super::cluster_watch::{ClusterWatch, DEADLINE};
use super::convergence::{self, converge};
use super::step_runner::StepRunner;
use crate::event::{Audited, Convergence, Event, RunEnded};
use crate::load::ledger::Ledger;
use crate::load::prober::Prober;
use crate::load::{LoadPlan, audit, leftovers};
use crate::recovery_action::{self, Acting};
use crate::target::see_cluster;
use crate::undo::guard::Urgency;
use std::collections::BTreeSet;
use std::time::Duration;

/// How long left-over sessions may take to end.
const LEFTOVERS: Duration = Duration::from_secs(5);
/// How long nodes that nobody brought back may take to stream again.
const BRING_BACK: Duration = Duration::from_secs(60);

/// What the ending takes over.
pub(super) struct Ending<'a> {
    pub(super) runner: &'a mut StepRunner,
    pub(super) prober: Option<Prober>,
    pub(super) background: Option<Background>,
    pub(super) load: &'a LoadPlan,
    pub(super) cut_short: Option<String>,
    pub(super) watch: ClusterWatch,
}

/// Ends the run; returns its last event.
pub(super) async fn end(ending: Ending<'_>) -> RunEnded {
    let Ending {
        runner,
        prober,
        background,
        load,
        mut cut_short,
        watch,
    } = ending;
    runner.returning.end().await;
    let stops = runner.stops.clone();
    tokio::select! {
        biased;
        () = runner.loads.end() => {}
        () = stops.reached(2) => {}
    }
    let ledger = match prober {
        None => None,
        Some(prober) => tokio::select! {
            biased;
            stopped = prober.stop() => match stopped {
                Ok(ledger) => Some(ledger),
                Err(error) => {
                    cut_short.get_or_insert(format!("the ledger is not complete: {error}"));
                    None
                }
            },
            () = stops.reached(2) => None,
        },
    };
    if let Some(background) = background {
        background.stop().await;
    }
    let urgency = match stops.level().asked() {
        Some((_, asked)) if asked > 1 => Urgency::Now,
        _ => Urgency::Patient,
    };
    let undoing = runner.undoing.clone();
    let mut undoing = undoing.lock().await;
    let report = undoing.undo_all(urgency).await;
    let mut not_undone = report.failures;
    // A server goes on with a statement whose client is gone.
    if runner.loads.any() {
        let (nodes, name) = (load.acted_on(), load.clients_application());
        let left = leftovers::terminate(&nodes, &name, LEFTOVERS);
        tokio::select! {
            biased;
            _ = left => {}
            () = stops.reached(2) => {}
        }
    }

    // What was called off broke nothing, so that there is nothing to judge.
    if let Some(ledger) = ledger
        && stops.level().is_no()
        && runner.called_off.is_none()
    {
        let whole = async {
            if cut_short.is_some() && not_undone.is_empty() {
                bring_back(runner, undoing.next_number()).await;
            }
            judge(runner, load, ledger).await;
        };
        tokio::select! {
            biased;
            () = whole => {}
            () = stops.reached(1) => {}
        }
    }
    let writable = see_cluster(runner.target.as_ref(), runner.clock, DEADLINE)
        .await
        .primaries()
        .count();
    drop(watch);
    match runner.target.close().await {
        Ok(line) => match undoing.target_closed(&line) {
            Ok(()) => runner.emit(Event::Noted { text: line }),
            Err(error) => not_undone.push(error.to_string()),
        },
        Err(error) => not_undone.push(error.to_string()),
    }
    // Here, under the lock that the run has held all its life: whoever finds a journal that is open and
    // free takes its runner for dead.
    match undoing.close_journal() {
        Ok(closed) => {
            if !closed && not_undone.is_empty() {
                not_undone.push("the journal has open entries".to_owned());
            }
        }
        Err(error) => not_undone.push(error.to_string()),
    }
    RunEnded {
        interrupted: stops.level().asked().map(|(by, _)| by.to_owned()),
        not_undone,
        undone: report.undone,
        writable_nodes: Some(writable as u32),
        cut_short,
        called_off: runner.called_off.clone(),
    }
}

/// Brings back what the stack took out of service in a run that was cut short, so that its ledger can be
/// judged; whether that succeeded is said by the convergence.
async fn bring_back(runner: &StepRunner, number: u32) {
    let acting = Acting {
        number,
        target: runner.target.as_ref(),
        clock: runner.clock,
        emitter: &runner.emitter,
        step: "ending",
        evidence: &runner.evidence,
        within: BRING_BACK,
    };
    let seen = see_cluster(runner.target.as_ref(), runner.clock, DEADLINE).await;
    if seen.is_whole() {
        return;
    }
    let _ = recovery_action::bring_back(&acting).await;
}

/// Converges and audits. Left-over sessions go first: a statement that is still queued at a thawed server
/// may commit after the writers stopped.
async fn judge(runner: &mut StepRunner, load: &LoadPlan, ledger: Ledger) {
    // A node that does not answer keeps the cluster from converging, which says it better.
    let _ = leftovers::terminate(&load.acted_on(), &load.application(), LEFTOVERS).await;
    let convergence = converge(
        runner.target.as_ref(),
        &load.run,
        runner.clock,
        convergence::LIMIT,
    )
    .await;
    runner.emit(Event::Convergence(convergence.clone()));
    let mut audited = match audit_converged(runner, load, &ledger, &convergence).await {
        Ok(audited) => audited,
        Err(why) => Audited {
            unjudged: Some(why),
            ..Audited::default()
        },
    };
    audited.loss_unjudged.clone_from(&load.loss_unjudged);
    if let Ok(Some(evidence)) = runner
        .target
        .recovery()
        .diverged_evidence(&runner.evidence)
        .await
    {
        audited.rpo_bytes = evidence.bytes_after_fork;
        audited.found_in_old_data = evidence.rows.map(|rows| {
            let rows: BTreeSet<_> = rows.into_iter().collect();
            // The same commits as the count of lost ones: those of the endpoints' channels.
            let endpoint = audited
                .writers
                .iter()
                .filter(|writer| audit::is_endpoint(&writer.channel));
            let lost = endpoint
                .flat_map(|writer| writer.lost.iter().map(|lost| (writer.writer, lost.seq)));
            lost.filter(|key| rows.contains(key)).count() as u64
        });
    }
    runner.emit(Event::Audited(Box::new(audited)));
}

async fn audit_converged(
    runner: &StepRunner,
    load: &LoadPlan,
    ledger: &Ledger,
    convergence: &Convergence,
) -> Result<Audited, String> {
    let [(writer, _)] = convergence.writable.as_slice() else {
        return Err(not_converged(convergence));
    };
    let writer = runner.target.probe_access(writer);
    let mut audited = audit::audit(
        ledger,
        &writer,
        &load.probed(),
        runner.at_risk,
        &convergence.history,
    )
    .await;
    // Proven loss stays a fact; that nothing more was lost is unknown until the cluster has converged.
    if convergence.since.is_none() {
        audited.unjudged.get_or_insert(not_converged(convergence));
    }
    Ok(audited)
}

fn not_converged(convergence: &Convergence) -> String {
    format!(
        "the cluster did not converge: {}",
        convergence.missing.as_deref().unwrap_or("unknown why")
    )
}
