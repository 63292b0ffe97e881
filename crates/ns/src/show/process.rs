//! What there is to say about a process.

use namespaces::{Capabilities, IdKind, IdMap, Kind, Namespace, Process};
use serde::Serialize;

use crate::render::{self, Screen};
use crate::report::{Failure, print};
use crate::text;
use crate::users::Users;

/// A process as JSON. What could not be read is null.
#[derive(Serialize)]
struct View {
    pid: i32,
    command: String,
    uid: Option<u32>,
    user: Option<String>,
    /// From the pid namespace of `/proc` downwards.
    pids: Option<Vec<i32>>,
    uid_map: Option<Vec<[u32; 3]>>,
    gid_map: Option<Vec<[u32; 3]>>,
    setgroups: Option<bool>,
    namespaces: Vec<Membership>,
}

/// One of its namespaces.
#[derive(Serialize)]
struct Membership {
    kind: &'static str,
    ino: Option<u64>,
    ns_id: Option<u64>,
    /// Whether it is the caller's too.
    same: Option<bool>,
    /// The one its children will be in, where that is another one.
    for_children: Option<u64>,
    /// The names of the capabilities it has there, `all` or `none`.
    capabilities: Option<String>,
    /// Why it could not be read.
    error: Option<String>,
}

pub(super) fn show(process: &Process, json: bool) -> Result<(), Failure> {
    let view = View::new(process)?;
    if json { render::print_json(&view) } else { print(&view.text()) }
}

impl View {
    fn new(process: &Process) -> Result<View, Failure> {
        let credentials = process.credentials();
        if !process.exists() {
            return Err(Failure::from(namespaces::Error::NoProcess { pid: process.pid() }));
        }
        let credentials = credentials.ok();
        let uid = credentials.as_ref().map(|credentials| credentials.uids[1]);
        let map = |kind| process.id_map(kind).ok().map(|map| extents(&map));
        Ok(View {
            pid: process.pid(),
            command: command(process.pid()),
            uid,
            user: uid.and_then(|uid| Users::read().name(uid).map(str::to_owned)),
            pids: credentials.map(|credentials| credentials.pids),
            uid_map: map(IdKind::Uid),
            gid_map: map(IdKind::Gid),
            setgroups: process.setgroups_allowed().ok(),
            namespaces: Kind::ALL.into_iter().map(|kind| Membership::new(process, kind)).collect(),
        })
    }

    fn text(&self) -> String {
        let or_unknown = |text: Option<String>| text.unwrap_or_else(|| "unknown".to_owned());
        let pids = self.pids.as_ref().map(|pids| {
            let pids: Vec<String> = pids.iter().map(i32::to_string).collect();
            pids.join(" > ")
        });
        let user = self.user.clone().or(self.uid.map(|uid| uid.to_string()));
        let mut out = String::new();
        for (label, value) in [
            ("process", format!("{}  {}", self.pid, self.command)),
            ("user", or_unknown(user)),
            ("pids", or_unknown(pids)),
            ("uid map", or_unknown(self.uid_map.as_deref().map(map_line))),
            ("gid map", or_unknown(self.gid_map.as_deref().map(map_line))),
            ("setgroups", or_unknown(self.setgroups.map(|on| if on { "allow" } else { "deny" }.to_owned()))),
        ] {
            out += &render::field(label, &value);
        }
        let rows: Vec<Vec<String>> = self.namespaces.iter().map(Membership::row).collect();
        out.push('\n');
        out += &Screen::stdout().table(&["NAMESPACE", " ID", "MINE", "CHILDREN IN", "CAPABILITIES"], &rows);
        out
    }
}

impl Membership {
    fn new(process: &Process, kind: Kind) -> Membership {
        let namespace = process.namespace(kind);
        let mine = Namespace::current(kind).ok();
        let mut membership = Membership {
            kind: kind.name(),
            ino: None,
            ns_id: None,
            same: None,
            for_children: None,
            capabilities: None,
            error: None,
        };
        match namespace {
            Ok(namespace) => {
                membership.ino = Some(namespace.id().ino);
                membership.ns_id = namespace.id().ns_id;
                membership.same = mine.map(|mine| mine == namespace);
                let children = process.namespace_for_children(kind).ok();
                membership.for_children =
                    children.filter(|children| *children != namespace).map(|children| children.id().ino);
                let capabilities = process.capabilities_in(&namespace).ok().flatten();
                membership.capabilities = capabilities.map(named);
            }
            Err(error) => membership.error = Some(error.to_string()),
        }
        membership
    }

    fn row(&self) -> Vec<String> {
        let dash = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let link = |ino: u64| format!("{}:[{ino}]", self.kind);
        let same = match self.same {
            Some(true) => "yes",
            Some(false) => "no",
            None => "unknown",
        };
        vec![
            self.ino.map_or_else(|| format!("{}: unknown", self.kind), link),
            dash(self.ns_id),
            same.to_owned(),
            self.for_children.map_or_else(|| "-".to_owned(), link),
            self.error.clone().or_else(|| self.capabilities.clone()).unwrap_or_else(|| "unknown".to_owned()),
        ]
    }
}

/// The names; a long list as what is missing from all.
fn named(set: Capabilities) -> String {
    let missing = Capabilities::from_bits(Capabilities::ALL.bits() & !set.bits());
    if set.numbers().count() > 20 && !missing.is_empty() {
        return format!("all but {missing}");
    }
    set.to_string()
}

/// A map as three numbers for each line.
pub(super) fn extents(map: &IdMap) -> Vec<[u32; 3]> {
    map.extents().iter().map(|extent| [extent.inside, extent.outside, extent.count]).collect()
}

/// A map on one line, as `--map` takes it.
pub(super) fn map_line(map: &[[u32; 3]]) -> String {
    if map.is_empty() {
        return "none".to_owned();
    }
    let lines: Vec<String> =
        map.iter().map(|[inside, outside, count]| format!("{inside}:{outside}:{count}")).collect();
    lines.join(",")
}

/// The command line of a process, or its name.
pub(super) fn command(pid: i32) -> String {
    let read = |file: &str| std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let line = read("cmdline");
    let line = if line.is_empty() { read("comm") } else { line };
    text::command(line.trim_ascii_end()).trim_end().trim_end_matches("\\u{0}").to_owned()
}
