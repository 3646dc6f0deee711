//! One line of input is a request, one line of output its answer, until the input ends.

use std::io::{BufRead as _, Error, ErrorKind, Write as _};
use std::time::Duration;

/// After this it ends in any case; who still needs it starts another.
const LONGEST: Duration = Duration::from_secs(1800);

/// Says hello, and answers until its input ends.
pub fn serve(hello: &str, mut answer: impl FnMut(&str) -> std::io::Result<String>) {
    let end = std::thread::Builder::new().stack_size(64 * 1024);
    let _ = end.spawn(|| {
        std::thread::sleep(LONGEST);
        std::process::exit(0);
    });
    if say(hello).is_err() {
        return;
    }
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else {
            return;
        };
        let answer = match answer(&line) {
            Ok(answer) => answer,
            Err(error) => format!("error: {error}"),
        };
        if say(&answer).is_err() {
            return;
        }
    }
}

fn say(line: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush())
}

/// What was asked for is none.
pub fn wrong(why: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, why.to_owned())
}
