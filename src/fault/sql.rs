//! `sql`: one statement on a node, as the role that may act.
//!
//! With `undo` and `check` it is a fault like any other: journaled before it is run, proven, and undone on
//! every way out. `check` is the predicate of its undo: it must be true before the statement, is false
//! while the change stands, and is true again when it is undone. Without `undo` the drill says
//! `changes: nothing`, and the statement is only asked.
//!
//! A simulated server reads none of it. There a change stands from its statement to its undo, which the
//! check then tells, and a question is taken for answered as the drill expects: a drill is rehearsed so,
//! and what is noted says that nothing was run.
//!
//! The statements are logged as the drill file has them. Of an answer the number of rows is logged, and its
//! first value only where the step says `note: value`.

use super::{Fault, Hit, facts_of};
use crate::drill::duration::Duration as Time;
use crate::event::cluster::ClusterSeen;
use crate::event::slots::ErrorClass;
use crate::role::NodeRef;
use crate::sql::{Asks, Brought as Meant, Session, SqlError, Statement as Sent};
use crate::target::{Capability, Target, TargetError};
use crate::undo::in_place;
use crate::undo::{Around, Standing, Undo};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One statement on a node, as the role that may act.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sql {
    /// Name of the step, by which others refer to it.
    #[serde(default)]
    pub id: Option<String>,
    /// The node that runs it: a role, a name, or `{ of: ID }`.
    pub node: NodeRef,
    /// The statement. It is logged as it stands here, so it must hold no secret.
    #[schemars(example = "select 1")]
    pub run: String,
    /// What its first value must be, as text. Anything else fails the step.
    #[serde(default)]
    pub expect: Option<String>,
    /// What of its answer is logged: `rows`, their number, or `value`, the first value of the first row as
    /// well.
    #[serde(default)]
    pub note: Note,
    /// The statement that undoes it, on the same node (where that is a standby by then, on the primary).
    /// Needs `check`.
    #[serde(default)]
    pub undo: Option<String>,
    /// A query whose first value is true while nothing is changed: before `run`, and again after `undo`.
    #[serde(default)]
    pub check: Option<String>,
    /// `nothing`, for a statement that changes nothing and needs no undo.
    #[serde(default)]
    pub changes: Option<Changes>,
    /// Its limit, and that of its undo.
    #[serde(default = "half_a_minute")]
    pub within: Time,
}

/// What is logged of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// The number of rows.
    #[default]
    Rows,
    /// The number of rows, and the first value of the first row.
    Value,
}

/// The promise that a step needs no undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Changes {
    /// It changes nothing.
    Nothing,
}

fn half_a_minute() -> Time {
    Time::from_secs(30)
}

/// A value that is longer is cut here, in characters.
const LONGEST_VALUE: usize = 100;

/// What a statement brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brought {
    /// What may be logged of it.
    pub note: String,
    /// Why it is not what was expected, where it is not.
    pub unexpected: Option<String>,
}

impl Sql {
    /// Runs the statement on a node.
    ///
    /// # Errors
    /// When the node cannot be asked, the statement fails, or the limit passes.
    pub async fn ask(&self, target: &dyn Target, node: &str) -> Result<Brought, TargetError> {
        let meant = match (&self.undo, &self.check) {
            (Some(_), Some(check)) => Meant::Change {
                check: check.clone(),
            },
            _ => Meant::Question {
                expects: self.expect.clone(),
            },
        };
        let sent = Sent::new(self.run.as_str(), Asks::Brought(meant));
        let answered = answered(target, node, sent, self.within.get())
            .await
            .map_err(|error| TargetError::new(format!("sql on {node}"), error))?;
        Ok(match answered.read {
            true => self.brought(&answered.rows, node),
            false => Brought {
                note: self.not_run(node),
                unexpected: None,
            },
        })
    }

    /// The node, to be changed.
    pub(crate) fn node_mut(&mut self) -> Option<&mut NodeRef> {
        Some(&mut self.node)
    }

    /// What is noted where the server reads no SQL.
    fn not_run(&self, node: &str) -> String {
        let answer = match self.expect {
            Some(_) => ", and its answer is taken to be the expected one",
            None => "",
        };
        format!("{node}: not run, since a simulated server reads no SQL{answer}")
    }

    fn brought(&self, rows: &[Vec<Option<String>>], node: &str) -> Brought {
        let first = rows.first().and_then(|row| row.first());
        let shown = |value: &Option<String>| match value {
            None => String::from("NULL"),
            Some(text) => {
                let cut: String = text.chars().take(LONGEST_VALUE).collect();
                let more = if cut.len() < text.len() { "…" } else { "" };
                format!("{:?}{more}", cut)
            }
        };
        let mut note = match rows.len() {
            1 => format!("{node}: 1 row"),
            many => format!("{node}: {many} rows"),
        };
        if self.note == Note::Value
            && let Some(value) = first
        {
            note.push_str(&format!(", first value {}", shown(value)));
        }
        let unexpected = self.expect.as_ref().and_then(|wanted| {
            let is_wanted = matches!(first, Some(Some(value)) if value == wanted);
            let found = match (self.note, first) {
                (_, None) => String::from("there is no row"),
                (Note::Value, Some(value)) => format!("it is {}", shown(value)),
                (Note::Rows, Some(_)) => {
                    String::from("it is another (`note: value` would log which)")
                }
            };
            (!is_wanted).then(|| format!("{node}: the first value should be {wanted:?}: {found}"))
        });
        Brought { note, unexpected }
    }
}

/// A statement or command in one line for people, cut where it is long.
#[must_use]
pub fn in_one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(LONGEST_VALUE) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line,
    }
}

/// The rows of an answer.
struct Answered {
    rows: Vec<Vec<Option<String>>>,
    /// Whether the server read the statement.
    read: bool,
}

async fn answered(
    target: &dyn Target,
    node: &str,
    statement: Sent<'_>,
    within: Duration,
) -> Result<Answered, SqlError> {
    let session = Session::connect(&target.act_access(node), within).await?;
    Ok(Answered {
        rows: session.query(statement, within).await?.rows,
        read: session.reads_sql(),
    })
}

#[async_trait]
impl Fault for Sql {
    fn name(&self) -> &'static str {
        "sql"
    }
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn needs(&self) -> Vec<Capability> {
        vec![Capability::Statements]
    }
    fn takes_node(&self) -> bool {
        false
    }
    fn describe(&self, node: &str) -> String {
        format!("run on {node}: {}", in_one_line(&self.run))
    }
    fn describe_undo(&self, node: &str) -> String {
        let undo = self.undo.as_deref().unwrap_or("nothing");
        format!("run on {node}: {}", in_one_line(undo))
    }
    fn limit(&self) -> Duration {
        self.within.get()
    }
    async fn prepare(
        &self,
        target: &dyn Target,
        hit: &Hit,
        _seen: &ClusterSeen,
    ) -> Result<Box<dyn Undo>, TargetError> {
        let (Some(undo), Some(check)) = (&self.undo, &self.check) else {
            return Err(TargetError::new("sql", "it has no undo, or no check of it"));
        };
        let undo = Statement {
            hit: hit.clone(),
            undo: undo.clone(),
            check: check.clone(),
            within_ms: self.within.as_ms(),
        };
        // What is there already is not ours, and undoing it would take it away from somebody.
        if let Standing::Missing(why) = undo.standing(target).await? {
            let what = format!("check on {} before the statement", hit.node);
            return Err(TargetError::new(what, why));
        }
        Ok(Box::new(undo))
    }
    async fn inject(
        &self,
        target: &dyn Target,
        hit: &Hit,
        _undo: &dyn Undo,
    ) -> Result<(), TargetError> {
        match self.ask(target, &hit.node).await?.unexpected {
            None => Ok(()),
            Some(why) => Err(TargetError::new("sql", why)),
        }
    }
    async fn effect(
        &self,
        target: &dyn Target,
        hit: &Hit,
        undo: &dyn Undo,
    ) -> Result<Option<String>, TargetError> {
        Ok(match undo.standing(target).await? {
            Standing::Missing(_) => Some(format!("its check says on {} that it stands", hit.node)),
            Standing::Back(_) => None,
        })
    }
}

/// The way back from a statement.
#[derive(Debug, Serialize, Deserialize)]
struct Statement {
    hit: Hit,
    undo: String,
    check: String,
    within_ms: u64,
}

pub(super) fn from_facts(facts: &serde_json::Value) -> Option<Box<dyn Undo>> {
    let undo = Statement::deserialize(facts).ok()?;
    Some(Box::new(undo))
}

impl Statement {
    fn within(&self) -> Duration {
        Duration::from_millis(self.within_ms)
    }

    /// Undoes it on its node. A node that is a standby by now takes no writes, and what was replicated to
    /// it is undone where writes go.
    async fn undo(&self, target: &dyn Target) -> Result<(), TargetError> {
        let node = &self.hit.node;
        let failed = |node: &str, error| TargetError::new(format!("undo sql on {node}"), error);
        let check = self.check.clone();
        let undo = Sent::new(self.undo.as_str(), Asks::Brought(Meant::Undo { check }));
        match answered(target, node, undo.again(), self.within()).await {
            Ok(_) => Ok(()),
            Err(error) if error.class == ErrorClass::ReadOnly => {
                let seen = in_place::look(target).await;
                let Some((leader, _)) = seen.leader().filter(|(leader, _)| leader != node) else {
                    return Err(failed(node, error));
                };
                answered(target, leader, undo, self.within())
                    .await
                    .map(drop)
                    .map_err(|error| failed(leader, error))
            }
            Err(error) => Err(failed(node, error)),
        }
    }
}

#[async_trait]
impl Undo for Statement {
    fn fault(&self) -> &'static str {
        "sql"
    }
    fn facts(&self) -> serde_json::Value {
        facts_of(self)
    }
    fn holds_node(&self) -> bool {
        false
    }
    async fn standing(&self, target: &dyn Target) -> Result<Standing, TargetError> {
        let node = &self.hit.node;
        let check = self.check.clone();
        let check = Sent::new(self.check.as_str(), Asks::Brought(Meant::Check { check }));
        let answered = answered(target, node, check, self.within())
            .await
            .map_err(|error| TargetError::new(format!("check on {node}"), error))?;
        let first = answered.rows.into_iter().next().unwrap_or_default();
        let value = first.into_iter().next().flatten();
        Ok(match value.as_deref() {
            Some("t" | "true") => Standing::Back(format!("its check is true on {node}")),
            Some("f" | "false") => Standing::Missing(format!("its check is false on {node}")),
            _ => Standing::Missing(format!(
                "its check on {node} answers neither true nor false"
            )),
        })
    }
    async fn put_back(&self, target: &dyn Target, _around: &Around<'_>) -> Result<(), TargetError> {
        self.undo(target).await
    }
    async fn release(&self, target: &dyn Target) -> Result<(), TargetError> {
        self.undo(target).await
    }
    async fn released(&self, target: &dyn Target) -> Result<Standing, TargetError> {
        self.standing(target).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(note: Note, expect: Option<&str>) -> Sql {
        Sql {
            id: None,
            node: NodeRef::Primary,
            run: "SELECT 1".to_owned(),
            expect: expect.map(str::to_owned),
            note,
            undo: None,
            check: None,
            changes: Some(Changes::Nothing),
            within: Time::from_secs(1),
        }
    }

    fn said(note: Note, expect: Option<&str>, rows: &[&[Option<&str>]]) -> String {
        let rows: Vec<Vec<Option<String>>> = rows
            .iter()
            .map(|row| row.iter().map(|value| value.map(str::to_owned)).collect())
            .collect();
        let brought = step(note, expect).brought(&rows, "node-1");
        let unexpected = brought.unexpected.unwrap_or_else(|| "as expected".into());
        format!("{}; {unexpected}", brought.note)
    }

    #[test]
    fn a_value_is_logged_only_where_the_step_says_so() {
        let secret: &[&[Option<&str>]] = &[&[Some("s3cret")], &[Some("x")]];
        let lines = [
            said(Note::Rows, None, secret),
            said(Note::Rows, Some("other"), secret),
            said(Note::Value, Some("other"), secret),
            said(Note::Value, Some("s3cret"), secret),
            said(Note::Value, Some("x"), &[]),
            said(Note::Value, None, &[&[None]]),
        ];
        insta::assert_snapshot!(lines.join("\n"), @r#"
        node-1: 2 rows; as expected
        node-1: 2 rows; node-1: the first value should be "other": it is another (`note: value` would log which)
        node-1: 2 rows, first value "s3cret"; node-1: the first value should be "other": it is "s3cret"
        node-1: 2 rows, first value "s3cret"; as expected
        node-1: 0 rows; node-1: the first value should be "x": there is no row
        node-1: 1 row, first value NULL; as expected
        "#);
    }

    #[test]
    fn long_statements_are_cut_for_people() {
        let long = format!("select\n  {}", "ä".repeat(200));
        let line = in_one_line(&long);
        assert_eq!(line.chars().count(), LONGEST_VALUE + 1);
        assert_eq!(in_one_line(" a\n b "), "a b");
    }

    #[test]
    fn the_journal_brings_the_same_undo_back() {
        let undo = Statement {
            hit: Hit {
                node: "node-1".to_owned(),
                role: "primary".to_owned(),
                timeline: 1,
            },
            undo: "select 1".to_owned(),
            check: "select true".to_owned(),
            within_ms: 30_000,
        };
        let again = super::super::undo_from_journal("sql", &undo.facts()).unwrap();
        assert_eq!(again.facts(), undo.facts());
        assert!(!again.holds_node());
    }
}
