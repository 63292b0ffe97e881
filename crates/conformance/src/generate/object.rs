//! What lives in ipc, net and cgroup namespaces.

use nsproxy::op::Op;
use nsproxy::uapi::{CLONE_INTO_CGROUP, IPC_CREAT, IPC_EXCL, SIGCHLD};
use nsproxy::{Descriptor, IpcSysctl, NsKind, SemOp, TaskId};

use super::{Generator, View, is};
use crate::cgroup::Cgroups;

const DEVICES: [&str; 6] = ["a", "b", "c", "lo", "veth0", "none"];

impl Generator {
    pub(super) fn ipc_op(&mut self) -> Option<Op> {
        let key = *self.random.pick(&[0, 1, 2, 3]);
        let id = *self.random.pick(&[0, 0, 1, 1, 2, 3, 7]);
        let create = IPC_CREAT | *self.random.pick(&[0o600, 0o600, 0o660, 0o666, 0o400, 0]);
        let flags = *self.random.pick(&[create, create, create, create | IPC_EXCL, 0o600, 0]);
        let number = u16::try_from(self.random.below(4)).unwrap_or(0);
        if self.random.one_in(5) {
            return Some(self.undone());
        }
        Some(match self.random.below(28) {
            26 | 27 => Op::WriteIpcSysctl {
                which: *self.random.pick(&IpcSysctl::ALL),
                value: *self.random.pick(&[0, 1, 2, 100, 8192, u64::MAX]),
            },
            0..=2 => Op::Shmget { key, size: *self.random.pick(&[1, 1, 4096, 5000, 0, u64::MAX]), flags },
            3 | 4 => Op::Shmat(id),
            5 => Op::Shmdt(id),
            6 => Op::ShmRemove(id),
            7..=9 => Op::Semget { key, count: *self.random.pick(&[1, 2, 3, 0, 40_000]), flags },
            10..=12 => {
                let change = *self.random.pick(&[1, 2, 5, -1, -2, 0, 32_767]);
                let number = if self.random.one_in(2) { 0 } else { number };
                Op::Semop { id, op: SemOp { number, change, undo: !self.random.one_in(3) } }
            }
            13 | 14 => Op::SemValue { id: *self.random.pick(&[0, 0, 1]), number: 0 },
            15 => Op::SemRemove(id),
            16 | 17 => Op::Msgget { key, flags },
            18 | 19 => {
                let len = *self.random.pick(&[1, 5, 4000, 8192, 8193, 0]);
                Op::Msgsnd { id, kind: *self.random.pick(&[1, 1, 1, 2, 0, -1]), text: vec![b'x'; len] }
            }
            20 => Op::Msgrcv(id),
            21 => Op::MsgRemove(id),
            22 | 23 => Op::MqOpen {
                name: self.queue(),
                create: !self.random.one_in(3),
                exclusive: self.random.one_in(3),
            },
            _ => Op::MqUnlink(self.queue()),
        })
    }

    /// Of one semaphore that all share: what is undone is seen by others.
    fn undone(&mut self) -> Op {
        let op = SemOp { number: 0, change: *self.random.pick(&[1, 2]), undo: true };
        self.random
            .pick(&[
                Op::Semget { key: 1, count: 1, flags: IPC_CREAT | 0o666 },
                Op::Semop { id: 0, op },
                Op::Semop { id: 0, op },
                Op::SemValue { id: 0, number: 0 },
                Op::SemValue { id: 0, number: 0 },
            ])
            .clone()
    }

    fn queue(&mut self) -> String {
        match self.random.below(10) {
            0 => String::from("a"),
            1 => String::from("/"),
            2 => format!("/{}", "n".repeat(256)),
            _ => String::from(*self.random.pick(&["/qa", "/qb", "/qc"])),
        }
    }

    pub(super) fn net_op(&mut self, view: &View<'_>) -> Option<Op> {
        // Most of this takes a descriptor for a moment, of which the model knows nothing.
        if view.kernel.rlimit(view.me, nsproxy::Resource::Nofile).is_ok_and(|limit| limit < 1000) {
            return None;
        }
        let name = String::from(*self.random.pick(&DEVICES));
        let socket = |what| what == Descriptor::Socket;
        Some(match self.random.below(14) {
            0..=2 => Op::AddVeth { name, peer: String::from(*self.random.pick(&DEVICES)) },
            3 | 4 => {
                let fd = self.fd(view, |what| matches!(what, Descriptor::Ns(ns) if ns.kind() == NsKind::Net));
                Op::MoveDevice { name, fd }
            }
            5 | 6 => Op::SetDeviceUp { name, up: !self.random.one_in(3) },
            7 => Op::DeleteDevice(name),
            8 | 9 => Op::Socket,
            10 | 11 => {
                let fd = self.fd(view, socket);
                is(view, fd, socket).then_some(Op::ConnectLoopback(fd))?
            }
            _ => {
                let fd = self.fd(view, socket);
                is(view, fd, socket).then_some(Op::SocketNamespace(fd))?
            }
        })
    }

    pub(super) fn cgroup_op(&mut self, view: &View<'_>) -> Option<Op> {
        if view.bounds.cgroups == Cgroups::None {
            return None;
        }
        let path = String::from(*self.random.pick(&["/a", "/a", "/b", "/a/c", "/b/d"]));
        let pid = if self.random.one_in(2) { 0 } else { self.pid(view) };
        let controls = match view.bounds.cgroups {
            Cgroups::None | Cgroups::Unbuilt => 0,
            Cgroups::Bare => 2,
            Cgroups::Controlled => 12,
        };
        Some(match self.random.below(12 + controls) {
            0..=3 => Op::CgroupMkdir(path),
            4 => Op::CgroupRmdir(path),
            5..=7 => Op::CgroupMove { path, pid },
            8 => Op::CgroupChown { path, owner: self.id(view) },
            9..=11 => Op::OpenCgroup(path),
            _ => self.control(view),
        })
    }

    /// Where controllers are enabled nobody may be: they are moved out of the root, one after
    /// the other, until it is free.
    fn control(&mut self, view: &View<'_>) -> Op {
        let path = String::from(*self.random.pick(&["/", "/", "/a", "/a", "/b", "/a/c"]));
        match self.random.below(13) {
            0..=2 => Op::CgroupSubtreeControl { path, on: !self.random.one_in(4) },
            3..=5 => {
                let number = u32::try_from(self.random.below(7)).unwrap_or(0);
                let odd = *self.random.pick(&[None, Some(4_194_304), Some(4_194_305)]);
                Op::CgroupPidsMax { path, max: if self.random.one_in(4) { odd } else { Some(number) } }
            }
            6 => Op::OpenCgroup(path),
            7 => {
                let exit_signal = u64::from(SIGCHLD);
                let cgroup = self.fd(view, |what| what == Descriptor::Cgroup);
                Op::Clone3 { flags: CLONE_INTO_CGROUP, exit_signal, set_tid: Vec::new(), cgroup }
            }
            _ => {
                let at_root =
                    |task: &&TaskId| view.kernel.cgroup_path(view.init, **task).is_ok_and(|path| path == "/");
                let there: Vec<TaskId> = view.tasks.iter().filter(at_root).copied().collect();
                let task = if there.is_empty() { view.me } else { *self.random.pick(&there) };
                let path = String::from(*self.random.pick(&["/b", "/b", "/a/c", "/a/c", "/a", "/"]));
                Op::CgroupMove { path, pid: view.number(task).unwrap_or(0) }
            }
        }
    }
}
