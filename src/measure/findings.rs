//! The outages and stalls of all channels that have any, with the observer's lateness and our own repairs
//! taken into account.

use super::acts::{Acts, Done};
use super::baseline;
use super::gathered::Gathered;
use super::observer_validity::{Edges, disturbs, widen};
use super::outage::{Interruption, Limits, interruptions};
use super::timeline::Timeline;
use crate::event::result::{Bounds, Outage};
use crate::event::{ActKind, ObserverLate, Stamp};
use std::collections::BTreeMap;

/// One outage or stall, ready to be reported.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    /// Its edges as the slots gave them.
    pub raw: Interruption,
    /// Its edges, widened.
    pub edges: Edges,
    /// Our own undo of the fault began while it was open.
    pub censored: Option<Stamp>,
}

impl Finding {
    /// Whether service came back by itself while it was watched.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.raw.ended_by.is_some() && self.censored.is_none()
    }

    /// The bounds of its length.
    #[must_use]
    pub fn length(&self) -> Bounds {
        let Some(undo) = self.censored else {
            return self.edges.length();
        };
        // It lasted at least until our repair began, or until its last bad slot where that came before.
        let lasted = i128::from(undo.0).min(self.edges.end.0);
        Bounds {
            lower_ms: (lasted - self.edges.start.1).max(0) as f64 / 1000.0,
            upper_ms: None,
        }
    }

    /// As the result shows it.
    #[must_use]
    pub fn shown(&self) -> Outage {
        let length = self.length();
        Outage {
            start_ms: self.raw.began_after.as_ms(),
            lower_ms: length.lower_ms,
            upper_ms: length.upper_ms,
            ended: self.ended(),
            censored_by_undo: self.censored.is_some(),
            widened_ms: self.edges.widened_us as f64 / 1000.0,
        }
    }
}

/// What was found on one channel.
#[derive(Clone, Debug)]
pub struct OnChannel {
    /// The limits in force.
    pub limits: Limits,
    /// Interruptions in which a slot failed or passed its deadline.
    pub outages: Vec<Finding>,
    /// The other interruptions.
    pub stalls: Vec<Finding>,
}

/// Judges all channels; those without outages of their own (node channels, the witness) have only limits.
#[must_use]
pub fn find(run: &Gathered) -> BTreeMap<String, OnChannel> {
    let window = baseline::window(run);
    let mut found = BTreeMap::new();
    for (name, timeline) in &run.channels {
        let limits = baseline::limits_in(run, timeline, window);
        let raw = if run.is_judged(timeline.kind()) {
            interruptions(timeline, &limits)
        } else {
            Vec::new()
        };
        found.insert(name.clone(), (limits, raw));
    }
    let censored: BTreeMap<String, OnChannel> = run
        .channels
        .iter()
        .filter_map(|(name, timeline)| {
            let (limits, raw) = found.get(name)?;
            let ready = raw.iter().map(|raw| Finding {
                raw: *raw,
                edges: widen(raw, limits, &run.late),
                censored: censored_at(timeline, limits, raw, run, &found),
            });
            let (outages, stalls) = ready.partition(|finding| finding.raw.failed);
            let on_channel = OnChannel {
                limits: *limits,
                outages,
                stalls,
            };
            Some((name.clone(), on_channel))
        })
        .collect();
    censored
}

/// When our own undo of the fault began inside an open outage, if it did. A stall is never cut off there:
/// all its answers came, so that it says what clients saw and nothing of a recovery.
fn censored_at(
    timeline: &Timeline,
    limits: &Limits,
    raw: &Interruption,
    run: &Gathered,
    found: &BTreeMap<String, (Limits, Vec<Interruption>)>,
) -> Option<Stamp> {
    if !raw.failed {
        return None;
    }
    let undos = run
        .acts
        .all()
        .iter()
        .filter(|act| act.kind == ActKind::Undo);
    let inside = undos.filter(|undo| {
        // What is undone after the writers stopped can have ended nothing that was measured.
        let after = undo.requested >= raw.began_after && undo.requested <= run.measured_until();
        let before = raw.ended_by.is_none_or(|end| undo.requested < end);
        after && before && undoes_what_struck(&run.acts, undo, raw)
    });
    let mut inside: Vec<Stamp> = inside.map(|undo| undo.requested).collect();
    inside.sort_unstable();
    inside.into_iter().find(|&undo| {
        let writes = timeline.kind().is_client_writer();
        let served_already = served_at(timeline, limits, undo)
            || (writes && other_writer_recovered(timeline.name(), raw, undo, run, found));
        !served_already
    })
}

/// Whether the undo's fault was there when the interruption began.
fn undoes_what_struck(acts: &Acts, undo: &Done, raw: &Interruption) -> bool {
    acts.of_fault(ActKind::Fault, undo.number)
        .is_some_and(|fault| fault.requested <= raw.began_by)
}

/// Whether the channel's newest attempt at that moment was good: a later bad slot is then not what the
/// fault left open, although it may be joined to it.
fn served_at(timeline: &Timeline, limits: &Limits, moment: Stamp) -> bool {
    timeline
        .last_settled_by(moment)
        .is_some_and(|attempt| limits.is_good(&attempt))
}

/// Whether the other kind of writer had its own outage and was over it before the undo began. Service is
/// then known to have come back by itself, and this channel only still waits for a deadline of its own.
fn other_writer_recovered(
    name: &str,
    raw: &Interruption,
    undo: Stamp,
    run: &Gathered,
    found: &BTreeMap<String, (Limits, Vec<Interruption>)>,
) -> bool {
    let others = run
        .channels
        .values()
        .filter(|other| other.kind().is_client_writer() && other.name() != name)
        .filter(|other| endpoint(other.name()) == endpoint(name));
    others
        .filter_map(|other| found.get(other.name()))
        .flat_map(|(_, raws)| raws)
        .any(|other| {
            other.failed
                && other
                    .ended_by
                    .is_some_and(|end| end <= undo && end > raw.began_after)
        })
}

/// The endpoint that a writing channel goes through, by the channel's name.
fn endpoint(channel: &str) -> &str {
    let fresh = channel.strip_suffix("_fresh");
    fresh
        .or_else(|| channel.strip_suffix("_pinned"))
        .unwrap_or(channel)
}

/// Why the observer voids the timings of some outage.
#[must_use]
pub fn disturbed(found: &BTreeMap<String, OnChannel>, late: &[ObserverLate]) -> Vec<String> {
    found
        .iter()
        .flat_map(|(name, on)| {
            on.outages
                .iter()
                .filter_map(|outage| disturbs(name, &outage.raw, &on.limits, late))
        })
        .collect()
}
