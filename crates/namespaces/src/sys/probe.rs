//! Calls made only to see what the kernel answers: in a child that ends at once, so
//! that nothing of them stays.

use std::ffi::{CStr, c_void};
use std::os::fd::{AsRawFd, BorrowedFd};

use super::arch::{self, syscall};
use super::clone::{CLONE_VFORK, CLONE_VM, CloneArgs, Region, Report};
use crate::errno::Errno;
use crate::explain::Shared;

/// One call of a child.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Call<'a> {
    /// `unshare(2)`
    Unshare(u64),
    /// `setns(2)`
    Setns(BorrowedFd<'a>, u32),
    /// `setns(2)` on a descriptor that is none: the kernel says `EBADF` and does nothing.
    SetnsNowhere(u32),
    /// `clone(2)`; the new process ends at once.
    Clone(u64),
    /// `clone3(2)`; the new process ends at once.
    Clone3(u64),
    /// [`clone_taken`]
    CloneTaken(u64, usize),
    /// `clone3(2)` without arguments: the kernel says `EINVAL` and does nothing.
    Clone3Nothing,
    /// `mount(2)` of nothing on nothing: the kernel says `EFAULT` and does nothing.
    MountNowhere,
    /// `umount2(2)` with flags that are none: the kernel says `EINVAL` and does nothing.
    UmountNowhere,
    /// `pivot_root(2)` of nothing.
    PivotNowhere,
    /// `sethostname(2)` of a name that is none.
    HostnameNowhere,
    /// `chroot(2)` to nothing: the kernel says `EFAULT` and does nothing.
    ChrootNowhere,
    /// `setuid(2)` with the number that is no id: the kernel says `EINVAL` and does nothing.
    SetuidNobody,
    /// `setgid(2)` with it.
    SetgidNobody,
    /// `mount(2)`: source, target, type, flags, data.
    Mount(&'a CStr, &'a CStr, &'a CStr, u64, &'a CStr),
    /// `umount2(2)`
    Umount(&'a CStr, u32),
    /// `pivot_root(2)`
    Pivot(&'a CStr, &'a CStr),
    /// `sethostname(2)`
    Sethostname(&'a [u8]),
    /// Opens a file for writing and writes to it.
    Write(&'a CStr, &'a [u8]),
    /// `mkdir(2)`
    Mkdir(&'a CStr),
    /// Makes a child, which makes the rest of the calls.
    Fork,
}

/// What came of the calls of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All were granted.
    Done,
    /// The call at this position was refused, and none after it was made.
    Refused(usize, Errno),
    /// The child was killed: a filter does that.
    Killed,
    /// There was no child.
    NoChild(Errno),
}

struct Child<'a> {
    calls: &'a [Call<'a>],
    /// How many were made before.
    made: usize,
    region: &'a Region,
}

/// Makes the calls in a child, up to the first that is refused.
pub(crate) fn in_child(calls: &[Call<'_>]) -> Outcome {
    let region = match Region::new(true) {
        Ok(region) => region,
        Err(errno) => return Outcome::NoChild(errno),
    };
    let child = Child { calls, made: 0, region: &region };
    // Without an exit signal: no handler of the caller's is to see it.
    // SAFETY: no shared memory but the region's, so the child works on copies; `run`
    // makes system calls only and does not return.
    let made = unsafe {
        arch::clone(libc::SYS_clone, [0, 0, 0, 0, 0], run, std::ptr::from_ref(&child).cast::<c_void>())
    };
    let pid = match made {
        Ok(pid) => pid,
        Err(errno) => return Outcome::NoChild(errno),
    };
    let killed = await_child(pid) & 0x7f != 0;
    match region.control().report() {
        Some(Report { step, errno }) => Outcome::Refused(step, errno),
        None if killed => Outcome::Killed,
        None => Outcome::Done,
    }
}

/// Waits for a child that sends no signal; its wait status.
fn await_child(pid: usize) -> i32 {
    let mut status: i32 = 0;
    let status_at = &raw mut status as usize;
    // SAFETY: a live number for the kernel to write to.
    while let Err(Errno::EINTR) =
        unsafe { syscall(libc::SYS_wait4, [pid, status_at, libc::__WALL as usize, 0, 0]) }
    {}
    status
}

extern "C" fn run(child: *const c_void) -> ! {
    // SAFETY: the child's copy of what `in_child` passed, at the same address.
    let child = unsafe { &*child.cast::<Child<'_>>() };
    for (step, call) in child.calls.iter().enumerate().skip(child.made) {
        let answer = if matches!(call, Call::Fork) {
            go_on_in_a_child(&Child { made: step + 1, ..*child })
        } else {
            make(call)
        };
        if let Err(errno) = answer {
            child.region.control().fail(Report { step, errno });
            exit();
        }
    }
    exit()
}

/// Comes back only if there is no child.
fn go_on_in_a_child(child: &Child<'_>) -> Result<(), Errno> {
    // SAFETY: as in `in_child`.
    let pid = unsafe { arch::clone(libc::SYS_clone, [0; 5], run, std::ptr::from_ref(child).cast()) }?;
    let killed = await_child(pid) & 0x7f != 0;
    if killed && child.region.control().report().is_none() {
        // What killed it is for the caller to see.
        return Err(Errno::EINTR);
    }
    exit()
}

extern "C" fn end(_: *const c_void) -> ! {
    exit()
}

fn exit() -> ! {
    loop {
        // SAFETY: ends this process, which is one of its own.
        let _ = unsafe { syscall(libc::SYS_exit_group, [0; 5]) };
    }
}

/// Takes what the call needs from live values only.
fn make(call: &Call<'_>) -> Result<(), Errno> {
    let at = |text: &CStr| text.as_ptr() as usize;
    let none = usize::MAX;
    let (number, args) = match *call {
        Call::Unshare(flags) => (libc::SYS_unshare, [flags as usize, 0, 0, 0, 0]),
        Call::Setns(fd, flags) => (libc::SYS_setns, [fd.as_raw_fd() as usize, flags as usize, 0, 0, 0]),
        Call::SetnsNowhere(flags) => (libc::SYS_setns, [none, flags as usize, 0, 0, 0]),
        Call::Clone(flags) => return grandchild(libc::SYS_clone, [flags as usize, 0, 0, 0, 0]),
        Call::Clone3(flags) => {
            let args = CloneArgs { flags, ..CloneArgs::default() };
            return grandchild(libc::SYS_clone3, [&raw const args as usize, size_of::<CloneArgs>(), 0, 0, 0]);
        }
        Call::CloneTaken(flags, levels) => return clone_taken(flags, levels),
        Call::Clone3Nothing => (libc::SYS_clone3, [0; 5]),
        Call::MountNowhere => (libc::SYS_mount, [1, 1, 1, 0, 0]),
        Call::UmountNowhere => (libc::SYS_umount2, [1, 1 << 30, 0, 0, 0]),
        Call::PivotNowhere => (libc::SYS_pivot_root, [1, 1, 0, 0, 0]),
        Call::HostnameNowhere => (libc::SYS_sethostname, [1, none, 0, 0, 0]),
        Call::ChrootNowhere => (libc::SYS_chroot, [1, 0, 0, 0, 0]),
        Call::SetuidNobody => (libc::SYS_setuid, [none, 0, 0, 0, 0]),
        Call::SetgidNobody => (libc::SYS_setgid, [none, 0, 0, 0, 0]),
        Call::Mount(source, target, fstype, flags, data) => {
            (libc::SYS_mount, [at(source), at(target), at(fstype), flags as usize, at(data)])
        }
        Call::Umount(target, flags) => (libc::SYS_umount2, [at(target), flags as usize, 0, 0, 0]),
        Call::Pivot(new, old) => (libc::SYS_pivot_root, [at(new), at(old), 0, 0, 0]),
        Call::Sethostname(name) => (libc::SYS_sethostname, [name.as_ptr() as usize, name.len(), 0, 0, 0]),
        Call::Write(path, text) => return write(path, text),
        Call::Mkdir(path) => (libc::SYS_mkdirat, [libc::AT_FDCWD as usize, at(path), 0o700, 0, 0]),
        Call::Fork => return Ok(()),
    };
    // SAFETY: numbers, and the addresses of values that `call` borrows; address 1
    // is nobody's, and the kernel says so.
    unsafe { syscall(number, args).map(drop) }
}

/// `ioctl_fsfreeze`'s `FITHAW`: the kernel asks for `CAP_SYS_ADMIN` in the user namespace that
/// the file system was mounted from, and says `EINVAL` to what is not frozen.
pub(crate) fn thaw(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    const FITHAW: usize = 0xc004_5878;
    // SAFETY: the request takes no argument.
    unsafe { syscall(libc::SYS_ioctl, [fd.as_raw_fd() as usize, FITHAW, 0, 0, 0]).map(drop) }
}

/// `mount(2)` that asks for two propagation types at once: after the caller's privilege is looked
/// at, `flags_to_propagation_type` finds no single one.
pub(crate) fn two_propagations() -> Result<(), Errno> {
    use nsproxy::uapi::{MS_PRIVATE, MS_SHARED};
    make(&Call::Mount(c"none", c"/", c"", MS_SHARED | MS_PRIVATE, c""))
}

/// `MAX_PID_NS_LEVEL`: for more numbers there is no asking.
const MOST_LEVELS: usize = 32;

/// `clone3(2)` of new namespaces, with number 1 wanted in this many pid namespaces, the deepest
/// first. The last of them is to be the caller's own, where it is taken: so no process is made.
/// As memory is shared, the clocks of a time namespace for children are not fixed by it.
pub(crate) fn clone_taken(flags: u64, levels: usize) -> Result<(), Errno> {
    let ones = [1_i32; MOST_LEVELS];
    let args = CloneArgs {
        flags: flags | CLONE_VM | CLONE_VFORK,
        set_tid: ones.as_ptr() as u64,
        set_tid_size: levels.min(MOST_LEVELS) as u64,
        ..CloneArgs::default()
    };
    grandchild(libc::SYS_clone3, [&raw const args as usize, size_of::<CloneArgs>(), 0, 0, 0])
}

/// Makes a process that ends at once, and waits for it.
fn grandchild(number: libc::c_long, args: [usize; 5]) -> Result<(), Errno> {
    // SAFETY: memory is shared by a child only for which this thread waits, so that the stack
    // below is the child's; the new process makes one call, and that ends it.
    let pid = unsafe { arch::clone(number, args, end, std::ptr::null())? };
    await_child(pid);
    Ok(())
}

fn write(path: &CStr, text: &[u8]) -> Result<(), Errno> {
    let flags = (libc::O_WRONLY | libc::O_CLOEXEC) as usize;
    // SAFETY: a live path.
    let fd =
        unsafe { syscall(libc::SYS_openat, [libc::AT_FDCWD as usize, path.as_ptr() as usize, flags, 0, 0])? };
    // SAFETY: live bytes, and their length.
    let written = unsafe { syscall(libc::SYS_write, [fd, text.as_ptr() as usize, text.len(), 0, 0]) };
    // SAFETY: a descriptor that this function made.
    let _ = unsafe { syscall(libc::SYS_close, [fd, 0, 0, 0, 0]) };
    written.map(drop)
}

/// Whether two processes share something: `kcmp(2)`.
pub(crate) fn same(one: i32, other: i32, what: usize) -> Result<bool, Errno> {
    // SAFETY: takes numbers only.
    let order = unsafe { syscall(libc::SYS_kcmp, [one as usize, other as usize, what, 0, 0])? };
    Ok(order == 0)
}

/// Whether the calling thread shares this with nobody: `unshare(2)` of these says so, and
/// does nothing.
pub(crate) fn alone(what: Shared) -> Result<bool, Errno> {
    let flag = match what {
        Shared::Memory => libc::CLONE_VM,
        Shared::Handlers => libc::CLONE_SIGHAND,
        // This would leave the others.
        Shared::Fs => return Err(Errno::EINVAL),
    };
    // SAFETY: takes a number only.
    match unsafe { syscall(libc::SYS_unshare, [flag as usize, 0, 0, 0, 0]) } {
        Ok(_) => Ok(true),
        Err(Errno::EINVAL) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// `lsm_list_modules(2)`: the security modules that are active, by number. Linux 6.8.
pub(crate) fn lsm_list_modules() -> Result<Vec<u64>, Errno> {
    const SYS_LSM_LIST_MODULES: libc::c_long = 461;
    let mut ids = [0_u64; 64];
    let mut size = size_of_val(&ids) as u32;
    // SAFETY: room for as many bytes as `size` says.
    let count = unsafe {
        syscall(SYS_LSM_LIST_MODULES, [ids.as_mut_ptr() as usize, &raw mut size as usize, 0, 0, 0])?
    };
    Ok(ids.into_iter().take(count).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_tells_which_call_was_refused() {
        assert_eq!(in_child(&[]), Outcome::Done);
        assert_eq!(in_child(&[Call::Unshare(0), Call::Unshare(1)]), Outcome::Refused(1, Errno::EINVAL));
        assert_eq!(in_child(&[Call::SetnsNowhere(0)]), Outcome::Refused(0, Errno::EBADF));
        assert_eq!(in_child(&[Call::Clone3Nothing]), Outcome::Refused(0, Errno::EINVAL));
        assert_eq!(in_child(&[Call::MountNowhere]), Outcome::Refused(0, Errno::EFAULT));
        assert_eq!(in_child(&[Call::UmountNowhere]), Outcome::Refused(0, Errno::EINVAL));
        assert_eq!(in_child(&[Call::Clone(0), Call::Clone3(0)]), Outcome::Done);
        assert_eq!(in_child(&[Call::Write(c"/dev/null", b"x")]), Outcome::Done);
        let forked = [Call::Fork, Call::Unshare(0), Call::Fork, Call::Unshare(1)];
        assert_eq!(in_child(&forked), Outcome::Refused(3, Errno::EINVAL));
        assert_eq!(in_child(&[Call::Write(c"/", b"x")]), Outcome::Refused(0, Errno::EISDIR));
        let taken = in_child(&[Call::CloneTaken(0, 1)]);
        assert!(matches!(taken, Outcome::Refused(0, Errno::EPERM | Errno::EEXIST)), "{taken:?}");
    }
}
