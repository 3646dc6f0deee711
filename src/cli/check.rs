//! `firedrill check`.

use super::choices::TargetChoice;
use super::exit_code::Exit;
use super::failure::Failure;
use super::files;
use super::terminal::Terminal;
use crate::drill::{self, Kind};
use clap::Args;

/// Check drill files and target files for mistakes
///
/// Each mistake is underlined in the file, with what was expected. Nothing is connected to.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  firedrill check drills/*.yaml examples/*.yaml
  firedrill check my-drill.yaml --target staging.target.yaml")]
pub struct CheckArgs {
    /// Drill files, target files, or names of drills that are shipped. Default: all that are shipped
    #[arg(value_name = "FILE")]
    pub files: Vec<String>,

    #[command(flatten)]
    pub target: TargetChoice,
}

/// Checks files, all of them, whatever is wrong with the first.
///
/// # Errors
/// When one is wrong.
pub fn check(args: &CheckArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let target = files::target(&args.target, terminal)?;
    let names: Vec<&str> = match args.files.as_slice() {
        [] => drill::shipped::names().collect(),
        files => files.iter().map(String::as_str).collect(),
    };
    let mut wrong = 0_usize;
    for name in &names {
        match files::either(name, &args.target, &target, terminal) {
            Ok(Kind::Drill) => terminal.say(&format!("ok: {name}")),
            Ok(Kind::Target) => terminal.say(&format!("ok: {name} (target)")),
            Err(failure) => {
                wrong += 1;
                failure.say(terminal);
            }
        }
    }
    match wrong {
        0 => Ok(Exit::Pass),
        _ => {
            if names.len() > 1 {
                terminal.say(&format!("{wrong} of {} files are wrong", names.len()));
            }
            Ok(Exit::Usage)
        }
    }
}
