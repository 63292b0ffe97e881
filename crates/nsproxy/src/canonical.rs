//! A kernel as text in which numbers of no meaning do not show, to compare two of them.
//!
//! Every object is taken apart whole, without `..`: a field that is added does not
//! compile until it is shown here, or stands among those that need not be shown, with
//! the reason why nothing that is seen or answered depends on it.

mod mounts;
mod namespaces;
mod tasks;

use crate::Kernel;
use crate::arena::Idx;
use crate::mount::Mount;
use crate::ns_common::{NsId, NsRef, Released};
use crate::task::Task;
use crate::ucount::Ucounts;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

impl Kernel {
    /// Everything that can be seen or decides an answer, but for parameters and clocks,
    /// which stand for themselves.
    ///
    /// Left out are numbers that only name things: handles, inode numbers, the 64-bit ids
    /// of namespaces, the numbers of mounts and of peer groups, and which of them are next.
    /// In their place stands the order of age, which decides what may be mounted where and
    /// what is listed first. Process numbers, descriptors, interface indices and the
    /// identifiers of System V objects are arguments of calls, and are shown.
    pub fn canonical(&self) -> String {
        let mut view = View::new(self);
        view.kernel();
        view.text
    }
}

impl PartialEq for Kernel {
    fn eq(&self, other: &Self) -> bool {
        self.params == other.params && self.clocks == other.clocks && self.canonical() == other.canonical()
    }
}

impl Eq for Kernel {}

/// What is written so far, and the names given.
struct View<'a> {
    kernel: &'a Kernel,
    /// Namespaces, oldest first.
    namespaces: BTreeMap<NsRef, usize>,
    /// Mounts, oldest first.
    mounts: BTreeMap<Idx<Mount>, usize>,
    /// Everything else: named in the order in which it is met.
    met: BTreeMap<(&'static str, u32), usize>,
    text: String,
}

impl<'a> View<'a> {
    fn new(kernel: &'a Kernel) -> Self {
        let mut namespaces = kernel.all_ns();
        namespaces.sort_by_key(|ns| (kernel.common(*ns).id, ns.kind()));
        let mut mounts = kernel.mounts.indices();
        mounts.sort_by_key(|mnt| kernel.mounts[*mnt].id);
        Self {
            kernel,
            namespaces: namespaces.into_iter().enumerate().map(|(age, ns)| (ns, age)).collect(),
            mounts: mounts.into_iter().enumerate().map(|(age, mnt)| (mnt, age)).collect(),
            met: BTreeMap::new(),
            text: String::new(),
        }
    }

    fn say(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn meet(&mut self, kind: &'static str, raw: u32) -> usize {
        let next = self.met.len();
        *self.met.entry((kind, raw)).or_insert(next)
    }

    fn ns(&self, ns: NsRef) -> String {
        format!("{}{}", ns.kind(), self.namespaces[&ns])
    }

    /// A namespace that may be gone. A handle is never good again, so that all that are
    /// gone are alike.
    fn ns_if_alive(&self, ns: Option<NsId>) -> Option<String> {
        ns.map(|ns| self.kernel.resolve_ns(ns).map_or(String::from("gone"), |ns| self.ns(ns)))
    }

    fn mount(&self, mnt: Idx<Mount>) -> usize {
        self.mounts[&mnt]
    }

    /// A task by its number in the first pid namespace, where all have one.
    fn task_number(&self, task: Idx<Task>) -> u32 {
        let kernel = self.kernel;
        kernel.pid_nr_ns(kernel.tasks[task].pid, kernel.init_pid_ns)
    }

    /// A record of charges: user namespace and uid.
    fn charged(&self, record: Idx<Ucounts>) -> String {
        let Ucounts { ns, uid, .. } = self.kernel.ucounts[record];
        format!("{} {uid}", self.ns(NsRef::User(ns)))
    }

    fn kernel(&mut self) {
        let Kernel {
            // Shown part by part below.
            tasks,
            mounts: _,
            supers: _,
            dentries: _,
            user_ns: _,
            mnt_ns: _,
            uts_ns: _,
            ipc_ns: _,
            pid_ns: _,
            cgroup_ns: _,
            net_ns: _,
            time_ns: _,
            ucounts,
            cgroups: _,
            pids_cgroups: _,
            // Shown where a task has them.
            signals: _,
            sighands: _,
            mms: _,
            fss: _,
            files: _,
            fds: _,
            files_open: _,
            creds: _,
            nsproxies: _,
            sysv: _,
            shm_attached: _,
            pids: _,
            upids: _,
            // Shown where a mount has it.
            idmaps: _,
            // Compared beside the text.
            params: _,
            clocks: _,
            released,
            host_refs,
            first_signal,
            // How many are shown.
            nr_threads: _,
            // How things are found, and no more.
            idr_nodes: _,
            ucounts_hash: _,
            recent_ucounts: _,
            shm_creators: _,
            // Empty between two calls.
            copies: _,
            ahead: _,
            zap_wakeups: _,
            autokill: _,
            due: _,
            dying_mnt_ns: _,
            unmounting: _,
            // Numbers of no meaning.
            free_inums: _,
            next_inum: _,
            next_ns_id: _,
            next_mount_id: _,
            next_group: _,
            next_device: _,
            // Always the same ones.
            init_user_ns: _,
            init_pid_ns: _,
            init_net: _,
            init_namespaces: _,
        } = self.kernel;
        let mut numbered: Vec<(u32, Idx<Task>)> =
            tasks.iter().map(|(idx, _)| (self.task_number(idx), idx)).collect();
        numbered.sort_unstable();
        let first = self.task_number(self.kernel.signals[*first_signal].leader);
        self.say(&format!("first process {first}"));
        for (_, task) in numbered {
            self.task(task);
        }
        let mut namespaces: Vec<(usize, NsRef)> =
            self.namespaces.iter().map(|(ns, age)| (*age, *ns)).collect();
        namespaces.sort_unstable();
        for (_, ns) in namespaces {
            self.namespace(ns);
        }
        self.all_mounts();
        self.all_cgroups();
        let mut lines: Vec<String> = ucounts.iter().map(|(idx, record)| self.ucounts(idx, record)).collect();
        lines.extend(released.iter().map(|released| self.released(released)));
        lines.extend(host_refs.iter().map(|ns| format!("the host holds {}", self.ns(*ns))));
        // None comes before another in anything that is seen.
        lines.sort_unstable();
        for line in lines {
            self.say(&line);
        }
    }

    fn ucounts(&self, idx: Idx<Ucounts>, record: &Ucounts) -> String {
        let (namespaces, tasks) = record.charges();
        format!("charged to {}: {namespaces:?} {tasks}", self.charged(idx))
    }

    fn released(&self, released: &Released) -> String {
        let (kind, ucounts) = released.holds();
        let charged = ucounts.map(|record| self.charged(record));
        format!("released {kind} charged to {charged:?}")
    }
}
