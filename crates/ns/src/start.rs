//! The start of the process, by the C library's `main`.
//!
//! Rust's own `main` comes after a start-up that ignores `SIGPIPE`, opens
//! descriptors 0, 1 and 2 where they are closed, and makes a stack for signal
//! handlers. A program run by this one would inherit the first two, and the
//! third takes time.

#![allow(unsafe_code)]

use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::os::fd::IntoRawFd;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{Mode, OFlags};

/// What the C library calls.
///
/// # Safety
///
/// By the C library only: `argv` has `argc` strings.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    let argc = usize::try_from(argc).unwrap_or(0);
    // SAFETY: the C library promises `argc` pointers, each to a string, that
    // stay as they are while the process runs.
    let args = (0..argc).map(|i| unsafe { CStr::from_ptr(*argv.add(i)) });
    let args: Vec<OsString> = args.map(|arg| OsStr::from_bytes(arg.to_bytes()).to_owned()).collect();
    c_int::from(crate::run(&args).number())
}

/// What Rust's own start-up would have done for a program of ours: writing to
/// a pipe that nobody reads is an error and not the end, and 0, 1 and 2 are open.
pub(crate) fn as_usual() {
    // SAFETY: no handler of ours is replaced, there is none.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
    }
    for fd in [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()] {
        if rustix::io::fcntl_getfd(fd).is_err() {
            // It takes the lowest number that is free, and is to stay there.
            let _ = rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty()).map(IntoRawFd::into_raw_fd);
        }
    }
}
