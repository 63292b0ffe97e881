//! Ipc namespaces and what lives in them (`ipc/namespace.c`, `ipc/util.c`): System V
//! shared memory, semaphores and message queues, and POSIX queue names.

mod mqueue;
mod sysctl;
mod sysv;

pub use sysctl::IpcSysctl;
pub use sysv::SemOp;

use crate::Kernel;
use crate::arena::Idx;
use crate::capability::Cap;
use crate::cred::{Kgid, Kuid};
use crate::ns_common::{NsCommon, NsKind, NsRef};
use crate::nsproxy::{Making, NsSet};
use crate::pid::Pid;
use crate::rule::{Denial, Rule};
use crate::shared::{Blank, Shared};
use crate::task::Task;
use crate::uapi::{CLONE_NEWIPC, IPC_CREAT, IPC_EXCL, IPC_PRIVATE};
use alloc::vec::Vec;
use core::mem::take;
pub(crate) use mqueue::Mqueue;
use sysv::{SemUndo, Semaphore};

pub(crate) use sysv::{LastPid, MsgQueue, SemSet, Shm, ShmAttached};

/// The three kinds of System V objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SysvKind {
    Shm,
    Sem,
    Msg,
}

/// Who owns an object, and who may use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Perm {
    pub(crate) id: i32,
    pub(crate) key: i32,
    pub(crate) uid: Kuid,
    pub(crate) gid: Kgid,
    pub(crate) cuid: Kuid,
    pub(crate) mode: u32,
}

/// The limits of an ipc namespace. A new one has the defaults, whatever the old one had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) shmmni: usize,
    pub(crate) shmmax: u64,
    pub(crate) semmni: usize,
    pub(crate) semmsl: usize,
    pub(crate) msgmni: usize,
    pub(crate) msgmax: usize,
    pub(crate) msgmnb: usize,
    pub(crate) queues_max: usize,
    /// Segments nobody has attached go with their creator.
    pub(crate) shm_rmid_forced: bool,
}

impl Limits {
    const DEFAULT: Self = Self {
        shmmni: 4096,
        shmmax: u64::MAX - (1 << 24),
        semmni: 32_000,
        semmsl: 32_000,
        msgmni: 32_000,
        msgmax: 8192,
        msgmnb: 16_384,
        queues_max: 256,
        shm_rmid_forced: false,
    };
}

#[derive(Clone, Debug, Default)]
pub(crate) struct IpcNamespace {
    pub(crate) common: NsCommon,
    /// The owner of the queues' directory: who made the namespace.
    pub(crate) maker: (Kuid, Kgid),
    pub(crate) contents: Shared<IpcContents>,
}

#[derive(Clone, Debug)]
pub(crate) struct IpcContents {
    pub(crate) limits: Limits,
    pub(crate) next_id: [i32; 3],
    pub(crate) shms: Vec<Shm>,
    pub(crate) sems: Vec<SemSet>,
    pub(crate) msgs: Vec<MsgQueue>,
    pub(crate) queues: Vec<Mqueue>,
    /// Their filesystem, wherever it is mounted, has been made read-only.
    pub(crate) readonly: bool,
}

impl Blank for IpcContents {
    fn blank() -> &'static Self {
        static NONE: IpcContents = IpcContents {
            limits: Limits::DEFAULT,
            next_id: [0; 3],
            shms: Vec::new(),
            sems: Vec::new(),
            msgs: Vec::new(),
            queues: Vec::new(),
            readonly: false,
        };
        &NONE
    }
}

impl IpcNamespace {
    pub(crate) fn new(common: NsCommon, maker: (Kuid, Kgid)) -> Self {
        Self { common, maker, contents: Shared::BLANK }
    }
}

impl IpcContents {
    fn find_key(&self, kind: SysvKind, key: i32) -> Option<Perm> {
        let has_key = |perm: &Perm| perm.key == key;
        self.perms(kind).into_iter().find(has_key)
    }

    fn find_id(&self, kind: SysvKind, id: i32) -> Option<Perm> {
        let has_id = |perm: &Perm| perm.id == id;
        self.perms(kind).into_iter().find(has_id)
    }

    fn shm(&mut self, id: i32) -> Option<&mut Shm> {
        self.shms.iter_mut().find(|shm| shm.perm.id == id)
    }

    fn semaphore(&mut self, id: i32, number: u16) -> Option<&mut Semaphore> {
        let set = self.sems.iter_mut().find(|set| set.perm.id == id)?;
        set.semaphores.get_mut(usize::from(number))
    }

    fn queue(&mut self, id: i32) -> Option<&mut MsgQueue> {
        self.msgs.iter_mut().find(|queue| queue.perm.id == id)
    }

    /// The pids that objects keep.
    pub(crate) fn last_pids(&self) -> impl Iterator<Item = Idx<Pid>> {
        let shms = self.shms.iter().flat_map(|shm| [shm.maker, shm.last]);
        let sems = self.sems.iter().flat_map(|set| set.semaphores.iter().map(|semaphore| semaphore.last));
        let msgs = self.msgs.iter().flat_map(|queue| [queue.sender, queue.receiver]);
        shms.chain(sems).chain(msgs).flatten()
    }

    /// Bytes of a segment, semaphores of a set.
    fn size_of(&self, kind: SysvKind, id: i32) -> u64 {
        let size = match kind {
            SysvKind::Shm => self.shms.iter().find(|shm| shm.perm.id == id).map(|shm| shm.size),
            SysvKind::Sem => {
                self.sems.iter().find(|sem| sem.perm.id == id).map(|sem| sem.semaphores.len() as u64)
            }
            SysvKind::Msg => None,
        };
        size.unwrap_or(u64::MAX)
    }

    pub(crate) fn perms(&self, kind: SysvKind) -> Vec<Perm> {
        match kind {
            SysvKind::Shm => self.shms.iter().map(|shm| shm.perm).collect(),
            SysvKind::Sem => self.sems.iter().map(|sem| sem.perm).collect(),
            SysvKind::Msg => self.msgs.iter().map(|msg| msg.perm).collect(),
        }
    }
}

/// A semaphore undo list, shared with `CLONE_SYSVSEM`.
#[derive(Clone, Debug, Default)]
pub(crate) struct SysvTask {
    pub(crate) count: u32,
    pub(crate) undo: Vec<SemUndo>,
}

impl Kernel {
    /// The same ipc namespace, or a new and empty one.
    pub(crate) fn copy_ipcs(
        &mut self,
        making: &Making,
        old: Idx<IpcNamespace>,
    ) -> Result<Idx<IpcNamespace>, Denial> {
        if making.flags & CLONE_NEWIPC == 0 {
            self.ipc_ns[old].common.count += 1;
            return Ok(old);
        }
        self.check_kind_built(NsKind::Ipc)?;
        let mut charged = self.charge_ns(making, NsKind::Ipc, Rule::IpcNsCount);
        if charged.is_err() && self.params.since(6, 2) && self.flush_released(NsKind::Ipc) {
            // The frees that are under way are waited for before ENOSPC.
            charged = self.charge_ns(making, NsKind::Ipc, Rule::IpcNsCount);
        }
        let common = self.ns_common_init(making.user_ns, charged?);
        let cred = self.cred_of(making.caller);
        let maker = (cred.fsuid, cred.fsgid);
        Ok(self.ipc_ns.insert(IpcNamespace::new(common, maker)))
    }

    /// Runs the pending releases of one kind. Returns whether there were any.
    fn flush_released(&mut self, kind: NsKind) -> bool {
        let (now, later) =
            core::mem::take(&mut self.released).into_iter().partition(|released| released.kind == kind);
        self.released = later;
        let now: Vec<crate::ns_common::Released> = now;
        for released in &now {
            self.release_ns_now(*released);
        }
        !now.is_empty()
    }

    /// Drops one reference; the last one ends the namespace.
    pub(crate) fn put_ipc_ns(&mut self, ns: Idx<IpcNamespace>) {
        if let Some(dead) = self.ipc_ns[ns].common.put(NsKind::Ipc) {
            if !self.ipc_ns[ns].contents.is_blank() {
                self.free_ipcs(ns);
            }
            self.ipc_ns.remove(ns);
            self.release_ns_later(dead);
        }
    }

    /// Objects end with their namespace.
    #[cold]
    fn free_ipcs(&mut self, ns: Idx<IpcNamespace>) {
        self.forget_sysv(ns);
        let queues = take(&mut self.ipc_ns[ns].contents.queues);
        for queue in queues.into_iter().filter(|queue| queue.name.is_some()) {
            self.put_queue(queue.ucounts);
        }
    }

    pub(crate) fn ipcns_install(
        &mut self,
        caller: Idx<Task>,
        set: &mut NsSet,
        target: Idx<IpcNamespace>,
    ) -> Result<(), Denial> {
        // setns(2) EPERM: CAP_SYS_ADMIN on both sides.
        let allowed = self.may_join(caller, set, NsRef::Ipc(target));
        self.refuse_if(!allowed, Rule::SetnsIpcAdmin)?;
        if set.nsproxy.ipc != target {
            self.get_ns(NsRef::Ipc(target));
            let old = core::mem::replace(&mut set.nsproxy.ipc, target);
            self.put_ipc_ns(old);
        }
        Ok(())
    }

    /// sysvipc(7), "Resource access permissions".
    fn ipcperms(&self, task: Idx<Task>, ns: Idx<IpcNamespace>, perm: &Perm, wanted: u32) -> bool {
        let cred = self.cred_of(task);
        let requested = wanted >> 6 | wanted >> 3 | wanted;
        let granted = if cred.euid == perm.cuid || cred.euid == perm.uid {
            perm.mode >> 6
        } else if cred.in_group(perm.gid) {
            perm.mode >> 3
        } else {
            perm.mode
        };
        let owner = self.ruling_user_ns(NsRef::Ipc(ns));
        let missing = requested & !granted & 0o7;
        missing == 0 || self.ns_capable(task, owner, Cap::IpcOwner)
    }

    /// shmget(2) and kin: the object with this key, or the rights of a new one.
    fn ipcget(
        &mut self,
        task: Idx<Task>,
        kind: SysvKind,
        key: i32,
        size: u64,
        flags: u32,
    ) -> Result<Result<i32, Perm>, Denial> {
        let ns = self.current_nsproxy(task).ipc;
        let found = if key == IPC_PRIVATE { None } else { self.ipc_ns[ns].contents.find_key(kind, key) };
        if let Some(perm) = found {
            // shmget(2) EEXIST: IPC_CREAT and IPC_EXCL, and it exists.
            let both = IPC_CREAT | IPC_EXCL;
            self.refuse_if(flags & both == both, Rule::IpcKeyExists)?;
            // shmget(2), semget(2) EINVAL: smaller than asked for.
            let small = self.ipc_ns[ns].contents.size_of(kind, perm.id) < size;
            let rule = if kind == SysvKind::Shm { Rule::ShmSize } else { Rule::SemSize };
            self.refuse_if(small, rule)?;
            let allowed = self.ipcperms(task, ns, &perm, flags);
            // ipcperms EACCES.
            self.refuse_if(!allowed, Rule::IpcAccess)?;
            return Ok(Ok(perm.id));
        }
        if key != IPC_PRIVATE && flags & IPC_CREAT == 0 {
            // shmget(2) ENOENT: no such key, and IPC_CREAT was not given.
            return Err(self.params.denial(Rule::IpcKeyMissing));
        }
        Ok(Err(self.new_perm(task, key, flags)))
    }

    fn new_perm(&self, task: Idx<Task>, key: i32, flags: u32) -> Perm {
        let cred = self.cred_of(task);
        Perm { id: 0, key, uid: cred.euid, gid: cred.egid, cuid: cred.euid, mode: flags & 0o777 }
    }

    /// A number for a new object, unless the namespace is full.
    fn ipc_addid(&mut self, ns: Idx<IpcNamespace>, kind: SysvKind, perm: &mut Perm) -> Result<(), Denial> {
        let ipc = &self.ipc_ns[ns].contents;
        let (used, limit) = match kind {
            SysvKind::Shm => (ipc.shms.len(), ipc.limits.shmmni),
            SysvKind::Sem => (ipc.sems.len(), ipc.limits.semmni),
            SysvKind::Msg => (ipc.msgs.len(), ipc.limits.msgmni),
        };
        // shmget(2) ENOSPC: the namespace's limit on objects.
        self.refuse_if(used >= limit, Rule::IpcLimit)?;
        let next = &mut self.ipc_ns[ns].contents.next_id[kind as usize];
        perm.id = *next;
        *next = next.wrapping_add(1) & i32::MAX;
        Ok(())
    }

    /// The object with this identifier, if the caller may use it like this.
    fn ipc_obtain(
        &self,
        task: Idx<Task>,
        kind: SysvKind,
        id: i32,
        wanted: u32,
    ) -> Result<(Idx<IpcNamespace>, Perm), Denial> {
        let ns = self.current_nsproxy(task).ipc;
        // shmat(2) EINVAL: no such identifier in this namespace.
        let perm = self.ipc_ns[ns]
            .contents
            .find_id(kind, id)
            .ok_or_else(|| self.params.denial(Rule::IpcIdentifier))?;
        let allowed = self.ipcperms(task, ns, &perm, wanted);
        self.refuse_if(!allowed, Rule::IpcAccess)?;
        Ok((ns, perm))
    }

    /// shmctl(2) EPERM: removal is for owner, creator, or `CAP_SYS_ADMIN`.
    fn ipc_may_remove(&self, task: Idx<Task>, kind: SysvKind, id: i32) -> Result<Idx<IpcNamespace>, Denial> {
        let (ns, perm) = self.ipc_obtain(task, kind, id, 0)?;
        let euid = self.cred_of(task).euid;
        let owner = self.ruling_user_ns(NsRef::Ipc(ns));
        let allowed = euid == perm.cuid || euid == perm.uid || self.ns_capable(task, owner, Cap::SysAdmin);
        self.refuse_if(!allowed, Rule::IpcRemove)?;
        Ok(ns)
    }
}
