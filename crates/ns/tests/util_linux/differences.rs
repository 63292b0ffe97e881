//! Where ours is better than util-linux, and a line for the shell can't tell.
//! `DIFFERENCES.md` lists all.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::harness::ours;

pub fn tool(name: &str) -> Command {
    let mut command = Command::new(ours().dir.join(name));
    command.stdin(Stdio::null()).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

pub fn output(command: &mut Command) -> (i32, String, String) {
    let done = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code().unwrap_or(-1), text(&done.stdout), text(&done.stderr))
}

pub fn eventually(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(10), "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub fn alive(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        stat.rsplit(')').next().is_some_and(|rest| !rest.trim_start().starts_with(['Z', 'X']))
    })
}

pub fn child_of(pid: u32) -> Option<i32> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    list.split_whitespace().next()?.parse().ok()
}

/// Starts the tool and waits for its child to be the program `name`.
pub fn with_child(command: &mut Command, name: &str) -> (std::process::Child, i32) {
    let tool = command.spawn().unwrap();
    let comm = |pid: i32| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    eventually("the child runs", || child_of(tool.id()).is_some_and(|pid| comm(pid).trim() == name));
    let child = child_of(tool.id()).unwrap();
    (tool, child)
}

#[test]
fn kill_child_survives_a_change_of_user() {
    testkit::require_root!();
    for options in [&["-S", "1"][..], &["-G", "1"], &["-S", "1", "-G", "1"], &[]] {
        let (mut parent, child) =
            with_child(tool("unshare").arg("--kill-child").args(options).args(["sleep", "100"]), "sleep");
        parent.kill().unwrap();
        parent.wait().unwrap();
        eventually("the child ends with its parent", || !alive(child));
    }
}

#[test]
fn signals_reach_a_pid_1_without_handlers() {
    testkit::require_namespaces!();
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2] {
        let mut command = tool("unshare");
        command.args(["-Urpf", "--forward-signals", "sleep", "100"]);
        let (mut parent, child) = with_child(&mut command, "sleep");
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(parent.id().cast_signed()).unwrap(),
            rustix::process::Signal::from_named_raw(signal).unwrap(),
        )
        .unwrap();
        let status = parent.wait().unwrap();
        let ended_by = std::os::unix::process::ExitStatusExt::signal(&status);
        assert_eq!(ended_by, Some(signal));
        assert!(!alive(child));
    }
}

#[test]
fn a_signal_that_comes_early_is_not_lost() {
    testkit::require_namespaces!();
    for delay in 0..40 {
        let mut parent =
            tool("unshare").args(["-Urpf", "--forward-signals", "sleep", "100"]).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(delay * 150));
        let pid = rustix::process::Pid::from_raw(parent.id().cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let start = Instant::now();
        while parent.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < Duration::from_secs(10), "lost after {} us", delay * 150);
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn stop_and_continue_are_passed_on() {
    testkit::require_namespaces!();
    let mut command = tool("unshare");
    command.args(["-Urpf", "--forward-signals", "sleep", "100"]);
    let (mut parent, child) = with_child(&mut command, "sleep");
    let pid = rustix::process::Pid::from_raw(parent.id().cast_signed()).unwrap();
    let state = |pid: i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit(") ").next().unwrap().chars().next().unwrap()
    };
    rustix::process::kill_process(pid, rustix::process::Signal::TSTP).unwrap();
    eventually("the child stops", || state(child) == 'T');
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
    eventually("the child goes on", || state(child) != 'T');
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    parent.wait().unwrap();
}

#[test]
fn no_helper_is_left_when_the_tool_is_killed() {
    testkit::require_namespaces!();
    // A newuidmap that takes its time.
    let dir = tempfile::tempdir().unwrap();
    let open_to_all = |path: &std::path::Path| {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    };
    open_to_all(dir.path());
    for name in ["newuidmap", "newgidmap"] {
        let path = dir.path().join(name);
        std::fs::write(&path, "#!/bin/sh\nexec sleep 0.5\n").unwrap();
        open_to_all(&path);
    }
    let mut command = tool("unshare");
    command.env("PATH", format!("{}:/usr/bin:/bin", dir.path().display()));
    command.args(["--map-users=0:1:1", "--map-groups=0:1:1", "true"]);
    if testkit::is_root() {
        // Root does without.
        std::os::unix::process::CommandExt::uid(&mut command, 65534);
    }
    let mut parent = command.spawn().unwrap();
    eventually("there are helpers", || child_of(parent.id()).is_some());
    let children = format!("/proc/{0}/task/{0}/children", parent.id());
    let helpers: Vec<i32> = std::fs::read_to_string(children)
        .unwrap()
        .split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect();
    parent.kill().unwrap();
    parent.wait().unwrap();
    for helper in helpers {
        eventually("the helper ends", || !alive(helper));
    }
}

#[test]
fn the_true_cause_stands_below_the_first_line() {
    testkit::require_root!();
    let mut file = tool("nsenter");
    file.args(["--net=/proc/self/ns/uts", "true"]);
    let (status, _, stderr) = output(&mut file);
    assert_eq!(status, 1);
    assert!(
        stderr.starts_with("nsenter: reassociate to namespace 'ns/net' failed: Invalid argument\n"),
        "{stderr}"
    );
    assert!(stderr.contains("is a uts namespace, not a net namespace"), "{stderr}");

    let mut overlap = tool("unshare");
    overlap.args(["--map-users=0:0:2", "--map-users=5:1:1", "true"]);
    let (_, _, stderr) = output(&mut overlap);
    assert!(stderr.contains("line 2 overlaps line 1"), "{stderr}");
}

#[test]
fn the_hint_has_the_kinds_and_the_program_that_were_asked_for() {
    testkit::require_namespaces!();
    let mut command = tool("unshare");
    command.args(["-m", "-u", "-n", "echo", "a b"]);
    if testkit::is_root() {
        std::os::unix::process::CommandExt::uid(&mut command, 65534);
    }
    let (status, _, stderr) = output(&mut command);
    assert_eq!(status, 1);
    let hint = "unshare --user --map-root-user --mount --uts --net echo 'a b'\n";
    assert!(
        stderr.ends_with(hint) || stderr.replace("--net --uts", "--uts --net").ends_with(hint),
        "{stderr}"
    );
}

#[test]
fn a_dry_run_prints_the_steps_and_does_nothing() {
    let (status, stdout, _) =
        output(tool("unshare").args(["--dry-run", "-Urnpf", "--mount-proc", "no-such-program"]));
    assert_eq!(status, 0);
    for part in [
        "caller   unshare(",
        "child    write(\"/proc/self/uid_map\"",
        "child    mount(\"proc\", \"/proc\"",
        "execve(",
    ] {
        assert!(stdout.contains(part), "{part} in {stdout}");
    }
    let (status, stdout, _) = output(tool("unshare").args(["--dry-run", "-U", "no-such-program"]));
    assert_eq!(status, 0);
    assert!(!stdout.contains("clone3") && stdout.contains("caller   execve("), "{stdout}");
    let me = std::process::id().to_string();
    let (status, stdout, stderr) = output(tool("nsenter").args(["--dry-run", "-t", &me, "-n", "true"]));
    assert_eq!(status, 0, "{stderr}");
    assert!(stdout.contains("setns(pidfd of"), "{stdout}");
    let (status, stdout, stderr) = output(tool("nsenter").args(["--dry-run", "-t", &me, "-w", "-n", "true"]));
    assert_eq!(status, 0, "{stderr}");
    let here = std::env::current_dir().unwrap();
    assert!(stdout.contains(&format!("<{}>)", here.display())) && stdout.ends_with('\n'), "{stdout}");
}

#[test]
fn a_tool_is_also_a_subcommand() {
    let ns = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ns"));
        command.stdin(Stdio::null());
        command
    };
    let (status, stdout, _) = output(ns().args(["unshare", "echo", "--bogus"]));
    assert_eq!((status, stdout.as_str()), (0, "--bogus\n"));
    let (status, _, stderr) = output(ns().args(["unshare", "--bogus"]));
    assert_eq!(status, 1);
    assert_eq!(
        stderr,
        "ns unshare: unrecognized option '--bogus'\nTry 'ns unshare --help' for more information.\n"
    );
    let (_, stdout, _) = output(ns().args(["nsenter", "--version"]));
    assert!(stdout.starts_with("ns nsenter from ns ") && stdout.ends_with("util-linux 2.43\n"), "{stdout}");
}

#[test]
fn the_page_has_every_difference() {
    let page = include_str!("../../DIFFERENCES.md");
    for table in ["unshare", "nsenter"] {
        let dir = format!("{}/tests/util_linux/cases/{table}", env!("CARGO_MANIFEST_DIR"));
        for entry in std::fs::read_dir(dir).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            for case in super::harness::cases(&text) {
                if let Some(reason) = &case.better {
                    assert!(page.contains(&format!("\"{reason}\"")), "{reason}");
                }
            }
        }
    }
}
