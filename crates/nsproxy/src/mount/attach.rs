//! Copying, attaching and taking down trees of mounts (`fs/namespace.c`).

use super::pnode::Propagation;
use super::{
    Dentry, MNT_EXPIRED, MNT_LOCK_ATIME, MNT_LOCK_NODEV, MNT_LOCK_NOEXEC, MNT_LOCK_NOSUID, MNT_LOCK_READONLY,
    MNT_LOCKED, MNT_NODEV, MNT_NOEXEC, MNT_NOSUID, MNT_READONLY, MNT_UNBINDABLE, Mount, Path,
};
use crate::Kernel;
use crate::arena::Idx;
use crate::rule::{Denial, Rule};
use alloc::vec::Vec;

/// How a tree is copied.
#[allow(clippy::struct_excessive_bools)] // Independent switches, named at each use.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CopyFlags {
    /// A copy of a shared mount becomes its slave.
    pub(super) shared_to_slave: bool,
    /// A copy becomes a slave, whatever the original is.
    pub(super) slave: bool,
    /// A copy becomes shared.
    pub(super) make_shared: bool,
    /// Unbindable mounts are copied too.
    pub(super) unbindable: bool,
    /// Files of mount namespaces are copied too.
    pub(super) ns_files: bool,
    /// The copies are locked together.
    pub(super) lock: bool,
}

/// How a tree is taken down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Umount {
    /// umount(2)
    Sync,
    /// `MNT_DETACH`: the same, and locked submounts stay on what they cover.
    Lazy,
}

/// `mount_namespaces(7)`, "Restrictions on mount namespaces": what a more privileged
/// namespace set up comes as one unit, and its flags stay.
pub(crate) fn locked(mut flags: u32) -> u32 {
    let locks = [
        (MNT_READONLY, MNT_LOCK_READONLY),
        (MNT_NODEV, MNT_LOCK_NODEV),
        (MNT_NOSUID, MNT_LOCK_NOSUID),
        (MNT_NOEXEC, MNT_LOCK_NOEXEC),
    ];
    for (flag, lock) in locks {
        if flags & flag != 0 {
            flags |= lock;
        }
    }
    flags | MNT_LOCK_ATIME
}

impl Kernel {
    /// One mount, copied: flags, filesystem, and the place in peer groups.
    pub(super) fn clone_mnt(&mut self, old: Idx<Mount>, root: Idx<Dentry>, how: CopyFlags) -> Idx<Mount> {
        let mut flags = self.mounts[old].flags & !MNT_EXPIRED;
        // From 6.17 to 7.1 a copy loses "unbindable".
        if self.params.since(6, 17) && !self.params.since(7, 2) {
            flags &= !MNT_UNBINDABLE;
        }
        if how.lock {
            flags = locked(flags);
        }
        let (sb, shared, master) = {
            let old = &self.mounts[old];
            (old.sb, old.shared(), old.master)
        };
        let copy = self.new_mount(sb, root, flags);
        if let Some(idmap) = self.mounts[old].idmap {
            self.idmaps[idmap].count += 1;
            self.mounts[copy].idmap = Some(idmap);
        }
        if how.slave || how.shared_to_slave && shared {
            self.add_slave(copy, old);
        } else {
            if shared {
                self.join_peers(copy, old);
            }
            if let Some(master) = master {
                self.add_slave(copy, master);
            }
        }
        if how.make_shared {
            self.make_shared(copy);
        }
        copy
    }

    /// A mount and what is mounted below `dentry` in it, copied. Returns pairs of
    /// original and copy, the top first.
    pub(super) fn copy_tree(
        &mut self,
        top: Idx<Mount>,
        dentry: Idx<Dentry>,
        how: CopyFlags,
    ) -> Vec<(Idx<Mount>, Idx<Mount>)> {
        let copy = self.clone_mnt(top, dentry, how);
        let mut pairs = Vec::with_capacity(8);
        pairs.push((top, copy));
        let mut next = 0;
        while next < pairs.len() {
            let (old, new) = pairs[next];
            next += 1;
            let mut next_child = self.mounts[old].first_child;
            while let Some(child) = next_child {
                let Mount { mountpoint, root, next_child: after, .. } = self.mounts[child];
                next_child = after;
                let skipped = old == top && !self.is_subdir(mountpoint, dentry)
                    || !how.unbindable && self.mounts[child].has(MNT_UNBINDABLE)
                    || !how.ns_files && self.is_mnt_ns_file(root);
                if !skipped {
                    let twin = self.clone_mnt(child, root, how);
                    self.hook_mount(twin, new, mountpoint);
                    if how.lock {
                        self.mounts[twin].flags |= MNT_LOCKED;
                    }
                    pairs.push((child, twin));
                }
            }
        }
        pairs
    }

    /// A plain copy of a tree, the top first: for hosts.
    pub(crate) fn host_copy_mounts(&mut self, top: Idx<Mount>, root: Idx<Dentry>) -> Vec<Idx<Mount>> {
        let how = CopyFlags { unbindable: true, ..CopyFlags::default() };
        let pairs = self.copy_tree(top, root, how);
        pairs.into_iter().map(|(_, copy)| copy).collect()
    }

    /// Hangs a mount into another, at a directory entry of it.
    pub(crate) fn hook_mount(&mut self, mnt: Idx<Mount>, parent: Idx<Mount>, at: Idx<Dentry>) {
        let next = self.mounts[parent].first_child.replace(mnt);
        if let Some(next) = next {
            self.mounts[next].prev_child = Some(mnt);
        }
        let mount = &mut self.mounts[mnt];
        mount.parent = Some(parent);
        mount.mountpoint = at;
        mount.next_child = next;
        mount.prev_child = None;
    }

    pub(crate) fn unhook_mount(&mut self, mnt: Idx<Mount>) {
        let mount = &mut self.mounts[mnt];
        let Some(parent) = mount.parent.take() else {
            return;
        };
        let (next, prev) = (mount.next_child.take(), mount.prev_child.take());
        match prev {
            Some(prev) => self.mounts[prev].next_child = next,
            None => self.mounts[parent].first_child = next,
        }
        if let Some(next) = next {
            self.mounts[next].prev_child = prev;
        }
    }

    /// Locks a tree: each mount's flags, and all but the top one in their place.
    pub(super) fn lock_mnt_tree(&mut self, top: Idx<Mount>) {
        let mut next = Some(top);
        while let Some(mnt) = next {
            next = self.next_mnt(mnt, top);
            let flags = &mut self.mounts[mnt].flags;
            *flags = locked(*flags);
            if mnt != top {
                *flags |= MNT_LOCKED;
            }
        }
    }

    /// Makes a tree, hooked in already, part of its parent's namespace.
    fn commit_tree(&mut self, top: Idx<Mount>) {
        let parent = self.mounts[top].parent;
        let ns = parent.and_then(|parent| self.mounts[parent].ns);
        for mnt in self.mount_tree(top) {
            if self.mounts[mnt].ns != ns {
                self.mounts[mnt].ns = ns;
                if let Some(ns) = ns {
                    self.mnt_ns[ns].nr_mounts += 1;
                }
            }
        }
    }

    /// Attaches a tree at a place, and copies of it wherever that place propagates to.
    /// `moving` says that the tree is part of the namespace already.
    pub(super) fn attach_recursive_mnt(
        &mut self,
        source: Idx<Mount>,
        at: Path,
        moving: bool,
    ) -> Result<(), Denial> {
        let tree = self.mount_tree(source);
        if !moving && let Some(ns) = self.mounts[at.mnt].ns {
            // mount(2) ENOSPC: fs.mount-max.
            let count = self.mnt_ns[ns].nr_mounts as usize + tree.len();
            let full = count > self.params.mount_max as usize;
            self.refuse_if(full, Rule::MountMax)?;
        }
        let propagates = self.mounts[at.mnt].shared();
        let receivers = self.receivers(at.mnt);
        if propagates {
            // mount_namespaces(7): a mount namespace's file has no copies.
            let ns_file = self.is_mnt_ns_file(self.mounts[source].root) && !receivers.is_empty();
            self.refuse_if(ns_file, Rule::PropagateNsFile)?;
            for mnt in &tree {
                self.make_shared(*mnt);
            }
        }
        let home = self.mounts[at.mnt].ns.map(|ns| self.ruling_user_ns(crate::ns_common::NsRef::Mnt(ns)));
        // Before the tree is in its place: it may be a peer of that place itself.
        let copies = if propagates { self.propagate_mnt(at, source) } else { Vec::new() };
        if moving {
            self.unhook_mount(source);
        }
        self.hook_mount(source, at.mnt, at.dentry);
        self.commit_tree(source);
        for copy in copies {
            self.attach_copy(copy, home);
        }
        Ok(())
    }

    /// A propagated copy: locked when it comes from a foreign namespace, and below
    /// whatever was mounted there before.
    fn attach_copy(&mut self, copy: Idx<Mount>, home: Option<Idx<crate::user_namespace::UserNamespace>>) {
        let Mount { parent: Some(parent), mountpoint, root, .. } = self.mounts[copy] else {
            return;
        };
        let covered = self
            .submounts(parent)
            .find(|child| *child != copy && self.mounts[*child].mountpoint == mountpoint);
        let there = self.mounts[parent].ns.map(|ns| self.ruling_user_ns(crate::ns_common::NsRef::Mnt(ns)));
        if there != home {
            self.lock_mnt_tree(copy);
        }
        self.mounts[copy].flags &= !MNT_LOCKED;
        self.commit_tree(copy);
        if let Some(covered) = covered {
            // On the root of the copy; since 6.16 on what covers that.
            let mut top = Path { mnt: copy, dentry: root };
            if self.params.since(6, 16) {
                top = self.follow_down(top);
            }
            self.unhook_mount(covered);
            self.hook_mount(covered, top.mnt, top.dentry);
        }
    }

    /// Copies of `source` for every receiver of the place, hooked in at each.
    /// `mount_namespaces(7)`: copies on peers are peers, copies on slaves are slaves.
    fn propagate_mnt(&mut self, at: Path, source: Idx<Mount>) -> Vec<Idx<Mount>> {
        let mut copies = Vec::new();
        let mut todo = alloc::vec![(at.mnt, source)];
        let mut done = self.peers(at.mnt);
        while let Some((dest, source)) = todo.pop() {
            let peers = self.peers(dest);
            for peer in &peers {
                if *peer != dest {
                    self.propagate_one(*peer, at.dentry, source, CopyFlags::default(), &mut copies);
                }
            }
            for peer in peers {
                for slave in self.slaves(peer) {
                    if done.contains(&slave) {
                        continue;
                    }
                    // Its peers get theirs from it, also those that are slaves of the same master.
                    done.extend(self.peers(slave));
                    let how = CopyFlags {
                        slave: true,
                        make_shared: self.mounts[slave].shared(),
                        ..CopyFlags::default()
                    };
                    let copy = self.propagate_one(slave, at.dentry, source, how, &mut copies);
                    todo.push((slave, copy.unwrap_or(source)));
                }
            }
        }
        copies
    }

    fn propagate_one(
        &mut self,
        dest: Idx<Mount>,
        dentry: Idx<Dentry>,
        source: Idx<Mount>,
        how: CopyFlags,
        copies: &mut Vec<Idx<Mount>>,
    ) -> Option<Idx<Mount>> {
        // A receiver that does not show the directory gets nothing.
        let visible = self.is_subdir(dentry, self.mounts[dest].root);
        if !visible || self.mounts[dest].ns.is_none() {
            return None;
        }
        let root = self.mounts[source].root;
        let copy = self.copy_tree(source, root, how)[0].1;
        self.hook_mount(copy, dest, dentry);
        copies.push(copy);
        Some(copy)
    }

    /// Where the end of a mount propagates to: the copies that nothing holds in place.
    fn propagate_umount(&self, tree: &[Idx<Mount>]) -> Vec<Idx<Mount>> {
        let mut all = tree.to_vec();
        let mut candidates = Vec::new();
        for mnt in tree {
            let Mount { parent: Some(parent), mountpoint, .. } = self.mounts[*mnt] else {
                continue;
            };
            for receiver in self.receivers(parent) {
                let at = Path { mnt: receiver, dentry: mountpoint };
                candidates.extend(self.lookup_mnt(at).filter(|child| !tree.contains(child)));
            }
        }
        // A copy goes when all that is mounted on it goes, but for what covers it; locked
        // ones only with their parent.
        loop {
            let next = candidates.iter().copied().find(|mnt| {
                let mount = &self.mounts[*mnt];
                let parent_goes =
                    mount.parent.is_some_and(|parent| all.contains(&parent) || candidates.contains(&parent));
                let free = !mount.has(MNT_LOCKED) || parent_goes;
                let root = mount.root;
                let empty = self
                    .submounts(*mnt)
                    .all(|child| all.contains(&child) || self.mounts[child].mountpoint == root);
                !all.contains(mnt) && free && empty
            });
            match next {
                Some(mnt) => all.push(mnt),
                None => break,
            }
        }
        all.split_off(tree.len())
    }

    /// The end of a whole namespace, or of a tree that never got into one: nobody else
    /// is concerned.
    pub(crate) fn umount_all(&mut self, top: Idx<Mount>) {
        let mut at = top;
        loop {
            while let Some(child) = self.mounts[at].first_child {
                at = child;
            }
            let parent = self.mounts[at].parent;
            self.mounts[at].ns = None;
            self.unhook_mount(at);
            self.change_mnt_propagation(at, Propagation::Private);
            self.cleanup_mnt(at);
            match parent {
                Some(parent) if at != top => at = parent,
                _ => return,
            }
        }
    }

    /// What covers a copy that goes, and does not go itself, covers what the copy did.
    fn reparent_cover(&mut self, mnt: Idx<Mount>, going: &[Idx<Mount>]) {
        let root = self.mounts[mnt].root;
        let cover = self.submounts(mnt).find(|child| self.mounts[*child].mountpoint == root);
        let Some(cover) = cover.filter(|cover| !going.contains(cover)) else {
            return;
        };
        let mut at = mnt;
        while let Mount { parent: Some(parent), mountpoint, .. } = self.mounts[at] {
            if !going.contains(&parent) {
                self.unhook_mount(cover);
                self.hook_mount(cover, parent, mountpoint);
                return;
            }
            at = parent;
        }
    }

    /// Takes a tree out of its namespace, and the copies of it where it was propagated to.
    pub(super) fn umount_tree(&mut self, top: Idx<Mount>, how: Umount) {
        let mut tree = self.mount_tree(top);
        let more = self.propagate_umount(&tree);
        tree.extend(&more);
        for mnt in more {
            self.reparent_cover(mnt, &tree);
        }
        for mnt in &tree {
            if let Some(ns) = self.mounts[*mnt].ns.take() {
                self.mnt_ns[ns].nr_mounts -= 1;
            }
        }
        for mnt in &tree {
            let parent = self.mounts[*mnt].parent;
            let parent_mounted = parent.is_none_or(|parent| self.mounts[parent].ns.is_some());
            // Locked submounts go on covering what they covered.
            let stays = how == Umount::Lazy && !parent_mounted && self.mounts[*mnt].has(MNT_LOCKED);
            if !stays {
                self.unhook_mount(*mnt);
            }
            self.change_mnt_propagation(*mnt, Propagation::Private);
        }
        for mnt in tree {
            self.cleanup_mnt(mnt);
        }
    }

    /// Whether a mount or a copy of it is in use, so that umount without force fails.
    pub(super) fn propagate_mount_busy(&self, mnt: Idx<Mount>) -> bool {
        let Mount { count, parent, mountpoint, first_child, .. } = self.mounts[mnt];
        if count > 0 || first_child.is_some() {
            return true;
        }
        let Some(parent) = parent else { return false };
        self.receivers(parent).into_iter().any(|receiver| {
            let at = Path { mnt: receiver, dentry: mountpoint };
            self.lookup_mnt(at).is_some_and(|copy| {
                let copy = &self.mounts[copy];
                copy.first_child.is_none() && copy.count > 0
            })
        })
    }
}
