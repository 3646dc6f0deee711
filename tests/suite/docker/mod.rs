//! The program on a cluster in containers: the one of docker-compose.yml, where it runs.
//!
//! The cluster is not started here: whoever runs these tests has brought it up (`docker compose up -d --wait`),
//! or names another by `FIREDRILL_TEST_TARGET`, a target file whose passwords are in the environment variable
//! FIREDRILL_PASSWORD. The tests take turns, since they share it.

mod faults;
mod killed_runner;
mod packets;
mod refusals;

use crate::support::{Finished, Firedrill};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// The target, as examples/ has it.
const TARGET: &str = include_str!("../../../examples/docker.target.yaml");
/// Wide deadlines, so that a machine under other load is no reason to refuse the baseline.
const WORKLOAD: &str = "workload: { writers: { every: 50ms, deadline: 2s }, \
     fresh: { every: 250ms, deadline: 2s }, readers: { every: 200ms, deadline: 2s }, nodes: { fresh: 2s } }";

static TURN: Mutex<()> = Mutex::new(());

/// Whether there is such a cluster, or why it cannot be drilled.
static AVAILABLE: OnceLock<Result<(), String>> = OnceLock::new();

/// The cluster, for one test at a time.
struct Containers {
    firedrill: Firedrill,
    target: String,
    _turn: MutexGuard<'static, ()>,
}

impl Containers {
    /// `None` where there is no such cluster, which it says. `FIREDRILL_TEST_REQUIRE=docker` makes that a
    /// failure.
    fn take() -> Option<Self> {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let password = std::env::var("FIREDRILL_PASSWORD").unwrap_or_else(|_| "example".to_owned());
        let text = match std::env::var("FIREDRILL_TEST_TARGET") {
            Ok(path) => {
                std::fs::read_to_string(&path).expect("the file that FIREDRILL_TEST_TARGET names")
            }
            Err(_) => TARGET.to_owned(),
        };
        let firedrill = Firedrill::new()
            .limit(Duration::from_secs(400))
            .env("FIREDRILL_PASSWORD", &password);
        let text = match text.contains("\nlimits:") {
            true => text,
            false => format!("{text}\nlimits: {{ sessions: 50 }}\n"),
        };
        let containers = Self {
            target: firedrill.file("ours.target.yaml", &text),
            firedrill,
            _turn: turn,
        };
        match AVAILABLE.get_or_init(|| containers.can_be_drilled()) {
            Ok(()) => Some(containers),
            Err(why) => {
                let required = std::env::var("FIREDRILL_TEST_REQUIRE").unwrap_or_default();
                assert!(
                    !required.split(',').any(|each| each == "docker"),
                    "no cluster in containers can be drilled here:\n{why}"
                );
                let why = why.lines().rev().find(|line| line.contains("error"));
                eprintln!(
                    "not run: no cluster in containers can be drilled here: {}",
                    why.unwrap_or_default()
                );
                None
            }
        }
    }

    /// Found out once: a drill that breaks nothing and asks for everything that a run needs.
    fn can_be_drilled(&self) -> Result<(), String> {
        let quiet = self.drill(
            "objectives:\n  - lost_commits: { at_most: 0 }\nsteps:\n  - baseline: { for: 5s }\n",
        );
        match quiet.stderr.contains("the nodes are one again") {
            true => Ok(()),
            false => Err(quiet.stderr),
        }
    }

    /// Runs a drill that is given without its head.
    fn drill(&self, body: &str) -> Finished {
        let path = self.write(body);
        self.firedrill
            .run(&["run", &path, "--yes", "--target", &self.target])
    }

    fn write(&self, body: &str) -> String {
        let head = "version: 1\nname: ours\nsummary: A test.\nwhy: It is tried.\n";
        self.firedrill
            .file("ours.yaml", &format!("{head}{WORKLOAD}\n{body}"))
    }

    /// The ids of the containers that may be drilled, of the project that the target names: others may run beside it.
    fn drillable(&self, more: &[&str]) -> String {
        let target = std::fs::read_to_string(&self.target).expect("our own file");
        let project = target.split_once("project: ").map(|(_, rest)| {
            let ends = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_');
            let name = rest.split(ends).next().unwrap_or_default();
            format!("label=com.docker.compose.project={name}")
        });
        let mut arguments = vec![
            "ps",
            "--quiet",
            "--filter",
            "label=firedrill/drillable=true",
        ];
        arguments.extend_from_slice(more);
        if let Some(project) = &project {
            arguments.extend(["--filter", project]);
        }
        docker(&arguments)
    }

    /// Every container of a node, its restart policy, its state and its networks, as the engine has them.
    fn as_found(&self) -> String {
        let format = "{{.Name}} {{.HostConfig.RestartPolicy.Name}} {{.State.Status}} \
             {{range $name, $at := .NetworkSettings.Networks}}{{$name}} {{$at.IPAddress}} {{end}}";
        let ids = self.drillable(&["--all"]);
        let mut lines: Vec<String> = ids
            .lines()
            .map(|id| docker(&["inspect", "--format", format, id]))
            .collect();
        lines.sort();
        lines.concat()
    }
}

/// What the engine's own client says.
fn docker(arguments: &[&str]) -> String {
    let said = Command::new("docker")
        .args(arguments)
        .output()
        .expect("docker");
    assert!(
        said.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&said.stderr)
    );
    String::from_utf8_lossy(&said.stdout).into_owned()
}
