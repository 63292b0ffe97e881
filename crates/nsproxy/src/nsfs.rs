//! Namespaces as files: links, ioctls, file handles (`fs/nsfs.c`, `fs/proc/namespaces.c`).

use crate::Kernel;
use crate::arena::Idx;
use crate::capability::Cap;
use crate::file::{Fd, FileKind};
use crate::mount::MntNamespace;
use crate::ns_common::{NsId, NsKind, NsRef};
use crate::params::{Call, Release};
use crate::pid_namespace::PidNamespace;
use crate::pidfs::{PidfdAnswer, PidfdIoctl};
use crate::ptrace::Mode;
use crate::rule::{Denial, Rule};
use crate::task::{Task, TaskId};
use alloc::string::String;
use alloc::vec::Vec;

/// The entries of `/proc/PID/ns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NsLink {
    /// One of the eight kinds.
    Own(NsKind),
    /// `pid_for_children`
    PidForChildren,
    /// `time_for_children`
    TimeForChildren,
}

impl NsLink {
    /// All of them, in the order in which the kernel lists the directory.
    pub const ALL: [Self; 10] = [
        Self::Own(NsKind::Net),
        Self::Own(NsKind::Uts),
        Self::Own(NsKind::Ipc),
        Self::Own(NsKind::Pid),
        Self::PidForChildren,
        Self::Own(NsKind::User),
        Self::Own(NsKind::Mnt),
        Self::Own(NsKind::Cgroup),
        Self::Own(NsKind::Time),
        Self::TimeForChildren,
    ];

    /// The name of the link.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Own(kind) => kind.name(),
            Self::PidForChildren => "pid_for_children",
            Self::TimeForChildren => "time_for_children",
        }
    }

    /// The link with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|link| link.name() == name)
    }
}

/// What a namespace is known by from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NsInfo {
    /// Its handle in this crate.
    pub id: NsId,
    /// The inode number its link shows. Used again when the namespace is gone.
    pub inum: u32,
    /// The 64-bit id, never used again.
    pub ns_id: u64,
}

/// The requests of `ioctl_nsfs(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NsIoctl {
    /// `NS_GET_USERNS`
    GetUserns,
    /// `NS_GET_PARENT`
    GetParent,
    /// `NS_GET_NSTYPE`
    GetNstype,
    /// `NS_GET_OWNER_UID`
    GetOwnerUid,
    /// `NS_GET_MNTNS_ID`
    GetMntnsId,
    /// `NS_GET_PID_FROM_PIDNS` of a number there.
    GetPidFromPidns(u32),
    /// `NS_GET_TGID_FROM_PIDNS` of a number there.
    GetTgidFromPidns(u32),
    /// `NS_GET_PID_IN_PIDNS` of a number here.
    GetPidInPidns(u32),
    /// `NS_GET_TGID_IN_PIDNS` of a number here.
    GetTgidInPidns(u32),
    /// `NS_MNT_GET_INFO`, with the size of the structure; `None` is a null pointer.
    MntGetInfo(Option<u32>),
    /// `NS_MNT_GET_NEXT`; the flag says whether a structure is given.
    MntGetNext(bool),
    /// `NS_MNT_GET_PREV`; the flag says whether a structure is given.
    MntGetPrev(bool),
    /// `NS_GET_ID`
    GetId,
    /// Any other request.
    Unknown,
}

/// What a request answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NsAnswer {
    /// A new descriptor.
    Fd(Fd),
    /// A number: a type, an id, a uid, a pid.
    Number(u64),
    /// `NS_MNT_GET_INFO`: how many mounts, and the id.
    Mounts {
        /// Mounts but the root one.
        count: u32,
        /// The namespace's id.
        id: u64,
    },
}

/// `name_to_handle_at` for a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NsHandle {
    /// The 64-bit id.
    pub ns_id: u64,
    /// Its `CLONE_NEW*` bit.
    pub ns_type: u64,
    /// Its inode number.
    pub inum: u32,
}

impl Kernel {
    pub(crate) fn ns_info(&self, ns: NsRef) -> NsInfo {
        let common = self.common(ns);
        NsInfo { id: self.ns_id(ns), inum: common.inum, ns_id: common.id }
    }

    /// The namespace behind a link. A zombie has only its user and pid namespace.
    pub(crate) fn proc_ns_get(&self, task: Idx<Task>, link: NsLink) -> Result<NsRef, Denial> {
        if let NsLink::Own(NsKind::User | NsKind::Pid) = link {
            let [user, pid] = self.zombie_refs(task);
            return Ok(if link == NsLink::Own(NsKind::User) { user } else { pid });
        }
        // namespaces(7): the links of an exited process are gone.
        let nsproxy = self.nsproxy_of(task).ok_or_else(|| self.params.denial(Rule::LinkGone))?;
        Ok(match link {
            NsLink::Own(NsKind::Mnt) => NsRef::Mnt(nsproxy.mnt),
            NsLink::Own(NsKind::Uts) => NsRef::Uts(nsproxy.uts),
            NsLink::Own(NsKind::Ipc) => NsRef::Ipc(nsproxy.ipc),
            NsLink::Own(NsKind::Net) => NsRef::Net(nsproxy.net),
            NsLink::Own(NsKind::Time) => NsRef::Time(nsproxy.time),
            NsLink::TimeForChildren => NsRef::Time(nsproxy.time_for_children),
            NsLink::PidForChildren => {
                let ns = nsproxy.pid_for_children;
                // pid_namespaces(7), up to 7.0: nothing to show before the first process.
                let empty = !self.pid_ns[ns].had_init;
                self.refuse_if(empty, Rule::PidForChildrenEmpty)?;
                NsRef::Pid(ns)
            }
            NsLink::Own(_) => NsRef::Cgroup(nsproxy.cgroup),
        })
    }

    fn check_link(&self, reader: Idx<Task>, target: Idx<Task>) -> Result<(), Denial> {
        // namespaces(7): PTRACE_MODE_READ_FSCREDS.
        let allowed = self.ptrace_may_access(reader, target, Mode::ReadFscreds);
        self.refuse_if(!allowed, Rule::PtraceAccess)
    }

    /// `readlink /proc/PID/ns/NAME`, as text.
    pub fn readlink_ns(&self, reader: TaskId, target: TaskId, link: NsLink) -> Result<String, Denial> {
        let info = self.stat_ns(reader, target, link)?;
        Ok(alloc::format!("{}:[{}]", info.id.kind(), info.inum))
    }

    /// The namespace behind `/proc/PID/ns/NAME`, if `reader` may know.
    pub fn stat_ns(&self, reader: TaskId, target: TaskId, link: NsLink) -> Result<NsInfo, Denial> {
        let reader = self.enter(reader, Call::Open)?;
        let target = self.observe(target)?;
        self.check_link(reader, target)?;
        Ok(self.ns_info(self.proc_ns_get(target, link)?))
    }

    /// The namespaces of a task, for the host: no permission is asked for. `None`
    /// for those an exited task has lost.
    pub fn namespaces_of(&self, task: TaskId) -> Result<[(NsLink, Option<NsInfo>); 10], Denial> {
        let task = self.observe(task)?;
        Ok(NsLink::ALL.map(|link| {
            let ns = self.proc_ns_get(task, link).ok();
            (link, ns.map(|ns| self.ns_info(ns)))
        }))
    }

    /// Lists `/proc/PID/ns`: the names of the kinds that are built, for the process's owner.
    pub fn list_ns(&self, reader: TaskId, target: TaskId) -> Result<Vec<NsLink>, Denial> {
        let reader = self.enter(reader, Call::Open)?;
        let target = self.observe(target)?;
        // proc_pid_ns(5): mode 0511, so others search it and read nothing.
        let (uid, gid) = self.task_dump_owner(target);
        let allowed = self.proc_file_writable(reader, target)
            || self.capable_wrt_inode(reader, uid, gid, Cap::DacReadSearch);
        self.refuse_if(!allowed, Rule::NsDirAccess)?;
        let built = |link: &NsLink| match link {
            NsLink::Own(kind) => self.params.features.built(*kind),
            NsLink::PidForChildren => self.params.features.built(NsKind::Pid),
            NsLink::TimeForChildren => self.params.features.built(NsKind::Time),
        };
        Ok(NsLink::ALL.into_iter().filter(built).collect())
    }

    /// The same by number, in the caller's pid namespace.
    pub fn list_ns_of(&self, caller: TaskId, pid: i32) -> Result<Vec<NsLink>, Denial> {
        let task = self.enter(caller, Call::Open)?;
        self.check_free_fd(task)?;
        let target = self.task_by_vpid(task, i64::from(pid))?;
        self.list_ns(caller, self.task_id(target))
    }

    /// Opens `/proc/PID/ns/NAME`; `pid` is in the caller's pid namespace.
    pub fn open_ns(&mut self, caller: TaskId, pid: i32, link: NsLink) -> Result<Fd, Denial> {
        self.open_ns_mode(caller, pid, link, false)
    }

    /// The same, and says whether it is opened for writing.
    pub fn open_ns_mode(
        &mut self,
        caller: TaskId,
        pid: i32,
        link: NsLink,
        write: bool,
    ) -> Result<Fd, Denial> {
        let task = self.enter(caller, Call::Open)?;
        self.check_free_fd(task)?;
        let target = self.task_by_vpid(task, i64::from(pid))?;
        self.check_link(task, target)?;
        let ns = self.proc_ns_get(target, link)?;
        // namespaces(7): the file is immutable.
        self.refuse_if(write, Rule::NsOpenReadOnly)?;
        self.open_ns_ref(task, ns)
    }

    pub(crate) fn open_ns_ref(&mut self, task: Idx<Task>, ns: NsRef) -> Result<Fd, Denial> {
        self.get_ns(ns);
        self.open_file(task, FileKind::Ns(ns), true)
    }

    /// Whether a task may see namespaces that are none of its business.
    pub(crate) fn may_see_all_namespaces(&self, task: Idx<Task>) -> bool {
        self.task_active_pid_ns(task) == self.init_pid_ns && self.capable(task, Cap::SysAdmin)
    }

    /// `ioctl_nsfs(2)`.
    pub fn ns_ioctl(&mut self, caller: TaskId, fd: Fd, request: NsIoctl) -> Result<NsAnswer, Denial> {
        let task = self.enter(caller, Call::Ioctl)?;
        let ns = match self.files_open[self.fget(task, fd)?].kind {
            FileKind::Ns(ns) => ns,
            other => {
                if let FileKind::Pidfd { pid, thread, .. } = other {
                    self.pidfd_looks_first(task, pid, thread, request.has_argument())?;
                }
                // ioctl(2) ENOTTY: another kind of file.
                return Err(self.params.denial(Rule::NsIoctlNotNamespace));
            }
        };
        let old = self.params.release < request.since();
        // ns_ioctl ENOTTY: a request of a later release, or none at all.
        self.refuse_if(old || request == NsIoctl::Unknown, Rule::NsIoctlUnknown)?;
        match request {
            NsIoctl::GetUserns => self.ns_get_owner(task, ns),
            NsIoctl::GetParent => self.ns_get_parent(task, ns),
            NsIoctl::GetNstype | NsIoctl::Unknown => Ok(NsAnswer::Number(ns.kind().flag())),
            NsIoctl::GetOwnerUid => self.ns_get_owner_uid(task, ns),
            NsIoctl::GetId => Ok(NsAnswer::Number(self.common(ns).id)),
            NsIoctl::GetMntnsId => {
                self.mnt_ns_of(ns)?;
                Ok(NsAnswer::Number(self.common(ns).id))
            }
            NsIoctl::GetPidFromPidns(nr) => self.pid_from_pidns(task, ns, nr, false),
            NsIoctl::GetTgidFromPidns(nr) => self.pid_from_pidns(task, ns, nr, true),
            NsIoctl::GetPidInPidns(nr) => self.pid_in_pidns(task, ns, nr, false),
            NsIoctl::GetTgidInPidns(nr) => self.pid_in_pidns(task, ns, nr, true),
            NsIoctl::MntGetInfo(size) => self.mnt_get_info(ns, size),
            NsIoctl::MntGetNext(info) => self.mnt_get_next(task, ns, info, true),
            NsIoctl::MntGetPrev(info) => self.mnt_get_next(task, ns, info, false),
        }
    }

    /// `open_related_ns`: before 6.11 it began with the descriptor.
    fn check_fd_first(&self, task: Idx<Task>) -> Result<(), Denial> {
        if self.params.since(6, 11) { Ok(()) } else { self.check_free_fd(task) }
    }

    fn ns_get_owner(&mut self, task: Idx<Task>, ns: NsRef) -> Result<NsAnswer, Denial> {
        self.check_fd_first(task)?;
        // ioctl_nsfs(2) EPERM: outside what the caller's user namespace can see.
        let own = self.current_user_ns(task);
        let owner = self.common(ns).owner.filter(|owner| self.in_userns(own, *owner));
        self.refuse_if(owner.is_none(), Rule::NsGetUsernsScope)?;
        let owner = owner.unwrap_or(own);
        self.open_ns_ref(task, NsRef::User(owner)).map(NsAnswer::Fd)
    }

    fn ns_get_parent(&mut self, task: Idx<Task>, ns: NsRef) -> Result<NsAnswer, Denial> {
        match ns {
            NsRef::User(_) => self.ns_get_owner(task, ns),
            NsRef::Pid(pid_ns) => {
                self.check_fd_first(task)?;
                let active = self.task_active_pid_ns(task);
                // ioctl_nsfs(2) EPERM: above the caller's pid namespace.
                let parent = self.pid_ns[pid_ns].parent.filter(|parent| self.in_pidns(active, *parent));
                self.refuse_if(parent.is_none(), Rule::NsGetParentScope)?;
                let parent = NsRef::Pid(parent.unwrap_or(active));
                self.open_ns_ref(task, parent).map(NsAnswer::Fd)
            }
            _ => {
                // ioctl_nsfs(2) EINVAL: no hierarchy.
                self.refuse_if(true, Rule::NsGetParentKind)?;
                Ok(NsAnswer::Number(0))
            }
        }
    }

    fn ns_get_owner_uid(&self, task: Idx<Task>, ns: NsRef) -> Result<NsAnswer, Denial> {
        let NsRef::User(user_ns) = ns else {
            // ioctl_nsfs(2) EINVAL: not a user namespace.
            self.refuse_if(true, Rule::NsGetOwnerUidKind)?;
            return Ok(NsAnswer::Number(0));
        };
        let owner = self.user_ns[user_ns].owner;
        let uid = self.kuid_seen_from(self.current_user_ns(task), owner);
        Ok(NsAnswer::Number(u64::from(uid)))
    }

    fn mnt_ns_of(&self, ns: NsRef) -> Result<Idx<MntNamespace>, Denial> {
        match ns {
            NsRef::Mnt(mnt) => Ok(mnt),
            // ioctl_nsfs(2) EINVAL: not a mount namespace.
            _ => Err(self.params.denial(Rule::NsMntKind)),
        }
    }

    fn mnt_get_info(&self, ns: NsRef, size: Option<u32>) -> Result<NsAnswer, Denial> {
        // ioctl_nsfs(2) ENOTTY: a structure of less than 16 bytes makes it no request.
        let small = size.is_some_and(|size| size < 16);
        self.refuse_if(small, Rule::NsMntInfoSize)?;
        let mnt = self.mnt_ns_of(ns)?;
        // ioctl_nsfs(2): a place of at least 16 bytes to write to.
        self.refuse_if(size.is_none() || small, Rule::NsMntInfo)?;
        let MntNamespace { nr_mounts, common, .. } = self.mnt_ns[mnt];
        Ok(NsAnswer::Mounts { count: nr_mounts.saturating_sub(1), id: common.id })
    }

    fn mnt_get_next(
        &mut self,
        task: Idx<Task>,
        ns: NsRef,
        info: bool,
        next: bool,
    ) -> Result<NsAnswer, Denial> {
        // ioctl_nsfs(2) EPERM: since 7.0, and in the stable releases of 6.12 and 6.18.
        let gap = (Release::new(6, 13)..Release::new(6, 18)).contains(&self.params.release)
            || self.params.release == Release::new(6, 19);
        let allowed = gap || self.may_see_all_namespaces(task);
        self.refuse_if(!allowed, Rule::NsMntNextPrivilege)?;
        let mnt = self.mnt_ns_of(ns)?;
        // ns_ioctl EINVAL: NS_MNT_GET_NEXT and NS_MNT_GET_PREV have an argument.
        self.refuse_if(!info, Rule::NsMntNextNull)?;
        let own = self.mnt_ns[mnt].common.id;
        // ns_ioctl ENOENT: none that the caller rules lies beyond.
        let found = self
            .mnt_ns
            .iter()
            .filter(|(_, other)| !other.anon)
            .filter(|(_, other)| {
                let owner = other.common.owner.unwrap_or(self.init_user_ns);
                let beyond = if next { other.common.id > own } else { other.common.id < own };
                beyond && self.ns_capable(task, owner, Cap::SysAdmin)
            })
            .min_by_key(|(_, other)| other.common.id.abs_diff(own))
            .map(|(found, _)| found)
            .ok_or_else(|| self.params.denial(Rule::NsMntNextEnd))?;
        self.open_ns_ref(task, NsRef::Mnt(found)).map(NsAnswer::Fd)
    }

    /// A request for pidfds on a namespace file. On 6.12 and 6.13 the number alone
    /// says what is asked where the request has a structure.
    pub(crate) fn ns_mistakes_request(
        &mut self,
        task: Idx<Task>,
        ns: NsRef,
        request: PidfdIoctl,
    ) -> Result<PidfdAnswer, Denial> {
        let by_number = self.params.since(6, 12) && !self.params.since(6, 14);
        match request {
            // The number of NS_MNT_GET_INFO, with a structure of no size.
            PidfdIoctl::GetNamespace(NsLink::Own(NsKind::Uts), _) if by_number => {
                self.mnt_ns_of(ns)?;
                Err(self.params.denial(Rule::NsMntInfo))
            }
            // The number of NS_MNT_GET_NEXT.
            PidfdIoctl::GetInfo(size) if by_number => match self.mnt_get_next(task, ns, size >= 16, true)? {
                NsAnswer::Fd(fd) => Ok(PidfdAnswer::Fd(fd)),
                _ => Err(self.params.denial(Rule::PidfdIoctlNotPidfd)),
            },
            _ => Err(self.params.denial(Rule::PidfdIoctlNotPidfd)),
        }
    }

    fn pid_ns_of(&self, ns: NsRef) -> Result<Idx<PidNamespace>, Denial> {
        match ns {
            NsRef::Pid(pid) => Ok(pid),
            // ioctl_nsfs(2) EINVAL: not a pid namespace.
            _ => Err(self.params.denial(Rule::NsPidKind)),
        }
    }

    /// One number, looked up in one pid namespace and told in another.
    fn translate_pid(
        &self,
        from: Idx<PidNamespace>,
        to: Idx<PidNamespace>,
        nr: u32,
        group: bool,
    ) -> Result<NsAnswer, Denial> {
        // ioctl_nsfs(2) ESRCH: no such process, or it has no number there.
        let unknown = self.params.denial(Rule::NsPidUnknown);
        let task = self.find_task_by_pid_ns(nr, from).ok_or(unknown)?;
        let task = if group { self.signal_of(task).leader } else { task };
        match self.pid_nr_ns(self.tasks[task].pid, to) {
            0 => Err(unknown),
            nr => Ok(NsAnswer::Number(u64::from(nr))),
        }
    }

    fn pid_from_pidns(&self, task: Idx<Task>, ns: NsRef, nr: u32, group: bool) -> Result<NsAnswer, Denial> {
        let from = self.pid_ns_of(ns)?;
        self.translate_pid(from, self.task_active_pid_ns(task), nr, group)
    }

    fn pid_in_pidns(&self, task: Idx<Task>, ns: NsRef, nr: u32, group: bool) -> Result<NsAnswer, Denial> {
        let to = self.pid_ns_of(ns)?;
        self.translate_pid(self.task_active_pid_ns(task), to, nr, group)
    }

    /// `name_to_handle_at(2)` on a namespace file.
    pub fn ns_handle(&self, caller: TaskId, fd: Fd) -> Result<NsHandle, Denial> {
        let task = self.enter(caller, Call::NameToHandle)?;
        let FileKind::Ns(ns) = self.files_open[self.fget(task, fd)?].kind else {
            return Err(self.params.denial(Rule::NsIoctlNotNamespace));
        };
        self.refuse_if(true, Rule::HandleUnsupported)?;
        let common = self.common(ns);
        Ok(NsHandle { ns_id: common.id, ns_type: ns.kind().flag(), inum: common.inum })
    }

    /// `open_by_handle_at(2)` on nsfs.
    pub fn open_ns_handle(&mut self, caller: TaskId, handle: NsHandle) -> Result<Fd, Denial> {
        let task = self.enter(caller, Call::OpenByHandle)?;
        self.refuse_if(true, Rule::HandleUnsupported)?;
        let NsHandle { ns_id, ns_type, inum } = handle;
        let by_id_only = self.params.since(6, 19) && ns_type == 0 && inum == 0;
        let found = self.all_ns().into_iter().find(|ns| {
            let common = self.common(*ns);
            let exact = common.inum == inum && ns.kind().flag() == ns_type;
            common.id == ns_id && (exact || by_id_only)
        });
        let active = self.params.since(6, 19).then(|| self.active_namespaces());
        // open_by_handle_at(2) ESTALE: nothing there, or nothing to be seen.
        let found = found
            .filter(|ns| active.as_ref().is_none_or(|active| active.contains(ns)))
            .ok_or_else(|| self.params.denial(Rule::HandleBad))?;
        let owner = self.ruling_user_ns(found);
        let privileged = if self.params.since(7, 0) {
            self.may_see_all_namespaces(task)
        } else {
            self.ns_capable(task, owner, Cap::SysAdmin)
        };
        let allowed = privileged || self.is_own_namespace(task, found);
        // nsfs_export_permission
        self.refuse_if(!allowed, Rule::HandlePermission)?;
        self.open_ns_ref(task, found)
    }

    /// Whether a namespace is one of the caller's.
    pub(crate) fn is_own_namespace(&self, task: Idx<Task>, ns: NsRef) -> bool {
        match ns {
            // What only the children will be in is not the task's own.
            NsRef::User(_) | NsRef::Pid(_) => self.zombie_refs(task).contains(&ns),
            NsRef::Time(time) => self.current_nsproxy(task).time == time,
            _ => self.current_nsproxy(task).refs().contains(&ns),
        }
    }
}

impl NsIoctl {
    /// The release a request came with.
    const fn since(self) -> Release {
        match self {
            Self::GetMntnsId
            | Self::GetPidFromPidns(_)
            | Self::GetTgidFromPidns(_)
            | Self::GetPidInPidns(_)
            | Self::GetTgidInPidns(_) => Release::new(6, 11),
            Self::MntGetInfo(_) | Self::MntGetNext(_) | Self::MntGetPrev(_) => Release::new(6, 12),
            Self::GetId => Release::new(6, 18),
            _ => Release::new(4, 11),
        }
    }

    /// Whether the third argument of the call is not 0.
    const fn has_argument(self) -> bool {
        match self {
            Self::GetOwnerUid | Self::GetMntnsId | Self::GetId => true,
            Self::GetPidFromPidns(nr)
            | Self::GetTgidFromPidns(nr)
            | Self::GetPidInPidns(nr)
            | Self::GetTgidInPidns(nr) => nr != 0,
            Self::MntGetInfo(size) => size.is_some(),
            Self::MntGetNext(info) | Self::MntGetPrev(info) => info,
            Self::GetUserns | Self::GetParent | Self::GetNstype | Self::Unknown => false,
        }
    }
}
