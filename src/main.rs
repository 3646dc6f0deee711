//! Parses, runs, and leaves with an exit code; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    firedrill::cli::main(std::env::args_os())
}
