//! Drill files and target files, from the arguments that name them.

use super::choices::TargetChoice;
use super::exit_code::Exit;
use super::failure::Failure;
use super::terminal::Terminal;
use crate::drill::{self, Checked, CheckedTarget, Diagnostic, Given, Kind, Underlined};
use crate::measure::condition::{Condition, ConditionError};
use crate::plan::Refusal;
use crate::report::Style;
use crate::screen::COLUMNS;

/// The target of a choice, without its mistakes shown as warnings.
///
/// # Errors
/// Everything that is wrong with the file.
pub fn target(choice: &TargetChoice, terminal: &Terminal) -> Result<CheckedTarget, Failure> {
    let path = choice.target.as_ref().map(|path| path.to_string_lossy());
    let checked = drill::load_target(path.as_deref())
        .map_err(|wrong| failure(path.as_deref().unwrap_or("the target"), &wrong, terminal))?;
    warn(&checked.warnings, terminal);
    Ok(checked)
}

/// A drill by path or shipped name, with its variables filled for a target.
///
/// # Errors
/// Everything that is wrong with it.
pub fn drill(
    path_or_name: &str,
    choice: &TargetChoice,
    target: &CheckedTarget,
    terminal: &Terminal,
) -> Result<Checked, Failure> {
    let checked = drill::load(path_or_name, &given(choice, target))
        .and_then(named)
        .map_err(|wrong| failure(path_or_name, &wrong, terminal))?;
    warn(&checked.warnings, terminal);
    Ok(checked)
}

/// Looks at a file that may be a drill or a target. Returns what it was.
///
/// # Errors
/// Everything that is wrong with it.
pub fn either(
    path_or_name: &str,
    choice: &TargetChoice,
    target: &CheckedTarget,
    terminal: &Terminal,
) -> Result<Kind, Failure> {
    if drill::shipped::find(path_or_name).is_none()
        && let Ok(source) = drill::read(path_or_name)
    {
        // Read once: it may be a pipe.
        let (kind, looked) = match drill::kind_of(source.text()) {
            Some(Kind::Target) => (
                Kind::Target,
                drill::check_target_text(&source).map(|checked| checked.warnings),
            ),
            _ => (
                Kind::Drill,
                drill::check_text(&source, &given(choice, target))
                    .and_then(named)
                    .map(|checked| checked.warnings),
            ),
        };
        let warnings = looked.map_err(|wrong| failure(path_or_name, &wrong, terminal))?;
        warn(&warnings, terminal);
        return Ok(kind);
    }
    // A shipped drill, or a file that cannot be read: loading says which names there are.
    drill(path_or_name, choice, target, terminal).map(|_| Kind::Drill)
}

/// A drill whose conditions name nothing that no result has. The drill files know the grammar alone: only
/// who measures knows the names.
fn named(checked: Checked) -> Result<Checked, Vec<Diagnostic>> {
    let wrong: Vec<Diagnostic> = checked
        .conditions()
        .into_iter()
        .filter_map(|(source, which)| Some(checked.at_condition(which, misnamed(source, which)?)))
        .collect();
    if wrong.is_empty() {
        Ok(checked)
    } else {
        Err(wrong)
    }
}

/// What is wrong with the names of a condition.
fn misnamed(source: &str, which: Underlined) -> Option<Diagnostic> {
    let condition = match Condition::compile(source) {
        Ok(condition) => condition,
        Err(ConditionError::Unknown { part, nearest, .. }) => {
            let unknown = format!("a result has no {part}");
            let unknown = Diagnostic::error("condition", unknown);
            let unknown = match nearest {
                Some(near) => unknown.label(format!("did you mean {near}?")),
                None => unknown.label("an unknown name never becomes true"),
            };
            return Some(unknown.help("firedrill schema result prints every name"));
        }
        Err(other) => return Some(Diagnostic::error("condition", other.to_string())),
    };
    let circular = condition.circular()?;
    matches!(which, Underlined::Objective(_)).then(|| {
        Diagnostic::error(
            "condition",
            format!("{circular} is decided by the objectives, and this is one"),
        )
        .label("expected something that is measured")
        .help("firedrill schema result prints every name")
    })
}

fn given(choice: &TargetChoice, target: &CheckedTarget) -> Given {
    Given {
        target: target.target.variables.clone(),
        set: choice.set.clone(),
    }
}

/// Mistakes as a failure: how many and where, then each with its place underlined.
pub fn failure(what: &str, wrong: &[Diagnostic], terminal: &Terminal) -> Failure {
    let head = match wrong {
        // Nothing of the file was read, or what is wrong was said beside it.
        [only] if only.span.is_none() => format!("{what} cannot be used"),
        [_] => format!("{what} is wrong"),
        many => format!("{what} is wrong in {} places", many.len()),
    };
    Failure::usage(format!("{head}\n{}", shown(wrong, terminal)))
}

/// What a target cannot do of a drill, all at once.
pub fn refused(what: &str, refusals: &[Refusal], terminal: &Terminal) -> Failure {
    let wrong: Vec<Diagnostic> = refusals
        .iter()
        .map(|refusal| refusal.diagnostic.clone())
        .collect();
    Failure {
        exit: Exit::Target,
        message: format!(
            "{what} cannot be run on this target\n{}",
            shown(&wrong, terminal)
        ),
        hints: Vec::new(),
    }
}

fn shown(diagnostics: &[Diagnostic], terminal: &Terminal) -> String {
    // Lines of files are not wrapped, only messages are.
    drill::render(diagnostics, terminal.error_style() == Style::Color, COLUMNS)
}

fn warn(warnings: &[Diagnostic], terminal: &Terminal) {
    if !warnings.is_empty() {
        terminal.say(shown(warnings, terminal).trim_end());
    }
}
