//! What can be asked.

use std::fmt;
use std::path::PathBuf;

use crate::idmap::{IdKind, MapWriter};
use crate::kind::{Kind, Kinds, Link};
use crate::plan::{Id, JoinTarget, Plan, PlanStep, Step};

/// A call, or several, about which to ask what the kernel does and why.
///
/// All are meant to be made by the calling thread as it is now. Numbers of processes
/// and ids are the caller's.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Question {
    /// `unshare(2)` with these flags.
    Unshare(u64),
    /// `clone(2)` or `clone3(2)` with these flags.
    Clone(u64),
    /// `setns(2)` with a pidfd: some namespaces of a process, in one call.
    JoinProcess {
        /// The process.
        pid: i32,
        /// Which of its namespaces.
        kinds: Kinds,
    },
    /// `setns(2)` with a namespace's file.
    JoinFile {
        /// The file.
        path: PathBuf,
        /// The kind it must have.
        kind: Option<Kind>,
    },
    /// Opening or reading a link of `/proc/PID/ns`.
    OpenNamespace {
        /// The process.
        pid: i32,
        /// The link.
        link: Link,
    },
    /// A launch, from the first step to the last.
    Launch(Plan),
    /// `mount(2)`.
    Mount {
        /// What is mounted.
        source: String,
        /// Where.
        target: String,
        /// The type of the file system; empty for none.
        fstype: String,
        /// `MS_*`
        flags: u64,
        /// The options of the file system.
        data: String,
    },
    /// `umount2(2)`.
    Umount {
        /// Where.
        target: String,
        /// `MNT_*`
        flags: u32,
    },
    /// `pivot_root(2)`.
    PivotRoot {
        /// The new root.
        new: String,
        /// Where the old one goes.
        old: String,
    },
    /// `chroot(2)`.
    Chroot(String),
    /// Writing to `uid_map` or `gid_map` of a process.
    WriteMap {
        /// The process; 0 for the caller.
        pid: i32,
        /// Which of the two.
        kind: IdKind,
        /// What is written.
        text: String,
    },
    /// Writing to `setgroups` of a process.
    WriteSetgroups {
        /// The process; 0 for the caller.
        pid: i32,
        /// `allow` or `deny`.
        text: String,
    },
    /// Writing to `timens_offsets` of a process.
    WriteTimeOffsets {
        /// The process; 0 for the caller.
        pid: i32,
        /// What is written.
        text: String,
    },
    /// Having `newuidmap(1)` or `newgidmap(1)` write a map.
    MapHelper {
        /// The process.
        pid: i32,
        /// Which of the two.
        kind: IdKind,
        /// The map, a line each.
        map: String,
    },
    /// `setuid(2)`.
    SetUid(u32),
    /// `setgid(2)`.
    SetGid(u32),
    /// `setgroups(2)`.
    SetGroups(Vec<u32>),
    /// `sethostname(2)`.
    SetHostname(String),
    /// `chown(2)`.
    Chown {
        /// The file.
        path: PathBuf,
        /// The new owner, if it changes.
        uid: Option<u32>,
        /// The new group, if it changes.
        gid: Option<u32>,
    },
    /// `mknod(2)` of a device.
    MakeDevice(PathBuf),
    /// `kill(2)`: whether the signal does what it does elsewhere.
    Kill {
        /// The process.
        pid: i32,
        /// The signal's number.
        signal: i32,
    },
    /// `ptrace(2)` attaching to a process.
    Attach(i32),
    /// Connecting to 127.0.0.1.
    Loopback,
    /// Making a cgroup in this directory, or moving a process into it.
    Cgroup(PathBuf),
    /// What the first process of a pid namespace does for it.
    InitDuties(i32),
    /// Why the namespace of a kind that a file or a process names does not go away.
    Held {
        /// The file, or `/proc/PID/ns/LINK`.
        path: PathBuf,
    },
    /// Whether the process with this number is still the one whose pidfd has this inode.
    SameProcess {
        /// The number.
        pid: i32,
        /// The inode number.
        inode: u64,
    },
    /// One after the other, by the same process.
    Steps(Vec<Question>),
}

impl Question {
    /// `unshare(2)` of these kinds.
    pub fn unshare(kinds: impl Into<Kinds>) -> Question {
        Question::Unshare(u64::from(kinds.into().flags()))
    }

    /// A launch, or the one call that it makes about namespaces.
    pub fn of(plan: Plan) -> Question {
        let told = |step: &&PlanStep| {
            !matches!(
                step.step,
                Step::Undumpable | Step::Signals { .. } | Step::Execute { .. } | Step::LoginShell { .. }
            )
        };
        let mut steps = plan.steps().iter().filter(told);
        match (steps.next().map(|step| &step.step), steps.next()) {
            (Some(Step::Unshare(kinds)), None) => Question::unshare(*kinds),
            (Some(Step::Join(JoinTarget::Process { process, kinds })), None) => {
                Question::JoinProcess { pid: process.pid(), kinds: *kinds }
            }
            (Some(Step::Join(JoinTarget::Both { process, kinds, namespaces })), None)
                if namespaces.is_empty() =>
            {
                Question::JoinProcess { pid: process.pid(), kinds: *kinds }
            }
            _ => Question::Launch(plan),
        }
    }

    /// The call of a step that sets ids or writes a file, to be asked about by the process
    /// that was refused it. `None` for the others.
    pub fn of_step(step: &Step) -> Option<Question> {
        Some(match step {
            Step::Uid(Id::Number(uid)) => Question::SetUid(*uid),
            Step::Gid(Id::Number(gid)) => Question::SetGid(*gid),
            Step::Groups { groups, .. } => Question::SetGroups(groups.clone()),
            Step::WriteMap { kind, map, writer: MapWriter::Child } => {
                Question::WriteMap { pid: 0, kind: *kind, text: map.to_string() }
            }
            Step::Setgroups { allow, .. } => {
                let text = if *allow { "allow" } else { "deny" };
                Question::WriteSetgroups { pid: 0, text: text.to_owned() }
            }
            Step::TimeOffsets(text) => {
                Question::WriteTimeOffsets { pid: 0, text: text.to_string_lossy().into_owned() }
            }
            _ => return None,
        })
    }

    /// `clone(2)` with these kinds new.
    pub fn clone_with(kinds: impl Into<Kinds>) -> Question {
        Question::Clone(u64::from(kinds.into().flags()))
    }
}

/// The names of flags, joined by `|`.
pub(super) fn clone_flags(flags: u64) -> String {
    let mut names: Vec<String> = Kind::ALL
        .iter()
        .filter(|kind| flags & u64::from(kind.flag()) != 0)
        .map(|kind| kind.flag_name().to_owned())
        .collect();
    let mut rest = flags & !u64::from(Kinds::ALL.flags());
    for (bit, name) in OTHER_FLAGS {
        if rest & bit != 0 {
            names.push((*name).to_owned());
            rest &= !bit;
        }
    }
    if rest != 0 || names.is_empty() {
        names.push(format!("{rest:#x}"));
    }
    names.join("|")
}

const OTHER_FLAGS: &[(u64, &str)] = &[
    (0x100, "CLONE_VM"),
    (0x200, "CLONE_FS"),
    (0x400, "CLONE_FILES"),
    (0x800, "CLONE_SIGHAND"),
    (0x1000, "CLONE_PIDFD"),
    (0x4000, "CLONE_VFORK"),
    (0x8000, "CLONE_PARENT"),
    (0x1_0000, "CLONE_THREAD"),
    (0x4_0000, "CLONE_SYSVSEM"),
];

const MOUNT_FLAGS: &[(u64, &str)] = &[
    (1, "MS_RDONLY"),
    (2, "MS_NOSUID"),
    (4, "MS_NODEV"),
    (8, "MS_NOEXEC"),
    (32, "MS_REMOUNT"),
    (1024, "MS_NOATIME"),
    (2048, "MS_NODIRATIME"),
    (4096, "MS_BIND"),
    (8192, "MS_MOVE"),
    (16_384, "MS_REC"),
    (1 << 17, "MS_UNBINDABLE"),
    (1 << 18, "MS_PRIVATE"),
    (1 << 19, "MS_SLAVE"),
    (1 << 20, "MS_SHARED"),
    (1 << 21, "MS_RELATIME"),
    (1 << 24, "MS_STRICTATIME"),
];

fn mount_flags(flags: u64) -> String {
    let names = MOUNT_FLAGS.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name);
    let names: Vec<&str> = names.collect();
    if names.is_empty() { "0".to_owned() } else { names.join("|") }
}

fn whose(pid: i32) -> String {
    if pid == 0 { "self".to_owned() } else { pid.to_string() }
}

impl fmt::Display for Question {
    /// The call, in the manner of `strace(1)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Question::Unshare(flags) => write!(f, "unshare({})", clone_flags(*flags)),
            Question::Clone(flags) => write!(f, "clone({})", clone_flags(*flags)),
            Question::JoinProcess { pid, kinds } => {
                write!(f, "setns(pidfd of {pid}, {})", clone_flags(u64::from(kinds.flags())))
            }
            Question::JoinFile { path, kind } => {
                let kind = kind.map_or("0", Kind::flag_name);
                write!(f, "setns(\"{}\", {kind})", path.display())
            }
            Question::OpenNamespace { pid, link } => write!(f, "open(\"/proc/{pid}/ns/{link}\")"),
            Question::Launch(_) => f.write_str("the launch"),
            Question::Mount { source, target, fstype, flags, .. } => {
                write!(f, "mount({source:?}, {target:?}, {fstype:?}, {})", mount_flags(*flags))
            }
            Question::Umount { target, flags } => write!(f, "umount2({target:?}, {flags})"),
            Question::PivotRoot { new, old } => write!(f, "pivot_root({new:?}, {old:?})"),
            Question::Chroot(path) => write!(f, "chroot({path:?})"),
            Question::WriteMap { pid, kind, text } => {
                write!(f, "write(\"/proc/{}/{}\", {text:?})", whose(*pid), kind.file())
            }
            Question::WriteSetgroups { pid, text } => {
                write!(f, "write(\"/proc/{}/setgroups\", {text:?})", whose(*pid))
            }
            Question::WriteTimeOffsets { pid, text } => {
                write!(f, "write(\"/proc/{}/timens_offsets\", {text:?})", whose(*pid))
            }
            Question::MapHelper { pid, kind, map } => {
                write!(f, "{} {} {}", kind.helper(), pid, map.replace('\n', " "))
            }
            Question::SetUid(uid) => write!(f, "setuid({uid})"),
            Question::SetGid(gid) => write!(f, "setgid({gid})"),
            Question::SetGroups(groups) => write!(f, "setgroups({groups:?})"),
            Question::SetHostname(name) => write!(f, "sethostname({name:?})"),
            Question::Chown { path, uid, gid } => {
                let id = |id: &Option<u32>| id.map_or("-1".to_owned(), |id| id.to_string());
                write!(f, "chown(\"{}\", {}, {})", path.display(), id(uid), id(gid))
            }
            Question::MakeDevice(path) => write!(f, "mknod(\"{}\", S_IFCHR)", path.display()),
            Question::Kill { pid, signal } => write!(f, "kill({pid}, {signal})"),
            Question::Attach(pid) => write!(f, "ptrace(PTRACE_ATTACH, {pid})"),
            Question::Loopback => f.write_str("connect(127.0.0.1)"),
            Question::Cgroup(path) => write!(f, "mkdir(\"{}/NAME\")", path.display()),
            Question::InitDuties(pid) => write!(f, "process {pid} as the first of its pid namespace"),
            Question::Held { path } => write!(f, "what holds {}", path.display()),
            Question::SameProcess { pid, inode } => write!(f, "pidfd_open({pid}) with inode {inode}"),
            Question::Steps(steps) if let Some((pid, kinds)) = links(steps) => {
                write!(f, "open(\"/proc/{pid}/ns/{{{kinds}}}\")")
            }
            Question::Steps(steps) => {
                for (i, step) in steps.iter().enumerate() {
                    write!(f, "{}{step}", if i > 0 { "; " } else { "" })?;
                }
                Ok(())
            }
        }
    }
}

/// The process of which several namespaces are opened, if that is all.
fn links(steps: &[Question]) -> Option<(i32, Kinds)> {
    let link = |step: &Question| match step {
        Question::OpenNamespace { pid, link: Link::Own(kind) } => Some((*pid, *kind)),
        _ => None,
    };
    let (first, _) = link(steps.first()?)?;
    let kinds: Option<Kinds> =
        steps.iter().map(|step| link(step).filter(|(pid, _)| *pid == first).map(|(_, kind)| kind)).collect();
    kinds.map(|kinds| (first, kinds))
}
