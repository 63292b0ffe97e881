//! Where facts are read: `/proc`, `/sys` and `/etc` of this machine, or of a
//! directory that stands for them.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::fs::Mode;

use super::eyes::{Attempt, Attempted, EmptyWrite, Eyes, Own, READ, Shared, Upward, read_all};
use crate::errno::Errno;
use crate::handle::Namespace;
use crate::kind::{Kind, Kinds};
use crate::process::Process;
use crate::sys::probe::{Call, Outcome, in_child};

/// The order in which the kernel makes namespaces that are asked for in one call.
const MADE_IN: [Kind; 8] =
    [Kind::User, Kind::Mnt, Kind::Uts, Kind::Ipc, Kind::Pid, Kind::Cgroup, Kind::Net, Kind::Time];
/// The kernel counts these down from a work queue.
const SETTLING: [Duration; 3] =
    [Duration::from_millis(10), Duration::from_millis(30), Duration::from_millis(90)];

/// `MAX_PID_NS_LEVEL`: the deepest pid namespace has one more.
pub(super) const MOST_PID_LEVELS: usize = 32;

fn gives_back_later(kind: Kind) -> bool {
    matches!(kind, Kind::User | Kind::Pid | Kind::Net)
}

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
pub struct Machine<'eyes> {
    eyes: Box<dyn Eyes + 'eyes>,
    layer: Option<OwnedFd>,
    /// Whether it is the calling thread that looks, which can try things too.
    own: bool,
    probes: bool,
}

impl Machine<'static> {
    /// This machine.
    pub fn here() -> Machine<'static> {
        Machine { eyes: Box::new(Own), layer: None, own: true, probes: true }
    }
}

impl<'eyes> Machine<'eyes> {
    /// This machine as another process sees it, which makes the calls for the asker. What
    /// is asked about is that process then, and only that is tried which it does itself.
    pub fn seen_by(eyes: impl Eyes + 'eyes) -> Machine<'eyes> {
        Machine { eyes: Box::new(eyes), layer: None, own: false, probes: true }
    }

    /// The same, with the files below a directory read in place of those of the
    /// same path below `/`: for another machine's `/proc` and `/sys`, or a part of it. Nothing
    /// is tried.
    #[must_use]
    pub fn with_layer(mut self, directory: OwnedFd) -> Machine<'eyes> {
        self.layer = Some(directory);
        // The kernel that would answer is not the one of the files.
        self.probes = false;
        self
    }

    /// The same, and nothing is tried: only files are read.
    #[must_use]
    pub fn without_probes(mut self) -> Machine<'eyes> {
        self.probes = false;
        self
    }

    pub(super) fn eyes(&self) -> &(dyn Eyes + 'eyes) {
        &*self.eyes
    }

    /// Whether some files are not this machine's.
    pub(super) fn is_layered(&self) -> bool {
        self.layer.is_some()
    }

    pub(super) fn is_own(&self) -> bool {
        self.own
    }

    /// The bytes of a file; `path` is absolute.
    pub(super) fn read(&self, path: &str) -> Result<Vec<u8>, Errno> {
        if let Some(layer) = &self.layer {
            let below = path.trim_start_matches('/');
            match rustix::fs::openat(layer, below, READ, Mode::empty()) {
                Err(rustix::io::Errno::NOENT) => {}
                opened => return read_all(opened?.into()),
            }
        }
        self.eyes.read(path)
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
        self.may_launch().then(|| in_child(calls))
    }

    /// Whether processes may be made by the calling thread, to try something.
    pub(super) fn may_launch(&self) -> bool {
        self.own && self.may_fork()
    }

    /// Whether the caller may send a signal to a process, where that can be asked: signal 0
    /// does nothing else.
    pub(super) fn may_signal(&self, pid: i32) -> Option<Result<(), Errno>> {
        let pid = rustix::process::Pid::from_raw(pid.max(0)).filter(|_| self.own && self.probes)?;
        Some(rustix::process::test_kill_process(pid).map_err(Errno::from))
    }

    /// What the kernel answers to these calls in a child, by whoever it is that looks.
    pub(super) fn attempt(&self, calls: &[Attempt<'_>]) -> Option<Attempted> {
        if self.may_fork() { self.eyes.attempt(calls).ok() } else { None }
    }

    /// Which of these kinds is refused, and with what, when all are asked for at once.
    pub(super) fn first_refused(&self, kinds: Kinds, filtered: bool) -> Option<(Kind, Errno)> {
        let order: Vec<Kind> = MADE_IN.into_iter().filter(|kind| kinds.contains(*kind)).collect();
        self.refused_in_child(&order).or_else(|| self.refused_to_nobody(&order, filtered))
    }

    /// The same, where no child can be made.
    fn refused_to_nobody(&self, order: &[Kind], filtered: bool) -> Option<(Kind, Errno)> {
        let mut kinds = Kinds::EMPTY;
        for kind in order {
            kinds.insert(*kind);
            let settles = kinds.iter().any(gives_back_later);
            let mut pauses = SETTLING.iter().filter(|_| settles);
            while self.clone_taken(kinds, filtered)? == Errno::ENOSPC {
                let Some(pause) = pauses.next() else { return Some((*kind, Errno::ENOSPC)) };
                std::thread::sleep(*pause);
            }
            if !matches!(self.clone_taken(kinds, filtered)?, Errno::EEXIST | Errno::EPERM | Errno::ENOSPC) {
                return None;
            }
        }
        None
    }

    fn refused_in_child(&self, order: &[Kind]) -> Option<(Kind, Errno)> {
        let calls: Vec<Attempt<'_>> = order.iter().copied().map(Attempt::Unshare).collect();
        let refused = || match self.attempt(&calls)? {
            Attempted::Refused(at, errno) => Some((at, errno)),
            Attempted::Done => None,
        };
        let mut latest = refused()?;
        // Namespaces of the call that failed still count for a moment: only by the one that
        // stays refused is it known.
        for pause in SETTLING {
            if !gives_back_later(order[latest.0]) || latest.0 + 1 == order.len() {
                break;
            }
            std::thread::sleep(pause);
            let again = refused()?;
            if again.0 > latest.0 {
                latest = again;
            }
        }
        Some((order[latest.0], latest.1))
    }

    /// Whether the own pid namespace has so many levels.
    pub(super) fn pid_levels(&self, levels: usize, filtered: bool) -> Option<bool> {
        match self.taken(Kinds::EMPTY, levels, filtered).filter(|_| self.may_fork())? {
            Errno::EPERM | Errno::EEXIST => Some(true),
            Errno::EINVAL => Some(false),
            _ => None,
        }
    }

    /// What a clone of these kinds is refused with that can make no process, for want of a number:
    /// `EEXIST`, or `EPERM` to who may not choose one, if nothing is in its way before.
    pub(super) fn clone_taken(&self, kinds: Kinds, filtered: bool) -> Option<Errno> {
        let levels = self.levels_below()? + 1 + usize::from(kinds.contains(Kind::Pid));
        self.taken(kinds, levels, filtered)
    }

    /// [`Eyes::clone_taken`], where it can be asked. A filter might kill who asks.
    fn taken(&self, kinds: Kinds, levels: usize, filtered: bool) -> Option<Errno> {
        if !filtered {
            return if self.probes { self.eyes.clone_taken(kinds, levels).ok() } else { None };
        }
        match self.probe(&[Call::CloneTaken(kinds.flags().into(), levels)])? {
            Outcome::Refused(_, errno) => Some(errno),
            _ => None,
        }
    }

    /// How many levels below the own pid namespace the one for children is.
    fn levels_below(&self) -> Option<usize> {
        let children = "/proc/thread-self/ns/pid_for_children";
        let own = self.eyes.read_link("/proc/thread-self/ns/pid").ok()?;
        match self.eyes.read_link(children) {
            Ok(link) if link == own => return Some(0),
            // Nobody is in it yet: only unshare(2) leads there, and no further than one down.
            Err(Errno::ENOENT) => return Some(1),
            Ok(_) => {}
            Err(_) => return None,
        }
        let own = self.eyes.namespace("/proc/thread-self/ns/pid", &[]).ok()?.inode;
        let mut way = Vec::new();
        while way.len() < MOST_PID_LEVELS {
            way.push(Upward::Parent);
            if self.eyes.namespace(children, &way).ok()?.inode == own {
                return Some(way.len());
            }
        }
        None
    }

    /// [`Eyes::alone`], where it can be asked. A filter might kill who asks.
    pub(super) fn alone(&self, what: Shared, filtered: bool) -> Option<bool> {
        if self.probes && !filtered { self.eyes.alone(what).ok() } else { None }
    }

    /// [`Eyes::may_administer`], where it can be asked.
    pub(super) fn may_administer(&self, path: &str) -> Option<bool> {
        if self.is_layered() { None } else { self.eyes.may_administer(path).ok() }
    }

    /// [`Eyes::map_refuses`], where it can be asked.
    pub(super) fn map_refuses(&self, path: &str, write: EmptyWrite) -> Option<Errno> {
        if self.probes { self.eyes.map_refuses(path, write).ok() } else { None }
    }

    /// A child would be the first process of a pid namespace that waits for it, and end
    /// it for ever; or fix the clocks of a time namespace. Then there must be none.
    fn may_fork(&self) -> bool {
        let link = |name: &str| self.eyes.read_link(&format!("/proc/thread-self/ns/{name}")).ok();
        let same = |own: &str, children: &str| {
            let own = link(own);
            own.is_some() && own == link(children)
        };
        let no_time = || link("time").is_none() && link("time_for_children").is_none();
        let by_links = || same("pid", "pid_for_children") && (same("time", "time_for_children") || no_time());
        let shown = link("pid").is_some();
        self.probes && if self.own && !shown { children_stay() } else { by_links() }
    }
}

/// Whether children of the calling thread are in its own pid and time namespace, as its pidfd tells
/// without /proc: Linux 6.11.
fn children_stay() -> bool {
    let Ok(own) = Process::open_thread(rustix::thread::gettid().as_raw_pid()) else { return false };
    let same = |kind: Kind| {
        let pair = (own.namespace(kind), own.namespace_for_children(kind));
        matches!(pair, (Ok(own), Ok(children)) if own == children)
    };
    let no_time = || {
        let missing = |found: crate::error::Result<Namespace>| {
            found.is_err_and(|error| error.errno() == Some(Errno::EOPNOTSUPP))
        };
        missing(own.namespace(Kind::Time)) && missing(own.namespace_for_children(Kind::Time))
    };
    same(Kind::Pid) && (same(Kind::Time) || no_time())
}
