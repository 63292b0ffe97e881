//! The calling thread itself: joining and making namespaces.

use std::os::fd::AsFd;

use crate::error::{Error, Result};
use crate::handle::Namespace;
use crate::kind::{Kind, Kinds};
use crate::process::Process;
use crate::sys;

/// Moves the calling thread into these namespaces of `process`, all at once or
/// not at all: `setns(2)` with a pidfd, Linux 5.8.
///
/// Only the calling thread moves. What a program with more threads may do:
///
/// | kind | other threads | effect |
/// |---|---|---|
/// | cgroup, ipc, net, uts | any | at once |
/// | mnt | must not share root and working directory with this one | at once; root and working directory become those of the namespace |
/// | pid | any | for processes made later; the thread itself stays, and can make no threads any more |
/// | time | none: `EUSERS` | at once |
/// | user | none: `EINVAL` | at once; one's own can't be joined again (`EINVAL`) |
///
/// A thread that must not move is better served by [`Namespace::within`] or
/// [`Spawn`](crate::Spawn).
///
/// # Errors
///
/// `EPERM` without `CAP_SYS_ADMIN` in the owner of each namespace and in the
/// user namespace that the thread has afterwards (for mnt `CAP_SYS_CHROOT`
/// too), or if the caller may not read the namespaces of `process`.
pub fn enter(process: &Process, kinds: impl Into<Kinds>) -> Result<()> {
    let kinds = kinds.into();
    sys::setns::setns(process.as_fd(), kinds.flags())
        .map_err(|errno| Error::call("joining", format!("the {kinds} namespaces of {process}"), errno))
}

/// Gives the calling thread new namespaces of these kinds: `unshare(2)`.
///
/// The rules for threads are those of [`enter`], but for pid and time the
/// new namespace is for processes made later (and for time, for this process
/// from its next `execve` on), and with mnt the thread gets a root and working
/// directory of its own. A new user namespace has no id mapped: see
/// [`IdMap`](crate::IdMap).
///
/// ```
/// # let granted = std::thread::spawn(|| -> namespaces::Result<()> {
/// use namespaces::{Kind, Namespace, unshare};
///
/// let before = Namespace::current(Kind::Uts)?;
/// unshare(Kind::Uts)?; // needs CAP_SYS_ADMIN
/// assert_ne!(Namespace::current(Kind::Uts)?, before);
/// # Ok(())
/// # }).join().unwrap();
/// # if let Err(error) = granted { assert_eq!(error.errno(), Some(namespaces::Errno::EPERM)); }
/// ```
///
/// # Errors
///
/// `EPERM` without `CAP_SYS_ADMIN` (not needed for user), in a chroot or
/// without a mapped id (for user); `ENOSPC` at a limit in `/proc/sys/user`;
/// `EINVAL` in a process with more threads (for user).
pub fn unshare(kinds: impl Into<Kinds>) -> Result<()> {
    let kinds = kinds.into();
    sys::setns::unshare(kinds.flags())
        .map_err(|errno| Error::call("making new", format!("{kinds} namespaces"), errno))
}

impl Namespace {
    /// Moves the calling thread into this namespace: `setns(2)`. See [`enter`]
    /// for what that means and what a program with more threads may do.
    pub fn enter(&self) -> Result<()> {
        sys::setns::setns(self.as_fd(), self.kind().flag())
            .map_err(|errno| Error::call("joining", self.to_string(), errno))
    }

    /// Runs `closure` in this namespace and gives back what it returns. It
    /// runs in a thread of its own, which joins the namespace and ends; the
    /// calling thread never moves.
    ///
    /// A file or socket opened inside stays what it is outside: a socket made
    /// in a net namespace keeps working in that one.
    ///
    /// ```
    /// use namespaces::{Kind, Namespace};
    ///
    /// let uts = Namespace::current(Kind::Uts)?;
    /// match uts.within(|| std::fs::read_to_string("/proc/sys/kernel/hostname")) {
    ///     Ok(name) => assert!(name.is_ok()),
    ///     Err(error) => assert_eq!(error.errno(), Some(namespaces::Errno::EPERM)),
    /// }
    /// # Ok::<(), namespaces::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a user or time namespace, which the kernel lets
    /// no single thread join, and for a pid namespace, where only new
    /// processes come in: [`Spawn::join`](crate::Spawn::join) does all three.
    /// [`Error::Panicked`] if the closure panics. `EPERM` as for [`enter`].
    pub fn within<T: Send>(&self, closure: impl FnOnce() -> T + Send) -> Result<T> {
        if matches!(self.kind(), Kind::User | Kind::Time | Kind::Pid) {
            return Err(Error::invalid(
                "namespace to run a closure in",
                self.to_string(),
                "a single thread can't join one of this kind; start a process there instead",
            ));
        }
        std::thread::scope(|scope| {
            let inside = std::thread::Builder::new().spawn_scoped(scope, || {
                if self.kind() == Kind::Mnt {
                    // Its root and working directory must be its own to change.
                    sys::setns::unshare(libc::CLONE_FS as u32)
                        .map_err(|errno| Error::call("parting from", "the other threads", errno))?;
                }
                self.enter()?;
                Ok(closure())
            });
            let inside = inside.map_err(|error| Error::call("starting", "a thread", error))?;
            inside.join().unwrap_or(Err(Error::Panicked))
        })
    }
}
