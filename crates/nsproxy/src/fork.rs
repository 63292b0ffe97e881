//! clone, clone3 and unshare (`kernel/fork.c`). The order of the checks is the
//! kernel's, and decides which errno wins.

mod unshare;

use crate::Kernel;
use crate::arena::Idx;
use crate::capability::Cap;
use crate::cgroup::Cgroup;
use crate::cred::Cred;
use crate::file::{Fd, FileKind};
use crate::ns_common::NsKind;
use crate::nsproxy::NsProxy;
use crate::params::{Call, Hook};
use crate::pid::Pid;
use crate::rule::{Denial, Rule};
use crate::task::{Fs, Mm, Sighand, Signal, State, Task, TaskId};
use crate::uapi::{
    CLONE_AUTOREAP, CLONE_CLEAR_SIGHAND, CLONE_DETACHED, CLONE_EMPTY_MNTNS, CLONE_FS, CLONE_INTO_CGROUP,
    CLONE_NEWCGROUP, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWTIME, CLONE_NEWUSER, CLONE_NNP, CLONE_PARENT,
    CLONE_PARENT_SETTID, CLONE_PIDFD, CLONE_PIDFD_AUTOKILL, CLONE_SIGHAND, CLONE_SYSVSEM, CLONE_THREAD,
    CLONE_VFORK, CLONE_VM, CSIGNAL, MAX_PID_NS_LEVEL, NSIG, PAGE_SIZE, SIGCHLD,
};

/// The end of user memory: an address from here on cannot be used.
const TASK_SIZE: u64 = 0x7fff_ffff_f000;

/// What makes a child anything else than a process of its own, waited for by its maker.
const SHARING: u64 = CLONE_VM
    | CLONE_SIGHAND
    | CLONE_THREAD
    | CLONE_PARENT
    | CLONE_PIDFD
    | CLONE_DETACHED
    | CLONE_AUTOREAP
    | CLONE_NNP
    | CLONE_PIDFD_AUTOKILL;

/// The argument of clone3. Pointers are addresses; what `set_tid` points to is a slice.
#[derive(Clone, Copy, Debug)]
pub struct CloneArgs<'a> {
    /// `CLONE_*` bits.
    pub flags: u64,
    /// Where the pidfd goes.
    pub pidfd: u64,
    /// Where the child's tid goes in the parent.
    pub parent_tid: u64,
    /// The signal the parent gets when the child exits.
    pub exit_signal: u64,
    /// Lowest byte of the child's stack, or 0.
    pub stack: u64,
    /// Size of the stack.
    pub stack_size: u64,
    /// Wanted pid numbers, deepest namespace first; `None` is a null pointer.
    pub set_tid: Option<&'a [i32]>,
    /// How many, if it is not the length of the slice.
    pub set_tid_size: u64,
    /// The cgroup for `CLONE_INTO_CGROUP`.
    pub cgroup: u64,
    /// Size of the structure. What it does not cover counts as zero, whatever stands here.
    pub size: u64,
    /// Whether bytes after the known part are not zero, if the size goes beyond it.
    pub unknown_tail: bool,
    /// Whether the structure cannot be read.
    pub fault: bool,
}

impl CloneArgs<'_> {
    /// The size of the structure that has the cgroup field.
    pub const SIZE: u64 = 88;
    /// Where the fields of the second version begin.
    const SET_TID_AT: u64 = 64;
    /// An address where nothing can be stored.
    pub const BAD_ADDRESS: u64 = u64::MAX;

    /// A child that differs from fork by these flags.
    pub const fn new(flags: u64) -> Self {
        Self {
            flags,
            pidfd: 0x1000,
            parent_tid: 0x2000,
            exit_signal: SIGCHLD as u64,
            stack: 0,
            stack_size: 0,
            set_tid: None,
            set_tid_size: 0,
            cgroup: 0,
            size: Self::SIZE,
            unknown_tail: false,
            fault: false,
        }
    }
}

impl<'a> CloneArgs<'a> {
    /// What the kernel has after `copy_struct_from_user` of the fields that later versions
    /// added: `set_tid`, its size, and the cgroup.
    #[inline]
    fn later_fields(&self) -> (Option<&'a [i32]>, u64, u64) {
        if self.size < Self::SIZE {
            self.zero_filled()
        } else {
            (self.set_tid, self.set_tid_size, self.cgroup)
        }
    }

    /// Zero for what the size does not cover. Of a number cut in its middle the lower bytes
    /// are left; a cut pointer is not null.
    #[inline(never)]
    fn zero_filled(&self) -> (Option<&'a [i32]>, u64, u64) {
        let low_bytes = |start: u64| match self.size.saturating_sub(start) {
            0 => 0,
            covered @ 1..8 => (1 << (covered * 8)) - 1,
            _ => u64::MAX,
        };
        (
            self.set_tid.filter(|_| self.size > Self::SET_TID_AT),
            self.set_tid_size & low_bytes(Self::SET_TID_AT + 8),
            self.cgroup & low_bytes(Self::SIZE - 8),
        )
    }

    /// The same with wanted pid numbers.
    #[must_use]
    pub const fn with_set_tid(self, tids: &'a [i32]) -> Self {
        Self { set_tid: Some(tids), set_tid_size: tids.len() as u64, ..self }
    }

    /// The same with another exit signal.
    #[must_use]
    pub const fn with_exit_signal(self, signal: u64) -> Self {
        Self { exit_signal: signal, ..self }
    }
}

/// A new task, as its maker gets to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Child {
    /// Its number in the maker's pid namespace: what the call returns.
    pub pid: u32,
    /// The handle to act as it.
    pub task: TaskId,
    /// The descriptor asked for with `CLONE_PIDFD`.
    pub pidfd: Option<Fd>,
}

/// What both entries boil down to.
#[derive(Clone, Copy, Debug)]
struct KernelCloneArgs<'a> {
    flags: u64,
    pidfd: u64,
    parent_tid: u64,
    exit_signal: u32,
    set_tid: &'a [i32],
    cgroup: Fd,
}

/// What is ready before the child exists.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    pub(crate) cred: Idx<Cred>,
    pub(crate) fs: Idx<Fs>,
    pub(crate) nsproxy: Idx<NsProxy>,
    pub(crate) pid: Idx<Pid>,
    pub(crate) cgroup: Idx<Cgroup>,
}

const fn all(flags: u64, bits: u64) -> bool {
    flags & bits == bits
}

const fn any(flags: u64, bits: u64) -> bool {
    flags & bits != 0
}

impl Kernel {
    /// fork(2).
    pub fn fork(&mut self, caller: TaskId) -> Result<Child, Denial> {
        self.sys_clone(caller, u64::from(SIGCHLD))
    }

    /// vfork(2): the caller is suspended until the child executes or exits.
    pub fn vfork(&mut self, caller: TaskId) -> Result<Child, Denial> {
        self.sys_clone(caller, CLONE_VFORK | CLONE_VM | u64::from(SIGCHLD))
    }

    /// The old clone(2): the low byte of the flags is the exit signal, and bits above
    /// the 32nd do not exist. So it has no `CLONE_NEWTIME`. (The name `clone` is
    /// taken: a kernel can be cloned, too.)
    pub fn sys_clone(&mut self, caller: TaskId, flags: u64) -> Result<Child, Denial> {
        let task = self.enter_with(caller, Call::Clone, flags)?;
        let low = flags & 0xffff_ffff;
        let args = KernelCloneArgs {
            flags: low & !CSIGNAL,
            pidfd: 0x1000,
            parent_tid: 0x1000,
            exit_signal: u32::try_from(low & CSIGNAL).unwrap_or(0),
            set_tid: &[],
            cgroup: 0,
        };
        self.kernel_clone(task, args)
    }

    /// clone3(2).
    pub fn clone3(&mut self, caller: TaskId, args: &CloneArgs<'_>) -> Result<Child, Denial> {
        let task = self.enter(caller, Call::Clone3)?;
        let known = self.copy_clone_args_from_user(args)?;
        self.clone3_args_valid(args)?;
        self.kernel_clone(task, known)
    }

    fn copy_clone_args_from_user<'a>(&self, args: &CloneArgs<'a>) -> Result<KernelCloneArgs<'a>, Denial> {
        // clone(2) E2BIG, EINVAL: the size of the structure.
        self.refuse_if(args.size > PAGE_SIZE as u64, Rule::Clone3SizeTooBig)?;
        self.refuse_if(args.size < CloneArgs::SET_TID_AT, Rule::Clone3SizeTooSmall)?;
        // clone3(2) EFAULT: the structure cannot be read.
        self.refuse_if(args.fault, Rule::Clone3Fault)?;
        // clone(2) E2BIG: fields of a later version; those of this one may be missing.
        let (set_tid, set_tid_size, cgroup) = args.later_fields();
        let tail = args.unknown_tail && args.size > CloneArgs::SIZE;
        self.refuse_if(tail, Rule::Clone3UnknownTail)?;
        let wishes = set_tid.is_some() || set_tid_size > 0;
        if wishes {
            self.check_set_tid_size(set_tid, set_tid_size)?;
        }
        // clone(2) EINVAL: exit_signal is a signal number.
        let signal_bits = args.exit_signal & !CSIGNAL != 0;
        self.refuse_if(signal_bits, Rule::Clone3ExitSignalBits)?;
        let no_signal = args.exit_signal > u64::from(NSIG);
        // copy_clone_args_from_user, valid_signal: 64 is the last.
        self.refuse_if(no_signal, Rule::Clone3ExitSignal)?;
        // clone(2) CLONE_INTO_CGROUP: the field must exist and hold a descriptor.
        let cgroup = Fd::try_from(cgroup);
        let bad_field = cgroup.is_err() || args.size < CloneArgs::SIZE;
        let into = any(args.flags, CLONE_INTO_CGROUP);
        self.refuse_if(into && bad_field, Rule::IntoCgroupField)?;
        let set_tid = if wishes { self.copy_set_tid(set_tid, set_tid_size)? } else { &[] };
        Ok(KernelCloneArgs {
            flags: args.flags,
            pidfd: args.pidfd,
            parent_tid: args.parent_tid,
            exit_signal: u32::try_from(args.exit_signal).unwrap_or(0),
            set_tid,
            cgroup: cgroup.unwrap_or(-1),
        })
    }

    /// clone(2) EINVAL: `set_tid` and its size come together.
    #[inline(never)]
    fn check_set_tid_size(&self, set_tid: Option<&[i32]>, size: u64) -> Result<(), Denial> {
        self.refuse_if(size > u64::from(MAX_PID_NS_LEVEL), Rule::SetTidTooMany)?;
        self.refuse_if(set_tid.is_none() && size > 0, Rule::SetTidNull)?;
        self.refuse_if(set_tid.is_some() && size == 0, Rule::SetTidEmpty)
    }

    /// clone(2) EFAULT: the array is shorter than its size says.
    #[inline(never)]
    fn copy_set_tid<'a>(&self, set_tid: Option<&'a [i32]>, size: u64) -> Result<&'a [i32], Denial> {
        let Some(wanted) = set_tid else { return Ok(&[]) };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        wanted.get(..size).ok_or_else(|| self.params.denial(Rule::SetTidFault))
    }

    /// The bits clone3 knows in this release.
    fn clone3_known_flags(&self) -> u64 {
        let mut known = 0xffff_ffff | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP;
        if self.params.since(7, 1) {
            known |= CLONE_AUTOREAP | CLONE_NNP | CLONE_PIDFD_AUTOKILL | CLONE_EMPTY_MNTNS;
        }
        known
    }

    fn clone3_args_valid(&self, args: &CloneArgs<'_>) -> Result<(), Denial> {
        let flags = args.flags;
        // clone(2) EINVAL: unknown bits.
        self.refuse_if(any(flags, !self.clone3_known_flags()), Rule::Clone3UnknownFlags)?;
        // clone(2) EINVAL: bits the old clone used otherwise. CLONE_NEWTIME is one of
        // the old signal bits and means itself here.
        let reserved = CLONE_DETACHED | (CSIGNAL & !CLONE_NEWTIME);
        self.refuse_if(any(flags, reserved), Rule::Clone3ReservedFlags)?;
        // clone(2) EINVAL: CLONE_SIGHAND with CLONE_CLEAR_SIGHAND.
        let both = all(flags, CLONE_SIGHAND | CLONE_CLEAR_SIGHAND);
        self.refuse_if(both, Rule::ClearSighandShared)?;
        // clone(2) EINVAL: threads and siblings have no exit signal of their own.
        let fixed = any(flags, CLONE_THREAD | CLONE_PARENT) && args.exit_signal != 0;
        self.refuse_if(fixed, Rule::Clone3ThreadExitSignal)?;
        // clone(2) EINVAL: stack and size come together, in user memory.
        let end = args.stack.checked_add(args.stack_size);
        let stack_ok = (args.stack == 0) == (args.stack_size == 0) && end.is_some_and(|end| end <= TASK_SIZE);
        self.refuse_if(!stack_ok, Rule::Clone3Stack)
    }

    fn kernel_clone(&mut self, parent: Idx<Task>, mut args: KernelCloneArgs<'_>) -> Result<Child, Denial> {
        if any(args.flags, CLONE_EMPTY_MNTNS) {
            args.flags |= CLONE_NEWNS;
        }
        // clone(2) EINVAL: one address cannot take both results.
        let same = all(args.flags, CLONE_PIDFD | CLONE_PARENT_SETTID) && args.pidfd == args.parent_tid;
        self.refuse_if(same, Rule::PidfdIsParentTid)?;
        // Since 7.1 the exit signal is judged here for all entries.
        self.refuse_if(args.exit_signal > NSIG, Rule::CloneExitSignal)?;
        let child = self.copy_process(parent, &args)?;
        let pidfd = any(args.flags, CLONE_PIDFD).then(|| self.install_pidfd(parent, child, args.flags));
        if any(args.flags, CLONE_VFORK) {
            self.tasks[child].vfork_parent = Some(parent);
            self.tasks[parent].vfork_child = Some(child);
            self.tasks[parent].state = State::VforkWait;
        }
        Ok(Child { pid: self.pid_vnr(parent, self.tasks[child].pid), task: self.task_id(child), pidfd })
    }

    #[inline(never)]
    fn install_pidfd(&mut self, parent: Idx<Task>, child: Idx<Task>, flags: u64) -> Fd {
        let pid = self.tasks[child].pid;
        self.pids[pid].count += 1;
        let thread = any(flags, CLONE_THREAD);
        let autokill = any(flags, CLONE_PIDFD_AUTOKILL);
        self.fd_install(parent, FileKind::Pidfd { pid, thread, autokill }, true)
    }

    /// The checks on the flags alone, in the kernel's order.
    fn check_clone_flags(&self, parent: Idx<Task>, flags: u64, exit_signal: u32) -> Result<(), Denial> {
        // clone(2) EINVAL: CLONE_NEWNS with CLONE_FS.
        self.refuse_if(all(flags, CLONE_NEWNS | CLONE_FS), Rule::NewnsWithFs)?;
        // clone(2) EINVAL: CLONE_NEWUSER with CLONE_FS.
        self.refuse_if(all(flags, CLONE_NEWUSER | CLONE_FS), Rule::NewuserWithFs)?;
        self.check_userns_clone_sysctl(parent, flags)?;
        if any(flags, SHARING) { self.check_sharing(parent, flags, exit_signal) } else { Ok(()) }
    }

    /// Those that only a child can fail that is no plain process of its own.
    #[inline(never)]
    fn check_sharing(&self, parent: Idx<Task>, flags: u64, exit_signal: u32) -> Result<(), Denial> {
        let thread = any(flags, CLONE_THREAD);
        // clone(2) EINVAL: CLONE_THREAD needs CLONE_SIGHAND, which needs CLONE_VM.
        let unshared = thread && !any(flags, CLONE_SIGHAND);
        self.refuse_if(unshared, Rule::ThreadWithoutSighand)?;
        let no_memory = any(flags, CLONE_SIGHAND) && !any(flags, CLONE_VM);
        self.refuse_if(no_memory, Rule::SighandWithoutVm)?;
        // clone(2) EINVAL: the init of a pid namespace has no siblings.
        let sibling = any(flags, CLONE_PARENT);
        let of_init = sibling && self.signal_of(parent).unkillable;
        self.refuse_if(of_init, Rule::ParentOfInit)?;
        // clone(2) EINVAL: threads of a process stay in its user and pid namespace.
        let apart = thread && any(flags, CLONE_NEWUSER | CLONE_NEWPID);
        self.refuse_if(apart, Rule::ThreadInNewNamespace)?;
        if any(flags, CLONE_THREAD | CLONE_VM) {
            let nsproxy = self.current_nsproxy(parent);
            let pending = self.task_active_pid_ns(parent) != nsproxy.pid_for_children;
            // clone(2) EINVAL: a thread lives in the pid namespace of its process.
            self.refuse_if(thread && pending, Rule::ThreadWhilePidPending)?;
            // time_namespaces(7), up to 6.1: one address space, one clock page.
            let time_pending = nsproxy.time != nsproxy.time_for_children;
            self.refuse_if(time_pending, Rule::VmWhileTimePending)?;
        }
        // clone(2) EINVAL: CLONE_PIDFD with CLONE_DETACHED.
        let detached = all(flags, CLONE_PIDFD | CLONE_DETACHED);
        self.refuse_if(detached, Rule::PidfdDetached)?;
        // clone(2) EINVAL: CLONE_PIDFD with CLONE_THREAD, up to 6.8.
        self.refuse_if(all(flags, CLONE_PIDFD | CLONE_THREAD), Rule::PidfdThread)?;
        self.check_autoreap_flags(parent, flags, exit_signal)
    }

    /// What 7.1 added.
    fn check_autoreap_flags(&self, parent: Idx<Task>, flags: u64, exit_signal: u32) -> Result<(), Denial> {
        // CLONE_AUTOREAP: a process of its own that tells nobody when it ends.
        let told = any(flags, CLONE_THREAD | CLONE_PARENT) || exit_signal != 0;
        let autoreap = any(flags, CLONE_AUTOREAP);
        self.refuse_if(autoreap && told, Rule::AutoreapFlags)?;
        let sibling = any(flags, CLONE_PARENT) && self.signal_of(parent).autoreap;
        // copy_process, 7.1: who reaps itself has no siblings to be reaped for.
        self.refuse_if(sibling, Rule::ParentOfAutoreap)?;
        // copy_process, 7.1: CLONE_NNP is for a process.
        self.refuse_if(all(flags, CLONE_NNP | CLONE_THREAD), Rule::NnpThread)?;
        if any(flags, CLONE_PIDFD_AUTOKILL) {
            // CLONE_PIDFD_AUTOKILL: nobody else is left to reap or to be surprised.
            let alone = all(flags, CLONE_PIDFD | CLONE_AUTOREAP) && !any(flags, CLONE_THREAD);
            self.refuse_if(!alone, Rule::AutokillFlags)?;
            let own_ns = self.current_user_ns(parent);
            let harmless = any(flags, CLONE_NNP) || self.ns_capable(parent, own_ns, Cap::SysAdmin);
            // copy_process, 7.1: CAP_SYS_ADMIN, unless nothing that is killed can gain privilege.
            self.refuse_if(!harmless, Rule::AutokillPrivilege)?;
        }
        Ok(())
    }

    /// The Debian patch, where it is applied.
    fn check_userns_clone_sysctl(&self, caller: Idx<Task>, flags: u64) -> Result<(), Denial> {
        let forbidden =
            any(flags, CLONE_NEWUSER) && self.params.features.unprivileged_userns_clone == Some(false);
        let refused = forbidden && !self.capable(caller, Cap::SysAdmin);
        self.refuse_if(refused, Rule::UnprivilegedUsernsClone)
    }

    fn copy_process(&mut self, parent: Idx<Task>, args: &KernelCloneArgs<'_>) -> Result<Idx<Task>, Denial> {
        self.check_clone_flags(parent, args.flags, args.exit_signal)?;
        // Until 5.17 before a user namespace is made, of the caller as it is.
        let early = !self.params.since(5, 17);
        if early {
            self.check_nproc(parent, self.tasks[parent].cred)?;
        }
        let cred = self.copy_creds(parent, args.flags)?;
        let allowed = if early { Ok(()) } else { self.check_nproc(parent, cred) };
        let made = allowed.and_then(|()| self.copy_process_as(parent, args, cred));
        if made.is_err() {
            self.dec_nproc(self.creds[cred].ucounts);
            self.put_cred(cred);
        }
        made
    }

    fn copy_process_as(
        &mut self,
        parent: Idx<Task>,
        args: &KernelCloneArgs<'_>,
        cred: Idx<Cred>,
    ) -> Result<Idx<Task>, Denial> {
        // clone(2) EAGAIN: threads-max.
        let full = self.nr_threads >= self.params.threads_max;
        self.refuse_if(full, Rule::ForkMaxThreads)?;
        // copy_process: security_task_alloc.
        self.hook(Hook::TaskAlloc, Rule::ForkLsm)?;
        let fs = self.tasks[parent].fs.expect("a running task has an fs_struct");
        let fs = if any(args.flags, CLONE_FS) {
            self.fss[fs].users += 1;
            fs
        } else {
            self.copy_fs_struct(fs)
        };
        let made = self.copy_process_at(parent, args, cred, fs);
        if made.is_err() {
            self.put_fs(fs);
        }
        made
    }

    fn check_nproc(&mut self, parent: Idx<Task>, cred: Idx<Cred>) -> Result<(), Denial> {
        let Cred { ucounts, uid, .. } = self.creds[cred];
        if self.is_nproc_overlimit(ucounts, parent) {
            // clone(2) EAGAIN: RLIMIT_NPROC, unless root or capable in the first namespace.
            let exempt =
                uid == 0 || self.capable(parent, Cap::SysResource) || self.capable(parent, Cap::SysAdmin);
            self.refuse_if(!exempt, Rule::ForkNproc)?;
        }
        self.tasks[parent].nproc_exceeded = false;
        Ok(())
    }

    fn copy_process_at(
        &mut self,
        parent: Idx<Task>,
        args: &KernelCloneArgs<'_>,
        cred: Idx<Cred>,
        fs: Idx<Fs>,
    ) -> Result<Idx<Task>, Denial> {
        let user_ns = self.creds[cred].user_ns;
        let nsproxy = self.copy_namespaces(parent, args.flags, user_ns, Some(fs))?;
        let pid_ns = self.nsproxies[nsproxy].pid_for_children;
        let made = match self.alloc_pid(Some(parent), pid_ns, args.set_tid) {
            Ok(pid) => {
                let cgroup = self.check_late(parent, args);
                match cgroup {
                    Ok(cgroup) => Ok(self.new_task(parent, args, Parts { cred, fs, nsproxy, pid, cgroup })),
                    Err(denial) => {
                        self.detach_pid(pid);
                        Err(denial)
                    }
                }
            }
            Err(denial) => Err(denial),
        };
        if made.is_err() {
            self.put_nsproxy(nsproxy);
        }
        made
    }

    /// What may still refuse when the child has its number.
    fn check_late(&self, parent: Idx<Task>, args: &KernelCloneArgs<'_>) -> Result<Idx<Cgroup>, Denial> {
        if any(args.flags, CLONE_PIDFD) {
            self.check_free_fd(parent)?;
            // clone(2) CLONE_PIDFD: the number is stored through a user pointer.
            let bad = args.pidfd == 0 || args.pidfd >= TASK_SIZE;
            self.refuse_if(bad, Rule::PidfdFault)?;
        }
        let into = any(args.flags, CLONE_INTO_CGROUP).then_some(args.cgroup);
        self.cgroup_can_fork(parent, into, any(args.flags, CLONE_THREAD))
    }

    /// A child that a host puts together from parts; `flags` say what else it shares.
    pub(crate) fn host_task(&mut self, parent: Idx<Task>, flags: u64, parts: Parts) -> Idx<Task> {
        let args = KernelCloneArgs {
            flags,
            pidfd: 0,
            parent_tid: 0,
            exit_signal: SIGCHLD,
            set_tid: &[],
            cgroup: -1,
        };
        self.new_task(parent, &args, parts)
    }

    /// Nothing can fail any more: the task comes into being.
    fn new_task(&mut self, parent: Idx<Task>, args: &KernelCloneArgs<'_>, parts: Parts) -> Idx<Task> {
        let flags = args.flags;
        let thread = any(flags, CLONE_THREAD);
        let files = self.copy_files(parent, flags);
        let sighand = self.copy_sighand(parent, flags);
        let mm = self.copy_mm(parent, flags);
        let sysv = any(flags, CLONE_SYSVSEM).then(|| self.share_sysvsem(parent));
        let old = self.tasks[parent];
        let leader = self.signals[old.signal].leader;
        // clone(2) CLONE_PARENT: the child's parent is the caller's, and so is the exit signal.
        let sibling = any(flags, CLONE_PARENT | CLONE_THREAD);
        let real_parent = if sibling { self.tasks[leader].real_parent } else { Some(parent) };
        let exit_signal = if thread {
            None
        } else if any(flags, CLONE_PARENT) {
            self.tasks[leader].exit_signal
        } else {
            u8::try_from(args.exit_signal).ok()
        };
        let child = self.tasks.insert(Task {
            pid: parts.pid,
            cred: parts.cred,
            nsproxy: Some(parts.nsproxy),
            fs: Some(parts.fs),
            files,
            mm,
            sighand,
            sysv,
            cgroup: parts.cgroup,
            pids: self.cgroups[parts.cgroup].pids,
            real_parent: None,
            first_child: None,
            last_child: None,
            next_sibling: None,
            prev_sibling: None,
            vfork_parent: None,
            vfork_child: None,
            exit_code: 0,
            pending: 0,
            exit_signal,
            pdeath_signal: 0,
            state: State::Running,
            executed: false,
            parent_exec_id: if sibling { old.parent_exec_id } else { old.self_exec_id },
            no_new_privs: old.no_new_privs || any(flags, CLONE_NNP),
            ..old
        });
        self.nr_threads += 1;
        self.pids[parts.pid].task = Some(child);
        if thread {
            self.join_thread_group(parent, child);
        } else {
            self.new_thread_group(parent, child, real_parent, any(flags, CLONE_AUTOREAP));
        }
        let new_cgroup_ns = any(flags, CLONE_NEWCGROUP) && self.params.features.built(NsKind::Cgroup);
        let new_root = new_cgroup_ns.then_some(parts.nsproxy);
        self.cgroup_post_fork(parts.cgroup, new_root);
        child
    }

    fn copy_sighand(&mut self, parent: Idx<Task>, flags: u64) -> Option<Idx<Sighand>> {
        let sighand = self.tasks[parent].sighand?;
        if any(flags, CLONE_SIGHAND) {
            self.sighands[sighand].count += 1;
            return Some(sighand);
        }
        let mut copy = self.sighands[sighand];
        copy.count = 1;
        if any(flags, CLONE_CLEAR_SIGHAND) {
            copy.handled = 0;
        }
        Some(self.sighands.insert(copy))
    }

    fn copy_mm(&mut self, parent: Idx<Task>, flags: u64) -> Option<Idx<Mm>> {
        let mm = self.tasks[parent].mm?;
        if any(flags, CLONE_VM) {
            self.mms[mm].users += 1;
            return Some(mm);
        }
        let copy = Mm { users: 1, exited: 0, first_shm: None, ..self.mms[mm] };
        self.get_user_ns(copy.user_ns);
        let new = self.mms.insert(copy);
        if self.mms[mm].first_shm.is_some() {
            self.shm_dup_mm(parent, mm, new);
        }
        Some(new)
    }

    #[inline(never)]
    fn join_thread_group(&mut self, parent: Idx<Task>, child: Idx<Task>) {
        let signal = self.tasks[parent].signal;
        self.signals[signal].nr_threads += 1;
        self.signals[signal].live += 1;
        let leader = self.signals[signal].leader;
        let last = self.tasks[leader].prev_thread;
        self.tasks[child].next_thread = leader;
        self.tasks[child].prev_thread = last;
        self.tasks[last].next_thread = child;
        self.tasks[leader].prev_thread = child;
    }

    fn new_thread_group(
        &mut self,
        parent: Idx<Task>,
        child: Idx<Task>,
        real_parent: Option<Idx<Task>>,
        autoreap: bool,
    ) {
        let of_parent = self.signal_of(real_parent.unwrap_or(parent));
        let has_child_subreaper = of_parent.has_child_subreaper || of_parent.is_child_subreaper;
        let Signal { pgrp, session, rlimits, .. } = *self.signal_of(parent);
        let pid = self.tasks[child].pid;
        let ns = self.pids[pid].ns;
        // pid_namespaces(7): the process with number 1 is init.
        let init = self.pids[pid].nr == 1;
        if init {
            self.pid_ns[ns].child_reaper = Some(child);
            self.pid_ns[ns].had_init = true;
        }
        self.attach_pid(pgrp);
        self.attach_pid(session);
        let signal = self.signals.insert(Signal {
            nr_threads: 1,
            live: 1,
            leader: child,
            pgrp,
            session,
            next_in_group: None,
            prev_in_group: None,
            shared_pending: 0,
            group_exit_code: None,
            rlimits,
            unkillable: init,
            is_child_subreaper: false,
            has_child_subreaper,
            autoreap,
        });
        self.link_group(signal);
        let task = &mut self.tasks[child];
        task.signal = signal;
        task.next_thread = child;
        task.prev_thread = child;
        if let Some(real_parent) = real_parent {
            self.link_child(real_parent, child);
        }
    }
}
