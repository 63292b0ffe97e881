//! The main road: clone, unshare, setns, the death of a pid namespace.

use nsproxy::uapi::{CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS, CLONE_NS_FLAGS};
use nsproxy::{CloneArgs, Holder, Kernel, NsKind, NsLink, Rule, State, Waited};

#[test]
fn a_fresh_kernel_is_in_order() {
    let kernel = Kernel::default();
    assert_eq!(kernel.check(), Ok(()));
    assert_eq!(kernel.getpid(kernel.init()), Ok(1));
    assert_eq!(kernel, kernel.clone());
}

#[test]
fn all_eight_kinds_come_and_go() {
    let mut kernel = Kernel::default();
    let init = kernel.init();
    let before = kernel.clone();
    let child = kernel
        .clone3(init, &CloneArgs::new(CLONE_NS_FLAGS))
        .unwrap();
    assert_eq!(kernel.check(), Ok(()));
    assert_eq!(kernel.getpid(child.task), Ok(1));
    kernel.exit_group(child.task, 3).unwrap();
    assert_eq!(kernel.check(), Ok(()));
    let Ok(Waited::Reaped { status, .. }) = kernel.wait(init) else {
        panic!("a zombie waits");
    };
    assert_eq!(status, 3 << 8);
    kernel.settle();
    assert_eq!(kernel.check(), Ok(()));
    assert_eq!(kernel.namespaces().len(), before.namespaces().len());
}

#[test]
fn unshare_without_privilege_needs_a_user_namespace() {
    let mut kernel = Kernel::default();
    let init = kernel.init();
    let user = kernel.fork(init).unwrap().task;
    kernel.setresuid(user, 1000, 1000, 1000).unwrap();
    assert_eq!(
        kernel.unshare(user, CLONE_NEWUTS).unwrap_err().rule,
        Rule::UnshareNeedsAdmin
    );
    kernel
        .unshare(user, CLONE_NEWUSER | CLONE_NEWUTS | CLONE_NEWNS)
        .unwrap();
    kernel.sethostname(user, b"box").unwrap();
    assert_eq!(kernel.uname(user).unwrap().nodename, b"box");
    assert_eq!(kernel.check(), Ok(()));
}

#[test]
fn init_of_a_pid_namespace_takes_everybody_along() {
    let mut kernel = Kernel::default();
    let init = kernel.init();
    let outer = kernel.fork(init).unwrap().task;
    kernel.unshare(outer, CLONE_NEWPID).unwrap();
    let one = kernel.fork(outer).unwrap();
    let two = kernel.fork(outer).unwrap();
    assert_eq!(kernel.getpid(two.task), Ok(2));
    kernel.exit_group(one.task, 0).unwrap();
    // The second child's zombie belongs to an outside parent, and init waits for it.
    let state = |kernel: &Kernel, task| kernel.status(outer, task).map(|status| status.state);
    assert_eq!(state(&kernel, one.task), Ok(State::Zapping));
    assert_eq!(state(&kernel, two.task), Ok(State::Zombie));
    assert_eq!(kernel.fork(outer).unwrap_err().rule, Rule::PidNsDead);
    kernel.wait4(outer, two.pid.cast_signed(), 0).unwrap();
    assert_eq!(state(&kernel, one.task), Ok(State::Zombie));
    assert_eq!(kernel.check(), Ok(()));
}

#[test]
fn a_namespace_lives_as_long_as_something_holds_it() {
    let mut kernel = Kernel::default();
    let init = kernel.init();
    let shell = kernel.fork(init).unwrap().task;
    kernel.unshare(shell, CLONE_NEWNS).unwrap();
    kernel.mknod(shell, "/f").unwrap();
    let child = kernel.clone3(shell, &CloneArgs::new(CLONE_NEWUTS)).unwrap();
    let link = NsLink::Own(NsKind::Uts);
    let uts = kernel.stat_ns(shell, child.task, link).unwrap().id;
    assert_eq!(kernel.holders_of(uts), [Holder::Nsproxy(child.task)]);
    let fd = kernel
        .open_ns(shell, child.pid.cast_signed(), link)
        .unwrap();
    kernel.exit(child.task, 0).unwrap();
    assert_eq!(kernel.holders_of(uts), [Holder::File]);
    kernel.bind_namespace(shell, fd, "/f").unwrap();
    kernel.close(shell, fd).unwrap();
    assert_eq!(kernel.holders_of(uts), [Holder::Mount]);
    kernel.umount(shell, "/f", 0).unwrap();
    assert!(!kernel.is_alive_ns(uts));
    assert_eq!(kernel.check(), Ok(()));
}
