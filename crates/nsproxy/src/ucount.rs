//! Limits per user and user namespace (`kernel/ucount.c`).
//!
//! namespaces(7): a namespace is charged to its maker's effective uid in the user
//! namespace that owns it, and to the owner of every user namespace above.

use crate::Kernel;
use crate::arena::Idx;
use crate::cred::Kuid;
use crate::ns_common::NsKind;
use crate::params::Effect;
use crate::rule::{Denial, Rule};
use crate::task::{RLIM_INFINITY, Resource, Task};
use crate::user_namespace::UserNamespace;

/// What a user namespace's limits start with: no limit that anybody reaches.
pub(crate) const UCOUNT_MAX: u32 = i32::MAX as u32;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ucounts {
    pub(crate) count: u32,
    pub(crate) ns: Idx<UserNamespace>,
    pub(crate) uid: Kuid,
    /// What is charged together with this one: the record that `ns` itself was
    /// charged to.
    above: Option<Idx<Ucounts>>,
    /// Namespaces, by kind.
    pub(crate) ucount: [u32; 8],
    /// Tasks.
    pub(crate) nproc: u64,
}

fn key(ns: Idx<UserNamespace>, uid: Kuid) -> u64 {
    u64::from(ns.raw()) << 32 | u64::from(uid)
}

impl Ucounts {
    /// Namespaces by kind, and tasks: what the record limits.
    pub(crate) fn charges(&self) -> ([u32; 8], u64) {
        let Self {
            // Who charges it.
            count: _,
            // What names it, and with it the record above.
            ns: _,
            uid: _,
            above: _,
            ucount,
            nproc,
        } = *self;
        (ucount, nproc)
    }
}

impl Kernel {
    /// The record of (namespace, uid), with one more reference.
    #[inline]
    pub(crate) fn alloc_ucounts(&mut self, ns: Idx<UserNamespace>, uid: Kuid) -> Idx<Ucounts> {
        if let Some(recent) = self.recent_ucounts {
            let record = &mut self.ucounts[recent];
            if record.ns == ns && record.uid == uid {
                record.count += 1;
                return recent;
            }
        }
        self.find_or_add_ucounts(ns, uid)
    }

    fn find_or_add_ucounts(&mut self, ns: Idx<UserNamespace>, uid: Kuid) -> Idx<Ucounts> {
        let key = key(ns, uid);
        let found = self.ucounts_hash.get(key).and_then(Idx::from_raw);
        let record = if let Some(found) = found {
            self.ucounts[found].count += 1;
            found
        } else {
            self.get_user_ns(ns);
            let above = self.user_ns[ns].common.ucounts;
            let new = self.ucounts.insert(Ucounts { count: 1, ns, uid, above, ucount: [0; 8], nproc: 0 });
            self.ucounts_hash.insert(key, new.raw());
            new
        };
        self.recent_ucounts = Some(record);
        record
    }

    #[inline]
    pub(crate) fn put_ucounts(&mut self, ucounts: Idx<Ucounts>) {
        let record = &mut self.ucounts[ucounts];
        record.count -= 1;
        if record.count == 0 {
            self.free_ucounts(ucounts);
        }
    }

    #[inline(never)]
    fn free_ucounts(&mut self, ucounts: Idx<Ucounts>) {
        let Ucounts { ns, uid, above, .. } = self.ucounts[ucounts];
        self.ucounts.remove(ucounts);
        self.ucounts_hash.remove(key(ns, uid));
        if self.recent_ucounts == Some(ucounts) {
            // Whoever made the namespace may well make another.
            self.recent_ucounts = above;
        }
        self.put_user_ns(ns);
    }

    /// Charges one namespace of each kind in `flags` to (ns, uid) and to every owner above,
    /// in one walk. `None`, and nothing is charged, when some limit would refuse: which one
    /// comes first is for [`Kernel::inc_ucount`] to say, kind by kind.
    #[inline(never)]
    pub(crate) fn inc_ucounts(
        &mut self,
        ns: Idx<UserNamespace>,
        uid: Kuid,
        flags: u64,
    ) -> Option<Idx<Ucounts>> {
        let asked = NsKind::ALL.map(|kind| u32::from(flags & kind.flag() != 0));
        let first = self.alloc_ucounts(ns, uid);
        self.ucounts[first].count += asked.iter().sum::<u32>() - 1;
        let mut beyond = 0;
        let mut at = Some(first);
        while let Some(idx) = at {
            let record = &mut self.ucounts[idx];
            let max = &self.user_ns[record.ns].ucount_max;
            for kind in 0..8 {
                beyond += if record.ucount[kind] >= max[kind] { asked[kind] } else { 0 };
                record.ucount[kind] += asked[kind];
            }
            at = record.above;
        }
        if beyond > 0 {
            self.refund(first, flags);
            return None;
        }
        Some(first)
    }

    /// Takes back what was charged for namespaces that were not made after all.
    #[cold]
    pub(crate) fn refund(&mut self, first: Idx<Ucounts>, flags: u64) {
        for kind in NsKind::among(flags) {
            self.uncharge(first, kind);
            self.put_ucounts(first);
        }
    }

    /// Charges one namespace to (ns, uid) and to every owner above, or to nobody.
    ///
    /// namespaces(7), "The /proc/sys/user directory": ENOSPC when any of the
    /// limits on the way up is reached.
    pub(crate) fn inc_ucount(
        &mut self,
        ns: Idx<UserNamespace>,
        uid: Kuid,
        kind: NsKind,
        rule: Rule,
    ) -> Result<Idx<Ucounts>, Denial> {
        let first = self.alloc_ucounts(ns, uid);
        let mut at = Some(first);
        while let Some(idx) = at {
            let Ucounts { ns, ref ucount, above, .. } = self.ucounts[idx];
            let full = ucount[kind as usize] >= self.user_ns[ns].ucount_max[kind as usize];
            if let Err(denial) = self.refuse_if(full, rule) {
                self.put_ucounts(first);
                return Err(denial);
            }
            at = above;
        }
        self.charge(first, kind);
        Ok(first)
    }

    /// The same without looking at limits: for what exists already.
    pub(crate) fn charge_unlimited(
        &mut self,
        ns: Idx<UserNamespace>,
        uid: Kuid,
        kind: NsKind,
    ) -> Idx<Ucounts> {
        let first = self.alloc_ucounts(ns, uid);
        self.charge(first, kind);
        first
    }

    #[inline]
    fn charge(&mut self, first: Idx<Ucounts>, kind: NsKind) {
        let mut at = Some(first);
        while let Some(record) = at {
            let record = &mut self.ucounts[record];
            record.ucount[kind as usize] += 1;
            at = record.above;
        }
    }

    /// Takes the charge back and drops the reference to the record.
    #[inline]
    pub(crate) fn dec_ucount(&mut self, ucounts: Idx<Ucounts>, kind: NsKind) {
        if !self.params.lacks(Effect::Uncharge) {
            self.uncharge(ucounts, kind);
        }
        self.put_ucounts(ucounts);
    }

    #[inline]
    fn uncharge(&mut self, from: Idx<Ucounts>, kind: NsKind) {
        let mut at = Some(from);
        while let Some(record) = at {
            let record = &mut self.ucounts[record];
            record.ucount[kind as usize] -= 1;
            at = record.above;
        }
    }

    pub(crate) fn inc_nproc(&mut self, ucounts: Idx<Ucounts>) {
        let mut at = Some(ucounts);
        while let Some(record) = at {
            let record = &mut self.ucounts[record];
            record.nproc += 1;
            at = record.above;
        }
    }

    pub(crate) fn dec_nproc(&mut self, ucounts: Idx<Ucounts>) {
        let mut at = Some(ucounts);
        while let Some(record) = at {
            let record = &mut self.ucounts[record];
            record.nproc -= 1;
            at = record.above;
        }
    }

    /// getrlimit(2) `RLIMIT_NPROC`: the task's own limit for its user here, then for
    /// each user namespace above the limit its creator had.
    pub(crate) fn is_nproc_overlimit(&self, ucounts: Idx<Ucounts>, parent: Idx<Task>) -> bool {
        let own = self.signal_of(parent).rlimits.soft[Resource::Nproc as usize];
        if !self.params.since(5, 14) {
            return own != RLIM_INFINITY && self.tasks_of_user(ucounts) > own;
        }
        let mut limit = own;
        let mut at = Some(ucounts);
        while let Some(record) = at {
            let Ucounts { ns, nproc, above, .. } = self.ucounts[record];
            if nproc > limit {
                return true;
            }
            limit = self.user_ns[ns].rlimit_max[Resource::Nproc as usize];
            at = above;
        }
        false
    }

    /// Before 5.14 a user was counted once, whatever the namespaces. The count of
    /// a new child is in its ucounts record already.
    fn tasks_of_user(&self, ucounts: Idx<Ucounts>) -> u64 {
        let uid = self.ucounts[ucounts].uid;
        let tasks = self.tasks.iter().filter(|(_, task)| self.creds[task.cred].uid == uid).count();
        tasks as u64 + 1
    }
}
