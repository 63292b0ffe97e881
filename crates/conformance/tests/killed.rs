//! A killed run leaves nothing. These tests have a program of their own: it adopts whatever
//! loses its parent, so that nothing gets out of sight, whoever it belongs to.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// One run at a time: what descends from this process is that run's.
static ONE: Mutex<()> = Mutex::new(());

/// The state and the parent of a process, which anybody may read.
fn state_and_parent(pid: u32) -> Option<(String, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut words = stat.rsplit_once(')')?.1.split_whitespace();
    Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
}

/// All that descends from this process and has not ended.
fn descendants() -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let all: Vec<(u32, String, u32)> =
        pids.filter_map(|pid| state_and_parent(pid).map(|(state, parent)| (pid, state, parent))).collect();
    let mut family = vec![std::process::id()];
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        family.extend(all.iter().filter(|(_, _, of)| *of == parent).map(|(pid, ..)| *pid));
        next += 1;
    }
    let over = |pid: &u32| all.iter().any(|(other, state, _)| other == pid && state == "Z");
    family.into_iter().skip(1).filter(|pid| !over(pid)).collect()
}

/// Waits until `what` holds, for some time.
fn soon(what: impl Fn() -> bool) -> bool {
    let until = Instant::now() + Duration::from_secs(30);
    while Instant::now() < until {
        if what() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

fn leaves_nothing(args: &[&str]) {
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    rustix::process::set_child_subreaper(rustix::process::Pid::from_raw(1)).unwrap();
    let mut run = Command::new(env!("CARGO_BIN_EXE_conformance"))
        .args(["--operations", "1000000", "--seed", "5", "--jobs", "1"])
        .args(args)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // The program, its guard as root, the worker, and several actors.
    assert!(soon(|| descendants().len() > 6), "the run has actors");
    let cgroup = cgroup_of(run.id());
    run.kill().unwrap();
    run.wait().unwrap();
    let gone = soon(|| descendants().is_empty() && cgroup.as_ref().is_none_or(|path| !path.exists()));
    let left = descendants();
    for pid in left.iter().filter_map(|pid| rustix::process::Pid::from_raw(pid.cast_signed())) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
    assert!(gone, "processes {left:?} left, cgroup {cgroup:?}");
}

#[test]
fn a_killed_run_leaves_nothing() {
    testkit::require_namespaces!();
    leaves_nothing(&[]);
}

#[test]
fn a_killed_run_as_a_user_leaves_nothing() {
    testkit::require_namespaces!();
    leaves_nothing(&["--as-user"]);
}

/// The directory that a run makes for itself, where it can.
fn cgroup_of(pid: u32) -> Option<PathBuf> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let line = text.lines().find(|line| line.contains(" - cgroup2 "))?;
    let path = Path::new(line.split(' ').nth(4)?).join(format!("conformance-{pid}"));
    path.exists().then_some(path)
}
