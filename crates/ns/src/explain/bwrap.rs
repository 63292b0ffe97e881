//! The namespaces that a command line of bubblewrap makes.

use namespaces::explain::Question;
use namespaces::{IdMap, Kind, Kinds, Spawn};

use crate::report::Failure;

/// How many values an option has that is passed over.
fn values(option: &str) -> usize {
    match option {
        "--bind" | "--ro-bind" | "--dev-bind" | "--bind-try" | "--ro-bind-try" | "--dev-bind-try"
        | "--symlink" | "--setenv" | "--chmod" | "--file" | "--bind-data" | "--ro-bind-data"
        | "--bind-fd" | "--ro-bind-fd" => 2,
        "--overlay" => 3,
        "--proc" | "--dev" | "--tmpfs" | "--mqueue" | "--dir" | "--chdir" | "--unsetenv" | "--lock-file"
        | "--seccomp" | "--add-seccomp-fd" | "--args" | "--argv0" | "--exec-label" | "--file-label"
        | "--block-fd" | "--userns-block-fd" | "--info-fd" | "--json-status-fd" | "--sync-fd"
        | "--userns" | "--userns2" | "--pidns" | "--cap-add" | "--cap-drop" | "--perms" | "--size"
        | "--remount-ro" | "--overlay-src" | "--tmp-overlay" | "--ro-overlay" | "--uid" | "--gid"
        | "--hostname" => 1,
        _ => 0,
    }
}

pub(super) fn question(words: &[String]) -> Result<Question, Failure> {
    let words = words.strip_prefix(&["bwrap".to_owned()]).unwrap_or(words);
    let mut kinds = Kinds::from(Kind::Mnt);
    let (mut uid, mut gid, mut hostname, mut proc) = (None, None, None, false);
    let mut at = 0;
    while let Some(option) = words.get(at).filter(|word| word.starts_with("--") && word.as_str() != "--") {
        let value = words.get(at + 1);
        match option.as_str() {
            "--unshare-all" => {
                kinds = Kinds::ALL.without(Kind::Time);
            }
            "--share-net" => kinds = kinds.without(Kind::Net),
            "--proc" => proc = true,
            "--uid" => uid = value.and_then(|id| id.parse().ok()),
            "--gid" => gid = value.and_then(|id| id.parse().ok()),
            "--hostname" => hostname = value.cloned(),
            other => {
                let name = other.strip_prefix("--unshare-").map(|name| name.trim_end_matches("-try"));
                if let Some(kind) = name.and_then(|name| name.parse().ok()) {
                    kinds.insert(kind);
                }
            }
        }
        at += 1 + values(option);
    }
    let root = rustix::process::geteuid().is_root();
    // Without privilege bubblewrap can do nothing but in a user namespace.
    if !root {
        kinds.insert(Kind::User);
    }
    let mut spawn = Spawn::new("true");
    spawn.unshare(kinds);
    if kinds.contains(Kind::User) {
        let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let single = |inside: Option<u32>, own| IdMap::single(inside.unwrap_or(own), own);
        let invalid = |error: namespaces::MapError| Failure::new(error);
        spawn.uid_map(single(uid, own.0).map_err(invalid)?).gid_map(single(gid, own.1).map_err(invalid)?);
    }
    if let (Some(name), true) = (hostname, kinds.contains(Kind::Uts)) {
        spawn.hostname(name);
    }
    if kinds.contains(Kind::Net) {
        spawn.loopback_up();
    }
    if proc && kinds.contains(Kind::Pid) {
        spawn.mount_proc();
    }
    Ok(Question::Launch(spawn.plan()?))
}
