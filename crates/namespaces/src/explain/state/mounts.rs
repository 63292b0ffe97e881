//! All of `/proc/self/mountinfo`: `proc_pid_mountinfo(5)`.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;

use super::Machine;
use crate::errno::Errno;
use crate::mountinfo::unescape;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::explain) struct MountEntry {
    pub(in crate::explain) id: u64,
    pub(in crate::explain) parent: u64,
    pub(in crate::explain) device: String,
    pub(in crate::explain) root: String,
    pub(in crate::explain) point: String,
    /// The options of the mount, as written: `rw,nosuid`.
    pub(in crate::explain) options: String,
    pub(in crate::explain) shared: Option<u32>,
    pub(in crate::explain) master: Option<u32>,
    pub(in crate::explain) unbindable: bool,
    pub(in crate::explain) fstype: String,
    /// The options of the file system.
    pub(in crate::explain) super_options: String,
    /// Which line of the file it is, from 1.
    pub(in crate::explain) line: usize,
    /// Whether it is a file on a file.
    pub(in crate::explain) file: bool,
}

impl MountEntry {
    pub(in crate::explain) fn has_option(&self, name: &str) -> bool {
        self.options.split(',').any(|option| option == name)
    }

    /// Whether its file system is read-only, whatever the mount is.
    pub(in crate::explain) fn is_of_readonly(&self) -> bool {
        self.super_options.split(',').any(|option| option == "ro")
    }

    /// Whether a new mount of its file system, where this is the one that is visible, must be
    /// read-only as it is: `mnt_already_visible`.
    pub(in crate::explain) fn shows_readonly(&self) -> bool {
        self.has_option("ro") || self.is_of_readonly()
    }

    /// Whether the path lies on it or below it.
    pub(in crate::explain) fn holds(&self, path: &str) -> bool {
        let point = self.point.trim_end_matches('/');
        path.strip_prefix(point).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// The mounts that the caller's root reaches, each after the one it stands on; none if that
/// can't be read.
pub(in crate::explain) fn mounts(machine: &Machine<'_>) -> Vec<MountEntry> {
    let mut all = parse(&mountinfo(machine).unwrap_or_default());
    // Only a part of a file system can be a file, or all of nsfs.
    for mount in all.iter_mut().filter(|mount| mount.root != "/") {
        mount.file = mount.fstype == "nsfs" || matches!(machine.eyes().stat(&mount.point), Ok((false, _)));
    }
    all
}

/// The calling thread's own: others may be elsewhere, and a leader that has ended is nowhere.
pub(super) fn mountinfo(machine: &Machine<'_>) -> Result<Vec<u8>, Errno> {
    machine.read(if machine.is_layered() { "/proc/self/mountinfo" } else { "/proc/thread-self/mountinfo" })
}

pub(super) fn parse(text: &[u8]) -> Vec<MountEntry> {
    let lines = text.split(|byte| *byte == b'\n').enumerate();
    parents_first(lines.filter_map(|(at, line)| entry(at + 1, line)).collect())
}

/// The file lists mounts by age, and a mount can be moved onto a younger one: the root of a
/// host that an initramfs has booted is younger than its `/proc`.
fn parents_first(listed: Vec<MountEntry>) -> Vec<MountEntry> {
    let places: HashMap<u64, usize> = listed.iter().enumerate().map(|(at, mount)| (mount.id, at)).collect();
    let parents: Vec<Option<usize>> = listed.iter().map(|mount| places.get(&mount.parent).copied()).collect();
    let mut left: Vec<Option<MountEntry>> = listed.into_iter().map(Some).collect();
    let mut ordered = Vec::with_capacity(left.len());
    for start in 0..left.len() {
        let mut way = Vec::new();
        let mut next = Some(start);
        while let Some(at) = next
            && let Some(mount) = left[at].take()
        {
            way.push(mount);
            next = parents[at];
        }
        ordered.extend(way.into_iter().rev());
    }
    ordered
}

fn entry(number: usize, line: &[u8]) -> Option<MountEntry> {
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let dash = words.iter().position(|word| *word == b"-")?;
    let text = |at: usize| words.get(at).map(|word| String::from_utf8_lossy(word).into_owned());
    let path = |at: usize| {
        let bytes = words.get(at)?;
        Some(String::from_utf8_lossy(unescape(bytes).as_os_str().as_bytes()).into_owned())
    };
    let tag = |name: &str| {
        let mut tags = words.get(6..dash)?.iter();
        tags.find_map(|tag| std::str::from_utf8(tag).ok()?.strip_prefix(name)?.parse().ok())
    };
    Some(MountEntry {
        id: text(0)?.parse().ok()?,
        parent: text(1)?.parse().ok()?,
        device: text(2)?,
        root: path(3)?,
        point: path(4)?,
        options: text(5)?,
        shared: tag("shared:"),
        master: tag("master:"),
        unbindable: words.get(6..dash)?.contains(&b"unbindable".as_slice()),
        fstype: text(dash + 1)?,
        super_options: text(dash + 3).unwrap_or_default(),
        line: number,
        file: false,
    })
}

/// The mount that a path lies on: the last one that holds it, as later ones cover.
pub(in crate::explain) fn covering<'a>(mounts: &'a [MountEntry], path: &str) -> Option<&'a MountEntry> {
    let depth = |mount: &MountEntry| mount.point.trim_end_matches('/').len();
    let holding = mounts.iter().filter(|mount| mount.holds(path));
    // Of two at one place the one that stands on the other.
    holding.max_by_key(|mount| {
        (
            depth(mount),
            mounts.iter().any(|other| other.id == mount.parent && other.point == mount.point),
            mount.line,
        )
    })
}

/// Without those that were mounted over the root, and on them: who stayed below is led to
/// none of them.
pub(in crate::explain) fn below_covers(mounts: &[MountEntry], root: Option<u64>) -> Vec<&MountEntry> {
    let mut over: Vec<u64> = Vec::new();
    let mut below = Vec::new();
    for mount in mounts {
        let covers = mount.point == "/" && Some(mount.parent) == root && mount.id != mount.parent;
        if covers || over.contains(&mount.parent) {
            over.push(mount.id);
        } else {
            below.push(mount);
        }
    }
    below
}

/// The mount that a path leads to from the root on, by the way the tree is built: which mount
/// stands on which.
pub(in crate::explain) fn resolved<'a>(
    mounts: &'a [MountEntry],
    root: u64,
    path: &str,
) -> Option<&'a MountEntry> {
    let mut at = root;
    let mut found = mounts.iter().find(|mount| mount.id == root);
    // Each step goes to a mount that was not there before.
    for _ in 0..=mounts.len() {
        let below = found.map_or("/", |mount| mount.point.as_str()).trim_end_matches('/').len();
        let next = mounts
            .iter()
            // What was mounted over the root afterwards is not crossed.
            .filter(|mount| mount.parent == at && mount.id != at && mount.point != "/" && mount.holds(path))
            .filter(|mount| mount.point.trim_end_matches('/').len() >= below)
            .min_by_key(|mount| mount.point.len());
        match next {
            Some(mount) => {
                at = mount.id;
                found = Some(mount);
            }
            None => break,
        }
    }
    found
}
