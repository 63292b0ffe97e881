//! The task and what tasks share: `task_struct`, `signal_struct`, `sighand_struct`,
//! `mm_struct`, `fs_struct` (`include/linux/sched.h` and its neighbours).

use crate::Kernel;
use crate::arena::Idx;
use crate::cgroup::{Cgroup, PidsCgroup};
use crate::cred::Cred;
use crate::file::Files;
use crate::ipc::{ShmAttached, SysvTask};
use crate::mount::Path;
use crate::nsproxy::NsProxy;
use crate::params::{Call, Hook};
use crate::pid::Pid;
use crate::rule::{Denial, Rule};
use crate::user_namespace::UserNamespace;
use alloc::vec::Vec;

/// A handle to a task (a thread), good until the task is reaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

/// What a task is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum State {
    /// It can make calls.
    #[default]
    Running,
    /// Stopped by a signal.
    Stopped,
    /// In vfork, until the child executes or exits.
    VforkWait,
    /// An exiting init, until the last other process of its pid namespace is reaped.
    Zapping,
    /// Exited, not yet reaped.
    Zombie,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Task {
    pub(crate) pid: Idx<Pid>,
    pub(crate) signal: Idx<Signal>,
    pub(crate) cred: Idx<Cred>,
    /// Gone once the task has exited.
    pub(crate) nsproxy: Option<Idx<NsProxy>>,
    pub(crate) fs: Option<Idx<Fs>>,
    pub(crate) files: Option<Idx<Files>>,
    pub(crate) mm: Option<Idx<Mm>>,
    pub(crate) sighand: Option<Idx<Sighand>>,
    pub(crate) sysv: Option<Idx<SysvTask>>,
    pub(crate) cgroup: Idx<Cgroup>,
    /// Where the pids controller has charged it: in its cgroup, if it lives.
    pub(crate) pids: Option<Idx<PidsCgroup>>,
    pub(crate) real_parent: Option<Idx<Task>>,
    pub(crate) first_child: Option<Idx<Task>>,
    pub(crate) last_child: Option<Idx<Task>>,
    pub(crate) next_sibling: Option<Idx<Task>>,
    pub(crate) prev_sibling: Option<Idx<Task>>,
    /// The ring of the thread group.
    pub(crate) next_thread: Idx<Task>,
    pub(crate) prev_thread: Idx<Task>,
    /// Who waits in vfork for this task.
    pub(crate) vfork_parent: Option<Idx<Task>>,
    /// For whom this task waits in vfork.
    pub(crate) vfork_child: Option<Idx<Task>>,
    pub(crate) blocked: u64,
    /// Signals for this thread alone.
    pub(crate) pending: u64,
    pub(crate) exit_code: u32,
    /// What the parent is told at the end; `None` for a thread that leads no process.
    pub(crate) exit_signal: Option<u8>,
    pub(crate) pdeath_signal: u8,
    pub(crate) state: State,
    pub(crate) no_new_privs: bool,
    /// `PF_NPROC_EXCEEDED`: it became a user who has too many tasks.
    pub(crate) nproc_exceeded: bool,
    /// How often it has executed, and its parent had when it was made: after an exec of
    /// the parent the end of a child is told by `SIGCHLD`.
    pub(crate) self_exec_id: u32,
    pub(crate) parent_exec_id: u32,
    /// `PF_FORKNOEXEC` is gone: it has executed since it was made.
    pub(crate) executed: bool,
    /// Whether its memory, gone by now, could be looked into.
    pub(crate) user_dumpable: bool,
    /// Since 7.2: the memory it had before it exited, of which [`Mm::dumpable`] and
    /// [`Mm::user_ns`] are left (`struct task_exec_state`).
    pub(crate) exec_state: Option<Idx<Mm>>,
}

/// What the threads of a process share about the process itself.
#[allow(clippy::struct_excessive_bools)] // Four facts that do not exclude each other.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Signal {
    /// Threads not yet released.
    pub(crate) nr_threads: u32,
    /// Threads not yet exited.
    pub(crate) live: u32,
    pub(crate) leader: Idx<Task>,
    pub(crate) pgrp: Idx<Pid>,
    pub(crate) session: Idx<Pid>,
    /// The process group's other members, a list that begins at [`Pid::first_in_group`].
    pub(crate) next_in_group: Option<Idx<Signal>>,
    pub(crate) prev_in_group: Option<Idx<Signal>>,
    pub(crate) shared_pending: u64,
    pub(crate) group_exit_code: Option<u32>,
    pub(crate) rlimits: Rlimits,
    /// `SIGNAL_UNKILLABLE`: the init of a pid namespace.
    pub(crate) unkillable: bool,
    pub(crate) is_child_subreaper: bool,
    pub(crate) has_child_subreaper: bool,
    pub(crate) autoreap: bool,
}

/// The resource limits the model knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Resource {
    /// Tasks of a user.
    Nproc,
    /// Bytes in POSIX message queues.
    Msgqueue,
    /// Queued signals.
    Sigpending,
    /// Locked memory.
    Memlock,
    /// Open descriptors.
    Nofile,
}

/// No limit.
pub const RLIM_INFINITY: u64 = u64::MAX;

/// Soft limits, indexed by [`Resource`], and the one hard limit that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rlimits {
    pub(crate) soft: [u64; 5],
    pub(crate) nproc_max: u64,
    pub(crate) nofile_max: u64,
}

impl Default for Rlimits {
    fn default() -> Self {
        Self {
            soft: [RLIM_INFINITY, 819_200, RLIM_INFINITY, 8 << 20, 1024],
            nproc_max: RLIM_INFINITY,
            nofile_max: 1 << 20,
        }
    }
}

/// Signal dispositions, as two bit sets over "default".
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sighand {
    pub(crate) count: u32,
    pub(crate) ignored: u64,
    pub(crate) handled: u64,
}

/// An address space: who shares it, and what its last exec said about looking into it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mm {
    pub(crate) users: u32,
    /// The exited tasks that are still looked into by it.
    pub(crate) exited: u32,
    /// 1 may be looked into by its user; 0 and 2 only with `CAP_SYS_PTRACE`.
    pub(crate) dumpable: u8,
    pub(crate) user_ns: Idx<UserNamespace>,
    /// The shared memory attached last.
    pub(crate) first_shm: Option<Idx<ShmAttached>>,
}

/// Root and working directory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fs {
    pub(crate) users: u32,
    pub(crate) root: Path,
    pub(crate) pwd: Path,
}

impl Kernel {
    /// Looks up the caller of a system call: it must be able to make one, and no
    /// filter may answer first.
    pub(crate) fn enter(&self, caller: TaskId, call: Call) -> Result<Idx<Task>, Denial> {
        let task = self
            .tasks
            .resolve(caller.index, caller.generation)
            .ok_or_else(|| self.params.denial(Rule::CallerDead))?;
        match self.tasks[task].state {
            State::Running => {}
            State::Zombie => return Err(self.params.denial(Rule::CallerDead)),
            _ => return Err(self.params.denial(Rule::CallerBlocked)),
        }
        // seccomp(2) SECCOMP_RET_ERRNO: a filter answers before the call begins.
        self.hook(Hook::Call(call), Rule::CallFiltered)?;
        Ok(task)
    }

    /// The same for a call whose flags a filter may look at.
    pub(crate) fn enter_with(&self, caller: TaskId, call: Call, flags: u64) -> Result<Idx<Task>, Denial> {
        let task = self.enter(caller, call)?;
        match self.params.flags_hook(call, flags) {
            Some(errno) if self.params.holds(Rule::CallFiltered) => {
                Err(Denial { errno, rule: Rule::CallFiltered })
            }
            _ => Ok(task),
        }
    }

    /// A task as the object of an observation: zombies can be looked at.
    pub(crate) fn observe(&self, task: TaskId) -> Result<Idx<Task>, Denial> {
        self.tasks.resolve(task.index, task.generation).ok_or_else(|| self.params.denial(Rule::NoSuchTask))
    }

    pub(crate) fn task_id(&self, task: Idx<Task>) -> TaskId {
        TaskId { index: task.raw(), generation: self.tasks.generation(task) }
    }

    pub(crate) fn cred_of(&self, task: Idx<Task>) -> &Cred {
        &self.creds[self.tasks[task].cred]
    }

    pub(crate) fn current_user_ns(&self, task: Idx<Task>) -> Idx<UserNamespace> {
        self.cred_of(task).user_ns
    }

    pub(crate) fn signal_of(&self, task: Idx<Task>) -> &Signal {
        &self.signals[self.tasks[task].signal]
    }

    pub(crate) fn is_leader(&self, task: Idx<Task>) -> bool {
        self.signal_of(task).leader == task
    }

    /// No other thread in the group, alive or not yet released.
    pub(crate) fn thread_group_empty(&self, task: Idx<Task>) -> bool {
        self.tasks[task].next_thread == task
    }

    /// `current_is_single_threaded`: no other thread, and nobody else shares the memory.
    pub(crate) fn is_single_threaded(&self, task: Idx<Task>) -> bool {
        self.signal_of(task).live == 1 && self.tasks[task].mm.is_none_or(|mm| self.mms[mm].users == 1)
    }

    /// The threads of a task's group, the task itself first.
    pub(crate) fn threads(&self, task: Idx<Task>) -> Vec<Idx<Task>> {
        self.thread_ring(task).collect()
    }

    /// The same without a copy, for who changes nothing on the way.
    pub(crate) fn thread_ring(&self, task: Idx<Task>) -> impl Iterator<Item = Idx<Task>> {
        core::iter::successors(Some(task), move |at| {
            Some(self.tasks[*at].next_thread).filter(|next| *next != task)
        })
    }

    pub(crate) fn children(&self, task: Idx<Task>) -> impl Iterator<Item = Idx<Task>> {
        core::iter::successors(self.tasks[task].first_child, |child| self.tasks[*child].next_sibling)
    }

    pub(crate) fn link_child(&mut self, parent: Idx<Task>, child: Idx<Task>) {
        let last = self.tasks[parent].last_child.replace(child);
        match last {
            Some(last) => self.tasks[last].next_sibling = Some(child),
            None => self.tasks[parent].first_child = Some(child),
        }
        let task = &mut self.tasks[child];
        task.prev_sibling = last;
        task.next_sibling = None;
        task.real_parent = Some(parent);
    }

    /// One child takes the place of another.
    pub(crate) fn replace_child(&mut self, parent: Idx<Task>, old: Idx<Task>, new: Idx<Task>) {
        let Task { prev_sibling, next_sibling, .. } = self.tasks[old];
        match prev_sibling {
            Some(prev) => self.tasks[prev].next_sibling = Some(new),
            None => self.tasks[parent].first_child = Some(new),
        }
        match next_sibling {
            Some(next) => self.tasks[next].prev_sibling = Some(new),
            None => self.tasks[parent].last_child = Some(new),
        }
        let task = &mut self.tasks[new];
        task.real_parent = Some(parent);
        task.prev_sibling = prev_sibling;
        task.next_sibling = next_sibling;
        let task = &mut self.tasks[old];
        task.real_parent = None;
        task.prev_sibling = None;
        task.next_sibling = None;
    }

    pub(crate) fn unlink_child(&mut self, child: Idx<Task>) {
        let Task { real_parent, prev_sibling, next_sibling, .. } = self.tasks[child];
        let Some(parent) = real_parent else { return };
        match prev_sibling {
            Some(prev) => self.tasks[prev].next_sibling = next_sibling,
            None => self.tasks[parent].first_child = next_sibling,
        }
        match next_sibling {
            Some(next) => self.tasks[next].prev_sibling = prev_sibling,
            None => self.tasks[parent].last_child = prev_sibling,
        }
    }

    pub(crate) fn put_sighand(&mut self, sighand: Idx<Sighand>) {
        self.sighands[sighand].count -= 1;
        if self.sighands[sighand].count == 0 {
            self.sighands.remove(sighand);
        }
    }

    pub(crate) fn put_mm(&mut self, task: Idx<Task>, mm: Idx<Mm>) {
        self.mms[mm].users -= 1;
        if self.mms[mm].users == 0 {
            if self.mms[mm].first_shm.is_some() {
                self.shm_exit_mm(task, mm);
            }
            self.free_mm(mm);
        }
    }

    /// The end of an exited task, which was looked into by what is left of its memory.
    pub(crate) fn put_exec_state(&mut self, mm: Idx<Mm>) {
        self.mms[mm].exited -= 1;
        self.free_mm(mm);
    }

    fn free_mm(&mut self, mm: Idx<Mm>) {
        if let Mm { users: 0, exited: 0, user_ns, .. } = self.mms[mm] {
            self.mms.remove(mm);
            self.put_user_ns(user_ns);
        }
    }

    pub(crate) fn copy_fs_struct(&mut self, fs: Idx<Fs>) -> Idx<Fs> {
        let copy = Fs { users: 1, ..self.fss[fs] };
        self.get_path(copy.root);
        self.get_path(copy.pwd);
        self.fss.insert(copy)
    }

    pub(crate) fn put_fs(&mut self, fs: Idx<Fs>) {
        self.fss[fs].users -= 1;
        if self.fss[fs].users == 0 {
            let Fs { root, pwd, .. } = self.fss[fs];
            self.fss.remove(fs);
            self.put_path(root);
            self.put_path(pwd);
        }
    }
}
