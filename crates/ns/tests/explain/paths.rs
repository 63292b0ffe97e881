//! Paths that can't be followed, and files that may not be opened.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use testkit::require_root;

use crate::answer::{HERE, Place, user};

/// A directory that only its owner may search, with one in it.
fn closed() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let below = format!("{}/x", dir.path().display());
    std::fs::create_dir(&below).unwrap();
    std::fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
    (dir, below)
}

/// The path is followed before privilege is asked for, and before whether there is a mount.
#[test]
fn a_directory_that_may_not_be_searched() {
    require_root!();
    let (dir, below) = closed();
    let outer = dir.path().to_str().unwrap();
    let place = user();
    place.refuses(&["chroot", &below, "true"], "Permission denied");
    let calls: [&[&str]; 5] = [
        &["umount", &below],
        &["mount", "-t", "tmpfs", "t", &below],
        &["mount", "--bind", "/tmp", &below],
        &["mount", "-o", "remount,ro", &below],
        &["chroot", &below],
    ];
    for ask in calls {
        let answer = place.explain(ask);
        answer.refused("PathAccess").errno("EACCES").seen(outer, "belongs to user 0");
        answer.seen(outer, "may not search it").helps("as user 0");
    }
    // chroot(2) searches the directory itself.
    place.refuses(&["chroot", outer, "true"], "Permission denied");
    place.explain(&["chroot", outer]).refused("PathAccess").seen(outer, "may not search it");
    // Others follow these after they have asked for privilege.
    place.explain(&["pivot_root", &below, &below]).refused("MountPrivilege").errno("EPERM");
    place.explain(&["mount", "--bind", &below, "/mnt"]).refused("MountPrivilege").errno("EPERM");
    // The remedy, carried out.
    let answer = place.explain(&["umount", &below]);
    let command = answer.command("setfacl", &[]);
    if HERE.run(&["sh", "-c", "command -v setfacl"]).code == Some(0) {
        HERE.shell(&command);
        place.explain(&["umount", &below]).refused("MountPrivilege");
    } else {
        assert!(command.ends_with(&format!(":x {outer}")), "{command}");
    }
}

/// With privilege over the mounts, and none over the directory: the same whether tried or not.
#[test]
fn capabilities_of_a_user_namespace_do_not_open_what_is_outside() {
    require_root!();
    let (dir, below) = closed();
    let outer = dir.path().to_str().unwrap();
    let inside = [user().0, &["unshare", "--user", "--map-root-user", "--mount"]].concat();
    let place = Place(&inside);
    place.refuses(&["chroot", &below, "true"], "Permission denied");
    let calls: [&[&str]; 5] = [
        &["umount", &below],
        &["mount", "--bind", &below, "/mnt"],
        &["mount", "--move", &below, "/mnt"],
        &["pivot_root", &below, &below],
        &["chroot", outer],
    ];
    for ask in calls {
        for probes in [&["--no-probes"][..], &[]] {
            let answer = place.explain(&[probes, ask].concat());
            answer.refused("PathAccess").errno("EACCES").seen(outer, "belongs to user 65534");
            answer.helps("outside this user namespace");
        }
    }
}

#[test]
fn a_file_on_the_way() {
    for ask in [&["umount", "/etc/passwd/x"][..], &["chroot", "/etc/passwd/x"], &["setns", "/etc/passwd/x"]] {
        let answer = user().explain(ask);
        answer.refused("PathNotDir").errno("ENOTDIR").seen("/etc/passwd", "is not a directory");
    }
}

/// Opening comes before setns(2), which then is not asked.
#[test]
fn a_file_that_may_not_be_opened_is_not_called_another_one() {
    let place = user();
    place.refuses(&["cat", "/proc/1/ns/net"], "Permission denied");
    for path in ["/proc/1/ns/net", "/proc/1/ns/pid_for_children", "/proc/1/task/1/ns/net"] {
        let answer = place.explain(&["setns", path]);
        answer.refused("PtraceAccess").errno("EACCES").seen("/proc/1/status", "has Uid [0, 0, 0]");
        assert!(answer.0["at"].as_str().unwrap().starts_with("open("), "{:#}", answer.0);
    }
    place.refuses(&["cat", "/etc/shadow"], "Permission denied");
    let answer = place.explain(&["setns", "/etc/shadow", "net"]);
    answer.refused("PathAccess").errno("EACCES").seen("/etc/shadow", "may not open it");
    place.explain(&["setns", "/root/x"]).refused("PathAccess").seen("/root", "may not search it");
}

#[test]
fn a_link_that_leads_back_to_itself() {
    let dir = tempfile::tempdir().unwrap();
    let link = format!("{}/loop", dir.path().display());
    std::os::unix::fs::symlink(&link, &link).unwrap();
    HERE.refuses(&["cat", &link], "Too many levels of symbolic links");
    let below = format!("{link}/x");
    let calls: [&[&str]; 6] = [
        &["umount", &link],
        &["mount", "-t", "tmpfs", "t", &below],
        &["chroot", &link],
        &["setns", &link],
        &["chown", "5", &link],
        &["mknod", &below],
    ];
    for ask in calls {
        let answer = HERE.explain(ask);
        answer.refused("path-loop").errno("ELOOP").seen(&link, "symbolic link").helps("readlink");
    }
}
