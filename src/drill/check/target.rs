//! A target file across its fields.

use super::Findings;
use crate::drill::diagnostic::{Diagnostic, Source};
use crate::drill::identity_file::IdentitiesFile;
use crate::drill::places::{At, Places};
use crate::drill::simulated::Simulated;
use crate::drill::target_file::{AgentFile, Local, RouterFile, TargetFile, TargetKind};
use std::sync::Arc;

/// More nodes than anybody replicates to.
const MOST_NODES: u32 = 10_000;

/// Checks a target across its fields.
pub(in crate::drill) fn target(
    target: &TargetFile,
    source: &Arc<Source>,
    places: &Places,
) -> Vec<Diagnostic> {
    let mut findings = Findings {
        source,
        places,
        found: Vec::new(),
        again: false,
    };
    super::endpoints::endpoints(target, &mut findings);
    let positive = [
        ("limits", "sessions", u64::from(target.limits.sessions)),
        (
            "limits",
            "commits_per_second",
            u64::from(target.limits.commits_per_second),
        ),
        ("limits", "clients", u64::from(target.limits.clients)),
        (
            "limits",
            "requests_per_second",
            u64::from(target.limits.requests_per_second),
        ),
    ];
    for (group, field, value) in positive {
        if value == 0 {
            findings.add(
                &[At::Key(group), At::Key(field)],
                Diagnostic::error("limits", format!("{field} must be at least 1")),
            );
        }
    }
    match target.kind() {
        TargetKind::Local(local) => {
            throw_away(target, &mut findings);
            self::local(&local, target.limits.sessions, &mut findings);
        }
        TargetKind::Docker(docker) => super::docker::docker(&docker, target, &mut findings),
        TargetKind::Simulated(simulated) => {
            only_simulated(target, &mut findings);
            self::simulated(&simulated, target.limits.sessions, &mut findings);
        }
    }
    findings.found
}

/// Checks the stand-ins that both kinds have.
fn stand_ins(
    kind: &'static str,
    agent: &AgentFile,
    router: &RouterFile,
    findings: &mut Findings<'_>,
) {
    let positive = [
        ("agent", "loop", agent.r#loop.as_ms()),
        ("agent", "detection", agent.detection.as_ms()),
        ("router", "check", router.check.as_ms()),
        ("router", "fall", u64::from(router.fall)),
        ("router", "rise", u64::from(router.rise)),
        ("router", "timeout", router.timeout.as_ms()),
    ];
    for (group, field, value) in positive {
        if value == 0 {
            findings.add(
                &[At::Key(kind), At::Key(group), At::Key(field)],
                Diagnostic::error("target", format!("{field} must be more than nothing")),
            );
        }
    }
    if agent.detection < agent.r#loop {
        findings.add(
            &[At::Key(kind), At::Key("agent"), At::Key("detection")],
            Diagnostic::error(
                "target",
                "detection is shorter than the loop that would notice",
            )
            .label(format!("expected at least {}", agent.r#loop)),
        );
    }
}

/// Beside the probes: the stand-ins, replication, and the three that PostgreSQL keeps for superusers.
fn connections(kind: &'static str, allowed: u32, sessions: u32, findings: &mut Findings<'_>) {
    let least = sessions.saturating_add(15);
    if allowed < least {
        findings.add(
            &[At::Key(kind), At::Key("max_connections")],
            Diagnostic::error("target", format!("{allowed} connections are too few")).label(
                format!("expected at least {least}: the probes' limit and 15"),
            ),
        );
    }
}

fn local(local: &Local, sessions: u32, findings: &mut Findings<'_>) {
    stand_ins("local", &local.agent, &local.router, findings);
    if local.standbys > 8 {
        findings.add(
            &[At::Key("local"), At::Key("standbys")],
            Diagnostic::error(
                "target",
                "more than 8 standbys on one machine measure the machine",
            ),
        );
    }
    if local.synchronous && local.standbys == 0 {
        findings.add(
            &[At::Key("local"), At::Key("synchronous")],
            Diagnostic::error(
                "target",
                "without a standby, every commit would wait for ever",
            ),
        );
    }
    if local.ports.writer.is_some() && local.ports.writer == local.ports.reader {
        findings.add(
            &[At::Key("local"), At::Key("ports"), At::Key("reader")],
            Diagnostic::error("target", "both endpoints cannot have one port"),
        );
    }
    connections("local", local.max_connections, sessions, findings);
}

fn simulated(simulated: &Simulated, sessions: u32, findings: &mut Findings<'_>) {
    stand_ins("simulated", &simulated.agent, &simulated.router, findings);
    if simulated.nodes < 2 || simulated.nodes > MOST_NODES {
        findings.add(
            &[At::Key("simulated"), At::Key("nodes")],
            Diagnostic::error("target", format!("{} nodes", simulated.nodes)).label(format!(
                "expected 2 to {MOST_NODES}: a primary and its standbys"
            )),
        );
    }
    connections("simulated", simulated.max_connections, sessions, findings);
}

/// A simulated cluster has no network and no database: what lies beside it cannot be probed.
fn only_simulated(target: &TargetFile, findings: &mut Findings<'_>) {
    let identities = &target.identities;
    let said = [
        ("endpoints", !target.endpoints.is_empty()),
        ("watch", !target.watch.is_empty()),
        ("identities", *identities != IdentitiesFile::default()),
        ("durability_of", target.durability_of.is_some()),
        ("ledger", target.ledger.is_some()),
    ];
    for (key, _) in said.into_iter().filter(|(_, is_said)| *is_said) {
        findings.add(
            &[At::Key(key)],
            Diagnostic::error("target", format!("{key} cannot be simulated"))
                .help("a simulated cluster has no network and no database"),
        );
    }
}

/// What a throw-away cluster has of its own: its roles, and a ledger that goes with it.
fn throw_away(target: &TargetFile, findings: &mut Findings<'_>) {
    let identities = &target.identities;
    for (name, identity) in [("observe", &identities.observe), ("act", &identities.act)] {
        if identity.is_some() {
            findings.add(
                &[At::Key("identities"), At::Key(name)],
                Diagnostic::error("identities", "a local cluster makes its own roles")
                    .help("only probe is used here, to log in at `endpoints`"),
            );
        }
    }
    if identities.probe.is_some() && target.endpoints.is_empty() {
        findings.add(
            &[At::Key("identities"), At::Key("probe")],
            Diagnostic::warning("identities", "nobody logs in by this")
                .help("a local cluster makes its own roles; only `endpoints` use this one"),
        );
    }
    if target.ledger.is_some() {
        findings.add(
            &[At::Key("ledger")],
            Diagnostic::warning("ledger", "a local cluster's ledger goes with the cluster"),
        );
    }
}
