//! Carrying out a plan: the side of the new processes.
//!
//! What runs here allocates nothing, takes no lock and touches no thread-local
//! storage: it may run in the memory of a caller with many threads, or in a
//! copy of it made while other threads held locks.

use std::cell::Cell;
use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::{RecvFlags, SendFlags};

use super::init;
use super::perform::perform;
use crate::errno::Errno;
use crate::plan::{Actor, Plan, Step};
use crate::sys::clone::{Region, Report};
use crate::sys::exec::{Image, exit};
use crate::sys::launch::How;
use crate::sys::signal::{self, Mask};
use crate::sys::{self};

/// All that the new processes need, made beforehand.
pub(crate) struct Context<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) how: How,
    pub(crate) region: &'a Region,
    pub(crate) image: &'a Image<'a>,
    /// From where to where descriptors go.
    pub(crate) moves: &'a [(i32, i32)],
    /// The caller's end and the child's end.
    pub(crate) channel: Option<(BorrowedFd<'a>, BorrowedFd<'a>)>,
    /// The calling process, if the child is to end with it.
    pub(crate) caller: Option<BorrowedFd<'a>>,
    /// The caller's first step after the clone.
    pub(crate) first_turn: Option<usize>,
    /// The signals that the caller had blocked.
    pub(crate) mask: Mask,
    pub(crate) memo: Memo,
}

/// What one step finds out for a later one.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    /// The descriptor of [`Step::KeepDirectory`].
    pub(super) directory: Cell<i32>,
    /// The user and group of [`Step::FollowIds`].
    pub(super) owner: Cell<(u32, u32)>,
    /// Which of several namespaces can't be joined.
    pub(super) not_joined: Cell<Option<usize>>,
    /// Whether a [`Step::Groups`] has done what it should.
    pub(super) groups_set: Cell<bool>,
}

impl Context<'_> {
    /// Whether the caller has ended. The signal asked for with
    /// `PR_SET_PDEATHSIG` does not come for a death before the asking.
    pub(super) fn caller_is_gone(&self) -> bool {
        let Some(caller) = self.caller else { return false };
        let mut fds = [PollFd::from_borrowed_fd(caller, PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        matches!(rustix::event::poll(&mut fds, Some(&now)), Ok(1..))
    }

    /// Leaves `report` for the caller, in every place where it may look.
    fn report(&self, report: Report) {
        self.region.control().fail(report);
        self.send(report.to_word());
    }

    /// Sends a word to the caller, if there is a channel.
    pub(super) fn send(&self, word: u64) {
        if let Some((_, child)) = self.channel {
            let _ = rustix::net::send(child, &word.to_ne_bytes(), SendFlags::NOSIGNAL);
        }
    }

    pub(super) fn fail(&self, step: usize, errno: Errno) -> ! {
        self.report(Report { step, errno });
        exit(127)
    }
}

/// Whether the child says when the caller's turn has come, because the
/// caller's first step needs one of the child's.
pub(super) fn announces_turn(plan: &Plan, first_turn: usize) -> bool {
    plan.of(Actor::Child).any(|(i, step)| i < first_turn && matches!(step, Step::Unshare(_)))
}

/// The main child.
pub(crate) fn main(context: &Context<'_>) -> ! {
    if let Some((callers_end, _)) = context.channel {
        // Or the end of the caller would not be the end of the stream.
        sys::fd::close_copy(callers_end);
    }
    let mut turn = context.first_turn;
    for (index, step) in context.plan.of(Actor::Child) {
        if turn.is_some_and(|first| first < index) {
            await_turn(context);
            turn = None;
        }
        if matches!(step, Step::Init) {
            init::run(context, index);
        }
        if let Err(errno) = perform(step, context) {
            context.fail(index, errno);
        }
    }
    exit(127)
}

/// Lets the caller take its steps, or ends with it.
fn await_turn(context: &Context<'_>) {
    match context.channel {
        None => await_word(context),
        Some((_, channel)) => {
            if context.first_turn.is_some_and(|first| announces_turn(context.plan, first)) {
                context.send(0);
            }
            let mut word = [0_u8; 8];
            match rustix::io::retry_on_intr(|| rustix::net::recv(channel, &mut word, RecvFlags::empty())) {
                Ok((_, 1..)) => {}
                _ => exit(127),
            }
        }
    }
}

/// A word does not tell that who would write it is dead: the kernel is to end
/// this process with its caller while it waits, whatever the plan says of later.
fn await_word(context: &Context<'_>) {
    let _ = signal::on_parent_death(libc::SIGKILL);
    if context.caller_is_gone() {
        exit(127);
    }
    context.region.control().await_turn();
    let asked = context.plan.of(Actor::Child).find_map(|(_, step)| match step {
        Step::ParentDeathSignal(number) => Some(*number),
        _ => None,
    });
    let _ = signal::on_parent_death(asked.unwrap_or(0));
}

/// The process that joins namespaces and makes the main child there.
pub(crate) fn joiner(context: &Context<'_>) -> ! {
    for (index, step) in context.plan.of(Actor::Joiner) {
        let done = match step {
            Step::Clone { .. } => sys::launch::child_of_joiner(context.how, context),
            step => perform(step, context),
        };
        if let Err(errno) = done {
            // Not over the channel: its ends belong to the caller's table.
            context.region.control().fail(Report { step: index, errno });
            break;
        }
    }
    exit(0)
}

/// The program's process, made by init and in init's memory.
pub(crate) fn program(context: &Context<'_>) -> ! {
    context.region.control().await_turn();
    for (index, step) in context.plan.of(Actor::Program) {
        if let Err(errno) = perform(step, context) {
            context.region.control().fail(Report { step: index, errno });
            break;
        }
    }
    exit(127)
}
