//! A run as a script: who made which call, with names instead of numbers where the
//! numbers are those of tasks and descriptors, so that it still makes sense when some of
//! it is left out. It prints as a scenario.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use nsproxy::op::{MntNsWanted, MountWanted, Op, Reply};
use nsproxy::{Denial, Fd, Kernel, TaskId};

use crate::outside;
use crate::world::{Stop, World};

/// Stands for a number that has a name, while a call is printed.
const PLACE: i32 = 1_234_567_891;
const NEGATIVE: i32 = -PLACE;

/// One call of a script.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Which of the script; also the name of what it makes.
    pub(crate) number: usize,
    /// Who calls: the number of the step that made it; 0 is the world's first process.
    pub(crate) caller: usize,
    op: Op,
    /// The task that the call names, and whether as a group: by a negative number.
    task: Option<(usize, bool)>,
    /// The descriptor that the call names.
    fd: Option<usize>,
}

/// The number of a process in a call.
fn pid_in(op: &mut Op) -> Option<&mut i32> {
    match op {
        Op::Wait { pid, .. }
        | Op::Kill { pid, .. }
        | Op::CapsetOf { pid, .. }
        | Op::PrlimitOf { pid, .. }
        | Op::Setpgid { pid, .. }
        | Op::OpenNs { pid, .. }
        | Op::OpenNsWrite { pid, .. }
        | Op::PidfdOpen { pid, .. }
        | Op::WriteMap { pid, .. }
        | Op::OpenMap { pid, .. }
        | Op::WriteSetgroups { pid, .. }
        | Op::WriteTimensOffsets { pid, .. }
        | Op::CgroupMove { pid, .. }
        | Op::ListNs(pid)
        | Op::OpenSetgroups(pid)
        | Op::OpenTimensOffsets(pid) => Some(pid),
        _ => None,
    }
}

/// The descriptor in a call.
fn fd_in(op: &mut Op) -> Option<&mut Fd> {
    match op {
        Op::Setns { fd, .. }
        | Op::PidfdSendSignal { fd, .. }
        | Op::Reopen { fd, .. }
        | Op::NsIoctl { fd, .. }
        | Op::PidfdIoctl { fd, .. }
        | Op::Write { fd, .. }
        | Op::BindNamespace { fd, .. }
        | Op::MoveDevice { fd, .. }
        | Op::MountSetattrFd { fd, .. }
        | Op::MoveMount { fd, .. }
        | Op::MountProc { pidns: fd, .. }
        | Op::Listmount { ns: MntNsWanted::Id(fd) | MntNsWanted::Fd(fd) | MntNsWanted::Both(fd), .. }
        | Op::Statmount { ns: MntNsWanted::Id(fd) | MntNsWanted::Fd(fd) | MntNsWanted::Both(fd), .. }
        | Op::Listmount { mount: MountWanted::Of(fd), .. }
        | Op::Statmount { mount: MountWanted::Of(fd), .. }
        | Op::Close(fd)
        | Op::Dup(fd)
        | Op::ConnectLoopback(fd)
        | Op::SocketNamespace(fd) => Some(fd),
        Op::Clone3 { cgroup, .. } => Some(cgroup),
        Op::MountSetattr { attr, .. } => Some(&mut attr.userns_fd),
        _ => None,
    }
}

fn fd_of(reply: &Reply) -> Option<Fd> {
    match reply {
        Reply::Fd(fd) | Reply::Ns(nsproxy::NsAnswer::Fd(fd)) | Reply::Pidfd(nsproxy::PidfdAnswer::Fd(fd)) => {
            Some(*fd)
        }
        _ => None,
    }
}

/// Who and what the steps so far have made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    tasks: BTreeMap<usize, TaskId>,
    /// With the task whose table it is in.
    fds: BTreeMap<usize, (TaskId, Fd)>,
}

impl Names {
    /// A world with nobody but its first process.
    pub(crate) fn new(init: TaskId) -> Self {
        Self { tasks: BTreeMap::from([(0, init)]), fds: BTreeMap::new() }
    }

    pub(crate) fn number_of(&self, task: TaskId) -> Option<usize> {
        self.tasks.iter().find(|(_, known)| **known == task).map(|(number, _)| *number)
    }

    /// A call, told in names.
    pub(crate) fn step(&self, kernel: &Kernel, number: usize, caller: TaskId, op: &Op) -> Option<Step> {
        let mut step = Step { number, caller: self.number_of(caller)?, op: op.clone(), task: None, fd: None };
        if let Some(pid) = pid_in(&mut step.op) {
            let found = i32::try_from(pid.unsigned_abs())
                .ok()
                .filter(|pid| *pid != 0)
                .and_then(|pid| kernel.find_task(caller, pid))
                .and_then(|task| self.number_of(task));
            step.task = found.map(|task| (task, *pid < 0));
        }
        if let Some(fd) = fd_in(&mut step.op) {
            let mut latest = self.fds.iter().rev();
            step.fd = latest.find(|(_, known)| **known == (caller, *fd)).map(|(number, _)| *number);
        }
        Some(step)
    }

    /// The call with the numbers of this world. `None` where somebody is missing.
    pub(crate) fn resolve(&self, kernel: &Kernel, step: &Step) -> Option<(TaskId, Op)> {
        let caller = *self.tasks.get(&step.caller)?;
        let mut op = step.op.clone();
        if let (Some((task, group)), Some(pid)) = (step.task, pid_in(&mut op)) {
            let seen = kernel.status(caller, *self.tasks.get(&task)?).ok()?.pid;
            let seen = i32::try_from(seen).ok().filter(|seen| *seen != 0)?;
            *pid = if group { -seen } else { seen };
        }
        if let (Some(number), Some(fd)) = (step.fd, fd_in(&mut op)) {
            *fd = self.fds.get(&number)?.1;
        }
        Some((caller, op))
    }

    /// Remembers what a call has made.
    pub(crate) fn learn(&mut self, number: usize, caller: TaskId, model: &Result<Reply, Denial>) {
        match model {
            Ok(Reply::Child(child)) => {
                self.tasks.insert(number, child.task);
                if let Some(fd) = child.pidfd {
                    self.fds.insert(number, (caller, fd));
                }
            }
            Ok(reply) => {
                if let Some(fd) = fd_of(reply) {
                    self.fds.insert(number, (caller, fd));
                }
            }
            Err(_) => {}
        }
    }
}

/// What playing a script came to.
#[derive(Debug)]
pub(crate) enum Played {
    /// Both sides agreed to the end.
    Agreed,
    /// They differed after these steps.
    Diverged { made: Vec<Step>, differences: Vec<String> },
}

/// Plays a script in a world. Steps of somebody who is not there are passed over, and those
/// that would change the machine, as they did not before others were left out.
pub(crate) fn play(world: &mut World, steps: &[Step]) -> Result<Played, Stop> {
    let mut names = Names::new(world.init);
    world.eager = true;
    let mut made = Vec::new();
    for step in steps {
        let Some((task, op)) = names.resolve(&world.kernel, step) else { continue };
        let Some(actor) = world.find(task).filter(|actor| world.is_free(*actor)) else { continue };
        if outside::reached(&world.kernel, task, &op).is_some() || world.made_here(task, &op).is_none() {
            continue;
        }
        made.push(step.clone());
        match world.step(actor, &op) {
            Ok(model) => names.learn(step.number, task, &model),
            Err(Stop::Diverged(divergence)) => {
                return Ok(Played::Diverged { made, differences: divergence.differences });
            }
            Err(failed) => return Err(failed),
        }
    }
    Ok(Played::Agreed)
}

fn task_name(number: usize) -> String {
    if number == 0 { String::from("init") } else { format!("t{number}") }
}

/// A script as a scenario.
pub(crate) fn print(steps: &[Step]) -> String {
    let mut text = String::new();
    let used = |number: usize| {
        let names = |step: &Step| step.caller == number || step.task.is_some_and(|(task, _)| task == number);
        (steps.iter().any(names), steps.iter().any(|step| step.fd == Some(number)))
    };
    for step in steps {
        let mut op = step.op.clone();
        if let (Some((_, group)), Some(pid)) = (step.task, pid_in(&mut op)) {
            *pid = if group { NEGATIVE } else { PLACE };
        }
        let mut words = op.to_string();
        if let Some((task, _)) = step.task {
            words = words.replace(&PLACE.to_string(), &task_name(task));
        }
        if let (Some(number), Some(fd)) = (step.fd, fd_in(&mut op)) {
            *fd = PLACE;
            let mut both = op.to_string();
            if let Some((task, _)) = step.task {
                both = both.replacen(&PLACE.to_string(), &task_name(task), 1);
            }
            words = both.replace(&PLACE.to_string(), &format!("f{number}"));
        }
        let _ = write!(text, "{}: {words}", task_name(step.caller));
        let binding = match used(step.number) {
            (true, _) => Some(task_name(step.number)),
            (false, true) => Some(format!("f{}", step.number)),
            _ => None,
        };
        if let Some(binding) = binding {
            let _ = write!(text, " -> {binding}");
        }
        text.push('\n');
    }
    text
}
