//! Mounts as the model loads them.

use nsproxy::HostMount;

use super::load::Assumed;
use super::state::MountEntry;

/// Directories of proc and sysfs that exist only to be mounted on: what is mounted
/// there hides nothing (`is_empty_dir_inode`).
const MADE_TO_MOUNT_ON: [&str; 16] = [
    "/sys/fs/binfmt_misc",
    "/fs/nfsd",
    "/openprom",
    "/kernel/debug",
    "/kernel/tracing",
    "/kernel/security",
    "/kernel/config",
    "/fs/cgroup",
    "/fs/pstore",
    "/fs/bpf",
    "/fs/fuse/connections",
    "/fs/selinux",
    "/fs/smackfs",
    "/fs/resctrl",
    "/fs/xenfs",
    "/firmware/efi/efivars",
];

/// Whether something is mounted over files of proc or sysfs that it hides.
pub(super) fn covers_kernel_files(mount: &MountEntry, all: &[MountEntry]) -> bool {
    all.iter().any(|parent| {
        parent.id == mount.parent
            && parent.id != mount.id
            && matches!(parent.fstype.as_str(), "proc" | "sysfs")
            && !covers_nothing(mount, parent)
    })
}

fn covers_nothing(mount: &MountEntry, parent: &MountEntry) -> bool {
    let below = mount.point.strip_prefix(parent.point.as_str()).unwrap_or_default();
    MADE_TO_MOUNT_ON.contains(&below)
}

/// The options of a mount in mountinfo, with the flags of mount(2) that set them.
pub(super) const MOUNT_FLAGS: [(&str, u64); 7] = [
    ("ro", 1),
    ("nosuid", 2),
    ("nodev", 4),
    ("noexec", 8),
    ("noatime", 1024),
    ("nodiratime", 2048),
    ("relatime", 1 << 21),
];

pub(super) fn host_mount(mount: &MountEntry, assumed: &Assumed) -> HostMount {
    let mut bits =
        MOUNT_FLAGS.iter().filter(|(name, _)| mount.has_option(name)).fold(0, |bits, (_, bit)| bits | bit);
    if bits & (1024 | 1 << 21) == 0 {
        bits |= 1 << 24;
    }
    let special = matches!(mount.fstype.as_str(), "proc" | "sysfs");
    HostMount {
        id: mount.id,
        parent: mount.parent,
        device: mount.device.clone(),
        root: mount.root.clone(),
        mountpoint: mount.point.clone(),
        flags: bits,
        shared: mount.shared.filter(|_| !assumed.remedied.private),
        master: mount.master,
        unbindable: mount.unbindable,
        fstype: mount.fstype.clone(),
        readonly: mount.is_of_readonly(),
        owner: None,
        locked: assumed.locked_mounts,
        covers_nothing: !special && MADE_TO_MOUNT_ON.iter().any(|made| mount.point.ends_with(made)),
        file: mount.file,
    }
}
