//! One fault on a hundred small containers: how far apart the first and the last are hit, and what a plan over them
//! takes. It makes its own containers and removes them; nothing runs in them but `sleep`, or what answers like Patroni.

use crate::fleet::{CONTAINERS, Containers, Kind, LABEL, PORT, docker, image, name};
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
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const APART_MS: f64 = 1000.0;
const PLAN_MS: f64 = 300.0;
const TURNS: usize = 5;

pub fn measure() -> Vec<Row> {
    let what = format!("one fault on {CONTAINERS} containers, the first to the last");
    let skipped = |why: &str| vec![Row::skipped(&what, "1 s", why)];
    let Some(image) = image() else {
        return skipped(
            "no container engine with an image that has sleep: docker pull debian:bookworm-slim",
        );
    };
    let mut rows = vec![plan(&image)];
    let made = Containers::make(&image, Kind::Sleeping);
    let facts = match made.facts() {
        Ok(facts) => facts,
        Err(why) => {
            rows.extend(skipped(&why));
            return rows;
        }
    };
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
    let made = Containers::make(image, Kind::Sleeping);
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

/// `firedrill plan` over as many nodes, each of which is asked for its role, by what answers like Patroni.
fn plan(image: &str) -> Row {
    let what =
        format!("`firedrill plan standby-crash` over {CONTAINERS} nodes, each asked for its role");
    let made = Containers::make(image, Kind::Answering);
    if let Some(why) = &made.failed {
        return Row::skipped(&what, "300 ms", why);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("hundred.target.yaml");
    let text = format!(
        "version: 1\ndocker:\n  drillable: true\n  nodes: {{ label: \"{LABEL}\", count: {CONTAINERS} }}\n  \
         roles: [ {{ patroni: {{ port: {PORT} }} }} ]\n  \
         endpoints: {{ writer: {{ url: \"postgresql://u@127.0.0.1:1/d\" }} }}\n  failover: automatic\n  \
         rejoin: automatic\n"
    );
    std::fs::write(&target, text).expect("a file");
    let mut said = String::new();
    let times = (0..TURNS).map(|_| {
        let (took, output) = timed(|| run_plan(&target));
        said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        took
    });
    let took: Duration = median(times.collect());
    let told = ["(primary)", "(standby)"].map(|role| said.matches(role).count());
    if told != [1, CONTAINERS - 1] {
        let why = format!(
            "one primary and {} standbys were not seen: {said}",
            CONTAINERS - 1
        );
        return Row::skipped(&what, "300 ms", &why);
    }
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
