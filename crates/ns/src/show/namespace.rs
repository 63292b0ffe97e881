//! What there is to say about a namespace.

use namespaces::discover::{Discovery, Found, Holder, Name, Relation, System};
use namespaces::{Kind, Namespace};
use serde::Serialize;

use super::inside::{self, Inside};
use crate::ls::JsonNamespace;
use crate::render::{self, JsonUnreadable};
use crate::report::{Failure, print};
use crate::users::Users;

/// A namespace as JSON: what `ns ls` says, and more.
#[derive(Serialize)]
struct View<'a> {
    #[serde(flatten)]
    base: JsonNamespace<'a>,
    /// Device number of nsfs.
    dev: u64,
    /// Whether it is the caller's.
    same: Option<bool>,
    /// The owner, its parent, and so on.
    owners: Vec<Above>,
    /// The parent, its parent, and so on.
    parents: Vec<Above>,
    inside: Inside,
    unreadable: JsonUnreadable,
}

/// A namespace above this one.
#[derive(Serialize)]
struct Above {
    kind: &'static str,
    ino: u64,
    ns_id: Option<u64>,
    owner_uid: Option<u32>,
    /// Whether the next one up is unknown, and not missing.
    #[serde(skip)]
    open: bool,
}

pub(super) fn show(namespace: &Namespace, json: bool) -> Result<(), Failure> {
    let system = Discovery::new().scan()?;
    let name = Name::from(namespace);
    let mut found = system.get(name).ok_or_else(|| {
        Failure::new(format!("{name} was opened, and then not found: it is held by nothing but this command"))
    })?;
    // The descriptor that this command has open is no holder.
    let me = i32::try_from(std::process::id()).unwrap_or(0);
    let mut without_me = found.clone();
    without_me.holders.retain(|holder| !matches!(holder, Holder::Fd { pid, .. } if *pid == me));
    if without_me.holders.is_empty() {
        without_me.holders.push(Holder::Unseen);
    }
    found = &without_me;
    let users = Users::read();
    let inside = inside::look(namespace, found);
    if json {
        return render::print_json(&View {
            base: JsonNamespace::new(found, &system, &users),
            dev: namespace.id().dev,
            same: same(namespace),
            owners: chain(&system, found.owner, |found| found.owner),
            parents: chain(&system, found.parent, |found| found.parent),
            inside,
            unreadable: system.unreadable().into(),
        });
    }
    print(&text(namespace, found, &system, &users, &inside))?;
    render::warn_unreadable(system.unreadable());
    Ok(())
}

fn same(namespace: &Namespace) -> Option<bool> {
    Namespace::current(namespace.kind()).ok().map(|mine| mine == *namespace)
}

fn chain(system: &System, first: Relation, next: impl Fn(&Found) -> Relation) -> Vec<Above> {
    let mut chain = Vec::new();
    let mut at = first;
    // User and pid namespaces nest 32 deep at most.
    while let Some(name) = at.name().filter(|_| chain.len() < 40) {
        let found = system.get(name);
        at = found.map_or(Relation::Unknown, &next);
        chain.push(Above {
            kind: name.kind.name(),
            ino: name.ino,
            ns_id: found.and_then(|found| found.ns_id),
            owner_uid: found.and_then(|found| found.owner_uid),
            open: at == Relation::Unknown,
        });
    }
    chain
}

fn text(namespace: &Namespace, found: &Found, system: &System, users: &Users, inside: &Inside) -> String {
    let owners = chain(system, found.owner, |found| found.owner);
    let parents = chain(system, found.parent, |found| found.parent);
    let id = found.ns_id.map_or_else(|| "unknown".to_owned(), |id| id.to_string());
    let uid = found.owner_uid.map_or_else(|| "unknown".to_owned(), |uid| users.show(uid));
    let mine = match same(namespace) {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    };
    let mut out = String::new();
    out += &render::field("namespace", &found.name.to_string());
    out += &render::field("id", &id);
    out += &render::field("mine", mine);
    out += &render::field("made by", &uid);
    if found.name.kind != Kind::User {
        out += &render::field("owner", &chain_text(found.owner, &owners));
    }
    if matches!(found.name.kind, Kind::User | Kind::Pid) {
        out += &render::field("parent", &chain_text(found.parent, &parents));
    }
    out += &render::field("processes", &found.processes.to_string());
    for (i, holder) in found.holders.iter().enumerate() {
        out += &render::field(if i == 0 { "held by" } else { "" }, &holder_text(holder, system));
    }
    if found.holders_omitted > 0 {
        out += &render::field("", &format!("and {} more", found.holders_omitted));
    }
    out + &inside.text()
}

fn holder_text(holder: &Holder, system: &System) -> String {
    let command = holder.pid().and_then(|pid| system.command(pid)).map(crate::text::command);
    match command {
        Some(command) => format!("{}  ({command})", render::holder(holder)),
        None => render::holder(holder),
    }
}

fn chain_text(first: Relation, chain: &[Above]) -> String {
    match (first, chain.last()) {
        (Relation::None, _) => "none".to_owned(),
        (_, None) => "unknown".to_owned(),
        (_, Some(last)) => {
            let mut parts: Vec<String> =
                chain.iter().map(|above| format!("{}:[{}]", above.kind, above.ino)).collect();
            if last.open {
                parts.push("unknown".to_owned());
            }
            parts.join(" < ")
        }
    }
}
