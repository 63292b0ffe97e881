//! Pid namespaces: their making, joining, and the death of their init
//! (`kernel/pid_namespace.c`).

use crate::Kernel;
use crate::arena::Idx;
use crate::capability::Cap;
use crate::idr::Idr;
use crate::ns_common::{NsCommon, NsKind, NsRef};
use crate::nsproxy::{Making, NsSet};
use crate::params::Call;
use crate::pid::Pid;
use crate::rule::{Denial, Rule};
use crate::task::{State, Task, TaskId};
use crate::uapi::{
    CLONE_NEWPID, MAX_PID_NS_LEVEL, PID_MAX_LIMIT, PID_MAX_MIN, SIGCHLD, SIGHUP, SIGINT, SIGKILL,
};
use alloc::vec::Vec;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PidNamespace {
    pub(crate) common: NsCommon,
    pub(crate) parent: Option<Idx<PidNamespace>>,
    pub(crate) level: u32,
    /// Whether it still takes processes.
    pub(crate) adding: bool,
    pub(crate) pid_allocated: u32,
    pub(crate) child_reaper: Option<Idx<Task>>,
    /// Whether there ever was an init; one that is reaped is not forgotten.
    pub(crate) had_init: bool,
    pub(crate) pid_max: u32,
    /// The next number to try.
    pub(crate) cursor: u32,
    pub(crate) idr: Idr,
    /// The signal init seems to have died of after a reboot(2) inside.
    pub(crate) reboot: u32,
}

/// The commands of reboot(2) that mean something in a pid namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reboot {
    /// `RESTART` or `RESTART2`: init ends as if by SIGHUP.
    Restart,
    /// `HALT` or `POWER_OFF`: init ends as if by SIGINT.
    Halt,
    /// Any other.
    Other,
}

impl Kernel {
    /// The pid namespace for children: the same, or a new one below the caller's.
    pub(crate) fn copy_pid_ns(
        &mut self,
        making: &Making,
        old: Idx<PidNamespace>,
    ) -> Result<Idx<PidNamespace>, Denial> {
        if making.flags & CLONE_NEWPID == 0 {
            self.get_ns(NsRef::Pid(old));
            return Ok(old);
        }
        self.check_kind_built(NsKind::Pid)?;
        // clone(2) EINVAL: the children's namespace is another than the making.caller's already.
        let pending = self.task_active_pid_ns(making.caller) != old;
        self.refuse_if(pending, Rule::PidNsNotActive)?;
        self.create_pid_namespace(making, old)
    }

    fn create_pid_namespace(
        &mut self,
        making: &Making,
        parent: Idx<PidNamespace>,
    ) -> Result<Idx<PidNamespace>, Denial> {
        let level = self.pid_ns[parent].level + 1;
        let parent_owner = self.ruling_user_ns(NsRef::Pid(parent));
        // create_pid_namespace: the new owner must be in_userns of the parent's.
        let related = self.in_userns(parent_owner, making.user_ns);
        self.refuse_if(!related, Rule::PidNsOwner)?;
        // pid_namespaces(7): nesting depth.
        self.refuse_if(level > MAX_PID_NS_LEVEL, Rule::PidNsLevel)?;
        let common = self.ns_common_new(making, NsKind::Pid, Rule::PidNsCount)?;
        Ok(self.empty_pid_namespace(common, parent))
    }

    /// A pid namespace that still waits for its init, below another.
    pub(crate) fn empty_pid_namespace(
        &mut self,
        common: NsCommon,
        parent: Idx<PidNamespace>,
    ) -> Idx<PidNamespace> {
        self.get_ns(NsRef::Pid(parent));
        let pid_max = self.new_pid_max();
        self.pid_ns.insert(PidNamespace {
            common,
            parent: Some(parent),
            level: self.pid_ns[parent].level + 1,
            adding: true,
            pid_allocated: 0,
            child_reaper: None,
            had_init: false,
            pid_max,
            cursor: 1,
            idr: Idr::default(),
            reboot: 0,
        })
    }

    /// Drops one reference; the last one ends the namespace.
    pub(crate) fn put_pid_ns(&mut self, ns: Idx<PidNamespace>) {
        if let Some(dead) = self.pid_ns[ns].common.put(NsKind::Pid) {
            self.destroy_pid_namespace(ns);
            self.release_ns_later(dead);
        }
    }

    fn destroy_pid_namespace(&mut self, ns: Idx<PidNamespace>) {
        let PidNamespace { parent, ref mut idr, .. } = self.pid_ns[ns];
        idr.destroy(&mut self.idr_nodes);
        self.pid_ns.remove(ns);
        if let Some(parent) = parent {
            self.put_pid_ns(parent);
        }
    }

    /// Whether `inner` is `outer` or below it.
    pub(crate) fn in_pidns(&self, outer: Idx<PidNamespace>, inner: Idx<PidNamespace>) -> bool {
        let mut at = Some(inner);
        while let Some(ns) = at {
            if ns == outer {
                return true;
            }
            at = self.pid_ns[ns].parent;
        }
        false
    }

    /// setns(2) for a pid namespace: only the children's namespace changes.
    pub(crate) fn pidns_install(
        &mut self,
        caller: Idx<Task>,
        set: &mut NsSet,
        target: Idx<PidNamespace>,
    ) -> Result<(), Denial> {
        let owner = self.ruling_user_ns(NsRef::Pid(target));
        let new_user = self.nsset_user_ns(caller, set);
        // setns(2) EPERM: CAP_SYS_ADMIN in the owner and in the user namespace held afterwards.
        let capable =
            self.ns_capable(caller, owner, Cap::SysAdmin) && self.ns_capable(caller, new_user, Cap::SysAdmin);
        self.refuse_if(!capable, Rule::SetnsPidAdmin)?;
        // setns(2) EINVAL: only one's own pid namespace or a descendant.
        let active = self.task_active_pid_ns(caller);
        let below = self.in_pidns(active, target);
        self.refuse_if(!below, Rule::SetnsPidNotBelow)?;
        if set.nsproxy.pid_for_children != target {
            self.get_ns(NsRef::Pid(target));
            let old = core::mem::replace(&mut set.nsproxy.pid_for_children, target);
            self.put_pid_ns(old);
        }
        Ok(())
    }

    /// `pid_namespaces(7)`: when init ends, every process of its namespace is killed.
    /// Returns whether init may finish now, or must wait for others to reap.
    pub(crate) fn zap_pid_ns_processes(&mut self, init: Idx<Task>) -> bool {
        let ns = self.task_active_pid_ns(init);
        self.pid_ns[ns].adding = false;
        if let Some(sighand) = self.tasks[init].sighand {
            self.sighands[sighand].ignored |= 1 << SIGCHLD;
        }
        self.tasks[init].state = State::Zapping;
        self.zap_done(init) || self.kill_all_in(ns, init)
    }

    #[inline(never)]
    fn kill_all_in(&mut self, ns: Idx<PidNamespace>, init: Idx<Task>) -> bool {
        let group = self.tasks[init].signal;
        let mut pids: Vec<Idx<Pid>> = self.pids_in(ns).collect();
        // All are told before the first one ends, so nobody is merely stopped any more.
        for pid in &pids {
            if let Some(task) = self.pids[*pid].task
                && self.tasks[task].signal != group
                && self.signal_of(task).live > 0
            {
                let signal = self.tasks[task].signal;
                self.signals[signal].group_exit_code.get_or_insert(SIGKILL);
            }
        }
        if self.params.ends_backwards {
            pids.reverse();
        }
        for pid in pids {
            // An earlier death may have freed this pid together with its task.
            let Some(task) = self.pids.get(pid).and_then(|pid| pid.task) else {
                continue;
            };
            if self.tasks[task].signal != group && self.signal_of(task).live > 0 {
                self.do_group_exit(task, SIGKILL);
            }
        }
        self.reap_zombie_children(init);
        self.zap_done(init)
    }

    /// Only the numbers of init's own threads are left.
    pub(crate) fn zap_done(&self, init: Idx<Task>) -> bool {
        let ns = self.task_active_pid_ns(init);
        self.pid_ns[ns].pid_allocated <= self.signal_of(init).nr_threads
    }

    /// reboot(2) in a pid namespace: its init ends as if by a signal.
    pub fn reboot(&mut self, caller: TaskId, command: Reboot) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Reboot)?;
        let ns = self.task_active_pid_ns(task);
        let owner = self.ruling_user_ns(NsRef::Pid(ns));
        // reboot(2) EPERM: CAP_SYS_BOOT in the owner of the pid namespace.
        let capable = self.ns_capable(task, owner, Cap::SysBoot);
        self.refuse_if(!capable, Rule::RebootPrivilege)?;
        // reboot(2) EINVAL: the first namespace's machine is not part of the model.
        let signal = match command {
            Reboot::Restart => SIGHUP,
            Reboot::Halt => SIGINT,
            Reboot::Other => 0,
        };
        let unknown = signal == 0 || ns == self.init_pid_ns;
        self.refuse_if(unknown, Rule::RebootCommand)?;
        self.pid_ns[ns].reboot = signal;
        if let Some(init) = self.pid_ns[ns].child_reaper {
            // reboot_pid_ns: init is killed, and the caller does not return.
            if self.tasks[task].signal != self.tasks[init].signal {
                self.do_exit(task, 0);
            }
            self.do_group_exit(init, SIGKILL);
        }
        self.run_deferred();
        Ok(())
    }

    /// `kernel.pid_max` as the task sees it.
    pub fn pid_max(&self, task: TaskId) -> Result<u32, Denial> {
        let task = self.observe(task)?;
        Ok(self.pid_ns[self.pid_max_ns(task)].pid_max)
    }

    /// A new pid namespace has the highest of its own from 6.14 on, before that the one
    /// number for all.
    pub(crate) fn new_pid_max(&self) -> u32 {
        if self.params.since(6, 14) { PID_MAX_LIMIT } else { self.pid_ns[self.init_pid_ns].pid_max }
    }

    /// Whose `pid_max` the file shows: from 6.14 on each pid namespace has its own.
    fn pid_max_ns(&self, task: Idx<Task>) -> Idx<PidNamespace> {
        if self.params.since(6, 14) { self.task_active_pid_ns(task) } else { self.init_pid_ns }
    }

    /// Writes `/proc/sys/kernel/pid_max`.
    pub fn write_pid_max(&mut self, caller: TaskId, value: i64) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Write)?;
        self.check_free_fd(task)?;
        let ns = self.pid_max_ns(task);
        let owner = self.ruling_user_ns(NsRef::Pid(ns));
        let root = self.make_kuid(owner, 0) == Some(self.cred_of(task).euid);
        // pid_namespaces(7), pid_table_root_permissions: root there, or CAP_SYS_ADMIN.
        let capable = self.params.since(6, 14) && self.ns_capable(task, owner, Cap::SysAdmin);
        self.refuse_if(!root && !capable, Rule::PidMaxAccess)?;
        // proc_sys_kernel(5): 301 to 2^22.
        let value = u32::try_from(value).ok().filter(|max| (PID_MAX_MIN..=PID_MAX_LIMIT).contains(max));
        self.refuse_if(value.is_none(), Rule::PidMaxRange)?;
        let Some(value) = value else { return Ok(()) };
        self.pid_ns[ns].pid_max = value;
        if !self.params.since(6, 14) {
            // One number for all namespaces.
            for ns in self.pid_ns.indices() {
                self.pid_ns[ns].pid_max = value;
            }
        }
        Ok(())
    }

    /// `kernel.ns_last_pid`: the number given last in the task's pid namespace.
    pub fn ns_last_pid(&self, task: TaskId) -> Result<u32, Denial> {
        let task = self.observe(task)?;
        Ok(self.pid_ns[self.task_active_pid_ns(task)].cursor - 1)
    }

    /// Writes `/proc/sys/kernel/ns_last_pid`: the next number will be one higher.
    pub fn write_ns_last_pid(&mut self, caller: TaskId, value: i64) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Write)?;
        self.check_free_fd(task)?;
        let ns = self.task_active_pid_ns(task);
        let owner = self.ruling_user_ns(NsRef::Pid(ns));
        // proc_sys_kernel(5) EPERM: CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN in the owner.
        let capable = self.checkpoint_restore_ns_capable(task, owner);
        self.refuse_if(!capable, Rule::LastPidPrivilege)?;
        let max = self.pid_ns[ns].pid_max;
        let value = u32::try_from(value).ok().filter(|last| *last <= max);
        // pid_ns_ctl_handler EINVAL: from 0 to pid_max.
        self.refuse_if(value.is_none(), Rule::LastPidRange)?;
        if let Some(value) = value {
            self.pid_ns[ns].cursor = value + 1;
        }
        Ok(())
    }
}
