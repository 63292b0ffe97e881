//! 6, 7 and 8: user namespaces without maps, threads, and pid namespaces without init.

use namespaces::explain::{Machine, Question};
use namespaces::{Errno, Kind};
use testkit::{require_namespaces, require_root};

use crate::answer::{HERE, Place, user};
use crate::common::Background;

#[test]
fn a_user_namespace_without_maps_makes_no_other() {
    require_namespaces!();
    let unmapped = Place(&["unshare", "--user"]);
    unmapped.refuses(&["unshare", "--user", "true"], "Operation not permitted");
    let answer = unmapped.explain(&["unshare", "--user"]);
    answer
        .refused("UserNsUnmapped")
        .errno("EPERM")
        .seen("/proc/self/uid_map", "is empty")
        .seen("/proc/self/gid_map", "is empty");

    let mut command = std::process::Command::new("unshare");
    command.args(["--user", "sh", "-c", "echo ready; exec sleep 100"]).stdin(std::process::Stdio::null());
    let (waiting, _) = Background::start(&mut command);
    let pid = waiting.pid().to_string();
    HERE.shell(&answer.command("/uid_map", &[("PID", &pid)]));
    HERE.grants(&[
        "nsenter",
        "--target",
        &pid,
        "--user",
        "--preserve-credentials",
        "unshare",
        "--user",
        "true",
    ]);
}

/// Without a capability, and with: two causes with the same errno, and the remedy for one.
#[test]
fn the_same_errno_has_two_causes() {
    require_namespaces!();
    user().refuses(&["unshare", "--net", "true"], "Operation not permitted");
    let answer = user().explain(&["unshare", "--net"]);
    answer.refused("UnshareNeedsAdmin").errno("EPERM").seen("/proc/self/status", "has CapEff: 0");
    let remedy = answer.command("unshare --user", &[("PROGRAM", "true")]);
    user().grants(&["sh", "-c", &remedy]);
    let unmapped = Place(&["unshare", "--user"]).explain(&["unshare", "--user", "--net"]);
    unmapped.refused("UserNsUnmapped").errno("EPERM");
}

/// A test has threads, so this is asked by the library, of the test itself.
#[test]
fn a_process_with_threads_keeps_its_user_namespace() {
    let refused = namespaces::unshare(Kind::User).unwrap_err();
    assert_eq!(refused.errno(), Some(Errno::EINVAL));
    let answer = Machine::here().explain(&Question::unshare(Kind::User));
    assert_eq!(answer.cause().unwrap().id(), "UnshareThreads");
    assert!(answer.evidence()[0].to_string().contains("has Threads: "), "{:?}", answer.evidence());
    let remedies: Vec<&str> = answer.remedies().iter().map(|remedy| remedy.says.as_str()).collect();
    assert!(remedies.iter().any(|says| says.contains("in a child process")), "{remedies:?}");
    assert!(answer.remedies().iter().all(|remedy| remedy.checked));
}

#[test]
fn threads_that_share_their_root_join_no_mount_namespace() {
    require_root!();
    let mine = namespaces::Namespace::current(Kind::Mnt).unwrap();
    let refused = mine.enter().unwrap_err();
    assert_eq!(refused.errno(), Some(Errno::EINVAL));
    let answer = Machine::here()
        .explain(&Question::JoinFile { path: "/proc/thread-self/ns/mnt".into(), kind: Some(Kind::Mnt) });
    assert_eq!(answer.cause().unwrap().id(), "SetnsMntSharedFs");
    assert!(answer.evidence()[0].to_string().contains("which share them"), "{:?}", answer.evidence());
    assert!(answer.remedies()[0].says.contains("unshare(CLONE_FS)"));
}

#[test]
fn the_own_user_namespace_is_not_joined() {
    require_namespaces!();
    let place = Place(&["unshare", "--user", "--map-root-user"]);
    place.refuses(&["nsenter", "--user=/proc/self/ns/user", "true"], "Invalid argument");
    let answer = place.explain(&["setns", "/proc/self/ns/user", "user"]);
    answer.refused("SetnsUserOwn").errno("EINVAL").seen("/proc/self/ns/user", "the one asked for");
    answer.helps("is in it already");
}

#[test]
fn a_pid_namespace_whose_init_has_ended() {
    require_namespaces!();
    let place = Place(&["unshare", "--user", "--map-root-user", "--pid"]);
    place.refuses(&["sh", "-c", "/bin/true; /bin/true"], "Cannot fork");
    let answer = place.script("/bin/true; exec $NS explain --json clone none");
    answer.refused("PidNsDead").errno("ENOMEM");
    answer
        .seen("/proc/self/ns/pid_for_children", "not the caller's own pid:[")
        .seen("NS_GET_PID_FROM_PIDNS", "no living process 1");
    let remedy = answer.command("unshare --pid --fork", &[("PROGRAM", "sh -c '/bin/true; /bin/true'")]);
    Place(&["unshare", "--user", "--map-root-user"]).shell(&remedy);
}

/// A process whose children's pid namespace is dead can't fork first.
#[test]
fn nobody_is_told_to_fork_where_fork_fails() {
    require_namespaces!();
    let place = Place(&["unshare", "--user", "--map-root-user", "--pid"]);
    let answer = place.script("/bin/true; exec $NS explain --json unshare --pid");
    answer.refused("PidNsNotActive").helps("from another process");
    assert!(!answer.0["remedies"].to_string().contains("fork first"), "{:#}", answer.0);
}

/// Nothing is tried while a pid namespace waits for its first process: a child would be
/// its init, and end it.
#[test]
fn a_pid_namespace_that_waits_is_left_alone() {
    require_namespaces!();
    let place = Place(&["unshare", "--user", "--map-root-user", "--pid"]);
    let answer = place.script("exec $NS explain --json unshare --pid");
    answer.refused("PidNsNotActive").errno("EINVAL").seen("pid_for_children", "without a process yet");
    answer.helps("fork first");
    let answer = place.script("exec $NS explain --json unshare --uts");
    answer.allowed();
    assert_eq!(answer.0["tried"], false);
}
