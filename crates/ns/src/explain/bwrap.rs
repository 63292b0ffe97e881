//! The namespaces that a command line of bubblewrap makes.

use namespaces::explain::Question;
use namespaces::{IdMap, Kind, Kinds, Spawn};

use crate::report::Failure;

/// How many values an option has; `None` if there is no such option.
fn values(option: &str) -> Option<usize> {
    Some(match option {
        "--overlay" => 3,
        "--bind" | "--ro-bind" | "--dev-bind" | "--bind-try" | "--ro-bind-try" | "--dev-bind-try"
        | "--symlink" | "--setenv" | "--chmod" | "--file" | "--bind-data" | "--ro-bind-data"
        | "--bind-fd" | "--ro-bind-fd" => 2,
        "--proc" | "--dev" | "--tmpfs" | "--mqueue" | "--dir" | "--chdir" | "--unsetenv" | "--lock-file"
        | "--seccomp" | "--add-seccomp-fd" | "--args" | "--argv0" | "--exec-label" | "--file-label"
        | "--block-fd" | "--userns-block-fd" | "--info-fd" | "--json-status-fd" | "--sync-fd"
        | "--userns" | "--userns2" | "--pidns" | "--cap-add" | "--cap-drop" | "--perms" | "--size"
        | "--remount-ro" | "--overlay-src" | "--tmp-overlay" | "--ro-overlay" | "--uid" | "--gid"
        | "--hostname" => 1,
        "--unshare-all"
        | "--unshare-user"
        | "--unshare-user-try"
        | "--unshare-ipc"
        | "--unshare-pid"
        | "--unshare-net"
        | "--unshare-uts"
        | "--unshare-cgroup"
        | "--unshare-cgroup-try"
        | "--share-net"
        | "--disable-userns"
        | "--assert-userns-disabled"
        | "--clearenv"
        | "--new-session"
        | "--die-with-parent"
        | "--as-pid-1"
        | "--level-prefix" => 0,
        _ => return None,
    })
}

/// What a command line asks for.
#[derive(Default)]
struct Wanted {
    kinds: Kinds,
    /// Those that are left out where there is no support for them.
    try_only: Kinds,
    uid: Option<u32>,
    gid: Option<u32>,
    hostname: Option<String>,
    proc: bool,
}

pub(super) fn question(words: &[String]) -> Result<Question, Failure> {
    let words = words.strip_prefix(&["bwrap".to_owned()]).unwrap_or(words);
    let mut wanted = read(words)?;
    let root = rustix::process::geteuid().is_root();
    let missing: Kinds = wanted.try_only.iter().filter(|kind| !is_there(*kind)).collect();
    wanted.kinds = wanted.kinds.difference(missing).with(Kind::Mnt);
    // Without privilege bubblewrap can do nothing but in a user namespace.
    if !root {
        wanted.kinds.insert(Kind::User);
    }
    wanted.check()?;
    wanted.launch()
}

fn read(words: &[String]) -> Result<Wanted, Failure> {
    let mut wanted = Wanted::default();
    let mut at = 0;
    while let Some(option) = words.get(at).filter(|word| word.starts_with("--") && word.as_str() != "--") {
        let unknown = || Failure::new(format!("bwrap has no option {option} that is known here"));
        let count = values(option).ok_or_else(unknown)?;
        let given = words.get(at + 1..at + 1 + count);
        let given =
            given.ok_or_else(|| Failure::new(format!("bwrap wants {count} values after {option}")))?;
        wanted.take(option, given.first().map_or("", String::as_str))?;
        at += 1 + count;
    }
    Ok(wanted)
}

/// Whether this kernel has namespaces of a kind, and lets one be made: what bubblewrap looks at
/// for the options that end with `-try`.
fn is_there(kind: Kind) -> bool {
    let number = |path: &str| std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
    let is_off = kind == Kind::User && number("/proc/sys/user/max_user_namespaces") == Some(0_u64);
    std::path::Path::new(&format!("/proc/self/ns/{kind}")).exists() && !is_off
}

impl Wanted {
    fn take(&mut self, option: &str, value: &str) -> Result<(), Failure> {
        let id = || {
            let id = value.parse().ok().filter(|id| *id != u32::MAX);
            id.ok_or_else(|| Failure::new(format!("bwrap wants an id after {option}, not {value:?}")))
                .map(Some)
        };
        match option {
            "--unshare-all" => {
                self.kinds = Kinds::ALL.without(Kind::Time);
                self.try_only = Kinds::from_iter([Kind::User, Kind::Cgroup]);
            }
            "--share-net" => self.kinds = self.kinds.without(Kind::Net),
            "--proc" => self.proc = true,
            "--uid" => self.uid = id()?,
            "--gid" => self.gid = id()?,
            "--hostname" => self.hostname = Some(value.to_owned()),
            "--userns" | "--userns2" | "--pidns" => {
                return Err(Failure::new(format!(
                    "{option} joins a namespace by a descriptor that only bwrap has"
                )));
            }
            other => {
                let Some(name) = other.strip_prefix("--unshare-") else { return Ok(()) };
                let kind = name.trim_end_matches("-try").parse::<Kind>()?;
                self.kinds.insert(kind);
                self.try_only = if name.ends_with("-try") {
                    self.try_only.with(kind)
                } else {
                    self.try_only.without(kind)
                };
            }
        }
        Ok(())
    }

    /// What bubblewrap refuses before it does anything.
    fn check(&self) -> Result<(), Failure> {
        let needs = |option, given, kind| {
            let lacks = given && !self.kinds.contains(kind);
            let line = format!("bwrap wants --unshare-{kind} with {option}");
            if lacks { Err(Failure::new(line)) } else { Ok(()) }
        };
        needs("--uid", self.uid.is_some(), Kind::User)?;
        needs("--gid", self.gid.is_some(), Kind::User)?;
        needs("--hostname", self.hostname.is_some(), Kind::Uts)
    }

    fn launch(self) -> Result<Question, Failure> {
        let mut spawn = Spawn::new("true");
        spawn.unshare(self.kinds);
        if self.kinds.contains(Kind::User) {
            let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
            let single = |inside: Option<u32>, own| IdMap::single(inside.unwrap_or(own), own);
            let invalid = |error: namespaces::MapError| Failure::new(error);
            spawn.uid_map(single(self.uid, own.0).map_err(invalid)?);
            spawn.gid_map(single(self.gid, own.1).map_err(invalid)?);
        }
        if let Some(name) = self.hostname {
            spawn.hostname(name);
        }
        if self.kinds.contains(Kind::Net) {
            spawn.loopback_up();
        }
        if self.proc && self.kinds.contains(Kind::Pid) {
            spawn.mount_proc();
        }
        Ok(Question::Launch(spawn.plan()?))
    }
}
