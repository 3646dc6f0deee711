//! What a session says of real servers, dead ports, and listeners that never answer.

use super::test_server::{TestServer, refusing_port};
use super::{Address, Session};
use crate::event::slots::ErrorClass;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

const SECOND: Duration = Duration::from_secs(1);

fn local(port: u16) -> Address {
    Address {
        host: "127.0.0.1".into(),
        port,
        user: "postgres".into(),
        password: None,
        database: "postgres".into(),
        application: "test".into(),
        simulated: None,
        way: None,
    }
}

#[tokio::test]
async fn a_listener_that_never_answers_is_a_startup_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let error = Session::connect(&local(port), Duration::from_millis(80))
        .await
        .unwrap_err();
    assert_eq!(error.class, ErrorClass::StartupDeadline);
    assert!(!error.sent);
    insta::assert_snapshot!(error, @"start-up: no answer in 80 ms");
}

#[tokio::test]
async fn a_port_without_a_listener_refuses() {
    let (_held, port) = refusing_port();
    let error = Session::connect(&local(port), SECOND).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Refused);
    let socket = Address {
        host: "/nowhere".into(),
        ..local(port)
    };
    let error = Session::connect(&socket, SECOND).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Refused);
}

#[tokio::test]
async fn a_connection_closed_during_startup_is_a_reset() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let closes = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut start = [0; 8];
        stream.read_exact(&mut start).await.unwrap();
    };
    let address = local(port);
    let (error, ()) = tokio::join!(Session::connect(&address, SECOND), closes);
    assert_eq!(error.unwrap_err().class, ErrorClass::Reset);
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_dns() {
    let nowhere = Address {
        host: "no-such-host.invalid".into(),
        ..local(5432)
    };
    let error = Session::connect(&nowhere, 5 * SECOND).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Dns);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_server_answers_and_its_errors_are_sorted() {
    let Some(server) = TestServer::primary(&[]).await else {
        return;
    };
    let session = server.session().await;
    let answer = session
        .query("select pg_backend_pid(), null, 'x'", SECOND)
        .await
        .unwrap();
    assert_eq!(
        answer.rows,
        [[Some(session.backend().to_string()), None, Some("x".into())]]
    );

    let answer = session
        .query(
            "do $$begin raise warning 'w' using errcode = '01000'; end$$",
            SECOND,
        )
        .await
        .unwrap();
    assert_eq!(answer.notices, ["01000"]);
    let answer = session.query("select 1", SECOND).await.unwrap();
    assert!(answer.notices.is_empty(), "notices belong to one statement");

    let error = session.query("selec 1", SECOND).await.unwrap_err();
    assert_eq!(error.state.as_deref(), Some("42601"));
    assert!(!error.leaves_doubt());
    insta::assert_snapshot!(error, @r#"ERROR: syntax error at or near "selec""#);
    session
        .query("select 1", SECOND)
        .await
        .expect("still usable");

    let mut pairs = Vec::new();
    session
        .copy_pairs(
            "select g::int, g::bigint * 2 from generate_series(1, 3) g",
            SECOND,
            |a, b| {
                pairs.push((a, b));
            },
        )
        .await
        .unwrap();
    assert_eq!(pairs, [(1, 2), (2, 4), (3, 6)]);

    let error = session
        .query("select pg_sleep(5)", Duration::from_millis(50))
        .await
        .unwrap_err();
    assert_eq!(error.class, ErrorClass::StatementDeadline);
    assert!(error.leaves_doubt());

    let victim = server.session().await;
    server
        .ask(&format!(
            "select pg_terminate_backend({})",
            victim.backend()
        ))
        .await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let error = victim.query("select 1", SECOND).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Terminated);
    assert!(
        !error.leaves_doubt(),
        "nothing was sent into a closed session"
    );

    let socket = Address {
        host: server.path().display().to_string(),
        ..server.address()
    };
    let session = Session::connect(&socket, SECOND).await.unwrap();
    session.query("select 1", SECOND).await.unwrap();

    let nobody = Address {
        user: "nobody_here".into(),
        ..server.address()
    };
    let error = Session::connect(&nobody, SECOND).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Auth);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_a_session_in_a_statement_frees_the_client_at_once() {
    let Some(server) = TestServer::primary(&[]).await else {
        return;
    };
    let session = server.session().await;
    let backend = session.backend();
    let _ = session
        .query("select pg_sleep(60)", Duration::from_millis(50))
        .await;
    drop(session);
    let seen = format!("select count(*) from pg_stat_activity where pid = {backend}");
    assert_eq!(
        server.ask(&seen).await,
        "1",
        "the server's backend lives on"
    );
    server
        .ask(&format!("select pg_terminate_backend({backend})"))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_says_nothing_learns_that_it_is_gone() {
    let Some(server) = TestServer::primary(&[]).await else {
        return;
    };
    let silent = Session::connect(&server.address().named("silent"), SECOND)
        .await
        .unwrap();
    let early = tokio::time::timeout(Duration::from_millis(50), silent.gone()).await;
    assert!(early.is_err(), "it is there");
    server
        .ask("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'silent'")
        .await;
    assert_eq!(silent.gone().await.class, ErrorClass::Terminated);
    assert!(silent.is_closed());
    // Whoever asks later hears the same at once.
    assert_eq!(silent.gone().await.class, ErrorClass::Terminated);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_was_given_up_is_not_taken_for_the_next_one() {
    let Some(server) = TestServer::primary(&[]).await else {
        return;
    };
    let session = server.session().await;
    let slow = "do $$begin perform pg_sleep(0.3); raise warning 'w' using errcode = '01000'; end$$; \
                select 'old'";
    let given_up = session.query(slow, Duration::from_millis(50)).await;
    assert_eq!(given_up.unwrap_err().class, ErrorClass::StatementDeadline);
    let next = session.query("select 'new'", 5 * SECOND).await.unwrap();
    assert_eq!(next.rows, [[Some("new".into())]]);
    assert!(next.notices.is_empty(), "the warning was the other's");

    // The same when the answer comes while nobody asks, and when it is an error.
    for sql in [slow, "select pg_sleep(0.3), 1 / 0"] {
        session
            .query(sql, Duration::from_millis(50))
            .await
            .unwrap_err();
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert!(!session.is_closed());
        let next = session.query("select 'new'", SECOND).await.unwrap();
        assert_eq!(next.rows, [[Some("new".into())]]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_at_once_take_turns_and_each_has_its_own_answer() {
    let Some(server) = TestServer::primary(&[]).await else {
        return;
    };
    let session = server.session().await;
    let (one, two) = tokio::join!(
        session.query("select pg_sleep(0.1), 'one'", 5 * SECOND),
        session.query("select 'two'", 5 * SECOND)
    );
    assert_eq!(one.unwrap().rows[0][1].as_deref(), Some("one"));
    assert_eq!(two.unwrap().rows[0][0].as_deref(), Some("two"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_and_an_answer_may_be_longer_than_what_a_socket_holds() {
    let Some(server) = TestServer::primary(&[]).await else {
        return;
    };
    let session = server.session().await;
    let long = "x".repeat(20_000_000);
    let answer = session
        .query(&format!("select '{long}'"), 30 * SECOND)
        .await
        .unwrap();
    assert!(answer.rows == [[Some(long)]]);
    session.query("select 1", SECOND).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_copy_statements_go_on_and_after_one_that_was_given_up_none_is_sent() {
    let Some(server) = TestServer::primary(&[]).await else {
        return;
    };
    let session = server.session().await;
    for count in [1, 50_000] {
        let mut pairs = 0;
        let select = format!("select g::int, g::bigint from generate_series(1, {count}) g");
        let copied = session.copy_pairs(&select, 5 * SECOND, |_, _| pairs += 1);
        copied.await.unwrap();
        assert_eq!(pairs, count);
        session.query("select 1", SECOND).await.unwrap();
    }
    let wrong = session.copy_pairs("select 1 / 0, 2::bigint", SECOND, |_, _| ());
    assert_eq!(wrong.await.unwrap_err().state.as_deref(), Some("22012"));
    session.query("select 1", SECOND).await.unwrap();

    let slow = "select 1, 2::bigint from pg_sleep(0.3)";
    let given_up = session.copy_pairs(slow, Duration::from_millis(50), |_, _| ());
    assert!(given_up.await.unwrap_err().leaves_doubt());
    let refused = session.query("select 1", SECOND).await.unwrap_err();
    assert_eq!(refused.class, ErrorClass::Reset);
    assert!(!refused.leaves_doubt(), "it was not sent");
}
