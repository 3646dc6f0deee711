//! The report of a run of 24 hours.

use crate::day;
use crate::machine::{firedrill, largest_child_mib, median, scratch, timed};
use crate::row::Row;

const LIMIT_S: f64 = 2.0;
const LIMIT_MIB: f64 = 256.0;

pub fn measure() -> Vec<Row> {
    let folder = scratch();
    let (run, lines) = day::record(folder.path());
    let log = run.join(firedrill::event::log::FILE_NAME);
    let mib = log.metadata().expect("a log").len() as f64 / f64::from(1 << 20);
    let report = || {
        let (took, status) = timed(|| {
            let mut command = firedrill();
            command.arg("report").arg(&run).args(["-o", "json=-"]);
            command.status().expect("it starts")
        });
        assert!(status.success());
        took
    };
    let took = median((0..5).map(|_| report()).collect()).as_secs_f64();
    let peak = largest_child_mib();
    let what = format!(
        "`firedrill report` of a run of 24 h ({:.1} million lines, {mib:.0} MiB)",
        lines as f64 / 1e6
    );
    vec![
        Row::at_most(&what, took, LIMIT_S, &format!("{took:.2} s"), "2 s"),
        Row::at_most(
            "its memory at the most",
            peak,
            LIMIT_MIB,
            &format!("{peak:.0} MiB"),
            "256 MiB",
        ),
    ]
}
