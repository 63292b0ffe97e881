//! 5: a user namespace in a chroot.

use testkit::require_namespaces;

use crate::answer::Place;

const MOUNTS: Place<'_> = Place(&["unshare", "--user", "--map-root-user", "--mount"]);

/// The root is a mount, and others see it where it is.
#[test]
fn on_a_mount() {
    require_namespaces!();
    let root = "mount -t tmpfs t /mnt; mkdir /mnt/new; mount --rbind / /mnt/new";
    MOUNTS.refuses(
        &["sh", "-ec", &format!("{root}; chroot /mnt/new unshare --user true")],
        "Operation not permitted",
    );
    let answer = MOUNTS.script(&format!("{root}; chroot /mnt/new $NS explain --json unshare --user"));
    answer.refused("UserNsChrooted").errno("EPERM");
    answer.seen("statmount(2)", "mounts between the root and the first mount");
    let remedy = answer.command("ns run", &[("DIR", "/mnt/new"), ("PROGRAM", "unshare --user true")]);
    MOUNTS.shell(&format!("{root}; {}", remedy.replace("run --root", "run --share user,pid --root")));
}

/// The root is a plain directory: no mount of it is to be seen.
#[test]
fn on_a_directory() {
    require_namespaces!();
    let root = "mount -t tmpfs t /mnt; mkdir /mnt/new /mnt/new/m; mount --rbind / /mnt/new/m
        for d in bin sbin lib lib64 usr proc etc; do ln -s m/$d /mnt/new/$d; done";
    MOUNTS.refuses(
        &["sh", "-ec", &format!("{root}; chroot /mnt/new unshare --user true")],
        "Operation not permitted",
    );
    let answer = MOUNTS.script(&format!("{root}; chroot /mnt/new /m$NS explain --json unshare --user"));
    answer.refused("UserNsChrooted").errno("EPERM").seen("/proc/self/mountinfo", "has no mount on /");
    // pivot_root in place of chroot, as the remedy says.
    let remedy = answer.command("ns run", &[("DIR", "/mnt/new"), ("PROGRAM", "unshare --user true")]);
    MOUNTS.shell(&format!("{root}; {}", remedy.replace("run --root", "run --share user,pid --root")));
}
