//! The disks that nodes' data lie on: where a file of firedrill's may lie there, and whom it would hit.
//!
//! It is looked at, filled and cleared by a container of firedrill's own on the volumes of the node, as the user that the
//! server runs as (`inside/program/disk.rs`): nothing is put into the node's container, nothing is asked of its image,
//! and the way back is the same whether the node runs, stands still or is down.

use super::docker_target::{DockerTarget, Node};
use super::hands::Hand;
use super::shell;
use crate::figures::bytes;
use crate::target::{ProcessScope, Processes as _, Spot, TargetError};
use futures_util::future::try_join_all;
use std::time::Duration;

/// How long the shell may take.
const LIMIT: Duration = Duration::from_secs(5);
/// How long it may take to fill a disk, where that must be written.
const FILL: Duration = Duration::from_secs(50);
/// Nobody in particular: for what everybody may look at.
const NOBODY: (u32, u32) = (65534, 65534);

/// User and group that a process runs as.
const OWNER: &str =
    "while read -r k n r; do case $k in Uid:|Gid:) echo \"$n\";; esac; done < /proc/$1/status";
/// The folder that a process works in: with PostgreSQL's its data directory.
const FOLDER: &str = "cd -P /proc/$1/cwd && pwd -P";

/// What to do where a node has no disk of its own.
const OWN_DISK: &str = "give each node a volume of its own with a limited size \
     (examples/patroni/small-disk.compose.yml does)";

/// A file system, as the program on it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Disk {
    device: String,
    kind: String,
    pub(super) free: u64,
    /// What of it is mounted.
    root: String,
}

impl Disk {
    fn parse(said: &str) -> Option<Self> {
        let mut words = said.splitn(4, ' ');
        Some(Self {
            device: words.next()?.to_owned(),
            kind: words.next()?.to_owned(),
            free: words.next()?.parse().ok()?,
            root: words.next()?.to_owned(),
        })
    }

    /// Whether what is written to it goes to no storage.
    pub(super) fn is_memory(&self) -> bool {
        matches!(self.kind.as_str(), "tmpfs" | "ramfs")
    }

    /// Why filling it would hit others, or nobody; `engine` are the devices that the engine itself writes to, `others` those
    /// that are mounted in each other node.
    fn refusal(
        &self,
        engine: &[String],
        others: &[(String, Vec<String>)],
        at_most: u64,
        leave: u64,
    ) -> Option<String> {
        let Self { device, kind, .. } = self;
        if kind == "overlay" {
            return Some(format!(
                "its data lie in the container's own layer, and so on the disk of the engine and of every other \
                 container: {OWN_DISK}"
            ));
        }
        if self.root != "/" {
            return Some(format!(
                "its data lie in a folder ({}) of a larger file system ({kind}), and whoever else lies on that would be \
                 hit as well: {OWN_DISK}",
                self.root
            ));
        }
        if engine.contains(device) {
            return Some(format!(
                "its data lie on the file system that the engine itself writes to ({kind}, device {device}): {OWN_DISK}"
            ));
        }
        if let Some((other, _)) = others.iter().find(|(_, devices)| devices.contains(device)) {
            return Some(format!(
                "{other} has the same file system ({kind}, device {device}) and would be hit as well: {OWN_DISK}"
            ));
        }
        if self.free <= leave {
            return Some(format!(
                "{} are free there as it is, and {} are to be left",
                bytes(self.free),
                bytes(leave)
            ));
        }
        let file = self.free - leave;
        (file > at_most).then(|| {
            format!(
                "{} are free there, and the file may have {} (at_most), so that it would not be full: allow {}, or give \
                 the node a smaller disk",
                bytes(self.free),
                bytes(at_most),
                bytes(file)
            )
        })
    }
}

/// Words of an answer.
fn words(said: &str) -> Vec<String> {
    said.split_ascii_whitespace().map(str::to_owned).collect()
}

impl DockerTarget {
    /// Where files may lie beside a node's data, and what that file system is. The node must run.
    ///
    /// # Errors
    /// When its server cannot be found, or nobody is let in.
    pub(super) async fn spot_beside(&self, node: &Node) -> Result<(Spot, Disk), TargetError> {
        let name = &node.facts.name;
        let failed = |why: String| TargetError::new(format!("find the data of {name}"), why);
        let found = self.find(name, ProcessScope::Postmaster).await?;
        let [postmaster] = found.as_slice() else {
            return Err(failed(format!("it has {} postmasters now", found.len())));
        };
        let pid = postmaster.pid.to_string();
        let owner = self.say_in(node, "0", OWNER, &pid).await?;
        let mut numbers = owner.lines().map(|line| line.trim().parse::<u32>());
        let (Some(Ok(user)), Some(Ok(group))) = (numbers.next(), numbers.next()) else {
            return Err(failed(format!("its owner is not told: {owner:?}")));
        };
        // As that user: who is not may not look where a process works, root in a container no more than others.
        let folder = self
            .say_in(node, &format!("{user}:{group}"), FOLDER, &pid)
            .await?;
        let folder = folder.trim_end_matches('\n');
        let mut hand = self.hand_on_volumes(node, (user, group)).await?;
        let look = hand.ask(&format!("look {folder}")).await;
        let look = look.map_err(|why| {
            failed(format!(
                "{folder}: {why}; firedrill looks from a container on the node's volumes, and data in the container's \
                 own layer is on none: {OWN_DISK}"
            ))
        })?;
        let disk = Disk::parse(&look).ok_or_else(|| failed(format!("it lies on {look:?}")))?;
        let above = hand.ask(&format!("above {folder}")).await;
        let above = above.map_err(failed)?;
        let stem = match above == folder {
            // Copies of a cluster leave out what begins so, and so does pg_rewind.
            true => format!("{folder}/pgsql_tmp."),
            false => format!("{}/", above.trim_end_matches('/')),
        };
        let user = (user, group);
        Ok((Spot { stem, user }, disk))
    }

    /// Refuses a disk that is not one node's own, or would not be full.
    ///
    /// # Errors
    /// Why, and what to do.
    pub(super) async fn may_be_filled(
        &self,
        node: &Node,
        disk: &Disk,
        (at_most, leave): (u64, u64),
    ) -> Result<(), TargetError> {
        let asked = self.nodes.iter().map(|each| async {
            let own = each.facts.id == node.facts.id;
            let mut hand = self.hand_on_volumes(each, NOBODY).await?;
            let word = if own { "engine" } else { "devices" };
            let said = hand.ask(word).await.map_err(|why| {
                TargetError::new(format!("look at the disks of {}", each.facts.name), why)
            })?;
            Ok::<_, TargetError>((own, each.facts.name.clone(), words(&said)))
        });
        let mut engine = Vec::new();
        let mut others = Vec::new();
        for (own, name, devices) in try_join_all(asked).await? {
            match own {
                true => engine = devices,
                false => {
                    // What every container has from the engine is no disk of that node.
                    others.push((name, devices));
                }
            }
        }
        let what = || format!("fill the disk of {}", node.facts.name);
        if engine.is_empty() && !self.engine.rootless {
            return Err(TargetError::new(
                what(),
                "it cannot be told on which file system the engine itself writes",
            ));
        }
        match disk.refusal(&engine, &others, at_most, leave) {
            Some(why) => Err(TargetError::new(what(), why)),
            None => Ok(()),
        }
    }

    /// What a line of shell in a node says, called with one word.
    async fn say_in(
        &self,
        node: &Node,
        user: &str,
        script: &str,
        word: &str,
    ) -> Result<String, TargetError> {
        let command = ["sh", "-c", script, "sh", word];
        let asked = self
            .engine
            .exec_as(user, &node.facts.id, &command, LIMIT)
            .await;
        shell::said(format!("find the data of {}", node.facts.name), asked)
    }

    /// Asks the program on a node's volumes one thing, as the owner of what lies there.
    ///
    /// # Errors
    /// The program's, or that nobody is let in.
    pub(super) async fn ask_disk(
        &self,
        node: &Node,
        spot: &Spot,
        (what, question): (&str, &str),
    ) -> Result<String, TargetError> {
        let mut hand: Hand = self.hand_on_volumes(node, spot.user).await?;
        hand.ask_within(question, FILL)
            .await
            .map_err(|why| TargetError::new(format!("{what} of {}", node.facts.name), why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(said: &str) -> Disk {
        Disk::parse(said).unwrap()
    }

    fn refused(said: &str, at_most: u64, leave: u64) -> String {
        let engine = ["254:0".to_owned()];
        let others = [("pg-2".to_owned(), vec!["0:50".to_owned()])];
        let refusal = disk(said).refusal(&engine, &others, at_most, leave);
        refusal.unwrap_or_else(|| "may be filled".to_owned())
    }

    #[test]
    fn only_a_disk_that_is_one_nodes_own_and_would_be_full_is_filled() {
        const G: u64 = 1 << 30;
        let said = [
            refused("0:45 tmpfs 600000000 /", 2 * G, 0),
            refused("0:60 overlay 600000000 /", 2 * G, 0),
            refused(
                "254:0 ext4 600000000 /var/lib/docker/volumes/pg 1/_data",
                2 * G,
                0,
            ),
            refused("254:0 ext4 600000000 /", 2 * G, 0),
            refused("0:50 tmpfs 600000000 /", 2 * G, 0),
            refused("0:45 tmpfs 3221225472 /", 2 * G, 0),
            refused("0:45 tmpfs 3221225472 /", 2 * G, G),
            refused("0:45 tmpfs 1048576 /", 2 * G, 1 << 20),
        ];
        insta::assert_snapshot!(said.join("\n"), @"
        may be filled
        its data lie in the container's own layer, and so on the disk of the engine and of every other container: give each node a volume of its own with a limited size (examples/patroni/small-disk.compose.yml does)
        its data lie in a folder (/var/lib/docker/volumes/pg 1/_data) of a larger file system (ext4), and whoever else lies on that would be hit as well: give each node a volume of its own with a limited size (examples/patroni/small-disk.compose.yml does)
        its data lie on the file system that the engine itself writes to (ext4, device 254:0): give each node a volume of its own with a limited size (examples/patroni/small-disk.compose.yml does)
        pg-2 has the same file system (tmpfs, device 0:50) and would be hit as well: give each node a volume of its own with a limited size (examples/patroni/small-disk.compose.yml does)
        3.0 GiB are free there, and the file may have 2.0 GiB (at_most), so that it would not be full: allow 3.0 GiB, or give the node a smaller disk
        may be filled
        1.0 MiB are free there as it is, and 1.0 MiB are to be left
        ");
    }

    #[test]
    fn what_is_no_file_system_is_not_read() {
        assert_eq!(Disk::parse("0:45 tmpfs many /"), None);
        assert_eq!(Disk::parse(""), None);
        assert!(disk("0:45 tmpfs 1 /").is_memory());
        assert!(!disk("7:0 ext4 1 /").is_memory());
    }
}
