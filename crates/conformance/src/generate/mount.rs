//! Mounts, roots and directories.

use nsproxy::op::{MntNsWanted, MountWanted, Op};
use nsproxy::uapi::{
    AT_RECURSIVE, MNT_DETACH, MNT_EXPIRE, MNT_FORCE, MOUNT_ATTR_ATIME, MOUNT_ATTR_IDMAP, MOUNT_ATTR_NOATIME,
    MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY, MS_BIND, MS_MOVE, MS_NOATIME,
    MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_RDONLY, MS_REC, MS_REMOUNT, MS_SHARED, MS_SLAVE,
    MS_UNBINDABLE, OPEN_TREE_CLONE, UMOUNT_NOFOLLOW,
};
use nsproxy::{Descriptor, MountAttr, NsKind};

use super::{Generator, View, is};

const DIRECTORIES: [&str; 14] = [
    "/", "/mnt", "/mnt", "/mnt/a", "/mnt/a", "/mnt/b", "/tmp", "/tmp/a", "/run", "/run/a", "/home", "/sys",
    "/proc", "/mnt/a/c",
];
const OTHERS: [&str; 8] = ["/f", "/mnt/f", "/none", ".", "..", "a", "", "/mnt/../tmp"];

impl Generator {
    fn directory(&mut self) -> String {
        String::from(*self.random.pick(&DIRECTORIES))
    }

    fn path(&mut self) -> String {
        if self.random.one_in(10) {
            return String::from(*self.random.pick(&OTHERS));
        }
        self.directory()
    }

    pub(super) fn mount_op(&mut self, view: &View<'_>) -> Option<Op> {
        Some(match self.random.below(40) {
            0..=3 => self.new_mount(),
            4..=7 => {
                let flags = if self.random.one_in(2) { MS_BIND } else { MS_BIND | MS_REC };
                self.bind_or_move(flags)
            }
            8 | 9 => self.bind_or_move(MS_MOVE),
            10..=14 => self.propagation(),
            15 | 16 => self.remount(view),
            17..=19 => {
                let flags = *self.random.pick(&[
                    0,
                    0,
                    MNT_DETACH,
                    MNT_DETACH,
                    MNT_EXPIRE,
                    MNT_FORCE,
                    UMOUNT_NOFOLLOW,
                    99,
                    5,
                ]);
                Op::Umount { target: self.path(), flags }
            }
            20 => Op::PivotRoot { new: self.path(), old: self.path() },
            21 => Op::Chroot(self.path()),
            22 => Op::Chdir(self.path()),
            23 | 24 => Op::Mkdir(self.path()),
            25 => Op::Mknod(String::from(*self.random.pick(&["/f", "/mnt/f", "/tmp/f", "g"]))),
            26 | 27 => self.setattr(view),
            30..=39 => return self.detached_op(view),
            _ => {
                // It takes a descriptor for a moment, of which the model knows nothing.
                let limit = view.kernel.rlimit(view.me, nsproxy::Resource::Nofile);
                if limit.is_ok_and(|limit| limit < 1010) {
                    return None;
                }
                let fd = self.fd(view, |what| matches!(what, Descriptor::Ns(_)));
                let file = view.descriptors().iter().find(|(other, _)| *other == fd).map(|(_, what)| *what);
                if !matches!(file, Some(Descriptor::Ns(_))) {
                    return None;
                }
                let target =
                    String::from(*self.random.pick(&["/f", "/f", "/mnt/f", "/tmp/f", "/mnt", "/none"]));
                Op::BindNamespace { fd, target }
            }
        })
    }

    /// Mounts by descriptor. Some of it takes a descriptor for a moment, of which the model
    /// knows nothing.
    fn detached_op(&mut self, view: &View<'_>) -> Option<Op> {
        let place = |what| what == Descriptor::Path;
        let fd = self.fd(view, place);
        let held = is(view, fd, place);
        let few = view.kernel.rlimit(view.me, nsproxy::Resource::Nofile).is_ok_and(|limit| limit < 1010);
        Some(match self.random.below(12) {
            0..=2 => {
                let kinds = [0, OPEN_TREE_CLONE, OPEN_TREE_CLONE, OPEN_TREE_CLONE | AT_RECURSIVE, 2];
                Op::OpenTree { path: self.path(), flags: *self.random.pick(&kinds) }
            }
            3 if !few => Op::Fsmount {
                fstype: String::from(*self.random.pick(&["tmpfs", "tmpfs", "proc", "mqueue", "nosuchfs"])),
                flags: *self.random.pick(&[0, 0, 0, 4]),
                attr: *self.random.pick(&[0, 0, MOUNT_ATTR_RDONLY, MOUNT_ATTR_NODEV, 1 << 30, 1 << 40]),
            },
            4..=6 if held => Op::MoveMount { fd, target: self.path() },
            7 | 8 if held => match self.setattr(view) {
                Op::MountSetattr { flags, attr, .. } => Op::MountSetattrFd { fd, flags, attr },
                other => other,
            },
            9 if !few => {
                let namespace = |what| matches!(what, Descriptor::Ns(_));
                let pidns =
                    self.fd(view, |what| matches!(what, Descriptor::Ns(ns) if ns.kind() == NsKind::Pid));
                is(view, pidns, namespace).then(|| Op::MountProc { pidns, target: self.directory() })?
            }
            _ => self.asked_mount(view, held.then_some(fd)),
        })
    }

    fn asked_mount(&mut self, view: &View<'_>, place: Option<i32>) -> Op {
        let namespace = self.fd(view, |what| matches!(what, Descriptor::Ns(ns) if ns.kind() == NsKind::Mnt));
        let ns = *self.random.pick(&[
            MntNsWanted::Own,
            MntNsWanted::Own,
            MntNsWanted::Id(namespace),
            MntNsWanted::Fd(namespace),
            MntNsWanted::Both(namespace),
            MntNsWanted::Nobody,
        ]);
        // What is no namespace has no id to ask with.
        let known =
            is(view, namespace, |what| matches!(what, Descriptor::Ns(ns) if ns.kind() == NsKind::Mnt));
        let ns = if known { ns } else { MntNsWanted::Own };
        let flags = *self.random.pick(&[0, 0, 0, 1, 2]);
        match place {
            Some(fd) if self.random.one_in(2) => Op::Statmount { mount: MountWanted::Of(fd), ns, flags },
            Some(fd) => Op::Listmount { mount: MountWanted::Of(fd), ns, flags },
            None if self.random.one_in(4) => Op::Statmount { mount: MountWanted::Nobody, ns, flags },
            None => Op::Listmount { mount: MountWanted::Root, ns, flags },
        }
    }

    fn new_mount(&mut self) -> Op {
        let types = ["tmpfs", "tmpfs", "tmpfs", "tmpfs", "proc", "sysfs", "mqueue", "", "nosuchfs"];
        let flags = *self.random.pick(&[0, 0, 0, MS_RDONLY, MS_NOSUID | MS_NODEV, MS_NOEXEC, MS_NOATIME]);
        Op::Mount {
            source: String::from("none"),
            target: self.path(),
            fstype: String::from(*self.random.pick(&types)),
            flags,
        }
    }

    fn bind_or_move(&mut self, flags: u64) -> Op {
        Op::Mount { source: self.path(), target: self.path(), fstype: String::new(), flags }
    }

    fn propagation(&mut self) -> Op {
        let kind = *self.random.pick(&[MS_SHARED, MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE]);
        let recursive = *self.random.pick(&[0, MS_REC]);
        let odd = if self.random.one_in(20) { MS_SLAVE | MS_SHARED } else { 0 };
        Op::Mount {
            source: String::from("none"),
            target: self.path(),
            fstype: String::new(),
            flags: kind | recursive | odd,
        }
    }

    /// The filesystem of the namespace files is the machine's own, and one for all: the
    /// root of the machine would change it for everybody.
    fn remount(&mut self, view: &View<'_>) -> Op {
        let mounts = view.kernel.mountinfo(view.me).unwrap_or_default();
        let the_machines = mounts.iter().any(|mount| mount.fstype == "nsfs");
        let what = *self.random.pick(&[MS_REMOUNT | MS_BIND, MS_REMOUNT | MS_BIND, MS_REMOUNT]);
        let what = if the_machines { MS_REMOUNT | MS_BIND } else { what };
        let flags =
            *self.random.pick(&[0, MS_RDONLY, MS_NOSUID, MS_NODEV | MS_RDONLY, MS_NOEXEC, MS_NOATIME]);
        Op::Mount {
            source: String::from("none"),
            target: self.path(),
            fstype: String::new(),
            flags: what | flags,
        }
    }

    fn setattr(&mut self, view: &View<'_>) -> Op {
        let bits = [0, MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC];
        let (mut set, mut clear) = (*self.random.pick(&bits), *self.random.pick(&bits));
        match self.random.below(10) {
            0 => (set, clear) = (MOUNT_ATTR_NOATIME, MOUNT_ATTR_ATIME),
            1 => set |= MOUNT_ATTR_NOATIME,
            2 => set |= MOUNT_ATTR_IDMAP,
            3 => set |= 1 << 40,
            _ => {}
        }
        let propagation = *self.random.pick(&[0, 0, MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE, 5]);
        let userns_fd =
            self.fd(view, |what| matches!(what, Descriptor::Ns(ns) if ns.kind() == nsproxy::NsKind::User));
        Op::MountSetattr {
            path: self.path(),
            flags: *self.random.pick(&[0, 0, AT_RECURSIVE, 7]),
            attr: MountAttr { set, clear, propagation, userns_fd },
        }
    }
}
