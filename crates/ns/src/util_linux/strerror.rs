//! Error numbers in the words of the GNU C library, with which scripts compare.

use std::fmt;

use namespaces::Errno;

/// An error number as its `strerror(3)` has it in the C locale.
pub(crate) struct Strerror(pub(crate) Errno);

/// Where other C libraries have other words, for the calls that are made here.
const WORDS: [(i32, &str); 20] = [
    (libc::EIO, "Input/output error"),
    (libc::ECHILD, "No child processes"),
    (libc::ENOMEM, "Cannot allocate memory"),
    (libc::EBUSY, "Device or resource busy"),
    (libc::EXDEV, "Invalid cross-device link"),
    (libc::EMFILE, "Too many open files"),
    (libc::ENOTTY, "Inappropriate ioctl for device"),
    (libc::ESPIPE, "Illegal seek"),
    (libc::EDOM, "Numerical argument out of domain"),
    (libc::ERANGE, "Numerical result out of range"),
    (libc::EDEADLK, "Resource deadlock avoided"),
    (libc::ENAMETOOLONG, "File name too long"),
    (libc::ELOOP, "Too many levels of symbolic links"),
    (libc::EOVERFLOW, "Value too large for defined data type"),
    (libc::EUSERS, "Too many users"),
    (libc::ENOTSOCK, "Socket operation on non-socket"),
    (libc::EOPNOTSUPP, "Operation not supported"),
    (libc::ELIBBAD, "Accessing a corrupted shared library"),
    (libc::EUCLEAN, "Structure needs cleaning"),
    (libc::EDQUOT, "Disk quota exceeded"),
];

impl fmt::Display for Strerror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.0.raw();
        if let Some((_, words)) = WORDS.iter().find(|(known, _)| *known == number) {
            return f.write_str(words);
        }
        let text = std::io::Error::from_raw_os_error(number).to_string();
        f.write_str(text.split(" (os error").next().unwrap_or_default())
    }
}

#[cfg(all(test, target_env = "gnu"))]
mod tests {
    use super::WORDS;

    #[test]
    fn the_words_are_those_of_the_gnu_c_library() {
        for (number, words) in WORDS {
            let theirs = std::io::Error::from_raw_os_error(number).to_string();
            assert_eq!(theirs, format!("{words} (os error {number})"));
        }
    }
}
