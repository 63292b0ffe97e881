//! The number by which the kernel says no.

use std::fmt;

/// An error number of the kernel, with its name and its sentence.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(i32);

macro_rules! errnos {
    ($($name:ident)*) => {
        impl Errno {
            $(
                #[doc = concat!("`", stringify!($name), "`, see `errno(3)`.")]
                pub const $name: Errno = Errno(libc::$name);
            )*

            /// The symbolic name, `EPERM` for instance; `errno` for a number
            /// this crate has no name for.
            pub const fn name(self) -> &'static str {
                match self.0 {
                    $(libc::$name => stringify!($name),)*
                    _ => "errno",
                }
            }
        }
    };
}

errnos! {
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT
    ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG
    ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY
    ELOOP ENODATA EOVERFLOW EUSERS ENOTSOCK EOPNOTSUPP EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL
    ENETDOWN ENETUNREACH ECONNRESET ENOBUFS ETIMEDOUT ECONNREFUSED EALREADY EREMOTE ESTALE EDQUOT
    EPROTO EILSEQ ENOTUNIQ EBADMSG ELIBBAD ENOKEY
}

impl Errno {
    /// The number `raw`, as a system call would have left it in `errno`.
    pub const fn from_raw(raw: i32) -> Errno {
        Errno(raw)
    }

    /// The plain number.
    pub const fn raw(self) -> i32 {
        self.0
    }

    pub(crate) fn last() -> Errno {
        Errno::from(std::io::Error::last_os_error())
    }

    /// The sentence of `strerror(3)`, in lower case.
    pub fn sentence(self) -> String {
        let text = std::io::Error::from_raw_os_error(self.0).to_string();
        let text = text.split(" (os error").next().unwrap_or_default();
        let mut chars = text.chars();
        match chars.next() {
            Some(first) => first.to_lowercase().chain(chars).collect(),
            None => String::new(),
        }
    }
}

impl fmt::Display for Errno {
    /// `operation not permitted (EPERM)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            "errno" => write!(f, "{} (errno {})", self.sentence(), self.0),
            name => write!(f, "{} ({name})", self.sentence()),
        }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            "errno" => write!(f, "errno {}", self.0),
            name => f.write_str(name),
        }
    }
}

impl From<rustix::io::Errno> for Errno {
    fn from(errno: rustix::io::Errno) -> Errno {
        Errno(errno.raw_os_error())
    }
}

impl From<std::io::Error> for Errno {
    /// An error of `std` that no system call left behind becomes `EIO`.
    fn from(error: std::io::Error) -> Errno {
        Errno(error.raw_os_error().unwrap_or(libc::EIO))
    }
}

impl From<Errno> for std::io::Error {
    fn from(errno: Errno) -> std::io::Error {
        std::io::Error::from_raw_os_error(errno.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Errno;

    #[test]
    fn shows_sentence_and_name() {
        assert_eq!(Errno::EPERM.to_string(), "operation not permitted (EPERM)");
        assert_eq!(format!("{:?}", Errno::from_raw(9999)), "errno 9999");
    }
}
