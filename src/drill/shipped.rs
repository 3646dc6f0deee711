//! The drills inside the program, so that a name is enough to run one.

/// A shipped drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shipped {
    /// Its name, which is also its file's.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// Makes the table out of names of files in `drills/`.
macro_rules! shipped {
    ($($name:literal),+ $(,)?) => {
        /// All shipped drills, in the order in which one would practise them.
        pub const ALL: &[Shipped] = &[$(Shipped {
            name: $name,
            text: include_str!(concat!("../../drills/", $name, ".yaml")),
        }),+];
    };
}

shipped![
    "no-fault",
    "primary-crash",
    "postmaster-crash",
    "planned-switchover",
    "standby-crash",
    "primary-freeze",
    "primary-cut-off",
    "primary-cut-from-dcs",
    "one-way-loss",
    "slow-replication",
    "load-spike",
    "reconnect-storm",
    "idle-sessions",
    "lagging-promotion",
    "cascading-failovers",
    "stale-primary-returns",
    "rolling-restart",
    "replica-rebuild",
    "abandoned-slot",
    "node-loss",
    "two-node-loss",
    "sync-standby-crash",
    "postmaster-freeze",
    "agent-crash",
    "agent-freeze",
    "dcs-loss",
    "router-loss",
    "pooler-loss",
    "disk-full",
    "noisy-neighbour",
    "clock-step",
];

/// The shipped drill of a name.
#[must_use]
pub fn find(name: &str) -> Option<Shipped> {
    ALL.iter().copied().find(|drill| drill.name == name)
}

/// The names of all shipped drills.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|drill| drill.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::{Given, Source, check_target_text, check_text};
    use std::collections::BTreeSet;
    use std::path::Path;

    fn folder(name: &str, ending: &str) -> Vec<(String, String)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let mut files: Vec<(String, String)> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter_map(|path| {
                let name = path.file_name()?.to_str()?.strip_suffix(ending)?.to_owned();
                Some((name, std::fs::read_to_string(path).unwrap()))
            })
            .collect();
        files.sort();
        files
    }

    #[test]
    fn every_file_in_drills_is_in_the_table() {
        let files: BTreeSet<String> = folder("drills", ".yaml")
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        let table: BTreeSet<String> = names().map(str::to_owned).collect();
        assert_eq!(files, table);
    }

    #[test]
    fn every_shipped_drill_is_good_and_named_like_its_file() {
        for shipped in ALL {
            let source = Source::new(shipped.name, shipped.text);
            let checked = match check_text(&source, &Given::default()) {
                Ok(checked) => checked,
                Err(found) => panic!("{}", crate::drill::render(&found, false, 100)),
            };
            assert_eq!(checked.warnings, [], "{}", shipped.name);
            assert_eq!(checked.drill.name, shipped.name);
            assert!(!checked.drill.why.is_empty(), "{}", shipped.name);
        }
    }

    #[test]
    fn every_shipped_drill_opens_with_what_why_and_good() {
        for shipped in ALL {
            let comment: Vec<&str> = shipped
                .text
                .lines()
                .take_while(|line| line.starts_with('#'))
                .collect();
            assert!(comment.len() >= 5, "{}", shipped.name);
            for word in ["# Why: ", "# Good: "] {
                assert!(
                    comment.iter().any(|line| line.starts_with(word)),
                    "{} lacks {word}",
                    shipped.name
                );
            }
        }
    }

    #[test]
    fn every_example_target_is_good() {
        let files = folder("examples", ".target.yaml");
        assert!(files.len() >= 3);
        for (name, text) in files {
            let checked = check_target_text(&Source::new(&name, text));
            assert_eq!(
                checked.map(|checked| checked.warnings),
                Ok(Vec::new()),
                "{name}"
            );
        }
    }

    #[test]
    fn the_default_target_is_the_written_out_example() {
        let (_, text) = folder("examples", ".target.yaml")
            .into_iter()
            .find(|(name, _)| name == "local")
            .unwrap();
        let written = check_target_text(&Source::new("local", text))
            .unwrap()
            .target;
        assert_eq!(written, crate::drill::target_file::TargetFile::default());
    }

    #[test]
    fn the_readme_lists_every_drill() {
        let readme =
            std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("drills/README.md"))
                .unwrap();
        for name in names() {
            assert!(readme.contains(&format!("| `{name}` |")), "{name}");
        }
    }
}
