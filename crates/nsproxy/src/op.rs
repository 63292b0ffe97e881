//! A system call as a value: to decode, to generate, to replay, to compare.

mod decode;
mod parse;

pub use parse::{ParseError, clone_flags};

use crate::{
    CapSets, Child, CloneArgs, Denial, Disposition, Fd, Kernel, MapKind, MountAttr, NsAnswer, NsIoctl,
    NsKind, NsLink, PidfdAnswer, PidfdIoctl, Prctl, Program, Reboot, Resource, SemOp, TaskId, Waited,
};
use alloc::string::String;
use alloc::vec::Vec;

/// One call, without its caller. Numbers of processes are in the caller's pid namespace.
#[allow(missing_docs)] // Each stands for the method of the same name, with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    Clone(u64),
    Clone3 { flags: u64, exit_signal: u64, set_tid: Vec<i32>, cgroup: Fd },
    Unshare(u64),
    Setns { fd: Fd, flags: u32 },
    Exit(u8),
    ExitGroup(u8),
    Wait { pid: i32, options: u32 },
    Kill { pid: i32, signal: u32 },
    PidfdSendSignal { fd: Fd, signal: u32 },
    Sigaction { signal: u32, to: Disposition },
    Sigprocmask(u64),
    Execve(Program),
    Setresuid([u32; 3]),
    Setresgid([u32; 3]),
    Setgroups(Vec<u32>),
    Capset(CapSets),
    Prctl(Prctl),
    Prlimit { resource: Resource, limit: u64 },
    Setpgid { pid: i32, pgid: i32 },
    Setsid,
    Reboot(Reboot),
    OpenNs { pid: i32, link: NsLink },
    PidfdOpen { pid: i32, flags: u32 },
    Close(Fd),
    Dup(Fd),
    NsIoctl { fd: Fd, request: NsIoctl },
    PidfdIoctl { fd: Fd, request: PidfdIoctl },
    WriteMap { pid: i32, kind: MapKind, text: String },
    WriteSetgroups { pid: i32, text: String },
    WriteTimensOffsets { pid: i32, text: String },
    WriteMaxNamespaces { kind: NsKind, limit: i64 },
    Sethostname(String),
    Setdomainname(String),
    Chroot(String),
    Chdir(String),
    PivotRoot { new: String, old: String },
    Mount { source: String, target: String, fstype: String, flags: u64 },
    Umount { target: String, flags: u32 },
    MountSetattr { path: String, flags: u32, attr: MountAttr },
    BindNamespace { fd: Fd, target: String },
    Mkdir(String),
    Mknod(String),
    Shmget { key: i32, size: u64, flags: u32 },
    Shmat(i32),
    Semget { key: i32, count: usize, flags: u32 },
    Semop { id: i32, op: SemOp },
    Msgget { key: i32, flags: u32 },
    Msgsnd { id: i32, text: Vec<u8> },
    MqOpen { name: String, create: bool },
    AddVeth { name: String, peer: String },
    MoveDevice { name: String, fd: Fd },
    SetDeviceUp { name: String, up: bool },
    Socket,
    ConnectLoopback(Fd),
    CgroupMkdir(String),
    CgroupRmdir(String),
    CgroupMove { path: String, pid: i32 },
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
}

fn number(value: i32) -> Reply {
    Reply::Number(u64::from(value.unsigned_abs()))
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
            Op::Unshare(flags) => self.unshare(task, *flags).map(done),
            Op::Setns { fd, flags } => self.setns(task, *fd, *flags).map(done),
            Op::Exit(code) => self.exit(task, *code).map(done),
            Op::ExitGroup(code) => self.exit_group(task, *code).map(done),
            Op::Wait { pid, options } => self.wait4(task, *pid, *options).map(Reply::Waited),
            Op::Kill { pid, signal } => self.kill(task, *pid, *signal).map(done),
            Op::PidfdSendSignal { fd, signal } => self.pidfd_send_signal(task, *fd, *signal, 0).map(done),
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
            Op::Setresuid(_)
            | Op::Setresgid(_)
            | Op::Setgroups(_)
            | Op::Capset(_)
            | Op::Prctl(_)
            | Op::Prlimit { .. }
            | Op::WriteMap { .. }
            | Op::WriteSetgroups { .. }
            | Op::WriteTimensOffsets { .. }
            | Op::WriteMaxNamespaces { .. } => self.apply_cred(task, op),
            Op::OpenNs { .. }
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
            | Op::BindNamespace { .. }
            | Op::Mkdir(_)
            | Op::Mknod(_) => self.apply_mount(task, op),
            _ => self.apply_object(task, op),
        }
    }

    fn apply_cred(&mut self, task: TaskId, op: &Op) -> Result<Reply, Denial> {
        let done = |()| Reply::Done;
        match op {
            Op::Setresuid([real, effective, saved]) => {
                self.setresuid(task, *real, *effective, *saved).map(done)
            }
            Op::Setresgid([real, effective, saved]) => {
                self.setresgid(task, *real, *effective, *saved).map(done)
            }
            Op::Setgroups(groups) => self.setgroups(task, groups).map(done),
            Op::Capset(sets) => self.capset(task, 0, *sets).map(done),
            Op::Prctl(operation) => self.prctl(task, *operation).map(done),
            Op::Prlimit { resource, limit } => self.prlimit(task, 0, *resource, *limit, *limit).map(done),
            Op::WriteMap { pid, kind, text } => self.write_map(task, *pid, *kind, text).map(length),
            Op::WriteSetgroups { pid, text } => self.write_setgroups(task, *pid, text).map(length),
            Op::WriteTimensOffsets { pid, text } => self.write_timens_offsets(task, *pid, text).map(length),
            Op::WriteMaxNamespaces { kind, limit } => {
                self.write_max_namespaces(task, *kind, *limit).map(done)
            }
            _ => Ok(Reply::Done),
        }
    }

    fn apply_file(&mut self, task: TaskId, op: &Op) -> Result<Reply, Denial> {
        match op {
            Op::OpenNs { pid, link } => self.open_ns(task, *pid, *link).map(Reply::Fd),
            Op::PidfdOpen { pid, flags } => self.pidfd_open(task, *pid, *flags).map(Reply::Fd),
            Op::Close(fd) => self.close(task, *fd).map(|()| Reply::Done),
            Op::Dup(fd) => self.dup(task, *fd, false).map(Reply::Fd),
            Op::NsIoctl { fd, request } => self.ns_ioctl(task, *fd, *request).map(Reply::Ns),
            Op::PidfdIoctl { fd, request } => self.pidfd_ioctl(task, *fd, *request).map(Reply::Pidfd),
            _ => Ok(Reply::Done),
        }
    }

    fn apply_mount(&mut self, task: TaskId, op: &Op) -> Result<Reply, Denial> {
        match op {
            Op::Chroot(path) => self.chroot(task, path),
            Op::Chdir(path) => self.chdir(task, path),
            Op::PivotRoot { new, old } => self.pivot_root(task, new, old),
            Op::Mount { source, target, fstype, flags } => self.mount(task, source, target, fstype, *flags),
            Op::Umount { target, flags } => self.umount(task, target, *flags),
            Op::MountSetattr { path, flags, attr } => self.mount_setattr(task, path, *flags, attr),
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
            Op::Setdomainname(name) => self.setdomainname(task, name.as_bytes()).map(done),
            Op::Shmget { key, size, flags } => self.shmget(task, *key, *size, *flags).map(number),
            Op::Shmat(id) => self.shmat(task, *id).map(done),
            Op::Semget { key, count, flags } => self.semget(task, *key, *count, *flags).map(number),
            Op::Semop { id, op } => self.semop(task, *id, *op).map(number),
            Op::Msgget { key, flags } => self.msgget(task, *key, *flags).map(number),
            Op::Msgsnd { id, text } => self.msgsnd(task, *id, 1, text).map(done),
            Op::MqOpen { name, create } => self.mq_open(task, name, *create, false).map(Reply::Fd),
            Op::AddVeth { name, peer } => self.add_veth(task, name, peer).map(done),
            Op::MoveDevice { name, fd } => self.move_device(task, name, *fd).map(done),
            Op::SetDeviceUp { name, up } => self.set_device_up(task, name, *up).map(done),
            Op::Socket => self.socket(task).map(Reply::Fd),
            Op::ConnectLoopback(fd) => self.connect_loopback(task, *fd).map(done),
            Op::CgroupMkdir(path) => self.cgroup_mkdir(task, path).map(done),
            Op::CgroupRmdir(path) => self.cgroup_rmdir(task, path).map(done),
            Op::CgroupMove { path, pid } => self.cgroup_move(task, path, *pid).map(done),
            Op::OpenCgroup(path) => self.open_cgroup(task, path).map(Reply::Fd),
            _ => Ok(Reply::Done),
        }
    }
}
