//! Keeping a namespace without a process: a file that it is bound to.

use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::mount::UnmountFlags;

use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::handle::Namespace;
use crate::kind::Kind;
use crate::mountinfo::mounts;
use crate::sys;

/// Binds `namespace` to the file `path`, which is made if it is not there. The
/// namespace lives until [`unpin`], also without a process in it; anyone who
/// may can [`open`](Namespace::open) it there.
///
/// A pid namespace whose pid 1 has ended is no use any more, pinned or not:
/// no process can be made in it.
///
/// # Errors
///
/// [`Error::Invalid`] for what the kernel would only call invalid: a mount
/// namespace on a mount with shared propagation, or in itself or an older
/// one; and if a namespace is bound to the file already. `EPERM` without `CAP_SYS_ADMIN` over the caller's mount namespace.
pub fn pin(namespace: &Namespace, path: impl AsRef<Path>) -> Result<()> {
    pin_with_undo(namespace, path.as_ref()).map(Pinned::keep)
}

/// A namespace just bound to a file, and taken away again when dropped.
pub(crate) struct Pinned {
    path: PathBuf,
    /// Whether the file was made for it.
    made: bool,
    kept: bool,
}

impl Pinned {
    /// Leaves it there.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if !self.kept {
            let _ = rustix::mount::unmount(&self.path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW);
            if self.made {
                let _ = std::fs::remove_file(&self.path);
            }
        }
    }
}

/// As [`pin`], to be kept or undone.
pub(crate) fn pin_with_undo(namespace: &Namespace, path: &Path) -> Result<Pinned> {
    let made = create(path)?;
    if !made && Namespace::open(path).is_ok() {
        let why = "a namespace is bound there already";
        return Err(Error::invalid("place to pin", path.display().to_string(), why));
    }
    let source = format!("/proc/self/fd/{}", namespace.as_fd().as_raw_fd());
    match rustix::mount::mount_bind(source, path) {
        Ok(()) => Ok(Pinned { path: path.to_owned(), made, kept: false }),
        Err(errno) => {
            let error = explain(namespace, path, errno.into());
            if made {
                let _ = std::fs::remove_file(path);
            }
            Err(error)
        }
    }
}

/// Makes an empty file; says whether it was missing.
fn create(path: &Path) -> Result<bool> {
    let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(_) => Ok(true),
        Err(rustix::io::Errno::EXIST) => Ok(false),
        Err(errno) => Err(Error::path("making the file", path, errno)),
    }
}

/// The two traps of mount namespaces, which both read EINVAL.
fn explain(namespace: &Namespace, path: &Path, errno: Errno) -> Error {
    let failed = Error::path("binding a namespace to", path, errno);
    if errno != Errno::EINVAL || namespace.kind() != Kind::Mnt {
        return failed;
    }
    let shown = path.display().to_string();
    if on_shared_mount(path) {
        return Error::invalid(
            "place to pin",
            shown,
            "a mount namespace can't be bound below a mount with shared propagation; bind the directory to itself and make it private first",
        );
    }
    if Namespace::current(Kind::Mnt).is_ok_and(|mine| mine == *namespace) {
        return Error::invalid("place to pin", shown, "a mount namespace can't be bound inside itself");
    }
    let id = |namespace: &Namespace| sys::nsfs::mnt_info(namespace.as_fd()).map(|info| info.mnt_ns_id);
    match (Namespace::current(Kind::Mnt).map(|mine| id(&mine)), id(namespace)) {
        (Ok(Ok(mine)), Ok(theirs)) if mine < theirs => failed,
        (Ok(Ok(mine)), Ok(theirs)) => {
            let shown = format!("{shown} in mount namespace {mine} for {theirs}");
            Error::invalid("place to pin", shown, LOWER_ID)
        }
        _ => Error::invalid("place to pin", shown, LOWER_ID),
    }
}

const LOWER_ID: &str = "a mount namespace can be bound only in one with a lower id, as older ones have, but since Linux 6.18 each processor counts for itself: make it anew on the processor where the other was made, or on another (taskset -c)";

/// Whether the mount that `path` is on passes its mounts on to peers.
fn on_shared_mount(path: &Path) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    let Ok(text) = std::fs::read("/proc/thread-self/mountinfo") else { return false };
    // The last of the longest mount points that `path` lies below covers it.
    mounts(&text)
        .map(|mount| (mount.point(), mount.is_shared()))
        .filter(|(point, _)| path.starts_with(point))
        .max_by_key(|(point, _)| point.as_os_str().len())
        .is_some_and(|(_, shared)| shared)
}

/// Takes a namespace away from the file `path`, and the file too if it is
/// empty then. The namespace ends if nothing else holds it.
///
/// # Errors
///
/// [`Error::NotNamespace`] if none is bound there.
pub fn unpin(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    // Only what is bound here: `/proc/PID/ns/net` opens as a namespace as well.
    let bound = rustix::fs::lstat(path).map_err(|errno| Error::path("examining", path, errno))?;
    let namespace = Namespace::open(path)?;
    if (bound.st_dev, bound.st_ino) != (namespace.id().dev, namespace.id().ino) {
        return Err(Error::invalid(
            "pinned file",
            path.display().to_string(),
            "it leads to a namespace, but none is bound to it",
        ));
    }
    rustix::mount::unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)
        .map_err(|errno| Error::path("unbinding the namespace from", path, errno))?;
    // Left: another namespace bound below, or the empty file.
    let left = rustix::fs::lstat(path)
        .is_ok_and(|stat| stat.st_size == 0 && rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file());
    if left && Namespace::open(path).is_err() {
        std::fs::remove_file(path).map_err(|error| Error::path("removing", path, error))?;
    }
    Ok(())
}
