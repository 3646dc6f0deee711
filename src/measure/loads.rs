//! What the clients of `load` steps saw, and what the probes felt of them.

use super::acts::Done;
use super::baseline;
use super::gathered::{Gathered, LoadTimes};
use super::latency;
use super::phases::Phases;
use super::timeline::Timeline;
use super::warm::{Held, percentile_of};
use crate::event::loads::{Beside, ClientSaw, HeldSessions, LoadKind, LoadResult, Reconnects};
use crate::event::result::{Bounds, Known};
use crate::event::slots::{ErrorClass, Outcome};
use crate::event::{ActKind, ChannelKind, Stamp};
use std::collections::BTreeMap;

/// Resolution in which the moment is looked for from which latency is back.
const STEP_US: u64 = 250_000;
/// Latency within this of what it was is back, however small it was, in microseconds.
const NEAR_US: u64 = 1_000;

/// All loads by the step's id.
#[must_use]
pub fn measure(run: &Gathered, phases: &Phases) -> BTreeMap<String, LoadResult> {
    let all = run.loads.iter();
    all.map(|(id, load)| (id.clone(), one(run, load, phases)))
        .collect()
}

fn one(run: &Gathered, load: &LoadTimes, phases: &Phases) -> LoadResult {
    let does = load.about.does;
    let cause = Cause::after(run, load.began);
    let mut result = LoadResult {
        does,
        endpoint: load.about.endpoint.clone(),
        clients: load.about.clients,
        began_ms: load.began.as_ms(),
        ended_ms: load.ended.map(Stamp::as_ms),
        ended: load.ended.is_some(),
        sent: 0,
        answered: 0,
        failed: 0,
        not_sent: 0,
        refused: 0,
        errors: BTreeMap::new(),
        latency_ms: BTreeMap::new(),
        reconnects: None,
        sessions: None,
        beside: None,
    };
    requests(load, &mut result);
    connects(load, &mut result);
    let too_many = ErrorClass::TooManyConnections.name();
    result.refused = result.errors.get(&too_many).copied().unwrap_or(0);
    if does.presses() {
        result.latency_ms = latency::by_phase(&load.requests, phases);
        result.reconnects = Some(reconnects(run, load, cause));
        result.beside = beside(run, load, cause);
    } else {
        result.sessions = Some(held(run, load, cause));
    }
    result
}

/// The first fault or switch-over after a load began: what its clients see is counted from there.
#[derive(Clone, Copy)]
struct Cause<'a> {
    act: &'a Done,
    /// When we began to put it back: what ends then is our repair.
    put_back: Option<Stamp>,
}

impl<'a> Cause<'a> {
    fn after(run: &'a Gathered, began: Stamp) -> Option<Self> {
        let later = run.acts.origins().filter(|act| act.requested >= began);
        let act = later.min_by_key(|act| act.requested)?;
        let undo = match act.kind {
            ActKind::Fault => run.acts.of_fault(ActKind::Undo, act.number),
            _ => None,
        };
        Some(Self {
            act,
            put_back: undo.map(|undo| undo.requested),
        })
    }

    /// From the fault until a moment.
    fn until(self, moment: Stamp) -> (f64, f64) {
        let since = |from: Stamp| moment.0.saturating_sub(from.0) as f64 / 1000.0;
        (since(self.act.struck_by()), since(self.act.requested))
    }
}

fn requests(load: &LoadTimes, result: &mut LoadResult) {
    for attempt in load.requests.attempts() {
        let outcome = attempt.slot.outcome;
        if outcome == Outcome::NotSent {
            result.not_sent += 1;
            continue;
        }
        result.sent += 1;
        match outcome {
            Outcome::Acknowledged => result.answered += 1,
            _ => result.failed += 1,
        }
        if let Some(class) = outcome.error() {
            *result.errors.entry(class.name()).or_default() += 1;
        }
    }
}

/// Why connects were turned away that no request stands for.
fn connects(load: &LoadTimes, result: &mut LoadResult) {
    for (_, _, saw) in &load.saw {
        if let ClientSaw::Opened { errors, .. }
        | ClientSaw::Served { errors, .. }
        | ClientSaw::Unserved { errors, .. } = saw
        {
            for (class, count) in errors {
                let all = result.errors.entry(class.clone()).or_default();
                *all = all.saturating_add(u64::from(*count));
            }
        }
    }
}

fn reconnects(run: &Gathered, load: &LoadTimes, cause: Option<Cause<'_>>) -> Reconnects {
    // By client: whether it is without a session, and since when: when it learned of it, and when the
    // session was last good.
    let mut clients: BTreeMap<u32, Option<(Stamp, Stamp)>> = BTreeMap::new();
    let mut tries = 0;
    let mut longest: Option<Bounds> = None;
    let mut last_served: Option<Stamp> = None;
    let ms = |from: Stamp, to: Stamp| to.0.saturating_sub(from.0) as f64 / 1000.0;
    for (at, client, saw) in &load.saw {
        match saw {
            ClientSaw::Lost { good, .. } => {
                clients
                    .entry(*client)
                    .or_default()
                    .get_or_insert((*at, *good));
            }
            ClientSaw::Served { tries: tried, .. } => {
                tries = u64::saturating_add(tries, u64::from(*tried));
                last_served = Some(*at);
                if let Some((lost, good)) = clients.get_mut(client).and_then(Option::take) {
                    let bounds = Bounds {
                        lower_ms: ms(lost, *at),
                        upper_ms: Some(ms(good, *at)),
                    };
                    longest = Some(worse(longest, bounds));
                }
            }
            ClientSaw::Unserved { tries: tried, .. } => {
                tries = u64::saturating_add(tries, u64::from(*tried));
            }
            _ => {}
        }
    }
    let end = load.ended.unwrap_or_else(|| run.measured_until());
    for (lost, _) in clients.values().flatten() {
        let bounds = Bounds {
            lower_ms: ms(*lost, end),
            upper_ms: None,
        };
        longest = Some(worse(longest, bounds));
    }
    let lost = clients.len() as u32;
    let without = clients.values().flatten().count() as u32;
    let none = || "no client lost its session".to_owned();
    let all_served = match (cause, last_served) {
        _ if lost == 0 => Known::missing(none()),
        (None, _) => Known::missing("there was no fault after the load began"),
        (Some(cause), _) if without > 0 => Known::Observed(Bounds {
            lower_ms: cause.until(end).0,
            upper_ms: None,
        }),
        (Some(cause), Some(at)) if at >= cause.act.requested => {
            let (lower_ms, upper) = cause.until(at);
            Known::Observed(Bounds {
                lower_ms,
                upper_ms: Some(upper),
            })
        }
        _ => Known::missing("no client lost its session after the fault"),
    };
    Reconnects {
        lost,
        served: lost - without,
        tries,
        longest: longest.map_or_else(|| Known::missing(none()), Known::Observed),
        all_served,
    }
}

/// The longer of two times; one that did not end is longer than all that did.
fn worse(so_far: Option<Bounds>, other: Bounds) -> Bounds {
    let Some(so_far) = so_far else {
        return other;
    };
    Bounds {
        lower_ms: so_far.lower_ms.max(other.lower_ms),
        upper_ms: so_far
            .upper_ms
            .zip(other.upper_ms)
            .map(|(one, other)| one.max(other)),
    }
}

fn held(run: &Gathered, load: &LoadTimes, cause: Option<Cause<'_>>) -> HeldSessions {
    let mut found = HeldSessions {
        opened: 0,
        noticed: 0,
        hung: 0,
        alive: 0,
        unknown: 0,
        fastest: Known::missing("no session was lost"),
        slowest: Known::missing("no session was lost"),
    };
    let end = load.ended.unwrap_or_else(|| run.measured_until());
    let mut fastest: Option<Bounds> = None;
    let mut slowest: Option<Bounds> = None;
    let hangs = |found: &mut HeldSessions, slowest: &mut Option<Bounds>| {
        found.hung += 1;
        if let Some(cause) = cause {
            let watched = cause.put_back.map_or(end, |put_back| put_back.min(end));
            let bounds = Bounds {
                lower_ms: cause.until(watched).0,
                upper_ms: None,
            };
            *slowest = Some(worse(*slowest, bounds));
        }
    };
    for (at, _, saw) in &load.saw {
        match saw {
            ClientSaw::Opened { .. } => found.opened += 1,
            ClientSaw::Alive => found.alive += 1,
            ClientSaw::Hung { .. } => hangs(&mut found, &mut slowest),
            ClientSaw::Lost { .. } => {
                let after = cause.filter(|cause| *at >= cause.act.requested);
                if after.is_some_and(|cause| cause.put_back.is_some_and(|back| *at >= back)) {
                    hangs(&mut found, &mut slowest);
                    continue;
                }
                found.noticed += 1;
                if let Some(cause) = after {
                    let (lower_ms, upper) = cause.until(*at);
                    let bounds = Bounds {
                        lower_ms,
                        upper_ms: Some(upper),
                    };
                    slowest = Some(worse(slowest, bounds));
                    let quicker = fastest.is_none_or(|so_far| so_far.upper_ms > bounds.upper_ms);
                    fastest = if quicker { Some(bounds) } else { fastest };
                }
            }
            // In the middle of a statement that takes long: whether its server lives, nobody asked.
            ClientSaw::Waiting => found.unknown += 1,
            ClientSaw::Served { .. } | ClientSaw::Unserved { .. } => {}
        }
    }
    if let Some(fastest) = fastest {
        found.fastest = Known::Observed(fastest);
    }
    if let Some(slowest) = slowest {
        found.slowest = Known::Observed(slowest);
    } else if cause.is_none() {
        let why = "there was no fault after they were opened";
        (found.fastest, found.slowest) = (Known::missing(why), Known::missing(why));
    }
    found
}

fn beside(run: &Gathered, load: &LoadTimes, cause: Option<Cause<'_>>) -> Option<Beside> {
    let pinned = run.channel_of(ChannelKind::WriterPinned)?;
    let (from, to) = baseline::window(run)?;
    let until = run.measured_until();
    let end = load.ended.unwrap_or(until).min(until);
    let before = latency::between(pinned, from, to);
    let percentile = match before.count >= latency::samples_needed(99) {
        true => 99,
        false => 95,
    };
    let since = match load.about.does {
        LoadKind::Reconnect => cause
            .map(|cause| (cause.act.struck_by(), cause.act.requested))
            .ok_or("there was no fault after the load began"),
        _ if load.ended.is_none_or(|ended| ended >= until) => {
            Err("the load went on until measuring ended")
        }
        _ => Ok((end, end)),
    };
    let back = match since {
        Ok(since) => back(pinned, (from, to), percentile, since, until),
        Err(why) => Known::missing(why),
    };
    Some(Beside {
        channel: pinned.name().to_owned(),
        before,
        during: latency::between(pinned, load.began, end),
        after: latency::between(pinned, end, until),
        percentile,
        back,
    })
}

/// From `since` until a percentile of a channel was near that of its baseline again, for as long as the
/// percentile needs to be known.
fn back(
    channel: &Timeline,
    baseline: (Stamp, Stamp),
    percentile: u8,
    (struck, requested): (Stamp, Stamp),
    until: Stamp,
) -> Known<Bounds> {
    let needed = latency::samples_needed(percentile);
    let Some(before) = percentile_of(channel, baseline, percentile, needed) else {
        return Known::missing("the baseline is too short for a 95th percentile");
    };
    let near = before.saturating_add(NEAR_US);
    let limit = (before.saturating_mul(6) / 5).max(near);
    // A little longer, since some are sent late or not at all.
    let period = channel.record.period_us;
    let window = needed.saturating_mul(period).saturating_mul(11) / 10;
    if struck.0.saturating_add(window) > until.0 {
        let seconds = window / 1_000_000;
        return Known::missing(format!(
            "measuring ended within {seconds} s, which is too soon"
        ));
    }
    let ms = |from: Stamp, to: Stamp| to.0.saturating_sub(from.0) as f64 / 1000.0;
    let looked = Held::new(channel, limit, percentile, needed, struck);
    match looked.first_near((struck, until), window, STEP_US) {
        Some((last_slow, from)) => Known::Observed(Bounds {
            lower_ms: ms(struck, last_slow),
            upper_ms: Some(ms(requested, from)),
        }),
        None => Known::missing("latency was not back to the baseline's while it was watched"),
    }
}
