//! What no single field of a file can know: references, order, and whether the numbers fit together.
//!
//! Everything wrong is found at once. What depends on the target is the plan's to refuse.

mod asks;
mod background;
mod changes;
mod conditions;
mod cuts;
mod docker;
mod endpoints;
mod groups;
mod loads;
mod order;
mod references;
mod target;

pub(super) use target::target;

use super::diagnostic::{Diagnostic, Source};
use super::file::DrillFile;
use super::nearest::nearest;
use super::objective::{Expect, Objective, ObjectiveName};
use super::places::{At, Places};
use super::sequence::Placed;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The findings of one file, with where they are.
struct Findings<'a> {
    source: &'a Arc<Source>,
    places: &'a Places,
    found: Vec<Diagnostic>,
    /// What is looked at is a step in a later round: what is wrong with it was said.
    again: bool,
}

impl Findings<'_> {
    fn add(&mut self, path: &[At<'_>], diagnostic: Diagnostic) {
        if self.again {
            return;
        }
        let range = self.places.nearest(path);
        self.found.push(diagnostic.at(self.source, range));
    }
}

/// Lists of steps lie in lists of steps up to here: `steps`, in it `repeat.steps`, in it `together`.
const DEEPEST: usize = 6;

/// Finds entries of steps and objectives that are one bare word. The engine would report what it met
/// after them.
pub(super) fn shape(source: &Arc<Source>, places: &Places) -> Vec<Diagnostic> {
    let mut findings = Findings {
        source,
        places,
        found: Vec::new(),
        again: false,
    };
    let mut lists = vec![vec![At::Key("objectives")], vec![At::Key("steps")]];
    while let Some(list) = lists.pop() {
        for index in 0..places.length(&list) {
            let entry = [&list[..], &[At::Item(index)]].concat();
            if list.len() < DEEPEST {
                lists.push([&entry[..], &[At::Key("together")]].concat());
                lists.push([&entry[..], &[At::Key("repeat"), At::Key("steps")]].concat());
            }
            let word = match places.keys(&entry).as_slice() {
                [] => places
                    .value(&entry)
                    .and_then(|range| source.text().get(range)),
                // The one entry whose body is a word.
                ["condition"] if matches!(list.as_slice(), [At::Key("objectives")]) => None,
                [kind] => places
                    .is_leaf(&[&entry[..], &[At::Key(kind)]].concat())
                    .then_some(*kind),
                _ => None,
            };
            if let Some(word) = word.filter(|_| places.keys(&entry).len() < 2) {
                let range = match places.key(&[&entry[..], &[At::Key(word)]].concat()) {
                    Some(key) => key,
                    None => places.value(&entry).unwrap_or_default(),
                };
                let wrong = Diagnostic::error("wrong-type", "an entry is one word and its fields")
                    .label("its fields are missing")
                    .help(format!("write `- {word}: {{ … }}`, with nothing between the braces if the defaults will do"));
                findings.found.push(wrong.at(source, range));
            }
        }
    }
    findings.found
}

/// Checks a drill across its fields.
pub(super) fn drill(
    drill: &DrillFile,
    steps: &[Placed],
    source: &Arc<Source>,
    places: &Places,
) -> Vec<Diagnostic> {
    let mut findings = Findings {
        source,
        places,
        found: Vec::new(),
        again: false,
    };
    head(drill, &mut findings);
    objectives(drill, &mut findings);
    workload(drill, &mut findings);
    background::background(drill, &mut findings);
    groups::groups(drill, steps, &mut findings);
    references::identities(steps, &mut findings);
    references::references(steps, &mut findings);
    conditions::conditions(drill, steps, &mut findings);
    loads::loads(drill, steps, &mut findings);
    order::order(drill, steps, &mut findings);
    changes::changes(steps, &mut findings);
    cuts::cuts(steps, &mut findings);
    cuts::one_way_at_a_time(steps, &mut findings);
    cuts::slow_networks(steps, &mut findings);
    asks::asks(steps, &mut findings);
    findings.found
}

fn head(drill: &DrillFile, findings: &mut Findings<'_>) {
    let name = &drill.name;
    let fits = !name.is_empty()
        && name.len() <= 60
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !fits {
        findings.add(
            &[At::Key("name")],
            Diagnostic::error("name", "this is no name for a drill")
                .label("expected lower-case letters, digits and hyphens, at most 60"),
        );
    }
    if drill.summary.trim().is_empty() {
        findings.add(
            &[At::Key("summary")],
            Diagnostic::error("name", "the summary is empty").help("say in one line what happens"),
        );
    }
}

fn objectives(drill: &DrillFile, findings: &mut Findings<'_>) {
    if drill.objectives.is_empty() {
        findings.add(
            &[At::Key("objectives")],
            Diagnostic::error(
                "objectives",
                "a drill without objectives cannot pass or fail",
            )
            .help("add one, such as `- downtime: { at_most: 30s }`"),
        );
    }
    let mut seen = BTreeSet::new();
    for (index, objective) in drill.objectives.iter().enumerate() {
        let name = objective.name().name();
        let entry = [At::Key("objectives"), At::Item(index), At::Key(name)];
        let about = match objective {
            Objective::Downtime(body) => body.of.clone(),
            Objective::Latency(body) => Some(format!(
                "{} {} {}",
                body.channel,
                body.phase.name(),
                body.percentile.number()
            )),
            Objective::Condition(source) => Some(source.clone()),
            _ => None,
        };
        if !seen.insert((name, about)) {
            findings.add(
                &entry,
                Diagnostic::error("objectives", format!("{name} is demanded twice"))
                    .label("which one counts?"),
            );
        }
        if let Objective::Downtime(body) = objective
            && let Some(of) = &body.of
            && !is_of(of)
        {
            let [a, b, c] = entry;
            let wrong = Diagnostic::error("channel", format!("nothing is called {of}")).help(
                "a downtime is of writer_fresh or writer_pinned, or of an endpoint or a watch of the target file",
            );
            let wrong = match nearest(of, ["writer_fresh", "writer_pinned"]) {
                Some(near) => wrong.label(format!("did you mean {near}?")),
                None => wrong,
            };
            findings.add(&[a, b, c, At::Key("of")], wrong);
        }
        if let Objective::Latency(body) = objective
            && !is_channel(&body.channel)
        {
            let [a, b, c] = entry;
            let known = ["writer_fresh", "writer_pinned", "reader"];
            let wrong = Diagnostic::error("channel", format!("there is no channel {}", body.channel))
                .help("channels are writer_fresh, writer_pinned, reader, node/NAME/fresh and node/NAME/pinned");
            let wrong = match nearest(&body.channel, known) {
                Some(near) => wrong.label(format!("did you mean {near}?")),
                None => wrong,
            };
            findings.add(&[a, b, c, At::Key("channel")], wrong);
        }
    }
    if let Expect::Fail(name) = drill.expect {
        let demanded = ObjectiveName::IMPLICIT.contains(&name)
            || drill.objectives.iter().any(|each| each.name() == name);
        if !demanded {
            findings.add(
                &[At::Key("expect"), At::Key("fail")],
                Diagnostic::error(
                    "expect",
                    format!("{} is not demanded, so it cannot fail", name.name()),
                )
                .help(format!(
                    "add it to the objectives, such as `- {}: {{ … }}`",
                    name.name()
                )),
            );
        }
    }
}

/// Whether a downtime may be of this: a writer channel, or what may be the name of an endpoint or watch.
/// (Whether the target has it is for the plan to say.)
fn is_of(name: &str) -> bool {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let ours = ["writer", "reader", "witness", "node"];
    matches!(name, "writer_fresh" | "writer_pinned")
        || (!name.is_empty()
            && name.chars().all(letters)
            && !ours.iter().any(|ours| name.starts_with(ours)))
}

/// Whether a name has the form of a channel's.
fn is_channel(name: &str) -> bool {
    match name.split('/').collect::<Vec<_>>().as_slice() {
        ["writer_fresh" | "writer_pinned" | "reader"] => true,
        ["node", node, "fresh" | "pinned"] => !node.is_empty(),
        // One of an endpoint or a watch.
        [name] => is_of(name),
        _ => false,
    }
}

fn workload(drill: &DrillFile, findings: &mut Findings<'_>) {
    let load = &drill.workload;
    let times = [
        ("writers", "every", load.writers.every),
        ("writers", "deadline", load.writers.deadline),
        ("fresh", "every", load.fresh.every),
        ("fresh", "deadline", load.fresh.deadline),
        ("readers", "every", load.readers.every),
        ("readers", "deadline", load.readers.deadline),
        ("readers", "stale", load.readers.stale),
        ("nodes", "pinned", load.nodes.pinned),
        ("nodes", "fresh", load.nodes.fresh),
    ];
    for (channel, field, time) in times {
        if time.as_ms() == 0 {
            findings.add(
                &[At::Key("workload"), At::Key(channel), At::Key(field)],
                Diagnostic::error("workload", format!("{field} must be more than nothing")),
            );
        }
    }
    if load.stability.as_ms() == 0 {
        findings.add(
            &[At::Key("workload"), At::Key("stability")],
            Diagnostic::error("workload", "stability must be more than nothing"),
        );
    }
    if load.writers.sessions == 0 {
        findings.add(
            &[At::Key("workload"), At::Key("writers"), At::Key("sessions")],
            Diagnostic::error("workload", "at least one session must write"),
        );
    }
    if let Some(stall) = load.writers.stall
        && (stall > load.writers.deadline || stall.as_ms() == 0)
    {
        findings.add(
            &[At::Key("workload"), At::Key("writers"), At::Key("stall")],
            Diagnostic::error(
                "workload",
                "an answer cannot stall for longer than its deadline, nor for nothing",
            )
            .label(format!("expected at most {}", load.writers.deadline)),
        );
    }
}
