//! What Patroni says over its REST interface: of a node, of the cluster, of its settings; and the one thing
//! that it is asked to do, a switch-over (Patroni documentation, "Patroni REST API"). The only file that knows
//! its words.
//!
//! It only asks. Each node answers for itself; who leads is what the one says that holds the leader key.

use crate::event::cluster::{StandbySeen, Standing};
use crate::event::slots::ErrorClass;
use crate::load::{Asking, ask_page, page};
use crate::sql::Secret;
use serde::Deserialize;
use std::time::Duration;

/// As whom settings are changed, where Patroni asks for it.
pub type Login = Option<(String, Secret)>;

/// One node's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// The name of the member.
    pub member: String,
    /// The name of the cluster.
    pub scope: String,
    /// Patroni's version.
    pub version: String,
    /// PostgreSQL's version, such as 160004; 0 where it does not run.
    pub server_version: u32,
    /// What the node is.
    pub standing: Standing,
    /// The cluster's failovers are switched off.
    pub paused: bool,
}

/// What is asked of the cluster's settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Seconds for which the leader key is kept without being renewed.
    pub ttl: u64,
    /// Seconds between two rounds of each agent.
    pub loop_wait: u64,
    /// Seconds for which an agent tries what failed.
    pub retry_timeout: u64,
    /// Bytes that a standby may lag and still be promoted.
    pub maximum_lag_on_failover: Option<u64>,
    /// on, off or quorum.
    pub synchronous_mode: String,
    /// It waits for a synchronous standby even where there is none.
    pub synchronous_mode_strict: bool,
    /// Seconds that a crashed primary may take to start before it is replaced.
    pub primary_start_timeout: u64,
    /// Nodes may go on where the store of the leader key is lost.
    pub failsafe_mode: bool,
}

/// A member of the cluster, as the store of the leader key lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// It holds the leader key.
    pub leads: bool,
}

/// Asks a node for itself. Any status is an answer: a standby's is 200 or 503 depending on the path alone.
///
/// # Errors
/// Why there is none, in words.
pub async fn node(host: &str, port: u16, deadline: Duration) -> Result<Said, String> {
    let text = get(host, port, "patroni", deadline).await?;
    parse_node(&text)
}

/// Asks a node for all members, as the store of the leader key has them now.
///
/// # Errors
/// Why there is no answer, in words.
pub async fn cluster(host: &str, port: u16, deadline: Duration) -> Result<Vec<Member>, String> {
    let text = get(host, port, "cluster", deadline).await?;
    parse_cluster(&text)
}

/// Asks a node for the cluster's settings.
///
/// # Errors
/// Why there is no answer, in words.
pub async fn settings(host: &str, port: u16, deadline: Duration) -> Result<Settings, String> {
    let text = get(host, port, "config", deadline).await?;
    parse_settings(&text)
}

/// Asks a node for the timelines before the one that is written now, oldest first.
///
/// # Errors
/// Why there is no answer, in words.
pub async fn parents(host: &str, port: u16, deadline: Duration) -> Result<Vec<u32>, String> {
    let text = get(host, port, "history", deadline).await?;
    parse_history(&text)
}

/// Has the leader hand over to a member, or to the one that Patroni chooses. It answers when that is done.
///
/// # Errors
/// Patroni's own words.
pub async fn switch_over(
    at: (&str, u16),
    leader: &str,
    candidate: Option<&str>,
    login: &Login,
    deadline: Duration,
) -> Result<String, String> {
    let mut wanted = serde_json::json!({ "leader": leader });
    if let (Some(candidate), Some(wanted)) = (candidate, wanted.as_object_mut()) {
        wanted.insert("candidate".to_owned(), candidate.into());
    }
    let body = wanted.to_string();
    let asking = Asking {
        post: Some(&body),
        login: login
            .as_ref()
            .map(|(user, password)| (user.as_str(), password)),
    };
    let (host, port) = at;
    let page = page(&url(host, port, "switchover"))?;
    let answer = ask_page(&page, &asking, deadline).await;
    let answer = answer.map_err(|class| in_words(class, deadline))?;
    let text = answer.text.trim().to_owned();
    match answer.status() {
        200 => Ok(text),
        401 => Err(
            "Patroni asks for a user and a password: name them in the target file, under `patroni`"
                .to_owned(),
        ),
        status => Err(format!("Patroni answered {status}: {text}")),
    }
}

fn url(host: &str, port: u16, path: &str) -> String {
    match host.contains(':') {
        true => format!("http://[{host}]:{port}/{path}"),
        false => format!("http://{host}:{port}/{path}"),
    }
}

async fn get(host: &str, port: u16, path: &str, deadline: Duration) -> Result<String, String> {
    let page = page(&url(host, port, path))?;
    match ask_page(&page, &Asking::default(), deadline).await {
        Ok(answer) => Ok(answer.text),
        Err(class) => Err(in_words(class, deadline)),
    }
}

fn in_words(class: ErrorClass, deadline: Duration) -> String {
    match class {
        ErrorClass::ConnectDeadline | ErrorClass::StatementDeadline => {
            format!("Patroni did not answer in {} ms", deadline.as_millis())
        }
        ErrorClass::Refused => "Patroni's port is refused".to_owned(),
        class => format!("Patroni: {}", class.name()),
    }
}

#[derive(Deserialize)]
struct NodeText {
    state: Option<String>,
    role: Option<String>,
    #[serde(default)]
    server_version: u32,
    timeline: Option<u32>,
    xlog: Option<XlogText>,
    replication_state: Option<String>,
    #[serde(default)]
    replication: Vec<RowText>,
    #[serde(default)]
    pause: bool,
    patroni: Option<PatroniText>,
}

#[derive(Deserialize)]
struct XlogText {
    location: Option<u64>,
    received_location: Option<u64>,
    replayed_location: Option<u64>,
    #[serde(default)]
    paused: bool,
}

#[derive(Deserialize)]
struct RowText {
    application_name: Option<String>,
    state: Option<String>,
    sync_state: Option<String>,
}

#[derive(Deserialize)]
struct PatroniText {
    version: Option<String>,
    scope: Option<String>,
    name: Option<String>,
}

fn parse_node(text: &str) -> Result<Said, String> {
    let said: NodeText =
        serde_json::from_str(text).map_err(|_| "its answer is none of Patroni's".to_owned())?;
    let Some(patroni) = said.patroni else {
        return Err("its answer is none of Patroni's".to_owned());
    };
    let state = said.state.unwrap_or_default();
    let role = said.role.unwrap_or_default();
    // Only an answer that PostgreSQL itself gave brings positions; without it the role is what the agent
    // remembers, and proves nothing.
    let standing = match said.xlog {
        None => Standing::Silent {
            why: format!(
                "Patroni says that PostgreSQL is {}",
                or(&state, "in no known state")
            ),
        },
        Some(XlogText {
            location: Some(lsn),
            ..
        }) => match said.timeline {
            Some(timeline) => Standing::Primary {
                timeline,
                lsn,
                standbys: said.replication.into_iter().map(row).collect(),
            },
            None => Standing::Silent {
                why: format!("Patroni names no timeline of this {}", or(&role, "node")),
            },
        },
        Some(xlog) => Standing::Standby {
            timeline: said.timeline,
            received: xlog.received_location,
            replayed: xlog.replayed_location,
            // Before it told this (3.0 and older) the primary's list of standbys decides alone.
            streaming: match said.replication_state.as_deref() {
                Some(state) => state == "streaming",
                None => xlog.received_location.is_some(),
            },
            paused: xlog.paused,
        },
    };
    Ok(Said {
        member: patroni.name.unwrap_or_default(),
        scope: patroni.scope.unwrap_or_default(),
        version: patroni.version.unwrap_or_default(),
        server_version: said.server_version,
        standing,
        paused: said.pause,
    })
}

fn or<'a>(text: &'a str, other: &'a str) -> &'a str {
    if text.is_empty() { other } else { text }
}

/// Patroni does not tell positions of its standbys; what is not told is not known.
fn row(row: RowText) -> StandbySeen {
    StandbySeen {
        name: row.application_name.unwrap_or_default(),
        state: row.state.unwrap_or_default(),
        sync: row.sync_state.unwrap_or_default(),
        flushed: None,
        replayed: None,
    }
}

fn parse_cluster(text: &str) -> Result<Vec<Member>, String> {
    #[derive(Deserialize)]
    struct ClusterText {
        members: Vec<MemberText>,
    }
    #[derive(Deserialize)]
    struct MemberText {
        name: String,
        role: Option<String>,
    }
    let said: ClusterText =
        serde_json::from_str(text).map_err(|_| "its answer is none of Patroni's".to_owned())?;
    let members = said.members.into_iter().map(|member| Member {
        leads: matches!(member.role.as_deref(), Some("leader" | "standby_leader")),
        name: member.name,
    });
    Ok(members.collect())
}

/// Entries are lists that begin with a timeline: `[[1, 25623960, "no recovery target specified", …], …]`.
fn parse_history(text: &str) -> Result<Vec<u32>, String> {
    let wrong = || "its answer is none of Patroni's".to_owned();
    let said: Vec<Vec<serde_json::Value>> = serde_json::from_str(text).map_err(|_| wrong())?;
    let timelines = said.into_iter().map(|entry| {
        let timeline = entry.first().and_then(serde_json::Value::as_u64);
        timeline.and_then(|timeline| u32::try_from(timeline).ok())
    });
    timelines.collect::<Option<Vec<u32>>>().ok_or_else(wrong)
}

fn parse_settings(text: &str) -> Result<Settings, String> {
    let said: serde_json::Value =
        serde_json::from_str(text).map_err(|_| "its answer is none of Patroni's".to_owned())?;
    if !said.is_object() {
        return Err("its answer is none of Patroni's".to_owned());
    }
    // Patroni's own defaults, for what nobody set (documentation, "Dynamic configuration").
    let seconds = |name: &str, usual: u64| said[name].as_u64().unwrap_or(usual);
    let is = |name: &str| match &said[name] {
        serde_json::Value::Bool(is) => *is,
        other => matches!(other.as_str(), Some("on" | "true" | "yes")),
    };
    let synchronous = match (said["synchronous_mode"].as_str(), is("synchronous_mode")) {
        (Some("quorum"), _) => "quorum",
        (_, true) => "on",
        _ => "off",
    };
    let start = match said["primary_start_timeout"].as_u64() {
        Some(seconds) => seconds,
        None => seconds("master_start_timeout", 300),
    };
    Ok(Settings {
        ttl: seconds("ttl", 30),
        loop_wait: seconds("loop_wait", 10),
        retry_timeout: seconds("retry_timeout", 10),
        maximum_lag_on_failover: said["maximum_lag_on_failover"].as_u64(),
        synchronous_mode: synchronous.to_owned(),
        synchronous_mode_strict: is("synchronous_mode_strict"),
        primary_start_timeout: start,
        failsafe_mode: is("failsafe_mode"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    const PRIMARY: &str = r#"{"state":"running","postmaster_start_time":"2026-11-27 15:00:00+00:00",
        "role":"primary","server_version":150018,"xlog":{"location":83886080},"timeline":3,
        "replication":[{"usename":"replicator","application_name":"pg2","client_addr":"10.0.0.2",
        "state":"streaming","sync_state":"async","sync_priority":0}],"dcs_last_seen":1,
        "database_system_identifier":"7","patroni":{"version":"4.1.5","scope":"demo","name":"pg1"}}"#;

    #[test]
    fn a_node_is_what_postgresql_said_through_it() {
        let said = parse_node(PRIMARY).unwrap();
        assert_eq!(
            (said.member.as_str(), said.server_version),
            ("pg1", 150_018)
        );
        let Standing::Primary {
            timeline: 3,
            lsn: 83_886_080,
            standbys,
        } = said.standing
        else {
            panic!("a primary");
        };
        assert_eq!(
            (standbys[0].name.as_str(), standbys[0].flushed),
            ("pg2", None)
        );

        let standby = r#"{"state":"running","role":"replica","xlog":{"received_location":9,
            "replayed_location":8,"replayed_timestamp":null,"paused":true},"timeline":3,
            "replication_state":"streaming","patroni":{"version":"4.1.5","scope":"demo","name":"pg2"}}"#;
        let said = parse_node(standby).unwrap();
        let expected = Standing::Standby {
            timeline: Some(3),
            received: Some(9),
            replayed: Some(8),
            streaming: true,
            paused: true,
        };
        assert_eq!(said.standing, expected);
    }

    #[test]
    fn what_an_agent_only_remembers_is_no_role() {
        let crashed = r#"{"state":"crashed","role":"primary","patroni":{"version":"4.1.5","scope":"demo","name":"pg1"}}"#;
        let Standing::Silent { why } = parse_node(crashed).unwrap().standing else {
            panic!("PostgreSQL did not say it");
        };
        assert_eq!(why, "Patroni says that PostgreSQL is crashed");
        for other in ["", "[]", "{}", "<html></html>", r#"{"state":"running"}"#] {
            assert!(parse_node(other).is_err(), "{other}");
            assert!(parse_cluster(other).is_err(), "{other}");
        }
        assert!(parse_history("{}").is_err() && parse_history("[[\"x\"]]").is_err());
        let history = r#"[[1,25623960,"no recovery target specified","2026-11-27T15:00:00+00:00","pg2"],[2,50332160,"x"]]"#;
        assert_eq!(parse_history(history).unwrap(), [1, 2]);
        assert!(parse_settings("[]").is_err() && parse_settings("no").is_err());
    }

    #[test]
    fn settings_that_nobody_made_are_patronis_own() {
        let set = r#"{"ttl":20,"loop_wait":5,"synchronous_mode":true,"postgresql":{}}"#;
        let settings = parse_settings(set).unwrap();
        assert_eq!(
            (settings.ttl, settings.loop_wait, settings.retry_timeout),
            (20, 5, 10)
        );
        assert_eq!(settings.synchronous_mode, "on");
        assert_eq!(settings.primary_start_timeout, 300);
        assert!(!settings.failsafe_mode);
        assert_eq!(parse_settings("{}").unwrap().ttl, 30);
    }

    /// Answers one request and gives back what was asked.
    async fn one_answer(answer: &'static str) -> (u16, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let mut length = 0;
            while !String::from_utf8_lossy(&request[..length]).contains("}") {
                let more = stream.read(&mut request[length..]).await.unwrap();
                if more == 0 {
                    break;
                }
                length += more;
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        (port, asked)
    }

    #[tokio::test]
    async fn a_switch_over_is_asked_for_with_the_login_and_a_refusal_is_told() {
        let done = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\ndone";
        let (port, asked) = one_answer(done).await;
        let login = Some(("admin".to_owned(), Secret::new("s3cret")));
        let limit = Duration::from_secs(5);
        let answer = switch_over(("127.0.0.1", port), "pg1", Some("pg2"), &login, limit).await;
        assert_eq!(answer.unwrap(), "done");
        let asked = asked.await.unwrap();
        assert!(asked.starts_with("POST /switchover"), "{asked}");
        assert!(asked.contains("Basic YWRtaW46czNjcmV0"), "{asked}");
        assert!(
            asked.ends_with(r#"{"candidate":"pg2","leader":"pg1"}"#),
            "{asked}"
        );

        let refused = "HTTP/1.1 412 No\r\ncontent-length: 7\r\nconnection: close\r\n\r\nno way\n";
        let (port, _asked) = one_answer(refused).await;
        let answer = switch_over(("127.0.0.1", port), "pg1", None, &None, limit).await;
        assert_eq!(answer.unwrap_err(), "Patroni answered 412: no way");
    }
}
