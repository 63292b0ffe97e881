//! Tasks, what they share, and what they have open.

use super::View;
use crate::arena::Idx;
use crate::cgroup::{Cgroup, PidsCgroup};
use crate::cred::Cred;
use crate::file::{FdEntry, File, FileKind, Files};
use crate::ipc::{ShmAttached, SysvTask};
use crate::mount::Path;
use crate::ns_common::NsRef;
use crate::nsproxy::NsProxy;
use crate::pid::{Pid, Upid};
use crate::task::{Fs, Mm, Sighand, Signal, Task};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

impl View<'_> {
    pub(super) fn task(&mut self, idx: Idx<Task>) {
        let kernel = self.kernel;
        let Task {
            pid,
            signal,
            cred,
            nsproxy,
            fs,
            files,
            mm,
            sighand,
            sysv,
            cgroup,
            pids,
            real_parent,
            // Shown as the list of children, whose order decides who is reaped first.
            first_child: _,
            last_child: _,
            next_sibling: _,
            prev_sibling: _,
            // Shown with the process.
            next_thread: _,
            prev_thread: _,
            vfork_parent,
            // Who waits for whom is shown with the child.
            vfork_child: _,
            blocked,
            pending,
            exit_code,
            exit_signal,
            pdeath_signal,
            state,
            no_new_privs,
            nproc_exceeded,
            // Only whether a parent has executed since is asked: see below.
            self_exec_id: _,
            parent_exec_id,
            executed,
            user_dumpable,
            exec_state,
        } = kernel.tasks[idx];
        let numbers = self.pid(pid);
        let parent = real_parent.map(|parent| self.task_number(parent));
        let children: Vec<u32> = kernel.children(idx).map(|child| self.task_number(child)).collect();
        let waits = vfork_parent.map(|parent| self.task_number(parent));
        let parent_executed =
            real_parent.is_some_and(|parent| kernel.tasks[parent].self_exec_id != parent_exec_id);
        self.say(&format!(
            "task {numbers} {state:?} parent {parent:?} children {children:?} vfork {waits:?}"
        ));
        // The memory of who lives answers for itself.
        let mm = mm.or(exec_state);
        let looked_into = mm.is_none() && user_dumpable;
        self.say(&format!(
            " exit {exit_signal:?} {exit_code} pdeath {pdeath_signal} blocked {blocked:x} pending {pending:x} nnp {no_new_privs} exceeded {nproc_exceeded} executed {executed} {parent_executed} dumpable {looked_into}"
        ));
        self.process(signal);
        let cred = self.cred(cred);
        self.say(&format!(" {cred}"));
        if let Some(nsproxy) = nsproxy {
            self.nsproxy(nsproxy);
        }
        if let Some(mm) = mm {
            self.mm(mm);
        }
        if let Some(sighand) = sighand {
            self.sighand(sighand);
        }
        if let Some(fs) = fs {
            self.fs(fs);
        }
        if let Some(sysv) = sysv {
            self.sysv(sysv);
        }
        if let Some(files) = files {
            self.files(files);
        }
        let charged = self.pids_cgroup(pids);
        let cgroup = self.cgroup(cgroup);
        self.say(&format!(" cgroup {cgroup} charged to {charged}"));
    }

    fn process(&mut self, idx: Idx<Signal>) {
        let Signal {
            // Counts of the threads.
            nr_threads: _,
            live: _,
            leader,
            pgrp,
            session,
            // Shown with the number of the group.
            next_in_group: _,
            prev_in_group: _,
            shared_pending,
            group_exit_code,
            rlimits,
            unkillable,
            is_child_subreaper,
            has_child_subreaper,
            autoreap,
        } = self.kernel.signals[idx];
        let threads: Vec<u32> =
            self.kernel.threads(leader).into_iter().map(|thread| self.task_number(thread)).collect();
        let (group, session) = (self.pid(pgrp), self.pid(session));
        self.say(&format!(
            " threads {threads:?} group {group} session {session} pending {shared_pending:x} exit {group_exit_code:?} flags {unkillable} {is_child_subreaper} {has_child_subreaper} {autoreap} {rlimits:?}"
        ));
    }

    /// A pid with its numbers, deepest first; one without can still be told from others.
    fn pid(&mut self, idx: Idx<Pid>) -> String {
        let Pid {
            // Uses, which are shown where they are.
            count: _,
            attached: _,
            // Shown in the list of numbers.
            nr: _,
            ns: _,
            outer: _,
            task,
            // Shown as a list, in the order in which they get a signal.
            first_in_group: _,
            freed,
        } = self.kernel.pids[idx];
        let name = self.meet("pid", idx.raw());
        let numbers: Vec<(u32, String)> = self
            .kernel
            .upids(idx)
            .map(|upid| {
                let Upid { nr, ns, outer: _ } = upid;
                (nr, self.ns(NsRef::Pid(ns)))
            })
            .collect();
        let numbers = if freed { &numbers[..1] } else { &numbers };
        let task = task.map(|task| self.task_number(task));
        let group: Vec<u32> = self
            .kernel
            .group_members(idx)
            .map(|member| self.task_number(self.kernel.signals[member].leader))
            .collect();
        format!("pid{name} {numbers:?} of {task:?} group {group:?} freed {freed}")
    }

    /// Who shares credentials with whom makes no difference.
    fn cred(&self, idx: Idx<Cred>) -> String {
        let Cred {
            count: _,
            uid,
            euid,
            suid,
            fsuid,
            gid,
            egid,
            sgid,
            fsgid,
            groups,
            securebits,
            cap_inheritable,
            cap_permitted,
            cap_effective,
            cap_bset,
            cap_ambient,
            user_ns,
            ucounts,
        } = &self.kernel.creds[idx];
        let caps = [cap_inheritable, cap_permitted, cap_effective, cap_bset, cap_ambient];
        format!(
            "ids {:?} {:?} groups {groups:?} secure {securebits} caps {caps:?} in {} charged to {}",
            [uid, euid, suid, fsuid],
            [gid, egid, sgid, fsgid],
            self.ns(NsRef::User(*user_ns)),
            self.charged(*ucounts),
        )
    }

    fn nsproxy(&mut self, idx: Idx<NsProxy>) {
        let nsproxy = &self.kernel.nsproxies[idx];
        let NsProxy {
            count: _,
            mnt: _,
            uts: _,
            ipc: _,
            pid_for_children: _,
            cgroup: _,
            net: _,
            time: _,
            time_for_children: _,
        } = nsproxy;
        let names = nsproxy.refs().map(|ns| self.ns(ns));
        let name = self.meet("nsproxy", idx.raw());
        self.say(&format!(" nsproxy{name} {names:?}"));
    }

    fn mm(&mut self, idx: Idx<Mm>) {
        let Mm { users: _, exited: _, dumpable, user_ns, first_shm } = self.kernel.mms[idx];
        let name = self.meet("mm", idx.raw());
        self.say(&format!(" mm{name} dumpable {dumpable} in {}", self.ns(NsRef::User(user_ns))));
        let mut at = first_shm;
        while let Some(shm) = at {
            let ShmAttached { ns, id, cred, next } = self.kernel.shm_attached[shm];
            let held = self.ns(NsRef::User(self.kernel.creds[cred].user_ns));
            self.say(&format!(" attached {id} of {} from {held}", self.ns(NsRef::Ipc(ns))));
            at = next;
        }
    }

    fn sighand(&mut self, idx: Idx<Sighand>) {
        let Sighand { count: _, ignored, handled } = self.kernel.sighands[idx];
        let name = self.meet("sighand", idx.raw());
        self.say(&format!(" sighand{name} ignored {ignored:x} handled {handled:x}"));
    }

    fn fs(&mut self, idx: Idx<Fs>) {
        let Fs { users: _, root, pwd } = self.kernel.fss[idx];
        let name = self.meet("fs", idx.raw());
        self.say(&format!(" fs{name} root {} directory {}", self.place(root), self.place(pwd)));
    }

    fn place(&self, path: Path) -> String {
        let Path { mnt, dentry } = path;
        format!("mount{} {:?}", self.mount(mnt), self.file_name(dentry))
    }

    /// Nobody can tell an empty list from none, until it is shared.
    fn sysv(&mut self, idx: Idx<SysvTask>) {
        let SysvTask { count, undo } = &self.kernel.sysv[idx];
        if *count > 1 || !undo.is_empty() {
            let name = self.meet("sysv", idx.raw());
            self.say(&format!(" undo{name} {undo:?}"));
        }
    }

    /// The same goes for descriptors.
    fn files(&mut self, idx: Idx<Files>) {
        let Files {
            count,
            // Where the search for a free number starts.
            next_fd: _,
            // The way from a number to what is open.
            fds: _,
        } = self.kernel.files[idx];
        let open: Vec<_> = self.kernel.open_fds(idx).collect();
        if count > 1 || !open.is_empty() {
            let name = self.meet("files", idx.raw());
            self.say(&format!(" files{name}"));
        }
        for (fd, entry) in open {
            let FdEntry { cloexec, file } = entry;
            let opened = self.file(file);
            self.say(&format!(" fd {fd} {cloexec} {opened}"));
        }
    }

    fn file(&mut self, idx: Idx<File>) -> String {
        let File { count: _, kind, cred } = self.kernel.files_open[idx];
        let what = match kind {
            FileKind::Ns(ns) => self.ns(ns),
            FileKind::Pidfd { pid, thread, autokill } => {
                format!("pidfd {} {thread} autokill {autokill}", self.pid(pid))
            }
            FileKind::Cgroup(cgroup) => format!("cgroup {}", self.cgroup(cgroup)),
            FileKind::Map(ns, kind, pid) => {
                format!("{kind:?} map of {} {}", self.ns(NsRef::User(ns)), self.pid(pid))
            }
            FileKind::Setgroups(ns, pid) => {
                format!("setgroups of {} {}", self.ns(NsRef::User(ns)), self.pid(pid))
            }
            FileKind::TimensOffsets(pid) => format!("offsets of {}", self.pid(pid)),
            FileKind::Socket(net) => format!("socket in {}", self.ns(NsRef::Net(net))),
            FileKind::Path { path, detached } => format!("place {} {detached}", self.place(path)),
            FileKind::Plain => String::from("plain"),
            FileKind::Queue { ns, number, ucounts } => {
                let maker = ucounts.map(|record| self.ns(NsRef::User(self.kernel.ucounts[record].ns)));
                let ns = self.kernel.resolve_ns(ns).map(|ns| self.ns(ns));
                format!("queue {number} of {ns:?} by {maker:?}")
            }
        };
        let name = self.meet("file", idx.raw());
        format!("file{name} {what} opened with {}", self.cred(cred))
    }

    /// One that is removed has lost its name in the tree, but not those who are in it.
    pub(super) fn cgroup(&mut self, idx: Idx<Cgroup>) -> String {
        let Cgroup {
            // Who names it.
            count: _,
            parent,
            name,
            // Shown by their own lines.
            children: _,
            owner,
            procs,
            pids,
            subtree_control,
            removed,
        } = &self.kernel.cgroups[idx];
        let pids = self.pids_cgroup(*pids);
        let met = self.meet("cgroup", idx.raw());
        let parent = parent.map(|parent| self.meet("cgroup", parent.raw()));
        format!(
            "cgroup{met} {name:?} in {parent:?} of {owner:?} tasks {procs} counted in {pids} controllers {subtree_control} removed {removed}"
        )
    }

    /// The states of the pids controller from this one up.
    fn pids_cgroup(&mut self, idx: Option<Idx<PidsCgroup>>) -> String {
        let Some(idx) = idx else { return String::from("none") };
        let PidsCgroup { parent, counter, limit, owner, online } = self.kernel.pids_cgroups[idx];
        let met = self.meet("pids", idx.raw());
        let above = self.pids_cgroup(parent);
        format!("pids{met} {counter} at most {limit:?} of {owner:?} online {online} < {above}")
    }

    pub(super) fn all_cgroups(&mut self) {
        let mut todo: Vec<Idx<Cgroup>> = self
            .kernel
            .cgroups
            .iter()
            .filter(|(_, cgroup)| cgroup.parent.is_none())
            .map(|(idx, _)| idx)
            .collect();
        while let Some(at) = todo.pop() {
            let line = self.cgroup(at);
            self.say(&line);
            let mut children = self.kernel.cgroups[at].children.clone();
            children.sort_by_key(|child| &self.kernel.cgroups[*child].name);
            todo.extend(children);
        }
    }
}
