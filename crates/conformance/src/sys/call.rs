//! One raw system call, without a C library between.

use std::arch::asm;

/// Makes the system call `number` and returns what the kernel returned: an
/// errno as its negative.
///
/// # Safety
///
/// As for the system call: what the arguments point to must be good for what
/// the kernel does with it.
pub(crate) unsafe fn syscall(number: libc::c_long, args: [u64; 6]) -> i64 {
    let answer: i64;
    // SAFETY: the x86-64 convention: rcx and r11 are lost, all else is kept.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => answer,
            in("rdi") args[0], in("rsi") args[1], in("rdx") args[2],
            in("r10") args[3], in("r8") args[4], in("r9") args[5],
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    answer
}

/// The errno in a raw answer.
pub(crate) fn errno_of(answer: i64) -> Option<i32> {
    (-4095..0).contains(&answer).then(|| i32::try_from(-answer).unwrap_or(0))
}
