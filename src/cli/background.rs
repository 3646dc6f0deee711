//! `firedrill background`: not for people. A run starts its load by way of it.

use super::exit_code::Exit;
use super::failure::Failure;
use clap::Args;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Become a program that ends when the run that asked for it dies
#[derive(Args, Debug)]
pub struct BackgroundArgs {
    /// The process id of the run
    #[arg(long, value_name = "PID")]
    pub parent: u32,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "WORD")]
    pub run: Vec<String>,
}

/// Becomes the program.
///
/// # Errors
/// When there is no such program, or its run is gone already.
pub fn background(args: &BackgroundArgs) -> Result<Exit, Failure> {
    end_with_parent()?;
    // It may have died before it could be watched.
    if std::os::unix::process::parent_id() != args.parent {
        return Err(Failure::target("the run is gone"));
    }
    let [program, words @ ..] = args.run.as_slice() else {
        return Err(Failure::usage("there is no program to run"));
    };
    let error = Command::new(program).args(words).exec();
    Err(Failure::target(format!("{program}: {error}")))
}

#[cfg(target_os = "linux")]
fn end_with_parent() -> Result<(), Failure> {
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL).map_err(|error| {
        Failure::target(format!("the program cannot be bound to its run: {error}"))
    })
}

/// Elsewhere the kernel has no such thing; the run ends its load on every way out but its own sudden death.
#[cfg(not(target_os = "linux"))]
fn end_with_parent() -> Result<(), Failure> {
    Ok(())
}
