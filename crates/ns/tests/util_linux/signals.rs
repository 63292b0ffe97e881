//! What signals do to `unshare` and `nsenter` and their programs, by `kill` and
//! on a terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::differences::{alive, output, tool, with_child};
use super::harness::ours;
use super::terminal::on_terminal;

fn send(process: &Child, number: i32) {
    let pid = rustix::process::Pid::from_raw(process.id().cast_signed()).unwrap();
    let signal = rustix::process::Signal::from_named_raw(number).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// Waits for the end of `process`, which must come soon; else kills it.
fn end(process: &mut Child, of: &str) -> ExitStatus {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        if let Some(status) = process.try_wait().unwrap() {
            return status;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    process.kill().unwrap();
    process.wait().unwrap();
    panic!("no end of {of}");
}

/// Of what the kernel keeps of a signal in the status: whether `SIGCHLD` is ignored.
fn ignores_sigchld(command: &mut Command) -> bool {
    let (status, stdout, stderr) = output(command);
    assert_eq!(status, 0, "{stderr}");
    let set = stdout.trim().strip_prefix("SigIgn:").unwrap().trim();
    u64::from_str_radix(set, 16).unwrap() & (1 << (libc::SIGCHLD - 1)) != 0
}

/// The tool, started with `SIGCHLD` ignored.
fn without_sigchld(name: &str) -> Command {
    let mut command = Command::new("env");
    command.arg("--ignore-signal=CHLD").arg(ours().dir.join(name)).stdin(Stdio::null());
    command
}

const OWN_PROC: [&str; 3] = ["-Urmpf", "--mount-proc", "--forward-signals"];

#[test]
fn signals_reach_a_pid_1_with_a_proc_of_its_own() {
    testkit::require_namespaces!();
    for number in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2] {
        let (mut parent, child) =
            with_child(tool("unshare").args(OWN_PROC).args(["--kill-child", "sleep", "100"]), "sleep");
        send(&parent, number);
        assert_eq!(end(&mut parent, "unshare").signal(), Some(number));
        assert!(!alive(child));
    }
    let script = "trap 'exit 4' TERM; echo ready; while :; do sleep 0.01; done";
    let mut command = tool("unshare");
    command.args(OWN_PROC).args(["--kill-child", "sh", "-c", script]).stdout(Stdio::piped());
    let mut parent = command.spawn().unwrap();
    parent.stdout.as_mut().unwrap().read_exact(&mut [0; 6]).unwrap();
    send(&parent, libc::SIGTERM);
    assert_eq!(end(&mut parent, "unshare").code(), Some(4), "a handler is left to its work");
}

#[test]
fn an_early_signal_reaches_a_pid_1_with_a_proc_of_its_own() {
    testkit::require_namespaces!();
    for delay in 0..40 {
        let mut command = tool("unshare");
        command.args(OWN_PROC).args(["--kill-child", "-n", "sleep", "100"]);
        let mut parent = command.spawn().unwrap();
        std::thread::sleep(Duration::from_micros(delay * 150));
        send(&parent, libc::SIGUSR1);
        assert_eq!(end(&mut parent, "unshare").signal(), Some(libc::SIGUSR1), "after {} us", delay * 150);
    }
}

/// Starts our `unshare OPTIONS --forward-signals sleep 100` on a terminal.
fn sleep_on_terminal(options: &[&str]) -> (Child, i32, File) {
    let unshare = ours().dir.join("unshare");
    let tail = ["--forward-signals", "--kill-child", "sleep", "100"];
    let (parent, terminal) = on_terminal(&[&[unshare.to_str().unwrap()], options, &tail].concat());
    let mut child = 0;
    let comm = |pid: i32| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let start = Instant::now();
    while comm(child).trim() != "sleep" {
        assert!(start.elapsed() < Duration::from_secs(10), "the program runs");
        std::thread::sleep(Duration::from_millis(1));
        child = super::differences::child_of(parent.id()).unwrap_or(0);
    }
    (parent, child, terminal)
}

#[test]
fn the_keys_of_a_terminal_end_a_pid_1_without_handlers() {
    testkit::require_namespaces!();
    for options in [&["-Urpf"][..], &["-Urmpf", "--mount-proc"], &["-Urf"]] {
        for (key, number) in [(b"\x03", libc::SIGINT), (b"\x1c", libc::SIGQUIT)] {
            let (mut parent, child, mut terminal) = sleep_on_terminal(options);
            terminal.write_all(key).unwrap();
            assert_eq!(end(&mut parent, "unshare").signal(), Some(number), "{options:?}");
            assert!(!alive(child));
        }
    }
}

#[test]
fn the_hangup_of_a_terminal_ends_tool_and_program() {
    testkit::require_namespaces!();
    for options in [&["-Urpf"][..], &["-Urmpf", "--mount-proc"], &["-Urf"]] {
        let (mut parent, child, terminal) = sleep_on_terminal(options);
        drop(terminal);
        assert_eq!(end(&mut parent, "unshare").signal(), Some(libc::SIGHUP), "{options:?}");
        assert!(!alive(child));
    }
}

/// Both by a key, which the program gets itself, and by a hangup, which it does not.
#[test]
fn a_signal_of_the_terminal_comes_once() {
    testkit::require_namespaces!();
    let dir = tempfile::tempdir().unwrap();
    let unshare = ours().dir.join("unshare");
    for options in [&["-Urpf"][..], &["-Urf"]] {
        for (name, key) in [("INT", true), ("HUP", false)] {
            let file = dir.path().join(name);
            let script = format!(
                "n=0; trap 'n=$((n+1))' {name}; echo ready; i=0; while [ $i -lt 30 ]; do sleep 0.02; i=$((i+1)); done; echo $n >{}",
                file.display()
            );
            let head = [unshare.to_str().unwrap(), "--forward-signals", "--kill-child"];
            let words = [&head, options, &["sh", "-c", &script]].concat();
            let (mut parent, mut terminal) = on_terminal(&words);
            read_until(&mut terminal, "ready\r\n");
            if key {
                terminal.write_all(b"\x03").unwrap();
                end(&mut parent, "unshare");
            } else {
                drop(terminal);
                end(&mut parent, "unshare");
            }
            assert_eq!(std::fs::read_to_string(&file).unwrap(), "1\n", "{name} {options:?}");
        }
    }
}

/// What the terminal shows, until `end` is there.
fn read_until(terminal: &mut File, end: &str) -> String {
    let mut text = String::new();
    let mut buffer = [0; 256];
    while !text.contains(end) {
        let length = terminal.read(&mut buffer).unwrap_or(0);
        assert!(length > 0, "no {end:?} in {text:?}");
        text.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    text
}

#[test]
fn an_ignored_sigchld_hides_no_status_and_is_not_passed_on() {
    testkit::require_namespaces!();
    let (mut target, child) =
        with_child(tool("unshare").args(["-Urpf", "--kill-child", "sleep", "100"]), "sleep");
    let child = child.to_string();
    let into = ["-t", &child, "-U", "-p", "--preserve-credentials"];
    let (status, _, stderr) = output(without_sigchld("nsenter").args(into).args(["sh", "-c", "exit 4"]));
    assert_eq!((status, stderr.as_str()), (4, ""));
    let asked = ["grep", "SigIgn", "/proc/self/status"];
    let one = ["-t", &child, "-U", "--preserve-credentials"];
    assert!(!ignores_sigchld(without_sigchld("nsenter").args(one).args(asked)));
    assert!(!ignores_sigchld(without_sigchld("unshare").arg("-U").args(asked)));
    assert!(!ignores_sigchld(without_sigchld("unshare").arg("-Uf").args(asked)));
    let mut enter = Command::new("env");
    enter.args(["--ignore-signal=CHLD", env!("CARGO_BIN_EXE_ns"), "enter", "--only", "user", &child, "--"]);
    assert!(!ignores_sigchld(enter.args(asked)));
    target.kill().unwrap();
    target.wait().unwrap();
}
