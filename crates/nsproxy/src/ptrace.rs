//! May one task look into another (`kernel/ptrace.c`, `fs/proc/base.c`).

use crate::Kernel;
use crate::arena::Idx;
use crate::capability::Cap;
use crate::cred::{Kgid, Kuid};
use crate::params::Hook;
use crate::task::Task;
use crate::user_namespace::UserNamespace;

/// Whose ids are compared, and which capability set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// `PTRACE_MODE_READ_FSCREDS`: opening files under /proc, pidfd requests.
    ReadFscreds,
    /// `PTRACE_MODE_READ_REALCREDS`: setns with a pidfd.
    ReadRealcreds,
}

impl Kernel {
    /// ptrace(2), "Ptrace access mode checking".
    pub(crate) fn ptrace_may_access(&self, task: Idx<Task>, target: Idx<Task>, mode: Mode) -> bool {
        // 1. Threads of one process may always.
        if self.tasks[task].signal == self.tasks[target].signal {
            return true;
        }
        let own = self.cred_of(task);
        let theirs = self.cred_of(target);
        let (uid, gid) = match mode {
            Mode::ReadFscreds => (own.fsuid, own.fsgid),
            Mode::ReadRealcreds => (own.uid, own.gid),
        };
        // 2. All the target's ids are the caller's, or CAP_SYS_PTRACE in the target's namespace.
        let same_ids = [theirs.uid, theirs.euid, theirs.suid] == [uid; 3]
            && [theirs.gid, theirs.egid, theirs.sgid] == [gid; 3];
        if !same_ids && !self.ns_capable(task, theirs.user_ns, Cap::SysPtrace) {
            return false;
        }
        // 3. A target not dumpable takes CAP_SYS_PTRACE where its last exec put it.
        let (dumpable, exec_ns) = self.task_still_dumpable(target);
        if !dumpable && !self.ns_capable(task, exec_ns, Cap::SysPtrace) {
            return false;
        }
        // 4. No more capabilities there than here, or CAP_SYS_PTRACE.
        let caps = match mode {
            Mode::ReadFscreds => own.cap_effective,
            Mode::ReadRealcreds => own.cap_permitted,
        };
        let no_gain = own.user_ns == theirs.user_ns && theirs.cap_permitted.within(caps);
        if !no_gain && !self.ns_capable(task, theirs.user_ns, Cap::SysPtrace) {
            return false;
        }
        self.params.hook(Hook::PtraceAccess).is_none()
    }

    /// Whether its user may look into a task, and the user namespace in which
    /// `CAP_SYS_PTRACE` does it else.
    fn task_still_dumpable(&self, target: Idx<Task>) -> (bool, Idx<UserNamespace>) {
        let Task { mm, exec_state, user_dumpable, .. } = self.tasks[target];
        match mm.or(exec_state) {
            Some(mm) => (self.mms[mm].dumpable == 1, self.mms[mm].user_ns),
            None => (user_dumpable || !self.params.features.dumpable_outlives_memory, self.init_user_ns),
        }
    }

    /// Who owns the files under `/proc/PID`: the task's effective ids, or a root when
    /// it is not dumpable.
    pub(crate) fn task_dump_owner(&self, task: Idx<Task>) -> (Kuid, Kgid) {
        let cred = self.cred_of(task);
        let Task { mm, exec_state, .. } = self.tasks[task];
        match mm.or(exec_state) {
            Some(mm) if self.mms[mm].dumpable == 1 => (cred.euid, cred.egid),
            Some(mm) => {
                let ns = self.mms[mm].user_ns;
                (self.root_of(ns), self.make_kgid(ns, 0).unwrap_or(0))
            }
            None => (0, 0),
        }
    }

    /// Whether the caller may open a file of mode 0644 under another's /proc directory
    /// for writing.
    pub(crate) fn proc_file_writable(&self, task: Idx<Task>, target: Idx<Task>) -> bool {
        let (uid, gid) = self.task_dump_owner(target);
        self.cred_of(task).fsuid == uid || self.capable_wrt_inode(task, uid, gid, Cap::DacOverride)
    }

    /// A capability over a file: held in the caller's user namespace, which must map
    /// the file's owner and group.
    pub(crate) fn capable_wrt_inode(&self, task: Idx<Task>, uid: Kuid, gid: Kgid, cap: Cap) -> bool {
        let ns = self.current_user_ns(task);
        self.privileged_wrt_inode(ns, uid, gid) && self.ns_capable(task, ns, cap)
    }

    /// Whether a user namespace has names for both owners of a file
    /// (`privileged_wrt_inode_uidgid`).
    pub(crate) fn privileged_wrt_inode(&self, ns: Idx<UserNamespace>, uid: Kuid, gid: Kgid) -> bool {
        let maps = &self.user_ns[ns];
        maps.uid_map.up(uid).is_some() && maps.gid_map.up(gid).is_some()
    }
}
