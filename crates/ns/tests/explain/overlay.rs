//! The options of an overlay: the answer is that of the kernel, though only it may write into a
//! workdir.

use namespaces::Errno;
use testkit::require_namespaces;

use crate::answer::{NS, Place};

const APART: Place<'_> = Place(&["unshare", "--user", "--map-root-user", "--mount"]);

/// Directories on a tmpfs of its own, and a mount(2) that says its error number.
const PREPARE: &str = r#"
mount -t tmpfs none /mnt; cd /mnt; touch file; mkdir l l2 u u/in w m ro other 'a:b'
mount -t tmpfs none other; mkdir other/w; mount -t tmpfs -o ro none ro
real() {
    perl -e 'my ($o, $f, $t) = ($ARGV[1], "overlay", "/mnt/m");
        syscall($ARGV[0], $f, $t, $f, 0, $o) == 0 ? print 0 : print $! + 0' "$NR" "$1"
    ! mountpoint -q m || umount m
}
"#;

const OPTIONS: &[&str] = &[
    "lowerdir=/mnt/l,upperdir=/mnt/u,workdir=/mnt/w",
    "lowerdir=/mnt/l,upperdir=/mnt/u,workdir=/mnt/w,userxattr",
    "lowerdir=/mnt/l",
    "lowerdir=/mnt/l:/mnt/l2",
    "lowerdir=/mnt/l:/mnt/l2,workdir=/mnt/w",
    "lowerdir=/mnt/l:/mnt/nowhere",
    "lowerdir=/mnt/nowhere,upperdir=/mnt/u,workdir=/mnt/w",
    "upperdir=/mnt/u,workdir=/mnt/w",
    "",
    "lowerdir=",
    "lowerdir=/mnt/l:",
    "lowerdir=/mnt/l,upperdir=/mnt/u",
    "lowerdir=/mnt/l,upperdir=,workdir=/mnt/w",
    "lowerdir=/mnt/l,upperdir=/mnt/nowhere,workdir=/mnt/w",
    "lowerdir=/mnt/l,upperdir=/mnt/u,workdir=/mnt/nowhere",
    "lowerdir=/mnt/file,upperdir=/mnt/u,workdir=/mnt/w",
    "lowerdir=/mnt/l,upperdir=/mnt/file,workdir=/mnt/w",
    "lowerdir=/mnt/l,upperdir=/mnt/u,workdir=/mnt/other/w",
    "lowerdir=/mnt/l,upperdir=/mnt/u,workdir=/mnt/u",
    "lowerdir=/mnt/l,upperdir=/mnt/u,workdir=/mnt/u/in",
    "lowerdir=/mnt/l,upperdir=/mnt/ro,workdir=/mnt/ro",
    "lowerdir=/mnt/l,upperdir=/mnt/l,workdir=/mnt/w",
    "lowerdir=/mnt/l:/mnt/l",
    "lowerdir=/mnt/a\\:b,upperdir=/mnt/u,workdir=/mnt/w",
    "lowerdir=/mnt/a:b,upperdir=/mnt/u,workdir=/mnt/w",
    "lowerdir=/proc,upperdir=/mnt/u,workdir=/mnt/w",
    "lowerdir=/mnt/l,upperdir=/mnt/u,workdir=/mnt/w,metacopy=on",
    "lowerdir=/mnt/l,upperdir=/mnt/u,workdir=/mnt/w,metacopy=on,userxattr",
    "lowerdir=/mnt/l,upperdir=/mnt/u,workdir=/mnt/w,redirect_dir=on",
    "lowerdir=/mnt/l,upperdir=/mnt/u,workdir=/mnt/w,redirect_dir=nofollow",
];

#[test]
fn options_of_an_overlay() {
    require_namespaces!();
    let filesystems = std::fs::read_to_string("/proc/filesystems").unwrap();
    testkit::require!(filesystems.contains("\toverlay\n"), "this kernel has no overlay");
    let mount = if cfg!(target_arch = "aarch64") { 40 } else { 165 };
    let mut places = vec![APART];
    if testkit::is_root() {
        places.push(Place(&["unshare", "--mount"]));
    }
    for place in places {
        let ask = |o: &&str| {
            format!("real '{o}'; echo; $NS explain mount -t overlay overlay -o '{o}' m | head -n 2\n")
        };
        let asks = OPTIONS.iter().map(ask).collect::<Vec<_>>().concat();
        let told = place.shell(&format!("NS='{NS}'; NR={mount}; {PREPARE} {asks}"));
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines.len(), 3 * OPTIONS.len(), "{told}");
        for (options, answer) in OPTIONS.iter().zip(lines.chunks(3)) {
            let errno = Errno::from_raw(answer[0].parse().unwrap());
            let said = if errno.raw() == 0 { ": goes".to_owned() } else { format!(" ({})", errno.name()) };
            assert!(answer[1].ends_with(&said), "{:?}: {options:?}: {answer:?}", place.0);
            assert!(errno.raw() == 0 || answer[2].contains("overlay-options: "), "{options:?}: {answer:?}");
        }
        let answer = place.script(&format!(
            "{PREPARE} $NS explain --json mount -t overlay overlay -o lowerdir=/mnt/l,nonsense m"
        ));
        answer.undecided(&["overlay-options"]);
    }
}

/// Without the privilege for the mount the options don't matter, as the kernel does not read them.
#[test]
fn no_option_of_an_overlay_is_looked_at_without_privilege() {
    require_namespaces!();
    let place = Place(&["unshare", "--user", "--map-root-user"]);
    let answer = place.explain(&["mount", "-t", "overlay", "none", "-o", "lowerdir=/nowhere", "/mnt"]);
    answer.refused("MountPrivilege").errno("EPERM");
}
