//! Calls that want one capability, and where it is to be had.

use testkit::{require_namespaces, require_root};

use crate::answer::{HERE, Place, user};
use crate::processes::sleeping;

#[test]
fn a_change_of_the_root_directory() {
    require_namespaces!();
    let place = user();
    place.refuses(&["chroot", "/", "true"], "Operation not permitted");
    let answer = place.explain(&["chroot", "/"]);
    answer.refused("ChrootPrivilege").errno("EPERM").seen("/proc/self/status", "has CapEff: 0");
    place.shell(&answer.command("unshare --user", &[("DIR", "/"), ("PROGRAM", "true")]));
}

#[test]
fn a_name_for_the_machine() {
    require_namespaces!();
    let place = user();
    let before = HERE.grants(&["uname", "-n"]);
    place.refuses(&["hostname", "other"], "");
    let answer = place.explain(&["sethostname", "other"]);
    answer.refused("HostnamePrivilege").errno("EPERM").seen("/proc/self/ns/uts", "is uts:[");
    place.shell(&answer.command("unshare --user", &[]));
    // Root of a user namespace that does not own the uts namespace needs only one of these.
    let inside = [place.0, &["unshare", "--user", "--map-root-user"]].concat();
    let inside = Place(&inside);
    inside.refuses(&["hostname", "other"], "");
    let answer = inside.explain(&["sethostname", "other"]);
    answer.refused("HostnamePrivilege").seen("/proc/self/ns/uts", "does not belong to the caller's user:[");
    let remedy = answer.command("unshare", &[]);
    assert!(!remedy.contains("--user"), "{remedy}");
    inside.shell(&remedy);
    assert_eq!(HERE.grants(&["uname", "-n"]), before);
}

#[test]
fn a_signal_to_anothers_process() {
    require_root!();
    let process = sleeping(&["sleep", "100"]);
    let pid = process.pid().to_string();
    let place = user();
    place.refuses(&["sh", "-c", &format!("kill -TERM {pid}")], "Operation not permitted");
    let answer = place.explain(&["kill", &pid, "TERM"]);
    answer.refused("KillPermission").errno("EPERM").helps("as the user whose process it is");
    assert_eq!(answer.0["remedies"][1]["checked"], true, "{:#}", answer.0);
}

/// What hinders every new file comes before the capability for devices.
#[test]
fn a_device_node_where_no_file_can_be_made() {
    let place = user();
    for (path, cause, errno) in [
        ("/nowhere/x", "PathMissing", "ENOENT"),
        ("/etc/passwd", "PathExists", "EEXIST"),
        ("/etc/passwd/x", "PathNotDir", "ENOTDIR"),
        ("/etc/x", "PathAccess", "EACCES"),
        ("/root/x", "PathAccess", "EACCES"),
    ] {
        place.explain(&["mknod", path]).refused(cause).errno(errno);
    }
    place.refuses(&["mknod", "/etc/x", "c", "1", "3"], "Permission denied");
    place.refuses(&["mknod", "/tmp/x", "c", "1", "3"], "Operation not permitted");
    place.explain(&["mknod", "/tmp/x"]).refused("device-node").errno("EPERM");
}

/// The path and the mount come before ids and capabilities.
#[test]
fn a_file_that_is_not_to_be_given_away() {
    require_namespaces!();
    let place = user();
    for (path, cause, errno) in [
        ("/nowhere", "PathMissing", "ENOENT"),
        ("/etc/passwd/x", "PathNotDir", "ENOTDIR"),
        ("/root/x", "PathAccess", "EACCES"),
        ("/etc/passwd", "chown-privilege", "EPERM"),
    ] {
        place.explain(&["chown", "5:5", path]).refused(cause).errno(errno);
    }
    let inside = Place(&["unshare", "--user", "--map-root-user", "--mount"]);
    let readonly = "mount -t tmpfs t /mnt; touch /mnt/f; mount -o remount,bind,ro /mnt";
    inside.refuses(&["sh", "-ec", &format!("{readonly}; chown 5 /mnt/f")], "Read-only file system");
    inside.script(&format!("{readonly}; explain chown 5 /mnt/f")).refused("PathReadOnly").errno("EROFS");
}
