//! The processes inside a container, listed and signalled by a few lines of shell in it: the same for an engine
//! on another machine, and with the numbers that the container itself gives them. A whole node is frozen by the
//! engine, which stops everything in it at once.

use super::client::Engine;
use super::docker_target::{DockerTarget, Node};
use super::shell;
use crate::target::{
    ProcessId, ProcessScope, ProcessSignal, ProcessState, Processes, Stillness, TargetError,
};
use async_trait::async_trait;
use std::time::Duration;

/// How long a container that has ended may be said to run.
const ENDS: Duration = Duration::from_secs(1);
/// How long the shell may take.
const LIMIT: Duration = Duration::from_secs(5);

/// One line for each process but its own: `/proc/PID/stat`, a tab, the title. A process may end meanwhile.
const LIST: &str = "for d in /proc/[0-9]*; do \
     [ \"$d\" = \"/proc/$$\" ] && continue; \
     { IFS= read -r s < $d/stat; } 2>/dev/null || continue; \
     c=; { IFS= read -r c < $d/cmdline; } 2>/dev/null; \
     printf '%s\\t%s\\n' \"$s\" \"$c\"; \
     done; true";

/// Signals by number; one that is gone is no error.
const SIGNAL: &str =
    "s=$1; shift; for p in \"$@\"; do kill -s \"$s\" \"$p\" 2>/dev/null; done; true";

/// A process of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) id: ProcessId,
    parent: i32,
    /// The program's name.
    name: String,
    /// State, as `/proc` says it: `T` stands still, `Z` is a zombie.
    pub(super) state: char,
    /// CPU time that it has taken itself, in hundredths of a second: what the kernel calls ticks, on every machine.
    pub(super) ticks: u64,
    /// Its title: PostgreSQL's processes say there what they do.
    pub(super) title: String,
}

/// Whether the shell in a container can signal what runs there.
pub(super) async fn can_signal(engine: &Engine, container: &str) -> bool {
    let asked = engine
        .exec(container, &["sh", "-c", "kill -s 0 1"], LIMIT)
        .await;
    matches!(asked, Ok((_, 0)))
}

impl DockerTarget {
    /// All processes of a container that runs and is not paused.
    pub(super) async fn list(&self, node: &Node) -> Result<Vec<Process>, TargetError> {
        let listed = self
            .engine
            .exec(&node.facts.id, &["sh", "-c", LIST], LIMIT)
            .await;
        match listed {
            // Where PostgreSQL is all that runs in it, it ends with PostgreSQL, and is told to run a moment longer.
            Ok((_, code)) if code != 0 && self.ends(node).await? => Ok(Vec::new()),
            // It may have ended in between.
            Err(_) if !self.look_at(node).await?.running => Ok(Vec::new()),
            answer => {
                let what = format!("list the processes of {}", node.facts.name);
                let text = shell::said(what, answer)?;
                Ok(text.lines().filter_map(parse).collect())
            }
        }
    }

    /// Whether a container is about to end: it is given a moment to be seen to have.
    async fn ends(&self, node: &Node) -> Result<bool, TargetError> {
        let begun = tokio::time::Instant::now();
        while self.look_at(node).await?.running {
            if begun.elapsed() >= ENDS {
                return Ok(false);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(true)
    }

    /// Signals processes by the signal's name.
    pub(super) async fn signal_by_name(
        &self,
        node: &Node,
        processes: &[ProcessId],
        signal: &str,
    ) -> Result<(), TargetError> {
        if processes.is_empty() {
            return Ok(());
        }
        let numbers: Vec<String> = processes.iter().map(|each| each.pid.to_string()).collect();
        let mut command = vec!["sh", "-c", SIGNAL, "sh", signal];
        command.extend(numbers.iter().map(String::as_str));
        match self.engine.exec(&node.facts.id, &command, LIMIT).await {
            Err(_) if !self.look_at(node).await?.running => Ok(()),
            answer => {
                let what = format!("signal processes of {}", node.facts.name);
                shell::said(what, answer).map(|_| ())
            }
        }
    }
}

/// Reads one line of the list; `None` for what is none.
pub(super) fn parse(line: &str) -> Option<Process> {
    let (stat, title) = line.split_once('\t')?;
    // The name stands in brackets and may hold spaces and brackets itself.
    let (head, rest) = stat.rsplit_once(')')?;
    let (pid, name) = head.split_once('(')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    Some(Process {
        id: ProcessId {
            pid: pid.trim().parse().ok()?,
            // Field 22 of the file; what follows the name is field 3.
            started: fields.get(22 - 3)?.parse().ok()?,
        },
        parent: fields.get(1)?.parse().ok()?,
        name: name.to_owned(),
        state: fields.first()?.chars().next()?,
        // Fields 14 and 15: in its own code, and in the kernel for it.
        ticks: fields.get(14 - 3)?.parse::<u64>().ok()?
            + fields.get(15 - 3)?.parse::<u64>().ok()?,
        title: title.trim_end().to_owned(),
    })
}

/// Those of a scope, oldest first; `probe` is the role whose sessions may be hit.
fn of_scope(processes: &[Process], scope: ProcessScope, probe: &str) -> Vec<ProcessId> {
    let server = |process: &Process| matches!(process.name.as_str(), "postgres" | "postmaster");
    let of_server = |number: i32| {
        processes
            .iter()
            .any(|each| each.id.pid == number && server(each))
    };
    let living = processes.iter().filter(|process| process.state != 'Z');
    let mut found: Vec<&Process> = living
        .filter(|process| match scope {
            ProcessScope::All => true,
            ProcessScope::Postmaster => server(process) && !of_server(process.parent),
            ProcessScope::WalReceiver => server(process) && process.title.contains(": walreceiver"),
            ProcessScope::Agent => is_agent(process),
            // "postgres: [CLUSTER: ]USER DATABASE HOST(PORT) …"
            ProcessScope::OneBackend => {
                server(process)
                    && !probe.is_empty()
                    && process.title.contains(&format!(": {probe} "))
            }
        })
        .collect();
    found.sort_by_key(|process| process.id.started);
    if scope == ProcessScope::OneBackend {
        found.truncate(1);
    }
    found.into_iter().map(|process| process.id).collect()
}

/// Whether it is Patroni: a script, so that its name is the script's, or Python's with the script as first word.
fn is_agent(process: &Process) -> bool {
    process.name == "patroni"
        || (process.name.starts_with("python") && process.title.contains("/patroni"))
}

fn state_of(processes: &[Process], wanted: ProcessId) -> ProcessState {
    match processes.iter().find(|process| process.id == wanted) {
        None => ProcessState::Gone,
        Some(process) => match process.state {
            'Z' | 'X' => ProcessState::Gone,
            'T' | 't' => ProcessState::Frozen,
            _ => ProcessState::Alive,
        },
    }
}

#[async_trait]
impl Processes for DockerTarget {
    async fn freeze(&self, node: &str, scope: ProcessScope) -> Result<(), TargetError> {
        let found = self.node(node)?;
        if scope != ProcessScope::All {
            let processes = self.find(node, scope).await?;
            return self.signal(node, &processes, ProcessSignal::Freeze).await;
        }
        let _alone = found.operation.lock().await;
        if self.look_at(found).await?.paused {
            return Ok(());
        }
        let paused = self.engine.pause(&found.facts.id).await;
        paused.map_err(|error| TargetError::new(format!("freeze {node}"), error))
    }

    async fn thaw(&self, node: &str) -> Result<(), TargetError> {
        let found = self.node(node)?;
        let _alone = found.operation.lock().await;
        let container = self.look_at(found).await?;
        if container.paused {
            let thawed = self.engine.unpause(&found.facts.id).await;
            thawed.map_err(|error| TargetError::new(format!("thaw {node}"), error))?;
        }
        if container.running {
            let processes = self.list(found).await?;
            let still: Vec<ProcessId> = processes
                .iter()
                .filter(|process| matches!(process.state, 'T' | 't'))
                .map(|process| process.id)
                .collect();
            self.signal_by_name(found, &still, "CONT").await?;
        }
        self.rearm_if_up(found, &container).await
    }

    async fn stillness(&self, node: &str, scope: ProcessScope) -> Result<Stillness, TargetError> {
        let found = self.node(node)?;
        let container = self.look_at(found).await?;
        if !container.running {
            return Ok(Stillness::default());
        }
        if container.paused {
            // Nothing in it can be asked; the engine's machine counts them.
            let still = self.engine.living(&found.facts.id).await.unwrap_or(1);
            return Ok(Stillness { still, moving: 0 });
        }
        let processes = self.list(found).await?;
        let ids = of_scope(&processes, scope, self.probe_role());
        let count = |wanted| {
            ids.iter()
                .filter(|id| state_of(&processes, **id) == wanted)
                .count()
        };
        Ok(Stillness {
            still: count(ProcessState::Frozen),
            moving: count(ProcessState::Alive),
        })
    }

    async fn find(&self, node: &str, scope: ProcessScope) -> Result<Vec<ProcessId>, TargetError> {
        let found = self.node(node)?;
        let container = self.look_at(found).await?;
        if container.paused {
            let what = format!("list the processes of {node}");
            return Err(TargetError::new(what, "its container is paused"));
        }
        if !container.running {
            return Ok(Vec::new());
        }
        Ok(of_scope(&self.list(found).await?, scope, self.probe_role()))
    }

    async fn signal(
        &self,
        node: &str,
        processes: &[ProcessId],
        signal: ProcessSignal,
    ) -> Result<(), TargetError> {
        let found = self.node(node)?;
        let name = match signal {
            ProcessSignal::Freeze => "STOP",
            ProcessSignal::Thaw => "CONT",
            ProcessSignal::Kill => "KILL",
        };
        // A number that was given to another process since is not signalled.
        let now = self.list(found).await?;
        let same: Vec<ProcessId> = processes
            .iter()
            .copied()
            .filter(|id| now.iter().any(|process| process.id == *id))
            .collect();
        self.signal_by_name(found, &same, name).await
    }

    async fn states(
        &self,
        node: &str,
        processes: &[ProcessId],
    ) -> Result<Vec<ProcessState>, TargetError> {
        let found = self.node(node)?;
        let container = self.look_at(found).await?;
        if container.paused {
            return Ok(vec![ProcessState::Frozen; processes.len()]);
        }
        if !container.running {
            return Ok(vec![ProcessState::Gone; processes.len()]);
        }
        let now = self.list(found).await?;
        Ok(processes.iter().map(|id| state_of(&now, *id)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(pid: i32, name: &str, state: char, parent: i32, started: u64, title: &str) -> String {
        let zeros = "0 ".repeat(22 - 3 - 2);
        format!("{pid} ({name}) {state} {parent} {zeros}{started} 1 2 3\t{title}")
    }

    fn container() -> Vec<Process> {
        let text = [
            line(1, "patroni", 'S', 0, 100, "python3 /usr/bin/patroni"),
            line(
                20,
                "postgres",
                'S',
                1,
                200,
                "/usr/lib/postgresql/15/bin/postgres -D /data",
            ),
            line(
                21,
                "postgres",
                'S',
                20,
                210,
                "postgres: demo: walreceiver streaming 0/5000060",
            ),
            line(
                30,
                "postgres",
                'S',
                20,
                320,
                "postgres: demo: firedrill firedrill 10.0.0.1(4000) idle",
            ),
            line(
                29,
                "postgres",
                'T',
                20,
                300,
                "postgres: demo: firedrill firedrill 10.0.0.1(3999) idle",
            ),
            line(
                31,
                "postgres",
                'S',
                20,
                330,
                "postgres: demo: firedrill_act firedrill 10.0.0.1(4) idle",
            ),
            line(40, "a (b) c", 'Z', 1, 400, ""),
        ];
        text.iter().filter_map(|line| parse(line)).collect()
    }

    #[test]
    fn scopes_find_what_they_name() {
        let all = container();
        assert_eq!(all.len(), 7);
        assert_eq!(all[6].name, "a (b) c");
        let pids = |scope| {
            let found = of_scope(&all, scope, "firedrill");
            found.into_iter().map(|id| id.pid).collect::<Vec<_>>()
        };
        assert_eq!(pids(ProcessScope::Postmaster), [20]);
        assert_eq!(pids(ProcessScope::WalReceiver), [21]);
        assert_eq!(pids(ProcessScope::Agent), [1]);
        // The oldest of the probe's own, and none of firedrill's other roles.
        assert_eq!(pids(ProcessScope::OneBackend), [29]);
        assert_eq!(pids(ProcessScope::All).len(), 6, "a zombie does not live");
        assert_eq!(of_scope(&all, ProcessScope::OneBackend, ""), []);
    }

    #[test]
    fn a_zombie_and_a_number_used_again_are_gone() {
        let all = container();
        assert_eq!(state_of(&all, all[4].id), ProcessState::Frozen);
        assert_eq!(state_of(&all, all[1].id), ProcessState::Alive);
        assert_eq!(state_of(&all, all[6].id), ProcessState::Gone);
        let reused = ProcessId {
            started: 999,
            ..all[1].id
        };
        assert_eq!(state_of(&all, reused), ProcessState::Gone);
    }

    #[test]
    fn what_is_no_process_is_passed_over() {
        for line in ["", "no tab", "1 (x) S\t", "x (y) S 1 2\tz"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
