//! Arguments at the edge of what a call reads: sizes, zero bytes, long names.

use nsproxy::uapi::*;
use nsproxy::{
    CapSet, CloneArgs, Credentials, Denial, Errno, Kernel, NsKind, NsLink, Params, Placement, Rule, TaskId,
};

fn boot() -> (Kernel, TaskId) {
    boot_as(Params::default())
}

fn boot_as(params: Params) -> (Kernel, TaskId) {
    let mut kernel = Kernel::boot(params);
    let init = kernel.init();
    let shell = kernel.fork(init).unwrap().task;
    (kernel, shell)
}

fn refusal<T: std::fmt::Debug>(answer: Result<T, Denial>) -> (Errno, Rule) {
    let denial = answer.unwrap_err();
    (denial.errno, denial.rule)
}

#[test]
fn clone3_reads_no_field_beyond_the_size_of_its_structure() {
    let (mut kernel, shell) = boot();
    let mut clone = |change: &dyn Fn(&mut CloneArgs<'_>)| {
        let mut args = CloneArgs::new(0);
        change(&mut args);
        kernel.clone3(shell, &args).map(|child| child.pid).map_err(|denial| denial.rule)
    };
    // The first version has neither set_tid nor cgroup: both are zero.
    let usual = |args: &mut CloneArgs<'_>| {
        args.size = 64;
        args.set_tid = Some(&[1000]);
        args.set_tid_size = 1;
        args.cgroup = u64::MAX;
    };
    assert_eq!(clone(&usual), Ok(3));
    // With 72 bytes the array is there and its size is zero.
    let half = |args: &mut CloneArgs<'_>| {
        usual(args);
        args.size = 72;
    };
    assert_eq!(clone(&half), Err(Rule::SetTidEmpty));
    // With 73 bytes the size has a byte, its lowest.
    let byte = |args: &mut CloneArgs<'_>| {
        usual(args);
        args.size = 73;
        args.set_tid_size = 0x0700_0000_0001;
    };
    assert_eq!(clone(&byte), Ok(1000));
    let whole = |args: &mut CloneArgs<'_>| {
        usual(args);
        args.size = 80;
        args.set_tid = Some(&[2000]);
        args.set_tid_size = 0x0700_0000_0001;
    };
    assert_eq!(clone(&whole), Err(Rule::SetTidTooMany));
}

#[test]
fn clone3_has_no_unknown_tail_within_the_known_structure() {
    let (mut kernel, shell) = boot();
    for size in [64, 80, 88] {
        let args = CloneArgs { size, unknown_tail: true, ..CloneArgs::new(0) };
        assert!(kernel.clone3(shell, &args).is_ok(), "{size}");
    }
    let args = CloneArgs { size: 89, unknown_tail: true, ..CloneArgs::new(0) };
    assert_eq!(refusal(kernel.clone3(shell, &args)), (Errno::E2BIG, Rule::Clone3UnknownTail));
}

#[test]
fn a_kind_not_built_is_refused_when_its_turn_comes() {
    let (mut kernel, shell) = boot();
    kernel.params_mut().features.set_built(NsKind::Time, false);
    let init = kernel.init();
    kernel.write_max_namespaces(init, NsKind::Mnt, 0).unwrap();
    let answer = kernel.unshare(shell, CLONE_NEWNS | CLONE_NEWTIME);
    assert_eq!(refusal(answer), (Errno::ENOSPC, Rule::MntNsCount));
    let answer = kernel.unshare(shell, CLONE_NEWUTS | CLONE_NEWTIME);
    assert_eq!(refusal(answer), (Errno::EINVAL, Rule::KindNotBuilt));
    assert_eq!(kernel.check(), Ok(()));
}

#[test]
fn each_kind_that_can_be_left_out_refuses_but_cgroups() {
    for kind in NsKind::ALL {
        let (mut kernel, shell) = boot();
        kernel.params_mut().features.set_built(kind, false);
        let answer = kernel.unshare(shell, kind.flag()).map_err(|denial| denial.rule);
        let made = matches!(kind, NsKind::Mnt | NsKind::Cgroup);
        assert_eq!(answer, if made { Ok(()) } else { Err(Rule::KindNotBuilt) }, "{kind:?}");
        assert_eq!(kernel.check(), Ok(()));
    }
}

#[test]
fn a_new_cgroup_namespace_is_the_old_one_where_there_are_no_cgroups() {
    let (mut kernel, shell) = boot();
    let cgroup = |kernel: &Kernel, task| kernel.stat_ns(shell, task, NsLink::Own(NsKind::Cgroup)).unwrap();
    let old = cgroup(&kernel, shell);
    kernel.params_mut().features.set_built(NsKind::Cgroup, false);
    kernel.unshare(shell, CLONE_NEWCGROUP).unwrap();
    let child = kernel.sys_clone(shell, CLONE_NEWCGROUP).unwrap().task;
    kernel.params_mut().features.set_built(NsKind::Cgroup, true);
    assert_eq!(cgroup(&kernel, shell), old);
    assert_eq!(cgroup(&kernel, child), old);
    assert_eq!(kernel.check(), Ok(()));
}

#[test]
fn a_write_to_setgroups_takes_what_is_behind_a_zero_byte() {
    let (mut kernel, shell) = boot();
    kernel.unshare(shell, CLONE_NEWUSER).unwrap();
    let own = kernel.getpid(shell).unwrap().cast_signed();
    assert_eq!(kernel.write_setgroups(shell, own, "deny\0x"), Ok(6));
    assert_eq!(kernel.setgroups_allowed(shell), Ok(false));
    assert_eq!(refusal(kernel.write_setgroups(shell, own, "den\0y")).1, Rule::SetgroupsSyntax);
}

#[test]
fn a_queue_name_with_a_zero_byte_is_refused() {
    let (mut kernel, shell) = boot();
    assert_eq!(refusal(kernel.mq_open(shell, "/a\0b", true, false)), (Errno::EINVAL, Rule::MqName));
    assert_eq!(refusal(kernel.mq_unlink(shell, "/a\0b")), (Errno::EINVAL, Rule::MqName));
    assert!(kernel.mq_names(shell).unwrap().is_empty());
}

#[test]
fn a_device_of_the_machine_has_a_name_of_its_own() {
    let (mut kernel, shell) = boot();
    for name in ["", "a\0b", "a/b", "a b", "a:b", "..", "\u{a0}", "sixteen-bytes-xx"] {
        assert_eq!(refusal(kernel.plug_device(name)), (Errno::EINVAL, Rule::NetDevName), "{name:?}");
    }
    kernel.plug_device("eth0").unwrap();
    for name in ["lo", "eth0"] {
        assert_eq!(refusal(kernel.plug_device(name)), (Errno::EEXIST, Rule::NetDevExists));
    }
    assert_eq!(kernel.devices(shell).unwrap().len(), 2);
}

#[test]
fn a_device_that_comes_home_gets_a_name_that_is_free() {
    let (mut kernel, shell) = boot();
    kernel.plug_device("eth0").unwrap();
    let number = kernel.devices(shell).unwrap()[1].ifindex;
    let child = kernel.sys_clone(shell, CLONE_NEWNET).unwrap();
    let fd = kernel.open_ns(shell, child.pid.cast_signed(), NsLink::Own(NsKind::Net)).unwrap();
    kernel.move_device(shell, "eth0", fd).unwrap();
    for name in ["eth0", &format!("dev{number}"), "dev0"] {
        kernel.plug_device(name).unwrap();
    }
    kernel.close(shell, fd).unwrap();
    kernel.exit(child.task, 0).unwrap();
    let names: Vec<String> = kernel.devices(shell).unwrap().into_iter().map(|device| device.name).collect();
    assert!(names.contains(&"dev1".to_string()), "{names:?}");
}

#[test]
fn long_names_are_told_from_missing_ones() {
    let (mut kernel, shell) = boot();
    let name = "a".repeat(256);
    let long = |answer: Result<(), Denial>| refusal(answer);
    assert_eq!(long(kernel.chdir(shell, &name)), (Errno::ENAMETOOLONG, Rule::PathNameTooLong));
    assert_eq!(long(kernel.mkdir(shell, &name)), (Errno::ENAMETOOLONG, Rule::PathNameTooLong));
    assert_eq!(long(kernel.mkdir(shell, &"/".repeat(4096))).1, Rule::PathTooLong);
    // Proc looks for the name and finds nothing, as seen on 6.18.
    assert_eq!(long(kernel.chdir(shell, &format!("/proc/{name}"))).0, Errno::ENOENT);
    assert_eq!(long(kernel.mkdir(shell, &format!("/proc/{name}"))).0, Errno::ENOENT);
    // The source of a mount is a string before it is a path.
    let source = "a".repeat(4096);
    assert_eq!(long(kernel.mount(shell, &source, "/missing", "", MS_BIND)).0, Errno::EINVAL);
}

fn root() -> Credentials {
    Credentials {
        uids: [0; 4],
        gids: [0; 4],
        groups: Vec::new(),
        caps: [CapSet::EMPTY, CapSet::FULL, CapSet::FULL, CapSet::FULL, CapSet::EMPTY],
        securebits: 0,
        no_new_privs: false,
        dumpable: true,
    }
}

#[test]
fn before_6_14_a_namespace_made_by_the_host_has_the_pid_max_of_all() {
    for (release, expected) in [((6, 13), 1000), ((6, 14), PID_MAX_LIMIT)] {
        let mut params = Params::for_release(release.0, release.1);
        params.pid_max = 1000;
        let (mut kernel, shell) = boot_as(params);
        let owner = kernel.stat_ns(shell, shell, NsLink::Own(NsKind::User)).unwrap().id;
        let ns = kernel.host_namespace(NsKind::Pid, owner, 0, None).unwrap();
        let placement = Placement::default().within(ns);
        let init = kernel.host_spawn(shell, &placement, &[], &root()).unwrap();
        let args = CloneArgs::new(0).with_set_tid(&[1000]);
        let answer = kernel.clone3(init, &args).map(|child| child.task).map_err(|denial| denial.rule);
        assert_eq!(answer.is_ok(), expected > 1000, "{release:?}: {answer:?}");
    }
}
