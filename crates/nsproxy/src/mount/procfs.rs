//! Mounting proc with options (`fs/proc/root.c`).

use crate::Kernel;
use crate::arena::Idx;
use crate::capability::Cap;
use crate::file::{Fd, FileKind};
use crate::ns_common::NsRef;
use crate::pid_namespace::PidNamespace;
use crate::rule::{Denial, Rule};
use crate::task::{Task, TaskId};

/// The mount options of proc that decide something here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcOptions {
    /// `pidns=`: the pid namespace it shows, by descriptor; else the caller's.
    pub pidns: Option<Fd>,
    /// `subset=pid`: nothing but the processes.
    pub subset_pid: bool,
}

/// The same, looked up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ProcContext {
    pub(super) pid_ns: Option<Idx<PidNamespace>>,
    pub(super) subset_pid: bool,
}

impl Kernel {
    /// mount(2) of proc with options.
    pub fn mount_proc(
        &mut self,
        caller: TaskId,
        target: &str,
        flags: u64,
        options: &ProcOptions,
    ) -> Result<(), Denial> {
        let (task, at) = self.enter_mount(caller, &[], target)?;
        let context = self.proc_parse_options(task, options)?;
        self.do_new_mount(task, at, "proc", flags, context)
    }

    fn proc_parse_options(&self, task: Idx<Task>, options: &ProcOptions) -> Result<ProcContext, Denial> {
        let pid_ns = options.pidns.map(|fd| self.proc_parse_pidns(task, fd)).transpose()?;
        Ok(ProcContext { pid_ns, subset_pid: options.subset_pid })
    }

    /// proc(5) `pidns=`
    fn proc_parse_pidns(&self, task: Idx<Task>, fd: Fd) -> Result<Idx<PidNamespace>, Denial> {
        // proc_fs_parameters: the option came with a release.
        self.refuse_if(true, Rule::ProcPidnsMissing)?;
        let FileKind::Ns(NsRef::Pid(ns)) = self.files_open[self.fget(task, fd)?].kind else {
            // proc_parse_pidns_param EINVAL: not a pid namespace.
            return Err(self.params.denial(Rule::ProcPidnsFd));
        };
        let capable = self.ns_capable(task, self.ruling_user_ns(NsRef::Pid(ns)), Cap::SysAdmin);
        // proc_parse_pidns_param EPERM
        self.refuse_if(!capable, Rule::ProcPidnsPrivilege)?;
        let below = self.in_pidns(self.task_active_pid_ns(task), ns);
        // pidns_is_ancestor: the namespace is the own one or below it.
        self.refuse_if(!below, Rule::ProcPidnsScope)?;
        Ok(ns)
    }
}
