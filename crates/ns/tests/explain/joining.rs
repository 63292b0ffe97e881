//! 12 and 17: joining namespaces.

use testkit::require_namespaces;

use crate::answer::{HERE, user};
use crate::common::eventually;
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
