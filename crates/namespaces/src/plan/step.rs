//! What a step can be.

use std::ffi::CString;
use std::os::fd::{OwnedFd, RawFd};
use std::path::PathBuf;
use std::sync::Arc;

use crate::caps::Capabilities;
use crate::handle::Namespace;
use crate::idmap::{IdKind, IdMap, MapWriter};
use crate::kind::{Kind, Kinds};
use crate::process::Process;
use crate::spawn::Propagation;

/// One step of a launch: one system call, or a few that belong together.
///
/// Everything a step needs lies in it ready made, because the new process
/// takes its steps without allocating memory.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Step {
    /// Keep other processes from tracing this one or reading its memory:
    /// `PR_SET_DUMPABLE`.
    Undumpable,
    /// Join namespaces: `setns(2)`.
    Join(JoinTarget),
    /// Make the child, with these namespaces new: `clone3(2)`.
    Clone {
        /// The new namespaces.
        kinds: Kinds,
        /// Share the maker's memory until the program is executed.
        share_memory: bool,
    },
    /// Bind a namespace of the child to a file of the caller's: `mount(2)`.
    Pin {
        /// The kind.
        kind: Kind,
        /// The file.
        path: PathBuf,
    },
    /// Be sent a signal when the caller's thread ends: `PR_SET_PDEATHSIG`.
    ParentDeathSignal(i32),
    /// Ask that `execve` gives the program this context: `SELinux`.
    SecurityContext(CString),
    /// Become a member of the control group whose `cgroup.procs` this is.
    JoinCgroup(Arc<OwnedFd>),
    /// Allow or deny `setgroups(2)` in the user namespace. The kernel asks
    /// those to deny it who may not set group ids in the parent.
    Setgroups {
        /// `allow` or `deny`.
        allow: bool,
        /// Go on where the kernel has no such switch (before Linux 3.19).
        if_known: bool,
    },
    /// Write an id map.
    WriteMap {
        /// Which map.
        kind: IdKind,
        /// The map.
        map: IdMap,
        /// Who writes it; never [`MapWriter::Auto`] here.
        writer: MapWriter,
    },
    /// Take new namespaces: `unshare(2)`. Those of pid and time are for children.
    Unshare(Kinds),
    /// Bind a namespace of the caller's to a file that is there: `mount(2)`.
    Bind {
        /// The kind.
        kind: Kind,
        /// The file.
        path: CString,
    },
    /// Set the clocks of the time namespace for children, as text for
    /// `/proc/self/timens_offsets`.
    TimeOffsets(CString),
    /// Join the time namespace for children.
    EnterTime,
    /// `sethostname(2)`.
    Hostname(CString),
    /// `setdomainname(2)`.
    Domainname(CString),
    /// Set the device `lo` up.
    LoopbackUp,
    /// Change the propagation of all mounts.
    Propagation(Propagation),
    /// Make one mount private, so that what comes to lie on it is not passed
    /// on. What is no mount stays as it is.
    MakePrivate(CString),
    /// Mount a new proc, below `root` if that is about to become `/`.
    MountProc {
        /// The coming root.
        root: Option<CString>,
        /// The directory.
        on: CString,
    },
    /// Mount `binfmt_misc`: the binary formats of the user namespace.
    MountBinfmt(CString),
    /// Register a binary format with a mounted `binfmt_misc`.
    RegisterBinfmt {
        /// Its file `register`.
        file: CString,
        /// The format, as `binfmt_misc` takes it.
        format: CString,
    },
    /// Remember the working directory.
    KeepDirectory,
    /// `chroot(2)`, and to its top.
    Chroot(Directory),
    /// Make a directory the root and forget the old one: `pivot_root(2)`.
    PivotRoot(CString),
    /// `chdir(2)`.
    Chdir(Directory),
    /// Stay as pid 1: make a process for the program, pass on signals, reap.
    Init,
    /// `setsid(2)`.
    NewSession,
    /// `setgroups(2)`.
    Groups {
        /// The groups.
        groups: Vec<u32>,
        /// What a refusal means.
        refused: Refused,
    },
    /// Read the ids that the next steps set: those of the owner of the open
    /// `/proc/PID`, as they are seen by now.
    FollowIds(Arc<OwnedFd>),
    /// Keep capabilities across a change of user id: `PR_SET_KEEPCAPS`.
    KeepCapabilities,
    /// Drop all others from the bounding set.
    BoundingSet(Capabilities),
    /// `setgid(2)`.
    Gid(Id),
    /// `setuid(2)`.
    Uid(Id),
    /// Have exactly these capabilities, also after `execve`; `None` for all
    /// that are permitted now.
    Capabilities(Option<Capabilities>),
    /// `PR_SET_NO_NEW_PRIVS`.
    NoNewPrivs,
    /// Put descriptors at their numbers.
    Descriptors(Vec<Place>),
    /// Mark all other descriptors close-on-exec; these stay.
    CloseOthers(Vec<RawFd>),
    /// The caller's signal mask, and default dispositions.
    Signals {
        /// Not of `SIGPIPE`, which the runtime of Rust ignores: the caller has
        /// it as the program is to have it.
        keep: bool,
    },
    /// `execve(2)`, of the first candidate that can be.
    Execute {
        /// The paths to try.
        candidates: Vec<CString>,
        /// The arguments, the name first.
        argv: Vec<CString>,
        /// The environment, as `NAME=value`; `None` for the caller's as it is.
        envp: Option<Vec<CString>>,
    },
    /// `execve(2)` of the login shell that `/etc/passwd` has by now for the
    /// user that runs by now.
    LoginShell {
        /// The environment, as for [`Execute`](Step::Execute).
        envp: Option<Vec<CString>>,
    },
}

/// A directory to go to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Directory {
    /// By its path at that moment.
    Path(CString),
    /// An open one.
    Open(Arc<OwnedFd>),
    /// The one that [`Step::KeepDirectory`] remembers.
    Kept,
}

/// An id to take on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Id {
    /// This one.
    Number(u32),
    /// The one that [`Step::FollowIds`] reads.
    Followed,
}

/// What it means that groups can't be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// The launch fails.
    Fails,
    /// Nothing.
    GoesOn,
    /// The launch fails, unless they were set in an earlier step.
    FailsUnlessDone,
}

/// The namespaces to join.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum JoinTarget {
    /// Those of a process, all in one call.
    Process {
        /// The process.
        process: Arc<Process>,
        /// Which of its namespaces.
        kinds: Kinds,
    },
    /// Single ones. What the caller may not join at once is tried again after
    /// the user namespace.
    Namespaces(Vec<Arc<Namespace>>),
    /// Both: first all that the caller may join from outside, then the user
    /// namespace and the rest.
    Both {
        /// The process.
        process: Arc<Process>,
        /// Which of its namespaces.
        kinds: Kinds,
        /// Others, joined after those.
        namespaces: Vec<Arc<Namespace>>,
    },
}

impl JoinTarget {
    /// The kinds that are joined.
    pub fn kinds(&self) -> Kinds {
        match self {
            JoinTarget::Process { kinds, .. } => *kinds,
            JoinTarget::Namespaces(namespaces) => kinds_of(namespaces),
            JoinTarget::Both { kinds, namespaces, .. } => kinds.union(kinds_of(namespaces)),
        }
    }
}

fn kinds_of(namespaces: &[Arc<Namespace>]) -> Kinds {
    namespaces.iter().map(|namespace| namespace.kind()).collect()
}

/// A descriptor number of the program, and what it is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The number.
    pub fd: RawFd,
    /// What it is.
    pub source: Source,
}

/// What a descriptor of the program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// `/dev/null`.
    Null,
    /// One end of a new pipe; the caller keeps the other.
    Pipe,
    /// This descriptor of the caller.
    Fd(RawFd),
}
