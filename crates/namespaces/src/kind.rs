//! The eight kinds of namespaces, and sets of them.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// A kind of namespace, as `namespaces(7)` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The cgroup root directory a process sees: `cgroup_namespaces(7)`.
    Cgroup,
    /// System V IPC and POSIX message queues: `ipc_namespaces(7)`.
    Ipc,
    /// Mount points: `mount_namespaces(7)`.
    Mnt,
    /// Network devices, addresses, ports, routes: `network_namespaces(7)`.
    Net,
    /// Process ids: `pid_namespaces(7)`.
    Pid,
    /// The boot-time and monotonic clocks: `time_namespaces(7)`.
    Time,
    /// User and group ids, capabilities: `user_namespaces(7)`.
    User,
    /// Hostname and NIS domain name: `uts_namespaces(7)`.
    Uts,
}

impl Kind {
    /// Every kind, in the order of `namespaces(7)`.
    pub const ALL: [Kind; 8] =
        [Kind::Cgroup, Kind::Ipc, Kind::Mnt, Kind::Net, Kind::Pid, Kind::Time, Kind::User, Kind::Uts];

    /// The `CLONE_NEW*` bit of this kind, as `clone(2)`, `unshare(2)` and
    /// `setns(2)` take it.
    pub const fn flag(self) -> u32 {
        match self {
            Kind::Time => 0x0000_0080,
            Kind::Mnt => 0x0002_0000,
            Kind::Cgroup => 0x0200_0000,
            Kind::Uts => 0x0400_0000,
            Kind::Ipc => 0x0800_0000,
            Kind::User => 0x1000_0000,
            Kind::Pid => 0x2000_0000,
            Kind::Net => 0x4000_0000,
        }
    }

    /// The name of that bit in `<sched.h>`.
    pub const fn flag_name(self) -> &'static str {
        match self {
            Kind::Time => "CLONE_NEWTIME",
            Kind::Mnt => "CLONE_NEWNS",
            Kind::Cgroup => "CLONE_NEWCGROUP",
            Kind::Uts => "CLONE_NEWUTS",
            Kind::Ipc => "CLONE_NEWIPC",
            Kind::User => "CLONE_NEWUSER",
            Kind::Pid => "CLONE_NEWPID",
            Kind::Net => "CLONE_NEWNET",
        }
    }

    /// The kind whose bit is `flag`, if it is exactly one of the eight.
    pub fn from_flag(flag: u32) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.flag() == flag)
    }

    /// The name of the link in `/proc/PID/ns`, which is also the first half
    /// of what that link reads: `mnt` in `mnt:[4026531841]`.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Cgroup => "cgroup",
            Kind::Ipc => "ipc",
            Kind::Mnt => "mnt",
            Kind::Net => "net",
            Kind::Pid => "pid",
            Kind::Time => "time",
            Kind::User => "user",
            Kind::Uts => "uts",
        }
    }

    /// The link that names the namespace which future children will be in,
    /// for the two kinds where that can differ from the process's own.
    pub const fn for_children_name(self) -> Option<&'static str> {
        match self {
            Kind::Pid => Some(Link::PidForChildren.name()),
            Kind::Time => Some(Link::TimeForChildren.name()),
            _ => None,
        }
    }

    /// The kernel release that brought this kind, as (major, minor).
    ///
    /// User namespaces came in steps and were usable without privilege from 3.8.
    pub const fn since(self) -> (u16, u16) {
        match self {
            Kind::Mnt => (2, 4),
            Kind::Uts | Kind::Ipc | Kind::Pid | Kind::Net => (2, 6),
            Kind::User => (3, 8),
            Kind::Cgroup => (4, 6),
            Kind::Time => (5, 6),
        }
    }

    /// Whether namespaces of this kind form a tree of their own
    /// (`NS_GET_PARENT` answers), beside the tree by owner that all share.
    pub const fn is_hierarchical(self) -> bool {
        matches!(self, Kind::Pid | Kind::User)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Kind {
    type Err = Error;

    /// Accepts the `/proc` name, and `mount`, `network` and `hostname` for
    /// those who think in the options of `unshare(1)`.
    fn from_str(text: &str) -> Result<Kind, Error> {
        match text {
            "mount" => return Ok(Kind::Mnt),
            "network" => return Ok(Kind::Net),
            "hostname" => return Ok(Kind::Uts),
            _ => {}
        }
        Kind::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
            Error::invalid("namespace kind", text, "known are cgroup, ipc, mnt, net, pid, time, user, uts")
        })
    }
}

/// A link of `/proc/PID/ns`: `proc_pid_ns(5)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Link {
    /// The namespace that the process is in.
    Own(Kind),
    /// `pid_for_children`: the pid namespace that its future children will be in.
    PidForChildren,
    /// `time_for_children`: the same of time namespaces.
    TimeForChildren,
}

impl Link {
    /// The kind of what it leads to.
    pub const fn kind(self) -> Kind {
        match self {
            Link::Own(kind) => kind,
            Link::PidForChildren => Kind::Pid,
            Link::TimeForChildren => Kind::Time,
        }
    }

    /// Its name in the directory.
    pub const fn name(self) -> &'static str {
        match self {
            Link::Own(kind) => kind.name(),
            Link::PidForChildren => "pid_for_children",
            Link::TimeForChildren => "time_for_children",
        }
    }
}

impl From<Kind> for Link {
    fn from(kind: Kind) -> Link {
        Link::Own(kind)
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Link {
    type Err = Error;

    /// The name in the directory, or another name that a [`Kind`] has.
    fn from_str(text: &str) -> Result<Link, Error> {
        let children = [Link::PidForChildren, Link::TimeForChildren];
        let found = children.into_iter().find(|link| link.name() == text);
        found.map_or_else(|| text.parse().map(Link::Own), Ok)
    }
}

/// A set of [`Kind`]s.
///
/// ```
/// use namespaces::{Kind, Kinds};
///
/// let kinds = Kinds::from_iter([Kind::Net, Kind::User]);
/// assert!(kinds.contains(Kind::Net));
/// assert_eq!(kinds.flags(), 0x5000_0000);
/// assert_eq!(kinds.to_string(), "net,user");
/// assert_eq!("net,user".parse::<Kinds>()?, kinds);
/// # Ok::<(), namespaces::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Kinds(u32);

impl Kinds {
    /// The empty set.
    pub const EMPTY: Kinds = Kinds(0);

    /// All eight kinds.
    pub const ALL: Kinds = {
        let mut bits = 0;
        let mut i = 0;
        while i < Kind::ALL.len() {
            bits |= Kind::ALL[i].flag();
            i += 1;
        }
        Kinds(bits)
    };

    /// The `CLONE_NEW*` bits of the set, or-ed.
    pub const fn flags(self) -> u32 {
        self.0
    }

    /// Whether `kind` is in the set.
    pub const fn contains(self, kind: Kind) -> bool {
        self.0 & kind.flag() != 0
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many kinds the set has.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// The set with `kind` in it.
    #[must_use]
    pub const fn with(self, kind: Kind) -> Kinds {
        Kinds(self.0 | kind.flag())
    }

    /// The set without `kind`.
    #[must_use]
    pub const fn without(self, kind: Kind) -> Kinds {
        Kinds(self.0 & !kind.flag())
    }

    /// Adds `kind`; says whether it was missing.
    pub fn insert(&mut self, kind: Kind) -> bool {
        let missing = !self.contains(kind);
        *self = self.with(kind);
        missing
    }

    /// Takes `kind` out; says whether it was there.
    pub fn remove(&mut self, kind: Kind) -> bool {
        let there = self.contains(kind);
        *self = self.without(kind);
        there
    }

    /// What is in either set.
    #[must_use]
    pub const fn union(self, other: Kinds) -> Kinds {
        Kinds(self.0 | other.0)
    }

    /// What is in both sets.
    #[must_use]
    pub const fn intersection(self, other: Kinds) -> Kinds {
        Kinds(self.0 & other.0)
    }

    /// What is in this set and not in `other`.
    #[must_use]
    pub const fn difference(self, other: Kinds) -> Kinds {
        Kinds(self.0 & !other.0)
    }

    /// The kinds of the set, in the order of [`Kind::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }
}

impl From<Kind> for Kinds {
    fn from(kind: Kind) -> Kinds {
        Kinds(kind.flag())
    }
}

impl FromIterator<Kind> for Kinds {
    fn from_iter<I: IntoIterator<Item = Kind>>(kinds: I) -> Kinds {
        kinds.into_iter().fold(Kinds::EMPTY, Kinds::with)
    }
}

impl<const N: usize> From<[Kind; N]> for Kinds {
    fn from(kinds: [Kind; N]) -> Kinds {
        Kinds::from_iter(kinds)
    }
}

impl Extend<Kind> for Kinds {
    fn extend<I: IntoIterator<Item = Kind>>(&mut self, kinds: I) {
        for kind in kinds {
            self.insert(kind);
        }
    }
}

impl fmt::Display for Kinds {
    /// The names, comma separated; nothing for the empty set.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, kind) in self.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            f.write_str(kind.name())?;
        }
        Ok(())
    }
}

impl FromStr for Kinds {
    type Err = Error;

    /// Names separated by commas; `all` is every kind, the empty text none.
    fn from_str(text: &str) -> Result<Kinds, Error> {
        match text {
            "" => Ok(Kinds::EMPTY),
            "all" => Ok(Kinds::ALL),
            _ => text.split(',').map(|name| name.trim().parse()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_those_of_the_kernel() {
        assert_eq!(Kind::Mnt.flag(), libc::CLONE_NEWNS as u32);
        assert_eq!(Kind::Uts.flag(), libc::CLONE_NEWUTS as u32);
        assert_eq!(Kind::Ipc.flag(), libc::CLONE_NEWIPC as u32);
        assert_eq!(Kind::User.flag(), libc::CLONE_NEWUSER as u32);
        assert_eq!(Kind::Pid.flag(), libc::CLONE_NEWPID as u32);
        assert_eq!(Kind::Net.flag(), libc::CLONE_NEWNET as u32);
        assert_eq!(Kind::Cgroup.flag(), libc::CLONE_NEWCGROUP as u32);
        assert_eq!(Kinds::ALL.len(), 8);
    }

    #[test]
    fn names_round_trip() {
        for kind in Kind::ALL {
            assert_eq!(kind.name().parse::<Kind>().unwrap(), kind);
            assert_eq!(Kind::from_flag(kind.flag()), Some(kind));
            assert_eq!(kind.name().parse::<Link>().unwrap(), Link::Own(kind));
        }
        for link in [Link::PidForChildren, Link::TimeForChildren] {
            assert_eq!(link.name().parse::<Link>().unwrap(), link);
            assert_eq!(link.kind().for_children_name(), Some(link.name()));
        }
        assert_eq!("all".parse::<Kinds>().unwrap(), Kinds::ALL);
        assert_eq!(Kinds::ALL.to_string().parse::<Kinds>().unwrap(), Kinds::ALL);
        assert!("netz".parse::<Kinds>().is_err());
        assert!("net,".parse::<Kinds>().is_err());
    }
}
