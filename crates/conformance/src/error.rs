//! Failures in words: what was being done, to what, and what the system said.

use std::fmt::Display;
use std::io;

/// What an error says, as part of a line: system words in lower case, without the number.
pub(crate) fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let (true, Some((said, _))) = (error.raw_os_error().is_some(), text.split_once(" (os error ")) else {
        return text;
    };
    let mut letters = said.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

/// Says what failed.
pub(crate) fn context<T>(what: impl Display, result: io::Result<T>) -> io::Result<T> {
    result.map_err(|error| io::Error::new(error.kind(), format!("{what}: {}", words(&error))))
}

/// The name of a signal that ends a process.
pub(crate) fn signal(number: i32) -> String {
    let name = match number {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGTERM => "SIGTERM",
        libc::SIGXCPU => "SIGXCPU, a limit on processor time",
        libc::SIGXFSZ => "SIGXFSZ, a limit on the size of files",
        libc::SIGSYS => "SIGSYS, a filter of system calls",
        _ => return format!("signal {number}"),
    };
    name.to_owned()
}
