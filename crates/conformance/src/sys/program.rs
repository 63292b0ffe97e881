//! The program of the actors: a few instructions that take an order, make that one
//! system call, and put the answer back.
//!
//! It uses neither stack nor thread-local storage nor a C library, so it may run in
//! every sort of child: one that shares the memory of its parent, a thread, the
//! child of a vfork. It is the whole text of an ELF file, so that it may be executed
//! where there is no other file.

use std::arch::global_asm;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use super::call::syscall;
use super::memory::{ANSWER, ARGS, BASE, CHILD, MAILBOX_LEN, NUMBER, SLOT_LEN};

/// The mailbox in every actor, and the program, to be executed again.
pub(crate) const MAILBOX_FD: i32 = 1000;
pub(crate) const PROGRAM_FD: i32 = 1001;

/// Where the program lies in an actor's memory.
const TEXT: u64 = 0x40_0000;
const HEADERS: u64 = 64 + 56;

global_asm!(
    ".pushsection .rodata.conformance_actor, \"a\"",
    "conformance_actor:",
    // The slot's number stands in the first character of the first argument.
    "  mov rsi, [rsp + 8]",
    "  movzx ebx, byte ptr [rsi]",
    "  sub ebx, 0x41",
    "  imul rbx, rbx, {slot_len}",
    "  mov eax, {mmap}",
    "  movabs rdi, {base}",
    "  mov esi, {mailbox_len}",
    "  mov edx, 3",
    "  mov r10d, 0x11",
    "  mov r8d, {mailbox_fd}",
    "  xor r9d, r9d",
    "  syscall",
    "  add rbx, rax",
    "  xor eax, eax",
    "2:", // Answer, and give the turn away.
    "  lea rsp, [rbx + {slot_len} - 16]",
    "  mov [rbx + {answer}], rax",
    "  mov dword ptr [rbx], 2",
    "  mov rdi, rbx",
    "  mov esi, 1",
    "  mov edx, 1",
    "  mov eax, {futex}",
    "  syscall",
    "3:", // Wait for an order.
    "  mov edx, [rbx]",
    "  cmp edx, 1",
    "  je 4f",
    "  mov rdi, rbx",
    "  xor esi, esi",
    "  xor r10d, r10d",
    "  mov eax, {futex}",
    "  syscall",
    "  jmp 3b",
    "4:", // Make the call. Where it makes a task, the new one goes to its own slot.
    "  mov r12, [rbx + {child}]",
    "  mov rax, [rbx + {number}]",
    "  mov rdi, [rbx + {args}]",
    "  mov rsi, [rbx + {args} + 8]",
    "  mov rdx, [rbx + {args} + 16]",
    "  mov r10, [rbx + {args} + 24]",
    "  mov r8, [rbx + {args} + 32]",
    "  mov r9, [rbx + {args} + 40]",
    "  syscall",
    "  test r12, r12",
    "  jz 2b",
    "  test rax, rax",
    "  jnz 2b",
    "  mov rbx, r12",
    "  jmp 2b",
    "conformance_actor_handler:", // A signal handler that does nothing.
    "  ret",
    "conformance_actor_restorer:",
    "  mov eax, {sigreturn}",
    "  syscall",
    "conformance_actor_end:",
    ".popsection",
    slot_len = const SLOT_LEN,
    base = const BASE,
    mailbox_len = const MAILBOX_LEN,
    mailbox_fd = const MAILBOX_FD,
    answer = const ANSWER,
    args = const ARGS,
    child = const CHILD,
    number = const NUMBER,
    mmap = const libc::SYS_mmap,
    futex = const libc::SYS_futex,
    sigreturn = const libc::SYS_rt_sigreturn,
);

/// How long the text is from its end back to the handler and the restorer.
const RESTORER_LEN: u64 = 7;
const HANDLER_LEN: u64 = RESTORER_LEN + 1;

unsafe extern "C" {
    static conformance_actor: u8;
    static conformance_actor_end: u8;
}

fn text() -> &'static [u8] {
    let start = &raw const conformance_actor;
    let end = &raw const conformance_actor_end;
    // SAFETY: both symbols bound the block above, which is never written.
    unsafe { std::slice::from_raw_parts(start, end as usize - start as usize) }
}

/// The address of the signal handler in every actor.
pub(crate) const HANDLER: fn() -> u64 = || TEXT + HEADERS + text().len() as u64 - HANDLER_LEN;
/// The address of what a signal handler returns to.
pub(crate) const RESTORER: fn() -> u64 = || TEXT + HEADERS + text().len() as u64 - RESTORER_LEN;

/// The program as an ELF file: one header, one segment, the text.
pub(crate) fn image() -> Vec<u8> {
    let text = text();
    let len = HEADERS + text.len() as u64;
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0];
    file.extend([0; 8]);
    let mut put = |bytes: &[u8]| file.extend(bytes);
    put(&2_u16.to_le_bytes()); // executable
    put(&62_u16.to_le_bytes()); // x86-64
    put(&1_u32.to_le_bytes());
    put(&(TEXT + HEADERS).to_le_bytes()); // entry
    put(&64_u64.to_le_bytes()); // program headers
    put(&0_u64.to_le_bytes()); // section headers
    put(&0_u32.to_le_bytes());
    put(&64_u16.to_le_bytes());
    put(&56_u16.to_le_bytes());
    put(&1_u16.to_le_bytes());
    put(&[0; 6]);
    put(&1_u32.to_le_bytes()); // to be loaded
    put(&5_u32.to_le_bytes()); // read and execute
    put(&0_u64.to_le_bytes());
    put(&TEXT.to_le_bytes());
    put(&TEXT.to_le_bytes());
    put(&len.to_le_bytes());
    put(&len.to_le_bytes());
    put(&0x1000_u64.to_le_bytes());
    put(text);
    file
}

/// What a child of the runner does between clone and exec, ready made.
struct Start {
    args: [u64; 11],
    argv: [u64; 2],
    null: i32,
}

/// Starts an actor in slot 0 by one clone3 with these flags, as a child of the runner,
/// perhaps in a cgroup.
/// `mailbox` and `program` lie at their agreed numbers. Returns its pid.
pub(crate) fn start(flags: u64, cgroup: Option<&OwnedFd>, null: &OwnedFd) -> Result<i32, i32> {
    let name = b"A\0";
    let into = if cgroup.is_some() { nsproxy::uapi::CLONE_INTO_CGROUP } else { 0 };
    let cgroup = cgroup.map_or(0, |cgroup| u64::from(cgroup.as_raw_fd().unsigned_abs()));
    let start = Start {
        args: [flags | into, 0, 0, 0, libc::SIGCHLD as u64, 0, 0, 0, 0, 0, cgroup],
        argv: [name.as_ptr() as u64, 0],
        null: null.as_fd().as_raw_fd(),
    };
    let args = &raw const start.args as u64;
    // SAFETY: a plain copy of this process: the child has its own stack and memory, and
    // makes only the raw calls below until it executes.
    let pid = unsafe { syscall(libc::SYS_clone3, [args, 88, 0, 0, 0, 0]) };
    if pid != 0 {
        return match super::errno_of(pid) {
            Some(errno) => Err(errno),
            None => Ok(i32::try_from(pid).unwrap_or(-1)),
        };
    }
    // SAFETY: these calls and their arguments, on the stack or constant, allocate
    // nothing and lock nothing.
    unsafe {
        let null = u64::from(start.null.unsigned_abs());
        for fd in 0..3 {
            syscall(libc::SYS_dup2, [null, fd, 0, 0, 0, 0]);
        }
        // What the runner was given open, so that an actor's first descriptor is 3.
        let last = u64::from(MAILBOX_FD.unsigned_abs()) - 1;
        syscall(libc::SYS_close_range, [3, last, 0, 0, 0, 0]);
        // What the runner was told to ignore or to block, and what Rust's start-up ignores.
        let nothing = [0_u64; 4];
        for signal in 1..=64 {
            syscall(libc::SYS_rt_sigaction, [signal, &raw const nothing as u64, 0, 8, 0, 0]);
        }
        let set = libc::SIG_SETMASK as u64;
        syscall(libc::SYS_rt_sigprocmask, [set, &raw const nothing as u64, 0, 8, 0, 0]);
        // It ends with the runner, from the first moment on.
        let death = [libc::PR_SET_PDEATHSIG as u64, libc::SIGKILL as u64, 0, 0, 0, 0];
        syscall(libc::SYS_prctl, death);
        let root = c"/".as_ptr() as u64;
        syscall(libc::SYS_chdir, [root, 0, 0, 0, 0, 0]);
        let empty = c"".as_ptr() as u64;
        let argv = &raw const start.argv as u64;
        let program = u64::from(PROGRAM_FD.unsigned_abs());
        let answer = syscall(libc::SYS_execveat, [program, empty, argv, 0, libc::AT_EMPTY_PATH as u64, 0]);
        // Its errno, for the runner to tell.
        syscall(libc::SYS_exit_group, [answer.unsigned_abs(), 0, 0, 0, 0, 0]);
    }
    unreachable!("exit_group does not return")
}
