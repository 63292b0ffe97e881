//! What a task is asked to look at: the lines of a scenario that make no call.

use crate::file::FileKind;
use crate::op::Reply;
use crate::{
    CapSet, Clock, Errno, Fd, Kernel, MapKind, MountLine, NsAnswer, NsKind, NsLink, State, TaskId, Waited,
};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// One of the five sets of capabilities, in the order of [`crate::Status::caps`].
const SETS: [&str; 5] = ["inheritable", "permitted", "effective", "bounding", "ambient"];
const MAPS: [(&str, MapKind); 3] =
    [("uid_map", MapKind::Uid), ("gid_map", MapKind::Gid), ("projid_map", MapKind::Projid)];
const CLOCKS: [(&str, Clock); 3] =
    [("realtime", Clock::Realtime), ("monotonic", Clock::Monotonic), ("boottime", Clock::Boottime)];

/// A question to a task. The answer is a few words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// `pid TASK`: its number here, 0 if it is not seen.
    Pid(TaskId),
    /// `tgid`: the asked task's own process id.
    Tgid,
    /// `parent`: the number of the asked task's parent, 0 if it is outside.
    Parent,
    /// `state TASK`: running, stopped, dying, zombie or gone.
    State(TaskId),
    /// `same LINK TASK LINK`: whether the two lead to one namespace.
    Same(NsLink, TaskId, NsLink),
    /// `fd FD LINK TASK`: whether the descriptor stands for this namespace.
    Fd(Fd, NsLink, TaskId),
    /// `hostname`
    Hostname,
    /// `domainname`
    Domainname,
    /// `uid`: the effective user id.
    Uid,
    /// `gid`: the effective group id.
    Gid,
    /// `uid_map TASK` and the like: as the asked task reads it.
    Map(MapKind, TaskId),
    /// `setgroups TASK`: allow or deny.
    Setgroups(TaskId),
    /// `effective` and the like: full, none or the bits. By place in `Status::caps`.
    Caps(usize),
    /// `securebits`
    Securebits,
    /// `cwd`: the working directory, or that it cannot be reached.
    Cwd,
    /// `mount PATH`: no, or how the topmost mount there propagates.
    Mount(String),
    /// `options PATH`: of the topmost mount there.
    Options(String),
    /// `peer PATH TASK PATH`: whether the two mounts are in one peer group.
    Peer(String, TaskId, String),
    /// `master PATH TASK PATH`: whether the second is in the master group of the first.
    Master(String, TaskId, String),
    /// `timens_offsets TASK`
    TimensOffsets(TaskId),
    /// `clock NAME TASK`: by how many seconds the own clock is ahead of that of `TASK`.
    Clock(Clock, TaskId),
    /// `cgroup TASK`: its path, as the asked task reads it.
    Cgroup(TaskId),
    /// `devices`: the names of the network devices.
    Devices,
    /// `limit KIND`: how many namespaces a user may have here.
    Limit(NsKind),
}

/// What a name of the scenario stands for.
pub trait Names {
    /// The task of this name.
    fn task(&self, name: &str) -> Option<TaskId>;
    /// The descriptor of this name.
    fn fd(&self, name: &str) -> Option<Fd>;
}

impl Question {
    /// Reads a question.
    pub fn parse(words: &[&str], names: &impl Names) -> Result<Self, String> {
        let task = |name: &str| names.task(name).ok_or_else(|| format!("no task is called {name}"));
        let link = |name: &str| NsLink::from_name(name).ok_or_else(|| format!("no such link: {name}"));
        let text = ToString::to_string;
        Ok(match *words {
            ["pid", name] => Self::Pid(task(name)?),
            ["tgid"] => Self::Tgid,
            ["parent"] => Self::Parent,
            ["state", name] => Self::State(task(name)?),
            ["same", mine, name] => Self::Same(link(mine)?, task(name)?, link(mine)?),
            ["same", mine, name, its] => Self::Same(link(mine)?, task(name)?, link(its)?),
            ["fd", fd, its, name] => {
                let fd = names.fd(fd).or_else(|| fd.parse().ok()).ok_or("no such descriptor")?;
                Self::Fd(fd, link(its)?, task(name)?)
            }
            ["hostname"] => Self::Hostname,
            ["domainname"] => Self::Domainname,
            ["uid"] => Self::Uid,
            ["gid"] => Self::Gid,
            ["setgroups", name] => Self::Setgroups(task(name)?),
            ["securebits"] => Self::Securebits,
            ["cwd"] => Self::Cwd,
            ["mount", path] => Self::Mount(text(path)),
            ["options", path] => Self::Options(text(path)),
            ["peer", path, name, other] => Self::Peer(text(path), task(name)?, text(other)),
            ["master", path, name, other] => Self::Master(text(path), task(name)?, text(other)),
            ["timens_offsets", name] => Self::TimensOffsets(task(name)?),
            ["cgroup", name] => Self::Cgroup(task(name)?),
            ["devices"] => Self::Devices,
            ["limit", kind] => Self::Limit(NsKind::from_name(kind).ok_or("no such kind")?),
            ["clock", clock, name] => {
                let clock = CLOCKS.iter().find(|(name, _)| *name == clock).ok_or("no such clock")?;
                Self::Clock(clock.1, task(name)?)
            }
            [word] if SETS.contains(&word) => {
                Self::Caps(SETS.iter().position(|set| *set == word).unwrap_or_default())
            }
            [word, name] if MAPS.iter().any(|(map, _)| *map == word) => {
                let (_, kind) = MAPS.iter().find(|(map, _)| *map == word).ok_or("no such map")?;
                Self::Map(*kind, task(name)?)
            }
            _ => return Err(format!("no such thing to see: {}", words.join(" "))),
        })
    }

    /// The model's answer.
    pub fn ask(&self, kernel: &Kernel, asked: TaskId) -> String {
        let answer = self.of_tasks(kernel, asked).or_else(|| self.of_files(kernel, asked));
        answer.unwrap_or_else(|| GONE.to_string())
    }

    fn of_tasks(&self, kernel: &Kernel, asked: TaskId) -> Option<String> {
        let own = || kernel.status(asked, asked).ok();
        let utsname = |name: fn(crate::Utsname) -> Vec<u8>| {
            let name = name(kernel.uname(asked).ok()?);
            Some(String::from_utf8_lossy(&name).into_owned())
        };
        match self {
            Self::Pid(task) => Some(kernel.status(asked, *task).map_or(0, |status| status.pid).to_string()),
            Self::Tgid => kernel.getpid(asked).ok().map(|pid| pid.to_string()),
            Self::Parent => kernel.getppid(asked).ok().map(|pid| pid.to_string()),
            Self::State(task) => Some(match kernel.status(kernel.init(), *task).ok()?.state {
                State::Running | State::VforkWait => "running".to_string(),
                State::Stopped => "stopped".to_string(),
                State::Zapping => "dying".to_string(),
                State::Zombie => "zombie".to_string(),
            }),
            Self::Same(mine, task, its) => {
                let one = link_of(kernel, asked, *mine);
                Some(yes_no(one.is_some() && one == link_of(kernel, *task, *its)))
            }
            Self::Fd(fd, its, task) => {
                let open = namespace_behind(kernel, asked, *fd);
                Some(yes_no(open.is_some() && open == link_of(kernel, *task, *its)))
            }
            Self::Hostname => utsname(|name| name.nodename),
            Self::Domainname => utsname(|name| name.domainname),
            Self::Uid => own().map(|own| own.uids[1].to_string()),
            Self::Gid => own().map(|own| own.gids[1].to_string()),
            Self::Caps(set) => own().map(|own| caps_in_words(own.caps[*set])),
            Self::Securebits => own().map(|own| own.securebits.to_string()),
            _ => None,
        }
    }

    fn of_files(&self, kernel: &Kernel, asked: TaskId) -> Option<String> {
        let top = |task: TaskId, path: &str| {
            let lines = kernel.mountinfo(task).ok()?;
            Some(topmost(&lines, path).map(Propagation::of))
        };
        match self {
            Self::Map(kind, task) => {
                kernel.id_map_text(asked, *task, *kind).ok().map(|text| lines_in_words(&text))
            }
            Self::Setgroups(task) => {
                let allowed = kernel.setgroups_allowed(*task).ok()?;
                Some(if allowed { "allow".to_string() } else { "deny".to_string() })
            }
            Self::Cwd => Some(kernel.getcwd(asked).ok()?.unwrap_or_else(|| UNREACHABLE.to_string())),
            Self::Mount(path) => Some(top(asked, path)?.map_or("no".to_string(), |mount| mount.in_words())),
            Self::Options(path) => {
                let lines = kernel.mountinfo(asked).ok()?;
                Some(topmost(&lines, path).map_or("no".to_string(), |line| line.options.clone()))
            }
            Self::Peer(path, task, other) => {
                let (one, two) = (top(asked, path)?, top(*task, other)?);
                Some(yes_no(one.zip(two).is_some_and(|(one, two)| one.peer_of(&two))))
            }
            Self::Master(path, task, other) => {
                let (one, two) = (top(asked, path)?, top(*task, other)?);
                Some(yes_no(one.zip(two).is_some_and(|(one, two)| one.slave_of(&two))))
            }
            Self::TimensOffsets(task) => kernel.timens_offsets(*task).ok().map(|text| lines_in_words(&text)),
            Self::Clock(clock, task) => {
                let mine = kernel.clock_gettime(asked, *clock).ok()?;
                let its = kernel.clock_gettime(*task, *clock).ok()?;
                Some((mine.sec - its.sec).to_string())
            }
            Self::Cgroup(task) => kernel.cgroup_path(asked, *task).ok(),
            Self::Devices => {
                let devices = kernel.devices(asked).ok()?;
                let mut names: Vec<String> = devices.into_iter().map(|device| device.name).collect();
                names.sort();
                Some(names.join(" "))
            }
            Self::Limit(kind) => kernel.max_namespaces(asked, *kind).ok().map(|limit| limit.to_string()),
            _ => None,
        }
    }
}

const GONE: &str = "gone";
const UNREACHABLE: &str = "unreachable";

/// How questions about whether something is so are answered.
pub fn yes_no(so: bool) -> String {
    if so { "yes".to_string() } else { "no".to_string() }
}

/// `full`, `none`, or the bits.
pub fn caps_in_words(set: CapSet) -> String {
    match set {
        CapSet::FULL => "full".to_string(),
        CapSet::EMPTY => "none".to_string(),
        set => format!("{:#x}", set.bits()),
    }
}

/// The lines of a map or of offsets: single blanks between words, a comma between lines.
pub fn lines_in_words(text: &str) -> String {
    let lines: Vec<String> =
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    if lines.is_empty() { "empty".to_string() } else { lines.join(", ") }
}

/// How a mount propagates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Propagation {
    /// Its peer group.
    pub shared: Option<u64>,
    /// The peer group it gets from.
    pub master: Option<u64>,
    /// Whether it may not be bound.
    pub unbindable: bool,
}

impl Propagation {
    fn of(line: &MountLine) -> Self {
        let group = |name: &str| line.propagation.iter().find_map(|tag| tag.strip_prefix(name)?.parse().ok());
        Self {
            shared: group("shared:"),
            master: group("master:"),
            unbindable: line.propagation.iter().any(|tag| tag == "unbindable"),
        }
    }

    /// In the words of `mount(2)`.
    pub fn in_words(&self) -> String {
        let words = match (self.shared, self.master) {
            (Some(_), Some(_)) => "slave+shared",
            (Some(_), None) => "shared",
            (None, Some(_)) => "slave",
            (None, None) if self.unbindable => "unbindable",
            (None, None) => "private",
        };
        words.to_string()
    }

    /// Whether both are in one peer group.
    pub fn peer_of(&self, other: &Self) -> bool {
        self.shared.is_some() && self.shared == other.shared
    }

    /// Whether the other is in the group this one gets from.
    pub fn slave_of(&self, other: &Self) -> bool {
        self.master.is_some() && self.master == other.shared
    }
}

/// The mount at a path on which no other is mounted at the same path.
fn topmost<'a>(lines: &'a [MountLine], path: &str) -> Option<&'a MountLine> {
    let there: Vec<&MountLine> = lines.iter().filter(|line| line.mountpoint == path).collect();
    let covered = |line: &MountLine| there.iter().any(|above| above.parent == line.id && above.id != line.id);
    there.iter().find(|line| !covered(line)).copied()
}

/// The namespace that a descriptor stands for.
fn namespace_behind(kernel: &Kernel, task: TaskId, fd: Fd) -> Option<u32> {
    let file = kernel.fget(kernel.observe(task).ok()?, fd).ok()?;
    match kernel.files_open[file].kind {
        FileKind::Ns(ns) => Some(kernel.ns_info(ns).inum),
        _ => None,
    }
}

fn link_of(kernel: &Kernel, task: TaskId, link: NsLink) -> Option<u32> {
    let links = kernel.namespaces_of(task).ok()?;
    links.into_iter().find(|(name, _)| *name == link)?.1.map(|ns| ns.inum)
}

/// What a line without an errno is expected to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A number: a pid, a count, the status of a child waited for.
    Number(u64),
    /// No child has ended.
    Nothing,
}

impl Value {
    pub(super) fn fits(&self, reply: &Reply) -> bool {
        match (self, reply) {
            (Self::Nothing, Reply::Waited(Waited::Nothing | Waited::WouldBlock)) => true,
            (Self::Number(number), reply) => Some(*number) == number_of(reply),
            _ => false,
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        if word == "nothing" {
            return Some(Self::Nothing);
        }
        let number = match word.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None => word.parse().ok(),
        };
        number.map(Self::Number)
    }
}

fn number_of(reply: &Reply) -> Option<u64> {
    match reply {
        Reply::Number(number) | Reply::Ns(NsAnswer::Number(number)) => Some(*number),
        Reply::Child(child) => Some(child.pid.into()),
        Reply::Waited(Waited::Reaped { status, .. }) => Some((*status).into()),
        _ => None,
    }
}

/// An errno is refused as the answer to a question: a task that looks is never refused.
pub(super) fn expected(words: &[&str]) -> Result<Option<String>, String> {
    match words {
        [] => Ok(None),
        [word] if Errno::from_name(word).is_some() => Err(format!("what is seen is never {word}")),
        words => Ok(Some(words.join(" ").replace('"', ""))),
    }
}
