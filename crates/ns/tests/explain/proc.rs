//! A /proc that hides processes, shows another pid namespace, or is not there.

use testkit::{require_namespaces, require_root};

use crate::answer::{Answer, NS, Place};

const APART: Place<'_> = Place(&["unshare", "--user", "--map-root-user", "--mount"]);
/// In a new pid namespace, with the /proc of the one above.
const BELOW: Place<'_> =
    Place(&["unshare", "--user", "--map-root-user", "--uts", "--pid", "--fork", "--kill-child"]);

/// The calls need no /proc: they ask whether the caller may look into the process.
#[test]
fn calls_on_a_process_that_proc_hides() {
    require_root!();
    let place = Place(&["unshare", "--mount", "--pid", "--fork", "--kill-child"]);
    for option in ["hidepid=2", "hidepid=1"] {
        let script = format!(
            "mount -t proc -o {option} proc /proc; sleep 100 & PID=$!
            user() {{ setpriv --reuid 65534 --regid 65534 --clear-groups \"$@\"; }}
            user kill -0 $PID 2>/dev/null && exit 3
            user $NS nsenter -t $PID -n true 2>/dev/null && exit 4
            "
        );
        let ask = |call: &str| place.script(&format!("{script} user $NS explain --json {call}"));
        let answer = ask("kill $PID TERM");
        answer
            .refused("KillPermission")
            .errno("EPERM")
            .seen("kill(", "is answered with operation not permitted");
        let answer = ask("attach $PID");
        answer.refused("PtraceAccess").errno("EPERM").seen("/proc/self/mountinfo:", "hidepid=");
        let answer = ask("setns $PID net");
        answer.refused("SetnsTargetAccess").errno("EPERM").seen("/proc/", "although pidfd_open finds");
        let errno = if option == "hidepid=1" { "EPERM" } else { "ENOENT" };
        ask("$PID net").refused("proc-hidden").errno(errno);
        // One's own is not hidden.
        ask("self net").allowed();
    }
}

/// The process with that number in /proc is another one; calls mean the caller's.
#[test]
fn numbers_of_another_pid_namespace() {
    require_namespaces!();
    let ask = |call: &str| BELOW.script(&format!("sleep 100 & PID=$!; $NS explain --json {call}"));
    BELOW.shell("sleep 100 & PID=$!; kill -0 $PID");
    ask("kill $PID TERM").allowed();
    BELOW.shell(&format!("sleep 100 & PID=$!; '{NS}' nsenter -t $PID -u true"));
    ask("setns $PID uts").allowed();
    ask("kill 999999 TERM").refused("NoSuchTask").errno("ESRCH");
    let init = BELOW.script("true; $NS explain --json kill 1 TERM");
    init.refused("init-ignores-signal").seen("/status", ", 1]: it is the first process of its pid namespace");
    for call in ["$PID net", "init 1", "held $PID net", "write /proc/$PID/uid_map '0 0 1'"] {
        ask(call).refused("proc-unusable").seen("/proc/self", "it shows a pid namespace further up");
    }
    let done = BELOW.run(&["sh", "-c", &format!("sleep 100 & '{NS}' enter $! true")]);
    assert!(
        done.stderr.contains("\n    proc-unusable: ") && done.stderr.contains("\n    try: "),
        "{}",
        done.stderr
    );
    ask("enter $PID -- true").refused("proc-unusable");
    // With a proc of one's own the numbers are one's own.
    let own = "mount -t proc proc /proc; sleep 100 & PID=$!; $NS explain --json $PID net";
    Place(&[BELOW.0, &["--mount"]].concat()).script(own).allowed();
}

#[test]
fn where_no_proc_is_mounted() {
    require_namespaces!();
    let bare = format!("mount -t tmpfs none /proc; NS='{NS}'; ");
    for words in ["run -- true", "enter 1 -- true", "unshare -Ur true", "show self", "lsns"] {
        let done = APART.run(&["sh", "-c", &format!("{bare} $NS {words}")]);
        assert!(done.stderr.contains("\n    proc-unusable: "), "{words}: {}", done.stderr);
        assert!(done.stderr.contains("\n    try: mount a new proc"), "{words}: {}", done.stderr);
    }
    let ask = |call: &str| APART.script(&format!("{bare} $NS explain --json {call}"));
    ask("setuid 5").undecided(&[]).seen("/proc/self", "no proc is mounted on /proc");
    ask("newuidmap 1 0 0 1").refused("proc-unusable");
    let answer = ask("--errno ENOENT run -- true");
    answer.refused("proc-unusable").errno("ENOENT").helps("mount -t proc proc /proc");
    let _: &Answer = ask("kill 999999 TERM").refused("NoSuchTask");
}

/// The kernel can be asked all the same, and calls tell what a process may.
#[test]
fn what_is_known_where_no_proc_is_mounted() {
    require_namespaces!();
    let bare = format!("mount -t tmpfs none /proc; NS='{NS}'; ");
    let ask = |place: Place<'_>, call: &str| place.script(&format!("{bare} $NS explain --json {call}"));
    for call in ["unshare -n", "clone newnet,newuts", "unshare -U", "mount -t tmpfs none /proc"] {
        assert_eq!(ask(APART, call).allowed().0["tried"], true, "{call}");
    }
    // Without capabilities, which no longer come from being root.
    let bare = format!("{bare} drop='setpriv --bounding-set -all --inh-caps -all'; ");
    let ask = |call: &str| APART.script(&format!("{bare} $drop $NS explain --json {call}"));
    let done = APART.run(&["sh", "-c", &format!("{bare} $drop unshare --net true")]);
    assert!(done.stderr.contains("Operation not permitted"), "{}", done.stderr);
    for (call, cause) in [
        ("unshare -n", "UnshareNeedsAdmin"),
        ("clone newnet", "NamespacesNeedAdmin"),
        ("run --share user -- true", "NamespacesNeedAdmin"),
        ("mount -t proc proc /proc", "MountPrivilege"),
        ("umount /proc", "MountPrivilege"),
        ("chroot /", "ChrootPrivilege"),
    ] {
        let answer = ask(call);
        answer.refused(cause).errno("EPERM").seen("capget(2)", "effective capabilities are none");
    }
    let limited = "echo 0 > /proc/sys/user/max_net_namespaces;";
    let answer = APART.script(&format!("{limited} {bare} $NS explain --json unshare -n"));
    answer.refused("NetNsCount").errno("ENOSPC").helps("raise the limit");
}

#[test]
fn a_check_without_proc_says_so_and_tries_what_it_can() {
    require_namespaces!();
    let shell = |then: &str| APART.shell(&format!("mount -t tmpfs none /proc; {then}'{NS}' check"));
    let text = shell("");
    let line = |text: &str, what: &str| text.lines().find(|line| line.starts_with(what)).unwrap().to_owned();
    assert!(line(&text, "a new net namespace   ").ends_with(" yes"), "{text}");
    let cgroup = line(&text, "making cgroups");
    assert!(cgroup.contains("proc-unusable: /proc/self does not exist: no proc is mounted"), "{text}");
    assert!(
        text.contains("operation not permitted (EPERM), and not to be decided why: /proc/self"),
        "{text}"
    );
    assert!(text.ends_with("mount -t proc proc /proc, which shows what must be known\n"), "{text}");
    assert!(!text.contains("could not be tried"), "{text}");
    let text = shell("setpriv --bounding-set -all --inh-caps -all ");
    assert!(line(&text, "a new net namespace   ").contains("no   UnshareNeedsAdmin"), "{text}");
    // No child may be made that would be the init of the namespace.
    let text = shell("unshare --pid ");
    assert!(line(&text, "a new net namespace   ").contains("it could not be tried: /proc/self"), "{text}");
}
