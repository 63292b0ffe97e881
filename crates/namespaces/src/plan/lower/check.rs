//! What can never work, found before anything is done.

use std::ffi::OsString;

use crate::error::{Error, Result};
use crate::idmap::IdMap;
use crate::kind::Kind;
use crate::plan::{Form, JoinTarget};
use crate::spawn::{InPlace, Root, Spawn};

/// What only makes sense in a new namespace would otherwise change the
/// caller's own: refuse it here.
pub(super) fn all(spawn: &Spawn, form: Form) -> Result<()> {
    let needs = |asked: Option<String>, kind: Kind, what: &'static str, why: &'static str| match asked {
        Some(value) if !spawn.kinds.contains(kind) => Err(Error::invalid(what, value, why)),
        _ => Ok(()),
    };
    let text = |name: &OsString| name.to_string_lossy().into_owned();
    let map = spawn.uid_map.as_ref().or(spawn.gid_map.as_ref());
    let pivot = match &spawn.root {
        Some(Root::Pivot(dir)) => Some(dir.display().to_string()),
        _ => None,
    };
    let (user, uts, time) =
        ("it needs a new user namespace", "it needs a new uts namespace", "it needs a new time namespace");
    let mnt = "it needs a new mnt namespace";
    needs(map.map(IdMap::to_string), Kind::User, "id map", user)?;
    needs(spawn.hostname.as_ref().map(text), Kind::Uts, "hostname", uts)?;
    needs(spawn.domainname.as_ref().map(text), Kind::Uts, "domain name", uts)?;
    needs(spawn.monotonic.map(|s| s.to_string()), Kind::Time, "monotonic offset", time)?;
    needs(spawn.boottime.map(|s| s.to_string()), Kind::Time, "boottime offset", time)?;
    needs(spawn.propagation.map(|mode| mode.to_string()), Kind::Mnt, "propagation", mnt)?;
    needs(spawn.mount_proc.then(|| "/proc".to_owned()), Kind::Mnt, "place for a new proc", mnt)?;
    needs(
        spawn.loopback.then(|| "lo".to_owned()),
        Kind::Net,
        "device to set up",
        "it needs a new net namespace",
    )?;
    needs(pivot, Kind::Mnt, "new root", mnt)?;
    needs(spawn.init.map(|_| "init".to_owned()), Kind::Pid, "pid 1", "it needs a new pid namespace")?;
    in_place(spawn, form)?;
    // `create_pid_namespace`: the caller's own must be the one that its
    // children are in, and joining makes the two differ.
    let joined = spawn.join.as_ref().map(JoinTarget::kinds).unwrap_or_default();
    if joined.contains(Kind::Pid) && spawn.kinds.contains(Kind::Pid) {
        let why = "who joined a pid namespace can't make another; start a program there that does";
        return Err(Error::invalid("new namespace", Kind::Pid.name(), why));
    }
    for (kind, _) in &spawn.pins {
        needs(
            Some(kind.to_string()),
            *kind,
            "kind to pin",
            "only a namespace that is made new can be pinned here",
        )?;
    }
    Ok(())
}

/// What only a caller can do that takes the new namespaces itself, and what
/// such a caller can't.
fn in_place(spawn: &Spawn, form: Form) -> Result<()> {
    let InPlace { owner, binds, proc_on, binfmt_on, binfmt, .. } = &spawn.in_place;
    let here = form == Form::Exec || spawn.unshare_in_place;
    let refuse = |what, value: String, why| Err(Error::invalid(what, value, why));
    match (owner, binds.first()) {
        (Some((uid, gid)), _) if !here => {
            return refuse("owner", format!("{uid}:{gid}"), "the caller must take the new namespaces itself");
        }
        (_, Some((_, path))) if !here => {
            let why = "the caller must take the new namespaces itself; or pin it";
            return refuse("file to bind to", path.display().to_string(), why);
        }
        _ => {}
    }
    if here && (spawn.init.is_some() || !spawn.pins.is_empty()) {
        return refuse("launch", "in place".to_owned(), "it goes without an init and without pins");
    }
    let mnt = spawn.kinds.contains(Kind::Mnt);
    if let (Some(place), false) = (proc_on.as_ref().or(binfmt_on.as_ref()), mnt) {
        return refuse("place to mount on", place.display().to_string(), "it needs a new mnt namespace");
    }
    if let (Some(format), None) = (binfmt, binfmt_on) {
        return refuse("binary format", format.to_string_lossy().into_owned(), "binfmt_misc is not mounted");
    }
    Ok(())
}
