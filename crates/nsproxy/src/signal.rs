//! Signals, as far as pid and user namespaces decide who may end whom
//! (`kernel/signal.c`). A fatal signal takes effect at once.

use crate::Kernel;
use crate::arena::Idx;
use crate::capability::Cap;
use crate::file::{Fd, FileKind};
use crate::params::{Call, Hook};
use crate::pid::Pid;
use crate::rule::{Denial, Rule};
use crate::task::{Sighand, State, Task, TaskId};
use crate::uapi::{
    NSIG, PIDFD_SIGNAL_PROCESS_GROUP, PIDFD_SIGNAL_SCOPES, PIDFD_SIGNAL_THREAD, SIGCHLD, SIGCONT, SIGKILL,
    SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH,
};
use alloc::vec::Vec;

/// What a process does with a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Disposition {
    /// `SIG_DFL`
    Default,
    /// `SIG_IGN`
    Ignore,
    /// A handler of the program.
    Handle,
}

/// The bit of a signal in a set; none for a number that is no signal.
const fn bit(signal: u32) -> u64 {
    match signal {
        1..=NSIG => 1 << (signal - 1),
        _ => 0,
    }
}

const STOP_SIGNALS: u64 = bit(SIGSTOP) | bit(SIGTSTP) | bit(SIGTTIN) | bit(SIGTTOU);
const IGNORED_BY_DEFAULT: u64 = bit(SIGCHLD) | bit(SIGCONT) | bit(SIGURG) | bit(SIGWINCH);

/// Whom a signal is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// Whichever thread of the process takes it.
    Process,
    /// This thread, as tgkill has it.
    Thread,
}

impl Kernel {
    fn disposition(&self, task: Idx<Task>, signal: u32) -> Disposition {
        let Some(sighand) = self.tasks[task].sighand else {
            return Disposition::Default;
        };
        let sighand = &self.sighands[sighand];
        // Bit n stands for signal n in these two sets, and bit 0 for the last, 64.
        if sighand.ignored >> (signal % 64) & 1 != 0 {
            Disposition::Ignore
        } else if sighand.handled >> (signal % 64) & 1 != 0 {
            Disposition::Handle
        } else {
            Disposition::Default
        }
    }

    /// What a task will do with a signal.
    pub fn disposition_of(&self, task: TaskId, signal: u32) -> Result<Disposition, Denial> {
        let task = self.observe(task)?;
        Ok(self.disposition(task, signal))
    }

    /// The signals that a task ignores and those that it catches; signal N is bit N - 1.
    pub(crate) fn handlers(&self, task: Idx<Task>) -> (u64, u64) {
        let Some(sighand) = self.tasks[task].sighand else { return (0, 0) };
        let Sighand { ignored, handled, .. } = self.sighands[sighand];
        (ignored.rotate_right(1), (handled & !ignored).rotate_right(1))
    }

    /// Delivers a signal to a process. `force` says that it comes from outside the
    /// target's pid namespace, or from the kernel.
    pub(crate) fn send_signal(&mut self, task: Idx<Task>, signal: u32, force: bool) {
        self.send_signal_to(task, signal, force, Scope::Process);
    }

    fn send_signal_to(&mut self, task: Idx<Task>, signal: u32, force: bool, scope: Scope) {
        // A process whose first thread has ended lives in the others.
        let task = match scope {
            Scope::Process if self.tasks.get(task).is_some() && !self.is_alive(task) => {
                self.threads(task).into_iter().find(|thread| self.is_alive(*thread)).unwrap_or(task)
            }
            _ => task,
        };
        if !self.is_alive(task) || bit(signal) == 0 {
            return;
        }
        if signal == SIGCONT {
            self.resume(task);
            if self.tasks.get(task).is_none() || !self.is_alive(task) {
                return;
            }
        }
        let blocks = |thread: Idx<Task>| self.tasks[thread].blocked & bit(signal) != 0;
        // wants_signal: a thread that has ended takes none.
        let takes = |thread: &Idx<Task>| !blocks(*thread) && self.is_alive(*thread);
        let (asked, taken) = match scope {
            Scope::Thread => (task, takes(&task)),
            Scope::Process => (self.signal_of(task).leader, self.threads(task).iter().any(takes)),
        };
        if !taken && !matches!(signal, SIGKILL | SIGSTOP) {
            // sig_ignored: only what the first thread blocks waits though it is ignored.
            if blocks(asked) || !self.is_ignored(task, signal, force) {
                self.queue(task, signal, scope);
            }
            return;
        }
        match self.disposition(task, signal) {
            Disposition::Ignore => {}
            Disposition::Handle => self.queue(task, signal, scope),
            Disposition::Default if self.waits_for_cont(task, signal, force) => {
                self.queue(task, signal, scope);
            }
            Disposition::Default => self.default_action(task, signal, force),
        }
    }

    fn is_ignored(&self, task: Idx<Task>, signal: u32, force: bool) -> bool {
        match self.disposition(task, signal) {
            Disposition::Ignore => true,
            Disposition::Default => {
                IGNORED_BY_DEFAULT & bit(signal) != 0 || self.init_ignores(task, signal, force)
            }
            Disposition::Handle => false,
        }
    }

    /// signal(7): a stopped process takes nothing but SIGKILL and SIGCONT; the rest waits.
    fn waits_for_cont(&self, task: Idx<Task>, signal: u32, force: bool) -> bool {
        let stopped = self.tasks[task].state == State::Stopped;
        let dropped = IGNORED_BY_DEFAULT & bit(signal) != 0 || self.init_ignores(task, signal, force);
        stopped && signal != SIGKILL && !dropped
    }

    fn queue(&mut self, task: Idx<Task>, signal: u32, scope: Scope) {
        let group = self.tasks[task].signal;
        match scope {
            Scope::Process => self.signals[group].shared_pending |= bit(signal),
            Scope::Thread => self.tasks[task].pending |= bit(signal),
        }
    }

    fn default_action(&mut self, task: Idx<Task>, signal: u32, force: bool) {
        if IGNORED_BY_DEFAULT & bit(signal) != 0 || self.init_ignores(task, signal, force) {
            return;
        }
        if STOP_SIGNALS & bit(signal) != 0 {
            for thread in self.threads(task) {
                if self.tasks[thread].state == State::Running {
                    self.tasks[thread].state = State::Stopped;
                }
            }
            return;
        }
        self.do_group_exit(task, signal);
    }

    /// `pid_namespaces(7)`: init gets only signals it handles, except SIGKILL and
    /// SIGSTOP from an ancestor namespace. The first init gets not even those.
    fn init_ignores(&self, task: Idx<Task>, signal: u32, force: bool) -> bool {
        if !self.signal_of(task).unkillable {
            return false;
        }
        let forced = force && matches!(signal, SIGKILL | SIGSTOP);
        !forced || self.task_active_pid_ns(task) == self.init_pid_ns
    }

    fn resume(&mut self, task: Idx<Task>) {
        for thread in self.threads(task) {
            if self.tasks[thread].state == State::Stopped {
                self.tasks[thread].state = State::Running;
            }
            self.tasks[thread].pending &= !STOP_SIGNALS;
        }
        let group = self.tasks[task].signal;
        self.signals[group].shared_pending &= !STOP_SIGNALS;
        self.deliver_pending(task);
    }

    /// What is queued and not blocked takes effect.
    fn deliver_pending(&mut self, task: Idx<Task>) {
        let group = self.tasks[task].signal;
        let blocked = self.tasks[task].blocked;
        let mut ready = (self.signals[group].shared_pending | self.tasks[task].pending) & !blocked;
        while ready != 0 && self.tasks.get(task).is_some_and(|_| self.is_alive(task)) {
            let signal = ready.trailing_zeros() + 1;
            ready &= ready - 1;
            if self.disposition(task, signal) != Disposition::Handle {
                self.signals[group].shared_pending &= !bit(signal);
                self.tasks[task].pending &= !bit(signal);
                // pid_namespaces(7): the drop for init is repeated at delivery.
                self.send_signal(task, signal, false);
            }
        }
    }

    /// kill(2) EPERM: a matching id, or `CAP_KILL` in the target's user namespace.
    /// Ids are compared as global ones, whatever the user namespaces.
    pub(crate) fn check_kill_permission(
        &self,
        task: Idx<Task>,
        target: Idx<Task>,
        signal: u32,
    ) -> Result<(), Denial> {
        // kill(2) EINVAL: not a signal.
        self.refuse_if(signal > NSIG, Rule::SignalNumber)?;
        let same_group = self.tasks[task].signal == self.tasks[target].signal;
        if !same_group {
            let own = self.cred_of(task);
            let theirs = self.cred_of(target);
            let same_user = [own.euid, own.uid].iter().any(|id| *id == theirs.suid || *id == theirs.uid);
            let same_session =
                signal == SIGCONT && self.signal_of(task).session == self.signal_of(target).session;
            let allowed = same_user || same_session || self.ns_capable(task, theirs.user_ns, Cap::Kill);
            // kill(2) EPERM: kill_ok_by_cred, or SIGCONT within the session.
            self.refuse_if(!allowed, Rule::KillPermission)?;
        }
        // check_kill_permission: security_task_kill.
        self.hook(Hook::TaskKill, Rule::KillLsm)
    }

    /// Whether a signal from `task` comes to `target` as from an ancestor namespace.
    #[inline(never)]
    pub(crate) fn is_foreign(&self, task: Idx<Task>, target: Idx<Task>) -> bool {
        self.pid_nr_ns(self.tasks[task].pid, self.task_active_pid_ns(target)) == 0
    }

    fn kill_one(&mut self, task: Idx<Task>, target: Idx<Task>, signal: u32) -> Result<(), Denial> {
        self.kill_in(task, target, signal, Scope::Process)
    }

    fn kill_in(
        &mut self,
        task: Idx<Task>,
        target: Idx<Task>,
        signal: u32,
        scope: Scope,
    ) -> Result<(), Denial> {
        self.check_kill_permission(task, target, signal)?;
        let force = self.is_foreign(task, target);
        self.send_signal_to(target, signal, force, scope);
        Ok(())
    }

    /// tgkill(2): to one thread; both numbers are in the caller's pid namespace.
    pub fn tgkill(&mut self, caller: TaskId, tgid: i32, tid: i32, signal: u32) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Tgkill)?;
        // tgkill(2) EINVAL: both are numbers of something.
        self.refuse_if(tgid <= 0 || tid <= 0, Rule::TgkillNumber)?;
        let target = self.task_by_vpid(task, i64::from(tid))?;
        let leader = self.signal_of(target).leader;
        // tgkill(2) ESRCH: the thread belongs to another process by now.
        let same = i64::from(self.pid_vnr(task, self.tasks[leader].pid)) == i64::from(tgid);
        self.refuse_if(!same, Rule::TgkillGroup)?;
        let sent = self.kill_in(task, target, signal, Scope::Thread);
        self.run_deferred();
        sent
    }

    /// kill(2): `pid` is a number in the caller's pid namespace, 0 for its process
    /// group, -1 for everybody it can see, or the negative of a group's number.
    pub fn kill(&mut self, caller: TaskId, pid: i32, signal: u32) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Kill)?;
        let sent = match pid {
            1.. => {
                self.task_by_vpid(task, i64::from(pid)).and_then(|target| self.kill_one(task, target, signal))
            }
            -1 => self.kill_all(task, signal),
            0 => {
                let group = self.signal_of(task).pgrp;
                self.kill_pgrp(task, group, signal)
            }
            _ => {
                let ns = self.task_active_pid_ns(task);
                match self.find_pid_ns(pid.unsigned_abs(), ns) {
                    Some(group) => self.kill_pgrp(task, group, signal),
                    // kill(2) ESRCH: no such process group.
                    None => self.refuse_if(true, Rule::KillNobody),
                }
            }
        };
        self.run_deferred();
        sent
    }

    /// Every process with a number in the caller's namespace but init and the caller.
    fn kill_all(&mut self, task: Idx<Task>, signal: u32) -> Result<(), Denial> {
        let ns = self.task_active_pid_ns(task);
        let group = self.tasks[task].signal;
        let targets: Vec<Idx<Task>> = self
            .pids_in(ns)
            .filter(|pid| self.pid_nr_ns(*pid, ns) > 1)
            .filter_map(|pid| self.pids[pid].task)
            .filter(|target| self.is_leader(*target) && self.tasks[*target].signal != group)
            .collect();
        // kill(2): with -1 it is no failure that some, or all, may not be signalled.
        match self.kill_many(task, &targets, signal) {
            Err(denial) if denial.rule == Rule::KillPermission => Ok(()),
            answer => answer,
        }
    }

    fn kill_pgrp(&mut self, task: Idx<Task>, group: Idx<Pid>, signal: u32) -> Result<(), Denial> {
        let targets: Vec<Idx<Task>> =
            self.group_members(group).map(|member| self.signals[member].leader).collect();
        self.kill_many(task, &targets, signal)
    }

    /// One success is a success; else the last refusal stands.
    fn kill_many(&mut self, task: Idx<Task>, targets: &[Idx<Task>], signal: u32) -> Result<(), Denial> {
        // kill(2) ESRCH: nobody there.
        let mut answer = self.refuse_if(targets.is_empty(), Rule::KillNobody);
        let mut allowed = Vec::with_capacity(targets.len());
        for target in targets {
            match self.check_kill_permission(task, *target, signal) {
                Ok(()) => allowed.push((*target, self.is_foreign(task, *target))),
                refused => answer = refused,
            }
        }
        if signal == SIGKILL {
            // complete_signal: all are to end before the first of them runs.
            for (target, force) in &allowed {
                if self.signal_of(*target).live > 0 && !self.init_ignores(*target, signal, *force) {
                    let group = self.tasks[*target].signal;
                    self.signals[group].group_exit_code.get_or_insert(signal);
                }
            }
        }
        if self.params.ends_backwards {
            allowed.reverse();
        }
        // The first signals may end other targets, or the caller itself.
        for (target, force) in &allowed {
            if self.tasks.get(*target).is_some() {
                self.send_signal(*target, signal, *force);
            }
        }
        let success = !allowed.is_empty();
        if success { Ok(()) } else { answer }
    }

    /// `pidfd_send_signal(2)`.
    pub fn pidfd_send_signal(
        &mut self,
        caller: TaskId,
        fd: Fd,
        signal: u32,
        flags: u32,
    ) -> Result<(), Denial> {
        let task = self.enter(caller, Call::PidfdSendSignal)?;
        // pidfd_send_signal(2) EINVAL: thread, process and group are the scopes, one at a time.
        let scopes = if self.params.since(6, 9) { PIDFD_SIGNAL_SCOPES } else { 0 };
        let known = flags & !scopes == 0 && flags.count_ones() <= 1;
        self.refuse_if(!known, Rule::PidfdSignalFlags)?;
        let FileKind::Pidfd { pid, thread, .. } = self.files_open[self.fget(task, fd)?].kind else {
            // pidfd_send_signal(2) EBADF: not a pidfd.
            return Err(self.params.denial(Rule::BadFd));
        };
        // pidfd_send_signal(2) EINVAL: the target must live at or below the caller's namespace.
        let visible = self.in_pidns(self.task_active_pid_ns(task), self.pids[pid].ns);
        self.refuse_if(!visible, Rule::PidfdSignalForeign)?;
        let sent = if flags & PIDFD_SIGNAL_PROCESS_GROUP != 0 {
            self.kill_pgrp(task, pid, signal)
        } else {
            let target = self.pids[pid].task.ok_or_else(|| self.params.denial(Rule::NoSuchTask))?;
            // Without a scope the pidfd itself says what it stands for.
            let to_thread = flags & PIDFD_SIGNAL_THREAD != 0 || flags == 0 && thread;
            let scope = if to_thread { Scope::Thread } else { Scope::Process };
            self.kill_in(task, target, signal, scope)
        };
        self.run_deferred();
        sent
    }

    /// sigaction(2), reduced to what a signal will do.
    pub fn sigaction(&mut self, caller: TaskId, signal: u32, to: Disposition) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Sigaction)?;
        // sigaction(2) EINVAL: not a signal, or one that cannot be caught.
        let fixed = signal == 0 || signal > NSIG || matches!(signal, SIGKILL | SIGSTOP);
        self.refuse_if(fixed, Rule::SigactionNumber)?;
        self.finish_handlers(task);
        let Some(sighand) = self.tasks[task].sighand else { return Ok(()) };
        let mask = 1u64 << (signal % 64);
        let sighand = &mut self.sighands[sighand];
        sighand.ignored &= !mask;
        sighand.handled &= !mask;
        match to {
            Disposition::Default => {}
            Disposition::Ignore => sighand.ignored |= mask,
            Disposition::Handle => sighand.handled |= mask,
        }
        let unwanted =
            to == Disposition::Ignore || to == Disposition::Default && IGNORED_BY_DEFAULT & bit(signal) != 0;
        if unwanted {
            // sigaction(2): what is ignored from now on does not wait, blocked or not.
            self.forget_pending(task, bit(signal));
        }
        Ok(())
    }

    /// Handlers of the program have run before it makes its next call, and those of every
    /// other that shares them.
    pub(crate) fn finish_handlers(&mut self, task: Idx<Task>) {
        let Some(sighand) = self.tasks[task].sighand else { return };
        // Here bit n-1 stands for signal n, there bit n, and bit 0 for the last.
        let handled = self.sighands[sighand].handled.rotate_right(1);
        if handled == 0 {
            return;
        }
        for thread in self.sharing_sighand(task, sighand) {
            let Task { blocked, state, signal: group, .. } = self.tasks[thread];
            if state == State::Running {
                self.tasks[thread].pending &= blocked | !handled;
                self.signals[group].shared_pending &= blocked | !handled;
            }
        }
    }

    fn sharing_sighand(&self, task: Idx<Task>, sighand: Idx<Sighand>) -> Vec<Idx<Task>> {
        let threads = self.threads(task);
        if self.sighands[sighand].count as usize <= threads.len() {
            return threads;
        }
        let shares = |(other, of): (Idx<Task>, &Task)| (of.sighand == Some(sighand)).then_some(other);
        self.tasks.iter().filter_map(shares).collect()
    }

    fn forget_pending(&mut self, task: Idx<Task>, signals: u64) {
        let group = self.tasks[task].signal;
        self.signals[group].shared_pending &= !signals;
        for thread in self.threads(task) {
            self.tasks[thread].pending &= !signals;
        }
    }

    /// sigprocmask(2) with `SIG_SETMASK`; bit n-1 stands for signal n. What was
    /// queued and is let in now takes effect.
    pub fn sigprocmask(&mut self, caller: TaskId, blocked: u64) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Sigprocmask)?;
        self.tasks[task].blocked = blocked & !(bit(SIGKILL) | bit(SIGSTOP));
        self.deliver_pending(task);
        self.run_deferred();
        Ok(())
    }

    /// Signals that wait for their handler or to be unblocked, and are taken off
    /// the queue by asking; bit n-1 stands for signal n.
    pub fn take_pending(&mut self, task: TaskId) -> Result<u64, Denial> {
        let task = self.observe(task)?;
        let group = self.tasks[task].signal;
        let Task { blocked, pending, .. } = self.tasks[task];
        let ready = (self.signals[group].shared_pending | pending) & !blocked;
        self.signals[group].shared_pending &= blocked;
        self.tasks[task].pending &= blocked;
        Ok(ready)
    }
}
