//! The files with which controllers are enabled, and limits set.

use super::{Cgroup, PidsCgroup};
use crate::Kernel;
use crate::arena::Idx;
use crate::params::Call;
use crate::rule::{Denial, Rule};
use crate::task::{State, Task, TaskId};
use alloc::vec::Vec;

/// What is more is no limit (`PIDS_MAX`): there are never so many.
const PIDS_MAX: u32 = 4_194_305;

impl Kernel {
    /// Writes `pids.max`; `None` is `max`.
    pub fn cgroup_set_pids_max(
        &mut self,
        caller: TaskId,
        path: &str,
        max: Option<u32>,
    ) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Write)?;
        self.check_free_fd(task)?;
        let cgroup = self.find_cgroup(task, path)?;
        // cgroups(7): the file is there while the parent has the controller enabled.
        let pids = self.own_pids(cgroup).ok_or_else(|| self.params.denial(Rule::CgroupPidsMissing))?;
        // cgroups(7), "delegation": the file is its owner's to write.
        let allowed = self.may_write_cgroup_file(task, self.pids_cgroups[pids].owner);
        self.refuse_if(!allowed, Rule::CgroupAccess)?;
        // cgroup_namespaces(7) nsdelegate: a container does not lift its own limit.
        let confined = self.is_delegated_root(task, cgroup);
        self.refuse_if(confined, Rule::CgroupLimitDelegation)?;
        // pids_max_write: EINVAL.
        let beyond = max.is_some_and(|max| max >= PIDS_MAX);
        self.refuse_if(beyond, Rule::CgroupPidsMaxRange)?;
        self.pids_cgroups[pids].limit = max;
        Ok(())
    }

    /// Whether it is the root of the caller's cgroup namespace, which is a boundary.
    fn is_delegated_root(&self, task: Idx<Task>, cgroup: Idx<Cgroup>) -> bool {
        let ns = self.current_nsproxy(task).cgroup;
        let first = self.init_namespaces.cgroup;
        self.params.features.nsdelegate && ns != first && self.cgroup_ns[ns].root == cgroup
    }

    /// Writes `cgroup.subtree_control`: `+memory +pids` or `-memory -pids`.
    pub fn cgroup_set_subtree_control(&mut self, caller: TaskId, path: &str, on: bool) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Write)?;
        self.check_free_fd(task)?;
        let cgroup = self.find_cgroup(task, path)?;
        let allowed = self.owns_cgroup(task, cgroup);
        // cgroups(7), "delegation": the file is its owner's to write.
        self.refuse_if(!allowed, Rule::CgroupAccess)?;
        let Cgroup { parent, subtree_control, .. } = self.cgroups[cgroup];
        if subtree_control == on {
            return Ok(());
        }
        let lacking = on && parent.is_some_and(|parent| !self.cgroups[parent].subtree_control);
        // cgroups(7), "top-down constraint": ENOENT for what cgroup.controllers does not list.
        self.refuse_if(lacking, Rule::CgroupNoController)?;
        let below = !on && self.cgroups[cgroup].children.iter().any(|at| self.cgroups[*at].subtree_control);
        // cgroups(7): EBUSY while a child has it enabled for its own children.
        self.refuse_if(below, Rule::CgroupControlled)?;
        let beside = on && parent.is_some() && self.cgroup_has_tasks(cgroup);
        // cgroups(7): not beside processes, but for the root.
        self.refuse_if(beside, Rule::CgroupControllers)?;
        if !lacking && !below {
            self.apply_control(task, cgroup, on);
        }
        Ok(())
    }

    /// Since 6.19 who exits is in a cgroup until it runs no more (`cgroup_task_dead`): an init
    /// that waits for the others of its namespace still does.
    fn cgroup_has_tasks(&self, cgroup: Idx<Cgroup>) -> bool {
        let waits = |task: &Task| task.cgroup == cgroup && task.state == State::Zapping;
        self.cgroups[cgroup].procs > 0
            || self.params.since(6, 19) && self.tasks.iter().any(|(_, task)| waits(task))
    }

    /// Each child gets a state of its own, or falls back to what is above it.
    fn apply_control(&mut self, task: Idx<Task>, cgroup: Idx<Cgroup>, on: bool) {
        let owner = self.cgroup_owner(task);
        let above = self.cgroups[cgroup].pids;
        let children = self.cgroups[cgroup].children.clone();
        let lost: Vec<Idx<PidsCgroup>> = children.iter().filter_map(|child| self.own_pids(*child)).collect();
        self.cgroups[cgroup].subtree_control = on;
        for child in children {
            let pids = if on { Some(self.pids_css_alloc(above, owner)) } else { above };
            self.pids_hand_down(child, pids);
        }
        self.pids_attach();
        for pids in lost {
            self.pids_css_offline(pids);
        }
    }
}
