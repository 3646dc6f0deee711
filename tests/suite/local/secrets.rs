//! The passwords of a throw-away cluster are in no file of the run's folder, in no argument or environment
//! of a process, and in nothing that is said.

use super::{LONG, programs_beside};
use crate::interrupted::{BUSY, FREEZE};
use crate::support::{Firedrill, Turn};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

#[test]
fn passwords_show_nowhere() {
    if !super::available() {
        return;
    }
    let _turn = Turn::take();
    let firedrill = Firedrill::new().limit(LONG);
    let told = firedrill.home().join("told");
    std::fs::create_dir(&told).expect("a fresh folder");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(&told, open).expect("own folder");
    // The servers' programs tell on themselves: initdb keeps a copy of its password, and the servers log
    // the statement that makes the roles, in the folder that goes with the cluster.
    let bin = programs_beside(&firedrill, &|program, real| {
        let real = real.display();
        match program {
            "initdb" => format!(
                "#!/bin/sh\nfor a; do case $a in --pwfile=*) cat \"${{a#--pwfile=}}\" > {}/act;; esac; done\nexec {real} \"$@\"\n",
                told.display()
            ),
            "postgres" => format!(
                "#!/bin/sh\ncase \"$1\" in -D) exec {real} \"$@\" -c log_statement=all;; esac\nexec {real} \"$@\"\n"
            ),
            _ => format!("#!/bin/sh\nexec {real} \"$@\"\n"),
        }
    });
    let Some(bin) = bin else { return };
    let target = format!("{BUSY}  postgres: {{ bin: {} }}\n", bin.display());
    let target = firedrill.file("ours.target.yaml", &target);
    let drill = firedrill.file("drill.yaml", FREEZE);
    let outputs = ["json", "junit", "markdown"].map(|kind| format!("{kind}=report.{kind}"));
    let mut arguments = vec!["run", &drill, "--yes", "--target", &target];
    for output in &outputs {
        arguments.extend(["-o", output]);
    }
    let mut child = firedrill.start(&arguments);
    let mut passwords = BTreeSet::new();
    while child.try_wait().expect("an own child").is_none() {
        if passwords.len() < 3 {
            passwords = passwords_of(firedrill.home(), &told);
        }
        for process in std::fs::read_dir("/proc").expect("/proc").flatten() {
            for shown in ["cmdline", "environ"] {
                let text = std::fs::read(process.path().join(shown)).unwrap_or_default();
                holds_none(&process.path().join(shown), &text, &passwords);
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let finished = firedrill.wait(child);
    assert_eq!(
        passwords.len(),
        3,
        "the canary sang not: {}",
        finished.stderr
    );
    assert!(
        finished.code.is_some_and(|code| code < 5),
        "{}",
        finished.stderr
    );
    holds_none(
        Path::new("standard error"),
        finished.stderr.as_bytes(),
        &passwords,
    );
    holds_none(
        Path::new("standard output"),
        finished.stdout.as_bytes(),
        &passwords,
    );
    let mut looked = 0;
    look_below(&firedrill.home().join("state"), &passwords, &mut looked);
    for output in &outputs {
        let path = firedrill
            .home()
            .join(output.split('=').nth(1).expect("a file"));
        let text = std::fs::read(&path).expect("a report");
        holds_none(&path, &text, &passwords);
    }
    assert!(looked > 4, "only {looked} files in the run's folder");
    firedrill.nothing_left();
}

#[test]
fn a_password_from_the_environment_shows_nowhere() {
    if !super::available() {
        return;
    }
    let _turn = Turn::take();
    let canary = "canary-7f3a91";
    let firedrill = Firedrill::new().limit(LONG).env("FD_PASSWORD", canary);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("a port").port();
    drop(listener);
    // It is the wrong one for this server, so that it is told to the server, and an error comes back.
    let target = format!(
        "version: 1\nlimits: {{ sessions: 40, commits_per_second: 200 }}\nlocal: {{ ports: {{ writer: {port} }} }}\n\
         identities: {{ probe: {{ password: {{ env: FD_PASSWORD }} }} }}\n\
         endpoints: {{ again: {{ url: \"host=127.0.0.1 port={port}\" }} }}\n"
    );
    let target = firedrill.file("ours.target.yaml", &target);
    let finished = firedrill.run(&["run", "no-fault", "--yes", "--target", &target]);
    assert_eq!(finished.code, Some(5), "{}", finished.stderr);
    for words in ["the again endpoint", "password authentication failed"] {
        assert!(finished.stderr.contains(words), "{}", finished.stderr);
    }
    let passwords = BTreeSet::from([canary.to_owned()]);
    let said = [
        ("standard error", &finished.stderr),
        ("standard output", &finished.stdout),
    ];
    for (what, text) in said {
        holds_none(Path::new(what), text.as_bytes(), &passwords);
    }
    let mut looked = 0;
    look_below(firedrill.home(), &passwords, &mut looked);
    firedrill.nothing_left();
}

/// What can be learned by now: the superuser's from initdb, the others from the statement that makes them.
fn passwords_of(home: &Path, told: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let act = std::fs::read_to_string(told.join("act")).unwrap_or_default();
    found.extend((act.len() == 32).then_some(act));
    for cluster in std::fs::read_dir(home.join("tmp"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let log = std::fs::read_to_string(cluster.path().join("node-1.log")).unwrap_or_default();
        let passwords = log.split("PASSWORD '").skip(1);
        found.extend(passwords.filter_map(|rest| rest.get(..32).map(str::to_owned)));
    }
    found
}

fn holds_none(what: &Path, text: &[u8], passwords: &BTreeSet<String>) {
    for password in passwords {
        assert!(
            !text
                .windows(password.len())
                .any(|part| part == password.as_bytes()),
            "a password is in {}",
            what.display()
        );
    }
}

fn look_below(folder: &Path, passwords: &BTreeSet<String>, looked: &mut usize) {
    for entry in std::fs::read_dir(folder).expect("own folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            look_below(&path, passwords, looked);
        } else {
            *looked += 1;
            holds_none(&path, &std::fs::read(&path).expect("own file"), passwords);
        }
    }
}
