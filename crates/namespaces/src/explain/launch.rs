//! Launches are tried by launching, up to the program.

use std::ffi::CStr;

use nsproxy::Rule;

use super::answer::{Refusal, Verdict};
use super::decide::open;
use super::evidence::Evidence;
use super::machine::Machine;
use super::state::State;
use super::trial::Seen;
use crate::errno::Errno;
use crate::error::Error;
use crate::launch::{Rehearsal, rehearse};
use crate::plan::{Actor, Plan, PlanStep, Step};
use crate::sys::probe::{Call, Outcome};

/// What came of a launch.
pub(super) enum Tried {
    /// What the kernel did about its steps.
    Steps(Seen),
    /// It failed, and not at a step.
    Otherwise(Verdict),
}

pub(super) fn try_launch(machine: &Machine<'_>, state: &State, plan: &Plan) -> Tried {
    if !can_be_tried(machine, state, plan) {
        return Tried::Steps(Seen::Nothing);
    }
    // The caller itself makes the process, and would be the one to be killed.
    if state.security.may_filter() && machine.probe(&[Call::Clone3Nothing]) == Some(Outcome::Killed) {
        return Tried::Steps(Seen::Killed);
    }
    match rehearse(plan) {
        Rehearsal::Went => missing_program(plan).map_or(Tried::Steps(Seen::Went), Tried::Otherwise),
        Rehearsal::Open => Tried::Steps(Seen::Nothing),
        Rehearsal::Killed => Tried::Steps(Seen::Killed),
        Rehearsal::Failed(Some(step), Error::Step { errno, .. }) => {
            Tried::Steps(Seen::Refused(Some(step), errno))
        }
        Rehearsal::Failed(_, error) => {
            let answer = machine.explain_error(&error).map(|answer| answer.verdict);
            Tried::Otherwise(answer.unwrap_or_else(|| says(&error)))
        }
    }
}

/// A process of its own has neither other threads nor anyone who shares its directories.
fn can_be_tried(machine: &Machine<'_>, state: &State, plan: &Plan) -> bool {
    let in_place = |step: &PlanStep| {
        step.actor == Actor::Caller && matches!(step.step, Step::Join(_) | Step::Unshare(_))
    };
    let alone = state.threads() == 1 && state.fs_sharer.is_none();
    machine.may_launch() && (alone || !plan.steps().iter().any(in_place))
}

fn says(error: &Error) -> Verdict {
    open(error.errno(), Vec::new(), vec![Evidence::call("the launch", format!("failed at {error}"))])
}

/// What is wrong with a program that is looked for where the caller is.
fn missing_program(plan: &Plan) -> Option<Verdict> {
    let moves = |step: &PlanStep| {
        matches!(
            step.step,
            Step::Chroot(_) | Step::PivotRoot(_) | Step::Chdir(_) | Step::Join(_) | Step::Uid(_)
        )
    };
    let Some(Step::Execute { candidates, .. }) = plan.steps().last().map(|step| &step.step) else {
        return None;
    };
    if plan.steps().iter().any(moves) {
        return None;
    }
    let answers: Vec<Result<(), Errno>> = candidates.iter().map(|path| may_execute(path)).collect();
    if candidates.is_empty() || answers.contains(&Ok(())) {
        return None;
    }
    // As execvp(3): one that may not be executed is told of before those that are not there.
    let denied = answers.iter().position(|answer| *answer == Err(Errno::EACCES));
    let at = denied.unwrap_or(candidates.len() - 1);
    let errno = answers[at].err()?;
    let (cause, says) = match errno {
        Errno::EACCES => (Rule::PathAccess, unexecutable(&candidates[at])),
        Errno::ENOENT => (Rule::PathMissing, "is not there, and there is none elsewhere in PATH".to_owned()),
        _ => return None,
    };
    Some(Verdict::Refused(Refusal {
        cause: cause.into(),
        errno: Some(errno),
        at: plan.steps().last().map(ToString::to_string),
        evidence: vec![Evidence::file(candidates[at].to_string_lossy(), says)],
        remedies: Vec::new(),
    }))
}

/// Whether somebody may execute it: a regular file with an x bit.
fn may_execute(path: &CStr) -> Result<(), Errno> {
    let stat = rustix::fs::stat(path).map_err(Errno::from)?;
    let regular = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file();
    if regular && stat.st_mode & 0o111 != 0 { Ok(()) } else { Err(Errno::EACCES) }
}

fn unexecutable(path: &CStr) -> String {
    match rustix::fs::stat(path) {
        Ok(stat) if rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file() => {
            format!("has mode {:o}, without an x bit", stat.st_mode & 0o7777)
        }
        Ok(_) => "is not a regular file".to_owned(),
        Err(_) => "lies in a directory that the caller may not search".to_owned(),
    }
}
