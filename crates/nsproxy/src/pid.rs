//! Process numbers: one `struct pid`, one number in each namespace that sees it
//! (`kernel/pid.c`).

use crate::Kernel;
use crate::arena::Idx;
use crate::pid_namespace::PidNamespace;
use crate::rule::{Denial, Rule};
use crate::task::{Task, TaskId};
use crate::uapi::RESERVED_PIDS;

/// One number of a pid in one namespace; chained from the deepest outwards.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Upid {
    pub(crate) nr: u32,
    pub(crate) ns: Idx<PidNamespace>,
    pub(crate) pid: Option<Idx<Pid>>,
    pub(crate) outer: Option<Idx<Upid>>,
    /// All numbers of one namespace are in a list.
    prev: Option<Idx<Upid>>,
    next: Option<Idx<Upid>>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Pid {
    /// Everything that keeps the object: attachments and pidfds.
    pub(crate) count: u32,
    /// Uses as thread, group or session number; at zero the numbers are free again.
    pub(crate) attached: u32,
    pub(crate) deepest: Idx<Upid>,
    /// The deepest namespace: the active one of the task.
    pub(crate) ns: Idx<PidNamespace>,
    pub(crate) task: Option<Idx<Task>>,
    /// Whether the numbers have been given back.
    pub(crate) freed: bool,
    /// Whether the last close of its clone-time pidfd kills.
    pub(crate) autokill: bool,
}

fn key(ns: Idx<PidNamespace>, nr: u32) -> u64 {
    u64::from(ns.raw()) << 32 | u64::from(nr)
}

impl Kernel {
    /// The active pid namespace of a task, which never changes.
    pub(crate) fn task_active_pid_ns(&self, task: Idx<Task>) -> Idx<PidNamespace> {
        self.pids[self.tasks[task].pid].ns
    }

    pub(crate) fn upids(&self, pid: Idx<Pid>) -> impl Iterator<Item = &Upid> {
        core::iter::successors(Some(&self.upids[self.pids[pid].deepest]), |upid| {
            upid.outer.map(|outer| &self.upids[outer])
        })
    }

    /// The number of a pid in a namespace; 0 where it cannot be seen.
    pub(crate) fn pid_nr_ns(&self, pid: Idx<Pid>, ns: Idx<PidNamespace>) -> u32 {
        let Pid { freed, deepest, .. } = self.pids[pid];
        if freed {
            return 0;
        }
        let first = &self.upids[deepest];
        if first.ns == ns {
            return first.nr;
        }
        self.upids(pid)
            .find(|upid| upid.ns == ns)
            .map_or(0, |upid| upid.nr)
    }

    /// The number as the viewing task sees it.
    pub(crate) fn pid_vnr(&self, viewer: Idx<Task>, pid: Idx<Pid>) -> u32 {
        self.pid_nr_ns(pid, self.task_active_pid_ns(viewer))
    }

    pub(crate) fn find_pid_ns(&self, nr: u32, ns: Idx<PidNamespace>) -> Option<Idx<Pid>> {
        let upid = self.pid_hash.get(key(ns, nr)).and_then(Idx::from_raw)?;
        self.upids[upid].pid
    }

    pub(crate) fn find_task_by_pid_ns(&self, nr: u32, ns: Idx<PidNamespace>) -> Option<Idx<Task>> {
        self.pids[self.find_pid_ns(nr, ns)?].task
    }

    pub(crate) fn find_task_by_vpid(&self, viewer: Idx<Task>, nr: i64) -> Option<Idx<Task>> {
        let nr = u32::try_from(nr).ok()?;
        self.find_task_by_pid_ns(nr, self.task_active_pid_ns(viewer))
    }

    pub(crate) fn task_by_vpid(&self, viewer: Idx<Task>, nr: i64) -> Result<Idx<Task>, Denial> {
        self.find_task_by_vpid(viewer, nr)
            .ok_or_else(|| self.params.denial(Rule::NoSuchTask))
    }

    /// Every pid with a number in this namespace, oldest last.
    pub(crate) fn pids_in(&self, ns: Idx<PidNamespace>) -> impl Iterator<Item = Idx<Pid>> {
        core::iter::successors(self.pid_ns[ns].upids, |upid| self.upids[*upid].next)
            .filter_map(|upid| self.upids[upid].pid)
    }

    /// Numbers for a new task in `ns` and every namespace above it.
    pub(crate) fn alloc_pid(
        &mut self,
        caller: Idx<Task>,
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
        let mut deepest = None;
        let mut last: Option<Idx<Upid>> = None;
        let mut at = Some(ns);
        let mut wanted = set_tid.iter();
        while let Some(level_ns) = at {
            let upid = match self.alloc_upid(caller, level_ns, wanted.next().copied()) {
                Ok(upid) => upid,
                Err(denial) => {
                    self.free_upids(deepest);
                    return Err(denial);
                }
            };
            match last {
                Some(last) => self.upids[last].outer = Some(upid),
                None => deepest = Some(upid),
            }
            last = Some(upid);
            at = self.pid_ns[level_ns].parent;
        }
        if let Err(denial) = self.check_accepting(ns) {
            self.free_upids(deepest);
            return Err(denial);
        }
        let Some(deepest) = deepest else {
            return Err(self.params.denial(Rule::PidExhausted));
        };
        Ok(self.publish_pid(ns, deepest))
    }

    fn publish_pid(&mut self, ns: Idx<PidNamespace>, deepest: Idx<Upid>) -> Idx<Pid> {
        self.pid_ns[ns].common.count += 1;
        let pid = self.pids.insert(Pid {
            count: 1,
            attached: 1,
            deepest,
            ns,
            task: None,
            freed: false,
            autokill: false,
        });
        let mut at = Some(deepest);
        while let Some(upid) = at {
            self.upids[upid].pid = Some(pid);
            at = self.upids[upid].outer;
        }
        pid
    }

    /// From 7.0 on all wishes are judged before any number is taken.
    fn check_set_tids(
        &self,
        caller: Idx<Task>,
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
        caller: Idx<Task>,
        ns: Idx<PidNamespace>,
        tid: i32,
    ) -> Result<(), Denial> {
        let PidNamespace {
            pid_max,
            had_init,
            common,
            ..
        } = &self.pid_ns[ns];
        // clone(2) set_tid: from 1 up to the namespace's pid_max.
        let in_range = u32::try_from(tid).is_ok_and(|tid| tid >= 1 && tid < *pid_max);
        self.refuse_if(!in_range, Rule::SetTidRange)?;
        // pid_namespaces(7): the first process of a namespace is its init.
        let before_init = tid != 1 && !had_init;
        self.refuse_if(before_init, Rule::SetTidNoInit)?;
        // clone(2) set_tid: CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE in each owner.
        let owner = common.owner.unwrap_or(self.init_user_ns);
        let capable = self.checkpoint_restore_ns_capable(caller, owner);
        self.refuse_if(!capable, Rule::SetTidPrivilege)
    }

    /// One number in one namespace.
    fn alloc_upid(
        &mut self,
        caller: Idx<Task>,
        ns: Idx<PidNamespace>,
        wanted: Option<i32>,
    ) -> Result<Idx<Upid>, Denial> {
        let nr = match wanted {
            Some(tid) => {
                if !self.params.since(7, 0) {
                    self.check_set_tid(caller, ns, tid)?;
                }
                let tid = u32::try_from(tid).unwrap_or(0);
                // clone(2) set_tid: EEXIST when the number is in use.
                let busy = self.pid_hash.get(key(ns, tid)).is_some();
                self.refuse_if(busy, Rule::SetTidBusy)?;
                // A mutation may have let a number pass that cannot be taken.
                if busy || tid == 0 {
                    return Err(self.params.denial(Rule::PidExhausted));
                }
                tid
            }
            None => self.next_pid(ns)?,
        };
        // From 7.1 on: no second process before the first one is init.
        let not_first = nr != 1 && !self.pid_ns[ns].had_init;
        self.refuse_if(not_first, Rule::FirstPidNotOne)?;
        Ok(self.link_upid(ns, nr))
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
        let PidNamespace {
            cursor, pid_max, ..
        } = self.pid_ns[ns];
        let low = if cursor > RESERVED_PIDS {
            RESERVED_PIDS
        } else {
            1
        };
        let start = cursor.max(low);
        let found = (start..pid_max)
            .chain(low..start.min(pid_max))
            .find(|nr| self.pid_hash.get(key(ns, *nr)).is_none())
            .ok_or_else(|| self.params.denial(Rule::PidExhausted))?;
        self.pid_ns[ns].cursor = found + 1;
        Ok(found)
    }

    fn link_upid(&mut self, ns: Idx<PidNamespace>, nr: u32) -> Idx<Upid> {
        let next = self.pid_ns[ns].upids;
        let upid = self.upids.insert(Upid {
            nr,
            ns,
            pid: None,
            outer: None,
            prev: None,
            next,
        });
        if let Some(next) = next {
            self.upids[next].prev = Some(upid);
        }
        self.pid_ns[ns].upids = Some(upid);
        self.pid_ns[ns].pid_allocated += 1;
        self.pid_hash.insert(key(ns, nr), upid.raw());
        upid
    }

    /// Gives the numbers of a chain back.
    fn free_upids(&mut self, deepest: Option<Idx<Upid>>) {
        let mut at = deepest;
        while let Some(idx) = at {
            let Upid {
                nr,
                ns,
                outer,
                prev,
                next,
                ..
            } = self.upids[idx];
            match prev {
                Some(prev) => self.upids[prev].next = next,
                None => self.pid_ns[ns].upids = next,
            }
            if let Some(next) = next {
                self.upids[next].prev = prev;
            }
            self.pid_hash.remove(key(ns, nr));
            self.pid_ns[ns].pid_allocated -= 1;
            self.upids.remove(idx);
            at = outer;
        }
    }

    pub(crate) fn attach_pid(&mut self, pid: Idx<Pid>) {
        let pid = &mut self.pids[pid];
        pid.attached += 1;
        pid.count += 1;
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
        let deepest = self.pids[pid].deepest;
        let mut at = Some(self.pids[pid].ns);
        self.free_upids(Some(deepest));
        self.pids[pid].freed = true;
        let poisons = !self.params.since(7, 1);
        while let Some(ns) = at {
            let level = &mut self.pid_ns[ns];
            // A first process that failed late leaves its namespace dead, up to 7.0.
            if poisons && level.pid_allocated == 0 && !level.had_init {
                level.adding = false;
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
            self.put_ns(crate::ns_common::NsRef::Pid(ns));
        }
    }

    /// The task with a number in the viewer's pid namespace, as `/proc/NUMBER` finds it.
    pub fn find_task(&self, viewer: TaskId, number: i32) -> Option<TaskId> {
        let viewer = self.observe(viewer).ok()?;
        let task = self.find_task_by_vpid(viewer, i64::from(number))?;
        Some(self.task_id(task))
    }
}
