//! The end of tasks: exit, reparenting, waiting (`kernel/exit.c`).

use crate::Kernel;
use crate::arena::Idx;
use crate::ns_common::NsRef;
use crate::params::{Call, Effect};
use crate::pid::Pid;
use crate::pid_namespace::PidNamespace;
use crate::rule::{Denial, Rule};
use crate::task::{Signal, State, Task, TaskId};
use crate::uapi::{
    NSIG, SIGCHLD, SIGCONT, SIGHUP, SIGKILL, WALL, WCLONE, WCONTINUED, WNOHANG, WNOTHREAD, WUNTRACED,
};
use alloc::vec::Vec;

/// What wait4 has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// This child has ended; it is reaped, and its handle is stale.
    Reaped {
        /// The child.
        task: TaskId,
        /// Its number as the caller sees it.
        pid: u32,
        /// The status word: exit code shifted by eight, or the signal.
        status: u32,
    },
    /// `WNOHANG`: children there are, but none has ended.
    Nothing,
    /// The call would sleep. Ask again when something has happened.
    WouldBlock,
}

/// The status word of an exit with this code.
pub const fn exit_status(code: u8) -> u32 {
    (code as u32) << 8
}

impl Kernel {
    /// Ends the calling thread.
    pub fn exit(&mut self, caller: TaskId, code: u8) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Exit)?;
        let last = self.signal_of(task).live == 1;
        self.refuse_first_init(task, last)?;
        self.do_exit(task, exit_status(code));
        self.run_deferred();
        Ok(())
    }

    /// Ends the calling process with all its threads.
    pub fn exit_group(&mut self, caller: TaskId, code: u8) -> Result<(), Denial> {
        let task = self.enter(caller, Call::ExitGroup)?;
        self.refuse_first_init(task, true)?;
        let status = exit_status(code);
        let signal = self.tasks[task].signal;
        let Signal { leader, live, .. } = self.signals[signal];
        if live > 1 {
            // do_group_exit: the others are only woken before the caller goes on to its end. It
            // may be the last all the same: what it has to give back may take its time.
            let status = *self.signals[signal].group_exit_code.get_or_insert(status);
            if self.params.ends_backwards {
                let others = self.threads(task).into_iter().skip(1);
                self.end_threads(others, status);
            } else {
                self.do_exit(task, status);
            }
        }
        self.do_group_exit(leader, status);
        self.run_deferred();
        Ok(())
    }

    /// The kernel would panic; the model refuses, whatever is switched off.
    fn refuse_first_init(&self, task: Idx<Task>, ends: bool) -> Result<(), Denial> {
        let first = self.tasks[task].signal == self.first_signal;
        if first && ends {
            return Err(self.params.denial(Rule::FirstInitExit));
        }
        Ok(())
    }

    /// Ends every thread of a group, the leader last.
    pub(crate) fn do_group_exit(&mut self, task: Idx<Task>, status: u32) {
        let signal = self.tasks[task].signal;
        let leader = self.signals[signal].leader;
        let status = *self.signals[signal].group_exit_code.get_or_insert(status);
        if self.tasks[leader].next_thread != leader {
            let threads = self.threads(leader).into_iter();
            if self.params.ends_backwards {
                self.end_threads(threads, status);
            } else {
                self.end_threads(threads.rev(), status);
            }
        } else if self.is_alive(leader) {
            self.do_exit(leader, status);
        }
    }

    #[inline(never)]
    fn end_threads(&mut self, threads: impl Iterator<Item = Idx<Task>>, status: u32) {
        for thread in threads {
            if self.is_alive(thread) {
                self.do_exit(thread, status);
            }
        }
    }

    /// Not exited; a task released meanwhile is not alive either.
    pub(crate) fn is_alive(&self, task: Idx<Task>) -> bool {
        self.tasks.get(task).is_some_and(|task| !matches!(task.state, State::Zombie | State::Zapping))
    }

    pub(crate) fn do_exit(&mut self, task: Idx<Task>, status: u32) {
        self.tasks[task].exit_code = status;
        self.mm_release(task);
        if self.tasks[task].state == State::VforkWait {
            self.forget_vfork_child(task);
        }
        let signal = self.tasks[task].signal;
        self.signals[signal].live -= 1;
        self.exit_sem(task);
        self.exit_mm(task);
        let Task { files, fs, .. } = &mut self.tasks[task];
        let (files, fs) = (files.take(), fs.take());
        if let Some(files) = files {
            self.put_files(files);
        }
        if let Some(fs) = fs {
            self.put_fs(fs);
        }
        self.exit_shm(task);
        self.switch_task_namespaces(task, None);
        self.cgroup_exit(task);
        if self.forget_original_parent(task) {
            self.exit_notify(task);
        }
    }

    fn exit_mm(&mut self, task: Idx<Task>) {
        let Some(mm) = self.tasks[task].mm.take() else { return };
        self.tasks[task].user_dumpable = self.mms[mm].dumpable == 1;
        if self.params.since(7, 2) {
            self.mms[mm].exited += 1;
            self.tasks[task].exec_state = Some(mm);
        }
        self.put_mm(task, mm);
    }

    /// A vfork parent runs again.
    pub(crate) fn mm_release(&mut self, task: Idx<Task>) {
        if let Some(parent) = self.tasks[task].vfork_parent.take() {
            self.tasks[parent].state = State::Running;
            self.tasks[parent].vfork_child = None;
        }
    }

    /// Who was waiting in vfork ends first (`wait_for_vfork_done`).
    fn forget_vfork_child(&mut self, parent: Idx<Task>) {
        if let Some(child) = self.tasks[parent].vfork_child.take() {
            self.tasks[child].vfork_parent = None;
        }
    }

    /// The rest of an exit, once the children are taken care of.
    fn exit_notify(&mut self, task: Idx<Task>) {
        self.tasks[task].state = State::Zombie;
        let signal = self.tasks[task].signal;
        let PidNamespace { reboot, child_reaper, .. } = self.pid_ns[self.task_active_pid_ns(task)];
        if reboot != 0 && child_reaper == Some(task) {
            // reboot(2): the last thread of init says how its process seems to have ended.
            self.signals[signal].group_exit_code = Some(reboot);
        }
        let leader = self.signals[signal].leader;
        if task != leader {
            // A thread that leads nothing is reaped at once.
            self.release_task(task);
        }
        if self.signals.get(signal).is_none() {
            return;
        }
        if self.signals[signal].live == 0 {
            self.kill_orphaned_pgrp(leader, None);
        }
        let last = self.signals[signal].nr_threads == 1;
        if last && self.tasks[leader].state == State::Zombie && self.do_notify_parent(leader) {
            self.release_task(leader);
        }
    }

    /// Tells the parent. Returns whether nobody wants to wait for the child.
    fn do_notify_parent(&mut self, leader: Idx<Task>) -> bool {
        let Signal { autoreap, .. } = *self.signal_of(leader);
        let Some(parent) = self.tasks[leader].real_parent else {
            return false;
        };
        let executed = self.tasks[leader].parent_exec_id != self.tasks[parent].self_exec_id;
        let signal = match self.tasks[leader].exit_signal {
            // Who has executed something else did not ask for another signal.
            Some(_) if executed => SIGCHLD,
            signal => u32::from(signal.unwrap_or(0)),
        };
        let ignores = self.tasks[parent]
            .sighand
            .is_some_and(|sighand| self.sighands[sighand].ignored >> SIGCHLD & 1 != 0);
        // An init that waits for its namespace to be empty reaps whatever comes.
        if autoreap || self.tasks[parent].state == State::Zapping {
            return true;
        }
        if signal != 0 && signal <= NSIG && !(signal == SIGCHLD && ignores) {
            let force = self.is_foreign(leader, parent);
            self.due.push_back((self.task_id(parent), signal, force));
        }
        // wait(2): a parent that ignores SIGCHLD leaves no zombies.
        signal == SIGCHLD && ignores
    }

    /// The dying task's children get another parent. Returns whether the exit may go
    /// on; an init whose namespace is not empty yet has to wait.
    fn forget_original_parent(&mut self, father: Idx<Task>) -> bool {
        let ns = self.task_active_pid_ns(father);
        let mut done = true;
        if self.pid_ns[ns].child_reaper == Some(father) {
            // pid_namespaces(7): another thread of init takes over, or all ends.
            match self.find_alive_thread(father, father) {
                Some(thread) => self.pid_ns[ns].child_reaper = Some(thread),
                None if ns != self.init_pid_ns => done = self.zap_pid_ns_processes(father),
                None => {}
            }
        }
        if self.tasks[father].first_child.is_some() {
            self.reparent_children(father, ns);
        }
        done
    }

    #[inline(never)]
    fn reparent_children(&mut self, father: Idx<Task>, ns: Idx<PidNamespace>) {
        let Some(reaper) = self.find_new_reaper(father, ns) else {
            return;
        };
        if reaper == father {
            return;
        }
        let same_group = self.tasks[reaper].signal == self.tasks[father].signal;
        while let Some(child) = self.tasks[father].first_child {
            self.unlink_child(child);
            self.link_child(reaper, child);
            for thread in self.threads(child) {
                let pdeath = u32::from(self.tasks[thread].pdeath_signal);
                // group_send_sig_info: it comes from the father, who must be allowed to.
                if pdeath != 0 && self.check_kill_permission(father, thread, pdeath).is_ok() {
                    let force = self.is_foreign(father, thread);
                    self.due.push_back((self.task_id(thread), pdeath, force));
                }
            }
            if !same_group {
                self.reparent_leader(father, child);
            }
        }
    }

    /// An adopted child announces its end by `SIGCHLD`, and may have done so already.
    fn reparent_leader(&mut self, father: Idx<Task>, child: Idx<Task>) {
        self.tasks[child].exit_signal = Some(u8::try_from(SIGCHLD).unwrap_or(0));
        let over = self.tasks[child].state == State::Zombie && self.thread_group_empty(child);
        let unwanted = over && self.do_notify_parent(child);
        let Signal { pgrp, session, .. } = *self.signal_of(child);
        let of_father = *self.signal_of(father);
        if of_father.pgrp != pgrp && of_father.session == session {
            self.hang_up_orphans(pgrp, None);
        }
        // Last: the group may end with it.
        if unwanted {
            self.release_task(child);
        }
    }

    /// `kill_orphaned_pgrp`: the task that ends may have been its group's last tie to the
    /// session; stopped processes in it would never be continued.
    fn kill_orphaned_pgrp(&mut self, task: Idx<Task>, father: Option<Idx<Task>>) {
        let Signal { pgrp, session, .. } = *self.signal_of(task);
        let parent = father.or(self.tasks[task].real_parent);
        let tie = parent.map(|parent| *self.signal_of(parent));
        if tie.is_some_and(|tie| tie.pgrp != pgrp && tie.session == session) {
            self.hang_up_orphans(pgrp, Some(task));
        }
    }

    /// setpgid(2), "orphaned process group": if it has a stopped member, all get SIGHUP
    /// and then SIGCONT.
    fn hang_up_orphans(&mut self, pgrp: Idx<Pid>, ignored: Option<Idx<Task>>) {
        let members: Vec<Idx<Task>> =
            self.group_members(pgrp).map(|member| self.signals[member].leader).collect();
        let tied = |member: &Idx<Task>| {
            let over = self.tasks[*member].state == State::Zombie && self.thread_group_empty(*member);
            if Some(*member) == ignored || over {
                return false;
            }
            let Some(parent) = self.tasks[*member].real_parent else { return false };
            let (own, theirs) = (self.signal_of(*member), self.signal_of(parent));
            let global_init = self.tasks[parent].signal == self.first_signal;
            !global_init && theirs.pgrp != pgrp && theirs.session == own.session
        };
        let stopped = members.iter().any(|member| {
            let ends = self.signal_of(*member).group_exit_code.is_some();
            self.tasks[*member].state == State::Stopped && !ends
        });
        if !stopped || members.iter().any(tied) {
            return;
        }
        for signal in [SIGHUP, SIGCONT] {
            for member in &members {
                self.due.push_back((self.task_id(*member), signal, true));
            }
        }
    }

    /// The oldest thread of a task's process, that which `exits` aside.
    fn find_alive_thread(&self, task: Idx<Task>, exits: Idx<Task>) -> Option<Idx<Task>> {
        let leader = self.signal_of(task).leader;
        self.thread_ring(leader).find(|thread| *thread != exits && self.is_alive(*thread))
    }

    /// Who adopts: a thread of the same process; a subreaper above, but not across a
    /// pid namespace; the init of the father's pid namespace.
    fn find_new_reaper(&self, father: Idx<Task>, ns: Idx<PidNamespace>) -> Option<Idx<Task>> {
        if let Some(thread) = self.find_alive_thread(father, father) {
            return Some(thread);
        }
        if self.signal_of(father).has_child_subreaper && !self.params.lacks(Effect::Subreaper) {
            let level = self.pid_ns[ns].level;
            let mut at = self.real_parent(father);
            // prctl(2) PR_SET_CHILD_SUBREAPER: the nearest ancestor in the same namespace.
            while let Some(ancestor) = at {
                let active = self.task_active_pid_ns(ancestor);
                if self.pid_ns[active].level != level || self.real_parent(ancestor).is_none() {
                    break;
                }
                if self.signal_of(ancestor).is_child_subreaper {
                    let alive = self.find_alive_thread(ancestor, father);
                    if alive.is_some() {
                        return alive;
                    }
                }
                at = self.real_parent(ancestor);
            }
        }
        // Init is there and no child of the father's, unless the rule that it comes first
        // is switched off; then somebody further out adopts.
        core::iter::successors(Some(ns), |ns| self.pid_ns[*ns].parent)
            .filter_map(|ns| self.pid_ns[ns].child_reaper)
            .find(|reaper| self.tasks[*reaper].real_parent != Some(father))
    }

    /// The parent of a thread is the parent of its process.
    pub(crate) fn real_parent(&self, task: Idx<Task>) -> Option<Idx<Task>> {
        self.tasks[self.signal_of(task).leader].real_parent
    }

    /// Reaps what a dying init has inherited so far.
    pub(crate) fn reap_zombie_children(&mut self, init: Idx<Task>) {
        let zombies: Vec<Idx<Task>> = self
            .children(init)
            .filter(|child| self.tasks[*child].state == State::Zombie && self.thread_group_empty(*child))
            .collect();
        for zombie in zombies {
            self.release_task(zombie);
        }
    }

    /// What a call leaves to be done after it: signals of exits to parents and
    /// children, inits whose namespace has become empty, processes whose last pidfd
    /// was closed.
    #[inline]
    pub(crate) fn run_deferred(&mut self) {
        let none = self.zap_wakeups.is_empty() && self.due.is_empty() && self.autokill.is_empty();
        if !none {
            self.run_all_deferred();
        }
    }

    #[inline(never)]
    fn run_all_deferred(&mut self) {
        loop {
            if let Some(init) = self.zap_wakeups.pop() {
                self.wake_init(init);
            } else if let Some((task, signal, force)) = self.due.pop_front() {
                if let Some(task) = self.tasks.resolve(task.index, task.generation) {
                    self.send_signal(task, signal, force);
                }
            } else if let Some(task) = self.autokill.pop() {
                if let Some(task) = self.tasks.resolve(task.index, task.generation)
                    && self.is_alive(task)
                {
                    self.do_group_exit(task, SIGKILL);
                }
            } else {
                return;
            }
        }
    }

    /// A dying init goes on when nobody is left but itself.
    fn wake_init(&mut self, init: Idx<Task>) {
        let waiting = self.tasks.get(init).is_some_and(|task| task.state == State::Zapping);
        if waiting && self.zap_done(init) {
            self.exit_notify(init);
        }
    }

    /// The status word that wait has for a task.
    fn shown_status(&self, task: Idx<Task>) -> u32 {
        self.signal_of(task).group_exit_code.unwrap_or(self.tasks[task].exit_code)
    }

    /// The last trace of a task goes.
    pub(crate) fn release_task(&mut self, task: Idx<Task>) {
        let Task { pid, signal, cred, cgroup, pids, next_thread, prev_thread, sighand, exec_state, .. } =
            self.tasks[task];
        self.dec_nproc(self.creds[cred].ucounts);
        self.cgroup_release(cgroup, pids);
        let ns = self.pids[pid].ns;
        if self.pid_ns[ns].child_reaper == Some(task) {
            self.pid_ns[ns].child_reaper = None;
        }
        self.pids[pid].task = None;
        self.signals[signal].nr_threads -= 1;
        let Signal { leader, pgrp, session, nr_threads, .. } = self.signals[signal];
        if leader == task {
            self.unlink_child(task);
        }
        self.tasks[prev_thread].next_thread = next_thread;
        self.tasks[next_thread].prev_thread = prev_thread;
        if let Some(sighand) = sighand {
            self.put_sighand(sighand);
        }
        if let Some(exec_state) = exec_state {
            self.put_exec_state(exec_state);
        }
        self.tasks.remove(task);
        self.nr_threads -= 1;
        if nr_threads == 0 {
            self.unlink_group(signal);
            self.signals.remove(signal);
            self.detach_group(pgrp, session);
        }
        self.detach_pid(pid);
        self.put_cred(cred);
    }

    /// wait4(2). `pid` is a number in the caller's pid namespace, -1 for any child,
    /// 0 for the caller's process group, or the negative of a group's number.
    pub fn wait4(&mut self, caller: TaskId, pid: i32, options: u32) -> Result<Waited, Denial> {
        let task = self.enter(caller, Call::Wait)?;
        let known = WNOHANG | WUNTRACED | WCONTINUED | WNOTHREAD | WALL | WCLONE;
        // wait4(2) EINVAL: unknown options.
        self.refuse_if(options & !known != 0, Rule::WaitOptions)?;
        // wait4(2) ESRCH: -pid does not exist.
        self.refuse_if(pid == i32::MIN, Rule::WaitNumber)?;
        let (any, found) =
            if pid > 0 { self.wait_one(task, pid, options) } else { self.wait_some(task, pid, options) };
        // wait4(2) ECHILD: no child matches.
        self.refuse_if(!any, Rule::WaitNoChild)?;
        let Some(child) = found else {
            return Ok(if options & WNOHANG != 0 { Waited::Nothing } else { Waited::WouldBlock });
        };
        let waited = Waited::Reaped {
            task: self.task_id(child),
            pid: self.pid_vnr(task, self.tasks[child].pid),
            status: self.shown_status(child),
        };
        self.release_task(child);
        self.run_deferred();
        Ok(waited)
    }

    /// Waits for any child. Returns the status of a reaped one.
    pub fn wait(&mut self, caller: TaskId) -> Result<Waited, Denial> {
        self.wait4(caller, -1, 0)
    }

    fn eligible(&self, child: Idx<Task>, options: u32) -> bool {
        let clone = u32::from(self.tasks[child].exit_signal.unwrap_or(0)) != SIGCHLD;
        options & WALL != 0 || clone == (options & WCLONE != 0)
    }

    fn waitable(&self, child: Idx<Task>) -> bool {
        self.tasks[child].state == State::Zombie && self.thread_group_empty(child)
    }

    /// One child by number: no need to look at its siblings.
    fn wait_one(&self, task: Idx<Task>, pid: i32, options: u32) -> (bool, Option<Idx<Task>>) {
        let child = self
            .find_task_by_vpid(task, i64::from(pid))
            .filter(|child| self.is_leader(*child))
            .filter(|child| {
                self.tasks[*child].real_parent.is_some_and(|parent| {
                    parent == task
                        || options & WNOTHREAD == 0 && self.tasks[parent].signal == self.tasks[task].signal
                })
            })
            .filter(|child| self.eligible(*child, options));
        (child.is_some(), child.filter(|child| self.waitable(*child)))
    }

    fn wait_some(&self, task: Idx<Task>, pid: i32, options: u32) -> (bool, Option<Idx<Task>>) {
        let ns = self.task_active_pid_ns(task);
        let group = match pid {
            -1 => None,
            0 => Some(self.signal_of(task).pgrp),
            _ => match self.find_pid_ns(pid.unsigned_abs(), ns) {
                Some(group) => Some(group),
                None => return (false, None),
            },
        };
        let parents = if options & WNOTHREAD != 0 { 1 } else { usize::MAX };
        let mut any = false;
        for parent in self.thread_ring(task).take(parents) {
            for child in self.children(parent) {
                let member = group.is_none_or(|group| self.signal_of(child).pgrp == group);
                if !member || !self.eligible(child, options) {
                    continue;
                }
                any = true;
                if self.waitable(child) {
                    return (true, Some(child));
                }
            }
        }
        (any, None)
    }

    /// What a task still holds after its exit, for the ends of namespaces to be seen:
    /// its user and pid namespace, until it is reaped.
    pub(crate) fn zombie_refs(&self, task: Idx<Task>) -> [NsRef; 2] {
        [NsRef::User(self.current_user_ns(task)), NsRef::Pid(self.task_active_pid_ns(task))]
    }
}
