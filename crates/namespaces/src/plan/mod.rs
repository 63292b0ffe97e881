//! The plan of a launch: every step, in order, and who takes it.
//!
//! A [`Plan`] is what [`Spawn`](crate::Spawn) comes down to. It is shown by
//! `ns run --dry-run`, executed by `crate::launch`, and named by errors: the
//! same list each time.

mod call;
mod lower;
mod step;

use std::fmt;

pub(crate) use lower::{lower, path_candidates};
pub use step::{Directory, Id, JoinTarget, Place, Refused, Source, Step};

/// Whether a launch makes a process for the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// It does, as a child of the caller.
    Child,
    /// The caller becomes the program.
    Exec,
}

/// Who takes a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Actor {
    /// The thread that called [`Spawn::spawn`](crate::Spawn::spawn).
    Caller,
    /// A short-lived helper process that joins namespaces, so that the
    /// caller's own thread need not, and makes the child in the caller's stead.
    Joiner,
    /// A short-lived process that stays where the caller was when that takes
    /// new namespaces itself, to do what can only be done from there. Each
    /// step has one of its own, made before the caller's first step.
    Helper,
    /// The new process. It becomes the program, or stays as init.
    Child,
    /// The program's process, made by init.
    Program,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Actor::Caller => "caller",
            Actor::Joiner => "joiner",
            Actor::Helper => "helper",
            Actor::Child => "child",
            Actor::Program => "program",
        })
    }
}

/// A step and who takes it.
#[derive(Clone, Debug)]
pub struct PlanStep {
    /// Who takes it.
    pub actor: Actor,
    /// What is done.
    pub step: Step,
}

impl fmt::Display for PlanStep {
    /// `child    sethostname("box")`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<8} {}", self.actor, self.step.call())
    }
}

/// All steps of a launch, in order.
///
/// ```
/// use namespaces::{Kind, Spawn};
///
/// let plan = Spawn::new("true").unshare([Kind::User, Kind::Uts]).hostname("box").plan()?;
/// let text = plan.to_string();
/// assert!(text.contains("clone3(CLONE_NEWUSER|CLONE_NEWUTS"));
/// assert!(text.contains("sethostname(\"box\")"));
/// # Ok::<(), namespaces::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Plan {
    steps: Vec<PlanStep>,
}

impl Plan {
    pub(crate) fn of_steps(steps: Vec<PlanStep>) -> Plan {
        Plan { steps }
    }

    /// The steps, in the order they are taken. While the caller takes a step
    /// after the clone, the child waits.
    pub fn steps(&self) -> &[PlanStep] {
        &self.steps
    }

    /// The steps of one actor, with their positions in the whole.
    pub(crate) fn of(&self, actor: Actor) -> impl Iterator<Item = (usize, &Step)> {
        let steps = self.steps.iter().enumerate();
        steps.filter(move |(_, s)| s.actor == actor).map(|(i, s)| (i, &s.step))
    }

    /// Whether there is a joiner, an init, or work for the caller after the clone.
    pub(crate) fn has(&self, actor: Actor) -> bool {
        self.of(actor).next().is_some()
    }
}

impl fmt::Display for Plan {
    /// One line a step.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}
