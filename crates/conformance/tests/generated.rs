//! Generated calls, and the scenarios of differences that were.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn conformance(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_conformance")).args(args).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn agrees(args: &[&str]) {
    let output = conformance(args);
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains(" 0 divergences"), "{}", text(&output));
}

/// How many calls are made, by each user that the tests are run by: the same ones every
/// time, and as many others.
const CALLS: &str = "10000";

#[test]
fn generated_calls_agree() {
    testkit::require_namespaces!();
    agrees(&["--operations", CALLS, "--seed", "21", "--patience", "10"]);
}

/// Other calls each time. What the run prints on failure has the seed, to make them again.
#[test]
fn generated_calls_of_a_fresh_seed_agree() {
    testkit::require_namespaces!();
    agrees(&["--operations", CALLS, "--patience", "10"]);
}

/// As under nohup(1): actors start with no signal ignored or blocked, whatever the runner was
/// started with.
#[test]
fn what_the_runner_ignores_its_actors_do_not() {
    testkit::require_namespaces!();
    let mut command = Command::new("sh");
    let script = "trap '' HUP TERM USR2; exec \"$0\" --operations 400 --seed 24";
    let output = command.args(["-c", script, env!("CARGO_BIN_EXE_conformance")]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

/// As many calls of the same worlds, whoever makes them.
#[test]
fn a_seed_means_the_same_for_any_number_of_jobs() {
    testkit::require_namespaces!();
    let summary = |jobs: &str| {
        let args = ["--operations", "800", "--seed", "23", "--coverage", "--jobs", jobs];
        let output = text(&conformance(&args));
        // Between how many there were at a time and how fast they were.
        let same = output.lines().skip(1).take_while(|line| !line.contains(" operations a second "));
        let same: Vec<String> = same.map(str::to_owned).collect();
        assert!(same.last().is_some_and(|line| line.contains(" operations, ")), "{output}");
        same
    };
    assert_eq!(summary("1"), summary("3"));
}

/// What a process sees never leads to a wrong name, and most often to the right one.
#[test]
fn refusals_are_explained() {
    testkit::require_namespaces!();
    for user in [&["--as-user"][..], &[]] {
        let args = ["--operations", "1500", "--seed", "5", "--jobs", "1", "--explain"];
        let output = text(&conformance(&[&args, user].concat()));
        let table = output.lines().find(|line| line.starts_with("all ")).expect(&output);
        let numbers: Vec<u32> =
            table.split_ascii_whitespace().skip(1).map(|number| number.parse().unwrap()).collect();
        assert!(numbers[0] > 100 && numbers[1] * 20 < numbers[0] && numbers[2] == 0, "{output}");
    }
}

/// Situations of which the rule was once not named, or a wrong one was.
#[test]
fn what_was_not_explained_once_is() {
    testkit::require_namespaces!();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("explained.ns");
    let output = text(&conformance(&["--explain", "--replay", path.to_str().unwrap()]));
    let table = output.lines().find(|line| line.starts_with("all ")).expect(&output);
    let numbers: Vec<&str> = table.split_ascii_whitespace().skip(2).collect();
    assert_eq!(numbers, ["0", "0"], "{output}");
}

#[test]
fn generated_calls_of_a_user_agree() {
    testkit::require_namespaces!();
    agrees(&["--operations", "2000", "--seed", "22", "--jobs", "1", "--only", "map", "--as-user"]);
}

#[test]
fn what_differed_once_agrees() {
    testkit::require_namespaces!();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let files: Vec<PathBuf> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty());
    let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
    let output = command.arg("--replay").args(&files).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}
