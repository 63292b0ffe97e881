//! Errors of this crate, explained.

use nsproxy::Rule;

use super::advice::helps;
use super::answer::{Explanation, Refusal, Remedy, Verdict};
use super::beyond;
use super::cause::{Cause, Outside};
use super::evidence::Evidence;
use super::facts::open_files;
use super::machine::Machine;
use super::question::Question;
use super::state::foreign_proc;
use crate::errno::Errno;
use crate::error::Error;
use crate::idmap::{IdKind, IdMap};
use crate::plan::Step;

impl Error {
    /// Why it is so and what to do about it, as far as that can be found out now.
    /// `None` for errors that say all there is to say.
    ///
    /// ```
    /// use namespaces::{Kind, Spawn};
    ///
    /// if let Err(error) = Spawn::new("true").unshare(Kind::Uts).status()
    ///     && let Some(answer) = error.explain()
    /// {
    ///     println!("{error}: {:?}", answer.cause());
    /// }
    /// ```
    pub fn explain(&self) -> Option<Explanation> {
        Machine::here().explain_error(self)
    }
}

impl Machine<'_> {
    /// The same for a machine that is looked at otherwise.
    pub fn explain_error(&self, error: &Error) -> Option<Explanation> {
        match error {
            // That a program is not there is no matter of namespaces.
            Error::Step { step, .. } if matches!(step.step, Step::Execute { .. }) => None,
            // It names the directory that is not there.
            Error::Step { step, errno: Errno::ENOENT, .. }
                if matches!(step.step, Step::Chroot(_) | Step::Chdir(_) | Step::MountProc { .. }) =>
            {
                None
            }
            Error::Step { index, plan, errno, .. } => {
                let question = Question::Launch((**plan).clone());
                Some(self.explain_errno(&question, Some(*index), *errno))
            }
            Error::NoSubordinateIds { file, user } => {
                let evidence = vec![Evidence::file(file.clone(), format!("has no line for {user}"))];
                let mut answer = plain(Outside::NoSubordinateIds, None, evidence);
                if let Verdict::Refused(refusal) = &mut answer.verdict {
                    refusal.remedies = super::remedy::subordinate_ids(user);
                }
                Some(answer)
            }
            Error::Helper { program, status: Some(126 | 127), .. } => self.not_executable(program),
            Error::Helper { program, said, pid, map, .. } => {
                Some(self.explain_helper(program, said, *pid, map))
            }
            // Others were never a namespace's.
            Error::NotNamespace { object } if std::fs::metadata(object).is_ok_and(|meta| meta.len() == 0) => {
                Some(self.explain(&Question::JoinFile { path: object.into(), kind: None }))
            }
            Error::NoProcess { pid } => {
                let says = "finds no process in the caller's pid namespace";
                let evidence = Evidence::call(format!("pidfd_open({pid})"), says);
                Some(plain(Rule::NoSuchTask, Some(Errno::ESRCH), vec![evidence]))
            }
            Error::Invalid { what: "/proc", .. } => no_proc(None),
            Error::Call { errno: Errno::EMFILE, .. } => {
                Some(plain(Rule::NoFreeFd, Some(Errno::EMFILE), vec![open_files()]))
            }
            Error::Call { doing: "running", object, errno: Errno::EACCES } => self.not_executable(object),
            Error::Call { doing, object, errno } => {
                let link = object.split_once(" namespace of process ");
                if let (Some((link, pid)), "opening") = (link, *doing) {
                    let question =
                        Question::OpenNamespace { pid: pid.parse().ok()?, link: link.parse().ok()? };
                    return Some(self.explain_errno(&question, None, *errno));
                }
                if *doing == "opening" && beyond::is_link(object) {
                    return Some(self.explain(&Question::JoinFile { path: object.into(), kind: None }));
                }
                let of_proc = *errno == Errno::ENOENT && object.starts_with("/proc");
                if of_proc { no_proc(Some(*errno)) } else { None }
            }
            _ => None,
        }
    }

    /// `newuidmap` or `newgidmap` that can't be started, if that is so.
    fn not_executable(&self, program: &str) -> Option<Explanation> {
        let kind = [IdKind::Uid, IdKind::Gid].into_iter().find(|kind| kind.helper() == program)?;
        let answer = self.explain(&Question::MapHelper { pid: 0, kind, map: String::new() });
        let starts = [Outside::HelperMissing, Outside::HelperNotExecutable].map(Cause::Outside);
        answer.cause().is_some_and(|cause| starts.contains(&cause)).then_some(answer)
    }

    fn explain_helper(&self, program: &str, said: &str, pid: i32, map: &IdMap) -> Explanation {
        let kind = if program == IdKind::Uid.helper() { IdKind::Uid } else { IdKind::Gid };
        // The process is gone: only its being there is no cause.
        let mut answer = self.explain(&Question::MapHelper { pid, kind, map: map.to_string() });
        let gone = answer.cause() == Some(Cause::Rule(Rule::NoSuchTask));
        if gone || answer.is_allowed() {
            let evidence = vec![Evidence::call(program.to_owned(), format!("said: {said}"))];
            answer = plain(Outside::Unknown, None, evidence);
        }
        answer
    }
}

fn plain(cause: impl Into<Cause>, errno: Option<Errno>, evidence: Vec<Evidence>) -> Explanation {
    let cause = cause.into();
    let remedies = helps(cause).iter().map(|says| Remedy::words(*says)).collect();
    let refusal = Refusal { cause, errno, at: None, evidence, remedies };
    Explanation { question: cause.id().to_owned(), verdict: Verdict::Refused(refusal) }
}

/// That `/proc` does not show the caller, if that is so.
fn no_proc(errno: Option<Errno>) -> Option<Explanation> {
    Some(plain(Outside::ProcUnusable, errno, vec![foreign_proc()?]))
}
