//! The text of `postgresql.conf` and `pg_hba.conf`.
//!
//! Both are written by us as a whole, at first and again after each rewind or clone, since pg_rewind and
//! pg_basebackup bring along the other node's files.

use std::fmt::Write as _;
use std::path::Path;

/// The bootstrap superuser: firedrill's own, for promoting, pausing replay and looking. The cluster is
/// thrown away with its run, so nothing is gained by less.
pub const ACT: &str = "firedrill_act";
/// The role of the probes: no superuser, owner of nothing.
pub const PROBE: &str = "firedrill";
/// The role by which nodes stream, clone and rewind from each other.
pub const PEER: &str = "firedrill_peer";
/// The database of the ledger.
pub const DATABASE: &str = "firedrill";

/// What differs between nodes and clusters.
#[derive(Clone, Debug)]
pub struct Configuration<'a> {
    /// The node's name.
    pub node: &'a str,
    /// Its port on 127.0.0.1, also the number in the socket's name.
    pub port: u16,
    /// Folder of the Unix sockets.
    pub sockets: &'a Path,
    /// `max_connections`.
    pub max_connections: u32,
    /// Names of the other nodes, where commits wait for one of them.
    pub synchronous_with: &'a [String],
    /// The port through which it streams from the primary, and the file with the password for that.
    pub upstream: Option<(u16, &'a Path)>,
}

impl Configuration<'_> {
    /// `postgresql.conf`.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::from("# Written by firedrill; changes are lost.\n");
        let mut set = |name: &str, value: &str| {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{name} = {value}");
        };
        set("listen_addresses", "'127.0.0.1'");
        set("port", &self.port.to_string());
        set(
            "unix_socket_directories",
            &quoted(&self.sockets.to_string_lossy()),
        );
        set("cluster_name", &quoted(self.node));
        set("max_connections", &self.max_connections.to_string());
        set("shared_buffers", "64MB");
        // Files of the data directory, which go with it: what a killed server leaves in /dev/shm stays there.
        set("dynamic_shared_memory_type", "mmap");
        set("password_encryption", "'scram-sha-256'");
        // A crash must be survived, or a drill proves nothing.
        set("fsync", "on");
        set("full_page_writes", "on");
        set("synchronous_commit", "on");
        let standbys = if self.synchronous_with.is_empty() {
            String::new()
        } else {
            let names: Vec<String> = self
                .synchronous_with
                .iter()
                .map(|name| format!("\"{name}\""))
                .collect();
            format!("ANY 1 ({})", names.join(", "))
        };
        set("synchronous_standby_names", &quoted(&standbys));
        set("wal_level", "replica");
        // Without it, or checksums, pg_rewind refuses.
        set("wal_log_hints", "on");
        // As much as a standby that is down for a drill can miss, and no more for an abandoned slot.
        set("wal_keep_size", "128MB");
        set("max_slot_wal_keep_size", "128MB");
        set("max_wal_senders", "10");
        set("max_replication_slots", "10");
        set("archive_mode", "off");
        set("hot_standby", "on");
        set("hot_standby_feedback", "off");
        set("recovery_target_timeline", "'latest'");
        // A lost peer is noticed and looked for again quickly: the drill is to last seconds.
        set("wal_sender_timeout", "5s");
        set("wal_receiver_timeout", "5s");
        set("wal_retrieve_retry_interval", "100ms");
        set("wal_receiver_status_interval", "1s");
        if let Some((port, passfile)) = self.upstream {
            let passfile = in_conninfo(&passfile.to_string_lossy());
            let conninfo = format!(
                "host=127.0.0.1 port={port} user={PEER} passfile={passfile} \
                 application_name={} connect_timeout=2",
                self.node
            );
            set("primary_conninfo", &quoted(&conninfo));
        }
        set("log_destination", "'stderr'");
        set("logging_collector", "off");
        set("log_line_prefix", "'%m [%p] %q%u@%d %a '");
        set("lc_messages", "'C'");
        set("timezone", "'UTC'");
        set("log_timezone", "'UTC'");
        text
    }

    /// `pg_hba.conf`: passwords everywhere, also on the socket, so that no other user of the machine gets in.
    #[must_use]
    pub fn hba() -> &'static str {
        "# Written by firedrill; changes are lost.\n\
         local all all scram-sha-256\n\
         local replication all scram-sha-256\n\
         host all all 127.0.0.1/32 scram-sha-256\n\
         host replication all 127.0.0.1/32 scram-sha-256\n"
    }
}

/// A string of postgresql.conf.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}

/// A value of a libpq connection string (libpq documentation, "Keyword/Value Connection Strings").
#[must_use]
pub fn in_conninfo(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_synchronous_standby() {
        let others = ["node-1".to_owned(), "node-3".to_owned()];
        let configuration = Configuration {
            node: "node-2",
            port: 20002,
            sockets: Path::new("/tmp/it's/s"),
            max_connections: 60,
            synchronous_with: &others,
            upstream: Some((20102, Path::new("/tmp/it's/pass"))),
        };
        let text = configuration.text();
        let wanted: Vec<&str> = text
            .lines()
            .filter(|line| {
                [
                    "listen",
                    "port",
                    "unix",
                    "synchronous_st",
                    "primary",
                    "fsync",
                ]
                .iter()
                .any(|start| line.starts_with(start))
            })
            .collect();
        insta::assert_snapshot!(wanted.join("\n"), @r#"
        listen_addresses = '127.0.0.1'
        port = 20002
        unix_socket_directories = '/tmp/it''s/s'
        fsync = on
        synchronous_standby_names = 'ANY 1 ("node-1", "node-3")'
        primary_conninfo = 'host=127.0.0.1 port=20102 user=firedrill_peer passfile=''/tmp/it\\''s/pass'' application_name=node-2 connect_timeout=2'
        "#);
    }
}
