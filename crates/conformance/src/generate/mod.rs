//! Which call comes next. Chosen at random, weighted so that interesting states are
//! reached, and steered by the model itself: some calls are tried on a copy of it first,
//! and those are preferred that meet a rule not met so far. A part is blind chance, so
//! that the model does not hide its own mistakes.

// A call of an area may turn out impossible here; those of some areas never do.
#![allow(clippy::unnecessary_wraps, clippy::unused_self)]

mod cred;
mod file;
mod mount;
mod object;
mod process;

use std::collections::BTreeMap;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use nsproxy::op::Op;
use nsproxy::{Denial, Descriptor, Disposition, Fd, Kernel, NsId, Rule, State, TaskId};

use crate::cgroup::Cgroups;
use crate::outside;
use crate::random::Random;

macro_rules! areas {
    ($($name:ident $text:literal $weight:literal;)*) => {
        /// The parts of the kernel that calls are about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Area { $($name,)* }

        impl Area {
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name,)*];

            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            fn weight(self) -> usize {
                match self { $(Self::$name => $weight,)* }
            }
        }
    };
}

areas! {
    Clone "clone" 10;
    Unshare "unshare" 8;
    Setns "setns" 10;
    Exit "exit" 5;
    Signal "signal" 5;
    Exec "exec" 2;
    Cred "cred" 9;
    Map "map" 12;
    File "file" 12;
    Limit "limit" 3;
    Mount "mount" 16;
    Uts "uts" 2;
    Time "time" 3;
    Ipc "ipc" 10;
    Net "net" 4;
    Cgroup "cgroup" 4;
}

impl ValueEnum for Area {
    fn value_variants<'a>() -> &'a [Self] {
        Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

/// What the machine allows to be tried.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    /// Only calls of this area, and clones.
    pub(crate) only: Option<Area>,
    /// What can be done with cgroups.
    pub(crate) cgroups: Cgroups,
    /// Cgroup namespaces are boundaries of delegation.
    pub(crate) nsdelegate: bool,
    /// Nobody else on the machine has the runner's user id, so tasks of it can be counted.
    pub(crate) own_uid: bool,
    /// The ids that mean something in the world.
    pub(crate) ids: Vec<u32>,
    /// Ids that seldom mean anything.
    pub(crate) odd_ids: Vec<u32>,
}

/// How often each rule was seen to be applied.
pub(crate) type Met = BTreeMap<Rule, u64>;

/// A look at the world by the one who is to make a call.
pub(crate) struct View<'a> {
    pub(crate) kernel: &'a Kernel,
    pub(crate) init: TaskId,
    pub(crate) me: TaskId,
    /// Every task that the model has.
    pub(crate) tasks: &'a [TaskId],
    pub(crate) bounds: &'a Bounds,
}

impl View<'_> {
    fn is_init(&self) -> bool {
        self.me == self.init
    }

    /// How many tasks can take an order.
    fn running(&self) -> usize {
        self.tasks.iter().filter(|task| self.state(**task) == Some(State::Running)).count()
    }

    fn state(&self, task: TaskId) -> Option<State> {
        self.kernel.status(self.init, task).ok().map(|status| status.state)
    }

    /// A task's number as the caller sees it.
    fn number(&self, task: TaskId) -> Option<i32> {
        let pid = self.kernel.status(self.me, task).ok()?.pid;
        i32::try_from(pid).ok().filter(|pid| *pid != 0)
    }

    fn descriptors(&self) -> Vec<(Fd, Descriptor)> {
        self.kernel.descriptors(self.me).unwrap_or_default()
    }

    fn namespace(&self, task: TaskId, link: nsproxy::NsLink) -> Option<NsId> {
        outside::namespace(self.kernel, task, link)
    }
}

/// Chooses calls.
#[derive(Clone, Debug)]
pub(crate) struct Generator {
    pub(crate) random: Random,
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: Random::new(seed) }
    }

    /// The next call of the task in the view.
    pub(crate) fn next(&mut self, view: &View<'_>, met: &Met) -> Op {
        // One in four is not steered.
        let tries = if self.random.one_in(4) { 1 } else { 4 };
        let mut best: Option<(usize, Op)> = None;
        for _ in 0..tries {
            let op = self.candidate(view);
            let worth = if tries == 1 { 0 } else { self.worth(view, &op, met) };
            if best.as_ref().is_none_or(|(least, _)| worth > *least) {
                best = Some((worth, op));
            }
        }
        best.map_or(Op::Settle, |(_, op)| op)
    }

    /// How much is to be learned from a call.
    fn worth(&mut self, view: &View<'_>, op: &Op, met: &Met) -> usize {
        let mut copy = view.kernel.clone();
        let noise = self.random.below(30);
        match copy.apply(view.me, op) {
            Ok(_) => 40 + noise,
            Err(Denial { rule, .. }) => match met.get(&rule) {
                None => 1000,
                Some(seen) if *seen < 20 => 50 + noise,
                Some(_) => noise,
            },
        }
    }

    fn candidate(&mut self, view: &View<'_>) -> Op {
        for _ in 0..20 {
            let area = self.area(view);
            let op = match area {
                Area::Clone => self.clone_op(view),
                Area::Unshare => self.unshare_op(view),
                Area::Setns => self.setns_op(view),
                Area::Exit => self.exit_op(view),
                Area::Signal => self.signal_op(view),
                Area::Exec => self.exec_op(view),
                Area::Cred => self.cred_op(view),
                Area::Map => self.map_op(view),
                Area::File => self.file_op(view),
                Area::Limit => self.limit_op(view),
                Area::Mount => self.mount_op(view),
                Area::Uts => self.uts_op(),
                Area::Time => self.time_op(view),
                Area::Ipc => self.ipc_op(),
                Area::Net => self.net_op(view),
                Area::Cgroup => self.cgroup_op(view),
            };
            if let Some(op) = op
                && allowed(view, &op)
            {
                return op;
            }
        }
        Op::Wait { pid: -1, options: 0 }
    }

    fn area(&mut self, view: &View<'_>) -> Area {
        let running = view.running();
        // A world of some eight tasks: not too lonely, not too crowded.
        if running < 3 && self.random.one_in(2) || running < 8 && self.random.one_in(8) {
            return Area::Clone;
        }
        if running > 10 && self.random.one_in(3) || view.tasks.len() > 25 {
            return Area::Exit;
        }
        if let Some(only) = view.bounds.only
            && !self.random.one_in(8)
        {
            return only;
        }
        let total: usize = Area::ALL.iter().map(|area| area.weight()).sum();
        let mut at = self.random.below(total);
        for area in Area::ALL {
            if at < area.weight() {
                return *area;
            }
            at -= area.weight();
        }
        Area::Clone
    }

    /// A number of a task as the caller sees it; now and then one of nobody.
    fn pid(&mut self, view: &View<'_>) -> i32 {
        if self.random.one_in(16) {
            return *self.random.pick(&[4_000_000, 299, 1]);
        }
        let task = *self.random.pick(view.tasks);
        view.number(task).unwrap_or(1)
    }

    /// A descriptor that is what is wanted, or some other, or none.
    fn fd(&mut self, view: &View<'_>, wanted: impl Fn(Descriptor) -> bool) -> Fd {
        let all = view.descriptors();
        let fitting: Vec<Fd> = all.iter().filter(|(_, what)| wanted(*what)).map(|(fd, _)| *fd).collect();
        if !fitting.is_empty() && !self.random.one_in(16) {
            return *self.random.pick(&fitting);
        }
        if !all.is_empty() && !self.random.one_in(4) {
            return self.random.pick(&all).0;
        }
        *self.random.pick(&[-1, 777, 3])
    }

    fn id(&mut self, view: &View<'_>) -> u32 {
        if self.random.one_in(8) {
            return *self.random.pick(&view.bounds.odd_ids);
        }
        *self.random.pick(&view.bounds.ids)
    }
}

/// Whether the caller has such a thing open.
fn is(view: &View<'_>, fd: i32, wanted: impl Fn(Descriptor) -> bool) -> bool {
    view.descriptors().iter().any(|(other, what)| *other == fd && wanted(*what))
}

/// What must not be done: the world's first process stays, and what is shared with the
/// machine outside is left alone.
fn allowed(view: &View<'_>, op: &Op) -> bool {
    use nsproxy::uapi::{CLONE_FILES, CLONE_FS, CLONE_THREAD, CLONE_VM};
    let shared = CLONE_THREAD | CLONE_FS | CLONE_FILES | CLONE_VM;
    let fine = match op {
        Op::Clone(flags) | Op::Clone3 { flags, .. } | Op::Clone3Odd { flags, .. } => {
            !view.is_init() || flags & shared == 0
        }
        Op::Wait { .. }
        | Op::OpenNs { .. }
        | Op::PidfdOpen { .. }
        | Op::Close(_)
        | Op::Kill { .. }
        | Op::WriteMap { .. }
        | Op::WriteSetgroups { .. }
        | Op::Mkdir(_)
        | Op::Sethostname(_) => true,
        // In a namespace that has lost all else, the root is the machine's own.
        Op::Setns { .. } => !view.is_init() && !bares_machine(view, op),
        _ => !view.is_init(),
    };
    fine && outside::reached(view.kernel, view.me, op).is_none() && survivable(view, op)
}

fn bares_machine(view: &View<'_>, op: &Op) -> bool {
    let mut copy = view.kernel.clone();
    let _ = copy.apply(view.me, op);
    copy.mountinfo(view.me).is_ok_and(|lines| lines.iter().any(|line| line.fstype == "rootfs"))
}

/// Whether the world's first process is alive and can still be told things afterwards,
/// and whether what happens depends on who of several dies first: a parent that ignores
/// SIGCHLD leaves no zombie if it outlives its child.
fn survivable(view: &View<'_>, op: &Op) -> bool {
    let ends = matches!(
        op,
        Op::Kill { .. }
            | Op::Tgkill { .. }
            | Op::PidfdSendSignal { .. }
            | Op::Reboot(_)
            | Op::Exit(_)
            | Op::ExitGroup(_)
            | Op::Execve(_)
    );
    if !ends && !matches!(op, Op::Sigprocmask(_) | Op::Close(_)) {
        return true;
    }
    if waits_for_vfork(view, op) {
        return false;
    }
    let mut copy = view.kernel.clone();
    let _ = copy.apply(view.me, op);
    let lives = |kernel: &Kernel, task: TaskId| {
        kernel.status(kernel.init(), task).is_ok_and(|status| status.state != State::Zombie)
    };
    if copy.status(copy.init(), view.init).is_ok_and(|status| status.state != State::Running) {
        return false;
    }
    let dying: Vec<TaskId> =
        view.tasks.iter().copied().filter(|task| lives(view.kernel, *task) && !lives(&copy, *task)).collect();
    if matches!(op, Op::Execve(_)) {
        // A child of another thread, which is told by a signal of that thread's end, may end
        // before or after its parent is another program, which decides how it is heard of.
        let group = |task: TaskId| view.kernel.status(view.init, task).map(|status| status.tgid).ok();
        return dying.iter().all(|task| group(*task) == group(view.me));
    }
    // Which thread of a dying init is the last, and waits for the others, is open.
    let waits = |task: &TaskId| {
        copy.status(copy.init(), *task).is_ok_and(|status| status.state == State::Zapping)
            && view.kernel.status(view.init, *task).is_ok_and(|status| status.threads > 1)
    };
    if view.tasks.iter().any(waits) {
        return false;
    }
    let ignores =
        |kernel: &Kernel, task: &TaskId| kernel.disposition_of(*task, 17) == Ok(Disposition::Ignore);
    // An init that ends ignores it from then on, and so do all that share its handlers, those
    // that end with it as well.
    let infected = |task: &TaskId| {
        let goes_on = copy.status(copy.init(), *task).is_ok_and(|status| status.state == State::Running);
        goes_on && ignores(&copy, task) && !ignores(view.kernel, task)
    };
    let spreads = |task: &TaskId| {
        let init = view.kernel.status(*task, *task).is_ok_and(|status| status.tgid == 1);
        init && shares_handlers(view, *task)
    };
    dying.len() < 2
        || decided(view, op, &copy)
            && !dying.iter().any(|task| ignores(view.kernel, task) || spreads(task))
            && !view.tasks.iter().any(infected)
}

/// Whether the outcome is the same in whichever order those end that the call ends.
fn decided(view: &View<'_>, op: &Op, outcome: &Kernel) -> bool {
    let mut backwards = view.kernel.clone();
    backwards.params_mut().ends_backwards = true;
    let _ = backwards.apply(view.me, op);
    backwards.canonical() == outcome.canonical()
}

/// Whether what a task does with a signal is what a task of another process does.
fn shares_handlers(view: &View<'_>, task: TaskId) -> bool {
    const SIGUSR2: u32 = 12;
    let mut copy = view.kernel.clone();
    let other = match copy.disposition_of(task, SIGUSR2) {
        Ok(Disposition::Handle) => Disposition::Default,
        _ => Disposition::Handle,
    };
    let set = copy.sigaction(task, SIGUSR2, other).is_ok();
    let group = |task: TaskId| view.kernel.status(view.init, task).map(|status| status.tgid).ok();
    let changed = |one: &&TaskId| {
        copy.disposition_of(**one, SIGUSR2).ok() != view.kernel.disposition_of(**one, SIGUSR2).ok()
    };
    set && view.tasks.iter().filter(changed).any(|one| group(*one) != group(task))
}

/// Whether a signal other than SIGKILL might go to a process of which a thread waits for
/// the child of a vfork: it is taken only afterwards, and the model has no such queue.
fn waits_for_vfork(view: &View<'_>, op: &Op) -> bool {
    let waits = |task: TaskId| view.state(task) == Some(State::VforkWait);
    let group = |task: TaskId| view.kernel.status(view.init, task).map(|status| status.tgid).ok();
    let held = |task: TaskId| view.tasks.iter().any(|one| waits(*one) && group(*one) == group(task));
    match op {
        Op::Kill { signal: 0 | 9, .. } | Op::PidfdSendSignal { signal: 0 | 9, .. } => false,
        Op::Kill { pid: pid @ 1.., .. } => view.kernel.find_task(view.me, *pid).is_some_and(held),
        Op::Kill { .. } | Op::PidfdSendSignal { .. } => view.tasks.iter().any(|task| held(*task)),
        _ => false,
    }
}
