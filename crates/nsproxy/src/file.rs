//! Open files and descriptor tables (`fs/file.c`). An open file remembers the
//! credentials it was opened with, and several rules ask for those.

use crate::Kernel;
use crate::arena::Idx;
use crate::cgroup::Cgroup;
use crate::cred::Cred;
use crate::idmap::MapKind;
use crate::idr::Idr;
use crate::mount::Path;
use crate::net::NetNamespace;
use crate::ns_common::{NsId, NsRef};
use crate::params::Call;
use crate::pid::Pid;
use crate::rule::{Denial, Rule};
use crate::task::{Resource, Task, TaskId};
use crate::uapi::CLONE_FILES;
use crate::ucount::Ucounts;
use crate::user_namespace::UserNamespace;
use alloc::vec::Vec;

/// A descriptor number.
pub type Fd = i32;

/// The standard streams are taken for granted: the first free number is 3.
const FIRST_FD: u32 = 3;

/// Above all numbers a descriptor can have.
const FD_END: u32 = Fd::MAX.cast_unsigned();

/// A descriptor table (`files_struct`).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Files {
    pub(crate) count: u32,
    /// No number below this one is free.
    pub(crate) next_fd: u32,
    /// Numbers and their [`FdEntry`].
    pub(crate) fds: Idr,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FdEntry {
    pub(crate) cloexec: bool,
    pub(crate) file: Idx<File>,
}

/// What a descriptor stands for, for those who look from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Descriptor {
    /// A namespace.
    Ns(NsId),
    /// A process or thread.
    Pidfd,
    /// A cgroup directory.
    Cgroup,
    /// A map of ids.
    Map,
    /// A setgroups file.
    Setgroups,
    /// A file of clock offsets.
    TimensOffsets,
    /// A socket.
    Socket,
    /// A place in the mount tree, or a mount attached nowhere.
    Path,
    /// Anything else.
    Plain,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct File {
    pub(crate) count: u32,
    pub(crate) kind: FileKind,
    /// The opener's credentials.
    pub(crate) cred: Idx<Cred>,
}

/// What is open; each variant holds a reference to what it names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FileKind {
    Ns(NsRef),
    Pidfd {
        pid: Idx<Pid>,
        thread: bool,
        /// `PIDFD_AUTOKILL`: its last close kills.
        autokill: bool,
    },
    Cgroup(Idx<Cgroup>),
    Map(Idx<UserNamespace>, MapKind, Idx<Pid>),
    Setgroups(Idx<UserNamespace>, Idx<Pid>),
    TimensOffsets(Idx<Pid>),
    Socket(Idx<NetNamespace>),
    /// A place, open only to be named. `detached` is the first file of a tree that is
    /// attached nowhere.
    Path {
        path: Path,
        detached: bool,
    },
    /// Any other file: no good for the calls of this crate.
    #[default]
    Plain,
    /// A POSIX message queue of this namespace, open for writing.
    Queue {
        ns: NsId,
        number: u64,
        ucounts: Option<Idx<Ucounts>>,
    },
}

impl Kernel {
    /// What is open in a table, by number.
    pub(crate) fn open_fds(&self, files: Idx<Files>) -> impl Iterator<Item = (Fd, FdEntry)> {
        let entries = self.files[files].fds.iter(&self.idr_nodes);
        entries.filter_map(|(fd, entry)| Some((fd.cast_signed(), self.fds[Idx::from_raw(entry)?])))
    }

    fn find_fd(&self, files: Idx<Files>, fd: Fd) -> Option<Idx<FdEntry>> {
        let fd = u32::try_from(fd).ok()?;
        self.files[files].fds.find(&self.idr_nodes, fd).and_then(Idx::from_raw)
    }

    /// The open file behind a descriptor; one that only names a place (`O_PATH`) is none.
    pub(crate) fn fget(&self, task: Idx<Task>, fd: Fd) -> Result<Idx<File>, Denial> {
        let file = self.fget_raw(task, fd)?;
        match self.files_open[file].kind {
            FileKind::Path { .. } => Err(self.params.denial(Rule::BadFd)),
            _ => Ok(file),
        }
    }

    /// `fdget` EBADF: no such descriptor.
    pub(crate) fn fget_raw(&self, task: Idx<Task>, fd: Fd) -> Result<Idx<File>, Denial> {
        self.tasks[task]
            .files
            .and_then(|files| self.find_fd(files, fd))
            .map(|entry| self.fds[entry].file)
            .ok_or_else(|| self.params.denial(Rule::BadFd))
    }

    /// The lowest number free (`find_next_fd`).
    fn free_fd(&self, files: Idx<Files>) -> u32 {
        let Files { next_fd, ref fds, .. } = self.files[files];
        fds.next_free(&self.idr_nodes, next_fd, FD_END).unwrap_or(FD_END)
    }

    /// getrlimit(2) `RLIMIT_NOFILE`: one above the highest number allowed.
    pub(crate) fn check_free_fd(&self, task: Idx<Task>) -> Result<(), Denial> {
        let limit = self.signal_of(task).rlimits.soft[Resource::Nofile as usize];
        let free = self.tasks[task].files.map_or(FIRST_FD, |files| self.free_fd(files));
        self.refuse_if(u64::from(free) >= limit, Rule::NoFreeFd)
    }

    /// Opens `kind`, whose reference passes to the file.
    pub(crate) fn fd_install(&mut self, task: Idx<Task>, kind: FileKind, cloexec: bool) -> Fd {
        let cred = self.get_current_cred(task);
        let file = self.files_open.insert(File { count: 1, kind, cred });
        self.install_file(task, file, cloexec)
    }

    fn install_file(&mut self, task: Idx<Task>, file: Idx<File>, cloexec: bool) -> Fd {
        let files = match self.tasks[task].files {
            Some(files) => files,
            None => self.new_files(),
        };
        self.tasks[task].files = Some(files);
        let fd = self.free_fd(files);
        let entry = self.fds.insert(FdEntry { cloexec, file });
        self.set_fd(files, fd, entry);
        self.files[files].next_fd = fd + 1;
        fd.cast_signed()
    }

    fn set_fd(&mut self, files: Idx<Files>, fd: u32, entry: Idx<FdEntry>) {
        self.files[files].fds.insert(&mut self.idr_nodes, fd, entry.raw());
    }

    /// Opens a file for a caller, or gives its reference back when no number is free.
    pub(crate) fn open_file(&mut self, task: Idx<Task>, kind: FileKind, cloexec: bool) -> Result<Fd, Denial> {
        if let Err(denial) = self.check_free_fd(task) {
            self.put_file_kind(kind);
            return Err(denial);
        }
        Ok(self.fd_install(task, kind, cloexec))
    }

    #[inline(never)]
    fn new_files(&mut self) -> Idx<Files> {
        self.files.insert(Files { count: 1, next_fd: FIRST_FD, fds: Idr::default() })
    }

    /// The child's descriptors: the same table with `CLONE_FILES`, else a copy.
    pub(crate) fn copy_files(&mut self, parent: Idx<Task>, flags: u64) -> Option<Idx<Files>> {
        if flags & CLONE_FILES != 0 {
            return Some(self.share_files(parent));
        }
        // Nobody can tell an empty table from none, until it is shared.
        self.tasks[parent].files.map(|files| self.dup_fd(files))
    }

    #[inline(never)]
    fn share_files(&mut self, task: Idx<Task>) -> Idx<Files> {
        let files = self.tasks[task].files.unwrap_or_else(|| self.new_files());
        self.tasks[task].files = Some(files);
        self.files[files].count += 1;
        files
    }

    #[inline(never)]
    pub(crate) fn dup_fd(&mut self, files: Idx<Files>) -> Idx<Files> {
        let copy = self.new_files();
        self.files[copy].next_fd = self.files[files].next_fd;
        let open: Vec<(Fd, FdEntry)> = self.open_fds(files).collect();
        for (fd, entry) in open {
            self.files_open[entry.file].count += 1;
            let entry = self.fds.insert(entry);
            self.set_fd(copy, fd.cast_unsigned(), entry);
        }
        copy
    }

    #[inline(never)]
    pub(crate) fn put_files(&mut self, files: Idx<Files>) {
        self.files[files].count -= 1;
        if self.files[files].count > 0 {
            return;
        }
        let mut fds = self.files[files].fds;
        self.files.remove(files);
        while let Some((fd, entry)) = fds.get_next(&self.idr_nodes, 0) {
            fds.remove(&mut self.idr_nodes, fd);
            if let Some(entry) = Idx::from_raw(entry) {
                let file = self.fds.take(entry).file;
                self.fput(file);
            }
        }
        fds.destroy(&mut self.idr_nodes);
    }

    fn fput(&mut self, file: Idx<File>) {
        self.files_open[file].count -= 1;
        if self.files_open[file].count > 0 {
            return;
        }
        let File { kind, cred, .. } = self.files_open[file];
        self.files_open.remove(file);
        // clone(2) CLONE_PIDFD_AUTOKILL: the last close of this pidfd kills, of no other.
        if let FileKind::Pidfd { pid, autokill: true, .. } = kind
            && let Some(task) = self.pids[pid].task
        {
            self.autokill.push(self.task_id(task));
        }
        self.put_cred(cred);
        self.put_file_kind(kind);
    }

    pub(crate) fn put_file_kind(&mut self, kind: FileKind) {
        match kind {
            FileKind::Ns(ns) => self.put_ns(ns),
            FileKind::Pidfd { pid, .. } | FileKind::TimensOffsets(pid) => self.put_pid(pid),
            FileKind::Cgroup(cgroup) => self.put_cgroup(cgroup),
            FileKind::Map(ns, _, pid) | FileKind::Setgroups(ns, pid) => {
                self.put_user_ns(ns);
                self.put_pid(pid);
            }
            FileKind::Socket(net) => self.put_net(net),
            FileKind::Path { path, detached } => {
                if detached {
                    self.dissolve_on_fput(path.mnt);
                }
                self.put_path(path);
            }
            FileKind::Queue { ns, number, ucounts } => self.close_queue(ns, number, ucounts),
            FileKind::Plain => {}
        }
    }

    /// Takes a number out of the table (`file_close_fd`).
    fn close_fd(&mut self, files: Idx<Files>, fd: Fd) {
        let Some(entry) = self.find_fd(files, fd) else { return };
        let fd = fd.cast_unsigned();
        let table = &mut self.files[files];
        table.fds.remove(&mut self.idr_nodes, fd);
        table.next_fd = table.next_fd.min(fd);
        let file = self.fds.take(entry).file;
        self.fput(file);
    }

    /// What exec closes.
    pub(crate) fn do_close_on_exec(&mut self, files: Idx<Files>) {
        let closing: Vec<Fd> =
            self.open_fds(files).filter(|(_, entry)| entry.cloexec).map(|(fd, _)| fd).collect();
        for fd in closing {
            self.close_fd(files, fd);
        }
    }

    /// Closes a descriptor.
    pub fn close(&mut self, caller: TaskId, fd: Fd) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Close)?;
        self.fget_raw(task, fd)?;
        if let Some(files) = self.tasks[task].files {
            self.close_fd(files, fd);
        }
        self.run_deferred();
        Ok(())
    }

    /// The descriptors of a task, in order.
    pub fn descriptors(&self, task: TaskId) -> Result<Vec<(Fd, Descriptor)>, Denial> {
        let task = self.observe(task)?;
        let Some(files) = self.tasks[task].files else {
            return Ok(Vec::new());
        };
        let describe = |(fd, FdEntry { file, .. })| {
            let descriptor = match self.files_open[file].kind {
                FileKind::Ns(ns) => Descriptor::Ns(self.ns_id(ns)),
                FileKind::Pidfd { .. } => Descriptor::Pidfd,
                FileKind::Cgroup(_) => Descriptor::Cgroup,
                FileKind::Map(..) => Descriptor::Map,
                FileKind::Setgroups(..) => Descriptor::Setgroups,
                FileKind::TimensOffsets(_) => Descriptor::TimensOffsets,
                FileKind::Socket(_) => Descriptor::Socket,
                FileKind::Path { .. } => Descriptor::Path,
                FileKind::Plain | FileKind::Queue { .. } => Descriptor::Plain,
            };
            (fd, descriptor)
        };
        Ok(self.open_fds(files).map(describe).collect())
    }

    /// Duplicates a descriptor, as `F_DUPFD_CLOEXEC` or `F_DUPFD` does.
    pub fn dup(&mut self, caller: TaskId, fd: Fd, cloexec: bool) -> Result<Fd, Denial> {
        let task = self.enter(caller, Call::Dup)?;
        let file = self.fget_raw(task, fd)?;
        self.check_free_fd(task)?;
        self.files_open[file].count += 1;
        Ok(self.install_file(task, file, cloexec))
    }

    /// Opens some file that is neither a namespace nor a process.
    pub fn open_plain(&mut self, caller: TaskId) -> Result<Fd, Denial> {
        let task = self.enter(caller, Call::Open)?;
        self.open_file(task, FileKind::Plain, true)
    }

    /// Opens `/proc/PID/uid_map` or one of its neighbours for writing. `pid` is in
    /// the caller's pid namespace.
    pub fn open_map(&mut self, caller: TaskId, pid: i32, kind: MapKind) -> Result<Fd, Denial> {
        let task = self.enter(caller, Call::Open)?;
        self.check_free_fd(task)?;
        let target = self.task_by_vpid(task, i64::from(pid))?;
        let file = self.proc_id_map_open(task, target, kind)?;
        self.open_file(task, file, true)
    }

    /// A file below `/proc/PID` keeps the number of its task (`proc_pid_make_inode`).
    pub(crate) fn get_task_pid(&mut self, task: Idx<Task>) -> Idx<Pid> {
        let pid = self.tasks[task].pid;
        self.pids[pid].count += 1;
        pid
    }

    /// Opens `/proc/PID/setgroups` for writing.
    pub fn open_setgroups(&mut self, caller: TaskId, pid: i32) -> Result<Fd, Denial> {
        let task = self.enter(caller, Call::Open)?;
        self.check_free_fd(task)?;
        let target = self.task_by_vpid(task, i64::from(pid))?;
        let file = self.proc_setgroups_open(task, target)?;
        self.open_file(task, file, true)
    }

    /// Opens `/proc/PID/timens_offsets` for writing.
    pub fn open_timens_offsets(&mut self, caller: TaskId, pid: i32) -> Result<Fd, Denial> {
        let task = self.enter(caller, Call::Open)?;
        self.check_free_fd(task)?;
        let target = self.task_by_vpid(task, i64::from(pid))?;
        let writable = self.proc_file_writable(task, target);
        self.refuse_if(!writable, Rule::MapOpenAccess)?;
        let pid = self.get_task_pid(target);
        self.open_file(task, FileKind::TimensOffsets(pid), true)
    }

    /// Writes to an open map, setgroups or offsets file. Returns how much was taken.
    pub fn write(&mut self, caller: TaskId, fd: Fd, offset: u64, text: &[u8]) -> Result<usize, Denial> {
        let task = self.enter(caller, Call::Write)?;
        let file = self.files_open[self.fget(task, fd)?];
        match file.kind {
            FileKind::Map(ns, kind, _) => self.map_write(task, file, ns, kind, offset, text),
            FileKind::Setgroups(ns, _) => self.proc_setgroups_write(ns, offset, text),
            FileKind::TimensOffsets(pid) => self.timens_offsets_write(file, pid, offset, text),
            _ => Err(self.params.denial(Rule::BadFd)),
        }
    }

    fn write_once(&mut self, caller: TaskId, fd: Fd, text: &[u8]) -> Result<usize, Denial> {
        let written = self.write(caller, fd, 0, text);
        self.close(caller, fd)?;
        written
    }

    /// Opens, writes and closes a map file.
    pub fn write_map(
        &mut self,
        caller: TaskId,
        pid: i32,
        kind: MapKind,
        text: &str,
    ) -> Result<usize, Denial> {
        let fd = self.open_map(caller, pid, kind)?;
        self.write_once(caller, fd, text.as_bytes())
    }

    /// Opens, writes and closes a setgroups file.
    pub fn write_setgroups(&mut self, caller: TaskId, pid: i32, text: &str) -> Result<usize, Denial> {
        let fd = self.open_setgroups(caller, pid)?;
        self.write_once(caller, fd, text.as_bytes())
    }

    /// Opens, writes and closes a time offsets file.
    pub fn write_timens_offsets(&mut self, caller: TaskId, pid: i32, text: &str) -> Result<usize, Denial> {
        let fd = self.open_timens_offsets(caller, pid)?;
        self.write_once(caller, fd, text.as_bytes())
    }
}
