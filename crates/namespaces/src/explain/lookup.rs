//! Whether the paths of a question can be followed: `path_resolution(7)`.

use nsproxy::Rule;
use nsproxy::uapi::{MS_BIND, MS_MOVE, MS_REMOUNT};

use super::advice::helps;
use super::answer::{Refusal, Remedy, Verdict};
use super::ask::place_of_proc;
use super::cause::{Cause, Outside};
use super::decide::Case;
use super::evidence::Evidence;
use super::facts::UMOUNT_FLAGS;
use super::machine::Machine;
use super::question::Question;
use super::trial::Seen;
use crate::errno::Errno;
use crate::plan::{Directory, Step};

/// The paths of a question that name places in the tree of mounts, in the order in which the
/// kernel follows them.
pub(super) fn paths(question: &Question) -> Vec<&str> {
    match question {
        Question::Mount { source, target, flags, .. } => {
            let bind = flags & (MS_BIND | MS_MOVE) != 0;
            let remount = flags & MS_REMOUNT != 0;
            if bind && !remount { vec![target, source] } else { vec![target] }
        }
        Question::Umount { target, .. } | Question::Chroot(target) => vec![target],
        Question::PivotRoot { new, old } => vec![new, old],
        _ => Vec::new(),
    }
}

/// What following the first path answers, where that comes before all privilege:
/// `user_path_at` stands first in mount(2), umount2(2) and chroot(2).
pub(super) fn first_refused(case: &Case<'_>) -> Option<Errno> {
    let first = match case.question {
        Question::Umount { target, flags } if flags & !UMOUNT_FLAGS == 0 => target,
        Question::Mount { target, .. } | Question::Chroot(target) => target,
        _ => return None,
    };
    let answer = follow(case.machine, case.question, first).err()?;
    cause(answer).map(|_| answer)
}

/// What following the paths answers, one after the other.
pub(super) fn any_refused(case: &Case<'_>) -> Option<Errno> {
    let mut answers = paths(case.question).into_iter().map(|path| follow(case.machine, case.question, path));
    answers.find_map(|answer| answer.err().filter(|errno| cause(*errno).is_some()))
}

/// The cause for which a path of the question is answered so, and where it ends.
pub(super) fn by_errno(case: &Case<'_>, errno: Errno) -> Option<(Cause, Evidence)> {
    let cause = cause(errno)?;
    let mut paths = paths(case.question).into_iter();
    let path = paths.find(|path| follow(case.machine, case.question, path) == Err(errno))?;
    Some((cause, stopped(case.machine, path, errno)))
}

/// The directory of a step of a launch that can't be followed, if that is what the step was refused
/// for: by this process as it is, which may be more than it may do inside.
pub(super) fn of_launch(case: &Case<'_>, seen: Seen) -> Option<Verdict> {
    let (Question::Launch(plan), Seen::Refused(Some(at), errno)) = (case.question, seen) else { return None };
    let path = match &plan.steps().get(at)?.step {
        Step::Chroot(Directory::Path(path)) | Step::Chdir(Directory::Path(path)) | Step::PivotRoot(path) => {
            path.to_string_lossy().into_owned()
        }
        Step::MountProc { root, on } => place_of_proc(root.as_deref(), on),
        _ => return None,
    };
    let cause = cause(errno)?;
    // Entering a directory searches it, too.
    let answer = case.machine.eyes().stat(&format!("{path}/.")).err().filter(|_| !case.machine.is_layered());
    let evidence = vec![stopped(case.machine, &path, answer.filter(|answer| *answer == errno)?)];
    let remedies = helps(cause).iter().map(|says| Remedy::words(*says)).collect();
    Some(Verdict::Refused(Refusal { cause, errno: Some(errno), at: case.at(at), evidence, remedies }))
}

/// Why following a path, or opening what it leads to, is answered so.
pub(super) fn cause(errno: Errno) -> Option<Cause> {
    Some(match errno {
        Errno::ENOENT => Rule::PathMissing.into(),
        Errno::EACCES => Rule::PathAccess.into(),
        Errno::ENOTDIR => Rule::PathNotDir.into(),
        Errno::ELOOP => Outside::PathLoop.into(),
        _ => return None,
    })
}

fn follow(machine: &Machine<'_>, question: &Question, path: &str) -> Result<(), Errno> {
    // The files of another machine are not here.
    if machine.is_layered() {
        return Ok(());
    }
    // chroot(2) searches the directory itself, too.
    let inside = if matches!(question, Question::Chroot(_)) { "/." } else { "" };
    machine.eyes().stat(&format!("{path}{inside}")).map(drop)
}

/// Where following a path ends.
pub(super) fn stopped(machine: &Machine<'_>, path: &str, errno: Errno) -> Evidence {
    if errno == Errno::ENOENT {
        return Evidence::file(path, "does not exist");
    }
    let at = end(machine, path, errno);
    if errno == Errno::ELOOP {
        return Evidence::file(at, "leads from one symbolic link to the next, more than 40 times");
    }
    if errno == Errno::ENOTDIR {
        return Evidence::file(at, "is not a directory");
    }
    match machine.eyes().stat(at) {
        Ok((is_dir, owner)) => {
            let what = if is_dir { "search" } else { "open" };
            Evidence::file(at, format!("belongs to user {owner}, and the caller may not {what} it"))
        }
        Err(_) => Evidence::file(at, "leads through a directory that the caller may not search"),
    }
}

/// The directory on the way that answers so, or what the path leads to.
fn end<'a>(machine: &Machine<'_>, path: &'a str, errno: Errno) -> &'a str {
    let mut parts = path.match_indices('/').map(|(at, _)| &path[..at.max(1)]).chain([path]);
    let answers = |part: &&str| machine.eyes().stat(&format!("{part}/.")) == Err(errno);
    parts.find(answers).unwrap_or(path)
}

/// What does not let the caller in.
#[derive(Debug)]
pub(super) struct Forbidden {
    pub(super) path: String,
    pub(super) owner: u32,
    pub(super) is_dir: bool,
}

/// What does not let the caller follow or open a path of the question.
pub(super) fn forbidden(case: &Case<'_>) -> Option<Forbidden> {
    let of_file = match case.question {
        Question::JoinFile { path, .. } | Question::Chown { path, .. } => path.to_str(),
        _ => None,
    };
    let refused = |path: &&str| follow(case.machine, case.question, path) == Err(Errno::EACCES);
    let path = of_file.or_else(|| paths(case.question).into_iter().find(refused))?;
    let at = end(case.machine, path, Errno::EACCES);
    let (is_dir, owner) = case.machine.eyes().stat(at).ok()?;
    Some(Forbidden { path: at.to_owned(), owner, is_dir })
}
