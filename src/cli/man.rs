//! `firedrill man`.

use super::exit_code::Exit;
use super::failure::Failure;
use super::terminal::Terminal;
use clap::Args;
use std::path::PathBuf;

/// Print the man page, or write one per subcommand into a folder
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  firedrill man | man -l -
  firedrill man --folder ~/.local/share/man/man1")]
pub struct ManArgs {
    /// Write firedrill.1 and one page per subcommand here instead
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

/// Prints or writes man pages.
///
/// # Errors
/// When they cannot be written.
pub fn man(args: &ManArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let description = super::description();
    match &args.folder {
        None => {
            let page = clap_mangen::Man::new(description);
            terminal.answer_by(|mut out| page.render(&mut out))?;
        }
        Some(folder) => {
            let cannot = |error: std::io::Error| {
                Failure::usage(format!(
                    "man pages cannot be written to {}: {error}",
                    folder.display()
                ))
            };
            std::fs::create_dir_all(folder).map_err(cannot)?;
            clap_mangen::generate_to(description, folder).map_err(cannot)?;
            terminal.say(&format!("man pages written to {}", folder.display()));
        }
    }
    Ok(Exit::Pass)
}
