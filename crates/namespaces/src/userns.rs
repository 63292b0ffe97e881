//! What the caller may do in a user namespace.

use crate::caps::Capabilities;
use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::handle::Namespace;
use crate::kind::Kind;

/// The capabilities that the calling thread has in the user namespace `target`.
///
/// The rule of `user_namespaces(7)`: in one's own user namespace those of the
/// effective set; in one below it the same, but all of them where the one just
/// below one's own is owned by one's effective user id; above and beside, none.
///
/// # Errors
///
/// [`Error::WrongKind`] if `target` is not a user namespace.
pub fn capabilities_in(target: &Namespace) -> Result<Capabilities> {
    let target = target.try_clone()?.expect(Kind::User)?;
    let mine = Namespace::current(Kind::User)?;
    let sets = rustix::thread::capabilities(None)
        .map_err(|errno| Error::call("reading", "the caller's capabilities", errno))?;
    let effective = Capabilities::from_bits(sets.effective.bits());
    let mut level = target;
    while level != mine {
        let parent = match level.parent() {
            // The kernel names no parent that is not the caller's or below it.
            Err(error) if error.errno() == Some(Errno::EPERM) => return Ok(Capabilities::EMPTY),
            parent => parent?,
        };
        if parent == mine && level.owner_uid()? == rustix::process::geteuid().as_raw() {
            return Ok(Capabilities::ALL);
        }
        level = parent;
    }
    Ok(effective)
}
