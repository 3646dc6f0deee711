//! Which engine is meant, and what is said where it cannot be used.

use super::*;

fn around(host: Option<&str>, context: Option<&str>, config: &Path) -> Surroundings {
    Surroundings {
        host: host.map(str::to_owned),
        context: context.map(str::to_owned),
        config: Some(config.to_owned()),
    }
}

fn said(named: Option<&str>, around: &Surroundings) -> String {
    match find(named, around) {
        Ok(place) => place.to_string(),
        Err(why) => format!("refused: {why}"),
    }
}

#[test]
fn the_file_comes_before_the_variable_and_that_before_the_context() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    assert_eq!(
        said(None, &around(None, None, at)),
        "unix:///var/run/docker.sock"
    );
    std::fs::write(at.join("config.json"), r#"{"currentContext":"lab"}"#).unwrap();
    // sha256 of "lab".
    let digest = Sha256::digest(b"lab");
    let key: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let meta = at.join("contexts/meta").join(key);
    std::fs::create_dir_all(&meta).unwrap();
    let text = r#"{"Name":"lab","Endpoints":{"docker":{"Host":"unix:///run/lab.sock"}}}"#;
    std::fs::write(meta.join("meta.json"), text).unwrap();
    assert_eq!(said(None, &around(None, None, at)), "unix:///run/lab.sock");
    let default = around(None, Some("default"), at);
    assert_eq!(said(None, &default), "unix:///var/run/docker.sock");
    let by_variable = around(Some("tcp://10.0.0.1:2375"), Some("lab"), at);
    assert_eq!(said(None, &by_variable), "tcp://10.0.0.1:2375");
    let podman = Some("unix:///run/podman/podman.sock");
    assert_eq!(said(podman, &by_variable), "unix:///run/podman/podman.sock");
    let other = around(Some("ssh://lab"), None, at);
    assert!(said(None, &other).contains("refused: ssh://lab is no engine"));
    let gone = around(None, Some("gone"), at);
    assert!(said(None, &gone).contains("the Docker context gone cannot be read"));
}

#[test]
fn a_socket_that_cannot_be_used_is_said_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("engine.sock");
    assert!(may_open(&path).unwrap_err().contains("there is no socket"));
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    may_open(&path).unwrap();
    drop(listener);
    assert!(may_open(&path).unwrap_err().contains("nobody listens"));
}
