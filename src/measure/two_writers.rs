//! Whether two servers took writes at the same time.
//!
//! The commit instant of an acknowledgement is the moment it arrived. A statement that was queued at a
//! frozen server and ran when it thawed cannot be prevented by anybody, so it is counted apart from one
//! that was sent afterwards. Only a freeze that stopped the server queues anything: one of its failover agent, or of its
//! postmaster alone, leaves open sessions served, and what they were given counts in full.

use super::findings::OnChannel;
use super::gathered::Gathered;
use super::slot_store::{Part, Summary};
use super::timeline::{Attempt, Timeline, node_in_name};
use super::unseen::unseen_behind_a_cut;
use crate::event::result::{TwoWriters, WriterPair};
use crate::event::{ActKind, PART_ROLE, StackView, Stamp};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// When one timeline took writes.
#[derive(Default)]
struct Writer {
    /// Its first commit.
    first: Option<Stamp>,
    /// The intervals that its commits join into, over all channels.
    intervals: Vec<(Stamp, Stamp)>,
}

impl Writer {
    fn began(&mut self, at: Stamp) {
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
    }
}

/// Compares the commits of every pair of timelines.
#[must_use]
pub fn measure(run: &Gathered, found: &BTreeMap<String, OnChannel>) -> TwoWriters {
    let writers = writers(run, found);
    let mut pairs = Vec::new();
    for (&old, of_old) in &writers {
        // A damaged log may name any timeline, the largest number too.
        for (&new, of_new) in writers.range((Bound::Excluded(old), Bound::Unbounded)) {
            pairs.extend(pair(run, (old, of_old), (new, of_new)));
        }
    }
    TwoWriters {
        overlap_ms: pairs
            .iter()
            .map(|pair: &WriterPair| pair.overlap_ms)
            .fold(0.0, f64::max),
        pairs,
        flags: flags(run),
        not_observed: unprobed(run),
    }
}

fn writers(run: &Gathered, found: &BTreeMap<String, OnChannel>) -> BTreeMap<u32, Writer> {
    let mut writers: BTreeMap<u32, Writer> = BTreeMap::new();
    for channel in committing(run) {
        let stall = found.get(channel.name()).map_or(0, |on| on.limits.stall);
        let gap = channel.record.period_us.saturating_mul(3).max(stall);
        // Each channel joins its own instants: joined over all, a slow channel would bridge a gap in
        // which a quick one had seen that the server took nothing.
        let mut here: BTreeMap<u32, Joined> = BTreeMap::new();
        for part in channel.parts() {
            if let Some((timeline, from, to)) = whole(&part, gap) {
                here.entry(timeline).or_default().add((from, to), gap);
                continue;
            }
            if part.is_skipped(|summary| summary.committed == 0) {
                continue;
            }
            // A timeline of 0 is an answer that named none.
            let commits = part.attempts();
            for commit in commits.filter(|commit| commit.is_committed() && commit.timeline != 0) {
                let at = commit.slot.settled;
                here.entry(commit.timeline).or_default().add((at, at), gap);
            }
        }
        for (timeline, joined) in here {
            let writer = writers.entry(timeline).or_default();
            if let Some((first, _)) = joined.spans.first() {
                writer.began(*first);
            }
            writer.intervals.extend(joined.spans);
        }
    }
    for writer in writers.values_mut() {
        writer.intervals = union(std::mem::take(&mut writer.intervals));
    }
    writers
}

/// The channels whose acknowledgements are commits: a reader's answer is none.
fn committing(run: &Gathered) -> impl Iterator<Item = &Timeline> {
    let channels = run.channels.values();
    channels.filter(|channel| channel.kind().writes())
}

/// A stretch whose slots are all commits of one timeline, without a gap: the timeline, and from when to
/// when.
fn whole(part: &Part<'_>, gap: u64) -> Option<(u32, Stamp, Stamp)> {
    let summary = part.summary?;
    let (oldest, newest) = summary.timelines?;
    let whole = summary.committed == summary.count
        && oldest == newest
        && newest != 0
        && summary.widest_gap_us < gap;
    whole.then_some((newest, summary.first_settled, summary.last_settled))
}

/// Instants of one channel, joined into spans wherever neighbours are closer than a gap. In which order
/// they come does not matter.
#[derive(Debug, Default)]
struct Joined {
    /// In order, each farther than the gap from the next.
    spans: Vec<(Stamp, Stamp)>,
}

impl Joined {
    fn add(&mut self, (from, to): (Stamp, Stamp), gap: u64) {
        let near = |end: Stamp, start: Stamp| start <= end || start.0 - end.0 < gap;
        let after = self.spans.partition_point(|(start, _)| *start <= from);
        let first = match after.checked_sub(1) {
            Some(before) if near(self.spans[before].1, from) => before,
            _ => after,
        };
        let nearby = self.spans[first..].iter();
        let mut span = (from, to);
        let joined = nearby
            .take_while(|(start, end)| {
                let joins = *start <= from || near(span.1, *start);
                if joins {
                    span = (span.0.min(*start), span.1.max(*end));
                }
                joins
            })
            .count();
        if joined == 1 {
            self.spans[first] = span;
        } else {
            self.spans.splice(first..first + joined, [span]);
        }
    }
}

fn union(mut intervals: Vec<(Stamp, Stamp)>) -> Vec<(Stamp, Stamp)> {
    intervals.sort_unstable();
    let mut union: Vec<(Stamp, Stamp)> = Vec::new();
    for (from, to) in intervals {
        match union.last_mut() {
            Some((_, end)) if from <= *end => *end = (*end).max(to),
            _ => union.push((from, to)),
        }
    }
    union
}

fn pair(run: &Gathered, (old, a): (u32, &Writer), (new, b): (u32, &Writer)) -> Option<WriterPair> {
    let first_of_new = b.first?;
    let mut shared = Vec::new();
    for &(from, to) in &a.intervals {
        for &(other_from, other_to) in &b.intervals {
            let (start, end) = (from.max(other_from), to.min(other_to));
            if start <= end {
                shared.push((start, end));
            }
        }
    }
    let overlap_us = shared
        .iter()
        .map(|(from, to)| to.0 - from.0)
        .fold(0, u64::saturating_add);
    let inside = |at: Stamp| shared.iter().any(|(from, to)| at >= *from && at <= *to);
    let mut acks = 0;
    let (mut sent_before_thaw, mut sent_after) = (0, 0);
    let stops = stops(run, old);
    for channel in committing(run) {
        let matters = |summary: &Summary| {
            let shares = shared
                .iter()
                .any(|(from, to)| summary.last_settled >= *from && summary.first_settled <= *to);
            let late = summary.may_hold(old) && summary.last_settled > first_of_new;
            late || (shares && (summary.may_hold(old) || summary.may_hold(new)))
        };
        let parts = channel
            .parts()
            .filter(|part| part.summary.is_none_or(matters));
        let commits = parts.flat_map(|part| part.attempts());
        for commit in commits.filter(Attempt::is_committed) {
            let at = commit.slot.settled;
            let of_old = commit.timeline == old;
            acks += u64::from((of_old || commit.timeline == new) && inside(at));
            if !of_old || at <= first_of_new {
                continue;
            }
            let node = node_of(channel, &commit);
            let mine = stops
                .iter()
                .filter(|stop| node.is_none_or(|node| node == stop.node));
            let thawed = mine.map(|stop| stop.over).filter(|&at| at > first_of_new);
            let free_since = thawed.min().unwrap_or(first_of_new);
            if commit.slot.sent > free_since {
                sent_after += 1;
            } else {
                sent_before_thaw += 1;
            }
        }
    }
    if shared.is_empty() && sent_before_thaw + sent_after == 0 {
        return None;
    }
    Some(WriterPair {
        old,
        new,
        overlap_ms: overlap_us as f64 / 1000.0,
        acks,
        sent_before_thaw,
        sent_after,
        losing: losing(run, old, new),
    })
}

/// A freeze that stopped a whole server.
struct Stop<'a> {
    node: &'a str,
    /// When it was surely running again: the return of the call that thawed it. Statements sent earlier than that may
    /// have been queued.
    over: Stamp,
}

fn stops(run: &Gathered, old: u32) -> Vec<Stop<'_>> {
    let freezes = run.acts.faults().filter(|fault| fault.name == "freeze");
    let stops = freezes.filter_map(|fault| {
        let ways_back = [ActKind::Release, ActKind::Undo];
        let thaws = ways_back
            .into_iter()
            .filter_map(|kind| run.acts.of_fault(kind, fault.number));
        let thaw = thaws.min_by_key(|thaw| thaw.struck_by())?;
        let stood_still = !answered(run, &fault.node, old, (fault.struck_by(), thaw.requested));
        stood_still.then(|| Stop {
            node: &fault.node,
            over: thaw.struck_by(),
        })
    });
    stops.collect()
}

/// Whether a node was sent a commit after one moment and acknowledged it before another.
fn answered(run: &Gathered, node: &str, timeline: u32, (from, to): (Stamp, Stamp)) -> bool {
    committing(run).any(|channel| {
        let matters = |summary: &Summary| {
            summary.may_hold(timeline) && summary.last_settled > from && summary.first_settled < to
        };
        let parts = channel
            .parts()
            .filter(|part| part.summary.is_none_or(matters));
        let mut attempts = parts.flat_map(|part| part.attempts());
        attempts.any(|attempt| {
            attempt.is_committed()
                && attempt.timeline == timeline
                && attempt.slot.sent > from
                && attempt.slot.settled < to
                && node_of(channel, &attempt) == Some(node)
        })
    })
}

/// The node that answered, where that is known.
fn node_of<'a>(channel: &'a Timeline, attempt: &Attempt) -> Option<&'a str> {
    channel.node_of(attempt).or(node_in_name(channel.name()))
}

/// The timeline whose commits are not in the converged history, 0 when nobody knows. Where both are named
/// in it, the old one lost everything after the fork.
fn losing(run: &Gathered, old: u32, new: u32) -> u32 {
    let Some(converged) = &run.convergence else {
        return 0;
    };
    let stays = |timeline: u32| converged.history.contains(&timeline);
    match (stays(old), stays(new)) {
        (_, true) => old,
        (true, false) => new,
        (false, false) => 0,
    }
}

/// Other signs of two writers, in words.
fn flags(run: &Gathered) -> Vec<String> {
    let mut flags = Vec::new();
    let split: Vec<_> = run
        .rounds
        .iter()
        .filter(|round| round.primaries.len() > 1)
        .collect();
    if let (Some(first), Some(last)) = (split.first(), split.last()) {
        let who: BTreeSet<String> = split
            .iter()
            .flat_map(|round| &round.primaries)
            .map(|(node, timeline)| format!("{node} (timeline {timeline})"))
            .collect();
        flags.push(format!(
            "{} took writes in the same round, first seen at {:.1} s, last at {:.1} s",
            Vec::from_iter(who).join(" and "),
            first.at.as_ms() / 1000.0,
            last.at.as_ms() / 1000.0
        ));
    }
    let named: Vec<&str> = run
        .stack
        .iter()
        .filter(|saw| saw.what == StackView::LeaderNamed)
        .map(|saw| saw.node.as_str())
        .collect();
    if let Some(back) = named
        .windows(3)
        .find(|names| names[0] == names[2] && names[0] != names[1])
    {
        flags.push(format!(
            "the leader went from {} to {} and back",
            back[0], back[1]
        ));
    }
    flags
}

/// Nodes that were asked for their role and have no probe of their own, or none that saw them behind a cut.
fn unprobed(run: &Gathered) -> Vec<String> {
    let probed: BTreeSet<&str> = run
        .channels
        .keys()
        .filter_map(|name| node_in_name(name))
        .collect();
    let hit = run.acts.faults().filter(|fault| fault.role != PART_ROLE);
    let nodes: BTreeSet<&str> = run
        .rounds
        .iter()
        .flat_map(|round| {
            let primaries = round.primaries.iter().map(|(node, _)| node.as_str());
            primaries.chain(round.silent.iter().map(String::as_str))
        })
        .chain(hit.map(|fault| fault.node.as_str()))
        .collect();
    let never = nodes.difference(&probed).map(|node| (*node).to_owned());
    let mut unprobed: Vec<String> = never.chain(unseen_behind_a_cut(run)).collect();
    unprobed.sort();
    unprobed.dedup();
    unprobed
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// By the definition: sorted, and cut wherever two neighbours are a gap apart.
    fn joined(mut instants: Vec<u64>, gap: u64) -> Vec<(Stamp, Stamp)> {
        instants.sort_unstable();
        let mut spans: Vec<(Stamp, Stamp)> = Vec::new();
        for instant in instants.into_iter().map(Stamp) {
            match spans.last_mut() {
                Some((_, end)) if instant.0 - end.0 < gap => *end = instant,
                _ => spans.push((instant, instant)),
            }
        }
        spans
    }

    proptest! {
        #[test]
        fn the_order_of_instants_does_not_matter(
            instants in prop::collection::vec(0u64..500, 0..60),
            gap in 1u64..20,
        ) {
            let mut online = Joined::default();
            for at in &instants {
                online.add((Stamp(*at), Stamp(*at)), gap);
            }
            prop_assert_eq!(&online.spans, &joined(instants.clone(), gap));
            // Stretches that were joined before give the same as their instants.
            let mut twice = Joined::default();
            for half in instants.chunks(instants.len() / 2 + 1) {
                for span in joined(half.to_vec(), gap) {
                    twice.add(span, gap);
                }
            }
            prop_assert_eq!(twice.spans, online.spans);
        }
    }
}
