//! `setns(2)` and `unshare(2)` for the calling thread.

use std::os::fd::{AsRawFd, BorrowedFd};

use super::arch::syscall;
use crate::errno::Errno;

/// `setns(2)`: `fd` is an nsfs file and `flags` its kind or 0, or a pidfd and
/// `flags` the kinds to join.
pub(crate) fn setns(fd: BorrowedFd<'_>, flags: u32) -> Result<(), Errno> {
    // SAFETY: takes numbers only. Joining a mount namespace changes what paths
    // mean, and a user namespace what ids mean, but no memory.
    unsafe { syscall(libc::SYS_setns, [fd.as_raw_fd() as usize, flags as usize, 0, 0, 0])? };
    Ok(())
}

/// `unshare(2)`. The caller sees to it that `flags` leaves the descriptor
/// table shared: `OwnedFd` promises that all threads have one.
pub(crate) fn unshare(flags: u32) -> Result<(), Errno> {
    debug_assert_eq!(flags & libc::CLONE_FILES as u32, 0);
    // SAFETY: as for `setns`.
    unsafe { syscall(libc::SYS_unshare, [flags as usize, 0, 0, 0, 0])? };
    Ok(())
}
