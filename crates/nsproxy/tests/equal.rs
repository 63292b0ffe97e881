//! Two kernels are equal when nothing in them differs that is seen or decides an answer.

use nsproxy::uapi::{CLONE_NEWNS, CLONE_NEWTIME, CLONE_NEWUSER, CLONE_NEWUTS, MS_RDONLY, MS_SHARED};
use nsproxy::{
    CapSets, Clocks, CloneArgs, Denial, IpcSysctl, Kernel, MapKind, NsKind, NsLink, Params, Prctl, SemOp,
    TaskId, Timespec,
};

/// A kernel with a cgroup, System V objects, a queue, a cable and a file; its first process
/// and another.
fn base() -> (Kernel, TaskId, TaskId) {
    let mut kernel = Kernel::default();
    let init = kernel.init();
    let other = kernel.fork(init).unwrap().task;
    kernel.cgroup_set_subtree_control(init, "/", true).unwrap();
    kernel.cgroup_mkdir(init, "/c").unwrap();
    kernel.shmget(init, 5, 10, 0o1600).unwrap();
    kernel.semget(init, 5, 3, 0o1666).unwrap();
    kernel.msgget(init, 5, 0o1600).unwrap();
    kernel.mq_open(init, "/q", true, false).unwrap();
    kernel.add_veth(init, "a", "b").unwrap();
    kernel.mknod(init, "/f").unwrap();
    (kernel, init, other)
}

type Change = fn(&mut Kernel, TaskId, TaskId) -> Result<(), Denial>;

const fn seconds(sec: i64) -> Timespec {
    Timespec { sec, nsec: 0 }
}

/// Changes that look alike, or that leave little behind.
const CHANGES: &[(&str, Change)] = &[
    ("nothing", |_, _, _| Ok(())),
    ("tmpfs on /mnt", |k, i, _| k.mount(i, "x", "/mnt", "tmpfs", 0)),
    ("tmpfs on /tmp", |k, i, _| k.mount(i, "x", "/tmp", "tmpfs", 0)),
    ("proc on /mnt", |k, i, _| k.mount(i, "x", "/mnt", "proc", 0)),
    ("a read-only tmpfs", |k, i, _| k.mount(i, "x", "/mnt", "tmpfs", MS_RDONLY)),
    ("a tmpfs about to expire", |k, i, _| {
        k.mount(i, "x", "/mnt", "tmpfs", 0)?;
        let _ = k.umount(i, "/mnt", 4);
        Ok(())
    }),
    ("a shared root", |k, i, _| k.mount(i, "", "/", "", MS_SHARED)),
    ("chroot /mnt", |k, _, o| k.chroot(o, "/mnt")),
    ("chroot /tmp", |k, _, o| k.chroot(o, "/tmp")),
    ("chdir /tmp", |k, _, o| k.chdir(o, "/tmp")),
    ("a directory", |k, i, _| k.mkdir(i, "/new")),
    ("another directory", |k, i, _| k.mkdir(i, "/other")),
    ("a file", |k, i, _| k.mknod(i, "/new")),
    ("pids.max", |k, i, _| k.cgroup_set_pids_max(i, "/c", Some(3))),
    ("a cgroup's owner", |k, i, _| k.cgroup_chown(i, "/c", 3)),
    ("subtree_control", |k, i, _| k.cgroup_set_subtree_control(i, "/c", true)),
    ("no subtree_control", |k, i, _| k.cgroup_set_subtree_control(i, "/", false)),
    ("a file of pids.max that another owns", |k, i, o| {
        k.cgroup_set_subtree_control(i, "/", false)?;
        k.cgroup_chown(i, "/", 7)?;
        k.setresuid(o, 7, 7, 7)?;
        k.cgroup_set_subtree_control(o, "/", true)?;
        k.cgroup_chown(i, "/", 0)
    }),
    ("the same without the file", |k, i, o| {
        k.setresuid(o, 7, 7, 7)?;
        k.cgroup_chown(i, "/", 7)?;
        k.cgroup_chown(i, "/", 0)
    }),
    ("a semaphore", |k, _, o| k.semop(o, 0, SemOp { number: 1, change: 3, undo: false }).map(drop)),
    ("a semaphore to be taken back", |k, _, o| {
        k.semop(o, 0, SemOp { number: 1, change: 3, undo: true }).map(drop)
    }),
    ("only what is to be taken back", |k, i, o| {
        k.semop(o, 0, SemOp { number: 1, change: 3, undo: true })?;
        k.semop(i, 0, SemOp { number: 1, change: -3, undo: false }).map(drop)
    }),
    ("a message", |k, i, _| k.msgsnd(i, 0, 1, b"x")),
    ("another message", |k, i, _| k.msgsnd(i, 0, 1, b"y")),
    ("an attached segment", |k, _, o| k.shmat(o, 0)),
    ("one attached by another", |k, i, _| k.shmat(i, 0)),
    ("msgmax", |k, i, _| k.write_ipc_sysctl(i, IpcSysctl::Msgmax, 5)),
    ("no queue", |k, i, _| k.mq_unlink(i, "/q")),
    ("a device up", |k, i, _| k.set_device_up(i, "a", true)),
    ("the other end up", |k, i, _| k.set_device_up(i, "b", true)),
    ("clocks", |k, _, _| {
        k.set_clocks(Clocks { realtime: seconds(5), monotonic: seconds(5), boottime: seconds(5) });
        Ok(())
    }),
    ("a bound namespace", |k, i, _| bound(k, i, b"one")),
    ("one of another name", |k, i, _| bound(k, i, b"two")),
    ("a signal at the end of the parent", |k, _, o| k.prctl(o, Prctl::SetPdeathsig(9))),
    ("a pending signal", |k, i, o| {
        k.sigprocmask(o, 1 << 9)?;
        k.kill(i, 2, 10)
    }),
    ("a blocked signal", |k, _, o| k.sigprocmask(o, 1 << 9)),
    ("a file opened before capabilities went", |k, i, o| opened(k, i, o, true)),
    ("a file opened after", |k, i, o| opened(k, i, o, false)),
    ("the older mount namespace", |k, i, o| in_order(k, &[o, i])),
    ("the younger mount namespace", |k, i, o| in_order(k, &[i, o])),
    ("an executed program", |k, _, o| k.execve(o, &nsproxy::Program::default()).map(drop)),
    ("a session", |k, _, o| k.setsid(o).map(drop)),
    ("a limit", |k, i, _| k.write_max_namespaces(i, NsKind::Uts, 3)),
];

/// A uts namespace that nothing holds but a mount.
fn bound(kernel: &mut Kernel, init: TaskId, name: &[u8]) -> Result<(), Denial> {
    let child = kernel.clone3(init, &CloneArgs::new(CLONE_NEWUTS))?;
    kernel.sethostname(child.task, name)?;
    let number = i32::try_from(child.pid).unwrap();
    let fd = kernel.open_ns(init, number, NsLink::Own(NsKind::Uts))?;
    kernel.bind_namespace(init, fd, "/f")?;
    kernel.close(init, fd)?;
    kernel.exit(child.task, 0)?;
    kernel.wait(init).map(drop)
}

/// The same descriptor and the same task at the end; who opened it had capabilities, or not.
fn opened(kernel: &mut Kernel, init: TaskId, task: TaskId, before: bool) -> Result<(), Denial> {
    let target = kernel.fork(init)?;
    kernel.unshare(target.task, CLONE_NEWTIME)?;
    let number = i32::try_from(target.pid).unwrap();
    if before {
        kernel.open_timens_offsets(task, number)?;
    }
    kernel.capset(task, 0, CapSets::default())?;
    if !before {
        kernel.open_timens_offsets(task, number)?;
    }
    Ok(())
}

fn in_order(kernel: &mut Kernel, tasks: &[TaskId]) -> Result<(), Denial> {
    tasks.iter().try_for_each(|task| kernel.unshare(*task, CLONE_NEWNS))
}

/// With how many of the kernels before it each is compared: with all, where that is quick.
const COMPARED: usize = if cfg!(miri) { 1 } else { usize::MAX };

#[test]
fn kernels_that_show_or_answer_something_else_are_not_equal() {
    let mut seen: Vec<(&str, Kernel)> = Vec::new();
    for (name, change) in CHANGES {
        let (mut kernel, init, other) = base();
        change(&mut kernel, init, other).unwrap_or_else(|denial| panic!("{name}: {denial}"));
        assert_eq!(kernel.check(), Ok(()), "{name}");
        for (before, known) in seen.iter().rev().take(COMPARED) {
            assert!(kernel != *known, "{name} looks like {before}");
        }
        seen.push((name, kernel));
    }
}

#[test]
fn the_order_of_mount_namespaces_that_decides_a_bind_makes_a_difference() {
    let made = |first: bool| {
        let (mut kernel, init, one) = base();
        let two = kernel.fork(init).unwrap().task;
        in_order(&mut kernel, &if first { [one, two] } else { [two, one] }).unwrap();
        (kernel, one)
    };
    let ((mut younger, one), (mut older, same)) = (made(true), made(false));
    assert!(younger != older);
    let bind = |kernel: &mut Kernel, task| {
        let fd = kernel.open_ns(task, 3, NsLink::Own(NsKind::Mnt)).unwrap();
        kernel.bind_namespace(task, fd, "/f").is_ok()
    };
    assert!(bind(&mut younger, one) && !bind(&mut older, same), "and so they answer differently");
}

#[test]
fn numbers_that_only_name_things_make_no_difference() {
    let (mut kernel, init, _) = base();
    let plain = kernel.clone();
    kernel.mount(init, "x", "/mnt", "tmpfs", 0).unwrap();
    kernel.umount(init, "/mnt", 0).unwrap();
    let cursor = kernel.ns_last_pid(init).unwrap();
    let child = kernel.clone3(init, &CloneArgs::new(CLONE_NEWNS | CLONE_NEWUSER)).unwrap().task;
    kernel.exit(child, 0).unwrap();
    kernel.wait(init).unwrap();
    kernel.settle();
    assert!(kernel != plain, "the next process number is seen");
    kernel.write_ns_last_pid(init, i64::from(cursor)).unwrap();
    assert_eq!(kernel.canonical(), plain.canonical());
    assert!(kernel == plain);
}

#[test]
fn parameters_are_part_of_a_kernel() {
    let mut kernel = Kernel::default();
    assert!(kernel != Kernel::boot(Params::for_release(6, 12)));
    kernel.params_mut().suid_dumpable = 2;
    assert!(kernel != Kernel::default());
}

#[test]
fn a_map_written_is_seen() {
    let (mut kernel, init, other) = base();
    kernel.unshare(other, CLONE_NEWUSER).unwrap();
    let before = kernel.clone();
    kernel.write_map(init, 2, MapKind::Uid, "0 5 2").unwrap();
    assert!(kernel != before);
}
