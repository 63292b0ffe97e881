//! Another process, as the object of a question.

use super::{Machine, Seen, State, index};
use crate::caps::Capabilities;
use crate::errno::Errno;
use crate::explain::eyes::Shared;
use crate::idmap::{Extent, IdMap};
use crate::kind::Kind;
use crate::process::{Credentials, parse_status};

/// What can be known of a process.
#[derive(Debug)]
pub(in crate::explain) struct Target {
    pub(in crate::explain) pid: i32,
    /// Its number in `/proc`, which may be another.
    pub(in crate::explain) shown: i32,
    pub(in crate::explain) status: Option<Credentials>,
    pub(in crate::explain) zombie: bool,
    /// Its namespaces by [`Kind::ALL`], where they can be opened.
    pub(in crate::explain) namespaces: [Option<Seen>; 8],
    /// The time namespace of its children, which its `timens_offsets` are those of.
    pub(in crate::explain) time_for_children: Option<Seen>,
    pub(in crate::explain) uid_map: Option<Vec<Extent>>,
    pub(in crate::explain) gid_map: Option<Vec<Extent>>,
    pub(in crate::explain) setgroups: Option<bool>,
    /// Whom the files of its `/proc` directory belong to.
    pub(in crate::explain) proc_owner: Option<u32>,
    /// Whether the files that only their owner may write can be opened for that.
    pub(in crate::explain) writable: Option<Result<(), Errno>>,
    pub(in crate::explain) is_caller: bool,
    /// Whether the caller may look into it by its real ids, as setns asks: `kcmp(2)` does too.
    pub(in crate::explain) looked_into: Option<bool>,
    /// Whether its user namespace is the caller's or one that this is the parent of; found by
    /// writing to its maps.
    pub(in crate::explain) is_related: bool,
    /// What opening its links answers.
    pub(in crate::explain) links: Result<(), Errno>,
}

impl Target {
    pub(in crate::explain) fn read(
        machine: &Machine<'_>,
        state: &State,
        pid: i32,
        shown: i32,
        write: bool,
    ) -> Target {
        let file = |name: &str| format!("/proc/{shown}/{name}");
        let text = machine.text(&file("status")).unwrap_or_default();
        let zombie = super::is_zombie(&text);
        let eyes = machine.eyes();
        let (user, own_pid) = (state.inode(Kind::User), state.inode(Kind::Pid));
        let link = |name: &str| Seen::open(eyes, &file(&format!("ns/{name}")), user, own_pid).ok();
        let namespaces = Kind::ALL.map(|kind| link(kind.name()));
        let map = |name: &str| {
            IdMap::from_kernel(&machine.text(&file(name)).ok()?).map(|map| map.extents().to_vec())
        };
        let status = parse_status(&text);
        let here = status
            .as_ref()
            .and_then(|status| state.number_here(status, namespaces[index(Kind::Pid)].as_ref()));
        let own = state.status.as_ref().and_then(|own| own.pids.last().copied());
        let looked_into = here.zip(own).and_then(|(here, own)| match eyes.share(own, here, Shared::Memory) {
            Ok(_) => Some(true),
            // A filter would say it of the caller too.
            Err(Errno::EPERM) if eyes.share(own, own, Shared::Memory).is_ok() => Some(false),
            Err(_) => None,
        });
        Target {
            pid,
            shown,
            status,
            zombie,
            namespaces,
            time_for_children: link("time_for_children"),
            uid_map: map("uid_map"),
            gid_map: map("gid_map"),
            setgroups: machine.text(&file("setgroups")).ok().map(|text| text == "allow"),
            proc_owner: eyes.stat(&file("status")).ok().map(|(_, uid)| uid),
            writable: write.then(|| eyes.may_write(&file("uid_map"))),
            is_caller: shown == state.pid,
            looked_into,
            is_related: false,
            links: eyes.read_link(&file("ns/user")).map(drop),
        }
    }

    pub(in crate::explain) fn namespace(&self, kind: Kind) -> Option<&Seen> {
        self.namespaces[super::index(kind)].as_ref()
    }

    /// Whether its children go to a time namespace that is not its own.
    pub(in crate::explain) fn time_pending(&self) -> bool {
        self.time_for_children.is_some() && self.time_for_children.as_ref() != self.namespace(Kind::Time)
    }

    /// Whether it is for certain in a user namespace that is neither the caller's nor below
    /// it: who holds `CAP_SYS_PTRACE` may look into all others, but for those that do not
    /// want it.
    pub(in crate::explain) fn is_elsewhere(&self, state: &State) -> bool {
        let willing = match (&self.status, self.proc_owner) {
            (Some(status), Some(owner)) => status.uids[1] == owner,
            _ => false,
        };
        let unread = self.namespace(Kind::User).is_none() && !self.zombie && !self.is_caller;
        unread && willing && state.has(Capabilities::SYS_PTRACE)
    }
}
