//! Building a state that no sequence of calls led to: for hosts that load one from
//! a running system. Nothing here asks for permission. What no kernel could have come
//! to is refused, with the rule that keeps it from coming there.

mod task;
mod tree;

pub use tree::HostMount;

use crate::Kernel;
use crate::arena::Idx;
use crate::capability::{Cap, CapSet};
use crate::cgroup::CgroupNamespace;
use crate::cred::{Cred, Kgid, Kuid};
use crate::fork::Parts;
use crate::idmap::{Extent, IdMap, MapKind};
use crate::ipc::IpcNamespace;
use crate::mount::{MntNamespace, Path};
use crate::net::NetNamespace;
use crate::ns_common::{NsCommon, NsId, NsKind, NsRef};
use crate::nsproxy::NsProxy;
use crate::pid_namespace::PidNamespace;
use crate::rule::{Denial, Rule};
use crate::task::{Fs, RLIM_INFINITY, Task, TaskId};
use crate::time_namespace::TimeNamespace;
use crate::uapi::MAX_PID_NS_LEVEL;
use crate::ucount::UCOUNT_MAX;
use crate::user_namespace::{DEEPEST_PARENT, UserNamespace};
use crate::utsname::UtsNamespace;
use alloc::vec::Vec;

/// Credentials as a host reads them, in global ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Real, effective, saved, filesystem user id.
    pub uids: [Kuid; 4],
    /// Real, effective, saved, filesystem group id.
    pub gids: [Kgid; 4],
    /// Supplementary groups.
    pub groups: Vec<Kgid>,
    /// Inheritable, permitted, effective, bounding, ambient.
    pub caps: [CapSet; 5],
    /// Securebits.
    pub securebits: u32,
    /// `no_new_privs`
    pub no_new_privs: bool,
    /// Whether its user may look into it.
    pub dumpable: bool,
}

/// Where a task is: one namespace of each kind. What is `None` is taken from the
/// parent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    namespaces: [Option<NsId>; 8],
    pid_for_children: Option<NsId>,
    time_for_children: Option<NsId>,
}

impl Placement {
    /// The same, in this namespace.
    #[must_use]
    pub fn within(mut self, ns: NsId) -> Self {
        self.namespaces[ns.kind() as usize] = Some(ns);
        self
    }

    /// The same, with this pid or time namespace for children.
    #[must_use]
    pub fn for_children(mut self, ns: NsId) -> Self {
        match ns.kind() {
            NsKind::Time => self.time_for_children = Some(ns),
            _ => self.pid_for_children = Some(ns),
        }
        self
    }
}

impl Kernel {
    fn known_ns(&self, ns: NsId) -> Result<NsRef, Denial> {
        self.resolve_ns(ns).ok_or_else(|| self.params.denial(Rule::HandleBad))
    }

    fn known_user_ns(&self, ns: NsId) -> Result<Idx<UserNamespace>, Denial> {
        match self.known_ns(ns)? {
            NsRef::User(user_ns) => Ok(user_ns),
            _ => Err(self.params.denial(Rule::HandleBad)),
        }
    }

    /// A new namespace, held by the host until [`Kernel::host_release`]. `owner` is its
    /// user namespace (a user namespace's parent), `uid` whom it is charged to;
    /// `parent` is for pid namespaces, and its owner is `owner` or above. Limits are not
    /// looked at, but for the depth.
    pub fn host_namespace(
        &mut self,
        kind: NsKind,
        owner: NsId,
        uid: Kuid,
        parent: Option<NsId>,
    ) -> Result<NsId, Denial> {
        let owner = self.known_user_ns(owner)?;
        let parent = match parent {
            Some(parent) => match self.known_ns(parent)? {
                NsRef::Pid(parent) => parent,
                _ => return Err(self.params.denial(Rule::HandleBad)),
            },
            None => self.init_pid_ns,
        };
        self.host_fits(kind, owner, parent)?;
        let charged = self.charge_unlimited(owner, uid, kind);
        let common = self.ns_common_init(owner, charged);
        let ns = self.host_body(kind, common, parent, uid);
        self.host_refs.push(ns);
        Ok(self.ns_id(ns))
    }

    /// Whether a new namespace may have this owner, and this parent if it is one of pids.
    fn host_fits(
        &self,
        kind: NsKind,
        owner: Idx<UserNamespace>,
        parent: Idx<PidNamespace>,
    ) -> Result<(), Denial> {
        let related = self.in_userns(self.ruling_user_ns(NsRef::Pid(parent)), owner);
        let refused = match kind {
            NsKind::User if self.user_ns[owner].level > DEEPEST_PARENT => Rule::UserNsLevel,
            NsKind::Pid if self.pid_ns[parent].level >= MAX_PID_NS_LEVEL => Rule::PidNsLevel,
            NsKind::Pid if !related => Rule::PidNsOwner,
            _ => return Ok(()),
        };
        Err(self.params.denial(refused))
    }

    fn host_body(&mut self, kind: NsKind, common: NsCommon, parent: Idx<PidNamespace>, uid: Kuid) -> NsRef {
        let init = self.signals[self.first_signal].leader;
        let first = self.init_namespaces;
        match kind {
            NsKind::User => {
                let level = common.owner.map_or(0, |owner| self.user_ns[owner].level + 1);
                NsRef::User(self.user_ns.insert(UserNamespace {
                    common,
                    level,
                    owner: uid,
                    uid_map: IdMap::default(),
                    gid_map: IdMap::default(),
                    projid_map: IdMap::default(),
                    setgroups_allowed: true,
                    parent_could_setfcap: true,
                    ucount_max: [UCOUNT_MAX; 8],
                    rlimit_max: [RLIM_INFINITY; 4],
                }))
            }
            NsKind::Mnt => {
                let old = self.mnt_ns[first.mnt].root;
                let root = self.mounts[old].root;
                let pairs = self.host_copy_mounts(old, root);
                let nr_mounts = u32::try_from(pairs.len()).unwrap_or(u32::MAX);
                let ns = self.mnt_ns.insert(MntNamespace { common, root: pairs[0], nr_mounts, anon: false });
                for mnt in pairs {
                    self.mounts[mnt].ns = Some(ns);
                }
                NsRef::Mnt(ns)
            }
            NsKind::Uts => {
                NsRef::Uts(self.uts_ns.insert(UtsNamespace { common, ..self.uts_ns[first.uts].clone() }))
            }
            NsKind::Ipc => NsRef::Ipc(self.ipc_ns.insert(IpcNamespace::new(common, (0, 0)))),
            NsKind::Pid => NsRef::Pid(self.empty_pid_namespace(common, parent)),
            NsKind::Cgroup => {
                let root = self.tasks[init].cgroup;
                self.cgroups[root].count += 1;
                NsRef::Cgroup(self.cgroup_ns.insert(CgroupNamespace { common, root }))
            }
            NsKind::Net => NsRef::Net(self.net_ns.insert(NetNamespace::new(common))),
            NsKind::Time => NsRef::Time(self.time_ns.insert(TimeNamespace {
                common,
                frozen: true,
                ..self.time_ns[first.time]
            })),
        }
    }

    /// The host lets go of the namespaces it made: from here on they live as long as
    /// something in the kernel holds them.
    pub fn host_release(&mut self) {
        for ns in core::mem::take(&mut self.host_refs) {
            self.put_ns(ns);
        }
    }

    /// A new child of `parent` in these namespaces, with these numbers (deepest pid
    /// namespace first; none for the next free ones) and credentials. Its pid namespace
    /// is its parent's or below.
    pub fn host_spawn(
        &mut self,
        parent: TaskId,
        placement: &Placement,
        numbers: &[i32],
        credentials: &Credentials,
    ) -> Result<TaskId, Denial> {
        let parent = self.observe(parent)?;
        let gone = self.params.denial(Rule::CallerDead);
        let old = *self.nsproxy_of(parent).ok_or(gone)?;
        let old_fs = self.tasks[parent].fs.ok_or(gone)?;
        let (nsproxy, active, user_ns) = self.place(parent, &old, placement)?;
        let pid = self.alloc_pid(None, active, numbers)?;
        for ns in nsproxy.refs() {
            self.get_ns(ns);
        }
        self.time_ns[nsproxy.time].frozen = true;
        let cred = self.host_cred(user_ns, credentials);
        let fs = self.host_fs(old_fs, &old, &nsproxy);
        let nsproxy = self.nsproxies.insert(nsproxy);
        let cgroup = self.tasks[parent].cgroup;
        let parts = Parts { cred, fs, nsproxy, pid, cgroup };
        let task = self.host_task(parent, 0, parts);
        self.tasks[task].no_new_privs = credentials.no_new_privs;
        if let Some(mm) = self.tasks[task].mm {
            self.get_user_ns(user_ns);
            let of_parent = core::mem::replace(&mut self.mms[mm].user_ns, user_ns);
            self.put_user_ns(of_parent);
            self.mms[mm].dumpable = u8::from(credentials.dumpable);
        }
        Ok(self.task_id(task))
    }

    /// The namespaces of a placement; not counted yet.
    fn place(
        &self,
        parent: Idx<Task>,
        old: &NsProxy,
        placement: &Placement,
    ) -> Result<(NsProxy, Idx<PidNamespace>, Idx<UserNamespace>), Denial> {
        let mut new = NsProxy { count: 1, ..*old };
        let mut user_ns = self.current_user_ns(parent);
        let mut active = old.pid_for_children;
        for ns in placement.namespaces.into_iter().flatten() {
            match self.known_ns(ns)? {
                NsRef::User(ns) => user_ns = ns,
                NsRef::Mnt(ns) => new.mnt = ns,
                NsRef::Uts(ns) => new.uts = ns,
                NsRef::Ipc(ns) => new.ipc = ns,
                NsRef::Cgroup(ns) => new.cgroup = ns,
                NsRef::Net(ns) => new.net = ns,
                NsRef::Pid(ns) => active = ns,
                NsRef::Time(ns) => {
                    new.time = ns;
                    new.time_for_children = ns;
                }
            }
        }
        if !self.in_pidns(self.task_active_pid_ns(parent), active) {
            return Err(self.params.denial(Rule::SetnsPidNotBelow));
        }
        new.pid_for_children = active;
        for ns in [placement.pid_for_children, placement.time_for_children] {
            match ns.map(|ns| self.known_ns(ns)).transpose()? {
                Some(NsRef::Pid(ns)) if self.in_pidns(active, ns) => new.pid_for_children = ns,
                Some(NsRef::Time(ns)) => new.time_for_children = ns,
                Some(_) => return Err(self.params.denial(Rule::HandleBad)),
                None => {}
            }
        }
        Ok((new, active, user_ns))
    }

    fn host_cred(&mut self, user_ns: Idx<UserNamespace>, from: &Credentials) -> Idx<Cred> {
        let [uid, euid, suid, fsuid] = from.uids;
        let [gid, egid, sgid, fsgid] = from.gids;
        let [inheritable, permitted, effective, bset, ambient] = from.caps;
        self.get_user_ns(user_ns);
        let ucounts = self.alloc_ucounts(user_ns, uid);
        self.inc_nproc(ucounts);
        self.creds.insert(Cred {
            count: 1,
            uid,
            euid,
            suid,
            fsuid,
            gid,
            egid,
            sgid,
            fsgid,
            groups: from.groups.clone().into(),
            securebits: from.securebits,
            cap_inheritable: inheritable,
            cap_permitted: permitted,
            cap_effective: effective.and(permitted),
            cap_bset: bset,
            cap_ambient: ambient.and(permitted).and(inheritable),
            user_ns,
            ucounts,
        })
    }

    /// Root and working directory: the parent's, or the root of another mount namespace.
    fn host_fs(&mut self, of_parent: Idx<Fs>, old: &NsProxy, new: &NsProxy) -> Idx<Fs> {
        let fs = self.copy_fs_struct(of_parent);
        if old.mnt != new.mnt {
            let top: Path = self.ns_root(new.mnt);
            self.set_fs_root(fs, top);
            self.set_fs_pwd(fs, top);
        }
        fs
    }

    /// Installs an id map; the outside column is in global ids. An empty one takes the
    /// map away. Refused are ranges inside that overlap, or that hold no ids, and more lines
    /// than a map has.
    pub fn host_id_map(&mut self, ns: NsId, kind: MapKind, extents: &[Extent]) -> Result<(), Denial> {
        let ns = self.known_user_ns(ns)?;
        self.check_host_map(extents)?;
        let map = IdMap::install(extents.to_vec());
        let ns = &mut self.user_ns[ns];
        match kind {
            MapKind::Uid => ns.uid_map = map,
            MapKind::Gid => ns.gid_map = map,
            MapKind::Projid => ns.projid_map = map,
        }
        Ok(())
    }

    /// Whether setgroups is allowed in a user namespace, and whether its creator held
    /// `CAP_SETFCAP`.
    pub fn host_user_flags(&mut self, ns: NsId, setgroups: bool, setfcap: bool) -> Result<(), Denial> {
        let ns = self.known_user_ns(ns)?;
        self.user_ns[ns].setgroups_allowed = setgroups;
        self.user_ns[ns].parent_could_setfcap = setfcap;
        Ok(())
    }

    /// The limit on one kind of namespace in a user namespace.
    pub fn host_limit(&mut self, ns: NsId, kind: NsKind, limit: u32) -> Result<(), Denial> {
        let ns = self.known_user_ns(ns)?;
        self.user_ns[ns].ucount_max[kind as usize] = limit.min(UCOUNT_MAX);
        Ok(())
    }

    /// Whether the task holds a capability in a user namespace: the question behind
    /// most rules.
    pub fn host_capable(&self, task: TaskId, ns: NsId, cap: Cap) -> Result<bool, Denial> {
        let task = self.observe(task)?;
        let ns = self.known_user_ns(ns)?;
        Ok(self.ns_capable(task, ns, cap))
    }
}
