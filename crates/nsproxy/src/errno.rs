//! The error numbers, by the names the manual uses.

use core::fmt;

macro_rules! errnos {
    ($($name:ident = $number:literal $text:literal;)*) => {
        /// The number a refused call returns (x86-64 numbering).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Errno {
            $(#[doc = $text] $name = $number,)*
        }

        impl Errno {
            /// Every errno the model can answer with.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name as in the manual: `EPERM`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The usual text of this errno.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

errnos! {
    EPERM = 1 "Operation not permitted";
    ENOENT = 2 "No such file or directory";
    ESRCH = 3 "No such process";
    EINTR = 4 "Interrupted system call";
    EIO = 5 "Input/output error";
    ENXIO = 6 "No such device or address";
    E2BIG = 7 "Argument list too long";
    EBADF = 9 "Bad file descriptor";
    ECHILD = 10 "No child processes";
    EAGAIN = 11 "Resource temporarily unavailable";
    ENOMEM = 12 "Cannot allocate memory";
    EACCES = 13 "Permission denied";
    EFAULT = 14 "Bad address";
    EBUSY = 16 "Device or resource busy";
    EEXIST = 17 "File exists";
    ENODEV = 19 "No such device";
    ENOTDIR = 20 "Not a directory";
    EISDIR = 21 "Is a directory";
    EINVAL = 22 "Invalid argument";
    EMFILE = 24 "Too many open files";
    ENOTTY = 25 "Inappropriate ioctl for device";
    EFBIG = 27 "File too large";
    ENOSPC = 28 "No space left on device";
    EROFS = 30 "Read-only file system";
    ERANGE = 34 "Numerical result out of range";
    ENAMETOOLONG = 36 "File name too long";
    ENOSYS = 38 "Function not implemented";
    ELOOP = 40 "Too many levels of symbolic links";
    EIDRM = 43 "Identifier removed";
    EREMOTE = 66 "Object is remote";
    EOVERFLOW = 75 "Value too large for defined data type";
    EUSERS = 87 "Too many users";
    ENOTSOCK = 88 "Socket operation on non-socket";
    EOPNOTSUPP = 95 "Operation not supported";
    ENETUNREACH = 101 "Network is unreachable";
    ESTALE = 116 "Stale file handle";
}

impl Errno {
    /// The number.
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// The errno with this manual name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|errno| errno.name() == name)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
