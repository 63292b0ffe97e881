//! Peer groups and masters: who gets a copy of what is mounted where (`fs/pnode.c`).
//!
//! `mount_namespaces(7)`, "Shared subtrees".

use super::{MNT_UNBINDABLE, Mount};
use crate::Kernel;
use crate::arena::Idx;
use alloc::vec::Vec;

/// The four propagation types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Propagation {
    Shared,
    Private,
    Slave,
    Unbindable,
}

impl Kernel {
    /// The peers of a mount, itself first.
    pub(super) fn peers(&self, mnt: Idx<Mount>) -> Vec<Idx<Mount>> {
        let mut all = alloc::vec![mnt];
        let mut at = self.mounts[mnt].next_peer;
        while at != mnt {
            all.push(at);
            at = self.mounts[at].next_peer;
        }
        all
    }

    pub(crate) fn slaves(&self, mnt: Idx<Mount>) -> Vec<Idx<Mount>> {
        core::iter::successors(self.mounts[mnt].first_slave, |slave| self.mounts[*slave].next_slave).collect()
    }

    /// The copies of a propagation that goes on: in no namespace yet.
    pub(super) fn is_new(&self, mnt: Idx<Mount>) -> bool {
        self.mounts[mnt].ns.is_none()
    }

    /// The next one that receives what is mounted on `origin`.
    pub(super) fn propagation_next(&self, mut mnt: Idx<Mount>, origin: Idx<Mount>) -> Option<Idx<Mount>> {
        if !self.is_new(mnt)
            && let Some(slave) = self.mounts[mnt].first_slave
        {
            return Some(slave);
        }
        let end = self.mounts[origin].master;
        loop {
            let Mount { master, next_peer, next_slave, .. } = self.mounts[mnt];
            if master == end {
                return Some(next_peer).filter(|next| *next != origin);
            }
            if next_slave.is_some() {
                return next_slave;
            }
            mnt = master?;
        }
    }

    /// Everybody who receives what is mounted on `mnt`, besides itself.
    pub(super) fn receivers(&self, mnt: Idx<Mount>) -> impl Iterator<Item = Idx<Mount>> {
        let next = move |at: &Idx<Mount>| self.propagation_next(*at, mnt);
        core::iter::successors(next(&mnt), next)
    }

    /// The first of the next peer group below `origin`. Peers are neighbours among the
    /// slaves of their master.
    pub(super) fn next_group(&self, mut mnt: Idx<Mount>, origin: Idx<Mount>) -> Option<Idx<Mount>> {
        let top = self.mounts[origin].group;
        loop {
            loop {
                let Mount { group, next_peer, next_slave, first_slave, .. } = self.mounts[mnt];
                if !self.is_new(mnt) && first_slave.is_some() {
                    return first_slave;
                }
                if group == top {
                    if next_peer == origin {
                        return None;
                    }
                } else if next_slave != Some(next_peer) {
                    break;
                }
                mnt = next_peer;
            }
            // The last of its group.
            loop {
                let Mount { master: Some(master), next_slave, .. } = self.mounts[mnt] else {
                    return None;
                };
                if next_slave.is_some() {
                    return next_slave;
                }
                let Mount { next_peer, next_slave, group, .. } = self.mounts[master];
                mnt = next_peer;
                if group == top || next_slave == Some(mnt) {
                    break;
                }
                mnt = master;
            }
            if mnt == origin {
                return None;
            }
        }
    }

    /// Whether two mounts are in one peer group.
    pub(super) fn are_peers(&self, one: Idx<Mount>, other: Idx<Mount>) -> bool {
        self.mounts[one].shared() && self.mounts[one].group == self.mounts[other].group
    }

    pub(crate) fn join_peers(&mut self, mnt: Idx<Mount>, of: Idx<Mount>) {
        let next = self.mounts[of].next_peer;
        self.mounts[mnt].group = self.mounts[of].group;
        self.mounts[mnt].prev_peer = of;
        self.mounts[mnt].next_peer = next;
        self.mounts[of].next_peer = mnt;
        self.mounts[next].prev_peer = mnt;
    }

    pub(crate) fn add_slave(&mut self, slave: Idx<Mount>, master: Idx<Mount>) {
        let next = self.mounts[master].first_slave.replace(slave);
        self.link_slave(slave, master, None, next);
    }

    /// Makes a mount a slave of what `peer` is a slave of, next to it.
    pub(crate) fn add_slave_behind(&mut self, slave: Idx<Mount>, peer: Idx<Mount>) {
        if let Some(master) = self.mounts[peer].master {
            let next = self.mounts[peer].next_slave.replace(slave);
            self.link_slave(slave, master, Some(peer), next);
        }
    }

    fn link_slave(
        &mut self,
        slave: Idx<Mount>,
        master: Idx<Mount>,
        prev: Option<Idx<Mount>>,
        next: Option<Idx<Mount>>,
    ) {
        let mount = &mut self.mounts[slave];
        mount.master = Some(master);
        mount.prev_slave = prev;
        mount.next_slave = next;
        if let Some(next) = next {
            self.mounts[next].prev_slave = Some(slave);
        }
    }

    fn drop_master(&mut self, slave: Idx<Mount>) {
        let Some(master) = self.mounts[slave].master.take() else {
            return;
        };
        let next = self.mounts[slave].next_slave.take();
        let prev = self.mounts[slave].prev_slave.take();
        match prev {
            Some(prev) => self.mounts[prev].next_slave = next,
            None => self.mounts[master].first_slave = next,
        }
        if let Some(next) = next {
            self.mounts[next].prev_slave = prev;
        }
    }

    fn leave_peers(&mut self, mnt: Idx<Mount>) {
        let (prev, next) = (self.mounts[mnt].prev_peer, self.mounts[mnt].next_peer);
        self.mounts[prev].next_peer = next;
        self.mounts[next].prev_peer = prev;
        self.mounts[mnt].prev_peer = mnt;
        self.mounts[mnt].next_peer = mnt;
        self.mounts[mnt].group = 0;
    }

    /// Leaves the peer group. Slaves go to a remaining peer, or to the own master.
    fn leave_group(&mut self, mnt: Idx<Mount>) -> Option<Idx<Mount>> {
        let Mount { master, next_peer, .. } = self.mounts[mnt];
        let heir = if next_peer == mnt { master } else { Some(next_peer) };
        self.leave_peers(mnt);
        self.transfer_propagation(mnt, heir);
        heir
    }

    /// Slaves get another master, in the order they have.
    fn transfer_propagation(&mut self, mnt: Idx<Mount>, to: Option<Idx<Mount>>) {
        for slave in self.slaves(mnt).into_iter().rev() {
            self.drop_master(slave);
            if let Some(to) = to {
                self.add_slave(slave, to);
            }
        }
    }

    pub(crate) fn make_shared(&mut self, mnt: Idx<Mount>) {
        self.invent_group_id(mnt);
        self.mounts[mnt].flags &= !MNT_UNBINDABLE;
    }

    /// Returns whether it had no group before.
    pub(super) fn invent_group_id(&mut self, mnt: Idx<Mount>) -> bool {
        let alone = !self.mounts[mnt].shared();
        if alone {
            self.next_group += 1;
            self.mounts[mnt].group = self.next_group;
        }
        alone
    }

    pub(crate) fn change_mnt_propagation(&mut self, mnt: Idx<Mount>, to: Propagation) {
        if to == Propagation::Shared {
            self.make_shared(mnt);
            return;
        }
        let Mount { master, group, .. } = self.mounts[mnt];
        let heir = if group == 0 { master } else { self.leave_group(mnt) };
        self.drop_master(mnt);
        let flags = &mut self.mounts[mnt].flags;
        match to {
            // The former peers are the masters now. What is unbindable stays so.
            Propagation::Slave => {
                if let Some(heir) = heir {
                    self.add_slave(mnt, heir);
                }
            }
            Propagation::Unbindable => *flags |= MNT_UNBINDABLE,
            Propagation::Private => *flags &= !MNT_UNBINDABLE,
            Propagation::Shared => {}
        }
    }
}
