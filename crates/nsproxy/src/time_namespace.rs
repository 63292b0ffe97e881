//! Time namespaces: offsets, and when a task enters one (`kernel/time/namespace.c`).

use crate::Kernel;
use crate::arena::Idx;
use crate::capability::Cap;
use crate::file::File;
use crate::idmap::{Line, until_nul};
use crate::ns_common::{NsCommon, NsKind, NsRef};
use crate::nsproxy::{Making, NsProxy, NsSet};
use crate::params::{Call, Effect};
use crate::pid::Pid;
use crate::rule::{Denial, Rule};
use crate::task::{Task, TaskId};
use crate::uapi::{CLONE_NEWTIME, KTIME_SEC_MAX, PAGE_SIZE};
use alloc::string::String;

const NSEC_PER_SEC: i64 = 1_000_000_000;

/// Seconds and nanoseconds; the nanoseconds are never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timespec {
    /// Whole seconds.
    pub sec: i64,
    /// Nanoseconds below a billion.
    pub nsec: i64,
}

impl Timespec {
    fn nanos(self) -> i128 {
        i128::from(self.sec) * i128::from(NSEC_PER_SEC) + i128::from(self.nsec)
    }

    fn plus(self, other: Self) -> Self {
        let nanos = (self.nanos() + other.nanos()).max(0);
        let second = i128::from(NSEC_PER_SEC);
        Self {
            sec: i64::try_from(nanos / second).unwrap_or(i64::MAX),
            nsec: i64::try_from(nanos % second).unwrap_or(0),
        }
    }
}

/// The host's clocks, as the host last set them with [`Kernel::set_clocks`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clocks {
    /// Wall clock; the same in all namespaces.
    pub realtime: Timespec,
    /// Since some point in the past, standing still in suspend.
    pub monotonic: Timespec,
    /// The same, with suspend.
    pub boottime: Timespec,
}

/// A clock to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// `CLOCK_REALTIME`
    Realtime,
    /// `CLOCK_MONOTONIC`, and its `COARSE` and `RAW` variants.
    Monotonic,
    /// `CLOCK_BOOTTIME`, and `BOOTTIME_ALARM`.
    Boottime,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TimeNamespace {
    pub(crate) common: NsCommon,
    pub(crate) monotonic: Timespec,
    pub(crate) boottime: Timespec,
    pub(crate) frozen: bool,
}

impl Kernel {
    /// The same time namespace for children, or a new one with the same offsets.
    pub(crate) fn copy_time_ns(
        &mut self,
        making: &Making,
        old: Idx<TimeNamespace>,
    ) -> Result<Idx<TimeNamespace>, Denial> {
        if making.flags & CLONE_NEWTIME == 0 {
            self.time_ns[old].common.count += 1;
            return Ok(old);
        }
        self.check_kind_built(NsKind::Time)?;
        let common = self.ns_common_new(making, NsKind::Time, Rule::TimeNsCount)?;
        let copy = TimeNamespace { common, frozen: false, ..self.time_ns[old] };
        Ok(self.time_ns.insert(copy))
    }

    /// Drops one reference; the last one ends the namespace.
    pub(crate) fn put_time_ns(&mut self, ns: Idx<TimeNamespace>) {
        if let Some(dead) = self.time_ns[ns].common.put(NsKind::Time) {
            self.time_ns.remove(ns);
            self.release_ns_now(dead);
        }
    }

    /// The children's namespace becomes the own one, and its offsets stay as they are.
    pub(crate) fn timens_on_fork(&mut self, nsproxy: Idx<NsProxy>) {
        let NsProxy { time, time_for_children, .. } = self.nsproxies[nsproxy];
        if time == time_for_children {
            return;
        }
        self.get_ns(NsRef::Time(time_for_children));
        self.put_time_ns(time);
        self.nsproxies[nsproxy].time = time_for_children;
        self.time_ns[time_for_children].frozen = !self.params.lacks(Effect::Freeze);
    }

    pub(crate) fn timens_install(
        &mut self,
        caller: Idx<Task>,
        set: &mut NsSet,
        target: Idx<TimeNamespace>,
    ) -> Result<(), Denial> {
        // time_namespaces(7) EUSERS: one address space has one clock page.
        let alone = self.is_single_threaded(caller);
        self.refuse_if(!alone, Rule::SetnsTimeThreads)?;
        // setns(2) EPERM: CAP_SYS_ADMIN on both sides.
        let allowed = self.may_join(caller, set, NsRef::Time(target));
        self.refuse_if(!allowed, Rule::SetnsTimeAdmin)?;
        self.time_ns[target].common.count += 2;
        let old = core::mem::replace(&mut set.nsproxy.time, target);
        self.put_time_ns(old);
        let old = core::mem::replace(&mut set.nsproxy.time_for_children, target);
        self.put_time_ns(old);
        Ok(())
    }

    /// Tells the kernel what time it is. The model has no clock of its own.
    pub fn set_clocks(&mut self, clocks: Clocks) {
        self.clocks = clocks;
    }

    /// One write to `/proc/PID/timens_offsets`.
    pub(crate) fn timens_offsets_write(
        &mut self,
        file: File,
        pid: Idx<Pid>,
        offset: u64,
        text: &[u8],
    ) -> Result<usize, Denial> {
        // time_namespaces(7): written from the start, in less than a page.
        let whole = offset == 0 && text.len() < PAGE_SIZE;
        self.refuse_if(!whole, Rule::TimeOffsetsPosition)?;
        let mut entries: [Option<(Clock, Timespec)>; 2] = [None; 2];
        let mut rest = Some(until_nul(text));
        let mut taken = 0;
        for entry in &mut entries {
            let Some(text) = rest else { break };
            let (line, next) = Line::split(text);
            // time_namespaces(7): a clock, seconds, nanoseconds.
            let parsed = parse_offset(line.0);
            self.refuse_if(parsed.is_none(), Rule::TimeOffsetsSyntax)?;
            *entry = parsed;
            taken += text.len() - next.map_or(0, <[u8]>::len);
            rest = next;
        }
        self.proc_timens_set_offset(file, pid, &entries)?;
        // A third line is not looked at; the write ends short before it.
        Ok(if rest.is_some() { taken } else { text.len() })
    }

    fn proc_timens_set_offset(
        &mut self,
        file: File,
        pid: Idx<Pid>,
        entries: &[Option<(Clock, Timespec)>],
    ) -> Result<(), Denial> {
        // proc_timens_set_offset ESRCH: the task has exited.
        let target = self.pids[pid]
            .task
            .and_then(|task| self.nsproxy_of(task))
            .map(|nsproxy| nsproxy.time_for_children)
            .ok_or_else(|| self.params.denial(Rule::TimeOffsetsGone))?;
        let owner = self.ruling_user_ns(NsRef::Time(target));
        // time_namespaces(7) EPERM: the opener holds CAP_SYS_TIME in the owner.
        let capable = self.cred_capable(&self.creds[file.cred], owner, Cap::SysTime);
        self.refuse_if(!capable, Rule::TimeOffsetsPrivilege)?;
        for (clock, offset) in entries.iter().flatten() {
            self.check_offset(*clock, *offset)?;
        }
        // time_namespaces(7) EACCES: a task has entered already.
        self.refuse_if(self.time_ns[target].frozen, Rule::TimeOffsetsFrozen)?;
        for (clock, offset) in entries.iter().flatten() {
            match clock {
                Clock::Boottime => self.time_ns[target].boottime = *offset,
                _ => self.time_ns[target].monotonic = *offset,
            }
        }
        Ok(())
    }

    /// `time_namespaces(7)` ERANGE: the clock stays between zero and about 146 years.
    fn check_offset(&self, clock: Clock, offset: Timespec) -> Result<(), Denial> {
        let now = match clock {
            Clock::Boottime => self.clocks.boottime,
            _ => self.clocks.monotonic,
        };
        let absurd = offset.sec > KTIME_SEC_MAX || offset.sec < -KTIME_SEC_MAX;
        let then = now.nanos() + offset.nanos();
        let limit = i128::from(KTIME_SEC_MAX / 2) * i128::from(NSEC_PER_SEC);
        let outside = then < 0 || then > limit + i128::from(NSEC_PER_SEC) - 1;
        self.refuse_if(absurd || outside, Rule::TimeOffsetsRange)
    }

    /// `clock_gettime(2)`, as the task sees it.
    pub fn clock_gettime(&self, task: TaskId, clock: Clock) -> Result<Timespec, Denial> {
        let task = self.enter(task, Call::ClockGettime)?;
        let ns = &self.time_ns[self.current_nsproxy(task).time];
        Ok(match clock {
            Clock::Realtime => self.clocks.realtime,
            Clock::Monotonic => self.clocks.monotonic.plus(ns.monotonic),
            Clock::Boottime => self.clocks.boottime.plus(ns.boottime),
        })
    }

    /// What `/proc/PID/timens_offsets` reads as: the offsets for the task's children.
    pub fn timens_offsets(&self, task: TaskId) -> Result<String, Denial> {
        let task = self.observe(task)?;
        let nsproxy = self.nsproxy_of(task).ok_or_else(|| self.params.denial(Rule::LinkGone))?;
        let ns = &self.time_ns[nsproxy.time_for_children];
        Ok(alloc::format!(
            "{:<10} {:>10} {:>9}\n{:<10} {:>10} {:>9}\n",
            "monotonic",
            ns.monotonic.sec,
            ns.monotonic.nsec,
            "boottime",
            ns.boottime.sec,
            ns.boottime.nsec
        ))
    }
}

/// `clock secs nanosecs`; whatever follows on the line is ignored.
fn parse_offset(line: &[u8]) -> Option<(Clock, Timespec)> {
    let mut fields = line
        .split(|byte| crate::idmap::is_space(*byte))
        .filter(|field| !field.is_empty())
        .map(|field| core::str::from_utf8(field).ok());
    let clock = match fields.next()?? {
        "monotonic" | "1" => Clock::Monotonic,
        "boottime" | "7" => Clock::Boottime,
        _ => return None,
    };
    let sec = fields.next()??.parse().ok()?;
    let nsec = fields.next()??.parse().ok()?;
    (0..NSEC_PER_SEC).contains(&nsec).then_some((clock, Timespec { sec, nsec }))
}
