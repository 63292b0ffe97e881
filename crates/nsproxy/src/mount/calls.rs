//! mount(2) and umount(2) (`fs/namespace.c`).

use super::attach::{CopyFlags, Umount};
use super::pnode::Propagation;
use super::procfs::ProcContext;
use super::{
    FsType, MNT_ATIME_MASK, MNT_EXPIRED, MNT_LOCK_ATIME, MNT_LOCK_READONLY, MNT_LOCKED, MNT_READONLY,
    MNT_UNBINDABLE, Mount, Path, SuperBlock,
};
use crate::Kernel;
use crate::arena::Idx;
use crate::capability::Cap;
use crate::file::{Fd, FileKind};
use crate::ns_common::NsRef;
use crate::params::{Call, Hook};
use crate::rule::{Denial, Rule};
use crate::task::{Task, TaskId};
use crate::uapi::{
    MNT_DETACH, MNT_EXPIRE, MNT_FORCE, MS_BIND, MS_MOVE, MS_PRIVATE, MS_RDONLY, MS_REC, MS_REMOUNT,
    MS_SHARED, MS_SILENT, MS_SLAVE, MS_UNBINDABLE, PATH_MAX, UMOUNT_NOFOLLOW,
};
use crate::user_namespace::UserNamespace;
use alloc::vec::Vec;

const PROPAGATION: u64 = MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;

impl Kernel {
    /// mount(2). For a bind or a move `source` is a path; for a new filesystem it is
    /// only a name. An empty `fstype` stands for a null pointer.
    pub fn mount(
        &mut self,
        caller: TaskId,
        source: &str,
        target: &str,
        fstype: &str,
        flags: u64,
    ) -> Result<(), Denial> {
        let (task, at) = self.enter_mount(caller, &[fstype, source], target)?;
        if flags & (MS_REMOUNT | MS_BIND) == MS_REMOUNT | MS_BIND {
            self.do_reconfigure_mnt(task, at, flags)
        } else if flags & MS_REMOUNT != 0 {
            self.do_remount(task, at, flags)
        } else if flags & MS_BIND != 0 {
            self.do_loopback(task, source, at, flags & MS_REC != 0)
        } else if flags & PROPAGATION != 0 {
            self.do_change_type(task, at, flags)
        } else if flags & MS_MOVE != 0 {
            self.do_move_mount_old(task, source, at)
        } else {
            self.do_new_mount(task, at, fstype, flags, ProcContext::default())
        }
    }

    /// The beginning of each mount(2), up to the question of privilege: the caller, and
    /// the place.
    pub(super) fn enter_mount(
        &mut self,
        caller: TaskId,
        strings: &[&str],
        target: &str,
    ) -> Result<(Idx<Task>, Path), Denial> {
        let task = self.enter(caller, Call::Mount)?;
        // copy_mount_string: type and source are copied first, whatever they mean.
        let too_long = strings.iter().any(|string| string.len() >= PATH_MAX);
        self.refuse_if(too_long, Rule::MountStringTooLong)?;
        let at = self.lookup(task, target)?;
        // path_mount: security_sb_mount.
        self.hook(Hook::SbMount, Rule::MountLsm)?;
        // mount(2) EPERM: CAP_SYS_ADMIN in the owner of the mount namespace.
        let allowed = self.may_mount(task);
        self.refuse_if(!allowed, Rule::MountPrivilege)?;
        Ok((task, at))
    }

    fn do_change_type(&mut self, task: Idx<Task>, at: Path, flags: u64) -> Result<(), Denial> {
        // mount(2) EINVAL: not a mount point.
        let mounted = self.path_mounted(at);
        self.refuse_if(!mounted, Rule::MountNotMountpoint)?;
        // mount(2) EINVAL: one type, and MS_REC or MS_SILENT at most.
        let kind = match flags & !(MS_REC | MS_SILENT) {
            MS_SHARED => Some(Propagation::Shared),
            MS_PRIVATE => Some(Propagation::Private),
            MS_SLAVE => Some(Propagation::Slave),
            MS_UNBINDABLE => Some(Propagation::Unbindable),
            _ => None,
        };
        self.refuse_if(kind.is_none(), Rule::MountFlags)?;
        self.may_change_propagation(task, at.mnt)?;
        let Some(kind) = kind else { return Ok(()) };
        let tree = if flags & MS_REC != 0 { self.mount_tree(at.mnt) } else { alloc::vec![at.mnt] };
        for mnt in tree {
            self.change_mnt_propagation(mnt, kind);
        }
        Ok(())
    }

    /// mount(2): also a mount of another namespace, if the caller may mount there.
    fn may_change_propagation(&self, task: Idx<Task>, mnt: Idx<Mount>) -> Result<(), Denial> {
        if self.params.features.any_propagation_changed {
            return Ok(());
        }
        let ns = self.mounts[mnt].ns;
        self.refuse_if(ns.is_none(), Rule::PropagationUnmounted)?;
        let Some(ns) = ns else { return Ok(()) };
        let capable = self.ns_capable(task, self.ruling_user_ns(NsRef::Mnt(ns)), Cap::SysAdmin);
        self.refuse_if(!capable, Rule::PropagationPrivilege)
    }

    fn source(&mut self, task: Idx<Task>, source: &str) -> Result<Path, Denial> {
        // mount(2) EINVAL: no source.
        if source.is_empty() {
            return Err(self.params.denial(Rule::MountSourceEmpty));
        }
        self.lookup(task, source)
    }

    fn do_loopback(&mut self, task: Idx<Task>, source: &str, at: Path, recurse: bool) -> Result<(), Denial> {
        let old = self.source(task, source)?;
        self.check_bind_loop(task, self.dentries[old.dentry].ns)?;
        let at = self.lock_mount(at)?;
        // check_mnt: the place must be in the caller's namespace.
        let own = self.check_mnt(task, at.mnt);
        self.refuse_if(!own, Rule::MountForeign)?;
        self.check_copy(task, old, recurse)?;
        let how = CopyFlags { ns_files: true, ..CopyFlags::default() };
        let copy = self.loopback(old, recurse, how)?;
        self.graft_tree(copy, at)
    }

    /// A copy of the mount at a place, or of it and all that is mounted below.
    pub(super) fn loopback(
        &mut self,
        old: Path,
        recurse: bool,
        how: CopyFlags,
    ) -> Result<Idx<Mount>, Denial> {
        if recurse {
            Ok(self.copy_tree(old.mnt, old.dentry, how)?[0].1)
        } else {
            Ok(self.clone_mnt(old.mnt, old.dentry, how))
        }
    }

    /// The topmost mount on a place to mount on, which must not be unmounted.
    pub(super) fn lock_mount(&self, at: Path) -> Result<Path, Denial> {
        let at = self.follow_down(at);
        let asked = self.params.since(6, 15) || self.params.features.unmounted_place_is_gone;
        let gone = asked && self.mounts[at.mnt].ns.is_none();
        self.refuse_if(gone, Rule::MountGone)?;
        Ok(at)
    }

    /// `mount_namespaces(7)`: a mount namespace's file may be mounted only in an older
    /// mount namespace.
    fn check_bind_loop(&self, task: Idx<Task>, ns: Option<NsRef>) -> Result<(), Denial> {
        let Some(NsRef::Mnt(target)) = ns else {
            return Ok(());
        };
        let own = self.current_nsproxy(task).mnt;
        let younger = self.mnt_ns[own].common.id < self.mnt_ns[target].common.id;
        self.refuse_if(!younger, Rule::BindLoop)
    }

    pub(super) fn check_copy(&self, task: Idx<Task>, old: Path, recurse: bool) -> Result<(), Denial> {
        self.check_copy_of(task, old, recurse, false)
    }

    pub(super) fn check_copy_of(
        &self,
        task: Idx<Task>,
        old: Path,
        recurse: bool,
        unbindable_too: bool,
    ) -> Result<(), Denial> {
        // mount(2) EINVAL: an unbindable source.
        let unbindable = self.mounts[old.mnt].has(MNT_UNBINDABLE) && !unbindable_too;
        self.refuse_if(unbindable, Rule::BindUnbindable)?;
        // may_copy_tree: own mounts, and files of nsfs wherever they are.
        let may = self.check_mnt(task, old.mnt) || self.dentries[old.dentry].ns.is_some();
        self.refuse_if(!may, Rule::BindForeign)?;
        let reveals = !recurse && self.has_locked_children(old);
        // has_locked_children: what is locked below must not come to light.
        self.refuse_if(reveals, Rule::BindLockedChildren)
    }

    /// Attaches a new tree; the tree is dropped when that fails.
    /// `SB_NOUSER`: since 7.0 the root nobody sees is a filesystem like that.
    pub(super) fn refuse_nouser(&self, sb: Idx<SuperBlock>) -> Result<(), Denial> {
        self.refuse_if(self.supers[sb].fstype == FsType::Rootfs, Rule::MountNouser)
    }

    fn graft_tree(&mut self, top: Idx<Mount>, at: Path) -> Result<(), Denial> {
        self.mounts[top].flags &= !MNT_LOCKED;
        let dir = |dentry| self.dentries[dentry].dir;
        // mount(2) ENOTDIR: a directory on a file or the other way round.
        let mixed = dir(at.dentry) != dir(self.mounts[top].root);
        let grafted = self
            .refuse_nouser(self.mounts[top].sb)
            .and_then(|()| self.refuse_if(mixed, Rule::MountDirFile))
            .and_then(|()| self.attach_recursive_mnt(top, at, false));
        if grafted.is_err() {
            self.umount_all(top);
        }
        grafted
    }

    /// Mounts a namespace file, by descriptor, on a file: the namespace lives as long
    /// as it is mounted.
    pub fn bind_namespace(&mut self, caller: TaskId, fd: Fd, target: &str) -> Result<(), Denial> {
        let (task, at) = self.enter_mount(caller, &[], target)?;
        let FileKind::Ns(ns) = self.files_open[self.fget(task, fd)?].kind else {
            return Err(self.params.denial(Rule::MountSourceEmpty));
        };
        self.check_bind_loop(task, Some(ns))?;
        let at = self.lock_mount(at)?;
        // do_loopback EINVAL: a mount of another namespace.
        let own = self.check_mnt(task, at.mnt);
        self.refuse_if(!own, Rule::MountForeign)?;
        let readonly = self.nsfs_supers().any(|sb| self.supers[sb].readonly);
        let sb = self.new_super(FsType::Nsfs, self.init_user_ns, (0, 0));
        self.supers[sb].readonly = readonly;
        let root = self.supers[sb].root;
        self.get_ns(ns);
        self.dentries[root].dir = false;
        self.dentries[root].ns = Some(ns);
        let mnt = self.new_mount(sb, root, 0);
        self.put_super(sb);
        self.graft_tree(mnt, at)
    }

    fn do_move_mount_old(&mut self, task: Idx<Task>, source: &str, at: Path) -> Result<(), Denial> {
        let old = self.source(task, source)?;
        self.do_move_mount(task, old, at)
    }

    pub(super) fn do_move_mount(&mut self, task: Idx<Task>, old: Path, at: Path) -> Result<(), Denial> {
        // do_move_mount EINVAL: what is moved is a whole mount.
        let mounted = self.path_mounted(old);
        self.refuse_if(!mounted, Rule::MountNotMountpoint)?;
        let mixed = self.dentries[at.dentry].dir != self.dentries[old.dentry].dir;
        // mount(2) EINVAL: directories on directories.
        self.refuse_if(mixed, Rule::MoveDirFile)?;
        let at = self.lock_mount(at)?;
        // move_mount(2) EINVAL: from here, or a whole tree that is attached nowhere.
        let detached = self.detached_at(old.mnt);
        let own = (self.check_mnt(task, old.mnt) || detached.is_some()) && self.check_mnt(task, at.mnt);
        self.refuse_if(!own, Rule::MountForeign)?;
        let Mount { parent, root: top, .. } = self.mounts[old.mnt];
        // mount(2) EINVAL: the root of everything has no place to leave.
        let root = parent.is_none() && detached.is_none();
        self.refuse_if(root, Rule::MoveRoot)?;
        let locked = self.mounts[old.mnt].has(MNT_LOCKED);
        // mount_namespaces(7): a locked mount stays where it is.
        self.refuse_if(locked, Rule::MoveLocked)?;
        // mount(2) EINVAL: MS_MOVE out of a shared mount.
        let shared = parent.is_some_and(|parent| self.mounts[parent].shared());
        self.refuse_if(shared, Rule::MoveSharedParent)?;
        let tree = self.mount_tree(old.mnt);
        let unbindable =
            self.mounts[at.mnt].shared() && tree.iter().any(|mnt| self.mounts[*mnt].has(MNT_UNBINDABLE));
        // mount(2) EINVAL: an unbindable mount into a shared one.
        self.refuse_if(unbindable, Rule::MoveUnbindable)?;
        // mount(2) ELOOP: below itself.
        let inside = tree.contains(&at.mnt);
        self.refuse_if(inside, Rule::MoveLoop)?;
        if root || inside {
            return Ok(());
        }
        debug_assert_eq!(top, old.dentry);
        self.attach_recursive_mnt(old.mnt, at, detached.is_none())?;
        if let Some(ns) = detached {
            self.free_anon_ns(ns);
        }
        Ok(())
    }

    /// The user namespace that decides who may mount a filesystem of this type, or
    /// `None` where only the first one does.
    fn mount_owner(&self, task: Idx<Task>, fstype: FsType) -> Option<Idx<UserNamespace>> {
        let nsproxy = self.current_nsproxy(task);
        Some(match fstype {
            FsType::Proc => self.ruling_user_ns(NsRef::Pid(self.task_active_pid_ns(task))),
            FsType::Sysfs => self.ruling_user_ns(NsRef::Net(nsproxy.net)),
            FsType::Mqueue => self.ruling_user_ns(NsRef::Ipc(nsproxy.ipc)),
            FsType::Cgroup2 => self.ruling_user_ns(NsRef::Cgroup(nsproxy.cgroup)),
            FsType::Overlay if !self.params.since(5, 11) => return None,
            FsType::BinfmtMisc if !self.params.since(6, 7) => return None,
            FsType::Tmpfs | FsType::Ramfs | FsType::Devpts | FsType::Overlay | FsType::BinfmtMisc => {
                self.current_user_ns(task)
            }
            FsType::Disk | FsType::Rootfs | FsType::Nsfs => return None,
        })
    }

    /// mount(2) EPERM: `CAP_SYS_ADMIN` where the filesystem's namespace belongs. Returns
    /// the user namespace it is mounted from.
    pub(super) fn check_fs_privilege(
        &self,
        task: Idx<Task>,
        fstype: FsType,
        proc: ProcContext,
    ) -> Result<Idx<UserNamespace>, Denial> {
        let judge = match proc.pid_ns {
            Some(pid_ns) => self.ruling_user_ns(NsRef::Pid(pid_ns)),
            None => self.mount_owner(task, fstype).unwrap_or(self.init_user_ns),
        };
        let capable = self.ns_capable(task, judge, Cap::SysAdmin);
        // mount_capable
        self.refuse_if(!capable, Rule::FsPrivilege)?;
        Ok(judge)
    }

    /// A new mount of a filesystem, attached nowhere yet.
    pub(super) fn mount_new(
        &mut self,
        task: Idx<Task>,
        fstype: FsType,
        user_ns: Idx<UserNamespace>,
        flags: u32,
    ) -> Idx<Mount> {
        let sb = self.get_tree(task, fstype, user_ns, ProcContext::default(), false);
        let root = self.supers[sb].root;
        let mnt = self.new_mount(sb, root, flags);
        self.put_super(sb);
        mnt
    }

    pub(super) fn do_new_mount(
        &mut self,
        task: Idx<Task>,
        at: Path,
        fstype: &str,
        flags: u64,
        proc: ProcContext,
    ) -> Result<(), Denial> {
        // mount(2) EINVAL, ENODEV: which filesystem.
        if fstype.is_empty() {
            return Err(self.params.denial(Rule::FsTypeMissing));
        }
        let fstype = FsType::from_name(fstype).ok_or_else(|| self.params.denial(Rule::FsTypeUnknown))?;
        let judge = self.check_fs_privilege(task, fstype, proc)?;
        let mut mnt_flags = Self::mount_flags(flags, None);
        self.check_too_revealing(task, fstype, proc, &mut mnt_flags)?;
        let at = self.lock_mount(at)?;
        // do_add_mount EINVAL: a mount of another namespace.
        let own = self.check_mnt(task, at.mnt);
        self.refuse_if(!own, Rule::MountForeign)?;
        let sb = self.get_tree(task, fstype, judge, proc, flags & MS_RDONLY != 0);
        // mount(2) EBUSY: the same filesystem, at the same place, twice.
        let twice = self.mounts[at.mnt].sb == sb && self.path_mounted(at);
        if let Err(denial) = self.refuse_if(twice, Rule::MountTwice) {
            self.put_super(sb);
            return Err(denial);
        }
        let root = self.supers[sb].root;
        let mnt = self.new_mount(sb, root, mnt_flags);
        self.put_super(sb);
        self.graft_tree(mnt, at)
    }

    /// A filesystem to mount: for some types the one there is, else a new one. The
    /// reference is the caller's.
    fn get_tree(
        &mut self,
        task: Idx<Task>,
        fstype: FsType,
        user_ns: Idx<UserNamespace>,
        proc: ProcContext,
        readonly: bool,
    ) -> Idx<SuperBlock> {
        let nsproxy = self.current_nsproxy(task);
        let shown = match fstype {
            FsType::Sysfs => Some(NsRef::Net(nsproxy.net)),
            FsType::Mqueue => Some(NsRef::Ipc(nsproxy.ipc)),
            FsType::Cgroup2 => Some(NsRef::Cgroup(nsproxy.cgroup)),
            _ => None,
        };
        let shown = shown.map(|ns| self.ns_id(ns));
        let same = self
            .supers
            .iter()
            .find(|(_, sb)| sb.fstype == fstype && shown.is_some() && sb.shown == shown)
            .map(|(sb, _)| sb);
        if let Some(sb) = same {
            self.supers[sb].count += 1;
            return sb;
        }
        let cred = self.cred_of(task);
        let owner = match fstype {
            FsType::Proc | FsType::Sysfs => (self.root_of(user_ns), 0),
            _ => (cred.fsuid, cred.fsgid),
        };
        let sb = self.new_super(fstype, user_ns, owner);
        self.supers[sb].shown = shown;
        self.supers[sb].readonly = match shown.and_then(|ns| self.resolve_ns(ns)) {
            // The filesystem of the queues is there before anybody mounts it.
            Some(NsRef::Ipc(ns)) => self.ipc_ns[ns].contents.readonly,
            _ => readonly,
        };
        if fstype == FsType::Proc {
            let pid_ns = proc.pid_ns.unwrap_or_else(|| self.task_active_pid_ns(task));
            self.get_ns(NsRef::Pid(pid_ns));
            self.supers[sb].pid_ns = Some(pid_ns);
            self.supers[sb].subset_pid = proc.subset_pid;
        }
        sb
    }

    /// `reconfigure_super`
    pub(super) fn set_super_readonly(&mut self, sb: Idx<SuperBlock>, readonly: bool) -> Result<(), Denial> {
        let SuperBlock { shown, readonly: before, .. } = self.supers[sb];
        let written = |kind| matches!(kind, FileKind::Queue { ns, .. } if Some(ns) == shown);
        let busy = readonly && !before && self.files_open.iter().any(|(_, file)| written(file.kind));
        // mount(2) EBUSY: something is open for writing.
        self.refuse_if(busy, Rule::RemountBusy)?;
        self.supers[sb].readonly = readonly;
        if self.supers[sb].fstype == FsType::Nsfs {
            // Here each namespace file has one; there is but one nsfs.
            let all: Vec<Idx<SuperBlock>> = self.nsfs_supers().collect();
            for other in all {
                self.supers[other].readonly = readonly;
            }
        }
        if let Some(NsRef::Ipc(ns)) = self.supers[sb].shown.and_then(|ns| self.resolve_ns(ns)) {
            self.ipc_ns[ns].contents.readonly = readonly;
        }
        Ok(())
    }

    fn nsfs_supers(&self) -> impl Iterator<Item = Idx<SuperBlock>> {
        let nsfs = |sb: &SuperBlock| sb.fstype == FsType::Nsfs;
        self.supers.iter().filter(move |(_, sb)| nsfs(sb)).map(|(sb, _)| sb)
    }

    /// `mount_namespaces(7)`: a new proc or sysfs must not show more than one that is
    /// visible already, and takes over what is locked there.
    pub(super) fn check_too_revealing(
        &self,
        task: Idx<Task>,
        fstype: FsType,
        proc: ProcContext,
        flags: &mut u32,
    ) -> Result<(), Denial> {
        // From 7.2 on a proc that shows only processes reveals nothing.
        let harmless = proc.subset_pid && self.params.since(7, 2);
        if harmless || !matches!(fstype, FsType::Proc | FsType::Sysfs) {
            return Ok(());
        }
        let ns = self.current_nsproxy(task).mnt;
        if self.ruling_user_ns(NsRef::Mnt(ns)) == self.init_user_ns {
            return Ok(());
        }
        let visible = self
            .mounts
            .iter()
            .filter(|(_, mount)| mount.ns == Some(ns))
            .filter(|(mnt, _)| self.fully_visible(*mnt, fstype, *flags))
            .min_by_key(|(_, mount)| mount.id);
        // mount_too_revealing
        self.refuse_if(visible.is_none(), Rule::MountTooRevealing)?;
        if let Some((_, mount)) = visible {
            *flags |= self.locks_shown(mount) & (MNT_LOCK_READONLY | MNT_LOCK_ATIME);
        }
        Ok(())
    }

    /// The flags of a mount, of which a read-only filesystem locks one.
    fn locks_shown(&self, mount: &Mount) -> u32 {
        if self.supers[mount.sb].readonly { mount.flags | MNT_LOCK_READONLY } else { mount.flags }
    }

    fn fully_visible(&self, mnt: Idx<Mount>, fstype: FsType, flags: u32) -> bool {
        let mount = &self.mounts[mnt];
        let sb = &self.supers[mount.sb];
        let shown = self.locks_shown(mount);
        let readonly_kept = shown & MNT_LOCK_READONLY == 0 || flags & MNT_READONLY != 0;
        let atime_kept = shown & MNT_LOCK_ATIME == 0 || flags & MNT_ATIME_MASK == shown & MNT_ATIME_MASK;
        let uncovered = self.submounts(mnt).all(|child| {
            let child = &self.mounts[child];
            !child.has(MNT_LOCKED) || self.dentries[child.mountpoint].always_empty
        });
        let whole = !sb.subset_pid || !self.params.since(7, 2);
        whole && sb.fstype == fstype && sb.root == mount.root && readonly_kept && atime_kept && uncovered
    }

    /// umount2(2).
    pub fn umount(&mut self, caller: TaskId, target: &str, flags: u32) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Umount)?;
        // umount(2) EINVAL: unknown flags.
        let known = MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW;
        self.refuse_if(flags & !known != 0, Rule::UmountFlags)?;
        let at = self.lookup_to_umount(task, target)?;
        self.can_umount(task, at, flags)?;
        self.do_umount(task, at.mnt, flags)
    }

    fn can_umount(&self, task: Idx<Task>, at: Path, flags: u32) -> Result<(), Denial> {
        // umount(2) EPERM.
        let allowed = self.may_mount(task);
        self.refuse_if(!allowed, Rule::MountPrivilege)?;
        // umount(2) EINVAL: not a mount point.
        let mounted = self.path_mounted(at);
        self.refuse_if(!mounted, Rule::UmountNotMountpoint)?;
        let own = self.check_mnt(task, at.mnt);
        // check_mnt: mounts of another namespace are left alone.
        self.refuse_if(!own, Rule::UmountForeign)?;
        // umount(2) EINVAL: locked.
        let locked = self.mounts[at.mnt].has(MNT_LOCKED);
        self.refuse_if(locked, Rule::UmountLocked)?;
        // umount(2) EPERM: MNT_FORCE.
        let by_owner = self.params.features.owner_forces_umount;
        let owner = if by_owner { self.supers[self.mounts[at.mnt].sb].user_ns } else { self.init_user_ns };
        let forced = flags & MNT_FORCE != 0 && !self.ns_capable(task, owner, Cap::SysAdmin);
        self.refuse_if(forced, Rule::UmountForce)
    }

    fn do_umount(&mut self, task: Idx<Task>, mnt: Idx<Mount>, flags: u32) -> Result<(), Denial> {
        // do_umount: security_sb_umount.
        self.hook(Hook::SbMount, Rule::MountLsm)?;
        let own_root = self.tasks[task].fs.is_some_and(|fs| self.fss[fs].root.mnt == mnt);
        if flags & MNT_EXPIRE != 0 {
            // umount(2) EINVAL: MNT_EXPIRE alone, and not on one's root.
            let mixed = own_root || flags & (MNT_FORCE | MNT_DETACH) != 0;
            self.refuse_if(mixed, Rule::UmountFlags)?;
            // umount(2) EBUSY, EAGAIN: unused at two calls in a row.
            let used = self.mounts[mnt].count > 0 || self.mounts[mnt].first_child.is_some();
            self.refuse_if(used, Rule::UmountBusy)?;
            if !self.mounts[mnt].has(MNT_EXPIRED) {
                self.mounts[mnt].flags |= MNT_EXPIRED;
                // umount(2) EAGAIN: the first of the two calls.
                return self.refuse_if(true, Rule::UmountExpire);
            }
        }
        if own_root && flags & MNT_DETACH == 0 {
            // umount(2) of one's own root makes its filesystem read-only instead.
            let sb = self.mounts[mnt].sb;
            let allowed = self.ns_capable(task, self.supers[sb].user_ns, Cap::SysAdmin);
            self.refuse_if(!allowed, Rule::RemountSuper)?;
            self.refuse_nouser(sb)?;
            return self.set_super_readonly(sb, true);
        }
        // umount(2) EINVAL: the root of the tree.
        let top = self.mounts[mnt].parent.is_none();
        self.refuse_if(top, Rule::UmountRoot)?;
        if top {
            return Ok(());
        }
        if flags & MNT_DETACH != 0 {
            self.umount_tree(mnt, Umount::Lazy);
            return Ok(());
        }
        // umount(2) EBUSY.
        let busy = self.propagate_mount_busy(mnt);
        self.refuse_if(busy, Rule::UmountBusy)?;
        self.umount_tree(mnt, Umount::Sync);
        Ok(())
    }
}
