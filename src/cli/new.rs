//! `firedrill new`.

use super::exit_code::Exit;
use super::failure::Failure;
use super::schema::write_schemas;
use super::terminal::Terminal;
use crate::drill::{draft, nearest, shipped};
use clap::{Args, ValueEnum};
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Where the schemas lie that a new file points its editor to, beside the file.
const SCHEMAS: &str = ".firedrill";

/// Write a drill file or a target file to start from, every field explained
///
/// The file passes `check` as it is. Beside it, in .firedrill/, the schemas are written by which an editor
/// with a YAML language server completes and checks it. An existing file is never overwritten.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  firedrill new drill our-crash
  firedrill new drill our-freeze --from primary-freeze -o drills/our-freeze.yaml
  firedrill new target staging -o -")]
pub struct NewArgs {
    /// Of what
    #[arg(value_enum)]
    pub what: NewWhat,

    /// Its name: lower-case letters, digits and hyphens
    #[arg(value_name = "NAME", default_value = "ours")]
    pub name: String,

    /// What to begin from: a shipped drill (default: primary-crash), or an example of a target (default:
    /// local)
    #[arg(long, value_name = "WHICH")]
    pub from: Option<String>,

    /// Where to write it. Default: NAME.yaml or NAME.target.yaml here; - for standard output
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// What can be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NewWhat {
    /// A drill: what to practise
    Drill,
    /// A target: where to practise
    Target,
}

/// Writes the file.
///
/// # Errors
/// When the name is none, when there is nothing of that name to begin from, or when the file is there
/// already or cannot be written.
pub fn new(args: &NewArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let name = name(&args.name)?;
    let schema = |kind: &str| format!("{SCHEMAS}/{kind}.schema.json");
    let (text, ending) = match args.what {
        NewWhat::Drill => {
            let from = args.from.as_deref().unwrap_or(draft::FIRST_DRILL);
            let text = draft::drill(name, from, &schema("drill"))
                .ok_or_else(|| unknown("drill", from, shipped::names().collect()))?;
            (text, "yaml")
        }
        NewWhat::Target => {
            let from = args.from.as_deref().unwrap_or("local");
            let text = draft::target(name, from, &schema("target"))
                .ok_or_else(|| unknown("example of a target", from, draft::targets().collect()))?;
            (text, "target.yaml")
        }
    };
    let file = match &args.output {
        Some(file) if file.as_os_str() == "-" => {
            terminal.answer(&text)?;
            terminal.say(&format!(
                "its editor finds the schemas after: firedrill schema --folder {SCHEMAS}"
            ));
            return Ok(Exit::Pass);
        }
        Some(file) => file.clone(),
        None => PathBuf::from(format!("{name}.{ending}")),
    };
    write(&file, &text)?;
    let beside = file.parent().unwrap_or(Path::new("")).join(SCHEMAS);
    write_schemas(&beside)?;
    terminal.say(&format!(
        "{} is there, and the schemas for its editor in {}\nnext: firedrill check {}",
        file.display(),
        beside.display(),
        file.display()
    ));
    Ok(Exit::Pass)
}

/// A name as drills have them.
fn name(given: &str) -> Result<&str, Failure> {
    let near = draft::as_name(given);
    if near == given && !near.is_empty() {
        return Ok(given);
    }
    let failure = Failure::usage(format!(
        "{given:?} is no name: lower-case letters, digits and hyphens, at most 60"
    ));
    Err(match near.as_str() {
        "" => failure,
        near => failure.hint(format!("call it {near}")),
    })
}

fn unknown(what: &str, given: &str, known: Vec<&'static str>) -> Failure {
    let failure = Failure::usage(format!("there is no {what} called {given:?}"));
    match nearest(given, known.iter().copied()) {
        Some(near) => failure.hint(format!("did you mean {near}?")),
        None => failure.hint(format!("there are: {}", known.join(", "))),
    }
}

/// Writes a file that was not there.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let opened = OpenOptions::new().write(true).create_new(true).open(path);
    match opened.and_then(|mut file| file.write_all(text.as_bytes())) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(Failure::usage(format!(
            "{} is there already, and nothing was written",
            path.display()
        ))
        .hint("give another name, or another file with -o")),
        Err(error) => Err(Failure::usage(format!(
            "{} cannot be written: {error}",
            path.display()
        ))),
    }
}
