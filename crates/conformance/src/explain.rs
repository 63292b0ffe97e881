//! `--explain`: after each refused call the explainer of `namespaces` is asked why, as the
//! actor that made it: given only what /proc and ioctls show to that process. The rule it names is
//! compared with the one by which the model, and so the kernel, refused.

mod scores;

pub(crate) use scores::Scores;

use std::cell::RefCell;
use std::ffi::CStr;
use std::time::Duration;

use namespaces::explain::{
    Attempt, Attempted, Cause, EmptyWrite, Eyes, Machine, NamespaceSeen, Question, Shared, Upward, Verdict,
};
use namespaces::{Capabilities, Errno, IdKind, Kind, Kinds, Link};
use nsproxy::op::Op;
use nsproxy::uapi::{
    CLONE_PARENT, CLONE_PIDFD, CLONE_THREAD, CLONE_VFORK, CLONE_VM, MNT_DETACH, MS_PRIVATE, MS_REC, MS_SHARED,
};
use nsproxy::{Denial, MapKind, NsKind, NsLink, Rule, TaskId};

use crate::real::{Outcome, PROC_FD, Real};
use crate::sys;
use crate::world::World;

impl Scores {
    /// Asks about a call that was refused.
    pub(crate) fn judge(&mut self, world: &World, actor: usize, op: &Op, denial: Denial) {
        let task = world.actors[actor].task;
        let eyes = world.eyes(actor).with_reader(world, task);
        self.judge_by(world, actor, op, denial, eyes);
        eyes.dismiss();
    }

    fn judge_by(&mut self, world: &World, actor: usize, op: &Op, denial: Denial, eyes: Through<'_>) {
        let task = world.actors[actor].task;
        let Some(question) = question(world, task, &eyes, op) else { return };
        let machine = Machine::seen_by(eyes);
        let errno = Errno::from_raw(i32::from(denial.errno.number()));
        let answer = machine.explain_errno(&question, None, errno);
        let score = self.calls.entry(name(op).to_owned()).or_default();
        match answer.verdict {
            Verdict::Refused(ref refusal) if refusal.cause == Cause::Rule(denial.rule) => score.right += 1,
            // The two are one reason, told by the call that asked.
            Verdict::Refused(ref refusal) if same_reason(refusal.cause, denial.rule) => score.right += 1,
            Verdict::Refused(ref refusal) => {
                score.wrong += 1;
                let said = refusal.cause;
                self.mistakes
                    .push(format!("{} of {op:?}: {} and not {said}", world.actors[actor].name, denial.rule));
            }
            Verdict::Undecided(ref open) => {
                score.undecided += 1;
                let causes: Vec<&str> = open.causes.iter().map(|cause| cause.id()).collect();
                let what = format!("{} ({}: {})", denial.rule, name(op), causes.join(", "));
                let counted = self.open.entry(what).or_default();
                let seen: Vec<String> = open.evidence.iter().map(ToString::to_string).collect();
                counted.times += 1;
                counted.example = format!("{} of {op:?}: {}", world.actors[actor].name, seen.join("; "));
            }
            Verdict::Allowed(_) => {
                score.wrong += 1;
                self.mistakes.push(format!("{op:?}: {} and not allowed", denial.rule));
            }
        }
    }
}

/// `unshare` and `clone` have a rule each for the same check.
fn same_reason(said: Cause, rule: Rule) -> bool {
    let pair = [Rule::UnshareNeedsAdmin, Rule::NamespacesNeedAdmin];
    // Either says that the process has exited; which one depends on whether it was waited for.
    let gone = [Rule::NoSuchTask, Rule::TimeOffsetsGone];
    let Cause::Rule(said) = said else { return false };
    [pair, gone].iter().any(|same| same.contains(&said) && same.contains(&rule))
}

fn name(op: &Op) -> &'static str {
    match op {
        Op::Unshare(_) => "unshare",
        Op::Clone(_) => "clone",
        Op::Clone3 { .. } => "clone3",
        Op::Setns { .. } => "setns",
        Op::OpenNs { .. } => "open /proc/PID/ns",
        Op::WriteMap { .. } => "write uid_map, gid_map",
        Op::WriteSetgroups { .. } => "write setgroups",
        Op::WriteTimensOffsets { .. } => "write timens_offsets",
        Op::Sethostname(_) => "sethostname",
        Op::Setgroups(_) => "setgroups",
        Op::Setuid(_) => "setuid",
        Op::Setgid(_) => "setgid",
        Op::Mount { .. } => "mount",
        Op::Umount { .. } => "umount",
        Op::PivotRoot { .. } => "pivot_root",
        Op::Chroot(_) => "chroot",
        _ => "other",
    }
}

/// The question that a call is; `None` for calls that the explainer is not for.
fn question(world: &World, task: TaskId, eyes: &Through<'_>, op: &Op) -> Option<Question> {
    // Numbers in the world's /proc, which is the one the actor has.
    let number = |pid: i32| {
        let of = if pid == 0 { Some(task) } else { world.kernel.find_task(task, pid) };
        of.and_then(|of| i32::try_from(world.kernel.status(world.init, of).ok()?.pid).ok())
    };
    Some(match op {
        Op::Unshare(flags) => Question::Unshare(*flags),
        Op::Clone(flags) if flags & (0xff | CLONE_PIDFD) == 17 => Question::Clone(flags & !0xff),
        Op::Clone3 { flags, exit_signal, set_tid, cgroup } if set_tid.is_empty() && *cgroup < 0 => {
            let wanted = if flags & (CLONE_THREAD | CLONE_PARENT) == 0 { 17 } else { 0 };
            if *exit_signal != wanted {
                return None;
            }
            Question::Clone(*flags)
        }
        Op::Setns { fd, flags } => return joined(eyes, *fd, *flags),
        Op::OpenNs { pid, link } => Question::OpenNamespace { pid: number(*pid)?, link: link_of(*link) },
        Op::WriteMap { pid, kind, text } => {
            let kind = match kind {
                MapKind::Uid => IdKind::Uid,
                MapKind::Gid => IdKind::Gid,
                MapKind::Projid => return None,
            };
            Question::WriteMap { pid: number(*pid)?, kind, text: text.clone() }
        }
        Op::WriteSetgroups { pid, text } => {
            Question::WriteSetgroups { pid: number(*pid)?, text: text.clone() }
        }
        Op::WriteTimensOffsets { pid, text } => {
            Question::WriteTimeOffsets { pid: number(*pid)?, text: text.clone() }
        }
        Op::Sethostname(name) => Question::SetHostname(name.clone()),
        Op::Setgroups(groups) => Question::SetGroups(groups.clone()),
        Op::Setuid(uid) => Question::SetUid(*uid),
        Op::Setgid(gid) => Question::SetGid(*gid),
        Op::Mount { source, target, fstype, flags } => Question::Mount {
            source: source.clone(),
            target: target.clone(),
            fstype: fstype.clone(),
            flags: *flags,
            data: String::new(),
        },
        Op::Umount { target, flags } => Question::Umount { target: target.clone(), flags: *flags },
        Op::PivotRoot { new, old } => Question::PivotRoot { new: new.clone(), old: old.clone() },
        Op::Chroot(path) => Question::Chroot(path.clone()),
        _ => return None,
    })
}

/// What a descriptor is, by the files that show it.
fn joined(eyes: &Through<'_>, fd: i32, flags: u32) -> Option<Question> {
    let path = format!("/proc/thread-self/fd/{fd}");
    if eyes.namespace(&path, &[]).is_ok() {
        let kind = match flags {
            0 => None,
            flag => Some(Kind::ALL.into_iter().find(|kind| kind.flag() == flag)?),
        };
        return Some(Question::JoinFile { path: path.into(), kind });
    }
    let kinds: Kinds = Kind::ALL.into_iter().filter(|kind| flags & kind.flag() != 0).collect();
    if flags == 0 || kinds.flags() != flags {
        return None;
    }
    let info = eyes.read(&format!("/proc/thread-self/fdinfo/{fd}")).ok()?;
    let text = String::from_utf8(info).ok()?;
    let pid: i32 = text.lines().find_map(|line| line.strip_prefix("Pid:"))?.trim().parse().ok()?;
    // One that has been reaped has no number, nor has one outside.
    (pid > 0).then_some(Question::JoinProcess { pid, kinds })
}

fn kind_of(kind: NsKind) -> Kind {
    match kind {
        NsKind::User => Kind::User,
        NsKind::Mnt => Kind::Mnt,
        NsKind::Uts => Kind::Uts,
        NsKind::Ipc => Kind::Ipc,
        NsKind::Pid => Kind::Pid,
        NsKind::Cgroup => Kind::Cgroup,
        NsKind::Net => Kind::Net,
        NsKind::Time => Kind::Time,
    }
}

fn link_of(link: NsLink) -> Link {
    match link {
        NsLink::Own(kind) => kind_of(kind).into(),
        NsLink::PidForChildren => Link::PidForChildren,
        NsLink::TimeForChildren => Link::TimeForChildren,
    }
}

/// An actor's eyes: it makes the calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Through<'a> {
    pub(crate) real: &'a Real,
    pub(crate) slot: usize,
    /// Who opens files: a child of the actor's, if that has no descriptor left. It has closed
    /// some of its own, as a program would that the actor executes.
    pub(crate) reader: Option<Reader>,
    /// Slots for children, where there are some left.
    pub(crate) free: [Option<usize>; 2],
    /// What was tried in children.
    pub(crate) trials: &'a RefCell<Vec<Trial>>,
}

/// A child that reads for its parent, which has these numbers in the world's /proc.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader {
    slot: usize,
    pid: u64,
    process: i32,
    thread: i32,
}

/// A child that tried something and ended: the model makes one too, so that the two stay
/// alike.
#[derive(Clone, Debug)]
pub(crate) struct Trial {
    pub(crate) pid: u64,
    /// What it did, and the errno of the last.
    pub(crate) calls: Vec<Op>,
    pub(crate) refused: Option<i32>,
}

/// The same for the model.
fn op_of(call: Attempt<'_>) -> Op {
    match call {
        Attempt::Unshare(kind) => Op::Unshare(u64::from(kind.flag())),
        Attempt::PrivateMounts => Op::Mount {
            source: String::from("none"),
            target: String::from("/"),
            fstype: String::new(),
            flags: MS_REC | MS_PRIVATE,
        },
        Attempt::Detach(path) => {
            Op::Umount { target: path.to_string_lossy().into_owned(), flags: MNT_DETACH }
        }
    }
}

/// The names in what getdents64 answers: `struct linux_dirent64`.
fn names(mut entries: &[u8]) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let len = usize::from(u16::from_le_bytes([*entries.get(16)?, *entries.get(17)?]));
        let (entry, rest) = entries.split_at_checked(len)?;
        entries = rest;
        CStr::from_bytes_until_nul(entry.get(19..)?).ok()?.to_str().ok()
    })
}

/// How long a child may take to be there.
const PATIENCE: Duration = Duration::from_secs(5);
/// `__WALL`: children that end without a signal are waited for too.
pub(crate) const WALL: u32 = 0x4000_0000;

/// Where things lie in the slot: a path, and what is read.
const PATH: usize = 0;
const DATA: usize = 0x1000;
const ROOM: usize = 0x4000;

impl<'a> Through<'a> {
    /// A call that takes descriptors, or a path.
    fn call(&self, number: i64, args: [u64; 6]) -> Result<u64, Errno> {
        self.call_by(self.reader.map_or(self.slot, |reader| reader.slot), number, args)
    }

    /// A call about the actor itself.
    fn own(&self, number: i64, args: [u64; 6]) -> Result<u64, Errno> {
        self.call_by(self.slot, number, args)
    }

    fn call_by(&self, slot: usize, number: i64, args: [u64; 6]) -> Result<u64, Errno> {
        let answer = self.real.call(slot, number, args).map_err(|_| Errno::EIO)?;
        match sys::errno_of(answer) {
            Some(errno) => Err(Errno::from_raw(errno)),
            None => Ok(answer.cast_unsigned()),
        }
    }

    /// The directory and the path in it: the actor's /proc is open, and mounted nowhere.
    fn path(&self, path: &str) -> (u64, u64) {
        let (at, rest) = match path.strip_prefix("/proc/") {
            Some(rest) => (PROC_FD, self.own_files(rest)),
            None => (libc::AT_FDCWD, path.to_owned()),
        };
        let mut bytes = rest.as_bytes().to_vec();
        bytes.push(0);
        (i64::from(at).cast_unsigned(), self.real.mailbox.put(self.slot, PATH, &bytes))
    }

    /// Below /proc, the actor's own files by its numbers, if another opens them.
    fn own_files(&self, rest: &str) -> String {
        let Some(Reader { process, thread, .. }) = self.reader else { return rest.to_owned() };
        if let Some(file) = rest.strip_prefix("thread-self/") {
            format!("{process}/task/{thread}/{file}")
        } else if let Some(file) = rest.strip_prefix("self/") {
            format!("{process}/{file}")
        } else {
            rest.to_owned()
        }
    }

    /// The same, with a child to open files if there is no descriptor for one.
    fn with_reader(self, world: &World, task: TaskId) -> Through<'a> {
        let status = world.kernel.status(world.init, task);
        let (Ok(status), Err(Errno::EMFILE)) = (status, self.with("/proc/self/status", |_| Ok(()))) else {
            return self;
        };
        let link = |name: &str| self.read_link(&format!("/proc/thread-self/ns/{name}"));
        if link("pid") != link("pid_for_children") || link("time") != link("time_for_children") {
            return self;
        }
        let Ok((pid, child)) = self.fork() else { return self };
        self.trials.borrow_mut().push(Trial { pid, calls: Vec::new(), refused: None });
        let _ = child.own(libc::SYS_close_range, [0, 999, 0, 0, 0, 0]);
        let number = |number: u32| i32::try_from(number).unwrap_or(0);
        let (process, thread) = (number(status.tgid), number(status.pid));
        Through { reader: Some(Reader { slot: child.slot, pid, process, thread }), ..self }
    }

    fn dismiss(&self) {
        if let Some(Reader { slot, pid, .. }) = self.reader {
            self.real.order(slot, libc::SYS_exit_group, [0; 6], None, Duration::ZERO);
            let _ = self.own(libc::SYS_wait4, [pid, 0, u64::from(WALL), 0, 0, 0]);
        }
    }

    fn open(&self, path: &str) -> Result<u64, Errno> {
        let (at, path) = self.path(path);
        let flags = u64::from((libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK).unsigned_abs());
        self.call(libc::SYS_openat, [at, path, flags, 0, 0, 0])
    }

    fn close(&self, fd: u64) {
        let _ = self.call(libc::SYS_close, [fd, 0, 0, 0, 0, 0]);
    }

    /// A child of the actor's, and the same eyes in it.
    fn fork(&self) -> Result<(u64, Through<'a>), Errno> {
        let taken = self.reader.map(|reader| reader.slot);
        let slot = self.free.into_iter().flatten().find(|slot| Some(*slot) != taken).ok_or(Errno::EAGAIN)?;
        match self.real.order(self.slot, libc::SYS_clone, [0; 6], Some(slot), PATIENCE) {
            Outcome::Answer(pid @ 1..) if self.real.arrived(slot, PATIENCE) => {
                Ok((pid.cast_unsigned(), Through { slot, free: [None; 2], reader: None, ..*self }))
            }
            Outcome::Answer(answer) => Err(sys::errno_of(answer).map_or(Errno::EIO, Errno::from_raw)),
            Outcome::Pending => Err(Errno::EIO),
        }
    }

    fn end(&self, child: Through<'_>, trial: Trial) -> Result<(), Errno> {
        self.real.order(child.slot, libc::SYS_exit_group, [0; 6], None, Duration::ZERO);
        let waited = self.own(libc::SYS_wait4, [trial.pid, 0, u64::from(WALL), 0, 0, 0]);
        self.trials.borrow_mut().push(trial);
        waited.map(drop)
    }

    fn make(&self, call: Attempt<'_>) -> Result<u64, Errno> {
        let put = |at: usize, text: &CStr| self.real.mailbox.put(self.slot, at, text.to_bytes_with_nul());
        match call {
            Attempt::Unshare(kind) => self.own(libc::SYS_unshare, [u64::from(kind.flag()), 0, 0, 0, 0, 0]),
            Attempt::PrivateMounts => {
                let (none, root) = (put(PATH, c"none"), put(DATA, c"/"));
                self.own(libc::SYS_mount, [none, root, none, MS_REC | MS_PRIVATE, 0, 0])
            }
            Attempt::Detach(path) => {
                self.own(libc::SYS_umount2, [put(PATH, path), u64::from(MNT_DETACH), 0, 0, 0, 0])
            }
        }
    }

    fn room(&self) -> u64 {
        self.real.mailbox.put(self.slot, DATA, &[0; 8])
    }

    fn with<T>(&self, path: &str, then: impl FnOnce(u64) -> Result<T, Errno>) -> Result<T, Errno> {
        let fd = self.open(path)?;
        let answer = then(fd);
        self.close(fd);
        answer
    }

    fn ioctl(&self, fd: u64, request: u64, arg: u64) -> Result<u64, Errno> {
        self.call(libc::SYS_ioctl, [fd, request, arg, 0, 0, 0])
    }

    fn number(&self, at: usize) -> u64 {
        let bytes = self.real.mailbox.get(self.slot, DATA + at, 8);
        u64::from_le_bytes(bytes.try_into().unwrap_or_default())
    }

    /// `STATX_MNT_ID_UNIQUE`
    fn mount_id(&self, path: &str) -> Result<u64, Errno> {
        let room = self.room();
        let (at, path) = self.path(path);
        self.call(libc::SYS_statx, [at, path, 0, 0x4000, room, 0])?;
        // stx_mnt_id of struct statx.
        Ok(self.number(144))
    }

    /// By `statmount(2)`.
    fn parent_of(&self, mount: u64) -> Result<u64, Errno> {
        let room = self.room();
        let request: Vec<u8> = [24_u64, mount, 2].iter().flat_map(|word| word.to_le_bytes()).collect();
        let request = self.real.mailbox.put(self.slot, PATH, &request);
        self.call(457, [request, room, 0x240, 0, 0, 0])?;
        Ok(self.number(48))
    }

    fn describe(&self, fd: u64) -> Result<NamespaceSeen, Errno> {
        let flag = self.ioctl(fd, 0xb703, 0)?;
        let kind = Kind::ALL.into_iter().find(|kind| u64::from(kind.flag()) == flag).ok_or(Errno::EINVAL)?;
        let room = self.room();
        self.call(libc::SYS_fstat, [fd, room, 0, 0, 0, 0])?;
        let inode = self.number(8);
        let owner_uid = match kind {
            Kind::User => {
                self.ioctl(fd, 0xb704, room)?;
                Some(u32::try_from(self.number(0) & 0xffff_ffff).unwrap_or(0))
            }
            _ => None,
        };
        Ok(NamespaceSeen { kind, inode, owner_uid })
    }
}

impl Eyes for Through<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, Errno> {
        self.with(path, |fd| {
            let room = self.room();
            let mut all = Vec::new();
            loop {
                let len = self.call(libc::SYS_read, [fd, room, ROOM as u64, 0, 0, 0])?;
                let len = usize::try_from(len).unwrap_or(0).min(ROOM);
                if len == 0 {
                    return Ok(all);
                }
                all.extend(self.real.mailbox.get(self.slot, DATA, len));
            }
        })
    }

    fn read_link(&self, path: &str) -> Result<String, Errno> {
        let room = self.room();
        let (at, path) = self.path(path);
        let len = self.call(libc::SYS_readlinkat, [at, path, room, 4096, 0, 0])?;
        let bytes = self.real.mailbox.get(self.slot, DATA, usize::try_from(len).unwrap_or(0).min(4096));
        String::from_utf8(bytes).map_err(|_| Errno::EILSEQ)
    }

    fn stat(&self, path: &str) -> Result<(bool, u32), Errno> {
        let room = self.room();
        let (at, path) = self.path(path);
        self.call(libc::SYS_newfstatat, [at, path, room, 0, 0, 0])?;
        let (mode, uid) = (self.number(24) & 0xf000, self.number(24) >> 32);
        Ok((mode == 0x4000, u32::try_from(uid).unwrap_or(0)))
    }

    fn namespace(&self, path: &str, way: &[Upward]) -> Result<NamespaceSeen, Errno> {
        let mut fd = self.open(path)?;
        for step in way {
            let request = match step {
                Upward::Owner => 0xb701,
                Upward::Parent => 0xb702,
            };
            let above = self.ioctl(fd, request, 0);
            self.close(fd);
            fd = above?;
        }
        let seen = self.describe(fd);
        self.close(fd);
        seen
    }

    fn pid_from(&self, path: &str, pid: i32) -> Result<i32, Errno> {
        let number = u64::from(pid.unsigned_abs());
        let found = self.with(path, |fd| self.ioctl(fd, 0x8004_b706, number))?;
        i32::try_from(found).map_err(|_| Errno::ESRCH)
    }

    fn may_write(&self, path: &str) -> Result<(), Errno> {
        let (at, path) = self.path(path);
        let flags = u64::from((libc::O_WRONLY | libc::O_CLOEXEC).unsigned_abs());
        let fd = self.call(libc::SYS_openat, [at, path, flags, 0, 0, 0])?;
        self.close(fd);
        Ok(())
    }

    fn share(&self, one: i32, other: i32, what: Shared) -> Result<bool, Errno> {
        let pid = |pid: i32| i64::from(pid).cast_unsigned();
        Ok(self.own(libc::SYS_kcmp, [pid(one), pid(other), what as u64, 0, 0, 0])? == 0)
    }

    fn alone(&self, what: Shared) -> Result<bool, Errno> {
        let flag = match what {
            Shared::Memory => libc::CLONE_VM,
            Shared::Handlers => libc::CLONE_SIGHAND,
            Shared::Fs => return Err(Errno::EINVAL),
        };
        match self.own(libc::SYS_unshare, [u64::from(flag.unsigned_abs()), 0, 0, 0, 0, 0]) {
            Ok(_) => Ok(true),
            Err(Errno::EINVAL) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    fn map_refuses(&self, path: &str, write: EmptyWrite) -> Result<Errno, Errno> {
        let (at, path) = self.path(path);
        let flags = u64::from((libc::O_WRONLY | libc::O_CLOEXEC).unsigned_abs());
        let fd = self.call(libc::SYS_openat, [at, path, flags, 0, 0, 0])?;
        let (text, offset) = write.bytes();
        let room = self.real.mailbox.put(self.slot, DATA, text);
        let answer = self
            .call(libc::SYS_lseek, [fd, offset, 0, 0, 0, 0])
            .and_then(|_| self.call(libc::SYS_write, [fd, room, text.len() as u64, 0, 0, 0]));
        self.close(fd);
        answer.map_or_else(Ok, |_| Err(Errno::EIO))
    }

    fn clone_taken(&self, kinds: Kinds, levels: usize) -> Result<Errno, Errno> {
        let ones: Vec<u8> = (0..levels).flat_map(|_| 1_u32.to_le_bytes()).collect();
        let ones = self.real.mailbox.put(self.slot, DATA + 256, &ones);
        let flags = u64::from(kinds.flags()) | CLONE_VM | CLONE_VFORK;
        let parts = [flags, 0, 0, 0, 0, 0, 0, 0, ones, levels as u64, 0];
        let parts: Vec<u8> = parts.iter().flat_map(|word: &u64| word.to_le_bytes()).collect();
        let place = self.real.mailbox.put(self.slot, DATA, &parts);
        self.own(libc::SYS_clone3, [place, 88, 0, 0, 0, 0]).map_or_else(Ok, |_| Err(Errno::EIO))
    }

    fn attempt(&self, calls: &[Attempt<'_>]) -> Result<Attempted, Errno> {
        let (pid, child) = self.fork()?;
        let mut trial = Trial { pid, calls: Vec::new(), refused: None };
        let mut came = Attempted::Done;
        for (at, call) in calls.iter().enumerate() {
            trial.calls.push(op_of(*call));
            if let Err(errno) = child.make(*call) {
                trial.refused = Some(errno.raw());
                came = Attempted::Refused(at, errno);
                break;
            }
        }
        self.end(child, trial)?;
        Ok(came)
    }

    fn processes(&self, most: usize) -> Result<Vec<i32>, Errno> {
        self.with("/proc/.", |fd| {
            let room = self.room();
            let mut all = Vec::new();
            loop {
                let len = self.call(libc::SYS_getdents64, [fd, room, ROOM as u64, 0, 0, 0])?;
                let bytes =
                    self.real.mailbox.get(self.slot, DATA, usize::try_from(len).unwrap_or(0).min(ROOM));
                all.extend(names(&bytes).filter_map(|name| name.parse::<i32>().ok()));
                if len == 0 || all.len() >= most {
                    return Ok(all);
                }
            }
        })
    }

    fn securebits(&self) -> Result<u32, Errno> {
        let bits = self.own(libc::SYS_prctl, [27, 0, 0, 0, 0, 0])?;
        Ok(u32::try_from(bits).unwrap_or(0))
    }

    fn effective(&self) -> Result<Capabilities, Errno> {
        // _LINUX_CAPABILITY_VERSION_3, of the caller; the lower and the upper half of each set.
        let header = self.real.mailbox.put(self.slot, DATA, &0x2008_0522_u64.to_le_bytes());
        self.own(libc::SYS_capget, [header, header + 16, 0, 0, 0, 0])?;
        let half = |at: usize| self.number(at) & 0xffff_ffff;
        Ok(Capabilities::from_bits(half(16) | half(28) << 32))
    }

    fn seccomp(&self) -> Result<u32, Errno> {
        let mode = self.own(libc::SYS_prctl, [21, 0, 0, 0, 0, 0])?;
        Ok(u32::try_from(mode).unwrap_or(2))
    }

    fn may_mount(&self) -> Result<bool, Errno> {
        let put = |at: usize, text: &CStr| self.real.mailbox.put(self.slot, at, text.to_bytes_with_nul());
        let (none, root) = (put(PATH, c"none"), put(DATA, c"/"));
        match self.own(libc::SYS_mount, [none, root, none, MS_SHARED | MS_PRIVATE, 0, 0]) {
            Err(Errno::EPERM) => Ok(false),
            Err(Errno::EINVAL) => Ok(true),
            answer => Err(answer.err().unwrap_or(Errno::EIO)),
        }
    }

    fn dumpable(&self) -> Result<bool, Errno> {
        Ok(self.own(libc::SYS_prctl, [3, 0, 0, 0, 0, 0])? == 1)
    }

    fn nproc(&self) -> Result<Option<u64>, Errno> {
        let room = self.room();
        self.own(libc::SYS_prlimit64, [0, 6, 0, room, 0, 0])?;
        Ok(Some(self.number(0)).filter(|limit| *limit != u64::MAX))
    }

    fn security_modules(&self) -> Result<Vec<u64>, Errno> {
        let room = self.real.mailbox.put(self.slot, DATA, &512_u64.to_le_bytes());
        let ids = room + 16;
        let count = self.call(461, [ids, room, 0, 0, 0, 0])?;
        let count = usize::try_from(count).unwrap_or(0).min(64);
        Ok((0..count).map(|at| self.number(16 + 8 * at)).collect())
    }

    fn may_administer(&self, path: &str) -> Result<bool, Errno> {
        // FITHAW, of what nobody has frozen.
        match self.with(path, |fd| self.ioctl(fd, 0xc004_5878, 0)) {
            Err(Errno::EPERM) => Ok(false),
            Err(Errno::EINVAL) => Ok(true),
            answer => Err(answer.err().unwrap_or(Errno::EIO)),
        }
    }

    fn mount_of(&self, path: &str) -> Result<(u64, bool), Errno> {
        let room = self.room();
        let (at, path) = self.path(path);
        self.call(libc::SYS_statx, [at, path, 0, 0x1000, room, 0])?;
        Ok((self.number(144), self.number(8) & 0x2000 != 0))
    }

    fn mounts(&self) -> Result<u32, Errno> {
        self.with("/proc/thread-self/ns/mnt", |fd| {
            let room =
                self.real.mailbox.put(self.slot, DATA, &[16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            self.ioctl(fd, 0x8010_b70a, room)?;
            Ok(u32::try_from(self.number(0) >> 32).unwrap_or(0))
        })
    }

    fn is_mounted_here(&self, path: &str) -> Result<bool, Errno> {
        match self.parent_of(self.mount_id(path)?) {
            Ok(_) | Err(Errno::EPERM) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    fn mounts_below_root(&self) -> Result<usize, Errno> {
        let mut id = self.mount_id("/")?;
        for depth in 0..64 {
            let parent = self.parent_of(id)?;
            if parent == id {
                return Ok(depth);
            }
            id = parent;
        }
        Err(Errno::ELOOP)
    }
}
