//! 9, 10, 11, 23, 24, 25, 26: mounts.

use testkit::{require_namespaces, require_root};

use crate::answer::{Answer, HERE, NS, Place, user};

const MOUNTS: Place<'_> = Place(&["unshare", "--user", "--map-root-user", "--mount"]);
const INNER: &str = "unshare --user --map-root-user --mount";

/// Something lies over a part of /proc, so a new one would show what that hides.
#[test]
fn a_new_proc_where_the_old_one_is_masked() {
    require_namespaces!();
    let mask = "mount -t tmpfs t /proc/irq";
    let inner = format!("{INNER} --pid --fork");
    let real = format!("{mask}; {inner} mount -t proc proc /mnt");
    MOUNTS.refuses(&["sh", "-ec", &real], "permission denied");
    let answer = MOUNTS
        .script(&format!("{mask}; export NS; {inner} bash -c '$NS explain --json mount -t proc proc /mnt'"));
    answer
        .refused("MountTooRevealing")
        .errno("EPERM")
        .seen("/proc/self/mountinfo:", "covers /proc/irq with tmpfs");
    let remedy = answer.command("mount --rbind /proc /mnt", &[]);
    MOUNTS.shell(&format!("{mask}; {inner} sh -ec '{remedy}; test -e /mnt/irq'"));
    answer.helps("unmask=ALL");
}

/// The same call, the same errno, another cause: the pid namespace is not the caller's.
#[test]
fn a_new_proc_of_anothers_pid_namespace() {
    require_namespaces!();
    MOUNTS.refuses(&["mount", "-t", "proc", "proc", "/mnt"], "permission denied");
    let answer = MOUNTS.explain(&["mount", "-t", "proc", "proc", "/mnt"]);
    answer
        .refused("FsPrivilege")
        .errno("EPERM")
        .seen("/proc/self/ns/pid", "does not belong to the caller's user:[");
    HERE.shell(&answer.command("--pid --fork", &[]));
}

#[test]
fn a_new_sysfs_without_a_new_network_namespace() {
    require_namespaces!();
    MOUNTS.refuses(&["mount", "-t", "sysfs", "sysfs", "/mnt"], "permission denied");
    let answer = MOUNTS.explain(&["mount", "-t", "sysfs", "sysfs", "/mnt"]);
    answer.refused("FsPrivilege").errno("EPERM").seen("/proc/self/ns/net", "does not belong");
    HERE.shell(&answer.command("--net", &[]));
    MOUNTS.shell(&answer.command("mount --rbind /sys", &[]));
}

/// As in a container: the mount, or the file system itself, is read-only, and so must a new one be.
#[test]
fn a_new_sysfs_where_the_one_that_is_there_is_read_only() {
    require_root!();
    let place = Place(&["unshare", "--mount", "--net"]);
    let new = "unshare --user --map-root-user --mount --net";
    for readonly in ["mount -t sysfs -o ro s /sys", "mount -t sysfs s /sys; mount -o remount,bind,ro /sys"] {
        let there = format!("export NS; umount -l /sys; {readonly}");
        place.refuses(&["sh", "-ec", &format!("{there}; {new} mount -t sysfs s /mnt")], "permission denied");
        let answer = place.script(&format!("{there}; {new} $NS explain --json mount -t sysfs s /mnt"));
        answer.refused("MountTooRevealing").errno("EPERM");
        answer.seen("/proc/self/mountinfo:", "is a read-only sysfs on /sys, and a new one must be too");
        let remedy = answer.command("mount -t sysfs -o ro", &[]);
        place.shell(&format!("{there}; {new} {remedy}"));
        // Where the network namespace is another's, both are wanted.
        let ask = "unshare --user --map-root-user --mount $NS explain --json mount -t sysfs s /mnt";
        let answer = place.script(&format!("{there}; {ask}"));
        let remedy = answer.refused("FsPrivilege").command("--net", &[]);
        place.shell(&format!("{there}; {remedy}"));
    }
}

/// Flags that came from a more privileged mount namespace stay.
#[test]
fn a_remount_that_drops_locked_flags() {
    require_namespaces!();
    let outer = "mount -t tmpfs -o ro,nosuid,nodev t /mnt";
    let real = format!("{outer}; {INNER} mount -o remount,bind,rw /mnt");
    MOUNTS.refuses(&["sh", "-ec", &real], "permission denied");
    let ask = "$NS explain --json mount -o remount,bind,rw,noexec /mnt";
    let answer = MOUNTS.script(&format!("{outer}; export NS; {INNER} bash -c '{ask}'"));
    answer.refused("RemountLocked").errno("EPERM").seen("/proc/self/mountinfo:", "ro,nosuid,nodev");
    let remedy = answer.command("mount -o remount,bind,ro,nosuid,nodev,noexec", &[]);
    MOUNTS.shell(&format!(
        "{outer}; {INNER} sh -ec '{remedy}; grep \" /mnt ro,nosuid,nodev,noexec\" /proc/self/mountinfo'"
    ));
}

#[test]
fn an_unmount_of_a_locked_mount() {
    require_namespaces!();
    let outer = "mount -t tmpfs t /mnt";
    MOUNTS.refuses(&["sh", "-ec", &format!("{outer}; {INNER} umount /mnt")], "not mounted");
    let answer =
        MOUNTS.script(&format!("{outer}; export NS; {INNER} bash -c '$NS explain --json umount /mnt'"));
    answer.refused("UmountLocked").errno("EINVAL").seen("/proc/self/mountinfo:", "is the mount on /mnt");
    answer.helps("mount over it");
    MOUNTS.shell(&format!("{outer}; {INNER} sh -ec 'mount -t tmpfs u /mnt; umount /mnt'"));
    // The same message for what is no mount at all.
    MOUNTS.refuses(&["umount", "/mnt"], "not mounted");
    let answer = MOUNTS.explain(&["umount", "/mnt"]);
    answer
        .refused("UmountNotMountpoint")
        .errno("EINVAL")
        .seen("/proc/self/mountinfo", "has no mount on /mnt");
}

/// It goes, and further than meant.
#[test]
fn a_mount_that_leaks_to_others() {
    require_namespaces!();
    let shared = "mount --make-rshared /";
    let leaks = format!(
        "{shared}; mount -t tmpfs t /mnt; mkdir /mnt/here; unshare --mount --propagation unchanged mount -t tmpfs leaked /mnt/here; grep -q leaked /proc/self/mountinfo"
    );
    MOUNTS.shell(&leaks);
    let answer = MOUNTS.script(&format!("{shared}; explain mount -t tmpfs t /mnt"));
    let note = &answer.allowed().0["notes"][0];
    assert_eq!(note["cause"]["id"], "mount-propagates");
    assert!(note["evidence"][0]["says"].as_str().unwrap().contains("shared:"), "{note:#}");
    assert!(note["remedies"][0]["says"].as_str().unwrap().contains("unshare --mount"), "{note:#}");
    MOUNTS.shell(&format!(
        "{shared}; unshare --mount mount -t tmpfs leaked /mnt; ! grep -q leaked /proc/self/mountinfo"
    ));
    // Nothing was mounted by asking.
    let text = MOUNTS.shell(&format!(
        "{shared}; '{NS}' explain mount -t tmpfs leaked /mnt > /dev/null; cat /proc/self/mountinfo"
    ));
    assert!(!text.contains("leaked"), "{text}");
}

#[test]
fn an_overlay_whose_directories_do_not_fit() {
    require_namespaces!();
    let dirs = "mount -t tmpfs t /mnt; mkdir /mnt/l /mnt/u /mnt/w /mnt/m; mount -t tmpfs w /mnt/w";
    let overlay = "mount -t overlay -o lowerdir=/mnt/l,upperdir=/mnt/u,workdir=/mnt/w overlay /mnt/m";
    MOUNTS.refuses(&["sh", "-ec", &format!("{dirs}; {overlay}")], "wrong fs type");
    let answer = MOUNTS.script(&format!("{dirs}; explain {overlay}"));
    answer.refused("overlay-options").errno("EINVAL").seen("/proc/self/mountinfo", "/mnt/w on /mnt/w");
    answer.helps("beside each other on one mount");
    MOUNTS.shell(&format!("{}; {overlay}", dirs.replace("; mount -t tmpfs w /mnt/w", "")));
}

#[test]
fn a_device_node_in_a_user_namespace() {
    require_namespaces!();
    let dir = "mount -t tmpfs t /mnt";
    MOUNTS.refuses(&["sh", "-ec", &format!("{dir}; mknod /mnt/null c 1 3")], "Operation not permitted");
    let answer = MOUNTS.script(&format!("{dir}; explain mknod /mnt/null"));
    answer.refused("device-node").errno("EPERM").seen("/proc/self/ns/user", "not the first user namespace");
    let remedy = answer.command("mount --bind /dev/null", &[]);
    MOUNTS.shell(&format!("{dir}; {remedy}; test -c /mnt/null; test -z \"$(cat /mnt/null)\""));
}

/// A bind without what is mounted below would show what that covers.
#[test]
fn a_bind_without_its_locked_submounts() {
    require_namespaces!();
    let outer = "mount -t tmpfs t /mnt; mkdir /mnt/a /mnt/a/b /mnt/c; mount -t tmpfs u /mnt/a/b";
    let real = format!("{outer}; {INNER} mount --bind /mnt/a /mnt/c");
    MOUNTS.refuses(&["sh", "-ec", &real], "wrong fs type");
    let answer = MOUNTS.script(&format!(
        "{outer}; export NS; {INNER} bash -c '$NS explain --json mount --bind /mnt/a /mnt/c'"
    ));
    answer.refused("BindLockedChildren").errno("EINVAL");
    let remedy = answer.command("mount --rbind", &[]);
    MOUNTS.shell(&format!("{outer}; {INNER} {remedy}"));
}

/// As root: what a user is refused goes.
#[test]
fn no_privilege_over_the_mount_namespace() {
    require_root!();
    let place = crate::answer::user();
    place.refuses(&["mount", "-t", "tmpfs", "t", "/mnt"], "must be superuser");
    let answer: Answer = place.explain(&["mount", "-t", "tmpfs", "t", "/mnt"]);
    answer.refused("MountPrivilege").errno("EPERM").seen("/proc/self/status", "has CapEff: 0");
    let remedy = answer.command("unshare --user", &[("PROGRAM", "mount -t tmpfs t /mnt")]);
    place.shell(&remedy);
}

/// What was tried was no longer unbindable, for the mounts had been made private.
#[test]
fn a_bind_of_an_unbindable_mount_is_not_said_to_go() {
    require_namespaces!();
    let prepare = "mount -t tmpfs t /mnt; mkdir /mnt/a /mnt/b; mount -t tmpfs t /mnt/b; \
                   mount --make-unbindable /mnt/b";
    MOUNTS.refuses(&["sh", "-ec", &format!("{prepare}; mount --bind /mnt/b /mnt/a")], "wrong fs type");
    let answer = MOUNTS.script(&format!("{prepare}; explain mount --bind /mnt/b /mnt/a"));
    answer.refused("BindUnbindable").errno("EINVAL");
}

/// As on a host that an initramfs has booted, where `/proc` is older than the root.
#[test]
fn a_mount_that_stands_on_a_younger_one() {
    require_root!();
    let place = crate::answer::Place(&["unshare", "--mount"]);
    let dir = "mount -t tmpfs t /mnt; mkdir /mnt/old /mnt/new; mount -t tmpfs old /mnt/old; \
               mount -t tmpfs new /mnt/new; mkdir /mnt/new/old; mount --move /mnt/old /mnt/new/old";
    place.shell(&format!("{dir}; umount /mnt/new/old"));
    for ask in ["umount /mnt/new/old", "mount --make-shared /mnt/new/old", "mount -o remount /mnt/new/old"] {
        place.script(&format!("{dir}; explain --no-probes {ask}")).allowed();
        place.script(&format!("{dir}; explain {ask}")).allowed();
    }
}

/// Whose a file system is decides who may change it, and no file says whose.
#[test]
fn a_remount_of_ones_own_file_system() {
    require_namespaces!();
    let own = "mount -t tmpfs t /mnt; mkdir /mnt/a /mnt/l /mnt/u /mnt/w; mount --bind /mnt/a /mnt/l";
    let overlay = "mount -t overlay -o lowerdir=/mnt/a,upperdir=/mnt/u,workdir=/mnt/w o /mnt/a";
    for (place, mount) in [("/mnt", own), ("/mnt/l", own), ("/mnt/a", &format!("{own}; {overlay}"))] {
        MOUNTS.shell(&format!("{mount}; mount -o remount,ro none {place}; ! touch {place}/x"));
        for probes in ["", "--no-probes"] {
            MOUNTS.script(&format!("{mount}; explain {probes} mount -o remount,ro none {place}")).allowed();
        }
        // One level down it is another's.
        let inner = format!("{mount}; export NS; {INNER}");
        MOUNTS.refuses(
            &["sh", "-ec", &format!("{inner} mount -o remount,ro none {place}")],
            "permission denied",
        );
        let answer =
            MOUNTS.script(&format!("{inner} bash -c '$NS explain --json mount -o remount,ro none {place}'"));
        answer.refused("RemountSuper").errno("EPERM");
    }
    // A file of it is mounted, too.
    let file = format!("{own}; touch /mnt/f /mnt/g; mount --bind /mnt/f /mnt/g");
    MOUNTS.script(&format!("{file}; explain mount -o remount,ro none /mnt/g")).allowed();
    MOUNTS.shell(&format!("{file}; mount -o remount,ro none /mnt/g"));
    // Nothing was changed by asking.
    MOUNTS.shell(&format!("{own}; '{NS}' explain mount -o remount,ro none /mnt; touch /mnt/x"));
}

/// What an option means to a file system is not looked at.
#[test]
fn options_of_a_file_system_are_not_said_to_go() {
    require_namespaces!();
    let own = "mount -t tmpfs t /mnt";
    MOUNTS.refuses(&["sh", "-ec", &format!("{own}; mount -o remount,nosuch=1 none /mnt")], "bad option");
    let answer = MOUNTS.script(&format!("{own}; explain mount -o remount,nosuch=1 none /mnt"));
    assert!(answer.allowed().0["unknown"].to_string().contains("nosuch=1"), "{:#}", answer.0);
}

/// In a mount namespace of one's own they could be touched: that is no trial of the call.
#[test]
fn mounts_that_belong_to_another_user_namespace() {
    require_namespaces!();
    let place = Place(&["unshare", "--user", "--map-root-user"]);
    for (words, message) in [
        (&["mount", "-t", "tmpfs", "none", "/mnt"][..], "permission denied"),
        (&["mount", "-t", "nosuch", "none", "/mnt"], "permission denied"),
        (&["umount", "/proc"], "Operation not permitted"),
        (&["pivot_root", "/mnt", "/mnt"], "Operation not permitted"),
        (&["pivot_root", "/nowhere", "/mnt"], "Operation not permitted"),
    ] {
        let done = place.run(words);
        assert_ne!(done.code, Some(0), "{words:?}");
        let said = done.stderr.contains(message) || done.stderr.contains("must be superuser");
        assert!(said, "{words:?}: {}", done.stderr);
        let answer = place.explain(words);
        answer.refused("MountPrivilege").errno("EPERM").seen("/proc/self/ns/mnt", "does not belong to");
    }
}

/// What lies on a device is not looked for on it, only the device itself.
#[test]
fn a_device_that_is_not_there() {
    require_root!();
    let known = std::fs::read_to_string("/proc/filesystems").unwrap();
    let fstype = known.lines().find_map(|line| line.strip_prefix('\t')).expect("a file system on a device");
    let place = Place(&["unshare", "--mount"]);
    for device in ["/nowhere", "nowhere"] {
        let call = ["mount", "-t", fstype, device, "/mnt"];
        place.refuses(&call, "does not exist");
        place.explain(&call).refused("PathMissing").errno("ENOENT").seen(device, "does not exist");
    }
}

/// Where the source lies no list of mounts shows.
#[test]
fn a_namespace_is_bound_to_a_file() {
    require_namespaces!();
    let file = "mount -t tmpfs t /mnt; touch /mnt/f";
    let bind = |kind: &str| format!("mount --bind /proc/self/ns/{kind} /mnt/f");
    MOUNTS.script(&format!("{file}; explain {}", bind("net"))).allowed();
    MOUNTS.shell(&format!("{file}; {}", bind("net")));
    // It would hold itself.
    MOUNTS.refuses(&["sh", "-ec", &format!("{file}; {}", bind("mnt"))], "mount: /mnt/f: ");
    let answer = MOUNTS.script(&format!("{file}; explain {}", bind("mnt")));
    answer.refused("BindLoop").errno("EINVAL").seen("/proc/self/ns/mnt", "the caller's own mount namespace");
    let answer = user().explain(&["mount", "--bind", "/proc/self/ns/net", "/etc/passwd"]);
    answer.refused("MountPrivilege").errno("EPERM");
}

/// Nothing is tried, and yet: what was mounted from the caller's own user namespace came from
/// nobody more privileged.
#[test]
fn a_mount_of_ones_own_is_not_locked_where_nothing_is_tried() {
    require_namespaces!();
    let own = "mount -t tmpfs t /mnt; mkdir /mnt/old";
    let perhaps = |answer: &Answer| answer.0["unknown"].to_string().contains("more privileged");
    for again in ["", "unshare --mount "] {
        let ask = |call: &str| {
            MOUNTS
                .script(&format!("export NS; {own}; {again}bash -c '$NS explain --json --no-probes {call}'"))
        };
        for call in ["umount /mnt", "mount --move /mnt /tmp", "pivot_root /mnt /mnt/old"] {
            let answer = ask(call);
            assert!(!perhaps(answer.allowed()), "{call}: {:#}", answer.0);
        }
        // That came from outside.
        assert!(perhaps(ask("umount /proc").allowed()));
    }
    MOUNTS.shell(&format!("{own}; unshare --mount umount /mnt"));
    // In a user namespace below it is locked, and there the file system is another's.
    let inner = format!("export NS; {own}; {INNER}");
    MOUNTS.refuses(&["sh", "-c", &format!("{inner} umount /mnt")], "not mounted");
    let answer = MOUNTS.script(&format!("{inner} bash -c '$NS explain --json --no-probes umount /mnt'"));
    assert!(perhaps(answer.allowed()));
    // A root has the lock of the one before it.
    let links = "for at in /*; do test $at = /mnt || ln -s old$at /mnt$at; done";
    let pivot = format!("export NS; {own}; {links}; cd /mnt; pivot_root . old; cd /");
    let locked = MOUNTS.run(&["bash", "-ec", &format!("{pivot}; umount -l / 2>&1 >&2")]);
    testkit::require!(locked.code != Some(0), "the root directory was not locked before");
    let answer = MOUNTS.script(&format!("{pivot}; $NS explain --json --no-probes umount -l /"));
    assert!(perhaps(answer.allowed()), "{:#}", answer.0);
}

#[test]
fn a_file_system_on_what_is_no_block_device() {
    require_root!();
    let known = std::fs::read_to_string("/proc/filesystems").unwrap();
    let found = known.lines().find(|line| !line.starts_with("nodev"));
    testkit::require!(found.is_some(), "this kernel has no file system that lies on a device");
    let fstype = found.unwrap().trim();
    let place = Place(&["unshare", "--mount"]);
    for source in ["/dev/null", "/tmp"] {
        let done = place.run(&["mount", "-t", fstype, source, "/mnt"]);
        assert!(done.stderr.contains("block device"), "{}", done.stderr);
        let answer = place.explain(&["mount", "-t", fstype, source, "/mnt"]);
        answer.refused("not-a-block-device").errno("ENOTBLK").seen(source, "is no block device");
    }
}
