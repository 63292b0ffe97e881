//! The failures of `ns` end with the reason and the first thing that helps.

use testkit::require_namespaces;

use crate::answer::{NS, Place, user};
use crate::common::outcome;

const USERNS: Place<'_> = Place(&["unshare", "--user", "--map-root-user"]);

#[test]
fn below_the_usual_line() {
    require_namespaces!();
    let script = format!("echo 0 > /proc/sys/user/max_net_namespaces; exec '{NS}' run -- true");
    let done = USERNS.run(&["sh", "-c", &script]);
    let lines: Vec<&str> = done.stderr.lines().collect();
    assert_eq!(done.code, Some(125));
    assert!(lines[0].ends_with("no space left on device (ENOSPC)"), "{lines:?}");
    assert!(
        lines[1].starts_with("    NetNsCount: ")
            && lines[1].contains("/proc/sys/user/max_net_namespaces is 0"),
        "{lines:?}"
    );
    assert!(
        lines[2].starts_with("    try: ") && lines[2].contains("sysctl -w user.max_net_namespaces="),
        "{lines:?}"
    );
    assert_eq!(lines.len(), 3);
}

/// The drop-ins have moved by then, and ask about the step from where they are.
#[test]
fn of_an_id_that_a_drop_in_can_t_take() {
    require_namespaces!();
    for (words, first, cause) in [
        (&["unshare", "-r", "-S", "77", "true"][..], "setuid() failed", "SetidUnmapped: "),
        (&["unshare", "-rf", "-S", "77", "true"], "setuid() failed", "SetidUnmapped: "),
        (&["unshare", "-r", "-G", "77", "true"], "setgroups failed", "SetgroupsCall: "),
    ] {
        let done = Place(&[]).run(&[&[NS], words].concat());
        let lines: Vec<&str> = done.stderr.lines().collect();
        assert!(lines[0].contains(first), "{words:?}: {lines:?}");
        assert!(lines[1].starts_with(&format!("    {cause}")), "{words:?}: {lines:?}");
        assert!(lines[2].starts_with("    try: "), "{words:?}: {lines:?}");
    }
}

#[test]
fn silent_if_asked() {
    require_namespaces!();
    let script = format!("echo 0 > /proc/sys/user/max_net_namespaces; NS_EXPLAIN=0 exec '{NS}' run -- true");
    let done = USERNS.run(&["sh", "-c", &script]);
    assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
}

/// A step in the new process: the reason is found from outside.
#[test]
fn of_a_step_of_the_child() {
    require_namespaces!();
    let place = Place(&["unshare", "--user", "--map-root-user", "--mount"]);
    let script = format!("mount -t tmpfs t /proc/irq; exec '{NS}' run -- true");
    let done = place.run(&["sh", "-c", &script]);
    assert!(
        done.stderr
            .contains("mounting proc on /proc: operation not permitted (EPERM)\n    MountTooRevealing: "),
        "{}",
        done.stderr
    );
    assert!(done.stderr.contains("covers /proc/irq with tmpfs"), "{}", done.stderr);
    assert!(done.stderr.contains("try: go without a new proc: ns run --no-proc"), "{}", done.stderr);
    let script = format!("mount -t tmpfs t /proc/irq; exec '{NS}' run --no-proc -- true");
    assert_eq!(place.run(&["sh", "-c", &script]).code, Some(0));
}

/// What the error itself says is not said twice.
#[test]
fn nothing_where_there_is_nothing_to_add() {
    require_namespaces!();
    let done = outcome(&mut crate::common::ns(&["run", "no-such-program"]));
    assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
}

/// Each says why, and the first thing that helps.
#[test]
fn of_processes_that_can_t_be_entered() {
    let ended = crate::processes::sleeping(&["true"]);
    let pid = ended.pid().to_string();
    drop(ended);
    let mut all = vec![
        (vec!["nsenter", "-t", &pid, "-n", "true"], "NoSuchTask"),
        (vec!["enter", &pid, "true"], "NoSuchTask"),
    ];
    if std::fs::read_link("/proc/1/ns/net").is_err() || testkit::is_root() {
        all.extend([
            (vec!["enter", "1", "true"], "SetnsTargetAccess"),
            (vec!["enter", "1", "--only", "net", "true"], "SetnsTargetAccess"),
            (vec!["nsenter", "-t", "1", "-a", "true"], "PtraceAccess"),
            (vec!["nsenter", "-t", "1", "-n", "true"], "SetnsTargetAccess"),
        ]);
    }
    for (words, cause) in all {
        let done = user().run(&[&[NS], &words[..]].concat());
        let lines: Vec<&str> = done.stderr.lines().rev().take(2).collect();
        assert!(lines[1].starts_with(&format!("    {cause}: ")), "{words:?}: {}", done.stderr);
        assert!(lines[0].starts_with("    try: "), "{words:?}: {}", done.stderr);
    }
}

/// What a subcommand holds open besides counts too: the answer is that of the command itself,
/// whatever the limit is.
#[test]
fn of_too_few_descriptors() {
    require_namespaces!();
    for limit in 5..12 {
        let shell =
            |words: &str| Place(&[]).run(&["sh", "-c", &format!("ulimit -n {limit}; exec '{NS}' {words}")]);
        let done = shell("run -- true");
        let asked = shell("explain run -- true");
        if done.code == Some(0) {
            assert_eq!(asked.code, Some(0), "{limit}: {}{}", asked.stdout, asked.stderr);
            continue;
        }
        assert!(done.stderr.contains("NoFreeFd: The process has as many"), "{limit}: {}", done.stderr);
        assert!(done.stderr.contains("\n    try: close descriptors"), "{limit}: {}", done.stderr);
        let said = format!("has {limit} for Max open files");
        assert!(asked.stdout.contains("NoFreeFd") && asked.stdout.contains(&said), "{limit}: {asked:?}");
    }
}

/// In the caller's own namespaces: `ns enter` refuses, and setns takes all kinds but user.
#[test]
fn of_nothing_to_join() {
    let process = crate::processes::sleeping(&["sleep", "100"]);
    let pid = process.pid().to_string();
    for kind in ["user", "mnt", "uts", "ipc", "pid", "cgroup", "net", "time"] {
        let words = ["enter", &pid, "--only", kind, "true"];
        let done = Place(&[]).run(&[&[NS], &words[..]].concat());
        assert_eq!(done.stderr, format!("ns: process {pid} is in the caller's own namespaces\n"));
        let answer = Place(&[]).explain(&words);
        answer.refused("already-there").seen(&format!("/proc/{pid}/ns"), kind).helps("nothing to join");
    }
}
