//! A hundred small containers, made for a measurement and removed after it.

use crate::machine::ms;
use firedrill::target::docker::Facts;
use serde_json::json;
use std::process::{Command, Stdio};

/// How many.
pub const CONTAINERS: usize = 100;
/// The label by which they are found, and removed.
pub const LABEL: &str = "firedrill-bench=fan-out";
/// Without it no plan names them.
const DRILLABLE: &str = "firedrill/drillable=true";

/// The name of one of them as a node, counted from 1.
pub fn name(number: usize) -> String {
    format!("node-{number}")
}

/// What runs in the containers.
#[derive(Clone, Copy)]
pub enum Kind {
    /// `sleep`, on no network.
    Sleeping,
    /// Something that answers like Patroni of the first node as the primary, or of another as its standby.
    Answering,
}

impl Kind {
    /// What `docker run` is told of node `number`.
    fn words(self, number: usize) -> Vec<String> {
        match self {
            Self::Sleeping => vec!["--network=none".to_owned()],
            Self::Answering => {
                let position = match number {
                    1 => "\"role\":\"primary\",\"xlog\":{\"location\":1000}",
                    _ => {
                        "\"role\":\"replica\",\"replication_state\":\"streaming\",\"xlog\":{\"received_location\":1000,\"replayed_location\":1000}"
                    }
                };
                let node = format!(
                    "{{\"state\":\"running\",\"server_version\":150018,\"timeline\":1,{position},\"patroni\":\
                     {{\"version\":\"4.1.5\",\"scope\":\"bench\",\"name\":\"{}\"}}}}",
                    name(number)
                );
                vec!["--env".to_owned(), format!("NODE={node}")]
            }
        }
    }

    fn command(self) -> Vec<&'static str> {
        match self {
            Self::Sleeping => vec!["sleep", "900"],
            Self::Answering => vec![
                "timeout",
                "900",
                "perl",
                "-MIO::Socket::INET",
                "-e",
                ANSWERS,
            ],
        }
    }
}

/// The port of what answers.
pub const PORT: u16 = 8008;
/// One answer after the other, for `/patroni` and for `/config`. perl, because Debian's smallest image has it.
const ANSWERS: &str = r#"$s = IO::Socket::INET->new(LocalPort => 8008, Listen => 64, ReuseAddr => 1) or die;
while ($c = $s->accept) {
    $asked = <$c>;
    while (defined($line = <$c>) && $line =~ /\S/) {}
    $body = $asked =~ m{/config} ? '{"ttl":30,"loop_wait":10,"retry_timeout":10}' : $ENV{NODE};
    print $c "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: " . length($body) . "\r\n\r\n" . $body;
    close $c;
}"#;

/// The containers, removed when dropped.
pub struct Containers {
    /// Their ids.
    pub ids: Vec<String>,
    /// Why there are fewer.
    pub failed: Option<String>,
}

impl Containers {
    pub fn make(image: &str, kind: Kind) -> Self {
        remove();
        let mut made = Self {
            ids: Vec::new(),
            failed: None,
        };
        for number in 1..=CONTAINERS {
            let name = format!("firedrill-bench-{number}");
            let words = kind.words(number);
            let mut run = vec!["run", "--detach", "--label", LABEL, "--label", DRILLABLE];
            run.extend(["--restart=unless-stopped", "--name", &name]);
            run.extend(words.iter().map(String::as_str));
            run.push(image);
            run.extend(kind.command());
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
    pub fn facts(&self) -> Result<Facts, String> {
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
    pub fn apart(&self) -> Option<f64> {
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
pub fn image() -> Option<String> {
    let wanted = std::env::var("FIREDRILL_BENCH_IMAGE");
    let image = wanted.unwrap_or_else(|_| "debian:bookworm-slim".to_owned());
    docker(&["image", "inspect", "--format", "{{.Id}}", &image]).ok()?;
    Some(image)
}

pub fn docker(arguments: &[&str]) -> Result<String, String> {
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
