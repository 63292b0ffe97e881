//! A kernel that is asked to be larger than any.

use nsproxy::uapi::{CLONE_NEWPID, CLONE_NS_FLAGS};
use nsproxy::{CloneArgs, Kernel, NsKind, Params, Rule};

#[test]
fn the_largest_pid_max_and_the_last_pid_do_not_overflow() {
    let params = Params {
        pid_max: u32::MAX,
        threads_max: u32::MAX,
        mount_max: u32::MAX,
        suid_dumpable: u8::MAX,
        ..Params::default()
    };
    let mut kernel = Kernel::boot(params);
    let init = kernel.init();
    assert_eq!(kernel.pid_max(init), Ok(4_194_304));
    assert_eq!(kernel.write_ns_last_pid(init, 4_294_967_295).unwrap_err().rule, Rule::LastPidRange);
    assert_eq!(kernel.write_ns_last_pid(init, 4_194_304), Ok(()));
    assert_eq!(kernel.ns_last_pid(init), Ok(4_194_304));
    assert_eq!(kernel.fork(init).map(|child| child.pid), Ok(300), "around, past the reserved numbers");
    kernel.params_mut().threads_max = u32::MAX;
    kernel.params_mut().suid_dumpable = 7;
    let params = kernel.params();
    assert_eq!((params.threads_max, params.mount_max, params.suid_dumpable), (0x3fff_ffff, 0x7fff_ffff, 2));
}

#[test]
fn pid_max_is_one_number_for_all_before_6_14() {
    for (release, own) in [((6, 12), 400), ((6, 18), 4_194_304)] {
        let mut kernel = Kernel::boot(Params::for_release(release.0, release.1));
        let init = kernel.init();
        kernel.write_pid_max(init, 400).unwrap();
        let args = nsproxy::CloneArgs::new(nsproxy::uapi::CLONE_NEWPID).with_set_tid(&[1, 399]);
        let child = kernel.clone3(init, &args).unwrap().task;
        assert_eq!(kernel.pid_max(child), Ok(own), "{release:?}");
        assert_eq!(kernel.write_ns_last_pid(child, 401).is_ok(), own > 400, "{release:?}");
    }
}

/// All kinds of a call are charged in one walk where no limit is near, else one by one:
/// the refusal is that of the first kind in the kernel's order, and nothing stays charged.
#[test]
fn a_refused_clone_of_all_kinds_is_charged_for_none() {
    let all = CloneArgs::new(CLONE_NS_FLAGS);
    let mut kernel = Kernel::default();
    let init = kernel.init();
    kernel.write_max_namespaces(init, NsKind::Net, 0).unwrap();
    kernel.write_max_namespaces(init, NsKind::Pid, 0).unwrap();
    let before = kernel.clone();
    let refused = kernel.clone3(init, &all).unwrap_err();
    kernel.settle();
    assert_eq!((refused.rule, kernel.check()), (Rule::PidNsCount, Ok(())));
    assert_eq!(kernel, before);
    kernel.write_max_namespaces(init, NsKind::Pid, 1).unwrap();
    assert_eq!(kernel.clone3(init, &all).unwrap_err().rule, Rule::NetNsCount);
    kernel.write_max_namespaces(init, NsKind::Net, 1).unwrap();
    kernel.settle();
    kernel.unshare(init, CLONE_NEWPID).unwrap();
    // Far from every limit, but a pid namespace waits for its init.
    kernel.write_max_namespaces(init, NsKind::Pid, 9).unwrap();
    let before = kernel.clone();
    assert_eq!(kernel.clone3(init, &all).unwrap_err().rule, Rule::PidNsNotActive);
    kernel.settle();
    assert_eq!(kernel.check(), Ok(()));
    assert_eq!(kernel, before);
}
