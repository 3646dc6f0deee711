//! Variables that are not there, do not fit, or stand where none may.

use super::*;

#[test]
fn unknown_variable() {
    insta::assert_snapshot!(said(&format!(
        "{HEAD}variables: {{ downtime_limit: 30s }}\nobjectives:\n  - downtime: {{ at_most: \"${{downtimelimit}}\" }} # ${{not_looked_at}}\n{STEPS}"
    )), @r#"
     × there is no variable downtimelimit
      ╭─[drill.yaml:6:27]
    5 │ objectives:
    6 │   - downtime: { at_most: "${downtimelimit}" } # ${not_looked_at}
      ·                           ────────┬───────
      ·                                   ╰── did you mean ${downtime_limit}?
    7 │ steps:
      ╰────
     help: this drill's variables are: downtime_limit
    "#);
}

#[test]
fn value_of_a_variable_that_does_not_fit() {
    insta::assert_snapshot!(said(&format!(
        "{HEAD}variables: {{ limit: soon }}\nobjectives:\n  - downtime: {{ at_most: ${{limit}} }}\n{STEPS}"
    )), @r#"
     × "soon" is no duration: write a whole number and ms, s, m or h, such as 500ms, 30s, 2m
      ╭─[drill.yaml:6:26]
    5 │ objectives:
    6 │   - downtime: { at_most: ${limit} }
      ·                          ────────
    7 │ steps:
      ╰────
     help: ${limit} stands for soon here
    "#);
}

#[test]
fn mistake_behind_a_variable_on_the_same_line() {
    insta::assert_snapshot!(said(&format!(
        "{HEAD}variables: {{ a_rather_long_name: 1s }}\nobjectives:\n  - downtime: {{ at_most: \"${{a_rather_long_name}}\", off: x }}\n{STEPS}"
    )), @r#"
     × there is no field off here
      ╭─[drill.yaml:6:51]
    5 │ objectives:
    6 │   - downtime: { at_most: "${a_rather_long_name}", off: x }
      ·                                                   ─┬─
      ·                                                    ╰── did you mean of?
    7 │ steps:
      ╰────
     help: here can be: at_most, of
    "#);
}

#[test]
fn variable_that_would_change_the_file() {
    let given = Given {
        set: vec![
            ("limit".to_owned(), "1s, of: writer_fresh".to_owned()),
            ("limits".to_owned(), "1".to_owned()),
        ],
        ..Given::default()
    };
    insta::assert_snapshot!(said_given(&format!(
        "{HEAD}variables: {{ limit: 1s }}\nobjectives:\n  - downtime: {{ at_most: ${{limit}} }}\n{STEPS}"
    ), &given), @r#"
    × --set names limits, and the drill has no variable of this name
    help: did you mean limit? this drill's variables are: limit

    × the value of limit (from --set) has a character that could change the file's structure
    help: a value is a word, a number or a few words: letters, digits and _ . / % + - : only
    "#);
}

#[test]
fn variables_in_odd_places() {
    insta::assert_snapshot!(said(&format!(
        "{HEAD}variables: {{ a: 1s, b: \"${{a}}\" }}\n${{a}}: 5\nwhy: ${{}}\n{DEMAND}{STEPS}"
    )), @r#"
     × a variable cannot be used here
      ╭─[drill.yaml:4:25]
    3 │ summary: a drill
    4 │ variables: { a: 1s, b: "${a}" }
      ·                         ────
    5 │ ${a}: 5
      ╰────
     help: ${name} may stand in the values of a file, not in its keys and not in other variables

     × a variable cannot be used here
      ╭─[drill.yaml:5:1]
    4 │ variables: { a: 1s, b: "${a}" }
    5 │ ${a}: 5
      · ────
    6 │ why: ${}
      ╰────
     help: ${name} may stand in the values of a file, not in its keys and not in other variables

     × this is no variable
      ╭─[drill.yaml:6:6]
    5 │ ${a}: 5
    6 │ why: ${}
      ·      ─┬─
      ·       ╰── expected ${name}
    7 │ objectives:
      ╰────
     help: a name has letters, digits and underscores; write $${ for a plain ${
    "#);
}
