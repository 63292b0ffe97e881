//! What happens when a call goes, and what it may do that nobody asked for.

use std::fmt::Write;

use super::answer::Refusal;
use super::cause::{Cause, Outside};
use super::decide::Case;
use super::evidence::Evidence;
use super::question::Question;
use super::remedy::remedies;
use super::state::covering;
use crate::kind::{Kind, Kinds, Link};

/// What the calls do, a line each.
pub(super) fn effects(case: &Case<'_>) -> Vec<String> {
    match case.question {
        Question::Launch(plan) => plan.steps().iter().map(ToString::to_string).collect(),
        Question::Steps(all) => all.iter().map(|one| format!("{one}: {}", effect(case, one))).collect(),
        one => vec![effect(case, one)],
    }
}

fn effect(case: &Case<'_>, question: &Question) -> String {
    let kinds_of = |flags: u64| {
        let names =
            Kind::ALL.iter().filter(|kind| flags & u64::from(kind.flag()) != 0).map(|kind| kind.name());
        names.collect::<Vec<_>>().join(", ")
    };
    match question {
        Question::Unshare(flags) | Question::Clone(flags) => {
            let who = if matches!(question, Question::Clone(_)) { "the child" } else { "the caller" };
            let kinds = kinds_of(*flags);
            if kinds.is_empty() {
                return format!("{who} is in no new namespace");
            }
            let mut text = format!("{who} is in new namespaces: {kinds}");
            if flags & u64::from(Kind::User.flag()) != 0 {
                text.push_str("; it has all capabilities over them, and no id until the maps are written");
            }
            if flags & u64::from(Kind::Pid.flag()) != 0 && who == "the caller" {
                text.push_str("; the pid namespace is for its children, the first of which is its init");
            }
            if flags & u64::from(Kind::Time.flag()) != 0 && who == "the caller" {
                text.push_str("; the time namespace is for its children");
            }
            text
        }
        Question::JoinProcess { pid, kinds } => join(case, *pid, *kinds),
        Question::JoinFile { path, .. } => {
            let pid = case.objects.files.iter().any(|(_, ns)| ns.kind == Kind::Pid);
            let who = if pid { "the caller's children are" } else { "the caller is" };
            format!("{who} in the namespace of {}", path.display())
        }
        Question::OpenNamespace { pid, link: Link::Own(kind) } => {
            format!("the {kind} namespace of process {pid} can be opened")
        }
        Question::OpenNamespace { pid, link } => {
            format!("the {} namespace for children of process {pid} can be opened", link.kind())
        }
        Question::Mount { source, target, .. } if source.is_empty() => {
            format!("the mount on {target} is changed")
        }
        Question::Mount { source, target, .. } => match covering(&case.state.mounts, target) {
            Some(at) => format!("{source} is mounted on {target}, which lies on the mount {}", at.point),
            None => format!("{source} is mounted on {target}"),
        },
        Question::Umount { target, .. } => format!("{target} is unmounted"),
        Question::PivotRoot { new, old } => format!("{new} is the root, and the old root is at {old}"),
        other => format!("{other} goes"),
    }
}

/// What joining does, to those too that the caller is in already.
fn join(case: &Case<'_>, pid: i32, kinds: Kinds) -> String {
    let own = |kind: &Kind| {
        let theirs = case.objects.target(pid).and_then(|target| target.namespace(*kind));
        theirs.is_some_and(|theirs| Some(theirs.inode) == case.state.inode(*kind))
    };
    let already: Kinds = kinds.iter().filter(own).collect();
    let plural = if kinds.len() == 1 { "" } else { "s" };
    let mut text = format!("the caller is in the {kinds} namespace{plural} of process {pid}");
    if !already.is_empty() {
        let _ = write!(text, "; in {already} it is already");
    }
    if kinds.contains(Kind::Mnt) {
        text.push_str("; its root and working directory are the root of the mnt namespace then");
    }
    if kinds.contains(Kind::Pid) {
        text.push_str("; the pid namespace is for its children");
    }
    text
}

/// Flags that change a mount and make none.
const NO_NEW_MOUNT: u64 = nsproxy::uapi::MS_REMOUNT
    | nsproxy::uapi::MS_PRIVATE
    | nsproxy::uapi::MS_SLAVE
    | nsproxy::uapi::MS_UNBINDABLE;

/// What is granted and yet may not be what was meant.
pub(super) fn notes(case: &Case<'_>) -> Vec<Refusal> {
    let Question::Mount { target, flags, .. } = case.question else { return Vec::new() };
    let at = covering(&case.state.mounts, target);
    let Some((at, group)) = at.and_then(|at| Some((at, at.shared?))).filter(|_| flags & NO_NEW_MOUNT == 0)
    else {
        return Vec::new();
    };
    let cause = Cause::Outside(Outside::MountPropagates);
    let says = format!("has shared:{group} for the mount on {}", at.point);
    vec![Refusal {
        cause,
        errno: None,
        at: None,
        evidence: vec![Evidence::file(format!("/proc/self/mountinfo:{}", at.line), says)],
        remedies: remedies(case, cause, &super::load::Assumed::default()),
    }]
}
