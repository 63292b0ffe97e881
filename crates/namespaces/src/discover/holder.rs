//! What keeps a namespace alive.

use std::path::PathBuf;

use super::name::Name;

/// One thing that keeps a namespace alive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    /// A process is in it. Only the one with the lowest pid is named;
    /// [`Found::processes`](super::Found::processes) says how many there are.
    Process {
        /// Its pid.
        pid: i32,
    },
    /// The future children of a process, which is not in it itself, will be
    /// in it: `unshare(2)` and `setns(2)` for pid and time.
    ForChildren {
        /// The process.
        pid: i32,
        /// The thread that made or joined it; the pid if it is the first.
        tid: i32,
    },
    /// A thread is in it, while the first thread of its process is not.
    Thread {
        /// The process.
        pid: i32,
        /// The thread.
        tid: i32,
    },
    /// A process has it open.
    Fd {
        /// The process.
        pid: i32,
        /// The descriptor, by its number there.
        fd: i32,
    },
    /// A process that is in another network namespace has a socket of this
    /// one. Only one socket of each process is named.
    Socket {
        /// The process.
        pid: i32,
        /// The descriptor, by its number there.
        fd: i32,
    },
    /// It is bound to a file.
    Mount {
        /// The mount namespace the mount is in.
        within: Name,
        /// The file, as seen from the root directory of `within`.
        path: PathBuf,
    },
    /// It is the parent of this namespace.
    Child(Name),
    /// It owns this namespace.
    Owned(Name),
    /// It exists, but what holds it can't be seen: a descriptor in flight
    /// between processes, the kernel itself, or a holder that the caller may
    /// not read.
    Unseen,
}

impl Holder {
    /// How many variants there are.
    pub(super) const SORTS: usize = 9;

    /// The number of [`Holder::Mount`].
    pub(super) const MOUNT: usize = 5;

    /// The number of the variant, to count by.
    pub(super) const fn sort(&self) -> usize {
        match self {
            Holder::Process { .. } => 0,
            Holder::ForChildren { .. } => 1,
            Holder::Thread { .. } => 2,
            Holder::Fd { .. } => 3,
            Holder::Socket { .. } => 4,
            Holder::Mount { .. } => Self::MOUNT,
            Holder::Child(_) => 6,
            Holder::Owned(_) => 7,
            Holder::Unseen => 8,
        }
    }

    /// The process it belongs to, for those that are part of one.
    pub const fn pid(&self) -> Option<i32> {
        match self {
            Holder::Process { pid }
            | Holder::ForChildren { pid, .. }
            | Holder::Thread { pid, .. }
            | Holder::Fd { pid, .. }
            | Holder::Socket { pid, .. } => Some(*pid),
            Holder::Mount { .. } | Holder::Child(_) | Holder::Owned(_) | Holder::Unseen => None,
        }
    }
}
