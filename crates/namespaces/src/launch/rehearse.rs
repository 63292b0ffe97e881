//! A launch up to its program, for trying: by processes that end, and no further than
//! where something would stay behind.

use std::os::unix::process::ExitStatusExt;

use super::launch;
use crate::error::Error;
use crate::kind::{Kind, Kinds};
use crate::plan::{Actor, Plan, PlanStep, Step};
use crate::spawn::{Propagation, Spawn};

/// What came of it.
#[derive(Debug)]
pub(crate) enum Rehearsal {
    /// Every step up to the program went.
    Went,
    /// A step failed, the one at this place of the plan if that is known.
    Failed(Option<usize>, Error),
    /// A process was killed for a step: a filter does that.
    Killed,
    /// What could be tried went, or nothing could be.
    Open,
}

/// Takes the steps of a plan that leave nothing behind, in processes of their own.
pub(crate) fn rehearse(plan: &Plan) -> Rehearsal {
    let Some(draft) = Draft::of(plan) else { return Rehearsal::Open };
    let Draft { steps, places, is_whole, .. } = draft;
    let last = steps.len() - 1;
    let error = match launch(&Spawn::new("true"), &Plan::of_steps(steps)) {
        Err(error) => error,
        // There is no program: it can't be.
        Ok(mut child) => {
            let _ = child.signal(libc::SIGKILL);
            let filtered = child.wait().is_ok_and(|status| status.signal() == Some(libc::SIGSYS));
            return if filtered { Rehearsal::Killed } else { Rehearsal::Open };
        }
    };
    match &error {
        Error::Step { index, .. } if *index == last && is_whole => Rehearsal::Went,
        Error::Step { index, .. } => match places[*index] {
            Some(place) => Rehearsal::Failed(Some(place), error),
            None => Rehearsal::Open,
        },
        _ => Rehearsal::Failed(None, error),
    }
}

/// The steps to take, and where each is in the plan; `None` for those that the plan has not.
#[derive(Default)]
struct Draft {
    steps: Vec<PlanStep>,
    places: Vec<Option<usize>>,
    own: Kinds,
    /// What is mounted gets to no other mount namespace.
    apart: bool,
    is_whole: bool,
}

impl Draft {
    fn of(plan: &Plan) -> Option<Draft> {
        let steps = plan.steps();
        let clone = steps.iter().position(|step| matches!(step.step, Step::Clone { .. }));
        let mut draft = Draft { is_whole: true, ..Draft::default() };
        if clone.is_none() {
            draft.push(None, Actor::Caller, Step::Clone { kinds: Kinds::EMPTY, share_memory: false });
        }
        // Whoever is to stay as it is has another do what comes before the child.
        let early = |at: usize| clone.is_some_and(|clone| at < clone);
        let joiner = (0..steps.len()).any(|at| early(at) && steps[at].actor == Actor::Caller);
        let mut for_the_child = Vec::new();
        let mut last = Actor::Child;
        for (at, PlanStep { actor, step }) in steps.iter().enumerate() {
            if matches!(step, Step::Execute { .. } | Step::LoginShell { .. }) {
                break;
            }
            if draft.leaves_something(step) {
                draft.is_whole = false;
                break;
            }
            let actor = match actor {
                Actor::Helper if early(at) => {
                    for_the_child.push((at, step.clone()));
                    continue;
                }
                // From outside, as the helper does.
                Actor::Helper => Actor::Caller,
                Actor::Caller if clone.is_none() => Actor::Child,
                Actor::Caller if joiner && (early(at) || clone == Some(at)) => Actor::Joiner,
                actor => *actor,
            };
            draft.push(Some(at), actor, step.clone());
            if clone == Some(at) {
                for (at, step) in for_the_child.drain(..) {
                    draft.push(Some(at), Actor::Caller, step);
                }
            }
            if matches!(step, Step::Init) {
                last = Actor::Program;
            }
        }
        let program = Step::Execute { candidates: Vec::new(), argv: Vec::new(), envp: None };
        draft.push(None, last, program);
        let is_child_made = draft.steps.iter().any(|step| matches!(step.step, Step::Clone { .. }));
        is_child_made.then_some(draft)
    }

    fn push(&mut self, place: Option<usize>, actor: Actor, step: Step) {
        self.places.push(place);
        self.steps.push(PlanStep { actor, step });
    }

    /// Whether a step changes what is not the new process's own.
    fn leaves_something(&mut self, step: &Step) -> bool {
        match step {
            Step::Clone { kinds, .. } | Step::Unshare(kinds) => {
                self.own = self.own.union(*kinds);
                // A mount namespace of a new user namespace gets mounts, and passes on none.
                self.apart |= kinds.contains(Kind::Mnt) && kinds.contains(Kind::User);
                false
            }
            Step::Propagation(mode) => {
                self.apart |= matches!(mode, Propagation::Private | Propagation::Slave);
                !self.own.contains(Kind::Mnt)
            }
            Step::MakePrivate(_) => !self.own.contains(Kind::Mnt),
            Step::MountProc { .. } | Step::PivotRoot(_) => !self.own.contains(Kind::Mnt) || !self.apart,
            Step::Setgroups { .. } | Step::WriteMap { .. } => !self.own.contains(Kind::User),
            Step::TimeOffsets(_) => !self.own.contains(Kind::Time),
            Step::Hostname(_) | Step::Domainname(_) => !self.own.contains(Kind::Uts),
            Step::LoopbackUp => !self.own.contains(Kind::Net),
            Step::Pin { .. }
            | Step::Bind { .. }
            | Step::JoinCgroup(_)
            | Step::MountBinfmt(_)
            | Step::RegisterBinfmt { .. } => true,
            _ => false,
        }
    }
}
