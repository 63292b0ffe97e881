//! Which processes `/proc` shows: those of the pid namespace that it was mounted for.

use std::os::fd::{AsFd, AsRawFd};

use crate::explain::evidence::Evidence;
use crate::process::Process;

/// What shows that `/proc` is none of the calling process's own pid namespace, if it is none.
pub(in crate::explain) fn foreign_proc() -> Option<Evidence> {
    let own = rustix::process::getpid().as_raw_pid();
    let link = rustix::fs::readlink("/proc/self", Vec::new()).ok().and_then(|link| link.into_string().ok());
    let says = match link {
        Some(shown) if shown.parse() == Ok(own) => return None,
        Some(shown) => format!(
            "leads to {shown}, and the caller's own number is {own}: it shows a pid namespace further up"
        ),
        None if is_proc() => {
            "does not exist: the proc on /proc shows a pid namespace in which the caller is not".to_owned()
        }
        None => "does not exist: no proc is mounted on /proc".to_owned(),
    };
    Some(Evidence::file("/proc/self", says))
}

fn is_proc() -> bool {
    /// `PROC_SUPER_MAGIC`
    const PROC: u64 = 0x9fa0;
    rustix::fs::statfs("/proc").is_ok_and(|fs| u64::try_from(fs.f_type) == Ok(PROC))
}

/// The number by which `/proc` shows the process that has the number `pid` in the caller's own
/// pid namespace: the file of a pidfd there is about whoever reads it, not about the process.
pub(in crate::explain) fn shown_number(pid: i32) -> Option<i32> {
    let process = Process::open(pid).ok()?;
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", process.as_fd().as_raw_fd())).ok()?;
    let number = text.lines().find_map(|line| line.strip_prefix("Pid:"))?;
    number.trim().parse().ok().filter(|shown| *shown > 0)
}
