//! Mounts that are in use, or in the way: unmounting, moving, pivoting.

use testkit::require_namespaces;

use crate::answer::{NS, Place};

const MOUNTS: Place<'_> = Place(&["unshare", "--user", "--map-root-user", "--mount"]);
const INNER: &str = "unshare --user --map-root-user --mount";

/// In the copy of a mount where it could be tried nobody has a file open.
#[test]
fn a_mount_that_somebody_uses() {
    require_namespaces!();
    let mount = "mount -t tmpfs t /mnt; touch /mnt/f";
    let cwd =
        "sh -c 'cd /mnt; exec sleep 100' & p=$!; until test \"$(readlink /proc/$p/cwd)\" = /mnt; do :; done";
    let open = "exec 9< /mnt/f; p=self";
    for (using, file) in [(cwd, "cwd"), (open, "fd/9")] {
        let setting = format!("{mount}; trap 'kill %1 2> /dev/null || true' EXIT; {using}");
        let real = format!("{setting}; ! umount /mnt 2>&1");
        assert!(MOUNTS.grants(&["bash", "-ec", &real]).contains("busy"), "{using}");
        for probes in ["", "--no-probes"] {
            let answer = MOUNTS.script(&format!("{setting}; explain {probes} umount /mnt"));
            answer.refused("UmountBusy").errno("EBUSY").seen(file, "on the mount /mnt");
            let remedy = answer.command("umount --lazy", &[]);
            MOUNTS.grants(&["bash", "-ec", &format!("{setting}; {remedy}; ! test -e /mnt/f")]);
        }
    }
    MOUNTS.script(&format!("{mount}; explain umount /mnt")).allowed();
    MOUNTS.script(&format!("{mount}; exec 9< /mnt/f; explain umount -l /mnt")).allowed();
}

#[test]
fn a_mount_with_others_on_it() {
    require_namespaces!();
    let mounts = "mount -t tmpfs t /mnt; mkdir /mnt/a; mount -t tmpfs u /mnt/a";
    MOUNTS.refuses(&["sh", "-ec", &format!("{mounts}; umount /mnt")], "busy");
    let answer = MOUNTS.script(&format!("{mounts}; explain umount /mnt"));
    answer.refused("UmountBusy").seen("/proc/self/mountinfo:", "on /mnt/a, which stands on /mnt");
    MOUNTS.shell(&format!("{mounts}; {}", answer.command("--recursive", &[])));
}

/// Where it could be tried the mounts had been made private.
#[test]
fn a_mount_on_a_shared_one_is_not_said_to_move() {
    require_namespaces!();
    let mounts =
        "mount -t tmpfs t /mnt; mount --make-shared /mnt; mkdir /mnt/a /mnt/b; mount -t tmpfs u /mnt/a";
    MOUNTS.refuses(&["sh", "-ec", &format!("{mounts}; mount --move /mnt/a /mnt/b")], "mount: /mnt/b: ");
    let answer = MOUNTS.script(&format!("{mounts}; explain mount --move /mnt/a /mnt/b"));
    answer.refused("MoveSharedParent").errno("EINVAL");
}

/// What is shown is the mount that is to be moved or bound, and not where it was to go.
#[test]
fn the_mount_that_is_locked_is_shown() {
    require_namespaces!();
    let outer = "mount -t tmpfs t /mnt; mkdir /mnt/a /mnt/a/b /mnt/c; mount -t tmpfs u /mnt/a/b; export NS";
    let ask = |words: &str| MOUNTS.script(&format!("{outer}; {INNER} bash -c '$NS explain --json {words}'"));
    let answer = ask("mount --move /mnt/a/b /mnt/c");
    answer.refused("MoveLocked").errno("EINVAL").seen("/proc/self/mountinfo:", "is the mount on /mnt/a/b");
    let remedy = answer.command("mount --rbind /mnt/a/b /mnt/c", &[]);
    MOUNTS.shell(&format!("{outer}; {INNER} {remedy}"));
    let answer = ask("mount --bind /mnt/a /mnt/c");
    answer
        .refused("BindLockedChildren")
        .seen("/proc/self/mountinfo:", "is the mount on /mnt/a/b, and covers");
    answer.seen("/proc/self/mountinfo:", "is the mount on /mnt");
}

/// `put_old` outside `new_root`: both may be the same directory.
#[test]
fn the_old_root_is_put_where_the_new_one_is() {
    require_namespaces!();
    let mounts = "mount -t tmpfs t /mnt";
    MOUNTS.refuses(&["sh", "-ec", &format!("{mounts}; pivot_root /mnt /tmp")], "busy");
    let answer = MOUNTS.script(&format!("{mounts}; explain pivot_root /mnt /tmp"));
    answer.refused("PivotBusy").errno("EBUSY").seen("/proc/self/mountinfo", "/tmp on /");
    let remedy = answer.command("pivot_root . .", &[]);
    MOUNTS.grants(&["bash", "-ec", &format!("{mounts}; exec 9< /proc; {remedy} || test $? = 127")]);
}

/// The file system is another's, and the mount the caller's own.
#[test]
fn a_remount_of_the_file_system_of_others() {
    require_namespaces!();
    let bound = "mount --rbind /dev/shm /mnt";
    let answer = MOUNTS.script(&format!("{bound}; explain mount -o remount,ro none /mnt"));
    answer.refused("RemountSuper").errno("EPERM").seen("/proc/self/mountinfo:", "was not mounted from");
    let remedy = answer.command("mount -o remount,bind,ro", &[]);
    assert!(!remedy.contains(NS));
    // Flags that are locked there must be repeated besides.
    let flags = MOUNTS.shell(&format!("{bound}; grep ' /mnt ' /proc/self/mountinfo"));
    if !["nosuid", "nodev", "noexec"].iter().any(|flag| flags.contains(flag)) {
        MOUNTS.shell(&format!("{bound}; {remedy}; ! touch /mnt/x"));
    }
}

/// Who writes is in the way of making it read-only, and who only reads is not.
#[test]
fn a_mount_that_somebody_writes_to() {
    require_namespaces!();
    let mount = "mount -t tmpfs t /mnt; touch /mnt/f; mkdir /mnt/a; mount --bind /mnt /mnt/a";
    for (remount, place) in [("remount,ro", "/mnt"), ("remount,ro", "/mnt/a"), ("remount,bind,ro", "/mnt")] {
        let call = format!("mount -o {remount} none {place}");
        MOUNTS.refuses(&["bash", "-ec", &format!("{mount}; exec 9>> /mnt/f; {call}")], "mount");
        let answer = MOUNTS.script(&format!("{mount}; exec 9>> /mnt/f; explain {call}"));
        answer.refused("RemountBusy").errno("EBUSY").seen("/fd/9", "is open for writing: /mnt/f");
        answer.helps("close them");
        MOUNTS.script(&format!("{mount}; exec 9< /mnt/f; explain {call}")).allowed();
        MOUNTS.shell(&format!("{mount}; exec 9< /mnt/f; {call}"));
    }
    // Through another mount of the file system, which keeps its own flags.
    let other = "mount -o remount,bind,ro none /mnt/a";
    MOUNTS.script(&format!("{mount}; exec 9>> /mnt/f; explain {other}")).allowed();
    MOUNTS.grants(&["bash", "-ec", &format!("{mount}; exec 9>> /mnt/f; {other}")]);
}

/// The copy on a peer would go too, and is in use.
#[test]
fn a_mount_whose_copy_is_in_use() {
    require_namespaces!();
    let mounts = "mount -t tmpfs t /mnt; mkdir -p /mnt/one/a /mnt/two; mount -t tmpfs u /mnt/one; \
                  mkdir /mnt/one/a; mount --make-shared /mnt/one; mount --bind /mnt/one /mnt/two; \
                  mount -t tmpfs v /mnt/one/a; cd /mnt/two/a";
    MOUNTS.refuses(&["bash", "-ec", &format!("{mounts}; umount /mnt/one/a")], "busy");
    let answer = MOUNTS.script(&format!("{mounts}; explain umount /mnt/one/a"));
    answer.refused("UmountBusy").errno("EBUSY").seen("/cwd", "on the mount /mnt/two/a");
    let elsewhere = format!("{mounts}; cd /; explain umount /mnt/one/a");
    MOUNTS.script(&elsewhere).allowed();
    MOUNTS.grants(&["bash", "-ec", &format!("{mounts}; cd /; umount /mnt/one/a")]);
}

/// To find the users of /proc, files of /proc are opened.
#[test]
fn who_looks_for_the_users_of_proc_is_none() {
    require_namespaces!();
    let place = Place(&["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork"]);
    let proc = "mount -t proc proc /proc";
    for probes in ["", "--no-probes"] {
        place.script(&format!("{proc}; explain {probes} umount /proc")).allowed();
    }
    place.shell(&format!("{proc}; umount /proc"));
    place.script(&format!("{proc}; exec 9< /proc/self/fd; explain umount /proc")).refused("UmountBusy");
}

/// What is mounted elsewhere does not keep the call from being tried.
#[test]
fn locks_beside_mounts_that_are_unbindable_or_shared() {
    require_namespaces!();
    let outer =
        "mount -t tmpfs t /mnt; mkdir /mnt/a /mnt/a/b /mnt/c /mnt/x; mount -t tmpfs u /mnt/a/b; export NS";
    for (make, call, cause) in [
        ("unbindable", "mount --bind /mnt/a /mnt/c", "BindLockedChildren"),
        ("shared", "mount --move /mnt/a/b /mnt/c", "MoveLocked"),
    ] {
        let beside = format!("mount -t tmpfs v /mnt/x; mount --make-{make} /mnt/x");
        let inner = |words: &str| format!("{outer}; {INNER} bash -ec '{beside}; {words}'");
        MOUNTS.refuses(&["bash", "-ec", &inner(call)], "mount: /mnt/c: ");
        let answer = MOUNTS.script(&inner(&format!("$NS explain --json {call}")));
        answer.refused(cause).errno("EINVAL");
    }
}

/// Of a file system of one's own it is known that it is not locked, and of others nothing that can be
/// read tells it.
#[test]
fn a_lock_that_is_not_tried() {
    require_namespaces!();
    let mounts = "mount -t tmpfs t /mnt; mkdir /mnt/a; mount -t tmpfs u /mnt/a; export NS";
    let ask = "$NS explain --json --no-probes umount /mnt";
    let words = |inside: &str, call: &str| format!("{mounts}; {inside} bash -c '{call}'");
    for inside in ["", INNER] {
        MOUNTS.refuses(&["bash", "-ec", &words(inside, "umount /mnt")], "umount: /mnt: ");
    }
    MOUNTS.script(&words("", ask)).refused("UmountBusy").errno("EBUSY");
    MOUNTS.script(&words(INNER, ask)).undecided(&["UmountBusy", "UmountLocked"]);
}
