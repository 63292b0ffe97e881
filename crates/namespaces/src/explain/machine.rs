//! Where facts are read: `/proc`, `/sys` and `/etc` of this machine, or of a
//! directory that stands for them.

use std::io::Read;
use std::os::fd::OwnedFd;

use rustix::fs::{CWD, Mode, OFlags};

use crate::errno::Errno;
use crate::sys::probe::{Call, Outcome, in_child};

/// Nothing that is read here is longer, but for a mountinfo of very many mounts.
const MOST: u64 = 64 << 20;

/// The machine that questions are asked about, as the calling thread sees it.
///
/// ```
/// use namespaces::explain::{Machine, Question, Verdict};
/// use namespaces::Kind;
///
/// let answer = Machine::here().explain(&Question::unshare(Kind::Uts));
/// match answer.verdict {
///     Verdict::Allowed(_) => println!("goes"),
///     Verdict::Refused(refusal) => println!("{}: {}", refusal.cause, refusal.cause.says()),
///     Verdict::Undecided(open) => println!("one of {:?}", open.causes),
/// }
/// ```
#[derive(Debug)]
pub struct Machine {
    layer: Option<OwnedFd>,
    probes: bool,
}

impl Machine {
    /// This machine.
    pub fn here() -> Machine {
        Machine { layer: None, probes: true }
    }

    /// The same, with the files below a directory read in place of those of the
    /// same path below `/`: for another machine's `/proc` and `/sys`, or a part of it.
    #[must_use]
    pub fn with_layer(mut self, directory: OwnedFd) -> Machine {
        self.layer = Some(directory);
        self
    }

    /// The same, and nothing is tried: only files are read.
    #[must_use]
    pub fn without_probes(mut self) -> Machine {
        self.probes = false;
        self
    }

    /// The bytes of a file; `path` is absolute.
    pub(super) fn read(&self, path: &str) -> Result<Vec<u8>, Errno> {
        let file = std::fs::File::from(self.open(path)?);
        let mut bytes = Vec::new();
        file.take(MOST).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn open(&self, path: &str) -> Result<OwnedFd, Errno> {
        // A fifo in place of a file must not hold us up.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        if let Some(layer) = &self.layer {
            let below = path.trim_start_matches('/');
            match rustix::fs::openat(layer, below, flags, Mode::empty()) {
                Err(rustix::io::Errno::NOENT) => {}
                opened => return Ok(opened?),
            }
        }
        Ok(rustix::fs::openat(CWD, path, flags, Mode::empty())?)
    }

    /// The text of a file, without the blanks around it.
    pub(super) fn text(&self, path: &str) -> Result<String, Errno> {
        self.read(path).map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    /// The number in a file.
    pub(super) fn number(&self, path: &str) -> Option<u64> {
        self.text(path).ok()?.parse().ok()
    }

    /// What the kernel answers to these calls in a child that ends at once; `None` if
    /// nothing is to be tried.
    pub(super) fn probe(&self, calls: &[Call<'_>]) -> Option<Outcome> {
        (self.probes && may_fork()).then(|| in_child(calls))
    }
}

/// A child would be the first process of a pid namespace that waits for it, and end
/// it for ever; or fix the clocks of a time namespace. Then there must be none.
fn may_fork() -> bool {
    let link = |name: &str| rustix::fs::readlink(format!("/proc/thread-self/ns/{name}"), Vec::new()).ok();
    let same = |own: &str, children: &str| {
        let own = link(own);
        own.is_some() && own == link(children)
    };
    let no_time = || link("time").is_none() && link("time_for_children").is_none();
    same("pid", "pid_for_children") && (same("time", "time_for_children") || no_time())
}
