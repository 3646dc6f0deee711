//! Puts all measures together into one result, still without a verdict.

use super::findings::{OnChannel, disturbed, find};
use super::gathered::Gathered;
use super::phases::Phases;
use super::timeline::Timeline;
use super::{
    baseline, data_loss, latency, observer_validity, recovery_parts, redundancy, two_writers,
};
use crate::event::plan_record::ObjectiveRecord;
use crate::event::result::{
    AskResult, Channel, ChannelSettings, Environment, Expected, FaultResult, Known, ObserverResult,
    RunHead, RunResult, SCHEMA, Settings, StateLeft, StepResult, UndoResult, UndoStamps, Variable,
    Verdict,
};
use crate::event::slots::Outcome;
use crate::event::{ActKind, ChannelKind, Stamp, StepOutcome};
use crate::verdict::Facts;
use std::collections::BTreeMap;

/// The measured result, and what the verdict needs beside it.
#[must_use]
pub fn measured(run: &Gathered) -> (RunResult, Facts) {
    let found = find(run);
    let main = recovery_parts::main_outage(run, &found);
    let phases = Phases::of(run, &found, redundancy::restored_at(run));
    let recovery = recovery_parts::measure(run, &found);
    let ledger = data_loss::measure(run, main.map(|(_, cause)| cause));
    let two_writers = two_writers::measure(run, &found);
    let channels = run
        .channels
        .values()
        .map(|channel| {
            let findings = found.get(channel.name());
            (
                channel.name().to_owned(),
                self::channel(channel, findings, &phases),
            )
        })
        .collect();
    let result = RunResult {
        schema: SCHEMA.to_owned(),
        run: head(run),
        verdict: Verdict::Unknown,
        reasons: Vec::new(),
        expect: Expected {
            fail: run.plan().and_then(|plan| plan.expect_fail.clone()),
            met: false,
        },
        settings: settings(run, &found),
        objectives: Vec::new(),
        steps: steps(run),
        phases: phases.shown(),
        asked: asked(run),
        called_off: called_off(run),
        faults: faults(run),
        channels,
        loads: super::loads::measure(run, &phases),
        recovery,
        ledger,
        two_writers,
        restore: None,
        observer: observer(run, &found),
        state_left: state_left(run),
        undo: undo(run),
        environment: environment(run),
    };
    (result, facts(run, &found))
}

fn facts(run: &Gathered, found: &BTreeMap<String, OnChannel>) -> Facts {
    let f0 = run.acts.first_f0();
    // What a load brings down is what it was there to find.
    let disturbed = f0.map(|f0| run.first_pressed().map_or(f0, |load| load.min(f0)));
    let too_early = found.iter().filter_map(|(name, on)| {
        let f0 = disturbed?;
        let early = on
            .outages
            .iter()
            .find(|outage| outage.raw.began_before(f0))?;
        Some(format!(
            "{name} had an outage at {:.1} s, before the first fault",
            early.raw.known_bad.as_ms() / 1000.0
        ))
    });
    let taken_over = baseline::window(run).and_then(|(began, _)| {
        let taken_over = run.taken_over(began, disturbed?)?;
        Some(format!("{taken_over}, before the first fault"))
    });
    let objectives: Vec<ObjectiveRecord> = run
        .plan()
        .map_or(Vec::new(), |plan| plan.objectives.clone());
    Facts {
        objectives,
        planned: run.plan().is_some(),
        gone_wrong_before_fault: too_early.chain(taken_over).collect(),
        baseline_unfit: run.baseline_unfit.clone(),
        broken_batches: run.broken_batches,
        load_missing: run
            .background_ended
            .as_ref()
            .filter(|(at, _)| f0.is_none_or(|f0| *at < f0))
            .map(|(_, how)| how.clone()),
        cut_short: run.ended.as_ref().and_then(|ended| ended.cut_short.clone()),
        stop_asked: run.stop_asked.clone(),
    }
}

fn head(run: &Gathered) -> RunHead {
    let complete = run.ended.is_some();
    let Some(began) = &run.began else {
        // A log without its first event; `log::read` refuses it, so this is only ever a test's.
        return RunHead {
            id: String::new(),
            drill: String::new(),
            summary: String::new(),
            drill_sha256: String::new(),
            target: String::new(),
            target_identity: String::new(),
            started_at: String::new(),
            version: String::new(),
            seed: 0,
            folder: String::new(),
            selftest: Known::missing("the log has no beginning"),
            complete,
        };
    };
    RunHead {
        id: began.run.clone(),
        drill: began.plan.drill.clone(),
        summary: began.plan.summary.clone(),
        drill_sha256: began.plan.drill_sha256.clone(),
        target: began.target.kind.clone(),
        target_identity: began.target.identity.clone(),
        started_at: began.started_at.clone(),
        version: began.version.clone(),
        seed: began.seed,
        folder: began.run.clone(),
        selftest: if began.selftest.is_empty() || began.selftest.starts_with("never") {
            Known::missing(if began.selftest.is_empty() {
                "never run here"
            } else {
                began.selftest.as_str()
            })
        } else {
            Known::Observed(began.selftest.clone())
        },
        complete,
    }
}

fn settings(run: &Gathered, found: &BTreeMap<String, OnChannel>) -> Settings {
    let window = baseline::window(run);
    let ms = |us: u64| us as f64 / 1000.0;
    let channels = found.iter().map(|(name, on)| {
        let largest = run
            .channels
            .get(name)
            .zip(window)
            .and_then(|(channel, window)| baseline::largest_latency(channel, window));
        let settings = ChannelSettings {
            period_ms: ms(on.limits.period),
            deadline_ms: ms(on.limits.deadline),
            stall_ms: ms(on.limits.stall),
            join_ms: ms(on.limits.join),
            baseline_max_ms: largest.map(ms),
        };
        (name.clone(), settings)
    });
    let plan = run.plan();
    let variables = plan.map_or(&[][..], |plan| &plan.variables);
    Settings {
        channels: channels.collect(),
        endpoints: run.endpoints.clone(),
        stability_ms: plan.map_or(0.0, |plan| plan.workload.stability_ms as f64),
        variables: variables
            .iter()
            .map(|variable| Variable {
                name: variable.name.clone(),
                value: variable.value.clone(),
                from: variable.from.clone(),
            })
            .collect(),
        background: plan.is_some_and(|plan| plan.workload.background.is_some()),
        background_ended: run.background_ended.as_ref().map(|(at, how)| {
            let since = run.acts.first_f0().map(|f0| at.since(f0).as_secs_f64());
            match since {
                Some(since) => format!("{how}, {since:.1} s after the first fault"),
                None => how.clone(),
            }
        }),
    }
}

fn steps(run: &Gathered) -> Vec<StepResult> {
    let planned = run.plan().map_or(&[][..], |plan| &plan.steps);
    let steps = planned.iter().map(|step| {
        let times = run.steps.get(&step.id).cloned().unwrap_or_default();
        let (outcome, why) = match times.outcome {
            Some(StepOutcome::Done) => ("done", None),
            Some(StepOutcome::Failed { why }) => ("failed", Some(why)),
            Some(StepOutcome::Invalid { why }) => ("invalid", Some(why)),
            Some(StepOutcome::Skipped { why }) => ("skipped", Some(why)),
            None if times.began.is_some() => ("unfinished", None),
            None => ("skipped", Some("the run ended before it".to_owned())),
        };
        StepResult {
            id: step.id.clone(),
            kind: step.kind.clone(),
            begin_ms: times.began.map(Stamp::as_ms),
            end_ms: times.ended.map(Stamp::as_ms),
            outcome: outcome.to_owned(),
            why,
            noted: times.noted,
        }
    });
    steps.collect()
}

fn asked(run: &Gathered) -> Vec<AskResult> {
    let asked = run.asks.iter().map(|ask| {
        let answered = ask.answered.as_ref().map(|(_, answered)| answered);
        AskResult {
            step: ask.asked.step.clone(),
            who: ask.asked.who.clone(),
            question: ask.asked.question.clone(),
            answer: answered.map(|it| it.answer.clone()),
            by: answered.map(|it| it.by.clone()),
            way: answered.map(|it| it.way),
            waited_ms: ask.until(run.now).since(ask.at).as_secs_f64() * 1000.0,
            counts: ask.asked.counts,
            stops: answered.is_some_and(|it| it.stops),
        }
    });
    asked.collect()
}

fn called_off(run: &Gathered) -> Option<String> {
    let answered = run.ended.as_ref()?.called_off.as_ref()?;
    Some(format!(
        "{} answered {} to {} ({})",
        answered.by,
        answered.answer,
        answered.step,
        answered.way.in_words()
    ))
}

fn faults(run: &Gathered) -> Vec<FaultResult> {
    let faults = run.acts.faults().map(|fault| {
        let release = run.acts.of_fault(ActKind::Release, fault.number);
        let undo = run.acts.of_fault(ActKind::Undo, fault.number);
        let why = fault.failed.as_deref().unwrap_or("its effect was not seen");
        FaultResult {
            step: fault.step.clone(),
            fault: fault.name.clone(),
            node: fault.node.clone(),
            role: fault.role.clone(),
            requested_ms: fault.requested.as_ms(),
            returned_ms: fault.returned.map(Stamp::as_ms),
            effect_ms: match &fault.effect {
                Some((at, _)) => Known::Observed(at.as_ms()),
                None => Known::missing(why),
            },
            proof: fault.effect.as_ref().map(|(_, proof)| proof.clone()),
            released_ms: release.map(|release| release.requested.as_ms()),
            undo: undo.map(|undo| UndoStamps {
                requested_ms: undo.requested.as_ms(),
                returned_ms: undo.returned.map(Stamp::as_ms),
                effect_ms: undo.effect.as_ref().map(|(at, _)| at.as_ms()),
                verified: undo.effect.is_some(),
                how: undo
                    .effect
                    .as_ref()
                    .map(|(_, proof)| proof.clone())
                    .or_else(|| undo.failed.clone()),
            }),
        }
    });
    faults.collect()
}

fn channel(timeline: &Timeline, found: Option<&OnChannel>, phases: &Phases) -> Channel {
    let mut channel = Channel {
        sessions: timeline.record.sessions,
        ..Channel::default()
    };
    let mut bad = 0_u64;
    let stall = found.map(|on| on.limits.stall);
    let worth_a_look = timeline.parts().filter(|part| {
        let Some(all_good) = part.summary.filter(|summary| {
            summary.acknowledged == summary.count && Some(summary.longest_us) <= stall
        }) else {
            return true;
        };
        channel.attempted += all_good.count;
        channel.acknowledged += all_good.count;
        channel.stuck_ms = channel.stuck_ms.max(all_good.longest_us as f64 / 1000.0);
        false
    });
    let worth_a_look: Vec<_> = worth_a_look.collect();
    for attempt in worth_a_look.iter().flat_map(|part| part.attempts()) {
        channel.attempted += 1;
        match attempt.slot.outcome {
            Outcome::Acknowledged => channel.acknowledged += 1,
            Outcome::AcknowledgedLate => channel.acknowledged_late += 1,
            Outcome::Failed(_) | Outcome::Stale => channel.failed += 1,
            Outcome::InDoubt(_) => channel.in_doubt += 1,
            Outcome::NotSent => {
                channel.attempted -= 1;
                channel.not_sent += 1;
            }
            Outcome::InRecovery => {}
        }
        // A standby that says so is no failure of the channel inside it.
        let neutral = timeline.kind().is_node() && attempt.slot.outcome == Outcome::InRecovery;
        if !neutral && !found.is_some_and(|on| on.limits.is_good(&attempt)) {
            bad += 1;
        }
        channel.stuck_ms = channel.stuck_ms.max(attempt.took_us() as f64 / 1000.0);
        let class = match attempt.slot.outcome {
            Outcome::Stale => Some("stale".to_owned()),
            outcome => outcome.error().map(crate::event::slots::ErrorClass::name),
        };
        if let Some(class) = class {
            let phase = phases.at(timeline.due(attempt.slot.k));
            let classes = channel.errors.entry(phase.to_owned()).or_default();
            *classes.entry(class).or_default() += 1;
        }
    }
    channel.unavailable_ms = if timeline.kind() == ChannelKind::Witness {
        0.0
    } else {
        bad.saturating_mul(timeline.record.period_us) as f64 / 1000.0
    };
    if let Some(on) = found {
        channel.outages = on
            .outages
            .iter()
            .map(super::findings::Finding::shown)
            .collect();
        channel.stalls = on
            .stalls
            .iter()
            .map(super::findings::Finding::shown)
            .collect();
    }
    channel.latency_ms = latency::by_phase(timeline, phases);
    channel
}

fn observer(run: &Gathered, found: &BTreeMap<String, OnChannel>) -> ObserverResult {
    let mut why = run.observer_stalled();
    why.extend(disturbed(found, &run.late));
    let all = found
        .values()
        .flat_map(|on| on.outages.iter().chain(&on.stalls));
    let widened = all
        .map(|finding| finding.edges.widened_us)
        .fold(0, u64::saturating_add);
    ObserverResult {
        max_lateness_ms: observer_validity::largest_ms(&run.late),
        widened_by_ms: widened as f64 / 1000.0,
        valid: why.is_empty(),
        why,
    }
}

fn state_left(run: &Gathered) -> StateLeft {
    let last = run.rounds.last();
    let from_round = last.and_then(|round| round.leader().cloned());
    let (primary, streaming, declared) = match &run.convergence {
        Some(converged) => (
            match converged.writable.as_slice() {
                [only] => Some(only.clone()),
                _ => None,
            },
            converged.streaming,
            converged.declared,
        ),
        None => (
            from_round,
            last.map_or(0, |round| round.streaming),
            last.map_or(0, |round| round.declared.saturating_sub(1)),
        ),
    };
    let kind = run
        .began
        .as_ref()
        .map_or("", |began| began.target.kind.as_str());
    let removed = run
        .ended
        .as_ref()
        .is_some_and(|ended| ended.not_undone.is_empty());
    StateLeft {
        timeline: primary.as_ref().map(|(_, timeline)| *timeline),
        primary: primary.map(|(node, _)| node),
        streaming,
        declared,
        archiving: Known::missing("not in this version"),
        cluster: match (kind, removed) {
            ("local", true) => "the throw-away cluster was removed",
            ("local", false) => "the throw-away cluster was NOT removed",
            ("simulated", _) => "the simulated cluster is over",
            _ => "the cluster was left running",
        }
        .to_owned(),
    }
}

fn undo(run: &Gathered) -> UndoResult {
    match &run.ended {
        Some(ended) => {
            let mut left = ended.not_undone.clone();
            if let Some(writable @ 2..) = ended.writable_nodes {
                left.push(format!("{writable} nodes take writes"));
            }
            UndoResult {
                complete: left.is_empty(),
                steps: ended.undone,
                writable_nodes_after: ended.writable_nodes,
                left,
                interrupted: ended.interrupted.clone(),
            }
        }
        None => {
            let open = run.acts.faults().filter(|fault| {
                run.acts
                    .of_fault(ActKind::Undo, fault.number)
                    .is_none_or(|undo| undo.effect.is_none())
            });
            let left: Vec<String> = open
                .map(|fault| format!("{} of {}", fault.name, fault.node))
                .collect();
            UndoResult {
                complete: left.is_empty(),
                steps: 0,
                writable_nodes_after: None,
                left,
                interrupted: run.stop_asked.clone(),
            }
        }
    }
}

fn environment(run: &Gathered) -> Environment {
    let Some(began) = &run.began else {
        return Environment {
            versions: BTreeMap::new(),
            timers: BTreeMap::new(),
            durability: BTreeMap::new(),
            stand_ins: Vec::new(),
            path: String::new(),
        };
    };
    let target = &began.target;
    let map = |pairs: &[(String, String)]| pairs.iter().cloned().collect();
    Environment {
        versions: map(&target.versions),
        timers: map(&target.timers),
        durability: map(&target.durability),
        stand_ins: target.stand_ins.clone(),
        path: target.path.clone(),
    }
}
