//! Numbers of processes, beyond what /proc shows.

use std::os::fd::{AsRawFd, BorrowedFd};

use super::call::syscall;

/// Since 6.11.
const NS_GET_PID_FROM_PIDNS: u64 = 2 << 30 | 4 << 16 | 0xb706;

fn on_file(number: libc::c_long, file: BorrowedFd<'_>, request: u64, value: u64) -> i64 {
    let fd = u64::from(file.as_raw_fd().cast_unsigned());
    // SAFETY: neither of the two requests below takes a pointer.
    unsafe { syscall(number, [fd, request, value, 0, 0, 0]) }
}

/// Which number a task of a pid namespace has in the caller's.
pub(crate) fn number_here(pid_ns: BorrowedFd<'_>, pid: u32) -> Option<i32> {
    let answer = on_file(libc::SYS_ioctl, pid_ns, NS_GET_PID_FROM_PIDNS, pid.into());
    i32::try_from(answer).ok().filter(|number| *number > 0)
}

/// Whether a number of the caller's pid namespace stands for anything: `F_SETOWN` looks for
/// the number alone, so that it also finds those of whom no task is left.
pub(crate) fn number_in_use(file: BorrowedFd<'_>, number: i32) -> bool {
    let own = |number: i32| {
        let owner = i64::from(number).cast_unsigned();
        on_file(libc::SYS_fcntl, file, libc::F_SETOWN.unsigned_abs().into(), owner) == 0
    };
    let found = own(number);
    // An owner keeps its pid namespaces.
    own(0);
    found
}
