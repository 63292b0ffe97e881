//! Changing ids, groups, limits, process groups (`kernel/sys.c`, `kernel/groups.c`).

use crate::Kernel;
use crate::arena::Idx;
use crate::capability::{Cap, CapSet};
use crate::cred::{Cred, Kgid, Kuid};
use crate::params::Call;
use crate::rule::{Denial, Rule};
use crate::task::{RLIM_INFINITY, Resource, Task, TaskId};
use crate::uapi::{SECBIT_KEEP_CAPS, SECBIT_NO_SETUID_FIXUP};

const NGROUPS_MAX: usize = 65_536;

/// The uid or the gid family of calls: they differ in fields and capability only.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    User,
    Group,
}

/// Real, effective, saved and filesystem id.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Ids {
    real: u32,
    effective: u32,
    saved: u32,
    filesystem: u32,
}

impl Cred {
    fn ids(&self, family: Family) -> Ids {
        match family {
            Family::User => {
                Ids { real: self.uid, effective: self.euid, saved: self.suid, filesystem: self.fsuid }
            }
            Family::Group => {
                Ids { real: self.gid, effective: self.egid, saved: self.sgid, filesystem: self.fsgid }
            }
        }
    }

    fn set_ids(&mut self, family: Family, ids: Ids) {
        match family {
            Family::User => {
                self.uid = ids.real;
                self.euid = ids.effective;
                self.suid = ids.saved;
                self.fsuid = ids.filesystem;
            }
            Family::Group => {
                self.gid = ids.real;
                self.egid = ids.effective;
                self.sgid = ids.saved;
                self.fsgid = ids.filesystem;
            }
        }
    }
}

impl Kernel {
    /// The global id of an id in the caller's numbering; -1 stands for "no change".
    fn wanted_id(&self, task: Idx<Task>, family: Family, id: u32) -> Result<Option<u32>, Denial> {
        if id == u32::MAX {
            return Ok(None);
        }
        let ns = self.current_user_ns(task);
        let global = match family {
            Family::User => self.make_kuid(ns, id),
            Family::Group => self.make_kgid(ns, id),
        };
        // setuid(2) EINVAL: the id means nothing in this user namespace.
        self.refuse_if(global.is_none(), Rule::SetidUnmapped)?;
        Ok(global)
    }

    fn setid_capable(&self, task: Idx<Task>, family: Family) -> bool {
        let cap = match family {
            Family::User => Cap::Setuid,
            Family::Group => Cap::Setgid,
        };
        self.ns_capable(task, self.current_user_ns(task), cap)
    }

    fn commit_ids(&mut self, task: Idx<Task>, family: Family, ids: Ids) {
        let mut new = self.prepare_creds(task);
        let old = new.clone();
        new.set_ids(family, ids);
        if family == Family::User {
            self.cap_task_fix_setuid(&mut new, &old);
            self.set_cred_ucounts(&mut new);
            self.flag_nproc_exceeded(task, &new);
        }
        self.commit_creds(task, new);
    }

    /// setuid(2) succeeds for a user with too many tasks; the next execve does not.
    fn flag_nproc_exceeded(&mut self, task: Idx<Task>, new: &Cred) {
        if new.ucounts != self.cred_of(task).ucounts {
            let exceeded = new.uid != 0 && self.is_nproc_overlimit(new.ucounts, task);
            self.tasks[task].nproc_exceeded = exceeded;
        }
    }

    /// capabilities(7), "Effect of user ID changes on capabilities": root is the
    /// namespace's root.
    fn cap_task_fix_setuid(&self, new: &mut Cred, old: &Cred) {
        if new.securebits & SECBIT_NO_SETUID_FIXUP != 0 {
            return;
        }
        let root = self.make_kuid(old.user_ns, 0);
        let is_root = |id: Kuid| Some(id) == root;
        let was = is_root(old.uid) || is_root(old.euid) || is_root(old.suid);
        let is = is_root(new.uid) || is_root(new.euid) || is_root(new.suid);
        if was && !is {
            if new.securebits & SECBIT_KEEP_CAPS == 0 {
                new.cap_permitted = CapSet::EMPTY;
                new.cap_effective = CapSet::EMPTY;
            }
            new.cap_ambient = CapSet::EMPTY;
        }
        if is_root(old.euid) && !is_root(new.euid) {
            new.cap_effective = CapSet::EMPTY;
        }
        if !is_root(old.euid) && is_root(new.euid) {
            new.cap_effective = new.cap_permitted;
        }
    }

    /// capabilities(7): those over files come and go with root as the filesystem user id.
    fn cap_fix_setfsuid(&mut self, task: Idx<Task>, wanted: Kuid) {
        let mut new = self.prepare_creds(task);
        if new.securebits & SECBIT_NO_SETUID_FIXUP == 0 {
            let root = self.make_kuid(new.user_ns, 0);
            let (was, is) = (Some(new.fsuid) == root, Some(wanted) == root);
            if was && !is {
                new.cap_effective = CapSet::from_bits(new.cap_effective.bits() & !CapSet::FILES.bits());
            }
            if is && !was {
                new.cap_effective = new.cap_effective.or(new.cap_permitted.and(CapSet::FILES));
            }
        }
        self.commit_creds(task, new);
    }

    fn set_one(&mut self, task: Idx<Task>, family: Family, id: u32) -> Result<(), Denial> {
        let wanted = self.wanted_id(task, family, id)?;
        // setuid(2) EINVAL: -1 is no id here.
        self.refuse_if(wanted.is_none(), Rule::SetidUnmapped)?;
        let Some(wanted) = wanted else { return Ok(()) };
        let mut ids = self.cred_of(task).ids(family);
        if self.setid_capable(task, family) {
            ids.real = wanted;
            ids.saved = wanted;
        } else {
            // setuid(2) EPERM: only to the real or the saved id.
            let own = wanted == ids.real || wanted == ids.saved;
            self.refuse_if(!own, Rule::SetidPermission)?;
        }
        ids.effective = wanted;
        ids.filesystem = wanted;
        self.commit_ids(task, family, ids);
        Ok(())
    }

    fn set_pair(&mut self, task: Idx<Task>, family: Family, real: u32, effective: u32) -> Result<(), Denial> {
        let wanted_real = self.wanted_id(task, family, real)?;
        let wanted = self.wanted_id(task, family, effective)?;
        let old = self.cred_of(task).ids(family);
        let capable = self.setid_capable(task, family);
        // setreuid(2) EPERM: the real id may become real or effective, the effective any of three.
        let real_ok = wanted_real.is_none_or(|id| id == old.real || id == old.effective);
        let effective_ok = wanted.is_none_or(|id| [old.real, old.effective, old.saved].contains(&id));
        self.refuse_if(!(capable || real_ok && effective_ok), Rule::SetidPermission)?;
        let mut ids = old;
        ids.real = wanted_real.unwrap_or(old.real);
        ids.effective = wanted.unwrap_or(old.effective);
        if wanted_real.is_some() || wanted.is_some_and(|id| id != old.real) {
            ids.saved = ids.effective;
        }
        ids.filesystem = ids.effective;
        self.commit_ids(task, family, ids);
        Ok(())
    }

    fn set_three(&mut self, task: Idx<Task>, family: Family, wanted: [u32; 3]) -> Result<(), Denial> {
        let real = self.wanted_id(task, family, wanted[0])?;
        let effective = self.wanted_id(task, family, wanted[1])?;
        let saved = self.wanted_id(task, family, wanted[2])?;
        let old = self.cred_of(task).ids(family);
        let own = [old.real, old.effective, old.saved];
        // __sys_setresuid: what changes nothing needs nothing, and leaves the filesystem id.
        let same = real.is_none_or(|id| id == old.real)
            && effective.is_none_or(|id| id == old.effective && id == old.filesystem)
            && saved.is_none_or(|id| id == old.saved);
        if same {
            return Ok(());
        }
        let capable = self.setid_capable(task, family);
        // setresuid(2) EPERM: only to an id held already.
        let held = [real, effective, saved].into_iter().flatten().all(|id| own.contains(&id));
        self.refuse_if(!capable && !held, Rule::SetidPermission)?;
        let effective = effective.unwrap_or(old.effective);
        let ids = Ids {
            real: real.unwrap_or(old.real),
            effective,
            saved: saved.unwrap_or(old.saved),
            filesystem: effective,
        };
        self.commit_ids(task, family, ids);
        Ok(())
    }

    /// Never fails: an id that may not be set is not set. Returns the old id.
    fn set_fs_id(&mut self, task: Idx<Task>, family: Family, id: u32) -> u32 {
        let ids = self.cred_of(task).ids(family);
        let ns = self.current_user_ns(task);
        let old = match family {
            Family::User => self.kuid_seen_from(ns, ids.filesystem),
            Family::Group => self.kgid_seen_from(ns, ids.filesystem),
        };
        let wanted = match family {
            Family::User => self.make_kuid(ns, id),
            Family::Group => self.make_kgid(ns, id),
        };
        if let Some(wanted) = wanted {
            let own = [ids.real, ids.effective, ids.saved, ids.filesystem].contains(&wanted);
            if own || self.setid_capable(task, family) {
                let filesystem = wanted;
                if family == Family::User {
                    self.cap_fix_setfsuid(task, wanted);
                }
                self.commit_ids(task, family, Ids { filesystem, ..ids });
            }
        }
        old
    }

    /// setuid(2).
    pub fn setuid(&mut self, caller: TaskId, uid: u32) -> Result<(), Denial> {
        let task = self.enter(caller, Call::SetUid)?;
        self.set_one(task, Family::User, uid)
    }

    /// setgid(2).
    pub fn setgid(&mut self, caller: TaskId, gid: u32) -> Result<(), Denial> {
        let task = self.enter(caller, Call::SetGid)?;
        self.set_one(task, Family::Group, gid)
    }

    /// setreuid(2); `u32::MAX` leaves an id as it is.
    pub fn setreuid(&mut self, caller: TaskId, uid: u32, euid: u32) -> Result<(), Denial> {
        let task = self.enter(caller, Call::SetReUid)?;
        self.set_pair(task, Family::User, uid, euid)
    }

    /// setregid(2); `u32::MAX` leaves an id as it is.
    pub fn setregid(&mut self, caller: TaskId, gid: u32, egid: u32) -> Result<(), Denial> {
        let task = self.enter(caller, Call::SetReGid)?;
        self.set_pair(task, Family::Group, gid, egid)
    }

    /// setresuid(2); `u32::MAX` leaves an id as it is.
    pub fn setresuid(&mut self, caller: TaskId, uid: u32, euid: u32, suid: u32) -> Result<(), Denial> {
        let task = self.enter(caller, Call::SetResUid)?;
        self.set_three(task, Family::User, [uid, euid, suid])
    }

    /// setresgid(2); `u32::MAX` leaves an id as it is.
    pub fn setresgid(&mut self, caller: TaskId, gid: u32, egid: u32, sgid: u32) -> Result<(), Denial> {
        let task = self.enter(caller, Call::SetResGid)?;
        self.set_three(task, Family::Group, [gid, egid, sgid])
    }

    /// setfsuid(2).
    pub fn setfsuid(&mut self, caller: TaskId, uid: u32) -> Result<u32, Denial> {
        let task = self.enter(caller, Call::SetFsUid)?;
        Ok(self.set_fs_id(task, Family::User, uid))
    }

    /// setfsgid(2).
    pub fn setfsgid(&mut self, caller: TaskId, gid: u32) -> Result<u32, Denial> {
        let task = self.enter(caller, Call::SetFsGid)?;
        Ok(self.set_fs_id(task, Family::Group, gid))
    }

    /// setgroups(2).
    pub fn setgroups(&mut self, caller: TaskId, groups: &[u32]) -> Result<(), Denial> {
        let task = self.enter(caller, Call::SetGroups)?;
        let ns = self.current_user_ns(task);
        let target = &self.user_ns[ns];
        // user_namespaces(7): CAP_SETGID, a group map, and not denied.
        let allowed =
            self.ns_capable(task, ns, Cap::Setgid) && !target.gid_map.is_empty() && target.setgroups_allowed;
        self.refuse_if(!allowed, Rule::SetgroupsCall)?;
        // setgroups(2) EINVAL: too many.
        self.refuse_if(groups.len() > NGROUPS_MAX, Rule::SetgroupsTooMany)?;
        let mapped: Option<alloc::vec::Vec<Kgid>> =
            groups.iter().map(|group| self.make_kgid(ns, *group)).collect();
        // setgroups(2) EINVAL: a group without a mapping.
        self.refuse_if(mapped.is_none(), Rule::SetgroupsUnmapped)?;
        if let Some(mut groups) = mapped {
            // groups_sort: kept in order, so that they are found fast.
            groups.sort_unstable();
            let mut new = self.prepare_creds(task);
            new.groups = groups.into();
            self.commit_creds(task, new);
        }
        Ok(())
    }

    /// The soft limit of a task.
    pub fn rlimit(&self, task: TaskId, resource: Resource) -> Result<u64, Denial> {
        let task = self.observe(task)?;
        Ok(self.signal_of(task).rlimits.soft[resource as usize])
    }

    /// prlimit(2) on `pid` (0 for the caller): a new soft limit, and a new hard one
    /// for the number of tasks and descriptors.
    pub fn prlimit(
        &mut self,
        caller: TaskId,
        pid: i32,
        resource: Resource,
        soft: u64,
        hard: u64,
    ) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Prlimit)?;
        let target = if pid == 0 { task } else { self.task_by_vpid(task, i64::from(pid))? };
        // prlimit(2) EPERM: all ids equal, or CAP_SYS_RESOURCE in the target's user namespace.
        self.check_prlimit_permission(task, target)?;
        // prlimit(2) EINVAL: soft above hard.
        self.refuse_if(soft > hard, Rule::RlimitUnknown)?;
        let group = self.tasks[target].signal;
        let limits = &self.signals[group].rlimits;
        let old_hard = match resource {
            Resource::Nproc => limits.nproc_max,
            Resource::Nofile => limits.nofile_max,
            _ => RLIM_INFINITY,
        };
        // prlimit(2) EPERM: raising the hard limit.
        let raises = hard > old_hard && !self.capable(task, Cap::SysResource);
        self.refuse_if(raises, Rule::RlimitPermission)?;
        let limits = &mut self.signals[group].rlimits;
        limits.soft[resource as usize] = soft;
        match resource {
            Resource::Nproc => limits.nproc_max = hard,
            Resource::Nofile => limits.nofile_max = hard,
            _ => {}
        }
        Ok(())
    }

    fn check_prlimit_permission(&self, task: Idx<Task>, target: Idx<Task>) -> Result<(), Denial> {
        if task == target {
            return Ok(());
        }
        let own = self.cred_of(task);
        let theirs = self.cred_of(target);
        let same = [theirs.uid, theirs.euid, theirs.suid] == [own.uid; 3]
            && [theirs.gid, theirs.egid, theirs.sgid] == [own.gid; 3];
        let allowed = same || self.ns_capable(task, theirs.user_ns, Cap::SysResource);
        // prlimit(2) EPERM: all ids the same, or CAP_SYS_RESOURCE.
        self.refuse_if(!allowed, Rule::RlimitTarget)
    }

    /// setpgid(2): 0 stands for the caller, or for the process's own number.
    pub fn setpgid(&mut self, caller: TaskId, pid: i32, pgid: i32) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Setpgid)?;
        // setpgid(2) EINVAL: no negative group.
        self.refuse_if(pgid < 0, Rule::SetpgidNegative)?;
        let ns = self.task_active_pid_ns(task);
        let own_leader = self.signal_of(task).leader;
        let target = if pid == 0 { Some(own_leader) } else { self.find_task_by_vpid(task, i64::from(pid)) };
        // setpgid(2) EINVAL: a thread.
        let thread = target.is_some_and(|target| !self.is_leader(target));
        self.refuse_if(thread, Rule::SetpgidThread)?;
        // setpgid(2) ESRCH: the caller or one of its children.
        let target = target.filter(|target| {
            let parent = self.tasks[*target].real_parent;
            let child = parent.is_some_and(|p| self.tasks[p].signal == self.tasks[task].signal);
            self.is_leader(*target) && (*target == own_leader || child)
        });
        self.refuse_if(target.is_none(), Rule::SetpgidTarget)?;
        let target = target.unwrap_or(own_leader);
        let own_session = self.signal_of(task).session;
        let elsewhere = self.signal_of(target).session != own_session;
        // setpgid(2) EPERM: a child in another session.
        self.refuse_if(target != own_leader && elsewhere, Rule::SetpgidSession)?;
        // setpgid(2) EACCES: a child that has executed is on its own.
        let executed = target != own_leader && self.tasks[target].executed;
        self.refuse_if(executed, Rule::SetpgidExecuted)?;
        let theirs = *self.signal_of(target);
        let target_pid = self.tasks[target].pid;
        let group = if pgid == 0 { Some(target_pid) } else { self.find_pid_ns(pgid.unsigned_abs(), ns) };
        let group_ok = group.is_some_and(|group| {
            group == target_pid
                || self
                    .group_members(group)
                    .next()
                    .is_some_and(|member| self.signals[member].session == own_session)
        });
        // setpgid(2) EPERM: never for a session leader or across sessions.
        let denied = theirs.session != own_session || theirs.session == target_pid || !group_ok;
        self.refuse_if(denied, Rule::SetpgidSession)?;
        if let Some(group) = group
            && group != theirs.pgrp
        {
            self.change_group(self.tasks[target].signal, group);
            self.detach_pid(theirs.pgrp);
            self.run_deferred();
        }
        Ok(())
    }

    /// setsid(2). Returns the session's number as the caller sees it.
    pub fn setsid(&mut self, caller: TaskId) -> Result<u32, Denial> {
        let task = self.enter(caller, Call::Setsid)?;
        let signal = self.tasks[task].signal;
        let own = self.tasks[self.signals[signal].leader].pid;
        // setsid(2) EPERM: the caller's number is a process group's already.
        let taken = self.pids[own].first_in_group.is_some();
        self.refuse_if(taken, Rule::SetsidLeader)?;
        let (pgrp, session) = (self.signals[signal].pgrp, self.signals[signal].session);
        self.change_group(signal, own);
        self.attach_pid(own);
        self.signals[signal].session = own;
        self.detach_pid(pgrp);
        self.detach_pid(session);
        self.run_deferred();
        Ok(self.pid_vnr(task, own))
    }
}
