//! The places where this crate makes a process.
//!
//! Each pairs a `clone3` or `clone` with the function that runs in the new process. Those
//! functions live in `crate::launch`; what makes the pairing sound is that they
//! and all they call allocate nothing, take no lock, touch no thread-local
//! storage and cannot unwind.

use std::ffi::c_void;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;

use super::arch;
use super::clone::{
    CLONE_CHILD_CLEARTID, CLONE_CLEAR_SIGHAND, CLONE_FILES, CLONE_PARENT, CLONE_PARENT_SETTID, CLONE_PIDFD,
    CLONE_VFORK, CLONE_VM, CloneArgs, Region,
};
use super::fd::own;
use crate::errno::Errno;
use crate::kind::Kinds;
use crate::launch::child::{self, Context};
use crate::launch::helper::{self, Job};

const SIGCHLD: u64 = libc::SIGCHLD as u64;

/// # Safety
///
/// As for [`arch::clone`].
unsafe fn clone3(
    args: &CloneArgs,
    child: extern "C" fn(*const c_void) -> !,
    context: &Context<'_>,
) -> Result<i32, Errno> {
    let args = [std::ptr::from_ref(args) as usize, size_of::<CloneArgs>(), 0, 0, 0];
    // SAFETY: the caller's.
    let pid = unsafe { arch::clone(libc::SYS_clone3, args, child, std::ptr::from_ref(context).cast())? };
    Ok(pid as i32)
}

/// How a child is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct How {
    /// The namespaces it gets new.
    pub(crate) kinds: Kinds,
    /// Share the caller's memory until `execve` (`CLONE_VM`).
    pub(crate) share_memory: bool,
    /// How the caller learns what became of it.
    pub(crate) wake: Wake,
}

/// How a caller learns that its child has executed the program or has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// It sleeps in `clone3` until then (`CLONE_VFORK`).
    Sleep,
    /// A word in the memory that both share is cleared (`CLONE_CHILD_CLEARTID`).
    Words,
    /// The child's end of a socket pair is closed.
    Channel,
}

impl How {
    fn flags(self) -> u64 {
        u64::from(self.kinds.flags())
            | CLONE_CLEAR_SIGHAND
            | CLONE_PIDFD
            | if self.share_memory { CLONE_VM } else { 0 }
            | match self.wake {
                Wake::Sleep => CLONE_VFORK,
                Wake::Words => CLONE_CHILD_CLEARTID,
                Wake::Channel => 0,
            }
    }
}

fn with_stack(mut args: CloneArgs, region: &Region) -> CloneArgs {
    if args.flags & CLONE_VM != 0 {
        (args.stack, args.stack_size) = region.stack();
    }
    args
}

/// The main child, made by the caller itself.
pub(crate) fn child(how: How, context: &Context<'_>) -> Result<(i32, OwnedFd), Errno> {
    let control = context.region.control();
    let args = CloneArgs {
        flags: how.flags(),
        exit_signal: SIGCHLD,
        pidfd: control.pidfd.as_ptr() as u64,
        child_tid: control.alive.as_ptr() as u64,
        ..CloneArgs::default()
    };
    let args = with_stack(args, context.region);
    // SAFETY: `child::main` keeps the rules above. The stack is the region's,
    // which `crate::launch` keeps until the child has memory of its own or is gone.
    let pid = unsafe { clone3(&args, main_entry, context)? };
    Ok((pid, own(control.pidfd.load(Ordering::SeqCst) as usize)))
}

/// A helper that joins namespaces and then makes the main child, as a child of
/// the caller. It shares the descriptor table, so that the pidfd arrives here,
/// and nothing else: it may meet processes that the caller does not trust.
/// Answers with the pid of the joiner, which is to be reaped.
pub(crate) fn joiner(context: &Context<'_>) -> Result<i32, Errno> {
    let args = CloneArgs {
        flags: CLONE_FILES | CLONE_VFORK | CLONE_CLEAR_SIGHAND,
        exit_signal: SIGCHLD,
        ..CloneArgs::default()
    };
    // SAFETY: as above; without `CLONE_VM` it runs on a copy of this stack.
    unsafe { clone3(&args, joiner_entry, context) }
}

/// The main child, made by the joiner in the caller's stead (`CLONE_PARENT`).
pub(crate) fn child_of_joiner(how: How, context: &Context<'_>) -> Result<(), Errno> {
    let control = context.region.control();
    let args = CloneArgs {
        flags: how.flags() | CLONE_PARENT | CLONE_PARENT_SETTID,
        pidfd: control.pidfd.as_ptr() as u64,
        // By the kernel, so that a joiner killed right after leaves it as well.
        parent_tid: control.pid.as_ptr() as u64,
        ..CloneArgs::default()
    };
    let args = with_stack(args, context.region);
    // SAFETY: as above. The memory shared here is the joiner's copy.
    unsafe { clone3(&args, main_entry, context).map(drop) }
}

/// What the joiner left about the main child: its pid and pidfd.
pub(crate) fn made_by_joiner(context: &Context<'_>) -> Option<(i32, OwnedFd)> {
    let control = context.region.control();
    let pid = control.pid.load(Ordering::SeqCst);
    // The descriptor table is shared with the joiner: the number is ours.
    (pid != 0).then(|| (pid, own(control.pidfd.load(Ordering::SeqCst) as usize)))
}

/// The program's process, made by init in its own memory. It waits for its turn,
/// and its end or `execve` clears a word. It is a plain `clone`: nothing of it
/// needs the newer call.
pub(crate) fn program(context: &Context<'_>) -> Result<i32, Errno> {
    let flags = (CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD) as usize;
    let (stack, size) = context.region.stack();
    let stack = (stack + size) as usize;
    let alive = context.region.control().alive.as_ptr() as usize;
    // The order of the last two is a matter of the architecture: `clone(2)`.
    let args =
        if cfg!(target_arch = "x86_64") { [flags, stack, 0, alive, 0] } else { [flags, stack, 0, 0, alive] };
    // SAFETY: as above; the memory is init's own. Init runs on its copy of the
    // caller's stack, so the region's is free.
    let pid =
        unsafe { arch::clone(libc::SYS_clone, args, program_entry, std::ptr::from_ref(context).cast())? };
    Ok(pid as i32)
}

/// A process that stays outside the namespaces that the caller is about to
/// take, on a copy of the caller's memory.
pub(crate) fn helper(job: &Job<'_>) -> Result<(i32, OwnedFd), Errno> {
    let mut pidfd: i32 = -1;
    let args = CloneArgs {
        flags: CLONE_CLEAR_SIGHAND | CLONE_PIDFD,
        exit_signal: SIGCHLD,
        pidfd: &raw mut pidfd as u64,
        ..CloneArgs::default()
    };
    let args = [&raw const args as usize, size_of::<CloneArgs>(), 0, 0, 0];
    // SAFETY: `helper::run` keeps the rules above; it runs on a copy of this stack.
    let pid = unsafe { arch::clone(libc::SYS_clone3, args, helper_entry, std::ptr::from_ref(job).cast())? };
    Ok((pid as i32, own(pidfd as usize)))
}

extern "C" fn helper_entry(job: *const c_void) -> ! {
    // SAFETY: the address of a `Job` in this process's copy of the memory.
    helper::run(unsafe { &*job.cast::<Job<'_>>() })
}

extern "C" fn main_entry(context: *const c_void) -> ! {
    // SAFETY: the address of a `Context` that outlives the child's use of it,
    // or a copy of it in the child's own memory.
    child::main(unsafe { &*context.cast::<Context<'_>>() })
}

extern "C" fn joiner_entry(context: *const c_void) -> ! {
    // SAFETY: as in `main_entry`.
    child::joiner(unsafe { &*context.cast::<Context<'_>>() })
}

extern "C" fn program_entry(context: *const c_void) -> ! {
    // SAFETY: as in `main_entry`.
    child::program(unsafe { &*context.cast::<Context<'_>>() })
}
