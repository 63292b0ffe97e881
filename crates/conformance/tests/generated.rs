//! Generated calls, the scenarios of differences that were, and what a killed run leaves.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

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

#[test]
fn generated_calls_agree() {
    testkit::require_namespaces!();
    agrees(&["--operations", "2000", "--seed", "21", "--jobs", "1", "--only", "uts"]);
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

/// Processes whose environment has this mark.
fn marked(mark: &str) -> usize {
    let all = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    all.filter(|entry| {
        std::fs::read(entry.path().join("environ"))
            .is_ok_and(|environment| environment.windows(mark.len()).any(|window| window == mark.as_bytes()))
    })
    .count()
}

#[test]
fn a_killed_run_leaves_nothing() {
    testkit::require_namespaces!();
    let mark = format!("CONFORMANCE_TEST={}", std::process::id());
    let (name, value) = mark.split_once('=').unwrap();
    let mut run = Command::new(env!("CARGO_BIN_EXE_conformance"))
        .args(["--operations", "1000000", "--seed", "5"])
        .env(name, value)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert!(marked(&mark) > 1, "the run has workers");
    let cgroup = cgroup_of(run.id());
    run.kill().unwrap();
    run.wait().unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while marked(&mark) > 0 || cgroup.as_ref().is_some_and(|path| path.exists()) {
        assert!(Instant::now() < until, "{} processes left, cgroup {cgroup:?}", marked(&mark));
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The directory that a run makes for itself, where it can.
fn cgroup_of(pid: u32) -> Option<PathBuf> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let line = text.lines().find(|line| line.contains(" - cgroup2 "))?;
    let path = Path::new(line.split(' ').nth(4)?).join(format!("conformance-{pid}"));
    path.exists().then_some(path)
}
