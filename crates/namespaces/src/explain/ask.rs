//! Putting questions to the model, under what is known and what is supposed.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::sync::Arc;

use nsproxy::op::{Op, Reply};
use nsproxy::uapi::{MNT_DETACH, MNT_FORCE, MS_BIND, MS_REC, MS_REMOUNT};
use nsproxy::{Denial, Errno as ModelErrno, Fd, Hook, MapKind, NsLink, Rule, TaskId};

use super::load::{Assumed, Model, model_kind};
use super::machine::Machine;
use super::question::Question;
use super::state::{FsOwner, Seen, State, Target, covering, shown_number};
use crate::handle::Namespace;
use crate::idmap::IdKind;
use crate::kind::{Kind, Kinds, Link};
use crate::plan::{Actor, Directory, Id, JoinTarget, Plan, PlanStep, Refused as IfRefused, Step};
use crate::spawn::Propagation;

/// What the model answers.
pub(super) type Answer = Result<(), Refused>;

/// A refusal of the model, and which step of the question it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) step: usize,
    pub(super) denial: Denial,
}

/// The steps that a question comes down to, for showing and for errors.
pub(super) fn steps(question: &Question) -> Vec<String> {
    match question {
        Question::Launch(plan) => plan.steps().iter().map(ToString::to_string).collect(),
        Question::Steps(all) => all.iter().flat_map(steps).collect(),
        one => vec![one.to_string()],
    }
}

/// What a question is about, read once: other processes and files.
#[derive(Debug, Default)]
pub(super) struct Objects {
    pub(super) targets: Vec<Target>,
    pub(super) files: Vec<(String, Seen)>,
    /// File systems, by their devices, that are to be changed.
    pub(super) filesystems: Vec<(String, FsOwner)>,
}

impl Objects {
    pub(super) fn read(machine: &Machine<'_>, state: &State, question: &Question) -> Objects {
        let mut objects = Objects::default();
        objects.add(machine, state, question);
        objects
    }

    fn add(&mut self, machine: &Machine<'_>, state: &State, question: &Question) {
        match question {
            Question::JoinProcess { pid, .. } | Question::Kill { pid, .. } | Question::Attach(pid) => {
                self.numbered(machine, state, *pid);
            }
            Question::OpenNamespace { pid, .. }
            | Question::InitDuties(pid)
            | Question::MapHelper { pid, .. } => self.process(machine, state, *pid, false),
            Question::WriteMap { pid, .. }
            | Question::WriteSetgroups { pid, .. }
            | Question::WriteTimeOffsets { pid, .. } => self.process(machine, state, *pid, true),
            Question::JoinFile { path, .. } => {
                let path = path.to_string_lossy();
                self.file(machine, state, &path, &path);
            }
            Question::Launch(plan) => {
                for step in plan.steps() {
                    self.plan_step(machine, state, &step.step);
                }
            }
            Question::Steps(all) => all.iter().for_each(|one| self.add(machine, state, one)),
            Question::Mount { target, flags, .. } if flags & (MS_REMOUNT | MS_BIND) == MS_REMOUNT => {
                self.filesystem(machine, state, target);
            }
            // The own root is made read-only, and force is for who may change the file system.
            Question::Umount { target, flags }
                if target == "/" && flags & MNT_DETACH == 0 || flags & MNT_FORCE != 0 =>
            {
                self.filesystem(machine, state, target);
            }
            _ => {}
        }
    }

    fn plan_step(&mut self, machine: &Machine<'_>, state: &State, step: &Step) {
        match step {
            Step::Join(JoinTarget::Process { process, .. }) => {
                self.numbered(machine, state, process.pid());
            }
            Step::Join(JoinTarget::Both { process, namespaces, .. }) => {
                self.numbered(machine, state, process.pid());
                for ns in namespaces {
                    self.file(machine, state, &ns.to_string(), &fd_path(ns));
                }
            }
            Step::Join(JoinTarget::Namespaces(all)) => {
                for ns in all {
                    self.file(machine, state, &ns.to_string(), &fd_path(ns));
                }
            }
            _ => {}
        }
    }

    /// A process by the number that its file in `/proc` has.
    fn process(&mut self, machine: &Machine<'_>, state: &State, pid: i32, write: bool) {
        if pid > 0 && self.target(pid).is_none() {
            self.targets.push(Target::read(machine, state, pid, pid, write));
        }
    }

    /// A process by the number that a call takes.
    fn numbered(&mut self, machine: &Machine<'_>, state: &State, pid: i32) {
        let other = state.proc_is_above() && machine.is_own() && !machine.is_layered();
        let shown = if other { shown_number(pid).unwrap_or(0) } else { pid };
        if pid > 0 && self.target(pid).is_none() {
            self.targets.push(Target::read(machine, state, pid, shown, false));
        }
    }

    fn file(&mut self, machine: &Machine<'_>, state: &State, name: &str, path: &str) {
        let (user, pid) = (state.inode(Kind::User), state.inode(Kind::Pid));
        if let Ok(ns) = Seen::open(machine.eyes(), path, user, pid) {
            self.files.push((name.to_owned(), ns));
        }
    }

    fn filesystem(&mut self, machine: &Machine<'_>, state: &State, path: &str) {
        let found = machine.eyes().mount_of(path).ok();
        let mount = found.and_then(|(id, _)| state.mounts.iter().find(|mount| mount.id == id));
        if let Some(mount) = mount.or_else(|| covering(&state.mounts, path)) {
            self.filesystems.push((mount.device.clone(), FsOwner::of(machine, state, mount)));
        }
    }

    pub(super) fn target(&self, pid: i32) -> Option<&Target> {
        self.targets.iter().find(|target| target.pid == pid)
    }

    /// Whether the user namespace of a process is only supposed: its links can't be read.
    pub(super) fn is_unsure(&self, state: &State) -> bool {
        let real_differ = state.status.as_ref().is_some_and(|own| {
            own.uids[0] != own.uids[3] || own.gids[0] != own.gids[3] || own.effective != own.permitted
        });
        self.targets.iter().any(|target| {
            let unread =
                !target.is_caller && target.status.is_some() && target.namespace(Kind::User).is_none();
            unread && (target.writable.is_some() || real_differ && target.looked_into.is_none())
        })
    }

    pub(super) fn namespace(&self, name: &str) -> Option<&Seen> {
        self.files.iter().find(|(of, _)| of == name).map(|(_, ns)| ns)
    }
}

/// A descriptor of the caller's, as a file.
fn fd_path(ns: &Namespace) -> String {
    format!("/proc/self/fd/{}", ns.as_fd().as_raw_fd())
}

/// Asks a model that is loaded under these assumptions. `Err` from the loading
/// itself says nothing about the question: then the answer is `None`.
pub(super) fn ask(
    machine: &Machine<'_>,
    state: &State,
    objects: &Objects,
    question: &Question,
    assumed: &Assumed,
) -> Option<Answer> {
    let mut model = Model::load(state, &objects.filesystems, assumed).ok()?;
    let mut tasks = Vec::new();
    for target in &objects.targets {
        tasks.push((target.pid, model.target(target, assumed).ok()?));
    }
    prepare_paths(&mut model, machine, question);
    let me = model.me;
    let mut session = Session { model, objects, tasks, child: None, step: 0, groups_set: false };
    Some(session.ask(me, question))
}

/// The paths of the question that are there are there in the model too.
fn prepare_paths(model: &mut Model<'_>, machine: &Machine<'_>, question: &Question) {
    let mut there = |path: &str| {
        if let Ok((dir, _)) = machine.eyes().stat(path)
            && path.starts_with('/')
        {
            let _ = model.kernel.host_path(model.me, path, dir);
        }
    };
    match question {
        Question::Mount { source, target, .. } => {
            there(target);
            there(source);
        }
        Question::Umount { target, .. } | Question::Chroot(target) => there(target),
        Question::PivotRoot { new, old } => {
            there(new);
            there(old);
        }
        Question::Launch(plan) => {
            for step in plan.steps() {
                match &step.step {
                    Step::Chroot(Directory::Path(path))
                    | Step::Chdir(Directory::Path(path))
                    | Step::PivotRoot(path) => there(&path.to_string_lossy()),
                    Step::MountProc { root, on } => there(&place_of_proc(root.as_deref(), on)),
                    _ => {}
                }
            }
        }
        Question::Steps(all) => {
            for one in all {
                prepare_paths(model, machine, one);
            }
        }
        _ => {}
    }
}

struct Session<'a> {
    model: Model<'a>,
    objects: &'a Objects,
    tasks: Vec<(i32, TaskId)>,
    child: Option<TaskId>,
    step: usize,
    /// Whether an earlier step has set the supplementary groups.
    groups_set: bool,
}

impl Session<'_> {
    fn ask(&mut self, me: TaskId, question: &Question) -> Answer {
        match question {
            Question::Steps(all) => all.iter().try_for_each(|one| self.ask(me, one)),
            Question::Launch(plan) => self.launch(plan),
            one => {
                let answer = self.one(me, one);
                self.close(answer)
            }
        }
    }

    /// Counts a step, and notes at which one a refusal came.
    fn close(&mut self, answer: Result<(), Denial>) -> Answer {
        let step = self.step;
        self.step += 1;
        answer.map_err(|denial| Refused { step, denial })
    }

    fn op(&mut self, task: TaskId, op: &Op) -> Result<Reply, Denial> {
        self.model.kernel.apply(task, op)
    }

    fn denial(rule: Rule) -> Denial {
        Denial { errno: rule.errno(), rule }
    }

    fn task(&self, pid: i32) -> Result<TaskId, Denial> {
        if pid == 0 {
            return Ok(self.model.me);
        }
        let found = self.tasks.iter().find(|(of, _)| *of == pid).map(|(_, task)| *task);
        let there = self.objects.target(pid).is_some_and(|target| target.status.is_some());
        found.filter(|_| there).ok_or(Self::denial(Rule::NoSuchTask))
    }

    /// The number of a process as a task of the model calls it.
    fn number(&self, viewer: TaskId, of: TaskId) -> Result<i32, Denial> {
        let status = self.model.kernel.status(viewer, of)?;
        i32::try_from(status.pid).ok().filter(|pid| *pid > 0).ok_or(Self::denial(Rule::NoSuchTask))
    }

    fn one(&mut self, me: TaskId, question: &Question) -> Result<(), Denial> {
        let op = match question {
            Question::Unshare(flags) => Op::Unshare(*flags),
            Question::Clone(flags) => Op::Clone3 {
                flags: *flags,
                exit_signal: exit_signal(*flags),
                set_tid: Vec::new(),
                cgroup: -1,
            },
            Question::JoinProcess { pid, kinds } => {
                let target = self.task(*pid)?;
                let fd = self.model.kernel.host_pidfd(me, target)?;
                Op::Setns { fd, flags: kinds.flags() }
            }
            Question::JoinFile { path, kind } => {
                let fd = self.file(me, &path.to_string_lossy())?;
                Op::Setns { fd, flags: kind.map_or(0, Kind::flag) }
            }
            Question::OpenNamespace { pid, link } => {
                let target = self.task(*pid)?;
                let pid = self.number(me, target)?;
                Op::OpenNs { pid, link: model_link(*link) }
            }
            Question::Mount { source, target, fstype, flags, .. } => Op::Mount {
                source: source.clone(),
                target: target.clone(),
                fstype: model_fstype(fstype),
                flags: *flags,
            },
            Question::Umount { target, flags } => Op::Umount { target: target.clone(), flags: *flags },
            Question::PivotRoot { new, old } => Op::PivotRoot { new: new.clone(), old: old.clone() },
            Question::Chroot(path) => Op::Chroot(path.clone()),
            Question::WriteMap { pid, kind, text } => {
                let target = self.task(*pid)?;
                let pid = self.number(me, target)?;
                Op::WriteMap { pid, kind: map_kind(*kind), text: text.clone() }
            }
            Question::WriteSetgroups { pid, text } => {
                let target = self.task(*pid)?;
                Op::WriteSetgroups { pid: self.number(me, target)?, text: text.clone() }
            }
            Question::WriteTimeOffsets { pid, text } => {
                let target = self.task(*pid)?;
                Op::WriteTimensOffsets { pid: self.number(me, target)?, text: text.clone() }
            }
            Question::SetUid(uid) => return self.model.kernel.setuid(me, *uid),
            Question::SetGid(gid) => return self.model.kernel.setgid(me, *gid),
            Question::SetGroups(groups) => Op::Setgroups(groups.clone()),
            Question::SetHostname(name) => Op::Sethostname(name.clone()),
            Question::Kill { pid, signal } => {
                let target = self.task(*pid)?;
                Op::Kill { pid: self.number(me, target)?, signal: signal.cast_unsigned() }
            }
            _ => return Ok(()),
        };
        self.op(me, &op).map(drop)
    }

    fn file(&mut self, me: TaskId, name: &str) -> Result<Fd, Denial> {
        let Some(ns) = self.objects.namespace(name) else {
            return Err(Self::denial(Rule::SetnsNotNamespace));
        };
        let id = self.model.namespace(ns)?;
        self.model.kernel.host_fd(me, id)
    }

    fn launch(&mut self, plan: &Plan) -> Answer {
        let mut joiner = None;
        let helper = if plan.has(Actor::Helper) {
            let made = self.model.kernel.fork(self.model.me).map(|child| child.task);
            Some(made.map_err(|denial| Refused { step: self.step, denial })?)
        } else {
            None
        };
        for step in plan.steps() {
            let task = match step.actor {
                Actor::Caller => self.model.me,
                Actor::Helper => helper.unwrap_or(self.model.me),
                Actor::Joiner => {
                    if let Some(joiner) = joiner {
                        joiner
                    } else {
                        let made = self.model.kernel.fork(self.model.me).map(|child| child.task);
                        let task = made.map_err(|denial| Refused { step: self.step, denial })?;
                        *joiner.insert(task)
                    }
                }
                Actor::Child | Actor::Program => self.child.unwrap_or(self.model.me),
            };
            let answer = self.plan_step(task, step);
            self.close(answer)?;
        }
        Ok(())
    }

    fn plan_step(&mut self, task: TaskId, step: &PlanStep) -> Result<(), Denial> {
        let op = match &step.step {
            Step::Join(target) => return self.join(task, target),
            Step::Clone { kinds, .. } => {
                let flags = u64::from(kinds.flags());
                let op = Op::Clone3 { flags, exit_signal: 17, set_tid: Vec::new(), cgroup: -1 };
                if let Reply::Child(child) = self.op(task, &op)? {
                    self.child = Some(child.task);
                }
                return Ok(());
            }
            Step::Setgroups { allow, .. } => {
                let text = if *allow { "allow" } else { "deny" }.to_owned();
                Op::WriteSetgroups { pid: self.number(task, task)?, text }
            }
            Step::WriteMap { kind, map, .. } => {
                let of = match step.actor {
                    Actor::Helper => self.model.me,
                    _ => self.child.unwrap_or(task),
                };
                Op::WriteMap { pid: self.number(task, of)?, kind: map_kind(*kind), text: map.to_string() }
            }
            Step::Unshare(kinds) => Op::Unshare(u64::from(kinds.flags())),
            Step::TimeOffsets(text) => {
                let text = text.to_string_lossy().into_owned();
                Op::WriteTimensOffsets { pid: self.number(task, task)?, text }
            }
            Step::Hostname(name) => Op::Sethostname(name.to_string_lossy().into_owned()),
            Step::Domainname(name) => Op::Setdomainname(name.to_string_lossy().into_owned()),
            Step::LoopbackUp => Op::SetDeviceUp { name: "lo".to_owned(), up: true },
            Step::MountProc { root, on } => Op::Mount {
                source: "proc".into(),
                target: place_of_proc(root.as_deref(), on),
                fstype: "proc".into(),
                flags: 0xe,
            },
            Step::Chroot(Directory::Path(path)) => Op::Chroot(path.to_string_lossy().into_owned()),
            Step::PivotRoot(path) => return self.pivot(task, &path.to_string_lossy()),
            Step::Chdir(Directory::Path(path)) => Op::Chdir(path.to_string_lossy().into_owned()),
            Step::Propagation(mode) => {
                let flags = propagation_flags(*mode);
                Op::Mount { source: "none".into(), target: "/".into(), fstype: String::new(), flags }
            }
            Step::Gid(Id::Number(gid)) => return self.model.kernel.setgid(task, *gid),
            Step::Uid(Id::Number(uid)) => return self.model.kernel.setuid(task, *uid),
            Step::Groups { groups, refused } => {
                let answer = self.op(task, &Op::Setgroups(groups.clone()));
                self.groups_set |= answer.is_ok();
                return match refused {
                    IfRefused::GoesOn => Ok(()),
                    IfRefused::FailsUnlessDone if self.groups_set => Ok(()),
                    _ => answer.map(drop),
                };
            }
            Step::Init => Op::Clone3 { flags: 0, exit_signal: 17, set_tid: Vec::new(), cgroup: -1 },
            _ => return Ok(()),
        };
        self.op(task, &op).map(drop)
    }

    fn pivot(&mut self, task: TaskId, path: &str) -> Result<(), Denial> {
        let here = || ".".to_owned();
        let bind = MS_BIND | MS_REC;
        self.op(
            task,
            &Op::Mount { source: path.into(), target: path.into(), fstype: String::new(), flags: bind },
        )?;
        self.op(task, &Op::Chdir(path.into()))?;
        self.op(task, &Op::PivotRoot { new: here(), old: here() }).map(drop)
    }

    fn join(&mut self, task: TaskId, target: &JoinTarget) -> Result<(), Denial> {
        match target {
            JoinTarget::Process { process, kinds } => {
                let of = self.task(process.pid())?;
                let fd = self.model.kernel.host_pidfd(task, of)?;
                self.op(task, &Op::Setns { fd, flags: kinds.flags() }).map(drop)
            }
            JoinTarget::Namespaces(all) => self.join_each(task, None, all),
            JoinTarget::Both { process, kinds, namespaces } => {
                let of = self.task(process.pid())?;
                let fd = self.model.kernel.host_pidfd(task, of)?;
                self.join_each(task, Some((fd, *kinds)), namespaces)
            }
        }
    }

    /// In the order in which the launch does it: what goes before user, then
    /// user, then the rest.
    fn join_each(
        &mut self,
        task: TaskId,
        process: Option<(Fd, Kinds)>,
        all: &[Arc<Namespace>],
    ) -> Result<(), Denial> {
        let mut left = Vec::new();
        if let Some((fd, kinds)) = process {
            let mut outside = kinds;
            outside.remove(Kind::User);
            let flags = outside.flags();
            let joined = flags != 0 && self.op(task, &Op::Setns { fd, flags }).is_ok();
            let rest = if joined { kinds.difference(outside) } else { kinds };
            if !rest.is_empty() {
                left.push((1, fd, rest.flags()));
            }
        }
        for ns in all {
            let fd = self.file(task, &ns.to_string())?;
            let user = ns.kind() == Kind::User;
            if user || self.op(task, &Op::Setns { fd, flags: 0 }).is_err() {
                left.push((if user { 0 } else { 2 }, fd, 0));
            }
        }
        left.sort_by_key(|(turn, ..)| *turn);
        left.into_iter().try_for_each(|(_, fd, flags)| self.op(task, &Op::Setns { fd, flags }).map(drop))
    }
}

pub(super) fn place_of_proc(root: Option<&CStr>, on: &CStr) -> String {
    let root = root.map(|root| root.to_string_lossy().into_owned()).unwrap_or_default();
    root + &on.to_string_lossy()
}

fn propagation_flags(mode: Propagation) -> u64 {
    use nsproxy::uapi::{MS_PRIVATE, MS_SHARED, MS_SLAVE};
    MS_REC
        | match mode {
            Propagation::Shared => MS_SHARED,
            Propagation::Slave => MS_SLAVE,
            Propagation::Private | Propagation::Unchanged => MS_PRIVATE,
        }
}

fn model_link(link: Link) -> NsLink {
    match link {
        Link::Own(kind) => NsLink::Own(model_kind(kind)),
        Link::PidForChildren => NsLink::PidForChildren,
        Link::TimeForChildren => NsLink::TimeForChildren,
    }
}

fn map_kind(kind: IdKind) -> MapKind {
    match kind {
        IdKind::Uid => MapKind::Uid,
        IdKind::Gid => MapKind::Gid,
    }
}

/// clone3(2): threads and siblings take none.
fn exit_signal(flags: u64) -> u64 {
    use nsproxy::uapi::{CLONE_PARENT, CLONE_THREAD};
    if flags & (CLONE_THREAD | CLONE_PARENT) == 0 { 17 } else { 0 }
}

/// The model knows file systems by who may mount them.
fn model_fstype(name: &str) -> String {
    match name {
        "ramfs" | "fuse" => "tmpfs",
        "cgroup" => "cgroup2",
        "" | "proc" | "sysfs" | "tmpfs" | "mqueue" | "cgroup2" | "devpts" | "overlay" | "binfmt_misc" => name,
        other if known_to_kernel(other) => "ext4",
        other => other,
    }
    .to_owned()
}

fn known_to_kernel(fstype: &str) -> bool {
    std::fs::read_to_string("/proc/filesystems")
        .is_ok_and(|text| text.lines().any(|line| line.split_ascii_whitespace().next_back() == Some(fstype)))
        || Path::new("/lib/modules").exists()
}

/// A refusal from outside the rules, with an errno that the model can answer.
pub(super) fn hook(hook: Hook, errno: crate::errno::Errno) -> Option<(Hook, ModelErrno)> {
    let number = u16::try_from(errno.raw()).ok()?;
    ModelErrno::ALL.iter().find(|known| known.number() == number).map(|errno| (hook, *errno))
}
