//! Whom the caller may trace: `ptrace_attach`.

use nsproxy::Rule;

use super::{outside, refused};
use crate::caps::Capabilities;
use crate::errno::Errno;
use crate::explain::answer::{Allowed, Verdict};
use crate::explain::cause::{Cause, Outside};
use crate::explain::decide::{Case, open};
use crate::explain::evidence::Evidence;
use crate::explain::grounds::access;
use crate::explain::state::{Owner, Target, YAMA};
use crate::kind::Kind;

/// The checks in the order in which the kernel makes them. All but the first are answered
/// with `EPERM`.
pub(super) fn decide(case: &Case<'_>, pid: i32) -> Verdict {
    let Some(target) = case.objects.target(pid) else {
        let evidence = vec![Evidence::question(format!("{pid} is the number of no process"))];
        return refused(case, Rule::NoSuchTask, Some(Errno::ESRCH), evidence);
    };
    if let Some(verdict) = super::processes::hidden(case, pid) {
        return verdict;
    }
    let status = Status::read(case, &format!("/proc/{}/status", target.shown));
    if let Some(says) = never(case, &status) {
        return denied(case, Outside::NotTraceable, status.says(says));
    }
    let looked_into = looked_into(case, target);
    if looked_into == Some(false) {
        return refused(case, Rule::PtraceAccess, Some(Errno::EPERM), access(case.state, target));
    }
    if let Some(scope) = yama(case, target) {
        return denied(case, Outside::Yama, Evidence::file(YAMA, format!("is {scope}")));
    }
    if target.zombie {
        let ended = status.says("has State: Z: the process has ended and waits for its parent".to_owned());
        return denied(case, Outside::NotTraceable, ended);
    }
    if let Some(tracer) = status.number("TracerPid").filter(|tracer| *tracer != 0) {
        return denied(case, Outside::AlreadyTraced, status.says(format!("has TracerPid: {tracer}")));
    }
    if looked_into.is_none() {
        let says = "does not tell whether the caller may look into the process";
        let causes = vec![Cause::Rule(Rule::PtraceAccess)];
        return open(None, causes, vec![Evidence::call("kcmp(2)", says)]);
    }
    let steps = vec![format!("nothing that can be read forbids attaching to process {pid}")];
    Verdict::Allowed(Allowed { steps, ..Allowed::default() })
}

fn denied(case: &Case<'_>, cause: Outside, evidence: Evidence) -> Verdict {
    outside(case, cause, Some(Errno::EPERM), vec![evidence])
}

/// A status file, for the lines that credentials are not read from.
struct Status {
    path: String,
    text: String,
}

impl Status {
    fn read(case: &Case<'_>, path: &str) -> Status {
        Status { path: path.to_owned(), text: case.machine.text(path).unwrap_or_default() }
    }

    fn number(&self, name: &str) -> Option<i64> {
        let mut lines = self.text.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?.trim().parse().ok()
    }

    fn says(&self, says: String) -> Evidence {
        Evidence::file(self.path.clone(), says)
    }
}

/// What nobody attaches to: kernel threads, and threads of the own process.
fn never(case: &Case<'_>, status: &Status) -> Option<String> {
    if status.number("Kthread") == Some(1) {
        return Some("has Kthread: 1: it is a thread of the kernel".to_owned());
    }
    let own = Status::read(case, "/proc/thread-self/status").number("Tgid");
    let tgid = status.number("Tgid").filter(|tgid| own == Some(*tgid))?;
    Some(format!("has Tgid: {tgid}, which is the caller's own process"))
}

/// Whether the rules for looking let the caller in: by what kcmp(2) answers, which asks as
/// ptrace(2) does; or by the links in /proc, if the ids and capabilities that these are asked with
/// are the same.
fn looked_into(case: &Case<'_>, target: &Target) -> Option<bool> {
    let by_links = || {
        let own = case.state.status.as_ref()?;
        let same = own.uids[0] == own.uids[3] && own.gids[0] == own.gids[3] && own.effective == own.permitted;
        match target.links {
            Ok(()) if same => Some(true),
            Err(Errno::EACCES) if same => Some(false),
            _ => None,
        }
    };
    target.looked_into.or_else(by_links)
}

/// The mode in which Yama forbids it: `yama_ptrace_access_check`.
fn yama(case: &Case<'_>, target: &Target) -> Option<u64> {
    let scope = case.state.security.yama.unwrap_or(0);
    let reached = target.namespace(Kind::User).is_none_or(|ns| {
        Some(ns.inode) == case.state.inode(Kind::User) || matches!(ns.owner, Owner::Own | Owner::Below(_))
    });
    let privileged = reached && case.state.has(Capabilities::SYS_PTRACE);
    let forbids = match scope {
        0 => false,
        1 => !privileged && !is_descendant(case, target),
        2 => !privileged,
        _ => true,
    };
    forbids.then_some(scope)
}

/// Whether the process is a child of the caller, a child of one, and so on.
fn is_descendant(case: &Case<'_>, target: &Target) -> bool {
    let mut parent = target.status.as_ref().map_or(0, |status| i64::from(status.ppid));
    // Nobody lets processes nest deeper than this; a number that is used anew could make a circle.
    for _ in 0..256 {
        if parent == i64::from(case.state.pid) {
            return true;
        }
        if parent <= 1 {
            return false;
        }
        parent = Status::read(case, &format!("/proc/{parent}/status")).number("PPid").unwrap_or(0);
    }
    false
}
