//! Id maps: `user_namespaces(7)`, "User and group ID mappings".

mod auto;
mod subordinate;
mod write;

use std::fmt;
use std::str::FromStr;

pub use auto::IdMaps;
pub use subordinate::{IdRange, subordinate_gids, subordinate_uids};
pub(crate) use subordinate::{ranges_of, user_group, user_name};
pub(crate) use write::run_helper;
pub use write::{IdKind, MapWriter};

/// One line of an id map: `count` ids from `inside` on, in the user namespace,
/// are the ids from `outside` on, in its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Extent {
    /// First id inside.
    pub inside: u32,
    /// First id outside.
    pub outside: u32,
    /// How many ids, at least one.
    pub count: u32,
}

impl Extent {
    /// `count` ids from `inside` on are those from `outside` on.
    pub const fn new(inside: u32, outside: u32, count: u32) -> Extent {
        Extent { inside, outside, count }
    }

    fn checked(self, line: usize) -> Result<Extent, MapError> {
        if self.count == 0 {
            return Err(MapError::Empty { line });
        }
        for first in [self.inside, self.outside] {
            // The id 4294967295 means "no id"; a range may end just before it.
            if first == u32::MAX || first.checked_add(self.count).is_none() {
                return Err(MapError::TooHigh { line });
            }
        }
        Ok(self)
    }

    fn overlaps(self, other: Extent) -> bool {
        let meet = |a: u32, b: u32| {
            u64::from(a) < u64::from(b) + u64::from(other.count)
                && u64::from(b) < u64::from(a) + u64::from(self.count)
        };
        meet(self.inside, other.inside) || meet(self.outside, other.outside)
    }
}

impl fmt::Display for Extent {
    /// As a line of `uid_map`: `0 1000 1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.inside, self.outside, self.count)
    }
}

/// A whole map, which the kernel would accept as far as its form goes.
///
/// ```
/// use namespaces::{Extent, IdMap};
///
/// let map: IdMap = "0 1000 1\n1 100000 65536".parse()?;
/// assert_eq!(map.to_outside(0), Some(1000));
/// assert_eq!(map.to_inside(100_009), Some(10));
/// assert_eq!(map.to_outside(70_000), None);
/// assert!(IdMap::new([Extent::new(0, 0, 2), Extent::new(1, 5, 1)]).is_err());
/// # Ok::<(), namespaces::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct IdMap {
    extents: Vec<Extent>,
}

impl IdMap {
    /// The most lines a map may have (Linux 4.15; 5 before).
    pub const MAX_EXTENTS: usize = 340;

    /// The kernel takes less than a page at once.
    const MAX_BYTES: usize = 4095;

    /// A map of these extents, which must be well formed, at least one and at
    /// most 340, not overlap on either side, and fit in one write.
    pub fn new(extents: impl IntoIterator<Item = Extent>) -> Result<IdMap, MapError> {
        let mut map = IdMap::default();
        for extent in extents {
            let line = map.extents.len() + 1;
            let extent = extent.checked(line)?;
            if line > Self::MAX_EXTENTS {
                return Err(MapError::TooMany);
            }
            if let Some(other) = map.extents.iter().position(|other| other.overlaps(extent)) {
                return Err(MapError::Overlap { line, other: other + 1 });
            }
            map.extents.push(extent);
        }
        match map.extents.len() {
            0 => Err(MapError::NoLines),
            _ if map.to_string().len() > Self::MAX_BYTES => Err(MapError::TooLong),
            _ => Ok(map),
        }
    }

    /// The map of one id.
    pub fn single(inside: u32, outside: u32) -> Result<IdMap, MapError> {
        IdMap::new([Extent::new(inside, outside, 1)])
    }

    /// What a process reads from a `uid_map` or `gid_map`: unlike a map to be
    /// written it may be empty, and an id outside may be unknown (4294967295).
    pub(crate) fn from_kernel(text: &str) -> Option<IdMap> {
        let extent = |line: &str| {
            let mut numbers = line.split_ascii_whitespace().map(|n| n.parse::<u32>().ok());
            Some(Extent { inside: numbers.next()??, outside: numbers.next()??, count: numbers.next()?? })
        };
        Some(IdMap { extents: text.lines().map(extent).collect::<Option<_>>()? })
    }

    /// The lines, in the order given.
    pub fn extents(&self) -> &[Extent] {
        &self.extents
    }

    /// The id outside that `inside` stands for.
    pub fn to_outside(&self, inside: u32) -> Option<u32> {
        self.extents.iter().find_map(|e| {
            let offset = inside.checked_sub(e.inside)?;
            (offset < e.count && e.outside != u32::MAX).then(|| e.outside + offset)
        })
    }

    /// The id by which `outside` is known inside.
    pub fn to_inside(&self, outside: u32) -> Option<u32> {
        self.extents.iter().find_map(|e| {
            let offset = outside.checked_sub(e.outside)?;
            (offset < e.count).then(|| e.inside + offset)
        })
    }
}

impl fmt::Display for IdMap {
    /// As `uid_map` takes it: one extent a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, extent) in self.extents.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{extent}")?;
        }
        Ok(())
    }
}

impl FromStr for IdMap {
    type Err = crate::error::Error;

    /// One extent a line, three decimal numbers separated by blanks; or
    /// extents separated by commas, numbers by colons: `0:1000:1,1:100000:65536`.
    ///
    /// The kernel reads each number modulo 2^32; here a larger one is an error.
    fn from_str(text: &str) -> Result<IdMap, crate::error::Error> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let extents: Result<Vec<Extent>, MapError> = text
            .split(['\n', ','])
            .enumerate()
            .map(|(i, line)| {
                parse_line(line).ok_or_else(|| MapError::Syntax { line: i + 1, text: line.to_owned() })
            })
            .collect();
        Ok(IdMap::new(extents?)?)
    }
}

fn parse_line(line: &str) -> Option<Extent> {
    let mut numbers = line
        .split(|c: char| c == ':' || c.is_ascii_whitespace())
        .filter(|word| !word.is_empty())
        // `parse` would take a sign; the kernel does not.
        .map(|word| word.bytes().all(|b| b.is_ascii_digit()).then(|| word.parse::<u32>().ok())?);
    let extent = Extent::new(numbers.next()??, numbers.next()??, numbers.next()??);
    numbers.next().is_none().then_some(extent)
}

/// A rule of `user_namespaces(7)` that a map breaks. Lines count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MapError {
    /// Not three decimal numbers below 2^32.
    Syntax {
        /// The line.
        line: usize,
        /// What it says.
        text: String,
    },
    /// The map has no line.
    NoLines,
    /// The range has no ids.
    Empty {
        /// The line.
        line: usize,
    },
    /// The range starts at or goes beyond the highest id, 4294967294.
    TooHigh {
        /// The line.
        line: usize,
    },
    /// An id occurs twice, inside or outside.
    Overlap {
        /// The line.
        line: usize,
        /// The earlier line it overlaps with.
        other: usize,
    },
    /// More than [`IdMap::MAX_EXTENTS`] lines.
    TooMany,
    /// The text is longer than the kernel takes at once, 4095 bytes.
    TooLong,
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MapError::Syntax { line, text } => {
                write!(
                    f,
                    "line {line} is {text:?}, want three numbers: first id inside, first id outside, count"
                )
            }
            MapError::NoLines => f.write_str("it has no line"),
            MapError::Empty { line } => write!(f, "line {line} maps no ids: its count is 0"),
            MapError::TooHigh { line } => write!(f, "line {line} goes beyond the highest id, 4294967294"),
            MapError::Overlap { line, other } => {
                write!(f, "line {line} overlaps line {other}: an id may occur only once on each side")
            }
            MapError::TooMany => write!(f, "it has more than {} lines", IdMap::MAX_EXTENTS),
            MapError::TooLong => {
                write!(f, "it is longer than {} bytes, the most the kernel takes", IdMap::MAX_BYTES)
            }
        }
    }
}

impl std::error::Error for MapError {}

#[cfg(test)]
mod tests;
