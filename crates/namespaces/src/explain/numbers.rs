//! Whether a pid namespace has numbers left for new processes: `alloc_pid`.

use nsproxy::Rule;

use super::answer::Verdict;
use super::decide::{Case, open};
use super::evidence::Evidence;
use super::question::Question;
use crate::errno::Errno;

const PID_MAX: &str = "/proc/sys/kernel/pid_max";
/// `RESERVED_PIDS`: once it is past, lower numbers are not given again.
const RESERVED: u64 = 300;
/// So many are looked for one by one; where there are more, none is left only to who tries hard.
const FEW: u64 = 1024;

/// Groups and sessions whose leader has ended are hardly more.
const HELD: usize = 32;

/// What /proc says of the numbers of the caller's pid namespace, if there are few.
struct Numbers {
    most: u64,
    first: u64,
    free: usize,
}

impl Numbers {
    fn read(case: &Case<'_>) -> Option<Numbers> {
        let most = case.machine.number(PID_MAX).filter(|most| *most <= RESERVED + FEW)?;
        let last = case.machine.number("/proc/sys/kernel/ns_last_pid").unwrap_or(most);
        let first = if last >= RESERVED { RESERVED } else { 1 };
        // Threads have a directory there, too, though it is not listed.
        let is_free =
            |number: &u64| case.machine.eyes().stat(&format!("/proc/{number}")) == Err(Errno::ENOENT);
        Some(Numbers { most, first, free: (first..most).filter(is_free).count() })
    }

    fn says(&self) -> Evidence {
        let Numbers { most, first, free } = self;
        let free = match free {
            0 => "none is free".to_owned(),
            free => format!("/proc shows no process for {free}, which process groups and sessions may have"),
        };
        Evidence::file(PID_MAX, format!("is {most}: of the numbers from {first} on {free}"))
    }
}

fn makes_processes(question: &Question) -> bool {
    matches!(question, Question::Clone(_) | Question::Launch(_))
}

/// That none is left.
pub(super) fn exhausted(case: &Case<'_>, errno: Errno) -> Option<(Rule, Evidence)> {
    if errno != Errno::EAGAIN || !makes_processes(case.question) {
        return None;
    }
    let numbers = Numbers::read(case).filter(|numbers| numbers.free == 0)?;
    Some((Rule::PidExhausted, numbers.says()))
}

/// That there may be none left, which can't be told from a limit on processes.
pub(super) fn perhaps_exhausted(case: &Case<'_>, errno: Errno) -> Option<Verdict> {
    if errno != Errno::EAGAIN || !makes_processes(case.question) {
        return None;
    }
    let numbers = Numbers::read(case).filter(|numbers| numbers.free <= HELD)?;
    let causes = vec![Rule::PidExhausted.into(), Rule::ForkNproc.into()];
    Some(open(Some(errno), causes, vec![numbers.says()]))
}
