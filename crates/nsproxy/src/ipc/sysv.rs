//! Shared memory, semaphores and message queues (`ipc/shm.c`, `ipc/sem.c`, `ipc/msg.c`).

use super::{IpcContents, IpcNamespace, Perm, SysvKind, SysvTask};
use crate::Kernel;
use crate::arena::Idx;
use crate::cred::Cred;
use crate::ns_common::NsRef;
use crate::params::{Call, Effect};
use crate::pid::Pid;
use crate::rule::{Denial, Rule};
use crate::task::{Mm, Task, TaskId};
use crate::uapi::PAGE_SIZE;
use alloc::vec::Vec;
use core::mem::take;

const SEMVMX: i32 = 32_767;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shm {
    pub(crate) perm: Perm,
    pub(crate) size: u64,
    pub(crate) attached: u32,
    /// The thread that made it, until it ends or leaves the namespace.
    pub(crate) creator: Option<TaskId>,
    /// Removed, and gone with the last attachment.
    pub(crate) doomed: bool,
    /// Its file keeps the credentials it was made with, and with them a user namespace.
    pub(crate) cred: Idx<Cred>,
    /// `shm_cprid`, `shm_lprid`: the process that made it, and that attached or detached it last.
    pub(crate) maker: LastPid,
    pub(crate) last: LastPid,
}

/// Which process did something to an object last. The pid is kept, and with it its pid
/// namespace and what owns that.
pub(crate) type LastPid = Option<Idx<Pid>>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SemSet {
    pub(crate) perm: Perm,
    pub(crate) semaphores: Vec<Semaphore>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Semaphore {
    pub(crate) value: i32,
    /// `sempid`: who changed it last.
    pub(crate) last: LastPid,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MsgQueue {
    pub(crate) perm: Perm,
    pub(crate) messages: Vec<(i64, Vec<u8>)>,
    /// How many bytes it holds, and messages: the namespace's limit when it was made.
    pub(crate) qbytes: usize,
    /// `q_lspid`, `q_lrpid`: who sent and who received last.
    pub(crate) sender: LastPid,
    pub(crate) receiver: LastPid,
}

/// What a semaphore gets back when the task ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SemUndo {
    pub(crate) id: i32,
    pub(crate) number: u16,
    pub(crate) adjust: i32,
}

/// A segment mapped into an address space; it holds its namespace, and as a file of its
/// own the credentials it was attached with.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ShmAttached {
    pub(crate) ns: Idx<IpcNamespace>,
    pub(crate) id: i32,
    pub(crate) cred: Idx<Cred>,
    /// The one attached before, in the same address space.
    pub(crate) next: Option<Idx<ShmAttached>>,
}

/// One semaphore operation that never waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SemOp {
    /// Which semaphore of the set.
    pub number: u16,
    /// What to add; 0 asks whether it is zero.
    pub change: i16,
    /// `SEM_UNDO`: taken back when the task ends.
    pub undo: bool,
}

impl Kernel {
    /// shmget(2). Returns the identifier.
    pub fn shmget(&mut self, caller: TaskId, key: i32, size: u64, flags: u32) -> Result<i32, Denial> {
        let task = self.enter(caller, Call::Shmget)?;
        let ns = self.current_nsproxy(task).ipc;
        match self.ipcget(task, SysvKind::Shm, key, size, flags)? {
            Ok(id) => Ok(id),
            Err(mut perm) => {
                // shmget(2) EINVAL: outside SHMMIN and SHMMAX.
                let limit = self.ipc_ns[ns].contents.limits.shmmax;
                self.refuse_if(size == 0 || size > limit, Rule::ShmSize)?;
                // shmget(2) ENOSPC: as pages the size is more than a number holds.
                let wraps = size.checked_next_multiple_of(PAGE_SIZE as u64).is_none();
                self.refuse_if(wraps, Rule::ShmPages)?;
                self.ipc_addid(ns, SysvKind::Shm, &mut perm)?;
                let creator = Some(self.task_id(task));
                let (id, cred) = (perm.id, self.get_current_cred(task));
                let shm =
                    Shm { perm, size, attached: 0, creator, doomed: false, cred, maker: None, last: None };
                self.ipc_ns[ns].contents.shms.push(shm);
                self.ipc_update_pid(task, ns, |ipc| ipc.shm(id).map(|shm| &mut shm.maker));
                self.shm_creators += 1;
                Ok(id)
            }
        }
    }

    /// shmat(2).
    pub fn shmat(&mut self, caller: TaskId, id: i32) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Shmat)?;
        let (ns, _) = self.ipc_obtain(task, SysvKind::Shm, id, 0o600)?;
        if let Some(mm) = self.tasks[task].mm {
            let cred = self.tasks[task].cred;
            self.attach_shm(task, mm, ns, id, cred);
        }
        Ok(())
    }

    /// `ipc_update_pid`: the caller's process is the last one that did this to an object.
    fn ipc_update_pid(
        &mut self,
        task: Idx<Task>,
        ns: Idx<IpcNamespace>,
        place: impl FnOnce(&mut IpcContents) -> Option<&mut LastPid>,
    ) {
        let pid = self.tasks[self.signal_of(task).leader].pid;
        if let Some(place) = place(&mut self.ipc_ns[ns].contents) {
            let before = place.replace(pid);
            self.pids[pid].count += 1;
            self.forget_last(before);
        }
    }

    fn forget_last(&mut self, last: impl IntoIterator<Item = Idx<Pid>>) {
        for pid in last {
            self.put_pid(pid);
        }
    }

    fn attach_shm(&mut self, task: Idx<Task>, mm: Idx<Mm>, ns: Idx<IpcNamespace>, id: i32, cred: Idx<Cred>) {
        self.ipc_update_pid(task, ns, |ipc| ipc.shm(id).map(|shm| &mut shm.last));
        if let Some(shm) = self.ipc_ns[ns].contents.shm(id) {
            shm.attached += 1;
            self.get_ns(NsRef::Ipc(ns));
            self.creds[cred].count += 1;
            let next = self.mms[mm].first_shm;
            self.mms[mm].first_shm = Some(self.shm_attached.insert(ShmAttached { ns, id, cred, next }));
        }
    }

    /// shmdt(2), by identifier.
    pub fn shmdt(&mut self, caller: TaskId, id: i32) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Shmdt)?;
        let attached = self.tasks[task].mm.and_then(|mm| {
            let at = self.attachments(mm).find(|at| self.shm_attached[*at].id == id)?;
            Some((mm, at))
        });
        // shmdt(2) EINVAL: nothing attached.
        let (mm, at) = attached.ok_or_else(|| self.params.denial(Rule::IpcIdentifier))?;
        self.detach_shm(task, mm, at);
        Ok(())
    }

    fn attachments(&self, mm: Idx<Mm>) -> impl Iterator<Item = Idx<ShmAttached>> {
        core::iter::successors(self.mms[mm].first_shm, |at| self.shm_attached[*at].next)
    }

    fn detach_shm(&mut self, task: Idx<Task>, mm: Idx<Mm>, at: Idx<ShmAttached>) {
        let ShmAttached { ns, id, cred, next } = self.shm_attached[at];
        let before = self.attachments(mm).find(|before| self.shm_attached[*before].next == Some(at));
        match before {
            Some(before) => self.shm_attached[before].next = next,
            None => self.mms[mm].first_shm = next,
        }
        self.shm_attached.remove(at);
        self.ipc_update_pid(task, ns, |ipc| ipc.shm(id).map(|shm| &mut shm.last));
        let IpcContents { shms, limits, .. } = &mut *self.ipc_ns[ns].contents;
        if let Some(place) = shms.iter().position(|shm| shm.perm.id == id) {
            let shm = &mut shms[place];
            shm.attached -= 1;
            if shm.attached == 0 && (shm.doomed || limits.shm_rmid_forced) {
                self.remove_shm(ns, place);
            }
        }
        self.put_cred(cred);
        self.put_ipc_ns(ns);
    }

    fn remove_shm(&mut self, ns: Idx<IpcNamespace>, place: usize) {
        let gone = self.ipc_ns[ns].contents.shms.remove(place);
        self.shm_creators -= u32::from(gone.creator.is_some());
        self.put_cred(gone.cred);
        self.forget_last(gone.maker.into_iter().chain(gone.last));
    }

    /// The segments a thread made lose their creator, at its end or when it leaves the
    /// namespace by unshare. With `shm_rmid_forced` those nobody has attached go.
    pub(crate) fn exit_shm(&mut self, task: Idx<Task>) {
        if self.shm_creators > 0 {
            self.leave_shms(task);
        }
    }

    #[cold]
    fn leave_shms(&mut self, task: Idx<Task>) {
        let creator = Some(self.task_id(task));
        for ns in self.ipc_ns.indices() {
            let mut orphaned = 0;
            if self.ipc_ns[ns].contents.shms.is_empty() {
                continue;
            }
            for shm in self.ipc_ns[ns].contents.shms.iter_mut().filter(|shm| shm.creator == creator) {
                shm.creator = None;
                orphaned += 1;
            }
            self.shm_creators -= orphaned;
            if orphaned > 0 && self.ipc_ns[ns].contents.limits.shm_rmid_forced {
                self.shm_destroy_orphaned(ns);
            }
        }
    }

    /// What neither a creator nor an attachment holds goes.
    pub(super) fn shm_destroy_orphaned(&mut self, ns: Idx<IpcNamespace>) {
        let orphan = |shm: &Shm| shm.creator.is_none() && shm.attached == 0;
        while let Some(place) = self.ipc_ns[ns].contents.shms.iter().position(orphan) {
            self.remove_shm(ns, place);
        }
    }

    /// The objects of a namespace that ends.
    pub(super) fn forget_sysv(&mut self, ns: Idx<IpcNamespace>) {
        for place in (0..self.ipc_ns[ns].contents.shms.len()).rev() {
            self.remove_shm(ns, place);
        }
        let IpcContents { sems, msgs, .. } = &mut *self.ipc_ns[ns].contents;
        let (sems, msgs) = (take(sems), take(msgs));
        self.free_sems(sems);
        self.free_queues(msgs);
    }

    fn free_sems(&mut self, sets: impl IntoIterator<Item = SemSet>) {
        let semaphores = sets.into_iter().flat_map(|set| set.semaphores);
        self.forget_last(semaphores.filter_map(|semaphore| semaphore.last));
    }

    fn free_queues(&mut self, queues: impl IntoIterator<Item = MsgQueue>) {
        self.forget_last(queues.into_iter().flat_map(|queue| [queue.sender, queue.receiver]).flatten());
    }

    /// fork(2): the child has the same segments attached.
    #[cold]
    pub(crate) fn shm_dup_mm(&mut self, parent: Idx<Task>, old: Idx<Mm>, new: Idx<Mm>) {
        let mut copies: Vec<_> = self.attachments(old).map(|at| self.shm_attached[at]).collect();
        while let Some(ShmAttached { ns, id, cred, .. }) = copies.pop() {
            self.attach_shm(parent, new, ns, id, cred);
        }
    }

    pub(crate) fn shm_exit_mm(&mut self, task: Idx<Task>, mm: Idx<Mm>) {
        while let Some(at) = self.mms[mm].first_shm {
            self.detach_shm(task, mm, at);
        }
    }

    /// shmctl(2) with `IPC_RMID`: gone at once, or with the last attachment.
    pub fn shm_remove(&mut self, caller: TaskId, id: i32) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Shmctl)?;
        let ns = self.ipc_may_remove(task, SysvKind::Shm, id)?;
        let shms = &mut self.ipc_ns[ns].contents.shms;
        if let Some(place) = shms.iter().position(|shm| shm.perm.id == id) {
            let shm = &mut shms[place];
            shm.doomed = true;
            shm.perm.key = crate::uapi::IPC_PRIVATE;
            if shm.attached == 0 {
                self.remove_shm(ns, place);
            }
        }
        Ok(())
    }

    /// semget(2). Returns the identifier.
    pub fn semget(&mut self, caller: TaskId, key: i32, count: usize, flags: u32) -> Result<i32, Denial> {
        let task = self.enter(caller, Call::Semget)?;
        let ns = self.current_nsproxy(task).ipc;
        let limit = self.ipc_ns[ns].contents.limits.semmsl;
        // semget(2) EINVAL: more semaphores than SEMMSL.
        self.refuse_if(count > limit, Rule::SemSize)?;
        match self.ipcget(task, SysvKind::Sem, key, count as u64, flags)? {
            Ok(id) => Ok(id),
            Err(mut perm) => {
                // newary EINVAL: a new set has semaphores.
                self.refuse_if(count == 0, Rule::SemSize)?;
                self.ipc_addid(ns, SysvKind::Sem, &mut perm)?;
                let semaphores = alloc::vec![Semaphore::default(); count.min(limit)];
                self.ipc_ns[ns].contents.sems.push(SemSet { perm, semaphores });
                Ok(perm.id)
            }
        }
    }

    /// semop(2) with `IPC_NOWAIT`. Returns the new value.
    pub fn semop(&mut self, caller: TaskId, id: i32, op: SemOp) -> Result<i32, Denial> {
        let task = self.enter(caller, Call::Semop)?;
        let ns = self.current_nsproxy(task).ipc;
        let set = self.ipc_ns[ns].contents.sems.iter().find(|sem| sem.perm.id == id);
        let old = set.map(|set| set.semaphores.get(usize::from(op.number)).map(|semaphore| semaphore.value));
        // semop(2) EINVAL, EFBIG: no such set; no such semaphore in it.
        let old = old.ok_or_else(|| self.params.denial(Rule::IpcIdentifier))?;
        self.refuse_if(old.is_none(), Rule::SemNumber)?;
        let wanted = if op.change == 0 { 0o444 } else { 0o222 };
        self.ipc_obtain(task, SysvKind::Sem, id, wanted)?;
        let Some(old) = old else { return Ok(0) };
        let new = old + i32::from(op.change);
        // semop(2) EAGAIN: it would have to wait.
        let waits = new < 0 || op.change == 0 && old != 0;
        self.refuse_if(waits, Rule::SemWouldBlock)?;
        // semop(2) ERANGE: above SEMVMX.
        self.refuse_if(new > SEMVMX, Rule::SemRange)?;
        self.set_semaphore(task, ns, id, op.number, new.clamp(0, SEMVMX));
        if op.undo && op.change != 0 {
            self.add_undo(task, id, op);
        }
        Ok(new)
    }

    fn set_semaphore(&mut self, task: Idx<Task>, ns: Idx<IpcNamespace>, id: i32, number: u16, value: i32) {
        self.ipc_update_pid(task, ns, |ipc| {
            let semaphore = ipc.semaphore(id, number)?;
            semaphore.value = value;
            Some(&mut semaphore.last)
        });
    }

    fn add_undo(&mut self, task: Idx<Task>, id: i32, op: SemOp) {
        let list = self.own_sysv(task);
        let undo = &mut self.sysv[list].undo;
        let change = i32::from(op.change);
        match undo.iter_mut().find(|undo| undo.id == id && undo.number == op.number) {
            Some(undo) => undo.adjust = undo.adjust.saturating_sub(change),
            None => undo.push(SemUndo { id, number: op.number, adjust: -change }),
        }
    }

    fn own_sysv(&mut self, task: Idx<Task>) -> Idx<SysvTask> {
        if let Some(list) = self.tasks[task].sysv {
            return list;
        }
        let list = self.sysv.insert(SysvTask { count: 1, undo: Vec::new() });
        self.tasks[task].sysv = Some(list);
        list
    }

    /// clone(2) `CLONE_SYSVSEM`: one undo list for both.
    #[inline(never)]
    pub(crate) fn share_sysvsem(&mut self, task: Idx<Task>) -> Idx<SysvTask> {
        let list = self.own_sysv(task);
        self.sysv[list].count += 1;
        list
    }

    /// Leaves the undo list; the last one to leave runs it.
    pub(crate) fn exit_sem(&mut self, task: Idx<Task>) {
        if let Some(list) = self.tasks[task].sysv.take() {
            self.put_sysv(task, list);
        }
    }

    #[inline(never)]
    fn put_sysv(&mut self, task: Idx<Task>, list: Idx<SysvTask>) {
        self.sysv[list].count -= 1;
        if self.sysv[list].count > 0 {
            return;
        }
        let undo = self.sysv.take(list).undo;
        if self.params.lacks(Effect::Undo) {
            return;
        }
        let Some(ns) = self.nsproxy_of(task).map(|nsproxy| nsproxy.ipc) else {
            return;
        };
        for SemUndo { id, number, adjust } in undo {
            let value = self.ipc_ns[ns].contents.semaphore(id, number).map(|semaphore| semaphore.value);
            if let Some(value) = value.filter(|_| adjust != 0) {
                self.set_semaphore(task, ns, id, number, (value + adjust).clamp(0, SEMVMX));
            }
        }
    }

    /// semctl(2) with `GETVAL`.
    pub fn sem_value(&mut self, caller: TaskId, id: i32, number: u16) -> Result<i32, Denial> {
        let task = self.enter(caller, Call::Semctl)?;
        let (ns, _) = self.ipc_obtain(task, SysvKind::Sem, id, 0o444)?;
        // semctl(2) EINVAL: a number beyond the set.
        self.ipc_ns[ns]
            .contents
            .sems
            .iter()
            .find(|sem| sem.perm.id == id)
            .and_then(|set| set.semaphores.get(usize::from(number)).map(|semaphore| semaphore.value))
            .ok_or_else(|| self.params.denial(Rule::IpcIdentifier))
    }

    /// semctl(2) with `IPC_RMID`.
    pub fn sem_remove(&mut self, caller: TaskId, id: i32) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Semctl)?;
        let ns = self.ipc_may_remove(task, SysvKind::Sem, id)?;
        let gone = self.ipc_ns[ns].contents.sems.extract_if(.., |set| set.perm.id == id).next();
        self.free_sems(gone);
        Ok(())
    }

    /// msgget(2). Returns the identifier.
    pub fn msgget(&mut self, caller: TaskId, key: i32, flags: u32) -> Result<i32, Denial> {
        let task = self.enter(caller, Call::Msgget)?;
        let ns = self.current_nsproxy(task).ipc;
        match self.ipcget(task, SysvKind::Msg, key, 0, flags)? {
            Ok(id) => Ok(id),
            Err(mut perm) => {
                self.ipc_addid(ns, SysvKind::Msg, &mut perm)?;
                let qbytes = self.ipc_ns[ns].contents.limits.msgmnb;
                let (sender, receiver) = (None, None);
                let queue = MsgQueue { perm, messages: Vec::new(), qbytes, sender, receiver };
                self.ipc_ns[ns].contents.msgs.push(queue);
                Ok(perm.id)
            }
        }
    }

    /// msgsnd(2) with `IPC_NOWAIT`.
    pub fn msgsnd(&mut self, caller: TaskId, id: i32, kind: i64, text: &[u8]) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Msgsnd)?;
        let ns = self.current_nsproxy(task).ipc;
        let limits = self.ipc_ns[ns].contents.limits;
        // msgsnd(2) EINVAL: too large, or a type that is not positive.
        let bad = text.len() > limits.msgmax || kind < 1;
        self.refuse_if(bad, Rule::MsgSize)?;
        self.ipc_obtain(task, SysvKind::Msg, id, 0o222)?;
        let Some(queue) = self.ipc_ns[ns].contents.msgs.iter().find(|msg| msg.perm.id == id) else {
            return Ok(());
        };
        let used: usize = queue.messages.iter().map(|(_, text)| text.len()).sum();
        // msg_fits_inqueue EAGAIN: too many bytes, or messages.
        let full = used + text.len() > queue.qbytes || queue.messages.len() + 1 > queue.qbytes;
        self.refuse_if(full, Rule::MsgFull)?;
        self.ipc_update_pid(task, ns, |ipc| {
            let queue = ipc.queue(id)?;
            queue.messages.push((kind, text.to_vec()));
            Some(&mut queue.sender)
        });
        Ok(())
    }

    /// msgrcv(2) with `IPC_NOWAIT`, for the first message; `None` when there is none.
    pub fn msgrcv(&mut self, caller: TaskId, id: i32) -> Result<Option<(i64, Vec<u8>)>, Denial> {
        let task = self.enter(caller, Call::Msgrcv)?;
        let (ns, _) = self.ipc_obtain(task, SysvKind::Msg, id, 0o444)?;
        let mut received = None;
        self.ipc_update_pid(task, ns, |ipc| {
            let queue = ipc.queue(id).filter(|queue| !queue.messages.is_empty())?;
            received = Some(queue.messages.remove(0));
            Some(&mut queue.receiver)
        });
        Ok(received)
    }

    /// msgctl(2) with `IPC_RMID`.
    pub fn msg_remove(&mut self, caller: TaskId, id: i32) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Msgctl)?;
        let ns = self.ipc_may_remove(task, SysvKind::Msg, id)?;
        let gone = self.ipc_ns[ns].contents.msgs.extract_if(.., |queue| queue.perm.id == id).next();
        self.free_queues(gone);
        Ok(())
    }
}
