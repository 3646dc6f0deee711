//! `firedrill completions`.

use super::exit_code::Exit;
use super::failure::Failure;
use super::terminal::Terminal;
use clap::Args;
use clap_complete::Shell;

/// Print a completion script for your shell
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  firedrill completions bash > ~/.local/share/bash-completion/completions/firedrill")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Prints the script.
///
/// # Errors
/// When standard output cannot be written.
pub fn completions(args: &CompletionsArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    // Generated into memory first: clap_complete panics when it cannot write, such as into a closed pipe.
    let mut script = Vec::new();
    clap_complete::generate(
        args.shell,
        &mut super::description(),
        "firedrill",
        &mut script,
    );
    terminal.answer_by(|out| out.write_all(&script))?;
    Ok(Exit::Pass)
}
