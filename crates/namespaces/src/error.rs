//! The closed error type of this crate: what was being done, to what, and what
//! the system said.

use std::fmt;
use std::path::Path;

use crate::errno::Errno;
use crate::idmap::{IdMap, MapError};
use crate::kind::Kind;
use crate::plan::{Plan, PlanStep};

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something could not be done.
///
/// The `Display` form is one line in lower case that names the action, the
/// object and the error number. The variants carry the same as data.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A system call of the caller failed.
    Call {
        /// What was being done: `opening`, `reading`, `joining` ...
        doing: &'static str,
        /// What it was done to.
        object: String,
        /// What the kernel answered.
        errno: Errno,
    },
    /// A step of a [`Plan`](crate::Plan) failed, in the caller or in the new process.
    Step {
        /// The position of the step in [`Plan::steps`](crate::Plan::steps).
        index: usize,
        /// The step.
        step: Box<PlanStep>,
        /// All steps.
        plan: Box<Plan>,
        /// What the kernel answered.
        errno: Errno,
    },
    /// The object is not a namespace: its file system is not nsfs.
    NotNamespace {
        /// The path or descriptor.
        object: String,
    },
    /// The object is a namespace, but of another kind than asked for.
    WrongKind {
        /// The path or descriptor.
        object: String,
        /// The kind asked for.
        expected: Kind,
        /// The kind it has.
        found: Kind,
    },
    /// There is no process with this id, or it ended meanwhile.
    NoProcess {
        /// The process id, in the pid namespace of the caller.
        pid: i32,
    },
    /// The id now belongs to another process than the one meant.
    Recycled {
        /// The process id, in the pid namespace of the caller.
        pid: i32,
    },
    /// An id map breaks a rule of `user_namespaces(7)`.
    Map(MapError),
    /// No subordinate ids are granted to this user in the file.
    NoSubordinateIds {
        /// `/etc/subuid` or `/etc/subgid`.
        file: String,
        /// The name of the user, or the id where no name is known.
        user: String,
    },
    /// `newuidmap` or `newgidmap` did not write the map.
    Helper {
        /// The program.
        program: &'static str,
        /// Its exit status; 127 if it was not found.
        status: Option<i32>,
        /// What it printed, or why it could not be run.
        said: String,
        /// The process whose map it was to write.
        pid: i32,
        /// The map.
        map: Box<IdMap>,
    },
    /// A value that can never work, found before anything was done.
    Invalid {
        /// What the value is for.
        what: &'static str,
        /// The value.
        value: String,
        /// Why it can't be used, or what can.
        why: &'static str,
    },
    /// The running kernel has no such facility.
    Unsupported {
        /// The facility.
        what: &'static str,
        /// The first kernel release that has it.
        since: &'static str,
    },
    /// The closure given to [`Namespace::within`](crate::Namespace::within) panicked.
    Panicked,
}

impl Error {
    pub(crate) fn call(doing: &'static str, object: impl Into<String>, errno: impl Into<Errno>) -> Error {
        Error::Call { doing, object: object.into(), errno: errno.into() }
    }

    pub(crate) fn path(doing: &'static str, path: &Path, errno: impl Into<Errno>) -> Error {
        Error::call(doing, path.display().to_string(), errno)
    }

    pub(crate) fn invalid(what: &'static str, value: impl Into<String>, why: &'static str) -> Error {
        Error::Invalid { what, value: value.into(), why }
    }

    /// The error number of the kernel, where it was the kernel that refused.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Error::Call { errno, .. } | Error::Step { errno, .. } => Some(*errno),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Call { doing, object, errno } => write!(f, "{doing} {object}: {errno}"),
            Error::Step { step, errno, .. } => write!(f, "{}: {errno}", step.step.doing()),
            Error::NotNamespace { object } => write!(f, "{object} is not a namespace file"),
            Error::WrongKind { object, expected, found } => {
                write!(f, "{object} is a {found} namespace, not a {expected} namespace")
            }
            Error::NoProcess { pid } => write!(f, "there is no process {pid}"),
            Error::Recycled { pid } => {
                write!(f, "process {pid} ended, and its id belongs to another process now")
            }
            Error::Map(error) => write!(f, "id map: {error}"),
            Error::NoSubordinateIds { file, user } => {
                write!(f, "{file} grants no subordinate ids to {user}")
            }
            Error::Helper { program, said, .. } => write!(f, "{program}: {said}"),
            Error::Invalid { what, value, why } => write!(f, "invalid {what} {value:?}: {why}"),
            Error::Unsupported { what, since } => {
                write!(f, "this kernel has no {what}; Linux {since} and later have it")
            }
            Error::Panicked => f.write_str("the closure panicked inside the namespace"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Map(error) => Some(error),
            _ => None,
        }
    }
}

impl From<MapError> for Error {
    fn from(error: MapError) -> Error {
        Error::Map(error)
    }
}
