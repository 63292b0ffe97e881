//! Which rules were met, which the running kernel cannot be seen to apply here, and why.

use std::collections::BTreeMap;
use std::fmt;

use nsproxy::{NsKind, Release, Rule};
use serde::{Deserialize, Serialize};

use crate::cgroup::Cgroups;
use crate::generate::Met;
use crate::machine::Machine;

/// Where calls are made: what decides which rules can be met.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) machine: &'a Machine,
    pub(crate) cgroups: Cgroups,
}

impl Place<'_> {
    fn release(&self) -> Release {
        self.machine.params.release
    }

    fn before(&self, major: u8, minor: u8) -> bool {
        self.release() < Release::new(major, minor)
    }

    /// Why no call here is refused by this rule; `None` where some are.
    pub(crate) fn unreachable(&self, rule: Rule) -> Option<&'static str> {
        if !rule.facts().releases.contains(self.release()) {
            return Some("this release has no such rule");
        }
        by_nature(rule)
            .or_else(|| self.by_release(rule))
            .or_else(|| self.by_machine(rule))
            .or_else(|| self.by_privilege(rule))
    }

    fn by_release(&self, rule: Rule) -> Option<&'static str> {
        let listns = matches!(
            rule,
            Rule::ListnsSizeTooBig
                | Rule::ListnsSizeTooSmall
                | Rule::ListnsSpare
                | Rule::ListnsKind
                | Rule::ListnsUser
                | Rule::ListnsAfter
        );
        if listns && self.before(6, 19) {
            return Some("listns came with 6.19");
        }
        let numbered = matches!(
            rule,
            Rule::StatmountFlags
                | Rule::StatmountUnknown
                | Rule::StatmountReach
                | Rule::StatmountBoth
                | Rule::StatmountNotMnt
                | Rule::StatmountNsUnknown
                | Rule::StatmountForeign
                | Rule::ListmountForeign
        );
        if numbered && self.before(6, 8) {
            return Some("statmount came with 6.8");
        }
        if matches!(rule, Rule::StatmountNsUnknown | Rule::StatmountForeign | Rule::ListmountForeign)
            && self.before(6, 11)
        {
            return Some("a mount namespace has an id to ask with since 6.11");
        }
        if matches!(rule, Rule::StatmountBoth | Rule::StatmountNotMnt) && self.before(6, 18) {
            return Some("a mount namespace is named by a descriptor since 6.18");
        }
        if matches!(rule, Rule::OpenTreeNotDir | Rule::OpenTreeReveals) && self.before(7, 2) {
            return Some("open_tree makes no namespace before 7.0, and has this check since 7.2");
        }
        let own_pid_max = matches!(rule, Rule::PidMaxAccess | Rule::PidMaxRange | Rule::PidExhausted);
        if own_pid_max && self.before(6, 14) {
            return Some("before 6.14 kernel.pid_max is the whole machine's");
        }
        None
    }

    fn by_privilege(&self, rule: Rule) -> Option<&'static str> {
        (!self.machine.privileged() && takes_more_than_a_user(rule))
            .then_some("it takes a second id or the first user namespace, which a user's world has not")
    }

    fn by_machine(&self, rule: Rule) -> Option<&'static str> {
        let features = &self.machine.params.features;
        match rule {
            Rule::KindNotBuilt | Rule::SetnsKindNotBuilt | Rule::PidfdKindNotBuilt
                if NsKind::ALL.into_iter().all(|kind| features.built(kind)) =>
            {
                Some("this kernel is built with every kind of namespace")
            }
            Rule::ExecCaps if !self.machine.privileged() => {
                Some("the runner may give a file no capabilities")
            }
            Rule::UnprivilegedUsernsClone if features.unprivileged_userns_clone != Some(false) => {
                Some("this kernel has no such sysctl, or it is on")
            }
            Rule::CgroupDelegation | Rule::IntoCgroupDelegation | Rule::CgroupLimitDelegation
                if !features.nsdelegate =>
            {
                Some("cgroup2 is mounted without nsdelegate")
            }
            _ => self.cgroups.lacking(takes_of_cgroups(rule)),
        }
    }
}

/// What there must be of cgroups for a rule to be met.
fn takes_of_cgroups(rule: Rule) -> Cgroups {
    match rule {
        Rule::CgroupInternal
        | Rule::CgroupControllers
        | Rule::CgroupControlled
        | Rule::CgroupPidsMaxRange
        | Rule::CgroupLimitDelegation
        | Rule::IntoCgroupBusy
        | Rule::PidsLimit => Cgroups::Controlled,
        Rule::CgroupNoController | Rule::CgroupPidsMissing => Cgroups::Bare,
        Rule::IntoCgroupField | Rule::IntoCgroupBadFd => Cgroups::None,
        _ if rule.facts().group == "cgroup" || rule.name().starts_with("IntoCgroup") => Cgroups::Unbuilt,
        _ => Cgroups::None,
    }
}

/// What no actor of any world can be refused by.
fn by_nature(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::CallerDead | Rule::CallerBlocked => "a process that is gone or held makes no call",
        Rule::FirstInitExit => "the first init is the machine's",
        Rule::CallFiltered => "no filter is attached to the actors",
        Rule::ForkLsm | Rule::UserNsLsm | Rule::KillLsm | Rule::ExecLsm | Rule::MountLsm => {
            "it takes a security module that refuses; the model is told of none"
        }
        Rule::MapEmpty => "a text has a first line, which is judged as one",
        Rule::PathName => "a path ends at its first zero byte",
        Rule::NsMntNextEnd => "the walk is for the first pid namespace, in which no actor lives",
        Rule::CgroupNsAdmin => "the same privilege is asked for before, by another rule",
        Rule::ForkMaxThreads => "kernel.threads-max counts the whole machine",
        Rule::MountMax => "fs.mount-max is the whole machine's, and large",
        Rule::ListnsFlags | Rule::ListnsCount => "the operation has no such argument",
        _ => return None,
    })
}

/// What the world of a user is too small for.
fn takes_more_than_a_user(rule: Rule) -> bool {
    let second_id = [
        Rule::CgroupAccess,
        Rule::CgroupChown,
        Rule::ExecNproc,
        Rule::IntoCgroupAccess,
        Rule::IpcRemove,
        Rule::KillPermission,
        Rule::MqAccess,
        Rule::MqSticky,
        Rule::PathAccess,
        Rule::RlimitTarget,
        Rule::SetgroupsTooMany,
        Rule::SetgroupsUnmapped,
        Rule::SetidPermission,
    ];
    let first_namespace = [
        Rule::IdmapInit,
        Rule::MapInitNs,
        Rule::MoveRoot,
        Rule::PivotAbsoluteRoot,
        Rule::TimeOffsetsGone,
        Rule::UmountRoot,
    ];
    second_id.contains(&rule) || first_namespace.contains(&rule)
}

/// What a run has seen of the rules.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Coverage {
    /// How often each rule was met that can be.
    times: BTreeMap<String, u64>,
    /// Why the others cannot be met.
    reasons: BTreeMap<String, String>,
}

impl Coverage {
    pub(crate) fn new(met: &Met, place: &Place<'_>) -> Self {
        let mut coverage = Self::default();
        for rule in Rule::ALL {
            let times = met.get(rule).copied().unwrap_or(0);
            match place.unreachable(*rule) {
                Some(reason) if times == 0 => {
                    coverage.reasons.insert(rule.to_string(), reason.to_owned());
                }
                _ => {
                    coverage.times.insert(rule.to_string(), times);
                }
            }
        }
        coverage
    }

    /// Takes what another worker has seen.
    pub(crate) fn add(&mut self, other: Self) {
        for (rule, times) in other.times {
            *self.times.entry(rule).or_default() += times;
        }
        self.reasons.extend(other.reasons);
        self.reasons.retain(|rule, _| !self.times.contains_key(rule));
    }

    /// How many rules were met.
    pub(crate) fn met(&self) -> usize {
        self.times.values().filter(|times| **times > 0).count()
    }

    /// How many can be met here.
    pub(crate) fn all(&self) -> usize {
        self.times.len()
    }
}

impl fmt::Display for Coverage {
    /// Every rule and how often it was met, the most seldom last but for those that cannot be.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let function = |name: &str| Rule::from_name(name).map_or("", |rule| rule.facts().function);
        let mut rules: Vec<(&u64, &String)> = self.times.iter().map(|(rule, times)| (times, rule)).collect();
        rules.sort_unstable_by_key(|(times, rule)| (std::cmp::Reverse(**times), *rule));
        for (times, rule) in rules {
            writeln!(f, "{times:>9}  {rule:<24} {}", function(rule))?;
        }
        for (rule, reason) in &self.reasons {
            writeln!(f, "        -  {rule:<24} {reason}")?;
        }
        Ok(())
    }
}
