//! `-o FORMAT=FILE`: files are opened before a run begins and written after it.
//!
//! Opening changes nothing in a file that is there: a run that is refused must not cost the last report.

use super::{Format, PreviousFigure, UnknownFormat};
use crate::event::result::RunResult;
use crate::event::series::SeriesResult;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// One wanted report: a format and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The format.
    pub format: Format,
    /// The file; `None` is standard output.
    pub file: Option<PathBuf>,
}

/// What is wrong with a wanted report.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// No `=`, or nothing after it.
    #[error(
        "{given:?} is no output: write FORMAT=FILE, such as json=result.json, or json=- for standard output"
    )]
    Shape {
        /// What was given.
        given: String,
    },
    /// The format is unknown.
    #[error(transparent)]
    Format(#[from] UnknownFormat),
    /// Two reports would overwrite each other.
    #[error("two reports go to {place}: give each its own file")]
    Twice {
        /// The file, or "standard output".
        place: String,
    },
    /// The file cannot be opened.
    #[error("the {format} report cannot be written to {path}: {source}")]
    Open {
        /// The format.
        format: Format,
        /// The file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// The report could not be written.
    #[error("the {format} report could not be written to {place}: {source}")]
    Write {
        /// The format.
        format: Format,
        /// The file, or "standard output".
        place: String,
        /// Cause.
        source: io::Error,
    },
}

impl FromStr for Output {
    type Err = OutputError;

    fn from_str(given: &str) -> Result<Self, OutputError> {
        match given.split_once('=') {
            Some((format, file)) if !file.is_empty() => Ok(Self {
                format: format.parse()?,
                file: (file != "-").then(|| PathBuf::from(file)),
            }),
            _ => Err(OutputError::Shape {
                given: given.to_owned(),
            }),
        }
    }
}

impl Output {
    fn place(&self) -> String {
        match &self.file {
            Some(path) => path.display().to_string(),
            None => "standard output".to_owned(),
        }
    }
}

/// Opened outputs, waiting for their result.
#[derive(Debug, Default)]
pub struct Outputs {
    opened: Vec<Opened>,
}

#[derive(Debug)]
struct Opened {
    output: Output,
    file: Option<File>,
    /// A file that this run made and that is still empty, to be removed if it stays so.
    unused: Option<PathBuf>,
}

impl Drop for Opened {
    fn drop(&mut self) {
        if let Some(path) = self.unused.take() {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Opens all files, before anything is touched. A file that exists keeps its content until it is written.
///
/// # Errors
/// When two outputs go to one place, or a file cannot be opened for writing.
pub fn open_all(outputs: &[Output]) -> Result<Outputs, OutputError> {
    let mut opened = Vec::with_capacity(outputs.len());
    for (index, output) in outputs.iter().enumerate() {
        if outputs[..index]
            .iter()
            .any(|other| other.file == output.file)
        {
            return Err(OutputError::Twice {
                place: output.place(),
            });
        }
        let (file, unused) = match &output.file {
            None => (None, None),
            Some(path) => open(path)
                .map(|(file, made)| (Some(file), made.then(|| path.clone())))
                .map_err(|source| OutputError::Open {
                    format: output.format,
                    path: path.clone(),
                    source,
                })?,
        };
        opened.push(Opened {
            output: output.clone(),
            file,
            unused,
        });
    }
    Ok(Outputs { opened })
}

/// Opens for writing without a change to what is there; tells whether the file was made.
fn open(path: &Path) -> io::Result<(File, bool)> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => Ok((file, true)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let file = OpenOptions::new().write(true).open(path)?;
            Ok((file, false))
        }
        Err(error) => Err(error),
    }
}

impl Outputs {
    /// Whether one of them is standard output.
    #[must_use]
    pub fn use_stdout(&self) -> bool {
        self.opened
            .iter()
            .any(|opened| opened.output.file.is_none())
    }

    /// Writes every report; one that fails does not stop the others. `stdout` is where `-` goes. A reader
    /// of it that went away early is no error.
    #[must_use]
    pub fn write_all(
        self,
        result: &RunResult,
        previous: Option<&PreviousFigure>,
        stdout: &mut dyn Write,
    ) -> Vec<OutputError> {
        self.each(stdout, |format, text| {
            Some(format.reporter(previous).write(result, text))
        })
    }

    /// The same for a series of runs.
    #[must_use]
    pub fn write_series(self, series: &SeriesResult, stdout: &mut dyn Write) -> Vec<OutputError> {
        self.each(stdout, |format, text| {
            Some(super::series::write_series(format, series, text))
        })
    }

    /// For a drill that the target cannot do, so that nothing was touched: the JUnit reports say "skipped"
    /// with the reasons, and the other formats, which have no result to tell, write nothing.
    #[must_use]
    pub fn write_refused(
        self,
        drill: &str,
        target: &str,
        reasons: &[String],
        stdout: &mut dyn Write,
    ) -> Vec<OutputError> {
        self.each(stdout, |format, text| {
            (format == Format::Junit).then(|| super::write_refused(drill, target, reasons, text))
        })
    }

    fn each(
        self,
        stdout: &mut dyn Write,
        report: impl Fn(Format, &mut Vec<u8>) -> Option<io::Result<()>>,
    ) -> Vec<OutputError> {
        let mut errors = Vec::new();
        for mut opened in self.opened {
            // Worded in memory first: a file is either the whole report or as it was.
            let mut text = Vec::new();
            let Some(worded) = report(opened.output.format, &mut text) else {
                continue;
            };
            let written = worded.and_then(|()| opened.write(&text, stdout));
            match written {
                Err(error)
                    if error.kind() == io::ErrorKind::BrokenPipe
                        && opened.output.file.is_none() => {}
                Err(source) => errors.push(OutputError::Write {
                    format: opened.output.format,
                    place: opened.output.place(),
                    source,
                }),
                Ok(()) => {}
            }
        }
        errors
    }
}

impl Opened {
    fn write(&mut self, text: &[u8], stdout: &mut dyn Write) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            stdout.write_all(text)?;
            return stdout.flush();
        };
        self.unused = None;
        // A pipe or a device has no length to set and no place to go back to.
        if file.metadata()?.is_file() {
            file.set_len(0)?;
            file.rewind()?;
        }
        file.write_all(text)?;
        file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn output(text: String) -> Output {
        text.parse().unwrap()
    }

    /// A reader that went away.
    struct Gone(io::ErrorKind);

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn outputs_are_read() {
        let stdout = output("json=-".to_owned());
        assert_eq!((stdout.format, stdout.file), (Format::Json, None));
        let file = output("junit=a=b.xml".to_owned());
        assert_eq!(file.file, Some(PathBuf::from("a=b.xml")));
        insta::assert_snapshot!("json".parse::<Output>().unwrap_err(), @r#""json" is no output: write FORMAT=FILE, such as json=result.json, or json=- for standard output"#);
        assert!(
            "jsn=x"
                .parse::<Output>()
                .unwrap_err()
                .to_string()
                .contains("did you mean json")
        );
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_named_before_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing").join("result.json");
        let error = open_all(&[output(format!("json={}", path.display()))]).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("missing/result.json: No such file"),
            "{error}"
        );
    }

    #[test]
    fn two_reports_in_one_place_are_refused() {
        let both = ["json=-", "junit=-"].map(|text| text.parse().unwrap());
        let error = open_all(&both).unwrap_err();
        insta::assert_snapshot!(error, @"two reports go to standard output: give each its own file");
    }

    #[test]
    fn a_run_that_is_refused_leaves_the_last_report_and_no_empty_file() {
        let folder = tempfile::tempdir().unwrap();
        let old = folder.path().join("old.json");
        let new = folder.path().join("new.json");
        std::fs::write(&old, "last report").unwrap();
        let outputs = [&old, &new].map(|path| output(format!("json={}", path.display())));
        drop(open_all(&outputs).unwrap());
        assert_eq!(std::fs::read_to_string(&old).unwrap(), "last report");
        assert!(!new.exists());
    }

    #[test]
    fn a_shorter_report_replaces_a_longer_one_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result.json");
        std::fs::write(&path, "x".repeat(1_000_000)).unwrap();
        let outputs = open_all(&[output(format!("json={}", path.display()))]).unwrap();
        let errors = outputs.write_all(&sample::pass(), None, &mut Vec::new());
        assert!(errors.is_empty());
        let read: RunResult = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(read, sample::pass());
    }

    #[test]
    fn one_report_that_fails_does_not_stop_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result.xml");
        let outputs = ["json=-".to_owned(), format!("junit={}", path.display())].map(output);
        let opened = open_all(&outputs).unwrap();
        let errors = opened.write_all(&sample::pass(), None, &mut Gone(io::ErrorKind::StorageFull));
        assert_eq!(errors.len(), 1);
        assert!(
            errors[0]
                .to_string()
                .starts_with("the json report could not be written to standard output")
        );
        assert!(
            std::fs::read_to_string(&path)
                .unwrap()
                .contains("testsuite")
        );
    }

    #[test]
    fn a_reader_that_went_away_is_no_error() {
        let opened = open_all(&[output("json=-".to_owned())]).unwrap();
        assert!(opened.use_stdout());
        let errors = opened.write_all(&sample::pass(), None, &mut Gone(io::ErrorKind::BrokenPipe));
        assert!(errors.is_empty());
    }

    #[test]
    fn a_refused_drill_is_a_skipped_case_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let xml = folder.path().join("result.xml");
        let json = folder.path().join("result.json");
        let outputs = [
            format!("junit={}", xml.display()),
            format!("json={}", json.display()),
        ];
        let opened = open_all(&outputs.map(output)).unwrap();
        let reasons = ["power_off is not possible here".to_owned()];
        let errors = opened.write_refused("node-loss", "local", &reasons, &mut Vec::new());
        assert!(errors.is_empty());
        assert!(std::fs::read_to_string(&xml).unwrap().contains("<skipped"));
        assert!(!json.exists());
    }
}
