//! `ns ls`: the namespaces of this machine.

use std::collections::{HashMap, HashSet};

use namespaces::discover::{Discovery, Found, Holder, Name, Relation, Sources, System};
use namespaces::{Kind, Kinds};
use serde::Serialize;

use crate::exit::ExitCode;
use crate::render::{self, JsonHolder, JsonUnreadable, Screen};
use crate::report::{Failure, print};
use crate::text;
use crate::users::Users;

/// List the namespaces of this machine and what keeps them alive
///
/// Below each user namespace stands what it owns. A namespace without a process
/// lives because of what HELD BY says: a thread, a descriptor, a socket, a file
/// it is bound to, a child, or something it owns; "unseen holder" is a
/// descriptor in flight, the kernel, or what you may not read. What could not be
/// read is counted on standard error.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only these kinds: cgroup, ipc, mnt, net, pid, time, user, uts
    #[arg(short, long, value_name = "KIND,...", default_value = "all", hide_default_value = true)]
    kind: Kinds,

    /// One line after the other instead of a tree
    #[arg(short, long)]
    flat: bool,

    /// Sort by this column, as --flat does by kind
    #[arg(short, long, value_name = "COLUMN", value_enum)]
    sort: Option<Column>,

    /// Look only here: processes, children, threads, fds, sockets, own-mounts, mounts, relatives, kernel
    #[arg(long, value_name = "SOURCE,...", default_value = "all", hide_default_value = true)]
    sources: Sources,

    /// Print JSON: an array with one object for each namespace
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Column {
    /// Kind, then inode number
    Kind,
    /// Inode number
    Ino,
    /// 64-bit id, which is the order in which they were made
    Id,
    /// Number of processes, most first
    Procs,
    /// Who made it
    Owner,
    /// Lowest pid
    Pid,
    /// Command line
    Command,
}

impl Default for Args {
    /// What `ns ls` without options means.
    fn default() -> Args {
        Args { kind: Kinds::ALL, flat: false, sort: None, sources: Sources::ALL, json: false }
    }
}

/// Lists them.
pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let system = Discovery::new().kinds(args.kind).sources(args.sources).scan()?;
    let users = Users::read();
    if args.json {
        render::print_json(&json(args, &system, &users))?;
        return Ok(ExitCode::SUCCESS);
    }
    let screen = Screen::stdout();
    let rows = if args.flat || args.sort.is_some() {
        flat(args, &system).into_iter().map(|found| row(found, String::new(), &system, &users)).collect()
    } else {
        tree(args, &system, &users)
    };
    print(&screen.table(&HEADINGS, &rows))?;
    render::warn_unreadable(system.unreadable());
    Ok(ExitCode::SUCCESS)
}

const HEADINGS: [&str; 7] = ["NAMESPACE", " ID", " PROCS", "OWNER", " PID", "HELD BY", "COMMAND"];

fn row(found: &Found, branch: String, system: &System, users: &Users) -> Vec<String> {
    let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |n| n.to_string());
    vec![
        branch + &found.name.to_string(),
        number(found.ns_id),
        found.processes.to_string(),
        found.owner_uid.map_or_else(|| "unknown".to_owned(), |uid| users.show(uid)),
        found.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
        held_by(found),
        command(found, system).map(text::command).unwrap_or_default(),
    ]
}

/// The command of the first process, or of the first that holds it.
fn command<'a>(found: &Found, system: &'a System) -> Option<&'a [u8]> {
    let pid = found.pid.or_else(|| found.holders.iter().find_map(Holder::pid))?;
    system.command(pid)
}

/// The first holder of each sort, and how many more there are of it.
fn held_by(found: &Found) -> String {
    let mut sorts: Vec<(&Holder, usize)> = Vec::new();
    for holder in &found.holders {
        match sorts.last_mut() {
            Some((first, more)) if std::mem::discriminant(*first) == std::mem::discriminant(holder) => {
                *more += 1;
            }
            _ => sorts.push((holder, 0)),
        }
    }
    let parts: Vec<String> = sorts
        .into_iter()
        .map(|(holder, more)| match (holder, more) {
            (Holder::Process { .. }, _) if found.processes == 1 => "process".to_owned(),
            (Holder::Process { .. }, _) => "processes".to_owned(),
            // Which ones the tree shows.
            (Holder::Owned(_), _) => "owner".to_owned(),
            (Holder::Child(_), _) => "parent".to_owned(),
            (holder, 0) => render::holder(holder),
            (holder, more) => format!("{} +{more}", render::holder(holder)),
        })
        .collect();
    parts.join(", ")
}

fn flat<'a>(args: &Args, system: &'a System) -> Vec<&'a Found> {
    let mut list: Vec<&Found> = system.iter().filter(|found| args.kind.contains(found.name.kind)).collect();
    match args.sort.unwrap_or(Column::Kind) {
        Column::Kind => {}
        Column::Ino => list.sort_by_key(|found| found.name.ino),
        Column::Id => list.sort_by_key(|found| (found.ns_id.is_none(), found.ns_id)),
        Column::Procs => list.sort_by_key(|found| std::cmp::Reverse(found.processes)),
        Column::Owner => list.sort_by_key(|found| (found.owner_uid.is_none(), found.owner_uid)),
        Column::Pid => list.sort_by_key(|found| (found.pid.is_none(), found.pid)),
        Column::Command => list.sort_by_cached_key(|found| command(found, system).map(text::command)),
    }
    list
}

/// The rows in the order of the tree, with its branches drawn. A user namespace
/// that is not asked for is shown if it owns something that is.
fn tree(args: &Args, system: &System, users: &Users) -> Vec<Vec<String>> {
    let mut below: HashMap<Option<Name>, Vec<&Found>> = HashMap::new();
    let mut wanted = HashSet::new();
    for found in system.iter().filter(|found| args.kind.contains(found.name.kind)) {
        let mut at = Some(found);
        while let Some(found) = at.filter(|found| wanted.insert(found.name)) {
            let owner = found.owner.name().and_then(|name| system.get(name));
            below.entry(owner.map(|owner| owner.name)).or_default().push(found);
            at = owner;
        }
    }
    for list in below.values_mut() {
        // What belongs to the user namespace itself first, then those inside.
        list.sort_by_key(|found| (found.name.kind == Kind::User, found.name));
    }
    let mut rows = Vec::with_capacity(wanted.len());
    // Those whose owner is not known come last.
    let mut roots: Vec<&Found> = below.remove(&None).unwrap_or_default();
    roots.sort_by_key(|found| (found.name.kind != Kind::User, found.name));
    for root in roots {
        rows.push(row(root, String::new(), system, users));
        branches(root, "", &below, &mut |found, branch| rows.push(row(found, branch, system, users)));
    }
    rows
}

fn branches<'a>(
    at: &Found,
    indent: &str,
    below: &HashMap<Option<Name>, Vec<&'a Found>>,
    each: &mut impl FnMut(&'a Found, String),
) {
    let Some(list) = below.get(&Some(at.name)) else { return };
    for (i, found) in list.iter().enumerate() {
        let last = i + 1 == list.len();
        each(found, format!("{indent}{}", if last { "└─" } else { "├─" }));
        branches(found, &format!("{indent}{}", if last { "  " } else { "│ " }), below, each);
    }
}

#[derive(Serialize)]
struct Json<'a> {
    namespaces: Vec<JsonNamespace<'a>>,
    /// Whether nothing was unreadable.
    complete: bool,
    unreadable: JsonUnreadable,
}

/// One namespace. `unknown` names the keys that are null because their value
/// could not be learnt, and not because there is none.
#[derive(Serialize)]
pub(crate) struct JsonNamespace<'a> {
    kind: &'static str,
    ino: u64,
    ns_id: Option<u64>,
    owner: Option<u64>,
    parent: Option<u64>,
    owner_uid: Option<u32>,
    user: Option<&'a str>,
    processes: u32,
    pid: Option<i32>,
    command: Option<String>,
    holders: Vec<JsonHolder>,
    holders_omitted: u32,
    unknown: Vec<&'static str>,
}

impl<'a> JsonNamespace<'a> {
    pub(crate) fn new(found: &Found, system: &System, users: &'a Users) -> JsonNamespace<'a> {
        let unknown = [
            ("ns_id", found.ns_id.is_none()),
            ("owner", found.owner == Relation::Unknown),
            ("parent", found.parent == Relation::Unknown),
            ("owner_uid", found.owner_uid.is_none()),
        ];
        JsonNamespace {
            kind: found.name.kind.name(),
            ino: found.name.ino,
            ns_id: found.ns_id,
            owner: found.owner.name().map(|name| name.ino),
            parent: found.parent.name().map(|name| name.ino),
            owner_uid: found.owner_uid,
            user: found.owner_uid.and_then(|uid| users.name(uid)),
            processes: found.processes,
            pid: found.pid,
            command: command(found, system).map(text::command),
            holders: found.holders.iter().map(JsonHolder::from).collect(),
            holders_omitted: found.holders_omitted,
            unknown: unknown.into_iter().filter(|(_, is)| *is).map(|(key, _)| key).collect(),
        }
    }
}

fn json<'a>(args: &Args, system: &System, users: &'a Users) -> Json<'a> {
    Json {
        namespaces: flat(args, system)
            .into_iter()
            .map(|found| JsonNamespace::new(found, system, users))
            .collect(),
        complete: system.unreadable().is_empty(),
        unreadable: system.unreadable().into(),
    }
}
