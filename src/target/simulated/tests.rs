//! What a simulated server keeps and loses: histories, rows, and statements that nobody explained.

use super::node::{Node, WAL_BEGINS};
use super::rows::{Row, Rows};
use crate::clock::Clock;
use crate::event::Stamp;
use crate::fault::sql::{Note, Sql};
use crate::fault::{Fault, Hit};
use crate::role::NodeRef;
use crate::sql::Session;
use crate::target::{PowerOff, Target};
use crate::undo::Standing;
use std::sync::Arc;
use std::time::Duration;

fn row(seq: u64) -> Row {
    Row {
        run: Arc::from("r"),
        writer: 1,
        seq,
        sent_us: seq * 10,
    }
}

#[test]
fn two_histories_are_the_same_up_to_where_one_of_them_was_left() {
    let on = |timeline, left: &[(u32, u64)]| {
        let mut node = Node::new("a", 1);
        node.timeline = timeline;
        node.left = left.to_vec();
        node
    };
    let old = on(1, &[]);
    let new = on(2, &[(1, 500)]);
    let newer = on(4, &[(1, 500), (2, 700)]);
    let other = on(3, &[(1, 500)]);
    assert_eq!(old.parts_from(&on(1, &[])), u64::MAX);
    assert_eq!(old.parts_from(&new), 500);
    assert_eq!(new.parts_from(&newer), 700);
    assert_eq!(newer.parts_from(&other), 500, "both left the first there");
    assert_eq!(other.parts_from(&on(2, &[(1, 400)])), 400);
}

#[test]
fn what_is_cut_back_is_gone_and_is_told() {
    let mut node = Node::new("a", 1);
    let ends: Vec<u64> = (1..=5)
        .map(|seq| node.write(Some(row(seq)), Stamp(seq)))
        .collect();
    assert_eq!(node.rows.newest_us("r"), 50);
    let (bytes, gone) = node.cut_back(ends[2]);
    assert_eq!(bytes, ends[4] - ends[2]);
    assert_eq!(gone, [row(5), row(4)]);
    assert_eq!((node.written, node.rows.newest_us("r")), (ends[2], 30));
    assert_eq!(node.rows.all("r"), [(1, 1), (1, 2), (1, 3)]);
    assert_eq!(node.cut_back(WAL_BEGINS).1.len(), 3);
}

#[test]
fn rows_are_counted_beside_open_ranges_and_by_stretches_of_keys() {
    let mut rows = Rows::default();
    [1, 2, 4, 5].iter().for_each(|seq| rows.insert(&row(*seq)));
    let open = vec![(1, 4, 4), (2, 1, 9)];
    assert_eq!(rows.counts("r", &open), [(1, 3, 1, 5)]);
    assert_eq!(rows.inside("r", &open), [(1, 4)]);
    let mut others = rows.clone();
    others.remove(&row(4));
    others.insert(&row(3));
    let stretches = |rows: &Rows| rows.stretch_counts("r", &open, 1);
    assert_eq!(stretches(&rows), [(1, 0, 1, 1), (1, 1, 1, 1), (1, 2, 2, 1)]);
    assert_ne!(
        stretches(&rows),
        stretches(&others),
        "as many rows, and not the same"
    );
    assert!(rows.counts("another run", &open).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_change_of_a_drills_own_stands_until_it_is_undone() {
    let file = crate::drill::simulated::Simulated::default();
    let settings = super::SimulatedSettings::from(&file);
    let clock = Clock::of_runtime();
    let target = super::SimulatedTarget::start(&settings, "r", 7, clock).await;
    let target = target.unwrap();
    let step = Sql {
        undo: Some("drop table t".to_owned()),
        check: Some("select to_regclass('t') is null".to_owned()),
        ..question("create table t ()", None)
    };
    let hit = Hit {
        node: "node-1".to_owned(),
        role: "primary".to_owned(),
        timeline: 1,
    };
    let seen = crate::target::see_cluster(&target, clock, Duration::from_secs(1)).await;
    let undo = step.prepare(&target, &hit, &seen).await.unwrap();
    let undo = undo.as_ref();
    step.inject(&target, &hit, undo).await.unwrap();
    assert!(step.effect(&target, &hit, undo).await.unwrap().is_some());
    // Somebody's change that is there already is not this drill's.
    assert!(step.prepare(&target, &hit, &seen).await.is_err());
    undo.release(&target).await.unwrap();
    let standing = undo.standing(&target).await.unwrap();
    assert!(matches!(standing, Standing::Back(_)), "{standing:?}");
}

#[tokio::test(start_paused = true)]
async fn a_question_of_a_drills_own_is_not_run_and_the_note_says_so() {
    let file = crate::drill::simulated::Simulated::default();
    let settings = super::SimulatedSettings::from(&file);
    let clock = Clock::of_runtime();
    let target = super::SimulatedTarget::start(&settings, "r", 7, clock).await;
    let target = target.unwrap();
    let plain = question("select 17 + 4", None);
    let asked = plain.ask(&target, "node-1").await.unwrap();
    insta::assert_snapshot!(asked.note, @"node-1: not run, since a simulated server reads no SQL");
    let expecting = question("select 17 + 4", Some("22"));
    let asked = expecting.ask(&target, "node-1").await.unwrap();
    insta::assert_snapshot!(asked.note, @"node-1: not run, since a simulated server reads no SQL, and its answer is taken to be the expected one");
    assert_eq!(asked.unexpected, None);
    target
        .power()
        .unwrap()
        .power_off("node-1", PowerOff::Kill)
        .await
        .unwrap();
    assert!(plain.ask(&target, "node-1").await.is_err(), "it is down");
}

/// A statement that changes nothing.
fn question(run: &str, expect: Option<&str>) -> Sql {
    Sql {
        id: None,
        node: NodeRef::Primary,
        run: run.to_owned(),
        expect: expect.map(str::to_owned),
        note: Note::Rows,
        undo: None,
        check: None,
        changes: None,
        within: crate::drill::duration::Duration::from_secs(5),
    }
}

#[tokio::test(start_paused = true)]
async fn a_statement_that_does_not_say_what_it_asks_is_an_error_that_names_it() {
    let file = crate::drill::simulated::Simulated::default();
    let settings = super::SimulatedSettings::from(&file);
    let clock = Clock::of_runtime();
    let target = super::SimulatedTarget::start(&settings, "r", 7, clock).await;
    let target = target.unwrap();
    let second = Duration::from_secs(1);
    let way = target.act_access("node-1");
    let session = Session::connect(&way, second).await.unwrap();
    let error = session.query("select 17 + 4", second).await.unwrap_err();
    assert!(error.text.contains("select 17 + 4"), "{error}");
    assert!(!error.leaves_doubt(), "nothing can have been committed");
}
