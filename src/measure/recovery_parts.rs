//! The parts of a recovery on the channel writer_fresh, from the fault to the end of the outage.
//!
//! Each part ends at a stamp that is itself an interval: the last observation that it had not happened and
//! the first that it had. The stamps are clamped to a running maximum in whole microseconds, so that the
//! parts sum exactly to the total, and a part that nobody observed hands its time to the next observed one.

use super::acts::Done;
use super::findings::{Finding, OnChannel};
use super::gathered::Gathered;
use super::slot_store::Summary;
use super::timeline::node_in_name;
use super::waiting::Waiting;
use super::{redundancy, warm};
use crate::event::result::{Bounds, Known, Part, Recovery};
use crate::event::slots::Outcome;
use crate::event::{ActKind, ChannelKind, StackView, Stamp};
use crate::figures;
use std::collections::BTreeMap;

/// The last moment at which something had not happened, and the first at which it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Turn {
    not_yet: Stamp,
    done: Stamp,
}

/// The recovery as far as it was seen.
#[must_use]
pub fn measure(run: &Gathered, found: &BTreeMap<String, OnChannel>) -> Recovery {
    let waiting = Waiting::of(run);
    let main = main_outage(run, found);
    let cause = main
        .map(|(_, cause)| cause)
        .or_else(|| run.acts.origins().last());
    let old_primary = cause
        .and_then(|cause| cause.before.clone())
        .map(|(node, _)| node);
    let new_primary = new_primary(run, main);
    let mut recovery = Recovery {
        total: Known::missing(no_outage(run, found)),
        total_us: None,
        began: None,
        lost_again: false,
        between: None,
        parts: Vec::new(),
        promoted_by: promoted_by(run, old_primary.as_deref(), new_primary.as_deref()),
        old_primary,
        new_primary,
        redundancy: redundancy::measure(run, &waiting),
        pinned: pinned(run, found, &waiting),
        waited_ms: 0.0,
        warm: warm::measure(
            run,
            main.map(|(outage, cause)| (outage.raw, cause)),
            &waiting,
        ),
    };
    if let Some((outage, cause)) = main {
        recovery.total = Known::Observed(since(cause, outage, &waiting));
        recovery.began = Some(until_outage(cause, outage, &waiting));
        recovery.lost_again = outage.ended() && is_lost_again(run, found, outage);
        if recovery.lost_again
            && let Known::Observed(total) = &mut recovery.total
        {
            // Nobody knows when service would have been back for good.
            total.upper_ms = None;
        }
        let same = recovery.old_primary.is_some() && recovery.old_primary == recovery.new_primary;
        recovery.between = same.then(|| other_leader(run, cause)).flatten();
        let in_place = same && recovery.between.is_none();
        let turns = turns(
            run,
            outage,
            cause,
            (recovery.new_primary.as_deref(), recovery.between.as_deref()),
            in_place,
        );
        if outage.ended() {
            let total = outage.raw.ended_by.unwrap_or(outage.raw.lasted_until);
            let total_us = waiting
                .at(total)
                .0
                .saturating_sub(waiting.at(cause.requested).0);
            recovery.total_us = Some(total_us);
        }
        let over = i128::from(outage.raw.ended_by.unwrap_or(outage.raw.lasted_until).0);
        recovery.waited_ms = waiting.between_ms(i128::from(cause.requested.0), over);
        let turns = turns.map(|(name, turn)| {
            let told = |turn: Turn| Turn {
                not_yet: waiting.at(turn.not_yet),
                done: waiting.at(turn.done),
            };
            (name, turn.map(told))
        });
        let struck = Turn {
            not_yet: waiting.at(cause.requested),
            done: waiting.at(cause.struck_by()),
        };
        recovery.parts = parts(struck, turns, &timers(run));
    }
    recovery
}

/// The longest outage of writer_fresh that a fault came before, with the latest such fault. One that did not end counts
/// for as long as it was seen: its parts are not known, and a longer one's are.
#[must_use]
pub fn main_outage<'a>(
    run: &'a Gathered,
    found: &'a BTreeMap<String, OnChannel>,
) -> Option<(&'a Finding, &'a Done)> {
    let caused = fresh_outages(run, found)
        .iter()
        .filter_map(|outage| Some((outage, run.acts.cause_of(outage.raw.began_by)?)));
    caused.max_by(|(a, _), (b, _)| {
        let key = |outage: &Finding| {
            let length = outage.length();
            (length.lower_ms, length.upper_ms.unwrap_or(f64::INFINITY))
        };
        key(a)
            .partial_cmp(&key(b))
            .unwrap_or(std::cmp::Ordering::Equal)
    })
}

/// Another node that took writes on a newer timeline after a fault: whoever led before leads again, and was not just
/// started anew.
fn other_leader(run: &Gathered, cause: &Done) -> Option<String> {
    let (old, timeline) = cause.before.as_ref()?;
    let after = run.rounds.iter().filter(|round| round.at > cause.requested);
    let mut others = after.flat_map(|round| &round.primaries);
    let other = others.find(|(node, newer)| node != old && newer > timeline);
    other.map(|(node, _)| node.clone())
}

/// The outages of writer_fresh, in their order.
fn fresh_outages<'a>(run: &Gathered, found: &'a BTreeMap<String, OnChannel>) -> &'a [Finding] {
    let fresh = run.channel_of(ChannelKind::WriterFresh);
    let all = fresh.and_then(|fresh| found.get(fresh.name()));
    all.map_or(&[], |all| &all.outages)
}

/// Whether a later outage of writer_fresh did not end by itself.
fn is_lost_again(run: &Gathered, found: &BTreeMap<String, OnChannel>, outage: &Finding) -> bool {
    let is_later = |other: &&Finding| other.edges.start.0 >= outage.edges.end.0;
    let mut later = fresh_outages(run, found).iter().filter(is_later);
    later.any(|other| !other.ended())
}

fn no_outage(run: &Gathered, found: &BTreeMap<String, OnChannel>) -> &'static str {
    if found.is_empty() {
        "nothing was measured"
    } else if run.acts.first_f0().is_none() {
        "there was no fault"
    } else {
        "writer_fresh had no outage"
    }
}

/// From the fault to the end of an outage.
fn since(cause: &Done, outage: &Finding, waiting: &Waiting) -> Bounds {
    let ms = |us: i128| us.max(0) as f64 / 1000.0;
    let lasted = match outage.censored {
        Some(undo) => i128::from(undo.0).min(outage.edges.end.0),
        None => outage.edges.end.0,
    };
    let ended = outage.edges.end.1.filter(|_| outage.ended());
    // A call may return long after it struck (a switch-over lasts until the other node leads); the outage
    // itself began no earlier than its cause.
    let between = |from: i128, to: i128| ms(waiting.read(to) - waiting.read(from));
    let since_call = between(i128::from(cause.struck_by().0), lasted);
    Bounds {
        lower_ms: since_call.max(between(outage.edges.start.1, lasted)),
        upper_ms: ended.map(|end| between(i128::from(cause.requested.0), end)),
    }
}

/// From the fault to the beginning of an outage.
fn until_outage(cause: &Done, outage: &Finding, waiting: &Waiting) -> Bounds {
    let (from, to) = outage.edges.start;
    let between = |struck: Stamp, to: i128| {
        let us = waiting.read(to) - waiting.read(i128::from(struck.0));
        us.max(0) as f64 / 1000.0
    };
    Bounds {
        lower_ms: between(cause.struck_by(), from),
        upper_ms: Some(between(cause.requested, to)),
    }
}

/// The node that served writer_fresh when the outage was over, else the one that leads.
fn new_primary(run: &Gathered, main: Option<(&Finding, &Done)>) -> Option<String> {
    let fresh = run.channel_of(ChannelKind::WriterFresh);
    let served = main.and_then(|(outage, _)| {
        let end = outage.raw.ended_by?;
        let fresh = fresh?;
        let first = fresh
            .parts()
            .filter(|part| !part.is_skipped(|summary| summary.last_settled < end))
            .flat_map(|part| part.attempts())
            .find(|a| a.slot.settled >= end && a.slot.outcome == Outcome::Acknowledged)?;
        fresh.node_of(&first).map(str::to_owned)
    });
    // Without a finished outage, whoever leads is new only if a fault or switch-over came before.
    let after = run.acts.first_f0();
    let leads = || {
        let mut newest_first = run.rounds.iter().rev();
        newest_first
            .find_map(|round| Some((round.at, round.leader()?)))
            .filter(|(at, _)| after.is_some_and(|f0| *at > f0))
            .map(|(_, (node, _))| node.clone())
    };
    served.or_else(leads)
}

fn promoted_by(run: &Gathered, old: Option<&str>, new: Option<&str>) -> Option<String> {
    let new = new.filter(|new| Some(*new) != old)?;
    // A switch-over is said of the node that it takes the lead from.
    let ours = run.acts.all().iter().find(|act| {
        act.kind == ActKind::RecoveryAction
            && (act.name.starts_with("switch")
                || (act.name.starts_with("promote") && act.node == new))
    });
    let stack = run
        .stack
        .iter()
        .find(|saw| saw.what == StackView::LeaderNamed && saw.node == new);
    match (ours, stack) {
        (Some(_), _) => Some("firedrill".to_owned()),
        (None, Some(saw)) => Some(saw.source.clone()),
        (None, None) => None,
    }
}

/// The five stamps, `Err` with the reason where one was not observed.
fn turns(
    run: &Gathered,
    outage: &Finding,
    cause: &Done,
    (new, between): (Option<&str>, Option<&str>),
    in_place: bool,
) -> [(&'static str, Result<Turn, &'static str>); 5] {
    let end = outage.raw.ended_by.filter(|_| outage.ended());
    let saw = |what: StackView| {
        let seen = run.stack.iter().filter(|saw| saw.what == what);
        seen.filter(|saw| saw.first_positive >= cause.requested)
            .filter(|saw| end.is_none_or(|end| saw.last_negative <= end))
            .min_by_key(|saw| saw.first_positive)
            .map(|saw| Turn {
                not_yet: saw.last_negative,
                done: saw.first_positive,
            })
    };
    let detect =
        saw(StackView::LeaderLost).ok_or("no source said when the old primary was given up");
    let elect = if in_place {
        Err("restart in place: nobody was elected")
    } else {
        saw(StackView::LeaderNamed).ok_or("no source said when a new primary was named")
    };
    let promote = if in_place {
        Err("restart in place: nobody was promoted")
    } else {
        let old_timeline = cause.before.as_ref().map_or(0, |(_, timeline)| *timeline);
        let promoted = between.or(new);
        promoted
            .and_then(|node| first_write(run, node, cause.requested, old_timeline))
            .filter(|turn| end.is_none_or(|end| turn.not_yet <= end))
            .ok_or("no probe saw the first write on the new timeline")
    };
    let unended = "service did not come back by itself";
    let route = end.ok_or(unended).and_then(|end| {
        route(run, outage, new, end).ok_or("the first answer of the new primary was not identified")
    });
    let stabilise = end.ok_or(unended).map(|end| Turn {
        not_yet: outage.raw.lasted_until,
        done: end,
    });
    [
        ("detect", detect),
        ("elect", elect),
        ("promote", promote),
        ("route", route),
        ("stabilise", stabilise),
    ]
}

/// The first write on a newer timeline inside the new primary, by its own probes or by asking it.
fn first_write(run: &Gathered, new: &str, after: Stamp, old_timeline: u32) -> Option<Turn> {
    let probes = run
        .channels
        .values()
        .filter(|channel| node_in_name(channel.name()) == Some(new));
    let probed = probes.filter_map(|channel| {
        let before_it = |summary: &Summary| {
            let newest = summary.timelines.map_or(0, |(_, newest)| newest);
            newest <= old_timeline || summary.last_settled <= after
        };
        let first = channel
            .parts()
            .filter(|part| !part.is_skipped(before_it))
            .flat_map(|part| part.attempts())
            .find(|a| a.is_committed() && a.timeline > old_timeline && a.slot.settled > after)?;
        Some(Turn {
            not_yet: channel.last_before(first.slot.k)?.slot.sent,
            done: first.slot.settled,
        })
    });
    let leads = |round: &&super::gathered::Round| {
        round
            .primaries
            .iter()
            .any(|(node, timeline)| node == new && *timeline > old_timeline)
    };
    let asked = run
        .rounds
        .iter()
        .filter(|round| round.at > after)
        .position(|round| leads(&round))
        .and_then(|first| {
            let rounds: Vec<_> = run.rounds.iter().filter(|round| round.at > after).collect();
            let seen = rounds.get(first)?;
            let not_yet = first.checked_sub(1).and_then(|before| rounds.get(before));
            Some(Turn {
                not_yet: not_yet.map_or(after, |round| round.asked),
                done: seen.at,
            })
        });
    // All sources are right, so the truth lies after the latest "not yet" and before the earliest "done".
    let all: Vec<Turn> = probed.chain(asked).collect();
    let done = all.iter().map(|turn| turn.done).min()?;
    let not_yet = all.iter().map(|turn| turn.not_yet).filter(|at| *at <= done);
    Some(Turn {
        not_yet: not_yet.max()?,
        done,
    })
}

/// The first acknowledgement of the new primary on writer_fresh since the outage began.
fn route(run: &Gathered, outage: &Finding, new: Option<&str>, end: Stamp) -> Option<Turn> {
    let fresh = run.channel_of(ChannelKind::WriterFresh)?;
    let mut last_missed = outage.raw.began_after;
    let later = fresh
        .parts()
        .filter(|part| !part.is_skipped(|summary| summary.last_sent <= outage.raw.began_after))
        .flat_map(|part| part.attempts());
    for attempt in later {
        if attempt.slot.sent <= outage.raw.began_after {
            continue;
        }
        let acknowledged = attempt.slot.outcome == Outcome::Acknowledged;
        if acknowledged && new.is_some() && fresh.node_of(&attempt) == new {
            return Some(Turn {
                not_yet: last_missed,
                done: attempt.slot.settled,
            });
        }
        if attempt.slot.sent > end {
            break;
        }
        last_missed = last_missed.max(attempt.slot.sent);
    }
    None
}

/// Makes parts of stamps: each is clamped to a running maximum.
fn parts(
    struck: Turn,
    turns: [(&'static str, Result<Turn, &'static str>); 5],
    settings: &BTreeMap<&'static str, String>,
) -> Vec<Part> {
    // Nothing can have been seen after the end of the outage that ended it.
    let end = turns.iter().rev().find_map(|(_, turn)| turn.ok());
    let mut last = struck;
    let mut estimate = struck.not_yet;
    let mut unseen: Vec<String> = Vec::new();
    let mut parts = Vec::new();
    for (name, turn) in turns {
        let mut part = Part {
            name: name.to_owned(),
            took: Known::missing(""),
            us: None,
            includes: Vec::new(),
            setting: settings.get(name).cloned(),
        };
        match turn {
            Err(why) => {
                part.took = Known::missing(why);
                if !why.starts_with("restart in place") {
                    unseen.push(name.to_owned());
                }
            }
            Ok(turn) => {
                let cap = |at: Stamp| end.map_or(at, |end| at.min(end.done));
                let now = Turn {
                    not_yet: cap(turn.not_yet).max(last.not_yet),
                    done: cap(turn.done).max(estimate),
                };
                let ms = |from: Stamp, to: Stamp| to.0.saturating_sub(from.0) as f64 / 1000.0;
                part.took = Known::Observed(Bounds {
                    lower_ms: ms(last.done, now.not_yet),
                    upper_ms: Some(ms(last.not_yet, now.done)),
                });
                part.us = Some(now.done.0 - estimate.0);
                part.includes = std::mem::take(&mut unseen);
                estimate = now.done;
                last = now;
            }
        }
        parts.push(part);
    }
    parts
}

/// The live settings of the target that explain each part.
fn timers(run: &Gathered) -> BTreeMap<&'static str, String> {
    let words: [(&str, &[&str]); 4] = [
        ("detect", &["detect", "agent", "ttl", "lease"]),
        ("elect", &["elect"]),
        ("promote", &["promot"]),
        (
            "route",
            &["router", "route", "check", "fall", "rise", "proxy"],
        ),
    ];
    let mut settings = BTreeMap::new();
    let Some(began) = &run.began else {
        return settings;
    };
    for (part, words) in words {
        let behind = began.target.timers.iter().filter(|(name, _)| {
            let name = name.to_lowercase();
            words.iter().any(|word| name.contains(word))
        });
        let behind = figures::settings(behind.map(|(name, value)| (name.as_str(), value.as_str())));
        if !behind.is_empty() {
            settings.insert(part, behind.join(", "));
        }
    }
    settings
}

/// From the fault until the pinned sessions were served again.
fn pinned(run: &Gathered, found: &BTreeMap<String, OnChannel>, waiting: &Waiting) -> Known<Bounds> {
    let channel = run.channel_of(ChannelKind::WriterPinned);
    let Some(on) = channel.and_then(|channel| found.get(channel.name())) else {
        return Known::missing("writer_pinned was not probed");
    };
    let caused = on.outages.iter().filter_map(|outage| {
        let cause = run.acts.cause_of(outage.raw.began_by)?;
        Some(since(cause, outage, waiting))
    });
    let longest = caused.max_by(|a, b| {
        let upper = |bounds: &Bounds| bounds.upper_ms.unwrap_or(f64::INFINITY);
        upper(a).total_cmp(&upper(b))
    });
    match longest {
        Some(bounds) => Known::Observed(bounds),
        None => Known::missing("writer_pinned had no outage"),
    }
}
