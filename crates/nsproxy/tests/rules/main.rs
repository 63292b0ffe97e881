//! Every rule is met once, and once narrowly missed: the same calls with one thing
//! put right are not refused by it.

mod clone;
mod creds;
mod detached;
mod files;
mod maps;
mod mounts;
mod objects;
mod setns;
mod statmount;

use nsproxy::uapi::*;
use nsproxy::{Cap, CapSet, CapSets, Denial, Errno, Kernel, MapKind, Mutation, Params, Rule, TaskId};
use std::cell::Cell;
use std::collections::BTreeMap;

/// Runs with the flaw the rule looks for, or without it.
type Case = (Rule, fn(bool) -> Result<(), Denial>);

/// A kernel, its init, and a shell: root, but not init.
fn boot() -> (Kernel, TaskId, TaskId) {
    boot_as(Params::default())
}

thread_local! {
    /// What every kernel of this thread is to do wrong.
    static FAULT: Cell<Option<Mutation>> = const { Cell::new(None) };
}

fn boot_as(mut params: Params) -> (Kernel, TaskId, TaskId) {
    params.mutations.extend(FAULT.get());
    let mut kernel = Kernel::boot(params);
    let init = kernel.init();
    let shell = kernel.fork(init).unwrap().task;
    (kernel, init, shell)
}

fn release(major: u8, minor: u8) -> (Kernel, TaskId, TaskId) {
    boot_as(Params::for_release(major, minor))
}

/// A user without privilege.
fn user(kernel: &mut Kernel) -> TaskId {
    user_with(kernel, 1000)
}

fn user_with(kernel: &mut Kernel, id: u32) -> TaskId {
    let init = kernel.init();
    let task = kernel.fork(init).unwrap().task;
    kernel.setresgid(task, id, id, id).unwrap();
    kernel.setresuid(task, id, id, id).unwrap();
    kernel.execve(task, &nsproxy::Program::default()).unwrap();
    task
}

/// The number of a task as init sees it.
fn pid(kernel: &Kernel, task: TaskId) -> i32 {
    kernel.status(kernel.init(), task).unwrap().pid.cast_signed()
}

/// Takes capabilities away from root.
fn drop_cap(kernel: &mut Kernel, task: TaskId, cap: Cap) {
    let kept = CapSet::FULL.without(cap);
    let sets = CapSets { effective: kept, permitted: kept, inheritable: CapSet::EMPTY };
    kernel.capset(task, 0, sets).unwrap();
}

/// A task of uid 1000, root in a user namespace of its own with these other kinds.
fn contained(kernel: &mut Kernel, flags: u64) -> TaskId {
    let task = user(kernel);
    kernel.unshare(task, CLONE_NEWUSER | flags).unwrap();
    let init = kernel.init();
    let number = pid(kernel, task);
    kernel.write_map(init, number, MapKind::Uid, "0 1000 1\n").unwrap();
    kernel.write_map(init, number, MapKind::Gid, "0 1000 1\n").unwrap();
    task
}

fn thread_of(kernel: &mut Kernel, task: TaskId) -> TaskId {
    let flags = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;
    kernel.sys_clone(task, flags).unwrap().task
}

fn ok<T>(result: Result<T, Denial>) -> Result<(), Denial> {
    result.map(drop)
}

fn all_cases() -> Vec<Case> {
    [
        clone::CASES,
        creds::CASES,
        detached::CASES,
        files::CASES,
        maps::CASES,
        mounts::CASES,
        objects::CASES,
        setns::CASES,
        statmount::CASES,
    ]
    .concat()
}

#[test]
fn each_rule_is_met_and_narrowly_missed() {
    let mut wrong = Vec::new();
    // Thousands of objects are too many for an interpreter.
    let long = ["IpcLimit", "MqLimit", "MapTooManyExtents", "SetgroupsTooMany"];
    for (rule, case) in all_cases() {
        if cfg!(miri) && long.contains(&rule.name()) {
            continue;
        }
        match case(true) {
            Err(denial) if denial.rule == rule => {
                if denial.errno != rule.errno() {
                    wrong.push(format!("{rule}: met with {}", denial.errno));
                }
            }
            other => wrong.push(format!("{rule}: should be met, was {other:?}")),
        }
        if let Err(denial) = case(false)
            && denial.rule == rule
        {
            wrong.push(format!("{rule}: met where it should not be"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_rule_is_without_a_case() {
    let mut count: BTreeMap<Rule, u32> = BTreeMap::new();
    for (rule, _) in all_cases() {
        *count.entry(rule).or_default() += 1;
    }
    let missing: Vec<_> = Rule::ALL.iter().filter(|rule| !count.contains_key(rule)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}

#[test]
#[cfg_attr(miri, ignore = "the cases have run once already")]
fn a_rule_can_be_switched_off() {
    let mut wrong = Vec::new();
    for (rule, case) in all_cases().into_iter().filter(|(rule, _)| !rule.facts().lookup) {
        FAULT.set(Some(Mutation::Off(rule)));
        if let Err(denial) = case(true)
            && denial.rule == rule
        {
            wrong.push(rule);
        }
    }
    FAULT.set(None);
    assert!(wrong.is_empty(), "still there: {wrong:?}");
}

#[test]
#[cfg_attr(miri, ignore = "the cases have run once already")]
fn a_rule_can_answer_with_another_errno() {
    for (rule, case) in all_cases() {
        FAULT.set(Some(Mutation::Errno(rule, Errno::ENXIO)));
        let denial = case(true).unwrap_err();
        assert_eq!(denial.rule, rule);
        let hooked = ["CallFiltered", "ForkLsm", "UserNsLsm", "KillLsm", "ExecLsm", "MountLsm"];
        if !hooked.contains(&rule.name()) {
            assert_eq!(denial.errno, Errno::ENXIO, "{rule}");
        }
    }
    FAULT.set(None);
}
