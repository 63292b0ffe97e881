//! Steps in words: as a system call, and as the action that failed.

use std::ffi::CStr;
use std::fmt::Write;

use super::step::{JoinTarget, Source, Step};
use crate::idmap::MapWriter;
use crate::kind::{Kind, Kinds};

impl Step {
    /// The system call, in the manner of `strace(1)`. Steps of several calls
    /// show the one that matters.
    pub fn call(&self) -> String {
        match self {
            Step::Undumpable => "prctl(PR_SET_DUMPABLE, 0)".to_owned(),
            Step::Join(JoinTarget::Process { process, kinds }) => {
                format!("setns(pidfd of {}, {})", process.pid(), flags(*kinds))
            }
            Step::Join(JoinTarget::Namespaces(namespaces)) => {
                let each = namespaces.iter().map(|ns| format!("setns({ns}, {})", ns.kind().flag_name()));
                each.collect::<Vec<_>>().join("; ")
            }
            Step::Clone { kinds, share_memory } => clone_call(*kinds, *share_memory),
            Step::Pin { kind, path } => {
                format!("mount(\"/proc/CHILD/ns/{kind}\", \"{}\", MS_BIND)", path.display())
            }
            Step::ParentDeathSignal(number) => format!("prctl(PR_SET_PDEATHSIG, {number})"),
            Step::DenySetgroups => "write(\"/proc/self/setgroups\", \"deny\")".to_owned(),
            Step::WriteMap { kind, map, writer } => match writer {
                MapWriter::Helpers => {
                    let numbers = map.to_string().replace('\n', " ");
                    format!("{} CHILD {numbers}", kind.helper())
                }
                MapWriter::Caller => format!("write(\"/proc/CHILD/{}\", {:?})", kind.file(), map.to_string()),
                _ => format!("write(\"/proc/self/{}\", {:?})", kind.file(), map.to_string()),
            },
            Step::UnshareTime => "unshare(CLONE_NEWTIME)".to_owned(),
            Step::TimeOffsets(text) => format!("write(\"/proc/self/timens_offsets\", {text:?})"),
            Step::EnterTime => "setns(\"/proc/self/ns/time_for_children\", CLONE_NEWTIME)".to_owned(),
            Step::Hostname(name) => format!("sethostname({name:?})"),
            Step::Domainname(name) => format!("setdomainname({name:?})"),
            Step::LoopbackUp => "ioctl(socket, SIOCSIFFLAGS, {\"lo\", IFF_UP})".to_owned(),
            Step::Propagation(mode) => format!("mount(\"none\", \"/\", MS_REC|{})", mode.flag_name()),
            Step::MountProc { root } => {
                format!(
                    "mount(\"proc\", \"{}/proc\", \"proc\", MS_NOSUID|MS_NODEV|MS_NOEXEC)",
                    shown(root.as_deref())
                )
            }
            Step::Chroot(path) => format!("chroot({path:?}); chdir(\"/\")"),
            Step::PivotRoot(path) => {
                format!(
                    "mount({path:?}, {path:?}, MS_BIND|MS_REC); pivot_root(\".\", \".\"); umount2(\".\", MNT_DETACH)"
                )
            }
            Step::Chdir(path) => format!("chdir({path:?})"),
            Step::Init => {
                "clone(CLONE_VM|CLONE_CHILD_CLEARTID); then rt_sigtimedwait and wait4 until the program ends"
                    .to_owned()
            }
            Step::NewSession => "setsid()".to_owned(),
            Step::Groups { groups, .. } => format!("setgroups({groups:?})"),
            Step::KeepCapabilities => "prctl(PR_SET_KEEPCAPS, 1)".to_owned(),
            Step::BoundingSet(set) => format!("prctl(PR_CAPBSET_DROP, all but {set})"),
            Step::Gid(gid) => format!("setgid({gid})"),
            Step::Uid(uid) => format!("setuid({uid})"),
            Step::Capabilities(Some(set)) => format!("capset({set}); prctl(PR_CAP_AMBIENT_RAISE, {set})"),
            Step::Capabilities(None) => {
                "capset(inheritable = permitted); prctl(PR_CAP_AMBIENT_RAISE, permitted)".to_owned()
            }
            Step::NoNewPrivs => "prctl(PR_SET_NO_NEW_PRIVS, 1)".to_owned(),
            Step::Descriptors(places) => {
                let each = places.iter().map(|place| match place.source {
                    Source::Null => format!("dup2(\"/dev/null\", {})", place.fd),
                    Source::Pipe => format!("dup2(pipe, {})", place.fd),
                    Source::Fd(fd) => format!("dup2({fd}, {})", place.fd),
                });
                each.collect::<Vec<_>>().join("; ")
            }
            Step::CloseOthers(keep) => {
                format!("close_range(all but {}, CLOSE_RANGE_CLOEXEC)", join(keep))
            }
            Step::Signals => {
                "rt_sigaction(SIGPIPE, SIG_DFL); rt_sigprocmask(SIG_SETMASK, caller's)".to_owned()
            }
            Step::Execute { candidates, argv, .. } => {
                let path = candidates.first().map_or(c"", |path| path);
                match candidates.len() {
                    0 | 1 => format!("execve({path:?}, {argv:?})"),
                    n => format!("execve({path:?} and {} more of PATH, {argv:?})", n - 1),
                }
            }
        }
    }

    /// What the step does, for an error: `mounting proc on /proc`.
    pub fn doing(&self) -> String {
        match self {
            Step::Undumpable => "becoming untraceable".to_owned(),
            Step::Join(JoinTarget::Process { process, kinds }) => {
                format!("joining the {kinds} {} of process {}", plural(*kinds), process.pid())
            }
            Step::Join(JoinTarget::Namespaces(namespaces)) => {
                format!(
                    "joining {}",
                    namespaces.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
                )
            }
            Step::Clone { kinds, .. } if kinds.is_empty() => "making a process".to_owned(),
            Step::Clone { kinds, .. } => format!("making a process with new {kinds} {}", plural(*kinds)),
            Step::Pin { kind, path } => format!("pinning the {kind} namespace on {}", path.display()),
            Step::ParentDeathSignal(_) => "asking to end with the parent".to_owned(),
            Step::DenySetgroups => "writing deny to /proc/self/setgroups".to_owned(),
            Step::WriteMap { kind, map, writer } => {
                let whose = if *writer == MapWriter::Child { "self" } else { "CHILD" };
                format!("writing {:?} to /proc/{whose}/{}", map.to_string(), kind.file())
            }
            Step::UnshareTime => "making a time namespace".to_owned(),
            Step::TimeOffsets(text) => format!("writing {text:?} to /proc/self/timens_offsets"),
            Step::EnterTime => "entering the new time namespace".to_owned(),
            Step::Hostname(name) => format!("setting the hostname to {name:?}"),
            Step::Domainname(name) => format!("setting the domain name to {name:?}"),
            Step::LoopbackUp => "setting the loopback device up".to_owned(),
            Step::Propagation(mode) => format!("making all mounts {mode}"),
            Step::MountProc { root } => format!("mounting proc on {}/proc", shown(root.as_deref())),
            Step::Chroot(path) => format!("changing the root to {}", path.to_string_lossy()),
            Step::PivotRoot(path) => format!("making {} the root", path.to_string_lossy()),
            Step::Chdir(path) => format!("changing the directory to {}", path.to_string_lossy()),
            Step::Init => "making the program's process".to_owned(),
            Step::NewSession => "starting a session".to_owned(),
            Step::Groups { groups, .. } => format!("setting the supplementary groups to {groups:?}"),
            Step::KeepCapabilities => "keeping capabilities".to_owned(),
            Step::BoundingSet(set) => format!("limiting the bounding set to {set}"),
            Step::Gid(gid) => format!("setting the group id to {gid}"),
            Step::Uid(uid) => format!("setting the user id to {uid}"),
            Step::Capabilities(Some(set)) => format!("setting the capabilities to {set}"),
            Step::Capabilities(None) => "keeping the permitted capabilities".to_owned(),
            Step::NoNewPrivs => "setting no_new_privs".to_owned(),
            Step::Descriptors(_) => "arranging descriptors".to_owned(),
            Step::CloseOthers(_) => "closing other descriptors".to_owned(),
            Step::Signals => "resetting signals".to_owned(),
            Step::Execute { argv, .. } => match argv.first().map(|name| name.to_string_lossy()) {
                Some(name) if !name.is_empty() => format!("executing {name}"),
                _ => "executing \"\"".to_owned(),
            },
        }
    }
}

fn clone_call(kinds: Kinds, share_memory: bool) -> String {
    let mut flags = kinds.iter().map(|kind| kind.flag_name().to_owned() + "|").collect::<String>();
    if share_memory {
        flags.push_str("CLONE_VM|");
    }
    format!("clone3({flags}CLONE_PIDFD|CLONE_CLEAR_SIGHAND, SIGCHLD)")
}

fn flags(kinds: Kinds) -> String {
    kinds.iter().map(Kind::flag_name).collect::<Vec<_>>().join("|")
}

fn plural(kinds: Kinds) -> &'static str {
    if kinds.len() == 1 { "namespace" } else { "namespaces" }
}

fn shown(root: Option<&CStr>) -> String {
    root.map_or_else(String::new, |root| root.to_string_lossy().trim_end_matches('/').to_owned())
}

fn join(numbers: &[i32]) -> String {
    let mut text = String::new();
    for number in numbers {
        let comma = if text.is_empty() { "" } else { "," };
        let _ = write!(text, "{comma}{number}");
    }
    text
}
