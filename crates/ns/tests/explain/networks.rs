//! 30: the loopback device of a new network namespace is down. 28: cgroups. 27: clocks.

use std::process::{Command, Stdio};

use testkit::{require_namespaces, require_root};

use crate::answer::{HERE, Place, run, user};
use crate::common::Background;

const NET: Place<'_> = Place(&["unshare", "--user", "--map-root-user", "--net"]);

#[test]
fn the_loopback_device_is_down() {
    require_namespaces!();
    let connect = "exec 3<>/dev/tcp/127.0.0.1/9";
    NET.refuses(&["bash", "-c", connect], "Network is unreachable");
    let answer = NET.explain(&["connect"]);
    answer.refused("NetUnreachable").errno("ENETUNREACH").seen("SIOCGIFFLAGS", "no IFF_UP in net:[");
    let remedy = answer.command("ip link set lo up", &[]);
    // Nobody listens, but the host is reached.
    NET.refuses(&["bash", "-c", &format!("{remedy}; {connect}")], "Connection refused");
    NET.script(&format!("{remedy}; explain connect")).allowed();
}

/// Clocks are fixed as soon as a process has entered.
#[test]
fn clocks_of_a_time_namespace_that_is_entered() {
    require_namespaces!();
    let time = Place(&["unshare", "--user", "--map-root-user", "--time"]);
    let write = "echo monotonic 1 0 > /proc/self/timens_offsets";
    time.refuses(&["bash", "-ec", write], "Permission denied");
    let answer = time.explain(&["write", "timens_offsets", "monotonic 1 0"]);
    answer
        .refused("TimeOffsetsFrozen")
        .errno("EACCES")
        .seen("time_for_children", "has been entered by a process");
    let remedy = answer
        .command("ns run --monotonic", &[("SECONDS", "77"), ("PROGRAM", "cat /proc/self/timens_offsets")]);
    assert!(HERE.shell(&remedy).contains("77"));
}

/// Without maps all ids look alike, the caller's own and that of the cgroup's owner.
#[test]
fn a_cgroup_whose_owner_has_no_name_here() {
    require_namespaces!();
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let found = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2"));
    let Some(point) = found.and_then(|line| line.split(' ').nth(1)) else {
        return testkit::skip(
            "a_cgroup_whose_owner_has_no_name_here",
            "no hierarchy of version 2 is mounted",
        );
    };
    let words = [user().0, &["unshare", "--user"]].concat();
    let place = Place(&words);
    let writable = place.run(&["test", "-w", point]).code == Some(0);
    let answer = place.explain(&["cgroup", point]);
    assert_eq!(answer.0["verdict"] == "allowed", writable, "{:#}", answer.0);
}

/// What is written are the clocks of its children, whose time namespace may be another than its own.
#[test]
fn clocks_of_the_children_of_another_process() {
    require_namespaces!();
    let unshare = if cfg!(target_arch = "aarch64") { 97 } else { 272 };
    let both = libc::CLONE_NEWUSER | libc::CLONE_NEWTIME;
    let script = format!("$| = 1; syscall({unshare}, {both}) == 0 or die; print \"ready\\n\"; sleep 100");
    let mut command = Command::new("perl");
    command.args(["-e", &script]).stdin(Stdio::null());
    let (process, _) = Background::start(&mut command);
    let file = format!("/proc/{}/timens_offsets", process.pid());
    let answer = HERE.explain(&["write", &file, "monotonic 1 0"]);
    let unknown = answer.allowed().0["unknown"].to_string();
    assert!(unknown.contains("a process has entered the time namespace"), "{:#}", answer.0);
    HERE.shell(&format!("echo monotonic 1 0 > {file}"));
    let before = ["write", &file, "monotonic -1000000000 0"];
    HERE.refuses(&["bash", "-ec", &format!("echo {} > {file}", before[2])], "out of range");
    HERE.explain(&before).refused("TimeOffsetsRange").errno("ERANGE");
}

/// A cgroup of the test's own, in the hierarchy of version 2.
struct Cgroup(String);

impl Cgroup {
    fn new() -> Option<Cgroup> {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        let point = mounts
            .lines()
            .find(|line| line.split(' ').nth(2) == Some("cgroup2"))?
            .split(' ')
            .nth(1)?
            .to_owned();
        let path = format!("{point}/explain-test-{}", std::process::id());
        std::fs::create_dir(&path).unwrap();
        Some(Cgroup(path))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(format!("{}/mine", self.0));
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[test]
fn a_cgroup_that_was_not_delegated() {
    require_root!();
    let Some(cgroup) = Cgroup::new() else { panic!("no cgroup2 is mounted") };
    let place = crate::answer::user();
    let inner = format!("{}/mine", cgroup.0);
    place.refuses(&["mkdir", &inner], "Permission denied");
    let answer = place.explain(&["cgroup", &cgroup.0]);
    answer.refused("cgroup-not-delegated").errno("EACCES").seen(&cgroup.0, "belongs to user 0");
    answer.helps("Delegate=yes").helps("cgroup.subtree_control");
    run(&["chown", "65534", &cgroup.0, &format!("{}/cgroup.procs", cgroup.0)]);
    place.grants(&["mkdir", &inner]);
    place.explain(&["cgroup", &cgroup.0]).allowed();
}
