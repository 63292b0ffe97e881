//! Processes as files (`fs/pidfs.c`, `kernel/pid.c`).

use crate::Kernel;
use crate::arena::Idx;
use crate::file::{Fd, FileKind};
use crate::ns_common::{NsKind, NsRef};
use crate::nsfs::NsLink;
use crate::params::{Call, Release};
use crate::pid::Pid;
use crate::ptrace::Mode;
use crate::rule::{Denial, Rule};
use crate::task::{Task, TaskId};
use crate::uapi::{PIDFD_NONBLOCK, PIDFD_THREAD};

/// The requests of `ioctl_pidfd(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PidfdIoctl {
    /// `PIDFD_GET_*_NAMESPACE`, with its argument, which must be 0.
    GetNamespace(NsLink, u64),
    /// `PIDFD_GET_INFO`, with the size of the structure.
    GetInfo(u32),
    /// Any other request.
    Unknown,
}

/// What `PIDFD_GET_INFO` tells, in the caller's numbering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PidfdInfo {
    /// Thread id.
    pub pid: u32,
    /// Process id.
    pub tgid: u32,
    /// Parent, 0 when it is outside.
    pub ppid: u32,
    /// Real, effective, saved, filesystem user id.
    pub uids: [u32; 4],
    /// Real, effective, saved, filesystem group id.
    pub gids: [u32; 4],
}

/// What a request answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PidfdAnswer {
    /// A new descriptor.
    Fd(Fd),
    /// About the process.
    Info(PidfdInfo),
}

impl Kernel {
    /// The task behind a pidfd: the thread itself, or the leader of its process.
    pub(crate) fn pidfd_task(&self, pid: Idx<Pid>, thread: bool) -> Option<Idx<Task>> {
        let task = self.pids[pid].task?;
        (thread || self.is_leader(task)).then_some(task)
    }

    /// `pidfd_open(2)`.
    pub fn pidfd_open(&mut self, caller: TaskId, pid: i32, flags: u32) -> Result<Fd, Denial> {
        let task = self.enter(caller, Call::PidfdOpen)?;
        let mut known = PIDFD_NONBLOCK;
        if self.params.since(6, 9) {
            known |= PIDFD_THREAD;
        }
        // pidfd_open(2) EINVAL: flags, and numbers that are none.
        let bad = flags & !known != 0 || pid <= 0;
        self.refuse_if(bad, Rule::PidfdOpenFlags)?;
        let target = self.task_by_vpid(task, i64::from(pid))?;
        let thread = flags & PIDFD_THREAD != 0;
        // pidfd_open(2) EINVAL: the number of a thread.
        let not_leader = !thread && !self.is_leader(target);
        self.refuse_if(not_leader, Rule::PidfdOpenThread)?;
        // pidfd_prepare ENOENT, since 6.15: the same in another word.
        self.refuse_if(not_leader, Rule::PidfdOpenNoLeader)?;
        let pid = self.tasks[target].pid;
        self.pids[pid].count += 1;
        self.open_file(task, FileKind::Pidfd { pid, thread, autokill: false }, true)
    }

    /// `ioctl_pidfd(2)`.
    pub fn pidfd_ioctl(
        &mut self,
        caller: TaskId,
        fd: Fd,
        request: PidfdIoctl,
    ) -> Result<PidfdAnswer, Denial> {
        let task = self.enter(caller, Call::Ioctl)?;
        let (pid, thread) = match self.files_open[self.fget(task, fd)?].kind {
            FileKind::Pidfd { pid, thread, .. } => (pid, thread),
            FileKind::Ns(ns) => return self.ns_mistakes_request(task, ns, request),
            // ioctl(2) ENOTTY: another kind of file.
            _ => return Err(self.params.denial(Rule::PidfdIoctlNotPidfd)),
        };
        let argument = match request {
            PidfdIoctl::GetNamespace(_, argument) => argument != 0,
            PidfdIoctl::GetInfo(_) => true,
            PidfdIoctl::Unknown => false,
        };
        let info = self.params.since(6, 13) && matches!(request, PidfdIoctl::GetInfo(_));
        if !info {
            self.pidfd_looks_first(task, pid, thread, argument)?;
        }
        let since = match request {
            PidfdIoctl::GetNamespace(..) => Release::new(6, 11),
            _ => Release::new(6, 13),
        };
        // Since 6.18 a structure smaller than its first version makes it another request.
        let small = self.params.since(6, 18) && matches!(request, PidfdIoctl::GetInfo(size) if size < 64);
        let unknown = self.params.release < since || request == PidfdIoctl::Unknown || small;
        self.refuse_if(unknown, Rule::PidfdIoctlUnknown)?;
        match request {
            PidfdIoctl::GetNamespace(link, argument) => {
                self.pidfd_get_namespace(task, pid, thread, link, argument)
            }
            PidfdIoctl::GetInfo(size) => self.pidfd_info(task, pid, thread, size),
            PidfdIoctl::Unknown => Err(self.params.denial(Rule::PidfdIoctlUnknown)),
        }
    }

    /// `ioctl_pidfd(2)`, from 6.11 to 6.13: whatever is asked, the process is looked at
    /// before the request.
    pub(crate) fn pidfd_looks_first(
        &self,
        task: Idx<Task>,
        pid: Idx<Pid>,
        thread: bool,
        argument: bool,
    ) -> Result<(), Denial> {
        if self.params.since(6, 11) && !self.params.since(6, 14) {
            self.pidfd_holder(task, pid, thread, argument)?;
        }
        Ok(())
    }

    /// The process behind a pidfd, which still holds namespaces and may be looked at.
    fn pidfd_holder(
        &self,
        task: Idx<Task>,
        pid: Idx<Pid>,
        thread: bool,
        argument: bool,
    ) -> Result<Idx<Task>, Denial> {
        // ioctl_pidfd(2) EINVAL: an argument where none belongs. Judged first up to 6.12.
        let bad_argument = |early: bool| argument && early != self.params.since(6, 13);
        self.refuse_if(bad_argument(true), Rule::PidfdArgument)?;
        // ioctl_pidfd(2) ESRCH: reaped.
        let target = self.pidfd_task(pid, thread).ok_or_else(|| self.params.denial(Rule::PidfdReaped))?;
        self.refuse_if(bad_argument(false), Rule::PidfdArgument)?;
        let access = self.ptrace_may_access(task, target, Mode::ReadFscreds);
        let alive = self.nsproxy_of(target).is_some();
        let zombie = self.params.denial(Rule::PidfdZombie);
        let access_first = self.params.since(7, 2) || self.params.features.pidfd_access_first;
        if !access_first && !alive {
            return Err(zombie);
        }
        self.refuse_if(!access, Rule::PtraceAccess)?;
        if !alive {
            return Err(zombie);
        }
        Ok(target)
    }

    fn pidfd_get_namespace(
        &mut self,
        task: Idx<Task>,
        pid: Idx<Pid>,
        thread: bool,
        link: NsLink,
        argument: u64,
    ) -> Result<PidfdAnswer, Denial> {
        let target = self.pidfd_holder(task, pid, thread, argument != 0)?;
        let kind = match link {
            NsLink::Own(kind) => kind,
            NsLink::PidForChildren => NsKind::Pid,
            NsLink::TimeForChildren => NsKind::Time,
        };
        let built = self.params.features.built(kind);
        // pidfd_ioctl EOPNOTSUPP
        self.refuse_if(!built, Rule::PidfdKindNotBuilt)?;
        let ns = match (link, self.nsproxy_of(target)) {
            // Unlike the link, also before the first process.
            (NsLink::PidForChildren, Some(nsproxy)) => NsRef::Pid(nsproxy.pid_for_children),
            _ => self.proc_ns_get(target, link)?,
        };
        self.open_ns_ref(task, ns).map(PidfdAnswer::Fd)
    }

    fn pidfd_info(
        &self,
        task: Idx<Task>,
        pid: Idx<Pid>,
        thread: bool,
        size: u32,
    ) -> Result<PidfdAnswer, Denial> {
        // ioctl_pidfd(2) EINVAL: the structure's first version has 64 bytes.
        self.refuse_if(size < 64, Rule::PidfdInfoSize)?;
        // ioctl_pidfd(2) EREMOTE: not below the caller's pid namespace.
        let active = self.task_active_pid_ns(task);
        let below = self.in_pidns(active, self.pids[pid].ns);
        self.refuse_if(!below, Rule::PidfdInfoForeign)?;
        let target = self.pidfd_task(pid, thread).ok_or_else(|| self.params.denial(Rule::PidfdReaped))?;
        let id = self.task_id(target);
        let viewer = self.task_id(task);
        let status = self.status(viewer, id)?;
        Ok(PidfdAnswer::Info(PidfdInfo {
            pid: status.pid,
            tgid: status.tgid,
            ppid: status.ppid,
            uids: status.uids,
            gids: status.gids,
        }))
    }
}
