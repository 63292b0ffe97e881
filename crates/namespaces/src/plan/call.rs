//! Steps in words: as a system call, and as the action that failed.

use std::ffi::CStr;
use std::fmt::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use super::step::{Directory, Id, JoinTarget, Source, Step};
use crate::handle::Namespace;
use crate::idmap::MapWriter;
use crate::kind::{Kind, Kinds};

impl Step {
    /// The system call, in the manner of `strace(1)`. Steps of several calls
    /// show the one that matters.
    pub fn call(&self) -> String {
        match self {
            Step::Undumpable => "prctl(PR_SET_DUMPABLE, 0)".to_owned(),
            Step::SecurityContext(context) => format!("write(\"/proc/thread-self/attr/exec\", {context:?})"),
            Step::JoinCgroup(procs) => format!("write({}, \"0\")", open_file(procs)),
            Step::Join(target) => join_call(target),
            Step::Clone { kinds, share_memory } => clone_call(*kinds, *share_memory),
            Step::Pin { kind, path } => {
                format!("mount(\"/proc/CHILD/ns/{kind}\", \"{}\", MS_BIND)", path.display())
            }
            Step::Bind { kind, path } => {
                let link = kind.for_children_name().unwrap_or(kind.name());
                format!("mount(\"/proc/CALLER/ns/{link}\", {path:?}, MS_BIND)")
            }
            Step::ParentDeathSignal(number) => format!("prctl(PR_SET_PDEATHSIG, {number})"),
            Step::Setgroups { allow, .. } => {
                format!("write(\"/proc/self/setgroups\", \"{}\")", allow_word(*allow))
            }
            Step::WriteMap { kind, map, writer } => match writer {
                MapWriter::Helpers => {
                    let numbers = map.to_string().replace('\n', " ");
                    format!("{} PID {numbers}", kind.helper())
                }
                MapWriter::Caller => format!("write(\"/proc/PID/{}\", {:?})", kind.file(), map.to_string()),
                _ => format!("write(\"/proc/self/{}\", {:?})", kind.file(), map.to_string()),
            },
            Step::Unshare(kinds) => format!("unshare({})", flags(*kinds)),
            Step::TimeOffsets(text) => format!("write(\"/proc/self/timens_offsets\", {text:?})"),
            Step::EnterTime => "setns(\"/proc/self/ns/time_for_children\", CLONE_NEWTIME)".to_owned(),
            Step::Hostname(name) => format!("sethostname({name:?})"),
            Step::Domainname(name) => format!("setdomainname({name:?})"),
            Step::LoopbackUp => "ioctl(socket, SIOCSIFFLAGS, {\"lo\", IFF_UP})".to_owned(),
            Step::Propagation(mode) => format!("mount(\"none\", \"/\", MS_REC|{})", mode.flag_name()),
            Step::MakePrivate(path) => format!("mount(\"none\", {path:?}, MS_REC|MS_PRIVATE)"),
            Step::MountProc { root, on } => {
                let on = shown(root.as_deref()) + &on.to_string_lossy();
                format!("mount(\"proc\", {on:?}, \"proc\", MS_NOSUID|MS_NODEV|MS_NOEXEC)")
            }
            Step::MountBinfmt(on) => {
                format!("mount(\"binfmt_misc\", {on:?}, \"binfmt_misc\", MS_NOSUID|MS_NODEV|MS_NOEXEC)")
            }
            Step::RegisterBinfmt { file, format } => format!("write({file:?}, {format:?})"),
            Step::KeepDirectory => "open(\".\", O_PATH)".to_owned(),
            Step::Chroot(Directory::Path(path)) => format!("chroot({path:?}); chdir(\"/\")"),
            Step::Chroot(dir) => format!("{}; chroot(\".\")", chdir_call(dir)),
            Step::PivotRoot(path) => {
                format!(
                    "mount({path:?}, {path:?}, MS_BIND|MS_REC); pivot_root(\".\", \".\"); umount2(\".\", MNT_DETACH)"
                )
            }
            Step::Chdir(dir) => chdir_call(dir),
            Step::Init => {
                "clone(CLONE_VM|CLONE_CHILD_CLEARTID); then rt_sigtimedwait and wait4 until the program ends"
                    .to_owned()
            }
            Step::NewSession => "setsid()".to_owned(),
            Step::Groups { groups, .. } => format!("setgroups({groups:?})"),
            Step::KeepCapabilities => "prctl(PR_SET_KEEPCAPS, 1)".to_owned(),
            Step::BoundingSet(set) => format!("prctl(PR_CAPBSET_DROP, all but {set})"),
            Step::FollowIds(process) => format!("fstat({})", open_file(process)),
            Step::Gid(gid) => format!("setgid({})", shown_id(*gid)),
            Step::Uid(uid) => format!("setuid({})", shown_id(*uid)),
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
            Step::Signals { keep: true } => "rt_sigprocmask(SIG_SETMASK, caller's)".to_owned(),
            Step::Signals { keep: false } => {
                "rt_sigaction(SIGPIPE, SIG_DFL); rt_sigprocmask(SIG_SETMASK, caller's)".to_owned()
            }
            Step::LoginShell { .. } => "execve(the shell of /etc/passwd, [\"-...\"])".to_owned(),
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
            Step::SecurityContext(_) => "asking for a security context".to_owned(),
            Step::JoinCgroup(_) => "joining the control group".to_owned(),
            Step::Join(target) => joining(target),
            Step::Clone { kinds, .. } if kinds.is_empty() => "making a process".to_owned(),
            Step::Clone { kinds, .. } => format!("making a process with new {kinds} {}", plural(*kinds)),
            Step::Pin { kind, path } => format!("pinning the {kind} namespace on {}", path.display()),
            Step::Bind { kind, path } => {
                format!("binding the {kind} namespace to {}", path.to_string_lossy())
            }
            Step::ParentDeathSignal(_) => "asking to end with the parent".to_owned(),
            Step::Setgroups { allow, .. } => {
                format!("writing {} to /proc/self/setgroups", allow_word(*allow))
            }
            Step::WriteMap { kind, map, writer } => {
                let whose = if *writer == MapWriter::Child { "self" } else { "PID" };
                format!("writing {:?} to /proc/{whose}/{}", map.to_string(), kind.file())
            }
            Step::Unshare(kinds) => format!("taking new {kinds} {}", plural(*kinds)),
            Step::TimeOffsets(text) => format!("writing {text:?} to /proc/self/timens_offsets"),
            Step::EnterTime => "entering the new time namespace".to_owned(),
            Step::Hostname(name) => format!("setting the hostname to {name:?}"),
            Step::Domainname(name) => format!("setting the domain name to {name:?}"),
            Step::LoopbackUp => "setting the loopback device up".to_owned(),
            Step::Propagation(mode) => format!("making all mounts {mode}"),
            Step::MakePrivate(path) => format!("making the mount {} private", path.to_string_lossy()),
            Step::MountProc { root, on } => {
                format!("mounting proc on {}{}", shown(root.as_deref()), on.to_string_lossy())
            }
            Step::MountBinfmt(on) => format!("mounting binfmt_misc on {}", on.to_string_lossy()),
            Step::RegisterBinfmt { file, format } => {
                format!("writing {format:?} to {}", file.to_string_lossy())
            }
            Step::KeepDirectory => "opening the working directory".to_owned(),
            Step::Chroot(dir) => format!("changing the root to {}", shown_dir(dir)),
            Step::PivotRoot(path) => format!("making {} the root", path.to_string_lossy()),
            Step::Chdir(dir) => format!("changing the directory to {}", shown_dir(dir)),
            Step::Init => "making the program's process".to_owned(),
            Step::NewSession => "starting a session".to_owned(),
            Step::Groups { groups, .. } => format!("setting the supplementary groups to {groups:?}"),
            Step::KeepCapabilities => "keeping capabilities".to_owned(),
            Step::BoundingSet(set) => format!("limiting the bounding set to {set}"),
            Step::FollowIds(_) => "asking who owns the process".to_owned(),
            Step::Gid(gid) => format!("setting the group id to {}", shown_id(*gid)),
            Step::Uid(uid) => format!("setting the user id to {}", shown_id(*uid)),
            Step::Capabilities(Some(set)) => format!("setting the capabilities to {set}"),
            Step::Capabilities(None) => "keeping the permitted capabilities".to_owned(),
            Step::NoNewPrivs => "setting no_new_privs".to_owned(),
            Step::Descriptors(_) => "arranging descriptors".to_owned(),
            Step::CloseOthers(_) => "closing other descriptors".to_owned(),
            Step::Signals { .. } => "resetting signals".to_owned(),
            Step::LoginShell { .. } => "executing the login shell".to_owned(),
            Step::Execute { argv, .. } => match argv.first().map(|name| name.to_string_lossy()) {
                Some(name) if !name.is_empty() => format!("executing {name}"),
                _ => "executing \"\"".to_owned(),
            },
        }
    }
}

fn join_call(target: &JoinTarget) -> String {
    let of = |pid: i32, kinds: Kinds| format!("setns(pidfd of {pid}, {})", flags(kinds));
    let each = |namespaces: &[Arc<Namespace>]| {
        namespaces.iter().map(|ns| format!("setns({ns}, {})", ns.kind().flag_name())).collect::<Vec<_>>()
    };
    match target {
        JoinTarget::Process { process, kinds } => of(process.pid(), *kinds),
        JoinTarget::Namespaces(namespaces) => each(namespaces).join("; "),
        JoinTarget::Both { process, kinds, namespaces } => {
            let mut calls = each(namespaces);
            calls.insert(0, of(process.pid(), *kinds));
            calls.join("; ")
        }
    }
}

fn joining(target: &JoinTarget) -> String {
    let of = |pid: i32, kinds: Kinds| format!("the {kinds} {} of process {pid}", plural(kinds));
    let each = |namespaces: &[Arc<Namespace>]| {
        namespaces.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    match target {
        JoinTarget::Process { process, kinds } => format!("joining {}", of(process.pid(), *kinds)),
        JoinTarget::Namespaces(namespaces) => format!("joining {}", each(namespaces)),
        JoinTarget::Both { process, kinds, namespaces } if namespaces.is_empty() => {
            format!("joining {}", of(process.pid(), *kinds))
        }
        JoinTarget::Both { process, kinds, namespaces } => {
            format!("joining {} and {}", of(process.pid(), *kinds), each(namespaces))
        }
    }
}

fn chdir_call(dir: &Directory) -> String {
    match dir {
        Directory::Path(path) => format!("chdir({path:?})"),
        Directory::Open(fd) => format!("fchdir({})", open_file(fd)),
        Directory::Kept => "fchdir(the one opened)".to_owned(),
    }
}

/// A descriptor and what it stands for, as `strace -y` shows it.
fn open_file(fd: &OwnedFd) -> String {
    let number = fd.as_raw_fd();
    match std::fs::read_link(format!("/proc/self/fd/{number}")) {
        Ok(path) => format!("{number}<{}>", path.display()),
        Err(_) => format!("{number}"),
    }
}

fn shown_dir(dir: &Directory) -> String {
    match dir {
        Directory::Path(path) => path.to_string_lossy().into_owned(),
        Directory::Open(_) => "the one opened before".to_owned(),
        Directory::Kept => "where it was".to_owned(),
    }
}

fn shown_id(id: Id) -> String {
    match id {
        Id::Number(id) => id.to_string(),
        Id::Followed => "that of the process".to_owned(),
    }
}

fn allow_word(allow: bool) -> &'static str {
    if allow { "allow" } else { "deny" }
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
