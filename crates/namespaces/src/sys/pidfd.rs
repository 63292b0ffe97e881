//! The ioctls of pidfds (`pidfd_open(2)`).

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::arch::syscall;
use super::fd::own;
use crate::errno::Errno;
use crate::kind::Kind;

/// `PIDFD_GET_*_NAMESPACE`, `_IO(0xff, 1..=10)`. Linux 6.11.
const fn request(kind: Kind, for_children: bool) -> u32 {
    let number = match (kind, for_children) {
        (Kind::Cgroup, _) => 1,
        (Kind::Ipc, _) => 2,
        (Kind::Mnt, _) => 3,
        (Kind::Net, _) => 4,
        (Kind::Pid, false) => 5,
        (Kind::Pid, true) => 6,
        (Kind::Time, false) => 7,
        (Kind::Time, true) => 8,
        (Kind::User, _) => 9,
        (Kind::Uts, _) => 10,
    };
    0xff00 | number
}

/// The namespace of `kind` that the process of `pidfd` is in, or that its
/// future children will be in. `ENOTTY` before Linux 6.11.
pub(crate) fn namespace(pidfd: BorrowedFd<'_>, kind: Kind, for_children: bool) -> Result<OwnedFd, Errno> {
    let request = request(kind, for_children);
    // SAFETY: these requests take no argument but 0.
    let answer = unsafe { syscall(libc::SYS_ioctl, [pidfd.as_raw_fd() as usize, request as usize, 0, 0, 0]) };
    answer.map(own)
}

/// `pidfd_open(2)` for one thread. Linux 6.9.
pub(crate) fn open_thread(tid: i32) -> Result<OwnedFd, Errno> {
    const PIDFD_THREAD: usize = libc::O_EXCL as usize;
    // SAFETY: takes numbers only.
    let answer = unsafe { syscall(libc::SYS_pidfd_open, [tid as usize, PIDFD_THREAD, 0, 0, 0]) };
    answer.map(own)
}

/// Sends signal `number`; 0 only asks whether the process is still there.
pub(crate) fn send_signal(pidfd: BorrowedFd<'_>, number: i32) -> Result<(), Errno> {
    // SAFETY: a null `siginfo_t` means the kernel fills in one like that of `kill(2)`.
    unsafe {
        syscall(libc::SYS_pidfd_send_signal, [pidfd.as_raw_fd() as usize, number as usize, 0, 0, 0])?;
    }
    Ok(())
}
