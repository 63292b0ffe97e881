//! What all namespaces have in common: kind, numbers, count, owner, charge.

use crate::Kernel;
use crate::arena::Idx;
use crate::cgroup::CgroupNamespace;
use crate::ipc::IpcNamespace;
use crate::mount::MntNamespace;
use crate::net::NetNamespace;
use crate::nsproxy::Making;
use crate::pid_namespace::PidNamespace;
use crate::rule::{Denial, Rule};
use crate::time_namespace::TimeNamespace;
use crate::uapi::{
    CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWTIME, CLONE_NEWUSER,
    CLONE_NEWUTS,
};
use crate::ucount::Ucounts;
use crate::user_namespace::UserNamespace;
use crate::utsname::UtsNamespace;
use core::fmt;

/// The eight kinds, in the order `create_new_namespaces` makes them; user comes first of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum NsKind {
    /// Capabilities and the meaning of ids.
    User,
    /// The mount tree.
    Mnt,
    /// Host and domain name.
    Uts,
    /// System V ipc and POSIX message queues.
    Ipc,
    /// Process numbers.
    Pid,
    /// The root of the cgroup tree.
    Cgroup,
    /// Network devices, addresses, sockets.
    Net,
    /// Offsets of the monotonic and the boot clock.
    Time,
}

impl NsKind {
    /// All kinds, in the order in which they are made and joined.
    pub const ALL: [Self; 8] =
        [Self::User, Self::Mnt, Self::Uts, Self::Ipc, Self::Pid, Self::Cgroup, Self::Net, Self::Time];

    /// The name of its file under `/proc/PID/ns`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Mnt => "mnt",
            Self::Uts => "uts",
            Self::Ipc => "ipc",
            Self::Pid => "pid",
            Self::Cgroup => "cgroup",
            Self::Net => "net",
            Self::Time => "time",
        }
    }

    /// Its `CLONE_NEW*` bit.
    pub const fn flag(self) -> u64 {
        match self {
            Self::User => CLONE_NEWUSER,
            Self::Mnt => CLONE_NEWNS,
            Self::Uts => CLONE_NEWUTS,
            Self::Ipc => CLONE_NEWIPC,
            Self::Pid => CLONE_NEWPID,
            Self::Cgroup => CLONE_NEWCGROUP,
            Self::Net => CLONE_NEWNET,
            Self::Time => CLONE_NEWTIME,
        }
    }

    /// The kinds whose bits are among these flags.
    pub(crate) fn among(flags: u64) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |kind| flags & kind.flag() != 0)
    }

    pub(crate) const fn bit(self) -> u8 {
        1 << (self as u8)
    }

    /// The kind with this name, as under `/proc/PID/ns`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The kind with this `CLONE_NEW*` bit.
    pub fn from_flag(flag: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.flag() == flag)
    }

    /// The inode number of the first namespace of this kind.
    pub(crate) const fn initial_inum(self) -> u32 {
        match self {
            Self::Ipc => 0xEFFF_FFFF,
            Self::Uts => 0xEFFF_FFFE,
            Self::User => 0xEFFF_FFFD,
            Self::Pid => 0xEFFF_FFFC,
            Self::Cgroup => 0xEFFF_FFFB,
            Self::Time => 0xEFFF_FFFA,
            Self::Net => 0xEFFF_FFF9,
            Self::Mnt => 0xEFFF_FFF8,
        }
    }

    /// The 64-bit id of the first namespace of this kind, as fixed since 6.19.
    pub(crate) const fn initial_id(self) -> u64 {
        match self {
            Self::Ipc => 1,
            Self::Uts => 2,
            Self::User => 3,
            Self::Pid => 4,
            Self::Cgroup => 5,
            Self::Time => 6,
            Self::Net => 7,
            Self::Mnt => 8,
        }
    }
}

impl fmt::Display for NsKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Inode numbers below are fixed.
const FIRST_DYNAMIC_INUM: u32 = 0xF000_0000;

/// A handle to a namespace, good as long as the namespace lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NsId {
    pub(crate) kind: NsKind,
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl NsId {
    /// Its kind.
    pub const fn kind(self) -> NsKind {
        self.kind
    }
}

/// The part every namespace starts with.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NsCommon {
    pub(crate) count: u32,
    pub(crate) inum: u32,
    pub(crate) id: u64,
    /// The user namespace whose capabilities rule this one; a user namespace's parent.
    /// It lives as long as the record charged, which is one of its own.
    pub(crate) owner: Option<Idx<UserNamespace>>,
    /// The record charged for it; none for the first of a kind.
    pub(crate) ucounts: Option<Idx<Ucounts>>,
}

/// A namespace of any kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NsRef {
    User(Idx<UserNamespace>),
    Mnt(Idx<MntNamespace>),
    Uts(Idx<UtsNamespace>),
    Ipc(Idx<IpcNamespace>),
    Pid(Idx<PidNamespace>),
    Cgroup(Idx<CgroupNamespace>),
    Net(Idx<NetNamespace>),
    Time(Idx<TimeNamespace>),
}

impl NsRef {
    pub(crate) fn kind(self) -> NsKind {
        match self {
            Self::User(_) => NsKind::User,
            Self::Mnt(_) => NsKind::Mnt,
            Self::Uts(_) => NsKind::Uts,
            Self::Ipc(_) => NsKind::Ipc,
            Self::Pid(_) => NsKind::Pid,
            Self::Cgroup(_) => NsKind::Cgroup,
            Self::Net(_) => NsKind::Net,
            Self::Time(_) => NsKind::Time,
        }
    }
}

/// A namespace that is gone but whose charge has not been given back yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Released {
    pub(crate) kind: NsKind,
    inum: u32,
    pub(crate) ucounts: Option<Idx<Ucounts>>,
}

impl Released {
    /// What it still holds, but for its inode number.
    pub(crate) fn holds(&self) -> (NsKind, Option<Idx<Ucounts>>) {
        let Self { kind, inum: _, ucounts } = *self;
        (kind, ucounts)
    }
}

impl NsCommon {
    /// Drops one reference. With the last one, what is left to give back.
    #[inline]
    pub(crate) fn put(&mut self, kind: NsKind) -> Option<Released> {
        self.count -= 1;
        (self.count == 0).then(|| self.released(kind))
    }

    /// What a dead namespace still has to give back.
    #[inline]
    pub(crate) fn released(&self, kind: NsKind) -> Released {
        Released { kind, inum: self.inum, ucounts: self.ucounts }
    }
}

impl Kernel {
    pub(crate) fn common(&self, ns: NsRef) -> &NsCommon {
        match ns {
            NsRef::User(i) => &self.user_ns[i].common,
            NsRef::Mnt(i) => &self.mnt_ns[i].common,
            NsRef::Uts(i) => &self.uts_ns[i].common,
            NsRef::Ipc(i) => &self.ipc_ns[i].common,
            NsRef::Pid(i) => &self.pid_ns[i].common,
            NsRef::Cgroup(i) => &self.cgroup_ns[i].common,
            NsRef::Net(i) => &self.net_ns[i].common,
            NsRef::Time(i) => &self.time_ns[i].common,
        }
    }

    #[inline]
    fn common_mut(&mut self, ns: NsRef) -> &mut NsCommon {
        match ns {
            NsRef::User(i) => &mut self.user_ns[i].common,
            NsRef::Mnt(i) => &mut self.mnt_ns[i].common,
            NsRef::Uts(i) => &mut self.uts_ns[i].common,
            NsRef::Ipc(i) => &mut self.ipc_ns[i].common,
            NsRef::Pid(i) => &mut self.pid_ns[i].common,
            NsRef::Cgroup(i) => &mut self.cgroup_ns[i].common,
            NsRef::Net(i) => &mut self.net_ns[i].common,
            NsRef::Time(i) => &mut self.time_ns[i].common,
        }
    }

    /// The user namespace whose capabilities rule this one. For a user namespace
    /// that is itself the one to ask.
    pub(crate) fn ruling_user_ns(&self, ns: NsRef) -> Idx<UserNamespace> {
        match ns {
            NsRef::User(user_ns) => user_ns,
            _ => self.common(ns).owner.unwrap_or(self.init_user_ns),
        }
    }

    #[inline]
    pub(crate) fn get_ns(&mut self, ns: NsRef) {
        self.common_mut(ns).count += 1;
    }

    /// Drops one reference; the last one ends the namespace. What it has goes at once; the
    /// charge of some kinds a little later.
    pub(crate) fn put_ns(&mut self, ns: NsRef) {
        match ns {
            NsRef::User(ns) => self.put_user_ns(ns),
            NsRef::Mnt(ns) => self.put_mnt_ns(ns),
            NsRef::Uts(ns) => self.put_uts_ns(ns),
            NsRef::Ipc(ns) => self.put_ipc_ns(ns),
            NsRef::Pid(ns) => self.put_pid_ns(ns),
            NsRef::Cgroup(ns) => self.put_cgroup_ns(ns),
            NsRef::Net(ns) => self.put_net(ns),
            NsRef::Time(ns) => self.put_time_ns(ns),
        }
    }

    #[inline]
    pub(crate) fn get_user_ns(&mut self, ns: Idx<UserNamespace>) -> Idx<UserNamespace> {
        self.user_ns[ns].common.count += 1;
        ns
    }

    /// How every new namespace starts: charged to the caller's effective uid, or
    /// refused with `rule`.
    #[inline]
    pub(crate) fn ns_common_new(
        &mut self,
        making: &Making,
        kind: NsKind,
        rule: Rule,
    ) -> Result<NsCommon, Denial> {
        let ucounts = self.charge_ns(making, kind, rule)?;
        Ok(self.ns_common_init(making.user_ns, ucounts))
    }

    /// The first half of that: the charge.
    #[inline]
    pub(crate) fn charge_ns(
        &mut self,
        making: &Making,
        kind: NsKind,
        rule: Rule,
    ) -> Result<Idx<Ucounts>, Denial> {
        match making.charged {
            Some(record) => Ok(record),
            None => self.charge_alone(making, kind, rule),
        }
    }

    #[cold]
    fn charge_alone(&mut self, making: &Making, kind: NsKind, rule: Rule) -> Result<Idx<Ucounts>, Denial> {
        self.inc_ucount(making.user_ns, self.cred_of(making.caller).euid, kind, rule)
    }

    /// Takes the charge of a kind back that was refused after it, unless it was charged for
    /// all at once: that is for their maker to do.
    #[cold]
    pub(crate) fn uncharge_ns(&mut self, making: &Making, kind: NsKind, charged: Idx<Ucounts>) {
        if making.charged.is_none() {
            self.dec_ucount(charged, kind);
        }
    }

    /// The common part of a new namespace: one reference; an inode number, used again
    /// after it is gone; an id, never used again.
    #[inline]
    pub(crate) fn ns_common_init(&mut self, owner: Idx<UserNamespace>, ucounts: Idx<Ucounts>) -> NsCommon {
        let inum = self.alloc_inum();
        self.next_ns_id += 1;
        NsCommon { count: 1, inum, id: self.next_ns_id, owner: Some(owner), ucounts: Some(ucounts) }
    }

    /// The same for an anonymous mount namespace, whose inode number is always the same.
    pub(crate) fn anon_common_init(
        &mut self,
        owner: Idx<UserNamespace>,
        ucounts: Idx<Ucounts>,
        inum: u32,
    ) -> NsCommon {
        self.next_ns_id += 1;
        NsCommon { count: 1, inum, id: self.next_ns_id, owner: Some(owner), ucounts: Some(ucounts) }
    }

    #[inline(never)]
    fn alloc_inum(&mut self) -> u32 {
        if let Some(inum) = self.free_inums.pop() {
            return inum;
        }
        self.next_inum = self.next_inum.wrapping_add(1);
        self.next_inum
    }

    /// Gives back what a dead namespace was charged for, at once.
    #[inline]
    pub(crate) fn release_ns_now(&mut self, dead: Released) {
        let Released { kind, inum, ucounts } = dead;
        self.give_back(kind, inum, ucounts);
    }

    #[inline(never)]
    fn give_back(&mut self, kind: NsKind, inum: u32, ucounts: Option<Idx<Ucounts>>) {
        if inum >= FIRST_DYNAMIC_INUM {
            self.free_inums.push(inum);
        }
        if let Some(ucounts) = ucounts {
            self.dec_ucount(ucounts, kind);
        }
    }

    /// Gives it back later, when the work queue runs: see [`Kernel::settle`].
    #[inline(never)]
    pub(crate) fn release_ns_later(&mut self, dead: Released) {
        if self.params.deferred_release {
            self.released.push(dead);
        } else {
            self.release_ns_now(dead);
        }
    }

    /// Runs the work that the kernel does a little after the last reference is
    /// gone: user, pid, net and ipc namespaces give back their charge, and with it
    /// their hold on the owner, and their inode number only now.
    ///
    /// Until then a limit that was reached may still refuse with `ENOSPC`. A host
    /// that wants to know both outcomes asks a copy that was settled first.
    pub fn settle(&mut self) {
        while let Some(released) = self.released.pop() {
            self.release_ns_now(released);
        }
    }

    /// How many dead namespaces have not given back their charge yet.
    pub fn unsettled(&self) -> usize {
        self.released.len()
    }

    pub(crate) fn ns_id(&self, ns: NsRef) -> NsId {
        let (index, generation) = match ns {
            NsRef::User(i) => (i.raw(), self.user_ns.generation(i)),
            NsRef::Mnt(i) => (i.raw(), self.mnt_ns.generation(i)),
            NsRef::Uts(i) => (i.raw(), self.uts_ns.generation(i)),
            NsRef::Ipc(i) => (i.raw(), self.ipc_ns.generation(i)),
            NsRef::Pid(i) => (i.raw(), self.pid_ns.generation(i)),
            NsRef::Cgroup(i) => (i.raw(), self.cgroup_ns.generation(i)),
            NsRef::Net(i) => (i.raw(), self.net_ns.generation(i)),
            NsRef::Time(i) => (i.raw(), self.time_ns.generation(i)),
        };
        NsId { kind: ns.kind(), index, generation }
    }

    /// The namespace behind a handle, if it still lives.
    pub(crate) fn resolve_ns(&self, id: NsId) -> Option<NsRef> {
        let (index, generation) = (id.index, id.generation);
        Some(match id.kind {
            NsKind::User => NsRef::User(self.user_ns.resolve(index, generation)?),
            NsKind::Mnt => NsRef::Mnt(self.mnt_ns.resolve(index, generation)?),
            NsKind::Uts => NsRef::Uts(self.uts_ns.resolve(index, generation)?),
            NsKind::Ipc => NsRef::Ipc(self.ipc_ns.resolve(index, generation)?),
            NsKind::Pid => NsRef::Pid(self.pid_ns.resolve(index, generation)?),
            NsKind::Cgroup => NsRef::Cgroup(self.cgroup_ns.resolve(index, generation)?),
            NsKind::Net => NsRef::Net(self.net_ns.resolve(index, generation)?),
            NsKind::Time => NsRef::Time(self.time_ns.resolve(index, generation)?),
        })
    }

    /// Every living namespace, by kind and then by place.
    pub(crate) fn all_ns(&self) -> alloc::vec::Vec<NsRef> {
        let mut all = alloc::vec::Vec::new();
        all.extend(self.user_ns.indices().into_iter().map(NsRef::User));
        all.extend(self.mnt_ns.indices().into_iter().map(NsRef::Mnt));
        all.extend(self.uts_ns.indices().into_iter().map(NsRef::Uts));
        all.extend(self.ipc_ns.indices().into_iter().map(NsRef::Ipc));
        all.extend(self.pid_ns.indices().into_iter().map(NsRef::Pid));
        all.extend(self.cgroup_ns.indices().into_iter().map(NsRef::Cgroup));
        all.extend(self.net_ns.indices().into_iter().map(NsRef::Net));
        all.extend(self.time_ns.indices().into_iter().map(NsRef::Time));
        all
    }
}
