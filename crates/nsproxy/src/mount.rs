//! The mount tree (`fs/namespace.c`, `fs/pnode.c`): filesystems, mounts, and the
//! namespaces that hold them.

mod attach;
mod calls;
mod detached;
mod idmapped;
mod namei;
mod namespace;
mod pivot;
mod pnode;
mod procfs;
mod propagate;
mod remount;
mod show;
mod statmount;

pub use procfs::ProcOptions;
pub use remount::MountAttr;
pub use show::MountLine;
pub use statmount::{LISTMOUNT_REVERSE, MntIdReq};

pub(crate) use attach::{Pair, locked};
pub(crate) use idmapped::MntIdmap;
pub(crate) use namespace::MntNamespace;

use crate::Kernel;
use crate::arena::Idx;
use crate::cred::{Kgid, Kuid};
use crate::ns_common::{NsId, NsRef};
use crate::pid_namespace::PidNamespace;
use crate::user_namespace::UserNamespace;
use alloc::string::String;
use alloc::vec::Vec;

pub(crate) const MNT_NOSUID: u32 = 0x1;
pub(crate) const MNT_NODEV: u32 = 0x2;
pub(crate) const MNT_NOEXEC: u32 = 0x4;
pub(crate) const MNT_NOATIME: u32 = 0x8;
pub(crate) const MNT_NODIRATIME: u32 = 0x10;
pub(crate) const MNT_RELATIME: u32 = 0x20;
pub(crate) const MNT_READONLY: u32 = 0x40;
pub(crate) const MNT_ATIME_MASK: u32 = MNT_NOATIME | MNT_NODIRATIME | MNT_RELATIME;
/// What remount may change.
pub(crate) const MNT_USER_MASK: u32 = 0x7f;
pub(crate) const MNT_UNBINDABLE: u32 = 0x1000;
/// The flags that have a lock of their own, and how far above them it is.
pub(crate) const MNT_LOCKABLE: u32 = MNT_READONLY | MNT_NODEV | MNT_NOSUID | MNT_NOEXEC;
pub(crate) const LOCK_SHIFT: u32 = 17;
pub(crate) const MNT_LOCK_NOSUID: u32 = MNT_NOSUID << LOCK_SHIFT;
pub(crate) const MNT_LOCK_NODEV: u32 = MNT_NODEV << LOCK_SHIFT;
pub(crate) const MNT_LOCK_NOEXEC: u32 = MNT_NOEXEC << LOCK_SHIFT;
pub(crate) const MNT_LOCK_READONLY: u32 = MNT_READONLY << LOCK_SHIFT;
/// That of the flags about access times, together.
pub(crate) const MNT_LOCK_ATIME: u32 = 0x10_0000;
/// Stays where it is, whatever the owner of the namespace wants.
pub(crate) const MNT_LOCKED: u32 = 0x20_0000;
/// Marked by `MNT_EXPIRE`, to go at the second call.
pub(crate) const MNT_EXPIRED: u32 = 0x40_0000;
/// These three only while mounts are taken down. One that goes;
pub(crate) const MNT_UMOUNT: u32 = 0x100_0000;
/// one that may have to go with others;
pub(crate) const T_UMOUNT_CANDIDATE: u32 = 0x200_0000;
/// one below which all candidates are known to be only covered.
pub(crate) const T_MARKED: u32 = 0x400_0000;

/// A place in the tree: a directory entry as seen through one mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) mnt: Idx<Mount>,
    pub(crate) dentry: Idx<Dentry>,
}

/// A file name in a filesystem.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dentry {
    pub(crate) parent: Option<Idx<Dentry>>,
    pub(crate) name: String,
    pub(crate) dir: bool,
    pub(crate) uid: Kuid,
    pub(crate) gid: Kgid,
    pub(crate) children: Vec<Idx<Dentry>>,
    /// A directory made only to be mounted on: covering it hides nothing.
    pub(crate) always_empty: bool,
    /// On nsfs: the namespace this file is.
    pub(crate) ns: Option<NsRef>,
}

/// The filesystems that differ in who may mount them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum FsType {
    #[default]
    Rootfs,
    Disk,
    Tmpfs,
    Devpts,
    Overlay,
    Ramfs,
    BinfmtMisc,
    Proc,
    Sysfs,
    Mqueue,
    Cgroup2,
    Nsfs,
}

impl FsType {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Rootfs => "rootfs",
            Self::Disk => "ext4",
            Self::Tmpfs => "tmpfs",
            Self::Devpts => "devpts",
            Self::Overlay => "overlay",
            Self::Ramfs => "ramfs",
            Self::BinfmtMisc => "binfmt_misc",
            Self::Proc => "proc",
            Self::Sysfs => "sysfs",
            Self::Mqueue => "mqueue",
            Self::Cgroup2 => "cgroup2",
            Self::Nsfs => "nsfs",
        }
    }

    /// What stands for a filesystem of a running system. Those the model does not tell
    /// apart are disks, which only the first user namespace may mount.
    pub(crate) fn from_host(name: &str) -> Self {
        match name {
            "ramfs" | "fuse" | "bpf" => Self::Tmpfs,
            "cgroup" => Self::Cgroup2,
            "nsfs" => Self::Nsfs,
            "rootfs" => Self::Rootfs,
            name => Self::from_name(name).unwrap_or(Self::Disk),
        }
    }

    /// The filesystems that mount(2) can ask for.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [
            Self::Disk,
            Self::Tmpfs,
            Self::Devpts,
            Self::Overlay,
            Self::Ramfs,
            Self::BinfmtMisc,
            Self::Proc,
            Self::Sysfs,
            Self::Mqueue,
            Self::Cgroup2,
        ]
        .into_iter()
        .find(|kind| kind.name() == name)
    }
}

/// A mounted filesystem; lives as long as a mount shows it.
#[derive(Clone, Debug, Default)]
pub(crate) struct SuperBlock {
    pub(crate) count: u32,
    pub(crate) fstype: FsType,
    /// The user namespace it was mounted from.
    pub(crate) user_ns: Idx<UserNamespace>,
    pub(crate) root: Idx<Dentry>,
    pub(crate) readonly: bool,
    /// proc shows this pid namespace.
    pub(crate) pid_ns: Option<Idx<PidNamespace>>,
    /// proc shows nothing but processes.
    pub(crate) subset_pid: bool,
    /// sysfs, mqueue, cgroup: one instance for each of these; it holds none of them.
    pub(crate) shown: Option<NsId>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mount {
    /// Roots and working directories in it.
    pub(crate) count: u32,
    /// `None` once it is unmounted.
    pub(crate) ns: Option<Idx<MntNamespace>>,
    pub(crate) parent: Option<Idx<Mount>>,
    /// Where in the parent it is mounted.
    pub(crate) mountpoint: Idx<Dentry>,
    pub(crate) root: Idx<Dentry>,
    pub(crate) sb: Idx<SuperBlock>,
    /// What is mounted on it, newest first.
    pub(crate) first_child: Option<Idx<Mount>>,
    pub(crate) next_child: Option<Idx<Mount>>,
    pub(crate) prev_child: Option<Idx<Mount>>,
    pub(crate) flags: u32,
    pub(crate) id: u64,
    /// The number of its peer group; 0 when it is not shared.
    pub(crate) group: u32,
    pub(crate) next_peer: Idx<Mount>,
    pub(crate) prev_peer: Idx<Mount>,
    /// Whom it receives mounts from.
    pub(crate) master: Option<Idx<Mount>>,
    pub(crate) first_slave: Option<Idx<Mount>>,
    pub(crate) next_slave: Option<Idx<Mount>>,
    pub(crate) prev_slave: Option<Idx<Mount>>,
    /// Files seen through it belong to other ids.
    pub(crate) idmap: Option<Idx<MntIdmap>>,
}

impl Mount {
    pub(crate) fn shared(&self) -> bool {
        self.group != 0
    }

    pub(crate) fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }
}

impl Kernel {
    pub(crate) fn get_path(&mut self, path: Path) {
        self.mounts[path.mnt].count += 1;
    }

    pub(crate) fn put_path(&mut self, path: Path) {
        let mount = &mut self.mounts[path.mnt];
        mount.count -= 1;
        if mount.count == 0 && mount.ns.is_none() {
            self.cleanup_mnt(path.mnt);
        }
    }

    /// An unmounted mount nobody is in any more is gone, and what hung on it is next.
    pub(crate) fn cleanup_mnt(&mut self, mnt: Idx<Mount>) {
        let Some(&Mount { count, ns, parent, first_child, sb, idmap, .. }) = self.mounts.get(mnt) else {
            return;
        };
        if count > 0 || ns.is_some() {
            return;
        }
        if parent.is_some_and(|parent| self.mounts.get(parent).is_some()) {
            self.unhook_mount(mnt);
        }
        if first_child.is_some() {
            self.drop_stuck_children(mnt);
        }
        self.mounts.remove(mnt);
        self.put_idmap(idmap);
        self.put_super(sb);
    }

    /// What hung on the mount is on its own now, and on it something else may hang: a
    /// stack of mounts may be as high as fs.mount-max allows.
    #[cold]
    fn drop_stuck_children(&mut self, mnt: Idx<Mount>) {
        let mut stuck = Vec::new();
        self.take_children(mnt, &mut stuck);
        while let Some(next) = stuck.pop() {
            let Mount { count, ns, .. } = self.mounts[next];
            if count == 0 && ns.is_none() {
                self.take_children(next, &mut stuck);
            }
            self.cleanup_mnt(next);
        }
    }

    fn take_children(&mut self, mnt: Idx<Mount>, stuck: &mut Vec<Idx<Mount>>) {
        while let Some(child) = self.mounts[mnt].first_child {
            self.unhook_mount(child);
            stuck.push(child);
        }
    }

    pub(crate) fn put_super(&mut self, sb: Idx<SuperBlock>) {
        let count = &mut self.supers[sb].count;
        *count -= 1;
        if *count == 0 {
            self.free_super(sb);
        }
    }

    fn free_super(&mut self, sb: Idx<SuperBlock>) {
        let dead = self.supers.take(sb);
        if let Some(ns) = self.dentries[dead.root].ns {
            self.put_ns(ns);
        }
        let mut todo = alloc::vec![dead.root];
        while let Some(dentry) = todo.pop() {
            todo.extend(self.dentries.take(dentry).children);
        }
        if let Some(pid_ns) = dead.pid_ns {
            self.put_pid_ns(pid_ns);
        }
        self.put_user_ns(dead.user_ns);
    }

    pub(crate) fn new_dentry(
        &mut self,
        parent: Option<Idx<Dentry>>,
        name: &str,
        dir: bool,
        (uid, gid): (Kuid, Kgid),
    ) -> Idx<Dentry> {
        let dentry = self.dentries.insert(Dentry {
            parent,
            name: String::from(name),
            dir,
            uid,
            gid,
            children: Vec::new(),
            always_empty: false,
            ns: None,
        });
        if let Some(parent) = parent {
            self.dentries[parent].children.push(dentry);
        }
        dentry
    }

    /// A filesystem with its root directory and what it always contains. Its first
    /// count is for the caller to drop.
    pub(crate) fn new_super(
        &mut self,
        fstype: FsType,
        user_ns: Idx<UserNamespace>,
        owner: (Kuid, Kgid),
    ) -> Idx<SuperBlock> {
        let root = self.new_dentry(None, "", true, owner);
        let fixed: &[&str] = match fstype {
            FsType::Proc => &["sys", "irq"],
            FsType::Sysfs => &["kernel", "fs"],
            FsType::Disk => &["proc", "sys", "dev", "tmp", "mnt", "run", "home"],
            _ => &[],
        };
        for name in fixed {
            self.new_dentry(Some(root), name, true, owner);
        }
        if matches!(fstype, FsType::Proc | FsType::Sysfs) {
            let inner = self.dentries[root].children[1];
            self.dentries[inner].always_empty = true;
        }
        self.get_user_ns(user_ns);
        self.supers.insert(SuperBlock {
            count: 1,
            fstype,
            user_ns,
            root,
            readonly: false,
            pid_ns: None,
            subset_pid: false,
            shown: None,
        })
    }

    /// A mount of `root`, attached nowhere yet.
    pub(crate) fn new_mount(&mut self, sb: Idx<SuperBlock>, root: Idx<Dentry>, flags: u32) -> Idx<Mount> {
        self.supers[sb].count += 1;
        self.next_mount_id += 1;
        // The ring of peers starts with the mount alone.
        let alone = self.mounts.next_index();
        self.mounts.insert(Mount {
            count: 0,
            ns: None,
            parent: None,
            mountpoint: root,
            root,
            sb,
            first_child: None,
            next_child: None,
            prev_child: None,
            flags,
            id: self.next_mount_id,
            group: 0,
            next_peer: alone,
            prev_peer: alone,
            master: None,
            first_slave: None,
            next_slave: None,
            prev_slave: None,
            idmap: None,
        })
    }

    /// What is mounted on a mount, newest first.
    pub(crate) fn submounts(&self, mnt: Idx<Mount>) -> impl Iterator<Item = Idx<Mount>> {
        core::iter::successors(self.mounts[mnt].first_child, |child| self.mounts[*child].next_child)
    }

    /// What is mounted exactly there.
    pub(crate) fn lookup_mnt(&self, at: Path) -> Option<Idx<Mount>> {
        self.submounts(at.mnt).find(|child| self.mounts[*child].mountpoint == at.dentry)
    }

    /// The topmost mount stacked on a place.
    pub(crate) fn follow_down(&self, mut at: Path) -> Path {
        while let Some(mnt) = self.lookup_mnt(at) {
            at = Path { mnt, dentry: self.mounts[mnt].root };
        }
        at
    }

    /// The mount after `mnt` on a walk over the tree of `top`, parents first.
    pub(crate) fn next_mnt(&self, mnt: Idx<Mount>, top: Idx<Mount>) -> Option<Idx<Mount>> {
        let mut at = mnt;
        if let Some(child) = self.mounts[at].first_child {
            return Some(child);
        }
        while at != top {
            if let Some(next) = self.mounts[at].next_child {
                return Some(next);
            }
            at = self.mounts[at].parent?;
        }
        None
    }

    /// A mount and everything mounted below it, parents first.
    pub(crate) fn mount_tree(&self, top: Idx<Mount>) -> Vec<Idx<Mount>> {
        let mut all = Vec::with_capacity(8);
        all.push(top);
        let mut next = 0;
        while let Some(mnt) = all.get(next).copied() {
            all.extend(self.submounts(mnt));
            next += 1;
        }
        all
    }

    pub(crate) fn is_subdir(&self, below: Idx<Dentry>, above: Idx<Dentry>) -> bool {
        core::iter::successors(Some(below), |at| self.dentries[*at].parent).any(|at| at == above)
    }

    /// Whether a path is the root of its mount.
    pub(crate) fn path_mounted(&self, path: Path) -> bool {
        self.mounts[path.mnt].root == path.dentry
    }

    pub(crate) fn is_mnt_ns_file(&self, dentry: Idx<Dentry>) -> bool {
        matches!(self.dentries[dentry].ns, Some(NsRef::Mnt(_)))
    }
}
