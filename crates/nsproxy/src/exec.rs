//! What execve does to credentials, memory, threads and the time namespace
//! (`fs/exec.c`, `security/commoncap.c`).

use crate::Kernel;
use crate::arena::Idx;
use crate::capability::{Cap, CapSet};
use crate::cred::{Cred, Kgid, Kuid};
use crate::mount::{MNT_NOEXEC, MNT_NOSUID};
use crate::params::{Call, Effect, Hook};
use crate::rule::{Denial, Rule};
use crate::task::{Mm, Sighand, Task, TaskId};
use crate::uapi::{SECBIT_KEEP_CAPS, SECBIT_NOROOT, SIGCHLD};
use crate::user_namespace::UserNamespace;

/// The file to execute, as far as it matters to credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// The owner, when the set-user-ID bit is set; else it belongs to root.
    pub setuid: Option<Kuid>,
    /// The group, when the set-group-ID bit is set; else it is root's.
    pub setgid: Option<Kgid>,
    /// File capabilities: permitted, inheritable, and whether they become effective.
    pub caps: Option<FileCaps>,
    /// Whether its mode lets nobody read it, its owner neither.
    pub unreadable: bool,
    /// Whether it is not executable, or its mount is noexec.
    pub not_executable: bool,
    /// Whether its mount is nosuid.
    pub nosuid: bool,
}

/// Capabilities attached to a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileCaps {
    /// What the file grants.
    pub permitted: CapSet,
    /// What it passes on.
    pub inheritable: CapSet,
    /// Whether they become effective at once.
    pub effective: bool,
    /// The kuid that is root of the namespace they are good in; 0 for version 2.
    pub rootid: Kuid,
}

impl Program {
    /// Whether it is an ordinary program, as anybody may read and execute it, which leaves
    /// the ids as they are.
    pub fn ordinary(&self) -> bool {
        self.setuid.is_none() && self.setgid.is_none() && self.caps.is_none() && !self.unreadable
    }

    fn owner(&self) -> (Kuid, Kgid) {
        (self.setuid.unwrap_or(0), self.setgid.unwrap_or(0))
    }
}

impl Kernel {
    /// The same program as it is at a place in the tree: its mount may have noexec, or leave
    /// it without what it would gain, for nosuid, for lying in another mount namespace, or for
    /// being of a file system that was mounted from a user namespace other than the caller's
    /// or one above (`mnt_may_suid`).
    pub fn program_at(&mut self, caller: TaskId, path: &str, program: Program) -> Result<Program, Denial> {
        let task = self.observe(caller)?;
        let at = self.lookup(task, path)?;
        let mount = &self.mounts[at.mnt];
        let below = self.in_userns(self.supers[mount.sb].user_ns, self.cred_of(task).user_ns);
        let may_suid = !mount.has(MNT_NOSUID) && self.check_mnt(task, at.mnt) && below;
        Ok(Program {
            nosuid: program.nosuid || !may_suid,
            not_executable: program.not_executable || mount.has(MNT_NOEXEC),
            ..program
        })
    }

    /// execve(2).
    pub fn execve(&mut self, caller: TaskId, program: &Program) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Execve)?;
        // execve(2) EAGAIN: the user it became has too many tasks, and has them still.
        let exceeded =
            self.tasks[task].nproc_exceeded && self.is_nproc_overlimit(self.cred_of(task).ucounts, task);
        self.refuse_if(exceeded, Rule::ExecNproc)?;
        self.tasks[task].nproc_exceeded = false;
        // execve(2) EACCES: no permission to execute, or a noexec mount.
        self.refuse_if(program.not_executable, Rule::ExecAccess)?;
        // search_binary_handler: security_bprm_check.
        self.hook(Hook::BprmCheck, Rule::ExecLsm)?;
        let mut new = self.prepare_creds(task);
        self.bprm_fill_uid(task, program, &mut new);
        let secure = self.cap_bprm_creds_from_file(task, program, &mut new)?;
        self.set_cred_ucounts(&mut new);
        self.finish_handlers(task);
        let task = self.de_thread(task);
        if secure {
            // prctl(2) PR_SET_PDEATHSIG: no parent signals a program with privileges.
            self.tasks[task].pdeath_signal = 0;
        }
        let hidden = self.would_dump(task, program);
        self.exec_mmap(task, &new, hidden.then(|| program.owner()));
        self.set_exec_dumpable(task, hidden);
        self.unshare_sighand(task);
        if let Some(files) = self.tasks[task].files {
            let own = self.dup_fd(files);
            self.tasks[task].files = Some(own);
            self.put_files(files);
            if !self.params.lacks(Effect::CloseOnExec) {
                self.do_close_on_exec(own);
            }
        }
        self.exec_task_namespaces(task);
        self.commit_creds(task, new);
        self.run_deferred();
        Ok(())
    }

    /// execve(2): set-user-ID and set-group-ID, unless something forbids to gain by exec.
    fn bprm_fill_uid(&self, task: Idx<Task>, program: &Program, new: &mut Cred) {
        if program.nosuid || self.tasks[task].no_new_privs {
            return;
        }
        // user_namespaces(7): owner and group must have a mapping, or the bits are ignored.
        let (owner, group) = program.owner();
        if !self.privileged_wrt_inode(new.user_ns, owner, group) {
            return;
        }
        if let Some(uid) = program.setuid {
            new.euid = uid;
        }
        if let Some(gid) = program.setgid {
            new.egid = gid;
        }
    }

    /// capabilities(7), "Transformation of capabilities during `execve()`". Returns whether
    /// the program has to be on its guard (`secureexec`).
    fn cap_bprm_creds_from_file(
        &self,
        task: Idx<Task>,
        program: &Program,
        new: &mut Cred,
    ) -> Result<bool, Denial> {
        let old = self.cred_of(task);
        let root = self.make_kuid(new.user_ns, 0);
        let caps = self.file_caps(program, new);
        let mut granted = caps.map_or(CapSet::EMPTY, |caps| {
            caps.permitted.and(old.cap_bset).or(caps.inheritable.and(old.cap_inheritable))
        });
        // capabilities(7), "Safety checking for capability-dumb binaries".
        let lacking = caps.is_some_and(|caps| caps.effective && !caps.permitted.within(granted));
        self.refuse_if(lacking, Rule::ExecCaps)?;
        let mut effective = caps.is_some_and(|caps| caps.effective);
        let (is_real, is_effective) = (Some(new.uid) == root, Some(new.euid) == root);
        // handle_privileged_root: the name of root counts for all capabilities, unless
        // SECBIT_NOROOT says no, or a program of root's for others has capabilities of its own.
        let named = new.securebits & SECBIT_NOROOT == 0 && root.is_some();
        if named && !(caps.is_some() && is_effective && !is_real) {
            if is_effective || is_real {
                granted = old.cap_bset.or(old.cap_inheritable);
            }
            effective |= is_effective;
        }
        // From 6.17 on against the effective ids of before, until then against the real ones.
        let id_changed = if self.params.since(6, 17) {
            new.euid != old.euid || !old.in_group(new.egid)
        } else {
            new.euid != old.uid || new.egid != old.gid
        };
        if (id_changed || !granted.within(old.cap_permitted)) && self.unsafe_exec(task) {
            // No gain for a task that others could steer, or that gave up gaining.
            if self.tasks[task].no_new_privs || !self.ns_capable(task, new.user_ns, Cap::Setuid) {
                new.euid = new.uid;
                new.egid = new.gid;
            }
            granted = granted.and(old.cap_permitted);
        }
        if id_changed || caps.is_some() {
            new.cap_ambient = CapSet::EMPTY;
        }
        new.suid = new.euid;
        new.fsuid = new.euid;
        new.sgid = new.egid;
        new.fsgid = new.egid;
        new.cap_permitted = granted.or(new.cap_ambient);
        new.cap_effective = if effective { new.cap_permitted } else { new.cap_ambient };
        new.securebits &= !SECBIT_KEEP_CAPS;
        let gained = effective || !new.cap_permitted.within(new.cap_ambient);
        Ok(id_changed || new.euid != old.uid || new.egid != old.gid || !is_real && gained)
    }

    /// File capabilities count in the namespace whose root they were made for and below.
    fn file_caps(&self, program: &Program, new: &Cred) -> Option<FileCaps> {
        let caps = program.caps.filter(|_| !program.nosuid)?;
        let above = |ns: &Idx<UserNamespace>| self.user_ns[*ns].common.owner;
        let mut owned = core::iter::successors(Some(new.user_ns), above);
        owned.any(|ns| self.make_kuid(ns, 0) == Some(caps.rootid)).then_some(caps)
    }

    /// prctl(2) `PR_SET_NO_NEW_PRIVS`, or a root directory shared with another process.
    fn unsafe_exec(&self, task: Idx<Task>) -> bool {
        // check_unsafe_exec: not all threads need have it in common.
        let fs = self.tasks[task].fs;
        let threads = self.threads(task).into_iter().filter(|thread| self.tasks[*thread].fs == fs);
        let shared = fs.is_some_and(|fs| self.fss[fs].users as usize > threads.count());
        shared || self.tasks[task].no_new_privs
    }

    /// execve(2): the other threads end, and the caller takes the leader's place.
    fn de_thread(&mut self, task: Idx<Task>) -> Idx<Task> {
        let signal = self.tasks[task].signal;
        let leader = self.signals[signal].leader;
        // zap_other_threads: in the order of the ring, the leader too. Their children hear of
        // that end as of any other, and become the caller's in the end.
        for thread in self.threads(task).into_iter().skip(1) {
            if self.is_alive(thread) {
                self.do_exit(thread, 0);
            }
        }
        if task != leader {
            self.replace_leader(task, leader);
        }
        // Whatever clone was told: an executed program ends with SIGCHLD.
        self.tasks[task].exit_signal = u8::try_from(SIGCHLD).ok();
        self.tasks[task].self_exec_id += 1;
        self.tasks[task].executed = true;
        task
    }

    /// The caller gets the leader's number, parent and place; the leader gets the
    /// caller's and goes.
    fn replace_leader(&mut self, task: Idx<Task>, leader: Idx<Task>) {
        let (own_pid, leader_pid) = (self.tasks[task].pid, self.tasks[leader].pid);
        let signal = self.tasks[task].signal;
        let exit_signal = self.tasks[leader].exit_signal;
        let parent = self.tasks[leader].real_parent;
        if let Some(parent) = parent {
            self.replace_child(parent, leader, task);
        }
        self.signals[signal].leader = task;
        self.tasks[task].pid = leader_pid;
        self.tasks[task].exit_signal = exit_signal;
        self.tasks[leader].pid = own_pid;
        self.tasks[leader].exit_signal = None;
        self.pids[leader_pid].task = Some(task);
        self.pids[own_pid].task = Some(leader);
        self.release_task(leader);
    }

    /// execve(2): whether the memory would show what the caller may not read.
    fn would_dump(&self, task: Idx<Task>, program: &Program) -> bool {
        let (uid, gid) = program.owner();
        let able = |cap| self.capable_wrt_inode(task, uid, gid, cap);
        program.unreadable && !able(Cap::DacReadSearch) && !able(Cap::DacOverride)
    }

    /// The new memory. `hidden` are the owners of a program that its user may not read.
    fn exec_mmap(&mut self, task: Idx<Task>, new: &Cred, hidden: Option<(Kuid, Kgid)>) {
        let mut user_ns = new.user_ns;
        // would_dump: to ptrace it takes privileges where the owners of the file have names.
        while let Some((uid, gid)) = hidden
            && !self.privileged_wrt_inode(user_ns, uid, gid)
            && let Some(parent) = self.user_ns[user_ns].common.owner
        {
            user_ns = parent;
        }
        self.get_user_ns(user_ns);
        let mm = self.mms.insert(Mm { users: 1, exited: 0, dumpable: 1, user_ns, first_shm: None });
        self.mm_release(task);
        if let Some(old) = self.tasks[task].mm.replace(mm) {
            self.put_mm(task, old);
        }
    }

    /// prctl(2) `PR_SET_DUMPABLE`: set again at exec, by the credentials before it.
    fn set_exec_dumpable(&mut self, task: Idx<Task>, hidden: bool) {
        let old = self.cred_of(task);
        if hidden || old.uid != old.euid || old.gid != old.egid {
            let suid_dumpable = self.params.suid_dumpable;
            if let Some(mm) = self.tasks[task].mm {
                self.mms[mm].dumpable = suid_dumpable;
            }
        }
    }

    /// execve(2): handlers are gone, what was ignored stays ignored.
    fn unshare_sighand(&mut self, task: Idx<Task>) {
        if let Some(old) = self.tasks[task].sighand {
            let ignored = self.sighands[old].ignored;
            let new = self.sighands.insert(Sighand { count: 1, ignored, handled: 0 });
            self.tasks[task].sighand = Some(new);
            self.put_sighand(old);
        }
    }
}
