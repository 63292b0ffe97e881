//! What can't be seen at all, and what can be said without it.

use nsproxy::Rule;

use super::advice::helps;
use super::answer::{Refusal, Remedy, Verdict, errno_of};
use super::ask::Refused;
use super::cause::{Cause, Outside};
use super::decide::{Case, limit_kind, open};
use super::evidence::Evidence;
use super::facts::UMOUNT_FLAGS;
use super::load::Assumed;
use super::lookup::paths;
use super::question::Question;
use super::state::{below_covers, foreign_proc, resolved};
use super::trial::{Seen, kinds_of};
use crate::caps::Capabilities;
use crate::errno::Errno;
use crate::kind::Kind;
use crate::plan::{Actor, Step};

impl Case<'_> {
    /// The verdict where something is needed that can't be seen.
    pub(super) fn unseeing(&self, seen: Seen) -> Option<Verdict> {
        if self.state.status.is_none()
            && let Some(foreign) = foreign_proc().filter(|_| self.machine.is_own())
        {
            return Some(self.without_proc(seen, foreign));
        }
        let unknown = self.blind()?;
        if let Some(verdict) = self.by_calls(seen) {
            return Some(verdict);
        }
        Some(match (seen, self.whatever_the_tree()) {
            (Seen::Refused(_, errno), Some(refused)) if errno_of(refused.denial.errno) == errno => {
                self.by_rule(refused, &Assumed::default(), None)
            }
            // Asked after the target is found, and before anything else.
            (Seen::Nothing, Some(refused)) if refused.denial.rule == Rule::MountPrivilege => self
                .filtered(None, refused.step)
                .unwrap_or_else(|| self.by_rule(refused, &Assumed::default(), None)),
            (Seen::Went, _) if self.makes_a_mount() => self.allowed(true),
            (seen, _) => open(seen.errno(), Vec::new(), vec![unknown]),
        })
    }

    /// Files of the caller in /proc are not found, and nothing else can be read.
    fn without_proc(&self, seen: Seen, foreign: Evidence) -> Verdict {
        if let Seen::Refused(step, Errno::ENOENT) = seen {
            return self.outside(
                Outside::ProcUnusable,
                Some(Errno::ENOENT),
                step.unwrap_or(0),
                vec![foreign],
            );
        }
        if seen == Seen::Went && (!about_paths(self.question) || self.makes_a_mount()) {
            return self.allowed(true);
        }
        if let Some(verdict) = self.by_calls(seen) {
            return verdict;
        }
        let mut verdict = open(seen.errno(), Vec::new(), vec![foreign]);
        if let Verdict::Undecided(open) = &mut verdict {
            open.probe =
                Some("ask again after mount -t proc proc /proc, which shows what must be known".to_owned());
        }
        verdict
    }

    /// What calls tell that need no file: for who has no /proc, or no free descriptor.
    fn by_calls(&self, seen: Seen) -> Option<Verdict> {
        let eyes = self.machine.eyes();
        if self.state.status.is_some() || self.machine.is_layered() || eyes.seccomp() != Ok(0) {
            return None;
        }
        let step = if let Seen::Refused(step, _) = seen { step.unwrap_or(0) } else { 0 };
        let errno = seen.errno().or_else(|| self.asks_privilege_first().then_some(Errno::EPERM))?;
        let of_launch = self.caller_makes(step);
        // The rule, and the capability whose lack leads to it; without one no other rule says so.
        let (rule, needs) = match (of_launch.as_ref().unwrap_or(self.question), errno) {
            (Question::Unshare(flags), Errno::EPERM) if makes_without_user(*flags) => {
                (Rule::UnshareNeedsAdmin, Some(Capabilities::SYS_ADMIN))
            }
            (Question::Clone(flags), Errno::EPERM) if makes_without_user(*flags) => {
                (Rule::NamespacesNeedAdmin, Some(Capabilities::SYS_ADMIN))
            }
            (Question::Mount { .. } | Question::Umount { .. }, Errno::EPERM)
                if eyes.may_mount() == Ok(false) =>
            {
                (Rule::MountPrivilege, Some(Capabilities::SYS_ADMIN))
            }
            (Question::SetUid(_), Errno::EPERM) => (Rule::SetidPermission, Some(Capabilities::SETUID)),
            (Question::SetGid(_), Errno::EPERM) => (Rule::SetidPermission, Some(Capabilities::SETGID)),
            (Question::Chroot(_), Errno::EPERM) => (Rule::ChrootPrivilege, Some(Capabilities::SYS_CHROOT)),
            (Question::SetGroups(_), Errno::EPERM) => (Rule::SetgroupsCall, None),
            (Question::Unshare(flags) | Question::Clone(flags), Errno::ENOSPC) => (only_limit(*flags)?, None),
            _ => return None,
        };
        let cause = Cause::Rule(rule);
        let evidence = match needs {
            Some(needed) => {
                let effective = eyes.effective().ok().filter(|effective| !effective.contains(needed))?;
                Evidence::call("capget(2)", format!("says that the effective capabilities are {effective}"))
            }
            None => Evidence::call(
                self.question.to_string(),
                format!("says {} for this reason only", errno.name()),
            ),
        };
        let remedies = helps(cause).iter().map(|says| Remedy::words(*says)).collect();
        Some(Verdict::Refused(Refusal {
            cause,
            errno: Some(errno),
            at: self.at(step),
            evidence: vec![evidence],
            remedies,
        }))
    }

    /// Whether the call asks for a capability as soon as its first path is followed.
    fn asks_privilege_first(&self) -> bool {
        match self.question {
            Question::Umount { flags, .. } => flags & !UMOUNT_FLAGS == 0,
            question => matches!(question, Question::Mount { .. } | Question::Chroot(_)),
        }
    }

    /// The call by which the caller itself makes namespaces at a step of a launch.
    fn caller_makes(&self, step: usize) -> Option<Question> {
        let Question::Launch(plan) = self.question else { return None };
        let step = plan.steps().get(step).filter(|step| step.actor == Actor::Caller)?;
        match &step.step {
            Step::Unshare(kinds) => Some(Question::unshare(*kinds)),
            Step::Clone { kinds, .. } => Some(Question::clone_with(*kinds)),
            _ => None,
        }
    }

    /// What can't be seen at all, and is needed.
    pub(super) fn blind(&self) -> Option<Evidence> {
        if self.state.status.is_none() {
            return Some(Evidence::file("/proc/thread-self/status", "can't be read"));
        }
        if relative_path(self.question) {
            let says =
                "can't be followed to a path from the root: only the kernel knows where the path leads";
            return Some(Evidence::file("/proc/self/cwd", says));
        }
        if let Some(path) = paths(self.question).into_iter().find(|path| self.leads_elsewhere(path)) {
            let says = format!("does not lead to the mount that {path} is on");
            return Some(Evidence::file("/proc/self/mountinfo", says));
        }
        let tree = &self.state.mounts;
        if matches!(self.question, Question::PivotRoot { .. })
            && below_covers(tree, self.state.root_mount).len() != tree.len()
        {
            let says = "has mounts over the root of this process, which stayed below them";
            return Some(Evidence::file("/proc/self/mountinfo", says));
        }
        let read = !self.machine.is_layered() && about_paths(self.question);
        let outside = read && self.state.root_listed == Some(false);
        outside.then(|| {
            let says =
                "does not list the mount of the root directory: it is in another mount namespace, or in none";
            Evidence::file("/proc/self/mountinfo", says)
        })
    }

    /// Whether the caller may not touch its own mounts. In the mount namespace that a trial makes
    /// first it might.
    pub(super) fn lacks_mounts(&self) -> bool {
        let asked = || self.ask(self.question, &Assumed::default())?.err();
        about_paths(self.question)
            && self.state.status.is_some()
            && asked().is_some_and(|refused| refused.denial.rule == Rule::MountPrivilege)
    }

    /// Whether a mount is asked for that would go as its trial did: nobody uses it yet.
    fn makes_a_mount(&self) -> bool {
        matches!(self.question, Question::Mount { flags, .. } if flags & nsproxy::uapi::MS_REMOUNT == 0)
    }

    /// A refusal that does not depend on where a path leads.
    fn whatever_the_tree(&self) -> Option<Refused> {
        self.state.status.as_ref()?;
        let refused = self.ask(self.question, &Assumed::default())?.err()?;
        let first = match (refused.denial.rule, self.question) {
            (Rule::MountPrivilege | Rule::ChrootPrivilege | Rule::FsTypeMissing | Rule::FsTypeUnknown, _) => {
                true
            }
            // Flags that there are none of; others depend on the mount.
            (Rule::UmountFlags, Question::Umount { flags, .. }) => flags & !UMOUNT_FLAGS != 0,
            _ => false,
        };
        first.then_some(refused)
    }

    /// Whether the tree of mounts, as read, does not agree with the kernel on a path.
    fn leads_elsewhere(&self, path: &str) -> bool {
        if self.machine.is_layered() {
            return false;
        }
        let Ok((there, is_root)) = self.machine.eyes().mount_of(path) else { return false };
        let Some(root) = self.state.root_mount else { return true };
        match resolved(&self.state.mounts, root, path) {
            Some(mount) => mount.id != there || (mount.point == path) != is_root,
            None => there != root,
        }
    }
}

/// Whether namespaces are asked for, and no user namespace, which would bring the capabilities.
fn makes_without_user(flags: u64) -> bool {
    let kinds = kinds_of(flags);
    !kinds.is_empty() && !kinds.contains(Kind::User)
}

/// The rule of the one limit that a call can reach; how deep there may be more is another for user
/// and pid namespaces.
fn only_limit(flags: u64) -> Option<Rule> {
    let kinds = kinds_of(flags);
    let kind = kinds.iter().next().filter(|kind| kinds.len() == 1 && !kind.is_hierarchical())?;
    Rule::ALL.iter().copied().find(|rule| limit_kind(*rule) == Some(kind))
}

pub(super) fn proc_unusable() -> Evidence {
    Evidence::file("/proc", "does not show this process")
}

/// Whether a question names places in the tree of mounts.
pub(super) fn about_paths(question: &Question) -> bool {
    matches!(
        question,
        Question::Mount { .. } | Question::Umount { .. } | Question::PivotRoot { .. } | Question::Chroot(_)
    )
}

/// Whether a question names a place from the working directory on.
fn relative_path(question: &Question) -> bool {
    let relative = |path: &str| !path.starts_with('/') && !path.is_empty();
    match question {
        Question::Mount { source, target, flags, .. } => {
            let bind = flags & (nsproxy::uapi::MS_BIND | nsproxy::uapi::MS_MOVE) != 0;
            let remount = flags & nsproxy::uapi::MS_REMOUNT != 0;
            relative(target) || bind && !remount && relative(source)
        }
        Question::Umount { target, .. } | Question::Chroot(target) => relative(target),
        Question::PivotRoot { new, old } => relative(new) || relative(old),
        _ => false,
    }
}
