//! Credentials: who a task is and what it may do (`kernel/cred.c`).

use crate::Kernel;
use crate::arena::Idx;
use crate::capability::CapSet;
use crate::params::{Effect, Params};
use crate::rule::Denial;
use crate::shared::Shared;
use crate::task::Task;
use crate::uapi::{CLONE_NEWUSER, CLONE_THREAD};
use crate::ucount::Ucounts;
use crate::user_namespace::UserNamespace;
use alloc::vec::Vec;

/// A user id in the first user namespace's numbering: the kernel's `kuid_t`.
pub type Kuid = u32;
/// A group id in the first user namespace's numbering: the kernel's `kgid_t`.
pub type Kgid = u32;

/// One set of credentials. Shared until changed, so every change starts with a copy.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cred {
    pub(crate) count: u32,
    pub(crate) uid: Kuid,
    pub(crate) euid: Kuid,
    pub(crate) suid: Kuid,
    pub(crate) fsuid: Kuid,
    pub(crate) gid: Kgid,
    pub(crate) egid: Kgid,
    pub(crate) sgid: Kgid,
    pub(crate) fsgid: Kgid,
    /// `group_info`, shared by copies.
    pub(crate) groups: Shared<Vec<Kgid>>,
    pub(crate) securebits: u32,
    pub(crate) cap_inheritable: CapSet,
    pub(crate) cap_permitted: CapSet,
    pub(crate) cap_effective: CapSet,
    pub(crate) cap_bset: CapSet,
    pub(crate) cap_ambient: CapSet,
    pub(crate) user_ns: Idx<UserNamespace>,
    /// The record (user namespace, real uid) that limits are counted in.
    pub(crate) ucounts: Idx<Ucounts>,
}

impl Cred {
    /// `user_namespaces(7)`: a task that enters a user namespace, by whatever
    /// route, holds all capabilities in it and keeps nothing of its securebits.
    pub(crate) fn set_cred_user_ns(&mut self, params: &Params) {
        if !params.lacks(Effect::PlainSecurebits) {
            self.securebits = 0;
        }
        if params.lacks(Effect::FullCaps) {
            return;
        }
        self.cap_inheritable = CapSet::EMPTY;
        self.cap_permitted = CapSet::FULL;
        self.cap_effective = CapSet::FULL;
        self.cap_bset = CapSet::FULL;
        self.cap_ambient = CapSet::EMPTY;
    }

    pub(crate) fn in_group(&self, gid: Kgid) -> bool {
        self.fsgid == gid || self.groups.contains(&gid)
    }
}

impl Kernel {
    /// A copy to change: one reference of its own, and references to what it names.
    pub(crate) fn prepare_creds(&mut self, task: Idx<Task>) -> Cred {
        let cred = Cred { count: 1, ..self.cred_of(task).clone() };
        self.get_user_ns(cred.user_ns);
        self.ucounts[cred.ucounts].count += 1;
        cred
    }

    /// Gives up a prepared copy.
    pub(crate) fn abort_creds(&mut self, cred: &Cred) {
        let (user_ns, ucounts) = (cred.user_ns, cred.ucounts);
        self.put_ucounts(ucounts);
        self.put_user_ns(user_ns);
    }

    /// One more that holds the credentials a task acts with.
    pub(crate) fn get_current_cred(&mut self, task: Idx<Task>) -> Idx<Cred> {
        let cred = self.tasks[task].cred;
        self.creds[cred].count += 1;
        cred
    }

    pub(crate) fn put_cred(&mut self, cred: Idx<Cred>) {
        self.creds[cred].count -= 1;
        if self.creds[cred].count == 0 {
            let Cred { user_ns, ucounts, .. } = self.creds[cred];
            self.creds.remove(cred);
            self.put_ucounts(ucounts);
            self.put_user_ns(user_ns);
        }
    }

    /// Charges later limits to the record of the credentials' namespace and real uid.
    pub(crate) fn set_cred_ucounts(&mut self, cred: &mut Cred) {
        let record = self.ucounts[cred.ucounts];
        if record.ns == cred.user_ns && record.uid == cred.uid {
            return;
        }
        let fresh = self.alloc_ucounts(cred.user_ns, cred.uid);
        let old = core::mem::replace(&mut cred.ucounts, fresh);
        self.put_ucounts(old);
    }

    /// The child's credentials: the parent's, or fresh ones in a new user namespace.
    /// Counts one more task of the user.
    pub(crate) fn copy_creds(&mut self, parent: Idx<Task>, flags: u64) -> Result<Idx<Cred>, Denial> {
        let cred = if flags & CLONE_NEWUSER == 0 || flags & CLONE_THREAD != 0 {
            let cred = self.tasks[parent].cred;
            self.creds[cred].count += 1;
            cred
        } else {
            let mut cred = self.prepare_creds(parent);
            if let Err(denial) = self.create_user_ns(parent, &mut cred) {
                self.abort_creds(&cred);
                return Err(denial);
            }
            self.set_cred_ucounts(&mut cred);
            self.creds.insert(cred)
        };
        self.inc_nproc(self.creds[cred].ucounts);
        Ok(cred)
    }

    /// Installs prepared credentials. What made the task inspectable by its user
    /// may end here.
    pub(crate) fn commit_creds(&mut self, task: Idx<Task>, new: Cred) {
        let old_idx = self.tasks[task].cred;
        let old = &self.creds[old_idx];
        let harmless = old.euid == new.euid
            && old.egid == new.egid
            && old.fsuid == new.fsuid
            && old.fsgid == new.fsgid
            && self.cred_cap_issubset(old, &new);
        let (old_ucounts, new_ucounts) = (old.ucounts, new.ucounts);
        if !harmless && !self.params.lacks(Effect::Undumpable) {
            let suid_dumpable = self.params.suid_dumpable;
            if let Some(mm) = self.tasks[task].mm {
                self.mms[mm].dumpable = suid_dumpable;
            }
            self.tasks[task].pdeath_signal = 0;
        }
        if old_ucounts != new_ucounts {
            self.inc_nproc(new_ucounts);
            self.dec_nproc(old_ucounts);
        }
        self.tasks[task].cred = self.creds.insert(new);
        self.put_cred(old_idx);
    }

    /// Whether `subset` gives nothing that `set` did not: fewer capabilities in the
    /// same namespace, or any in a namespace that `set` owned anyway.
    fn cred_cap_issubset(&self, set: &Cred, subset: &Cred) -> bool {
        if set.user_ns == subset.user_ns {
            return subset.cap_permitted.within(set.cap_permitted);
        }
        let mut at = subset.user_ns;
        while let Some(parent) = self.user_ns[at].common.owner {
            if parent == set.user_ns && self.user_ns[at].owner == set.euid {
                return true;
            }
            at = parent;
        }
        false
    }
}
