//! What mounts and their ends do elsewhere: copies for all who receive them, and copies
//! that go with what they are copies of (`fs/pnode.c`).
//!
//! `mount_namespaces(7)`, "Shared subtrees".

use super::attach::{CopyFlags, Pending};
use super::{MNT_LOCKED, MNT_UMOUNT, Mount, Path, T_MARKED, T_UMOUNT_CANDIDATE};
use crate::Kernel;
use crate::arena::Idx;
use crate::rule::{Denial, Rule};
use alloc::vec::Vec;

impl Kernel {
    /// Copies of `source` for every receiver of the place, one peer group after the other.
    /// They know where they belong, but are not attached there.
    ///
    /// `mount_namespaces(7)`: copies on peers are peers, copies on slaves are slaves.
    pub(super) fn propagate_mnt(
        &mut self,
        at: Path,
        source: Idx<Mount>,
        copies: &mut Vec<Idx<Mount>>,
        pending: &mut Pending,
    ) -> Result<(), Denial> {
        // The masters of all who have got a copy.
        let mut served: Vec<Idx<Mount>> = self.mounts[at.mnt].master.into_iter().collect();
        let mut last = source;
        let mut group = Some(at.mnt);
        while let Some(first) = group {
            // The place itself has its own already.
            let mut slave = first != at.mnt;
            for dest in self.peers(first).into_iter().skip(usize::from(!slave)) {
                if !self.need_secondary(dest, at) {
                    continue;
                }
                if slave {
                    last = self.find_master(dest, last, source, &served);
                }
                let make_shared = !slave || self.mounts[first].shared();
                let how = CopyFlags { slave, make_shared, ..CopyFlags::default() };
                last = self.propagate_one(dest, at, last, how)?;
                copies.push(last);
                served.extend(self.mounts[dest].master);
                if let Some(ns) = self.mounts[dest].ns {
                    self.count_mounts(ns, last, pending)?;
                }
                // The others of the group are its peers.
                slave = false;
            }
            group = self.next_group(first, at.mnt);
        }
        Ok(())
    }

    fn propagate_one(
        &mut self,
        dest: Idx<Mount>,
        at: Path,
        source: Idx<Mount>,
        how: CopyFlags,
    ) -> Result<Idx<Mount>, Denial> {
        let root = self.mounts[source].root;
        // mount_namespaces(7): a mount namespace's file has no copies.
        self.refuse_if(self.is_mnt_ns_file(root), Rule::PropagateNsFile)?;
        let copy = self.copy_tree(source, root, how)?[0].1;
        self.set_mountpoint(copy, dest, at.dentry);
        Ok(copy)
    }

    /// Whether a mount gets a copy: one that shows the directory and is part of a
    /// namespace, and not of one that holds a detached tree.
    fn need_secondary(&self, mnt: Idx<Mount>, at: Path) -> bool {
        let Mount { root, ns, .. } = self.mounts[mnt];
        ns.is_some_and(|ns| !self.mnt_ns[ns].anon) && self.is_subdir(at.dentry, root)
    }

    /// Which of the copies made so far the first one of the group of `mnt` is a slave of.
    fn find_master(
        &self,
        mut mnt: Idx<Mount>,
        mut last: Idx<Mount>,
        original: Idx<Mount>,
        served: &[Idx<Mount>],
    ) -> Idx<Mount> {
        // Up to where something with the same master has a copy.
        let master = loop {
            match self.mounts[mnt].master {
                Some(master) if !served.contains(&master) => mnt = master,
                master => break master,
            }
        };
        while !self.are_peers(last, original) {
            let Mount { parent: Some(parent), master: Some(above), .. } = self.mounts[last] else {
                break;
            };
            if self.mounts[parent].master == master {
                if !self.are_peers(parent, mnt) {
                    last = above;
                }
                break;
            }
            last = above;
        }
        last
    }

    /// What covers a mount.
    fn overmount(&self, mnt: Idx<Mount>) -> Option<Idx<Mount>> {
        self.lookup_mnt(Path { mnt, dentry: self.mounts[mnt].root })
    }

    /// The mount that `mnt` would be on another one.
    fn counterpart(&self, mnt: Idx<Mount>, elsewhere: Idx<Mount>) -> Option<Idx<Mount>> {
        self.lookup_mnt(Path { mnt: elsewhere, dentry: self.mounts[mnt].mountpoint })
    }

    /// Whether a mount or a copy of it is in use, so that umount without force fails.
    pub(super) fn propagate_mount_busy(&self, mnt: Idx<Mount>) -> bool {
        let Mount { count, parent, first_child, .. } = self.mounts[mnt];
        if count > 0 || first_child.is_some() {
            return true;
        }
        let Some(parent) = parent else { return false };
        self.receivers(parent).filter_map(|receiver| self.counterpart(mnt, receiver)).any(|copy| {
            // One that covers the copy altogether is no obstacle; with any other the copy stays.
            let cover = self.overmount(copy);
            let goes = self.submounts(copy).all(|child| Some(child) == cover);
            goes && self.mounts[copy].count > 0
        })
    }

    /// Copies of what may be unmounted may be unmounted too.
    pub(super) fn propagate_mount_unlock(&mut self, mnt: Idx<Mount>) {
        let Some(parent) = self.mounts[mnt].parent else { return };
        let copies: Vec<Idx<Mount>> =
            self.receivers(parent).filter_map(|receiver| self.counterpart(mnt, receiver)).collect();
        for copy in copies {
            self.mounts[copy].flags &= !MNT_LOCKED;
        }
    }

    /// Adds to the mounts that go, parents first, those that go with them.
    ///
    /// `propagate_umount.txt` of the kernel: none that has something else mounted
    /// on it, and no locked one without what it is locked to.
    pub(super) fn propagate_umount(&mut self, set: &mut Vec<Idx<Mount>>) {
        let candidates = self.gather_candidates(set);
        let mut more = Vec::new();
        for mnt in &candidates {
            self.trim_one(*mnt, &mut more);
        }
        for mnt in candidates {
            self.handle_locked(mnt, &mut more);
        }
        for mnt in &more {
            if let Some(cover) = self.overmount(*mnt).filter(|cover| !self.mounts[*cover].has(MNT_UMOUNT)) {
                self.reparent(cover);
            }
        }
        set.extend(more);
    }

    /// The copies of all that go, children first.
    fn gather_candidates(&mut self, set: &[Idx<Mount>]) -> Vec<Idx<Mount>> {
        let mut found = Vec::new();
        for mnt in set {
            let Some(parent) = self.mounts[*mnt].parent else { continue };
            let mut receiver = self.receivers(parent).next();
            while let Some(at) = receiver {
                if let Some(copy) = self.counterpart(*mnt, at)
                    && self.mounts[copy].flags & (MNT_UMOUNT | T_UMOUNT_CANDIDATE) == 0
                {
                    self.mounts[copy].flags |= T_UMOUNT_CANDIDATE;
                    found.push(copy);
                }
                receiver = self.propagation_next(at, parent);
            }
        }
        found.reverse();
        found
    }

    fn drop_candidate(&mut self, mnt: Idx<Mount>) {
        self.mounts[mnt].flags &= !(T_UMOUNT_CANDIDATE | T_MARKED);
    }

    fn umount_one(&mut self, mnt: Idx<Mount>, more: &mut Vec<Idx<Mount>>) {
        self.mounts[mnt].flags |= MNT_UMOUNT;
        more.push(mnt);
    }

    /// What is mounted on a mount and has not been told to go.
    fn remaining(&self, mnt: Idx<Mount>) -> impl Iterator<Item = Idx<Mount>> {
        self.submounts(mnt).filter(|child| !self.mounts[*child].has(MNT_UMOUNT))
    }

    /// Leaves out what cannot go because of what is mounted on it; tells to go what
    /// nothing holds.
    fn trim_one(&mut self, mnt: Idx<Mount>, more: &mut Vec<Idx<Mount>>) {
        let Mount { root, flags, .. } = self.mounts[mnt];
        if flags & T_UMOUNT_CANDIDATE == 0 {
            self.drop_candidate(mnt);
            return;
        }
        let stay = |child: &Idx<Mount>| !self.mounts[*child].has(T_UMOUNT_CANDIDATE);
        let staying = self.remaining(mnt).any(|child| stay(&child));
        let in_the_way =
            self.remaining(mnt).any(|child| stay(&child) && self.mounts[child].mountpoint != root);
        let free = flags & MNT_LOCKED == 0 && self.remaining(mnt).next().is_none();
        if staying {
            self.trim_ancestors(mnt);
        }
        if in_the_way || free {
            self.drop_candidate(mnt);
        }
        if free {
            self.umount_one(mnt, more);
        }
    }

    /// Something on `mnt` stays. So do all below it that are not merely covered.
    fn trim_ancestors(&mut self, mut mnt: Idx<Mount>) {
        while let Mount { parent: Some(parent), mountpoint, flags, .. } = self.mounts[mnt]
            && self.mounts[parent].has(T_UMOUNT_CANDIDATE)
            && flags & T_MARKED == 0
        {
            self.mounts[mnt].flags |= T_MARKED;
            if mountpoint != self.mounts[parent].root {
                self.mounts[parent].flags &= !T_UMOUNT_CANDIDATE;
            }
            mnt = parent;
        }
    }

    /// Of a chain of candidates all go up to the first that is locked to one that stays.
    fn handle_locked(&mut self, mnt: Idx<Mount>, more: &mut Vec<Idx<Mount>>) {
        // The root of a tree is its own parent.
        let parent = |kernel: &Self, mnt: Idx<Mount>| kernel.mounts[mnt].parent.unwrap_or(mnt);
        let (mut cutoff, mut at) = (mnt, mnt);
        while self.mounts[at].has(T_UMOUNT_CANDIDATE) {
            self.drop_candidate(at);
            let locked = self.mounts[at].has(MNT_LOCKED);
            at = parent(self, at);
            if !locked {
                cutoff = at;
            }
        }
        if at == mnt {
            self.drop_candidate(mnt);
            return;
        }
        if self.mounts[at].has(MNT_UMOUNT) {
            cutoff = at;
        }
        at = mnt;
        while at != cutoff {
            self.umount_one(at, more);
            at = parent(self, at);
        }
    }

    /// What covers a stack that goes, and does not go itself, covers what the stack did.
    fn reparent(&mut self, cover: Idx<Mount>) {
        let mut at = cover;
        while let Mount { parent: Some(parent), mountpoint, .. } = self.mounts[at] {
            if !self.mounts[parent].has(MNT_UMOUNT) {
                self.unhook_mount(cover);
                self.hook_mount(cover, parent, mountpoint);
                return;
            }
            at = parent;
        }
    }
}
