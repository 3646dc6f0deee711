//! A stand-in for a container engine's API on a Unix socket, for what no engine at hand can be made to be: too
//! old, rootless, without containers. It answers by path and knows nothing else.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

/// The running stand-in; dropping it ends it.
pub(super) struct FakeEngine {
    folder: tempfile::TempDir,
    /// What was asked, such as "POST /containers/1f/kill?signal=SIGKILL".
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for FakeEngine {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl FakeEngine {
    /// Answers these paths with these texts, and any other with 404.
    pub(super) fn start(answers: BTreeMap<String, Value>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("engine.sock")).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answers, log) = (Arc::new(answers), Arc::clone(&asked));
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    return;
                };
                tokio::spawn(answer(stream, Arc::clone(&answers), Arc::clone(&log)));
            }
        });
        Self {
            folder,
            asked,
            task,
        }
    }

    /// An engine of this version of the API with these containers, by id.
    pub(super) fn of(api: &str, security: &[&str], containers: &[(&str, Value)]) -> Self {
        let mut answers = BTreeMap::from([
            (
                "/version".to_owned(),
                json!({ "Version": "20.10.24", "ApiVersion": api }),
            ),
            (
                "/info".to_owned(),
                json!({ "ID": "FAKE", "SecurityOptions": security }),
            ),
            (
                "/containers/json".to_owned(),
                containers
                    .iter()
                    .map(|(id, _)| json!({ "Id": id }))
                    .collect(),
            ),
        ]);
        for (id, container) in containers {
            answers.insert(format!("/containers/{id}/json"), container.clone());
        }
        Self::start(answers)
    }

    /// Where it listens, as a target file names it.
    pub(super) fn place(&self) -> String {
        format!(
            "unix://{}",
            self.folder.path().join("engine.sock").display()
        )
    }

    /// What was asked so far, without the version in the path.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(
    mut stream: UnixStream,
    answers: Arc<BTreeMap<String, Value>>,
    log: Arc<Mutex<Vec<String>>>,
) {
    let mut request = Vec::new();
    let mut part = [0; 4096];
    let text = loop {
        let Ok(length @ 1..) = stream.read(&mut part).await else {
            return;
        };
        request.extend_from_slice(&part[..length]);
        let text = String::from_utf8_lossy(&request).into_owned();
        if text.contains("\r\n\r\n") {
            break text;
        }
    };
    let mut words = text.split_ascii_whitespace();
    let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let path = match path.strip_prefix("/v1.") {
        Some(rest) => rest.find('/').map_or("", |at| &rest[at..]),
        None => path,
    };
    log.lock().unwrap().push(format!("{method} {path}"));
    let bare = path.split('?').next().unwrap_or(path);
    let (status, body) = match answers.get(bare) {
        Some(body) => ("200 OK", body.to_string()),
        None => (
            "404 Not Found",
            json!({ "message": "no such thing" }).to_string(),
        ),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
}
