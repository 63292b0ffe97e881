//! What must always hold: the invariants of the model.

use crate::Kernel;
use crate::arena::Idx;
use crate::capability::CapSet;
use crate::file::FileKind;
use crate::ns_common::{NsKind, NsRef};
use crate::task::{State, Task};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

/// A broken invariant, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which one.
    pub invariant: &'static str,
    /// Where.
    pub at: String,
}

fn broken(holds: bool, invariant: &'static str, at: &dyn core::fmt::Debug) -> Result<(), Broken> {
    if holds {
        return Ok(());
    }
    let at = format!("{at:?}");
    Err(Broken { invariant, at })
}

/// References counted by hand, to compare with the counts kept.
#[derive(Default)]
struct Counts(BTreeMap<NsRef, u32>);

impl Counts {
    fn add(&mut self, ns: NsRef) {
        *self.0.entry(ns).or_default() += 1;
    }

    fn extend(&mut self, all: impl IntoIterator<Item = NsRef>) {
        all.into_iter().for_each(|ns| self.add(ns));
    }
}

impl Kernel {
    /// Looks for a broken invariant. Slow: it counts everything anew.
    pub fn check(&self) -> Result<(), Broken> {
        self.check_pid_namespaces()?;
        self.check_user_namespaces()?;
        for (task, _) in self.tasks.iter() {
            self.check_task(task)?;
        }
        self.check_groups()?;
        self.check_pids_cgroups()?;
        self.check_counts()?;
        self.check_ucounts_held()?;
        self.check_ucounts()?;
        self.check_shm_creators()?;
        self.check_mounts()
    }

    fn check_pid_namespaces(&self) -> Result<(), Broken> {
        for (idx, ns) in self.pid_ns.iter() {
            let Some(parent) = ns.parent else { continue };
            let above = &self.pid_ns[parent];
            broken(ns.level == above.level + 1, "a pid namespace is one level below its parent", &idx)?;
            let owner = self.ruling_user_ns(NsRef::Pid(idx));
            let parent_owner = self.ruling_user_ns(NsRef::Pid(parent));
            let related = self.in_userns(parent_owner, owner);
            broken(related, "a pid namespace's owner is its parent's owner or below", &idx)?;
            broken(ns.level <= 32, "pid namespaces are at most 32 deep", &idx)?;
            if let Some(reaper) = ns.child_reaper {
                let number = self.pid_nr_ns(self.tasks[reaper].pid, idx);
                let first = number == 1 || !self.is_leader(reaper);
                broken(first, "the reaper has number 1", &idx)?;
            }
            let listed = self.pids_in(idx).count();
            broken(listed == ns.pid_allocated as usize, "the list of numbers matches their count", &idx)?;
        }
        Ok(())
    }

    fn check_user_namespaces(&self) -> Result<(), Broken> {
        for (idx, ns) in self.user_ns.iter() {
            let level = ns.common.owner.map_or(0, |parent| self.user_ns[parent].level + 1);
            broken(ns.level == level, "a user namespace is one level below its parent", &idx)?;
            broken(ns.level <= 33, "user namespaces are at most 33 deep", &idx)?;
        }
        Ok(())
    }

    fn check_task(&self, idx: Idx<Task>) -> Result<(), Broken> {
        let task = &self.tasks[idx];
        let cred = self.cred_of(idx);
        let at = &(idx, task.state);
        broken(cred.cap_effective.within(cred.cap_permitted), "effective is within permitted", at)?;
        let ambient = cred.cap_permitted.and(cred.cap_inheritable);
        broken(cred.cap_ambient.within(ambient), "ambient is within permitted and inheritable", at)?;
        let full = CapSet::FULL;
        broken(cred.cap_bset.within(full), "the bounding set knows only capabilities", at)?;
        if let Some(nsproxy) = self.nsproxy_of(idx) {
            let active = self.task_active_pid_ns(idx);
            let below = self.in_pidns(active, nsproxy.pid_for_children);
            broken(below, "the children's pid namespace is the own one or below", at)?;
            let frozen = self.time_ns[nsproxy.time].frozen;
            broken(frozen, "a time namespace in use is frozen", at)?;
        }
        let over = matches!(task.state, State::Zombie | State::Zapping);
        broken(over == task.nsproxy.is_none(), "exactly the exited have no nsproxy", at)?;
        broken(over == task.fs.is_none(), "exactly the exited have no root", at)?;
        let leader = self.signal_of(idx).leader;
        let together = self.task_active_pid_ns(leader) == self.task_active_pid_ns(idx)
            && self.current_user_ns(leader) == self.current_user_ns(idx);
        broken(together, "threads share pid and user namespace", at)?;
        let parent_lives =
            task.real_parent.is_none_or(|parent| self.children(parent).any(|child| child == idx));
        broken(parent_lives, "a parent knows its child", at)?;
        for child in self.children(idx) {
            let known = self.tasks.get(child).is_some_and(|child| child.real_parent == Some(idx));
            broken(known, "a child knows its parent", at)?;
        }
        if over && task.state == State::Zombie {
            broken(
                task.first_child.is_none() || task.real_parent.is_none(),
                "the exited have no children",
                at,
            )?;
        }
        Ok(())
    }

    fn check_groups(&self) -> Result<(), Broken> {
        for (idx, signal) in self.signals.iter() {
            let threads = self.threads(signal.leader);
            let live = threads.iter().filter(|thread| self.tasks[**thread].nsproxy.is_some());
            broken(threads.len() == signal.nr_threads as usize, "the thread ring matches its count", &idx)?;
            broken(live.count() == signal.live as usize, "live counts the threads not exited", &idx)?;
        }
        let mut members = 0;
        for (idx, _) in self.pids.iter() {
            for member in self.group_members(idx) {
                broken(self.signals[member].pgrp == idx, "a process is on the list of its group", &member)?;
                members += 1;
            }
        }
        broken(members == self.signals.len(), "every process is on the list of its group", &members)?;
        for (idx, pid) in self.pids.iter() {
            let open = self.files_open.iter().filter(|(_, file)| match file.kind {
                FileKind::Pidfd { pid, .. }
                | FileKind::TimensOffsets(pid)
                | FileKind::Map(_, _, pid)
                | FileKind::Setgroups(_, pid) => pid == idx,
                _ => false,
            });
            let last = self.ipc_ns.iter().flat_map(|(_, ipc)| ipc.contents.last_pids());
            let kept = open.count() + last.filter(|last| *last == idx).count();
            let all = pid.attached as usize + kept;
            broken(all == pid.count as usize, "a pid counts its uses, files and last uses", &idx)?;
        }
        for (idx, fs) in self.fss.iter() {
            let users = self.tasks.iter().filter(|(_, task)| task.fs == Some(idx)).count();
            broken(users == fs.users as usize, "fs users counts the tasks that share it", &idx)?;
        }
        for (idx, mm) in self.mms.iter() {
            let users = self.tasks.iter().filter(|(_, task)| task.mm == Some(idx)).count();
            broken(users == mm.users as usize, "mm users counts the tasks that share it", &idx)?;
            let exited = self.tasks.iter().filter(|(_, task)| task.exec_state == Some(idx)).count();
            broken(exited == mm.exited as usize, "mm exited counts the tasks that left it", &idx)?;
        }
        for (idx, nsproxy) in self.nsproxies.iter() {
            let users = self.tasks.iter().filter(|(_, task)| task.nsproxy == Some(idx)).count();
            broken(users == nsproxy.count as usize, "an nsproxy counts the tasks that share it", &idx)?;
        }
        Ok(())
    }

    fn check_pids_cgroups(&self) -> Result<(), Broken> {
        let mut counters: BTreeMap<_, u32> = self.pids_cgroups.iter().map(|(idx, _)| (idx, 0)).collect();
        for (idx, task) in self.tasks.iter() {
            let at_home = task.pids == self.cgroups[task.cgroup].pids;
            broken(at_home || !self.is_alive(idx), "who lives is charged in its cgroup", &idx)?;
            let mut at = task.pids;
            while let Some(level) = at {
                *counters.entry(level).or_default() += 1;
                at = self.pids_cgroups[level].parent;
            }
        }
        for (idx, pids) in self.pids_cgroups.iter() {
            broken(counters.get(&idx) == Some(&pids.counter), "pids.current counts who is charged", &idx)?;
            let owned = self.cgroups.indices().into_iter().any(|at| self.own_pids(at) == Some(idx));
            broken(owned == pids.online, "exactly what a cgroup has is online", &idx)?;
            broken(owned || pids.counter > 0, "what no cgroup has is kept by those charged", &idx)?;
        }
        broken(
            counters.len() == self.pids_cgroups.len(),
            "who is charged is charged to what is there",
            &counters.len(),
        )
    }

    /// Everything that holds a namespace, counted anew.
    fn holders(&self) -> Counts {
        let mut counts = Counts::default();
        for (_, nsproxy) in self.nsproxies.iter() {
            nsproxy.refs().into_iter().for_each(|ns| counts.add(ns));
        }
        counts.extend(self.host_refs.iter().copied());
        for (_, cred) in self.creds.iter() {
            counts.add(NsRef::User(cred.user_ns));
        }
        for (_, record) in self.ucounts.iter() {
            counts.add(NsRef::User(record.ns));
        }
        for (_, mm) in self.mms.iter() {
            counts.add(NsRef::User(mm.user_ns));
        }
        for (_, pid) in self.pids.iter() {
            counts.add(NsRef::Pid(pid.ns));
        }
        for (_, ns) in self.pid_ns.iter() {
            ns.parent.into_iter().for_each(|parent| counts.add(NsRef::Pid(parent)));
        }
        for (_, file) in self.files_open.iter() {
            match file.kind {
                FileKind::Ns(ns) => counts.add(ns),
                FileKind::Map(ns, ..) | FileKind::Setgroups(ns, _) => counts.add(NsRef::User(ns)),
                FileKind::Socket(net) => counts.add(NsRef::Net(net)),
                _ => {}
            }
        }
        // An anonymous mount namespace holds itself as long as its tree is attached nowhere.
        let anon = self.mnt_ns.iter().filter(|(_, ns)| ns.anon).map(|(ns, _)| NsRef::Mnt(ns));
        counts.extend(anon);
        for (_, sb) in self.supers.iter() {
            self.dentries[sb.root].ns.into_iter().for_each(|ns| counts.add(ns));
            counts.add(NsRef::User(sb.user_ns));
            sb.pid_ns.into_iter().for_each(|ns| counts.add(NsRef::Pid(ns)));
        }
        self.shm_attached.iter().for_each(|(_, shm)| counts.add(NsRef::Ipc(shm.ns)));
        counts
    }

    fn check_counts(&self) -> Result<(), Broken> {
        let counts = self.holders();
        for ns in self.all_ns() {
            let common = self.common(ns);
            // The first namespaces are held once for ever.
            let forever = u32::from(common.id == ns.kind().initial_id());
            let held = counts.0.get(&ns).copied().unwrap_or(0) + forever;
            let at = (ns, common.count, held);
            broken(held == common.count, "a namespace counts what holds it", &at)?;
        }
        Ok(())
    }

    fn check_shm_creators(&self) -> Result<(), Broken> {
        let shms = self.ipc_ns.iter().flat_map(|(_, ipc)| &ipc.contents.shms);
        let created: u32 = shms.map(|shm| u32::from(shm.creator.is_some())).sum();
        broken(created == self.shm_creators, "segments with a creator are counted", &created)
    }

    /// Who names a record of charges, and with it holds its user namespace.
    fn check_ucounts_held(&self) -> Result<(), Broken> {
        let namespaces = self.all_ns().into_iter().map(|ns| self.common(ns));
        let creds = self.creds.iter().map(|(_, cred)| Some(cred.ucounts));
        let released = self.released.iter().map(|dead| dead.ucounts);
        let queues = self.ipc_ns.iter().flat_map(|(_, ipc)| &ipc.contents.queues);
        let queues = queues.filter(|queue| queue.name.is_some()).map(|queue| queue.ucounts);
        let open = self.files_open.iter().map(|(_, file)| match file.kind {
            FileKind::Queue { ucounts, .. } => ucounts,
            _ => None,
        });
        let charged = namespaces.clone().map(|ns| ns.ucounts);
        let all = charged.chain(released).chain(creds).chain(queues).chain(open);
        let mut held: BTreeMap<u32, u32> = BTreeMap::new();
        for record in all.flatten() {
            *held.entry(record.raw()).or_default() += 1;
        }
        for (idx, record) in self.ucounts.iter() {
            let at = (idx, record.count);
            broken(
                held.get(&idx.raw()) == Some(&record.count),
                "a record counts what is charged to it",
                &at,
            )?;
        }
        for ns in namespaces {
            let of_owner = ns.ucounts.is_none_or(|record| Some(self.ucounts[record].ns) == ns.owner);
            broken(of_owner, "a namespace is charged to a record of its owner", &ns.inum)?;
        }
        Ok(())
    }

    fn check_ucounts(&self) -> Result<(), Broken> {
        let mut namespaces: BTreeMap<(u32, NsKind), u32> = BTreeMap::new();
        let mut charge = |charged, kind| {
            let mut at: Option<Idx<crate::ucount::Ucounts>> = charged;
            while let Some(record) = at {
                *namespaces.entry((record.raw(), kind)).or_default() += 1;
                at = self.user_ns[self.ucounts[record].ns].common.ucounts;
            }
        };
        for ns in self.all_ns() {
            charge(self.common(ns).ucounts, ns.kind());
        }
        for released in &self.released {
            charge(released.ucounts, released.kind);
        }
        let mut nproc: BTreeMap<u32, u64> = BTreeMap::new();
        for (task, _) in self.tasks.iter() {
            let mut at = Some(self.cred_of(task).ucounts);
            while let Some(record) = at {
                *nproc.entry(record.raw()).or_default() += 1;
                at = self.user_ns[self.ucounts[record].ns].common.ucounts;
            }
        }
        for (idx, record) in self.ucounts.iter() {
            for kind in NsKind::ALL {
                let expected = namespaces.get(&(idx.raw(), kind)).copied().unwrap_or(0);
                let at = (idx, kind, record.ucount[kind as usize], expected);
                broken(record.ucount[kind as usize] == expected, "a charge stands for a namespace", &at)?;
            }
            let expected = nproc.get(&idx.raw()).copied().unwrap_or(0);
            broken(
                record.nproc == expected,
                "tasks are counted once on every level",
                &(idx, record.nproc, expected),
            )?;
        }
        Ok(())
    }

    fn check_mounts(&self) -> Result<(), Broken> {
        for (idx, mount) in self.mounts.iter() {
            for child in self.submounts(idx) {
                let known = self.mounts.get(child).is_some_and(|child| child.parent == Some(idx));
                broken(known, "a submount knows its parent", &idx)?;
            }
            let ring = self.mounts[mount.next_peer].prev_peer == idx;
            broken(ring, "peers form a ring", &idx)?;
            let group = self.mounts[mount.next_peer].group == mount.group;
            broken(group, "peers have one group", &idx)?;
            let mut slave = mount.first_slave;
            while let Some(at) = slave {
                broken(self.mounts[at].master == Some(idx), "a slave knows its master", &idx)?;
                slave = self.mounts[at].next_slave;
            }
        }
        for (idx, ns) in self.mnt_ns.iter() {
            let tree = self.mount_tree(ns.root);
            let own = tree.iter().all(|mnt| self.mounts[*mnt].ns == Some(idx));
            broken(own, "a namespace's tree is its own", &idx)?;
            broken(
                tree.len() == ns.nr_mounts as usize,
                "a namespace counts its mounts",
                &(idx, tree.len(), ns.nr_mounts),
            )?;
        }
        for (idx, idmap) in self.idmaps.iter() {
            let users = self.mounts.iter().filter(|(_, mount)| mount.idmap == Some(idx)).count();
            broken(users == idmap.count as usize, "an id mapping counts its mounts", &idx)?;
        }
        let mut used: BTreeMap<u32, u32> = BTreeMap::new();
        for (_, fs) in self.fss.iter() {
            *used.entry(fs.root.mnt.raw()).or_default() += 1;
            *used.entry(fs.pwd.mnt.raw()).or_default() += 1;
        }
        for (_, file) in self.files_open.iter() {
            if let FileKind::Path { path, .. } = file.kind {
                *used.entry(path.mnt.raw()).or_default() += 1;
            }
        }
        for (idx, mount) in self.mounts.iter() {
            let expected = used.get(&idx.raw()).copied().unwrap_or(0);
            broken(
                mount.count == expected,
                "a mount counts the roots and directories in it",
                &(idx, mount.count, expected),
            )?;
        }
        Ok(())
    }
}
