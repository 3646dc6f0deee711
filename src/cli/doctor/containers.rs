//! The container engine that a drill on containers would use.

use super::super::asynchronous::wait_for;
use super::finding::Finding;
use crate::target::docker::engine_here;

/// Asks the engine that `docker` would talk to here.
pub fn engine() -> Finding {
    let about = "containers";
    match wait_for(engine_here()) {
        Ok(Ok(line)) => Finding::ok(about, line),
        Ok(Err(error)) => Finding::warn(
            about,
            format!("no drill on containers can run here: {}", error.cause),
            "local drills need none; for the others see to the above, or set DOCKER_HOST",
        ),
        Err(failure) => Finding::warn(about, failure.message, "local drills need none"),
    }
}
