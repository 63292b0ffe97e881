//! Listing namespaces: listns(2) and what makes a namespace active (`kernel/nstree.c`).

use crate::Kernel;
use crate::arena::Idx;
use crate::capability::Cap;
use crate::file::FileKind;
use crate::ns_common::NsRef;
use crate::params::Call;
use crate::rule::{Denial, Rule};
use crate::task::{Task, TaskId};
use crate::uapi::{CLONE_NS_FLAGS, PAGE_SIZE};
use crate::user_namespace::UserNamespace;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// Stands for the caller's own user namespace.
pub const LISTNS_CURRENT_USER: u64 = u64::MAX;

/// The request of listns(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NsIdReq {
    /// Size of the structure.
    pub size: u32,
    /// Must be 0.
    pub spare: u32,
    /// Start behind this id.
    pub ns_id: u64,
    /// A mask of `CLONE_NEW*` bits; 0 is all kinds.
    pub ns_type: u64,
    /// Only namespaces owned by the user namespace with this id; 0 is all.
    pub user_ns_id: u64,
}

impl Default for NsIdReq {
    fn default() -> Self {
        Self { size: 32, spare: 0, ns_id: 0, ns_type: 0, user_ns_id: 0 }
    }
}

impl Kernel {
    /// The namespaces that something makes visible: an nsproxy, a task's credentials,
    /// a pid, a file or mount of its own; and the owners of those.
    pub(crate) fn active_namespaces(&self) -> BTreeSet<NsRef> {
        let mut active = BTreeSet::new();
        for (_, nsproxy) in self.nsproxies.iter() {
            active.extend(nsproxy.refs());
        }
        for (task, _) in self.tasks.iter() {
            active.insert(NsRef::User(self.current_user_ns(task)));
        }
        for (_, pid) in self.pids.iter().filter(|(_, pid)| !pid.freed) {
            active.insert(NsRef::Pid(pid.ns));
        }
        for (_, file) in self.files_open.iter() {
            if let FileKind::Ns(ns) = file.kind {
                active.insert(ns);
            }
        }
        for (_, mount) in self.mounts.iter() {
            active.extend(self.dentries[mount.root].ns);
        }
        let mut todo: Vec<NsRef> = active.iter().copied().collect();
        while let Some(ns) = todo.pop() {
            if let Some(owner) = self.common(ns).owner.map(NsRef::User)
                && active.insert(owner)
            {
                todo.push(owner);
            }
        }
        active
    }

    /// listns(2): at most `room` ids, ascending.
    pub fn listns(
        &self,
        caller: TaskId,
        request: &NsIdReq,
        room: usize,
        flags: u32,
    ) -> Result<Vec<u64>, Denial> {
        let task = self.enter(caller, Call::Listns)?;
        // The call came with a release.
        self.refuse_if(true, Rule::ListnsMissing)?;
        // listns(2) EINVAL: no flags.
        self.refuse_if(flags != 0, Rule::ListnsFlags)?;
        // listns(2) EOVERFLOW: too many at once.
        self.refuse_if(room > 1_000_000, Rule::ListnsCount)?;
        self.copy_ns_id_req(request)?;
        let active = self.active_namespaces();
        let owner = self.listns_owner(task, request.user_ns_id, &active)?;
        let mut found: Vec<(u64, NsRef)> = active
            .iter()
            .filter(|ns| owner.is_none_or(|owner| self.common(**ns).owner == Some(owner)))
            .filter(|ns| request.ns_type == 0 || request.ns_type & ns.kind().flag() != 0)
            .map(|ns| (self.common(*ns).id, *ns))
            .filter(|(id, _)| *id > request.ns_id)
            .collect();
        found.sort_unstable();
        if request.ns_id != 0 && found.is_empty() {
            // listns(2) ENOENT: none behind that id.
            return Err(self.params.denial(Rule::ListnsAfter));
        }
        Ok(found
            .into_iter()
            .filter(|(_, ns)| self.may_list(task, *ns, owner))
            .map(|(id, _)| id)
            .take(room)
            .collect())
    }

    fn copy_ns_id_req(&self, request: &NsIdReq) -> Result<(), Denial> {
        let size = request.size as usize;
        // listns(2) E2BIG, EINVAL: the structure.
        self.refuse_if(size > PAGE_SIZE, Rule::ListnsSizeTooBig)?;
        // copy_ns_id_req EINVAL: shorter than its first version.
        self.refuse_if(size < 32, Rule::ListnsSizeTooSmall)?;
        // copy_ns_id_req EINVAL: what is reserved is zero.
        self.refuse_if(request.spare != 0, Rule::ListnsSpare)?;
        let unknown = request.ns_type & !CLONE_NS_FLAGS != 0;
        // listns(2) EOPNOTSUPP: kinds that there are.
        self.refuse_if(unknown, Rule::ListnsKind)
    }

    fn listns_owner(
        &self,
        task: Idx<Task>,
        id: u64,
        active: &BTreeSet<NsRef>,
    ) -> Result<Option<Idx<UserNamespace>>, Denial> {
        match id {
            0 => Ok(None),
            LISTNS_CURRENT_USER => Ok(Some(self.current_user_ns(task))),
            _ => active
                .iter()
                .find_map(|ns| match ns {
                    NsRef::User(user_ns) if self.common(*ns).id == id => Some(Some(*user_ns)),
                    _ => None,
                })
                // listns(2) EINVAL: no active user namespace has this id.
                .ok_or_else(|| self.params.denial(Rule::ListnsUser)),
        }
    }

    /// Who may see what: the own ones always.
    fn may_list(&self, task: Idx<Task>, ns: NsRef, owner: Option<Idx<UserNamespace>>) -> bool {
        if self.is_own_namespace(task, ns) {
            return true;
        }
        if self.params.since(7, 0) {
            return self.may_see_all_namespaces(task);
        }
        let judge = owner.unwrap_or_else(|| self.ruling_user_ns(ns));
        self.ns_capable(task, judge, Cap::SysAdmin)
    }
}
