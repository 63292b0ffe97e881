//! What is generated from the definition of the command line.

mod common;

use common::{run, succeed};

const COMMANDS: [&str; 9] = ["run", "enter", "ls", "show", "pin", "unpin", "sim", "completions", "man"];

#[test]
fn completions_know_every_subcommand() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = succeed(&["completions", shell]);
        for command in COMMANDS {
            assert!(script.contains(command), "{command} for {shell}");
        }
    }
    let bash = succeed(&["completions", "bash"]);
    assert!(bash.contains("--boottime"));
}

#[test]
fn every_subcommand_has_a_man_page() {
    let dir = tempfile::tempdir().unwrap();
    succeed(&["man", dir.path().to_str().unwrap()]);
    for command in COMMANDS {
        let page = std::fs::read_to_string(dir.path().join(format!("ns-{command}.1"))).unwrap();
        assert!(page.contains(".TH"), "{command}");
    }
    assert!(dir.path().join("ns.1").exists());
}

#[test]
fn help_and_version_go_to_standard_output() {
    for words in [&["--help"][..], &["run", "--help"], &["enter", "-h"], &["help", "ls"]] {
        let done = run(words);
        assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""), "{words:?}");
        assert!(done.stdout.contains("Usage: ns"), "{}", done.stdout);
        for line in done.stdout.lines() {
            assert!(line.chars().count() <= 100, "too long for a screen: {line}");
        }
    }
    assert!(succeed(&["--version"]).starts_with("ns "));
}

#[test]
fn usage_errors_have_a_status_of_their_own() {
    assert_eq!(run(&["no-such-command"]).code, Some(2));
    assert_eq!(run(&["ls", "--bogus"]).code, Some(2));
    assert_eq!(run(&["run", "--bogus"]).code, Some(125));
}

#[test]
fn a_full_disk_is_an_error_and_a_gone_reader_is_not() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let done = common::ns(&["run", "--dry-run", "true"]).stdout(full).output().unwrap();
    assert_eq!(done.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&done.stderr).contains("no space left on device (ENOSPC)"));
    let mut child = common::ns(&["ls"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}
