//! Tasks: clone, unshare, setns, exit, signals, exec.

use nsproxy::op::{CloneOddity, Op};
use nsproxy::uapi::{
    CLONE_AUTOREAP, CLONE_CLEAR_SIGHAND, CLONE_DETACHED, CLONE_EMPTY_MNTNS, CLONE_FILES, CLONE_FS,
    CLONE_INTO_CGROUP, CLONE_NEWTIME, CLONE_NEWUSER, CLONE_NNP, CLONE_NS_FLAGS, CLONE_PARENT,
    CLONE_PARENT_SETTID, CLONE_PIDFD, CLONE_PIDFD_AUTOKILL, CLONE_SIGHAND, CLONE_SYSVSEM, CLONE_THREAD,
    CLONE_VFORK, CLONE_VM, SIGCHLD,
};
use nsproxy::{Descriptor, Disposition, NsKind, NsLink, Program, Reboot, State};

use super::{Generator, View};
use crate::cgroup::Cgroups;

const SIGNALS: [u32; 14] = [0, 1, 9, 9, 10, 15, 15, 17, 18, 18, 19, 23, 64, 65];

impl Generator {
    /// Kinds of namespace: mostly one or two, sometimes all.
    fn kinds(&mut self) -> u64 {
        let mut flags = self.random.pick(&NsKind::ALL).flag();
        match self.random.below(8) {
            0 => flags |= CLONE_NEWUSER,
            1 => flags |= self.random.pick(&NsKind::ALL).flag(),
            2 => flags = CLONE_NS_FLAGS,
            3 => flags |= CLONE_NEWUSER | self.random.pick(&NsKind::ALL).flag(),
            _ => {}
        }
        flags
    }

    fn shared(&mut self) -> u64 {
        *self.random.pick(&[
            0,
            0,
            0,
            0,
            CLONE_FS,
            CLONE_FILES,
            CLONE_VM,
            CLONE_VM | CLONE_VFORK,
            CLONE_VFORK,
            CLONE_VM | CLONE_SIGHAND,
            CLONE_VM | CLONE_SIGHAND | CLONE_THREAD,
            CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_FS,
            CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM,
            CLONE_PARENT,
            CLONE_PIDFD,
            CLONE_SYSVSEM,
            CLONE_THREAD,
            CLONE_SIGHAND,
        ])
    }

    pub(super) fn clone_op(&mut self, view: &View<'_>) -> Option<Op> {
        Some(match self.random.below(16) {
            0..=3 => Op::Clone(self.shared() | u64::from(SIGCHLD)),
            4 => Op::Clone(self.shared() | self.kinds() & !CLONE_NEWTIME | u64::from(SIGCHLD)),
            5 => {
                let odd = [0, 9, 65, 100, 0x91, CLONE_PIDFD | CLONE_PARENT_SETTID];
                Op::Clone(self.shared() | *self.random.pick(&odd))
            }
            6..=9 => self.clone3(view, false),
            10..=12 => self.clone3(view, true),
            13 => self.clone3_absurd(view),
            14 => self.set_tid(view),
            _ => {
                let oddity = *self.random.pick(&CloneOddity::ALL);
                let flags = match oddity {
                    CloneOddity::PidfdFault => CLONE_PIDFD | self.some_kinds(),
                    CloneOddity::NoCgroupField => CLONE_INTO_CGROUP,
                    _ => self.some_kinds(),
                };
                Op::Clone3Odd { flags, oddity }
            }
        })
    }

    fn some_kinds(&mut self) -> u64 {
        if self.random.one_in(2) { 0 } else { self.kinds() }
    }

    fn clone3(&mut self, view: &View<'_>, kinds: bool) -> Op {
        let mut flags = self.shared();
        if kinds {
            flags |= self.kinds();
        }
        match self.random.below(16) {
            0 => flags |= CLONE_CLEAR_SIGHAND,
            1 => flags |= CLONE_PIDFD,
            2 if view.bounds.cgroups > Cgroups::None => flags |= CLONE_INTO_CGROUP,
            _ => {}
        }
        let alone = flags & (CLONE_THREAD | CLONE_PARENT) == 0;
        let exit_signal = if alone && !self.random.one_in(12) { u64::from(SIGCHLD) } else { 0 };
        let cgroup = self.fd(view, |what| what == Descriptor::Cgroup);
        let cgroup = if flags & CLONE_INTO_CGROUP == 0 { -1 } else { cgroup };
        Op::Clone3 { flags, exit_signal, set_tid: Vec::new(), cgroup }
    }

    fn clone3_absurd(&mut self, view: &View<'_>) -> Op {
        let flags = self.shared()
            | self.some_kinds()
            | *self.random.pick(&[
                CLONE_DETACHED,
                CLONE_PIDFD | CLONE_DETACHED,
                1,
                1 << 40,
                CLONE_SIGHAND | CLONE_VM | CLONE_CLEAR_SIGHAND,
                CLONE_AUTOREAP,
                CLONE_NNP,
                CLONE_NNP | CLONE_THREAD,
                CLONE_PIDFD_AUTOKILL,
                CLONE_PIDFD_AUTOKILL | CLONE_AUTOREAP | CLONE_PIDFD,
                CLONE_EMPTY_MNTNS,
                CLONE_INTO_CGROUP,
            ]);
        let exit_signal = *self.random.pick(&[0, 17, 64, 65, 255, 256]);
        let cgroup = self.fd(view, |what| what == Descriptor::Cgroup);
        Op::Clone3 { flags, exit_signal, set_tid: Vec::new(), cgroup }
    }

    fn set_tid(&mut self, view: &View<'_>) -> Op {
        let flags = self.some_kinds();
        let one = *self.random.pick(&[1, 1, 0, -1, 2, 299, 40, 77, 5_000_000]);
        let busy = self.pid(view);
        // The last of these numbers is the machine's, where others live as well: one
        // that is surely taken, or one that nobody has right now.
        let mut free = 31_000 + i32::try_from(self.random.below(1700)).unwrap_or(0);
        while std::path::Path::new(&format!("/proc/{free}")).exists() {
            free += 1;
        }
        let outer = *self.random.pick(&[1, free]);
        let levels = view.kernel.status(view.init, view.me).map_or(1, |status| status.ns_pid.len());
        let new = usize::from(flags & nsproxy::uapi::CLONE_NEWPID != 0);
        let mut set_tid = match self.random.below(8) {
            0 | 1 => vec![one, busy, 1, 2, 3],
            2 => vec![busy],
            3 => vec![1; 33],
            4 => vec![1, 2, 3, 4, 5, 6],
            _ => vec![one],
        };
        if set_tid.len() > levels + new && set_tid.len() < 6 {
            set_tid.truncate(levels + new);
            set_tid.push(outer);
        }
        let exit_signal = u64::from(SIGCHLD);
        Op::Clone3 { flags, exit_signal, set_tid, cgroup: -1 }
    }

    pub(super) fn unshare_op(&mut self, _: &View<'_>) -> Option<Op> {
        Some(Op::Unshare(match self.random.below(12) {
            0..=8 => self.kinds(),
            9 => self.shared() & !(CLONE_PARENT | CLONE_PIDFD | CLONE_VFORK),
            10 => self.shared() | self.kinds(),
            _ => *self.random.pick(&[
                0,
                1,
                1 << 40,
                CLONE_VM,
                CLONE_THREAD,
                CLONE_SIGHAND,
                CLONE_PARENT_SETTID,
            ]),
        }))
    }

    pub(super) fn setns_op(&mut self, view: &View<'_>) -> Option<Op> {
        let is_ns = |what| matches!(what, Descriptor::Ns(_));
        let held = view.descriptors().iter().any(|(_, what)| is_ns(*what) || *what == Descriptor::Pidfd);
        if !held || self.random.one_in(4) {
            return Some(self.open_something(view));
        }
        if self.random.one_in(2) {
            let fd = self.fd(view, |what| what == Descriptor::Pidfd);
            let mut flags = self.kinds();
            if self.random.one_in(3) {
                flags |= NsKind::Mnt.flag() | NsKind::Uts.flag();
            }
            if self.random.one_in(16) {
                flags = *self.random.pick(&[0, CLONE_VM, 1]);
            }
            return Some(Op::Setns { fd, flags: u32::try_from(flags).unwrap_or(0) });
        }
        let fd = self.fd(view, is_ns);
        let flags = if self.random.one_in(8) { u32::try_from(self.kinds()).unwrap_or(0) } else { 0 };
        Some(Op::Setns { fd, flags })
    }

    /// A descriptor of a namespace or a process, to join it later.
    fn open_something(&mut self, view: &View<'_>) -> Op {
        let pid = self.pid(view);
        if self.random.one_in(3) {
            let flags = *self.random.pick(&[0, 0, 0, 0x80, 0x800]);
            return Op::PidfdOpen { pid, flags };
        }
        Op::OpenNs { pid, link: *self.random.pick(&NsLink::ALL) }
    }

    pub(super) fn exit_op(&mut self, view: &View<'_>) -> Option<Op> {
        let zombies = view.tasks.iter().any(|task| view.state(*task) == Some(State::Zombie));
        Some(match self.random.below(12) {
            0..=3 if zombies => Op::Wait { pid: self.wait_pid(view), options: self.wait_options() },
            1..=3 => Op::Exit(u8::try_from(self.random.below(256)).unwrap_or(0)),
            4..=6 => Op::ExitGroup(u8::try_from(self.random.below(256)).unwrap_or(0)),
            7 => Op::Reboot(*self.random.pick(&[Reboot::Restart, Reboot::Halt, Reboot::Other])),
            8 => {
                let pid = if self.random.one_in(2) { 0 } else { self.pid(view) };
                let other = self.pid(view);
                let pgid = *self.random.pick(&[0, 0, pid, -1, other]);
                Op::Setpgid { pid, pgid }
            }
            9 => Op::Setsid,
            _ => Op::Wait { pid: self.wait_pid(view), options: self.wait_options() },
        })
    }

    fn wait_pid(&mut self, view: &View<'_>) -> i32 {
        match self.random.below(8) {
            0 => 0,
            1 => -self.pid(view),
            2 => i32::MIN,
            3 | 4 => self.pid(view),
            _ => -1,
        }
    }

    fn wait_options(&mut self) -> u32 {
        *self.random.pick(&[0, 1, 1, 0x4000_0000, 0x4000_0001, 0x8000_0001, 0x2000_0001, 0x0100_0001, 16])
    }

    pub(super) fn signal_op(&mut self, view: &View<'_>) -> Option<Op> {
        let stopped = view.tasks.iter().find(|task| view.state(**task) == Some(State::Stopped));
        if let Some(number) = stopped.and_then(|task| view.number(*task))
            && self.random.one_in(2)
        {
            return Some(Op::Kill { pid: number, signal: *self.random.pick(&[18, 18, 9]) });
        }
        let signal = *self.random.pick(&SIGNALS);
        Some(match self.random.below(11) {
            10 => {
                let (tgid, tid) = (self.pid(view), self.pid(view));
                Op::Tgkill { tgid, tid, signal: *self.random.pick(&[0, 0, 9, 65]) }
            }
            0..=3 => Op::Kill { pid: self.pid(view), signal },
            4 => {
                let group = -self.pid(view);
                Op::Kill { pid: *self.random.pick(&[0, group]), signal }
            }
            5 if self.random.one_in(6) => Op::Kill { pid: -1, signal },
            6 => {
                let flags = *self.random.pick(&[0, 0, 0, 1, 2, 4, 3, 8]);
                Op::PidfdSendSignal { fd: self.fd(view, |what| what == Descriptor::Pidfd), signal, flags }
            }
            7 | 8 => {
                let to = *self.random.pick(&[Disposition::Default, Disposition::Ignore, Disposition::Handle]);
                Op::Sigaction { signal: *self.random.pick(&[1, 9, 10, 15, 17, 17, 18, 64, 65, 0]), to }
            }
            _ => Op::Sigprocmask(*self.random.pick(&[0, 0, 1 << 14, 1 << 16, u64::MAX])),
        })
    }

    pub(super) fn exec_op(&mut self, view: &View<'_>) -> Option<Op> {
        let mut program = Program { not_executable: self.random.one_in(8), ..Program::default() };
        if self.random.one_in(2) {
            let kinds = 1 + self.random.below(7);
            program.setuid = (kinds & 1 != 0).then(|| self.id(view));
            program.setgid = (kinds & 2 != 0).then(|| self.id(view));
            program.caps = (kinds & 4 != 0).then(|| self.file_caps(view));
        }
        if self.random.one_in(4) {
            program.unreadable = true;
        }
        Some(Op::Execve(program))
    }
}
