//! `firedrill schema`.

use super::exit_code::Exit;
use super::failure::Failure;
use super::terminal::Terminal;
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

/// Print the schema of a drill file, a target file or a result, or the ledger's SQL
///
/// The schemas are JSON Schema; editors use them to complete and check files. The ledger's SQL is what a
/// database administrator runs where firedrill may not create the ledger itself.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  firedrill schema drill > drill.schema.json
  firedrill schema --folder .firedrill
  firedrill schema ledger | psql firedrill

An editor with a YAML language server takes the schema of a file from its first line:
  # yaml-language-server: $schema=.firedrill/drill.schema.json")]
pub struct SchemaArgs {
    /// Of what
    #[arg(value_enum, required_unless_present = "folder")]
    pub of: Option<SchemaOf>,

    /// Write all JSON Schemas here instead, as KIND.schema.json
    #[arg(long, value_name = "DIR", conflicts_with = "of")]
    pub folder: Option<PathBuf>,
}

/// What there are schemas of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// Drill files
    Drill,
    /// Target files
    Target,
    /// Results (-o json=FILE)
    Result,
    /// Results of several runs (--repeat N -o json=FILE)
    Results,
    /// The table that acknowledged commits are counted in, as SQL
    Ledger,
}

impl SchemaOf {
    fn text(self) -> String {
        match self {
            Self::Drill => pretty(&crate::drill::schema::drill_schema()),
            Self::Target => pretty(&crate::drill::schema::target_schema()),
            Self::Result => pretty(&crate::report::result_schema()),
            Self::Results => pretty(&crate::report::results_schema()),
            Self::Ledger => include_str!("../load/ledger.sql").to_owned(),
        }
    }

    /// The name of its file, where it is a JSON Schema.
    fn file_name(self) -> Option<String> {
        let kind = self.to_possible_value()?;
        (self != Self::Ledger).then(|| format!("{}.schema.json", kind.get_name()))
    }
}

/// Prints a schema, or writes them all.
///
/// # Errors
/// When standard output or a file cannot be written.
pub fn schema(args: &SchemaArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    if let Some(of) = args.of {
        terminal.answer(&of.text())?;
    }
    if let Some(folder) = &args.folder {
        write_schemas(folder)?;
        terminal.say(&format!("schemas written to {}", folder.display()));
    }
    Ok(Exit::Pass)
}

/// Writes all JSON Schemas into a folder, which is made where it is not there. Older ones are replaced: they
/// belong to the program and not to whoever uses it.
///
/// # Errors
/// When one cannot be written.
pub fn write_schemas(folder: &Path) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| {
        Failure::usage(format!(
            "schemas cannot be written to {}: {error}",
            folder.display()
        ))
    };
    std::fs::create_dir_all(folder).map_err(cannot)?;
    for of in SchemaOf::value_variants() {
        if let Some(name) = of.file_name() {
            std::fs::write(folder.join(name), of.text()).map_err(cannot)?;
        }
    }
    Ok(())
}

fn pretty(schema: &serde_json::Value) -> String {
    format!("{schema:#}\n")
}
