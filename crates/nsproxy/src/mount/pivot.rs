//! `pivot_root(2)` (`fs/namespace.c`).

use super::{MNT_LOCKED, Mount, Path};
use crate::Kernel;
use crate::arena::Idx;
use crate::params::{Call, Hook};
use crate::rule::{Denial, Rule};
use crate::task::{Fs, Task, TaskId};

impl Kernel {
    /// Makes `new_root` the root of the mount namespace and puts the old one at `put_old`.
    pub fn pivot_root(&mut self, caller: TaskId, new_root: &str, put_old: &str) -> Result<(), Denial> {
        let task = self.enter(caller, Call::PivotRoot)?;
        // pivot_root(2) EPERM, since 7.0 asked only when both are found.
        let allowed = self.may_mount(task);
        let paths_first = self.params.since(7, 0);
        self.refuse_if(!allowed && !paths_first, Rule::MountPrivilege)?;
        let new = self.lookup_dir(task, new_root)?;
        let old = self.lookup_dir(task, put_old)?;
        self.refuse_if(!allowed, Rule::MountPrivilege)?;
        // pivot_root: security_sb_pivotroot.
        self.hook(Hook::SbMount, Rule::MountLsm)?;
        let Some(fs) = self.tasks[task].fs else {
            return Ok(());
        };
        let root = self.fss[fs].root;
        let old = self.lock_mount(old)?;
        self.check_pivot(task, new, old, root)?;
        self.do_pivot(new, old, root);
        Ok(())
    }

    fn check_pivot(&self, task: Idx<Task>, new: Path, old: Path, root: Path) -> Result<(), Denial> {
        let shared = |mnt: Option<Idx<Mount>>| mnt.is_some_and(|mnt| self.mounts[mnt].shared());
        let parent = |mnt: Idx<Mount>| self.mounts[mnt].parent;
        // pivot_root(2) EINVAL: nothing of this may propagate.
        let any_shared = shared(Some(old.mnt)) || shared(parent(new.mnt)) || shared(parent(root.mnt));
        self.refuse_if(any_shared, Rule::PivotShared)?;
        // check_mnt: everything in the caller's namespace.
        let own = self.check_mnt(task, root.mnt) && self.check_mnt(task, new.mnt);
        self.refuse_if(!own, Rule::PivotForeign)?;
        let locked = self.mounts[new.mnt].has(MNT_LOCKED);
        // path_pivot_root EINVAL: new_root is locked to where it is.
        self.refuse_if(locked, Rule::PivotLocked)?;
        // pivot_root(2) EBUSY: on the current root mount.
        let busy = new.mnt == root.mnt || old.mnt == root.mnt;
        self.refuse_if(busy, Rule::PivotBusy)?;
        // pivot_root(2) EINVAL: the current root is a mount, and stands on one.
        let root_mounted = self.path_mounted(root);
        self.refuse_if(!root_mounted, Rule::PivotRootNotMount)?;
        // path_pivot_root EINVAL: the first root of all is on nothing.
        self.refuse_if(parent(root.mnt).is_none(), Rule::PivotAbsoluteRoot)?;
        // pivot_root(2) EINVAL: new_root is a mount point.
        let new_mounted = self.path_mounted(new) && parent(new.mnt).is_some();
        self.refuse_if(!new_mounted, Rule::PivotNewNotMount)?;
        // pivot_root(2) EINVAL: put_old at or below new_root, new_root below the root.
        let below = self.is_path_reachable(old, new);
        self.refuse_if(!below, Rule::PivotPutOld)?;
        let reachable = self.is_path_reachable(new, root);
        // path_pivot_root EINVAL: new_root can be reached from the root.
        self.refuse_if(!reachable, Rule::PivotUnreachable)
    }

    /// Whether `at` is `root` or below it.
    pub(super) fn is_path_reachable(&self, mut at: Path, root: Path) -> bool {
        while at.mnt != root.mnt {
            let mount = &self.mounts[at.mnt];
            let Some(parent) = mount.parent else {
                return false;
            };
            at = Path { mnt: parent, dentry: mount.mountpoint };
        }
        self.is_subdir(at.dentry, root.dentry)
    }

    fn do_pivot(&mut self, new: Path, old: Path, root: Path) {
        let Mount { parent: Some(root_parent), mountpoint: root_at, .. } = self.mounts[root.mnt] else {
            return;
        };
        self.unhook_mount(new.mnt);
        if self.mounts[root.mnt].has(MNT_LOCKED) {
            self.mounts[root.mnt].flags &= !MNT_LOCKED;
            self.mounts[new.mnt].flags |= MNT_LOCKED;
        }
        self.unhook_mount(root.mnt);
        self.hook_mount(root.mnt, old.mnt, old.dentry);
        self.hook_mount(new.mnt, root_parent, root_at);
        self.chroot_fs_refs(root, new);
    }

    /// `pivot_root(2)`: who has root or working directory at the old root is moved.
    fn chroot_fs_refs(&mut self, old: Path, new: Path) {
        for fs in self.fss.indices() {
            let Fs { root, pwd, .. } = self.fss[fs];
            if root == old {
                self.set_fs_root(fs, new);
            }
            if pwd == old {
                self.set_fs_pwd(fs, new);
            }
        }
    }
}
