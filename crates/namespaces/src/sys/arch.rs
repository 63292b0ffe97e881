//! System calls without a C library between: no `errno`, hence no
//! thread-local storage, so they may run in a child that shares the memory of
//! its parent while the parent runs too.

use std::arch::asm;
use std::ffi::c_void;

use crate::errno::Errno;

/// Makes the system call `number`. Unused arguments are ignored by the kernel.
///
/// # Safety
///
/// As for the system call: pointers among `args` must be valid for what the
/// kernel does with them.
#[cfg(target_arch = "x86_64")]
pub(super) unsafe fn syscall(number: libc::c_long, args: [usize; 5]) -> Result<usize, Errno> {
    let answer: isize;
    // SAFETY: the x86-64 convention: rcx and r11 are lost, all else is kept.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => answer,
            in("rdi") args[0], in("rsi") args[1], in("rdx") args[2],
            in("r10") args[3], in("r8") args[4],
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    answer_of(answer)
}

/// Makes the system call `number`. Unused arguments are ignored by the kernel.
///
/// # Safety
///
/// As for the system call: pointers among `args` must be valid for what the
/// kernel does with them.
#[cfg(target_arch = "aarch64")]
pub(super) unsafe fn syscall(number: libc::c_long, args: [usize; 5]) -> Result<usize, Errno> {
    let answer: isize;
    // SAFETY: the arm64 convention: only x0 changes.
    unsafe {
        asm!(
            "svc #0",
            in("x8") number,
            inlateout("x0") args[0] as isize => answer,
            in("x1") args[1], in("x2") args[2], in("x3") args[3], in("x4") args[4],
            options(nostack),
        );
    }
    answer_of(answer)
}

/// Makes the system call `number`, `clone` or `clone3`; in the new process calls `child(data)` on the stack that they
/// name, or on a copy of this one if they name none.
///
/// # Safety
///
/// As for `clone(2)`. With `CLONE_VM` the stack must be the child's alone
/// until it has executed a program or ended, and `child` must not unwind.
#[cfg(target_arch = "x86_64")]
pub(super) unsafe fn clone(
    number: libc::c_long,
    args: [usize; 5],
    child: extern "C" fn(*const c_void) -> !,
    data: *const c_void,
) -> Result<usize, Errno> {
    let answer: isize;
    // SAFETY: the caller vouches for the arguments. The parent sees an ordinary
    // system call. The child finds its registers as they were, an aligned stack
    // pointer, and leaves this block only through `child`, which never returns.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r13",
            "and rsp, -16",
            "call r12",
            "ud2",
            "2:",
            inlateout("rax") number as isize => answer,
            in("rdi") args[0], in("rsi") args[1], in("rdx") args[2],
            in("r10") args[3], in("r8") args[4],
            in("r12") child, in("r13") data,
            lateout("rcx") _, lateout("r11") _,
        );
    }
    answer_of(answer)
}

/// Makes the system call `number`, `clone` or `clone3`; in the new process calls `child(data)` on the stack that they
/// name, or on a copy of this one if they name none.
///
/// # Safety
///
/// As for `clone(2)`. With `CLONE_VM` the stack must be the child's alone
/// until it has executed a program or ended, and `child` must not unwind.
#[cfg(target_arch = "aarch64")]
pub(super) unsafe fn clone(
    number: libc::c_long,
    args: [usize; 5],
    child: extern "C" fn(*const c_void) -> !,
    data: *const c_void,
) -> Result<usize, Errno> {
    let answer: isize;
    // SAFETY: as on x86-64; the kernel requires the stack to be aligned already.
    unsafe {
        asm!(
            "svc #0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, x21",
            "blr x20",
            "brk #1",
            "2:",
            in("x8") number,
            inlateout("x0") args[0] as isize => answer,
            in("x1") args[1], in("x2") args[2], in("x3") args[3], in("x4") args[4],
            in("x20") child, in("x21") data,
        );
    }
    answer_of(answer)
}

fn answer_of(answer: isize) -> Result<usize, Errno> {
    // The kernel answers with -4095..=-1 for an error, and nothing else lies there.
    if (-4095..0).contains(&answer) {
        return Err(Errno::from_raw(-answer as i32));
    }
    Ok(answer as usize)
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("`namespaces` knows how to make system calls on x86-64 and arm64 only");
