//! Where a standard stream of the program goes.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use crate::plan::Source;

/// What a standard stream of the program is.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Stdio {
    /// The caller's.
    #[default]
    Inherit,
    /// `/dev/null`.
    Null,
    /// A new pipe, whose other end [`Child`](crate::Child) holds.
    Piped,
    /// This descriptor.
    Fd(Arc<OwnedFd>),
}

impl Stdio {
    /// What to place at its number; `None` for what is there already.
    pub(crate) fn source(&self) -> Option<Source> {
        match self {
            Stdio::Inherit => None,
            Stdio::Null => Some(Source::Null),
            Stdio::Piped => Some(Source::Pipe),
            Stdio::Fd(fd) => Some(Source::Fd(fd.as_raw_fd())),
        }
    }

    pub(crate) const NUMBERS: [RawFd; 3] = [0, 1, 2];
}

impl From<OwnedFd> for Stdio {
    fn from(fd: OwnedFd) -> Stdio {
        Stdio::Fd(Arc::new(fd))
    }
}

impl From<File> for Stdio {
    fn from(file: File) -> Stdio {
        Stdio::from(OwnedFd::from(file))
    }
}
