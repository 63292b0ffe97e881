//! What decides a call and can't be read, where the call was not tried.

use nsproxy::Rule;

use super::answer::{Verdict, errno_of};
use super::ask::Refused;
use super::cause::Cause;
use super::decide::{Case, open};
use super::evidence::Evidence;
use super::state::FsOwner;
use super::suppose::suppositions;

impl Case<'_> {
    /// A file system that could be the caller's own to change.
    pub(super) fn owner_unknown(&self, refused: Refused) -> Option<Verdict> {
        let unknown = self.objects.filesystems.iter().any(|(_, owner)| *owner == FsOwner::Unknown);
        let cause = Cause::Rule(refused.denial.rule);
        (unknown && cause == Cause::Rule(Rule::RemountSuper)).then(|| {
            let says = "from which user namespace the file system was mounted can't be read";
            let mut verdict = open(None, vec![cause], vec![Evidence::inferred(says)]);
            if let Verdict::Undecided(open) = &mut verdict {
                open.probe = Some("the call itself: it goes where the file system was mounted from the caller's user namespace, or from one below".to_owned());
            }
            verdict
        })
    }

    /// The mount may be locked, which the kernel would say first.
    pub(super) fn perhaps_locked(&self, refused: Refused) -> Option<Verdict> {
        let mut all = suppositions(self.machine, self.state, self.question, None).into_iter();
        let supposed = all.find(|supposition| supposition.assumed.locked_mounts)?;
        let other = self.ask(self.question, &supposed.assumed)?.err()?.denial;
        let errno = (other.errno == refused.denial.errno).then(|| errno_of(other.errno));
        let causes = [refused.denial.rule, other.rule];
        (causes[0] != causes[1]).then(|| {
            let mut verdict = open(errno, causes.map(Cause::Rule).to_vec(), vec![supposed.because]);
            if let Verdict::Undecided(open) = &mut verdict {
                open.probe = Some("the call itself: nothing can be tried here".to_owned());
            }
            verdict
        })
    }
}
