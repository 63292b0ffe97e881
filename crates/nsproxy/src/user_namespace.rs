//! User namespaces: their making and joining, and the setgroups switch
//! (`kernel/user_namespace.c`).

use crate::Kernel;
use crate::arena::Idx;
use crate::capability::Cap;
use crate::cred::{Cred, Kgid, Kuid};
use crate::file::FileKind;
use crate::idmap::IdMap;
use crate::ns_common::{NsCommon, NsKind, NsRef};
use crate::nsproxy::NsSet;
use crate::params::Hook;
use crate::rule::{Denial, Rule};
use crate::task::{RLIM_INFINITY, Resource, Task};
use crate::uapi::OVERFLOW_ID;
use crate::ucount::UCOUNT_MAX;

#[derive(Clone, Debug, Default)]
pub(crate) struct UserNamespace {
    /// `common.owner` is the parent.
    pub(crate) common: NsCommon,
    pub(crate) level: u16,
    pub(crate) owner: Kuid,
    pub(crate) uid_map: IdMap,
    pub(crate) gid_map: IdMap,
    pub(crate) projid_map: IdMap,
    pub(crate) setgroups_allowed: bool,
    pub(crate) parent_could_setfcap: bool,
    /// Limits on namespaces, by kind.
    pub(crate) ucount_max: [u32; 8],
    /// The creator's limits, by [`Resource`].
    pub(crate) rlimit_max: [u64; 4],
}

/// The deepest parent that may still have a child.
pub(crate) const DEEPEST_PARENT: u16 = 32;

impl Kernel {
    /// Whether `inner` is `outer` or descends from it.
    pub(crate) fn in_userns(&self, outer: Idx<UserNamespace>, inner: Idx<UserNamespace>) -> bool {
        let outer_level = self.user_ns[outer].level;
        let mut at = inner;
        while self.user_ns[at].level > outer_level {
            match self.user_ns[at].common.owner {
                Some(parent) => at = parent,
                None => break,
            }
        }
        at == outer
    }

    /// Makes a user namespace below the one of `new` and moves `new` into it.
    #[inline(never)]
    pub(crate) fn create_user_ns(&mut self, caller: Idx<Task>, new: &mut Cred) -> Result<(), Denial> {
        let parent = new.user_ns;
        let level = self.user_ns[parent].level;
        self.check_kind_built(NsKind::User)?;
        // user_namespaces(7): nesting depth.
        self.refuse_if(level > DEEPEST_PARENT, Rule::UserNsLevel)?;
        let ucounts = self.inc_ucount(parent, new.euid, NsKind::User, Rule::UserNsCount)?;
        if let Err(denial) = self.may_create_user_ns(caller, new) {
            self.dec_ucount(ucounts, NsKind::User);
            return Err(denial);
        }
        let common = self.ns_common_init(parent, ucounts);
        let setgroups_allowed = self.user_ns[parent].setgroups_allowed;
        let rlimit_max = self.creator_rlimits(caller);
        let ns = self.user_ns.insert(UserNamespace {
            common,
            level: level + 1,
            owner: new.euid,
            uid_map: IdMap::default(),
            gid_map: IdMap::default(),
            projid_map: IdMap::default(),
            setgroups_allowed,
            parent_could_setfcap: new.cap_effective.has(Cap::Setfcap),
            ucount_max: [UCOUNT_MAX; 8],
            rlimit_max,
        });
        new.set_cred_user_ns(&self.params);
        // The namespace's first reference goes to the credentials.
        self.put_user_ns(parent);
        new.user_ns = ns;
        Ok(())
    }

    fn may_create_user_ns(&self, caller: Idx<Task>, new: &Cred) -> Result<(), Denial> {
        // clone(2) EPERM: a caller in a chroot could use the new namespace to leave it.
        self.refuse_if(self.current_chrooted(caller), Rule::UserNsChrooted)?;
        // clone(2) EPERM: the creator's ids must have a mapping in the parent.
        let parent = &self.user_ns[new.user_ns];
        let mapped = parent.uid_map.up(new.euid).is_some() && parent.gid_map.up(new.egid).is_some();
        self.refuse_if(!mapped, Rule::UserNsUnmapped)?;
        // create_user_ns: security_create_user_ns.
        self.hook(Hook::UsernsCreate, Rule::UserNsLsm)
    }

    /// The creator's limits, which hold for the namespace as a whole. `RLIMIT_NPROC`
    /// binds nobody who is root in the first user namespace.
    fn creator_rlimits(&self, caller: Idx<Task>) -> [u64; 4] {
        let soft = self.signal_of(caller).rlimits.soft;
        let cred = self.cred_of(caller);
        let mut limits = [soft[0], soft[1], soft[2], soft[3]];
        if cred.uid == 0 && cred.user_ns == self.init_user_ns {
            limits[Resource::Nproc as usize] = RLIM_INFINITY;
        }
        limits
    }

    /// setns(2) for a user namespace.
    pub(crate) fn userns_install(
        &mut self,
        caller: Idx<Task>,
        set: &mut NsSet,
        target: Idx<UserNamespace>,
    ) -> Result<(), Denial> {
        // setns(2) EINVAL: not the own one, which would give back dropped capabilities.
        let own = self.current_user_ns(caller) == target;
        self.refuse_if(own, Rule::SetnsUserOwn)?;
        // setns(2) EINVAL: no other threads.
        let alone = self.thread_group_empty(caller);
        self.refuse_if(!alone, Rule::SetnsUserThreads)?;
        // setns(2) EINVAL: root and working directory not shared (CLONE_FS).
        let shares_fs = self.tasks[caller].fs.is_some_and(|fs| self.fss[fs].users != 1);
        self.refuse_if(shares_fs, Rule::SetnsUserSharedFs)?;
        // setns(2) EPERM: CAP_SYS_ADMIN in the target.
        let capable = self.ns_capable(caller, target, Cap::SysAdmin);
        self.refuse_if(!capable, Rule::SetnsUserAdmin)?;
        let mut cred = match set.cred.take() {
            Some(cred) => cred,
            None => self.prepare_creds(caller),
        };
        self.get_user_ns(target);
        let old = core::mem::replace(&mut cred.user_ns, target);
        self.put_user_ns(old);
        cred.set_cred_user_ns(&self.params);
        self.set_cred_ucounts(&mut cred);
        set.cred = Some(cred);
        Ok(())
    }

    /// The global id of a user id in a namespace's numbering.
    pub(crate) fn make_kuid(&self, ns: Idx<UserNamespace>, uid: u32) -> Option<Kuid> {
        self.user_ns[ns].uid_map.down(uid)
    }

    pub(crate) fn make_kgid(&self, ns: Idx<UserNamespace>, gid: u32) -> Option<Kgid> {
        self.user_ns[ns].gid_map.down(gid)
    }

    /// What a global id reads as in a namespace; the overflow id where it has no mapping.
    /// Whether files owned by the task can be on a filesystem mounted from `ns`
    /// (`fsuidgid_has_mapping`).
    pub(crate) fn maps_fs_ids(&self, task: Idx<Task>, ns: Idx<UserNamespace>) -> bool {
        let cred = self.cred_of(task);
        let ns = &self.user_ns[ns];
        ns.uid_map.up(cred.fsuid).is_some() && ns.gid_map.up(cred.fsgid).is_some()
    }

    pub(crate) fn kuid_seen_from(&self, ns: Idx<UserNamespace>, kuid: Kuid) -> u32 {
        self.user_ns[ns].uid_map.up(kuid).unwrap_or(OVERFLOW_ID)
    }

    pub(crate) fn kgid_seen_from(&self, ns: Idx<UserNamespace>, kgid: Kgid) -> u32 {
        self.user_ns[ns].gid_map.up(kgid).unwrap_or(OVERFLOW_ID)
    }

    /// The kuid of a namespace's root, or the first namespace's where 0 is unmapped.
    pub(crate) fn root_of(&self, ns: Idx<UserNamespace>) -> Kuid {
        self.make_kuid(ns, 0).unwrap_or(0)
    }

    /// Opening `/proc/PID/setgroups` for writing.
    pub(crate) fn proc_setgroups_open(
        &mut self,
        caller: Idx<Task>,
        target: Idx<Task>,
    ) -> Result<FileKind, Denial> {
        let writable = self.proc_file_writable(caller, target);
        self.refuse_if(!writable, Rule::MapOpenAccess)?;
        let ns = self.current_user_ns(target);
        // user_namespaces(7): CAP_SYS_ADMIN in the namespace, at open.
        let capable = self.ns_capable(caller, ns, Cap::SysAdmin);
        self.refuse_if(!capable, Rule::SetgroupsOpen)?;
        self.get_user_ns(ns);
        Ok(FileKind::Setgroups(ns, self.get_task_pid(target)))
    }

    pub(crate) fn proc_setgroups_write(
        &mut self,
        ns: Idx<UserNamespace>,
        offset: u64,
        text: &[u8],
    ) -> Result<usize, Denial> {
        // user_namespaces(7): one short word, written in one go.
        let short = offset == 0 && text.len() < 8;
        self.refuse_if(!short, Rule::SetgroupsSyntax)?;
        let count = text.len();
        // `proc_setgroups_write` reads a C string, and takes what is behind its end, too.
        let end = text.iter().position(|byte| *byte == 0).unwrap_or(count);
        let text = &text[..end];
        let word = [b"allow".as_slice(), b"deny"].into_iter().find(|word| text.starts_with(word));
        let clean =
            word.is_some_and(|word| text[word.len()..].iter().all(|byte| crate::idmap::is_space(*byte)));
        // proc_setgroups_write EINVAL: nothing but spaces behind the word.
        self.refuse_if(!clean, Rule::SetgroupsSyntax)?;
        let UserNamespace { setgroups_allowed, gid_map, .. } = &self.user_ns[ns];
        if word == Some(b"allow") {
            // user_namespaces(7): deny is for ever.
            self.refuse_if(!setgroups_allowed, Rule::SetgroupsDenied)?;
        } else {
            // user_namespaces(7): too late once the group map is set.
            self.refuse_if(!gid_map.is_empty(), Rule::SetgroupsMapSet)?;
            self.user_ns[ns].setgroups_allowed = false;
        }
        Ok(count)
    }

    /// Drops one reference; the last one ends the namespace.
    pub(crate) fn put_user_ns(&mut self, ns: Idx<UserNamespace>) {
        if let Some(dead) = self.user_ns[ns].common.put(NsKind::User) {
            self.user_ns.remove(ns);
            self.release_ns_later(dead);
        }
    }

    /// The namespace used for checks after a call that also changes the user namespace.
    pub(crate) fn nsset_user_ns(&self, caller: Idx<Task>, set: &NsSet) -> Idx<UserNamespace> {
        match &set.cred {
            Some(cred) => cred.user_ns,
            None => self.current_user_ns(caller),
        }
    }

    /// `CAP_SYS_ADMIN` in the owner of a namespace and in the user namespace held
    /// after the call: what joining most kinds takes.
    pub(crate) fn may_join(&self, caller: Idx<Task>, set: &NsSet, ns: NsRef) -> bool {
        let owner = self.ruling_user_ns(ns);
        let after = self.nsset_user_ns(caller, set);
        self.ns_capable(caller, owner, Cap::SysAdmin) && self.ns_capable(caller, after, Cap::SysAdmin)
    }
}
