//! Process numbers: one `struct pid`, one number in each namespace that sees it
//! (`kernel/pid.c`).

use crate::Kernel;
use crate::arena::Idx;
use crate::pid_namespace::PidNamespace;
use crate::rule::{Denial, Rule};
use crate::task::{Signal, Task, TaskId};
use crate::uapi::RESERVED_PIDS;

/// The number of a pid in one namespace above its own; chained outwards.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Upid {
    pub(crate) nr: u32,
    pub(crate) ns: Idx<PidNamespace>,
    pub(crate) outer: Option<Idx<Upid>>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pid {
    /// Everything that keeps the object: attachments, pidfds, and what it was last to use.
    pub(crate) count: u32,
    /// Uses as thread, group or session number; at zero the numbers are free again.
    pub(crate) attached: u32,
    /// The number in the deepest namespace, 0 while it has none.
    pub(crate) nr: u32,
    /// The deepest namespace: the active one of the task.
    pub(crate) ns: Idx<PidNamespace>,
    /// The numbers in the namespaces above.
    pub(crate) outer: Option<Idx<Upid>>,
    pub(crate) task: Option<Idx<Task>>,
    /// The processes of the group of this number, the newest first: the hash list of
    /// `PIDTYPE_PGID`.
    pub(crate) first_in_group: Option<Idx<Signal>>,
    /// Whether the numbers have been given back.
    pub(crate) freed: bool,
}

impl Kernel {
    /// The active pid namespace of a task, which never changes.
    pub(crate) fn task_active_pid_ns(&self, task: Idx<Task>) -> Idx<PidNamespace> {
        self.pids[self.tasks[task].pid].ns
    }

    /// The numbers of a pid, the deepest first.
    pub(crate) fn upids(&self, pid: Idx<Pid>) -> impl Iterator<Item = Upid> {
        let Pid { nr, ns, outer, .. } = self.pids[pid];
        core::iter::successors(Some(Upid { nr, ns, outer }), |upid| upid.outer.map(|outer| self.upids[outer]))
    }

    /// The number of a pid in a namespace; 0 where it cannot be seen.
    pub(crate) fn pid_nr_ns(&self, pid: Idx<Pid>, viewed_from: Idx<PidNamespace>) -> u32 {
        let Pid { freed, nr, ns, outer, .. } = self.pids[pid];
        if freed {
            return 0;
        }
        if ns == viewed_from {
            return nr;
        }
        let mut at = outer;
        while let Some(upid) = at {
            let Upid { nr, ns, outer } = self.upids[upid];
            if ns == viewed_from {
                return nr;
            }
            at = outer;
        }
        0
    }

    /// The number as the viewing task sees it.
    pub(crate) fn pid_vnr(&self, viewer: Idx<Task>, pid: Idx<Pid>) -> u32 {
        self.pid_nr_ns(pid, self.task_active_pid_ns(viewer))
    }

    pub(crate) fn find_pid_ns(&self, nr: u32, ns: Idx<PidNamespace>) -> Option<Idx<Pid>> {
        self.pid_ns[ns].idr.find(&self.idr_nodes, nr).and_then(Idx::from_raw)
    }

    pub(crate) fn find_task_by_pid_ns(&self, nr: u32, ns: Idx<PidNamespace>) -> Option<Idx<Task>> {
        self.pids[self.find_pid_ns(nr, ns)?].task
    }

    pub(crate) fn find_task_by_vpid(&self, viewer: Idx<Task>, nr: i64) -> Option<Idx<Task>> {
        let nr = u32::try_from(nr).ok()?;
        self.find_task_by_pid_ns(nr, self.task_active_pid_ns(viewer))
    }

    pub(crate) fn task_by_vpid(&self, viewer: Idx<Task>, nr: i64) -> Result<Idx<Task>, Denial> {
        self.find_task_by_vpid(viewer, nr).ok_or_else(|| self.params.denial(Rule::NoSuchTask))
    }

    /// Every pid with a number in this namespace, in the order of the numbers.
    pub(crate) fn pids_in(&self, ns: Idx<PidNamespace>) -> impl Iterator<Item = Idx<Pid>> {
        self.pid_ns[ns].idr.iter(&self.idr_nodes).filter_map(|(_, pid)| Idx::from_raw(pid))
    }

    /// Numbers for a new task in `ns` and every namespace above it. Who is no task needs
    /// no permission to choose them.
    pub(crate) fn alloc_pid(
        &mut self,
        caller: Option<Idx<Task>>,
        ns: Idx<PidNamespace>,
        set_tid: &[i32],
    ) -> Result<Idx<Pid>, Denial> {
        let level = self.pid_ns[ns].level;
        // clone(2) set_tid: at most one number for each namespace the child is in.
        let too_deep = set_tid.len() > level as usize + 1;
        self.refuse_if(too_deep, Rule::SetTidTooDeep)?;
        if self.params.since(7, 0) {
            self.check_set_tids(caller, ns, set_tid)?;
        }
        let pid = self.pids.insert(Pid {
            count: 1,
            attached: 1,
            nr: 0,
            ns,
            outer: None,
            task: None,
            first_in_group: None,
            freed: false,
        });
        let numbered = self.alloc_numbers(caller, pid, set_tid).and_then(|()| self.check_accepting(ns));
        if let Err(denial) = numbered {
            self.give_up_pid(pid);
            return Err(denial);
        }
        self.pid_ns[ns].common.count += 1;
        Ok(pid)
    }

    /// A pid that did not get all its numbers.
    #[cold]
    fn give_up_pid(&mut self, pid: Idx<Pid>) {
        let ns = self.pids[pid].ns;
        self.free_numbers(pid);
        self.pids.remove(pid);
        // pid_namespaces(7): the first process that succeeds still gets number 1.
        let level = &mut self.pid_ns[ns];
        if level.adding && level.pid_allocated == 0 {
            level.cursor = 1;
        }
    }

    /// A number in each namespace, the deepest first.
    fn alloc_numbers(
        &mut self,
        caller: Option<Idx<Task>>,
        pid: Idx<Pid>,
        set_tid: &[i32],
    ) -> Result<(), Denial> {
        let mut wanted = set_tid.iter().copied();
        let deepest = self.pids[pid].ns;
        self.pids[pid].nr = self.alloc_number(caller, deepest, pid, wanted.next())?;
        let mut at = self.pid_ns[deepest].parent;
        let mut last = None;
        while let Some(ns) = at {
            let nr = self.alloc_number(caller, ns, pid, wanted.next())?;
            let upid = self.upids.insert(Upid { nr, ns, outer: None });
            match last {
                Some(last) => self.upids[last].outer = Some(upid),
                None => self.pids[pid].outer = Some(upid),
            }
            last = Some(upid);
            at = self.pid_ns[ns].parent;
        }
        Ok(())
    }

    /// From 7.0 on all wishes are judged before any number is taken.
    #[inline(never)]
    fn check_set_tids(
        &self,
        caller: Option<Idx<Task>>,
        ns: Idx<PidNamespace>,
        set_tid: &[i32],
    ) -> Result<(), Denial> {
        let mut at = Some(ns);
        for tid in set_tid {
            let Some(level_ns) = at else { break };
            self.check_set_tid(caller, level_ns, *tid)?;
            at = self.pid_ns[level_ns].parent;
        }
        Ok(())
    }

    fn check_set_tid(
        &self,
        caller: Option<Idx<Task>>,
        ns: Idx<PidNamespace>,
        tid: i32,
    ) -> Result<(), Denial> {
        let PidNamespace { pid_max, had_init, common, .. } = &self.pid_ns[ns];
        // clone(2) set_tid: from 1 up to the namespace's pid_max.
        let in_range = u32::try_from(tid).is_ok_and(|tid| tid >= 1 && tid < *pid_max);
        self.refuse_if(!in_range, Rule::SetTidRange)?;
        // pid_namespaces(7): the first process of a namespace is its init.
        let before_init = tid != 1 && !had_init;
        self.refuse_if(before_init, Rule::SetTidNoInit)?;
        // clone(2) set_tid: CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE in each owner.
        let owner = common.owner.unwrap_or(self.init_user_ns);
        let capable = caller.is_none_or(|caller| self.checkpoint_restore_ns_capable(caller, owner));
        self.refuse_if(!capable, Rule::SetTidPrivilege)
    }

    /// One number in one namespace.
    fn alloc_number(
        &mut self,
        caller: Option<Idx<Task>>,
        ns: Idx<PidNamespace>,
        pid: Idx<Pid>,
        wanted: Option<i32>,
    ) -> Result<u32, Denial> {
        let nr = match wanted {
            Some(tid) => self.wanted_pid(caller, ns, tid)?,
            None => self.next_pid(ns)?,
        };
        // From 7.1 on: no second process before the first one is init.
        let not_first = nr != 1 && !self.pid_ns[ns].had_init;
        self.refuse_if(not_first, Rule::FirstPidNotOne)?;
        let level = &mut self.pid_ns[ns];
        level.idr.insert(&mut self.idr_nodes, nr, pid.raw());
        level.pid_allocated += 1;
        Ok(nr)
    }

    #[inline(never)]
    fn wanted_pid(&self, caller: Option<Idx<Task>>, ns: Idx<PidNamespace>, tid: i32) -> Result<u32, Denial> {
        if !self.params.since(7, 0) {
            self.check_set_tid(caller, ns, tid)?;
        }
        let tid = u32::try_from(tid).unwrap_or(0);
        // clone(2) set_tid: EEXIST when the number is in use.
        let busy = self.find_pid_ns(tid, ns).is_some();
        self.refuse_if(busy, Rule::SetTidBusy)?;
        // A mutation may have let a number pass that cannot be taken.
        if busy || tid == 0 { Err(self.params.denial(Rule::PidExhausted)) } else { Ok(tid) }
    }

    /// `pid_namespaces(7)`: when init is gone, no more processes. The oldest releases
    /// look only at the child's own namespace, from 7.1 on at all above too.
    fn check_accepting(&self, ns: Idx<PidNamespace>) -> Result<(), Denial> {
        let mut at = Some(ns);
        while let Some(level_ns) = at {
            self.refuse_if(!self.pid_ns[level_ns].adding, Rule::PidNsDead)?;
            at = self.pid_ns[level_ns].parent;
            if !self.params.since(7, 1) {
                break;
            }
        }
        Ok(())
    }

    /// Numbers are handed out in a circle; once past 300 the low ones are left alone.
    fn next_pid(&mut self, ns: Idx<PidNamespace>) -> Result<u32, Denial> {
        let PidNamespace { cursor, pid_max, ref idr, .. } = self.pid_ns[ns];
        let low = if cursor > RESERVED_PIDS { RESERVED_PIDS } else { 1 };
        let start = cursor.max(low);
        let found = idr
            .next_free(&self.idr_nodes, start, pid_max)
            .or_else(|| idr.next_free(&self.idr_nodes, low, start.min(pid_max)))
            .ok_or_else(|| self.params.denial(Rule::PidExhausted))?;
        self.pid_ns[ns].cursor = found + 1;
        Ok(found)
    }

    /// Gives back the numbers a pid has.
    fn free_numbers(&mut self, pid: Idx<Pid>) {
        let Pid { nr, ns, mut outer, .. } = self.pids[pid];
        if nr != 0 {
            self.free_number(ns, nr);
        }
        while let Some(idx) = outer {
            let Upid { nr, ns, outer: next } = self.upids[idx];
            self.free_number(ns, nr);
            self.upids.remove(idx);
            outer = next;
        }
        self.pids[pid].outer = None;
    }

    fn free_number(&mut self, ns: Idx<PidNamespace>, nr: u32) {
        let level = &mut self.pid_ns[ns];
        level.idr.remove(&mut self.idr_nodes, nr);
        level.pid_allocated -= 1;
    }

    pub(crate) fn attach_pid(&mut self, pid: Idx<Pid>) {
        let pid = &mut self.pids[pid];
        pid.attached += 1;
        pid.count += 1;
    }

    /// The processes of a group, the newest first.
    pub(crate) fn group_members(&self, pgrp: Idx<Pid>) -> impl Iterator<Item = Idx<Signal>> {
        let first = self.pids[pgrp].first_in_group;
        core::iter::successors(first, |member| self.signals[*member].next_in_group)
    }

    /// Puts a process at the head of its group's list.
    pub(crate) fn link_group(&mut self, member: Idx<Signal>) {
        let pgrp = self.signals[member].pgrp;
        let next = self.pids[pgrp].first_in_group.replace(member);
        if let Some(next) = next {
            self.signals[next].prev_in_group = Some(member);
        }
        let member = &mut self.signals[member];
        (member.next_in_group, member.prev_in_group) = (next, None);
    }

    /// Takes a process off its group's list.
    pub(crate) fn unlink_group(&mut self, member: Idx<Signal>) {
        let Signal { pgrp, next_in_group: next, prev_in_group: prev, .. } = self.signals[member];
        match prev {
            Some(prev) => self.signals[prev].next_in_group = next,
            None => self.pids[pgrp].first_in_group = next,
        }
        if let Some(next) = next {
            self.signals[next].prev_in_group = prev;
        }
    }

    /// Moves a process to another group (`change_pid`); the use of the old number is
    /// still to be ended.
    pub(crate) fn change_group(&mut self, member: Idx<Signal>, pgrp: Idx<Pid>) {
        self.attach_pid(pgrp);
        self.unlink_group(member);
        self.signals[member].pgrp = pgrp;
        self.link_group(member);
    }

    /// Ends the uses of a process's group and session numbers, mostly one and the same.
    pub(crate) fn detach_group(&mut self, pgrp: Idx<Pid>, session: Idx<Pid>) {
        let pid = &mut self.pids[pgrp];
        if pgrp == session && pid.attached > 2 {
            pid.attached -= 2;
            pid.count -= 2;
            return;
        }
        self.detach_pid(pgrp);
        self.detach_pid(session);
    }

    /// Ends one use of a number; the last use frees the numbers.
    pub(crate) fn detach_pid(&mut self, pid: Idx<Pid>) {
        let used = &mut self.pids[pid];
        used.attached -= 1;
        if used.attached > 0 {
            used.count -= 1;
            return;
        }
        self.free_pid(pid);
        self.put_pid(pid);
    }

    /// The numbers become free. A dying init may have waited for just that.
    pub(crate) fn free_pid(&mut self, pid: Idx<Pid>) {
        if self.pids[pid].freed {
            return;
        }
        let mut at = Some(self.pids[pid].ns);
        self.free_numbers(pid);
        self.pids[pid].freed = true;
        let poisons = !self.params.since(7, 1);
        while let Some(ns) = at {
            let level = &mut self.pid_ns[ns];
            // A first process that failed late leaves its namespace dead, up to 7.0; from
            // then on it leaves number 1 to the next.
            if level.pid_allocated == 0 && !level.had_init {
                level.adding &= !poisons;
                level.cursor = 1;
            }
            let parent = level.parent;
            if !level.adding
                && let Some(reaper) = level.child_reaper
                && self.tasks[reaper].state == crate::task::State::Zapping
            {
                self.zap_wakeups.push(reaper);
            }
            at = parent;
        }
    }

    pub(crate) fn put_pid(&mut self, pid: Idx<Pid>) {
        self.pids[pid].count -= 1;
        if self.pids[pid].count == 0 {
            let ns = self.pids[pid].ns;
            self.free_pid(pid);
            self.pids.remove(pid);
            self.put_pid_ns(ns);
        }
    }

    /// The task with a number in the viewer's pid namespace, as `/proc/NUMBER` finds it.
    pub fn find_task(&self, viewer: TaskId, number: i32) -> Option<TaskId> {
        let viewer = self.observe(viewer).ok()?;
        let task = self.find_task_by_vpid(viewer, i64::from(number))?;
        Some(self.task_id(task))
    }
}
