//! `clone3(2)`, and the memory that a new process needs before it has its own.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

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
    pub(crate) fn fail(&self, report: Report) {
        self.report.store(report.to_word(), Ordering::SeqCst);
    }

    pub(crate) fn report(&self) -> Option<Report> {
        Report::from_word(self.report.load(Ordering::SeqCst))
    }
}

/// How big the stack of a child is. It runs only this crate's own shallow
/// code between `clone3` and `execve`.
const STACK: usize = 64 * 1024;
const CONTROL: usize = 4096;

/// A mapping with a [`Control`] at its low end and a stack above it. A page
/// that nobody may touch lies between, to stop a stack that grew too far.
#[derive(Debug)]
pub(crate) struct Region {
    base: NonNull<c_void>,
}

impl Region {
    /// A region that is the same memory for a child with a memory of its own
    /// (`shared`), or only for one that shares all memory.
    pub(crate) fn new(shared: bool) -> Result<Region, Errno> {
        let sharing = if shared { libc::MAP_SHARED } else { libc::MAP_PRIVATE };
        // SAFETY: a new mapping where the kernel likes; nothing refers to it yet.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                CONTROL * 2 + STACK,
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
        // SAFETY: the second page of the mapping just made.
        let guarded = unsafe { libc::mprotect(base.byte_add(CONTROL), CONTROL, libc::PROT_NONE) };
        if guarded != 0 {
            return Err(Errno::last());
        }
        Ok(region)
    }

    pub(crate) fn control(&self) -> &Control {
        // SAFETY: the mapping is page aligned, zero filled (a valid `Control`),
        // lives as long as `self`, and holds only atomics.
        unsafe { self.base.cast::<Control>().as_ref() }
    }

    /// Lowest address and size of the stack.
    pub(super) fn stack(&self) -> (u64, u64) {
        (self.base.as_ptr() as u64 + 2 * CONTROL as u64, STACK as u64)
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `new`; a child that used its stack has
        // executed its program or ended, see `launch`.
        unsafe {
            libc::munmap(self.base.as_ptr(), CONTROL * 2 + STACK);
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
