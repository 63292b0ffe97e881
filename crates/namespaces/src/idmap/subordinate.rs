//! Subordinate ids: `subuid(5)` and `subgid(5)`.

use std::path::Path;

use crate::error::{Error, Result};

/// A range of subordinate ids that a user may map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdRange {
    /// The first id.
    pub first: u32,
    /// How many.
    pub count: u32,
}

/// The ranges of subordinate user ids that `/etc/subuid` grants to the user
/// `uid`: every line of that user, by name or by number.
///
/// # Errors
///
/// [`Error::NoSubordinateIds`] if there is no line; [`Error::Call`] if the file
/// can't be read.
pub fn subordinate_uids(uid: u32) -> Result<Vec<IdRange>> {
    ranges(Path::new("/etc/subuid"), uid)
}

/// The ranges of subordinate group ids that `/etc/subgid` grants to the *user*
/// `uid`: that file, too, is keyed by user.
pub fn subordinate_gids(uid: u32) -> Result<Vec<IdRange>> {
    ranges(Path::new("/etc/subgid"), uid)
}

fn ranges(file: &Path, uid: u32) -> Result<Vec<IdRange>> {
    let name = user_name(uid);
    let text = match std::fs::read_to_string(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        text => text.map_err(|error| Error::path("reading", file, error))?,
    };
    let found = matching(&text, name.as_deref(), uid);
    if found.is_empty() {
        let user = name.unwrap_or_else(|| uid.to_string());
        return Err(Error::NoSubordinateIds { file: file.display().to_string(), user });
    }
    Ok(found)
}

/// The ranges that the text of such a file grants to the user `uid`.
pub(crate) fn ranges_of(text: &str, uid: u32) -> Vec<IdRange> {
    matching(text, user_name(uid).as_deref(), uid)
}

/// The ranges of the lines `name:first:count` and `uid:first:count`. A name is
/// never read as a number: a line of another user's must not become root's.
fn matching(text: &str, name: Option<&str>, uid: u32) -> Vec<IdRange> {
    let number = uid.to_string();
    let mine = |who: &str| Some(who) == name || who == number;
    let range = |line: &str| {
        let mut fields = line.split(':');
        if !mine(fields.next()?) {
            return None;
        }
        let range =
            IdRange { first: fields.next()?.parse().ok()?, count: fields.next()?.trim_end().parse().ok()? };
        (range.count > 0 && range.first.checked_add(range.count).is_some()).then_some(range)
    };
    text.lines().filter_map(range).collect()
}

/// The login name of `uid` in `/etc/passwd`: that file only, because a static
/// binary can't ask the name service.
pub(crate) fn user_name(uid: u32) -> Option<String> {
    user(uid).map(|(name, _)| name)
}

/// The group that the same file gives to `uid`.
pub(crate) fn user_group(uid: u32) -> Option<u32> {
    user(uid).and_then(|(_, group)| group)
}

fn user(uid: u32) -> Option<(String, Option<u32>)> {
    let text = std::fs::read_to_string("/etc/passwd").ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let id: u32 = fields.nth(1)?.parse().ok()?;
        (id == uid).then(|| (name.to_owned(), fields.next().and_then(|group| group.parse().ok())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "alice:100000:65536\nbob:200000:1000\n1001:300000:10\nalice:500000:5\nbad\nalice:1:x\n";

    fn firsts(name: Option<&str>, uid: u32) -> Vec<u32> {
        matching(FILE, name, uid).iter().map(|range| range.first).collect()
    }

    #[test]
    fn every_line_of_the_user_counts() {
        assert_eq!(firsts(Some("alice"), 1000), [100_000, 500_000]);
        assert_eq!(firsts(Some("alice"), 1001), [100_000, 300_000, 500_000]);
    }

    #[test]
    fn root_does_not_get_the_ids_of_a_named_user() {
        assert_eq!(firsts(Some("root"), 0), [0_u32; 0]);
        assert_eq!(firsts(None, 0), [0_u32; 0]);
    }
}
