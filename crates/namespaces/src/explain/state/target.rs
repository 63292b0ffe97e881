//! Another process, as the object of a question.

use std::os::unix::fs::MetadataExt;

use super::{Machine, Owner, State};
use crate::handle::Namespace;
use crate::idmap::{Extent, IdMap};
use crate::kind::Kind;
use crate::process::{Credentials, parse_status};

/// What can be known of a process.
#[derive(Debug)]
pub(in crate::explain) struct Target {
    pub(in crate::explain) pid: i32,
    pub(in crate::explain) status: Option<Credentials>,
    pub(in crate::explain) zombie: bool,
    /// Its namespaces by [`Kind::ALL`], where they can be opened.
    pub(in crate::explain) namespaces: [Option<Namespace>; 8],
    /// Who owns them; for user, where it stands itself.
    pub(in crate::explain) owners: [Owner; 8],
    pub(in crate::explain) uid_map: Option<Vec<Extent>>,
    pub(in crate::explain) gid_map: Option<Vec<Extent>>,
    pub(in crate::explain) setgroups: Option<bool>,
    /// Whom the files of its `/proc` directory belong to.
    pub(in crate::explain) proc_owner: Option<u32>,
    pub(in crate::explain) is_caller: bool,
}

impl Target {
    pub(in crate::explain) fn read(machine: &Machine, state: &State, pid: i32) -> Target {
        let file = |name: &str| format!("/proc/{pid}/{name}");
        let text = machine.text(&file("status")).unwrap_or_default();
        let zombie = text.lines().any(|line| line.starts_with("State:") && line.contains('Z'));
        let namespaces = Kind::ALL.map(|kind| Namespace::open(file(&format!("ns/{kind}"))).ok());
        let own = state.inode(Kind::User);
        let owners = namespaces.each_ref().map(|ns| match ns {
            Some(ns) if ns.kind() == Kind::User => Owner::standing(ns, own),
            Some(ns) => Owner::of(ns, own),
            None => Owner::Unknown,
        });
        let map = |name: &str| {
            IdMap::from_kernel(&machine.text(&file(name)).ok()?).map(|map| map.extents().to_vec())
        };
        Target {
            pid,
            status: parse_status(&text),
            zombie,
            namespaces,
            owners,
            uid_map: map("uid_map"),
            gid_map: map("gid_map"),
            setgroups: machine.text(&file("setgroups")).ok().map(|text| text == "allow"),
            proc_owner: std::fs::metadata(file("status")).ok().map(|meta| meta.uid()),
            is_caller: pid == state.pid,
        }
    }

    pub(in crate::explain) fn namespace(&self, kind: Kind) -> Option<&Namespace> {
        self.namespaces[super::index(kind)].as_ref()
    }

    pub(in crate::explain) fn owner(&self, kind: Kind) -> &Owner {
        &self.owners[super::index(kind)]
    }
}
