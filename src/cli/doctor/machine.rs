//! The machine: system, processors, loopback ports, room on disk.

use super::finding::Finding;
use crate::figures;
use std::net::TcpListener;
use std::path::Path;

/// The kinds of numbers that `/proc` holds are Linux's: the local target needs them.
pub fn system() -> Finding {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let found = format!(
        "{} {} on {}",
        std::env::consts::OS,
        kernel.trim(),
        std::env::consts::ARCH
    );
    if std::env::consts::OS == "linux" && Path::new("/proc/self/stat").exists() {
        Finding::ok("system", found)
    } else {
        Finding::fail(
            "system",
            found,
            "the local target needs Linux with /proc mounted",
        )
    }
}

/// Probes and servers share the processors; on one, the observer is often late.
pub fn processors() -> Finding {
    match std::thread::available_parallelism().map(usize::from) {
        Ok(1) => Finding::warn(
            "processors",
            "1: probes and servers take turns on it",
            "expect runs that are invalid because the observer was late; 2 or more are better",
        ),
        Ok(many) => Finding::ok("processors", many.to_string()),
        Err(error) => Finding::warn("processors", error.to_string(), "2 or more are better"),
    }
}

/// Ports on loopback that a cluster of two nodes takes: per node the server and two links, and two endpoints.
pub fn ports() -> Finding {
    const NEEDED: usize = 8;
    let listeners: Result<Vec<TcpListener>, _> = (0..NEEDED)
        .map(|_| TcpListener::bind(("127.0.0.1", 0)))
        .collect();
    match listeners {
        Ok(_) => Finding::ok("ports", format!("{NEEDED} are free on 127.0.0.1")),
        Err(error) => Finding::fail(
            "ports",
            format!("127.0.0.1 cannot be listened on: {error}"),
            "bring the loopback interface up, or free some ports",
        ),
    }
}

/// Room for the data directories of the throw-away servers.
pub fn disk(folder: &Path) -> Finding {
    // Two fresh data directories take about 80 MiB, and WAL is kept up to 512 MiB a node.
    const ENOUGH: u64 = 1536 << 20;
    const LEAST: u64 = 256 << 20;
    let about = "disk";
    let free = match nix::sys::statvfs::statvfs(folder) {
        Ok(of) => of.blocks_available().saturating_mul(of.fragment_size()),
        Err(error) => {
            return Finding::fail(
                about,
                format!("{}: {error}", folder.display()),
                "set TMPDIR to a folder that can be written",
            );
        }
    };
    let found = format!("{} free in {}", figures::bytes(free), folder.display());
    if free >= ENOUGH {
        Finding::ok(about, found)
    } else if free >= LEAST {
        Finding::warn(
            about,
            found,
            "a long drill may fill it; set TMPDIR to a larger one",
        )
    } else {
        Finding::fail(
            about,
            found,
            "free 1.5 GiB there, or set TMPDIR to another folder",
        )
    }
}
