//! 18, 19, 20, 21: looking at processes, inits, what holds a namespace, reused numbers.

use std::process::{Command, Stdio};

use testkit::{require_namespaces, require_root};

use crate::answer::{HERE, NS, Place, user};
use crate::common::{Background, child_of, eventually, is_alive};

/// A program that runs until the test ends.
pub(crate) fn sleeping(words: &[&str]) -> Background {
    let mut command = Command::new(words[0]);
    Background {
        child: command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap(),
    }
}

#[test]
fn the_namespaces_of_anothers_process() {
    user().refuses(&["cat", "/proc/1/ns/net"], "Permission denied");
    let answer = user().explain(&["1", "net"]);
    answer.refused("PtraceAccess").errno("EACCES").seen("/proc/1/status", "has Uid [0, 0, 0]");
    answer.seen("/proc/self/status", "without CAP_SYS_PTRACE").helps("as the user of that process");
    // As that user it goes, as far as this machine lets root look into process 1.
    if testkit::is_root() {
        let other = sleeping(&["sleep", "100"]);
        let pid = other.pid().to_string();
        user().explain(&[&pid, "net"]).refused("PtraceAccess");
        HERE.explain(&[&pid, "net"]).allowed();
    }
}

/// A process that does not want to be looked into.
pub(crate) fn not_dumpable(place: Place<'_>) -> Background {
    let prctl = if cfg!(target_arch = "aarch64") { 167 } else { 157 };
    let script = format!("syscall({prctl}, 4, 0, 0, 0, 0); $| = 1; print \"ready\\n\"; sleep 100");
    let words = [place.0, &["perl", "-e", &script]].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null());
    let (process, _) = Background::start(&mut command);
    process
}

/// The same user, and yet: the process does not want to be looked into.
#[test]
fn a_process_that_is_not_dumpable() {
    let place = user();
    let process = not_dumpable(place);
    let pid = process.pid().to_string();
    place.refuses(&["cat", &format!("/proc/{pid}/ns/net")], "Permission denied");
    let answer = place.explain(&[&pid, "net"]);
    answer.refused("PtraceAccess").errno("EACCES").seen(&format!("/proc/{pid}/status"), "is not dumpable");
}

/// In another proc, with hidepid, there is no trace of others.
#[test]
fn a_process_that_proc_hides() {
    require_root!();
    let place = Place(&["unshare", "--mount"]);
    let hide = "mount -t proc -o hidepid=2 proc /proc";
    let nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups";
    place.refuses(&["sh", "-ec", &format!("{hide}; {nobody} cat /proc/1/ns/net")], "No such file");
    let answer = place.script(&format!("{hide}; {nobody} $NS explain --json 1 net"));
    answer.refused("proc-hidden").seen("/proc/self/mountinfo:", "hidepid=").helps("without hidepid");
    place.refuses(
        &["sh", "-ec", &format!("mount -t proc proc /proc; {nobody} cat /proc/1/ns/net")],
        "Permission denied",
    );
}

/// The init of a pid namespace, which has no handlers, and who keeps it.
fn sleeping_init() -> (Background, i32) {
    let outer = sleeping(&[
        "unshare",
        "--user",
        "--map-root-user",
        "--pid",
        "--fork",
        "--kill-child",
        "sleep",
        "100",
    ]);
    eventually("init", || {
        !std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", outer.pid())).unwrap().is_empty()
    });
    let init = child_of(outer.pid());
    eventually("sleep", || {
        std::fs::read_to_string(format!("/proc/{init}/comm")).is_ok_and(|name| name == "sleep\n")
    });
    (outer, init)
}

/// Its first process has no handler for the signal, which then does nothing.
#[test]
fn an_init_that_a_signal_does_not_reach() {
    require_namespaces!();
    let (_outer, init) = sleeping_init();
    let pid = init.to_string();
    HERE.grants(&["kill", "-TERM", &pid]);
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert!(is_alive(init), "the signal was granted, and did nothing");
    let answer = HERE.explain(&["kill", &pid, "TERM"]);
    answer
        .refused("init-ignores-signal")
        .seen(&format!("/proc/{pid}/status"), "first process of its pid namespace");
    answer
        .seen(&format!("/proc/{pid}/status"), "without a handler for signal 15")
        .helps("SIGKILL from outside");
    HERE.explain(&["kill", &pid, "KILL"]).allowed();
    HERE.grants(&["kill", "-KILL", &pid]);
    eventually("the end of init", || !is_alive(init));
}

/// Those that nobody without a handler heeds, and the one that every stopped process does.
#[test]
fn signals_that_an_init_takes_as_others_do() {
    require_namespaces!();
    let (_outer, init) = sleeping_init();
    let pid = init.to_string();
    for signal in ["CHLD", "URG", "WINCH", "CONT"] {
        HERE.explain(&["kill", &pid, signal]).allowed();
    }
    let stopped = || std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap().contains("State:\tT");
    HERE.grants(&["kill", "-STOP", &pid]);
    eventually("stop", stopped);
    let inside =
        ["nsenter", "--target", &pid, "--user", "--preserve-credentials", "--pid", "kill", "-CONT", "1"];
    HERE.grants(&inside);
    eventually("going on", || !stopped());
}

#[test]
fn an_init_that_does_not_reap() {
    require_namespaces!();
    let script = "(sleep 0.1 &) ; exec sleep 100";
    let words =
        ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "sh", "-c", script];
    let outer = sleeping(&words);
    eventually("init", || {
        !std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", outer.pid())).unwrap().is_empty()
    });
    let init = child_of(outer.pid());
    eventually("the program", || {
        std::fs::read_to_string(format!("/proc/{init}/comm")).is_ok_and(|name| name == "sleep\n")
    });
    let zombie = || {
        let list = std::fs::read_to_string(format!("/proc/{init}/task/{init}/children")).unwrap_or_default();
        list.split_whitespace().any(|pid| {
            std::fs::read_to_string(format!("/proc/{pid}/status"))
                .is_ok_and(|text| text.contains("State:\tZ"))
        })
    };
    eventually("a zombie", zombie);
    let answer = HERE.explain(&["init", &init.to_string()]);
    answer.refused("init-does-not-reap").seen("/children", "in state Z").helps("ns run does");
    // With ns run there is none.
    let text = HERE.grants(&[
        NS,
        "run",
        "--",
        "sh",
        "-c",
        "(true &); sleep 0.2; grep -l '^State:.Z' /proc/[0-9]*/status | wc -l",
    ]);
    assert_eq!(text.trim(), "0");
}

/// A descriptor of another process holds it.
#[test]
fn a_namespace_that_does_not_go_away() {
    require_namespaces!();
    let inside = sleeping(&["unshare", "--user", "--map-root-user", "--net", "sleep", "100"]);
    let path = format!("/proc/{}/ns/net", inside.pid());
    let own = std::fs::read_link("/proc/self/ns/net").unwrap();
    let linked = |path: &str| {
        std::fs::read_link(path).is_ok_and(|link| link != own && link.to_string_lossy().starts_with("net:"))
    };
    eventually("the namespace", || linked(&path));
    let holder = sleeping(&["sh", "-c", "exec 9< \"$0\"; exec sleep 100", &path]);
    let held = format!("/proc/{}/fd/9", holder.pid());
    eventually("the descriptor", || linked(&held));
    drop(inside);
    let answer = HERE.explain(&["held", &held]);
    answer.refused("held").seen(&held, "holds net:[").helps("let go of what holds it");
    drop(holder);
    assert!(std::fs::metadata(&held).is_err());
}

#[test]
fn a_number_that_belongs_to_another_process_now() {
    let process = sleeping(&["sleep", "100"]);
    let pid = process.pid().to_string();
    let stale = format!("{pid}:1");
    HERE.refuses(&[NS, "enter", &stale, "true"], "its id belongs to another process now");
    let answer = HERE.explain(&[&stale]);
    answer.refused("pid-reused").seen(&format!("pidfd_open({pid})"), "not 1").helps("pidfd");
    let found = answer.0["evidence"][0]["says"].as_str().unwrap();
    let inode = found.split("inode ").nth(1).unwrap().split(',').next().unwrap();
    HERE.explain(&[&format!("{pid}:{inode}")]).allowed();
}

#[test]
fn a_process_that_is_not_there() {
    let answer = HERE.explain(&["2147483647", "net"]);
    answer.refused("NoSuchTask").errno("ENOENT").seen("/proc/2147483647", "does not exist");
    // A file of its is not found, and a call finds no process.
    let map = ["write", "/proc/2147483647/uid_map", "0 0 1"];
    HERE.refuses(&["cat", "/proc/2147483647/uid_map"], "No such file");
    HERE.explain(&map).refused("NoSuchTask").errno("ENOENT");
    HERE.explain(&["setns", "2147483647", "net"]).refused("NoSuchTask").errno("ESRCH");
    HERE.explain(&["kill", "2147483647", "TERM"]).refused("NoSuchTask").errno("ESRCH");
}

#[test]
fn signals_that_do_nothing() {
    let process = sleeping(&["sleep", "100"]);
    let pid = process.pid().to_string();
    let says = |words: &[&str]| HERE.explain(words).allowed().0["steps"][0].as_str().unwrap().to_owned();
    assert!(says(&["kill", &pid, "0"]).contains("may be sent signals"));
    assert!(says(&["kill", &pid, "winch"]).ends_with("gets the signal 28"));
    assert!(says(&["kill", "-RTMIN+1", &pid]).ends_with("gets the signal 35"));
    HERE.explain(&["kill", &pid, "65"]).refused("SignalNumber").errno("EINVAL");
    // The number comes before the permission, and a session outside has none here.
    user().explain(&["kill", "1", "65"]).refused("SignalNumber").errno("EINVAL");
    user().explain(&["kill", "1", "CONT"]).refused("KillPermission").errno("EPERM");
    let ended = sleeping(&["true"]);
    let zombie = ended.pid().to_string();
    eventually("the end", || !is_alive(ended.pid()));
    assert!(says(&["kill", &zombie, "TERM"]).contains("has ended"));
}
