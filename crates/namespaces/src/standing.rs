//! What a process may do in a namespace.

use std::os::fd::AsFd;

use crate::caps::Capabilities;
use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::handle::Namespace;
use crate::kind::Kind;
use crate::process::Process;
use crate::sys;

/// The id that stands for all that have no name in the caller's user namespace.
const OVERFLOW: u32 = 65534;

impl Process {
    /// The capabilities that it has in `namespace`, by the rules of
    /// `user_namespaces(7)`; `None` where the caller may not see enough to say.
    ///
    /// They count in the user namespace that owns it (for a user namespace, in
    /// itself). In its own user namespace and in those below, a process has its
    /// effective set. In one that was made from its own by its own effective
    /// user id it has all, and so in those below that one. Elsewhere it has none.
    ///
    /// A security module may still forbid what these allow.
    ///
    /// ```
    /// use namespaces::{Kind, Namespace, Process};
    ///
    /// let me = Process::current()?;
    /// let mine = Namespace::current(Kind::User)?;
    /// assert_eq!(me.capabilities_in(&mine)?, Some(me.credentials()?.effective));
    /// # Ok::<(), namespaces::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`credentials`](Process::credentials) and
    /// [`namespace`](Process::namespace).
    pub fn capabilities_in(&self, namespace: &Namespace) -> Result<Option<Capabilities>> {
        let home = self.namespace(Kind::User)?;
        let credentials = self.credentials()?;
        let mut at = match namespace.kind() {
            Kind::User => namespace.try_clone()?,
            _ => match above(namespace)? {
                Above::One(owner) => owner,
                Above::Beyond => return outside(&home),
            },
        };
        loop {
            if at == home {
                return Ok(Some(credentials.effective));
            }
            let parent = match above(&at)? {
                Above::One(parent) => parent,
                Above::Beyond => return outside(&home),
            };
            if parent == home {
                let euid = credentials.uids[1];
                let owner = sys::nsfs::owner_uid(at.as_fd())
                    .map_err(|errno| Error::call("asking for the owner uid of", at.to_string(), errno))?;
                return Ok(match owner {
                    OVERFLOW if euid == OVERFLOW => None,
                    _ if owner == euid => Some(Capabilities::ALL),
                    _ => Some(credentials.effective),
                });
            }
            at = parent;
        }
    }
}

/// The user namespace above another namespace.
enum Above {
    One(Namespace),
    /// There is none, or it is not the caller's and not below that.
    Beyond,
}

fn above(namespace: &Namespace) -> Result<Above> {
    match namespace.owner() {
        Ok(owner) => Ok(Above::One(owner)),
        Err(error) if error.errno() == Some(Errno::EPERM) => Ok(Above::Beyond),
        Err(error) => Err(error),
    }
}

/// What holds where the way up from a namespace leaves what the caller may
/// see. A process whose user namespace the caller sees is not there, and has
/// no capabilities above.
fn outside(home: &Namespace) -> Result<Option<Capabilities>> {
    let visible = *home == Namespace::current(Kind::User)? || matches!(above(home)?, Above::One(_));
    Ok(visible.then_some(Capabilities::EMPTY))
}
