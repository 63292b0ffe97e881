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
    fn alloc_group(&mut self) -> u32 {
        self.next_group += 1;
        self.next_group
    }

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

    /// Everybody who receives what is mounted on `mnt`, besides itself.
    pub(super) fn receivers(&self, mnt: Idx<Mount>) -> Vec<Idx<Mount>> {
        let mut all = self.peers(mnt);
        let mut next = 0;
        while next < all.len() {
            for slave in self.slaves(all[next]) {
                for peer in self.peers(slave) {
                    if !all.contains(&peer) {
                        all.push(peer);
                    }
                }
            }
            next += 1;
        }
        all.remove(0);
        all
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
        self.mounts[slave].master = Some(master);
        self.mounts[slave].prev_slave = None;
        self.mounts[slave].next_slave = next;
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

    /// Neither shared nor a slave nor a master: nothing reaches it, nothing leaves it.
    fn is_unrelated(&self, mnt: Idx<Mount>) -> bool {
        let Mount { next_peer, master, first_slave, group, .. } = self.mounts[mnt];
        group == 0 && next_peer == mnt && master.is_none() && first_slave.is_none()
    }

    /// Leaves the peer group. Slaves go to a remaining peer, or to the own master.
    fn leave_group(&mut self, mnt: Idx<Mount>) -> Option<Idx<Mount>> {
        let heir = match self.mounts[mnt].next_peer {
            peer if peer != mnt => Some(peer),
            _ => self.mounts[mnt].master,
        };
        self.leave_peers(mnt);
        for slave in self.slaves(mnt) {
            self.drop_master(slave);
            if let Some(heir) = heir {
                self.add_slave(slave, heir);
            }
        }
        heir
    }

    pub(crate) fn make_shared(&mut self, mnt: Idx<Mount>) {
        if !self.mounts[mnt].shared() {
            let group = self.alloc_group();
            self.mounts[mnt].group = group;
        }
        self.mounts[mnt].flags &= !MNT_UNBINDABLE;
    }

    pub(crate) fn change_mnt_propagation(&mut self, mnt: Idx<Mount>, to: Propagation) {
        if to == Propagation::Shared {
            self.make_shared(mnt);
            return;
        }
        if self.is_unrelated(mnt) {
            self.set_unbindable(mnt, to);
            return;
        }
        let was_shared = self.mounts[mnt].shared();
        let heir = self.leave_group(mnt);
        if to == Propagation::Slave {
            if was_shared && let Some(heir) = heir.filter(|heir| Some(*heir) != self.mounts[mnt].master) {
                // The former peers are the masters now.
                self.drop_master(mnt);
                self.add_slave(mnt, heir);
            }
            return;
        }
        self.drop_master(mnt);
        self.set_unbindable(mnt, to);
    }

    /// Making an unbindable mount a slave leaves it unbindable.
    fn set_unbindable(&mut self, mnt: Idx<Mount>, to: Propagation) {
        let flags = &mut self.mounts[mnt].flags;
        match to {
            Propagation::Unbindable => *flags |= MNT_UNBINDABLE,
            Propagation::Private => *flags &= !MNT_UNBINDABLE,
            Propagation::Shared | Propagation::Slave => {}
        }
    }
}
