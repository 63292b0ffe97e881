//! Who owns a namespace, as far as it can be seen: `ioctl_nsfs(2)`.

use std::os::fd::AsFd;

use crate::errno::Errno;
use crate::handle::Namespace;
use crate::sys;

/// The owner of a namespace, in relation to the caller's user namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::explain) enum Owner {
    /// The caller's own.
    Own,
    /// One below it: the ways down, the topmost first.
    Below(Vec<Relative>),
    /// One above or beside it: the kernel does not say which.
    Beyond,
    Unknown,
}

/// A user namespace below the caller's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::explain) struct Relative {
    pub(in crate::explain) inode: u64,
    /// Whose it is, as the caller sees it.
    pub(in crate::explain) uid: u32,
}

impl Owner {
    /// The owner of a namespace; `own` is the inode number of the caller's user namespace.
    pub(in crate::explain) fn of(ns: &Namespace, own: Option<u64>) -> Owner {
        Owner::answer(ns.owner(), own)
    }

    /// Where a user namespace itself stands.
    pub(in crate::explain) fn standing(user: &Namespace, own: Option<u64>) -> Owner {
        match user.try_clone() {
            Ok(user) => Owner::answer(Ok(user), own),
            Err(_) => Owner::Unknown,
        }
    }

    fn answer(first: crate::Result<Namespace>, own: Option<u64>) -> Owner {
        let mut way = Vec::new();
        let mut above = first;
        loop {
            let user = match above {
                Ok(user) => user,
                Err(error) if error.errno() == Some(Errno::EPERM) => return Owner::Beyond,
                Err(_) => return Owner::Unknown,
            };
            if Some(user.id().ino) == own {
                way.reverse();
                return if way.is_empty() { Owner::Own } else { Owner::Below(way) };
            }
            let Ok(uid) = sys::nsfs::owner_uid(user.as_fd()) else { return Owner::Unknown };
            way.push(Relative { inode: user.id().ino, uid });
            above = user.owner();
        }
    }
}
