//! `firedrill doctor`.

#[cfg(feature = "docker")]
mod containers;
mod finding;
mod folders;
mod machine;
mod postgresql;
mod unfinished;

use super::choices::RunsChoice;
use super::exit_code::Exit;
use super::failure::Failure;
use super::state;
use super::terminal::Terminal;
use crate::target::local::Account;
use clap::Args;
use etcetera::BaseStrategy;
use finding::{Finding, Level};

/// Look at this machine: can a local drill run here?
///
/// Each line is ok, warn or fail, with what to do. Nothing is installed, downloaded or changed. Without a container
/// engine only drills on containers cannot run, which is a warning. Exit code 5 when a local drill cannot run.
#[derive(Args, Debug)]
pub struct DoctorArgs {
    #[command(flatten)]
    pub runs: RunsChoice,
}

/// Looks at the machine.
///
/// # Errors
/// When standard output cannot be written.
pub fn doctor(args: &DoctorArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let findings = look(args);
    terminal.answer(&finding::text(&findings, terminal.output_style()))?;
    if findings.iter().any(|finding| finding.level == Level::Fail) {
        return Ok(Exit::Target);
    }
    terminal.say("a local drill can run here; try: firedrill demo");
    Ok(Exit::Pass)
}

fn look(args: &DoctorArgs) -> Vec<Finding> {
    let temporary = std::env::temp_dir();
    let mut findings = vec![machine::system(), machine::processors()];
    match Account::choose() {
        Ok(account) => {
            findings.push(postgresql::account(&account));
            findings.push(postgresql::installation(&account));
            findings.extend(postgresql::passable("tmp", &temporary, &account));
        }
        Err(error) => findings.push(Finding::fail(
            "user",
            error.to_string(),
            "run firedrill as an ordinary user",
        )),
    }
    let writable = folders::writable;
    findings.push(writable(
        "tmp",
        &temporary,
        "set TMPDIR to a folder that can be written",
    ));
    match state::runs_dir(&args.runs) {
        Ok(dir) => {
            findings.push(writable(
                "runs",
                &dir,
                "give another folder with --runs-dir",
            ));
            findings.push(unfinished::runs(&dir, state::registry().as_ref()));
        }
        Err(failure) => findings.push(Finding::fail("runs", failure.message, "give --runs-dir")),
    }
    if let Ok(base) = etcetera::choose_base_strategy() {
        let cache = base.cache_dir().join("firedrill");
        findings.push(writable(
            "cache",
            &cache,
            "set XDG_CACHE_HOME to a folder that can be written",
        ));
    }
    findings.push(machine::disk(&temporary));
    findings.push(machine::ports());
    #[cfg(feature = "docker")]
    findings.push(containers::engine());
    findings
}
