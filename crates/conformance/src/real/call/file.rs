//! Calls on paths and descriptors.

use nsproxy::op::{HandleTwist, Op};
use nsproxy::{IpcSysctl, MapKind, NsIoctl, NsKind, NsLink, PidfdIoctl};

use super::super::{CGROUP_FD, PROC_FD, SPARE_FD};
use super::{Answer, Broken, Hand, arg, done};
use crate::machine::CGROUP;

/// A path that names no process.
const NOBODY: &str = "4194304";

impl Hand<'_> {
    pub(super) fn perform_file(&mut self, op: &Op) -> Result<Answer, Broken> {
        match op {
            Op::OpenNs { pid, link } => {
                let path = format!("{}/ns/{}", self.process(*pid), link.name());
                self.openat(PROC_FD, &path, libc::O_RDONLY)
            }
            Op::PidfdOpen { pid, flags } => self.plain(libc::SYS_pidfd_open, [arg(*pid), u64::from(*flags)]),
            Op::Close(fd) => self.plain(libc::SYS_close, [arg(*fd)]),
            Op::Dup(fd) => self.plain(libc::SYS_dup, [arg(*fd)]),
            Op::NsIoctl { fd, request } => self.ns_ioctl(*fd, *request),
            Op::PidfdIoctl { fd, request } => self.pidfd_ioctl(*fd, *request),
            Op::OpenNsWrite { pid, link } => {
                let path = format!("{}/ns/{}", self.process(*pid), link.name());
                self.openat(PROC_FD, &path, libc::O_RDWR)
            }
            Op::ListNs(pid) => self.list_directory(&format!("{}/ns", self.process(*pid))),
            Op::Reopen { fd, twist } => self.reopen(*fd, *twist),
            Op::Listns(request) => self.listns(request),
            Op::WriteMap { .. }
            | Op::WriteSetgroups { .. }
            | Op::WriteTimensOffsets { .. }
            | Op::OpenMap { .. }
            | Op::OpenSetgroups(_)
            | Op::OpenTimensOffsets(_)
            | Op::Write { .. }
            | Op::WriteHostname(_)
            | Op::WriteNsLastPid(_)
            | Op::WritePidMax(_)
            | Op::WriteIpcSysctl { .. }
            | Op::WriteMaxNamespaces { .. } => self.perform_write(op),
            Op::CgroupMkdir(_)
            | Op::CgroupRmdir(_)
            | Op::CgroupMove { .. }
            | Op::CgroupPidsMax { .. }
            | Op::CgroupSubtreeControl { .. }
            | Op::CgroupChown { .. }
            | Op::OpenCgroup(_) => self.perform_cgroup(op),
            _ => self.perform_path(op),
        }
    }

    fn perform_write(&mut self, op: &Op) -> Result<Answer, Broken> {
        match op {
            Op::WriteMap { pid, kind, text } => {
                let path = format!("{}/{}", self.process(*pid), map_name(*kind));
                self.write_file(PROC_FD, &path, text.as_bytes())
            }
            Op::OpenMap { pid, kind } => {
                let path = format!("{}/{}", self.process(*pid), map_name(*kind));
                self.openat(PROC_FD, &path, libc::O_WRONLY)
            }
            Op::OpenSetgroups(pid) => {
                let path = format!("{}/setgroups", self.process(*pid));
                self.openat(PROC_FD, &path, libc::O_WRONLY)
            }
            Op::OpenTimensOffsets(pid) => {
                let path = format!("{}/timens_offsets", self.process(*pid));
                self.openat(PROC_FD, &path, libc::O_WRONLY)
            }
            Op::Write { fd, text } => {
                // The model's files have no position: each write is the first.
                let _ = self.sys(libc::SYS_lseek, [arg(*fd), 0, arg(libc::SEEK_SET)])?;
                let place = self.args.bytes(text.as_bytes());
                self.plain(libc::SYS_write, [arg(*fd), place, text.len() as u64])
            }
            Op::WriteHostname(name) => self.write_all(PROC_FD, "sys/kernel/hostname", name.as_bytes()),
            Op::WriteSetgroups { pid, text } => {
                let path = format!("{}/setgroups", self.process(*pid));
                self.write_file(PROC_FD, &path, text.as_bytes())
            }
            Op::WriteTimensOffsets { pid, text } => {
                let path = format!("{}/timens_offsets", self.process(*pid));
                self.write_file(PROC_FD, &path, text.as_bytes())
            }
            Op::WriteNsLastPid(last) => {
                self.write_all(PROC_FD, "sys/kernel/ns_last_pid", last.to_string().as_bytes())
            }
            Op::WritePidMax(value) => {
                self.write_all(PROC_FD, "sys/kernel/pid_max", value.to_string().as_bytes())
            }
            Op::WriteIpcSysctl { which, value } => {
                let directory = if *which == IpcSysctl::QueuesMax { "fs/mqueue" } else { "kernel" };
                let path = format!("sys/{directory}/{}", which.name());
                self.write_all(PROC_FD, &path, value.to_string().as_bytes())
            }
            Op::WriteMaxNamespaces { kind, limit } => {
                let path = format!("sys/user/max_{}_namespaces", kind_name(*kind));
                self.write_all(PROC_FD, &path, limit.to_string().as_bytes())
            }
            _ => Err(format!("not a write: {op:?}")),
        }
    }

    fn perform_cgroup(&mut self, op: &Op) -> Result<Answer, Broken> {
        match op {
            Op::CgroupChown { path, owner } => {
                let directory = self.cgroup(path);
                let mut answer = Answer::Number(0);
                // They have one owner, so that the first to refuse is the first of all.
                for name in ["cgroup.procs", "cgroup.threads", "cgroup.subtree_control", "."] {
                    let path = self.args.string(&format!("{directory}/{name}"));
                    let owner = [u64::from(*owner), u64::from(u32::MAX)];
                    answer = self.plain(libc::SYS_fchownat, [arg(CGROUP_FD), path, owner[0], owner[1], 0])?;
                    if !matches!(answer, Answer::Number(_)) {
                        break;
                    }
                }
                Ok(answer)
            }
            Op::CgroupMkdir(path) => {
                let path = self.cgroup(path);
                let path = self.args.string(&path);
                self.plain(libc::SYS_mkdirat, [arg(CGROUP_FD), path, 0o755])
            }
            Op::CgroupRmdir(path) => {
                let path = self.cgroup(path);
                let path = self.args.string(&path);
                self.plain(libc::SYS_unlinkat, [arg(CGROUP_FD), path, arg(libc::AT_REMOVEDIR)])
            }
            Op::CgroupMove { path, pid } => {
                let path = format!("{}/cgroup.procs", self.cgroup(path));
                self.write_all(CGROUP_FD, &path, pid.to_string().as_bytes())
            }
            Op::CgroupPidsMax { path, max } => {
                let path = format!("{}/pids.max", self.cgroup(path));
                let max = max.map_or_else(|| String::from("max"), |max| max.to_string());
                self.write_all(CGROUP_FD, &path, max.as_bytes())
            }
            Op::CgroupSubtreeControl { path, on } => {
                let path = format!("{}/cgroup.subtree_control", self.cgroup(path));
                let text = if *on { "+memory +pids" } else { "-memory -pids" };
                self.write_all(CGROUP_FD, &path, text.as_bytes())
            }
            Op::OpenCgroup(path) => {
                let path = self.cgroup(path);
                self.openat(CGROUP_FD, &path, libc::O_RDONLY | libc::O_DIRECTORY)
            }
            _ => Err(format!("no way to make this call: {op:?}")),
        }
    }

    fn perform_path(&mut self, op: &Op) -> Result<Answer, Broken> {
        match op {
            Op::Chroot(path) => {
                let path = self.args.string(path);
                self.plain(libc::SYS_chroot, [path])
            }
            Op::Chdir(path) => {
                let path = self.args.string(path);
                self.plain(libc::SYS_chdir, [path])
            }
            Op::PivotRoot { new, old } => {
                let (new, old) = (self.args.string(new), self.args.string(old));
                self.plain(libc::SYS_pivot_root, [new, old])
            }
            Op::Mount { source, target, fstype, flags } => self.mount(source, target, fstype, *flags),
            Op::Umount { target, flags } => {
                let target = self.args.string(target);
                self.plain(libc::SYS_umount2, [target, u64::from(*flags)])
            }
            Op::MountSetattr { path, flags, attr } => {
                let path = self.args.string(path);
                self.mount_setattr(libc::AT_FDCWD, path, *flags, attr)
            }
            Op::BindNamespace { fd, target } => self.bind_namespace(*fd, target),
            Op::Mkdir(path) => {
                let path = self.args.string(path);
                self.plain(libc::SYS_mkdir, [path, 0o755])
            }
            Op::Mknod(path) => {
                let path = self.args.string(path);
                self.plain(libc::SYS_mknod, [path, u64::from(libc::S_IFREG | 0o644), 0])
            }
            _ => self.perform_mount(op),
        }
    }

    /// The directory under the world's /proc of what the caller calls `pid`.
    fn process(&self, pid: i32) -> String {
        let call = self.call;
        let number = call.kernel.find_task(call.task, pid).and_then(|task| {
            let status = call.kernel.status(call.world, task).ok()?;
            (status.pid != 0).then(|| status.pid.to_string())
        });
        number.unwrap_or_else(|| String::from(NOBODY))
    }

    /// How many names a directory below /proc has.
    fn list_directory(&mut self, path: &str) -> Result<Answer, Broken> {
        const ROOM: usize = 4096;
        let fd = match self.openat(PROC_FD, path, libc::O_RDONLY | libc::O_DIRECTORY)? {
            Answer::Number(fd) => fd,
            refused => return Ok(refused),
        };
        let room = self.args.room(ROOM);
        let read = self.sys(libc::SYS_getdents64, [fd, room, ROOM as u64])?;
        self.sys(libc::SYS_close, [fd])?.map_err(|answer| format!("close: {answer:?}"))?;
        let bytes = match read {
            Ok(len) => self.args.read(room, usize::try_from(len).unwrap_or(0)),
            Err(answer) => return Ok(answer),
        };
        // Each entry says in two bytes how long it is; the first two are the dots.
        let (mut at, mut count) = (0, 0_u64);
        while let Some([low, high]) = bytes.get(at + 16..at + 18) {
            at += usize::from(u16::from_le_bytes([*low, *high]));
            count += 1;
        }
        Ok(Answer::Number(count.saturating_sub(2)))
    }

    pub(super) fn openat(&mut self, at: i32, path: &str, flags: i32) -> Result<Answer, Broken> {
        let path = self.args.string(path);
        self.plain(libc::SYS_openat, [arg(at), path, arg(flags | libc::O_CLOEXEC), 0])
    }

    /// Opens, writes once, and closes.
    fn write_file(&mut self, at: i32, path: &str, text: &[u8]) -> Result<Answer, Broken> {
        let fd = match self.openat(at, path, libc::O_WRONLY)? {
            Answer::Number(fd) => fd,
            refused => return Ok(refused),
        };
        let place = self.args.bytes(text);
        let written = self.plain(libc::SYS_write, [fd, place, text.len() as u64])?;
        self.sys(libc::SYS_close, [fd])?.map_err(|answer| format!("close: {answer:?}"))?;
        Ok(written)
    }

    /// The same of a text of which the model does not tell how much was taken: all.
    fn write_all(&mut self, at: i32, path: &str, text: &[u8]) -> Result<Answer, Broken> {
        let all = Answer::Number(text.len() as u64);
        let written = self.write_file(at, path, text)?;
        Ok(if written == all { Answer::Number(0) } else { written })
    }

    fn mount(&mut self, source: &str, target: &str, fstype: &str, flags: u64) -> Result<Answer, Broken> {
        let source = self.args.string(source);
        let target = self.args.string(target);
        // The model's directories have this mode, unlike the root of a tmpfs.
        let data = if fstype == "tmpfs" { self.args.string("mode=755") } else { 0 };
        let fstype = if fstype.is_empty() { 0 } else { self.args.string(fstype) };
        self.plain(libc::SYS_mount, [source, target, fstype, flags, data])
    }

    /// Binds a namespace file by its descriptor. The file is named by a path below the
    /// world's /proc, which may be mounted nowhere. The target is absolute.
    fn bind_namespace(&mut self, fd: i32, target: &str) -> Result<Answer, Broken> {
        let source = format!("{}/fd/{fd}", self.own_number()?);
        let (source, target) = (self.args.string(&source), self.args.string(target));
        self.inside(PROC_FD, |hand| hand.plain(libc::SYS_mount, [source, target, 0, libc::MS_BIND, 0]))
    }

    /// The caller's number in the world's /proc.
    pub(super) fn own_number(&self) -> Result<u32, Broken> {
        let own = self.call.kernel.status(self.call.world, self.call.task);
        Ok(own.map_err(|denial| denial.to_string())?.pid)
    }

    /// Makes a call with this directory as the working directory, which then comes back.
    pub(super) fn inside(
        &mut self,
        directory: i32,
        call: impl FnOnce(&mut Self) -> Result<Answer, Broken>,
    ) -> Result<Answer, Broken> {
        let broken = |answer: Answer| format!("change of directory: {answer:?}");
        let dot = self.args.string(".");
        let path = arg(libc::O_PATH | libc::O_CLOEXEC);
        let home = self.sys(libc::SYS_open, [dot, path, 0])?.map_err(broken)?;
        self.sys(libc::SYS_dup3, [home, arg(SPARE_FD), arg(libc::O_CLOEXEC)])?.map_err(broken)?;
        self.sys(libc::SYS_close, [home])?.map_err(broken)?;
        self.sys(libc::SYS_fchdir, [arg(directory)])?.map_err(broken)?;
        let answer = call(self)?;
        self.sys(libc::SYS_fchdir, [arg(SPARE_FD)])?.map_err(broken)?;
        self.sys(libc::SYS_close, [arg(SPARE_FD)])?.map_err(broken)?;
        Ok(answer)
    }

    /// A path as the caller's cgroup namespace shows it, from the world's own directory.
    fn cgroup(&self, path: &str) -> String {
        let call = self.call;
        let root = call.kernel.cgroup_root(call.task).unwrap_or_default();
        let mut parts: Vec<&str> = Vec::new();
        for part in root.split('/').chain(path.split('/')).filter(|part| !part.is_empty()) {
            if part == ".." {
                parts.pop();
            } else {
                parts.push(part);
            }
        }
        // From the world's directory up, and then down again.
        let world: Vec<&str> = CGROUP.split('/').skip(1).collect();
        let shared = parts.iter().zip(&world).take_while(|(one, other)| one == other).count();
        let way = ["."].into_iter().chain(world[shared..].iter().map(|_| ".."));
        way.chain(parts[shared..].iter().copied()).collect::<Vec<_>>().join("/")
    }

    /// Asks for the handle of a namespace, and opens it.
    fn reopen(&mut self, fd: i32, twist: HandleTwist) -> Result<Answer, Broken> {
        const SIZE: u32 = 16;
        let handle = self.args.u32s(&[SIZE, 0, 0, 0, 0, 0]);
        let mount = self.args.u32s(&[0]);
        let empty = self.args.string("");
        let here = arg(libc::AT_EMPTY_PATH);
        let asked = self.sys(libc::SYS_name_to_handle_at, [arg(fd), empty, handle, mount, here])?;
        if let Err(refused) = asked {
            return Ok(refused);
        }
        let mut words: [u32; 6] = core::array::from_fn(|at| self.args.read_u32(handle + 4 * at as u64));
        match twist {
            HandleTwist::None => {}
            HandleTwist::Id => (words[2], words[3]) = (u32::MAX, u32::MAX),
            HandleTwist::Type => words[4] = 1,
        }
        let handle = self.args.u32s(&words);
        let flags = arg(libc::O_RDONLY | libc::O_CLOEXEC);
        self.plain(libc::SYS_open_by_handle_at, [arg(fd), handle, flags])
    }

    fn listns(&mut self, request: &nsproxy::NsIdReq) -> Result<Answer, Broken> {
        const LISTNS: i64 = 470;
        let kinds = u32::try_from(request.ns_type).unwrap_or(u32::MAX);
        let mut words = vec![u64::from(request.size) | u64::from(request.spare) << 32];
        words.extend([request.ns_id, u64::from(kinds), request.user_ns_id]);
        let place = self.args.u64s(&words);
        let room = self.args.room(8000);
        let raw = self.sys(LISTNS, [place, room, 1000, 0])?;
        Ok(match raw {
            Ok(count) => Answer::Ids((0..count).map(|at| self.args.read_u64(room + 8 * at)).collect()),
            Err(answer) => answer,
        })
    }

    fn ns_ioctl(&mut self, fd: i32, request: NsIoctl) -> Result<Answer, Broken> {
        let code = |size: u64, direction: u64, number: u64| direction << 30 | size << 16 | 0xb700 | number;
        let (none, read) = (0, 2);
        let place = self.args.room(64);
        let (request, argument) = match request {
            NsIoctl::GetUserns => (code(0, none, 1), 0),
            NsIoctl::GetParent => (code(0, none, 2), 0),
            NsIoctl::GetNstype => (code(0, none, 3), 0),
            NsIoctl::GetOwnerUid => return self.ioctl_u32(fd, code(0, none, 4), place),
            NsIoctl::GetMntnsId => return self.ioctl_u64(fd, code(8, read, 5), place),
            NsIoctl::GetPidFromPidns(nr) => (code(4, read, 6), u64::from(nr)),
            NsIoctl::GetTgidFromPidns(nr) => (code(4, read, 7), u64::from(nr)),
            NsIoctl::GetPidInPidns(nr) => (code(4, read, 8), u64::from(nr)),
            NsIoctl::GetTgidInPidns(nr) => (code(4, read, 9), u64::from(nr)),
            NsIoctl::MntGetInfo(size) => return self.mnt_info(fd, size, place),
            NsIoctl::MntGetNext(info) => (code(16, read, 11), if info { place } else { 0 }),
            NsIoctl::MntGetPrev(info) => (code(16, read, 12), if info { place } else { 0 }),
            NsIoctl::GetId => return self.ioctl_u64(fd, code(8, read, 13), place),
            NsIoctl::Unknown => (code(0, none, 99), 0),
        };
        self.plain(libc::SYS_ioctl, [arg(fd), request, argument])
    }

    fn ioctl_u32(&mut self, fd: i32, request: u64, place: u64) -> Result<Answer, Broken> {
        let raw = self.sys(libc::SYS_ioctl, [arg(fd), request, place])?;
        Ok(done(raw.map(|_| u64::from(self.args.read_u32(place)))))
    }

    fn ioctl_u64(&mut self, fd: i32, request: u64, place: u64) -> Result<Answer, Broken> {
        let raw = self.sys(libc::SYS_ioctl, [arg(fd), request, place])?;
        Ok(done(raw.map(|_| self.args.read_u64(place))))
    }

    fn mnt_info(&mut self, fd: i32, size: Option<u32>, place: u64) -> Result<Answer, Broken> {
        let request = 2 << 30 | u64::from(size.unwrap_or(16)) << 16 | 0xb70a;
        let argument = if size.is_some() { place } else { 0 };
        let raw = self.sys(libc::SYS_ioctl, [arg(fd), request, argument])?;
        Ok(match raw {
            Ok(_) => {
                Answer::Mounts { count: self.args.read_u32(place + 4), id: self.args.read_u64(place + 8) }
            }
            Err(answer) => answer,
        })
    }

    fn pidfd_ioctl(&mut self, fd: i32, request: PidfdIoctl) -> Result<Answer, Broken> {
        match request {
            PidfdIoctl::GetNamespace(link, argument) => {
                let request = 0xff00 | link_number(link);
                self.plain(libc::SYS_ioctl, [arg(fd), request, argument])
            }
            PidfdIoctl::GetInfo(size) => {
                let place = self.args.room(256);
                let request = 3 << 30 | u64::from(size) << 16 | 0xff0b;
                let raw = self.sys(libc::SYS_ioctl, [arg(fd), request, place])?;
                let word = |at: u64| self.args.read_u32(place + at);
                // Mask and cgroup come first.
                Ok(match raw {
                    Ok(_) => Answer::Info(core::array::from_fn(|at| word(16 + 4 * at as u64))),
                    Err(answer) => answer,
                })
            }
            PidfdIoctl::Unknown => self.plain(libc::SYS_ioctl, [arg(fd), 0xff63, 0]),
        }
    }
}

fn map_name(kind: MapKind) -> &'static str {
    match kind {
        MapKind::Uid => "uid_map",
        MapKind::Gid => "gid_map",
        MapKind::Projid => "projid_map",
    }
}

fn kind_name(kind: NsKind) -> &'static str {
    kind.name()
}

/// The number of a `PIDFD_GET_*_NAMESPACE` request.
fn link_number(link: NsLink) -> u64 {
    match link {
        NsLink::Own(NsKind::Cgroup) => 1,
        NsLink::Own(NsKind::Ipc) => 2,
        NsLink::Own(NsKind::Mnt) => 3,
        NsLink::Own(NsKind::Net) => 4,
        NsLink::Own(NsKind::Pid) => 5,
        NsLink::PidForChildren => 6,
        NsLink::Own(NsKind::Time) => 7,
        NsLink::TimeForChildren => 8,
        NsLink::Own(NsKind::User) => 9,
        NsLink::Own(NsKind::Uts) => 10,
    }
}
