//! What `/proc/PID/mountinfo` says (`fs/proc_namespace.c`).

use super::{
    Dentry, FsType, MNT_NOATIME, MNT_NODEV, MNT_NODIRATIME, MNT_NOEXEC, MNT_NOSUID, MNT_READONLY,
    MNT_RELATIME, MNT_UNBINDABLE, Mount, Path,
};
use crate::Kernel;
use crate::arena::Idx;
use crate::rule::{Denial, Rule};
use crate::task::TaskId;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// One line of mountinfo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountLine {
    /// The mount's number.
    pub id: u64,
    /// The number of the mount it stands on.
    pub parent: u64,
    /// What of the filesystem it shows.
    pub root: String,
    /// Where, as seen from the task's root.
    pub mountpoint: String,
    /// `rw,nosuid,relatime` and so on.
    pub options: String,
    /// `shared:N`, `master:N`, `unbindable`.
    pub propagation: Vec<String>,
    /// Type of the filesystem.
    pub fstype: &'static str,
    /// Which filesystem it is: the same number for the same one, until it is unmounted.
    pub device: u32,
    /// Whether the filesystem itself may not be written to, through whichever mount.
    pub super_readonly: bool,
}

impl fmt::Display for MountLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, parent, root, mountpoint, options, propagation, fstype, super_readonly, .. } = self;
        write!(f, "{id} {parent} {root} {mountpoint} {options}")?;
        for tag in propagation {
            write!(f, " {tag}")?;
        }
        write!(f, " - {fstype} {}", if *super_readonly { "ro" } else { "rw" })
    }
}

impl Kernel {
    /// `/proc/PID/mountinfo`: the mounts of the task's namespace that its root can
    /// reach, oldest first.
    pub fn mountinfo(&self, task: TaskId) -> Result<Vec<MountLine>, Denial> {
        let task = self.observe(task)?;
        let gone = self.params.denial(Rule::LinkGone);
        let ns = self.nsproxy_of(task).ok_or(gone)?.mnt;
        let root = self.fss[self.tasks[task].fs.ok_or(gone)?].root;
        let mut lines: Vec<MountLine> = self
            .mount_tree(self.mnt_ns[ns].root)
            .into_iter()
            .filter_map(|mnt| self.mount_line(mnt, root))
            .collect();
        lines.sort_by_key(|line| line.id);
        Ok(lines)
    }

    pub(super) fn mount_line(&self, mnt: Idx<Mount>, root: Path) -> Option<MountLine> {
        let mount = &self.mounts[mnt];
        let top = Path { mnt, dentry: mount.root };
        let mountpoint = self.path_from(top, root)?;
        let parent = mount.parent.map_or(mount.id, |parent| self.mounts[parent].id);
        let sb = &self.supers[mount.sb];
        let root = match self.dentries[mount.root].ns {
            Some(ns) => alloc::format!("{}:[{}]", ns.kind(), self.common(ns).inum),
            None => self.dentry_path(mount.root),
        };
        Some(MountLine {
            id: mount.id,
            parent,
            root,
            mountpoint,
            options: mount_options(mount),
            propagation: self.propagation_tags(mount),
            fstype: match sb.fstype {
                FsType::Rootfs if self.params.since(7, 0) => "nullfs",
                fstype => fstype.name(),
            },
            device: if sb.fstype == FsType::Nsfs { 0 } else { mount.sb.raw() + 1 },
            super_readonly: sb.readonly,
        })
    }

    fn propagation_tags(&self, mount: &Mount) -> Vec<String> {
        let mut tags = Vec::new();
        if mount.shared() {
            tags.push(alloc::format!("shared:{}", mount.group));
        }
        if let Some(master) = mount.master {
            tags.push(alloc::format!("master:{}", self.mounts[master].group));
        }
        if mount.has(MNT_UNBINDABLE) {
            tags.push(String::from("unbindable"));
        }
        tags
    }

    /// The path inside its filesystem.
    fn dentry_path(&self, dentry: Idx<Dentry>) -> String {
        let mut names: Vec<&str> = Vec::new();
        let mut at = Some(dentry);
        while let Some(dentry) = at {
            let Dentry { parent, name, .. } = &self.dentries[dentry];
            if parent.is_some() {
                names.push(name);
            }
            at = *parent;
        }
        join_reversed(&names)
    }

    /// A path as seen from `root`; `None` where it cannot be reached from there.
    pub(super) fn path_from(&self, mut at: Path, root: Path) -> Option<String> {
        let mut names: Vec<&str> = Vec::new();
        while at != root {
            let mount = &self.mounts[at.mnt];
            if at.dentry == mount.root {
                at = Path { mnt: mount.parent?, dentry: mount.mountpoint };
                continue;
            }
            let Dentry { parent, name, .. } = &self.dentries[at.dentry];
            names.push(name);
            at.dentry = (*parent)?;
        }
        Some(join_reversed(&names))
    }

    /// The working directory as the task sees it; `None` when its root does not reach it.
    pub fn getcwd(&self, task: TaskId) -> Result<Option<String>, Denial> {
        let task = self.observe(task)?;
        let gone = self.params.denial(Rule::LinkGone);
        let fs = self.fss[self.tasks[task].fs.ok_or(gone)?];
        Ok(self.path_from(fs.pwd, fs.root))
    }
}

fn join_reversed(names: &[&str]) -> String {
    let mut path = String::new();
    for name in names.iter().rev() {
        path.push('/');
        path.push_str(name);
    }
    if path.is_empty() {
        path.push('/');
    }
    path
}

fn mount_options(mount: &Mount) -> String {
    let flags = mount.flags;
    let mut options = String::from(if flags & MNT_READONLY != 0 { "ro" } else { "rw" });
    let names = [
        (MNT_NOSUID, "nosuid"),
        (MNT_NODEV, "nodev"),
        (MNT_NOEXEC, "noexec"),
        (MNT_NOATIME, "noatime"),
        (MNT_NODIRATIME, "nodiratime"),
        (MNT_RELATIME, "relatime"),
    ];
    for (flag, name) in names {
        if flags & flag != 0 {
            options.push(',');
            options.push_str(name);
        }
    }
    if mount.idmap.is_some() {
        options.push_str(",idmapped");
    }
    options
}
