//! Credentials, maps, limits.

use nsproxy::op::Op;
use nsproxy::{CapSet, CapSets, Descriptor, FileCaps, MapKind, NsKind, NsLink, Prctl, Resource};

use super::{Generator, View};

const MAP_KINDS: [MapKind; 3] = [MapKind::Uid, MapKind::Gid, MapKind::Projid];

impl Generator {
    fn caps(&mut self) -> CapSet {
        let full = CapSet::FULL.bits();
        let one = 1 << self.random.below(41);
        // SYS_ADMIN, SETUID, SETGID, SYS_CHROOT, SYS_PTRACE, SETFCAP.
        let few = 1 << 21 | 1 << 7 | 1 << 6 | 1 << 18 | 1 << 19 | 1 << 31;
        CapSet::from_bits(*self.random.pick(&[
            0,
            full,
            full & !(1 << 24),
            full & !one & !(1 << 24),
            one,
            few,
        ]))
    }

    fn cap_sets(&mut self) -> CapSets {
        let permitted = self.caps();
        let effective = if self.random.one_in(3) { self.caps() } else { permitted };
        let inheritable = if self.random.one_in(3) { self.caps() } else { CapSet::EMPTY };
        CapSets { effective, permitted, inheritable }
    }

    /// Most often such that count in the first user namespace.
    pub(super) fn file_caps(&mut self, view: &View<'_>) -> FileCaps {
        FileCaps {
            permitted: self.caps(),
            inheritable: self.caps(),
            effective: self.random.one_in(2),
            rootid: if self.random.one_in(3) { self.id(view) } else { 0 },
        }
    }

    pub(super) fn cred_op(&mut self, view: &View<'_>) -> Option<Op> {
        let id = self.id(view);
        let other = self.id(view);
        let third = self.id(view);
        let three = if self.random.one_in(2) { [id; 3] } else { [id, other, third] };
        Some(match self.random.below(22) {
            0..=2 => Op::Setresuid(three),
            3 | 4 => Op::Setresgid(three),
            5 => Op::Setuid(id),
            6 => Op::Setgid(id),
            7 => Op::Setreuid([id, other]),
            8 => Op::Setregid([id, other]),
            9 => Op::Setfsuid(id),
            10 => Op::Setfsgid(id),
            11 | 12 => Op::Setgroups(match self.random.below(6) {
                0 => Vec::new(),
                1 => vec![0; 65_537],
                2 => vec![id, other],
                _ => vec![id],
            }),
            13 | 14 => Op::Capset(self.cap_sets()),
            15 => Op::CapsetOf { pid: self.pid(view), sets: self.cap_sets() },
            _ => Op::Prctl(self.prctl()),
        })
    }

    fn prctl(&mut self) -> Prctl {
        let cap = u64::try_from(self.random.below(43)).unwrap_or(0);
        let flag = u64::try_from(self.random.below(3)).unwrap_or(0);
        *self.random.pick(&[
            Prctl::SetChildSubreaper(true),
            Prctl::SetChildSubreaper(true),
            Prctl::SetChildSubreaper(true),
            Prctl::SetChildSubreaper(false),
            Prctl::SetNoNewPrivs(flag),
            Prctl::SetSecurebits(u32::try_from(cap * 7).unwrap_or(0) & 0xff),
            Prctl::SetSecurebits(0x10),
            Prctl::SetSecurebits(0x2f),
            Prctl::SetSecurebits(0x4000),
            Prctl::SetKeepcaps(flag),
            Prctl::SetDumpable(flag),
            Prctl::SetPdeathsig(0),
            Prctl::SetPdeathsig(15),
            Prctl::SetPdeathsig(65),
            Prctl::CapbsetDrop(cap),
            Prctl::AmbientRaise(cap),
            Prctl::AmbientLower(cap),
            Prctl::AmbientClearAll,
        ])
    }

    /// A task whose user namespace has no map yet, if there is one.
    fn unmapped(&mut self, view: &View<'_>) -> i32 {
        let user = NsLink::Own(NsKind::User);
        let own = view.namespace(view.me, user);
        let fitting: Vec<i32> = view
            .tasks
            .iter()
            .filter(|task| view.namespace(**task, user) != own || self.random.one_in(4))
            .filter_map(|task| view.number(*task))
            .collect();
        if fitting.is_empty() || self.random.one_in(6) { self.pid(view) } else { *self.random.pick(&fitting) }
    }

    pub(super) fn map_op(&mut self, view: &View<'_>) -> Option<Op> {
        let pid = self.unmapped(view);
        let kind = *self.random.pick(&MAP_KINDS);
        Some(match self.random.below(14) {
            0..=6 => Op::WriteMap { pid, kind, text: self.map_text(view) },
            7 | 8 => Op::WriteSetgroups { pid, text: self.setgroups_text() },
            9 => Op::OpenMap { pid, kind },
            10 => Op::OpenSetgroups(pid),
            11 | 12 => {
                let fd = self.fd(view, |what| matches!(what, Descriptor::Map | Descriptor::Setgroups));
                let file = view.descriptors().iter().find(|(other, _)| *other == fd).map(|(_, what)| *what);
                match file {
                    Some(Descriptor::Map) => Op::Write { fd, text: self.map_text(view) },
                    Some(Descriptor::Setgroups) => Op::Write { fd, text: self.setgroups_text() },
                    _ => return None,
                }
            }
            _ => Op::Close(self.fd(view, |what| matches!(what, Descriptor::Map | Descriptor::Setgroups))),
        })
    }

    fn setgroups_text(&mut self) -> String {
        let texts = ["deny", "deny", "deny\n", "allow", "denyx", "denydeny", "", " deny", "allow \n"];
        String::from(*self.random.pick(&texts))
    }

    fn map_text(&mut self, view: &View<'_>) -> String {
        let (own, _) =
            view.kernel.status(view.me, view.me).map_or((0, 0), |status| (status.uids[1], status.gids[1]));
        let id = self.id(view);
        match self.random.below(26) {
            0..=4 => format!("0 {own} 1"),
            5 | 6 => format!("0 {id} 1"),
            7 => format!("{id} {own} 1"),
            8 | 9 => String::from("0 0 65536"),
            10 => String::from("0 0 10\n10 10 10\n"),
            11 => String::from("0 100 50"),
            12 => String::from("0 0 4294967295"),
            13 => String::from("0 0 1\n1 1 1\n2 2 1\n3 3 1\n5 5 1\n4 4 1\n70000 6 10"),
            14 => String::from("4294967296 0 4294967297"),
            15 => lines(341),
            16 => lines(340),
            17 => "0 0 1 ".repeat(800),
            _ => String::from(*self.random.pick(&[
                "",
                "\n",
                "0 0",
                "0 0 0",
                "x",
                "0 0 1\n0 1 1",
                "0 0 1\n5 0 1",
                "4294967295 0 1",
                "0 4294967295 1",
                "5 1 4294967294",
                "0 0 1 x",
                "\t0  0\t1",
                "0 0 1\n\n",
                "-1 0 1",
                "0x0 0 1",
                "0 0 1\n\n1 1 1",
                "+0 0 1",
            ])),
        }
    }

    pub(super) fn limit_op(&mut self, view: &View<'_>) -> Option<Op> {
        let resources =
            [Resource::Nproc, Resource::Nofile, Resource::Msgqueue, Resource::Sigpending, Resource::Memlock];
        let limit = *self.random.pick(&[0, 1, 2, 3, 5, 20, 1000, i64::MAX, -1]);
        Some(match self.random.below(13) {
            10 | 11 => Op::WriteNsLastPid(*self.random.pick(&[-1, 0, 50, 298, 300, 302, 400, 5_000_000])),
            12 => Op::WritePidMax(*self.random.pick(&[300, 301, 310, 400, 32_768, 5_000_000])),
            0..=6 => Op::WriteMaxNamespaces { kind: *self.random.pick(&NsKind::ALL), limit },
            7 if view.bounds.own_uid => {
                Op::Prlimit { resource: Resource::Nproc, limit: *self.random.pick(&[0, 1, 3, 5, 10, 1000]) }
            }
            8 if view.bounds.own_uid => {
                let resource = *self.random.pick(&resources[..1]);
                let soft = *self.random.pick(&[3, 50, u64::MAX]);
                let hard = *self.random.pick(&[3, 50, 5000, u64::MAX]);
                Op::PrlimitOf { pid: self.pid(view), resource, soft, hard }
            }
            _ => {
                let limit = *self.random.pick(&[3, 4, 6, 8, 100, 1024, 1025]);
                Op::Prlimit { resource: Resource::Nofile, limit }
            }
        })
    }
}

/// A map of so many lines.
fn lines(count: u32) -> String {
    let all: Vec<String> = (0..count).map(|at| format!("{at} {at} 1")).collect();
    all.join("\n")
}
