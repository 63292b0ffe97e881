//! The nsproxy: one shared record of a task's namespaces, and the three ways to
//! another one: clone, unshare, setns (`kernel/nsproxy.c`).

use crate::Kernel;
use crate::arena::Idx;
use crate::capability::Cap;
use crate::cgroup::CgroupNamespace;
use crate::cred::Cred;
use crate::file::{Fd, FileKind};
use crate::ipc::IpcNamespace;
use crate::mount::MntNamespace;
use crate::net::NetNamespace;
use crate::ns_common::{NsKind, NsRef};
use crate::params::Call;
use crate::pid::Pid;
use crate::pid_namespace::PidNamespace;
use crate::ptrace::Mode;
use crate::rule::{Denial, Rule};
use crate::task::{Fs, Task, TaskId};
use crate::time_namespace::TimeNamespace;
use crate::uapi::{
    CLONE_EMPTY_MNTNS, CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNS, CLONE_NEWTIME, CLONE_NS_FLAGS,
    CLONE_PROXY_FLAGS, CLONE_SYSVSEM, CLONE_VM, UNSHARE_EMPTY_MNTNS,
};
use crate::ucount::Ucounts;
use crate::user_namespace::UserNamespace;
use crate::utsname::UtsNamespace;

/// The namespaces of a task but for the user namespace, which belongs to its
/// credentials. Tasks that share all of them share one record.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NsProxy {
    pub(crate) count: u32,
    pub(crate) mnt: Idx<MntNamespace>,
    pub(crate) uts: Idx<UtsNamespace>,
    pub(crate) ipc: Idx<IpcNamespace>,
    pub(crate) pid_for_children: Idx<PidNamespace>,
    pub(crate) cgroup: Idx<CgroupNamespace>,
    pub(crate) net: Idx<NetNamespace>,
    pub(crate) time: Idx<TimeNamespace>,
    pub(crate) time_for_children: Idx<TimeNamespace>,
}

impl NsProxy {
    /// How many of them a call can make: all but the time namespace it stays in.
    const NEW: usize = 7;

    /// What the record holds, in the order in which new namespaces are made.
    pub(crate) fn refs(&self) -> [NsRef; 8] {
        [
            NsRef::Mnt(self.mnt),
            NsRef::Uts(self.uts),
            NsRef::Ipc(self.ipc),
            NsRef::Pid(self.pid_for_children),
            NsRef::Cgroup(self.cgroup),
            NsRef::Net(self.net),
            NsRef::Time(self.time_for_children),
            NsRef::Time(self.time),
        ]
    }
}

/// What is settled before a call makes its first namespace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Making {
    pub(crate) caller: Idx<Task>,
    /// The kinds, as `CLONE_NEW*` bits, and what else the call says.
    pub(crate) flags: u64,
    /// The owner-to-be.
    pub(crate) user_ns: Idx<UserNamespace>,
    /// The record all of them are charged to already; without it each is charged when its
    /// turn comes.
    pub(crate) charged: Option<Idx<Ucounts>>,
}

/// The root and working directory a setns with a mount namespace works on.
#[derive(Debug)]
enum NsSetFs {
    None,
    /// The caller's own: the mount namespace is all that is asked for.
    Live(Idx<Fs>),
    /// A copy, installed at the end.
    Copy(Idx<Fs>),
}

/// What setns prepares before it commits.
#[derive(Debug)]
pub(crate) struct NsSet {
    flags: u64,
    pub(crate) nsproxy: NsProxy,
    fs: NsSetFs,
    /// Changeable credentials, when a user namespace is joined.
    pub(crate) cred: Option<Cred>,
}

impl NsSet {
    pub(crate) fn fs(&self) -> Option<Idx<Fs>> {
        match self.fs {
            NsSetFs::None => None,
            NsSetFs::Live(fs) | NsSetFs::Copy(fs) => Some(fs),
        }
    }
}

impl Kernel {
    /// The nsproxy of a task that has not exited.
    pub(crate) fn nsproxy_of(&self, task: Idx<Task>) -> Option<&NsProxy> {
        self.tasks[task].nsproxy.map(|nsproxy| &self.nsproxies[nsproxy])
    }

    /// The nsproxy of a running caller.
    pub(crate) fn current_nsproxy(&self, task: Idx<Task>) -> NsProxy {
        let nsproxy = self.tasks[task].nsproxy;
        self.nsproxies[nsproxy.expect("a running task has an nsproxy")]
    }

    /// A record with references of its own.
    fn copy_nsproxy(&mut self, old: &NsProxy) -> NsProxy {
        self.mnt_ns[old.mnt].common.count += 1;
        self.uts_ns[old.uts].common.count += 1;
        self.ipc_ns[old.ipc].common.count += 1;
        self.pid_ns[old.pid_for_children].common.count += 1;
        self.cgroup_ns[old.cgroup].common.count += 1;
        self.net_ns[old.net].common.count += 1;
        self.time_ns[old.time].common.count += 1;
        self.time_ns[old.time_for_children].common.count += 1;
        NsProxy { count: 1, ..*old }
    }

    fn put_nsproxy_refs(&mut self, nsproxy: &NsProxy) {
        let NsProxy { count: _, mnt, uts, ipc, pid_for_children, cgroup, net, time, time_for_children } =
            *nsproxy;
        self.put_mnt_ns(mnt);
        self.put_uts_ns(uts);
        self.put_ipc_ns(ipc);
        self.put_pid_ns(pid_for_children);
        self.put_cgroup_ns(cgroup);
        self.put_net(net);
        self.put_time_ns(time_for_children);
        self.put_time_ns(time);
    }

    pub(crate) fn put_nsproxy(&mut self, nsproxy: Idx<NsProxy>) {
        self.nsproxies[nsproxy].count -= 1;
        if self.nsproxies[nsproxy].count == 0 {
            let last = self.nsproxies[nsproxy];
            self.nsproxies.remove(nsproxy);
            self.put_nsproxy_refs(&last);
        }
    }

    /// The child's nsproxy: the parent's, shared, or a new one.
    pub(crate) fn copy_namespaces(
        &mut self,
        parent: Idx<Task>,
        flags: u64,
        user_ns: Idx<UserNamespace>,
        fs: Option<Idx<Fs>>,
    ) -> Result<Idx<NsProxy>, Denial> {
        let shared = self.tasks[parent].nsproxy.expect("a running task has an nsproxy");
        let old = self.nsproxies[shared];
        // Before 6.2 a pending time namespace was entered by every fork.
        let enters_time = flags & CLONE_VM == 0 || !self.params.since(6, 2);
        let time_pending = enters_time && old.time != old.time_for_children;
        if flags & CLONE_PROXY_FLAGS == 0 && !time_pending {
            self.nsproxies[shared].count += 1;
            return Ok(shared);
        }
        if flags & CLONE_PROXY_FLAGS != 0 {
            // clone(2) EPERM: CAP_SYS_ADMIN in the namespaces' owner-to-be.
            let capable = self.ns_capable(parent, user_ns, Cap::SysAdmin);
            self.refuse_if(!capable, Rule::NamespacesNeedAdmin)?;
            // clone(2) EINVAL: a new ipc namespace shares no undo list with the old.
            let both = CLONE_NEWIPC | CLONE_SYSVSEM;
            self.refuse_if(flags & both == both, Rule::NewipcWithSysvsem)?;
        }
        let new = self.create_new_namespaces(parent, flags, user_ns, fs, &old)?;
        if enters_time {
            self.timens_on_fork(new);
        }
        Ok(new)
    }

    /// New namespaces of the kinds in `flags`, the old ones for the rest; all or none.
    #[inline(never)]
    fn create_new_namespaces(
        &mut self,
        caller: Idx<Task>,
        flags: u64,
        user_ns: Idx<UserNamespace>,
        fs: Option<Idx<Fs>>,
        old: &NsProxy,
    ) -> Result<Idx<NsProxy>, Denial> {
        let mut new = NsProxy { count: 1, ..*old };
        let mut made = 0;
        let charged = self.charge_together(caller, flags, user_ns);
        let making = Making { caller, flags, user_ns, charged };
        if let Err(denial) = self.create_each(&making, fs, &mut new, &mut made) {
            self.give_up_making(&making, &new.refs()[..NsProxy::NEW], made);
            return Err(denial);
        }
        self.get_ns(NsRef::Time(new.time));
        Ok(self.nsproxies.insert(new))
    }

    /// One walk charges all kinds that will be made, unless a limit is near.
    fn charge_together(
        &mut self,
        caller: Idx<Task>,
        flags: u64,
        user_ns: Idx<UserNamespace>,
    ) -> Option<Idx<Ucounts>> {
        let mut kinds = flags & CLONE_PROXY_FLAGS;
        if !self.params.features.built(NsKind::Cgroup) {
            // The one kind whose flag is accepted all the same.
            kinds &= !CLONE_NEWCGROUP;
        }
        if kinds == 0 {
            return None;
        }
        let euid = self.cred_of(caller).euid;
        self.inc_ucounts(user_ns, euid, kinds)
    }

    /// A kind was refused: those before it go, those from it on were charged in vain.
    #[cold]
    fn give_up_making(&mut self, making: &Making, all: &[NsRef], made: usize) {
        let (made, unmade) = all.split_at(made);
        if let Some(record) = making.charged {
            let kinds = unmade.iter().fold(0, |kinds, ns| kinds | ns.kind().flag());
            self.refund(record, making.flags & kinds);
        }
        for ns in made.iter().rev() {
            self.put_ns(*ns);
        }
    }

    /// clone(2) EINVAL: what stands in for the making of a kind that the kernel was built
    /// without. That of cgroup namespaces does not refuse.
    pub(crate) fn check_kind_built(&self, kind: NsKind) -> Result<(), Denial> {
        self.refuse_if(!self.params.features.built(kind), Rule::KindNotBuilt)
    }

    /// setns(2) EINVAL: a kind of namespace the kernel was built without.
    fn check_setns_flags(&self, flags: u64) -> Result<(), Denial> {
        let features = &self.params.features;
        let missing = |kind: NsKind| flags & kind.flag() != 0 && !features.built(kind);
        self.refuse_if(NsKind::ALL.into_iter().any(missing), Rule::SetnsKindNotBuilt)
    }

    /// One kind after the other, in the order of [`NsProxy::refs`]; `made` counts them.
    fn create_each(
        &mut self,
        making: &Making,
        fs: Option<Idx<Fs>>,
        new: &mut NsProxy,
        made: &mut usize,
    ) -> Result<(), Denial> {
        new.mnt = self.copy_mnt_ns(making, new.mnt, fs)?;
        *made = 1;
        new.uts = self.copy_utsname(making, new.uts)?;
        *made = 2;
        new.ipc = self.copy_ipcs(making, new.ipc)?;
        *made = 3;
        new.pid_for_children = self.copy_pid_ns(making, new.pid_for_children)?;
        *made = 4;
        new.cgroup = self.copy_cgroup_ns(making, new.cgroup)?;
        *made = 5;
        new.net = self.copy_net_ns(making, new.net)?;
        *made = 6;
        new.time_for_children = self.copy_time_ns(making, new.time_for_children)?;
        Ok(())
    }

    /// A new nsproxy for unshare, or none when nothing in it changes.
    pub(crate) fn unshare_nsproxy_namespaces(
        &mut self,
        caller: Idx<Task>,
        flags: u64,
        new_cred: Option<&Cred>,
        new_fs: Option<Idx<Fs>>,
    ) -> Result<Option<Idx<NsProxy>>, Denial> {
        if flags & CLONE_PROXY_FLAGS == 0 {
            return Ok(None);
        }
        let user_ns = match new_cred {
            Some(cred) => cred.user_ns,
            None => self.current_user_ns(caller),
        };
        // unshare(2) EPERM: CAP_SYS_ADMIN, tested with the credentials still held.
        let capable = self.ns_capable(caller, user_ns, Cap::SysAdmin);
        self.refuse_if(!capable, Rule::UnshareNeedsAdmin)?;
        let fs = new_fs.or(self.tasks[caller].fs);
        // unshare(2) UNSHARE_EMPTY_MNTNS: a bit that means something else to clone.
        let empty = if flags & UNSHARE_EMPTY_MNTNS != 0 { CLONE_EMPTY_MNTNS } else { 0 };
        let old = self.current_nsproxy(caller);
        self.create_new_namespaces(caller, flags | empty, user_ns, fs, &old).map(Some)
    }

    /// Replaces the nsproxy of one thread; `None` when it exits.
    pub(crate) fn switch_task_namespaces(&mut self, task: Idx<Task>, new: Option<Idx<NsProxy>>) {
        let old = core::mem::replace(&mut self.tasks[task].nsproxy, new);
        if let Some(old) = old {
            self.put_nsproxy(old);
        }
    }

    /// The children's time namespace becomes the task's own at exec.
    pub(crate) fn exec_task_namespaces(&mut self, task: Idx<Task>) {
        let old = self.current_nsproxy(task);
        if old.time == old.time_for_children || !self.params.since(6, 2) {
            return;
        }
        let new = self.copy_nsproxy(&old);
        let new = self.nsproxies.insert(new);
        self.timens_on_fork(new);
        self.switch_task_namespaces(task, Some(new));
    }

    /// Joins a namespace, or with a pidfd any number of the target's namespaces at once.
    ///
    /// With a namespace descriptor `flags` is 0 or its kind; with a pidfd a mask of
    /// `CLONE_NEW*` bits. Either all are joined or nothing changes.
    pub fn setns(&mut self, caller: TaskId, fd: Fd, flags: u32) -> Result<(), Denial> {
        let task = self.enter_with(caller, Call::Setns, u64::from(flags))?;
        let file = self.fget(task, fd)?;
        match self.files_open[file].kind {
            FileKind::Ns(ns) => {
                let kind = ns.kind().flag();
                // setns(2) EINVAL: the flags name another kind.
                let mismatch = flags != 0 && u64::from(flags) != kind;
                self.refuse_if(mismatch, Rule::SetnsTypeMismatch)?;
                self.setns_with(task, kind, |kernel, set| kernel.validate_ns(task, set, ns))
            }
            FileKind::Pidfd { pid, thread, .. } => {
                let flags = u64::from(flags);
                // setns(2) EINVAL: a pidfd needs a mask of kinds and nothing else.
                let mask = flags != 0 && flags & !CLONE_NS_FLAGS == 0;
                self.refuse_if(!mask, Rule::SetnsPidfdFlags)?;
                self.check_setns_flags(flags)?;
                self.setns_with(task, flags, |kernel, set| kernel.validate_nsset(task, set, pid, thread))
            }
            // setns(2) EINVAL: neither a namespace nor a pidfd.
            _ => Err(self.params.denial(Rule::SetnsNotNamespace)),
        }
    }

    fn setns_with(
        &mut self,
        task: Idx<Task>,
        flags: u64,
        install: impl FnOnce(&mut Self, &mut NsSet) -> Result<(), Denial>,
    ) -> Result<(), Denial> {
        let mut set = self.prepare_nsset(task, flags);
        match install(self, &mut set) {
            Ok(()) => self.commit_nsset(task, set),
            Err(denial) => {
                self.put_nsset(&set);
                return Err(denial);
            }
        }
        Ok(())
    }

    fn prepare_nsset(&mut self, task: Idx<Task>, flags: u64) -> NsSet {
        let nsproxy = self.copy_nsproxy(&self.current_nsproxy(task));
        let fs = match self.tasks[task].fs {
            Some(fs) if flags == CLONE_NEWNS => NsSetFs::Live(fs),
            Some(fs) if flags & CLONE_NEWNS != 0 => NsSetFs::Copy(self.copy_fs_struct(fs)),
            _ => NsSetFs::None,
        };
        NsSet { flags, nsproxy, fs, cred: None }
    }

    fn put_nsset(&mut self, set: &NsSet) {
        if let Some(cred) = &set.cred {
            self.abort_creds(cred);
        }
        if let NsSetFs::Copy(fs) = set.fs {
            self.put_fs(fs);
        }
        self.put_nsproxy_refs(&set.nsproxy);
    }

    fn validate_ns(&mut self, task: Idx<Task>, set: &mut NsSet, ns: NsRef) -> Result<(), Denial> {
        match ns {
            NsRef::User(ns) => self.userns_install(task, set, ns),
            NsRef::Mnt(ns) => self.mntns_install(task, set, ns),
            NsRef::Uts(ns) => self.utsns_install(task, set, ns),
            NsRef::Ipc(ns) => self.ipcns_install(task, set, ns),
            NsRef::Pid(ns) => self.pidns_install(task, set, ns),
            NsRef::Cgroup(ns) => self.cgroupns_install(task, set, ns),
            NsRef::Net(ns) => self.netns_install(task, set, ns),
            NsRef::Time(ns) => self.timens_install(task, set, ns),
        }
    }

    /// setns(2) with a pidfd: the target's namespaces, user first, in the fixed order.
    fn validate_nsset(
        &mut self,
        task: Idx<Task>,
        set: &mut NsSet,
        pid: Idx<Pid>,
        thread: bool,
    ) -> Result<(), Denial> {
        // setns(2) ESRCH: the process has been reaped.
        let target = self.pidfd_task(pid, thread).ok_or_else(|| self.params.denial(Rule::SetnsTargetGone))?;
        // setns(2) EPERM: PTRACE_MODE_READ_REALCREDS on the target.
        let allowed = self.ptrace_may_access(task, target, Mode::ReadRealcreds);
        self.refuse_if(!allowed, Rule::SetnsTargetAccess)?;
        // setns(2) ESRCH: a zombie has no nsproxy.
        let theirs = *self.nsproxy_of(target).ok_or_else(|| self.params.denial(Rule::SetnsTargetZombie))?;
        let user = NsRef::User(self.current_user_ns(target));
        let active = NsRef::Pid(self.task_active_pid_ns(target));
        let wanted = [
            user,
            NsRef::Mnt(theirs.mnt),
            NsRef::Uts(theirs.uts),
            NsRef::Ipc(theirs.ipc),
            active,
            NsRef::Cgroup(theirs.cgroup),
            NsRef::Net(theirs.net),
            NsRef::Time(theirs.time),
        ];
        for ns in wanted {
            if set.flags & ns.kind().flag() != 0 {
                self.validate_ns(task, set, ns)?;
            }
        }
        Ok(())
    }

    /// Nothing can fail any more.
    fn commit_nsset(&mut self, task: Idx<Task>, set: NsSet) {
        let NsSet { flags, nsproxy, fs, cred } = set;
        if let Some(cred) = cred {
            self.commit_creds(task, cred);
        }
        if let NsSetFs::Copy(copy) = fs {
            // The caller's own fs_struct gets the new places, whoever shares it.
            let Fs { root, pwd, .. } = self.fss[copy];
            if let Some(live) = self.tasks[task].fs {
                self.set_fs_root(live, root);
                self.set_fs_pwd(live, pwd);
            }
            self.put_fs(copy);
        }
        if flags & CLONE_NEWIPC != 0 {
            self.exit_sem(task);
        }
        if flags & CLONE_NEWTIME != 0 {
            self.time_ns[nsproxy.time].frozen = true;
        }
        let nsproxy = self.nsproxies.insert(nsproxy);
        self.switch_task_namespaces(task, Some(nsproxy));
    }
}
