//! What is listed: namespaces, or the processes in one; and what stands in
//! each column of it.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::os::unix::ffi::OsStrExt;

use namespaces::discover::{Found, Holder, Name, Seen, System};
use namespaces::{Kind, NetnsIds};

use super::column::Column;
use super::options::Options;
use crate::users::Users;

/// One row: a namespace, and the process that stands for it if there is one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    pub(super) found: &'a Found,
    pub(super) pid: Option<i32>,
}

/// Gives the text of cells, and asks for what only some columns need.
pub(super) struct Cells<'a> {
    system: &'a System,
    one_line: bool,
    users: OnceCell<Users>,
    netns_ids: OnceCell<Option<NetnsIds>>,
}

/// The rows that the options ask for, in the order of their inode numbers;
/// only those in `only`, if there is such a list.
pub(super) fn namespaces<'a>(options: &Options, system: &'a System, only: Option<&[Name]>) -> Vec<Row<'a>> {
    let shown = shown(system);
    let wanted = |found: &&Found| {
        let kind = options.wants_kind(found.name.kind);
        let persistent = !options.persistent || found.processes == 0;
        kind && persistent
            && shown.contains(&found.name)
            && only.is_none_or(|only| only.contains(&found.name))
    };
    let mut rows: Vec<Row<'a>> =
        system.iter().filter(wanted).map(|found| Row { found, pid: found.pid }).collect();
    rows.sort_by_key(|row| row.found.name.ino);
    rows
}

/// The namespaces that something shows by itself, and those above the ones
/// without a process.
fn shown(system: &System) -> HashSet<Name> {
    let direct = |found: &&Found| found.processes > 0 || found.holders.iter().any(is_direct);
    let mut shown = HashSet::new();
    let mut rest: Vec<&Found> = system.iter().filter(direct).collect();
    while let Some(found) = rest.pop() {
        if shown.insert(found.name) && found.processes == 0 {
            let above = [found.owner.name(), found.parent.name()].into_iter().flatten();
            rest.extend(above.filter_map(|name| system.get(name)));
        }
    }
    shown
}

/// Whether it shows the namespace by itself: not one that was only met on the
/// way up from another one.
fn is_direct(holder: &Holder) -> bool {
    !matches!(holder, Holder::Child(_) | Holder::Owned(_) | Holder::Unseen)
}

/// The processes in the namespace with inode number `ino`; `None` if there is
/// no such namespace.
pub(super) fn processes<'a>(options: &Options, system: &'a System, ino: u64) -> Option<Vec<Row<'a>>> {
    let found = system.by_inode(ino).find(|found| options.wants_kind(found.name.kind))?;
    Some(found.members.iter().map(|pid| Row { found, pid: Some(*pid) }).collect())
}

impl<'a> Cells<'a> {
    pub(super) fn new(system: &'a System, options: &Options) -> Cells<'a> {
        Cells { system, one_line: options.one_line(), users: OnceCell::new(), netns_ids: OnceCell::new() }
    }

    /// The text of one cell, empty where there is none.
    pub(super) fn cell(&self, row: Row<'_>, column: Column) -> Vec<u8> {
        let name = row.found.name;
        let number =
            |number: Option<u64>| number.map_or_else(Vec::new, |number| number.to_string().into_bytes());
        match column {
            Column::Ns => number(Some(name.ino)),
            Column::Type => name.kind.name().into(),
            Column::Path => {
                row.pid.map_or_else(Vec::new, |pid| format!("/proc/{pid}/ns/{}", name.kind).into())
            }
            Column::Nprocs => number(Some(row.found.processes.into())),
            Column::Pid => number(row.pid.map(|pid| u64::from(pid.unsigned_abs()))),
            Column::Ppid => number(self.parent(row).map(|pid| u64::from(pid.unsigned_abs()))),
            Column::Command => {
                self.seen(row).and_then(|seen| seen.command.as_deref()).map_or_else(Vec::new, command)
            }
            Column::Uid => number(self.uid(row).map(u64::from)),
            Column::User => {
                let users = self.users.get_or_init(Users::read);
                self.uid(row).map_or_else(Vec::new, |uid| users.show(uid).into_bytes())
            }
            Column::Netnsid => self.netns_id(name).into_bytes(),
            Column::Nsfs => self.mount_points(row.found),
            Column::Pns => number(Some(row.found.parent.name().map_or(0, |name| name.ino))),
            Column::Ons => number(Some(row.found.owner.name().map_or(0, |name| name.ino))),
        }
    }

    fn seen(&self, row: Row<'_>) -> Option<&'a Seen> {
        self.system.process(row.pid?)
    }

    /// The parent of the process that stands for a row.
    pub(super) fn parent(&self, row: Row<'_>) -> Option<i32> {
        self.seen(row)?.parent
    }

    /// The user of the process; of a namespace without one, its owner.
    fn uid(&self, row: Row<'_>) -> Option<u32> {
        match row.pid {
            Some(_) => self.seen(row)?.uid,
            None => row.found.owner_uid,
        }
    }

    /// As the network namespace of the caller numbers it.
    fn netns_id(&self, name: Name) -> String {
        if name.kind != Kind::Net {
            return String::new();
        }
        let ids = self.netns_ids.get_or_init(|| NetnsIds::new().ok());
        let id = ids.as_ref().and_then(|ids| ids.of(&self.system.open(name).ok()?).ok());
        match id {
            Some(Some(id)) => id.to_string(),
            Some(None) => "unassigned".to_owned(),
            None => String::new(),
        }
    }

    fn mount_points(&self, found: &Found) -> Vec<u8> {
        let mut points: Vec<&[u8]> = Vec::new();
        for holder in &found.holders {
            if let Holder::Mount { path, .. } = holder {
                let path = path.as_os_str().as_bytes();
                if !points.contains(&path) {
                    points.push(path);
                }
            }
        }
        points.join(if self.one_line { &b","[..] } else { b"\n" })
    }
}

/// A command line with blanks between the arguments.
fn command(bytes: &[u8]) -> Vec<u8> {
    let text = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    text.iter().map(|byte| if *byte == 0 { b' ' } else { *byte }).collect()
}
