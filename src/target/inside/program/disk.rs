//! Fills the file system that a folder lies on, on purpose, and has it back: one line of input is a request, one line of
//! output its answer (or `error: …`). It runs as the user that the server runs as, so that it sees and takes what the
//! server could have had and no more.
//!
//! | request | what |
//! |---|---|
//! | `look FOLDER` | `DEVICE KIND FREE ROOT`: the file system that it lies on, bytes free there, what of it is mounted |
//! | `devices` | the devices of all file systems that are mounted here |
//! | `engine` | the devices that the engine's own files for this container lie on |
//! | `above FOLDER` | the highest folder over it on the same file system in which this user may make files |
//! | `free FOLDER` | bytes free there |
//! | `fill AT_MOST LEAVE FILE` | makes a file of at most so many bytes, until no more than LEAVE are free; `FREE SIZE` |
//! | `count STEM` | how many files there are whose path begins so |
//! | `remove STEM` | removes them; how many there were |
//!
//! Only files that firedrill named are ever made or removed.

use super::lines::{self, wrong};
use super::mounts::{self, Mount};
use super::space;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The first line that it says.
const HELLO: &str = "firedrill-disk/1";
/// In the name of every file that is made or removed here.
const OURS: &str = "firedrill-";
/// Files that an engine makes for each container and mounts into it.
const ENGINES: [&str; 3] = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];
/// Where space cannot be taken without writing, this much is written at a time.
const BLOCK: usize = 64 * 1024;
/// Less than this cannot be taken.
const LEAST: u64 = 4096;
/// Others take and give back space meanwhile.
const ROUNDS: u32 = 50;

/// Answers until its input ends.
pub fn serve() {
    lines::serve(HELLO, answer);
}

fn answer(line: &str) -> std::io::Result<String> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    Ok(match word {
        "look" => {
            let folder = std::fs::canonicalize(rest)?;
            let mounts = mounts()?;
            let mount = of(&mounts, &folder)?;
            let free = space::free(&folder)?;
            format!("{} {} {free} {}", mount.device, mount.kind, mount.root)
        }
        "devices" => devices(mounts()?, |_| true),
        "engine" => devices(mounts()?, |mount| ENGINES.contains(&mount.point.as_str())),
        "above" => above(&std::fs::canonicalize(rest)?)?.display().to_string(),
        "free" => space::free(Path::new(rest))?.to_string(),
        "fill" => {
            let mut words = rest.splitn(3, ' ');
            let mut next = || words.next().ok_or_else(|| wrong("this is no request"));
            let (at_most, leave, file) = (number(next()?)?, number(next()?)?, next()?);
            let (free, size) = fill(&ours(file)?, at_most, leave)?;
            format!("{free} {size}")
        }
        "count" => beginning_with(rest)?.len().to_string(),
        "remove" => {
            let files = beginning_with(rest)?;
            for file in &files {
                match std::fs::remove_file(file) {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            files.len().to_string()
        }
        _ => return Err(wrong("this is no request")),
    })
}

fn mounts() -> std::io::Result<Vec<Mount>> {
    Ok(mounts::parse(&std::fs::read_to_string(
        "/proc/self/mountinfo",
    )?))
}

fn of<'a>(mounts: &'a [Mount], path: &Path) -> std::io::Result<&'a Mount> {
    mounts::of(mounts, &path.to_string_lossy()).ok_or_else(|| wrong("it lies on nothing"))
}

fn devices(mounts: Vec<Mount>, which: impl Fn(&Mount) -> bool) -> String {
    let found = mounts.into_iter().filter(which);
    let mut found: Vec<String> = found.map(|mount| mount.device).collect();
    found.sort();
    found.dedup();
    found.join(" ")
}

fn number(word: &str) -> std::io::Result<u64> {
    word.parse().map_err(|_| wrong("this is no number"))
}

/// The folder itself, where this user may make files in none above it.
fn above(folder: &Path) -> std::io::Result<PathBuf> {
    let mounts = mounts()?;
    let own = of(&mounts, folder)?.clone();
    let me = std::fs::metadata("/proc/self")?;
    let may = |at: &Path| -> std::io::Result<bool> {
        let there = std::fs::metadata(at)?;
        let bits = match (there.uid() == me.uid(), there.gid() == me.gid()) {
            (true, _) => there.mode() >> 6,
            (_, true) => there.mode() >> 3,
            _ => there.mode(),
        };
        Ok(bits & 0o3 == 0o3)
    };
    let mut highest = folder.to_owned();
    for at in folder.ancestors() {
        if *of(&mounts, at)? != own {
            break;
        }
        if may(at)? {
            highest = at.to_owned();
        }
    }
    Ok(highest)
}

/// A path whose file's name says that it is firedrill's.
fn ours(path: &str) -> std::io::Result<PathBuf> {
    let path = PathBuf::from(path);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match path.is_absolute() && name.contains(OURS) {
        true => Ok(path),
        false => Err(wrong("this is no file of firedrill's")),
    }
}

fn beginning_with(stem: &str) -> std::io::Result<Vec<PathBuf>> {
    let stem = ours(stem)?;
    let name = stem.file_name().unwrap_or_default().to_string_lossy();
    let folder = stem.parent().unwrap_or(Path::new("/"));
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        // With its folder everything in it is gone.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&*name) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Gives what is free afterwards, and how large the file is.
fn fill(path: &Path, at_most: u64, leave: u64) -> std::io::Result<(u64, u64)> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .open(path)?;
    let mut whole = u64::MAX;
    for _ in 0..ROUNDS {
        let said = file.metadata()?;
        if said.nlink() == 0 {
            // Somebody has undone it already.
            return Err(wrong("its file was removed meanwhile"));
        }
        let missing = space::free(folder)?.saturating_sub(leave);
        let more = missing.min(at_most.saturating_sub(said.len())).min(whole);
        if more == 0 {
            break;
        }
        match space::take(&file, said.len(), more) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                if !write(&file, said.len(), more)? {
                    break;
                }
            }
            // Not so much at once: somebody has taken some, or the file system keeps some for itself.
            Err(error) if error.kind() == ErrorKind::StorageFull && more > LEAST => {
                whole = more / 2;
                continue;
            }
            Err(error) if error.kind() == ErrorKind::StorageFull => break,
            Err(error) => return Err(error),
        }
        whole = u64::MAX;
    }
    Ok((space::free(folder)?, file.metadata()?.len()))
}

/// Writes so much behind what a file has, in parts; `false` where there is no space left.
fn write(file: &File, from: u64, length: u64) -> std::io::Result<bool> {
    let block = vec![0; BLOCK];
    let mut file = file;
    file.seek(SeekFrom::Start(from))?;
    // Somebody may remove it meanwhile, and then it must not go on growing unseen.
    let mut left = length.min(64 << 20);
    while left > 0 {
        let part = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
        match file.write_all(block.get(..part).unwrap_or(&block)) {
            Ok(()) => left = left.saturating_sub(BLOCK as u64),
            Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    file.sync_all()?;
    Ok(true)
}
