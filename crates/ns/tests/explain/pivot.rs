//! 16: `pivot_root`, which has six causes for one "invalid argument".

use testkit::require_namespaces;

use crate::answer::Place;

const MOUNTS: Place<'_> = Place(&["unshare", "--user", "--map-root-user", "--mount"]);

/// Makes the situation, sees the call refused for real, asks.
fn refused(prepare: &str, new: &str, old: &str, message: &str) -> crate::answer::Answer {
    MOUNTS.refuses(&["sh", "-ec", &format!("{prepare}; pivot_root {new} {old}")], message);
    MOUNTS.script(&format!("{prepare}; explain pivot_root {new} {old}"))
}

#[test]
fn the_new_root_is_on_the_old_one() {
    require_namespaces!();
    let dir = tempfile::tempdir().unwrap();
    let (new, old) = (dir.path().display().to_string(), format!("{}/old", dir.path().display()));
    let prepare = format!("mkdir -p {old}");
    // Here the old root is locked in place, which is looked at first.
    let answer = refused(&prepare, &new, &old, "Invalid argument");
    answer.refused("PivotLocked").errno("EINVAL");
    let remedy = answer.command("mount --rbind", &[]);
    MOUNTS.shell(&format!("{prepare}; {remedy}; cd {new}; pivot_root . old"));
    if testkit::is_root() {
        let place = Place(&["unshare", "--mount"]);
        place.refuses(&["pivot_root", &new, &old], "Device or resource busy");
        let answer = place.explain(&["pivot_root", &new, &old]);
        answer.refused("PivotBusy").errno("EBUSY");
        answer.seen("/proc/self/mountinfo", &format!("has {new} on the mount /"));
        let remedy = answer.command("mount --rbind", &[]);
        place.shell(&format!("{remedy}; cd {new}; pivot_root . old"));
    }
}

#[test]
fn the_new_root_is_no_mount_point() {
    require_namespaces!();
    let prepare = "mount -t tmpfs t /mnt; mkdir -p /mnt/new/old";
    let answer = refused(prepare, "/mnt/new", "/mnt/new/old", "Invalid argument");
    answer
        .refused("PivotNewNotMount")
        .errno("EINVAL")
        .seen("/proc/self/mountinfo", "has no mount on /mnt/new");
    let remedy = answer.command("mount --rbind /mnt/new /mnt/new", &[]);
    MOUNTS.shell(&format!("{prepare}; {remedy}; cd /mnt/new; pivot_root . old"));
}

#[test]
fn the_old_root_is_put_outside_the_new_one() {
    require_namespaces!();
    let prepare =
        "mount -t tmpfs t /mnt; mkdir /mnt/a /mnt/b; mount -t tmpfs a /mnt/a; mount -t tmpfs b /mnt/b";
    let answer = refused(prepare, "/mnt/a", "/mnt/b", "Invalid argument");
    answer.refused("PivotPutOld").errno("EINVAL").seen("/proc/self/mountinfo", "/mnt/b on /mnt/b");
    answer.helps("a directory below new_root");
    MOUNTS.shell(&format!("{prepare}; mkdir /mnt/a/old; pivot_root /mnt/a /mnt/a/old"));
}

#[test]
fn the_present_root_is_no_mount_point() {
    require_namespaces!();
    let prepare = "mount -t tmpfs t /mnt; mkdir -p /mnt/new/m /mnt/new/n; mount --rbind / /mnt/new/m
        for d in bin sbin lib lib64 usr proc; do ln -s m/$d /mnt/new/$d; done; mount -t tmpfs n /mnt/new/n; mkdir /mnt/new/n/old";
    let call = "chroot /mnt/new pivot_root /n /n/old";
    let ask = "chroot /mnt/new /m$NS explain --json pivot_root /n /n/old";
    if testkit::is_root() {
        let place = Place(&["unshare", "--mount"]);
        place.refuses(&["sh", "-ec", &format!("{prepare}; {call}")], "Invalid argument");
        let answer = place.script(&format!("{prepare}; {ask}"));
        answer.refused("PivotRootNotMount").errno("EINVAL").seen("/proc/self/mountinfo", "has no mount on /");
        answer.helps("leave the chroot");
    }
    // In a less privileged one the new root might be locked too, which nobody can see there.
    MOUNTS.refuses(&["sh", "-ec", &format!("{prepare}; {call}")], "Invalid argument");
    let answer = MOUNTS.script(&format!("{prepare}; {ask}"));
    answer.undecided(&["PivotRootNotMount", "PivotLocked"]);
}

#[test]
fn the_mount_it_stands_on_is_shared() {
    require_namespaces!();
    let prepare = "mount -t tmpfs t /mnt; mount --make-shared /mnt; mkdir /mnt/new; mount -t tmpfs n /mnt/new; mount --make-private /mnt/new; mkdir /mnt/new/old";
    let answer = refused(prepare, "/mnt/new", "/mnt/new/old", "Invalid argument");
    answer
        .refused("PivotShared")
        .errno("EINVAL")
        .seen("/proc/self/mountinfo:", "the mount on /mnt, which new_root stands on");
    let remedy = answer.command("mount --make-rprivate", &[]);
    MOUNTS.shell(&format!("{prepare}; {remedy}; cd /mnt/new; pivot_root . old"));
}

#[test]
fn the_place_for_the_old_root_is_shared() {
    require_namespaces!();
    let prepare =
        "mount -t tmpfs n /mnt; mkdir /mnt/old; mount -t tmpfs o /mnt/old; mount --make-shared /mnt/old";
    let answer = refused(prepare, "/mnt", "/mnt/old", "Invalid argument");
    answer
        .refused("PivotShared")
        .errno("EINVAL")
        .seen("/proc/self/mountinfo:", "the mount on /mnt/old, which put_old lies on");
    let remedy = answer.command("mount --make-rprivate", &[]);
    MOUNTS.shell(&format!("{prepare}; {remedy}; cd /mnt; pivot_root . old"));
}

/// The root of an initramfs stands on nothing. It can't be had here, so its mountinfo is put
/// in the place of the real one.
#[test]
fn the_present_root_is_the_first_of_all() {
    let layer = crate::outside::layer(&[(
        "proc/self/mountinfo",
        "1 1 0:2 / / rw - rootfs rootfs rw\n20 1 0:5 / /proc rw - proc proc rw\n21 1 0:30 / /mnt rw - tmpfs new rw\n",
    )]);
    require_namespaces!();
    let options = ["--errno", "EINVAL"];
    let call = ["pivot_root", "/mnt", "/mnt"];
    if testkit::is_root() {
        let answer = crate::outside::ask(&layer, &options, &call, crate::answer::HERE);
        answer.refused("PivotAbsoluteRoot").seen("/proc/self/mountinfo:1", "rootfs, which stands on nothing");
        answer.command("mount --move . /", &[]);
    }
    let answer = crate::outside::ask(&layer, &options, &call, MOUNTS);
    answer.undecided(&["PivotAbsoluteRoot", "PivotLocked"]);
}
