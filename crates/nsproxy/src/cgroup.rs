//! Cgroup namespaces over one tree of cgroups of version 2 (`kernel/cgroup/cgroup.c`).
//!
//! Two controllers are modelled, always enabled and disabled together, as
//! `+memory +pids` in `cgroup.subtree_control`: pids, which counts and limits tasks, and
//! memory, of which only this is left that it is a domain controller. With one of those
//! no processes live beside controlled children; pids alone would allow it, as threads do.

mod control;
mod pids;

pub(crate) use pids::PidsCgroup;

use crate::Kernel;
use crate::arena::Idx;
use crate::capability::Cap;
use crate::cred::{Kgid, Kuid};
use crate::file::{Fd, FileKind};
use crate::ns_common::{NsCommon, NsKind, NsRef};
use crate::nsproxy::{Making, NsProxy, NsSet};
use crate::params::Call;
use crate::rule::{Denial, Rule};
use crate::task::{Task, TaskId};
use crate::uapi::CLONE_NEWCGROUP;
use alloc::string::String;
use alloc::vec::Vec;

#[derive(Clone, Debug, Default)]
pub(crate) struct Cgroup {
    /// Tasks, namespaces and descriptors that name it.
    pub(crate) count: u32,
    pub(crate) parent: Option<Idx<Cgroup>>,
    pub(crate) name: String,
    pub(crate) children: Vec<Idx<Cgroup>>,
    /// Owner and group of what is delegated: the directory, `cgroup.procs`, `cgroup.threads`
    /// and `cgroup.subtree_control`.
    pub(crate) owner: (Kuid, Kgid),
    /// Live tasks in it.
    pub(crate) procs: u32,
    /// The pids controller's state of it, or of the nearest above that has one. It has its
    /// own exactly if its parent has controllers enabled for the children. None once it is
    /// removed.
    pub(crate) pids: Option<Idx<PidsCgroup>>,
    /// Whether controllers are enabled for the children.
    pub(crate) subtree_control: bool,
    pub(crate) removed: bool,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CgroupNamespace {
    pub(crate) common: NsCommon,
    pub(crate) root: Idx<Cgroup>,
}

impl Kernel {
    /// The same cgroup namespace, or a new one rooted where the caller is.
    pub(crate) fn copy_cgroup_ns(
        &mut self,
        making: &Making,
        old: Idx<CgroupNamespace>,
    ) -> Result<Idx<CgroupNamespace>, Denial> {
        // Without cgroups the flag is accepted and nothing is made (`cgroup_namespace.h`).
        if making.flags & CLONE_NEWCGROUP == 0 || !self.params.features.built(NsKind::Cgroup) {
            self.cgroup_ns[old].common.count += 1;
            return Ok(old);
        }
        // cgroup_namespaces(7): CAP_SYS_ADMIN, asked for once more.
        let capable = self.ns_capable(making.caller, making.user_ns, Cap::SysAdmin);
        self.refuse_if(!capable, Rule::CgroupNsAdmin)?;
        let common = self.ns_common_new(making, NsKind::Cgroup, Rule::CgroupNsCount)?;
        let root = self.tasks[making.caller].cgroup;
        self.cgroups[root].count += 1;
        Ok(self.cgroup_ns.insert(CgroupNamespace { common, root }))
    }

    /// Drops one reference; the last one ends the namespace.
    pub(crate) fn put_cgroup_ns(&mut self, ns: Idx<CgroupNamespace>) {
        if let Some(dead) = self.cgroup_ns[ns].common.put(NsKind::Cgroup) {
            self.free_cgroup_ns(ns);
            self.release_ns_now(dead);
        }
    }

    fn free_cgroup_ns(&mut self, ns: Idx<CgroupNamespace>) {
        let root = self.cgroup_ns[ns].root;
        self.cgroup_ns.remove(ns);
        self.put_cgroup(root);
    }

    pub(crate) fn cgroupns_install(
        &mut self,
        caller: Idx<Task>,
        set: &mut NsSet,
        target: Idx<CgroupNamespace>,
    ) -> Result<(), Denial> {
        // setns(2) EPERM: CAP_SYS_ADMIN on both sides.
        let allowed = self.may_join(caller, set, NsRef::Cgroup(target));
        self.refuse_if(!allowed, Rule::SetnsCgroupAdmin)?;
        if set.nsproxy.cgroup != target {
            self.get_ns(NsRef::Cgroup(target));
            let old = core::mem::replace(&mut set.nsproxy.cgroup, target);
            self.put_cgroup_ns(old);
        }
        Ok(())
    }

    pub(crate) fn put_cgroup(&mut self, cgroup: Idx<Cgroup>) {
        self.cgroups[cgroup].count -= 1;
        if self.cgroups[cgroup].count == 0 && self.cgroups[cgroup].removed {
            self.cgroups.remove(cgroup);
        }
    }

    fn ancestors(&self, cgroup: Idx<Cgroup>) -> impl Iterator<Item = Idx<Cgroup>> {
        core::iter::successors(Some(cgroup), |at| self.cgroups[*at].parent)
    }

    /// Where the child will live, and whether it may.
    pub(crate) fn cgroup_can_fork(
        &self,
        parent: Idx<Task>,
        into: Option<Fd>,
        thread: bool,
    ) -> Result<Idx<Cgroup>, Denial> {
        let cgroup = match into {
            None => self.tasks[parent].cgroup,
            Some(fd) => self.cgroup_css_set_fork(parent, fd, thread)?,
        };
        // cgroups(7) pids: EAGAIN when some level is full.
        let full = self.pids_full(self.cgroups[cgroup].pids);
        self.refuse_if(full, Rule::PidsLimit)?;
        Ok(cgroup)
    }

    /// The cgroup asked for with `CLONE_INTO_CGROUP`.
    #[inline(never)]
    fn cgroup_css_set_fork(&self, parent: Idx<Task>, fd: Fd, thread: bool) -> Result<Idx<Cgroup>, Denial> {
        let own = self.tasks[parent].cgroup;
        // clone(2) CLONE_INTO_CGROUP EBADF: no such descriptor.
        let bad = self.params.denial(Rule::IntoCgroupBadFd);
        let file = self.fget(parent, fd).map_err(|_| bad)?;
        // clone(2) CLONE_INTO_CGROUP: EBADF unless it is a cgroup directory.
        let FileKind::Cgroup(cgroup) = self.files_open[file].kind else {
            return Err(bad);
        };
        // clone(2): ENOENT for a removed cgroup.
        let gone = self.cgroups[cgroup].removed;
        self.refuse_if(gone, Rule::IntoCgroupGone)?;
        // clone(2) EACCES: cgroup.procs here and at the common ancestor.
        let allowed = self.may_migrate(parent, own, cgroup);
        self.refuse_if(!allowed, Rule::IntoCgroupAccess)?;
        // cgroup_namespaces(7) nsdelegate: both ends below the namespace root.
        let outside = self.crosses_delegation(parent, own, cgroup);
        self.refuse_if(outside, Rule::IntoCgroupDelegation)?;
        let internal = self.cgroups[cgroup].subtree_control && self.cgroups[cgroup].parent.is_some();
        // cgroups(7), "no internal processes": EBUSY beside controlled children.
        self.refuse_if(internal, Rule::IntoCgroupBusy)?;
        // cgroups(7): the threads of a process stay in one domain.
        self.refuse_if(thread && cgroup != own, Rule::IntoCgroupThread)?;
        Ok(cgroup)
    }

    fn owns_cgroup(&self, task: Idx<Task>, cgroup: Idx<Cgroup>) -> bool {
        self.may_write_cgroup_file(task, self.cgroups[cgroup].owner)
    }

    fn may_write_cgroup_file(&self, task: Idx<Task>, (uid, gid): (Kuid, Kgid)) -> bool {
        self.cred_of(task).fsuid == uid || self.capable_wrt_inode(task, uid, gid, Cap::DacOverride)
    }

    /// Whose the files are that a task makes (`cgroup_kn_set_ugid`).
    fn cgroup_owner(&self, task: Idx<Task>) -> (Kuid, Kgid) {
        let cred = self.cred_of(task);
        (cred.fsuid, cred.fsgid)
    }

    fn crosses_delegation(&self, task: Idx<Task>, from: Idx<Cgroup>, to: Idx<Cgroup>) -> bool {
        let root = self.cgroup_ns[self.current_nsproxy(task).cgroup].root;
        let below = |at: Idx<Cgroup>| self.ancestors(at).any(|above| above == root);
        self.params.features.nsdelegate && !(below(from) && below(to))
    }

    fn may_migrate(&self, task: Idx<Task>, from: Idx<Cgroup>, to: Idx<Cgroup>) -> bool {
        let above: Vec<Idx<Cgroup>> = self.ancestors(from).collect();
        let common = self.ancestors(to).find(|at| above.contains(at));
        self.owns_cgroup(task, to) && common.is_none_or(|common| self.owns_cgroup(task, common))
    }

    /// The child is counted; a new cgroup namespace gets its final place as root.
    pub(crate) fn cgroup_post_fork(&mut self, cgroup: Idx<Cgroup>, new_root: Option<Idx<NsProxy>>) {
        self.join_cgroup(cgroup);
        if let Some(nsproxy) = new_root {
            let ns = self.nsproxies[nsproxy].cgroup;
            self.cgroups[cgroup].count += 1;
            let old = core::mem::replace(&mut self.cgroup_ns[ns].root, cgroup);
            self.put_cgroup(old);
        }
    }

    fn join_cgroup(&mut self, cgroup: Idx<Cgroup>) {
        let Cgroup { count, procs, pids, .. } = &mut self.cgroups[cgroup];
        *count += 1;
        *procs += 1;
        let pids = *pids;
        self.pids_charge(pids);
    }

    pub(crate) fn cgroup_exit(&mut self, task: Idx<Task>) {
        let cgroup = self.tasks[task].cgroup;
        self.cgroups[cgroup].procs -= 1;
    }

    /// A task is reaped.
    pub(crate) fn cgroup_release(&mut self, cgroup: Idx<Cgroup>, pids: Option<Idx<PidsCgroup>>) {
        self.pids_uncharge(pids);
        self.put_cgroup(cgroup);
    }

    /// The cgroup at a path as the caller's cgroup namespace shows it.
    fn find_cgroup(&self, task: Idx<Task>, path: &str) -> Result<Idx<Cgroup>, Denial> {
        let mut at = self.cgroup_ns[self.current_nsproxy(task).cgroup].root;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let next = if name == ".." {
                self.cgroups[at].parent
            } else {
                let children = &self.cgroups[at].children;
                children.iter().copied().find(|child| self.cgroups[*child].name == name)
            };
            // path_resolution(7) ENOENT.
            at = next.ok_or_else(|| self.params.denial(Rule::CgroupMissing))?;
        }
        Ok(at)
    }

    /// mkdir in a cgroup filesystem; the path is relative to the caller's namespace root.
    pub fn cgroup_mkdir(&mut self, caller: TaskId, path: &str) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Mkdir)?;
        let path = path.trim_end_matches('/');
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parent = self.find_cgroup(task, above)?;
        // mkdir(2) EINVAL, EEXIST.
        let odd = name.is_empty() || name.contains(['\n', '\0']) || name == "..";
        self.refuse_if(odd, Rule::CgroupName)?;
        let taken = self.find_cgroup(task, path).is_ok();
        self.refuse_if(taken, Rule::CgroupExists)?;
        // mkdir(2) EACCES: the directory's owner.
        let allowed = self.owns_cgroup(task, parent);
        self.refuse_if(!allowed, Rule::CgroupAccess)?;
        let owner = self.cgroup_owner(task);
        let Cgroup { pids, subtree_control, .. } = self.cgroups[parent];
        let pids = if subtree_control { Some(self.pids_css_alloc(pids, owner)) } else { pids };
        let child = self.cgroups.insert(Cgroup {
            parent: Some(parent),
            name: String::from(name),
            owner,
            pids,
            ..Cgroup::default()
        });
        self.cgroups[parent].children.push(child);
        Ok(())
    }

    /// rmdir in a cgroup filesystem.
    pub fn cgroup_rmdir(&mut self, caller: TaskId, path: &str) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Mkdir)?;
        let cgroup = self.find_cgroup(task, path)?;
        let Cgroup { procs, parent, ref children, .. } = self.cgroups[cgroup];
        let allowed = parent.is_none_or(|parent| self.owns_cgroup(task, parent));
        // rmdir(2) EACCES: the parent directory's owner.
        self.refuse_if(!allowed, Rule::CgroupAccess)?;
        // rmdir(2) EBUSY: processes or children.
        let busy = procs > 0 || !children.is_empty() || parent.is_none();
        self.refuse_if(busy, Rule::CgroupInUse)?;
        let Some(parent) = parent else { return Ok(()) };
        if procs > 0 || !self.cgroups[cgroup].children.is_empty() {
            return Ok(());
        }
        self.cgroups[parent].children.retain(|child| *child != cgroup);
        if let Some(pids) = self.own_pids(cgroup) {
            self.pids_css_offline(pids);
        }
        self.cgroups[cgroup].pids = None;
        self.cgroups[cgroup].removed = true;
        self.cgroups[cgroup].count += 1;
        self.put_cgroup(cgroup);
        Ok(())
    }

    /// chown of a cgroup's directory, `cgroup.procs`, `cgroup.threads` and
    /// `cgroup.subtree_control`, by its path: delegation. The files of controllers stay whose
    /// they are.
    pub fn cgroup_chown(&mut self, caller: TaskId, path: &str, owner: u32) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Mkdir)?;
        let cgroup = self.find_cgroup(task, path)?;
        // chown(2): -1 changes nothing.
        if owner == u32::MAX {
            return Ok(());
        }
        let ns = self.current_user_ns(task);
        let owner = self.make_kuid(ns, owner);
        // chown(2) EINVAL: the id has no mapping.
        self.refuse_if(owner.is_none(), Rule::SetidUnmapped)?;
        let (old, group) = self.cgroups[cgroup].owner;
        // chown(2) EPERM: CAP_CHOWN, unless nothing changes.
        let unchanged = owner == Some(old) && self.cred_of(task).fsuid == old;
        let allowed = unchanged || self.capable_wrt_inode(task, old, group, Cap::Chown);
        self.refuse_if(!allowed, Rule::CgroupChown)?;
        self.cgroups[cgroup].owner.0 = owner.unwrap_or(old);
        Ok(())
    }

    /// Writes a number to `cgroup.procs`: the whole process moves.
    pub fn cgroup_move(&mut self, caller: TaskId, path: &str, pid: i32) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Write)?;
        self.check_free_fd(task)?;
        let to = self.find_cgroup(task, path)?;
        // open(2) EACCES: the file is opened before anybody is looked for.
        let writable = self.owns_cgroup(task, to);
        self.refuse_if(!writable, Rule::CgroupAccess)?;
        let target = if pid == 0 { task } else { self.task_by_vpid(task, i64::from(pid))? };
        let from = self.tasks[target].cgroup;
        // cgroups(7): the files here and at the common ancestor.
        let allowed = self.may_migrate(task, from, to);
        self.refuse_if(!allowed, Rule::CgroupAccess)?;
        // cgroup_namespaces(7) nsdelegate: both ends below the namespace root.
        let outside = self.crosses_delegation(task, from, to);
        self.refuse_if(outside, Rule::CgroupDelegation)?;
        // cgroups(7): no processes beside controlled children.
        let internal = self.cgroups[to].subtree_control && self.cgroups[to].parent.is_some();
        self.refuse_if(internal, Rule::CgroupInternal)?;
        for thread in self.threads(target) {
            if self.is_alive(thread) {
                let old = core::mem::replace(&mut self.tasks[thread].cgroup, to);
                let pids = self.cgroups[to].pids;
                let old_pids = core::mem::replace(&mut self.tasks[thread].pids, pids);
                self.join_cgroup(to);
                self.cgroups[old].procs -= 1;
                self.cgroup_release(old, old_pids);
            }
        }
        Ok(())
    }

    /// Opens a cgroup directory, for `CLONE_INTO_CGROUP`.
    pub fn open_cgroup(&mut self, caller: TaskId, path: &str) -> Result<Fd, Denial> {
        let task = self.enter(caller, Call::Open)?;
        self.check_free_fd(task)?;
        let cgroup = self.find_cgroup(task, path)?;
        self.cgroups[cgroup].count += 1;
        self.open_file(task, FileKind::Cgroup(cgroup), true)
    }

    /// `/proc/PID/cgroup` of `task` as `reader` sees it.
    pub fn cgroup_path(&self, reader: TaskId, task: TaskId) -> Result<String, Denial> {
        let reader = self.observe(reader)?;
        let task = self.observe(task)?;
        let ns = self.nsproxy_of(reader).ok_or_else(|| self.params.denial(Rule::LinkGone))?.cgroup;
        Ok(self.cgroup_path_from(self.cgroup_ns[ns].root, self.tasks[task].cgroup))
    }

    /// The root of a task's cgroup namespace, as a path from the first one's: for
    /// hosts.
    pub fn cgroup_root(&self, task: TaskId) -> Result<String, Denial> {
        let task = self.observe(task)?;
        let ns = self.nsproxy_of(task).ok_or_else(|| self.params.denial(Rule::LinkGone))?.cgroup;
        let first = self.cgroup_ns[self.init_namespaces.cgroup].root;
        Ok(self.cgroup_path_from(first, self.cgroup_ns[ns].root))
    }

    /// The path from one cgroup to another, with `/..` for each step up.
    fn cgroup_path_from(&self, root: Idx<Cgroup>, to: Idx<Cgroup>) -> String {
        let down: Vec<Idx<Cgroup>> = self.ancestors(to).collect();
        let mut path = String::new();
        let mut shared = None;
        for at in self.ancestors(root) {
            if let Some(depth) = down.iter().position(|below| *below == at) {
                shared = Some(depth);
                break;
            }
            path.push_str("/..");
        }
        for at in down[..shared.unwrap_or(0)].iter().rev() {
            path.push('/');
            path.push_str(&self.cgroups[*at].name);
        }
        if path.is_empty() {
            path.push('/');
        }
        path
    }
}
