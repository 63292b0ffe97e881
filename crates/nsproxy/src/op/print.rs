//! From calls to words that [`Op::parse`] reads.

use super::{CloneOddity, HandleTwist, MntNsWanted, MountWanted, Op};
use crate::uapi::{CLONE_NS_FLAGS, CLONE_PARENT, CLONE_THREAD, CLONE_VFORK, CLONE_VM, SIGCHLD};
use crate::{CapSets, Disposition, MapKind, NsIoctl, NsKind, PidfdIoctl, Prctl, Program, Reboot, Resource};
use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Write};

/// More of one character than this are printed as their number.
const LONG_RUN: usize = 20;

/// A word, in double quotes where it would not be one without.
fn word(text: &str) -> Cow<'_, str> {
    let plain = !text.is_empty()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | ','));
    if plain && !text.contains("->") && text.len() <= LONG_RUN {
        return Cow::Borrowed(text);
    }
    let mut quoted = String::from("\"");
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let run = rest.chars().take_while(|other| *other == c).count();
        let taken = if run > LONG_RUN { run } else { 1 };
        rest = &rest[taken * c.len_utf8()..];
        match c {
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\0' => quoted.push_str("\\0"),
            '\\' => quoted.push_str("\\\\"),
            _ => quoted.push(c),
        }
        if taken > 1 {
            let _ = write!(quoted, "\\{{{taken}}}");
        }
    }
    quoted.push('"');
    Cow::Owned(quoted)
}

/// Kinds by name, everything else as a number.
fn flags(bits: u64) -> String {
    let mut words: Vec<String> = Vec::new();
    for kind in NsKind::ALL {
        if bits & kind.flag() != 0 {
            words.push(kind.name().to_string());
        }
    }
    let rest = bits & !CLONE_NS_FLAGS;
    if rest != 0 {
        words.push(alloc::format!("{rest:#x}"));
    }
    words.join(" ")
}

fn list<T: fmt::Display>(items: &[T]) -> String {
    if items.is_empty() {
        return String::from("-");
    }
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    items.join(",")
}

fn switch(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

pub(super) const RESOURCES: [(&str, Resource); 5] = [
    ("nproc", Resource::Nproc),
    ("msgqueue", Resource::Msgqueue),
    ("sigpending", Resource::Sigpending),
    ("memlock", Resource::Memlock),
    ("nofile", Resource::Nofile),
];

pub(super) const ODDITIES: [(&str, CloneOddity); 10] = [
    ("size-too-big", CloneOddity::SizeTooBig),
    ("size-too-small", CloneOddity::SizeTooSmall),
    ("no-cgroup-field", CloneOddity::NoCgroupField),
    ("fault", CloneOddity::Fault),
    ("tail", CloneOddity::Tail),
    ("set-tid-null", CloneOddity::SetTidNull),
    ("set-tid-empty", CloneOddity::SetTidEmpty),
    ("set-tid-fault", CloneOddity::SetTidFault),
    ("stack-without-size", CloneOddity::StackWithoutSize),
    ("pidfd-fault", CloneOddity::PidfdFault),
];

pub(super) const TWISTS: [(&str, HandleTwist); 3] =
    [("as-it-is", HandleTwist::None), ("other-id", HandleTwist::Id), ("other-type", HandleTwist::Type)];

fn name_of<T: PartialEq>(names: &[(&'static str, T)], value: &T) -> &'static str {
    names.iter().find(|(_, other)| other == value).map_or("?", |(name, _)| *name)
}

fn map_kind(kind: MapKind) -> &'static str {
    match kind {
        MapKind::Uid => "uid_map",
        MapKind::Gid => "gid_map",
        MapKind::Projid => "projid_map",
    }
}

fn caps(sets: &CapSets) -> String {
    let CapSets { effective, permitted, inheritable } = sets;
    alloc::format!("{:#x} {:#x} {:#x}", effective.bits(), permitted.bits(), inheritable.bits())
}

fn prctl(operation: Prctl) -> (&'static str, u64) {
    match operation {
        Prctl::SetChildSubreaper(on) => ("subreaper", u64::from(on)),
        Prctl::SetNoNewPrivs(value) => ("no-new-privs", value),
        Prctl::SetSecurebits(bits) => ("securebits", u64::from(bits)),
        Prctl::SetKeepcaps(value) => ("keepcaps", value),
        Prctl::SetDumpable(value) => ("dumpable", value),
        Prctl::SetPdeathsig(signal) => ("pdeathsig", u64::from(signal)),
        Prctl::CapbsetDrop(cap) => ("bounding-drop", cap),
        Prctl::AmbientRaise(cap) => ("ambient-raise", cap),
        Prctl::AmbientLower(cap) => ("ambient-lower", cap),
        Prctl::AmbientClearAll => ("ambient-clear", 0),
    }
}

fn mount_wanted(mount: MountWanted) -> String {
    match mount {
        MountWanted::Root => String::from("root"),
        MountWanted::Of(fd) => fd.to_string(),
        MountWanted::Nobody => String::from("nobody"),
    }
}

fn ns_wanted(ns: MntNsWanted) -> String {
    match ns {
        MntNsWanted::Own => String::from("own"),
        MntNsWanted::Id(fd) => alloc::format!("id={fd}"),
        MntNsWanted::Fd(fd) => alloc::format!("fd={fd}"),
        MntNsWanted::Both(fd) => alloc::format!("both={fd}"),
        MntNsWanted::Nobody => String::from("nobody"),
    }
}

fn program(program: &Program) -> String {
    let mut words = String::from("exec");
    let mut add = |word: &str| {
        words.push(' ');
        words.push_str(word);
    };
    if let Some(uid) = program.setuid {
        add(&alloc::format!("setuid={uid}"));
    }
    if let Some(gid) = program.setgid {
        add(&alloc::format!("setgid={gid}"));
    }
    if let Some(caps) = program.caps {
        let (permitted, inheritable) = (caps.permitted.bits(), caps.inheritable.bits());
        let effective = u8::from(caps.effective);
        add(&alloc::format!("caps={permitted:#x},{inheritable:#x},{effective},{}", caps.rootid));
    }
    for (on, name) in [
        (program.unreadable, "unreadable"),
        (program.not_executable, "not-executable"),
        (program.nosuid, "nosuid"),
    ] {
        if on {
            add(name);
        }
    }
    words
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_process(f)
    }
}

impl Op {
    fn fmt_process(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sigchld = u64::from(SIGCHLD);
        match self {
            Op::Clone(bits) if *bits == sigchld => f.write_str("fork"),
            Op::Clone(bits) if *bits == CLONE_VFORK | CLONE_VM | sigchld => f.write_str("vfork"),
            Op::Clone(bits) => write!(f, "old-clone {bits:#x}"),
            Op::Clone3 { flags: bits, exit_signal, set_tid, cgroup } => {
                let thread = bits & (CLONE_THREAD | CLONE_PARENT) != 0;
                let usual = if thread { 0 } else { sigchld };
                if *exit_signal == usual && set_tid.is_empty() && *cgroup == -1 && *bits != 0 {
                    write!(f, "clone {}", flags(*bits))
                } else {
                    write!(f, "clone3 {bits:#x} {exit_signal} {} {cgroup}", list(set_tid))
                }
            }
            Op::Clone3Odd { flags: bits, oddity } => {
                write!(f, "clone3-odd {bits:#x} {}", name_of(&ODDITIES, oddity))
            }
            Op::Unshare(bits) => write!(f, "unshare {}", flags(*bits)),
            Op::Setns { fd, flags: bits } => write!(f, "setns {fd} {}", flags(u64::from(*bits))),
            Op::Exit(code) => write!(f, "exit-thread {code}"),
            Op::ExitGroup(code) => write!(f, "exit {code}"),
            Op::Wait { pid, options } => write!(f, "wait {pid} {options:#x}"),
            Op::Kill { pid, signal } => write!(f, "kill {pid} {signal}"),
            Op::PidfdSendSignal { fd, signal, flags } => write!(f, "pidfd-kill {fd} {signal} {flags:#x}"),
            Op::Tgkill { tgid, tid, signal } => write!(f, "tgkill {tgid} {tid} {signal}"),
            Op::Sigaction { signal, to } => {
                let to = match to {
                    Disposition::Default => "default",
                    Disposition::Ignore => "ignore",
                    Disposition::Handle => "handle",
                };
                write!(f, "sigaction {signal} {to}")
            }
            Op::Sigprocmask(blocked) => write!(f, "sigprocmask {blocked:#x}"),
            Op::Execve(of) => f.write_str(&program(of)),
            Op::Setpgid { pid, pgid } => write!(f, "setpgid {pid} {pgid}"),
            Op::Setsid => f.write_str("setsid"),
            Op::Reboot(Reboot::Restart) => f.write_str("reboot restart"),
            Op::Reboot(Reboot::Halt) => f.write_str("reboot halt"),
            Op::Reboot(Reboot::Other) => f.write_str("reboot other"),
            _ => self.fmt_cred(f),
        }
    }

    fn fmt_cred(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Op::Setuid(id) => write!(f, "setuid-plain {id}"),
            Op::Setgid(id) => write!(f, "setgid-plain {id}"),
            Op::Setreuid([real, effective]) => write!(f, "setreuid {real} {effective}"),
            Op::Setregid([real, effective]) => write!(f, "setregid {real} {effective}"),
            Op::Setresuid([real, effective, saved]) => write!(f, "setuid {real} {effective} {saved}"),
            Op::Setresgid([real, effective, saved]) => write!(f, "setgid {real} {effective} {saved}"),
            Op::Setfsuid(id) => write!(f, "setfsuid {id}"),
            Op::Setfsgid(id) => write!(f, "setfsgid {id}"),
            Op::Setgroups(groups) if groups.len() > 65_536 => f.write_str("setgroups-call too-many"),
            Op::Setgroups(groups) => write!(f, "setgroups-call {}", list(groups)),
            Op::Capset(sets) => write!(f, "capset {}", caps(sets)),
            Op::CapsetOf { pid, sets } => write!(f, "capset-of {pid} {}", caps(sets)),
            Op::Prctl(operation) => {
                let (name, value) = prctl(*operation);
                write!(f, "prctl {name} {value}")
            }
            Op::Prlimit { resource, limit } => write!(f, "rlimit {} {limit}", name_of(&RESOURCES, resource)),
            Op::PrlimitOf { pid, resource, soft, hard } => {
                write!(f, "rlimit-of {pid} {} {soft} {hard}", name_of(&RESOURCES, resource))
            }
            Op::WriteMap { pid, kind, text } => write!(f, "{} {pid} {}", map_kind(*kind), word(text)),
            Op::WriteSetgroups { pid, text } => write!(f, "setgroups {pid} {}", word(text)),
            Op::WriteTimensOffsets { pid, text } => write!(f, "timens_offsets {pid} {}", word(text)),
            Op::OpenMap { pid, kind } => write!(f, "open-map {pid} {}", map_kind(*kind)),
            Op::OpenSetgroups(pid) => write!(f, "open-setgroups {pid}"),
            Op::OpenTimensOffsets(pid) => write!(f, "open-timens_offsets {pid}"),
            Op::Write { fd, text } => write!(f, "write {fd} {}", word(text)),
            Op::WriteMaxNamespaces { kind, limit } => write!(f, "limit {kind} {limit}"),
            Op::WriteHostname(name) => write!(f, "write-hostname {}", word(name)),
            Op::WritePidMax(value) => write!(f, "pid_max {value}"),
            Op::WriteNsLastPid(value) => write!(f, "ns_last_pid {value}"),
            Op::WriteIpcSysctl { which, value } => write!(f, "ipc-sysctl {} {value}", which.name()),
            _ => self.fmt_file(f),
        }
    }

    fn fmt_file(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Op::OpenNs { pid, link } => write!(f, "open {pid} {}", link.name()),
            Op::OpenNsWrite { pid, link } => write!(f, "open-rw {pid} {}", link.name()),
            Op::ListNs(pid) => write!(f, "list {pid}"),
            Op::Reopen { fd, twist } => write!(f, "reopen {fd} {}", name_of(&TWISTS, twist)),
            Op::Listns(request) => {
                let crate::NsIdReq { size, spare, ns_id, ns_type, user_ns_id } = request;
                write!(f, "listns {size} {spare} {ns_id} {ns_type:#x} {user_ns_id}")
            }
            Op::PidfdOpen { pid, flags } => write!(f, "pidfd {pid} {flags:#x}"),
            Op::Close(fd) => write!(f, "close {fd}"),
            Op::Dup(fd) => write!(f, "dup {fd}"),
            Op::NsIoctl { fd, request } => {
                let (name, argument) = request.words();
                write!(f, "ns-ioctl {fd} {name} {argument}")
            }
            Op::PidfdIoctl { fd, request } => match request {
                PidfdIoctl::GetNamespace(link, argument) => {
                    write!(f, "pidfd-ioctl {fd} {} {argument}", link.name())
                }
                PidfdIoctl::GetInfo(size) => write!(f, "pidfd-ioctl {fd} info {size}"),
                PidfdIoctl::Unknown => write!(f, "pidfd-ioctl {fd} unknown 0"),
            },
            Op::Sethostname(name) => write!(f, "sethostname {}", word(name)),
            Op::SethostnameOdd { length, fault } => {
                write!(f, "sethostname-odd {length} {}", if *fault { "fault" } else { "readable" })
            }
            Op::Setdomainname(name) => write!(f, "setdomainname {}", word(name)),
            _ => self.fmt_mount(f),
        }
    }

    fn fmt_mount(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Op::Chroot(path) => write!(f, "chroot {}", word(path)),
            Op::Chdir(path) => write!(f, "chdir {}", word(path)),
            Op::PivotRoot { new, old } => write!(f, "pivot_root {} {}", word(new), word(old)),
            Op::Mount { source, target, fstype, flags } => {
                write!(f, "mount {} {} {} {flags:#x}", word(source), word(target), word(fstype))
            }
            Op::Umount { target, flags } => write!(f, "umount {} {flags:#x}", word(target)),
            Op::MountSetattr { path, flags, attr } => {
                let crate::MountAttr { set, clear, propagation, userns_fd } = attr;
                let path = word(path);
                write!(f, "mount_setattr {path} {flags:#x} {set:#x} {clear:#x} {propagation:#x} {userns_fd}")
            }
            Op::MountSetattrFd { fd, flags, attr } => {
                let crate::MountAttr { set, clear, propagation, userns_fd } = attr;
                write!(f, "mount_setattr-fd {fd} {flags:#x} {set:#x} {clear:#x} {propagation:#x} {userns_fd}")
            }
            Op::OpenTree { path, flags } => write!(f, "open_tree {} {flags:#x}", word(path)),
            Op::Fsmount { fstype, flags, attr } => {
                write!(f, "fsmount {} {flags:#x} {attr:#x}", word(fstype))
            }
            Op::MoveMount { fd, target } => write!(f, "move_mount {fd} {}", word(target)),
            Op::MountProc { pidns, target } => write!(f, "mount-proc {pidns} {}", word(target)),
            Op::Listmount { mount, ns, flags } => {
                write!(f, "listmount {} {} {flags:#x}", mount_wanted(*mount), ns_wanted(*ns))
            }
            Op::Statmount { mount, ns, flags } => {
                write!(f, "statmount {} {} {flags:#x}", mount_wanted(*mount), ns_wanted(*ns))
            }
            Op::BindNamespace { fd, target } => write!(f, "bind-ns {fd} {}", word(target)),
            Op::Mkdir(path) => write!(f, "mkdir {}", word(path)),
            Op::Mknod(path) => write!(f, "mknod {}", word(path)),
            _ => self.fmt_ipc(f),
        }
    }

    fn fmt_ipc(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Op::Shmget { key, size, flags } => write!(f, "shmget {key} {size} {flags:#x}"),
            Op::Shmat(id) => write!(f, "shmat {id}"),
            Op::Shmdt(id) => write!(f, "shmdt {id}"),
            Op::ShmRemove(id) => write!(f, "shm-remove {id}"),
            Op::Semget { key, count, flags } => write!(f, "semget {key} {count} {flags:#x}"),
            Op::Semop { id, op } => {
                let undo = if op.undo { "undo" } else { "plain" };
                write!(f, "semop {id} {} {} {undo}", op.number, op.change)
            }
            Op::SemValue { id, number } => write!(f, "sem-value {id} {number}"),
            Op::SemRemove(id) => write!(f, "sem-remove {id}"),
            Op::Msgget { key, flags } => write!(f, "msgget {key} {flags:#x}"),
            Op::Msgsnd { id, kind, text } if text.len() > 8192 => write!(f, "msgsnd-long {id} {kind}"),
            Op::Msgsnd { id, kind, text } => {
                write!(f, "msgsnd {id} {kind} {}", word(&String::from_utf8_lossy(text)))
            }
            Op::Msgrcv(id) => write!(f, "msgrcv {id}"),
            Op::MsgRemove(id) => write!(f, "msg-remove {id}"),
            Op::MqOpen { name, create, exclusive } => {
                write!(f, "mq_open {} {} {}", word(name), switch(*create), switch(*exclusive))
            }
            Op::MqUnlink(name) => write!(f, "mq_unlink {}", word(name)),
            _ => self.fmt_rest(f),
        }
    }

    fn fmt_rest(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Op::AddVeth { name, peer } => write!(f, "veth {} {}", word(name), word(peer)),
            Op::MoveDevice { name, fd } => write!(f, "move-device {} {fd}", word(name)),
            Op::SetDeviceUp { name, up } => write!(f, "{} {}", if *up { "up" } else { "down" }, word(name)),
            Op::DeleteDevice(name) => write!(f, "delete-device {}", word(name)),
            Op::Socket => f.write_str("socket"),
            Op::ConnectLoopback(fd) => write!(f, "connect {fd}"),
            Op::SocketNamespace(fd) => write!(f, "socket-namespace {fd}"),
            Op::CgroupMkdir(path) => write!(f, "cgroup-mkdir {}", word(path)),
            Op::CgroupRmdir(path) => write!(f, "cgroup-rmdir {}", word(path)),
            Op::CgroupMove { path, pid } => write!(f, "cgroup-move {} {pid}", word(path)),
            Op::CgroupChown { path, owner } => write!(f, "cgroup-chown {} {owner}", word(path)),
            Op::CgroupPidsMax { path, max: None } => write!(f, "cgroup-pids-max {} max", word(path)),
            Op::CgroupPidsMax { path, max: Some(max) } => write!(f, "cgroup-pids-max {} {max}", word(path)),
            Op::CgroupSubtreeControl { path, on } => {
                write!(f, "cgroup-subtree-control {} {}", word(path), switch(*on))
            }
            Op::OpenCgroup(path) => write!(f, "cgroup-open {}", word(path)),
            _ => f.write_str("settle-all"),
        }
    }
}

pub(super) const NULL: &str = "null";

impl NsIoctl {
    /// The request's name and its argument as a word.
    fn words(self) -> (&'static str, String) {
        let size = |size: Option<u32>| size.map_or_else(|| NULL.to_string(), |size| size.to_string());
        let (name, argument) = match self {
            Self::GetUserns => ("userns", 0),
            Self::GetParent => ("parent", 0),
            Self::GetNstype => ("nstype", 0),
            Self::GetOwnerUid => ("owner-uid", 0),
            Self::GetMntnsId => ("mntns-id", 0),
            Self::GetId => ("id", 0),
            Self::Unknown => ("unknown", 0),
            Self::GetPidFromPidns(nr) => ("pid-from", nr),
            Self::GetTgidFromPidns(nr) => ("tgid-from", nr),
            Self::GetPidInPidns(nr) => ("pid-in", nr),
            Self::GetTgidInPidns(nr) => ("tgid-in", nr),
            Self::MntGetNext(info) => ("next", u32::from(info)),
            Self::MntGetPrev(info) => ("prev", u32::from(info)),
            Self::MntGetInfo(wanted) => return ("info", size(wanted)),
        };
        (name, argument.to_string())
    }
}
