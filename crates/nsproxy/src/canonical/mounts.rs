//! Mounts, whether attached or not, and the filesystems they show.

use super::View;
use crate::arena::Idx;
use crate::mount::{Dentry, MntIdmap, Mount, SuperBlock};
use crate::ns_common::NsRef;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

impl View<'_> {
    /// Every mount, oldest first, then every filesystem in the order in which they show it.
    pub(super) fn all_mounts(&mut self) {
        let mut mounts: Vec<(usize, Idx<Mount>)> =
            self.mounts.iter().map(|(mnt, age)| (*age, *mnt)).collect();
        mounts.sort_unstable();
        let mut supers = Vec::new();
        for (age, mnt) in mounts {
            let sb = self.kernel.mounts[mnt].sb;
            if !supers.contains(&sb) {
                supers.push(sb);
            }
            self.one_mount(age, mnt);
        }
        for sb in supers {
            self.super_block(sb);
        }
    }

    fn one_mount(&mut self, age: usize, idx: Idx<Mount>) {
        let kernel = self.kernel;
        let Mount {
            // Roots, directories and files, which show that they are in it.
            count: _,
            ns,
            parent,
            mountpoint,
            root,
            sb,
            // Shown as lists; the order of submounts is the one they are copied in.
            first_child: _,
            next_child: _,
            prev_child: _,
            flags,
            // The order of these lines.
            id: _,
            group,
            next_peer,
            prev_peer: _,
            master,
            first_slave: _,
            next_slave: _,
            prev_slave: _,
            idmap,
        } = kernel.mounts[idx];
        let ns = ns.map(|ns| self.ns(NsRef::Mnt(ns)));
        let parent = parent.and_then(|parent| self.mounts.get(&parent).copied());
        let at = parent.map(|_| self.file_name(mountpoint));
        let root = self.file_name(root);
        let sb = self.meet("super", sb.raw());
        let children: Vec<usize> = kernel.submounts(idx).map(|child| self.mount(child)).collect();
        let shared = (group != 0).then(|| self.mount(next_peer));
        let master = master.map(|master| self.mount(master));
        let slaves: Vec<usize> = kernel.slaves(idx).into_iter().map(|slave| self.mount(slave)).collect();
        let idmap = idmap.map(|idmap| {
            let MntIdmap { count: _, uid_map, gid_map } = &kernel.idmaps[idmap];
            (uid_map.extents(), gid_map.extents())
        });
        self.say(&format!(
            "mount{age} in {ns:?} on {parent:?} at {at:?} shows super{sb} {root:?} flags {flags:x} children {children:?} peer {shared:?} master {master:?} slaves {slaves:?} {idmap:?}"
        ));
    }

    fn super_block(&mut self, idx: Idx<SuperBlock>) {
        let SuperBlock {
            // The mounts that show it.
            count: _,
            fstype,
            user_ns,
            root,
            readonly,
            pid_ns,
            subset_pid,
            shown,
        } = self.kernel.supers[idx];
        let name = self.meet("super", idx.raw());
        let pid_ns = pid_ns.map(|ns| self.ns(NsRef::Pid(ns)));
        let shown = self.ns_if_alive(shown);
        self.say(&format!(
            "super{name} {fstype:?} of {} readonly {readonly} shows {pid_ns:?} {subset_pid} {shown:?}",
            self.ns(NsRef::User(user_ns)),
        ));
        let mut todo = alloc::vec![root];
        while let Some(at) = todo.pop() {
            todo.extend(self.dentry(at));
        }
    }

    /// Returns what is in it, the last name first: files are found by name only.
    fn dentry(&mut self, idx: Idx<Dentry>) -> Vec<Idx<Dentry>> {
        let Dentry {
            // Both are in the full name.
            parent: _,
            name: _,
            dir,
            uid,
            gid,
            children,
            always_empty,
            ns,
        } = &self.kernel.dentries[idx];
        let ns = ns.map(|ns| self.ns(ns));
        let name = self.file_name(idx);
        self.say(&format!(
            " {name:?} directory {dir} of {uid} {gid} always empty {always_empty} stands for {ns:?}"
        ));
        let mut children = children.clone();
        children.sort_by_key(|child| core::cmp::Reverse(&self.kernel.dentries[*child].name));
        children
    }

    /// The name of a file from the root of its filesystem.
    pub(super) fn file_name(&self, dentry: Idx<Dentry>) -> String {
        let dentries = &self.kernel.dentries;
        let names: Vec<&str> = core::iter::successors(Some(dentry), |at| dentries[*at].parent)
            .map(|at| &*dentries[at].name)
            .collect();
        names.into_iter().rev().collect::<Vec<&str>>().join("/")
    }
}
