//! Descriptors: namespaces, processes, and what is asked of them; names and clocks.

use nsproxy::op::{HandleTwist, Op};
use nsproxy::{Descriptor, NsIdReq, NsIoctl, NsLink, PidfdIoctl};

use super::{Generator, View};

impl Generator {
    pub(super) fn file_op(&mut self, view: &View<'_>) -> Option<Op> {
        let is_ns = |what| matches!(what, Descriptor::Ns(_));
        let pid = self.pid(view);
        let link = *self.random.pick(&NsLink::ALL);
        Some(match self.random.below(22) {
            0..=3 => Op::OpenNs { pid, link },
            4 => Op::OpenNsWrite { pid, link },
            5 | 6 => {
                let pid = if self.random.one_in(12) { *self.random.pick(&[0, -5, i32::MIN]) } else { pid };
                Op::PidfdOpen { pid, flags: *self.random.pick(&[0, 0, 0x80, 0x800, 0x880, 1]) }
            }
            7 | 8 => Op::Close(self.fd(view, |_| true)),
            9 => Op::Dup(self.fd(view, |_| true)),
            10..=15 => {
                let fd = self.fd(view, is_ns);
                Op::NsIoctl { fd, request: self.ns_ioctl(view) }
            }
            16 | 17 => {
                let fd = self.fd(view, |what| what == Descriptor::Pidfd);
                let request = match self.random.below(8) {
                    0 | 1 => PidfdIoctl::GetInfo(*self.random.pick(&[64, 64, 64, 63, 16])),
                    2 => PidfdIoctl::Unknown,
                    3 => PidfdIoctl::GetNamespace(link, 1),
                    _ => PidfdIoctl::GetNamespace(link, 0),
                };
                Op::PidfdIoctl { fd, request }
            }
            18..=20 => {
                let fds: Vec<i32> =
                    view.descriptors().iter().filter(|(_, what)| is_ns(*what)).map(|(fd, _)| *fd).collect();
                if fds.is_empty() {
                    return None;
                }
                let twists = [HandleTwist::None, HandleTwist::None, HandleTwist::Id, HandleTwist::Type];
                Op::Reopen { fd: *self.random.pick(&fds), twist: *self.random.pick(&twists) }
            }
            _ if self.random.one_in(2) => Op::ListNs(pid),
            _ => Op::Listns(NsIdReq::default()),
        })
    }

    fn ns_ioctl(&mut self, view: &View<'_>) -> NsIoctl {
        let number = self.pid(view).unsigned_abs();
        let small = u32::try_from(1 + self.random.below(12)).unwrap_or(1);
        *self.random.pick(&[
            NsIoctl::GetUserns,
            NsIoctl::GetUserns,
            NsIoctl::GetParent,
            NsIoctl::GetParent,
            NsIoctl::GetNstype,
            NsIoctl::GetOwnerUid,
            NsIoctl::GetMntnsId,
            NsIoctl::GetId,
            NsIoctl::GetPidInPidns(number),
            NsIoctl::GetTgidInPidns(number),
            NsIoctl::GetPidFromPidns(small),
            NsIoctl::GetTgidFromPidns(small),
            NsIoctl::MntGetInfo(Some(16)),
            NsIoctl::MntGetInfo(Some(8)),
            NsIoctl::MntGetInfo(None),
            NsIoctl::MntGetNext(true),
            NsIoctl::MntGetPrev(true),
            NsIoctl::MntGetNext(false),
            NsIoctl::Unknown,
        ])
    }

    pub(super) fn uts_op(&mut self) -> Option<Op> {
        let name = String::from(*self.random.pick(&["a", "box", "", "blue", "a.b"]));
        Some(match self.random.below(8) {
            0..=2 => Op::Sethostname(name),
            3 => Op::Setdomainname(name),
            4 => Op::Sethostname("x".repeat(*self.random.pick(&[63, 64, 65]))),
            5 => Op::SethostnameOdd { length: *self.random.pick(&[-1, 5, 64, 65]), fault: false },
            6 => Op::SethostnameOdd { length: *self.random.pick(&[-1, 1, 64, 65]), fault: true },
            _ => Op::WriteHostname(format!("{name}x")),
        })
    }

    pub(super) fn time_op(&mut self, view: &View<'_>) -> Option<Op> {
        let pid = self.pid(view);
        Some(match self.random.below(8) {
            0..=4 => Op::WriteTimensOffsets { pid, text: self.offsets() },
            5 => Op::OpenTimensOffsets(pid),
            _ => {
                let fd = self.fd(view, |what| what == Descriptor::TimensOffsets);
                let file = view.descriptors().iter().find(|(other, _)| *other == fd).map(|(_, what)| *what);
                if file != Some(Descriptor::TimensOffsets) {
                    return None;
                }
                Op::Write { fd, text: self.offsets() }
            }
        })
    }

    fn offsets(&mut self) -> String {
        String::from(*self.random.pick(&[
            "monotonic 100 0",
            "boottime 86400 0",
            "monotonic 7 0\nboottime 9 1\n",
            "1 5 0",
            "7 6 5 words behind",
            "monotonic 1 0\nboottime 2 0\nmonotonic 3 0\n",
            "monotonic -9000000000 0",
            "monotonic 9223372037 0",
            "boottime 9223372036 0",
            "monotonic 1 1000000000",
            "monotonic 1 -1",
            "realtime 1 0",
            "monotonic 1",
            "",
        ]))
    }
}
