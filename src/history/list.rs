//! `firedrill list`: one line per run.

use super::columns::columns;
use super::{PastRun, PastState};
use crate::figures;
use crate::report::wording;

/// The table, newest first as given; a sentence where there is no run.
#[must_use]
pub fn list_text(runs: &[PastRun]) -> String {
    if runs.is_empty() {
        return "no runs yet; begin with: firedrill demo\n".to_owned();
    }
    let header = ["RUN", "DRILL", "TARGET", "VERDICT", "DOWNTIME", "LOST"];
    let rows: Vec<[String; 6]> = runs.iter().map(row).collect();
    columns("", header, &rows)
}

fn row(run: &PastRun) -> [String; 6] {
    let none = || "–".to_owned();
    let (drill, target) = match run.began() {
        Some(began) => (began.plan.drill.clone(), began.target.kind.clone()),
        None => (none(), none()),
    };
    let result = run.result.as_ref();
    let downtime = result.and_then(wording::worst_downtime);
    let lost = result.and_then(|result| result.ledger.lost.count);
    [
        run.id.clone(),
        drill,
        target,
        verdict(run),
        downtime.map_or_else(none, |bounds| figures::bounds(&bounds)),
        lost.map_or_else(none, figures::number),
    ]
}

/// The verdict, or why there is none. What was not put back comes before every verdict.
fn verdict(run: &PastRun) -> String {
    match (&run.state, &run.result) {
        (PastState::Unreadable(_), _) => "unreadable".to_owned(),
        (PastState::Ended(_, ended), _) if !ended.not_undone.is_empty() => "NOT UNDONE".to_owned(),
        (PastState::Ended(..), Some(result)) => wording::headline(result).to_lowercase(),
        (PastState::Ended(_, ended), None) if ended.interrupted.is_some() => "stopped".to_owned(),
        (PastState::Ended(..), None) => "ended".to_owned(),
        (PastState::Unfinished(_), _) => "unfinished".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::past_run::tests::make;
    use crate::history::{all_runs, store_result};
    use crate::report::sample;
    use std::fs;

    #[test]
    fn runs_of_every_kind() {
        let runs = tempfile::tempdir().unwrap();
        let id = |day: u32| format!("202611{day}t100000-1a2b3c");
        for (day, result) in [
            (11, sample::pass()),
            (12, sample::loss()),
            (13, sample::calibration_met()),
            (14, sample::unended()),
            (15, sample::interrupted()),
        ] {
            let folder = make(runs.path(), &id(day), usize::MAX);
            store_result(&folder, &result).unwrap();
        }
        make(runs.path(), &id(16), usize::MAX);
        make(runs.path(), &id(17), 9);
        let broken = make(runs.path(), &id(18), 1);
        fs::write(broken.join("events.jsonl"), "hello\n").unwrap();
        insta::assert_snapshot!(list_text(&all_runs(runs.path()).unwrap()), @"
        RUN                     DRILL          TARGET  VERDICT      DOWNTIME     LOST
        20261118t100000-1a2b3c  –              –       unreadable   –            –
        20261117t100000-1a2b3c  primary-crash  local   unfinished   –            –
        20261116t100000-1a2b3c  primary-crash  local   ended        –            –
        20261115t100000-1a2b3c  primary-crash  local   stopped      0.40–0.45 s  –
        20261114t100000-1a2b3c  primary-crash  local   fail         > 60.00 s    0
        20261113t100000-1a2b3c  primary-crash  local   as expected  0.40–0.45 s  3
        20261112t100000-1a2b3c  primary-crash  local   fail         0.40–0.45 s  3
        20261111t100000-1a2b3c  primary-crash  local   pass         0.40–0.45 s  0
        ");
    }

    #[test]
    fn no_runs() {
        insta::assert_snapshot!(list_text(&[]), @"no runs yet; begin with: firedrill demo");
    }
}
