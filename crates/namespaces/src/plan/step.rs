//! What a step can be.

use std::ffi::CString;
use std::os::fd::RawFd;
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
    /// Give up `setgroups(2)` in the user namespace, which the kernel asks of
    /// those who may not set group ids in the parent.
    DenySetgroups,
    /// Write an id map.
    WriteMap {
        /// Which map.
        kind: IdKind,
        /// The map.
        map: IdMap,
        /// Who writes it; never [`MapWriter::Auto`] here.
        writer: MapWriter,
    },
    /// Make a time namespace for children: `unshare(2)`.
    UnshareTime,
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
    /// Mount a new proc on `/proc`, below `root` if that is about to become `/`.
    MountProc {
        /// The coming root.
        root: Option<CString>,
    },
    /// `chroot(2)`, and to its top.
    Chroot(CString),
    /// Make a directory the root and forget the old one: `pivot_root(2)`.
    PivotRoot(CString),
    /// `chdir(2)`.
    Chdir(CString),
    /// Stay as pid 1: make a process for the program, pass on signals, reap.
    Init,
    /// `setsid(2)`.
    NewSession,
    /// `setgroups(2)`.
    Groups {
        /// The groups.
        groups: Vec<u32>,
        /// Go on where the user namespace forbids the call altogether.
        if_allowed: bool,
    },
    /// Keep capabilities across a change of user id: `PR_SET_KEEPCAPS`.
    KeepCapabilities,
    /// Drop all others from the bounding set.
    BoundingSet(Capabilities),
    /// `setgid(2)`.
    Gid(u32),
    /// `setuid(2)`.
    Uid(u32),
    /// Have exactly these capabilities, also after `execve`; `None` for all
    /// that are permitted now.
    Capabilities(Option<Capabilities>),
    /// `PR_SET_NO_NEW_PRIVS`.
    NoNewPrivs,
    /// Put descriptors at their numbers.
    Descriptors(Vec<Place>),
    /// Mark all other descriptors close-on-exec; these stay.
    CloseOthers(Vec<RawFd>),
    /// Default dispositions and the caller's signal mask.
    Signals,
    /// `execve(2)`, of the first candidate that can be.
    Execute {
        /// The paths to try.
        candidates: Vec<CString>,
        /// The arguments, the name first.
        argv: Vec<CString>,
        /// The environment, as `NAME=value`; `None` for the caller's as it is.
        envp: Option<Vec<CString>>,
    },
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
}

impl JoinTarget {
    /// The kinds that are joined.
    pub fn kinds(&self) -> Kinds {
        match self {
            JoinTarget::Process { kinds, .. } => *kinds,
            JoinTarget::Namespaces(namespaces) => {
                namespaces.iter().map(|namespace| namespace.kind()).collect()
            }
        }
    }
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
