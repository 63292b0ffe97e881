//! A world: fresh namespaces of every kind, made the same way in the kernel and in
//! the model, and then stepped through one call at a time.

mod compare;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use clap::builder::PossibleValue;
use nsproxy::op::{Op, Reply};
use nsproxy::scenario::Question;
use nsproxy::uapi::{
    CLONE_INTO_CGROUP, CLONE_NEWUSER, CLONE_PROXY_FLAGS, MNT_DETACH, MS_PRIVATE, MS_REC, SIGCHLD,
};
use nsproxy::{Denial, Errno, Fd, Kernel, MapKind, Prctl, State, TaskId};

use crate::answer;
use crate::cgroup::{Cgroups, Home, RUNNER, WORLD};
use crate::error;
use crate::explain::{Through, Trial, WALL};
use crate::machine::{CGROUP, Machine};
use crate::outside;
use crate::real::ask::{Asked, Place, Places};
use crate::real::call::{Answer, Call};
use crate::real::{FILE, Real};
use crate::seen::Known;
use crate::sys::SLOTS;
use crate::words;
use compare::{Ghost, Watched};

/// Which namespaces the first process of a world gets, and what it may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// All kinds but user: root of the machine.
    Root,
    /// All kinds, made by root, with many ids.
    Userns,
    /// All kinds, made by an ordinary user, with one id.
    User,
}

impl ValueEnum for Kind {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Root, Self::Userns, Self::User]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Userns => "userns",
            Self::User => "user",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::value_variants().iter().copied().find(|kind| kind.name() == name)
    }

    fn flags(self) -> u64 {
        match self {
            Self::Root => CLONE_PROXY_FLAGS,
            Self::Userns | Self::User => CLONE_PROXY_FLAGS | CLONE_NEWUSER,
        }
    }
}

/// A task on both sides.
#[derive(Clone, Debug)]
pub(crate) struct Actor {
    pub(crate) name: String,
    pub(crate) task: TaskId,
    slot: usize,
    /// Its number in the world when it was seen last.
    pid: u32,
    /// A call it is held in, and what the model says it will answer.
    held: Option<(Op, Result<Reply, Denial>)>,
}

/// Where the two sides differ.
#[derive(Clone, Debug)]
pub(crate) struct Divergence {
    pub(crate) differences: Vec<String>,
}

/// Why a step was not one.
#[derive(Debug)]
pub(crate) enum Stop {
    Diverged(Divergence),
    /// The machinery failed, not the comparison.
    Failed(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Stop::Failed(error)
    }
}

/// Both sides refuse a call without which there is no world.
fn refused_alike(what: impl Display, denial: Denial) -> io::Error {
    let said = io::Error::from_raw_os_error(denial.errno.number().into());
    io::Error::new(said.kind(), format!("{what}: {} ({})", error::words(&said), denial.rule))
}

fn diverged(difference: String) -> Stop {
    Stop::Diverged(Divergence { differences: vec![difference] })
}

/// After so many calls the caller is asked what only it can see.
const INSPECTION: usize = 4;
/// How long the kernel may take to give back the charge of a dead namespace.
const RELEASE: Duration = Duration::from_secs(15);

/// Both sides of one world.
#[derive(Debug)]
pub(crate) struct World {
    kind: Kind,
    pub(crate) kernel: Kernel,
    /// The world's first process.
    pub(crate) init: TaskId,
    pub(crate) actors: Vec<Actor>,
    /// Those reaped by the last call.
    ghosts: Vec<Ghost>,
    real: Real,
    /// What children of actors have tried since the model was told.
    trials: RefCell<Vec<Trial>>,
    known: Known,
    /// The path of the runner's cgroup, and what the model calls it.
    cgroup: (String, &'static str),
    named: usize,
    /// Whether several processes have ended in one call.
    unordered: bool,
    /// How many calls were made.
    calls: usize,
    watched: BTreeMap<TaskId, Watched>,
    /// Whether the caller is asked after every call, not only after some.
    pub(crate) eager: bool,
}

/// Makes the real world, when the kernel has given back what those before it took.
fn start(kind: Kind, cgroup: Option<&OwnedFd>) -> io::Result<Real> {
    let until = Instant::now() + RELEASE;
    loop {
        let real = Real::start(kind.flags(), cgroup);
        let full = real.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::StorageFull);
        if !full || Instant::now() > until {
            return real;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Makes the model's world: a child of the runner in new namespaces, and in its cgroup.
fn make(kernel: &mut Kernel, kind: Kind, in_cgroup: bool) -> Result<Reply, Denial> {
    let runner = kernel.init();
    if !in_cgroup {
        return kernel.apply(runner, &clone3(kind.flags(), -1));
    }
    let cgroup = kernel.open_cgroup(runner, CGROUP)?;
    let made = kernel.apply(runner, &clone3(kind.flags() | CLONE_INTO_CGROUP, cgroup));
    kernel.close(runner, cgroup)?;
    made
}

impl World {
    /// Makes a world on both sides and compares the two for the first time.
    pub(crate) fn new(machine: &Machine, kind: Kind, place: Option<&Home>) -> Result<World, Stop> {
        Self::make(machine, kind, place).map_err(|stop| match stop {
            Stop::Failed(error) => Stop::Failed(machine.world_not_made(&error)),
            diverged @ Stop::Diverged(_) => diverged,
        })
    }

    fn make(machine: &Machine, kind: Kind, place: Option<&Home>) -> Result<World, Stop> {
        let mut kernel = machine.boot(Cgroups::of(place));
        let made = make(&mut kernel, kind, place.is_some());
        let directory = place.map(Home::for_world).transpose()?;
        let real = start(kind, directory.as_ref())?;
        let Ok(Reply::Child(child)) = made else {
            return Err(diverged(format!("making the world: kernel ok, model {}", words::model(&made))));
        };
        let init = child.task;
        let first = Actor { name: String::from("init"), task: init, slot: 0, pid: 1, held: None };
        let mut world = World {
            kind,
            kernel,
            init,
            actors: vec![first],
            ghosts: Vec::new(),
            real,
            trials: RefCell::default(),
            known: Known::default(),
            cgroup: if place.is_some() { (world_cgroup()?, CGROUP) } else { (own_cgroup()?, "") },
            named: 0,
            unordered: false,
            calls: 0,
            watched: BTreeMap::new(),
            eager: false,
        };
        world.model(&Op::Execve(nsproxy::Program::default()))?;
        world.write_maps(machine, kind, child.pid)?;
        world.furnish()?;
        world.compare()?;
        Ok(world)
    }

    fn model(&mut self, op: &Op) -> Result<(), Stop> {
        let answer = self.kernel.apply(self.init, op);
        answer.map(|_| ()).map_err(|denial| diverged(format!("making the world: {op}: model {denial}")))
    }

    /// The maps of the world's user namespace, written from outside.
    fn write_maps(&mut self, machine: &Machine, kind: Kind, pid: u32) -> Result<(), Stop> {
        let (uids, gids) = match kind {
            Kind::Root => return Ok(()),
            Kind::Userns => (String::from("0 0 65536"), String::from("0 0 65536")),
            Kind::User => (format!("0 {} 1", machine.uid), format!("0 {} 1", machine.gid)),
        };
        let outer = self.kernel.init();
        let pid = i32::try_from(pid).unwrap_or(0);
        let mut write = |op: Op, file: &str, text: &str| -> Result<(), Stop> {
            let model = self.kernel.apply(outer, &op);
            let written = std::fs::write(format!("/proc/{}/{file}", self.real.host_pid), text);
            let what = format!("write \"{text}\" to {file}");
            match (written, model) {
                (Ok(()), Ok(_)) => Ok(()),
                (Err(error), Err(denial)) if error.raw_os_error() == Some(denial.errno.number().into()) => {
                    Err(refused_alike(what, denial).into())
                }
                (written, model) => {
                    let kernel = written.map_or_else(|error| error::words(&error), |()| String::from("ok"));
                    let model = words::model(&model);
                    Err(diverged(format!("making the world: {what}: kernel {kernel}, model {model}")))
                }
            }
        };
        if kind == Kind::User {
            write(Op::WriteSetgroups { pid, text: String::from("deny") }, "setgroups", "deny")?;
        }
        write(Op::WriteMap { pid, kind: MapKind::Gid, text: gids.clone() }, "gid_map", &gids)?;
        write(Op::WriteMap { pid, kind: MapKind::Uid, text: uids.clone() }, "uid_map", &uids)
    }

    /// A root directory of the world's own, of which nothing leads outside.
    fn furnish(&mut self) -> Result<(), Stop> {
        let private = MS_REC | MS_PRIVATE;
        let mount = |source: &str, target: &str, fstype: &str, flags: u64| Op::Mount {
            source: source.to_owned(),
            target: target.to_owned(),
            fstype: fstype.to_owned(),
            flags,
        };
        // Executed once more, as now it is root with a name.
        self.furnish_with(&[
            Op::Execve(nsproxy::Program::default()),
            Op::Prctl(Prctl::SetDumpable(1)),
            Op::Prctl(Prctl::SetPdeathsig(9)),
            Op::Setsid,
            Op::Sethostname(String::from("world")),
            Op::Setdomainname(String::from("world")),
            mount("none", "/", "", private),
        ])?;
        self.real.call(0, libc::SYS_umask, [0; 6])?;
        self.real.attach_proc()?;
        self.furnish_with(&[mount("none", "/tmp", "tmpfs", 0)])?;
        for name in ["proc", "sys", "dev", "tmp", "mnt", "run", "home", "old"] {
            self.furnish_with(&[Op::Mkdir(format!("/tmp/{name}"))])?;
        }
        self.furnish_with(&[
            mount("none", "/tmp/proc", "proc", 0),
            Op::PivotRoot { new: String::from("/tmp"), old: String::from("/tmp/old") },
            Op::Chdir(String::from("/")),
            Op::Umount { target: String::from("/old"), flags: MNT_DETACH },
            Op::Mknod(FILE.to_owned()),
        ])?;
        self.real.fill_file()?;
        Ok(())
    }

    fn furnish_with(&mut self, ops: &[Op]) -> Result<(), Stop> {
        for op in ops {
            let (answer, model) = self.both(0, op)?;
            if !answer::agree(op, &answer, &model, &mut self.known) {
                let (kernel, model) = (words::kernel(&answer), words::model(&model));
                return Err(diverged(format!("making the world: {op}: kernel {kernel}, model {model}")));
            }
            if let Err(denial) = model {
                return Err(refused_alike(op, denial).into());
            }
        }
        Ok(())
    }

    /// The actor with this handle.
    pub(crate) fn find(&self, task: TaskId) -> Option<usize> {
        self.actors.iter().position(|actor| actor.task == task)
    }

    /// Gives a task a name of the scenario's.
    pub(crate) fn name(&mut self, task: TaskId, name: &str) {
        if let Some(actor) = self.actors.iter_mut().find(|actor| actor.task == task) {
            name.clone_into(&mut actor.name);
        }
    }

    /// Looks through an actor.
    pub(crate) fn eyes(&self, actor: usize) -> Through<'_> {
        let slot = self.actors[actor].slot;
        let mut free = (0..SLOTS).filter(|slot| self.actors.iter().all(|actor| actor.slot != *slot));
        let free = [free.next(), free.next()];
        Through { real: &self.real, slot, reader: None, free, trials: &self.trials }
    }

    /// Has the model do what the actor's children tried.
    pub(crate) fn catch_up(&mut self, actor: usize) -> Result<(), Stop> {
        let task = self.actors[actor].task;
        for trial in self.trials.take() {
            let tried = self.try_again(task, &trial);
            tried.map_err(|says| diverged(format!("{}: {trial:?}: {says}", self.actors[actor].name)))?;
        }
        Ok(())
    }

    fn try_again(&mut self, task: TaskId, trial: &Trial) -> Result<(), String> {
        let said = |denial: Denial| format!("the model refuses: {denial}");
        let Reply::Child(child) = self.kernel.apply(task, &Op::Clone(0)).map_err(said)? else {
            return Err(String::from("the model makes no child"));
        };
        let answers = trial.calls.iter().map(|call| self.kernel.apply(child.task, call));
        let refused = answers.filter_map(Result::err).last().map(|denial| i32::from(denial.errno.number()));
        self.kernel.apply(child.task, &Op::ExitGroup(0)).map_err(said)?;
        let pid = i32::try_from(child.pid).unwrap_or(0);
        self.kernel.apply(task, &Op::Wait { pid, options: WALL }).map_err(said)?;
        // A namespace of the call that is asked about may still count.
        let settling = trial.refused == Some(libc::ENOSPC) && refused.is_none();
        if refused != trial.refused && !settling || u64::from(child.pid) != trial.pid {
            return Err(format!("the model has {} and {refused:?}", child.pid));
        }
        Ok(())
    }

    /// Where a task is found on the real side.
    pub(crate) fn place(&self, task: TaskId) -> Option<Place> {
        let slot = self.actors.iter().find(|actor| actor.task == task)?.slot;
        let pid = self.kernel.status(self.init, task).ok()?.pid;
        Some(Place { slot, pid })
    }

    /// Asks a task on both sides. The answers differ, or are what is returned.
    pub(crate) fn ask(&self, task: TaskId, question: &Question, places: &Places) -> Result<String, Stop> {
        let place = self.place(task).ok_or_else(|| io::Error::other("a task that is gone cannot look"))?;
        let model = question.ask(&self.kernel, task);
        let asked = Asked { real: &self.real, place, places, cgroup: &self.cgroup.0 };
        let kernel = asked.ask(question)?;
        if kernel == model {
            Ok(model)
        } else {
            Err(diverged(format!("kernel sees {kernel}, model {model}")))
        }
    }

    /// Whether an actor can take an order.
    pub(crate) fn is_free(&self, actor: usize) -> bool {
        let status = self.kernel.status(self.kernel.init(), self.actors[actor].task);
        status.is_ok_and(|status| status.state == State::Running) && self.actors[actor].held.is_none()
    }

    fn free_slot(&self) -> Option<usize> {
        (0..SLOTS).find(|slot| self.actors.iter().all(|actor| actor.slot != *slot))
    }

    /// Makes a call on both sides, without a look at what came of it.
    fn both(&mut self, actor: usize, op: &Op) -> Result<(Answer, Result<Reply, Denial>), Stop> {
        let Actor { task, slot, .. } = self.actors[actor].clone();
        let child = self.free_slot().ok_or_else(|| io::Error::other("too many tasks"))?;
        let mut next = self.kernel.clone();
        let mut model = next.apply(task, op);
        let state = next.status(next.init(), task).map(|status| status.state);
        let lost = state != Ok(State::Running);
        let call = Call { kernel: &self.kernel, world: self.init, task, slot, child, lost };
        let mut answer = self.real.perform(&call, op).map_err(diverged)?;
        let patience = Instant::now() + RELEASE;
        while releases_late(op, &answer, &model) && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(5));
            answer = self.real.perform(&call, op).map_err(diverged)?;
        }
        // Where several ended at once, the order in which a parent hears of it is open.
        if let (Op::Wait { pid: ..=0, options }, Answer::Waited { pid, .. }) = (op, &answer)
            && self.unordered
            && model.is_ok()
        {
            next = self.kernel.clone();
            let pid = i32::try_from(*pid).unwrap_or(0);
            model = next.apply(task, &Op::Wait { pid, options: *options });
        }
        self.unordered |= ends(&self.kernel, &next) > 1;
        self.kernel = next;
        if lost && state.is_ok_and(|state| state != State::Zombie) && answer == Answer::Pending {
            self.actors[actor].held = Some((op.clone(), model.clone()));
        }
        if let Ok(Reply::Child(made)) = &model {
            self.named += 1;
            let name = format!("t{}", self.named);
            self.actors.push(Actor { name, task: made.task, slot: child, pid: 0, held: None });
        }
        Ok((answer, model))
    }

    /// The call as it is where it is made: a program that is not ordinary is the world's file. `None` if the caller would execute another, or the file can't be made such a
    /// program.
    pub(crate) fn made_here(&mut self, task: TaskId, op: &Op) -> Option<Op> {
        let Op::Execve(program) = op else { return Some(op.clone()) };
        if program.ordinary() {
            return Some(op.clone());
        }
        let pid = self.kernel.status(self.init, task).ok()?.pid;
        let prepared = self.real.prepare(pid, program);
        prepared.then(|| self.kernel.program_at(task, FILE, *program).ok().map(Op::Execve)).flatten()
    }

    /// Makes a call on both sides and compares everything. Returns the model's answer.
    pub(crate) fn step(&mut self, actor: usize, op: &Op) -> Result<Result<Reply, Denial>, Stop> {
        let Actor { name, task, .. } = self.actors[actor].clone();
        if let Some(why) = outside::reached(&self.kernel, task, op) {
            return Err(io::Error::other(format!("not made: {why}")).into());
        }
        let Some(op) = &self.made_here(task, op) else {
            let text = "not made: there is no such program where it would be executed";
            return Err(io::Error::other(text).into());
        };
        let (answer, model) = self.both(actor, op)?;
        let held = self.actors.get(actor).is_some_and(|actor| actor.held.is_some());
        let ended = answer == Answer::Pending;
        if !held && !ended && !answer::agree(op, &answer, &model, &mut self.known) {
            let (kernel, model) = (words::kernel(&answer), words::model(&model));
            return Err(diverged(format!("{name} answers: kernel {kernel}, model {model}")));
        }
        self.compare()?;
        self.release_held()?;
        self.calls += 1;
        if self.eager || self.calls.is_multiple_of(INSPECTION) {
            self.inspect(task)?;
        }
        Ok(model)
    }

    /// What only a task itself can find out: names, directory, devices, limits, securebits.
    pub(crate) fn inspect(&mut self, task: TaskId) -> Result<(), Stop> {
        let Some(actor) = self.find(task).filter(|actor| self.is_free(*actor)) else { return Ok(()) };
        let name = self.actors[actor].name.clone();
        let questions = [
            ("hostname", Question::Hostname),
            ("domainname", Question::Domainname),
            ("securebits", Question::Securebits),
            ("cwd", Question::Cwd),
            ("devices", Question::Devices),
            ("limit uts", Question::Limit(nsproxy::NsKind::Uts)),
        ];
        for (what, question) in questions {
            // Some of it takes a descriptor for a moment.
            let few = self.kernel.rlimit(task, nsproxy::Resource::Nofile).is_ok_and(|limit| limit < 1010);
            if few && !matches!(question, Question::Securebits | Question::Cwd) {
                continue;
            }
            match self.ask(task, &question, &Places::default()) {
                Ok(_) => {}
                Err(Stop::Diverged(Divergence { differences })) => {
                    return Err(diverged(format!("{name} {what}: {}", differences.join("; "))));
                }
                Err(failed) => return Err(failed),
            }
        }
        self.compare_descriptors(actor)
    }

    /// The numbers of open descriptors, but for those of the machinery.
    fn compare_descriptors(&self, actor: usize) -> Result<(), Stop> {
        let Actor { name, task, .. } = &self.actors[actor];
        let model: Vec<i32> =
            self.kernel.descriptors(*task).unwrap_or_default().into_iter().map(|(fd, _)| fd).collect();
        let pid = self.kernel.status(self.init, *task).map_or(0, |status| status.pid);
        let kernel = match self.real.descriptors(pid) {
            Ok(kernel) => kernel,
            // A user may not look at all of its tasks' descriptors.
            Err(error) if self.kind == Kind::User && error.raw_os_error() == Some(libc::EACCES) => {
                return Ok(());
            }
            Err(error) => return Err(diverged(format!("{name} descriptors: {error}"))),
        };
        if kernel == model {
            return Ok(());
        }
        Err(diverged(format!("{name} descriptors: kernel {kernel:?}, model {model:?}")))
    }

    /// Calls that a task was held in and that go on now.
    fn release_held(&mut self) -> Result<(), Stop> {
        for at in 0..self.actors.len() {
            let Actor { name, task, slot, held, .. } = self.actors[at].clone();
            let Some((op, model)) = held else { continue };
            let state = self.kernel.status(self.kernel.init(), task).map(|status| status.state);
            if state != Ok(State::Running) {
                continue;
            }
            self.actors[at].held = None;
            let call = Call { kernel: &self.kernel, world: self.init, task, slot, child: 0, lost: false };
            let answer = self.real.finish(&call, &op).map_err(diverged)?;
            if !answer::agree(&op, &answer, &model, &mut self.known) {
                let (kernel, model) = (words::kernel(&answer), words::model(&model));
                return Err(diverged(format!("{name} answers at last: kernel {kernel}, model {model}")));
            }
        }
        Ok(())
    }
}

/// Whether a refusal may come of what the kernel gives back a little after its end. Where
/// the model says that there is room, or refuses for what is asked later, the kernel may get
/// as far only after a while.
fn releases_late(op: &Op, answer: &Answer, model: &Result<Reply, Denial>) -> bool {
    let says = |errno| model.as_ref().is_err_and(|denial| denial.errno == errno);
    match answer {
        // The charges of user, pid and net namespaces.
        Answer::Refused(libc::ENOSPC) => makes_namespaces(op) && !says(Errno::ENOSPC),
        // The number of a task, which is free only after the task is gone from /proc.
        Answer::Refused(libc::EEXIST) => {
            let chosen = matches!(op, Op::Clone3 { set_tid, .. } if !set_tid.is_empty());
            chosen && !says(Errno::EEXIST)
        }
        // The same where `pid_max` leaves no other number.
        Answer::Refused(libc::EAGAIN) => matches!(model, Ok(Reply::Child(_))),
        // The place in a cgroup, since 6.19 given back only when a task runs no more.
        Answer::Refused(libc::EBUSY) => {
            matches!(op, Op::CgroupSubtreeControl { .. } | Op::CgroupRmdir(_)) && model.is_ok()
        }
        _ => false,
    }
}

fn makes_namespaces(op: &Op) -> bool {
    matches!(
        op,
        Op::Clone(_)
            | Op::Clone3 { .. }
            | Op::Clone3Odd { .. }
            | Op::Unshare(_)
            | Op::OpenTree { .. }
            | Op::Fsmount { .. }
    )
}

/// How many processes have ended between the two.
fn ends(before: &Kernel, after: &Kernel) -> usize {
    let lives = |kernel: &Kernel, task: TaskId| {
        kernel.status(kernel.init(), task).is_ok_and(|status| status.state != State::Zombie)
    };
    before.tasks().into_iter().filter(|task| lives(before, *task) && !lives(after, *task)).count()
}

fn clone3(flags: u64, cgroup: Fd) -> Op {
    Op::Clone3 { flags, exit_signal: u64::from(SIGCHLD), set_tid: Vec::new(), cgroup }
}

/// The cgroup of the worlds of this process.
fn world_cgroup() -> io::Result<String> {
    let own = own_cgroup()?;
    let home =
        own.strip_suffix(RUNNER).ok_or_else(|| io::Error::other(format!("no runner's cgroup: {own}")))?;
    Ok(format!("{home}{WORLD}"))
}

/// The cgroup of this process in the hierarchy of version 2.
fn own_cgroup() -> io::Result<String> {
    let text = std::fs::read_to_string("/proc/self/cgroup")?;
    Ok(text.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/").to_owned())
}
