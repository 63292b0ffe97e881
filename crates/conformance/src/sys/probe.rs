//! What only a try can tell of the running kernel: faults that came and went with
//! stable releases. What changes the caller is tried in a child that makes raw calls only.

use std::os::fd::AsRawFd;

use super::call::{errno_of, syscall};

const NEWUSER: u64 = libc::CLONE_NEWUSER as u64;
const NEWNS: u64 = libc::CLONE_NEWNS as u64;
const NEWUTS: u64 = libc::CLONE_NEWUTS as u64;
const NEWPID: u64 = libc::CLONE_NEWPID as u64;
const NEWIPC: u64 = libc::CLONE_NEWIPC as u64;
/// What a child says that could not try.
const UNTRIED: u64 = 255;

/// Runs `work` in a child and returns what it answers, if it ends by itself.
///
/// # Safety
///
/// `work` makes system calls and computes, and neither allocates nor locks: the child
/// is a copy of one thread of this process.
unsafe fn in_child(flags: u64, work: impl FnOnce() -> u64) -> Option<u64> {
    // SAFETY: as promised above.
    unsafe { in_child_looked_at(flags, work, |_| ()) }.map(|(answer, ())| answer)
}

/// The same, with a look at the child when it has exited and before it is reaped.
///
/// # Safety
///
/// As for [`in_child`].
unsafe fn in_child_looked_at<T>(
    flags: u64,
    work: impl FnOnce() -> u64,
    look: impl FnOnce(u64) -> T,
) -> Option<(u64, T)> {
    let flags = flags | libc::SIGCHLD as u64;
    // SAFETY: a child with its own memory and stack, as promised above.
    unsafe {
        let pid = syscall(libc::SYS_clone, [flags, 0, 0, 0, 0, 0]);
        if pid == 0 {
            let answer = work();
            syscall(libc::SYS_exit_group, [answer, 0, 0, 0, 0, 0]);
        }
        let child = pid.cast_unsigned();
        let exited = u64::from((libc::WEXITED | libc::WNOWAIT).cast_unsigned());
        syscall(libc::SYS_waitid, [libc::P_PID.into(), child, 0, exited, 0, 0]);
        let seen = look(child);
        let mut status = 0_i32;
        let place = &raw mut status as u64;
        let waited = syscall(libc::SYS_wait4, [child, place, 0, 0, 0, 0]);
        let ended = waited == pid && pid > 0 && libc::WIFEXITED(status);
        ended.then(|| (libc::WEXITSTATUS(status).cast_unsigned().into(), seen))
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

/// Whether the root of an ipc namespace's owner, who is not root of the machine, may write
/// the System V sysctls there.
pub(crate) fn ipc_sysctls_of_owner() -> Option<bool> {
    const NOBODY: u64 = 65_534;
    let user = rustix::process::getuid();
    let uid = if user.is_root() { NOBODY } else { u64::from(user.as_raw()) };
    let map = format!("0 {uid} 1");
    let write = libc::O_WRONLY.cast_unsigned().into();
    let open = |path: &std::ffi::CStr| call(libc::SYS_open, [path.as_ptr() as u64, write, 0]);
    let work = || {
        if call(libc::SYS_setresuid, [uid; 3]) != 0 {
            return UNTRIED;
        }
        // A change of ids took it away, and with it the process's own files.
        call(libc::SYS_prctl, [libc::PR_SET_DUMPABLE.cast_unsigned().into(), 1, 0]);
        if call(libc::SYS_unshare, [NEWUSER | NEWIPC, 0, 0]) != 0 {
            return UNTRIED;
        }
        let file = open(c"/proc/self/uid_map").cast_unsigned();
        let written = call(libc::SYS_write, [file, map.as_ptr() as u64, map.len() as u64]);
        if written != i64::try_from(map.len()).unwrap_or(0) {
            return UNTRIED;
        }
        match errno_of(open(c"/proc/sys/kernel/shmmni")) {
            None => 1,
            Some(libc::EACCES) => 0,
            Some(_) => UNTRIED,
        }
    };
    // SAFETY: raw calls only, with texts that are there before.
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

/// Writes `/proc/PID/ns/pid` and a zero into the place, and returns where it begins.
fn link_of(pid: u64, place: &mut [u8; 40]) -> u64 {
    let mut at = place.len();
    let mut rest = pid;
    let mut put = |byte| {
        at -= 1;
        place[at] = byte;
    };
    b"/ns/pid\0".iter().rev().for_each(|byte| put(*byte));
    while rest > 0 {
        put(b'0' + (rest % 10).to_le_bytes()[0]);
        rest /= 10;
    }
    b"/proc/".iter().rev().for_each(|byte| put(*byte));
    place[at..].as_ptr() as u64
}

/// What a look at an exited process answers, whose memory its user could not look into:
/// 0 or an errno. `look` makes raw calls only and is given the number of the process.
fn look_at_hidden(look: impl FnOnce(u64) -> i64) -> Option<i32> {
    let hide = || call(libc::SYS_prctl, [libc::PR_SET_DUMPABLE as u64, 0, 0]).cast_unsigned();
    let work = || {
        // Without capabilities where the program was executed.
        if call(libc::SYS_unshare, [NEWUSER, 0, 0]) != 0 {
            return UNTRIED;
        }
        let seen = |pid| errno_of(look(pid)).unwrap_or(0).unsigned_abs().into();
        // SAFETY: raw calls only.
        unsafe { in_child_looked_at(0, hide, seen) }.map_or(UNTRIED, |(_, seen)| seen)
    };
    // SAFETY: raw calls only.
    let answer = unsafe { in_child(0, work) }.filter(|answer| *answer != UNTRIED)?;
    i32::try_from(answer).ok()
}

/// Whether an exited process whose memory its user could not look into is still kept
/// from that user.
pub(crate) fn dumpable_outlives_memory() -> Option<bool> {
    let look = |pid| {
        let (mut path, mut target) = ([0_u8; 40], [0_u8; 64]);
        let path = link_of(pid, &mut path);
        call(libc::SYS_readlink, [path, target.as_mut_ptr() as u64, target.len() as u64])
    };
    look_at_hidden(look).map(|errno| errno == libc::EACCES)
}

/// Whether a request on a pidfd asks for access to a process before it asks whether the
/// process has exited.
pub(crate) fn pidfd_access_first() -> Option<bool> {
    const PIDFD_GET_NET_NAMESPACE: u64 = 0xff04;
    let look = |pid| {
        let fd = call(libc::SYS_pidfd_open, [pid, 0, 0]).cast_unsigned();
        call(libc::SYS_ioctl, [fd, PIDFD_GET_NET_NAMESPACE, 0])
    };
    look_at_hidden(look).map(|errno| errno == libc::EACCES)
}

/// Runs `work` in a child with a mount namespace of its own and a tmpfs at /proc.
fn beside_a_tmpfs(work: impl FnOnce(u64) -> u64) -> Option<bool> {
    let place = c"/proc".as_ptr() as u64;
    let work = || {
        if call(libc::SYS_unshare, [NEWUSER | NEWNS, 0, 0]) != 0 {
            return UNTRIED;
        }
        let kind = c"tmpfs".as_ptr() as u64;
        // SAFETY: the names outlive the call.
        let mounted = unsafe { syscall(libc::SYS_mount, [kind, place, kind, 0, 0, 0]) };
        if mounted == 0 { work(place) } else { UNTRIED }
    };
    // SAFETY: raw calls only.
    unsafe { in_child(0, work) }.filter(|answer| *answer != UNTRIED).map(|answer| answer != 0)
}

/// Whether the owner of a filesystem may force its unmount.
pub(crate) fn owner_forces_umount() -> Option<bool> {
    beside_a_tmpfs(|place| {
        let forced = call(libc::SYS_umount2, [place, libc::MNT_FORCE.cast_unsigned().into(), 0]);
        u64::from(errno_of(forced) != Some(libc::EPERM))
    })
}

/// What a mount at "." answers in a tmpfs that has been unmounted: 0 or an errno.
fn mount_nowhere(fstype: u64, flags: u64) -> i64 {
    let here = c".".as_ptr() as u64;
    // SAFETY: the names outlive the call.
    unsafe { syscall(libc::SYS_mount, [here, here, fstype, flags, 0, 0]) }
}

fn in_an_unmounted_tmpfs(work: impl FnOnce() -> bool) -> Option<bool> {
    beside_a_tmpfs(|place| {
        let entered = call(libc::SYS_chdir, [place, 0, 0]);
        let detached = call(libc::SYS_umount2, [place, libc::MNT_DETACH.cast_unsigned().into(), 0]);
        if entered == 0 && detached == 0 { work().into() } else { UNTRIED }
    })
}

/// Whether the propagation of a mount that is attached nowhere can be changed.
pub(crate) fn any_propagation_changed() -> Option<bool> {
    in_an_unmounted_tmpfs(|| mount_nowhere(0, libc::MS_PRIVATE) == 0)
}

/// Whether a place in a mount that is attached nowhere counts as missing.
pub(crate) fn unmounted_place_is_gone() -> Option<bool> {
    in_an_unmounted_tmpfs(|| errno_of(mount_nowhere(c"tmpfs".as_ptr() as u64, 0)) == Some(libc::ENOENT))
}

/// Whether a mount namespace can be named to listmount by a descriptor.
pub(crate) fn mnt_ns_fd() -> Option<bool> {
    const LISTMOUNT: libc::c_long = 458;
    const LSMT_ROOT: u64 = u64::MAX;
    let ns = std::fs::File::open("/proc/self/ns/mnt").ok()?;
    let fd = u64::from(ns.as_raw_fd().cast_unsigned());
    // struct mnt_id_req: its size and the descriptor, the mount, where to go on, no id.
    let request = [32 | fd << 32, LSMT_ROOT, 0, 0];
    let mut found = 0_u64;
    let args = [request.as_ptr() as u64, &raw mut found as u64, 1, 0, 0, 0];
    // SAFETY: the request and the room for one number outlive the call.
    let answer = unsafe { syscall(LISTMOUNT, args) };
    (errno_of(answer) != Some(libc::ENOSYS)).then_some(answer >= 0)
}
