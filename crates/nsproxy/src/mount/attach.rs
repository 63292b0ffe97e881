//! Copying, attaching and taking down trees of mounts (`fs/namespace.c`).

use super::pnode::Propagation;
use super::{
    Dentry, LOCK_SHIFT, MNT_EXPIRED, MNT_LOCK_ATIME, MNT_LOCKABLE, MNT_LOCKED, MNT_UMOUNT, MNT_UNBINDABLE,
    MntNamespace, Mount, Path,
};
use crate::Kernel;
use crate::arena::Idx;
use crate::ns_common::NsRef;
use crate::rule::{Denial, Rule};
use crate::user_namespace::UserNamespace;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// How many mounts are about to come to each namespace.
pub(super) type Pending = BTreeMap<Idx<MntNamespace>, usize>;

/// A mount and its copy.
pub(crate) type Pair = (Idx<Mount>, Idx<Mount>);

/// How a tree is copied.
#[allow(clippy::struct_excessive_bools)] // Independent switches, named at each use.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CopyFlags {
    /// A copy of a shared mount becomes its slave.
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
pub(crate) const fn locked(flags: u32) -> u32 {
    flags | (flags & MNT_LOCKABLE) << LOCK_SHIFT | MNT_LOCK_ATIME
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
        let (sb, shared) = (self.mounts[old].sb, self.mounts[old].shared());
        let copy = self.new_mount(sb, root, flags);
        if let Some(idmap) = self.mounts[old].idmap {
            self.idmaps[idmap].count += 1;
            self.mounts[copy].idmap = Some(idmap);
        }
        if how.slave && shared {
            self.add_slave(copy, old);
        } else {
            if shared {
                self.join_peers(copy, old);
            }
            self.add_slave_behind(copy, old);
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
    ) -> Result<Vec<Pair>, Denial> {
        let copy = self.clone_mnt(top, dentry, how);
        let mut pairs = core::mem::take(&mut self.copies);
        pairs.push((top, copy));
        // next_mnt: down first, and what was hung up first comes first, as the numbers of
        // the copies tell.
        let mut ahead = core::mem::take(&mut self.ahead);
        ahead.extend(self.submounts(top).map(|child| (child, copy)));
        while let Some((old, parent)) = ahead.pop() {
            let Mount { mountpoint, root, .. } = self.mounts[old];
            if parent == copy && !self.is_subdir(mountpoint, dentry) {
                continue;
            }
            if !how.unbindable && self.mounts[old].has(MNT_UNBINDABLE) {
                // It must not be left out, either: what it covers would come to light.
                let locked = self.mounts[old].has(MNT_LOCKED);
                if let Err(denial) = self.refuse_if(locked, Rule::CopyUnbindableLocked) {
                    self.umount_all(copy);
                    return Err(denial);
                }
                continue;
            }
            if !how.ns_files && self.is_mnt_ns_file(root) {
                continue;
            }
            let twin = self.clone_mnt(old, root, how);
            self.hook_mount(twin, parent, mountpoint);
            if how.lock {
                self.mounts[twin].flags |= MNT_LOCKED;
            }
            pairs.push((old, twin));
            ahead.extend(self.submounts(old).map(|child| (child, twin)));
        }
        self.ahead = ahead;
        Ok(pairs)
    }

    /// Keeps the list, empty, for the next copy of a tree.
    pub(super) fn forget_copies(&mut self, mut pairs: Vec<Pair>) {
        pairs.clear();
        self.copies = pairs;
    }

    /// A plain copy of a tree, the top first: for hosts.
    pub(crate) fn host_copy_mounts(&mut self, top: Idx<Mount>, root: Idx<Dentry>) -> Vec<Idx<Mount>> {
        let how = CopyFlags { unbindable: true, ..CopyFlags::default() };
        let pairs = self.copy_tree(top, root, how).unwrap_or_default();
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

    /// Says where a mount belongs; nobody finds it there yet.
    pub(super) fn set_mountpoint(&mut self, mnt: Idx<Mount>, parent: Idx<Mount>, at: Idx<Dentry>) {
        self.mounts[mnt].parent = Some(parent);
        self.mounts[mnt].mountpoint = at;
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
        let mut pending = Pending::default();
        if !moving && let Some(ns) = self.mounts[at.mnt].ns {
            self.count_mounts(ns, source, &mut pending)?;
        }
        let home = self.mounts[at.mnt].ns.map(|ns| self.ruling_user_ns(NsRef::Mnt(ns)));
        let mut copies = Vec::new();
        if self.mounts[at.mnt].shared() {
            let mut tree = self.mount_tree(source);
            tree.retain(|mnt| self.invent_group_id(*mnt));
            if let Err(denial) = self.propagate_mnt(at, source, &mut copies, &mut pending) {
                for copy in copies {
                    self.mounts[copy].parent = None;
                    self.umount_all(copy);
                }
                for mnt in tree {
                    self.mounts[mnt].group = 0;
                }
                return Err(denial);
            }
            for mnt in self.mount_tree(source) {
                self.mounts[mnt].flags &= !MNT_UNBINDABLE;
            }
        }
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

    /// mount(2) ENOSPC: fs.mount-max, for what is there and what is about to be.
    pub(super) fn count_mounts(
        &self,
        ns: Idx<MntNamespace>,
        top: Idx<Mount>,
        pending: &mut Pending,
    ) -> Result<(), Denial> {
        let more = pending.entry(ns).or_default();
        *more += self.mount_tree(top).len();
        let full = self.mnt_ns[ns].nr_mounts as usize + *more > self.params.mount_max as usize;
        self.refuse_if(full, Rule::MountMax)
    }

    /// A propagated copy: locked when it comes from a foreign namespace, and below
    /// whatever was mounted there before.
    fn attach_copy(&mut self, copy: Idx<Mount>, home: Option<Idx<UserNamespace>>) {
        let Mount { parent: Some(parent), mountpoint, root, ns: None, .. } = self.mounts[copy] else {
            return;
        };
        let there = self.mounts[parent].ns.map(|ns| self.ruling_user_ns(NsRef::Mnt(ns)));
        if there != home {
            self.lock_mnt_tree(copy);
        }
        self.mounts[copy].flags &= !MNT_LOCKED;
        let covered = self.lookup_mnt(Path { mnt: parent, dentry: mountpoint });
        self.hook_mount(copy, parent, mountpoint);
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

    /// Takes a tree out of its namespace, and the copies of it where it was propagated to.
    pub(super) fn umount_tree(&mut self, top: Idx<Mount>, how: Umount) {
        self.propagate_mount_unlock(top);
        let mut tree = self.mount_tree(top);
        for mnt in &tree {
            self.mounts[*mnt].flags |= MNT_UMOUNT;
        }
        self.propagate_umount(&mut tree);
        for mnt in &tree {
            self.change_mnt_propagation(*mnt, Propagation::Private);
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
            self.mounts[*mnt].flags &= !MNT_UMOUNT;
        }
        for mnt in tree {
            self.cleanup_mnt(mnt);
        }
    }
}
