//! Changing flags of mounts: remount and `mount_setattr(2)` (`fs/namespace.c`).

use super::pnode::Propagation;
use super::{
    MNT_ATIME_MASK, MNT_LOCK_ATIME, MNT_LOCK_NODEV, MNT_LOCK_NOEXEC, MNT_LOCK_NOSUID, MNT_LOCK_READONLY,
    MNT_NOATIME, MNT_NODEV, MNT_NODIRATIME, MNT_NOEXEC, MNT_NOSUID, MNT_READONLY, MNT_RELATIME,
    MNT_USER_MASK, Mount, Path,
};
use crate::Kernel;
use crate::arena::Idx;
use crate::capability::Cap;
use crate::file::{Fd, FileKind};
use crate::ns_common::NsRef;
use crate::params::Call;
use crate::rule::{Denial, Rule};
use crate::task::{Task, TaskId};
use crate::uapi::{
    AT_RECURSIVE, MOUNT_ATTR_ATIME, MOUNT_ATTR_IDMAP, MOUNT_ATTR_NOATIME, MOUNT_ATTR_NODEV,
    MOUNT_ATTR_NODIRATIME, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NOSYMFOLLOW, MOUNT_ATTR_RDONLY,
    MOUNT_ATTR_STRICTATIME, MS_NOATIME, MS_NODEV, MS_NODIRATIME, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_RDONLY,
    MS_RELATIME, MS_SHARED, MS_SLAVE, MS_STRICTATIME, MS_UNBINDABLE,
};
use crate::user_namespace::UserNamespace;

/// The argument of `mount_setattr(2)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MountAttr {
    /// `MOUNT_ATTR_*` to set.
    pub set: u64,
    /// `MOUNT_ATTR_*` to clear.
    pub clear: u64,
    /// One of the `MS_*` propagation types, or 0.
    pub propagation: u64,
    /// For `MOUNT_ATTR_IDMAP`: a descriptor of a user namespace.
    pub userns_fd: Fd,
}

impl Kernel {
    /// Mount flags from the flags of mount(2). A remount that says nothing of access
    /// times keeps them.
    pub(crate) fn mount_flags(flags: u64, old: Option<u32>) -> u32 {
        let pairs = [
            (MS_NOSUID, MNT_NOSUID),
            (MS_NODEV, MNT_NODEV),
            (MS_NOEXEC, MNT_NOEXEC),
            (MS_NOATIME, MNT_NOATIME),
            (MS_NODIRATIME, MNT_NODIRATIME),
            (MS_RDONLY, MNT_READONLY),
        ];
        let mut bits = if flags & MS_NOATIME == 0 { MNT_RELATIME } else { 0 };
        for (flag, bit) in pairs {
            if flags & flag != 0 {
                bits |= bit;
            }
        }
        if flags & MS_STRICTATIME != 0 {
            bits &= !(MNT_RELATIME | MNT_NOATIME);
        }
        let atime = MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME;
        match old {
            Some(old) if flags & atime == 0 => bits & !MNT_ATIME_MASK | old & MNT_ATIME_MASK,
            _ => bits,
        }
    }

    /// `mount_namespaces(7)`: what a more privileged namespace set stays set.
    fn can_change_locked_flags(&self, mnt: Idx<Mount>, wanted: u32) -> bool {
        let flags = self.mounts[mnt].flags;
        let kept = [
            (MNT_LOCK_READONLY, MNT_READONLY),
            (MNT_LOCK_NODEV, MNT_NODEV),
            (MNT_LOCK_NOSUID, MNT_NOSUID),
            (MNT_LOCK_NOEXEC, MNT_NOEXEC),
        ]
        .into_iter()
        .all(|(lock, flag)| flags & lock == 0 || wanted & flag != 0);
        let atime = flags & MNT_LOCK_ATIME == 0 || flags & MNT_ATIME_MASK == wanted & MNT_ATIME_MASK;
        kept && atime
    }

    fn set_mount_flags(&mut self, mnt: Idx<Mount>, wanted: u32) {
        let flags = &mut self.mounts[mnt].flags;
        *flags = *flags & !MNT_USER_MASK | wanted & MNT_USER_MASK;
    }

    fn check_remount(&self, task: Idx<Task>, at: Path, wanted: u32) -> Result<(), Denial> {
        // do_reconfigure_mnt EINVAL: a mount of another namespace.
        let own = self.check_mnt(task, at.mnt);
        self.refuse_if(!own, Rule::MountForeign)?;
        // mount(2) EINVAL: not a mount point.
        let mounted = self.path_mounted(at);
        self.refuse_if(!mounted, Rule::MountNotMountpoint)?;
        // mount_namespaces(7) EPERM: locked flags stay.
        let allowed = self.can_change_locked_flags(at.mnt, wanted);
        self.refuse_if(!allowed, Rule::RemountLocked)
    }

    /// `MS_REMOUNT | MS_BIND`: the flags of one mount.
    pub(super) fn do_reconfigure_mnt(&mut self, task: Idx<Task>, at: Path, flags: u64) -> Result<(), Denial> {
        let wanted = Self::mount_flags(flags, Some(self.mounts[at.mnt].flags));
        self.check_remount(task, at, wanted)?;
        self.set_mount_flags(at.mnt, wanted);
        Ok(())
    }

    /// `MS_REMOUNT`: the filesystem, and the flags of this mount.
    pub(super) fn do_remount(&mut self, task: Idx<Task>, at: Path, flags: u64) -> Result<(), Denial> {
        let wanted = Self::mount_flags(flags, Some(self.mounts[at.mnt].flags));
        self.check_remount(task, at, wanted)?;
        let sb = self.mounts[at.mnt].sb;
        self.refuse_nouser(sb)?;
        // mount(2) EPERM: CAP_SYS_ADMIN where the filesystem was mounted from.
        let capable = self.ns_capable(task, self.supers[sb].user_ns, Cap::SysAdmin);
        self.refuse_if(!capable, Rule::RemountSuper)?;
        self.set_super_readonly(sb, flags & MS_RDONLY != 0)?;
        self.set_mount_flags(at.mnt, wanted);
        Ok(())
    }

    /// `mount_setattr(2)` on a path; `flags` is 0 or `AT_RECURSIVE`.
    pub fn mount_setattr(
        &mut self,
        caller: TaskId,
        path: &str,
        flags: u32,
        attr: &MountAttr,
    ) -> Result<(), Denial> {
        self.mount_setattr_at(caller, flags, attr, |kernel, task| kernel.lookup(task, path))
    }

    /// `mount_setattr(2)` with `AT_EMPTY_PATH`, on a descriptor of `open_tree(2)` or `fsmount(2)`.
    pub fn mount_setattr_fd(
        &mut self,
        caller: TaskId,
        fd: Fd,
        flags: u32,
        attr: &MountAttr,
    ) -> Result<(), Denial> {
        self.mount_setattr_at(caller, flags, attr, |kernel, task| kernel.fd_path(task, fd))
    }

    fn mount_setattr_at(
        &mut self,
        caller: TaskId,
        flags: u32,
        attr: &MountAttr,
        place: impl FnOnce(&mut Self, Idx<Task>) -> Result<Path, Denial>,
    ) -> Result<(), Denial> {
        let task = self.enter(caller, Call::MountSetattr)?;
        // mount_setattr(2) ENOSYS: the call came with a release.
        self.refuse_if(true, Rule::SetattrMissing)?;
        // mount_setattr(2) EINVAL: unknown flags.
        self.refuse_if(flags & !AT_RECURSIVE != 0, Rule::SetattrFlags)?;
        // mount_setattr(2) EPERM.
        let allowed = self.may_mount(task);
        self.refuse_if(!allowed, Rule::MountPrivilege)?;
        if attr.set == 0 && attr.clear == 0 && attr.propagation == 0 {
            return Ok(());
        }
        let propagation = self.build_mount_kattr(attr)?;
        let idmap = self.build_mount_idmapped(task, attr)?;
        let at = place(self, task)?;
        // mount_setattr(2) EINVAL: the root of a mount of this namespace, or of a detached one.
        let reachable =
            self.check_mnt(task, at.mnt) || self.mounts[at.mnt].ns.is_some_and(|ns| self.mnt_ns[ns].anon);
        let mounted = self.path_mounted(at) && reachable;
        self.refuse_if(!mounted, Rule::SetattrNotMountpoint)?;
        if let Some(ns) = idmap {
            self.check_idmap(ns)?;
        }
        let tree = if flags & AT_RECURSIVE != 0 { self.mount_tree(at.mnt) } else { alloc::vec![at.mnt] };
        for mnt in &tree {
            let wanted = attr_flags(self.mounts[*mnt].flags, attr);
            // mount_setattr(2) EPERM: a locked flag.
            let allowed = self.can_change_locked_flags(*mnt, wanted);
            self.refuse_if(!allowed, Rule::SetattrLocked)?;
            if let Some(ns) = idmap {
                self.can_idmap_mount(task, *mnt, ns)?;
            }
        }
        for mnt in tree {
            let wanted = attr_flags(self.mounts[mnt].flags, attr);
            self.set_mount_flags(mnt, wanted);
            if let Some(ns) = idmap {
                self.idmap_mount(mnt, ns);
            }
            if let Some(propagation) = propagation {
                self.change_mnt_propagation(mnt, propagation);
            }
        }
        Ok(())
    }

    /// The flags of fsmount(2) as those of a mount; `None` for what it does not know.
    pub(super) fn fsmount_flags(attr: u64) -> Option<u32> {
        let known = MOUNT_ATTR_RDONLY
            | MOUNT_ATTR_NOSUID
            | MOUNT_ATTR_NODEV
            | MOUNT_ATTR_NOEXEC
            | MOUNT_ATTR_ATIME
            | MOUNT_ATTR_NODIRATIME
            | MOUNT_ATTR_NOSYMFOLLOW;
        let atime = attr & MOUNT_ATTR_ATIME;
        let odd_atime = !matches!(atime, 0 | MOUNT_ATTR_NOATIME | MOUNT_ATTR_STRICTATIME);
        if attr & !known != 0 || odd_atime {
            return None;
        }
        Some(attr_flags(0, &MountAttr { set: attr, clear: MOUNT_ATTR_ATIME, ..MountAttr::default() }))
    }

    /// `mount_setattr(2)` EINVAL: what the structure may say.
    fn build_mount_kattr(&self, attr: &MountAttr) -> Result<Option<Propagation>, Denial> {
        let propagation = match attr.propagation {
            MS_SHARED => Some(Propagation::Shared),
            MS_PRIVATE => Some(Propagation::Private),
            MS_SLAVE => Some(Propagation::Slave),
            MS_UNBINDABLE => Some(Propagation::Unbindable),
            _ => None,
        };
        let bad_type = propagation.is_none() && attr.propagation != 0;
        let known = MOUNT_ATTR_RDONLY
            | MOUNT_ATTR_NOSUID
            | MOUNT_ATTR_NODEV
            | MOUNT_ATTR_NOEXEC
            | MOUNT_ATTR_ATIME
            | MOUNT_ATTR_NODIRATIME
            | MOUNT_ATTR_IDMAP
            | MOUNT_ATTR_NOSYMFOLLOW;
        let unknown = (attr.set | attr.clear) & !known != 0;
        let clears_idmap = attr.clear & MOUNT_ATTR_IDMAP != 0;
        let atime_cleared = attr.clear & MOUNT_ATTR_ATIME;
        let atime_set = attr.set & MOUNT_ATTR_ATIME;
        // Access times are one choice: cleared whole before another is set.
        let half = atime_cleared != 0 && atime_cleared != MOUNT_ATTR_ATIME
            || atime_cleared == 0 && atime_set != 0
            || !matches!(atime_set, 0 | MOUNT_ATTR_NOATIME | MOUNT_ATTR_STRICTATIME);
        let bad = bad_type || unknown || half || clears_idmap;
        self.refuse_if(bad, Rule::SetattrFlags)?;
        Ok(propagation)
    }

    /// The user namespace whose maps a mount is to get, where one is asked for.
    fn build_mount_idmapped(
        &self,
        task: Idx<Task>,
        attr: &MountAttr,
    ) -> Result<Option<Idx<UserNamespace>>, Denial> {
        if attr.set & MOUNT_ATTR_IDMAP == 0 {
            return Ok(None);
        }
        // mount_setattr(2) EINVAL: no descriptor at all.
        if attr.userns_fd < 0 {
            return Err(self.params.denial(Rule::IdmapFd));
        }
        let file = self.fget(task, attr.userns_fd)?;
        // mount_setattr(2) EINVAL: not a user namespace.
        let FileKind::Ns(NsRef::User(ns)) = self.files_open[file].kind else {
            return Err(self.params.denial(Rule::IdmapFd));
        };
        // mount_setattr(2) EPERM: the first one maps nothing.
        self.refuse_if(ns == self.init_user_ns, Rule::IdmapInit)?;
        let capable = self.ns_capable(task, ns, Cap::SysAdmin);
        // build_mount_idmapped EPERM: CAP_SYS_ADMIN in the namespace the ids are from.
        self.refuse_if(!capable, Rule::IdmapPrivilege)?;
        Ok(Some(ns))
    }
}

fn attr_flags(old: u32, attr: &MountAttr) -> u32 {
    let pairs = [
        (MOUNT_ATTR_RDONLY, MNT_READONLY),
        (MOUNT_ATTR_NOSUID, MNT_NOSUID),
        (MOUNT_ATTR_NODEV, MNT_NODEV),
        (MOUNT_ATTR_NOEXEC, MNT_NOEXEC),
        (MOUNT_ATTR_NODIRATIME, MNT_NODIRATIME),
    ];
    let mut flags = old & MNT_USER_MASK;
    for (attr_bit, bit) in pairs {
        if attr.clear & attr_bit != 0 {
            flags &= !bit;
        }
        if attr.set & attr_bit != 0 {
            flags |= bit;
        }
    }
    if attr.clear & MOUNT_ATTR_ATIME != 0 {
        flags &= !(MNT_RELATIME | MNT_NOATIME);
        flags |= match attr.set & MOUNT_ATTR_ATIME {
            MOUNT_ATTR_NOATIME => MNT_NOATIME,
            MOUNT_ATTR_STRICTATIME => 0,
            _ => MNT_RELATIME,
        };
    }
    flags
}
