//! What happened in a run, as its result tells it: steps, questions, phases, faults and their undos.

use super::answer::Way;
use super::result::Known;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepResult {
    /// Its id.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// Begin; null: never begun.
    pub begin_ms: Option<f64>,
    /// End; null: the log ends before it did.
    pub end_ms: Option<f64>,
    /// done, failed, invalid, skipped or unfinished.
    pub outcome: String,
    /// Why, where it is not done.
    pub why: Option<String>,
    /// What it brought, one line each: rows of a statement, the end of a command.
    #[serde(default)]
    pub noted: Vec<String>,
}

/// A question to a person, and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AskResult {
    /// The step's id.
    pub step: String,
    /// Who was to decide.
    pub who: String,
    /// The question.
    pub question: String,
    /// The answer; null: none came.
    pub answer: Option<String>,
    /// Who gave it, as far as that is known.
    pub by: Option<String>,
    /// By which way it came.
    pub way: Option<Way>,
    /// How long was waited for it.
    pub waited_ms: f64,
    /// Whether that counts as recovery time.
    pub counts: bool,
    /// The answer ended the drill.
    pub stops: bool,
}

/// A phase of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Phase {
    /// baseline, outage, recovery or after.
    pub name: String,
    /// Begin.
    pub begin_ms: f64,
    /// End.
    pub end_ms: f64,
}

/// A fault and its undo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FaultResult {
    /// The step's id.
    pub step: String,
    /// The fault's name.
    pub fault: String,
    /// The node hit.
    pub node: String,
    /// Its role when it was hit.
    pub role: String,
    /// f0.
    pub requested_ms: f64,
    /// f1.
    pub returned_ms: Option<f64>,
    /// fe: its effect was proven.
    pub effect_ms: Known<f64>,
    /// What proved it.
    pub proof: Option<String>,
    /// When it was released, unfenced, if it was.
    pub released_ms: Option<f64>,
    /// Its undo; null: none was needed or begun.
    pub undo: Option<UndoStamps>,
}

/// The stamps of an undo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UndoStamps {
    /// Just before the call.
    pub requested_ms: f64,
    /// After the call.
    pub returned_ms: Option<f64>,
    /// Proven.
    pub effect_ms: Option<f64>,
    /// Whether it was proven.
    pub verified: bool,
    /// The proof, or what was seen instead.
    pub how: Option<String>,
}
