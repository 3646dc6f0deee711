//! Mistakes in endpoints and watches of a target file.

use super::*;

fn with(lines: &str) -> String {
    target(&format!("version: 1\n{lines}local: {{}}\n"))
}

#[test]
fn what_is_right_is_not_spoken_of() {
    let good = "endpoints:\n  pgbouncer: { pool: transaction, url: \"postgresql://probe@db.test:6432/firedrill?sslmode=verify-full&sslrootcert=ca.pem\", hostaddr: 127.0.0.1 }\n  \
                replicas: { writes: false, url: \"host=db.test port=5001\" }\n\
                watch:\n  app: { http: \"http://127.0.0.1:8080/health/write\", every: 100ms, deadline: 1s }\n  job: { run: [./check.sh, --quick] }\n";
    assert_eq!(with(good), "nothing");
}

#[test]
fn a_password_in_a_url_is_not_shown() {
    let url =
        with("endpoints:\n  pgbouncer: { url: \"postgresql://probe:s3cret@db.test/firedrill\" }\n");
    let beside =
        with("endpoints:\n  pgbouncer: { url: \"host=h sslmod=require password=s3cret\" }\n");
    let page = with("watch:\n  app: { http: \"http://me:s3cret@app.test/\" }\n");
    for text in [&url, &beside, &page] {
        assert!(
            !text.contains("s3cret") && text.contains("my.target.yaml:3"),
            "{text}"
        );
    }
    insta::assert_snapshot!(url, @r#"
      × my.target.yaml:3: a password stands in the connection string, where everybody who reads the
      │ file sees it
      help: take it out and give it by `identities: { probe: { password: { env: NAME } } }`, a
            password file or a service file
    "#);
}

#[test]
fn what_a_local_cluster_has_of_its_own() {
    insta::assert_snapshot!(with(
        "identities: { probe: { password: { env: FD_PASSWORD } }, act: { user: dba } }\nledger: { keep: 7d, at_most: 500MiB }\n"
    ), @r#"
      × a local cluster makes its own roles
       ╭─[my.target.yaml:2:58]
     1 │ version: 1
     2 │ identities: { probe: { password: { env: FD_PASSWORD } }, act: { user: dba } }
       ·                                                          ───
     3 │ ledger: { keep: 7d, at_most: 500MiB }
       ╰────
      help: only probe is used here, to log in at `endpoints`

      ⚠ nobody logs in by this
       ╭─[my.target.yaml:2:15]
     1 │ version: 1
     2 │ identities: { probe: { password: { env: FD_PASSWORD } }, act: { user: dba } }
       ·               ─────
     3 │ ledger: { keep: 7d, at_most: 500MiB }
       ╰────
      help: a local cluster makes its own roles; only `endpoints` use this one

      ⚠ a local cluster's ledger goes with the cluster
       ╭─[my.target.yaml:3:1]
     2 │ identities: { probe: { password: { env: FD_PASSWORD } }, act: { user: dba } }
     3 │ ledger: { keep: 7d, at_most: 500MiB }
       · ──────
     4 │ local: {}
       ╰────
    "#);
}

#[test]
fn an_age_that_is_none() {
    insta::assert_snapshot!(with("ledger: { keep: 7 weeks }\n"), @r#"
      × "7 weeks" is none: write 14d or 36h
       ╭─[my.target.yaml:2:17]
     1 │ version: 1
     2 │ ledger: { keep: 7 weeks }
       ·                 ───────
     3 │ local: {}
       ╰────
    "#);
}

#[test]
fn a_word_that_libpq_does_not_have() {
    insta::assert_snapshot!(with(
        "endpoints:\n  pgbouncer: { url: \"host=db.test sslmod=require\" }\n"
    ), @r#"
      × sslmod is no word of a connection string
       ╭─[my.target.yaml:3:21]
     2 │ endpoints:
     3 │   pgbouncer: { url: "host=db.test sslmod=require" }
       ·                     ──────────────┬──────────────
       ·                                   ╰── did you mean sslmode?
     4 │ local: {}
       ╰────
      help: words are: host, hostaddr, port, user, dbname, service, servicefile, passfile, sslmode,
            sslnegotiation, sslrootcert, sslcert, sslkey, sslcertmode, sslsni,
            ssl_min_protocol_version, ssl_max_protocol_version, channel_binding, connect_timeout,
            target_session_attrs, load_balance_hosts, gssencmode, keepalives, keepalives_idle,
            keepalives_interval, keepalives_count, tcp_user_timeout, client_encoding,
            fallback_application_name, sslcompression, krbsrvname, gsslib, gssdelegation
    "#);
}

#[test]
fn a_word_that_changes_nothing() {
    insta::assert_snapshot!(with(
        "endpoints:\n  pgbouncer: { url: \"host=db.test keepalives_idle=5\" }\n"
    ), @r#"
      ⚠ keepalives_idle changes nothing here: each attempt has a deadline of its own
       ╭─[my.target.yaml:3:21]
     2 │ endpoints:
     3 │   pgbouncer: { url: "host=db.test keepalives_idle=5" }
       ·                     ────────────────────────────────
     4 │ local: {}
       ╰────
    "#);
}

#[test]
fn names_that_channels_have_already() {
    insta::assert_snapshot!(with(
        "endpoints:\n  writer_2: { url: \"host=h\" }\n  a_fresh: { url: \"host=h\" }\nwatch:\n  App: { run: [x] }\n"
    ), @r#"
      × names that begin with writer are firedrill's own
       ╭─[my.target.yaml:3:3]
     2 │ endpoints:
     3 │   writer_2: { url: "host=h" }
       ·   ────────
     4 │   a_fresh: { url: "host=h" }
       ╰────
      help: expected lower-case letters, digits and underscores, such as pgbouncer

      × a_fresh could be mistaken for the name of a channel
       ╭─[my.target.yaml:4:3]
     3 │   writer_2: { url: "host=h" }
     4 │   a_fresh: { url: "host=h" }
       ·   ───────
     5 │ watch:
       ╰────
      help: expected lower-case letters, digits and underscores, such as pgbouncer

      × App is no name for an endpoint
       ╭─[my.target.yaml:6:3]
     5 │ watch:
     6 │   App: { run: [x] }
       ·   ───
     7 │ local: {}
       ╰────
      help: expected lower-case letters, digits and underscores, such as pgbouncer
    "#);
}

#[test]
fn a_watch_of_no_or_two_ways() {
    insta::assert_snapshot!(with(
        "watch:\n  app: { every: 1s }\n  web: { http: \"http://h/\", run: [x] }\n  ftp: { http: \"ftp://h/\" }\n  job: { run: [x], every: 1ms }\n"
    ), @r#"
      × nothing says how it is watched
       ╭─[my.target.yaml:3:3]
     2 │ watch:
     3 │   app: { every: 1s }
       ·   ───
     4 │   web: { http: "http://h/", run: [x] }
       ╰────
      help: add http: "http://…" or run: [COMMAND, ARGUMENT, …]

      × it is watched by http already
       ╭─[my.target.yaml:4:29]
     3 │   app: { every: 1s }
     4 │   web: { http: "http://h/", run: [x] }
       ·                             ───
     5 │   ftp: { http: "ftp://h/" }
       ╰────
      help: give each way a watch of its own

      × the URL is neither http:// nor https://
       ╭─[my.target.yaml:5:16]
     4 │   web: { http: "http://h/", run: [x] }
     5 │   ftp: { http: "ftp://h/" }
       ·                ──────────
     6 │   job: { run: [x], every: 1ms }
       ╰────
      help: write http://HOST:PORT/PATH or https://…

      × more often than every 100 ms would measure this machine
       ╭─[my.target.yaml:6:27]
     5 │   ftp: { http: "ftp://h/" }
     6 │   job: { run: [x], every: 1ms }
       ·                           ───
     7 │ local: {}
       ╰────
      help: ask less often
    "#);
}

#[test]
fn a_downtime_of_a_channel_that_is_nearly_one() {
    insta::assert_snapshot!(said(&format!(
        "{HEAD}objectives:\n  - downtime: {{ of: writer_frsh, at_most: 30s }}\n{STEPS}"
    )), @r#"
      × nothing is called writer_frsh
       ╭─[drill.yaml:5:21]
     4 │ objectives:
     5 │   - downtime: { of: writer_frsh, at_most: 30s }
       ·                     ─────┬─────
       ·                          ╰── did you mean writer_fresh?
     6 │ steps:
       ╰────
      help: a downtime is of writer_fresh or writer_pinned, or of an endpoint or a watch of the target
            file
    "#);
}
