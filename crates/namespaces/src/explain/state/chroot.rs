//! Whether the caller's root is that of its mount namespace: the kernel's
//! `current_chrooted`.

use super::mounts::{MountEntry, parse};
use crate::explain::Evidence;
use crate::explain::Machine;

/// What is known about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::explain) enum Chroot {
    /// It is not, and this shows it.
    Yes(Evidence),
    /// Another process has the same root and sees nothing above it.
    No,
    /// Nobody is there to compare with.
    Unknown,
}

impl Chroot {
    pub(super) fn find(machine: &Machine, own: &[MountEntry], parent: i32) -> Chroot {
        if own.is_empty() && machine.read("/proc/self/mountinfo").is_err() {
            return Chroot::Unknown;
        }
        // Of mounts stacked on the root the topmost counts, which is the last.
        let Some(root) = own.iter().rev().find(|mount| mount.point == "/") else {
            let says = "has no mount on /: the root of this process is not the root of a mount";
            return Chroot::Yes(Evidence::file("/proc/self/mountinfo", says));
        };
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
                compared = true;
            }
        }
        if compared { Chroot::No } else { Chroot::Unknown }
    }
}

impl Chroot {
    pub(in crate::explain) fn is_yes(&self) -> bool {
        matches!(self, Chroot::Yes(_))
    }
}
