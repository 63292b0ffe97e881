//! The running kernel's answers to the questions of a scenario: what an actor sees,
//! found out by the actor's own system calls, or read from what the world's /proc
//! shows of it.

use std::collections::BTreeMap;

use nsproxy::scenario::Question;
use nsproxy::scenario::question::{Propagation, caps_in_words, lines_in_words, yes_no};
use nsproxy::{CapSet, Clock, MapKind, NsKind, NsLink, TaskId};
use rustix::fs::OFlags;

use super::look::{look, read as read_as_runner};
use super::{PROC_FD, Real};
use crate::seen::{Inside, Life, Mount, Seen};
use crate::sys;

/// Where an actor is found: its slot, and the number it has, or last had, in the
/// world's /proc.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) slot: usize,
    pub(crate) pid: u32,
}

/// The tasks that a scenario has a name for.
pub(crate) type Places = BTreeMap<TaskId, Place>;

/// An actor that is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) real: &'a Real,
    pub(crate) place: Place,
    pub(crate) places: &'a Places,
    /// The path of the world's cgroup.
    pub(crate) cgroup: &'a str,
}

/// What keeps a question from being answered: a failure of the comparison.
type Broken = std::io::Error;

fn broken(text: &str) -> Broken {
    Broken::other(text.to_owned())
}

/// Where in the slot the answers of system calls are put.
const ROOM: usize = 4096;
const ROOM_LEN: usize = 0x6000;

impl Asked<'_> {
    /// The kernel's answer.
    pub(crate) fn ask(&self, question: &Question) -> Result<String, Broken> {
        match question {
            Question::Pid(task) => self.number_of(*task).map(|number| number.to_string()),
            Question::Tgid => self.call(libc::SYS_getpid, [0; 6]).map(|pid| pid.to_string()),
            Question::Parent => self.call(libc::SYS_getppid, [0; 6]).map(|pid| pid.to_string()),
            Question::Uid => self.call(libc::SYS_geteuid, [0; 6]).map(|uid| uid.to_string()),
            Question::Gid => self.call(libc::SYS_getegid, [0; 6]).map(|gid| gid.to_string()),
            Question::Securebits => {
                let get = libc::PR_GET_SECUREBITS.unsigned_abs().into();
                self.call(libc::SYS_prctl, [get, 0, 0, 0, 0, 0]).map(|bits| bits.to_string())
            }
            Question::State(task) => Ok(self.seen(*task)?.map_or("gone", |seen| life(&seen)).to_owned()),
            Question::Same(mine, task, its) => {
                let one = link(&self.own()?, *mine);
                let two = self.seen(*task)?.and_then(|seen| link(&seen, *its));
                Ok(yes_no(one.is_some() && one == two))
            }
            Question::Fd(fd, its, task) => {
                let path = format!("{}/fd/{fd}", self.place.pid);
                let open = rustix::fs::readlinkat(&self.real.proc, path, Vec::new()).ok();
                let open = open.and_then(|text| number_in_brackets(text.to_str().ok()?));
                let wanted = self.seen(*task)?.and_then(|seen| link(&seen, *its));
                Ok(yes_no(open.is_some() && open == wanted))
            }
            Question::Hostname => self.utsname(1),
            Question::Domainname => self.utsname(5),
            Question::Caps(set) => Ok(caps_in_words(CapSet::from_bits(self.own()?.status.caps[*set]))),
            _ => self.ask_files(question),
        }
    }

    fn ask_files(&self, question: &Question) -> Result<String, Broken> {
        match question {
            Question::Map(kind, task) => {
                let name = match kind {
                    MapKind::Uid => "uid_map",
                    MapKind::Gid => "gid_map",
                    MapKind::Projid => "projid_map",
                };
                self.read_of(*task, name).map(|text| lines_in_words(&text))
            }
            Question::Setgroups(task) => Ok(self.read_of(*task, "setgroups")?.trim().to_owned()),
            Question::TimensOffsets(task) => {
                self.read_of(*task, "timens_offsets").map(|text| lines_in_words(&text))
            }
            Question::Cgroup(task) => {
                let text = self.read_of(*task, "cgroup")?;
                let path = text.lines().find_map(|line| line.strip_prefix("0::"));
                path.map(str::to_owned).ok_or_else(|| broken("no cgroup of version 2"))
            }
            Question::Limit(kind) => self.read(&limit_file(*kind)).map(|text| text.trim().to_owned()),
            Question::Devices => {
                // Read by the runner: the file shows the namespace of the task in its path.
                let text = read_as_runner(self.real, &format!("{}/net/dev", self.place.pid));
                let text = text.ok_or_else(|| broken("no net/dev"))?;
                let mut names: Vec<&str> =
                    text.lines().filter_map(|line| Some(line.split_once(':')?.0.trim())).collect();
                names.sort_unstable();
                Ok(names.join(" "))
            }
            Question::Clock(clock, task) => {
                let other = self.other(*task)?;
                let ahead = self.clock(*clock)? - other.clock(*clock)?;
                // The two are asked one after the other: round.
                Ok(ahead
                    .div_euclid(1_000_000_000)
                    .saturating_add(i64::from(ahead.rem_euclid(1_000_000_000) >= 500_000_000))
                    .to_string())
            }
            Question::Cwd => self.cwd(),
            Question::Mount(path) => {
                let top = topmost(&self.own_inside()?, path);
                Ok(top.map_or(String::from("no"), |mount| propagation(&mount).in_words()))
            }
            Question::Options(path) => {
                let top = topmost(&self.own_inside()?, path);
                Ok(top.map_or(String::from("no"), |mount| mount.options))
            }
            Question::Peer(path, task, other) => self.pair(path, *task, other, Propagation::peer_of),
            Question::Master(path, task, other) => self.pair(path, *task, other, Propagation::slave_of),
            _ => Err(broken("no way to ask this")),
        }
    }

    fn call(&self, number: i64, args: [u64; 6]) -> Result<i64, Broken> {
        self.real.call(self.place.slot, number, args)
    }

    /// The same with an errno as an error.
    fn succeed(&self, what: &str, number: i64, args: [u64; 6]) -> Result<u64, Broken> {
        let answer = self.call(number, args)?;
        match sys::errno_of(answer) {
            None => Ok(answer.cast_unsigned()),
            Some(errno) => Err(broken(&format!("{what}: {}", Broken::from_raw_os_error(errno)))),
        }
    }

    fn place_of(&self, task: TaskId) -> Result<Place, Broken> {
        self.places.get(&task).copied().ok_or_else(|| broken("a task without a name"))
    }

    /// Another task of the world, as one that is asked. It must be an actor, too.
    fn other(&self, task: TaskId) -> Result<Self, Broken> {
        Ok(Self { place: self.place_of(task)?, ..*self })
    }

    fn seen(&self, task: TaskId) -> Result<Option<Seen>, Broken> {
        Ok(look(self.real, self.place_of(task)?.pid, self.cgroup))
    }

    fn own(&self) -> Result<Seen, Broken> {
        look(self.real, self.place.pid, self.cgroup).ok_or_else(|| broken("the asked task is gone"))
    }

    fn own_inside(&self) -> Result<Inside, Broken> {
        self.own()?.inside.ok_or_else(|| broken("the asked task has no files"))
    }

    /// Finds the process whose number this would be, and asks the kernel who it is.
    fn number_of(&self, task: TaskId) -> Result<u32, Broken> {
        let Some(seen) = self.seen(task)? else { return Ok(0) };
        let level = self.own()?.status.numbers[0].len();
        let Some(number) = level.checked_sub(1).and_then(|level| seen.status.numbers[0].get(level)) else {
            return Ok(0);
        };
        let thread = seen.status.pid != seen.status.tgid;
        let flags = if thread { OFlags::EXCL.bits() } else { 0 };
        let fd = self.call(libc::SYS_pidfd_open, [u64::from(*number), flags.into(), 0, 0, 0, 0])?;
        match sys::errno_of(fd) {
            // Before 6.9 no pidfd stands for a thread; only the number can be tried.
            Some(libc::EINVAL) if thread => {
                let missed = self.call(libc::SYS_tkill, [u64::from(*number), 0, 0, 0, 0, 0])? != 0;
                return Ok(if missed { 0 } else { *number });
            }
            Some(_) => return Ok(0),
            None => {}
        }
        let info = read_as_runner(self.real, &format!("{}/fdinfo/{fd}", self.place.pid));
        self.succeed("close", libc::SYS_close, [fd.cast_unsigned(), 0, 0, 0, 0, 0])?;
        let info = info.ok_or_else(|| broken("no fdinfo"))?;
        let found = info.lines().find_map(|line| line.strip_prefix("Pid:")).map(str::trim);
        Ok(if found == Some(seen.status.pid.to_string().as_str()) { *number } else { 0 })
    }

    fn room(&self) -> u64 {
        self.real.mailbox.put(self.place.slot, ROOM, &[0])
    }

    /// Reads a file below the world's /proc with the actor's own eyes.
    fn read(&self, path: &str) -> Result<String, Broken> {
        let name = self.real.mailbox.put(self.place.slot, 0, format!("{path}\0").as_bytes());
        let at = u64::from(PROC_FD.unsigned_abs());
        let flags = OFlags::RDONLY.union(OFlags::CLOEXEC).bits().into();
        let fd = self.succeed(path, libc::SYS_openat, [at, name, flags, 0, 0, 0])?;
        let read = self.succeed(path, libc::SYS_read, [fd, self.room(), ROOM_LEN as u64, 0, 0, 0]);
        self.succeed("close", libc::SYS_close, [fd, 0, 0, 0, 0, 0])?;
        let bytes = self.real.mailbox.get(self.place.slot, ROOM, usize::try_from(read?).unwrap_or(0));
        String::from_utf8(bytes).map_err(Broken::other)
    }

    fn read_of(&self, task: TaskId, file: &str) -> Result<String, Broken> {
        let pid = self.place_of(task)?.pid;
        self.read(&format!("{pid}/{file}"))
    }

    /// A field of the structure of uname(2): each has 65 bytes.
    fn utsname(&self, field: usize) -> Result<String, Broken> {
        self.succeed("uname", libc::SYS_uname, [self.room(), 0, 0, 0, 0, 0])?;
        let bytes = self.real.mailbox.get(self.place.slot, ROOM + 65 * field, 65);
        let len = bytes.iter().position(|byte| *byte == 0).unwrap_or(65);
        Ok(String::from_utf8_lossy(&bytes[..len]).into_owned())
    }

    /// A clock in nanoseconds.
    fn clock(&self, clock: Clock) -> Result<i64, Broken> {
        let number = match clock {
            Clock::Realtime => libc::CLOCK_REALTIME,
            Clock::Monotonic => libc::CLOCK_MONOTONIC,
            Clock::Boottime => libc::CLOCK_BOOTTIME,
        };
        let number = number.unsigned_abs().into();
        self.succeed("clock_gettime", libc::SYS_clock_gettime, [number, self.room(), 0, 0, 0, 0])?;
        let bytes = self.real.mailbox.get(self.place.slot, ROOM, 16);
        let word = |at: usize| i64::from_ne_bytes(core::array::from_fn(|byte| bytes[at + byte]));
        Ok(word(0) * 1_000_000_000 + word(8))
    }

    fn cwd(&self) -> Result<String, Broken> {
        let len = self.succeed("getcwd", libc::SYS_getcwd, [self.room(), 4096, 0, 0, 0, 0])?;
        let bytes = self.real.mailbox.get(self.place.slot, ROOM, usize::try_from(len).unwrap_or(1) - 1);
        let path = String::from_utf8_lossy(&bytes).into_owned();
        Ok(if path.starts_with('/') { path } else { String::from("unreachable") })
    }

    fn pair(
        &self,
        path: &str,
        task: TaskId,
        other: &str,
        related: fn(&Propagation, &Propagation) -> bool,
    ) -> Result<String, Broken> {
        let one = topmost(&self.own_inside()?, path);
        let two = self.seen(task)?.and_then(|seen| topmost(&seen.inside?, other));
        let related = one.zip(two).is_some_and(|(one, two)| related(&propagation(&one), &propagation(&two)));
        Ok(yes_no(related))
    }
}

fn life(seen: &Seen) -> &'static str {
    match seen.status.life {
        Life::Running => "running",
        Life::Stopped => "stopped",
        Life::Dying => "dying",
        Life::Zombie => "zombie",
    }
}

fn link(seen: &Seen, wanted: NsLink) -> Option<u64> {
    NsLink::ALL.iter().position(|link| *link == wanted).and_then(|at| seen.links[at])
}

fn number_in_brackets(text: &str) -> Option<u64> {
    text.split_once(":[")?.1.strip_suffix(']')?.parse().ok()
}

fn limit_file(kind: NsKind) -> String {
    format!("sys/user/max_{}_namespaces", kind.name())
}

fn propagation(mount: &Mount) -> Propagation {
    Propagation { shared: mount.shared, master: mount.master, unbindable: mount.unbindable }
}

/// The mount at a path on which no other is mounted at the same path.
fn topmost(inside: &Inside, path: &str) -> Option<Mount> {
    let there = inside.mounts.iter().filter(|mount| mount.way.last().is_some_and(|last| last == path));
    there.max_by_key(|mount| mount.way.len()).cloned()
}
