//! Why the kernel said no, and what to do about it.
//!
//! "Operation not permitted" has, on average, four causes. [`Machine::explain`] tells
//! which one it is: it reads what can be known here, puts it into a model of the
//! kernel (the crate `nsproxy`) and asks that the same call. The answer names the
//! [`Cause`], shows the [`Evidence`] that makes it apply, and lists [`Remedy`]s that the
//! model was asked about again.
//!
//! ```
//! use namespaces::explain::{Machine, Question};
//! use namespaces::Kind;
//!
//! let answer = Machine::here().explain(&Question::unshare(Kind::Uts));
//! if let Some(cause) = answer.cause() {
//!     println!("{}: {}", cause.id(), cause.says());
//!     answer.evidence().iter().for_each(|line| println!("  {line}"));
//!     answer.remedies().iter().for_each(|remedy| println!("  {}", remedy.says));
//! }
//! ```
//!
//! Nothing on the machine is changed. Where only the kernel itself can tell, the call
//! is made in a process of its own that ends at once; never where that would show.
//! What can't be known is never guessed: then the verdict is [`Verdict::Undecided`], with the
//! causes that remain. How often which comes about is measured with `conformance --explain`;
//! `crates/conformance/README.md` has the table.

mod advice;
mod answer;
mod ask;
mod beyond;
mod blind;
mod cause;
mod check;
mod decide;
mod evidence;
mod eyes;
mod facts;
mod failure;
mod grounds;
mod launch;
mod load;
mod locks;
mod lookup;
mod machine;
mod maps;
mod notes;
mod numbers;
mod page;
mod question;
mod remedy;
mod state;
mod suppose;
mod tree;
mod trial;
mod untried;
mod usage;

pub use answer::{Allowed, Explanation, Refusal, Remedy, Undecided, Verdict};
pub use cause::{Cause, Outside, OutsideFacts};
pub use check::{Ability, Check};
pub use evidence::{Evidence, Place};
pub use eyes::{Attempt, Attempted, EmptyWrite, Eyes, NamespaceSeen, Shared, Upward};
pub use machine::Machine;
pub use nsproxy::Rule;
pub use page::{page, pages};
pub use question::Question;

use self::decide::Case;
use self::launch::Tried;
use self::state::State;
use self::trial::Seen;
use crate::errno::Errno;

impl Machine<'_> {
    /// What the kernel does about a call of the calling thread, and why.
    pub fn explain(&self, question: &Question) -> Explanation {
        self.explain_seen(question, Seen::Nothing)
    }

    /// Why the kernel refused the call with this number. `step` says which one it was,
    /// if the question is about several.
    ///
    /// To be asked at once, before what the caller is in has changed.
    pub fn explain_errno(&self, question: &Question, step: Option<usize>, errno: Errno) -> Explanation {
        self.explain_seen(question, Seen::Refused(step, errno))
    }

    fn explain_seen(&self, question: &Question, seen: Seen) -> Explanation {
        let state = State::read(self);
        let rooted = rooted(self, &state, question);
        let question = rooted.as_ref().unwrap_or(question);
        let tried = match (question, seen) {
            (Question::Launch(plan), Seen::Nothing) => launch::try_launch(self, &state, plan),
            _ => Tried::Steps(seen),
        };
        let seen = match tried {
            Tried::Steps(seen) => seen,
            Tried::Otherwise(verdict) => return Explanation { question: question.to_string(), verdict },
        };
        let case = Case::new(self, &state, question);
        let verdict = beyond::decide(&case).unwrap_or_else(|| case.decide(seen));
        let verdict = match (verdict, question) {
            (Verdict::Allowed(allowed), Question::Launch(plan)) => {
                beyond::refused_bind(&case, plan).unwrap_or(Verdict::Allowed(allowed))
            }
            (verdict, _) => verdict,
        };
        Explanation { question: question.to_string(), verdict }
    }
}

/// The same question with paths from the root, if those from the working directory can be
/// followed.
fn rooted(machine: &Machine<'_>, state: &State, question: &Question) -> Option<Question> {
    let (here, _) = machine.eyes().mount_of("/proc/thread-self/cwd").ok()?;
    let path = |path: &str| -> Option<String> {
        if path.is_empty() {
            return Some(String::new());
        }
        // What is not there, or lies behind a link, does not lead where its name does.
        let same = |joined: &String| machine.eyes().mount_of(path) == machine.eyes().mount_of(joined);
        if path.starts_with('/') {
            return Some(joined("/", path)).filter(same).or_else(|| Some(path.to_owned()));
        }
        let cwd = state.cwd.as_deref().filter(|cwd| cwd.starts_with('/') && !cwd.ends_with(')'))?;
        // Something may be mounted over it by now.
        let there = machine.eyes().mount_of(cwd).is_ok_and(|(there, _)| there == here);
        there.then(|| joined(cwd, path)).filter(same)
    };
    Some(match question {
        Question::Mount { source, target, fstype, flags, data } => {
            let bind = flags & (nsproxy::uapi::MS_BIND | nsproxy::uapi::MS_MOVE) != 0;
            let source = if bind { path(source)? } else { source.clone() };
            let (fstype, data) = (fstype.clone(), data.clone());
            Question::Mount { source, target: path(target)?, fstype, flags: *flags, data }
        }
        Question::Umount { target, flags } => Question::Umount { target: path(target)?, flags: *flags },
        Question::PivotRoot { new, old } => Question::PivotRoot { new: path(new)?, old: path(old)? },
        Question::Chroot(target) => Question::Chroot(path(target)?),
        _ => return None,
    })
}

/// A path from a directory on, without `.` and `..`.
fn joined(directory: &str, path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in directory.split('/').chain(path.split('/')) {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    format!("/{}", names.join("/"))
}
