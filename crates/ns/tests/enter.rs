//! `ns enter`, `ns pin` and `ns unpin`, looked at from outside.

mod common;

use common::{Background, child_of, link, ns, run, succeed};
use testkit::{require_namespaces, require_root};

/// A program in new namespaces, and the pid of its init.
fn target(args: &[&str]) -> (Background, String) {
    let words =
        [&["run", "--hostname", "target"], args, &["--", "sh", "-c", "echo on; exec sleep 100"]].concat();
    let (background, line) = Background::start(&mut ns(&words));
    assert_eq!(line, "on");
    let pid = child_of(background.pid()).to_string();
    (background, pid)
}

#[test]
fn all_namespaces_of_a_process() {
    require_namespaces!();
    let (_target, pid) = target(&["--boottime", "7000"]);
    let text = succeed(&[
        "enter",
        &pid,
        "--",
        "sh",
        "-c",
        "hostname; id -u; readlink /proc/self/ns/*; cat /proc/self/timens_offsets",
    ]);
    assert!(text.starts_with("target\n0\n"), "{text}");
    for kind in ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"] {
        assert!(text.contains(&link(&pid, kind)), "{kind} in {text}");
    }
    assert!(text.contains("7000"));
}

#[test]
fn some_namespaces_of_a_process() {
    require_namespaces!();
    let (_target, pid) = target(&[]);
    let text = succeed(&[
        "enter",
        &pid,
        "--only",
        "user,uts",
        "--",
        "sh",
        "-c",
        "hostname; readlink /proc/self/ns/net",
    ]);
    assert_eq!(text, format!("target\n{}\n", link("self", "net")));
    let text = succeed(&[
        "enter",
        &pid,
        "--except",
        "uts,pid,mnt",
        "--",
        "sh",
        "-c",
        "hostname; readlink /proc/self/ns/net",
    ]);
    assert!(!text.starts_with("target"));
    assert!(text.contains(&link(&pid, "net")));
}

#[test]
fn what_can_not_be_joined_is_left_out_and_said() {
    require_namespaces!();
    if testkit::is_root() {
        // Root can join everything on the machine; in a user namespace of its own it can't.
        let (_target, pid) = target(&["--share", "user"]);
        let inner = ["run", "--share", "mnt,pid", "--", env!("CARGO_BIN_EXE_ns"), "enter", &pid, "true"];
        let done = run(&inner);
        assert_eq!(done.code, Some(125), "{done:?}");
        assert!(done.stderr.contains("leaving out the uts namespace: "), "{}", done.stderr);
        return;
    }
    // A process of the same user in namespaces that root owns: not to be had by a user.
    let (_target, pid) = target(&[]);
    let done = run(&["enter", &pid, "--", "hostname"]);
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("target\n", ""));
}

#[test]
fn errors_name_what_is_wrong() {
    let done = run(&["enter", "999999999", "true"]);
    assert_eq!(
        (done.code, done.stderr.lines().next()),
        (Some(125), Some("ns: there is no process 999999999"))
    );
    let done = run(&["enter", "/etc/passwd", "true"]);
    assert_eq!((done.code, done.stderr.as_str()), (Some(125), "ns: /etc/passwd is not a namespace file\n"));
    let done = run(&["enter", "/no/such/file", "true"]);
    assert_eq!(
        (done.code, done.stderr.as_str()),
        (Some(125), "ns: opening /no/such/file: no such file or directory (ENOENT)\n")
    );
    assert_eq!(run(&["enter"]).code, Some(125));
}

#[test]
fn exit_statuses() {
    require_namespaces!();
    let (_target, pid) = target(&[]);
    assert_eq!(run(&["enter", &pid, "--", "sh", "-c", "exit 9"]).code, Some(9));
    assert_eq!(run(&["enter", &pid, "--", "sh", "-c", "kill -9 $$"]).code, Some(137));
    assert_eq!(run(&["enter", &pid, "no-such-program"]).code, Some(127));
}

#[test]
fn the_program_that_enters_sees_three_descriptors() {
    require_namespaces!();
    let (_target, pid) = target(&[]);
    let text = succeed(&["enter", &pid, "--", "sh", "-c", "echo /proc/self/fd/*"]);
    assert_eq!(text.trim(), "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3");
}

#[test]
fn pinned_entered_and_let_go() {
    require_root!();
    let dir = tempfile::tempdir().unwrap();
    let file = |kind: &str| dir.path().join(kind).to_str().unwrap().to_owned();
    for kind in ["cgroup", "ipc", "net", "time", "user", "uts"] {
        let path = file(kind);
        let inside = {
            let (_target, pid) = target(&[]);
            succeed(&["pin", &pid, &path, "--kind", kind]);
            link(&pid, kind)
        };
        // The processes are gone; the namespace is not.
        let text = succeed(&["enter", &path, "--", "readlink", &format!("/proc/self/ns/{kind}")]);
        assert_eq!(text.trim(), inside);
        succeed(&["unpin", &path]);
        assert!(!std::path::Path::new(&path).exists());
    }
    let done = run(&["unpin", "/etc/passwd"]);
    assert_eq!((done.code, done.stderr.as_str()), (Some(1), "ns: /etc/passwd is not a namespace file\n"));
}

/// A pid namespace is of use only while its pid 1 lives.
#[test]
fn a_pinned_pid_namespace_is_entered_while_its_pid_1_lives() {
    require_root!();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pid").to_str().unwrap().to_owned();
    let (target, pid) = target(&[]);
    succeed(&["pin", &format!("{pid}:pid"), &path]);
    let text = succeed(&[
        "enter",
        &path,
        "--",
        "sh",
        "-c",
        "readlink /proc/self/ns/pid; grep NSpid /proc/self/status",
    ]);
    assert!(text.starts_with(&link(&pid, "pid")), "{text}");
    // Two numbers: one here, and one inside.
    assert_eq!(text.lines().last().unwrap().split_whitespace().count(), 3, "{text}");
    drop(target);
    common::eventually("the end of pid 1", || !common::is_alive(pid.parse().unwrap()));
    let done = run(&["enter", &path, "true"]);
    assert_eq!(done.code, Some(125));
    assert!(done.stderr.contains("\n    PidNsDead: The init of the pid namespace is gone"), "{done:?}");
    succeed(&["unpin", &path]);
}

#[test]
fn pinned_by_run() {
    require_root!();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("uts").to_str().unwrap().to_owned();
    succeed(&["run", "--hostname", "kept", "--pin", &format!("uts={path}"), "true"]);
    assert_eq!(succeed(&["enter", &path, "hostname"]), "kept\n");
    succeed(&["unpin", &path]);
}

#[test]
fn a_mount_namespace_is_pinned_on_a_private_mount_only() {
    require_root!();
    // In a mount namespace of the test's own, with shared and private places.
    let ns = env!("CARGO_BIN_EXE_ns");
    let dir = tempfile::tempdir().unwrap();
    let script = format!(
        "set -e; cd {}; mkdir shared private; mount -t tmpfs none shared; mount --make-shared shared; \
         mount -t tmpfs none private; mount --make-private private; \
         {ns} run --share user --no-proc --pin mnt=$PWD/private/mnt true; \
         {ns} enter $PWD/private/mnt readlink /proc/self/ns/mnt; {ns} unpin $PWD/private/mnt; \
         {ns} run --share user --pin mnt=$PWD/shared/mnt true || ls shared",
        dir.path().display()
    );
    // On one CPU: until Linux 6.19 the ids of namespaces grow only there, and
    // one that is not younger can't be bound.
    let mut command = std::process::Command::new("taskset");
    command.args(["-c", "0", ns, "run", "--share", "user", "--", "sh", "-c", &script]);
    let done = common::outcome(&mut command);
    assert!(done.stdout.starts_with("mnt:["), "{done:?}");
    assert!(done.stderr.contains("shared propagation"), "{done:?}");
    assert_eq!(done.stdout.lines().count(), 1, "a file is left: {done:?}");
}

/// The owner's ids outside are root's: to be no one inside would hide that.
#[test]
fn root_that_is_unknown_inside_is_refused_or_becomes_root_inside() {
    require_root!();
    let (_target, pid) = target(&["--map", "5:1234:1"]);
    let done = run(&["enter", &pid, "true"]);
    assert_eq!(done.code, Some(125), "{done:?}");
    assert!(done.stderr.contains("say who to be with --uid and --gid"), "{done:?}");
    assert_eq!(succeed(&["enter", "--uid", "5", "--gid", "5", &pid, "--", "id", "-u"]), "5\n");
    let (_target, pid) = target(&["--map", "0:1234:1"]);
    assert_eq!(succeed(&["enter", &format!("{pid}:user"), "--", "id", "-u"]), "0\n");
    assert_eq!(succeed(&["enter", &pid, "--", "id", "-u"]), "0\n");
}

#[test]
fn nothing_is_pinned_over_a_namespace() {
    require_root!();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("uts").to_str().unwrap().to_owned();
    succeed(&["run", "--pin", &format!("uts={path}"), "true"]);
    let done = run(&["run", "--pin", &format!("uts={path}"), "true"]);
    assert!(done.stderr.contains("a namespace is bound there already"), "{done:?}");
    succeed(&["unpin", &path]);
}
