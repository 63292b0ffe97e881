//! A system call as a value: to decode, to generate, to replay, to compare.

mod decode;
mod exact;
mod parse;
mod print;

pub use parse::{ParseError, clone_flags};

use crate::{
    CapSets, Child, CloneArgs, Denial, Disposition, Fd, IpcSysctl, Kernel, MapKind, MntIdReq, MountAttr,
    NsAnswer, NsHandle, NsIdReq, NsIoctl, NsKind, NsLink, PidfdAnswer, PidfdIoctl, Prctl, ProcOptions,
    Program, Reboot, Resource, SemOp, TaskId, Waited,
};
use alloc::string::String;
use alloc::vec::Vec;

/// What is odd about the argument of a clone3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloneOddity {
    /// The structure is larger than a page.
    SizeTooBig,
    /// The structure is smaller than its first version.
    SizeTooSmall,
    /// The structure ends before the cgroup field.
    NoCgroupField,
    /// The structure cannot be read.
    Fault,
    /// Bytes after the known part are not zero.
    Tail,
    /// `set_tid_size` without `set_tid`.
    SetTidNull,
    /// `set_tid` with a size of zero.
    SetTidEmpty,
    /// `set_tid` cannot be read.
    SetTidFault,
    /// A stack without a size.
    StackWithoutSize,
    /// The pidfd cannot be stored.
    PidfdFault,
}

impl CloneOddity {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::SizeTooBig,
        Self::SizeTooSmall,
        Self::NoCgroupField,
        Self::Fault,
        Self::Tail,
        Self::SetTidNull,
        Self::SetTidEmpty,
        Self::SetTidFault,
        Self::StackWithoutSize,
        Self::PidfdFault,
    ];

    fn apply(self, args: &mut CloneArgs<'_>) {
        match self {
            Self::SizeTooBig => args.size = 4097,
            Self::SizeTooSmall => args.size = 63,
            Self::NoCgroupField => args.size = 80,
            Self::Fault => args.fault = true,
            Self::Tail => {
                args.size = 96;
                args.unknown_tail = true;
            }
            Self::SetTidNull => args.set_tid_size = 1,
            Self::SetTidEmpty => args.set_tid = Some(&[]),
            Self::SetTidFault => {
                args.set_tid = Some(&[]);
                args.set_tid_size = 1;
            }
            Self::StackWithoutSize => args.stack = 0x1_0000,
            Self::PidfdFault => args.pidfd = CloneArgs::BAD_ADDRESS,
        }
    }
}

/// What is done to the handle of a namespace before it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HandleTwist {
    /// Nothing.
    None,
    /// Another id.
    Id,
    /// Another type.
    Type,
}

/// Which mount a listmount or a statmount is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MountWanted {
    /// `LSMT_ROOT`: the root, of which only listmount knows.
    Root,
    /// The one in which the place of this descriptor lies.
    Of(Fd),
    /// A number that no mount has.
    Nobody,
}

/// Which mount namespace it looks into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MntNsWanted {
    /// The caller's.
    Own,
    /// By the id of the one behind this descriptor.
    Id(Fd),
    /// By this descriptor.
    Fd(Fd),
    /// By both.
    Both(Fd),
    /// An id that no mount namespace has.
    Nobody,
}

/// One call, without its caller. Numbers of processes are in the caller's pid namespace.
#[allow(missing_docs)] // Each stands for the method of the same name, with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    Clone(u64),
    Clone3 { flags: u64, exit_signal: u64, set_tid: Vec<i32>, cgroup: Fd },
    Clone3Odd { flags: u64, oddity: CloneOddity },
    Unshare(u64),
    Setns { fd: Fd, flags: u32 },
    Exit(u8),
    ExitGroup(u8),
    Wait { pid: i32, options: u32 },
    Kill { pid: i32, signal: u32 },
    PidfdSendSignal { fd: Fd, signal: u32, flags: u32 },
    Tgkill { tgid: i32, tid: i32, signal: u32 },
    Sigaction { signal: u32, to: Disposition },
    Sigprocmask(u64),
    Execve(Program),
    Setuid(u32),
    Setgid(u32),
    Setreuid([u32; 2]),
    Setregid([u32; 2]),
    Setresuid([u32; 3]),
    Setresgid([u32; 3]),
    Setfsuid(u32),
    Setfsgid(u32),
    Setgroups(Vec<u32>),
    Capset(CapSets),
    CapsetOf { pid: i32, sets: CapSets },
    Prctl(Prctl),
    Prlimit { resource: Resource, limit: u64 },
    PrlimitOf { pid: i32, resource: Resource, soft: u64, hard: u64 },
    Setpgid { pid: i32, pgid: i32 },
    Setsid,
    Reboot(Reboot),
    OpenNs { pid: i32, link: NsLink },
    OpenNsWrite { pid: i32, link: NsLink },
    ListNs(i32),
    Reopen { fd: Fd, twist: HandleTwist },
    Listns(NsIdReq),
    PidfdOpen { pid: i32, flags: u32 },
    Close(Fd),
    Dup(Fd),
    NsIoctl { fd: Fd, request: NsIoctl },
    PidfdIoctl { fd: Fd, request: PidfdIoctl },
    WriteMap { pid: i32, kind: MapKind, text: String },
    WriteSetgroups { pid: i32, text: String },
    WriteTimensOffsets { pid: i32, text: String },
    OpenMap { pid: i32, kind: MapKind },
    OpenSetgroups(i32),
    OpenTimensOffsets(i32),
    Write { fd: Fd, text: String },
    WriteMaxNamespaces { kind: NsKind, limit: i64 },
    WriteHostname(String),
    WritePidMax(i64),
    WriteNsLastPid(i64),
    WriteIpcSysctl { which: IpcSysctl, value: u64 },
    Sethostname(String),
    SethostnameOdd { length: i64, fault: bool },
    Setdomainname(String),
    Chroot(String),
    Chdir(String),
    PivotRoot { new: String, old: String },
    Mount { source: String, target: String, fstype: String, flags: u64 },
    Umount { target: String, flags: u32 },
    MountSetattr { path: String, flags: u32, attr: MountAttr },
    MountSetattrFd { fd: Fd, flags: u32, attr: MountAttr },
    OpenTree { path: String, flags: u32 },
    Fsmount { fstype: String, flags: u32, attr: u64 },
    MoveMount { fd: Fd, target: String },
    MountProc { pidns: Fd, target: String },
    Listmount { mount: MountWanted, ns: MntNsWanted, flags: u32 },
    Statmount { mount: MountWanted, ns: MntNsWanted, flags: u32 },
    BindNamespace { fd: Fd, target: String },
    Mkdir(String),
    Mknod(String),
    Shmget { key: i32, size: u64, flags: u32 },
    Shmat(i32),
    Shmdt(i32),
    ShmRemove(i32),
    Semget { key: i32, count: usize, flags: u32 },
    Semop { id: i32, op: SemOp },
    SemValue { id: i32, number: u16 },
    SemRemove(i32),
    Msgget { key: i32, flags: u32 },
    Msgsnd { id: i32, kind: i64, text: Vec<u8> },
    Msgrcv(i32),
    MsgRemove(i32),
    MqOpen { name: String, create: bool, exclusive: bool },
    MqUnlink(String),
    AddVeth { name: String, peer: String },
    MoveDevice { name: String, fd: Fd },
    SetDeviceUp { name: String, up: bool },
    DeleteDevice(String),
    Socket,
    ConnectLoopback(Fd),
    SocketNamespace(Fd),
    CgroupMkdir(String),
    CgroupRmdir(String),
    CgroupMove { path: String, pid: i32 },
    CgroupChown { path: String, owner: u32 },
    CgroupPidsMax { path: String, max: Option<u32> },
    CgroupSubtreeControl { path: String, on: bool },
    OpenCgroup(String),
    Settle,
}

/// What a call answers when it is not refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nothing but success.
    Done,
    /// A number: bytes written, an identifier, a new session.
    Number(u64),
    /// A descriptor.
    Fd(Fd),
    /// A new task.
    Child(Child),
    /// The end of a child.
    Waited(Waited),
    /// The answer of a request on a namespace file.
    Ns(NsAnswer),
    /// The answer of a request on a pidfd.
    Pidfd(PidfdAnswer),
    /// A message, or none yet.
    Message(Option<Vec<u8>>),
    /// Ids of namespaces.
    Ids(Vec<u64>),
}

fn number(value: i32) -> Reply {
    Reply::Number(u64::from(value.unsigned_abs()))
}

fn twist_handle(mut handle: NsHandle, twist: HandleTwist) -> NsHandle {
    match twist {
        HandleTwist::None => {}
        HandleTwist::Id => handle.ns_id = u64::MAX,
        HandleTwist::Type => handle.ns_type = 1,
    }
    handle
}

fn length(value: usize) -> Reply {
    Reply::Number(value as u64)
}

impl Kernel {
    /// Makes a call.
    pub fn apply(&mut self, task: TaskId, op: &Op) -> Result<Reply, Denial> {
        let done = |()| Reply::Done;
        match op {
            Op::Clone(flags) => self.sys_clone(task, *flags).map(Reply::Child),
            Op::Clone3 { flags, exit_signal, set_tid, cgroup } => {
                let mut args = CloneArgs::new(*flags).with_exit_signal(*exit_signal);
                if !set_tid.is_empty() {
                    args = args.with_set_tid(set_tid);
                }
                args.cgroup = u64::try_from(*cgroup).unwrap_or(u64::MAX);
                self.clone3(task, &args).map(Reply::Child)
            }
            Op::Clone3Odd { flags, oddity } => {
                let mut args = CloneArgs::new(*flags);
                oddity.apply(&mut args);
                self.clone3(task, &args).map(Reply::Child)
            }
            Op::Unshare(flags) => self.unshare(task, *flags).map(done),
            Op::Setns { fd, flags } => self.setns(task, *fd, *flags).map(done),
            Op::Exit(code) => self.exit(task, *code).map(done),
            Op::ExitGroup(code) => self.exit_group(task, *code).map(done),
            Op::Wait { pid, options } => self.wait4(task, *pid, *options).map(Reply::Waited),
            Op::Kill { pid, signal } => self.kill(task, *pid, *signal).map(done),
            Op::PidfdSendSignal { fd, signal, flags } => {
                self.pidfd_send_signal(task, *fd, *signal, *flags).map(done)
            }
            Op::Tgkill { tgid, tid, signal } => self.tgkill(task, *tgid, *tid, *signal).map(done),
            Op::Sigaction { signal, to } => self.sigaction(task, *signal, *to).map(done),
            Op::Sigprocmask(blocked) => self.sigprocmask(task, *blocked).map(done),
            Op::Execve(program) => self.execve(task, program).map(done),
            Op::Setpgid { pid, pgid } => self.setpgid(task, *pid, *pgid).map(done),
            Op::Setsid => self.setsid(task).map(|sid| Reply::Number(u64::from(sid))),
            Op::Reboot(command) => self.reboot(task, *command).map(done),
            Op::Settle => {
                self.settle();
                Ok(Reply::Done)
            }
            Op::Setuid(_)
            | Op::Setgid(_)
            | Op::Setreuid(_)
            | Op::Setregid(_)
            | Op::Setresuid(_)
            | Op::Setresgid(_)
            | Op::Setfsuid(_)
            | Op::Setfsgid(_)
            | Op::Setgroups(_)
            | Op::Capset(_)
            | Op::CapsetOf { .. }
            | Op::Prctl(_)
            | Op::Prlimit { .. }
            | Op::PrlimitOf { .. } => self.apply_cred(task, op),
            Op::WriteMap { .. }
            | Op::WriteSetgroups { .. }
            | Op::WriteTimensOffsets { .. }
            | Op::OpenMap { .. }
            | Op::OpenSetgroups(_)
            | Op::OpenTimensOffsets(_)
            | Op::Write { .. }
            | Op::WriteHostname(_)
            | Op::WritePidMax(_)
            | Op::WriteNsLastPid(_)
            | Op::WriteIpcSysctl { .. }
            | Op::WriteMaxNamespaces { .. } => self.apply_write(task, op),
            Op::OpenTree { .. }
            | Op::Fsmount { .. }
            | Op::OpenNsWrite { .. }
            | Op::ListNs(_)
            | Op::Reopen { .. }
            | Op::Listns(_)
            | Op::Listmount { .. }
            | Op::Statmount { .. }
            | Op::OpenNs { .. }
            | Op::PidfdOpen { .. }
            | Op::Close(_)
            | Op::Dup(_)
            | Op::NsIoctl { .. }
            | Op::PidfdIoctl { .. } => self.apply_file(task, op),
            Op::Chroot(_)
            | Op::Chdir(_)
            | Op::PivotRoot { .. }
            | Op::Mount { .. }
            | Op::Umount { .. }
            | Op::MountSetattr { .. }
            | Op::MountSetattrFd { .. }
            | Op::MoveMount { .. }
            | Op::MountProc { .. }
            | Op::BindNamespace { .. }
            | Op::Mkdir(_)
            | Op::Mknod(_) => self.apply_mount(task, op),
            _ => self.apply_object(task, op),
        }
    }

    fn apply_cred(&mut self, task: TaskId, op: &Op) -> Result<Reply, Denial> {
        let done = |()| Reply::Done;
        match op {
            Op::Setuid(uid) => self.setuid(task, *uid).map(done),
            Op::Setgid(gid) => self.setgid(task, *gid).map(done),
            Op::Setreuid([real, effective]) => self.setreuid(task, *real, *effective).map(done),
            Op::Setregid([real, effective]) => self.setregid(task, *real, *effective).map(done),
            Op::Setresuid([real, effective, saved]) => {
                self.setresuid(task, *real, *effective, *saved).map(done)
            }
            Op::Setresgid([real, effective, saved]) => {
                self.setresgid(task, *real, *effective, *saved).map(done)
            }
            Op::Setfsuid(uid) => self.setfsuid(task, *uid).map(|old| Reply::Number(u64::from(old))),
            Op::Setfsgid(gid) => self.setfsgid(task, *gid).map(|old| Reply::Number(u64::from(old))),
            Op::Setgroups(groups) => self.setgroups(task, groups).map(done),
            Op::Capset(sets) => self.capset(task, 0, *sets).map(done),
            Op::CapsetOf { pid, sets } => self.capset(task, *pid, *sets).map(done),
            Op::Prctl(operation) => self.prctl(task, *operation).map(done),
            Op::Prlimit { resource, limit } => self.prlimit(task, 0, *resource, *limit, *limit).map(done),
            Op::PrlimitOf { pid, resource, soft, hard } => {
                self.prlimit(task, *pid, *resource, *soft, *hard).map(done)
            }
            _ => Ok(Reply::Done),
        }
    }

    fn apply_write(&mut self, task: TaskId, op: &Op) -> Result<Reply, Denial> {
        let done = |()| Reply::Done;
        match op {
            Op::WriteMap { pid, kind, text } => self.write_map(task, *pid, *kind, text).map(length),
            Op::WriteSetgroups { pid, text } => self.write_setgroups(task, *pid, text).map(length),
            Op::WriteTimensOffsets { pid, text } => self.write_timens_offsets(task, *pid, text).map(length),
            Op::OpenMap { pid, kind } => self.open_map(task, *pid, *kind).map(Reply::Fd),
            Op::OpenSetgroups(pid) => self.open_setgroups(task, *pid).map(Reply::Fd),
            Op::OpenTimensOffsets(pid) => self.open_timens_offsets(task, *pid).map(Reply::Fd),
            Op::Write { fd, text } => self.write(task, *fd, 0, text.as_bytes()).map(length),
            Op::WriteHostname(name) => self.write_hostname_sysctl(task, name.as_bytes()).map(done),
            Op::WriteMaxNamespaces { kind, limit } => {
                self.write_max_namespaces(task, *kind, *limit).map(done)
            }
            Op::WritePidMax(value) => self.write_pid_max(task, *value).map(done),
            Op::WriteNsLastPid(value) => self.write_ns_last_pid(task, *value).map(done),
            Op::WriteIpcSysctl { which, value } => self.write_ipc_sysctl(task, *which, *value).map(done),
            _ => Ok(Reply::Done),
        }
    }

    fn apply_file(&mut self, task: TaskId, op: &Op) -> Result<Reply, Denial> {
        match op {
            Op::OpenTree { path, flags } => self.open_tree(task, path, *flags).map(Reply::Fd),
            Op::Fsmount { fstype, flags, attr } => self.fsmount(task, fstype, *flags, *attr).map(Reply::Fd),
            Op::OpenNs { pid, link } => self.open_ns(task, *pid, *link).map(Reply::Fd),
            Op::OpenNsWrite { pid, link } => self.open_ns_mode(task, *pid, *link, true).map(Reply::Fd),
            Op::Reopen { fd, twist } => {
                let handle = twist_handle(self.ns_handle(task, *fd)?, *twist);
                self.open_ns_handle(task, handle).map(Reply::Fd)
            }
            Op::Listns(request) => self.listns(task, request, 1000, 0).map(Reply::Ids),
            Op::Listmount { mount, ns, flags } => {
                let request = self.mnt_id_req(task, *mount, *ns)?;
                self.listmount(task, &request, *flags).map(Reply::Ids)
            }
            Op::Statmount { mount, ns, flags } => {
                let request = self.mnt_id_req(task, *mount, *ns)?;
                self.statmount(task, &request, *flags).map(|_| Reply::Done)
            }
            Op::ListNs(pid) => self.list_ns_of(task, *pid).map(|links| length(links.len())),
            Op::PidfdOpen { pid, flags } => self.pidfd_open(task, *pid, *flags).map(Reply::Fd),
            Op::Close(fd) => self.close(task, *fd).map(|()| Reply::Done),
            Op::Dup(fd) => self.dup(task, *fd, false).map(Reply::Fd),
            Op::NsIoctl { fd, request } => self.ns_ioctl(task, *fd, *request).map(Reply::Ns),
            Op::PidfdIoctl { fd, request } => self.pidfd_ioctl(task, *fd, *request).map(Reply::Pidfd),
            _ => Ok(Reply::Done),
        }
    }

    /// The structure that asks for a mount, as a caller fills it in.
    fn mnt_id_req(&mut self, task: TaskId, mount: MountWanted, ns: MntNsWanted) -> Result<MntIdReq, Denial> {
        const NOBODY: u64 = u64::MAX >> 2;
        let mnt_id = match mount {
            MountWanted::Root => None,
            MountWanted::Of(fd) => Some(self.mount_id(task, fd)?),
            MountWanted::Nobody => Some(NOBODY),
        };
        let mut id_of = |fd| match self.ns_ioctl(task, fd, NsIoctl::GetMntnsId)? {
            NsAnswer::Number(id) => Ok(id),
            _ => Ok(NOBODY),
        };
        let (mnt_ns_id, mnt_ns_fd) = match ns {
            MntNsWanted::Own => (0, None),
            MntNsWanted::Id(fd) => (id_of(fd)?, None),
            MntNsWanted::Fd(fd) => (0, Some(fd)),
            MntNsWanted::Both(fd) => (id_of(fd)?, Some(fd)),
            MntNsWanted::Nobody => (NOBODY, None),
        };
        Ok(MntIdReq { mnt_id, mnt_ns_id, mnt_ns_fd })
    }

    fn apply_mount(&mut self, task: TaskId, op: &Op) -> Result<Reply, Denial> {
        match op {
            Op::Chroot(path) => self.chroot(task, path),
            Op::Chdir(path) => self.chdir(task, path),
            Op::PivotRoot { new, old } => self.pivot_root(task, new, old),
            Op::Mount { source, target, fstype, flags } => self.mount(task, source, target, fstype, *flags),
            Op::Umount { target, flags } => self.umount(task, target, *flags),
            Op::MountSetattr { path, flags, attr } => self.mount_setattr(task, path, *flags, attr),
            Op::MountSetattrFd { fd, flags, attr } => self.mount_setattr_fd(task, *fd, *flags, attr),
            Op::MoveMount { fd, target } => self.move_mount(task, *fd, target),
            Op::MountProc { pidns, target } => {
                let options = ProcOptions { pidns: Some(*pidns), ..ProcOptions::default() };
                self.mount_proc(task, target, 0, &options)
            }
            Op::BindNamespace { fd, target } => self.bind_namespace(task, *fd, target),
            Op::Mkdir(path) => self.mkdir(task, path),
            Op::Mknod(path) => self.mknod(task, path),
            _ => Ok(()),
        }
        .map(|()| Reply::Done)
    }

    fn apply_object(&mut self, task: TaskId, op: &Op) -> Result<Reply, Denial> {
        let done = |()| Reply::Done;
        match op {
            Op::Sethostname(name) => self.sethostname(task, name.as_bytes()).map(done),
            Op::SethostnameOdd { length, fault } => {
                let name = [b'x'; 128];
                self.sethostname_raw(task, (!fault).then_some(&name[..]), *length).map(done)
            }
            Op::Setdomainname(name) => self.setdomainname(task, name.as_bytes()).map(done),
            Op::Shmget { key, size, flags } => self.shmget(task, *key, *size, *flags).map(number),
            Op::Shmat(id) => self.shmat(task, *id).map(done),
            Op::Shmdt(id) => self.shmdt(task, *id).map(done),
            Op::ShmRemove(id) => self.shm_remove(task, *id).map(done),
            Op::Semget { key, count, flags } => self.semget(task, *key, *count, *flags).map(number),
            Op::Semop { id, op } => self.semop(task, *id, *op).map(number),
            Op::SemValue { id, number: which } => self.sem_value(task, *id, *which).map(number),
            Op::SemRemove(id) => self.sem_remove(task, *id).map(done),
            Op::Msgget { key, flags } => self.msgget(task, *key, *flags).map(number),
            Op::Msgsnd { id, kind, text } => self.msgsnd(task, *id, *kind, text).map(done),
            Op::Msgrcv(id) => {
                let message = self.msgrcv(task, *id)?;
                Ok(Reply::Message(message.map(|(_, text)| text)))
            }
            Op::MsgRemove(id) => self.msg_remove(task, *id).map(done),
            Op::MqOpen { name, create, exclusive } => {
                self.mq_open(task, name, *create, *exclusive).map(Reply::Fd)
            }
            Op::MqUnlink(name) => self.mq_unlink(task, name).map(done),
            Op::AddVeth { name, peer } => self.add_veth(task, name, peer).map(done),
            Op::MoveDevice { name, fd } => self.move_device(task, name, *fd).map(done),
            Op::SetDeviceUp { name, up } => self.set_device_up(task, name, *up).map(done),
            Op::DeleteDevice(name) => self.delete_device(task, name).map(done),
            Op::SocketNamespace(fd) => self.socket_namespace(task, *fd).map(Reply::Fd),
            Op::Socket => self.socket(task).map(Reply::Fd),
            Op::ConnectLoopback(fd) => self.connect_loopback(task, *fd).map(done),
            Op::CgroupMkdir(path) => self.cgroup_mkdir(task, path).map(done),
            Op::CgroupRmdir(path) => self.cgroup_rmdir(task, path).map(done),
            Op::CgroupMove { path, pid } => self.cgroup_move(task, path, *pid).map(done),
            Op::CgroupChown { path, owner } => self.cgroup_chown(task, path, *owner).map(done),
            Op::CgroupPidsMax { path, max } => self.cgroup_set_pids_max(task, path, *max).map(done),
            Op::CgroupSubtreeControl { path, on } => {
                self.cgroup_set_subtree_control(task, path, *on).map(done)
            }
            Op::OpenCgroup(path) => self.open_cgroup(task, path).map(Reply::Fd),
            _ => Ok(Reply::Done),
        }
    }
}
