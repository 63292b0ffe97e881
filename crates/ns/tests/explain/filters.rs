//! 1 and 22: filters, and Landlock. The test program executes itself to put one on.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::process::Command;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};

use crate::answer::{Answer, HERE, NS, Place};

/// Runs in a process of its own: puts on the filter that the environment names and executes.
#[test]
#[ignore = "for the others of this file"]
fn under_a_filter() {
    let Ok(filter) = std::env::var("FILTER") else { return };
    match filter.as_str() {
        "landlock" => restrict(),
        filter => apply_filter(&program(filter)).unwrap(),
    }
    let words = std::env::var("WORDS").unwrap();
    let words: Vec<&str> = words.split('\x1f').collect();
    panic!("{}", Command::new(words[0]).args(&words[1..]).exec());
}

/// A ruleset that allows everything it can, and with it no change of mounts.
fn restrict() {
    use landlock::{ABI, Access, AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr};
    let all = AccessFs::from_all(ABI::V1);
    let ruleset = Ruleset::default().handle_access(all).unwrap().create().unwrap();
    ruleset.add_rule(PathBeneath::new(PathFd::new("/").unwrap(), all)).unwrap().restrict_self().unwrap();
}

/// The words, run under a filter.
fn run(filter: &str, words: &[&str]) -> crate::common::Outcome {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "filters::under_a_filter", "--ignored", "--nocapture"]);
    command.env("FILTER", filter).env("WORDS", words.join("\x1f")).env("LC_ALL", "C");
    crate::common::outcome(&mut command)
}

fn explain(filter: &str, words: &[&str]) -> Answer {
    let done = run(filter, &[&[NS, "explain", "--json"], words].concat());
    Answer::of(&done.stdout).unwrap_or_else(|| panic!("{done:?}"))
}

fn program(name: &str) -> BpfProgram {
    let any = Vec::new;
    let new_user = || {
        let op = SeccompCmpOp::MaskedEq(u64::from(libc::CLONE_NEWUSER.cast_unsigned()));
        let flag = u64::from(libc::CLONE_NEWUSER.cast_unsigned());
        vec![
            SeccompRule::new(vec![SeccompCondition::new(0, SeccompCmpArgLen::Qword, op, flag).unwrap()])
                .unwrap(),
        ]
    };
    let (rules, action): (Vec<(i64, Vec<SeccompRule>)>, u32) = match name {
        // As the usual profile of containers does without CAP_SYS_ADMIN.
        "container" => (
            vec![
                (libc::SYS_unshare, any()),
                (libc::SYS_clone, new_user()),
                (libc::SYS_setns, any()),
                (libc::SYS_mount, any()),
            ],
            libc::EPERM.cast_unsigned(),
        ),
        "user-only" => (vec![(libc::SYS_unshare, new_user())], libc::EPERM.cast_unsigned()),
        "clone3" => (vec![(libc::SYS_clone3, any())], libc::EPERM.cast_unsigned()),
        "odd" => (vec![(libc::SYS_unshare, any())], libc::ENOSPC.cast_unsigned()),
        "mount" => (vec![(libc::SYS_mount, any())], libc::EPERM.cast_unsigned()),
        "ids" => (
            vec![(libc::SYS_chroot, any()), (libc::SYS_setuid, any()), (libc::SYS_setgid, any())],
            libc::EPERM.cast_unsigned(),
        ),
        "kill" => (vec![(libc::SYS_kill, any())], libc::EPERM.cast_unsigned()),
        "odd-kill" => (vec![(libc::SYS_kill, any())], libc::EACCES.cast_unsigned()),
        "none" => (Vec::new(), 0),
        other => panic!("no filter {other}"),
    };
    let arch = std::env::consts::ARCH.try_into().unwrap();
    let rules: BTreeMap<i64, Vec<SeccompRule>> = rules.into_iter().collect();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(action), arch).unwrap();
    filter.try_into().unwrap()
}

#[test]
fn a_containers_filter() {
    let done = run("container", &["unshare", "--user", "true"]);
    assert!(done.stderr.contains("Operation not permitted"), "{done:?}");
    let answer = explain("container", &["unshare", "--user"]);
    answer.refused("seccomp").errno("EPERM").seen("/proc/self/status", "has Seccomp: 2");
    answer.seen("unshare with a flag that does not exist", "which the kernel never says to that");
    answer.seen("/proc/self/status", "has NoNewPrivs: 1").helps("--security-opt seccomp=");
    for call in
        [&["clone", "newuser"][..], &["setns", "/proc/self/ns/net"], &["mount", "-t", "tmpfs", "t", "/mnt"]]
    {
        explain("container", call).refused("seccomp");
    }
}

/// A filter that looks at the flags lets the harmless form of the call through.
#[test]
fn a_filter_that_looks_at_flags() {
    let answer = explain("user-only", &["unshare", "--user"]);
    answer.refused("seccomp").seen("unshare with a flag that does not exist", "EPERM");
    // The other kinds are refused by the kernel itself, if at all.
    let answer = explain("user-only", &["unshare", "--net"]);
    assert_ne!(answer.0["cause"]["id"], "seccomp", "{:#}", answer.0);
}

/// A filter is there, and it was not the filter.
#[test]
fn not_every_refusal_under_a_filter_is_its() {
    let answer = explain("none", &["clone", "newuser,fs"]);
    answer.refused("NewuserWithFs").errno("EINVAL");
    let answer = explain("none", &["unshare", "--user"]);
    assert_ne!(answer.0["cause"]["id"], "seccomp", "{:#}", answer.0);
}

/// The errno of a limit, and no limit.
#[test]
fn a_filter_with_another_number() {
    let done = run("odd", &["unshare", "--user", "true"]);
    assert!(done.stderr.contains("No space left on device"), "{done:?}");
    explain("odd", &["unshare", "--user"]).refused("seccomp").errno("ENOSPC");
}

/// Old filters say EPERM to clone3, and then nothing falls back.
#[test]
fn clone3_without_enosys() {
    testkit::require_namespaces!();
    let done = run("clone3", &[NS, "run", "--", "true"]);
    assert_eq!(done.code, Some(125), "{done:?}");
    assert!(
        done.stderr.contains("operation not permitted (EPERM)\n    clone3-filtered: "),
        "{}",
        done.stderr
    );
    let answer = explain("clone3", &["run", "--", "true"]);
    answer.refused("clone3-filtered").seen("clone3 without arguments", "EPERM");
    answer.helps("use a program that makes its namespaces with unshare");
    let done = run("clone3", &["unshare", "--user", "--map-root-user", "true"]);
    assert_eq!(done.code, Some(0), "{done:?}");
}

/// Landlock lets namespaces be made, and forbids every mount.
#[test]
fn a_landlock_ruleset() {
    testkit::require_namespaces!();
    let place = ["unshare", "--user", "--map-root-user", "--mount", "--propagation", "unchanged"];
    let done = run("landlock", &[&place[..], &["mount", "-t", "tmpfs", "t", "/mnt"]].concat());
    assert!(done.stderr.contains("permission denied"), "{done:?}");
    let words = [&place[..], &[NS, "explain", "--json", "mount", "-t", "tmpfs", "t", "/mnt"]].concat();
    let done = run("landlock", &words);
    let answer = Answer::of(&done.stdout).unwrap_or_else(|| panic!("{done:?}"));
    answer
        .refused("landlock")
        .errno("EPERM")
        .seen("mount(MS_PRIVATE)", "is refused in a mount namespace of one's own");
    answer.helps("before the program restricts itself");
    // Without the ruleset it goes.
    Place(&place).grants(&["mount", "-t", "tmpfs", "t", "/mnt"]);
}

/// The first step of a launch went, and nobody had tried the others.
#[test]
fn a_filter_for_a_later_step_of_a_launch() {
    testkit::require_namespaces!();
    let done = run("mount", &[NS, "run", "--", "true"]);
    assert_eq!(done.code, Some(125), "{done:?}");
    assert!(done.stderr.contains("seccomp: "), "{}", done.stderr);
    explain("mount", &["run", "--", "true"])
        .refused("seccomp")
        .errno("EPERM")
        .seen("mount of nothing", "EPERM");
    explain("mount", &["unshare", "-U", "-r", "-m", "true"]).refused("seccomp").errno("EPERM");
}

/// What is not tried a filter may refuse.
#[test]
fn a_filter_for_a_call_that_is_not_tried() {
    let own = std::fs::read_to_string("/proc/self/status").unwrap();
    let uid = own.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap();
    let uid = uid.split_whitespace().next().unwrap();
    let answer = explain("none", &["setuid", uid]);
    answer.allowed();
    assert!(
        answer.0.to_string().contains("Seccomp: 2: there is a filter, which may refuse it"),
        "{:#}",
        answer.0
    );
}

/// Without an argument that means anything the kernel itself refuses them with another number.
#[test]
fn a_filter_for_chroot_and_ids() {
    for (call, shown) in [
        (["chroot", "/"], "chroot to nothing"),
        (["setuid", "65534"], "setuid of no id"),
        (["setgid", "65534"], "setgid of no id"),
    ] {
        explain("ids", &call).refused("seccomp").errno("EPERM").seen(shown, "EPERM");
        assert_ne!(explain("none", &call).0["cause"]["id"], "seccomp");
    }
}

/// To the processes of one's own user the rules allow it.
#[test]
fn a_filter_for_signals() {
    let own = std::process::id().to_string();
    let call = ["kill", own.as_str(), "TERM"];
    explain("none", &call).allowed();
    explain("odd-kill", &call).refused("seccomp").errno("EACCES").seen("kill(", "EACCES");
    let answer = explain("kill", &call);
    assert_eq!(answer.0["verdict"], "undecided", "{:#}", answer.0);
    answer.errno("EPERM").seen("kill(", "belongs to the caller's user");
    assert_eq!(answer.0["causes"][0]["id"], "seccomp", "{:#}", answer.0);
}

/// Nor are these tried.
#[test]
fn a_filter_for_calls_about_files() {
    // Nothing is changed, so it may be anybody's.
    HERE.grants(&["perl", "-e", "chown(-1, -1, '/etc/passwd') == 1 or die"]);
    let answer = explain("none", &["chown", ":", "/etc/passwd"]);
    answer.allowed();
    assert!(answer.0["unknown"].to_string().contains("there is a filter"), "{:#}", answer.0);
}
