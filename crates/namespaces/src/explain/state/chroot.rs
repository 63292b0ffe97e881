//! Whether the caller's root is that of its mount namespace: the kernel's
//! `current_chrooted`.

use super::mounts::{MountEntry, mountinfo, parse};
use crate::explain::Evidence;
use crate::explain::Machine;

/// What is known about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::explain) enum Chroot {
    /// It is not, and this shows it.
    Yes(Evidence),
    /// Another process has the same root and sees nothing above it.
    No,
    /// It may be: its root mount does not stand on the first of the mount namespace.
    Likely(Evidence),
    /// Nobody is there to compare with.
    Unknown,
}

impl Chroot {
    pub(super) fn find(machine: &Machine<'_>, own: &[MountEntry], parent: i32) -> Chroot {
        if own.is_empty() && mountinfo(machine).is_err() {
            return Chroot::Unknown;
        }
        let own_root = machine.eyes().mount_of("/").ok().map(|(mount, _)| mount);
        if let Some(over) = own.iter().find(|mount| mount.point == "/" && Some(mount.parent) == own_root) {
            let says = "is mounted over the root of this process, which stayed below it";
            return Chroot::Yes(Evidence::file(format!("/proc/self/mountinfo:{}", over.line), says));
        }
        // Of mounts stacked on the root the topmost counts, which is the last.
        let Some(root) = own.iter().rev().find(|mount| mount.point == "/") else {
            let says = "has no mount on /: the root of this process is not the root of a mount";
            return Chroot::Yes(Evidence::file("/proc/self/mountinfo", says));
        };
        // Who is at the root of the namespace sees all of its mounts, but the first.
        let lines = u32::try_from(own.len()).unwrap_or(u32::MAX);
        let whole = machine.eyes().mounts().map(|mounts| mounts == lines);
        if whole == Ok(true) {
            return Chroot::No;
        }
        let mut compared = false;
        for pid in [1, parent] {
            let path = format!("/proc/{pid}/mountinfo");
            let Ok(text) = machine.read(&path) else { continue };
            for mount in parse(&text) {
                if mount.id != root.id {
                    continue;
                }
                if mount.point != "/" {
                    let says = format!(
                        "shows the root of this process, mount {}, on {} of the same mount namespace",
                        root.id, mount.point
                    );
                    return Chroot::Yes(Evidence::file(path, says));
                }
                compared |= pid == 1 && is_first_mnt(machine);
            }
        }
        match high_above(machine) {
            // Process 1 could be in the same chroot; a root of the first mount namespace
            // that it shares is none.
            Chroot::Unknown if compared => Chroot::No,
            Chroot::Unknown if whole == Ok(false) => {
                let says = format!(
                    "counts more mounts than the {lines} that are seen from the root of this process"
                );
                Chroot::Likely(Evidence::call("NS_MNT_GET_INFO", says))
            }
            found => found,
        }
    }
}

/// Whether this is the mount namespace that the system came up in.
fn is_first_mnt(machine: &Machine<'_>) -> bool {
    // Fixed since Linux 6.17, and the usual number before.
    let first = ["mnt:[4026531832]", "mnt:[4026531840]", "mnt:[4026531841]"];
    let link = machine.eyes().read_link("/proc/thread-self/ns/mnt");
    link.is_ok_and(|link| first.contains(&link.as_str()))
}

/// How many mounts lie between the root and the first mount of the namespace. Commonly
/// none; in a chroot at least those that hold it.
fn high_above(machine: &Machine<'_>) -> Chroot {
    match machine.eyes().mounts_below_root() {
        Err(_) => Chroot::Unknown,
        Ok(0 | 1) => Chroot::No,
        Ok(depth) => {
            let says =
                format!("finds {} mounts between the root and the first mount of the namespace", depth - 1);
            Chroot::Likely(Evidence::call("statmount(2)", says))
        }
    }
}

impl Chroot {
    pub(in crate::explain) fn is_yes(&self) -> bool {
        matches!(self, Chroot::Yes(_))
    }
}
