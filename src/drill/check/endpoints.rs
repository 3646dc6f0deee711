//! Endpoints and watches of a target file: names that make channels, and what they point at.

use super::Findings;
use crate::drill::diagnostic::Diagnostic;
use crate::drill::endpoint_file::{EndpointFile, WatchFile};
use crate::drill::nearest::nearest;
use crate::drill::places::At;
use crate::drill::target_file::TargetFile;
use crate::sql::connection::{WordError, Words};

/// Names that channels have without being named in a target file.
const OURS: [&str; 4] = ["writer", "reader", "witness", "node"];
/// A watch that runs a command more often than this measures the machine.
const QUICKEST_RUN_MS: u64 = 100;
const QUICKEST_MS: u64 = 10;

/// Checks them all.
pub(super) fn endpoints(target: &TargetFile, findings: &mut Findings<'_>) {
    for (name, endpoint) in &target.endpoints {
        let path = [At::Key("endpoints"), At::Key(name)];
        named(name, &path, findings);
        self::endpoint(endpoint, path, findings);
    }
    for (name, watch) in &target.watch {
        let path = [At::Key("watch"), At::Key(name)];
        named(name, &path, findings);
        if target.endpoints.contains_key(name) {
            let twice = Diagnostic::error("endpoint", format!("{name} is an endpoint already"));
            findings.add(&path, twice.help("give the watch another name"));
        }
        self::watch(watch, path, findings);
    }
}

/// A name becomes a part of the names of channels, so it must not be mistaken for one of them.
fn named(name: &str, path: &[At<'_>], findings: &mut Findings<'_>) {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let wrong = if let Some(ours) = OURS.iter().find(|ours| name.starts_with(**ours)) {
        format!("names that begin with {ours} are firedrill's own")
    } else if ["_fresh", "_pinned", "_reader"]
        .iter()
        .any(|end| name.ends_with(end))
    {
        format!("{name} could be mistaken for the name of a channel")
    } else if name.is_empty() || name.len() > 30 || !name.chars().all(letters) {
        format!("{name} is no name for an endpoint")
    } else {
        return;
    };
    findings.add(
        path,
        Diagnostic::error("endpoint", wrong)
            .help("expected lower-case letters, digits and underscores, such as pgbouncer"),
    );
}

fn endpoint(endpoint: &EndpointFile, path: [At<'_>; 2], findings: &mut Findings<'_>) {
    let [a, b] = path;
    let url = [a, b, At::Key("url")];
    let words = match Words::parse(&endpoint.url) {
        Ok(words) => words,
        Err(error) => return add_about(&endpoint.url, &url, words_error(&error), findings),
    };
    for (word, why) in words.without_effect() {
        let idle = format!("{word} changes nothing here: {why}");
        findings.add(&url, Diagnostic::warning("words", idle));
    }
    if let Some(hostaddr) = &endpoint.hostaddr
        && let Err(error) = words.at(hostaddr)
    {
        findings.add(&[a, b, At::Key("hostaddr")], words_error(&error));
    }
}

/// Adds a finding about a text at its place. Where a password may stand in it, only the line is named: what is
/// underlined is shown, and ends in logs.
pub(super) fn add_about(
    text: &str,
    path: &[At<'_>],
    finding: Diagnostic,
    findings: &mut Findings<'_>,
) {
    if !Words::may_hold_password(text) {
        return findings.add(path, finding);
    }
    let before = findings.places.nearest(path).start;
    let source = findings.source;
    let above = source.text().get(..before).unwrap_or_default();
    let line = 1 + above.matches('\n').count();
    let message = format!("{}:{line}: {}", source.name(), finding.message);
    findings.found.push(Diagnostic { message, ..finding });
}

/// What is wrong with a connection string, with the word that was probably meant.
pub(super) fn words_error(error: &WordError) -> Diagnostic {
    let wrong = Diagnostic::error("words", error.to_string());
    if let WordError::Unknown(word) = error {
        let wrong = match nearest(word, Words::known()) {
            Some(near) => wrong.label(format!("did you mean {near}?")),
            None => wrong,
        };
        let known: Vec<_> = Words::known().collect();
        return wrong.help(format!("words are: {}", known.join(", ")));
    }
    match error.help() {
        Some(help) => wrong.help(help),
        None => wrong,
    }
}

fn watch(watch: &WatchFile, path: [At<'_>; 2], findings: &mut Findings<'_>) {
    let [a, b] = path;
    let mut wrong = |field: Option<&str>, finding: Diagnostic| match field {
        Some(field) => findings.add(&[a, b, At::Key(field)], finding),
        None => findings.add(&[a, b], finding),
    };
    let said = |text: &str, help: &str| Diagnostic::error("watch", text).help(help);
    let quickest = match watch.run {
        Some(_) => QUICKEST_RUN_MS,
        None => QUICKEST_MS,
    };
    if watch.period().as_ms() < quickest {
        let text = format!("more often than every {quickest} ms would measure this machine");
        wrong(Some("every"), said(&text, "ask less often"));
    }
    if watch.deadline.as_ms() == 0 {
        let help = "write how long an answer may take, such as 1s";
        wrong(
            Some("deadline"),
            said("deadline must be more than nothing", help),
        );
    }
    match (&watch.http, &watch.run) {
        (None, None) => {
            let help = "add http: \"http://…\" or run: [COMMAND, ARGUMENT, …]";
            wrong(None, said("nothing says how it is watched", help));
        }
        (Some(_), Some(_)) => {
            let help = "give each way a watch of its own";
            wrong(Some("run"), said("it is watched by http already", help));
        }
        (Some(url), None) => {
            if let Err(why) = crate::load::check_url(url) {
                let finding = said(&why, "write http://HOST:PORT/PATH or https://…");
                add_about(url, &[a, b, At::Key("http")], finding, findings);
            }
        }
        (None, Some(run)) => {
            if run.first().is_none_or(|program| program.trim().is_empty()) {
                let help = "write the command and its arguments, such as [./check.sh, --quick]";
                wrong(Some("run"), said("there is no command", help));
            }
        }
    }
}
