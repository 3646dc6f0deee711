//! JUnit XML, for CI: one case per objective, and two about the run itself.
//!
//! pass is a success, fail a `failure`; what could not be judged and what an invalid run measured are
//! `error`s. A calibration whose expected failure came true is a success, because CI must be green
//! exactly when the exit code is 0. What the drill itself allows to be unobserved is `skipped`.

use super::{Reporter, loads, wording};
use crate::event::result::{ObjectiveResult, RunResult, Verdict};
use crate::event::series::SeriesResult;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::io::{self, Write};
use std::time::Duration;

/// Writes JUnit XML.
#[derive(Clone, Copy, Debug, Default)]
pub struct Junit;

impl Reporter for Junit {
    fn write(&self, result: &RunResult, out: &mut dyn Write) -> io::Result<()> {
        write([of_result(result)], out)
    }
}

impl Junit {
    /// Writes a series: one suite for each run.
    ///
    /// # Errors
    /// When `out` takes no more.
    pub fn write_series(series: &SeriesResult, out: &mut dyn Write) -> io::Result<()> {
        let suites = series.runs.iter().zip(1..).map(|(run, number)| {
            let mut suite = match series.was_drawn_again(run) {
                true => of_drawn_again(run),
                false => of_result(run),
            };
            // Suites of one name would be taken for one.
            suite.name = format!("{}#{number}", suite.name.as_str()).as_str().into();
            suite
        });
        write(suites, out)
    }
}

fn of_result(result: &RunResult) -> TestSuite {
    let class = class_name(&result.run.drill, &result.run.target);
    let mut suite = suite(result, &class);
    for objective in &result.objectives {
        let status = of_objective(result, objective);
        let mut case = case(&objective.name, &class, status);
        // A case that passed says nothing by itself, and its figure is what one comes to read.
        case.set_system_out(wording::objective(objective));
        suite.add_test_case(case);
    }
    suite.add_test_case(case("the run went as planned", &class, of_run(result)));
    suite.add_test_case(case("everything undone", &class, of_undo(result)));
    suite
}

/// A run that counts for nothing because another was drawn in its place; what it left is said all the same.
fn of_drawn_again(result: &RunResult) -> TestSuite {
    let class = class_name(&result.run.drill, &result.run.target);
    let mut suite = suite(result, &class);
    let mut status = TestCaseStatus::skipped();
    status.set_message(format!("drawn again: {}", result.reasons.join("; ")));
    suite.add_test_case(case("the run went as planned", &class, status));
    suite.add_test_case(case("everything undone", &class, of_undo(result)));
    suite
}

fn suite(result: &RunResult, class: &str) -> TestSuite {
    let mut suite = TestSuite::new(class);
    suite.add_property(("run", result.run.id.as_str()));
    suite.add_property(("started_at", result.run.started_at.as_str()));
    suite.add_property(("seed", result.run.seed.to_string().as_str()));
    suite.add_property(("verdict", wording::verdict(result.verdict)));
    // Nobody who reads only this file may take a rehearsal for a measurement.
    suite.add_property(("measured", result.environment.path.as_str()));
    for (id, line) in loads::lines(result) {
        suite.add_property((format!("load {id}").as_str(), line.as_str()));
    }
    let ended = result.steps.iter().filter_map(|step| step.end_ms);
    let seconds = ended.fold(0.0, f64::max) / 1000.0;
    suite.set_time(Duration::try_from_secs_f64(seconds).unwrap_or_default());
    suite
}

/// Writes a suite with one skipped case: the target cannot do the drill, and nothing was touched.
///
/// # Errors
/// When `out` takes no more.
pub fn write_refused(
    drill: &str,
    target: &str,
    reasons: &[String],
    out: &mut dyn Write,
) -> io::Result<()> {
    let class = class_name(drill, target);
    let mut status = TestCaseStatus::skipped();
    status.set_message(reasons.join("; "));
    let mut suite = TestSuite::new(&class);
    suite.add_test_case(case(drill, &class, status));
    write([suite], out)
}

fn class_name(drill: &str, target: &str) -> String {
    format!("firedrill.{target}.{drill}")
}

fn write(suites: impl IntoIterator<Item = TestSuite>, out: &mut dyn Write) -> io::Result<()> {
    let mut report = Report::new("firedrill");
    report.add_test_suites(suites);
    report.serialize(out).map_err(io::Error::other)
}

fn case(name: &str, class: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(class);
    case
}

fn not_good(kind: NonSuccessKind, message: &str, description: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(message);
    status.set_description(description);
    status
}

fn of_objective(result: &RunResult, objective: &ObjectiveResult) -> TestCaseStatus {
    use NonSuccessKind::{Error, Failure};
    let told = wording::objective(objective);
    let expected = result.expect.fail.as_deref() == Some(objective.name.as_str());
    match objective.verdict {
        Verdict::Fail if expected => TestCaseStatus::success(),
        Verdict::Fail => not_good(Failure, &told, &told),
        Verdict::Unknown => not_good(Error, "could not be judged", &told),
        Verdict::Invalid => not_good(Error, "the run is invalid", &told),
        // An invalid run proves no good: a figure within its limit counts only when timings do.
        Verdict::Pass if result.verdict == Verdict::Invalid => {
            let why = result.reasons.join("; ");
            not_good(Error, "the run is invalid", &format!("{told} ({why})"))
        }
        Verdict::Pass if expected => {
            let message = "this calibration expects the objective to fail, and it held";
            not_good(Failure, message, &told)
        }
        Verdict::Pass if objective.measured.observed().is_none() => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(told);
            status
        }
        Verdict::Pass => TestCaseStatus::success(),
    }
}

/// What no objective covers: a step that failed, a stop, a fault that was not applied, a disturbed observer.
fn of_run(result: &RunResult) -> TestCaseStatus {
    let why = result.reasons.join("\n");
    let told_by_objective = result
        .objectives
        .iter()
        .any(|objective| objective.verdict == result.verdict);
    if let Some(signal) = &result.undo.interrupted {
        return not_good(NonSuccessKind::Error, &format!("stopped by {signal}"), &why);
    }
    if let Some(by) = &result.called_off {
        return not_good(NonSuccessKind::Error, &format!("called off: {by}"), &why);
    }
    match result.verdict {
        Verdict::Invalid => not_good(NonSuccessKind::Error, "the run is invalid", &why),
        Verdict::Fail if !told_by_objective => {
            not_good(NonSuccessKind::Failure, "the drill failed", &why)
        }
        Verdict::Unknown if !told_by_objective => {
            not_good(NonSuccessKind::Error, "could not be judged", &why)
        }
        _ => TestCaseStatus::success(),
    }
}

fn of_undo(result: &RunResult) -> TestCaseStatus {
    if wording::is_safe(result) {
        return TestCaseStatus::success();
    }
    let message = wording::undone(result);
    let next = format!("firedrill undo {}", result.run.id);
    let told = format!("{}\nnext: {next}", result.undo.left.join("\n"));
    not_good(NonSuccessKind::Error, &message, told.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn written(result: &RunResult) -> String {
        let mut out = Vec::new();
        Junit.write(result, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_pass_is_all_successes() {
        insta::assert_snapshot!(written(&sample::pass()), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="firedrill" tests="8" skipped="0" failures="0" errors="0">
            <testsuite name="firedrill.local.primary-crash" tests="8" skipped="0" errors="0" failures="0" time="11.600">
                <properties>
                    <property name="run" value="20261123t012233-1a2b3c"/>
                    <property name="started_at" value="2026-11-23T01:22:33Z"/>
                    <property name="seed" value="7"/>
                    <property name="verdict" value="pass"/>
                    <property name="measured" value="clients over loopback through firedrill&apos;s router; not measured: DNS, TLS, a pooler"/>
                </properties>
                <testcase name="downtime" classname="firedrill.local.primary-crash">
                    <system-out>downtime: 0.40–0.45 s, demanded at most 30 s</system-out>
                </testcase>
                <testcase name="lost_commits" classname="firedrill.local.primary-crash">
                    <system-out>lost_commits: 0, demanded at most 0</system-out>
                </testcase>
                <testcase name="redundancy" classname="firedrill.local.primary-crash">
                    <system-out>redundancy: 1.21–1.29 s, demanded within 2 min</system-out>
                </testcase>
                <testcase name="two_writers" classname="firedrill.local.primary-crash">
                    <system-out>two_writers: 0, demanded at most 0</system-out>
                </testcase>
                <testcase name="phantom" classname="firedrill.local.primary-crash">
                    <system-out>phantom: 0, demanded at most 0</system-out>
                </testcase>
                <testcase name="divergence" classname="firedrill.local.primary-crash">
                    <system-out>divergence: 0, demanded at most 0</system-out>
                </testcase>
                <testcase name="the run went as planned" classname="firedrill.local.primary-crash"/>
                <testcase name="everything undone" classname="firedrill.local.primary-crash"/>
            </testsuite>
        </testsuites>
        "#);
    }

    #[test]
    fn a_loss_is_a_failure_of_its_objective_alone() {
        let text = written(&sample::loss());
        assert!(text.contains(r#"failures="1" errors="0""#), "{text}");
        assert!(
            text.contains("lost_commits: 3, demanded at most 0"),
            "{text}"
        );
    }

    #[test]
    fn a_calibration_that_was_met_is_green() {
        let text = written(&sample::calibration_met());
        assert!(text.contains(r#"failures="0" errors="0""#), "{text}");
    }

    #[test]
    fn a_calibration_that_did_not_fail_is_red() {
        let mut result = sample::pass();
        result.expect.fail = Some("lost_commits".to_owned());
        result.expect.met = false;
        let text = written(&result);
        assert!(text.contains(r#"failures="1" errors="0""#), "{text}");
    }

    #[test]
    fn what_could_not_be_judged_is_an_error() {
        let text = written(&sample::unknown());
        assert!(text.contains(r#"failures="0" errors="2""#), "{text}");
        assert!(text.contains("could not be judged"), "{text}");
    }

    #[test]
    fn an_invalid_run_proves_nothing_good() {
        let result = sample::invalid();
        let errors = result.objectives.len() + 1;
        let text = written(&result);
        assert!(
            text.contains(&format!(r#"failures="0" errors="{errors}""#)),
            "{text}"
        );
    }

    #[test]
    fn a_loss_in_an_invalid_run_stays_a_failure() {
        let mut result = sample::loss();
        result.verdict = Verdict::Invalid;
        assert!(written(&result).contains(r#"failures="1""#));
    }

    #[test]
    fn a_step_that_failed_is_seen_without_an_objective() {
        let mut result = sample::pass();
        result.verdict = Verdict::Fail;
        result.reasons = vec!["step fail_over-1: no failover within 60 s".to_owned()];
        let text = written(&result);
        assert!(text.contains("no failover within 60 s"), "{text}");
        assert!(text.contains(r#"failures="1""#), "{text}");
    }

    #[test]
    fn what_the_drill_allows_to_be_unobserved_is_skipped() {
        let mut result = sample::pass();
        let mut isolated = result.objectives[3].clone();
        isolated.name = "isolated_commits".to_owned();
        isolated.measured = crate::event::result::Known::missing("node-1 was not probed");
        result.objectives.push(isolated);
        let text = written(&result);
        assert!(
            text.contains(
                r#"<skipped message="isolated_commits: not observed: node-1 was not probed"#
            ),
            "{text}"
        );
    }

    #[test]
    fn an_incomplete_undo_says_what_to_do() {
        let text = written(&sample::not_undone());
        assert!(
            text.contains("firedrill undo 20261123t012233-1a2b3c"),
            "{text}"
        );
    }

    #[test]
    fn a_series_has_a_suite_for_each_run_and_is_green_without_the_invalid_ones() {
        let mut invalid = sample::invalid();
        invalid.run.id = "20261123t012133-1a2b3c".to_owned();
        let drawn = vec![(invalid, true), (sample::pass(), false)];
        let series = crate::measure::series::series_of(1, 7, drawn, None);
        let mut out = Vec::new();
        Junit::write_series(&series, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.contains(r#"skipped="1" failures="0" errors="0""#),
            "{text}"
        );
        for suite in ["primary-crash#1", "primary-crash#2"] {
            assert!(text.contains(suite), "{text}");
        }
        assert!(text.contains("drawn again: "), "{text}");
    }

    #[test]
    fn control_characters_do_not_break_the_file() {
        let mut result = sample::loss();
        result.objectives[1].note = Some("a\u{0}b & <c> \u{1b}[31m".to_owned());
        let text = written(&result);
        assert!(
            !text.contains('\u{0}') && text.contains("&lt;c&gt;"),
            "{text}"
        );
    }
}
