//! 12 and 17: joining namespaces.

use testkit::require_namespaces;

use crate::answer::{HERE, NS, Place, user};
use crate::common::{eventually, is_alive};
use crate::processes::sleeping;

/// Its creator may join the uts namespace only by way of the user namespace.
/// A file that is no mount point of a namespace is not to be removed for that.
#[test]
fn a_file_that_never_was_a_namespace_is_left_alone() {
    for path in ["/etc/passwd", "/etc", "/proc/cpuinfo"] {
        let answer = HERE.explain(&["setns", path]);
        answer.refused("not-a-namespace-file");
        let said = answer.0.to_string();
        assert!(!said.contains("remove") && !said.contains("is empty"), "{said}");
    }
}

#[test]
fn the_user_namespace_comes_first() {
    require_namespaces!();
    let place = user();
    let inside =
        sleeping(&[place.0, &["unshare", "--user", "--map-root-user", "--uts", "sleep", "100"]].concat());
    let pid = inside.pid().to_string();
    let own = std::fs::read_link("/proc/self/ns/uts").unwrap();
    eventually("the namespace", || {
        std::fs::read_link(format!("/proc/{pid}/ns/uts")).is_ok_and(|link| link != own)
    });
    eventually("sleep", || {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "sleep\n")
    });
    place.refuses(&["nsenter", "--target", &pid, "--uts", "true"], "Operation not permitted");
    let answer = place.explain(&["nsenter", "--target", &pid, "--uts"]);
    answer.refused("SetnsUtsAdmin").errno("EPERM").seen(&format!("/proc/{pid}/ns/uts"), "belongs to user:[");
    let remedy = answer.command("ns enter", &[("PROGRAM", "true")]);
    place.shell(&remedy);
    // The same by the file of the namespace.
    let answer = place.explain(&["setns", &format!("/proc/{pid}/ns/uts")]);
    answer.refused("SetnsUtsAdmin").helps("first, which owns uts:[");
}

/// Owned further up: never.
#[test]
fn what_is_owned_above_is_never_joined() {
    require_namespaces!();
    let place = crate::answer::Place(&["unshare", "--user", "--map-root-user"]);
    place.refuses(&["nsenter", "--uts=/proc/self/ns/uts", "true"], "Operation not permitted");
    let answer = place.explain(&["setns", "/proc/self/ns/uts", "uts"]);
    answer.refused("SetnsUtsAdmin").errno("EPERM");
    answer.seen("/proc/self/ns/uts", "belongs to a user namespace that is not below the caller's");
    answer.helps("as root of a user namespace that is the owner or above it");
}

/// What `ip netns` leaves where the mount is in another mount namespace.
#[test]
fn a_file_that_is_no_namespace_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("blue");
    std::fs::write(&file, "").unwrap();
    let path = file.to_str().unwrap();
    HERE.refuses(
        &["nsenter", &format!("--net={path}"), "true"],
        if testkit::is_root() { "Invalid argument" } else { "" },
    );
    let answer = HERE.explain(&["setns", path, "net"]);
    answer.refused("not-a-namespace-file").errno("EINVAL").seen(path, "is empty, as ip netns leaves it");
    answer
        .seen("statfs", "does not say nsfs")
        .helps("remove the file and make the namespace anew")
        .helps("enter the mount namespace");
    std::fs::remove_file(&file).unwrap();
    HERE.explain(&["setns", path, "net"]).refused("PathMissing");
}

/// A zombie keeps its user and its pid namespace, and the links of the others lead nowhere.
#[test]
fn the_links_of_a_process_that_has_ended() {
    let ended = sleeping(&["true"]);
    let pid = ended.pid().to_string();
    eventually("the end", || !is_alive(ended.pid()));
    let gone = ["net", "mnt", "time", "pid_for_children", "time_for_children"];
    for link in gone {
        let path = format!("/proc/{pid}/ns/{link}");
        HERE.refuses(&["cat", &path], "No such file or directory");
        for words in [vec!["setns", &path], vec!["held", &path], vec![&pid, link]] {
            let answer = HERE.explain(&words);
            answer.refused("LinkGone").errno("ENOENT").helps("a process that still runs");
        }
    }
    // Those are still there.
    HERE.explain(&["setns", &format!("/proc/{pid}/ns/user")]).refused("SetnsUserOwn");
    HERE.explain(&[&pid, "pid"]).allowed();
    // A name that is no link's is missing in the directory.
    HERE.explain(&["setns", &format!("/proc/{pid}/ns/other")]).refused("PathMissing");
}

/// The links for children are named where a kind is.
#[test]
fn the_links_for_children() {
    let other = sleeping(&["sleep", "100"]);
    let pid = other.pid().to_string();
    for link in ["pid_for_children", "time_for_children"] {
        HERE.explain(&[&pid, link]).allowed();
        let path = format!("/proc/{pid}/ns/{link}");
        let answer = HERE.explain(&["setns", &pid, link]);
        let by_file = HERE.explain(&["setns", &path]);
        assert_eq!(answer.0["verdict"], by_file.0["verdict"], "{:#}", answer.0);
        assert_eq!(answer.0["cause"], by_file.0["cause"], "{:#}", answer.0);
        if !testkit::is_root() {
            answer.refused(if link.starts_with("pid") { "SetnsPidAdmin" } else { "SetnsTimeAdmin" });
        }
        let answer = user().explain(&["setns", "1", link]);
        answer.refused("PtraceAccess").errno("EACCES").seen("/proc/1/status", "has Uid [0, 0, 0]");
        HERE.explain(&["setns", "2147483647", link]).refused("NoSuchTask").errno("ENOENT");
    }
}

/// There is nothing to open before its first process, up to Linux 7.0.
#[test]
fn a_pid_namespace_that_waits_for_its_first_process() {
    require_namespaces!();
    let place = Place(&["unshare", "--user", "--map-root-user", "--pid"]);
    let shown = place.run(&["readlink", "/proc/self/ns/pid_for_children"]).code == Some(0);
    testkit::require!(!shown, "this kernel shows a pid namespace before its first process");
    place.refuses(&["cat", "/proc/self/ns/pid_for_children"], "No such file or directory");
    for words in [&["setns", "self", "pid_for_children"][..], &["self", "pid_for_children"]] {
        let answer = place.explain(words);
        answer.refused("PidForChildrenEmpty").errno("ENOENT").helps("process fork first");
    }
    let entered = place.run(&[NS, "nsenter", "--pid=/proc/self/ns/pid_for_children", "true"]);
    assert!(entered.stderr.contains("\n    PidForChildrenEmpty: "), "{}", entered.stderr);
}
