//! From what was asked for to the steps that do it.

use std::ffi::{CString, OsStr, OsString};
use std::fmt::Write;
use std::os::fd::RawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use super::step::{JoinTarget, Place, Source, Step};
use super::{Actor, Plan, PlanStep};
use crate::caps::Capabilities;
use crate::error::{Error, Result};
use crate::idmap::{IdKind, IdMap, MapWriter};
use crate::kind::Kind;
use crate::spawn::{CapabilityPolicy, Propagation, Root, Spawn, Stdio, effective_ids};

/// The steps for `spawn`, in the order in which the kernel allows them.
pub(crate) fn lower(spawn: &Spawn) -> Result<Plan> {
    check_kinds(spawn)?;
    let mut lowering = Lowering::new(spawn);
    lowering.joins();
    lowering.clone();
    lowering.maps()?;
    lowering.pins();
    lowering.clocks()?;
    lowering.names()?;
    lowering.mounts()?;
    lowering.init();
    lowering.identity()?;
    lowering.descriptors()?;
    lowering.execute()?;
    Ok(Plan { steps: lowering.steps })
}

/// What only makes sense in a new namespace would otherwise change the
/// caller's own: refuse it here.
fn check_kinds(spawn: &Spawn) -> Result<()> {
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

struct Lowering<'a> {
    spawn: &'a Spawn,
    steps: Vec<PlanStep>,
    /// Whether the child shares the maker's memory until it executes.
    share_memory: bool,
    /// Who takes the last steps: the child, or the program beside init.
    last: Actor,
}

impl<'a> Lowering<'a> {
    fn new(spawn: &'a Spawn) -> Lowering<'a> {
        Lowering {
            spawn,
            steps: Vec::new(),
            share_memory: may_share_memory(spawn),
            last: if spawn.init.is_some() { Actor::Program } else { Actor::Child },
        }
    }

    fn push(&mut self, actor: Actor, step: Step) {
        self.steps.push(PlanStep { actor, step });
    }

    fn child(&mut self, step: Step) {
        self.push(Actor::Child, step);
    }

    /// Who joins and makes the child: a joiner if there is something to join
    /// and the caller is not to move.
    fn maker(&self) -> Actor {
        match self.spawn.join {
            Some(_) if !self.spawn.join_in_place => Actor::Joiner,
            _ => Actor::Caller,
        }
    }

    fn joins(&mut self) {
        if let Some(target) = &self.spawn.join {
            // Processes in there may be hostile; see `may_share_memory`.
            self.push(self.maker(), Step::Undumpable);
            self.push(self.maker(), Step::Join(target.clone()));
        }
    }

    /// Whether the offsets of the new time namespace must be set by way of
    /// `unshare`: a clone without `CLONE_VM` enters it at once, and the
    /// offsets can't be changed any more (`time_namespaces(7)`).
    fn time_by_unshare(&self) -> bool {
        let offsets = self.spawn.monotonic.is_some() || self.spawn.boottime.is_some();
        offsets && !self.share_memory
    }

    fn clone(&mut self) {
        let mut kinds = self.spawn.kinds;
        if self.time_by_unshare() {
            kinds.remove(Kind::Time);
        }
        self.push(self.maker(), Step::Clone { kinds, share_memory: self.share_memory });
        if let Some(signal) = self.spawn.parent_death_signal {
            self.child(Step::ParentDeathSignal(signal));
        }
        if self.time_by_unshare() {
            self.child(Step::UnshareTime);
        }
    }

    fn maps(&mut self) -> Result<()> {
        let Spawn { uid_map, gid_map, map_writer, .. } = self.spawn;
        let writer = match map_writer {
            MapWriter::Auto => map_writer_for(uid_map.as_ref(), gid_map.as_ref())?,
            writer => *writer,
        };
        let actor = if writer == MapWriter::Child { Actor::Child } else { Actor::Caller };
        if writer == MapWriter::Child && gid_map.is_some() {
            self.child(Step::DenySetgroups);
        }
        // The group map first: once uids are mapped, nothing about gids is easier.
        for (kind, map) in [(IdKind::Gid, gid_map), (IdKind::Uid, uid_map)] {
            if let Some(map) = map {
                self.push(actor, Step::WriteMap { kind, map: map.clone(), writer });
            }
        }
        Ok(())
    }

    fn pins(&mut self) {
        for (kind, path) in &self.spawn.pins {
            self.push(Actor::Caller, Step::Pin { kind: *kind, path: path.clone() });
        }
    }

    fn clocks(&mut self) -> Result<()> {
        /// `KTIME_SEC_MAX`: beyond it the kernel answers with ERANGE.
        const MOST: u64 = 9_223_372_036;
        let mut text = String::new();
        for (clock, seconds) in [("monotonic", self.spawn.monotonic), ("boottime", self.spawn.boottime)] {
            let Some(seconds) = seconds else { continue };
            if seconds.unsigned_abs() > MOST {
                return Err(Error::invalid("time offset", seconds.to_string(), "at most 9223372036 seconds"));
            }
            let _ = writeln!(text, "{clock} {seconds} 0");
        }
        if !text.is_empty() {
            self.child(Step::TimeOffsets(c_string("time offset", text.as_ref())?));
        }
        if self.time_by_unshare() {
            self.child(Step::EnterTime);
        }
        Ok(())
    }

    fn names(&mut self) -> Result<()> {
        if let Some(name) = &self.spawn.hostname {
            self.child(Step::Hostname(uts_name("hostname", name)?));
        }
        if let Some(name) = &self.spawn.domainname {
            self.child(Step::Domainname(uts_name("domain name", name)?));
        }
        if self.spawn.loopback {
            self.child(Step::LoopbackUp);
        }
        Ok(())
    }

    fn mounts(&mut self) -> Result<()> {
        let propagation = self.spawn.propagation.unwrap_or_default();
        if self.spawn.kinds.contains(Kind::Mnt) && propagation != Propagation::Unchanged {
            self.child(Step::Propagation(propagation));
        }
        let root = match &self.spawn.root {
            Some(Root::Chroot(dir) | Root::Pivot(dir)) => Some(c_path("root directory", dir)?),
            None => None,
        };
        if self.spawn.mount_proc {
            // Before the old root goes: a proc may only be mounted where one
            // is fully visible (the kernel's `mount_too_revealing`).
            self.child(Step::MountProc { root: root.clone() });
        }
        match (&self.spawn.root, root) {
            (Some(Root::Chroot(_)), Some(root)) => self.child(Step::Chroot(root)),
            (Some(Root::Pivot(_)), Some(root)) => self.child(Step::PivotRoot(root)),
            _ => {}
        }
        if let Some(dir) = &self.spawn.current_dir {
            self.child(Step::Chdir(c_path("directory", dir)?));
        }
        Ok(())
    }

    fn init(&mut self) {
        let Some(init) = self.spawn.init else { return };
        if !init.readable {
            self.child(Step::Undumpable);
        }
        self.child(Step::Init);
    }

    fn identity(&mut self) -> Result<()> {
        let spawn = self.spawn;
        let last = self.last;
        if spawn.new_session {
            self.push(last, Step::NewSession);
        }
        let keep = match spawn.capabilities {
            CapabilityPolicy::ByExec => None,
            CapabilityPolicy::Keep => Some(None),
            CapabilityPolicy::Exactly(set) => Some(Some(set)),
        };
        if let Some(Some(set)) = keep {
            self.push(last, Step::BoundingSet(set));
        }
        if keep.is_some() && spawn.uid.is_some() {
            self.push(last, Step::KeepCapabilities);
        }
        match (&spawn.groups, spawn.gid) {
            (Some(groups), _) => {
                self.push(last, Step::Groups { groups: groups.clone(), if_allowed: false });
            }
            (None, Some(_)) => self.push(last, Step::Groups { groups: Vec::new(), if_allowed: true }),
            (None, None) => {}
        }
        for (what, id) in [("group id", spawn.gid), ("user id", spawn.uid)] {
            if id == Some(u32::MAX) {
                return Err(Error::invalid(what, u32::MAX.to_string(), "this number means no id"));
            }
        }
        if let Some(gid) = spawn.gid {
            self.push(last, Step::Gid(gid));
        }
        if let Some(uid) = spawn.uid {
            self.push(last, Step::Uid(uid));
        }
        if let Some(set) = keep {
            self.push(last, Step::Capabilities(set));
        }
        if spawn.no_new_privs {
            self.push(last, Step::NoNewPrivs);
        }
        // A change of credentials clears it: once more, if this process is
        // still the one whose parent is the caller.
        let changed = spawn.uid.is_some() || spawn.gid.is_some() || keep.is_some();
        if changed && spawn.join.is_some() {
            // And sets this anew, to what /proc/sys/fs/suid_dumpable says.
            self.push(last, Step::Undumpable);
        }
        if let (Actor::Child, true, Some(signal)) = (last, changed, spawn.parent_death_signal) {
            self.child(Step::ParentDeathSignal(signal));
        }
        Ok(())
    }

    fn descriptors(&mut self) -> Result<()> {
        let mut places = Vec::new();
        for (fd, stdio) in Stdio::NUMBERS.into_iter().zip(&self.spawn.stdio) {
            places.extend(stdio.source().map(|source| Place { fd, source }));
        }
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(1 << 20);
        for (fd, from) in self.spawn.extra_fds() {
            if u64::from(fd.cast_unsigned()) >= limit {
                return Err(Error::invalid(
                    "descriptor number",
                    fd.to_string(),
                    "it is above the limit, RLIMIT_NOFILE",
                ));
            }
            if fd < 3 || places.iter().any(|place| place.fd == fd) {
                return Err(Error::invalid(
                    "descriptor number",
                    fd.to_string(),
                    "it must be 3 or above, and given once",
                ));
            }
            places.push(Place { fd, source: Source::Fd(from) });
        }
        let mut keep: Vec<RawFd> = Stdio::NUMBERS.to_vec();
        keep.extend(self.spawn.extra_fds().map(|(fd, _)| fd));
        keep.sort_unstable();
        if !places.is_empty() {
            self.push(self.last, Step::Descriptors(places));
        }
        self.push(self.last, Step::CloseOthers(keep));
        Ok(())
    }

    fn execute(&mut self) -> Result<()> {
        let spawn = self.spawn;
        let name = spawn.arg0.as_ref().unwrap_or(&spawn.program);
        let argv = std::iter::once(name).chain(&spawn.args);
        let argv = argv.map(|arg| c_string("argument", arg)).collect::<Result<_>>()?;
        let untouched = !spawn.env_cleared && spawn.env.is_empty();
        let env = if untouched { None } else { Some(environment(spawn)) };
        let path = match &env {
            None => std::env::var_os("PATH"),
            Some(env) => env.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone()),
        };
        let envp = env.map(|env| env.iter().map(|(name, value)| pair(name, value)).collect()).transpose()?;
        let candidates = candidates(&spawn.program, path.as_deref())?;
        self.push(self.last, Step::Signals);
        self.push(self.last, Step::Execute { candidates, argv, envp });
        Ok(())
    }
}

/// Whether the new process may run in the caller's memory until it executes
/// the program, which is many times faster than a copy.
///
/// Not if it changes credentials: a process that may trace the new one, but
/// not the caller, would get at the caller's memory through it. In a namespace
/// that is new there is no such process. One that joins namespaces may meet
/// hostile ones: it runs in the memory of the joiner, or of a caller who
/// joined in place, and both are untraceable. And init, which stays, needs memory of its own.
fn may_share_memory(spawn: &Spawn) -> bool {
    let credentials = spawn.uid.is_some()
        || spawn.gid.is_some()
        || spawn.groups.is_some()
        || !matches!(spawn.capabilities, CapabilityPolicy::ByExec);
    spawn.init.is_none() && (spawn.join.is_some() || !credentials)
}

/// The writer that needs the least, see [`MapWriter`].
fn map_writer_for(uid_map: Option<&IdMap>, gid_map: Option<&IdMap>) -> Result<MapWriter> {
    let (euid, egid) = effective_ids();
    let own = |map: Option<&IdMap>, id: u32| {
        map.is_none_or(|map| matches!(map.extents(), [e] if e.count == 1 && e.outside == id))
    };
    if own(uid_map, euid) && own(gid_map, egid) {
        return Ok(MapWriter::Child);
    }
    let sets = rustix::thread::capabilities(None)
        .map_err(|errno| Error::call("reading", "the caller's capabilities", errno))?;
    let effective = Capabilities::from_bits(sets.effective.bits());
    if effective.contains(Capabilities::SETUID.union(Capabilities::SETGID)) {
        return Ok(MapWriter::Caller);
    }
    Ok(MapWriter::Helpers)
}

/// The environment of the program, in the caller's order with changes last.
fn environment(spawn: &Spawn) -> Vec<(OsString, OsString)> {
    let mut env: Vec<(OsString, OsString)> =
        if spawn.env_cleared { Vec::new() } else { std::env::vars_os().collect() };
    for (name, value) in &spawn.env {
        env.retain(|(known, _)| known != name);
        if let Some(value) = value {
            env.push((name.clone(), value.clone()));
        }
    }
    env
}

fn pair(name: &OsStr, value: &OsStr) -> Result<CString> {
    let mut pair = name.to_owned();
    pair.push("=");
    pair.push(value);
    c_string("environment variable", &pair)
}

/// The paths that `execvp(3)` would try.
fn candidates(program: &OsStr, path: Option<&OsStr>) -> Result<Vec<CString>> {
    if program.is_empty() {
        return Ok(Vec::new());
    }
    if program.as_bytes().contains(&b'/') {
        return Ok(vec![c_string("program", program)?]);
    }
    let path = path.unwrap_or(OsStr::new("/bin:/usr/bin"));
    let candidate = |dir: &[u8]| {
        let mut file = dir.to_vec();
        if !dir.is_empty() {
            file.push(b'/');
        }
        file.extend_from_slice(program.as_bytes());
        c_string("program", &OsString::from_vec(file))
    };
    path.as_bytes().split(|b| *b == b':').map(candidate).collect()
}

fn uts_name(what: &'static str, name: &OsStr) -> Result<CString> {
    /// `__NEW_UTS_LEN`.
    const MOST: usize = 64;
    if name.len() > MOST {
        return Err(Error::invalid(what, name.to_string_lossy(), "at most 64 bytes"));
    }
    c_string(what, name)
}

fn c_path(what: &'static str, path: &Path) -> Result<CString> {
    c_string(what, path.as_os_str())
}

fn c_string(what: &'static str, text: &OsStr) -> Result<CString> {
    CString::new(text.as_bytes())
        .map_err(|_| Error::invalid(what, text.to_string_lossy(), "it has a byte of value zero"))
}

#[cfg(test)]
mod tests;
