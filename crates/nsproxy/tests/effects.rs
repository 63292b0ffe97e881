//! What calls do when they are not refused.

use nsproxy::uapi::*;
use nsproxy::{CloneArgs, Disposition, Kernel, Params, State, TaskId};

fn boot(major: u8, minor: u8) -> (Kernel, TaskId) {
    let mut kernel = Kernel::boot(Params::for_release(major, minor));
    let init = kernel.init();
    let shell = kernel.fork(init).unwrap().task;
    (kernel, shell)
}

#[test]
fn an_empty_mount_namespace_has_one_mount() {
    let (mut kernel, shell) = boot(7, 1);
    let child = kernel.clone3(shell, &CloneArgs::new(CLONE_EMPTY_MNTNS)).unwrap().task;
    kernel.unshare(shell, UNSHARE_EMPTY_MNTNS).unwrap();
    for task in [child, shell] {
        let mounts = kernel.mountinfo(task).unwrap();
        assert_eq!(mounts.len(), 1, "{mounts:?}");
        assert_eq!(mounts[0].fstype, "nullfs");
        assert_eq!(kernel.getcwd(task).unwrap().as_deref(), Some("/"));
    }
    assert_eq!(kernel.check(), Ok(()));
}

#[test]
fn a_signal_for_a_thread_waits_for_that_thread() {
    let (mut kernel, shell) = boot(6, 18);
    let thread = kernel.sys_clone(shell, CLONE_THREAD | CLONE_SIGHAND | CLONE_VM).unwrap();
    let tgid = kernel.getpid(shell).unwrap().cast_signed();
    kernel.sigaction(shell, SIGTERM, Disposition::Handle).unwrap();
    let bit = 1 << (SIGTERM - 1);
    kernel.tgkill(shell, tgid, thread.pid.cast_signed(), SIGTERM).unwrap();
    assert_eq!(kernel.take_pending(shell), Ok(0));
    assert_eq!(kernel.take_pending(thread.task), Ok(bit));
    kernel.kill(shell, tgid, SIGTERM).unwrap();
    assert_eq!(kernel.take_pending(thread.task), Ok(bit));
    // A thread that blocks the signal leaves it to the others; when all do, it waits.
    kernel.sigaction(shell, SIGTERM, Disposition::Default).unwrap();
    kernel.sigprocmask(shell, bit).unwrap();
    kernel.sigprocmask(thread.task, bit).unwrap();
    kernel.kill(shell, tgid, SIGTERM).unwrap();
    let state = |kernel: &Kernel| kernel.status(kernel.init(), shell).unwrap().state;
    assert_eq!(state(&kernel), State::Running);
    kernel.sigprocmask(thread.task, 0).unwrap();
    assert_eq!(state(&kernel), State::Zombie);
    assert_eq!(kernel.check(), Ok(()));
}

#[test]
fn a_signal_by_pidfd_goes_where_its_scope_says() {
    let (mut kernel, shell) = boot(6, 18);
    let one = kernel.fork(shell).unwrap();
    let two = kernel.fork(shell).unwrap();
    let number = one.pid.cast_signed();
    kernel.setpgid(shell, number, 0).unwrap();
    kernel.setpgid(shell, two.pid.cast_signed(), number).unwrap();
    let fd = kernel.pidfd_open(shell, number, 0).unwrap();
    kernel.pidfd_send_signal(shell, fd, SIGKILL, PIDFD_SIGNAL_PROCESS_GROUP).unwrap();
    for child in [one, two] {
        assert_eq!(kernel.status(shell, child.task).unwrap().state, State::Zombie);
    }
}

#[test]
fn a_namespace_is_made_of_one_tree() {
    let (mut kernel, shell) = boot(7, 1);
    kernel.unshare(shell, CLONE_NEWNS).unwrap();
    kernel.mount(shell, "none", "/mnt", "tmpfs", 0).unwrap();
    kernel.mkdir(shell, "/mnt/a").unwrap();
    kernel.mount(shell, "none", "/mnt/a", "tmpfs", 0).unwrap();
    let whole = kernel.open_tree(shell, "/mnt", OPEN_TREE_NAMESPACE | AT_RECURSIVE).unwrap();
    let new = kernel.fsmount(shell, "tmpfs", FSMOUNT_NAMESPACE, 0).unwrap();
    for (fd, mounts) in [(whole, 2), (new, 1)] {
        let task = kernel.fork(shell).unwrap().task;
        kernel.setns(task, fd, 0).unwrap();
        assert_eq!(kernel.mountinfo(task).unwrap().len(), mounts);
        assert_eq!(kernel.getcwd(task).unwrap().as_deref(), Some("/"));
    }
    assert_eq!(kernel.check(), Ok(()));
}

#[test]
fn a_detached_tree_goes_with_its_last_descriptor() {
    let (mut kernel, shell) = boot(6, 18);
    kernel.mkdir(shell, "/tmp/t").unwrap();
    let before = kernel.canonical();
    let namespaces = kernel.namespaces().len();
    let tree = kernel.fsmount(shell, "tmpfs", 0, MOUNT_ATTR_NODEV).unwrap();
    assert_eq!(kernel.namespaces().len(), namespaces, "nobody sees an anonymous namespace");
    let twin = kernel.dup(shell, tree, true).unwrap();
    kernel.close(shell, tree).unwrap();
    kernel.move_mount(shell, twin, "/tmp/t").unwrap();
    kernel.close(shell, twin).unwrap();
    assert_eq!(kernel.mountinfo(shell).unwrap().last().unwrap().options, "rw,nodev,relatime");
    kernel.umount(shell, "/tmp/t", 0).unwrap();
    let other = kernel.open_tree(shell, "/", OPEN_TREE_CLONE | AT_RECURSIVE).unwrap();
    kernel.close(shell, other).unwrap();
    assert_eq!(kernel.check(), Ok(()));
    assert_eq!(kernel.canonical(), before);
}

#[test]
fn a_filter_sees_the_flags_of_the_old_calls() {
    use nsproxy::{Errno, Hook, Rule};
    let (mut kernel, shell) = boot(6, 18);
    let kinds = CLONE_NS_FLAGS & !CLONE_NEWTIME;
    for call in [nsproxy::Call::Clone, nsproxy::Call::Unshare] {
        kernel.params_mut().hooks.push((Hook::Flags(call, kinds), Errno::EPERM));
    }
    kernel.params_mut().hooks.push((Hook::Call(nsproxy::Call::Clone3), Errno::ENOSYS));
    let denial = kernel.unshare(shell, CLONE_NEWUTS).unwrap_err();
    assert_eq!((denial.errno, denial.rule), (Errno::EPERM, Rule::CallFiltered));
    assert_eq!(kernel.sys_clone(shell, CLONE_NEWUSER).unwrap_err().rule, Rule::CallFiltered);
    assert_eq!(kernel.clone3(shell, &CloneArgs::new(0)).unwrap_err().errno, Errno::ENOSYS);
    assert!(kernel.fork(shell).is_ok());
    assert_eq!(kernel.unshare(shell, CLONE_NEWTIME), Ok(()));
}

#[test]
fn a_filesystem_is_not_taken_for_one_of_a_dead_namespace() {
    let (mut kernel, shell) = boot(6, 18);
    kernel.unshare(shell, CLONE_NEWNS).unwrap();
    kernel.unshare(shell, CLONE_NEWNET).unwrap();
    kernel.mount(shell, "none", "/tmp", "sysfs", 0).unwrap();
    // The namespace ends, and the next one takes its place; the old sysfs is still there.
    let net = kernel.open_ns(shell, 1, nsproxy::NsLink::Own(nsproxy::NsKind::Net)).unwrap();
    kernel.setns(shell, net, 0).unwrap();
    kernel.settle();
    kernel.unshare(shell, CLONE_NEWNET).unwrap();
    assert_eq!(kernel.mount(shell, "none", "/tmp", "sysfs", 0), Ok(()));
}

#[test]
fn a_first_fork_that_found_no_number_leaves_number_one_to_the_next() {
    let mut kernel = Kernel::boot(Params { pid_max: 4, ..Params::default() });
    let init = kernel.init();
    let shell = kernel.fork(init).unwrap().task;
    let third = kernel.fork(shell).unwrap().task;
    kernel.unshare(shell, CLONE_NEWPID).unwrap();
    assert_eq!(kernel.fork(shell).unwrap_err().rule, nsproxy::Rule::PidExhausted);
    kernel.exit_group(third, 0).unwrap();
    kernel.wait(shell).unwrap();
    let child = kernel.fork(shell).unwrap().task;
    assert_eq!(kernel.getpid(child), Ok(1));
    assert_eq!(kernel.check(), Ok(()));
}

#[test]
fn without_the_rule_that_init_is_first_still_no_child_is_lost() {
    use nsproxy::{Mutation, Rule};
    let mutations = vec![Mutation::Off(Rule::SetTidNoInit)];
    let mut kernel = Kernel::boot(Params { mutations, ..Params::default() });
    let init = kernel.init();
    let args = CloneArgs::new(CLONE_NEWPID).with_set_tid(&[7]);
    let father = kernel.clone3(init, &args).unwrap().task;
    let child = kernel.fork(father).unwrap().task;
    kernel.exit_group(father, 0).unwrap();
    assert_eq!(kernel.status(init, child).unwrap().ppid, 1);
    kernel.exit_group(child, 0).unwrap();
    assert_eq!(kernel.check(), Ok(()));
}

#[test]
fn a_group_that_ends_with_an_adopted_zombie_is_looked_at_before() {
    let (mut kernel, shell) = boot(6, 18);
    let init = kernel.init();
    kernel.sigaction(init, SIGCHLD, Disposition::Ignore).unwrap();
    let zombie = kernel.fork(shell).unwrap();
    kernel.setpgid(zombie.task, 0, 0).unwrap();
    kernel.exit_group(zombie.task, 0).unwrap();
    assert_eq!(kernel.status(init, zombie.task).unwrap().state, State::Zombie);
    // init adopts it and wants no zombies: process, number and group are gone.
    kernel.exit_group(shell, 0).unwrap();
    assert!(kernel.status(init, zombie.task).is_err());
    assert_eq!(kernel.check(), Ok(()));
}

#[test]
fn those_that_a_signal_ends_can_end_in_the_other_order() {
    let (mut kernel, shell) = boot(6, 18);
    let one = kernel.fork(shell).unwrap();
    let two = kernel.fork(shell).unwrap();
    let number = one.pid.cast_signed();
    kernel.setpgid(shell, number, 0).unwrap();
    kernel.setpgid(shell, two.pid.cast_signed(), number).unwrap();
    let ended = |kernel: &Kernel, backwards: bool| {
        let mut kernel = kernel.clone();
        kernel.params_mut().ends_backwards = backwards;
        kernel.kill(shell, -number, SIGKILL).unwrap();
        assert_eq!(kernel.check(), Ok(()));
        kernel.canonical()
    };
    assert_eq!(ended(&kernel, false), ended(&kernel, true));
    // Whose orphan comes first to whoever adopts both is open.
    for parent in [one, two] {
        let orphan = kernel.fork(parent.task).unwrap();
        kernel.setpgid(parent.task, orphan.pid.cast_signed(), 0).unwrap();
    }
    assert_ne!(ended(&kernel, false), ended(&kernel, true));
}

#[test]
fn the_caller_of_exit_group_can_end_last() {
    let (mut kernel, shell) = boot(6, 18);
    let thread = kernel.sys_clone(shell, CLONE_THREAD | CLONE_SIGHAND | CLONE_VM).unwrap();
    let ended = |kernel: &Kernel, backwards: bool| {
        let mut kernel = kernel.clone();
        kernel.params_mut().ends_backwards = backwards;
        kernel.exit_group(shell, 0).unwrap();
        assert_eq!(kernel.check(), Ok(()));
        kernel.canonical()
    };
    assert_eq!(ended(&kernel, false), ended(&kernel, true));
    // Each thread leaves its child to the other, if that is still there.
    for parent in [shell, thread.task] {
        kernel.fork(parent).unwrap();
    }
    assert_ne!(ended(&kernel, false), ended(&kernel, true));
}
