//! Ids of the calling thread alone. The functions of a C library would change
//! those of all threads of the process.

use super::arch::syscall;
use crate::errno::Errno;

/// `setuid(2)`
pub(crate) fn setuid(uid: u32) -> Result<(), Errno> {
    // SAFETY: takes a number only.
    unsafe { syscall(libc::SYS_setuid, [uid as usize, 0, 0, 0, 0]).map(drop) }
}

/// `setgid(2)`
pub(crate) fn setgid(gid: u32) -> Result<(), Errno> {
    // SAFETY: takes a number only.
    unsafe { syscall(libc::SYS_setgid, [gid as usize, 0, 0, 0, 0]).map(drop) }
}

/// `setgroups(2)`
pub(crate) fn setgroups(groups: &[u32]) -> Result<(), Errno> {
    // SAFETY: the kernel reads `groups.len()` numbers of 32 bits.
    unsafe { syscall(libc::SYS_setgroups, [groups.len(), groups.as_ptr() as usize, 0, 0, 0]).map(drop) }
}
