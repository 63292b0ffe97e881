//! Errors of this crate, explained.

use super::answer::{Explanation, Refusal, Verdict};
use super::cause::{Cause, Outside};
use super::evidence::Evidence;
use super::machine::Machine;
use super::question::Question;
use crate::errno::Errno;
use crate::error::Error;
use crate::idmap::IdMap;
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
            Error::Helper { program, said, pid, map, .. } => {
                Some(self.explain_helper(program, said, *pid, map))
            }
            // Others were never a namespace's.
            Error::NotNamespace { object } if std::fs::metadata(object).is_ok_and(|meta| meta.len() == 0) => {
                Some(self.explain(&Question::JoinFile { path: object.into(), kind: None }))
            }
            Error::Call { doing: "opening", object, errno: Errno::EACCES } => {
                let (kind, pid) = object.split_once(" namespace of process ")?;
                let question = Question::OpenNamespace { pid: pid.parse().ok()?, kind: kind.parse().ok()? };
                Some(self.explain_errno(&question, None, Errno::EACCES))
            }
            _ => None,
        }
    }

    fn explain_helper(&self, program: &str, said: &str, pid: i32, map: &IdMap) -> Explanation {
        use crate::idmap::IdKind;
        let kind = if program == IdKind::Uid.helper() { IdKind::Uid } else { IdKind::Gid };
        // The process is gone: only its being there is no cause.
        let mut answer = self.explain(&Question::MapHelper { pid, kind, map: map.to_string() });
        let gone = answer.cause() == Some(Cause::Rule(nsproxy::Rule::NoSuchTask));
        if gone || answer.is_allowed() {
            let evidence = vec![Evidence::call(program.to_owned(), format!("said: {said}"))];
            answer = plain(Outside::Unknown, None, evidence);
        }
        answer
    }
}

fn plain(outside: Outside, errno: Option<Errno>, evidence: Vec<Evidence>) -> Explanation {
    let remedies = outside.facts().helps.iter().map(|says| super::answer::Remedy::words(*says)).collect();
    let refusal = Refusal { cause: Cause::Outside(outside), errno, at: None, evidence, remedies };
    Explanation { question: outside.id().to_owned(), verdict: Verdict::Refused(refusal) }
}
