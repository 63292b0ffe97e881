//! Maps that follow from who the caller is.

use super::{Extent, IdMap, IdRange, subordinate_gids, subordinate_uids};
use crate::error::Result;
use crate::spawn::effective_ids;

/// A user id map and a group id map that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdMaps {
    /// The map of user ids.
    pub uid_map: IdMap,
    /// The map of group ids.
    pub gid_map: IdMap,
}

impl IdMaps {
    /// The caller as root, and every subordinate id of the caller's from 1 on:
    /// what containers without privilege commonly have.
    ///
    /// # Errors
    ///
    /// [`Error::NoSubordinateIds`](crate::Error::NoSubordinateIds) if
    /// `/etc/subuid` or `/etc/subgid` grants none.
    pub fn auto() -> Result<IdMaps> {
        let (euid, egid) = effective_ids();
        let uid = rustix::process::getuid().as_raw();
        Ok(IdMaps {
            uid_map: root_and(euid, &subordinate_uids(uid)?)?,
            gid_map: root_and(egid, &subordinate_gids(uid)?)?,
        })
    }
}

/// The id as 0 and the ranges one after the other from 1.
fn root_and(id: u32, ranges: &[IdRange]) -> Result<IdMap> {
    let mut inside: u32 = 1;
    let mut extents = vec![Extent::new(0, id, 1)];
    for range in ranges {
        // A range past the highest id is for `IdMap::new` to refuse.
        extents.push(Extent::new(inside, range.first, range.count));
        inside = inside.saturating_add(range.count);
    }
    Ok(IdMap::new(extents)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_follow_each_other() {
        let ranges = [IdRange { first: 100_000, count: 10 }, IdRange { first: 500_000, count: 5 }];
        assert_eq!(root_and(1000, &ranges).unwrap().to_string(), "0 1000 1\n1 100000 10\n11 500000 5");
        assert!(root_and(100_003, &ranges).is_err());
    }
}
