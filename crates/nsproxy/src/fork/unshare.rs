//! unshare(2) (`kernel/fork.c`).

use super::any;
use crate::Kernel;
use crate::arena::Idx;
use crate::cred::Cred;
use crate::nsproxy::NsProxy;
use crate::params::Call;
use crate::rule::{Denial, Rule};
use crate::task::{Fs, Task, TaskId};
use crate::uapi::{
    CLONE_FILES, CLONE_FS, CLONE_NEWIPC, CLONE_NEWNS, CLONE_NEWUSER, CLONE_NS_FLAGS, CLONE_SIGHAND,
    CLONE_SYSVSEM, CLONE_THREAD, CLONE_VM, UNSHARE_EMPTY_MNTNS,
};

impl Kernel {
    /// unshare(2): leaves what is shared with others, and makes new namespaces for
    /// the caller.
    pub fn unshare(&mut self, caller: TaskId, flags: u64) -> Result<(), Denial> {
        let task = self.enter_with(caller, Call::Unshare, flags)?;
        let flags = self.implied_unshare_flags(flags);
        self.check_userns_clone_sysctl(task, flags)?;
        self.check_unshare_flags(task, flags)?;
        let new_fs = self.unshare_fs(task, flags);
        let made = self.unshare_as(task, flags, new_fs);
        if let (Err(_), Some(fs)) = (&made, new_fs) {
            self.put_fs(fs);
        }
        made
    }

    /// unshare(2): some flags bring others with them.
    fn implied_unshare_flags(&self, mut flags: u64) -> u64 {
        if any(flags, CLONE_NEWUSER) {
            flags |= CLONE_THREAD | CLONE_FS;
        }
        if any(flags, CLONE_VM) {
            flags |= CLONE_SIGHAND;
        }
        if any(flags, CLONE_SIGHAND) {
            flags |= CLONE_THREAD;
        }
        if any(flags, UNSHARE_EMPTY_MNTNS) && self.params.since(7, 1) {
            flags |= CLONE_NEWNS;
        }
        if any(flags, CLONE_NEWNS) {
            flags |= CLONE_FS;
        }
        flags
    }

    fn check_unshare_flags(&self, task: Idx<Task>, flags: u64) -> Result<(), Denial> {
        let mut known =
            CLONE_NS_FLAGS | CLONE_THREAD | CLONE_FS | CLONE_SIGHAND | CLONE_VM | CLONE_FILES | CLONE_SYSVSEM;
        if self.params.since(7, 1) {
            known |= UNSHARE_EMPTY_MNTNS;
        }
        // unshare(2) EINVAL: unknown bits.
        self.refuse_if(any(flags, !known), Rule::UnshareUnknownFlags)?;
        // unshare(2) EINVAL: what all threads of a process share stays shared.
        let group = any(flags, CLONE_THREAD | CLONE_SIGHAND | CLONE_VM);
        let threads = group && !self.thread_group_empty(task);
        self.refuse_if(threads, Rule::UnshareThreads)?;
        // unshare(2) EINVAL: signal handlers shared with another process.
        let handlers = any(flags, CLONE_SIGHAND | CLONE_VM)
            && self.tasks[task].sighand.is_some_and(|sighand| self.sighands[sighand].count > 1);
        self.refuse_if(handlers, Rule::UnshareSighand)?;
        // unshare(2) EINVAL: memory shared with another process.
        let memory = any(flags, CLONE_VM) && !self.is_single_threaded(task);
        self.refuse_if(memory, Rule::UnshareVm)
    }

    /// A private root and working directory where one is needed.
    fn unshare_fs(&mut self, task: Idx<Task>, flags: u64) -> Option<Idx<Fs>> {
        let fs = self.tasks[task].fs?;
        let moves_own = self.params.features.refused_unshare_loses_root;
        let private = self.fss[fs].users == 1 && (moves_own || !any(flags, CLONE_NEWNS));
        if !any(flags, CLONE_FS) || private {
            return None;
        }
        Some(self.copy_fs_struct(fs))
    }

    fn unshare_as(&mut self, task: Idx<Task>, flags: u64, new_fs: Option<Idx<Fs>>) -> Result<(), Denial> {
        let mut new_cred = self.unshare_userns(task, flags)?;
        let made = self.unshare_nsproxy_namespaces(task, flags, new_cred.as_ref(), new_fs);
        let new_nsproxy = match made {
            Ok(nsproxy) => nsproxy,
            Err(denial) => {
                if let Some(cred) = new_cred {
                    self.abort_creds(&cred);
                }
                return Err(denial);
            }
        };
        if let Some(cred) = &mut new_cred {
            self.set_cred_ucounts(cred);
        }
        self.commit_unshare(task, flags, new_nsproxy, new_fs);
        if let Some(cred) = new_cred {
            self.commit_creds(task, cred);
        }
        Ok(())
    }

    fn unshare_userns(&mut self, task: Idx<Task>, flags: u64) -> Result<Option<Cred>, Denial> {
        if !any(flags, CLONE_NEWUSER) {
            return Ok(None);
        }
        let mut cred = self.prepare_creds(task);
        match self.create_user_ns(task, &mut cred) {
            Ok(()) => Ok(Some(cred)),
            Err(denial) => {
                self.abort_creds(&cred);
                Err(denial)
            }
        }
    }

    fn commit_unshare(
        &mut self,
        task: Idx<Task>,
        flags: u64,
        new_nsproxy: Option<Idx<NsProxy>>,
        new_fs: Option<Idx<Fs>>,
    ) {
        if any(flags, CLONE_NEWIPC | CLONE_SYSVSEM) {
            self.exit_sem(task);
        }
        if any(flags, CLONE_NEWIPC) {
            self.exit_shm(task);
        }
        if new_nsproxy.is_some() {
            self.switch_task_namespaces(task, new_nsproxy);
        }
        if let Some(fs) = new_fs
            && let Some(old) = self.tasks[task].fs.replace(fs)
        {
            self.put_fs(old);
        }
        if any(flags, CLONE_FILES)
            && let Some(files) = self.tasks[task].files
            && self.files[files].count > 1
        {
            let copy = self.dup_fd(files);
            self.tasks[task].files = Some(copy);
            self.put_files(files);
        }
    }
}
