//! What a task shares, its limits and its root, as a host found them.

use crate::Kernel;
use crate::arena::Idx;
use crate::file::{Fd, FileKind};
use crate::fork::Parts;
use crate::ns_common::{NsId, NsRef};
use crate::rule::{Denial, Rule};
use crate::task::{Resource, Task, TaskId};
use crate::uapi::{CLONE_FILES, CLONE_FS, CLONE_SIGHAND, CLONE_THREAD, CLONE_VM};

impl Kernel {
    /// One more thread of the task's process. Returns it.
    pub fn host_thread(&mut self, task: TaskId) -> Result<TaskId, Denial> {
        self.host_sharer(task, CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_FS | CLONE_FILES)
    }

    /// Another process that shares root and working directory with the task. Returns it.
    pub fn host_fs_sharer(&mut self, task: TaskId) -> Result<TaskId, Denial> {
        self.host_sharer(task, CLONE_FS)
    }

    /// Another process that shares memory, and perhaps signal handlers, with the task.
    pub fn host_memory_sharer(&mut self, task: TaskId, handlers: bool) -> Result<TaskId, Denial> {
        self.host_sharer(task, if handlers { CLONE_VM | CLONE_SIGHAND } else { CLONE_VM })
    }

    /// The user namespace in which a task last executed a program, and whether its user
    /// may look into it.
    pub fn host_dumpable(&mut self, task: TaskId, ns: NsId, dumpable: bool) -> Result<(), Denial> {
        let task = self.observe(task)?;
        let ns = self.known_user_ns(ns)?;
        if let Some(mm) = self.tasks[task].mm {
            self.get_user_ns(ns);
            let old = core::mem::replace(&mut self.mms[mm].user_ns, ns);
            self.put_user_ns(old);
            self.mms[mm].dumpable = u8::from(dumpable);
        }
        Ok(())
    }

    /// A task that has not exited.
    pub(super) fn host_living(&self, task: TaskId) -> Result<Idx<Task>, Denial> {
        let task = self.observe(task)?;
        if self.is_alive(task) { Ok(task) } else { Err(self.params.denial(Rule::CallerDead)) }
    }

    fn host_sharer(&mut self, task: TaskId, flags: u64) -> Result<TaskId, Denial> {
        let task = self.observe(task)?;
        let gone = self.params.denial(Rule::CallerDead);
        let (nsproxy, fs) = (self.tasks[task].nsproxy.ok_or(gone)?, self.tasks[task].fs.ok_or(gone)?);
        let active = self.task_active_pid_ns(task);
        let pid = self.alloc_pid(None, active, &[])?;
        let Task { cred, cgroup, .. } = self.tasks[task];
        self.creds[cred].count += 1;
        self.inc_nproc(self.creds[cred].ucounts);
        self.nsproxies[nsproxy].count += 1;
        let fs = if flags & CLONE_FS == 0 { self.copy_fs_struct(fs) } else { fs };
        if flags & CLONE_FS != 0 {
            self.fss[fs].users += 1;
        }
        let sharer = self.host_task(task, flags, Parts { cred, fs, nsproxy, pid, cgroup });
        Ok(self.task_id(sharer))
    }

    /// A resource limit of the task's process, soft and hard.
    pub fn host_rlimit(&mut self, task: TaskId, resource: Resource, limit: u64) -> Result<(), Denial> {
        let task = self.observe(task)?;
        let group = self.tasks[task].signal;
        let limits = &mut self.signals[group].rlimits;
        limits.soft[resource as usize] = limit;
        match resource {
            Resource::Nproc => limits.nproc_max = limit,
            Resource::Nofile => limits.nofile_max = limit,
            _ => {}
        }
        Ok(())
    }

    /// Root and working directory of a task; the directory must be there.
    pub fn host_root(&mut self, task: TaskId, path: &str) -> Result<(), Denial> {
        let task: Idx<Task> = self.host_living(task)?;
        let dir = self.lookup_dir(task, path)?;
        if let Some(fs) = self.tasks[task].fs {
            self.set_fs_root(fs, dir);
            self.set_fs_pwd(fs, dir);
        }
        Ok(())
    }

    /// Whether a task has entered a time namespace, so that its clocks stay as they are.
    /// One that a task is in, and the first, stay so.
    pub fn host_frozen(&mut self, ns: NsId, frozen: bool) -> Result<(), Denial> {
        match self.known_ns(ns)? {
            NsRef::Time(time) => {
                let in_use = self.nsproxies.iter().any(|(_, nsproxy)| nsproxy.time == time);
                if !frozen && (in_use || time == self.init_namespaces.time) {
                    return Err(self.params.denial(Rule::TimeOffsetsFrozen));
                }
                self.time_ns[time].frozen = frozen;
                Ok(())
            }
            _ => Err(self.params.denial(Rule::HandleBad)),
        }
    }

    /// The pid or time namespace that the task's children go to; a pid namespace is the
    /// task's own or below.
    pub fn host_children(&mut self, task: TaskId, ns: NsId) -> Result<(), Denial> {
        let task = self.observe(task)?;
        let ns = self.known_ns(ns)?;
        let old = self.tasks[task].nsproxy.ok_or_else(|| self.params.denial(Rule::CallerDead))?;
        let mut new = self.nsproxies[old];
        match ns {
            NsRef::Pid(pid) if self.in_pidns(self.task_active_pid_ns(task), pid) => {
                new.pid_for_children = pid;
            }
            NsRef::Pid(_) => return Err(self.params.denial(Rule::SetnsPidNotBelow)),
            NsRef::Time(time) => new.time_for_children = time,
            _ => return Err(self.params.denial(Rule::HandleBad)),
        }
        new.count = 1;
        for ns in new.refs() {
            self.get_ns(ns);
        }
        let new = self.nsproxies.insert(new);
        self.switch_task_namespaces(task, Some(new));
        Ok(())
    }

    /// An open descriptor of a namespace, for a task that got it somehow.
    pub fn host_fd(&mut self, task: TaskId, ns: NsId) -> Result<Fd, Denial> {
        let task = self.host_living(task)?;
        let ns: NsRef = self.known_ns(ns)?;
        self.get_ns(ns);
        Ok(self.fd_install(task, FileKind::Ns(ns), true))
    }

    /// An open pidfd of another task, or of one of its threads.
    pub fn host_pidfd(&mut self, task: TaskId, of: TaskId) -> Result<Fd, Denial> {
        let (task, of) = (self.host_living(task)?, self.observe(of)?);
        let pid = self.tasks[of].pid;
        self.pids[pid].count += 1;
        Ok(self.fd_install(task, FileKind::Pidfd { pid, thread: false, autokill: false }, true))
    }
}
