//! What a 6.18 kernel was seen to answer, replayed.

use nsproxy::uapi::*;
use nsproxy::{Errno, Kernel, Prctl, TaskId};

fn shell() -> (Kernel, TaskId) {
    let mut kernel = Kernel::default();
    let init = kernel.init();
    let shell = kernel.fork(init).unwrap().task;
    kernel.unshare(shell, CLONE_NEWNS).unwrap();
    kernel.mount(shell, "none", "/mnt", "tmpfs", 0).unwrap();
    for dir in ["/mnt/a", "/mnt/b", "/mnt/c", "/mnt/e"] {
        kernel.mkdir(shell, dir).unwrap();
    }
    (kernel, shell)
}

/// `errno` of a refusal, `None` of a success.
fn errno<T>(answer: Result<T, nsproxy::Denial>) -> Option<Errno> {
    answer.err().map(|denial| denial.errno)
}

/// The mount points below /mnt with their propagation.
fn below(kernel: &Kernel, task: TaskId) -> Vec<(String, String)> {
    let lines = kernel.mountinfo(task).unwrap();
    let mut all: Vec<_> = lines
        .into_iter()
        .filter(|line| line.mountpoint.starts_with("/mnt"))
        .map(|line| (line.mountpoint, line.propagation.join(" ")))
        .collect();
    all.sort();
    all
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect()
}

#[test]
fn before_7_0_a_refused_unshare_loses_the_root() {
    for faulty in [false, true] {
        let (mut kernel, shell) = shell();
        kernel.params_mut().features.refused_unshare_loses_root = faulty;
        kernel.unshare(shell, CLONE_NEWPID).unwrap();
        assert_eq!(errno(kernel.unshare(shell, CLONE_NEWNS | CLONE_NEWPID)), Some(Errno::EINVAL));
        // `/mnt` is a mount of its own, and the copy that root now is has nothing on it.
        let found = errno(kernel.chdir(shell, "/mnt/a"));
        assert_eq!(found, faulty.then_some(Errno::ENOENT));
        assert_eq!(kernel.mountinfo(shell).unwrap().is_empty(), faulty);
        assert_eq!(kernel.check(), Ok(()));
    }
}

#[test]
fn mounts_travel_from_a_shared_tree_to_a_container() {
    let (mut kernel, host) = shell();
    kernel.mount(host, "", "/mnt", "", MS_SHARED).unwrap();
    let inside = kernel.clone3(host, &nsproxy::CloneArgs::new(CLONE_NEWUSER | CLONE_NEWNS)).unwrap().task;
    kernel.mount(host, "none", "/mnt/b", "tmpfs", 0).unwrap();
    kernel.mkdir(host, "/mnt/b/x").unwrap();
    kernel.mount(host, "none", "/mnt/b/x", "tmpfs", 0).unwrap();
    kernel.mount(host, "/mnt/b", "/mnt/a", "", MS_BIND | MS_REC).unwrap();
    assert_eq!(
        below(&kernel, host),
        pairs(&[
            ("/mnt", "shared:1"),
            ("/mnt/a", "shared:2"),
            ("/mnt/a/x", "shared:3"),
            ("/mnt/b", "shared:2"),
            ("/mnt/b/x", "shared:3"),
        ])
    );
    assert_eq!(
        below(&kernel, inside),
        pairs(&[
            ("/mnt", "master:1"),
            ("/mnt/a", "master:2"),
            ("/mnt/a/x", "master:3"),
            ("/mnt/b", "master:2"),
            ("/mnt/b/x", "master:3"),
        ])
    );
    assert_eq!(errno(kernel.umount(inside, "/mnt/a", 0)), Some(Errno::EBUSY));
    assert_eq!(errno(kernel.umount(inside, "/mnt/a/x", 0)), Some(Errno::EINVAL));
    assert_eq!(errno(kernel.umount(inside, "/mnt/a", MNT_DETACH)), None);
    assert_eq!(kernel.check(), Ok(()));

    // What the host unmounts goes in the container too.
    kernel.umount(host, "/mnt/b/x", 0).unwrap();
    assert_eq!(below(&kernel, inside), pairs(&[("/mnt", "master:1"), ("/mnt/b", "master:2")]));
    assert_eq!(kernel.check(), Ok(()));
}

#[test]
fn a_container_cannot_undo_what_it_was_given() {
    let (mut kernel, task) = shell();
    kernel.mount(task, "none", "/mnt/a", "tmpfs", MS_NOSUID | MS_NODEV).unwrap();
    kernel.mount(task, "none", "/mnt/b", "tmpfs", 0).unwrap();
    kernel.mkdir(task, "/mnt/b/x").unwrap();
    kernel.mount(task, "none", "/mnt/b/x", "tmpfs", 0).unwrap();
    kernel.unshare(task, CLONE_NEWUSER | CLONE_NEWNS).unwrap();
    let bind = MS_REMOUNT | MS_BIND;
    let kept = MS_NOSUID | MS_NODEV;
    let mut mount = |source: &str, target: &str, fstype: &str, flags: u64| {
        errno(kernel.mount(task, source, target, fstype, flags))
    };
    assert_eq!(mount("/mnt/a", "/mnt/c", "", MS_MOVE), Some(Errno::EINVAL));
    assert_eq!(mount("", "/mnt/a", "", bind), Some(Errno::EPERM));
    assert_eq!(mount("", "/mnt/a", "", bind | kept), None);
    assert_eq!(mount("", "/mnt/a", "", bind | kept | MS_NOATIME), Some(Errno::EPERM));
    assert_eq!(mount("/mnt/b", "/mnt/c", "", MS_BIND), Some(Errno::EINVAL));
    assert_eq!(mount("/mnt/b", "/mnt/c", "", MS_BIND | MS_REC), None);
    assert_eq!(mount("", "/mnt/a", "", MS_REMOUNT | kept | MS_RDONLY), Some(Errno::EPERM));
    assert_eq!(mount("none", "/mnt/e", "tmpfs", 0), None);
    for fstype in ["mqueue", "ext4", "proc", "cgroup2"] {
        assert_eq!(mount("none", "/mnt/e", fstype, 0), Some(Errno::EPERM), "{fstype}");
    }
    assert_eq!(mount("", "/mnt/a", "", MS_SHARED), None);
    assert_eq!(errno(kernel.umount(task, "/mnt/a", MNT_DETACH)), Some(Errno::EINVAL));
    assert_eq!(errno(kernel.umount(task, "/mnt/c/x", MNT_DETACH)), Some(Errno::EINVAL));
    assert_eq!(errno(kernel.umount(task, "/mnt/c", MNT_DETACH)), None);
    assert_eq!(kernel.check(), Ok(()));
}

#[test]
fn a_lazily_unmounted_place_takes_no_mounts() {
    let (mut kernel, task) = shell();
    kernel.mount(task, "none", "/mnt/e", "tmpfs", 0).unwrap();
    kernel.mkdir(task, "/mnt/e/x").unwrap();
    kernel.mount(task, "none", "/mnt/a", "tmpfs", 0).unwrap();
    kernel.chdir(task, "/mnt/e").unwrap();
    kernel.umount(task, "/mnt/e", MNT_DETACH).unwrap();
    let mut mount =
        |source: &str, target: &str, flags: u64| errno(kernel.mount(task, source, target, "tmpfs", flags));
    assert_eq!(mount(".", "/mnt/c", MS_BIND), Some(Errno::EINVAL));
    assert_eq!(mount("none", ".", 0), Some(Errno::ENOENT));
    assert_eq!(mount("/mnt/a", "x", MS_BIND), Some(Errno::ENOENT));
    assert_eq!(mount("/mnt/a", "x", MS_MOVE), Some(Errno::ENOENT));
    assert_eq!(mount(".", "/mnt/c", MS_MOVE), Some(Errno::EINVAL));
    assert_eq!(mount("", ".", MS_PRIVATE), Some(Errno::EINVAL));
    assert_eq!(mount("", ".", MS_REMOUNT | MS_BIND), Some(Errno::EINVAL));
    assert_eq!(errno(kernel.umount(task, ".", 0)), Some(Errno::EINVAL));
    assert_eq!(errno(kernel.pivot_root(task, ".", "x")), Some(Errno::ENOENT));
    assert_eq!(errno(kernel.pivot_root(task, "/mnt/a", "x")), Some(Errno::ENOENT));
}

#[test]
fn the_old_root_may_be_put_on_the_new_one() {
    let (mut kernel, task) = shell();
    kernel.mount(task, "none", "/mnt/a", "tmpfs", 0).unwrap();
    kernel.pivot_root(task, "/mnt/a", "/mnt/a").unwrap();
    assert_eq!(kernel.check(), Ok(()));
    kernel.umount(task, "/", MNT_DETACH).ok();
    assert_eq!(kernel.check(), Ok(()));
}

#[test]
fn small_numbers() {
    let (mut kernel, task) = shell();
    assert_eq!(errno(kernel.wait4(task, i32::MIN, 0)), Some(Errno::ESRCH));
    assert_eq!(errno(kernel.kill(task, 99_999, 65)), Some(Errno::ESRCH));
    assert_eq!(errno(kernel.prctl(task, Prctl::SetSecurebits(0x100))), None);
    assert_eq!(errno(kernel.prctl(task, Prctl::SetDumpable(2))), Some(Errno::EINVAL));
}

#[test]
fn a_user_with_too_many_tasks_can_be_become_but_executes_nothing() {
    for (others, expected) in [(0, None), (1, None), (2, Some(Errno::EAGAIN)), (3, Some(Errno::EAGAIN))] {
        let mut kernel = Kernel::default();
        let init = kernel.init();
        for _ in 0..others {
            let other = kernel.fork(init).unwrap().task;
            kernel.setresuid(other, 54321, 54321, 54321).unwrap();
        }
        let task = kernel.fork(init).unwrap().task;
        kernel.prlimit(task, 0, nsproxy::Resource::Nproc, 1, 1).unwrap();
        kernel.setresuid(task, 54321, 54321, 54321).unwrap();
        assert_eq!(errno(kernel.execve(task, &nsproxy::Program::default())), expected, "{others}");
    }
}

/// A task of uid 1000 that is root in a user namespace of its own.
fn rootless(kernel: &mut Kernel, flags: u64) -> TaskId {
    let init = kernel.init();
    let task = kernel.fork(init).unwrap().task;
    kernel.setresgid(task, 1000, 1000, 1000).unwrap();
    kernel.setresuid(task, 1000, 1000, 1000).unwrap();
    kernel.prctl(task, Prctl::SetDumpable(1)).unwrap();
    kernel.unshare(task, CLONE_NEWUSER | flags).unwrap();
    let pid = kernel.getpid(task).unwrap().cast_signed();
    kernel.write_setgroups(task, pid, "deny").unwrap();
    kernel.write_map(task, pid, nsproxy::MapKind::Gid, "0 1000 1").unwrap();
    kernel.write_map(task, pid, nsproxy::MapKind::Uid, "0 1000 1").unwrap();
    task
}

#[test]
fn the_root_of_a_pid_namespace_sets_its_numbers() {
    let mut kernel = Kernel::default();
    let outside = rootless(&mut kernel, CLONE_NEWPID);
    assert_eq!(errno(kernel.write_pid_max(outside, 400)), Some(Errno::EACCES));
    let inside = kernel.fork(outside).unwrap().task;
    let refused = [300, 301, 4_194_304, 4_194_305].map(|max| errno(kernel.write_pid_max(inside, max)));
    assert_eq!(refused, [Some(Errno::EINVAL), None, None, Some(Errno::EINVAL)]);
    let refused = [41, -1, 4_194_304, 4_194_305].map(|last| errno(kernel.write_ns_last_pid(inside, last)));
    assert_eq!(refused, [None, Some(Errno::EINVAL), None, Some(Errno::EINVAL)]);
    kernel.write_ns_last_pid(inside, 41).unwrap();
    assert_eq!(kernel.fork(inside).unwrap().pid, 42);
    assert_eq!(kernel.ns_last_pid(inside), Ok(42));
}

#[test]
fn limits_of_an_ipc_namespace_are_its_roots() {
    use nsproxy::IpcSysctl::{Msgmax, Msgmni, ShmRmidForced, Shmmax, Shmmni};
    let mut kernel = Kernel::default();
    let task = rootless(&mut kernel, 0);
    assert_eq!(errno(kernel.write_ipc_sysctl(task, Shmmni, 7)), Some(Errno::EACCES));
    kernel.unshare(task, CLONE_NEWIPC).unwrap();
    for (which, value, expected) in [
        (Shmmni, 32_768, None),
        (Shmmni, 32_769, Some(Errno::EINVAL)),
        (Shmmax, u64::MAX, None),
        (ShmRmidForced, 2, Some(Errno::EINVAL)),
        (Msgmni, 32_769, Some(Errno::EINVAL)),
        (Msgmax, 1 << 31, Some(Errno::EINVAL)),
        (ShmRmidForced, 1, None),
    ] {
        assert_eq!(errno(kernel.write_ipc_sysctl(task, which, value)), expected, "{which:?} {value}");
    }
    // With shm_rmid_forced a segment goes with its maker, or with the last who detaches.
    let id = kernel.shmget(task, 5, 100, IPC_CREAT | 0o600).unwrap();
    let child = kernel.fork(task).unwrap().task;
    kernel.shmget(child, 6, 100, IPC_CREAT | 0o600).unwrap();
    kernel.exit_group(child, 0).unwrap();
    assert_eq!(errno(kernel.shmget(task, 6, 0, 0)), Some(Errno::ENOENT));
    kernel.shmat(task, id).unwrap();
    kernel.shmdt(task, id).unwrap();
    assert_eq!(errno(kernel.shmget(task, 5, 0, 0)), Some(Errno::ENOENT));
    assert_eq!(kernel.check(), Ok(()));
}

#[test]
fn a_detached_mount_is_mapped_and_moved() {
    let (mut kernel, host) = shell();
    kernel.mount(host, "none", "/mnt/a", "tmpfs", 0).unwrap();
    let number = |kernel: &Kernel, task| kernel.status(host, task).unwrap().pid.cast_signed();
    let child = kernel.sys_clone(host, CLONE_NEWUSER).unwrap().task;
    let pid = number(&kernel, child);
    kernel.write_map(host, pid, nsproxy::MapKind::Uid, "0 1000 1").unwrap();
    kernel.write_map(host, pid, nsproxy::MapKind::Gid, "0 1000 1").unwrap();
    let user = kernel.open_ns(host, pid, nsproxy::NsLink::Own(nsproxy::NsKind::User)).unwrap();
    let idmap =
        nsproxy::MountAttr { set: MOUNT_ATTR_IDMAP, userns_fd: user, ..nsproxy::MountAttr::default() };

    let tree = kernel.open_tree(host, "/mnt/a", OPEN_TREE_CLONE).unwrap();
    assert_eq!(errno(kernel.setns(host, tree, 0)), Some(Errno::EBADF));
    assert_eq!(errno(kernel.open_tree(host, "/mnt/a", AT_RECURSIVE)), Some(Errno::EINVAL));
    assert_eq!(errno(kernel.mount_setattr(host, "/mnt/a", 0, &idmap)), Some(Errno::EINVAL));
    assert_eq!(errno(kernel.mount_setattr_fd(host, tree, 0, &idmap)), None);
    assert_eq!(errno(kernel.mount_setattr_fd(host, tree, 0, &idmap)), Some(Errno::EPERM));
    assert_eq!(errno(kernel.move_mount(host, tree, "/mnt/b")), None);
    assert_eq!(errno(kernel.move_mount(host, tree, "/mnt/c")), None);
    // Through the mapping the directory is 1000's, and root has no number.
    assert_eq!(errno(kernel.mkdir(host, "/mnt/c/x")), Some(Errno::EOVERFLOW));
    let guest = kernel.fork(host).unwrap().task;
    kernel.setresgid(guest, 1000, 1000, 1000).unwrap();
    kernel.setresuid(guest, 1000, 1000, 1000).unwrap();
    assert_eq!(errno(kernel.mkdir(guest, "/mnt/a/y")), Some(Errno::EACCES));
    assert_eq!(errno(kernel.mkdir(guest, "/mnt/c/y")), None);
    let lines = kernel.mountinfo(host).unwrap();
    let mapped = lines.iter().find(|line| line.mountpoint == "/mnt/c").unwrap();
    assert_eq!(mapped.options, "rw,relatime,idmapped");
    // A directory of a mount can be cloned, an attached mount moved by descriptor.
    let dir = kernel.open_tree(host, "/mnt/e", OPEN_TREE_CLONE).unwrap();
    assert_eq!(errno(kernel.move_mount(host, dir, "/mnt/e")), None);
    let attached = kernel.open_tree(host, "/mnt/a", 0).unwrap();
    assert_eq!(errno(kernel.move_mount(host, attached, "/mnt/b")), None);
    assert_eq!(errno(kernel.move_mount(host, user, "/mnt/b")), Some(Errno::EINVAL));
    assert_eq!(kernel.check(), Ok(()));
}

#[test]
fn a_detached_mount_is_charged_until_it_is_closed() {
    let mut kernel = Kernel::default();
    let task = rootless(&mut kernel, CLONE_NEWNS);
    assert_eq!(errno(kernel.open_tree(task, "/", OPEN_TREE_CLONE)), Some(Errno::EINVAL));
    let all = OPEN_TREE_CLONE | AT_RECURSIVE;
    kernel.write_max_namespaces(task, nsproxy::NsKind::Mnt, 2).unwrap();
    let tree = kernel.open_tree(task, "/tmp", all).unwrap();
    assert_eq!(errno(kernel.open_tree(task, "/tmp", all)), Some(Errno::ENOSPC));
    kernel.close(task, tree).unwrap();
    assert_eq!(errno(kernel.open_tree(task, "/tmp", all)), None);
    assert_eq!(kernel.check(), Ok(()));
}

#[test]
fn a_filesystem_of_a_namespace_without_a_map_takes_no_files() {
    let mut kernel = Kernel::default();
    let init = kernel.init();
    let task = kernel.fork(init).unwrap().task;
    kernel.setresgid(task, 1000, 1000, 1000).unwrap();
    kernel.setresuid(task, 1000, 1000, 1000).unwrap();
    kernel.unshare(task, CLONE_NEWUSER | CLONE_NEWNS).unwrap();
    kernel.mount(task, "none", "/mnt", "tmpfs", 0).unwrap();
    assert_eq!(errno(kernel.mkdir(task, "/mnt/x")), Some(Errno::EOVERFLOW));
}

#[test]
fn an_unbindable_mount_made_a_slave_stays_unbindable() {
    let (mut kernel, shell) = shell();
    kernel.mount(shell, "", "/mnt", "", MS_UNBINDABLE).unwrap();
    kernel.mount(shell, "", "/mnt", "", MS_SLAVE).unwrap();
    assert_eq!(below(&kernel, shell), pairs(&[("/mnt", "unbindable")]));
    kernel.mount(shell, "", "/mnt", "", MS_PRIVATE).unwrap();
    assert_eq!(below(&kernel, shell), pairs(&[("/mnt", "")]));
}

#[test]
fn peers_with_one_master_get_one_copy_each() {
    let (mut kernel, shell) = shell();
    kernel.mount(shell, "", "/mnt", "", MS_SHARED).unwrap();
    let first = kernel.fork(shell).unwrap().task;
    kernel.unshare(first, CLONE_NEWNS).unwrap();
    kernel.mount(first, "", "/mnt", "", MS_SLAVE).unwrap();
    kernel.mount(first, "", "/mnt", "", MS_SHARED).unwrap();
    let second = kernel.fork(first).unwrap().task;
    kernel.unshare(second, CLONE_NEWNS).unwrap();
    kernel.mount(shell, "none", "/mnt/a", "tmpfs", 0).unwrap();
    for task in [first, second] {
        let at: Vec<String> = below(&kernel, task).into_iter().map(|(path, _)| path).collect();
        assert_eq!(at, ["/mnt", "/mnt/a"]);
    }
    assert_eq!(kernel.check(), Ok(()));
}

/// A shell on 7.2 in a mount namespace of its own, with a tmpfs, a directory and another
/// tmpfs on it.
fn shell_on_7_2() -> (Kernel, TaskId) {
    let mut kernel = Kernel::boot(nsproxy::Params::for_release(7, 2));
    let init = kernel.init();
    let shell = kernel.fork(init).unwrap().task;
    kernel.unshare(shell, CLONE_NEWNS).unwrap();
    kernel.mount(shell, "none", "/mnt", "tmpfs", 0).unwrap();
    kernel.mkdir(shell, "/mnt/a").unwrap();
    kernel.mount(shell, "none", "/mnt/a", "tmpfs", 0).unwrap();
    kernel.mknod(shell, "/mnt/f").unwrap();
    (kernel, shell)
}

#[test]
fn an_empty_mount_namespace_on_7_2() {
    let (mut kernel, shell) = shell_on_7_2();
    let user = kernel.fork(shell).unwrap().task;
    kernel.setresgid(user, 1000, 1000, 1000).unwrap();
    kernel.setresuid(user, 1000, 1000, 1000).unwrap();
    assert_eq!(errno(kernel.unshare(user, UNSHARE_EMPTY_MNTNS)), Some(Errno::EPERM));
    assert_eq!(errno(kernel.unshare(user, CLONE_NEWUSER | UNSHARE_EMPTY_MNTNS)), None);
    let with_fs = nsproxy::CloneArgs::new(CLONE_EMPTY_MNTNS | CLONE_FS);
    assert_eq!(errno(kernel.clone3(shell, &with_fs)), Some(Errno::EINVAL));
    let child = kernel.clone3(shell, &nsproxy::CloneArgs::new(CLONE_EMPTY_MNTNS)).unwrap().task;
    kernel.unshare(shell, UNSHARE_EMPTY_MNTNS).unwrap();
    for task in [user, child, shell] {
        assert_eq!(kernel.listmount(task, &nsproxy::MntIdReq::default(), 0).unwrap().len(), 1);
        let mounts = kernel.mountinfo(task).unwrap();
        assert_eq!((mounts[0].mountpoint.as_str(), mounts[0].fstype), ("/", "nullfs"));
        assert_eq!(errno(kernel.chdir(task, "/proc")), Some(Errno::ENOENT));
        assert_eq!(errno(kernel.mkdir(task, "/zz")), Some(Errno::ENOENT));
    }
}

#[test]
fn a_namespace_of_one_tree_on_7_2() {
    let (mut kernel, shell) = shell_on_7_2();
    let refused = |kernel: &mut Kernel, task, path, flags| errno(kernel.open_tree(task, path, flags));
    let (ns, all) = (OPEN_TREE_NAMESPACE, OPEN_TREE_NAMESPACE | AT_RECURSIVE);
    assert_eq!(refused(&mut kernel, shell, "/mnt", ns), None);
    assert_eq!(refused(&mut kernel, shell, "/mnt", ns | OPEN_TREE_CLONE), Some(Errno::EINVAL));
    assert_eq!(refused(&mut kernel, shell, "/mnt/f", ns), Some(Errno::ENOTDIR));
    for (flags, mounts) in [(all, 2), (ns, 1)] {
        let fd = kernel.open_tree(shell, "/mnt", flags).unwrap();
        let task = kernel.fork(shell).unwrap().task;
        kernel.setns(task, fd, 0).unwrap();
        assert_eq!(kernel.listmount(task, &nsproxy::MntIdReq::default(), 0).unwrap().len(), mounts);
    }
    // With a user namespace of one's own, and no more.
    let user = kernel.fork(shell).unwrap().task;
    kernel.setresgid(user, 1000, 1000, 1000).unwrap();
    kernel.setresuid(user, 1000, 1000, 1000).unwrap();
    assert_eq!(refused(&mut kernel, user, "/mnt", ns), Some(Errno::EPERM));
    kernel.unshare(user, CLONE_NEWUSER).unwrap();
    assert_eq!(refused(&mut kernel, user, "/mnt", ns), Some(Errno::EINVAL));
    assert_eq!(refused(&mut kernel, user, "/mnt/a", ns), None);
    assert_eq!(refused(&mut kernel, user, "/mnt", OPEN_TREE_CLONE), Some(Errno::EPERM));
    let fd = kernel.open_tree(user, "/mnt", all).unwrap();
    kernel.setns(user, fd, 0).unwrap();
    assert_eq!(errno(kernel.umount(user, "/", MNT_DETACH)), Some(Errno::EINVAL));
    assert_eq!(errno(kernel.umount(user, "/a", MNT_DETACH)), Some(Errno::EINVAL));
    // An unbindable mount is not copied for the same owner either.
    kernel.mount(shell, "", "/mnt", "", MS_UNBINDABLE).unwrap();
    assert_eq!(refused(&mut kernel, shell, "/mnt", ns), Some(Errno::EINVAL));
    let fd = kernel.fsmount(shell, "tmpfs", FSMOUNT_NAMESPACE, 0).unwrap();
    kernel.setns(shell, fd, 0).unwrap();
    assert_eq!(kernel.mountinfo(shell).unwrap().len(), 1);
    assert_eq!(kernel.check(), Ok(()));
}

#[test]
fn a_first_fork_that_fails_late_harms_nothing_on_7_2() {
    let (mut kernel, shell) = shell_on_7_2();
    kernel.unshare(shell, CLONE_NEWPID).unwrap();
    // The children's namespace can be looked at before it has an init.
    let link = nsproxy::NsLink::PidForChildren;
    assert!(kernel.readlink_ns(shell, shell, link).is_ok());
    let five = nsproxy::CloneArgs::new(0).with_set_tid(&[5]);
    assert_eq!(errno(kernel.clone3(shell, &five)), Some(Errno::EINVAL));
    let mut faulty = nsproxy::CloneArgs::new(CLONE_PIDFD);
    faulty.pidfd = nsproxy::CloneArgs::BAD_ADDRESS;
    assert_eq!(errno(kernel.clone3(shell, &faulty)), Some(Errno::EFAULT));
    assert!(kernel.fork(shell).is_ok());
    // The old clone knows what a signal is by now.
    assert_eq!(errno(kernel.sys_clone(shell, 65)), Some(Errno::EINVAL));
}

/// A shell on another release that holds a pidfd of its child.
fn with_pidfd(major: u8, minor: u8) -> (Kernel, TaskId, TaskId, i32) {
    let mut kernel = Kernel::boot(nsproxy::Params::for_release(major, minor));
    let init = kernel.init();
    let shell = kernel.fork(init).unwrap().task;
    let child = kernel.fork(shell).unwrap();
    let fd = kernel.pidfd_open(shell, child.pid.cast_signed(), 0).unwrap();
    (kernel, shell, child.task, fd)
}

#[test]
fn on_6_12_a_pidfd_looks_at_its_process_before_the_request() {
    use nsproxy::{NsIoctl, NsKind, NsLink, PidfdIoctl};
    let old_and_new = [(6, 1, false), (6, 12, true), (6, 18, false)];
    for (major, minor, first) in old_and_new {
        let (mut kernel, shell, child, fd) = with_pidfd(major, minor);
        let (with, without) = (NsIoctl::GetTgidFromPidns(3), NsIoctl::GetParent);
        let invalid = if first { Errno::EINVAL } else { Errno::ENOTTY };
        assert_eq!(errno(kernel.ns_ioctl(shell, fd, with)), Some(invalid));
        assert_eq!(errno(kernel.ns_ioctl(shell, fd, without)), Some(Errno::ENOTTY));
        kernel.setresuid(shell, 1000, 1000, 1000).unwrap();
        let hidden = if first { Errno::EACCES } else { Errno::ENOTTY };
        assert_eq!(errno(kernel.ns_ioctl(shell, fd, without)), Some(hidden));
        assert_eq!(errno(kernel.pidfd_ioctl(shell, fd, PidfdIoctl::Unknown)), Some(hidden));
        assert_eq!(errno(kernel.socket_namespace(shell, fd)), Some(hidden));
        kernel.exit_group(child, 0).unwrap();
        kernel.wait(shell).unwrap();
        let gone = if first { Errno::ESRCH } else { Errno::ENOTTY };
        assert_eq!(errno(kernel.ns_ioctl(shell, fd, without)), Some(gone));
        // The argument counts before the process on 6.12, after it on 6.18.
        let get = PidfdIoctl::GetNamespace(NsLink::Own(NsKind::Cgroup), 1);
        let expected = match (major, minor) {
            (6, 1) => Errno::ENOTTY,
            (6, 12) => Errno::EINVAL,
            _ => Errno::ESRCH,
        };
        assert_eq!(errno(kernel.pidfd_ioctl(shell, fd, get)), Some(expected));
    }
}

#[test]
fn up_to_6_12_a_missing_device_counts_before_the_namespace_it_moves_to() {
    for (minor, expected) in [(1, Errno::ENODEV), (12, Errno::ENODEV), (18, Errno::EBADF)] {
        let mut kernel = Kernel::boot(nsproxy::Params::for_release(6, minor));
        let init = kernel.init();
        assert_eq!(errno(kernel.move_device(init, "none", 777)), Some(expected));
        assert_eq!(errno(kernel.move_device(init, "lo", 777)), Some(Errno::EBADF));
    }
}

#[test]
fn on_6_12_a_namespace_file_takes_requests_by_their_number() {
    use nsproxy::{NsKind, NsLink, PidfdIoctl};
    for (minor, info, uts) in [
        (11, Errno::ENOTTY, Errno::ENOTTY),
        (12, Errno::EPERM, Errno::EINVAL),
        (18, Errno::ENOTTY, Errno::ENOTTY),
    ] {
        let mut kernel = Kernel::boot(nsproxy::Params::for_release(6, minor));
        let init = kernel.init();
        let shell = kernel.clone3(init, &nsproxy::CloneArgs::new(CLONE_NEWPID)).unwrap().task;
        let fd = kernel.open_ns(shell, 1, NsLink::Own(NsKind::Mnt)).unwrap();
        assert_eq!(errno(kernel.pidfd_ioctl(shell, fd, PidfdIoctl::GetInfo(64))), Some(info));
        let link = NsLink::Own(NsKind::Uts);
        assert_eq!(errno(kernel.pidfd_ioctl(shell, fd, PidfdIoctl::GetNamespace(link, 0))), Some(uts));
    }
}

#[test]
fn on_6_12_117_setns_to_several_kinds_needs_a_root_of_its_own() {
    for needed in [false, true] {
        let (mut kernel, shell) = shell();
        kernel.params_mut().features.setns_needs_own_fs = needed;
        let sharing = kernel.clone3(shell, &nsproxy::CloneArgs::new(CLONE_FS)).unwrap().task;
        let fd = kernel.pidfd_open(sharing, 1, 0).unwrap();
        let both = u32::try_from(CLONE_NEWNS | CLONE_NEWUTS).unwrap();
        assert_eq!(errno(kernel.setns(sharing, fd, both)), needed.then_some(Errno::EINVAL));
    }
}

#[test]
fn before_5_12_there_is_no_mount_setattr() {
    for (major, minor, expected) in [(5, 10, Some(Errno::ENOSYS)), (5, 12, None)] {
        let mut kernel = Kernel::boot(nsproxy::Params::for_release(major, minor));
        let init = kernel.init();
        let nothing = nsproxy::MountAttr::default();
        assert_eq!(errno(kernel.mount_setattr(init, "/", 0, &nothing)), expected);
    }
}
