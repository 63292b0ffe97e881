//! Which ids are mapped: single ones and ranges, and how they go together.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use namespaces::{
    Error, Extent, IdKind, IdMap, IdRange, MapError, Process, subordinate_gids, subordinate_uids,
};

use crate::users::Users;
use crate::util_linux::failure::Failure;
use crate::util_linux::number;

/// A range as asked for, of one of the two kinds of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) inner: u64,
    pub(super) outer: u64,
    pub(super) count: u64,
    /// Whether the numbers inside may be others, as long as they follow each other.
    pub(super) floating: bool,
}

impl Range {
    fn fixed(inner: u32, outer: u32, count: u32) -> Range {
        Range { inner: inner.into(), outer: outer.into(), count: count.into(), floating: false }
    }
}

/// Reads the argument of `--map-users` or `--map-groups`.
pub(super) fn read(kind: IdKind, text: &OsStr) -> Result<Vec<Range>, Failure> {
    match text.as_bytes() {
        b"auto" => auto(kind),
        b"subids" => subids(kind),
        b"all" => all(kind),
        bytes => {
            let invalid = || Failure::bytes([b"invalid mapping '", bytes, b"'"].concat());
            let range = numbers(bytes, b':').map(|[inner, outer, count]| Range::fixed(inner, outer, count));
            // The older way has the two sides the other way round.
            let older = numbers(bytes, b',').map(|[outer, inner, count]| Range::fixed(inner, outer, count));
            // A range of nothing would come to no map at all.
            let range = range.or(older).filter(|range| range.count > 0);
            Ok(vec![range.ok_or_else(invalid)?])
        }
    }
}

fn numbers(text: &[u8], separator: u8) -> Option<[u32; 3]> {
    let numbers: Option<Vec<u32>> =
        text.split(|byte| *byte == separator).map(|number| number::unsigned(number).ok()).collect();
    numbers?.try_into().ok()
}

/// The subordinate ids, from 0 on.
pub(super) fn auto(kind: IdKind) -> Result<Vec<Range>, Failure> {
    let IdRange { first, count } = subordinate(kind)?;
    Ok(vec![Range { inner: 0, outer: first.into(), count: count.into(), floating: true }])
}

/// The subordinate ids, each as itself.
pub(super) fn subids(kind: IdKind) -> Result<Vec<Range>, Failure> {
    let IdRange { first, count } = subordinate(kind)?;
    Ok(vec![Range::fixed(first, first, count)])
}

/// All ids that exist here, each as itself.
fn all(kind: IdKind) -> Result<Vec<Range>, Failure> {
    let map = Process::current()
        .and_then(|me| me.id_map(kind))
        .map_err(|error| Failure::message(&error).because(error))?;
    Ok(map.extents().iter().map(|e| Range::fixed(e.inside, e.inside, e.count)).collect())
}

/// The first range granted to the user, as in both files.
fn subordinate(kind: IdKind) -> Result<IdRange, Failure> {
    let uid = rustix::process::geteuid().as_raw();
    let granted = match kind {
        IdKind::Uid => subordinate_uids(uid),
        IdKind::Gid => subordinate_gids(uid),
    };
    match granted {
        Ok(ranges) => ranges.first().copied().ok_or_else(Failure::hint),
        Err(error) => Err(match &error {
            Error::NoSubordinateIds { file, .. } => match Users::read().name(uid) {
                Some(name) => Failure::message(format_args!("no line matching user \"{name}\" in {file}")),
                None => Failure::message(format_args!("you (user {uid}) don't exist.")),
            },
            _ => Failure::message(&error),
        }
        .because(error)),
    }
}

/// The map of a single id (inside, outside) and of ranges: the single one
/// comes first, and where a range would use one of its two ids a second time,
/// that id is left out of the range and the next one takes its place.
pub(super) fn merge(single: Option<(u32, u32)>, ranges: &[Range]) -> Result<Option<IdMap>, MapError> {
    let mut extents: Vec<Extent> =
        single.iter().map(|(inner, outer)| Extent::new(*inner, *outer, 1)).collect();
    for range in ranges {
        place(&mut extents, single, *range);
    }
    if extents.is_empty() { Ok(None) } else { IdMap::new(extents).map(Some) }
}

fn place(extents: &mut Vec<Extent>, single: Option<(u32, u32)>, range: Range) {
    let taken = single.map(|(inner, outer)| (u64::from(inner), u64::from(outer)));
    let uses = |from: u64, id: Option<u64>| id.is_some_and(|id| (from..from + range.count).contains(&id));
    let room = range.count + u64::from(range.floating && uses(range.inner, taken.map(|(inner, _)| inner)));
    let inner = without(range.inner, room, taken.map(|(inner, _)| inner));
    let outer = without(range.outer, range.count, taken.map(|(_, outer)| outer));
    let (mut inner, mut outer) = (inner.into_iter(), outer.into_iter());
    let (mut left, mut right) = (inner.next(), outer.next());
    while let (Some((inside, inside_count)), Some((outside, outside_count))) = (left, right) {
        let count = inside_count.min(outside_count);
        // What is beyond 32 bits is too high for `IdMap::new` as well.
        let cut = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        if count > 0 {
            extents.push(Extent::new(cut(inside), cut(outside), cut(count)));
        }
        let rest = |first: u64, whole: u64| (whole > count).then_some((first + count, whole - count));
        left = rest(inside, inside_count).or_else(|| inner.next());
        right = rest(outside, outside_count).or_else(|| outer.next());
    }
}

/// `count` numbers from `first` on, but for `id`: at most two ranges.
fn without(first: u64, count: u64, id: Option<u64>) -> Vec<(u64, u64)> {
    match id.filter(|id| (first..first + count).contains(id)) {
        None => vec![(first, count)],
        Some(id) => {
            let parts = [(first, id - first), (id + 1, first + count - id - 1)];
            parts.into_iter().filter(|(_, count)| *count > 0).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(single: (u32, u32), ranges: &[Range]) -> String {
        merge(Some(single), ranges).unwrap().unwrap().to_string().replace('\n', ", ")
    }

    #[test]
    fn a_range_makes_room_for_the_single_id() {
        let range = Range::fixed;
        for (single, ranges, map) in [
            ((5, 0), vec![range(0, 100, 10)], "5 0 1, 0 100 5, 6 105 4"),
            ((5, 0), vec![range(0, 0, 10)], "5 0 1, 0 1 5, 6 6 4"),
            ((5, 0), vec![range(10, 0, 10)], "5 0 1, 10 1 9"),
            ((9, 0), vec![range(0, 100, 10)], "9 0 1, 0 100 9"),
            ((10, 0), vec![range(0, 100, 10)], "10 0 1, 0 100 10"),
            ((0, 0), vec![range(0, 100, 1)], "0 0 1"),
            ((1, 0), vec![range(0, 0, 2)], "1 0 1, 0 1 1"),
            ((5, 0), vec![range(5, 0, 3)], "5 0 1, 6 1 2"),
            ((7, 0), vec![range(5, 0, 3)], "7 0 1, 5 1 2"),
            ((15, 0), vec![range(0, 100, 10), range(10, 200, 10)], "15 0 1, 0 100 10, 10 200 5, 16 205 4"),
            ((5, 0), vec![range(0, 0, u32::MAX)], "5 0 1, 0 1 5, 6 6 4294967289"),
        ] {
            assert_eq!(merged(single, &ranges), map);
        }
    }

    #[test]
    fn a_floating_range_loses_no_id() {
        let auto = [Range { inner: 0, outer: 100_000, count: 65536, floating: true }];
        assert_eq!(merged((0, 1001), &auto), "0 1001 1, 1 100000 65536");
        assert_eq!(merged((1001, 1001), &auto), "1001 1001 1, 0 100000 1001, 1002 101001 64535");
        assert_eq!(merged((70_000, 1001), &auto), "70000 1001 1, 0 100000 65536");
        assert_eq!(merged((0, 100_005), &auto), "0 100005 1, 1 100000 5, 6 100006 65530");
    }

    #[test]
    fn what_goes_beyond_the_last_id_is_refused() {
        for range in [Range::fixed(0, 4_294_967_290, 100), Range::fixed(4_294_967_295, 0, 1)] {
            assert!(matches!(merge(None, &[range]), Err(MapError::TooHigh { line: 1 })), "{range:?}");
        }
        assert_eq!(merge(None, &[Range::fixed(1, 2, 0)]), Ok(None));
    }

    #[test]
    fn ranges_are_written_in_two_ways() {
        let read = |text: &str| read(IdKind::Uid, OsStr::new(text));
        assert_eq!(read("1:2:3").unwrap(), [Range::fixed(1, 2, 3)]);
        assert_eq!(read("1,2,3").unwrap(), [Range::fixed(2, 1, 3)]);
        assert_eq!(read("+1: 2:3").unwrap(), [Range::fixed(1, 2, 3)]);
        for text in [
            "",
            "1",
            "1:2",
            "1:2:3:4",
            "1:2,3",
            "-1:0:1",
            "0x1:0:1",
            "0:4294967296:1",
            ":::",
            "1:2:0",
            "1,2,0",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
