//! The pids controller: what it counts, and what of it is left when it is disabled.

use nsproxy::{Denial, Kernel, Params, Rule, TaskId};

/// A kernel with a cgroup `/a` of which tasks are counted, its init, and somebody in it.
fn counted() -> (Kernel, TaskId, TaskId) {
    let mut kernel = Kernel::boot(Params::default());
    let init = kernel.init();
    kernel.cgroup_set_subtree_control(init, "/", true).unwrap();
    kernel.cgroup_mkdir(init, "/a").unwrap();
    let shell = kernel.fork(init).unwrap().task;
    kernel.cgroup_move(shell, "/a", 0).unwrap();
    (kernel, init, shell)
}

fn at_most(kernel: &mut Kernel, count: u32) {
    kernel.cgroup_set_pids_max(kernel.init(), "/a", Some(count)).unwrap();
}

fn refused(kernel: &mut Kernel, task: TaskId) -> Option<Rule> {
    let forked = kernel.fork(task).map_err(|Denial { rule, .. }| rule);
    kernel.check().unwrap();
    forked.err()
}

#[test]
fn a_zombie_counts_until_it_is_reaped() {
    let (mut kernel, _, shell) = counted();
    at_most(&mut kernel, 2);
    let child = kernel.fork(shell).unwrap().task;
    kernel.exit_group(child, 0).unwrap();
    assert_eq!(refused(&mut kernel, shell), Some(Rule::PidsLimit));
    kernel.wait4(shell, -1, 0).unwrap();
    assert_eq!(refused(&mut kernel, shell), None);
}

#[test]
fn a_move_goes_beyond_the_limit() {
    let (mut kernel, init, shell) = counted();
    at_most(&mut kernel, 1);
    let other = kernel.fork(init).unwrap().task;
    kernel.cgroup_move(other, "/a", 0).unwrap();
    at_most(&mut kernel, 2);
    assert_eq!(refused(&mut kernel, shell), Some(Rule::PidsLimit));
    kernel.cgroup_move(other, "/", 0).unwrap();
    assert_eq!(refused(&mut kernel, shell), None);
}

#[test]
fn a_limit_is_gone_with_the_controller() {
    let (mut kernel, init, shell) = counted();
    at_most(&mut kernel, 1);
    kernel.cgroup_set_subtree_control(init, "/", false).unwrap();
    kernel.cgroup_set_subtree_control(init, "/", true).unwrap();
    assert_eq!(refused(&mut kernel, shell), None);
}

#[test]
fn who_was_there_before_the_controller_is_counted_but_for_zombies() {
    let (mut kernel, init, shell) = counted();
    let child = kernel.fork(shell).unwrap().task;
    kernel.exit_group(child, 0).unwrap();
    kernel.cgroup_set_subtree_control(init, "/", false).unwrap();
    kernel.cgroup_set_subtree_control(init, "/", true).unwrap();
    at_most(&mut kernel, 1);
    assert_eq!(refused(&mut kernel, shell), Some(Rule::PidsLimit));
    at_most(&mut kernel, 2);
    assert_eq!(refused(&mut kernel, shell), None);
    // The zombie was charged to what is gone: its end makes no room.
    kernel.wait4(shell, -1, 0).unwrap();
    assert_eq!(refused(&mut kernel, shell), Some(Rule::PidsLimit));
}

#[test]
fn a_limit_further_up_counts_what_is_below() {
    let (mut kernel, init, shell) = counted();
    kernel.cgroup_move(shell, "/", 0).unwrap();
    kernel.cgroup_set_subtree_control(init, "/a", true).unwrap();
    kernel.cgroup_mkdir(init, "/a/b").unwrap();
    kernel.cgroup_move(shell, "/a/b", 0).unwrap();
    at_most(&mut kernel, 1);
    assert_eq!(refused(&mut kernel, shell), Some(Rule::PidsLimit));
    // Disabled below, those there are counted by the next level alone.
    kernel.cgroup_set_subtree_control(init, "/a", false).unwrap();
    assert_eq!(refused(&mut kernel, shell), Some(Rule::PidsLimit));
    at_most(&mut kernel, 2);
    assert_eq!(refused(&mut kernel, shell), None);
}

#[test]
fn a_removed_cgroup_counts_its_zombies_further_up() {
    let (mut kernel, init, shell) = counted();
    kernel.cgroup_move(shell, "/", 0).unwrap();
    kernel.cgroup_set_subtree_control(init, "/a", true).unwrap();
    kernel.cgroup_mkdir(init, "/a/b").unwrap();
    kernel.cgroup_mkdir(init, "/a/c").unwrap();
    let child = kernel.fork(shell).unwrap().task;
    kernel.cgroup_move(child, "/a/b", 0).unwrap();
    kernel.exit_group(child, 0).unwrap();
    kernel.cgroup_rmdir(init, "/a/b").unwrap();
    kernel.check().unwrap();
    kernel.cgroup_move(shell, "/a/c", 0).unwrap();
    at_most(&mut kernel, 2);
    assert_eq!(refused(&mut kernel, shell), Some(Rule::PidsLimit));
    kernel.wait4(shell, -1, 0).unwrap();
    assert_eq!(refused(&mut kernel, shell), None);
}

#[test]
fn delegation_leaves_the_limit_with_who_made_it() {
    let (mut kernel, init, shell) = counted();
    kernel.cgroup_chown(init, "/a", 1000).unwrap();
    kernel.setresuid(shell, 1000, 1000, 1000).unwrap();
    let limit = |kernel: &mut Kernel, path| {
        let set = kernel.cgroup_set_pids_max(shell, path, None);
        set.map_err(|Denial { rule, .. }| rule).err()
    };
    assert_eq!(limit(&mut kernel, "/a"), Some(Rule::CgroupAccess));
    // Below it makes files of its own, with the directory or by enabling.
    kernel.cgroup_mkdir(shell, "/a/b").unwrap();
    assert_eq!(limit(&mut kernel, "/a/b"), Some(Rule::CgroupPidsMissing));
    kernel.cgroup_move(shell, "/a/b", 0).unwrap();
    kernel.cgroup_set_subtree_control(shell, "/a", true).unwrap();
    kernel.cgroup_mkdir(shell, "/a/c").unwrap();
    assert_eq!(limit(&mut kernel, "/a/b"), None);
    assert_eq!(limit(&mut kernel, "/a/c"), None);
}
