//! The mailbox: memory that the runner and all actors share, at the same address
//! in each, with a slot for every actor.
//!
//! A slot holds one order (the number of a system call and its arguments), its
//! answer, and room for what the arguments point to. Whose turn it is stands in a
//! futex at its start.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::call::syscall;

/// Where the mailbox lies, in every process.
pub(crate) const BASE: u64 = 0x10_0000_0000;
/// How many actors there can be at a time.
pub(crate) const SLOTS: usize = 60;
pub(super) const SLOT_LEN: u64 = 0x1_0000;
/// Room for arguments, from here on in a slot.
pub(crate) const DATA: u64 = 0x100;
pub(crate) const DATA_LEN: usize = 0x7f00;
pub(super) const MAILBOX_LEN: u64 = SLOT_LEN * SLOTS as u64;

pub(super) const NUMBER: u64 = 8;
pub(super) const ARGS: u64 = 16;
pub(super) const ANSWER: u64 = 64;
pub(super) const CHILD: u64 = 72;

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// No actor is there, or it has not come to its loop yet.
    Nobody,
    /// The actor has an order.
    Actor,
}

/// The shared memory, mapped at [`BASE`].
#[derive(Debug)]
pub(crate) struct Mailbox {
    file: OwnedFd,
    base: u64,
}

impl Mailbox {
    /// Makes the memory. There is one at a time in a process.
    pub(crate) fn new() -> std::io::Result<Mailbox> {
        let file = rustix::fs::memfd_create("conformance-mailbox", rustix::fs::MemfdFlags::CLOEXEC)?;
        rustix::fs::ftruncate(&file, MAILBOX_LEN)?;
        let flags = libc::MAP_SHARED | libc::MAP_FIXED_NOREPLACE;
        let fd = u64::try_from(std::os::fd::AsRawFd::as_raw_fd(&file)).unwrap_or(u64::MAX);
        // SAFETY: MAP_FIXED_NOREPLACE takes only addresses that nothing uses.
        let at = unsafe {
            syscall(
                libc::SYS_mmap,
                [
                    BASE,
                    MAILBOX_LEN,
                    u64::from((libc::PROT_READ | libc::PROT_WRITE).unsigned_abs()),
                    u64::from(flags.unsigned_abs()),
                    fd,
                    0,
                ],
            )
        };
        if at != BASE.cast_signed() {
            return Err(std::io::Error::from_raw_os_error(super::errno_of(at).unwrap_or(libc::EEXIST)));
        }
        Ok(Mailbox { file, base: BASE })
    }

    pub(crate) fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// The address of a slot, here and in every actor.
    pub(crate) fn slot(&self, slot: usize) -> u64 {
        assert!(slot < SLOTS, "no such slot: {slot}");
        self.base + SLOT_LEN * slot as u64
    }

    fn word(&self, slot: usize, at: u64) -> &AtomicU64 {
        // SAFETY: the slot lies in the mapping, which lives as long as `self`; the
        // field is aligned, and everybody treats it as atomic.
        unsafe { &*((self.slot(slot) + at) as *const AtomicU64) }
    }

    fn futex(&self, slot: usize) -> &AtomicU32 {
        // SAFETY: as in `word`.
        unsafe { &*(self.slot(slot) as *const AtomicU32) }
    }

    /// Makes a slot ready for a new actor.
    pub(crate) fn clear(&self, slot: usize) {
        self.futex(slot).store(0, Ordering::Release);
    }

    /// Gives an order. `child` is the slot of the actor that the call makes, if it
    /// is one that makes a task.
    pub(crate) fn order(&self, slot: usize, number: i64, args: [u64; 6], child: Option<usize>) {
        self.word(slot, NUMBER).store(number.cast_unsigned(), Ordering::Relaxed);
        for (at, arg) in (0..).zip(args) {
            self.word(slot, ARGS + 8 * at).store(arg, Ordering::Relaxed);
        }
        self.word(slot, CHILD).store(child.map_or(0, |child| self.slot(child)), Ordering::Relaxed);
        self.futex(slot).store(1, Ordering::Release);
        let wake = u64::from(libc::FUTEX_WAKE.unsigned_abs());
        // SAFETY: the futex is in the mapping.
        unsafe { syscall(libc::SYS_futex, [self.slot(slot), wake, 1, 0, 0, 0]) };
    }

    /// Waits until it is not the actor's turn, and no longer than this.
    pub(crate) fn wait(&self, slot: usize, turn: Turn, patience: Duration) -> bool {
        let until = std::time::Instant::now() + patience;
        let value = turn as u32;
        while self.futex(slot).load(Ordering::Acquire) == value {
            let left = until.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() {
                return false;
            }
            let time = libc::timespec {
                tv_sec: left.as_secs().cast_signed(),
                tv_nsec: i64::from(left.subsec_nanos()),
            };
            let wait = u64::from(libc::FUTEX_WAIT.unsigned_abs());
            let time = &raw const time as u64;
            // SAFETY: the futex is in the mapping, and the time outlives the call.
            unsafe { syscall(libc::SYS_futex, [self.slot(slot), wait, u64::from(value), time, 0, 0]) };
        }
        true
    }

    pub(crate) fn answer(&self, slot: usize) -> i64 {
        // SAFETY: as in `word`.
        unsafe { &*((self.slot(slot) + ANSWER) as *const AtomicI64) }.load(Ordering::Relaxed)
    }

    /// Puts bytes into the room for arguments. Returns their address.
    pub(crate) fn put(&self, slot: usize, at: usize, bytes: &[u8]) -> u64 {
        assert!(at + bytes.len() <= DATA_LEN, "too much for a slot");
        let address = self.slot(slot) + DATA + at as u64;
        // SAFETY: inside the mapping, and the actor reads it only on its turn.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), address as *mut u8, bytes.len()) };
        address
    }

    /// Reads bytes from the room for arguments.
    pub(crate) fn get(&self, slot: usize, at: usize, len: usize) -> Vec<u8> {
        assert!(at + len <= DATA_LEN, "not in a slot");
        let address = self.slot(slot) + DATA + at as u64;
        let mut bytes = vec![0; len];
        // SAFETY: inside the mapping, and the actor writes it only on its turn.
        unsafe { std::ptr::copy_nonoverlapping(address as *const u8, bytes.as_mut_ptr(), len) };
        bytes
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        // SAFETY: nothing refers to the mapping any more.
        unsafe { syscall(libc::SYS_munmap, [self.base, MAILBOX_LEN, 0, 0, 0, 0]) };
    }
}
