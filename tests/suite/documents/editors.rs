//! The schemas that are kept are the program's, and every YAML file that is shipped names its own.

use crate::support::{Firedrill, package, read};

/// What to do when the types changed.
const RENEW: &str =
    "the types changed; renew the kept schemas with: cargo run -- schema --folder schemas";

#[test]
fn the_kept_schemas_are_what_the_types_say() {
    let sandbox = Firedrill::new();
    let made = sandbox.home().join("schemas");
    let run = sandbox.run(&["schema", "--folder", made.to_str().expect("plain")]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let names = |folder: &std::path::Path| {
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .expect("a folder of schemas")
            .map(|entry| {
                let name = entry.expect("an entry").file_name();
                name.into_string().expect("plain")
            })
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(&made), names(&package().join("schemas")), "{RENEW}");
    for name in names(&made) {
        let text = std::fs::read_to_string(made.join(&name)).expect("just written");
        // Not assert_eq: a thousand lines of both would hide the one line that matters.
        assert!(
            text == read(format!("schemas/{name}")),
            "schemas/{name}: {RENEW}"
        );
        let kind = name.split('.').next().expect("a name");
        let printed = sandbox.run(&["schema", kind]);
        assert!(printed.stdout == text, "{name} is printed as it is written");
    }
}

#[test]
fn every_shipped_file_names_its_schema() {
    let mut seen = 0;
    for folder in ["drills", "examples"] {
        for entry in std::fs::read_dir(package().join(folder)).expect("a folder of the package") {
            let path = entry.expect("an entry").path();
            let name = path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            if !name.ends_with(".yaml") && !name.ends_with(".yml") {
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a text");
            let kind = match text.lines().any(|line| line.starts_with("steps:")) {
                true => "drill",
                false => "target",
            };
            let modeline = format!("# yaml-language-server: $schema=../schemas/{kind}.schema.json");
            assert_eq!(
                text.lines().next(),
                Some(modeline.as_str()),
                "{folder}/{name} must begin with the line by which editors find its schema"
            );
            seen += 1;
        }
    }
    assert!(seen >= 11, "{seen} files");
    assert!(package().join("schemas/drill.schema.json").exists());
    assert!(package().join("schemas/target.schema.json").exists());
}
