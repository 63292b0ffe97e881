//! Descriptors by number, as a new process arranges them.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use super::arch::syscall;
use crate::errno::Errno;

/// Makes `to` name what `from` names, open across `execve`.
pub(crate) fn place(from: RawFd, to: RawFd) -> Result<(), Errno> {
    if from == to {
        // SAFETY: sets a flag of a descriptor of this process.
        unsafe { syscall(libc::SYS_fcntl, [from as usize, libc::F_SETFD as usize, 0, 0, 0])? };
        return Ok(());
    }
    // SAFETY: the numbers come from a plan, whose descriptors lie above every
    // number it assigns: nothing that is still needed is closed.
    unsafe { syscall(libc::SYS_dup3, [from as usize, to as usize, 0, 0, 0])? };
    Ok(())
}

/// Opens the working directory, and answers with the number: whoever opens it
/// may share memory with a process that has another descriptor table.
pub(crate) fn open_working_directory() -> Result<RawFd, Errno> {
    let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: a C string and numbers.
    let fd = unsafe {
        syscall(libc::SYS_openat, [libc::AT_FDCWD as usize, c".".as_ptr() as usize, flags as usize, 0, 0])?
    };
    Ok(fd as RawFd)
}

/// `fchdir(2)`
pub(crate) fn change_directory(fd: RawFd) -> Result<(), Errno> {
    // SAFETY: takes a number only.
    unsafe { syscall(libc::SYS_fchdir, [fd as usize, 0, 0, 0, 0]).map(drop) }
}

/// Gives every descriptor from `first` to `last` the close-on-exec flag.
pub(crate) fn close_on_exec(first: RawFd, last: RawFd) -> Result<(), Errno> {
    const CLOSE_RANGE_CLOEXEC: usize = 4;
    // SAFETY: changes flags of descriptors only.
    let answer =
        unsafe { syscall(libc::SYS_close_range, [first as usize, last as usize, CLOSE_RANGE_CLOEXEC, 0, 0]) };
    match answer {
        Err(Errno::ENOSYS | Errno::EINVAL) => {
            for fd in first..=last.min(highest()) {
                // SAFETY: as above; EBADF for a number not in use is of no interest.
                let _ = unsafe { syscall(libc::SYS_fcntl, [fd as usize, libc::F_SETFD as usize, 1, 0, 0]) };
            }
            Ok(())
        }
        answer => answer.map(drop),
    }
}

/// Closes every descriptor but 0, 1, 2 and `keep`.
pub(crate) fn close_all_but_stdio_and(keep: BorrowedFd<'_>) {
    let keep = keep.as_raw_fd();
    for (first, last) in [(3, keep - 1), (keep.max(2) + 1, RawFd::MAX)] {
        if first > last {
            continue;
        }
        // SAFETY: called only in init, which will use none of them any more.
        let closed = unsafe { syscall(libc::SYS_close_range, [first as usize, last as usize, 0, 0, 0]) };
        if closed.is_err() {
            for fd in first..=last.min(highest()) {
                // SAFETY: as above.
                let _ = unsafe { syscall(libc::SYS_close, [fd as usize, 0, 0, 0, 0]) };
            }
        }
    }
}

/// No descriptor is above this: for what is done one by one where there is no
/// `close_range`, before Linux 5.11 or behind a filter.
fn highest() -> RawFd {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.and_then(|n| RawFd::try_from(n).ok()).unwrap_or(1 << 20)
}

/// A copy of `fd` with the number `least` or above.
pub(crate) fn duplicate(fd: RawFd, least: RawFd) -> Result<OwnedFd, Errno> {
    // SAFETY: makes a new descriptor and touches no memory; EBADF if there is no `fd`.
    let copy = unsafe {
        syscall(libc::SYS_fcntl, [fd as usize, libc::F_DUPFD_CLOEXEC as usize, least as usize, 0, 0])?
    };
    Ok(own(copy))
}

/// Closes one descriptor of a process that is not the one which owns it.
pub(crate) fn close_copy(fd: BorrowedFd<'_>) {
    // SAFETY: called in a child with a descriptor table of its own: the owner,
    // in the caller's table, is untouched.
    let _ = unsafe { syscall(libc::SYS_close, [fd.as_raw_fd() as usize, 0, 0, 0, 0]) };
}

/// Takes over a descriptor that the kernel just made for this process.
pub(super) fn own(fd: usize) -> OwnedFd {
    // SAFETY: only called with the answer of a call that made a descriptor,
    // which no one else can own yet.
    unsafe { OwnedFd::from_raw_fd(fd as RawFd) }
}
