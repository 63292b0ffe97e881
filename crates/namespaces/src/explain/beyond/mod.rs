//! Questions that the rules of the namespaces do not decide: helpers, files, signals.

mod attach;
mod files;
mod helper;
mod overlay;
mod pins;
mod processes;

pub(super) use files::{is_empty_file, is_link};
pub(super) use overlay::only_reads;
pub(super) use pins::refused_bind;
pub(super) use processes::foreign;

use super::answer::{Allowed, Refusal, Verdict};
use super::cause::{Cause, Outside};
use super::decide::Case;
use super::evidence::Evidence;
use super::load::Assumed;
use super::question::Question;
use super::remedy::remedies;
use crate::errno::Errno;

/// The verdict on such a question; `None` if it is one for the rules.
pub(super) fn decide(case: &Case<'_>) -> Option<Verdict> {
    // These are answered by the calling thread's own looking.
    if !case.machine.is_own() {
        return None;
    }
    match case.question {
        Question::MapHelper { pid, kind, map } => Some(helper::decide(case, *pid, *kind, map)),
        Question::Chown { path, uid, gid } => Some(untried(case, files::chown(case, path, *uid, *gid))),
        Question::MakeDevice(path) => Some(untried(case, files::device(case, path))),
        Question::JoinFile { path, .. } => files::namespace_file(case, path),
        Question::Cgroup(path) => Some(untried(case, files::cgroup(case, path))),
        Question::Mount { fstype, data, .. } if fstype == "overlay" => overlay::decide(case, data),
        Question::Kill { pid, signal } => processes::kill(case, *pid, *signal),
        Question::Attach(pid) => Some(untried(case, attach::decide(case, *pid))),
        Question::InitDuties(pid) => Some(processes::duties(case, *pid)),
        Question::SameProcess { pid, inode } => Some(processes::same(case, *pid, *inode)),
        Question::OpenNamespace { pid, .. } | Question::JoinProcess { pid, .. } => {
            processes::hidden(case, *pid)
        }
        Question::WriteMap { pid: pid @ 1.., .. }
        | Question::WriteSetgroups { pid: pid @ 1.., .. }
        | Question::WriteTimeOffsets { pid: pid @ 1.., .. } => processes::without_files(case, *pid),
        Question::Mount { source, fstype, flags, .. } => files::device_of(case, source, fstype, *flags),
        Question::Launch(plan) => processes::already_there(case, plan),
        Question::Held { path } => Some(processes::held(case, path)),
        Question::Loopback => Some(files::loopback(case)),
        _ => None,
    }
}

/// What nothing forbids a filter may.
fn untried(case: &Case<'_>, mut verdict: Verdict) -> Verdict {
    if let Verdict::Allowed(allowed) = &mut verdict {
        allowed.unknown.extend(case.state.security.perhaps_filtered());
    }
    verdict
}

fn refused(
    case: &Case<'_>,
    cause: impl Into<Cause>,
    errno: Option<Errno>,
    evidence: Vec<Evidence>,
) -> Verdict {
    let cause = cause.into();
    let remedies = remedies(case, cause, &Assumed::default());
    Verdict::Refused(Refusal { cause, errno, at: None, evidence, remedies })
}

fn outside(case: &Case<'_>, outside: Outside, errno: Option<Errno>, evidence: Vec<Evidence>) -> Verdict {
    refused(case, Cause::Outside(outside), errno, evidence)
}

fn allowed(says: impl Into<String>) -> Verdict {
    Verdict::Allowed(Allowed { steps: vec![says.into()], ..Allowed::default() })
}
