//! A target in containers across its fields.

use super::Findings;
use super::endpoints::words_error;
use crate::drill::diagnostic::Diagnostic;
use crate::drill::docker_file::{AddressFile, Docker, NodesFile};
use crate::drill::places::At;
use crate::drill::target_file::{FailoverFile, TargetFile};
use crate::sql::connection::Words;

/// More containers than anybody replicates to.
const MOST_NODES: u32 = 100;

/// Checks it.
pub(super) fn docker(docker: &Docker, target: &TargetFile, findings: &mut Findings<'_>) {
    if !docker.drillable {
        let wrong = Diagnostic::error("target", "nothing says that these containers may be broken");
        findings.add(
            &[At::Key("docker"), At::Key("drillable")],
            wrong.help("add `drillable: true` below `docker` if drills are meant to break them"),
        );
    }
    containers(&docker.nodes, "nodes", findings);
    for (part, file) in docker.parts() {
        containers(&file, part.name(), findings);
    }
    who_fails_over(docker, target, findings);
    if let Some(haproxy) = &docker.haproxy
        && let Err(why) = crate::load::check_url(&haproxy.stats)
    {
        findings.add(
            &[At::Key("docker"), At::Key("haproxy"), At::Key("stats")],
            Diagnostic::error("target", why),
        );
    }
    if let Some(networks) = &docker.networks
        && networks.clients == networks.peers
    {
        let wrong = Diagnostic::error("target", "clients and the other nodes share one network");
        findings.add(
            &[At::Key("docker"), At::Key("networks"), At::Key("peers")],
            wrong.help("leave `networks` out: a cut then takes a node off all its networks"),
        );
    }
    let endpoints = &docker.endpoints;
    address("writer", &endpoints.writer, findings);
    if let Some(reader) = &endpoints.reader {
        address("reader", reader, findings);
    }
    let identities = &target.identities;
    for (name, identity) in [("observe", &identities.observe), ("act", &identities.act)] {
        if identity
            .as_ref()
            .is_some_and(|identity| identity.user.is_none())
        {
            let wrong = Diagnostic::error("identities", format!("{name} names no user"));
            findings.add(
                &[At::Key("identities"), At::Key(name)],
                wrong.help("no address names one for it: add user: NAME"),
            );
        }
    }
    if identities.act.is_none() && identities.observe.is_none() {
        let missing = Diagnostic::warning("identities", "the nodes are looked at as the probe");
        findings.add(
            &[At::Key("docker")],
            missing.help(
                "add identities: { observe: { user: …, password: … } } with the role pg_monitor",
            ),
        );
    }
}

/// Exactly one promotes: two make two primaries, and none makes no failover.
fn who_fails_over(docker: &Docker, target: &TargetFile, findings: &mut Findings<'_>) {
    let roles = [At::Key("docker"), At::Key("roles")];
    let failover = [At::Key("docker"), At::Key("failover")];
    let has_patroni = docker.patroni().is_some();
    if docker.roles.is_empty() {
        let wrong = Diagnostic::error("target", "nobody is asked about roles");
        findings.add(
            &roles,
            wrong.help(
                "with Patroni: roles: [ { patroni: { port: 8008 } }, sql ]; without: roles: [ sql ]",
            ),
        );
    } else if has_patroni && docker.failover == FailoverFile::Promote {
        let wrong = Diagnostic::error("target", "Patroni promotes by itself");
        findings.add(
            &failover,
            wrong
                .label("expected automatic")
                .help("firedrill beside it would make a second primary"),
        );
    } else if !has_patroni && docker.failover == FailoverFile::Automatic {
        let wrong = Diagnostic::error("target", "nobody who fails over is named");
        findings.add(
            &failover,
            wrong.label("expected promote").help(
                "where Patroni runs in the containers, name it: roles: [ { patroni: { port: 8008 } }, sql ]; where \
                 nobody does, firedrill promotes: failover: promote",
            ),
        );
    }
    if has_patroni || docker.failover == FailoverFile::Automatic {
        return;
    }
    if target.identities.act.is_none() {
        let wrong = Diagnostic::error("identities", "nobody may promote");
        findings.add(
            &[At::Key("docker")],
            wrong.help(
                "add identities: { act: { user: …, password: … } } with a role that may execute pg_promote",
            ),
        );
    }
    if docker.node_names().len() > 2 {
        let doubtful = Diagnostic::warning(
            "target",
            "the other standbys must find a new primary by themselves",
        );
        findings.add(
            &[At::Key("docker"), At::Key("nodes")],
            doubtful.help("firedrill promotes one and points nobody at it"),
        );
    }
}

/// Which containers a key of the file means.
fn containers(nodes: &NodesFile, key: &'static str, findings: &mut Findings<'_>) {
    let path = [At::Key("docker"), At::Key(key)];
    let (what, least, why) = match key {
        "nodes" => ("nodes".to_owned(), 2, ": a primary and its standbys"),
        part => (format!("of the {part}"), 1, ""),
    };
    let wrong = |text: &str, help: &str| Diagnostic::error("target", text).help(help);
    let by = [
        nodes.label.is_some(),
        nodes.service.is_some(),
        !nodes.names.is_empty(),
    ];
    match by.into_iter().filter(|named| *named).count() {
        0 => findings.add(
            &path,
            wrong(
                &format!("nothing says which containers are {what}"),
                "add label: \"KEY=VALUE\", service: NAME, or names: [NAME, …]",
            ),
        ),
        1 => {}
        _ => findings.add(
            &path,
            wrong(
                &format!("{key} are named in two ways"),
                "keep one of label, service and names",
            ),
        ),
    }
    let label = nodes.label.as_deref();
    if label.is_some_and(|label| label.trim().is_empty() || label.starts_with('=')) {
        let here = [path[0], path[1], At::Key("label")];
        findings.add(
            &here,
            wrong("this label is on every container", "write KEY=VALUE"),
        );
    }
    if nodes.project.is_some() && !nodes.names.is_empty() {
        let here = [path[0], path[1], At::Key("project")];
        findings.add(&here, wrong("names need no project", "leave project out"));
    }
    match nodes.count {
        None if nodes.names.is_empty() && (label.is_some() || nodes.service.is_some()) => findings
            .add(
                &path,
                wrong(
                    &format!("nothing says how many containers {key} must be"),
                    "add count: N, or one that is missing would not be missed",
                ),
            ),
        Some(count) if !(least..=MOST_NODES).contains(&count) => {
            let here = [path[0], path[1], At::Key("count")];
            let help = format!("expected {least} to {MOST_NODES}{why}");
            findings.add(&here, wrong(&format!("{count} {key}"), &help));
        }
        Some(count) if !nodes.names.is_empty() && count as usize != nodes.names.len() => {
            let here = [path[0], path[1], At::Key("count")];
            let text = format!("{} names and a count of {count}", nodes.names.len());
            findings.add(&here, wrong(&text, "leave count out: names are counted"));
        }
        _ => {}
    }
    if key == "nodes" && nodes.names.len() == 1 {
        let here = [path[0], path[1], At::Key("names")];
        findings.add(&here, wrong("one node has no standby", "name all of them"));
    }
    for (at, name) in nodes.names.iter().enumerate() {
        if nodes.names.iter().take(at).any(|earlier| earlier == name) {
            let here = [path[0], path[1], At::Key("names"), At::Item(at)];
            findings.add(&here, wrong("the same container twice", "name each once"));
        }
    }
}

fn address(name: &'static str, address: &AddressFile, findings: &mut Findings<'_>) {
    let at = |field| {
        [
            At::Key("docker"),
            At::Key("endpoints"),
            At::Key(name),
            At::Key(field),
        ]
    };
    match Words::parse(&address.url) {
        Ok(words) => {
            for (word, why) in words.without_effect() {
                let idle = format!("{word} changes nothing here: {why}");
                findings.add(&at("url"), Diagnostic::warning("words", idle));
            }
            if let Some(hostaddr) = &address.hostaddr
                && let Err(error) = words.at(hostaddr)
            {
                findings.add(&at("hostaddr"), words_error(&error));
            }
        }
        Err(error) => {
            super::endpoints::add_about(&address.url, &at("url"), words_error(&error), findings)
        }
    }
}
