//! A kernel that is asked to be larger than any.

use nsproxy::{Kernel, Params, Rule};

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
