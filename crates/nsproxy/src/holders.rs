//! What still holds a namespace: `namespaces(7)`, "Namespace lifetime".

use crate::Kernel;
use crate::file::FileKind;
use crate::ns_common::{NsId, NsRef, Released};
use crate::task::{Signal, Task, TaskId};
use alloc::vec::Vec;

/// One reason why a namespace lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    /// The nsproxy of this task: it is in the namespace, or its children will be.
    Nsproxy(TaskId),
    /// The credentials of this task.
    Credentials(TaskId),
    /// The number of this task, or of its process group or session, until it is reaped.
    Process(TaskId),
    /// The memory of this task: its last exec was in this user namespace.
    Memory(TaskId),
    /// An open file that stands for it: a namespace file, the pidfd of a process in it, a
    /// file of its maps.
    File,
    /// An open file whose opener was in this user namespace, or that stands for it.
    OpenedFrom,
    /// A socket.
    Socket,
    /// A namespace file that is mounted somewhere.
    Mount,
    /// A message queue that was made from this user namespace, and has a name still.
    Queue,
    /// A segment of shared memory: attached somewhere, for its ipc namespace; made or
    /// attached from this user namespace.
    SharedMemory,
    /// A System V object that a process of this pid namespace was the last to use, or made: it
    /// keeps the process's number.
    LastUse,
    /// A filesystem mounted from this user namespace, or showing this pid namespace.
    Filesystem,
    /// A child namespace.
    Child(NsId),
    /// A namespace of another kind that it owns.
    Owned(NsId),
    /// A dead namespace that it owned, whose charge is still to be given back.
    Released,
    /// The host that made it.
    Host,
    /// The kernel itself: it is the first of its kind.
    First,
}

impl Kernel {
    /// Everything that can be named and holds this namespace.
    pub fn holders_of(&self, ns: NsId) -> Vec<Holder> {
        let Some(ns) = self.resolve_ns(ns) else {
            return Vec::new();
        };
        let mut all = self.holding_tasks(ns);
        for (_, file) in self.files_open.iter() {
            let opener = NsRef::User(self.creds[file.cred].user_ns);
            let held = match file.kind {
                FileKind::Ns(open) => Some(open),
                FileKind::Pidfd { pid, .. } | FileKind::TimensOffsets(pid) => {
                    Some(NsRef::Pid(self.pids[pid].ns))
                }
                FileKind::Map(_, _, pid) | FileKind::Setgroups(_, pid)
                    if NsRef::Pid(self.pids[pid].ns) == ns =>
                {
                    Some(ns)
                }
                FileKind::Map(user_ns, ..) | FileKind::Setgroups(user_ns, _) => Some(NsRef::User(user_ns)),
                FileKind::Socket(net) => Some(NsRef::Net(net)),
                FileKind::Queue { ucounts, .. } => {
                    ucounts.map(|ucounts| NsRef::User(self.ucounts[ucounts].ns))
                }
                FileKind::Cgroup(_) | FileKind::Path { .. } | FileKind::Plain => None,
            };
            if held == Some(ns) {
                let socket = matches!(file.kind, FileKind::Socket(_));
                all.push(if socket { Holder::Socket } else { Holder::File });
            } else if opener == ns {
                all.push(Holder::OpenedFrom);
            }
        }
        let queues = self.ipc_ns.iter().flat_map(|(_, ipc)| &ipc.contents.queues);
        let named = queues.filter(|queue| queue.name.is_some());
        let makers = named.filter_map(|queue| queue.ucounts).map(|record| self.ucounts[record].ns);
        all.extend(makers.filter(|maker| NsRef::User(*maker) == ns).map(|_| Holder::Queue));
        let attached = self.shm_attached.iter().map(|(_, shm)| (shm.cred, Some(shm.ns)));
        let segments = self.ipc_ns.iter().flat_map(|(_, ipc)| &ipc.contents.shms);
        for (cred, ipc) in attached.chain(segments.map(|shm| (shm.cred, None))) {
            let made_from = NsRef::User(self.creds[cred].user_ns);
            if made_from == ns || ipc.map(NsRef::Ipc) == Some(ns) {
                all.push(Holder::SharedMemory);
            }
        }
        let used = self.ipc_ns.iter().flat_map(|(_, ipc)| ipc.contents.last_pids());
        all.extend(used.filter(|pid| NsRef::Pid(self.pids[*pid].ns) == ns).map(|_| Holder::LastUse));
        let owner = |dead: &Released| dead.ucounts.map(|record| NsRef::User(self.ucounts[record].ns));
        let released = self.released.iter().filter(|dead| owner(dead) == Some(ns));
        all.extend(released.map(|_| Holder::Released));
        all.extend(self.host_refs.iter().filter(|held| **held == ns).map(|_| Holder::Host));
        let first = self.init_namespaces.refs().contains(&ns) || ns == NsRef::User(self.init_user_ns);
        all.extend(first.then_some(Holder::First));
        for (_, mount) in self.mounts.iter() {
            if self.dentries[mount.root].ns == Some(ns) {
                all.push(Holder::Mount);
            }
        }
        for (_, sb) in self.supers.iter() {
            let shows = sb.pid_ns.map(NsRef::Pid) == Some(ns);
            if shows || NsRef::User(sb.user_ns) == ns {
                all.push(Holder::Filesystem);
            }
        }
        for other in self.all_ns() {
            let id = self.ns_id(other);
            let owner = self.common(other).owner.map(NsRef::User) == Some(ns);
            let below = matches!(other, NsRef::Pid(i) if self.pid_ns[i].parent.map(NsRef::Pid) == Some(ns));
            if below || owner && other.kind() == ns.kind() {
                all.push(Holder::Child(id));
            } else if owner {
                all.push(Holder::Owned(id));
            }
        }
        all
    }

    fn holding_tasks(&self, ns: NsRef) -> Vec<Holder> {
        let mut all = Vec::new();
        for (idx, _) in self.tasks.iter() {
            let task = self.task_id(idx);
            if self.nsproxy_of(idx).is_some_and(|nsproxy| nsproxy.refs().contains(&ns)) {
                all.push(Holder::Nsproxy(task));
            }
            let [user, _] = self.zombie_refs(idx);
            if user == ns {
                all.push(Holder::Credentials(task));
            }
            let Signal { pgrp, session, .. } = *self.signal_of(idx);
            let numbers = [self.tasks[idx].pid, pgrp, session];
            if numbers.iter().any(|pid| NsRef::Pid(self.pids[*pid].ns) == ns) {
                all.push(Holder::Process(task));
            }
            let Task { mm, exec_state, .. } = self.tasks[idx];
            let memory = mm.or(exec_state).map(|mm| NsRef::User(self.mms[mm].user_ns));
            if memory == Some(ns) && user != ns {
                all.push(Holder::Memory(task));
            }
        }
        all
    }
}
