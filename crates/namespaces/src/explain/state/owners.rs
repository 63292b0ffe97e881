//! Who owns a namespace, as far as it can be seen: `ioctl_nsfs(2)`.

use std::fmt;

use crate::errno::Errno;
use crate::explain::eyes::{Eyes, NamespaceSeen, Upward};
use crate::kind::Kind;

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
    /// The owner of the namespace of a file; `own` is the inode number of the caller's user
    /// namespace. For a user namespace, where it stands itself.
    pub(in crate::explain) fn of(eyes: &dyn Eyes, path: &str, kind: Kind, own: Option<u64>) -> Owner {
        let mut way_up = if kind == Kind::User { Vec::new() } else { vec![Upward::Owner] };
        let mut way = Vec::new();
        // User namespaces nest 33 levels deep below the first.
        for _ in 0..40 {
            let user = match eyes.namespace(path, &way_up) {
                Ok(user) => user,
                Err(Errno::EPERM) => return Owner::Beyond,
                Err(_) => return Owner::Unknown,
            };
            if Some(user.inode) == own {
                way.reverse();
                return if way.is_empty() { Owner::Own } else { Owner::Below(way) };
            }
            let Some(uid) = user.owner_uid else { return Owner::Unknown };
            way.push(Relative { inode: user.inode, uid });
            way_up.push(Upward::Owner);
        }
        Owner::Unknown
    }
}

/// A namespace, and what is known of its relations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::explain) struct Seen {
    pub(in crate::explain) kind: Kind,
    pub(in crate::explain) inode: u64,
    pub(in crate::explain) owner: Owner,
    /// For a pid namespace: whether it is below the caller's own.
    pub(in crate::explain) below: bool,
}

impl Seen {
    /// `own_user` and `own_pid` are the inode numbers of the caller's namespaces.
    pub(in crate::explain) fn open(
        eyes: &dyn Eyes,
        path: &str,
        own_user: Option<u64>,
        own_pid: Option<u64>,
    ) -> Result<Seen, Errno> {
        let NamespaceSeen { kind, inode, .. } = eyes.namespace(path, &[])?;
        let owner = Owner::of(eyes, path, kind, own_user);
        let below = kind == Kind::Pid && Some(inode) != own_pid && is_below(eyes, path, own_pid);
        Ok(Seen { kind, inode, owner, below })
    }
}

fn is_below(eyes: &dyn Eyes, path: &str, own: Option<u64>) -> bool {
    let mut way = Vec::new();
    // Pid namespaces nest 32 levels deep below the first.
    for _ in 0..40 {
        way.push(Upward::Parent);
        match eyes.namespace(path, &way) {
            Ok(above) if Some(above.inode) == own => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    false
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:[{}]", self.kind, self.inode)
    }
}
