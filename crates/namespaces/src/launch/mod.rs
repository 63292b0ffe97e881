//! Carrying out a plan: the caller's side.
//!
//! How caller and child keep in step ([`Wake`]):
//!
//! - A child that needs nothing of the caller is waited for by the kernel
//!   itself (`CLONE_VFORK`): when `clone3` comes back in the caller, the child
//!   runs its program or has left a report in the [`Region`].
//! - A child in the caller's memory that waits for the caller to write its
//!   maps does so on a word of that memory, and the kernel clears another one
//!   when the child has executed or ended (`CLONE_CHILD_CLEARTID`).
//! - Any other talks over a socket pair. Each side sees the end of the other
//!   as the end of the stream, so neither waits for the dead.

pub(crate) mod child;
mod descriptors;
pub(crate) mod helper;
mod in_place;
mod init;
mod passwd;
mod perform;
mod rehearse;
mod sync;
mod text;
mod turn;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions};

use self::child::{Context, Memo};
use self::descriptors::Descriptors;
use self::helper::Helpers;
pub(crate) use self::in_place::exec;
pub(crate) use self::rehearse::{Rehearsal, rehearse};
use self::sync::{Both, Ours};
use self::turn::Turn;
use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::kind::Kind;
use crate::plan::{Actor, Plan, Step};
use crate::process::Process;
use crate::spawn::{Child, Spawn};
use crate::sys::clone::{Control, Region, Report};
use crate::sys::exec::Image;
use crate::sys::launch::{How, Wake};
use crate::sys::{self, signal};

/// Starts what `plan` says. The plan names descriptors that `spawn` keeps open.
pub(crate) fn launch(spawn: &Spawn, plan: &Plan) -> Result<Child> {
    let clone = Clone::of(plan)?;
    let descriptors = Descriptors::open(plan)?;
    let sync = Both::new(clone.how.wake, &descriptors)?;
    let private = clone.how.share_memory && !clone.by_joiner;
    let region = if private { Region::private() } else { Region::new(true) };
    let region =
        region.map_err(|errno| Error::call("allocating", "a stack for the new process", errno))?.ready();
    let caller = caller_pidfd(plan, &clone, &descriptors)?;
    let image = image_of(plan)?;
    let helpers = Helpers::start(plan)?;

    let mask = signal::set_mask(signal::ALL);
    let context = Context {
        plan,
        how: clone.how,
        region: &region,
        image: &image,
        moves: &descriptors.moves,
        channel: sync.ends(),
        caller: caller.as_ref().map(AsFd::as_fd),
        first_turn: clone.first_turn,
        mask: spawn.mask.unwrap_or(mask),
        memo: Memo::default(),
    };
    let made = in_place::take(0..clone.step, &context, &helpers)
        .and_then(|()| make(&context, &clone).map_err(|report| step_error(plan, report)));
    signal::set_mask(mask);
    let process = made?;

    let ours = sync.ours();
    let mut turn = Turn::new(&helpers);
    if let Err(error) = converse(plan, &clone, &process, &ours, region.control(), &mut turn) {
        // The child must not go on, and must not be left behind.
        let _ = process.signal(libc::SIGKILL);
        reap(process.as_fd());
        return Err(error);
    }
    turn.keep();
    if private {
        region.keep();
    }
    let init = ours.into_channel().filter(|_| plan.has(Actor::Program));
    let pid_one = spawn.kinds.contains(Kind::Pid) && init.is_none();
    Ok(Child::new(process, init, spawn.new_session, pid_one, descriptors.ours))
}

/// Makes the child.
fn make(context: &Context<'_>, clone: &Clone) -> Result<Process, Report> {
    let made = if clone.by_joiner { by_joiner(context) } else { sys::launch::child(clone.how, context) };
    // A report is about the joiner or the child, whoever failed.
    match (made, context.region.control().report()) {
        (Ok((pid, pidfd)), None) => Ok(Process::from_pidfd(pidfd, pid)),
        (Ok((_, pidfd)), Some(report)) => {
            reap(pidfd.as_fd());
            Err(report)
        }
        (Err(_), Some(report)) => Err(report),
        (Err(errno), None) => Err(Report { step: clone.step, errno }),
    }
}

/// The caller's part after the clone: its turn, and the outcome.
fn converse(
    plan: &Plan,
    clone: &Clone,
    process: &Process,
    ours: &Ours,
    control: &Control,
    turn: &mut Turn<'_>,
) -> Result<()> {
    let failed = |report: Option<Report>| report.map_or(Ok(()), |report| Err(step_error(plan, report)));
    if let Some(first) = clone.first_turn {
        if child::announces_turn(plan, first) {
            failed(ours.outcome(control)?)?;
        }
        turn.take(plan, first, process)?;
        ours.release(control);
    }
    failed(ours.outcome(control)?)
}

/// What the plan's clone step comes down to.
struct Clone {
    how: How,
    step: usize,
    by_joiner: bool,
    /// The caller's first step after the clone, while the child waits.
    first_turn: Option<usize>,
}

impl Clone {
    fn of(plan: &Plan) -> Result<Clone> {
        let steps = plan.steps();
        let (step, kinds, share_memory) = steps
            .iter()
            .enumerate()
            .find_map(|(i, s)| match s.step {
                Step::Clone { kinds, share_memory } => Some((i, kinds, share_memory)),
                _ => None,
            })
            .ok_or_else(|| Error::invalid("plan", "", "it has no clone step"))?;
        let first_turn =
            (step + 1..steps.len()).find(|i| matches!(steps[*i].actor, Actor::Caller | Actor::Helper));
        let by_joiner = steps[step].actor == Actor::Joiner;
        let wake = if plan.has(Actor::Program) {
            Wake::Channel
        } else if first_turn.is_none() {
            Wake::Sleep
        } else if share_memory && !by_joiner {
            Wake::Words
        } else {
            Wake::Channel
        };
        Ok(Clone { how: How { kinds, share_memory, wake }, step, by_joiner, first_turn })
    }
}

/// Has the joiner make the child, and reaps the joiner.
fn by_joiner(context: &Context<'_>) -> Result<(i32, OwnedFd), Errno> {
    let joiner = sys::launch::joiner(context)?;
    if let Some(pid) = Pid::from_raw(joiner) {
        let _ = retry(|| rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED));
    }
    // Without a child and without a report the joiner was killed.
    sys::launch::made_by_joiner(context).ok_or(Errno::ECHILD)
}

fn step_error(plan: &Plan, report: Report) -> Error {
    match plan.steps().get(report.step) {
        Some(step) => Error::Step {
            index: report.step,
            step: Box::new(step.clone()),
            plan: Box::new(plan.clone()),
            errno: report.errno,
        },
        None => Error::call("starting", "the new process", report.errno),
    }
}

fn reap(pidfd: BorrowedFd<'_>) {
    let _ = retry(|| rustix::process::waitid(WaitId::PidFd(pidfd), WaitIdOptions::EXITED));
}

fn retry<T>(call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    rustix::io::retry_on_intr(call)
}

/// The caller itself, so that the child can see whether it is still there.
fn caller_pidfd(plan: &Plan, clone: &Clone, descriptors: &Descriptors) -> Result<Option<OwnedFd>> {
    let asked = plan.steps().iter().any(|s| matches!(s.step, Step::ParentDeathSignal(_)));
    if !asked && clone.how.wake != Wake::Words {
        return Ok(None);
    }
    rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty())
        .map_err(Errno::from)
        .and_then(|pidfd| descriptors.out_of_the_way(pidfd).map(Some))
        .map_err(|errno| Error::call("opening", "the calling process", errno))
}

fn image_of(plan: &Plan) -> Result<Image<'_>> {
    let last = plan.steps().last().map(|s| &s.step);
    match last {
        Some(Step::Execute { candidates, argv, envp }) => Ok(Image::new(candidates, argv, envp.as_deref())),
        Some(Step::LoginShell { envp }) => Ok(Image::new(&[], &[], envp.as_deref())),
        _ => Err(Error::invalid("plan", "", "it does not end with execve")),
    }
}
