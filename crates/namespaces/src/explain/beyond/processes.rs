//! Processes: signals to an init, attaching, reuse of numbers, what holds a namespace.

use std::path::Path;

use nsproxy::Rule;

use super::{allowed, outside, refused};
use crate::caps::Capabilities;
use crate::discover::{Discovery, Holder, Name};
use crate::errno::Errno;
use crate::explain::answer::Verdict;
use crate::explain::cause::{Cause, Outside};
use crate::explain::decide::{Case, open};
use crate::explain::evidence::Evidence;
use crate::explain::question::Question;
use crate::explain::state::foreign_proc;
use crate::explain::trial::{Seen, trial};
use crate::handle::Namespace;
use crate::kind::{Kind, Kinds};
use crate::plan::{JoinTarget, Plan, Step};
use crate::process::Process;

/// A process that /proc does not show, although it may be there.
pub(super) fn hidden(case: &Case<'_>, pid: i32) -> Option<Verdict> {
    let by_file =
        !matches!(case.question, Question::JoinProcess { .. } | Question::Kill { .. } | Question::Attach(_));
    if let Some(verdict) = foreign(case).filter(|_| by_file) {
        return Some(verdict);
    }
    let target = case.objects.target(pid)?;
    if target.status.is_some() {
        return None;
    }
    if Process::open(pid).is_err() {
        let evidence = vec![Evidence::file(format!("/proc/{pid}"), "does not exist")];
        // The file is not found; a call finds no process.
        let errno = if by_file { Errno::ENOENT } else { Errno::ESRCH };
        return Some(refused(case, Rule::NoSuchTask, Some(errno), evidence));
    }
    let evidence = unseen(case, pid);
    // What may not be looked into is hidden, and that is asked by these calls too.
    Some(match case.question {
        Question::Attach(_) => refused(case, Rule::PtraceAccess, Some(Errno::EPERM), evidence),
        Question::JoinProcess { .. } => match trial(case.machine, case.state, case.question) {
            Seen::Went => return None,
            Seen::Refused(_, errno) if errno != Errno::EPERM => return None,
            _ => refused(case, Rule::SetnsTargetAccess, Some(Errno::EPERM), evidence),
        },
        _ => {
            let cause = if evidence.len() > 1 { Outside::ProcHidden } else { Outside::ProcUnusable };
            let there = Path::new("/proc").join(pid.to_string()).exists();
            let errno = if there { Errno::EPERM } else { Errno::ENOENT };
            outside(case, cause, Some(errno), evidence)
        }
    })
}

/// Whoever has that number in a /proc of another pid namespace is another process.
pub(in crate::explain) fn foreign(case: &Case<'_>) -> Option<Verdict> {
    let foreign = foreign_proc().filter(|_| !case.machine.is_layered())?;
    Some(outside(case, Outside::ProcUnusable, None, vec![foreign]))
}

/// A process whose files are named, and which there is none of.
pub(super) fn without_files(case: &Case<'_>, pid: i32) -> Option<Verdict> {
    let gone = case.objects.target(pid)?.status.is_none() && Process::open(pid).is_err();
    foreign(case).or_else(|| {
        let evidence = vec![Evidence::file(format!("/proc/{pid}"), "does not exist")];
        gone.then(|| refused(case, Rule::NoSuchTask, Some(Errno::ENOENT), evidence))
    })
}

/// That the files of a process can't be seen, and what hides them.
fn unseen(case: &Case<'_>, pid: i32) -> Vec<Evidence> {
    let path = format!("/proc/{pid}");
    let says = if Path::new(&path).exists() { "can't be searched" } else { "does not exist" };
    let mut all = vec![Evidence::file(path, format!("{says}, although pidfd_open finds the process"))];
    let mount = case.state.mounts.iter().rev().find(|mount| mount.point == "/proc");
    if let Some(mount) = mount.filter(|mount| mount.super_options.contains("hidepid=")) {
        let place = format!("/proc/self/mountinfo:{}", mount.line);
        all.push(Evidence::file(place, format!("is the mount of /proc with {}", mount.super_options)));
    }
    all
}

/// A line of `/proc/PID/status`.
fn line(case: &Case<'_>, pid: i32, name: &str) -> Option<String> {
    let text = case.machine.text(&format!("/proc/{pid}/status")).ok()?;
    text.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned()))
}

/// A mask of signals there.
fn mask(case: &Case<'_>, pid: i32, name: &str) -> Option<u64> {
    u64::from_str_radix(&line(case, pid, name)?, 16).ok()
}

fn is_init(case: &Case<'_>, pid: i32) -> bool {
    let target = case.objects.target(pid);
    target.and_then(|target| target.status.as_ref()).is_some_and(|status| status.pids.last() == Some(&1))
}

/// kill(2), `pid_namespaces(7)`: an init gets only the signals that it has a handler for.
pub(super) fn kill(case: &Case<'_>, pid: i32, signal: i32) -> Option<Verdict> {
    let may = case.machine.may_signal(pid).or_else(|| may_by_ids(case, pid))?;
    if may != Err(Errno::ESRCH) && !(0..=SIGRTMAX).contains(&signal) {
        let evidence = vec![Evidence::question(format!("{signal} is not one of 0 to {SIGRTMAX}"))];
        return Some(refused(case, Rule::SignalNumber, Some(Errno::EINVAL), evidence));
    }
    if let Some(verdict) = may.err().and_then(|errno| unsent(case, pid, signal, errno)) {
        return Some(verdict);
    }
    let target = case.objects.target(pid)?;
    let Some(theirs) = &target.status else {
        return Some(allowed(format!("process {pid} gets the signal {signal}")));
    };
    let bit = u32::try_from(signal - 1).ok().map_or(0, |shift| 1_u64.checked_shl(shift).unwrap_or(0));
    let caught = mask(case, target.shown, "SigCgt").unwrap_or(u64::MAX);
    // Of the numbers from the caller's pid namespace on: it lies outside if the process has more of them.
    let levels = case.state.status.as_ref().map_or(1, |own| own.pids.len());
    let from_outside = theirs.pids.len() > levels;
    let forced = from_outside && matches!(signal, libc::SIGKILL | libc::SIGSTOP);
    if is_init(case, pid) && bit != 0 && caught & bit == 0 && !forced && !HARMLESS.contains(&signal) {
        let status = format!("/proc/{}/status", target.shown);
        let evidence = vec![
            Evidence::file(
                status.clone(),
                format!("has NSpid {:?}: it is the first process of its pid namespace", theirs.pids),
            ),
            Evidence::file(status, format!("has SigCgt: {caught:x}, without a handler for signal {signal}")),
        ];
        return Some(outside(case, Outside::InitIgnores, None, evidence));
    }
    let says = if signal == 0 {
        format!("process {pid} may be sent signals, of which 0 is none")
    } else if target.zombie {
        format!("nothing: process {pid} has ended, and waits for its parent")
    } else if line(case, target.shown, "Kthread").as_deref() == Some("1") {
        format!("nothing: process {pid} is a thread of the kernel, and these ignore signals")
    } else {
        format!("process {pid} gets the signal {signal}")
    };
    Some(allowed(says))
}

const SIGRTMAX: i32 = 64;

/// Signals that end and stop nobody, signal(7): without a handler an init fares as others do. A
/// stopped one goes on after `SIGCONT`, `prepare_signal` sees to that first.
const HARMLESS: [i32; 4] = [libc::SIGCHLD, libc::SIGCONT, libc::SIGURG, libc::SIGWINCH];

/// `kill_ok_by_cred`, by what /proc shows.
fn may_by_ids(case: &Case<'_>, pid: i32) -> Option<Result<(), Errno>> {
    let (own, target) = (case.state.status.as_ref()?, case.objects.target(pid)?);
    if target.status.is_none() {
        return Some(Err(Errno::ESRCH));
    }
    let may = is_of_own_user(case, pid) || own.effective.contains(CAP_KILL);
    Some(if may { Ok(()) } else { Err(Errno::EPERM) })
}

/// Whether it belongs to the caller's user, who needs no capability then.
fn is_of_own_user(case: &Case<'_>, pid: i32) -> bool {
    let theirs = case.objects.target(pid).and_then(|target| target.status.as_ref());
    let (Some(own), Some(theirs)) = (&case.state.status, theirs) else { return false };
    // That number stands for all users without one.
    let known = |uid: u32| case.state.is_first() || uid != OVERFLOW;
    let same = |uid: u32| known(uid) && (theirs.uids[0] == uid || theirs.uids[2] == uid);
    same(own.uids[0]) || same(own.uids[1])
}

const OVERFLOW: u32 = 65534;

/// What refuses a signal that the rules allow.
fn forbidden(case: &Case<'_>, pid: i32, errno: Errno) -> Verdict {
    let security = &case.state.security;
    let possible = |cause: &Outside| match cause {
        Outside::Seccomp => security.may_filter(),
        Outside::Landlock => security.has_module("landlock"),
        _ => true,
    };
    let causes = [Outside::Seccomp, Outside::Landlock, Outside::SecurityModule, Outside::Unknown];
    let mut evidence = vec![Evidence::call(
        format!("kill({pid}, 0)"),
        format!("is answered with {errno}, and the process belongs to the caller's user"),
    )];
    evidence.extend(security.perhaps_filtered());
    open(Some(errno), causes.into_iter().filter(possible).map(Cause::Outside).collect(), evidence)
}

const CAP_KILL: Capabilities = Capabilities::from_bits(1 << 5);

/// Why the process gets no signal: `check_kill_permission`, which signal 0 asks for alone.
fn unsent(case: &Case<'_>, pid: i32, signal: i32, errno: Errno) -> Option<Verdict> {
    if errno == Errno::ESRCH {
        let evidence = vec![Evidence::call(format!("kill({pid}, 0)"), "finds no such process")];
        return Some(refused(case, Rule::NoSuchTask, Some(Errno::ESRCH), evidence));
    }
    if errno != Errno::EPERM {
        let says = format!("is answered with {errno}, which the kernel never says to that");
        let evidence = vec![Evidence::call(format!("kill({pid}, 0)"), says)];
        return Some(outside(case, Outside::Seccomp, Some(errno), evidence));
    }
    if signal == libc::SIGCONT && is_of_own_session(case, pid) {
        return None;
    }
    if is_of_own_user(case, pid) {
        return Some(forbidden(case, pid, errno));
    }
    let theirs = case.objects.target(pid).and_then(|target| Some((target.shown, target.status.as_ref()?)));
    let mut evidence = match (theirs, &case.state.status) {
        (Some((shown, theirs)), Some(own)) => {
            let says = format!("has Uid {:?}, and the caller {:?}", theirs.uids, own.uids);
            vec![Evidence::file(format!("/proc/{shown}/status"), says)]
        }
        _ => vec![Evidence::call(format!("kill({pid}, 0)"), format!("is answered with {errno}"))],
    };
    evidence.push(crate::explain::grounds::capabilities(case.state));
    Some(refused(case, Rule::KillPermission, Some(Errno::EPERM), evidence))
}

/// Within a session anybody may let a process continue.
fn is_of_own_session(case: &Case<'_>, pid: i32) -> bool {
    // proc_pid_stat(5): the sixth field; the second ends with the last parenthesis.
    let session = |of: &str| -> Option<i32> {
        let text = case.machine.text(&format!("/proc/{of}/stat")).ok()?;
        text.rsplit_once(") ")?.1.split_ascii_whitespace().nth(3)?.parse().ok()
    };
    let theirs = case.objects.target(pid).and_then(|target| session(&target.shown.to_string()));
    // 0 is one that has no number here.
    theirs.is_some_and(|theirs| theirs != 0 && Some(theirs) == session("self"))
}

/// A launch that joins nothing of a process: `ns enter` leaves out what is the caller's own.
pub(super) fn already_there(case: &Case<'_>, plan: &Plan) -> Option<Verdict> {
    let pid = plan.steps().iter().find_map(|step| match &step.step {
        Step::Join(JoinTarget::Process { process, kinds }) if kinds.is_empty() => Some(process.pid()),
        _ => None,
    })?;
    let target = case.objects.target(pid)?;
    let own = |kind: &Kind| {
        let theirs = target.namespace(*kind).map(|ns| ns.inode);
        theirs.is_some() && theirs == case.state.inode(*kind)
    };
    let same: Kinds = Kind::ALL.into_iter().filter(own).collect();
    let evidence = Evidence::file(format!("/proc/{pid}/ns"), format!("has the caller's own {same}"));
    Some(outside(case, Outside::AlreadyThere, None, vec![evidence]))
}

/// What the first process of a pid namespace must do for it, and does not.
pub(super) fn duties(case: &Case<'_>, pid: i32) -> Verdict {
    if let Some(verdict) = hidden(case, pid) {
        return verdict;
    }
    if !is_init(case, pid) {
        return allowed(format!(
            "process {pid} is not the first of its pid namespace, and has no such duties"
        ));
    }
    let list = case.machine.text(&format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let zombies: Vec<&str> = list
        .split_ascii_whitespace()
        .take(4096)
        .filter(|child| {
            let status = case.machine.text(&format!("/proc/{child}/status")).unwrap_or_default();
            status.lines().any(|line| line.starts_with("State:") && line.contains('Z'))
        })
        .collect();
    if !zombies.is_empty() {
        let shown: Vec<&str> = zombies.iter().take(8).copied().collect();
        let evidence = vec![
            Evidence::file(format!("/proc/{pid}/status"), "has an NSpid that ends with 1"),
            Evidence::file(
                format!("/proc/{pid}/task/{pid}/children"),
                format!("names {} in state Z: {}", zombies.len(), shown.join(" ")),
            ),
        ];
        return outside(case, Outside::InitDoesNotReap, None, evidence);
    }
    let caught = mask(case, pid, "SigCgt").unwrap_or(0);
    let term = 1_u64 << (libc::SIGTERM - 1);
    if caught & term == 0 {
        let evidence = vec![
            Evidence::file(format!("/proc/{pid}/status"), "has an NSpid that ends with 1"),
            Evidence::file(
                format!("/proc/{pid}/status"),
                format!("has SigCgt: {caught:x}, without a handler for SIGTERM"),
            ),
        ];
        return outside(case, Outside::InitIgnores, None, evidence);
    }
    allowed(format!("process {pid} reaps its children and has a handler for SIGTERM"))
}

/// Whether a number still means the same process.
pub(super) fn same(case: &Case<'_>, pid: i32, inode: u64) -> Verdict {
    let Ok(process) = Process::open(pid) else {
        let evidence = vec![Evidence::call(format!("pidfd_open({pid})"), "finds no process")];
        return refused(case, Rule::NoSuchTask, Some(Errno::ESRCH), evidence);
    };
    match process.inode() {
        Ok(found) if found == inode => allowed(format!("process {pid} is still the same")),
        Ok(found) => {
            let says = format!("gives a pidfd with inode {found}, not {inode}");
            outside(case, Outside::PidReused, None, vec![Evidence::call(format!("pidfd_open({pid})"), says)])
        }
        Err(error) => {
            let evidence = vec![Evidence::call(format!("fstat(pidfd of {pid})"), error.to_string())];
            outside(case, Outside::Unknown, error.errno(), evidence)
        }
    }
}

/// What keeps a namespace: all processes are looked at.
pub(super) fn held(case: &Case<'_>, path: &Path) -> Verdict {
    let shown = path.display().to_string();
    if let Some(verdict) = foreign(case) {
        return verdict;
    }
    let Ok(ns) = Namespace::open(path) else {
        return super::files::namespace_file(case, path).unwrap_or_else(|| {
            let evidence = vec![Evidence::file(shown, "can't be opened")];
            outside(case, Outside::Unknown, None, evidence)
        });
    };
    let name = Name { kind: ns.kind(), ino: ns.id().ino };
    drop(ns);
    let system = match Discovery::new().kinds(name.kind).scan() {
        Ok(system) => system,
        Err(error) => {
            let evidence = vec![Evidence::file("/proc", error.to_string())];
            return outside(case, Outside::ProcUnusable, error.errno(), evidence);
        }
    };
    let holders = system.get(name).map(|found| found.holders.clone()).unwrap_or_default();
    if holders.is_empty() {
        return allowed(format!("nothing that can be seen holds {name}"));
    }
    let evidence = holders.iter().take(16).map(|holder| holding(holder, name)).collect();
    outside(case, Outside::Held, None, evidence)
}

/// A holder, by the file that shows it.
fn holding(holder: &Holder, name: Name) -> Evidence {
    let holds = |path: String| Evidence::file(path, format!("holds {name}"));
    match holder {
        Holder::Process { pid } => holds(format!("/proc/{pid}/ns/{}", name.kind)),
        Holder::ForChildren { pid, tid } => {
            let link = name.kind.for_children_name().unwrap_or(name.kind.name());
            holds(format!("/proc/{pid}/task/{tid}/ns/{link}"))
        }
        Holder::Thread { pid, tid } => holds(format!("/proc/{pid}/task/{tid}/ns/{}", name.kind)),
        Holder::Fd { pid, fd } => holds(format!("/proc/{pid}/fd/{fd}")),
        Holder::Socket { pid, fd } => {
            Evidence::file(format!("/proc/{pid}/fd/{fd}"), format!("is a socket in {name}"))
        }
        Holder::Mount { within, path } => {
            Evidence::file(path.display().to_string(), format!("is where {name} is mounted, in {within}"))
        }
        Holder::Child(child) => Evidence::inferred(format!("{child} is below {name}")),
        Holder::Owned(owned) => Evidence::inferred(format!("{owned} is owned by {name}")),
        Holder::Unseen => Evidence::inferred(format!("something that can't be seen from here holds {name}")),
    }
}
