//! The whole kernel as one value, and how it comes up.

use crate::arena::{Arena, Idx};
use crate::capability::CapSet;
use crate::cgroup::{Cgroup, CgroupNamespace, PidsCgroup};
use crate::cred::Cred;
use crate::file::{FdEntry, File, Files};
use crate::idmap::IdMap;
use crate::idr::{Idr, Node, Nodes};
use crate::ipc::{IpcNamespace, ShmAttached, SysvTask};
use crate::mount::{Dentry, FsType, MntIdmap, MntNamespace, Mount, Pair, Path, SuperBlock};
use crate::net::NetNamespace;
use crate::ns_common::{NsCommon, NsKind, NsRef, Released};
use crate::nsproxy::NsProxy;
use crate::params::{Hook, Params, ParamsMut};
use crate::pid::{Pid, Upid};
use crate::pid_namespace::PidNamespace;
use crate::rule::{Denial, Rule};
use crate::shared::Shared;
use crate::table::Table;
use crate::task::{Fs, Mm, RLIM_INFINITY, Rlimits, Sighand, Signal, State, Task, TaskId};
use crate::time_namespace::{Clocks, TimeNamespace, Timespec};
use crate::uapi::SIGCHLD;
use crate::ucount::{UCOUNT_MAX, Ucounts};
use crate::user_namespace::UserNamespace;
use crate::utsname::UtsNamespace;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// A kernel: tasks, credentials, namespaces, mounts, counters and parameters.
///
/// There is nothing outside it. A copy is independent and cheap, so a call can be
/// tried on a copy; two kernels are equal when nothing that can be seen in them, and no
/// answer they would give, differs but in numbers that only name things: handles, inode
/// numbers, the ids of namespaces, mounts and peer groups. See [`Kernel::canonical`].
#[derive(Clone, Debug)]
pub struct Kernel {
    pub(crate) params: Params,
    pub(crate) clocks: Clocks,
    pub(crate) tasks: Arena<Task>,
    /// How many there are.
    pub(crate) nr_threads: u32,
    pub(crate) signals: Arena<Signal>,
    pub(crate) sighands: Arena<Sighand>,
    pub(crate) mms: Arena<Mm>,
    pub(crate) fss: Arena<Fs>,
    pub(crate) files: Arena<Files>,
    pub(crate) fds: Arena<FdEntry>,
    pub(crate) files_open: Arena<File>,
    pub(crate) creds: Arena<Cred>,
    pub(crate) nsproxies: Arena<NsProxy>,
    pub(crate) pids: Arena<Pid>,
    pub(crate) upids: Arena<Upid>,
    pub(crate) idr_nodes: Nodes,
    pub(crate) ucounts: Arena<Ucounts>,
    pub(crate) ucounts_hash: Table,
    /// The record asked for last: one call that makes several namespaces asks for the
    /// same one each time.
    pub(crate) recent_ucounts: Option<Idx<Ucounts>>,
    pub(crate) user_ns: Arena<UserNamespace>,
    pub(crate) mnt_ns: Arena<MntNamespace>,
    pub(crate) uts_ns: Arena<UtsNamespace>,
    pub(crate) ipc_ns: Arena<IpcNamespace>,
    pub(crate) pid_ns: Arena<PidNamespace>,
    pub(crate) cgroup_ns: Arena<CgroupNamespace>,
    pub(crate) net_ns: Arena<NetNamespace>,
    pub(crate) time_ns: Arena<TimeNamespace>,
    pub(crate) mounts: Arena<Mount>,
    pub(crate) idmaps: Arena<MntIdmap>,
    pub(crate) dentries: Arena<Dentry>,
    pub(crate) supers: Arena<SuperBlock>,
    pub(crate) cgroups: Arena<Cgroup>,
    pub(crate) pids_cgroups: Arena<PidsCgroup>,
    pub(crate) sysv: Arena<SysvTask>,
    pub(crate) shm_attached: Arena<ShmAttached>,
    /// Shared memory segments whose creator still lives in their namespace.
    pub(crate) shm_creators: u32,
    /// Room for the copy of a mount tree; empty between two calls.
    pub(crate) copies: Vec<Pair>,
    /// Room for what of such a tree is still to be copied.
    pub(crate) ahead: Vec<Pair>,
    /// Dead namespaces whose charge is still to be given back.
    pub(crate) released: Vec<Released>,
    /// Dying inits that may be able to go on.
    pub(crate) zap_wakeups: Vec<Idx<Task>>,
    /// Tasks whose last pidfd is closed.
    pub(crate) autokill: Vec<TaskId>,
    /// Mount namespaces that nothing holds any more, found while another was taken down.
    pub(crate) dying_mnt_ns: Vec<Idx<MntNamespace>>,
    /// A mount namespace is being taken down.
    pub(crate) unmounting: bool,
    /// Signals that the end of a task sends, on their way, and whether as from outside
    /// the receiver's pid namespace.
    pub(crate) due: VecDeque<(TaskId, u32, bool)>,
    pub(crate) free_inums: Vec<u32>,
    pub(crate) next_inum: u32,
    pub(crate) next_ns_id: u64,
    pub(crate) next_mount_id: u64,
    pub(crate) next_group: u32,
    pub(crate) next_device: u64,
    pub(crate) init_user_ns: Idx<UserNamespace>,
    pub(crate) init_pid_ns: Idx<PidNamespace>,
    pub(crate) init_net: Idx<NetNamespace>,
    pub(crate) first_signal: Idx<Signal>,
    /// The first namespaces.
    pub(crate) init_namespaces: NsProxy,
    /// Namespaces a host made and still holds.
    pub(crate) host_refs: Vec<NsRef>,
}

impl Default for Kernel {
    fn default() -> Self {
        Self::boot(Params::default())
    }
}

/// The first namespace of a kind has fixed numbers.
fn initial(kind: NsKind, owner: Option<Idx<UserNamespace>>) -> NsCommon {
    NsCommon { count: 1, inum: kind.initial_inum(), id: kind.initial_id(), owner, ucounts: None }
}

impl Kernel {
    /// A kernel with one process, the first init: root, all capabilities, in the
    /// first namespace of every kind. The filesystem has a few empty directories
    /// and a proc on `/proc`.
    ///
    /// What lies outside the limits that the kernel itself keeps is brought to the
    /// nearest one.
    pub fn boot(params: Params) -> Self {
        let params = params.clamped();
        let mut user_ns = Arena::default();
        let mut pid_ns = Arena::default();
        let mut net_ns = Arena::default();
        let init_user_ns = user_ns.insert(init_user_namespace(params.threads_max));
        let init_pid_ns = pid_ns.insert(init_pid_namespace(params.pid_max, init_user_ns));
        let init_net = net_ns.insert(NetNamespace::new(initial(NsKind::Net, Some(init_user_ns))));
        let mut kernel = Self {
            params,
            clocks: Clocks::default(),
            tasks: Arena::default(),
            nr_threads: 1,
            signals: Arena::default(),
            sighands: Arena::default(),
            mms: Arena::default(),
            fss: Arena::default(),
            files: Arena::default(),
            fds: Arena::default(),
            files_open: Arena::default(),
            creds: Arena::default(),
            nsproxies: Arena::default(),
            pids: Arena::default(),
            upids: Arena::default(),
            idr_nodes: Nodes::default(),
            ucounts: Arena::default(),
            ucounts_hash: Table::default(),
            recent_ucounts: None,
            user_ns,
            mnt_ns: Arena::default(),
            uts_ns: Arena::default(),
            ipc_ns: Arena::default(),
            pid_ns,
            cgroup_ns: Arena::default(),
            net_ns,
            time_ns: Arena::default(),
            mounts: Arena::default(),
            idmaps: Arena::default(),
            dentries: Arena::default(),
            supers: Arena::default(),
            cgroups: Arena::default(),
            pids_cgroups: Arena::default(),
            sysv: Arena::default(),
            shm_attached: Arena::default(),
            shm_creators: 0,
            copies: Vec::new(),
            ahead: Vec::new(),
            released: Vec::new(),
            zap_wakeups: Vec::new(),
            autokill: Vec::new(),
            dying_mnt_ns: Vec::new(),
            unmounting: false,
            due: VecDeque::new(),
            free_inums: Vec::new(),
            next_inum: 0xEFFF_FFFF,
            next_ns_id: 9,
            next_mount_id: 0,
            next_group: 0,
            next_device: 0,
            init_user_ns,
            init_pid_ns,
            init_net,
            first_signal: Idx::first(),
            init_namespaces: NsProxy::default(),
            host_refs: Vec::new(),
        };
        kernel.start_init();
        kernel
    }

    fn start_init(&mut self) {
        let (nsproxy, root) = self.init_nsproxy();
        self.init_namespaces = nsproxy;
        let nsproxy = self.nsproxies.insert(nsproxy);
        let ucounts = self.alloc_ucounts(self.init_user_ns, 0);
        let cred = self.init_cred(ucounts);
        self.inc_nproc(ucounts);
        self.get_path(root);
        self.get_path(root);
        let fs = self.fss.insert(Fs { users: 1, root, pwd: root });
        let user_ns = self.get_user_ns(self.init_user_ns);
        let mm = self.mms.insert(Mm { users: 1, exited: 0, dumpable: 1, user_ns, first_shm: None });
        let sighand = self.sighands.insert(Sighand { count: 1, ignored: 0, handled: 0 });
        let cgroup = self.nsproxies[nsproxy].cgroup;
        let cgroup = self.cgroup_ns[cgroup].root;
        // The first task is its own group, session and thread ring.
        let me = Idx::first();
        let no_signal = Idx::first();
        let pid = self.alloc_pid(None, self.init_pid_ns, &[]).expect("an empty namespace has a free number");
        let init = self.tasks.insert(Task {
            pid,
            signal: no_signal,
            cred,
            nsproxy: Some(nsproxy),
            fs: Some(fs),
            files: None,
            mm: Some(mm),
            sighand: Some(sighand),
            sysv: None,
            cgroup,
            pids: None,
            real_parent: None,
            first_child: None,
            last_child: None,
            next_sibling: None,
            prev_sibling: None,
            next_thread: me,
            prev_thread: me,
            vfork_parent: None,
            vfork_child: None,
            blocked: 0,
            pending: 0,
            exit_code: 0,
            exit_signal: u8::try_from(SIGCHLD).ok(),
            pdeath_signal: 0,
            state: State::Running,
            no_new_privs: false,
            nproc_exceeded: false,
            self_exec_id: 0,
            parent_exec_id: 0,
            executed: false,
            user_dumpable: true,
            exec_state: None,
        });
        self.cgroup_post_fork(cgroup, None);
        self.pids[pid].task = Some(init);
        self.attach_pid(pid);
        self.attach_pid(pid);
        self.tasks[init].signal = self.signals.insert(Signal {
            nr_threads: 1,
            live: 1,
            leader: init,
            pgrp: pid,
            session: pid,
            next_in_group: None,
            prev_in_group: None,
            shared_pending: 0,
            group_exit_code: None,
            rlimits: Rlimits::default(),
            unkillable: true,
            is_child_subreaper: false,
            has_child_subreaper: false,
            autoreap: false,
        });
        self.first_signal = self.tasks[init].signal;
        self.link_group(self.first_signal);
        let pid_ns = &mut self.pid_ns[self.init_pid_ns];
        pid_ns.child_reaper = Some(init);
        pid_ns.had_init = true;
    }

    fn init_cred(&mut self, ucounts: Idx<Ucounts>) -> Idx<Cred> {
        let user_ns = self.get_user_ns(self.init_user_ns);
        self.creds.insert(Cred {
            count: 1,
            uid: 0,
            euid: 0,
            suid: 0,
            fsuid: 0,
            gid: 0,
            egid: 0,
            sgid: 0,
            fsgid: 0,
            groups: Shared::BLANK,
            securebits: 0,
            cap_inheritable: CapSet::EMPTY,
            cap_permitted: CapSet::FULL,
            cap_effective: CapSet::FULL,
            cap_bset: CapSet::FULL,
            cap_ambient: CapSet::EMPTY,
            user_ns,
            ucounts,
        })
    }

    fn init_nsproxy(&mut self) -> (NsProxy, Path) {
        let owner = Some(self.init_user_ns);
        let (mnt, root) = self.init_mount_tree();
        let uts =
            self.uts_ns.insert(UtsNamespace { common: initial(NsKind::Uts, owner), names: Shared::BLANK });
        let ipc = self.ipc_ns.insert(IpcNamespace::new(initial(NsKind::Ipc, owner), (0, 0)));
        let top = self.cgroups.insert(Cgroup { count: 2, ..Cgroup::default() });
        let cgroup =
            self.cgroup_ns.insert(CgroupNamespace { common: initial(NsKind::Cgroup, owner), root: top });
        let time = self.time_ns.insert(TimeNamespace {
            common: NsCommon { count: 2, ..initial(NsKind::Time, owner) },
            monotonic: Timespec::default(),
            boottime: Timespec::default(),
            frozen: true,
        });
        // The first namespaces are never freed: one count for the nsproxy, one for ever.
        self.init_counts(uts, ipc, cgroup, time, mnt);
        let nsproxy = NsProxy {
            count: 1,
            mnt,
            uts,
            ipc,
            pid_for_children: self.init_pid_ns,
            cgroup,
            net: self.init_net,
            time,
            time_for_children: time,
        };
        (nsproxy, root)
    }

    fn init_counts(
        &mut self,
        uts: Idx<UtsNamespace>,
        ipc: Idx<IpcNamespace>,
        cgroup: Idx<CgroupNamespace>,
        time: Idx<TimeNamespace>,
        mnt: Idx<MntNamespace>,
    ) {
        self.uts_ns[uts].common.count += 1;
        self.ipc_ns[ipc].common.count += 1;
        self.cgroup_ns[cgroup].common.count += 1;
        self.time_ns[time].common.count += 1;
        self.mnt_ns[mnt].common.count += 1;
        self.pid_ns[self.init_pid_ns].common.count += 1;
        self.net_ns[self.init_net].common.count += 1;
    }

    /// A root nobody sees, the disk mounted over it, and proc.
    fn init_mount_tree(&mut self) -> (Idx<MntNamespace>, Path) {
        let rootfs = self.new_super(FsType::Rootfs, self.init_user_ns, (0, 0));
        let disk = self.new_super(FsType::Disk, self.init_user_ns, (0, 0));
        let proc = self.new_super(FsType::Proc, self.init_user_ns, (0, 0));
        let pid_ns = self.init_pid_ns;
        self.pid_ns[pid_ns].common.count += 1;
        self.supers[proc].pid_ns = Some(pid_ns);
        let [bottom, top, proc_mnt] = [rootfs, disk, proc].map(|sb| {
            let root = self.supers[sb].root;
            // The kernel itself mounts the root nobody sees, without any flags.
            let flags = if sb == rootfs { 0 } else { crate::mount::MNT_RELATIME };
            let mnt = self.new_mount(sb, root, flags);
            self.put_super(sb);
            mnt
        });
        let at = self.mounts[bottom].root;
        self.hook_mount(top, bottom, at);
        let disk_root = self.mounts[top].root;
        let proc_dir = self.dentries[disk_root].children[0];
        self.hook_mount(proc_mnt, top, proc_dir);
        let ns = self.mnt_ns.insert(MntNamespace {
            common: initial(NsKind::Mnt, Some(self.init_user_ns)),
            root: bottom,
            nr_mounts: 3,
            anon: false,
        });
        for mnt in [bottom, top, proc_mnt] {
            self.mounts[mnt].ns = Some(ns);
        }
        let root = Path { mnt: top, dentry: disk_root };
        (ns, root)
    }

    /// The first process.
    pub fn init(&self) -> TaskId {
        self.task_id(self.signals[self.first_signal].leader)
    }

    /// What the kernel is configured with.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// What the kernel is configured with, to change it.
    pub fn params_mut(&mut self) -> ParamsMut<'_> {
        ParamsMut(&mut self.params)
    }

    /// One check: refuses when the condition holds and the rule is in force.
    #[inline]
    pub(crate) fn refuse_if(&self, refused: bool, rule: Rule) -> Result<(), Denial> {
        if refused { self.refuse(rule) } else { Ok(()) }
    }

    #[cold]
    fn refuse(&self, rule: Rule) -> Result<(), Denial> {
        if self.params.holds(rule) { Err(self.params.denial(rule)) } else { Ok(()) }
    }

    /// A place where something outside the namespace rules may refuse, with its own errno.
    #[inline]
    pub(crate) fn hook(&self, hook: Hook, rule: Rule) -> Result<(), Denial> {
        match self.params.hook(hook) {
            Some(errno) if self.params.holds(rule) => Err(Denial { errno, rule }),
            _ => Ok(()),
        }
    }

    /// Bytes that one more task takes beyond what it shares with its parent: its own
    /// record and those of its process, at the density at which tables are full.
    pub fn bytes_per_task(&self) -> usize {
        let numbers = (self.idr_nodes.len() * Arena::<Node>::stride()).div_ceil(self.pids.len().max(1));
        Arena::<Task>::stride()
            + Arena::<Signal>::stride()
            + Arena::<Sighand>::stride()
            + Arena::<Mm>::stride()
            + Arena::<Fs>::stride()
            + Arena::<Pid>::stride()
            + numbers
    }
}

fn init_user_namespace(threads_max: u32) -> UserNamespace {
    UserNamespace {
        common: NsCommon {
            // One for ever.
            ..initial(NsKind::User, None)
        },
        level: 0,
        owner: 0,
        uid_map: IdMap::identity(),
        gid_map: IdMap::identity(),
        projid_map: IdMap::identity(),
        setgroups_allowed: true,
        parent_could_setfcap: false,
        ucount_max: [(threads_max / 2).min(UCOUNT_MAX); 8],
        rlimit_max: [RLIM_INFINITY; 4],
    }
}

fn init_pid_namespace(pid_max: u32, owner: Idx<UserNamespace>) -> PidNamespace {
    PidNamespace {
        common: initial(NsKind::Pid, Some(owner)),
        parent: None,
        level: 0,
        adding: true,
        pid_allocated: 0,
        child_reaper: None,
        had_init: false,
        pid_max,
        cursor: 1,
        idr: Idr::default(),
        reboot: 0,
    }
}
