//! What the kernel says is mounted, and what lies on what. Compiled into the program that runs inside and into our tests.

/// One mount, as a line of `/proc/PID/mountinfo` says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The device of the file system, such as `0:45`: the same at every place where it is mounted.
    pub device: String,
    /// Which folder of that file system is mounted here; `/` where it is all of it.
    pub root: String,
    /// Where.
    pub point: String,
    /// What kind of file system, such as ext4, tmpfs, overlay.
    pub kind: String,
}

/// Reads such a file.
pub fn parse(text: &str) -> Vec<Mount> {
    text.lines().filter_map(line).collect()
}

/// `36 35 98:0 /root /point rw,noatime master:1 - ext3 /dev/sda rw`: how many words stand before the dash varies.
fn line(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let words: Vec<&str> = before.split(' ').collect();
    Some(Mount {
        device: (*words.get(2)?).to_owned(),
        root: plain(words.get(3)?),
        point: plain(words.get(4)?),
        kind: after.split(' ').next()?.to_owned(),
    })
}

/// Spaces, tabs, line ends and backslashes are written as three octal digits.
fn plain(word: &str) -> String {
    [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ]
    .iter()
    .fold(word.to_owned(), |word, (code, letter)| {
        word.replace(code, letter)
    })
}

/// The mount that a path lies on: the innermost one, and of those the one that was made last.
pub fn of<'a>(mounts: &'a [Mount], path: &str) -> Option<&'a Mount> {
    let above = |mount: &&Mount| {
        mount.point == "/"
            || path
                .strip_prefix(&mount.point)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    // Of equals the last one.
    mounts
        .iter()
        .filter(above)
        .max_by_key(|mount| mount.point.len())
}
