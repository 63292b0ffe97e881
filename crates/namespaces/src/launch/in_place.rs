//! The steps that the caller takes itself, and a launch without a child.

use std::ops::Range;

use super::child::{Context, Memo};
use super::descriptors::Descriptors;
use super::helper::Helpers;
use super::perform::perform;
use super::{image_of, step_error};
use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::kind::Kinds;
use crate::plan::{Actor, JoinTarget, Plan, PlanStep, Step};
use crate::spawn::Spawn;
use crate::sys::clone::{Region, Report};
use crate::sys::launch::{How, Wake};
use crate::sys::signal;

/// The steps of the caller and its helpers within `range`.
pub(super) fn take(range: Range<usize>, context: &Context<'_>, helpers: &Helpers) -> Result<()> {
    let plan = context.plan;
    for (index, step) in plan.steps().iter().enumerate().take(range.end).skip(range.start) {
        match step.actor {
            Actor::Caller => {
                perform(&step.step, context).map_err(|errno| failed(context, index, step, errno))?;
            }
            Actor::Helper => helpers.take_turn(plan, index)?,
            _ => {}
        }
    }
    Ok(())
}

/// Of several namespaces to join, an error names the one that could not be.
fn failed(context: &Context<'_>, index: usize, step: &PlanStep, errno: Errno) -> Error {
    let namespace = match &step.step {
        Step::Join(JoinTarget::Both { namespaces, .. } | JoinTarget::Namespaces(namespaces)) => {
            context.memo.not_joined.get().and_then(|i| namespaces.get(i))
        }
        _ => None,
    };
    let mut error = step_error(context.plan, Report { step: index, errno });
    if let (Some(namespace), Error::Step { step, .. }) = (namespace, &mut error) {
        step.step = Step::Join(JoinTarget::Namespaces(vec![namespace.clone()]));
    }
    error
}

/// Takes all steps of `plan`, of which the last replaces this process. Comes
/// back only with the reason why it could not.
pub(crate) fn exec(spawn: &Spawn, plan: &Plan) -> Error {
    match prepare_and_exec(spawn, plan) {
        Ok(()) => Error::invalid("plan", "", "it does not end with execve"),
        Err(error) => error,
    }
}

fn prepare_and_exec(spawn: &Spawn, plan: &Plan) -> Result<()> {
    let descriptors = Descriptors::open(plan)?;
    let image = image_of(plan)?;
    let region =
        Region::new(false).map_err(|errno| Error::call("allocating", "memory for the launch", errno))?;
    let helpers = Helpers::start(plan)?;
    let context = Context {
        plan,
        how: How { kinds: Kinds::EMPTY, share_memory: false, wake: Wake::Sleep },
        region: &region,
        image: &image,
        moves: &descriptors.moves,
        channel: None,
        caller: None,
        first_turn: None,
        mask: spawn.mask.unwrap_or_else(signal::mask),
        memo: Memo::default(),
    };
    let end = plan.steps().len();
    take(0..end - 1, &context, &helpers)?;
    // Gone before the program could find them among its children.
    drop(helpers);
    take(end - 1..end, &context, &Helpers::default())
}
