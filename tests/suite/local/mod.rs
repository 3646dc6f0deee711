//! The program on a real throw-away cluster.

mod asked;
mod brought;
mod doctor;
mod drills;
mod extras;
mod full_disk;
mod further_drills;
mod known_outages;
mod language;
mod late_steps;
mod neighbours;
mod own_limit;
mod past_runs;
mod refusals;
mod secrets;
mod series;

use crate::support::Firedrill;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The time that a whole drill may take on a busy machine.
const LONG: Duration = Duration::from_secs(200);

/// The programs of a PostgreSQL, as far as firedrill looks at them.
const PROGRAMS: [&str; 7] = [
    "initdb",
    "postgres",
    "pg_ctl",
    "pg_basebackup",
    "pg_rewind",
    "pg_controldata",
    "pg_waldump",
];

/// A folder of programs, which every user may enter, with a script each.
fn programs(firedrill: &Firedrill, script: &dyn Fn(&str) -> String) -> PathBuf {
    let bin = firedrill.home().join("bin");
    std::fs::create_dir(&bin).expect("a fresh folder");
    for program in PROGRAMS {
        let path = bin.join(program);
        std::fs::write(&path, script(program)).expect("an own folder");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&path, mode).expect("own file");
    }
    bin
}

/// The same around the programs of the PostgreSQL that is used here; `None` where that one is fetched.
fn programs_beside(
    firedrill: &Firedrill,
    script: &dyn Fn(&str, &Path) -> String,
) -> Option<PathBuf> {
    let doctor = firedrill.run(&["doctor"]);
    let Some((_, found)) = doctor.stdout.split_once(" at /") else {
        println!("skipped: no installed PostgreSQL ({})", doctor.stdout);
        return None;
    };
    let real = PathBuf::from(format!("/{}", found.split_whitespace().next()?));
    Some(programs(firedrill, &|program| {
        script(program, &real.join(program))
    }))
}

/// Whether a local cluster can run here; says why not, where it cannot. `FIREDRILL_TEST_REQUIRE=local`
/// makes that a failure. A machine without PostgreSQL fetches it, so only one without both is skipped.
pub fn available() -> bool {
    let found = Firedrill::new().run(&["doctor"]);
    if found.code == Some(0) {
        return true;
    }
    let required = std::env::var("FIREDRILL_TEST_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|kind| kind == "local"),
        "no local cluster can run here:\n{}{}",
        found.stdout,
        found.stderr
    );
    println!("skipped: no local cluster can run here (firedrill doctor says why)");
    false
}
