//! Trying a call where it harms nobody: in a child that ends at once, and for mounts in
//! a mount namespace of its own.

use std::ffi::CString;
use std::os::fd::AsFd;
use std::path::Path;

use super::beyond::only_reads;
use super::machine::Machine;
use super::question::Question;
use super::state::{MountEntry, State, covering};
use crate::errno::Errno;
use crate::handle::Namespace;
use crate::kind::{Kind, Kinds};
use crate::plan::{Plan, Step};
use crate::process::Process;
use crate::sys::probe::{Call, Outcome};

/// What the kernel did about a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It was not asked.
    Nothing,
    /// It went, or the part of it that could be tried.
    Went,
    /// It was refused; at a step, if that is known.
    Refused(Option<usize>, Errno),
    /// The process was killed for asking.
    Killed,
}

const MS_BIND: u64 = nsproxy::uapi::MS_BIND;
const MS_REMOUNT: u64 = nsproxy::uapi::MS_REMOUNT;

/// Asks the kernel itself, if that changes nothing.
pub(super) fn trial(machine: &Machine<'_>, state: &State, question: &Question) -> Seen {
    if let Question::OpenNamespace { pid, link } = question {
        return match machine.eyes().namespace(&format!("/proc/{pid}/ns/{link}"), &[]) {
            Ok(_) => Seen::Went,
            Err(errno) => Seen::Refused(Some(0), errno),
        };
    }
    let mut script = Script::default();
    if script.add(state, question, 0).is_none() || script.lines.is_empty() {
        return Seen::Nothing;
    }
    script.run(machine)
}

/// A call with what it borrows.
#[derive(Debug)]
enum Line {
    Unshare(u64),
    Clone(u64),
    Join(Process, u32),
    JoinFile(Namespace, u32),
    Mount(CString, CString, CString, u64, CString),
    Umount(CString, u32),
    Pivot(CString, CString),
    Write(CString, Vec<u8>),
    Hostname(Vec<u8>),
}

/// Calls, and which step of the question each is about; `None` for those that only
/// see to it that nothing is harmed.
#[derive(Debug, Default)]
struct Script {
    lines: Vec<(Option<usize>, Line)>,
    /// The kinds that the child has of its own.
    own: Kinds,
    /// Further steps can't be tried.
    partial: bool,
}

impl Script {
    fn run(&self, machine: &Machine<'_>) -> Seen {
        let calls: Vec<Call<'_>> = self.lines.iter().map(|(_, line)| line.call()).collect();
        match machine.probe(&calls) {
            None => Seen::Nothing,
            Some(Outcome::Done) => Seen::Went,
            Some(Outcome::Killed) => Seen::Killed,
            Some(Outcome::NoChild(errno)) => match self.lines.first() {
                Some((step, Line::Clone(_))) => Seen::Refused(*step, errno),
                _ => Seen::Nothing,
            },
            Some(Outcome::Refused(at, errno)) => match self.lines[at].0 {
                Some(step) => Seen::Refused(Some(step), errno),
                // Who may not even make mounts private may do nothing else with them.
                None if matches!(self.lines[at].1, Line::Mount(..)) && errno != Errno::EINVAL => {
                    Seen::Refused(self.lines.iter().skip(at).find_map(|(step, _)| *step), errno)
                }
                None => Seen::Nothing,
            },
        }
    }

    fn push(&mut self, step: usize, line: Line) {
        self.lines.push((Some(step), line));
    }

    /// Adds what the question asks, from `step` on. `None` if it can't be tried.
    fn add(&mut self, state: &State, question: &Question, step: usize) -> Option<()> {
        let alone = state.threads() == 1 && state.fs_sharer.is_none();
        match question {
            Question::Unshare(flags) => {
                let kinds = kinds_of(*flags);
                if *flags != u64::from(kinds.flags()) || kinds.contains(Kind::User) && state.threads() > 1 {
                    return None;
                }
                self.own = self.own.union(kinds);
                self.push(step, Line::Unshare(*flags));
            }
            Question::Clone(flags) => {
                if *flags != u64::from(kinds_of(*flags).flags()) {
                    return None;
                }
                self.push(step, Line::Clone(*flags));
            }
            Question::JoinProcess { pid, kinds } if alone => {
                self.push(step, Line::Join(Process::open(*pid).ok()?, kinds.flags()));
            }
            Question::JoinFile { path, kind } if alone => {
                let ns = Namespace::open(path).ok()?;
                self.push(step, Line::JoinFile(ns, kind.map_or(0, Kind::flag)));
            }
            Question::Mount { source, target, flags, .. }
                if private_is_otherwise(state, [source, target], *flags) =>
            {
                return None;
            }
            Question::Mount { source, target, fstype, flags, data } => {
                self.mount(step, [source, target, fstype, data], *flags)?;
            }
            Question::Umount { target, flags } => {
                self.private_mounts()?;
                self.push(step, Line::Umount(c(target)?, *flags));
            }
            Question::PivotRoot { new, old } => {
                // Not made private first: whether mounts are shared is what is asked.
                self.lines.push((None, Line::Unshare(u64::from(Kind::Mnt.flag()))));
                self.push(step, Line::Pivot(c(new)?, c(old)?));
            }
            Question::WriteMap { pid: 0, kind, text } if self.own.contains(Kind::User) => {
                self.write(step, &format!("/proc/self/{}", kind.file()), text.as_bytes())?;
            }
            Question::WriteSetgroups { pid: 0, text } if self.own.contains(Kind::User) => {
                self.write(step, "/proc/self/setgroups", text.as_bytes())?;
            }
            Question::WriteTimeOffsets { pid: 0, text } if self.own.contains(Kind::Time) => {
                self.write(step, "/proc/self/timens_offsets", text.as_bytes())?;
            }
            Question::SetHostname(name) if self.own.contains(Kind::Uts) => {
                self.push(step, Line::Hostname(name.clone().into_bytes()));
            }
            Question::Steps(all) => {
                for (at, one) in all.iter().enumerate() {
                    if self.partial {
                        break;
                    }
                    if self.add(state, one, step + at).is_none() {
                        self.partial = true;
                    }
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn write(&mut self, step: usize, path: &str, text: &[u8]) -> Option<()> {
        self.push(step, Line::Write(c(path)?, text.to_vec()));
        Some(())
    }

    /// A mount namespace of the child's own, from which nothing gets out.
    fn private_mounts(&mut self) -> Option<()> {
        let private = nsproxy::uapi::MS_PRIVATE | nsproxy::uapi::MS_REC;
        if !self.own.contains(Kind::Mnt) {
            self.lines.push((None, Line::Unshare(u64::from(Kind::Mnt.flag()))));
            self.own.insert(Kind::Mnt);
        }
        self.lines.push((None, Line::Mount(c("none")?, c("/")?, c("")?, private, c("")?)));
        Some(())
    }

    fn mount(&mut self, step: usize, [source, target, fstype, data]: [&String; 4], flags: u64) -> Option<()> {
        let changes_filesystem = flags & MS_REMOUNT != 0 && flags & MS_BIND == 0;
        let reads = fstype == "overlay" && only_reads(data);
        // What would touch a disk is not tried.
        if changes_filesystem || is_of_files(fstype, flags) && !reads {
            return None;
        }
        self.private_mounts()?;
        self.push(step, Line::Mount(c(source)?, c(target)?, c(fstype)?, flags, c(data)?));
        Some(())
    }
}

/// Whether it matters to the call that the mounts of the child are private: then they are neither
/// unbindable any more, nor shared ones, from which none must be moved.
fn private_is_otherwise(state: &State, [source, target]: [&str; 2], flags: u64) -> bool {
    let on = |path: &str| covering(&state.mounts, path);
    let copied = |mount: &MountEntry| {
        let below = flags & nsproxy::uapi::MS_REC != 0 && Path::new(&mount.point).starts_with(source);
        below || on(source).is_some_and(|at| at.id == mount.id)
    };
    let unbindable = || state.mounts.iter().any(|mount| mount.unbindable && copied(mount));
    let parent = on(source).and_then(|moved| state.mounts.iter().find(|mount| mount.id == moved.parent));
    let shared = || [parent, on(target)].into_iter().flatten().any(|mount| mount.shared.is_some());
    flags & MS_BIND != 0 && unbindable() || flags & nsproxy::uapi::MS_MOVE != 0 && shared()
}

/// Whether a file system is to be mounted that has its files from elsewhere: a disk, a server,
/// directories.
pub(super) fn is_of_files(fstype: &str, flags: u64) -> bool {
    let made = ["proc", "sysfs", "tmpfs", "ramfs", "mqueue", "cgroup2", "devpts"].contains(&fstype);
    !fstype.is_empty() && !made && flags & (MS_BIND | MS_REMOUNT) == 0
}

impl Line {
    fn call(&self) -> Call<'_> {
        match self {
            Line::Unshare(flags) => Call::Unshare(*flags),
            // Only clone3 can ask for a time namespace.
            Line::Clone(flags) if flags & u64::from(Kind::Time.flag()) != 0 => Call::Clone3(*flags),
            Line::Clone(flags) => Call::Clone(*flags),
            Line::Join(process, flags) => Call::Setns(process.as_fd(), *flags),
            Line::JoinFile(ns, flags) => Call::Setns(ns.as_fd(), *flags),
            Line::Mount(source, target, fstype, flags, data) => {
                Call::Mount(source, target, fstype, *flags, data)
            }
            Line::Umount(target, flags) => Call::Umount(target, *flags),
            Line::Pivot(new, old) => Call::Pivot(new, old),
            Line::Write(path, text) => Call::Write(path, text),
            Line::Hostname(name) => Call::Sethostname(name),
        }
    }
}

fn c(text: &str) -> Option<CString> {
    CString::new(text).ok()
}

pub(super) fn kinds_of(flags: u64) -> Kinds {
    Kind::ALL.into_iter().filter(|kind| flags & u64::from(kind.flag()) != 0).collect()
}

/// What a filter does to a call, found by a call that the kernel refuses for its arguments
/// before it looks at anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// The kernel itself answered.
    None(&'static str),
    /// Something answered in its place.
    Answers(String, Errno),
    Kills(String),
    /// Nothing was tried, or what came is no sign.
    Unknown,
}

pub(super) fn filter(machine: &Machine<'_>, question: &Question, step: usize) -> Filter {
    use nsproxy::uapi::CLONE_THREAD;
    let (call, expected, shown): (Call<'_>, &[Errno], String) = match question {
        Question::Unshare(flags) => {
            (Call::Unshare(flags | 1), &[Errno::EINVAL], "unshare with a flag that does not exist".to_owned())
        }
        Question::Clone(flags) => {
            let shown = "clone with flags that exclude each other".to_owned();
            (Call::Clone(flags | CLONE_THREAD), &[Errno::EINVAL], shown)
        }
        Question::JoinProcess { kinds, .. } => {
            (Call::SetnsNowhere(kinds.flags()), &[Errno::EBADF], "setns on no descriptor".to_owned())
        }
        Question::JoinFile { .. } => {
            (Call::SetnsNowhere(0), &[Errno::EBADF], "setns on no descriptor".to_owned())
        }
        Question::Mount { .. } => (Call::MountNowhere, &[Errno::EFAULT], "mount of nothing".to_owned()),
        Question::Umount { .. } => {
            (Call::UmountNowhere, &[Errno::EINVAL], "umount2 with a flag that does not exist".to_owned())
        }
        Question::PivotRoot { .. } => {
            (Call::PivotNowhere, &[Errno::EFAULT], "pivot_root of nothing".to_owned())
        }
        Question::SetHostname(_) => {
            (Call::HostnameNowhere, &[Errno::EINVAL, Errno::EFAULT], "sethostname of nothing".to_owned())
        }
        Question::Chroot(_) => (Call::ChrootNowhere, &[Errno::EFAULT], "chroot to nothing".to_owned()),
        Question::SetUid(_) => (Call::SetuidNobody, &[Errno::EINVAL], "setuid of no id".to_owned()),
        Question::SetGid(_) => (Call::SetgidNobody, &[Errno::EINVAL], "setgid of no id".to_owned()),
        Question::Launch(plan) => return launch_filter(machine, plan, step),
        Question::Steps(all) => return all.get(step).map_or(Filter::Unknown, |one| filter(machine, one, 0)),
        _ => return Filter::Unknown,
    };
    judge(machine, call, expected, shown)
}

fn launch_filter(machine: &Machine<'_>, plan: &Plan, step: usize) -> Filter {
    let (call, expected, shown) = match plan.steps().get(step).map(|step| &step.step) {
        Some(Step::Clone { .. }) => (Call::Clone3Nothing, Errno::EINVAL, "clone3 without arguments"),
        Some(Step::Join(_)) => (Call::SetnsNowhere(0), Errno::EBADF, "setns on no descriptor"),
        Some(Step::MountProc { .. } | Step::Propagation(_)) => {
            (Call::MountNowhere, Errno::EFAULT, "mount of nothing")
        }
        Some(Step::Unshare(_)) => {
            (Call::Unshare(0x81), Errno::EINVAL, "unshare with a flag that does not exist")
        }
        _ => return Filter::Unknown,
    };
    judge(machine, call, &[expected], shown.to_owned())
}

fn judge(machine: &Machine<'_>, call: Call<'_>, expected: &[Errno], shown: String) -> Filter {
    match machine.probe(&[call]) {
        Some(Outcome::Refused(_, errno)) if expected.contains(&errno) => {
            Filter::None("the kernel itself answers")
        }
        // These two ask for a capability first.
        Some(Outcome::Refused(_, Errno::EPERM))
            if matches!(call, Call::PivotNowhere | Call::HostnameNowhere) =>
        {
            Filter::Unknown
        }
        Some(Outcome::Refused(_, errno)) => Filter::Answers(shown, errno),
        Some(Outcome::Killed) => Filter::Kills(shown),
        _ => Filter::Unknown,
    }
}
