//! From bytes to calls. Every sequence of bytes is some sequence of calls, most of
//! them sensible, some absurd.

use super::{MntNsWanted, MountWanted, Op};
use crate::uapi::{
    AT_RECURSIVE, CLONE_FILES, CLONE_FS, CLONE_NS_FLAGS, CLONE_PARENT, CLONE_PIDFD, CLONE_SIGHAND,
    CLONE_SYSVSEM, CLONE_THREAD, CLONE_VFORK, CLONE_VM, FSMOUNT_NAMESPACE, IPC_CREAT, MNT_DETACH, MNT_EXPIRE,
    MOUNT_ATTR_IDMAP, MOUNT_ATTR_NODEV, MOUNT_ATTR_RDONLY, MS_BIND, MS_MOVE, MS_PRIVATE, MS_RDONLY, MS_REC,
    MS_REMOUNT, MS_SHARED, MS_SLAVE, MS_UNBINDABLE, OPEN_TREE_CLONE, OPEN_TREE_NAMESPACE, SIGCHLD, WALL,
    WNOHANG,
};
use crate::{
    CapSet, CapSets, Disposition, IpcSysctl, LISTMOUNT_REVERSE, MapKind, MountAttr, NsIoctl, NsKind, NsLink,
    PidfdIoctl, Prctl, Program, Reboot, Resource, SemOp,
};
use alloc::string::String;
use alloc::vec::Vec;

/// Bytes, with zeros after their end.
struct Source<'a>(&'a [u8]);

impl Source<'_> {
    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    fn word(&mut self) -> u64 {
        u64::from_le_bytes(core::array::from_fn(|_| self.byte()))
    }

    fn flag(&mut self) -> bool {
        self.byte() & 1 != 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[usize::from(self.byte()) % from.len()].clone()
    }

    /// One in sixteen is absurd, the others small.
    fn pid(&mut self) -> i32 {
        match self.byte() {
            byte if byte >= 0xf0 => self.pick(&[0, -1, i32::MIN, i32::MAX, -7]),
            byte => i32::from(byte % 12) + 1,
        }
    }

    fn fd(&mut self) -> i32 {
        match self.byte() {
            byte if byte >= 0xf0 => self.pick(&[-1, -10_000, i32::MAX, 0]),
            byte => i32::from(byte % 6) + 3,
        }
    }

    /// Some of the kinds of namespace, some of the time with something else.
    fn clone_flags(&mut self) -> u64 {
        let kinds = NsKind::ALL[usize::from(self.byte()) % 8].flag();
        let more = match self.byte() {
            0..=31 => CLONE_NS_FLAGS,
            32..=63 => NsKind::ALL[usize::from(self.byte()) % 8].flag(),
            64..=72 => self.word(),
            _ => 0,
        };
        kinds | more
    }

    fn share_flags(&mut self) -> u64 {
        self.pick(&[
            0,
            0,
            CLONE_FS,
            CLONE_FILES,
            CLONE_VM,
            CLONE_VM | CLONE_VFORK,
            CLONE_VM | CLONE_SIGHAND,
            CLONE_VM | CLONE_SIGHAND | CLONE_THREAD,
            CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_FS,
            CLONE_PARENT,
            CLONE_PIDFD,
            CLONE_SYSVSEM,
        ])
    }

    fn path(&mut self) -> String {
        String::from(self.pick(&[
            "/",
            "/mnt",
            "/mnt/a",
            "/tmp",
            "/proc",
            "/proc/sys",
            "/sys",
            "/f",
            ".",
            "..",
            "a",
            "/tmp/b",
            "/none",
            "",
            "/a\0b",
            "/mnt/../tmp",
        ]))
    }

    fn map(&mut self) -> String {
        String::from(self.pick(&[
            "0 0 1",
            "0 1000 1",
            "0 0 4294967295",
            "0 100000 65536",
            "0 0 10\n10 10 10",
            "0 0",
            "",
            "0 0 0",
            "4294967295 0 1",
            "x",
            "0 0 1\n0 0 1",
            "5 1 1",
        ]))
    }

    fn link(&mut self) -> NsLink {
        self.pick(&NsLink::ALL)
    }

    fn ids(&mut self) -> [u32; 3] {
        let one = self.pick(&[0, 1, 1000, 1001, 65_534, u32::MAX]);
        let other = self.pick(&[one, one, 0, 1000, u32::MAX]);
        [one, one, other]
    }
}

impl Op {
    /// The next call, and how many bytes it took. Any bytes will do.
    pub fn decode(bytes: &[u8]) -> (Self, usize) {
        let mut source = Source(bytes);
        let op = match source.byte() % 5 {
            0 | 1 => process(&mut source),
            2 => credentials(&mut source),
            3 => mounts(&mut source),
            _ => objects(&mut source),
        };
        (op, bytes.len() - source.0.len())
    }
}

fn process(source: &mut Source<'_>) -> Op {
    match source.byte() % 20 {
        0..=2 => Op::Clone(source.share_flags() | u64::from(SIGCHLD)),
        3 | 4 => Op::Clone(source.share_flags() | source.clone_flags()),
        5 => Op::Clone3 {
            flags: source.clone_flags() | source.share_flags(),
            exit_signal: source.pick(&[0, 17, 9, 64, 65, u64::MAX]),
            set_tid: source.pick(&[
                Vec::new(),
                Vec::new(),
                alloc::vec![1],
                alloc::vec![9, 9],
                alloc::vec![-1; 40],
            ]),
            cgroup: source.fd(),
        },
        6 | 7 => Op::Unshare(source.clone_flags()),
        8 => Op::Unshare(source.share_flags()),
        9 => Op::Exit(source.byte()),
        10 => Op::ExitGroup(source.byte()),
        11 | 12 => Op::Wait {
            pid: source.pick(&[-1, -1, 0, 2, 3, 4, -2, i32::MIN]),
            options: source.pick(&[0, WNOHANG, WALL, WNOHANG | WALL, 1 << 20]),
        },
        13 if source.flag() => {
            Op::Tgkill { tgid: source.pid(), tid: source.pid(), signal: source.pick(&[0, 9, 15, 18, 19, 65]) }
        }
        13 => {
            Op::Kill { pid: source.pid(), signal: source.pick(&[0, 1, 9, 15, 17, 18, 19, 64, 65, u32::MAX]) }
        }
        14 => Op::PidfdOpen { pid: source.pid(), flags: source.pick(&[0, 0, 0x80, 0x800, 1]) },
        15 => Op::OpenNs { pid: source.pid(), link: source.link() },
        16 | 17 => Op::Setns {
            fd: source.fd(),
            flags: match source.byte() % 4 {
                0 => 0,
                1 => u32::try_from(CLONE_NS_FLAGS).unwrap_or(0),
                _ => u32::try_from(source.clone_flags() & CLONE_NS_FLAGS).unwrap_or(0),
            },
        },
        18 => Op::Sigaction {
            signal: source.pick(&[1, 9, 15, 17, 64, 65, 0]),
            to: source.pick(&[Disposition::Default, Disposition::Ignore, Disposition::Handle]),
        },
        _ => Op::Execve(Program {
            setuid: source.pick(&[None, None, Some(0), Some(1000)]),
            unreadable: source.flag(),
            ..Program::default()
        }),
    }
}

fn credentials(source: &mut Source<'_>) -> Op {
    match source.byte() % 17 {
        0 | 1 => Op::Setresuid(source.ids()),
        2 => Op::Setresgid(source.ids()),
        3 => Op::Setgroups(source.pick(&[Vec::new(), alloc::vec![0], alloc::vec![5, 1000]])),
        4..=6 => Op::WriteMap {
            pid: source.pid(),
            kind: source.pick(&[MapKind::Uid, MapKind::Gid, MapKind::Projid]),
            text: source.map(),
        },
        7 => Op::WriteSetgroups {
            pid: source.pid(),
            text: String::from(source.pick(&["deny", "allow", "deny\n", "x", "denydeny", ""])),
        },
        8 => Op::Capset(CapSets {
            effective: CapSet::from_bits(source.word()),
            permitted: CapSet::from_bits(source.word() | u64::from(source.byte())),
            inheritable: CapSet::from_bits(u64::from(source.byte())),
        }),
        9 | 10 => {
            let number = u64::from(source.byte() % 70);
            Op::Prctl(source.pick(&[
                Prctl::SetChildSubreaper(true),
                Prctl::SetChildSubreaper(false),
                Prctl::SetNoNewPrivs(number & 1),
                Prctl::SetSecurebits(u32::try_from(number * 4).unwrap_or(0)),
                Prctl::SetKeepcaps(number % 3),
                Prctl::SetDumpable(number % 3),
                Prctl::SetPdeathsig(u32::try_from(number).unwrap_or(0)),
                Prctl::CapbsetDrop(number),
                Prctl::AmbientRaise(number),
                Prctl::AmbientLower(number),
                Prctl::AmbientClearAll,
            ]))
        }
        11 => Op::Prlimit {
            resource: source.pick(&[Resource::Nproc, Resource::Nofile]),
            limit: source.pick(&[0, 5, 8, 100, u64::MAX]),
        },
        12 => Op::Setpgid { pid: source.pid(), pgid: source.pid() },
        13 => Op::Setsid,
        14 => Op::Sigprocmask(source.word()),
        15 => source.pick(&[
            Op::WritePidMax(301),
            Op::WritePidMax(400),
            Op::WritePidMax(-1),
            Op::WriteNsLastPid(7),
            Op::WriteNsLastPid(299),
            Op::WriteNsLastPid(i64::MAX),
        ]),
        _ => Op::WriteMaxNamespaces {
            kind: source.pick(&NsKind::ALL),
            limit: source.pick(&[0, 1, 3, 100, i64::MAX, -1]),
        },
    }
}

fn mounts(source: &mut Source<'_>) -> Op {
    match source.byte() % 18 {
        0..=4 => Op::Mount {
            source: source.path(),
            target: source.path(),
            fstype: String::from(source.pick(&["tmpfs", "proc", "sysfs", "mqueue", "ext4", "zfs", ""])),
            flags: source.pick(&[
                0,
                MS_BIND,
                MS_BIND | MS_REC,
                MS_MOVE,
                MS_SHARED,
                MS_SHARED | MS_REC,
                MS_SLAVE | MS_REC,
                MS_PRIVATE,
                MS_UNBINDABLE,
                MS_REMOUNT | MS_BIND | MS_RDONLY,
                MS_REMOUNT,
                u64::MAX,
            ]),
        },
        5 | 6 => {
            Op::Umount { target: source.path(), flags: source.pick(&[0, 0, MNT_DETACH, MNT_EXPIRE, 99]) }
        }
        7 => Op::PivotRoot { new: source.path(), old: source.path() },
        8 => Op::Chroot(source.path()),
        9 => Op::Chdir(source.path()),
        10 => source.pick(&[
            Op::Mkdir(String::from("/mnt/a")),
            Op::Mknod(String::from("/f")),
            Op::Mkdir(String::from("a")),
        ]),
        11 => {
            let flags = source.pick(&[0, AT_RECURSIVE, 7]);
            let attr = MountAttr {
                set: source.pick(&[0, MOUNT_ATTR_RDONLY, MOUNT_ATTR_IDMAP, u64::MAX]),
                clear: source.pick(&[0, MOUNT_ATTR_NODEV]),
                propagation: source.pick(&[0, MS_SHARED, MS_SLAVE, 5]),
                userns_fd: source.fd(),
            };
            if source.flag() {
                Op::MountSetattr { path: source.path(), flags, attr }
            } else {
                Op::MountSetattrFd { fd: source.fd(), flags, attr }
            }
        }
        12 => Op::OpenTree {
            path: source.path(),
            flags: source.pick(&[
                0,
                OPEN_TREE_CLONE,
                OPEN_TREE_CLONE | AT_RECURSIVE,
                OPEN_TREE_NAMESPACE,
                OPEN_TREE_NAMESPACE | AT_RECURSIVE,
                3,
            ]),
        },
        13 => Op::Fsmount {
            fstype: String::from(source.pick(&["tmpfs", "proc", "sysfs", "mqueue", "ext4", "zfs"])),
            flags: source.pick(&[0, 0, FSMOUNT_NAMESPACE, 4]),
            attr: source.pick(&[0, MOUNT_ATTR_RDONLY, u64::MAX]),
        },
        14 => Op::MountProc { pidns: source.fd(), target: source.path() },
        15 | 16 => {
            let mount = match source.byte() % 3 {
                0 => MountWanted::Root,
                1 => MountWanted::Of(source.fd()),
                _ => MountWanted::Nobody,
            };
            let ns = match source.byte() % 5 {
                0 => MntNsWanted::Own,
                1 => MntNsWanted::Id(source.fd()),
                2 => MntNsWanted::Fd(source.fd()),
                3 => MntNsWanted::Both(source.fd()),
                _ => MntNsWanted::Nobody,
            };
            let flags = source.pick(&[0, 0, LISTMOUNT_REVERSE, 2]);
            if source.flag() {
                Op::Listmount { mount, ns, flags }
            } else {
                Op::Statmount { mount, ns, flags }
            }
        }
        _ => Op::MoveMount { fd: source.fd(), target: source.path() },
    }
}

fn objects(source: &mut Source<'_>) -> Op {
    let fd = source.fd();
    let id = i32::from(source.byte() % 3);
    let text =
        String::from(source.pick(&["a", "b", "", "x\0y", "a-name-that-is-much-too-long-for-anything", "lo"]));
    match source.byte() % 29 {
        27 => Op::CgroupPidsMax {
            path: alloc::format!("/{text}"),
            max: source.pick(&[None, Some(0), Some(2), Some(4), Some(u32::MAX)]),
        },
        28 => Op::CgroupSubtreeControl { path: alloc::format!("/{text}"), on: source.flag() },
        26 => Op::WriteIpcSysctl {
            which: source.pick(&IpcSysctl::ALL),
            value: source.pick(&[0, 1, 2, 100, u64::MAX]),
        },
        0 => Op::Sethostname(text.repeat(usize::from(source.byte() % 3))),
        1 => Op::Setdomainname(text),
        2 => Op::Shmget { key: id, size: u64::from(source.byte() % 4), flags: IPC_CREAT | 0o600 },
        3 => Op::Shmat(id),
        4 => Op::Semget { key: id, count: usize::from(source.byte() % 3), flags: IPC_CREAT | 0o666 },
        5 | 6 => {
            let change = i16::from(source.byte().cast_signed());
            Op::Semop { id, op: SemOp { number: u16::from(source.byte() % 3), change, undo: source.flag() } }
        }
        7 => Op::Msgget { key: id, flags: IPC_CREAT | 0o600 },
        8 => Op::Msgsnd { id, kind: 1, text: text.into_bytes() },
        9 => Op::MqOpen { name: alloc::format!("/{text}"), create: source.flag(), exclusive: false },
        10 => Op::AddVeth { peer: alloc::format!("{text}1"), name: text },
        11 => Op::MoveDevice { name: text, fd },
        12 => Op::SetDeviceUp { name: text, up: source.flag() },
        13 => Op::Socket,
        14 => Op::ConnectLoopback(fd),
        15 => Op::CgroupMkdir(alloc::format!("/{text}")),
        16 => Op::CgroupRmdir(alloc::format!("/{text}")),
        17 => Op::CgroupMove { path: alloc::format!("/{text}"), pid: source.pid() },
        18 => Op::OpenCgroup(alloc::format!("/{text}")),
        19 => Op::Close(fd),
        20 => Op::Dup(fd),
        21 => Op::NsIoctl {
            fd,
            request: source.pick(&[
                NsIoctl::GetUserns,
                NsIoctl::GetParent,
                NsIoctl::GetNstype,
                NsIoctl::GetOwnerUid,
                NsIoctl::GetPidInPidns(2),
                NsIoctl::GetTgidFromPidns(1),
                NsIoctl::MntGetInfo(Some(16)),
                NsIoctl::MntGetNext(true),
                NsIoctl::MntGetPrev(true),
                NsIoctl::GetId,
                NsIoctl::Unknown,
            ]),
        },
        22 => Op::PidfdIoctl { fd, request: PidfdIoctl::GetNamespace(source.link(), 0) },
        23 => Op::BindNamespace { fd, target: source.path() },
        24 => Op::Reboot(source.pick(&[Reboot::Halt, Reboot::Restart, Reboot::Other])),
        _ => Op::Settle,
    }
}
