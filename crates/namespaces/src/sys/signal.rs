//! Signals without a C library: masks, dispositions, synchronous waiting.

use std::os::fd::{BorrowedFd, OwnedFd};

use super::arch::syscall;
use crate::errno::Errno;

/// A set of signals, as the kernel keeps it: bit n-1 for signal n.
pub(crate) type Mask = u64;

/// Every signal there is.
pub(crate) const ALL: Mask = u64::MAX;

/// Replaces the mask of blocked signals of this thread, and answers with the old one.
pub(crate) fn set_mask(new: Mask) -> Mask {
    let mut old: Mask = 0;
    // SAFETY: two live words of the size passed. It can't fail with these arguments.
    let _ = unsafe {
        syscall(
            libc::SYS_rt_sigprocmask,
            [
                libc::SIG_SETMASK as usize,
                &raw const new as usize,
                &raw mut old as usize,
                size_of::<Mask>(),
                0,
            ],
        )
    };
    old
}

/// The mask of blocked signals of this thread.
pub(crate) fn mask() -> Mask {
    let mut mask: Mask = 0;
    // SAFETY: a live word of the size passed; a null pointer changes nothing.
    let _ = unsafe {
        syscall(
            libc::SYS_rt_sigprocmask,
            [libc::SIG_SETMASK as usize, 0, &raw mut mask as usize, size_of::<Mask>(), 0],
        )
    };
    mask
}

/// Room for the kernel's `struct sigaction`, whose first word is the handler;
/// all zero for the default disposition.
#[repr(C)]
#[derive(Default)]
struct DefaultAction([u64; 4]);

/// Gives signal `number` its default disposition.
pub(crate) fn reset(number: i32) {
    let action = DefaultAction::default();
    // SAFETY: `SIG_DFL` is 0, no flags, an empty mask, no restorer: all zero,
    // and no smaller than the structure of any architecture this crate knows.
    let _ = unsafe {
        syscall(
            libc::SYS_rt_sigaction,
            [number as usize, &raw const action as usize, 0, size_of::<Mask>(), 0],
        )
    };
}

/// [`reset`]s signal `number` if it is ignored.
pub(crate) fn reset_if_ignored(number: i32) {
    let mut action = DefaultAction::default();
    // SAFETY: room for the structure of any architecture this crate knows.
    let asked = unsafe {
        syscall(libc::SYS_rt_sigaction, [number as usize, 0, &raw mut action as usize, size_of::<Mask>(), 0])
    };
    if asked.is_ok() && action.0[0] == libc::SIG_IGN as u64 {
        reset(number);
    }
}

/// A signal that was waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    pub(crate) number: i32,
    /// Made by the kernel, not sent by a process. The terminal sends its
    /// signals to a whole process group that way.
    pub(crate) from_kernel: bool,
}

/// Waits for one of the blocked signals in `mask`.
pub(crate) fn wait(mask: Mask) -> Result<Received, Errno> {
    // `siginfo_t` is 128 bytes: si_signo, si_errno, si_code, and a union.
    let mut info = [0_i32; 32];
    // SAFETY: a live word of the size passed, and room for a whole `siginfo_t`;
    // no time limit.
    unsafe {
        syscall(
            libc::SYS_rt_sigtimedwait,
            [&raw const mask as usize, info.as_mut_ptr() as usize, 0, size_of::<Mask>(), 0],
        )?;
    }
    Ok(Received { number: info[0], from_kernel: info[2] == libc::SI_KERNEL })
}

/// `kill(2)` without a check of the pid: used by init, which knows its child.
pub(crate) fn kill(pid: i32, number: i32) {
    // SAFETY: takes numbers only.
    let _ = unsafe { syscall(libc::SYS_kill, [pid as usize, number as usize, 0, 0, 0]) };
}

/// Reaps a child that has ended: its pid and raw status. `None` if none has,
/// unless told to `wait` for one.
pub(crate) fn reap(wait: bool) -> Result<Option<(i32, i32)>, Errno> {
    let options = if wait { libc::__WALL } else { libc::WNOHANG | libc::__WALL };
    let mut status: i32 = 0;
    // SAFETY: a live word for the status.
    let pid = unsafe {
        syscall(libc::SYS_wait4, [-1_isize as usize, &raw mut status as usize, options as usize, 0, 0])?
    };
    Ok((pid != 0).then_some((pid as i32, status)))
}

/// A descriptor that reads as the pending signals of `mask`, which are to be blocked.
pub(crate) fn signalfd(mask: Mask) -> Result<OwnedFd, Errno> {
    let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
    // SAFETY: a live word of the size passed; -1 asks for a new descriptor.
    let fd = unsafe {
        syscall(
            libc::SYS_signalfd4,
            [-1_isize as usize, &raw const mask as usize, size_of::<Mask>(), flags as usize, 0],
        )?
    };
    Ok(super::fd::own(fd))
}

/// The next pending signal of a [`signalfd`].
pub(crate) fn read_signalfd(fd: BorrowedFd<'_>) -> Option<Received> {
    // `struct signalfd_siginfo` is 128 bytes: ssi_signo, ssi_errno, ssi_code ...
    let mut info = [0_u8; 128];
    let length = rustix::io::read(fd, &mut info).ok()?;
    let word = |i: usize| Some(i32::from_ne_bytes(info.get(i * 4..i * 4 + 4)?.try_into().ok()?));
    (length == info.len()).then_some(Received { number: word(0)?, from_kernel: word(2)? == libc::SI_KERNEL })
}

/// Asks for signal `number` when the thread that is the parent ends; 0 for
/// none: `PR_SET_PDEATHSIG`.
pub(crate) fn on_parent_death(number: i32) -> Result<(), Errno> {
    // SAFETY: takes numbers only.
    unsafe { syscall(libc::SYS_prctl, [libc::PR_SET_PDEATHSIG as usize, number as usize, 0, 0, 0]).map(drop) }
}

/// Stops the calling process, until somebody lets it go on.
pub(crate) fn stop() {
    kill(rustix::process::getpid().as_raw_pid(), libc::SIGSTOP);
}

/// Sends the calling process signal `number` with its default disposition.
pub(crate) fn end_self(number: i32) {
    reset(number);
    kill(rustix::process::getpid().as_raw_pid(), number);
    let blocked = set_mask(ALL);
    set_mask(blocked & !(1 << (number - 1)));
    set_mask(blocked);
}

/// Lets the terminal's stop signal, which is blocked, have its effect on the
/// calling process: none if it is ignored, or if nobody could continue the
/// process group.
pub(crate) fn stop_self() {
    let tstp: Mask = 1 << (libc::SIGTSTP - 1);
    kill(rustix::process::getpid().as_raw_pid(), libc::SIGTSTP);
    let blocked = set_mask(ALL);
    set_mask(blocked & !tstp);
    set_mask(blocked);
}
