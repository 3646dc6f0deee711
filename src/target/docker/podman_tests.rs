//! What Podman answers otherwise than Docker (seen with Podman 4.3.1).

use super::client::{Attachment, Engine, EngineError};
use super::fake_engine::FakeEngine;
use super::place::Place;
use serde_json::json;
use std::collections::BTreeMap;

/// Podman, or Docker, with an id that is made up for this call.
fn engine(podman: bool, id: &str) -> FakeEngine {
    let name = if podman { "Podman Engine" } else { "Engine" };
    let version = json!({
        "Version": "4.3.1", "ApiVersion": "1.41", "Components": [{ "Name": name, "Version": "4.3.1" }]
    });
    let container = json!({
        "Id": "1f", "Name": "/pg-a", "State": { "Status": "stopped", "Running": false },
        "NetworkSettings": { "Networks": { "back": { "IPAMConfig": null, "IPAddress": "198.18.1.11" } } }
    });
    FakeEngine::start(BTreeMap::from([
        ("/version".to_owned(), version),
        ("/info".to_owned(), json!({ "ID": id, "Name": "laptop" })),
        (
            "/containers/json".to_owned(),
            json!([{ "Id": "1f", "State": "stopped" }]),
        ),
        ("/containers/1f/json".to_owned(), container),
    ]))
}

async fn connect(engine: &FakeEngine) -> Engine {
    let path = engine.place().replace("unix://", "");
    Engine::connect(&Place::Socket(path.into())).await.unwrap()
}

#[tokio::test]
async fn it_is_the_same_engine_at_each_call_though_its_id_is_another() {
    let (first, later) = (engine(true, "37c59f3b"), engine(true, "08411669"));
    assert_eq!(connect(&first).await.id, connect(&later).await.id);
    let docker = engine(false, "37c59f3b");
    assert_eq!(connect(&docker).await.id, "37c59f3b");
}

#[tokio::test]
async fn a_container_that_has_ended_and_is_not_cleared_away_is_read() {
    let fake = engine(true, "37c59f3b");
    let engine = connect(&fake).await;
    let ids = engine.labelled(&["any".to_owned()]).await.unwrap();
    assert_eq!(ids, ["1f"]);
    assert!(!engine.inspect("1f").await.unwrap().running);
}

#[tokio::test]
async fn an_address_may_be_a_chosen_one_and_is_asked_for_again() {
    let attached = |fixed: Option<&str>| Attachment {
        address: "198.18.1.11".to_owned(),
        fixed: fixed.map(str::to_owned),
        ..Attachment::default()
    };
    for (podman, fixed, asked) in [
        (true, None, Some("198.18.1.11")),
        (false, None, None),
        (false, Some("198.18.1.12"), Some("198.18.1.12")),
    ] {
        let fake = engine(podman, "37c59f3b");
        let engine = connect(&fake).await;
        assert_eq!(engine.address_to_ask_for(&attached(fixed)), asked);
    }
}

#[test]
fn a_name_that_somebody_has_is_told_from_what_is_wrong() {
    let refused = |status, message: &str| EngineError::Refused {
        status,
        message: message.to_owned(),
    };
    let taken = "creating container storage: the container name \"firedrill-lock-1\" is already in use by 7b90";
    assert!(refused(500, taken).is_conflict());
    assert!(refused(409, "Conflict").is_conflict());
    assert!(!refused(500, "no space left on device").is_conflict());
}
