//! The file of the world that is executed with the bits and capabilities a call asks for.

use std::os::fd::{AsRawFd, OwnedFd};

use nsproxy::{FileCaps, Program};
use rustix::fs::{Gid, Mode, OFlags, Uid, XattrFlags};

use crate::sys;

/// Its path in the world.
pub(crate) const FILE: &str = "/f";

/// What `execve` reads of it is set before each call, from outside. It is not kept open: the
/// mount it is on would be busy.
#[derive(Debug)]
pub(crate) struct File {
    id: Id,
}

/// What tells it from others that are made in its place.
#[derive(Debug, PartialEq, Eq)]
struct Id {
    device: u64,
    inode: u64,
    len: i64,
}

impl Id {
    fn of(file: impl std::os::fd::AsFd) -> rustix::io::Result<Self> {
        let stat = rustix::fs::fstat(file)?;
        Ok(Self { device: stat.st_dev, inode: stat.st_ino, len: stat.st_size })
    }
}

/// `security.capability` of version 3.
fn attribute(caps: &FileCaps) -> [u8; 24] {
    const VFS_CAP_REVISION_3: u32 = 0x0300_0000;
    const VFS_CAP_FLAGS_EFFECTIVE: u32 = 1;
    let (permitted, inheritable) = (caps.permitted.bits(), caps.inheritable.bits());
    let half = |bits: u64, at: u32| u32::try_from(bits >> at & u64::from(u32::MAX)).unwrap_or(0);
    let words = [
        VFS_CAP_REVISION_3 | if caps.effective { VFS_CAP_FLAGS_EFFECTIVE } else { 0 },
        half(permitted, 0),
        half(inheritable, 0),
        half(permitted, 32),
        half(inheritable, 32),
        caps.rootid,
    ];
    let mut bytes = [0; 24];
    for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

impl File {
    /// Puts the program of the actors into the file at this path.
    pub(super) fn fill(path: &str) -> std::io::Result<Self> {
        std::fs::write(path, sys::image())?;
        Ok(Self { id: Id::of(std::fs::File::open(path)?)? })
    }

    /// Gives it owners, bits and capabilities, as what is at this path below the world's
    /// /proc. `false` if that is another file, or it can't have them: an id is not one of its
    /// file system, or the runner may not.
    pub(super) fn become_program(&self, proc: &OwnedFd, path: &str, program: &Program) -> bool {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let Ok(found) = rustix::fs::openat(proc, path, flags, Mode::empty()) else { return false };
        let link = format!("/proc/self/fd/{}", found.as_raw_fd());
        Id::of(&found).is_ok_and(|id| id == self.id) && become_program(&link, program)
    }
}

fn become_program(path: &str, program: &Program) -> bool {
    const NAME: &str = "security.capability";
    let Program { setuid, setgid, caps, unreadable, not_executable, .. } = program;
    let mode = if *unreadable { 0 } else { 0o444 } | if *not_executable { 0 } else { 0o111 };
    let bits = if setuid.is_some() { 0o4000 } else { 0 } | if setgid.is_some() { 0o2000 } else { 0 };
    // A change of the owner takes bits and capabilities away.
    let (owner, group) = (setuid.unwrap_or(0), setgid.unwrap_or(0));
    if (bits != 0 || *unreadable) && !become_owned(path, owner, group) {
        return false;
    }
    let moded = rustix::fs::chmod(path, Mode::from_raw_mode(mode | bits));
    let _ = rustix::fs::removexattr(path, NAME);
    let able = caps
        .is_none_or(|caps| rustix::fs::setxattr(path, NAME, &attribute(&caps), XattrFlags::empty()).is_ok());
    moded.is_ok() && able
}

/// The largest number is none: it would leave the owner as it is.
fn become_owned(path: &str, owner: u32, group: u32) -> bool {
    if [owner, group].contains(&u32::MAX) {
        return false;
    }
    let (uid, gid) = (Uid::from_raw(owner), Gid::from_raw(group));
    rustix::fs::chown(path, Some(uid), Some(gid)).is_ok()
}
