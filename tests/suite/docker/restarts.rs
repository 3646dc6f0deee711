//! A node whose container the engine always starts again: it is left to that where the drill says so (`by_itself`), and kept
//! down until the undo where it does not. Its restart policy is afterwards what was found.

use super::{Containers, docker};
use firedrill::clock::Clock;
use std::thread::sleep;
use std::time::Duration;

const DEMANDS: &str = "objectives:\n  - downtime: { at_most: 2m }\n";

/// The cluster with another restart policy on its nodes, and the one that they had.
struct Always {
    containers: Containers,
    nodes: Vec<(String, String)>,
}

impl Always {
    fn take() -> Option<Self> {
        let containers = Containers::take()?;
        let policy = |id: &str| {
            let format = "{{.HostConfig.RestartPolicy.Name}}";
            docker(&["inspect", "--format", format, id])
                .trim()
                .to_owned()
        };
        let ids = containers.nodes(&[]).into_iter();
        let nodes = ids.map(|id| (id.clone(), policy(&id))).collect();
        let always = Self { containers, nodes };
        for (id, _) in &always.nodes {
            docker(&["update", "--restart", "always", id]);
        }
        Some(always)
    }

    fn state(&self, id: &str) -> String {
        docker(&[
            "inspect",
            "--format",
            "{{.State.Status}} {{.State.StartedAt}}",
            id,
        ])
    }
}

impl Drop for Always {
    fn drop(&mut self) {
        for (id, policy) in &self.nodes {
            docker(&["update", "--restart", policy, id]);
        }
    }
}

#[test]
fn who_is_left_to_the_engine_is_started_by_it() {
    let Some(always) = Always::take() else { return };
    let containers = &always.containers;
    let before = containers.as_found();
    let finished = containers.drill(&format!(
        "{DEMANDS}steps:\n  - baseline: {{ for: 5s }}\n  - kill: {{ node: standby, id: crash, returns: by_itself }}\n  \
         - hold: {{ for: 10s }}\n  - undo: {{ of: crash }}\n  - restore_redundancy: {{ within: 2m }}\n"
    ));
    let text = finished.stderr;
    assert!(matches!(finished.code, Some(0 | 4)), "{text}");
    assert!(text.contains("everything undone"), "{text}");
    let back = "it was back before firedrill had to act";
    assert!(text.contains(back), "{back:?} is missing:\n{text}");
    assert_eq!(containers.as_found(), before, "{text}");
    assert!(before.contains(" always running"), "{before}");
}

#[test]
fn who_is_to_stay_down_stays_down_until_the_undo() {
    let Some(always) = Always::take() else { return };
    let containers = &always.containers;
    let before = containers.as_found();
    let path = containers.write(&format!(
        "{DEMANDS}steps:\n  - baseline: {{ for: 5s }}\n  - kill: {{ node: standby, id: crash }}\n  \
         - hold: {{ for: 12s }}\n  - undo: {{ of: crash }}\n  - restore_redundancy: {{ within: 2m }}\n"
    ));
    let arguments = ["run", &path, "--yes", "--target", &containers.target];
    let mut runner = containers.firedrill.start(&arguments);
    let down = |always: &Always| {
        let mut states = always.nodes.iter().map(|(id, _)| always.state(id));
        states.find(|state| state.starts_with("exited"))
    };
    let clock = Clock::start();
    let first = loop {
        if let Some(state) = down(&always) {
            break state;
        }
        assert!(clock.now().0 < 180_000_000, "nobody was killed");
        assert!(
            runner.try_wait().expect("an own child").is_none(),
            "it ended before"
        );
        sleep(Duration::from_millis(100));
    };
    // The engine starts such a container after a tenth of a second.
    for _ in 0..16 {
        sleep(Duration::from_millis(500));
        assert_eq!(down(&always).as_deref(), Some(first.as_str()));
    }
    let text = containers.firedrill.wait(runner).stderr;
    assert!(text.contains("everything undone"), "{text}");
    assert_eq!(containers.as_found(), before, "{text}");
}
