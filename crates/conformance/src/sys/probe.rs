//! What only a try can tell of the running kernel: faults that came and went with
//! stable releases. Each is tried in a child that makes raw calls only.

use super::call::{errno_of, syscall};

const NEWUSER: u64 = libc::CLONE_NEWUSER as u64;
const NEWNS: u64 = libc::CLONE_NEWNS as u64;
const NEWUTS: u64 = libc::CLONE_NEWUTS as u64;
const NEWPID: u64 = libc::CLONE_NEWPID as u64;
/// What a child says that could not try.
const UNTRIED: u64 = 255;

/// Runs `work` in a child and returns what it answers, if it ends by itself.
///
/// # Safety
///
/// `work` makes system calls and computes, and neither allocates nor locks: the child
/// is a copy of one thread of this process.
unsafe fn in_child(flags: u64, work: impl FnOnce() -> u64) -> Option<u64> {
    let flags = flags | libc::SIGCHLD as u64;
    // SAFETY: a child with its own memory and stack, as promised above.
    unsafe {
        let pid = syscall(libc::SYS_clone, [flags, 0, 0, 0, 0, 0]);
        if pid == 0 {
            let answer = work();
            syscall(libc::SYS_exit_group, [answer, 0, 0, 0, 0, 0]);
        }
        let mut status = 0_i32;
        let place = &raw mut status as u64;
        let waited = syscall(libc::SYS_wait4, [pid.cast_unsigned(), place, 0, 0, 0, 0]);
        let ended = waited == pid && pid > 0 && libc::WIFEXITED(status);
        ended.then(|| libc::WEXITSTATUS(status).cast_unsigned().into())
    }
}

fn call(number: libc::c_long, args: [u64; 3]) -> i64 {
    // SAFETY: the callers pass numbers, and pointers to what outlives the call.
    unsafe { syscall(number, [args[0], args[1], args[2], 0, 0, 0]) }
}

/// Which mount the root directory lies on.
fn root_mount() -> Option<u64> {
    let mut place = std::mem::MaybeUninit::<libc::statx>::zeroed();
    let at = i64::from(libc::AT_FDCWD).cast_unsigned();
    let args = [at, c"/".as_ptr() as u64, 0, libc::STATX_MNT_ID.into(), place.as_mut_ptr() as u64, 0];
    // SAFETY: the name and the place outlive the call, and zeros are a good answer.
    let (answer, found) = unsafe { (syscall(libc::SYS_statx, args), place.assume_init()) };
    (answer == 0 && found.stx_mask & libc::STATX_MNT_ID != 0).then_some(found.stx_mnt_id)
}

/// Whether an unshare of the mount namespace that is refused takes the root away.
pub(crate) fn refused_unshare_loses_root() -> Option<bool> {
    let work = || {
        let before = root_mount();
        if before.is_none() || call(libc::SYS_unshare, [NEWUSER | NEWPID, 0, 0]) != 0 {
            return UNTRIED;
        }
        // The children's pid namespace cannot be left for yet another.
        if call(libc::SYS_unshare, [NEWNS | NEWPID, 0, 0]) == 0 {
            return UNTRIED;
        }
        u64::from(root_mount() != before)
    };
    // SAFETY: raw calls only.
    unsafe { in_child(0, work) }.filter(|answer| *answer != UNTRIED).map(|answer| answer != 0)
}

/// Whether setns to the mount namespace of a process needs a root directory that is
/// not shared, also when other namespaces are joined with it.
pub(crate) fn setns_needs_own_fs() -> Option<bool> {
    let join = || {
        let pid = call(libc::SYS_getpid, [0; 3]).cast_unsigned();
        let fd = call(libc::SYS_pidfd_open, [pid, 0, 0]);
        let answer = call(libc::SYS_setns, [fd.cast_unsigned(), NEWNS | NEWUTS, 0]);
        match errno_of(answer) {
            None => 0,
            Some(libc::EINVAL) => 1,
            Some(_) => UNTRIED,
        }
    };
    let work = || {
        if call(libc::SYS_unshare, [NEWUSER | NEWNS | NEWUTS, 0, 0]) != 0 {
            return UNTRIED;
        }
        // SAFETY: raw calls only.
        unsafe { in_child(libc::CLONE_FS as u64, join) }.unwrap_or(UNTRIED)
    };
    // SAFETY: raw calls only.
    unsafe { in_child(0, work) }.filter(|answer| *answer != UNTRIED).map(|answer| answer != 0)
}
