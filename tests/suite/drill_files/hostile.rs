//! Files that were made to hurt are refused quickly, and never crash the program.

use super::{RIGHT, refused};
use crate::support::Firedrill;
use std::time::Duration;

#[test]
fn deep_nesting() {
    let deep = format!("version: {}1{}\n", "[".repeat(100_000), "]".repeat(100_000));
    assert!(refused(&deep).contains("ours.yaml"));
}

#[test]
fn an_anchor_bomb() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..30 {
        let below = format!("*a{}, ", level - 1).repeat(9);
        bomb.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    assert!(refused(&bomb).contains("ours.yaml"));
}

#[test]
fn megabytes() {
    let large = format!("{RIGHT}# {}\n", "x".repeat(20 << 20));
    let message = refused(&large);
    assert!(message.len() < 2000, "the file is repeated in the message");
}

#[test]
fn no_text_at_all() {
    let sandbox = Firedrill::new().limit(Duration::from_secs(20));
    let binary = sandbox.home().join("binary.yaml");
    std::fs::write(&binary, [0xff, 0xfe, 0x00, 0x80]).expect("a file");
    let empty = sandbox.file("empty.yaml", "");
    let folder = sandbox.home().join("state");
    for path in [
        binary.to_str().expect("plain"),
        &empty,
        folder.to_str().expect("plain"),
    ] {
        let run = sandbox.run(&["check", path]);
        assert_eq!(run.code, Some(2), "{path}: {}", run.stderr);
        assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    }
}
