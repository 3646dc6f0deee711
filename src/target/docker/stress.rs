//! Processes beside a node's server that take its CPU time, or write to its disk.
//!
//! They are started by the engine in the node's own container (`docker exec`): only there do they count in its control
//! group and share its limits, which a container beside it would not. They are a few lines of the shell that is in the
//! image anyway, so that no file is put into it; each ends by itself after its time, by the clock of the machine, whoever
//! else has died. The last word of each is the mark by which it is found again and told from anybody else's.

use super::docker_target::{DockerTarget, Node};
use super::processes::Process;
use crate::target::{
    Pressed, PressureSeen, ProcessId, ProcessSignal, Processes as _, TargetError, Weight,
};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long the shell may take.
const LIMIT: Duration = Duration::from_secs(5);
/// How long processes may take to end that were killed: one that waits for its disk ends when that has answered.
const ENDS: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);

/// How every script here begins: the title of its process does.
const BEGINS: &str = "sh-c: firedrill stress;";
/// The title of what the second of them starts.
const WRITES: &str = "ddif=/dev/zero";

/// Counts until its time is over. Arguments: seconds, mark.
const CPU: &str = ": firedrill stress; read -r up r < /proc/uptime; end=$((${up%%.*} + $1)); \
     while read -r up r < /proc/uptime && [ \"${up%%.*}\" -lt \"$end\" ]; do \
     i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done; done";

/// Writes a file of 64 MiB over and over, each time until it is on the disk. Arguments: seconds, the file.
const IO: &str = ": firedrill stress; read -r up r < /proc/uptime; end=$((${up%%.*} + $1)); \
     while read -r up r < /proc/uptime && [ \"${up%%.*}\" -lt \"$end\" ] && \
     dd if=/dev/zero of=\"$2\" bs=1048576 count=64 conv=notrunc,fsync 2>/dev/null; do :; done; rm -f \"$2\"";

/// What each of its processes has sent to storage, those that have ended below it included.
const WRITTEN: &str = "for p in \"$@\"; do { while read -r k n; do \
     case $k in write_bytes:) echo \"$n\";; esac; done < /proc/$p/io; } 2>/dev/null; done; true";

/// Which CPUs a process here may use, and how much of them: by the second version of control groups, and by the first.
const CPUS: &str = "while read -r k n; do case $k in Cpus_allowed_list:) echo \"list $n\";; esac; done \
     < /proc/self/status; \
     { read -r q p < /sys/fs/cgroup/cpu.max; } 2>/dev/null && echo \"quota $q $p\"; \
     { read -r q < /sys/fs/cgroup/cpu/cpu.cfs_quota_us; } 2>/dev/null && \
     { read -r p < /sys/fs/cgroup/cpu/cpu.cfs_period_us; } 2>/dev/null && echo \"quota $q $p\"; true";

/// The size of the file that one process writes.
pub(super) const FILE: u64 = 64 << 20;

/// How many CPUs these lines allow, a part of one counted as one; `None` where they do not say.
fn cpus(said: &str) -> Option<u32> {
    let list = said.lines().find_map(|line| line.strip_prefix("list "))?;
    let mut all = 0;
    for range in list.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.parse::<u32>().ok()?, last.parse::<u32>().ok()?);
        all += last.checked_sub(first)? + 1;
    }
    let quota = said.lines().find_map(|line| {
        let (quota, period) = line.strip_prefix("quota ")?.split_once(' ')?;
        // No limit is "max", or -1.
        let (quota, period) = (quota.parse::<u32>().ok()?, period.parse::<u32>().ok()?);
        (period > 0).then(|| quota.div_ceil(period).max(1))
    });
    Some(all.min(quota.unwrap_or(all)))
}

/// Whether a process is one that presses by this mark.
fn is_of(process: &Process, mark: &str) -> bool {
    let ours = process.title.starts_with(BEGINS) || process.title.starts_with(WRITES);
    // The dot ends the mark: the first of a run is no part of the tenth.
    ours && !matches!(process.state, 'Z' | 'X') && process.title.contains(&format!("{mark}."))
}

impl DockerTarget {
    /// How many CPUs the processes of a node may use at the same time.
    ///
    /// # Errors
    /// When it is not told.
    pub(super) async fn cpus_of(&self, node: &Node) -> Result<u32, TargetError> {
        let what = || format!("count the CPUs of {}", node.facts.name);
        let asked = self
            .engine
            .exec(&node.facts.id, &["sh", "-c", CPUS], LIMIT)
            .await;
        let (said, _) = asked.map_err(|error| TargetError::new(what(), error))?;
        cpus(&said).ok_or_else(|| TargetError::new(what(), format!("it is not told: {said:?}")))
    }

    /// Starts what presses on a node.
    ///
    /// # Errors
    /// When one could not be started; others may have been.
    pub(super) async fn start_stress(
        &self,
        node: &Node,
        pressed: &Pressed,
    ) -> Result<(), TargetError> {
        let (script, workers, seconds) = match pressed.weight {
            Weight::Cpu { workers, seconds } => (CPU, workers, seconds),
            Weight::Io { workers, seconds } => (IO, workers, seconds),
            Weight::Fill { .. } | Weight::Clock { .. } => return Ok(()),
        };
        let user = match &pressed.spot {
            Some(spot) => format!("{}:{}", spot.user.0, spot.user.1),
            // It needs no rights at all.
            None => "65534:65534".to_owned(),
        };
        let seconds = seconds.to_string();
        let files = pressed.files();
        for number in 1..=workers {
            let word = match &files {
                Some(files) => format!("{files}{number}.io"),
                None => format!("{}.{number}", pressed.mark),
            };
            let command = ["sh", "-c", script, "sh", &seconds, &word];
            let started = self.engine.start_beside(&user, &node.facts.id, &command);
            started.await.map_err(|error| {
                TargetError::new(format!("start a process in {}", node.facts.name), error)
            })?;
        }
        Ok(())
    }

    /// The processes of a mark; none where the node does not run.
    async fn marked(&self, node: &Node, mark: &str) -> Result<Vec<Process>, TargetError> {
        let now = self.look_at(node).await?;
        if !now.running {
            return Ok(Vec::new());
        }
        if now.paused {
            let what = format!("list the processes of {}", node.facts.name);
            return Err(TargetError::new(what, "its container is paused"));
        }
        let mut all = self.list(node).await?;
        all.retain(|process| is_of(process, mark));
        Ok(all)
    }

    /// What of it is there.
    ///
    /// # Errors
    /// When it cannot be told.
    pub(super) async fn stress_seen(
        &self,
        node: &Node,
        pressed: &Pressed,
    ) -> Result<PressureSeen, TargetError> {
        let found = self.marked(node, &pressed.mark).await?;
        let ticks: u64 = found.iter().map(|process| process.ticks).sum();
        let mut seen = PressureSeen {
            cpu: Duration::from_millis(ticks * 10),
            ..PressureSeen::default()
        };
        for process in &found {
            seen.workers += u32::from(process.title.starts_with(BEGINS));
        }
        if let (Weight::Io { .. }, Some(spot)) = (pressed.weight, &pressed.spot) {
            let mut command = vec!["sh".to_owned(), "-c".to_owned(), WRITTEN.to_owned()];
            command.push("sh".to_owned());
            command.extend(found.iter().map(|process| process.id.pid.to_string()));
            let command: Vec<&str> = command.iter().map(String::as_str).collect();
            // As that user: what a process has written is told to nobody else but a real root.
            let user = format!("{}:{}", spot.user.0, spot.user.1);
            let asked = self
                .engine
                .exec_as(&user, &node.facts.id, &command, LIMIT)
                .await;
            let (said, _) = asked.map_err(|error| {
                let what = format!("see what is written in {}", node.facts.name);
                TargetError::new(what, error)
            })?;
            let numbers = said
                .lines()
                .filter_map(|line| line.trim().parse::<u64>().ok());
            seen.written = numbers.sum();
        }
        Ok(seen)
    }

    /// Ends the processes of a mark and waits until they are gone.
    ///
    /// # Errors
    /// When one stays.
    pub(super) async fn end_stress(&self, node: &Node, mark: &str) -> Result<(), TargetError> {
        let begun = Instant::now();
        loop {
            let found = self.marked(node, mark).await?;
            if found.is_empty() {
                return Ok(());
            }
            if begun.elapsed() >= ENDS {
                return Err(TargetError::new(
                    format!("end what presses on {}", node.facts.name),
                    format!("{} processes do not end", found.len()),
                ));
            }
            // Again and again: one may have been started just before the one that started it was killed.
            let ids: Vec<ProcessId> = found.iter().map(|process| process.id).collect();
            self.signal(&node.facts.name, &ids, ProcessSignal::Kill)
                .await?;
            sleep(PAUSE).await;
        }
    }

    /// How many processes of a mark live.
    ///
    /// # Errors
    /// When it cannot be told.
    pub(super) async fn stress_left(&self, node: &Node, mark: &str) -> Result<usize, TargetError> {
        Ok(self.marked(node, mark).await?.len())
    }
}

#[cfg(test)]
mod tests {
    use super::super::processes::parse;
    use super::*;

    #[test]
    fn cpus_are_those_that_may_be_used() {
        assert_eq!(cpus("list 0-1\nquota max 100000\n"), Some(2));
        assert_eq!(cpus("list 0-3,8,10-11\n"), Some(7));
        assert_eq!(cpus("list 0-7\nquota 150000 100000\n"), Some(2));
        assert_eq!(cpus("list 0-7\nquota 10000 100000\n"), Some(1));
        assert_eq!(cpus("list 0-7\nquota -1 100000\n"), Some(8));
        assert_eq!(cpus("quota max 100000\n"), None);
        assert_eq!(cpus("list all\n"), None);
    }

    #[test]
    fn only_what_carries_the_whole_mark_is_ended() {
        let process = |state: char, title: &str| {
            let zeros = "0 ".repeat(22 - 3 - 2);
            parse(&format!("7 (sh) {state} 1 {zeros}100 1 2\t{title}")).unwrap()
        };
        let of = |state, title: &str| is_of(&process(state, title), "firedrill-r-1");
        let script = CPU.replace('\\', "");
        assert!(of('R', &format!("sh-c{script}sh60firedrill-r-1.2")));
        assert!(of('D', &format!("sh-c{IO}sh60/data/firedrill-r-1.1.io")));
        assert!(of(
            'D',
            "ddif=/dev/zeroof=/data/firedrill-r-1.1.iobs=1048576"
        ));
        assert!(!of('R', &format!("sh-c{script}sh60firedrill-r-10.2")));
        assert!(!of('R', &format!("sh-c{script}sh60firedrill-r-2.1")));
        assert!(!of('Z', &format!("sh-c{script}sh60firedrill-r-1.2")));
        // Whoever only names the file.
        assert!(!of('S', "less/data/firedrill-r-1.1.io"));
    }
}
