//! `clone3(2)`, and the memory that a new process needs before it has its own.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering};

use rustix::thread::futex;

use crate::errno::Errno;

/// `struct clone_args` of `clone3(2)`, in its third version (88 bytes, Linux 5.7).
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct CloneArgs {
    pub(crate) flags: u64,
    pub(crate) pidfd: u64,
    pub(crate) child_tid: u64,
    pub(crate) parent_tid: u64,
    pub(crate) exit_signal: u64,
    pub(crate) stack: u64,
    pub(crate) stack_size: u64,
    pub(crate) tls: u64,
    pub(crate) set_tid: u64,
    pub(crate) set_tid_size: u64,
    pub(crate) cgroup: u64,
}

pub(crate) const CLONE_VM: u64 = 0x0000_0100;
pub(crate) const CLONE_FILES: u64 = 0x0000_0400;
pub(crate) const CLONE_PIDFD: u64 = 0x0000_1000;
pub(crate) const CLONE_VFORK: u64 = 0x0000_4000;
pub(crate) const CLONE_CHILD_CLEARTID: u64 = 0x0020_0000;
pub(crate) const CLONE_PARENT_SETTID: u64 = 0x0010_0000;
pub(crate) const CLONE_PARENT: u64 = 0x0000_8000;
pub(crate) const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;

/// What caller and child leave for each other.
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct Control {
    /// 0, or the step that failed and its errno: see [`Report`].
    report: AtomicU64,
    /// Where `CLONE_PIDFD` puts the descriptor.
    pub(super) pidfd: AtomicI32,
    /// The pid that the joiner got for the main child.
    pub(super) pid: AtomicI32,
    /// Cleared by the kernel when the child has executed or ended, if it was
    /// made with `CLONE_CHILD_CLEARTID`.
    pub(super) alive: AtomicU32,
    /// Set when the caller has taken its turn.
    turn: AtomicU32,
}

/// A step that failed, and the errno.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) step: usize,
    pub(crate) errno: Errno,
}

impl Report {
    /// Both in one word, never 0, so that a word of memory or a message of
    /// eight bytes carries it whole.
    pub(crate) fn to_word(self) -> u64 {
        ((self.step as u64 + 1) << 32) | u64::from(self.errno.raw().cast_unsigned())
    }

    pub(crate) fn from_word(word: u64) -> Option<Report> {
        let step = usize::try_from(word >> 32).ok()?.checked_sub(1)?;
        let errno = Errno::from_raw((word & 0xffff_ffff) as i32);
        Some(Report { step, errno })
    }
}

impl Control {
    fn clear(&self) {
        self.report.store(0, Ordering::SeqCst);
        self.pidfd.store(0, Ordering::SeqCst);
        self.pid.store(0, Ordering::SeqCst);
        self.turn.store(0, Ordering::SeqCst);
        self.alive.store(1, Ordering::SeqCst);
    }

    /// Lets the child go on.
    pub(crate) fn give_turn(&self) {
        self.turn.store(1, Ordering::SeqCst);
        // The child sleeps on it, or will see it before it sleeps.
        let _ = futex::wake(&self.turn, futex::Flags::empty(), 1);
    }

    /// Waits until the caller has taken its turn.
    pub(crate) fn await_turn(&self) {
        while self.turn.load(Ordering::SeqCst) == 0 {
            let _ = futex::wait(&self.turn, futex::Flags::empty(), 0, None);
        }
    }

    /// Waits until the child has executed or ended.
    pub(crate) fn await_end(&self) {
        loop {
            match self.alive.load(Ordering::SeqCst) {
                0 => return,
                alive => drop(futex::wait(&self.alive, futex::Flags::empty(), alive, None)),
            }
        }
    }

    pub(crate) fn fail(&self, report: Report) {
        self.report.store(report.to_word(), Ordering::SeqCst);
    }

    pub(crate) fn report(&self) -> Option<Report> {
        Report::from_word(self.report.load(Ordering::SeqCst))
    }
}

/// How big the mapping is. A child runs only this crate's own shallow code
/// between `clone3` and `execve`.
const SIZE: usize = 64 * 1024;
const GUARD: usize = 4096;
/// Room for the [`Control`], and the alignment of a stack.
const CONTROL: usize = 64;
const _: () = assert!(size_of::<Control>() <= CONTROL);

/// A mapping with a stack, and a [`Control`] above it: in the page that the
/// stack touches first. A page that nobody may touch lies below, to stop a
/// stack that grows too far.
#[derive(Debug)]
pub(crate) struct Region {
    base: NonNull<c_void>,
}

/// The region of an earlier launch, whose pages are there already: mapping a
/// new one costs a fifth of a launch. One for all threads: what one of its own
/// would need at the end of a thread costs a first launch more than that.
static SPARE: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());

impl Region {
    /// A region for a child that shares all memory.
    pub(crate) fn private() -> Result<Region, Errno> {
        match NonNull::new(SPARE.swap(std::ptr::null_mut(), Ordering::AcqRel)) {
            Some(base) => Ok(Region { base }),
            None => Region::new(false),
        }
    }

    /// Keeps the region for another launch. Only when no child uses it any more.
    pub(crate) fn keep(self) {
        let base = std::mem::ManuallyDrop::new(self).base;
        if let Some(base) = NonNull::new(SPARE.swap(base.as_ptr(), Ordering::AcqRel)) {
            // Another thread's; one is enough.
            drop(Region { base });
        }
    }

    /// A region that is the same memory for a child with a memory of its own
    /// (`shared`), or only for one that shares all memory.
    pub(crate) fn new(shared: bool) -> Result<Region, Errno> {
        let sharing = if shared { libc::MAP_SHARED } else { libc::MAP_PRIVATE };
        // SAFETY: a new mapping where the kernel likes; nothing refers to it yet.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                SIZE,
                libc::PROT_READ | libc::PROT_WRITE,
                sharing | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        let region = Region { base: NonNull::new(base).ok_or(Errno::ENOMEM)? };
        // SAFETY: the lowest page of the mapping just made.
        let guarded = unsafe { libc::mprotect(base, GUARD, libc::PROT_NONE) };
        if guarded != 0 {
            return Err(Errno::last());
        }
        Ok(region)
    }

    /// Makes ready for a child. The pages are not touched before.
    pub(crate) fn ready(self) -> Region {
        self.control().clear();
        self
    }

    pub(crate) fn control(&self) -> &Control {
        // SAFETY: the top of the mapping, aligned and above every stack; zero
        // filled (a valid `Control`), alive as long as `self`, only atomics.
        unsafe { self.base.byte_add(SIZE - CONTROL).cast::<Control>().as_ref() }
    }

    /// Lowest address and size of the stack.
    pub(super) fn stack(&self) -> (u64, u64) {
        (self.base.as_ptr() as u64 + GUARD as u64, (SIZE - GUARD - CONTROL) as u64)
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `new`; a child that used its stack has
        // executed its program or ended, see `launch`.
        unsafe {
            libc::munmap(self.base.as_ptr(), SIZE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_survives_its_word() {
        let report = Report { step: 0, errno: Errno::EPERM };
        assert_eq!(Report::from_word(report.to_word()), Some(report));
        assert_eq!(Report::from_word(0), None);
        assert_eq!(size_of::<CloneArgs>(), 88);
    }
}
