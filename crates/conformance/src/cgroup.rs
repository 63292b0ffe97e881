//! A cgroup of the run's own, below the hierarchy of version 2, and its end.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};

/// Below the worker's directory: the worker itself, and its worlds, one after the other.
pub(crate) const RUNNER: &str = "runner";
pub(crate) const WORLD: &str = "world";

/// What there is of cgroups, each more than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cgroups {
    /// No hierarchy of version 2, or none to give.
    None,
    /// The kernel is built, or was started, without the memory or the pids controller.
    Unbuilt,
    /// No controllers are handed down.
    Bare,
    /// Those two are.
    Controlled,
}

impl Cgroups {
    pub(crate) fn of(home: Option<&Home>) -> Self {
        home.map_or(Self::None, |home| home.cgroups)
    }

    /// Why there is less than is wanted.
    pub(crate) fn lacking(self, wanted: Self) -> Option<&'static str> {
        if self >= wanted {
            return None;
        }
        Some(match self {
            Self::None => "there is no cgroup of version 2 to give",
            Self::Unbuilt => "this kernel has no memory or no pids controller",
            Self::Bare | Self::Controlled => "no controllers are handed down to the cgroup of a run",
        })
    }

    /// What a scenario takes: a line `# controllers` asks for them.
    pub(crate) fn wanted(text: &str) -> Self {
        if text.lines().any(|line| line.trim_end() == "# controllers") {
            Self::Controlled
        } else if text.contains(": cgroup-subtree-control") || text.contains(": cgroup-pids-max") {
            Self::Bare
        } else if text.contains(": cgroup-") {
            Self::Unbuilt
        } else {
            Self::None
        }
    }
}

/// The directory of one worker.
#[derive(Debug)]
pub(crate) struct Home {
    path: PathBuf,
    cgroups: Cgroups,
}

/// Enables controllers for what is below, if they are handed down this far. Nobody is in
/// this directory itself.
pub(crate) fn hand_down(path: &Path) -> Cgroups {
    match fs::write(path.join("cgroup.subtree_control"), "+memory +pids") {
        Ok(()) => Cgroups::Controlled,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Cgroups::Bare,
        Err(_) => Cgroups::Unbuilt,
    }
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
    /// Moves this process into a directory of its own, beside that of the worlds: so neither
    /// their limits concern it, nor is it in the way of their controllers. What is left is
    /// the user's.
    pub(crate) fn enter(path: &Path, uid: u32, gid: u32) -> io::Result<Home> {
        let cgroups = hand_down(path);
        let runner = path.join(RUNNER);
        fs::create_dir(&runner)?;
        fs::write(runner.join("cgroup.procs"), "0")?;
        for name in ["", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"] {
            std::os::unix::fs::chown(path.join(name), Some(uid), Some(gid))?;
        }
        Ok(Home { path: path.to_owned(), cgroups })
    }

    /// A new directory for a world; what the last one has left is removed.
    pub(crate) fn for_world(&self) -> io::Result<OwnedFd> {
        let path = self.path.join(WORLD);
        let until = Instant::now() + Duration::from_secs(5);
        while path.exists() && clear(&path).and_then(|()| fs::remove_dir(&path)).is_err() {
            if Instant::now() > until {
                return Err(io::Error::other(format!("{} is still in use", path.display())));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        fs::create_dir(&path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(rustix::fs::open(&path, flags, Mode::empty())?)
    }
}
