//! Mount namespaces: copying, joining, ending; chroot and chdir (`fs/namespace.c`, `fs/open.c`).

use super::attach::{CopyFlags, Pair};
use super::{MNT_LOCKED, Mount, Path};
use crate::Kernel;
use crate::arena::Idx;
use crate::capability::Cap;
use crate::ns_common::{NsCommon, NsKind, NsRef};
use crate::nsproxy::{Making, NsSet};
use crate::params::{Call, Effect};
use crate::rule::{Denial, Rule};
use crate::task::{Fs, Task, TaskId};
use crate::uapi::CLONE_NEWNS;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MntNamespace {
    pub(crate) common: NsCommon,
    /// The mount everything hangs on; nothing shows it once another is mounted over it.
    pub(crate) root: Idx<Mount>,
    pub(crate) nr_mounts: u32,
    /// Holds a tree that is attached nowhere; no task is ever in it.
    pub(crate) anon: bool,
}

impl Kernel {
    /// The same mount namespace, or a copy of its whole tree.
    #[inline(never)]
    pub(crate) fn copy_mnt_ns(
        &mut self,
        making: &Making,
        old: Idx<MntNamespace>,
        fs: Option<Idx<Fs>>,
    ) -> Result<Idx<MntNamespace>, Denial> {
        if making.flags & CLONE_NEWNS == 0 {
            self.mnt_ns[old].common.count += 1;
            return Ok(old);
        }
        let charged = self.charge_ns(making, NsKind::Mnt, Rule::MntNsCount)?;
        let foreign = self.ruling_user_ns(NsRef::Mnt(old)) != making.user_ns;
        // mount_namespaces(7): a less privileged namespace gets the mounts as one unit.
        let how = CopyFlags { slave: foreign, unbindable: true, lock: foreign, ..CopyFlags::default() };
        let how = CopyFlags {
            slave: how.slave && !self.params.lacks(Effect::Slaves),
            lock: how.lock && !self.params.lacks(Effect::Locks),
            ..how
        };
        let old_root = self.mnt_ns[old].root;
        let dentry = self.mounts[old_root].root;
        let empty = making.flags & crate::uapi::CLONE_EMPTY_MNTNS != 0;
        let pairs = if empty {
            let copy = self.clone_mnt(old_root, dentry, how);
            alloc::vec![(old_root, copy)]
        } else {
            match self.copy_tree(old_root, dentry, how) {
                Ok(pairs) => pairs,
                Err(denial) => {
                    self.uncharge_ns(making, NsKind::Mnt, charged);
                    return Err(denial);
                }
            }
        };
        let root = pairs[0].1;
        let nr_mounts = u32::try_from(pairs.len()).unwrap_or(u32::MAX);
        let common = self.ns_common_init(making.user_ns, charged);
        let ns = self.mnt_ns.insert(MntNamespace { common, root, nr_mounts, anon: false });
        for (_, copy) in &pairs {
            self.mounts[*copy].ns = Some(ns);
        }
        if let Some(fs) = fs
            && !self.params.lacks(Effect::MoveFs)
        {
            self.move_fs(fs, &pairs, empty);
        }
        self.forget_copies(pairs);
        Ok(ns)
    }

    /// Root and working directory follow to the copied mounts.
    fn move_fs(&mut self, fs: Idx<Fs>, pairs: &[Pair], empty: bool) {
        let Fs { root, pwd, .. } = self.fss[fs];
        let top = pairs[0].1;
        let moved = |path: Path| {
            if empty {
                let dentry = self.mounts[top].root;
                return Path { mnt: top, dentry };
            }
            let twin = pairs.iter().find(|(old, _)| *old == path.mnt);
            Path { mnt: twin.map_or(path.mnt, |(_, new)| *new), ..path }
        };
        let (root, pwd) = (moved(root), moved(pwd));
        self.set_fs_root(fs, root);
        self.set_fs_pwd(fs, pwd);
    }

    /// Drops one reference; the last one ends the namespace.
    pub(crate) fn put_mnt_ns(&mut self, ns: Idx<MntNamespace>) {
        self.mnt_ns[ns].common.count -= 1;
        if self.mnt_ns[ns].common.count == 0 {
            self.free_mnt_ns(ns);
        }
    }

    /// The last reference is gone. What it showed may have been the last hold on another
    /// mount namespace, and so on: as the kernel puts mounts off to task work, those
    /// wait until this one is done.
    fn free_mnt_ns(&mut self, ns: Idx<MntNamespace>) {
        if self.unmounting {
            self.dying_mnt_ns.push(ns);
            return;
        }
        self.unmounting = true;
        self.umount_ns(ns);
        while let Some(next) = self.dying_mnt_ns.pop() {
            self.umount_ns(next);
        }
        self.unmounting = false;
    }

    /// Everything in it is unmounted.
    fn umount_ns(&mut self, ns: Idx<MntNamespace>) {
        let MntNamespace { common, root, .. } = &self.mnt_ns[ns];
        let (dead, root) = (common.released(NsKind::Mnt), *root);
        self.mnt_ns.remove(ns);
        self.umount_all(root);
        self.release_ns_now(dead);
    }

    pub(crate) fn set_fs_root(&mut self, fs: Idx<Fs>, root: Path) {
        self.get_path(root);
        let old = core::mem::replace(&mut self.fss[fs].root, root);
        self.put_path(old);
    }

    pub(crate) fn set_fs_pwd(&mut self, fs: Idx<Fs>, pwd: Path) {
        self.get_path(pwd);
        let old = core::mem::replace(&mut self.fss[fs].pwd, pwd);
        self.put_path(old);
    }

    /// setns(2) for a mount namespace: root and working directory become its topmost root.
    pub(crate) fn mntns_install(
        &mut self,
        caller: Idx<Task>,
        set: &mut NsSet,
        target: Idx<MntNamespace>,
    ) -> Result<(), Denial> {
        let owner = self.ruling_user_ns(NsRef::Mnt(target));
        let after = self.nsset_user_ns(caller, set);
        // setns(2) EPERM: CAP_SYS_ADMIN in the owner; CAP_SYS_CHROOT and CAP_SYS_ADMIN at home.
        let allowed = self.ns_capable(caller, owner, Cap::SysAdmin)
            && self.ns_capable(caller, after, Cap::SysChroot)
            && self.ns_capable(caller, after, Cap::SysAdmin);
        self.refuse_if(!allowed, Rule::SetnsMntAdmin)?;
        // setns(2) EINVAL: root and working directory not shared. With more kinds in one
        // call this looks at a private copy, and is no obstacle.
        let own = self.tasks[caller].fs.filter(|_| self.params.features.setns_needs_own_fs);
        let shared = set.fs().is_some_and(|fs| self.fss[own.unwrap_or(fs)].users != 1);
        self.refuse_if(shared, Rule::SetnsMntSharedFs)?;
        if set.nsproxy.mnt != target {
            self.get_ns(NsRef::Mnt(target));
            let old = core::mem::replace(&mut set.nsproxy.mnt, target);
            self.put_mnt_ns(old);
        }
        let top = self.ns_root(target);
        if let Some(fs) = set.fs()
            && !self.params.lacks(Effect::LeaveChroot)
        {
            self.set_fs_pwd(fs, top);
            self.set_fs_root(fs, top);
        }
        Ok(())
    }

    /// The topmost mount on a namespace's root.
    pub(crate) fn ns_root(&self, ns: Idx<MntNamespace>) -> Path {
        let root = self.mnt_ns[ns].root;
        self.follow_down(Path { mnt: root, dentry: self.mounts[root].root })
    }

    /// Whether the caller's root is not the root of its mount namespace.
    pub(crate) fn current_chrooted(&self, task: Idx<Task>) -> bool {
        let ns = self.current_nsproxy(task).mnt;
        self.tasks[task].fs.is_some_and(|fs| self.fss[fs].root != self.ns_root(ns))
    }

    /// chroot(2).
    pub fn chroot(&mut self, caller: TaskId, path: &str) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Chroot)?;
        let dir = self.lookup_dir(task, path)?;
        // chroot(2) EPERM: CAP_SYS_CHROOT in the own user namespace.
        let capable = self.ns_capable(task, self.current_user_ns(task), Cap::SysChroot);
        self.refuse_if(!capable, Rule::ChrootPrivilege)?;
        if let Some(fs) = self.tasks[task].fs {
            self.set_fs_root(fs, dir);
        }
        Ok(())
    }

    /// chdir(2).
    pub fn chdir(&mut self, caller: TaskId, path: &str) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Chdir)?;
        let dir = self.lookup_dir(task, path)?;
        if let Some(fs) = self.tasks[task].fs {
            self.set_fs_pwd(fs, dir);
        }
        Ok(())
    }

    /// `CAP_SYS_ADMIN` in the owner of the caller's mount namespace.
    pub(super) fn may_mount(&self, task: Idx<Task>) -> bool {
        let ns = self.current_nsproxy(task).mnt;
        let owner = self.ruling_user_ns(NsRef::Mnt(ns));
        self.ns_capable(task, owner, Cap::SysAdmin)
    }

    /// Whether a mount is in the caller's namespace.
    pub(crate) fn check_mnt(&self, task: Idx<Task>, mnt: Idx<Mount>) -> bool {
        self.mounts[mnt].ns == Some(self.current_nsproxy(task).mnt)
    }

    /// `mount_namespaces(7)`: a bind without them would show what locked mounts cover.
    pub(super) fn has_locked_children(&self, at: Path) -> bool {
        self.submounts(at.mnt).any(|child| {
            let child = &self.mounts[child];
            child.has(MNT_LOCKED) && self.is_subdir(child.mountpoint, at.dentry)
        })
    }
}
