//! What a run may not leave behind.

use super::Firedrill;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a watchdog may need.
const LIMIT: Duration = Duration::from_secs(30);

impl Firedrill {
    /// The folder of the only run in its home.
    pub fn only_run(&self) -> PathBuf {
        let runs = self.home().join("state/firedrill/runs");
        let mut found: Vec<_> = folders(&runs);
        assert_eq!(found.len(), 1, "runs in {}: {found:?}", runs.display());
        found.remove(0)
    }

    /// Kills the watchdog of its only run.
    pub fn kill_watchdog(&self) {
        let watchdogs: Vec<i32> = processes(self.home())
            .iter()
            .filter(|line| line.contains("watchdog --run-folder"))
            .filter_map(|line| line.split(' ').nth(1)?.parse().ok())
            .collect();
        assert_eq!(watchdogs.len(), 1, "{watchdogs:?}");
        kill(Pid::from_raw(watchdogs[0]), Signal::SIGKILL).expect("the watchdog");
    }

    /// Waits until a file of the only run holds at least `lines` lines that contain `text`, polling fast
    /// enough to act before the next one. `None` when the program ended before.
    pub fn lines_reached(
        &self,
        file: &str,
        text: &str,
        lines: usize,
        still_running: &mut dyn FnMut() -> bool,
    ) -> Option<PathBuf> {
        let runs = self.home().join("state/firedrill/runs");
        Self::lines_reached_in(&runs, file, text, lines, still_running)
    }

    /// The same in another folder of runs.
    pub fn lines_reached_in(
        runs: &Path,
        file: &str,
        text: &str,
        lines: usize,
        still_running: &mut dyn FnMut() -> bool,
    ) -> Option<PathBuf> {
        loop {
            let runs = folders(runs);
            if let Some(run) = runs.first() {
                let said = std::fs::read_to_string(run.join(file)).unwrap_or_default();
                if said.lines().filter(|line| line.contains(text)).count() >= lines {
                    return Some(run.clone());
                }
            }
            if !still_running() {
                return None;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until nothing is left behind: no process that works in or is told of its home, no cluster
    /// folder, no open journal. Panics with what is left otherwise.
    pub fn nothing_left(&self) {
        let clock = firedrill::clock::Clock::start();
        loop {
            let left = self.left();
            if left.is_empty() {
                return;
            }
            assert!(
                clock.now().since(firedrill::event::Stamp(0)) < LIMIT,
                "left behind:\n{}",
                left.join("\n")
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn left(&self) -> Vec<String> {
        let mut left = processes(self.home());
        for folder in folders(&self.home().join("tmp")) {
            left.push(format!("folder {}", folder.display()));
        }
        for run in folders(&self.home().join("state/firedrill/runs")) {
            let journal = std::fs::read_to_string(run.join("undo.journal")).unwrap_or_default();
            if !journal.is_empty() && !journal.lines().last().is_some_and(|l| l.contains("closed"))
            {
                left.push(format!("open journal in {}:\n{journal}", run.display()));
            }
        }
        for entry in files(&self.home().join("state/firedrill/open")) {
            left.push(format!("registered as open: {}", entry.display()));
        }
        left
    }
}

/// Living processes, zombies not counted, that work below `home` or name it in their arguments.
pub fn processes(home: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        if pid == std::process::id() {
            continue;
        }
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let state = stat
            .rsplit(')')
            .next()
            .and_then(|rest| rest.trim().chars().next());
        if matches!(state, None | Some('Z' | 'X')) {
            continue;
        }
        let cwd = std::fs::read_link(entry.path().join("cwd")).unwrap_or_default();
        let arguments = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
        if cwd.starts_with(home) || arguments.contains(&*home.to_string_lossy()) {
            found.push(format!("process {pid} {state:?} {arguments}"));
        }
    }
    found
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    found
}

fn files(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}
