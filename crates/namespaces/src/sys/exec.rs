//! `execve(2)` from arrays made beforehand.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char};

use super::arch::syscall;
use crate::errno::Errno;

/// Everything `execve` needs, with the pointer arrays already laid out, so
/// that trying it allocates nothing.
pub(crate) struct Image<'a> {
    candidates: &'a [CString],
    argv: Vec<*const c_char>,
    /// `sh`, a slot for the path of the script, then `argv[1..]`: what a file
    /// without a format the kernel knows is run with, see `execvp(3)`.
    script_argv: Vec<Cell<*const c_char>>,
    /// `None` for the environment of this process.
    envp: Option<Vec<*const c_char>>,
}

const SHELL: &CStr = c"/bin/sh";

impl<'a> Image<'a> {
    /// `candidates` are tried in turn, as `execvp(3)` does with `PATH`.
    pub(crate) fn new(
        candidates: &'a [CString],
        argv: &'a [CString],
        envp: Option<&'a [CString]>,
    ) -> Image<'a> {
        let rest = pointers(argv.get(1..).unwrap_or_default());
        let script_argv = [SHELL.as_ptr(), std::ptr::null()].into_iter().chain(rest).map(Cell::new).collect();
        Image { candidates, argv: pointers(argv), script_argv, envp: envp.map(pointers) }
    }

    /// Replaces this process by the program. Comes back only with the reason
    /// why it could not, chosen as `execvp(3)` chooses: a candidate that was
    /// found and refused says more than one that was not found.
    pub(crate) fn execute(&self) -> Errno {
        let envp = self.envp.as_ref().map_or_else(environ, Vec::as_ptr);
        let mut answer = Errno::ENOENT;
        for path in self.candidates {
            match execve(path, self.argv.as_ptr(), envp) {
                Errno::ENOENT | Errno::ENOTDIR => {}
                Errno::EACCES => answer = Errno::EACCES,
                Errno::ENOEXEC => {
                    if let Some(script) = self.script_argv.get(1) {
                        script.set(path.as_ptr());
                    }
                    return execve(SHELL, self.script_argv.as_ptr().cast(), envp);
                }
                errno => return errno,
            }
        }
        answer
    }
}

impl Image<'_> {
    /// Replaces this process by a shell without arguments.
    pub(crate) fn execute_shell(&self, path: &CStr, arg0: &CStr) -> Errno {
        let envp = self.envp.as_ref().map_or_else(environ, Vec::as_ptr);
        let argv = [arg0.as_ptr(), std::ptr::null()];
        execve(path, argv.as_ptr(), envp)
    }
}

/// The addresses of `strings`, and the null pointer that ends such an array.
fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|s| s.as_ptr()).chain([std::ptr::null()]).collect()
}

/// The environment of this process, without a copy. Who changes it from
/// another thread meanwhile breaks the contract of `std::env::set_var`.
fn environ() -> *const *const c_char {
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    // SAFETY: the C library defines it, and a pointer is read whole.
    unsafe { environ }
}

fn execve(path: &CStr, argv: *const *const c_char, envp: *const *const c_char) -> Errno {
    // SAFETY: a C string and two arrays of C strings ended by a null pointer;
    // `Image` borrows what they point to. A `Cell` is laid out as its content.
    let answer =
        unsafe { syscall(libc::SYS_execve, [path.as_ptr() as usize, argv as usize, envp as usize, 0, 0]) };
    answer.err().unwrap_or(Errno::EIO)
}

/// Ends this process at once: no destructors, no `atexit`.
pub(crate) fn exit(status: i32) -> ! {
    loop {
        // SAFETY: takes a number and does not return.
        let _ = unsafe { syscall(libc::SYS_exit_group, [status as usize, 0, 0, 0, 0]) };
    }
}
