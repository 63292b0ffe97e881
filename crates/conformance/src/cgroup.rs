//! A cgroup of the run's own, below the hierarchy of version 2, and its end.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};

/// A directory for the cgroups of one worker's worlds.
#[derive(Debug)]
pub(crate) struct Home {
    path: PathBuf,
    pub(crate) directory: OwnedFd,
}

/// Where the hierarchy of version 2 is mounted.
fn mount_point() -> Option<PathBuf> {
    let text = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let line = text.lines().find(|line| line.contains(" - cgroup2 "))?;
    Some(PathBuf::from(line.split(' ').nth(4)?))
}

/// Where the run's own directory goes, if there is such a hierarchy.
pub(crate) fn path(name: &str) -> Option<PathBuf> {
    Some(mount_point()?.join(name))
}

/// Removes a directory and all below. What has just ended may still be in there for
/// a moment.
pub(crate) fn remove(path: &Path) {
    // Whoever is still in there was made in the moment of the runner's end.
    let _ = fs::write(path.join("cgroup.kill"), "1");
    let until = Instant::now() + Duration::from_secs(5);
    while clear(path).and_then(|()| fs::remove_dir(path)).is_err() && path.exists() {
        if Instant::now() > until {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn clear(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            clear(&entry.path())?;
            fs::remove_dir(entry.path())?;
        }
    }
    Ok(())
}

impl Home {
    /// Moves this process into the directory and gives it to a user.
    pub(crate) fn enter(path: &Path, uid: u32, gid: u32) -> io::Result<Home> {
        fs::write(path.join("cgroup.procs"), "0")?;
        for name in ["", "cgroup.procs"] {
            std::os::unix::fs::chown(path.join(name), Some(uid), Some(gid))?;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(Home { path: path.to_owned(), directory })
    }

    /// Removes what the last world has left.
    pub(crate) fn clear(&self) {
        let until = Instant::now() + Duration::from_secs(5);
        while clear(&self.path).is_err() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
