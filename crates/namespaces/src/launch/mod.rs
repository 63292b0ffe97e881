//! Carrying out a plan: the caller's side.
//!
//! How caller and child keep in step:
//!
//! - A child that needs nothing of the caller is waited for by the kernel
//!   itself (`CLONE_VFORK`): when `clone3` comes back in the caller, the child
//!   runs its program or has left a report in the [`Region`].
//! - A child that waits for the caller to write its maps, or that stays as
//!   init, talks over a socket pair. Each side sees the end of the other as
//!   the end of the stream, so neither waits for the dead.

pub(crate) mod child;
mod init;
mod perform;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions};

use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::idmap::{IdKind, IdMap, MapWriter, run_helper};
use crate::launch::child::Context;
use crate::plan::{Actor, Plan, Source, Step};
use crate::process::Process;
use crate::spawn::{Child, Spawn};
use crate::sys::clone::{Region, Report};
use crate::sys::exec::Image;
use crate::sys::launch::How;
use crate::sys::{self, signal};

/// Starts what `plan` says. The plan names descriptors that `spawn` keeps open.
pub(crate) fn launch(spawn: &Spawn, plan: &Plan) -> Result<Child> {
    let clone = Clone::of(plan)?;
    let mut descriptors = Descriptors::open(plan)?;
    let channel = if clone.how.sleep { None } else { Some(channel(&descriptors)?) };
    let private = clone.how.share_memory && !clone.by_joiner;
    let region = if private { Region::private() } else { Region::new(true) };
    let region = region.map_err(|errno| Error::call("allocating", "a stack for the new process", errno))?;
    let caller = caller_pidfd(plan, &descriptors)?;
    let image = image_of(plan)?;

    let mask = signal::set_mask(signal::ALL);
    let context = Context {
        plan,
        how: clone.how,
        region: &region,
        image: &image,
        moves: &descriptors.moves,
        channel: channel.as_ref().map(|(ours, theirs)| (ours.as_fd(), theirs.as_fd())),
        caller: caller.as_ref().map(AsFd::as_fd),
        first_turn: clone.first_turn,
        mask: spawn.mask.unwrap_or(mask),
    };
    if let Err(report) = go_first(&context, clone.step) {
        signal::set_mask(mask);
        return Err(step_error(plan, report));
    }
    let made = if clone.by_joiner { by_joiner(&context) } else { sys::launch::child(clone.how, &context) };
    signal::set_mask(mask);

    // A joiner's report is about the joiner or the child, whoever failed.
    let failed = region.control().report();
    let (pid, pidfd) = match (made, failed) {
        (Ok(made), None) => made,
        (Ok((_, pidfd)), Some(report)) => {
            reap(pidfd.as_fd());
            return Err(step_error(plan, report));
        }
        (Err(_), Some(report)) => return Err(step_error(plan, report)),
        (Err(errno), None) => return Err(step_error(plan, Report { step: clone.step, errno })),
    };

    let process = Process::from_pidfd(pidfd, pid);
    let init = match channel {
        None => None,
        Some((ours, theirs)) => {
            drop(theirs);
            if let Err(error) = converse(plan, &clone, &process, ours.as_fd()) {
                // The child must not go on, and must not be left behind.
                let _ = process.signal(libc::SIGKILL);
                reap(process.as_fd());
                return Err(error);
            }
            plan.has(Actor::Program).then_some(ours)
        }
    };
    if private {
        region.keep();
    }
    Ok(Child::new(process, init, spawn.new_session, std::mem::take(&mut descriptors.ours)))
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
        let first_turn = (step + 1..steps.len()).find(|i| steps[*i].actor == Actor::Caller);
        let sleep = first_turn.is_none() && !plan.has(Actor::Program);
        let by_joiner = steps[step].actor == Actor::Joiner;
        Ok(Clone { how: How { kinds, share_memory, sleep }, step, by_joiner, first_turn })
    }
}

/// The caller's own steps before the clone.
fn go_first(context: &Context<'_>, clone: usize) -> Result<(), Report> {
    let steps = context.plan.of(Actor::Caller).take_while(|(step, _)| *step < clone);
    for (step, what) in steps {
        perform::perform(what, context).map_err(|errno| Report { step, errno })?;
    }
    Ok(())
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

/// The caller's part after the clone: its turn, and the outcome.
fn converse(plan: &Plan, clone: &Clone, process: &Process, channel: BorrowedFd<'_>) -> Result<()> {
    if let Some(first) = clone.first_turn {
        if child::announces_turn(plan, first) {
            outcome(plan, channel)?;
        }
        for (index, step) in plan.of(Actor::Caller).filter(|(i, _)| *i >= first) {
            take_turn(step, process).map_err(|refusal| match refusal {
                Refusal::Errno(errno) => step_error(plan, Report { step: index, errno }),
                Refusal::Error(error) => error,
            })?;
        }
        // If the child is dead this fails, and the outcome will tell.
        let _ = rustix::net::send(channel, &[0; 8], SendFlags::NOSIGNAL);
    }
    outcome(plan, channel)
}

/// Waits for the child's word: a report, a word of zero, or the end of the
/// stream, which `execve` brings about.
fn outcome(plan: &Plan, channel: BorrowedFd<'_>) -> Result<()> {
    let mut word = [0_u8; 8];
    let (_, length) = retry(|| rustix::net::recv(channel, &mut word, RecvFlags::empty()))
        .map_err(|errno| Error::call("hearing from", "the new process", errno))?;
    match Report::from_word(u64::from_ne_bytes(word)) {
        Some(report) if length == word.len() => Err(step_error(plan, report)),
        _ => Ok(()),
    }
}

/// Why the caller could not take a step: the kernel's answer to it, or more.
enum Refusal {
    Errno(Errno),
    Error(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal::Error(error)
    }
}

/// A step that the caller takes while the child waits.
fn take_turn(step: &Step, process: &Process) -> Result<(), Refusal> {
    match step {
        Step::WriteMap { kind, map, writer: MapWriter::Helpers } => {
            Ok(run_helper(*kind, process.pid(), map)?)
        }
        Step::WriteMap { kind, map, .. } => write_map(*kind, map, process.pid()).map_err(Refusal::Errno),
        Step::Pin { kind, path } => {
            let namespace = match process.namespace_for_children(*kind) {
                // Before its first process a pid namespace has no such link.
                Err(_) => process.namespace(*kind)?,
                Ok(namespace) => namespace,
            };
            Ok(crate::pin::pin(&namespace, path)?)
        }
        _ => Err(Refusal::Errno(Errno::EINVAL)),
    }
}

fn write_map(kind: IdKind, map: &IdMap, pid: i32) -> Result<(), Errno> {
    // The child can't be reaped, and its id not be used again, before we do so.
    let path = format!("/proc/{pid}/{}", kind.file());
    let file = rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&file, map.to_string().as_bytes())?;
    Ok(())
}

fn step_error(plan: &Plan, report: Report) -> Error {
    match plan.steps().get(report.step) {
        Some(step) => Error::Step { index: report.step, step: Box::new(step.clone()), errno: report.errno },
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
fn caller_pidfd(plan: &Plan, descriptors: &Descriptors) -> Result<Option<OwnedFd>> {
    if !plan.steps().iter().any(|s| matches!(s.step, Step::ParentDeathSignal(_))) {
        return Ok(None);
    }
    rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty())
        .map_err(Errno::from)
        .and_then(|pidfd| descriptors.out_of_the_way(pidfd).map(Some))
        .map_err(|errno| Error::call("opening", "the calling process", errno))
}

fn image_of(plan: &Plan) -> Result<Image<'_>> {
    let last = plan.steps().last().map(|s| &s.step);
    let Some(Step::Execute { candidates, argv, envp }) = last else {
        return Err(Error::invalid("plan", "", "it does not end with execve"));
    };
    Ok(Image::new(candidates, argv, envp.as_deref()))
}

/// A socket pair, the caller's end first. The child's end must not be where
/// the program's descriptors go.
fn channel(descriptors: &Descriptors) -> Result<(OwnedFd, OwnedFd)> {
    let failed = |errno: Errno| Error::call("making", "a socket to the new process", errno);
    let (ours, theirs) =
        rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .map_err(|errno| failed(errno.into()))?;
    Ok((ours, descriptors.out_of_the_way(theirs).map_err(failed)?))
}

/// The descriptors of the program, opened beforehand.
#[derive(Default)]
struct Descriptors {
    /// What to put where, in an order that overwrites nothing still needed.
    moves: Vec<(RawFd, RawFd)>,
    /// The highest number that will be overwritten.
    highest: RawFd,
    /// Our ends of the pipes for 0, 1 and 2.
    ours: [Option<OwnedFd>; 3],
    /// What must stay open until the child has it.
    theirs: Vec<OwnedFd>,
}

impl Descriptors {
    fn open(plan: &Plan) -> Result<Descriptors> {
        let mut descriptors = Descriptors::default();
        let places = plan.steps().iter().find_map(|s| match &s.step {
            Step::Descriptors(places) => Some(places),
            _ => None,
        });
        let Some(places) = places else {
            return Ok(descriptors);
        };
        descriptors.highest = places.iter().map(|place| place.fd).max().unwrap_or_default();
        for place in places {
            descriptors
                .add(place.fd, place.source)
                .map_err(|errno| Error::call("preparing", format!("descriptor {}", place.fd), errno))?;
        }
        Ok(descriptors)
    }

    fn add(&mut self, fd: RawFd, source: Source) -> Result<(), Errno> {
        let from = match source {
            Source::Null => {
                let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
                self.hold(null)?
            }
            Source::Pipe => {
                let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
                let (ours, theirs) = if fd == 0 { (write, read) } else { (read, write) };
                if let Some(slot) = self.ours.get_mut(fd.cast_unsigned() as usize) {
                    *slot = Some(ours);
                }
                self.hold(theirs)?
            }
            // Where it stands it may be overwritten before its turn.
            Source::Fd(from) if from != fd && from <= self.highest => {
                let copy = sys::fd::duplicate(from, self.highest + 1)?;
                self.hold(copy)?
            }
            Source::Fd(from) => from,
        };
        self.moves.push((from, fd));
        Ok(())
    }

    fn hold(&mut self, fd: OwnedFd) -> Result<RawFd, Errno> {
        let fd = self.out_of_the_way(fd)?;
        let number = fd.as_raw_fd();
        self.theirs.push(fd);
        Ok(number)
    }

    /// `fd`, or a copy of it above all numbers that will be overwritten.
    fn out_of_the_way(&self, fd: OwnedFd) -> Result<OwnedFd, Errno> {
        if fd.as_raw_fd() > self.highest {
            return Ok(fd);
        }
        Ok(rustix::io::fcntl_dupfd_cloexec(&fd, self.highest + 1)?)
    }
}
