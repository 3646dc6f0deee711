//! The disk of the runs is full: before the run, and while its events are logged.

use crate::interrupted::{BUSY, CRASH};
use crate::support::{Firedrill, Turn};
use std::path::PathBuf;
use std::process::Command;

/// A small file system of its own, which goes with this value.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one in a fresh folder of the program's home; `None`, said so, where nobody may mount.
    pub fn mount(firedrill: &Firedrill, bytes: usize) -> Option<Self> {
        let folder = firedrill.home().join("small");
        std::fs::create_dir(&folder).expect("a fresh folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "small"])
            .arg(&folder)
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            println!("skipped: only root may mount a small disk");
        }
        mounted.then_some(Self(folder))
    }

    pub fn path(&self) -> &str {
        self.0.to_str().expect("a plain path")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_disk_that_fills_up_stops_the_run_and_everything_is_put_back() {
    if !super::available() {
        return;
    }
    let _turn = Turn::take();
    let firedrill = Firedrill::new();
    // Room for the journal and the beginning of the event log.
    let Some(small) = SmallDisk::mount(&firedrill, 160 * 1024) else {
        return;
    };
    let drill = firedrill.file("drill.yaml", CRASH);
    let target = firedrill.file("ours.target.yaml", BUSY);
    let finished = firedrill.run(&[
        "run",
        &drill,
        "--yes",
        "--target",
        &target,
        "--runs-dir",
        small.path(),
    ]);
    assert_eq!(finished.code, Some(4), "{}", finished.stderr);
    assert!(
        finished.stderr.contains("No space left"),
        "{}",
        finished.stderr
    );
    assert!(
        finished.stderr.contains("--runs-dir"),
        "{}",
        finished.stderr
    );
    firedrill.nothing_left();
    let undo = firedrill.run(&["undo", "--runs-dir", small.path()]);
    assert!(undo.stderr.contains("nothing to undo"), "{}", undo.stderr);
}
