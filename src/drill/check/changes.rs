//! Whether what a drill brings along says how it is undone, or promises to change nothing.

use super::Findings;
use crate::drill::diagnostic::Diagnostic;
use crate::drill::nearest::nearest;
use crate::drill::places::At;
use crate::drill::sequence::Placed;
use crate::drill::step::Step;
use crate::fault::template;

/// What `sql` and `command` have in common here.
struct Brought<'a> {
    kind: &'static str,
    undo: bool,
    check: bool,
    promises: bool,
    /// The arguments of commands, with the fields that hold them.
    arguments: Vec<(&'static str, &'a [String])>,
    has_node: bool,
}

impl<'a> Brought<'a> {
    fn of(step: &'a Step) -> Option<Self> {
        match step {
            Step::Sql(body) => Some(Self {
                kind: "statement",
                undo: body.undo.is_some(),
                check: body.check.is_some(),
                promises: body.changes.is_some(),
                arguments: Vec::new(),
                has_node: true,
            }),
            Step::Command(body) => {
                let given = [
                    ("run", Some(&body.run)),
                    ("undo", body.undo.as_ref()),
                    ("check", body.check.as_ref()),
                ];
                let arguments = given
                    .into_iter()
                    .filter_map(|(field, words)| Some((field, words?.as_slice())));
                Some(Self {
                    kind: "command",
                    undo: body.undo.is_some(),
                    check: body.check.is_some(),
                    promises: body.changes.is_some(),
                    arguments: arguments.collect(),
                    has_node: body.node.is_some(),
                })
            }
            _ => None,
        }
    }
}

/// Everything brought along is undone on every way out, or needs no undo.
pub(super) fn changes(steps: &[Placed], findings: &mut Findings<'_>) {
    for placed in steps {
        let step = &placed.step;
        let Some(brought) = Brought::of(step) else {
            continue;
        };
        let field = |name| placed.at(&[At::Key(name)]);
        let kind = brought.kind;
        if let Step::Sql(body) = step
            && body.run.trim().is_empty()
        {
            let wrong = Diagnostic::error("undo", "there is no statement to run");
            findings.add(&field("run"), wrong);
        }
        match (brought.undo, brought.promises) {
            (false, false) => findings.add(
                &placed.at(&[]),
                Diagnostic::error("undo", format!("this {kind} does not say how it is undone"))
                    .label("everything that a drill changes is put back on every way out")
                    .help("add `undo` and `check`; or `changes: nothing`, if it changes nothing"),
            ),
            (true, true) => findings.add(
                &field("changes"),
                Diagnostic::error("undo", "what changes nothing needs no undo")
                    .label("leave out this, or `undo` and `check`"),
            ),
            (true, false) if !brought.check => findings.add(
                &field("undo"),
                Diagnostic::error("undo", "an undo is verified, and this one cannot be")
                    .label("expected `check` beside it")
                    .help(match step {
                        Step::Sql(_) => "such as `check: \"select not exists (select …)\"`: true before the statement, and again when it is undone",
                        _ => "such as `check: [test, \"!\", -e, FILE]`: it ends with code 0 before the command, and again when it is undone",
                    }),
            ),
            (true, false) if !brought.has_node => findings.add(
                &placed.at(&[]),
                Diagnostic::error(
                    "undo",
                    "a command with an undo is a fault, and a fault hits a node",
                )
                .label("expected `node`")
                .help("such as `node: primary`: the node that the command is about"),
            ),
            (false, true) if brought.check => findings.add(
                &field("check"),
                Diagnostic::error("undo", "there is no undo that this could check"),
            ),
            _ => {}
        }
        for (name, words) in &brought.arguments {
            arguments(&brought, &field(name), words, findings);
        }
    }
}

/// The program is there, and each `{{word}}` is one.
fn arguments(
    brought: &Brought<'_>,
    place: &[At<'_>],
    words: &[String],
    findings: &mut Findings<'_>,
) {
    if words.first().is_none_or(String::is_empty) {
        findings.add(
            place,
            Diagnostic::error("command", "there is no program to run")
                .help("a command is a list: program and arguments, such as `[ls, -l]`"),
        );
    }
    for (number, text) in words.iter().enumerate() {
        for word in template::words(text) {
            let place = [place, &[At::Item(number)]].concat();
            if !template::WORDS.contains(&word) {
                let known = template::WORDS.join(", ");
                let wrong =
                    Diagnostic::error("command", format!("{{{{{word}}}}} stands for nothing"))
                        .help(format!("there are: {known}"));
                findings.add(
                    &place,
                    match nearest(word, template::WORDS) {
                        Some(near) => wrong.label(format!("did you mean {{{{{near}}}}}?")),
                        None => wrong,
                    },
                );
            } else if word.starts_with("node.") && !brought.has_node {
                findings.add(
                    &place,
                    Diagnostic::error("command", "this step names no node")
                        .label(format!("{{{{{word}}}}} stands for nothing without one"))
                        .help("add `node`, such as `node: primary`"),
                );
            }
        }
    }
}
