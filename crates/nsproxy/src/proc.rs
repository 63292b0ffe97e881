//! What one task can see of another: numbers, ids, maps (`fs/proc/`).

use crate::Kernel;
use crate::arena::Idx;
use crate::capability::CapSet;
use crate::idmap::{Extent, MapKind};
use crate::ns_common::{NsId, NsRef};
use crate::nsfs::NsInfo;
use crate::params::Call;
use crate::pid::Pid;
use crate::rule::{Denial, Rule};
use crate::task::{State, Task, TaskId};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

/// `/proc/PID/status`, as the viewer's pid and user namespace show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// What it is doing.
    pub state: State,
    /// Thread id; 0 where it cannot be seen.
    pub pid: u32,
    /// Process id.
    pub tgid: u32,
    /// Parent; 0 when it is outside.
    pub ppid: u32,
    /// Process group; 0 when it is outside.
    pub pgid: u32,
    /// Session; 0 when it is outside.
    pub sid: u32,
    /// `NSpid`: its numbers from the viewer's pid namespace inwards.
    pub ns_pid: Vec<u32>,
    /// `NStgid`, `NSpgid`, `NSsid`: the same of its process, process group and session, in the
    /// namespaces that `ns_pid` is for; 0 where they have no number.
    pub ns_tgid: Vec<u32>,
    /// See `ns_tgid`.
    pub ns_pgid: Vec<u32>,
    /// See `ns_tgid`.
    pub ns_sid: Vec<u32>,
    /// Real, effective, saved, filesystem user id.
    pub uids: [u32; 4],
    /// Real, effective, saved, filesystem group id.
    pub gids: [u32; 4],
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Inheritable, permitted, effective, bounding, ambient.
    pub caps: [CapSet; 5],
    /// Securebits.
    pub securebits: u32,
    /// `NoNewPrivs`
    pub no_new_privs: bool,
    /// Threads in the process.
    pub threads: u32,
    /// `SigBlk`, `SigIgn`, `SigCgt`: signal N is bit N - 1.
    pub blocked: u64,
    /// See `blocked`; no signals of a task that has no handlers any more.
    pub ignored: u64,
    /// See `blocked`; no signals of a task that has no handlers any more.
    pub caught: u64,
}

impl Kernel {
    /// getpid(2): the process as it sees itself.
    pub fn getpid(&self, caller: TaskId) -> Result<u32, Denial> {
        let task = self.enter(caller, Call::Getpid)?;
        let leader = self.signal_of(task).leader;
        Ok(self.pid_vnr(task, self.tasks[leader].pid))
    }

    /// gettid(2): the thread as it sees itself.
    pub fn gettid(&self, caller: TaskId) -> Result<u32, Denial> {
        let task = self.enter(caller, Call::Getpid)?;
        Ok(self.pid_vnr(task, self.tasks[task].pid))
    }

    /// getppid(2): 0 for a parent outside the pid namespace.
    pub fn getppid(&self, caller: TaskId) -> Result<u32, Denial> {
        let task = self.enter(caller, Call::Getpid)?;
        let parent = self.real_parent(task);
        Ok(parent.map_or(0, |parent| {
            let leader = self.signal_of(parent).leader;
            self.pid_vnr(task, self.tasks[leader].pid)
        }))
    }

    /// `/proc/PID/status` of `task` as `viewer` sees it.
    pub fn status(&self, viewer: TaskId, task: TaskId) -> Result<Status, Denial> {
        let viewer = self.observe(viewer)?;
        let task = self.observe(task)?;
        let number = |pid: Idx<Pid>| self.pid_vnr(viewer, pid);
        let signal = self.signal_of(task);
        let cred = self.cred_of(task);
        let user_ns = self.current_user_ns(viewer);
        let uid = |id| self.kuid_seen_from(user_ns, id);
        let gid = |id| self.kgid_seen_from(user_ns, id);
        let parent = self.real_parent(task);
        let levels = |pid| self.pid_numbers(viewer, self.tasks[task].pid, pid);
        let (ignored, caught) = self.handlers(task);
        Ok(Status {
            state: self.tasks[task].state,
            pid: number(self.tasks[task].pid),
            tgid: number(self.tasks[signal.leader].pid),
            ppid: parent.map_or(0, |parent| number(self.tasks[self.signal_of(parent).leader].pid)),
            pgid: number(signal.pgrp),
            sid: number(signal.session),
            ns_pid: levels(self.tasks[task].pid),
            ns_tgid: levels(self.tasks[signal.leader].pid),
            ns_pgid: levels(signal.pgrp),
            ns_sid: levels(signal.session),
            uids: [cred.uid, cred.euid, cred.suid, cred.fsuid].map(uid),
            gids: [cred.gid, cred.egid, cred.sgid, cred.fsgid].map(gid),
            groups: cred.groups.iter().map(|group| gid(*group)).collect(),
            caps: [
                cred.cap_inheritable,
                cred.cap_permitted,
                cred.cap_effective,
                cred.cap_bset,
                cred.cap_ambient,
            ],
            securebits: cred.securebits,
            no_new_privs: self.tasks[task].no_new_privs,
            threads: signal.nr_threads,
            blocked: self.tasks[task].blocked,
            ignored,
            caught,
        })
    }

    /// The numbers of a pid in the namespaces of a task's own one, from the viewer's inwards
    /// (`task_state`).
    fn pid_numbers(&self, viewer: Idx<Task>, own: Idx<Pid>, pid: Idx<Pid>) -> Vec<u32> {
        let active = self.task_active_pid_ns(viewer);
        if self.pid_nr_ns(own, active) == 0 {
            return Vec::new();
        }
        let level = self.pid_ns[active].level;
        let inner = self.upids(own).filter(|upid| self.pid_ns[upid.ns].level >= level);
        let mut numbers: Vec<u32> = inner.map(|upid| self.pid_nr_ns(pid, upid.ns)).collect();
        numbers.reverse();
        numbers
    }

    /// A map of the task's user namespace, as a file opened by `reader` shows it.
    pub fn id_map(&self, reader: TaskId, task: TaskId, kind: MapKind) -> Result<Vec<Extent>, Denial> {
        let reader = self.observe(reader)?;
        let task = self.observe(task)?;
        let (ns, reader_ns) = (self.current_user_ns(task), self.current_user_ns(reader));
        Ok(self.read_map(ns, kind, reader_ns))
    }

    /// The same as the text of the file.
    pub fn id_map_text(&self, reader: TaskId, task: TaskId, kind: MapKind) -> Result<String, Denial> {
        let mut text = String::new();
        for Extent { first, lower, count } in self.id_map(reader, task, kind)? {
            let _ = writeln!(text, "{first:>10} {lower:>10} {count:>10}");
        }
        Ok(text)
    }

    /// Whether `/proc/PID/setgroups` says allow.
    pub fn setgroups_allowed(&self, task: TaskId) -> Result<bool, Denial> {
        let task = self.observe(task)?;
        Ok(self.user_ns[self.current_user_ns(task)].setgroups_allowed)
    }

    /// The user namespace that owns a namespace; a user namespace's parent. `None` for
    /// the first user namespace and for a stale handle.
    pub fn owner_of(&self, ns: NsId) -> Option<NsInfo> {
        let owner = self.common(self.resolve_ns(ns)?).owner?;
        Some(self.ns_info(NsRef::User(owner)))
    }

    /// The parent of a pid or user namespace.
    pub fn parent_of(&self, ns: NsId) -> Option<NsInfo> {
        match self.resolve_ns(ns)? {
            NsRef::Pid(pid_ns) => {
                let parent = self.pid_ns[pid_ns].parent?;
                Some(self.ns_info(NsRef::Pid(parent)))
            }
            NsRef::User(_) => self.owner_of(ns),
            _ => None,
        }
    }

    /// Whether a namespace still lives: something holds it.
    pub fn is_alive_ns(&self, ns: NsId) -> bool {
        self.resolve_ns(ns).is_some()
    }

    /// How many things hold a namespace: nsproxies, tasks' credentials, pids, open
    /// files, mounts, children, owned namespaces, sockets.
    pub fn ns_holders(&self, ns: NsId) -> u32 {
        self.resolve_ns(ns).map_or(0, |ns| self.common(ns).count)
    }

    /// Every living namespace.
    pub fn namespaces(&self) -> Vec<NsInfo> {
        let seen = |ns: &NsRef| !matches!(ns, NsRef::Mnt(mnt) if self.mnt_ns[*mnt].anon);
        self.all_ns().into_iter().filter(seen).map(|ns| self.ns_info(ns)).collect()
    }

    /// Every task, zombies too.
    pub fn tasks(&self) -> Vec<TaskId> {
        self.tasks.iter().map(|(task, _)| self.task_id(task)).collect()
    }

    /// A number that two tasks share when they share one nsproxy. `None` after exit.
    pub fn nsproxy_number(&self, task: TaskId) -> Option<u32> {
        let task = self.observe(task).ok()?;
        self.tasks[task].nsproxy.map(Idx::raw)
    }

    /// Writes `/proc/sys/user/max_KIND_namespaces`, which shows the limits of the
    /// opener's user namespace.
    pub fn write_max_namespaces(
        &mut self,
        caller: TaskId,
        kind: crate::NsKind,
        limit: i64,
    ) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Write)?;
        self.check_free_fd(task)?;
        let ns = self.current_user_ns(task);
        // namespaces(7): CAP_SYS_RESOURCE in that user namespace.
        let capable = self.ns_capable(task, ns, crate::Cap::SysResource);
        self.refuse_if(!capable, Rule::UcountSysctlAccess)?;
        // proc_sys_user(5): 0 to 2147483647.
        let limit = u32::try_from(limit).ok().filter(|limit| *limit <= crate::ucount::UCOUNT_MAX);
        self.refuse_if(limit.is_none(), Rule::UcountSysctlRange)?;
        if let Some(limit) = limit {
            self.user_ns[ns].ucount_max[kind as usize] = limit;
        }
        Ok(())
    }

    /// Reads the same.
    pub fn max_namespaces(&self, task: TaskId, kind: crate::NsKind) -> Result<u32, Denial> {
        let task = self.observe(task)?;
        Ok(self.user_ns[self.current_user_ns(task)].ucount_max[kind as usize])
    }
}
