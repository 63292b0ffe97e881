//! A kernel as text in which handles do not show, to compare two of them.

use crate::Kernel;
use crate::arena::Idx;
use crate::file::FileKind;
use crate::ns_common::NsRef;
use crate::task::Task;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

impl Kernel {
    /// Everything that can be seen, with handles numbered in the order in which a
    /// walk from the first process meets them. Inode numbers and ids are left out.
    pub fn canonical(&self) -> String {
        let mut walk = Walk { kernel: self, seen: BTreeMap::new(), todo: Vec::new(), text: String::new() };
        walk.run();
        walk.text
    }
}

impl PartialEq for Kernel {
    fn eq(&self, other: &Self) -> bool {
        self.params == other.params && self.clocks == other.clocks && self.canonical() == other.canonical()
    }
}

impl Eq for Kernel {}

/// A walk over everything reachable, which names things by the order of their appearance.
struct Walk<'a> {
    kernel: &'a Kernel,
    seen: BTreeMap<(&'static str, u32), usize>,
    todo: Vec<NsRef>,
    text: String,
}

impl Walk<'_> {
    fn name(&mut self, kind: &'static str, raw: u32) -> usize {
        let next = self.seen.len();
        *self.seen.entry((kind, raw)).or_insert(next)
    }

    fn ns(&mut self, ns: NsRef) -> usize {
        let raw = self.kernel.ns_id(ns).index;
        let key = (ns.kind().name(), raw);
        if !self.seen.contains_key(&key) {
            self.todo.push(ns);
        }
        self.name(key.0, key.1)
    }

    fn say(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn run(&mut self) {
        let kernel = self.kernel;
        let mut tasks: Vec<(u32, Idx<Task>)> = kernel
            .tasks
            .iter()
            .map(|(idx, task)| (kernel.pid_nr_ns(task.pid, kernel.init_pid_ns), idx))
            .collect();
        tasks.sort_unstable();
        for (number, task) in tasks {
            self.task(number, task);
        }
        while let Some(ns) = self.todo.pop() {
            self.namespace(ns);
        }
        for released in &kernel.released {
            self.say(&format!("released {}", released.kind));
        }
    }

    fn task(&mut self, number: u32, idx: Idx<Task>) {
        let kernel = self.kernel;
        let task = &kernel.tasks[idx];
        let numbers: Vec<u32> = kernel.upids(task.pid).map(|upid| upid.nr).collect();
        let signal = kernel.signal_of(idx);
        let place = |at: Option<Idx<Task>>| {
            at.map_or(0, |at| kernel.pid_nr_ns(kernel.tasks[at].pid, kernel.init_pid_ns))
        };
        let proxy = task.nsproxy.map(|nsproxy| self.name("nsproxy", nsproxy.raw()));
        let fs = task.fs.map(|fs| self.name("fs", fs.raw()));
        let mm = task.mm.map(|mm| self.name("mm", mm.raw()));
        let sighand = task.sighand.map(|sighand| self.name("sighand", sighand.raw()));
        self.say(&format!(
            "task {number} {numbers:?} {:?} parent {} leader {} group {} session {} nsproxy {proxy:?} fs {fs:?} mm {mm:?} sighand {sighand:?}",
            task.state,
            place(task.real_parent),
            place(Some(signal.leader)),
            kernel.pid_nr_ns(signal.pgrp, kernel.init_pid_ns),
            kernel.pid_nr_ns(signal.session, kernel.init_pid_ns),
        ));
        self.say(&format!(
            " exit {:?} {} nnp {} exceeded {} pdeath {} blocked {:x} pending {:x} {:x} limits {:?} flags {} {} {} {}",
            task.exit_signal,
            task.exit_code,
            task.no_new_privs,
            task.nproc_exceeded,
            task.pdeath_signal,
            task.blocked,
            task.pending,
            signal.shared_pending,
            signal.rlimits,
            signal.unkillable,
            signal.is_child_subreaper,
            signal.has_child_subreaper,
            signal.autoreap,
        ));
        self.shared_parts(idx);
    }

    fn shared_parts(&mut self, idx: Idx<Task>) {
        let kernel = self.kernel;
        let task = &kernel.tasks[idx];
        let cred = kernel.cred_of(idx);
        let user = self.ns(NsRef::User(cred.user_ns));
        let active = self.ns(NsRef::Pid(kernel.task_active_pid_ns(idx)));
        self.say(&format!(
            " ids {:?} {:?} groups {:?} secure {} caps {:?} user {user} pid {active}",
            [cred.uid, cred.euid, cred.suid, cred.fsuid],
            [cred.gid, cred.egid, cred.sgid, cred.fsgid],
            cred.groups,
            cred.securebits,
            [cred.cap_inheritable, cred.cap_permitted, cred.cap_effective, cred.cap_bset, cred.cap_ambient],
        ));
        if let Some(nsproxy) = kernel.nsproxy_of(idx) {
            let names: Vec<usize> = nsproxy.refs().into_iter().map(|ns| self.ns(ns)).collect();
            self.say(&format!(" namespaces {names:?}"));
        }
        if let Some(mm) = task.mm {
            let dumpable = kernel.mms[mm].dumpable;
            let ns = self.ns(NsRef::User(kernel.mms[mm].user_ns));
            self.say(&format!(" dumpable {dumpable} in {ns}"));
        }
        if let Some(sighand) = task.sighand {
            let sighand = &kernel.sighands[sighand];
            self.say(&format!(" ignored {:x} handled {:x}", sighand.ignored, sighand.handled));
        }
        if let Some(fs) = task.fs {
            let fs = &kernel.fss[fs];
            let mounts = [fs.root.mnt, fs.pwd.mnt].map(|mnt| self.name("mount", mnt.raw()));
            let cwd = kernel.getcwd(kernel.task_id(idx));
            self.say(&format!(" root and directory {mounts:?} {cwd:?}"));
        }
        self.descriptors(idx);
        let cgroup = self.name("cgroup", task.cgroup.raw());
        self.say(&format!(" cgroup {cgroup} {}", kernel.cgroups[task.cgroup].name));
    }

    fn descriptors(&mut self, idx: Idx<Task>) {
        let kernel = self.kernel;
        let open = kernel.tasks[idx].files.into_iter().flat_map(|files| kernel.open_fds(files));
        for (fd, entry) in open {
            let what = match kernel.files_open[entry.file].kind {
                FileKind::Ns(ns) => format!("{} {}", ns.kind(), self.ns(ns)),
                FileKind::Pidfd { pid, thread } => {
                    format!("pidfd {} {thread}", self.name("pid", pid.raw()))
                }
                FileKind::Cgroup(cgroup) => format!("cgroup {}", self.name("cgroup", cgroup.raw())),
                FileKind::Map(ns, kind) => format!("{kind:?} map {}", self.ns(NsRef::User(ns))),
                FileKind::Setgroups(ns) => format!("setgroups {}", self.ns(NsRef::User(ns))),
                FileKind::TimensOffsets(pid) => format!("offsets {}", self.name("pid", pid.raw())),
                FileKind::Socket(net) => format!("socket {}", self.ns(NsRef::Net(net))),
                FileKind::Path { path, detached } => {
                    format!("place {} {detached}", self.name("mount", path.mnt.raw()))
                }
                FileKind::Plain => String::from("file"),
            };
            let file = self.name("file", entry.file.raw());
            self.say(&format!(" fd {fd} {} file {file} {what}", entry.cloexec));
        }
    }

    fn namespace(&mut self, ns: NsRef) {
        let kernel = self.kernel;
        let name = self.ns(ns);
        let owner = kernel.common(ns).owner.map(|owner| self.ns(NsRef::User(owner)));
        let body = match ns {
            NsRef::User(i) => {
                let user = &kernel.user_ns[i];
                format!(
                    "{} {:?} {:?} {:?} {} {} {:?} {:?}",
                    user.owner,
                    user.uid_map.extents(),
                    user.gid_map.extents(),
                    user.projid_map.extents(),
                    user.setgroups_allowed,
                    user.parent_could_setfcap,
                    user.ucount_max,
                    user.rlimit_max,
                )
            }
            NsRef::Mnt(i) => self.mounts(i),
            NsRef::Uts(i) => format!(
                "{:?} {:?}",
                kernel.uts_ns[i].nodename.as_bytes(),
                kernel.uts_ns[i].domainname.as_bytes()
            ),
            NsRef::Ipc(i) => {
                let ipc = &kernel.ipc_ns[i];
                format!("{:?} {:?} {:?} {:?} {:?}", ipc.limits, ipc.shms, ipc.sems, ipc.msgs, ipc.queues)
            }
            NsRef::Pid(i) => {
                let pid = &kernel.pid_ns[i];
                let parent = pid.parent.map(|parent| self.ns(NsRef::Pid(parent)));
                format!(
                    "{parent:?} {} {} {} {} {}",
                    pid.adding, pid.had_init, pid.pid_max, pid.cursor, pid.reboot
                )
            }
            NsRef::Cgroup(i) => format!("root {}", self.name("cgroup", kernel.cgroup_ns[i].root.raw())),
            NsRef::Net(i) => {
                let net = &kernel.net_ns[i];
                let devices: Vec<_> =
                    net.devices.iter().map(|device| (&device.name, device.ifindex, device.up)).collect();
                format!("lo {} {devices:?}", net.lo_up)
            }
            NsRef::Time(i) => {
                let time = &kernel.time_ns[i];
                format!("{:?} {:?} {}", time.monotonic, time.boottime, time.frozen)
            }
        };
        self.say(&format!("{} {name} owner {owner:?} {body}", ns.kind()));
    }

    fn mounts(&mut self, ns: Idx<crate::mount::MntNamespace>) -> String {
        let kernel = self.kernel;
        let mut lines = Vec::new();
        for mnt in kernel.mount_tree(kernel.mnt_ns[ns].root) {
            let mount = &kernel.mounts[mnt];
            let parent = mount.parent.map(|parent| self.name("mount", parent.raw()));
            let group = mount.shared().then(|| self.name("group", mount.group));
            let master = mount.master.map(|master| self.name("mount", master.raw()));
            let sb = self.name("super", mount.sb.raw());
            let root = self.name("dentry", mount.root.raw());
            let at = self.name("dentry", mount.mountpoint.raw());
            let number = self.name("mount", mnt.raw());
            lines.push(format!(
                "{number} on {parent:?} at {at} shows {sb} {root} {:x} {group:?} {master:?}",
                mount.flags
            ));
        }
        format!("{lines:?}")
    }
}
