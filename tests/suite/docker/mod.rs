//! The program on a cluster in containers: the one of docker-compose.yml, where it runs.
//!
//! The cluster is not started here: whoever runs these tests has brought it up (`docker compose up -d --wait`),
//! or names another by `FIREDRILL_TEST_TARGET`, a target file whose passwords are in the environment variable
//! FIREDRILL_PASSWORD. The same for a pair that firedrill promotes in: that of examples/plain/docker-compose.yml, or
//! `FIREDRILL_TEST_PLAIN_TARGET`. The tests take turns, since they share them.

mod clock;
mod every_entry;
mod faults;
mod interference;
mod killed_runner;
mod nobody_left;
mod packets;
mod plain;
mod plans;
mod pressure;
mod refusals;
mod restarts;
mod slow_network;

use crate::support::{Finished, Firedrill};
use firedrill::clock::Clock;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::sleep;
use std::time::Duration;

/// The target, as examples/ has it.
const TARGET: &str = include_str!("../../../examples/docker.target.yaml");
/// The one in which nobody fails over but firedrill.
const PLAIN: &str = include_str!("../../../examples/docker-plain.target.yaml");
/// Wide deadlines, so that a machine under other load is no reason to refuse the baseline.
const WORKLOAD: &str = "workload: { writers: { every: 50ms, deadline: 2s }, \
     fresh: { every: 250ms, deadline: 2s }, readers: { every: 200ms, deadline: 2s }, nodes: { fresh: 2s } }";

/// How often a drill is begun that is refused before its fault, because this machine is busy.
const TRIES: usize = 5;

/// An event of a drill that holds its faults. Steps are not counted: on a busy machine a baseline begins anew.
const HELD: &str = "\"step_began\":{\"step\":\"hold-1\"";

static TURN: Mutex<()> = Mutex::new(());

/// Whether there is such a cluster, or why it cannot be drilled.
static AVAILABLE: OnceLock<Result<(), String>> = OnceLock::new();
static PLAIN_AVAILABLE: OnceLock<Result<(), String>> = OnceLock::new();

/// The cluster, for one test at a time.
struct Containers {
    firedrill: Firedrill,
    target: String,
    password: String,
    /// What the engine finds its nodes by.
    filter: String,
    _turn: MutexGuard<'static, ()>,
}

impl Containers {
    /// `None` where there is no such cluster, which it says. `FIREDRILL_TEST_REQUIRE=docker` makes that a
    /// failure; `FIREDRILL_TEST_SKIP=docker` leaves one alone that is there.
    fn take() -> Option<Self> {
        Self::of("FIREDRILL_TEST_TARGET", TARGET, "docker", &AVAILABLE)
    }

    /// The same for the pair that firedrill promotes in; required by `docker-plain`.
    fn plain() -> Option<Self> {
        let variable = "FIREDRILL_TEST_PLAIN_TARGET";
        Self::of(variable, PLAIN, "docker-plain", &PLAIN_AVAILABLE)
    }

    fn of(
        variable: &str,
        example: &str,
        requirement: &str,
        available: &OnceLock<Result<(), String>>,
    ) -> Option<Self> {
        let skipped = std::env::var("FIREDRILL_TEST_SKIP").unwrap_or_default();
        if skipped.split(',').any(|each| each == requirement) {
            eprintln!("not run: FIREDRILL_TEST_SKIP names {requirement}");
            return None;
        }
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let password = std::env::var("FIREDRILL_PASSWORD").unwrap_or_else(|_| "example".to_owned());
        let text = match std::env::var(variable) {
            Ok(path) => std::fs::read_to_string(&path).expect("the file that is to be tested with"),
            Err(_) => example.to_owned(),
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
            filter: filter(&text),
            firedrill,
            password,
            _turn: turn,
        };
        match available.get_or_init(|| containers.can_be_drilled()) {
            Ok(()) => Some(containers),
            Err(why) => {
                let required = std::env::var("FIREDRILL_TEST_REQUIRE").unwrap_or_default();
                assert!(
                    !required.split(',').any(|each| each == requirement),
                    "no such cluster in containers ({requirement}) can be drilled here:\n{why}"
                );
                let why = why.lines().rev().find(|line| line.contains("error"));
                eprintln!(
                    "not run: no such cluster in containers ({requirement}) can be drilled here: {}",
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

    /// Waits until every node leads or streams again, as a run asks for at its beginning.
    fn wait_until_whole(&self) {
        let clock = Clock::start();
        loop {
            let asked = self
                .firedrill
                .run(&["plan", "no-fault", "--target", &self.target]);
            let healthy = self.nodes(&["--filter", "health=healthy"]);
            let all_answer = asked.code == Some(0) && !asked.stdout.contains("(silent)");
            if all_answer && !healthy.is_empty() && healthy == self.nodes(&["--all"]) {
                return;
            }
            assert!(
                clock.now().0 < 180_000_000,
                "the cluster is not whole again; healthy are {healthy:?}, and the plan says:\n{}{}",
                asked.stdout,
                asked.stderr
            );
            sleep(Duration::from_secs(1));
        }
    }

    /// Runs a drill that is given without its head; begun anew where the machine was too busy for its baseline.
    fn drill(&self, body: &str) -> Finished {
        let path = self.write(body);
        let run = || {
            self.firedrill
                .run(&["run", &path, "--yes", "--target", &self.target])
        };
        for _ in 1..TRIES {
            let finished = run();
            let too_busy =
                finished.code == Some(4) && finished.stderr.contains("is the machine busy");
            if !too_busy || !finished.stderr.contains("nothing was broken") {
                return finished;
            }
        }
        run()
    }

    fn write(&self, body: &str) -> String {
        let head = "version: 1\nname: ours\nsummary: A test.\nwhy: It is tried.\n";
        self.firedrill
            .file("ours.yaml", &format!("{head}{WORKLOAD}\n{body}"))
    }

    /// The ids of the containers that may be drilled, of the project that the target names: others may run beside it.
    fn drillable(&self, more: &[&str]) -> String {
        let mut arguments = vec![
            "ps",
            "--quiet",
            "--filter",
            "label=firedrill/drillable=true",
            "--filter",
            &self.filter,
        ];
        arguments.extend_from_slice(more);
        docker(&arguments)
    }

    /// Those of them that are database nodes, without what stands beside them.
    fn nodes(&self, more: &[&str]) -> Vec<String> {
        let nodes = ["--filter", "label=firedrill.role=node"];
        lines(&self.drillable(&[&nodes, more].concat()))
    }

    /// What runs of this test have made and not removed: their lock, and those that they let into networks.
    fn of_runs(&self) -> String {
        left_by(&self.firedrill)
    }

    /// Waits until there is nothing of that any more.
    fn wait_until_nothing_is_left(&self) {
        let clock = Clock::start();
        while !self.of_runs().is_empty() {
            assert!(clock.now().0 < 120_000_000, "{}", self.of_runs());
            sleep(Duration::from_millis(500));
        }
    }

    /// Loses a runner that holds its faults, its watchdog and its journal, undoes by the labels, and gives what that said.
    fn undone_by_labels(&self, mut runner: Child) -> String {
        let firedrill = &self.firedrill;
        let mut running = || runner.try_wait().expect("an own child").is_none();
        let held = firedrill.lines_reached("events.jsonl", HELD, 1, &mut running);
        let run = held.expect("its hold");
        firedrill.kill_watchdog();
        killed(runner);
        std::fs::remove_dir_all(run).expect("the run's folder");
        let undone = firedrill.run(&["undo", "--target", &self.target]);
        assert_eq!(undone.code, Some(0), "{}", undone.stderr);
        assert_eq!(self.of_runs(), "", "{}", undone.stderr);
        undone.stderr
    }

    /// Every container of a node, its restart policy, its state and its networks, as the engine has them.
    fn as_found(&self) -> String {
        let format = "{{.Name}} {{.HostConfig.RestartPolicy.Name}} {{.State.Status}} \
             {{range $name, $at := .NetworkSettings.Networks}}{{$name}} {{$at.IPAddress}} {{end}}";
        let inspected = |id: String| docker(&["inspect", "--format", format, &id]);
        let mut lines: Vec<String> = self.ids().into_iter().map(inspected).collect();
        lines.sort();
        lines.concat()
    }

    /// The containers of its nodes and of what stands beside them, whether or not they run.
    fn ids(&self) -> Vec<String> {
        lines(&self.drillable(&["--all"]))
    }
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

/// The nodes of a target file's project, where it names one: others may run beside them.
fn filter(target: &str) -> String {
    let project = target.split("project: ").nth(1);
    let name = project.and_then(|rest| rest.split([',', ' ', '}', '\n']).next());
    match name {
        Some(name) => format!("label=com.docker.compose.project={name}"),
        None => "label=firedrill/drillable=true".to_owned(),
    }
}

/// The containers of firedrill's own that carry a run's label: its lock, and those that it let into networks.
fn left_of(run: &Path) -> String {
    let run = run.file_name().expect("a run's folder").to_string_lossy();
    let label = format!("label=firedrill/run={run}");
    docker(&["ps", "--all", "--quiet", "--filter", &label])
}

/// The same of all runs from a home.
fn left_by(firedrill: &Firedrill) -> String {
    let runs = firedrill.home().join("state/firedrill/runs");
    let runs = std::fs::read_dir(runs).into_iter().flatten().flatten();
    runs.map(|run| left_of(&run.path())).collect()
}

/// Where a run's clients entered its nodes' networks; gone once the run is put back.
fn sockets(firedrill: &Firedrill, run: &Path) -> PathBuf {
    let run = run.file_name().expect("a run's folder").to_string_lossy();
    firedrill.home().join(format!("tmp/firedrill-{run}-nodes"))
}

/// Ends a runner that lives by SIGKILL, and gives what it had said.
fn killed(mut runner: Child) -> String {
    runner.kill().expect("a living runner");
    let mut said = String::new();
    if let Some(mut stderr) = runner.stderr.take() {
        let _ = stderr.read_to_string(&mut said);
    }
    runner.wait().expect("its end");
    said
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
