//! One fault on a hundred small containers: how far apart the first and the last are hit, and what a plan over them
//! takes. It makes its own containers and removes them; nothing runs in them but `sleep`.

use crate::machine::{median, ms, timed};
use crate::row::Row;
use firedrill::clock::Clock;
use firedrill::event::Emitter;
use firedrill::event::cluster::{ClusterSeen, NodeSeen, Standing};
use firedrill::fault::kill::Kill;
use firedrill::fault::{Hit, Returns};
use firedrill::role::NodeRef;
use firedrill::target::docker::{DockerTarget, Facts};
use firedrill::undo::journal::Opened;
use firedrill::undo::{Guard, JournalOwner, Limits, Strike, Urgency, WayBack};
use serde_json::json;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const CONTAINERS: usize = 100;
const APART_MS: f64 = 1000.0;
const PLAN_MS: f64 = 300.0;
/// The label by which they are found, and removed.
const LABEL: &str = "firedrill-bench=fan-out";
const TURNS: usize = 5;

pub fn measure() -> Vec<Row> {
    let what = format!("one fault on {CONTAINERS} containers, the first to the last");
    let skipped = |why: &str| vec![Row::skipped(&what, "1 s", why)];
    let Some(image) = image() else {
        return skipped(
            "no container engine with an image that has sleep: docker pull debian:bookworm-slim",
        );
    };
    let made = Containers::make(&image);
    let facts = match made.facts() {
        Ok(facts) => facts,
        Err(why) => return skipped(&why),
    };
    let mut rows = vec![plan()];
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    match runtime.block_on(strike(facts)) {
        Ok(proven) => rows.push(apart(&what, &made, proven)),
        Err(why) => rows.extend(skipped(&why)),
    }
    drop(made);
    rows.extend(by_the_engine(&image));
    rows
}

/// The same by one `docker kill` of all: what the engine itself takes on this machine.
fn by_the_engine(image: &str) -> Option<Row> {
    let made = Containers::make(image);
    let mut kill = vec!["kill"];
    kill.extend(made.ids.iter().map(String::as_str));
    docker(&kill).ok()?;
    let apart = made.apart()?;
    let what = format!("the same by one `docker kill` of {CONTAINERS}");
    Some(Row::told(&what, &format!("{apart:.0} ms")))
}

/// Kills all of them as one step of a drill does, journal and proof included; gives how many were proven.
async fn strike(facts: Facts) -> Result<usize, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let clock = Clock::start();
    let identity = facts.identity();
    let kept = serde_json::to_value(&facts).map_err(|error| error.to_string())?;
    let opened = Opened::by_this_process("bench", "docker", &identity, kept, clock);
    let mut journal =
        JournalOwner::create(folder.path(), opened).map_err(|error| error.to_string())?;
    let target = DockerTarget::again(facts, "bench")
        .await
        .map_err(|error| error.to_string())?;
    let (emitter, _events) = Emitter::channel();
    let names: Vec<String> = (1..=CONTAINERS).map(name).collect();
    let faults: Vec<Kill> = names.iter().map(|name| kill(name)).collect();
    let hits: Vec<Hit> = names.iter().map(|name| standby(name)).collect();
    let strikes: Vec<Strike<'_>> = faults
        .iter()
        .zip(&hits)
        .zip(&names)
        .map(|((fault, hit), step)| Strike { fault, step, hit })
        .collect();
    let mut way = WayBack {
        target: &target,
        clock,
        emitter: &emitter,
        journal: &mut journal,
        evidence: folder.path(),
        limits: Limits::default(),
        urgency: Urgency::Patient,
    };
    let seen = seen(&names, clock);
    let struck = Guard::new()
        .strike_together(&strikes, &seen, &mut way)
        .await;
    let struck = struck.map_err(|error| error.to_string())?;
    Ok(struck.iter().filter(|each| each.is_ok()).count())
}

fn name(number: usize) -> String {
    format!("node-{number}")
}

fn kill(node: &str) -> Kill {
    Kill {
        id: None,
        node: NodeRef::from(node),
        returns: Returns::default(),
    }
}

fn standby(node: &str) -> Hit {
    Hit {
        node: node.to_owned(),
        role: "standby".to_owned(),
        timeline: 1,
    }
}

/// Nobody runs in them that could be asked.
fn seen(names: &[String], clock: Clock) -> ClusterSeen {
    let nodes = names.iter().map(|name| NodeSeen {
        name: name.clone(),
        standing: Standing::Silent {
            why: "it only sleeps".to_owned(),
        },
    });
    ClusterSeen {
        asked: clock.now(),
        nodes: nodes.collect(),
        declared: CONTAINERS,
    }
}

fn apart(what: &str, made: &Containers, proven: usize) -> Row {
    match made.apart() {
        Some(apart) if proven == CONTAINERS => {
            Row::at_most(what, apart, APART_MS, &format!("{apart:.0} ms"), "1 s")
        }
        _ => Row::skipped(
            what,
            "1 s",
            &format!("not all ended, or only {proven} were proven"),
        ),
    }
}

/// `firedrill plan` with a target file that declares them.
fn plan() -> Row {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("hundred.target.yaml");
    let text = format!(
        "version: 1\ndocker:\n  drillable: true\n  nodes: {{ label: \"{LABEL}\", count: {CONTAINERS} }}\n  \
         roles: [ sql ]\n  endpoints: {{ writer: {{ url: \"postgresql://u@127.0.0.1:1/d\" }} }}\n  failover: promote\n  \
         rejoin: automatic\nidentities: {{ act: {{ user: a, password: {{ env: FIREDRILL_PASSWORD }} }}, observe: {{ user: o, password: {{ env: FIREDRILL_PASSWORD }} }} }}\n"
    );
    std::fs::write(&target, text).expect("a file");
    let times = (0..TURNS).map(|_| {
        let (took, output) = timed(|| run_plan(&target));
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        took
    });
    let took: Duration = median(times.collect());
    let what = format!("`firedrill plan standby-crash` over {CONTAINERS} containers");
    let shown = format!("{:.1} ms", ms(took));
    Row::at_most(&what, ms(took), PLAN_MS, &shown, "300 ms")
}

fn run_plan(target: &Path) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_firedrill"))
        .args(["plan", "standby-crash", "--target"])
        .arg(target)
        .stdin(Stdio::null())
        .output()
        .expect("the program runs")
}

/// The containers, removed when dropped.
struct Containers {
    ids: Vec<String>,
    failed: Option<String>,
}

impl Containers {
    fn make(image: &str) -> Self {
        remove();
        let mut made = Self {
            ids: Vec::new(),
            failed: None,
        };
        for number in 1..=CONTAINERS {
            let name = format!("firedrill-bench-{number}");
            let policy = "--restart=unless-stopped";
            let run = [
                "run",
                "--detach",
                "--label",
                LABEL,
                "--network=none",
                policy,
                "--name",
                &name,
                image,
                "sleep",
                "900",
            ];
            match docker(&run) {
                Ok(id) => made.ids.push(id),
                Err(why) => {
                    made.failed = Some(why);
                    break;
                }
            }
        }
        made
    }

    /// How they were found, as the journal of a run has it.
    fn facts(&self) -> Result<Facts, String> {
        if let Some(why) = &self.failed {
            return Err(why.clone());
        }
        let node = |(number, id): (usize, &String)| {
            json!({
                "name": name(number + 1), "id": id, "container": format!("firedrill-bench-{}", number + 1),
                "member": "", "policy": { "name": "unless-stopped", "retries": 0 }, "networks": {}
            })
        };
        let nodes: Vec<_> = self.ids.iter().enumerate().map(node).collect();
        let facts = json!({
            "engine": { "socket": socket()? }, "engine_id": docker(&["info", "--format", "{{.ID}}"])?,
            "nodes": nodes, "networks": null, "stack": "plain", "patroni_port": 1, "port": 1, "lock": "firedrill-bench-lock"
        });
        serde_json::from_value(facts).map_err(|error| error.to_string())
    }

    /// When each ended, by the engine's own clock.
    fn ended(&self) -> Vec<jiff::Timestamp> {
        let mut arguments = vec![
            "inspect",
            "--format",
            "{{.State.Running}} {{.State.FinishedAt}}",
        ];
        arguments.extend(self.ids.iter().map(String::as_str));
        let said = docker(&arguments).unwrap_or_default();
        let ended = said.lines().filter_map(|line| line.strip_prefix("false "));
        ended.filter_map(|time| time.parse().ok()).collect()
    }

    /// Milliseconds between the end of the first and of the last; `None` where not all have ended.
    fn apart(&self) -> Option<f64> {
        let mut ended = self.ended();
        ended.sort_unstable();
        let (first, last) = (ended.first()?, ended.last()?);
        (ended.len() == CONTAINERS).then(|| ms(last.duration_since(*first).unsigned_abs()))
    }
}

impl Drop for Containers {
    fn drop(&mut self) {
        remove();
    }
}

fn remove() {
    let label = format!("label={LABEL}");
    let Ok(ids) = docker(&["ps", "--all", "--quiet", "--filter", &label]) else {
        return;
    };
    let ids: Vec<&str> = ids.split_whitespace().collect();
    if !ids.is_empty() {
        let _ = docker(&[&["rm", "--force"], ids.as_slice()].concat());
    }
}

/// Where the engine listens that `docker` talks to.
fn socket() -> Result<String, String> {
    let host = docker(&[
        "context",
        "inspect",
        "--format",
        "{{.Endpoints.docker.Host}}",
    ])?;
    let socket = std::env::var("DOCKER_HOST").unwrap_or(host);
    match socket.strip_prefix("unix://") {
        Some(path) => Ok(path.to_owned()),
        None => Err(format!("{socket} is no socket of this machine")),
    }
}

/// One that needs no network to be had.
fn image() -> Option<String> {
    let wanted = std::env::var("FIREDRILL_BENCH_IMAGE");
    let image = wanted.unwrap_or_else(|_| "debian:bookworm-slim".to_owned());
    docker(&["image", "inspect", "--format", "{{.Id}}", &image]).ok()?;
    Some(image)
}

fn docker(arguments: &[&str]) -> Result<String, String> {
    let said = Command::new("docker")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("docker: {error}"))?;
    match said.status.success() {
        true => Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned()),
        false => Err(String::from_utf8_lossy(&said.stderr).trim().to_owned()),
    }
}
