//! Where to look for namespaces.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// One place that namespaces are found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// The namespaces of each process.
    Processes,
    /// Those that the future children of a process, or of a thread, will be in.
    Children,
    /// The namespaces of each thread, which can differ from those of its process.
    Threads,
    /// Open descriptors that are namespaces.
    Fds,
    /// Open sockets, each of which lives in a network namespace.
    Sockets,
    /// Namespaces bound to files in the caller's own mount namespace.
    OwnMounts,
    /// The same in every mount namespace that can be read.
    Mounts,
    /// The owner and the parent of each namespace found, and theirs.
    Relatives,
    /// What the kernel lists itself: mount namespaces one after the other
    /// (Linux 6.12), and with `listns(2)` all kinds (Linux 6.19).
    Kernel,
}

impl Source {
    /// Every source.
    pub const ALL: [Source; 9] = [
        Source::Processes,
        Source::Children,
        Source::Threads,
        Source::Fds,
        Source::Sockets,
        Source::OwnMounts,
        Source::Mounts,
        Source::Relatives,
        Source::Kernel,
    ];

    /// Its name: `processes`, `children`, `threads`, `fds`, `sockets`,
    /// `own-mounts`, `mounts`, `relatives`, `kernel`.
    pub const fn name(self) -> &'static str {
        match self {
            Source::Processes => "processes",
            Source::Children => "children",
            Source::Threads => "threads",
            Source::Fds => "fds",
            Source::Sockets => "sockets",
            Source::OwnMounts => "own-mounts",
            Source::Mounts => "mounts",
            Source::Relatives => "relatives",
            Source::Kernel => "kernel",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Source {
    type Err = Error;

    fn from_str(text: &str) -> Result<Source, Error> {
        Source::ALL.into_iter().find(|source| source.name() == text).ok_or_else(|| {
            Error::invalid(
                "source",
                text,
                "known are processes, children, threads, fds, sockets, own-mounts, mounts, relatives, kernel",
            )
        })
    }
}

/// A set of [`Source`]s.
///
/// ```
/// use namespaces::discover::{Source, Sources};
///
/// let quick = Sources::ALL.without(Source::Sockets);
/// assert!(quick.contains(Source::Fds) && !quick.contains(Source::Sockets));
/// assert_eq!("processes,mounts".parse::<Sources>()?.to_string(), "processes,mounts");
/// # Ok::<(), namespaces::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sources(u16);

impl Sources {
    /// The empty set.
    pub const EMPTY: Sources = Sources(0);

    /// All of them.
    pub const ALL: Sources = Sources((1 << Source::ALL.len()) - 1);

    /// Whether `source` is in the set.
    pub const fn contains(self, source: Source) -> bool {
        self.0 & 1 << source as u8 != 0
    }

    /// The set with `source` in it.
    #[must_use]
    pub const fn with(self, source: Source) -> Sources {
        Sources(self.0 | 1 << source as u8)
    }

    /// The set without `source`.
    #[must_use]
    pub const fn without(self, source: Source) -> Sources {
        Sources(self.0 & !(1 << source as u8))
    }

    /// The sources of the set, in the order of [`Source::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Source> {
        Source::ALL.into_iter().filter(move |source| self.contains(*source))
    }
}

impl Default for Sources {
    /// All of them.
    fn default() -> Sources {
        Sources::ALL
    }
}

impl FromIterator<Source> for Sources {
    fn from_iter<I: IntoIterator<Item = Source>>(sources: I) -> Sources {
        sources.into_iter().fold(Sources::EMPTY, Sources::with)
    }
}

impl fmt::Display for Sources {
    /// The names, comma separated.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, source) in self.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            f.write_str(source.name())?;
        }
        Ok(())
    }
}

impl FromStr for Sources {
    type Err = Error;

    /// Names separated by commas, or `all`.
    fn from_str(text: &str) -> Result<Sources, Error> {
        match text {
            "all" => Ok(Sources::ALL),
            _ => text.split(',').map(|name| name.trim().parse()).collect(),
        }
    }
}
