//! Conditions in CEL, which drill files use for waiting, stopping, demanding and requiring. The only file
//! that knows the language's crate.
//!
//! What a condition may name is its user's business: the result of a run, or the nodes as they are now. A
//! value that is not known makes a condition neither true nor false.

use cel::common::ast::{Expr, IdedExpr, LiteralValue};
use cel::{Context, Env, Program, Value};
use serde_json::{Map, Value as Json};
use std::sync::{Arc, LazyLock};

/// What CEL itself knows. Made once: it has some hundred functions.
static LANGUAGE: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A condition that may be evaluated.
#[derive(Debug)]
pub struct Condition {
    source: String,
    program: Program,
    names: Vec<Vec<String>>,
}

/// A text that is no condition; one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

/// Why a condition is neither true nor false.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecided {
    /// A value that it names is not known (yet).
    #[error("{name} is not known{}", because(.why))]
    NotKnown {
        /// The whole name.
        name: String,
        /// Why not, where that is known.
        why: Option<String>,
    },
    /// It does not answer true or false, or compares what cannot be compared.
    #[error("cannot be evaluated: {0}")]
    Evaluate(String),
}

fn because(why: &Option<String>) -> String {
    why.as_ref()
        .map_or_else(String::new, |why| format!(" ({why})"))
}

/// The nearest of the known names to a part that is unknown, where one is near enough to be meant.
#[must_use]
pub fn nearest(part: &str, known: impl Iterator<Item = String>) -> Option<String> {
    known
        .filter(|name| name != "*" && name != "[]")
        .map(|name| (strsim::damerau_levenshtein(part, &name), name))
        .filter(|(distance, name)| *distance <= name.len().max(part.len()) / 2)
        .min()
        .map(|(_, name)| name)
}

impl Condition {
    /// Compiles a condition. Its names are not checked: see [`Condition::names`].
    ///
    /// # Errors
    /// When it is no CEL.
    pub fn compile(source: &str) -> Result<Self, Malformed> {
        let program = LANGUAGE.compile(source).map_err(|error| {
            let cause = error.to_string();
            let cause = cause.lines().next().unwrap_or_default();
            // Its position counts within the condition, which is shown beside it.
            let cause = cause.rsplit("Syntax error: ").next().unwrap_or(cause);
            // Every token that CEL has, where one is missing.
            let cause = cause.split(" expecting ").next().unwrap_or(cause);
            Malformed(match cause.contains("<EOF>") {
                true => "it ends too early".to_owned(),
                false => cause.to_owned(),
            })
        })?;
        let mut names = Vec::new();
        collect(program.expression(), &mut Vec::new(), &mut names);
        Ok(Self {
            source: source.to_owned(),
            program,
            names,
        })
    }

    /// The condition as it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Everything it names, as paths: `channels.writer_fresh.failed` is channels, writer_fresh, failed. An
    /// index that is no text is `[]`; variables of macros are left out.
    #[must_use]
    pub fn names(&self) -> &[Vec<String>] {
        &self.names
    }

    /// Whether it holds for these values.
    ///
    /// # Errors
    /// When a value that it names is null or `not_observed`, or it does not answer true or false.
    pub fn holds(&self, values: &Map<String, Json>) -> Result<bool, Undecided> {
        for path in &self.names {
            if let Some(why) = lookup(values, path).and_then(unknown) {
                return Err(Undecided::NotKnown {
                    name: path.join("."),
                    why,
                });
            }
        }
        let evaluate = |error: &dyn std::fmt::Display| Undecided::Evaluate(error.to_string());
        let mut context = Context::with_env(Arc::clone(&LANGUAGE));
        for (name, value) in values {
            context
                .add_variable(name, value)
                .map_err(|error| evaluate(&error))?;
        }
        match self.program.execute(&context) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(other) => Err(Undecided::Evaluate(format!(
                "it answers {:?}, not true or false",
                other.type_of()
            ))),
            Err(error) => Err(evaluate(&error)),
        }
    }

    /// The values of its names, for people: `a.b is 3, c is not known`.
    #[must_use]
    pub fn values(&self, values: &Map<String, Json>) -> String {
        let mut said: Vec<String> = Vec::new();
        for path in &self.names {
            let name = path.join(".");
            let line = match lookup(values, path) {
                None => continue,
                Some(value) => match (unknown(value), value) {
                    (Some(why), _) => format!("{name} is not known{}", because(&why)),
                    (None, Json::Object(_) | Json::Array(_)) => continue,
                    (None, value) => format!("{name} is {value}"),
                },
            };
            if !said.contains(&line) {
                said.push(line);
            }
        }
        said.join(", ")
    }
}

/// The value at a path; `None` where it cannot be told without evaluating.
fn lookup<'v>(values: &'v Map<String, Json>, path: &[String]) -> Option<&'v Json> {
    let (first, rest) = path.split_first()?;
    let mut here = values.get(first)?;
    for part in rest {
        if here.is_null() {
            return Some(here);
        }
        match here.get(part) {
            Some(below) => here = below,
            // Whoever asks for what was not observed learns why, unless it is that which is asked for.
            None if here.get("not_observed").is_some() => return Some(here),
            None => return None,
        }
    }
    Some(here)
}

/// Whether a value is not known; then the reason, where one is given.
fn unknown(value: &Json) -> Option<Option<String>> {
    match value {
        Json::Null => Some(None),
        Json::Object(map) => map
            .get("not_observed")
            .map(|why| why.as_str().map(str::to_owned)),
        _ => None,
    }
}

/// Collects the paths that an expression names; `bound` are variables of macros such as `exists`.
fn collect(expression: &IdedExpr, bound: &mut Vec<String>, paths: &mut Vec<Vec<String>>) {
    if let Some(path) = path_of(expression) {
        if !path.first().is_some_and(|first| bound.contains(first)) {
            paths.push(path);
        }
        return;
    }
    match &expression.expr {
        Expr::Call(call) => {
            for part in call.target.as_deref().into_iter().chain(&call.args) {
                collect(part, bound, paths);
            }
        }
        Expr::Select(select) => collect(&select.operand, bound, paths),
        Expr::List(list) => {
            for element in &list.elements {
                collect(element, bound, paths);
            }
        }
        Expr::Comprehension(macro_) => {
            collect(&macro_.iter_range, bound, paths);
            let known = bound.len();
            bound.push(macro_.iter_var.clone());
            bound.extend(macro_.iter_var2.clone());
            bound.push(macro_.accu_var.clone());
            for part in [
                &macro_.accu_init,
                &macro_.loop_cond,
                &macro_.loop_step,
                &macro_.result,
            ] {
                collect(part, bound, paths);
            }
            bound.truncate(known);
        }
        _ => {}
    }
}

/// The path that an expression spells: `a.b["c"]` is a, b, c. An index that is no text is `[]`.
fn path_of(expression: &IdedExpr) -> Option<Vec<String>> {
    match &expression.expr {
        Expr::Ident(name) => Some(vec![name.clone()]),
        Expr::Select(select) => {
            let mut path = path_of(&select.operand)?;
            path.push(select.field.clone());
            Some(path)
        }
        Expr::Call(call) if call.func_name == "_[_]" && call.target.is_none() => {
            let [of, index] = call.args.as_slice() else {
                return None;
            };
            let mut path = path_of(of)?;
            path.push(match &index.expr {
                Expr::Literal(LiteralValue::String(key)) => key.inner().to_owned(),
                _ => "[]".to_owned(),
            });
            Some(path)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn holds(source: &str, values: Json) -> Result<bool, String> {
        let condition = Condition::compile(source).unwrap();
        let Json::Object(values) = values else {
            panic!("values are a map");
        };
        condition.holds(&values).map_err(|why| why.to_string())
    }

    #[test]
    fn what_is_not_known_makes_nothing_true_or_false() {
        assert_eq!(holds("a.b < 5", json!({"a": {"b": 4}})), Ok(true));
        assert_eq!(holds("a.b < 5", json!({"a": {"b": 5.5}})), Ok(false));
        // In CEL itself null differs from 0, so that these two would hold.
        for source in ["a.b != 0", "!(a.b == 0)"] {
            let unknown = Err("a.b is not known".to_owned());
            assert_eq!(holds(source, json!({"a": {"b": null}})), unknown);
            assert_eq!(holds(source, json!({"a": null})), unknown);
        }
        let missing = json!({"a": {"not_observed": "nobody looked"}});
        assert_eq!(
            holds("a != 0", missing.clone()),
            Err("a is not known (nobody looked)".to_owned())
        );
        assert_eq!(
            holds("a.b != 0", missing.clone()),
            Err("a.b is not known (nobody looked)".to_owned())
        );
        assert_eq!(
            holds("a.not_observed == 'nobody looked'", missing),
            Ok(true)
        );
        assert!(
            holds("a.c == 0", json!({"a": {"b": 1}}))
                .unwrap_err()
                .starts_with("cannot be evaluated")
        );
        assert!(
            holds("a", json!({"a": 3}))
                .unwrap_err()
                .contains("not true or false")
        );
    }

    #[test]
    fn names_are_paths_and_macros_keep_their_own() {
        let names = |source: &str| {
            let condition = Condition::compile(source).unwrap();
            let joined = condition.names().iter().map(|path| path.join("."));
            joined.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names("a.b[\"c/d\"].e > 1 && f"), "a.b.c/d.e f");
        assert_eq!(names("a.b.exists(o, o.c > d) || a[0] == 1"), "a.b d a.[]");
    }

    #[test]
    fn values_are_said_once() {
        let condition = Condition::compile("a.b < 5 || a.b > 7 || c == 'x' || d == 1").unwrap();
        let Json::Object(values) = json!({"a": {"b": 6}, "c": "y", "d": null}) else {
            panic!("values are a map");
        };
        assert_eq!(
            condition.values(&values),
            "a.b is 6, c is \"y\", d is not known"
        );
    }
}
