//! From what was read to a kernel that can be asked.

use std::cell::RefCell;

use nsproxy::{
    Cap, CapSet, Credentials as ModelCredentials, Denial, Extent, Hook, HostMount, Kernel, MapKind, Mutation,
    NsId, NsKind, NsLink, Params, Placement, Release, Resource, Rule, TaskId,
};

use super::state::{
    FIRST_USER, FsOwner, MountEntry, OVERFLOW, Owner, Relative, Seen, State, Target, below_covers,
};
use super::tree::{covers_kernel_files, host_mount};
use crate::errno::Errno;
use crate::idmap;
use crate::kind::Kind;
use crate::process::Credentials;

/// What is supposed about what can't be seen, and what would be different after a remedy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Assumed {
    /// The own user namespace is as deep as they go.
    pub(super) deep_user: bool,
    /// The same for the pid namespace.
    pub(super) deep_pid: bool,
    /// The limit on a kind is reached in the own user namespace.
    pub(super) full_here: Option<Kind>,
    /// The limit on a kind is reached in a user namespace above.
    pub(super) full_above: Option<Kind>,
    /// The root is not that of the mount namespace.
    pub(super) chrooted: bool,
    /// Somebody shares root and working directory.
    pub(super) shared_fs: bool,
    /// `RLIMIT_NPROC` is reached, here or further up.
    pub(super) nproc: bool,
    /// `kernel.threads-max` is reached.
    pub(super) threads_max: bool,
    /// The creator of the own user namespace lacked `CAP_SETFCAP`.
    pub(super) no_setfcap: bool,
    /// The own id is not the owner's.
    pub(super) other_owner: bool,
    /// Somebody has entered the time namespace for children.
    pub(super) frozen: bool,
    /// Another process shares the memory, or the signal handlers too.
    pub(super) shared_memory: bool,
    pub(super) shared_handlers: bool,
    /// A process whose user namespace can't be read is in another than it seems.
    pub(super) target_elsewhere: bool,
    /// And may be looked into by setns, as the real ids are others.
    pub(super) target_open: bool,
    /// The init of the pid namespace for children has ended.
    pub(super) dead_init: bool,
    /// Mounts came from a more privileged mount namespace.
    pub(super) locked_mounts: bool,
    /// File systems were mounted from the own user namespace.
    pub(super) own_filesystems: bool,
    /// As many mounts as there may be.
    pub(super) mount_max: bool,
    /// What can't be read of a process is the caller's.
    pub(super) target_granted: bool,
    /// Something outside the rules refuses.
    pub(super) hook: Option<(Hook, nsproxy::Errno)>,
    /// After a remedy.
    pub(super) remedied: Remedied,
}

/// What remedies change.
#[allow(clippy::struct_excessive_bools)] // Each is one remedy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Remedied {
    /// The limit on a kind is raised everywhere.
    pub(super) limits: bool,
    /// The caller's root is that of its mount namespace.
    pub(super) no_chroot: bool,
    /// The caller's ids are mapped.
    pub(super) mapped: bool,
    /// The caller is alone in its process and shares nothing.
    pub(super) alone: bool,
    /// The caller's children go where it is.
    pub(super) no_pending: bool,
    /// The caller is root of the first user namespace.
    pub(super) root: bool,
    /// Nothing covers the files of proc and sysfs.
    pub(super) uncovered: bool,
    /// No mount is shared.
    pub(super) private: bool,
    /// Nothing is mounted twice the sysctl.
    pub(super) mount_max: bool,
    /// `kernel.unprivileged_userns_clone` is 1.
    pub(super) userns_clone: bool,
}

/// Ids that stand for those of others, which no map contains.
const FOREIGN_UID: u32 = 4_000_000_001;
const UNMAPPED: u32 = 4_000_000_002;

/// A kernel in which the caller stands as it does on this machine.
#[derive(Debug)]
pub(super) struct Model<'a> {
    pub(super) kernel: Kernel,
    pub(super) me: TaskId,
    state: &'a State,
    filesystems: &'a [(String, FsOwner)],
    /// The caller's user namespace, and one beside it.
    own: NsId,
    beside: NsId,
    /// One below it.
    child: Option<NsId>,
    first: NsId,
    /// What stands for the namespaces of this machine, by inode number and kind.
    known: RefCell<Vec<(Kind, u64, NsId)>>,
}

pub(super) fn model_kind(kind: Kind) -> NsKind {
    match kind {
        Kind::Cgroup => NsKind::Cgroup,
        Kind::Ipc => NsKind::Ipc,
        Kind::Mnt => NsKind::Mnt,
        Kind::Net => NsKind::Net,
        Kind::Pid => NsKind::Pid,
        Kind::Time => NsKind::Time,
        Kind::User => NsKind::User,
        Kind::Uts => NsKind::Uts,
    }
}

impl<'a> Model<'a> {
    pub(super) fn load(
        state: &'a State,
        filesystems: &'a [(String, FsOwner)],
        assumed: &Assumed,
    ) -> Result<Model<'a>, Denial> {
        let mut kernel = Kernel::boot(params(state, assumed));
        let init = kernel.init();
        let first = first_namespaces(&kernel)?;
        let (parent, own) = user_namespaces(&mut kernel, state, assumed, first.user)?;
        let beside = kernel.host_namespace(NsKind::User, first.user, FOREIGN_UID, None)?;
        let mut model = Model {
            kernel,
            me: init,
            state,
            filesystems,
            own,
            beside,
            child: None,
            first: first.user,
            known: RefCell::default(),
        };
        model.limits(assumed, parent)?;
        model.place(assumed, first)?;
        Ok(model)
    }

    fn limits(&mut self, assumed: &Assumed, parent: Option<NsId>) -> Result<(), Denial> {
        for kind in Kind::ALL {
            let limit = self.state.limit(kind).and_then(|limit| u32::try_from(limit).ok());
            if let Some(limit) = limit.filter(|_| !assumed.remedied.limits) {
                self.kernel.host_limit(self.own, model_kind(kind), limit)?;
            }
        }
        if let Some(kind) = assumed.full_here.filter(|_| !assumed.remedied.limits) {
            self.kernel.host_limit(self.own, model_kind(kind), 0)?;
        }
        if let (Some(kind), Some(parent), false) = (assumed.full_above, parent, assumed.remedied.limits) {
            self.kernel.host_limit(parent, model_kind(kind), 0)?;
        }
        Ok(())
    }

    /// Puts the caller into its namespaces.
    fn place(&mut self, assumed: &Assumed, first: First) -> Result<(), Denial> {
        let state = self.state;
        let home = if assumed.remedied.root { first.user } else { self.own };
        let mut place = Placement::default().within(home);
        let mut root = "/".to_owned();
        let mut active = first.pid;
        for kind in Kind::ALL {
            let Some(inode) = state.inode(kind).filter(|_| kind != Kind::User) else { continue };
            let owner = self.owner(state.owner(kind), first.user)?;
            let mut above = first.pid;
            if kind == Kind::Pid && inode == FIRST_PID {
                place = place.within(first.pid);
                self.know(kind, inode, first.pid);
                continue;
            }
            if kind == Kind::Pid && assumed.deep_pid {
                for _ in 1..nsproxy::uapi::MAX_PID_NS_LEVEL {
                    above = self.kernel.host_namespace(NsKind::Pid, first.user, 0, Some(above))?;
                }
            }
            let ns = self.kernel.host_namespace(model_kind(kind), owner, 0, Some(above))?;
            match kind {
                Kind::Mnt => root = self.mounts(ns, assumed)?,
                Kind::Pid => active = ns,
                _ => {}
            }
            self.know(kind, inode, ns);
            place = place.within(ns);
        }
        let number: &[i32] = if state.is_init && active != first.pid { &[1] } else { &[] };
        if number.is_empty() && active != first.pid {
            // Whoever comes first into a pid namespace is its init.
            let place = Placement::default().within(active);
            self.kernel.host_spawn(self.kernel.init(), &place, &[1], &root_credentials())?;
        }
        let credentials = self.caller(assumed);
        self.me = self.kernel.host_spawn(self.kernel.init(), &place, number, &credentials)?;
        if root != "/" {
            self.kernel.host_root(self.me, &root)?;
        }
        if state.threads() > 1 && !assumed.remedied.alone {
            let thread = self.kernel.host_thread(self.me)?;
            if state.leader_ended {
                self.kernel.exit(self.me, 0)?;
                self.me = thread;
                // Those that are left beside the leader and the caller.
                if state.threads() > 2 {
                    self.kernel.host_thread(thread)?;
                }
            }
        }
        if (state.fs_sharer.is_some() || assumed.shared_fs) && !assumed.remedied.alone {
            self.kernel.host_fs_sharer(self.me)?;
        }
        let handlers = assumed.shared_handlers || state.handlers_shared == Some(true);
        let memory = assumed.shared_memory || state.memory_shared == Some(true);
        if (memory || handlers) && !assumed.remedied.alone {
            self.kernel.host_memory_sharer(self.me, handlers)?;
        }
        if assumed.nproc {
            self.kernel.host_rlimit(self.me, Resource::Nproc, 0)?;
        }
        if state.pid_pending() && !assumed.remedied.no_pending {
            self.pending(active, assumed)?;
        }
        if state.time_for_children != state.inode(Kind::Time) && state.time_for_children.is_some() {
            let ns = self.kernel.host_namespace(NsKind::Time, self.own, 0, None)?;
            self.kernel.host_frozen(ns, assumed.frozen)?;
            self.kernel.host_children(self.me, ns)?;
        }
        Ok(())
    }

    /// The pid namespace that the caller's children go to: without a process yet, with
    /// an init, or with one that has ended.
    fn pending(&mut self, active: NsId, assumed: &Assumed) -> Result<(), Denial> {
        let state = self.state;
        let owner = self.owner(&state.pid_for_children_owner, self.own)?;
        let ns = self.pid_namespace(owner, Some(active))?;
        if let Some(inode) = state.pid_for_children {
            self.know(Kind::Pid, inode, ns);
        }
        if state.pid_for_children.is_some() || assumed.dead_init {
            let root = root_credentials();
            let place = Placement::default().within(ns);
            let init = self.kernel.host_spawn(self.kernel.init(), &place, &[1], &root)?;
            if state.pid_dead || assumed.dead_init {
                self.kernel.exit(init, 0)?;
            }
        }
        self.kernel.host_children(self.me, ns)
    }

    /// A pid namespace. Its owner is below the owner of the one above; where what is known
    /// of it says otherwise, it is that owner itself.
    fn pid_namespace(&mut self, owner: NsId, above: Option<NsId>) -> Result<NsId, Denial> {
        match (self.kernel.host_namespace(NsKind::Pid, owner, 0, above), above) {
            (Err(Denial { rule: Rule::PidNsOwner, .. }), Some(parent)) => {
                let owner = self.kernel.owner_of(parent).map_or(self.own, |owner| owner.id);
                self.kernel.host_namespace(NsKind::Pid, owner, 0, above)
            }
            (made, _) => made,
        }
    }

    /// What stands for the owner of a namespace.
    fn owner(&mut self, owner: &Owner, beyond: NsId) -> Result<NsId, Denial> {
        match owner {
            Owner::Own | Owner::Unknown => Ok(self.own),
            Owner::Beyond => Ok(beyond),
            Owner::Below(way) => self.below(way),
        }
    }

    /// The last of a line of user namespaces below the caller's.
    fn below(&mut self, way: &[Relative]) -> Result<NsId, Denial> {
        let mut at = self.own;
        for relative in way {
            at = if let Some(ns) = self.find(Kind::User, relative.inode) {
                ns
            } else {
                let uid = self.kuid(relative.uid);
                let ns = self.kernel.host_namespace(NsKind::User, at, uid, None)?;
                self.know(Kind::User, relative.inode, ns);
                ns
            };
        }
        Ok(at)
    }

    fn know(&self, kind: Kind, inode: u64, ns: NsId) {
        self.known.borrow_mut().push((kind, inode, ns));
    }

    fn find(&self, kind: Kind, inode: u64) -> Option<NsId> {
        if kind == Kind::User && self.state.inode(kind) == Some(inode) {
            return Some(self.own);
        }
        let known = self.known.borrow();
        known.iter().find(|(of, number, _)| *of == kind && *number == inode).map(|(.., ns)| *ns)
    }

    /// What stands for an id that the caller sees.
    pub(super) fn kuid(&self, uid: u32) -> u32 {
        kid(self.state.is_first(), self.state.uid_map.as_deref(), uid)
    }

    fn kgid(&self, gid: u32) -> u32 {
        kid(self.state.is_first(), self.state.gid_map.as_deref(), gid)
    }

    fn credentials(&self, from: &Credentials) -> ModelCredentials {
        let set = |caps: crate::caps::Capabilities| CapSet::from_bits(caps.bits());
        ModelCredentials {
            uids: from.uids.map(|uid| self.kuid(uid)),
            gids: from.gids.map(|gid| self.kgid(gid)),
            groups: from.groups.iter().map(|gid| self.kgid(*gid)).collect(),
            caps: [from.inheritable, from.permitted, from.effective, from.bounding, from.ambient].map(set),
            securebits: 0,
            no_new_privs: from.no_new_privs,
            dumpable: true,
        }
    }

    fn caller(&self, assumed: &Assumed) -> ModelCredentials {
        if assumed.remedied.root {
            return root_credentials();
        }
        let mut credentials =
            self.state.status.as_ref().map_or_else(root_credentials, |s| self.credentials(s));
        credentials.securebits = self.state.securebits;
        credentials.dumpable = self.state.dumpable;
        if assumed.remedied.mapped {
            credentials.uids = [MAPPED; 4];
            credentials.gids = [MAPPED; 4];
        }
        if assumed.nproc {
            // The root of a user namespace need not be the machine's, who has no limit.
            if !self.state.is_first() && credentials.uids[0] == 0 {
                credentials.uids[0] = UNMAPPED;
            }
            // These are never refused for the number of their processes.
            for cap in [Cap::SysResource, Cap::SysAdmin] {
                if self.state.is_first() {
                    credentials.caps = credentials.caps.map(|caps| caps.without(cap));
                }
            }
        }
        credentials
    }

    fn mounts(&mut self, ns: NsId, assumed: &Assumed) -> Result<String, Denial> {
        let state = self.state;
        let chrooted = state.chroot.is_yes() || assumed.chrooted;
        let own = |mount: &MountEntry| {
            let known = self.filesystems.iter().find(|(device, _)| *device == mount.device);
            match known {
                Some((_, FsOwner::Reached)) => true,
                Some((_, FsOwner::Beyond)) => false,
                _ => assumed.own_filesystems,
            }
        };
        let mut lines: Vec<HostMount> = below_covers(&state.mounts, state.root_mount)
            .into_iter()
            .filter(|mount| !(assumed.remedied.uncovered && covers_kernel_files(mount, &state.mounts)))
            .map(|mount| HostMount { owner: own(mount).then_some(self.own), ..host_mount(mount, assumed) })
            .collect();
        let unread = state.mounts.is_empty() && !chrooted;
        if unread || assumed.remedied.no_chroot && !state.mounts.iter().any(|mount| mount.point == "/") {
            let root = HostMount { mountpoint: "/".to_owned(), root: "/".to_owned(), ..HostMount::default() };
            lines.insert(0, root);
        }
        self.kernel.host_mounts(ns, &lines, chrooted && !assumed.remedied.no_chroot)
    }

    /// Loads a process, once, and answers with what stands for it.
    pub(super) fn target(&mut self, target: &Target, assumed: &Assumed) -> Result<TaskId, Denial> {
        // That it can be opened was seen, whoever it belongs to.
        if target.writable == Some(Ok(())) {
            self.kernel.params_mut().mutations.push(Mutation::Off(Rule::MapOpenAccess));
        }
        if target.is_caller {
            return Ok(self.me);
        }
        if assumed.target_granted && target.namespace(Kind::User).is_none() {
            let granted = [
                Rule::SetgroupsOpen,
                Rule::TimeOffsetsPrivilege,
                Rule::MapOpener,
                Rule::MapAdmin,
                Rule::MapInitNs,
            ];
            self.kernel.params_mut().mutations.extend(granted.map(Mutation::Off));
        }
        let mut place = Placement::default();
        for kind in Kind::ALL {
            let ns = match target.namespace(kind) {
                Some(ns) => self.namespace(ns)?,
                None if kind == Kind::User => self.supposed_user_ns(target, assumed),
                // What has a number here is here, or below.
                None if kind == Kind::Pid => {
                    match self.state.inode(kind).and_then(|own| self.find(kind, own)) {
                        Some(own) => own,
                        None => continue,
                    }
                }
                None => continue,
            };
            place = place.within(ns);
        }
        let credentials = match &target.status {
            Some(status) => self.credentials(status),
            None => ModelCredentials { uids: [FOREIGN_UID; 4], ..root_credentials() },
        };
        let task = self.kernel.host_spawn(self.kernel.init(), &place, &[], &credentials)?;
        self.dumpable(task, target, assumed)?;
        self.time_for_children(task, target, assumed)?;
        if let Some(user) = target.namespace(Kind::User)
            && self.find(Kind::User, user.inode) != Some(self.own)
        {
            let ns = self.namespace(user)?;
            self.maps_of(ns, target)?;
        }
        if target.namespace(Kind::User).is_none() && (target.is_related || assumed.target_granted) {
            let ns = self.supposed_user_ns(target, assumed);
            if ns != self.own && ns != self.first {
                self.maps_of(ns, target)?;
            }
        }
        if target.zombie {
            self.kernel.exit(task, 0)?;
        }
        Ok(task)
    }

    /// Nobody is seen to be in the time namespace that a process has made for its children.
    fn time_for_children(&mut self, task: TaskId, target: &Target, assumed: &Assumed) -> Result<(), Denial> {
        let Some(seen) = target.time_for_children.as_ref().filter(|_| target.time_pending()) else {
            return Ok(());
        };
        let entered = self.find(Kind::Time, seen.inode).is_some();
        let ns = self.namespace(seen)?;
        if !entered {
            self.kernel.host_frozen(ns, assumed.frozen)?;
        }
        self.kernel.host_children(task, ns)
    }

    /// A process's own user owns its files in /proc. If it does not want to be looked into,
    /// a root does: that of the user namespace where it executed its program.
    fn dumpable(&mut self, task: TaskId, target: &Target, assumed: &Assumed) -> Result<(), Denial> {
        let (Some(status), Some(owner)) = (&target.status, target.proc_owner) else { return Ok(()) };
        let first = first_namespaces(&self.kernel)?;
        if status.uids[1] != owner {
            let ns = if owner == OVERFLOW { first.user } else { self.own };
            self.kernel.host_dumpable(task, ns, false)?;
        }
        self.access(target, assumed);
        Ok(())
    }

    /// Whether it may be looked into is seen, whatever the ids say: by its links, and by
    /// kcmp, which asks as setns does.
    fn access(&mut self, target: &Target, assumed: &Assumed) {
        let unread = target.links == Err(Errno::EACCES);
        let joined = target.looked_into.unwrap_or(assumed.target_open || !unread);
        let mut params = self.kernel.params_mut();
        if unread || !joined {
            params.hooks.push((Hook::PtraceAccess, nsproxy::Errno::EPERM));
        }
        if !unread {
            params.mutations.push(Mutation::Off(Rule::PtraceAccess));
        }
        if joined {
            params.mutations.push(Mutation::Off(Rule::SetnsTargetAccess));
        }
    }

    /// The user namespace of a process that may not be asked: its maps tell whether
    /// it can be the caller's.
    fn supposed_user_ns(&mut self, target: &Target, assumed: &Assumed) -> NsId {
        let all = |map: &Option<Vec<idmap::Extent>>| map.iter().flatten().any(|line| line.count == u32::MAX);
        let same = target.uid_map == self.state.uid_map && target.gid_map == self.state.gid_map;
        if target.is_related {
            // Two processes of one show the same maps.
            return if same && !assumed.target_elsewhere { self.own } else { self.child(assumed) };
        }
        if all(&target.uid_map) && all(&target.gid_map) {
            self.first
        } else if target.is_elsewhere(self.state) {
            self.beside
        } else if same != assumed.target_elsewhere {
            self.own
        } else {
            self.beside
        }
    }

    /// A user namespace below the caller's.
    fn child(&mut self, assumed: &Assumed) -> NsId {
        if let Some(child) = self.child {
            return child;
        }
        let caller = self.state.status.as_ref().map_or(0, |status| status.uids[1]);
        let creator = if assumed.other_owner { FOREIGN_UID } else { self.kuid(caller) };
        // There is none below the deepest.
        let made = self.kernel.host_namespace(NsKind::User, self.own, creator, None);
        *self.child.insert(made.unwrap_or(self.beside))
    }

    fn maps_of(&mut self, ns: NsId, target: &Target) -> Result<(), Denial> {
        for (kind, map) in [(MapKind::Uid, &target.uid_map), (MapKind::Gid, &target.gid_map)] {
            let Some(map) = map else { continue };
            let extents: Vec<Extent> = map
                .iter()
                .map(|extent| Extent {
                    first: extent.inside,
                    lower: if kind == MapKind::Uid {
                        self.kuid(extent.outside)
                    } else {
                        self.kgid(extent.outside)
                    },
                    count: extent.count,
                })
                .collect();
            self.kernel.host_id_map(ns, kind, &extents)?;
        }
        self.kernel.host_user_flags(ns, target.setgroups.unwrap_or(true), true)
    }

    /// What stands for a namespace of this machine.
    pub(super) fn namespace(&mut self, ns: &Seen) -> Result<NsId, Denial> {
        if let Some(known) = self.find(ns.kind, ns.inode) {
            return Ok(known);
        }
        if ns.kind == Kind::User {
            return match &ns.owner {
                Owner::Below(way) => self.below(way),
                Owner::Own => Ok(self.own),
                _ if ns.inode == FIRST_USER => Ok(self.first),
                Owner::Beyond | Owner::Unknown => Ok(self.beside),
            };
        }
        let owner = self.owner(&ns.owner, self.beside)?;
        let own_pid = self.state.inode(Kind::Pid);
        let above = own_pid.filter(|_| ns.below).and_then(|own| self.find(Kind::Pid, own));
        let made = match ns.kind {
            Kind::Pid => self.pid_namespace(owner, above)?,
            kind => self.kernel.host_namespace(model_kind(kind), owner, 0, above)?,
        };
        self.know(ns.kind, ns.inode, made);
        Ok(made)
    }
}

const FIRST_PID: u64 = 0xefff_fffc;
/// An id that `remedied.mapped` has mapped.
const MAPPED: u32 = 3_900_000_000;

/// The first namespaces of the model.
#[derive(Clone, Copy)]
struct First {
    user: NsId,
    pid: NsId,
}

fn first_namespaces(kernel: &Kernel) -> Result<First, Denial> {
    let links = kernel.namespaces_of(kernel.init())?;
    let get = |kind| {
        let found = links.iter().find(|(link, _)| *link == NsLink::Own(kind)).and_then(|(_, ns)| *ns);
        found.map(|ns| ns.id).ok_or(Denial { errno: nsproxy::Errno::ESRCH, rule: nsproxy::Rule::LinkGone })
    };
    Ok(First { user: get(NsKind::User)?, pid: get(NsKind::Pid)? })
}

fn params(state: &State, assumed: &Assumed) -> Params {
    let release = state.release.as_deref().and_then(Release::parse).unwrap_or(Release::new(6, 18));
    let mut params = Params { release, deferred_release: false, ..Params::default() };
    params.features.unprivileged_userns_clone =
        state.security.userns_clone.map(|value| value != 0 || assumed.remedied.userns_clone);
    if state.inodes.iter().any(Option::is_some) {
        for kind in Kind::ALL {
            params.features.set_built(model_kind(kind), state.inode(kind).is_some());
        }
    }
    if assumed.threads_max {
        params.threads_max = 0;
    }
    if let Some(most) = state.mount_max.and_then(|most| u32::try_from(most).ok()) {
        params.mount_max = most;
    }
    if assumed.mount_max {
        params.mount_max = 0;
    }
    if assumed.remedied.mount_max {
        params.mount_max = u32::MAX;
    }
    params.hooks.extend(assumed.hook);
    params
}

/// The caller's user namespace and the one above it, if there is one.
fn user_namespaces(
    kernel: &mut Kernel,
    state: &State,
    assumed: &Assumed,
    first: NsId,
) -> Result<(Option<NsId>, NsId), Denial> {
    if state.is_first() {
        return Ok((None, first));
    }
    let mut parent = kernel.host_namespace(NsKind::User, first, FOREIGN_UID, None)?;
    all_ids(kernel, parent)?;
    if assumed.deep_user {
        // Of the 33 levels below the first the parent takes the last but one.
        for _ in 0..31 {
            parent = kernel.host_namespace(NsKind::User, parent, FOREIGN_UID, None)?;
            all_ids(kernel, parent)?;
        }
    }
    let owner = match state.owner_uid {
        _ if assumed.other_owner => FOREIGN_UID,
        Some(uid) => kid(false, state.uid_map.as_deref(), uid),
        None => FOREIGN_UID,
    };
    let own = kernel.host_namespace(NsKind::User, parent, owner, None)?;
    for (kind, map) in [(MapKind::Uid, &state.uid_map), (MapKind::Gid, &state.gid_map)] {
        let mut extents: Vec<Extent> = map.iter().flatten().map(model_extent).collect();
        if assumed.remedied.mapped {
            extents.push(Extent { first: MAPPED, lower: MAPPED, count: 1 });
        }
        kernel.host_id_map(own, kind, &extents)?;
    }
    kernel.host_user_flags(own, state.setgroups.unwrap_or(true), !assumed.no_setfcap)?;
    Ok((Some(parent), own))
}

fn all_ids(kernel: &mut Kernel, ns: NsId) -> Result<(), Denial> {
    let all = [Extent { first: 0, lower: 0, count: u32::MAX }];
    kernel.host_id_map(ns, MapKind::Uid, &all)?;
    kernel.host_id_map(ns, MapKind::Gid, &all)
}

/// An id outside that has no name for the reader stands for itself, far away.
fn model_extent(extent: &idmap::Extent) -> Extent {
    let lower = if extent.outside == u32::MAX { FOREIGN_UID + 1000 } else { extent.outside };
    Extent { first: extent.inside, lower, count: extent.count }
}

fn kid(first: bool, map: Option<&[idmap::Extent]>, id: u32) -> u32 {
    if first {
        return id;
    }
    let mapped = map.into_iter().flatten().find_map(|extent| {
        let offset = id.checked_sub(extent.inside)?;
        (offset < extent.count).then(|| model_extent(extent).lower.wrapping_add(offset))
    });
    mapped.unwrap_or(if id == OVERFLOW { UNMAPPED } else { FOREIGN_UID })
}

fn root_credentials() -> ModelCredentials {
    ModelCredentials {
        uids: [0; 4],
        gids: [0; 4],
        groups: Vec::new(),
        caps: [CapSet::EMPTY, CapSet::FULL, CapSet::FULL, CapSet::FULL, CapSet::EMPTY],
        securebits: 0,
        no_new_privs: false,
        dumpable: true,
    }
}
