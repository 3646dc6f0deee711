//! The runner dies by SIGKILL under a fault on containers: the watchdog puts everything back, without a password
//! of the database, and until then no other run begins.

use super::{Containers, killed};
use firedrill::clock::Clock;
use std::thread::sleep;
use std::time::Duration;

#[test]
fn the_watchdog_starts_what_was_killed_and_gives_the_lock_back() {
    let Some(containers) = Containers::take() else {
        return;
    };
    let before = containers.as_found();
    let path = containers.write(
        "objectives:\n  - downtime: { at_most: 2m }\nsteps:\n  - baseline: { for: 5s }\n  \
         - kill: { node: standby, id: gone }\n  - hold: { for: 5m }\n",
    );
    let firedrill = &containers.firedrill;
    let runner = firedrill.start(&["run", &path, "--yes", "--target", &containers.target]);
    let clock = Clock::start();
    let down = |found: &str| found.contains(" exited ");
    while !down(&containers.as_found()) {
        assert!(clock.now().0 < 120_000_000, "no container went down");
        sleep(Duration::from_millis(200));
    }
    // Restart policy `no` while it is kept down.
    assert!(
        containers.as_found().contains(" no exited "),
        "{}",
        containers.as_found()
    );
    let said = killed(runner);
    let clock = Clock::start();
    while containers.as_found() != before {
        assert!(
            clock.now().0 < 180_000_000,
            "not put back: {}\n{said}",
            containers.as_found()
        );
        sleep(Duration::from_millis(500));
    }
    let list = || super::docker(&["ps", "--all", "--format", "{{.Names}}"]);
    let clock = Clock::start();
    while list().contains("firedrill-lock-") {
        assert!(clock.now().0 < 120_000_000, "the lock stayed");
        sleep(Duration::from_millis(500));
    }
}
