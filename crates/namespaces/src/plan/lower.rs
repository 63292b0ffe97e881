//! From what was asked for to the steps that do it.

mod check;
mod program;

use std::ffi::{CString, OsStr, OsString};
use std::fmt::Write;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use super::step::{Directory, Id, Place, Refused, Source, Step};
use super::{Actor, Form, Plan, PlanStep};
use crate::caps::Capabilities;
use crate::error::{Error, Result};
use crate::idmap::{IdKind, IdMap, MapWriter};
use crate::kind::{Kind, Kinds};
use crate::spawn::{At, CapabilityPolicy, InPlace, Propagation, Root, Spawn, Stdio, effective_ids};

pub(crate) use program::path_candidates;

/// The steps for `spawn`, in the order in which the kernel allows them.
pub(crate) fn lower(spawn: &Spawn, form: Form) -> Result<Plan> {
    check::all(spawn, form)?;
    let mut lowering = Lowering::new(spawn, form);
    lowering.context()?;
    lowering.joins();
    lowering.unshare();
    lowering.maps_from_outside()?;
    lowering.clocks(Moment::BeforeClone)?;
    lowering.clone();
    lowering.binds()?;
    lowering.maps()?;
    lowering.setgroups();
    lowering.pins();
    lowering.clocks(Moment::AfterClone)?;
    lowering.names()?;
    lowering.mounts()?;
    lowering.init();
    lowering.identity()?;
    lowering.descriptors()?;
    lowering.execute()?;
    Ok(Plan { steps: lowering.steps })
}

struct Lowering<'a> {
    spawn: &'a Spawn,
    steps: Vec<PlanStep>,
    /// Whether the child shares the maker's memory until it executes.
    share_memory: bool,
    /// Whether the caller itself takes the new namespaces.
    here: bool,
    /// Who is in the new namespaces and prepares them.
    main: Actor,
    /// Who takes the last steps: that one, or the program beside init.
    last: Actor,
}

/// Clocks are set once, before there is a child or by it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    BeforeClone,
    AfterClone,
}

impl<'a> Lowering<'a> {
    fn new(spawn: &'a Spawn, form: Form) -> Lowering<'a> {
        let main = if form == Form::Exec { Actor::Caller } else { Actor::Child };
        Lowering {
            spawn,
            steps: Vec::new(),
            share_memory: may_share_memory(spawn),
            here: form == Form::Exec || spawn.unshare_in_place,
            main,
            last: if spawn.init.is_some() { Actor::Program } else { main },
        }
    }

    fn push(&mut self, actor: Actor, step: Step) {
        self.steps.push(PlanStep { actor, step });
    }

    fn inside(&mut self, step: Step) {
        self.push(self.main, step);
    }

    /// Who joins and makes the child: a joiner if there is something to join
    /// and the caller is not to move.
    fn maker(&self) -> Actor {
        match self.spawn.join {
            Some(_) if self.main == Actor::Child && !self.spawn.join_in_place => Actor::Joiner,
            _ => Actor::Caller,
        }
    }

    fn context(&mut self) -> Result<()> {
        if let Some(context) = &self.spawn.in_place.security_context {
            let context = c_string("security context", context)?;
            self.push(self.maker(), Step::SecurityContext(context));
        }
        if self.spawn.in_place.clear_groups_first {
            self.push(self.maker(), Step::Groups { groups: Vec::new(), refused: Refused::GoesOn });
        }
        Ok(())
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
        offsets && !self.share_memory && !self.here
    }

    /// The caller takes the new namespaces, as another user if asked to.
    fn unshare(&mut self) {
        if let Some((uid, gid)) = self.spawn.in_place.owner {
            let groups = Step::Groups { groups: Vec::new(), refused: Refused::Fails };
            for step in [groups, Step::Gid(Id::Number(gid)), Step::Uid(Id::Number(uid))] {
                self.push(Actor::Caller, step);
            }
        }
        if self.here && !self.spawn.kinds.is_empty() {
            self.push(Actor::Caller, Step::Unshare(self.spawn.kinds));
        }
    }

    fn clone(&mut self) {
        if let Some(procs) = &self.spawn.in_place.cgroup {
            self.push(self.maker(), Step::JoinCgroup(procs.clone()));
        }
        if let Some(process) = &self.spawn.in_place.follow {
            self.push(self.maker(), Step::FollowIds(process.clone()));
        }
        if self.main == Actor::Caller {
            return;
        }
        let mut kinds = if self.here { Kinds::EMPTY } else { self.spawn.kinds };
        if self.time_by_unshare() {
            kinds.remove(Kind::Time);
        }
        self.push(self.maker(), Step::Clone { kinds, share_memory: self.share_memory });
        if let Some(signal) = self.spawn.parent_death_signal {
            self.inside(Step::ParentDeathSignal(signal));
        }
        if self.time_by_unshare() {
            self.inside(Step::Unshare(Kind::Time.into()));
        }
    }

    /// What binds a new namespace of the caller's must be done where the file
    /// is, and with what the caller may do there.
    fn binds(&mut self) -> Result<()> {
        let left = self.spawn.kinds.contains(Kind::Mnt) || self.spawn.kinds.contains(Kind::User);
        let actor = if left { Actor::Helper } else { Actor::Caller };
        for (kind, path) in &self.spawn.in_place.binds {
            self.push(actor, Step::Bind { kind: *kind, path: c_path("file", path)? });
        }
        Ok(())
    }

    /// Both maps with their writers.
    fn maps_to_write(&self) -> Result<Vec<(IdKind, IdMap, MapWriter)>> {
        let Spawn { uid_map, gid_map, map_writers, .. } = self.spawn;
        let auto = match map_writers {
            (MapWriter::Auto, _) | (_, MapWriter::Auto) => {
                map_writer_for(uid_map.as_ref(), gid_map.as_ref())?
            }
            _ => MapWriter::Auto,
        };
        let mut found = Vec::new();
        for (kind, map, writer) in
            [(IdKind::Uid, uid_map, map_writers.0), (IdKind::Gid, gid_map, map_writers.1)]
        {
            let writer = if writer == MapWriter::Auto { auto } else { writer };
            found.extend(map.iter().map(|map| (kind, map.clone(), writer)));
        }
        Ok(found)
    }

    /// Maps that the caller, when it is inside, can't write any more.
    fn maps_from_outside(&mut self) -> Result<()> {
        for (kind, map, writer) in self.maps_to_write()? {
            if self.here && writer != MapWriter::Child {
                self.push(Actor::Helper, Step::WriteMap { kind, map, writer });
            }
        }
        Ok(())
    }

    fn maps(&mut self) -> Result<()> {
        for (kind, map, writer) in self.maps_to_write()? {
            let actor = match writer {
                MapWriter::Child => self.main,
                _ if self.here => continue,
                _ => Actor::Caller,
            };
            if writer == MapWriter::Child && kind == IdKind::Gid {
                self.push(actor, Step::Setgroups { allow: false, if_known: true });
            }
            self.push(actor, Step::WriteMap { kind, map, writer });
        }
        Ok(())
    }

    fn setgroups(&mut self) {
        if let Some(allow) = self.spawn.in_place.setgroups {
            self.inside(Step::Setgroups { allow, if_known: true });
        }
    }

    fn pins(&mut self) {
        for (kind, path) in &self.spawn.pins {
            self.push(Actor::Caller, Step::Pin { kind: *kind, path: path.clone() });
        }
    }

    fn clocks(&mut self, moment: Moment) -> Result<()> {
        /// `KTIME_SEC_MAX`: beyond it the kernel answers with ERANGE.
        const MOST: u64 = 9_223_372_036;
        if self.here != (moment == Moment::BeforeClone) {
            return Ok(());
        }
        let actor = if self.here { Actor::Caller } else { Actor::Child };
        let mut text = String::new();
        for (clock, seconds) in [("monotonic", self.spawn.monotonic), ("boottime", self.spawn.boottime)] {
            let Some(seconds) = seconds else { continue };
            if seconds.unsigned_abs() > MOST {
                return Err(Error::invalid("time offset", seconds.to_string(), "at most 9223372036 seconds"));
            }
            let _ = writeln!(text, "{clock} {seconds} 0");
        }
        if !text.is_empty() {
            self.push(actor, Step::TimeOffsets(c_string("time offset", text.as_ref())?));
        }
        if self.time_by_unshare() {
            self.inside(Step::EnterTime);
        }
        Ok(())
    }

    fn names(&mut self) -> Result<()> {
        if let Some(name) = &self.spawn.hostname {
            self.inside(Step::Hostname(uts_name("hostname", name)?));
        }
        if let Some(name) = &self.spawn.domainname {
            self.inside(Step::Domainname(uts_name("domain name", name)?));
        }
        if self.spawn.loopback {
            self.inside(Step::LoopbackUp);
        }
        Ok(())
    }

    fn mounts(&mut self) -> Result<()> {
        let propagation = self.spawn.propagation.unwrap_or_default();
        if self.spawn.kinds.contains(Kind::Mnt) && propagation != Propagation::Unchanged {
            self.inside(Step::Propagation(propagation));
        }
        let root = match &self.spawn.root {
            Some(Root::Chroot(At::Path(dir)) | Root::Pivot(dir)) => Some(c_path("root directory", dir)?),
            Some(Root::Chroot(At::Open(_))) | None => None,
        };
        if self.spawn.mount_proc {
            // Before the old root goes: a proc may only be mounted where one
            // is fully visible (the kernel's `mount_too_revealing`).
            self.inside(Step::MountProc { root: root.clone(), on: c"/proc".to_owned() });
        }
        let early = self.binfmt_before_root()?;
        match (&self.spawn.root, root) {
            (Some(Root::Chroot(At::Open(dir))), _) => self.chroot_to(dir),
            (Some(Root::Chroot(_)), Some(root)) => self.inside(Step::Chroot(Directory::Path(root))),
            (Some(Root::Pivot(_)), Some(root)) => self.inside(Step::PivotRoot(root)),
            _ => {}
        }
        match &self.spawn.current_dir {
            Some(At::Path(dir)) => self.inside(Step::Chdir(Directory::Path(c_path("directory", dir)?))),
            Some(At::Open(dir)) => self.inside(Step::Chdir(Directory::Open(dir.clone()))),
            None => {}
        }
        self.proc_inside()?;
        self.binfmt_inside(early)
    }

    fn chroot_to(&mut self, root: &Arc<OwnedFd>) {
        let stay = self.spawn.current_dir.is_none();
        if stay {
            self.inside(Step::KeepDirectory);
        }
        self.inside(Step::Chroot(Directory::Open(root.clone())));
        if stay {
            self.inside(Step::Chdir(Directory::Kept));
        }
    }

    /// The proc whose place is a path of the program's.
    fn proc_inside(&mut self) -> Result<()> {
        let Some(on) = &self.spawn.in_place.proc_on else { return Ok(()) };
        let on = c_path("place for a new proc", on)?;
        if self.spawn.in_place.proc_apart {
            self.inside(Step::MakePrivate(on.clone()));
        }
        self.inside(Step::MountProc { root: None, on });
        Ok(())
    }

    /// An interpreter that is kept open (`F`) is looked for in the old root:
    /// says whether the format was registered for that.
    fn binfmt_before_root(&mut self) -> Result<bool> {
        let InPlace { binfmt, binfmt_on, .. } = &self.spawn.in_place;
        let kept_open = |format: &OsString| {
            let flags = format.as_bytes().rsplit(|byte| *byte == b':').next();
            flags.is_some_and(|flags| flags.contains(&b'F'))
        };
        let (Some(format), Some(on), Some(_)) = (binfmt, binfmt_on, &self.spawn.root) else {
            return Ok(false);
        };
        if kept_open(format) {
            self.inside(Step::MountBinfmt(c_path("place for binary formats", on)?));
            self.register(on, format)?;
        }
        Ok(kept_open(format))
    }

    fn binfmt_inside(&mut self, registered: bool) -> Result<()> {
        let InPlace { binfmt, binfmt_on, .. } = &self.spawn.in_place;
        let Some(on) = binfmt_on else { return Ok(()) };
        self.inside(Step::MountBinfmt(c_path("place for binary formats", on)?));
        match binfmt {
            Some(format) if !registered => self.register(on, format),
            _ => Ok(()),
        }
    }

    fn register(&mut self, on: &Path, format: &OsStr) -> Result<()> {
        let file = c_path("place for binary formats", &on.join("register"))?;
        self.inside(Step::RegisterBinfmt { file, format: c_string("binary format", format)? });
        Ok(())
    }

    fn init(&mut self) {
        let Some(init) = self.spawn.init else { return };
        if !init.readable {
            self.inside(Step::Undumpable);
        }
        self.inside(Step::Init);
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
        let refused =
            if spawn.in_place.clear_groups_first { Refused::FailsUnlessDone } else { Refused::Fails };
        match (&spawn.groups, spawn.gid) {
            (Some(groups), _) => self.push(last, Step::Groups { groups: groups.clone(), refused }),
            (None, Some(_)) => {
                self.push(last, Step::Groups { groups: Vec::new(), refused: Refused::GoesOn });
            }
            (None, None) => {}
        }
        for (what, id) in [("group id", spawn.gid), ("user id", spawn.uid)] {
            if id == Some(Id::Number(u32::MAX)) {
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
            self.inside(Step::ParentDeathSignal(signal));
        }
        Ok(())
    }

    fn descriptors(&mut self) -> Result<()> {
        let mut places = Vec::new();
        for (fd, stdio) in Stdio::NUMBERS.into_iter().zip(&self.spawn.stdio) {
            places.extend(stdio.source().map(|source| Place { fd, source }));
        }
        let limit = || rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        for (fd, from) in self.spawn.extra_fds() {
            if u64::from(fd.cast_unsigned()) >= limit().unwrap_or(1 << 20) {
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
        if !self.spawn.in_place.inherit {
            self.push(self.last, Step::CloseOthers(keep));
        }
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
