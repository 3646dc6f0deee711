//! Builds the program that runs inside a node's network (`src/target/inside/program/main.rs`) as a static one, so that it
//! runs in any Linux image, and hands its bytes to the library.
//!
//! The target for it comes with the toolchain (`rust-toolchain.toml`). Where it is missing, the bytes are empty,
//! and the library says what to install when somebody needs them: the rest of firedrill does without.

use std::path::{Path, PathBuf};
use std::process::Command;

const PROGRAM: &str = "src/target/inside/program/main.rs";
/// What it is made of, beside its folder.
const PARTS: [&str; 4] = [
    "src/target/inside/frames.rs",
    "src/target/inside/mounts.rs",
    "src/target/inside/netlink.rs",
    "src/target/inside/queues.rs",
];

fn main() {
    for read in ["build.rs", "src/target/inside/program"]
        .into_iter()
        .chain(PARTS)
    {
        println!("cargo::rerun-if-changed={read}");
    }
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let out = PathBuf::from(variable("OUT_DIR")).join("firedrill-inside");
    let architecture = variable("CARGO_CFG_TARGET_ARCH");
    if let Err(why) = build(&variable("RUSTC"), &architecture, &out) {
        println!("cargo::warning=nodes cannot be probed from inside their network: {why}");
        if let Some(components) = components(&variable("RUSTC")) {
            println!("cargo::rerun-if-changed={}", components.display());
        }
        if let Err(error) = std::fs::write(&out, []) {
            println!("cargo::error=cannot write {}: {error}", out.display());
        }
    }
}

/// Where rustup keeps the list of what it installed: it changes when the target is added, and then this is built again.
fn components(rustc: &str) -> Option<PathBuf> {
    let asked = Command::new(rustc).args(["--print", "sysroot"]).output();
    let sysroot = String::from_utf8(asked.ok()?.stdout).ok()?;
    let components = Path::new(sysroot.trim()).join("lib/rustlib/components");
    components.exists().then_some(components)
}

fn build(rustc: &str, architecture: &str, out: &Path) -> Result<(), String> {
    let target = format!("{architecture}-unknown-linux-musl");
    let built = Command::new(rustc)
        .args(["--edition=2024", "--crate-type=bin", "--target", &target])
        .args(["-Copt-level=s", "-Cpanic=abort", "-Cstrip=symbols"])
        .args(["--crate-name=firedrill_inside", "-Dwarnings", "-o"])
        .args([out, Path::new(PROGRAM)])
        // Flags meant for this machine's programs need not fit the other target.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .map_err(|error| format!("{rustc}: {error}"))?;
    if built.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&built.stderr);
    if said.contains("E0463") {
        return Err(format!(
            "no standard library for {target}: rustup target add {target}"
        ));
    }
    Err(said.lines().next().unwrap_or_default().to_owned())
}
