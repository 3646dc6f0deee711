//! Files that cannot be read at all, and hostile ones.

use super::*;
use std::fmt::Write as _;

#[test]
fn a_good_drill_has_nothing_said_about_it() {
    assert_eq!(said(&format!("{HEAD}{DEMAND}{STEPS}")), "nothing");
}

#[test]
fn broken_yaml() {
    insta::assert_snapshot!(steps("  - baseline: { for: 5s\n  - kill: [\n"), @r#"
     × while parsing a flow mapping, did not find expected ',' or '}'
      ╭─[drill.yaml:8:9]
    7 │   - baseline: { for: 5s
    8 │   - kill: [
      ·         ─
      ╰────
    "#);
}

#[test]
fn empty_file() {
    insta::assert_snapshot!(said(""), @"  × drill.yaml holds no YAML document");
}

#[test]
fn second_document() {
    insta::assert_snapshot!(said(&format!("{HEAD}{DEMAND}{STEPS}---\nversion: 1\n")), @r#"
     × there is a second document
       ╭─[drill.yaml:12:1]
    11 │ ---
    12 │ version: 1
       · ───┬───
       ·    ╰── one file holds one document
       ╰────
    "#);
}

#[test]
fn newer_version() {
    insta::assert_snapshot!(said("version: 2\nname: mine\nnew_field: 1\n"), @r#"
     × version 2 is not known to this firedrill
      ╭─[drill.yaml:1:10]
    1 │ version: 2
      ·          ┬
      ·          ╰── expected 1
    2 │ name: mine
      ╰────
     help: a newer firedrill may know it
    "#);
}

#[test]
fn hostile_files() {
    let mut all = said(&format!("a: {}1{}", "[".repeat(5000), "]".repeat(5000)));
    let deep: String = (0..60)
        .map(|depth| format!("{}a:\n", " ".repeat(depth)))
        .collect();
    let _ = write!(all, "{}", said(&deep));
    let mut bomb = "a: &a [1,1,1,1,1,1,1,1,1]\n".to_owned();
    for (one, next) in "abcdefgh".chars().zip("bcdefghi".chars()) {
        let _ = writeln!(
            bomb,
            "{next}: &{next} [{}]",
            vec![format!("*{one}"); 9].join(",")
        );
    }
    let _ = write!(all, "{}", said(&bomb));
    let _ = write!(all, "{}", said(&"x".repeat(1024 * 1024 + 1)));
    insta::assert_snapshot!(all, @r#"
    drill.yaml:1:259: error: the file is nested too deep
    no drill needs this; write it out plainly
      × the file is too deep, too large, or repeats itself too often
        ╭─[drill.yaml:17:17]
     16 │                a:
     17 │                 a:
        ·                 ─
     18 │                  a:
        ╰────
      help: no drill needs this; write it out plainly
      × the file is too deep, too large, or repeats itself too often
       ╭─[drill.yaml:1:18]
     1 │ a: &a [1,1,1,1,1,1,1,1,1]
       ·                  ─
     2 │ b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]
       ╰────
      help: no drill needs this; write it out plainly
      × drill.yaml is larger than 1 MiB
      help: no drill needs this; is it the right file?
    "#);
}

proptest::proptest! {
    /// Whatever is in a file, it is answered, within its budget, and every place can be shown.
    #[test]
    fn any_text_is_answered(
        text in "(version: 1\\n)?(name: x\\n)?[-:{}\\[\\],&*#'\"|>%!$a-d \\n\u{e9}]{0,120}",
    ) {
        let _ = said(&text);
        let _ = target(&text);
        let _ = kind_of(&text);
    }

    /// A good drill with a piece of it replaced by anything.
    #[test]
    fn any_broken_drill_is_answered(from in 0usize..190, length in 0usize..20, piece in "[-:{}\\[\\]$ a-z0-9\\n]{0,12}") {
        let mut text = format!("{HEAD}variables: {{ limit: 30s }}\nobjectives:\n  - downtime: {{ at_most: \"${{limit}}\" }}\n{STEPS}");
        let end = (from + length).min(text.len());
        text.replace_range(from.min(end)..end, &piece);
        let _ = said(&text);
    }
}

#[test]
fn target_of_a_later_kind() {
    insta::assert_snapshot!(target("version: 1\nkubernetes:\n  drillable: true\n"), @"
     × kubernetes comes later: this version supports local, docker, simulated
      ╭─[my.target.yaml:2:1]
    1 │ version: 1
    2 │ kubernetes:
      · ──────────
    3 │   drillable: true
      ╰────
     help: without a target file, drills run on a throw-away cluster on this machine
    ");
}

#[test]
fn files_that_cannot_be_read() {
    let wrong = |name| load(name, &Given::default()).unwrap_err();
    let all = ["primary-crahs", "./nothing.yaml"].map(|name| render(&wrong(name), false, 100));
    insta::assert_snapshot!(all.concat(), @r#"
    × there is no drill primary-crahs, and no file of this name
    help: did you mean primary-crash?
    × ./nothing.yaml: No such file or directory (os error 2)
    "#);
}
