//! What is answered.

use nsproxy::Errno as ModelErrno;

use super::cause::Cause;
use super::evidence::Evidence;
use crate::errno::Errno;

/// The answer to a [`Question`](super::Question).
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The call that was asked about, as `strace(1)` would show it.
    pub question: String,
    /// What the kernel does about it, and why.
    pub verdict: Verdict,
}

/// What the kernel does about a call.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It refuses, and this is why. Whether a rule of the kernel or something outside
    /// does, the cause says.
    Refused(Refusal),
    /// It goes.
    Allowed(Allowed),
    /// What could be read does not decide.
    Undecided(Undecided),
}

/// A refusal with its reason.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The cause.
    pub cause: Cause,
    /// What the kernel answers; `None` where nothing is refused and yet what was
    /// wanted does not happen.
    pub errno: Option<Errno>,
    /// The call that is refused, where the question is about several.
    pub at: Option<String>,
    /// What shows that it is this cause.
    pub evidence: Vec<Evidence>,
    /// What helps, the least far-reaching first. Each that could be put to the model
    /// was, and helped.
    pub remedies: Vec<Remedy>,
}

/// What helps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// What to do, in words.
    pub says: String,
    /// The same as a shell command, where it is one.
    pub command: Option<String>,
    /// Whether the model was asked again, with this done, and allowed the call.
    pub checked: bool,
}

impl Remedy {
    pub(super) fn words(says: impl Into<String>) -> Remedy {
        Remedy { says: says.into(), command: None, checked: false }
    }

    pub(super) fn command(says: impl Into<String>, command: impl Into<String>) -> Remedy {
        Remedy { says: says.into(), command: Some(command.into()), checked: false }
    }
}

/// What happens when the call is made.
#[derive(Clone, Debug, Default)]
pub struct Allowed {
    /// Step by step.
    pub steps: Vec<String>,
    /// What the caller may not expect: each a cause that refuses nothing, and what shows it.
    pub notes: Vec<Refusal>,
    /// Whether the call, or one like it, was made in a process of its own, and went.
    pub tried: bool,
    /// What could not be read, and might matter.
    pub unknown: Vec<Evidence>,
}

/// More than one cause fits.
#[derive(Clone, Debug, Default)]
pub struct Undecided {
    /// What the kernel answers, if it was asked.
    pub errno: Option<Errno>,
    /// The causes that remain; none if no cause is known that fits.
    pub causes: Vec<Cause>,
    /// What was seen, and what could not be.
    pub evidence: Vec<Evidence>,
    /// What would tell them apart.
    pub probe: Option<String>,
}

impl Explanation {
    /// The cause, if it is known.
    pub fn cause(&self) -> Option<Cause> {
        match &self.verdict {
            Verdict::Refused(refusal) => Some(refusal.cause),
            _ => None,
        }
    }

    /// Whether the call goes.
    pub fn is_allowed(&self) -> bool {
        matches!(self.verdict, Verdict::Allowed(_))
    }

    /// What shows the cause.
    pub fn evidence(&self) -> &[Evidence] {
        match &self.verdict {
            Verdict::Refused(refusal) => &refusal.evidence,
            Verdict::Allowed(allowed) => &allowed.unknown,
            Verdict::Undecided(open) => &open.evidence,
        }
    }

    /// What helps.
    pub fn remedies(&self) -> &[Remedy] {
        match &self.verdict {
            Verdict::Refused(refusal) => &refusal.remedies,
            _ => &[],
        }
    }
}

/// The errno of the model by its number in the running kernel.
pub(super) fn errno_of(errno: ModelErrno) -> Errno {
    Errno::from_raw(i32::from(errno.number()))
}
