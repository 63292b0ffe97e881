//! Mounts that are attached nowhere: `open_tree(2)`, `fsmount(2)`, `move_mount(2)`, and
//! the anonymous mount namespaces that hold them (`fs/namespace.c`).

use super::attach::CopyFlags;
use super::procfs::ProcContext;
use super::{FsType, MNT_LOCKED, MntNamespace, Mount, Path};
use crate::Kernel;
use crate::arena::Idx;
use crate::capability::Cap;
use crate::file::{Fd, FileKind};
use crate::ns_common::{NsKind, NsRef};
use crate::nsproxy::Making;
use crate::params::{Call, Hook};
use crate::rule::{Denial, Rule};
use crate::task::{Task, TaskId};
use crate::uapi::{
    AT_EMPTY_PATH, AT_NO_AUTOMOUNT, AT_RECURSIVE, AT_SYMLINK_NOFOLLOW, CLONE_NEWNS, FSMOUNT_CLOEXEC,
    FSMOUNT_NAMESPACE, OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE, OPEN_TREE_NAMESPACE,
};

/// The inode number of every anonymous mount namespace; nobody sees it.
const ANON_INUM: u32 = 0xEFFF_FFF7;

impl Kernel {
    /// `open_tree(2)`: a descriptor of a place; with `OPEN_TREE_CLONE` of a detached copy of
    /// the mount there, with `OPEN_TREE_NAMESPACE` of a new mount namespace that shows it.
    pub fn open_tree(&mut self, caller: TaskId, path: &str, flags: u32) -> Result<Fd, Denial> {
        let task = self.enter(caller, Call::OpenTree)?;
        // From 6.19 on the descriptor is reserved before all else, from 6.15 to 6.18 last.
        let first = self.params.since(6, 19);
        let last = self.params.since(6, 15) && !first;
        if first {
            self.check_free_fd(task)?;
        }
        let mut known = OPEN_TREE_CLONE
            | OPEN_TREE_CLOEXEC
            | AT_RECURSIVE
            | AT_EMPTY_PATH
            | AT_NO_AUTOMOUNT
            | AT_SYMLINK_NOFOLLOW;
        if self.params.since(7, 0) {
            known |= OPEN_TREE_NAMESPACE;
        }
        let clone = flags & OPEN_TREE_CLONE != 0;
        let namespace = flags & OPEN_TREE_NAMESPACE != 0;
        let recurse = flags & AT_RECURSIVE != 0;
        // open_tree(2) EINVAL: unknown flags, both kinds of copy, recursion without a copy.
        let bad = flags & !known != 0 || clone && namespace || recurse && !clone && !namespace;
        self.refuse_if(bad, Rule::OpenTreeFlags)?;
        let allowed = if namespace {
            // open_tree(2) EPERM: CAP_SYS_ADMIN in the owner-to-be, the caller's own.
            self.ns_capable(task, self.current_user_ns(task), Cap::SysAdmin)
        } else {
            !clone || self.may_mount(task)
        };
        self.refuse_if(!allowed, Rule::OpenTreePrivilege)?;
        if !first && !last {
            self.check_free_fd(task)?;
        }
        let at = self.lookup(task, path)?;
        if namespace {
            let ns = self.open_new_namespace(task, at, recurse)?;
            return self.open_file(task, FileKind::Ns(NsRef::Mnt(ns)), true);
        }
        let mnt = if clone { self.open_detached_copy(task, at, recurse)? } else { at.mnt };
        let dentry = if clone { self.mounts[mnt].root } else { at.dentry };
        self.open_path(task, Path { mnt, dentry }, clone)
    }

    fn open_path(&mut self, task: Idx<Task>, path: Path, detached: bool) -> Result<Fd, Denial> {
        self.get_path(path);
        self.open_file(task, FileKind::Path { path, detached }, true)
    }

    /// An anonymous mount namespace, charged like any other, that holds a detached tree.
    fn alloc_anon_ns(&mut self, task: Idx<Task>) -> Result<Idx<MntNamespace>, Denial> {
        let owner = self.ruling_user_ns(NsRef::Mnt(self.current_nsproxy(task).mnt));
        let euid = self.cred_of(task).euid;
        // namespaces(7) max_mnt_namespaces: these count too.
        let ucounts = self.inc_ucount(owner, euid, NsKind::Mnt, Rule::MntNsCount)?;
        let common = self.anon_common_init(owner, ucounts, ANON_INUM);
        let root = Idx::first();
        Ok(self.mnt_ns.insert(MntNamespace { common, root, nr_mounts: 0, anon: true }))
    }

    /// Makes a detached tree the one of an anonymous namespace.
    fn fill_anon_ns(&mut self, ns: Idx<MntNamespace>, top: Idx<Mount>) {
        let tree = self.mount_tree(top);
        self.mnt_ns[ns].root = top;
        self.mnt_ns[ns].nr_mounts = u32::try_from(tree.len()).unwrap_or(u32::MAX);
        for mnt in tree {
            self.mounts[mnt].ns = Some(ns);
        }
    }

    fn open_detached_copy(&mut self, task: Idx<Task>, at: Path, recurse: bool) -> Result<Idx<Mount>, Denial> {
        let ns = self.alloc_anon_ns(task)?;
        if let Err(denial) = self.check_copy(task, at, recurse) {
            self.free_anon_ns(ns);
            return Err(denial);
        }
        let how = CopyFlags { ns_files: true, ..CopyFlags::default() };
        let copy = match self.loopback(at, recurse, how) {
            Ok(copy) => copy,
            Err(denial) => {
                self.free_anon_ns(ns);
                return Err(denial);
            }
        };
        self.mounts[copy].flags &= !MNT_LOCKED;
        self.fill_anon_ns(ns, copy);
        Ok(copy)
    }

    /// A mount namespace that shows one tree: its root, and the tree mounted over it.
    fn open_new_namespace(
        &mut self,
        task: Idx<Task>,
        at: Path,
        recurse: bool,
    ) -> Result<Idx<MntNamespace>, Denial> {
        // open_tree(2) ENOTDIR: a root is a directory.
        let file = !self.dentries[at.dentry].dir;
        self.refuse_if(file, Rule::OpenTreeNotDir)?;
        self.new_namespace_of(task, |kernel, foreign| {
            // From 7.2 on nothing that is covered is shown to another owner.
            let reveals = foreign && !recurse && kernel.params.since(7, 2) && kernel.submounts_below(at);
            kernel.refuse_if(reveals, Rule::OpenTreeReveals)?;
            let unbindable = foreign && kernel.params.since(7, 2);
            kernel.check_copy_of(task, at, recurse, unbindable)?;
            let how = CopyFlags { ns_files: true, slave: foreign, unbindable, ..CopyFlags::default() };
            kernel.loopback(at, recurse, how)
        })
    }

    /// A new mount namespace of the caller's user namespace, with the root mount of the old
    /// one and over it the tree that `show` makes.
    fn new_namespace_of(
        &mut self,
        task: Idx<Task>,
        show: impl FnOnce(&mut Self, bool) -> Result<Idx<Mount>, Denial>,
    ) -> Result<Idx<MntNamespace>, Denial> {
        let owner = self.current_user_ns(task);
        let old = self.current_nsproxy(task).mnt;
        let foreign = self.ruling_user_ns(NsRef::Mnt(old)) != owner;
        let making = Making { caller: task, flags: CLONE_NEWNS, user_ns: owner, charged: None };
        let common = self.ns_common_new(&making, NsKind::Mnt, Rule::MntNsCount)?;
        let shown = match show(self, foreign) {
            Ok(shown) => shown,
            Err(denial) => {
                self.release_ns_now(common.released(NsKind::Mnt));
                return Err(denial);
            }
        };
        let old_root = self.mnt_ns[old].root;
        let dentry = self.mounts[old_root].root;
        let how = CopyFlags { slave: foreign, ..CopyFlags::default() };
        let root = self.clone_mnt(old_root, dentry, how);
        self.mounts[shown].flags &= !MNT_LOCKED;
        self.hook_mount(shown, root, dentry);
        if foreign {
            self.lock_mnt_tree(root);
        }
        let ns = self.mnt_ns.insert(MntNamespace { common, root, nr_mounts: 0, anon: false });
        self.fill_anon_ns(ns, root);
        Ok(ns)
    }

    /// fsopen(2), fsconfig(2) and fsmount(2) in one: a new filesystem, mounted nowhere; with
    /// `FSMOUNT_NAMESPACE` in a mount namespace of its own. `attr` are `MOUNT_ATTR_*`.
    pub fn fsmount(&mut self, caller: TaskId, fstype: &str, flags: u32, attr: u64) -> Result<Fd, Denial> {
        let task = self.enter(caller, Call::Fsmount)?;
        let allowed = self.may_mount(task);
        self.refuse_if(!allowed, Rule::MountPrivilege)?;
        // fsopen(2) ENODEV, EPERM.
        let fstype = FsType::from_name(fstype).ok_or_else(|| self.params.denial(Rule::FsTypeUnknown))?;
        let judge = self.check_fs_privilege(task, fstype, ProcContext::default())?;
        let known =
            if self.params.since(7, 1) { FSMOUNT_CLOEXEC | FSMOUNT_NAMESPACE } else { FSMOUNT_CLOEXEC };
        // fsmount(2) EINVAL.
        // The call takes 32 bits of them.
        let mnt_flags = Self::fsmount_flags(attr & 0xffff_ffff);
        let bad = flags & !known != 0 || mnt_flags.is_none();
        self.refuse_if(bad, Rule::FsmountFlags)?;
        let mut mnt_flags = mnt_flags.unwrap_or(0);
        self.check_too_revealing(task, fstype, ProcContext::default(), &mut mnt_flags)?;
        self.check_free_fd(task)?;
        if flags & FSMOUNT_NAMESPACE != 0 {
            let ns = self
                .new_namespace_of(task, |kernel, _| Ok(kernel.mount_new(task, fstype, judge, mnt_flags)))?;
            return self.open_file(task, FileKind::Ns(NsRef::Mnt(ns)), true);
        }
        let ns = self.alloc_anon_ns(task)?;
        let mnt = self.mount_new(task, fstype, judge, mnt_flags);
        self.fill_anon_ns(ns, mnt);
        let dentry = self.mounts[mnt].root;
        self.open_path(task, Path { mnt, dentry }, true)
    }

    /// `move_mount(2)` from a descriptor to a path: attaches a detached tree, or moves an
    /// attached one as mount(2) with `MS_MOVE` does.
    pub fn move_mount(&mut self, caller: TaskId, fd: Fd, target: &str) -> Result<(), Denial> {
        let task = self.enter(caller, Call::MoveMount)?;
        let allowed = self.may_mount(task);
        self.refuse_if(!allowed, Rule::MountPrivilege)?;
        let old = self.fd_path(task, fd)?;
        let at = self.lookup(task, target)?;
        // vfs_move_mount: security_move_mount.
        self.hook(Hook::SbMount, Rule::MountLsm)?;
        self.do_move_mount(task, old, at)
    }

    /// The place that a descriptor names.
    pub(super) fn fd_path(&self, task: Idx<Task>, fd: Fd) -> Result<Path, Denial> {
        match self.files_open[self.fget_raw(task, fd)?].kind {
            FileKind::Path { path, .. } => Ok(path),
            // Every other file of the model lies in a mount of the kernel's own.
            _ => Err(self.params.denial(Rule::MountForeign)),
        }
    }

    /// The anonymous namespace whose whole tree this mount is the top of.
    pub(super) fn detached_at(&self, mnt: Idx<Mount>) -> Option<Idx<MntNamespace>> {
        self.mounts[mnt].ns.filter(|ns| {
            let MntNamespace { anon, root, .. } = self.mnt_ns[*ns];
            anon && root == mnt
        })
    }

    /// The last close of a detached tree that was attached nowhere takes it down.
    pub(crate) fn dissolve_on_fput(&mut self, mnt: Idx<Mount>) {
        if let Some(ns) = self.detached_at(mnt) {
            self.umount_all(mnt);
            self.free_anon_ns(ns);
        }
    }

    /// The namespace of a detached tree that is gone, or attached by now.
    pub(super) fn free_anon_ns(&mut self, ns: Idx<MntNamespace>) {
        let dead = self.mnt_ns[ns].common.released(NsKind::Mnt);
        self.mnt_ns.remove(ns);
        self.release_ns_now(dead);
    }

    fn submounts_below(&self, at: Path) -> bool {
        self.submounts(at.mnt).any(|child| self.is_subdir(self.mounts[child].mountpoint, at.dentry))
    }
}
