//! What still holds a namespace: `namespaces(7)`, "Namespace lifetime".

use crate::Kernel;
use crate::file::FileKind;
use crate::ns_common::{NsId, NsRef};
use crate::task::TaskId;
use alloc::vec::Vec;

/// One reason why a namespace lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    /// The nsproxy of this task: it is in the namespace, or its children will be.
    Nsproxy(TaskId),
    /// The credentials of this task.
    Credentials(TaskId),
    /// The pid of this task, until it is reaped.
    Process(TaskId),
    /// An open namespace file.
    File,
    /// An open file whose opener was in this user namespace, or that stands for it.
    OpenedFrom,
    /// A socket.
    Socket,
    /// A namespace file that is mounted somewhere.
    Mount,
    /// A filesystem mounted from this user namespace, or showing this pid namespace.
    Filesystem,
    /// A child namespace.
    Child(NsId),
    /// A namespace of another kind that it owns.
    Owned(NsId),
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
            match file.kind {
                FileKind::Ns(open) if open == ns => all.push(Holder::File),
                FileKind::Socket(net) if NsRef::Net(net) == ns => all.push(Holder::Socket),
                _ if opener == ns => all.push(Holder::OpenedFrom),
                _ => {}
            }
        }
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
            let below =
                matches!(other, NsRef::Pid(i) if self.pid_ns[i].parent.map(NsRef::Pid) == Some(ns));
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
            if self
                .nsproxy_of(idx)
                .is_some_and(|nsproxy| nsproxy.refs().contains(&ns))
            {
                all.push(Holder::Nsproxy(task));
            }
            let [user, pid] = self.zombie_refs(idx);
            if user == ns {
                all.push(Holder::Credentials(task));
            }
            if pid == ns {
                all.push(Holder::Process(task));
            }
        }
        all
    }
}
