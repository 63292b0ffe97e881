//! The limits of an ipc namespace under `/proc/sys` (`ipc/ipc_sysctl.c`, `ipc/mq_sysctl.c`).

use crate::Kernel;
use crate::arena::Idx;
use crate::ipc::IpcNamespace;
use crate::ns_common::NsRef;
use crate::params::Call;
use crate::rule::{Denial, Rule};
use crate::task::{Task, TaskId};

/// A file under `/proc/sys/kernel` or `/proc/sys/fs/mqueue`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IpcSysctl {
    /// `kernel.shmmni`: shared memory segments.
    Shmmni,
    /// `kernel.shmmax`: bytes in one segment.
    Shmmax,
    /// `kernel.shm_rmid_forced`: segments nobody has attached go with their creator.
    ShmRmidForced,
    /// `kernel.msgmni`: message queues.
    Msgmni,
    /// `kernel.msgmax`: bytes in one message.
    Msgmax,
    /// `kernel.msgmnb`: bytes in one queue.
    Msgmnb,
    /// `fs.mqueue.queues_max`: POSIX queues.
    QueuesMax,
}

impl IpcSysctl {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Shmmni,
        Self::Shmmax,
        Self::ShmRmidForced,
        Self::Msgmni,
        Self::Msgmax,
        Self::Msgmnb,
        Self::QueuesMax,
    ];

    /// The name of the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shmmni => "shmmni",
            Self::Shmmax => "shmmax",
            Self::ShmRmidForced => "shm_rmid_forced",
            Self::Msgmni => "msgmni",
            Self::Msgmax => "msgmax",
            Self::Msgmnb => "msgmnb",
            Self::QueuesMax => "queues_max",
        }
    }

    /// The largest value it takes.
    const fn max(self) -> u64 {
        match self {
            Self::Shmmni | Self::Msgmni => 32_768,
            Self::Shmmax => u64::MAX,
            Self::ShmRmidForced => 1,
            Self::Msgmax | Self::Msgmnb | Self::QueuesMax => i32::MAX as u64,
        }
    }
}

impl Kernel {
    fn ipc_of(&self, task: Idx<Task>) -> Result<Idx<IpcNamespace>, Denial> {
        let gone = self.params.denial(Rule::LinkGone);
        Ok(self.nsproxy_of(task).ok_or(gone)?.ipc)
    }

    /// A limit of the task's ipc namespace.
    pub fn ipc_sysctl(&self, task: TaskId, which: IpcSysctl) -> Result<u64, Denial> {
        let limits = &self.ipc_ns[self.ipc_of(self.observe(task)?)?].contents.limits;
        Ok(match which {
            IpcSysctl::Shmmni => limits.shmmni as u64,
            IpcSysctl::Shmmax => limits.shmmax,
            IpcSysctl::ShmRmidForced => u64::from(limits.shm_rmid_forced),
            IpcSysctl::Msgmni => limits.msgmni as u64,
            IpcSysctl::Msgmax => limits.msgmax as u64,
            IpcSysctl::Msgmnb => limits.msgmnb as u64,
            IpcSysctl::QueuesMax => limits.queues_max as u64,
        })
    }

    /// Sets a limit of the caller's ipc namespace.
    pub fn write_ipc_sysctl(&mut self, caller: TaskId, which: IpcSysctl, value: u64) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Write)?;
        self.check_free_fd(task)?;
        let ns = self.current_nsproxy(task).ipc;
        let owner = self.ruling_user_ns(NsRef::Ipc(ns));
        // ipc_namespaces(7), ipc_permissions: the namespace's root; before 6.9 the first one's.
        let of_owner = self.params.since(6, 9) || self.params.features.ipc_sysctls_of_owner;
        let root = if of_owner { self.root_of(owner) } else { 0 };
        let allowed = self.cred_of(task).euid == root;
        self.refuse_if(!allowed, Rule::IpcSysctlAccess)?;
        // proc_doulongvec_minmax and kin EINVAL.
        self.refuse_if(value > which.max(), Rule::IpcSysctlRange)?;
        let count = usize::try_from(value).unwrap_or(usize::MAX);
        let limits = &mut self.ipc_ns[ns].contents.limits;
        match which {
            IpcSysctl::Shmmni => limits.shmmni = count,
            IpcSysctl::Shmmax => limits.shmmax = value,
            IpcSysctl::ShmRmidForced => limits.shm_rmid_forced = value != 0,
            IpcSysctl::Msgmni => limits.msgmni = count,
            IpcSysctl::Msgmax => limits.msgmax = count,
            IpcSysctl::Msgmnb => limits.msgmnb = count,
            IpcSysctl::QueuesMax => limits.queues_max = count,
        }
        if which == IpcSysctl::ShmRmidForced && value != 0 {
            self.shm_destroy_orphaned(ns);
        }
        Ok(())
    }
}
