//! The phases of a run: baseline, load (where there is one before the first fault), outage, recovery, after.
//!
//! They are contiguous and cover all of measuring, so that every slot falls into exactly one.

use super::baseline;
use super::findings::OnChannel;
use super::gathered::Gathered;
use crate::event::Stamp;
use crate::event::result::Phase;
use std::collections::BTreeMap;

/// Name of the phase before the first fault.
pub const BASELINE: &str = "baseline";
/// Name of the phase from the first load that others may feel to the first fault.
pub const LOAD: &str = "load";
/// Name of the phase in which a writer channel was out.
pub const OUTAGE: &str = "outage";
/// Name of the phase from the end of an outage until all standbys stream again.
pub const RECOVERY: &str = "recovery";
/// Name of what comes then.
pub const AFTER: &str = "after";

/// The phases with their beginnings; the last one ends with measuring.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    spans: Vec<(&'static str, Stamp, Stamp)>,
}

impl Phases {
    /// Divides the run. `redundant_at` is when all declared standbys streamed again.
    #[must_use]
    pub fn of(
        run: &Gathered,
        found: &BTreeMap<String, OnChannel>,
        redundant_at: Option<Stamp>,
    ) -> Self {
        let Some((begin, fault)) = baseline::window(run) else {
            return Self::default();
        };
        let end = run.measured_until().max(begin);
        let fault = fault.min(end);
        let mut phases = Self::default();
        phases.push(BASELINE, begin, fault);
        let fault = match run.first_pressed() {
            Some(_) => {
                let until = run.acts.first_f0().unwrap_or(end).clamp(fault, end);
                phases.push(LOAD, fault, until);
                until
            }
            None => fault,
        };
        let mut from = fault;
        for (out_from, out_to) in outages(run, found, end) {
            // What lies between the fault and the first slot that missed service belongs to the outage.
            let quiet_until = if from == fault && run.acts.first_f0().is_some() {
                from
            } else {
                out_from.max(from)
            };
            phases.calm(from, quiet_until, redundant_at);
            let to = out_to.max(quiet_until);
            phases.push(OUTAGE, quiet_until, to);
            from = to;
        }
        phases.calm(from, end, redundant_at);
        phases
    }

    /// A stretch without outage: recovery until redundancy is back, then after.
    fn calm(&mut self, from: Stamp, to: Stamp, redundant_at: Option<Stamp>) {
        let turn = redundant_at.map_or(to, |at| at.max(from).min(to));
        self.push(RECOVERY, from, turn);
        self.push(AFTER, turn, to);
    }

    fn push(&mut self, name: &'static str, from: Stamp, to: Stamp) {
        if from >= to {
            return;
        }
        match self.spans.last_mut() {
            Some((last, _, end)) if *last == name && *end == from => *end = to,
            _ => self.spans.push((name, from, to)),
        }
    }

    /// The phase in which a moment falls; moments before and after all belong to the nearest.
    #[must_use]
    pub fn at(&self, moment: Stamp) -> &'static str {
        self.name(self.span(moment))
    }

    /// The phase in which all moments of `[first, last]` fall, where it is one.
    #[must_use]
    pub fn over(&self, first: Stamp, last: Stamp) -> Option<&'static str> {
        let span = self.span(first);
        (span == self.span(last)).then(|| self.name(span))
    }

    fn span(&self, moment: Stamp) -> usize {
        let inside = self.spans.iter().position(|(_, _, to)| moment < *to);
        inside.unwrap_or(self.spans.len().saturating_sub(1))
    }

    fn name(&self, span: usize) -> &'static str {
        self.spans.get(span).map_or(BASELINE, |(name, _, _)| name)
    }

    /// As the result shows them.
    #[must_use]
    pub fn shown(&self) -> Vec<Phase> {
        let shown = self.spans.iter().map(|(name, from, to)| Phase {
            name: (*name).to_owned(),
            begin_ms: from.as_ms(),
            end_ms: to.as_ms(),
        });
        shown.collect()
    }
}

/// The union of the writer channels' outages after the fault, in order.
fn outages(run: &Gathered, found: &BTreeMap<String, OnChannel>, end: Stamp) -> Vec<(Stamp, Stamp)> {
    let writers = run
        .channels
        .values()
        .filter(|channel| channel.kind().is_endpoint_writer());
    let mut spans: Vec<(Stamp, Stamp)> = writers
        .filter_map(|channel| found.get(channel.name()))
        .flat_map(|on| &on.outages)
        .map(|outage| {
            (
                outage.raw.began_after,
                outage.raw.ended_by.unwrap_or(end).min(end),
            )
        })
        .collect();
    spans.sort_unstable();
    let mut union: Vec<(Stamp, Stamp)> = Vec::new();
    for (from, to) in spans {
        match union.last_mut() {
            Some((_, last)) if from <= *last => *last = (*last).max(to),
            _ => union.push((from, to)),
        }
    }
    union
}
