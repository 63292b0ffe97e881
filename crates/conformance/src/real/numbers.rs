//! The numbers of the world's tasks on the machine.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};

use crate::sys;

/// Tells of the tasks of a world which numbers they have on the machine. `release_task`
/// gives these back after the task is out of sight, so that a task that is seen no more may
/// still have its numbers for a moment.
#[derive(Debug)]
pub(crate) struct Numbers {
    pid_ns: OwnedFd,
    /// A file to ask by.
    file: OwnedFd,
}

impl Numbers {
    /// `proc` is of the world's pid namespace.
    pub(super) fn new(proc: impl AsFd) -> rustix::io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        Ok(Self {
            pid_ns: rustix::fs::openat(proc, "1/ns/pid", flags, Mode::empty())?,
            file: rustix::fs::open("/dev/null", flags, Mode::empty())?,
        })
    }

    /// The number on the machine; none of it on releases before 6.11.
    pub(crate) fn on_machine(&self, pid: u32) -> Option<i32> {
        sys::number_here(self.pid_ns.as_fd(), pid)
    }

    pub(crate) fn in_use(&self, on_machine: i32) -> bool {
        sys::number_in_use(self.file.as_fd(), on_machine)
    }
}
