//! What one release does and another does not, as its kernel answered.

use nsproxy::uapi::*;
use nsproxy::{
    CloneArgs, Errno, IpcSysctl, Kernel, MapKind, MntIdReq, NsIoctl, NsKind, NsLink, Params, PidfdIoctl,
    Prctl, Resource, TaskId,
};

fn on(major: u8, minor: u8) -> (Kernel, TaskId) {
    let mut kernel = Kernel::boot(Params::for_release(major, minor));
    let init = kernel.init();
    let shell = kernel.fork(init).unwrap().task;
    (kernel, shell)
}

/// A user without privilege.
fn become_user(kernel: &mut Kernel, task: TaskId) {
    kernel.setresgid(task, 1000, 1000, 1000).unwrap();
    kernel.setresuid(task, 1000, 1000, 1000).unwrap();
    kernel.execve(task, &nsproxy::Program::default()).unwrap();
}

fn errno<T>(answer: Result<T, nsproxy::Denial>) -> Option<Errno> {
    answer.err().map(|denial| denial.errno)
}

#[test]
fn since_7_0_pivot_root_looks_for_its_paths_first() {
    for (release, expected) in [((6, 19), Errno::EPERM), ((7, 0), Errno::ENOENT)] {
        let (mut kernel, shell) = on(release.0, release.1);
        become_user(&mut kernel, shell);
        assert_eq!(errno(kernel.pivot_root(shell, "/none", "/")), Some(expected));
        assert_eq!(errno(kernel.pivot_root(shell, "/", "/")), Some(Errno::EPERM));
    }
}

#[test]
fn since_7_2_who_may_look_into_the_exited_is_asked_where_they_executed() {
    for (release, expected) in [((7, 1), Errno::EACCES), ((7, 2), Errno::ENOENT)] {
        let (mut kernel, root) = on(release.0, release.1);
        kernel.unshare(root, CLONE_NEWUSER).unwrap();
        let child = kernel.fork(root).unwrap();
        kernel.execve(child.task, &nsproxy::Program::default()).unwrap();
        kernel.prctl(child.task, Prctl::SetDumpable(0)).unwrap();
        kernel.exit(child.task, 0).unwrap();
        let answer = kernel.open_ns(root, child.pid.cast_signed(), NsLink::PidForChildren);
        assert_eq!(errno(answer), Some(expected));
        kernel.check().unwrap();
    }
}

#[test]
fn on_7_2_a_change_of_shared_memory_reaches_the_exited() {
    for (release, expected) in [((7, 1), Errno::ENOENT), ((7, 2), Errno::EACCES)] {
        let (mut kernel, user) = on(release.0, release.1);
        become_user(&mut kernel, user);
        let sharer = kernel.fork(user).unwrap().task;
        let child =
            kernel.clone3(sharer, &CloneArgs::new(CLONE_VM | CLONE_PARENT).with_exit_signal(0)).unwrap();
        kernel.exit(child.task, 0).unwrap();
        kernel.prctl(sharer, Prctl::SetDumpable(0)).unwrap();
        let answer = kernel.open_ns(user, child.pid.cast_signed(), NsLink::PidForChildren);
        assert_eq!(errno(answer), Some(expected));
        // It is held until the last of them is reaped.
        kernel.exit(sharer, 0).unwrap();
        kernel.check().unwrap();
        kernel.wait4(user, -1, WALL).unwrap();
        kernel.wait4(user, -1, WALL).unwrap();
        kernel.check().unwrap();
    }
}

#[test]
fn before_the_owner_of_a_filesystem_may_the_first_root_forces_its_unmount() {
    for (by_owner, expected) in [(true, None), (false, Some(Errno::EPERM))] {
        let (mut kernel, shell) = on(5, 10);
        kernel.params_mut().features.owner_forces_umount = by_owner;
        kernel.unshare(shell, CLONE_NEWUSER | CLONE_NEWNS).unwrap();
        kernel.mount(shell, "none", "/mnt", "tmpfs", 0).unwrap();
        assert_eq!(errno(kernel.umount(shell, "/mnt", MNT_FORCE)), expected);
    }
}

#[test]
fn a_stable_6_1_leaves_the_sysctls_of_an_ipc_namespace_to_its_owner() {
    for (of_owner, expected) in [(false, None), (true, Some(Errno::EACCES))] {
        let (mut kernel, shell) = on(6, 1);
        kernel.params_mut().features.ipc_sysctls_of_owner = of_owner;
        let child = kernel.clone3(shell, &CloneArgs::new(CLONE_NEWUSER | CLONE_NEWIPC)).unwrap();
        kernel.write_map(shell, child.pid.cast_signed(), MapKind::Uid, "0 1000 1").unwrap();
        assert_eq!(errno(kernel.write_ipc_sysctl(child.task, IpcSysctl::Shmmni, 5)), expected);
    }
}

#[test]
fn a_stable_6_12_asks_for_access_to_the_exited_first() {
    for (first, expected) in [(false, Errno::ESRCH), (true, Errno::EACCES)] {
        let (mut kernel, shell) = on(6, 12);
        kernel.params_mut().features.pidfd_access_first = first;
        let child = kernel.fork(shell).unwrap();
        let fd = kernel.pidfd_open(shell, child.pid.cast_signed(), 0).unwrap();
        kernel.unshare(shell, CLONE_NEWUSER).unwrap();
        kernel.exit(child.task, 0).unwrap();
        let request = PidfdIoctl::GetNamespace(NsLink::Own(NsKind::Net), 0);
        assert_eq!(errno(kernel.pidfd_ioctl(shell, fd, request)), Some(expected));
    }
}

#[test]
fn only_the_pidfd_of_the_clone_kills_by_its_close() {
    let (mut kernel, shell) = on(7, 2);
    let flags = CLONE_PIDFD | CLONE_PIDFD_AUTOKILL | CLONE_AUTOREAP;
    let child = kernel.clone3(shell, &CloneArgs::new(flags).with_exit_signal(0)).unwrap();
    let other = kernel.pidfd_open(shell, child.pid.cast_signed(), 0).unwrap();
    kernel.close(shell, other).unwrap();
    assert!(kernel.status(shell, child.task).is_ok());
    let copy = kernel.dup(shell, child.pidfd.unwrap(), true).unwrap();
    kernel.close(shell, child.pidfd.unwrap()).unwrap();
    assert!(kernel.status(shell, child.task).is_ok());
    kernel.close(shell, copy).unwrap();
    assert!(kernel.status(shell, child.task).is_err());
}

#[test]
fn the_root_below_all_that_an_empty_namespace_shows_is_plain() {
    let (mut kernel, shell) = on(7, 2);
    kernel.unshare(shell, UNSHARE_EMPTY_MNTNS).unwrap();
    let lines = kernel.mountinfo(shell).unwrap();
    assert_eq!((lines.len(), lines[0].options.as_str(), lines[0].fstype), (1, "rw", "nullfs"));
}

#[test]
fn the_root_below_all_is_not_mounted_again_nor_changed() {
    let (mut kernel, shell) = on(7, 2);
    kernel.unshare(shell, UNSHARE_EMPTY_MNTNS).unwrap();
    let user = kernel.fork(shell).unwrap().task;
    kernel.unshare(user, CLONE_NEWUSER | UNSHARE_EMPTY_MNTNS).unwrap();
    for task in [shell, user] {
        assert_eq!(errno(kernel.mount(task, "none", "/", "", MS_REMOUNT)), Some(Errno::EINVAL));
        assert_eq!(errno(kernel.mount(task, "/", "/", "", MS_BIND)), Some(Errno::EINVAL));
    }
    assert_eq!(errno(kernel.umount(shell, "/", 0)), Some(Errno::EINVAL));
    assert_eq!(errno(kernel.umount(user, "/", 0)), Some(Errno::EPERM));
    kernel.check().unwrap();
}

#[test]
fn before_5_17_too_many_tasks_count_before_a_user_namespace_is_made() {
    for (release, expected) in [((5, 10), Errno::EAGAIN), ((5, 17), Errno::EPERM)] {
        let (mut kernel, user) = on(release.0, release.1);
        become_user(&mut kernel, user);
        kernel.unshare(user, CLONE_NEWUSER).unwrap();
        kernel.prlimit(user, 0, Resource::Nproc, 1, 1).unwrap();
        // Without a map nobody in there can make another.
        let answer = kernel.clone3(user, &CloneArgs::new(CLONE_NEWUSER));
        assert_eq!(errno(answer), Some(expected));
        assert_eq!(errno(kernel.fork(user)), Some(Errno::EAGAIN));
    }
}

#[test]
fn before_6_11_a_related_namespace_takes_its_descriptor_first() {
    for (minor, expected) in [(10, Errno::EMFILE), (11, Errno::EPERM)] {
        let (mut kernel, shell) = on(6, minor);
        let own = kernel.open_ns(shell, 1, NsLink::Own(NsKind::User)).unwrap();
        kernel.prlimit(shell, 0, Resource::Nofile, 1, 1).unwrap();
        assert_eq!(errno(kernel.ns_ioctl(shell, own, NsIoctl::GetUserns)), Some(expected));
        assert_eq!(errno(kernel.ns_ioctl(shell, own, NsIoctl::GetParent)), Some(expected));
    }
}

#[test]
fn before_stable_releases_of_2025_a_mount_that_is_nowhere_could_be_made_private() {
    for (any, expected) in [(false, Some(Errno::EINVAL)), (true, None)] {
        let (mut kernel, shell) = on(5, 10);
        kernel.params_mut().features.any_propagation_changed = any;
        kernel.mount(shell, "none", "/mnt", "tmpfs", 0).unwrap();
        kernel.chdir(shell, "/mnt").unwrap();
        kernel.umount(shell, "/mnt", MNT_DETACH).unwrap();
        assert_eq!(errno(kernel.mount(shell, "none", ".", "", MS_PRIVATE)), expected);
        kernel.check().unwrap();
    }
}

#[test]
fn a_place_in_an_unmounted_mount_is_missing_since_6_15_and_on_a_stable_6_12() {
    let kernels =
        [((6, 12), false, Errno::EINVAL), ((6, 12), true, Errno::ENOENT), ((6, 15), false, Errno::ENOENT)];
    for (release, mended, expected) in kernels {
        let (mut kernel, shell) = on(release.0, release.1);
        kernel.params_mut().features.unmounted_place_is_gone = mended;
        kernel.mount(shell, "none", "/mnt", "tmpfs", 0).unwrap();
        kernel.chdir(shell, "/mnt").unwrap();
        kernel.umount(shell, "/mnt", MNT_DETACH).unwrap();
        assert_eq!(errno(kernel.mount(shell, "none", ".", "tmpfs", 0)), Some(expected));
    }
}

#[test]
fn a_stable_6_12_takes_a_descriptor_of_a_mount_namespace() {
    for (taken, expected) in [(false, Some(Errno::EINVAL)), (true, None)] {
        let (mut kernel, shell) = on(6, 12);
        kernel.params_mut().features.mnt_ns_fd = taken;
        let fd = kernel.open_ns(shell, 2, NsLink::Own(NsKind::Mnt)).unwrap();
        let request = MntIdReq { mnt_id: None, mnt_ns_id: 0, mnt_ns_fd: Some(fd) };
        assert_eq!(errno(kernel.listmount(shell, &request, 0)), expected);
        let nobody = MntIdReq { mnt_id: Some(u64::MAX - 1), ..request };
        let unknown = if taken { Errno::ENOENT } else { Errno::EINVAL };
        assert_eq!(errno(kernel.statmount(shell, &nobody, 0)), Some(unknown));
    }
}

#[test]
fn since_6_19_open_tree_reserves_its_descriptor_first() {
    for (release, expected) in [((6, 18), Errno::EPERM), ((6, 19), Errno::EMFILE)] {
        let (mut kernel, shell) = on(release.0, release.1);
        become_user(&mut kernel, shell);
        kernel.prlimit(shell, 0, Resource::Nofile, 0, 0).unwrap();
        assert_eq!(errno(kernel.open_tree(shell, "/", OPEN_TREE_CLONE)), Some(expected));
    }
}

#[test]
fn since_6_19_an_init_that_waits_is_in_its_cgroup() {
    for (release, expected) in [((6, 18), None), ((6, 19), Some(Errno::EBUSY))] {
        let (mut kernel, shell) = on(release.0, release.1);
        kernel.cgroup_set_subtree_control(shell, "/", true).unwrap();
        kernel.cgroup_mkdir(shell, "/a").unwrap();
        let init = kernel.sys_clone(shell, CLONE_NEWPID | u64::from(SIGCHLD)).unwrap();
        let number = init.pid.cast_signed();
        kernel.cgroup_move(shell, "/a", number).unwrap();
        let fd = kernel.pidfd_open(shell, number, 0).unwrap();
        kernel.setns(shell, fd, u32::try_from(CLONE_NEWPID).unwrap()).unwrap();
        kernel.fork(shell).unwrap();
        kernel.exit_group(init.task, 0).unwrap();
        assert_eq!(errno(kernel.cgroup_set_subtree_control(shell, "/a", true)), expected);
    }
}
