//! Processes: signals to an init, attaching, reuse of numbers, what holds a namespace.

use std::path::Path;

use nsproxy::Rule;

use super::{allowed, outside, refused};
use crate::caps::Capabilities;
use crate::discover::{Discovery, Holder, Name};
use crate::errno::Errno;
use crate::explain::answer::Verdict;
use crate::explain::cause::Outside;
use crate::explain::decide::Case;
use crate::explain::evidence::Evidence;
use crate::handle::Namespace;
use crate::process::Process;

/// A process that exists and that /proc does not show.
pub(super) fn hidden(case: &Case<'_>, pid: i32) -> Option<Verdict> {
    let target = case.objects.target(pid)?;
    if target.status.is_some() {
        return None;
    }
    let evidence = |says: &str| vec![Evidence::file(format!("/proc/{pid}"), says.to_owned())];
    if Process::open(pid).is_err() {
        return Some(refused(case, Rule::NoSuchTask, Some(Errno::ESRCH), evidence("does not exist")));
    }
    let mount = case.state.mounts.iter().rev().find(|mount| mount.point == "/proc");
    let hides = mount.filter(|mount| mount.super_options.contains("hidepid="));
    let mut all = evidence("does not exist, although pidfd_open finds the process");
    let cause = match hides {
        Some(mount) => {
            let place = format!("/proc/self/mountinfo:{}", mount.line);
            all.push(Evidence::file(place, format!("is the mount of /proc with {}", mount.super_options)));
            Outside::ProcHidden
        }
        None => Outside::ProcUnusable,
    };
    Some(outside(case, cause, Some(Errno::ENOENT), all))
}

/// A mask of signals in `/proc/PID/status`.
fn mask(case: &Case<'_>, pid: i32, name: &str) -> Option<u64> {
    let text = case.machine.text(&format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

fn is_init(case: &Case<'_>, pid: i32) -> bool {
    let target = case.objects.target(pid);
    target.and_then(|target| target.status.as_ref()).is_some_and(|status| status.pids.last() == Some(&1))
}

/// kill(2), `pid_namespaces(7)`: an init gets only the signals that it has a handler for.
pub(super) fn kill(case: &Case<'_>, pid: i32, signal: i32) -> Option<Verdict> {
    if let Some(verdict) = hidden(case, pid) {
        return Some(verdict);
    }
    let target = case.objects.target(pid)?;
    let (own, theirs) = (case.state.status.as_ref()?, target.status.as_ref()?);
    let may = [own.uids[0], own.uids[1]].iter().any(|uid| [theirs.uids[0], theirs.uids[2]].contains(uid))
        || own.effective.contains(Capabilities::from_bits(1 << 5));
    if !may {
        let evidence = vec![
            Evidence::file(
                format!("/proc/{pid}/status"),
                format!("has Uid {:?}, not the caller's {}", theirs.uids, own.uids[1]),
            ),
            crate::explain::grounds::capabilities(case.state),
        ];
        return Some(refused(case, Rule::KillPermission, Some(Errno::EPERM), evidence));
    }
    let bit = u32::try_from(signal - 1).ok().map_or(0, |shift| 1_u64.checked_shl(shift).unwrap_or(0));
    let caught = mask(case, pid, "SigCgt").unwrap_or(u64::MAX);
    // Numbers that the caller's pid namespace gives: it lies outside if the process has more of them.
    let from_outside = theirs.pids.len() > 1;
    let forced = from_outside && matches!(signal, libc::SIGKILL | libc::SIGSTOP);
    if is_init(case, pid) && bit != 0 && caught & bit == 0 && !forced {
        let status = format!("/proc/{pid}/status");
        let evidence = vec![
            Evidence::file(
                status.clone(),
                format!("has NSpid {:?}: it is the first process of its pid namespace", theirs.pids),
            ),
            Evidence::file(status, format!("has SigCgt: {caught:x}, without a handler for signal {signal}")),
        ];
        return Some(outside(case, Outside::InitIgnores, None, evidence));
    }
    Some(allowed(format!("process {pid} gets the signal {signal}")))
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

/// What keeps a namespace. The only question that looks at all processes.
pub(super) fn held(case: &Case<'_>, path: &Path) -> Verdict {
    let shown = path.display().to_string();
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
