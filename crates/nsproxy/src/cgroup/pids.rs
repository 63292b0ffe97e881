//! The pids controller (`kernel/cgroup/pids.c`).

use super::Cgroup;
use crate::Kernel;
use crate::arena::Idx;
use crate::cred::{Kgid, Kuid};

/// The controller's state of one cgroup (`struct pids_cgroup`). The root has none: it is
/// not counted.
///
/// A zombie stays charged where it died until it is reaped, though its cgroup may have lost
/// the controller since, and have got it anew.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PidsCgroup {
    pub(crate) parent: Option<Idx<PidsCgroup>>,
    /// Tasks charged here and below, zombies too.
    pub(crate) counter: u32,
    /// `pids.max`; `None` is `max`.
    pub(crate) limit: Option<u32>,
    /// Owner and group of `pids.max`: who made the cgroup, or enabled the controller later.
    pub(crate) owner: (Kuid, Kgid),
    /// Whether its cgroup still has it.
    pub(crate) online: bool,
}

impl Kernel {
    pub(super) fn pids_css_alloc(
        &mut self,
        parent: Option<Idx<PidsCgroup>>,
        owner: (Kuid, Kgid),
    ) -> Idx<PidsCgroup> {
        self.pids_cgroups.insert(PidsCgroup { parent, counter: 0, limit: None, owner, online: true })
    }

    /// The cgroup has it no more; those charged keep it.
    pub(super) fn pids_css_offline(&mut self, pids: Idx<PidsCgroup>) {
        self.pids_cgroups[pids].online = false;
        if self.pids_cgroups[pids].counter == 0 {
            self.pids_cgroups.remove(pids);
        }
    }

    /// That of the cgroup itself: whether it has the controller's files.
    pub(crate) fn own_pids(&self, cgroup: Idx<Cgroup>) -> Option<Idx<PidsCgroup>> {
        let Cgroup { parent, pids, .. } = self.cgroups[cgroup];
        pids.filter(|_| parent.is_some_and(|parent| self.cgroups[parent].subtree_control))
    }

    /// Whether one more would be too many on some level (`pids_try_charge`).
    pub(super) fn pids_full(&self, pids: Option<Idx<PidsCgroup>>) -> bool {
        let mut at = pids;
        while let Some(level) = at {
            let PidsCgroup { parent, counter, limit, .. } = self.pids_cgroups[level];
            if limit.is_some_and(|limit| counter >= limit) {
                return true;
            }
            at = parent;
        }
        false
    }

    /// Counts a task on every level, limits or not: they are for forks only.
    #[inline]
    pub(super) fn pids_charge(&mut self, pids: Option<Idx<PidsCgroup>>) {
        let mut at = pids;
        while let Some(level) = at {
            self.pids_cgroups[level].counter += 1;
            at = self.pids_cgroups[level].parent;
        }
    }

    #[inline]
    pub(super) fn pids_uncharge(&mut self, pids: Option<Idx<PidsCgroup>>) {
        let mut at = pids;
        while let Some(level) = at {
            let PidsCgroup { parent, counter, online, .. } = &mut self.pids_cgroups[level];
            *counter -= 1;
            at = *parent;
            if *counter == 0 && !*online {
                self.pids_cgroups.remove(level);
            }
        }
    }

    /// Every cgroup from here down has this state from now on.
    pub(super) fn pids_hand_down(&mut self, cgroup: Idx<Cgroup>, pids: Option<Idx<PidsCgroup>>) {
        self.cgroups[cgroup].pids = pids;
        for child in self.cgroups[cgroup].children.clone() {
            self.pids_hand_down(child, pids);
        }
    }

    /// Live tasks are charged anew where their cgroups have got another state
    /// (`cgroup_update_dfl_csses`, `pids_can_attach`).
    pub(super) fn pids_attach(&mut self) {
        for task in self.tasks.indices() {
            let pids = self.cgroups[self.tasks[task].cgroup].pids;
            let old = self.tasks[task].pids;
            if old != pids && self.is_alive(task) {
                self.tasks[task].pids = pids;
                self.pids_charge(pids);
                self.pids_uncharge(old);
            }
        }
    }
}
