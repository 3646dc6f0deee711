//! `command`: a command of the drill's own, on the machine that firedrill runs on.
//!
//! With `undo` and `check` it is a fault like any other: journaled before it is run, proven, and undone on
//! every way out. `check` ends with code 0 while nothing is changed: before `run`, and again after `undo`.
//! Without `undo` the drill says `changes: nothing`.
//!
//! There is no shell: the arguments are handed over as they stand, with `{{word}}`s filled in. They are
//! logged, so they must hold no secret; what the command writes is kept in the run's folder only.

pub mod process;

use super::sql::{Changes, in_one_line};
use super::template::Binding;
use super::{Fault, Hit, facts_of};
use crate::drill::duration::Duration as Time;
use crate::event::cluster::ClusterSeen;
use crate::role::NodeRef;
use crate::target::{Capability, Target, TargetError};
use crate::undo::{Around, Standing, Undo};
use async_trait::async_trait;
use process::Ended;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A command of your own, on the machine that firedrill runs on. No shell is involved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// Name of the step, by which others refer to it.
    #[serde(default)]
    pub id: Option<String>,
    /// The node that it is about: what `{{node.name}}`, `{{node.role}}`, `{{node.host}}` and
    /// `{{node.port}}` stand for. Needed with `undo`.
    #[serde(default)]
    pub node: Option<NodeRef>,
    /// Program and arguments. Beside the node's words there are `{{writer.host}}`, `{{writer.port}}`,
    /// `{{writer.database}}`, `{{reader.host}}`, `{{reader.port}}` and `{{run.id}}`. They are logged, so
    /// they must hold no secret.
    #[schemars(length(min = 1), example = ["./check.sh", "{{writer.host}}"])]
    pub run: Vec<String>,
    /// The command that undoes it. Needs `check` and `node`.
    #[serde(default)]
    pub undo: Option<Vec<String>>,
    /// A command that ends with code 0 while nothing is changed: before `run`, and again after `undo`.
    #[serde(default)]
    pub check: Option<Vec<String>>,
    /// `nothing`, for a command that changes nothing and needs no undo.
    #[serde(default)]
    pub changes: Option<Changes>,
    /// Its limit, and that of its undo. A command that takes longer is ended.
    #[serde(default = "half_a_minute")]
    pub within: Time,
}

fn half_a_minute() -> Time {
    Time::from_secs(30)
}

/// A node for a step that names none; the check of the drill refuses an undo without one.
const NO_NODE: &NodeRef = &NodeRef::Primary;

impl Command {
    /// The same with its words filled in.
    ///
    /// # Errors
    /// A word that stands for nothing here.
    pub fn filled(&self, binding: &Binding) -> Result<Self, String> {
        let fill = |given: &Option<Vec<String>>| -> Result<Option<Vec<String>>, String> {
            given.as_ref().map(|it| binding.fill(it)).transpose()
        };
        Ok(Self {
            run: binding.fill(&self.run)?,
            undo: fill(&self.undo)?,
            check: fill(&self.check)?,
            ..self.clone()
        })
    }

    /// The node, to be changed.
    pub(crate) fn node_mut(&mut self) -> Option<&mut NodeRef> {
        self.node.as_mut()
    }

    /// Runs it, with its words filled in. Returns what may be logged of it.
    ///
    /// # Errors
    /// When it cannot be started, ends with another code than 0, or takes too long.
    pub async fn carry_out(&self, binding: &Binding) -> Result<String, TargetError> {
        let filled = self
            .filled(binding)
            .map_err(|why| TargetError::new("command", why))?;
        let place = Place::of(binding);
        place.must(&filled.run, self.within.get()).await
    }
}

/// Where commands of one step run, and where their output goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    directory: PathBuf,
    output: PathBuf,
}

impl Place {
    fn of(binding: &Binding) -> Self {
        Self {
            directory: binding.directory.clone(),
            output: binding.folder.join(format!("command-{}.log", binding.step)),
        }
    }

    async fn run(&self, command: &[String], within: Duration) -> Result<Ended, TargetError> {
        process::run(command, &self.directory, &self.output, within).await
    }

    /// Runs a command that must succeed.
    async fn must(&self, command: &[String], within: Duration) -> Result<String, TargetError> {
        let output = self.output.file_name().map(Path::new);
        let output = output.unwrap_or(&self.output).display().to_string();
        match self.run(command, within).await? {
            Ended::Code(0) => Ok(format!("exit code 0; its output is in {output}")),
            other => {
                let program = command.first().map_or("nothing", |it| it);
                let how = other.in_words(within);
                let why = format!("{how}; its output is in {output} of the run's folder");
                Err(TargetError::new(format!("run {program}"), why))
            }
        }
    }
}

/// A command with its words filled in, ready to strike.
#[derive(Clone, Debug)]
struct Bound {
    command: Command,
    place: Place,
}

fn in_words(command: Option<&Vec<String>>) -> String {
    in_one_line(&command.map_or_else(String::new, |it| it.join(" ")))
}

#[async_trait]
impl Fault for Command {
    fn name(&self) -> &'static str {
        "command"
    }
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
    fn node(&self) -> &NodeRef {
        self.node.as_ref().unwrap_or(NO_NODE)
    }
    fn needs(&self) -> Vec<Capability> {
        vec![Capability::Commands]
    }
    fn describe(&self, node: &str) -> String {
        format!("for {node} run: {}", in_words(Some(&self.run)))
    }
    fn describe_undo(&self, _node: &str) -> String {
        format!("run: {}", in_words(self.undo.as_ref()))
    }
    fn limit(&self) -> Duration {
        self.within.get()
    }
    fn bound(&self, binding: &Binding) -> Result<Option<Arc<dyn Fault>>, TargetError> {
        let command = self
            .filled(binding)
            .map_err(|why| TargetError::new("command", why))?;
        let place = Place::of(binding);
        Ok(Some(Arc::new(Bound { command, place })))
    }
    async fn prepare(
        &self,
        _target: &dyn Target,
        _hit: &Hit,
        _seen: &ClusterSeen,
    ) -> Result<Box<dyn Undo>, TargetError> {
        Err(TargetError::new("command", "its words are not filled in"))
    }
    async fn inject(
        &self,
        _target: &dyn Target,
        _hit: &Hit,
        _undo: &dyn Undo,
    ) -> Result<(), TargetError> {
        Err(TargetError::new("command", "its words are not filled in"))
    }
    async fn effect(
        &self,
        _target: &dyn Target,
        _hit: &Hit,
        _undo: &dyn Undo,
    ) -> Result<Option<String>, TargetError> {
        Ok(None)
    }
}

#[async_trait]
impl Fault for Bound {
    fn name(&self) -> &'static str {
        self.command.name()
    }
    fn id(&self) -> Option<&str> {
        Fault::id(&self.command)
    }
    fn node(&self) -> &NodeRef {
        Fault::node(&self.command)
    }
    fn needs(&self) -> Vec<Capability> {
        self.command.needs()
    }
    fn describe(&self, node: &str) -> String {
        self.command.describe(node)
    }
    fn describe_undo(&self, node: &str) -> String {
        self.command.describe_undo(node)
    }
    fn limit(&self) -> Duration {
        // A command that is ended at its own limit needs a moment for that.
        self.command.within.get() + Duration::from_secs(5)
    }
    async fn prepare(
        &self,
        _target: &dyn Target,
        hit: &Hit,
        _seen: &ClusterSeen,
    ) -> Result<Box<dyn Undo>, TargetError> {
        let (Some(undo), Some(check)) = (&self.command.undo, &self.command.check) else {
            let why = "it has no undo, or no check of it";
            return Err(TargetError::new("command", why));
        };
        let undo = Undone {
            hit: hit.clone(),
            undo: undo.clone(),
            check: check.clone(),
            place: self.place.clone(),
            within_ms: self.command.within.as_ms(),
        };
        // What is there already is not ours, and undoing it would take it away from somebody.
        if let Standing::Missing(why) = undo.look().await? {
            return Err(TargetError::new("check before the command", why));
        }
        Ok(Box::new(undo))
    }
    async fn inject(
        &self,
        _target: &dyn Target,
        _hit: &Hit,
        _undo: &dyn Undo,
    ) -> Result<(), TargetError> {
        let within = self.command.within.get();
        self.place.must(&self.command.run, within).await.map(drop)
    }
    async fn effect(
        &self,
        target: &dyn Target,
        _hit: &Hit,
        undo: &dyn Undo,
    ) -> Result<Option<String>, TargetError> {
        Ok(match undo.standing(target).await? {
            Standing::Missing(proof) => Some(proof),
            Standing::Back(_) => None,
        })
    }
}

/// The way back from a command.
#[derive(Debug, Serialize, Deserialize)]
struct Undone {
    hit: Hit,
    undo: Vec<String>,
    check: Vec<String>,
    place: Place,
    within_ms: u64,
}

pub(super) fn from_facts(facts: &serde_json::Value) -> Option<Box<dyn Undo>> {
    let undo = Undone::deserialize(facts).ok()?;
    Some(Box::new(undo))
}

impl Undone {
    fn within(&self) -> Duration {
        Duration::from_millis(self.within_ms)
    }

    async fn look(&self) -> Result<Standing, TargetError> {
        Ok(match self.place.run(&self.check, self.within()).await? {
            Ended::Code(0) => Standing::Back("its check ends with code 0".to_owned()),
            Ended::Code(code) => Standing::Missing(format!("its check ends with code {code}")),
            other => {
                let how = other.in_words(self.within());
                return Err(TargetError::new("check of the command", how));
            }
        })
    }

    async fn act(&self) -> Result<(), TargetError> {
        self.place.must(&self.undo, self.within()).await.map(drop)
    }
}

#[async_trait]
impl Undo for Undone {
    fn fault(&self) -> &'static str {
        "command"
    }
    fn facts(&self) -> serde_json::Value {
        facts_of(self)
    }
    async fn standing(&self, _target: &dyn Target) -> Result<Standing, TargetError> {
        self.look().await
    }
    async fn put_back(
        &self,
        _target: &dyn Target,
        _around: &Around<'_>,
    ) -> Result<(), TargetError> {
        self.act().await
    }
    async fn release(&self, _target: &dyn Target) -> Result<(), TargetError> {
        self.act().await
    }
    async fn released(&self, _target: &dyn Target) -> Result<Standing, TargetError> {
        self.look().await
    }
    /// Nobody knows what a command changed, so it is undone even where the cluster is thrown away.
    async fn put_back_outside(&self) -> Option<Result<String, TargetError>> {
        let undone = async {
            if let Ok(Standing::Back(proof)) = self.look().await {
                return Ok(proof);
            }
            self.act().await?;
            match self.look().await? {
                Standing::Back(proof) => Ok(proof),
                Standing::Missing(why) => Err(TargetError::new("undo of the command", why)),
            }
        };
        Some(undone.await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A change of a file: made, seen, undone by its own command.
    fn undone(folder: &Path) -> Undone {
        let words = |script: &str| ["sh", "-c", script].map(str::to_owned).to_vec();
        Undone {
            hit: Hit {
                node: "node-1".to_owned(),
                role: "primary".to_owned(),
                timeline: 1,
            },
            undo: words("rm -f changed"),
            check: words("test ! -e changed"),
            place: Place {
                directory: folder.to_owned(),
                output: folder.join("command-x.log"),
            },
            within_ms: 20_000,
        }
    }

    #[tokio::test]
    async fn what_a_command_changed_is_undone_without_the_target() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("changed"), "").unwrap();
        let undo = undone(folder.path());
        let again = super::super::undo_from_journal("command", &undo.facts()).unwrap();
        assert_eq!(
            again.put_back_outside().await.unwrap().unwrap(),
            "its check ends with code 0"
        );
        assert!(!folder.path().join("changed").exists());
        let twice = again.put_back_outside().await.unwrap();
        assert!(twice.is_ok(), "{twice:?}");
    }

    #[tokio::test]
    async fn an_undo_that_does_not_hold_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("changed"), "").unwrap();
        let mut undo = undone(folder.path());
        undo.undo = vec!["true".to_owned()];
        let error = undo.put_back_outside().await.unwrap().unwrap_err();
        insta::assert_snapshot!(error, @"undo of the command: its check ends with code 1");
    }
}
