//! Between which moments a change of the leader key lies.

use super::*;

fn members(leader: Option<&str>) -> Vec<Member> {
    ["pg1", "pg2"]
        .map(|name| Member {
            name: name.to_owned(),
            leads: leader == Some(name),
        })
        .into()
}

fn said(changes: &[StackSaw]) -> Vec<String> {
    let line = |saw: &StackSaw| {
        let StackSaw {
            what,
            node,
            last_negative,
            first_positive,
            ..
        } = saw;
        format!(
            "{what:?} {node} between {} and {}",
            last_negative.0, first_positive.0
        )
    };
    changes.iter().map(line).collect()
}

#[test]
fn a_change_lies_between_the_last_question_before_and_the_first_answer_after() {
    let mut watch = Watch {
        names: vec![("pg2".to_owned(), "postgres-2".to_owned())],
        ..Watch::default()
    };
    let mut hear = |leader, asked, answered| {
        said(&watch.hear(&members(leader), Stamp(asked), Stamp(answered)))
    };
    assert!(
        hear(Some("pg1"), 100, 110).is_empty(),
        "the first answer is no change"
    );
    assert!(hear(Some("pg1"), 200, 210).is_empty());
    assert_eq!(hear(None, 300, 310), ["LeaderLost pg1 between 200 and 310"]);
    // Asked before the change was heard of, answered after it.
    assert!(hear(Some("pg1"), 290, 320).is_empty());
    assert!(hear(None, 400, 410).is_empty());
    assert_eq!(
        hear(Some("pg2"), 500, 510),
        ["LeaderNamed postgres-2 between 400 and 510"]
    );
    let both = [
        "LeaderLost postgres-2 between 500 and 610",
        "LeaderNamed pg1 between 500 and 610",
    ];
    assert_eq!(hear(Some("pg1"), 600, 610), both);
}
