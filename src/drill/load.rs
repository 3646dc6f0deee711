//! The way from a path, or the name of a shipped drill, to something that was checked: text → variables
//! filled → parsed → checked across fields.

use super::diagnostic::{Diagnostic, Severity, Source};
use super::file::DrillFile;
use super::nearest::nearest;
use super::objective::Objective;
use super::places::{At, Places};
use super::sequence::{Placed, sequence};
use super::step::Step;
use super::target_file::{self, TargetFile};
use super::variables::{self, Given, Variables};
use super::{check, shipped, yaml_error};
use crate::event::plan_record::VariableRecord;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A drill that can be planned.
#[derive(Debug)]
pub struct Checked {
    /// The text it was read from.
    pub source: Arc<Source>,
    /// Hex SHA-256 of its bytes.
    pub sha256: String,
    /// What it says, with variables filled in.
    pub drill: DrillFile,
    /// Its steps in the order in which they happen.
    pub steps: Vec<Placed>,
    /// Its variables and where each value came from.
    pub variables: Vec<VariableRecord>,
    /// Per objective the variable that its limit came from, such as "downtime_limit from --set".
    pub limit_from: Vec<Option<String>>,
    /// What somebody should look at.
    pub warnings: Vec<Diagnostic>,
    places: Places,
}

impl Checked {
    /// Underlines the node that a step names, or its condition, else its kind: for what only a plan, or
    /// who knows the names of results, can find wrong.
    #[must_use]
    pub fn at_step(&self, index: usize, diagnostic: Diagnostic) -> Diagnostic {
        let Some(placed) = self.steps.get(index) else {
            return diagnostic;
        };
        let field = match &placed.step {
            Step::Wait(_) => Some("until"),
            other => other.node().map(|(field, _)| field),
        };
        let range = field
            .and_then(|field| self.places.value(&placed.at(&[At::Key(field)])))
            .unwrap_or_else(|| self.places.nearest(&placed.at(&[])));
        diagnostic.at(&self.source, range)
    }

    /// The conditions over a result's names, with where each stands.
    #[must_use]
    pub fn conditions(&self) -> Vec<(&str, Underlined)> {
        let waits = self.steps.iter().enumerate();
        let waits = waits.filter_map(|(index, placed)| match &placed.step {
            Step::Wait(body) => Some((body.until.as_str(), Underlined::Step(index))),
            _ => None,
        });
        let stops = self.drill.stop_if.iter().enumerate();
        let stops = stops.map(|(index, source)| (source.as_str(), Underlined::StopIf(index)));
        let demands = self.drill.objectives.iter().enumerate();
        let demands = demands.filter_map(|(index, objective)| match objective {
            Objective::Condition(source) => Some((source.as_str(), Underlined::Objective(index))),
            _ => None,
        });
        waits.chain(stops).chain(demands).collect()
    }

    /// Underlines a condition.
    #[must_use]
    pub fn at_condition(&self, which: Underlined, diagnostic: Diagnostic) -> Diagnostic {
        let path = match which {
            Underlined::Step(index) => return self.at_step(index, diagnostic),
            Underlined::StopIf(index) => vec![At::Key("stop_if"), At::Item(index)],
            Underlined::Objective(index) => {
                vec![At::Key("objectives"), At::Item(index), At::Key("condition")]
            }
        };
        diagnostic.at(&self.source, self.places.nearest(&path))
    }

    /// Underlines an objective.
    #[must_use]
    pub fn at_objective(&self, index: usize, diagnostic: Diagnostic) -> Diagnostic {
        let Some(objective) = self.drill.objectives.get(index) else {
            return diagnostic;
        };
        let name = objective.name().name();
        let path = [At::Key("objectives"), At::Item(index), At::Key(name)];
        diagnostic.at(&self.source, self.places.nearest(&path))
    }
}

/// Which condition of a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Underlined {
    /// That of a step, by its position in [`Checked::steps`].
    Step(usize),
    /// One of `stop_if`.
    StopIf(usize),
    /// An objective.
    Objective(usize),
}

/// A target file that can be used.
#[derive(Debug)]
pub struct CheckedTarget {
    /// What it says.
    pub target: TargetFile,
    /// The folder of the file: relative paths in it begin there.
    pub folder: PathBuf,
    /// What somebody should look at.
    pub warnings: Vec<Diagnostic>,
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A drill.
    Drill,
    /// A target.
    Target,
}

/// Loads a drill by its path, or by the name of a shipped one.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(path_or_name: &str, given: &Given) -> Result<Checked, Vec<Diagnostic>> {
    let source = match shipped::find(path_or_name) {
        Some(shipped) => Source::new(shipped.name, shipped.text),
        None => read(path_or_name).map_err(|mut error| {
            let is_word = !path_or_name.contains(['/', '.']);
            if is_word && !Path::new(path_or_name).exists() {
                error.message =
                    format!("there is no drill {path_or_name}, and no file of this name");
                error.help = Some(match nearest(path_or_name, shipped::names()) {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!(
                        "drills that are there: {}",
                        shipped::names().collect::<Vec<_>>().join(", ")
                    ),
                });
            }
            vec![*error]
        })?,
    };
    check_text(&source, given)
}

/// Loads a target file; without a path, or by the word "local", the embedded default.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load_target(path: Option<&str>) -> Result<CheckedTarget, Vec<Diagnostic>> {
    match path.filter(|path| *path != "local" || Path::new(path).exists()) {
        None => Ok(CheckedTarget {
            target: TargetFile::default(),
            folder: PathBuf::new(),
            warnings: Vec::new(),
        }),
        Some(path) => {
            let checked = check_target_text(&read(path).map_err(|error| vec![*error])?)?;
            let folder = Path::new(path).parent().unwrap_or(Path::new(""));
            Ok(CheckedTarget {
                folder: folder.to_path_buf(),
                ..checked
            })
        }
    }
}

/// Reads a file whole, unless it is too large for any drill.
///
/// # Errors
/// When it cannot be read, is too large, or is no text.
pub fn read(path: &str) -> Result<Arc<Source>, Box<Diagnostic>> {
    let fault = |cause: String| Box::new(Diagnostic::error("file", format!("{path}: {cause}")));
    let file = File::open(path).map_err(|error| fault(error.to_string()))?;
    let mut bytes = Vec::new();
    // One byte more than allowed tells the two cases apart without reading a file without an end.
    file.take(yaml_error::LARGEST as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| fault(error.to_string()))?;
    if bytes.len() > yaml_error::LARGEST {
        return Err(Box::new(too_large(path)));
    }
    let text = String::from_utf8(bytes).map_err(|_| fault("this is no UTF-8 text".to_owned()))?;
    Ok(Source::new(path, text))
}

/// What the text holds, by its top-level keys; `None` where they do not say.
#[must_use]
pub fn kind_of(text: &str) -> Option<Kind> {
    if text.len() > yaml_error::LARGEST {
        return None;
    }
    let source = Source::new("", text);
    let (uses, _) = variables::scan(&source);
    let masked = variables::mask(text, &uses);
    yaml_error::parse::<Head>(&source, &masked, None).ok()?;
    let places = Places::of(&masked)?;
    let keys = places.keys(&[]);
    let has = |names: &[&str]| keys.iter().any(|key| names.contains(key));
    if has(&["steps", "objectives", "workload", "expect"]) {
        Some(Kind::Drill)
    } else if has(&target_file::KINDS) || has(&target_file::LATER) {
        Some(Kind::Target)
    } else {
        None
    }
}

/// What is read first, with everything else passed over: the version decides whether the rest can be
/// understood, and the variables are needed before the rest is a drill at all.
#[derive(Deserialize)]
struct Head {
    version: Option<u64>,
    #[serde(default)]
    variables: BTreeMap<String, String>,
}

/// Checks the text of a drill.
///
/// # Errors
/// Everything that is wrong with it.
pub fn check_text(source: &Arc<Source>, given: &Given) -> Result<Checked, Vec<Diagnostic>> {
    let text = source.text();
    if text.len() > yaml_error::LARGEST {
        return Err(vec![too_large(source.name())]);
    }
    let (mut uses, malformed) = variables::scan(source);
    let masked = variables::mask(text, &uses);
    let (head, places) = head(source, &masked)?;
    uses.retain(|each| !places.in_comment(each.start()));
    let mut wrong: Vec<Diagnostic> = malformed
        .into_iter()
        .filter(|(at, _)| !places.in_comment(*at))
        .map(|(_, diagnostic)| diagnostic)
        .collect();
    let (variables, more) = Variables::settle(source, &places, &head.variables, given, uses);
    wrong.extend(more);
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let bare = check::shape(source, &places);
    if !bare.is_empty() {
        return Err(bare);
    }
    let filled = variables.fill(text);
    let drill: DrillFile =
        yaml_error::parse(source, &filled.text, Some(&filled)).map_err(|error| vec![*error])?;
    let steps = sequence(&drill.steps);
    let findings = check::drill(&drill, &steps, source, &places);
    let (warnings, errors): (Vec<_>, Vec<_>) = findings
        .into_iter()
        .partition(|each| each.severity == Severity::Warning);
    if !errors.is_empty() {
        return Err([errors, warnings].concat());
    }
    let limit_from = drill
        .objectives
        .iter()
        .enumerate()
        .map(|(index, objective)| {
            let mut path = vec![
                At::Key("objectives"),
                At::Item(index),
                At::Key(objective.name().name()),
            ];
            path.extend(objective.limit_field().map(At::Key));
            let record = variables.used_in(&places.value(&path)?)?;
            Some(format!("{} from {}", record.name, record.from))
        })
        .collect();
    Ok(Checked {
        source: Arc::clone(source),
        sha256: sha256(text),
        steps,
        drill,
        variables: variables.records().to_vec(),
        limit_from,
        warnings,
        places,
    })
}

/// Checks the text of a target file.
///
/// # Errors
/// Everything that is wrong with it.
pub fn check_target_text(source: &Arc<Source>) -> Result<CheckedTarget, Vec<Diagnostic>> {
    let text = source.text();
    if text.len() > yaml_error::LARGEST {
        return Err(vec![too_large(source.name())]);
    }
    let (_, places) = head(source, text)?;
    let later: Vec<Diagnostic> = target_file::LATER
        .iter()
        .filter_map(|kind| {
            let key = places.key(&[At::Key(kind)])?;
            Some(
                Diagnostic::error(
                    "later",
                    format!(
                        "{kind} comes later: this version supports {}",
                        target_file::KINDS.join(", ")
                    ),
                )
                .at(source, key)
                .help("without a target file, drills run on a throw-away cluster on this machine"),
            )
        })
        .collect();
    if !later.is_empty() {
        return Err(later);
    }
    let target: TargetFile = yaml_error::parse(source, text, None).map_err(|error| vec![*error])?;
    one_kind(source, &places)?;
    let findings = check::target(&target, source, &places);
    let (warnings, errors): (Vec<_>, Vec<_>) = findings
        .into_iter()
        .partition(|each| each.severity == Severity::Warning);
    if errors.is_empty() {
        Ok(CheckedTarget {
            target,
            folder: PathBuf::new(),
            warnings,
        })
    } else {
        Err([errors, warnings].concat())
    }
}

/// Refuses a target file that names no kind of target, or several.
fn one_kind(source: &Arc<Source>, places: &Places) -> Result<(), Vec<Diagnostic>> {
    let named = target_file::KINDS
        .iter()
        .filter_map(|kind| Some((*kind, places.key(&[At::Key(kind)])?)));
    match named.collect::<Vec<_>>().as_slice() {
        [_] => Ok(()),
        [] => {
            let text = format!("{} names no kind of target", source.name());
            let help = format!("expected one of: {}", target_file::KINDS.join(", "));
            Err(vec![Diagnostic::error("target", text).help(help)])
        }
        [(first, _), (second, range), ..] => Err(vec![
            Diagnostic::error("target", format!("{first} and {second} in one file"))
                .at(source, range.clone())
                .label("a second kind of target")
                .help("a target file describes one target: write a file for each"),
        ]),
    }
}

/// Reads the head and the places of a text, and refuses a format that is newer than this program.
fn head(source: &Arc<Source>, text: &str) -> Result<(Head, Places), Vec<Diagnostic>> {
    let head: Head = yaml_error::parse(source, text, None).map_err(|error| vec![*error])?;
    let places = Places::of(text).ok_or_else(|| {
        vec![Diagnostic::error(
            "syntax",
            format!("{} holds no YAML document", source.name()),
        )]
    })?;
    match head.version {
        Some(1) | None => Ok((head, places)),
        Some(other) => {
            let range = places.value(&[At::Key("version")]).unwrap_or_default();
            Err(vec![
                Diagnostic::error(
                    "version",
                    format!("version {other} is not known to this firedrill"),
                )
                .at(source, range)
                .label("expected 1")
                .help("a newer firedrill may know it"),
            ])
        }
    }
}

fn too_large(name: &str) -> Diagnostic {
    Diagnostic::error("too-large", format!("{name} is larger than 1 MiB"))
        .help("no drill needs this; is it the right file?")
}

fn sha256(text: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
