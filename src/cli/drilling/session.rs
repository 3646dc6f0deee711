//! What a run holds open from its first moment: its folder, its journal with the right to undo, the
//! watchdog, and the cluster.

use super::kind::Settings;
use crate::cli::failure::Failure;
use crate::cli::kinds::KINDS;
use crate::clock::Clock;
use crate::executor::run_folder::RunFolder;
#[cfg(feature = "docker")]
use crate::target::docker::{Candidates, DockerSettings, DockerTarget, Facts, Found};
use crate::target::local::{LocalTarget, Progress};
use crate::target::simulated::SimulatedTarget;
use crate::target::{Target, TargetError};
use crate::undo::journal::{How, Journal, Opened};
use crate::undo::journal_owner::JournalOwner;
use crate::undo::open_runs::Registry;
use crate::undo::recover;
use crate::undo::watchdog::{self, Watchdog};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long the watchdog may take to see that nothing is left to do.
const DISMISSAL: Duration = Duration::from_secs(5);

/// What a run holds open.
pub struct Session {
    folder: RunFolder,
    clock: Clock,
    started_at: String,
    registry: Registry,
    opened: Opened,
    /// Until the execution takes it over.
    journal: Option<JournalOwner>,
    watchdog: Option<Watchdog>,
    to_give_back: GiveBack,
    seed: u64,
    made: u32,
    target: Option<Arc<dyn Target>>,
}

/// What has to be given back when the execution never begins.
enum GiveBack {
    /// Everything is in this process.
    Nothing,
    /// The folder of a throw-away cluster.
    Cluster(PathBuf),
    /// Containers.
    #[cfg(feature = "docker")]
    Containers {
        /// How they were found, by which even a taking that was cut off is given back.
        facts: Box<Facts>,
        /// What was looked at, until it is taken.
        found: Option<Box<Found>>,
    },
}

impl GiveBack {
    /// Its name in the journal.
    fn name(&self) -> &'static str {
        match self {
            Self::Nothing => "simulated cluster",
            Self::Cluster(_) => "throw-away cluster",
            #[cfg(feature = "docker")]
            Self::Containers { .. } => "lock on the cluster",
        }
    }

    async fn give_back(&self, run: &str) -> Result<String, TargetError> {
        match self {
            Self::Nothing => Ok("nothing was made".to_owned()),
            Self::Cluster(folder) => crate::target::local::sweep(folder, run).await,
            #[cfg(feature = "docker")]
            Self::Containers { facts, .. } => {
                let target = DockerTarget::again((**facts).clone(), run).await?;
                target.close().await
            }
        }
    }
}

/// Throw-away clusters whose runner and watchdog both died are removed before anything else; says what was.
///
/// # Errors
/// When one cannot be removed.
pub async fn sweep_dead_runs(
    runs_dir: &Path,
    registry: Option<&Registry>,
) -> Result<Vec<String>, Failure> {
    let swept = recover::sweep_dead_local_runs(runs_dir, KINDS, registry)
        .await
        .map_err(|error| {
            Failure::usage(format!(
                "the runs in {} cannot be read: {error}",
                runs_dir.display()
            ))
            .hint("choose another folder with --runs-dir")
        })?;
    let mut said = Vec::new();
    for dead in swept {
        match dead.outcome {
            Ok(report) if report.is_complete() => said.push(format!(
                "run {} had died with its watchdog; its throw-away cluster was removed",
                dead.run
            )),
            Ok(report) => {
                return Err(in_the_way(&dead.run, &report.failures.join("; ")));
            }
            Err(error) => return Err(in_the_way(&dead.run, &error.to_string())),
        }
    }
    Ok(said)
}

fn in_the_way(run: &str, why: &str) -> Failure {
    Failure::target(format!("run {run} is not undone: {why}")).hint(format!("firedrill undo {run}"))
}

impl Session {
    /// Makes the folder, starts the watchdog and opens the journal. From here on nothing can be left behind
    /// without somebody who knows of it.
    ///
    /// # Errors
    /// When one of them cannot be made; then there must be no drill, and no trace of one is left.
    pub async fn open(
        runs_dir: &Path,
        registry: &Registry,
        settings: &Settings,
        seed: u64,
    ) -> Result<Self, Failure> {
        let made = match settings {
            Settings::Simulated(_) => RunFolder::create_virtual(runs_dir, seed),
            _ => RunFolder::create(runs_dir),
        };
        let folder = made.map_err(|error| {
            Failure::usage(error.to_string()).hint("choose another folder with --runs-dir")
        })?;
        let path = folder.path.clone();
        let opened = match settings {
            Settings::Local(_) => Self::open_local(folder, registry, seed),
            #[cfg(feature = "docker")]
            Settings::Docker(settings) => Self::open_docker(folder, registry, settings, seed).await,
            Settings::Simulated(_) => Self::open_simulated(folder, registry, seed),
        };
        opened.inspect_err(|_| {
            // Nothing was made yet that it could tell of.
            let _ = std::fs::remove_dir_all(&path);
        })
    }

    /// Nothing outlives this process, so there is nothing to watch over.
    fn open_simulated(folder: RunFolder, registry: &Registry, seed: u64) -> Result<Self, Failure> {
        let identity = format!("simulated:{}", folder.path.display());
        let facts = serde_json::json!({ "seed": seed });
        let started = Clock::start();
        let opened = Opened::by_this_process(&folder.run, "simulated", &identity, facts, started);
        let clock = Clock::of_runtime();
        let nothing = GiveBack::Nothing;
        Self::hold(folder, registry, (opened, clock), seed, nothing, None)
    }

    fn open_local(folder: RunFolder, registry: &Registry, seed: u64) -> Result<Self, Failure> {
        let clock = Clock::start();
        let cluster = LocalTarget::plan_folder(&folder.run);
        let (identity, facts) = (identity(&cluster), facts(&cluster));
        let opened = Opened::by_this_process(&folder.run, "local", &identity, facts, clock);
        let made = GiveBack::Cluster(cluster);
        let watchdog = Some(watch_over(&folder)?);
        Self::hold(folder, registry, (opened, clock), seed, made, watchdog)
    }

    /// Containers are looked at before anything is journaled: what they are is what the journal has to keep.
    #[cfg(feature = "docker")]
    async fn open_docker(
        folder: RunFolder,
        registry: &Registry,
        settings: &DockerSettings,
        seed: u64,
    ) -> Result<Self, Failure> {
        let clock = Clock::start();
        let candidates = Candidates::find(settings).await?;
        let identity = candidates.identity();
        // What an unfinished run left would be refused as well, and for the wrong reason.
        refuse_unfinished(registry, &identity)?;
        let found = Found::look(candidates, settings).await?;
        let facts = serde_json::to_value(&found.facts).unwrap_or_default();
        let opened = Opened::by_this_process(&folder.run, "docker", &identity, facts, clock);
        let taken = GiveBack::Containers {
            facts: Box::new(found.facts.clone()),
            found: Some(Box::new(found)),
        };
        let watchdog = Some(watch_over(&folder)?);
        Self::hold(folder, registry, (opened, clock), seed, taken, watchdog)
    }

    /// Opens the journal; without one the watchdog is sent away again.
    fn hold(
        folder: RunFolder,
        registry: &Registry,
        (opened, clock): (Opened, Clock),
        seed: u64,
        to_give_back: GiveBack,
        watchdog: Option<Watchdog>,
    ) -> Result<Self, Failure> {
        let what = to_give_back.name();
        let (journal, made) = match begin_journal(registry, &folder, &opened, what) {
            Ok(journaled) => journaled,
            Err(failure) => {
                if let Some(watchdog) = watchdog {
                    watchdog.dismiss(DISMISSAL);
                }
                return Err(failure);
            }
        };
        Ok(Self {
            clock,
            started_at: folder.made_at.clone(),
            folder,
            registry: registry.clone(),
            opened,
            journal: Some(journal),
            watchdog,
            to_give_back,
            seed,
            made,
            target: None,
        })
    }

    /// The run's id.
    pub fn run(&self) -> &str {
        &self.folder.run
    }

    /// The run's folder.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// Wall clock at the opening, RFC 3339.
    pub fn started_at(&self) -> String {
        self.started_at.clone()
    }

    /// The run's clock.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Starts the cluster, or takes the one that was found.
    ///
    /// # Errors
    /// When it does not come up, or cannot be taken.
    pub async fn start_cluster(
        &mut self,
        settings: &Settings,
        progress: impl FnMut(Progress) + Send,
    ) -> Result<Arc<dyn Target>, Failure> {
        let (run, clock) = (&self.folder.run, self.clock);
        let target: Arc<dyn Target> = match settings {
            Settings::Local(settings) => {
                let started = LocalTarget::start(settings, run, clock, progress).await;
                Arc::new(started.map_err(|error| {
                    Failure::from(error)
                        .hint("firedrill doctor looks at what a local cluster needs")
                })?)
            }
            #[cfg(feature = "docker")]
            Settings::Docker(settings) => {
                let GiveBack::Containers { found, .. } = &mut self.to_give_back else {
                    return Err(Failure::target("no containers were looked for"));
                };
                let found = found.take();
                let found =
                    found.ok_or_else(|| Failure::target("the containers are taken already"))?;
                Arc::new(DockerTarget::take(*found, settings, run, clock).await?)
            }
            Settings::Simulated(settings) => {
                Arc::new(SimulatedTarget::start(settings, run, self.seed, clock).await?)
            }
        };
        self.target = Some(target.clone());
        Ok(target)
    }

    /// Hands the journal and its entry for the cluster to the execution, which undoes from now on.
    pub fn hand_over(&mut self) -> Option<(JournalOwner, u32)> {
        Some((self.journal.take()?, self.made))
    }

    /// Removes what was made, when the execution never began.
    ///
    /// # Errors
    /// What is left, in one line.
    pub async fn abandon(mut self) -> Result<(), String> {
        let removed = match self.target.take() {
            Some(target) => target.close().await,
            None => self.to_give_back.give_back(&self.folder.run).await,
        };
        let mut journal = match self.journal.take() {
            Some(journal) => journal,
            // The execution could not begin and dropped it; the right to undo is free again.
            None => {
                JournalOwner::take(&self.folder.path)
                    .map_err(|error| error.to_string())?
                    .0
            }
        };
        match removed {
            Ok(proof) => {
                let done = journal.done(self.made, How::Undone, &proof);
                done.and_then(|()| journal.close())
                    .map_err(|error| error.to_string())?;
            }
            Err(error) => {
                let _ = journal.failed(self.made, &error.to_string());
                return Err(error.to_string());
            }
        }
        drop(journal);
        self.forget();
        // A run that never began has nothing to report.
        if !self.folder.path.join(crate::event::log::FILE_NAME).exists() {
            let _ = std::fs::remove_dir_all(&self.folder.path);
        }
        Ok(())
    }

    /// Ends the session of a run whose execution has ended; says whether its journal is closed.
    pub fn close(mut self) -> bool {
        self.target = None;
        let closed = Journal::read(&self.folder.path).is_ok_and(|journal| journal.is_closed());
        if closed {
            self.forget();
        } else {
            self.leave();
        }
        closed
    }

    fn forget(&mut self) {
        self.registry.forget(&self.opened);
        if let Some(watchdog) = self.watchdog.take() {
            watchdog.dismiss(DISMISSAL);
        }
    }

    /// Leaves everything to the watchdog, which acts when this process is gone.
    pub fn leave(mut self) {
        // The handle's end closes the pipe early; the lock keeps the watchdog back until then.
        std::mem::forget(self.watchdog.take());
    }
}

/// Refuses a target on which a run is not undone: what it left would be taken for how things are.
///
/// # Errors
/// Its name, and what to do.
#[cfg(feature = "docker")]
pub(super) fn refuse_unfinished(registry: &Registry, identity: &str) -> Result<(), Failure> {
    let open = registry.find_open(identity).map_err(|error| {
        Failure::target(format!(
            "whether a run is open on this target cannot be told: {error}"
        ))
    })?;
    match open.first() {
        None => Ok(()),
        Some(open) => Err(match open.lock {
            crate::undo::open_runs::Lock::Held(_) => Failure::target(format!(
                "run {} is going on on this target, or is being undone",
                open.run
            ))
            .hint("wait for its end; firedrill list shows it"),
            crate::undo::open_runs::Lock::Free => in_the_way(&open.run, "its runner is gone"),
        }),
    }
}

/// Starts the process that undoes if this one is killed.
fn watch_over(folder: &RunFolder) -> Result<Watchdog, Failure> {
    watchdog::spawn(&folder.path)
        .map_err(|error| Failure::target(format!("no watchdog, so no drill: {error}")))
}

/// Opens the journal and writes down that a cluster is about to be made.
fn begin_journal(
    registry: &Registry,
    folder: &RunFolder,
    opened: &Opened,
    what: &str,
) -> Result<(JournalOwner, u32), Failure> {
    let journaled = registry
        .open_journal(&folder.path, opened.clone())
        .and_then(|mut journal| {
            let made = journal.made(what, opened.target_facts.clone())?;
            Ok((journal, made))
        });
    journaled.map_err(|error| {
        registry.forget(opened);
        Failure::target(format!("no journal, so no drill: {error}"))
            .hint("free some space there, or choose another folder with --runs-dir")
    })
}

/// What another process needs to remove the cluster.
fn facts(cluster: &Path) -> serde_json::Value {
    serde_json::json!({ "folder": cluster })
}

fn identity(cluster: &Path) -> String {
    format!("local:{}", cluster.display())
}
