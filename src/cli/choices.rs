//! Choices that several subcommands share, so that each is spelled and explained once.

use crate::report::Output;
use clap::Args;
use std::path::PathBuf;

/// Which target, and values for variables.
#[derive(Args, Clone, Debug, Default)]
pub struct TargetChoice {
    /// Target file: where the drill happens. Default, and by the word `local`: a throw-away cluster of
    /// local processes
    #[arg(long, value_name = "FILE")]
    pub target: Option<PathBuf>,

    /// Value of a variable of the drill; wins over the target file's. May be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = crate::drill::parse_set)]
    pub set: Vec<(String, String)>,
}

/// Where runs are kept.
#[derive(Args, Clone, Debug, Default)]
pub struct RunsChoice {
    /// Folder that holds the runs. Default: firedrill/runs in your state directory
    #[arg(
        long,
        value_name = "DIR",
        env = "FIREDRILL_RUNS_DIR",
        hide_env_values = true
    )]
    pub runs_dir: Option<PathBuf>,
}

/// Which reports.
#[derive(Args, Clone, Debug, Default)]
pub struct ReportChoice {
    /// Write a report: terminal, json, junit or markdown; FILE may be - for standard output. May be
    /// repeated
    #[arg(short = 'o', long = "output", value_name = "FORMAT=FILE")]
    pub outputs: Vec<Output>,
}
