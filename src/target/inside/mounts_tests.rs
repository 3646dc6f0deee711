//! What is mounted, as a container sees it.

use super::mounts::{Mount, of, parse};

const CONTAINER: &str = "\
600 500 0:60 / / rw,relatime master:1 - overlay overlay rw,upperdir=/u
601 600 0:62 / /proc rw - proc proc rw
602 600 254:0 /var/lib/docker/containers/1f/hosts /etc/hosts rw,relatime - ext4 /dev/vda rw
603 600 0:45 / /var/lib/postgresql rw,relatime - tmpfs tmpfs rw,size=614400k
604 600 254:0 /volumes/a\\040b /data\\040here rw,relatime shared:7 master:2 - ext4 /dev/vda rw
nothing that can be read
";

#[test]
fn a_mount_is_read_whatever_stands_between() {
    let mounts = parse(CONTAINER);
    assert_eq!(mounts.len(), 5);
    let expected = Mount {
        device: "254:0".to_owned(),
        root: "/volumes/a b".to_owned(),
        point: "/data here".to_owned(),
        kind: "ext4".to_owned(),
    };
    assert_eq!(mounts[4], expected);
}

#[test]
fn a_path_lies_on_the_innermost_mount() {
    let mounts = parse(CONTAINER);
    let device = |path: &str| of(&mounts, path).map(|mount| mount.device.as_str());
    assert_eq!(device("/var/lib/postgresql/data"), Some("0:45"));
    assert_eq!(device("/var/lib/postgresql"), Some("0:45"));
    assert_eq!(device("/var/lib/postgresql-2"), Some("0:60"));
    assert_eq!(device("/etc/hosts"), Some("254:0"));
    assert_eq!(of(&[], "/"), None);
}
