//! Whether a pid namespace has numbers left for new processes: `alloc_pid`.

use nsproxy::Rule;

use super::answer::Verdict;
use super::decide::{Case, open};
use super::evidence::Evidence;
use super::question::Question;
use super::trial::kinds_of;
use crate::errno::Errno;
use crate::kind::{Kind, Kinds};
use crate::plan::Actor;

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

/// Whether a clone comes as far as to the numbers, past the limits on processes and tasks: then
/// one that asks for a number that is taken hears so.
fn comes_to_numbers(case: &Case<'_>) -> Option<bool> {
    // Who joins first makes its process elsewhere.
    if matches!(case.question, Question::Launch(plan) if plan.has(Actor::Joiner)) {
        return None;
    }
    let flags = case.flags().unwrap_or(0);
    // In a new user namespace other limits count.
    let kinds = kinds_of(flags).intersection(Kinds::EMPTY.with(Kind::User));
    match case.machine.clone_taken(kinds, case.state.security.may_filter())? {
        Errno::EAGAIN => Some(false),
        Errno::EEXIST | Errno::EPERM => Some(true),
        _ => None,
    }
}

/// Whether a cgroup may limit processes: the root of the controller's tree never does.
fn has_pids_cgroups(case: &Case<'_>) -> bool {
    let Ok(text) = case.machine.text("/proc/cgroups") else { return true };
    let words = |line: &str| line.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let line = text.lines().map(words).find(|words| words.first().is_some_and(|name| name == "pids"));
    line.is_some_and(|words| words.get(2).is_none_or(|count| count != "1"))
}

fn is_about(case: &Case<'_>, errno: Errno) -> bool {
    errno == Errno::EAGAIN && matches!(case.question, Question::Clone(_) | Question::Launch(_))
}

fn comes_so_far() -> Evidence {
    let says = "hears that it is taken: the limits on processes and tasks, asked before, are not reached";
    Evidence::call("clone3(2) that asks for number 1", says)
}

/// That none is left.
pub(super) fn exhausted(case: &Case<'_>, errno: Errno) -> Option<(Rule, Evidence)> {
    if !is_about(case, errno) {
        return None;
    }
    let none = Numbers::read(case).filter(|numbers| numbers.free == 0).map(|numbers| numbers.says());
    match comes_to_numbers(case) {
        Some(false) => None,
        Some(true) => none
            .or_else(|| (!has_pids_cgroups(case)).then(comes_so_far))
            .map(|says| (Rule::PidExhausted, says)),
        // A limit on processes would be asked before.
        None => none
            .filter(|_| case.state.is_first() && case.state.nproc.is_none())
            .map(|says| (Rule::PidExhausted, says)),
    }
}

/// That there may be none left, which can't be told from a limit on processes.
pub(super) fn perhaps_exhausted(case: &Case<'_>, errno: Errno) -> Option<Verdict> {
    if !is_about(case, errno) {
        return None;
    }
    let numbers = Numbers::read(case).filter(|numbers| numbers.free <= HELD).map(|numbers| numbers.says());
    let (other, evidence) = match comes_to_numbers(case) {
        Some(false) => return None,
        Some(true) => (Rule::PidsLimit, numbers.into_iter().chain([comes_so_far()]).collect()),
        None => (Rule::ForkNproc, vec![numbers?]),
    };
    Some(open(Some(errno), vec![Rule::PidExhausted.into(), other.into()], evidence))
}
